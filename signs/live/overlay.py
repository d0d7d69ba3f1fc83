"""What the live demo's window shows: pure functions, image and state in, a new image out.

    canvas = overlay.draw_window(picture, View("recording", progress=0.4, left=3.0), (1148, 680))

in:   picture (H, W, 3) uint8 RGB as the camera sees it, a `View`, the canvas size (width, height)
out:  (height, width, 3) uint8 RGB; nothing that came in is altered

The picture is mirrored here and nowhere else: only people see it so. Words stand in the panel beside it or below
(layout.py, side_panel.py), for hands may be anywhere in the picture; a countdown's ring alone is painted over it.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from signs.live import drawing, side_panel
from signs.live.layout import KEYS as KEYS_HIGH
from signs.live.layout import lay_out

import cv2
import numpy as np

SHOWN = 6  # signs of the history
LOOP_RATE = 12.0  # kept frames a second in the result's loop: a little slower than life shows the movement better
# Lengths of a ring with a number in it: radius, thickness, the panel's rim, height of the number; the panel's alpha.
COUNTDOWN_RING = (40, 7, 14, 46, 0.5)
LOOKS = {"q": "quit", "?": "signs", "r": "read out", "i": "details", "m": "mirror", "f": "full screen"}
OTHER_WAYS = {
    "countdown": {"h": "hands-free", "c": "continuous"},
    "hands-free": {"h": "countdown", "c": "continuous"},
    "continuous": {"c": "countdown", "h": "hands-free"},
}
SPACE = {"idle": "start", "result": "once more", "learning": "begin again", "ready": "rest anew"}
LEAVING = ("q", "Esc")
CORRECTING = {"1 2 3": "it was", "n": "another", "0": "no sign"}


@dataclass(frozen=True)
class Result:
    """An answer as the screen needs it: names instead of labels, pictures instead of flow fields."""

    ranked: list[tuple[str, float]]  # (name, probability), best first
    streams: dict[str, tuple[str, float]]  # each stream's first answer
    latency: float  # seconds from the last frame to the answer
    seconds: dict[str, float]  # by step
    rate: float  # frames a second of the recording; 0 where it is not known
    frames: list[drawing.Image] = field(default_factory=list)
    flow: Sequence[drawing.Image] = ()
    known: bool = True


@dataclass(frozen=True)
class View:
    """Everything `draw_window` needs beside the picture: the state, and how far it has got."""

    state: str
    mode: str = "countdown"
    left: float = 0.0  # seconds left of countdown or recording
    progress: float = 0.0  # 0..1 of countdown or recording
    elapsed: float = 0.0  # seconds since the state began
    mirror: bool = True
    message: str = ""
    result: Result | None = None
    level: float = 0.0  # 0..1, how much moves, of what the scale shows
    trigger: float = 0.0  # how much of that scale begins a sign; 0 where nothing is measured
    history: list[tuple[str, bool]] = field(default_factory=list)  # names, newest last, and whether they are known
    flow: drawing.Image | None = None  # the newest field, in colour
    details: bool = False  # streams and timings are asked for
    correcting: bool = False  # what is said of an answer is kept
    truth: str | None = None  # what the answer was, as somebody said
    note: str = ""  # what became of that
    typed: str | None = None  # a sign's name that is being typed
    signs: Sequence[tuple[str, drawing.Image | None]] | None = None  # a page of those it knows, and skeletons
    more_signs: bool = False  # whether there are further pages
    text: float = 1.0  # how many times as large as usual words are


def keys_of(view: View) -> dict[str, str]:
    """{key: what it does} at this moment, the most wanted first."""
    if view.typed is not None:
        return {"Enter": "it was this", "Esc": "leave"}
    if view.signs is not None:
        return ({"?": "more signs"} if view.more_signs else {}) | {"Esc": "back"}
    if view.state == "countdown":
        return {"space": "cancel", "q": "quit"}
    if view.state in ("loading", "translating") or (view.state, view.mode) == ("recording", "countdown"):
        return {"q": "quit"}
    keys = {"space": SPACE[view.state]} if view.state in SPACE else {}
    if view.correcting and view.result:
        keys |= {"u": "take back"} if view.truth else CORRECTING
        keys |= {"b": "before"} if view.mode != "countdown" else {}
    return keys | OTHER_WAYS[view.mode] | LOOKS


def draw_window(picture: drawing.Image, view: View, size: tuple[int, int]) -> drawing.Image:
    """The whole window for one moment."""
    picture = picture[:, ::-1] if view.mirror else picture
    place = lay_out(size, picture.shape[:2], view.text)
    canvas = np.full((size[1], size[0], 3), drawing.NIGHT, np.uint8)
    if view.signs is not None:
        draw_signs(canvas, view.signs, place.unit)
    else:
        width, height = (round(value) for value in place.picture[2:])
        looks_back = view.state == "result" and view.result and view.result.frames
        scene = drawing.blurred(picture, (width, height)) if looks_back else drawing.contain(picture, (width, height))
        if view.state in PAINTERS:
            PAINTERS[view.state](scene, view, place.unit)
        canvas[:height, :width] = scene
        side_panel.draw(canvas, view, place)
    draw_keys(canvas, place.unit, keys_of(view))
    return canvas


def draw_keys(canvas: drawing.Image, unit: float, keys: Mapping[str, str]) -> None:
    """The keys and what they do along the lower edge, those that `fitting_keys` has room for."""
    height, width = canvas.shape[:2]
    size, high = 13 * unit, round(KEYS_HIGH * unit)
    drawing.panel(canvas, (0, height - high, width, high), 0)
    x, middle = 14 * unit, height - high / 2
    line = middle + size * 0.35
    for key, meaning in fitting_keys(keys, width, unit).items():
        cap, needed = key_widths(key, meaning, unit)
        box = (round(x), round(middle - 10 * unit), round(cap), round(20 * unit))
        drawing.panel(canvas, box, 5 * unit, drawing.TRACK, 1.0)
        drawing.text(canvas, key, x + cap / 2, line, size, drawing.INK, drawing.BOLD, "centre")
        drawing.text(canvas, meaning, x + cap + 7 * unit, line, size, drawing.DIM)
        x += needed + 13 * unit


def key_widths(key: str, meaning: str, unit: float) -> tuple[float, float]:
    """Pixels across of a key's cap, and of it with what it does."""
    cap = drawing.text_width(key, 13 * unit, drawing.BOLD) + 14 * unit
    return cap, cap + 7 * unit + drawing.text_width(meaning, 13 * unit)


