"""Which classes a data set of videos has: those of its labels, of a class table or of a set's own list, and how many.

most, table = number_and_table(["20", "classes.csv"])
classes, outside = known_classes(table, {"nothing"}, videos)
classes, remarks = choose_classes(flags, most, classes, videos)
"""

import argparse
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Label
from signs.command import Problem
from signs.prepare.class_numbers import check_start
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
    table: Path | None, none_labels: set[str], videos: list[Video], official: list[Label] | None = None
) -> tuple[list[Label], list[tuple[str, str]]]:
    """The classes of the class table, of the set's own list, or of the videos, and (where, reason) of videos whose
    label is none of them."""
    if table:
        classes = dataset.read_classes(table)
    elif official:
        classes = official
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
    flags: argparse.Namespace, most: int | None, classes: list[Label], videos: list[Video], subset: bool = False
) -> tuple[list[Label], list[str]]:
    """The classes that `--min-clips` and the number of `--classes` keep, and notes on what that leaves out.

    subset: the number is that of an official subset: its classes are the first ones, not those with most videos.
    """
    # Videos asked for, not those that open: the classes stay the same when a damaged file is mended.
    counts = Counter(video.label for video in videos)
    enough = {row.label for row in classes if row.kind == "gesture" and counts[row.label] >= flags.min_clips}
    least = command.counted(flags.min_clips, "video")
    if not enough:
        raise Problem(f"no label with {least} in {flags.videos}; lower --min-clips or mend the labels")
    by_count = sorted((row.label for row in classes), key=lambda label: (-counts[label], label))
    order = [row.label for row in classes][:most] if subset else by_count
    best = set([label for label in order if label in enough][:most])
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
