"""Find wanted videos in archives and folders, and bring each straight to its place.

    videos = Videos(targets)           {path that a list names, `train/001/M_00001.avi`: where its video goes}
    videos.look_in(archive)            zip, tar or tar.gz; matched by the end of a member's path
    videos.look_at(file)               a video that is unpacked already
    outcome = videos.unpack(password, workers)

Nothing else of an archive is unpacked, nothing is unpacked twice, and a member's own name never decides where it goes.
"""

import functools
import tempfile
import zlib
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from signs import command
from signs.command import Outcome, Problem
from signs.estimate import Cost
from signs.prepare import archive, transfer
from signs.prepare.archive import Foreign, Member
from signs.prepare.transfer import NoHardLink


class Videos:
    """Where the video of each wanted path is, in which archive or in which file, and where it is to go."""

    def __init__(self, targets: dict[PurePosixPath, Path]):
        self.targets = targets
        self.wanted = {path.parts: path for path in targets}
        self.found: dict[PurePosixPath, Member | Path] = {}
        self.failed: list[tuple[str, str]] = []
        self.streams: list[Path] = []
        self.foreign: list[Problem] = []

    def match(self, parts: tuple[str, ...]) -> PurePosixPath | None:
        """The wanted path that `parts` end with: archives may have one more folder on top."""
        tails = (parts[start:] for start in range(len(parts)))
        return next((self.wanted[tail] for tail in tails if tail in self.wanted), None)

    def wanted_path(self, member: Member) -> PurePosixPath | None:
        """The wanted path of a member that is safe to unpack; an unsafe one is named as failed."""
        path, reason = self.match(member.parts), archive.unsafe(member)
        if reason and (path or ".." in member.parts):
            self.failed.append((member.archive.name, f"member {member.name!r} {reason}; left out"))
        return None if reason else path

    def look_in(self, path: Path) -> None:
        """Note what an archive holds; a damaged one is named as failed, one not read here if videos are missing."""
        try:
            if archive.detect_kind(path) == "compressed tar":
                self.streams.append(path)
                return
            for member in archive.list_members(path):
                if wanted := self.wanted_path(member):
                    self.found.setdefault(wanted, member)
        except Foreign as problem:
            self.foreign.append(problem)
        except Problem as problem:
            self.failed.append(("archive", str(problem)))

    def look_at(self, file: Path) -> None:
        """Note a video that is unpacked already; one that no archive has, for those can be checked."""
        if wanted := self.match(file.parts):
            self.found.setdefault(wanted, file)

    def missing(self) -> list[PurePosixPath]:
        return [path for path in self.targets if path not in self.found]

    def recall(self, recorded: dict[PurePosixPath, str]) -> None:
        """Find the rest where the last run put it, if its content is still what that run recorded."""
        for path in self.missing():
            target = self.targets[path]
            if recorded.get(path) and target.is_file() and command.sha256(target) == recorded[path]:
                self.found[path] = target

    def bytes_needed(self) -> int:
        """What unpacking will take of the disc; of a compressed tar only its own size is known beforehand."""
        need = 0
        for path, source in self.found.items():
            target, packed = self.targets[path], isinstance(source, Member)
            size = source.size if packed else source.stat().st_size
            linked = not packed and source.stat().st_dev == transfer.existing_parent(target).stat().st_dev
            if not linked and not (target.is_file() and target.stat().st_size == size):
                need += size
        # Half of a tar is depth, as a rule; every member is held against the free space again when its turn comes.
        return need + sum(path.stat().st_size // 2 for path in self.streams if self.missing())

    def rehearse(self, password: str, workers: int) -> Outcome:
        """Bring a few of the videos that are not there to a temporary folder, say what all of them will take, and keep
        nothing."""
        self._check(password)
        for path in self.streams:
            print(f"{path}: a compressed tar, which is read from its start to its end; not in the estimate")
        sizes = {path: _bytes_read((path, path, source)) for path, source in self.found.items()}
        there = {path for path, target in self.targets.items() if target.is_file()}
        todo = [path for path in sizes if path not in there or self.targets[path].stat().st_size != sizes[path]]
        if not todo and not self.streams:
            print("nothing to do")
        with tempfile.TemporaryDirectory(prefix=".dry-run-") as folder:
            # Numbers for names: two lists may have a video of one name.
            jobs = [(str(path), (path, Path(folder, f"{n}.avi"), self.found[path])) for n, path in enumerate(todo)]
            bring, cost = functools.partial(_bring, password=password), Cost(_bytes_read, _bytes_written)
            outcome = command.parallel(bring, jobs, workers, "a few videos", cost, dry_run=True)
        outcome.there = len(sizes) - len(todo)
        outcome.failed[:0] = self.failed + [("archive", str(problem)) for problem in self.foreign if self.missing()]
        return outcome.rehearsed()

    def unpack(self, password: str, workers: int) -> Outcome:
        """Bring everything found to its target; `done` are (path, SHA-256, whether it had to be written)."""
        self._check(password)
        jobs = [(str(path), (path, self.targets[path], source)) for path, source in self.found.items()]
        bring, cost = functools.partial(_bring, password=password), Cost(_bytes_read, _bytes_written)
        outcome = command.parallel(bring, jobs, workers, "unpacking", cost)
        for path in self.streams:
            if self.missing():
                self._unpack_stream(path, outcome)
        outcome.failed[:0] = self.failed + [("archive", str(problem)) for problem in self.foreign if self.missing()]
        return outcome

    def _check(self, password: str) -> None:
        """Raise Problem where nothing is found and an archive that is not read here may have it, or the password does
        not fit."""
        if self.foreign and not (self.found or self.failed or self.streams):
            raise self.foreign[0]
        archive.check_password([source for source in self.found.values() if isinstance(source, Member)], password)

    def _unpack_stream(self, path: Path, outcome: Outcome) -> None:
        with command.progress() as bar, command.noting(self.failed, "archive"):
            task = bar.add_task(f"reading {path.name}", total=len(self.missing()))
            for member, chunks in archive.stream_members(path):
                wanted = self.wanted_path(member)
                if wanted and wanted not in self.found:
                    self.found[wanted], target = member, self.targets[wanted]
                    transfer.check_room(target.parent, member.size)
                    with command.noting(outcome.failed, str(wanted)):
                        outcome.done.append((wanted, *write_member(target, member, chunks)))
                    bar.advance(task)
                    if not self.missing():
                        break


def _bytes_read(job: tuple[PurePosixPath, Path, Member | Path]) -> int:
    source = job[2]
    return source.size if isinstance(source, Member) else source.stat().st_size


def _bytes_written(job: tuple[PurePosixPath, Path, Member | Path]) -> int:
    """A video that is unpacked already is linked."""
    return job[2].size if isinstance(job[2], Member) else 0


def _bring(job: tuple[PurePosixPath, Path, Member | Path], password: str) -> tuple[PurePosixPath, str, bool]:
    path, target, source = job
    if isinstance(source, Member):
        return path, *write_member(target, source, archive.read_member(source, password))
    try:
        return path, *transfer.bring_video(source, target, "hardlink")
    except NoHardLink:
        return path, *transfer.bring_video(source, target, "copy")


def write_member(target: Path, member: Member, chunks: Iterable[bytes]) -> tuple[str, bool]:
    """Write a member to its target, unless the same content is there; (its SHA-256, whether it was written)."""
    if target.is_file() and target.stat().st_size == member.size:
        crc = member.crc
        if crc is None:  # a tar keeps no checksum: compare with what it holds
            chunks = [b"".join(chunks)]
            crc = zlib.crc32(chunks[0])
        if _crc_of(target) == crc:
            return command.sha256(target), False
    return transfer.write_chunks(target, chunks, member.size), True


def _crc_of(path: Path) -> int:
    """CRC-32 of a file, read in pieces: a video may be larger than the memory."""
    crc = 0
    with open(path, "rb") as file:
        while chunk := file.read(archive.CHUNK):
            crc = zlib.crc32(chunk, crc)
    return crc
