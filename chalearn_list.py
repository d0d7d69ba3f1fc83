"""The lists of ChaLearn IsoGD: which videos a split has, and the gesture of each.

A list is a text file with rows `train/001/M_00001.avi train/001/K_00001.avi 26`: colour video, depth video, gesture. No
gesture stands there where ChaLearn keeps the labels to itself, in a whole list or in single rows.
"""

import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from command import Problem

import dataset
from dataset import Label

LIST_ROW = "train/001/M_00001.avi train/001/K_00001.avi 26"


@dataclass(frozen=True)
class Row:
    """A row of a list: `path` is that of the RGB video, `label` three digits or empty."""

    split: str
    path: PurePosixPath
    label: str
    where: str

    @property
    def clip_name(self) -> str:
        return "_".join(self.path.with_suffix("").parts)


def read_row(line: str, split: str, where: str) -> Row:
    """A row `<RGB path> [<depth path>] [<number>]`; raises Problem where it is anything else."""
    words = line.replace(",", " ").split()
    number = words.pop() if len(words) > 1 and "." not in words[-1] else ""
    if not 1 <= len(words) <= 2 or not all(word.lower().endswith(dataset.VIDEO_SUFFIXES) for word in words):
        raise Problem(f"{where}: {line.strip()[:80]!r} is no row of a list; expected {LIST_ROW!r}")
    if number and not (number.isascii() and number.isdigit() and len(number) < 6):
        raise Problem(f"{where}: label {number!r} is no number; expected {LIST_ROW!r}")
    colour = next((word for word in words if re.split(r"[/\\]", word)[-1].startswith("M_")), words[0])
    path = colour.replace("\\", "/").removeprefix("./")
    for part in path.split("/"):
        dataset.check_name(part, f"{where}: {colour!r}:")
    return Row(split, PurePosixPath(path), f"{int(number):03d}" if number else "", where)


def read_list(path: Path, split: str) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a list, and (where, reason) of the rows that are none."""
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except FileNotFoundError:
        raise Problem(f"{path}: no such list") from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: not a text file; expected a list with rows {LIST_ROW!r}") from None
    rows, failed = [], []
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                rows.append(read_row(line, split, f"{path.name} line {number}"))
            except Problem as problem:
                failed.append((split, str(problem)))
    if not rows:
        raise Problem(f"{path}: no row of a list in it; expected rows {LIST_ROW!r}")
    return rows, failed


def choose_list(paths: list[Path], split: str) -> tuple[list[Row], list[tuple[str, str]]]:
    """Of several lists of a split the one with most labels; raises Problem where two equally good ones differ."""
    lists = [(path, *read_list(path, split)) for path in paths]
    lists.sort(key=lambda entry: sum(row.label != "" for row in entry[1]), reverse=True)
    path, rows, failed = lists[0]
    content = {(row.path, row.label) for row in rows}
    for other, other_rows, _ in lists[1:]:
        if any(row.label for row in other_rows) and {(row.path, row.label) for row in other_rows} != content:
            raise Problem(f"{path} and {other} differ; name the one to use with --{split}-list")
    return rows, failed


def check_rows(rows: list[Row], classes: list[Label], table: Path) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows that stand once and whose label is in the class table; (name, reason) for the others."""
    known, seen = {row.label for row in classes}, {}
    good, failed, outside = [], [], {}
    for row in rows:
        if row.label and row.label not in known:
            outside.setdefault((row.split, row.label), []).append(row)
        elif row.path in seen:
            failed.append((row.split, f"{row.where}: {row.path} stands in {seen[row.path].where} already; left out"))
        else:
            seen[row.path] = row
            good.append(row)
    for (split, label), those in outside.items():
        count = f"{len(those)} rows left out, the first" if len(those) > 1 else "left out"
        failed.append((split, f"{those[0].where}: label {label} is not in {table}; {count} {those[0].path}"))
    return good, failed
