"""What the lists of a public data set say: its videos, those that are missing, rows that make no sense, its classes.

    listing = Listing()
    with listing.row("WLASL_v0.3.json book 69241"):
        listing.add(tree.find("69241"), "book", signer="118", split="train")

Each row ends in one of `videos`, `missing` and `failed`: none is lost.
"""

import contextlib
import csv
import io
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from signs import command
from signs.clips import tables
from signs.clips.dataset import Label
from signs.command import Problem
from signs.prepare import intervals
from signs.prepare.intervals import Cut
from signs.prepare.video_table import Video, as_video


@dataclass
class Listing:
    """Rows of the lists: `videos` that are there, those `missing` with their labels and splits, `failed` as (where,
    reason); `classes` in the set's own order, of which the first ones are its subsets where it is `ordered`; `notes`
    on rows, how often each, and `remarks` on all of it."""

    videos: list[Video] = field(default_factory=list)
    missing: list[Video] = field(default_factory=list)
    failed: list[tuple[str, str]] = field(default_factory=list)
    classes: list[Label] = field(default_factory=list)
    notes: Counter = field(default_factory=Counter)
    remarks: list[str] = field(default_factory=list)
    ordered: bool = False
    where: str = ""
    _there: dict = field(default_factory=dict)

    @contextlib.contextmanager
    def row(self, where: str) -> Iterator[None]:
        """A row of a list, called by its place and the video that it is of: what keeps it from being used is noted with
        both, and the next one is read."""
        self.where = where
        try:
            yield
        except Problem as problem:
            self.failed.append((self.where, str(problem)))
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            what = f"no {error}" if isinstance(error, KeyError) else str(error)
            self.failed.append((self.where, f"no row of this set ({what}); is the list another one, or damaged?"))

    def add(
        self,
        path: Path | None,
        label: str,
        signer: str | int = "",
        split: str = "",
        cut: Cut | None = None,
        name: str = "",
        **more,
    ) -> None:
        """A video of the row in hand, `path` None where it is missing; name: as what it is looked for, where that is
        not the row's place; more: fields of Video. Raises Problem where the row cannot be used."""
        known = {"label": str(label), "signer": str(signer), "split": split}
        video = as_video(path or Path(name or self.where), self.where, known, None, "")
        video = replace(video, cut=cut and intervals.checked(cut), **more)
        key = (str(video.path), video.cut)
        first = self._there.setdefault(key, video)
        # A video with two labels goes on: refuse_two_labels leaves both out.
        if first is not video and video.label == first.label:
            in_both = f" in {first.split}, here in {video.split}" if video.split != first.split else ""
            raise Problem(f"stands there twice ({first.where}){in_both}; left out")
        (self.videos if path else self.missing).append(video)


def read_json(path: Path, kind: type):
    """The content of a JSON list; raises Problem where it is none, or no `kind`."""
    try:
        content = json.loads(path.read_bytes())
    except (ValueError, UnicodeDecodeError) as error:
        raise Problem(f"{path}: no whole JSON file ({str(error)[:60]}); get it again") from None
    if not isinstance(content, kind):
        raise Problem(f"{path}: JSON, but of another set: expected {'a list' if kind is list else 'a table'} of rows")
    return content


def read_lines(path: Path, separator: str) -> Iterator[tuple[str, list[str]]]:
    """(where, values) of each line of a list without a header."""
    text = tables.read_text(path)
    for number, values in enumerate(csv.reader(io.StringIO(text, newline=""), delimiter=separator), 1):
        if any(value.strip() for value in values):
            yield f"{path.name} line {number}", [value.strip() for value in values]


def has_columns(path: Path, *columns: str) -> bool:
    """Whether a table begins with a line that names these columns."""
    with open(path, encoding="utf-8-sig", errors="replace") as file:
        first = file.readline(4096)
    return set(columns) <= {head.strip().strip('"') for head in first.split(tables.separator(first))}


def split_of(path: Path, folder: Path) -> str:
    """The split that a list's name, else a folder above it, tells: `MSASL_val.json` -> `valid`."""
    for part in reversed(path.relative_to(folder).parts):
        for word, split in (("train", "train"), ("val", "valid"), ("test", "test")):
            if word in part.lower():
                return split
    return ""


def report(listing: Listing, labels: set[str], published: dict[str, int], title: str) -> None:
    """Print how many rows of each split are published, listed and there, and how many classes lost videos.

    published: {split: rows}, or {"": rows} where only the sum is known.
    """
    there = Counter(video.split for video in listing.videos if video.label in labels)
    missing = Counter(video.split for video in listing.missing if video.label in labels)
    splits = [split for split in ("train", "valid", "test", "") if there[split] or missing[split] or split in published]
    if len(splits) > 1 and not (there[""] or missing[""]):
        splits = [split for split in splits if split]  # published is the sum alone
    rows = [
        (split or "no split", published.get(split, ""), there[split] + missing[split], there[split], missing[split])
        for split in splits
    ]
    if len(rows) > 1:
        sums = (sum(row[column] for row in rows) for column in (2, 3, 4))
        rows.append(("all", sum(published.values()) or "", *sums))
    command.print_table(("split", "published", "listed", "there", "missing"), rows, title)
    if listing.missing:
        of_class = Counter(video.label for video in listing.videos)
        lost = Counter(video.label for video in listing.missing if video.label in labels)
        known = {label for label in labels - {""} if of_class[label] or lost[label]}
        have = sum(of_class[label] > 0 for label in known)
        most = [f"{label} ({of_class[label]} of {of_class[label] + lost[label]})" for label, _ in lost.most_common()]
        half = sum(lost[label] > of_class[label] for label in known)
        print(
            f"{have:,} of {command.counted(len(known), 'class', 'classes')} have a video, {half:,} have lost more than "
            f"half; there are of {command.listed(most, 6)}"
        )
