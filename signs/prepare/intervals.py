"""Where in a video a sign is: what a row says of it, and whether the video has such an interval.

    cut = read_cut({"start": "0:12.5", "end": "13.8"})           or start_frame, end_frame, fps; None where it is all
    start, end = resolve(cut, times, pad=0.2)                    seconds from the video's first frame on

Frames count from 1, and the last one is part of the sign: so WLASL, IPN Hand and ChaLearn 2014 have it.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from signs.command import Problem

import numpy as np

COLUMNS = ("start", "end", "start_frame", "end_frame", "fps")
SIDES = {"start": "start", "begin": "start", "end": "end", "stop": "end"}
UNITS = ("{}_time", "{} time", "{}_seconds", "{} (s)", "{} [s]", "{}_s", "{}_sec")
SYNONYMS = {
    **{form.format(word): side for word, side in SIDES.items() for form in ("{}", *UNITS)},
    **dict.fromkeys(("frame_start", "first_frame", "start frame", "begin_frame"), "start_frame"),
    **dict.fromkeys(("frame_end", "last_frame", "end frame", "stop_frame"), "end_frame"),
}
CLOCK = re.compile(r"(?:(\d+):)?(\d+):(\d+(?:[.,]\d+)?)")
SLACK = 0.5  # seconds by which an interval may end behind its video: rounded times, a frame that was lost
ALONE = 3  # frames by which a video that is the interval alone may differ from it
NEAR = 1.05  # rates that differ by less are one


@dataclass(frozen=True)
class Cut:
    """An interval as it was asked for: seconds, end None for all of the rest; or frames, both part of it, counted at
    `rate` frames/s, or as the video has them where that is None.

    alone: the video may be the interval already, as where a set is shipped whole and cut.
    """

    start: float
    end: float | None
    frames: bool = False
    rate: float | None = None
    alone: bool = False

    def __str__(self) -> str:
        last = "the end" if self.end is None else f"{self.end:g}"
        return f"frames {self.start:g} to {last}" if self.frames else f"{self.start:g} to {last} s"

    @property
    def name(self) -> str:
        """`0012500_0013800`, milliseconds, or `f00503_f00544`: what tells it from others in a clip's name."""
        if self.frames:
            return "_".join("end" if value is None else f"f{round(value):05d}" for value in (self.start, self.end))
        values = (self.start, self.end)
        return "_".join("end" if value is None else f"{round(1000 * value):07d}" for value in values)


def seconds_of(text: str) -> float:
    """`12.5`, `12,5`, `1:02.5` or `0:01:02.5` -> seconds; raises Problem where it is none of them."""
    if match := CLOCK.fullmatch(text.strip()):
        hours, minutes, seconds = match[1] or "0", match[2], match[3]
        return 3600 * int(hours) + 60 * int(minutes) + float(seconds.replace(",", "."))
    return number_of(text, "seconds")


def number_of(text: str | float, what: str) -> float:
    """A number; raises Problem where it is none, or below 0."""
    try:
        value = float(str(text).strip().replace(",", "."))
    except ValueError:
        raise Problem(f"{what} {str(text)[:20]!r}; expected a number") from None
    if not 0 <= value < math.inf:
        raise Problem(f"{what} {value:g}; expected a number from 0 on")
    return value


def read_cut(row: Mapping[str, str]) -> Cut | None:
    """The interval that a row of a table asks for, seconds before frames; None where it says nothing.

    Raises Problem where it makes no sense.
    """
    said = {name: text for name in COLUMNS if (text := (row.get(name) or "").strip())}
    for seconds, frames in (("start", "end_frame"), ("end", "start_frame")):
        if said.keys() & {*COLUMNS[:4]} == {seconds, frames}:
            raise Problem(f"{seconds} is in seconds, {frames} in frames; give both in one of them")
    if "start" in said or "end" in said:
        end = seconds_of(said["end"]) if "end" in said else None
        return checked(Cut(seconds_of(said.get("start", "0")), end))
    if "start_frame" in said or "end_frame" in said:
        rate = number_of(said["fps"], "fps") or None if "fps" in said else None
        last = number_of(said["end_frame"], "end_frame") if "end_frame" in said else None
        return checked(Cut(number_of(said.get("start_frame", "1"), "start_frame"), last, True, rate))
    return None


def checked(cut: Cut) -> Cut:
    """The same; raises Problem where it is empty or reversed."""
    if cut.end is not None and cut.end < cut.start:
        raise Problem(f"interval {cut} is reversed: it ends before it begins")
    if cut.end == cut.start and not cut.frames:
        raise Problem(f"interval {cut} is empty")
    return cut


def resolve(cut: Cut, times: np.ndarray, pad: float = 0.0) -> tuple[float, float] | None:
    """An interval in seconds, `pad` wider on both sides as far as the video goes; None where the video is it alone.

    Args:
        times: (T,) seconds of the video's frames from the first on.

    Raises Problem where the video has no such interval.
    """
    step = float(np.median(np.diff(times))) if len(times) > 1 else 0.04
    length = float(times[-1]) + step
    if cut.alone and cut.end is not None and abs(len(times) - (cut.end - cut.start + 1)) <= ALONE:
        return None
    start, end = _seconds(cut, times, length, step)
    has = f"the video's {length:.2f} s"
    if start >= length:
        raise Problem(f"interval {cut} begins behind the end of {has}{_other_unit(cut, step, length)}")
    if end > length + SLACK:
        raise Problem(f"interval {cut} ends behind the end of {has}{_other_unit(cut, step, length)}")
    end = min(end, length)
    if not ((times >= start - 1e-6) & (times < end - 1e-6)).any():
        raise Problem(f"interval {cut} is empty: no frame lies in it")
    return round(max(0.0, start - pad), 6), round(min(length, end + pad), 6)


def _seconds(cut: Cut, times: np.ndarray, length: float, step: float) -> tuple[float, float]:
    if not cut.frames:
        return cut.start, length if cut.end is None else cut.end
    if cut.rate:
        return (cut.start - 1) / cut.rate, length if cut.end is None else cut.end / cut.rate
    starts = [*times.tolist(), length]
    first, last = round(cut.start) - 1, len(times) if cut.end is None else round(cut.end)
    # Frames that the video has not follow at its rate: whoever asks for them hears how far they are.
    return tuple(starts[at] if at < len(starts) else length + (at - len(times)) * step for at in (first, last))


def _other_unit(cut: Cut, step: float, length: float) -> str:
    """Where times are written in another unit, or frames counted at another rate than the video's, a hint at it."""
    rate = 1 / step
    if not cut.frames and cut.end and cut.end - cut.start >= 2000 * step and cut.end <= 1000 * length:
        return "; these look like milliseconds: divide them by 1000"
    if cut.frames and cut.rate and max(rate / cut.rate, cut.rate / rate) > NEAR:
        return f"; they are counted at {cut.rate:g} frames/s, the video has {rate:g}"
    return ""
