"""Stored clips through an image network, into feature files: what feature.py and train_frame.py share.

The network is never kept waiting: threads read and scale the clips ahead of it, and frames go through it in full
batches, whichever clips they are from. Several batches are in it at once: on a CPU, where the cores that share an
operation wait for the last of them, another batch has work for those that wait.
"""

import contextlib
import hashlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from signs import command
from signs.clips import dataset, preprocess, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import TABLE, read_stored
from signs.clips.spec import ClipSpec, StoredSpec
from signs.command import Outcome, Problem
from signs.inference import feature_file, timing
from signs.inference.bundle import Bundle, Stream
from signs.inference.feature_file import About, Entry, FeatureFile
from signs.inference.predictions import count_answers
from signs.inference.runtime import KerasNetwork
from signs.models import cnn_lstm

import keras
import numpy as np

WITH_CNN = ("frames", "cnn-lstm")  # networks of a bundle whose image network can be taken out
AHEAD = 4  # batches that are read ahead
AT_ONCE = 3  # batches in the network; on two cores two are a tenth quicker than one, three a little more


@dataclass
class Extractor:
    """An image network, `cnn`; `network`, which averages its maps: (B, H, W, C) -> (B, D), or (B, D) and (B, classes)
    of one that was trained to name frames; and what the features are."""

    cnn: keras.Model
    network: keras.Model
    about: About

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """May be called from several threads at once."""
        found = self.network.predict_on_batch(frames)
        return [np.asarray(part) for part in (found if isinstance(found, list | tuple) else [found])]


class Queue:
    """Frames that wait for the network, batches that are in it, and clips that wait for their rows."""

    def __init__(self, extractor: Extractor, file: FeatureFile, outcome: Outcome, pool: ThreadPoolExecutor):
        self.extractor, self.file, self.outcome, self.pool = extractor, file, outcome, pool
        self.frames = 0
        self._unseen: deque[np.ndarray] = deque()
        self._running: deque[Future] = deque()
        self._clips: deque[tuple[str, int]] = deque()
        self._rows: list[list[np.ndarray]] = []

    def push(self, name: str, images: np.ndarray) -> None:
        self._unseen.append(images)
        self._clips.append((name, len(images)))
        self.frames += len(images)

    def run(self, count: int) -> None:
        """Start the first `count` frames through the network; what was started long ago is waited for and written."""
        parts, left = [], count
        while left:
            images = self._unseen.popleft()
            parts.append(images[:left])  # a view: where a batch is from one clip nothing is copied
            if len(images) > left:
                self._unseen.appendleft(images[left:])
            left -= len(parts[-1])
        batch = parts[0] if len(parts) == 1 else np.concatenate(parts)
        self._running.append(self.pool.submit(self.extractor, batch))
        self.frames -= count
        # One more waits than run, so that no core waits while clips are written.
        while self._running and (len(self._running) > AT_ONCE + 1 or self._running[0].done()):
            self._collect()

    def finish(self) -> None:
        """Wait for all that was started and write it."""
        while self._running:
            self._collect()

    def _collect(self) -> None:
        """The oldest batch's rows; the clips that are whole with them are written."""
        self._rows.append(self._running.popleft().result())
        ready = sum(len(found[0]) for found in self._rows)
        if not self._clips or self._clips[0][1] > ready:
            return
        arrays = [np.concatenate(found) for found in zip(*self._rows, strict=True)]
        start = 0
        while self._clips and start + self._clips[0][1] <= ready:
            name, length = self._clips.popleft()
            self.file.write(self.file.position[name], *(array[start : start + length] for array in arrays))
            self.outcome.done.append(name)
            start += length
        self._rows = [[array[start:] for array in arrays]]


def digest(model: keras.Model) -> str:
    """SHA-256 over the values of all weights, in the network's own order."""
    found = hashlib.sha256()
    for value in model.get_weights():
        found.update(np.ascontiguousarray(value).tobytes())
    return found.hexdigest()


def of_network(
    cnn: keras.Model,
    name: str,
    spec: ClipSpec,
    modality: str,
    trained: str,
    head: keras.layers.Layer | None = None,
    classes: tuple[str, ...] = (),
) -> Extractor:
    """Of `model_lstm.build_cnn`'s network; `name`: which it is; `trained`: where its weights are from, for people;
    `head`: what names frames, and its `classes`."""
    network = cnn_lstm.averaged(cnn, head)
    network.compile(jit_compile=False)  # on a CPU XLA is slower
    network.make_predict_function()  # once, before several threads want it
    return Extractor(cnn, network, About(spec, modality, name, digest(cnn), trained, cnn.output.shape[-1], classes))


