"""How long the steps of something took, gathered by name.

timings = Timings()
with timings.measure("flow"): ...
print(timings.table())
"""

import contextlib
import os
import sys
import threading
import time
from collections import defaultdict
from collections.abc import Iterator

import numpy as np

BEHIND = 5  # of 19 steps of niceness


def step_back() -> None:
    """Let other threads go before this one and those that it starts (Linux): the picture moves while networks work."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        behind = min(os.getpriority(os.PRIO_PROCESS, thread) + BEHIND, 19)  # who began with `nice` may not go before it
        with contextlib.suppress(OSError):  # a container that forbids it; the picture may stutter
            os.setpriority(os.PRIO_PROCESS, thread, behind)


class Timings:
    """Seconds by step, in the order in which the steps first came; several threads may add."""

    def __init__(self):
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self._lock = threading.Lock()

    def add(self, step: str, seconds: float) -> None:
        with self._lock:
            self.seconds[step].append(seconds)

    @contextlib.contextmanager
    def measure(self, step: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self.add(step, time.perf_counter() - started)

    def update(self, other: "Timings") -> None:
        with self._lock:
            for step, seconds in other.seconds.items():
                self.seconds[step] += seconds

    def sums(self) -> dict[str, float]:
        return {step: sum(seconds) for step, seconds in self.seconds.items()}

    def percentiles(self) -> dict[str, dict[str, float]]:
        """{step: {"times", "p50", "p95"}}, milliseconds."""
        rows = {}
        for step, seconds in self.seconds.items():
            p50, p95 = 1000 * np.percentile(seconds, [50, 95])
            rows[step] = {"times": len(seconds), "p50": round(float(p50), 2), "p95": round(float(p95), 2)}
        return rows

    def table(self) -> str:
        """One line a step: how often, median and 95th percentile in ms."""
        wide = max(map(len, ["step", *self.seconds]))
        lines = [f"{'step':{wide}}  {'times':>6}  {'p50 ms':>8}  {'p95 ms':>8}"]
        for step, row in self.percentiles().items():
            lines.append(f"{step:{wide}}  {row['times']:6d}  {row['p50']:8.1f}  {row['p95']:8.1f}")
        return "\n".join(lines)
