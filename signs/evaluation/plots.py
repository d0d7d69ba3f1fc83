"""Pictures of results, with matplotlib: confusion matrices and the one-page report.

Pictures of the report page, with matplotlib: sorted confusion matrix, calibration, training curves.
"""

from pathlib import Path

from signs import command
from signs.clips import modality, storage
from signs.clips.dataset import Dataset
from signs.flow.stream import flow_to_colour
from signs.inference.predictions import BOTH, modality_of
from signs.training.log import Log

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from scipy.cluster import hierarchy

COLOURS = {name: kind.colour for name, kind in modality.TABLE.items()} | {BOTH: "#222222"}
RIGHT, WRONG, OTHER = "#2e8b57", "#c0392b", "#b8bcc2"
SHOWN_FRAMES = 6
SHOWN_CLIPS = 4
MOST_NAMED = 40  # classes; beyond it names on an axis cannot be read
FEW = 30  # classes up to which cells hold their counts
INCHES = 0.15  # of a class beyond that, on each axis: names of 5 points can still be read


matplotlib.use("Agg")


def save(figure, path: Path) -> None:
    with command.atomic(path) as temporary:
        figure.savefig(temporary, dpi=110)
    plt.close(figure)


def confusion(counts: np.ndarray, names: list[str], title: str, path: Path) -> None:
    """(classes, classes) counts, true class by row -> a picture with each row's shares; counts where there is room."""
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    side = float(np.clip(2.5 + 0.42 * len(names), 5, 14))
    figure, axes = plt.subplots(figsize=(side + 1, side), layout="constrained")
    image = axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    figure.colorbar(image, ax=axes, label="share of the true class", shrink=0.8)
    axes.set(title=title, xlabel="recognised as", ylabel="true sign")
    if len(names) <= MOST_NAMED:
        axes.set_xticks(range(len(names)), names, rotation=45, ha="right")
        axes.set_yticks(range(len(names)), names)
        for row, column in zip(*np.nonzero(counts), strict=True):
            dark = shares[row, column] > 0.5
            axes.text(column, row, counts[row, column], ha="center", va="center", color="white" if dark else "black")
    save(figure, path)


def curves(axes, log: Log, streams: list[str]) -> None:
    """Figure 3 of Sarhan & Frintrop: accuracy by epoch, a dotted line where fine-tuning of everything starts."""
    logged = {stream: log.of(stream) for stream in streams}
    if not any(logged.values()):
        axes.text(0.5, 0.5, "joined of other models, whose own reports show their training", ha="center", va="center")
        axes.axis("off")
        return
    for stream, rows in logged.items():
        epochs = [int(row["epoch"]) for row in rows]
        for column, split, style in (("val_accuracy", "valid", "-"), ("accuracy", "train", "--")):
            if not all(row[column] for row in rows):
                continue  # learnt from the validation clips too
            accuracies = [100 * float(row[column]) for row in rows]
            axes.plot(epochs, accuracies, style, color=COLOURS[modality_of(stream)], label=f"{stream}, {split}")
        start = log.fine_tuning(stream)
        if start:
            axes.axvline(start, color="grey", linestyle=":")
    axes.set(xlabel="epoch", ylabel="accuracy in %", ylim=(0, 102), title="training")
    axes.legend(loc="lower right", fontsize=8)
    axes.grid(alpha=0.3)


def _bars(axes, predictions, position: int, names: dict[str, str]) -> None:
    """The five most probable signs of one clip, both streams averaged (or the only one)."""
    item = predictions.clips[position]
    stream = BOTH if BOTH in predictions.streams else next(iter(predictions.streams))
    row = predictions.streams[stream][position]
    best = np.argsort(-row, kind="stable")[:5][::-1]
    labels = [predictions.labels[index] for index in best]
    first = labels[-1]
    colours = [RIGHT if label == item.label else WRONG if label == first else OTHER for label in labels]
    axes.barh(range(len(best)), row[best], color=colours)
    axes.set_yticks(range(len(best)), [names[label] for label in labels], fontsize=9)
    axes.set(xlim=(0, 1))
    axes.set_title(f"true: {names[item.label]}", fontsize=10, color=RIGHT if first == item.label else WRONG)
    axes.spines[["top", "right"]].set_visible(False)


