"""What is painted over the picture: in every state and size a new image, mirrored for the eyes alone."""

from dataclasses import replace

from signs.live import overlay
from signs.live.layout import lay_out, opening_size, row_at
from signs.live.overlay import Result, View, keys_of

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
    straight = overlay.draw_window(image, View("idle", mirror=False), (960, 520))
    mirrored = overlay.draw_window(image, View("idle", mirror=True), (960, 520))
    left, right = (200, 150), (200, 600)
    assert straight[left][0] > 190 and straight[right][0] < 30
    assert mirrored[left][0] < 30 and mirrored[right][0] > 190
    dark = np.zeros_like(image)
    views = [View("idle", mirror=mirror) for mirror in (True, False)]
    assert np.array_equal(*[overlay.draw_window(dark, view, (960, 520)) for view in views]), "text is never mirrored"


@pytest.mark.parametrize("size", [(1156, 680), (1200, 567), (554, 680), (480, 760), (900, 600)])
@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (1280, 720)])
def test_nothing_is_painted_over_the_picture_while_somebody_signs(size, shape):
    """Answers, history and messages stand beside it: hands may be anywhere."""
    image = np.full((*shape, 3), 77, np.uint8)
    view = View("ready", "hands-free", result=SHOWN, history=[("a", True)] * 6, level=1, trigger=0.25, correcting=True)
    views = [replace(view, message="m" * 300), replace(view, typed="abc"), replace(view, details=True, flow=image)]
    width, height = (round(value) for value in lay_out(size, shape).picture[2:])
    scale = min(width / shape[1], height / shape[0])
    left, top = round((width - shape[1] * scale) / 2) + 2, round((height - shape[0] * scale) / 2) + 2
    for each in views:
        seen = overlay.draw_window(image, each, size)[top : height - top, left : width - left]
        assert (seen == 77).all() and seen.size


@pytest.mark.parametrize("shape", [(480, 640), (720, 1280), (1280, 720), (480, 480)])
def test_a_new_window_fits_a_laptops_screen_and_the_picture_fills_its_part(shape):
    size = opening_size(shape)
    assert size[0] <= 1200 and size[1] <= 680
    width, height = lay_out(size, shape).picture[2:]
    assert width / height == pytest.approx(shape[1] / shape[0], rel=0.03)


@pytest.mark.parametrize("size", [(1156, 680), (480, 760)])
def test_answers_are_where_a_click_finds_them(size):
    place = lay_out(size, (480, 640))
    for number, (left, top, width, height) in enumerate(place.panel.rows):
        assert row_at(place, left + width / 2, top + height / 2) == number
    assert row_at(place, 5, 5) is None and row_at(place, *place.panel.status[:2]) is None
    three = Result([("one", 0.9), ("two", 0.06), ("three", 0.04)], {}, 0.1, {}, 0.0)
    image, view = picture(0, 640, 480), View("result", result=three)
    bare = overlay.draw_window(image, replace(view, result=None), size)
    shown = (overlay.draw_window(image, view, size) != bare).any(axis=2)
    for left, top, width, height in place.panel.rows:
        assert shown[round(top) : round(top + height), round(left) : round(left + width)].mean() > 0.02


def test_the_keys_are_those_that_mean_something_now():
    assert keys_of(View("idle")).keys() >= {"space", "h", "c", "?", "q"} and "n" not in keys_of(View("idle"))
    asked = View("result", result=SHOWN, correcting=True)
    assert keys_of(asked).keys() >= {"space", "1 2 3", "n", "0"} and "u" not in keys_of(asked)
    assert "u" in keys_of(replace(asked, truth="wave")) and "n" not in keys_of(replace(asked, truth="wave"))
    assert "n" not in keys_of(replace(asked, correcting=False)) and "b" in keys_of(replace(asked, mode="hands-free"))
    assert keys_of(View("recording", "countdown")).keys() == {"q"}
    assert keys_of(View("ready", "hands-free", typed="")).keys() == {"Enter", "Esc"}


def test_the_bar_fills_while_recording():
    image = np.zeros((480, 640, 3), np.uint8)
    red = [
        int((overlay.draw_window(image, View("recording", progress=part), (960, 520))[..., 0] > 200).sum())
        for part in (0.1, 0.5, 0.9)
    ]
    assert red == sorted(red) and red[0] < red[-1]


def test_all_signs_are_shown_page_by_page():
    white = np.full((200, 200, 3), 255, np.uint8)
    for size in ((1156, 680), (560, 340), (480, 760)):
        columns, rows = overlay.grid_of(size, 200)
        canvas = overlay.draw_window(white, View("idle", signs=[("a", white)] * (columns * rows)), size)
        assert columns * rows >= 4 and (canvas == 255).all(axis=2).mean() > 0.3
    assert overlay.grid_of((1156, 680), 2) == (2, 1)
