"""The public data sets that prepare_videos.py reads as they are shipped: one entry each.

    key, tree = choose(folder, None)          by the names of their lists and files
    listing = FORMATS["wlasl"].read(tree)

A new data set is one more entry here and the function that reads its lists in adapters.py. Counts are those that each
set's own page or paper publishes.
"""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from signs.command import Problem, listed
from signs.prepare.formats import adapters
from signs.prepare.formats.listing import Listing, has_columns
from signs.prepare.formats.tree import Tree, lists_in


@dataclass(frozen=True)
class Format:
    """A public data set. wanted: the files by which it is known; is_here: whether they are there; rows: {number of
    classes of a subset, the first of the set's own order: {split: published rows}}; none: labels of no gesture, which
    `rows` counts among the classes where `none_counts`."""

    name: str
    page: str
    licence: str
    wanted: str
    is_here: Callable[[Tree], bool]
    add_rows: Callable[[Tree, Listing], None]
    rows: dict[int, dict[str, int]]
    signers: int
    none: tuple[str, ...] = ()
    none_counts: bool = False
    prefer: str = ""
    seen: bool = False  # with real data

    def read(self, tree: Tree) -> Listing:
        """All that the set's lists say; raises Problem where they are no lists of this set."""
        listing, tree.prefer = Listing(), self.prefer
        self.add_rows(tree, listing)
        if not listing.videos and not listing.missing:
            reason = f"; the first row: {listing.failed[0][1]}" if listing.failed else ""
            raise Problem(f"{tree.folder}: no row of {self.name} can be used{reason}")
        labels = {
            row.label: replace(row, kind="none" if row.label in self.none else row.kind) for row in listing.classes
        }
        listing.classes = list(labels.values())
        return listing

    @property
    def key(self) -> str:
        """As FORMATS and `--format` call it."""
        return next(key for key, each in FORMATS.items() if each is self)

    def about(self) -> str:
        """Where the set and its terms are from, for whoever prepares it."""
        seen = "" if self.seen else "; this reader was never run on the real files, only on imitations"
        return f"{self.name}: {self.page}; terms: {self.licence}{seen}"


def _has(*patterns: str) -> Callable[[Tree], bool]:
    return lambda tree: any(tree.lists(pattern) for pattern in patterns)


def _has_table(pattern: str, *columns: str) -> Callable[[Tree], bool]:
    return lambda tree: any(has_columns(path, *columns) for path in tree.lists(pattern))


def _is_lsa64(tree: Tree) -> bool:
    stems = tree.stems()
    fitting = [stem for stem in stems if adapters.LSA64_NAME.fullmatch(stem)]
    return len({stem[:3] for stem in fitting}) > 1 and 2 * len(fitting) > len(stems)


def _is_jester(tree: Tree) -> bool:
    later = _has_table(r"(Train|Validation)\.csv", "video_id", "label", "label_id")
    return _has(r"jester-v1-(train|validation)\.csv")(tree) or later(tree)


