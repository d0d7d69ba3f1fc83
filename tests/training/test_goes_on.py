"""A training that is killed leaves, in the end, the bytes of one that is not; one that goes on from other weights draws
other numbers than the training that made them."""

import time

from signs import command
from signs.command import Problem
from signs.inference.bundle import load_bundle
from signs.models import sparse_weights
from signs.models.weights import write_weights
from signs.training import compression
from signs.training.callbacks import EpochStart, _dropout_layers
from signs.training.log import Log, Validated
from signs.training.loop import Training

import keras
import numpy as np
import pytest

import compress
import starter
import tiny
import train_conv3d_lstm
import train_i3d
import train_lstm
from conftest import SEES, without_graphs

NETWORK = tiny.REPOSITORY / "tests" / "small_network.py"
KEPT = ("bundle.json", "rgb.weights.h5", "checkpoint/rgb-0003.weights.h5", "checkpoint/rgb-0003.average.weights.h5")


def test_killed_at_any_moment_it_leaves_the_bytes_of_an_unbroken_run(demo, tmp_path):
    flags = ["--stream", "rgb", *SEES, "--weights", "none", "--epochs", "3", "--batch", "4", "--recipe", "ema=0.9"]

    def start(name: str) -> starter.Started:
        return starter.start(NETWORK, "train_i3d", "--data", demo, "--output", tmp_path / name, *flags)

    assert start("whole").wait().returncode == command.DONE
    stopped = start("stopped")
    while not (tmp_path / "stopped" / "checkpoint" / "rgb.json").exists() and stopped.poll() is None:
        time.sleep(0.01)
    stopped.kill()
    assert stopped.wait().returncode == -9 and not (tmp_path / "stopped" / "bundle.json").exists()
    done = start("stopped").wait()
    assert done.returncode == command.DONE and "rgb: going on after epoch" in done.stdout
    assert not list((tmp_path / "stopped").rglob(".*.part*"))
    for name in KEPT:
        assert command.sha256(tmp_path / "stopped" / name) == command.sha256(tmp_path / "whole" / name), name
    whole, stopped = (
        [{**row, "seconds": ""} for row in Log(tmp_path / name / "log.csv").rows] for name in ("whole", "stopped")
    )
    assert whole == stopped and [row["epoch"] for row in whole] == ["1", "2", "3"]
    kept = sorted(path.name for path in (tmp_path / "stopped" / "valid").iterdir())
    assert kept == [f"rgb-000{epoch}.npz" for epoch in (1, 2, 3)]
    for epoch in (1, 2, 3):
        one, other = (Validated.read(tmp_path / name, "rgb", epoch) for name in ("whole", "stopped"))
        assert one.clips.tolist() == other.clips.tolist()
        assert np.array_equal(one.probabilities, other.probabilities)


def test_equal_weights_are_equal_bytes_whatever_the_layers_are_called(tmp_path):
    def build() -> keras.Model:
        inputs = keras.Input((3,))
        x = keras.layers.Dropout(0.5)(keras.layers.Dense(4, kernel_initializer="ones")(inputs))
        return keras.Model(inputs, keras.layers.Dense(2, kernel_initializer="ones")(x))

    one, other = build(), build()
    assert one.name != other.name and one.layers[1].name != other.layers[1].name
    other.set_weights([np.full_like(value, number) for number, value in enumerate(other.get_weights())])
    write_weights(other, tmp_path / "other.weights.h5")
    one.load_weights(tmp_path / "other.weights.h5")
    for found, expected in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(found, expected)
    write_weights(one, tmp_path / "one.weights.h5")
    assert (tmp_path / "one.weights.h5").read_bytes() == (tmp_path / "other.weights.h5").read_bytes()
    # So it is with files of compress.py, of an Inception whose layers have no names.
    assert sparse_weights.pack(one, "int8") == sparse_weights.pack(other, "int8")
    sparse_weights.save(other, tmp_path / "other.sparse.h5")
    one.set_weights([np.zeros_like(value) for value in one.get_weights()])
    sparse_weights.load(one, tmp_path / "other.sparse.h5")
    for found, expected in zip(one.get_weights(), other.get_weights(), strict=True):
        assert np.array_equal(found, expected)


@pytest.fixture
def begun(monkeypatch):
    """What each training begins with, none of which is trained: the order, augmentation and dropout of epoch 0."""
    seen = []

    def note(training, phases):
        batches, start = training.generators["train"], EpochStart(training.generators["train"])
        start.set_model(training.model)
        start.on_epoch_begin(0)
        dropped = [np.asarray(layer.seed_generator.state).tolist() for layer in _dropout_layers(training.model)]
        drawn = [batches._draw(position).brightness.tolist() for position in range(4)]
        seen.append((batches._order().tolist(), drawn, dropped))
        write_weights(training.model, training.folder / f"{training.stream}.weights.h5")
        raise StopIteration

    monkeypatch.setattr(Training, "fit", note)
    return seen


