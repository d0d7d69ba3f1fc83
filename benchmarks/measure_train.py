"""Our side of bench_train.py: what the generator delivers, what the network takes, what `fit` makes of the two.

    echo '{"part": "generator", ...}' | python benchmarks/measure_train.py

Reads one line of JSON, the flags of bench_train.py and the part wanted, and answers with one. Every part is a process
of its own, so that one's memory is not counted for the other. Nothing here needs TensorFlow where KERAS_BACKEND is jax.
"""

import json
import resource
import sys
import time
from itertools import cycle, islice, pairwise
from pathlib import Path

import keras
import numpy as np
from keras.src.trainers.data_adapters.py_dataset_adapter import PyDatasetAdapter

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs.clips import storage
from signs.clips.dataset import load_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.models import i3d
from signs.training import averaging, loop
from signs.training.flags import augmentation_of
from signs.training.recipe import RECIPES, Phase, Recipe

import train_i3d
from datagenerator import ClipGenerator

HERE = Path(__file__).resolve().parent
CLASSES = 249  # of ChaLearn IsoGD
EMA = RECIPES["strong"]["ema"]


def rate(times: list[float], batch: int) -> float:
    """Times at which batches were done -> clips/s: the median over three stretches."""
    edges = np.unique(np.linspace(0, len(times) - 1, 4).round().astype(int))
    return float(np.median([batch * (last - first) / (times[last] - times[first]) for first, last in pairwise(edges)]))


