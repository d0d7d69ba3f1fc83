"""Prune a trained network and train what is left, with what the bundle says of its own training; imported, never run.

    flags = flags_of(bundle, args)
    model = prune(flags, generators, stream, start, folder, sparsity=0.8)

The network as it was pruned counts as epoch 0, so fine-tuning replaces it only by one of a lower validation loss.
Stopped at any moment, the same call goes on after the last whole epoch.
"""

import argparse
from pathlib import Path

import command  # noqa: F401  what it sets has to be set before Keras is imported

import keras
import numpy as np

import averaging
import bundle as bundles
import dataset
import pruning
import recipe
import run
import runtime
import training
from history import Log

SLOWER = 10  # than the training was at its start


def flags_of(bundle: bundles.Bundle, args) -> argparse.Namespace:
    """The flags of a bundle's training, as far as it had these; `args` has those of its own: epochs, learning_rate,
    workers."""
    parser = argparse.ArgumentParser()
    recipe.add_recipe(parser, epochs=1, batch=4, learning_rate=1e-3, dropout=0)
    recipe.add_augmentation(parser)
    flags = parser.parse_args([])
    for name, value in bundle.about.get("flags", {}).items():
        if hasattr(flags, name):
            setattr(flags, name, value)
    flags.epochs, flags.learning_rate = 1, args.learning_rate or flags.learning_rate / SLOWER
    flags = recipe.complete(flags)
    flags.epochs, flags.workers = args.epochs, args.workers  # no epoch at all is possible here
    return flags


def generators(flags, data: dataset.Dataset, bundle: bundles.Bundle, stream: bundles.Stream) -> dict:
    """Batches of what a stream of the bundle sees, with the bundle's classes in their order."""
    own = dataset.Dataset(data.folder, data.clips, bundle.classes)
    return run.generators(flags, own, bundle.spec_of(stream), stream.modality)


def keep_start(model: keras.Model, valid, folder: Path, stream: str) -> None:
    """Write the network as it stands as the best so far, and what it is worth as epoch 0 of the log."""
    log = Log(folder / "log.csv")
    if log.of(stream):
        return
    model.compile(jit_compile=False)
    validation, found = training.Validation(valid, folder, stream, None, np.asarray), {}
    validation.set_model(model)
    validation.on_train_begin()
    validation.on_epoch_end(-1, found)
    averaging.save_weights(model, folder / f"{stream}.weights.h5")
    log.add({"stream": stream, "phase": "pruned", "epoch": 0, "learning_rate": 0, "seconds": 0, "loss": "nan",
             "accuracy": "nan", **{name: f"{value:.6g}" for name, value in found.items()}})  # fmt: skip


def prune(flags, batches: dict | None, stream: bundles.Stream, start: Path, folder: Path, **how) -> keras.Model:
    """Prune one stream's network and train what is left.

    Args:
        batches: "train" and "valid" (see `generators`), or None to leave it at pruning.
        start: file of the weights to begin with; folder: for log, checkpoints and the best weights.
        how: threshold or sparsity, see pruning.prune; with neither nothing is pruned.
    """
    run.seed(flags.seed)
    model = runtime.build(stream)
    runtime.load_weights(model, start)
    masks = pruning.prune(model, **how) if how else {}
    if batches:
        pruning.hold(model, masks)
        keep_start(model, batches["valid"], folder, stream.name)
        phase = training.Phase("held", flags.epochs, flags.learning_rate)
        training.fit(model, batches["train"], batches["valid"], [phase], folder, stream.name,
                     recipe.recipe_of(flags, batches["train"].targets))  # fmt: skip
        bare = keras.Model(model.inputs, model.outputs)  # or Keras warns of the optimiser that is not in the file
        bare.load_weights(folder / f"{stream.name}.weights.h5")
    return model
