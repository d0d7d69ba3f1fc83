"""The bundles of a compression, each made once, from the one before it; imported, never run.

    steps = Steps(output, source, flags, generators, precisions)
    for precision, bundle in steps.make("sparsity-0.8", sparsity=0.8): ...
"""

import bisect
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import command  # noqa: F401  what it sets has to be set before Keras is imported
from command import Problem

import numpy as np

import bundle as bundles
import finetune
import pruning
import sparse
from runtime import KerasNetwork

FULL = "float32"  # which the next step begins with
MOST = 99  # of a hundred weights that are ever taken away to fit


def is_whole(folder: Path) -> bool:
    """Whether a bundle is there with all its files as they were written."""
    try:
        bundles.load(folder)
    except Problem:
        return False
    return True


class Steps:
    """What is made of `source` below `output`: each step in float32, from the one before it, and in `precisions`.

    flags: of the fine-tuning (finetune.py); batches: {stream: its generators}, empty where nothing is to be trained;
    last: the bundle that the next step begins with.
    """

    def __init__(self, output: Path, source: bundles.Bundle, flags: Namespace, batches: dict, precisions: list[str]):
        self.output, self.source, self.flags, self.batches = output, source, flags, batches
        self.precisions = [FULL, *(one for one in precisions if one != FULL)]
        self.last, self._models = source, {}

    def folder(self, step: str, precision: str = FULL) -> Path:
        return self.output / (step if precision == FULL else f"{step}-{precision}")

    def make(self, step: str, trained: bool = True, **how: float) -> list[tuple[str, bundles.Bundle]]:
        """(precision, bundle) of a step; `how` is for pruning.prune, and without it nothing is pruned."""
        folder = self.folder(step)
        if not is_whole(folder):
            print(f"-- {step}, from {self.last.folder}", flush=True)
            models = {}
            for stream in self.last.streams:
                batches = self.batches.get(stream.name) if trained else None
                models[stream.name] = finetune.prune(self.flags, batches, stream, self.last.weights(stream), folder,
                                                     **how)  # fmt: skip
            self._write(models, step, FULL)
        self.last, self._models = bundles.load(folder), {}
        for precision in self.precisions:
            if not is_whole(self.folder(step, precision)):
                self._write(self.models(), step, precision)
        return [(precision, bundles.load(self.folder(step, precision))) for precision in self.precisions]

    def models(self) -> dict:
        """{stream: keras.Model} of the last step."""
        for stream in self.last.streams:
            if stream.name not in self._models:
                self._models[stream.name] = KerasNetwork.load(stream, self.last.weights(stream)).model
        return self._models

    def _write(self, models: dict, step: str, precision: str) -> None:
        folder, streams = self.folder(step, precision), []
        for stream in self.source.streams:
            name = f"{stream.name}{sparse.SUFFIX}"
            sparse.save(models[stream.name], folder / name, precision)
            streams.append(replace(stream, files={"weights": name}))
        kept = {name: self.source.about[name] for name in ("flags", "data") if name in self.source.about}
        made = {"model": self.source.folder.name, "sha256": self.source.hashes, "step": step, "precision": precision}
        about = {**kept, "compressed": made, **bundles.provenance()}
        bundles.save(replace(self.source, folder=folder, streams=streams, about=about), indent=None)

    def share_below(self, magnitude: float) -> float:
        """Share of the last step's kernels' weights that are smaller than that, or zero."""
        values = np.concatenate([np.abs(np.asarray(kernel)).ravel() for model in self.models().values()
                                 for kernel in pruning.kernels(model).values()])  # fmt: skip
        return float(np.mean((values == 0) | (values < magnitude)))

    def fitting(self, precision: str, room: int) -> tuple[float | None, int]:
        """The smallest share, in hundredths, of the last step's weights without which the others take at most `room`
        bytes, and these bytes; None, and the fewest bytes, where no share is enough."""
        models, sizes = self.models(), {}
        values = {name: model.get_weights() for name, model in models.items()}

        def size(share: int) -> int:
            for name, model in models.items():
                model.set_weights(values[name])
                pruning.prune(model, sparsity=share / 100)
            sizes[share] = sum(len(sparse.pack(model, precision)) for model in models.values())
            return sizes[share]

        share = bisect.bisect_left(range(MOST), True, key=lambda share: size(share) <= room)
        bytes_ = size(share)
        for name, model in models.items():
            model.set_weights(values[name])
        return (share / 100 if bytes_ <= room else None), bytes_
