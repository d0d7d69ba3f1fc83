"""Probabilities of clips, by stream: what evaluate.py leaves and paper_report.py reads.

model/<run>/predictions-<split>.csv    clip, signer, label, stream (rgb, flow, both), p_<label> a class

The fused answer is `both` of RGB and flow, and `all` of any other streams.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip
from signs.clips.modality import TABLE
from signs.command import Problem
from signs.console import read_cell, shown_cell

import numpy as np
from scipy.special import softmax

BOTH, ALL = "both", "all"  # the fused prediction beside the streams' own: of RGB and flow, of any others
FUSED = (BOTH, ALL)
GIVEN = "given"  # the stream of probabilities that are somebody else's
TITLES = {name: modality.title for name, modality in TABLE.items()} | {BOTH: "RGB + flow", ALL: "all joined"}
# What people call what a stream sees, in full; the paper's tables have TITLES.
WORDS = {
    "rgb": "colour pictures",
    "flow": "movement (optical flow)",
    "grey": "grey pictures",
    "depth": "depth pictures",
    "grey-depth": "grey and depth pictures",
    "upper": "upper body, grey and depth",
    "hand": "higher hand, grey and depth",
    "landmark": "points of body and hands",
}
NETWORK_WORDS = {
    "i3d": "I3D network",
    "frames": "single frames",
    "cnn-lstm": "CNN and LSTM",
    "conv3d": "3D convolutions",
    "conv2d-lstm": "2D convolutions and LSTM",
    "conv3d-lstm": "3D convolutions and LSTM",
    "histogram": "histograms",
    "landmark": "network on points",
}
SHORT = {"flow": "movement"}  # in the title of what is fused; the others have their words
COLUMNS = ["clip", "signer", "label", "stream"]
LEAST = 1e-300  # probability of a class that a network knows: 0 is that of one that it does not know


def fuse(streams: dict[str, np.ndarray], weights: dict[str, float] | None = None) -> np.ndarray:
    """(..., classes) the mean of the streams' probabilities, plain (Sarhan & Frintrop 2020) unless weights are given.

    A class to which a stream gives exactly 0 is one that it does not know, as `probabilities_of` has it: what is no
    sign. How likely that is the others alone say; which of the other classes it is, if it is none of these, all say.
    """
    rows = np.stack(list(streams.values()))
    shares = np.array([weights[name] for name in streams] if weights else np.ones(len(rows)))
    known = rows.any(axis=tuple(range(1, rows.ndim - 1)))  # (streams, classes)
    if known.all() or not known.any(axis=0).all():
        return np.average(rows, axis=0, weights=shares)
    by_all = known.all(axis=0)
    votes = (known * shares[:, None])[:, ~by_all]
    fused = np.empty(rows.shape[1:])
    fused[..., ~by_all] = np.einsum("s...c,sc->...c", rows[..., ~by_all], votes / votes.sum(axis=0))
    among = rows[..., by_all] / np.maximum(rows[..., by_all].sum(axis=-1, keepdims=True), 1e-300)
    rest = 1 - fused[..., ~by_all].sum(axis=-1, keepdims=True)
    fused[..., by_all] = rest * np.average(among, axis=0, weights=shares)
    return fused


def probabilities_of(logits: np.ndarray, classes: int) -> np.ndarray:
    """(..., M) logits -> (..., classes) float64 probabilities of M classes; 0 of those after them, which the network
    does not know."""
    known = np.maximum(softmax(np.float64(logits), axis=-1), LEAST)
    return np.pad(known, [(0, 0)] * (known.ndim - 1) + [(0, classes - known.shape[-1])])


def fused_name(streams: Iterable[str]) -> str:
    """What the fused prediction of these streams, its own name not among them, is called."""
    return BOTH if set(streams) == {"rgb", "flow"} else ALL


def modality_of(stream: str) -> str:
    """The modality that a stream's name begins with, "" where there is none: ensemble.py calls a second stream on `rgb`
    after its network, `rgb-histogram`."""
    return max(("", *(name for name in TITLES if stream == name or stream.startswith(f"{name}-"))), key=len)


def titles(streams: Iterable[str]) -> dict[str, str]:
    """{stream: its name for people}, in the modalities' order; the fused prediction, last, names what is fused."""
    order = list(TITLES)
    modalities = {name: modality_of(name) for name in streams if name not in FUSED and modality_of(name)}
    alone = sorted(modalities, key=lambda name: (order.index(modalities[name]), name))
    networks = {name: network_words(name.removeprefix(modalities[name]).removeprefix("-")) for name in alone}
    together = " + ".join(SHORT.get(modalities[name], WORDS[modalities[name]]) + networks[name] for name in alone)
    if len(alone) > 3:
        together = f"all {len(alone)} together"
    named = {name: WORDS[modalities[name]] + networks[name] for name in alone}
    given = {GIVEN: "probabilities as given"} if GIVEN in streams else {}
    return given | named | {name: together for name in FUSED if name in streams}


