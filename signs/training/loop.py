"""What every training here does: phases, callbacks, a log, a checkpoint after each epoch, resuming from it.

    model/<run>/log.csv                      a row per stream and epoch
    model/<run>/valid/<stream>-0007.npz      the validation clips' probabilities after that epoch
    model/<run>/<stream>.weights.h5          of the best epoch, by validation loss
    model/<run>/checkpoint/<stream>.json     the last epoch that is whole, and the name of its state
    model/<run>/checkpoint/<stream>-0007.weights.h5   that state: weights and optimiser
    model/<run>/checkpoint/<stream>-0007.average.weights.h5   with weight averaging: the average
    model/<run>/events/<stream>/             for TensorBoard

A checkpoint is written whole and then named, so a kill at any moment loses at most the epoch in hand.
"""

import functools
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.training import averaging, distribute, pruning
from signs.training.averaging import Average
from signs.training.log import Log, Validated

import keras
import numpy as np
from scipy.special import softmax


@dataclass(frozen=True)
class Phase:
    """Some epochs at one learning rate. `top_only`: only layers whose names begin with `Logits` are trained; `frozen`:
    layers whose names begin with one of these are not."""

    name: str
    epochs: int
    learning_rate: float
    top_only: bool = False
    frozen: tuple[str, ...] = ()

    def trains(self, layer: str) -> bool:
        """Whether the layer of that name learns."""
        return (layer.startswith("Logits") or not self.top_only) and not layer.startswith(self.frozen)


@dataclass
class State:
    """How far one stream's training has come."""

    epoch: int = 0
    weights: str | None = None
    finished: bool = False

    @classmethod
    def load(cls, path: Path) -> "State":
        try:
            return cls(**json.loads(path.read_text()))
        except FileNotFoundError:
            return cls()
        except (ValueError, TypeError):
            raise Problem(f"{path}: damaged; delete {path.parent} to train from the start") from None

    def save(self, path: Path) -> None:
        with command.atomic(path) as temporary:
            temporary.write_text(json.dumps(vars(self)) + "\n")


class Validation(keras.callbacks.Callback):
    """After each epoch, the validation clips' probabilities, on disc, and their loss and accuracy, in the logs that the
    callbacks after this one read. Keras's own validation gives the numbers, but not what they were made from.

    With weight averaging all of it is the average's.
    """

    def __init__(self, valid, folder: Path, stream: str, average: Average | None, readout: Callable):
        super().__init__()
        self.valid, self.folder, self.stream, self.average, self.readout = valid, folder, stream, average, readout

    def on_train_begin(self, logs=None):
        self.whole = distribute.whole(self.model)

    def on_epoch_end(self, epoch, logs=None):
        clips, targets = np.array([item.clip for item in self.valid.clips]), self.valid.targets
        swap = self.average.swap if self.average else lambda: None
        swap()
        logits = self.readout(self.whole.predict(self.valid, verbose=0))
        swap()
        logits = np.float64(logits[: len(clips)])  # a last batch that several devices share may be filled up
        validated = Validated(clips, targets, softmax(np.float64(logits), axis=-1).astype(np.float32))
        validated.write(self.folder, self.stream, epoch + 1)
        # From the logits: a probability may be rounded to zero.
        losses = np.logaddexp.reduce(logits, axis=1) - logits[np.arange(len(targets)), targets]
        logs |= {"val_loss": float(losses.mean()), "val_accuracy": validated.accuracy}


class Keeper(keras.callbacks.Callback):
    """After each epoch: the best weights, a row of the log, a checkpoint; in this order, which resuming relies on.

    Without validation the weights that are kept are those after epoch `until`.
    """

    def __init__(self, folder: Path, stream: str, phase: Phase, log: Log, average: Average | None, until):
        super().__init__()
        self.folder, self.stream, self.phase, self.log, self.average = folder, stream, phase, log, average
        self.state_path, self.until = folder / "checkpoint" / f"{stream}.json", until
        losses = [] if until else [float(row["val_loss"]) for row in log.of(stream)]
        self.best = min(losses, default=float("inf"))

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        if epoch + 1 == self.until or logs.get("val_loss", np.inf) < self.best:
            self.best = logs.get("val_loss", np.inf)
            path = self.folder / f"{self.stream}.weights.h5"
            self.average.save(path) if self.average else averaging.save_weights(self.model, path)
        row = {
            name: f"{logs[name]:.6g}" if name in logs else ""
            for name in ("loss", "accuracy", "val_loss", "val_accuracy")
        }
        rate = float(keras.ops.convert_to_numpy(self.model.optimizer.learning_rate))
        self.log.add(
            {
                "stream": self.stream,
                "phase": self.phase.name,
                "epoch": epoch + 1,
                "learning_rate": f"{rate:.3g}",
                "seconds": f"{seconds:.1f}",
                **row,
            }
        )
        self._checkpoint(epoch + 1)

    def _checkpoint(self, epoch: int) -> None:
        folder = self.state_path.parent
        name = f"{self.stream}-{epoch:04d}.weights.h5"
        with command.atomic(folder / name) as temporary:
            self.model.save_weights(temporary)
        if self.average:
            self.average.save(averaging.beside(folder / name))
        State(epoch, name).save(self.state_path)
        for old in folder.glob(f"{self.stream}-*.weights.h5"):
            if old not in (folder / name, averaging.beside(folder / name)):
                old.unlink()


