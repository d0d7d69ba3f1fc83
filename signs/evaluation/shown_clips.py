"""Which clips a report names one by one, and what it says of each; gallery.py adds what there is to see."""

from signs.inference.confidence import Calibration
from signs.inference.predictions import Predictions

import numpy as np

RIGHT = 3  # recognised clips shown to compare
BEST = 5  # answers shown


def pick_clips(predictions: Predictions, stream: str, wrong: int, right: int) -> list[int]:
    """Indices of scored clips: those not recognised, surest of the wrong answer first; then, to compare, the surest
    recognised ones, each of another class."""
    scored = np.flatnonzero(predictions.scored)
    rows, truth = predictions.streams[stream][scored], predictions.truth
    surest = np.argsort(-rows.max(axis=1), kind="stable")
    recognised = (rows.argmax(axis=1) == truth)[surest]
    # {class: its surest recognised clip}: of equal keys the last stays.
    by_class = {truth[index]: index for index in surest[recognised][::-1]}
    compared = [index for index in surest if index in by_class.values()]
    return [int(scored[index]) for index in (*surest[~recognised][:wrong], *compared[:right])]


def describe_clip(predictions: Predictions, index: int, learnt: Calibration) -> dict:
    """What the page says of one clip, without loops."""
    item, labels = predictions.clips[index], predictions.labels
    answers = {name: rows[index] for name, rows in predictions.streams.items()}
    sure = learnt.calibrated(answers.pop(predictions.fused))
    best = np.argsort(-sure, kind="stable")[:BEST]
    return {
        "clip": item.clip,
        "signer": item.signer,
        "label": item.label,
        "answer": labels[best[0]],
        "right": item.label == labels[best[0]],
        "confidence": float(sure[best[0]]),
        "top": [(labels[i], float(sure[i])) for i in best],
        "alone": {name: labels[values.argmax()] for name, values in answers.items()},
        "shown": item.may_be_shown,
        "loops": {},
        "looked": {},
    }
