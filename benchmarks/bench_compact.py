"""Answers a second in continuous mode of the 3D-CNN + LSTM that goes on from frame to frame, on one core.

    python benchmarks/bench_compact.py [--size small medium joined] [--repeat 5]

Random weights, which change no time; RGB of 64x64, groups of four frames, 20 classes. An answer after each frame, for
the last five seconds at 30 frames a second. Measured, medians over --repeat rounds of --answers answers:

* the network's step alone, with OpenVINO and with Keras;
* all that the live demo does for an answer: a picture of 640x480 resized, coded as stored and cut, the step, softmax;
* beside it the whole window anew for each answer, as networks do that do not go on.

One core is the process's affinity and OpenVINO's number of threads. The last line is JSON.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from signs.clips.dataset import Label
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.inference import convert, runtime
from signs.inference.bundle import Bundle, Stream, load_keras, quiet_stderr
from signs.inference.recogniser import Recogniser
from signs.inference.runtime import KerasNetwork
from signs.inference.timing import Timings
from signs.live.sliding_window import SlidingWindow

SIDE, CLASSES, RATE, SECONDS = 64, 20, 30, 5.0
PICTURE = (480, 640)  # of the camera
GOAL = 30  # answers a second
SIZES = ("small", "medium", "joined")
ROWS = {
    "step": "step alone, OpenVINO",
    "keras": "step alone, Keras",
    "demo": "picture, step and answer, OpenVINO",
    "window": "whole window anew, OpenVINO",
}


def a_second(answer: Callable[[int], object], count: int, repeat: int) -> float:
    """Answers a second, median over the rounds; the first one, in which everything is prepared, does not count."""
    found = []
    for _ in range(repeat + 1):
        started = time.perf_counter()
        for number in range(count):
            answer(number)
        found.append(count / (time.perf_counter() - started))
    return statistics.median(found[1:])


def stepping(network, frames: np.ndarray) -> Callable[[int], object]:
    network.reset(round(RATE * SECONDS))

    def answer(number: int):
        network.push(frames[number % len(frames), None])
        return network.answer()

    return answer


def demonstrating(stream: Stream, network) -> Callable[[int], object]:
    """From the camera's picture to the ranked labels."""
    seen = InputSpec(RATE, 72, SIDE, sampling="whole")
    spec = ClipSpec(StoredSpec(f"{RATE}fps", 72), seen)
    classes = [Label(f"{number:03d}", f"sign {number}") for number in range(CLASSES)]
    recogniser = Recogniser(Bundle(Path(), spec, classes, [stream], "mean", {}), {stream.name: network})
    window, moment = SlidingWindow(spec.stored, (), SECONDS), iter(range(1 << 30))
    following = recogniser.following(window.size)
    pictures = np.random.default_rng(0).integers(0, 255, (8, *PICTURE, 3), np.uint8)

    def answer(number: int):
        window.push(pictures[number % len(pictures)], next(moment) / RATE)
        return following.push(window.fresh(), Timings())

    return answer


def measure(size: str, count: int, repeat: int) -> dict[str, float]:
    """Answers a second by row of the table."""
    arguments = {"input_shape": [None, SIDE, SIDE, 3], "classes": CLASSES, "size": size}
    stream = Stream("rgb", "rgb", "conv3d-lstm", arguments, {"weights": "rgb.weights.h5"})
    frames = np.random.default_rng(0).uniform(-1, 1, (round(RATE * SECONDS), SIDE, SIDE, 3)).astype(np.float32)
    with tempfile.TemporaryDirectory() as name:
        folder, networks = Path(name), {}
        with quiet_stderr():
            model = runtime.build_network(stream)
            model.save_weights(folder / stream.files["weights"])
            keras = KerasNetwork.load(stream, folder / stream.files["weights"])
            for form in ("stream", "openvino"):
                convert.write_network(model, form, folder, stream)
                path = folder / f"rgb{runtime.FORMS[form].suffix}"
                networks[form] = runtime.open_form(runtime.FORMS[form], path, arguments["input_shape"], threads=1)
        return {
            "step": a_second(stepping(networks["stream"], frames), count, repeat),
            "keras": a_second(stepping(keras, frames), count, repeat),
            "demo": a_second(demonstrating(stream, networks["stream"]), count, repeat),
            "window": a_second(lambda _: networks["openvino"].logits(frames[None]), max(1, count // 20), repeat),
        }


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--size", nargs="+", choices=SIZES, default=SIZES)
    flags.add_argument("--answers", type=int, default=100, metavar="N", help="of a round")
    flags.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds")
    args = flags.parse_args(argv)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    load_keras()
    found = {size: measure(size, args.answers, args.repeat) for size in args.size}
    table = Table("answers a second, one core", *found, title=f"goal: {GOAL}")
    for key, text in ROWS.items():
        table.add_row(text, *(f"{row[key]:.1f}" for row in found.values()))
    Console(width=110).print(table)
    print(json.dumps({size: {key: round(value, 2) for key, value in row.items()} for size, row in found.items()}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
