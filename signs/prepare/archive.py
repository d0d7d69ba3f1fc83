"""Members of zip and tar archives, streamed one at a time: nothing is ever unpacked as a whole or under its own name.

    for member in archive.list_members(path):               a zip or a plain tar: any member can be read at any time
        chunks = archive.read_member(member, password)
    for member, chunks in archive.stream_members(path):     a compressed tar: once, from front to back

What is wrong with an archive is raised as Problem: empty, cut short, encrypted, of a kind that is not read here, or
unpacking to more than it says. Where a member goes is the caller's choice; `unsafe` tells what speaks against one.
"""

import contextlib
import functools
import lzma
import os
import shlex
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from signs.command import Problem

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz", ".rar", ".7z")
# First bytes of archives that are not read here -> their name, and what unpacks them.
FOREIGN = {
    b"Rar!": ("RAR", ("unar", "unrar x", "7z x", "bsdtar -xf")),
    b"7z\xbc\xaf": ("7z", ("7z x", "unar", "bsdtar -xf")),
}
CHUNK = 1 << 20  # bytes
# Videos are compressed already; what unpacks to a hundred times its size is no video. Small files may be anything.
MAX_RATIO = 100
RATIO_FROM = 64 << 20  # bytes
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, struct.error, ValueError)


class Foreign(Problem):
    """An archive of a kind that is not read here; what is in it may lie beside it already."""


@dataclass(frozen=True)
class Member:
    """A file in an archive: `size` and `packed` in bytes; `crc` is None in a tar, which keeps none."""

    archive: Path
    name: str
    size: int
    packed: int
    crc: int | None = None
    encrypted: bool = False
    offset: int = 0
    link: bool = False

    @property
    def parts(self) -> tuple[str, ...]:
        """The folders and the file of `name`, written with either kind of slash."""
        return tuple(part for part in self.name.replace("\\", "/").split("/") if part not in ("", "."))


def unsafe(member: Member) -> str | None:
    """Why this member must not be unpacked, in one line; None where nothing speaks against it."""
    path = PurePosixPath(member.name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or path.parts[:1] and path.parts[0].endswith(":"):
        return "would land outside the output folder"
    if member.link:
        return "is a link or a device, not a file"
    if member.size > RATIO_FROM and member.size > MAX_RATIO * member.packed:
        return f"unpacks to {member.size:,} bytes from {member.packed:,}, which no video does"
    return None


def files_below(folder: Path, leave_out: Iterable[Path]) -> Iterator[Path]:
    """Every file below `folder`, sorted within its own folder; what `leave_out` names is not looked at."""
    left_out = {path.resolve() for path in leave_out}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if (Path(parent) / name).resolve() not in left_out)
        paths = (Path(parent) / name for name in sorted(files))
        yield from (path for path in paths if path.resolve() not in left_out)


