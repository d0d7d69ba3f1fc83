"""The other side of bench_prepare.py: from videos to frames and flow as the prototypes of this field do it.

    env/bin/python benchmarks/reference_prepare.py '{"scaleStep": 0.5, "warps": 3, "epsilon": 0.02}' 0 out clip.avi ...

One process. Each video is read and resized whole, 40 frames of it are written as a JPEG file each; these are read
again, OpenCV contrib's TV-L1 between neighbours is cut off at 20 px and written as two JPEG files a field. The
arguments: of DualTVL1OpticalFlow_create, OpenCV's threads (0: as many as it likes), the output, the videos. Prints a
line of JSON: seconds and seconds of processors of both halves.
"""

import json
import sys
import time
from pathlib import Path

import cv2
import numpy as np

FRAMES, SHORT_SIDE, BOUND = 40, 240, 20.0


def extract(video: str, folder: Path) -> None:
    capture, frames = cv2.VideoCapture(video), []
    while True:
        there, frame = capture.read()
        if not there:
            break
        scale = SHORT_SIDE / min(frame.shape[:2])
        frames.append(frame if scale == 1 else cv2.resize(frame, None, fx=scale, fy=scale))
    folder.mkdir(parents=True)
    for number, index in enumerate(np.linspace(0, len(frames) - 1, FRAMES).round().astype(int), 1):
        cv2.imwrite(str(folder / f"img_{number:05d}.jpg"), frames[index])


def flow(frames: Path, folder: Path, solver) -> None:
    pictures = [cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in sorted(frames.iterdir())]
    fields = [np.zeros((*pictures[0].shape, 2), np.float32)]
    fields += [solver.calc(*pair, None) for pair in zip(pictures, pictures[1:], strict=False)]
    folder.mkdir(parents=True)
    for number, field in enumerate(fields, 1):
        coded = np.rint((np.clip(field, -BOUND, BOUND) + BOUND) * (255 / (2 * BOUND))).astype(np.uint8)
        for axis, name in enumerate("xy"):
            cv2.imwrite(str(folder / f"flow_{name}_{number:05d}.jpg"), coded[..., axis])


def main(parameters: str, threads: str, output: str, *videos: str) -> None:
    if int(threads):
        cv2.setNumThreads(int(threads))
    solver = cv2.optflow.DualTVL1OpticalFlow_create(**json.loads(parameters))
    moments = [(time.perf_counter(), time.process_time())]
    for video in videos:
        extract(video, Path(output, "frame", Path(video).stem))
    moments.append((time.perf_counter(), time.process_time()))
    for video in videos:
        flow(Path(output, "frame", Path(video).stem), Path(output, "flow", Path(video).stem), solver)
    moments.append((time.perf_counter(), time.process_time()))
    (frames, cpu), (flows, flow_cpu) = np.diff(moments, axis=0).tolist()
    print(json.dumps({"frames": [frames, cpu], "flow": [flows, flow_cpu], "opencv": cv2.__version__}))


if __name__ == "__main__":
    main(*sys.argv[1:])
