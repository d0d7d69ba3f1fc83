"""The other side of bench_train.py: I3D in PyTorch and its training step, in an environment of its own.

    python -m venv env && env/bin/pip install torch numpy
    echo '{"batch": 4, "frames": 40, "crop": 224, "precision": "float32", "compile": false, "seconds": 2}' \
        | env/bin/python benchmarks/reference_i3d.py

Reads one line of JSON, as above, and answers with one: clips/s and memory of the step. The network is that of
i3d.py (Carreira & Zisserman 2017) layer by layer: its names, its padding, which is TensorFlow's SAME, its batch
normalisation. The step is what a PyTorch user would write for speed: channels last on a GPU, cuDNN choosing its
algorithms, a fused Adam, automatic mixed precision for bfloat16, TF32 for float32, which JAX's default allows too.
"""

import contextlib
import json
import resource
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

CLASSES = 249  # of ChaLearn IsoGD
# Branch_0 1x1 | Branch_1 1x1, 3x3 | Branch_2 1x1, 3x3 | Branch_3 pool, 1x1; a pool stands before what it precedes.
MIXED = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}


def same(length: int, size: int, stride: int) -> int:
    """How many places TensorFlow's SAME adds to an axis; half of them, rounded down, in front."""
    return max((-(-length // stride) - 1) * stride + size - length, 0)


class Unit(nn.Module):
    """Convolution without bias, batch normalisation without scale, ReLU."""

    def __init__(self, channels: int, filters: int, size: int, stride: int = 1):
        super().__init__()
        self.size, self.stride = size, stride
        self.kernel = nn.Parameter(torch.empty(filters, channels, size, size, size))
        nn.init.xavier_uniform_(self.kernel)
        self.beta = nn.Parameter(torch.zeros(filters))
        self.register_buffer("moving_mean", torch.zeros(filters))
        self.register_buffer("moving_variance", torch.ones(filters))
        # cuDNN normalises only where there is a scale; this one is never trained and is no part of the network.
        self.register_buffer("one", torch.ones(filters), persistent=False)

    def forward(self, x):
        padding = self.size // 2
        if self.stride > 1:  # more behind than in front, which convolution itself cannot
            extra = [same(length, self.size, self.stride) for length in x.shape[:1:-1]]
            x, padding = F.pad(x, [half for more in extra for half in (more // 2, more - more // 2)]), 0
        x = F.conv3d(x, self.kernel, None, self.stride, padding)
        x = F.batch_norm(x, self.moving_mean, self.moving_variance, self.one, self.beta, self.training, 0.01, 1e-3)
        return F.relu(x, inplace=True)


def pool(x, size, stride):
    """Largest of each window. Rounding up gives the odd place behind, so nothing is copied to be padded."""
    padding = [same(length, *axis) // 2 for length, *axis in zip(x.shape[2:], size, stride, strict=True)]
    return F.max_pool3d(x, size, stride, padding, ceil_mode=True)


class I3D(nn.Module):
    """(B, channels, T, H, W) -> (B, classes) logits, averaged over time. Units carry the published names."""

    def __init__(self, channels: int = 3, classes: int = CLASSES, dropout: float = 0.5):
        super().__init__()
        self.dropout = dropout
        self.units = nn.ModuleDict(
            {
                "Conv3d_1a_7x7": Unit(channels, 64, 7, 2),
                "Conv3d_2b_1x1": Unit(64, 64, 1),
                "Conv3d_2c_3x3": Unit(64, 192, 3),
            }
        )
        width = 192
        for name, row in MIXED.items():
            if name.startswith("Mixed"):
                branches = (
                    (width, row[0], 1),
                    (width, row[1], 1),
                    (row[1], row[2], 3),
                    (width, row[3], 1),
                    (row[3], row[4], 3),
                    (width, row[5], 1),
                )
                self.units.update({f"{name}_{place}": Unit(*of) for place, of in enumerate(branches)})
                width = row[0] + row[2] + row[4] + row[5]
        self.head = nn.Conv3d(width, classes, 1)

    def mixed(self, x, name: str):
        zero, one, one_more, two, two_more, three = (self.units[f"{name}_{place}"] for place in range(6))
        return torch.cat([zero(x), one_more(one(x)), two_more(two(x)), three(F.max_pool3d(x, 3, 1, 1))], dim=1)

    def forward(self, x):
        x = pool(self.units["Conv3d_1a_7x7"](x), (1, 3, 3), (1, 2, 2))
        x = self.units["Conv3d_2c_3x3"](self.units["Conv3d_2b_1x1"](x))
        x = pool(x, (1, 3, 3), (1, 2, 2))
        for name, row in MIXED.items():
            x = self.mixed(x, name) if name.startswith("Mixed") else pool(x, *row)
        x = F.avg_pool3d(x, [min(full, left) for full, left in zip((2, 7, 7), x.shape[2:], strict=True)], 1)
        x = F.dropout(x, self.dropout, self.training)
        return self.head(x).float().mean(dim=(2, 3, 4))


def trainer(request: dict, device: str):
    """A function that does one training step on random clips that lie on the device."""
    network = I3D().to(device)
    images = torch.randn(request["batch"], 3, request["frames"], request["crop"], request["crop"], device=device)
    if device == "cuda":
        network = network.to(memory_format=torch.channels_last_3d)
        images = images.to(memory_format=torch.channels_last_3d)
    targets = F.one_hot(torch.arange(request["batch"], device=device) % CLASSES, CLASSES).float()
    optimiser = torch.optim.Adam(network.parameters(), 1e-4, eps=1e-7, fused=True)
    seen = torch.compile(network) if request["compile"] else network
    mixed = request["precision"] == "mixed_bfloat16"

    def step() -> torch.Tensor:
        with torch.autocast(device, torch.bfloat16) if mixed else contextlib.nullcontext():
            loss = F.cross_entropy(seen(images), targets)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        return loss

    return step


def timed(step, count: int) -> float:
    """Seconds of that many steps, until the device has done them."""
    started = time.perf_counter()
    for _ in range(count):
        loss = step()
    loss.item()
    return time.perf_counter() - started


def measure(request: dict) -> dict:
    cuda = torch.cuda.is_available()
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = True
    torch.set_num_threads(request["threads"])
    step = trainer(request, "cuda" if cuda else "cpu")
    resting = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    first = timed(step, 1)
    timed(step, 1)
    if cuda:
        torch.cuda.reset_peak_memory_stats()  # what cuDNN's trials took is no part of the step
    count = int(np.clip(request["seconds"] / 3 / timed(step, 1), 1, 100))
    seconds = float(np.median([timed(step, count) for _ in range(3)])) / count
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resting) / 1024
    memory = torch.cuda.max_memory_allocated() / 2**20 if cuda else grown
    return {
        "clips_per_s": request["batch"] / seconds,
        "step_ms": 1e3 * seconds,
        "first_step_s": first,
        "memory_mib": memory,
        "torch": torch.__version__,
        "device": torch.cuda.get_device_name() if cuda else "cpu",
    }


if __name__ == "__main__":
    print(json.dumps(measure(json.loads(sys.stdin.readline()))))
