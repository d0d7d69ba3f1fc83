"""Bring any videos of signs into a data set folder (data_set/README.md): a table of them, or a folder per label.

    python prepare_videos.py --videos my_videos.csv --output data_set/mine --valid-signers S5 --test-signers S6

In: a CSV with columns video and label (signer and split if known; others are ignored; paths are relative to the CSV),
or a folder with one folder of videos per label.
Out: `video/<split>/<label>/<clip>.<suffix>`, clips.csv and class.csv.
A split column wins. Otherwise people are shared out, never one person to two splits.
"""

import argparse
import functools
import os
import re
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path, PurePath

from signs import command
from signs.clips import dataset, leakage
from signs.clips.container import VIDEO_SUFFIXES
from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.names import check_text
from signs.command import Outcome, Problem
from signs.prepare import sharing, summary, video_folder, video_table
from signs.prepare.class_numbers import check_start
from signs.prepare.path_pattern import PathPattern
from signs.prepare.point_archives import bring_points
from signs.prepare.recordings import with_consent
from signs.prepare.transfer import TRANSFERS, bring_video, check_is_video, check_room, earlier_clips, move_changed
from signs.prepare.video_table import Video


def number_and_table(classes: list[str]) -> tuple[int | None, Path | None]:
    """`--classes`: how many gestures, and the class table; raises Problem where there is more than one of each."""
    numbers = [int(text) for text in classes if re.fullmatch(r"-?[0-9]+", text)]
    tables = [Path(text) for text in classes if not re.fullmatch(r"-?[0-9]+", text)]
    if len(numbers) > 1 or len(tables) > 1:
        raise Problem(f"--classes {' '.join(classes)}: expected a number, a class table, or one of each")
    if numbers and numbers[0] < 1:
        raise Problem(f"--classes {numbers[0]}: ask for 1 or more")
    return numbers[0] if numbers else None, tables[0] if tables else None


def known_classes(
    table: Path | None, none_labels: set[str], videos: list[Video]
) -> tuple[list[Label], list[tuple[str, str]]]:
    """The classes of the class table, else of the videos, and (where, reason) of videos whose label is none of them."""
    if table:
        classes = dataset.read_classes(table)
    else:
        classes = [Label(label, label) for label in sorted({video.label for video in videos} - {""})]
    known = {row.label for row in classes}
    if unknown := sorted(none_labels - known):
        raise Problem(f"--none-labels {unknown[0]}: no such label; there are {command.listed(sorted(known))}")
    check_start({video.label: video.where for video in reversed(videos)}, known, str(table))
    strays = [video for video in videos if video.label and video.label not in known]
    outside = [(video.where, f"label {video.label} is not in {table}; left out") for video in strays]
    return [replace(row, kind="none") if row.label in none_labels else row for row in classes], outside


def choose_classes(
    flags: argparse.Namespace, most: int | None, classes: list[Label], videos: list[Video]
) -> tuple[list[Label], list[str]]:
    """The classes that `--min-clips` and the number of `--classes` keep, and notes on what that leaves out."""
    # Videos asked for, not those that open: the classes stay the same when a damaged file is mended.
    counts = Counter(video.label for video in videos)
    enough = {row.label for row in classes if row.kind == "gesture" and counts[row.label] >= flags.min_clips}
    least = command.counted(flags.min_clips, "video")
    if not enough:
        raise Problem(f"no label with {least} in {flags.videos}; lower --min-clips or mend the labels")
    by_count = sorted((row.label for row in classes), key=lambda label: (-counts[label], label))
    best = set([label for label in by_count if label in enough][:most])
    # No gesture is no class to drop for being rare: it is what keeps the others honest.
    kept = [row for row in classes if row.label in best or row.kind == "none"]
    if len(kept) < 2:
        raise Problem(
            f"{flags.videos}: one label only, {kept[0].label}; a classifier needs two or more, one may be no gesture"
        )
    remarks = []
    if len(best) < (most or 0):
        remarks.append(f"--classes {most}: only {command.counted(len(best), 'gesture')} with {least} or more")
    left_out = {row.label for row in classes} - {row.label for row in kept}
    if dropped := [label for label in by_count if label in left_out]:
        lost, labels = sum(counts[label] for label in dropped), [f"{label} ({counts[label]})" for label in dropped]
        some = f"{len(dropped):,} of {len(classes):,} classes, {lost:,} of {len(videos):,} videos"
        remarks.append(f"left out: {some}: {command.listed(labels)}")
    return kept, remarks


