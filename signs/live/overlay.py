"""What the live demo paints over a picture: pure functions, image and state in, a new image out.

    canvas = overlay.draw_window(picture, View("recording", progress=0.4, left=3.0), (960, 720))

in:   picture (H, W, 3) uint8 RGB as the camera sees it, a `View`, the canvas size (width, height)
out:  (height, width, 3) uint8 RGB; nothing that came in is altered

The picture is mirrored here and nowhere else: only people see it so. Lengths in the code are for a window of 640x480;
`unit` is how many pixels of the canvas one of them is. One function paints one state; `PAINTERS` lists them.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from signs.live import drawing, lettering

import cv2

KEYS = {"space": "start", "h": "hands-free", "c": "continuous", "q": "quit", "m": "mirror", "f": "full screen"}
SHOWN = 6  # signs of the history
TITLES = {"rgb": "colour", "flow": "movement"}  # what people call them; the others keep their names
FEW = 8.0  # frames a second; a camera below that (in poor light, say) misses much of a sign
LOOP_RATE = 12.0  # kept frames a second in the result's loop: a little slower than life shows the movement better
# Lengths of a ring with a number in it: radius, thickness, the panel's rim, height of the number; the panel's alpha.
COUNTDOWN_RING = (62, 8, 20, 64, 0.5)
RECORDING_RING = (24, 6, 11, 22, 0.66)


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
    history: list[tuple[str, bool]] = field(default_factory=list)  # names, newest last, and whether they are known
    flow: drawing.Image | None = None  # the newest field, in colour


def draw_window(picture: drawing.Image, view: View, size: tuple[int, int]) -> drawing.Image:
    """The whole window for one moment."""
    picture = picture[:, ::-1] if view.mirror else picture
    canvas = drawing.blurred(picture, size) if view.state == "result" else drawing.contain(picture, size)
    unit = min(size[0] / 640, size[1] / 480)
    if view.state != "result":
        draw_side(canvas, view, unit)
    PAINTERS[view.state](canvas, view, unit)
    if view.state in ("ready", "recording") and view.mode != "countdown":
        draw_strip(canvas, view, unit)
    draw_keys(canvas, unit)
    return canvas


def draw_keys(canvas: drawing.Image, unit: float, keys: Mapping[str, str] = KEYS) -> None:
    """The keys and what they do along the lower edge; the last ones are left out where there is no room."""
    height, width = canvas.shape[:2]
    size, high = 13 * unit, round(34 * unit)
    drawing.panel(canvas, (0, height - high, width, high), 0)
    x, middle = 14 * unit, height - high / 2
    line = middle + size * 0.35
    for key, meaning in keys.items():
        cap = drawing.text_width(key, size, drawing.BOLD) + 14 * unit
        needed = cap + 7 * unit + drawing.text_width(meaning, size)
        if x + needed > width - 10 * unit:
            break
        box = (round(x), round(middle - 10 * unit), round(cap), round(20 * unit))
        drawing.panel(canvas, box, 5 * unit, drawing.TRACK, 1.0)
        drawing.text(canvas, key, x + cap / 2, line, size, drawing.INK, drawing.BOLD, "centre")
        drawing.text(canvas, meaning, x + cap + 7 * unit, line, size, drawing.DIM)
        x += needed + 13 * unit


def draw_side(canvas: drawing.Image, view: View, unit: float) -> None:
    """Flow in the upper right corner, and below it the signs so far, the newest on top."""
    width = canvas.shape[1]
    y = (14 if view.state != "recording" or view.mode != "countdown" else 96) * unit
    if view.flow is not None:
        picture = view.flow[:, ::-1] if view.mirror else view.flow
        wide = 124 * unit
        high = wide * picture.shape[0] / picture.shape[1]
        drawing.inset(canvas, picture, (round(width - wide - 14 * unit), round(y), round(wide), round(high)), 8 * unit)
        y += high + 10 * unit
    for name, known in reversed(view.history[-SHOWN:]):
        size = 13 * unit
        name = drawing.fitted(name, size, drawing.REGULAR, 170 * unit)
        name = name if known else f"{lettering.isolated(name)}?"
        wide = drawing.text_width(name, size) + 18 * unit
        drawing.panel(canvas, (width - wide - 14 * unit, y, wide, 22 * unit), 11 * unit)
        colour = drawing.INK if known else drawing.DIM
        drawing.text(canvas, name, width - 23 * unit, y + 11 * unit + size * 0.35, size, colour, align="right")
        y += 27 * unit


def draw_strip(canvas: drawing.Image, view: View, unit: float) -> None:
    """The three best below the moving picture, and how much moves."""
    height, width = canvas.shape[:2]
    margin, high = 14 * unit, 92 * unit
    top = height - 34 * unit - high - 8 * unit
    drawing.panel(canvas, (margin, top, width - 2 * margin, high), 12 * unit, alpha=0.72)
    scale = (margin + 14 * unit, top + high - 11 * unit, width - 2 * margin - 28 * unit, 4 * unit)
    drawing.bar(canvas, scale, view.level, drawing.RED if view.state == "recording" else drawing.DIM)
    left, room = margin + 18 * unit, width - 2 * margin - 36 * unit
    if view.result is None:
        hint = "sign" if view.mode == "continuous" else "sign, and rest your hands"
        drawing.text(canvas, hint, left, top + 44 * unit, 20 * unit, drawing.DIM)
        return
    draw_best(canvas, view.result, unit, (left, top), 0.58 * room)
    x, y = left + 0.64 * room, top + 26 * unit
    for name, probability in view.result.ranked[1:3]:
        drawing.text(canvas, name, x, y, 15 * unit, drawing.DIM, room=0.27 * room)
        drawing.text(canvas, f"{probability * 100:.0f} %", left + room, y, 13 * unit, drawing.DIM, align="right")
        drawing.bar(canvas, (x, y + 7 * unit, left + room - x, 4 * unit), probability, drawing.DIM)
        y += 30 * unit


def draw_best(canvas: drawing.Image, result: Result, unit: float, corner, room: float) -> None:
    """The best answer of the strip in `room` pixels, its bar, and how long it took."""
    (left, top), (name, probability) = corner, result.ranked[0]
    mark, note, ink, colour = ("", "", drawing.INK, drawing.TEAL)
    if not result.known:
        mark, note, ink, colour = ("?", ", not sure", drawing.DIM, drawing.DIM)
    drawing.text(
        canvas, lettering.isolated(name) + mark, left, top + 34 * unit, 26 * unit, ink, drawing.BOLD, room=room
    )
    drawing.bar(canvas, (left, top + 44 * unit, room, 8 * unit), probability, colour)
    line = f"{probability * 100:.0f} %{note}   after {result.latency:.2f} s"
    drawing.text(canvas, line, left, top + 70 * unit, 13 * unit, drawing.DIM)


def draw_status(canvas: drawing.Image, unit: float, line: str, colour) -> None:
    """What the demo is at, in the upper left corner."""
    drawing.pill(canvas, 14 * unit, 14 * unit, unit, line, colour)


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


def draw_loading(canvas: drawing.Image, view: View, unit: float) -> None:
    draw_status(canvas, unit, "loading the model", drawing.AMBER)


def draw_learning(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    draw_status(canvas, unit, view.mode, drawing.AMBER)
    line = view.message or "hold still: learning how you rest"
    drawing.pill(canvas, width / 2, height - 84 * unit, unit, line, align="centre")
    box = (width / 2 - 110 * unit, height - 46 * unit, 220 * unit, 6 * unit)
    drawing.bar(canvas, box, view.progress, drawing.AMBER)


def draw_ready(canvas: drawing.Image, view: View, unit: float) -> None:
    line = view.message or ("watching" if view.mode == "continuous" else "ready")
    draw_status(canvas, unit, f"{view.mode}: {line}", drawing.AMBER if view.message else drawing.GREEN)


def draw_idle(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    draw_status(canvas, unit, view.message or "ready", drawing.AMBER if view.message else drawing.GREEN)
    drawing.pill(canvas, width / 2, height - 74 * unit, unit, "press space, then make one sign", align="centre")


def draw_countdown(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    centre, seconds = (width / 2, height / 2 - 17 * unit), max(1, math.ceil(view.left))
    draw_ring(canvas, centre, unit, COUNTDOWN_RING, 1 - view.progress, seconds, drawing.TEAL)
    draw_status(canvas, unit, "get ready", drawing.AMBER)


def draw_recording(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    # A red edge tells it even to someone who looks at their hands.
    cv2.rectangle(canvas, (0, 0), (width - 1, height - round(34 * unit)), drawing.RED, max(2, round(4 * unit)))
    beat = 0.8 + 0.2 * math.cos(view.elapsed * 2 * math.pi)
    draw_status(canvas, unit, "recording", tuple(round(value * beat) for value in drawing.RED))
    if view.mode != "countdown":  # nobody knows how long it will be
        return
    centre, seconds = (width - 50 * unit, 50 * unit), max(0, math.ceil(view.left))
    draw_ring(canvas, centre, unit, RECORDING_RING, view.progress, seconds, drawing.RED)
    drawing.bar(canvas, (14 * unit, height - 50 * unit, width - 28 * unit, 6 * unit), view.progress, drawing.RED)


def draw_translating(canvas: drawing.Image, view: View, unit: float) -> None:
    height, width = canvas.shape[:2]
    cv2.convertScaleAbs(canvas, canvas, 0.6, 6)
    wide, high, middle = 230 * unit, 74 * unit, height / 2 - 17 * unit
    left = width / 2 - wide / 2
    drawing.panel(canvas, (left, middle - high / 2, wide, high), 16 * unit, alpha=0.78)
    centre = (left + 40 * unit, middle)
    drawing.arc(canvas, centre, 18 * unit, 5 * unit, 0, 1, drawing.TRACK)
    drawing.arc(canvas, centre, 18 * unit, 5 * unit, view.elapsed * 300 % 360, 0.28, drawing.TEAL)
    drawing.text(canvas, "translating", left + 76 * unit, middle + 1 * unit, 20 * unit, drawing.INK, drawing.BOLD)
    drawing.text(canvas, f"{view.elapsed:.1f} s", left + 76 * unit, middle + 22 * unit, 14 * unit, drawing.DIM)


def draw_result(canvas: drawing.Image, view: View, unit: float) -> None:
    """Above, the kept frames beside their flow; below, the three best with bars, the streams and the time taken."""
    (height, width), result = canvas.shape[:2], view.result
    margin, below = 14 * unit, 184 * unit
    above = height - 34 * unit - below - 3 * margin
    if result.frames:
        moment = int(view.elapsed * LOOP_RATE) % len(result.frames)
        draw_loop(canvas, result, moment, view.mirror, unit, (margin, margin, width - 2 * margin, above))
    draw_answer(canvas, result, unit, (margin, margin + above + margin, width - 2 * margin, below))


def draw_loop(canvas: drawing.Image, result: Result, moment: int, mirror: bool, unit: float, box) -> None:
    """Kept frame number `moment` and its flow in colour, side by side in `box`, each with its caption."""
    (left, top, width, height), gap = box, 14 * unit
    pictures = [(result.frames[moment], "what was seen")]
    if result.flow:
        pictures.append((result.flow[moment % len(result.flow)], "how it moved"))
    shape = pictures[0][0].shape
    wide = min((width - gap) / 2, height * shape[1] / shape[0])
    high = wide * shape[0] / shape[1]
    x = left + (width - wide * len(pictures) - gap * (len(pictures) - 1)) / 2
    y = top + (height - high) / 2
    for picture, caption in pictures:
        picture = picture[:, ::-1] if mirror else picture
        drawing.inset(canvas, picture, (round(x), round(y), round(wide), round(high)), 12 * unit)
        size = 12 * unit
        around = drawing.text_width(caption, size) + 16 * unit
        drawing.panel(canvas, (x + 8 * unit, y + 8 * unit, around, 22 * unit), 11 * unit)
        drawing.text(canvas, caption, x + 16 * unit, y + 19 * unit + size * 0.35, size)
        x += wide + gap


def draw_answer(canvas: drawing.Image, result: Result, unit: float, box) -> None:
    """The three best with bars; below them each stream's answer and the time taken."""
    left, top, width, height = box
    drawing.panel(canvas, box, 14 * unit, alpha=0.78)
    left, width, y = left + 18 * unit, width - 36 * unit, top + 35 * unit
    for place, (name, probability) in enumerate(result.ranked[:3]):
        if place == 0:
            size, weight, ink, thick, step = 26 * unit, drawing.BOLD, drawing.INK, 8, 44
            name, colour = (
                (name, drawing.TEAL) if result.known else (f"{lettering.isolated(name)}?  (not sure)", drawing.DIM)
            )
        else:
            size, weight, ink, thick, step = 16 * unit, drawing.REGULAR, drawing.DIM, 5, 37
            colour = drawing.DIM
        drawing.text(canvas, name, left, y, size, ink, weight, room=width - 70 * unit)
        drawing.text(canvas, f"{probability * 100:.0f} %", left + width, y, size * 0.85, ink, weight, "right")
        drawing.bar(canvas, (left, y + 9 * unit, width, thick * unit), probability, colour)
        y += step * unit
    draw_steps(canvas, result, unit, (left, top + height - 32 * unit, width))


