"""What does a change of the training bring? Runs with and without it, seed by seed, over the same people.

    python benchmarks/bench_gain.py --before model/alone-0 model/alone-1 model/alone-2 \\
        --after model/taught-0 model/taught-1 model/taught-2 --stream flow

in:   as many folders before as after, in the same order of seeds; each a model that evaluate.py scored on the split,
      or what bench_people.py left, a model a person
out:  top-1 of each seed and of all, the gain with its interval over people (scores.py: people are drawn, each with all
      clips and seeds of theirs), what each person gained; the last line is JSON
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import bench_people

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "benchmarks")]

from signs import command
from signs.command import Problem
from signs.evaluation import scores
from signs.inference.predictions import Predictions

ROOT = Path(__file__).resolve().parent.parent


def right(folder: Path, split: str, stream: str) -> dict[tuple[str, str], bool]:
    """{(signer, clip): whether it was recognised} of a model, or of those in a folder of bench_people.py."""
    models = (
        [folder]
        if Predictions.path(folder, split).is_file()
        else sorted(path.parent for path in folder.glob(f"*/{Predictions.path(Path(), split)}"))
    )
    found = {
        (row["signer"], row["clip"]): bool(row["right"])
        for model in models
        for row in bench_people.scores(model, split)
        if row["stream"] == stream
    }
    if not found:
        raise Problem(f"{folder}: no answers of {stream} on {split} in it; run evaluate.py --split {split}")
    return found


def compare(before: list[Path], after: list[Path], split: str, stream: str) -> dict:
    """The gain of each seed, of all together and of each person."""
    signers, changes, seeds = [], {"before": [], "after": []}, []
    for one, other in zip(before, after, strict=True):
        old, new = (right(folder, split, stream) for folder in (one, other))
        if old.keys() != new.keys():
            raise Problem(f"{one}, {other}: other clips ({len(old.keys() ^ new.keys())} in one of them alone)")
        signers += [signer for signer, _ in old]
        changes["before"] += old.values()
        changes["after"] += [new[key] for key in old]
        seeds.append({"before": float(np.mean(list(old.values()))), "after": float(np.mean(list(new.values())))})
    old, new = (np.array(changes[name]) for name in ("before", "after"))
    found = scores.difference(new, old, scores.draw_bootstrap(signers))
    owner = np.array(signers)
    people = {name: float(new[owner == name].mean() - old[owner == name].mean()) for name in sorted(set(signers))}
    return {
        "stream": stream,
        "split": split,
        "seeds": seeds,
        "before": float(old.mean()),
        "after": float(new.mean()),
        "gain": found.value,
        "low": found.low,
        "high": found.high,
        "people": people,
    }


def show(found: dict) -> None:
    table = Table(
        "",
        *(f"run {number}" for number in range(1, len(found["seeds"]) + 1)),
        "all",
        title=f"top-1 in percent, {found['stream']}, {found['split']}",
    )
    for name in ("before", "after"):
        table.add_row(name, *(f"{100 * seed[name]:.1f}" for seed in found["seeds"]), f"{100 * found[name]:.1f}")
    gains = [f"{100 * (seed['after'] - seed['before']):+.1f}" for seed in found["seeds"]]
    table.add_row("gain", *gains, scores.with_interval(found["gain"], (found["low"], found["high"]), "+"))
    console = Console(width=110)
    console.print(table)
    console.print("by person: " + ", ".join(f"{name} {100 * gain:+.1f}" for name, gain in found["people"].items()))


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--before", type=Path, nargs="+", required=True, help="a folder a seed, without the change")
    flags.add_argument("--after", type=Path, nargs="+", required=True, help="the same seeds with it")
    flags.add_argument("--stream", default="both", help="whose answers are compared")
    flags.add_argument("--split", choices=("valid", "test"), default="test")
    args = flags.parse_args(argv)
    if len(args.before) != len(args.after):
        raise Problem(f"{len(args.before)} folders before and {len(args.after)} after; name as many of each")
    found = compare(args.before, args.after, args.split, args.stream)
    show(found)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
