"""Figures 3, 4 and 5 of Sarhan & Frintrop (2020), with matplotlib: accuracy by epoch, signs told apart and
mistaken, start weights."""

from pathlib import Path

from signs.evaluation import curves, plots
from signs.evaluation.paper_examples import Shown
from signs.inference.predictions import BOTH, TITLES
from signs.training.log import Log

import matplotlib.pyplot as plt
import numpy as np

FRAMES = 5  # of a clip in figure 4


def write_figure3(log: Log, streams: list[str], mean: list[float], path: Path) -> None:
    """Validation accuracy by epoch of two streams, and `mean`: that of their averaged probabilities, as shares."""
    figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
    ends = {stream: len(log.rows_of(stream)) for stream in streams}
    epochs, percent, shared = np.arange(1, len(mean) + 1), 100 * np.array(mean), min(ends.values())
    looks = {"color": plots.COLOURS[BOTH], "lw": 2.2, "zorder": 2.5}
    axes.plot(epochs[:shared], percent[:shared], label=f"{TITLES[BOTH]}, mean of both", **looks)
    axes.plot(epochs[shared - 1 :], percent[shared - 1 :], "--", **looks)
    curves.draw_curves(axes, log, streams, training=False, names=TITLES)
    notes = [
        f"After its last epoch, {ends[stream]}, {TITLES[stream]} goes into the mean (then dashed) "
        f"with epoch {log.best(stream)['epoch']}, its best."
        for stream in streams
        if ends[stream] < len(mean)
    ]
    alone = [value for stream in streams for value in curves.values(log.rows_of(stream), "val_accuracy")]
    highest = max(*percent, *alone)
    axes.set(xlabel="\n".join(["epoch", *notes]), ylabel="validation accuracy in %", ylim=(0, min(1.18 * highest, 104)))
    plots.save(figure, path)


def write_figure4(parts: dict[str, list[Shown]], title: str, path: Path) -> None:
    """Clips side by side: {heading: its rows}, none of them empty."""
    clips = (frames for rows in parts.values() for row in rows for frames in row.frames if frames is not None)
    height, width = next((frames.shape[1:3] for frames in clips), (3, 4))
    high = 7.4 / FRAMES * height / width + 0.4  # inches: a strip of FRAMES pictures and the line over it
    heights = [high * len(rows) + 0.5 for rows in parts.values()]
    figure = plt.figure(figsize=(15, sum(heights) + 0.4), layout="constrained")
    figure.suptitle(title, fontsize=13)
    for part, (heading, rows) in zip(
        figure.subfigures(len(parts), height_ratios=heights, squeeze=False)[:, 0], parts.items(), strict=True
    ):
        part.suptitle(heading, fontsize=12, x=0.005, ha="left", weight="bold")
        for line, row in zip(part.subplots(len(rows), 2, squeeze=False), rows, strict=True):
            for axes, name, note, frames in zip(line, row.names, row.notes, row.frames, strict=True):
                draw_clip(axes, name, note, frames)
    plots.save(figure, path)


def draw_clip(axes, name: str, note: str, frames: np.ndarray | None) -> None:
    """FRAMES of a clip's frames in a row, its sign and a note above."""
    axes.set_title(name, loc="left", fontsize=11, pad=4)
    axes.set_title(note, loc="right", fontsize=10, pad=4, color=plots.SOFT)
    axes.axis("off")
    if frames is None:
        axes.text(0.5, 0.5, "no clip that may be shown", ha="center", va="center", color=plots.SOFT)
    else:
        axes.imshow(plots.strip(frames[plots.middle_frames(len(frames), FRAMES)]))


def write_figure5(names: list[str], scores: list[dict[str, float]], subtitle: str, path: Path) -> None:
    """Accuracies of several runs as grouped bars; of each its name and {stream: accuracy as a share}."""
    figure, axes = plt.subplots(figsize=(max(6, 1.5 + 2.2 * len(names)), 5), layout="constrained")
    width = 0.27
    for position, stream in enumerate(scores[0]):
        heights = [100 * score[stream] for score in scores]
        places = np.arange(len(names)) + (position - 1) * width
        bars = axes.bar(places, heights, 0.92 * width, color=plots.COLOURS[stream], label=TITLES[stream])
        axes.bar_label(bars, fmt="%.1f", fontsize=9, padding=2)
    axes.set_xticks(range(len(names)), names)
    axes.tick_params(axis="x", length=0)
    highest = 100 * max(value for score in scores for value in score.values())
    axes.set(ylabel=f"top-1 accuracy in %, {subtitle}", ylim=(0, 1.12 * highest or 1))
    axes.set_axisbelow(True)
    axes.grid(axis="y", alpha=0.3)
    plots.open_frame(axes)
    figure.legend(loc="outside upper center", ncols=len(scores[0]), fontsize=9, frameon=False)
    plots.save(figure, path)
