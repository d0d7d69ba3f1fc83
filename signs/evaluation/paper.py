"""Figures 3, 4 and 5 of Sarhan & Frintrop (2020), with matplotlib: accuracy by epoch, confused signs, start weights.

Table 1 of Sarhan & Frintrop (2020): what others reached on ChaLearn LAP IsoGD, and our rows beside them.

All numbers are top-1 accuracies in percent on the whole split (5,784 clips of validation, 6,271 of test). The same
weights score 4 to 5 points more on test than on validation, so each has a column of its own and a gap stays a gap.
"""

from dataclasses import dataclass
from pathlib import Path

from signs.evaluation import plots
from signs.inference import predictions
from signs.training.log import Log

import matplotlib.pyplot as plt
import numpy as np

FRAMES = 5  # of a clip in figure 4
LONGEST_NAME = 52  # characters; beside it there is room for the counts
LABELS = [f"{number:03d}" for number in range(1, 250)]  # the classes that the published numbers are for
CLIPS = {"valid": 5784, "test": 6271}
PAPER_SPLITS = {"valid": "validation", "test": "test"}


def _fine_tuning(axes, log: Log, streams: list[str]) -> None:
    """A dotted line between the epochs of the top alone and those of everything."""
    for start in {log.fine_tuning(stream) for stream in streams} - {None}:
        axes.axvline(start, color="grey", linestyle=":")
        axes.annotate(
            "fine-tuning starts",
            (start, 1),
            (4, -4),
            xycoords=("data", "axes fraction"),
            va="top",
            textcoords="offset points",
            color="grey",
            fontsize=9,
        )


