"""Features of a split's clips in one HDF5 file: a row per stored frame, clip after clip, written so that it survives.

    data_set/<name>/feature-<network>-<store>/train.h5
        features (rows, D) float32      what an image network makes of each stored frame
        logits   (rows, classes) float32, only of a network that was trained to name frames
        clip, label (clips,)            names, in the order of clips.csv
        archive  (clips,)               SHA-256 of what clip.json said of it
        first, length (clips,)          a clip's rows
        done     (clips,)               1 once its rows are there: written last, after a flush
        mean, std (D,)                  over the training split's rows; not a number until they are known
        about (attribute)               JSON: About

All of its room is taken when it is made, so that later only numbers are written, none of the format's tables: a process
killed at any moment leaves a file that opens (docs/lstm.md).
"""

import contextlib
import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from signs import command
from signs.clips import dataset, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import TABLE
from signs.clips.spec import ClipSpec, StoredSpec
from signs.command import Problem

import h5py
import numpy as np

FORMAT = 1
WEIGHTS = "network.weights.h5"  # in a folder of features: the image network that made them
HEAD, CLIP = 16384, 2048  # bytes of a file beside its rows, and of each clip there, at most
SHORTEST = 100  # bytes kept of a name, at least


@dataclass(frozen=True)
class About:
    """What the rows are. Two files whose rows may be mixed have the same.

    spec: what is stored and what the network sees of it; modality: rgb or flow; network: its name; weights: SHA-256
    over the values of its weights; trained: where these come from, for people; dimension: D; classes: labels of the
    logits, empty where there are none.
    """

    spec: ClipSpec
    modality: str
    network: str
    weights: str
    trained: str
    dimension: int
    classes: tuple[str, ...] = ()

    def to_json(self) -> str:
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, path: Path) -> "About":
        content = json.loads(text)
        if content.pop("format") != FORMAT:
            raise Problem(f"{path}: written by another version; delete it and run feature.py again")
        return replace(cls(**content), spec=ClipSpec.from_json(content["spec"]), classes=tuple(content["classes"]))

    def difference(self, other: "About") -> str:
        """What is different in the other, for people; empty where nothing is."""
        mine, theirs = json.loads(self.to_json()), json.loads(other.to_json())
        return ", ".join(
            f"{name} {theirs[name]} instead of {mine[name]}" if len(f"{mine[name]}") < 40 else name
            for name in mine
            if mine[name] != theirs[name]
        )


@dataclass(frozen=True)
class Entry:
    """A clip of a file. length: its rows; archive: SHA-256 of what clip.json says of the archive they were made of."""

    clip: str
    label: str
    length: int
    archive: str


def fingerprint(info: dict) -> str:
    """SHA-256 of what an archive's clip.json says."""
    return hashlib.sha256(json.dumps(info, sort_keys=True).encode()).hexdigest()


