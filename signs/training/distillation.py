"""Distillation: what a teacher says of the training clips, softened, and the loss of a student that learns from it.

    model/<teacher>/logits-<data>.npz    its logits of every training clip, computed once for all its students

With z a network's logits and T the temperature, P_i = exp(z_i / T) / sum_j exp(z_j / T); the loss is
alpha * L_soft + (1 - alpha) * L_hard, L_soft the cross-entropy of the teacher's and the student's P, L_hard that of the
labels (Mullick & Namboodiri, ICIP 2017). Hinton, Vinyals & Dean (Distilling the knowledge in a neural network, 2015)
have T^2 before L_soft, whose gradients shrink with 1 / T^2; the paper has not, and `squared` chooses.
A teacher of several streams has each stream's logits softened; then they are averaged as its answers are, so that at
T = 1 the soft targets are its answers. They are those of clips without augmentation, whatever the student is shown.
"""

import json
import zipfile
from argparse import ArgumentParser, Namespace
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip, Dataset
from signs.command import Problem
from signs.inference.bundle import Bundle, load_bundle
from signs.inference.confidence import load_calibration
from signs.inference.predictions import probabilities_of
from signs.training import options
from signs.training.options import option
from signs.training.recipe import Recipe

import numpy as np


@dataclass(frozen=True)
class Lesson:
    """soft: (N, classes) float32, the teacher's softened answers for the training clips, in their order."""

    soft: np.ndarray
    temperature: float = option(2.0, "logits are divided by it: the higher, the more is said of wrong classes", above=0)
    alpha: float = option(0.5, "weight of the teacher; 0: the labels alone", least=0, most=1)
    squared: bool = option(
        False, "T^2 times the teacher's weight (Hinton et al. 2015): as much pull at any temperature"
    )

    def objective(self, class_weights: dict[int, float] | None):
        """training.Objective of targets (B, 2, classes), the clip's own and the teacher's.

        Args:
            class_weights: {class index: weight of its clips' loss}, or None.
        """
        from signs.training.loop import Objective

        import keras
        from keras import ops

        entropy = partial(keras.losses.categorical_crossentropy, from_logits=True)
        pull = self.alpha * (self.temperature**2 if self.squared else 1)
        weights = np.array([(class_weights or {}).get(index, 1.0) for index in range(self.soft.shape[1])], np.float32)

        def loss(targets, logits):
            hard, soft = targets[:, 0], targets[:, 1]
            both = pull * entropy(soft, logits / self.temperature) + (1 - self.alpha) * entropy(hard, logits)
            return both * ops.take(weights, ops.argmax(hard, axis=1))

        def accuracy(targets, logits):
            return keras.metrics.categorical_accuracy(targets[:, 0], logits)

        return Objective(loss, accuracy)


def add_flag(parser: ArgumentParser) -> None:
    """`--teacher MODEL NAME=VALUE ...`: the settings of Lesson."""
    settings = options.options(Lesson)

    def read(words: list[str]) -> dict:
        return {"teacher": Path(words[0]), **options.read_settings(words[1:], settings)}

    defaults = dict.fromkeys(("teacher", *(row.name for row in settings)))
    how = {"metavar": ("MODEL", "NAME=VALUE"), "help": "learn from its answers too, e.g. model/chalearn; see below"}
    options.add_spread(parser, "--teacher", read, defaults=defaults, nargs="+", **how)
    options.add_names(parser, "--teacher", settings, {"": {}})


def fill(args: Namespace) -> None:
    """Give what was not named of a lesson its usual value, where there is a teacher."""
    if args.teacher:
        options.fill(args, options.options(Lesson))


def load_teacher(args, data: Dataset) -> Bundle | None:
    """The model behind --teacher; raises Problem where it knows other classes, or cannot see these clips. None without
    one."""
    if not args.teacher:
        return None
    teacher = load_bundle(args.teacher)
    check(teacher, data)
    # A run goes on with the teacher that it began with: all that makes its answers.
    args.teacher_sha256 = teacher.hashes
    args.teacher_fusion = load_calibration(teacher.folder, teacher.hashes).weights
    return teacher


def begin(lesson: Lesson | None, recipe: Recipe, batches):
    """(recipe, training.Objective) of a student, whose training `batches` get the teacher's answers; without a lesson
    the recipe as it is, and the usual objective."""
    from signs.training.loop import Objective

    if lesson is None:
        return recipe, Objective()
    batches.soft = lesson.soft
    objective = lesson.objective(recipe.class_weights(batches.targets))
    return replace(recipe, balance=False), objective  # the lesson's loss has the weights


def check(teacher: Bundle, data: Dataset) -> None:
    """Raise Problem where the teacher cannot teach these classes, or see these clips."""
    from signs.inference.recogniser import check_store

    known, wanted = {row.label for row in teacher.classes}, {row.label for row in data.classes}
    if known != wanted:
        counts = f"{len(known)} and {len(wanted)}; only one has {', '.join(sorted(known ^ wanted)[:5])}"
        reason = f"knows other classes than {data.folder} ({counts})"
        raise Problem(f"{teacher.folder}: {reason}; teach with a model of the same classes")
    check_store(teacher, data)


def lesson(args, teacher: Bundle, data: Dataset, clips: list[Clip]) -> Lesson:
    """The teacher's lesson on the training clips; its networks run only where their logits are not stored yet."""
    answers = logits(teacher, data, clips, args.workers)
    classes = len(teacher.classes)
    softened = {name: probabilities_of(rows / args.temperature, classes) for name, rows in answers.items()}
    fused = load_calibration(teacher.folder, teacher.hashes).fuse(softened)
    order = {row.label: column for column, row in enumerate(teacher.classes)}
    return options.make(Lesson, args, soft=np.float32(fused[:, [order[row.label] for row in data.classes]]))


def logits(teacher: Bundle, data: Dataset, clips: list[Clip], workers: int) -> dict[str, np.ndarray]:
    """{stream: (N, classes)} of the teacher for the clips, in their order."""
    path = teacher.folder / f"logits-{data.folder.resolve().name}.npz"
    specs = [teacher.spec_of(row).to_json() for row in teacher.streams]
    shown = [(row.clip, row.content) for row in clips]
    about = json.dumps({"model": teacher.hashes, "spec": specs, "clips": shown})
    with command.lock(teacher.folder, "logits", wait=True):  # students that begin together compute them once
        answers = _stored(path, about)
        if answers is not None:
            print(f"the teacher's answers are there already: {path}")
            return answers
        answers = _compute(teacher, data, clips, workers)
        with command.atomic(path) as temporary:
            np.savez(temporary, about=about, **answers)
    print(f"the teacher's answers, {command.counted(len(clips), 'clip')} -> {path}")
    return answers


def _stored(path: Path, about: str) -> dict[str, np.ndarray] | None:
    """What `logits` left, or None where that is nothing, damaged, or of other weights or clips."""
    try:
        with np.load(path) as file:
            if str(file["about"]) == about:
                return {name: file[name] for name in file.files if name != "about"}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        pass
    return None


def _compute(teacher: Bundle, data: Dataset, clips: list[Clip], workers: int):
    from signs.inference import stored_clips
    from signs.inference.recogniser import Recogniser

    recogniser = Recogniser.load(teacher.folder, runtime="keras")
    _, answers, failed = stored_clips.logits(recogniser, data, clips, 4, workers, "teacher")
    if failed:
        (clip, reason), count = failed[0], f"{len(failed)} of {len(clips)} training clips"
        raise Problem(f"{teacher.folder}: {count} cannot be shown to the teacher, {clip} first: {reason}")
    return answers
