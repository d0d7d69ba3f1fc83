"""The same clips, worse: what a model loses when the picture is dark, blurred, moved, slow, crushed or mirrored.

Every change is made to the video's frames, at the size that is stored, or, for a model that sees points, with a short
side of at most POINTS pixels: points are found in the picture as it comes. Everything after that, flow too, is what the
recogniser always does.
"""

from collections import defaultdict
from collections.abc import Iterator

from signs import command
from signs.clips import cached_copy, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.footage import Footage, footage_of
from signs.clips.spec import StoredSpec, resize_short_side
from signs.command import Problem
from signs.evaluation import scores
from signs.inference.recogniser import Recogniser, check_camera

import cv2
import numpy as np

AS_IT_IS = ""
DARKER = 0.4  # of each value
BLUR = 0.015  # of the short side: standard deviation
SHIFT = 0.1  # of width and height
QUALITY = 10  # of JPEG
POINTS = 480  # pixels: all changed frames of a clip are held, and those of 4K would be gigabytes


def changes(frames: np.ndarray, times: np.ndarray) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """(T, H, W, 3) uint8 RGB, (T,) seconds -> each change as (name, frames, times); the first, AS_IT_IS, is none."""
    height, width = frames.shape[1:3]
    sigma, move = BLUR * min(height, width), np.float32([[1, 0, SHIFT * width], [0, 1, SHIFT * height]])
    yield AS_IT_IS, frames, times
    yield f"darker, {DARKER:.0%} of the light", np.uint8(frames * DARKER), times
    blurred = [cv2.GaussianBlur(image, (0, 0), sigma) for image in frames]
    yield f"blurred, {BLUR:.1%} of the short side", np.stack(blurred), times
    shifted = [cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REPLICATE) for image in frames]
    yield f"shifted, {SHIFT:.0%} right and down", np.stack(shifted), times
    yield "half the frame rate", frames[::2], times[::2]
    yield f"recompressed, JPEG quality {QUALITY}", storage.as_stored(frames, QUALITY), times
    yield "mirrored", np.ascontiguousarray(frames[:, :, ::-1]), times


def read_frames(footage: Footage, stored: StoredSpec) -> tuple[np.ndarray, np.ndarray]:
    """The frames of a video as they are changed, (T, H, W, 3) uint8 RGB, and their times."""
    frames, times = [], []
    with footage.opened() as film:
        for image, seconds in film:
            side = min(POINTS, *image.shape[:2]) if stored.landmark else stored.short_side
            frames.append(resize_short_side(image, side))
            times.append(seconds)
    return np.stack(frames), np.array(times)


def measure_robustness(recogniser: Recogniser, data: Dataset, clips: list[Clip]) -> dict:
    """Top-1 of labelled clips as they are and under each change, with the paired difference.

    Returns:
        {"clips", "over", "top1", "changes": {name: {"top1", "difference": scores.Difference as a dict}}, "failed"}
    Raises:
        Problem: no video of the clips could be read, or the networks see more than it has.
    """
    check_camera(recogniser.bundle)
    hits, signers, failed = defaultdict(list), [], []
    with command.progress() as bar:
        for item in bar.track(clips, description="robustness"):
            try:
                with cached_copy.held(item.video(data.folder)):
                    frames, times = read_frames(footage_of(item, data.folder), recogniser.bundle.spec.stored)
            except Problem as problem:
                failed.append([item.clip, str(problem)])
                continue
            signers.append(item.signer)
            for name, *changed in changes(frames, times):
                hits[name].append(recogniser.predict(*changed)[0][0] == item.label)
    if not signers:
        raise Problem(f"no video of the clips could be read, and robustness needs them; the first: {failed[0][1]}")
    bootstrap, plain, rows = scores.draw_bootstrap(signers), np.array(hits.pop(AS_IT_IS)), {}
    for name, right in hits.items():
        change = scores.difference(np.array(right), plain, bootstrap)
        rows[name] = {"top1": float(np.mean(right)), "difference": vars(change)}
    return {
        "clips": len(signers),
        "over": bootstrap.over,
        "top1": float(plain.mean()),
        "changes": rows,
        "failed": failed,
    }


def print_robustness(measured: dict, split: str) -> None:
    """The table of `measure_robustness`."""
    rows = []
    for name, row in measured["changes"].items():
        change = row["difference"]
        points = scores.with_interval(change["value"], (change["low"], change["high"]), sign="+")
        rows.append([name, f"{100 * row['top1']:.1f}", points])
    about = f"as they are {100 * measured['top1']:.1f} %; one clip is {100 / measured['clips']:.1f} points"
    title = f"{measured['clips']} {split} clips; {about}"
    command.print_table(["change", "top-1", f"points, 95 % over {measured['over']}"], rows, title)
