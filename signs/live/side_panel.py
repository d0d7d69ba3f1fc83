"""The panel of the live demo's window: what it is at, how much moves, the answer, what it was, and the signs before.

side_panel.draw(canvas, view, place)          a View of overlay.py, a Place of layout.py
"""

import math

from signs import command
from signs.live import drawing, lettering
from signs.live.layout import Place

COLOUR, EDGE = (20, 25, 33), (34, 40, 50)
HINTS = {
    ("idle", "countdown"): "Press space, then make one sign.",
    ("countdown", "countdown"): "Are your hands in the picture?",
    ("recording", "countdown"): "Make one sign.",
    ("learning", "hands-free"): "Hold still: it learns how you rest.",
    ("learning", "continuous"): "Hold still: it learns how you rest.",
    ("ready", "hands-free"): "Sign, and rest your hands.",
    ("ready", "continuous"): "Sign.",
    ("recording", "hands-free"): "Rest your hands when the sign is over.",
}
STATUS = {  # state: what it is called, and the colour of its dot
    "loading": ("loading the model", drawing.YELLOW),
    "learning": ("learning", drawing.YELLOW),
    "ready": ("ready", drawing.GREEN),
    "idle": ("ready", drawing.GREEN),
    "countdown": ("get ready", drawing.YELLOW),
    "recording": ("recording", drawing.RED),
    "translating": ("translating", drawing.BLUE),
    "result": ("answer", drawing.BLUE),
}
TITLES = {"rgb": "colour", "flow": "movement", "landmark": "body and hands"}  # what people call the streams
FEW = 8.0  # frames a second; a camera below that (in poor light, say) misses much of a sign
LINE = 17  # units from one line of text to the next
SLOW = "{rate:.0f} frames/s: more light helps"


def draw(canvas: drawing.Image, view, place: Place) -> None:
    """Everything in the panel."""
    panel, unit = place.panel, place.unit
    drawing.panel(canvas, panel.whole, 0, COLOUR, 1.0)
    draw_status(canvas, view, panel.status, unit)
    draw_message(canvas, view, panel.message, unit)
    if view.state == "learning":
        drawing.bar(canvas, _thin(panel.level, unit, 6), view.progress, drawing.YELLOW)
    elif view.state in ("countdown", "recording") and view.mode == "countdown":
        colour = drawing.RED if view.state == "recording" else drawing.BLUE
        drawing.bar(canvas, _thin(panel.level, unit, 6), view.progress, colour)
    elif view.trigger:
        draw_level(canvas, view, panel.level, unit)
    if view.typed is not None:
        draw_typed(canvas, view.typed, panel.rows[0], unit)
    elif view.result:
        draw_answers(canvas, view, panel.rows, unit)
    draw_note(canvas, view, panel.note, unit)
    if view.details:
        draw_details(canvas, view, panel.rest, unit)
    else:
        draw_history(canvas, view.history, panel.rest, unit)


def _thin(box, unit: float, high: float) -> tuple:
    left, top, width, height = box
    return (left, top + (height - high * unit) / 2, width, high * unit)


def draw_status(canvas: drawing.Image, view, box, unit: float) -> None:
    """A dot and a word, and on the right which of the three ways it is."""
    (left, top, width, height), (word, colour) = box, STATUS[view.state]
    if view.state == "recording":
        beat = 0.8 + 0.2 * math.cos(view.elapsed * 2 * math.pi)
        colour = tuple(round(value * beat) for value in colour)
    if view.message and view.state in ("ready", "idle"):
        colour = drawing.YELLOW
    middle, radius = top + height / 2, 5 * unit
    drawing.panel(canvas, (left, middle - radius, 2 * radius, 2 * radius), radius, colour, 1.0)
    drawing.text(canvas, word, left + 18 * unit, middle + 6 * unit, 17 * unit, drawing.INK, drawing.BOLD)
    if view.state != "loading":
        drawing.text(canvas, view.mode, left + width, middle + 5 * unit, 12 * unit, drawing.DIM, align="right")


def draw_message(canvas: drawing.Image, view, box, unit: float) -> None:
    """What went wrong, else what to do, in at most three lines."""
    left, top, width, _ = box
    hint = HINTS.get((view.state, view.mode), "")
    if view.state == "translating":
        hint = f"{view.elapsed:.1f} s"
    elif view.state == "recording" and view.mode == "countdown":
        hint = f"{hint} {command.counted(math.ceil(view.left), 'second')} left."
    words, colour = (view.message, drawing.YELLOW) if view.message else (hint, drawing.DIM)
    for number, line in enumerate(drawing.wrapped(words, 14 * unit, drawing.REGULAR, width, 3)):
        drawing.text(canvas, line, left, top + (12 + LINE * number) * unit, 14 * unit, colour)


def draw_level(canvas: drawing.Image, view, box, unit: float) -> None:
    """How much moves, and a mark where it is enough to begin a sign."""
    left, top, width, height = box
    scale = _thin(box, unit, 5)
    moves = view.level >= view.trigger
    drawing.bar(canvas, scale, view.level, drawing.GREEN if moves else drawing.DIM)
    x = left + width * min(1.0, view.trigger)
    drawing.panel(canvas, (x - unit, top + 2 * unit, 2 * unit, height - 4 * unit), 0, drawing.INK, 1.0)


