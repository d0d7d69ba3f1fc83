"""Reading a video that somebody sent: as signs.clips.footage.read_kept, in a process of its own with limits.

frames, times, notes = read_limited(path, stored, each)

Nothing that the process says is trusted: sizes are checked, and what comes is numbers and text.
"""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

from signs.clips.container import video_problem
from signs.clips.spec import StoredSpec
from signs.command import Problem
from signs.web import video_process
from signs.web.video_process import FRAME, KEPT, MOST_FRAMES, MOST_PIXELS, TEXT

import numpy as np

PATIENCE = 300.0  # seconds for all of it; meanwhile points are found in what came
MOST_KEPT = 1 << 30  # bytes of the kept frames
MOST_TEXT = 1 << 16
BROKEN = "it could not be decoded within the limits of an upload"
PASSED = ("PATH", "LANG", "LC_ALL", "SYSTEMROOT", "LD_LIBRARY_PATH")  # of the environment, all that it gets to see


def read_limited(
    path: Path, stored: StoredSpec, each: Callable[[np.ndarray, float], None] | None = None
) -> tuple[np.ndarray, np.ndarray, list[str]]:
    """The frames that a store needs, their times and notes, as `read_kept` gives them; raises Problem where the file is
    no video, is too long or too large, or breaks the decoder."""
    if problem := video_problem(path):  # told without a decoder
        raise Problem(problem)
    line = [sys.executable, "-P", video_process.__file__, str(path), json.dumps(stored.to_json())]
    known = {name: os.environ[name] for name in PASSED if name in os.environ}
    known |= {"OPENBLAS_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen(line, env=known, **pipes) as process:
        watch = threading.Timer(PATIENCE, process.kill)
        watch.start()
        try:
            return Records(process.stdout).read(each)
        finally:
            watch.cancel()
            process.kill()


class Records:
    """What the process writes; stream: its output."""

    def __init__(self, stream):
        self._stream = stream

    def read(self, each: Callable | None) -> tuple[np.ndarray, np.ndarray, list[str]]:
        while True:
            kind = self._stream.read(1)
            if kind == b"F":
                seconds, rows, columns = self._head(FRAME)
                frame = self._pixels((rows, columns, 3), 3 * MOST_PIXELS)
                if each:
                    each(frame, seconds)
            elif kind == b"K":
                return self._kept()
            elif kind == b"P":
                raise Problem(self._text())
            else:
                raise Problem(BROKEN)

    def _exactly(self, count: int, most: int) -> bytes:
        content = self._stream.read(count) if count <= most else b""
        if len(content) != count:
            raise Problem(BROKEN)
        return content

    def _head(self, form) -> tuple:
        return form.unpack(self._exactly(form.size, form.size))

    def _pixels(self, shape: tuple[int, ...], most: int) -> np.ndarray:
        return np.frombuffer(self._exactly(int(np.prod(shape, dtype=object)), most), np.uint8).reshape(shape)

    def _text(self) -> str:
        (length,) = self._head(TEXT)
        return self._exactly(length, MOST_TEXT).decode("utf-8", "replace")

    def _kept(self) -> tuple[np.ndarray, np.ndarray, list[str]]:
        count, rows, columns = self._head(KEPT)
        times = np.frombuffer(self._exactly(8 * count, 8 * MOST_FRAMES), "<f8").astype(np.float64)
        frames = self._pixels((count, rows, columns, 3), MOST_KEPT)
        return frames, times, [str(note) for note in json.loads(self._text())]
