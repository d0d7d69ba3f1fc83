"""Anybody's probabilities, judged as ours are: files of foreign_table.py beside a data set's clips.

    tables, account = foreign.predictions(paths, data, ["valid", "test"])
    subject = foreign.Foreign(ForeignModel(folder, ...), Calibration())         what evaluate.py takes for a recogniser

Each row of a file ends as a clip's probabilities, or in a reason; each clip of the splits likewise. No network is run.
"""

import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips.container import VIDEO_SUFFIXES
from signs.clips.dataset import Clip, Dataset, Label
from signs.command import Problem
from signs.console import read_cell
from signs.evaluation.foreign_table import Table, read_probabilities
from signs.inference.confidence import Calibration, load_calibration
from signs.inference.predictions import GIVEN, Predictions
from signs.prepare.depth import ENDING, WORDS

import numpy as np

SAME = 1e-6  # by which two rows of a clip may differ and be one
UNKNOWN = "names no clip of the data set"
KEEP_ZEROS = "names are texts, keep their zeros (pandas: dtype=str, or str.zfill on what was written)"
NO_ROW = "no row in the file"


@dataclass(frozen=True)
class ForeignModel:
    """What there is to know of a model whose answers alone are there: where its report goes, its classes (those of the
    data set, then others of its own), {file: SHA-256}, and (what, text) about the files."""

    folder: Path
    classes: list[Label]
    hashes: dict[str, str]
    about: list[tuple[str, str]]
    streams: tuple = ()


@dataclass
class Foreign:
    """A foreign model and how sure it is, as metrics.py reads a recogniser."""

    bundle: ForeignModel
    calibration: Calibration

    @property
    def classes(self) -> list[Label]:
        return self.bundle.classes

    @classmethod
    def of(cls, folder: Path, classes: list[Label], paths: list[Path], data: Dataset, account: "Account") -> "Foreign":
        """A model of these files, as sure as an earlier evaluation of the same files found it."""
        hashes = {path.name: command.sha256(path) for path in paths}
        about = about_files(paths, data, account)
        return cls(ForeignModel(folder, classes, hashes, about), load_calibration(folder, hashes))


