"""Train the two streams of I3D, RGB and flow, and write a model bundle.

    python train_i3d.py --data data_set/chalearn --output model/chalearn

in:   data_set/<name>/frame-<store> and flow-<store>; the published Kinetics weights, which it fetches
out:  model/<run>/: bundle.json, <stream>.weights.h5 (best epoch), log.csv, events/, checkpoint/

The recipe of Sarhan & Frintrop (2020): the published weights are frozen and the new top trained for 3 epochs at 1e-3;
then everything at a tenth of it, until the validation loss has not improved for some epochs; Adam, batches of 4,
cross-entropy, shifts and brightness. With `--weights none` the start is random: nothing is frozen, everything trains
at 1e-3. `--recipe strong` adds what came after the paper, each part with a flag of its own. Stopped at any moment, the
same command goes on after the last whole epoch.
"""

import argparse
import contextlib
import hashlib
import json
import random
import sys
from dataclasses import replace
from pathlib import Path

import command
from command import Problem

import numpy as np

import bundle
import clip
import dataset
import distribute
import kinetics
from history import Log

CHANNELS = {"rgb": 3, "flow": 2}
# The moving averages forget their random start after some ten steps instead of some hundred.
SCRATCH_MOMENTUM = 0.9
# What --recipe says where a flag does not.
RECIPES = {
    "paper": {"patience": 5, "accumulate": 1, "schedule": "constant", "warm_up": 0.0, "ema": 0.0, "smoothing": 0.0,
              "balance": False, "colour": 0.0, "zoom": 0.0, "part": 1.0, "mixup": 0.0, "views": 1},
    "strong": {"patience": 15, "accumulate": 1, "schedule": "cosine", "warm_up": 1.0, "ema": 0.99, "smoothing": 0.1,
               "balance": True, "colour": 0.1, "zoom": 0.15, "part": 0.7, "mixup": 0.2, "views": 2},
}  # fmt: skip
# Flags that may change when a run goes on.
NOT_PART_OF_A_RUN = ("data", "output", "stream", "epochs", "workers", *distribute.FLAGS)


def parse(argv=None):
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--output", type=Path, required=True, help="model folder, e.g. model/chalearn")
    flags.add_argument("--stream", choices=("both", "rgb", "flow"), default="both", help="trained one after the other")
    flags.add_argument("--weights", default="kinetics", metavar="none|NAME|FOLDER",
                       help=f"none: random start; {', '.join(kinetics.STARTS)}: published weights, fetched once (the "
                            "first: ImageNet, then Kinetics); or a folder with a copy of them, or a model folder")
    flags.add_argument("--store", help="which store, where there are several: 40x240-tvl1-fast")
    group = flags.add_argument_group("what the networks see")
    group.add_argument("--frames", type=int, default=40, metavar="N", help="frames of a clip, evenly")
    group.add_argument("--short-side", type=int, metavar="PX", help="resized to before the crop (default: as stored)")
    group.add_argument("--crop", type=int, default=224, metavar="PX", help="square in the middle")
    group.add_argument("--still", choices=("keep", "subtract"), default="keep",
                       help="subtract the clip's average picture from RGB; for a random start on few clips")
    group.add_argument("--region", choices=("middle", "signer"), default="middle",
                       help="signer: the square round what moves is the crop; for signers who stand far away")
    group.add_argument("--scale", choices=("fixed", "own"), default="fixed",
                       help="own: divide each clip by its own root mean square; for a random start on few clips")
    group.add_argument("--views", type=int, metavar="N",
                       help="look at a clip N times when it is predicted, at frames in between, and average")
    group = flags.add_argument_group("recipe", "What is not named is as --recipe has it (paper, strong).")
    group.add_argument("--recipe", choices=RECIPES, default="paper", help="Sarhan & Frintrop's, or what came after it")
    group.add_argument("--top-epochs", type=int, default=3, metavar="N", help="epochs of the new top alone")
    group.add_argument("--epochs", type=int, default=40, metavar="N", help="most epochs of everything after that")
    group.add_argument("--patience", type=int, metavar="N", help="epochs without a lower validation loss (5, 15)")
    group.add_argument("--learning-rate", type=float, default=1e-3, help="of the top, and of a random start")
    group.add_argument("--batch", type=int, default=4, metavar="N", help="clips a step, of all devices together")
    group.add_argument("--accumulate", type=int, metavar="N", help="steps whose gradients are added up (1, 1)")
    group.add_argument("--schedule", choices=("constant", "cosine"), help="of the learning rate (constant, cosine)")
    group.add_argument("--warm-up", type=float, metavar="EPOCHS", help="in which a cosine first rises (0, 1)")
    group.add_argument("--ema", type=float, metavar="DECAY",
                       help="validate and keep a running mean of the weights; 0.98: about the last 50 steps (0, 0.99)")
    group.add_argument("--dropout", type=float, default=0.5, help="share of the pooled features dropped")
    group.add_argument("--smoothing", type=float, help="share of a target that goes to all classes alike (0, 0.1)")
    group.add_argument("--balance", action=argparse.BooleanOptionalAction, help="rare classes weigh more (no, yes)")
    group.add_argument("--precision", choices=("float32", "mixed_float16", "mixed_bfloat16"), default="float32",
                       help="mixed: of the arithmetic; the weights stay float32. For a GPU")
    group.add_argument("--seed", type=int, default=0, help="of the start, the order and the augmentation")
    group = flags.add_argument_group("augmentation", "As --recipe has it (paper, strong); no flips: they change signs.")
    group.add_argument("--shift", type=float, default=0.1, help="largest shift along x and y, as a share of the crop")
    group.add_argument("--brightness", type=float, default=0.2, help="RGB values times 1 +- this")
    group.add_argument("--colour", type=float, help="red, green and blue each times 1 +- this (0, 0.1)")
    group.add_argument("--zoom", type=float, help="seen larger by a factor of 1 +- this (0, 0.15)")
    group.add_argument("--part", type=float, help="shortest part of the clip, in time, that is seen (1, 0.7)")
    group.add_argument("--mixup", type=float, metavar="ALPHA", help="mix the clips of a batch (0, 0.2)")
    command.add_threads(flags)
    distribute.add_flags(flags)
    args = flags.parse_args(argv)
    for name, value in RECIPES[args.recipe].items():
        if getattr(args, name) is None:
            setattr(args, name, value)
    check_ranges(args)
    distribute.check(args)
    return args


