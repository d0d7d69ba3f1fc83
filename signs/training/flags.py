"""How a network is trained, as flags: what it sees of a clip, the recipe, the augmentation.

Every train_*.py has the same words for these; what a training does not have is left out of it.
"""

import argparse
from dataclasses import replace

from signs.clips import modality, storage
from signs.clips.dataset import Dataset
from signs.clips.spec import REGIONS, ClipSpec, InputSpec
from signs.command import Problem

import numpy as np

# What a training does where a flag does not say; `compact` is for small networks from a random start.
# fmt: off
RECIPES = {
    "paper": {"patience": 5, "accumulate": 1, "schedule": "constant", "warm_up": 0.0, "ema": 0.0, "smoothing": 0.0,
              "balance": False, "colour": 0.0, "zoom": 0.0, "rotation": 0.0, "part": 1.0, "mixup": 0.0, "views": 1},
    "strong": {"patience": 15, "accumulate": 1, "schedule": "cosine", "warm_up": 1.0, "ema": 0.99, "smoothing": 0.1,
               "balance": True, "colour": 0.1, "zoom": 0.15, "rotation": 0.0, "part": 0.7, "mixup": 0.2, "views": 2},
    "compact": {"patience": 15, "accumulate": 1, "schedule": "cosine", "warm_up": 1.0, "ema": 0.98, "smoothing": 0.0,
                "balance": False, "colour": 0.0, "zoom": 0.15, "rotation": 10.0, "part": 0.8, "mixup": 0.0, "views": 1},
}
# fmt: on
# The moving averages forget their random start after some ten steps instead of some hundred.
SCRATCH_MOMENTUM = 0.9
# Flag: (above, at least, below), None where there is no such bound.
RANGES = {
    **dict.fromkeys(("learning_rate", "recurrent_learning_rate", "part"), (0, None, None)),
    **dict.fromkeys(("ema", "smoothing", "dropout", "zoom"), (None, 0, 1)),
    **dict.fromkeys(("brightness", "colour", "shift", "mixup", "warm_up", "rotation"), (None, 0, None)),
    **dict.fromkeys(("weight_decay", "l2", "clip_norm", "top_epochs", "truncate"), (None, 0, None)),
    **dict.fromkeys(
        ("epochs", "recurrent_epochs", "batch", "recurrent_batch", "accumulate", "views", "patience"), (None, 1, None)
    ),
    **dict.fromkeys(("frames", "frames_a_clip", "length", "parts", "crop"), (None, 1, None)),
}


def _as(name: str, recipes: tuple[str, ...]) -> str:
    """What each recipe says of a flag, for its help: `(5, 15)`."""
    values = [RECIPES[one][name] for one in recipes]
    said = [("no", "yes")[value] if isinstance(value, bool) else str(value) for value in values]
    return f"({', '.join(one.removesuffix('.0') for one in said)})"


def add_input(
    flags: argparse.ArgumentParser,
    frames: int | None = 40,
    crop: int = 224,
    still: str = "keep",
    short_side: int | None = None,
    region: str = "middle",
    scale: str = "fixed",
):
    """What the networks see of a stored clip: clipspec.InputSpec; returns the group of flags."""
    group = flags.add_argument_group("what the networks see")
    group.add_argument(
        "--frames",
        type=int,
        default=frames,
        metavar="N",
        help="frames of a clip, evenly" + " (default: 40, or all if fewer)" * (frames is None),
    )
    group.add_argument(
        "--short-side",
        type=int,
        default=short_side,
        metavar="PX",
        help="resized to before the crop" + " (default: as stored)" * (short_side is None),
    )
    group.add_argument("--crop", type=int, default=crop, metavar="PX", help="square in the middle")
    add_region(group, still, region)
    group.add_argument(
        "--scale",
        choices=("fixed", "own"),
        default=scale,
        help="own: divide each clip by its own root mean square; for a random start on few clips",
    )
    group.add_argument(
        "--views",
        type=int,
        metavar="N",
        help="look at a clip N times when it is predicted, at frames in between, and average",
    )
    return group


