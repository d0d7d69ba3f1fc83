"""report.png: some clips of a split with what the model answers, its accuracy and its training, on one page."""

import textwrap
from pathlib import Path

from signs.clips import modality, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.points import Points, read_points
from signs.clips.spec import StoredSpec
from signs.evaluation import curves, plots
from signs.evaluation.shown_clips import pick_clips
from signs.flow.stream import flow_to_colour
from signs.inference.predictions import Predictions, modality_of, titles
from signs.landmarks import skeleton
from signs.training.log import Log

import matplotlib.pyplot as plt
import numpy as np

FRAMES = 6  # of each clip
CLIPS = 4
ANSWERS = 5


def write_overview(path: Path, recogniser, data: Dataset, predictions: Predictions, split: str) -> None:
    """Frames, flow and probabilities of some clips of the split, training curves, accuracies."""
    bundle, names = recogniser.bundle, plots.legible([row.name or row.label for row in recogniser.classes])
    names = dict(zip(recogniser.labels, names, strict=True))
    picked = pick_clips(predictions, predictions.fused, CLIPS, CLIPS, recogniser.calibration)
    chosen = picked[:1] + picked[1:][1 - CLIPS :]  # what goes wrong, where anything does, then rather what does not
    figure = plt.figure(figsize=(15, 2.5 * len(chosen) + 3.4), layout="constrained")
    grid = figure.add_gridspec(len(chosen) + 1, 2, width_ratios=(4, 1), height_ratios=[2.4] * len(chosen) + [3])
    for line, position in enumerate(chosen):
        axes = figure.add_subplot(grid[line, 0])
        draw_clip(axes, bundle, data, predictions.clips[position])
        calibrated = recogniser.calibration.calibrated(predictions.streams[predictions.fused][position])
        sure = dict(zip(recogniser.labels, calibrated.tolist(), strict=True))
        draw_answers(figure.add_subplot(grid[line, 1]), predictions.clips[position], sure, names)
    log, last = Log(bundle.folder / "log.csv"), grid[-1, 0]
    logged = [stream.name for stream in bundle.streams if log.rows_of(stream.name)]
    if logged:
        for place, kind in zip(last.subgridspec(1, 2), curves.AXES, strict=True):
            axes = figure.add_subplot(place)
            curves.draw_curves(axes, log, logged, kind)
            axes.set_title(f"training: {kind}")
    else:
        axes = figure.add_subplot(last)
        axes.text(0.5, 0.5, "joined of other models, whose own reports show their training", ha="center", va="center")
        axes.axis("off")
    draw_scores(figure.add_subplot(grid[-1, 1]), predictions, split)
    plots.save(figure, path)


def draw_clip(axes, bundle, data: Dataset, item: Clip) -> None:
    """The pictures of a clip, where whoever is in it allows that they are shown."""
    axes.axis("off")
    if item.may_be_shown:
        axes.imshow(clip_pictures(bundle, data, item))
    else:
        axes.text(0.5, 0.5, "not shown: whoever signs does not allow it", ha="center", va="center", color=plots.SOFT)


def clip_pictures(bundle, data: Dataset, item: Clip) -> np.ndarray:
    """(H, W, 3) uint8 RGB: frames of a clip in a row, below them the flow and the points, where the model has them; of
    a model that sees points alone these."""
    stored = bundle.spec.stored
    modalities = [modality.TABLE[stream.modality] for stream in bundle.streams]
    if all(row.kind == "landmark" for row in modalities):
        points = read_points(item.archive(data.folder, stored.landmark.store), stored.landmark)
        return plots.strip(skeleton.pictures(points, plots.middle_frames(len(points.times), FRAMES)))
    store = next((row.stores(stored)[0] for row in modalities if row.kind == "frame"), stored.frame_store)
    archive = storage.read_archive(item.archive(data.folder, store))
    frames = archive.images
    shown = plots.middle_frames(len(frames), FRAMES)
    strips = [plots.strip(frames[shown])]
    if stored.flow:
        flow = storage.read_archive(item.archive(data.folder, stored.flow_store)).flow
        strips.append(plots.strip([flow_to_colour(flow[index]) for index in shown]))
    if any(row.kind == "landmark" for row in modalities):
        points = read_points(item.archive(data.folder, stored.landmark.store), stored.landmark)
        strips.append(plots.strip(skeletons_below(frames[shown], archive.info, points, shown)))
    return np.concatenate(strips)


def skeletons_below(frames: np.ndarray, info: dict, points: Points, shown: np.ndarray) -> list[np.ndarray]:
    """A skeleton on white for each frame, as large as the frame."""
    times = np.array(info["times"])
    nearest = StoredSpec.nearest(points.times, times[shown] - times[0])
    height, width = frames.shape[1:3]
    side, drawn = min(height, width), []
    for alone in skeleton.pictures(points, nearest, side):
        picture = np.full((height, width, 3), 255, np.uint8)
        top, left = (height - side) // 2, (width - side) // 2
        picture[top : top + side, left : left + side] = alone
        drawn.append(picture)
    return drawn


def draw_answers(axes, item: Clip, sure: dict[str, float], names: dict[str, str]) -> None:
    """The most probable signs of one clip, as bars; sure: calibrated, as the page and predict.py say them."""
    best = sorted(sure, key=lambda label: -sure[label])[:ANSWERS][::-1]
    colours = {best[-1]: plots.WRONG, item.label: plots.RIGHT}
    axes.barh(
        range(len(best)), [sure[label] for label in best], color=[colours.get(each, plots.OTHER) for each in best]
    )
    axes.set_yticks(range(len(best)), [names[label] for label in best], fontsize=9)
    axes.set(xlim=(0, 1))
    axes.set_title(f"true: {names[item.label]}", fontsize=10, color=colours[best[-1]])
    plots.open_frame(axes)


def draw_scores(axes, predictions: Predictions, split: str) -> None:
    """Top-1 of each stream, as bars, the first above."""
    names = {stream: textwrap.fill(title, 26) for stream, title in titles(predictions.streams).items()}
    shares = [100 * predictions.top(stream, 1) for stream in names]
    colours = [plots.COLOURS[modality_of(stream)] for stream in names]
    axes.bar_label(axes.barh(range(len(names)), shares, color=colours), fmt="%.1f", padding=2)
    axes.set_yticks(range(len(names)), list(names.values()), fontsize=9 if len(names) < 5 else 7)
    axes.invert_yaxis()
    axes.set(xlim=(0, 118), xlabel=f"right answers in %, {split}, {int(predictions.scored.sum())} clips")
    plots.open_frame(axes)
