"""Several models on the same clips, side by side, from what evaluate.py left in their folders. No network is run."""

import itertools
from dataclasses import dataclass, replace
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.console import shown_cell
from signs.evaluation import plots, scores
from signs.evaluation.metrics import read_splits
from signs.inference.predictions import Predictions

import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Run:
    """A model folder and its predictions of one split."""

    folder: Path
    split: str
    predictions: Predictions

    @property
    def right(self) -> np.ndarray:
        """(scored,) bool."""
        return self.predictions.hits(self.predictions.fused)


def load_runs(folders: list[Path], split: str, shared: bool = False) -> list[Run]:
    """The runs, their clips in one order; raises Problem where predictions are missing or two runs have not the same
    labelled clips. shared: of clips that not all have those are left out that some lack, and counted."""
    runs = [Run(folder, split, Predictions.read(Predictions.path(folder, split), split)) for folder in folders]
    labelled = [{(item.clip, item.label) for item in run.predictions.clips if item.label} for run in runs]
    if shared:
        common = set.intersection(*labelled)
        for run, clips in zip(runs, labelled, strict=True):
            if alone := len(clips - common):
                print(f"{command.counted(alone, 'clip')} of {split} that {run.folder} alone has: not compared")
        runs = [replace(run, predictions=_only(run.predictions, common)) for run in runs]
        labelled = [common] * len(runs)
    for run, clips in zip(runs, labelled, strict=True):
        if not clips:
            raise Problem(f"{Predictions.path(run.folder, split)}: no clip in it has a label; nothing to compare")
        if clips != labelled[0]:
            raise Problem(
                f"{run.folder}: {len(clips - labelled[0])} labelled clips of {split} that {runs[0].folder} has "
                f"not, and {len(labelled[0] - clips)} the other way round; evaluate all on one data set"
            )
    return [replace(run, predictions=_sorted(run.predictions)) for run in runs]


def _only(predictions: Predictions, clips: set[tuple[str, str]]) -> Predictions:
    """Those of (clip, label) alone."""
    kept = [index for index, item in enumerate(predictions.clips) if (item.clip, item.label) in clips]
    streams = {name: rows[kept] for name, rows in predictions.streams.items()}
    return Predictions([predictions.clips[index] for index in kept], predictions.labels, streams)


def _sorted(predictions: Predictions) -> Predictions:
    """By clip name: two runs may have evaluated in another order."""
    order = sorted(range(len(predictions.clips)), key=lambda index: predictions.clips[index].clip)
    streams = {name: rows[order] for name, rows in predictions.streams.items()}
    return Predictions([predictions.clips[index] for index in order], predictions.labels, streams)


def compare_runs(runs: list[Run]) -> dict:
    """{"runs": [{model, stream, clips, top1, ...}], "pairs": [{a, b, value, low, high, only_a, only_b, mcnemar}]}."""
    bootstrap = scores.draw_bootstrap(runs[0].predictions.signers)
    rows = []
    for run in runs:
        stream, results = run.predictions.fused, read_splits(run.folder)
        checks = results[run.split].checks if run.split in results else []
        about = {"model": str(run.folder), "stream": stream, "clips": len(run.right), "checks": checks}
        rows.append(about | scores.score_stream(run.predictions, stream))
    pairs = [
        {"a": str(a.folder), "b": str(b.folder), **vars(scores.difference(a.right, b.right, bootstrap))}
        for a, b in itertools.combinations(runs, 2)
    ]
    return {"runs": rows, "pairs": pairs}


def class_gains(first: Run, last: Run, names: dict[str, str]) -> pd.DataFrame:
    """A row per class that has clips, most gained first: label, name, clips; first, last: how many of them each model
    gets right; gain: (last - first) / clips."""
    labels, truth = first.predictions.labels, first.predictions.truth
    table = pd.DataFrame({"index": truth, "clips": 1, "first": first.right, "last": last.right})
    table = table.groupby("index", as_index=False).sum()
    table.insert(0, "label", [labels[index] for index in table.pop("index")])
    table.insert(1, "name", table["label"].map(names))
    table["gain"] = (table["last"] - table["first"]) / table["clips"]
    return table.sort_values("gain", ascending=False, kind="stable", ignore_index=True)


def extremes(gains: pd.DataFrame, most: int = 10) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The classes that gained most, and those that lost most, worst first; at most so many of each."""
    return gains[gains["gain"] > 0][:most], gains[gains["gain"] < 0][::-1][:most]


def write_gains(first: Run, last: Run, names: dict[str, str], path: Path) -> None:
    """The classes that gained and lost most, and the confusion matrix of each model: `path` and a table beside it."""
    labels = first.predictions.labels
    if sorted(last.predictions.labels) != sorted(labels):
        print(f"{first.folder} and {last.folder} know other classes: no picture of what was gained and lost")
        return
    gains = class_gains(first, last, names)
    texts = {name: gains[name].map(shown_cell) for name in ("label", "name")}
    with command.atomic(path.with_suffix(".csv")) as temporary:
        gains.assign(**texts).to_csv(temporary, index=False, float_format="%.6g", lineterminator="\n")
    gains["counts"] = [f"{row.first} to {row.last} of {row.clips}" for row in gains.itertuples()]
    gained, lost = extremes(gains)
    bars = pd.concat([gained, lost[::-1]])[["name", "gain", "counts"]].to_numpy()
    matrices = []
    for run in (first, last):
        order = [run.predictions.labels.index(label) for label in labels]
        matrices.append((str(run.folder), run.predictions.confusion(run.predictions.fused)[np.ix_(order, order)]))
    plots.write_gains(bars, matrices, [names[label] for label in labels], path)
    for word, rows in (("gained", gained), ("lost", lost)):
        classes = ", ".join(f"{row.name} {100 * row.gain:+.0f} ({row.counts})" for row in rows.itertuples())
        print(command.one_line(f"{word} most from {first.folder} to {last.folder}: {classes or 'none'}"))
    print(f"{path.name} -> {path.parent}")


def print_comparison(compared: dict, split: str) -> None:
    """The two tables of `compare_runs`, and the checks that were overridden."""
    first, rows, names = compared["runs"][0], [], ("top1", "top5", "mean_per_class")
    for run in compared["runs"]:
        shares = [scores.in_short(run[name], run["intervals"][name]) for name in names]
        worst = "-" if run["worst_signer"] is None else f"{100 * run['worst_signer']:.1f}"
        rows.append([run["model"], run["stream"], *shares, worst])
    title = f"{split}, {first['clips']} clips, percent; 95 % intervals over {first['groups']} {first['over']}"
    heads = ("model", "input", "top-1", "top-5", "mean per class", "worst signer")
    command.print_table(heads, rows, title, left=("input",))
    rows = []
    for pair in compared["pairs"]:
        points = scores.with_interval(pair["value"], (pair["low"], pair["high"]), sign="+")
        rows.append([pair["a"], pair["b"], points, pair["only_a"], pair["only_b"], f"{pair['mcnemar']:.2g}"])
    heads = ("first", "second", "difference", "only first right", "only second right", "McNemar p")
    command.print_table(heads, rows, "top-1, first minus second", left=("second",))
    print("McNemar's test takes clips for independent; where people made several, go by the interval.")
    for run in compared["runs"]:
        for line in run["checks"]:
            print(command.one_line(f"CHECK OVERRIDDEN for {run['model']}: {line}"))