def network_words(ending: str) -> str:
    """What ensemble.py puts behind a stream's modality, in words: `histogram-body` -> `, histograms, body`."""
    network = max(("", *(name for name in NETWORK_WORDS if ending == name or ending.startswith(f"{name}-"))), key=len)
    more = ending.removeprefix(network).strip("-").replace("-", " ")
    return "".join(f", {words}" for words in (NETWORK_WORDS.get(network), more) if words)


def in_top(probabilities: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """(N, classes), (N,) -> (N,) bool: the true class is among the k most probable; of equal ones the first count."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return np.any(best == truth[:, None], axis=1)


def count_answers(truth: np.ndarray, answers: np.ndarray, classes: int) -> np.ndarray:
    """(N,) and (N,) class index -> (classes, classes) counts, true class by row: the confusion matrix."""
    return np.bincount(classes * truth + answers, minlength=classes**2).reshape(classes, classes)


def write_counts(path: Path, counts: np.ndarray, labels: Sequence[str]) -> None:
    """(classes, classes) counts, true class by row, as a table."""
    import pandas  # here, so that --help does not wait for it

    shown = [shown_cell(label) for label in labels]
    with command.atomic(path) as temporary:
        pandas.DataFrame(counts, shown, shown).to_csv(temporary, index_label="true", lineterminator="\n")


@dataclass(frozen=True)
class Pair:
    """Two classes, by index, that are mistaken for each other, `true` for `taken` at least as often as the reverse.

    count, back: clips of `true` taken for `taken`, and of `taken` for `true`; clips, back_clips: all clips of each.
    """

    true: int
    taken: int
    count: int
    clips: int
    back: int
    back_clips: int


@dataclass
class Predictions:
    """{stream: (N, classes) float64 probabilities} of `clips`, in their order; the streams' mean is one of them."""

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
        """Signers of the scored clips, in their order; empty where nobody knows."""
        return [item.signer for item in self.clips if item.label]

    @property
    def fused(self) -> str:
        """The stream that answers: all together, or the only one."""
        return next((name for name in FUSED if name in self.streams), next(iter(self.streams)))

    def with_fused(self, weights: dict[str, float]) -> "Predictions":
        """The same with the fused prediction, anew, beside the streams', where there are several."""
        streams = {name: rows for name, rows in self.streams.items() if name not in FUSED}
        if len(streams) > 1:
            streams[fused_name(streams)] = fuse(streams, weights)
        return Predictions(self.clips, self.labels, streams)

    def of_clips(self, kept: np.ndarray) -> "Predictions":
        """Those of the clips that are kept, (N,) bool."""
        clips = [item for item, chosen in zip(self.clips, kept, strict=True) if chosen]
        return Predictions(clips, self.labels, {name: rows[kept] for name, rows in self.streams.items()})

    def hits(self, stream: str, k: int = 1) -> np.ndarray:
        """(scored,) bool: the true class is among the k most probable; of equal ones the first count."""
        return in_top(self.streams[stream][self.scored], self.truth, k)

    def top(self, stream: str, k: int) -> float:
        """Share of the scored clips whose true class is among the k most probable."""
        return float(np.mean(self.hits(stream, k)))

    def confusion(self, stream: str) -> np.ndarray:
        """(classes, classes) counts, true class by row."""
        return count_answers(self.truth, self.streams[stream][self.scored].argmax(axis=1), len(self.labels))

    def confused(self, stream: str, most: int) -> list[Pair]:
        """At most so many pairs of classes that are mistaken for each other, worst first, both ways counted.

        Of equal counts the pair with fewer clips comes first, then the one that stands first in the class table.
        """
        counts = self.confusion(stream)
        clips = counts.sum(axis=1)
        pairs = []
        for first, second in zip(*np.nonzero(np.triu(counts + counts.T, 1)), strict=True):
            true, taken = (first, second) if counts[first, second] >= counts[second, first] else (second, first)
            numbers = true, taken, counts[true, taken], clips[true], counts[taken, true], clips[taken]
            pairs.append(Pair(*map(int, numbers)))
        return sorted(pairs, key=lambda pair: (-pair.count - pair.back, pair.clips + pair.back_clips))[:most]

    def example(self, stream: str, true: int, taken: int) -> Clip | None:
        """The clip of class `true` that is taken for `taken` with the highest probability; None where there is none."""
        scores = self.streams[stream][self.scored]
        chosen = np.flatnonzero((self.truth == true) & (scores.argmax(axis=1) == taken))
        if not len(chosen):
            return None
        return [item for item in self.clips if item.label][chosen[scores[chosen, taken].argmax()]]

    @staticmethod
    def path(run: Path, split: str) -> Path:
        return run / f"predictions-{split}.csv"

    def write(self, path: Path) -> None:
        """A row per clip and stream: clip, signer, label, stream, then a probability a class. No spreadsheet takes a
        cell for a formula."""
        import pandas

        texts = [tuple(map(shown_cell, (item.clip, item.signer, item.label))) for item in self.clips]
        about = [(*row, stream) for row in texts for stream in self.streams]
        shares = np.stack(list(self.streams.values()), axis=1).reshape(len(about), len(self.labels))
        table = pandas.DataFrame(shares, columns=[f"p_{label}" for label in self.labels])
        table = pandas.concat([pandas.DataFrame(about, columns=COLUMNS), table], axis=1)
        with command.atomic(path) as temporary:
            table.to_csv(temporary, index=False, float_format="%.9g", na_rep="nan", lineterminator="\n")

    @classmethod
    def read(cls, path: Path, split: str) -> "Predictions":
        """The table that `write` wrote; raises Problem where it is missing or not whole."""
        import pandas

        again = f"run evaluate.py --data ... --model {path.parent} --split {split}"
        try:
            # Labels and names such as 001 and NA stay text.
            table = pandas.read_csv(path, dtype=dict.fromkeys(COLUMNS, str), na_filter=False)
            shares = table.iloc[:, len(COLUMNS) :].to_numpy(float)
        except FileNotFoundError:
            raise Problem(f"{path}: no such file; {again} first") from None
        except ValueError:  # what pandas raises is of this kind too
            raise Problem(f"{path}: damaged; {again} again") from None
        header = list(table.columns)
        parts = dict(list(table.groupby("stream", sort=False))) if header[: len(COLUMNS)] == COLUMNS else {}
        names = [part["clip"].tolist() for part in parts.values()]
        if not names or any(others != names[0] for others in names):
            raise Problem(f"{path}: rows or columns are missing; {again} again")
        first = next(iter(parts.values()))
        texts = zip(*(map(read_cell, first[name]) for name in ("clip", "label", "signer")), strict=True)
        clips = [Clip(clip, split, label, signer) for clip, label, signer in texts]
        labels = [name.removeprefix("p_") for name in header[len(COLUMNS) :]]
        return cls(clips, labels, {stream: shares[part.index] for stream, part in parts.items()})