class EpochStart(keras.callbacks.Callback):
    """Order, augmentation and dropout of an epoch depend on the seed and its number, in a resumed run as in an unbroken
    one. Keras counts an epoch more at the start of each `fit`, and keeps no dropout state among the weights."""

    def __init__(self, train):
        super().__init__()
        self.train = train

    def on_epoch_begin(self, epoch, logs=None):
        self.train.epoch = epoch
        for number, layer in enumerate(_dropping(self.model)):
            # Each step adds one to the second.
            layer.seed_generator.state.assign([self.train.seed + (number << 16), epoch << 16])


def _dropping(model: keras.Model) -> Iterator:
    """The layers that drop something at random, those of the networks within a network too."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from _dropping(layer)
        elif getattr(layer, "seed_generator", None) is not None:
            yield layer


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras's, told of the epochs before a resume, so that its patience goes on where it stood."""

    def __init__(self, patience: int, earlier: list[dict]):
        super().__init__(monitor="val_loss", patience=patience)
        self.earlier = earlier

    def on_train_begin(self, logs=None):
        super().on_train_begin(logs)
        for row in self.earlier:
            self.on_epoch_end(int(row["epoch"]) - 1, {"val_loss": float(row["val_loss"])})


def is_spent(rows: list[dict], patience: int) -> bool:
    """Whether EarlyStopping ended the phase with these rows of the log, even if the run was killed right then."""
    losses = [float(row["val_loss"]) for row in rows]
    return bool(losses) and len(losses) - 1 - losses.index(min(losses)) >= max(patience, 1)


class Report(keras.callbacks.Callback):
    """One line an epoch for people."""

    def __init__(self, stream: str, phase: Phase, last: int):
        super().__init__()
        self.stream, self.phase, self.last = stream, phase, last

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        seconds = time.perf_counter() - self.started
        valid = ""
        if "val_loss" in logs:
            valid = f"  valid loss {logs['val_loss']:.3f}  valid accuracy {logs['val_accuracy']:6.1%}"
        print(
            f"{self.stream:4} {self.phase.name} epoch {epoch + 1:2}/{self.last}  loss {logs['loss']:.3f}  "
            f"accuracy {logs['accuracy']:6.1%}{valid}  {seconds:5.1f} s",
            flush=True,
        )


@dataclass(frozen=True)
class Recipe:
    """How a stream is trained, beside its phases; as it stands here, the paper's way.

    patience: epochs without a lower validation loss after which the last phase ends;
    ema: decay of the average of the weights that is validated and kept, 0 keeps the weights themselves;
    schedule: of the learning rate of a phase, "constant" or "cosine" (down to 0: Loshchilov & Hutter 2017);
    warm_up: epochs in which a cosine first rises from 0;
    accumulate: batches whose gradients are added up for one step;
    class_weights: {class index: weight of its loss} in training, or None;
    weight_decay: share of a weight that goes at each step, times the learning rate (Loshchilov & Hutter 2019);
    clip_norm: longest gradient of a step, of all weights together, 0 any;
    l2: the loss grows by the sum of all kernels' squares times this (docs/compact.md: Adam drives dead weights to 0).
    """

    patience: int = 5
    ema: float = 0.0
    schedule: str = "constant"
    warm_up: float = 0.0
    accumulate: int = 1
    class_weights: dict[int, float] | None = None
    weight_decay: float = 0.0
    clip_norm: float = 0.0
    l2: float = 0.0

    def learning_rate(self, phase: Phase, batches: int):
        """A number or a Keras schedule for a phase of that many batches an epoch."""
        if self.schedule == "constant":
            return phase.learning_rate
        steps = phase.epochs * batches  # Keras counts batches here, added up or not
        warm_up = min(round(self.warm_up * batches), steps - 1)
        if not warm_up:
            return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
        return keras.optimizers.schedules.CosineDecay(
            0.0, steps - warm_up, warmup_target=phase.learning_rate, warmup_steps=warm_up
        )


