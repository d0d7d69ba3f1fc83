"""The brush of the live demo: text, panels, bars and rings on (H, W, 3) uint8 RGB images.

    canvas = drawing.contain(picture, (960, 720))
    drawing.panel(canvas, (20, 20, 300, 80), radius=12)
    drawing.text(canvas, "hello", 36, 64, size=24, weight=drawing.BOLD)

`contain` and `blurred` return new images; everything else paints into the canvas it is given. Positions and sizes are
pixels. Text is set in the fonts that OpenCV 5 brings along, so it looks the same on every system; scripts that these
have not are set in a font of the system (lettering.py).
"""

import functools
import math
from collections.abc import Callable

from signs.live import lettering

import cv2
import numpy as np

INK, DIM, NIGHT, TRACK = (246, 248, 250), (168, 178, 190), (12, 16, 22), (58, 66, 78)
# Sky blue, vermillion, bluish green and yellow of Okabe and Ito (https://jfly.uni-koeln.de/color/), which people tell
# apart who see no red or no green.
BLUE, RED, GREEN, YELLOW = (86, 180, 233), (213, 94, 0), (0, 158, 115), (240, 228, 66)
REGULAR, BOLD = 400, 650
SMALLEST = 8  # pixels; text below that is only noise
NO_FONT = "No font here has all of these letters; the name is stored as you typed it."
Image = np.ndarray
Box = tuple[float, float, float, float]  # left, top, width, height


def contain(picture: Image, size: tuple[int, int]) -> Image:
    """`picture` as large as it fits into `size` (width, height), on a blurred copy of itself; a new image."""
    width, height = size
    scale = min(width / picture.shape[1], height / picture.shape[0])
    inner = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    whole = inner[0] >= width and inner[1] >= height
    canvas = np.empty((height, width, 3), np.uint8) if whole else blurred(picture, size)
    left, top = (width - inner[0]) // 2, (height - inner[1]) // 2
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    canvas[top : top + inner[1], left : left + inner[0]] = cv2.resize(picture, inner, interpolation=way)
    return canvas


