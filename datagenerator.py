"""Batches of clips for training: a keras.utils.PyDataset over clip archives.

Every picture goes through `preprocess.network_input`, as those of a prediction do. Augmentation is the paper's (Sarhan
& Frintrop 2020), shifts along x and y and brightness for RGB, and what may be added to it. Horizontal flips are off
unless asked for: they turn most signs into another one. signs/training/batches.py says in which order clips come, what
is learnt from them and which of them are mixed.
"""

from pathlib import Path

from signs.clips import preprocess
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import TABLE, archives_of, read_stored
from signs.clips.spec import HANDS, ClipSpec
from signs.training import refit, run_folder
from signs.training.batches import Batches
from signs.training.flags import augmentation_of

import numpy as np

MEMORY = 1 << 30  # bytes of decoded pictures that a generator keeps: a small data set is decoded once, not every epoch


class ClipGenerator(Batches):
    """Batches of one stream: (B, T, *picture, channels), as `preprocess.network_input` scales it.

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
        *,
        memory: int = MEMORY,
        **settings,
    ):
        """memory: bytes of pictures that are kept, 0 where each clip is asked for once; settings: of Batches."""
        self._modality, self._padded = TABLE[modality], spec.input.sampling == "whole"
        frames = None if self._padded else spec.input.frames
        shape = (frames, *spec.input.picture, self._modality.channels)
        super().__init__(clips, labels, shape, **settings)
        self.data, self.spec, self.modality = data, spec, modality
        self.bound = self._modality.bound(spec.stored)
        self._kept, self._room = {}, memory

    def _images(self, position: int) -> tuple[np.ndarray, float]:
        """The stored pictures that the network may see, as `preprocess.cut_out` gives them; kept in memory as long as
        there is room for them."""
        kept = self._kept.get(position)
        if kept is None:
            # A part of the clip may need any picture of it.
            pick = None if self._takes_parts else self.spec.input.pick
            item, region = self.clips[position], self.spec.input.region
            images, squares = read_stored(self.modality, self.data, item, self.spec.stored, region, pick)
            kept = preprocess.cut_out(images, self.spec.input, squares)
            if self._room >= kept[0].nbytes:
                self._room -= kept[0].nbytes
                self._kept[position] = kept
        return kept

    def _archives(self, position: int) -> list[Path]:
        if position in self._kept:
            return []
        return archives_of(self.modality, self.data, self.clips[position], self.spec.stored)

    @property
    def _takes_parts(self) -> bool:
        return self.augmentation is not None and self.augmentation.part < 1

    def _inputs(self, chosen: np.ndarray, number: int):
        """Padded: (B, longest, crop, crop, C) float32 with zeros behind the shorter clips, and (B,) int32 lengths."""
        if not self._padded:
            return super()._inputs(chosen, number)
        clips = [self._images(int(position)) for position in chosen]
        longest = max(len(images) for images, _ in clips)
        longest += (longest + number) % 2  # Keras takes a size in which the first two batches agree for one of them all
        inputs = np.zeros((len(chosen), longest, *self.shape[1:]), np.float32)
        frames = np.empty(len(chosen), np.int32)
        for row, (position, (images, magnified)) in enumerate(zip(chosen, clips, strict=True)):
            pictures = self._see(int(position), images, magnified)
            frames[row] = len(pictures)
            inputs[row, : len(pictures)] = pictures
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
        images = drawn.turn(images, self.bound, self.spec.input.region == HANDS)
        shift = np.rint(drawn.shift * self.spec.input.crop).astype(int)
        brightness = self._modality.brightness(drawn.brightness)
        return preprocess.network_input(
            images, self.spec.input, self.bound, shift, brightness, drawn.zoom, magnified, place
        )


def generator(args, data: Dataset, spec: ClipSpec, stream: str, splits, augmented: bool, **more) -> ClipGenerator:
    """Batches of a stream's clips of some splits. `more`: for ClipGenerator."""
    clips = [item for split in splits for item in run_folder.split_of(data, split)]
    labels = [row.label for row in data.classes]
    more |= {"batch": args.batch, "seed": args.seed, "workers": args.workers}
    augmentation = augmentation_of(args) if augmented else None
    return ClipGenerator(data, clips, spec, stream, labels, augmentation=augmentation, **more)


def generators(args, data: Dataset, spec: ClipSpec, stream: str) -> dict:
    """The training and validation generators of a stream's clips. With --refit the validation clips are for training
    too, and `valid` is None."""
    again = getattr(args, "refit", None)
    train = generator(args, data, spec, stream, refit.SPLITS if again else ("train",), True)
    valid = None if again else generator(args, data, spec, stream, ("valid",), False)
    return {"train": train, "valid": valid}
