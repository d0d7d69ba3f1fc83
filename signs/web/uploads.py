"""Videos that visitors send: one after the other is answered, and deleted whatever comes of it.

uploads = Uploads(open_recogniser)
answer = await uploads.answer(name, pieces, visitor.sent, keeper)       JSON for the page

For whoever allows that signs are kept the pictures are coded anew meanwhile: what is kept is no file of anybody else.
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs.clips.spec import resize_short_side
from signs.clips.video_writer import VideoWriter
from signs.command import Problem
from signs.inference import timing
from signs.web.limited_video import read_limited
from signs.web.sent_answers import SentAnswers

MOST_BYTES = 100 << 20
WAITING = 8  # uploads that may wait for their turn
KEPT_SIDE = 720  # pixels of the short side of what is kept, at most


class Uploads:
    """open_recogniser: called when the first video comes; works in a thread of its own."""

    def __init__(self, open_recogniser):
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="upload", initializer=timing.step_back)
        self._folder = tempfile.TemporaryDirectory(prefix="signs-uploads-")
        self._open, self._recogniser = open_recogniser, None
        self._visitors: set[str] = set()

    async def answer(self, visitor: str, pieces: AsyncIterator[bytes], sent: SentAnswers, keeper) -> dict:
        """The answer to a visitor's video; raises Problem where it has none. keeper: of keeping.py, for which its
        pictures are held until it is corrected, or None."""
        if visitor in self._visitors or len(self._visitors) >= WAITING:
            raise Problem("a video is being looked at already; wait for its answer")
        self._visitors.add(visitor)
        path = None
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder.name, delete=False) as file:
                path = Path(file.name)
                async for piece in pieces:
                    file.write(piece)
            return await asyncio.wrap_future(self._worker.submit(self._look, path, sent, keeper))
        finally:
            self._visitors.discard(visitor)
            if path:
                path.unlink(missing_ok=True)

    def _look(self, path: Path, sent: SentAnswers, keeper) -> dict:
        if self._recogniser is None:
            self._recogniser = self._open()
        recogniser = self._recogniser
        copy = Copy() if keeper else None
        answer, notes = recogniser.answer_video(path, copy.read if copy else read_limited)
        return {**sent.said(answer, recogniser, copy and copy.finish(), keeper), "notes": notes}

    def renew(self, open_recogniser) -> None:
        """Another model is there; it is opened when the next video comes."""
        self._worker.submit(self._forget, open_recogniser)  # in its thread: not in the middle of an answer

    def _forget(self, open_recogniser) -> None:
        self._open, self._recogniser = open_recogniser, None

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(OSError):
            self._folder.cleanup()


class Copy:
    """A video's pictures, coded anew while it is read."""

    def __init__(self):
        self._writer, self._shape = VideoWriter(), None

    def read(self, path: Path, stored, each=None):
        """As read_limited."""

        def add(frame, seconds: float) -> None:
            if each:
                each(frame, seconds)
            self._shape = self._shape or frame.shape
            if frame.shape == self._shape:  # a video has one size
                self._writer.add(resize_short_side(frame, min(KEPT_SIDE, *frame.shape[:2])), seconds)

        return read_limited(path, stored, add)

    def finish(self) -> bytes:
        return self._writer.finish()
