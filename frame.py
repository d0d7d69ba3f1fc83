"""Extract the frames of every video of a data set: 40 a clip, evenly spread in time, as one clip archive each.

    python frame.py --data data_set/chalearn

in:   data_set/<name>/clips.csv and video/<split>/<label>/<clip>.avi; a clip that is an interval of a longer video, or a
      folder of pictures, is read from that
out:  data_set/<name>/frame-40x240/<split>/<label>/<clip>.zip

With `--part depth`, of the clips that have depth: depth/<split>/<label>/<clip>.avi -> frame-40x240-depth.

A clip whose archive already holds what would be written now is skipped, so the same command goes on after a stop. One
bad video does not stop the others: it is named at the end. Sarhan & Frintrop (2020) keep 40 frames, evenly.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import cached_copy, dataset, filling, region, storage
from signs.clips.dataset import Clip, Dataset, load_dataset
from signs.clips.footage import read_kept
from signs.clips.spec import StoredSpec
from signs.clips.video import iter_video, read_video
from signs.command import Outcome, Problem

import cv2

__all__ = ["iter_video", "main", "read_video"]


def extract(item: Clip, folder: Path, stored: StoredSpec, archive: Path) -> tuple[int, list[tuple[str, str]]]:
    """Write a clip's frame archive to a path; returns its number of frames and what is odd: (note, clip)."""
    cv2.setNumThreads(1)  # a clip a process is the parallelism
    frames, times, notes = read_kept(storage.check_video(item, folder, stored.part), stored, threads=1)
    kept = stored.keep(times)
    frames, times = frames[kept], [round(float(seconds), 6) for seconds in times[kept]]
    info = {**storage.expected_info(item, stored), "times": times, "squares": region.find_squares(frames)}
    info["notes"] = notes
    storage.write_archive(archive, frames, info)
    return len(frames), [(note, f"{item.folder}/{item.clip}") for note in notes]


def extract_all(data: Dataset, stored: StoredSpec, args: argparse.Namespace) -> Outcome:
    """Extract what is missing and print what was done."""
    started = time.perf_counter()
    outcome = filling.fill_store(data, stored, extract, args, "frames")
    if not args.dry_run:
        seconds, store = time.perf_counter() - started, data.folder / stored.frame_store
        frames = command.counted(sum(frames for frames, _ in outcome.done), "frame")
        print(f"{command.counted(len(outcome.done), 'clip')}, {frames} in {seconds:.1f} s -> {store}")
        filling.print_notes(outcome)
    return outcome


def with_depth(data: Dataset, splits: list[str]) -> Dataset:
    """The data set without the clips that came without depth, whose number is printed; raises Problem where all did."""
    clips = data.split(*splits)
    paths = {item.clip: item.video(data.folder, "depth") for item in clips}
    # A link that leads nowhere is depth that is lost, which is a failure.
    gone = {clip for clip, path in paths.items() if not (cached_copy.exists(path) or path.is_symlink())}
    if len(gone) == len(clips):
        raise Problem(f"{data.folder}: none of {command.counted(len(clips), 'clip')} has depth")
    if gone:
        print(f"{len(gone):,} of {command.counted(len(clips), 'clip')} {'has' if len(gone) == 1 else 'have'} no depth")
    return replace(data, clips=[item for item in data.clips if item.clip not in gone])


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--frames", default="40", help="40: so many, evenly spread; 10fps: a fixed rate; all")
    pixels = command.number(int, least=1)
    flags.add_argument("--short-side", type=pixels, default=240, metavar="PX", help="pixels of the shorter side")
    quality = command.number(int, least=1, most=100)
    flags.add_argument("--quality", type=quality, default=95, metavar="N", help="JPEG quality, 1 to 100")
    flags.add_argument("--part", choices=dataset.PARTS, default="video", help="which video of each clip")
    filling.add_flags(flags)
    args = flags.parse_args(argv)
    stored = StoredSpec(args.frames, args.short_side, args.quality, part=args.part)
    data = load_dataset(args.data)
    if args.part != "video" and not (data.folder / args.part).is_dir():
        raise Problem(f"{data.folder}: no folder {args.part} in it; prepare_chalearn2014.py --crops makes every part")
    if args.part == "depth":
        data = with_depth(data, args.split)
    return extract_all(data, stored, args).summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
