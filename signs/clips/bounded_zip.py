"""A zip that somebody else made, read within bounds.

    with open(path, "rb") as file:
        archive = BoundedZip(file, path, Bounds(members=3, total=4 << 20))
        archive.sizes                           {name: bytes}
        for chunk in archive.chunks(name): ...

Before any member is read, and before Python's reader sees the table of contents, all that the archive says of itself is
checked: how many members, how large each and all together, plain names, no link, no password, no two of one name, and
that nothing unpacks to many times its size. What is wrong is one Problem.
"""

import struct
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from signs.clips import storage
from signs.clips.names import check_name, folded
from signs.command import Problem

AGAIN = "get a whole copy of it"
CHUNK = 1 << 20  # bytes
END = struct.Struct("<4sHHHHIIH")  # of central directory: mark, discs, members, bytes, place, length of a comment
END_MARK, FAR_MARK = b"PK\5\6", b"PK\6\7"
FAR = 20  # bytes of the record that says where sizes above 4 GB stand
ROW = 600  # bytes of the table of contents a member, at most
RATIO, RATIO_FROM = 100, 1 << 20  # times its size that a member may unpack to, from so many bytes on
PACKED = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
LOCKED = 0x1 | 0x40 | 0x2000  # flags of a member that is encrypted
KIND, PLAIN = 0o170000, {0, 0o100000}  # of a member's file mode: no kind said, or a file
DAMAGED = (*storage.DAMAGED, struct.error)


@dataclass(frozen=True)
class Bounds:
    """members: how many there may be; total: bytes that all of them may have, unpacked."""

    members: int
    total: int


class BoundedZip:
    """An open zip whose table of contents keeps within bounds; raises Problem where it does not."""

    def __init__(self, file: BinaryIO, path: Path, bounds: Bounds):
        self.path = path
        check_end(file, path, bounds)
        try:
            self._archive = zipfile.ZipFile(file)
        except DAMAGED as error:
            raise Problem(f"{path}: damaged ({error}); {AGAIN}") from None
        self._infos = {}
        for info in self._archive.infolist():
            if reason := reason_against(info, self._infos):
                raise Problem(f"{path}: {info.filename[:80]!r} {reason}; {AGAIN}")
            self._infos[folded(info.filename)] = info
        self.sizes = {info.filename: info.file_size for info in self._infos.values()}
        total, packed = sum(self.sizes.values()), sum(info.compress_size for info in self._infos.values())
        if len(self.sizes) > bounds.members or total > bounds.total:
            most = f"at most {bounds.members:,} and {bounds.total:,}"
            raise Problem(f"{path}: {len(self.sizes):,} files of {total:,} bytes, {most} are read; {AGAIN}")
        if packed > file.seek(0, 2):
            raise Problem(f"{path}: its files lie one over the other; {AGAIN}")

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's content, as long as the table of contents says and no longer."""
        try:
            with self._archive.open(self._infos[folded(name)]) as member:
                while chunk := member.read(CHUNK):
                    yield chunk
        except DAMAGED as error:
            raise Problem(f"{self.path}: {name} is damaged ({error}); {AGAIN}") from None

    def read(self, name: str) -> bytes:
        return b"".join(self.chunks(name))


def check_end(file: BinaryIO, path: Path, bounds: Bounds) -> None:
    """Raise Problem unless a file ends as a zip within bounds does, without a comment or 64-bit sizes."""
    size = file.seek(0, 2)
    most = bounds.total + bounds.members * ROW
    if size > most:
        raise Problem(f"{path}: {size:,} bytes, at most {most:,} are read; {AGAIN}")
    file.seek(max(0, size - END.size - FAR))
    tail = file.read()
    if len(tail) < END.size or tail[-END.size :][:4] != END_MARK:
        raise Problem(f"{path}: cut short, or no zip; {AGAIN}")
    _, disc, first, here, members, table, place, comment = END.unpack(tail[-END.size :])
    if tail[: -END.size][:4] == FAR_MARK or comment or disc or first or here != members:
        raise Problem(f"{path}: a zip of another kind than is read here; {AGAIN}")
    if members > bounds.members or table > members * ROW:
        raise Problem(f"{path}: {members:,} files listed in {table:,} bytes, at most {bounds.members:,} are; {AGAIN}")
    if place + table + END.size != size:
        raise Problem(f"{path}: cut short, or something was put before or into it; {AGAIN}")


def reason_against(info: zipfile.ZipInfo, others: dict) -> str:
    """Why a member is not to be read, in words; empty where nothing speaks against it. others: by folded name."""
    try:
        for part in info.orig_filename.split("/"):
            check_name(part, "part")
    except Problem:
        return "is no plain name of a file"
    if folded(info.filename) in others:
        return "is in it twice"
    if info.flag_bits & LOCKED:
        return "is encrypted"
    if info.compress_type not in PACKED:
        return "is packed in another way than is read here"
    if (info.external_attr >> 16) & KIND not in PLAIN:
        return "is a link or no file"
    if info.file_size > RATIO_FROM and info.file_size > RATIO * info.compress_size:
        return f"says that it unpacks to {info.file_size:,} bytes from {info.compress_size:,}"
    if info.compress_type == zipfile.ZIP_STORED and info.file_size != info.compress_size:
        return "says two different sizes"
    return ""