def detect_kind(path: Path) -> str:
    """`zip`, `tar` or `compressed tar`, by content; raises Foreign for RAR and 7z, Problem where it is none of them."""
    try:
        with open(path, "rb") as file:
            head = file.read(512)
    except FileNotFoundError:
        raise Problem(f"{path}: no such archive") from None
    if not head:
        raise Problem(f"{path}: an empty file, expected a zip or tar archive; download it again")
    if head[:4] in (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08"):
        return "zip"
    if head[:2] == b"\x1f\x8b" or head[:3] == b"BZh" or head[:6] == b"\xfd7zXZ\0":
        return "compressed tar"
    if head[257:262] == b"ustar":
        return "tar"
    if head[:4] in FOREIGN:
        name, programs = FOREIGN[head[:4]]
        ways = f"{', '.join(programs[:-1])} or {programs[-1]} {shlex.quote(path.name)}"
        raise Foreign(
            f"{path}: a {name} archive, which is not read here; unpack it there (cd {shlex.quote(str(path.parent))}, "
            f"then {ways}), then run this again"
        )
    raise Problem(f"{path}: not a zip or tar archive, or damaged; download it again")


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (*DAMAGE, OSError) as error:
        # gzip reports damage as an OSError without a number; one with a number is the disc's.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Problem(f"{path}: cut short or damaged ({reason}); download it again") from None


def list_members(path: Path) -> list[Member]:
    """The files of a zip or of a plain tar, from its table of contents."""
    with _damage_named(path):
        if detect_kind(path) == "zip":
            return [_zip_member(path, info) for info in _zip(path).infolist() if not info.is_dir()]
        with tarfile.open(path, "r:") as tar:
            members = [_tar_member(path, info) for info in tar if not info.isdir()]
    last = max(members, key=lambda member: member.offset + member.size, default=None)
    if last and not last.link and last.offset + last.size > path.stat().st_size:
        raise Problem(f"{path}: cut short inside {last.name}; download it again")
    return members


def _zip(path: Path) -> zipfile.ZipFile:
    stat = path.stat()
    return _open_zip(path, stat.st_mtime_ns, stat.st_size)


@functools.lru_cache(maxsize=2)
def _open_zip(path: Path, *_version: int) -> zipfile.ZipFile:
    # A table of contents of 100,000 members takes a second to read: once a process, not once a member.
    return zipfile.ZipFile(path)


def _zip_member(path: Path, info: zipfile.ZipInfo) -> Member:
    link = (info.external_attr >> 16) & 0o170000 == 0o120000
    encrypted = bool(info.flag_bits & 1)
    return Member(path, info.filename, info.file_size, info.compress_size, info.CRC, encrypted, link=link)


def _tar_member(path: Path, info: tarfile.TarInfo) -> Member:
    link = not info.isreg() or info.issparse()
    return Member(path, info.name, info.size, info.size, offset=info.offset_data, link=link)


def read_member(member: Member, password: str = "") -> Iterator[bytes]:
    """The content of a member of a zip or plain tar, in chunks; never more bytes than its header declares."""
    try:
        yield from _read_tar(member) if member.crc is None else _read_zip(member, password)
    except NotImplementedError as error:
        raise Problem(
            f"{member.archive}: packed or encrypted in a way not read here ({error}); unpack it with 7-Zip beside "
            "itself, then run this again"
        ) from None
    except RuntimeError as error:  # zipfile has no class of its own for these two
        wrong = "wrong password" if "Bad password" in str(error) else "encrypted"
        raise Problem(f"{member.archive}: {wrong}; give the right one with --password") from None
    except DAMAGE as error:
        hint = "or the password is wrong" if member.encrypted else "or it unpacks to more than it says"
        raise Problem(f"{member.archive}: {member.name} is damaged ({error}), {hint}; download it again") from None


def _read_zip(member: Member, password: str) -> Iterator[bytes]:
    archive = _zip(member.archive)
    if member.encrypted and password:
        from signs.prepare import zipcrypto  # it brings Numba, which nobody else here needs

        yield from zipcrypto.decrypt_member(archive, archive.getinfo(member.name), password.encode())
        return
    with archive.open(member.name) as file:
        while chunk := file.read(CHUNK):
            yield chunk


def _read_tar(member: Member) -> Iterator[bytes]:
    left = member.size
    with open(member.archive, "rb") as file:
        file.seek(member.offset)
        while left and (chunk := file.read(min(CHUNK, left))):
            left -= len(chunk)
            yield chunk
    if left:
        raise EOFError("the archive ends inside it")


def decode_text(content: bytes, name: object, expected: str) -> str:
    """A text file's content; raises Problem, with the file's name and what it should be, where it is no UTF-8."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Problem(f"{name}: not a text file; expected {expected}") from None


def check_password(members: list[Member], password: str) -> None:
    """Raise Problem, before anything is written, where encrypted members need a password or another one."""
    encrypted = [member for member in members if member.encrypted]
    if encrypted and not password:
        raise Problem(f"{encrypted[0].archive}: encrypted; give --password (ChaLearn sends it with the download link)")
    for archive in {member.archive for member in encrypted}:
        # One byte in 256 wrong passwords passes the check at the front, so a whole member is read, the smallest.
        smallest = min((member for member in encrypted if member.archive == archive), key=lambda member: member.size)
        for _ in read_member(smallest, password):
            pass


def stream_members(path: Path) -> Iterator[tuple[Member, Iterator[bytes]]]:
    """(member, its chunks) of a compressed tar, in the order they lie; chunks must be read before the next member."""
    packed = path.stat().st_size
    with _damage_named(path), tarfile.open(path, "r|*", bufsize=CHUNK) as tar:
        for info in tar:
            unpacked = info.offset_data + info.size
            if unpacked > RATIO_FROM and unpacked > MAX_RATIO * packed:
                raise Problem(f"{path}: unpacks to over {unpacked:,} bytes from {packed:,}, which no videos do")
            if not info.isdir():
                yield _tar_member(path, info), _chunks(path, info, tar)


def _chunks(path: Path, info: tarfile.TarInfo, tar: tarfile.TarFile) -> Iterator[bytes]:
    with _damage_named(path):
        file = tar.extractfile(info) if info.isreg() else None
        while file and (chunk := file.read(CHUNK)):
            yield chunk