def fitting_keys(keys: Mapping[str, str], width: int, unit: float) -> dict[str, str]:
    """The keys that a row of this width has room for: how one leaves stays, of the others the last ones go."""
    needed = {key: key_widths(key, meaning, unit)[1] + 13 * unit for key, meaning in keys.items()}
    room, fits = width - 11 * unit, [key for key in LEAVING if key in keys]
    room -= sum(needed[key] for key in fits)
    for key in keys:
        if key not in fits:
            if needed[key] > room:
                break
            fits.append(key)
            room -= needed[key]
    return {key: meaning for key, meaning in keys.items() if key in fits}


def draw_ring(canvas: drawing.Image, centre, unit: float, ring, part: float, seconds: int, colour) -> None:
    """Seconds in a ring that is filled to `part` (0..1)."""
    *lengths, alpha = ring
    radius, thick, rim, size = (length * unit for length in lengths)
    outer = radius + rim
    drawing.panel(canvas, (centre[0] - outer, centre[1] - outer, 2 * outer, 2 * outer), outer, alpha=alpha)
    drawing.arc(canvas, centre, radius, thick, 0, 1, drawing.TRACK)
    drawing.arc(canvas, centre, radius, thick, 0, part, colour)
    line = centre[1] + size * 0.35
    drawing.text(canvas, str(seconds), centre[0], line, size, drawing.INK, drawing.BOLD, "centre")


def draw_countdown(canvas: drawing.Image, view: View, unit: float) -> None:
    # In the corner: whoever stands there looks whether her hands are in the picture.
    corner, seconds = 66 * unit, max(1, math.ceil(view.left))
    draw_ring(canvas, (corner, corner), unit, COUNTDOWN_RING, 1 - view.progress, seconds, drawing.BLUE)


