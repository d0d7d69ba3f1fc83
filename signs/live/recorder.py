"""The states of a recording session without its window: questions, countdown, recording, review, and what keys do.

    recorder = Recorder(recordings, Plan(signs=["hello"]))
    recorder.frame(frame, seconds); recorder.ended(); recorder.tick()      as frames come and time passes
    recorder.press(" "), recorder.type(code)                               a key; a key where text is asked for
    recorder.state, recorder.headline, recorder.message, recorder.take

signer -> scope -> given_by -> sign -> ready -space-> countdown -> recording -> review -keep-> ready ... -> choose.
After the takes of a sign comes a pause: one take of what is no sign.
"""

import time
from collections.abc import Callable

from signs import errors
from signs.clips.names import check_text
from signs.clips.no_sign import NOTHING, check_signs
from signs.clips.spec import EQUAL
from signs.command import Problem
from signs.live import guidance
from signs.live.session_plan import PAUSES, Plan
from signs.live.take import Take
from signs.live.text_field import TextField
from signs.prepare.recordings import SCOPES, Recording, Recordings, check_scope

SIGNER, SCOPE, GIVEN_BY, SIGN = "signer", "scope", "given_by", "sign"
READY, COUNTING, RECORDING, REVIEW, CHOOSE = "ready", "countdown", "recording", "review", "choose"
ASKING = (SIGNER, GIVEN_BY, SIGN)  # states in which keys are letters
ADVICE_EVERY = 0.25  # seconds between two looks at the light


