"""Batches of points for a network over time: what landmark.py stored, as posture.py makes a network see it."""

from pathlib import Path

from signs import command
from signs.clips import posture
from signs.clips.dataset import Clip, Dataset
from signs.clips.no_sign import NOTHING
from signs.clips.points import Points, read_points
from signs.clips.spec import ClipSpec
from signs.command import Problem
from signs.training import no_sign_clips, options, refit, run_folder
from signs.training.batches import Batches
from signs.training.flags import swaps_of
from signs.training.point_augmentation import PointAugmentation

import numpy as np

STREAM = "landmark"


class PointGenerator(Batches):
    """Batches of clips' points: (B, T, posture.VALUES) float32. All clips are kept in memory, 100 KB each."""

    at_hand = True

    def __init__(self, data: Dataset, clips: list[Clip], spec: ClipSpec, labels: list[str], drawn=(), **settings):
        """drawn: Points of clips of the class NOTHING that lie nowhere; settings: of Batches."""
        made = [Clip(f"drawn {number}", "train", NOTHING, "", "", "", "") for number in range(len(drawn))]
        super().__init__([*clips, *made], labels, (spec.input.frames, posture.VALUES), **settings)
        self.data, self.spec, self._seen = data, spec, {}
        self._kept = dict(enumerate(drawn, len(clips)))

    def _archives(self, position: int) -> list[Path]:
        if position in self._kept:
            return []
        return [self.clips[position].archive(self.data.folder, self.spec.stored.landmark.store)]

    def points(self, position: int) -> Points:
        """Of the clip at a position."""
        if position not in self._kept:
            self._kept[position] = read_points(*self._archives(position), self.spec.stored.landmark)
        return self._kept[position]

    def _fill(self, position: int, place: np.ndarray) -> None:
        if self.augmentation is not None:
            place[:] = self.augmentation.see(self.points(position), self._draw(position), len(place))
            return
        if position not in self._seen:
            self._seen[position] = posture.seen(self.points(position), self.spec.input)
        place[:] = self._seen[position]


def point_generators(args, data: Dataset, spec: ClipSpec) -> dict:
    """The training and validation batches. With --refit the validation clips are for training too, and `valid` is
    None. With `--no-sign` there are clips of no sign among the training's."""
    again, labels = getattr(args, "refit", None), [row.label for row in data.classes]
    augmentation = options.make(PointAugmentation, args, flip=args.flip is not None, swaps=swaps_of(args))
    settings = {"batch": args.batch, "seed": args.seed, "workers": args.workers}

    def batches(splits, drawn=(), **more) -> PointGenerator:
        clips = [item for split in splits for item in run_folder.split_of(data, split)]
        return PointGenerator(data, clips, spec, labels, drawn, **settings, **more)

    splits = refit.SPLITS if again else ("train",)
    drawn = draw_no_sign(args, batches(splits)) if args.no_sign and NOTHING in labels else []
    return {"train": batches(splits, drawn, augmentation=augmentation), "valid": None if again else batches(("valid",))}


def draw_no_sign(args, batches: PointGenerator) -> list[Points]:
    """Clips of no sign, drawn with the bodies of the clips of some batches; raises Problem where no arms are seen."""
    takes = [batches.points(position) for position in range(len(batches.clips))]
    loops = no_sign_clips.loops_not_taught(takes, [item.label for item in batches.clips])
    if not (drawn := no_sign_clips.draw_clips(takes, loops, args.no_sign, args.seed)):
        raise Problem("no clip shows both arms, to draw what is no sign with; train without it: --no-sign 0")
    clips = command.counted(len(takes), "training clip")
    print(f"no sign: {command.counted(len(drawn), 'clip')} drawn with the bodies of {clips}", flush=True)
    return drawn
