"""The folder of takes that visitors record of themselves: a folder of record.py, which all visits write to in turn.

    folder = OwnFolder(Path("recordings/mine"))
    folder.allow("anna", ["training"], "anna")      once a person
    row = folder.add(content, "hello", "anna", [])  the bytes of a take's video
    folder.remove(row)

The tables are read anew each time, as record.py or the corrections of a visitor may write meanwhile. Whoever names a
sign or a person gives text: recordings.py makes safe names of it.
"""

import contextlib
import threading
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.prepare.recordings import Recording, Recordings, read_recordings

MOST_TAKES, MOST_ROWS = 100, 10_000  # of a person's sign, and of the folder: a page that runs wild fills no disc


class OwnFolder:
    """turn: held by whoever of this process writes in the folder; alone: the only person who allowed recordings, or
    empty."""

    def __init__(self, folder: Path):
        self.folder, self.turn, self.alone = folder, threading.Lock(), ""
        self._count(read_recordings(folder))  # raises Problem before a page is served

    def _count(self, recordings: Recordings) -> None:
        people = [row.signer for row in recordings.consents]
        self.alone = people[0] if len(people) == 1 else ""

    def known(self, signer: str) -> tuple[str, bool]:
        """(a person's name as the folder spells it, whether she allowed recordings)."""
        recordings = read_recordings(self.folder)
        return recordings.spelling(signer), recordings.consent_of(signer) is not None

    def signs_of(self, signer: str) -> list[tuple[str, int]]:
        """(sign, takes) of a person, in the order in which they were first recorded."""
        return list(Counter(row.label for row in read_recordings(self.folder).of_signer(signer)).items())

    def allow(self, signer: str, scope: Collection[str], given_by: str) -> None:
        """Write down what a person allows; raises Problem where that is too little to record her."""
        with self._open() as recordings:
            if not recordings.consent_of(signer):
                recordings.add_consent(signer, scope, given_by)
                self._count(recordings)

    def add(self, content: bytes, label: str, signer: str, notes: Collection[str]) -> Recording:
        """Keep a take; raises Problem where the person was deleted meanwhile or has too many, OSError where the disc is
        full."""
        with self._open() as recordings:
            if not recordings.consent_of(signer):
                raise Problem(f"{signer} allows no recordings any more")
            if recordings.takes(signer, label) >= MOST_TAKES or len(recordings.rows) >= MOST_ROWS:
                raise Problem(f"{MOST_TAKES} takes of a sign and {MOST_ROWS:,} in all are the most that the page keeps")
            return recordings.add(content, label, signer, notes)

    def remove(self, row: Recording) -> None:
        """Throw a take away, if it is there still."""
        with self._open() as recordings:
            recordings.remove([each for each in recordings.rows if each == row])

    @contextlib.contextmanager
    def _open(self) -> Iterator[Recordings]:
        with self.turn, command.lock(self.folder):
            yield read_recordings(self.folder)
