"""Weight files: what comes back, how small they are, what is refused."""

import json
import time
import zlib

from signs.command import Problem
from signs.inference import runtime
from signs.inference.bundle import Stream
from signs.inference.runtime import KerasNetwork
from signs.models import conv3d_lstm, sparse_weights
from signs.training import pruning

import h5py
import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies

from small_dense import NUMBERS, assert_equal, numbers_of, small_dense, told, values

STREAM = Stream(
    "rgb",
    "rgb",
    "conv3d-lstm",
    {"input_shape": (8, 16, 16, 1), "classes": 4, "size": "small"},
    {"weights": "rgb.sparse.h5"},
)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rgb.sparse.h5"


class Numbers:
    """Stands in for a network: one variable."""

    def __init__(self, array: np.ndarray):
        self.array, self.path, self.shape, self.weights = array, "kernel", array.shape, [self]

    def __array__(self, dtype=None, copy=None):
        return self.array

    def assign(self, array: np.ndarray):
        self.array = array


@hypothesis.settings(deadline=None)
@hypothesis.given(precision=strategies.sampled_from(["float32", "float16"]), **NUMBERS)
def test_what_is_packed_comes_back(tmp_path_factory, size, share, run, precision, seed):
    numbers = numbers_of(size, share, run, np.float32, seed).reshape(1, size)
    model, path = Numbers(np.zeros_like(numbers)), tmp_path_factory.getbasetemp() / "numbers.sparse.h5"
    sparse_weights.save(Numbers(numbers), path, precision)
    sparse_weights.load(model, path)
    np.testing.assert_array_equal(model.array, numbers)


@pytest.mark.parametrize("zeros", [0, 0.6])
def test_float32_comes_back_to_the_bit(path, zeros):
    model, other = small_dense(), small_dense(1)
    pruning.prune(model, sparsity=zeros)
    sparse_weights.save(model, path)
    sparse_weights.load(other, path)
    assert_equal(values(other), values(model))


def test_float16_comes_back_rounded_and_vectors_whole(path):
    model, other = small_dense(), small_dense(1)
    sparse_weights.save(model, path, "float16")
    sparse_weights.load(other, path)
    expected = {
        name: value.astype(np.float16).astype(np.float32) if value.ndim > 1 else value
        for name, value in values(model).items()
    }
    assert_equal(values(other), expected)
    assert values(other)["norm/moving_variance"].max() == 1e6


def test_int8_comes_back_to_half_a_step_of_its_channel(path):
    model, other = small_dense(), small_dense(1)
    kernel = model.get_layer("Logits").kernel
    kernel.assign(np.asarray(kernel) * np.array([0, 1e-3, 30], np.float32))  # a dead channel, a weak one, a strong one
    sparse_weights.save(model, path, "int8")
    sparse_weights.load(other, path)
    before, after = values(model), values(other)
    for name, value in before.items():
        if value.ndim == 1:
            assert np.array_equal(after[name], value)
        else:
            step = np.abs(value).max(axis=0) / 127
            assert np.all(np.abs(after[name] - value) <= 0.5001 * step), name
            assert np.any(after[name] != value)


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize("wrong", [1e6, np.nan, np.inf])
def test_what_a_precision_cannot_hold_is_named_and_nothing_written(path, precision, wrong):
    model = small_dense()
    kernel = np.asarray(model.get_layer("Logits").kernel).copy()
    kernel[0, 0] = wrong
    model.get_layer("Logits").kernel.assign(kernel)
    with pytest.raises(Problem, match=f"Logits/kernel: .*{precision}"):
        sparse_weights.save(model, path, precision)
    assert not list(path.parent.iterdir())
    sparse_weights.save(model, path)


def test_equal_weights_give_equal_bytes(path):
    sparse_weights.save(small_dense(), path)
    first = path.read_bytes()
    time.sleep(1.1)  # HDF5 stores seconds
    sparse_weights.save(small_dense(), path)
    assert path.read_bytes() == first


def test_as_small_as_published_and_smaller(path):
    """905 thousand of the small network's 1.15 million weights are zero; the paper has 0.635 MB in half precision."""
    model = conv3d_lstm.build_conv3d_lstm((None, 64, 64, 2), 20, "small")
    left = sum(mask.sum() for mask in pruning.prune(model, sparsity=905_000 / 1_155_648).values())
    assert left == 1_155_648 - 905_000
    sparse_weights.save(model, path, "float16")
    assert path.stat().st_size < 0.5e6  # 0.467 MB when this was written
    sparse_weights.save(model, path)
    assert path.stat().st_size < 0.9e6  # the paper: 1.12 MB
    sparse_weights.save(model, path, "int8")
    assert path.stat().st_size < 0.35e6


@pytest.fixture
def written(path):
    model = small_dense()
    pruning.prune(model, sparsity=0.7)
    sparse_weights.save(model, path, "float16")
    return path


def test_cut_short_anywhere(written):
    whole, model = written.read_bytes(), small_dense(1)
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        written.write_bytes(whole[:length])
        assert "whole copy" in told(written, model)


