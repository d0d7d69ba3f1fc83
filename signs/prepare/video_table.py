"""Videos of any origin, of which a table tells the labels.

    videos, failed, notes = video_table.read_table(Path("videos.csv"))      columns video and label; signer and split if
                                                                    known; start, end of signs in longer videos
    videos, failed = video_table.name_clips(videos)

`failed` holds (where, reason) of what cannot be used.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from signs import command
from signs.clips import dataset, tables
from signs.clips.names import check_text, folded
from signs.command import Problem, counted, listed
from signs.prepare import intervals, path_pattern, recordings
from signs.prepare.intervals import Cut
from signs.prepare.path_pattern import PathPattern

SPLIT_WORDS = {"training": "train", "val": "valid", "validation": "valid", "dev": "valid", "testing": "test"}
SYNONYMS = {
    **dict.fromkeys(("file", "path", "filename", "file_name", "file name", "filepath", "video_path", "clip"), "video"),
    **path_pattern.SYNONYMS,
    **intervals.SYNONYMS,
}
COLUMNS = ("label", "signer", "split", *intervals.COLUMNS, "rate")
OWN_COLUMNS = {*recordings.COLUMNS, *dataset.CLIP_COLUMNS, *dataset.MORE}  # of clips.csv: nobody wrote them for this
SHOWN = 6  # columns in a line


@dataclass(frozen=True)
class Video:
    """A video asked for: what is not known of it is empty; `where` is its row or path, to name it by.

    cut: the interval that is the sign, as it was asked for; start, end: the same in seconds, once the video was looked
    into. rate: frames/s of a folder of pictures. depth: its depth, a video beside it.
    """

    path: Path
    label: str
    where: str
    signer: str = ""
    split: str = ""
    clip: str = ""
    sha256: str = ""
    cut: Cut | None = None
    start: float | None = None
    end: float | None = None
    rate: float | None = None
    depth: Path | None = None


def read_table(
    table: Path, pattern: PathPattern | None = None, rate: float | None = None
) -> tuple[list[Video], list[tuple[str, str]], list[str]]:
    """The rows of a table of videos, (where, reason) of those that cannot be used, and notes on what it leaves open.

    `pattern`: of the videos' paths, or of their ends. `rate`: frames/s of folders of pictures, whose rows have none.
    """
    required = ("video",) if pattern and "label" in pattern.words else ("video", "label")
    videos, failed, lines, heads = [], [], {}, {}
    for number, row in tables.read_rows(table, required, COLUMNS, SYNONYMS):
        name = row["video"].strip().replace("\\", "/")
        where = f"{table.name} line {number}{name and f', {name}'}"
        heads |= row
        with command.noting(failed, where):
            if not name:
                raise Problem("no video in this row; expected a path, relative to the table")
            if row[None]:
                raise Problem(f"{row[None]!r} stands behind the last column; put values with a comma in quotes")
            video = as_video(table.parent / name, where, row, pattern, name)
            video = replace(video, cut=intervals.read_cut(row), rate=rate_of(video.path, row, rate))
            first, line = lines.setdefault((os.path.abspath(video.path), video.cut), (video, number))
            # A video with two labels goes on: nobody knows which is right, so refuse_two_labels leaves both out.
            if first is not video and (video.label == first.label or not (video.label and first.label)):
                raise Problem(f"stands in {table.name} line {line} already; left out")
            videos.append(video)
    if zero := next((video for video in videos if video.cut and video.cut.frames and video.cut.start < 1), None):
        raise Problem(f"{zero.where}: frame 0; frames count from 1 here: add 1 to both columns of frames in {table}")
    if not videos and not failed:
        raise Problem(f"{table}: no row in it; expected a row per video: video,label[,signer][,split]")
    return videos, failed, remarks_of(videos, [head for head in heads if head])


def remarks_of(videos: list[Video], heads: list[str]) -> list[str]:
    """Which columns of a table say nothing here, and which rows' intervals are open."""
    remarks, ours = [], {"video", *COLUMNS, *OWN_COLUMNS}
    if unused := [head for head in heads if head not in ours]:
        remarks.append(f"not used: {'column' if len(unused) == 1 else 'columns'} {listed(unused, SHOWN)}")
    if (whole := [video for video in videos if not video.cut]) and len(whole) < len(videos):
        rows = counted(len(whole), "row")
        remarks.append(f"{rows} without a start and an end, whose whole video is the clip; the first: {whole[0].where}")
    if endless := [video for video in videos if video.cut and video.cut.end is None]:
        remarks.append(
            f"{counted(len(endless), 'row')} without an end, taken to the video's; the first: {endless[0].where}"
        )
    return remarks


def rate_of(path: Path, row: dict, rate: float | None) -> float | None:
    """Frames/s of a folder of pictures, from its row or as given; None of a video file. Raises Problem without any."""
    if not path.is_dir():
        return None
    text = (row.get("rate") or row.get("fps") or "").strip()
    known = intervals.number_of(text, "rate") if text else rate
    if not known:
        raise Problem("a folder; of one with pictures say the rate in frames/s: --rate, or a column rate")
    return known


def as_video(path: Path, where: str, known: dict, pattern: PathPattern | None, place: str) -> Video:
    """A video of which a row or a folder says `known` and its path, written as `place`, the rest by `pattern`.

    Raises Problem where a value cannot be used, or the path does not fit the pattern.
    """
    said = {name: check_text(value, name) for name in ("label", "signer") if (value := known.get(name, "").strip())}
    split = known.get("split", "").strip().lower()
    if pattern:
        read = pattern.read(place, anywhere="video" in known)
        if not read:
            raise Problem(f"does not fit --signer-from '{pattern}', as {pattern.example()} does; left out")
        split = split or read.get("split", "").lower()
        said = {name: check_text(read[name], name) for name in ("label", "signer") if name in read} | said
    chosen = SPLIT_WORDS.get(split, split)
    if chosen and chosen not in dataset.SPLITS:
        raise Problem(f"split {split!r}; expected {', '.join(dataset.SPLITS)} or nothing")
    return Video(path, said.get("label", ""), where, said.get("signer", ""), chosen)


def name_clips(videos: list[Video]) -> tuple[list[Video], list[tuple[str, str]]]:
    """The videos with their clip names; (where, reason) of those whose file name makes none."""
    named, failed = [], []
    paths = [os.path.abspath(video.path) for video in videos]
    once = list(dict.fromkeys(paths))
    top = os.path.commonpath([path.rpartition(os.sep)[0] or os.sep for path in once]) if once else ""
    names = dict(zip(once, unique_names([PurePath(os.path.relpath(path, top)) for path in once]), strict=True))
    used = Counter()
    for video, path in zip(videos, paths, strict=True):
        with command.noting(failed, video.where):
            several = video.cut and not video.cut.alone
            name = f"{names[path]}_{video.cut.name}" if several else names[path]
            used[folded(name)] += 1
            if used[folded(name)] > 1:  # times that are one when they are rounded, frames at another rate
                name = f"{name}_{used[folded(name)]}"
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
