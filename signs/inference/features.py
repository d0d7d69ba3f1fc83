"""Stored clips through an image network, into feature files: what feature.py and train_frame.py share.

    extractor = extractor_of_network(cnn_lstm.build_cnn("mobilenet", (224, 224, 3), "imagenet"), ...)
    folder = extract_splits(extractor, data, "mobilenet", batch, workers, outcome)

Threads read and scale the clips ahead of the network. Frames go through it in full batches, whichever clips they are
from, and several batches are in it at once: on a CPU the cores that share an operation wait for the last of them, and
another batch gives work to those that wait.
"""

import contextlib
import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from signs import command
from signs.clips import dataset, preprocess, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import TABLE, read_stored
from signs.clips.names import check_name
from signs.clips.spec import ClipSpec, StoredSpec
from signs.command import Outcome, Problem
from signs.estimate import Pace, spread
from signs.inference import feature_file, timing
from signs.inference.bundle import Bundle
from signs.inference.feature_file import About, Entry
from signs.inference.runtime import KerasNetwork
from signs.models import cnn_lstm
from signs.models.weights import write_weights

import keras
import numpy as np

WITH_CNN = ("frames", "cnn-lstm")  # networks of a bundle whose image network can be taken out
AHEAD = 4  # batches that are read ahead
AT_ONCE = 3  # batches in the network; on two cores two are a tenth quicker than one, three a little more


@dataclass
class Extractor:
    """An image network and what its features are.

    network: `cnn` with its maps averaged, (B, H, W, C) -> (B, D), and (B, classes) where it was trained to name frames.
    source: where another process finds it, a model's folder or a file of `cnn`'s weights, once that is written.
    """

    cnn: keras.Model
    network: keras.Model
    about: About
    source: Path | None = None

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """May be called from several threads at once."""
        return [np.asarray(rows) for rows in keras.tree.flatten(self.network.predict_on_batch(frames))]


def digest(model: keras.Model) -> str:
    """SHA-256 over the values of all weights, in the network's own order."""
    hashed = hashlib.sha256()
    for value in model.get_weights():
        hashed.update(np.ascontiguousarray(value).tobytes())
    return hashed.hexdigest()


def extractor_of_network(
    cnn: keras.Model,
    name: str,
    spec: ClipSpec,
    modality: str,
    trained: str,
    head: keras.layers.Layer | None = None,
    classes: tuple[str, ...] = (),
) -> Extractor:
    """The extractor of an image network that `cnn_lstm.build_cnn` made.

    Args:
        name: which network it is; trained: where its weights are from, for people.
        head: the layer that names frames, and its classes.
    """
    network = cnn_lstm.averaged(cnn, head)
    network.compile(jit_compile=False)  # on a CPU XLA is slower
    network.make_predict_function()  # once, before several threads want it
    return Extractor(cnn, network, About(spec, modality, name, digest(cnn), trained, cnn.output.shape[-1], classes))


def extractor_of_bundle(bundle: Bundle, modality: str, stored: StoredSpec) -> Extractor:
    """The image network of a model of train_frame.py, which names each frame as well, or of train_lstm.py.

    Raises:
        Problem: the bundle has no such stream, or its clips were stored in another way than `stored`.
    """
    stream = next((row for row in bundle.streams if row.modality == modality and row.network in WITH_CNN), None)
    if stream is None:
        raise Problem(f"{bundle.folder}: no image network on {modality} in it; train one with train_frame.py")
    wanted = bundle.spec.stored if modality == "flow" else bundle.spec.stored.without_flow()
    if wanted != stored:
        trained, there = (TABLE[modality].stores(spec)[0] for spec in (wanted, stored))
        raise Problem(f"{bundle.folder} was trained on {trained}, not {there}; choose the --store of the model")
    model = KerasNetwork.load(stream, bundle.weights(stream)).model
    pictures = int(stored.frames) if stored.frames.isdigit() else bundle.spec_of(stream).input.frames
    spec = ClipSpec(stored, replace(bundle.spec_of(stream).input, frames=pictures, views=1, sampling="even"))
    cnn, name, flags = model.get_layer(cnn_lstm.CNN), stream.arguments["network"], bundle.about.get("flags", {})
    if stream.network == "cnn-lstm":
        trained = f"of {flags.get('image_network', {}).get(stream.name)}"
        extractor = extractor_of_network(cnn, name, spec, modality, trained)
    else:
        head, labels = model.get_layer(cnn_lstm.HEAD), tuple(row.label for row in bundle.classes)
        trained = f"fine-tuned from {flags.get('weights')}"
        extractor = extractor_of_network(cnn, name, spec, modality, trained, head, labels)
    return replace(extractor, source=bundle.folder)