def check_ranges(args) -> None:
    """Raise Problem where a number makes no sense, before anything is read or fetched."""
    for name, least, below in (("part", 0, None), ("ema", None, 1), ("smoothing", None, 1), ("dropout", None, 1),
                               ("zoom", None, 1), ("brightness", None, None), ("colour", None, None),
                               ("shift", None, None), ("mixup", None, None), ("warm_up", None, None)):  # fmt: skip
        value = getattr(args, name)
        if value < 0 or (least is not None and value <= least) or (below is not None and value >= below):
            raise Problem(f"--{name.replace('_', '-')} {value:g}: {'above 0' if least == 0 else 'at least 0'}"
                          f"{f', below {below}' if below else ''}")  # fmt: skip
    for name, least in (("epochs", 1), ("batch", 1), ("accumulate", 1), ("views", 1), ("patience", 1),
                        ("top_epochs", 0), ("frames", 8), ("crop", 32)):  # fmt: skip
        if getattr(args, name) < least:  # I3D's smallest input is 8 frames of 32x32
            raise Problem(f"--{name.replace('_', '-')} {getattr(args, name)}: at least {least}")
    if args.learning_rate <= 0:
        raise Problem(f"--learning-rate {args.learning_rate:g}: above 0")
    if args.part > 1:
        raise Problem(f"--part {args.part:g}: at most 1, the whole clip")


def streams_of(args) -> list[str]:
    return ["rgb", "flow"] if args.stream == "both" else [args.stream]


