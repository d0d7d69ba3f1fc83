"""The pictures of an interval of a ChaLearn 2014 recording: whole, and with upper body and higher hand cut out.

    joints = crops.read_skeleton(text, "Sample0001_skeleton.csv")       (T, 20, 2) pixels, NaN where untracked
    videos = [crops.Video(files, kind) for kind in ("color", "depth", "user")]
    for interval, rows in crops.in_step(videos, intervals):
        pictures = crops.Pictures(interval, videos, rows, joints, farthest)
        transfer.write_video(path, pictures.part("hand"), rate, crops.CODEC)

The squares come from the Kinect's skeleton (data_set/chalearn2014/README.md): `Head` is the middle of the head,
`HipCenter` lies between the hips, about 0.65 m below it; a hand's joint is its palm.
"""

import csv
import functools
import itertools
from collections.abc import Iterator

from signs.clips import region
from signs.clips.video import iter_video
from signs.command import Problem
from signs.prepare.montalbano import Files, Interval

import cv2
import numpy as np

# The order of a row of ChaLearn LAP 2014; each joint has x, y, z in metres, an orientation of 4, then x, y in pixels.
# fmt: off
JOINTS = (
    "HipCenter", "Spine", "ShoulderCenter", "Head",
    "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft",
    "ShoulderRight", "ElbowRight", "WristRight", "HandRight",
    "HipLeft", "KneeLeft", "AnkleLeft", "FootLeft",
    "HipRight", "KneeRight", "AnkleRight", "FootRight",
)
# fmt: on
VALUES = 9  # a joint
ROW = len(JOINTS) * VALUES
UPPER_SIDE = 1.8  # hip-head distances: from below the hips to a hand's length above the head, and as wide
UPPER_MIDDLE = 0.75  # of the way from hips to head
HAND_SIDE = 0.6
TRACKED = 0.5  # share of the frames in which a joint has to be tracked; between them its way is a straight line
SHORTEST = 10.0  # pixels from hips to head; less is no upright person
SMOOTHED = 5  # frames: Kinect's joints tremble by a few pixels, and the picture would with them
# Each part: the recording's video that it shows, and which square of it.
SHOWS = {
    "video": ("color", None),
    "depth": ("depth", None),
    "upper": ("color", "upper"),
    "hand": ("color", "hand"),
    "upper_depth": ("depth", "upper"),
    "hand_depth": ("depth", "hand"),
}
CROP = 128  # pixels of a side; the square of a hand is about 100 wide in the 640x480 of the recordings
FARTHEST = 4095.0  # mm that 255 stands for in the depth written; the most that Kinect's 12 bits say
# Without loss, as small steps of depth would suffer most. OpenCV's own Motion JPEG garbles grey pictures (5.0).
CODEC = "FFV1"


def read_skeleton(text: str, name: str) -> np.ndarray:
    """A skeleton file -> (T, 20, 2) float64 pixels, x then y, NaN where Kinect did not track and wrote zeros.

    Raises Problem, with the file's `name`, where a row has not 180 numbers.
    """
    rows, expected = [], f"expected {len(JOINTS)} joints x {VALUES}"
    for number, row in enumerate(csv.reader(text.rstrip().splitlines()), 1):
        try:
            rows.append(np.array(row[:ROW], float))  # by their places, as the organisers' own program reads them
        except ValueError:
            raise Problem(f"{name} line {number}: not all numbers; {expected}") from None
        if len(row) < ROW:
            raise Problem(f"{name} line {number}: {len(row)} numbers; {expected}")
    joints = np.reshape(rows, (-1, len(JOINTS), VALUES))[..., -2:]
    joints[(joints == 0).all(axis=-1)] = np.nan
    return joints


