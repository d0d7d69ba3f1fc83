"""The lists of UCF-101: its actions, and which videos the three official splits train and test on.

`classInd.txt` has rows `1 ApplyEyeMakeup`, `trainlist01.txt` rows `ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1` and
`testlist01.txt` the same without the number; they come unpacked or in UCF101TrainTestSplits-RecognitionTask.zip. `g08`
is the group: its clips show one scene. A video's name may spell its action with other capitals than the folder does
(`HandstandPushups/v_HandStandPushups_g01_c01.avi`).
"""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from command import Problem

import archive
import dataset
import listed
from classtable import number_label
from dataset import Label
from listed import Download, Row

ZIP = "UCF101TrainTestSplits-RecognitionTask.zip"
LIST_NAME = re.compile(r"(?:classind|(?:train|test)list0[123])\.txt")
LIST_ROW = "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"
VIDEO = re.compile(r"([^/]+)/v_([^/]+)_g\d+_c\d+\.avi")
LARGEST_LIST = 16 << 20  # bytes; the largest official one has half a megabyte


@dataclass(frozen=True)
class ListFile:
    """A list: where it was found, in an archive too, and its text."""

    path: Path
    text: str


def is_list(name: str) -> str | None:
    """`name`, of a file in lower case, if it is a list's."""
    return name if LIST_NAME.fullmatch(name) else None


def group(path: PurePosixPath) -> str:
    """`ApplyEyeMakeup_g08`, of a video's path: groups of one number in two actions are not the same."""
    return f"{path.parent.name}_{path.stem.split('_')[-2]}"


def read_files(found: Download) -> tuple[dict[str, ListFile], list[Problem]]:
    """{name in lower case: list} of a download folder and of the zip archives in it, and what is wrong with archives.

    Raises Problem where two lists of one name differ, or one is no text.
    """
    files = [_list_file(path, path.read_bytes()) for paths in found.lists.values() for path in paths]
    unread = []
    for path in found.archives:
        try:
            files += _in_zip(path)
        except Problem as problem:
            unread.append(problem)
    lists: dict[str, ListFile] = {}
    for file in files:
        other = lists.setdefault(file.path.name.lower(), file)
        if other.text.split() != file.text.split():
            raise Problem(f"{other.path} and {file.path} differ; leave one of the two in the download folder")
    return lists, unread


def _in_zip(path: Path) -> list[ListFile]:
    members = archive.listing(path) if archive.kind(path) == "zip" else []
    lists = [member for member in members if member.parts and is_list(member.parts[-1].lower())]
    return [_list_file(path.joinpath(*member.parts), _content(member)) for member in lists]


def _content(member: archive.Member) -> bytes:
    if member.size > LARGEST_LIST:
        raise Problem(f"{member.archive}: {member.name} has {member.size:,} bytes, which no list of UCF-101 has")
    return b"".join(archive.read(member))


def _list_file(path: Path, content: bytes) -> ListFile:
    try:
        return ListFile(path, content.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise Problem(f"{path}: not a text file; expected a list of UCF-101") from None


def read_actions(file: ListFile) -> list[Label]:
    """The classes of classInd.txt; raises Problem where a row is none."""
    classes = []
    for number, line in enumerate(file.text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not re.fullmatch(r"[0-9]{1,3}", words[0]):
            raise Problem(f"{file.path} line {number}: {line.strip()[:80]!r}; expected '1 ApplyEyeMakeup'")
        name = dataset.check_name(words[1], f"{file.path} line {number}: action")
        classes.append(Label(number_label(words[0]), name))
    if not classes:
        raise Problem(f"{file.path}: no class in it; expected rows '1 ApplyEyeMakeup'")
    for what in ("label", "name"):
        value, times = Counter(getattr(row, what) for row in classes).most_common(1)[0]
        if times > 1:
            raise Problem(f"{file.path}: {what} {value!r} stands {times} times; expected each once")
    return classes


def read_list(file: ListFile, split: str, classes: list[Label]) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a list, and (split, reason) of the rows that are none or contradict the classes."""
    labels = {row.name: row.label for row in classes}

    def read_row(line: str, split: str, where: str) -> Row:
        words = line.split()
        name, *number = (words[0].replace("\\", "/"), *words[1:])
        match = VIDEO.fullmatch(name)
        if not match or match[1].casefold() != match[2].casefold() or len(number) > 1:
            raise Problem(f"{where}: {line.strip()[:80]!r} is no row of a list; expected {LIST_ROW!r}")
        for part in name.split("/"):
            dataset.check_name(part, f"{where}: {name!r}:")
        # In quotes an unknown action is no label that a class can have, so `check_rows` counts and names it.
        label = labels.get(match[1], repr(match[1]))
        if number and match[1] in labels and number[0].zfill(3) != label:
            raise Problem(f"{where}: number {number[0]} for {match[1]}, which is number {int(label)} of the classes")
        return Row(split, PurePosixPath(name), label, where)

    return listed.read_rows(file.text, split, file.path, read_row, LIST_ROW)
