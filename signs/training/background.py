"""What is no sign that somebody taught: other people's signs, and what she does between signs, for the last layer.

    background = background_of(network, moments, top, views, points, targets, column, folder)

Other signs are 30 of German Sign Language, as the network below the last layer sees them: background.npz beside its
weights, which benchmarks/make_background.py makes. If somebody teaches one of them, it is left out: where the whole
network calls half of a sign's takes by one name. What she does between signs is drawn from her takes (pauses.py).
"""

from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.clips import posture
from signs.clips.points import Points
from signs.clips.spec import InputSpec
from signs.command import Problem
from signs.training import pauses
from signs.training.last_layer import Background, Views, features_of

import numpy as np

FILE = "background.npz"
# How much each part counts, as a share of all takes together; docs/own_signs.md says how they were chosen.
OTHER_SIGNS, STILL, MOVING = 0.25, 0.1, 0.25
FOLDS = 5  # into which other people's signs are left out
MOST = 40  # takes that pauses are drawn from
NAMED = 0.5  # share of a sign's takes that the network calls by one name


@dataclass(frozen=True)
class OtherSigns:
    """there, mirrored: (M, D) float32 features of clips; labels: (M,) which of `names` each clip shows."""

    there: np.ndarray
    mirrored: np.ndarray
    labels: np.ndarray
    names: list[str]


def read_signs(folder: Path) -> OtherSigns:
    """What lies beside the weights of a bundle; raises Problem where it was made with other weights."""
    path = Path(folder) / FILE
    with np.load(path, allow_pickle=False) as file:
        there, mirrored, labels, made_with = (file[name] for name in ("there", "mirrored", "label", "weights"))
    if str(made_with) != command.sha256(folder / "landmark.weights.h5"):
        raise Problem(f"{path}: made with other weights than lie beside it; run benchmarks/make_background.py")
    names = sorted({str(label) for label in labels})
    return OtherSigns(np.float32(there), np.float32(mirrored), np.searchsorted(names, labels), names)


def background_of(
    network,
    moments: int,
    top: tuple[np.ndarray, np.ndarray],
    views: Views,
    points: list[Points],
    targets: np.ndarray,
    column: int,
    folder: Path,
) -> Background:
    """What is no sign, beside N takes.

    Args:
        network: (B, moments, values) float32 -> (B, D); top: what stands on it in the bundle of `folder`, (D, signs)
            weights and (signs,) biases, its signs in the order of their labels; targets: (N, classes), of which
            `column` is no sign.
    """
    signs = read_signs(folder)
    kept = ~np.isin(signs.labels, taught(views.there[0] @ top[0] + top[1], np.delete(targets, column, axis=1)))
    parts = [(signs.there[kept], signs.mirrored[kept], alike(kept[kept], OTHER_SIGNS), np.full(kept.sum(), -1))]
    parts += drawn(network, moments, points, np.flatnonzero(targets[:, column] == 0))
    there, mirrored, share, owner = map(np.concatenate, zip(*parts, strict=True))
    fold = np.zeros(len(owner), int)
    fold[: kept.sum()] = signs.labels[kept] % FOLDS
    return Background(column, there, mirrored, share, owner, fold)


def alike(which: np.ndarray, share: float) -> np.ndarray:
    """(M,) bool -> (M,) a share that is divided among those."""
    return which * share / max(which.sum(), 1)


def taught(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """(N, names) logits and (N, classes) of takes -> the names by which half of a class's takes are called."""
    called = np.eye(logits.shape[1])[logits.argmax(axis=1)]
    shares = targets.T @ called / np.maximum(targets.sum(axis=0), 1)[:, None]
    return np.flatnonzero((shares >= NAMED).any(axis=0))


def drawn(network, moments: int, points: list[Points], takes: np.ndarray) -> list[tuple]:
    """Pauses of who makes the takes with these numbers: (M, D) features, those in a mirror, (M,) how much each counts,
    (M,) the number of the take; an empty list where arms are seen in none."""
    if len(takes) > MOST:
        takes = takes[np.linspace(0, len(takes) - 1, MOST).astype(int)]
    seen, still, owner = [], [], []
    for take in takes:
        for kind, clip in pauses.pauses_of(points[take], np.random.default_rng([1, int(take)])):
            seen.append(posture.seen(clip, InputSpec(frames=moments)))
            still.append(kind in pauses.STILL)
            owner.append(take)
    if not owner:
        return []
    still = np.array(still)
    share = alike(still, STILL) + alike(~still, MOVING)
    return [(*features_of(network, np.stack(seen)), share, np.array(owner))]