def draw_recording(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    # A red edge tells it even to someone who looks at their hands.
    cv2.rectangle(canvas, (0, 0), (width - 1, height - 1), drawing.RED, max(2, round(4 * unit)))


def draw_translating(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    cv2.convertScaleAbs(canvas, canvas, 0.6, 6)
    centre = (width / 2, height / 2)
    drawing.arc(canvas, centre, 24 * unit, 6 * unit, 0, 1, drawing.TRACK)
    drawing.arc(canvas, centre, 24 * unit, 6 * unit, view.elapsed * 300 % 360, 0.28, drawing.BLUE)


def draw_loop(canvas: drawing.Image, view: View, unit: float) -> None:
    """What was seen, over and over, and beside it or below, where details are asked for, its flow in colour."""
    result, margin = view.result, 14 * unit
    if not result or not result.frames:
        return
    moment = int(view.elapsed * LOOP_RATE) % len(result.frames)
    pictures = [(result.frames[moment], "what was seen")]
    if result.flow and view.details:
        pictures.append((result.flow[moment % len(result.flow)], "how it moved"))
    height, width = canvas.shape[:2]
    across = width > height
    room = (width - margin) / (len(pictures) if across else 1), (height - margin) / (1 if across else len(pictures))
    for number, (picture, caption) in enumerate(pictures):
        corner = (margin + number * room[0] * across, margin + number * room[1] * (not across))
        draw_captioned(canvas, picture[:, ::-1] if view.mirror else picture, caption, unit, (*corner, *room))


def draw_captioned(canvas: drawing.Image, picture: drawing.Image, caption: str, unit: float, box) -> None:
    """A picture in the middle of a box that has a margin on its right and below, with its caption."""
    (left, top, width, height), margin = box, 14 * unit
    width, height = width - margin, height - margin
    scale = min(width / picture.shape[1], height / picture.shape[0])
    wide, high = picture.shape[1] * scale, picture.shape[0] * scale
    x, y = left + (width - wide) / 2, top + (height - high) / 2
    drawing.inset(canvas, picture, (round(x), round(y), round(wide), round(high)), 12 * unit)
    size = 12 * unit
    around = drawing.text_width(caption, size) + 16 * unit
    drawing.panel(canvas, (x + 8 * unit, y + 8 * unit, around, 22 * unit), 11 * unit)
    drawing.text(canvas, caption, x + 16 * unit, y + 19 * unit + size * 0.35, size)


def grid_of(size: tuple[int, int], count: int, unit: float) -> tuple[int, int]:
    """(columns, rows) of the signs that a window of this size shows at once, at most `count`."""
    columns = max(1, int(size[0] / (150 * unit)))
    rows = max(1, int((size[1] / unit - KEYS_HIGH) / 165))
    return min(columns, count), min(rows, math.ceil(count / min(columns, count)))


def draw_signs(canvas: drawing.Image, signs: Sequence[tuple[str, drawing.Image | None]], unit: float) -> None:
    """A page of signs: each one's skeleton, where there is one, with its name below."""
    height, width = canvas.shape[0] - round(KEYS_HIGH * unit), canvas.shape[1]
    columns, rows = grid_of((width, canvas.shape[0]), len(signs), unit)
    cell, margin = (width / columns, height / rows), 8 * unit
    for number, (name, picture) in enumerate(signs[: columns * rows]):
        left, top = number % columns * cell[0], number // columns * cell[1]
        side = min(cell[0] - 2 * margin, cell[1] - 2 * margin - 22 * unit)
        x = left + (cell[0] - side) / 2
        box = (round(x), round(top + margin), round(side), round(side))
        if picture is None:
            drawing.panel(canvas, box, 8 * unit, drawing.TRACK)
        else:
            drawing.inset(canvas, picture, box, 8 * unit)
        line, room = top + margin + side + 17 * unit, cell[0] - 2 * margin
        drawing.text(canvas, name, left + cell[0] / 2, line, 14 * unit, align="centre", room=room)


PAINTERS = {
    "countdown": draw_countdown,
    "recording": draw_recording,
    "translating": draw_translating,
    "result": draw_loop,
}
