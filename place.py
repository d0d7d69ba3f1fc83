"""Videos into the folder contract: what every prepare_*.py does once it knows its clips.

A video goes to `video/<split>/<label>/<clip>` under a temporary name, is checked and then renamed, so it is there whole
or not at all. One that is there already with equal content is left alone: that is how a run goes on from where the last
one stopped, and why a second run does nothing.
"""

import hashlib
import os
import shutil
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path, PurePath

from command import DISC_FULL, Outcome, Problem, atomic, sha256

import dataset
from dataset import Clip, Dataset

TRANSFERS = ("copy", "hardlink", "link")
CHUNK = 1 << 20  # bytes
MOST_LINES = 50  # of one kind of note


class NoHardLink(Problem):
    """The disc, or that the source is on another one, allows no hard link; a copy may be made instead."""


def fingerprint(path: Path) -> tuple[int, str]:
    """(CRC-32, SHA-256) of a file, read once."""
    crc, digest = 0, hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(CHUNK):
            crc = zlib.crc32(chunk, crc)
            digest.update(chunk)
    return crc, digest.hexdigest()


def write(target: Path, chunks: Iterable[bytes], size: int) -> str:
    """Write a video of exactly `size` bytes whole or not at all; its SHA-256. Raises Problem where it is no video."""
    digest, written = hashlib.sha256(), 0
    with atomic(target) as temporary:
        with open(temporary, "wb") as file:
            for chunk in chunks:
                written += len(chunk)
                if written > size:
                    raise Problem(f"unpacks to more than the {size:,} bytes its header declares; not taken")
                digest.update(chunk)
                file.write(chunk)
        if written != size:
            raise Problem(f"{written:,} bytes came, its header declares {size:,}; the archive is cut short")
        check_video(temporary)
    return digest.hexdigest()


def check_video(path: Path) -> None:
    """Raise Problem where the file is no video."""
    problem = dataset.video_problem(path)
    if problem:
        raise Problem(problem)


def put(source: Path, target: Path, transfer: str, digest: str = "") -> tuple[str, bool]:
    """Bring a video file to its place by `transfer`; (its SHA-256, whether anything had to be done)."""
    check_video(source)
    digest = digest or sha256(source)
    if _is_there(source, target, transfer, digest):
        return digest, False
    with atomic(target) as temporary:
        if transfer == "link":
            temporary.symlink_to(source.resolve())
        elif transfer == "hardlink":
            _hardlink(source, temporary)
        else:
            shutil.copyfile(source, temporary)
            if sha256(temporary) != digest:
                raise Problem("the copy differs from the source; check the disc, then run the same command again")
    return digest, True


