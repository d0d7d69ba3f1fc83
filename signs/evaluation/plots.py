"""Pictures of results, with matplotlib: confusion matrices, what classes gained, calibration.

What all pictures share stands here too: the colours of the streams, the look of axes, and `save`.
"""

import functools
import textwrap
from collections.abc import Sequence
from pathlib import Path

from signs import command
from signs.clips import modality
from signs.inference.predictions import BOTH, FUSED
from signs.live import fonts

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
from matplotlib import font_manager
from scipy.cluster import hierarchy

COLOURS = {name: kind.colour for name, kind in modality.TABLE.items()} | dict.fromkeys(FUSED, "#222222")
RIGHT, WRONG, OTHER = "#2e8b57", "#c0392b", "#b8bcc2"
SOFT = "#555555"  # of words beside a picture
FEW = 40  # classes up to which a matrix has large cells, and one panel of several has names
INCHES = 0.15  # of a class beyond that, on each axis: names of 5 points can still be read
LETTERS = 9.5  # of a title of 11 points, in an inch
LONGEST_NAME = 52  # characters; beside it there is room for counts

matplotlib.use("Agg")
plt.rcParams["text.parse_math"] = False  # names are text: `5 $ or 10 $` is no formula


def legible(names: Sequence[str]) -> list[str]:
    """The names as a picture that is drawn next can show them: not longer than LONGEST_NAME; `sign 3` for the third,
    where neither matplotlib's own font nor one of this system has its letters."""
    if lost := tuple(name for name in names if not _has_fonts(name)):
        fonts.say_missing(lost, "pictures show")
    return [f"sign {number}" if name in lost else shortened(name) for number, name in enumerate(names, 1)]


@functools.cache
def _has_fonts(name: str) -> bool:
    """Whether all letters of a name can be drawn, by matplotlib's font and others that it is told of here."""
    own = fonts.letters_of(Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))
    if not (others := fonts.visible(name) - own):
        return True
    together = fonts.find_font(others)
    paths = [together] if together else [fonts.find_font(each) for each in sorted(others)]
    if None in paths:
        return False
    for path in paths:
        font_manager.fontManager.addfont(path)
        family = font_manager.FontProperties(fname=path).get_name()
        plt.rcParams["font.family"] = list(dict.fromkeys([*plt.rcParams["font.family"], family]))
    return True


def save(figure, path: Path) -> None:
    """Write a figure, whole or not at all, and forget it."""
    with command.atomic(path) as temporary:
        figure.savefig(temporary, dpi=110)
    plt.close(figure)


def open_frame(axes) -> None:
    """No line above and to the right."""
    axes.spines[["top", "right"]].set_visible(False)


def shortened(name: str) -> str:
    """The name, cut where it is longer than LONGEST_NAME."""
    return name if len(name) <= LONGEST_NAME else name[: LONGEST_NAME - 3] + "..."


def wrapped(title: str, width: float) -> str:
    """A title of 11 points in lines that a figure of `width` inches has room for."""
    return textwrap.fill(title, int(LETTERS * width))


def strip(images: np.ndarray) -> np.ndarray:
    """(N, H, W, 3) uint8 pictures of a clip side by side, white lines between them."""
    gap = np.full((images[0].shape[0], 4, 3), 255, np.uint8)
    return np.concatenate([part for image in images for part in (image, gap)][:-1], axis=1)


def middle_frames(length: int, count: int) -> np.ndarray:
    """(count,) indices out of a clip's middle: the sign is there, at both ends hands rest."""
    return np.round(np.linspace(0.15, 0.85, count) * (length - 1)).astype(int)


def similar_order(counts: np.ndarray) -> np.ndarray:
    """(classes, classes) counts -> the classes so that those mistaken for each other stand side by side."""
    if len(counts) < 3:
        return np.arange(len(counts))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    alike = shares + shares.T
    apart = (2 - alike)[np.triu_indices(len(counts), 1)]
    return hierarchy.leaves_list(hierarchy.linkage(apart, "average", optimal_ordering=True))


def draw_confusion(axes, counts: np.ndarray, names: list[str], size: float | None) -> None:
    """A confusion matrix: (classes, classes) counts, true class by row.

    The colour is the square root of the share of a row: one clip in twenty is seen. `size` is that of the names and
    counts in points; None leaves them out.
    """
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    # Coloured before it is enlarged: sooner done.
    axes.imshow(plt.get_cmap("Blues")(np.sqrt(shares), bytes=True), interpolation="nearest")
    axes.set(xlabel="recognised as", ylabel="true sign")
    if size is None:
        axes.set(xticks=[], yticks=[])
        return
    axes.set_xticks(range(len(names)), names, rotation=90, fontsize=size)
    axes.set_yticks(range(len(names)), names, fontsize=size)
    looks = {"ha": "center", "va": "center", "fontsize": size, "in_layout": False}
    for row, column in zip(*np.nonzero(counts), strict=True):
        axes.text(column, row, counts[row, column], color="white" if shares[row, column] > 0.4 else "black", **looks)


