"""Jobs on all cores, of which one may take its process with it: a broken decoder, a full memory, `kill`.

    for number, result in run_jobs(function, jobs, workers): ...      result: function(job), or Lost

joblib does the work. The same jobs on a cluster: cluster.py.
"""

import os
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from signs import child_process

IDLE_DEATHS = 3  # of processes one after the other, while no job was begun or done: no job is to blame


@dataclass(frozen=True)
class Lost:
    """A job whose process died, also when it had one of its own; how: what ended that, e.g. `SIGSEGV(-11)`."""

    how: str

    def __str__(self) -> str:
        if "SIGKILL" in self.how:
            return "its process was killed, by hand or for want of memory, of which --workers 1 needs least"
        return f"its process crashed ({self.how}): a damaged file or a fault of a library; leave it out"


def cores() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes(workers: int) -> int:
    """How many work at once: `workers` as joblib's `n_jobs`."""
    import joblib

    return joblib.effective_n_jobs(workers)


def run_jobs(
    function: Callable, jobs: Sequence, workers: int, deaths: list[int] | None = None
) -> Iterator[tuple[int, object]]:
    """(number of the job, its result) in the order in which they are done; `workers` as joblib's `n_jobs`.

    A process that dies takes a whole pool with it. What it and its neighbours worked on is then done one by one, each
    in a process of its own, which finds the job that is to blame; the others go on in a new pool. `deaths` gets
    the number of done jobs at each of these.
    """
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    left, idle = dict(enumerate(jobs)), 0
    with tempfile.TemporaryDirectory() as begun:
        while left:
            before = len(left)
            try:
                for number, result in _pooled(function, left.copy(), workers, Path(begun)):
                    del left[number]
                    yield number, result
            except TerminatedWorkerError:
                if deaths is not None:
                    deaths.append(len(jobs) - len(left))
                for mark in sorted(Path(begun).iterdir()):
                    mark.unlink()
                    if (job := left.pop(int(mark.name), None)) is not None:
                        yield int(mark.name), _alone(function, int(mark.name), job, Path(begun))
                idle = 0 if len(left) < before else idle + 1
                if idle == IDLE_DEATHS:
                    raise


def _pooled(function: Callable, jobs: dict, workers: int, begun: Path) -> Iterator[tuple[int, object]]:
    import joblib

    calls = (joblib.delayed(_marked)(function, number, job, begun) for number, job in jobs.items())
    # Sending a job takes a millisecond of work, so joblib sends quick ones several at once, up to a fifth of a second.
    return joblib.Parallel(n_jobs=workers, batch_size="auto", return_as="generator_unordered")(calls)


def _marked(function: Callable, number: int, job, begun: Path) -> tuple[int, object]:
    """Meanwhile a file says that the job is worked on; a process that dies leaves it."""
    child_process.watch_pool()
    mark = begun / str(number)
    mark.touch()
    try:
        return number, function(job)
    finally:
        mark.unlink(missing_ok=True)


def _alone(function: Callable, number: int, job, begun: Path):
    """The result of a job in a process that has no other; Lost where it dies."""
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    try:
        return next(iter(_pooled(function, {number: job}, 2, begun)))[1]  # one worker would be this process itself
    except TerminatedWorkerError as error:
        (begun / str(number)).unlink(missing_ok=True)
        found = re.search(r"\{(.*)\}", str(error))  # `{SIGSEGV(-11), SIGTERM(-15)}`: joblib ends the rest
        return Lost(found[1] if found else "no exit code")
