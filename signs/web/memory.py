"""Memory that goes back to where it came from: a server lives long, and each sign has threads of its own.

few_arenas()            before threads are started
"""

import contextlib
import ctypes
import sys

ARENA_MAX, ARENAS = -8, 2  # of glibc's mallopt


def few_arenas() -> None:
    """glibc gives threads arenas of their own, eight a core, and what lies free in one is no other's: with the starter
    the server grew by 10 MB a sign, some 150 MB in all, and with two arenas it stays as large as it began."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError, AttributeError):  # another C library has no arenas
            ctypes.CDLL(None).mallopt(ARENA_MAX, ARENAS)
