"""A network that works while frames still come: in stages over time, or step by step with a state.

    network = StreamedNetwork(stages, tail)                 or SteppedNetwork(run, states, group)
    for frame in clip: network.push(frame[None])
    logits = network.answer()
    logits = network.logits(batch)                          the same, of whole clips

They compute what the whole network computes, only earlier (docs/live.md). I3D in stages (i3d_stages.py) has to know the
number of frames. An LSTM over groups of frames (conv3d_lstm.py) takes any number, and answers at any time.
"""

import json
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

TAIL = "tail"  # file name: what comes after the stages
STEP = "step"  # file name: a network that goes on group by group
CHUNK = 2  # frames that a stage makes at once, at least: neighbours share much of their work


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
        """Frames of zeros before the first and after the last, as in TensorFlow's padding SAME."""
        total = max((self.makes - 1) * self.stride + self.kernel - self.takes, 0)
        return total // 2, total - total // 2


class Stage:
    """A plan, what runs it, and the frames that are still needed.

    run: (1, t, H, W, C) frames and (1, t, 1, 1, 1) mask -> (1, t', h, w, c).
    """

    def __init__(self, plan: Plan, run: Callable[[np.ndarray, np.ndarray], np.ndarray]):
        self.plan, self.run = plan, run
        self.reset()

    def reset(self) -> None:
        self._held: list[tuple[np.ndarray, int]] = []  # each frame, and 1 where it is of the clip, 0 of the padding
        self._taken = 0

    def push(self, frames: np.ndarray) -> np.ndarray | None:
        """(t, H, W, C) of the clip -> the frames that can be made now, (t', h, w, c), or None."""
        plan = self.plan
        before, after = plan.pads
        padding = np.zeros_like(frames[0]), 0
        if self._taken == 0:
            self._held += [padding] * before
        self._held += [(frame, 1) for frame in frames]
        self._taken += len(frames)
        last = self._taken >= plan.takes
        if last:
            self._held += [padding] * after
        ready = (len(self._held) - plan.kernel) // plan.stride + 1
        if ready < 1 or (ready < CHUNK and not last):
            return None
        pictures, live = zip(*self._held[: (ready - 1) * plan.stride + plan.kernel], strict=True)
        del self._held[: ready * plan.stride]
        return self.run(np.stack(pictures)[None], np.array(live, np.float32).reshape(1, -1, 1, 1, 1))[0]


class WhileRecording:
    """A network that takes frames while a clip is recorded, by `reset`, `push` and `answer`."""

    def logits(self, batch: np.ndarray) -> np.ndarray:
        """(B, T, H, W, C) float32, whole clips -> (B, classes)."""
        answers = []
        for clip in batch:
            self.reset()
            self.push(clip)
            answers.append(self.answer())
        return np.stack(answers)


class StreamedNetwork(WhileRecording):
    """A network in stages. tail: (1, t, h, w, c), all that the last stage makes -> (1, classes) logits."""

    endless = False  # clips have one length

    def __init__(self, stages: list[Stage], tail: Callable[[np.ndarray], np.ndarray]):
        self.stages, self._tail = stages, tail
        self.frames = stages[0].plan.takes
        self.reset()

    def reset(self) -> None:
        """Begin a clip."""
        self._made: list[np.ndarray] = []
        self._logits = None
        for stage in self.stages:
            stage.reset()

    def push(self, frames: np.ndarray) -> None:
        """(t, H, W, C) float32, the next frames of the clip."""
        for stage in self.stages:
            frames = stage.push(frames)
            if frames is None:
                return
        self._made.append(frames)
        if sum(map(len, self._made)) == self.stages[-1].plan.makes:
            self._logits = self._tail(np.concatenate(self._made)[None])[0]

    def answer(self) -> np.ndarray | None:
        """(classes,) logits of the clip; None before its last frame."""
        return self._logits


class SteppedNetwork(WhileRecording):
    """A network that goes on group by group.

    run: (1, t, H, W, C), a group of frames or the fewer that end a clip, and states -> (1, classes) logits of the clip
    so far and the states after it, as in `conv3d_lstm.build_step`: the last two states are the sum of the groups'
    logits and their number; states: their sizes; group: frames.
    """

    endless = True

    def __init__(self, run: Callable[[np.ndarray, list], tuple[np.ndarray, list]], states: list[int], group: int):
        self.run, self.group = run, group
        self._zeros = [np.zeros((1, size), np.float32) for size in states]
        self.reset()

    def reset(self, span: int | None = None) -> None:
        """Begin a clip, or an endless picture whose answers are for its last `span` frames."""
        self._states, self._waiting = self._zeros, []
        self._answers = deque(maxlen=span and -(-span // self.group))  # (classes,) logits of each group

    def push(self, frames: np.ndarray) -> None:
        """(t, H, W, C) float32, the next frames."""
        self._waiting += list(frames)
        while len(self._waiting) >= self.group:
            logits, self._states = self._step(self._waiting[: self.group])
            self._answers.append(logits)
            del self._waiting[: self.group]

    def answer(self) -> np.ndarray | None:
        """(classes,) logits of the clip so far, or of the span's last frames; None before the first frame."""
        groups = list(self._answers)
        if self._waiting:  # an incomplete group costs a step, and leaves the state as it was
            groups = [*groups, self._step(self._waiting)[0]][-(self._answers.maxlen or 0) :]
        return np.mean(groups, axis=0) if groups else None

    def _step(self, frames: list[np.ndarray]) -> tuple[np.ndarray, list]:
        """Logits of a group alone, and the states after it.

        The states that hold sum and number begin anew each time: a sum that grows without end would lose its digits.
        """
        logits, states = self.run(np.stack(frames)[None], self._states)
        return logits[0], [*states[:-2], *self._zeros[-2:]]


def plans(kernels: list[tuple[str, int, int, bool]], frames: int) -> list[Plan]:
    """(name, kernel, stride, masked) of each stage -> plans for clips of so many frames."""
    chain = []
    for name, kernel, stride, masked in kernels:
        chain.append(Plan(name, kernel, stride, chain[-1].makes if chain else frames, masked))
    return chain


def part_path(path: Path, name: str) -> Path:
    """The OpenVINO network of a stage, of the TAIL or of the STEP, beside the file that is opened."""
    return path.with_name(f"{path.stem}-{name}.xml")


def write_group(path: Path, group: int) -> None:
    """The file of a network that goes step by step."""
    path.write_text(json.dumps({"group": group}, indent=1) + "\n")


def read_group(path: Path) -> int | None:
    """Frames of a group; None for a network in stages, whose file holds plans."""
    return json.loads(path.read_text()).get("group")


def write_plans(path: Path, chain: list[Plan]) -> None:
    """The file of a network in stages."""
    rows = [{"name": plan.name, "kernel": plan.kernel, "stride": plan.stride, "masked": plan.masked} for plan in chain]
    path.write_text(json.dumps({"frames": chain[0].takes, "stages": rows}, indent=1) + "\n")


def read_plans(path: Path) -> list[Plan]:
    content = json.loads(path.read_text())
    kernels = [(row["name"], row["kernel"], row["stride"], row["masked"]) for row in content["stages"]]
    return plans(kernels, content["frames"])
