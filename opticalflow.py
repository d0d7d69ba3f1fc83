"""Compute the optical flow of every clip of a data set, from its frames, as one clip archive each.

    python opticalflow.py --data data_set/chalearn

in:   data_set/<name>/frame-40x240/<split>/<label>/<clip>.zip
out:  data_set/<name>/flow-40x240-tvl1-fast/<split>/<label>/<clip>.zip

Flow is (T, H, W, 2) float32, pixels, x then y: the motion from the frame before to this one, so the first field is
zero, and a repeated frame repeats the field before it. It is stored in 8 bits, +-20 px. Methods: `tvl1-fast` and
`tvl1-quality` (TV-L1, the method of this field; the second has OpenCV's default settings and takes four times as long),
`dis` and `farneback` (OpenCV's, coarser and no quicker). A clip that is done is skipped: the same command goes on.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path

import command
from command import Problem

import cv2
import numpy as np

import clip
import clipspec
import dataset
import frame as frames_of
import preprocess
import tvl1 as solver

METHODS = {
    "tvl1-fast": solver.FAST,
    "tvl1-quality": solver.QUALITY,
    # Kroeger et al. 2016, OpenCV's preset "medium".
    "dis": {"preset": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM},
    # Farneback 2003, the settings of OpenCV's own example.
    "farneback": {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2},
}
PRESETS = {"fast": solver.FAST, "quality": solver.QUALITY}


def grey(image: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB -> (H, W) uint8; a grey image stays as it is."""
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


def check_pair(previous: np.ndarray, current: np.ndarray) -> None:
    for image in (previous, current):
        if image.dtype != np.uint8 or image.ndim != 2:
            raise ValueError(f"expected two (H, W) uint8 images; received {image.shape} {image.dtype}")
    if previous.shape != current.shape:
        raise ValueError(f"images of different sizes: {previous.shape} and {current.shape}")


def tvl1(previous: np.ndarray, current: np.ndarray, preset: str | dict = "fast") -> np.ndarray:
    """TV-L1 flow between two (H, W) uint8 grey images -> (H, W, 2) float32 pixels, x then y.

    Args:
        preset: "fast", "quality", or a dict with every parameter, as in `tvl1.QUALITY`.
    """
    check_pair(previous, current)
    parameters = PRESETS[preset] if isinstance(preset, str) else preset
    stream = solver.Solver(parameters)
    stream.push(previous)
    return stream.push(current)


class FlowStream:
    """Frames in one at a time, flow out one at a time; the pyramid of the frame before is kept, not built twice."""

    def __init__(self, method: str = "tvl1-fast", parameters: dict | None = None):
        if method not in METHODS:
            raise Problem(f"flow method {method!r}; expected one of {', '.join(METHODS)}")
        self.parameters = METHODS[method] if parameters is None else parameters
        self._family = method.split("-")[0]
        self._dis = None
        if self._family == "dis":
            self._dis = cv2.DISOpticalFlow.create(self.parameters["preset"])
        self._solver = solver.Solver(self.parameters) if self._family == "tvl1" else None
        self._previous = None

    def restart(self) -> None:
        """The next frame is a first one again."""
        self._previous = None
        if self._solver:
            self._solver.restart()

    def push(self, frame: np.ndarray) -> np.ndarray | None:
        """(H, W, 3) uint8 RGB or (H, W) uint8 grey -> (H, W, 2) float32 pixels since the frame before; None at first.

        Raises ValueError where the size or type differs from the frame before.
        """
        image = np.ascontiguousarray(grey(frame))
        check_pair(image if self._previous is None else self._previous, image)
        previous, self._previous = self._previous, image
        if self._family == "tvl1":
            return self._solver.push(image)
        if previous is None:
            return None
        if self._family == "dis":
            return self._dis.calc(previous, image, None)
        return cv2.calcOpticalFlowFarneback(previous, image, None, flags=0, **self.parameters)


class KeptFlow:
    """Flow of a clip's kept frames as they come: the one place that says what the first and a repeated field are."""

    def __init__(self, spec: clipspec.FlowSpec):
        self._from_video = spec.flow_from == "video"
        self._stream = FlowStream(spec.method, spec.parameters)
        self._number, self._field = None, None

    def push(self, number: int, image: np.ndarray, before: np.ndarray | None = None) -> np.ndarray:
        """The next kept frame -> (H, W, 2) float32 pixels; zero for the first, the same again for a repeated one.

        Args:
            number: of the frame in its video; equal numbers are one frame repeated.
            image: (H, W, 3) uint8 RGB, as stored; before: the video's frame before it, where flow is taken from there.
        """
        if number == self._number:
            return self._field
        if self._from_video and number > 0 and self._number != number - 1:
            self._stream.restart()
            self._stream.push(before)
        field = self._stream.push(image)
        self._number, self._field = number, np.zeros((*image.shape[:2], 2), np.float32) if field is None else field
        return self._field


def clip_flow(images: np.ndarray, times, spec: clipspec.FlowSpec) -> np.ndarray:
    """Flow of a clip's kept frames, from each to the next.

    Args:
        images: (T, H, W, 3) uint8 RGB.
        times: (T,) seconds; equal times are one frame repeated, and repeat its field.
    Returns:
        (T, H, W, 2) float32 pixels, x then y; the first field is zero.
    """
    kept = KeptFlow(replace(spec, flow_from="frames"))
    numbers = np.concatenate([[0], np.cumsum(np.diff(times) != 0)])
    return np.stack([kept.push(number, image) for number, image in zip(numbers, images, strict=True)])


