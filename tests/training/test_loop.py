"""Phases, log, checkpoints, early stopping and resuming, on a network that trains in a second."""

import json
import threading

from signs.clips.dataset import Clip
from signs.command import Problem
from signs.training import callbacks, distribute, loop
from signs.training.averaging import Average
from signs.training.checkpoint import Checkpoint
from signs.training.log import HEADER, Log, Validated
from signs.training.loop import Training
from signs.training.recipe import Phase, Recipe

import keras
import numpy as np
import pytest

import conftest

pytestmark = pytest.mark.usefixtures("eager")
BATCHES = 2  # a step by itself takes as long as an epoch of a graph
PHASES = [Phase("top", 1, 1e-2, top_only=True), Phase("all", 3, 1e-3)]


@pytest.fixture(autouse=True)
def a_checkpoint_each_epoch(monkeypatch):
    monkeypatch.setattr(callbacks, "SPARED", 0.0)


class Data(keras.utils.PyDataset):
    """Batches that depend on the epoch; `stop_at`: an epoch in which the machine goes off."""

    at_hand, devices = True, distribute.ONE

    def __init__(self, stop_at: int | None = None, flip: bool = False, moves: bool = True):
        super().__init__()
        self.seed, self.epoch, self.stop_at, self.flip, self.moves = 0, 0, stop_at, flip, moves

    def __len__(self):
        return BATCHES

    @property
    def clips(self):
        return [Clip(f"clip_{number}", "valid") for number in range(8 * BATCHES)]

    @property
    def targets(self):
        return np.concatenate([self[number][1] for number in range(BATCHES)]).argmax(axis=1)

    def __getitem__(self, number):
        if self.epoch == self.stop_at and number == BATCHES - 1:
            raise RuntimeError("power cut")
        rng = np.random.default_rng([self.epoch * self.moves, number])
        x = rng.normal(size=(8, 6)).astype(np.float32)
        y = np.eye(2, dtype=np.float32)[(x[:, 0] > 0).astype(int)]
        return x, 1 - y if self.flip else y


def build(dropout: float = 0.5) -> keras.Model:
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((6,))
    x = keras.layers.BatchNormalization(name="norm")(keras.layers.Dense(8, name="dense")(x))
    x = keras.layers.Dropout(dropout, name="drop")(keras.layers.ReLU()(x))
    return keras.Model(inputs, keras.layers.Dense(2, name="Logits_dense")(x))


def train(folder, data=None, valid=None, phases=PHASES, patience=9, **recipe) -> keras.Model:
    model = build()
    recipe = Recipe(patience=patience, **recipe)
    generators = {"train": data or Data(), "valid": valid or Data(moves=False)}
    Training(model, generators, folder, "rgb", recipe).fit(phases)
    return model


def rows(folder) -> list[tuple]:
    log = Log(folder / "log.csv")
    return [(row["phase"], int(row["epoch"]), float(row["learning_rate"])) for row in log.rows]


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken")
    return folder, train(folder)


def test_log_has_each_epoch_with_its_phase_and_rate(unbroken):
    folder, _ = unbroken
    assert rows(folder) == [("top", 1, 1e-2), *(("all", epoch, 1e-3) for epoch in range(2, 5))]
    assert next((folder / "events" / "rgb").rglob("events.out.tfevents.*")).stat().st_size > 0
    assert Checkpoint(folder, "rgb").state.finished
    assert [path.name for path in (folder / "checkpoint").glob("*.h5")] == ["rgb-0004.weights.h5"]


def test_the_weights_are_those_of_the_best_epoch(unbroken):
    folder, _ = unbroken
    model = build()
    model.load_weights(folder / "rgb.weights.h5")
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    best = min(float(row["val_loss"]) for row in Log(folder / "log.csv").rows)
    assert model.evaluate(Data(moves=False), verbose=0) == pytest.approx(best, abs=1e-5)


