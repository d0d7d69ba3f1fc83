"""Which points of body and hands a network went by, and when: skeletons that are warm where it speaks for an answer.

Integrated gradients (Sundararajan, Taly & Yan, Axiomatic attribution for deep networks, 2017): the gradient of a
class's logit, averaged on the way from a clip in which nothing is seen to this one, times the clip's values. What all
values get makes up the difference of the two logits; what is below 0 speaks for other classes.
"""

from signs.clips import posture, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import shown_store
from signs.clips.points import Points
from signs.clips.spec import StoredSpec
from signs.command import Problem
from signs.evaluation import gradcam
from signs.landmarks import skeleton

import cv2
import keras
import numpy as np

STEPS = 16  # on the way
PARTS = {"left hand": range(33, 54), "right hand": range(54, 75), "arms and body": range(11, 33), "face": range(11)}
MOSTLY = 0.6  # of what a part says, said in the time that is named
ALSO = 0.5  # of what the first part says: a second one is named too
SMOOTH = 3  # moments
TOP = 99.5  # percentile that is fully warm
PICTURES = 24  # of a loop, at most


def shares(model: keras.Model, values: np.ndarray, answer: int) -> np.ndarray:
    """How much each point says for a class at each moment: (T, posture.VALUES) float32 -> (T, 75), in units of its
    logit; points of the body first, then of the left and the right hand."""
    steps = np.linspace(1 / STEPS, 1, STEPS, dtype=np.float32) - 0.5 / STEPS
    clips = keras.ops.convert_to_tensor(steps[:, None, None] * values)
    gradients = gradcam.gradient(model, clips, np.full(STEPS, answer)).mean(axis=0)
    said = (gradients * values) @ posture.owners()
    return np.stack([np.convolve(row, np.full(SMOOTH, 1 / SMOOTH), "same") for row in said.T], axis=1)


def warmth(said: np.ndarray) -> np.ndarray:
    """`shares` -> the same shape in [0, 1]."""
    return np.clip(said / max(float(np.percentile(said, TOP)), 1e-9), 0, 1)


def in_words(said: np.ndarray, moments: np.ndarray) -> str:
    """`shares` and the moments' (T,) seconds -> e.g. `right hand, from 0.8 to 1.4 s`."""
    parts = {name: np.maximum(said[:, points].sum(axis=1), 0) for name, points in PARTS.items()}
    names = sorted(parts, key=lambda name: -parts[name].sum())
    most = parts[names[0]].sum()
    if most <= 0:
        return "no point speaks for it"
    named = [name for name in names[:2] if parts[name].sum() >= ALSO * most]
    times = {name: moments[list(shortest(parts[name]))] for name in named}
    return "; ".join(f"{name}, from {first:.1f} to {last:.1f} s" for name, (first, last) in times.items())


def shortest(said: np.ndarray) -> tuple[int, int]:
    """(T,) at least 0 -> first and last index of the shortest stretch that holds MOSTLY of it."""
    sums = np.concatenate([[0], np.cumsum(said)])
    ends = np.searchsorted(sums, sums + MOSTLY * sums[-1] - 1e-9)  # of a stretch from each index on
    begins = np.flatnonzero(ends < len(sums))
    begin = min(begins, key=lambda index: ends[index] - index)
    return int(begin), int(max(ends[begin] - 1, begin))


def at_moments(points: Points, moments: np.ndarray) -> Points:
    """Points of a clip's frames nearest to (T,) seconds."""
    nearest = StoredSpec.nearest(points.times, moments)
    return Points(points.body[nearest], points.hands[nearest], moments, points.size)


def stored_frames(data: Dataset, stored: StoredSpec, item: Clip, moments: np.ndarray) -> np.ndarray | None:
    """A clip's frames nearest to (T,) seconds, (T, H, W, 3) uint8 RGB; None where the data set has none that can be
    read."""
    store = shown_store(data, stored)
    try:
        archive = store and storage.read_archive(item.archive(data.folder, store))
    except Problem:
        return None
    if not archive or "times" not in archive.info:
        return None
    times = np.array(archive.info["times"])
    return archive.images[StoredSpec.nearest(times - times[0], moments)]


def loop(points: Points, frames: np.ndarray | None, side: int, heat: np.ndarray | None = None) -> list[np.ndarray]:
    """(side, W, 3) uint8 RGB each: the skeleton over every frame, where there are any, and beside it alone on white.

    heat: (T, 75) in [0, 1], how warm each point is.
    """
    alone = skeleton.pictures(points, range(len(points.times)), side, heat)
    if frames is None:
        return alone
    joined, scale = [], side / points.size[0]
    for index, (frame, beside) in enumerate(zip(frames, alone, strict=True)):
        width = round(frame.shape[1] * side / frame.shape[0])
        picture = cv2.resize(frame, (width, side), interpolation=cv2.INTER_LINEAR)
        warm = None if heat is None else heat[index]
        skeleton.draw(picture, points.body[index], points.hands[index], scale, warm)
        joined.append(np.hstack([picture, beside]))
    return joined
