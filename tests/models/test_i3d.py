"""I3D against the paper, the published variable list and NumPy; published checkpoints, whole and broken."""

import csv
import os
import platform
import subprocess
import sys

from signs.command import Problem
from signs.models import i3d, kinetics
from signs.models.weights import checkpoint_names, copy_weights, inflate, load_kinetics_checkpoint

import keras
import numpy as np
import pytest

import tiny
from checkpoints import random_arrays, randomised, shapes, write_checkpoint

# Carreira & Zisserman's endpoints for 64 frames of 224x224.
ENDPOINTS = {
    "Conv3d_1a_7x7": (32, 112, 112, 64),
    "MaxPool3d_2a_3x3": (32, 56, 56, 64),
    "Conv3d_2b_1x1": (32, 56, 56, 64),
    "Conv3d_2c_3x3": (32, 56, 56, 192),
    "MaxPool3d_3a_3x3": (32, 28, 28, 192),
    "Mixed_3b": (32, 28, 28, 256),
    "Mixed_3c": (32, 28, 28, 480),
    "MaxPool3d_4a_3x3": (16, 14, 14, 480),
    "Mixed_4b": (16, 14, 14, 512),
    "Mixed_4c": (16, 14, 14, 512),
    "Mixed_4d": (16, 14, 14, 512),
    "Mixed_4e": (16, 14, 14, 528),
    "Mixed_4f": (16, 14, 14, 832),
    "MaxPool3d_5a_2x2": (8, 7, 7, 832),
    "Mixed_5b": (8, 7, 7, 832),
    "Mixed_5c": (8, 7, 7, 1024),
    "Logits_AvgPool": (7, 1, 1, 1024),
    "Logits": (400,),
}


@pytest.fixture(scope="module")
def rgb():
    return i3d.build_i3d((64, 224, 224, 3), 400)


@pytest.fixture(scope="module")
def flow():
    """The last map is 3x8x8: larger than the window of the average."""
    return i3d.build_i3d((24, 256, 256, 2), 400)


@pytest.fixture(scope="module")
def small():
    """Ten classes, the smallest input, every weight random."""
    return randomised(i3d.build_i3d((8, 32, 32, 3), 10))


def test_parameters_are_as_many_as_published(rgb, flow):
    assert rgb.count_params() == 12_704_544
    assert flow.count_params() == 12_682_592


def test_endpoints_have_the_shapes_of_the_paper(rgb):
    assert {name: rgb.get_layer(name).output.shape[1:] for name in ENDPOINTS} == ENDPOINTS


@pytest.mark.parametrize(("stream", "scope"), [("rgb", "RGB"), ("flow", "Flow")])
def test_every_variable_is_a_published_one(stream, scope, shared, request):
    with open(shared("facts/i3d_kinetics_variables.tsv"), newline="") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["checkpoint"] == f"{stream}_imagenet"]
    listed = {row["variable"]: tuple(int(size) for size in row["shape"].split("x")) for row in rows}
    found = {f"{scope}/inception_i3d/{name}": shape for name, shape in shapes(request.getfixturevalue(stream)).items()}
    assert len(listed) == 230 and found == listed


def test_some_published_names(rgb):
    found = shapes(rgb)
    assert found["Conv3d_1a_7x7/conv_3d/w"] == (7, 7, 7, 3, 64)
    assert found["Mixed_3b/Branch_3/Conv3d_0b_1x1/batch_norm/moving_variance"] == (32,)
    assert found["Mixed_5b/Branch_2/Conv3d_0a_3x3/conv_3d/w"] == (3, 3, 3, 32, 128)  # 0b in every other block
    assert "Mixed_5b/Branch_2/Conv3d_0b_3x3/conv_3d/w" not in found
    assert found["Mixed_5c/Branch_2/Conv3d_0b_3x3/batch_norm/beta"] == (128,)
    assert found["Logits/Conv3d_0c_1x1/conv_3d/b"] == (400,)
    assert len(found) == 230


