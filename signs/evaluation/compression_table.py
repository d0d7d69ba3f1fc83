"""What each step of a compression costs and saves: a row a model, as in Table 3 of Mullick & Namboodiri (ICIP 2017).

    measured = measure(model, folder, source, failed)     predictions, counts, time; what is measured already is read
    rows.append(row_of("threshold", "float16", measured, teacher))
    write_ledger(rows, output, about)                     ledger.csv and ledger.md

    with stopwatch() as measure:                          milliseconds a clip on one core
        milliseconds, runtime = measure("model/small/dense")

Threads of a backend are made once and then stay, so what is timed is timed in a new process that has one core. It
serves any number of bundles: starting TensorFlow takes longer than timing. What is timed: docs/compact.md.
"""

import contextlib
import json
import multiprocessing
import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass, fields
from pathlib import Path

from signs import child_process, command
from signs.clips import dataset
from signs.clips.dataset import Clip, Dataset
from signs.command import Problem
from signs.evaluation import calibration, scores
from signs.evaluation.scores import Difference
from signs.inference import confidence
from signs.inference.bundle import bundle_size, load_bundle, load_keras
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser
from signs.inference.runtime import KERAS

import numpy as np

FILE = "measured.json"
SPLIT = "valid"  # whose people decide and calibrate
GIVEN = ("teacher", "model")  # steps that are only compared with
HEADS = ("model", "M weights", "not zero", "MB", "accuracy", "ms", "agrees")
WARM_UP, LEAST, MOST, ENOUGH = 3, 9, 99, 2.0  # calls not counted; counted at least, at most; seconds that suffice
NUMBERS = ("parameters", "ms", "runtime", "nonzero")  # of a model, in FILE
THREADS = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")


@dataclass(frozen=True)
class Row:
    """One model: how it was made, weights in all and those that are not zero, bytes of every file that prediction
    needs, accuracy with its interval, milliseconds a clip on one core, share of answers that are the teacher's (of the
    given model, where there is none)."""

    step: str
    precision: str
    parameters: int
    nonzero: int
    bytes: int
    accuracy: float
    low: float
    high: float
    ms: float
    agreement: float

    @property
    def name(self) -> str:
        """Of its folder."""
        return self.step if self.precision in ("", "float32") else f"{self.step}-{self.precision}"


@dataclass(frozen=True)
class Measured:
    """What was found of a bundle: its predictions, fused as it says, and what FILE holds."""

    predictions: Predictions
    bytes: int
    parameters: int
    nonzero: int
    ms: float
    runtime: str

    @property
    def answers(self) -> dict[str, str]:
        """{clip: label} of the labelled clips."""
        best = self.predictions.streams[self.predictions.fused].argmax(axis=1)
        answers = zip(self.predictions.clips, best, strict=True)
        return {item.clip: self.predictions.labels[index] for item, index in answers if item.label}

    @property
    def over(self) -> str:
        """What the numbers are of: `64 clips by 13 signers`."""
        drawn = scores.draw_bootstrap(self.predictions.signers)
        return command.counted(len(drawn.owner), "clip") + (
            f" by {drawn.groups} signers" if drawn.over == "signers" else ""
        )


@dataclass(frozen=True)
class Source:
    """What models are measured on: validation clips of a data set, and a `stopwatch`."""

    data: Dataset
    clips: list[Clip]
    stopwatch: Callable[[Path], tuple[float, str]]
    batch: int
    workers: int


def measure(model: Path, folder: Path, source: Source, failed: dict[str, str]) -> Measured:
    """Predictions, counts and time of a bundle, kept in `folder`; clips that could not be read go to `failed`.

    A bundle that lies in `folder` itself is calibrated on the clips first, as evaluate.py does.
    """
    bundle, path = load_bundle(model), Predictions.path(folder, SPLIT)
    if (content := _numbers_of(folder, bundle.hashes)) and path.is_file():
        with contextlib.suppress(Problem):  # not whole: once more
            return Measured(Predictions.read(path, SPLIT), bundle_size(bundle), **content)
    from signs.inference import stored_clips

    recogniser = Recogniser.load(model, KERAS)
    predictions, unread = stored_clips.predict(recogniser, source.data, source.clips, source.batch, source.workers)
    failed.update(unread)
    if model == folder:
        learnt = calibration.learn_calibration(predictions, bundle.classes, confidence.FALSE_ALARMS, bundle.hashes)
        learnt.write(folder)
        predictions = predictions.with_fused(learnt.weights)
    predictions.write(path)
    weights = [np.asarray(array) for network in recogniser.models.values() for array in network.weights]
    parameters, nonzero = (sum(int(count(array)) for array in weights) for count in (np.size, np.count_nonzero))
    ms, runtime = source.stopwatch(model)
    content = {"parameters": parameters, "ms": round(ms, 2), "runtime": runtime, "nonzero": nonzero}
    command.write_text(folder / FILE, json.dumps({"model": bundle.hashes, **content}) + "\n")
    return Measured(predictions, bundle_size(bundle), **content)


