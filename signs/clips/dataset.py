"""The folder contract: what `data_set/<name>/` holds and where each clip of it lies.

    clips.csv                                a row per clip: clip, split, label, signer, group, source, sha256; where a
                                             video has several clips start, end; of folders of pictures rate; of
                                             recordings of record.py consent
    class.csv                                a row per class: label, name, kind (`gesture` or `none`), ...
    video/<split>/<label>/<clip>.avi         written by prepare_*.py; a folder of pictures lies there as one
    video/_whole/<source>~<hash>.avi         a video of which several clips are intervals, once
    <part>/<split>/<label>/<clip>.avi        other views of the same frames, where the data has them (PARTS)
    frame-<store>/<split>/<label>/<clip>.zip by frame.py; the name of a store says of which part, if not of `video`
    flow-<store>/<split>/<label>/<clip>.zip  by opticalflow.py

Labels, signers and clip names are any text of one line; the tables hold them as they are, and the folder and file
names made of them are safe on every system (names.py). Clips without a label lie under `_unlabelled`: they can be
predicted and are never scored. Clip names are unique in a data set.
"""

import csv
import math
import os
import posixpath
import re
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips import cached_copy, tables
from signs.clips.names import check_text, safe_name, safe_names
from signs.command import Problem

import numpy as np

SPLITS = ("train", "valid", "test")
UNLABELLED = "_unlabelled"
WHOLE = "_whole"  # where videos lie of which clips are intervals
# What there may be of a clip: the colour video, its depth, and of both the upper body and the higher hand cut out.
PARTS = ("video", "depth", "upper", "hand", "upper_depth", "hand_depth")
KINDS = ("gesture", "none")
STEPS = {"frame": "frame.py", "flow": "opticalflow.py", "landmark": "landmark.py"}  # kind of store: what makes it
LOOPS, NO_CONSENT = "loops", "none"  # a word of what people allow: their recordings may be shown; none of the words
SUFFIX = re.compile(r"\.[a-z0-9]{1,9}")  # of a video; what else a source ends in is no part of a file's name


@dataclass(frozen=True)
class Clip:
    """One row of clips.csv; `label` and `signer` are empty where nobody knows them.

    start, end: seconds of its video from that one's first frame; None where the clip is all of it. rate: frames/s of a
    folder of pictures, None of a video file. consent: what whoever is in it allows, words of `recordings.SCOPES` or
    NO_CONSENT; empty where nobody was asked.

    `label_folder` and `file` are no columns: the safe names that `placed` finds where those made of the label or the
    clip's name alone would be like another's.
    """

    clip: str
    split: str
    label: str = ""
    signer: str = ""
    group: str = ""
    source: str = ""
    sha256: str = ""
    start: float | None = None
    end: float | None = None
    rate: float | None = None
    consent: str = ""
    label_folder: str = field(default="", compare=False, repr=False)
    file: str = field(default="", compare=False, repr=False)

    @property
    def may_be_shown(self) -> bool:
        """Whether pictures or points of it may stand in reports."""
        return not self.consent or LOOPS in self.consent.split()

    @property
    def folder(self) -> PurePosixPath:
        """`<split>/<label>`, below `video/` or a store."""
        return PurePosixPath(self.split, self._label_folder)

    @property
    def _label_folder(self) -> str:
        return (self.label_folder or safe_name(self.label)) if self.label else UNLABELLED

    @property
    def stem(self) -> str:
        """The name of the clip's files, without a suffix."""
        return self.file or safe_name(self.clip)

    def video(self, data: Path, part: str = "video") -> Path:
        """Where a part of the clip lies: a video, or a folder of pictures where there is a rate. A clip that was cut
        out of a file has no suffix in `source`: it is an AVI."""
        suffix = posixpath.splitext(self.source)[1].lower()
        suffix = "" if self.rate else suffix if SUFFIX.fullmatch(suffix) else ".avi"
        if self.start is None:  # one join: prepare_videos.py asks for each of 50,000 clips seven times
            return data / f"{part}/{self.split}/{self._label_folder}/{self.stem}{suffix}"
        source = PurePosixPath(self.source)
        name = safe_name(source.name if self.rate else source.stem)
        return data / part / WHOLE / f"{name}~{self.sha256[:8]}{suffix}"

    @property
    def content(self) -> str:
        """What the clip shows: equal for two clips of the same frames, empty where no hash is known."""
        interval = f" {self.start:.6f}-{self.end:.6f}" if self.start is not None else ""
        return self.sha256 and self.sha256 + interval

    def archive(self, data: Path, store: str) -> Path:
        """`store` is the whole folder name: `frame-40x240`, `flow-40x240-tvl1-fast`."""
        return data / f"{store}/{self.split}/{self._label_folder}/{self.stem}.zip"


NUMBERS = ("start", "end", "rate")  # columns that are there where a clip has such a number
MORE = (*NUMBERS, "consent")  # consent: where somebody was asked
CLIP_COLUMNS = [column.name for column in fields(Clip) if column.compare and column.name not in MORE]


