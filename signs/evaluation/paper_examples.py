"""Which clips figure 4 of Sarhan & Frintrop (2020) shows: the same sign by different people and like signs told apart,
all of them rightly recognised, and signs that are mistaken for each other.

    Examples(predictions, names, read).people(2)      a row a pair of clips, as `paper_figures.write_figure4` draws it
"""

from collections.abc import Callable
from dataclasses import dataclass

from signs.clips.dataset import Clip
from signs.inference.predictions import Predictions

import numpy as np


@dataclass(frozen=True)
class Shown:
    """Two clips side by side: of each the sign's name, what there is to say, and its frames, (T, H, W, 3) uint8 RGB, or
    None where there is no clip that may be shown."""

    names: tuple[str, str]
    notes: tuple[str, str]
    frames: tuple[np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class Examples:
    """The clips of one split.

    stream: whose answers count; names: of the classes, in their order; read: a clip -> its frames, None where it may
    not be shown.
    """

    predictions: Predictions
    stream: str
    names: list[str]
    read: Callable[[Clip], np.ndarray | None]

    def people(self, most: int) -> list[Shown]:
        """At most so many signs, each by two people: those that the most people are recognised with come first, of as
        many people those with the surest answers. None where signers are not known."""
        surest = self._surest_by_signer()
        signs = sorted(surest, key=lambda true: (-len(surest[true]), -surest[true][1][0], true))
        return [self._same_sign(true, surest[true]) for true in signs[:most]]

    def _surest_by_signer(self) -> dict[int, list[tuple[float, Clip]]]:
        """{class: (probability, clip) of the surest right answer of each signer, surest first}, of two signers or
        more."""
        scores, best = self.predictions.streams[self.stream][self.predictions.scored], {}
        clips = [item for item in self.predictions.clips if item.label]
        for item, true, row in zip(clips, self.predictions.truth, scores, strict=True):
            if item.signer and row.argmax() == true:
                signers = best.setdefault(int(true), {})
                if item.signer not in signers or row[true] > signers[item.signer][0]:
                    signers[item.signer] = float(row[true]), item
        found = {
            true: sorted(signers.values(), key=lambda one: (-one[0], one[1].clip)) for true, signers in best.items()
        }
        return {true: signers for true, signers in found.items() if len(signers) > 1}

    def _same_sign(self, true: int, signers: list[tuple[float, Clip]]) -> Shown:
        notes = tuple(f"by {item.signer}, probability {share:.0%}" for share, item in signers[:2])
        return Shown((self.names[true], self.names[true]), notes, tuple(self.read(item) for _, item in signers[:2]))

    def apart(self, most: int) -> list[Shown]:
        """At most so many pairs of signs, no sign twice, that are never taken for each other, though right answers to
        one leave the most probability for the other."""
        counts, rows, used = self.predictions.confusion(self.stream), [], set()
        for first, second in self._alike(counts):
            if len(rows) < most and not {first, second} & used:
                used |= {first, second}
                notes = tuple(f"right: {counts[sign, sign]} of {counts[sign].sum()}" for sign in (first, second))
                clips = (self.predictions.example(self.stream, sign, sign) for sign in (first, second))
                rows.append(Shown((self.names[first], self.names[second]), notes, tuple(map(self.read, clips))))
        return rows

    def _alike(self, counts: np.ndarray) -> list[tuple[int, int]]:
        """Pairs of recognised classes that are never taken for each other, most alike first."""
        scores, truth = self.predictions.streams[self.stream][self.predictions.scored], self.predictions.truth
        right = np.flatnonzero(scores.argmax(axis=1) == truth)
        shares = np.zeros(counts.shape)
        np.add.at(shares, truth[right], scores[right])
        shares /= np.maximum(np.diag(counts), 1)[:, None]
        alike = np.triu(shares + shares.T, 1) * (counts + counts.T == 0)
        alike *= np.outer(np.diag(counts) > 0, np.diag(counts) > 0)
        order = np.argsort(-alike, axis=None, kind="stable")
        pairs = np.stack(np.unravel_index(order, alike.shape), axis=1)
        return [(int(first), int(second)) for first, second in pairs[: np.count_nonzero(alike)]]

    def confused(self, most: int, others: list[Clip]) -> list[Shown]:
        """At most so many pairs of signs that are mistaken for each other, worst first: a clip of the first that was
        taken for the second, and a clip of the second; of `others` where none of it was recognised."""
        rows = []
        for pair in self.predictions.confused(self.stream, most):
            label = self.predictions.labels[pair.taken]
            # Of the sign it was taken for, a clip that is recognised shows best what that looks like.
            other = self.predictions.example(self.stream, pair.taken, pair.taken) or next(
                (item for item in others if item.label == label), None
            )
            there = f"taken for the right one: {pair.count} of {pair.clips}"
            back = f"taken for the left one: {pair.back} of {pair.back_clips}"
            taken = self.predictions.example(self.stream, pair.true, pair.taken)
            names = self.names[pair.true], self.names[pair.taken]
            rows.append(Shown(names, (there, back), (self.read(taken), other and self.read(other))))
        return rows