def validated(folder) -> list[Validated]:
    """Of every epoch of the log, each checked against the log's numbers."""
    found = []
    for row in Log(folder / "log.csv").rows_of("rgb"):
        one = Validated.read(folder, "rgb", int(row["epoch"]))
        right = one.probabilities[np.arange(8 * BATCHES), one.targets].astype(float)
        assert -np.log(right).mean() == pytest.approx(float(row["val_loss"]), rel=1e-4)
        assert np.mean(one.probabilities.argmax(axis=1) == one.targets) == pytest.approx(float(row["val_accuracy"]))
        found.append(one)
    assert len(list((folder / "valid").iterdir())) == len(found), "of other epochs there is nothing"
    return found


def kept_probabilities(folder) -> np.ndarray:
    """(N, 2) what the kept weights make of the validation clips, by Keras's own softmax."""
    model = build()
    model.load_weights(folder / "rgb.weights.h5")
    batches = [model(Data(moves=False)[number][0], training=False) for number in range(BATCHES)]
    return np.concatenate([keras.ops.convert_to_numpy(keras.ops.softmax(logits)) for logits in batches])


def best_of(folder) -> int:
    return int(np.argmin([float(row["val_loss"]) for row in Log(folder / "log.csv").rows_of("rgb")]))


def test_each_epochs_probabilities_are_kept(unbroken):
    folder, _ = unbroken
    found = validated(folder)
    assert len(found) == 4 and not np.array_equal(found[1].probabilities, found[2].probabilities)
    for one in found:
        assert one.clips.tolist() == [item.clip for item in Data(moves=False).clips]
        assert one.targets.tolist() == Data(moves=False).targets.tolist()
    np.testing.assert_allclose(found[best_of(folder)].probabilities, kept_probabilities(folder), atol=1e-6)


