"""What the page shows of a session at a moment, as JSON: the demo's state in names, numbers and points.

    take_snapshot(demo, names)

It is all of it each time, so a page that misses one has lost nothing. Names are text, which the page sets as text and
as nothing else.
"""

import math

from signs.clips.dataset import Label
from signs.landmarks.figure import VISIBLE
from signs.live.corrections import Answered, no_signs
from signs.live.demo import Demo
from signs.live.modes import RESTLESS, Mode
from signs.live.screen import history_of, is_underway

import numpy as np


def take_snapshot(demo: Demo, names: dict[str, str]) -> dict:
    """names: {label: name} of the model's classes."""
    mode, corrections = demo.mode, demo.corrections
    if mode is None:
        return {"state": "loading", "mode": demo.wanted}
    return {
        "state": mode.state,
        "mode": mode.name,
        "left": round(mode.left, 1),
        "progress": round(mode.progress, 3),
        "level": round(mode.level, 3),
        "trigger": mode.trigger,
        "restless": mode.message == RESTLESS,
        "problem": "" if mode.message == RESTLESS else mode.message,
        "answer": _answer(demo, names),
        **faults_of(corrections),
        "history": [{"name": name, "known": known} for name, known in history_of(demo, names)],
        "points": points_of(mode),
    }


def faults_of(corrections) -> dict:
    """fault: why a correction could not be kept; refused: what was wrong with a name that somebody typed."""
    message = corrections.message
    refused = message if message.startswith("a sign's name") else ""
    return {"fault": message if message in corrections.faults else "", "refused": refused}


def _answer(demo: Demo, names: dict[str, str]) -> dict | None:
    """The answer that a correction is about; None while another sign is underway."""
    answered = demo.corrections.meant
    if answered is None:
        return None
    answers = demo.corrections.answers
    return {
        "number": answers.index(answered) + 1,
        "of": len(answers),
        "mode": answered.mode,
        "latency": round(answered.latency, 3),
        "underway": is_underway(demo.mode, answered),
        **answer_words(answered, demo.recogniser.classes, names),
    }


def answer_words(answered: Answered, classes: list[Label], names: dict[str, str]) -> dict:
    """What an answer says, and what it was, as somebody said; names are text."""
    none = no_signs(classes)
    return {
        "ranked": [{"name": names.get(label, label), "probability": round(p, 4)} for label, p in answered.ranked],
        "known": answered.known,
        "none": answered.ranked[0][0] in none,
        "truth": None if answered.truth is None else names.get(answered.truth, answered.truth),
        "nothing": answered.truth in none,
        "kept": answered.path is not None,
        "pictures": answered.strip is not None,
    }


def points_of(mode: Mode) -> dict | None:
    """The newest points of body and hands as shares of the picture, [x, y] or None each; None where none are looked
    for."""
    found = mode.tracker.newest if mode.tracker else None
    if found is None:
        return None
    height, width = found.size
    size = np.array([width, height], np.float32)
    seen = np.where(found.body[:, 3:] >= VISIBLE, found.body[:, :2], np.nan)
    return {"body": _shares(seen / size), "hands": [_shares(hand[:, :2] / size) for hand in found.hands]}


def _shares(points: np.ndarray) -> list:
    return [
        None if math.isnan(x) or math.isnan(y) else [round(x, 4), round(y, 4)]
        for x, y in np.clip(points, -1, 2).tolist()
    ]
