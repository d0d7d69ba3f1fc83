"""Bring any videos of signs into the folder contract of dataset.py: a table of them, or a folder per label.

    python prepare_videos.py --videos my_videos.csv --output data_set/mine --valid-signers S5 --test-signers S6

In: a CSV with columns video and label (signer and split if known; others are ignored; paths are relative to the CSV),
or a folder with one folder of videos per label.
Out: `video/<split>/<label>/<clip>.<suffix>`, clips.csv and class.csv.
A split column wins. Otherwise people are shared out, never one person to two splits; where no signer is known, each
label's videos are shared out. Files of equal name get their folder's name in front. Identical files in two splits, and
whatever is no video, are named.
"""

import argparse
import functools
import os
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path, PurePath

from signs import command
from signs.clips import dataset, leakage
from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.video import VIDEO_SUFFIXES
from signs.command import Outcome, Problem
from signs.prepare import summary
from signs.prepare.splits import by_label, by_signer, shares
from signs.prepare.transfer import TRANSFERS, check_room, check_video, earlier_clips, move_changed, put, unique_names

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
    videos, failed, seen = [], [], {}
    for number, row in enumerate(dataset.read_table(table, ("video", "label")), 2):
        where = f"{table.name} line {number}"
        try:
            video = read_row(row, table.parent, where)
            key = os.path.abspath(video.path)
            if key in seen:
                raise Problem(f"{row['video']} stands in {seen[key]} already; left out")
            seen[key] = where
            videos.append(video)
        except Problem as problem:
            failed.append((where, str(problem)))
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
        dataset.check_name(label, "label")
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
        try:
            label = dataset.check_name(path.name, "label")
            if not files:
                raise Problem("no video in this folder")
            videos += [Video(file, label, str(file.relative_to(folder))) for file in files]
        except Problem as problem:
            failed.append((str(path), str(problem)))
    if not videos:
        raise Problem(f"{folder}: no video in it; expected a folder per label with videos, or give a table")
    return videos, failed


def name_clips(videos: list[Video]) -> tuple[list[Video], list[tuple[str, str]]]:
    """The videos with their clip names; (where, reason) of those whose file name makes no plain one."""
    named, failed = [], []
    paths = [Path(os.path.abspath(video.path)) for video in videos]
    top = os.path.commonpath([path.parent for path in paths]) if paths else ""
    names = unique_names([PurePath(os.path.relpath(path, top)) for path in paths])
    for video, name in zip(videos, names, strict=True):
        try:
            named.append(replace(video, clip=dataset.check_name(name, "clip name")))
        except Problem as problem:
            failed.append((video.where, str(problem)))
    return named, failed


def known_classes(flags: argparse.Namespace, videos: list[Video]) -> tuple[list[Label], list[tuple[str, str]]]:
    """The classes of the class table, else of the videos, and (where, reason) of videos whose label is none of them."""
    if flags.class_table:
        classes = dataset.read_classes(flags.class_table)
    else:
        classes = [Label(label, label) for label in sorted({video.label for video in videos} - {""})]
    known = {row.label for row in classes}
    if unknown := sorted(flags.none_labels - known):
        raise Problem(f"--none-labels {unknown[0]}: no such label; there are {summary.listed(sorted(known))}")
    outside = [
        (video.where, f"label {video.label} is not in {flags.class_table}; left out")
        for video in videos
        if video.label and video.label not in known
    ]
    return [replace(row, kind="none") if row.label in flags.none_labels else row for row in classes], outside


