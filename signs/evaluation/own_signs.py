"""Somebody's own signs: what a few takes teach, and how good that is, asked of takes and people that are left out.

    lines = learn(data, clips, points, folder)      writes a bundle; what there is to say of it

Nothing has to be set: whether signs may be seen in a mirror, and how sure answers are, the same left-out takes tell.
One more class, `nothing`, is for what is no sign that was taught (signs/training/background.py).
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from signs import command
from signs.clips import posture, storage
from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.no_sign import NOTHING, with_nothing
from signs.clips.points import Points
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.evaluation import before_after, calibration, plain_words
from signs.evaluation import unknown as unknown_signs
from signs.inference.bundle import DGS, Bundle, Stream, load_bundle, load_keras, save_bundle
from signs.inference.confidence import FALSE_ALARMS, tempered
from signs.inference.model_exchange import KNOWN
from signs.inference.predictions import Predictions
from signs.training import last_layer
from signs.training.background import FILE, background_of

import numpy as np
from scipy.special import softmax

STREAM = "landmark"
SURE = 0.15  # temperature of answers where no take can be left out
TAKES = 5  # groups into which the takes of one person are left out, at most


def groups_of(clips: list[Clip]) -> dict[str, np.ndarray]:
    """{"new": who makes each clip, where there are several people; "known": which of a person's takes it is}, (N,)."""
    signers = np.array([item.signer for item in clips])
    number, takes = {}, []
    for item in clips:
        one = number[item.signer, item.label] = number.get((item.signer, item.label), -1) + 1
        takes.append(one % TAKES)
    several = {"new": signers} if len(set(signers) - {""}) > 1 else {}
    return {**several, "known": np.array(takes)}


class Learnt:
    """The last layer of some clips' signs, and what clips get that were left out of learning it."""

    def __init__(
        self,
        views: last_layer.Views,
        targets: np.ndarray,
        groups: dict[str, np.ndarray],
        background: last_layer.Background | None = None,
    ):
        """groups: of `groups_of`; the first that has two of them decides how signs look in a mirror, and how sure
        answers are; background: what is no sign, where a class is for it."""
        self.truth, self.background = targets.argmax(axis=1), background
        asked = {name: each for name, each in groups.items() if len(set(each)) > 1}
        self.in_mirror, self.temperature, logits, unknown = None, SURE, {}, []
        if asked:
            first = next(iter(asked.values()))
            self.in_mirror = find_mirror(views, targets, first)
            logits = {
                name: last_layer.answers_left_out(views, targets, each, self.in_mirror, background=background)
                for name, each in asked.items()
            }
            probabilities = softmax(np.float64(next(iter(logits.values()))), axis=1)
            self.temperature = calibration.fit_temperature(probabilities, self.truth)
            if background:
                unknown = unknown_signs.answers_left_out(views, targets, first, self.in_mirror, background)
        self.answers = {name: self.probabilities(rows) for name, rows in logits.items()}
        self.unknown = [self.probabilities(rows) for rows in unknown]
        layer = last_layer.fit(views, targets, self.in_mirror, background)
        self.layer = tuple(part / self.temperature for part in layer)

    def probabilities(self, logits: np.ndarray) -> np.ndarray:
        """(N, classes) of what a layer gives that was not divided by the temperature."""
        return softmax(np.float64(logits) / self.temperature, axis=1)

    def calibrate(self, table: Predictions, classes: list[Label], hashes: dict[str, str]) -> calibration.Calibration:
        """How sure answers are, and how sure they have to be, from one of the tables of `answers`."""
        known = calibration.learn_calibration(table, classes, FALSE_ALARMS, hashes)
        if not self.unknown:
            return known

        def confidence(rows: np.ndarray) -> np.ndarray:
            after = known.calibrated(rows)
            return np.where(after.argmax(axis=1) == self.background.column, 0, after.max(axis=1))

        rows = table.streams[STREAM]
        right = (rows.argmax(axis=1) == table.truth) & (table.truth != self.background.column)
        none = rows[table.truth == self.background.column]
        unknown = [confidence(each) for each in (*self.unknown, none)]
        return replace(known, threshold=unknown_signs.find_threshold(confidence(rows)[right], unknown))


def find_mirror(views: last_layer.Views, targets: np.ndarray, groups: np.ndarray) -> np.ndarray | None:
    """(classes,) what each class is in a mirror, or None where signs are not to be seen in one: takes that are left out
    decide. A class without takes stays what it is."""
    taken = targets.any(axis=0)
    takes, truth = targets[:, taken], targets[:, taken].argmax(axis=1)

    def loss(way: np.ndarray | None) -> float:
        probabilities = softmax(np.float64(last_layer.answers_left_out(views, takes, groups, way)), axis=1)
        fitted = tempered(probabilities, calibration.fit_temperature(probabilities, truth))
        return calibration.log_loss(fitted, truth)

    pairs = last_layer.find_pairs(views, takes, groups)
    if loss(None) <= loss(pairs):
        return None
    whole = np.arange(targets.shape[1])
    whole[taken] = whole[taken][pairs]
    return whole


def open_start(folder: Path = DGS) -> tuple[Callable, int, object]:
    """What the last layer stands on: (B, moments, values) -> (B, D), how many moments it sees, and its keras.Model.

    folder: of a bundle of train_landmark.py.
    """
    load_keras()
    from signs.inference import runtime
    from signs.models import landmark as network

    start = load_bundle(folder)
    arguments = {name: value for name, value in start.streams[0].arguments.items() if name != "mirror"}
    row = replace(start.streams[0], arguments=arguments)
    model = runtime.KerasNetwork.load(row, start.weights(row)).model
    below = runtime.KerasNetwork(network.below_top(model))
    return below.logits, start.spec.input.frames, model


def learn(data: Dataset, clips: list[Clip], points: list[Points], folder: Path) -> list[str]:
    """Write a bundle of clips' signs into a folder; what there is to say of it, a line each."""
    below, moments, start = open_start()
    from signs.inference import runtime
    from signs.models import landmark as network
    from signs.models.weights import copy_weights
    from signs.training import averaging

    stored = storage.find_landmarks(data)
    views = last_layer.views_of(below, points, moments)
    classes = with_nothing(data.classes)
    labels = [row.label for row in classes]
    targets = np.eye(len(labels), dtype=np.float32)[[labels.index(item.label) for item in clips]]
    learnt = Learnt(views, targets, groups_of(clips), no_sign(below, moments, start, views, points, targets, labels))
    arguments = {"input_shape": [moments, posture.VALUES], "classes": len(labels)}
    if learnt.in_mirror is not None:
        arguments["mirror"] = {"classes": learnt.in_mirror.tolist(), "values": posture.in_mirror()}
    row = Stream(STREAM, STREAM, STREAM, arguments, {"weights": f"{STREAM}.weights.h5"})
    model = runtime.build_network(row)
    copy_weights(start, model)
    network.set_top(model, *learnt.layer)
    averaging.save_weights(model, folder / row.files["weights"])
    spec = ClipSpec(replace(StoredSpec(), flow=None, landmark=stored), InputSpec(frames=moments))
    about = {"flags": {"script": "learn.py"}, "data": {"folder": data.folder.name, "clips": {"train": len(clips)}}}
    save_bundle(Bundle(folder, spec, classes, [row], "mean", {**about, KNOWN: identity(data, clips)}))
    tables = {name: Predictions(clips, labels, {STREAM: rows}) for name, rows in learnt.answers.items()}
    if tables:
        left_out = Predictions(clips, labels, learnt.answers)
        left_out.write(Predictions.path(folder, before_after.LEFT_OUT))
        hashes = load_bundle(folder).hashes
        learnt.calibrate(next(iter(tables.values())), classes, hashes).write(folder)
    return plain_words.describe(tables, clips, {row.label: row.name for row in classes}, data.folder)


def no_sign(below, moments: int, start, views, points: list[Points], targets, labels: list[str]):
    """The background for the class NOTHING of `labels`; below, moments, start: of `open_start`."""
    top = start.get_layer("Logits").get_weights()
    return background_of(below, moments, top, views, points, targets, labels.index(NOTHING), DGS)


def identity(data: Dataset, clips: list[Clip]) -> str:
    """Of all that a model is learnt from."""
    rows = [(item.clip, item.label, item.signer, item.content) for item in clips]
    stored = storage.find_landmarks(data).to_json()
    classes = [asdict(row) for row in data.classes]
    start = [command.sha256(DGS / name) for name in ("bundle.json", FILE)]
    return hashlib.sha256(json.dumps([rows, classes, stored, start]).encode()).hexdigest()
