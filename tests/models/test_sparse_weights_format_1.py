"""Weight files of before HDF5: what today's compress.py wrote then is read, and anything else refused."""

import hashlib
import json
import shutil
import zlib
from pathlib import Path

from signs.inference import runtime
from signs.models import sparse_weights

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies

from small_dense import NUMBERS, assert_equal, numbers_of, told, values

OLD = Path(__file__).parent / "sparse_format_1"  # of `old_network`, as compress.py wrote them before HDF5


@pytest.fixture(scope="module")
def network() -> keras.Model:
    """With weights of its own that it is to keep."""
    return old_network()[0]


@pytest.fixture
def old(tmp_path):
    """A copy of a file of the old format."""
    return Path(shutil.copy(OLD / "float16.weights.sparse", tmp_path))


def old_gaps(places: np.ndarray) -> bytes:
    """Gaps of four bits, two to a byte, as the old format has them."""
    codes = []
    for gap in np.diff(places, prepend=-1) - 1:
        codes += [sparse_weights.ESCAPE] * (gap // sparse_weights.ESCAPE) + [gap % sparse_weights.ESCAPE]
    pairs = np.array([*codes, sparse_weights.ESCAPE][: len(codes) + len(codes) % 2], np.uint8)
    return (pairs[::2] << 4 | pairs[1::2]).tobytes()


@hypothesis.settings(deadline=None)
@hypothesis.given(precision=strategies.sampled_from(list(sparse_weights.PRECISIONS)), **NUMBERS)
def test_every_way_of_the_old_format_is_read(size, share, run, precision, seed):
    numbers = numbers_of(size, share, run, sparse_weights.PRECISIONS[precision], seed)
    left = numbers[numbers != 0]
    for way, places, own in (
        ("all", b"", numbers),
        ("bitmap", np.packbits(numbers != 0).tobytes(), left),
        ("gaps", old_gaps(np.flatnonzero(numbers)), left),
    ):
        line = {"precision": precision, "places": way}
        planes = own.view(np.uint8).reshape(-1, own.itemsize).T.tobytes()
        parts = np.ones(size, "<f4").tobytes(), zlib.compress(places), zlib.compress(planes)
        np.testing.assert_array_equal(sparse_weights._old_array(line, *parts, (size,)), numbers, err_msg=way)


def old_network() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """The network behind the files in OLD, and its weights: kernels that are full, half empty and nearly empty."""
    clip = keras.Input((4, 6))
    x = keras.layers.LSTM(5, name="LSTM")(clip)
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Dense(20, name="Code")(x)
    model, rng = keras.Model(clip, keras.layers.Dense(40, name="Logits")(x)), np.random.default_rng(0)
    shares = {"LSTM/lstm_cell/recurrent_kernel": 0.6, "Code/kernel": 0.5, "Logits/kernel": 0.04}
    weights = {}
    for variable in model.weights:
        value = rng.normal(0, 1, variable.shape)
        there = rng.random(variable.shape) < shares.get(variable.path, 1)
        weights[variable.path] = np.where(there, value, 0).astype(np.float32)
    return model, weights


@pytest.mark.parametrize("precision", sparse_weights.PRECISIONS)
def test_files_hold_what_new_ones_do(tmp_path, precision):
    path = tmp_path / "rgb.sparse.h5"
    model, weights = old_network()
    for variable in model.weights:
        variable.assign(weights[variable.path])
    sparse_weights.save(model, path, precision)
    sparse_weights.load(model, path)
    new, other = values(model), old_network()[0]
    runtime.load_weights(other, OLD / f"{precision}.weights.sparse")
    assert_equal(values(other), new)
    for name, value in weights.items():
        np.testing.assert_allclose(new[name], value, atol=0 if precision == "float32" or value.ndim == 1 else 0.02)


def test_cut_short_anywhere(old, network):
    whole = old.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        old.write_bytes(whole[:length])
        assert "whole copy" in told(old, network)


def test_any_changed_byte(old, network):
    whole = old.read_bytes()
    for place in range(0, len(whole), 29):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        old.write_bytes(changed)
        assert "whole copy" in told(old, network) or place < sparse_weights.HEADER.size


def test_another_format(old, network):
    content = old.read_bytes()
    old.write_bytes(content[:8] + (7).to_bytes(4, "little") + content[12:])
    assert "weight format 7; this version reads format 1" in told(old, network)


def rewritten(path, change) -> None:
    """The file of the old format with another header and a checksum that is right."""
    content = path.read_bytes()
    magic, version, length = sparse_weights.HEADER.unpack_from(content)
    start = sparse_weights.HEADER.size
    header = json.dumps(change(json.loads(content[start : start + length])["variables"])).encode()
    content = sparse_weights.HEADER.pack(magic, version, len(header)) + header + content[start + length : -32]
    path.write_bytes(content + hashlib.sha256(content).digest())


ODD = [None, 3, -1, "x", [], {}, [1, 2], 10**12, "int8", "float32", "all", "gaps", [0, 10**12, -5]]


@pytest.mark.parametrize("key", ["path", "shape", "precision", "places", "bytes"])
def test_a_header_that_lies_is_refused(old, network, key):
    """One with a right checksum."""
    whole = old.read_bytes()
    for number in (0, 3):
        for odd in ODD:
            old.write_bytes(whole)

            def change(lines, number=number, odd=odd):
                same = lines[number][key] == odd
                lines[number][key] = "nothing" if same else odd
                return {"variables": lines}

            rewritten(old, change)
            told(old, network)


@pytest.mark.parametrize("header", [[], {}, {"variables": 3}, {"variables": [3]}, {"variables": []}, None])
def test_a_header_of_another_kind(old, network, header):
    rewritten(old, lambda lines: header)
    told(old, network)


def test_parts_that_hold_more_than_they_say(old, network):
    """Deflated zeros by the gigabyte are not unpacked; nor is a part that is left over or comes twice."""
    with pytest.raises(ValueError, match="not as long"):
        sparse_weights._inflated(zlib.compress(bytes(10**7)), 100)
    whole = old.read_bytes()
    rewritten(old, lambda lines: {"variables": [*lines, lines[0]]})
    assert "twice" in told(old, network)
    content = whole[:-32] + b"more"
    old.write_bytes(content + hashlib.sha256(content).digest())
    assert "more bytes than it says" in told(old, network)
