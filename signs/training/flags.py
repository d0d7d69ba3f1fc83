"""How a network is trained, as flags: what it sees of a clip, the recipe, the augmentation.

Every train_*.py has the same words for these; what a training does not have is left out of it. The dozen flags that
most people need stand first in --help, the rest in the group `more`.
"""

import argparse
import re
from argparse import ArgumentTypeError
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import modality, storage
from signs.clips.dataset import Dataset
from signs.clips.spec import HANDS, REGIONS, ClipSpec, InputSpec
from signs.command import Problem
from signs.training import options
from signs.training.augmentation import Augmentation
from signs.training.recipe import NAMED, RECIPES, Phase, Recipe

# The moving averages forget their random start after some ten steps instead of some hundred.
SCRATCH_MOMENTUM = 0.9
PICTURE = ("shift", "brightness", "colour", "zoom", "rotation")  # of Augmentation, what only pictures have
RUN = "frames one after the other, from anywhere in training and the middle in prediction, a short clip back and forth"
FRAMES = {  # form of --frames: sampling in training and, behind a stroke, in prediction; meaning
    "N": ("even", "frames spread evenly over the clip"),
    "NxV": ("even", "V such looks at it, at frames in between, are averaged in prediction"),
    "run:N": ("run", RUN),
    "run:NxV": ("run", "V such runs are averaged in prediction"),
    "run:N/whole": ("run/whole", "all of the clip is seen in prediction"),
    "whole": ("whole", "every stored frame, however many"),
}
NORMALISE = {  # word: name in the namespace, without and with it, meaning
    "mean": ("still", "keep", "subtract", "less the clip's average picture (not of flow)"),
    "scale": ("scale", "fixed", "own", "divided by the clip's root mean square"),
    "features": ("centre", False, True, "each feature less its mean over the clip"),
}


def begin(doc: str, script: str, data: str, output: str) -> tuple[argparse.ArgumentParser, argparse._ArgumentGroup]:
    """A training's parser and its group `more`, with what every training has.

    Args:
        script: its file name, which goes into the bundle; data, output: names for the examples in --help.
    """
    flags = command.parser(doc)
    flags.set_defaults(script=script)
    flags.add_argument("--data", type=Path, required=True, help=f"data set folder, e.g. data_set/{data}")
    flags.add_argument("--output", type=Path, required=True, help=f"model folder, e.g. model/{output}")
    more = flags.add_argument_group("more")
    command.add_seed(more, "of the start, the order and the augmentation")
    command.add_threads(more)
    return flags, more


def add_store(group) -> None:
    group.add_argument("--store", help="which store, where there are several: 40x240-tvl1-fast")


def add_frames(group, forms: tuple[str, ...], usual: str | None) -> None:
    """`--frames` in some of the forms of FRAMES: `frames`, `views` and `sampling` in the namespace.

    Args:
        usual: without the flag; None: 40, or all if fewer.
    """

    def read(text: str) -> dict:
        form = re.sub(r"x[1-9]\d{0,3}$", "xV", re.sub(r"^(run:)?[1-9]\d{0,3}(?!\d)", r"\1N", text))
        if form not in forms:
            raise ArgumentTypeError(f"{text}: expected {' or '.join(forms)}, N and V at least 1, at most 9999")
        numbers = [int(digits) for digits in re.findall(r"\d+", text)]
        values = {"frames": None, "sampling": FRAMES[form][0]} | ({"views": 1} if "whole" in form else {})
        return values | dict(zip(("frames", "views"), numbers, strict=False))

    meaning = "; ".join(f"{form}: {FRAMES[form][1]}" for form in forms)
    meaning += " (default: 40, or all if fewer)" * (usual is None)
    defaults = {"frames": None, "views": None, "sampling": "even"}
    options.add_spread(group, "--frames", read, usual, defaults, metavar="|".join(forms), help=meaning)


