"""What a prepare step says when it is done: clips a split, a class, and what a reader of the table should know."""

import os
import sys
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import dataset, leakage
from signs.clips.dataset import Dataset, save_dataset
from signs.clips.names import folded
from signs.command import Outcome
from signs.prepare import transfer

MOST_LINES = 50  # of one kind of note
MOST_CLASSES = 40  # that are printed one by one
NOT_DONE = "not_done.csv"  # what could not be brought and why, where the screen does not name all of it


def left_over(data: Dataset, below: command.Below) -> list[str]:
    """The files that no row of clips.csv names, of what lay below `video/` before this run."""
    named, unused, todo = {str(clip.video(data.folder)) for clip in data.clips}, [], [str(data.folder / "video")]
    while todo:
        folder = todo.pop()
        folders, files = below.get(folder, ((), ()))
        # A folder of pictures is a clip: what lies in it is its own.
        visible = [os.path.join(folder, name) for name in (*folders, *files) if not name.startswith(".")]
        strange = [path for path in visible if path not in named]
        todo += [path for path in strange if path in below]
        unused += [path for path in strange if path not in below and os.path.lexists(path)]
    return sorted(Path(path).relative_to(data.folder).as_posix() for path in unused)


def print_counts(data: Dataset, expected: Counter) -> None:
    """Two tables: of each split the clips expected, found, missing and unlabelled, and how even its classes are; and of
    each class, where they are few, its clips in each split."""
    counts = data.count()
    columns = ("split", "expected", "found", "missing", "no label", "signers", "classes", "min/med/max")
    rows = [_split_row(data, split, counts[split], expected[split]) for split in counts]
    command.print_table(columns, rows, f"{data.folder}: videos of each split, and how many a class")
    if len(data.classes) <= MOST_CLASSES:
        rows = [(row.label, row.name, row.kind, *(each[row.label] for each in counts.values())) for row in data.classes]
        command.print_table(("label", "name", "kind", *dataset.SPLITS), rows, left=("name", "kind"))


def _split_row(data: Dataset, split: str, counts: Counter, expected: int) -> tuple[str | int, ...]:
    signers = len({clip.signer for clip in data.split(split) if clip.signer})
    each = sorted(count for label, count in counts.items() if label)
    spread = f"{each[0]}/{each[len(each) // 2]}/{each[-1]}" if each else ""
    there = counts.total()
    return split, expected, there, expected - there, counts[""], signers or "?", len(each), spread


def bare(text: str) -> str:
    """A text without capitals and accents: `Été` -> `ete`."""
    return "".join(each for each in unicodedata.normalize("NFD", folded(text)) if not unicodedata.combining(each))


def spelled_alike(texts: Iterable[str], fold: Callable[[str], str] = folded) -> list[str]:
    """`Anna = anna` of texts that are one to `fold`, or differ in capitals alone."""
    spellings: dict[str, list[str]] = {}
    for text in sorted(set(texts)):
        spellings.setdefault(fold(text), []).append(text)
    return [" = ".join(alike) for alike in spellings.values() if len(alike) > 1]


def notes(data: Dataset, below: command.Below) -> Iterator[str]:
    """What a reader of the table should know: empty classes, names that are alike, copies and signers in two splits,
    left-over videos."""
    counts = data.count()
    for split in dataset.SPLITS:
        empty = [row.label for row in data.classes if not counts[split][row.label]]
        if empty and counts[split].keys() - {""}:
            yield f"{split}: no clip of {len(empty)} of {len(data.classes)} classes: {command.listed(empty)}"
    if alike := spelled_alike(clip.signer for clip in data.clips):
        yield f"signers who differ in capitals alone count as one person: {command.listed(alike)}"
    if alike := spelled_alike(row.label for row in data.classes):
        yield f"labels that differ in capitals alone are classes of their own: {command.listed(alike)}"
    if accents := [pair for pair in spelled_alike((row.label for row in data.classes), bare) if pair not in alike]:
        yield f"labels that differ in accents alone are classes of their own: {command.listed(accents)}"
    signers = leakage.in_two_splits((clip.signer, clip.split) for clip in data.clips)
    if shared := [f"{signer} ({', '.join(splits)})" for signer, splits in signers.items()]:
        yield f"signers in two splits, so that measures there say little about new people: {command.listed(shared)}"
    copies = leakage.copies_in_two_splits(data.clips)
    for line in copies[:MOST_LINES]:
        yield f"identical files in two splits: {line}"
    if len(copies) > MOST_LINES:
        yield f"and {len(copies) - MOST_LINES:,} more identical files in two splits; clips.csv has their sha256"
    if unused := left_over(data, below):
        are = f"{command.counted(len(unused), 'file')} below {data.folder} {'is' if len(unused) == 1 else 'are'}"
        yield f"{are} in no row of clips.csv; delete what is not wanted: {command.listed(unused)}"


def save_and_report(
    data: Dataset, outcome: Outcome, expected: Counter, fresh: int, remarks: list[str], below: command.Below
) -> int:
    """Write the tables of the data set, print what became of it, and return the exit code.

    `expected`: clips that each split should have; `fresh`: how many videos this run wrote; `remarks` precede the notes;
    `below`: what lay below `video` before.
    """
    if data.clips:
        # Where a clip was left out, another one of a like name has no need of a hash.
        settled = dataset.placed(data.clips)
        transfer.move_changed(data.folder, {clip.clip: clip for clip in data.clips}, settled)
        data = replace(data, clips=settled)
        save_dataset(data)
        print_counts(data, expected)
        for line in [*remarks, *notes(data, below)]:
            print(command.one_line(f"note: {line}"))
        there = len(data.clips) - fresh
        were = "was" if there == 1 else "were"
        if fresh:
            print(f"{command.counted(fresh, 'video')} written, {there:,} {were} already there")
        else:
            print(f"nothing to do: {'all ' * (there > 1)}{command.counted(there, 'video')} {were} already there")
    sys.stdout.flush()
    outcome.done = data.clips
    return outcome.summary(data.folder / NOT_DONE)
