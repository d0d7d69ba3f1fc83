"""Where the live demo keeps a sign that somebody corrected: in the folder that learn.py reads.

    keeper = open_keeper(Path("recordings/mine"), signer=None)
    kept = keeper.keep(content, "hello", "stop")       the bytes of a video, its sign, what was answered -> its path
    keeper.forget(kept)

A folder of record.py gets a row in its table and asks for the person's consent there; a folder with one folder of
videos for each sign gets a file. Each holds the folder's lock while it writes.
"""

import contextlib
from pathlib import Path, PurePath

from signs import command
from signs.clips.names import check_name, check_text
from signs.command import Problem
from signs.prepare.recordings import CONSENT, TABLE, read_recordings
from signs.prepare.video_folder import is_video

CORRECTED, CONFIRMED = "corrected", "right"  # in names of files, by what was answered
ANSWERED = "answered"  # begins the note of a take that was kept after an answer; then comes the answer's label


def answer_of(notes: str) -> str | None:
    """The label that was answered, of a take's notes; None of a take that record.py recorded."""
    words = notes.removeprefix(f"{ANSWERED} ")
    return words if words != notes else None


def is_corrected(video: str) -> bool:
    """Whether a path is that of a take that was kept in a folder of signs after another answer."""
    return f"_{CORRECTED}_" in PurePath(video).name


class RecordedTakes:
    """A folder of record.py; the tables are read anew each time, as somebody may record meanwhile."""

    def __init__(self, folder: Path, signer: str | None):
        self.folder, recordings = folder, read_recordings(folder)
        known = [row.signer for row in recordings.consents]
        if signer is None and len(known) != 1:
            who = f"{command.listed(known)} are recorded there" if known else "nobody has allowed recordings there yet"
            raise Problem(f"{folder}: {who}; say with --signer who signs")
        self.signer = recordings.spelling(known[0] if signer is None else signer)
        if not recordings.consent_of(self.signer):
            how = f"python record.py --output {folder} --signer {self.signer}"
            raise Problem(f"{folder}: {self.signer} allowed no recordings there; `{how}` asks, and may be ended then")

    def keep(self, content: bytes, label: str, answered: str) -> Path:
        check_there(self.folder)
        with command.lock(self.folder):
            recordings = read_recordings(self.folder)
            if not recordings.consent_of(self.signer):  # she may have been deleted meanwhile
                raise Problem(f"{self.signer} allows no recordings in {self.folder} any more")
            return recordings.path(recordings.add(content, label, self.signer, [f"{ANSWERED} {answered}"]))

    def forget(self, path: Path) -> None:
        with command.lock(self.folder):
            recordings = read_recordings(self.folder)
            recordings.remove([row for row in recordings.rows if recordings.path(row) == path])


class SignFolders:
    """A folder with one folder of videos for each sign."""

    def __init__(self, folder: Path, signer: str | None):
        self.folder, self.signer = folder, check_name(signer, "--signer") if signer else "live"

    def keep(self, content: bytes, label: str, answered: str) -> Path:
        check_there(self.folder)
        folder = self.folder / check_name(label, "a sign's folder")
        # The sign's name too: clips of a data set are named by their files, each once.
        stem = f"{self.signer}_{CONFIRMED if answered == label else CORRECTED}_{label}"
        with command.lock(self.folder):
            number = 1
            while (path := folder / f"{stem}_{number}.mp4").exists():
                number += 1
            try:
                with command.atomic(path) as temporary:
                    temporary.write_bytes(content)
            except OSError:
                remove_empty(folder)
                raise
        return path

    def forget(self, path: Path) -> None:
        path.unlink(missing_ok=True)
        remove_empty(path.parent)


def check_there(folder: Path) -> None:
    """Raise Problem where somebody has deleted the folder meanwhile: it is not made anew."""
    if not folder.is_dir():
        raise Problem(f"{folder} is there no more")


def remove_empty(folder: Path) -> None:
    """Remove a sign's folder without takes, which would be a sign without videos."""
    with contextlib.suppress(OSError):  # other takes are in it
        folder.rmdir()


def open_keeper(folder: Path, signer: str | None) -> RecordedTakes | SignFolders:
    """What keeps takes in a folder; raises Problem where it is none of the two kinds, or the person is not known."""
    signer = check_text(signer, "--signer") if signer is not None else None
    if not folder.is_dir():
        what = "a file; name the folder with the signs" if folder.exists() else "no such folder"
        raise Problem(f"{folder}: {what}; `python record.py --output {folder}` makes one")
    if (folder / TABLE).exists() or (folder / CONSENT).exists():
        return RecordedTakes(folder, signer)
    if not any(is_video(path) for path in folder.glob("*/*")):
        raise Problem(f"{folder}: neither recordings of record.py nor a folder of videos for each sign")
    return SignFolders(folder, signer)
