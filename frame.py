"""Extract the frames of every video of a data set: 40 a clip, evenly spread in time, as one clip archive each.

    python frame.py --data data_set/chalearn

in:   data_set/<name>/clips.csv and video/<split>/<label>/<clip>.avi
out:  data_set/<name>/frame-40x240/<split>/<label>/<clip>.zip

With `--part depth`, of a data set that has depth: depth/<split>/<label>/<clip>.avi -> frame-40x240-depth.

A clip whose archive already holds what would be written now is skipped, so the same command goes on after a stop. One
bad video does not stop the others: it is named at the end. Sarhan & Frintrop (2020) keep 40 frames, evenly.
"""

import contextlib
import mmap
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import command
from command import Problem

import cv2
import numpy as np

import clip
import clipspec
import dataset
import region

FALLBACK_RATE = 10.0  # frames/s for a file that does not say; ChaLearn's


@contextlib.contextmanager
def quiet_opencv() -> Iterator[None]:
    """OpenCV without its own lines about what it tried on the way: the one line that helps is ours."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def open_video(path: Path) -> cv2.VideoCapture:
    """A decoder for `path`; raises Problem where it is no video (told from its first bytes) or cannot be decoded."""
    problem = dataset.video_problem(Path(path))
    if problem:
        raise Problem(f"{path}: {problem}")
    with quiet_opencv():
        video = cv2.VideoCapture(str(path), cv2.CAP_FFMPEG)
    if not video.isOpened():
        raise Problem(f"{path}: a video by its first bytes, but it cannot be decoded; is it whole?")
    return video


def never_closed(path: Path) -> bool:
    """Whether `path` is an AVI without the index that a writer puts behind the frames when it closes the file."""
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        return content[:4] == b"RIFF" and content.rfind(b"idx1") < 0 and content.rfind(b"ix00") < 0


def video_frames(path: Path) -> Iterator[tuple[np.ndarray, float]]:
    """Yield ((H, W, 3) uint8 RGB, seconds from the start) for each frame; raises Problem where it stops half-way."""
    video = open_video(path)
    try:
        rate = video.get(cv2.CAP_PROP_FPS)
        rate = rate if 0 < rate < 1000 else FALLBACK_RATE
        said, count, last = video.get(cv2.CAP_PROP_FRAME_COUNT), 0, -1.0
        while True:
            found, frame = video.read()
            if not found:
                break
            # Some AVI files repeat a time stamp or have none: then the frame follows the last one at the file's rate.
            seconds = video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            last = seconds if seconds > last else (last + 1 / rate if count else 0.0)
            count += 1
            yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB), last
    finally:
        video.release()
    if count == 0:
        raise Problem(f"{path}: no frame in it can be decoded")
    # Containers may be off by a frame or two, or count to a tenth; a video cut in the middle misses far more.
    if count < said - max(2, 0.1 * said):
        raise Problem(f"{path}: stops after {count} of {said:.0f} frames; get a whole copy")
    if said <= 0 and never_closed(path):
        raise Problem(f"{path}: stops after {count} frames, its writer was cut off; get a whole copy")


def read_video(path: Path, short_side: int | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Read a video.

    Args:
        short_side: pixels; frames are resized to it as they come, so that a long video fits into memory.
    Returns:
        frames (T, H, W, 3) uint8 RGB and times (T,) float64 seconds.
    Raises:
        Problem: the file is missing, is no video, has no frames or stops half-way.
    """
    frames, times = [], []
    for image, seconds in video_frames(path):
        frames.append(clipspec.resize_short_side(image, short_side) if short_side else image)
        times.append(seconds)
    return np.stack(frames), np.array(times)


def extract(video: Path, stored: clipspec.StoredSpec) -> tuple[np.ndarray, list[float]]:
    """The kept frames of a video, (T, h, w, 3) uint8 RGB with the short side as stored, and their times in seconds."""
    frames, times = read_video(video, stored.short_side)
    kept = stored.keep(times)
    return frames[kept], [round(float(seconds), 6) for seconds in times[kept]]