def choose_classes(
    flags: argparse.Namespace, classes: list[Label], videos: list[Video]
) -> tuple[list[Label], list[str]]:
    """The classes that `--min-clips` and `--top-classes` keep, and notes on what that leaves out."""
    if flags.top_classes is not None and flags.top_classes < 1:
        raise Problem(f"--top-classes {flags.top_classes}: ask for 1 or more")
    # Videos asked for, not those that open: the classes stay the same when a damaged file is mended.
    counts = Counter(video.label for video in videos)
    enough = [row.label for row in classes if row.kind == "gesture" and counts[row.label] >= flags.min_clips]
    if not enough:
        raise Problem(f"no label with {flags.min_clips} videos in {flags.videos}; lower --min-clips or mend the labels")
    best = set(sorted(enough, key=lambda label: (-counts[label], label))[: flags.top_classes])
    # No gesture is no class to drop for being rare: it is what keeps the others honest.
    kept = [row for row in classes if row.label in best or row.kind == "none"]
    remarks = []
    if len(best) < (flags.top_classes or 0):
        remarks.append(f"--top-classes {flags.top_classes}: only {len(best)} gestures have {flags.min_clips} videos")
    left_out = {row.label for row in classes} - {row.label for row in kept}
    if dropped := sorted(left_out, key=lambda label: (-counts[label], label)):
        lost, named = sum(counts[label] for label in dropped), [f"{label} ({counts[label]})" for label in dropped]
        some = f"{len(dropped):,} of {len(classes):,} classes, {lost:,} of {len(videos):,} videos"
        remarks.append(f"left out: {some}: {summary.listed(named)}")
    return kept, remarks


def hashed(video: Video) -> Video:
    """The video with the SHA-256 of its file; raises Problem where that is no video."""
    check_video(video.path)
    return replace(video, sha256=command.sha256(video.path))


def share_out(videos: list[Video], flags: argparse.Namespace) -> tuple[list[Video], list[str]]:
    """The videos, each with a split, and notes on how that was chosen."""
    named = signers_of_flags(flags)
    check_signer_flags(videos, named)
    remarks = []
    of_signer = {video.signer: video.split for video in videos if video.signer and video.split} | named
    free = [video for video in videos if not video.split and video.signer not in of_signer]
    known = [video for video in free if video.signer]
    if named:
        of_signer |= {video.signer: "train" for video in free}
    elif free:
        wanted = shares(flags.valid, flags.test)
        if known and not flags.allow_shared_signers:
            of_signer |= by_signer(count_by_signer(known), wanted, flags.seed) | {"": "train"}
        else:
            of_file = by_label([(video.sha256, video.label) for video in free], wanted, flags.seed)
            free = [replace(video, split=of_file[video.sha256]) for video in free]
            remarks.append("clips were shared out within each label" + ("" if known else ", as no signer is known"))
    given = {video.clip: video.split for video in free if video.split}
    shared = [replace(v, split=v.split or given.get(v.clip) or of_signer[v.signer]) for v in videos]
    if len(known) < len(free) and (known or named):
        remarks.append(f"{len(free) - len(known)} videos of unknown signers went to train")
    return shared, remarks


def signers_of_flags(flags: argparse.Namespace) -> dict[str, str]:
    """{signer: split} as `--train-signers` and the others name them; raises Problem where one is named twice."""
    named: dict[str, str] = {}
    for part in dataset.SPLITS:
        for signer in sorted(getattr(flags, f"{part}_signers")):
            if signer in named:
                raise Problem(f"signer {signer} is named for {named[signer]} and {part}; a signer has one split")
            named[signer] = part
    return named


def check_signer_flags(videos: list[Video], named: dict[str, str]) -> None:
    """Raise Problem where the signers that flags name are unknown or the table has its own splits."""
    known = {video.signer for video in videos if video.signer}
    if named and any(video.split for video in videos):
        raise Problem("the table has a split column, which wins; leave it out or leave out the --*-signers flags")
    if unknown := sorted(set(named) - known):
        there = summary.listed(sorted(known)) or "none, for there is no signer column"
        raise Problem(f"signer {unknown[0]} is not in the table; signers there: {there}")


def count_by_signer(videos: list[Video]) -> dict[str, Counter]:
    counts: dict[str, Counter] = {}
    for video in videos:
        counts.setdefault(video.signer, Counter())[video.label] += 1
    return counts


def bring(job: tuple[Clip, Path, Path], transfer: str) -> tuple[str, bool]:
    """Put one video in its place; (clip name, whether anything had to be done)."""
    clip, source, target = job
    return clip.clip, put(source, target, transfer, clip.sha256)[1]