@dataclass
class Account:
    """What became of the rows: how often each reason, (name, reason) of rows that are lost, a line for each note."""

    rows: Counter = field(default_factory=Counter)
    failed: list[tuple[str, str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def print(self, clips: int) -> None:
        """How many rows there are and what became of each; `clips` have probabilities."""
        total = command.counted(self.rows.total(), "row")
        print(f"{total}: {', '.join(f'{count:,} {reason}' for reason, count in self.rows.most_common())}")
        for line in self.notes:
            print(command.one_line(f"note: {line}"))
        print(f"{command.counted(clips, 'clip')} with probabilities")


class Clips:
    """The clips of a data set by what a file may call them: their name, or the path of their video; where no clip is
    called so, either without the `_color` that a set's own lists leave out (AUTSL)."""

    def __init__(self, data: Dataset):
        self._named = {item.clip: item for item in data.clips}
        self._stems: dict[str, list[tuple[Clip, tuple[str, ...]]]] = defaultdict(list)
        self._bare: dict[str, list[tuple[Clip, tuple[str, ...]]]] = defaultdict(list)
        self._numbers: dict[str, list[str]] = defaultdict(list)
        for item in data.clips:
            places = {parts_of(item.source), parts_of(item.video(data.folder).as_posix()), parts_of(item.clip)}
            for parts in places - {()}:
                self._stems[parts[-1]].append((item, parts))
                if (ending := ENDING.fullmatch(parts[-1])) and WORDS[ending["word"].lower()] == "color":
                    self._bare[ending["name"]].append((item, (*parts[:-1], ending["name"])))
            if item.clip.isdecimal():
                self._numbers[item.clip.lstrip("0")].append(item.clip)

    def find(self, text: str) -> Clip:
        """The clip of a name or path; raises Problem where there is none, or several fit alike."""
        for name in (text, read_cell(text)):  # the latter as our own tables have it
            if name in self._named:
                return self._named[name]
        asked, best, longest = parts_of(text), {}, 0
        last = asked[-1] if asked else ""
        for item, parts in self._stems.get(last) or self._bare.get(last, ()):
            alike = _common_end(asked, parts)
            if alike > longest:
                best, longest = {}, alike
            if alike == longest:
                best[item.clip] = item
        if len(best) > 1:
            raise Problem(f"may be {len(best)} clips, {command.listed(sorted(best), 2)}; use the names of clips.csv")
        if not best:
            # Not taken for it: an index that counts rows would fit other clips.
            zeros = [name for name in self._numbers.get(text.removesuffix(".0"), ()) if name != text]
            raise Problem(f"{UNKNOWN}{f'; {zeros[0]} is one: {KEEP_ZEROS}' if len(zeros) == 1 else ''}")
        return next(iter(best.values()))


def parts_of(path: str) -> tuple[str, ...]:
    """`D:\\videos\\house 1.mp4` -> (`D:`, `videos`, `house 1`)."""
    pure = PurePosixPath(unicodedata.normalize("NFC", path).strip().replace("\\", "/"))  # macOS writes NFD
    parts = tuple(part for part in pure.parts if part not in ("/", ".", ".."))
    return (*parts[:-1], pure.stem if pure.suffix.lower() in VIDEO_SUFFIXES else pure.name) if parts else ()


def _common_end(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    """How many of the last parts are equal."""
    equal = [a == b for a, b in zip(one[::-1], other[::-1], strict=False)]
    return equal.index(False) if False in equal else len(equal)


def place_rows(table: Table, clips: Clips, splits: list[str], account: Account) -> tuple[dict[str, int], dict]:
    """({clip of the splits: its row}, {clip: why its row is of no use}); what becomes of each row goes to `account`."""
    rows, refused = defaultdict(list), {}
    for row, name in enumerate(table.names):
        try:
            item = clips.find(name)
        except Problem as problem:
            account.rows[UNKNOWN if str(problem).startswith(UNKNOWN) else "fit several clips"] += 1
            account.failed.append((name, str(problem)))
            continue
        if item.split not in splits:
            account.rows["of other splits"] += 1
        elif row in table.reasons:
            account.rows["without usable numbers"] += 1
            refused[item.clip] = table.reasons[row]
        else:
            rows[item.clip].append(row)
    placed = {}
    for clip, several in rows.items():
        spread = np.ptp(table.values[several], axis=0).max()
        if clip in refused or spread > SAME:
            account.rows["of clips whose rows differ"] += len(several)
            refused[clip] = f"{len(several) + (clip in refused)} rows with other numbers each; expected one row a clip"
        else:
            placed[clip] = several[0]
            account.rows["used"] += 1
            if len(several) > 1:
                account.rows["twice with the same numbers"] += len(several) - 1
    return placed, refused


def merged(paths: list[Path], tables: list[Table]) -> Table:
    """Several files as one; raises Problem where they have not the same classes."""
    first, offset, names, reasons, notes = tables[0], 0, [], {}, []
    for path, table in zip(paths, tables, strict=True):
        if sorted(table.others) != sorted(first.others):
            raise Problem(f"{path}: has other classes than {paths[0]}; give files of one model")
        reasons |= {row + offset: why for row, why in table.reasons.items()}
        names += table.names
        notes += [f"{path.name}: {line}" if len(paths) > 1 else line for line in table.notes]
        offset += len(table.names)
    values = np.concatenate([t.values[:, [t.classes.index(label) for label in first.classes]] for t in tables])
    return Table(names, first.classes, first.others, values, reasons, notes)


def read_predictions(
    paths: list[Path], data: Dataset, splits: list[str]
) -> tuple[dict[str, tuple[Predictions, list]], list[Label], Account]:
    """{split: (its probabilities, [(clip, why it has none)])}, the classes, and what became of the rows.

    Raises Problem where a file is no table of this data set's classes, or a split has no clip with probabilities.
    """
    table = merged(paths, [read_probabilities(path, data.classes) for path in paths])
    account = Account(notes=list(table.notes))
    placed, refused = place_rows(table, Clips(data), splits, account)
    found = {}
    for split in splits:
        there = [item for item in data.split(split) if item.clip in placed]
        missing = [(item.clip, refused.get(item.clip, NO_ROW)) for item in data.split(split) if item.clip not in placed]
        if not there:
            reason = account.failed[0] if account.failed else missing[0]
            none = f"{paths[0]}: no clip of {split} has probabilities in it"
            raise Problem(f"{none}, such as {missing[0][0]}; {reason[0]}: {reason[1]}")
        rows = table.values[[placed[item.clip] for item in there]]
        found[split] = Predictions(there, table.classes, {GIVEN: rows}), missing
    return found, [*data.classes, *(Label(name, name) for name in table.others)], account


def about_files(paths: Iterable[Path], data: Dataset, account: Account) -> list[tuple[str, str]]:
    """What a reader needs to know of where the numbers come from: (what, text) each."""
    return [
        ("probabilities", ", ".join(path.name for path in paths)),
        ("data set", data.folder.resolve().name),
        ("rows", ", ".join(f"{count:,} {reason}" for reason, count in account.rows.most_common())),
        *(("note", line) for line in account.notes),
        ("learnt from", "taken to be the training split of the data set: nobody can see whether it was"),
        ("networks", "none was run: the probabilities are somebody else's"),
    ]