class FeatureFile:
    """An open file. One process writes, or any number of them read. `position` has each clip's place in the arrays."""

    def __init__(self, path: Path, file: h5py.File):
        self.path, self.file = path, file
        self.about = About.from_json(file.attrs["about"], path)
        names, self.labels, archives = (file[name].asstr("utf-8")[:].tolist() for name in ("clip", "label", "archive"))
        self.first, self.length = file["first"][:], file["length"][:]
        self.entries = [Entry(*row) for row in zip(names, self.labels, self.length.tolist(), archives, strict=True)]
        self.done = file["done"][:].astype(bool)
        self.position = {name: position for position, name in enumerate(names)}

    def is_fresh(self, data: Dataset, item: Clip) -> bool:
        """Whether a clip's rows were made of the archive that is there now; true where there is none any more."""
        store = TABLE[self.about.modality].stores(self.about.spec.stored)[0]
        info = storage.read_info(item.archive(data.folder, store))
        return info is None or fingerprint(info) == self.entries[self.position[item.clip]].archive

    def rows(self, position: int, what: str = "features") -> np.ndarray:
        """(T, D) float32 of one clip."""
        first = self.first[position]
        return self.file[what][first : first + self.length[position]]

    def write(self, position: int, features: np.ndarray, logits: np.ndarray | None = None) -> None:
        """Write a clip's rows, then that they are there."""
        if self.statistics:  # they are no longer those of all rows
            self.set_statistics(*np.full((2, self.about.dimension), np.nan))
        rows = slice(self.first[position], self.first[position] + self.length[position])
        self.file["features"][rows] = features
        if logits is not None:
            self.file["logits"][rows] = logits
        self.file.flush()
        self.file["done"][position] = 1
        self.file.flush()
        self.done[position] = True

    @property
    def statistics(self) -> tuple[np.ndarray, np.ndarray] | None:
        """(D,) mean and standard deviation of the training split; None where they are not known yet."""
        mean, std = self.file["mean"][:], self.file["std"][:]
        return None if np.any(np.isnan(std)) else (mean, std)

    def measure(self) -> tuple[np.ndarray, np.ndarray]:
        """(D,) float64 mean and standard deviation over the rows of all clips that are done, at least one."""
        count, total, squares = 0, 0.0, 0.0
        for position in np.flatnonzero(self.done):
            rows = self.rows(position).astype(np.float64)
            count, total, squares = count + len(rows), total + rows.sum(axis=0), squares + (rows**2).sum(axis=0)
        mean = total / count
        return mean, np.sqrt(np.maximum(squares / count - mean**2, 0))

    def set_statistics(self, mean: np.ndarray, std: np.ndarray) -> None:
        self.file["mean"][:], self.file["std"][:] = mean, std
        self.file.flush()


def path_of(store: Path, split: str) -> Path:
    return store / f"{split}.h5"


def create(path: Path, about: About, entries: list[Entry]) -> None:
    """A file with room for these clips, none of them done."""
    lengths = np.array([entry.length for entry in entries], np.int64)
    columns = about.dimension + len(about.classes or ())
    with command.atomic(path) as temporary:
        head = HEAD + len(about.to_json().encode()) + CLIP * len(entries)
        command.reserve(temporary, head + 4 * columns * int(lengths.sum()))
        _fill(temporary, about, entries, lengths)
        command.reserve(temporary, temporary.stat().st_size)


def _fill(path: Path, about: About, entries: list[Entry], lengths: np.ndarray) -> None:
    """Write all but the rows, whose place is taken."""
    with h5py.File(path, "w") as file:
        file.attrs["about"] = about.to_json()
        for name in ("clip", "label", "archive"):
            texts = [getattr(entry, name).encode() for entry in entries]
            file[name] = np.array(texts, f"S{max([SHORTEST, *map(len, texts)])}")
        file["first"], file["length"] = np.cumsum(lengths) - lengths, lengths
        file["done"] = np.zeros(len(entries), np.uint8)
        file["mean"], file["std"] = np.full((2, about.dimension), np.nan)
        _allocate(file, "features", (int(lengths.sum()), about.dimension))
        if about.classes:
            _allocate(file, "logits", (int(lengths.sum()), len(about.classes)))


def _allocate(file: h5py.File, name: str, shape: tuple[int, int]) -> None:
    """Take the place of a float32 array, in one piece, without writing to it."""
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CONTIGUOUS)
    plist.set_alloc_time(h5py.h5d.ALLOC_TIME_EARLY)
    plist.set_fill_time(h5py.h5d.FILL_TIME_NEVER)
    plist.set_obj_track_times(False)  # equal input gives equal bytes
    h5py.h5d.create(file.id, name.encode(), h5py.h5t.NATIVE_FLOAT, h5py.h5s.create_simple(shape), plist)


