"""Clip archives, written and read: what is stored of a clip, and which clips of a store are done.

    write_archive(path, images, info)
    archive = read_archive(path)         archive.images, archive.info, archive.flow

In memory frames are `(T, H, W, 3) uint8 RGB` and flow is `(T, H, W, 2) float32`, pixels, x then y. On disc a clip is an
uncompressed zip of JPEG pictures, `img_00001.jpg ...` or `flow_x_00001.jpg, flow_y_00001.jpg ...`, with a `clip.json`
beside them; flow is coded in 8 bits as TSN, denseflow and MMAction2 do. A plain folder of such pictures is a clip too.
A clip is done when its archive is whole and its `clip.json` holds what would be written now.
"""

import contextlib
import errno
import functools
import io
import json
import os
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from signs import command
from signs.clips import cached_copy, dataset, preprocess
from signs.clips.cached_copy import StandIn
from signs.clips.dataset import Clip, Dataset
from signs.clips.footage import Footage, footage_of
from signs.clips.spec import LandmarkSpec, StoredSpec, stored_from_json
from signs.clips.video import READER
from signs.command import Problem

import cv2
import numpy as np

FORMAT = 3
HEAD = 4096  # bytes of an archive that are read at once; clip.json of 40 frames has some two thousand
# What a zip has before a member and, in the list of all of them, of it; and what ends the zip.
LOCAL, LISTED, END = struct.Struct("<4s5H3I2H"), struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s4H2IH")
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: equal input gives equal bytes
# What zipfile raises where a bit of a header is wrong.
DAMAGED = (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, KeyError, zlib.error)


@dataclass(frozen=True)
class Archive:
    """A clip as stored: `images` (T, H, W, 3) uint8 RGB or (T, H, W, 2) uint8 coded flow, and its clip.json."""

    images: np.ndarray
    info: dict

    @property
    def flow(self) -> np.ndarray:
        """(T, H, W, 2) float32 pixels."""
        return preprocess.restore_flow(self.images, self.info["stored"]["flow"]["bound"])

    @property
    def squares(self) -> dict[str, list[float] | None]:
        """Where the signer is, `region.find_squares`; empty for a folder of pictures."""
        return self.info.get("squares", {})


def write_archive(path: Path, images: np.ndarray, info: dict) -> None:
    """Write a clip archive, whole or not at all; equal arguments give equal bytes.

    Args:
        images: (T, H, W, 3) uint8 RGB, or (T, H, W, 2) uint8 coded flow.
        info: goes into clip.json; info["stored"] is the StoredSpec as a dict.
    """
    stored = info["stored"]
    quality = stored["quality"] if images.shape[-1] == 3 else stored["flow"]["quality"]
    write_members(path, encode(images, quality), info)


def write_members(path: Path, members: dict[str, bytes], info: dict) -> None:
    """Write a zip with clip.json and the members, {name: content}, whole or not at all; equal ones give equal bytes."""
    members = {"clip.json": (json.dumps(info, indent=1, sort_keys=True) + "\n").encode(), **members}
    content = io.BytesIO()  # one write of a finished file; a clip is a megabyte or two
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), member)
    with command.atomic(path) as temporary:
        temporary.write_bytes(content.getbuffer())
    cached_copy.send(path)


def read_archive(path: Path, pick: Callable[[int], np.ndarray] | None = None) -> Archive:
    """Read a clip archive, or a plain folder of pictures; raises Problem where it is missing or damaged.

    `pick`: number of stored pictures -> indices of those to read; all of them without it.
    """
    if path.is_dir():
        names = {file.name: file for file in path.iterdir()}
        return _archive_of(path, names, lambda name: names[name].read_bytes(), pick)
    with contextlib.ExitStack() as held:
        held.enter_context(cached_copy.held(path))
        with damage_named(path):
            archive = held.enter_context(zipfile.ZipFile(path))
        return _archive_of(path, set(archive.namelist()), archive.read, pick)


@contextlib.contextmanager
def damage_named(path: Path) -> Iterator[None]:
    """A Problem of what is raised where bytes are wrong; nothing but what reads them belongs into the block."""
    try:
        yield
    except FileNotFoundError:
        raise Problem(
            f"{path}: no such clip; run frame.py (and opticalflow.py), which says why there is none"
        ) from None
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        cached_copy.forget(path)
        raise Problem(f"{path}: cut short or damaged; delete it and run the step that wrote it again") from None


def parse_info(content: bytes) -> dict:
    info = json.loads(content)
    if not isinstance(info, dict):
        raise ValueError("clip.json is no table")
    return info