def write_confusion(counts: np.ndarray, names: list[str], title: str, path: Path) -> None:
    """A confusion matrix as a picture, confused classes side by side; it grows with the classes."""
    order = similar_order(counts)
    counts, names = counts[np.ix_(order, order)], [legible(names)[index] for index in order]
    if len(names) <= FEW:
        side = float(max(5, 2 + 0.42 * len(names)))
        figure, axes = plt.subplots(figsize=(side + 0.5, side), layout="constrained")
        draw_confusion(axes, counts, names, 9)
        figure.suptitle(wrapped(title, side), fontsize=11)
    else:
        figure = large_confusion(counts, names, title)
    save(figure, path)


def large_confusion(counts: np.ndarray, names: list[str], title: str):
    """A confusion matrix of many classes, with their names on all four sides; its margins are as wide as the longest
    name, because matplotlib's own layout measures a thousand names ten times."""
    figure = plt.figure()
    measure = figure.text(0, 0, "", fontsize=5)
    widths = [(measure.set_text(name), measure.get_window_extent().width)[1] for name in names]
    measure.remove()
    inside, margin = INCHES * len(names), 0.5 + max(widths) / figure.dpi  # inches
    side = inside + 2 * margin
    figure.set_size_inches(side, side)
    axes = figure.add_axes((margin / side, margin / side, inside / side, inside / side))
    draw_confusion(axes, counts, names, 5)
    axes.set(xlabel="", ylabel="")
    figure.suptitle(wrapped(title, side), fontsize=11, y=1 - 0.1 / side)
    figure.supxlabel("recognised as", fontsize=10, y=0.1 / side)
    figure.supylabel("true sign", fontsize=10, x=0.1 / side)
    axes.tick_params(top=True, labeltop=True, right=True, labelright=True, length=1)
    edges, ends = np.arange(1, len(names)) - 0.5, (-0.5, len(names) - 0.5)
    axes.hlines(edges, *ends, color="#e4e8ee", lw=0.3)
    axes.vlines(edges, *ends, color="#e4e8ee", lw=0.3)
    return figure


def write_gains(
    bars: list[tuple[str, float, str]], matrices: list[tuple[str, np.ndarray]], names: list[str], path: Path
) -> None:
    """Which classes gained and lost from one model to another, and the confusion matrix of each.

    Args:
        bars: (name, gain as a share of its clips, counts in words), most gained first.
        matrices: (model, (classes, classes) counts, true class by row), two.
    """
    height, shown = max(6, 1.5 + 0.34 * len(bars)), dict(zip(names, legible(names), strict=True))
    figure, (left, *panels) = plt.subplots(1, 3, figsize=(21, height), width_ratios=(1.1, 1, 1), layout="constrained")
    places, gains = range(len(bars))[::-1], [100 * share for _, share, _ in bars]
    drawn = left.barh(places, gains, color=[RIGHT if gain > 0 else WRONG for gain in gains])
    left.bar_label(drawn, [counts for _, _, counts in bars], padding=4, fontsize=8, color=SOFT)
    left.set_yticks(places, [shown[name] for name, _, _ in bars])
    left.margins(x=0.3)
    left.axvline(0, color="black", lw=0.8)
    left.set(xlabel="points gained or lost", title="right clips, from the first model to the last")
    open_frame(left)
    order = similar_order(sum(counts for _, counts in matrices))
    size = min(9, 240 / len(names)) if len(names) <= FEW else None
    for axes, (model, counts) in zip(panels, matrices, strict=True):
        draw_confusion(axes, counts[np.ix_(order, order)], [shown[names[index]] for index in order], size)
        axes.set_title(model)
    save(figure, path)


def write_calibration(measured: dict, rejection: dict | None, path: Path) -> None:
    """Reliability and risk-coverage curves, of what `calibration.measure_calibration` and `count_false_alarms` say;
    rejection: None where there is no threshold."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.4), layout="constrained")
    left.plot([0, 100], [0, 100], ":", color="grey")
    for ending, colour, title in (("_raw", OTHER, "as the networks say"), ("", COLOURS[BOTH], "after temperature")):
        rows, label = measured[f"reliability{ending}"], f"{title}, error {100 * measured[f'ece{ending}']:.1f} %"
        sizes = np.sqrt([row["clips"] for row in rows])
        x, y = ([100 * row[name] for row in rows] for name in ("confidence", "accuracy"))
        left.plot(x, y, "-", color=colour, lw=1)
        left.scatter(x, y, 12 + 160 * sizes / max(sizes), color=colour, label=label, alpha=0.85)
    left.set(xlabel="confidence, %", ylabel="% that are right", title="reliability; dots grow with their clips")
    left.set(xlim=(0, 102), ylim=(-4, 106))
    left.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2, fontsize=9, markerscale=0.6, frameon=False)
    rows = measured["risk_coverage"]
    right.plot([100 * row["coverage"] for row in rows], [100 * row["risk"] for row in rows], color=COLOURS[BOTH])
    if rejection:
        marked = {"color": RIGHT, "ms": 9, "label": "with the rejection threshold"}
        right.plot(100 * rejection["coverage"], 100 * rejection["risk"], "o", **marked)
        right.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9, frameon=False)
    right.set(xlabel="coverage: % of clips answered, surest first", ylabel="risk: % of answers that are wrong")
    right.set(xlim=(0, 102), ylim=(0, None), title="risk and coverage")
    for axes in (left, right):
        axes.grid(alpha=0.3)
        open_frame(axes)
    save(figure, path)