def add_crop(group, usual: str | None, unnamed: str = "") -> None:
    """`--crop`: `crop` and `short_side` in the namespace. unnamed: says what they are where there is no `usual`."""

    def read(text: str) -> dict:
        if not re.fullmatch(r"[1-9]\d{0,3}(/[1-9]\d{0,3})?", text, re.ASCII):
            raise ArgumentTypeError(f"{text}: expected pixels, 224, or with the picture's short side, 224/256")
        return dict(zip(("crop", "short_side"), map(int, text.split("/")), strict=False))

    what = f"a square of PX pixels in the middle, of a picture whose short side is made SIDE{unnamed}"
    defaults = {"crop": None, "short_side": None}
    options.add_spread(group, "--crop", read, usual, defaults, metavar="PX[/SIDE]", help=what)


def add_region(group, usual: str = "middle", hands: bool = True) -> None:
    """`--region`; hands: they may be seen alone, as points (landmark.py) find them."""
    what = "the crop is the square round what moves (signer), or round the person (body)"
    what += ", or both hands, a crop each, where landmark.py saw them" * hands
    regions = (*REGIONS, HANDS) if hands else REGIONS
    group.add_argument("--region", choices=regions, default=usual, help=f"{what}; for signers who stand far away")


def add_normalise(group, words: tuple[str, ...], usual: tuple[str, ...] = ()) -> None:
    """`--normalise` with some of the words of NORMALISE."""

    def read(given: list[str]) -> dict:
        return {name: on if word in given else off for word in words for name, off, on, _ in [NORMALISE[word]]}

    what = "; ".join(f"{word}: {NORMALISE[word][3]}" for word in words) + "; for a random start on few clips"
    options.add_spread(group, "--normalise", read, usual, nargs="*", choices=words, help=what)


def add_input(
    flags,
    more,
    forms: tuple[str, ...] = ("N", "NxV"),
    frames: str | None = "40",
    crop: str = "224",
    region: str = "middle",
    normalise: tuple[str, ...] = (),
) -> None:
    """What the networks see of a stored clip: spec.InputSpec."""
    add_frames(flags, forms, frames)
    add_crop(flags, crop, "" if "/" in crop else ", or left as stored")
    add_region(flags, region)
    add_normalise(more, ("mean", "scale"), normalise)


def add_training(flags, more, *trained: tuple[int, int, float], of: str = "", top: bool = False) -> None:
    """`--epochs`, `--batch` and `--learning-rate`.

    Args:
        trained: most epochs, batch and learning rate of what is trained, one after the other; names in the namespace of
            the second begin with `recurrent_`. of: says which is which. top: no epoch is possible, the new top is
            trained alone; `check_epochs` has to follow.
    """
    count = command.number(int, least=1)
    epochs = command.number(int, least=0) if top else count
    rows = (
        (flags, "epochs", epochs, "N", "most epochs" + "; 0: of a new top, which is trained alone" * top),
        (flags, "batch", count, "N", "clips a step, of all devices together"),
        (more, "learning_rate", command.number(above=0), "RATE", "at the start"),
    )
    for (group, name, kind, metavar, meaning), *usual in zip(rows, *trained, strict=True):
        flag, how = f"--{name.replace('_', '-')}", {"type": kind, "metavar": metavar, "help": meaning + of}
        if len(usual) == 1:
            group.add_argument(flag, default=usual[0], **how)
        else:
            add_pair(group, flag, (name, f"recurrent_{name}"), usual, **how)


def add_pair(group, flag: str, names: tuple[str, str], usual: list, **how) -> None:
    """A flag of one or two numbers, for two values of the namespace; the second may be left out."""

    def read(values: list) -> dict:
        if len(values) > len(names):
            raise ArgumentTypeError(f"{' '.join(map(str, values))}: at most {len(names)} numbers")
        return dict(zip(names, values, strict=False))

    how["help"] += f" (default: {' '.join(map(str, usual))})"
    options.add_spread(group, flag, read, defaults=dict(zip(names, usual, strict=True)), nargs="+", **how)


def _recipes(first: str, named: bool) -> dict[str, dict]:
    """The script's own recipe and, where others may be named, these."""
    return {name: RECIPES[name] for name in dict.fromkeys((first, *(NAMED if named else ())))}


