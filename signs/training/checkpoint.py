"""Where one stream's training stands on disc, and how it goes on from there.

    model/<run>/checkpoint/<stream>.json     the last epoch that is whole, and the name of its state
    model/<run>/checkpoint/<stream>-0007.weights.h5   that state: weights and optimiser
    model/<run>/checkpoint/<stream>-0007.average.weights.h5   with weight averaging: the average

A checkpoint is written whole and then named, so a kill at any moment loses at most the epoch in hand, and quick ones
before it (callbacks.SPARED).
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.models.weights import write_weights
from signs.training import averaging
from signs.training.averaging import Average

import keras

NO_NUMBER = "the loss is no number (NaN or infinite)"


@dataclass
class State:
    """How far one stream's training has come; no_number: the epoch whose loss was none, with which it ended."""

    epoch: int = 0
    weights: str | None = None
    finished: bool = False
    no_number: int | None = None

    @property
    def fault(self) -> str:
        """Why training ended before its time, for people; empty where it did not."""
        if self.no_number is None:
            return ""
        kept = "the best epoch before it is kept; for more train with a lower --learning-rate into another --output"
        return f"{NO_NUMBER} in epoch {self.no_number}; {kept}"


class Checkpoint:
    """The checkpoint of one stream of a run; `state` is what it says."""

    def __init__(self, run: Path, stream: str):
        self.folder, self.stream = run / "checkpoint", stream
        self.path = self.folder / f"{stream}.json"
        try:
            self.state = State(**json.loads(self.path.read_text()))
        except FileNotFoundError:
            self.state = State()
        except (ValueError, TypeError):
            raise Problem(f"{self.path}: damaged; delete {self.folder} to train from the start") from None

    @property
    def weights(self) -> Path | None:
        """Weights and optimiser after the last whole epoch; None before the first."""
        return self.folder / self.state.weights if self.state.weights else None

    def save(self, model: keras.Model, average: Average | None, epoch: int) -> None:
        """Write the state after an epoch, then name it, then delete the one before."""
        weights = self.folder / f"{self.stream}-{epoch:04d}.weights.h5"
        write_weights(model, weights)
        if average:
            with averaging.averaged(average):
                averaging.save_weights(model, averaging.beside(weights))
        self._name(State(epoch, weights.name))
        of_stream = re.compile(rf"{re.escape(self.stream)}-\d+(\.average)?\.weights\.h5")
        for path in self.folder.glob("*.weights.h5"):
            if of_stream.fullmatch(path.name) and path not in (weights, averaging.beside(weights)):
                path.unlink()

    def restore(self, model: keras.Model) -> None:
        """Give a compiled model the weights and the state of its optimiser."""
        model.load_weights(self.weights)

    def finish(self) -> None:
        """Note that nothing is left to train."""
        self._name(State(self.state.epoch, self.state.weights, finished=True))

    def end_at_no_number(self, epoch: int, kept: bool) -> None:
        """Note that the loss of an epoch was no number; raises Problem where no epoch before it was `kept`."""
        if not kept:
            other = "into another --output" if self.state.epoch else "into the same --output"
            raise Problem(
                f"{self.stream}: {NO_NUMBER} in epoch {epoch}, and none before it was kept; train with a lower "
                f"--learning-rate, {other}"
            )
        self._name(State(self.state.epoch, self.state.weights, finished=True, no_number=epoch))

    def _name(self, state: State) -> None:
        command.write_text(self.path, json.dumps(vars(state)) + "\n")
        self.state = state
