"""Processes that end with the one that started them, however that one ends: `kill -9`, a closed terminal, a crash.

    with child_process.ends_with_this() as how: subprocess.run(line, **how)     where a script starts another one
    child_process.watch_starter()                   in the other one: command.run does it
    child_process.watch_pool()                      in a process of joblib's, or of a pool

The other script's standard input is a pipe that nothing is written to. The system closes it when this process is gone:
so do Linux, macOS and Windows.
"""

import _thread
import contextlib
import functools
import os
import threading
import time
from collections.abc import Callable, Iterator

WATCHED = "SIGNS_WATCHED_INPUT"  # in the environment of a script that is to end with its standard input
GRACE = 3.0  # seconds to end as after Ctrl-C
LOOK = 1.0  # seconds between two looks
ENDED = 130  # exit code, as after Ctrl-C


@contextlib.contextmanager
def ends_with_this() -> Iterator[dict]:
    """`stdin` and `env` for subprocess, of a script that ends with this process, or with the `with` block."""
    read, write = os.pipe()
    try:
        yield {"stdin": read, "env": {**os.environ, WATCHED: "1"}}
    finally:
        os.close(read)
        os.close(write)


def watch_starter() -> None:
    """End this script with the one that started it by `ends_with_this`; nothing where nobody did."""
    if not os.environ.pop(WATCHED, ""):
        return
    pipe = os.dup(0)
    with open(os.devnull, "rb") as empty:
        os.dup2(empty.fileno(), 0)  # what is started here gets no end of the pipe: Windows would wait for the thread
    _end_after(functools.partial(os.read, pipe, 1), GRACE)


@functools.cache
def watch_pool() -> None:
    """End this process with the one whose jobs it does; nothing where that is this one."""
    import multiprocessing
    from multiprocessing import connection

    if parent := multiprocessing.parent_process():
        sentinel = parent.sentinel  # joblib has one on Windows alone
        gone = functools.partial(connection.wait, [sentinel]) if sentinel else functools.partial(_adopted, os.getppid())
        _end_after(gone, 0)


def _adopted(parent: int) -> None:
    """Return when this process has another parent."""
    while os.getppid() == parent:
        time.sleep(LOOK)


def _end_after(gone: Callable[[], object], grace: float) -> None:
    """End this process when `gone` returns: as after Ctrl-C, and after `grace` seconds at once."""

    def wait() -> None:
        with contextlib.suppress(OSError):
            gone()
        if grace:
            _thread.interrupt_main()
            time.sleep(grace)
        os._exit(ENDED)

    threading.Thread(target=wait, name="ends-with-starter", daemon=True).start()
