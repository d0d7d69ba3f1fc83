"""Files that PyTorch wrote: every number arrives, nothing is run, other files are refused."""

import os
import pickle

from signs.command import Problem
from signs.models import torch_file

import numpy as np
import pytest

import torch_pickle

rng = np.random.default_rng(0)
WEIGHTS = {
    "a.weight": rng.normal(size=(4, 3, 5, 5)).astype(np.float32),
    "b.weight": rng.normal(size=(5, 5, 3, 4)).astype(np.float32).transpose(3, 2, 0, 1),  # as TensorFlow had it
    "a.bias": rng.normal(size=4).astype(np.float32),
    "a.count": np.array(7, np.int64),
}


class Runs:
    """What a pickle can do to whoever loads it."""

    def __reduce__(self):
        return os.mkdir, ("was-run",)


def test_every_number_arrives(tmp_path):
    (tmp_path / "file.pth").write_bytes(torch_pickle.write(WEIGHTS))
    found = torch_file.read(tmp_path / "file.pth")
    assert found.keys() == WEIGHTS.keys()
    for name, value in WEIGHTS.items():
        assert found[name].dtype == value.dtype
        np.testing.assert_array_equal(found[name], value)


def beginning() -> bytes:
    return pickle.dumps(torch_file.MAGIC, 2) + pickle.dumps(torch_file.VERSION, 2) + pickle.dumps({}, 2)


@pytest.mark.parametrize(
    "content",
    [
        pickle.dumps(Runs(), 2),
        beginning() + pickle.dumps(Runs(), 2),
        beginning() + pickle.dumps({"a.weight": Runs()}, 2),
        beginning() + b"\x80\x02ctorch.nn\nLinear\n)R.",
        beginning() + b"\x80\x02ctorch\nFloatStorage\n)R.",
        beginning() + b'cbuiltins\neval\n(S\'__import__("os").mkdir("was-run")\'\ntR.',
        beginning() + pickle.dumps([1.0], 2) + pickle.dumps([], 2),
        pickle.dumps(torch_file.MAGIC, 2) + pickle.dumps(1002, 2),
        b"PK\x03\x04 a newer file",
        b"",
        torch_pickle.write(WEIGHTS)[:-9],
        torch_pickle.write(WEIGHTS)[:200],
    ],
    ids=[
        "a call at once",
        "a call",
        "a call in it",
        "a layer",
        "a storage that is called",
        "a builtin",
        "a list",
        "another version",
        "a zip",
        "nothing",
        "cut short",
        "cut in a pickle",
    ],
)
def test_nothing_is_run_and_another_file_is_refused(tmp_path, monkeypatch, content):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file.pth").write_bytes(content)
    with pytest.raises(Problem, match=r"file\.pth: not the weights of a network"):
        torch_file.read(tmp_path / "file.pth")
    assert not (tmp_path / "was-run").exists()


@pytest.mark.parametrize(
    ("offset", "shape", "strides"), [(1, (2, 3), (3, 1)), (-1, (2,), (1,)), (0, (2, 2), (5, 1)), (0, (2,), (-1,))]
)
def test_a_weight_stays_in_its_storage(offset, shape, strides):
    tensor = torch_file.Tensor(("<f4", "0", 6), offset, shape, strides, False, {})
    with pytest.raises(ValueError, match="of 6 numbers"):
        tensor.of(np.zeros(6, np.float32))
