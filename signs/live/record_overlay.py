"""What the window of record.py shows: questions, the outline, countdown, take and review over a picture.

    canvas = record_overlay.draw_session(recorder, picture, (960, 720), mirror=True, waiting=0)

in:   a recorder.Recorder, picture (H, W, 3) uint8 RGB as the camera sees it, the canvas size (width, height)
out:  (height, width, 3) uint8 RGB; nothing that came in is altered

Lengths in the code are for a window of 640x480, as in overlay.py; `unit` is how many pixels one of them is.
"""

import math
from collections import Counter

from signs.live import drawing, lettering, overlay, recorder
from signs.prepare.recordings import SCOPES

import cv2
import numpy as np

END = {"Esc": "end"}
LOOKS = {**END, "m": "mirror", "f": "full screen"}
KEYS = {
    recorder.SIGNER: {"Enter": "go on", **END},
    recorder.SCOPE: {"1 2 3": "yes or no", "Enter": "go on", **END},
    recorder.GIVEN_BY: {"Enter": "go on", **END},
    recorder.SIGN: {"Enter": "go on", **END},
    recorder.READY: {"space": "record", "Tab": "next", "Del": "undo last kept", **LOOKS},
    recorder.COUNTING: {"space": "cancel", **END},
    recorder.RECORDING: {"space": "the sign is over", **END},
    recorder.REVIEW: {"Enter": "keep", "Backspace": "throw away", "space": "once more", **LOOKS},
    recorder.CHOOSE: {"Enter": "another sign", "Tab": "another person", "Del": "undo last kept", **END},
}
# State: the question and what helps to answer it.
QUESTIONS = {
    recorder.SIGNER: ("Who signs?", "A name or a nickname; it becomes part of file names."),
    recorder.SCOPE: ("May these recordings be used?", "Ask the person herself, or who answers for a child."),
    recorder.GIVEN_BY: (
        "Who gives this consent?",
        "Leave it empty if the person herself does; for a child: a parent's name.",
    ),
    recorder.SIGN: ("Which sign?", "Its name in any language. Who signs: {signer}"),
    recorder.CHOOSE: ("What next?", "All that you kept is stored: {kept}."),
}
RECORDING_RING = (24, 6, 11, 22, 0.66)  # as overlay.COUNTDOWN_RING
BAR = 34  # height of the keys
SHOWN = 4  # signs whose takes are counted


def draw_session(state: recorder.Recorder, picture: drawing.Image, size, mirror: bool, waiting: int) -> drawing.Image:
    """The whole window for one moment. waiting: takes whose points are still looked for."""
    shown = picture[:, ::-1] if mirror else picture
    unit = min(size[0] / 640, size[1] / 480)
    if state.state in QUESTIONS:
        canvas = drawing.blurred(shown, size)
        draw_question(canvas, state, unit)
    elif state.state == recorder.REVIEW:
        canvas = drawing.blurred(shown, size)
        draw_review(canvas, state, unit, mirror)
    else:
        canvas = drawing.contain(shown, size)
        draw_picture(canvas, state, unit)
    if state.state not in (recorder.COUNTING, recorder.RECORDING):
        draw_count(canvas, state, unit, waiting)
    keys = KEYS[state.state]
    overlay.draw_keys(canvas, unit, keys if state.kept else {key: keys[key] for key in keys if key != "Del"})
    return canvas


def draw_status(canvas: drawing.Image, unit: float, line: str, colour) -> None:
    """What the session is at, in the upper left corner."""
    drawing.pill(canvas, 14 * unit, 14 * unit, unit, line, colour)


def draw_question(canvas: drawing.Image, state: recorder.Recorder, unit: float) -> None:
    """A question in the middle, with the line that is typed, or with the three permissions."""
    (height, width), (title, help_line) = canvas.shape[:2], QUESTIONS[state.state]
    wide, high = min(width - 28 * unit, 540 * unit), 210 * unit
    left, top = (width - wide) / 2, max(50 * unit, (height - BAR * unit - high) / 2)
    drawing.panel(canvas, (left, top, wide, high), 16 * unit, alpha=0.82)
    x, room = left + 24 * unit, wide - 48 * unit
    names = {"signer": lettering.isolated(state.signer), "kept": kept_in_words(state)}
    drawing.text(canvas, title, x, top + 42 * unit, 26 * unit, drawing.INK, drawing.BOLD, room=room)
    drawing.text(canvas, help_line.format(**names), x, top + 68 * unit, 14 * unit, drawing.DIM, room=room)
    if state.state == recorder.SCOPE:
        draw_scope(canvas, state, unit, (x, top + 100 * unit, room))
    elif state.state == recorder.CHOOSE:
        draw_takes(canvas, state, unit, (x, top + 100 * unit, room))
    else:
        drawing.field(canvas, state.field.text, unit, (x, top + 92 * unit, room), state.elapsed)
    drawing.text(canvas, state.message, x, top + high - 20 * unit, 14 * unit, drawing.YELLOW, room=room)


