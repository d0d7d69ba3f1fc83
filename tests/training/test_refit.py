"""Learning from the validation clips too: the same choices, more clips, calibration carried over, what is refused."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.dataset import Dataset, load_dataset, save_dataset
from signs.command import Problem
from signs.inference.bundle import Bundle, Stream, load_bundle
from signs.inference.recogniser import Recogniser
from signs.training import refit

import cv2
import numpy as np
import pytest

import compress
import ensemble
import evaluate
import paper_report
import train_conv3d_lstm
import train_linear
from conftest import linked

pytestmark = pytest.mark.usefixtures("sketched", "narrow", "eager")

SEES = ["--frames", "8", "--crop", "32/36", "--normalise", "mean", "scale", "--region", "signer", "--workers", "2"]
HISTOGRAM = ["--copies", "1", "--penalty", "10", "1", *SEES]
SMALL = ["--stream", "flow", "--size", "small", "--epochs", "2", "--batch", "16", *SEES]


def call(script, data, output, *flags):
    assert script.main(["--data", str(data), "--output", str(output), *map(str, flags)]) == command.DONE
    return output


def score(data, model, split):
    threads = cv2.getNumThreads()
    flags = ["--data", data, "--model", model, "--split", split, "--gallery", "0", "--ignore-checks"]
    assert evaluate.main([str(flag) for flag in flags]) == command.DONE
    cv2.setNumThreads(threads)
    return model


def logged(model, stream="flow"):
    with open(model / "log.csv") as file:
        return [row for row in csv.DictReader(file) if row["stream"] == stream]


@pytest.fixture(scope="module")
def runs(demo, tmp_path_factory):
    """A small network and histograms, each as it was chosen and refitted: {name: folder}."""
    folder, found = tmp_path_factory.mktemp("model"), {}
    for name, script, flags in (("small", train_conv3d_lstm, SMALL), ("histogram", train_linear, HISTOGRAM)):
        found[name] = score(demo, call(script, demo, folder / name, *flags), "valid")
        found[f"{name} again"] = call(script, demo, folder / f"{name}-again", "--refit", found[name])
    return found


@pytest.mark.parametrize("name", ["small", "histogram"])
def test_it_trains_as_the_run_did_for_as_long_as_was_best(runs, name):
    made, again = load_bundle(runs[name]), load_bundle(runs[f"{name} again"])
    assert {**again.about["flags"], "refit": None} == made.about["flags"]
    assert again.about["training"] == made.about["training"] and again.spec == made.spec
    assert again.about["refit"] == {"of": str(runs[name]), "splits": ["train", "valid"]}
    assert [stream.name for stream in again.streams] == [stream.name for stream in made.streams]
    best, rows = made.about["training"]["flow"]["epoch"], logged(runs[f"{name} again"])
    assert int(rows[-1]["epoch"]) == best and {row["val_loss"] for row in rows} == {""}
    if name == "small":
        assert [int(row["epoch"]) for row in rows] == list(range(1, int(best) + 1))


def test_it_is_what_these_clips_give_when_all_are_for_training(runs, demo, tmp_path):
    """Of the histograms, but for the temperature, which is the first run's."""
    other, now = linked(demo, tmp_path / "data"), {"train": "train", "valid": "train", "test": "valid"}
    data = load_dataset(demo)
    moved = [replace(item, split=now[item.split]) for item in data.clips]
    save_dataset(Dataset(other, moved, data.classes))
    for store in data.stores("flow") + data.stores("frame"):
        (other / store).unlink()
        for item, one in zip(data.clips, moved, strict=True):
            link = one.archive(other, store)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(item.archive(demo, store))
    flags = ["--stream", "flow", "--copies", "0", "--penalty", "3", *SEES]
    whole = call(train_linear, other, tmp_path / "whole", *flags)
    first = call(train_linear, demo, tmp_path / "first", *flags)
    again = call(train_linear, demo, tmp_path / "again", "--refit", first)
    weights = {
        folder: Recogniser.load(folder, "keras").models["flow"].get_layer("Logits").get_weights()[0].ravel()
        for folder in (whole, first, again)
    }
    alike = {folder: np.corrcoef(row, weights[again])[0, 1] for folder, row in weights.items()}
    assert alike[whole] == pytest.approx(1, abs=1e-5) and alike[first] < 0.99


def test_the_calibration_goes_with_it(runs, demo):
    for name in ("small", "histogram"):
        made, again = (json.loads((runs[one] / "calibration.json").read_text()) for one in (name, f"{name} again"))
        hashes = load_bundle(runs[f"{name} again"]).hashes
        assert again == {**made, "model": hashes}
        assert Recogniser.load(runs[f"{name} again"], "keras").calibration.temperature == made["temperature"]
        score(demo, runs[f"{name} again"], "test")
        assert json.loads((runs[f"{name} again"] / "calibration.json").read_text()) == again


