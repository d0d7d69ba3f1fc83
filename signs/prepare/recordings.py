"""A folder of recorded takes: what record.py fills, and prepare_videos.py reads as a table of videos.

    clips.csv                        a row a take: video, label, signer, take, recorded, sha256, notes
    consent.csv                      a row a person: signer, scope, date, given_by
    video/<signer>/<signer>_<label>_<take>.mp4
    landmark-30fps/<sha256>.zip      points of body and hands, found while the session went on

A take is there whole or not at all: its video is written first, under a temporary name, then its row. Whoever holds
the folder's lock calls what writes.
"""

import contextlib
import shutil
from collections.abc import Collection, Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import date
from pathlib import Path, PurePath

from signs import command
from signs.clips import dataset, tables
from signs.clips.dataset import LOOPS, NO_CONSENT, Clip
from signs.clips.names import check_path, check_text, folded, safe_name
from signs.command import Problem

TABLE, CONSENT = "clips.csv", "consent.csv"
VIDEOS, POINTS = "video", "landmark-*"
# What a person may allow, in words for people; nothing is recorded of who does not allow the first.
SCOPES = {
    "training": "models may learn from these recordings",
    LOOPS: "short loops of them may be shown, as in reports",
    "sharing": "they may be passed on to others",
}

TO_SHARE = (LOOPS, "sharing")  # what whoever signs has to allow before a loop of hers is passed on


@dataclass(frozen=True)
class Recording:
    """A row of clips.csv. video: its path below the folder, joined by `/`; recorded: the day, 2031-05-17; sha256 of the
    file; notes: what was odd when it was kept, joined by `; `."""

    video: str
    label: str
    signer: str
    take: int
    recorded: str
    sha256: str
    notes: str = ""


@dataclass(frozen=True)
class Consent:
    """A row of consent.csv. scope: of SCOPES; date: the day; given_by: the person, or who answers for her."""

    signer: str
    scope: tuple[str, ...]
    date: str
    given_by: str


COLUMNS = [column.name for column in fields(Recording)]
CONSENT_COLUMNS = [column.name for column in fields(Consent)]


def check_scope(words: Iterable[str]) -> tuple[str, ...]:
    """The words, in SCOPES' order; raises Problem where one is unknown or training is not allowed."""
    words = {word.strip() for word in words} - {""}
    if unknown := sorted(words - SCOPES.keys()):
        raise Problem(f"consent to {unknown[0]!r}; expected {', '.join(SCOPES)}")
    if "training" not in words:
        raise Problem("consent without training: a recording that nothing may learn from is not made")
    return tuple(word for word in SCOPES if word in words)


def _free_name(text: str, taken: Collection[str]) -> str:
    """The safe name of a text, with a hash where it is taken."""
    taken = set(map(folded, taken))
    while folded(name := safe_name(text)) in taken:
        text += "?"  # no system takes it: the name gets a hash
    return name


def same_person(one: str, other: str) -> bool:
    """Whether two names are one person's, whatever their capitals."""
    return folded(one) == folded(other)