def kept_in_words(state: recorder.Recorder) -> str:
    """How many takes were kept in this session."""
    return f"{len(state.kept)} take{'s' * (len(state.kept) != 1)} in this session"


def draw_scope(canvas: drawing.Image, state: recorder.Recorder, unit: float, place) -> None:
    """The permissions with their numbers, each with yes or no."""
    left, y, room = place
    for number, (word, meaning) in enumerate(SCOPES.items(), 1):
        given = state.scope[word]
        answer, colour = ("yes", drawing.GREEN) if given else ("no", drawing.DIM)
        drawing.text(canvas, str(number), left, y, 16 * unit, drawing.INK, drawing.BOLD)
        drawing.text(canvas, meaning, left + 24 * unit, y, 16 * unit, drawing.INK, room=room - 80 * unit)
        drawing.text(canvas, answer, left + room, y, 16 * unit, colour, drawing.BOLD, "right")
        y += 28 * unit


def draw_takes(canvas: drawing.Image, state: recorder.Recorder, unit: float, place) -> None:
    """How many takes of which sign the person has; of many signs the last ones."""
    left, y, room = place
    counts = Counter(row.label for row in state.recordings.of_signer(state.signer))
    for label, count in list(counts.items())[-SHOWN:]:
        drawing.text(canvas, label, left, y, 15 * unit, drawing.INK, room=room - 50 * unit)
        drawing.text(canvas, str(count), left + room, y, 15 * unit, drawing.DIM, align="right")
        y += 24 * unit


def draw_count(canvas: drawing.Image, state: recorder.Recorder, unit: float, waiting: int) -> None:
    """In the upper right corner: what was kept, and whose points are still looked for."""
    if state.kept:
        line = f"{len(state.kept)} kept" + (f", finding points of {waiting}" if waiting else "")
        drawing.pill(canvas, canvas.shape[1] - 14 * unit, 14 * unit, unit, line, align="right")


def draw_picture(canvas: drawing.Image, state: recorder.Recorder, unit: float) -> None:
    """The camera's picture with the outline, and what is to be done."""
    height, width = canvas.shape[:2]
    if state.state == recorder.RECORDING:
        # A red edge tells it even to someone who looks at her hands.
        edge = (width - 1, height - round(BAR * unit))
        cv2.rectangle(canvas, (0, 0), edge, drawing.RED, max(2, round(4 * unit)))
        draw_status(canvas, unit, "recording", drawing.RED)
        centre, seconds = (width - 50 * unit, 50 * unit), max(0, math.ceil(state.left))
        overlay.draw_ring(canvas, centre, unit, RECORDING_RING, state.progress, seconds, drawing.RED)
        return
    draw_outline(canvas, unit, drawing.YELLOW if state.advice else drawing.INK)
    low = height - BAR * unit
    if state.state == recorder.COUNTING:
        centre, seconds = (width / 2, low / 2), max(1, math.ceil(state.left))
        overlay.draw_ring(canvas, centre, unit, overlay.COUNTDOWN_RING, state.progress, seconds, drawing.BLUE)
        draw_status(canvas, unit, "get ready", drawing.YELLOW)
    else:
        draw_status(canvas, unit, state.message or "ready", drawing.GREEN)
    line, dot = (state.advice, drawing.YELLOW) if state.advice else ("hands stay between the corners", None)
    drawing.pill(canvas, width / 2, low - 84 * unit, unit, line, dot, "centre")
    draw_task(canvas, state, unit, low)


