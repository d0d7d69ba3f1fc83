"""Unpack ChaLearn LAP IsoGD (249 isolated gestures, colour videos) into the folder contract of dataset.py.

    python prepare_chalearn.py --download data_set/chalearn/_download --output data_set/chalearn

In: a folder with the archives (zip, tar, tar.gz) and the lists of the splits (`train.txt`, `train_list.txt`, ...), as
ChaLearn ships them, at any depth; videos that are unpacked there already are taken too.
Out: `video/<split>/<label>/<clip>.avi`, clips.csv and class.csv. Only the RGB videos that the lists name are unpacked,
each straight to its place. A second run does what is missing; one that was stopped goes on.
Each split numbers its videos from 1, so a clip is named after its whole path: `train/001/M_00001.avi` becomes
`train_001_M_00001`.
"""

import argparse
import os
import re
import sys
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

import command
from command import Problem

import archive
import dataset
import place
from chalearn_list import LIST_ROW, Row, check_rows, choose_list
from dataset import Clip, Dataset, Label
from unpack import Videos

LIST_NAME = re.compile(r"(?:isogd[_-])?(train|val|test)[a-z]*(?:[_-](?:list|labels?|label[_-]list))?\.(?:txt|csv|lst)")
OWN_FOLDER = Path(__file__).resolve().parent / "data_set" / "chalearn"
FULL_TABLE = "class-full.csv"


@dataclass
class Download:
    """What lies in a download folder."""

    archives: list[Path] = field(default_factory=list)
    lists: dict[str, list[Path]] = field(default_factory=lambda: {split: [] for split in dataset.SPLITS})
    videos: list[Path] = field(default_factory=list)
    tables: dict[str, Path] = field(default_factory=dict)


def find_download(folder: Path, output: Path) -> Download:
    """Everything of use below `folder`, sorted; the videos already made below `output` are not looked at."""
    if not folder.is_dir():
        raise Problem(f"{folder}: no such folder; give the one with ChaLearn's archives and lists as --download")
    found, made = Download(), {(output / name).resolve() for name in ("video", "class.csv", "clips.csv")}
    for parent, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if (Path(parent) / name).resolve() not in made)
        for name in sorted(files):
            path, lower = Path(parent) / name, name.lower()
            if path.resolve() in made:
                continue
            if lower.endswith((*archive.SUFFIXES, *archive.FOREIGN_SUFFIXES)):
                found.archives.append(path)
            elif match := LIST_NAME.fullmatch(lower):
                found.lists[match[1].replace("val", "valid")].append(path)
            elif lower.endswith(dataset.VIDEO_SUFFIXES):
                found.videos.append(path)
            elif lower in ("class.csv", "signers.csv"):
                found.tables.setdefault(lower, path)
    return found


def read_class_table(path: Path) -> list[Label]:
    """A class table whose labels are numbers, written with three digits."""
    classes = dataset.read_classes(path)
    for row in classes:
        if not (row.label.isascii() and row.label.isdigit()):
            raise Problem(f"{path}: label {row.label!r}; expected a gesture's number, such as 026")
    return [replace(row, label=f"{int(row.label):03d}") for row in classes]


def own_class_table() -> Path:
    """The repository's table of the 249 gestures, or its copy where a run has put a smaller one in its place."""
    full = OWN_FOLDER / FULL_TABLE
    return full if full.exists() else OWN_FOLDER / "class.csv"


def keep_own_table(output: Path, classes: list[Label]) -> None:
    """Before a data set with other classes replaces the repository's own class table, keep that as class-full.csv."""
    full = output / FULL_TABLE
    if output.resolve() == OWN_FOLDER and not full.exists():
        own = read_class_table(own_class_table())
        if own != classes:
            dataset.write_classes(full, own)