@dataclass(frozen=True)
class Objective:
    """What is learnt: as it stands here, of a network that gives (B, classes) logits.

    loss, accuracy: functions of (targets (B, classes), output) -> (B,); readout: output -> (B, classes) logits, NumPy.
    """

    loss: Callable = functools.partial(keras.losses.categorical_crossentropy, from_logits=True)
    accuracy: Callable = keras.metrics.categorical_accuracy
    readout: Callable[[np.ndarray], np.ndarray] = np.asarray


def _compile(
    model: keras.Model, phase: Phase, recipe: Recipe, batches: int, objective: Objective = Objective()
) -> None:
    for layer in model.layers:
        layer.trainable = phase.trains(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization) and distribute.replicas() > 1:
            layer.synchronized = True  # set here, so that what is saved is rebuilt on one device, or on JAX
    for kernel in pruning.kernels(model).values():
        kernel.regularizer = keras.regularizers.L2(recipe.l2) if recipe.l2 else None
    accumulate = recipe.accumulate if recipe.accumulate > 1 else None
    model.compile(
        keras.optimizers.Adam(
            recipe.learning_rate(phase, batches),
            weight_decay=recipe.weight_decay or None,
            global_clipnorm=recipe.clip_norm or None,
            gradient_accumulation_steps=accumulate,
        ),
        _Loss(objective.loss),
        metrics=[keras.metrics.MeanMetricWrapper(objective.accuracy, name="accuracy")],
        # On a CPU XLA takes four times as long as TensorFlow's own kernels; elsewhere Keras knows best.
        jit_compile="auto" if keras.backend.backend() != "tensorflow" or _has_gpu() else False,
    )


class _Loss(keras.losses.Loss):
    """The mean over the clips of a batch."""

    def __init__(self, function: Callable):
        super().__init__()
        self.call = function


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def _callbacks(
    valid,
    folder: Path,
    stream: str,
    phase: Phase,
    log: Log,
    earlier: list,
    last: int,
    patience: int,
    average,
    readout,
    until: int | None,
):
    callbacks = [average] if average else []
    if valid is not None:
        callbacks.append(Validation(valid, folder, stream, average, readout))  # the others read what it adds
    callbacks += [Report(stream, phase, last), Keeper(folder, stream, phase, log, average, until)]
    if valid is not None and not phase.top_only:
        callbacks.append(EarlyStopping(patience, earlier))
    if keras.backend.backend() == "tensorflow":  # whose import and GPU memory another backend need not pay for
        callbacks.append(keras.callbacks.TensorBoard(folder / "events" / stream, write_graph=False))
    return callbacks


def fit(
    model: keras.Model,
    train,
    valid,
    phases: list[Phase],
    folder: Path,
    stream: str,
    recipe: Recipe,
    objective: Objective = Objective(),
    until: int | None = None,
) -> None:
    """Train one stream through its phases, from where its checkpoint stands.

    Args:
        train, valid: a ClipGenerator or FeatureGenerator each; `train.epoch` is set at the start of each epoch.
        until: without `valid`, the epoch after which it ends and whose weights are kept.
    """
    state_path, log = folder / "checkpoint" / f"{stream}.json", Log(folder / "log.csv")
    state = State.load(state_path)
    if state.finished:
        print(f"{stream}: trained already, {state.epoch} epochs")
        return
    log.cut(stream, state.epoch)
    if state.epoch:
        print(f"{stream}: going on after epoch {state.epoch}")
    first = 0
    for phase in phases:
        last = min(first + phase.epochs, until or np.inf)
        earlier = [row for row in log.of(stream) if int(row["epoch"]) > first]
        if state.epoch < last and (phase.top_only or until or not is_spent(earlier, recipe.patience)):
            done = max(state.epoch, first)
            if state.weights and done == first:  # between two phases: the optimiser starts anew
                model.load_weights(state_path.parent / state.weights)
            _compile(model, phase, recipe, len(train), objective)
            saved = state_path.parent / state.weights if state.weights and done > first else None
            if saved:
                model.optimizer.build(model.trainable_variables)
                model.load_weights(saved)
            average = averaging.start(model, recipe.ema, saved)
            callbacks = _callbacks(
                valid, folder, stream, phase, log, earlier, last, recipe.patience, average, objective.readout, until
            )
            callbacks.insert(0, EpochStart(train))
            model.fit(
                train,
                initial_epoch=done,
                epochs=last,
                shuffle=False,
                verbose=0,
                callbacks=callbacks,
                class_weight=recipe.class_weights,
            )
            state = State.load(state_path)
        first = last
    State(state.epoch, state.weights, finished=True).save(state_path)
