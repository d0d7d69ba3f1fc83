"""Temperature, reliability, risk and threshold on predictions whose calibration is known, and against scikit-learn."""

import json

from signs.clips.dataset import Clip, Label
from signs.command import Problem
from signs.evaluation import calibration, plain_words
from signs.inference.confidence import CALIBRATION_FILE, Calibration, load_calibration, tempered, unsure
from signs.inference.predictions import Predictions

import numpy as np
import pytest
from sklearn import metrics

IDLE = [Label("0", "rest", "none"), Label("1", "wave")]


def drawn(clips=4000, classes=8, sharp=1.0, seed=0, people=8, none=()) -> Predictions:
    """Labels drawn from known probabilities; a stream shows them raised to the power `sharp`: 1 is calibrated."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 1.5, (clips, classes))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = (honest.cumsum(axis=1) > rng.random((clips, 1))).argmax(axis=1)
    shown = np.exp(sharp * logits)
    labels = [f"{number}" for number in range(classes)]
    items = [Clip(f"c{i}", "valid", labels[label], f"S{i % people}") for i, label in enumerate(truth)]
    return Predictions(items, labels, {"rgb": shown / shown.sum(axis=1, keepdims=True)})


@pytest.mark.parametrize("sharp", [0.5, 1.0, 3.0])
def test_the_temperature_undoes_what_sharpened(sharp):
    some = drawn(sharp=sharp)
    found = calibration.fit_temperature(some.streams["rgb"], some.truth)
    assert found == pytest.approx(sharp, rel=0.08)
    measured = calibration.measure_calibration(Calibration(found), some, "rgb")
    assert measured["ece"] < 0.03 and (sharp == 1 or measured["ece_raw"] > 2 * measured["ece"])
    after = tempered(some.streams["rgb"], found)
    assert measured["log_loss"] == pytest.approx(metrics.log_loss(some.truth, after, labels=range(8)))
    assert np.array_equal(after.argsort(axis=1), some.streams["rgb"].argsort(axis=1)), "no answer may change"


def test_calibration_error_by_hand():
    confidence = np.array([0.95, 0.95, 0.65, 0.65, 0.05])
    right = np.array([True, False, True, True, False])
    rows, error = calibration.reliability(confidence, right)
    assert [row["clips"] for row in rows] == [1, 2, 2]
    assert error == pytest.approx((1 * 0.05 + 2 * 0.35 + 2 * 0.45) / 5)


def test_risk_and_coverage_by_hand():
    rows, area = calibration.risk_coverage(np.array([0.9, 0.8, 0.8, 0.1]), np.array([True, False, True, False]))
    assert [(row["coverage"], row["risk"]) for row in rows] == [(0.25, 0), (0.75, pytest.approx(1 / 3)), (1, 0.5)]
    assert area == pytest.approx(0.25 * 0 + 0.5 / 3 + 0.25 * 0.5)
    many, _ = calibration.risk_coverage(np.random.default_rng(0).random(5000), np.ones(5000, bool))
    assert len(many) == calibration.POINTS and many[-1]["coverage"] == 1


@pytest.mark.parametrize("rate", [0.0, 0.05, 0.2, 1.0])
def test_the_threshold_lets_no_more_false_alarms_through(rate):
    rng = np.random.default_rng(3)
    confidence, idle = rng.random(400), rng.random(400) < 0.3
    found = calibration.find_threshold(confidence, idle, idle, rate)
    given = confidence >= found if found is not None else np.ones(400, bool)
    allowed = int(rate * idle.sum() + 1e-9)
    assert (given & idle).sum() == min(allowed, idle.sum()), "as many as allowed, not fewer"


def test_clips_without_a_gesture_set_the_threshold():
    some = drawn(clips=600)
    found = calibration.learn_calibration(some, IDLE, 0.1, {"w": "1"})
    out = calibration.count_false_alarms(found, some, "rgb", IDLE)
    fused = tempered(some.streams["rgb"], found.temperature)
    idle = some.truth == 0
    alarm = idle & (fused.argmax(axis=1) != 0) & (fused.max(axis=1) >= found.threshold)
    assert alarm.sum() / idle.sum() <= 0.1 and out["of"] == "no gesture"
    assert out["found"] == pytest.approx(alarm.sum() / idle.sum())
    without = calibration.learn_calibration(some, [], 0.1, {})
    wrong = (fused.argmax(axis=1) != some.truth) & (fused.max(axis=1) >= without.threshold)
    out = calibration.count_false_alarms(without, some, "rgb", [])
    assert out["found"] == pytest.approx(wrong.mean()) and wrong.mean() <= 0.1 and out["of"] == "all clips"


def two_streams() -> Predictions:
    """RGB knows; flow is RGB of other clips, so just as sure and no use."""
    some = drawn(clips=800, sharp=3)
    return Predictions(some.clips, some.labels, {"rgb": some.streams["rgb"], "flow": some.streams["rgb"][::-1]})


def test_weights_are_kept_only_where_they_help():
    noisy = calibration.learn_calibration(two_streams(), [], 0.1, {})
    assert noisy.weights["rgb"] > 0.8 and noisy.about["fusion"]["gain"]["low"] > 0 and noisy.about["fusion"]["kept"]
    some = two_streams()
    twice = Predictions(some.clips, some.labels, {"rgb": some.streams["rgb"], "flow": some.streams["rgb"]})
    same = calibration.learn_calibration(twice, [], 0.1, {})
    assert same.weights == {} and not same.about["fusion"]["kept"]


def test_weights_are_tried_on_people_they_were_not_learnt_on(monkeypatch):
    some, seen, learnt = two_streams(), [], {"rgb": 1, "flow": 0}
    monkeypatch.setattr(calibration, "fit_weights", lambda streams, truth: seen.append(len(truth)) or learnt)
    calibration.learn_weights(some.streams, some.truth, [item.signer for item in some.clips])
    assert seen == [700] * 8 + [800]


def test_a_calibration_of_other_weights_is_not_used(tmp_path):
    found = calibration.learn_calibration(two_streams(), [], 0.1, {"rgb.weights.h5": "12"})
    found.write(tmp_path)
    assert load_calibration(tmp_path, {"rgb.weights.h5": "12"}) == found
    assert load_calibration(tmp_path, {"rgb.weights.h5": "13"}) == Calibration()
    assert json.loads((tmp_path / CALIBRATION_FILE).read_text())["temperature"] == found.temperature
    (tmp_path / CALIBRATION_FILE).write_text("{")
    with pytest.raises(Problem, match="damaged"):
        load_calibration(tmp_path, {})


def test_an_answer_that_is_no_gesture_needs_no_confidence():
    some = Calibration(threshold=0.6)
    assert some.known(0.6) and not some.known(0.59) and some.known(0.1, gesture=False)
    assert Calibration().known(0.0)


def test_fused_probabilities_follow_the_weights():
    rows = {"rgb": np.array([[0.8, 0.2]]), "flow": np.array([[0.4, 0.6]])}
    assert Calibration().fuse(rows) == pytest.approx(np.array([[0.6, 0.4]]))
    weighted = Calibration(weights={"rgb": 0.75, "flow": 0.25}).fuse(rows)
    assert weighted == pytest.approx(np.array([[0.7, 0.3]]))


def test_a_model_that_happened_to_be_always_right_is_not_taken_for_infallible():
    rng = np.random.default_rng(0)
    rows = rng.dirichlet([1] * 8, 60)
    rows = np.sort(rows, axis=1)[:, ::-1]
    found = calibration.fit_temperature(rows, np.zeros(60, int))
    mean = tempered(rows, found).max(axis=1).mean()
    assert found > 2 * calibration.COLDEST and 0.8 < mean < 1 - 0.5 / 62


def test_the_threshold_is_measured_on_other_clips_too():
    learnt, other = drawn(clips=600), drawn(clips=600, seed=8)
    found = calibration.learn_calibration(learnt, IDLE, 0.1, {})
    out = calibration.count_false_alarms(found, other, "rgb", IDLE)
    sure = tempered(other.streams["rgb"], found.temperature).max(axis=1) >= found.threshold
    answer, idle = other.streams["rgb"].argmax(axis=1), other.truth == 0
    assert out["of"] == "no gesture" and out["clips"] == idle.sum()
    assert out["found"] == pytest.approx((sure & (answer != 0))[idle].mean())
    assert out["gestures_answered"] == pytest.approx((sure & (answer != 0))[~idle].mean())
    assert out["coverage"] == pytest.approx(sure.mean())
    assert out["risk"] == pytest.approx((answer != other.truth)[sure].mean())
    clips = [item for item in other.clips if item.label == "0"]
    only = Predictions(clips, other.labels, {"rgb": other.streams["rgb"][idle]})
    assert calibration.count_false_alarms(found, only, "rgb", IDLE)["gestures_answered"] is None


@pytest.mark.parametrize(
    "change", [{"temperature": -1}, {"temperature": float("nan")}, {"threshold": -0.5}, {"weights": {"rgb": -1}}]
)
def test_numbers_that_no_calibration_has(tmp_path, change):
    """They turn the answers upside down, or let every one pass."""
    (tmp_path / "calibration.json").write_text(json.dumps({"temperature": 1.0, "model": {}, **change}))
    with pytest.raises(Problem, match=r"calibration.json: damaged; delete it"):
        load_calibration(tmp_path, {})


def test_what_is_not_sure_is_told_with_as_many_digits_as_it_takes():
    assert unsure(0.31, 0.594) == "not sure: 31%, an answer needs 59%"
    assert unsure(0.5921, 0.594) == "not sure: 59.2%, an answer needs 59.4%"
    assert unsure(0.59399, 0.594) == "not sure: 59.399%, an answer needs 59.400%"


def test_whether_it_is_surer_than_it_should_be_is_said_in_words():
    right = np.array([True] * 8 + [False] * 2)
    for sure, verdict, last in (
        (0.95, "surer than it should be", "of 2 wrong answers 2 are 80 % sure or more"),
        (0.83, "about as sure as it should be", "of 2 wrong answers 2 are 80 % sure or more"),
        (0.6, "less sure than it should be", "of 2 wrong answers none is 80 % sure or more"),
    ):
        curve, _ = calibration.reliability(np.full(10, sure), right)
        said = f"it says {100 * sure:.0f} % on average, and 80 % are right; {last}"
        assert plain_words.sureness(curve) == (verdict, said)
    curve, _ = calibration.reliability(np.full(10, 0.97), np.ones(10, bool))
    assert plain_words.sureness(curve) == (
        "about as sure as it should be",
        "it says 97 % on average, and 100 % are right",
    )


def test_tenths_are_rounded_as_percents_beside_them_are():
    assert plain_words.tenths(0.82, 0.38, 0.98) == "about 8 of ten answers are right (4 to 10)"
    assert plain_words.tenths(0.97, 0.9, 1) == "more than 9 of ten answers are right (9 to 10)"
    assert plain_words.tenths(1, 0.9, 1) == "about 10 of ten answers are right (9 to 10)"
