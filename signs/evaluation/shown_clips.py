"""Which clips a report names one by one, and what it says of each; gallery.py adds what there is to see."""

from signs.clips.dataset import Label
from signs.clips.names import folded
from signs.inference.confidence import Calibration, unsure
from signs.inference.predictions import Predictions

import numpy as np

RIGHT = 3  # recognised clips shown to compare
BEST = 5  # answers shown


def idle_labels(classes: list[Label]) -> frozenset[str]:
    """The labels of classes that are no gesture."""
    return frozenset(row.label for row in classes if row.kind == "none")


def pick_clips(predictions: Predictions, stream: str, wrong: int, right: int, learnt: Calibration) -> list[int]:
    """Indices of scored clips: those not recognised, surest of the wrong answer first; then, to compare, the surest
    recognised ones, each of another class. How sure is what the page says: with the temperature, which may change the
    order."""
    scored = np.flatnonzero(predictions.scored)
    rows, truth = predictions.streams[stream][scored], predictions.truth
    surest = np.argsort(-learnt.calibrated(rows).max(axis=1), kind="stable")
    recognised = (rows.argmax(axis=1) == truth)[surest]
    # {class: its surest recognised clip}: of equal keys the last stays.
    by_class = {truth[index]: index for index in surest[recognised][::-1]}
    compared = [index for index in surest if index in by_class.values()]
    return [int(scored[index]) for index in (*surest[~recognised][:wrong], *compared[:right])]


def group_clips(rows: list[dict], apart: list[str]) -> list[tuple[int, str, list[dict]]]:
    """Rows of `describe_clip` -> (number from 1, person, wrong clips) of each of the people `apart` who has any, then
    (0, "", all others); the order of the rows stays."""
    groups, rest = [], rows
    for number, person in enumerate(apart, 1):
        theirs = [row for row in rest if not row["right"] and folded(row["signer"]) == folded(person)]
        if theirs:
            groups.append((number, person, theirs))
            rest = [row for row in rest if row not in theirs]
    return [*groups, (0, "", rest)] if rest else groups


def describe_clip(predictions: Predictions, index: int, learnt: Calibration, idle: frozenset[str]) -> dict:
    """What the page says of one clip, without loops; idle: labels of classes that are no gesture."""
    item, labels = predictions.clips[index], predictions.labels
    answers = {name: rows[index] for name, rows in predictions.streams.items()}
    sure = learnt.calibrated(answers.pop(predictions.fused))
    best = np.argsort(-sure, kind="stable")[:BEST]
    gesture = labels[best[0]] not in idle
    return {
        "clip": item.clip,
        "signer": item.signer,
        "label": item.label,
        "answer": labels[best[0]],
        "right": item.label == labels[best[0]],
        "confidence": float(sure[best[0]]),
        "unsure": None
        if learnt.known(float(sure[best[0]]), gesture)
        else unsure(float(sure[best[0]]), learnt.threshold),
        "top": [(labels[i], float(sure[i])) for i in best],
        "alone": {name: labels[values.argmax()] for name, values in answers.items()},
        "shown": item.may_be_shown,
        "loops": {},
        "looked": {},
    }
