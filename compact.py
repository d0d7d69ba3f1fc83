"""Compact networks from flags to a bundle: what train_conv3d_lstm.py and distill.py share."""

import argparse
import contextlib
from dataclasses import replace
from pathlib import Path

import command
from command import Problem

import bundle as bundles
import clipspec
import dataset
import modalities
import recipe
import refit
import run

NETWORKS = ("conv3d-lstm", "conv2d-lstm", "conv3d")
SIZES = ("joined", "medium", "small")  # of model_conv3d_lstm, whose import waits for Keras


def add_flags(flags: argparse.ArgumentParser, size: str) -> None:
    """size: of the network where none is named."""
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn2014")
    flags.add_argument("--output", type=Path, required=True, help="model folder, e.g. model/compact")
    flags.add_argument("--stream", nargs="+", choices=(*modalities.TABLE, "both"), default=["grey"],
                       help="what is seen, a network each; both: rgb and flow")  # fmt: skip
    flags.add_argument("--network", choices=NETWORKS, default=NETWORKS[0], help="joined, CNN + LSTM, or 3D-CNN")
    flags.add_argument("--size", choices=SIZES,
                       help=f"medium, small: 4 and 16 times fewer weights than joined (default: {size})")
    flags.add_argument("--weights", default="none", metavar="none|FOLDER",
                       help="none: random start; or a model with the same network, of which a new top is trained first")
    refit.add_flag(flags)
    flags.add_argument("--store", help="which store, where there are several: 40x240-tvl1-fast")
    group = recipe.add_input(flags, frames=None, crop=64, still="subtract")
    group.add_argument("--length", choices=("any",), help="instead of --frames: every stored frame, however many")
    group = flags.add_argument_group("recipe")
    group.add_argument("--top-epochs", type=int, default=3, metavar="N", help="epochs of a new top alone")
    recipe.add_recipe(group, epochs=40, batch=8, learning_rate=1e-3, dropout=0.5, recipes=("compact",))
    recipe.add_augmentation(flags, recipes=("compact",))
    command.add_threads(flags)


def complete(args, size: str) -> argparse.Namespace:
    """What was not named; raises Problem where the flags contradict each other."""
    recipe.complete(args, "compact")
    whole = args.length == "any"
    if args.network == "conv3d" and (whole or args.size):
        raise Problem("--network conv3d has one size, and clips of one length: neither --size nor --length any")
    if whole and (args.frames or args.views > 1 or args.mixup):
        raise Problem("--length any: without --frames, --views and --mixup, which want clips of one length")
    if args.weights != "none" and not bundles.is_one(args.weights):
        raise Problem(f"--weights {args.weights}: none, or the folder of a model of train_conv3d_lstm.py")
    args.size = None if args.network == "conv3d" else args.size or size
    return args


def arguments_of(args, data: dataset.Dataset, spec: clipspec.ClipSpec, stream: str) -> dict:
    """Of the network's builder, as the bundle has them."""
    seen = spec.input
    frames = None if seen.sampling == "whole" else seen.frames
    found = {"input_shape": [frames, seen.crop, seen.crop, modalities.TABLE[stream].channels],
             "classes": len(data.classes), "dropout": args.dropout, "momentum": recipe.SCRATCH_MOMENTUM}  # fmt: skip
    return {**found, "size": args.size} if args.size else found


def find_start(args, stream: str, arguments: dict) -> tuple[bundles.Stream, Path]:
    """The trained network to start from and its weight file; raises Problem where there is none that fits."""
    source, first = bundles.load(Path(args.weights)), 0 if args.network == "conv3d" else 1  # an LSTM takes any length
    for row in source.streams:
        same = (row.modality, row.network, row.arguments.get("size")) == (stream, args.network, args.size)
        if same and row.arguments["input_shape"][first:] == arguments["input_shape"][first:]:
            return row, source.weights(row)
    wanted, *have = (
        " ".join(filter(None, (network, built.get("size"), "on", modality, "of", str(built["input_shape"]))))
        for network, modality, built in [(args.network, stream, arguments),
                                         *((row.network, row.modality, row.arguments) for row in source.streams)]
    )  # fmt: skip
    raise Problem(f"{args.weights}: no {wanted} in it, only {', '.join(have)}")


def train_stream(args, data: dataset.Dataset, spec: clipspec.ClipSpec, stream: str, generators: dict, lesson) -> dict:
    """Train one stream to its end and return its row for the bundle."""
    import model_i3d
    import runtime
    import training

    arguments = arguments_of(args, data, spec, stream)
    row = bundles.Stream(stream, stream, args.network, arguments, {"weights": f"{stream}.weights.h5"})
    run.seed(args.seed)
    masked = {"masked": True} if spec.input.sampling == "whole" else {}
    model = runtime.build(replace(row, arguments={**arguments, **masked}))
    started = args.weights != "none"
    if started:
        model_i3d.copy_weights(runtime.KerasNetwork.load(*find_start(args, stream, arguments)).model, model)
    plan, objective = recipe.recipe_of(args, generators["train"].targets), training.Objective()
    if lesson:
        generators["train"].soft = lesson.soft
        objective, plan = lesson.objective(plan.class_weights), replace(plan, class_weights=None)
    until = int(refit.chosen(args, stream)["epoch"]) if args.refit else None
    training.fit(model, generators["train"], generators["valid"], recipe.phases_of(args, started), args.output, stream,
                 plan, objective, until)  # fmt: skip
    return {**vars(row), "files": run.trained(args.output, stream)}


def train(args, data: dataset.Dataset, teach=None) -> None:
    """Train every stream and write the bundle.

    Args:
        teach: the labelled training clips -> teacher.Lesson; called once nothing else can be wrong.
    """
    split = {name: run.split_of(data, name) for name in refit.SPLITS}
    streams, spec = run.streams_of(args), recipe.clip_spec(args, data)
    if args.length == "any" and spec.stored.frames.isdigit():
        print(f"every clip is stored as {spec.stored.frames} frames; frame.py --frames 10fps keeps their lengths")
    if args.weights != "none":
        for stream in streams:
            find_start(args, stream, arguments_of(args, data, spec, stream))
    bundles.load_keras()  # seconds; so after what can be wrong without it
    generators = {stream: run.generators(args, data, spec, stream) for stream in streams}
    with contextlib.ExitStack() as held:
        flags = run.claim(args, data, spec, held)
        clips = [item for name in refit.SPLITS if name == "train" or args.refit for item in split[name]]
        lesson = teach(clips) if teach else None
        trained = [train_stream(args, data, spec, stream, generators[stream], lesson) for stream in streams]
        run.write_bundle(args, data, spec, flags, trained)
