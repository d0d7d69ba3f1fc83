"""Batches of clips for training: a keras.utils.PyDataset over clip archives, and one over feature files.

Order and augmentation depend on (seed, epoch, clip) alone, never on which worker thread is first, so a training that
is stopped and resumed sees what an unbroken one sees. Every picture goes through `preprocess.network_input`, as those
of a prediction do. Augmentation is the paper's (Sarhan & Frintrop 2020), shifts along x and y and brightness for RGB,
and what may be added to it. Horizontal flips are off unless asked for: they turn most signs into another one.
"""

from signs.clips import preprocess
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import TABLE, missing_archives, read_stored
from signs.clips.spec import ClipSpec, InputSpec
from signs.command import Problem
from signs.inference.feature_file import FeatureFile
from signs.training import distribute, recurrent, refit, run_folder
from signs.training.augmentation import Augmentation, Drawn
from signs.training.flags import augmentation_of

import keras
import numpy as np

MEMORY = 1 << 30  # bytes of decoded pictures that a generator keeps: a small data set is decoded once, not every epoch


class Batches(keras.utils.PyDataset):
    """Batches of clips: ((B, *shape) float32, (B, classes) float32, 1 at the class unless the augmentation smooths or
    mixes it). What fills a clip's place in a batch is for those below: `_fill`."""

    def __init__(
        self,
        clips: list[Clip],
        labels: list[str],
        shape: tuple[int, ...],
        batch: int = 4,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 2,
    ):
        """Without `augmentation` the clips come in their own order; an unlabelled one has 0 for every class.

        `epoch` is for the training to set (training.EpochStart): Keras's own `on_epoch_end` comes once too often. So is
        `devices`: with several of them each batch has as many clips for each. A training leaves out the few clips of an
        epoch that are over, other ones each time; without augmentation the last batch is filled up with a clip again,
        without its label, whose answer is for the caller to leave out. And `soft`, (N, classes) float32: a teacher's
        answers, that stand behind each clip's own target then, (B, 2, classes); they are mixed as it is, not smoothed.
        """
        # Threads: the decoding and scaling underneath release the lock, and a process would copy every batch.
        # Keras lets no more of them work at once than its queue is long, and two.
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=max(8, workers))
        self.clips, self.shape, self.batch = clips, shape, batch
        self.augmentation, self.seed, self.epoch = augmentation, seed, epoch
        self.devices, self.soft = distribute.ONE, None
        index = {label: position for position, label in enumerate(labels)}
        self.targets = np.array([index.get(item.label, -1) for item in clips], np.int32)
        self._one_hot = np.eye(len(labels) + 1, len(labels), dtype=np.float32)[self.targets]  # -1: the row of zeros
        self._mirrored = _mirrored(labels, augmentation.swaps if augmentation else ())

    def __len__(self) -> int:
        return -(-len(self._order()) // self.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        order = self._order()
        chosen = order[number * self.batch : (number + 1) * self.batch]
        chosen = chosen[self.devices.share(len(chosen))]  # mixup mixes these: no host reads another's
        targets = self._one_hot[chosen] * (chosen >= 0)[:, None]
        inputs = self._inputs(chosen, number)
        if self.augmentation is None:
            return inputs, targets
        targets = targets + self.augmentation.smoothing * (1 / targets.shape[1] - targets)
        if self.soft is not None:
            targets = np.stack([targets, self.soft[chosen]], axis=1)
        if self.augmentation.swaps:
            for position, target in zip(chosen, targets, strict=True):
                if self._draw(int(position)).flipped:
                    target[...] = target[..., self._mirrored]
        if self.augmentation.mixup:
            rng = np.random.default_rng([self.seed, self.epoch, len(self.clips) + number])
            share = np.float32(rng.beta(self.augmentation.mixup, self.augmentation.mixup))
            other = rng.permutation(len(chosen))
            for moment in np.moveaxis(inputs, 1, 0):  # so little at a time stays in the processor's cache
                others = (1 - share) * moment[other]
                moment *= share
                moment += others
            targets = share * targets + (1 - share) * targets[other]
        return inputs, targets

    def _inputs(self, chosen: np.ndarray, number: int):
        """What the network is given of some clips, which are batch `number`."""
        # Each clip is written to its place in the batch: a copy of 100 MB would cost as much as the scaling.
        inputs = np.empty((len(chosen), *self.shape), np.float32)
        for position, place in zip(chosen, inputs, strict=True):
            self._fill(int(position), place)
        return inputs

    def _fill(self, position: int, place: np.ndarray) -> None:
        raise NotImplementedError

    def _draw(self, position: int) -> Drawn:
        """What the augmentation does to a clip in this epoch."""
        return self.augmentation.draw(np.random.default_rng([self.seed, self.epoch, position]))

    def _order(self) -> np.ndarray:
        clips, count = len(self.clips), self.devices.count
        if self.augmentation is None:
            return np.append(np.arange(clips), np.full(-clips % count, -1))
        return np.random.default_rng([self.seed, self.epoch]).permutation(clips)[: clips - clips % count]


def _mirrored(labels: list[str], swaps: tuple[tuple[str, str], ...]) -> np.ndarray:
    """(classes,) for each class the one that it is in a mirror; raises Problem where there is no such label."""
    position = {label: number for number, label in enumerate(labels)}
    found = np.arange(len(labels))
    for pair in swaps:
        if unknown := [label for label in pair if label not in position]:
            raise Problem(f"--flip {'='.join(pair)}: no label {unknown[0]!r} in class.csv")
        one, other = (position[label] for label in pair)
        found[[one, other]] = other, one
    return found


class ClipGenerator(Batches):
    """Batches of one stream: (B, T, crop, crop, channels), as `preprocess.network_input` scales it.

    Where the network sees every stored frame, however many, (that, (B,) int32): clips are padded to the batch's longest
    with zeros, and the second says how many frames of each are real.
    """

    def __init__(
        self,
        data: Dataset,
        clips: list[Clip],
        spec: ClipSpec,
        modality: str,
        labels: list[str],
        batch: int = 4,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 2,
        memory: int = MEMORY,
    ):
        """`memory`: bytes of pictures that are kept; 0 where each clip is asked for once."""
        seen = spec.input
        self._modality, self._padded = TABLE[modality], seen.sampling == "whole"
        shape = (None if self._padded else seen.frames, seen.crop, seen.crop, self._modality.channels)
        super().__init__(clips, labels, shape, batch, augmentation, seed, epoch, workers)
        self.data, self.spec, self.modality = data, spec, modality
        self.bound = self._modality.bound(spec.stored)
        self._kept, self._room = {}, memory

    def check(self) -> None:
        """Raise Problem where a clip's archive is missing; better before the first epoch than in its middle."""
        missing = missing_archives(self.data, self.clips, self.modality, self.spec.stored)
        if missing:
            step = "opticalflow.py" if self.modality == "flow" else "frame.py"
            raise Problem(
                f"{missing[0]}: no such clip, and {len(missing) - 1} more of {len(self.clips)}; "
                f"run {step} --data {self.data.folder}, or leave them out of clips.csv"
            )

    def _images(self, position: int) -> tuple[np.ndarray, float]:
        """The stored pictures that the network may see, as `preprocess.cut_out` gives them; kept in memory as long as
        there is room for them."""
        kept = self._kept.get(position)
        if kept is None:
            # A part of the clip may need any picture of it.
            pick = None if self._takes_parts else self.spec.input.pick
            images, squares = read_stored(self.modality, self.data, self.clips[position], self.spec.stored, pick)
            kept = preprocess.cut_out(images, self.spec.input, squares)
            if self._room >= kept[0].nbytes:
                self._room -= kept[0].nbytes
                self._kept[position] = kept
        return kept

    def _inputs(self, chosen: np.ndarray, number: int):
        if not self._padded:
            return super()._inputs(chosen, number)
        clips = [self._images(int(position)) for position in chosen]
        longest = max(len(images) for images, _ in clips)
        longest += (longest + number) % 2  # Keras takes a size in which the first two batches agree for one of them all
        inputs = np.zeros((len(chosen), longest, *self.shape[1:]), np.float32)
        frames = np.empty(len(chosen), np.int32)
        for row, (position, (images, magnified)) in enumerate(zip(chosen, clips, strict=True)):
            seen = self._see(int(position), images, magnified)
            frames[row] = len(seen)
            inputs[row, : len(seen)] = seen
        return inputs, frames

    def _fill(self, position: int, place: np.ndarray) -> None:
        self._see(position, *self._images(position), place)

    def _see(self, position: int, images: np.ndarray, magnified: float, place=None) -> np.ndarray:
        """What the network sees of a clip, (T, crop, crop, C) float32, written to `place` where there is one."""
        if self.augmentation is None:
            return preprocess.network_input(images, self.spec.input, self.bound, magnified=magnified, out=place)
        drawn = self._draw(position)
        if self._takes_parts:
            images = images[self.spec.input.pick(len(images), *drawn.part)]
        images = drawn.turn(images, self.bound)
        shift = np.rint(drawn.shift * self.spec.input.crop).astype(int)
        brightness = self._modality.brightness(drawn.brightness)
        return preprocess.network_input(
            images, self.spec.input, self.bound, shift, brightness, drawn.zoom, magnified, place
        )

    @property
    def _takes_parts(self) -> bool:
        return self.augmentation is not None and self.augmentation.part < 1


class FeatureGenerator(Batches):
    """Batches of features: (B, T, D) rows of a feature file, those that the network's `InputSpec` picks.

    They are read when they are asked for and not kept: what was read once lies in the system's own cache, and memory
    does not grow with the data set.
    """

    def __init__(
        self,
        file: FeatureFile,
        clips: list[Clip],
        seen: InputSpec,
        labels: list[str],
        batch: int = 32,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 2,
    ):
        super().__init__(clips, labels, (seen.frames, file.about.dimension), batch, augmentation, seed, epoch, workers)
        self.max_queue_size = 2  # rows are read in a fiftieth of a step's time; batches that wait cost memory alone
        self.file, self.seen = file, seen
        self.check()
        self._places = [file.position[item.clip] for item in clips]

    def check(self) -> None:
        """Raise Problem where the file lacks a clip, or has it under another label."""
        place = self.file.position
        missing = [item.clip for item in self.clips if item.clip not in place or not self.file.done[place[item.clip]]]
        if missing:
            raise Problem(
                f"{self.file.path}: {len(missing)} of {len(self.clips)} clips are not in it, {missing[0]} "
                "among them; run feature.py again, or leave them out of clips.csv"
            )
        for item in self.clips:
            if self.file.labels[place[item.clip]] != item.label:
                raise Problem(
                    f"{self.file.path}: {item.clip} has label {self.file.labels[place[item.clip]]} there and "
                    f"{item.label} in clips.csv; run feature.py again"
                )

    def _fill(self, position: int, place: np.ndarray) -> None:
        rows = self.file.rows(self._places[position])
        place[:] = rows[self._pick(position, len(rows))]

    def _pick(self, position: int, count: int) -> np.ndarray:
        """In training a run begins anywhere, and even frames are those of a part of the clip."""
        if self.augmentation is None:
            return self.seen.pick(count)
        if self.seen.sampling == "run":
            rng = np.random.default_rng([self.seed, self.epoch, position])
            return self.seen.run(count, int(rng.integers(max(count - self.seen.frames, 0) + 1)))
        return self.seen.pick(count, *self._draw(position).part)


def generator(args, data: Dataset, spec: ClipSpec, stream: str, splits, augmented: bool, **more):
    """Batches of a stream's clips of some splits; every archive they need is there. `more`: for ClipGenerator."""

    clips = [item for split in splits for item in run_folder.split_of(data, split)]
    made = ClipGenerator(
        data,
        clips,
        spec,
        stream,
        [row.label for row in data.classes],
        args.batch,
        seed=args.seed,
        augmentation=augmentation_of(args) if augmented else None,
        workers=args.workers,
        **more,
    )
    made.check()
    return made


def generators(args, data: Dataset, spec: ClipSpec, stream: str) -> dict:
    """The training and validation generators of a stream's clips; with --refit all of these are for training, and
    `valid` is None."""
    if getattr(args, "refit", None):
        return {"train": generator(args, data, spec, stream, refit.SPLITS, True), "valid": None}
    return {
        "train": generator(args, data, spec, stream, ("train",), True),
        "valid": generator(args, data, spec, stream, ("valid",), False),
    }


def feature_generators(args, data: Dataset, files: dict, seen: InputSpec) -> dict:

    labels, drawn = [row.label for row in data.classes], recurrent.augmentation_of(args)
    for split, file in files.items():
        check_fresh(file, data, run_folder.split_of(data, split))
    return {
        split: FeatureGenerator(
            files[split],
            run_folder.split_of(data, split),
            seen,
            labels,
            args.batch,
            drawn if split == "train" else None,
            args.seed,
            workers=args.workers,
        )
        for split in ("train", "valid")
    }


def check_fresh(file: FeatureFile, data: Dataset, clips: list[Clip]) -> None:
    """Raise Problem where a clip was stored anew since its features were made."""
    for item in clips:
        if item.clip in file.position and not file.is_fresh(data, item):
            raise Problem(f"{file.path}: {item.clip} was stored anew since; run feature.py again")
