"""What a long run will take, known from the first jobs that it does: core-hours, gigabytes, files, time.

    estimator = Estimator(sizes, workers)
    for number in estimator.order: ... estimator.add(number, spent)
    print(estimator.forecast().line("clip", 2))

A job costs `a + b * size`, where its size is the bytes that it reads: a line through a sample, by least squares. The
sample is spread evenly over the sizes and is done first, so measuring costs nothing. Only the run of jobs from the
first one without a gap counts: of those in hand together the quick ones are done first. The first job of a process,
which loads and compiles what the others find ready, is counted as its start, not as a job.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from signs.console import counted
from signs.errors import Problem, explain, is_disc_full

import numpy as np

FEWEST, MOST = 12, 48  # jobs that are measured, beside the first one of each process
PART = 4  # of few jobs not more than a quarter are measured: what is said at the end is of no use
ENOUGH = 0.05  # standard error of the sum, as a share of it, with which no more than FEWEST are measured


@dataclass(frozen=True)
class Spent:
    """What one job took: seconds, seconds of a processor, bytes written; `start`: it was its process's first."""

    wall: float = 0.0
    cpu: float = 0.0
    written: int = 0
    start: bool = False


@dataclass(frozen=True)
class Cost:
    """What an estimate asks of a job: the bytes that it will read, and those that it has written, once done; where
    there are none, for a file is missing, both may raise OSError or Problem."""

    size: Callable[[object], float]
    written: Callable[[object], int]


def bytes_of(measure: Callable[[object], float], job) -> float:
    """`size` or `written` of a job, 0 where there are none: the job itself says what is wrong."""
    try:
        return measure(job)
    except (OSError, Problem):
        return 0


_started = False  # whether this process has begun a job


def guarded(function: Callable, item) -> tuple[object, str | None, Spent]:
    """(`function(item)`, None) or (None, why there is none), and what it took; raises where a disc is full."""
    global _started
    start, _started = not _started, True
    wall, cpu, result, reason = time.perf_counter(), time.process_time(), None, None
    try:
        result = function(item)
    except Exception as error:
        if is_disc_full(error):
            raise  # the next clip would meet the same full disc
        reason = explain(error)
    # What a process has worked before its first job is its start too: Python and libraries.
    spent = time.process_time() - (0 if start else cpu)
    return result, reason, Spent(time.perf_counter() - wall, spent, start=start)


@dataclass(frozen=True)
class Forecast:
    """What all jobs will take: seconds of a processor, bytes in how many files, seconds with so many processes.

    measured: jobs that say so; error: the standard error of the seconds, as a share of them.
    """

    jobs: int
    cpu: float
    written: float
    wall: float
    workers: int
    measured: int
    error: float
    files: int

    def line(self, one: str) -> str:
        """`estimate from 12 clips: 258 clips, 0.041 core-hours, 0.23 GB in 258 files, about 1 min 20 s with 2
        processes`"""
        about = f"{duration(self.wall)} with {counted(self.workers, 'process', 'processes')}"
        disc = f"{self.written / 1e9:.3g} GB in {counted(self.files, 'file')}, " if self.written else ""
        work = f"{counted(self.jobs, one)}, {self.cpu / 3600:.2g} core-hours, {disc}about {about}"
        return f"estimate from {counted(self.measured, one)}: {work}"


def duration(seconds: float) -> str:
    """`8 s`, `1 min 20 s`, `1 h 20 min`, `3 d 4 h`: two units at most."""
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    step = next((step for (_, long), (_, step) in itertools.pairwise(units) if seconds >= long), 1)
    left, words = round(seconds / step) * step, []
    for name, length in units:
        if length >= step and left >= length:
            words.append(f"{left // length:.0f} {name}")
            left %= length
    return " ".join(words) or f"{seconds:.1f} s"


def spread(sizes: Sequence[float], most: int) -> list[int]:
    """The numbers of up to `most` jobs, so that any first few of them are spread evenly over the sizes."""
    ranked, chosen = np.argsort(sizes, kind="stable"), {}
    for place in _van_der_corput(4 * len(ranked)):
        chosen[int(ranked[int(place * len(ranked))])] = None
        if len(chosen) >= min(most, len(ranked)):
            break
    return list(chosen)


def _van_der_corput(most: int) -> Iterator[float]:
    """1/2, 1/4, 3/4, 1/8, 5/8, ... (van der Corput 1935): each falls into the widest gap that the others leave."""
    for number in range(1, most + 1):
        digits = f"{number:b}"[::-1]
        yield int(digits, 2) / 2 ** len(digits)


