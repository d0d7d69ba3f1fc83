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
from signs.inference.bundle import Bundle
from signs.inference.feature_file import About, Entry, FeatureFile
from signs.inference.runtime import KerasNetwork
from signs.models import cnn_lstm

import keras
import numpy as np

WITH_CNN = ("frames", "cnn-lstm")  # networks of a bundle whose image network can be taken out
AHEAD = 4  # batches that are read ahead
AT_ONCE = 3  # batches in the network; on two cores two are a tenth quicker than one, three a little more


@dataclass
class Extractor:
    """An image network and what its features are.

    network: `cnn` with its maps averaged, (B, H, W, C) -> (B, D), and (B, classes) where it was trained to name frames.
    """

    cnn: keras.Model
    network: keras.Model
    about: About

    def __call__(self, frames: np.ndarray) -> list[np.ndarray]:
        """May be called from several threads at once."""
        outputs = self.network.predict_on_batch(frames)
        return [np.asarray(rows) for rows in (outputs if isinstance(outputs, list | tuple) else [outputs])]


class Queue:
    """Frames that wait for the network, batches that are in it, and clips that wait for their rows."""

    def __init__(self, extractor: Extractor, file: FeatureFile, outcome: Outcome, pool: ThreadPoolExecutor):
        self.extractor, self.file, self.outcome, self.pool = extractor, file, outcome, pool
        self.frames = 0
        self._waiting: deque[np.ndarray] = deque()
        self._running: deque[Future] = deque()
        self._clips: deque[tuple[str, int]] = deque()
        self._rows: list[list[np.ndarray]] = []

    def push(self, name: str, images: np.ndarray) -> None:
        self._waiting.append(images)
        self._clips.append((name, len(images)))
        self.frames += len(images)

    def run(self, count: int) -> None:
        """Start the first `count` frames through the network; write what is done."""
        parts, left = [], count
        while left:
            images = self._waiting.popleft()
            parts.append(images[:left])  # a view: where a batch is from one clip nothing is copied
            if len(images) > left:
                self._waiting.appendleft(images[left:])
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
        ready = sum(len(batch[0]) for batch in self._rows)
        if not self._clips or self._clips[0][1] > ready:
            return
        arrays = [np.concatenate(batches) for batches in zip(*self._rows, strict=True)]
        start = 0
        while self._clips and start + self._clips[0][1] <= ready:
            name, length = self._clips.popleft()
            self.file.write(self.file.position[name], *(array[start : start + length] for array in arrays))
            self.outcome.done.append(name)
            start += length
        self._rows = [[array[start:] for array in arrays]]


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
        return extractor_of_network(cnn, name, spec, modality, f"of {flags.get('image_network', {}).get(stream.name)}")
    head, labels = model.get_layer(cnn_lstm.HEAD), tuple(row.label for row in bundle.classes)
    return extractor_of_network(cnn, name, spec, modality, f"fine-tuned from {flags.get('weights')}", head, labels)


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
            why = "no frame in it" if info else "no whole clip"
            failed.append((item.clip, f"{path}: {why}; run {step} --data {data.folder} again"))
    return entries


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
            clips = list_entries(data, about, split, outcome.failed)
            if clips:
                paths[split] = feature_file.path_of(folder, split)
                feature_file.prepare(paths[split], about, clips)
        with command.atomic(folder / feature_file.WEIGHTS) as temporary:
            extractor.cnn.save_weights(temporary)
        for split, path in paths.items():
            extract_features(extractor, data, split, path, batch, workers, outcome)
        feature_file.share_statistics(folder)
    return folder
