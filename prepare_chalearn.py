"""Unpack ChaLearn LAP IsoGD (249 isolated gestures, colour videos) into a data set folder (data_set/README.md).

    python prepare_chalearn.py --download data_set/chalearn/_download --output data_set/chalearn

In: a folder with the archives (zip, tar, tar.gz) and the lists of the splits (`train.txt`, `train_list.txt`,
`valid_labels.txt`, ...), as ChaLearn ships them, at any depth. Videos that are unpacked there are taken too, and so are
`signers.csv` (video,signer; video as in the lists) and another `class.csv` (label,name,kind) than the one of the 249
gestures.
Out: `video/<split>/<label>/<clip>.avi`, clips.csv and class.csv; with --depth `depth/<split>/<label>/<clip>.avi` too.
Only the videos that the lists name are unpacked, each straight to its place. A second run does what is missing; one
that was stopped goes on.
"""

import argparse
import re
import sys
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips import dataset
from signs.clips.container import VIDEO_SUFFIXES
from signs.clips.dataset import Clip
from signs.clips.names import check_path
from signs.command import Problem
from signs.prepare import archive, file_list
from signs.prepare.file_list import Download, Plan, Row

LIST_ROW = "train/001/M_00001.avi train/001/K_00001.avi 26"
LIST_NAME = re.compile(r"(?:isogd[_-])?(train|val|test)[a-z]*(?:[_-](?:list|labels?|label[_-]list))?\.(?:txt|csv|lst)")
OWN_FOLDER = Path(__file__).resolve().parent / "data_set" / "chalearn"


def read_row(line: str, split: str, where: str) -> Row:
    """A row `<RGB path> [<depth path>] [<number of the gesture>]`; raises Problem where it is anything else."""
    words = line.replace(",", " ").split()
    number = words.pop() if len(words) > 1 and "." not in words[-1] else ""
    if not 1 <= len(words) <= 2 or not all(word.lower().endswith(VIDEO_SUFFIXES) for word in words):
        raise Problem(f"{where}: {line.strip()[:80]!r} is no row of a list; expected {LIST_ROW!r}")
    if number and not (number.isascii() and number.isdigit() and len(number) < 6):
        raise Problem(f"{where}: label {number!r} is no number; expected {LIST_ROW!r}")
    paths = [PurePosixPath(check_path(word.replace("\\", "/").removeprefix("./"), where)) for word in words]
    depth = next((path for path in paths if path.name.startswith("K_")), None)
    colours = [path for path in paths if path != depth]
    if not colours:
        raise Problem(f"{where}: {line.strip()[:80]!r} names depth alone; expected {LIST_ROW!r}")
    return Row(split, colours[0], file_list.number_label(number) if number else "", where, depth)


def read_list(path: Path, split: str) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a list, and (split, reason) of the rows that are none."""
    text = archive.decode_text(path.read_bytes(), path, f"a list with rows {LIST_ROW!r}")
    return file_list.read_rows(text, split, path, read_row, LIST_ROW)


def choose_list(paths: list[Path], split: str) -> tuple[list[Row], list[tuple[str, str]]]:
    """Of several lists of a split the one with most labels; raises Problem where two equally good ones differ."""
    lists = [(path, *read_list(path, split)) for path in paths]
    lists.sort(key=lambda entry: sum(row.label != "" for row in entry[1]), reverse=True)
    path, rows, failed = lists[0]
    content = {(row.path, row.label) for row in rows}
    for later, later_rows, _ in lists[1:]:
        if any(row.label for row in later_rows) and {(row.path, row.label) for row in later_rows} != content:
            raise Problem(f"{path} and {later} differ; leave one of the two in the download folder")
    return rows, failed


def is_list(name: str) -> str | None:
    """The split that a file of this name is the list of, as `val_list.txt` is of valid."""
    match = LIST_NAME.fullmatch(name)
    return match and match[1].replace("val", "valid")


def read_lists(download: Download) -> tuple[list[Row], list[tuple[str, str]], list[str]]:
    """The rows of all splits, (split, reason) of bad ones, and notes on missing lists and labels."""
    rows, failed, remarks = [], [], []
    for split in dataset.SPLITS:
        if split not in download.lists:
            remarks.append(f"{split}: no list found, so no clips")
            continue
        split_rows, split_failed = choose_list(download.lists[split], split)
        rows += split_rows
        failed += split_failed
        bare = [row.where for row in split_rows if not row.label]
        if len(bare) == len(split_rows):
            remarks.append(f"{split}: its list has no labels; its clips can be predicted, not scored")
        elif bare:
            some = command.counted(len(bare), "row")
            remarks.append(f"{split}: {some} without a label, kept as unlabelled: {command.listed(bare)}")
    return rows, failed, remarks


def make_plan(flags: argparse.Namespace) -> Plan:
    """Read everything there is to read before anything is written."""
    download = file_list.find_download(flags.download, flags.output, is_list)
    if not download.lists:
        names = "train.txt or train_list.txt, valid.txt, test.txt"
        raise Problem(f"{flags.download}: no list in it; expected {names} with rows {LIST_ROW!r}")
    if not download.archives and not download.videos:
        raise Problem(f"{flags.download}: no archive and no video in it; put ChaLearn's archives beside the lists")
    table = download.tables.get("class.csv") or file_list.own_class_table(OWN_FOLDER)
    classes = file_list.read_class_table(table)
    rows, failed, remarks = read_lists(download)
    rows, outside = file_list.check_rows(rows, classes, table)
    classes, rows = file_list.choose_classes(flags.classes, classes, rows)
    signers = file_list.read_signers(download.tables.get("signers.csv"), "video")
    clips = {row.path: as_clip(row, signers.get(str(row.path), "")) for row in rows}
    if signers and not any(clip.signer for clip in clips.values()):
        remarks.append(f"{download.tables['signers.csv']}: names no video of the lists, so no signer is known")
    depths = {row.path: row.depth for row in rows if row.depth} if flags.depth else {}
    return Plan(download, rows, classes, clips, failed + outside, remarks, OWN_FOLDER, depths)


def as_clip(row: Row, signer: str) -> Clip:
    """The clip of a row, named after its whole path, as each split numbers its videos from 1; its group is the folder
    of its path, as IsoGD says nothing of who signs."""
    name = "_".join(row.path.with_suffix("").parts)
    return Clip(name, row.split, row.label, signer, str(row.path.parent), str(row.path))


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    file_list.add_list_flags(flags)
    part = "bring the depth videos too, as a part of their clips: depth/..., which frame.py --part depth reads"
    flags.add_argument("--depth", action="store_true", help=part)
    flags.add_argument("--password", default="", help="of encrypted zip archives")
    args = flags.parse_args(argv)
    return file_list.carry_out(make_plan(args), args, args.password)


if __name__ == "__main__":
    sys.exit(command.run(main))
