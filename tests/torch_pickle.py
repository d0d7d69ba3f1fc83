"""Writes files of weights as PyTorch did before 1.6, without PyTorch, for what reads them."""

import collections
import io
import pickle
import sys
import types
from unittest import mock

from signs.models import torch_file

import numpy as np

FLOAT, LONG = "FloatStorage", "LongStorage"


class Storage:
    """A weight's numbers, as they lie in memory."""

    def __init__(self, name: str, numbers: np.ndarray):
        self.name, self.numbers = name, numbers
        self.kind = LONG if numbers.dtype == np.int64 else FLOAT


def modules() -> dict[str, types.ModuleType]:
    """What a pickle names of PyTorch."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in (FLOAT, LONG):
        setattr(torch, kind, type(kind, (), {"__module__": "torch", "__qualname__": kind}))

    def _rebuild_tensor_v2(*_): ...

    _rebuild_tensor_v2.__module__, _rebuild_tensor_v2.__qualname__ = "torch._utils", "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2, torch._utils = _rebuild_tensor_v2, utils
    return {"torch": torch, "torch._utils": utils}


def write(weights: dict[str, np.ndarray]) -> bytes:
    """{name: float32 or int64 array, whose axes may lie in any order} -> the file."""
    fake = modules()
    storages = {name: Storage(str(place), _flat(value)) for place, (name, value) in enumerate(weights.items())}

    class Tensor:
        def __init__(self, name: str):
            value = weights[name]
            strides = tuple(step // value.itemsize for step in value.strides)
            self.said = (storages[name], 0, value.shape, strides, False, collections.OrderedDict())

        def __reduce__(self):
            return fake["torch._utils"]._rebuild_tensor_v2, self.said

    class Pickler(pickle.Pickler):
        def persistent_id(self, thing):
            if isinstance(thing, Storage):
                return "storage", getattr(fake["torch"], thing.kind), thing.name, "cpu", len(thing.numbers), None
            return None

    file = io.BytesIO()
    with mock.patch.dict(sys.modules, fake):
        for said in (torch_file.MAGIC, torch_file.VERSION, {"little_endian": True}):
            pickle.dump(said, file, 2)
        Pickler(file, 2).dump(collections.OrderedDict((name, Tensor(name)) for name in weights))
        pickle.dump([storage.name for storage in storages.values()], file, 2)
    for storage in storages.values():
        file.write(len(storage.numbers).to_bytes(8, "little") + storage.numbers.tobytes())
    return file.getvalue()


def _flat(value: np.ndarray) -> np.ndarray:
    """The numbers in the order in which they lie."""
    return value.transpose(np.argsort(value.strides)[::-1]).ravel()
