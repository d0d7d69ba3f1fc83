"""What networks with an image network in them say of clips whose features are on disc already."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from signs.clips.dataset import Clip, Dataset
from signs.clips.spec import ClipSpec
from signs.command import Problem
from signs.inference import feature_file
from signs.inference.bundle import Stream
from signs.inference.feature_file import About, FeatureFile
from signs.inference.features import WITH_CNN, digest
from signs.inference.predictions import count_answers, in_top
from signs.models import cnn_lstm

import keras
import numpy as np


def logits_of_clips(
    stream: Stream, model: keras.Model, spec: ClipSpec, data: Dataset, clips: list[Clip]
) -> np.ndarray | None:
    """Stored clips through what stands behind the network's image network.

    Returns:
        (N, classes) float32 logits, averaged over the views of each clip; None where the data set has not the features
        of all these clips, made by the same network of the same pictures.
    """
    if stream.network not in WITH_CNN:
        return None
    weights = digest(model.get_layer(cnn_lstm.CNN))
    with contextlib.ExitStack() as held:
        rows = {}
        for folder in sorted(data.folder.glob("feature-*")):
            for path in feature_file.files_of(folder):
                with contextlib.suppress(Problem):  # a file that cannot be read holds no features
                    file = held.enter_context(feature_file.opened(path))
                    about = file.about
                    if (about.weights, about.modality) == (weights, stream.modality) and same_pictures(about, spec):
                        done = {name: (file, place) for name, place in file.position.items() if file.done[place]}
                        rows |= done
        if not all(item.clip in rows and rows[item.clip][0].is_fresh(data, item) for item in clips):
            return None
        logits = []
        for item in clips:
            file, place = rows[item.clip]
            features = file.rows(place)
            views = np.stack([features[picked] for picked in spec.input.pick_views(len(features))])
            logits.append(name_features(stream, model, views).mean(axis=0))
    return np.stack(logits)


def same_pictures(about: About, spec: ClipSpec) -> bool:
    """Whether features are of the pictures that a model sees, whichever of a clip's it picks.

    Pictures less the clip's average are the same only where the model sees all of them.
    """
    if spec.input.still == "subtract" and not spec.sees_all:
        return False
    picked = {"frames": spec.input.frames, "sampling": spec.input.sampling, "views": spec.input.views}
    return (
        about.spec.stored.without_flow() == spec.stored.without_flow()
        and (about.modality != "flow" or about.spec.stored.flow == spec.stored.flow)
        and replace(about.spec.input, **picked) == spec.input
    )


def name_features(stream: Stream, model: keras.Model, features: np.ndarray) -> np.ndarray:
    """(B, T, D) features -> (B, classes) logits, by what stands behind the image network."""
    if stream.network == "frames":
        return cnn_lstm.read_out(np.asarray(model.get_layer(cnn_lstm.HEAD)(features)), "mean")
    lstm = model.get_layer("lstm")
    if not lstm.compiled:
        lstm.compile(jit_compile=False)  # without it each step of an LSTM is an operation of Python's
    return cnn_lstm.read_out(np.asarray(lstm.predict_on_batch(features)), stream.arguments["read"])


def labelled_logits(file: FeatureFile) -> Iterator[tuple[int, np.ndarray]]:
    """(class index, (T, classes) logits of its frames) of every clip that is done and has a label of the network's."""
    index = {label: number for number, label in enumerate(file.about.classes)}
    for place in np.flatnonzero(file.done):
        if file.labels[place] in index:
            yield index[file.labels[place]], file.rows(place, "logits")


def frame_accuracy(path: Path) -> dict[str, float] | None:
    """Share of the frames of labelled clips whose class is among the 1, 5 or 10 most probable; None where the network
    names no frames. Each frame counts once, as in `count_frames`, so a long clip counts more than a short one."""
    with feature_file.opened(path) as file:
        hits = []
        for true, logits in labelled_logits(file) if file.about.classes else ():
            hits.append(np.stack([in_top(logits, np.full(len(logits), true), k) for k in (1, 5, 10)]))
    if not hits:
        return None
    return dict(zip(("top1", "top5", "top10"), np.concatenate(hits, axis=1).mean(axis=1).tolist(), strict=True))


def count_frames(path: Path) -> np.ndarray:
    """(classes, classes) frames, true class by row, of a file whose network names frames; each frame counts once."""
    with feature_file.opened(path) as file:
        answers = [(true, answer) for true, logits in labelled_logits(file) for answer in logits.argmax(axis=1)]
        return count_answers(*np.array(answers, int).reshape(-1, 2).T, len(file.about.classes))


def print_frame_accuracy(folder: Path) -> None:
    """A line a split, where the network names frames."""
    for path in feature_file.files_of(folder):
        accuracy = frame_accuracy(path)
        if accuracy:
            shares = ", ".join(f"{name.replace('top', 'top-')} {share:.1%}" for name, share in accuracy.items())
            print(f"{path.stem}: single frames, each counts once: {shares}")
