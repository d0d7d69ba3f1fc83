"""Our points of body and hands beside those of MediaPipe's own Holistic, on the same frames.

    python3.12 -m venv /tmp/mediapipe && /tmp/mediapipe/bin/pip install mediapipe==0.10.21
    python benchmarks/bench_landmarks.py --python /tmp/mediapipe/bin/python clip.avi another.avi

That wheel wants Python 3.11 or 3.12 and NumPy below 2, hence an environment of its own. Its smoothing is off. Printed
for each video: in how many frames each finds hands; the median distance, in percent of the shoulder width, of visible
body points, and of hand points where both find the hand; processor milliseconds a frame. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips.video import read_video
from signs.landmarks import models
from signs.landmarks.stream import LandmarkStream

HOLISTIC = """
import sys, time
import mediapipe, numpy
frames = numpy.load(sys.argv[1])
height, width = frames.shape[1:3]
body = numpy.full((len(frames), 33, 2), numpy.nan)
hands = numpy.full((len(frames), 2, 21, 2), numpy.nan)
with mediapipe.solutions.holistic.Holistic(model_complexity=1, smooth_landmarks=False) as holistic:
    holistic.process(frames[0])
    holistic.reset()
    began = time.process_time()
    for number, frame in enumerate(frames):
        found = holistic.process(frame)
        for place, points in ((body[number], found.pose_landmarks), (hands[number, 0], found.left_hand_landmarks),
                              (hands[number, 1], found.right_hand_landmarks)):
            if points:
                place[:] = [(point.x * width, point.y * height) for point in points.landmark]
    milliseconds = 1000 * (time.process_time() - began) / len(frames)
numpy.savez(sys.argv[2], body=body, hands=hands, milliseconds=milliseconds)
"""
VISIBLE = 0.5
COLUMNS = ("video", "frames", "hands %", "theirs %", "body % off", "hands % off", "ms", "their ms")


def ours(frames: np.ndarray, times: np.ndarray) -> dict:
    """body (T, 33, 2), hands (T, 2, 21, 2) pixels, milliseconds a frame."""
    stream = LandmarkStream(models.networks_here())
    began = time.process_time()
    body, hands = zip(*(stream.push(*each) for each in zip(frames, times, strict=True)), strict=True)
    spent = 1000 * (time.process_time() - began) / len(frames)
    body = np.stack(body)
    body[body[..., 3] < VISIBLE] = np.nan  # legs below the picture are guesses
    return {"body": body[..., :2], "hands": np.stack(hands)[..., :2], "milliseconds": spent}


def theirs(python: Path, frames: np.ndarray) -> dict:
    """The same from Holistic, in its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/frames.npy", frames)
        line = [python, "-c", HOLISTIC, f"{folder}/frames.npy", f"{folder}/found.npz"]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        if done.returncode:
            raise command.Problem(f"{python}: {done.stderr.strip().splitlines()[-1]}")
        return dict(np.load(f"{folder}/found.npz"))


def compared(path: Path, python: Path) -> tuple:
    """A row of the table."""
    frames, times = read_video(path)
    mine, other = ours(frames, times), theirs(python, frames)
    width = float(np.nanmedian(np.hypot(*(mine["body"][:, 11] - mine["body"][:, 12]).T)))
    off = {
        part: 100 * float(np.nanmedian(np.hypot(*np.moveaxis(mine[part] - other[part], -1, 0)))) / width
        for part in ("body", "hands")
    }
    seen = [100 * float((~np.isnan(found["hands"][..., 0, 0])).mean()) for found in (mine, other)]
    spent = [float(found["milliseconds"]) for found in (mine, other)]
    return (path.stem, len(frames), *seen, off["body"], off["hands"], *spent)


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("videos", nargs="+", type=Path)
    flags.add_argument("--python", type=Path, required=True, help="of an environment that has mediapipe 0.10.21")
    args = flags.parse_args(argv)
    models.check_there()
    rows = [compared(path, args.python) for path in args.videos]
    shown = [[row[0], row[1], *(f"{value:.2f}" for value in row[2:])] for row in rows]
    command.print_table(COLUMNS, shown, "points of body and hands, ours and MediaPipe's Holistic")
    print(json.dumps([dict(zip(COLUMNS, row, strict=True)) for row in rows]))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
