"""The points of a whole video file, as landmark.py stores them: who else finds them gets the same bytes.

frames, notes = write_video_points(video, archive, storage.expected_info(clip, stored), stored)
"""

from pathlib import Path

from signs.clips.footage import Footage
from signs.clips.points import PointRecorder, write_points
from signs.clips.spec import LandmarkSpec
from signs.landmarks import models
from signs.landmarks.stream import LandmarkStream


def write_video_points(video: Path | Footage, archive: Path, info: dict, stored: LandmarkSpec) -> tuple[int, list[str]]:
    """Look into a video, or an interval of it, and write its points, whole or not at all; equal videos and info give
    equal bytes.

    Args:
        info: what clip.json says beside times, size and notes.

    Returns: the number of frames that were looked at, and what is odd about the video, one line each. Raises Problem
        where it cannot be read, or the networks are not there.
    """
    stream = LandmarkStream(models.networks_here())
    recorder = PointRecorder(stream.push, stored.rate)
    footage = video if isinstance(video, Footage) else Footage(video)
    with footage.opened(threads=1) as film:
        for frame, seconds in film:
            recorder.push(frame, seconds)
    points = recorder.points()
    notes = [*film.notes, *stream.notes]
    write_points(archive, points, {**info, "notes": notes})
    return len(points.times), notes