def placed(clips: Iterable[Clip], there: tuple[set[str], set[str]] = (set(), set())) -> list[Clip]:
    """The clips with folder and file names of which no two are alike on any system; of two alike the later gets a
    hash. Whatever has all clips of a data set calls this before it asks for a path.

    `there`: `names_on_disc`, which videos keep, whichever rows clips.csv has lost or got since.
    """
    clips = list(clips)
    texts = [clip.label for clip in clips], [clip.clip for clip in clips]
    folders, files = (
        {text: name for text, name in safe_names(*each).items() if name != safe_name(text)}
        for each in zip(texts, there, strict=True)
    )
    places = [(folders.get(clip.label, ""), files.get(clip.clip, "")) for clip in clips]
    return [
        clip if (clip.label_folder, clip.file) == place else replace(clip, label_folder=place[0], file=place[1])
        for clip, place in zip(clips, places, strict=True)
    ]


def names_on_disc(data: Path, below: command.Below | None = None) -> tuple[set[str], set[str]]:
    """The folders of labels and, without suffixes, what lies in them: of the videos or, without these, of a store.

    `below`: what lies below `video`, where that is known.
    """
    folders, files = set(), set()
    for label, in_folder, in_file in _below_video(data, below) if below else _listed_labels(data):
        if in_folder or in_file:
            folders.add(label)
            files.update(in_folder)  # it holds the pictures of a clip, and has no suffix
            files.update(name.rpartition(".")[0] for name in in_file)
    return folders, files


def _listed_labels(data: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder of a label, folders and files in it), listed now."""
    stores = [data / "video", *(path for kind in STEPS for path in sorted(data.glob(f"{kind}-*")))]
    first = next(filter(Path.is_dir, stores), data / "video")
    if isinstance(first, cached_copy.StandIn):
        places = [name.split("/") for name in (cached_copy.names(first) if first.is_dir() else ())]
        for _, label, name, *inside in (place for place in places if len(place) > 2):
            yield label, *(([name], []) if inside else ([], [name]))
        return
    for label in first.glob("*/*/"):
        names = [], []
        with os.scandir(label) as inside:
            for each in inside:
                names[not each.is_dir()].append(each.name)
        yield label.name, *names


def _below_video(data: Path, below: command.Below) -> Iterator[tuple[str, list[str], list[str]]]:
    for folder, names in below.items():
        parts = Path(folder).relative_to(data / "video").parts
        if len(parts) == 2:
            yield parts[1], *names


@dataclass(frozen=True)
class Label:
    """One row of class.csv; what else the table has of a class is in `extra`."""

    label: str
    name: str
    kind: str = "gesture"
    extra: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Dataset:
    """`folder`, its clips and its class table, both in the order of the files.

    left_out: names of clips that a training leaves out of `clips` (run_folder.leave_out).
    """

    folder: Path
    clips: list[Clip]
    classes: list[Label]
    left_out: tuple[str, ...] = ()

    def split(self, *names: str, labelled: bool = False) -> list[Clip]:
        """The clips of these splits (of all, where none is named)."""
        chosen = names or SPLITS
        return [clip for clip in self.clips if clip.split in chosen and (clip.label or not labelled)]

    def count(self) -> dict[str, Counter]:
        """{split: Counter(label -> clips)}; the empty label counts the unlabelled."""
        return {split: Counter(clip.label for clip in self.split(split)) for split in SPLITS}

    def stores(self, kind: str, part: str = "video") -> list[str]:
        """Folder names of the stores of `kind` (`frame` or `flow`) and part that exist, sorted."""
        folders = (path for path in self.folder.glob(f"{kind}-*") if path.is_dir())
        return sorted(path.name for path in folders if part_of(path.name) == part)


def spread(clips: list[Clip], most: int, seed: int = 0) -> list[Clip]:
    """At most so many of the clips, in their order: each class as often as the others as far as it goes."""
    taken, turns = Counter(), {}
    for index in np.random.default_rng(seed).permutation(len(clips)).tolist():
        taken[clips[index].label] += 1
        turns[index] = taken[clips[index].label]
    return [clips[index] for index in sorted(sorted(turns, key=turns.get)[:most])]


def part_of(store: str) -> str:
    """The part that a store's name carries: `frame-40x240-depth` -> `depth`, `frame-40x240` -> `video`."""
    return next((word for word in store.split("-") if word in PARTS), "video")


def read_table(path: Path, required: Collection[str], optional: Collection[str] = ()) -> list[dict[str, str]]:
    """Rows of a CSV file with a header, every value a string; raises Problem where a required column is missing."""
    rows = tables.read_rows(path, required, optional)
    return [{key: value for key, value in row.items() if key} for _, row in rows]


