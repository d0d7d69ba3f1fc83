"""Where things are in the live demo's window: the picture, the panel beside or below it, and the row of keys.

    place = lay_out((1148, 680), (480, 640))
    place.picture, place.panel.rows             boxes (left, top, width, height) in pixels
    opening_size((480, 640))                    of a new window

Nothing is painted over the picture that is not about it: hands may be anywhere in it. `unit` is how many pixels of the
window one length of the code is; a window of 860 x 520 units is a usual one.
"""

from typing import NamedTuple

Box = tuple[float, float, float, float]  # left, top, width, height
USUAL = (860, 520)  # units of a usual window, longer side first
KEYS = 34  # units that the row of keys is high
BESIDE, BELOW = 236, 226  # units: width of a panel beside the picture, height of one below it
MARGIN = 16
ROWS = ((0, 58), (66, 34), (104, 34))  # top and height of the three answers, in units from the first one's top
OPENING = (1200, 680)  # pixels that a new window takes at most: what a laptop's screen of 1280 x 720 has room for


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


def lay_out(size: tuple[int, int], shape: tuple[int, int]) -> Place:
    """size: (width, height) of the window; shape: (height, width) of the picture, which gets as much room as it can."""
    width, height = size
    unit = _unit(size)
    high = height - round(KEYS * unit)
    beside = (width - round(BESIDE * unit), high)
    below = (width, high - round(BELOW * unit))
    if _scale(beside, shape) >= _scale(below, shape):
        whole = (beside[0], 0, width - beside[0], high)
        return Place(unit, (0, 0, *beside), _panel(whole, unit))
    whole = (0, below[1], width, high - below[1])
    return Place(unit, (0, 0, *below), _panel_below(whole, unit))


def _unit(size: tuple[int, int]) -> float:
    return min(max(size) / USUAL[0], min(size) / USUAL[1])


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


def opening_size(shape: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a new window for a picture (height, width): the picture with its panel, no larger than
    OPENING."""
    size = OPENING
    for _ in range(5):  # the panel's width follows from the size that it is a part of
        unit = _unit(size)
        scale = _scale((OPENING[0] - BESIDE * unit, OPENING[1] - KEYS * unit), shape)
        size = round(shape[1] * scale + BESIDE * unit), round(shape[0] * scale + KEYS * unit)
    return size


def row_at(place: Place, x: float, y: float) -> int | None:
    """The number of the answer at a point of the window; None where there is none."""
    inside = (number for number, box in enumerate(place.panel.rows) if _holds(box, x, y))
    return next(inside, None)


def _holds(box: Box, x: float, y: float) -> bool:
    left, top, width, height = box
    return left <= x < left + width and top <= y < top + height
