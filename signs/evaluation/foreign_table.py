"""Tables of probabilities that any other program wrote: CSV, NumPy's .npz, or a JSON object a line.

    table = read_probabilities(Path("mine.csv"), data.classes)

A row is a clip, a column a class, in any order. What is no plain number of a class is noted, not guessed; arrays of
Python objects (pickles) are never read, as reading them runs them.
"""

import csv
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from signs.clips import tables
from signs.clips.dataset import Label
from signs.clips.names import check_text, folded
from signs.command import Problem, counted, listed
from signs.evaluation.foreign_arrays import CLIP, CLIP_NAMES, as_float, read_json, read_npz

import numpy as np
from scipy.special import softmax

# Columns that are no class, where no class has that name.
ABOUT = frozenset(
    ("", "unnamed: 0", "index", "label", "true", "truth", "target", "y", "y_true", "signer", "split", "stream", "group")
    + ("prediction", "pred", "predicted", "answer", "confidence", "probability", "top1", "correct", "right", "source")
)
PREFIX = "p_"  # as evaluate.py writes classes
SUM, PERCENT = 0.01, 100.0  # by which a row of probabilities may miss one; what percentages sum to
NUMBER = re.compile(r"\d+")


@dataclass(frozen=True)
class Table:
    """names: (N,) of the clips, as written; classes: the label of each column, first those of the data set's class
    table, then `others` that it does not have; values: (N, classes) float64 probabilities, NaN where a row has none;
    reasons: {row: why its numbers are none}; notes: what was done with the whole file, a line each."""

    names: list[str]
    classes: list[str]
    others: list[str]
    values: np.ndarray
    reasons: dict[int, str]
    notes: list[str]


@dataclass(frozen=True)
class Columns:
    """What heads mean: `labels` {position: label of the class table}, `others` {position: a class that it does not
    have}, `unused` heads."""

    labels: dict[int, str]
    others: dict[int, str]
    unused: list[str]