def write_table(path: Path, rows: Iterable[dict[str, str]], header: Iterable[str]) -> None:
    """Write a CSV file with a header, whole or not at all."""
    with command.atomic(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(header), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def read_classes(path: Path) -> list[Label]:
    """class.csv -> its rows, checked: labels and names of one line, each label once, a known kind."""
    classes: dict[str, Label] = {}
    for row in read_table(path, ("label", "name"), ("kind",)):
        label = check_text(row.pop("label"), f"{path}: label")
        if label in classes:
            raise Problem(f"{path}: label {label} stands twice")
        name = check_text(row.pop("name"), f"{path}: name of label {label}", may_be_empty=True)
        kind = row.pop("kind", "") or "gesture"
        if kind not in KINDS:
            raise Problem(f"{path}: kind {kind!r} of label {label}; expected {' or '.join(KINDS)}")
        classes[label] = Label(label, name, kind, row)
    if not classes:
        raise Problem(f"{path}: no class in it; expected a row per class: label,name,kind")
    return list(classes.values())


def write_classes(path: Path, classes: list[Label]) -> None:
    """Write class.csv: label, name, kind, and every column that a class has in `extra`."""
    extra = list(dict.fromkeys(key for row in classes for key in row.extra))
    rows = [{"label": row.label, "name": row.name, "kind": row.kind, **row.extra} for row in classes]
    write_table(path, rows, ["label", "name", "kind", *extra])


def read_clips(path: Path, below: command.Below | None = None) -> list[Clip]:
    """clips.csv -> its rows, checked: unique names of one line, known splits; each with its place on disc.

    `below`: what lies below `video`, where that is known: else it is listed.
    """
    clips: dict[str, Clip] = {}
    for _, row in tables.read_rows(path, CLIP_COLUMNS, MORE):
        check_text(row["clip"], f"{path}: clip")
        known = {name: check_text(row[name], f"{path}: {name} of {row['clip']}", True) for name in ("label", "signer")}
        more = {"consent": row.get("consent", ""), **read_numbers(row, f"{path}: clip {row['clip']}")}
        # Many clips have the same: each of these texts is kept once.
        known = {
            name: sys.intern(text) for name, text in ({"split": row["split"], "group": row["group"]} | known).items()
        }
        clip = Clip(**{name: row[name] for name in CLIP_COLUMNS} | known, **more)
        if clip.split not in SPLITS:
            raise Problem(f"{path}: split {clip.split!r} of {clip.clip}; expected {', '.join(SPLITS)}")
        if clip.clip in clips:
            raise Problem(f"{path}: clip {clip.clip} stands twice")
        clips[clip.clip] = clip
    return placed(clips.values(), names_on_disc(path.parent, below))


def read_numbers(row: dict[str, str], where: str) -> dict[str, float]:
    """{column: number} of the NUMBERS that a row of clips.csv has; raises Problem where they make no sense."""
    numbers = {}
    for name in NUMBERS:
        if text := row.get(name, ""):
            try:
                numbers[name] = float(text)
            except ValueError:
                raise Problem(f"{where}: {name} {text[:20]!r}; expected a number") from None
    if ("start" in numbers) != ("end" in numbers) or not all(0 <= value < math.inf for value in numbers.values()):
        raise Problem(f"{where}: start and end are seconds from 0 on, both or none; rate is frames/s")
    if "start" in numbers and numbers["end"] <= numbers["start"]:
        raise Problem(f"{where}: ends at {numbers['end']:g} s, begins at {numbers['start']:g} s")
    return numbers


def check_no_dataset(folder: Path) -> None:
    """Raise Problem where a model is to be written into a data set."""
    if (folder / "clips.csv").exists():
        raise Problem(f"--output {folder}: is a data set; choose another folder for the model")


def load_dataset(folder: Path) -> Dataset:
    """The data set in `folder`, or at an address of an object storage; raises Problem where it is missing, empty or
    contradicts itself."""
    folder = cached_copy.opened(folder)
    if not (folder / "clips.csv").exists():
        lacking = "no clips.csv in it" if folder.is_dir() else "no such folder"
        raise Problem(f"{folder}: {lacking}; make a data set with prepare_chalearn.py or prepare_videos.py")
    clips, classes = read_clips(folder / "clips.csv"), read_classes(folder / "class.csv")
    if not clips:
        raise Problem(f"{folder}/clips.csv: no clip in it")
    if unknown := sorted({clip.label for clip in clips} - {row.label for row in classes} - {""}):
        raise Problem(f"{folder}/clips.csv: label {unknown[0]} is not in class.csv")
    return Dataset(folder, clips, classes)


def save_dataset(data: Dataset) -> None:
    """Write class.csv, then clips.csv: a folder with clips.csv is a whole data set. Raises Problem where it lies on an
    object storage."""
    if isinstance(data.folder, cached_copy.StandIn):
        raise Problem(f"{data.folder}: its tables are read alone; change a copy on a disc, and upload it")
    write_classes(data.folder / "class.csv", data.classes)
    more = (name for name in MORE if any(getattr(clip, name) not in (None, "") for clip in data.clips))
    columns = [*CLIP_COLUMNS, *more]
    rows = ({name: as_text(getattr(clip, name)) for name in columns} for clip in data.clips)
    write_table(data.folder / "clips.csv", rows, columns)


def as_text(value: str | float | None) -> str:
    """A value of clips.csv: seconds to the microsecond, without needless zeros; empty where there is none."""
    return value if isinstance(value, str) else "" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")
