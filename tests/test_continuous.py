"""Each sign once, when it is surest; rest, and what is no gesture, never."""

from types import SimpleNamespace

import numpy as np
import pytest

import dataset
from confidence import Calibration
from continuous import PEAK, Reporter

CLASSES = [dataset.Label("a", "A"), dataset.Label("b", "B"), dataset.Label("0", "nothing", "none")]


def reporter(threshold=0.6, gap=1.0) -> Reporter:
    return Reporter(SimpleNamespace(labels=["a", "b", "0"], classes=CLASSES,
                                    calibration=Calibration(threshold=threshold)), gap)  # fmt: skip


def said(course, someone: Reporter, rate: float = 10) -> list[tuple[str, float]]:
    """course: second -> (classes,) probabilities."""
    found = []
    for number in range(int(rate * 12)):
        label = someone.push(np.array(course(number / rate)), number / rate)
        if label:
            found.append((label, number / rate))
    return found


def bump(second: float, centre: float, width: float = 0.8) -> float:
    return float(np.exp(-(((second - centre) / width) ** 2)))


def two_signs(second: float):
    """B is guessed while A enters the window; then A, rest, A again, then B."""
    a = 0.95 * max(bump(second, 3), bump(second, 6.5))
    b = 0.95 * bump(second, 10) + 0.65 * bump(second, 1.9, 0.3)
    return a, min(b, 1 - a), max(0, 1 - a - b)


@pytest.mark.parametrize("rate", [4, 10, 25])
def test_each_sign_once_and_in_order(rate):
    found = said(two_signs, reporter(), rate)
    assert [label for label, _ in found] == ["a", "a", "b"]
    for (_, moment), centre in zip(found, (3, 6.5, 10), strict=True):
        assert centre < moment < centre + PEAK + 0.6


def test_what_is_no_gesture_and_what_is_unsure_is_not_said():
    assert said(lambda second: (0.02, 0.02, 0.96), reporter()) == []
    assert said(lambda second: (0.55, 0.45, 0.0), reporter()) == []
    assert [label for label, _ in said(lambda second: (0.55, 0.45, 0.0), reporter(None))] == ["a"]


def test_a_sign_that_stays_is_said_once():
    assert len(said(lambda second: (0.9, 0.1, 0.0), reporter())) == 1


def test_an_answer_that_jumps_about_is_smoothed_away():
    assert said(lambda second: ((0.9, 0.1, 0.0) if round(second * 10) % 2 else (0.1, 0.9, 0.0)), reporter()) == []


def test_rest_ends_what_was_said():
    someone = reporter()
    assert len(said(lambda second: (0.9, 0.1, 0.0), someone)) == 1
    someone.reset()
    assert someone.probabilities is None
    assert len(said(lambda second: (0.9, 0.1, 0.0), someone)) == 1
