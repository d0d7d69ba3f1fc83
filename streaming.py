"""A network that works while frames still come: stages over time, each with what it needs of the frames before.

    network = StreamedNetwork(stages, tail, frames=40)
    for frame in clip: logits = network.push(frame)         None until the last of the 40
    logits = network.logits(batch)                          the same, of whole clips

What it computes is what the whole network does (i3d_stages.py); only when is another matter. After the last frame there
is a third of the work left to do.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TAIL = "tail"  # of a file: what comes after the stages
CHUNK = 2  # frames of its own that a stage makes at once at least: neighbours share much of their work


@dataclass(frozen=True)
class Plan:
    """How a stage goes over time: it makes `makes` frames from `takes`, each from `kernel` of them, `stride` apart."""

    name: str
    kernel: int
    stride: int
    takes: int
    masked: bool

    @property
    def makes(self) -> int:
        return -(-self.takes // self.stride)

    @property
    def pads(self) -> tuple[int, int]:
        """Frames of zeros before the first and after the last, as TensorFlow's padding SAME has them."""
        total = max((self.makes - 1) * self.stride + self.kernel - self.takes, 0)
        return total // 2, total - total // 2


class Stage:
    """A plan with what runs it, and the frames that are still needed.

    run: (1, t, H, W, C) frames and (1, t, 1, 1, 1) mask -> (1, t', h, w, c).
    """

    def __init__(self, plan: Plan, run: Callable[[np.ndarray, np.ndarray], np.ndarray]):
        self.plan, self.run = plan, run
        self.reset()

    def reset(self) -> None:
        self._frames, self._live, self._taken = [], [], 0

    def push(self, frames: np.ndarray) -> np.ndarray | None:
        """(t, H, W, C) of the clip -> the frames that can be made now, (t', h, w, c), or None."""
        plan = self.plan
        before, after = plan.pads
        zero = np.zeros_like(frames[0])
        if self._taken == 0:
            self._add([zero] * before, 0)
        self._add(list(frames), 1)
        self._taken += len(frames)
        last = self._taken >= plan.takes
        if last:
            self._add([zero] * after, 0)
        ready = (len(self._frames) - plan.kernel) // plan.stride + 1
        if ready < 1 or (ready < CHUNK and not last):
            return None
        used = (ready - 1) * plan.stride + plan.kernel
        mask = np.array(self._live[:used], np.float32).reshape(1, -1, 1, 1, 1)
        made = self.run(np.stack(self._frames[:used])[None], mask)[0]
        del self._frames[: ready * plan.stride], self._live[: ready * plan.stride]
        return made

    def _add(self, frames: list[np.ndarray], live: int) -> None:
        self._frames += frames
        self._live += [live] * len(frames)


class StreamedNetwork:
    """stages: in their order; tail: (1, t, h, w, c), all that the last stage makes -> (1, classes)."""

    def __init__(self, stages: list[Stage], tail: Callable[[np.ndarray], np.ndarray]):
        self.stages, self._tail = stages, tail
        self.frames = stages[0].plan.takes
        self.reset()

    def reset(self) -> None:
        """The next frame is the first of a clip."""
        self._made: list[np.ndarray] = []
        for stage in self.stages:
            stage.reset()

    def push(self, frames: np.ndarray) -> np.ndarray | None:
        """(t, H, W, C) float32, the next frames of a clip -> (classes,) logits with the last of them, else None."""
        for stage in self.stages:
            frames = stage.push(frames)
            if frames is None:
                return None
        self._made.append(frames)
        if sum(map(len, self._made)) < self.stages[-1].plan.makes:
            return None
        logits = self._tail(np.concatenate(self._made)[None])[0]
        self.reset()
        return logits

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(B, T, H, W, C) float32 -> (B, classes)."""
        self.reset()
        return np.stack([self.push(clip) for clip in batch])


def plans(kernels: list[tuple[str, int, int, bool]], frames: int) -> list[Plan]:
    """(name, kernel, stride, masked) of each stage -> plans for clips of so many frames."""
    found = []
    for name, kernel, stride, masked in kernels:
        found.append(Plan(name, kernel, stride, found[-1].makes if found else frames, masked))
    return found


def write_plans(path: Path, some: list[Plan]) -> None:
    rows = [{"name": plan.name, "kernel": plan.kernel, "stride": plan.stride, "masked": plan.masked} for plan in some]
    path.write_text(json.dumps({"frames": some[0].takes, "stages": rows}, indent=1) + "\n")


def read_plans(path: Path) -> list[Plan]:
    content = json.loads(path.read_text())
    return plans([(row["name"], row["kernel"], row["stride"], row["masked"]) for row in content["stages"]],
                 content["frames"])  # fmt: skip
