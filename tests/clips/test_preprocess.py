"""What a network sees of stored pictures."""

from dataclasses import replace

from signs.clips import preprocess
from signs.clips.spec import InputSpec

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import tiny


@given(arrays.arrays(np.float32, 30, elements=st.floats(-60, 60, width=32)), st.sampled_from([1.0, 10.0, 20.0, 32.5]))
def test_flow_is_coded_by_the_formula_to_half_a_step(flow, bound):
    coded = preprocess.quantise_flow(flow, bound)
    assert coded.dtype == np.uint8
    exact = (flow.astype(np.float64) + bound) * 255 / (2 * bound)
    assert np.abs(coded - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-3
    restored = preprocess.restore_flow(coded, bound)
    assert restored.dtype == np.float32
    assert np.abs(restored - np.clip(flow, -bound, bound)).max() <= bound / 255 + 1e-4


def test_flow_codes_that_others_use():
    # denseflow and TSN: -20 -> 0, 20 -> 255, no motion -> 128 (127.5, rounded to even).
    assert preprocess.quantise_flow(np.float32([-20, -99, 0, 20, 99, 1]), 20).tolist() == [0, 0, 128, 255, 255, 134]


def gradient(height: int, width: int) -> np.ndarray:
    """(1, H, W, 3): red is the column, green is the row, blue is 200."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([columns, rows, np.full_like(rows, 200)]).astype(np.uint8)[None]


def pixels(scaled: np.ndarray) -> np.ndarray:
    return np.rint((scaled + 1) * 127.5).astype(int)


def test_the_middle_of_the_picture():
    seen = preprocess.network_input(gradient(48, 64), InputSpec(1, 48, 32))
    assert seen.shape == (1, 32, 32, 3) and seen.dtype == np.float32
    assert np.array_equal(pixels(seen), gradient(48, 64)[:, 8:40, 16:48])


def test_scaled_to_minus_one_to_one():
    images = np.uint8([0, 51, 255]).reshape(3, 1, 1, 1) * np.ones((3, 16, 16, 3), np.uint8)
    seen = preprocess.network_input(images, InputSpec(3, 16, 16))
    assert np.allclose(seen[:, 0, 0, 0], [-1, -0.6, 1], atol=1e-6)


@pytest.mark.parametrize("shift", [(5, 0), (0, -4), (-30, 20), (999, -999)])
def test_a_shift_repeats_the_border(shift):
    images = gradient(48, 64)
    seen = pixels(preprocess.network_input(images, InputSpec(1, 48, 32), shift=shift))
    wide = np.pad(images, ((0, 0), (1000, 1000), (1000, 1000), (0, 0)), "edge")
    assert np.array_equal(seen, wide[:, 1008 + shift[1] :, 1016 + shift[0] :][:, :32, :32])


def test_brightness_is_clipped():
    images = np.full((1, 16, 16, 3), 200, np.uint8)
    spec = InputSpec(1, 16, 16)
    assert np.all(preprocess.network_input(images, spec, brightness=1.5) == 1)
    assert np.all(pixels(preprocess.network_input(images, spec, brightness=0.5)) == 100)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("still", ["keep", "subtract"])
def test_the_network_sees_the_plain_formula_bit_for_bit(channels, still):
    """By place and by value at once, what `network_input` does by views and tables; inside and over the edge."""
    images = np.random.default_rng(channels).integers(0, 256, (3, 20, 30, channels), dtype=np.uint8)
    spec, brightness = InputSpec(3, 20, 16, still), np.linspace(0.7, 1.4, channels)
    for shift, zoom in (((0, 0), 1.0), ((5, -2), 1.0), ((9, 3), 1.0), ((-2, 1), 0.8), ((1, 0), 1.3)):
        steps = np.rint((np.arange(16) - 7.5) / zoom + 7.5).astype(int)
        rows, columns = np.clip(steps + 2 + shift[1], 0, 19), np.clip(steps + 7 + shift[0], 0, 29)
        wanted = images[:, rows[:, None], columns].astype(np.float32)
        wanted = np.clip(wanted * np.float32(brightness * (2 / 255)) - 1, -1, 1)
        wanted -= wanted.mean(axis=0) if still == "subtract" else np.float32(0)
        place = np.full((2, *wanted.shape), 9, np.float32)
        seen = preprocess.network_input(images, spec, None, shift, brightness, zoom, out=place[1])
        assert seen.dtype == np.float32 and np.array_equal(seen, wanted)
        assert np.array_equal(place[1], wanted) and np.all(place[0] == 9)


@pytest.mark.parametrize("bound", [20.0, 10.0, 40.0])
def test_flow_is_scaled_by_pixels_whatever_its_bound(bound):
    """20 px is 1 to the network, as I3D's flow stream was trained, also where 8 bits stand for more or less."""
    pixel = np.float32([0, 5, -5, 20, -20, 99])
    images = np.ones((6, 16, 16, 2), np.uint8) * preprocess.quantise_flow(pixel, bound).reshape(6, 1, 1, 1)
    seen = preprocess.network_input(images, InputSpec(6, 16, 16), bound)[:, 8, 8, 0]
    wanted = np.clip(np.clip(pixel, -bound, bound) / 20, -1, 1)
    assert np.abs(seen - wanted).max() <= bound / 255 / 20 + 1e-6


def test_subtract_leaves_what_moves():
    images = np.full((4, 16, 16, 3), 90, np.uint8)
    images[2, 3:6, 3:6] = 250
    spec = InputSpec(4, 16, 16, "subtract")
    seen, kept = preprocess.network_input(images, spec), preprocess.network_input(images, replace(spec, still="keep"))
    assert np.allclose(seen.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(seen, kept - kept.mean(axis=0), atol=1e-6)
    assert np.all(seen[:, 10, 10] == 0) and np.all(seen[2, 4, 4] > 0.9)
    coded = images[..., :2]
    flow = preprocess.network_input(coded, spec, 20.0)
    stays = preprocess.network_input(coded, replace(spec, still="keep"), 20.0)
    assert np.array_equal(flow, stays), "flow stays as it is"


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_own_scale_shows_a_small_movement_as_large_as_a_great_one(modality):
    rng = np.random.default_rng(0)
    moved = rng.normal(0, 1, (4, 16, 16, 2 if modality == "flow" else 3))
    bound = 20.0 if modality == "flow" else None
    spec = InputSpec(4, 16, 16, "subtract", scale="own")

    def seen(size):
        if modality == "flow":
            return preprocess.network_input(preprocess.quantise_flow(np.float32(size * moved), 20.0), spec, bound)
        return preprocess.network_input(np.clip(128 + 10 * size * moved, 0, 255).astype(np.uint8), spec, bound)

    small, great = seen(1), seen(4)
    for one in (small, great):
        assert np.sqrt(np.mean(one**2)) == pytest.approx(preprocess.OWN_SCALE, rel=1e-3) and one.dtype == np.float32
    assert np.corrcoef(small.ravel(), great.ravel())[0, 1] > 0.99
    assert np.abs(small - great).mean() < 0.05
    coded = preprocess.quantise_flow(np.float32(moved), 20.0)[..., :2]
    assert np.abs(preprocess.network_input(coded, replace(spec, scale="fixed"), 20.0)).mean() < 0.05


def test_own_scale_does_not_blow_up_what_is_still():
    spec = InputSpec(4, 16, 16, "subtract", scale="own")
    flow = np.full((4, 16, 16, 2), 128, np.uint8)
    assert np.all(preprocess.network_input(flow, spec, 20.0) == 0), "the code of no movement is 0 to the network"
    flow[1, 3, 3] = 129
    seen = preprocess.network_input(flow, spec, 20.0)
    assert np.abs(seen).max() <= 1 / 127 * preprocess.OWN_SCALE / preprocess.STILLEST
    flow[2, 5:7, 5:7] = 255
    assert preprocess.network_input(flow, spec, 20.0).max() == preprocess.LARGEST
    still = np.full((4, 16, 16, 3), 77, np.uint8)
    assert np.abs(preprocess.network_input(still, spec)).max() < 1e-5


def test_another_store_is_resized_first():
    images = np.stack([tiny.moving(2, 96, 128)])[0]
    seen = preprocess.network_input(images, InputSpec(2, 48, 48))
    small = np.stack([cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA) for image in images])
    assert np.array_equal(pixels(seen), small[:, :, 8:56])
