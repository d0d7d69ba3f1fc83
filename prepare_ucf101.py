"""Bring UCF-101 (101 actions, 13,320 videos) into a data set folder (data_set/README.md), by an official split.

    python prepare_ucf101.py --download data_set/ucf101/_download --output data_set/ucf101 --official-split 1

In: a folder with the unpacked videos (`UCF-101/<Action>/v_<Action>_g08_c01.avi`, or in a zip or tar) and the lists
(or the zip they come in), at any depth: `classInd.txt` with rows `1 ApplyEyeMakeup`, `trainlist01.txt` with rows
`ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1`, `testlist01.txt` with the same without the number, ...
Out: `video/<split>/<label>/<clip>.avi`, clips.csv and class.csv. The official test list is `test`; of the training list
some groups of each action are drawn for `valid`. A group (`g08`: clips of one scene) is never in two splits.
Soomro, Zamir & Shah, UCF101: a dataset of 101 human actions classes from videos in the wild, CRCV-TR-12-01, 2012.
"""

import argparse
import re
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips import dataset, leakage
from signs.clips.dataset import Clip, Label
from signs.clips.names import check_path, check_text
from signs.command import Problem
from signs.prepare import archive, file_list, splits
from signs.prepare.file_list import Download, Plan, Row

ZIP = "UCF101TrainTestSplits-RecognitionTask.zip"
LIST_NAME = re.compile(r"(?:classind|(?:train|test)list0[123])\.txt")
LIST = "a list of UCF-101"
LIST_ROW = "ApplyEyeMakeup/v_ApplyEyeMakeup_g08_c01.avi 1"
VIDEO = re.compile(r"([^/]+)/v_([^/]+)_g\d+_c\d+\.avi")
LARGEST_LIST = 16 << 20  # bytes; the largest official one has half a megabyte
OWN_FOLDER = Path(__file__).resolve().parent / "data_set" / "ucf101"


def is_list(name: str) -> str | None:
    """`name`, of a file in lower case, if it is a list's."""
    return name if LIST_NAME.fullmatch(name) else None


def group_of(path: PurePosixPath) -> str:
    """`ApplyEyeMakeup_g08`, of a video's path: groups of one number in two actions are not the same."""
    return f"{path.parent.name}_{path.stem.split('_')[-2]}"


def read_list_files(download: Download) -> tuple[dict[str, tuple[Path, str]], str]:
    """{name in lower case: (path, in an archive too, and text)} of the lists of a download folder and of the zip
    archives in it, and what is wrong with the first archive that cannot be read.

    Raises Problem where two lists of one name differ, or one is no text.
    """
    paths = (path for paths in download.lists.values() for path in paths)
    files = [(path, archive.decode_text(path.read_bytes(), path, LIST)) for path in paths]
    unread: list[tuple[str, str]] = []
    for path in download.archives:
        with command.noting(unread, path.name):
            files += _in_zip(path)
    lists: dict[str, tuple[Path, str]] = {}
    for path, text in files:
        first, first_text = lists.setdefault(path.name.lower(), (path, text))
        if first_text.split() != text.split():
            raise Problem(f"{first} and {path} differ; leave one of the two in the download folder")
    return lists, unread[0][1] if unread else ""


def _in_zip(path: Path) -> list[tuple[Path, str]]:
    lists = []
    for member in archive.list_members(path) if archive.detect_kind(path) == "zip" else []:
        if member.parts and is_list(member.parts[-1].lower()):
            if member.size > LARGEST_LIST:
                raise Problem(f"{path}: {member.name} has {member.size:,} bytes, which no list of UCF-101 has")
            where, content = path.joinpath(*member.parts), b"".join(archive.read_member(member))
            lists.append((where, archive.decode_text(content, where, LIST)))
    return lists


