"""Where things are in the live demo's window: the picture, the panel beside or below it, and the row of keys.

    place = lay_out((1148, 680), (480, 640))
    place.picture, place.panel.rows             boxes (left, top, width, height) in pixels
    opening_size((480, 640))                    of a new window

Nothing is painted over the picture that is not about it: hands may be anywhere in it. `unit` is how many pixels of the
window one length of the code is; a window of 860 x 520 units is a usual one.
"""

from typing import NamedTuple

from signs.live.display import Screen

Box = tuple[float, float, float, float]  # left, top, width, height
USUAL = (860, 520)  # units of a usual window, longer side first
KEYS = 34  # units that the row of keys is high
BESIDE, BELOW = 236, 226  # units: width of a panel beside the picture, height of one below it
MARGIN = 16
ROWS = ((0, 58), (66, 34), (104, 34))  # top and height of the three answers, in units from the first one's top
OPENING = (1200, 680)  # pixels that a new window takes at most: what a laptop's screen of 1280 x 720 has room for
SCREEN = (1920, 1080)  # pixels of a screen on which a new window is that large; on a larger one it grows
SHARE = 0.94  # of a screen that a new window takes at most
LEAST = (540, 380)  # units that a window has at least, longer side first: what the panel needs; larger text stays so


class PanelPlace(NamedTuple):
    """Boxes of the panel's parts."""

    whole: Box
    status: Box
    message: Box
    level: Box
    rows: tuple[Box, ...]
    note: Box
    rest: Box


class Place(NamedTuple):
    """Boxes of the window's parts; unit: pixels."""

    unit: float
    picture: Box
    panel: PanelPlace


def lay_out(size: tuple[int, int], shape: tuple[int, int], text: float = 1.0) -> Place:
    """size: (width, height) of the window; shape: (height, width) of the picture, which gets as much room as it can;
    text: how many times as large as usual words are, as far as the panel has room for them."""
    width, height = size
    unit = _unit(size, text)
    high = height - round(KEYS * unit)
    beside = (width - round(BESIDE * unit), high)
    below = (width, high - round(BELOW * unit))
    if _scale(beside, shape) >= _scale(below, shape):
        whole = (beside[0], 0, width - beside[0], high)
        return Place(unit, (0, 0, *beside), _panel(whole, unit))
    whole = (0, below[1], width, high - below[1])
    return Place(unit, (0, 0, *below), _panel_below(whole, unit))


def _unit(size: tuple[int, int], text: float = 1.0) -> float:
    usual = min(max(size) / USUAL[0], min(size) / USUAL[1])
    return usual * min(text, max(1.0, min(max(size) / LEAST[0], min(size) / LEAST[1]) / usual))


def _scale(room: tuple[int, int], shape: tuple[int, int]) -> float:
    return min(room[0] / shape[1], room[1] / shape[0])


def _panel(whole: Box, unit: float) -> PanelPlace:
    """Everything one below the other."""
    left, top, width, height = whole
    x, wide = left + MARGIN * unit, width - 2 * MARGIN * unit

    def box(y: float, high: float) -> Box:
        return (x, top + y * unit, wide, high * unit)

    rows = tuple(box(136 + y, high) for y, high in ROWS)
    rest = box(334, 0)
    return PanelPlace(
        whole,
        box(14, 24),
        box(46, 54),
        box(106, 18),
        rows,
        box(282, 46),
        (*rest[:3], top + height - rest[1] - 8 * unit),
    )


def _panel_below(whole: Box, unit: float) -> PanelPlace:
    """What the demo is at on the left, the answers on the right."""
    left, top, width, height = whole
    wide, right = (width - 3 * MARGIN * unit) / 2, left + width / 2 + MARGIN * unit / 2

    def box(x: float, y: float, high: float) -> Box:
        return (x, top + y * unit, wide, high * unit)

    x = left + MARGIN * unit
    rows = tuple(box(right, 14 + y, high) for y, high in ROWS)
    rest = box(x, 132, 0)
    return PanelPlace(
        whole,
        box(x, 14, 24),
        box(x, 46, 54),
        box(x, 106, 18),
        rows,
        box(right, 160, 46),
        (*rest[:3], top + height - rest[1] - 4 * unit),
    )


def room_on(screen: Screen | None, text: float = 1.0) -> tuple[int, int]:
    """(width, height) that a new window takes at most: OPENING, and more on a large or a dense screen or for large
    words, but never more than the screen has."""
    if screen is None:
        return OPENING
    most = min(SHARE * screen.width / OPENING[0], SHARE * screen.height / OPENING[1])
    wanted = max(1.0, screen.scale, min(screen.width / SCREEN[0], screen.height / SCREEN[1])) * max(1.0, text)
    return round(OPENING[0] * min(wanted, most)), round(OPENING[1] * min(wanted, most))


def opening_size(shape: tuple[int, int], screen: Screen | None = None, text: float = 1.0) -> tuple[int, int]:
    """(width, height) of a new window for a picture (height, width): the picture with its panel, no larger than
    room_on has it."""
    size = room = room_on(screen, text)
    for _ in range(5):  # the panel's width follows from the size that it is a part of
        unit = _unit(size, text)
        scale = _scale((room[0] - BESIDE * unit, room[1] - KEYS * unit), shape)
        size = round(shape[1] * scale + BESIDE * unit), round(shape[0] * scale + KEYS * unit)
    return size


def row_at(place: Place, x: float, y: float) -> int | None:
    """The number of the answer at a point of the window; None where there is none."""
    inside = (number for number, box in enumerate(place.panel.rows) if _holds(box, x, y))
    return next(inside, None)


def _holds(box: Box, x: float, y: float) -> bool:
    left, top, width, height = box
    return left <= x < left + width and top <= y < top + height
