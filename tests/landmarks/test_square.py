"""Turned squares: what is cut out, and the way back."""

import math

from signs.landmarks.square import Square, square_along

import cv2
import numpy as np
import pytest


@pytest.mark.parametrize("angle", [0.0, 0.4, -2.0, math.pi])
def test_there_and_back(angle):
    square, points = Square(30, 40, 50, angle), np.array([[30.0, 40.0], [11, 60], [90, -3]])
    assert np.allclose(square.to_picture(square.to_shares(points)), points)
    assert np.allclose(square.to_shares(np.array([30, 40])), 0.5)


def test_upright_for_whoever_leans():
    square = square_along(np.array([50.0, 50.0]), np.array([80.0, 50.0]), 60)  # the head to the right
    assert np.allclose(square.to_shares(np.array([80.0, 50.0])), (0.5, 0.0))
    down = square_along(np.array([50.0, 50.0]), np.array([50.0, 80.0]), 60, downwards=True)
    assert down.angle == pytest.approx(0) and np.allclose(down.to_shares(np.array([50.0, 80.0])), (0.5, 1.0))


def test_moved_towards_its_own_top():
    square = Square(50, 50, 20, math.pi / 2).scaled(2, up=0.1)
    assert (square.x, square.y, square.size) == pytest.approx((52, 50, 40))


@pytest.mark.parametrize("size", [60, 400])  # larger than the network's input, and so much larger that it is averaged
@pytest.mark.parametrize("angle", [0.0, 0.5])
def test_what_is_cut_lies_where_points_say(size, angle):
    """A disc in the picture is found in the patch at the share that `to_shares` gives."""
    picture, place = np.zeros((400, 500, 3), np.uint8), (210, 180)
    cv2.circle(picture, place, size // 20, (255, 255, 255), -1)
    square = Square(220, 200, size, angle)
    patch = square.cut(picture, 64)[..., 0].astype(float)
    rows, columns = np.mgrid[:64, :64]
    found = np.array([(patch * columns).sum(), (patch * rows).sum()]) / patch.sum() / 64
    assert np.abs(found - square.to_shares(np.array(place, float))).max() < 0.01


@pytest.mark.parametrize("border, corner", [(cv2.BORDER_CONSTANT, 0), (cv2.BORDER_REPLICATE, 200)])
@pytest.mark.parametrize("size", [80, 2000])
def test_beyond_the_picture(border, corner, size):
    patch = Square(0, 0, size, 0.2).cut(np.full((40, 50, 3), 200, np.uint8), 32, border)
    assert patch.shape == (32, 32, 3) and patch[0, 0, 0] == corner