def add_region(group, still: str = "keep", region: str = "middle") -> None:
    group.add_argument(
        "--still",
        choices=("keep", "subtract"),
        default=still,
        help="subtract the clip's average picture, but not from flow; for a random start on few clips",
    )
    group.add_argument(
        "--region",
        choices=REGIONS,
        default=region,
        help="the crop is the square round what moves (signer), or round the person (body); for signers "
        "who stand far away",
    )


def add_recipe(
    group,
    epochs: int,
    batch: int,
    learning_rate: float,
    dropout: float,
    hint: str = "",
    recipes: tuple[str, ...] = ("paper",),
) -> None:
    """Phases, optimiser and loss: training.Recipe. What has no default here is as one of `recipes` has it."""
    group.add_argument("--epochs", type=int, default=epochs, metavar="N", help=f"most epochs{hint}")
    group.add_argument(
        "--patience", type=int, metavar="N", help="epochs without a lower validation loss " + _as("patience", recipes)
    )
    group.add_argument("--learning-rate", type=float, default=learning_rate, help="at the start")
    group.add_argument("--batch", type=int, default=batch, metavar="N", help="clips a step, of all devices together")
    group.add_argument(
        "--accumulate", type=int, metavar="N", help="steps whose gradients are added up " + _as("accumulate", recipes)
    )
    group.add_argument(
        "--schedule", choices=("constant", "cosine"), help="of the learning rate " + _as("schedule", recipes)
    )
    group.add_argument(
        "--warm-up", type=float, metavar="EPOCHS", help="in which a cosine first rises " + _as("warm_up", recipes)
    )
    group.add_argument(
        "--ema",
        type=float,
        metavar="DECAY",
        help="validate and keep a running mean of the weights; 0.98: about the last 50 steps " + _as("ema", recipes),
    )
    group.add_argument(
        "--weight-decay",
        type=float,
        default=0.0,
        help="share of a weight that a step takes away, times the learning rate",
    )
    group.add_argument(
        "--l2",
        type=float,
        default=0.0,
        help="squares of all kernels' weights, times this, in the loss; for compress.py --threshold",
    )
    group.add_argument(
        "--clip-norm",
        type=float,
        default=0.0,
        metavar="NORM",
        help="longest gradient of a step, of all weights together; 0: any",
    )
    group.add_argument("--dropout", type=float, default=dropout, help="share of the features dropped")
    group.add_argument(
        "--smoothing", type=float, help="share of a target that goes to all classes alike " + _as("smoothing", recipes)
    )
    group.add_argument(
        "--balance", action=argparse.BooleanOptionalAction, help="rare classes weigh more " + _as("balance", recipes)
    )
    group.add_argument("--seed", type=int, default=0, help="of the start, the order and the augmentation")


def add_augmentation(
    flags: argparse.ArgumentParser,
    hint: str = "no flips: they change most signs",
    recipes: tuple[str, ...] = ("paper",),
) -> None:
    """augmentation.Augmentation, of pictures."""
    title = f"As --recipe has it ({', '.join(recipes)}); {hint}." if len(recipes) > 1 else f"{hint.capitalize()}."
    group = flags.add_argument_group("augmentation", title)
    group.add_argument("--shift", type=float, default=0.1, help="largest shift along x and y, as a share of the crop")
    group.add_argument("--brightness", type=float, default=0.2, help="RGB values times 1 +- this")
    group.add_argument(
        "--colour", type=float, help="red, green and blue each times 1 +- this " + _as("colour", recipes)
    )
    group.add_argument("--zoom", type=float, help="seen larger by a factor of 1 +- this " + _as("zoom", recipes))
    group.add_argument(
        "--rotation", type=float, metavar="DEGREES", help="largest turn of the picture " + _as("rotation", recipes)
    )
    group.add_argument(
        "--part", type=float, help="shortest part of the clip, in time, that is seen " + _as("part", recipes)
    )
    group.add_argument("--mixup", type=float, metavar="ALPHA", help="mix the clips of a batch " + _as("mixup", recipes))
    group.add_argument(
        "--flip",
        nargs="*",
        metavar="LABEL=LABEL",
        help="show half of the clips in a mirror, where people sign with either hand; with pairs of "
        "labels that become each other there: left=right",
    )


