"""What is stored of a clip and what a network sees of it, in words: the two halves of `ClipSpec`.

`stored` says what the archives hold: it names the store and decides whether a clip is done. `input` says what of it
goes into a network: it lives in the model bundle alone.
"""

import re
from dataclasses import asdict, dataclass, field, replace

from signs.clips import dataset
from signs.command import Problem

import cv2
import numpy as np

EQUAL = 1e-6  # seconds; moments closer than this are one
MOST = 9999  # frames, views or pixels of a side: more of them is a mistake
REGIONS = ("middle", "signer", "body")
HANDS = "hands"  # a region of points too
RULE = re.compile(r"all|[1-9]\d*(fps)?")


@dataclass(frozen=True)
class FlowSpec:
    """How flow was computed and coded; `bound` in pixels, the value that 0 and 255 stand for."""

    method: str
    parameters: dict = field(default_factory=dict)
    bound: float = 20.0
    flow_from: str = "frames"  # from kept frame to kept frame; or "video": from the video's frame before each kept one
    quality: int = 95

    def __post_init__(self):
        if not 0 < self.bound <= MOST or not 1 <= self.quality <= 100:
            found = f"flow with a bound of {self.bound} px, quality {self.quality}"
            raise Problem(f"{found}; expected above 0, at most {MOST} px, and 1 to 100")

    @property
    def name(self) -> str:
        extra = f"-b{self.bound:g}" * (self.bound != 20) + "-video" * (self.flow_from == "video")
        return self.method + extra + f"-q{self.quality}" * (self.quality != 95)


@dataclass(frozen=True)
class LandmarkSpec:
    """How points of body and hands were found: in up to `rate` frames a second, by this version of the chain
    (signs/landmarks) and these networks."""

    chain: int
    networks: str
    rate: int = 30

    def __post_init__(self):
        if not isinstance(self.rate, int) or not 1 <= self.rate <= MOST:
            raise Problem(f"points of {self.rate} frames a second; expected 1 to {MOST}")

    @property
    def store(self) -> str:
        """Folder name: `landmark-30fps`."""
        return f"landmark-{self.rate}fps"

    def to_json(self) -> dict:
        return asdict(self)


