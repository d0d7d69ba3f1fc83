"""The lists of ChaLearn IsoGD: which videos a split has, and the gesture of each.

A list is a text file with rows `train/001/M_00001.avi train/001/K_00001.avi 26`: colour video, depth video, gesture. No
gesture stands there where ChaLearn keeps the labels to itself, in a whole list or in single rows.
"""

import re
from pathlib import Path, PurePosixPath

from command import Problem

import dataset
from classtable import number_label
from listed import Row, read_rows

LIST_ROW = "train/001/M_00001.avi train/001/K_00001.avi 26"


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
    return Row(split, PurePosixPath(path), number_label(number) if number else "", where)


def read_list(path: Path, split: str) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a list, and (split, reason) of the rows that are none."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise Problem(f"{path}: no such list") from None
    except UnicodeDecodeError:
        raise Problem(f"{path}: not a text file; expected a list with rows {LIST_ROW!r}") from None
    return read_rows(text, split, path, read_row, LIST_ROW)


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
