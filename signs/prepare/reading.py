"""What `--videos` holds: a table, a folder per label, a public data set as it is shipped, or annotations with times.

found = reading.read_videos(flags)          flags of prepare_videos.py
found.videos, found.failed, found.notes
"""

import argparse
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from signs import command
from signs.clips.container import VIDEO_SUFFIXES
from signs.command import Problem, counted, listed
from signs.prepare import annotations, video_folder, video_table
from signs.prepare.depth import without_depth
from signs.prepare.formats import table
from signs.prepare.formats.listing import Listing, report
from signs.prepare.formats.table import Format
from signs.prepare.origin import Origin
from signs.prepare.path_pattern import PathPattern
from signs.prepare.video_table import Video

NOT_THERE = "its video is not there"
ONLY_DEPTH = "its video is not there, its depth is"
NO_LIST = "no list names it"
NAMED = 3  # of such videos, in a line


@dataclass
class Found:
    """The videos with their clip names; `failed` as (where, reason) and files that are no videos as (reason, where).

    official: the public data set, whose lists have `classes` in their own order and videos that are `missing`.
    """

    videos: list[Video]
    failed: list[tuple[str, str]]
    notes: list[str]
    others: list[tuple[str, str]] = field(default_factory=list)
    official: Format | None = None
    listing: Listing = field(default_factory=Listing)

    def subset(self, most: int | None) -> bool:
        """Whether so many classes are a subset that the set itself has."""
        return bool(self.official and self.listing.ordered and most in self.official.rows)

    def origin(self, flags: argparse.Namespace, most: int | None, table: Path | None, told: set[str]) -> Origin | None:
        """What origin.json says: the public set, which of its own subsets was asked for, and what its lists name of the
        labels `told`."""
        if not self.official:
            return None
        whole = max(self.official.rows) if most is None else most if self.subset(most) else None
        listed = Counter(video.split for video in (*self.listing.videos, *self.listing.missing) if video.label in told)
        return Origin(self.official.key, None if table or flags.min_clips > 1 else whole, dict(sorted(listed.items())))

    def missing_of(self, labels: set[str]) -> list[tuple[str, str]]:
        """(where, reason) of the missing videos of these classes."""
        missing = [video for video in self.listing.missing if video.label in labels]
        return [(video.where, ONLY_DEPTH if video.depth else NOT_THERE) for video in missing]

    def report(self, kept: set[str], most: int | None) -> set[str]:
        """Print how much of a public data set is there, by its own lists and by what is published of it; the labels
        that it is told of: those kept, and those of which no video is there."""
        if not self.official:
            return kept
        print(command.one_line(self.official.about()))
        labels, rows = [row.label for row in self.listing.classes], self.official.rows
        told = kept | set(labels[:most] if self.subset(most) else labels if most is None else ())
        published = rows.get(most, {}) if most else rows[max(rows)]
        report(self.listing, told, published, f"{self.official.name}: rows of its lists, and their videos")
        return told


def read_videos(flags: argparse.Namespace) -> Found:
    """The videos asked for; raises Problem where `--videos` holds none, or does not fit the other flags."""
    path = flags.videos
    if path.suffix.lower() in VIDEO_SUFFIXES or video_folder.is_video(path):
        raise Problem(f"{path}: a video; expected a table video,label of many, or a folder per label")
    if path.is_dir() and flags.output.resolve().is_relative_to(path.resolve()):
        raise Problem(f"--output {flags.output}: lies in {path}; choose a folder that is not read")
    if not path.is_dir() and flags.format:
        raise Problem(f"--format {flags.format}: give the folder that holds its lists and videos as --videos")
    with table.lists_lie_elsewhere(path):
        found = read_rows(flags)
    if flags.signer_from:
        found.notes.append(said_by(flags.signer_from, found.videos))
    found.videos, depths, alone = without_depth(found.videos)
    found.failed += alone
    if depths:
        found.notes.append(f"{counted(depths, 'video')} of depth: parts of their colour clips, no clips of their own")
    if have := sum(video.depth is not None for video in found.videos):
        found.notes.append(f"{have:,} of {counted(len(found.videos), 'video')} have depth: frame.py --part depth")
    found.videos, unnamed = video_table.name_clips(found.videos)
    found.failed += unnamed
    return found


def read_rows(flags: argparse.Namespace) -> Found:
    """What there is by the kind of `--videos`; raises Problem where nothing of it can be used."""
    path = flags.videos
    if path.suffix.lower() in annotations.SUFFIXES or (path.is_dir() and flags.tier):
        found = Found(*annotations.read_annotations(path, flags.tier))
    elif flags.tier:
        raise Problem(f"--tier {flags.tier}: {path} is no file of annotations; expected {annotations.EXPECTED}")
    elif path.is_dir():
        found = read_folder(flags)
    else:
        found = Found(*video_table.read_table(path, flags.signer_from, flags.rate))
    if found.failed and not found.videos and not found.listing.missing:
        raise Problem(f"no video can be used; {found.failed[0][0]}: {found.failed[0][1]}")
    if found.listing.missing and not found.videos:
        none = f"none of the {len(found.listing.missing):,} videos of {found.official.name} is in it"
        raise Problem(f"{path}: {none}; expected {found.official.wanted}")
    return found


def read_folder(flags: argparse.Namespace) -> Found:
    """A public data set where the folder holds one and no layout is given, else a folder per label."""
    if flags.signer_from and flags.format:
        raise Problem(f"--format {flags.format} tells who signs; leave --signer-from out")
    key, tree = (None, None) if flags.signer_from else table.choose(flags.videos, flags.format)
    if not key:
        videos, failed, notes, others = video_folder.read_folder(flags.videos, flags.signer_from, flags.rate)
        return Found(videos, failed, notes, others)
    official = table.FORMATS[key]
    listing = official.read(tree)
    how = [] if flags.format else [f"recognised by its files: --format {key}; --signer-from reads it as plain folders"]
    counts = [f"{counted(count, 'row')}: {text}" for text, count in listing.notes.items()]
    notes = [*how, *tree.remarks(), *listing.remarks, *counts]
    strays = tree.strays()
    if strays:
        also = "; not_done.csv in the data set names all" if len(strays) > NAMED else ""
        notes.append(f"{counted(len(strays), 'video')} that no list names: {listed(strays, NAMED)}{also}")
    others = [(NO_LIST, path) for path in strays] if len(strays) > NAMED else []
    return Found(listing.videos, listing.failed, notes, others, official, listing)


def said_by(pattern: PathPattern, videos: list[Video]) -> str:
    """What `--signer-from` tells of the videos, and which of its words are forgotten."""
    said, known = "--signer-from: no signer", [video for video in videos if video.signer]
    if known:
        signers = command.counted(len({video.signer for video in known}), "signer")
        said = f"--signer-from: {signers}, such as {known[0].signer} of {known[0].where}"
    return said + (f"; forgotten: {', '.join(pattern.forgotten)}" if pattern.forgotten else "")
