"""A file of weights that PyTorch wrote before its version 1.6, read without PyTorch: {name: array}.

    torch_file.read(Path("efficientnet-lite0-57934424.pth"))

Such a file is five pickles (a magic number, a version, the system, the weights without their numbers, the names of the
storages) and then the numbers of each storage (torch.serialization, `_legacy_load`). A pickle can call what it likes;
here it can make dictionaries, and notes of what a weight is, and nothing else.
"""

import collections
import pickle
from dataclasses import dataclass
from pathlib import Path

from signs.command import Problem
from signs.models.hub import UNREADABLE

import numpy as np

MAGIC, VERSION = 0x1950A86A20F9469CFC6C, 1001


@dataclass
class Tensor:
    """What a pickle says of a weight: which numbers of which storage, and its shape.

    storage: (type of its numbers, name, count); strides: in numbers, in whichever order the axes lie.
    """

    storage: tuple[str, str, int]
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    requires_grad: bool
    hooks: dict

    def of(self, numbers: np.ndarray) -> np.ndarray:
        """The weight itself, out of its storage."""
        part = numbers[self.offset :]
        last = sum((length - 1) * step for length, step in zip(self.shape, self.strides, strict=True))
        if min(self.offset, *self.shape, *self.strides, 0) < 0 or last >= len(part):
            raise ValueError(f"{self.shape} by {self.strides} from {self.offset} of {len(numbers)} numbers")
        steps = [step * part.itemsize for step in self.strides]
        return np.lib.stride_tricks.as_strided(part, self.shape, steps, writeable=False)


ALLOWED = {
    ("collections", "OrderedDict"): collections.OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): Tensor,
    ("torch", "FloatStorage"): "<f4",
    ("torch", "LongStorage"): "<i8",
}


class WeightUnpickler(pickle.Unpickler):
    """Reads dictionaries of Tensor, and refuses everything else."""

    def find_class(self, module: str, name: str):
        if (module, name) not in ALLOWED:
            raise pickle.UnpicklingError(f"{module}.{name} is no part of a weight")
        return ALLOWED[module, name]

    def persistent_load(self, storage):
        kind, dtype, name, _, count, view = storage
        if kind != "storage" or view is not None:
            raise pickle.UnpicklingError(f"{kind!r} {view!r} is no whole storage")
        return dtype, name, count


def read(path: Path) -> dict[str, np.ndarray]:
    """{name: float32 or int64 array}; raises Problem where it is another kind of file."""
    try:
        with open(path, "rb") as file:
            if [WeightUnpickler(file).load() for _ in range(2)] != [MAGIC, VERSION]:
                raise ValueError("another format")
            _, tensors, names = (WeightUnpickler(file).load() for _ in range(3))
            types = {tensor.storage[1]: tensor.storage for tensor in tensors.values()}
            numbers = {name: _numbers(file, *types[name]) for name in names}
        return {name: tensor.of(numbers[tensor.storage[1]]) for name, tensor in tensors.items()}
    except UNREADABLE as error:
        raise Problem(f"{path}: not the weights of a network ({error!r})") from None


def _numbers(file, dtype: str, name: str, count: int) -> np.ndarray:
    """The next storage of a file: how many numbers it has, and these."""
    length = int.from_bytes(file.read(8), "little")
    content = file.read(length * np.dtype(dtype).itemsize)
    found = np.frombuffer(content, dtype)
    if length != count or len(found) != count:
        raise ValueError(f"{name} has {len(found)} numbers, not {count}")
    return found
