"""From clips to a bundle without a network that learns: ridge regression, penalties, what is refused, every form."""

import csv
import json

import command
from command import Problem

import cv2
import numpy as np
import pytest
from sklearn import linear_model

import bundle
import dataset
import evaluate
import export
import frame
import inference
import train_histogram
from recogniser import Recogniser
from train_histogram import Ridge

SEES = ["--frames", "8", "--short-side", "36", "--crop", "32", "--workers", "2"]


def train(data, output, *flags):
    assert train_histogram.main(["--data", str(data), "--output", str(output), *SEES, *flags]) == command.DONE
    return output


@pytest.fixture(scope="module")
def trained(demo, tmp_path_factory):
    return train(demo, tmp_path_factory.mktemp("model") / "histogram", "--copies", "2", "--penalty", "1", "10", "3")


@pytest.mark.parametrize("penalty", [0.1, 3.0])
def test_ridge_is_scikit_learn_s(penalty):
    rng = np.random.default_rng(0)
    features = rng.normal(0.5, 1, (30, 80)).astype(np.float32)
    targets = np.eye(4)[rng.integers(0, 4, 30)]
    wanted = linear_model.Ridge(alpha=penalty).fit(np.float64(features), targets)
    ridge = Ridge(features.copy(), targets)
    weights, bias = ridge.solve(penalty)
    np.testing.assert_allclose(weights, wanted.coef_.T, atol=1e-4)
    np.testing.assert_allclose(bias, wanted.intercept_, atol=1e-4)
    np.testing.assert_allclose(ridge.answers(weights, bias), wanted.predict(features), atol=1e-4)


def test_the_best_penalty_is_kept_and_all_are_logged(trained, demo):
    with open(trained / "log.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["stream"] == "flow"]
    assert [row["phase"] for row in rows] == ["penalty 10", "penalty 3", "penalty 1"], "the strongest first"
    assert float(rows[-1]["accuracy"]) >= 0.95, "16 clips by two people, seen three times each"
    best = min(rows, key=lambda row: float(row["val_loss"]))
    made = bundle.load(trained)
    assert made.about["training"]["flow"]["epoch"] == int(best["epoch"])
    assert [(stream.name, stream.network, stream.arguments["flow"]) for stream in made.streams] == [
        ("rgb", "histogram", False), ("flow", "histogram", True)]  # fmt: skip
    assert (made.spec.input.region, made.spec.input.scale, made.spec.input.still) == ("signer", "own", "subtract")
    data, recogniser = dataset.load(demo), Recogniser.load(trained, "keras")
    predicted, _ = inference.predict(recogniser, data, data.split("valid", labelled=True), 4, 1)
    right = np.mean(predicted.streams["flow"].argmax(axis=1) == predicted.truth)
    assert right == pytest.approx(float(best["val_accuracy"])), "the weights that were kept are those of that row"


def test_archive_and_video_give_the_same_answer(trained, demo):
    data, recogniser = dataset.load(demo), Recogniser.load(trained, "keras")
    item = data.split("test", labelled=True)[0]
    _, stored, _ = inference.logits(recogniser, data, [item], 1, 1, "test")
    answer = recogniser.answer(*frame.read_video(item.video(demo)))
    for stream in ("rgb", "flow"):
        np.testing.assert_allclose(answer.logits[stream], stored[stream][0], atol=1e-3)


def test_the_same_seed_gives_the_same_weights(demo, tmp_path):
    flags = ("--stream", "flow", "--copies", "1", "--penalty", "3")
    one, again, other = (
        Recogniser.load(train(demo, tmp_path / name, *flags, "--seed", seed), "keras").models["flow"].get_weights()[0]
        for name, seed in (("one", "0"), ("again", "0"), ("other", "1"))
    )
    np.testing.assert_allclose(one, again, atol=1e-6)
    assert np.abs(one - other).max() > 1e-4


def test_it_is_evaluated_with_a_page_and_runs_in_every_form(trained, demo, capsys):
    # OpenCV's number of threads is the process's own; evaluate.py's pictures are made with one.
    threads = cv2.getNumThreads()
    assert evaluate.main(["--data", str(demo), "--model", str(trained), "--split", "valid", "--gallery", "1"]) == 0
    cv2.setNumThreads(threads)
    assert (trained / "report" / "index.html").exists()
    assert export.main(["--data", str(demo), "--model", str(trained), "--split", "valid", "--clips", "4",
                        "--forms", "openvino", "onnx", "litert", "stream"]) == command.DONE  # fmt: skip
    assert "stream is left out: " in capsys.readouterr().out
    forms = json.loads((trained / "export.json").read_text())["forms"]
    assert {"openvino", "onnx", "litert"} <= forms.keys()
    for name in ("openvino", "onnx", "litert"):
        assert forms[name]["difference"] < 1e-3 and forms[name]["equal"] == 1


@pytest.mark.parametrize(("flags", "said"), [
    (("--copies", "-1"), "--copies -1: at least 0"),
    (("--penalty", "0"), "--penalty 0: above 0"),
    (("--crop", "7"), "--frames 8 --crop 7: at least 3 frames of 8 pixels"),
    (("--copies", "9999"), "16 training clips, 10000 times each: more than 10,000 at once; use --copies 624"),
    (("--seed", "5"), "holds a run with other settings .*seed"),
])  # fmt: skip
def test_what_makes_no_sense_is_refused(trained, demo, flags, said):
    with pytest.raises(Problem, match=said):
        train(demo, trained, "--copies", "2", "--penalty", "1", "10", "3", *flags)
    assert bundle.load(trained)
