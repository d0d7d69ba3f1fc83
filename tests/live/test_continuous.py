"""Each sign once, when it is surest; rest, and what is no gesture, never. Networks that go on cost a step a frame."""

import math
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from signs.clips import motion
from signs.clips.dataset import Label
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.inference.bundle import Bundle, Stream
from signs.inference.confidence import Calibration
from signs.inference.recogniser import Recogniser
from signs.inference.streaming import SteppedNetwork
from signs.live import continuous
from signs.live.continuous import Continuous, Reporter

import numpy as np
import pytest

CLASSES = [Label("a", "A"), Label("b", "B"), Label("0", "nothing", "none")]


def reporter(threshold=0.6, gap=1.0) -> Reporter:
    return Reporter(
        SimpleNamespace(labels=["a", "b", "0"], classes=CLASSES, calibration=Calibration(threshold=threshold)), gap
    )


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
        assert centre < moment < centre + continuous.PEAK + 0.6


def test_what_is_no_gesture_and_what_is_unsure_is_not_said():
    assert said(lambda second: (0.02, 0.02, 0.96), reporter()) == []
    assert said(lambda second: (0.55, 0.45, 0.0), reporter()) == []
    assert [label for label, _ in said(lambda second: (0.55, 0.45, 0.0), reporter(None))] == ["a"]


def test_a_sign_that_stays_is_said_once():
    assert len(said(lambda second: (0.9, 0.1, 0.0), reporter())) == 1


def test_an_answer_that_jumps_about_is_smoothed_away():
    assert said(lambda second: (0.9, 0.1, 0.0) if round(second * 10) % 2 else (0.1, 0.9, 0.0), reporter()) == []


def test_rest_ends_what_was_said():
    someone = reporter()
    assert len(said(lambda second: (0.9, 0.1, 0.0), someone)) == 1
    someone.reset()
    assert someone.probabilities is None
    assert len(said(lambda second: (0.9, 0.1, 0.0), someone)) == 1


def test_the_end_of_a_movement_says_what_was_not_said():
    someone = reporter()
    assert someone.finish() is None
    for number in range(4):
        assert someone.push(np.array([0.9, 0.1, 0.0]), number / 10) is None
    assert someone.finish() == "a" and someone.finish() is None
    assert said(lambda second: (0.9, 0.1, 0.0), someone) and someone.finish() is None, "said before"
    said(lambda second: (0.0, 0.1, 0.9), someone)
    assert someone.finish() is None


RATE = 10  # frames a second
REST, SIGN = 3.5, 1.5  # seconds; the window is 2 s


def camera(second: float) -> np.ndarray:
    """Rest, something bright that moves on the left, rest, the same on the right, rest."""
    picture = np.full((60, 80, 3), 90, np.uint8)
    for begin, left in ((REST, 4), (2 * REST + SIGN, 46)):
        if begin <= second < begin + SIGN:
            x = left + round(100 * (second - begin)) % 16
            picture[15:45, x : x + 14] = 255
    return picture


class Stepped(SteppedNetwork):
    """Names a group by where it is bright; its state counts the groups. Keeps what it was given."""

    def __init__(self):
        self.given = []
        super().__init__(self.bright, [1, 3, 1], group=4)

    def bright(self, frames, states):
        self.given.append((frames.shape[1], int(states[0][0, 0])))
        left, right = (part.max(axis=(2, 3, 4)).mean() for part in (frames[..., :20, :], frames[..., 20:, :]))
        return np.array([[8 * left, 8 * right, 2]]), [states[0] + 1, states[1], states[2]]


@pytest.fixture
def going_on(tmp_path):
    """Continuous mode with a network that goes on, at a fixed rate."""
    spec = ClipSpec(StoredSpec(f"{RATE}fps", 40), InputSpec(8, 40, 40, sampling="whole"))
    stream = Stream("rgb", "rgb", "conv3d-lstm", {"input_shape": [None, 40, 40, 3], "classes": 3}, {})
    someone = Recogniser(Bundle(tmp_path, spec, CLASSES, [stream], "mean", {}), {"rgb": Stepped()})
    with ThreadPoolExecutor(1) as worker:
        mode = Continuous(someone, worker, 2.0)
        yield mode, someone.networks["rgb"]
        mode.close()


def play(mode, begin: float, end: float) -> None:
    for number in range(round(begin * RATE), round(end * RATE)):
        mode.frame(camera(number / RATE), number / RATE)
        mode._keeper.submit(int).result()  # it has taken the frame
        mode.tick()
        mode.settle()


def test_networks_that_go_on_cost_one_step_a_frame_and_none_at_rest(going_on):
    mode, network = going_on
    play(mode, 0, REST)
    assert mode.state == "ready" and network.given == [], "nothing moved yet"
    play(mode, REST, REST + SIGN)
    first = 1 + round((motion.BEFORE + motion.BEGIN) * RATE)
    frames = round(SIGN * RATE) - math.ceil(motion.BEGIN * RATE)  # it is known to have begun by then
    assert len(network.given) == frames + 1, "a step a frame, and one group more at once at the beginning"
    assert network.given[:2] == [(4, 0), (first - 4, 1)], "half a second before the movement belongs to it"
    assert network.given[-1][1] == (first + frames - 1 - 1) // 4, "the state goes on"
    assert mode.answer.ranked[0][0] == "a" and len(mode.answer.frames) == 1 and mode.latency < 1
    play(mode, REST + SIGN, 2 * REST + SIGN)
    assert mode.answer is None and [one.name for one in mode.history] == ["A"]
    steps = len(network.given)
    assert steps <= frames + 1 + (motion.HELD + 1.0) * RATE, "none once nothing moves"
    play(mode, 2 * REST + SIGN, 3 * REST + 2 * SIGN)
    assert [one.name for one in mode.history] == ["A", "B"]
    assert network.given[steps][1] == 0, "the next sign begins as a clip does"


def test_the_rest_pose_learnt_anew_begins_a_clip_anew(going_on):
    mode, network = going_on
    play(mode, 0, REST + SIGN)
    mode.restart()
    steps = len(network.given)
    play(mode, REST + SIGN, 3 * REST + SIGN)
    assert network.given[steps][1] == 0 and mode.history[-1].name == "B"
