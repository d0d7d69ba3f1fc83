"""feature.py on a cluster: each worker loads the image network once, and has batches of frames to do.

rows = functools.partial(rows_of_workers, workers)        in the place of features.rows_ahead

A batch holds the frames that it holds in one process, parts of clips and several clips, so the rows are the same to the
byte on processors of one kind. (Where an archive cannot be read the batches are shorter, which may move a last digit.)
"""

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from signs.clips.dataset import Clip, Dataset
from signs.cluster import Cluster
from signs.command import Problem
from signs.inference.bundle import load_bundle, load_keras
from signs.inference.feature_file import About, Entry
from signs.workers import Lost

import numpy as np


@dataclass(frozen=True)
class Piece:
    """Frames `first` to `last`, that one left out, of a clip; whole: the clip ends there."""

    item: Clip
    first: int
    last: int
    whole: bool


def cut(todo: list[Entry], items: dict[str, Clip], size: int) -> list[list[Piece]]:
    """What is in each batch of `size` frames, of clips one after the other."""
    batches, room = [], 0
    for entry in todo:
        first = 0
        while first < entry.length:
            if not room:
                batches.append([])
                room = size
            last = min(entry.length, first + room)
            batches[-1].append(Piece(items[entry.clip], first, last, last == entry.length))
            room -= last - first
            first = last
    return batches


def rows_of_batch(pieces: list[Piece], folder: Path, about: str, source: Path) -> list:
    """Of each piece, its rows [(T, D)], with (T, classes) of a network that names frames, or why there are none.

    `about`: an About as JSON, which a worker that has another network refuses; `source`: the file with the weights of a
    network that the About names, or the folder of a model.
    """
    extractor, data, frames = _loaded(about, source), Dataset(folder, [], []), []
    from signs.inference import features

    for piece in pieces:
        try:
            frames.append(features.read_clip(data, extractor.about, piece.item)[piece.first : piece.last])
        except Problem as problem:
            frames.append(str(problem))
    read = [part for part in frames if not isinstance(part, str)]
    rows = extractor(np.concatenate(read)) if read else []
    ends, results = np.cumsum([len(part) for part in read])[:-1], []
    parts = zip(*(np.split(each, ends) for each in rows), strict=True)
    for part in frames:
        results.append(part if isinstance(part, str) else list(next(parts)))
    return results


@functools.lru_cache(maxsize=1)
def _loaded(about: str, source: Path):
    """The network, in a process that asks for it the first time; raises Problem where it is another one."""
    load_keras()
    from signs.inference import features
    from signs.models import cnn_lstm

    known = About.from_json(about, source)
    if source.is_dir():
        made = features.extractor_of_bundle(load_bundle(source), known.modality, known.spec.stored)
    else:
        crop = known.spec.input.crop
        cnn = cnn_lstm.build_cnn(known.network, (crop, crop, features.TABLE[known.modality].channels))
        cnn.load_weights(source)
        made = features.extractor_of_network(cnn, known.network, known.spec, known.modality, known.trained)
    if difference := known.difference(made.about):
        raise Problem(f"{source}: not the network that this worker has ({difference}); give it the same folder")
    return made


def rows_of_workers(
    workers: Cluster, extractor, data: Dataset, todo: list[Entry], batch: int, _: int, failed: list, seen: Callable
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """As features.rows_ahead, on the workers of a cluster."""
    batches = cut(todo, {item.clip: item for item in data.clips}, batch)
    work = functools.partial(
        rows_of_batch, folder=data.folder, about=extractor.about.to_json(), source=extractor.source
    )
    waiting, turn, parts = {}, 0, []
    for number, results in workers.run_jobs(work, batches):
        waiting[number] = [str(results)] * len(batches[number]) if isinstance(results, Lost) else results
        while turn in waiting:  # clips are written in their order
            for piece, rows in zip(batches[turn], waiting.pop(turn), strict=True):
                parts.append(rows)
                if not piece.whole:
                    continue
                if reason := next((part for part in parts if isinstance(part, str)), None):
                    failed.append((piece.item.clip, reason))
                else:
                    yield piece.item.clip, [np.concatenate(each) for each in zip(*parts, strict=True)]
                parts = []
                seen()
            turn += 1
