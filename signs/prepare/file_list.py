"""Data sets whose lists name each video: what prepare_chalearn.py and prepare_ucf101.py do alike.

    download = find_download(folder, output, is_list)    the archives, lists, videos and tables below a folder
    rows, failed = read_rows(text, ...)                  the rows of a list
    rows, failed = check_rows(rows, classes, table)      the rows that stand once and have a known label
    classes, rows = choose_classes("20", classes, rows)  the 20 classes with most clips, or those of a table
    code = carry_out(plan, flags)                        every video straight to its place, then clips.csv, class.csv

A label is the number of a class in the lists, written with three digits.
"""

import argparse
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips import dataset
from signs.clips.container import VIDEO_SUFFIXES
from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.names import check_text
from signs.command import Problem
from signs.prepare import archive, summary, transfer
from signs.prepare.class_numbers import check_start
from signs.prepare.unpack import Videos

FULL_TABLE = "class-full.csv"


def add_list_flags(flags: argparse.ArgumentParser) -> None:
    """The flags that every such data set has."""
    folder = {"type": Path, "required": True, "metavar": "FOLDER"}
    flags.add_argument("--download", **folder, help="archives and lists, at any depth")
    flags.add_argument("--output", **folder, help="the data set, data_set/<name>")
    kept = "keep only the N gestures with most training rows (ties by number) and what is no gesture, or the classes "
    kept += "of a class table; unlabelled clips are kept (default: all)"
    flags.add_argument("--classes", default="", metavar="N|TABLE", help=kept)
    command.add_dry_run(flags)
    command.add_workers(flags)


@dataclass
class Download:
    """What lies in a download folder; `lists` by what each is the list of, `tables` by name."""

    archives: list[Path] = field(default_factory=list)
    lists: dict[str, list[Path]] = field(default_factory=dict)
    videos: list[Path] = field(default_factory=list)
    tables: dict[str, Path] = field(default_factory=dict)


def find_download(folder: Path, output: Path, is_list: Callable[[str], str | None]) -> Download:
    """Everything of use below `folder`, sorted; what an earlier run made below `output` is left out.

    `is_list`: a file's name in lower case -> what it is the list of; None where it is no list.
    """
    if not folder.is_dir():
        raise Problem(f"{folder}: no such folder; give the one with the archives and lists as --download")
    download, made = Download(), [output / name for name in ("video", "class.csv", "clips.csv")]
    for path in archive.files_below(folder, made):
        name = path.name.lower()
        if name.endswith(archive.SUFFIXES):
            download.archives.append(path)
        elif listed := is_list(name):
            download.lists.setdefault(listed, []).append(path)
        elif name.endswith(VIDEO_SUFFIXES):
            download.videos.append(path)
        elif name in ("class.csv", "signers.csv"):
            download.tables.setdefault(name, path)
    return download


@dataclass(frozen=True)
class Row:
    """A row of a list: the video's `path` as it stands there, `label` of three digits or empty, `where` to name it;
    depth: the path of its depth, where the list has one."""

    split: str
    path: PurePosixPath
    label: str
    where: str
    depth: PurePosixPath | None = None


def read_rows(
    text: str, split: str, source: Path, read_row: Callable[[str, str, str], Row], example: str
) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows of a list, and (split, reason) of those that are none; `read_row(line, split, where)` reads one."""
    rows, failed = [], []
    for number, line in enumerate(text.splitlines(), 1):
        with command.noting(failed, split):
            if line.strip():
                rows.append(read_row(line, split, f"{source.name} line {number}"))
    if not rows:
        raise Problem(f"{source}: no row of a list in it; expected rows {example!r}")
    return rows, failed


def check_rows(rows: list[Row], classes: list[Label], table: Path) -> tuple[list[Row], list[tuple[str, str]]]:
    """The rows that stand once and whose label is in the class table; (split, reason) for the others."""
    known = {row.label for row in classes}
    check_start({row.label: row.where for row in reversed(rows)}, known, str(table))
    good, failed, outside = {}, [], {}
    for row in rows:
        if row.label and row.label not in known:
            outside.setdefault((row.split, row.label), []).append(row)
        elif (first := good.setdefault(row.path, row)) is not row:
            failed.append((f"{row.where}, {row.path}", f"stands in {first.where} already; left out"))
    for (split, label), strays in outside.items():
        count = f"{len(strays)} rows left out, the first" if len(strays) > 1 else "left out"
        failed.append((split, f"{strays[0].where}: label {label} is not in {table}; {count} {strays[0].path}"))
    return list(good.values()), failed


def name_missing(rows: list[Row], there: set[PurePosixPath], download: Path) -> list[tuple[str, str]]:
    """(name, reason) for the rows whose video is missing; a split or a folder that is missing whole has one line."""
    missing = [row for row in rows if row.path not in there]
    wanted = Counter(level for row in rows for level in (row.split, (row.split, row.path.parent)))
    absent = Counter(level for row in missing for level in (row.split, (row.split, row.path.parent)))
    failed, where = {}, f"is in an archive or folder of {download}"
    for row in missing:
        split, folder = row.split, (row.split, row.path.parent)
        if absent[split] == wanted[split] > 1:
            failed.setdefault(split, (split, f"none of its {wanted[split]:,} videos ({row.path}, ...) {where}"))
        elif absent[folder] == wanted[folder] > 1:
            failed.setdefault(folder, (str(row.path.parent), f"none of its {wanted[folder]:,} videos {where}"))
        else:
            failed[row] = (str(row.path), f"video not found in any archive or folder ({row.where})")
    return list(failed.values())


def number_label(number: str) -> str:
    """`26` -> `026`"""
    return f"{int(number):03d}"


def read_class_table(path: Path) -> list[Label]:
    """The rows of a class table, labels with three digits; raises Problem where a label is no number."""
    classes = dataset.read_classes(path)
    for row in classes:
        if not (row.label.isascii() and row.label.isdigit()):
            raise Problem(f"{path}: label {row.label!r}; expected a class's number, such as 026")
    return [replace(row, label=number_label(row.label)) for row in classes]


def own_class_table(folder: Path) -> Path:
    """The repository's table of all classes; its copy, where a run has put a smaller table in its place."""
    full = folder / FULL_TABLE
    return full if full.exists() else folder / "class.csv"