def assert_other_numbers(begun: list, parent, child) -> None:
    """Of the parent's training, of a training that goes on from there, and of the same again."""
    for train in (parent, child, child):
        with pytest.raises(StopIteration):
            train()
    first, second, again = begun
    assert second == again and all(dropped for _, _, dropped in begun)
    assert not any(one == other for one, other in zip(first, second, strict=True))


def test_a_student_that_goes_on_is_shown_something_else(demo, model, tmp_path, begun):
    flags = ["--data", str(demo), "--stream", "rgb", "--size", "small", *SEES, "--output"]
    go_on = [*flags, str(tmp_path / "child"), "--weights", str(model)]
    assert_other_numbers(
        begun, lambda: train_conv3d_lstm.main([*flags, str(tmp_path / "parent")]), lambda: train_conv3d_lstm.main(go_on)
    )
    # The weights that it began with are others by now.
    (tmp_path / "child" / "checkpoint" / "rgb.json").write_text("{}")
    (tmp_path / "child" / "checkpoint" / "rgb.start").write_text("of another file")
    with pytest.raises(Problem, match=r"its rgb training began with other weights than .*rgb.weights.h5 has now;"):
        train_conv3d_lstm.main(go_on)


def test_fine_tuning_after_pruning_is_shown_something_else(demo, model, tmp_path, begun):
    from signs.clips.dataset import load_dataset

    data, source = load_dataset(demo), load_bundle(model)
    args = compress.parse(["--data", str(demo), "--model", str(model), "--output", str(tmp_path)])
    flags, stream = compression.flags_of(source, args), source.streams[0]
    batches = compress.bundle_generators(flags, data, source, stream)

    def train(folder: str, share: float):
        return compression.prune_stream(
            flags, batches, stream, source.weights(stream), tmp_path / folder, sparsity=share
        )

    parent = ["--data", str(demo), "--stream", "rgb", "--size", "small", *SEES, "--output", str(tmp_path / "parent")]
    assert_other_numbers(begun, lambda: train_conv3d_lstm.main(parent), lambda: train("step", 0.5))


@pytest.fixture
def small_i3d(monkeypatch):
    from signs.models import i3d

    import small_network

    monkeypatch.setattr(i3d, "build_i3d", small_network.build)


@pytest.fixture
def trained(small_i3d, demo, tmp_path):
    """A run of train_i3d.py, and its flags."""
    flags = ["--data", str(demo), "--stream", "rgb", *SEES, "--batch", "8", "--workers", "1", "--output"]
    with without_graphs():
        assert train_i3d.main([*flags, str(tmp_path / "model"), "--weights", "none", "--epochs", "1"]) == command.DONE
    return tmp_path / "model", flags


def test_an_i3d_that_goes_on_is_shown_something_else(trained, tmp_path, begun):
    model, flags = trained
    assert_other_numbers(
        begun,
        lambda: train_i3d.main([*flags, str(tmp_path / "again"), "--weights", "none"]),
        lambda: train_i3d.main([*flags, str(tmp_path / "child"), "--weights", str(model)]),
    )


@pytest.fixture
def lstm(small_network, features, tmp_path):
    """A run of train_lstm.py with no default in its network, and the flags that it shares with others."""
    flags = ["--data", str(features), "--features", "small", "--frames", "4", "--output"]
    built = ["--lstm", "5", "--dense", "3", "--batch-norm", "--read", "mean", "--normalise", "features"]
    with without_graphs():
        assert train_lstm.main([*flags, str(tmp_path / "model"), *built, "--epochs", "1"]) == command.DONE
    return tmp_path / "model", flags, built


def test_an_lstm_that_goes_on_is_shown_something_else_and_built_as_the_model_is(lstm, tmp_path, begun):
    model, flags, built = lstm
    assert_other_numbers(
        begun,
        lambda: train_lstm.main([*flags, str(tmp_path / "again"), *built]),
        lambda: train_lstm.main([*flags, str(tmp_path / "child"), "--weights", str(model)]),
    )
    child = train_lstm.parse([*flags, str(tmp_path / "child"), "--weights", str(model)])
    assert (child.lstm, child.dense, child.batch_norm, child.centre, child.read) == ([5], [3], True, True, "mean")
    with pytest.raises(Problem, match=r"its network is .*'lstm': \[5\].*; leave --lstm, --dense, ... out"):
        train_lstm.main([*flags, str(tmp_path / "other"), "--weights", str(model), "--lstm", "6"])
