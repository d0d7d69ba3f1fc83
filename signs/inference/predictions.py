"""Probabilities of clips, by stream: what evaluate.py leaves and paper_report.py reads.

model/<run>/predictions-<split>.csv    clip, signer, label, stream (rgb, flow, both), p_<label> a class
"""

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from signs.clips import dataset
from signs.clips.dataset import Clip
from signs.command import Problem

import numpy as np

BOTH = "both"  # the name of the fused prediction beside the streams' own
TITLES = {
    "rgb": "RGB",
    "flow": "optical flow",
    "grey": "grey",
    "depth": "depth",
    "grey-depth": "grey and depth",
    "upper": "upper body",
    "hand": "hand",
    BOTH: "RGB + flow",
}
COLUMNS = ["clip", "signer", "label", "stream"]


def fuse(streams: dict[str, np.ndarray], weights: dict[str, float] | None = None) -> np.ndarray:
    """The mean of the streams' probabilities, plain (Sarhan & Frintrop 2020) unless weights are given."""
    return np.average(list(streams.values()), axis=0, weights=[weights[name] for name in streams] if weights else None)


def modality_of(stream: str) -> str:
    """What a stream's name begins with, "" where it is none's. ensemble.py calls a second one on `rgb` after its
    network, `rgb-histogram`."""
    return max(("", *(name for name in TITLES if stream == name or stream.startswith(f"{name}-"))), key=len)


def titles(streams: Iterable[str]) -> dict[str, str]:
    """{stream: its name for people}, of those among `streams`; the fused prediction is called after what is fused."""
    order = list(TITLES)
    alone = sorted(
        (name for name in set(streams) - {BOTH} if modality_of(name)),
        key=lambda name: (order.index(modality_of(name)), name),
    )
    networks = {name: name.removeprefix(modality_of(name)).replace("-", " ") for name in alone}
    together = " + ".join({"rgb": "RGB"}.get(modality_of(name), modality_of(name)) + networks[name] for name in alone)
    if len(alone) > 3:
        together = f"mean of all {len(alone)}"
    found = {name: TITLES[modality_of(name)] + networks[name] for name in alone}
    return found | ({BOTH: together} if BOTH in streams else {})


