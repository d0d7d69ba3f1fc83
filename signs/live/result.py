"""An answer as the live demo's window shows it: below the moving picture, or as the whole window.

    draw_best(canvas, result, unit, (left, top), room)          the best answer, in the strip below the picture
    draw_result(canvas, result, unit, elapsed, mirror)          the kept frames, their flow and the three best

All of them paint into `canvas`, (height, width, 3) uint8 RGB; `unit` and boxes are as in overlay.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from signs.live import drawing

TITLES = {"rgb": "colour", "flow": "movement"}  # what people call them; the others keep their names
FEW = 8.0  # frames a second; a camera below that (in poor light, say) misses much of a sign
LOOP_RATE = 12.0  # kept frames a second in the result's loop: a little slower than life shows the movement better


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


def draw_best(canvas: drawing.Image, result: Result, unit: float, corner, room: float) -> None:
    """The best answer of the strip in `room` pixels, its bar, and how long it took."""
    (left, top), (name, probability) = corner, result.ranked[0]
    mark, note, ink, colour = ("", "", drawing.INK, drawing.TEAL)
    if not result.known:
        mark, note, ink, colour = ("?", ", not sure", drawing.DIM, drawing.DIM)
    drawing.text(canvas, name + mark, left, top + 34 * unit, 26 * unit, ink, drawing.BOLD, room=room)
    drawing.bar(canvas, (left, top + 44 * unit, room, 8 * unit), probability, colour)
    line = f"{probability * 100:.0f} %{note}   after {result.latency:.2f} s"
    drawing.text(canvas, line, left, top + 70 * unit, 13 * unit, drawing.DIM)


def draw_result(canvas: drawing.Image, result: Result, unit: float, elapsed: float, mirror: bool) -> None:
    """Above, the kept frames beside their flow; below, the three best with bars, the streams and the time taken."""
    height, width = canvas.shape[:2]
    margin, below = 14 * unit, 184 * unit
    above = height - 34 * unit - below - 3 * margin
    if result.frames:
        moment = int(elapsed * LOOP_RATE) % len(result.frames)
        draw_loop(canvas, result, moment, mirror, unit, (margin, margin, width - 2 * margin, above))
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
            name, colour = (name, drawing.TEAL) if result.known else (f"{name}?  (not sure)", drawing.DIM)
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
    streams = [f"{TITLES.get(key, key)}: {name} {part * 100:.0f} %" for key, (name, part) in result.streams.items()]
    drawing.text(canvas, "   ".join(streams), left, y, size, room=width)
    y += 20 * unit
    steps = ",  ".join(f"{key} {seconds:.2f}" for key, seconds in result.seconds.items())
    line = f"answer after {result.latency:.2f} s" + (f"   ({steps})" if steps else "")
    rate = f"{result.rate:.0f} frames/s" if result.rate else ""
    ink = drawing.AMBER if result.rate < FEW else drawing.DIM
    drawing.text(canvas, rate, left + width, y, size, ink, align="right")
    drawing.text(canvas, line, left, y, size, drawing.DIM, room=width - 90 * unit)