def read_actions(path: Path, text: str) -> list[Label]:
    """The classes of classInd.txt; raises Problem where a row is none."""
    classes = []
    for number, line in enumerate(text.splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not re.fullmatch(r"[0-9]{1,3}", words[0]):
            raise Problem(f"{path} line {number}: {line.strip()[:80]!r}; expected '1 ApplyEyeMakeup'")
        name = check_text(words[1], f"{path} line {number}: action")
        classes.append(Label(file_list.number_label(words[0]), name))
    if not classes:
        raise Problem(f"{path}: no class in it; expected rows '1 ApplyEyeMakeup'")
    for what in ("label", "name"):
        value, times = Counter(getattr(row, what) for row in classes).most_common(1)[0]
        if times > 1:
            raise Problem(f"{path}: {what} {value!r} stands {times} times; expected each once")
    return classes


def read_list(path: Path, text: str, split: str, classes: list[Label]) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a list, and (split, reason) of the rows that are none or contradict the classes."""
    labels = {row.name: row.label for row in classes}

    def read_row(line: str, split: str, where: str) -> Row:
        words = line.split()
        name, *number = (words[0].replace("\\", "/"), *words[1:])
        match = VIDEO.fullmatch(name)  # the video's name may spell its action with other capitals than the folder
        if not match or match[1].casefold() != match[2].casefold() or len(number) > 1:
            raise Problem(f"{where}: {line.strip()[:80]!r} is no row of a list; expected {LIST_ROW!r}")
        check_path(name, where)
        # In quotes an unknown action is no label that a class can have, so `check_rows` counts and names it.
        label = labels.get(match[1], repr(match[1]))
        if number and match[1] in labels and number[0].zfill(3) != label:
            raise Problem(f"{where}: number {number[0]} for {match[1]}, which is number {int(label)} of the classes")
        return Row(split, PurePosixPath(name), label, where)

    return file_list.read_rows(text, split, path, read_row, LIST_ROW)


def find_classes(lists: dict[str, tuple[Path, str]]) -> tuple[list[Label], Path]:
    """The actions as classInd.txt numbers them, else as the repository's own class table does; and the table."""
    if "classind.txt" in lists:
        return read_actions(*lists["classind.txt"]), lists["classind.txt"][0]
    table = file_list.own_class_table(OWN_FOLDER)
    return file_list.read_class_table(table), table


def check_groups(rows: list[Row], names: dict[str, str]) -> None:
    """Raise Problem where a group is in the training list and in the test list, whose `names` are by split."""
    if shared := sorted(leakage.in_two_splits((group_of(row.path), row.split) for row in rows)):
        groups = f"{command.counted(len(shared), 'group')} {'stands' if len(shared) == 1 else 'stand'}"
        raise Problem(
            f"{groups} in {names['train']} and in {names['test']} ({command.listed(shared)}); a "
            "group is one scene and has to be whole in one of them: take both lists from the same official split"
        )


def draw_valid(rows: list[Row], number: int, seed: int) -> list[Row]:
    """The rows, those of `number` groups of each class moved from train to valid."""
    training = {(group_of(row.path), row.label) for row in rows if row.split == "train"}
    drawn = splits.draw_groups(training, number, seed)
    return [replace(row, split="valid") if group_of(row.path) in drawn else row for row in rows]


def make_plan(flags: argparse.Namespace) -> Plan:
    """Read everything there is to read before anything is written."""
    download = file_list.find_download(flags.download, flags.output, is_list)
    if not download.archives and not download.videos:
        raise Problem(f"{flags.download}: no video in it; expected UCF-101/<Action>/v_<Action>_g08_c01.avi, ...")
    lists, unread = read_list_files(download)
    classes, table = find_classes(lists)
    names = {part: f"{part}list{flags.official_split:02d}.txt" for part in ("train", "test")}
    if missing := [name for name in names.values() if name not in lists]:
        raise Problem(unread or f"{flags.download}: no {missing[0]} in it; put {ZIP} beside the videos")
    rows, failed = [], []
    for part, name in names.items():
        list_rows, list_failed = read_list(*lists[name], part, classes)
        rows += list_rows
        failed += list_failed
    check_groups(rows, names)
    rows, outside = file_list.check_rows(rows, classes, table)
    classes, rows = file_list.choose_classes(flags.classes, classes, rows)
    rows = draw_valid(rows, flags.valid_groups, flags.seed)
    clips = {}
    for row in sorted(rows, key=lambda row: dataset.SPLITS.index(row.split)):  # who is seen in them nobody says
        clips[row.path] = Clip(row.path.stem, row.split, row.label, "", group_of(row.path), str(row.path))
    return Plan(download, rows, classes, clips, failed + outside, [], OWN_FOLDER)


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    file_list.add_list_flags(flags)
    group = flags.add_argument_group("splits")
    group.add_argument("--official-split", type=int, choices=(1, 2, 3), default=1, help="which pair of lists to follow")
    drawn = "groups of each action's training clips (18 in every official split) that go to valid"
    group.add_argument("--valid-groups", type=command.number(int, least=0), default=3, metavar="N", help=drawn)
    command.add_seed(group, "of the draw")
    args = flags.parse_args(argv)
    return file_list.carry_out(make_plan(args), args)


if __name__ == "__main__":
    sys.exit(command.run(main))
