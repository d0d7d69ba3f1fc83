"""Batches of features for the recurrent network: rows of the files that feature.py wrote."""

from signs.clips.dataset import Clip, Dataset
from signs.clips.spec import InputSpec
from signs.command import Problem
from signs.inference.feature_file import FeatureFile
from signs.training import options, run_folder
from signs.training.augmentation import Augmentation
from signs.training.batches import Batches

import numpy as np


class FeatureGenerator(Batches):
    """Batches of features: (B, T, D) rows of a feature file, those that the network's `InputSpec` picks.

    They are read when they are asked for and not kept: what was read once lies in the system's own cache, and memory
    does not grow with the data set.
    """

    def __init__(self, file: FeatureFile, clips: list[Clip], spec: InputSpec, labels: list[str], **settings):
        """settings: of Batches."""
        super().__init__(clips, labels, (spec.frames, file.about.dimension), **settings)
        self.max_queue_size = 2  # rows are read in a fiftieth of a step's time; batches that wait cost memory alone
        self.file, self.spec = file, spec
        self.check()
        self._places = [file.position[item.clip] for item in clips]

    def check(self) -> None:
        """Raise Problem where the file has a clip under another label."""
        for item in self.clips:
            label = self.file.labels[self.file.position[item.clip]]
            if label != item.label:
                what = f"{item.clip} has label {label} there and {item.label} in clips.csv"
                raise Problem(f"{self.file.path}: {what}; run feature.py again")

    def _fill(self, position: int, place: np.ndarray) -> None:
        rows = self.file.rows(self._places[position])
        place[:] = rows[self._pick(position, len(rows))]

    def _pick(self, position: int, count: int) -> np.ndarray:
        """In training a run begins anywhere, and even frames are those of a part of the clip."""
        if self.augmentation is None:
            return self.spec.pick(count)
        if self.spec.sampling == "run":
            rng = np.random.default_rng([self.seed, self.epoch, position])
            return self.spec.run(count, int(rng.integers(max(count - self.spec.frames, 0) + 1)))
        return self.spec.pick(count, *self._draw(position).part)


def feature_generators(args, data: Dataset, files: dict[str, FeatureFile], spec: InputSpec) -> dict:
    """{split: its batches} of the files' splits; `train` is augmented, as far as features can be. Raises Problem where
    a clip was stored anew since its features were made."""
    generators, labels = {}, [row.label for row in data.classes]
    settings = {"batch": args.batch, "seed": args.seed, "workers": args.workers}
    for split, file in files.items():
        clips = run_folder.split_of(data, split)
        for item in clips:
            if not file.is_fresh(data, item):
                raise Problem(f"{file.path}: {item.clip} was stored anew since; run feature.py again")
        augmentation = options.make(Augmentation, args) if split == "train" else None
        generators[split] = FeatureGenerator(file, clips, spec, labels, augmentation=augmentation, **settings)
    return generators
