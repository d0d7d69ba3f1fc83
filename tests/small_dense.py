"""A network of every kind of variable that takes no time, and what loading weights into it says."""

from signs.command import Problem
from signs.models import sparse_weights

import keras
import numpy as np
import pytest
from hypothesis import strategies

# What `numbers_of` is given: sparse and dense, short and long.
NUMBERS = {
    "size": strategies.integers(0, 3000),
    "share": strategies.sampled_from([0, 0.01, 0.3, 0.9, 1]),
    "run": strategies.sampled_from([1, 40]),
    "seed": strategies.integers(0, 99),
}


def small_dense(seed: int = 0, units: int = 5) -> keras.Model:
    """A network of every kind of variable that takes no time."""
    keras.utils.set_random_seed(seed)
    clip = keras.Input((4, 6))
    x = keras.layers.LSTM(units, name="LSTM")(clip)
    x = keras.layers.BatchNormalization(name="norm")(x)
    model = keras.Model(clip, keras.layers.Dense(3, name="Logits")(x))
    model.get_layer("norm").moving_variance.assign(np.linspace(0.1, 1e6, units))
    return model


def values(model) -> dict[str, np.ndarray]:
    return {variable.path: np.asarray(variable).copy() for variable in model.weights}


def assert_equal(found: dict, expected: dict) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def told(path, model: keras.Model) -> str:
    """What loading a weight file says; the model keeps its weights."""
    before = values(model)
    with pytest.raises(Problem) as caught:
        sparse_weights.load(model, path)
    assert_equal(values(model), before)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def numbers_of(size: int, share: float, run: int, dtype: np.dtype, seed: int) -> np.ndarray:
    """(size,) whole numbers, that share of them not zero, in runs or alone."""
    rng = np.random.default_rng(seed)
    there = np.repeat(rng.random(size // run + 1) < share, run)[:size]
    return np.where(there, rng.integers(1, 120, size) * rng.choice([-1, 1], size), 0).astype(dtype)
