"""Idle time before and after a sign: cut away by what begins and ends a sign in the live demo (motion.py).

    span = trim.find_sign(Footage(path))        (start, end) seconds of the file, None where nothing is to be cut

A file does not begin with seconds of rest, so the rest pose is its stillest half second. As the live demo has it, a
sign is all from the first movement to the last, and BEFORE and AFTER of it.
"""

from dataclasses import replace

from signs.clips import motion
from signs.clips.footage import Footage
from signs.clips.motion import Detector, unlit
from signs.clips.region import small_grey

import numpy as np

REST = 0.5  # seconds of rest that are looked for in a file
LEAST = 0.1  # seconds; less is not worth cutting


def find_sign(footage: Footage) -> tuple[float, float] | None:
    """The seconds of the file, as `Footage` takes them, in which somebody signs; None where that is all of the footage,
    or nothing moves as long as a sign does. Raises Problem where it cannot be read."""
    pictures, times = [], []
    with footage.opened(threads=1) as film:
        for frame, seconds in film.timed():
            pictures.append(small_grey(film.picture(frame), motion.SIDE))
            times.append(seconds)
    times = np.array(times) - times[0]
    span = moving_span(np.stack(pictures), times)
    if span is None:
        return None
    length = float(times[-1] + np.median(np.diff(times)))
    start, end = max(0.0, span[0] - motion.BEFORE), min(length, span[1] + motion.AFTER)
    if start + length - end < LEAST:
        return None
    first = footage.start or 0.0
    return round(first + start, 6), round(first + end, 6)


def trimmed(footage: Footage) -> Footage:
    """The footage without what is idle before and after its sign."""
    span = find_sign(footage)
    return replace(footage, start=span[0], end=span[1]) if span else footage


def moving_span(pictures: np.ndarray, times: np.ndarray) -> tuple[float, float] | None:
    """(T, h, w) uint8 grey and (T,) seconds -> seconds of the first and the last movement of the signs in it; None
    where there is none."""
    if len(times) < 3:
        return None
    detector, rest = Detector(), stillest(pictures, times)
    detector.learn_rest(pictures[rest].astype(np.float32), float(np.ptp(times[rest])) or motion.STEP)
    signs, began = [], None
    for picture, seconds in zip(pictures, times.tolist(), strict=True):
        event = detector.push_picture(picture.astype(np.float32), seconds)
        if event == "began":
            began = seconds - motion.BEGIN
        elif event == "ended":
            signs.append((began, detector.moved))
            began = None
    if began is not None:
        signs.append((began, detector.moved))
    signs = [(first, last) for first, last in signs if last - first >= motion.SHORTEST]
    return (signs[0][0], signs[-1][1]) if signs else None


def stillest(pictures: np.ndarray, times: np.ndarray) -> slice:
    """The frames of the REST seconds in which least moves."""
    step = min(max(1, int(np.searchsorted(times, motion.STEP))), len(times) - 1)
    pairs = zip(pictures[:-step], pictures[step:], strict=True)
    changes = [np.mean(unlit(after.astype(np.float32) - before) > motion.QUIETEST) for before, after in pairs]
    count = min(max(3, int(np.searchsorted(times, REST))), len(changes))
    sums = np.convolve(changes, np.ones(count), "valid")
    first = int(sums.argmin())
    return slice(first, first + count + step)