def choose_classes(wanted: str, classes: list[Label], rows: list[Row]) -> list[Label]:
    """The classes that `--classes` asks for: the N with most training rows (ties by number), or those of a table."""
    if not wanted:
        return classes
    if not wanted.isdigit():
        chosen, known = read_class_table(Path(wanted)), {row.label for row in classes}
        if unknown := [row.label for row in chosen if row.label not in known]:
            raise Problem(f"{wanted}: label {unknown[0]} is not in the class table of the data set")
        return chosen
    counts = Counter(row.label for row in rows if row.split == "train" and row.label)
    if not 1 <= int(wanted) <= len(counts):
        raise Problem(f"--classes {wanted}: the training list has {len(counts)} labels; ask for 1 to {len(counts)}")
    best = sorted(counts, key=lambda label: (-counts[label], label))[: int(wanted)]
    return [row for row in classes if row.label in best]


def read_signers(path: Path | None) -> dict[str, str]:
    """{RGB path of the list: signer} from a table `video,signer`; empty where there is none."""
    if path is None:
        return {}
    return {row["video"].replace("\\", "/"): row["signer"] for row in dataset.read_table(path, ("video", "signer"))}


def find_all(flags: argparse.Namespace) -> tuple[Download, Path]:
    """What the download folder holds, files named by flags in place of those found; and the class table."""
    found = find_download(flags.download, flags.output)
    for split in dataset.SPLITS:
        if named := getattr(flags, f"{split}_list"):
            found.lists[split] = [named]
    found.archives = flags.archives or found.archives
    if flags.signers:
        found.tables["signers.csv"] = flags.signers
    if not any(found.lists.values()):
        names = "train.txt or train_list.txt, valid.txt, test.txt"
        raise Problem(f"{flags.download}: no list in it; expected {names} with rows {LIST_ROW!r}")
    if not found.archives and not found.videos:
        raise Problem(f"{flags.download}: no archive and no video in it; put ChaLearn's archives beside the lists")
    return found, flags.class_table or found.tables.get("class.csv") or own_class_table()


def read_lists(found: Download) -> tuple[list[Row], list[tuple[str, str]], list[str]]:
    """The rows of all splits, (split, reason) of bad ones, and notes on missing lists and labels."""
    rows, failed, remarks = [], [], []
    for split, paths in found.lists.items():
        if not paths:
            remarks.append(f"{split}: no list found, so no clips")
            continue
        split_rows, split_failed = choose_list(paths, split)
        rows += split_rows
        failed += split_failed
        bare = [row for row in split_rows if not row.label]
        if len(bare) == len(split_rows):
            remarks.append(f"{split}: its list has no labels; its clips can be predicted, not scored")
        elif bare:
            where = place.listed([row.where for row in bare])
            remarks.append(f"{split}: {len(bare)} rows without a label, kept as unlabelled: {where}")
    return rows, failed, remarks


def name_missing(rows: list[Row], there: set[PurePosixPath], download: Path) -> list[tuple[str, str]]:
    """(name, reason) for the rows whose video was not found: one for a split or a folder that is missing whole."""
    wanted = Counter(level for row in rows for level in (row.split, (row.split, row.path.parent)))
    missing = [row for row in rows if row.path not in there]
    absent = Counter(level for row in missing for level in (row.split, (row.split, row.path.parent)))
    failed = {}
    for row in missing:
        folder = (row.split, row.path.parent)
        if absent[row.split] == wanted[row.split] > 1:
            reason = (
                f"none of its {wanted[row.split]:,} videos ({row.path}, ...) is in an archive or folder of {download}"
            )
            failed.setdefault(row.split, (row.split, reason))
        elif absent[folder] == wanted[folder] > 1:
            reason = f"none of its {wanted[folder]:,} videos is in an archive or folder of {download}"
            failed.setdefault(folder, (str(row.path.parent), reason))
        else:
            failed[row] = (str(row.path), f"video not found in any archive or folder ({row.where})")
    return list(failed.values())


@dataclass
class Plan:
    """What a run is to make: the clips wanted, by their path in the lists, and what was wrong with the lists."""

    found: Download
    rows: list[Row]
    classes: list[Label]
    clips: dict[PurePosixPath, Clip]
    failed: list[tuple[str, str]]
    remarks: list[str]


