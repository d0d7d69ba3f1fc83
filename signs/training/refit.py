"""Learn once more, from the validation clips too, what a finished run chose.

    flags: add_flag(flags); args = parse(flags, argv, networks)
    chosen(args, "rgb")["epoch"]     how long that run found best

A run keeps some people back to choose by: how many epochs, which penalty. Once that is chosen they are as good to learn
from as the others, and where people are few one more counts. Flags, epochs and calibration are those of the run, and
nothing is chosen anew: what the result is worth, only the test split can say.
"""

import argparse
import json
from dataclasses import replace

from signs.clips import modality
from signs.clips.dataset import Dataset
from signs.command import Problem
from signs.inference.bundle import Bundle, load_bundle
from signs.inference.confidence import load_calibration

SPLITS = ("train", "valid")


def add_flag(flags: argparse.ArgumentParser) -> None:
    flags.add_argument(
        "--refit",
        metavar="MODEL",
        help="train as this finished run did, for as long as it found best, with the validation clips "
        "too; its flags are the defaults",
    )


def parse(flags: argparse.ArgumentParser, argv, networks: tuple[str, ...]) -> argparse.Namespace:
    """The arguments, with the flags of the run behind --refit as defaults.

    Args:
        networks: names in bundle.NETWORKS of what the script trains.
    Raises:
        Problem: there is no run, it is of another script, or a flag says something else than it did.
    """
    args = flags.parse_args(argv)
    if args.refit is None:
        return args
    reference = load_reference(args.refit, networks)
    if not {"penalty", "learning_rate"} & vars(args).keys() & reference.about["flags"].keys():
        raise Problem(f"--refit {args.refit}: an I3D that another script trained; the one that did refits it")
    known = {name: value for name, value in reference.about["flags"].items() if hasattr(args, name) and name != "refit"}
    flags.set_defaults(**known, stream=[stream.name for stream in reference.streams])
    args = flags.parse_args(argv)
    now = json.loads(json.dumps({name: getattr(args, name) for name in known}, default=str))
    changed = [name for name, value in known.items() if now[name] != value]
    if changed:
        said = ", ".join(f"--{name.replace('_', '-')}" for name in changed)
        raise Problem(f"--refit {args.refit}: it had another {said}; leave that out, all flags are as they were there")
    if "penalty" in args and {stream.network for stream in reference.streams} != {args.network}:
        raise Problem(f"--refit {args.refit}: not made with --network {args.network}; leave that out")
    if "epochs" in args:
        args.epochs = max(args.epochs, *(int(row["epoch"]) for row in reference.about["training"].values()))
    for stream in modality.named(args.stream):
        chosen(args, stream)
    return args


def load_reference(folder: str, networks: tuple[str, ...]) -> Bundle:
    """The run to be refitted; raises Problem where it is none of this script's, or was refitted or joined itself."""
    reference = load_bundle(folder)
    others = {stream.network for stream in reference.streams} - set(networks)
    if others or "training" not in reference.about or "model" in reference.about["flags"]:
        kinds = ", ".join(sorted({stream.network for stream in reference.streams}))
        raise Problem(
            f"--refit {folder}: made by another script ({kinds}); name a model that this one trained, and "
            "ensemble.py joins what becomes of it"
        )
    if learnt_from_valid(reference):
        raise Problem(f"--refit {folder}: has learnt from the validation clips already")
    return reference


def chosen(args, stream: str) -> dict:
    """What the run behind --refit chose for a stream: `epoch`, with `val_loss` and `val_accuracy` that it had then."""
    found = load_bundle(args.refit).about["training"]
    if stream not in found:
        raise Problem(f"--refit {args.refit}: no {stream} in it, only {', '.join(found)}")
    return found[stream]


def learnt_from_valid(model: Bundle) -> bool:
    """Whether the validation clips can say nothing of this model any more."""
    return "refit" in model.about


def check_classes(args, data: Dataset) -> None:
    """Raise Problem where the data set has other classes than the run."""
    reference = load_bundle(args.refit)
    if [row.label for row in reference.classes] != [row.label for row in data.classes]:
        raise Problem(f"{data.folder}: has other classes than {args.refit}; refit on the data that it was trained on")


def carry_calibration(reference: Bundle, made: Bundle) -> None:
    """Give a model the calibration of the one whose choices it repeats, where that has one of the same streams."""
    found = load_calibration(reference.folder, reference.hashes)
    if found.model and {stream.name for stream in reference.streams} == {stream.name for stream in made.streams}:
        replace(found, model=made.hashes).write(made.folder)