def without_empty(data: Dataset) -> tuple[Dataset, list[str]]:
    """The data set without the classes none of whose videos could be brought, and a note that names them."""
    there = {clip.label for clip in data.clips}
    empty = [row.label for row in data.classes if row.label not in there]
    note = f"left out, as none of their videos can be read: {command.listed(empty)}"
    return replace(data, classes=[row for row in data.classes if row.label in there]), [note] * bool(empty)


def hashed(video: Video) -> Video:
    """The video with the SHA-256 of its file; raises Problem where that is no video."""
    check_is_video(video.path)
    return replace(video, sha256=command.sha256(video.path))


def refuse_two_labels(videos: list[Video]) -> tuple[list[Video], list[tuple[str, str]]]:
    """The videos, and (where, reason) of files whose content stands under two labels."""
    same = defaultdict(list)
    for video in videos:
        same[video.sha256].append(video)
    kept, failed = [], []
    for video in videos:
        others = [each for each in same[video.sha256] if each.label not in (video.label, "")]
        if video.label and others:
            other = others[0]
            labels = f"{video.label!r} here, {other.label!r} there"
            failed.append((video.where, f"the same file as {other.where}, but labelled {labels}; both left out"))
        else:
            kept.append(video)
    return kept, failed


def bring(job: tuple[Clip, Path, Path], transfer: str) -> tuple[str, bool]:
    """Put a video in its place; (clip name, whether anything had to be done)."""
    clip, source, target = job
    return clip.clip, bring_video(source, target, transfer, clip.sha256)[1]


def read_videos(flags: argparse.Namespace) -> tuple[list[Video], Outcome, list[str]]:
    """The videos asked for with their clip names; those that cannot be used and files that are no videos; notes."""
    if flags.videos.is_dir():
        if flags.output.resolve().is_relative_to(flags.videos.resolve()):
            raise Problem(f"--output {flags.output}: lies in {flags.videos}; choose a folder that is not read")
        videos, failed, notes, others = video_folder.read_folder(flags.videos, flags.signer_from)
    else:
        videos, failed = video_table.read_table(flags.videos, flags.signer_from)
        notes, others = [], []
    if flags.signer_from and failed and not videos:
        raise Problem(f"no video can be used; {failed[0][0]}: {failed[0][1]}")
    if flags.signer_from:
        notes.append(said_by(flags.signer_from, videos))
    videos, unnamed = video_table.name_clips(videos)
    return videos, Outcome(failed=failed + unnamed, noted=others), notes


def said_by(pattern: PathPattern, videos: list[Video]) -> str:
    """What `--signer-from` tells of the videos, and which of its words are forgotten."""
    said, known = "--signer-from: no signer", [video for video in videos if video.signer]
    if known:
        signers = command.counted(len({video.signer for video in known}), "signer")
        said = f"--signer-from: {signers}, such as {known[0].signer} of {known[0].where}"
    return said + (f"; forgotten: {', '.join(pattern.forgotten)}" if pattern.forgotten else "")


