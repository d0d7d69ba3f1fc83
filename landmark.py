"""Find the points of body and hands in every video of a data set, as one archive a clip.

    python landmark.py --data data_set/gestures

in:   data_set/<name>/clips.csv and video/<split>/<label>/<clip>.avi
out:  data_set/<name>/landmark-30fps/<split>/<label>/<clip>.zip

Points are found in the video at its own size, in up to 30 frames a second (`--rate`), and stored with the frames'
times: 33 of the body, 21 of each hand, x and y in pixels. frame.py need not have run. The networks are MediaPipe's
(Apache 2.0); they are fetched once, from the Python package registry, into model/mediapipe. A clip that is done is
skipped: the same command goes on.
"""

import argparse
import sys
import time
from pathlib import Path

from signs import command
from signs.clips import filling, storage
from signs.clips.dataset import Clip, Dataset, load_dataset
from signs.clips.spec import LandmarkSpec
from signs.command import Outcome
from signs.landmarks import models
from signs.landmarks.stream import LandmarkStream, landmark_spec
from signs.landmarks.video_points import write_video_points

import cv2

__all__ = ["LandmarkStream", "main"]


def find(item: Clip, folder: Path, stored: LandmarkSpec, archive: Path) -> tuple[int, list[tuple[str, str]]]:
    """Write a clip's points to a path; returns its number of frames and what is odd: (note, clip)."""
    cv2.setNumThreads(1)  # a clip a process is the parallelism
    video = storage.check_video(item, folder, "video")
    frames, notes = write_video_points(video, archive, storage.expected_info(item, stored), stored)
    return frames, [(note, f"{item.folder}/{item.clip}") for note in notes]


def find_all(data: Dataset, stored: LandmarkSpec, args: argparse.Namespace) -> Outcome:
    """Find what is missing and print what was done."""
    started = time.perf_counter()
    outcome = filling.fill_store(data, stored, find, args, "landmarks")
    if not args.dry_run:
        frames, seconds = sum(number for number, _ in outcome.done), time.perf_counter() - started
        rate = f", {frames / seconds:.0f} frames/s" if frames else ""
        clips, found = command.counted(len(outcome.done), "clip"), command.counted(frames, "frame")
        print(f"{clips}, {found} in {seconds:.1f} s{rate} -> {data.folder / stored.store}")
        filling.print_notes(outcome)
    return outcome


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/gestures")
    copy = "a copy of the networks: the wheel of mediapipe, or a folder with its files; without it they are fetched"
    flags.add_argument("--networks", type=Path, metavar="FILE", help=copy)
    rate = "frames a second at most in which points are found; half as many take half the time"
    flags.add_argument("--rate", type=command.number(int, least=1, most=30), default=30, metavar="N", help=rate)
    filling.add_flags(flags)
    args = flags.parse_args(argv)
    data = load_dataset(args.data)
    models.fetch(args.networks)
    models.check_there()
    models.import_openvino()
    return find_all(data, landmark_spec(args.rate), args).summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
