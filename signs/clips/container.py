"""What a video file is, told from its bytes before a decoder sees it: which container, and whether all of it is there.

problem = video_problem(path)       None, or one line that says what keeps the file from being a video
"""

import functools
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

# fmt: off
VIDEO_SUFFIXES = (
    ".avi", ".mp4", ".m4v", ".mov", ".mkv", ".webm", ".mpg", ".mpeg", ".vob", ".ts", ".mts", ".m2ts", ".m2t", ".wmv",
    ".flv", ".ogv", ".3gp", ".3g2", ".dv", ".mxf", ".gif", ".asf", ".divx", ".f4v", ".m1v", ".m2p", ".m2v", ".mod",
    ".mpe", ".mpv", ".ogm", ".qt", ".tod", ".tp", ".trp",
)
# FFmpeg's demuxer for each container: it is named, so that no file is taken for a playlist that opens others.
DEMUXERS = {
    "AVI": "avi", "MP4 or MOV": "mov", "Matroska or WebM": "matroska", "MPEG transport stream": "mpegts",
    "MPEG": "mpeg", "MPEG video": "mpegvideo", "FLV": "flv", "Ogg": "ogg", "WMV": "asf", "DV": "dv", "MXF": "mxf",
    "GIF": "gif", "RealMedia": "rm",
}
MAGIC = {
    b"\x1aE\xdf\xa3": "Matroska or WebM", b"\0\0\x01\xba": "MPEG", b"\0\0\x01\xb3": "MPEG video", b"FLV\x01": "FLV",
    b"OggS": "Ogg", b"0&\xb2u": "WMV", b"\x1f\x07\0": "DV", b"\x06\x0e\x2b\x34": "MXF", b"GIF8": "GIF",
    b".RMF": "RealMedia",
}
OTHERS = {  # what gets a video's suffix now and then
    b"\x89PNG": "a picture (PNG)", b"\xff\xd8\xff": "a picture (JPEG)", b"ID3": "a sound file (MP3)",
    b"\xff\xfb": "a sound file (MP3)", b"fLaC": "a sound file (FLAC)", b"PK\x03\x04": "an archive (ZIP)",
    b"Rar!": "an archive (RAR)", b"7z\xbc\xaf": "an archive (7z)", b"%PDF": "a document (PDF)",
}
# fmt: on
POINTERS = (b"version https://git-lfs", b"http://", b"https://", b"[InternetShortcut]")  # text in place of a video
BOXES = (b"ftyp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot")
SEGMENT, CLUSTER = 0x18538067, 0x1F43B675  # of Matroska; these two are entered, other elements are stepped over
ASF = bytes.fromhex("26b2758e66cf11a6d900aa0062ce6c")  # behind the first byte of the names of a WMV's head and data
UNCLOSED, DAMAGED = -1, -2  # in place of a file's end


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
        if Path(path).is_fifo():  # opening it would wait for a writer
            return None, "a pipe, not a file; save what comes through it as a file first"
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
    if kind := next((kind for magic, kind in OTHERS.items() if head.startswith(magic)), None):
        return f"{kind}, not a video"
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        return "a sound file (WAV), not a video"
    if b"\0" not in head and head.isascii():
        start = " ".join(head.decode().split())[:60]
        points = head.startswith(POINTERS) or (b"\n" not in head.strip() and b"annex/objects/" in head)
        return f"a text file, not a video; it begins {start!r}" + "; fetch the video it points to" * points
    return f"no video; it begins with bytes {head[:8].hex(' ')}, and AVI, MP4, MOV, MKV, WebM, MPEG, ... do not"


def cut_off(file: BinaryIO, kind: str, size: int) -> str | None:
    """One line where a file of `size` bytes was cut off, or was never closed by its writer; None where it is whole, or
    where the container does not tell: a transport stream may end anywhere."""
    ends: dict[str, Callable[[BinaryIO, int], int]] = {
        "AVI": _end_of_avi,
        "MP4 or MOV": _end_of_boxes,
        "Matroska or WebM": _end_of_matroska,
        "FLV": functools.partial(_end_of_pieces, start=13, length_of=_flv_tag),
        "MXF": functools.partial(_end_of_pieces, start=0, length_of=_mxf_item),
        "WMV": functools.partial(_end_of_pieces, start=0, length_of=_asf_object),
        "MPEG": _end_of_mpeg,
        "Ogg": _end_of_ogg,
        "GIF": _end_of_gif,
    }
    declared = ends[kind](file, size) if kind in ends else size
    if declared == DAMAGED:
        return "damaged inside, the rest of it would be lost; get a whole copy"
    if declared == UNCLOSED:
        return "its writer was cut off before it closed the file; get a whole copy"
    if declared > size:
        return f"stops after {size:,} of {declared:,} bytes; get a whole copy"
    return None