def read_probabilities(path: Path, classes: list[Label]) -> Table:
    """The table in a file, by its ending; raises Problem where it is none."""
    if not path.is_file():
        raise Problem(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; expected .csv, .npz or .jsonl")
    kind = path.suffix.lower()
    if kind == ".npz":
        names, heads, values, logits = read_npz(path)
    elif kind in (".json", ".jsonl", ".ndjson"):
        names, heads, values, logits = read_json(path)
    else:
        return _read_csv(path, classes)
    columns = name_columns(path, heads, range(len(heads)), classes)
    return _table(names, values, columns, classes, logits)


def name_columns(path: Path, heads: Sequence[str], positions: Sequence[int], classes: list[Label]) -> Columns:
    """Find the class of each column; raises Problem where two are one class, none is any, or numbers are no labels."""
    known = {row.label: row.label for row in classes}
    for text in ((row.name for row in classes), (folded(row.label) for row in classes)):
        _add_unique(known, list(text), classes)
    _add_unique(known, [folded(row.name) for row in classes], classes)
    prefixed = [at for at in positions if heads[at].startswith(PREFIX) and _find(known, heads[at][len(PREFIX) :])]
    labels, others, unused = {}, {}, []
    for at in positions:
        head = heads[at].strip()
        text = head[len(PREFIX) :] if prefixed and head.startswith(PREFIX) else head
        if prefixed and text == head:
            unused.append(head)
        elif label := _find(known, text):
            labels[at] = label
        elif text.lower() in ABOUT:
            unused.append(head)
        else:
            others[at] = check_text(text, f"{path}: column")
    _check_columns(path, heads, labels, others, classes)
    return Columns(labels, others, unused)


def _add_unique(known: dict[str, str], texts: list[str], classes: list[Label]) -> None:
    """Other ways to write a label, where they mean one class alone."""
    often = Counter(texts)
    for text, row in zip(texts, classes, strict=True):
        if often[text] == 1 and text:
            known.setdefault(text, row.label)


def _find(known: dict[str, str], text: str) -> str:
    return known.get(text) or known.get(folded(text), "")


def _check_columns(path: Path, heads: Sequence[str], labels: dict, others: dict, classes: list[Label]) -> None:
    expected = f"expected labels or names of class.csv, such as {classes[0].label}"
    if not labels:
        raise Problem(f"{path}: no column is a class; found {listed([*others.values()], 4) or 'nothing'}; {expected}")
    if numbers := [text for text in others.values() if NUMBER.fullmatch(text)]:
        # Columns 0 to N-1 beside labels 1 to N: all but one would be taken for its neighbour.
        raise Problem(f"{path}: columns {listed(numbers, 4)} are numbers that are no label; {expected}")
    often = Counter([*labels.values(), *others.values()])
    if twice := next((label for label, count in often.items() if count > 1), None):
        both = [heads[at] for at, label in (labels | others).items() if label == twice]
        raise Problem(f"{path}: columns {' and '.join(both)} are both class {twice}; leave one out")


def _table(names: list[str], values: np.ndarray, columns: Columns, classes: list[Label], logits: bool) -> Table:
    """values: (N, heads), the columns by their positions in it."""
    columns = _without_strangers(values, columns)
    at = {label: position for position, label in columns.labels.items()}
    order = [row.label for row in classes if row.label in at]
    others = list(columns.others.values())
    chosen = values[:, [*(at[label] for label in order), *columns.others]]
    reasons = {}
    for row in np.flatnonzero(~np.isfinite(chosen).all(axis=1)).tolist():
        bad = np.flatnonzero(~np.isfinite(chosen[row]))
        reasons[row] = (
            f"no finite number of {counted(len(bad), 'class', 'classes')}, such as {[*order, *others][bad[0]]}"
        )
    shares, wrong, notes = as_probabilities(chosen, logits)
    if columns.unused:
        unused = [head or "one without a name" for head in columns.unused]
        notes.append(f"columns that are no class were not used: {listed(unused, 4)}")
    lacking = [row.label for row in classes if row.label not in at]
    filled = np.zeros((len(names), len(classes) + len(others)))
    position = {row.label: index for index, row in enumerate(classes)}
    filled[:, [*(position[label] for label in order), *range(len(classes), filled.shape[1])]] = shares
    if lacking:
        have = "class of the data set has" if len(lacking) == 1 else "classes of the data set have"
        notes.append(f"{len(lacking)} {have} no column, and can never be answered: {listed(lacking, 4)}")
    if others:
        are = "column is a class" if len(others) == 1 else "columns are classes"
        notes.append(f"{len(others)} {are} that the data set has not; such an answer is wrong: {listed(others, 4)}")
    return Table(names, [*position, *others], others, filled, wrong | reasons, notes)


def _without_strangers(values: np.ndarray, columns: Columns) -> Columns:
    """Columns that the class table does not name are no classes where they hold no number at all (a comment), or where
    the named ones sum to one without them (a number of frames)."""
    with np.errstate(over="ignore", invalid="ignore"):
        named = values[:, [*columns.labels]]
        whole = 2 * ((named >= 0).all(axis=1) & (np.abs(named.sum(axis=1) - 1) <= SUM)).sum() >= max(1, len(values))
    strange = [at for at in columns.others if whole or not np.isfinite(values[:, at]).any()]
    others = {at: text for at, text in columns.others.items() if at not in strange}
    return Columns(columns.labels, others, [*columns.unused, *(columns.others[at] for at in strange)])


def as_probabilities(values: np.ndarray, logits: bool = False) -> tuple[np.ndarray, dict[int, str], list[str]]:
    """(N, classes) numbers -> (N, classes) float64 that sum to one, {row: why it is none}, and a line on what was done
    where they did not.

    Most rows decide what the file holds: probabilities, shares that do not sum to one, percent, or logits.
    """
    finite = np.isfinite(values).all(axis=1)
    rows, reasons, notes = values[finite], {}, []
    if not len(rows):
        return np.full_like(values, np.nan), {}, []
    with np.errstate(over="ignore"):  # numbers whose sum is infinite are logits, if anything
        sums = rows.sum(axis=1)
    low, high = rows.min(), rows.max()
    inside = (rows >= 0).all(axis=1) & (rows <= 1 + 1e-6).all(axis=1)
    fair = inside & (np.abs(sums - 1) <= SUM)
    span = f"sums from {sums.min():.4g} to {sums.max():.4g}"
    if logits:
        rows = softmax(rows, axis=1)
    elif 2 * fair.sum() >= len(rows):
        if off := int((inside & ~fair).sum()):
            notes.append(f"{counted(off, 'row does', 'rows do')} not sum to one ({span}): divided by their sum")
        for at in np.flatnonzero(~inside).tolist():
            reasons[int(np.flatnonzero(finite)[at])] = f"no probabilities: {rows[at].min():.4g} to {rows[at].max():.4g}"
        rows = np.where(inside[:, None], rows, 1)
    elif inside.all():
        notes.append(f"rows do not sum to one ({span}): taken for shares, and divided by their sum")
    elif low >= 0 and 2 * (np.abs(sums - PERCENT) <= PERCENT * SUM).sum() >= len(rows):
        notes.append(f"rows sum to {PERCENT:g}: taken for percent")
    else:
        notes.append(f"rows do not sum to one ({low:.4g} to {high:.4g}): taken for logits, softmax makes probabilities")
        rows = softmax(rows, axis=1)
    sums = rows.sum(axis=1, keepdims=True)
    for at in np.flatnonzero(sums[:, 0] == 0).tolist():
        reasons[int(np.flatnonzero(finite)[at])] = "all numbers are 0"
    shares = np.full(values.shape, np.nan)
    shares[finite] = rows / np.where(sums == 0, 1, sums)
    shares[list(reasons)] = np.nan
    return shares, reasons, notes


def _read_csv(path: Path, classes: list[Label]) -> Table:
    """A line of heads, then a line a clip."""
    import pandas  # here, so that --help does not wait for it

    with open(path, "rb") as file:
        start = file.read(8)
    if what := next((what for begin, what in tables.FOREIGN.items() if start.startswith(begin)), None):
        raise Problem(f"{path}: {what}")
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            separator = tables.separator(first)
            heads = [head.strip() for head in next(csv.reader([first], delimiter=separator), [])]
        clip = clip_column(path, heads)
        columns = name_columns(path, heads, [at for at in range(len(heads)) if at != clip], classes)
        used = [*columns.labels, *columns.others]
        frame = pandas.read_csv(
            path,
            sep=separator,
            decimal="." if separator == "," else ",",  # a point is read too, by to_numeric
            header=None,
            skiprows=1,
            names=range(len(heads)),
            dtype={clip: str},
            keep_default_na=False,
            low_memory=False,
            encoding="utf-8-sig",
        )
    except UnicodeDecodeError:
        raise Problem(f"{path}: not a text file in UTF-8; {tables.AS_CSV}") from None
    except (ValueError, csv.Error) as error:  # what pandas raises is of this kind too
        raise Problem(f"{path}: not a CSV table ({' '.join(str(error).split())[:100]})") from None
    if not isinstance(frame.index, pandas.RangeIndex):  # pandas takes the first ones for names of rows
        raise Problem(f"{path}: rows have more values than the {len(heads)} columns of the first line")
    values = np.full((len(frame), len(heads)), np.nan)
    for at in used:
        values[:, at] = _numbers(frame[at])
    return _table(frame[clip].astype(str).tolist(), values, columns, classes, logits=False)


def _numbers(column) -> np.ndarray:
    """A pandas column -> (N,) float64, NaN where there is no number, infinite where no float is so large."""
    import pandas

    try:
        return pandas.to_numeric(column, errors="coerce").to_numpy(float)
    except OverflowError:
        return pandas.to_numeric(column.map(as_float), errors="coerce").to_numpy(float)


def clip_column(path: Path, heads: list[str]) -> int:
    """The position of the column that names the clip; raises Problem where there is none."""
    lower = [head.lower() for head in heads]
    if CLIP in lower:
        return lower.index(CLIP)
    if lower and lower[0] in CLIP_NAMES:
        return 0
    raise Problem(f"{path}: no column {CLIP}; found {listed(heads, 6) or 'nothing'}")
