"""Optical flow of a clip, frame by frame: TV-L1, and OpenCV's DIS and Farneback beside it.

    stream = FlowStream("tvl1-fast")
    stream.push(frame)                  each frame -> (H, W, 2) float32 pixels since the frame before

opticalflow.py computes a data set with it; the live demo and evaluation push the frames of a recording.
"""

import sys
from dataclasses import replace

from signs.clips.spec import FlowSpec, StoredSpec
from signs.command import Problem
from signs.flow.tvl1 import FAST, QUALITY, Solver, is_compiled

import cv2
import numpy as np

LARGEST = 100  # of any parameter of a method
FLOW_METHODS = {
    "tvl1-fast": FAST,
    "tvl1-quality": QUALITY,
    # Kroeger et al. 2016, OpenCV's preset "medium".
    "dis": {"preset": cv2.DISOPTICAL_FLOW_PRESET_MEDIUM},
    # Farneback 2003, the settings of OpenCV's own example.
    "farneback": {"pyr_scale": 0.5, "levels": 3, "winsize": 15, "iterations": 3, "poly_n": 5, "poly_sigma": 1.2},
}


def to_grey(image: np.ndarray) -> np.ndarray:
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

    `preset`: "fast", "quality", or a dict with every parameter, as in `tvl1.QUALITY`.
    """
    check_pair(previous, current)
    solver = Solver(FLOW_METHODS[f"tvl1-{preset}"] if isinstance(preset, str) else preset)
    solver.push(previous)
    return solver.push(current)


def check_parameters(method: str, parameters: dict) -> dict:
    """The parameters that a store or a bundle names for a method; raises Problem where they are not its own."""
    known = FLOW_METHODS[method]
    numbers = [value for value in parameters.values() if isinstance(value, (int, float)) and 0 <= value <= LARGEST]
    if parameters.keys() != known.keys() or len(numbers) < len(known) or not 0 < parameters.get("scale_step", 0.5) < 1:
        raise Problem(f"flow {method} of {parameters}; expected numbers up to {LARGEST} for {', '.join(known)}")
    return parameters


class FlowStream:
    """Frames in one at a time, flow out one at a time; the pyramid of the frame before is kept, not built twice."""

    def __init__(self, method: str = "tvl1-fast", parameters: dict | None = None):
        if method not in FLOW_METHODS:
            raise Problem(f"flow method {method!r}; expected one of {', '.join(FLOW_METHODS)}")
        self.parameters = FLOW_METHODS[method] if parameters is None else check_parameters(method, parameters)
        self._family = method.split("-")[0]
        self._dis = cv2.DISOpticalFlow.create(self.parameters["preset"]) if self._family == "dis" else None
        self._solver = Solver(self.parameters) if self._family == "tvl1" else None
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
        image = np.ascontiguousarray(to_grey(frame))
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

    def __init__(self, spec: FlowSpec):
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


def clip_flow(images: np.ndarray, times, spec: FlowSpec) -> np.ndarray:
    """A clip's kept frames (T, H, W, 3) uint8 RGB -> flow from each to the next, (T, H, W, 2) float32 pixels, x then y.

    The first field is zero. `times`: (T,) seconds; equal times are one frame repeated, and repeat its field.
    """
    kept = KeptFlow(replace(spec, flow_from="frames"))
    numbers = np.concatenate([[0], np.cumsum(np.diff(times) != 0)])
    return np.stack([kept.push(number, image) for number, image in zip(numbers, images, strict=True)])


def video_flow(images: np.ndarray, times: np.ndarray, stored: StoredSpec) -> np.ndarray:
    """As `clip_flow`, but between each kept frame and the video's frame before it; images are those that
    `stored.needed`, or more, resized as stored."""
    kept = KeptFlow(replace(stored.flow, flow_from="video"))
    return np.stack([kept.push(number, images[number], images[number - 1]) for number in stored.keep(times)])


def flow_to_colour(flow: np.ndarray, longest: float | None = None) -> np.ndarray:
    """(H, W, 2) float32 pixels -> (H, W, 3) uint8 RGB: direction as hue, length as saturation; no motion is white.

    `longest`: pixels shown in full colour; the 99th percentile of this field, at least 1 px, without it.
    """
    length, angle = cv2.cartToPolar(flow[..., 0], flow[..., 1])
    longest = longest or max(1.0, float(np.percentile(length, 99)))
    hsv = np.empty((*flow.shape[:2], 3), np.uint8)
    hsv[..., 0] = np.rint(angle * (90 / np.pi)) % 180
    hsv[..., 1] = np.clip(length * (255 / longest), 0, 255)
    hsv[..., 2] = 255
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)


def compile_solver() -> None:
    """Have Numba compile TV-L1 now, once, rather than in every worker process; later runs find it on the disc."""
    if not is_compiled():
        print("compiling the TV-L1 solver for this machine, once; about 10 s", file=sys.stderr, flush=True)
    image = np.random.default_rng(0).integers(0, 255, (32, 32), np.uint8)
    tvl1(image, image)
