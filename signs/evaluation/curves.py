"""Training curves, with matplotlib: what log.csv says of every epoch."""

from pathlib import Path

from signs.evaluation import plots
from signs.inference.predictions import modality_of, titles
from signs.training.log import Log

import matplotlib.pyplot as plt

# What is drawn of a training: column of the log, which of its values is best, in a word, and how it is written.
KINDS = (("accuracy", max, "highest", "{:.1f} %"), ("loss", min, "lowest", "{:.3f}"))

AXES = {"accuracy": {"ylabel": "accuracy in %", "ylim": (0, 102)}, "loss": {"ylabel": "loss", "ylim": (0, None)}}


def values(rows: list[dict], column: str) -> list[float]:
    """A column of the log; accuracies in percent."""
    return [float(row[column]) * (100 if column.endswith("accuracy") else 1) for row in rows]


def draw_curves(
    axes, log: Log, streams: list[str], kind: str = "accuracy", training: bool = True, names: dict | None = None
) -> None:
    """Accuracy or loss by epoch of each stream: validation, with a dot where the kept weights are from, and training,
    dashed.

    A stream that has learnt from the validation clips shows its training alone. A dotted line is where fine-tuning of
    everything starts. names: {stream: what it is called}, `titles` without it.
    """
    names = names or titles(streams)
    for stream in streams:
        rows, colour = log.rows_of(stream), plots.COLOURS[modality_of(stream)]
        name, epochs = names[stream], [int(row["epoch"]) for row in rows]
        if all(row[f"val_{kind}"] for row in rows):
            measured, best = values(rows, f"val_{kind}"), int(log.best(stream)["epoch"])
            label = f"{name}, validation" if training else name
            axes.plot(epochs, measured, color=colour, label=label, lw=1.6)
            axes.plot(best, measured[epochs.index(best)], "o", color=colour)
        if training:
            axes.plot(epochs, values(rows, kind), "--", color=colour, label=f"{name}, training", lw=1.2)
    if any(row["val_accuracy"] for row in log.rows):
        axes.plot([], [], "o", color="grey", label="kept: lowest validation loss")
    for start in {log.fine_tuning(stream) for stream in streams} - {None}:
        axes.axvline(start, color="grey", linestyle=":")
        where = {"xycoords": ("data", "axes fraction"), "textcoords": "offset points", "va": "top"}
        axes.annotate("fine-tuning starts", (start, 1), (4, -4), color="grey", fontsize=9, **where)
    axes.set(xlabel="epoch", **AXES[kind])
    axes.legend(fontsize=9)
    finish(axes)


def finish(axes) -> None:
    """What all axes over epochs share."""
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.grid(alpha=0.3)
    plots.open_frame(axes)


def write_training(log: Log, streams: list[str], path: Path) -> None:
    """Accuracy and loss by epoch, training and validation, side by side as a picture."""
    figure, panels = plt.subplots(1, 2, figsize=(13, 4.4), layout="constrained")
    for axes, kind in zip(panels, AXES, strict=True):
        draw_curves(axes, log, streams, kind)
    plots.save(figure, path)


def write_side_by_side(logs: dict[str, list[dict]], path: Path) -> None:
    """Several trainings of one network, {name: rows of its log.csv}: a column each, accuracy above loss, the best of
    both in words below."""
    shared = {"sharex": "col", "sharey": "row", "squeeze": False, "layout": "constrained"}
    figure, grid = plt.subplots(2, len(logs), figsize=(3.6 * len(logs), 6.4), **shared)
    for column, (name, rows) in enumerate(logs.items()):
        epochs = [int(row["epoch"]) for row in rows]
        for axes, (kind, best, word, form) in zip(grid[:, column], KINDS, strict=True):
            valid = values(rows, f"val_{kind}")
            place = valid.index(best(valid))
            axes.plot(epochs, values(rows, kind), "--", color="grey", label="training")
            axes.plot(epochs, valid, color=plots.COLOURS["rgb"], label="validation")
            axes.plot(epochs[place], valid[place], "o", color=plots.COLOURS["rgb"])
            axes.set_xlabel(f"{word} validation {kind}\n{form.format(valid[place])} in epoch {epochs[place]}")
            axes.tick_params(labelbottom=True)
            finish(axes)
        grid[0, column].set_title(name)
    for axes, kind in zip(grid[:, 0], AXES, strict=True):
        axes.set(**AXES[kind])
    grid[0, 0].legend(fontsize=8)
    plots.save(figure, path)
