"""The same clips, worse: what a model loses when the picture is dark, blurred, moved, slow, crushed or mirrored.

Every change is made to the video's frames, at the size that is stored; everything after that, flow too, goes
through the recogniser's one path.
"""

from collections.abc import Callable

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.video import read_video
from signs.command import Problem
from signs.evaluation import scores
from signs.inference.recogniser import Recogniser, check_camera

import cv2
import numpy as np

# (T, H, W, 3) uint8 RGB and (T,) seconds -> the same, changed.
Change = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
DARKER = 0.4  # of each value
BLUR = 0.015  # of the short side: standard deviation
SHIFT = 0.1  # of width and height
QUALITY = 10  # of JPEG


def _darker(frames, times):
    return np.uint8(frames * DARKER), times


def _blurred(frames, times):
    sigma = BLUR * min(frames.shape[1:3])
    return np.stack([cv2.GaussianBlur(image, (0, 0), sigma) for image in frames]), times


def _shifted(frames, times):
    height, width = frames.shape[1:3]
    move = np.float32([[1, 0, SHIFT * width], [0, 1, SHIFT * height]])
    edge = cv2.BORDER_REPLICATE
    return np.stack([cv2.warpAffine(image, move, (width, height), borderMode=edge) for image in frames]), times


def _half_rate(frames, times):
    return frames[::2], times[::2]


def _recompressed(frames, times):
    return storage.as_stored(frames, QUALITY), times


def _mirrored(frames, times):
    return np.ascontiguousarray(frames[:, :, ::-1]), times


CHANGES: dict[str, Change] = {
    f"darker, {DARKER:.0%} of the light": _darker,
    f"blurred, {BLUR:.1%} of the short side": _blurred,
    f"shifted, {SHIFT:.0%} right and down": _shifted,
    "half the frame rate": _half_rate,
    f"recompressed, JPEG quality {QUALITY}": _recompressed,
    "mirrored": _mirrored,
}


def measure(recogniser: Recogniser, data: Dataset, clips: list[Clip]) -> dict:
    """Top-1 of labelled clips as they are and under each change, with the paired difference.

    Returns:
        {"clips", "top1", "changes": {name: {"top1", "difference": scores.Difference as a dict}}, "failed": [...]}
    Raises:
        Problem: no video of the clips could be read, or the networks see more than it has.
    """
    check_camera(recogniser.bundle)
    right, owners, failed = {name: [] for name in ("", *CHANGES)}, [], []
    with command.progress() as bar:
        for item in bar.track(clips, description="robustness"):
            try:
                frames, times = read_video(item.video(data.folder), recogniser.bundle.spec.stored.short_side)
            except Problem as problem:
                failed.append((item.clip, str(problem)))
                continue
            owners.append(item.signer)
            for name in right:
                seen = CHANGES[name](frames, times) if name else (frames, times)
                right[name].append(recogniser.predict(*seen)[0][0] == item.label)
    if not owners:
        raise Problem(f"no video of the clips could be read, and robustness needs them; the first: {failed[0][1]}")
    drawn, plain = scores.draw(owners), np.array(right[""])
    changes = {
        name: {
            "top1": float(np.mean(right[name])),
            "difference": scores.difference(np.array(right[name]), plain, drawn).to_json(),
        }
        for name in CHANGES
    }
    return {
        "clips": len(owners),
        "over": drawn.over,
        "top1": float(plain.mean()),
        "changes": changes,
        "failed": [list(pair) for pair in failed],
    }


def show(found: dict, split: str) -> None:
    from rich import console, table

    title = f"{found['clips']} {split} clips; as they are {100 * found['top1']:.1f} %"
    shown = table.Table(title=title, title_justify="left")
    for head in ("change", "top-1", f"points, 95 % over {found['over']}"):
        shown.add_column(head, justify="left" if head == "change" else "right", no_wrap=True)
    for name, row in found["changes"].items():
        change = row["difference"]
        points = scores.with_interval(change["value"], (change["low"], change["high"]), sign="+")
        shown.add_row(name, f"{100 * row['top1']:.1f}", points)
    console.Console().print(shown)
