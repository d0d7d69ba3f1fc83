"""What does a clip cost in frame.py? Each step's processor time, and what share of it the search for the signer takes.

    python benchmarks/bench_frame.py --videos data_set/gestures/video --clips 40

Printed: milliseconds a clip (median over clips, one thread) of reading and resizing, of the two squares (region.py,
person.py) and of JPEG. The last line is JSON.
"""

import argparse
import json
import sys
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs.clips import region, storage
from signs.clips.container import video_problem
from signs.clips.footage import read_kept
from signs.clips.spec import StoredSpec

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table


def measure(path: Path, stored: StoredSpec, spent: dict[str, list[float]]) -> None:
    """Add the seconds of each step of this clip to `spent`."""
    moments = [time.process_time()]
    frames, times, _ = read_kept(path, stored, threads=1)
    frames = frames[stored.keep(times)]
    moments.append(time.process_time())
    for find in region.SQUARES.values():
        find(frames)
        moments.append(time.process_time())
    storage.as_stored(frames, stored.quality)  # codes and decodes
    moments.append(time.process_time())
    steps = ("read and resize", *(f"{name} square" for name in region.SQUARES), "JPEG, both ways")
    for step, seconds in zip(steps, np.diff(moments), strict=True):
        spent[step].append(float(seconds))


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--videos", type=Path, required=True, help="a folder with videos, at any depth")
    flags.add_argument("--clips", type=int, default=40, metavar="N", help="how many of them, evenly")
    args = flags.parse_args(argv)
    cv2.setNumThreads(1)
    videos = [path for path in sorted(args.videos.rglob("*.*")) if path.is_file() and not video_problem(path)]
    chosen = [videos[i] for i in np.linspace(0, len(videos) - 1, min(args.clips, len(videos))).astype(int)]
    spent = defaultdict(list)
    for path in chosen:
        measure(path, StoredSpec(), spent)
    rows = {step: round(1000 * float(np.median(seconds)), 2) for step, seconds in spent.items()}
    table = Table("step", "ms a clip", title=f"{len(chosen)} clips of 40 frames")
    for step, milliseconds in rows.items():
        table.add_row(step, f"{milliseconds:.2f}")
    Console().print(table)
    print(json.dumps({"clips": len(chosen), "milliseconds": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
