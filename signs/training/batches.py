"""Batches of clips for training: in which order they come, what is learnt from them, which of them are mixed.

Order and augmentation depend on (seed, epoch, clip) alone, never on which worker thread is first, so a training that
is stopped and resumed sees what an unbroken one sees. What a clip looks like is for the two kinds of batches to say:
pictures (datagenerator.ClipGenerator) and features (feature_batches.FeatureGenerator).
"""

from pathlib import Path

from signs.clips import cached_copy
from signs.clips.dataset import Clip
from signs.command import Problem
from signs.training import distribute
from signs.training.augmentation import Augmentation, Drawn

import keras
import numpy as np

AHEAD = 16  # batches whose clips are brought from an object storage before they are asked for


class Batches(keras.utils.PyDataset):
    """Batches of clips: ((B, *shape) float32, (B, classes) float32).

    A target is 1 at the clip's class, unless the augmentation smooths or mixes it; an unlabelled clip has 0 everywhere.
    A training sets three attributes:

    epoch: at the start of each epoch (callbacks.EpochStart); Keras's own `on_epoch_end` comes once too often.
    devices: with several of them each batch has as many clips for each. A training leaves out the few clips of an
        epoch that are over, other ones each time. Without augmentation the last batch is filled up with the last clip,
        without its label; the caller leaves that answer out.
    soft: (N, classes) float32, a teacher's answers. They stand behind each clip's own target, (B, 2, classes), and are
        mixed but not smoothed.

    at_hand: whether batches without augmentation take no time, so that nobody need work ahead.
    """

    at_hand = False

    def __init__(
        self,
        clips: list[Clip],
        labels: list[str],
        shape: tuple[int, ...],
        *,
        batch: int = 4,
        augmentation: Augmentation | None = None,
        seed: int = 0,
        epoch: int = 0,
        workers: int = 2,
    ):
        """Without `augmentation` the clips come in their own order; `shape` is what the network sees of one."""
        # Threads: the decoding and scaling underneath release the lock, and a process would copy every batch.
        # Keras lets no more of them work at once than its queue is long, and two.
        super().__init__(workers=workers, use_multiprocessing=False, max_queue_size=max(8, workers))
        self.clips, self.shape, self.batch = clips, shape, batch
        self.augmentation, self.seed, self.epoch = augmentation, seed, epoch
        self.devices, self.soft = distribute.ONE, None
        index = {label: position for position, label in enumerate(labels)}
        self.targets = np.array([index.get(item.label, -1) for item in clips], np.int32)
        # A row a class, not a clip: of a million clips and 250 classes that would be a gigabyte.
        self._one_hot = np.eye(len(labels) + 1, len(labels), dtype=np.float32)  # -1: the row of zeros
        self._drawn = None, None
        self._in_mirror = mirrored_classes(labels, augmentation.swaps if augmentation else ())

    def __len__(self) -> int:
        return -(-len(self._order()) // self.batch)

    def __getitem__(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        chosen = self._part(number)  # mixup mixes these: no host reads another's
        for later in range(number + AHEAD if number else 1, number + AHEAD + 1):
            self._read_ahead(self._part(later))
        inputs, targets = self._inputs(chosen, number), self._targets_of(chosen)
        if self.augmentation is not None and self.augmentation.mixup:
            targets = self._mix(inputs, targets, number)
        return inputs, targets

    def _part(self, number: int) -> np.ndarray:
        """Positions of this host's clips of a batch, none behind the last batch."""
        batch = self._order()[number * self.batch : (number + 1) * self.batch]
        return batch[self.devices.share(len(batch))]

    def _order(self) -> np.ndarray:
        """Positions of this epoch's clips; -1 fills the last batch up."""
        clips, devices = len(self.clips), self.devices.count
        epoch = self.seed, self.epoch, devices
        known, order = self._drawn
        if known == epoch:  # drawn for each batch, it would cost an epoch the square of its clips
            return order
        if self.augmentation is None:
            order = np.append(np.arange(clips), np.full(-clips % devices, -1))
        else:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(clips)[: clips - clips % devices]
        self._drawn = epoch, order  # both at once: several threads ask
        return order

    def _read_ahead(self, positions: np.ndarray) -> None:
        """Have the archives of clips that come next brought here, where they lie on an object storage."""
        for position in positions:
            cached_copy.read_ahead(self._archives(int(position)))

    def _archives(self, position: int) -> list[Path]:
        """What a clip is read from and is not in memory."""
        return []

    def _inputs(self, chosen: np.ndarray, number: int):
        """What the network is given of the chosen clips, which are batch `number`."""
        # Each clip is written to its place in the batch: a copy of 100 MB would cost as much as the scaling.
        inputs = np.empty((len(chosen), *self.shape), np.float32)
        for position, place in zip(chosen, inputs, strict=True):
            self._fill(int(position), place)
        return inputs

    def _fill(self, position: int, place: np.ndarray) -> None:
        """Write what the network sees of a clip to its place in the batch."""
        raise NotImplementedError

    def _targets_of(self, chosen: np.ndarray) -> np.ndarray:
        """(B, classes), or (B, 2, classes) with a teacher's answers: what the network should answer."""
        targets = self._one_hot[np.where(chosen >= 0, self.targets[chosen], -1)]
        if self.augmentation is None:
            return targets
        targets = targets + self.augmentation.smoothing * (1 / targets.shape[1] - targets)
        if self.soft is not None:
            targets = np.stack([targets, self.soft[chosen]], axis=1)
        if self.augmentation.swaps:
            for position, target in zip(chosen, targets, strict=True):
                if self._draw(int(position)).flipped:
                    target[...] = target[..., self._in_mirror]
        return targets

    def _draw(self, position: int) -> Drawn:
        """What the augmentation does to a clip in this epoch."""
        return self.augmentation.draw(np.random.default_rng([self.seed, self.epoch, position]))

    def _mix(self, inputs: np.ndarray, targets: np.ndarray, number: int) -> np.ndarray:
        """Mix each clip with another one of batch `number`: `inputs` in place, the targets as the result."""
        rng = np.random.default_rng([self.seed, self.epoch, len(self.clips) + number])
        share = np.float32(rng.beta(self.augmentation.mixup, self.augmentation.mixup))
        partner = rng.permutation(len(inputs))
        for moment in np.moveaxis(inputs, 1, 0):  # so little at a time stays in the processor's cache
            others = (1 - share) * moment[partner]
            moment *= share
            moment += others
        return share * targets + (1 - share) * targets[partner]


def mirrored_classes(labels: list[str], swaps: tuple[tuple[str, str], ...]) -> np.ndarray:
    """(classes,) the class that each becomes in a mirror; raises Problem where a label is not in the class table."""
    position = {label: number for number, label in enumerate(labels)}
    in_mirror = np.arange(len(labels))
    for pair in swaps:
        if unknown := [label for label in pair if label not in position]:
            raise Problem(f"--flip {'='.join(pair)}: no label {unknown[0]!r} in class.csv")
        left, right = (position[label] for label in pair)
        in_mirror[[left, right]] = right, left
    return in_mirror