def _numbers_of(folder: Path, model: dict[str, str]) -> dict | None:
    """What FILE says of the weights `model`; None where it is not there, not whole, or of others."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    if not isinstance(content, dict) or content.keys() != {"model", *NUMBERS} or content.pop("model") != model:
        return None
    return content


def agreement(one: Measured, other: Measured) -> float:
    """Share of the clips that both name alike."""
    ours, theirs = one.answers, other.answers
    return float(np.mean([ours[clip] == theirs[clip] for clip in ours if clip in theirs]))


def difference(one: Measured, other: Measured) -> Difference:
    """How much more often `one` is right, on the clips that both have."""
    ours, theirs = one.answers, other.answers
    clips = [item for item in one.predictions.clips if item.clip in ours and item.clip in theirs]
    right = [np.array([answers[item.clip] == item.label for item in clips]) for answers in (ours, theirs)]
    return scores.difference(*right, scores.draw_bootstrap([item.signer for item in clips]))


def row_of(step: str, precision: str, measured: Measured, teacher: Measured) -> Row:
    hits = measured.predictions.hits(measured.predictions.fused)
    right = scores.share(hits, scores.draw_bootstrap(measured.predictions.signers))
    size, accuracy = (measured.parameters, measured.nonzero, measured.bytes), (right.value, right.low, right.high)
    return Row(step, precision, *size, *accuracy, measured.ms, agreement(measured, teacher))


def choose_row(rows: list[Row], budget: int | None) -> Row:
    """The most accurate of at most `budget` bytes, of equal ones the smallest; raises Problem where there is none."""
    made = [row for row in rows if row.step not in GIVEN]
    fitting = [row for row in made if budget is None or row.bytes <= budget]
    if not fitting:
        least = min(made, key=lambda row: row.bytes)
        smallest = f"the smallest found is {least.name} with {least.bytes:,} bytes"
        raise Problem(f"--budget {budget:,} bytes: {smallest}; allow as many, or ask for more --sparsity")
    return max(fitting, key=lambda row: (row.accuracy, -row.bytes))


def _cells(row: Row) -> list[str]:
    millions = [f"{count / 1e6:.3f}" for count in (row.parameters, row.nonzero, row.bytes)]
    accuracy = f"{100 * row.accuracy:.1f} {100 * row.low:.0f}-{100 * row.high:.0f}"
    return [row.name, *millions, accuracy, f"{row.ms:.1f}", f"{row.agreement:.1%}"]


def write_ledger(rows: list[Row], folder: Path, about: str, chosen: Row | None = None) -> None:
    """ledger.csv with every digit, ledger.md to be read; the chosen row is in bold there."""
    columns = [column.name for column in fields(Row)]
    dataset.write_table(folder / "ledger.csv", [asdict(row) for row in rows], columns)
    lines = ["| " + " | ".join(HEADS) + " |", "|---|" + "---:|" * (len(HEADS) - 1)]
    for row in rows:
        mark = "**" if row is chosen else ""
        lines.append("| " + " | ".join(f"{mark}{cell}{mark}" for cell in _cells(row)) + " |")
    command.write_text(folder / "ledger.md", "\n".join([*lines, "", about]) + "\n")


def print_ledger(rows: list[Row], about: str, chosen: Row) -> None:
    """The table on the console, the chosen row in bold; `about` says what the numbers are."""
    command.print_table(HEADS, [_cells(row) for row in rows], about, bold=[rows.index(chosen)])


def _one_core() -> None:
    child_process.watch_pool()
    os.environ.update(dict.fromkeys(THREADS, "1"))
    if hasattr(os, "sched_setaffinity"):  # threads that start later inherit it
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})


def _time_bundle(folder: Path) -> tuple[float, str]:
    load_keras()
    import keras

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

        def measure(folder: Path) -> tuple[float, str]:
            try:
                return pool.submit(_time_bundle, folder).result()
            except BrokenProcessPool:
                why = "the process that times it was killed, by hand or for want of memory"
                raise Problem(f"{folder}: {why}; run the same command again, it goes on from here") from None

        yield measure
