"""One visitor's session: the demo of livedemo.py in a thread of its own, fed by a browser's camera.

    visit = Visit(seat, keeping, changed, folder)
    visit.frame(message); visit.order({"do": "start"})          from the server's loop
    visit.latest                                                what the page shows, snapshot.py
    visit.close()

Nothing of one visit is another's: source, modes, points, corrections and the networks' states are its own.
"""

import contextlib
import functools
import queue
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from signs import command, errors
from signs.inference import timing
from signs.live.corrections import Corrections
from signs.live.demo import MODES, Demo, build_modes
from signs.live.film import Film
from signs.live.hands_free import HandsFree
from signs.web.frame_source import FrameSource
from signs.web.keeping import Keeping
from signs.web.own_folder import OwnFolder
from signs.web.own_takes import OwnSigns
from signs.web.seats import Seat
from signs.web.sent_answers import correct
from signs.web.snapshot import take_snapshot

COUNTDOWN, RECORDING = 3.0, 5.0  # seconds, as livedemo.py has them
REMEMBERED = HandsFree.LONGEST + 2  # seconds of pictures, where they may be kept
WAIT = 0.03  # seconds for a frame
SOONEST = 0.05  # seconds between two snapshots of one state
ORDERS = 32  # that may wait


class Visit:
    """seat: whose recogniser it uses; keeping: for whoever allows that signs are kept; changed: called from the thread
    when there is something new to show; folder: where visitors record signs, or None."""

    def __init__(self, seat: Seat, keeping: Keeping, changed: Callable[[], None], folder: OwnFolder | None = None):
        self.seat, self._keeping, self._changed = seat, keeping, changed
        self.source, self.corrections = FrameSource(), Corrections(listed=True)
        self.latest: dict = {"state": "loading", "mode": MODES[0]}
        self.own, self._signer = OwnSigns(folder, COUNTDOWN) if folder else None, ""
        self._orders: queue.Queue = queue.Queue(ORDERS)
        self._stop, self._sent, self._state = threading.Event(), 0.0, ""
        self._thread = threading.Thread(target=self._run, name="visit", daemon=True)
        self._thread.start()

    def frame(self, message: bytes) -> None:
        """Take a frame as the page sends it; raises Problem where it is none."""
        self.source.push(message)

    def order(self, order: dict) -> None:
        """What a key or a button asks for; one too many is lost."""
        with contextlib.suppress(queue.Full):
            self._orders.put_nowait(order)
        self.source.wake()

    def close(self) -> None:
        """End it; returns at once, and the seat is free when the thread has ended."""
        self._stop.set()
        self.source.wake()

    def _run(self) -> None:
        timing.step_back()
        worker = ThreadPoolExecutor(1, thread_name_prefix="answer", initializer=timing.step_back)
        build = functools.partial(build_modes, worker=worker, countdown=COUNTDOWN, seconds=RECORDING, window=RECORDING)
        demo = Demo(self.source, self.seat.loading, build, corrections=self.corrections)
        try:
            while not self._stop.is_set():
                self._step(demo)
        except Exception as error:  # of one visitor; the others go on
            self.latest = {"state": "failed", "mode": demo.wanted}
            print(command.one_line(f"a visitor's session ended: {errors.explain(error)}"), file=sys.stderr, flush=True)
            self._tell()
        finally:
            demo.close()
            worker.shutdown(wait=True, cancel_futures=True)
            self.seat.free()

    def _step(self, demo: Demo) -> None:
        taken = self.source.taken
        with contextlib.suppress(queue.Empty):
            while True:
                self._obey(demo, self._orders.get_nowait())
                self._state = ""
        demo.step(wait=WAIT)
        if self.own:
            self.own.step(demo)
            self._look_who_signs(demo)
        state, since = demo.mode and demo.mode.state, time.monotonic() - self._sent
        if state != self._state or (since > SOONEST and (taken != self.source.taken or since > 4 * SOONEST)):
            self._state, self._sent = state, time.monotonic()
            self.latest = (
                take_snapshot(demo, self.seat.names) if demo.mode else {"state": "loading", "mode": demo.wanted}
            )
            self.latest |= {"taken": self.source.taken, "own": self.own and self.own.view(), **self._kept()}
            self._tell()

    def _tell(self) -> None:
        with contextlib.suppress(RuntimeError):  # the server's loop has ended meanwhile
            self._changed()

    def _obey(self, demo: Demo, order: dict) -> None:
        value = order.get("value")
        if demo.mode is None or (self.own and self.own.obey(demo, order.get("do"), value)):
            return
        match order.get("do"):
            case "start":
                demo.mode.start()
            case "mode" if value in MODES and value != demo.wanted:
                demo.switch_mode(value)
            case "consent":
                self._allow(demo, value is True)
            case "aside":
                demo.mode.set_aside()
            case what if correct(demo.corrections, what, value):
                demo.mode.set_aside()  # the movement that led to it is no sign

    @property
    def _says(self) -> str:
        """Who signs, as the visitor says, or empty."""
        return self.own.signer if self.own else ""

    def _kept(self) -> dict:
        """keeps: whether corrected signs are kept; keeper: in whose name they would be, empty where in nobody's, None
        where they cannot be."""
        allowed = self.corrections.keeper
        keeper = allowed or self._keeping.keeper_of(self._says)
        return {"keeps": allowed is not None, "keeper": keeper and keeper.signer}

    def _allow(self, demo: Demo, allowed: bool) -> None:
        """From now on signs that are corrected are kept, or no more; before and after, no picture is remembered."""
        keeper = self._keeping.keeper_of(self._says) if allowed else None
        film, demo.corrections.keeper = demo.film, keeper
        demo.film = (film or Film(REMEMBERED)) if keeper else None
        if film and not keeper:
            film.close()
            demo.corrections.drop_pictures()

    def _look_who_signs(self, demo: Demo) -> None:
        """What one person allowed holds for nobody else who says that he signs now."""
        before, self._signer = self._signer, self._says
        same = self._signer and self._keeping.keeper_of(self._signer) is demo.corrections.keeper
        if before != self._signer and not same:
            self._allow(demo, False)