def _end_of_avi(file: BinaryIO, size: int) -> int:
    """Where the last RIFF chunk ends by its head; UNCLOSED where the writer has closed none and left no index."""
    end = 0
    while end + 12 <= size:
        file.seek(end)
        name, length = struct.unpack("<4sI", file.read(8))
        if name != b"RIFF" or length in (0, 0xFFFFFFFF):
            break
        end += 8 + length + length % 2
    if end == 0:
        return size if _has_index(file, size) else UNCLOSED
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
    """Where the last box of an MP4 or MOV ends by its head; UNCLOSED where the index, which may come last, is
    missing."""
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
    return end if index or end > size else UNCLOSED


def _end_of_matroska(file: BinaryIO, size: int) -> int:
    """Where the last element ends by its head; browsers leave the lengths of the outer ones open. DAMAGED where no
    element follows another inside: FFmpeg would leave out what comes then, without a word."""
    end, segment_end = 0, 0
    while end < size:
        file.seek(end)
        head = file.read(12)
        name_length, number = _ebml_number(head, keep_marker=True)
        length_bytes, length = _ebml_number(head[name_length:])
        if not (0 < name_length <= 4 and length_bytes):
            return DAMAGED if end < segment_end and len(head) == 12 else size
        end += name_length + length_bytes
        unknown = length == (1 << 7 * length_bytes) - 1
        if number == SEGMENT:
            segment_end = size if unknown else end + length
        if segment_end > size:
            return segment_end
        if number not in (SEGMENT, CLUSTER):
            end += length
    return max(end, size)


def _ebml_number(data: bytes, keep_marker: bool = False) -> tuple[int, int]:
    """(bytes, value) of a number in Matroska, whose leading zero bits tell its length; (0, 0) where there is none."""
    if not data or not data[0]:
        return 0, 0
    length = 9 - data[0].bit_length()
    value = int.from_bytes(data[:length], "big")
    return (length, value if keep_marker else value & ((1 << 7 * length) - 1)) if len(data) >= length else (0, 0)


def _end_of_pieces(file: BinaryIO, size: int, start: int, length_of: Callable[[bytes], int]) -> int:
    """Where the last of the pieces that follow each other from `start` on ends; `length_of` their first bytes, 0 for
    what is no such piece."""
    end = start
    while end < size:
        file.seek(end)
        length = length_of(file.read(25))
        if not length:
            return size
        end += length
    return end


def _flv_tag(head: bytes) -> int:
    return 15 + int.from_bytes(head[1:4], "big") if head[0] in (8, 9, 18) else 0


def _asf_object(head: bytes) -> int:
    return int.from_bytes(head[16:24], "little") if head[1:16] == ASF else 0


def _mxf_item(head: bytes) -> int:
    if head[:4] != b"\x06\x0e\x2b\x34" or len(head) < 17:
        return 0
    more = head[16] & 0x7F if head[16] & 0x80 else 0  # bytes of the length, which is else in the first one itself
    return 17 + (int.from_bytes(head[17 : 17 + more], "big") + more if more else head[16])


def _end_of_mpeg(file: BinaryIO, size: int) -> int:
    """Where the last packet of a program stream ends, looked for in the last MB."""
    start = max(0, size - (1 << 20))
    file.seek(start)
    pack = file.read().rfind(b"\0\0\x01\xba")
    return size if pack < 0 else _end_of_pieces(file, size, start + pack, _mpeg_packet)


def _mpeg_packet(head: bytes) -> int:
    if head[:3] != b"\0\0\x01" or head[3] < 0xBA:
        return 0
    if head[3] > 0xBA:
        return 6 + int.from_bytes(head[4:6], "big")
    return 14 + (head[13:14] or b"\0")[0] % 8 if head[4:5] > b"\x3f" else 12


def _end_of_ogg(file: BinaryIO, size: int) -> int:
    """Where the last page ends; UNCLOSED where no stream in it has a last page, DAMAGED where no page follows one."""
    end, closed = 0, False
    while end < size:
        file.seek(end)
        head = file.read(27 + 255)
        if head[:4] != b"OggS":
            return DAMAGED if b"OggS" in head + file.read(1 << 20) else size
        closed |= len(head) > 5 and bool(head[5] & 4)
        end += 27 + head[26] + sum(head[27 : 27 + head[26]]) if len(head) > 26 else 27
    return end if closed or end > size else UNCLOSED


def _end_of_gif(file: BinaryIO, size: int) -> int:
    """Where the last block ends; UNCLOSED where the mark of the end is missing."""
    file.seek(10)
    file.seek(13 + _gif_colours(file.read(1)))
    while (kind := file.read(1)) != b";":
        if kind == b",":
            file.seek(8, os.SEEK_CUR)
            file.seek(_gif_colours(file.read(1)) + 1, os.SEEK_CUR)
        elif kind == b"!":
            file.seek(1, os.SEEK_CUR)
        else:
            return UNCLOSED if not kind else size
        while length := file.read(1)[:1].strip(b"\0"):
            file.seek(length[0], os.SEEK_CUR)
    return size


def _gif_colours(flags: bytes) -> int:
    """Bytes of the table of colours that flags tell of."""
    return 3 << (flags[0] & 7) + 1 if flags and flags[0] & 0x80 else 0
