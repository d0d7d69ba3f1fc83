"""Which frames of a recording are kept, decided while they come; imported, never run.

    grid = Grid(stored, length=5.0)
    for each frame: kept = grid.push(seconds)        numbers of the frames that this one decided on
    kept = grid.finish()                             those that only the end decides

The sum of what it gives is what `StoredSpec.keep` gives of all the times at once. That wants to know where the grid
ends: a rate (`10fps`) and `all` need no end, a number (`40`) needs the recording's length before it is over.
"""

import numpy as np

import clipspec


class Grid:
    """length: seconds from the first frame to the last point of the grid; None where it is the last frame."""

    def __init__(self, stored: clipspec.StoredSpec, length: float | None = None):
        self.stored, self.length = stored, length
        self.times: list[float] = []
        self._decided = 0  # how many points of the grid have their frame

    @property
    def known(self) -> bool:
        """Whether frames can be decided on before the end."""
        return not self.stored.frames.isdigit() or self.length is not None

    def push(self, seconds: float) -> list[int]:
        """A frame, later than the one before -> the kept frames that are certain now, repeats included."""
        self.times.append(seconds)
        if not self.known:
            return []
        if self.stored.frames == "all":
            return [len(self.times) - 1]
        return self._decide(seconds)

    def finish(self) -> list[int]:
        """The kept frames that were not certain; raises ValueError where no frame came."""
        if not self.times:
            raise ValueError("no frame was pushed")
        if self.stored.frames == "all":
            return []
        return self._decide(np.inf)

    def _decide(self, seconds: float) -> list[int]:
        """Frames of the points up to `seconds`: no later frame is nearer to them than the last two."""
        last = self.times[0] + self.length if self.length is not None else self.times[-1]
        points = self.stored.points(self.times[0], last)
        ready = points[self._decided : np.searchsorted(points, seconds, side="right")]
        self._decided += len(ready)
        return self.stored.nearest(np.asarray(self.times), ready).tolist()
