"""What does each model bring to the others? Stored answers of several are averaged, as ensemble.py does, seed by seed.

    python benchmarks/bench_joined.py --model points=model/p-{seed}:landmark hands=model/hands-{seed}:flow*0.5 \\
        hub=model/hub:rgb --seeds 0 1 2 --table gestures.csv

in:   name=folder:stream, or name=folder:stream*weight, of each model; the folder is what bench_people.py left (a model
      a person) or a model that evaluate.py scored; {seed} in it stands for each of --seeds, a folder without is in all
out:  top-1 of each model, of all joined, and of all but each; what joining gains over each of these rows, with the
      interval over people (scores.py: people are drawn, each with all clips and seeds of theirs); the last line is JSON
"""

import argparse
import json
import re
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import bench_people

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "benchmarks")]

from signs import command
from signs.clips.dataset import load_dataset
from signs.command import Problem
from signs.evaluation import scores
from signs.inference.predictions import Predictions, fuse

JOINED = "all joined"


@dataclass(frozen=True)
class Part:
    """A model of several: where its answers lie, of which stream, and how much they count."""

    name: str
    folder: str
    stream: str
    weight: float

    @classmethod
    def parse(cls, text: str) -> "Part":
        found = re.fullmatch(r"([^=]+)=(.+):([\w-]+)(?:\*([0-9.]+))?", text)
        if not found:
            raise argparse.ArgumentTypeError(f"{text}: not name=folder:stream or name=folder:stream*weight")
        return cls(*found.groups()[:3], float(found[4] or 1))


@dataclass
class Answers:
    """keys: (seed, signer, clip) each; truth (N,) class index; shares {model: (N, classes) probabilities}."""

    keys: list[tuple[int, str, str]]
    truth: np.ndarray
    shares: dict[str, np.ndarray]

    def right(self, weights: dict[str, float]) -> np.ndarray:
        """(N,) bool: whether the weighted mean of these models names the clip."""
        joined = fuse({name: self.shares[name] for name in weights}, weights)
        return joined.argmax(axis=1) == self.truth


def answers_of(folder: Path, split: str, stream: str) -> dict[tuple[str, str], tuple[str, dict[str, float]]]:
    """{(signer, clip): (true label, {label: probability})} of a model, or of those that bench_people.py left."""
    files = [Predictions.path(folder, split)]
    if not files[0].is_file():
        files = sorted(folder.glob(f"*/{files[0].name}"))
    found = {}
    for file in files:
        table = Predictions.read(file, split)
        if stream not in table.streams:
            raise Problem(f"{file}: no stream {stream} in it, but {', '.join(table.streams)}")
        for item, row in zip(table.clips, table.streams[stream], strict=True):
            if item.label:
                found[item.signer, item.clip] = item.label, dict(zip(table.labels, row, strict=True))
    if not found:
        raise Problem(f"{folder}: no answers on {split} in it; run evaluate.py --split {split}")
    return found


def collect(parts: list[Part], seeds: list[int], split: str) -> Answers:
    """The answers of all models to the same clips, seed after seed."""
    keys, truth, shares = [], [], defaultdict(list)
    for seed in seeds:
        found = {part.name: answers_of(Path(part.folder.format(seed=seed)), split, part.stream) for part in parts}
        first = found[parts[0].name]
        labels = sorted(next(iter(first.values()))[1])
        for name, other in found.items():
            if other.keys() != first.keys():
                raise Problem(f"{name}, {parts[0].name}: other clips ({len(other.keys() ^ first.keys())} in one alone)")
            if any(row.keys() != set(labels) for _, row in other.values()):
                raise Problem(f"{name}, {parts[0].name}: other labels")
            shares[name] += [[other[key][1][label] for label in labels] for key in first]
        keys += [(seed, *key) for key in first]
        truth += [labels.index(label) for label, _ in first.values()]
    return Answers(keys, np.array(truth), {name: np.array(rows) for name, rows in shares.items()})


def summary(answers: Answers, right: np.ndarray, groups: dict[str, str]) -> dict:
    """Top-1: mean, of each seed, of the worst person, of each person and of each group of clips."""

    def means(names: list) -> dict:
        return {name: float(right[[one == name for one in names]].mean()) for name in sorted(set(names) - {None})}

    people = means([signer for _, signer, _ in answers.keys])
    return {
        "mean": float(right.mean()),
        "seeds": means([seed for seed, _, _ in answers.keys]),
        "worst": min(people.values()),
        "people": people,
        "groups": means([groups.get(clip) for _, _, clip in answers.keys]),
    }


def measure(answers: Answers, parts: list[Part], groups: dict[str, str]) -> dict:
    """{row: its summary, and what all joined gain over it}: each model, all of them, all but each."""
    weights = {part.name: part.weight for part in parts}
    rows = {name: {name: 1.0} for name in weights} | {JOINED: weights}
    if len(weights) > 2:
        rows |= {f"without {name}": {n: w for n, w in weights.items() if n != name} for name in weights}
    joined, found = answers.right(weights), {}
    drawn = scores.draw_bootstrap([signer for _, signer, _ in answers.keys])
    for row, used in rows.items():
        right = answers.right(used)
        gain = scores.difference(joined, right, drawn)
        found[row] = summary(answers, right, groups) | {"gain": gain.value, "low": gain.low, "high": gain.high}
    return found


def show(found: dict) -> None:
    some = next(iter(found.values()))
    heads = ("model", *(f"seed {seed}" for seed in some["seeds"]), "mean", "worst", *some["groups"], "gain by joining")
    table = Table(*heads, title="top-1 in percent, people left out of the training")
    for name, row in found.items():
        values = (*row["seeds"].values(), row["mean"], row["worst"], *row["groups"].values())
        gain = "" if name == JOINED else scores.with_interval(row["gain"], (row["low"], row["high"]), "+")
        table.add_row(name, *(f"{100 * value:.1f}" for value in values), gain)
    Console(width=140).print(table)


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--model", type=Part.parse, nargs="+", required=True, metavar="NAME=FOLDER:STREAM[*WEIGHT]")
    flags.add_argument("--seeds", type=int, nargs="+", default=[0], help="that stand for {seed} in a folder")
    flags.add_argument("--split", choices=("valid", "test"), default="test")
    flags.add_argument("--data", type=Path, help="data set folder; needed with --table")
    bench_people.add_groups(flags)
    args = flags.parse_args(argv)
    if len({part.name for part in args.model}) < len(args.model):
        raise Problem("--model: two have one name")
    if args.table and not args.data:
        raise Problem("--table: --data is needed too, which says where a clip comes from")
    groups = bench_people.read_groups(args, load_dataset(args.data)) if args.table else {}
    found = measure(collect(args.model, args.seeds, args.split), args.model, groups)
    show(found)
    print(json.dumps({"split": args.split, "models": found}))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
