"""The real train_i3d.py on a very small demo: streams one by one, published weights."""

import json
import os
import shutil
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.inference.bundle import BUNDLE_FILE, load_bundle
from signs.models import i3d as i3d_module
from signs.training import loop
from signs.training.log import Log

import numpy as np
import pytest

import checkpoints
import conftest
import small_network
import train_i3d
from tiny import arrays

SEES = ["--frames", "8", "--crop", "32/36"]


def train(demo, output, *flags) -> int:
    return train_i3d.main(["--data", str(demo), "--output", str(output), *flags])


def test_the_bundle_has_both_streams_each_trained_by_itself(i3d):
    found = load_bundle(i3d)
    assert [(stream.name, stream.arguments["input_shape"]) for stream in found.streams] == [
        ("rgb", [8, 32, 32, 3]),
        ("flow", [8, 32, 32, 2]),
    ]
    log = Log(i3d / "log.csv")
    for stream in ("rgb", "flow"):
        rows = [(row["phase"], row["epoch"], row["learning_rate"]) for row in log.rows_of(stream)]
        assert rows == [("all", "1", "0.001")]
        assert list((i3d / "events" / stream).rglob("events.out.tfevents.*"))


def test_again_does_nothing_and_other_settings_are_refused(demo, i3d, capsys):
    files = [path for path in i3d.rglob("*") if path.is_file() and not path.name.startswith((".lock", "bundle.json"))]
    before = {path: path.stat().st_mtime_ns for path in files}
    whole = json.loads((i3d / "bundle.json").read_text())
    assert train(demo, i3d, *conftest.I3D_TRAINING) == command.DONE
    said = capsys.readouterr().out
    assert "rgb: trained already, 1 epochs" in said and "flow: trained already, 1 epochs" in said
    with pytest.raises(Problem, match=r"holds a run with other settings \(dropout\)"):
        train(demo, i3d, *conftest.I3D_TRAINING, "--recipe", "dropout=0.4")
    with pytest.raises(Problem, match=r"other settings \(crop, seed\)"):
        train(demo, i3d, *conftest.I3D_TRAINING, "--crop", "34", "--seed", "1")
    assert {path: path.stat().st_mtime_ns for path in files} == before
    again = json.loads((i3d / "bundle.json").read_text())
    assert again | {"commit": 0} == whole | {"commit": 0}


def test_missing_published_weights_are_named(demo, tmp_path):
    with pytest.raises(
        Problem,
        match="no model.ckpt.index and model.ckpt.data-00000-of-00001 there or in its rgb_imagenet.*--weights none",
    ) as caught:
        train(demo, tmp_path / "model", "--weights", str(tmp_path), *SEES)
    assert "\n" not in str(caught.value) and not (tmp_path / "model").exists()


@pytest.fixture
def smaller():
    with checkpoints.smaller_i3d():
        yield


@pytest.fixture
def published(smaller, tmp_path_factory) -> tuple[Path, dict]:
    """A folder with an RGB checkpoint as published, for 400 classes, and its arrays."""
    from signs.models.i3d import build_i3d
    from signs.models.weights import checkpoint_names

    import tensorflow as tf

    folder = tmp_path_factory.mktemp("kinetics")
    (folder / "rgb_imagenet").mkdir()
    names = checkpoint_names(build_i3d((8, 32, 32, 3), 400))
    values = {name: np.asarray(variable) for name, variable in names.items()}
    tf.raw_ops.SaveV2(
        prefix=str(folder / "rgb_imagenet" / "model.ckpt"),
        shape_and_slices=[""] * len(values),
        tensor_names=[f"RGB/inception_i3d/{name}" for name in values],
        tensors=list(values.values()),
    )
    return folder, values


def test_from_published_weights_first_the_top_and_then_everything(demo, published, smaller, tmp_path, monkeypatch):
    from signs.models.weights import checkpoint_names

    folder, values = published
    starts, compiled = [], loop.compile_model

    def compile_and_look(model, phase, *rest):
        compiled(model, phase, *rest)
        starts.append({name: np.array(variable) for name, variable in checkpoint_names(model).items()})
        compile_and_look.model = model

    monkeypatch.setattr(loop, "compile_model", compile_and_look)
    flags = ["--stream", "rgb", *SEES, "--recipe", "top-epochs=1", "--epochs", "1", "--batch", "16"]
    with conftest.without_graphs():
        assert train(demo, tmp_path / "model", "--weights", str(folder), *flags) == 0
    rows = Log(tmp_path / "model" / "log.csv").rows
    assert [(row["phase"], float(row["learning_rate"])) for row in rows] == [("top", 1e-3), ("all", 1e-4)]
    first, second = starts
    last = {name: np.array(variable) for name, variable in checkpoint_names(compile_and_look.model).items()}
    for name, value in values.items():
        if name.startswith("Logits"):
            assert not np.array_equal(first[name], second[name]) and not np.array_equal(second[name], last[name])
        else:
            np.testing.assert_array_equal(first[name], value.reshape(first[name].shape), name)
            np.testing.assert_array_equal(second[name], first[name], name)
            assert not np.array_equal(last[name], second[name]), name


