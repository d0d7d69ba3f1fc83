"""The last layer of a network on points, learnt from a few takes of a sign in a second.

    views = views_of(network, clips, moments=48)
    logits = answers_left_out(views, targets, groups, in_mirror)    what clips get from those of other groups
    weights, bias = fit(views, targets, in_mirror)

The network below is what 30 signs of German Sign Language taught (signs/models/dgs), and stays as it is. Each take is
seen as it is and augmented; the layer is ridge regression on the classes (ridge.py), whose optimum is exact, so that
leaving every person or take out once costs no more than milliseconds each. A Background teaches what is no sign.
"""

import functools
from collections.abc import Iterator
from dataclasses import dataclass

from signs.clips import posture
from signs.clips.points import Points
from signs.clips.spec import InputSpec
from signs.training.point_augmentation import PointAugmentation
from signs.training.ridge import scale_of, solve_ridge

import numpy as np
from threadpoolctl import ThreadpoolController

COPIES = 6  # augmented ones of each take
PENALTY = 1.0  # of 0.1 to 30 the best or close to it, with one and two takes of a sign and with four people's
BATCH = 64


@dataclass(frozen=True)
class Views:
    """What the network below the last layer makes of N clips, in D features: as they are first, then of each augmented
    copy; (1 + COPIES, N, D) float32 each, `there` as the camera saw them, `mirrored` in a mirror."""

    there: np.ndarray
    mirrored: np.ndarray

    def of(self, chosen: np.ndarray) -> "Views":
        """Those of some clips, (N,) bool."""
        return Views(self.there[:, chosen], self.mirrored[:, chosen])


@dataclass(frozen=True)
class Background:
    """M clips that are no sign, for the class `column`; background.py makes it.

    there, mirrored: (M, D) float32, what the network below the last layer makes of them, as they are; share: (M,) how
    much each counts, as a share of all takes; owner: (M,) which take it was drawn from, -1 where from none; fold: (M,)
    a number from 0 on, with which those without an owner are left out.
    """

    column: int
    there: np.ndarray
    mirrored: np.ndarray
    share: np.ndarray
    owner: np.ndarray
    fold: np.ndarray

    def of(self, takes: np.ndarray, left_out: int | None = None) -> "Background":
        """What goes with some takes, (N,) bool: clips drawn from them, and those without an owner but for a fold.
        What is left counts for what is not."""
        kept = self.chosen(takes) | ((self.owner < 0) & (self.fold != left_out))
        share = self.share.copy()
        for part in (self.owner < 0, self.owner >= 0):
            share[part] *= self.share[part].sum() / max(self.share[part & kept].sum(), 1e-9)
        return self._rows(kept, share)

    def left_out(self, takes: np.ndarray, fold: int) -> "Background":
        """The others, where `of(takes, fold)` is learnt from."""
        return self._rows(~(self.chosen(takes) | ((self.owner < 0) & (self.fold != fold))), self.share)

    def chosen(self, takes: np.ndarray) -> np.ndarray:
        """(M,) bool: drawn from some of the takes, (N,) bool."""
        return (self.owner >= 0) & takes[self.owner]

    def _rows(self, kept: np.ndarray, share: np.ndarray) -> "Background":
        return Background(
            self.column, self.there[kept], self.mirrored[kept], share[kept], self.owner[kept], self.fold[kept]
        )

    def answers(self, layer: tuple[np.ndarray, np.ndarray], in_mirror: np.ndarray | None) -> np.ndarray:
        """(M, classes) logits of the clips."""
        return answers(Views(self.there[None], self.mirrored[None]), layer, in_mirror)


def views_of(network, clips: list[Points], moments: int, seed: int = 0) -> Views:
    """network: (B, moments, posture.VALUES) float32 -> (B, D)."""
    augmentation, seen = PointAugmentation(), []
    for copy in range(1 + COPIES):
        for number, points in enumerate(clips):
            if copy:
                drawn = augmentation.draw(np.random.default_rng([seed, copy, number]))
                seen.append(augmentation.see(points, drawn, moments))
            else:
                seen.append(posture.seen(points, InputSpec(frames=moments)))
    return Views(*(rows.reshape(1 + COPIES, len(clips), -1) for rows in features_of(network, np.stack(seen))))