def from_bundle(bundle: Bundle, modality: str, stored: StoredSpec) -> Extractor:
    """The image network of a model of train_frame.py, which names each frame as well, or of train_lstm.py.

    Raises:
        Problem: the bundle has no such stream, or its clips were stored in another way than `stored`.
    """
    stream = next((row for row in bundle.streams if row.modality == modality and row.network in WITH_CNN), None)
    if stream is None:
        raise Problem(f"{bundle.folder}: no image network on {modality} in it; train one with train_frame.py")
    own = bundle.spec.stored if modality == "flow" else bundle.spec.stored.without_flow()
    if own != stored:
        trained, there = (TABLE[modality].stores(one)[0] for one in (own, stored))
        raise Problem(f"{bundle.folder} was trained on {trained}, not {there}; choose the --store of the model")
    model = KerasNetwork.load(stream, bundle.weights(stream)).model
    pictures = int(stored.frames) if stored.frames.isdigit() else bundle.spec_of(stream).input.frames
    spec = ClipSpec(stored, replace(bundle.spec_of(stream).input, frames=pictures, views=1, sampling="even"))
    cnn, name, flags = model.get_layer(cnn_lstm.CNN), stream.arguments["network"], bundle.about.get("flags", {})
    if stream.network == "cnn-lstm":
        return of_network(cnn, name, spec, modality, f"of {flags.get('image_network', {}).get(stream.name)}")
    head, labels = model.get_layer(cnn_lstm.HEAD), tuple(row.label for row in bundle.classes)
    return of_network(cnn, name, spec, modality, f"fine-tuned from {flags.get('weights')}", head, labels)


def entries(data: Dataset, about: About, split: str, failed: list) -> list[Entry]:
    """The clips of a split whose archive is there; (clip, why) of the others goes to `failed`."""
    found, store = [], TABLE[about.modality].stores(about.spec.stored)[0]
    for item in data.split(split):
        path = item.archive(data.folder, store)
        info = storage.read_info(path)
        if info and info.get("times"):
            found.append(Entry(item.clip, item.label, len(info["times"]), feature_file.fingerprint(info)))
        else:
            step = "opticalflow.py" if about.modality == "flow" else "frame.py"
            why = "no frame in it" if info else "no whole clip"
            failed.append((item.clip, f"{path}: {why}; run {step} --data {data.folder} again"))
    return found


def read_clip(data: Dataset, about: About, item: Clip) -> np.ndarray:
    """What the network sees of every stored picture of a clip: (T, crop, crop, C) float32."""
    images, squares = read_stored(about.modality, data, item, about.spec.stored)
    images, magnified = preprocess.cut_out(images, about.spec.input, squares)
    bound = TABLE[about.modality].bound(about.spec.stored)
    return preprocess.network_input(images, about.spec.input, bound, magnified=magnified)


def read_ahead(data: Dataset, about: About, clips: list, lengths: dict, workers: int, frames: int) -> Iterator:
    """(clip, what `read_clip` gives or the Problem it raised), in order; so many frames and a clip lie ready at most.

    Args:
        lengths: {clip name: its frames}.
    """
    waiting, ready, todo = deque(), 0, iter(clips)
    with ThreadPoolExecutor(workers, initializer=timing.step_back) as pool:
        while True:
            while ready < frames and (item := next(todo, None)) is not None:
                waiting.append((item, pool.submit(read_clip, data, about, item)))
                ready += lengths[item.clip]
            if not waiting:
                return
            item, read = waiting.popleft()
            ready -= lengths[item.clip]
            try:
                yield item, read.result()
            except Problem as problem:
                yield item, problem


def extract_features(
    extractor: Extractor, data: Dataset, split: str, path: Path, batch: int, workers: int, outcome: Outcome
) -> None:
    """Write the rows of every clip of a feature file that has none yet; what cannot be read goes to `outcome`."""
    with feature_file.opened(path) as file:
        missing = {entry.clip for entry, done in zip(file.entries, file.done, strict=True) if not done}
        there, title = len(file.entries) - len(missing), f"{path.parent.name} {split}"
    if there:
        print(f"{split}: {there} of {there + len(missing)} clips are there already")
    if not missing:  # not opened for writing: a training may be reading it
        return
    todo = [item for item in data.split(split) if item.clip in missing]
    with contextlib.ExitStack() as held:
        file, bar = held.enter_context(feature_file.opened(path, write=True)), held.enter_context(command.progress())
        pool = ThreadPoolExecutor(AT_ONCE)
        held.callback(pool.shutdown, cancel_futures=True)  # stopped in the middle, nothing more is begun
        queue, lengths = Queue(extractor, file, outcome, pool), {entry.clip: entry.length for entry in file.entries}
        task = bar.add_task(title, total=there + len(todo), completed=there)
        for item, images in read_ahead(data, extractor.about, todo, lengths, workers, AHEAD * batch):
            if isinstance(images, Problem):
                outcome.failed.append((item.clip, str(images)))
            else:
                queue.push(item.clip, images)
            while queue.frames >= batch:
                queue.run(batch)
            bar.advance(task)
        if queue.frames:
            queue.run(queue.frames)
        queue.finish()


def folder_of(data: Dataset, name: str, about: About) -> Path:
    """Where the features of that name lie."""
    return data.folder / feature_file.store_name(dataset.check_name(name, "--name"), about.spec.stored, about.modality)


