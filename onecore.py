"""How long the networks of a bundle take for a clip on one core, measured in a process that has no more.

    with onecore.stopwatch() as measure:
        milliseconds, runtime = measure("model/small/dense")

Threads of a backend are made once and then stay, so the process is a new one. It serves any number of bundles: starting
TensorFlow takes longer than timing. What is timed is Keras on what each stream sees of a clip, views included: from a
network's input to its logits, one clip at a time, after some calls that are not counted. It is processor time, which on
one core is the time that passes if nothing else runs there. Zeros among the weights save none, nor does a file in half
precision: both are float32 numbers like any other once they are loaded.
"""

import contextlib
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

WARM_UP, LEAST, MOST, ENOUGH = 3, 9, 99, 2.0  # calls not counted; counted at least, at most; seconds that suffice
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


def _one_core() -> None:
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if hasattr(os, "sched_setaffinity"):  # threads that start later inherit it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _measure(folder: Path) -> tuple[float, str]:
    import bundle

    bundle.load_keras()
    import keras
    import numpy as np

    from recogniser import Recogniser
    from runtime import KERAS

    keras.backend.clear_session()
    recogniser, inputs, rng = Recogniser.load(folder, KERAS), {}, np.random.default_rng(0)
    for stream in recogniser.bundle.streams:
        seen = recogniser.bundle.spec_of(stream).input
        frames, *picture = stream.arguments["input_shape"]
        inputs[stream.name] = rng.uniform(-1, 1, (seen.views, frames or seen.frames, *picture)).astype(np.float32)
    times = []
    while len(times) < WARM_UP + LEAST or (sum(times[WARM_UP:]) < ENOUGH and len(times) < WARM_UP + MOST):
        started = time.process_time()
        for stream in recogniser.bundle.streams:
            recogniser.logits(stream, inputs[stream.name])
        times.append(time.process_time() - started)
    return 1000 * statistics.median(times[WARM_UP:]), f"Keras {keras.__version__} on {keras.backend.backend()}"


@contextlib.contextmanager
def stopwatch() -> Iterator[Callable[[Path], tuple[float, str]]]:
    """A function: folder of a bundle -> (median milliseconds a clip, what ran it). It raises what loading raises."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context, initializer=_one_core) as pool:
        yield lambda folder: pool.submit(_measure, folder).result()
