"""A visitor's own signs: who signs, what she allows, takes of her camera, and taking the last one back.

    own = OwnSigns(OwnFolder(folder), countdown=3.0)
    own.obey(demo, "take", {"sign": "hello", "seconds": 3})      from the visit's thread
    own.step(demo); own.view()

A take is one more way to sign for a while: the demo's frames, with their times, go to it and to no network that names
them. It is what record.py makes of a camera (signs/live/take.py), with the same notes of what was odd.
"""

import time

from signs import errors
from signs.clips.names import check_text, folded
from signs.clips.no_sign import NOTHING, check_signs
from signs.clips.spec import EQUAL
from signs.command import Problem
from signs.live.demo import Demo
from signs.live.modes import Mode
from signs.live.session_plan import PAUSES
from signs.live.take import Take
from signs.prepare.recordings import SCOPES, Recording
from signs.web.own_folder import OwnFolder

SHORTEST, USUAL, LONGEST = 1.0, 3.0, 30.0  # seconds of a take
MOST_FRAMES = 60 * LONGEST  # of a take, whatever a browser says of their times
PATIENCE = 5.0  # seconds for frames that are late, after which a take is over
TEXT = 500  # characters of a name that are looked at
COUNTING, RECORDING, OVER = "countdown", "recording", "over"


class OwnTake(Mode):
    """countdown -tick-> recording -frame, start, tick-> over; countdown -start-> over, without a frame.

    before: the mode that the demo was in, whose tracker goes on.
    """

    name = "own"

    def __init__(self, before: Mode, label: str, prompt: str, countdown: float, seconds: float):
        super().__init__(before.recogniser, before.worker, time.monotonic, before.tracker)
        self.label, self.prompt, self.countdown, self.seconds = label, prompt, countdown, seconds
        self.message, self.film, self.turned = prompt, Take(), False
        self._shape: tuple[int, ...] = ()
        self.enter(COUNTING)

    @property
    def left(self) -> float:
        """Seconds left of the countdown or the take."""
        if self.state == COUNTING:
            return max(0.0, self.countdown - self.elapsed)
        return max(0.0, self.seconds - self.film.length) if self.state == RECORDING else 0.0

    @property
    def progress(self) -> float:
        whole = {COUNTING: self.countdown, RECORDING: self.seconds}.get(self.state, 0.0)
        return 1 - self.left / whole if whole > 0 else 0.0

    def start(self) -> None:
        """The sign is over, or is not begun."""
        self.enter(OVER)

    def tick(self) -> None:
        if self.state == COUNTING and self.elapsed >= self.countdown:
            if self.tracker:
                self.tracker.restart()
            self.enter(RECORDING)
        elif self.state == RECORDING and self.elapsed > self.seconds + PATIENCE:
            self.enter(OVER)

    def frame(self, frame, seconds: float) -> None:
        found = self.tracker.push(frame, seconds) if self.tracker and self.state != OVER else None
        if self.state != RECORDING:
            return
        if self.film.frames and (seconds - self.film.first > self.seconds + EQUAL or self.film.frames >= MOST_FRAMES):
            self.enter(OVER)
        elif self._shape not in ((), frame.shape):  # a phone was turned: a video has one size
            self.turned = True
            self.enter(OVER)
        else:
            self._shape = frame.shape
            self.film.add(frame, seconds, found)


