"""Who is served and who waits: as many seats as the machine carries, the others in a row.

    seats = Seats(open_recogniser, 3)
    seats.join("a"); seats.place("a")            0 sits, 1 is the next one, None is not there
    seats.leave("a"); seats.fill()               whose turn it is now, with the seat

A seat has a recogniser of its own, for it works for one visitor at a time; it is opened when the seat is first taken
and stays. Seat.free is called from the visit's thread, the rest from the server's loop.
"""

import functools
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from signs.inference import timing


class Seat:
    """loading: its recogniser; older: another model has been learnt since it was opened."""

    def __init__(self, loading: Future):
        self.loading, self.taken, self.older = loading, False, False

    @functools.cached_property
    def names(self) -> dict[str, str]:
        """{label: name} of its model's classes."""
        return {row.label: row.name for row in self.loading.result().classes}

    @property
    def broken(self) -> bool:
        """Whether its recogniser could not be opened."""
        return self.loading.done() and self.loading.exception() is not None

    def free(self) -> None:
        self.taken = False


class Seats:
    """open_recogniser: in a thread; count: of the seats."""

    def __init__(self, open_recogniser: Callable, count: int):
        self._opener = ThreadPoolExecutor(1, thread_name_prefix="open", initializer=timing.step_back)
        self._open, self.count = open_recogniser, count
        self._seats: list[Seat] = []
        self._sitting: set[str] = set()
        self._row: list[str] = []
        self._opened = None  # the first recogniser of a model that was learnt

    @property
    def sitting(self) -> int:
        return len(self._sitting)

    @property
    def waiting(self) -> int:
        return len(self._row)

    def renew(self, recogniser, open_recogniser: Callable) -> None:
        """Another model, opened once: whoever sits keeps the old one, whoever comes gets this one."""
        for seat in self._seats:
            seat.older = True
        self._open, self._opened = open_recogniser, recogniser

    def join(self, visitor: str, first: bool = False) -> None:
        """To the end of the row, or before it, where the visitor is not there yet."""
        if visitor not in self._sitting and visitor not in self._row:
            self._row.insert(0 if first else len(self._row), visitor)

    def leave(self, visitor: str) -> None:
        self._sitting.discard(visitor)
        if visitor in self._row:
            self._row.remove(visitor)

    def place(self, visitor: str) -> int | None:
        if visitor in self._sitting:
            return 0
        return self._row.index(visitor) + 1 if visitor in self._row else None

    def fill(self) -> list[tuple[str, Seat]]:
        """The visitors who may sit down now, in order; a seat whose visit still ends is not free."""
        called = []
        while self._row and len(self._sitting) < self.count and (seat := self._free()):
            visitor = self._row.pop(0)
            self._sitting.add(visitor)
            seat.taken = True
            called.append((visitor, seat))
        return called

    def _free(self) -> Seat | None:
        self._seats = [seat for seat in self._seats if seat.taken or not (seat.broken or seat.older)]
        for seat in self._seats:
            if not seat.taken:
                return seat
        if len(self._seats) < self.count:
            self._seats.append(Seat(self._load()))
            return self._seats[-1]
        return None

    def _load(self) -> Future:
        if self._opened is None:
            return self._opener.submit(self._open)
        loading = Future()
        loading.set_result(self._opened)
        self._opened = None
        return loading

    def close(self) -> None:
        self._opener.shutdown(wait=False, cancel_futures=True)
