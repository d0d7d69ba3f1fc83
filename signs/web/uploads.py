"""Videos that visitors send: one after the other is answered, and deleted whatever comes of it.

uploads = Uploads(open_recogniser)
answer = await uploads.answer(visitor, pieces)      JSON for the page
"""

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs.command import Problem
from signs.inference import timing
from signs.web.limited_video import read_limited

MOST_BYTES = 100 << 20
WAITING = 8  # uploads that may wait for their turn


class Uploads:
    """open_recogniser: called when the first video comes; works in a thread of its own."""

    def __init__(self, open_recogniser):
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="upload", initializer=timing.step_back)
        self._folder = tempfile.TemporaryDirectory(prefix="signs-uploads-")
        self._open, self._recogniser = open_recogniser, None
        self._visitors: set[str] = set()

    async def answer(self, visitor: str, pieces: AsyncIterator[bytes]) -> dict:
        """The answer to a visitor's video; raises Problem where it has none."""
        if visitor in self._visitors or len(self._visitors) >= WAITING:
            raise Problem("a video is being looked at already; wait for its answer")
        self._visitors.add(visitor)
        path = None
        try:
            with tempfile.NamedTemporaryFile(dir=self._folder.name, delete=False) as file:
                path = Path(file.name)
                async for piece in pieces:
                    file.write(piece)
            return await asyncio.wrap_future(self._worker.submit(self._look, path))
        finally:
            self._visitors.discard(visitor)
            if path:
                path.unlink(missing_ok=True)

    def _look(self, path: Path) -> dict:
        if self._recogniser is None:
            self._recogniser = self._open()
        recogniser = self._recogniser
        answer, notes = recogniser.answer_video(path, read_limited)
        none = {row.label for row in recogniser.classes if row.kind == "none"}
        best = [{"name": recogniser.name(label), "probability": round(p, 4)} for label, p in answer.ranked[:3]]
        return {"ranked": best, "known": answer.known, "none": answer.ranked[0][0] in none, "notes": notes}

    def renew(self, open_recogniser) -> None:
        """Another model is there; it is opened when the next video comes."""
        self._worker.submit(self._forget, open_recogniser)  # in its thread: not in the middle of an answer

    def _forget(self, open_recogniser) -> None:
        self._open, self._recogniser = open_recogniser, None

    def close(self) -> None:
        self._worker.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(OSError):
            self._folder.cleanup()