def complete_recipe(args: argparse.Namespace, recipe: str = "paper") -> argparse.Namespace:
    """Give every flag that was not named what the recipe says; raises Problem where a number makes no sense, before
    anything is read or fetched."""
    for name, value in RECIPES[recipe].items():
        if getattr(args, name, value) is None:
            setattr(args, name, value)
    for name, (above, least, below) in RANGES.items():
        value = getattr(args, name, None)
        if value is None or isinstance(value, str):
            continue
        if (
            (above is not None and value <= above)
            or (least is not None and value < least)
            or (below is not None and value >= below)
        ):
            said = f"above {above}" if least is None else f"at least {least}"
            raise Problem(f"--{name.replace('_', '-')} {value:g}: {said}{f', below {below}' if below else ''}")
    if getattr(args, "part", 1) > 1:
        raise Problem(f"--part {args.part:g}: at most 1, the whole clip")
    swaps_of(args)
    return args


def swaps_of(args) -> tuple[tuple[str, str], ...]:
    """The pairs of labels behind --flip; raises Problem where something else stands there, or a label twice."""
    pairs = tuple(tuple(pair.split("=")) for pair in getattr(args, "flip", None) or ())
    labels = [label for pair in pairs for label in pair]
    if any(len(pair) != 2 for pair in pairs) or len(set(labels)) < len(labels):
        raise Problem(f"--flip {' '.join(args.flip)}: pairs of labels, each label once, such as left=right")
    return pairs


def clip_spec(args, data: Dataset) -> ClipSpec:
    """What is stored, read from the data set's archives, and what the networks will see of it."""
    streams = modality.named(args.stream)
    first = modality.TABLE[streams[0]].parts[0]
    if "flow" in streams or (first == "video" and data.stores("flow")):
        stored = storage.find_stored(data, "flow", args.store)
    else:
        stored = replace(storage.find_stored(data, "frame", args.store, first), part="video")
    modality.check_stores(data, streams, stored)
    short_side = args.short_side or stored.short_side
    views, whole = args.views, getattr(args, "length", None) == "any"
    frames = args.frames or (min(40, int(stored.frames)) if stored.frames.isdigit() else 40)
    if stored.frames.isdigit() and views * frames > int(stored.frames):
        views = max(int(stored.frames) // frames, 1)
        print(f"{stored.frames} stored frames hold {views} view(s) of {frames} frames, not {args.views}")
    seen = InputSpec(
        frames, short_side, args.crop, args.still, views, args.region, args.scale, "whole" if whole else "even"
    )
    return ClipSpec(stored, seen)


def phases_of(args, start: bool) -> list:
    """From a start with other weights than random ones the new top first, then all of it at a tenth of the rate."""
    from signs.training.loop import Phase

    if not start:
        return [Phase("all", args.epochs, args.learning_rate)]
    return [
        Phase("top", args.top_epochs, args.learning_rate, top_only=True),
        Phase("all", args.epochs, args.learning_rate / 10),
    ]


def recipe_of(args, targets: np.ndarray):
    """training.Recipe of the flags; `targets` are the training clips' class indices."""
    from signs.training.loop import Recipe

    weights = None
    if args.balance:
        counts = np.bincount(targets)
        # The mean over the clips is 1; a class without clips has no loss to weigh.
        mean = len(targets) / np.count_nonzero(counts)
        weights = {label: mean / count for label, count in enumerate(counts) if count}
    return Recipe(
        args.patience,
        args.ema,
        args.schedule,
        args.warm_up,
        args.accumulate,
        weights,
        args.weight_decay,
        args.clip_norm,
        args.l2,
    )


def augmentation_of(args):
    """augmentation.Augmentation of the flags."""
    from signs.training.augmentation import Augmentation

    return Augmentation(
        args.shift,
        args.brightness,
        args.colour,
        args.zoom,
        args.part,
        args.mixup,
        args.smoothing,
        args.rotation,
        args.flip is not None,
        swaps_of(args),
    )
