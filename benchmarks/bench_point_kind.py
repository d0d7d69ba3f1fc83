"""Are landmark.py's points of the same kind as those that the starter learnt from?

    python benchmarks/bench_point_kind.py --points dgs30.npz --data data_set/gestures

Of each clip, in shoulder widths: how long the palm is, how far the shoulders are below the nose, and where the face
point is from the nose; the median over clips and, in brackets, from the 5th to the 95th percentile. dgs30.npz has
bodies of half of its clips (`pose`), and no aspect of the picture, so its rows are given for three; data_set/gestures
has points of landmark.py, whose face point is the right eye (signs/clips/hands_alone.py). The last line is JSON.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.dataset import load_dataset
from signs.clips.hands_alone import EYE, LEFT, NOSE, RIGHT
from signs.clips.points import read_points

from make_start import ASPECTS

COLUMNS = ("palm", "nose to shoulders", "face point, across", "face point, down")
POSE = 25  # points of a body in dgs30.npz


def measures(body: np.ndarray, hands: np.ndarray, face: np.ndarray) -> list[float]:
    """(T, points, 2), (S, 2, 21, 2), (S, 2) in pixels -> COLUMNS of one clip."""
    shoulders = body[:, LEFT] - body[:, RIGHT]
    width = np.nanmedian(np.hypot(*shoulders.T))
    palm = np.nanmedian(np.linalg.norm(hands[:, :, 9] - hands[:, :, 0], axis=-1))
    down = np.nanmedian(body[:, [LEFT, RIGHT], 1].mean(axis=1) - body[:, NOSE, 1])
    across = np.nanmedian(face, axis=0) - np.nanmedian(body[:, NOSE], axis=0)
    return [value / width for value in (palm, down, *across)]


def dgs_rows(path: Path, aspect: float) -> np.ndarray:
    """(clips, COLUMNS) of those that have bodies too."""
    with np.load(path, allow_pickle=False) as file:
        takes, bodies = (
            dict(
                zip(
                    file[f"{kind}_clip"],
                    np.split(file[kind].astype(np.float32), np.cumsum(file[f"{kind}_frames"])[:-1]),
                    strict=True,
                )
            )
            for kind in ("hands", "pose")
        )
    size, rows = np.array([aspect, 1.0]), []
    for name, pose in bodies.items():
        take = takes[name]
        hands = take[:, 2:].reshape(-1, 2, 21, 3)[..., :2]
        rows.append(measures(pose.reshape(-1, POSE, 3)[..., :2] * size, hands * size, take[:, :2] * size))
    return np.array(rows)


def our_rows(folder: Path) -> np.ndarray:
    """(clips, COLUMNS) of a data set with points."""
    data = load_dataset(folder)
    stored, rows = storage.find_landmarks(data), []
    for item in data.clips:
        points = read_points(item.archive(folder, stored.store), stored)
        if not np.isnan(points.hands).all():
            rows.append(measures(points.body[..., :2], points.hands[..., :2], points.body[:, EYE, :2]))
    return np.array(rows)


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--points", type=Path, required=True, help="dgs30.npz, as for make_start.py")
    flags.add_argument("--data", type=Path, required=True, help="a data set with points of landmark.py")
    args = flags.parse_args(argv)
    found = {f"dgs30, {aspect:.2f}:1": dgs_rows(args.points, aspect) for aspect in (1.0, *ASPECTS[:2])}
    found["ours"] = our_rows(args.data)
    table, results = Table("points", "clips", *COLUMNS, title="in shoulder widths"), {}
    for name, rows in found.items():
        low, middle, high = np.percentile(rows, [5, 50, 95], axis=0)
        cells = [f"{m:.2f} ({a:.2f} to {b:.2f})" for a, m, b in zip(low, middle, high, strict=True)]
        table.add_row(name, str(len(rows)), *cells)
        results[name] = dict(zip(COLUMNS, middle.round(3).tolist(), strict=True))
    Console(width=120).print(table)
    print(json.dumps(results))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