def add_recipe(flags, recipe: str, without: tuple[str, ...] = (), named: bool = True) -> None:
    """`--recipe`: recipe.Recipe.

    Args:
        recipe: the script's own; named: another may be named; without: settings that this training does not have.
    """
    fields = [*options.options(Recipe), *(row for row in options.options(Augmentation) if row.name == "smoothing")]
    fields = [row for row in fields if row.name not in without]
    what = "how it is trained: " + ("a recipe, its parts one by one, or both" if named else "its parts one by one")
    options.add_settings(flags, "--recipe", fields, _recipes(recipe, named), what, named)


def add_augmentation(flags, recipe: str, named: bool = True, pictures: bool = True) -> None:
    """`--augment`: augmentation.Augmentation.

    Args:
        recipe, named: as of `add_recipe`; pictures: or features, that nothing can be moved in.
    """
    left_out = {"smoothing", *(() if pictures else PICTURE)}
    fields = [row for row in options.options(Augmentation) if row.name not in left_out]
    what = "what is drawn at random for each clip and epoch"
    options.add_settings(flags, "--augment", fields, _recipes(recipe, named), what)


def add_flip(flags) -> None:
    what = "show half of the clips in a mirror, where people sign with either hand"
    pairs = "with pairs of labels that become each other there: left=right. It changes most signs"
    flags.add_argument("--flip", nargs="*", metavar="LABEL=LABEL", help=f"{what}; {pairs}")


def complete_recipe(args: argparse.Namespace, augmentation: type = Augmentation) -> argparse.Namespace:
    """Give every setting that nobody named what the recipe says; raises Problem where --flip makes no sense, before
    anything is read or fetched."""
    if args.recipe not in RECIPES:
        raise Problem(f"recipe {args.recipe!r} of an earlier run; known are {', '.join(RECIPES)}")
    recipe = RECIPES[args.recipe]
    options.fill(args, [*options.options(Recipe), *options.options(augmentation)], recipe)
    args.views = args.views or recipe.get("views", 1)
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
    streams = modality.expand_streams(args.stream)
    first = modality.TABLE[streams[0]].parts[0]
    if "flow" in streams or (first == "video" and data.stores("flow")):
        stored = storage.find_stored(data, "flow", args.store)
    else:
        stored = replace(storage.find_stored(data, "frame", args.store, first), part="video")
    modality.check_stores(data, streams, stored, args.region)
    if args.region == HANDS:
        stored = replace(stored, landmark=storage.find_landmarks(data))
    frames = args.frames or (min(40, int(stored.frames)) if stored.frames.isdigit() else 40)
    views = args.views
    if stored.frames.isdigit() and views * frames > int(stored.frames):
        views = max(int(stored.frames) // frames, 1)
        print(
            f"{stored.frames} stored frames hold {command.counted(views, 'view')} of {frames} frames, not {args.views}"
        )
    named = {name: getattr(args, name) for name in ("crop", "still", "region", "scale", "sampling")}
    side = args.short_side or stored.short_side
    return ClipSpec(stored, InputSpec(frames=frames, views=views, short_side=side, **named))


def check_epochs(args, topless: tuple[str, ...] = ("none",)) -> None:
    """Raise Problem where nothing would be trained; topless: `--weights` after which no top is trained alone."""
    if not args.epochs and (args.weights in topless or not args.top_epochs):
        raise Problem("--epochs 0: at least 1, or a new top to train alone: other --weights, --recipe top-epochs=N")


def phases_of(args, start: bool) -> list[Phase]:
    """From a start with other weights than random ones the new top first, then all of it at a tenth of the rate."""
    if not start:
        return [Phase("all", args.epochs, args.learning_rate)]
    top = Phase("top", args.top_epochs, args.learning_rate, top_only=True)
    return [top, Phase("all", args.epochs, args.learning_rate / 10)]


def recipe_of(args) -> Recipe:
    return options.make(Recipe, args)


def augmentation_of(args) -> Augmentation:
    return options.make(Augmentation, args, flip=args.flip is not None, swaps=swaps_of(args))
