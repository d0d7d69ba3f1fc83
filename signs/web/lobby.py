"""All visitors: who they are, whether they are still there, and whose turn it is.

    lobby = Lobby(seats, frames, keeping)
    visitor = lobby.visitor(ticket.visitor); visitor.hear()
    visitor.frame(message); visitor.order(order); visitor.view()
    await lobby.watch()                     runs as long as the server: frees the seats of who went

Everything here runs on the server's loop; what a visit's thread says comes through `call_soon_threadsafe`.
"""

import asyncio
import time

from signs.command import Problem
from signs.web.keeping import Keeping
from signs.web.seats import Seat, Seats
from signs.web.sent_answers import SentAnswers
from signs.web.visit import Visit

GONE = 4.0  # seconds without a sign of life after which a visitor has left: a page may connect anew in between
IDLE = 60.0  # seconds without a frame after which the seat is another's
LOOK = 0.5  # seconds between two looks
MOST = 300  # visitors who may be there, the waiting ones included
FULL_RATE = 30.0  # frames/s, as cameras have them


class Visitor:
    """One who opened the page. visit: his session while he has a seat; links: open WebSockets, the last one
    counts; sent: his answers to video files; sending: one is on its way, or looked at."""

    def __init__(self, lobby: "Lobby", name: str):
        self.lobby, self.name = lobby, name
        self.visit: Visit | None = None
        self.idle = self.sending = False
        self.links: list[asyncio.Event] = []
        self.sent = SentAnswers()
        self.heard = self.framed = lobby.clock()

    def hear(self) -> None:
        self.heard = self.lobby.clock()

    def frame(self, message: bytes) -> None:
        """A frame of his camera; lost while he waits. Raises Problem where it is none."""
        self.hear()
        if self.visit:
            self.visit.frame(message)
            self.framed = self.heard

    def order(self, order: dict) -> None:
        self.hear()
        if order.get("do") == "again":
            self.idle = False
            self.lobby.join(self)
        elif self.visit and order.get("do") != "look":
            self.visit.order(order)

    def view(self) -> dict:
        """What his page shows, as JSON."""
        lobby = self.lobby
        if self.idle:
            return {"at": "idle"}
        if self.visit:
            return {"at": "live", "rate": lobby.rate, **self.visit.latest}
        place = {"place": lobby.seats.place(self.name), "waiting": lobby.seats.waiting, "served": lobby.seats.count}
        return {"at": "waiting", **place}

    def tell(self) -> None:
        """There is something new to show."""
        for link in self.links[-1:]:
            link.set()

    def sit(self, seat: Seat) -> None:
        loop = asyncio.get_running_loop()
        self.framed = self.lobby.clock()
        self.visit = Visit(seat, self.lobby.keeping, lambda: loop.call_soon_threadsafe(self.tell), self.lobby.own)

    def rise(self) -> None:
        if self.visit:
            self.visit.close()
            self.visit = None


class Lobby:
    """frames: a second that the machine carries in all; keeping: who keeps corrected signs; own: where visitors record
    signs of their own, of own_folder.py, or None."""

    def __init__(self, seats: Seats, frames: float, keeping: Keeping, clock=time.monotonic, own=None):
        self.seats, self.keeping, self.clock, self.own, self._frames = seats, keeping, clock, own, frames
        self.visitors: dict[str, Visitor] = {}

    @property
    def rate(self) -> float:
        """Frames a second that each page should send: the machine's, shared."""
        return round(min(FULL_RATE, self._frames / max(1, self.seats.sitting)), 1)

    def visitor(self, name: str) -> Visitor:
        """The visitor of a ticket, who stands in the row if he is new; raises Problem where there are too many."""
        if name not in self.visitors:
            if len(self.visitors) >= MOST:
                raise Problem("too many visitors")
            self.visitors[name] = Visitor(self, name)
            self.join(self.visitors[name])
        return self.visitors[name]

    def join(self, visitor: Visitor) -> None:
        visitor.hear()
        self.seats.join(visitor.name)
        self._call()

    def renew(self, name: str) -> None:
        """Who loads the page anew gets the model that was learnt meanwhile, before those who wait: the seat is his."""
        visitor = self.visitors.get(name)
        if visitor and visitor.visit and visitor.visit.seat.older:
            visitor.rise()
            self.seats.leave(name)
            self.seats.join(name, first=True)
            self._call()

    def _call(self) -> None:
        """Those whose turn it is sit down; those who wait see how far they are."""
        for name, seat in self.seats.fill():
            self.visitors[name].sit(seat)
        for visitor in self.visitors.values():
            if not visitor.visit:
                visitor.tell()

    def leave(self, visitor: Visitor) -> None:
        visitor.rise()
        self.seats.leave(visitor.name)
        del self.visitors[visitor.name]

    def look(self) -> None:
        """Who went loses the seat, and so does who shows no picture."""
        now = self.clock()
        for visitor in list(self.visitors.values()):
            if not (visitor.links or visitor.sending) and now - visitor.heard > GONE:
                self.leave(visitor)
            elif visitor.visit and now - visitor.framed > IDLE:
                visitor.idle = True
                visitor.rise()
                self.seats.leave(visitor.name)
                visitor.tell()
        self._call()

    async def watch(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            self.look()

    def close(self) -> None:
        for visitor in list(self.visitors.values()):
            self.leave(visitor)
        self.seats.close()