def clip_spec(args, data: dataset.Dataset) -> clip.ClipSpec:
    """What is stored, read from the data set's archives, and what the networks will see of it."""
    if args.stream == "rgb" and not data.stores("flow"):
        stored = clip.find_stored(data, "frame", args.store)
    else:
        stored = clip.find_stored(data, "flow", args.store)
        if stored.frame_store not in data.stores("frame") and args.stream != "flow":
            raise Problem(f"{data.folder}: no {stored.frame_store}, which the flow was computed from; run frame.py")
    short_side = args.short_side or stored.short_side
    views = args.views
    if stored.frames.isdigit() and views * args.frames > int(stored.frames):
        views = max(int(stored.frames) // args.frames, 1)
        print(f"{stored.frames} stored frames hold {views} view(s) of {args.frames} frames, not {args.views}")
    seen = clip.InputSpec(args.frames, short_side, args.crop, args.still, views, args.region, args.scale)
    return clip.ClipSpec(stored, seen)


def check_run(args, spec: clip.ClipSpec) -> dict:
    """The flags of the run, written beside its checkpoint; raises Problem where the folder holds another run."""
    path = args.output / "checkpoint" / "run.json"
    run = {name: value for name, value in vars(args).items() if name not in NOT_PART_OF_A_RUN}
    if args.schedule == "cosine":
        run["epochs"] = args.epochs  # its rate depends on how many there will be
    # The same run may have begun with one stream, before there was flow.
    seen = {"flags": run, "input": spec.to_json()["input"], "store": spec.stored.frame_store}
    seen = json.loads(json.dumps(seen))
    if path.exists() and any(path.parent.glob("*.weights.h5")):
        before = json.loads(path.read_text())
        if before != seen:
            changed = [name for name in run if before["flags"].get(name) != seen["flags"][name]]
            raise Problem(f"{args.output}: holds a run with other settings ({', '.join(changed) or 'stored frames'}); "
                          "choose another --output, or delete it")
    else:
        with command.atomic(path) as temporary:
            temporary.write_text(json.dumps(seen, indent=1) + "\n")
    return run


def phases_of(args) -> list:
    from training import Phase

    if args.weights == "none":
        return [Phase("all", args.epochs, args.learning_rate)]
    return [Phase("top", args.top_epochs, args.learning_rate, top_only=True),
            Phase("all", args.epochs, args.learning_rate / 10)]


def recipe_of(args, targets):
    from training import Recipe

    weights = None
    if args.balance:
        counts = np.bincount(targets)
        # The mean over the clips is 1; a class without clips has no loss to weigh.
        mean = len(targets) / np.count_nonzero(counts)
        weights = {label: mean / count for label, count in enumerate(counts) if count}
    return Recipe(args.patience, args.ema, args.schedule, args.warm_up, args.accumulate, weights)


def is_bundle(weights: str) -> bool:
    return (Path(weights) / bundle.FILE).exists()


def check_start(weights: str, stream: str) -> bundle.Stream | None:
    """The stream of a bundle to start from, or None for published weights; raises Problem where there is none such."""
    if not is_bundle(weights):
        kinetics.check(weights, stream)
        return None
    streams = bundle.load(Path(weights)).streams
    for one in streams:
        if one.modality == stream and one.network == "i3d":
            return one
    raise Problem(f"{weights}: no I3D on {stream} in it, only {', '.join(one.name for one in streams)}")


def load_start(model, weights: str, stream: str) -> None:
    """Give the network the weights to start from: published ones, or those of a bundle."""
    import model_i3d

    trained = check_start(weights, stream)
    if trained is None:
        model_i3d.load_kinetics_checkpoint(model, kinetics.checkpoint(weights, stream))
        return
    source = model_i3d.build_i3d(**trained.arguments)
    source.load_weights(Path(weights) / trained.files["weights"])
    model_i3d.copy_weights(source, model)


def train_stream(args, data: dataset.Dataset, spec: clip.ClipSpec, stream: str, generators: dict, devices) -> dict:
    """Train one stream to its end and return its row for the bundle."""
    import keras

    import model_i3d
    import training

    keras.backend.clear_session()
    keras.config.set_dtype_policy(args.precision)
    if keras.backend.backend() == "jax":
        random.seed(args.seed)  # all that Keras draws from there; its own function would import TensorFlow
    else:
        keras.utils.set_random_seed(args.seed)
    size = (spec.input.frames, spec.input.crop, spec.input.crop, CHANNELS[stream])
    scratch = args.weights == "none"
    arguments = {"input_shape": size, "classes": len(data.classes), "dropout": args.dropout}
    if scratch or is_bundle(args.weights):
        arguments["momentum"] = SCRATCH_MOMENTUM
    for generator in generators.values():
        generator.devices = devices
        if not len(generator):
            raise Problem(f"{data.folder}: {len(generator.clips)} clips for training, fewer than --devices")
    with devices.scope():
        model = model_i3d.build_i3d(**arguments)
        if not scratch:
            load_start(model, args.weights, stream)
        training.fit(model, generators["train"], generators["valid"], phases_of(args), args.output, stream,
                     recipe_of(args, generators["train"].targets))  # fmt: skip
    weights = f"{stream}.weights.h5"
    if not (args.output / weights).exists():
        raise Problem(f"{args.output / 'log.csv'}: the validation loss was never a number; lower --learning-rate")
    return {"name": stream, "modality": stream, "network": "i3d", "arguments": arguments, "files": {"weights": weights}}


def augmentation_of(args):
    from datagenerator import Augmentation

    return Augmentation(args.shift, args.brightness, args.colour, args.zoom, args.part, args.mixup, args.smoothing)


def generators_of(args, data: dataset.Dataset, spec: clip.ClipSpec, stream: str) -> dict:
    """The training and validation generators of a stream; every archive they need is there."""
    from datagenerator import ClipGenerator

    labels = [row.label for row in data.classes]
    generators = {}
    for split in ("train", "valid"):
        clips = data.split(split, labelled=True)
        if not clips:
            raise Problem(f"{data.folder}/clips.csv: no labelled clip in the split {split}; training needs both")
        generators[split] = ClipGenerator(data, clips, spec, stream, labels, args.batch, seed=args.seed,
                                          augmentation=augmentation_of(args) if split == "train" else None,
                                          workers=args.workers)
        generators[split].check()
    return generators


def write_bundle(args, data: dataset.Dataset, spec: clip.ClipSpec, run: dict, trained: list[dict]) -> None:
    """Join the streams trained now with those of an earlier `--stream` in the same folder."""
    names = {stream["name"] for stream in trained}
    if (args.output / bundle.FILE).exists():
        earlier = bundle.load(args.output)
        if earlier.spec.stored.flow and not spec.stored.flow:
            spec = replace(spec, stored=earlier.spec.stored)
        trained = [vars(stream) for stream in earlier.streams if stream.name not in names] + trained
    streams = [bundle.Stream(**row) for row in sorted(trained, key=lambda row: row["name"], reverse=True)]
    if not any(stream.modality == "flow" for stream in streams):
        spec = replace(spec, stored=spec.stored.without_flow())
    log = Log(args.output / "log.csv")
    metrics = {}
    for stream in streams:
        best = log.best(stream.name)
        metrics[stream.name] = {key: float(best[key]) for key in ("epoch", "val_loss", "val_accuracy")}
    counts = {split: sum(labels.values()) for split, labels in data.count().items()}
    about = {"flags": run, "data": {"folder": data.folder.name, "clips": counts}, "training": metrics}
    bundle.save(bundle.Bundle(args.output, spec, data.classes, streams, "mean", {**about, **bundle.provenance()}))
    for stream in streams:
        row = metrics[stream.name]
        print(f"{stream.name}: best at epoch {row['epoch']:.0f}, validation accuracy {row['val_accuracy']:.1%}")
    print(f"model bundle -> {args.output}")


def claim(args, spec: clip.ClipSpec, held: contextlib.ExitStack) -> dict:
    """Lock the output for the streams that will be trained; the flags of the run, which fit what is there."""
    for stream in streams_of(args):
        # One lock a stream: on a CPU two processes that train one stream each are quicker than one after the other.
        held.enter_context(command.lock(args.output, stream))
        command.remove_leftovers(args.output, stream)
    return check_run(args, spec)


def stamp_of(args, data: dataset.Dataset, spec: clip.ClipSpec) -> str:
    """Equal for hosts that were started alike, whatever their folders are called."""
    flags = {name: value for name, value in vars(args).items() if name not in ("data", "output", "workers", "host")}
    clips = [(item.clip, item.split, item.label) for item in data.clips]
    return hashlib.sha256(json.dumps([flags, clips, spec.to_json()]).encode()).hexdigest()


def main(argv=None) -> int:
    args = parse(argv)
    data = dataset.load(args.data)
    spec = clip_spec(args, data)
    if args.weights != "none":
        for stream in streams_of(args):
            check_start(args.weights, stream)
    bundle.load_keras()  # seconds; so after what can be wrong without it
    generators = {stream: generators_of(args, data, spec, stream) for stream in streams_of(args)}
    with contextlib.ExitStack() as held:
        run = claim(args, spec, held) if args.host == 0 else {}
        if args.weights != "none" and not is_bundle(args.weights):
            for stream in streams_of(args):  # all of them before the first trains
                kinetics.checkpoint(args.weights, stream)
        devices = distribute.start(args, stamp_of(args, data, spec))
        args.output = held.enter_context(distribute.output(devices, args.output))
        trained = [train_stream(args, data, spec, stream, generators[stream], devices) for stream in streams_of(args)]
        if args.host == 0:
            with command.lock(args.output, wait=True):
                command.remove_leftovers(args.output, "bundle.")
                write_bundle(args, data, spec, run, trained)
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