def strip(images) -> np.ndarray:
    """Some pictures of one clip side by side, white lines between them."""
    gap = np.full((images[0].shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([part for image in images for part in (image, gap)][:-1], axis=1)


def choose_clips(predictions) -> list[int]:
    """Some scored clips to show: of different classes, and of what went wrong one, if anything did."""
    scored = np.flatnonzero(predictions.scored)
    stream = BOTH if BOTH in predictions.streams else next(iter(predictions.streams))
    right = predictions.streams[stream][scored].argmax(axis=1) == predictions.truth
    seen, chosen = set(), list(scored[~right][:1])
    for position in scored:
        label = predictions.clips[position].label
        if len(chosen) < SHOWN_CLIPS and position not in chosen and label not in seen:
            chosen.append(position)
            seen.add(label)
    return [int(position) for position in chosen]


def draw_report(path: Path, recogniser, data: Dataset, predictions, split: str) -> None:
    """One page: frames, flow and probabilities of some clips of the split, accuracies, training curves."""
    names = {row.label: row.name for row in recogniser.classes}
    stored, chosen = recogniser.bundle.spec.stored, choose_clips(predictions)
    seen = [modality.TABLE[stream.modality] for stream in recogniser.bundle.streams]
    store = next((one.stores(stored)[0] for one in seen if one.kind == "frame"), stored.frame_store)
    figure = plt.figure(figsize=(15, 2.5 * len(chosen) + 3.4), layout="constrained")
    grid = figure.add_gridspec(len(chosen) + 1, 2, width_ratios=(4, 1), height_ratios=[2.4] * len(chosen) + [3])
    for line, position in enumerate(chosen):
        item = predictions.clips[position]
        frames = storage.read_archive(item.archive(data.folder, store)).images
        # The sign itself is in the middle; at both ends hands rest.
        shown = np.round(np.linspace(0.15, 0.8, SHOWN_FRAMES) * (len(frames) - 1)).astype(int)
        strips = [strip(frames[shown])]
        if stored.flow:
            flow = storage.read_archive(item.archive(data.folder, stored.flow_store)).flow
            strips.append(strip([flow_to_colour(flow[index]) for index in shown]))
        axes = figure.add_subplot(grid[line, 0])
        axes.imshow(np.concatenate(strips))
        axes.axis("off")
        _bars(figure.add_subplot(grid[line, 1]), predictions, position, names)
    curves(
        figure.add_subplot(grid[-1, 0]),
        Log(recogniser.bundle.folder / "log.csv"),
        [stream.name for stream in recogniser.bundle.streams],
    )
    axes = figure.add_subplot(grid[-1, 1])
    scores = {stream: 100 * predictions.top(stream, 1) for stream in predictions.streams}
    bars = axes.bar(list(scores), list(scores.values()), color=[COLOURS[modality_of(stream)] for stream in scores])
    axes.bar_label(bars, fmt="%.1f")
    if len(scores) > 3:
        axes.set_xticks(range(len(scores)), list(scores), rotation=30, ha="right")
    axes.set(ylim=(0, 110), title=f"top-1 in %, {split}, {int(predictions.scored.sum())} clips")
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def similar_order(counts: np.ndarray) -> np.ndarray:
    """(classes, classes) counts -> the classes so that those mistaken for each other stand side by side."""
    if len(counts) < 3:
        return np.arange(len(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = shares + shares.T
    apart = (2 - alike)[np.triu_indices(len(counts), 1)]
    return hierarchy.leaves_list(hierarchy.linkage(apart, "average", optimal_ordering=True))


def sorted_confusion(counts: np.ndarray, names: list[str], title: str, path: Path) -> None:
    """(classes, classes) counts, true class by row; sorted, few mistakes of a class visible too."""
    sorted_by = similar_order(counts)
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
    for name, colour, label in (
        ("reliability_raw", "#b8bcc2", f"as the networks say, error {measured['ece_raw']:.3f}"),
        ("reliability", COLOURS[BOTH], f"after temperature, error {measured['ece']:.3f}"),
    ):
        rows = measured[name]
        sizes = np.sqrt([row["clips"] for row in rows])
        x, y = [row["confidence"] for row in rows], [row["accuracy"] for row in rows]
        left.plot(x, y, "-", color=colour, lw=1)
        left.scatter(x, y, 12 + 160 * sizes / max(sizes), color=colour, label=label, alpha=0.85)
    left.set(
        xlabel="confidence",
        ylabel="share that is right",
        xlim=(0, 1.02),
        ylim=(-0.03, 1.05),
        title="reliability; dots grow with their clips",
    )
    left.legend(loc="upper left", fontsize=9, markerscale=0.6)
    rows = measured["risk_coverage"]
    right.plot([row["coverage"] for row in rows], [row["risk"] for row in rows], color=COLOURS[BOTH])
    right.plot(rejection["coverage"], rejection["risk"], "o", color=RIGHT, ms=9, label="with the rejection threshold")
    right.legend(loc="upper left", fontsize=9)
    right.set(
        xlabel="coverage: share of clips answered, surest first",
        ylabel="risk: share of answers that is wrong",
        xlim=(0, 1.02),
        ylim=(0, None),
        title="risk and coverage",
    )
    for axes in (left, right):
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)


def training_curves(log: Log, streams: list[str], path: Path) -> None:
    """Accuracy by epoch, training and validation."""
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    curves(axes, log, streams)
    axes.spines[["top", "right"]].set_visible(False)
    save(figure, path)
