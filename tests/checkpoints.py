"""I3D with random weights, a smaller one, and checkpoints as TensorFlow 1 wrote them."""

import contextlib
from pathlib import Path

from signs.models import i3d, kinetics
from signs.models.weights import checkpoint_names

import numpy as np
import pytest
import tensorflow as tf

NARROWED = 8  # times fewer channels
LEFT = ("Mixed_3c", "MaxPool3d_4a_3x3", "Mixed_4f", "MaxPool3d_5a_2x2", "Mixed_5b", "Mixed_5c")


@contextlib.contextmanager
def smaller_i3d():
    """I3D without five of its nine blocks, those that are left with an eighth of their channels."""

    def narrow(channels):
        return tuple(map(narrow, channels)) if isinstance(channels, tuple) else channels // NARROWED

    rows = {name: i3d.MIXED[name] for name in LEFT}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            i3d, "MIXED", {name: narrow(row) if name.startswith("Mixed") else row for name, row in rows.items()}
        )
        yield


def randomised(model):
    """The model with every weight random, so that what it computes neither fades nor grows from layer to layer."""
    rng = np.random.default_rng(1)
    for variable in model.weights:
        scale = np.sqrt(2 / np.prod(variable.shape[:-1])) if len(variable.shape) == 5 else 0.3
        value = scale * rng.normal(size=variable.shape)
        variable.assign(0.5 + np.abs(value) if variable.name == "moving_variance" else value)
    return model


def shapes(model) -> dict[str, tuple]:
    return {name: tuple(variable.shape) for name, variable in checkpoint_names(model).items()}


def random_arrays(model, sonnet: bool = True) -> dict[str, np.ndarray]:
    """One value for each variable; `sonnet`: batch normalisation's as (1, 1, 1, 1, C), as Sonnet keeps them."""
    rng, arrays = np.random.default_rng(2), {}
    for name, shape in shapes(model).items():
        value = rng.random(shape, np.float32)
        arrays[name] = value.reshape(1, 1, 1, 1, -1) if sonnet and "batch_norm" in name else value
    return arrays


def write_checkpoint(folder: Path, arrays: dict, prefix: str = "RGB/inception_i3d/") -> Path:
    """A checkpoint by names, as TensorFlow 1 wrote it: model.ckpt.index and one file of data."""
    path = folder / "model.ckpt"
    names = [prefix + name for name in arrays]
    tf.raw_ops.SaveV2(
        prefix=str(path),
        tensor_names=names,
        shape_and_slices=[""] * len(names),
        tensors=[tf.constant(value) for value in arrays.values()],
    )
    assert all((folder / name).is_file() for name in (kinetics.INDEX, kinetics.DATA))
    return path
