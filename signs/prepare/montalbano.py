"""The recordings of ChaLearn LAP 2014 track 3: where their files lie, what labels and data say.

    download = montalbano.find_recordings(folder, leave_out)      in folders, archives, archives of archives
    files = montalbano.Files(download.recordings["Sample0001"], work, password)
    files.text("labels"), files.video("color")

Which files a recording has, and where they may lie: data_set/chalearn2014/README.md.
"""

import csv
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.prepare import archive
from signs.prepare.archive import Member

SUFFIXES = {"color": ".mp4", "depth": ".mp4", "user": ".mp4", "skeleton": ".csv", "data": ".csv", "labels": ".csv"}
FILE = re.compile(r"(sample\d{4,5})(?:_(color|depth|user)\.mp4|_(skeleton|data|labels)\.csv|\.zip)", re.IGNORECASE)
SPLIT_NAME = re.compile(r"(?<![a-z])(train|val|test)", re.IGNORECASE)
LAST_NUMBER = {"train": 470, "valid": 700}  # how the organisers numbered them; the rest is test
CLASSES = 20
ROW = "18,4,45"


@dataclass
class Recording:
    """Where the files of one recording lie: by kind, and those together in a zip of its own."""

    name: str
    splits: set[str] = field(default_factory=set)
    files: dict[str, Path | Member] = field(default_factory=dict)
    packed: Path | Member | None = None

    @property
    def split(self) -> str:
        return min(self.splits)


def size_of(recording: Recording) -> int:
    """Bytes of a recording's files, as they are unpacked."""
    sources = [*recording.files.values(), *([recording.packed] if recording.packed else [])]
    return sum(source.size if isinstance(source, Member) else source.stat().st_size for source in sources)


@dataclass
class Download:
    """What a download folder holds; `signers` is its table of who signs."""

    recordings: dict[str, Recording] = field(default_factory=dict)
    failed: list[tuple[str, str]] = field(default_factory=list)
    signers: Path | None = None

    def note_file(self, where: tuple[str, ...], source: Path | Member) -> bool:
        """Note a file, by its folders, archive and name, if it is of a recording; the first of a kind wins."""
        match = FILE.fullmatch(where[-1])
        if not match:
            return False
        name, kind = match[1].capitalize(), (match[2] or match[3] or "").lower()
        recording = self.recordings.setdefault(name, Recording(name))
        if kind in ("color", ""):
            recording.splits.add(split_of(name, where[:-1]))
        if kind:
            recording.files.setdefault(kind, source)
        else:
            recording.packed = recording.packed or source
        return True

    def look_in(self, path: Path, where: tuple[str, ...]) -> None:
        """Note what an archive holds; one that cannot be read is named as failed."""
        with command.noting(self.failed, "archive"):
            if archive.detect_kind(path) == "compressed tar":
                raise Problem(f"{path}: a compressed tar is not read here; unpack it beside itself, run this again")
            for member in archive.list_members(path):
                if reason := archive.unsafe(member):
                    self.failed.append((path.name, f"member {member.name!r} {reason}; left out"))
                elif member.parts:
                    self.note_file((*where, *member.parts), member)

    def members(self) -> list[Member]:
        """Everything that lies in an archive."""
        sources = [source for each in self.recordings.values() for source in (*each.files.values(), each.packed)]
        return [source for source in sources if isinstance(source, Member)]


def split_of(name: str, folders: tuple[str, ...]) -> str:
    """The split that the nearest folder or archive above a recording names; without such, by the recording's number."""
    for folder in reversed(folders):
        if match := SPLIT_NAME.search(folder):
            return match[1].lower().replace("val", "valid")
    number = int(name.removeprefix("Sample"))
    return next((split for split, last in LAST_NUMBER.items() if number <= last), "test")


def find_recordings(folder: Path, leave_out: Iterable[Path]) -> Download:
    """Every recording below `folder`; unpacked files come before archives, folders of `leave_out` are not entered."""
    if not folder.is_dir():
        raise Problem(f"{folder}: no such folder; give the one with ChaLearn's archives or recordings as --download")
    download, archives = Download(), []
    for path in archive.files_below(folder, leave_out):
        name, noted = path.name.lower(), download.note_file(path.relative_to(folder).parts, path)
        if name == "signers.csv":
            download.signers = download.signers or path
        elif not noted and name.endswith(archive.SUFFIXES):
            archives.append(path)
    for path in archives:
        download.look_in(path, path.relative_to(folder).parts)
    for name, recording in download.recordings.items():
        if len(recording.splits) > 1:
            download.failed.append((name, f"lies in {' and in '.join(sorted(recording.splits))}; keep one of them"))
    download.recordings = {name: each for name, each in sorted(download.recordings.items()) if len(each.splits) == 1}
    return download


