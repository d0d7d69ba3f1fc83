"""Batches of clips for training and evaluation: a keras.utils.PyDataset over clip archives.

Order and augmentation depend on (seed, epoch, clip) alone, never on which worker thread is first, so a training that
is stopped and resumed sees what an unbroken one sees. Every picture goes through `clip.network_input`, as prediction's
do. Augmentation is the paper's (Sarhan & Frintrop 2020), shifts along x and y and brightness for RGB, and what may be
added to it. There are no horizontal flips: they turn a sign into another one.
"""

from dataclasses import dataclass
from pathlib import Path

from command import Problem

import keras
import numpy as np

import clip
import dataset
import distribute

MEMORY = 1 << 30  # bytes of decoded pictures that a generator keeps: a small data set is decoded once, not every epoch


@dataclass(frozen=True)
class Augmentation:
    """What is drawn at random for each clip and epoch.

    shift: largest move of the crop along x and along y, as a share of the crop; brightness: factor on RGB of 1 +- this;
    colour: the same for each of red, green and blue; zoom: the picture is seen larger by a factor of 1 +- this;
    part: the shortest part of the clip that is seen, as a share of its length, from a random start: another speed;
    mixup: alpha of the Beta distribution of the share with which the clips of a batch are mixed, 0 not at all
    (Zhang et al.: mixup, 2018); smoothing: share of a target that goes to all classes alike (Szegedy et al. 2016).
    """

    shift: float = 0.1
    brightness: float = 0.2
    colour: float = 0.0
    zoom: float = 0.0
    part: float = 1.0
    mixup: float = 0.0
    smoothing: float = 0.0


def store_of(stored: clip.StoredSpec, modality: str) -> str:
    """Folder name of the store that a stream reads."""
    return stored.flow_store if modality == "flow" else stored.frame_store


class ClipGenerator(keras.utils.PyDataset):
    """Batches of one stream: ((B, T, crop, crop, 3 or 2) float32, as `clip.network_input` scales it, and (B, classes)
    float32, 1 at the class unless the augmentation smooths or mixes it)."""

    def __init__(
        self,
        data: dataset.Dataset,
        clips: list[dataset.Clip],
        spec: clip.ClipSpec,
        modality: str,
        labels: list[str],
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
        without its label, whose answer is for the caller to leave out.
        """
        # Threads: the decoding and scaling underneath release the lock, and a process would copy every batch.
        # Keras lets no more of them work at once than its queue is long, and two.
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=max(8, workers))
        self.data, self.clips, self.spec, self.modality = data, clips, spec, modality
        self.batch, self.augmentation, self.seed, self.epoch = batch, augmentation, seed, epoch
        self.devices = distribute.ONE
        index = {label: position for position, label in enumerate(labels)}
        self.targets = np.array([index.get(item.label, -1) for item in clips], np.int32)
        self._one_hot = np.eye(len(labels) + 1, len(labels), dtype=np.float32)[self.targets]  # -1: the row of zeros
        self.bound = spec.stored.flow.bound if modality == "flow" else None
        self._store = store_of(spec.stored, modality)
        self._kept, self._room = {}, MEMORY

    def __len__(self) -> int:
        return -(-len(self._order()) // self.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        order = self._order()
        chosen = order[number * self.batch : (number + 1) * self.batch]
        chosen = chosen[self.devices.share(len(chosen))]  # mixup mixes these: no host reads another's
        seen, targets = self.spec.input, self._one_hot[chosen] * (chosen >= 0)[:, None]
        # Each clip is written to its place in the batch: a copy of 100 MB would cost as much as the scaling.
        channels = 2 if self.modality == "flow" else 3
        images = np.empty((len(chosen), seen.frames, seen.crop, seen.crop, channels), np.float32)
        for position, place in zip(chosen, images, strict=True):
            self._clip(position, place)
        if self.augmentation is None:
            return images, targets
        targets = targets + self.augmentation.smoothing * (1 / targets.shape[1] - targets)
        if self.augmentation.mixup:
            rng = np.random.default_rng([self.seed, self.epoch, len(self.clips) + number])
            share = np.float32(rng.beta(self.augmentation.mixup, self.augmentation.mixup))
            other = rng.permutation(len(chosen))
            for moment in np.moveaxis(images, 1, 0):  # so little at a time stays in the processor's cache
                others = (1 - share) * moment[other]
                moment *= share
                moment += others
            targets = share * targets + (1 - share) * targets[other]
        return images, targets

    def path(self, item: dataset.Clip) -> Path:
        return item.archive(self.data.folder, self._store)

    def check(self) -> None:
        """Raise Problem where a clip's archive is missing; better before the first epoch than in its middle."""
        missing = [item for item in self.clips if not self.path(item).exists()]
        if missing:
            step = "opticalflow.py" if self.modality == "flow" else "frame.py"
            raise Problem(
                f"{self.path(missing[0])}: no such clip, and {len(missing) - 1} more of {len(self.clips)}; "
                f"run {step} --data {self.data.folder}, or leave them out of clips.csv"
            )

    def _order(self) -> np.ndarray:
        clips, count = len(self.clips), self.devices.count
        if self.augmentation is None:
            return np.append(np.arange(clips), np.full(-clips % count, -1))
        return np.random.default_rng([self.seed, self.epoch]).permutation(clips)[: clips - clips % count]

    def _images(self, position: int) -> tuple[np.ndarray, float]:
        """The stored pictures that the network may see, as `clip.cut_out` gives them; kept in memory as long as there
        is room for them."""
        kept = self._kept.get(position)
        if kept is None:
            # A part of the clip may need any picture of it.
            pick = None if self._takes_parts else self.spec.input.pick
            archive = clip.read_archive(self.path(self.clips[position]), pick)
            kept = clip.cut_out(archive.images, self.spec.input, archive.square)
            if self._room >= kept[0].nbytes:
                self._room -= kept[0].nbytes
                self._kept[position] = kept
        return kept

    def _clip(self, position: int, place: np.ndarray) -> None:
        """What the network sees of a clip, written to `place` (T, crop, crop, C) float32."""
        images, magnified = self._images(int(position))
        if self.augmentation is None:
            clip.network_input(images, self.spec.input, self.bound, magnified=magnified, out=place)
            return
        rng = np.random.default_rng([self.seed, self.epoch, int(position)])
        reach = round(self.augmentation.shift * self.spec.input.crop)
        shift = rng.integers(-reach, reach, size=2, endpoint=True)
        brightness = 1 + self.augmentation.brightness * rng.uniform(-1, 1)
        colour = 1 + self.augmentation.colour * rng.uniform(-1, 1, 3)
        zoom = 1 + self.augmentation.zoom * rng.uniform(-1, 1)
        if self._takes_parts:
            length = rng.uniform(self.augmentation.part, 1)
            first = rng.uniform(0, 1 - length)
            images = images[self.spec.input.pick(len(images), first, first + length)]
        clip.network_input(images, self.spec.input, self.bound, shift, brightness * colour, zoom, magnified, place)

    @property
    def _takes_parts(self) -> bool:
        return self.augmentation is not None and self.augmentation.part < 1
