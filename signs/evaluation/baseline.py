"""Nearest class mean on pictures without order: is a data set a giveaway?

A sign should be told by its movement. These two classifiers see none: the average frame of a clip, and the average
absolute difference of neighbouring frames. What they reach above chance takes no recognising of signs.
"""

from pathlib import Path

from signs.clips import storage
from signs.clips.dataset import Clip, Dataset
from signs.command import Problem

import cv2
import joblib
import numpy as np

SIZE = (80, 60)  # pixels, width x height; finer pictures only tell people apart better


def still_features(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """A frame archive -> (average frame, average absolute frame difference), (60, 80) float32 grey each."""
    frames = storage.read_archive(path).images
    grey = [cv2.resize(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY), SIZE, interpolation=cv2.INTER_AREA) for image in frames]
    stack = np.stack(grey).astype(np.float32)
    return stack.mean(axis=0), np.abs(np.diff(stack, axis=0)).mean(axis=0)


def readable_features(path: Path) -> tuple[np.ndarray, np.ndarray] | None:
    """`still_features`, or None where the archive is missing or damaged."""
    try:
        return still_features(path)
    except Problem:
        return None


def nearest_class_mean(
    data: Dataset, store: str, train: list[Clip], test: list[Clip], workers: int = 2
) -> dict[str, float]:
    """{"frame", "difference"}: share of `test` whose class has the nearest mean of `train`, by either feature, of clips
    that can be read."""
    from scipy.cluster import vq  # half a second, and evaluate.py --help needs none of it

    def features(clips):
        jobs = (joblib.delayed(readable_features)(item.archive(data.folder, store)) for item in clips)
        pictures = joblib.Parallel(n_jobs=workers, prefer="threads")(jobs)
        rows = [(item.label, *each) for item, each in zip(clips, pictures, strict=True) if each]
        if not rows:
            raise Problem(f"{data.folder / store}: no clip of {clips[0].split} can be read; run frame.py")
        return zip(*rows, strict=True)

    (trained, *knowns), (truth, *news) = features(train), features(test)
    trained, truth = np.array(trained), np.array(truth)
    labels, shares = np.unique(trained), {}
    for name, known, new in zip(("frame", "difference"), knowns, news, strict=True):
        known, new = (np.stack(pictures).reshape(len(pictures), -1) for pictures in (known, new))
        nearest, _ = vq.vq(new, np.stack([known[trained == label].mean(axis=0) for label in labels]))
        shares[name] = float(np.mean(labels[nearest] == truth))
    return shares


def print_baselines(data: Dataset, store: str | None, split: str, workers: int) -> None:
    """What nearest class means reach, beside chance."""
    train, clips = data.split("train", labelled=True), data.split(split, labelled=True)
    if not train or not clips:
        return
    if not store:
        raise Problem(f"{data.folder}: no frames, which they look at; run frame.py")
    shares = nearest_class_mean(data, store, train, clips, workers)
    chance = 1 / len({item.label for item in clips})
    print(
        f"nearest class mean on {split}: average frame {shares['frame']:.1%}, "
        f"average absolute frame difference {shares['difference']:.1%} (chance {chance:.1%})"
    )