class Recorder:
    """kept: the takes of this session, which `u` takes back, the last first. finder: has `submit(row)` and
    `forget(row)`, and finds points of what is kept; tracker: tells where the person is now. Both may be missing."""

    def __init__(self, recordings: Recordings, plan: Plan, finder=None, tracker=None, clock: Callable = time.monotonic):
        self.recordings, self.plan, self.finder, self.tracker, self.clock = recordings, plan, finder, tracker, clock
        self.signer, self.sign, self.prompt = "", "", ""
        self.kept: list[Recording] = []
        self.scope = dict.fromkeys(SCOPES, False)  # a consent that is ticked beforehand is none
        self.field, self.message, self.advice = TextField(), "", ""
        self.take: Take | None = None
        self._goals: dict[tuple[str, str], int] = {}
        self._queue, self._advised = list(plan.signs), -1.0
        self.enter(SIGNER)
        if plan.signer:
            self._answer(plan.signer)

    @property
    def elapsed(self) -> float:
        """Seconds since the state began."""
        return self.clock() - self.since

    @property
    def left(self) -> float:
        """Seconds left of the countdown or the take, else 0."""
        if self.state == COUNTING:
            return max(0.0, self.plan.countdown - self.elapsed)
        return max(0.0, self.plan.seconds - self.take.length) if self.state == RECORDING else 0.0

    @property
    def progress(self) -> float:
        """How much of the countdown or the take is over, 0 to 1."""
        whole = {COUNTING: self.plan.countdown, RECORDING: self.plan.seconds}.get(self.state, 0.0)
        return 1 - self.left / whole if whole > 0 else 0.0

    @property
    def goal(self) -> int:
        """How many takes of the sign there are to be."""
        return self._goals.get((self.signer, self.sign), 0)

    @property
    def number(self) -> int:
        """The number of the next take of the sign."""
        return self.recordings.takes(self.signer, self.sign) + 1

    @property
    def notes(self) -> list[str]:
        """What is odd about the take that is looked at."""
        return self.take.notes(rests=bool(self.prompt)) if self.take and self.state == REVIEW else []

    def enter(self, state: str) -> None:
        self.state, self.since = state, self.clock()

    # Questions.

    def type(self, code: int) -> None:
        """A key where text is asked for, as cv2.waitKeyEx gives it."""
        self.message = ""
        if self.field.press(code):
            self._answer(self.field.text)

    def _answer(self, text: str) -> None:
        """What was typed, or came by a flag."""
        try:
            if self.state == SIGNER:
                self._choose_signer(self.recordings.spelling(check_text(text, "the name")))
            elif self.state == GIVEN_BY:
                self._write_consent([word for word, given in self.scope.items() if given], text.strip())
            else:
                self._choose_sign(check_text(text, "the sign"))
        except (Problem, OSError) as error:
            self.message = errors.describe(error)

    def _choose_signer(self, signer: str) -> None:
        self.signer, self.message = signer, ""
        if self.recordings.consent_of(signer):
            self._next_sign()
        elif self.plan.scope:
            self._write_consent(self.plan.scope, self.plan.given_by)
        else:
            self.enter(SCOPE)

    def _write_consent(self, scope, given_by: str) -> None:
        self.recordings.add_consent(self.signer, scope, given_by or self.signer)
        self._next_sign()

    def _next_sign(self) -> None:
        """The next sign of the plan; without one the window asks."""
        self.sign = self.prompt = self.message = ""
        self.field = TextField()
        if self._queue:
            self._choose_sign(self._queue.pop(0))
        else:
            self.enter(CHOOSE if self.kept and self.kept[-1].signer == self.signer else SIGN)

    def _choose_sign(self, sign: str) -> None:
        check_signs([sign])
        self._begin(sign, self.plan.takes)

    def _begin(self, label: str, takes: int, prompt: str = "") -> None:
        """Takes of a label: what is missing of so many; where none is, as many again."""
        there = self.recordings.takes(self.signer, label)
        self._goals[self.signer, label] = takes if there < takes and not prompt else there + takes
        self.sign, self.prompt, self.message = label, prompt, ""
        self.enter(READY)

    def _begin_pause(self) -> None:
        self._begin(NOTHING, 1, PAUSES[self.recordings.takes(self.signer, NOTHING) % len(PAUSES)])

    # Keys.

    def press(self, key: str) -> None:
        """A key where no text is asked for; what means nothing in a state is ignored."""
        actions = {
            SCOPE: {"1": self._toggle, "2": self._toggle, "3": self._toggle, "\r": self._confirm_scope},
            READY: {" ": self._start, **dict.fromkeys("n\t", self._leave_sign), **dict.fromkeys("u\x7f", self._undo)},
            COUNTING: {" ": self._call_off},
            RECORDING: {" ": self.ended},
            REVIEW: {
                **dict.fromkeys("k\r", self._keep),
                **dict.fromkeys("t\b\x7f", self._throw_away),
                **dict.fromkeys("o ", self._once_more),
            },
            CHOOSE: {
                **dict.fromkeys("n\r", self._ask_sign),
                **dict.fromkeys("p\t", self._ask_signer),
                **dict.fromkeys("u\x7f", self._undo),
            },
        }
        if action := actions.get(self.state, {}).get(key):
            action(key) if action == self._toggle else action()

    def _toggle(self, key: str) -> None:
        word = list(SCOPES)[int(key) - 1]
        self.scope[word] = not self.scope[word]
        self.message = ""

    def _confirm_scope(self) -> None:
        try:
            check_scope(word for word, given in self.scope.items() if given)
        except Problem:
            self.message = "without 1 nothing is recorded: press 1 for yes, or Esc to end"
            return
        self.field, self.message = TextField(), ""
        self.enter(GIVEN_BY)

    def _start(self) -> None:
        self.message = ""
        self.enter(COUNTING)

    def _call_off(self) -> None:
        self.enter(READY)

    def _leave_sign(self) -> None:
        """On to what comes next: after a sign its pause, after a pause the next sign."""
        if self.prompt or not any(row.label == self.sign and row.signer == self.signer for row in self.kept):
            self._next_sign()
        else:
            self._begin_pause()

    def _ask_sign(self) -> None:
        self.field = TextField()
        self.enter(SIGN)

    def _ask_signer(self) -> None:
        self.signer, self.field = "", TextField()
        self.scope = dict.fromkeys(SCOPES, False)
        self._queue = list(self.plan.signs)
        self.plan.scope = None  # a flag spoke of one person
        self.enter(SIGNER)

    def _keep(self) -> None:
        try:
            row = self.recordings.add(self.take.content, self.sign, self.signer, self.notes)
        except OSError as error:
            full = "the disc is full: make room, then keep it again"
            self.message = full if errors.is_disc_full(error) else errors.describe(error)
            return
        self.kept.append(row)
        if self.finder:
            self.finder.submit(row)
        self.take = None
        if self.number <= self.goal:
            self.message = f"take {row.take} is kept"
            self.enter(READY)
        elif self.prompt:
            self._next_sign()
        else:
            self._begin_pause()

    def _throw_away(self) -> None:
        self.take, self.message = None, "thrown away"
        self.enter(READY)

    def _once_more(self) -> None:
        self.take = None
        self._start()

    def _undo(self) -> None:
        """Take the last kept take back, and go back to its sign."""
        if not self.kept or self.kept[-1].signer != self.signer:  # else another person's signs would go on as hers
            self.message = f"nothing of {self.signer} was kept in this session"
            return
        row = self.kept[-1]
        try:
            self.recordings.remove([row])
        except OSError as error:
            self.message = errors.describe(error)
            return
        self.kept.pop()
        if self.finder:
            self.finder.forget(row)
        if self.state == READY and self.sign not in (row.label, NOTHING):
            self._queue.insert(0, self.sign)
        self.sign = row.label
        self.prompt = PAUSES[(row.take - 1) % len(PAUSES)] if row.label == NOTHING else ""
        self.message = f"take {row.take} of {row.label} is deleted"
        self.enter(READY)

    # Frames and time.

    def frame(self, frame, seconds: float) -> None:
        """A frame of the source, (H, W, 3) uint8 RGB, and its time, which rises while a take is recorded."""
        found = (
            self.tracker.push(frame, seconds) if self.tracker and self.state in (READY, COUNTING, RECORDING) else None
        )
        if self.state == RECORDING:
            if self.take.frames and seconds - self.take.first > self.plan.seconds + EQUAL:
                self.ended()
            else:
                self.take.add(frame, seconds, found)
        elif self.state in (READY, COUNTING) and abs(self.clock() - self._advised) > ADVICE_EVERY:
            self._advised = self.clock()
            newest = self.tracker.newest if self.tracker else None
            self.advice = guidance.light_advice(frame) or (guidance.place_advice(newest) if newest else "")

    def ended(self) -> None:
        """The take is over: the space bar, its time, or a file's last frame."""
        if self.state != RECORDING:
            return
        if self.take.is_too_short:
            self.take, self.message = None, "that was too short to be a take; once more"
            self.enter(READY)
            return
        self.take.finish()
        self.enter(REVIEW)

    def tick(self) -> bool:
        """Time passes; True where a take begins now: a file that plays the camera begins again."""
        if self.state != COUNTING or self.elapsed < self.plan.countdown:
            return False
        self.take = Take()
        if self.tracker:
            self.tracker.restart()
        self.enter(RECORDING)
        return True
