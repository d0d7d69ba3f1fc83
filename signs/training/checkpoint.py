"""Where one stream's training stands on disc, and how it goes on from there.

    model/<run>/checkpoint/<stream>.json     the last epoch that is whole, and the name of its state
    model/<run>/checkpoint/<stream>-0007.weights.h5   that state: weights and optimiser
    model/<run>/checkpoint/<stream>-0007.average.weights.h5   with weight averaging: the average

A checkpoint is written whole and then named, so a kill at any moment loses at most the epoch in hand.
"""

import json
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.training import averaging
from signs.training.averaging import Average

import keras


@dataclass
class State:
    """How far one stream's training has come."""

    epoch: int = 0
    weights: str | None = None
    finished: bool = False


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
        with command.atomic(weights) as temporary:
            model.save_weights(temporary)
        if average:
            with averaging.averaged(average):
                averaging.save_weights(model, averaging.beside(weights))
        self._name(State(epoch, weights.name))
        for path in self.folder.glob(f"{self.stream}-*.weights.h5"):
            if path not in (weights, averaging.beside(weights)):
                path.unlink()

    def restore(self, model: keras.Model) -> None:
        """Give a compiled model the weights and the state of its optimiser."""
        model.optimizer.build(model.trainable_variables)
        model.load_weights(self.weights)

    def finish(self) -> None:
        """Note that nothing is left to train."""
        self._name(State(self.state.epoch, self.state.weights, finished=True))

    def _name(self, state: State) -> None:
        command.write_text(self.path, json.dumps(vars(state)) + "\n")
        self.state = state
