"""Batches of points for a network over time: what landmark.py stored, as posture.py makes a network see it."""

from pathlib import Path

from signs.clips import posture
from signs.clips.dataset import Clip, Dataset
from signs.clips.points import Points, read_points
from signs.clips.spec import ClipSpec
from signs.training import options, refit, run_folder
from signs.training.batches import Batches
from signs.training.flags import swaps_of
from signs.training.point_augmentation import PointAugmentation

import numpy as np

STREAM = "landmark"


class PointGenerator(Batches):
    """Batches of clips' points: (B, T, posture.VALUES) float32. All clips are kept in memory, 100 KB each."""

    at_hand = True

    def __init__(self, data: Dataset, clips: list[Clip], spec: ClipSpec, labels: list[str], **settings):
        """settings: of Batches."""
        super().__init__(clips, labels, (spec.input.frames, posture.VALUES), **settings)
        self.data, self.spec, self._kept, self._seen = data, spec, {}, {}

    def _archives(self, position: int) -> list[Path]:
        if position in self._kept:
            return []
        return [self.clips[position].archive(self.data.folder, self.spec.stored.landmark.store)]

    def _points(self, position: int) -> Points:
        if position not in self._kept:
            self._kept[position] = read_points(*self._archives(position), self.spec.stored.landmark)
        return self._kept[position]

    def _fill(self, position: int, place: np.ndarray) -> None:
        if self.augmentation is not None:
            place[:] = self.augmentation.see(self._points(position), self._draw(position), len(place))
            return
        if position not in self._seen:
            self._seen[position] = posture.seen(self._points(position), self.spec.input)
        place[:] = self._seen[position]


def point_generators(args, data: Dataset, spec: ClipSpec) -> dict:
    """The training and validation batches. With --refit the validation clips are for training too, and `valid` is
    None."""
    again, labels = getattr(args, "refit", None), [row.label for row in data.classes]
    augmentation = options.make(PointAugmentation, args, flip=args.flip is not None, swaps=swaps_of(args))
    settings = {"batch": args.batch, "seed": args.seed, "workers": args.workers}

    def batches(splits, **more) -> PointGenerator:
        clips = [item for split in splits for item in run_folder.split_of(data, split)]
        return PointGenerator(data, clips, spec, labels, **settings, **more)

    train = batches(refit.SPLITS if again else ("train",), augmentation=augmentation)
    return {"train": train, "valid": None if again else batches(("valid",))}