def prepare(flags: argparse.Namespace) -> int:
    """Do what the flags say; the exit code."""
    if not flags.videos.exists():
        raise Problem(f"{flags.videos}: no such file or folder; give a table video,label or a folder per label")
    if flags.videos.suffix.lower() in VIDEO_SUFFIXES:
        raise Problem(f"{flags.videos}: a video; expected a table video,label of many, or a folder per label")
    videos, failed = (read_folder if flags.videos.is_dir() else read_table)(flags.videos)
    videos, unnamed = name_clips(videos)
    classes, outside = known_classes(flags, videos)
    classes, remarks = choose_classes(flags, classes, videos)
    kept = {row.label for row in classes} | {""}
    videos = [video for video in videos if video.label in kept]
    read = command.parallel(hashed, [(video.where, video) for video in videos], flags.workers, "reading")
    videos, how = share_out(read.done, flags)
    top = flags.videos if flags.videos.is_dir() else flags.videos.parent
    clips = [as_clip(video, top) for video in videos]
    if not flags.allow_shared_signers:
        for signer, splits in leakage.in_two_splits((clip.signer, clip.split) for clip in clips).items():
            raise Problem(
                f"signer {signer} is in {' and '.join(splits)}; mend the split column or --allow-shared-signers"
            )
    with command.lock(flags.output):
        outcome = transfer_all(flags, clips, [video.path for video in videos])
        outcome.failed = failed + unnamed + outside + read.failed + outcome.failed
        written = dict(outcome.done)
        data = Dataset(flags.output, [clip for clip in clips if clip.clip in written], classes)
        fresh, expected = sum(written.values()), Counter(clip.split for clip in clips)
        return summary.finish(data, outcome, expected, fresh, remarks + how, flags.verbose)


def as_clip(video: Video, top: Path) -> Clip:
    """The clip of a video; its source is written as the table has it, relative to `top`."""
    source = PurePath(os.path.relpath(video.path, top)).as_posix()
    return Clip(video.clip, video.split, video.label, video.signer, "", source, video.sha256)


def transfer_all(flags: argparse.Namespace, clips: list[Clip], sources: list[Path]) -> Outcome:
    """Put all videos in their places; hold the lock of the output."""
    command.remove_leftovers(flags.output / "video")
    move_changed(flags.output, earlier_clips(flags.output), clips)
    targets = [clip.video(flags.output) for clip in clips]
    if flags.transfer == "copy":
        new = (source for source, target in zip(sources, targets, strict=True) if not target.is_file())
        check_room(flags.output, sum(source.stat().st_size for source in new))
    jobs = list(zip(clips, sources, targets, strict=True))
    named = [(str(source), job) for source, job in zip(sources, jobs, strict=True)]
    return command.parallel(functools.partial(bring, transfer=flags.transfer), named, flags.workers, flags.transfer)


def names(text: str) -> set[str]:
    """`a,b` -> {"a", "b"}"""
    return {name.strip() for name in text.split(",") if name.strip()}


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument(
        "--videos", type=Path, required=True, metavar="TABLE|FOLDER", help="a CSV, or a folder per label"
    )
    flags.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the data set, data_set/<name>")
    transfer = "copy the videos, or hard-link or link them: no room taken, but they change when the sources do"
    flags.add_argument("--transfer", choices=TRANSFERS, default="copy", help=transfer)
    group = flags.add_argument_group("classes")
    group.add_argument(
        "--class-table", type=Path, metavar="FILE", help="label,name,kind; others are left out and named"
    )
    group.add_argument("--none-labels", type=names, default="", metavar="A,B", help="labels that are no gesture")
    group.add_argument("--top-classes", type=int, metavar="N", help="the N gestures with most videos, ties by name")
    fewest = "only gestures with so many videos; 0 keeps those of the class table without any"
    group.add_argument("--min-clips", type=int, default=1, metavar="N", help=fewest)
    group = flags.add_argument_group("splits, where the table has no split column")
    for part in dataset.SPLITS:
        group.add_argument(f"--{part}-signers", type=names, default="", metavar="S1,S2", help="people of that split")
    group.add_argument("--valid", type=float, default=0.15, metavar="SHARE", help="of the videos, for validation")
    group.add_argument("--test", type=float, default=0.15, metavar="SHARE", help="of the videos, for testing")
    group.add_argument("--seed", type=int, default=0, help="of the draw")
    group.add_argument("--allow-shared-signers", action="store_true", help="one person may be in two splits")
    flags.add_argument("--verbose", action="store_true", help="print the clips of every class too")
    command.add_workers(flags)
    return prepare(flags.parse_args(argv))


if __name__ == "__main__":
    sys.exit(command.run(main))