def test_any_changed_byte(written):
    """It is named, or lies where nothing is read: no weight is ever another one."""
    whole, model = written.read_bytes(), small_dense()
    sparse_weights.load(model, written)
    expected, refused, places = values(model), 0, range(0, len(whole), 37)
    for place in places:
        changed = bytearray(whole)
        changed[place] ^= 0x10
        written.write_bytes(changed)
        try:
            sparse_weights.load(model, written)
        except Problem as problem:
            assert str(written) in str(problem)
            refused += 1
        assert_equal(values(model), expected)
    assert refused > 0.3 * len(places)


def test_another_format(written):
    with h5py.File(written, "a") as file:
        file.attrs["format"] = 7
    assert "weight format 7; this version reads format 2" in told(written, small_dense(1))


def test_another_network(written):
    expected = "8 variables differ, first LSTM/lstm_cell/kernel: (6, 20), not (6, 24)"
    assert expected in told(written, small_dense(units=6))
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="sequential")
    assert "11 variables differ, first LSTM/lstm_cell/kernel: (6, 20), not none" in told(written, other)


SHAPES = {name: value.shape for name, value in values(small_dense()).items()}


@pytest.mark.parametrize("name", ["places", "values", "vectors"])
@pytest.mark.parametrize("odd", ["gone", "group", "text", "longer", "endless", "float64", "long chunks"])
def test_parts_that_lie_are_refused(written, name, odd):
    """From somebody who means harm: a line, and no more memory than the network takes."""
    with h5py.File(written, "a") as file:
        size, kind = file[name].shape[0], file[name].dtype
        del file[name]
        if odd == "group":
            file.create_group(name)
        elif odd == "text":
            file[name] = "text"
        elif odd != "gone":
            size = {"longer": size + 1, "endless": 10**12}.get(odd, size)
            chunk = size + 10 if odd == "long chunks" else min(size, 1000)
            kind = np.float64 if odd == "float64" else kind
            file.create_dataset(name, (size,), kind, chunks=(chunk,), maxshape=(None,), compression="gzip")
    assert "whole copy" in told(written, small_dense(1))


@pytest.mark.parametrize(
    ("name", "odd"),
    [(name, odd) for name in ("places", "values", "vectors") for odd in ("soft", "external", "storage", "virtual")]
    + [("variables", odd) for odd in ("soft", "external", "virtual")],
)
def test_nothing_is_read_from_elsewhere(written, name, odd):
    """Links, and numbers of other files; what lies there would be right."""
    other = written.with_name("other.h5")
    other.write_bytes(written.read_bytes())
    with h5py.File(written, "a") as file:
        shape, kind = file[name].shape, file[name].dtype
        file.move(name, "moved")
        if odd == "soft":
            file[name] = h5py.SoftLink("/moved")
        elif odd == "external":
            file[name] = h5py.ExternalLink(other, name)
        elif odd == "storage":
            file.create_dataset(name, shape, kind, external=[(other, 0, h5py.h5f.UNLIMITED)])
        else:
            layout = h5py.VirtualLayout(shape, kind)
            layout[...] = h5py.VirtualSource(other, name, shape, kind)
            file.create_virtual_dataset(name, layout)
    assert f"{name} lies elsewhere" in told(written, small_dense(1))


@pytest.mark.parametrize("name", ["places", "values", "vectors"])
@pytest.mark.parametrize(
    ("filters", "reason"),
    [
        ({}, "packed in another way"),
        ({"compression": "lzf"}, "packed in another way"),
        ({"compression": "gzip"}, "packed in another way"),
        (sparse_weights.FILTERS, "not as long as it says"),
    ],
)
def test_deflated_zeros_by_the_gigabyte_are_not_unpacked(written, name, filters, reason):
    """HDF5 itself would unpack the last, and the filters of the others are not those of compress.py."""
    with h5py.File(written, "a") as file:
        shape, kind = file[name].shape, file[name].dtype
        del file[name]
        part = file.create_dataset(name, shape, kind, chunks=shape, **filters)
        part.id.write_direct_chunk((0,), zlib.compress(bytes(10**7)) + bytes(4))
    assert reason in told(written, small_dense(1))


def test_variables_of_any_length_are_not_read(written):
    """A text of a fixed length is as many blanks as it says, in a file of some bytes."""
    with h5py.File(written, "a") as file:
        del file["variables"]
        file.create_dataset("variables", (), "S1000000000")
    assert "variables is |S1000000000" in told(written, small_dense(1))


LIES = [{"x": 3}, {"x": [3]}, {"x": [10**12, -5]}]


@pytest.mark.parametrize(
    ("odd", "added"),
    [(odd, added) for odd in LIES for added in (True, False)]
    + [(odd, False) for odd in (3, [], {}, None, "text", [[1, [2]]])],
)
def test_variables_that_lie_are_refused(written, odd, added):
    with h5py.File(written, "a") as file:
        del file["variables"]
        file["variables"] = json.dumps(SHAPES | odd if added else odd)
    told(written, small_dense(1))


def test_a_stream_may_name_such_a_file(path):
    model = runtime.build_network(STREAM)
    pruning.prune(model, sparsity=0.5)
    batch = np.random.default_rng(0).normal(0, 1, (2, 8, 16, 16, 1)).astype(np.float32)
    sparse_weights.save(model, path)
    network = KerasNetwork.load(STREAM, path)
    np.testing.assert_allclose(network.logits(batch), model(batch, training=False), atol=1e-6)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(Problem, match="whole copy"):
        KerasNetwork.load(STREAM, path)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        KerasNetwork.load(STREAM, path)
