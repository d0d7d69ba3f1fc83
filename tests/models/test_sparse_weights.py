"""Weight files: what comes back, how small they are, what is refused; and pruned weights that stay pruned."""

import functools
import hashlib
import json
import struct
import zlib

from signs.command import Problem
from signs.inference import runtime
from signs.inference.bundle import Stream
from signs.inference.runtime import KerasNetwork
from signs.models import conv3d_lstm, sparse_weights
from signs.training import pruning

import hypothesis
import keras
import numpy as np
import pytest
from hypothesis import strategies

STREAM = Stream(
    "rgb",
    "rgb",
    "conv3d-lstm",
    {"input_shape": (8, 16, 16, 1), "classes": 4, "size": "small"},
    {"weights": "rgb.weights.sparse"},
)


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


@pytest.fixture
def path(tmp_path):
    return tmp_path / "rgb.weights.sparse"


# Sparse and dense, short and long: a share of zeros, in runs or alone.
@hypothesis.settings(deadline=None)
@hypothesis.given(
    strategies.integers(0, 3000),
    strategies.sampled_from([0, 0.01, 0.3, 0.9, 1]),
    strategies.sampled_from([1, 40]),
    strategies.sampled_from(list(sparse_weights.PRECISIONS)),
    strategies.integers(0, 99),
)
def test_what_is_coded_comes_back(size, share, run, precision, seed):
    rng, dtype = np.random.default_rng(seed), sparse_weights.PRECISIONS[precision]
    there = np.repeat(rng.random(size // run + 1) < share, run)[:size]
    numbers = np.where(there, rng.integers(1, 120, size) * rng.choice([-1, 1], size), 0).astype(dtype)
    assert np.array_equal(sparse_weights.decode(*sparse_weights.encode(numbers), size, dtype), numbers)
    packed, left = np.packbits(numbers != 0).tobytes(), sparse_weights._planes(numbers[numbers != 0])
    for way, places, own in (
        ("all", b"", sparse_weights._planes(numbers)),
        ("bitmap", packed, left),
        ("gaps", sparse_weights.encode_gaps(np.flatnonzero(numbers)), left),
    ):
        found = sparse_weights.decode(way, zlib.compress(places), zlib.compress(own), size, dtype)
        assert np.array_equal(found, numbers), way


@hypothesis.given(strategies.sets(strategies.integers(0, 5000)))
def test_gaps_of_any_length(places):
    places = np.array(sorted(places), np.int64)
    assert list(sparse_weights.decode_gaps(sparse_weights.encode_gaps(places))) == list(places)


def test_the_smallest_way_is_taken():
    rng = np.random.default_rng(0)
    numbers = rng.normal(0, 1, 50_000).astype("<f4")
    ways = {
        share: sparse_weights.encode(np.where(rng.random(50_000) < share, numbers, 0))[0] for share in (1, 0.5, 0.05)
    }
    assert ways == {1: "all", 0.5: "bitmap", 0.05: "gaps"}


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


@functools.cache
def another() -> keras.Model:
    """Of the same kind, with weights of its own that it is to keep."""
    return small_dense(1)


def told(path, model=None) -> str:
    """What loading says; the model keeps its weights."""
    model = model or another()
    before = values(model)
    with pytest.raises(Problem) as caught:
        sparse_weights.load(model, path)
    assert_equal(values(model), before)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)
    return str(caught.value)


def test_cut_short_anywhere(written):
    whole = written.read_bytes()
    for length in [*range(0, len(whole), 37), len(whole) - 1]:
        written.write_bytes(whole[:length])
        assert "whole copy" in told(written)


def test_any_changed_byte(written):
    whole = written.read_bytes()
    for place in range(0, len(whole), 29):
        changed = bytearray(whole)
        changed[place] ^= 0x10
        written.write_bytes(changed)
        assert "whole copy" in told(written) or place < sparse_weights.PREFIX.size


def test_another_format(written):
    content = written.read_bytes()
    written.write_bytes(content[:8] + struct.pack("<I", 7) + content[12:])
    assert "weight format 7; this version reads format 1" in told(written)


def test_another_network(written):
    assert "LSTM/lstm_cell/kernel is (6, 20), expected (6, 24)" in told(written, small_dense(units=6))
    other = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")], name="sequential")
    assert "2 variables missing, 9 unknown, first sequential/dense/bias" in told(written, other)


def rewritten(path, change) -> None:
    """The file with another header and a checksum that is right."""
    content = path.read_bytes()
    _, version, length = sparse_weights.PREFIX.unpack_from(content)
    header = json.loads(content[sparse_weights.PREFIX.size : sparse_weights.PREFIX.size + length])
    header = json.dumps(change(header["variables"])).encode()
    rest = content[sparse_weights.PREFIX.size + length : -sparse_weights.DIGEST]
    content = sparse_weights.PREFIX.pack(sparse_weights.MAGIC, version, len(header)) + header + rest
    path.write_bytes(content + hashlib.sha256(content).digest())


ODD = [None, 3, -1, "x", [], {}, [1, 2], 10**12, "int8", "float32", "all", "gaps", [0, 10**12, -5]]


@pytest.mark.parametrize("key", ["path", "shape", "precision", "places", "bytes"])
def test_a_header_that_lies_is_refused(written, key):
    """One with a right checksum, from somebody who means harm: a line, and no more memory than the network takes."""
    whole = written.read_bytes()
    for number in (0, 3):
        for odd in ODD:
            written.write_bytes(whole)

            def change(lines, number=number, odd=odd):
                same = lines[number][key] == odd
                lines[number][key] = "nothing" if same else odd
                return {"variables": lines}

            rewritten(written, change)
            told(written)


@pytest.mark.parametrize("header", [[], {}, {"variables": 3}, {"variables": [3]}, {"variables": []}, None])
def test_a_header_of_another_kind(written, header):
    rewritten(written, lambda lines: header)
    told(written)


def test_parts_that_hold_more_than_they_say(written):
    """Deflated zeros by the gigabyte are not unpacked; nor is a part that is left over or comes twice."""
    with pytest.raises(ValueError, match="not as long"):
        sparse_weights._inflate(zlib.compress(bytes(10**7)), 100)
    whole = written.read_bytes()
    rewritten(written, lambda lines: {"variables": [*lines, lines[0]]})
    assert "0 variables missing, 0 unknown, first LSTM" in told(written)
    content = whole[: -sparse_weights.DIGEST] + b"more"
    written.write_bytes(content + hashlib.sha256(content).digest())
    assert "more bytes than it says" in told(written)


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
    with pytest.raises(Problem, match="No such file"):
        KerasNetwork.load(STREAM, path)


@pytest.mark.parametrize("share", [0, 0.25, 0.78, 1])
def test_the_smallest_of_all_kernels_go(share):
    model = small_dense()
    before = values(model)
    masks = pruning.prune(model, sparsity=share)
    after = values(model)
    assert masks.keys() == {"LSTM/lstm_cell/kernel", "LSTM/lstm_cell/recurrent_kernel", "Logits/kernel"}
    gone = np.concatenate([np.abs(before[name][~mask]) for name, mask in masks.items()])
    kept = np.concatenate([np.abs(before[name][mask]) for name, mask in masks.items()])
    assert len(gone) == round(share * (len(gone) + len(kept)))
    assert gone.max(initial=0) <= kept.min(initial=np.inf)
    for name, value in before.items():
        assert np.array_equal(after[name], np.where(masks[name], value, 0) if name in masks else value)


def test_as_many_as_asked_for_where_all_are_equal():
    model = small_dense()
    for kernel in pruning.kernels(model).values():
        kernel.assign(np.ones(kernel.shape))
    assert sum(np.sum(~mask) for mask in pruning.prune(model, sparsity=0.5).values()) == 118  # of 235, to the even one


def test_what_lies_below_a_threshold_goes():
    model = small_dense()
    kernel = np.asarray(model.get_layer("Logits").kernel).copy()
    kernel[0] = [2.0**-101, -(2.0**-101), 2.0**-100]
    model.get_layer("Logits").kernel.assign(kernel)
    masks = pruning.prune(model, threshold=pruning.TINY)
    assert list(masks["Logits/kernel"][0]) == [False, False, True]
    assert sum(np.sum(~mask) for mask in masks.values()) == 2
    assert np.asarray(model.get_layer("Logits").kernel)[0].tolist() == [0, 0, 2.0**-100]


def test_a_threshold_or_a_share_but_not_both():
    for arguments in ({}, {"threshold": 1.0, "sparsity": 0.5}):
        with pytest.raises(ValueError, match="one of them"):
            pruning.prune(small_dense(), **arguments)


@pytest.mark.parametrize("accumulate", [None, 2])
def test_what_is_pruned_stays_so_while_the_rest_learns(accumulate):
    rng, model = np.random.default_rng(0), small_dense()
    masks = pruning.prune(model, sparsity=0.6)
    pruning.hold(model, masks)
    before = values(model)
    model.compile(keras.optimizers.Adam(0.01, gradient_accumulation_steps=accumulate), "mse", jit_compile=False)
    model.fit(rng.normal(0, 1, (32, 4, 6)), rng.normal(0, 1, (32, 3)), batch_size=8, epochs=2, verbose=0)
    after = values(model)
    for name, mask in masks.items():
        assert np.all(after[name][~mask] == 0) and np.all(after[name][mask] != before[name][mask]), name
    assert np.any(after["Logits/bias"] != before["Logits/bias"])