def draw_answers(canvas: drawing.Image, view, rows, unit: float) -> None:
    """The three best with their bars; what it was, as somebody said, has a tick."""
    for number, (box, (name, probability)) in enumerate(zip(rows, view.result.ranked, strict=False)):
        left, top, width, _ = box
        said = name == view.truth
        if number == 0:
            size, weight, ink, thick, line = 23, drawing.BOLD, drawing.INK, 8, 26
            sure = view.result.known and view.truth in (None, name)
            ink, colour = (ink, drawing.BLUE) if sure else (drawing.DIM, drawing.DIM)
            name = name if view.result.known else f"{lettering.isolated(name)}?"
        else:
            size, weight, ink, thick, line, colour = 15, drawing.REGULAR, drawing.DIM, 4, 16, drawing.DIM
        ink = drawing.GREEN if said else ink
        share, x = f"{probability * 100:.0f} %", left
        if view.correcting:  # the key that says it was this
            drawing.text(canvas, str(number + 1), left, top + line * unit, 12 * unit, drawing.DIM)
            x += 16 * unit
        room = left + width - x - drawing.text_width(share, 15 * unit, weight) - 10 * unit
        if said:
            drawing.tick(canvas, x, top + line * unit, size * unit, ink)
            x, room = x + 1.1 * size * unit, room - 1.1 * size * unit
        size = _fitting(name, size * unit, weight, room, 14 * unit)
        drawing.text(canvas, name, x, top + line * unit, size, ink, weight, room=room)
        drawing.text(canvas, share, left + width, top + line * unit, 15 * unit, ink, weight, "right")
        drawing.bar(canvas, (left, top + (line + 8) * unit, width, thick * unit), probability, colour)


def _fitting(name: str, size: float, weight: int, room: float, least: float) -> float:
    """The size at which a name has room, not below `least`."""
    while size > least and drawing.text_width(name, size, weight) > room:
        size -= 1
    return size


def draw_typed(canvas: drawing.Image, typed: str, box, unit: float) -> None:
    """The line in which a sign's name is typed."""
    left, top, width, _ = box
    drawing.text(canvas, "It was:", left, top + 8 * unit, 14 * unit, drawing.DIM)
    drawing.field(canvas, typed, 6 / 7 * unit, (left, top + 16 * unit, width), elapsed=0)


def draw_note(canvas: drawing.Image, view, box, unit: float) -> None:
    """What became of a correction, else how sure the answer is, and a camera that is too slow."""
    left, top, width, _ = box
    result, lines = view.result, []
    if view.note:
        lines.append((view.note, drawing.GREEN if view.truth else drawing.YELLOW))
    elif result:
        sure = "" if result.known else "not sure; "
        lines.append((f"{sure}answered after {result.latency:.2f} s", drawing.DIM))
    if result and 0 < result.rate < FEW:
        lines.append((SLOW.format(rate=result.rate), drawing.YELLOW))
    y = top + 12 * unit
    for words, colour in lines:
        for line in drawing.wrapped(words, 13 * unit, drawing.REGULAR, width, 2):
            drawing.text(canvas, line, left, y, 13 * unit, colour)
            y += 16 * unit


def draw_history(canvas: drawing.Image, history, box, unit: float) -> None:
    """The signs of the session, the newest on top, as many as there is room for."""
    left, top, width, height = box
    drawing.panel(canvas, (left, top - 6 * unit, width, max(1, unit)), 0, EDGE, 1.0)
    for number, (name, known) in enumerate(reversed(history)):
        y = top + (13 + 20 * number) * unit
        if y > top + height:
            break
        name = drawing.fitted(name, 14 * unit, drawing.REGULAR, width - 14 * unit)
        name = name if known else f"{lettering.isolated(name)}?"
        drawing.text(canvas, name, left, y, 14 * unit, drawing.INK if known else drawing.DIM)


def draw_details(canvas: drawing.Image, view, box, unit: float) -> None:
    """Each stream's own answer, the seconds of the steps and, where something may move, the flow."""
    (left, top, width, height), lines = box, []
    if view.result:
        for key, (name, part) in view.result.streams.items():
            lines.append((f"{TITLES.get(key, key)}: {lettering.isolated(name)} {part * 100:.0f} %", drawing.INK))
        lines += [(f"{step} {seconds:.2f} s", drawing.DIM) for step, seconds in view.result.seconds.items()]
        if view.result.rate:
            lines.append((f"{view.result.rate:.0f} frames/s", drawing.DIM))
    else:
        lines.append(("streams and timings: after an answer", drawing.DIM))
    y = top + 8 * unit
    for words, colour in lines:
        if y > top + height:
            return
        drawing.text(canvas, words, left, y, 12 * unit, colour, room=width)
        y += 15 * unit
    if view.flow is not None:
        picture = view.flow[:, ::-1] if view.mirror else view.flow
        high = min(width * picture.shape[0] / picture.shape[1], top + height - y)
        if high > 20 * unit:
            wide = high * picture.shape[1] / picture.shape[0]
            drawing.inset(canvas, picture, (round(left), round(y), round(wide), round(high)), 6 * unit)
