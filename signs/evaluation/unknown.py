"""How sure an answer has to be where people also make signs that nobody taught, and movements that are none.

    asked = answers_left_out(views, targets, groups, in_mirror, background)     what a model says of what it cannot know
    threshold = find_threshold(right, unknown)                                  from how sure it is of both

Signs that nobody taught are at hand too: each taught one, for a model that learns all but it.
"""

from collections.abc import Iterable

from signs.inference.confidence import FALSE_ALARMS
from signs.training import last_layer
from signs.training.last_layer import Background, Views

import numpy as np

KEPT = 0.8  # share of the right answers that a threshold leaves, at least
PARTS = 20  # into which signs are left out, at most


def answers_left_out(
    views: Views, targets: np.ndarray, groups: np.ndarray, in_mirror: np.ndarray | None, background: Background
) -> list[np.ndarray]:
    """(M, classes) logits each: of takes whose signs were left out of learning (and those that they are in a mirror),
    and of the background that was left out with each group of takes, (N,)."""
    return [
        _signs(views, targets, in_mirror, background),
        np.concatenate(
            [
                left_out.answers(layer, in_mirror)
                for _, layer, left_out in last_layer.layers_left_out(views, targets, groups, in_mirror, background)
            ]
        ),
    ]


def _signs(views: Views, targets: np.ndarray, in_mirror: np.ndarray | None, background: Background) -> np.ndarray:
    """(M, classes) logits of takes, from layers that know none of their sign."""
    truth, signs = targets.argmax(axis=1), np.delete(np.arange(targets.shape[1]), background.column)
    mirror, rows, asked = np.arange(targets.shape[1]) if in_mirror is None else in_mirror, [], set()
    for number in range(min(len(signs), PARTS)):
        gone = {*signs[number::PARTS], *mirror[signs[number::PARTS]]} - asked
        asked |= gone
        out = np.isin(truth, [*gone])
        learnt = ~out & (truth != background.column)
        if out.any() and learnt.any():
            layer = last_layer.fit(views.of(~out), targets[~out], in_mirror, background.of(~out))
            logits = last_layer.answers(views.of(out), layer, in_mirror)
            logits[:, [*gone]] = -np.inf
            rows.append(logits)
    return np.concatenate(rows) if rows else np.empty((0, targets.shape[1]))


def find_threshold(right: np.ndarray, unknown: Iterable[np.ndarray], kept: float = KEPT) -> float | None:
    """The lowest confidence with which FALSE_ALARMS of what is unknown are answered, all kinds counting alike; lower
    where it would leave less than a share `kept` of the right answers.

    Args:
        right: (N,) confidence of right answers; unknown: of each kind (M,) confidence, 0 where none is given.
    Returns:
        None where all answers may be given.
    """
    kinds = [np.sort(kind) for kind in unknown if len(kind)]
    if not kinds:
        return None
    levels = np.unique(np.concatenate([*kinds, [0.0]]))
    # What is answered is surer than the level.
    false = np.mean([1 - np.searchsorted(kind, levels, side="right") / len(kind) for kind in kinds], axis=0)
    level = levels[np.argmax(false <= FALSE_ALARMS)]
    if len(right):
        lowest = np.sort(right)[int((1 - kept) * len(right) + 1e-9)]
        level = min(level, np.nextafter(lowest, 0))
    return float(np.nextafter(level, 1)) if level > 0 else None