def blurred(picture: Image, size: tuple[int, int]) -> Image:
    """`picture` as a dark, soft background of `size`: one still sees it move behind the panels."""
    small = cv2.resize(picture, (max(2, size[0] // 24), max(2, size[1] // 24)), interpolation=cv2.INTER_AREA)
    wide = cv2.resize(cv2.GaussianBlur(small, (0, 0), 1.2), size, interpolation=cv2.INTER_CUBIC)
    return cv2.addWeighted(wide, 0.45, np.full_like(wide, NIGHT), 0.55, 0)


@functools.lru_cache(maxsize=64)
def _corners(width: int, height: int, radius: int, alpha: float) -> tuple[Image, Image]:
    """Weights of a rounded rectangle and of what is behind it, (height, width) float32."""
    large = np.zeros((height * 2, width * 2), np.uint8)  # drawn twice as large: smooth corners
    corner, right, bottom = radius * 2, width * 2 - 1, height * 2 - 1
    cv2.rectangle(large, (corner, 0), (right - corner, bottom), 255, -1)
    cv2.rectangle(large, (0, corner), (right, bottom - corner), 255, -1)
    for x in (corner, right - corner):
        for y in (corner, bottom - corner):
            cv2.circle(large, (x, y), corner, 255, -1)
    weight = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA).astype(np.float32) * (alpha / 255)
    return weight, 1 - weight


def _pixels(size: float) -> int:
    """Height of text that can still be read."""
    return max(SMALLEST, round(size))


def panel(canvas: Image, box: Box, radius: float, colour=NIGHT, alpha: float = 0.66) -> None:
    """A translucent rounded rectangle, painted into `canvas`."""
    _blend(canvas, box, radius, alpha, lambda behind: np.full_like(behind, colour))


def inset(canvas: Image, picture: Image, box: Box, radius: float) -> None:
    """`picture` stretched to `box`, with rounded corners."""
    way = cv2.INTER_AREA
    _blend(canvas, box, radius, 1.0, lambda behind: cv2.resize(picture, behind.shape[1::-1], interpolation=way))


def _blend(canvas: Image, box: Box, radius: float, alpha: float, front: Callable[[Image], Image]) -> None:
    """What `front` makes for the part of `canvas` in `box`, over that part, with rounded corners."""
    left, top = max(0, int(box[0])), max(0, int(box[1]))
    width, height = min(int(box[2]), canvas.shape[1] - left), min(int(box[3]), canvas.shape[0] - top)
    if width < 1 or height < 1:
        return
    weights = _corners(width, height, max(0, min(int(radius), width // 2, height // 2)), alpha)
    behind = np.ascontiguousarray(canvas[top : top + height, left : left + width])
    canvas[top : top + height, left : left + width] = cv2.blendLinear(front(behind), behind, *weights)


def _parts(string: str) -> lettering.Parts:
    """The parts of a line; what no font can draw is left to OpenCV, which draws `?` for it."""
    return lettering.lay_out(string) or [(None, string)]


@functools.lru_cache(maxsize=512)
def text_width(string: str, size: float, weight: int = REGULAR) -> int:
    """Pixels from the start of `string` to its end."""
    size = _pixels(size)
    return sum(_part_width(font, part, size, weight) for font, part in _parts(string))


def _part_width(font, part: str, size: int, weight: int) -> int:
    if font:
        return lettering.width_of(font, part, size, weight == BOLD)
    return cv2.getTextSize((0, 0), part, (0, 0), lettering.own_face(), size, weight)[2]


def text(
    canvas: Image, string: str, x: float, y: float, size: float, colour=INK, weight=REGULAR, align="left", room=None
) -> None:
    """`string` on the base line `y`; `x` is its left, centre or right; cut short where it is wider than `room`."""
    string = string if room is None else fitted(string, size, weight, room)
    size = _pixels(size)
    x -= {"left": 0, "centre": 0.5, "right": 1}[align] * text_width(string, size, weight)
    for font, part in _parts(string):
        if font:
            _ink(canvas, lettering.picture_of(font, part, size, weight == BOLD), round(x), round(y), colour)
        else:
            cv2.putText(canvas, part, (round(x), round(y)), colour, lettering.own_face(), size, weight)
        x += _part_width(font, part, size, weight)


def _ink(canvas: Image, lettered: tuple[Image, int, int], x: int, y: int, colour) -> None:
    """Paint a part that Pillow set; what is beyond the canvas is left out."""
    picture, left, top = lettered
    left, top = x + left, y + top
    picture = picture[max(0, -top) : max(0, canvas.shape[0] - top), max(0, -left) : max(0, canvas.shape[1] - left)]
    left, top = max(0, left), max(0, top)
    behind = canvas[top : top + picture.shape[0], left : left + picture.shape[1]]
    share = picture[..., None] / np.float32(255)
    behind[:] = np.round(behind * (1 - share) + np.float32(colour) * share)


def fitted(string: str, size: float, weight: int, width: float) -> str:
    """`string`, cut short with an ellipsis where it is wider than `width` pixels."""
    size = _pixels(size)
    if text_width(string, size, weight) <= width:
        return string
    while string and text_width(string + "…", size, weight) > width:
        string = string[:-1]
    return string.rstrip() + "…"


def arc(canvas: Image, centre: tuple[float, float], radius: float, width: float, start: float, part: float, colour):
    """A part (0..1) of a ring from `start` degrees (0 is on top, clockwise), with round ends."""
    centre, thickness = (round(centre[0]), round(centre[1])), max(2, round(width))
    radius, first = max(2, round(radius)), start - 90
    last = first + 360 * min(1.0, max(0.0, part))
    cv2.ellipse(canvas, centre, (radius, radius), 0, first, last, colour, thickness, cv2.LINE_AA)
    for angle in (first, last) if part < 1 else ():
        x = centre[0] + radius * math.cos(math.radians(angle))
        y = centre[1] + radius * math.sin(math.radians(angle))
        end = (round(x * 16), round(y * 16))  # in sixteenths: the ends would jump from pixel to pixel
        cv2.circle(canvas, end, round((thickness - 1) * 8), colour, -1, cv2.LINE_AA, shift=4)


def tick(canvas: Image, x: float, y: float, size: float, colour) -> None:
    """A tick mark on the base line `y`, its left end at `x`, as high as text of that size."""
    corners = [(x, y - 0.35 * size), (x + 0.25 * size, y - 0.05 * size), (x + 0.75 * size, y - 0.7 * size)]
    points = np.rint(np.array(corners) * 16).astype(np.int32)
    cv2.polylines(canvas, [points], False, colour, max(2, round(size / 7)), cv2.LINE_AA, shift=4)


def bar(canvas: Image, box: Box, part: float, colour) -> None:
    """A rounded bar, filled to `part` (0..1)."""
    left, top, width, height = (round(value) for value in box)
    panel(canvas, (left, top, width, height), height / 2, TRACK, 0.9)
    filled = round(width * min(1.0, max(0.0, part)))
    if filled >= 1:
        panel(canvas, (left, top, max(filled, height), height), height / 2, colour, 1.0)


def pill(canvas: Image, x: float, y: float, unit: float, string: str, dot=None, align="left") -> None:
    """A short text on a small panel whose top is `y`, with a coloured dot in front where there is one."""
    size, high = _pixels(14 * unit), round(28 * unit)
    string = fitted(string, size, REGULAR, canvas.shape[1] - 70 * unit)
    wide = round(text_width(string, size) + (42 if dot else 26) * unit)
    left = round(x - {"left": 0, "centre": wide / 2, "right": wide}[align])
    panel(canvas, (left, round(y), wide, high), high / 2)
    if dot:
        centre = (round((left + 16 * unit) * 16), round((y + high / 2) * 16))
        cv2.circle(canvas, centre, round(4.5 * unit * 16), dot, -1, cv2.LINE_AA, shift=4)
    text(canvas, string, left + (28 if dot else 13) * unit, y + high / 2 + size * 0.35, size)


def wrapped(string: str, size: float, weight: int, width: float, most: int) -> list[str]:
    """`string` in at most so many lines of `width` pixels, cut between words; the last ends with an ellipsis where
    there is more."""
    lines = [""]
    for word in string.split():
        longer = f"{lines[-1]} {word}".strip()
        if lines[-1] and text_width(longer, _pixels(size), weight) > width and len(lines) < most:
            lines.append(word)
        else:
            lines[-1] = longer
    return [fitted(line, size, weight, width) for line in lines if line]


def field(canvas: Image, typed: str, unit: float, place, elapsed: float) -> None:
    """The line that is typed at (left, top) in `room` pixels, its end in sight, with a blinking cursor."""
    left, top, room = place
    panel(canvas, (left, top, room, 42 * unit), 8 * unit, TRACK, 0.95)
    size, rightward, inside = 22 * unit, lettering.is_rightward(typed), room - 28 * unit
    shown = typed
    while shown and text_width(shown, size) > inside:
        shown = shown[1:]
    wide, x = text_width(shown, size), left + 12 * unit
    x += inside - wide if rightward else 0
    text(canvas, shown, x, top + 29 * unit, size)
    if elapsed % 1 < 0.6:
        cursor = x - 4 * unit if rightward else x + wide + 3 * unit
        panel(canvas, (cursor, top + 9 * unit, max(1, 2 * unit), 24 * unit), 0, BLUE, 1.0)
    if not lettering.can_draw(typed):
        text(canvas, NO_FONT, left, top + 64 * unit, 12 * unit, YELLOW, room=room)