class Looped(ClipGenerator):
    """The training's generator, over few clips again and again: an epoch of `batches` batches."""

    batches = 1 << 30

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        return super().__getitem__(number % (len(self.clips) // self.batch))


def generator(request: dict, recipe: str, workers: int, cold: bool = True) -> Looped:
    """As train_i3d.py makes it; `cold` decodes every picture every time, as a data set beyond memory does."""
    data, batch = load_dataset(Path(request["data"])), request["batch"]
    found = data.split("train", labelled=True)[: request["clips"]]
    clips = list(islice(cycle(found), -(-len(found) // batch) * batch))
    stored = storage.find_stored(data, "frame", request["store"])
    spec = ClipSpec(stored, InputSpec(request["frames"], stored.short_side, request["crop"]))
    row = train_i3d.parse(["--data", request["data"], "--output", "none", "--recipe", recipe])
    augmentation = augmentation_of(row)
    labels = [f"{number:03d}" for number in range(1, CLASSES + 1)]  # the network's classes, whatever the data's are
    settings = {"batch": batch, "augmentation": augmentation, "workers": workers, "memory": 0 if cold else 1 << 40}
    return Looped(data, clips, spec, "rgb", labels, **settings)


def deliver(source: Looped, seconds: float) -> float:
    """clips/s that Keras's own workers bring when nobody is slower than they."""
    adapter = PyDatasetAdapter(source, shuffle=False)
    adapter.on_epoch_begin()
    times, least = [], source.workers + 6
    for _ in adapter.get_numpy_iterator():
        times.append(time.perf_counter())
        # The first of each worker come at once.
        if len(times) > least and times[-1] - times[source.workers] > seconds:
            break
    adapter.on_epoch_end()
    return rate(times[source.workers :], source.batch)


def generators(request: dict) -> dict:
    """{recipe: {"cold" | "cached": {workers: clips/s}}}"""
    found = {}
    for recipe in ("paper", "strong"):
        for kind in ("cold", "cached"):
            for workers in request["workers"]:
                source = generator(request, recipe, workers, kind == "cold")
                for number in range(len(source.clips) // source.batch if kind == "cached" else 1):
                    source[number]
                found.setdefault(recipe, {}).setdefault(kind, {})[workers] = deliver(source, request["seconds"])
    return found


class Same(keras.utils.PyDataset):
    """One batch again and again."""

    def __init__(self, batch, batches: int):
        super().__init__()
        self.given, self.batches = batch, batches

    def __len__(self) -> int:
        return self.batches

    def __getitem__(self, number: int):
        return self.given


class Clock(keras.callbacks.Callback):
    """When each batch was done. As `async_safe` it waits for the device in a thread of its own: a callback that is not
    would have the device wait for Python after every batch, which those of loop.py do not."""

    async_safe = True

    def __init__(self):
        super().__init__()
        self.times = {}

    def on_train_batch_end(self, batch, logs=None):
        self.times[batch] = time.perf_counter()


def fit(model: keras.Model, source: keras.utils.PyDataset, callbacks=()) -> list[float]:
    """Times at which the batches of one epoch of Keras's own `fit` were done."""
    clock = Clock()
    model.fit(source, verbose=0, shuffle=False, callbacks=[clock, *callbacks])
    return [clock.times[batch] for batch in sorted(clock.times)]


def compiled(request: dict) -> keras.Model:
    """The network with the settings, loss and optimiser that loop.py gives it."""
    keras.config.set_dtype_policy(request["precision"])
    keras.utils.set_random_seed(0)
    size = (request["frames"], request["crop"], request["crop"], 3)
    model = i3d.build_i3d(size, CLASSES)
    loop.compile_model(model, Phase("all", 1, 1e-4), Recipe(), 1)
    return model


def macs(model: keras.Model) -> int:
    """Multiplications and additions of a forward pass of one clip, in its convolutions."""
    found = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv3D)]
    return sum(int(np.prod(layer.output.shape[1:4]) * np.prod(layer.kernel.shape)) for layer in found)


def device() -> tuple[str, int | None]:
    """Name of the device that Keras computes on, and the most bytes that were in use on it; None on a CPU."""
    if keras.backend.backend() == "jax":
        import jax

        first = jax.devices()[0]
        return first.device_kind, (first.memory_stats() or {}).get("peak_bytes_in_use")
    import tensorflow as tf

    for first in tf.config.list_physical_devices("GPU"):
        name = tf.config.experimental.get_device_details(first).get("device_name", "GPU")
        return name, tf.config.experimental.get_memory_info("GPU:0")["peak"]
    return "cpu", None


def steps(request: dict, model: keras.Model) -> dict:
    """The step on a batch that lies on the device; and, on a GPU, on one that has to come to it each time."""
    shape = (request["batch"], *model.input.shape[1:])
    images = np.random.default_rng(0).uniform(-1, 1, shape).astype(np.float32)
    targets = np.eye(CLASSES, dtype=np.float32)[np.arange(len(images)) % CLASSES]
    there = tuple(keras.ops.convert_to_tensor(array) for array in (images, targets))
    resting, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.perf_counter()
    times = fit(model, Same(there, 3))
    # In each of three stretches as many as there is time for.
    count = 3 * int(np.clip(request["seconds"] / 3 / (times[2] - times[1]), 1, 100))
    found = {"first_step_s": times[0] - started, "batches": count}
    found["clips_per_s"] = rate(fit(model, Same(there, count + 1)), len(images))
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resting
    name, peak = device()
    found |= {
        "step_ms": 1e3 * len(images) / found["clips_per_s"],
        "device": name,
        "gmac": macs(model) / 1e9,
        "memory_mib": grown / 1024 if peak is None else peak / 2**20,
    }
    # The gradients to the input and to the weights cost a forward pass each.
    found["tflops"] = 3 * 2 * found["gmac"] * found["clips_per_s"] / 1e3
    if peak is not None:
        found["from_host"] = rate(fit(model, Same((images, targets), count + 1)), len(images))
    return found


def fits(request: dict, model: keras.Model, step: dict) -> dict:
    """{what: clips/s of `fit` with the generator, cold, and the share of its time that the steps alone do not take}"""
    found, workers = {}, max(request["workers"])
    # What the workers had ready when the first step began must be gone.
    ready = min(max(12, workers + 4), step["batches"])
    for name, recipe, ema in (("paper", "paper", 0), ("strong", "strong", 0), ("strong, averaged", "strong", EMA)):
        source = generator(request, recipe, workers)
        source.batches = ready + step["batches"] + 1
        average = averaging.start(model, ema, None)
        clips = rate(fit(model, source, [average] if average else [])[ready:], source.batch)
        found[name] = {"clips_per_s": clips, "waiting": max(1 - clips / step["clips_per_s"], 0.0)}
    return found


def network(request: dict) -> dict:
    model = compiled(request)
    found = {"step": steps(request, model)}
    if "fit" in request["parts"]:
        found["fit"] = fits(request, model, found["step"])
    return found | {"backend": keras.backend.backend(), "keras": keras.__version__, "parameters": model.count_params()}


if __name__ == "__main__":
    asked = json.loads(sys.stdin.readline())
    print(json.dumps({"generator": generators, "network": network}[asked["part"]](asked)))