def _hardlink(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError as error:
        if error.errno in DISC_FULL:
            raise
        raise NoHardLink("no hard link can be made there (another disc?); use --transfer copy or link") from None


def _is_there(source: Path, target: Path, transfer: str, digest: str) -> bool:
    if transfer == "link":
        return target.is_symlink() and target.resolve() == source.resolve()
    if target.is_symlink() or not target.is_file():
        return False
    if target.samefile(source):
        return transfer == "hardlink"
    return transfer == "copy" and target.stat().st_size == source.stat().st_size and sha256(target) == digest


def unique_names(sources: Sequence[PurePath]) -> list[str]:
    """A name for each path: its stem, with as many folders in front (`S1_videos_wave`) as keep equal names apart."""
    depths = [0] * len(sources)

    def name(index: int) -> str:
        source, depth = sources[index], depths[index]
        folders = source.parts[:-1]
        # Where all the folders are not enough, only the suffix tells two files apart.
        last = source.stem if depth <= len(folders) else source.name.replace(".", "_")
        return "_".join([*folders[max(0, len(folders) - depth) :], last])

    while True:
        names = [name(index) for index in range(len(sources))]
        # Two names that differ in case alone are one file on some systems.
        counts = Counter(each.casefold() for each in names)
        shared = [index for index, each in enumerate(names) if counts[each.casefold()] > 1]
        deeper = [index for index in shared if depths[index] < len(sources[index].parts)]
        if not deeper:
            return names
        for index in deeper:
            depths[index] += 1


def existing_parent(path: Path) -> Path:
    """`path` itself, or the nearest folder above it that exists."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def check_room(folder: Path, need: int) -> None:
    """Raise Problem where the disc of `folder`, which need not exist yet, has less than `need` bytes free."""
    free = shutil.disk_usage(existing_parent(folder)).free
    if need > free:
        raise Problem(
            f"{folder}: about {need / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free on its disc; make room or choose "
            "another --output"
        )


def earlier_clips(folder: Path) -> dict[str, Clip]:
    """{clip name: Clip} of the last whole run over `folder`; empty where there was none."""
    if not (folder / "clips.csv").exists():
        return {}
    return {clip.clip: clip for clip in dataset.read_clips(folder / "clips.csv")}


def move_changed(folder: Path, earlier: dict[str, Clip], clips: Iterable[Clip]) -> int:
    """Rename videos whose split or label is another than in the last run, so that they are not made again."""
    moved = 0
    for clip in clips:
        before = earlier.get(clip.clip)
        if before and before.folder != clip.folder:
            old, new = before.video(folder), clip.video(folder)
            if old.is_file() and not new.exists():
                new.parent.mkdir(parents=True, exist_ok=True)
                old.rename(new)
                moved += 1
    return moved


def left_over(data: Dataset) -> int:
    """How many videos lie below `video/` that no row of clips.csv names."""
    named = {clip.video(data.folder) for clip in data.clips}
    videos = (path for path in (data.folder / "video").rglob("*") if path.suffix in dataset.VIDEO_SUFFIXES)
    return sum(path not in named for path in videos)


def signers_in_two_splits(clips: Iterable[Clip]) -> dict[str, list[str]]:
    """{signer: its splits} of the signers that stand in more than one."""
    return _in_two_splits((clip.signer, clip.split) for clip in clips)


def copies_in_two_splits(clips: list[Clip]) -> list[str]:
    """A line for each content that several splits hold: the clips that are identical."""
    shared = _in_two_splits((clip.sha256, clip.split) for clip in clips)
    by_content: dict[str, list[str]] = {digest: [] for digest in shared}
    for clip in clips:
        if clip.sha256 in by_content:
            by_content[clip.sha256].append(f"{clip.clip} ({clip.split})")
    return [" = ".join(names) for names in by_content.values()]


def _in_two_splits(pairs: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, set[str]] = {}
    for key, split in pairs:
        if key:
            found.setdefault(key, set()).add(split)
    return {key: [split for split in dataset.SPLITS if split in splits]
            for key, splits in found.items() if len(splits) > 1}  # fmt: skip


def print_counts(data: Dataset, expected: Counter, each_class: bool = False) -> None:
    """A table of clips a split: expected, found, missing, unlabelled, and how even the classes are."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE, padding=(0, 1, 0, 0))
    table.add_column("split", no_wrap=True)
    for column in ("expected", "found", "missing", "no label", "signers", "classes", "min/med/max"):
        table.add_column(column, justify="right", no_wrap=True)
    for split, counts in data.count().items():
        found = counts.total()
        signers = len({clip.signer for clip in data.split(split) if clip.signer})
        each = sorted(count for label, count in counts.items() if label)
        row = (expected[split], found, expected[split] - found, counts[""], signers or "?", len(each))
        spread = f"{each[0]}/{each[len(each) // 2]}/{each[-1]}" if each else ""
        table.add_row(split, *(f"{value:,}" if isinstance(value, int) else value for value in row), spread)
    console = Console()
    console.print(f"{data.folder}: videos of each split, and how many a class", highlight=False, soft_wrap=True)
    console.print(table)
    if each_class:
        console.print(_class_table(data))


def _class_table(data: Dataset):
    from rich import box
    from rich.table import Table

    table = Table("label", "name", "kind", box=box.SIMPLE)
    for split in dataset.SPLITS:
        table.add_column(split, justify="right")
    counts = data.count()
    for row in data.classes:
        table.add_row(row.label, row.name, row.kind, *(f"{counts[split][row.label]:,}" for split in dataset.SPLITS))
    return table


def notes(data: Dataset) -> Iterator[str]:
    """What a reader of the table should know: empty classes, copies and signers in two splits, left-over videos."""
    counts = data.count()
    for split in dataset.SPLITS:
        empty = [row.label for row in data.classes if not counts[split][row.label]]
        if empty and any(label for label in counts[split]):
            yield f"{split}: no clip of {len(empty)} of {len(data.classes)} classes: {listed(empty)}"
    shared = [f"{signer} ({', '.join(splits)})" for signer, splits in signers_in_two_splits(data.clips).items()]
    if shared:
        yield f"signers in two splits, so that measures there say little about new people: {listed(shared)}"
    copies = copies_in_two_splits(data.clips)
    for line in copies[:MOST_LINES]:
        yield f"identical files in two splits: {line}"
    if len(copies) > MOST_LINES:
        yield f"and {len(copies) - MOST_LINES:,} more identical files in two splits; clips.csv has their sha256"
    unused = left_over(data)
    if unused:
        yield f"{unused:,} videos below {data.folder / 'video'} are in no row of clips.csv; delete them if not wanted"


def listed(names: Sequence[str], most: int = 12) -> str:
    """`a, b, c and 5 more`."""
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def finish(data: Dataset, outcome: Outcome, expected: Counter, fresh: int, extra: list[str], each_class: bool) -> int:
    """Write the tables of the data set, print what became of it, and return the exit code."""
    if data.clips:
        dataset.save(data)
        print_counts(data, expected, each_class)
        for line in [*extra, *notes(data)]:
            print(f"note: {line}")
        there = len(data.clips) - fresh
        if fresh:
            print(f"{fresh:,} videos written, {there:,} were already there")
        else:
            print(f"nothing to do: all {there:,} videos were already there")
    sys.stdout.flush()
    outcome.done = data.clips
    return outcome.summary()
