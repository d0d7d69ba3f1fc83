"""Batches of clips for training and evaluation: a keras.utils.PyDataset over clip archives.

Order and augmentation depend on (seed, epoch, clip) alone, never on which worker thread is first, so a training that
is stopped and resumed sees what an unbroken one sees. Every picture goes through `clip.network_input`, as prediction's
do. Augmentation is the paper's (Sarhan & Frintrop 2020): shifts along x and y, and brightness for RGB. There are no
horizontal flips: they turn a sign into another one.
"""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

import clip
import dataset
from command import Problem

MEMORY = 1 << 30  # bytes of decoded pictures that a generator keeps: a small data set is decoded once, not every epoch


@dataclass(frozen=True)
class Augmentation:
    """shift: largest move of the crop along x and along y, as a share of the crop; brightness: factor 1 +- this."""

    shift: float = 0.1
    brightness: float = 0.2


def store_of(stored: clip.StoredSpec, modality: str) -> str:
    """Folder name of the store that a stream reads."""
    return stored.flow_store if modality == "flow" else stored.frame_store


class ClipGenerator(keras.utils.PyDataset):
    """Batches of one stream: ((B, T, crop, crop, 3 or 2) float32 in [-1, 1], (B,) int32 class index)."""

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
        """Without `augmentation` the clips come in their own order; unlabelled ones get the class index -1.

        `epoch` is for the training to set (training.EpochStart): Keras's own `on_epoch_end` comes once too often.
        """
        # Threads: the decoding and scaling underneath release the lock, and a process would copy every batch.
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=8)
        self.data, self.clips, self.spec, self.modality = data, clips, spec, modality
        self.batch, self.augmentation, self.seed, self.epoch = batch, augmentation, seed, epoch
        index = {label: position for position, label in enumerate(labels)}
        self.targets = np.array([index.get(item.label, -1) for item in clips], np.int32)
        self.bound = spec.stored.flow.bound if modality == "flow" else None
        self._store = store_of(spec.stored, modality)
        self._kept, self._room = {}, MEMORY

    def __len__(self) -> int:
        return -(-len(self.clips) // self.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._order()[number * self.batch : (number + 1) * self.batch]
        return np.stack([self._clip(position) for position in chosen]), self.targets[chosen]

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
        if self.augmentation is None:
            return np.arange(len(self.clips))
        return np.random.default_rng([self.seed, self.epoch]).permutation(len(self.clips))

    def _images(self, position: int) -> np.ndarray:
        """The stored pictures that the network will see; kept in memory as long as there is room for them."""
        images = self._kept.get(position)
        if images is None:
            images = clip.read_archive(self.path(self.clips[position]), self.spec.input.pick).images
            if self._room >= images.nbytes:
                self._room -= images.nbytes
                self._kept[position] = images
        return images

    def _clip(self, position: int) -> np.ndarray:
        images = self._images(int(position))
        if self.augmentation is None:
            return clip.network_input(images, self.spec.input, self.bound)
        rng = np.random.default_rng([self.seed, self.epoch, int(position)])
        reach = round(self.augmentation.shift * self.spec.input.crop)
        shift = rng.integers(-reach, reach, size=2, endpoint=True)
        brightness = 1 + self.augmentation.brightness * rng.uniform(-1, 1)
        return clip.network_input(images, self.spec.input, self.bound, shift, brightness)
