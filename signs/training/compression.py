"""The bundles of a compression, each made once, from the one before it.

    steps = Steps(output, source, flags, generators, precisions)
    for precision, bundle in steps.make("sparsity-0.8", sparsity=0.8): ...

docs/compact.md says what a step does. Stopped at any moment, the same call goes on after the last whole epoch.
"""

import bisect
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from signs.command import Problem
from signs.inference import runtime
from signs.inference.bundle import Bundle, Stream, is_whole, load_bundle, save_bundle
from signs.inference.runtime import KerasNetwork
from signs.models import sparse_weights
from signs.training import averaging, options, pruning, run_folder
from signs.training.augmentation import Augmentation
from signs.training.callbacks import Validation
from signs.training.checkpoint import Checkpoint
from signs.training.flags import recipe_of
from signs.training.log import DIGITS, Log
from signs.training.loop import Training
from signs.training.point_augmentation import PointAugmentation
from signs.training.recipe import Phase, Recipe

import keras
import numpy as np

SLOWER = 10  # times, than the learning rate at the start of the model's own training
FULL = "float32"  # the precision that the next step begins with
MOST = 99  # percent of the weights that are ever taken away to fit a budget


def flags_of(bundle: Bundle, args) -> Namespace:
    """The flags of a bundle's own training, with the fine-tuning's epochs, learning rate and workers of `args`."""
    values = {
        row.name: row.default for kind in (PointAugmentation, Recipe, Augmentation) for row in options.options(kind)
    }
    values |= {"batch": 4, "learning_rate": 1e-3, "seed": 0, "flip": None, "no_sign": 0.0}
    values |= {name: value for name, value in bundle.about.get("flags", {}).items() if name in values}
    rate = args.learning_rate or values["learning_rate"] / SLOWER
    return Namespace(**{**values, "epochs": args.epochs, "learning_rate": rate, "workers": args.workers})


def keep_start(model: keras.Model, valid, folder: Path, stream: str) -> None:
    """Write the network as it stands as the best so far, and what it is worth as epoch 0 of the log."""
    log = Log(folder / "log.csv")
    if log.rows_of(stream):
        return
    model.compile(jit_compile=False)
    validation, measured = Validation(valid, folder, stream, None, np.asarray), {}
    validation.set_model(model)
    validation.on_train_begin()
    validation.on_epoch_end(-1, measured)
    if not np.isfinite(measured["val_loss"]):
        raise Problem(f"{folder}: what is left of {stream} answers with no numbers; prune less, or another model")
    averaging.save_weights(model, folder / f"{stream}.weights.h5")
    row = {"stream": stream, "phase": "pruned", "epoch": 0, "learning_rate": 0, "seconds": 0}
    row |= {"loss": "nan", "accuracy": "nan"} | {name: DIGITS.format(value) for name, value in measured.items()}
    log.add(row)


def prune_stream(flags, batches: dict | None, stream: Stream, start: Path, folder: Path, **limit) -> keras.Model:
    """Prune one stream's network and train what is left.

    Args:
        batches: "train" and "valid" (`datagenerator.generators`), or None to leave it at pruning.
        start: file of the weights to begin with; folder: for log, checkpoints and the best weights.
        limit: threshold or sparsity, see pruning.prune; with neither nothing is pruned.
    """
    number = run_folder.begin(flags.seed, folder, stream.name, start)
    model = runtime.build_network(stream)
    runtime.load_weights(model, start)
    masks = pruning.prune(model, **limit) if limit else {}
    if batches:
        batches["train"].seed = number
        pruning.hold(model, masks)
        keep_start(model, batches["valid"], folder, stream.name)
        phase = Phase("held", flags.epochs, flags.learning_rate)
        Training(model, batches, folder, stream.name, recipe_of(flags)).fit([phase])
        bare = keras.Model(model.inputs, model.outputs)  # or Keras warns of the optimiser that is not in the file
        bare.load_weights(folder / f"{stream.name}.weights.h5")
    return model


