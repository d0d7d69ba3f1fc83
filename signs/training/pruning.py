"""Weights that are set to zero and stay zero: what makes a file of sparse_weights.py small.

    masks = prune(model, threshold=TINY)        or sparsity=0.78: the smallest 78 %
    hold(model, masks)                          before compiling it: further training leaves them at zero

Kernels alone are pruned, recurrent ones too, all of them by one measure; biases and normalisation are few.
"""

import keras
import numpy as np

# Mullick & Namboodiri 2017: below it lay 905 thousand of 1.15 million weights, which Adam had pushed there.
TINY = 2.0**-100


def kernels(model: keras.Model) -> dict[str, keras.Variable]:
    """{path: variable} of what may be pruned."""
    return {variable.path: variable for variable in model.weights if variable.name.endswith("kernel")}


def prune(
    model: keras.Model, *, threshold: float | None = None, sparsity: float | None = None
) -> dict[str, np.ndarray]:
    """Set the kernels' smallest weights to zero.

    Args:
        threshold: those whose magnitude is below it; or
        sparsity: this share of all kernels' weights, in [0, 1].
    Returns:
        {path: mask}, bool, of the kernel's shape: True where a weight is left.
    """
    if (threshold is None) == (sparsity is None):
        raise ValueError("expected threshold or sparsity, and one of them")
    masks, start, variables = {}, 0, kernels(model)
    magnitudes = np.concatenate([np.abs(np.asarray(variable)).ravel() for variable in variables.values()])
    left = magnitudes >= threshold if sparsity is None else _largest(magnitudes, sparsity)
    for path, variable in variables.items():
        value = np.asarray(variable)
        masks[path] = left[start : start + value.size].reshape(value.shape)
        variable.assign(np.where(masks[path], value, 0))
        start += value.size
    return masks


def _largest(magnitudes: np.ndarray, sparsity: float) -> np.ndarray:
    """(N,) -> (N,) bool: all but that share of them, to the weight even where many are equal."""
    left = np.ones(len(magnitudes), bool)
    left[np.argsort(magnitudes, kind="stable")[: round(sparsity * len(magnitudes))]] = False
    return left


class Held(keras.constraints.Constraint):
    """Zero wherever the mask is False, after each step of an optimiser."""

    def __init__(self, mask: np.ndarray):
        self.mask = mask

    def __call__(self, kernel):
        return keras.ops.where(self.mask, keras.ops.convert_to_tensor(kernel), 0)


def hold(model: keras.Model, masks: dict[str, np.ndarray]) -> None:
    """Keep what is pruned at zero in training; to be called before the model is compiled."""
    variables = kernels(model)
    for path, mask in masks.items():
        variables[path].constraint = Held(mask)
