"""The class table of a published data set, whose labels are the numbers of its lists, written with three digits.

    classtable.read(path)                       a table of such labels
    classtable.own(folder)                      the repository's own: data_set/chalearn/class.csv
    classtable.keep_own(folder, output, ...)    kept as class-full.csv before a smaller choice is written over it
    classtable.choose("20", classes, counts)    the 20 classes with most clips, or those of a table
"""

from collections import Counter
from dataclasses import replace
from pathlib import Path

from command import Problem

import dataset
from dataset import Label

FULL_TABLE = "class-full.csv"


def number_label(number: str) -> str:
    """`26` -> `026`"""
    return f"{int(number):03d}"


def read(path: Path) -> list[Label]:
    """The rows of a class table whose labels are numbers; raises Problem where one is none."""
    classes = dataset.read_classes(path)
    for row in classes:
        if not (row.label.isascii() and row.label.isdigit()):
            raise Problem(f"{path}: label {row.label!r}; expected a class's number, such as 026")
    return [replace(row, label=number_label(row.label)) for row in classes]


def own(folder: Path) -> Path:
    """The repository's table of all classes, or its copy where a run has put a smaller one in its place."""
    full = folder / FULL_TABLE
    return full if full.exists() else folder / "class.csv"


def keep_own(folder: Path, output: Path, classes: list[Label]) -> None:
    """Before a data set with other classes replaces the repository's own class table, keep that as class-full.csv."""
    full = output / FULL_TABLE
    if output.resolve() == folder and not full.exists():
        whole = read(own(folder))
        if whole != classes:
            dataset.write_classes(full, whole)


def choose(wanted: str, classes: list[Label], counts: Counter) -> list[Label]:
    """The classes that `--classes` asks for: the N with most training clips (ties by number), or those of a table.

    `wanted` is a number, a path or empty for all; `counts` is Counter(label -> clips of the training list).
    """
    if not wanted:
        return classes
    if not wanted.isdigit():
        chosen, known = read(Path(wanted)), {row.label for row in classes}
        if unknown := [row.label for row in chosen if row.label not in known]:
            raise Problem(f"{wanted}: label {unknown[0]} is not in the class table of the data set")
        return chosen
    if not 1 <= int(wanted) <= len(counts):
        raise Problem(f"--classes {wanted}: the training list has {len(counts)} labels; ask for 1 to {len(counts)}")
    best = sorted(counts, key=lambda label: (-counts[label], label))[: int(wanted)]
    return [row for row in classes if row.label in best]