def in_top(probabilities: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """(N, classes), (N,) -> (N,) bool: the true class is among the k most probable; of equal ones the first count."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return np.any(best == truth[:, None], axis=1)


def write_counts(path: Path, counts: np.ndarray, labels: Sequence[str]) -> None:
    """(classes, classes) counts, true class by row, as a table."""
    rows = [{"true": label, **dict(zip(labels, row, strict=True))} for label, row in zip(labels, counts, strict=True)]
    dataset.write_table(path, rows, ["true", *labels])


@dataclass(frozen=True)
class Pair:
    """Two classes, by index, that are mistaken for each other; `true` is taken for `taken` more often than the reverse.

    count, back: clips of `true` taken for `taken`, and of `taken` for `true`; clips, back_clips: all that each has.
    """

    true: int
    taken: int
    count: int
    clips: int
    back: int
    back_clips: int


@dataclass
class Predictions:
    """Of `clips`, in their order: {stream: (N, classes) float64 probabilities}, the mean of the streams included."""

    clips: list[Clip]
    labels: list[str]
    streams: dict[str, np.ndarray]

    @property
    def scored(self) -> np.ndarray:
        """(N,) bool: clips whose label is known."""
        return np.array([bool(item.label) for item in self.clips])

    @property
    def truth(self) -> np.ndarray:
        """(scored,) class index."""
        index = {label: position for position, label in enumerate(self.labels)}
        return np.array([index[item.label] for item in self.clips if item.label], int)

    @property
    def signers(self) -> list[str]:
        """Of the scored clips, in their order; empty where nobody knows."""
        return [item.signer for item in self.clips if item.label]

    @property
    def fused(self) -> str:
        """The stream that answers: both together, or the only one."""
        return BOTH if BOTH in self.streams else next(iter(self.streams))

    def hits(self, stream: str, k: int = 1) -> np.ndarray:
        """(scored,) bool: the true class is among the k most probable; of equal ones the first count."""
        return in_top(self.streams[stream][self.scored], self.truth, k)

    def top(self, stream: str, k: int) -> float:
        """Share of the scored clips whose true class is among the k most probable."""
        return float(np.mean(self.hits(stream, k)))

    def confusion(self, stream: str) -> np.ndarray:
        """(classes, classes) counts, true class by row."""
        counts = np.zeros((len(self.labels),) * 2, int)
        np.add.at(counts, (self.truth, self.streams[stream][self.scored].argmax(axis=1)), 1)
        return counts

    def confused(self, stream: str, most: int) -> list[Pair]:
        """The pairs of classes mistaken for each other most often, both ways counted; at most so many, worst first.

        Of equal counts the pair with fewer clips comes first, then the one that stands first in the class table.
        """
        counts = self.confusion(stream)
        clips = counts.sum(axis=1)
        pairs = []
        for one, other in zip(*np.nonzero(np.triu(counts + counts.T, 1)), strict=True):
            true, taken = (one, other) if counts[one, other] >= counts[other, one] else (other, one)
            numbers = true, taken, counts[true, taken], clips[true], counts[taken, true], clips[taken]
            pairs.append(Pair(*(int(number) for number in numbers)))
        return sorted(pairs, key=lambda pair: (-pair.count - pair.back, pair.clips + pair.back_clips))[:most]

    def example(self, stream: str, true: int, taken: int) -> Clip | None:
        """The clip of class `true` that is most certainly taken for `taken`; None where none is."""
        scores = self.streams[stream][self.scored]
        chosen = np.flatnonzero((self.truth == true) & (scores.argmax(axis=1) == taken))
        if not len(chosen):
            return None
        return [item for item in self.clips if item.label][chosen[scores[chosen, taken].argmax()]]

    @staticmethod
    def path(run: Path, split: str) -> Path:
        return run / f"predictions-{split}.csv"

    def write(self, path: Path) -> None:
        """A row per clip and stream: clip, signer, label, stream, then a probability a class."""
        rows = (
            {
                "clip": item.clip,
                "signer": item.signer,
                "label": item.label,
                "stream": stream,
                **{f"p_{label}": f"{value:.9g}" for label, value in zip(self.labels, row, strict=True)},
            }
            for position, item in enumerate(self.clips)
            for stream, probabilities in self.streams.items()
            for row in [probabilities[position]]
        )
        dataset.write_table(path, rows, [*COLUMNS, *(f"p_{label}" for label in self.labels)])

    @classmethod
    def read(cls, path: Path, split: str) -> "Predictions":
        """The table that `write` wrote; raises Problem where it is missing or not whole."""
        again = f"run evaluate.py --data ... --model {path.parent} --split {split}"
        clips, streams = {}, {}
        try:
            with open(path, newline="", encoding="utf-8") as file:
                lines = csv.reader(file)
                header = next(lines, [])
                for name, signer, label, stream, *values in lines:
                    clips[name] = Clip(name, split, label, signer)
                    streams.setdefault(stream, {})[name] = np.array(values, float)
        except FileNotFoundError:
            raise Problem(f"{path}: no such file; {again} first") from None
        except (ValueError, csv.Error):
            raise Problem(f"{path}: damaged; {again} again") from None
        labels = [name.removeprefix("p_") for name in header[len(COLUMNS) :]]
        if (
            header[: len(COLUMNS)] != COLUMNS
            or not clips
            or any(
                rows.keys() != clips.keys() or {len(row) for row in rows.values()} != {len(labels)}
                for rows in streams.values()
            )
        ):
            raise Problem(f"{path}: rows or columns are missing; {again} again")
        order = {stream: np.stack([rows[name] for name in clips]) for stream, rows in streams.items()}
        return cls(list(clips.values()), labels, order)