def keep_class_table(folder: Path, output: Path, classes: list[Label]) -> None:
    """Keep the repository's own class table as class-full.csv before one with other classes is written over it."""
    full = output / FULL_TABLE
    if output.resolve() == folder and not full.exists():
        whole = read_class_table(own_class_table(folder))
        if whole != classes:
            dataset.write_classes(full, whole)


def choose_classes(wanted: str, classes: list[Label], rows: list[Row]) -> tuple[list[Label], list[Row]]:
    """The classes that `--classes` asks for, and the rows of these or without a label.

    `wanted`: N for the gestures with most training rows (ties by number), beside which what is no gesture stays; a path
    for those of a table, empty for all.
    """
    if wanted.isdigit():
        idle = {row.label for row in classes if row.kind == "none"}
        counts = Counter(row.label for row in rows if row.split == "train" and row.label not in ("", *idle))
        if not 1 <= int(wanted) <= len(counts):
            labels = command.counted(len(counts), "label")
            raise Problem(f"--classes {wanted}: the training list has {labels}; ask for 1 to {len(counts)}")
        best = sorted(counts, key=lambda label: (-counts[label], label))[: int(wanted)]
        classes = [row for row in classes if row.label in (*best, *idle)]
    elif wanted:
        chosen, known = read_class_table(Path(wanted)), {row.label for row in classes}
        if unknown := [row.label for row in chosen if row.label not in known]:
            raise Problem(f"{wanted}: label {unknown[0]} is not in the class table of the data set")
        classes = chosen
    kept = {row.label for row in classes} | {""}
    return classes, [row for row in rows if row.label in kept]


def read_signers(path: Path | None, column: str) -> dict[str, str]:
    """{value of `column`, a path or a name: signer} of a table signers.csv; empty where there is none."""
    rows = dataset.read_table(path, (column, "signer")) if path else []
    return {
        row[column].strip().replace("\\", "/"): check_text(row["signer"], f"{path}: signer", may_be_empty=True)
        for row in rows
    }


@dataclass
class Plan:
    """What a run is to make: the clips wanted, by their path in the lists, and what was wrong with the lists.

    `own_folder` is the folder of the repository that describes this data set; depths: {a clip's path: its depth's}
    where depth is wanted.
    """

    download: Download
    rows: list[Row]
    classes: list[Label]
    clips: dict[PurePosixPath, Clip]
    failed: list[tuple[str, str]]
    remarks: list[str]
    own_folder: Path
    depths: dict[PurePosixPath, PurePosixPath] = field(default_factory=dict)


def carry_out(plan: Plan, flags: argparse.Namespace, password: str = "") -> int:
    """Bring every video of the plan from the download folder to its place and write the tables; the exit code."""
    clips = dict(zip(plan.clips, dataset.placed(plan.clips.values()), strict=True))
    targets = {path: clip.video(flags.output) for path, clip in clips.items()}
    depths = {depth: clips[path].video(flags.output, "depth") for path, depth in plan.depths.items() if path in clips}
    videos = Videos(targets | depths)
    for path in plan.download.archives:
        videos.look_in(path)
    for path in plan.download.videos:
        videos.look_at(path)
    if flags.dry_run:
        return videos.rehearse(password, flags.workers).summary()
    with command.lock(flags.output):
        earlier = transfer.look_back(flags.output, ("video", "depth"))
        transfer.move_changed(flags.output, earlier.clips, clips.values())
        known = {name: clip.sha256 for name, clip in earlier.clips.items()}
        recorded = {path: known[clip.clip] for path, clip in clips.items() if clip.clip in known}
        videos.recall(recorded)
        transfer.check_room(flags.output, videos.bytes_needed())
        outcome = videos.unpack(password, flags.workers)
        missing = name_missing(plan.rows, set(videos.found), flags.download)
        outcome.failed = plan.failed + outcome.failed + missing
        sums = {path: digest for path, digest, _ in outcome.done}
        done = [replace(clip, sha256=sums[path]) for path, clip in clips.items() if path in sums]
        keep_class_table(plan.own_folder, flags.output, plan.classes)
        fresh = sum(written for path, _, written in outcome.done if path in targets)
        lacking = [str(path) for path, target in depths.items() if path not in sums and not target.exists()]
        outcome.failed += [(path, "depth not found in any archive or folder") for path in lacking]
        expected = Counter(row.split for row in plan.rows)
        data = Dataset(flags.output, done, plan.classes)
        return summary.save_and_report(data, outcome, expected, fresh, plan.remarks, earlier.below)
