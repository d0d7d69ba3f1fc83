"""What a network sees of a clip's points: numbers that do not depend on camera, distance, place or frame rate.

    posture.seen(points, spec)                 (T, VALUES) float32, T moments evenly from the clip's first to its last

Body points are measured from the middle of the shoulders in shoulder widths, hand points from the wrist in palm
lengths; each comes with how fast it changes. A gap is filled from what was seen before and after it, and values of
their own say that nothing was seen; what no frame shows is 0. Of the region `hands` they are points of hands and face.
"""

from signs.clips.hands_alone import hands_alone
from signs.clips.points import Points
from signs.clips.spec import HANDS, InputSpec

import numpy as np

# Of the body: nose, eyes, ears, mouth, shoulders, elbows, wrists, hips.
BODY = (0, 2, 5, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 23, 24)
# Left and right of all 33 points change places in a mirror: eyes, ears and mouth as shoulders to feet.
OPPOSITE = np.array([0, 4, 5, 6, 1, 2, 3, *(number + (1 if number % 2 else -1) for number in range(7, 33))])
NOSE, SHOULDERS, HIPS = 0, [11, 12], [23, 24]
WRIST, KNUCKLE = 0, 9  # of a hand: the palm is as long as the way between them
STEP = 0.1  # seconds that a change is given for
FARTHEST = 4.0  # units: what is further away, or quicker, is cut off
PLACES = 2 * len(BODY) + 2 * (3 * 20 + 2 + 2) + 2  # of a moment: body, both hands, one hand from the other
VALUES = 2 * PLACES + 3  # with the changes of all, and both hands' presence and the body's


def seen(points: Points, spec: InputSpec) -> np.ndarray:
    """(spec.frames, VALUES) float32 of a clip, evenly from its first frame to its last."""
    points = hands_alone(points) if spec.region == HANDS else points
    return at(points, np.linspace(points.times[0], points.times[-1], spec.frames))


def at(points: Points, moments: np.ndarray) -> np.ndarray:
    """(T, VALUES) float32 of a clip at (T,) seconds, which do not fall."""
    return values_of(*sampled(points, moments), moments, shoulder_width(points.body))


