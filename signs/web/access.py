"""Who may use the page: a random token in the printed address, a password where others can reach the machine.

    access = Access(password=None)
    access.token                            stands in the printed address
    ticket = access.admit(visitor, access.DOOR)      for the cookie: whose it is, and how far it goes
    access.read(ticket)                     Ticket or None

A ticket is signed with a key that lives as long as the process; nothing is stored. Secrets are compared in a time that
does not depend on them. Five wrong passwords of one address wait, each further one twice as long.
"""

import hashlib
import hmac
import ipaddress
import re
import secrets
import time
from collections import OrderedDict
from typing import NamedTuple

FREE = 5  # wrong passwords before one has to wait
FIRST_WAIT, LONGEST_WAIT = 30.0, 3600.0  # seconds
FORGOTTEN = 2 * LONGEST_WAIT  # seconds after an address's last wrong password
REMEMBERED = 4096  # addresses
NETWORK = 64  # bits of an IPv6 address that one household has


class Ticket(NamedTuple):
    """visitor: 32 hexadecimal digits; level: DOOR or INSIDE."""

    visitor: str
    level: str


class Access:
    """password: asked of everybody, or None."""

    DOOR, INSIDE = "door", "inside"  # knows the address, knows the password too

    def __init__(self, password: str | None = None, clock=time.monotonic):
        self.token, self.attempts = secrets.token_urlsafe(24), Attempts(clock)
        self._key = secrets.token_bytes(32)
        self._password = None if password is None else self._digest(password)

    @property
    def asks_password(self) -> bool:
        return self._password is not None

    def is_token(self, text: str) -> bool:
        return hmac.compare_digest(text.encode(), self.token.encode())

    def is_password(self, text: str) -> bool:
        return hmac.compare_digest(self._digest(text), self._password)

    def _digest(self, text: str) -> bytes:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), hashlib.sha256)

    def new_ticket(self) -> str:
        """Of a visitor who knows the address."""
        return self.sign(secrets.token_hex(16), self.DOOR if self.asks_password else self.INSIDE)

    def sign(self, visitor: str, level: str) -> str:
        return f"{visitor}.{level}.{self._mark(visitor, level)}"

    def _mark(self, visitor: str, level: str) -> str:
        return hmac.new(self._key, f"{visitor}.{level}".encode(), hashlib.sha256).hexdigest()

    def read(self, text: str) -> Ticket | None:
        """What a ticket says; None where this process did not sign it."""
        if not re.fullmatch(r"[0-9a-f]{32}\.[a-z]+\.[0-9a-f]{64}", text):
            return None
        visitor, level, mark = text.split(".")
        return Ticket(visitor, level) if hmac.compare_digest(mark, self._mark(visitor, level)) else None


class Attempts:
    """Wrong passwords by address."""

    def __init__(self, clock=time.monotonic):
        self._clock = clock
        self._wrong: OrderedDict[str, tuple[int, float]] = OrderedDict()  # how many, and when the last

    def wait(self, address: str) -> float:
        """Seconds until this address may try again."""
        wrong, last = self._wrong.get(household(address), (0, 0.0))
        if wrong < FREE:
            return 0.0
        pause = min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(wrong - FREE, 16))
        return max(0.0, last + pause - self._clock())

    def fail(self, address: str) -> None:
        name, now = household(address), self._clock()
        wrong, last = self._wrong.pop(name, (0, now))
        self._wrong[name] = (1 if now - last > FORGOTTEN else wrong + 1, now)
        if len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)

    def succeed(self, address: str) -> None:
        self._wrong.pop(household(address), None)


def household(address: str) -> str:
    """What addresses of one machine have in common: whoever has an IPv6 address has 2^64 of them."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4:
        return str(found)
    return str(found.ipv4_mapped or ipaddress.ip_network((found, NETWORK), strict=False))