def video_flow(images: np.ndarray, times: np.ndarray, stored: clipspec.StoredSpec) -> np.ndarray:
    """As `clip_flow`, but between each kept frame and the video's frame before it; images are all the video's frames,
    resized as stored."""
    kept = KeptFlow(replace(stored.flow, flow_from="video"))
    return np.stack([kept.push(number, images[number], images[number - 1]) for number in stored.keep(times)])


def flow_to_colour(flow: np.ndarray, longest: float | None = None) -> np.ndarray:
    """(H, W, 2) float32 pixels -> (H, W, 3) uint8 RGB: direction as hue, length as saturation; no motion is white.

    Args:
        longest: pixels shown in full colour; the 99th percentile of this field, at least 1 px, without it.
    """
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    longest = longest or max(1.0, float(np.percentile(length, 99)))
    hsv = np.empty((*flow.shape[:2], 3), np.uint8)
    hsv[..., 0] = np.rint(angle * (90 / np.pi)) % 180
    hsv[..., 1] = np.clip(length * (255 / longest), 0, 255)
    hsv[..., 2] = 255
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def statistics(flow: np.ndarray, coded: np.ndarray) -> dict[str, float]:
    """What clip.json says of a clip's flow: lengths in pixels, and the share of values that 8 bits cut off.

    Args:
        flow: (T, H, W, 2) float32 pixels; the first field, always zero, is left out.
        coded: the same in 8 bits.
    """
    lengths = [cv2.magnitude(*cv2.split(field)) for field in (flow[1:] if len(flow) > 1 else flow)]
    # Every seventh pixel says as much about the 99th percentile as all of them, and is sorted sooner.
    some = np.concatenate([length.ravel()[::7] for length in lengths])
    cut = cv2.calcHist([coded.reshape(len(coded), -1)], [0], None, [256], [0, 256])[[0, 255]].sum()
    figures = {"mean": np.mean([length.mean() for length in lengths]), "p99": np.percentile(some, 99),
               "largest": max(length.max() for length in lengths), "cut_off": cut / coded.size}  # fmt: skip
    return {name: round(float(value), 4) for name, value in figures.items()}


def compile_solver() -> None:
    """Have Numba compile TV-L1 now, once, rather than in every worker process; later runs find it on the disc."""
    if not solver.is_compiled():
        print("compiling the TV-L1 solver for this machine, once; about 10 s", file=sys.stderr, flush=True)
    image = np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8)
    tvl1(image, image)


class Compute:
    """Write one clip's flow archive, in a form that joblib can send to another process."""

    def __init__(self, folder: Path, stored: clipspec.StoredSpec):
        self.folder, self.stored = folder, stored

    def __call__(self, item: dataset.Clip) -> int:
        cv2.setNumThreads(1)  # one clip a process is the parallelism
        archive = item.archive(self.folder, self.stored.frame_store)
        frames = clip.read_archive(archive)
        frame_info = frames_of.expected_info(item, self.stored.without_flow())
        if any(frames.info.get(key) != value for key, value in frame_info.items()):
            raise Problem(f"{archive}: not the frames of the video in clips.csv; run frame.py again")
        times = frames.info["times"]
        if self.stored.flow.flow_from == "frames":
            flow = clip_flow(frames.images, times, self.stored.flow)
        else:
            video = frames_of.check_video(item, self.folder, self.stored.part)
            images, seconds = frames_of.read_video(video, self.stored.short_side)
            flow = video_flow(images, seconds, self.stored)
        coded = preprocess.quantise_flow(flow, self.stored.flow.bound)
        info = {**frames_of.expected_info(item, self.stored), "times": times, "squares": frames.squares,
                "statistics": statistics(flow, coded)}  # fmt: skip
        clip.write_archive(item.archive(self.folder, self.stored.flow_store), coded, info)
        return len(flow)


def compute_all(data: dataset.Dataset, stored: clipspec.StoredSpec, splits: list[str], workers: int) -> command.Outcome:
    """Compute what is missing and print what was done."""
    store = data.folder / stored.flow_store
    clips = data.split(*splits)
    if stored.flow.method.startswith("tvl1"):
        compile_solver()
    started = time.perf_counter()
    with command.lock(store):
        command.remove_leftovers(store)
        jobs = frames_of.pending(data, clips, store.name, stored)
        if len(jobs) < len(clips):
            print(f"{len(clips) - len(jobs)} of {len(clips)} clips are there already")
        outcome = command.parallel(Compute(data.folder, stored), jobs, workers, "flow")
    seconds = time.perf_counter() - started
    rate = f", {len(outcome.done) / seconds:.1f} clips/s" if outcome.done else ""
    print(f"{len(outcome.done)} clips, {sum(outcome.done)} fields in {seconds:.1f} s{rate} -> {store}")
    return outcome


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--method", choices=METHODS, default="tvl1-fast", help="how flow is computed")
    flags.add_argument("--store", help="which frames, where there are several: 40x240 for frame-40x240")
    flags.add_argument("--bound", type=float, default=20.0, metavar="PX", help="motion that 0 and 255 stand for")
    flags.add_argument("--flow-from", choices=("frames", "video"), default="frames",
                       help="from each kept frame to the next, or at the video's own rate, as Sarhan & Frintrop (2020)")
    flags.add_argument("--quality", type=int, default=95, help="JPEG quality")
    flags.add_argument("--split", nargs="+", choices=dataset.SPLITS, default=[], help="only these splits")
    command.add_workers(flags)
    args = flags.parse_args(argv)
    data = dataset.load(args.data)
    stored = clip.find_stored(data, "frame", args.store)
    flow = clipspec.FlowSpec(args.method, METHODS[args.method], args.bound, args.flow_from, args.quality)
    return compute_all(data, replace(stored, flow=flow), args.split, args.workers).summary()


if __name__ == "__main__":
    sys.exit(command.run(main))