def test_without_validation_it_ends_with_the_epoch_that_is_asked_for(unbroken, tmp_path, capsys):
    """On the same schedule: its weights are those that the run with validation had then; also when it was stopped."""
    recipe = {"schedule": "cosine", "warm_up": 1.0, "ema": 0.9}
    wanted = train(tmp_path / "whole", phases=[Phase("all", 3, 1e-2)], **recipe)
    plan = Recipe(patience=9, **recipe)
    phases = [Phase("all", 3, 1e-2), Phase("more", 2, 1e-2)]
    with pytest.raises(Exception, match="power cut"):
        Training(build(), {"train": Data(2), "valid": None}, tmp_path / "again", "rgb", plan, until=3).fit(phases)
    Training(build(), {"train": Data(), "valid": None}, tmp_path / "again", "rgb", plan, until=3).fit(phases)
    assert "valid" not in capsys.readouterr().out.split("going on after epoch 2")[1]
    log = Log(tmp_path / "again" / "log.csv").rows
    assert [(row["epoch"], row["val_loss"], row["val_accuracy"]) for row in log] == [
        (str(epoch), "", "") for epoch in (1, 2, 3)
    ]
    assert [row["loss"] for row in log] == [row["loss"] for row in Log(tmp_path / "whole" / "log.csv").rows]
    found, average = build(), build()
    found.load_weights(tmp_path / "again" / "checkpoint" / "rgb-0003.weights.h5")
    np.testing.assert_allclose(found.get_weights()[0], wanted.get_weights()[0], atol=1e-6)
    average.load_weights(tmp_path / "again" / "rgb.weights.h5")
    kept = build()
    kept.load_weights(tmp_path / "whole" / "checkpoint" / "rgb-0003.average.weights.h5")
    for one, other in zip(average.get_weights(), kept.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_the_top_alone_moves_in_the_first_phase(tmp_path):
    start, model = build().get_weights(), train(tmp_path, phases=PHASES[:1])
    moved = [not np.array_equal(a, b) for a, b in zip(start, model.get_weights(), strict=True)]
    names = [variable.path for variable in model.weights]
    assert {name for name, changed in zip(names, moved, strict=True) if changed} >= {"Logits_dense/kernel"}
    # Not even the moving averages of what is frozen.
    assert not any(changed for name, changed in zip(names, moved, strict=True) if name.startswith(("norm", "dense")))


def test_frozen_layers_stay(tmp_path):
    start, model = build().get_weights(), train(tmp_path, phases=[Phase("all", 1, 1e-2, frozen=("den",))])
    names = [variable.path for variable in model.weights]
    moved = {name for name, a, b in zip(names, start, model.get_weights(), strict=True) if not np.array_equal(a, b)}
    assert moved == {name for name in names if not name.startswith("dense/")}


def compiled(**recipe) -> keras.Model:
    model = build(dropout=0)
    loop.compile_model(model, Phase("all", 1, 1e-1), Recipe(**recipe), 4)
    return model


def test_weight_decay_takes_its_share_of_a_weight():
    model = compiled(weight_decay=0.5)
    before, (x, y) = model.get_layer("dense").get_weights()[0], Data()[0]
    model.train_on_batch(x, y, sample_weight=np.zeros(len(x)))
    np.testing.assert_allclose(model.get_layer("dense").get_weights()[0], before * (1 - 0.1 * 0.5), rtol=1e-5)


def test_a_gradient_is_no_longer_than_allowed():
    lengths = {}
    for longest in (0.0, 1e-3):
        model = compiled(clip_norm=longest)
        model.train_on_batch(*Data()[0])
        # After a step Adam's running mean is a tenth of the gradient.
        means = [np.array(value) for value in model.optimizer.variables if value.path.endswith("_momentum")]
        lengths[longest] = 10 * np.sqrt(sum(np.sum(value**2) for value in means))
    assert lengths[1e-3] == pytest.approx(1e-3, rel=1e-3) and lengths[0.0] > 0.1


@pytest.mark.parametrize("stop_at", [0, 1, 3])
def test_a_stopped_run_goes_on_to_the_weights_of_an_unbroken_one(unbroken, tmp_path, capsys, stop_at):
    folder, expected = unbroken
    with pytest.raises(Exception, match="power cut"):
        train(tmp_path, Data(stop_at))
    assert len(rows(tmp_path)) == stop_at
    found = train(tmp_path)
    assert (f"going on after epoch {stop_at}" in capsys.readouterr().out) == (stop_at > 0)
    assert rows(tmp_path) == rows(folder)
    for one, other in zip(found.get_weights(), expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    for one, other in zip(validated(tmp_path), validated(folder), strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    for name in ("rgb.weights.h5", "checkpoint/rgb-0004.weights.h5"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_quick_epochs_share_a_checkpoint_and_a_stop_loses_them(unbroken, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(callbacks, "SPARED", 1000.0)
    folder, _ = unbroken
    with pytest.raises(Exception, match="power cut"):
        train(tmp_path, Data(3))
    assert len(rows(tmp_path)) == 3 and Checkpoint(tmp_path, "rgb").state.epoch == 2, "the first of the second phase"
    train(tmp_path)
    assert "going on after epoch 2" in capsys.readouterr().out and rows(tmp_path) == rows(folder)
    for name in ("rgb.weights.h5", "checkpoint/rgb-0004.weights.h5"):
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_a_row_without_its_checkpoint_is_written_again(unbroken, tmp_path):
    """Killed between the log and the checkpoint; the other stream's rows and probabilities stay."""
    with pytest.raises(Exception, match="power cut"):
        train(tmp_path, Data(2))
    log = Log(tmp_path / "log.csv")
    log.add(log.rows[-1] | {"epoch": 3})
    log.add(log.rows[-1] | {"stream": "flow", "epoch": 3})
    wrong = Validated(np.array(["other"]), np.zeros(1, int), np.ones((1, 2), np.float32))
    for stream, epoch in (("rgb", 3), ("rgb", 9), ("flow", 3)):
        wrong.write(tmp_path, stream, epoch)
    train(tmp_path)
    (tmp_path / "valid" / "flow-0003.npz").unlink()
    assert len(validated(tmp_path)) == 4
    log = Log(tmp_path / "log.csv")
    assert [int(row["epoch"]) for row in log.rows_of("rgb")] == [1, 2, 3, 4]
    assert len(log.rows_of("flow")) == 1
    assert [row["loss"] for row in log.rows_of("rgb")] == [row["loss"] for row in Log(unbroken[0] / "log.csv").rows]


def test_a_network_without_dropout(tmp_path):
    generators = {"train": Data(), "valid": Data(moves=False)}
    Training(build(dropout=0), generators, tmp_path, "rgb", Recipe()).fit(PHASES[:1])
    assert len(rows(tmp_path)) == 1


class Weights(keras.callbacks.Callback):
    """Every step's weights, as a reference for their average."""

    def on_train_batch_end(self, batch, logs=None):
        self.steps = [*getattr(self, "steps", []), self.model.get_weights()]


def test_the_average_is_that_of_the_steps():
    model = build()
    average, weights = Average(0.5, model), Weights()
    model.compile("adam", keras.losses.CategoricalCrossentropy(from_logits=True))
    expected = model.get_weights()
    model.fit(Data(), epochs=3, shuffle=False, verbose=0, callbacks=[weights, average])
    for step, values in enumerate(weights.steps, 1):
        keep = min(0.5, (1 + step) / (10 + step))
        expected = [keep * mean + (1 - keep) * value for mean, value in zip(expected, values, strict=True)]
    average.swap()
    for variable, mean, last in zip(model.weights, expected, weights.steps[-1], strict=True):
        if variable.dtype == "float32":
            np.testing.assert_allclose(variable.numpy(), mean, rtol=1e-4, atol=1e-6)
            assert not np.allclose(variable.numpy(), last, rtol=1e-4, atol=1e-6)


def test_an_averaged_training_on_a_cosine_goes_on_to_the_weights_of_an_unbroken_one(tmp_path):
    phases = [Phase("all", 4, 1e-2)]
    recipe = {"ema": 0.9, "schedule": "cosine", "warm_up": 1, "accumulate": 2, "balance": True}
    train(tmp_path / "whole", phases=phases, **recipe)
    with pytest.raises(Exception, match="power cut"):
        train(tmp_path / "stopped", Data(stop_at=2), phases=phases, **recipe)
    train(tmp_path / "stopped", phases=phases, **recipe)
    assert rows(tmp_path / "stopped") == rows(tmp_path / "whole")
    rates = [rate for _, _, rate in rows(tmp_path / "whole")]
    assert rates[0] == pytest.approx(1e-2) and rates == sorted(rates, reverse=True) and rates[-1] < 1e-4
    for name in ("rgb.weights.h5", "checkpoint/rgb-0004.average.weights.h5"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes(), name
    whole, stopped = (validated(tmp_path / name) for name in ("whole", "stopped"))
    for one, other in zip(whole, stopped, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
    best = best_of(tmp_path / "whole")
    np.testing.assert_allclose(whole[best].probabilities, kept_probabilities(tmp_path / "whole"), atol=1e-6)
    names = sorted(path.name for path in (tmp_path / "whole" / "checkpoint").glob("*.h5"))
    assert names == ["rgb-0004.average.weights.h5", "rgb-0004.weights.h5"]
    model = build()
    model.load_weights(tmp_path / "whole" / "rgb.weights.h5")
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    best = min(float(row["val_loss"]) for row in Log(tmp_path / "whole" / "log.csv").rows)
    assert model.evaluate(Data(moves=False), verbose=0) == pytest.approx(best, abs=1e-5)


def test_adding_up_gradients_is_a_step_of_a_larger_batch():
    steps = {}
    for accumulate in (1, 2):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((6,))  # without batch normalisation, whose statistics are those of the half
        hidden = keras.layers.Dense(8, activation="tanh")(inputs)
        model = keras.Model(inputs, keras.layers.Dense(2, name="Logits_dense")(hidden))
        before = model.get_layer("Logits_dense").get_weights()[0]
        loop.compile_model(model, Phase("all", 1, 1e-2), Recipe(accumulate=accumulate), 4)
        x, y = np.random.default_rng(0).normal(size=(16, 6)).astype(np.float32), np.eye(2)[np.arange(16) % 2]
        if accumulate == 2:
            model.train_on_batch(x[:8], y[:8])
            assert np.array_equal(model.get_layer("Logits_dense").get_weights()[0], before), "the first half waits"
            model.train_on_batch(x[8:], y[8:])
        else:
            model.train_on_batch(x, y)
        steps[accumulate] = model.get_layer("Logits_dense").get_weights()[0] - before
    # Both halves' gradients add up to the whole's: one step of Adam, of the size of its rate.
    np.testing.assert_allclose(steps[2], steps[1], atol=1e-4)
    assert np.abs(steps[1]).max() == pytest.approx(1e-2, rel=1e-3)


def test_training_again_when_finished_does_nothing(unbroken, capsys):
    folder, _ = unbroken
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    train(folder)
    assert "rgb: trained already, 4 epochs" in capsys.readouterr().out
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before


WORSENING = [Phase("all", 30, 1e-1)]


def test_early_stopping_counts_on_after_a_stop(tmp_path):
    """Trained on one truth and validated on its opposite, the loss only rises: patience decides."""
    whole, stopped, patience = tmp_path / "whole", tmp_path / "stopped", 2
    wrong = Data(flip=True, moves=False)
    train(whole, valid=wrong, phases=WORSENING, patience=patience)
    losses = [float(row["val_loss"]) for row in Log(whole / "log.csv").rows]
    assert len(losses) == int(np.argmin(losses)) + 1 + patience < 30
    with pytest.raises(Exception, match="power cut"):
        train(stopped, Data(len(losses) - 2), Data(flip=True, moves=False), WORSENING, patience)
    train(stopped, None, Data(flip=True, moves=False), WORSENING, patience)
    assert len(rows(stopped)) == len(losses)
    # Killed after the last epoch, before the run was called finished.
    path = stopped / "checkpoint" / "rgb.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"finished": False}))
    train(stopped, None, Data(flip=True, moves=False), WORSENING, patience)
    assert len(rows(stopped)) == len(losses)


def test_a_damaged_state_is_a_problem(tmp_path):
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "rgb.json").write_text('{"epoch": 3, "wei')
    with pytest.raises(Problem, match="damaged; delete"):
        train(tmp_path)


def test_two_streams_may_write_to_one_log_at_once(tmp_path):
    def write(stream):
        log = Log(tmp_path / "log.csv")
        for epoch in range(1, 16):
            log.add({**dict.fromkeys(HEADER, "0"), "stream": stream, "epoch": epoch})

    threads = [threading.Thread(target=write, args=(stream,)) for stream in ("rgb", "flow")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for stream in ("rgb", "flow"):
        epochs = [int(row["epoch"]) for row in Log(tmp_path / "log.csv").rows_of(stream)]
        assert epochs == list(range(1, 16))


def test_l2_in_the_loss_drives_dead_weights_below_the_threshold_and_decoupled_decay_does_not():
    """The second input is always zero: nothing else moves its weights."""
    x = np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32) * [1, 0]
    y = np.eye(2, dtype=np.float32)[(x[:, 0] > 0).astype(int)]
    ends = {}
    for name in ("l2", "weight_decay"):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((2,))
        model = keras.Model(inputs, keras.layers.Dense(2, name="Logits_dense")(inputs))
        loop.compile_model(model, Phase("all", 1, 1e-2), Recipe(**{name: 1e-3}), 1)
        assert not model.get_layer("Logits_dense").bias.regularizer
        model.steps_per_execution = 100
        with conftest.without_graphs(False):  # 2,000 steps
            model.fit(np.tile(x, (2000, 1)), np.tile(y, (2000, 1)), batch_size=8, shuffle=False, verbose=0)
        ends[name] = np.abs(model.get_layer("Logits_dense").get_weights()[0])
    assert ends["l2"][1].max() < 2.0**-100 and ends["l2"][0].min() > 1e-3
    assert ends["weight_decay"].min() > 1e-3
