"""What is painted over the picture: in every state and size a new image, mirrored for the eyes alone."""

import itertools
from dataclasses import replace

from signs.live import drawing, overlay, side_panel
from signs.live.display import Screen
from signs.live.layout import lay_out, opening_size, row_at
from signs.live.overlay import Result, View, keys_of

import cv2
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
        columns, rows = overlay.grid_of(size, 200, lay_out(size, (480, 640)).unit)
        canvas = overlay.draw_window(white, View("idle", signs=[("a", white)] * (columns * rows)), size)
        assert columns * rows >= 4 and (canvas == 255).all(axis=2).mean() > 0.3
    assert overlay.grid_of((1156, 680), 2, 1.3) == (2, 1)


@pytest.mark.parametrize("text", [0.5, 1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("size", [(1156, 680), (1920, 1015), (560, 340), (480, 760)])
def test_larger_words_grow_as_far_as_the_panel_has_room(size, text):
    usual, place = lay_out(size, (480, 640)), lay_out(size, (480, 640), text)
    assert usual.unit * min(1, text) <= place.unit <= usual.unit * text
    for left, top, width, height in (*place.panel.rows, place.panel.message, place.panel.level, place.panel.note):
        assert left >= 0 and left + width <= size[0] + 1 and top + height <= size[1] - round(34 * place.unit) + 1
    assert place.picture[2] >= 0.25 * size[0] and place.picture[3] >= 0.2 * size[1], "and the picture stays"
    assert overlay.draw_window(picture(9), View("result", result=SHOWN, text=text), size).shape[:2] == size[::-1]


def test_a_new_window_grows_with_the_screen_and_never_beyond_it():
    sizes = [opening_size((480, 640), screen) for screen in (None, Screen(1280, 720, 1.0), Screen(1920, 1080, 1.0))]
    assert sizes[0] == sizes[2] and sizes[1] == pytest.approx(sizes[0], rel=0.01)
    large, dense = (opening_size((480, 640), Screen(3840, 2160, scale)) for scale in (1.0, 2.5))
    assert large[1] == pytest.approx(2 * sizes[0][1], abs=2) and dense[1] == pytest.approx(2.5 * sizes[0][1], abs=2)
    for screen in (Screen(800, 600, 1.0), Screen(1280, 720, 3.0), Screen(3840, 2160, 4.0)):
        width, height = opening_size((480, 640), screen, 2.0)
        assert width <= screen.width and height <= screen.height
    words = [lay_out(opening_size((480, 640), Screen(1920, 1080, 1.0), text), (480, 640), text).unit for text in (1, 2)]
    assert words[1] == pytest.approx(2 * words[0], rel=0.05), "twice as large, where the screen has room"


# What people see who have no cones for red, for green or for blue, of linear RGB (Machado, Oliveira and Fernandes 2009,
# severity 1).
BLIND = {
    "red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
COLOURS = (drawing.BLUE, drawing.RED, drawing.GREEN, drawing.YELLOW)
APART = {"red": 30, "green": 30, "blue": 15}  # CIE Lab units; 2 are seen side by side
LUMINANCE = (0.2126, 0.7152, 0.0722)


def linear(colour) -> np.ndarray:
    share = np.array(colour) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def seen_by(colour, blind: str) -> np.ndarray:
    """CIE Lab of what somebody sees of a colour."""
    rgb = np.clip(np.array(BLIND[blind]) @ linear(colour), 0, 1).astype(np.float32)
    nonlinear = np.where(rgb <= 0.0031308, 12.92 * rgb, 1.055 * rgb ** (1 / 2.4) - 0.055).astype(np.float32)
    return cv2.cvtColor(nonlinear[None, None], cv2.COLOR_RGB2Lab)[0, 0]


def contrast(one, other) -> float:
    """As the WCAG have it, 1 to 21."""
    high, low = sorted((float(linear(each) @ LUMINANCE) for each in (one, other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("blind", BLIND)
def test_the_colour_blind_tell_the_colours_apart(blind):
    for one, other in itertools.combinations(COLOURS, 2):
        assert np.linalg.norm(seen_by(one, blind) - seen_by(other, blind)) > APART[blind], (one, other)


@pytest.mark.parametrize("colour", [drawing.INK, drawing.DIM, *COLOURS])
def test_words_can_be_read_on_the_panel(colour):
    for behind in (side_panel.COLOUR, drawing.NIGHT):
        assert contrast(colour, behind) > 4.5


def test_nothing_is_told_by_colour_alone(monkeypatch):
    """All drawn in one ink, states, sure answers and what it was still look different."""
    for name in ("BLUE", "RED", "GREEN", "YELLOW", "DIM"):
        monkeypatch.setattr(drawing, name, drawing.INK)
    words = {state: (word, drawing.INK) for state, (word, _) in side_panel.STATUS.items()}
    monkeypatch.setattr(side_panel, "STATUS", words)
    dark, answer = np.zeros((480, 640, 3), np.uint8), Result([("one", 0.9), ("two", 0.06)], {}, 0.1, {}, 0.0)
    pairs = [
        (View("idle"), View("countdown")),
        (View("result", result=answer), View("result", result=replace(answer, known=False))),
        (View("result", result=answer, truth="two"), View("result", result=answer, truth="one")),
        (View("result", result=answer), View("result", result=answer, truth="one")),
        (View("ready", "hands-free", history=[("a", True)]), View("ready", "hands-free", history=[("a", False)])),
    ]
    for one, other in pairs:
        drawn = [overlay.draw_window(dark, view, (1156, 680)) for view in (one, other)]
        place = lay_out((1156, 680), (480, 640)).panel.whole
        left, top, width, height = (round(value) for value in place)
        first, second = (each[top : top + height, left : left + width] for each in drawn)
        assert (first != second).any(axis=2).sum() > 30


@pytest.mark.parametrize("text", (1.0, 2.0, 4.0))
def test_the_key_that_leaves_stays_in_the_narrowest_row(text):
    for view in (View("idle"), View("countdown"), View("idle", typed=""), View("idle", signs=[("a", None)])):
        for size in ((560, 340), (340, 560), (1148, 680)):
            keys, unit = overlay.keys_of(view), lay_out(size, (480, 640), text).unit
            shown = overlay.fitting_keys(keys, size[0], unit)
            assert set(shown) & {"q", "Esc"} and list(shown) == [key for key in keys if key in shown]
            needed = sum(overlay.key_widths(key, meaning, unit)[1] + 13 * unit for key, meaning in shown.items())
            assert needed + 11 * unit <= size[0]
