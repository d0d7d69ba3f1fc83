"""What a video file is, told from its bytes before a decoder sees it: which container, and whether all of it is there.

problem = video_problem(path)       None, or one line that says what keeps the file from being a video
"""

import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# fmt: off
VIDEO_SUFFIXES = (
    ".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".m2t", ".wmv",
    ".flv", ".ogv", ".3gp", ".3g2", ".dv", ".mxf", ".gif",
)
# FFmpeg's demuxer for each container: it is named, so that no file is taken for a playlist that opens others.
DEMUXERS = {
    "AVI": "avi", "MP4 or MOV": "mov", "Matroska or WebM": "matroska", "MPEG transport stream": "mpegts",
    "MPEG": "mpeg", "MPEG video": "mpegvideo", "FLV": "flv", "Ogg": "ogg", "WMV": "asf", "DV": "dv", "MXF": "mxf",
    "GIF": "gif",
}
MAGIC = {
    b"\x1aE\xdf\xa3": "Matroska or WebM", b"\0\0\x01\xba": "MPEG", b"\0\0\x01\xb3": "MPEG video", b"FLV\x01": "FLV",
    b"OggS": "Ogg", b"0&\xb2u": "WMV", b"\x1f\x07\0": "DV", b"\x06\x0e\x2b\x34": "MXF", b"GIF8": "GIF",
}
# fmt: on
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675  # of Matroska; these two are entered, other elements are stepped over


def video_kind(head: bytes) -> str | None:
    """The container that a file's first 4096 bytes begin, by its magic bytes; None where it is none of a video."""
    if head[:4] == b"RIFF" and head[8:11] == b"AVI":
        return "AVI"
    if head[4:8] in BOXES:
        return "MP4 or MOV"
    # Packets of 188 bytes, or of 192 with a time in front, as cameras write them.
    if any(
        len(head) > 2 * size + start and set(head[start::size][:3]) == {0x47} for size, start in ((188, 0), (192, 4))
    ):
        return "MPEG transport stream"
    return next((kind for magic, kind in MAGIC.items() if head.startswith(magic)), None)


def video_problem(path: Path) -> str | None:
    """What keeps `path` from being a video, in one line, found without a decoder; None where nothing does."""
    return look_into(path)[1]


def look_into(path: Path) -> tuple[str | None, str | None]:
    """The container of a file, `video_kind`, and what keeps it from being a video, `video_problem`."""
    try:
        with open(path, "rb") as file:
            head = file.read(4096)
            if kind := video_kind(head):
                return kind, cut_off(file, kind, os.fstat(file.fileno()).st_size)
    except FileNotFoundError:
        return None, "no such file"
    except OSError as error:
        return None, f"cannot be read ({error.strerror})"
    return None, _foreign(head)


def _foreign(head: bytes) -> str:
    """What a file is that begins like no video, in words for people."""
    if not head:
        return "an empty file"
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "a WebP picture, which FFmpeg reads no film from; convert it to MP4"
    if b"\0" not in head and head.isascii():
        start = " ".join(head.decode().split())[:60]
        return f"a text file, not a video; it begins {start!r}; fetch the video it points to"
    return f"no video; it begins with bytes {head[:8].hex(' ')}, and AVI, MP4, MOV, MKV, WebM, MPEG, ... do not"


def cut_off(file: BinaryIO, kind: str, size: int) -> str | None:
    """One line where a file of `size` bytes was cut off, or was never closed by its writer; None where it is whole, or
    where the container does not tell: a transport stream may end anywhere."""
    ends: dict[str, Callable[[BinaryIO, int], int]] = {
        "AVI": _end_of_avi,
        "MP4 or MOV": _end_of_boxes,
        "Matroska or WebM": _end_of_matroska,
    }
    declared = ends[kind](file, size) if kind in ends else size
    if declared < 0:
        return "its writer was cut off before it closed the file; get a whole copy"
    if declared > size:
        return f"stops after {size:,} of {declared:,} bytes; get a whole copy"
    return None


def _end_of_avi(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk ends by its head; -1 where the writer has closed none and left no index."""
    end = 0
    while end + 12 <= size:
        file.seek(end)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or length in (0, 0xFFFFFFFF):
            break
        end += 8 + length + length % 2
    if end == 0:
        return size if _has_index(file, size) else -1
    return end - 1 if end == size + 1 else end  # some writers leave the last byte of padding out


def _has_index(file: BinaryIO, size: int) -> bool:
    """Whether an AVI has the index that a writer puts behind the frames when it closes the file."""
    while size > 0:
        start = max(0, size - (1 << 20))
        file.seek(start)
        block = file.read(size - start + 3)
        if b"idx1" in block or b"ix00" in block:
            return True
        size = start
    return False


def _end_of_boxes(file: BinaryIO, size: int) -> int:
    """Where the last box of an MP4 or MOV ends by its head; -1 where the index, which may come last, is missing."""
    end, index = 0, False
    while end + 8 <= size:
        file.seek(end)
        length, name = struct.unpack(">I4s", file.read(8))
        if not (name.isascii() and name.decode().isprintable()):
            break  # bytes of something else behind the film
        index |= name == b"moov"
        if length == 1:
            length = int.from_bytes(file.read(8), "big")
        if length < 8:  # 0: as far as the file goes
            break
        end += length
    return end if index or end > size else -1


def _end_of_matroska(file: BinaryIO, size: int) -> int:
    """Where the last element ends by its head; browsers leave the lengths of the outer ones open."""
    end = 0
    while end < size:
        file.seek(end)
        head = file.read(12)
        name_length, number = _ebml_number(head, keep_marker=True)
        length_bytes, length = _ebml_number(head[name_length:])
        if not (name_length and length_bytes):
            break
        end += name_length + length_bytes
        unknown = length == (1 << 7 * length_bytes) - 1
        if number in (SEGMENT, CLUSTER) and (unknown or number == SEGMENT):
            if not unknown and end + length > size:
                return end + length
            continue
        end += length
    return max(end, size)


def _ebml_number(data: bytes, keep_marker: bool = False) -> tuple[int, int]:
    """(bytes, value) of a number in Matroska, whose leading zero bits tell its length; (0, 0) where there is none."""
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    value = int.from_bytes(data[:length], "big")
    return (length, value if keep_marker else value & ((1 << 7 * length) - 1)) if len(data) >= length else (0, 0)
