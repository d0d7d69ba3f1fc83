"""A Kinect's skeleton beside a video, and the squares round the upper body and the higher hand; imported, never run.

    joints = kinect.read_skeleton(text, "Sample0001_skeleton.csv")      (T, 20, 2) pixels, NaN where untracked
    upper, hand = kinect.squares(joints[first - 1 : last])              [x, y, side] in each frame

Sides are shares of the distance from hips to head, so a signer is cut out equally large near the camera and far from
it. They are chosen for Kinect's joints: `Head` is the middle of the head, `HipCenter` lies between the hips, about
0.65 m below it; a hand's joint is its palm.
"""

import csv

from command import Problem

import numpy as np

# The order of a row of ChaLearn LAP 2014; each joint has x, y, z in metres, an orientation of 4, then x, y in pixels.
JOINTS = (
    "HipCenter", "Spine", "ShoulderCenter", "Head",
    "ShoulderLeft", "ElbowLeft", "WristLeft", "HandLeft",
    "ShoulderRight", "ElbowRight", "WristRight", "HandRight",
    "HipLeft", "KneeLeft", "AnkleLeft", "FootLeft",
    "HipRight", "KneeRight", "AnkleRight", "FootRight",
)  # fmt: skip
VALUES = 9  # a joint
ROW = len(JOINTS) * VALUES
UPPER_SIDE = 1.8  # hip-head distances: from below the hips to a hand's length above the head, and as wide
UPPER_MIDDLE = 0.75  # of the way from hips to head
HAND_SIDE = 0.6
TRACKED = 0.5  # share of the frames in which a joint has to be tracked; between them its way is a straight line
SHORTEST = 10.0  # pixels from hips to head; less is no upright person
SMOOTHED = 5  # frames: Kinect's joints tremble by a few pixels, and the picture would with them


def read_skeleton(text: str, name: str) -> np.ndarray:
    """A skeleton file -> (T, 20, 2) float64 pixels, x then y, NaN where Kinect did not track and wrote zeros.

    Args:
        name: of the file, for what is said of it; raises Problem where a row has not 180 numbers.
    """
    rows = []
    for number, row in enumerate(csv.reader(text.rstrip().splitlines()), 1):
        try:
            rows.append(np.array(row[:ROW], float))  # by their places, as the organisers' own program reads them
        except ValueError:
            raise Problem(f"{name} line {number}: not all numbers; expected {len(JOINTS)} joints x {VALUES}") from None
        if len(row) < ROW:
            raise Problem(f"{name} line {number}: {len(row)} numbers; expected {len(JOINTS)} joints x {VALUES}")
    joints = np.reshape(rows, (-1, len(JOINTS), VALUES))[..., -2:]
    joints[(joints == 0).all(axis=-1)] = np.nan
    return joints


def squares(joints: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(T, 20, 2) pixels -> the squares of the upper body and of the higher hand, (T, 3) each: x, y of the middle, side.

    The upper body's square stands still, at the median over the clip, so that what moves in it is the signer. The hand
    is the one that is higher on average over the clip: chosen frame by frame, the picture would jump from one hand to
    the other wherever both are lifted. Raises Problem where too little is tracked.
    """
    head, hips = (track(joints, name) for name in ("Head", "HipCenter"))
    if head is None or hips is None:
        raise Problem(f"head or hips are tracked in less than {TRACKED:.0%} of the frames")
    distance = float(np.median(np.linalg.norm(head - hips, axis=1)))
    if distance < SHORTEST:
        raise Problem(f"head and hips are {distance:.0f} px apart; expected {SHORTEST:.0f} or more")
    hands = [hand for hand in (track(joints, "HandLeft"), track(joints, "HandRight")) if hand is not None]
    if not hands:
        raise Problem(f"neither hand is tracked in {TRACKED:.0%} of the frames")
    higher = min(hands, key=lambda hand: hand[:, 1].mean())
    middle = np.median(hips + UPPER_MIDDLE * (head - hips), axis=0)
    upper = np.tile([*middle, UPPER_SIDE * distance], (len(joints), 1))
    return upper, np.column_stack([smooth(higher), np.full(len(joints), HAND_SIDE * distance)])


def track(joints: np.ndarray, name: str) -> np.ndarray | None:
    """(T, 20, 2) -> the way of one joint, (T, 2), its gaps filled; None where it is untracked too often."""
    way = joints[:, JOINTS.index(name)]
    frames, known = np.arange(len(way)), ~np.isnan(way[:, 0])
    if known.mean() < TRACKED:
        return None
    return np.column_stack([np.interp(frames, frames[known], way[known, axis]) for axis in (0, 1)])


def smooth(way: np.ndarray) -> np.ndarray:
    """(T, 2) -> the same, each place the mean of SMOOTHED frames around it."""
    padded = np.pad(way, ((SMOOTHED // 2, SMOOTHED // 2), (0, 0)), mode="edge")
    return np.lib.stride_tricks.sliding_window_view(padded, SMOOTHED, axis=0).mean(axis=-1)


def user_masks(pictures: np.ndarray) -> np.ndarray:
    """(T, H, W) uint8 of a mask video, white where the signer is -> (T, H, W) bool, an empty one as the nearest other.

    Raises Problem where too many are empty. The video's compression makes greys of its edges: the middle is the limit.
    """
    masks = pictures >= 128
    known = np.flatnonzero(masks.any(axis=(1, 2)))
    if len(known) < TRACKED * len(masks):
        raise Problem(f"the user mask is empty in {len(masks) - len(known)} of {len(masks)} frames")
    return masks[known[np.abs(np.arange(len(masks))[:, None] - known).argmin(axis=1)]]
