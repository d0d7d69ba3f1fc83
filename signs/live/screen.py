"""What the live demo's window shows at a moment: the demo's state in names and pictures.

screen = Screen(demo)
if screen.due: canvas = screen.draw((1148, 680))
screen.details, screen.typed, screen.turn_page()        what keys change (keys.py)
"""

import functools
import sys
import time
from collections.abc import Sequence

from signs import command
from signs.command import Problem
from signs.flow.stream import flow_to_colour
from signs.inference.sign_loops import loops_of
from signs.landmarks import skeleton
from signs.live import fonts, lettering, overlay
from signs.live.layout import lay_out, row_at
from signs.live.overlay import Result, View
from signs.live.text_field import TextField

import numpy as np

SOONEST = 1 / 60  # seconds between drawings of a quick camera
# Seconds after which the window is drawn again without a new picture; while translating, the cores are the networks'.
DRAW_EVERY = {"loading": 1 / 15, "translating": 1 / 12, "result": 1 / 20}
ELSE_EVERY = 1 / 30
TYPING_EVERY = 0.3  # while somebody types: a window that draws hears only the last of the keys that came meanwhile
FULL_COLOUR = 6.0  # pixels of movement shown in full colour
SIDE = 200  # pixels of a sign's skeleton
PAUSE = 0.5  # seconds for which its loop rests at its end


class Coloured(Sequence):
    """A clip's flow in colour: (T, H, W, 2) float32 pixels -> T pictures (H, W, 3) uint8 RGB.

    Each is made when it is first asked for: all at once would hold the camera's picture up for a tenth of a second. One
    scale serves the whole clip, or the noise of a still moment would glow like a movement.
    """

    def __init__(self, fields: Sequence[np.ndarray]):
        # Every seventh value says as much about the 99th percentile as all of them.
        longest = max([1.0, *(float(np.percentile(np.abs(field.ravel()[::7]), 99)) for field in fields)])
        self._pictures = [functools.cache(functools.partial(flow_to_colour, field, longest)) for field in fields]

    def __len__(self) -> int:
        return len(self._pictures)

    def __getitem__(self, index: int) -> np.ndarray:
        return self._pictures[index]()


def names_of(recogniser) -> dict[str, str]:
    """{label: its name as the window can draw it}. The first time it looks through the fonts of the system."""
    return fonts.shown_names(recogniser.classes, lettering.can_draw, "the window shows")


def result_of(mode, answered, names: dict[str, str], pictures: bool) -> Result:
    """An answer of corrections.py in names; with the kept frames and their flow of the mode's last one where there are
    to be `pictures`."""
    answer = mode.answer
    best = [(names.get(label, label), probability) for label, probability in answered.ranked]
    streams = {key: (names[ranked[0][0]], ranked[0][1]) for key, ranked in answer.streams.items()} if answer else {}
    frames = list(answer.frames) if pictures else []
    flow = Coloured(answer.flow) if pictures and answer.flow is not None else []
    seconds = dict(answer.seconds) if answer else {}
    return Result(best, streams, answered.latency, seconds, mode.rate, frames, flow, answered.known)