def test_the_smallest_input_and_what_is_below_it(small):
    assert small(np.zeros((2, 8, 32, 32, 3), np.float32)).shape == (2, 10)
    for shape in ((7, 32, 32, 3), (8, 31, 32, 3), (8, 32, 31, 3)):
        with pytest.raises(ValueError, match="expected at least"):
            i3d.build_i3d(shape, 10)


def windows(x: np.ndarray, size, strides, fill: float) -> np.ndarray:
    """(T, H, W, C) -> (t, h, w, C, *size), padded as TensorFlow's SAME: one more behind than in front."""
    pads = []
    for length, extent, step in zip(x.shape, size, strides, strict=False):
        missing = max((-(-length // step) - 1) * step + extent - length, 0)
        pads.append((missing // 2, missing - missing // 2))
    x = np.pad(x, [*pads, (0, 0)], constant_values=fill)
    return np.lib.stride_tricks.sliding_window_view(x, size, (0, 1, 2))[:: strides[0], :: strides[1], :: strides[2]]


def unit(model, x: np.ndarray, name: str, stride: int = 1) -> np.ndarray:
    (kernel,) = model.get_layer(f"{name}_conv_3d").get_weights()
    beta, mean, variance = model.get_layer(f"{name}_batch_norm").get_weights()
    seen = windows(x, kernel.shape[:3], (stride,) * 3, 0)
    found = np.einsum("thwcijk,ijkcf->thwf", seen, kernel.astype(np.float64), optimize=True)
    return np.maximum((found - mean) / np.sqrt(variance + 1e-3) + beta, 0)


def pool(x: np.ndarray, size, strides) -> np.ndarray:
    return windows(x, size, strides, -np.inf).max(axis=(-3, -2, -1))


def mixed(model, x: np.ndarray, name: str, odd: str = "0b") -> np.ndarray:
    one, two = (unit(model, x, f"{name}_Branch_{branch}_Conv3d_0a_1x1") for branch in (1, 2))
    return np.concatenate(
        [
            unit(model, x, f"{name}_Branch_0_Conv3d_0a_1x1"),
            unit(model, one, f"{name}_Branch_1_Conv3d_0b_3x3"),
            unit(model, two, f"{name}_Branch_2_Conv3d_{odd}_3x3"),
            unit(model, pool(x, (3, 3, 3), (1, 1, 1)), f"{name}_Branch_3_Conv3d_0b_1x1"),
        ],
        axis=-1,
    )


@pytest.fixture(scope="module")
def outputs(small):
    """What every endpoint gives for one random clip."""
    names = ["clip", *(name for name in ENDPOINTS if not name.startswith("Logits"))]
    several = keras.Model(small.input, {name: small.get_layer(name).output for name in names})
    clip = np.random.default_rng(3).uniform(-1, 1, (1, 8, 32, 32, 3)).astype(np.float32)
    return {name: np.asarray(value)[0].astype(np.float64) for name, value in several(clip).items()}


def close(found: np.ndarray, expected: np.ndarray) -> None:
    assert found.shape == expected.shape and np.ptp(expected) > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_units_are_convolution_normalisation_and_relu(small, outputs):
    close(outputs["Conv3d_1a_7x7"], unit(small, outputs["clip"], "Conv3d_1a_7x7", 2))
    close(outputs["Conv3d_2c_3x3"], unit(small, outputs["Conv3d_2b_1x1"], "Conv3d_2c_3x3"))


def test_pools_pad_as_published(outputs):
    close(outputs["MaxPool3d_2a_3x3"], pool(outputs["Conv3d_1a_7x7"], (1, 3, 3), (1, 2, 2)))
    close(outputs["MaxPool3d_3a_3x3"], pool(outputs["Conv3d_2c_3x3"], (1, 3, 3), (1, 2, 2)))
    close(outputs["MaxPool3d_4a_3x3"], pool(outputs["Mixed_3c"], (3, 3, 3), (2, 2, 2)))
    close(outputs["MaxPool3d_5a_2x2"], pool(outputs["Mixed_4f"], (2, 2, 2), (2, 2, 2)))


def test_inception_blocks(small, outputs):
    close(outputs["Mixed_3b"], mixed(small, outputs["MaxPool3d_3a_3x3"], "Mixed_3b"))
    close(outputs["Mixed_4e"], mixed(small, outputs["Mixed_4d"], "Mixed_4e"))
    close(outputs["Mixed_5b"], mixed(small, outputs["MaxPool3d_5a_2x2"], "Mixed_5b", odd="0a"))


def test_the_head_averages_2x7x7_and_then_its_logits(flow):
    head = keras.Model(flow.get_layer("Mixed_5c").output, flow.output)
    features = np.random.default_rng(4).normal(size=(1, 3, 8, 8, 1024)).astype(np.float32)
    kernel, bias = flow.get_layer("Logits_Conv3d_0c_1x1_conv_3d").get_weights()
    bias = np.linspace(-1, 1, 400)
    flow.get_layer("Logits_Conv3d_0c_1x1_conv_3d").set_weights([kernel, bias])
    places = [(t, y, x) for t in (0, 1) for y in (0, 1) for x in (0, 1)]
    means = [features[0, t : t + 2, y : y + 7, x : x + 7].mean(axis=(0, 1, 2), dtype=float) for t, y, x in places]
    logits = np.mean([mean @ kernel[0, 0, 0] + bias for mean in means], axis=0)
    close(np.asarray(head(features))[0], logits)


def test_an_inflated_kernel_answers_a_still_video_as_the_picture():
    rng = np.random.default_rng(5)
    kernel = rng.normal(size=(3, 3, 4, 6)).astype(np.float32)
    picture = rng.normal(size=(1, 9, 11, 4)).astype(np.float32)
    wanted = keras.ops.conv(picture, kernel, padding="valid")
    inflated = inflate(kernel, 5)
    assert inflated.shape == (5, 3, 3, 4, 6)
    video = np.repeat(picture[:, None], 8, axis=1)
    found = np.asarray(keras.ops.conv(video, inflated, padding="valid"))
    assert found.shape == (1, 4, 7, 9, 6)
    for frame in found[0]:
        np.testing.assert_allclose(frame, np.asarray(wanted)[0], atol=1e-4)


@pytest.mark.parametrize("sonnet", [True, False])
def test_every_value_comes_to_its_place(rgb, tmp_path, sonnet):
    arrays = random_arrays(rgb, sonnet)
    # What the optimiser left behind in one of the published checkpoints.
    extra = {"Conv3d_1a_7x7/conv_3d/w/Momentum": np.ones((7, 7, 7, 3, 64), np.float32)}
    load_kinetics_checkpoint(rgb, write_checkpoint(tmp_path, arrays | extra, "RGB/inception_i3d/" * sonnet))
    layers = {"w": "kernel", "b": "bias"}
    for name, value in arrays.items():
        path, kind = name.rsplit("/", 1)
        layer = rgb.get_layer(path.replace("/", "_"))
        found = np.asarray(getattr(layer, layers.get(kind, kind)))
        np.testing.assert_array_equal(found, value if kind == "w" else value.ravel(), name)


def test_another_number_of_classes_keeps_the_new_head(rgb, tmp_path):
    model = i3d.build_i3d((8, 32, 32, 3), 10)
    head = model.get_layer("Logits_Conv3d_0c_1x1_conv_3d").get_weights()
    arrays = random_arrays(rgb)
    load_kinetics_checkpoint(model, write_checkpoint(tmp_path, arrays))
    for before, after in zip(head, model.get_layer("Logits_Conv3d_0c_1x1_conv_3d").get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)
    found = checkpoint_names(model)
    assert all(
        np.array_equal(np.asarray(found[name]).ravel(), value.ravel())
        for name, value in arrays.items()
        if not name.startswith("Logits")
    )


def broken(arrays: dict, how: str) -> dict:
    name = "Mixed_4c/Branch_1/Conv3d_0b_3x3/conv_3d/w"
    if how == "missing":
        return {key: value for key, value in arrays.items() if key != name}
    if how == "unknown":
        return arrays | {"Mixed_9z/conv_3d/w": np.zeros(3, np.float32)}
    return arrays | {name: arrays[name][..., :-1]}


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("missing", "1 variables missing, 0 unknown, first Mixed_4c/Branch_1/Conv3d_0b_3x3/conv_3d/w"),
        ("unknown", "0 variables missing, 1 unknown, first Mixed_9z/conv_3d/w"),
        (
            "shape",
            r"Mixed_4c/Branch_1/Conv3d_0b_3x3/conv_3d/w is \(3, 3, 3, 112, 223\), expected \(3, 3, 3, 112, 224\)",
        ),
    ],
)
def test_a_checkpoint_of_something_else_names_the_variable(small, tmp_path, how, said):
    path = write_checkpoint(tmp_path, broken(random_arrays(small), how))
    with pytest.raises(Problem, match=said):
        load_kinetics_checkpoint(small, path)


def test_flow_weights_do_not_fit_rgb(small, flow, tmp_path):
    path = write_checkpoint(tmp_path, random_arrays(flow), "Flow/inception_i3d/")
    with pytest.raises(Problem, match=r"Conv3d_1a_7x7/conv_3d/w is \(7, 7, 7, 2, 64\).*another stream"):
        load_kinetics_checkpoint(small, path)


@pytest.mark.parametrize("how", ["none", "no index", "no data", "data cut", "index cut", "text"])
def test_files_that_are_missing_or_cut_are_one_line(small, tmp_path, how):
    path = write_checkpoint(tmp_path, random_arrays(small))
    index, data = (tmp_path / name for name in (kinetics.INDEX, kinetics.DATA))
    if how in ("none", "no index"):
        index.unlink()
    if how in ("none", "no data"):
        data.unlink()
    cut = {"data cut": data, "index cut": index}.get(how)
    if cut:
        cut.write_bytes(cut.read_bytes()[: cut.stat().st_size // 2])
    if how == "text":
        index.write_text("version https://git-lfs.github.com/spec/v1\n")
    with pytest.raises(Problem, match="no readable checkpoint") as caught:
        load_kinetics_checkpoint(small, path)
    assert "\n" not in str(caught.value)


def test_weights_of_another_network_come_to_their_place_and_a_new_head_stays(small, flow):
    other = i3d.build_i3d((8, 48, 40, 3), 4, momentum=0.9)
    head = [np.array(variable) for variable in other.get_layer("Logits_Conv3d_0c_1x1_conv_3d").weights]
    copy_weights(small, other)
    for layer in other.layers:
        theirs = head if layer.name.startswith("Logits_Conv3d") else small.get_layer(layer.name).get_weights()
        assert all(np.array_equal(a, b) for a, b in zip(layer.get_weights(), theirs, strict=True)), layer.name
    with pytest.raises(ValueError, match="Conv3d_1a_7x7_conv_3d: another shape"):
        copy_weights(flow, other)


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN is the kernels of x86 processors")
@pytest.mark.skipif(os.environ["TF_ENABLE_ONEDNN_OPTS"] != "1", reason="TF_ENABLE_ONEDNN_OPTS is set otherwise here")
def test_onednn_is_on_whatever_the_processor():
    """Without it a training step takes eighty times as long on processors without VNNI, where it is off by default."""
    from tensorflow.python.util import _pywrap_util_port

    code = "import os, sys, signs; print(os.environ['TF_ENABLE_ONEDNN_OPTS'], 'tensorflow' in sys.modules)"
    environment = {name: value for name, value in os.environ.items() if name != "TF_ENABLE_ONEDNN_OPTS"}
    line = [sys.executable, "-c", code]
    done = subprocess.run(line, text=True, capture_output=True, env=environment, cwd=tiny.REPOSITORY, timeout=120)
    assert done.stdout == "1 False\n", done.stderr
    assert _pywrap_util_port.IsMklEnabled()
