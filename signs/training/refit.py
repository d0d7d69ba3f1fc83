"""Learn once more, from the validation clips too, what a finished run chose.

    add_flag(flags); args = parse(flags, argv)
    chosen(args, "rgb")["epoch"]     how long that run found best

Flags, epochs and calibration are those of the run, and nothing is chosen anew: what the result is worth, only the test
split can say. docs/training.md says what it is for.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path

from signs.clips import modality
from signs.clips.dataset import Dataset
from signs.command import Problem
from signs.inference.bundle import Bundle, load_bundle
from signs.inference.confidence import load_calibration
from signs.training.options import flag_of

SPLITS = ("train", "valid")


def add_flag(flags: argparse.ArgumentParser) -> None:
    what = "train as this finished run did, for as long as it found best, with the validation clips too"
    flags.add_argument("--refit", metavar="MODEL", help=f"{what}; its flags are the defaults")


def parse(flags: argparse.ArgumentParser, argv) -> argparse.Namespace:
    """The arguments, with the flags of the run behind --refit as defaults.

    Raises:
        Problem: there is no run, it is of another script, or a flag says something else than it did.
    """
    args = flags.parse_args(argv)
    if args.refit is None:
        return args
    try:
        return _as_before(flags, argv, args)
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        what = f"bundle.json has flags that no training writes ({error!r})"
        raise Problem(f"--refit {args.refit}: {what}; get a whole copy") from None


def _as_before(flags: argparse.ArgumentParser, argv, args: argparse.Namespace) -> argparse.Namespace:
    """`parse`, where there is a run behind --refit; any error of Python's means that its flags are no flags."""
    reference = load_reference(args.refit, args.script)
    known = {name: value for name, value in flags_of(reference).items() if name in args and name != "refit"}
    lists = {action.dest for action in flags._actions if action.nargs in ("*", "+")}
    choices = {action.dest: [*action.choices, None] for action in flags._actions if action.choices and not action.nargs}
    for name, value in known.items():
        listed = name not in lists or isinstance(value or [], list)
        if not _is_alike(value, getattr(args, name)) or not listed or value not in choices.get(name, [value]):
            raise TypeError(f"{name}: {value!r}")
    flags.set_defaults(**known, stream=[stream.name for stream in reference.streams])
    args = flags.parse_args(argv)
    now = json.loads(json.dumps({name: getattr(args, name) for name in known}, default=str))
    changed = {flag_of(flags, name): name for name, value in known.items() if now[name] != value}
    if changed:
        what = ", ".join(changed)
        raise Problem(f"--refit {args.refit}: it had another {what}; leave that out, all flags are as they were there")
    if "epochs" in args:
        args.epochs = max(args.epochs, *(int(row["epoch"]) for row in reference.about["training"].values()))
    for stream in modality.expand_streams(args.stream):
        chosen(args, stream)
    return args


def _is_alike(value, usual) -> bool:
    """Whether a value from a bundle is of the same kind as a flag's usual one; a flag without one takes any words."""
    if usual is None:
        words = value if isinstance(value, list) else [value]
        return value is None or all(isinstance(word, (str, int, float)) for word in words)
    kinds = next((kinds for kinds in ((bool,), (int, float), (str, Path), (list,)) if isinstance(usual, kinds)), object)
    return isinstance(value, kinds) and isinstance(value, bool) == isinstance(usual, bool)


def script_of(model: Bundle) -> str:
    """The file name of the script that trained a model; of an earlier version's bundles, as its flags tell."""
    flags, networks = model.about["flags"], {stream.network for stream in model.streams}
    if "model" in flags or "training" not in model.about:
        return "ensemble.py or compress.py"
    if "script" in flags:
        return flags["script"]
    if "penalty" in flags:
        return "train_linear.py"
    if networks & {"frames", "cnn-lstm"}:
        return "train_frame.py or train_lstm.py"
    return "train_i3d.py" if networks == {"i3d"} else "train_conv3d_lstm.py"


def in_todays_words(flags: dict) -> dict:
    """The flags of a run; an earlier version's are renamed."""
    flags = {**flags}
    length = flags.pop("length", None)
    if length == "any":
        flags["sampling"] = "whole"
    elif length:
        flags["frames"] = length  # that an LSTM reads
    if "loss_weights" in flags and flags["loss_weights"] == flags.get("output_weights"):
        flags["read"] = flags["loss_weights"]
    return flags


def flags_of(model: Bundle) -> dict:
    """The flags of a model's run, in today's words."""
    flags = in_todays_words(model.about["flags"])
    flags.setdefault("sampling", "even")
    if "penalty" in flags:
        flags.setdefault("network", model.streams[0].network)
    return flags


def load_reference(folder: str, script: str) -> Bundle:
    """The run to be refitted; raises Problem where another script made it, or it was refitted itself."""
    reference = load_bundle(folder)
    if (maker := script_of(reference)) != script:
        what = f"name a model that {script} trained, and ensemble.py joins what becomes of it"
        raise Problem(f"--refit {folder}: made by another script ({maker}); {what}")
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