class Screen:
    """What the window shows of a demo at this moment, and when it has to be drawn again.

    mirror, details: whether the picture is mirrored, and streams and timings are shown; typed: a sign's name while
    somebody types it; page: of the signs that are shown, None where the picture is; text: how many times as large as
    usual words are.
    """

    def __init__(self, demo, text: float = 1.0):
        self.demo, self.text, self.mirror, self.details = demo, text, True, False
        self.typed: TextField | None = None
        self.page: int | None = None
        self._loops = None
        self._answered = self._result = self._field = self._colour = self._names = None
        self.painted, self._drawn, self._moment = "", 0.0, 0.0
        self._size, self._shape = (1, 1), (1, 1)

    @property
    def due(self) -> bool:
        """Whether it is time to draw again."""
        state, since = self.demo.mode.state if self.demo.mode else "loading", time.monotonic() - self._drawn
        if self.typed is not None:
            return since > TYPING_EVERY or self.typed.text != self.painted
        if self.page is not None:
            return since > DRAW_EVERY["result"]
        new = self.demo.moment != self._moment and since > SOONEST and state not in ("translating", "result")
        return new or state != self.painted or since > DRAW_EVERY.get(state, ELSE_EVERY)

    def draw(self, size: tuple[int, int]) -> np.ndarray:
        """The canvas of this moment, (height, width, 3) uint8 RGB."""
        mode, self._drawn, self._moment = self.demo.mode, time.monotonic(), self.demo.moment
        self.painted = self.typed.text if self.typed is not None else mode.state if mode else "loading"
        picture = self._with_points(mode) if mode else self.demo.picture
        self._size, self._shape = size, picture.shape[:2]
        return overlay.draw_window(picture, self._view(mode) if mode else View("loading", text=self.text), size)

    def answer_at(self, x: float, y: float) -> int | None:
        """The number of the answer that is shown at a point of the window."""
        number = row_at(lay_out(self._size, self._shape, self.text), x, y)
        shown = self._result is not None and self.page is None and self.typed is None
        return number if shown and number is not None and number < len(self._result.ranked) else None

    def turn_page(self) -> None:
        """The signs that the model knows, the next page of them, and behind the last the picture again."""
        classes = self._shown_classes()
        if not classes:
            return
        self.page = 0 if self.page is None else self.page + 1
        if self.page * self._page_size(classes) >= len(classes):
            self.page = None

    def _shown_classes(self) -> list:
        return [row for row in self.demo.recogniser.classes if row.kind == "gesture"] if self.demo.mode else []

    def _signs(self) -> list[tuple[str, np.ndarray | None]] | None:
        """The names and skeletons of the page, as they are at this moment."""
        if self.page is None:
            return None
        classes = self._shown_classes()
        count = self._page_size(classes)
        shown = classes[self.page * count :][:count]
        if self._loops is None:
            self._loops = loops_here(self.demo.recogniser.bundle)
        loops = [self._loops.get(row.label) for row in shown]
        turn = -1 if self.mirror else 1  # as in a mirror, so that one can sign along
        pictures = [None if loop is None else loop_picture(loop)[:, ::turn] for loop in loops]
        return [(self._names[row.label], picture) for row, picture in zip(shown, pictures, strict=True)]

    def _has_more(self) -> bool:
        """Whether there are signs behind those of the page."""
        classes = self._shown_classes() if self.page is not None else []
        return bool(classes) and len(classes) > self._page_size(classes)

    def _page_size(self, classes: list) -> int:
        """How many signs a page of the window has room for."""
        columns, rows = overlay.grid_of(self._size, len(classes), lay_out(self._size, self._shape, self.text).unit)
        return columns * rows

    def _with_points(self, mode) -> np.ndarray:
        """The picture with body and hands drawn over it, where they are looked for."""
        picture, found = self.demo.picture, mode.tracker.newest if mode.tracker else None
        if found is None or found.size != picture.shape[:2] or mode.state == "result":
            return picture
        picture = picture.copy()
        skeleton.draw(picture, found.body, found.hands)
        return picture

    def _view(self, mode) -> View:
        if self._names is None:
            self._names = names_of(mode.recogniser)
        corrections = self.demo.corrections
        answered, pictures = corrections.meant, mode.state == "result"
        if (answered, pictures) != self._answered:
            self._answered = answered, pictures
            self._result = result_of(mode, answered, self._names, pictures) if answered else None
        shared = {name: getattr(mode, name) for name in ("state", "left", "progress", "elapsed", "level", "trigger")}
        truth = self._names.get(answered.truth, answered.truth) if answered else None
        asked = self.typed is not None
        return View(
            **shared,
            mode=mode.name,
            message=mode.message,
            mirror=self.mirror,
            result=None if is_underway(mode, answered) and not asked else self._result,
            history=history_of(self.demo, self._names),
            flow=self._flow(mode) if self.details else None,
            details=self.details,
            correcting=corrections.is_kept,
            truth=truth,
            note=corrections.message,
            typed=self.typed.text if asked else None,
            signs=self._signs(),
            more_signs=self._has_more(),
            text=self.text,
        )

    def _flow(self, mode) -> np.ndarray | None:
        """The newest flow field in colour, made once a field, where something may move."""
        field = mode.field if mode.state == "recording" or mode.name == "continuous" else None
        if field is not self._field:
            self._field = field
            self._colour = None if field is None else flow_to_colour(field, FULL_COLOUR)
        return self._colour


def is_underway(mode, answered) -> bool:
    """Whether a sign is being made, or none was yet in this mode, so that an answer would not be its own."""
    states = ("countdown", "recording", "translating", "learning", "idle")
    return mode.state in states or (answered is not None and answered.mode != mode.name)


def history_of(demo, names: dict[str, str]) -> list[tuple[str, bool]]:
    """The last signs of the session, in `names`, as they are known now, and whether that is sure."""
    signs = {row.label for row in demo.recogniser.classes if row.kind == "gesture"}
    lines = []
    for answer in reversed(demo.corrections.answers):  # a long session has thousands
        if len(lines) == overlay.SHOWN:
            break
        label = answer.truth or answer.ranked[0][0]
        if label in signs or (answer.truth and label not in names):
            lines.append((names.get(label, label), answer.known or answer.truth is not None))
    return lines[::-1]


def loops_here(bundle) -> dict:
    """{label: Points} of the signs that have a loop; a damaged one is said on the terminal, and none is shown."""
    try:
        return loops_of(bundle)
    except Problem as problem:
        print(command.one_line(str(problem)), file=sys.stderr)
        return {}


def loop_picture(points) -> np.ndarray:
    """A sign's skeleton as it is at this moment of its loop, (SIDE, SIDE, 3) uint8 RGB."""
    times = points.times - points.times[0]
    turn = time.monotonic() % (float(times[-1]) + PAUSE)
    moment = max(0, int(np.searchsorted(times, turn, side="right")) - 1)
    return skeleton.pictures(points, [moment], SIDE)[0]
