"""Who is in a picture: anchors, and boxes that are of one person."""

from signs.landmarks.detector import anchors, enlarged_parts, iou, merged

import numpy as np
import pytest


def test_anchors_in_the_order_of_the_answers():
    centres = anchors()
    assert centres.shape == (2254, 2)
    assert np.allclose(centres[[0, 1, 2]], [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28]])
    assert np.allclose(centres[28 * 28 * 2], 0.5 / 14) and np.allclose(centres[-6:], 6.5 / 7)


def test_boxes_of_one_thing_become_one():
    boxes = np.array([[[0, 0], [10, 10]], [[1, 0], [11, 10]], [[50, 50], [60, 60]]], float)
    (first, mean), (second, other) = merged(boxes, np.array([0.6, 0.9, 0.8]), 0.3)
    assert (first, second) == (0.9, 0.8) and np.allclose(mean, [[0.6, 0], [10.6, 10]]) and np.allclose(other, boxes[2])


@pytest.mark.parametrize("other, share", [([[5, 0], [15, 10]], 1 / 3), ([[20, 0], [30, 10]], 0), ([[0, 0], [0, 0]], 0)])
def test_overlap(other, share):
    assert iou(np.array([[0, 0], [10, 10]], float), np.array(other, float)) == pytest.approx(share)


@pytest.mark.parametrize("size", [(480, 640), (640, 480), (90, 640)])
def test_enlarged_parts_see_the_whole_picture(size):
    seen = np.zeros(size, bool)
    for part in enlarged_parts(np.zeros((*size, 3), np.uint8), 2):
        left, top = int(part.x - part.size / 2), int(part.y - part.size / 2)
        seen[max(0, top) : top + int(part.size) + 1, max(0, left) : left + int(part.size) + 1] = True
    assert seen.all()