def sampled(points: Points, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A clip's body (T, 33, 4) and hands (T, 2, 21, 4) at (T,) seconds, and how sure the left hand, the right hand and
    the body are, (T, 3)."""
    body = between(points.body, points.times, moments)
    hands = np.stack([between(points.hands[:, side], points.times, moments) for side in (0, 1)], axis=1)
    sure = [points.hands[:, 0, WRIST, 3], points.hands[:, 1, WRIST, 3], 1 + 0 * points.body[:, NOSE, 0]]
    present = np.stack([np.interp(moments, points.times, np.nan_to_num(row)) for row in sure], axis=1)
    return body, hands, present.astype(body.dtype)


def values_of(
    body: np.ndarray, hands: np.ndarray, present: np.ndarray, moments: np.ndarray, width: float
) -> np.ndarray:
    """(T, VALUES) float32 of what `sampled` gives at (T,) seconds; width: pixels of a shoulder width."""
    places = places_of(body, hands, width)
    gaps = (np.maximum(np.diff(moments, prepend=moments[0]), 1e-3) / STEP).astype(places.dtype)
    changes = np.diff(places, axis=0, prepend=places[:1]) / gaps[:, None]
    values = np.nan_to_num(np.concatenate([places, changes, present], axis=1), copy=False)
    return np.clip(values, -FARTHEST, FARTHEST).astype(np.float32, copy=False)


def between(rows: np.ndarray, times: np.ndarray, moments: np.ndarray) -> np.ndarray:
    """(T, points, 4) at (T,) seconds -> (S, points, 4) at (S,) seconds, on a straight line from each frame in which the
    points are seen to the next one; before the first and after the last they stay. NaN where no frame shows them."""
    seen = ~np.isnan(rows[:, 0, 0])
    if not seen.any():
        return np.full((len(moments), *rows.shape[1:]), np.nan, rows.dtype)
    rows, times = rows[seen], times[seen]
    after = np.clip(np.searchsorted(times, moments), 0, len(times) - 1)
    before = np.maximum(after - 1, 0)
    share = np.clip((moments - times[before]) / np.maximum(times[after] - times[before], 1e-9), 0, 1)
    return rows[before] + (rows[after] - rows[before]) * share.astype(rows.dtype)[:, None, None]


def places_of(body: np.ndarray, hands: np.ndarray, width: float) -> np.ndarray:
    """body (T, 33, 4), hands (T, 2, 21, 4), pixels of a shoulder width -> (T, PLACES), NaN where never seen."""
    middle = body[:, SHOULDERS, :2].mean(axis=1)
    bodies = (body[:, BODY, :2] - middle[:, None]) / width
    wrists = (hands[:, :, WRIST, :2] - middle[:, None]) / width
    palms = np.linalg.norm(hands[:, :, KNUCKLE, :3] - hands[:, :, WRIST, :3], axis=-1)
    palms = np.maximum(palms, 0.1 * width)[..., None, None]
    shapes = (hands[:, :, 1:, :3] - hands[:, :, :1, :3]) / palms
    from_face = wrists - bodies[:, None, NOSE]
    parts = [bodies, shapes, wrists, from_face, wrists[:, 0] - wrists[:, 1]]
    return np.concatenate([part.reshape(len(body), -1) for part in parts], axis=1)


def shoulder_width(body: np.ndarray) -> float:
    """Pixels that count as a shoulder width in all of a clip, (T, 33, 4), whichever way somebody turns."""
    shoulders, hips = body[:, SHOULDERS, :2], body[:, HIPS, :2]
    across = np.hypot(*(shoulders[:, 0] - shoulders[:, 1]).T)
    trunk = np.hypot(*(shoulders.mean(axis=1) - hips.mean(axis=1)).T)
    widths = np.fmax(across, 0.6 * trunk)
    widths = widths[~np.isnan(widths)]
    return max(float(np.median(widths)), 1.0) if len(widths) else 1.0


def owners() -> np.ndarray:
    """(VALUES, 75) float32: how much of each value is of each point, 33 of the body, 21 of the left and 21 of the right
    hand."""
    points = np.eye(33 + 2 * 21, dtype=np.float32)
    hands = points[33:].reshape(2, 21, -1)
    wrists = np.repeat(hands[:, WRIST], 2, axis=0)
    apart = np.repeat(hands[:, WRIST].mean(axis=0, keepdims=True), 2, axis=0)
    bodies, shapes = np.repeat(points[list(BODY)], 2, axis=0), np.repeat(np.concatenate(hands[:, 1:]), 3, axis=0)
    present = np.concatenate([hands.mean(axis=1), points[SHOULDERS].mean(axis=0, keepdims=True)])
    return np.concatenate([bodies, shapes, wrists, wrists, apart] * 2 + [present])


def in_mirror() -> list[int]:
    """Where left is right each of the VALUES is another one: its number, counted from 1, negative where the sign
    changes."""
    sizes = [2 * len(BODY), 2 * 60, 4, 4]
    bodies, shapes, wrists, from_face, apart = np.split(np.arange(PLACES), np.cumsum(sizes))
    opposite = [BODY.index(OPPOSITE[number]) for number in BODY]
    hands = [part.reshape(2, -1)[::-1].ravel() for part in (shapes, wrists, from_face)]
    places = 1 + np.concatenate([bodies.reshape(-1, 2)[opposite].ravel(), *hands, apart])
    signs = np.ones(PLACES, int)
    for part, size in ((bodies, 2), (shapes, 3), (wrists, 2), (from_face, 2)):
        signs[part[::size]] = -1
    signs[apart[1]] = -1  # from the left to the right wrist: their way across stays when they change places
    present = 2 * PLACES + np.array([2, 1, 3])
    return [int(number) for number in np.concatenate([signs * places, signs * (PLACES + places), present])]


_IN_MIRROR = np.array(in_mirror())
_FROM, _SIGNS = abs(_IN_MIRROR) - 1, np.sign(_IN_MIRROR).astype(np.float32)


def mirrored(values: np.ndarray) -> np.ndarray:
    """(..., VALUES) -> the same where left is right."""
    return values[..., _FROM] * _SIGNS
