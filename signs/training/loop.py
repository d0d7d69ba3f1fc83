"""The loop of every training: phases of epochs, from where the checkpoint stands to the end.

It leaves what checkpoint.py and log.py say in `model/<run>/`, there the weights of the best epoch by validation loss,
`<stream>.weights.h5`, and for TensorBoard `events/<stream>/`.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signs.training import averaging, distribute, pruning
from signs.training.averaging import Average
from signs.training.callbacks import EarlyStopping, EpochStart, Keeper, Validation, is_spent
from signs.training.checkpoint import Checkpoint
from signs.training.log import Log
from signs.training.recipe import Phase, Recipe

import keras
import numpy as np


@dataclass(frozen=True)
class Objective:
    """What is learnt: as it stands here, of a network that gives (B, classes) logits.

    loss, accuracy: functions of (targets (B, classes), output) -> (B,); readout: output -> (B, classes) logits, NumPy.
    """

    loss: Callable = functools.partial(keras.losses.categorical_crossentropy, from_logits=True)
    accuracy: Callable = keras.metrics.categorical_accuracy
    readout: Callable[[np.ndarray], np.ndarray] = np.asarray


@dataclass(frozen=True)
class Training:
    """One stream's training: `Training(model, generators, folder, "rgb", recipe).fit(phases)`.

    generators: {"train", "valid": Batches}; without validation `valid` is None;
    until: without validation, the epoch after which training ends and whose weights are kept.
    """

    model: keras.Model
    generators: dict
    folder: Path
    stream: str
    recipe: Recipe
    objective: Objective = Objective()
    until: int | None = None

    def fit(self, phases: list[Phase]) -> None:
        """Train through the phases, from where the checkpoint stands."""
        checkpoint, log = Checkpoint(self.folder, self.stream), Log(self.folder / "log.csv")
        if checkpoint.state.finished:
            print(f"{self.stream}: trained already, {checkpoint.state.epoch} epochs")
            self._name_fault(checkpoint)
            return
        log.cut(self.stream, checkpoint.state.epoch)
        if checkpoint.state.epoch:
            print(f"{self.stream}: going on after epoch {checkpoint.state.epoch}")
        first = 0
        for phase in phases:
            last = min(first + phase.epochs, self.until or np.inf)
            earlier = [row for row in log.rows_of(self.stream) if int(row["epoch"]) > first]
            spent = self._may_end_early(phase) and is_spent(earlier, self.recipe.patience)
            if checkpoint.state.epoch < last and not spent:
                average = self._prepare(phase, checkpoint, resumed=checkpoint.state.epoch > first)
                self.model.fit(
                    self.generators["train"],
                    initial_epoch=max(first, checkpoint.state.epoch),
                    epochs=last,
                    shuffle=False,
                    verbose=0,
                    callbacks=self._callbacks(phase, last, earlier, checkpoint, average),
                    class_weight=self.recipe.class_weights(self.generators["train"].targets),
                )
            if checkpoint.state.finished:
                self._name_fault(checkpoint)
                return
            first = last
        checkpoint.finish()

    def _name_fault(self, checkpoint: Checkpoint) -> None:
        if checkpoint.state.fault:
            print(f"{self.stream}: {checkpoint.state.fault}", file=sys.stderr)

    def _may_end_early(self, phase: Phase) -> bool:
        return self.generators["valid"] is not None and not phase.top_only

    def _prepare(self, phase: Phase, checkpoint: Checkpoint, resumed: bool) -> Average | None:
        """Compile the model with the weights of the last epoch. Within a phase (`resumed`) its optimiser and average go
        on too; a new phase starts them anew."""
        if checkpoint.weights and not resumed:
            self.model.load_weights(checkpoint.weights)
        compile_model(self.model, phase, self.recipe, len(self.generators["train"]), self.objective)
        if resumed:
            checkpoint.restore(self.model)
        return averaging.start(self.model, self.recipe.ema, checkpoint.weights if resumed else None)

    def _callbacks(self, phase: Phase, last: int, earlier: list[dict], checkpoint: Checkpoint, average) -> list:
        """In the order in which they are called: the later ones read what validation adds to the logs."""
        valid, callbacks = self.generators["valid"], [EpochStart(self.generators["train"])]
        if average:
            callbacks.append(average)
        if valid is not None:
            callbacks.append(Validation(valid, self.folder, self.stream, average, self.objective.readout))
        callbacks.append(Keeper(self.folder, phase.name, last, checkpoint, average, self.until))
        if self._may_end_early(phase):
            callbacks.append(EarlyStopping(self.recipe.patience, earlier))
        if keras.backend.backend() == "tensorflow":  # whose import and GPU memory another backend need not pay for
            callbacks.append(keras.callbacks.TensorBoard(self.folder / "events" / self.stream, write_graph=False))
        return callbacks


def compile_model(
    model: keras.Model, phase: Phase, recipe: Recipe, batches: int, objective: Objective = Objective()
) -> None:
    """Make a model ready for a phase of that many batches an epoch."""
    for layer in model.layers:
        layer.trainable = phase.trains(layer.name)
        if isinstance(layer, keras.layers.BatchNormalization) and distribute.replicas() > 1:
            layer.synchronized = True  # set here, so that what is saved is rebuilt on one device, or on JAX
    for kernel in pruning.kernels(model).values():
        kernel.regularizer = keras.regularizers.L2(recipe.l2) if recipe.l2 else None
    accumulate = recipe.accumulate if recipe.accumulate > 1 else None
    model.compile(
        keras.optimizers.Adam(
            _learning_rate(phase, recipe, batches),
            weight_decay=recipe.weight_decay or None,
            global_clipnorm=recipe.clip_norm or None,
            gradient_accumulation_steps=accumulate,
        ),
        MeanLoss(objective.loss),
        metrics=[keras.metrics.MeanMetricWrapper(objective.accuracy, name="accuracy")],
        # On a CPU XLA takes four times as long as TensorFlow's own kernels; elsewhere Keras knows best.
        jit_compile="auto" if keras.backend.backend() != "tensorflow" or _has_gpu() else False,
    )
    # Before the first step, which would be traced twice if it made the optimiser's variables: seconds.
    model.optimizer.build(model.trainable_variables)


def _learning_rate(phase: Phase, recipe: Recipe, batches: int):
    """A number or a Keras schedule for a phase of that many batches an epoch."""
    if recipe.schedule == "constant":
        return phase.learning_rate
    steps = phase.epochs * batches  # Keras counts batches here, added up or not
    warm_up = min(round(recipe.warm_up * batches), steps - 1)
    if not warm_up:
        return keras.optimizers.schedules.CosineDecay(phase.learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm_up, warmup_target=phase.learning_rate, warmup_steps=warm_up
    )


class MeanLoss(keras.losses.Loss):
    """The mean over the clips of a batch."""

    def __init__(self, function: Callable):
        super().__init__()
        self.call = function


def _has_gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
