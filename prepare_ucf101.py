"""Bring UCF-101 (101 actions, 13,320 videos) into the folder contract of dataset.py, by one of its official splits.

    python prepare_ucf101.py --download data_set/ucf101/_download --output data_set/ucf101 --official-split 1

In: a folder with the unpacked videos (`UCF-101/<Action>/v_<Action>_g08_c01.avi`, or in a zip or tar) and the lists
(`classInd.txt`, `trainlist01.txt`, `testlist01.txt`, ..., or the zip they come in), at any depth.
Out: `video/<split>/<label>/<clip>.avi`, clips.csv and class.csv. The official test list is `test`; of the training list
some groups of each action are drawn for `valid`. A group (clips of one scene) is never in two splits.
Soomro, Zamir & Shah, UCF101: a dataset of 101 human actions classes from videos in the wild, CRCV-TR-12-01, 2012.
"""

import argparse
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import command
from command import Problem

import classtable
import dataset
import listed
import place
import split
import ucf101_list
from dataset import Clip, Label
from listed import Plan, Row
from ucf101_list import ListFile

OWN_FOLDER = Path(__file__).resolve().parent / "data_set" / "ucf101"


def find_classes(lists: dict[str, ListFile]) -> tuple[list[Label], Path]:
    """The actions as classInd.txt numbers them, else as the repository's own class table does; and the table."""
    if "classind.txt" in lists:
        return ucf101_list.read_actions(lists["classind.txt"]), lists["classind.txt"].path
    table = classtable.own(OWN_FOLDER)
    return classtable.read(table), table


def check_groups(rows: list[Row], names: dict[str, str]) -> None:
    """Raise Problem where a group is in the training list and in the test list, whose `names` are by split."""
    groups = {part: {ucf101_list.group(row.path) for row in rows if row.split == part} for part in names}
    if shared := sorted(groups["train"] & groups["test"]):
        raise Problem(
            f"{len(shared)} groups stand in {names['train']} and in {names['test']} ({place.listed(shared)}); a group "
            "is one scene and has to be whole in one of them: take both lists from the same official split"
        )


def draw_valid(rows: list[Row], number: int, seed: int) -> list[Row]:
    """The rows, those of `number` groups of each class moved from train to valid."""
    training = {(ucf101_list.group(row.path), row.label) for row in rows if row.split == "train"}
    drawn = split.draw_groups(training, number, seed)
    return [replace(row, split="valid") if ucf101_list.group(row.path) in drawn else row for row in rows]


def as_clip(row: Row) -> Clip:
    """The clip of a row; who is seen in it nobody says."""
    return Clip(row.path.stem, row.split, row.label, "", ucf101_list.group(row.path), str(row.path))


def plan(flags: argparse.Namespace) -> Plan:
    """Read everything there is to read before anything is written."""
    found = listed.find_download(flags.download, flags.output, ucf101_list.is_list)
    if not found.archives and not found.videos:
        raise Problem(f"{flags.download}: no video in it; expected UCF-101/<Action>/v_<Action>_g08_c01.avi, ...")
    lists, unread = ucf101_list.read_files(found)
    classes, table = find_classes(lists)
    names = {part: f"{part}list{flags.official_split:02d}.txt" for part in ("train", "test")}
    if missing := [name for name in names.values() if name not in lists]:
        lacking = f"{flags.download}: no {missing[0]} in it; put {ucf101_list.ZIP} beside the videos"
        raise unread[0] if unread else Problem(lacking)
    rows, failed = [], []
    for part, name in names.items():
        list_rows, list_failed = ucf101_list.read_list(lists[name], part, classes)
        rows += list_rows
        failed += list_failed
    check_groups(rows, names)
    rows, outside = listed.check_rows(rows, classes, table)
    classes = classtable.choose(flags.classes, classes, Counter(row.label for row in rows if row.split == "train"))
    chosen = {row.label for row in classes}
    rows = draw_valid([row for row in rows if row.label in chosen], flags.valid_groups, flags.seed)
    clips = {row.path: as_clip(row) for row in sorted(rows, key=lambda row: dataset.SPLITS.index(row.split))}
    return Plan(found, rows, classes, clips, failed + outside, [], OWN_FOLDER)


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    listed.add_flags(flags)
    group = flags.add_argument_group("splits")
    group.add_argument("--official-split", type=int, choices=(1, 2, 3), default=1, help="which pair of lists to follow")
    group.add_argument(
        "--valid-groups",
        type=int,
        default=3,
        metavar="N",
        help="groups of each action's training clips (18 in every official split) that go to valid",
    )
    group.add_argument("--seed", type=int, default=0, help="of the draw")
    chosen = flags.parse_args(argv)
    return listed.carry_out(plan(chosen), chosen)


if __name__ == "__main__":
    sys.exit(command.run(main))
