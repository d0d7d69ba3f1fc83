"""Weight averaging: a running mean of the weights is validated and kept; training goes on with the weights themselves.

    Polyak, Juditsky: Acceleration of stochastic approximation by averaging. SIAM J. Control Optim. 1992.

A training from a random start swings by tens of points from epoch to epoch; its mean does not.
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from signs.models.weights import write_weights

import keras
import numpy as np


def save_weights(model: keras.Model, path: Path) -> None:
    """Write the model's weights without its optimiser, equal ones as equal bytes."""
    write_weights(keras.Model(model.inputs, model.outputs), path)  # the same layers, not compiled


def towards(values: list, current: list, share) -> list:
    """Each value moved by that share of its distance to the current one."""
    return [value + (now - value) * share for value, now in zip(values, current, strict=True)]


def compiled(function):
    """The function as one call of the backend; between some hundred calls a GPU would wait."""
    if keras.backend.backend() == "jax":
        import jax

        return jax.jit(function)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.function(function)
    return function


class Average(keras.callbacks.Callback):
    """The mean of the weights over the last steps, batch normalisation's statistics included.

    decay: share of the mean that stays at a step: 0.98 averages about the last 50. The first n steps of a phase keep
    (1 + n) / (10 + n) of it where that is less, so that the start is soon forgotten.
    """

    def __init__(self, decay: float, model: keras.Model):
        super().__init__()
        self.decay = decay
        self.variables = [variable for variable in model.weights if "float" in variable.dtype]  # counts stay
        self.values = [keras.ops.copy(variable.value) for variable in self.variables]
        self.towards = compiled(towards)
        self.steps = 0

    def on_train_batch_end(self, batch, logs=None):
        if hasattr(self.model, "jax_state_sync"):
            self.model.jax_state_sync()  # on JAX the variables are empty while batches run
        steps = self.count()
        if steps != self.steps:  # several batches may be added up for a step
            self.steps = steps
            share = np.float32(1 - min(self.decay, (1 + steps) / (10 + steps)))
            # TensorFlow reads its variables within the call: reading each before it would take longer than the call.
            self.values = self.towards(self.values, [variable.value for variable in self.variables], share)

    def count(self) -> int:
        """Steps that the optimiser has made in this phase."""
        return int(keras.ops.convert_to_numpy(self.model.optimizer.iterations))

    def swap(self) -> None:
        """Exchange the model's weights and their average."""
        for position, variable in enumerate(self.variables):
            current = keras.ops.copy(variable.value)
            variable.assign(self.values[position])
            self.values[position] = current


@contextlib.contextmanager
def averaged(average: Average | None) -> Iterator[None]:
    """Meanwhile the model has its averaged weights, where there are any."""
    if average:
        average.swap()
    yield
    if average:
        average.swap()


def beside(weights: Path) -> Path:
    """The file of the average that belongs to a checkpoint's weights."""
    return weights.with_name(weights.name.replace(".weights.h5", ".average.weights.h5"))


def start(model: keras.Model, ema: float, saved: Path | None) -> Average | None:
    """Weight averaging with decay `ema` (0: none), from the model's weights or from the average beside `saved`."""
    if not ema:
        return None
    average = Average(ema, model)
    average.set_model(model)
    if saved:
        with averaged(average):
            keras.Model(model.inputs, model.outputs).load_weights(beside(saved))
        average.steps = average.count()  # else a first batch that is only added up would move the average
    return average
