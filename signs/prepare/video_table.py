"""Videos of any origin: a table of them, or a folder per label.

    videos, failed = video_table.read_table(Path("videos.csv"))     columns video and label; signer and split if known
    videos, failed = video_table.read_folder(Path("videos"))        videos/<label>/**/<video>
    videos, failed = video_table.name_clips(videos)

`failed` holds (where, reason) of what cannot be used.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from signs import command
from signs.clips import dataset
from signs.clips.container import VIDEO_SUFFIXES
from signs.clips.names import check_text
from signs.command import Problem

SPLIT_WORDS = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}


@dataclass(frozen=True)
class Video:
    """A video asked for: what is not known of it is empty; `where` is its row or path, to name it by."""

    path: Path
    label: str
    where: str
    signer: str = ""
    split: str = ""
    clip: str = ""
    sha256: str = ""


def read_table(table: Path) -> tuple[list[Video], list[tuple[str, str]]]:
    """The rows of a table of videos, and (where, reason) of those that cannot be used."""
    videos, failed, lines = [], [], {}
    for number, row in enumerate(dataset.read_table(table, ("video", "label")), 2):
        where = f"{table.name} line {number}"
        with command.noting(failed, where):
            video = read_row(row, table.parent, where)
            first = lines.setdefault(os.path.abspath(video.path), where)
            if first != where:
                raise Problem(f"{row['video']} stands in {first} already; left out")
            videos.append(video)
    if not videos and not failed:
        raise Problem(f"{table}: no row in it; expected a row per video: video,label[,signer][,split]")
    return videos, failed


def read_row(row: dict[str, str], folder: Path, where: str) -> Video:
    """A row of a table of videos; raises Problem where a value in it cannot be used."""
    name, label, signer = (row.get(key, "").strip() for key in ("video", "label", "signer"))
    asked = row.get("split", "").strip().lower()
    chosen = SPLIT_WORDS.get(asked, asked)
    if not name:
        raise Problem("no video in this row; expected a path, relative to the table")
    if label:
        label = check_text(label, "label")
    if signer:
        signer = check_text(signer, "signer")
    if chosen and chosen not in dataset.SPLITS:
        raise Problem(f"split {asked!r}; expected {', '.join(dataset.SPLITS)} or nothing")
    return Video(folder / name.replace("\\", "/"), label, f"{where}, {name}", signer, chosen)


def read_folder(folder: Path) -> tuple[list[Video], list[tuple[str, str]]]:
    """The videos of a folder that holds a folder per label, at any depth below it."""
    videos, failed = [], []
    for path in sorted(folder.iterdir()):
        if not path.is_dir() or path.name.startswith("."):
            continue
        files = sorted(each for each in path.rglob("*") if each.suffix.lower() in VIDEO_SUFFIXES)
        with command.noting(failed, str(path)):
            label = check_text(path.name, "label")
            if not files:
                raise Problem("no video in this folder")
            videos += [Video(file, label, str(file.relative_to(folder))) for file in files]
    if not videos:
        raise Problem(f"{folder}: no video in it; expected a folder per label with videos, or give a table")
    return videos, failed


def name_clips(videos: list[Video]) -> tuple[list[Video], list[tuple[str, str]]]:
    """The videos with their clip names; (where, reason) of those whose file name makes none."""
    named, failed = [], []
    paths = [Path(os.path.abspath(video.path)) for video in videos]
    top = os.path.commonpath([path.parent for path in paths]) if paths else ""
    names = unique_names([PurePath(os.path.relpath(path, top)) for path in paths])
    for video, name in zip(videos, names, strict=True):
        with command.noting(failed, video.where):
            check_text(name, "clip name")
            named.append(replace(video, clip=name))
    return named, failed


def unique_names(sources: Sequence[PurePath]) -> list[str]:
    """A name for each path: its stem, with as many folders in front (`S1_videos_wave`) as keep equal names apart."""
    depths = [0] * len(sources)

    def name(index: int) -> str:
        source, depth = sources[index], depths[index]
        folders = source.parts[:-1]
        # Where all the folders are not enough, only the suffix tells two files apart.
        last = source.stem if depth <= len(folders) else source.name.replace(".", "_")
        return "_".join([*folders[max(0, len(folders) - depth) :], last])

    while True:
        names = [name(index) for index in range(len(sources))]
        # Two names that differ in case alone are one file on some systems.
        counts = Counter(each.casefold() for each in names)
        shared = [index for index, each in enumerate(names) if counts[each.casefold()] > 1]
        deeper = [index for index in shared if depths[index] < len(sources[index].parts)]
        if not deeper:
            return names
        for index in deeper:
            depths[index] += 1
