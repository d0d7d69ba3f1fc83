"""What others published on the public data sets that prepare_videos.py reads, and ours beside it.

    published.beside(data, "test", predictions)         {"protocol", "rows", "notes"} for the report; None of other data
    published.markdown(rows)                            a table, of all sets or of one

published.csv holds only rows whose source was read; its last column says where. All are percent.
"""

import csv
import functools
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from signs.clips.dataset import Dataset
from signs.command import counted
from signs.evaluation import scores
from signs.inference.predictions import Predictions, titles
from signs.prepare.formats.table import FORMATS
from signs.prepare.origin import Origin, read_origin

NOT_RUN = "not run"
COLUMNS = ("method", "input", "top-1", "top-5", "top-1 a class", "top-5 a class", "source", "read in")


@dataclass(frozen=True)
class Protocol:
    """split: the one that is scored; says: what published numbers are of."""

    split: str
    says: str


PROTOCOLS = {
    "wlasl": Protocol("test", "official test split, top-1 and top-5, per instance and per class; people are shared"),
    "ms-asl": Protocol("test", "official test split, top-1 and top-5, per instance and per class; people are disjoint"),
    "autsl": Protocol("test", "official test split, top-1; people are disjoint"),
    "lsa64": Protocol("test", "no official splits: each paper has its own, so numbers do not compare"),
    "slovo": Protocol("test", "official test split, top-1; people are disjoint"),
    "asl-citizen": Protocol("test", "official test split, top-1; people are disjoint"),
    "include": Protocol("test", "official test list, top-1; nobody is told who signs"),
    "jester": Protocol("valid", "top-1; labels of the test split are not public, so ours is of the validation split"),
    "ipn-hand": Protocol("test", "official test list, cut to single gestures, top-1; people are disjoint"),
}


@dataclass(frozen=True)
class Row:
    """A published result, or one of ours: percent as text, as precise as known, empty where nobody says."""

    set: str
    classes: int
    method: str
    input: str
    top1: str = ""
    top5: str = ""
    top1_class: str = ""
    top5_class: str = ""
    source: str = ""
    read: str = ""
    ours: bool = False

    @property
    def cells(self) -> list[str]:
        """As COLUMNS says."""
        shares = [value or "-" for value in (self.top1, self.top5, self.top1_class, self.top5_class)]
        return [self.method, self.input, *shares, self.source or "-", self.read or "-"]


@functools.cache
def rows() -> tuple[Row, ...]:
    """All published rows, by set, best first."""
    with open(Path(__file__).with_suffix(".csv"), encoding="utf-8", newline="") as file:
        return tuple(Row(**{**row, "classes": int(row["classes"])}) for row in csv.DictReader(file))


def ours(key: str, classes: int, predictions: Predictions) -> Row:
    """The same numbers of some probabilities, per instance and per class, two digits."""
    stream, truth = predictions.fused, predictions.truth
    drawn = scores.draw_bootstrap(predictions.signers)
    shares = [predictions.top(stream, k) for k in (1, 5)]
    shares += [scores.mean_per_class(predictions.hits(stream, k), truth, drawn).value for k in (1, 5)]
    percent = [f"{100 * share:.2f}" for share in shares]
    return Row(key, classes, "this report", titles(predictions.streams)[stream], *percent, ours=True)


def beside(data: Dataset, split: str, predictions: Predictions | None) -> dict | None:
    """What the report shows of a split: {"name", "protocol", "rows" as dicts, "notes"}; None where nothing is published
    of the data set. predictions: None, or of other splits than the protocol's: ours is marked as not run."""
    origin = read_origin(data.folder)
    if origin is None or origin.format not in PROTOCOLS:
        return None
    official, protocol = FORMATS[origin.format], PROTOCOLS[origin.format]
    about = {"name": official.name, "protocol": protocol.says, "rows": [], "notes": []}
    if origin.classes is None:
        note = "the classes of this data set are none of its own subsets: published rows would be no comparison"
        return about | {"notes": [note]}
    alike = [row for row in rows() if (row.set, row.classes) == (origin.format, origin.classes)]
    mine = Row(origin.format, origin.classes, "this report", NOT_RUN, ours=True)
    if split != protocol.split:
        about["notes"].append(f"published numbers are of {protocol.split}, this report is of {split}: {NOT_RUN} there")
    elif predictions is not None:
        mine = ours(origin.format, origin.classes, predictions)
        known, lacking = what_is_gone(data, origin, split, int(predictions.scored.sum()))
        if lacking:
            mine = replace(mine, method=f"{mine.method}, of a part")
            other = "what is gone makes it another test, not to be compared"
            about["notes"].append(f"ours is of a part of {official.name}: {', '.join(lacking)}; {other}")
        elif not known:
            unknown = f"how many clips of {split} its lists have was not recorded when this data set was made"
            about["notes"].append(f"{unknown}, so nobody knows whether some are gone: prepare it again")
    return about | {"rows": [asdict(row) for row in [*alike, mine]]}


def what_is_gone(data: Dataset, origin: Origin, split: str, clips: int) -> tuple[bool, list[str]]:
    """Whether it is known how many clips a split should have, and in words where ours has others: of its clips, of
    those of all splits where only these are published, and of the classes. clips: those that were scored."""
    official, lacking = FORMATS[origin.format], []
    rows, there = official.rows.get(origin.classes, {}), [item for item in data.clips if item.label]
    whole, listed = rows.get(""), rows.get(split) or origin.listed.get(split)
    expected = listed or sum(item.split == split for item in there)
    by = "published" if split in rows else "in its lists" if listed else "in the data set"
    tested = f"{counted(clips, 'clip')} of {split} ({expected:,} {by})"
    if whole and len(there) != whole:
        lacking.append(f"{counted(len(there), 'clip')} of all splits ({whole:,} published)")
    classes = {item.label for item in there} - set(() if official.none_counts else official.none)
    if len(classes) < origin.classes:
        lacking.append(f"{len(classes):,} of {origin.classes:,} classes")
    return bool(listed or whole), [tested, *lacking] if lacking or clips != expected else []


def markdown(shown: list[Row]) -> str:
    """A Markdown table, a set and number of classes before each row; ours in bold."""
    lines = [f"| set | classes | {' | '.join(COLUMNS)} |", "|---|---:|---|---|---:|---:|---:|---:|---|---|"]
    for row in shown:
        cells = [FORMATS[row.set].name, f"{row.classes:,}", *row.cells]
        lines.append(f"| {' | '.join(f'**{cell}**' if row.ours and cell != '-' else cell for cell in cells)} |")
    return "\n".join(lines) + "\n"


def of_splits(data: Dataset, tables: dict[str, Predictions]) -> str:
    """The table of the data set as Markdown, with ours of the protocol's split among {split: predictions}; empty where
    nothing is published of it."""
    origin = read_origin(data.folder)
    if origin is None or origin.format not in PROTOCOLS:
        return ""
    split = PROTOCOLS[origin.format].split
    told = beside(data, split, tables.get(split))
    table = markdown([Row(**row) for row in told["rows"]]) if told["rows"] else ""
    notes = "".join(f"* {note}\n" for note in (told["protocol"], *told["notes"]))
    return f"# Published on {told['name']}, percent\n\n{table}\n{notes}"
