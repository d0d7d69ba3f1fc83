"""What is painted over the picture: in every state and size a new image, mirrored for the eyes alone."""

from signs.live import overlay
from signs.live.overlay import Result, View

import numpy as np
import pytest


def picture(shade: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Red on the left, dark on the right: tells RGB from BGR and a mirrored picture from a straight one."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = shade
    return image


SHOWN = Result(
    ranked=[("a name that is far too long for any window that one could wish for, and then some", 0.8), ("é", 0.1)],
    streams={"rgb": ("wave", 0.7), "flow": ("push", 1.0)},
    latency=0.5,
    seconds={"flow": 0.2, "rgb": 0.1},
    rate=8.0,
    frames=[picture(200)] * 3,
    flow=[picture(90)] * 3,
)
VIEWS = [
    View("idle"),
    View("idle", message="something went wrong, and the line about it is much too long for this window" * 2),
    View("countdown", left=3.0, progress=0.0),
    View("countdown", left=0.0, progress=1.0),
    View("recording", left=2.0, progress=0.6, elapsed=3.0),
    View("translating", elapsed=0.4),
    View("result", result=SHOWN, elapsed=1.0),
    View("result", result=Result([("wave", 1.0)], {}, 0.1, {}, 0.0)),
]


@pytest.mark.parametrize("size", [(320, 240), (640, 480), (1280, 720), (480, 960)])
@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.state)
def test_drawing_makes_a_new_image_of_the_size_asked(size, view):
    image = picture(180, 160, 120)
    before = image.copy()
    canvas = overlay.draw_window(image, view, size)
    assert canvas.shape == (size[1], size[0], 3) and canvas.dtype == np.uint8
    assert np.array_equal(image, before) and not np.shares_memory(image, canvas)
    assert canvas.std() > 5


def test_drawing_is_mirrored_only_when_asked():
    image = picture(200, 640, 480)
    straight = overlay.draw_window(image, View("idle", mirror=False), (640, 480))
    mirrored = overlay.draw_window(image, View("idle", mirror=True), (640, 480))
    assert straight[200, 100, 0] == 200 and straight[200, 500, 0] == 0
    assert mirrored[200, 100, 0] == 0 and mirrored[200, 500, 0] == 200
    dark = np.zeros_like(image)
    views = [View("idle", mirror=mirror) for mirror in (True, False)]
    assert np.array_equal(*[overlay.draw_window(dark, view, (640, 480)) for view in views]), "text is never mirrored"


def test_the_ring_fills_while_recording():
    image = np.zeros((480, 640, 3), np.uint8)
    red = [
        int((overlay.draw_window(image, View("recording", progress=part), (640, 480))[..., 0] > 200).sum())
        for part in (0.1, 0.5, 0.9)
    ]
    assert red == sorted(red) and red[0] < red[-1]