def draw_task(canvas: drawing.Image, state: recorder.Recorder, unit: float, low: float) -> None:
    """Which sign or pause is recorded, and which take of how many, above the height `low`."""
    width = canvas.shape[1]
    drawing.panel(canvas, (14 * unit, low - 50 * unit, width - 28 * unit, 42 * unit), 12 * unit, alpha=0.75)
    y, right = low - 22 * unit, width - 28 * unit
    place = "a pause" if state.prompt else f"take {state.number} of {state.goal}"
    drawing.text(canvas, place, right, y, 15 * unit, drawing.DIM, align="right")
    room = right - 28 * unit - drawing.text_width(place, 15 * unit) - 14 * unit
    size = 17 * unit if state.prompt else 22 * unit
    task = f"No sign now: {state.prompt}" if state.prompt else state.sign
    drawing.text(canvas, task, 28 * unit, y, size, drawing.INK, drawing.BOLD, room=room)


def draw_outline(canvas: drawing.Image, unit: float, colour) -> None:
    """Where head, shoulders and hands should be, half transparent."""
    height, width = canvas.shape[:2]
    drawn, high, thick = canvas.copy(), height - BAR * unit, max(2, round(2.5 * unit))
    x, head = width / 2, (0.085 * high, 0.125 * high)
    top = 0.26 * high

    def at(right: float, down: float) -> tuple[int, int]:
        return round(x + right * high), round(top + down * high)

    cv2.ellipse(drawn, at(0, 0), (round(head[0]), round(head[1])), 0, 0, 360, colour, thick, cv2.LINE_AA)
    for side in (-1, 1):
        arm = [at(side * 0.045, 0.125), at(side * 0.06, 0.16), at(side * 0.18, 0.21), at(side * 0.225, 0.27)]
        arm += [at(side * 0.245, 0.4), at(side * 0.25, 0.52)]
        cv2.polylines(drawn, [np.array(arm)], False, colour, thick, cv2.LINE_AA)
    box = (at(-0.5, -0.2), at(0.5, 0.56))
    draw_corners(drawn, box, round(0.06 * high), colour, thick)
    cv2.addWeighted(drawn, 0.6, canvas, 0.4, 0, canvas)
    drawing.text(canvas, "head", x, top + 5 * unit, 13 * unit, colour, align="centre")


def draw_corners(canvas: drawing.Image, box, length: int, colour, thick: int) -> None:
    """The four corners of a box of two points."""
    (left, top), (right, bottom) = box
    for x, inward in ((left, length), (right, -length)):
        for y, down in ((top, length), (bottom, -length)):
            cv2.polylines(
                canvas, [np.array([(x + inward, y), (x, y), (x, y + down)])], False, colour, thick, cv2.LINE_AA
            )


def draw_review(canvas: drawing.Image, state: recorder.Recorder, unit: float, mirror: bool) -> None:
    """The take as a loop; below it its name, and what is odd about it."""
    height, width = canvas.shape[:2]
    picture, notes = state.take.moment(state.elapsed), state.notes
    picture = picture[:, ::-1] if mirror else picture
    margin, below = 14 * unit, (58 + 20 * max(1, len(notes))) * unit
    room = (width - 2 * margin, height - BAR * unit - below - 54 * unit - 2 * margin)
    scale = min(room[0] / picture.shape[1], room[1] / picture.shape[0])
    wide, high = picture.shape[1] * scale, picture.shape[0] * scale
    drawing.inset(canvas, picture, ((width - wide) / 2, 50 * unit + margin / 2, wide, high), 12 * unit)
    top = height - BAR * unit - below - margin / 2
    drawing.panel(canvas, (margin, top, width - 2 * margin, below), 12 * unit, alpha=0.8)
    name = state.prompt or f"{lettering.isolated(state.sign)}: take {state.number} of {state.goal}"
    left, room = margin + 18 * unit, width - 2 * margin - 36 * unit
    about = f"{state.take.length:.1f} s, {state.take.frames} pictures"
    drawing.text(canvas, about, left + room, top + 30 * unit, 14 * unit, drawing.DIM, align="right")
    drawing.text(canvas, name, left, top + 30 * unit, 20 * unit, drawing.INK, drawing.BOLD, room=room - 140 * unit)
    lines = [(f"{note[0].upper()}{note[1:]}.", drawing.YELLOW) for note in notes] or [("Looks good.", drawing.GREEN)]
    for number, (line, colour) in enumerate(lines):
        drawing.text(canvas, line, left, top + (56 + 20 * number) * unit, 14 * unit, colour, room=room)
    line, dot = (state.message, drawing.YELLOW) if state.message else ("keep it?", drawing.BLUE)
    draw_status(canvas, unit, line, dot)