@dataclass
class Recordings:
    """The folder as it is on disc: `rows` of clips.csv in its order, `consents` of consent.csv."""

    folder: Path
    rows: list[Recording] = field(default_factory=list)
    consents: list[Consent] = field(default_factory=list)

    def spelling(self, signer: str) -> str:
        """The name as the folder has it already, if it differs in capitals alone; else as it is."""
        known = [row.signer for row in (*self.consents, *self.rows)]
        return next((name for name in known if same_person(name, signer)), signer)

    def of_signer(self, signer: str) -> list[Recording]:
        return [row for row in self.rows if same_person(row.signer, signer)]

    def takes(self, signer: str, label: str) -> int:
        """How many takes of a sign a person has."""
        return sum(row.label == label for row in self.of_signer(signer))

    def consent_of(self, signer: str) -> Consent | None:
        return next((row for row in self.consents if same_person(row.signer, signer)), None)

    def allowing(self, scope: Collection[str]) -> set[str]:
        """SHA-256 of the takes of people who allow all of that; of a video of several people, if each does."""
        consents = [(row.sha256, self.consent_of(row.signer)) for row in self.rows]
        not_allowed = {digest for digest, consent in consents if not consent or not set(scope) <= set(consent.scope)}
        return {digest for digest, _ in consents if digest} - not_allowed

    def path(self, row: Recording) -> Path:
        return self.folder / row.video

    def archives(self, row: Recording) -> list[Path]:
        """Where the take's points lie, as far as they were found."""
        return sorted(self.folder.glob(f"{POINTS}/{row.sha256}.zip"))

    def add_consent(self, signer: str, scope: Collection[str], given_by: str) -> Consent:
        """Write down what a person allows, today; raises Problem where the words are none, or a name is."""
        signer, given_by = check_text(signer, "signer"), check_text(given_by, "who gives the consent")
        consent = Consent(signer, check_scope(scope), date.today().isoformat(), given_by)
        self._write_consents([*self.consents, consent])
        return consent

    def add(self, content: bytes, label: str, signer: str, notes: Collection[str] = ()) -> Recording:
        """Write a take: the bytes of its MP4, then its row.

        Raises OSError where the disc is full, and then neither is there.
        """
        label, signer = check_text(label, "sign"), check_text(signer, "signer")
        take = 1 + max((row.take for row in self.of_signer(signer) if row.label == label), default=0)
        path = self._free_path(signer, f"{signer}_{label}_{take}")
        with command.atomic(path) as temporary:
            temporary.write_bytes(content)
        video = path.relative_to(self.folder).as_posix()
        day = date.today().isoformat()
        row = Recording(video, label, signer, take, day, command.sha256(path), "; ".join(notes))
        try:
            self._write_rows([*self.rows, row])
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        return row

    def _free_path(self, signer: str, text: str) -> Path:
        """A path in the person's folder that no file has, nor one that differs in capitals alone."""
        named = [PurePath(row.video).parts[1] for row in self.of_signer(signer)]
        others = [PurePath(row.video).parts[1] for row in self.rows]
        folder = self.folder / VIDEOS / (named[0] if named else _free_name(signer, others))
        return folder / f"{_free_name(text, [path.stem for path in folder.glob('*')])}.mp4"

    def remove(self, rows: Collection[Recording]) -> None:
        """Take rows out of the table, then delete their videos and points."""
        self._write_rows([row for row in self.rows if row not in rows])
        for row in rows:
            for path in (self.path(row), *self.archives(row)):
                path.unlink(missing_ok=True)

    def remove_signer(self, signer: str) -> int:
        """Delete all that is here of a person, consent last; the number of takes."""
        rows = self.of_signer(signer)
        folders = {self.path(row).parent for row in rows}
        self.remove(rows)
        others = {self.path(row).parent for row in self.rows}
        for folder in folders - others - {self.folder, self.folder / VIDEOS}:  # and what a killed run left there
            shutil.rmtree(folder, ignore_errors=True)
        self._write_consents([row for row in self.consents if not same_person(row.signer, signer)])
        return len(rows)

    def _write_rows(self, rows: list[Recording]) -> None:
        dataset.write_table(self.folder / TABLE, map(asdict, rows), COLUMNS)
        self.rows = rows

    def _write_consents(self, consents: list[Consent]) -> None:
        lines = [{**asdict(row), "scope": " ".join(row.scope)} for row in consents]
        dataset.write_table(self.folder / CONSENT, lines, CONSENT_COLUMNS)
        self.consents = consents


def read_recordings(folder: Path) -> Recordings:
    """The folder as it is; empty where nothing was recorded yet. Raises Problem where its tables are others."""
    if (folder / "class.csv").exists():
        raise Problem(f"{folder}: a data set; recordings want a folder of their own, such as recordings/mine")
    found = Recordings(folder)
    if (table := folder / TABLE).exists():
        found.rows = [_recording(table, number, row) for number, row in tables.read_rows(table, COLUMNS)]
    if (table := folder / CONSENT).exists():
        found.consents = [_consent(table, number, row) for number, row in tables.read_rows(table, CONSENT_COLUMNS)]
    return found


def with_consent(clips: Iterable[Clip], videos: Path) -> list[Clip]:
    """Clips of videos that lie in a folder, each with what whoever is in it allows where record.py asked: in the
    folder's consent.csv, or in that of the folder above."""
    folder = next((folder for folder in (videos, videos.parent) if (folder / CONSENT).is_file()), None)
    if folder is None:
        return list(clips)
    recordings = read_recordings(folder)
    allowing = {word: recordings.allowing([word]) for word in SCOPES}
    return [
        replace(clip, consent=" ".join(word for word in SCOPES if clip.sha256 in allowing[word]) or NO_CONSENT)
        for clip in clips
    ]


def _recording(table: Path, number: int, row: tables.Row) -> Recording:
    with _line_named(table, number):
        for name in ("label", "signer"):
            check_text(row[name], name)
        if len(PurePath(check_path(row["video"], "video")).parts) != 3 or not row["video"].startswith(f"{VIDEOS}/"):
            raise Problem(f"video {row['video']!r}; expected {VIDEOS}/<signer>/<file>")
        return Recording(**{name: row[name] for name in COLUMNS} | {"take": int(row["take"])})


def _consent(table: Path, number: int, row: tables.Row) -> Consent:
    with _line_named(table, number):
        return Consent(
            check_text(row["signer"], "signer"), check_scope(row["scope"].split()), row["date"], row["given_by"]
        )


@contextlib.contextmanager
def _line_named(table: Path, number: int) -> Iterator[None]:
    try:
        yield
    except (ValueError, Problem) as error:
        raise Problem(f"{table} line {number}: {error}; mend the line or delete it") from None