def plan(flags: argparse.Namespace) -> Plan:
    """Read everything there is to read before anything is written."""
    found, table = find_all(flags)
    classes = read_class_table(table)
    rows, failed, remarks = read_lists(found)
    rows, outside = check_rows(rows, classes, table)
    classes = choose_classes(flags.classes, classes, rows)
    chosen = {row.label for row in classes} | {""}
    rows = [row for row in rows if row.label in chosen]
    signers = read_signers(found.tables.get("signers.csv"))
    clips = {row.path: as_clip(row, signers.get(str(row.path), "")) for row in rows}
    if signers and not any(clip.signer for clip in clips.values()):
        remarks.append(f"{found.tables['signers.csv']}: names no video of the lists, so no signer is known")
    return Plan(found, rows, classes, clips, failed + outside, remarks)


def as_clip(row: Row, signer: str) -> Clip:
    """The clip of a row; its group is the folder of its path, as IsoGD says nothing of who signs."""
    return Clip(row.clip_name, row.split, row.label, signer, str(row.path.parent), str(row.path))


def prepare(flags: argparse.Namespace) -> int:
    """Do what the flags say; the exit code."""
    todo = plan(flags)
    targets = {path: clip.video(flags.output) for path, clip in todo.clips.items()}
    videos = Videos(list(targets))
    for path in todo.found.archives:
        videos.look_in(path)
    for path in todo.found.videos:
        videos.look_at(path)
    with command.lock(flags.output):
        command.remove_leftovers(flags.output / "video")
        earlier = place.earlier_clips(flags.output)
        place.move_changed(flags.output, earlier, todo.clips.values())
        recorded = {path: earlier[clip.clip].sha256 for path, clip in todo.clips.items() if clip.clip in earlier}
        videos.recall(targets, recorded)
        place.check_room(flags.output, videos.bytes_needed(targets))
        outcome = videos.unpack(targets, flags.password, flags.workers)
        missing = name_missing(todo.rows, set(videos.found), flags.download)
        outcome.failed = todo.failed + outcome.failed + missing
        sums = {path: digest for path, digest, _ in outcome.done}
        done = [replace(clip, sha256=sums[path]) for path, clip in todo.clips.items() if path in sums]
        keep_own_table(flags.output, todo.classes)
        fresh = sum(written for _, _, written in outcome.done)
        expected = Counter(row.split for row in todo.rows)
        data = Dataset(flags.output, done, todo.classes)
        return place.finish(data, outcome, expected, fresh, todo.remarks, flags.verbose)


def main(argv: list[str] | None = None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument(
        "--download", type=Path, required=True, metavar="FOLDER", help="archives and lists, at any depth"
    )
    flags.add_argument("--output", type=Path, required=True, metavar="FOLDER", help="the data set, data_set/<name>")
    flags.add_argument(
        "--classes",
        default="",
        metavar="N|TABLE",
        help="keep only the N gestures with most training rows"
        " (ties by number), or those of a class table; unlabelled clips are kept (default: all)",
    )
    flags.add_argument("--password", default="", help="of encrypted zip archives")
    named = flags.add_argument_group("files to use instead of those found in the download folder")
    for split in dataset.SPLITS:
        named.add_argument(
            f"--{split}-list", type=Path, metavar="FILE", help=f"list, or label file, of the {split} split"
        )
    named.add_argument("--archives", type=Path, nargs="+", metavar="FILE", help="archives")
    named.add_argument(
        "--class-table",
        type=Path,
        metavar="FILE",
        help="label,name,kind (default: class.csv of the download folder, else the 249 gestures of data_set/chalearn)",
    )
    named.add_argument("--signers", type=Path, metavar="FILE", help="video,signer; video as in the lists")
    flags.add_argument("--verbose", action="store_true", help="print the clips of every class too")
    command.add_workers(flags)
    return prepare(flags.parse_args(argv))


if __name__ == "__main__":
    sys.exit(command.run(main))