class Files:
    """The files of one recording, each brought to disc (below `work`, if it is packed) when it is asked for."""

    def __init__(self, recording: Recording, work: Path, password: str):
        self.name, self.work, self.password = recording.name, work, password
        self.sources = dict(recording.files)
        if recording.packed and self.sources.keys() != SUFFIXES.keys():
            self._look_in(self._on_disc(recording.packed, f"{self.name}.zip"))

    def _on_disc(self, source: Path | Member, name: str) -> Path:
        if isinstance(source, Path):
            return source
        target = self.work / name
        target.parent.mkdir(parents=True, exist_ok=True)
        with open(target, "wb") as file:
            file.writelines(archive.read_member(source, self.password))
        return target

    def _look_in(self, path: Path) -> None:
        for member in archive.list_members(path):
            match = FILE.fullmatch(member.parts[-1]) if member.parts else None
            kind = (match[2] or match[3] or "").lower() if match else ""
            if kind and match[1].capitalize() == self.name:
                if reason := archive.unsafe(member):
                    raise Problem(f"{path.name}: member {member.name!r} {reason}")
                self.sources.setdefault(kind, member)

    def _source(self, kind: str) -> Path | Member:
        if kind not in self.sources:
            raise Problem(f"no {self.name}_{kind}{SUFFIXES[kind]}")
        return self.sources[kind]

    def __contains__(self, kind: str) -> bool:
        return kind in self.sources

    def text(self, kind: str) -> str:
        source = self._source(kind)
        packed = isinstance(source, Member)
        content = b"".join(archive.read_member(source, self.password)) if packed else source.read_bytes()
        return archive.decode_text(content, f"{self.name}_{kind}.csv", "rows of numbers")

    def video(self, kind: str) -> Path:
        return self._on_disc(self._source(kind), f"{self.name}_{kind}.mp4")


@dataclass(frozen=True)
class Interval:
    """A row of a labels file: a sign, in the frames `first` to `last`, both counted from 1 and both part of it."""

    label: str
    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first + 1


def read_data(text: str, name: str) -> tuple[int, float, float]:
    """A data file, `1120,20,2881` -> frames, frames/s, and the depth in mm that 255 stands for."""
    row = next(csv.reader(text.splitlines()), [])
    try:
        frames, rate, farthest = int(row[0]), float(row[1]), float(row[2])
    except (ValueError, IndexError):
        raise Problem(f"{name}: {','.join(row)[:40]!r}; expected frames,fps,maximum depth") from None
    if not (frames > 0 and 0 < rate < 1000 and farthest > 0):
        raise Problem(f"{name}: {','.join(row)[:40]!r}; expected frames,fps,maximum depth, all above 0")
    return frames, rate, farthest


def read_labels(text: str, frames: int, name: str) -> tuple[list[Interval], list[tuple[str, str]]]:
    """A labels file, rows `18,4,45` -> its intervals, and (row, reason) of the rows that cannot be used."""
    intervals, failed = [], []
    for number, row in enumerate(csv.reader(text.splitlines()), 1):
        if not row:
            continue
        with command.noting(failed, f"{name} line {number}"):
            interval = read_row(row, frames)
            if any((interval.first, interval.last) == (each.first, each.last) for each in intervals):
                raise Problem("the same frames stand there already; left out")
            intervals.append(interval)
    return intervals, failed


def read_row(row: list[str], frames: int) -> Interval:
    """`label,first,last` -> an interval; raises Problem where it does not lie in a video of `frames` frames."""
    try:
        label, first, last = (int(value) for value in row)
    except ValueError:
        raise Problem(f"{','.join(row)[:40]!r} is no row label,first,last; expected {ROW!r}") from None
    if not 1 <= label <= CLASSES:
        raise Problem(f"label {label}; expected 1 to {CLASSES}")
    if not 1 <= first <= last <= frames:
        raise Problem(f"frames {first} to {last}; expected 1 to {frames}, the first before the last")
    return Interval(f"{label:03d}", first, last)