def test_joined_models_take_that_of_the_joined_model(runs, demo, tmp_path):
    def joined(name, *more):
        models = [str(runs[one + name]) for one in ("small", "histogram")]
        assert ensemble.main(["--model", *models, "--output", str(tmp_path / f"joined{name}"), *more]) == command.DONE
        return tmp_path / f"joined{name}"

    first, plain = joined(""), joined(" again")
    assert not (plain / "calibration.json").exists()
    with pytest.raises(Problem, match="not calibrated; join what the models were made of"):
        joined(" again", "--calibration", str(first))
    with pytest.raises(Problem, match="calibration .*small: of flow; join"):
        joined(" again", "--calibration", str(runs["small"]))
    score(demo, first, "valid")
    again = joined(" again", "--calibration", str(first))
    assert load_bundle(again).about["refit"]["splits"] == ["train", "valid"]
    one, other = (json.loads((folder / "calibration.json").read_text()) for folder in (first, again))
    assert other == {**one, "model": load_bundle(again).hashes}
    with pytest.raises(Problem, match="has learnt from the validation clips"):
        score(demo, again, "valid")


def test_the_validation_clips_say_nothing_of_it(runs, demo, tmp_path):
    again = runs["histogram again"]
    with pytest.raises(Problem, match="has learnt from the validation clips .*--split test"):
        score(demo, again, "valid")
    with pytest.raises(Problem, match="compress the model that it was made of"):
        compress.main(["--data", str(demo), "--model", str(again), "--output", str(tmp_path / "small")])
    score(demo, again, "test")
    assert (again / "report.png").exists() and (again / "report" / "training.png").exists()
    with pytest.raises(Problem, match="of which figure 3 is"):
        paper_report.main(["--data", str(demo), "--model", str(again), "--split", "test"])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--refit", "histogram", "--crop", "24"], "it had another --crop; leave that out"),
        (["--refit", "histogram again"], "has learnt from the validation clips already"),
        (["--refit", "small"], r"made by another script \(train_conv3d_lstm.py\)"),
        (["--refit", "histogram", "--stream", "grey"], "no grey in it, only rgb, flow"),
    ],
)
def test_what_cannot_be_refitted(runs, demo, tmp_path, flags, said):
    flags = [str(runs.get(flag, flag)) for flag in flags]
    with pytest.raises(Problem, match=said):
        call(train_linear, demo, tmp_path / "out", *flags)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("length", [None, "any"])
def test_a_run_of_an_earlier_version(runs, tmp_path, length):
    """Its bundle has `length` in place of `sampling`, and no script's name."""
    folder = shutil.copytree(runs["small"], tmp_path / "earlier")
    content = json.loads((folder / "bundle.json").read_text())
    for name in ("script", "sampling", "recipe"):
        del content["flags"][name]
    content["flags"]["length"] = length
    (folder / "bundle.json").write_text(json.dumps(content))
    where = ["--data", "data", "--output", "model", "--refit"]
    args, known = (vars(train_conv3d_lstm.parse([*where, str(run)])) for run in (folder, runs["small"]))
    assert args == {**known, "refit": str(folder), "sampling": "whole" if length else "even"}
    with pytest.raises(Problem, match=r"made by another script \(train_conv3d_lstm.py\)"):
        train_linear.parse([*where, str(folder)])


@pytest.mark.parametrize(
    ("part", "name", "value"),
    [
        ("flags", "epochs", None),
        ("flags", "batch", "x"),
        ("flags", "flip", 3),
        ("flags", "recipe", "x"),
        ("flags", "recipe", []),
        ("training", "rgb", "x"),
        ("training", "rgb", {}),
    ],
)
def test_a_run_with_damaged_flags(runs, tmp_path, part, name, value):
    folder = shutil.copytree(runs["small"], tmp_path / "damaged")
    content = json.loads((folder / "bundle.json").read_text())
    content[part][name] = value
    (folder / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(Problem, match="no training writes|of an earlier run"):
        train_conv3d_lstm.parse(["--data", "data", "--output", "model", "--refit", str(folder)])


@pytest.mark.parametrize(
    ("flags", "networks", "script"),
    [
        ({"penalty": [1.0], "network": "i3d"}, ["i3d"], "train_linear.py"),
        ({"epochs": 3}, ["i3d", "i3d"], "train_i3d.py"),
        ({"epochs": 3, "length": None}, ["conv3d-lstm"], "train_conv3d_lstm.py"),
        ({"features": "mobilenet"}, ["cnn-lstm"], "train_frame.py or train_lstm.py"),
        ({"model": ["one", "other"]}, ["i3d", "histogram"], "ensemble.py or compress.py"),
        ({"script": "train_i3d.py", "epochs": 3}, ["i3d"], "train_i3d.py"),
    ],
)
def test_the_script_that_trained_a_model(flags, networks, script):
    streams = [Stream(str(number), "rgb", network, {}, {}) for number, network in enumerate(networks)]
    assert refit.script_of(Bundle(Path("model"), None, [], streams, "mean", {"flags": flags, "training": {}})) == script


def test_other_classes_are_other_data(runs, demo, tmp_path):
    other = linked(demo, tmp_path / "data")
    table = (other / "class.csv").read_text().splitlines()
    (other / "class.csv").write_text("\n".join([table[0], *table[:0:-1]]) + "\n")
    assert [row.label for row in load_dataset(other).classes] != [row.label for row in load_dataset(demo).classes]
    with pytest.raises(Problem, match="has other classes than"):
        call(train_linear, other, tmp_path / "out", "--refit", runs["histogram"])