def draw_steps(canvas: drawing.Image, result: Result, unit: float, place) -> None:
    """Two lines at (left, y) in `width` pixels: each stream's answer; the seconds of the steps and the frame rate."""
    (left, y, width), size = place, 13 * unit
    named = {TITLES.get(key, key): (lettering.isolated(name), part) for key, (name, part) in result.streams.items()}
    streams = "   ".join(f"{title}: {name} {part * 100:.0f} %" for title, (name, part) in named.items())
    drawing.text(canvas, streams, left, y, size, room=width)
    y += 20 * unit
    steps = ",  ".join(f"{key} {seconds:.2f}" for key, seconds in result.seconds.items())
    line = f"answer after {result.latency:.2f} s" + (f"   ({steps})" if steps else "")
    rate = f"{result.rate:.0f} frames/s" if result.rate else ""
    ink = drawing.AMBER if result.rate < FEW else drawing.DIM
    drawing.text(canvas, rate, left + width, y, size, ink, align="right")
    drawing.text(canvas, line, left, y, size, drawing.DIM, room=width - 90 * unit)


PAINTERS = {
    "loading": draw_loading,
    "learning": draw_learning,
    "ready": draw_ready,
    "idle": draw_idle,
    "countdown": draw_countdown,
    "recording": draw_recording,
    "translating": draw_translating,
    "result": draw_result,
}
