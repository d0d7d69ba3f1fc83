"""What was found in files that were opened before, kept in the data set: good while nobody has written to them.

    known = KnownFiles(data_set)
    known.read(path, asked)                 (SHA-256, intervals), None where it is to be opened
    known.note(path, sha256, asked, spans)
    known.write()                           what this run has read and noted, and nothing older

A file is the same while its size, the time of its last writing, its number on the disc and the time of its last change
are the same, as Git has it: whoever writes to a file may set the first time back, but nobody the last, which a rename
changes too. The table names no file: it has a hash of each path.
"""

import hashlib
import json
import os
import stat
import time
from pathlib import Path

from signs import command
from signs.clips.pictures import picture_files
from signs.clips.video import READER
from signs.command import Problem

FILE = ".known_files.tsv"
FORMAT = 1  # goes up when other intervals are found in a video
COARSEST = 2_000_000_000  # ns: what is written twice within it may have one time (FAT); others tell 10 ms apart


class KnownFiles:
    """The table of a data set's folder, which need not be there yet; one that is damaged or of another reader is empty.

    Videos are files, and folders of pictures.
    """

    def __init__(self, folder: Path):
        self.path = folder / FILE
        self.before, self.rows, self.stamps = self._read_table(), {}, {}

    def _read_table(self) -> dict[str, str]:
        try:
            head, _, rows = self.path.read_text(encoding="utf-8").partition("\n")
        except (OSError, ValueError):
            return {}
        return dict(row.split("\t", 1) for row in rows.splitlines()) if head == head_of(rows) else {}

    def read(self, path: Path, asked: str = "") -> tuple[str, list] | None:
        """(SHA-256, intervals) of a video, as noted when the same was `asked` of it; None where it is to be opened."""
        try:
            newest, stamp = stamp_of(path)
        except (OSError, Problem):
            return None
        key = key_of(path)
        if time.time_ns() - newest > COARSEST:  # else somebody may write to it once more, and its time be the same
            self.stamps[key] = stamp
        *same, sha256, spans = self.before.get(key, "\t\t\t").split("\t")
        if same != [stamp, asked]:
            return None
        self.rows[key] = self.before[key]
        return sha256, json.loads(spans)

    def note(self, path: Path, sha256: str, asked: str = "", spans: list | None = None) -> None:
        """Keep what was found in a video that `read` was asked for before it was opened."""
        if stamp := self.stamps.get(key := key_of(path)):
            self.rows[key] = "\t".join((stamp, asked, sha256, json.dumps(spans or [])))

    def note_written(self, path: Path, sha256: str) -> None:
        """Keep the hash of a copy that this run has made."""
        self.stamps[key_of(path)] = stamp_of(path)[1]
        self.note(path, sha256)

    def note_linked(self, path: Path) -> None:
        """A hard link of a video was made, which changes the time of its last change, and nothing else of it."""
        stamp, asked_and_found = self.rows.get(key := key_of(path), "\t").split("\t", 1)
        if stamp and (now := stamp_of(path)[1]).split()[:-1] == stamp.split()[:-1]:
            self.rows[key] = f"{now}\t{asked_and_found}"

    def write(self) -> None:
        """Write the table; hold the lock of the data set."""
        rows = "".join(f"{key}\t{row}\n" for key, row in self.rows.items())
        command.write_text(self.path, f"{head_of(rows)}\n{rows}")


def head_of(rows: str) -> str:
    """The first line of a table with these rows: who made it, and their hash."""
    return json.dumps([FORMAT, READER, hashlib.sha256(rows.encode()).hexdigest()])


def key_of(path: Path) -> str:
    return hashlib.sha256(os.path.abspath(path).encode("utf-8", "surrogatepass")).hexdigest()[:20]


def stamp_of(path: Path) -> tuple[int, str]:
    """When a file or a picture of a folder was written to last, ns since 1970, and what changes when one is written
    to, the time of the last change at its end. Raises OSError or Problem where there is none."""
    about = path.stat()
    if not stat.S_ISDIR(about.st_mode):
        return about.st_mtime_ns, f"{about.st_size} {about.st_mtime_ns} {about.st_ino} {about.st_ctime_ns}"
    each = [(file.name, file.stat()) for file in picture_files(path)]
    text = "\n".join(f"{name} {one.st_size} {one.st_mtime_ns} {one.st_ino}" for name, one in each)
    whole = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
    return max(one.st_mtime_ns for _, one in each), f"{whole} {max(one.st_ctime_ns for _, one in each)}"
