"""Points of body and hands of takes, found in a thread while the session goes on.

    finder = PointFinder(recordings)       raises Problem where networks or OpenVINO are missing
    finder.submit(row); finder.forget(row); finder.waiting; finder.close()

An archive is the one that landmark.py would write of a data set made of this folder, byte for byte; it lies in
`landmark-30fps/<sha256>.zip`, from where prepare_videos.py takes it along.
"""

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from pathlib import Path

from signs import command, errors
from signs.clips import storage
from signs.clips.dataset import Clip
from signs.command import Outcome
from signs.inference import timing
from signs.landmarks import models
from signs.landmarks.stream import landmark_spec
from signs.landmarks.video_points import write_video_points
from signs.prepare.recordings import Recording, Recordings


class PointFinder:
    """Takes of earlier sessions whose points are missing, or found in another way, are looked at first."""

    def __init__(self, recordings: Recordings):
        models.check_there()
        models.import_openvino()
        self.recordings, self.stored = recordings, landmark_spec()
        self.folder = recordings.folder / self.stored.store
        command.remove_leftovers(self.folder)
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="points", initializer=timing.step_back)
        self._gone: set[str] = set()
        self._writing = threading.Lock()
        self._jobs: dict[str, Future] = {}
        for row in recordings.rows:
            self.submit(row)

    def _archive(self, row: Recording) -> Path:
        return self.folder / f"{row.sha256}.zip"

    def submit(self, row: Recording) -> None:
        """Look into a take as soon as there is time."""
        self._gone.discard(row.sha256)
        self._jobs[row.sha256] = self._worker.submit(self._find, row)

    def forget(self, row: Recording) -> None:
        """The take is deleted: its points are not to be there either, nor to come."""
        with self._writing:
            self._gone.add(row.sha256)
            self._archive(row).unlink(missing_ok=True)
        if job := self._jobs.pop(row.sha256, None):
            job.cancel()

    def _find(self, row: Recording) -> None:
        # What prepare_videos.py will say of the clip: the path as the table has it.
        clip = Clip(row.video, "", row.label, row.signer, "", row.video, row.sha256)
        expected, archive = storage.expected_info(clip, self.stored), self._archive(row)
        if row.sha256 in self._gone or expected.items() <= (storage.read_info(archive) or {}).items():
            return
        write_video_points(self.recordings.path(row), archive, expected, self.stored)
        with self._writing:
            if row.sha256 in self._gone:
                archive.unlink(missing_ok=True)

    @property
    def waiting(self) -> int:
        """Takes that are not looked at yet."""
        return sum(not job.done() for job in self._jobs.values())

    def finish(self) -> Outcome:
        """Wait for all takes; those whose points could not be found, by name."""
        wait(self._jobs.values())
        named = {row.sha256: row.video for row in self.recordings.rows}
        failed = [(named[key], job.exception()) for key, job in self._jobs.items() if job.exception()]
        return Outcome(list(self._jobs), [(name, errors.explain(error)) for name, error in failed])

    def close(self) -> None:
        """Do not look at takes that still wait; the next session or landmark.py does."""
        self._worker.shutdown(wait=True, cancel_futures=True)