def extract_splits(extractor: Extractor, data: Dataset, name: str, batch: int, workers: int, outcome: Outcome) -> Path:
    """The feature files of all splits, the training split's first, whose mean and deviation all of them get."""
    about, paths = extractor.about, {}
    folder = folder_of(data, name, about)
    with command.lock(folder):
        command.remove_leftovers(folder)
        for split in dataset.SPLITS:
            clips = entries(data, about, split, outcome.failed)
            if clips:
                paths[split] = feature_file.path_of(folder, split)
                feature_file.prepare(paths[split], about, clips)
        with command.atomic(folder / feature_file.WEIGHTS) as temporary:
            extractor.cnn.save_weights(temporary)
        for split, path in paths.items():
            extract_features(extractor, data, split, path, batch, workers, outcome)
        feature_file.share_statistics(folder)
    return folder


def head_answers(
    stream: Stream, model: keras.Model, spec: ClipSpec, data: Dataset, clips: list[Clip]
) -> np.ndarray | None:
    """What a network with an image network in it says of stored clips, from features that are there already.

    Returns:
        (N, classes) float32 logits, averaged over the views of each clip; None where the data set has not the features
        of all these clips, made by the same network of the same pictures.
    """
    if stream.network not in WITH_CNN:
        return None
    own = digest(model.get_layer(cnn_lstm.CNN))
    with contextlib.ExitStack() as held:
        folders = sorted(data.folder.glob("feature-*"))
        files, rows = [], {}
        for path in (path for folder in folders for path in feature_file.files_of(folder)):
            with contextlib.suppress(Problem):  # a file that cannot be read holds no features
                files.append(held.enter_context(feature_file.opened(path)))
        for file in files:
            if file.about.weights == own and file.about.modality == stream.modality and same_pictures(file.about, spec):
                rows |= {name: (file, position) for name, position in file.position.items() if file.done[position]}
        if any(item.clip not in rows for item in clips):
            return None
        if not all(rows[item.clip][0].is_fresh(data, item) for item in clips):
            return None
        found = []
        for item in clips:
            file, position = rows[item.clip]
            features = file.rows(position)
            seen = np.stack([features[picked] for picked in spec.input.pick_views(len(features))])
            found.append(named(stream, model, seen).mean(axis=0))
    return np.stack(found)


def same_pictures(about: About, spec: ClipSpec) -> bool:
    """Whether features are of the pictures that a model sees, whichever of a clip's it picks; less their average they
    are only where it sees all."""
    if spec.input.still == "subtract" and not spec.sees_all:
        return False
    picked = {"frames": spec.input.frames, "sampling": spec.input.sampling, "views": spec.input.views}
    return (
        about.spec.stored.without_flow() == spec.stored.without_flow()
        and (about.modality != "flow" or about.spec.stored.flow == spec.stored.flow)
        and replace(about.spec.input, **picked) == spec.input
    )


def named(stream: Stream, model: keras.Model, features: np.ndarray) -> np.ndarray:
    """(B, T, D) features -> (B, classes) logits, by what stands behind the image network."""
    if stream.network == "frames":
        return cnn_lstm.read_out(np.asarray(model.get_layer(cnn_lstm.HEAD)(features)), "mean")
    behind = model.get_layer("lstm")
    if not behind.compiled:
        behind.compile(jit_compile=False)  # by itself each step of an LSTM is an operation of Python's
    return cnn_lstm.read_out(np.asarray(behind.predict_on_batch(features)), stream.arguments["read"])


def _labelled(file: FeatureFile) -> Iterator[tuple[int, np.ndarray]]:
    """(class index, (T, classes) logits) of every clip that is done and has a label of the network's."""
    index = {label: number for number, label in enumerate(file.about.classes)}
    for position in np.flatnonzero(file.done):
        if file.labels[position] in index:
            yield index[file.labels[position]], file.rows(position, "logits")


def single_frames(path: Path) -> dict[str, float] | None:
    """Share of the frames of labelled clips, each by itself, whose class is the 1, 5 or 10 most probable; None where
    the network names no frames. Clips count alike, however long."""
    with feature_file.opened(path) as file:
        shares = []
        for true, logits in _labelled(file) if file.about.classes else ():
            place = np.argmax(np.argsort(-logits, axis=1, kind="stable") == true, axis=1)
            shares.append([np.mean(place < k) for k in (1, 5, 10)])
    return dict(zip(("top1", "top5", "top10"), np.mean(shares, axis=0).tolist(), strict=True)) if shares else None


def confusion(path: Path) -> np.ndarray:
    """(classes, classes) frames, true class by row, of a file whose network names frames."""
    with feature_file.opened(path) as file:
        answers = [(true, answer) for true, logits in _labelled(file) for answer in logits.argmax(axis=1)]
        return count_answers(*np.array(answers, int).reshape(-1, 2).T, len(file.about.classes))


def print_single_frames(folder: Path) -> None:
    """A line a split, where the network names frames."""
    for path in feature_file.files_of(folder):
        found = single_frames(path)
        if found:
            print(
                f"{path.stem}: single frames "
                + ", ".join(f"{name.replace('top', 'top-')} {share:.1%}" for name, share in found.items())
            )
