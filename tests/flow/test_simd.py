"""Vectors of rows against NumPy; the median filter against OpenCV's, its network against all pictures of 0 and 1."""

import itertools

from signs.flow import median5, simd, tvl1
from signs.flow.pyramid import Level, pack
from signs.flow.tvl1 import Scale

import cv2
import numba
import numpy as np
import pytest

NAMES = ("a", "b", "c")


@simd.row_kernel(NAMES)
def mix(at, factor):
    value = simd.maximum(simd.minimum(at("a", dx=-1) / (2 + at("b", dy=1)), 0.9), factor) - simd.sqrt(at("b"))
    at.store("c", simd.where(at("a") > 0.5, value, 0 - value))
    return at.inside(value)


@numba.njit(error_model="numpy")
def run(planes, width, factor):
    total = 0.0
    for row in range(1, planes.shape[1] - 1):
        total += mix((planes,), (row,), width, (factor,))
    return total


@pytest.mark.parametrize("width", [1, 7, 8, 15, 16, 17, 33, 64])
def test_a_kernel_computes_what_numpy_does(width):
    planes = simd.allocate(3, 7, simd.stride_of(width))
    planes[:] = np.random.default_rng(width).random(planes.shape, np.float32)
    a, b = planes[:2].copy()
    inner = np.s_[1:-1, simd.PAD : simd.PAD + width]
    value = np.clip(np.roll(a, 1, axis=1) / (2 + np.roll(b, -1, axis=0)), 0.2, 0.9) - np.sqrt(b)
    total = run(planes, width, np.float32(0.2))
    np.testing.assert_allclose(planes[2][inner], np.where(a > 0.5, value, -value)[inner], rtol=1e-5, atol=1e-6)
    assert total == pytest.approx(value[inner].sum(), rel=1e-4)
    assert np.array_equal(planes[0], a) and np.array_equal(planes[1], b)


def test_rows_start_where_a_cache_line_does():
    for shape in ((3, 5, simd.stride_of(17)), (2, 3, simd.stride_of(40)), (1, 1, simd.stride_of(1))):
        planes = simd.allocate(*shape)
        assert planes.shape == shape
        starts = {row[simd.PAD :].ctypes.data % simd.ALIGNMENT for plane in planes for row in plane}
        assert starts == {0}


def filtered(flow: np.ndarray) -> np.ndarray:
    """(2, H, W) -> its median by `median5`."""
    _, height, width = flow.shape
    planes = simd.allocate(len(median5.NAMES), height + 4, simd.stride_of(width))
    planes[:] = np.nan  # what is read though it should not be would show
    inner = np.s_[:2, 2 : 2 + height, simd.PAD : simd.PAD + width]
    planes[inner] = flow
    median5.repeat_border(planes, height, 2)
    for y in range(height + median5.REACH):
        median5.filter_row(planes, y, height, width, 2)
    return planes[inner]


@pytest.mark.parametrize("shape", [(5, 5), (3, 40), (40, 3), (1, 17), (17, 1), (2, 2), (33, 64), (24, 100)])
@pytest.mark.parametrize("values", ["any", "few"])
def test_the_median_is_that_of_opencv(shape, values):
    rng = np.random.default_rng(sum(shape))
    flow = rng.normal(size=(2, *shape)) if values == "any" else rng.integers(-2, 3, (2, *shape))
    flow = flow.astype(np.float32)
    wanted = [cv2.medianBlur(component, 5) for component in flow]
    assert np.array_equal(filtered(flow), wanted)


def test_the_network_finds_the_middle_of_every_window_of_zeros_and_ones():
    """With its columns sorted such a window is five numbers of ones; the 0-1 principle does the rest."""
    windows = np.array(
        [[ones > 4 - rank for rank in range(5) for ones in counts] for counts in itertools.product(range(6), repeat=5)]
    ).T
    wanted = windows.sum(axis=0) >= 13
    values = list(windows)
    for low, high in median5.SELECT:
        values[low], values[high] = values[low] & values[high], values[low] | values[high]
    assert np.array_equal(values[median5.MIDDLE], wanted)
    columns = list(np.array(list(itertools.product((False, True), repeat=5))).T)
    for low, high in median5.SORT:
        columns[low], columns[high] = columns[low] & columns[high], columns[low] | columns[high]
    assert np.all(np.diff(np.array(columns, int), axis=0) >= 0)


def test_warping_is_cubic_interpolation_with_black_beyond_the_border():
    height, width = 20, 37
    rng = np.random.default_rng(3)
    picture = rng.uniform(0, 255, (height, width)).astype(np.float32)
    level, scale = Level(height, width), Scale(height, width)
    pack(picture, level.packed)
    scale.u[:] = rng.choice([0, 0.25, -0.5, 1.75, 30, -200, 1e6], (2, height, width))  # OpenCV rounds to 1/32
    rows, columns = np.indices((height, width)).astype(np.float32)
    place = columns + scale.u[0], rows + scale.u[1]
    weights = (np.float32(1), np.float32(1), np.float32(1))
    tvl1._sweep(scale.planes, level.packed, height, width, weights, tvl1.NO_ITERATION, True, False)
    around = np.pad(picture, 1, "edge")
    gradients = (around[1:-1, 2:] - around[1:-1, :-2]) / 2, (around[2:, 1:-1] - around[:-2, 1:-1]) / 2
    found = {
        name: scale.planes[tvl1.NAMES.index(name), tvl1.TOP : -tvl1.TOP, simd.PAD : simd.PAD + width]
        for name in ("gx", "gy", "constant", "inverse")
    }
    gx, gy, warped = (cv2.remap(image, *place, cv2.INTER_CUBIC) for image in (*gradients, picture))
    np.testing.assert_allclose(found["gx"], gx, atol=2e-3)
    np.testing.assert_allclose(found["gy"], gy, atol=2e-3)
    finite = np.abs(scale.u).max(axis=0) < 1e6
    constant = warped - gx * scale.u[0] - gy * scale.u[1]
    np.testing.assert_allclose(found["constant"][finite], constant[finite], atol=0.1)
    square = gx**2 + gy**2
    np.testing.assert_allclose(found["inverse"] * square, square > 1e-3, atol=2e-3)