def expected_info(item: dataset.Clip, stored: clipspec.StoredSpec) -> dict:
    """What clip.json of this clip must say for the clip to count as done; more comes on top."""
    return {"format": clip.FORMAT, "source": item.source, "sha256": item.sha256, "stored": asdict(stored)}


def is_done(archive: Path, expected: dict) -> bool:
    """Whether the archive is there, whole, and holds what would be written now."""
    info = clip.read_info(archive)
    return info is not None and all(info.get(key) == value for key, value in expected.items())


def pending(data: dataset.Dataset, clips: list[dataset.Clip], store: str, stored: clipspec.StoredSpec) -> list:
    """(name, clip) of every clip whose archive in `store` is not there or not what would be written now."""
    return [
        (f"{item.folder}/{item.clip}", item)
        for item in clips
        if not is_done(item.archive(data.folder, store), expected_info(item, stored))
    ]


def check_video(item: dataset.Clip, folder: Path, part: str) -> Path:
    """The video of a clip's part; raises Problem where the clip's video is another one than when it was prepared."""
    video = item.video(folder, part)
    # clips.csv has the hash of the colour video alone: the other parts are made with it, from the same recording.
    if part == "video" and video.exists() and item.sha256 and command.sha256(video) != item.sha256:
        raise Problem(f"{video}: its content is not the one in clips.csv; run the prepare step again")
    return video


def extract_clip(item: dataset.Clip, folder: Path, stored: clipspec.StoredSpec) -> int:
    """Write one clip's frame archive; returns its number of frames."""
    cv2.setNumThreads(1)  # one clip a process is the parallelism
    frames, times = extract(check_video(item, folder, stored.part), stored)
    info = {**expected_info(item, stored), "times": times, "squares": region.find(frames)}
    clip.write_archive(item.archive(folder, stored.frame_store), frames, info)
    return len(frames)


class Extract:
    """`extract_clip` for one data set, in a form that joblib can send to another process."""

    def __init__(self, folder: Path, stored: clipspec.StoredSpec):
        self.folder, self.stored = folder, stored

    def __call__(self, item: dataset.Clip) -> int:
        return extract_clip(item, self.folder, self.stored)


def extract_all(data: dataset.Dataset, stored: clipspec.StoredSpec, splits: list[str], workers: int) -> command.Outcome:
    """Extract what is missing and print what was done."""
    started, store = time.perf_counter(), data.folder / stored.frame_store
    clips = data.split(*splits)
    with command.lock(store):
        command.remove_leftovers(store)
        jobs = pending(data, clips, store.name, stored)
        if len(jobs) < len(clips):
            print(f"{len(clips) - len(jobs)} of {len(clips)} clips are there already")
        outcome = command.parallel(Extract(data.folder, stored), jobs, workers, "frames")
    seconds = time.perf_counter() - started
    print(f"{len(outcome.done)} clips, {sum(outcome.done)} frames in {seconds:.1f} s -> {store}")
    return outcome


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--frames", default="40", help="40: so many, evenly spread; 10fps: a fixed rate; all")
    flags.add_argument("--short-side", type=int, default=240, metavar="PX", help="pixels of the shorter side")
    flags.add_argument("--quality", type=int, default=95, help="JPEG quality")
    flags.add_argument("--part", choices=dataset.PARTS, default="video", help="which video of each clip")
    flags.add_argument("--split", nargs="+", choices=dataset.SPLITS, default=[], help="only these splits")
    command.add_workers(flags)
    args = flags.parse_args(argv)
    stored = clipspec.StoredSpec(args.frames, args.short_side, args.quality, part=args.part)
    data = dataset.load(args.data)
    if args.part != "video" and not (data.folder / args.part).is_dir():
        raise Problem(f"{data.folder}: no folder {args.part} in it; prepare_chalearn2014.py --crops makes every part")
    return extract_all(data, stored, args.split, args.workers).summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