FORMATS = {
    "wlasl": Format(
        "WLASL",
        "github.com/dxli94/WLASL",
        "C-UDA, academic and computational use only",
        "WLASL_v0.3.json and videos/<video_id>.mp4 or <name on YouTube>.mp4",
        _has(r"WLASL_v[\d.]+\.json"),
        adapters.read_wlasl,
        {100: {"": 2038}, 300: {"": 5117}, 1000: {"": 13168}, 2000: {"train": 14289, "valid": 3916, "test": 2878}},
        119,
    ),
    "ms-asl": Format(
        "MS-ASL",
        "microsoft.com/en-us/research/project/ms-asl",
        "C-UDA",
        "MSASL_train.json, MSASL_classes.json and <name on YouTube>.mp4",
        _has(r"MSASL_train\.json"),
        adapters.read_ms_asl,
        {
            100: {"train": 3789, "valid": 1190, "test": 757},
            200: {"train": 6319, "valid": 2041, "test": 1359},
            500: {"train": 11401, "valid": 3702, "test": 2720},
            1000: {"train": 16054, "valid": 5287, "test": 4172},
        },
        222,
    ),
    "autsl": Format(
        "AUTSL",
        "cvml.ankara.edu.tr/datasets",
        "on request, research only",
        "train_labels.csv with rows signer0_sample1,41 and signer0_sample1_color.mp4",
        lambda tree: bool(adapters.autsl_lists(tree)),
        adapters.read_autsl,
        {226: {"train": 28142, "valid": 4418, "test": 3742}},
        43,
    ),
    "lsa64": Format(
        "LSA64",
        "facundoq.github.io/datasets/lsa64",
        "CC BY-NC-SA 4.0",
        "001_001_001.mp4: sign, signer, repetition",
        _is_lsa64,
        adapters.read_lsa64,
        {64: {"": 3200}},
        10,
        prefer="cut",
    ),
    "slovo": Format(
        "Slovo",
        "github.com/hukenovs/slovo",
        "a variant of CC BY-SA 4.0",
        "annotations.csv with columns attachment_id, text, user_id, train, begin, end",
        _has_table(r"annotations\.csv", "attachment_id", "text", "user_id"),
        adapters.read_slovo,
        {1000: {"train": 15300, "test": 5100}},
        194,
        none=("no_event",),
    ),
    "asl-citizen": Format(
        "ASL Citizen",
        "microsoft.com/en-us/research/project/asl-citizen",
        "Microsoft Research licence, non-commercial research; videos, and what is made of them, may not be passed on",
        "splits/train.csv with columns Participant ID, Video file, Gloss",
        _has_table(r"(train|val|test)\.csv", "Participant ID", "Video file", "Gloss"),
        adapters.read_asl_citizen,
        {2731: {"train": 40154, "valid": 10304, "test": 32941}},
        52,
    ),
    "include": Format(
        "INCLUDE",
        "zenodo.org/records/4010759",
        "CC BY 4.0",
        "include_train.txt, or train_include.csv with a column FilePath, and Category/1. Word/MVI_0001.MOV",
        _has(r"include_train\.txt", r"train_include\.csv"),
        adapters.read_include,
        {50: {}, 263: {"": 4287}},
        7,
    ),
    "jester": Format(
        "20BN-Jester",
        "qualcomm.com/developer/software/jester-dataset",
        "research",
        "jester-v1-train.csv with rows 34870;Drumming Fingers and folders 34870/00001.jpg",
        _is_jester,
        adapters.read_jester,
        {27: {"train": 118562, "valid": 14787, "test": 14743}},
        1300,
        none=("No gesture", "Doing other things"),
        none_counts=True,
    ),
    "ipn-hand": Format(
        "IPN Hand",
        "gibranbenitez.github.io/IPN_Hand",
        "CC BY 4.0",
        "Annot_TrainList.txt and <video>.avi or folders <video>/ of their frames",
        _has(r"Annot_TrainList\.txt"),
        adapters.read_ipn_hand,
        {13: {"": 5649}},
        50,
        none=("D0X",),
    ),
}


def recognise(tree: Tree) -> list[str]:
    """The keys of the sets whose files are there."""
    return [key for key, each in FORMATS.items() if each.is_here(tree)]


@contextlib.contextmanager
def lists_lie_elsewhere(path: Path) -> Iterator[None]:
    """Where the block cannot read a folder beside the lists of a public set, or one of these lists, the Problem says
    which folder to give instead."""
    try:
        yield
    except Problem:
        folder = path.absolute().parent
        one = path.is_file() and path.suffix.lower() not in (".json", ".txt")  # else it is no table of anybody's own
        with contextlib.suppress(OSError):  # not to be read: what went wrong stands as it is
            here = recognise(Tree(folder, lists=[path.absolute()] if one else lists_in(folder)))
            if here and not (path.is_dir() and recognise(Tree(path))):
                name, below = FORMATS[here[0]].name, [each for each in folder.iterdir() if each.is_dir()]
                top = folder if below or path.is_dir() else folder.parent
                what = f"a list of {name}" if path.is_file() else f"no lists in it; those of {name} lie one folder up"
                raise Problem(f"{path}: {what}: give --videos {top}") from None
        raise


def choose(folder: Path, key: str | None) -> tuple[str | None, Tree]:
    """The set that a folder holds, by its files or as `key` says, None where it is none; and what lies in it.

    Raises Problem where it is another set than `key`, or may be two.
    """
    tree = Tree(folder)
    here = recognise(tree)
    if key and key not in here:
        wanted = f"expected {FORMATS[key].wanted}"
        seen = f"; it looks like {FORMATS[here[0]].name}: --format {here[0]}" if here else ""
        raise Problem(f"{folder}: no {FORMATS[key].name} in it: {wanted}{seen}")
    if not key and len(here) > 1:
        names = listed([f"--format {each}" for each in here])
        raise Problem(f"{folder}: lists of {len(here)} public data sets; say which one: {names}")
    return key or (here[0] if here else None), tree