class OwnSigns:
    """signer: who has said her name and allowed recordings, or empty; signs: (name, takes) of hers; changes: how often
    these changed, for a page to ask for them."""

    def __init__(self, folder: OwnFolder, countdown: float):
        self.folder, self.countdown = folder, countdown
        self.signer, self.asked, self.fault = "", "", ""
        self.signs: list[tuple[str, int]] = []
        self.said, self.notes, self.changes = {}, [], 0
        self._kept: list[Recording] = []
        self._take: OwnTake | None = None

    def view(self) -> dict:
        """What the page shows; names are text. said: a word of the table and its values."""
        return {
            "signer": self.signer,
            "asked": self.asked,
            "said": self.said,
            "notes": self.notes,
            "fault": self.fault,
            "undo": bool(self._kept),
            "changes": self.changes,
        }

    def obey(self, demo: Demo, what, value) -> bool:
        """Whether an order was one of these, and is carried out; what is wrong with it is the fault that is shown."""
        does = {"signer": self._be, "take": self._begin, "pause": self._begin_pause, "undo": self._undo}
        if not isinstance(what, str) or what not in does:
            return False
        if self._take is None:
            self.said, self.notes, self.fault = {}, [], ""
            try:
                does[what](demo, value if isinstance(value, dict) else {})
            except (Problem, OSError) as error:
                self.fault = errors.describe(error)
        return True

    def step(self, demo: Demo) -> None:
        """Keep a take that is over, and give the picture back to the mode that had it."""
        take = self._take
        if take is None or (demo.mode is take and take.state != OVER):
            return
        self._take = None
        if demo.mode is not take:  # somebody chose another way to sign meanwhile
            return
        demo.mode = demo.modes[demo.wanted]
        demo.mode.restart()
        if take.turned or take.film.is_too_short:
            self.said = {"word": "turned" if take.turned else "short" if take.film.frames else "none"}
            return
        try:
            self._keep(take)
        except (Problem, OSError) as error:
            self.fault = errors.describe(error)

    def _be(self, _demo: Demo, value: dict) -> None:
        """Who signs: known, or asked what she allows. Without a name the next person is asked for hers."""
        self.signer = self.asked = ""
        self._kept = []
        if not text_of(value, "name").strip():
            return
        signer, allowed = self.folder.known(check_text(text_of(value, "name"), "the name"))
        scope = value.get("scope")
        if not allowed and not isinstance(scope, list):
            self.asked = signer
            return
        if not allowed:
            self.asked = signer  # where the next line raises, the question stays
            self.folder.allow(signer, [word for word in SCOPES if word in scope], text_of(value, "given_by") or signer)
            self.asked = ""
        self.signer = signer
        self._look()

    def _begin(self, demo: Demo, value: dict, prompt: str = "") -> None:
        sign = check_text(text_of(value, "sign"), "the sign") if not prompt else NOTHING
        if not prompt:
            check_signs([sign])
        if not self.signer:
            raise Problem("say first who signs")
        seconds = value.get("seconds")
        length = float(seconds) if isinstance(seconds, int | float) and SHORTEST <= seconds <= LONGEST else USUAL
        same = next((name for name, _ in self.signs if folded(name) == folded(sign)), sign)
        demo.mode.settle()
        self._take = demo.mode = OwnTake(demo.mode, same, prompt, self.countdown, length)

    def _begin_pause(self, demo: Demo, value: dict) -> None:
        """A take of what is no sign, each time another kind of it."""
        self._begin(demo, value, PAUSES[dict(self.signs).get(NOTHING, 0) % len(PAUSES)])

    def _keep(self, take: OwnTake) -> None:
        take.film.finish()
        notes = take.film.notes(rests=bool(take.prompt))
        row = self.folder.add(take.film.content, take.label, self.signer, notes)
        self._kept.append(row)
        self.notes = notes
        self.said = {"word": "pause" if take.prompt else "kept", "take": row.take, "sign": row.label}
        self._look()

    def _undo(self, _demo: Demo, _value: dict) -> None:
        """Throw the last take of this session away."""
        if self._kept:
            row = self._kept[-1]
            self.folder.remove(row)
            self._kept.pop()
            self.said = {"word": "undone", "take": row.take, "sign": row.label}
            self._look()

    def _look(self) -> None:
        self.signs = self.folder.signs_of(self.signer)
        self.changes += 1


def text_of(value: dict, name: str) -> str:
    text = value.get(name)
    return text[:TEXT] if isinstance(text, str) else ""