def person_squares(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 20, 2) pixels -> the squares of the upper body and of the higher hand, (T, 3) each: x, y of the middle, side.

    The upper body's square stands still, at the median over the clip, so that what moves in it is the signer. The hand
    is the one that is higher on average over the clip: chosen frame by frame, the picture would jump from one hand to
    the other wherever both are lifted. Raises Problem where too little is tracked.
    """
    head, hips = (track_joint(joints, name) for name in ("Head", "HipCenter"))
    if head is None or hips is None:
        raise Problem(f"head or hips are tracked in less than {TRACKED:.0%} of the frames")
    distance = float(np.median(np.linalg.norm(head - hips, axis=1)))
    if distance < SHORTEST:
        raise Problem(f"head and hips are {distance:.0f} px apart; expected {SHORTEST:.0f} or more")
    hands = [hand for hand in (track_joint(joints, "HandLeft"), track_joint(joints, "HandRight")) if hand is not None]
    if not hands:
        raise Problem(f"neither hand is tracked in {TRACKED:.0%} of the frames")
    higher = min(hands, key=lambda hand: hand[:, 1].mean())
    middle = np.median(hips + UPPER_MIDDLE * (head - hips), axis=0)
    upper = np.tile([*middle, UPPER_SIDE * distance], (len(joints), 1))
    return upper, np.column_stack([smooth_track(higher), np.full(len(joints), HAND_SIDE * distance)])


def track_joint(joints: np.ndarray, name: str) -> np.ndarray | None:
    """(T, 20, 2) -> the way of a joint, (T, 2), its gaps filled; None where it is untracked too often."""
    way = joints[:, JOINTS.index(name)]
    frames, known = np.arange(len(way)), ~np.isnan(way[:, 0])
    if known.mean() < TRACKED:
        return None
    return np.column_stack([np.interp(frames, frames[known], way[known, axis]) for axis in (0, 1)])


def smooth_track(way: np.ndarray) -> np.ndarray:
    """(T, 2) -> the same, each place the mean of SMOOTHED frames around it."""
    padded = np.pad(way, ((SMOOTHED // 2, SMOOTHED // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED, axis=0).mean(axis=-1)


def user_masks(pictures: np.ndarray) -> np.ndarray:
    """(T, H, W) uint8 of a mask video, white where the signer is -> (T, H, W) bool; an empty mask is as the nearest.

    Raises Problem where too many are empty. The video's compression makes greys of its edges: the middle is the limit.
    """
    masks = pictures >= 128
    known = np.flatnonzero(masks.any(axis=(1, 2)))
    if len(known) < TRACKED * len(masks):
        raise Problem(f"the user mask is empty in {len(masks) - len(known)} of {len(masks)} frames")
    return masks[known[np.abs(np.arange(len(masks))[:, None] - known).argmin(axis=1)]]


class Video:
    """The pictures of a recording's video, (H, W, 3) or (H, W) uint8; why they end early is kept as `problem`."""

    def __init__(self, files: Files, kind: str):
        self.files, self.kind = files, kind
        self.problem = ""

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            for picture, _ in iter_video(self.files.video(self.kind)):
                yield picture if self.kind == "color" else cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
        except Problem as problem:
            self.problem = str(problem).removeprefix(f"{self.files.work}/")


def in_step(videos: list[Video], intervals: list[Interval]) -> Iterator[tuple[Interval, list[tuple]]]:
    """Read videos in step; yield each interval, once it is over, with a row for each frame: the picture of every video,
    None where it ended.

    An interval that all videos end before has fewer pictures than its length.
    """
    held: dict[Interval, list[tuple]] = {interval: [] for interval in intervals}
    for number, pictures in enumerate(itertools.zip_longest(*videos), 1):
        for interval in list(held):
            if interval.first <= number <= interval.last:
                held[interval].append(pictures)
            if number == interval.last:
                yield interval, held.pop(interval)
        if not held:
            return
    yield from held.items()


class Pictures:
    """What the parts of one clip show; raises Problem where a video, the mask or the skeleton falls short."""

    def __init__(self, interval: Interval, videos: list[Video], rows: list[tuple], joints, farthest: float):
        self.interval, self.joints = interval, joints
        self.videos = {video.kind: video for video in videos}
        self.pictures = {video.kind: [row[index] for row in rows] for index, video in enumerate(videos)}
        self.depth_scale = (np.arange(256) * farthest / FARTHEST).clip(0, 255).round().astype(np.uint8)

    def whole(self, kind: str) -> np.ndarray:
        """(T, H, W, 3) uint8 RGB or (T, H, W) uint8; depth on the common scale."""
        pictures = self.pictures[kind]
        if len(pictures) < len(self.interval) or pictures[-1] is None:
            raise Problem(self.videos[kind].problem or f"the {kind} video ends before frame {self.interval.last}")
        whole = np.stack(pictures)
        return self.depth_scale[whole] if kind == "depth" else whole

    @functools.cached_property
    def squares(self) -> dict[str, np.ndarray]:
        """(T, 3) each: where upper body and higher hand are."""
        if isinstance(self.joints, Problem):
            raise self.joints
        if len(self.joints) < self.interval.last:
            raise Problem(f"the skeleton ends at frame {len(self.joints)}, before frame {self.interval.last}")
        joints = self.joints[self.interval.first - 1 : self.interval.last]
        return dict(zip(("upper", "hand"), person_squares(joints), strict=True))

    @functools.cached_property
    def masks(self) -> np.ndarray:
        """(T, H, W) bool: where the signer is."""
        return user_masks(self.whole("user"))

    def part(self, part: str) -> np.ndarray:
        """A part's pictures, whole, or the signer alone on black within a square."""
        kind, square = SHOWS[part]
        whole = self.whole(kind)
        if square is None:
            return whole
        if self.masks.shape != whole.shape[:3]:
            sizes = " and ".join(f"{width}x{height}" for height, width in (whole.shape[1:3], self.masks.shape[1:]))
            raise Problem(f"{kind} and user mask are {sizes}; expected one size")
        alone = whole * (self.masks[..., None] if whole.ndim == 4 else self.masks)
        frames = zip(alone, self.squares[square].tolist(), strict=True)
        return np.concatenate([region.cut_square(frame[None], at, CROP) for frame, at in frames])
