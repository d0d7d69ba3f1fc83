"""Networks over stored clips: archives in, probabilities or features out. evaluate.py's side of the recogniser."""

import functools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from signs import command
from signs.clips import cached_copy, modality
from signs.clips.dataset import Clip, Dataset
from signs.command import Problem
from signs.inference import runtime
from signs.inference.bundle import Bundle
from signs.inference.feature_answers import logits_of_clips
from signs.inference.features import in_flight
from signs.inference.predictions import Predictions, probabilities_of
from signs.inference.recogniser import Recogniser

import keras
import numpy as np

BATCH = 4  # clips a step; results do not depend on it
WINDOW = 32  # clips whose input is held at once, at most
AHEAD = 64  # clips that are brought from an object storage before they are asked for
PIXELS = WINDOW * 40 * 224 * 224  # and pixels of it: 1.3 GB of two streams


def read_inputs(recogniser: Recogniser, data: Dataset, item: Clip):
    """({stream: (views, T, crop, crop, C) float32}, None), or (None, why not)."""
    inputs, stored = {}, recogniser.bundle.spec.stored
    try:
        for stream in recogniser.bundle.streams:
            region = recogniser.bundle.spec_of(stream).input.region
            seen = modality.read_stored(stream.modality, data, item, stored, region)
            inputs[stream.name] = recogniser.input(stream, *seen)
    except Problem as problem:
        return None, str(problem)
    return inputs, None


def brought_ahead(bundle: Bundle, data: Dataset, clips: list[Clip]) -> Iterator[Clip]:
    """The clips; where they lie on an object storage, archives of those that come next are brought here meanwhile."""
    for number, item in enumerate(clips):
        for later in clips[number + AHEAD if number else 1 : number + AHEAD + 1]:
            for stream in bundle.streams:
                cached_copy.read_ahead(modality.archives_of(stream.modality, data, later, bundle.spec.stored))
        yield item


def batches(
    recogniser: Recogniser, data: Dataset, clips: list[Clip], batch: int, workers: int, what: str, failed: list
) -> Iterator[tuple[list[Clip], dict[str, np.ndarray]]]:
    """Clips with what each stream sees of them, {stream: (B * views, T, crop, crop, C)}; what cannot be read goes to
    `failed` as (clip, why). `what` stands at the progress bar. Clips of any length come one by one."""
    waiting, bundle = [], recogniser.bundle
    specs = [bundle.spec_of(stream).input for stream in bundle.streams]
    if any(spec.sampling == "whole" for spec in specs):
        batch = 1
    ahead = min(max(PIXELS // max(spec.views * spec.frames * spec.crop**2 for spec in specs), batch), WINDOW)
    with command.progress() as bar, ThreadPoolExecutor(workers) as pool:
        task = bar.add_task(what, total=len(clips))
        coming = brought_ahead(bundle, data, clips)
        loaded = in_flight(pool, functools.partial(read_inputs, recogniser, data), coming, ahead - 1)
        for item, (inputs, reason) in zip(clips, loaded, strict=True):
            if reason:
                failed.append((item.clip, reason))
            else:
                waiting.append((item, inputs))
            if waiting and (len(waiting) == batch or item is clips[-1]):
                items, rows = zip(*waiting, strict=True)
                yield list(items), {name: np.concatenate([row[name] for row in rows]) for name in rows[0]}
                waiting = []
            bar.advance(task)


def logits(recogniser: Recogniser, data: Dataset, clips: list[Clip], batch: int, workers: int, what: str):
    """Of stored clips: (those that could be read, {stream: (N, classes)}, [(clip, why it was left out), ...]).

    Where the data set has the features of all these clips for every stream, from those.
    """
    bundle = recogniser.bundle
    known = {
        stream.name: logits_of_clips(stream, recogniser.models[stream.name], bundle.spec_of(stream), data, clips)
        for stream in bundle.streams
    }
    if all(rows is not None for rows in known.values()):
        print(f"{what}: {command.counted(len(clips), 'clip')} from the features in {data.folder}")
        return clips, known, []
    batched, kept, failed = {stream.name: [] for stream in bundle.streams}, [], []
    for items, inputs in batches(recogniser, data, clips, batch, workers, what, failed):
        kept += items
        for stream in bundle.streams:
            batched[stream.name].append(recogniser.logits(stream, inputs[stream.name]))
    if not kept:
        raise Problem(f"no clip could be read; the first: {failed[0][1]}")
    return kept, {name: np.concatenate(rows) for name, rows in batched.items()}, failed


def predict(recogniser: Recogniser, data: Dataset, clips: list[Clip], batch: int, workers: int):
    """Probabilities of stored clips, fused ones too: (Predictions, [(clip, why it was left out), ...])."""
    kept, rows, failed = logits(recogniser, data, clips, batch, workers, "predict")
    probabilities = {name: probabilities_of(stream, len(recogniser.labels)) for name, stream in rows.items()}
    return Predictions(kept, recogniser.labels, probabilities).with_fused(recogniser.calibration.weights), failed


def features(recogniser: Recogniser, data: Dataset, clips: list[Clip], batch: int, workers: int):
    """(clips that could be read, (N, D) float32): what the networks know of a clip before they name it, all streams.

    The last features averaged over time, places (where they have these) and views, each stream's scaled to length 1:
    the product of two rows is the mean cosine times the number of streams.
    """
    trunks = {}
    for stream in recogniser.bundle.streams:
        model = recogniser.models[stream.name]
        maps = keras.ops.cast(model.get_layer(runtime.network_module(stream).FEATURES).output, "float32")
        trunks[stream.name] = keras.Model(model.input, keras.ops.mean(maps, axis=tuple(range(1, maps.ndim - 1))))
    kept, rows = [], []
    for items, inputs in batches(recogniser, data, clips, batch, workers, "features", []):
        kept += items
        parts = []
        for name, trunk in trunks.items():
            views = np.asarray(trunk.predict_on_batch(inputs[name]))
            part = views.reshape(len(items), -1, views.shape[-1]).mean(axis=1)
            parts.append(part / np.maximum(np.linalg.norm(part, axis=1, keepdims=True), 1e-12))
        rows.append(np.concatenate(parts, axis=1))
    return kept, np.concatenate(rows) if rows else np.empty((0, 0), np.float32)