def prepare(flags: argparse.Namespace) -> int:
    """Do what the flags say; the exit code."""
    if not flags.videos.exists():
        raise Problem(f"{flags.videos}: no such file or folder; give a table video,label or a folder per label")
    if flags.videos.suffix.lower() in VIDEO_SUFFIXES or video_folder.is_video(flags.videos):
        raise Problem(f"{flags.videos}: a video; expected a table video,label of many, or a folder per label")
    videos, found, notes = read_videos(flags)
    most, table = number_and_table(flags.classes)
    classes, outside = known_classes(table, flags.none_labels, videos)
    classes, remarks = choose_classes(flags, most, classes, videos)
    kept = {row.label for row in classes} | {""}
    videos = [video for video in videos if video.label in kept]
    read = command.parallel(hashed, [(video.where, video) for video in videos], flags.workers, "reading")
    videos, twice = refuse_two_labels(read.done)
    videos, how = sharing.share_out(videos, flags)
    top = flags.videos if flags.videos.is_dir() else flags.videos.parent
    clips = dataset.placed(with_consent((as_clip(video, top) for video in videos), top))
    if len({clip.signer for clip in clips} - {""}) > 1 and not flags.allow_shared_signers:
        for signer, splits in leakage.in_two_splits((clip.signer, clip.split) for clip in clips).items():
            both = " and ".join(splits)
            raise Problem(f"signer {signer} is in {both}; mend the split column or --allow-shared-signers")
    with command.lock(flags.output):
        outcome = transfer_all(flags, clips, [video.path for video in videos])
        outcome.failed = found.failed + outside + read.failed + twice + outcome.failed
        outcome.noted = found.noted
        written = dict(outcome.done)
        data = Dataset(flags.output, [clip for clip in clips if clip.clip in written], classes)
        if not table:
            data, empty = without_empty(data)
            remarks += empty
        if brought := bring_points(top, flags.output, data.clips):
            remarks.append(f"points of {command.counted(brought, 'clip')} were found already, and came along")
        fresh, expected = sum(written.values()), Counter(clip.split for clip in clips)
        return summary.save_and_report(data, outcome, expected, fresh, notes + remarks + how)


def as_clip(video: Video, top: Path) -> Clip:
    """The clip of a video; its source is written as the table has it, relative to `top`."""
    source = PurePath(os.path.relpath(video.path, top)).as_posix()
    return Clip(video.clip, video.split, video.label, video.signer, "", source, video.sha256)


def transfer_all(flags: argparse.Namespace, clips: list[Clip], sources: list[Path]) -> Outcome:
    """Put all videos in their places; hold the lock of the output."""
    command.remove_leftovers(flags.output / "video")
    move_changed(flags.output, earlier_clips(flags.output), clips)
    jobs = [(clip, source, clip.video(flags.output)) for clip, source in zip(clips, sources, strict=True)]
    if flags.transfer == "copy":
        check_room(flags.output, sum(source.stat().st_size for _, source, target in jobs if not target.is_file()))
    named = [(str(job[1]), job) for job in jobs]
    return command.parallel(functools.partial(bring, transfer=flags.transfer), named, flags.workers, flags.transfer)


def names(text: str) -> set[str]:
    """`a,b` -> {"a", "b"}"""
    return {check_text(name, "name") for name in text.split(",") if name.strip()}


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    given = "a CSV, or a folder per label"
    pattern = "who signs, from the path below --videos or in the table, such as {label}/{signer}_{take}"
    flags.add_argument("--videos", type=Path, required=True, metavar="TABLE|FOLDER", help=given)
    flags.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the data set, data_set/<name>")
    flags.add_argument("--signer-from", type=PathPattern, metavar="PATTERN", help=pattern)
    transfer = "copy the videos, or hard-link or link them: no room taken, but they change when the sources do"
    flags.add_argument("--transfer", choices=TRANSFERS, default="copy", help=transfer)
    group = flags.add_argument_group("classes")
    kept = "keep the N gestures with most videos (ties by name), the classes of a table label,name,kind, or both"
    group.add_argument("--classes", nargs="+", default=[], metavar="N|TABLE", help=kept)
    group.add_argument("--none-labels", type=names, default="", metavar="A,B", help="labels that are no gesture")
    fewest = "only gestures with so many videos; 0 keeps those of the class table without any"
    group.add_argument("--min-clips", type=command.number(int, least=0), default=1, metavar="N", help=fewest)
    group = flags.add_argument_group("splits, where the table has no split column")
    for part in dataset.SPLITS:
        group.add_argument(f"--{part}-signers", type=names, default="", metavar="S1,S2", help="people of that split")
    share, drawn = command.number(float, least=0, below=1), "of the videos, for validation and for testing"
    group.add_argument("--shares", type=share, nargs=2, default=(0.15, 0.15), metavar=("VALID", "TEST"), help=drawn)
    command.add_seed(group, "of the draw")
    group.add_argument("--allow-shared-signers", action="store_true", help="one person may be in two splits")
    command.add_workers(flags)
    return prepare(flags.parse_args(argv))


if __name__ == "__main__":
    sys.exit(command.run(main))
