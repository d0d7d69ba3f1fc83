"""Pictures of the report page, with matplotlib: sorted confusion matrix, calibration, training curves."""

from pathlib import Path

import numpy as np
from scipy.cluster import hierarchy

from history import Log
from plot import COLOURS, RIGHT, curves, plt, save
from predictions import BOTH

FEW = 30  # classes up to which cells hold their counts
INCHES = 0.15  # of a class beyond that, on each axis: names of 5 points can still be read


def order(counts: np.ndarray) -> np.ndarray:
    """(classes, classes) counts -> the classes so that those mistaken for each other stand side by side."""
    if len(counts) < 3:
        return np.arange(len(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = shares + shares.T
    apart = (2 - alike)[np.triu_indices(len(counts), 1)]
    return hierarchy.leaves_list(hierarchy.linkage(apart, "average", optimal_ordering=True))


def confusion(counts: np.ndarray, names: list[str], title: str, path: Path) -> None:
    """(classes, classes) counts, true class by row; sorted, few mistakes of a class visible too."""
    sorted_by = order(counts)
    counts, names = counts[np.ix_(sorted_by, sorted_by)], [names[index] for index in sorted_by]
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    few = len(names) <= FEW
    side = float(max(5, 2 + (0.42 if few else INCHES) * len(names)))
    figure, axes = plt.subplots(figsize=(side + 0.5, side), layout="constrained")
    # Square root: one clip in twenty is seen. Coloured before it is enlarged: sooner done.
    axes.imshow(plt.get_cmap("Blues")(np.sqrt(shares), bytes=True), interpolation="nearest")
    size = 9 if few else 5
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    axes.set(xlabel="recognised as", ylabel="true sign")
    axes.set_title(title, fontsize=11)
    if not few:
        axes.tick_params(top=True, labeltop=True, right=True, labelright=True, length=1)
        edges, ends = np.arange(1, len(names)) - 0.5, (-0.5, len(names) - 0.5)
        axes.hlines(edges, *ends, color="#e4e8ee", lw=0.3)
        axes.vlines(edges, *ends, color="#e4e8ee", lw=0.3)
    for row, column in zip(*np.nonzero(counts), strict=True):
        colour = "white" if shares[row, column] > 0.4 else "black"
        axes.text(column, row, counts[row, column], ha="center", va="center", color=colour, fontsize=9 if few else 4)
    save(figure, path)


def calibrated(measured: dict, rejection: dict, path: Path) -> None:
    """Reliability and risk-coverage curves of the answers: `calibration.measure`'s and `alarms`' numbers."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    left.plot([0, 1], [0, 1], ":", color="grey")
    for name, colour, label in (("reliability_raw", "#b8bcc2", f"as the networks say, error {measured['ece_raw']:.3f}"),
                                ("reliability", COLOURS[BOTH], f"after temperature, error {measured['ece']:.3f}")):
        rows = measured[name]
        sizes = np.sqrt([row["clips"] for row in rows])
        x, y = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
        left.plot(x, y, "-", color=colour, lw=1)
        left.scatter(x, y, 12 + 160 * sizes / max(sizes), color=colour, label=label, alpha=0.85)
    left.set(xlabel="confidence", ylabel="share that is right", xlim=(0, 1.02), ylim=(-0.03, 1.05),
             title="reliability; dots grow with their clips")  # fmt: skip
    left.legend(loc="upper left", fontsize=9, markerscale=0.6)
    rows = measured["risk_coverage"]
    right.plot([row["coverage"] for row in rows], [row["risk"] for row in rows], color=COLOURS[BOTH])
    right.plot(rejection["coverage"], rejection["risk"], "o", color=RIGHT, ms=9, label="with the rejection threshold")
    right.legend(loc="upper left", fontsize=9)
    right.set(xlabel="coverage: share of clips answered, surest first", ylabel="risk: share of answers that is wrong",
              xlim=(0, 1.02), ylim=(0, None), title="risk and coverage")  # fmt: skip
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def training(log: Log, streams: list[str], path: Path) -> None:
    """Accuracy by epoch, training and validation."""
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    curves(axes, log, streams)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)
