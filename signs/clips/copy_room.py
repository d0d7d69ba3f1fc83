"""The room that copies of objects take on this machine's disc: at most SIGNS_CACHE_GB; what was read longest ago goes
first, and never what is being read.

    bring(address, path, entry, root)       a whole copy at the path, once there is room for it
    file = open_copy(path, entry)           it stays while the file is open; None where it is not there

A copy's time of change is its object's stamp: seconds before 1979, by which copies are known among other files.
"""

import contextlib
import os
import threading
import time
from pathlib import Path
from typing import BinaryIO

from signs import command
from signs.clips import object_storage
from signs.clips.cache import private_folder
from signs.clips.object_storage import Entry, answers
from signs.command import Problem

try:
    import fcntl
except ImportError:  # Windows, which deletes no open file
    fcntl = None

LIMIT, USUAL = "SIGNS_CACHE_GB", 20.0
LARGER = f"set {LIMIT} larger"
SPARE = 0.1  # of the room, which is made at once where any is needed
LAST_STAMP = 16**7  # seconds; one above all stamps
PARTS = ".part"
STORAGE = "storage"  # below the cache: where all copies lie
TABLES = ("clips.csv", "class.csv")  # of a data set, which stay
# Threads of one process wait for each other here; the lock of a file is only looked at again after 50 ms.
_turn = threading.Lock()


def root() -> Path:
    return private_folder(STORAGE)


def limit() -> int:
    """Bytes that the copies may take."""
    text = os.environ.get(LIMIT) or str(USUAL)
    try:
        gigabytes = float(text)
    except ValueError:
        gigabytes = 0.0
    if not 0 < gigabytes < 1e9:
        raise Problem(f"{LIMIT}={text[:20]}: expected gigabytes, such as {USUAL:g}")
    return int(gigabytes * 1e9)


def mark(path: Path | int, entry: Entry) -> None:
    """Make a file, or the one of a descriptor, the copy of this object, read now."""
    os.utime(path, ns=(time.time_ns(), entry.stamp * 10**9))


def is_copy(path: Path, entry: Entry) -> bool:
    try:
        about = path.stat()
    except OSError:
        return False
    return (about.st_size, about.st_mtime_ns) == (entry.size, entry.stamp * 10**9)


def open_copy(path: Path, entry: Entry) -> BinaryIO | None:
    """A copy, opened; it is not deleted until that file is closed. None where there is no copy of this object."""
    if not is_copy(path, entry):
        return None
    try:
        file = open(path, "rb")  # noqa: SIM115
    except FileNotFoundError:
        return None
    _share(file)
    if os.fstat(file.fileno()).st_nlink and is_copy(path, entry):
        with contextlib.suppress(OSError):
            mark(file.fileno() if os.utime in os.supports_fd else path, entry)
        return file
    file.close()
    return None


def _share(file: BinaryIO) -> None:
    """Say that a file is in use."""
    if fcntl:
        fcntl.flock(file, fcntl.LOCK_SH)


def bring(address: str, path: Path, entry: Entry, room: Path | None = None) -> None:
    """Download an object; it gets its name once it is whole.

    room: the folder whose copies make room for it; None where it counts as none of them.
    """
    if room:
        make_room(entry.size, room)
    parts = (room or path.parent) / PARTS
    parts.mkdir(parents=True, exist_ok=True)
    part = parts / f"{os.getpid()}-{threading.get_ident()}"
    try:
        with open(part, "wb") as file:
            _share(file)
            with answers(address) as storage:
                object_storage.bring(storage, address, part, entry)
            mark(part, entry)
            path.parent.mkdir(parents=True, exist_ok=True)
            if not fcntl:
                file.close()  # Windows renames no open file
            os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def make_room(size: int, room: Path) -> None:
    """Count so many bytes more, once copies that take so much are deleted where there is no room; raises Problem where
    that cannot be."""
    most = limit()
    if size > most:
        raise Problem(f"a file of {size / 1e9:.3g} GB does not go into a cache of {most / 1e9:.3g} GB; {LARGER}")
    with _turn, command.lock(room, "room", wait=True):
        counter = room / ".used"
        try:
            used = int(counter.read_text(encoding="ascii"))
        except (OSError, ValueError):
            used = most  # nobody knows: count
        if used + size > most:
            used = _delete_oldest(room, max(0, int(most * (1 - SPARE)) - size))
        if used + size > most:
            raise Problem(f"the cache of {most / 1e9:.3g} GB is full of what is being read; {LARGER}")
        counter.write_text(str(used + size), encoding="ascii")


def _delete_oldest(room: Path, most: int) -> int:
    """Delete copies, those read longest ago first, until the others take no more than `most` bytes; the bytes that
    are left."""
    copies = []
    for folder, _, names in os.walk(room):
        for name in names:
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if Path(folder).name == PARTS:
                    _delete_unused(path)
                elif (about := path.stat()).st_mtime < LAST_STAMP and name not in TABLES:
                    copies.append((about.st_atime_ns, about.st_size, path))
    left = sum(size for _, size, _ in copies)
    for _, size, path in sorted(copies):
        if left <= most:
            break
        with contextlib.suppress(OSError):
            left -= size * _delete_unused(path)
    return left


def _delete_unused(path: Path) -> bool:
    """Delete a file that nobody has open as `_share` says; whether it is gone. Raises OSError where it cannot be."""
    with open(path, "rb") as file:
        if fcntl:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            path.unlink()
    if not fcntl:
        path.unlink()
    return True