class Steps:
    """What is made of `source` below `output`: each step in float32, from the one before it, and in `precisions`.

    flags: `flags_of`; batches: {stream: its generators}, empty where nothing is to be trained; last: the bundle that
    the next step begins with; failed: (step and stream, why its training ended before its time).
    """

    def __init__(self, output: Path, source: Bundle, flags: Namespace, batches: dict, precisions: list[str]):
        self.output, self.source, self.flags, self.batches = output, source, flags, batches
        self.precisions = list(dict.fromkeys([FULL, *precisions]))
        self.last, self._models, self.failed = source, {}, []

    def folder(self, step: str, precision: str = FULL) -> Path:
        return self.output / (step if precision == FULL else f"{step}-{precision}")

    def make(self, step: str, trained: bool = True, **limit: float) -> list[tuple[str, Bundle]]:
        """(precision, bundle) of a step; `limit` as for `prune_stream`."""
        folder = self.folder(step)
        if not is_whole(folder):
            print(f"-- {step}, from {self.last.folder}", flush=True)
            models = {}
            for stream in self.last.streams:
                batches, start = self.batches.get(stream.name) if trained else None, self.last.weights(stream)
                models[stream.name] = prune_stream(self.flags, batches, stream, start, folder, **limit)
            self._write(models, step, FULL)
        self.last, self._models = load_bundle(folder), {}
        ends = {stream.name: Checkpoint(folder, stream.name).state for stream in self.last.streams}
        self.failed += [(f"{step}, {name}", state.fault) for name, state in ends.items() if state.fault]
        for precision in self.precisions:
            if not is_whole(self.folder(step, precision)):
                self._write(self.models(), step, precision)
        return [(precision, load_bundle(self.folder(step, precision))) for precision in self.precisions]

    def models(self) -> dict:
        """{stream: keras.Model} of the last step."""
        for stream in self.last.streams:
            if stream.name not in self._models:
                self._models[stream.name] = KerasNetwork.load(stream, self.last.weights(stream)).model
        return self._models

    def _write(self, models: dict, step: str, precision: str) -> None:
        folder, streams = self.folder(step, precision), []
        for stream in self.source.streams:
            name = f"{stream.name}{sparse_weights.SUFFIX}"
            sparse_weights.save(models[stream.name], folder / name, precision)
            streams.append(replace(stream, files={"weights": name}))
        kept = {name: self.source.about[name] for name in ("flags", "data") if name in self.source.about}
        made = {"model": self.source.folder.name, "sha256": self.source.hashes, "step": step, "precision": precision}
        about = {**kept, "compressed": made}
        save_bundle(replace(self.source, folder=folder, streams=streams, about=about), indent=None)

    def share_below(self, magnitude: float) -> float:
        """Share of the last step's kernels' weights that are smaller than that, or zero."""
        kernels = [kernel for model in self.models().values() for kernel in pruning.kernels(model).values()]
        magnitudes = np.concatenate([np.abs(np.asarray(kernel)).ravel() for kernel in kernels])
        return float(np.mean((magnitudes == 0) | (magnitudes < magnitude)))

    def share_that_fits(self, precision: str, room: int) -> tuple[float | None, int]:
        """The smallest share, in hundredths, of the last step's weights without which the others take at most `room`
        bytes, and these bytes; None, and the fewest bytes, where no share is enough."""
        models = self.models()
        weights = {name: model.get_weights() for name, model in models.items()}

        def size(percent: int) -> int:
            for name, model in models.items():
                model.set_weights(weights[name])
                pruning.prune(model, sparsity=percent / 100)
            return sum(len(sparse_weights.pack(model, precision)) for model in models.values())

        percent = bisect.bisect_left(range(MOST), True, key=lambda percent: size(percent) <= room)
        smallest = size(percent)
        for name, model in models.items():
            model.set_weights(weights[name])
        return (percent / 100 if smallest <= room else None), smallest
