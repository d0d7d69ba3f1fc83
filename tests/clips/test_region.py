"""The square round the signer: found where something is known to move, and cut out to the pixel."""

from signs.clips import preprocess, region
from signs.clips.spec import InputSpec

import cv2
import numpy as np
import pytest


def moving(shape=(240, 320), middle=(90, 130), reach=30, half=6, noise=2.0, light=0.0, frames=20):
    """A bright disc that swings along x before a textured wall, (T, H, W, 3) uint8."""
    rng = np.random.default_rng(1)
    wall = cv2.GaussianBlur(rng.uniform(40, 160, (*shape, 3)).astype(np.float32), (0, 0), 3)
    result = []
    for t in range(frames):
        picture = wall * (1 + light * (t % 2)) + rng.normal(0, noise, wall.shape)
        x = middle[0] + reach * np.sin(2 * np.pi * t / 10)
        cv2.circle(picture, (round(x), middle[1]), half, (230, 220, 210), -1)
        result.append(np.clip(picture, 0, 255).astype(np.uint8))
    return np.stack(result)


@pytest.mark.parametrize("light", [0.0, 0.15])
def test_the_square_holds_what_moves_and_little_else(light):
    x, y, side = region.signer_square(moving(light=light))
    assert abs(x - 90) < 5 and abs(y - 130) < 5
    assert 72 <= side <= 125, "the disc covers 72 pixels; the square is at most 1.4 times as large, and some"


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_nearer_camera_gives_a_square_as_much_larger(scale):
    frames = moving(noise=0.5)
    size = (round(320 * scale), round(240 * scale))
    other = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    np.testing.assert_allclose(region.signer_square(other), np.multiply(region.signer_square(frames), scale), rtol=0.06)


def test_a_far_signer_s_square_is_never_tiny_and_a_near_one_s_never_larger_than_the_picture():
    assert region.signer_square(moving(reach=3, half=3))[2] >= 44
    assert region.signer_square(moving(middle=(160, 120), reach=150, half=60))[2] == 240


@pytest.mark.parametrize("frames", [1, 8])
def test_where_nothing_moves_there_is_no_square(frames):
    still = np.repeat(moving(frames=1), frames, axis=0)
    assert region.signer_square(still) is None
    noisy = np.clip(still + np.random.default_rng(0).normal(0, 3, still.shape), 0, 255).astype(np.uint8)
    assert region.signer_square(noisy) is None


@pytest.mark.parametrize("size", [32, 60, 200])
def test_a_cut_shows_the_square_and_repeats_the_border_beyond_the_picture(size):
    ramp = np.tile(np.arange(160, dtype=np.uint8), (120, 1))[None, ..., None].repeat(2, axis=-1)
    inside = region.cut(ramp, [80, 60, 60], size)
    assert inside.shape == (1, size, size, 2)
    wanted = 50 + (np.arange(size) + 0.5) * 60 / size - 0.5
    keep = slice(2, -2)
    np.testing.assert_allclose(inside[0, size // 2, keep, 0], wanted[keep], atol=1)
    outside = region.cut(ramp, [0, 60, 60], size)
    assert np.all(outside[0, :, : size // 2 - 2] <= 1), "left of the picture its first column goes on"


def test_flow_grows_with_the_signer_whatever_the_store_s_size():
    """Half the picture's side is seen at twice the length, in a store of 240 pixels and in one of 120."""
    spec = InputSpec(2, 48, 48, region="signer")
    for side in (240, 120):
        coded = preprocess.quantise_flow(np.full((2, side, side, 2), side / 60, np.float32), 20.0)
        images, magnified = preprocess.cut_out(coded, spec, {"signer": [side / 2, side / 2, side / 2]})
        seen = preprocess.network_input(images, spec, 20.0, magnified=magnified)
        np.testing.assert_allclose(seen, 4.0 * 2 / preprocess.FLOW_INPUT_LIMIT, atol=0.02)


def test_without_a_square_and_by_default_the_middle_is_seen():
    images = moving(frames=2)
    for spec, squares in (
        (InputSpec(2, 60, 48), {"signer": [90, 130, 80]}),
        (InputSpec(2, 60, 48, region="signer"), {"signer": None, "body": [90, 130, 80]}),
        (InputSpec(2, 60, 48, region="body"), {}),
    ):
        seen, magnified = preprocess.cut_out(images, spec, squares)
        assert magnified == 1 and np.array_equal(seen, preprocess.resize_all(images, 60))
