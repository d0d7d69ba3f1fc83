"""Compute the optical flow of every clip of a data set, from its frames, as one clip archive each.

    python opticalflow.py --data data_set/chalearn

in:   data_set/<name>/frame-40x240/<split>/<label>/<clip>.zip
out:  data_set/<name>/flow-40x240-tvl1-fast/<split>/<label>/<clip>.zip

Flow is (T, H, W, 2) float32, pixels, x then y: the motion from the frame before to this one, so the first field is
zero, and a repeated frame repeats the field before it. It is stored in 8 bits, +-20 px. Methods: `tvl1-fast` and
`tvl1-quality` (TV-L1, the method of this field; the second has OpenCV's default settings and takes four times as long),
`dis` and `farneback` (OpenCV's, coarser and no quicker). A clip that is done is skipped: the same command goes on.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import cached_copy, filling, preprocess, storage
from signs.clips.dataset import Clip, Dataset, load_dataset
from signs.clips.footage import read_kept
from signs.clips.spec import FlowSpec, StoredSpec
from signs.command import Outcome, Problem
from signs.flow.stream import FLOW_METHODS, clip_flow, compile_solver, video_flow

import cv2
import numpy as np


def statistics(flow: np.ndarray, coded: np.ndarray) -> dict[str, float]:
    """What clip.json says of a clip's flow: lengths in pixels, and the share of values that 8 bits cut off.

    `flow`: (T, H, W, 2) float32 pixels, whose first field, always zero, is left out; `coded`: the same in 8 bits.
    """
    lengths = [cv2.magnitude(*cv2.split(field)) for field in (flow[1:] if len(flow) > 1 else flow)]
    # Every seventh pixel says as much about the 99th percentile as all of them, and is sorted sooner.
    some = np.concatenate([length.ravel()[::7] for length in lengths])
    cut = cv2.calcHist([coded.reshape(len(coded), -1)], [0], None, [256], [0, 256])[[0, 255]].sum()
    figures = {
        "mean": np.mean([length.mean() for length in lengths]),
        "p99": np.percentile(some, 99),
        "largest": max(length.max() for length in lengths),
        "cut_off": cut / coded.size,
    }
    return {name: round(float(value), 4) for name, value in figures.items()}


def compute(item: Clip, folder: Path, stored: StoredSpec, target: Path) -> int:
    """Write a clip's flow archive to a path; returns its number of fields."""
    cv2.setNumThreads(1)  # a clip a process is the parallelism
    archive = item.archive(folder, stored.frame_store)
    if not cached_copy.exists(archive):
        raise Problem("has no frames: frame.py could not read its video; run it again to see why, or delete its row")
    frames = storage.read_archive(archive)
    if not storage.is_current(frames.info, storage.expected_info(item, stored.without_flow())):
        raise Problem(f"{archive}: not what frame.py makes of the video in clips.csv; run frame.py again")
    times = frames.info["times"]
    if stored.flow.flow_from == "frames":
        flow = clip_flow(frames.images, times, stored.flow)
    else:
        images, seconds, _ = read_kept(storage.check_video(item, folder, stored.part), stored, threads=1)
        flow = video_flow(images, seconds, stored)
    coded = preprocess.quantise_flow(flow, stored.flow.bound)
    info = {**storage.expected_info(item, stored), "times": times, "squares": frames.squares}
    info["statistics"] = statistics(flow, coded)
    storage.write_archive(target, coded, info)
    return len(flow)


def compute_all(data: Dataset, stored: StoredSpec, args: argparse.Namespace) -> Outcome:
    """Compute what is missing and print what was done."""
    if stored.flow.method.startswith("tvl1"):
        compile_solver()
    started = time.perf_counter()
    outcome = filling.fill_store(data, stored, compute, args, "flow")
    if not args.dry_run:
        seconds, store = time.perf_counter() - started, data.folder / stored.flow_store
        rate = f", {len(outcome.done) / seconds:.1f} clips/s" if outcome.done else ""
        clips, fields = command.counted(len(outcome.done), "clip"), command.counted(sum(outcome.done), "field")
        print(f"{clips}, {fields} in {seconds:.1f} s{rate} -> {store}")
    return outcome


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--method", choices=FLOW_METHODS, default="tvl1-fast", help="how flow is computed")
    flags.add_argument("--store", help="which frames, where there are several: 40x240 for frame-40x240")
    pixels = command.number(float, above=0)
    flags.add_argument("--bound", type=pixels, default=20.0, metavar="PX", help="motion that 0 and 255 stand for")
    pair = "from each kept frame to the next, or at the video's own rate, as Sarhan & Frintrop (2020)"
    flags.add_argument("--flow-from", choices=("frames", "video"), default="frames", help=pair)
    quality = command.number(int, least=1, most=100)
    flags.add_argument("--quality", type=quality, default=95, metavar="N", help="JPEG quality, 1 to 100")
    filling.add_flags(flags)
    args = flags.parse_args(argv)
    data = load_dataset(args.data)
    stored = storage.find_stored(data, "frame", args.store)
    flow = FlowSpec(args.method, FLOW_METHODS[args.method], args.bound, args.flow_from, args.quality)
    return compute_all(data, replace(stored, flow=flow), args).summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
