"""The window of record.py: frames of the source go to the recorder, keys too, and what it says is drawn.

record_window.run_session(Session(recorder, source), finder)         until a key or the user closes it
"""

import contextlib
import time

from signs.live import record_overlay, recorder
from signs.live.keys import key_of
from signs.live.layout import OPENING
from signs.live.recorder import Recorder
from signs.live.text_field import BACKSPACES, DELETES, ENTERS, ESCAPES, TABS
from signs.live.window import Window

DRAW_EVERY = 1 / 30  # seconds between two drawings while the picture moves
# While somebody types: a window that draws hears only the last of the keys that came meanwhile.
TYPING_EVERY = 0.3
# Keys that are where they are in every language of a keyboard; recorder.py knows letters beside them.
KEYS = ((ENTERS, "\r"), (BACKSPACES, "\b"), (TABS, "\t"), (DELETES, "\x7f"))
EVERYWHERE = {code: key for codes, key in KEYS for code in codes}
GAP = 0.04  # seconds between the last frame of a file and its first, when it begins again


class Session:
    """Source -> recorder, driven by `step`. source: a VideoSource of videocapture.py."""

    def __init__(self, recorder: Recorder, source):
        self.recorder, self.source = recorder, source
        self.picture = None
        self._last, self._offset = None, 0.0
        self._kept = 0  # takes: of several files each is one, and is offered again until its take is kept

    def step(self, wait: float = 0.0) -> None:
        """Take what has arrived, and let time pass; raises the source's Problem. wait: seconds, for a frame."""
        for frame, seconds in self.source.arrived(wait):
            self.picture = frame
            self.recorder.frame(frame, self._rising(seconds))
        ended = self.source.ended
        if ended:
            self.recorder.ended()
        if self._kept != len(self.recorder.kept):
            self._kept = len(self.recorder.kept)
            self.source.play(self._kept)
        elif ended:
            self.source.restart()
        if self.recorder.tick():
            self.source.restart()

    def _rising(self, seconds: float) -> float:
        """Time goes on where a file begins again."""
        if self._last is not None and seconds + self._offset <= self._last:
            self._offset = self._last - seconds + GAP
        self._last = seconds + self._offset
        return self._last


class Painter:
    """Draws when there is something new to see."""

    def __init__(self):
        self.mirror = True
        self._drawn, self._painted = 0.0, None

    def due(self, state: Recorder) -> bool:
        every = TYPING_EVERY if state.state in recorder.ASKING else DRAW_EVERY
        return self._seen(state) != self._painted or time.monotonic() - self._drawn > every

    @staticmethod
    def _seen(state: Recorder) -> tuple:
        return state.state, state.field.text, state.message, tuple(state.scope.values())

    def draw(self, session: Session, shown: Window, waiting: int) -> None:
        state = session.recorder
        self._drawn, self._painted = time.monotonic(), self._seen(state)
        shown.show(record_overlay.draw_session(state, session.picture, shown.size, self.mirror, waiting))


def run_session(session: Session, finder=None, full_screen: bool = False) -> None:
    """Run a session in a window until it is closed; raises the source's Problem. finder: a PointFinder, or None."""
    session.step(wait=1.0)
    painter, state = Painter(), session.recorder
    with contextlib.closing(Window(full_screen, opening_size(session.picture.shape[:2]))) as shown:
        while True:
            session.step()
            if painter.due(state):
                painter.draw(session, shown, finder.waiting if finder else 0)
            code = shown.code(0.01)
            if code in ESCAPES or shown.closed:
                return
            if code is not None:
                press(code, state, painter, shown)


def press(code: int, state: Recorder, painter: Painter, shown: Window) -> None:
    """A key: a letter where text is asked for, else what the lower edge says."""
    if state.state in recorder.ASKING:
        state.type(code)
        return
    key = EVERYWHERE.get(code) or key_of(code)
    painter.mirror = painter.mirror != (key == "m")
    if key == "f":
        shown.toggle_full_screen()
    state.press(key)


def opening_size(shape: tuple[int, int]) -> tuple[int, int]:
    """(width, height) of a new window for a picture (height, width), with room for the words over it, within what a
    laptop's screen has."""
    scale = min(960 / shape[1], OPENING[1] / shape[0])
    return max(600, round(shape[1] * scale)), max(450, round(shape[0] * scale))
