"""What went wrong, as one line for people; with SIGNS_TRACEBACK set, all that led to it."""

import errno
import os
import re
import traceback

from signs.console import one_line

DISC_FULL = (errno.ENOSPC, errno.EDQUOT)
MEMORY_FULL = "the memory is full; less at once needs less: --batch, --frames, --crop, --workers"
TRACEBACK = "SIGNS_TRACEBACK"  # set to anything, errors come with all that led to them


class Problem(Exception):
    """Something the user can mend, as one line: what was found, what was expected, what to do."""


def is_memory_full(error: Exception) -> bool:
    """Whether NumPy, TensorFlow or JAX found no room, on the GPU too."""
    return isinstance(error, MemoryError) or bool(re.search("ResourceExhausted|RESOURCE_EXHAUSTED", repr(error)))


def is_disc_full(error: BaseException) -> bool:
    """Whether a disc, or this account's share of it, is full; HDF5 and TensorFlow have no number for it."""
    return getattr(error, "errno", None) in DISC_FULL or os.strerror(errno.ENOSPC) in str(error)


def is_expected(error: BaseException) -> bool:
    """Whether one line says all of it; else the fault may be this program's own."""
    return isinstance(error, Problem | OSError) or is_memory_full(error) or is_disc_full(error)


def describe(error: BaseException) -> str:
    """One line for an exception: what happened and, where that helps, what to do."""
    if is_disc_full(error):
        return "the disc is full; make room and run the same command again, it goes on from here"
    if isinstance(error, OSError) and error.filename:
        return one_line(f"{error.filename2 or error.filename}: {error.strerror}")  # of a renaming the target
    if isinstance(error, Problem):
        return one_line(str(error))
    if is_memory_full(error):
        return MEMORY_FULL
    return one_line(f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}")


def explain(error: Exception) -> str:
    """`describe`, which names TRACEBACK where the fault may be this program's own; with that variable the traceback."""
    if shown := traceback_of(error):
        return f"{describe(error)}\n{shown}"
    return describe(error) + ("" if is_expected(error) else f"; {TRACEBACK}=1 before the command shows where")


def traceback_of(error: BaseException) -> str:
    """All that led to an error, also what `from None` leaves out; empty unless TRACEBACK is set."""
    if not os.environ.get(TRACEBACK):
        return ""
    link = error
    while link is not None:
        link.__suppress_context__ = False
        link = link.__cause__ or link.__context__
    return "".join(traceback.format_exception(error))