def _archive_of(path: Path, names, read: Callable[[str], bytes], pick) -> Archive:
    pictures = sorted(name for name in names if name.lower().endswith((".jpg", ".jpeg", ".png")))
    flow_x = [name for name in pictures if name.startswith("flow_x_")]
    again = "delete it and run the step that wrote it again"
    if not pictures:
        raise Problem(f"{path}: no picture in it; expected img_00001.jpg ... or flow_x_00001.jpg ...")
    frames = [(name, name.replace("flow_x_", "flow_y_")) for name in flow_x] or [(name,) for name in pictures]
    with damage_named(path):
        info = parse_info(read("clip.json")) if "clip.json" in names else {}
    if info.get("format", FORMAT) != FORMAT:
        raise Problem(
            f"{path}: written by another version (format {info['format']}, not {FORMAT}); run frame.py and "
            "opticalflow.py again"
        )
    if len(frames) != len(info.get("times", frames)):
        raise Problem(f"{path}: {len(frames)} of {len(info['times'])} pictures; {again}")
    chosen = frames if pick is None else [frames[index] for index in pick(len(frames))]
    if missing := [name for frame in chosen for name in frame if name not in names]:
        raise Problem(f"{path}: {missing[0]} is missing; {again}")
    with damage_named(path):
        cache = {name: read(name) for frame in dict.fromkeys(chosen) for name in frame}
    try:
        images = decode([cache[name] for frame in chosen for name in frame], len(chosen[0]))
    except Problem as problem:
        raise Problem(f"{path}: {problem}; {again}") from None
    return Archive(images, info)


def read_info(path: Path) -> dict | None:
    """clip.json of an archive; None where the archive is missing or cut short."""
    with contextlib.suppress(*DAMAGED, OSError):
        if isinstance(path, StandIn):
            with contextlib.suppress(*DAMAGED), cached_copy.edges(path) as file:
                return _info_of(file)
        with cached_copy.held(path), open(path, "rb") as file:
            return _info_of(file)
    return None


def _info_of(file: BinaryIO) -> dict:
    if (content := _first_member(file)) is not None:
        return parse_info(content)
    with zipfile.ZipFile(file) as archive:
        return parse_info(archive.read("clip.json"))


def archives_in(store: Path) -> Iterator[Path]:
    """The paths of all archives of a store."""
    if isinstance(store, StandIn):
        return (store / name for name in cached_copy.names(store) if name.endswith(".zip"))
    return store.rglob("[!.]*.zip")


def _first_member(file: BinaryIO) -> bytes | None:
    """clip.json of an archive as `write_members` writes it: the first member, uncompressed, and an end that fits the
    size. None where it is another zip, or damaged.

    zipfile reads the whole list of members, 40 pictures or more: a run with nothing to do would take three times as
    long.
    """
    head = file.read(HEAD)
    if len(head) < LOCAL.size or not head.startswith(b"PK\x03\x04"):
        return None
    *_, method, _, _, crc, size, _, named, extra = about = LOCAL.unpack_from(head)
    start = LOCAL.size + named + extra
    if method or not size or head[LOCAL.size : LOCAL.size + named] != b"clip.json":
        return None
    content = head[start : start + size]
    content += file.read(size - len(content))
    place = file.seek(-END.size, os.SEEK_END)
    sign, *_, length, listed, comment = END.unpack(file.read())
    if sign != b"PK\x05\x06" or comment or listed + length != place:
        return None
    file.seek(listed)
    entry = LISTED.unpack(file.read(LISTED.size))
    same = entry[0] == b"PK\x01\x02" and entry[2:12] == about[1:] and not entry[-1]  # where it begins
    return content if same and zlib.crc32(content) == crc else None


def encode(images: np.ndarray, quality: int) -> dict[str, bytes]:
    """(T, H, W, 3) RGB or (T, H, W, 2) coded flow, uint8 -> {name: JPEG bytes} in the archive's order."""
    members, options = {}, [cv2.IMWRITE_JPEG_QUALITY, quality]
    for number, image in enumerate(images, 1):
        if image.shape[-1] == 3:
            pictures = {f"img_{number:05d}.jpg": cv2.cvtColor(image, cv2.COLOR_RGB2BGR)}
        else:
            x, y = cv2.split(image)
            pictures = {f"flow_x_{number:05d}.jpg": x, f"flow_y_{number:05d}.jpg": y}
        for name, picture in pictures.items():
            members[name] = cv2.imencode(".jpg", picture, options)[1].tobytes()
    return members