def features_of(network, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(N, moments, posture.VALUES) float32 -> (N, D) as they are, and in a mirror."""
    there, mirrored = (
        np.concatenate([network(rows[start : start + BATCH]) for start in range(0, len(rows), BATCH)])
        for rows in (seen, posture.mirrored(seen))
    )
    return there, mirrored


@functools.cache
def blas() -> ThreadpoolController:
    """What says how many threads the products of NumPy and SciPy have."""
    return ThreadpoolController()


def fit(
    views: Views, targets: np.ndarray, in_mirror: np.ndarray | None, background: Background | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The layer that is best for all views: (D, classes) weights and (classes,) biases.

    targets: (N,) class of each clip in one-hot rows, (N, classes); in_mirror: (classes,) what each class is in a
    mirror, or None where signs are not to be seen in one; background: clips that are no sign.
    """
    rows, wanted = [views.there], [targets]
    if in_mirror is not None:
        rows, wanted = [*rows, views.mirrored], [targets, targets[:, in_mirror]]
    flat, counts = np.concatenate(rows).reshape(-1, views.there.shape[-1]), None
    goals = np.concatenate([part for part in wanted for _ in views.there])
    if background is not None:
        more = [background.there, background.mirrored][: len(rows)]
        counts = np.concatenate([np.ones(len(flat)), *(background.share * len(flat) / len(more) for _ in more)])
        none = np.eye(targets.shape[1], dtype=goals.dtype)[background.column]
        goals = np.concatenate([goals, np.tile(none, (len(counts) - len(flat), 1))])
        flat = np.concatenate([flat, *more])
    scale = scale_of(flat, counts)
    with blas().limit(limits=1, user_api="blas"):  # of such a small system threads wait for each other
        weights, bias = solve_ridge(flat * scale, goals, PENALTY, counts)
    return weights * scale[:, None], bias


def answers(views: Views, layer: tuple[np.ndarray, np.ndarray], in_mirror: np.ndarray | None) -> np.ndarray:
    """(N, classes) logits of clips as they are, averaged with those of their mirror."""
    weights, bias = layer
    logits = views.there[0] @ weights + bias
    if in_mirror is None:
        return logits
    return (logits + (views.mirrored[0] @ weights + bias)[:, in_mirror]) / 2


def answers_left_out(
    views: Views,
    targets: np.ndarray,
    groups: np.ndarray,
    in_mirror: np.ndarray | None,
    asked: Views | None = None,
    background: Background | None = None,
) -> np.ndarray:
    """(N, classes) logits of each clip, from a layer that was fitted to the clips of all other groups, (N,).

    asked: other views of the same clips, which the layers answer to.
    """
    asked, logits = asked or views, np.empty(targets.shape, np.float32)
    for out, layer, _ in layers_left_out(views, targets, groups, in_mirror, background):
        logits[out] = answers(asked.of(out), layer, in_mirror)
    return logits


def layers_left_out(
    views: Views,
    targets: np.ndarray,
    groups: np.ndarray,
    in_mirror: np.ndarray | None,
    background: Background | None = None,
) -> Iterator[tuple[np.ndarray, tuple, Background | None]]:
    """Of each group, (N,): its clips, (N,) bool, the layer that is fitted to all others, and the background that was
    left out with them."""
    for number, group in enumerate(np.unique(groups)):
        out = groups == group
        others = background and background.of(~out, number)
        layer = fit(views.of(~out), targets[~out], in_mirror, others)
        yield out, layer, background and background.left_out(~out, number)


def find_pairs(views: Views, targets: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """(classes,) what each class is in a mirror, as its takes look: two that become each other are a pair, as left and
    right are; any other stays what it is."""
    logits = answers_left_out(views, targets, groups, None, Views(views.mirrored, views.there))
    becomes, own = (targets.T @ logits).argmax(axis=1), np.arange(targets.shape[1])
    return np.where(becomes[becomes] == own, becomes, own)