@contextlib.contextmanager
def opened(path: Path, write: bool = False) -> Iterator[FeatureFile]:
    """Open a feature file; raises Problem where it is missing, cut short or no feature file."""
    try:
        file = h5py.File(path, "r+" if write else "r")
    except FileNotFoundError:
        raise Problem(f"{path}: no such file; run feature.py first") from None
    except BlockingIOError:
        raise Problem(f"{path}: another run has it open; wait for it") from None
    except OSError as error:
        if error.errno is not None:  # the disc's, or of rights: HDF5 says without a number what is wrong in the file
            raise
        raise Problem(f"{path}: cut short or damaged ({_reason(error)}); delete it and run feature.py again") from None
    with file:
        try:
            opened_file = FeatureFile(path, file)
        except (KeyError, ValueError, TypeError, AttributeError, OSError, RuntimeError) as error:  # h5py has them all
            raise Problem(f"{path}: no feature file ({_reason(error)}); delete it and run feature.py again") from None
        yield opened_file


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:120]


def prepare(path: Path, about: About, entries: list[Entry]) -> None:
    """Make a file for these clips, or check that the file there is of the same network.

    Where clips have come to the data set, left it or were stored anew, a new file gets the rows of the other clips.
    """
    if not path.exists():
        create(path, about, entries)
        return
    with opened(path) as old:
        if difference := about.difference(old.about):
            what = f"delete {path.parent}, or choose another name: --name of feature.py, --output of train_frame.py"
            raise Problem(f"{path}: features of other settings ({difference}); {what}")
        if entries == old.entries:
            return
        with command.atomic(path) as grown:
            create(grown, about, entries)
            with opened(grown, write=True) as new:
                for position, entry in enumerate(entries):
                    before = old.position.get(entry.clip)
                    done = before is not None and old.done[before]
                    if done and replace(old.entries[before], label=entry.label) == entry:
                        new.write(position, old.rows(before), old.rows(before, "logits") if about.classes else None)


def files_of(folder: Path) -> list[Path]:
    """The feature files of a folder, one a split, the training split's first."""
    return [path for path in (path_of(folder, split) for split in dataset.SPLITS) if path.exists()]


def share_statistics(folder: Path) -> None:
    """Write the training split's mean and deviation into every file, unless all of them have it."""
    paths, known = files_of(folder), []
    for path in paths:
        with opened(path) as file:
            known.append(file.statistics is not None)
    train = path_of(folder, "train")
    if train not in paths or all(known):
        return
    with opened(train) as file:
        if not file.done.any():
            return
        mean, std = file.measure()
    for path in paths:
        with opened(path, write=True) as file:
            file.set_statistics(mean, std)


def store_name(name: str, spec: StoredSpec, modality: str) -> str:
    """`feature-mobilenet-40x240`; for flow `feature-mobilenet-40x240-tvl1-fast`."""
    return f"feature-{name}-{TABLE[modality].stores(spec)[0].split('-', 1)[1]}"


def find_features(data: Dataset, name: str, modality: str) -> Path:
    """The folder of features that `feature.py --name` made for a modality.

    Args:
        name: of the features; where several stores have such features, with the store behind it (`mobilenet-40x240`).
    Raises:
        Problem: there is no such folder, or more than one.
    """
    folders = sorted(folder for folder in data.folder.glob("feature-*") if folder.is_dir())
    fitting, unreadable = [], []
    for folder in folders:
        if folder.name.startswith(f"feature-{name}") and files_of(folder):
            with command.noting(unreadable, folder.name):  # it may be of another name that begins alike
                fitting += [folder] * _is_called(folder, name, modality)
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        several = f"several stores, {', '.join(folder.name for folder in fitting)}"
        raise Problem(f"{data.folder}: features {name} of {modality} from {several}; name one without feature-")
    if unreadable:
        raise Problem(unreadable[0][1])
    have = ", ".join(folder.name for folder in folders) or "none"
    step = f"run feature.py --data {data.folder} --network {name} --stream {modality}"
    raise Problem(f"{data.folder}: no features {name} of {modality} (there are: {have}); {step}")


def _is_called(folder: Path, name: str, modality: str) -> bool:
    with opened(files_of(folder)[0]) as file:
        about = file.about
    if about.modality != modality:
        return False
    whole, of_frames = (store_name(name, about.spec.stored, kind) for kind in (modality, "rgb"))
    flow = whole.removeprefix(of_frames)  # empty of RGB
    return folder.name in (whole, f"feature-{name}{flow}", f"feature-{name}")