@dataclass(frozen=True)
class StoredSpec:
    """Which frames of a video are kept and how.

    frames: "40" (that many, evenly spread in time), "all", or "10fps" (a fixed rate); short_side in pixels; part: which
    video of the clip, of dataset.PARTS; landmark: of the points beside the frames, where there are any.
    """

    frames: str = "40"
    short_side: int = 240
    quality: int = 95
    flow: FlowSpec | None = None
    part: str = "video"
    landmark: LandmarkSpec | None = None

    def __post_init__(self):
        if not RULE.fullmatch(self.frames) or len(self.frames.removesuffix("fps")) > len(str(MOST)):
            raise Problem(f"frames {self.frames[:20]!r}; expected a number (40), a rate (10fps) or all, at most {MOST}")
        if not 1 <= self.short_side <= MOST or not 1 <= self.quality <= 100:
            found = f"a short side of {self.short_side} px, quality {self.quality}"
            raise Problem(f"{found}; expected 1 to {MOST} px and 1 to 100")
        if self.part not in dataset.PARTS:
            raise Problem(f"part {self.part!r}; expected {', '.join(dataset.PARTS)}")

    @property
    def frame_store(self) -> str:
        """Folder name of the frames: `frame-40x240`, `frame-40x240-depth`."""
        quality, part = f"-q{self.quality}" * (self.quality != 95), f"-{self.part}" * (self.part != "video")
        return f"frame-{self.frames}x{self.short_side}{quality}{part}"

    @property
    def flow_store(self) -> str:
        """Folder name of the flow: `flow-40x240-tvl1-fast`."""
        return f"{self.frame_store.replace('frame', 'flow', 1)}-{self.flow.name}"

    @property
    def store(self) -> str:
        """Folder name of the flow, or of the frames where there is none."""
        return self.flow_store if self.flow else self.frame_store

    def to_json(self) -> dict:
        """As clip.json and bundle.json have it; without `landmark` where there is none."""
        content = asdict(self)
        return content if self.landmark else {name: value for name, value in content.items() if name != "landmark"}

    def without_flow(self) -> "StoredSpec":
        return replace(self, flow=None)

    def points(self, first: float, last: float) -> np.ndarray:
        """The even grid in time from `first` to `last` seconds at which frames are kept; not for `all`."""
        if self.frames.endswith("fps"):
            rate = int(self.frames.removesuffix("fps"))
            return first + np.arange(int((last - first) * rate + 1e-6) + 1) / rate
        return np.linspace(first, last, int(self.frames))

    @staticmethod
    def nearest(times: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(T,) seconds that rise, (P,) seconds -> (P,) indices of the nearest frames."""
        if len(times) == 1:
            return np.zeros(len(points), int)
        after = np.clip(np.searchsorted(times, points), 1, len(times) - 1)
        # A point half-way between two frames takes the earlier one, whatever the rounding of its time.
        return np.where(points - times[after - 1] <= times[after] - points + EQUAL, after - 1, after)

    def keep(self, times: np.ndarray, length: float | None = None) -> np.ndarray:
        """(T,) seconds -> indices of the kept frames, nearest in time to an even grid; a short clip repeats frames.

        `length`: seconds that the grid spans, where that is not from the first frame to the last.
        """
        if self.frames == "all":
            return np.arange(len(times))
        return self.nearest(times, self.points(times[0], times[-1] if length is None else times[0] + length))

    def needed(self, times: np.ndarray) -> set[int]:
        """(T,) seconds -> indices of the frames without which `keep` and the flow would come out different."""
        if not len(times):
            return set()
        kept = set(self.keep(times).tolist()) | {len(times) - 1}
        if self.flow and self.flow.flow_from == "video":
            kept |= {max(0, number - 1) for number in kept}
        return kept

    def resize(self, frame: np.ndarray) -> np.ndarray:
        """(H, W, 3) -> the same with its short side at `short_side`, aspect kept."""
        return resize_short_side(frame, self.short_side)


@dataclass(frozen=True)
class InputSpec:
    """What a network sees of a stored clip: `frames` of it, evenly; resized so that the short side is `short_side`
    pixels; the square of `crop` pixels in the middle; 8 bits scaled to [-1, 1].

    still: "keep", or "subtract": the clip's average picture is taken away from RGB, so that only what moves is left.
    A network from a random start learns from few clips then, where rooms and clothes would drown the movement; the
    published weights want "keep".
    views: how many times a clip is looked at when it is predicted, at frames in between; the logits are averaged.
    region: "middle", or "signer": the square round what moves (region.py) takes the crop's place, so that a
    far signer is seen as large as a near one; flow grows with it. Or "body": the square round the person
    (person.py), as large for a sign of the fingers as for one of the whole arm. Or "hands": both hands, one above the
    other, each `crop` pixels high (hand_track.py); of points: hands and face alone (hands_alone.py).
    scale: "fixed", or "own": each clip is divided by its own root mean square. How much moves, and how fast, differs
    tenfold between clips; a network from a random start learns little from those with small values then. The published
    weights want "fixed".
    sampling: "even"; or "run": so many stored frames one after the other, out of the clip's middle, a clip that has
    fewer being played back and forth until there are enough; each view is another run then. Or "whole": every stored
    frame, however many there are.
    """

    frames: int = 40
    short_side: int = 240
    crop: int = 224
    still: str = "keep"
    views: int = 1
    region: str = "middle"
    scale: str = "fixed"
    sampling: str = "even"

    def __post_init__(self):
        if self.sampling not in ("even", "run", "whole"):
            raise Problem(f"sampling {self.sampling!r}; expected even, run or whole")
        if not 1 <= self.frames <= MOST or self.crop < 1 or self.short_side > MOST:
            found = f"{self.frames} frames of {self.crop} px, short side {self.short_side} px"
            raise Problem(f"{found}; expected 1 to {MOST} of each")
        if not 1 <= self.views <= MOST or (self.views > 1 and self.sampling == "whole"):
            raise Problem(f"{self.views} views of a clip; at least 1, and of a whole clip not more")
        if self.still not in ("keep", "subtract"):
            raise Problem(f"still {self.still!r}; expected keep or subtract")
        if self.region not in (*REGIONS, HANDS):
            raise Problem(f"region {self.region!r}; expected {', '.join(REGIONS)}")
        if self.scale not in ("fixed", "own"):
            raise Problem(f"scale {self.scale!r}; expected fixed or own")
        if self.crop > self.short_side:
            raise Problem(f"a crop of {self.crop} px out of a short side of {self.short_side} px; make it smaller")

    @property
    def picture(self) -> list[int]:
        """[height, width] of what a network of pictures sees."""
        return [self.crop * (2 if self.region == HANDS else 1), self.crop]

    def pick(self, count: int, first: float = 0.0, last: float = 1.0) -> np.ndarray:
        """Indices of the frames that the network sees, out of `count` stored ones; evenly from `first` to `last`.

        These are shares of the clip's length (augmentation: a part of the clip, at another speed).
        """
        if self.sampling == "whole":
            return np.arange(round(first * (count - 1)), round(last * (count - 1)) + 1)
        if self.sampling == "run":
            return self.run(count, max(count - self.frames, 0) // 2)
        return np.round(np.linspace(first * (count - 1), last * (count - 1), self.frames)).astype(int)

    def run(self, count: int, start: int) -> np.ndarray:
        """Indices of `frames` frames in order from `start` on; after the last of `count` it goes back, and on again."""
        if count == 1:
            return np.zeros(self.frames, int)
        steps = (start + np.arange(self.frames)) % (2 * count - 2)
        return np.minimum(steps, 2 * count - 2 - steps)

    def pick_views(self, count: int) -> list[np.ndarray]:
        """For each view the indices of its frames: together they are spread evenly over the clip.

        They repeat each other where the clip has not `frames * views` pictures.
        """
        if self.sampling == "whole":
            return [np.arange(count)]
        if self.sampling == "run":
            room = max(count - self.frames, 0)
            starts = np.linspace(0, room, self.views) if self.views > 1 else [room // 2]
            return [self.run(count, int(start)) for start in starts]
        every = replace(self, frames=self.frames * self.views).pick(count)
        return [every[view :: self.views] for view in range(self.views)]


@dataclass(frozen=True)
class ClipSpec:
    stored: StoredSpec
    input: InputSpec

    def to_json(self) -> dict:
        return {"stored": self.stored.to_json(), "input": asdict(self.input)}

    @classmethod
    def from_json(cls, spec: dict) -> "ClipSpec":
        return cls(stored_from_json(spec["stored"]), InputSpec(**spec["input"]))

    @property
    def sees_all(self) -> bool:
        """Whether every stored picture of a clip is seen, and so its average picture is that of what is seen."""
        return self.input.sampling == "whole" or str(self.input.frames) == self.stored.frames


def stored_from_json(spec: dict) -> StoredSpec:
    """The spec of a clip.json or of a bundle; raises Problem where another version wrote it."""
    flow, landmark = spec.get("flow"), spec.get("landmark")
    try:
        parts = {"flow": flow and FlowSpec(**flow), "landmark": landmark and LandmarkSpec(**landmark)}
        return StoredSpec(**{**spec, **parts})
    except TypeError as error:
        reason = str(error).split(") ")[-1]
        raise Problem(f"written by another version ({reason}); run frame.py and opticalflow.py again") from None


def resize_short_side(image: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, C) uint8 -> the same picture with min(H, W) == short_side."""
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if scale == 1:
        return image
    size = (round(width * scale), short_side) if width >= height else (short_side, round(height * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return resized.reshape(*size[::-1], *image.shape[2:])  # OpenCV leaves a single channel out
