"""Somebody's own signs: what a few takes teach, and how good that is, asked of takes and people that are left out.

    lines = learn(data, clips, points, folder)      writes a bundle; what there is to say of it

Nothing has to be set: whether signs may be seen in a mirror, and how sure answers are, the same left-out takes tell.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from signs import command
from signs.clips import posture, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.points import Points
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.evaluation import before_after, calibration, plain_words
from signs.inference.bundle import Bundle, Stream, load_bundle, load_keras, save_bundle
from signs.inference.confidence import FALSE_ALARMS, tempered
from signs.inference.predictions import Predictions
from signs.training import last_layer

import numpy as np
from scipy.special import softmax

DGS = Path(__file__).resolve().parents[1] / "models" / "dgs"
STREAM = "landmark"
KNOWN = "learnt_from"  # in bundle.json: a hash of all that the model learnt from
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

    def __init__(self, views: last_layer.Views, targets: np.ndarray, groups: dict[str, np.ndarray]):
        """groups: of `groups_of`; the first that has two of them decides how signs look in a mirror, and how sure
        answers are."""
        self.truth = targets.argmax(axis=1)
        asked = {name: each for name, each in groups.items() if len(set(each)) > 1}
        self.in_mirror, self.temperature, logits = None, SURE, {}
        if asked:
            name, first = next(iter(asked.items()))
            ways = (None, last_layer.find_pairs(views, targets, first))
            tried = [last_layer.answers_left_out(views, targets, first, way) for way in ways]
            best = int(np.argmin([self.loss(rows) for rows in tried]))
            self.in_mirror, logits[name] = ways[best], tried[best]
            probabilities = softmax(np.float64(tried[best]), axis=1)
            self.temperature = calibration.fit_temperature(probabilities, self.truth)
        for name in asked.keys() - logits.keys():
            logits[name] = last_layer.answers_left_out(views, targets, asked[name], self.in_mirror)
        self.answers = {name: softmax(np.float64(rows) / self.temperature, axis=1) for name, rows in logits.items()}
        self.layer = tuple(part / self.temperature for part in last_layer.fit(views, targets, self.in_mirror))

    def loss(self, logits: np.ndarray) -> float:
        """Of answers at the temperature that fits them best."""
        probabilities = softmax(np.float64(logits), axis=1)
        fitted = tempered(probabilities, calibration.fit_temperature(probabilities, self.truth))
        return calibration.log_loss(fitted, self.truth)


def open_start() -> tuple[Callable, int, object]:
    """What the last layer stands on: (B, moments, values) -> (B, D), how many moments it sees, and its keras.Model."""
    load_keras()
    from signs.inference import runtime
    from signs.models import landmark as network

    start = load_bundle(DGS)
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
    labels = [row.label for row in data.classes]
    targets = np.eye(len(labels), dtype=np.float32)[[labels.index(item.label) for item in clips]]
    learnt = Learnt(views, targets, groups_of(clips))
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
    save_bundle(Bundle(folder, spec, data.classes, [row], "mean", {**about, KNOWN: identity(data, clips)}))
    tables = {name: Predictions(clips, labels, {STREAM: rows}) for name, rows in learnt.answers.items()}
    if tables:
        left_out = Predictions(clips, labels, learnt.answers)
        left_out.write(Predictions.path(folder, before_after.LEFT_OUT))
        hashes = load_bundle(folder).hashes
        calibration.learn_calibration(next(iter(tables.values())), data.classes, FALSE_ALARMS, hashes).write(folder)
    return plain_words.describe(tables, clips, {row.label: row.name for row in data.classes}, data.folder)


def identity(data: Dataset, clips: list[Clip]) -> str:
    """Of all that a model is learnt from."""
    rows = [(item.clip, item.label, item.signer, item.sha256) for item in clips]
    stored = storage.find_landmarks(data).to_json()
    classes = [asdict(row) for row in data.classes]
    return hashlib.sha256(json.dumps([rows, classes, stored, command.sha256(DGS / "bundle.json")]).encode()).hexdigest()
