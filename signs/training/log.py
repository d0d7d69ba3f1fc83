"""What a training leaves of every epoch beside the weights, for paper_report.py and for going on after a stop.

    model/<run>/log.csv               a row per stream and epoch
    model/<run>/valid/rgb-0007.npz    what the stream made of the validation clips after that epoch: `clips` (N,),
                                      `targets` (N,) class index, `probabilities` (N, classes) float32

The second is there because the mean of two streams cannot be had from their accuracies. With ChaLearn's 5,784 clips and
249 classes it takes 6.5 MB an epoch and stream; it may be deleted once there is a report.
"""

import math
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.command import Problem
from signs.inference import predictions

import numpy as np

HEADER = ("stream", "phase", "epoch", "learning_rate", "loss", "accuracy", "val_loss", "val_accuracy", "seconds")
FOLDER = "valid"
DIGITS = "{:.6g}"  # of a measured number in the log


class Log:
    """log.csv of a run: the rows of all its streams, as text. Two streams may be trained, and write to it, at once."""

    def __init__(self, path: Path):
        self.path = path

    @property
    def rows(self) -> list[dict[str, str]]:
        """All rows, in the order of the file; none before the first epoch."""
        return dataset.read_table(self.path, HEADER) if self.path.exists() else []

    def rows_of(self, stream: str) -> list[dict]:
        return [row for row in self.rows if row["stream"] == stream]

    def best(self, stream: str) -> dict:
        """The row of the epoch whose weights are kept: the lowest validation loss."""
        return min(self.rows_of(stream), key=valid_loss)

    def fine_tuning(self, stream: str) -> float | None:
        """Between which epochs everything began to be trained: 3.5 after three of the top; None where it did not."""
        phases = [row["phase"] for row in self.rows_of(stream)]
        top = phases.count("top")
        return top + 0.5 if 0 < top < len(phases) else None

    def cut(self, stream: str, epochs: int) -> None:
        """Forget what was logged of a stream after that many epochs: the checkpoint does not have it."""
        with command.lock(self.path.parent, "log", wait=True):
            command.remove_leftovers(self.path.parent, "log", deep=False)
            self._write([row for row in self.rows if row["stream"] != stream or int(row["epoch"]) <= epochs])
        for path in (self.path.parent / FOLDER).glob("*.npz"):
            of_stream = re.fullmatch(rf"{re.escape(stream)}-(\d+)", path.stem)  # not `grey-depth` for `grey`
            if of_stream and int(of_stream[1]) > epochs:
                path.unlink()

    def add(self, row: dict) -> None:
        """Append a row; columns of HEADER that it lacks stay empty."""
        with command.lock(self.path.parent, "log", wait=True):
            self._write([*self.rows, {name: str(row.get(name, "")) for name in HEADER}])

    def _write(self, rows: list[dict]) -> None:
        dataset.write_table(self.path, rows, HEADER)


def valid_loss(row: dict) -> float:
    """Of an epoch; infinite where it was no number, which an earlier version went on after."""
    loss = float(row["val_loss"])
    return loss if math.isfinite(loss) else math.inf


def logged(value: float) -> float:
    """The value as the log has it."""
    return float(DIGITS.format(value))


def valid_words(measured: dict) -> str:
    """The end of a line for people: loss and accuracy on the validation clips, where there are any."""
    if "val_loss" not in measured:
        return ""
    return f"  valid loss {measured['val_loss']:.3f}  valid accuracy {measured['val_accuracy']:6.1%}"


@dataclass(frozen=True)
class Validated:
    """What one stream made of the validation clips after one epoch.

    clips: (N,) names; targets: (N,) class index; probabilities: (N, classes) float32.
    """

    clips: np.ndarray
    targets: np.ndarray
    probabilities: np.ndarray

    @staticmethod
    def path(run: Path, stream: str, epoch: int) -> Path:
        """`epoch` counts from 1, as in log.csv."""
        return run / FOLDER / f"{stream}-{epoch:04d}.npz"

    @property
    def accuracy(self) -> float:
        return float(np.mean(self.probabilities.argmax(axis=1) == self.targets))

    def write(self, run: Path, stream: str, epoch: int) -> None:
        with command.atomic(self.path(run, stream, epoch)) as temporary:
            np.savez(temporary, clips=self.clips, targets=self.targets, probabilities=self.probabilities)

    @classmethod
    def read(cls, run: Path, stream: str, epoch: int) -> "Validated":
        """Raises Problem where the file is missing or damaged."""
        path = cls.path(run, stream, epoch)
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(file["clips"], file["targets"], file["probabilities"])
        except FileNotFoundError:
            why = "missing, though log.csv has that epoch; train again for the mean of the streams by epoch"
            raise Problem(f"{path}: {why}") from None
        except (ValueError, KeyError, EOFError, zipfile.BadZipFile):
            raise Problem(f"{path}: damaged; get a whole copy of the run, or train again") from None


def mean_by_epoch(run: Path, streams: list[str]) -> list[float]:
    """Validation accuracy of the streams' averaged probabilities after each epoch, as far as the longest stream went.

    A stream that ended earlier goes on with its best epoch, which is what the model keeps of it.
    """
    log, accuracies = Log(run / "log.csv"), []
    ends = {stream: len(log.rows_of(stream)) for stream in streams}
    best = {stream: int(log.best(stream)["epoch"]) for stream in streams}
    for epoch in range(1, max(ends.values()) + 1):
        epochs = {stream: epoch if epoch <= ends[stream] else best[stream] for stream in streams}
        answers = {stream: Validated.read(run, stream, number) for stream, number in epochs.items()}
        first = answers[streams[0]]
        for stream, answer in answers.items():
            if not (np.array_equal(answer.clips, first.clips) and np.array_equal(answer.targets, first.targets)):
                why = f"{streams[0]} and {stream} were validated on different clips"
                raise Problem(f"{run / FOLDER}: {why}; the data set was changed in between, train again")
        mean = predictions.fuse(
            {stream: np.maximum(np.float64(row.probabilities), predictions.LEAST) for stream, row in answers.items()}
        )
        accuracies.append(Validated(first.clips, first.targets, mean).accuracy)
    return accuracies
