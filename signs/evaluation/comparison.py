"""Several models on the same clips, side by side, from what evaluate.py left in their folders. No network is run."""

import json
from dataclasses import dataclass, replace
from pathlib import Path

from signs.clips import dataset
from signs.command import Problem
from signs.evaluation import scores
from signs.inference.predictions import Predictions

import numpy as np


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

    @property
    def checks(self) -> list[str]:
        """What was wrong with the splits when it was evaluated, and overridden."""
        try:
            metrics = json.loads((self.folder / "metrics.json").read_text())
        except (FileNotFoundError, ValueError):
            return []
        return metrics.get(self.split, {}).get("checks", [])


def load_runs(folders: list[Path], split: str) -> list[Run]:
    """Raises Problem where predictions are missing or two runs have not the same labelled clips."""
    runs = [Run(folder, split, Predictions.read(Predictions.path(folder, split), split)) for folder in folders]
    for run in runs:
        if not run.predictions.scored.any():
            raise Problem(f"{Predictions.path(run.folder, split)}: no clip in it has a label; nothing to compare")
    first = {(item.clip, item.label) for item in runs[0].predictions.clips if item.label}
    for position, run in enumerate(runs):
        own = {(item.clip, item.label) for item in run.predictions.clips if item.label}
        if own != first:
            raise Problem(
                f"{run.folder}: {len(own - first)} labelled clips of {split} that {runs[0].folder} has "
                f"not, and {len(first - own)} the other way round; evaluate all on one data set"
            )
        runs[position] = replace(run, predictions=_sorted(run.predictions))
    return runs


def _sorted(predictions: Predictions) -> Predictions:
    """By clip name: two runs may have evaluated in another order."""
    order = sorted(range(len(predictions.clips)), key=lambda index: predictions.clips[index].clip)
    streams = {name: rows[order] for name, rows in predictions.streams.items()}
    return Predictions([predictions.clips[index] for index in order], predictions.labels, streams)


def compare(runs: list[Run]) -> dict:
    """{"runs": [{model, stream, clips, top1, ...}], "pairs": [{a, b, value, low, high, only_a, only_b, mcnemar}]}."""
    rows, pairs = [], []
    drawn = scores.draw(runs[0].predictions.signers)
    for run in runs:
        stream = run.predictions.fused
        found = scores.score(run.predictions, stream)
        rows.append(
            {
                "model": str(run.folder),
                "stream": stream,
                "clips": len(run.right),
                "checks": run.checks,
                **{
                    name: found[name]
                    for name in ("top1", "top5", "mean_per_class", "worst_signer", "intervals", "over", "groups")
                },
            }
        )
    for position, one in enumerate(runs):
        for other in runs[position + 1 :]:
            pairs.append(
                {
                    "a": str(one.folder),
                    "b": str(other.folder),
                    **scores.difference(one.right, other.right, drawn).to_json(),
                }
            )
    return {"runs": rows, "pairs": pairs}


@dataclass(frozen=True)
class Gain:
    """A class, by index: its clips, and how many of them the first and the last model get right."""

    index: int
    clips: int
    before: int
    after: int

    @property
    def share(self) -> float:
        """Of the clips, that the last model gets right and the first does not, less the other way round."""
        return (self.after - self.before) / self.clips


def gains(first: Run, last: Run) -> list[Gain]:
    """Every class that has clips, by what it gains from one model to another, most first."""
    truth, found = first.predictions.truth, []
    for index in np.unique(truth):
        own = truth == index
        found.append(Gain(int(index), int(own.sum()), int(first.right[own].sum()), int(last.right[own].sum())))
    return sorted(found, key=lambda gain: -gain.share)


def extremes(found: list[Gain], most: int = 10) -> tuple[list[Gain], list[Gain]]:
    """Those that gained most, and those that lost most, worst first; at most so many of each."""
    gained = [gain for gain in found if gain.share > 0]
    lost = [gain for gain in reversed(found) if gain.share < 0]
    return gained[:most], lost[:most]


def draw(first: Run, last: Run, names: dict[str, str], path: Path) -> None:
    """The classes that gained and lost most, and the confusion matrix of each model: `path` and a table beside it."""
    from signs.evaluation import paper

    labels = first.predictions.labels
    if sorted(last.predictions.labels) != sorted(labels):
        print(f"{first.folder} and {last.folder} know other classes: no picture of what was gained and lost")
        return
    found = gains(first, last)
    rows = [
        {
            "label": labels[gain.index],
            "name": names[labels[gain.index]],
            "clips": gain.clips,
            "first": gain.before,
            "last": gain.after,
            "gain": f"{gain.share:.6g}",
        }
        for gain in found
    ]
    dataset.write_table(path.with_suffix(".csv"), rows, list(rows[0]))
    gained, lost = extremes(found)
    bars = [
        (names[labels[gain.index]], gain.share, f"{gain.before} to {gain.after} of {gain.clips}")
        for gain in (*gained, *lost[::-1])
    ]
    matrices = []
    for run in (first, last):
        order = [run.predictions.labels.index(label) for label in labels]
        matrices.append((str(run.folder), run.predictions.confusion(run.predictions.fused)[np.ix_(order, order)]))
    paper.gains(bars, matrices, [names[label] for label in labels], path)
    for word, some in (("gained", gained), ("lost", lost)):
        said = ", ".join(
            f"{names[labels[gain.index]]} {100 * gain.share:+.0f} ({gain.before} to {gain.after} of {gain.clips})"
            for gain in some
        )
        print(f"{word} most from {first.folder} to {last.folder}: {said or 'none'}")
    print(f"{path.name} -> {path.parent}")


def show(found: dict, split: str) -> None:
    from rich import console, table

    screen = console.Console()
    first = found["runs"][0]
    title = f"{split}, {first['clips']} clips, percent; 95 % intervals over {first['groups']} {first['over']}"
    shown = table.Table(title=title, title_justify="left")
    for head in ("model", "input", "top-1", "top-5", "mean per class", "worst signer"):
        shown.add_column(head, justify="left" if head in ("model", "input") else "right")
    for row in found["runs"]:
        cells = [scores.with_interval(row[name], row["intervals"][name]) for name in ("top1", "top5", "mean_per_class")]
        worst = "-" if row["worst_signer"] is None else f"{100 * row['worst_signer']:.1f}"
        shown.add_row(row["model"], row["stream"], *cells, worst)
    screen.print(shown)
    shown = table.Table(title="top-1, first minus second", title_justify="left")
    for head in ("first", "second", "difference", "only first right", "only second right", "McNemar p"):
        shown.add_column(head, justify="left" if head in ("first", "second") else "right")
    for pair in found["pairs"]:
        cells = scores.with_interval(pair["value"], (pair["low"], pair["high"]), sign="+")
        shown.add_row(pair["a"], pair["b"], cells, str(pair["only_a"]), str(pair["only_b"]), f"{pair['mcnemar']:.2g}")
    screen.print(shown)
    print("McNemar's test takes clips for independent; where people made several, go by the interval.")
    for row in found["runs"]:
        for line in row["checks"]:
            print(f"CHECK OVERRIDDEN for {row['model']}: {line}")
