"""How far the answers of an exported form are from Keras's, how long they take, and whether the form may be used.

sample = read_sample(recogniser, data, "valid", 200)
row = measure(bundle, runtime.FORMS["openvino"], sample, recogniser.calibration)        a row of export.json
"""

import sys
from dataclasses import dataclass

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset
from signs.command import Problem
from signs.inference import exported, quickest, stored_clips
from signs.inference.bundle import Bundle
from signs.inference.confidence import Calibration
from signs.inference.predictions import probabilities_of
from signs.inference.recogniser import Recogniser
from signs.inference.runtime import Form

import numpy as np

CLOSE = 1e-3  # logits of float32 forms, of the largest logit where that is above 1
LOST = 0.01  # accuracy that a reduced form may lose
SURE = 0.2  # margin between the two best above which no answer may change


@dataclass(frozen=True)
class Sample:
    """The clips that forms are checked on, and what Keras makes of them.

    inputs: {stream: (views, T, crop, crop, C) float32} of each clip; truth: (N,) class index, -1 without a label;
    logits: {stream: (N, classes)}, views averaged; accuracy: None without labels; ms: of a clip through all streams.
    """

    inputs: list[dict[str, np.ndarray]]
    truth: np.ndarray
    logits: dict[str, np.ndarray]
    accuracy: float | None
    ms: float


def read_sample(recogniser: Recogniser, data: Dataset, split: str, count: int) -> Sample:
    """At most `count` clips of the split through Keras; raises Problem where none can be read."""
    labels, inputs, truth = {label: i for i, label in enumerate(recogniser.labels)}, [], []
    for item in dataset.spread(data.split(split), count):
        clip, reason = stored_clips.read_inputs(recogniser, data, item)
        if reason:
            print(f"{item.clip}: {reason}", file=sys.stderr)
            continue
        inputs.append(clip)
        truth.append(labels.get(item.label, -1))
    if not inputs:
        raise Problem(f"{data.folder}: no readable clip in the split {split} to check the forms on")
    logits, truth = logits_of(recogniser.networks, inputs), np.array(truth)
    accuracy = accuracy_of(fused(recogniser.calibration, logits), truth)
    return Sample(inputs, truth, logits, accuracy, 1000 * quickest.seconds_of(recogniser.networks, inputs[0], False))


def logits_of(networks: dict, inputs: list[dict]) -> dict[str, np.ndarray]:
    """{stream: (N, classes)} of the clips, views averaged."""
    rows = {name: [network.logits(clip[name]).mean(axis=0) for clip in inputs] for name, network in networks.items()}
    return {name: np.stack(row) for name, row in rows.items()}


def fused(calibration: Calibration, logits: dict[str, np.ndarray]) -> np.ndarray:
    """{stream: (N, classes)} logits -> (N, classes) probabilities."""
    classes = max(rows.shape[-1] for rows in logits.values())
    return calibration.fuse({name: probabilities_of(rows, classes) for name, rows in logits.items()})


def accuracy_of(probabilities: np.ndarray, truth: np.ndarray) -> float | None:
    """Share of the labelled clips whose most probable class is the true one; None without a labelled clip."""
    known = truth >= 0
    return float(np.mean(probabilities.argmax(axis=1)[known] == truth[known])) if known.any() else None


def compare(form: Form, logits: dict, expected: dict, calibration: Calibration, truth: np.ndarray) -> dict:
    """How far a form's logits are from Keras's, `expected`, {stream: (N, classes)} each, and whether it may be used.

    Returns:
        difference, probability: the largest of a logit and of a fused probability; equal: share of equal answers;
        accuracy: None without labels; changed: sure answers that changed; use, why: whether it may be used, and why
        not.
    """
    difference = max(float(np.abs(logits[name] - expected[name]).max()) for name in expected)
    largest = max(1.0, *(float(np.abs(rows).max()) for rows in expected.values()))
    mine, keras = fused(calibration, logits), fused(calibration, expected)
    equal = mine.argmax(axis=1) == keras.argmax(axis=1)
    best = np.sort(keras, axis=1)
    changed = int(np.sum(~equal & (best[:, -1] - best[:, -2] > SURE)))
    accuracy, before = accuracy_of(mine, truth), accuracy_of(keras, truth)
    why = ""
    if not form.reduced:
        if difference > CLOSE * largest:
            why = f"logits are {difference:.2g} off"
    elif accuracy is None:
        why = "no labelled validation clip to judge it by"
    elif before - accuracy > LOST:
        why = f"accuracy falls from {before:.1%} to {accuracy:.1%}"
    elif changed:
        why = f"{changed} sure answer{'s change' if changed > 1 else ' changes'}"
    return {
        "difference": difference,
        "probability": float(np.abs(mine - keras).max()),
        "equal": float(equal.mean()),
        "accuracy": accuracy,
        "changed": changed,
        "use": not why,
        "why": why,
    }


def measure(bundle: Bundle, form: Form, sample: Sample, calibration: Calibration) -> dict:
    """Open a form that was written and compare it with Keras: its row of export.json.

    Returns:
        What `compare` and `quickest.time_form` give, and processor: that it was timed on; sha256: of each of its files.
    Raises:
        Problem: it cannot be opened.
    """
    folder, clip = bundle.folder / form.folder, sample.inputs[0]
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    networks = exported.open_files(bundle, form)
    compared = compare(form, logits_of(networks, sample.inputs), sample.logits, calibration, sample.truth)
    return {
        **compared,
        **quickest.time_form(bundle, form, networks, clip),
        "processor": quickest.processor(),
        "sha256": {path.relative_to(folder).as_posix(): command.sha256(path) for path in files},
    }