class Estimator:
    """Gathers what jobs took, and says what all will take as soon as that is known well enough.

    Args:
        sizes: of each job, bytes that it reads.
        workers: processes that work on them.
    """

    def __init__(self, sizes: Sequence[float], workers: int):
        self.sizes, self.workers = np.asarray(sizes, float), max(1, min(workers, len(sizes)))
        most = min(MOST, max(FEWEST, len(self.sizes) // PART))
        self.sample = spread(self.sizes, most + 2 * self.workers)
        chosen = set(self.sample)
        self.order = [*self.sample, *(number for number in range(len(sizes)) if number not in chosen)]
        self._spent: dict[int, Spent] = {}
        self._begun = self._last = time.perf_counter()
        self._cpu, self._own = time.process_time(), 0.0  # what this process itself works beside the jobs
        self._lead = 0.0  # seconds until the processes were there

    def add(self, number: int, spent: Spent) -> None:
        """What the job of this number took; call it when the job is done."""
        self._last, self._own = time.perf_counter(), time.process_time() - self._cpu
        if not self._spent:
            self._lead = max(0.0, self._last - self._begun - spent.wall)
        self._spent[number] = spent

    def rounds(self) -> Iterator[list[int]]:
        """The sample in parts, each of which is needed only where those before it leave the sum uncertain."""
        done, more = 0, FEWEST + self.workers
        while done < len(self.sample):
            yield self.sample[done:more]
            done, more = more, 2 * more

    def forecast(self, whatever: bool = False) -> Forecast | None:
        """None where too few jobs are done to say it well; `whatever`: say it from what is there."""
        measured = list(itertools.takewhile(self._spent.__contains__, self.sample))
        warm = [number for number in measured if not self._spent[number].start]
        if not warm and (whatever or len(measured) == len(self.sample)):
            warm = measured
        if not warm or (len(warm) < FEWEST and not whatever):
            return None
        fitted = {part: self._line(warm, part) for part in ("wall", "cpu", "written")}
        wall, error = fitted["wall"]
        if error > ENOUGH and len(measured) < len(self.sample) and not whatever:
            return None
        cold = [number for number in measured if self._spent[number].start and number not in warm]
        start = {part: self._start(cold, part, fitted[part][0]) for part in ("wall", "cpu")}
        takes = max(wall.sum() / self.workers / self._busy(), wall.max()) + start["wall"] + self._lead
        return Forecast(
            len(self.sizes),
            fitted["cpu"][0].sum() + self.workers * start["cpu"] + self._beside() * takes,
            fitted["written"][0].sum(),
            takes,
            self.workers,
            len(warm),
            error,
            len(self.sizes),
        )

    def _busy(self) -> float:
        """The share of the time in which a process had a job: the rest it waited for one, above 0 and at most 1."""
        done = [spent.wall for spent in self._spent.values()]
        in_hand = (self.workers - 1) * sum(done) / len(done) / 2  # what is not done yet is half done, as a rule
        elapsed = max(self._last - self._begun - self._lead, 1e-9)
        return min(1.0, max(0.05, (sum(done) + in_hand) / elapsed / self.workers))

    def _beside(self) -> float:
        """What this process works in a second, beside the jobs that it does itself: it hands them out and tells."""
        own = self._own - (sum(spent.cpu for spent in self._spent.values()) if self.workers == 1 else 0)
        return max(0.0, own) / max(self._last - self._begun, 1e-9)

    def _line(self, numbers: list[int], part: str) -> tuple[np.ndarray, float]:
        """What each job takes, and the standard error of the sum as a share of it: neither more nor larger files make
        it less."""
        x, y = self.sizes[numbers], np.array([getattr(self._spent[number], part) for number in numbers], float)
        slope = np.cov(x, y, bias=True)[0, 1] / x.var() if x.var() else 0.0
        slope = max(slope, 0.0)
        level = y.mean() - slope * x.mean()
        if level < 0:
            slope, level = y.mean() / x.mean(), 0.0
        line = level + slope * self.sizes
        spread_of = np.sqrt(((y - level - slope * x) ** 2).sum() / max(1, len(numbers) - 2) / len(numbers))
        return line, float(spread_of / max(line.mean(), 1e-9))

    def _start(self, numbers: list[int], part: str, line: np.ndarray) -> float:
        """What the first job of a process takes more than another would, seconds."""
        more = [getattr(self._spent[number], part) - line[number] for number in numbers]
        return max(0.0, float(np.mean(more))) if more else 0.0


class Pace:
    """What work takes that goes through one process in a stream, where only its amount counts: frames in a network.

    Args:
        amount: of all of it; jobs: what it is for, for people; written: bytes that it leaves in so many files.
    """

    LEAD, FEWEST = 4, 24  # jobs after which the stream flows, and that are measured then

    def __init__(self, amount: float, jobs: int, written: float, files: int):
        self.amount, self.jobs, self.written, self.files = amount, jobs, written, files
        self.needed = self.LEAD + self.FEWEST
        self._marks = [(0.0, time.perf_counter(), time.process_time())]

    def advance(self, amount: float) -> Forecast | None:
        """A job of this amount is done; the forecast when the job that completes the measurement is, else None."""
        if len(self._marks) <= self.needed:
            self._marks.append((self._marks[-1][0] + amount, time.perf_counter(), time.process_time()))
            if len(self._marks) == self.needed + 1 < self.jobs:
                return self.forecast()
        return None

    def forecast(self) -> Forecast:
        """From what is measured; call it after a job at least."""
        first, last = self._marks[min(self.LEAD, len(self._marks) - 2)], self._marks[-1]
        begun = self._marks[0]
        ahead = (self.amount - first[0]) / (last[0] - first[0])
        wall, cpu = (first[part] - begun[part] + ahead * (last[part] - first[part]) for part in (1, 2))
        return Forecast(self.jobs, cpu, self.written, wall, 1, len(self._marks) - 1, 0.0, self.files)
