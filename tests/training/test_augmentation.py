"""Pictures that are turned and mirrored, and flow whose vectors turn with them."""

from signs.clips import preprocess
from signs.training.augmentation import Augmentation, Drawn

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny

BOUND = 20.0


def drawn(degrees: float = 0.0, flipped: bool = False) -> Drawn:
    return Drawn(np.zeros(2), np.ones(3), 1.0, (0.0, 1.0), degrees, flipped)


def turned_flow(flow: np.ndarray, **how) -> np.ndarray:
    """(T, H, W, 2) pixels -> the same, through the 8 bits in which it is stored."""
    return preprocess.restore_flow(drawn(**how).turn(preprocess.quantise_flow(flow, BOUND), BOUND), BOUND)


def test_a_quarter_turn_is_anticlockwise():
    images = tiny.moving(2, 48, 48)
    np.testing.assert_allclose(drawn(90).turn(images), np.rot90(images, axes=(1, 2)), atol=1)
    np.testing.assert_allclose(drawn(-180).turn(images), images[:, ::-1, ::-1], atol=1)


def test_a_mirror_is_left_to_right_and_twice_is_nothing():
    images = tiny.moving(3, 40, 56)
    flipped = drawn(flipped=True).turn(images)
    np.testing.assert_array_equal(flipped, images[:, :, ::-1])
    np.testing.assert_array_equal(drawn(flipped=True).turn(flipped), images)
    assert drawn().turn(images) is images, "nothing is copied where nothing is turned"


@pytest.mark.parametrize("vector", [(6.0, 0.0), (0.0, -5.0), (3.0, 4.0)])
@pytest.mark.parametrize("degrees", [90, 30, -12])
def test_vectors_turn_with_the_picture(vector, degrees):
    """y points down: anticlockwise on the screen, a movement to the right becomes one to the top."""
    found = turned_flow(np.broadcast_to(np.float32(vector), (1, 32, 32, 2)), degrees=degrees)[0, 16, 16]
    x, y, angle = *vector, np.radians(degrees)
    expected = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    np.testing.assert_allclose(found, expected, atol=2 * BOUND / 255)


def test_a_mirror_negates_x_and_leaves_y():
    flow = np.zeros((1, 8, 10, 2), np.float32)
    flow[0, :, :3] = 5, -3
    found = turned_flow(flow, flipped=True)[0]
    np.testing.assert_allclose(found[:, 7:], np.broadcast_to([-5, -3], (8, 3, 2)), atol=2 * BOUND / 255)
    np.testing.assert_allclose(found[:, :7], 0, atol=2 * BOUND / 255)


@pytest.mark.parametrize("how", [{"degrees": 25.0}, {"flipped": True}, {"degrees": -40.0, "flipped": True}])
def test_turned_flow_is_the_flow_of_turned_pictures(how):
    """What moves by a field in the pictures moves by the turned field in the turned pictures."""
    first = np.uint8(tiny.texture(96, 96))
    moved = cv2.warpAffine(first, np.float32([[1, 0, 3], [0, 1, -2]]), (96, 96), borderMode=cv2.BORDER_REPLICATE)
    one, two = drawn(**how).turn(np.stack([first, moved])[..., None].repeat(3, axis=-1))[..., 0]
    x, y = turned_flow(np.broadcast_to(np.float32([3, -2]), (1, 96, 96, 2)), **how)[0, 48, 48]
    follow = cv2.warpAffine(one, np.float32([[1, 0, x], [0, 1, y]]), (96, 96))
    middle = slice(32, 64)
    assert np.abs(follow[middle, middle].astype(int) - two[middle, middle]).mean() < 3
    assert np.abs(one[middle, middle].astype(int) - two[middle, middle]).mean() > 10


def test_a_turn_and_a_mirror_at_once_are_one_after_the_other():
    flow = np.dstack([tiny.texture(40, 40, 1), tiny.texture(40, 40, 2)])[None] / 16 - 8
    both = turned_flow(flow, degrees=20.0, flipped=True)
    coded = drawn(20.0).turn(preprocess.quantise_flow(flow, BOUND), BOUND)
    after = preprocess.restore_flow(drawn(flipped=True).turn(coded, BOUND), BOUND)
    np.testing.assert_allclose(both[:, 8:32, 8:32], after[:, 8:32, 8:32], atol=4 * BOUND / 255)


@given(st.integers(0, 1000), st.floats(0, 90), st.booleans())
def test_what_is_drawn_stays_within_its_bounds(seed, rotation, flip):
    shake = Augmentation(shift=0.1, zoom=0.2, part=0.5, rotation=rotation, flip=flip)
    found, again = (shake.draw(np.random.default_rng(seed)) for _ in range(2))
    assert abs(found.degrees) <= rotation and found.flipped <= flip and found.degrees == again.degrees
    assert np.abs(found.shift).max() <= 0.1 and abs(found.zoom - 1) <= 0.2
    assert found.part[0] >= 0 and found.part[1] <= 1 and found.part[1] - found.part[0] >= 0.5 - 1e-9
    plain = Augmentation(shift=0.1, zoom=0.2, part=0.5).draw(np.random.default_rng(seed))
    assert np.array_equal(found.shift, plain.shift) and found.part == plain.part, "the rest is drawn as without it"


def test_half_are_flipped():
    shake = Augmentation(flip=True, rotation=10)
    found = [shake.draw(np.random.default_rng(seed)) for seed in range(200)]
    assert 70 < sum(one.flipped for one in found) < 130
    assert 4 < np.abs([one.degrees for one in found]).mean() < 6
