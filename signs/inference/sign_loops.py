"""What each sign of a model looks like: the points of one take of it, no picture, to be drawn as a loop.

    model/<run>/loops/<n>.zip       an archive of points (signs/clips/points.py); its clip.json has the label, and until
                                    the model is shared the signer and the hash of the video

    loops = choose_loops(data, clips, points)       {label: Loop}, the most usual take of each sign
    write_loops(folder, loops)
    read_loops(folder); loops_of(bundle)            {label: Points}

They are points of a person, who moves as she moves: share.py passes them on only where she allows it.
"""

import shutil
from collections import defaultdict
from collections.abc import Callable, Collection
from pathlib import Path
from typing import NamedTuple

from signs.clips import posture, storage
from signs.clips.bounded_zip import BoundedZip, Bounds
from signs.clips.dataset import Clip, Dataset
from signs.clips.names import check_text
from signs.clips.points import Points, read_points, write_points
from signs.clips.spec import InputSpec
from signs.command import Problem
from signs.inference.address import known_as
from signs.inference.bundle import Bundle

import numpy as np

FOLDER = "loops"
MOMENTS = 24  # of a take, by which takes are compared
MOST_FRAMES = 1800  # of a loop: a minute at 30 a second
BOUNDS = Bounds(members=3, total=4 << 20)  # of its archive
FARTHEST = 1e5  # pixels from the picture's corner that a point may be
LARGEST = 1 << 14  # pixels of a picture's side
DAMAGED = "damaged, or no loop of a sign; delete it, or get a whole copy of the model"


class Loop(NamedTuple):
    """A take of a sign; who made it and the hash of its video, where they are known."""

    points: Points
    signer: str = ""
    sha256: str = ""


def choose_loops(
    data: Dataset, clips: list[Clip], points: list[Points], allowed: Collection[str] = ()
) -> dict[str, Loop]:
    """{label: the take nearest to the mean of all takes}, in the class table's order, without labels of no gesture.

    Args:
        clips, points: of the same takes; those in which nobody is found, or that last long, are not chosen.
        allowed: SHA-256 of the videos of people who let others see them (`Recordings.allowing`); these come first.
    """
    takes = defaultdict(list)
    for item, found in zip(clips, points, strict=True):
        if len(found.times) <= MOST_FRAMES and not np.isnan(found.body).all():
            takes[item.label].append(Loop(found, item.signer, item.sha256))
    gestures = [row.label for row in data.classes if row.kind == "gesture"]
    return {label: most_usual(takes[label], allowed) for label in gestures if takes[label]}


def most_usual(loops: list[Loop], allowed: Collection[str] = ()) -> Loop:
    """The take whose points, at the same moments of each, are nearest to the mean, of those that are `allowed` if there
    are any; of equals the first."""
    rows = np.stack([posture.seen(loop.points, InputSpec(frames=MOMENTS)).ravel() for loop in loops])
    away = np.linalg.norm(rows - rows.mean(axis=0), axis=1)
    return min(zip(loops, away, strict=True), key=lambda pair: (pair[0].sha256 not in allowed, pair[1]))[0]


def write_loops(folder: Path, loops: dict[str, Loop]) -> None:
    """Write the loops of a model into its folder, in the place of those that are there; equal ones give equal bytes."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)
    for number, (label, loop) in enumerate(loops.items(), 1):
        known = {"label": label, "signer": loop.signer, "sha256": loop.sha256}
        write_points(folder / FOLDER / f"{number}.zip", loop.points, {key: text for key, text in known.items() if text})


def read_loops(folder: Path) -> dict[str, Points]:
    """{label: points} of a model's folder, empty where it has none; raises Problem where one is damaged."""
    return {label: loop.points for label, loop in read_whole(folder).items()}


def loops_of(bundle: Bundle) -> dict[str, Points]:
    """{label: points} of the signs of an opened bundle that have a loop, in the class table's order."""
    with known_as(bundle.place or bundle.folder, bundle.folder):
        loops = read_loops(bundle.folder)
    return {row.label: loops[row.label] for row in bundle.classes if row.label in loops}


def read_whole(folder: Path) -> dict[str, Loop]:
    """{label: loop} of a model's folder; raises Problem where one is damaged."""
    return dict(map(read_loop, loop_files(folder)))


def loop_files(folder: Path) -> list[Path]:
    """The loops' archives, in the order in which they were written."""
    files = [path for path in (folder / FOLDER).glob("*.zip") if path.stem.isdecimal()]
    return sorted(files, key=lambda path: (len(path.stem), path.stem))


def read_loop(path: Path) -> tuple[str, Loop]:
    """A label and its loop, from an archive that anybody may have made."""
    with open(path, "rb") as file:
        BoundedZip(file, path, BOUNDS)
    try:
        points, info = read_points(path), storage.read_info(path) or {}
        about = {key: check_text(info.get(key, ""), key, key != "label") for key in ("label", "signer", "sha256")}
        check_drawable(points)
    except (TypeError, AttributeError, OverflowError):
        raise Problem(f"{path}: {DAMAGED}") from None
    except Problem as problem:
        raise problem if str(problem).startswith(str(path)) else Problem(f"{path}: {problem}; {DAMAGED}") from None
    return about.pop("label"), Loop(points, **about)


def check_drawable(points: Points) -> None:
    """Raise Problem where points are none of a person in a picture."""
    if points.times.ndim != 1 or len(points.times) > MOST_FRAMES:
        raise Problem(f"times {points.times.shape}, expected at most {MOST_FRAMES:,} in a row")
    if not all(0 < side <= LARGEST for side in points.size):
        raise Problem(f"a picture of {points.size} pixels, expected 1 to {LARGEST:,}")
    if any((np.abs(part) > FARTHEST).any() for part in (points.body, points.hands, points.times)):
        raise Problem(f"points or times beyond {FARTHEST:,.0f}")


def remove_loops(folder: Path, is_of: Callable[[Loop], bool]) -> int:
    """Delete the loops of which `is_of` is true, and those that cannot be read; how many."""
    gone = [path for path in loop_files(folder) if _concerns(path, is_of)]
    for path in gone:
        path.unlink()
    return len(gone)


def _concerns(path: Path, is_of: Callable[[Loop], bool]) -> bool:
    try:
        return is_of(read_loop(path)[1])
    except Problem:
        return True