def test_it_starts_from_another_model(demo, i3d, tmp_path, monkeypatch):
    from signs.inference.runtime import KerasNetwork

    class Started(Exception):
        pass

    def fit(training, phases):
        assert training.until is None
        assert [phase.name for phase in phases] == ["top", "all"]
        fit.weights = training.model.get_weights()
        raise Started

    monkeypatch.setattr(loop.Training, "fit", fit)
    with pytest.raises(Started):
        train(demo, tmp_path / "model", "--weights", str(i3d), "--stream", "flow", *SEES)
    made = load_bundle(i3d)
    stream = next(row for row in made.streams if row.name == "flow")
    wanted = KerasNetwork.load(stream, made.weights(stream)).model.get_weights()
    assert all(np.array_equal(a, b) for a, b in zip(fit.weights, wanted, strict=True))


def test_a_model_to_start_from_without_that_stream(demo, i3d, tmp_path):
    left_out = shutil.ignore_patterns("checkpoint", "events", ".lock*")
    copied = Path(shutil.copytree(i3d, tmp_path / "copied", copy_function=os.link, ignore=left_out))
    content = json.loads((copied / BUNDLE_FILE).read_text())
    content["streams"] = [stream for stream in content["streams"] if stream["name"] == "rgb"]
    with command.atomic(copied / BUNDLE_FILE) as temporary:  # a hard link to the bundle of all tests: replaced
        temporary.write_text(json.dumps(content))
    with pytest.raises(Problem, match="no I3D on flow in it, only rgb"):
        train(demo, tmp_path / "new", "--weights", str(copied), "--stream", "flow", *SEES)
    assert not (tmp_path / "new").exists()


def test_the_strong_recipe_and_its_mixed_precision(demo, tmp_path, capsys, monkeypatch):
    """Every part of it at once; what it leaves is an ordinary bundle, which looks at a clip twice.

    A small network stands in I3D's place: a processor without bfloat16 takes minutes for I3D's steps in it.
    """
    import keras

    import evaluate

    monkeypatch.setattr(i3d_module, "build_i3d", small_network.build)

    output = tmp_path / "model"
    flags = [
        "--stream",
        "rgb",
        *SEES,
        "--weights",
        "none",
        "--epochs",
        "2",
        "--batch",
        "8",
        "--recipe",
        "strong",
        "accumulate=2",
        "--precision",
        "mixed_bfloat16",
        "--normalise",
        "mean",
    ]
    try:
        with conftest.without_graphs():
            assert train(demo, output, *flags) == command.DONE
    finally:
        keras.config.set_dtype_policy("float32")
    rates = [float(row["learning_rate"]) for row in Log(output / "log.csv").rows]
    assert rates[0] == pytest.approx(1e-3) and rates[1] < 1e-4, "one epoch of warm-up, then the cosine's end"
    made = load_bundle(output)
    assert made.spec.input.views == 2 and made.about["flags"]["mixup"] == 0.2 and made.about["flags"]["balance"]
    weights = arrays(output / "rgb.weights.h5")
    assert all(value.dtype == np.float32 for value in weights.values())
    with conftest.sketches(), conftest.without_graphs():
        assert evaluate.main(["--data", str(demo), "--model", str(output), "--gallery", "0"]) == command.DONE
    assert "colour pictures" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--augment", "part=0"], "--augment part=0: above 0"),
        (["--augment", "part=1.5"], "--augment part=1.5: above 0, at most 1"),
        (["--recipe", "ema=1"], "--recipe ema=1: at least 0, below 1"),
        (["--recipe", "ema=most"], "--recipe ema=most: no float"),
        (["--recipe", "balance=1"], "--recipe balance=1: yes or no"),
        (["--recipe", "weak"], "--recipe weak: expected paper, strong, compact, patience=VALUE"),
        (["--recipe", "zoom=0.1"], "--recipe zoom=0.1: expected paper"),
        (["--augment", "zoom=-0.1"], "--augment zoom=-0.1: at least 0"),
        (["--augment", "zoom"], "--augment zoom: expected shift=VALUE, "),
        (["--frames", "8x0"], "--frames 8x0: expected N or NxV"),
        (["--frames", "whole"], "--frames whole: expected N or NxV"),
        (["--crop", "0"], "--crop 0: expected pixels, 224, or"),
        (["--normalise", "all"], "--normalise invalid choice: 'all'"),
        (["--epochs", "-1"], "--epochs -1: at least 0"),
        (["--learning-rate", "0"], "--learning-rate 0: above 0"),
        (["--recipe", "accumulate=0"], "--recipe accumulate=0: at least 1"),
        (["--flip", "left"], "--flip left: pairs of labels"),
        (["--flip", "1=2", "2=3"], "--flip 1=2 2=3: pairs of labels"),
    ],
)
def test_numbers_that_make_no_sense(demo, tmp_path, flags, said):
    with pytest.raises(Problem, match=said):
        train(demo, tmp_path / "model", *flags)
    assert not (tmp_path / "model").exists()