def by_epoch(log: Log, streams: list[str], mean: list[float], path: Path) -> None:
    """Figure 3. `mean`: accuracy of the streams' averaged probabilities after each epoch, as a share."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    ends, notes = {}, []
    for stream in streams:
        rows, best = log.of(stream), int(log.best(stream)["epoch"])
        accuracies, ends[stream] = [100 * float(row["val_accuracy"]) for row in rows], len(rows)
        axes.plot(
            range(1, len(rows) + 1), accuracies, color=plots.COLOURS[stream], label=predictions.TITLES[stream], lw=1.6
        )
        axes.plot(best, accuracies[best - 1], "o", color=plots.COLOURS[stream])
        if len(rows) < len(mean):
            notes.append(
                f"After its last epoch, {len(rows)}, {predictions.TITLES[stream]} goes into the mean (then dashed) "
                f"with epoch {best}, its best."
            )
    epochs, shared = np.arange(1, len(mean) + 1), min(ends.values())
    axes.plot(
        epochs[:shared],
        100 * np.array(mean[:shared]),
        color=plots.COLOURS[predictions.BOTH],
        lw=2.2,
        label=f"{predictions.TITLES[predictions.BOTH]}, mean of both",
    )
    axes.plot(
        epochs[shared - 1 :], 100 * np.array(mean[shared - 1 :]), "--", color=plots.COLOURS[predictions.BOTH], lw=2.2
    )
    axes.plot([], [], "o", color="grey", label="kept: lowest validation loss")
    _fine_tuning(axes, log, streams)
    highest = max(100 * max(mean), *(100 * float(row["val_accuracy"]) for row in log.rows))
    axes.set(xlabel="\n".join(["epoch", *notes]), ylabel="validation accuracy in %", ylim=(0, min(1.18 * highest, 104)))
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    axes.legend(fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    plots.save(figure, path)


def shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


def confused(rows: list[dict], title: str, path: Path) -> None:
    """Figure 4: a row per pair of signs that are mistaken for each other.

    Args:
        rows: of `names`, two; `counts`, two; `frames`, two (T, H, W, 3) uint8 RGB: a clip of the first sign that was
            taken for the second, and a clip of the second, or None where there is none to show.
    """
    height, width = rows[0]["frames"][0].shape[1:3]
    high = 7.4 / FRAMES * height / width + 0.4  # inches: a strip of FRAMES pictures and the line over it
    figure, grid = plt.subplots(len(rows), 2, figsize=(15, high * len(rows) + 0.5), squeeze=False, layout="constrained")
    figure.suptitle(title, fontsize=13)
    for line, row in zip(grid, rows, strict=True):
        for axes, name, counts, frames in zip(line, row["names"], row["counts"], row["frames"], strict=True):
            axes.set_title(shortened(name), loc="left", fontsize=11, pad=4)
            axes.set_title(counts, loc="right", fontsize=10, pad=4, color="#555555")
            axes.axis("off")
            if frames is None:
                axes.text(0.5, 0.5, "no clip of it", ha="center", va="center", color="#555555")
                continue
            # The sign itself is in the middle; at both ends hands rest.
            shown = np.round(np.linspace(0.15, 0.85, FRAMES) * (len(frames) - 1)).astype(int)
            axes.imshow(plots.strip(frames[shown]))
    plots.save(figure, path)


def starts(names: list[str], scores: list[dict[str, float]], subtitle: str, path: Path) -> None:
    """Figure 5: for each run its name and {stream: accuracy as a share}, as grouped bars."""
    figure, axes = plt.subplots(figsize=(max(6, 1.5 + 2.2 * len(names)), 5), layout="constrained")
    width = 0.27
    for position, stream in enumerate(scores[0]):
        heights = [100 * score[stream] for score in scores]
        places = np.arange(len(names)) + (position - 1) * width
        bars = axes.bar(places, heights, 0.92 * width, color=plots.COLOURS[stream], label=predictions.TITLES[stream])
        axes.bar_label(bars, fmt="%.1f", fontsize=9, padding=2)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    highest = 100 * max(value for score in scores for value in score.values())
    axes.set(ylabel=f"top-1 accuracy in %, {subtitle}", ylim=(0, 1.12 * highest or 1))
    axes.set_axisbelow(True)
    axes.grid(axis="y", alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside upper center", ncols=len(scores[0]), fontsize=9, frameon=False)
    plots.save(figure, path)


def curves_side_by_side(logs: dict[str, list[dict]], path: Path) -> None:
    """Several trainings of one network: a column each, accuracy above loss, the best of both in words below.

    Args:
        logs: {name: rows of its log.csv}.
    """
    figure, grid = plt.subplots(
        2, len(logs), figsize=(3.6 * len(logs), 6.4), sharex="col", sharey="row", squeeze=False, layout="constrained"
    )
    for column, (name, log) in enumerate(logs.items()):
        epochs = [int(row["epoch"]) for row in log]
        for axes, kind, factor, best in zip(grid[:, column], ("accuracy", "loss"), (100, 1), (max, min), strict=True):
            valid = [factor * float(row[f"val_{kind}"]) for row in log]
            axes.plot(epochs, [factor * float(row[kind]) for row in log], "--", color="grey", label="training")
            axes.plot(epochs, valid, color=plots.COLOURS["rgb"], label="validation")
            place = valid.index(best(valid))
            axes.plot(epochs[place], valid[place], "o", color=plots.COLOURS["rgb"])
            axes.grid(alpha=0.3)
            axes.spines[["top", "right"]].set_visible(False)
            unit = f"{valid[place]:.1f} %" if factor == 100 else f"{valid[place]:.3f}"
            word = "highest" if best is max else "lowest"
            axes.set_xlabel(f"{word} validation {kind}\n{unit} in epoch {epochs[place]}")
            axes.tick_params(labelbottom=True)
            axes.xaxis.get_major_locator().set_params(integer=True)
        grid[0, column].set_title(name)
    grid[0, 0].set(ylabel="accuracy in %", ylim=(0, 102))
    grid[1, 0].set(ylabel="loss")
    grid[0, 0].legend(fontsize=8)
    plots.save(figure, path)


def gains(
    bars: list[tuple[str, float, str]], matrices: list[tuple[str, np.ndarray]], names: list[str], path: Path
) -> None:
    """Which classes gained and which lost from one model to another, and the confusion matrix of each.

    Args:
        bars: (name, gain as a share of its clips, counts in words), most gained first.
        matrices: (model, (classes, classes) counts, true class by row), two.
    """
    high = max(4.5, 1.5 + 0.34 * len(bars))
    figure, axes = plt.subplots(1, 3, figsize=(19, high), width_ratios=(1.2, 1, 1), layout="constrained")
    places = range(len(bars))[::-1]
    colours = [plots.RIGHT if share > 0 else plots.WRONG for _, share, _ in bars]
    axes[0].barh(places, [100 * share for _, share, _ in bars], color=colours)
    for place, (_, share, counts) in zip(places, bars, strict=True):
        axes[0].annotate(
            counts,
            (100 * share, place),
            (4 if share > 0 else -4, 0),
            textcoords="offset points",
            ha="left" if share > 0 else "right",
            va="center",
            fontsize=8,
            color="#555555",
        )
    axes[0].set_yticks(places, [shortened(name) for name, _, _ in bars])
    axes[0].margins(x=0.3)
    axes[0].axvline(0, color="black", lw=0.8)
    axes[0].set(xlabel="points gained or lost", title="right clips, from the first model to the last")
    axes[0].spines[["top", "right"]].set_visible(False)
    for panel, (model, counts) in zip(axes[1:], matrices, strict=True):
        image = panel.imshow(counts / np.maximum(counts.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
        panel.set(title=model, xlabel="recognised as", ylabel="true class")
        if len(names) <= plots.MOST_NAMED:
            panel.set_xticks(range(len(names)), names, rotation=90, fontsize=7)
            panel.set_yticks(range(len(names)), names, fontsize=7)
    figure.colorbar(image, ax=axes[2], label="share of the true class", shrink=0.8)
    plots.save(figure, path)


@dataclass(frozen=True)
class Row:
    """stream: rgb, flow or both; valid, test: percent, as precise as known; ours: of this repository."""

    method: str
    stream: str
    valid: str = "-"
    test: str = "-"
    ours: bool = False


PUBLISHED = [
    # As Table 1 of Sarhan & Frintrop has them, ICIP 2020.
    Row("ASU", "rgb", "45.07"),
    Row("SYSU_ISEE", "rgb", "47.29"),
    Row("XDETVP", "rgb", "51.31"),
    Row("I3D-SLR (Sarhan & Frintrop 2020)", "rgb", "54.63", "57.73"),
    Row("ASU", "flow", "44.45"),
    Row("XDETVP", "flow", "45.30"),
    Row("I3D-SLR (Sarhan & Frintrop 2020)", "flow", "54.84", "57.68"),
    Row("SYSU_ISEE", "both", "41.65"),
    Row("I3D-SLR (Sarhan & Frintrop 2020)", "both", "62.09", "64.44"),
    # After the paper, RGB alone.
    Row("later: 3DCDC-NAS (TIP 2021)", "rgb", "58.88", "62.89"),
    Row("later: UMDR (TPAMI 2023), 16 frames", "rgb", "60.6"),
    Row("later: UMDR (TPAMI 2023), 32 frames", "rgb", "63.7"),
    Row("later: UMDR (TPAMI 2023), 64 frames", "rgb", "64.4"),
]


def in_order(rows: list[Row]) -> list[Row]:
    """By input as the paper has them; within one as they come."""
    return sorted(rows, key=lambda row: list(predictions.TITLES).index(row.stream))


def cells(row: Row) -> list[str]:
    return [row.method, predictions.TITLES[row.stream], row.valid, row.test]


def markdown_table(rows: list[Row], notes: list[str]) -> str:
    """A Markdown table, our rows in bold, and a line for each note."""
    lines = ["# Top-1 accuracy in percent", "", "| method | input | validation | test |", "|---|---|---:|---:|"]
    for row in in_order(rows):
        shown = [f"**{cell}**" if row.ours and cell != "-" else cell for cell in cells(row)]
        lines.append(f"| {' | '.join(shown)} |")
    return "\n".join([*lines, "", *(f"* {note}" for note in notes)]) + "\n"


def show_table(rows: list[Row], notes: list[str]) -> None:
    """The same on the terminal."""
    from rich import console, table

    shown = table.Table(title="top-1 accuracy in percent", title_justify="left")
    for name in ("method", "input", "validation", "test"):
        shown.add_column(name, justify="right" if name in PAPER_SPLITS.values() else "left")
    ordered = in_order(rows)
    for row, following in zip(ordered, [*ordered[1:], None], strict=True):
        last = following is not None and following.stream != row.stream
        shown.add_row(*cells(row), style="bold" if row.ours else None, end_section=last)
    console.Console().print(shown)
    for note in notes:
        print(f"* {note}")