def list_entries(data: Dataset, about: About, split: str, failed: list) -> list[Entry]:
    """The clips of a split whose archive is there; (clip, why) of the others goes to `failed`."""
    entries, store = [], TABLE[about.modality].stores(about.spec.stored)[0]
    for item in data.split(split):
        path = item.archive(data.folder, store)
        info = storage.read_info(path)
        if info and info.get("times"):
            entries.append(Entry(item.clip, item.label, len(info["times"]), feature_file.fingerprint(info)))
        else:
            step = "opticalflow.py" if about.modality == "flow" else "frame.py"
            why = (
                "no frame in it"
                if info
                else "no whole clip"
                if path.exists()
                else f"not there: {step} could not make it"
            )
            failed.append((item.clip, f"{path}: {why}; run {step} --data {data.folder} again"))
    return entries


def read_clip(data: Dataset, about: About, item: Clip) -> np.ndarray:
    """What the network sees of every stored picture of a clip: (T, crop, crop, C) float32."""
    images, squares = read_stored(about.modality, data, item, about.spec.stored, about.spec.input.region)
    images, magnified = preprocess.cut_out(images, about.spec.input, squares)
    bound = TABLE[about.modality].bound(about.spec.stored)
    return preprocess.network_input(images, about.spec.input, bound, magnified=magnified)


def in_flight(pool: ThreadPoolExecutor, function: Callable, items: Iterable, most: int) -> Iterator:
    """function(item) of each item, in order, while at most `most` others run or wait to be asked for."""
    running = deque()
    for item in items:
        running.append(pool.submit(function, item))
        if len(running) > most:
            yield running.popleft().result()
    while running:
        yield running.popleft().result()


def cut_batches(clips: Iterable[np.ndarray], size: int) -> Iterator[np.ndarray]:
    """(T, H, W, C) frames of each clip -> batches of `size` frames across clips; the last one may be smaller."""
    waiting, count = [], 0
    for frames in clips:
        waiting.append(frames)
        count += len(frames)
        while count >= size:
            joined = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
            yield joined[:size]
            count -= size
            waiting = [joined[size:]] if count else []  # a clip that is a batch is not copied
    if count:
        yield np.concatenate(waiting)


def rows_of_clips(extractor: Extractor, pool: ThreadPoolExecutor, clips: Iterable, batch: int) -> Iterator:
    """(name, frames) of each clip -> (name, its rows): [(T, D)], and (T, classes) where the network names frames."""
    lengths, rows = deque(), []

    def frames_of_clips() -> Iterator[np.ndarray]:
        for name, frames in clips:
            lengths.append((name, len(frames)))
            yield frames

    # One batch more waits than runs, so that no core waits while clips are written.
    for outputs in in_flight(pool, extractor, cut_batches(frames_of_clips(), batch), AT_ONCE + 1):
        rows = [np.concatenate(parts) for parts in zip(rows, outputs, strict=True)] if rows else outputs
        while lengths and lengths[0][1] <= len(rows[0]):
            name, length = lengths.popleft()
            yield name, [part[:length] for part in rows]
            rows = [part[length:] for part in rows]