def decode(members: list[bytes], planes: int) -> np.ndarray:
    """JPEG bytes in order -> (T, H, W, 3) RGB (planes 1) or (T, H, W, 2) coded flow (planes 2), uint8."""
    if planes == 2:
        grey = [_decode(member, cv2.IMREAD_GRAYSCALE) for member in members]
        return np.stack([np.stack(grey[0::2]), np.stack(grey[1::2])], axis=-1)
    return np.stack([_decode(member, cv2.IMREAD_COLOR_RGB) for member in members])


def _decode(member: bytes, mode: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(member, np.uint8), mode) if member else None
    if image is None:
        raise Problem("a picture in it cannot be decoded")
    return image


def as_stored(images: np.ndarray, quality: int) -> np.ndarray:
    """What `images` are after the archive: the same 8-bit values that training saw, loss of JPEG included."""
    return decode(list(encode(images, quality).values()), 2 if images.shape[-1] == 2 else 1)


def find_stored(data: Dataset, kind: str, name: str | None = None, part: str = "video") -> StoredSpec:
    """The StoredSpec of a store of `kind` (`frame` or `flow`) in a data set, read from one of its clips.

    Args:
        name: `40x240`, with or without `frame-` in front and the part behind; may be left out where there is only one
            store of the part.
        part: of dataset.PARTS; a part in the name (`40x240-depth`) wins.
    """
    named = dataset.part_of(name or "")
    part = part if named == "video" else named
    step = "frame.py" if kind == "frame" else "opticalflow.py"
    stores = data.stores(kind, part)
    if name:
        whole = f"{kind}-{name.removeprefix(f'{kind}-')}"
        stores = [store for store in stores if store in (whole, f"{whole}-{part}")]
    if not stores:
        wanted = f" {name}" if name else f" of {part}" * (part != "video")
        step += f" --part {part}" * (part != "video" and kind == "frame")
        raise Problem(f"{data.folder}: no {kind} store{wanted}; run {step} --data {data.folder}")
    if len(stores) > 1:
        raise Problem(f"{data.folder}: several stores, {', '.join(stores)}; choose one with --store")
    for archive in archives_in(data.folder / stores[0]):
        info = read_info(archive)
        if info and "stored" in info:
            return stored_from_json(info["stored"])
    raise Problem(f"{data.folder / stores[0]}: no whole clip in it; run {step} --data {data.folder} again")


def find_landmarks(data: Dataset) -> LandmarkSpec:
    """How the points of a data set were found, read from one of its clips; raises Problem where that was in several
    ways."""
    stores = data.stores("landmark")
    if len(stores) > 1:
        raise Problem(f"{data.folder}: several landmark stores ({', '.join(stores)}); delete all but one")
    for archive in (path for store in stores for path in archives_in(data.folder / store)):
        info = read_info(archive)
        if info and "stored" in info:
            try:
                return LandmarkSpec(**info["stored"])
            except TypeError:
                raise Problem(f"{archive}: written by another version; run landmark.py again") from None
    raise Problem(f"{data.folder}: no landmark store; run landmark.py --data {data.folder}")


def expected_info(item: Clip, stored: StoredSpec | LandmarkSpec) -> dict:
    """What clip.json of this clip must hold for the clip to count as done; it may hold more."""
    made_of = {"source": item.source, "sha256": item.sha256, "reader": READER}
    part = {name: getattr(item, name) for name in dataset.NUMBERS if getattr(item, name) is not None}
    return {"format": FORMAT, **made_of, **part, "stored": stored.to_json()}


def is_current(info: dict, expected: dict) -> bool:
    """Whether a clip.json holds what is expected; what it has of an interval that is none any more is one too much."""
    return expected.items() <= info.items() and not (info.keys() - expected.keys()) & set(dataset.NUMBERS)


def check_video(item: Clip, folder: Path, part: str) -> Footage:
    """What a clip's part is read from; raises Problem where the clip's video has changed since it was prepared."""
    footage = footage_of(item, folder, part)
    # clips.csv has the hash of the colour video alone: the other parts are cut from the same recording.
    known = part == "video" and item.sha256 and footage.path.exists()
    if known and _hashed(replace(footage, start=None, end=None), footage.stamp()) != item.sha256:
        raise Problem(f"{footage.path}: its content is not the one in clips.csv; run the prepare step again")
    return footage


@functools.lru_cache(maxsize=8)
def _hashed(footage: Footage, stamp: tuple[int, ...]) -> str:
    """SHA-256 of a video; of one with many intervals once, for as long as it has this stamp."""
    return footage.sha256()