def rows_ahead(
    extractor: Extractor, data: Dataset, todo: list[Entry], batch: int, workers: int, failed: list, seen: Callable
) -> Iterator[tuple[str, list[np.ndarray]]]:
    """(name, its rows) of every clip that is to be done, read by threads ahead of the network; (name, why) of those
    that cannot be read goes to `failed`. `seen` is called when a clip is read, or cannot be."""
    items = {item.clip: item for item in data.clips}
    with contextlib.ExitStack() as held:
        readers, pool = ThreadPoolExecutor(workers, initializer=timing.step_back), ThreadPoolExecutor(AT_ONCE)
        for threads in (readers, pool):
            held.callback(threads.shutdown, cancel_futures=True)  # after a stop nothing more is begun

        def read(entry: Entry) -> tuple[str, np.ndarray | Problem]:
            try:
                return entry.clip, read_clip(data, extractor.about, items[entry.clip])
            except Problem as problem:
                return entry.clip, problem

        def whole_clips() -> Iterator[tuple[str, np.ndarray]]:
            most = max(workers, AHEAD * batch // max(entry.length for entry in todo))
            for name, frames in in_flight(readers, read, todo, most):
                if isinstance(frames, Problem):
                    failed.append((name, str(frames)))
                else:
                    yield name, frames
                seen()

        yield from rows_of_clips(extractor, pool, whole_clips(), batch)


def extract_features(
    extractor: Extractor,
    data: Dataset,
    path: Path,
    batch: int,
    workers: int,
    outcome: Outcome,
    pace: Pace,
    rows_of: Callable = rows_ahead,
) -> None:
    """Write the rows of every clip of a feature file that has none yet; what cannot be read goes to `outcome`.

    `rows_of`: `rows_ahead`, or what does the same elsewhere.
    """
    split = path.stem
    with feature_file.opened(path) as file:
        todo = [entry for entry, done in zip(file.entries, file.done, strict=True) if not done]
        there = len(file.entries) - len(todo)
    outcome.there += there
    if there:
        print(f"{split}: {there} of {there + len(todo)} clips are there already")
    if not todo:  # not opened for writing: a training may be reading it
        return
    with feature_file.opened(path, write=True) as file, command.progress() as bar:
        task = bar.add_task(f"{path.parent.name} {split}", total=there + len(todo), completed=there)
        ahead = rows_of(extractor, data, todo, batch, workers, outcome.failed, lambda: bar.advance(task))
        for name, rows in ahead:
            file.write(file.position[name], *rows)
            outcome.done.append(name)
            forecast = pace.advance(len(rows[0]))
            if forecast and rows_of is rows_ahead:  # of other processes it knows too little
                command.tell_forecast(bar, forecast)


def missing_entries(path: Path, about: About, entries: list[Entry]) -> list[Entry]:
    """The clips that have no rows yet in a feature file, which need not be there."""
    if not path.exists():
        return entries
    with feature_file.opened(path) as file:
        if file.about.difference(about):
            return entries
        done = {entry for entry, done in zip(file.entries, file.done, strict=True) if done}
    return [entry for entry in entries if entry not in done]


def pace_of(about: About, entries: list[Entry], files: int) -> Pace:
    """How the frames of these clips go through the network, into so many files."""
    frames = sum(entry.length for entry in entries)
    return Pace(frames, len(entries), 4 * frames * (about.dimension + len(about.classes)), files)


def rehearse(extractor: Extractor, data: Dataset, name: str, batch: int, workers: int, outcome: Outcome) -> None:
    """Run a few clips through the network, say what all of them will take, and write nothing."""
    about = extractor.about
    folder = data.folder / feature_file.store_name(name, about.spec.stored, about.modality)
    todo = {split: list_entries(data, about, split, outcome.failed) for split in dataset.SPLITS}
    todo = {
        split: missing_entries(feature_file.path_of(folder, split), about, entries) for split, entries in todo.items()
    }
    entries = [entry for rows in todo.values() for entry in rows]
    if not entries:
        print("nothing to do")
        return
    pace = pace_of(about, entries, sum(map(bool, todo.values())))
    some = [entries[index] for index in sorted(spread([entry.length for entry in entries], pace.needed))]
    with command.progress() as bar:
        task = bar.add_task("a few clips", total=len(some))
        for clip, rows in rows_ahead(extractor, data, some, batch, workers, outcome.failed, lambda: bar.advance(task)):
            pace.advance(len(rows[0]))
            outcome.done.append(clip)
    if outcome.done:
        print(pace.forecast().line("clip"))


def extract_splits(
    extractor: Extractor,
    data: Dataset,
    name: str,
    batch: int,
    workers: int,
    outcome: Outcome,
    rows_of: Callable = rows_ahead,
) -> Path:
    """The feature files of all splits, the training split's first, whose mean and deviation all of them get."""
    about, paths, lists = extractor.about, {}, {}
    check_name(name, "--name")
    folder = data.folder / feature_file.store_name(name, about.spec.stored, about.modality)
    with command.lock(folder):
        command.remove_leftovers(folder)
        for split in dataset.SPLITS:
            clips = list_entries(data, about, split, outcome.failed)
            if clips:
                paths[split] = feature_file.path_of(folder, split)
                feature_file.prepare(paths[split], about, clips)
                lists[split] = clips
        write_weights(extractor.cnn, folder / feature_file.WEIGHTS)
        extractor = replace(extractor, source=extractor.source or folder / feature_file.WEIGHTS)
        missing = [missing_entries(path, about, lists[split]) for split, path in paths.items()]
        pace = pace_of(about, [entry for entries in missing for entry in entries], len(paths))
        for path in paths.values():
            extract_features(extractor, data, path, batch, workers, outcome, pace, rows_of)
        feature_file.share_statistics(folder)
    return folder
