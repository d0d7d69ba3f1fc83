"""What metrics.json holds: how well a model does on each split, as a whole and by stream.

model/<run>/metrics.json    {"model": hashes of the weights, "calibration": ..., "valid": {...}, "test": {...}}
"""

import json
import sys
from dataclasses import dataclass, fields, replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset
from signs.evaluation import calibration, published, scores
from signs.evaluation.shown_clips import idle_labels
from signs.inference.confidence import Calibration
from signs.inference.predictions import FUSED, Predictions


@dataclass
class SplitResult:
    """One split of a data set.

    data: name of the data set and SHA-256 of its clips.csv; checks: what is wrong with the splits and was overridden;
    failed: (clip, reason) of clips that could not be read; clips, unlabelled: how many were scored, how many have no
    label; classes: how many the model knows; rejection: see `calibration.count_false_alarms`.
    streams: {stream: `scores.score_stream`, and as `calibration` `calibration.measure_calibration`}.
    gains: {stream: `scores.Difference` of all together and it, as a dict}, None of a single stream.
    training: `findings.count_training` of the data set; robustness, gallery: None where they were not asked for;
    published: `published.beside`; signs: `measure_signs`, None where every clip is of a sign, or none is.
    """

    data: dict[str, str]
    checks: list[str]
    failed: list
    clips: int
    classes: int
    unlabelled: int
    rejection: dict
    streams: dict[str, dict]
    gains: dict[str, dict] | None = None
    training: dict | None = None
    robustness: dict | None = None
    gallery: list[dict] | None = None
    published: dict | None = None
    signs: dict | None = None

    def to_json(self) -> dict:
        """As it stands in metrics.json: what is about the split and the scores of its streams side by side."""
        about = {name: value for name, value in vars(self).items() if name != "streams" and value is not None}
        return about | self.streams

    @classmethod
    def from_json(cls, content: dict) -> "SplitResult":
        """Raises TypeError where a field is missing."""
        about = {field.name for field in fields(cls)} - {"streams"}
        streams = {name: content[name] for name in content if name not in about}
        return cls(**{name: content[name] for name in content if name in about}, streams=streams)


@dataclass
class Metrics:
    """model: hash of each weight file; calibration: None where nothing was learnt; splits: {split: its result}."""

    model: dict[str, str]
    calibration: dict | None
    splits: dict[str, SplitResult]

    def write(self, folder: Path) -> None:
        """Write metrics.json."""
        results = {split: result.to_json() for split, result in self.splits.items()}
        content = {"model": self.model, "calibration": self.calibration, **results}
        command.write_text(folder / "metrics.json", json.dumps(content, indent=1, allow_nan=False) + "\n")


def read_splits(folder: Path, model: dict[str, str] | None = None) -> dict[str, SplitResult]:
    """{split: its result} of metrics.json; empty where there is none, or it is not about the weights `model`."""
    path = folder / "metrics.json"
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if model is not None and content["model"] != model:
            return {}
        return {split: SplitResult.from_json(content[split]) for split in dataset.SPLITS if split in content}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        print(f"{path}: damaged, or of another version; its numbers are left out", file=sys.stderr)
        return {}


def identity(data: Dataset) -> dict[str, str]:
    """What tells a data set, and its splits, from others."""
    return {"name": data.folder.resolve().name, "clips": command.sha256(data.folder / "clips.csv")}


def measure_signs(predictions: Predictions, idle: frozenset[str]) -> dict | None:
    """The clips of signs alone, as the page counts them: clips, how many; streams: {stream: `scores.score_clips`};
    gains: as those of a SplitResult. None where every clip is of a sign, or none is; idle: labels of no gesture."""
    signs = scores.signs_alone(predictions, idle)
    if signs is None:
        return None
    bootstrap = scores.draw_bootstrap(signs.signers)
    streams = {stream: scores.score_clips(signs, stream, bootstrap) for stream in signs.streams}
    return {"clips": len(signs.clips), "streams": streams, "gains": measure_gains(signs, bootstrap)}


def measure_gains(predictions: Predictions, bootstrap: scores.Bootstrap) -> dict[str, dict] | None:
    """{stream: `scores.Difference` of all together and it, as a dict}, None of a single stream."""
    fused = predictions.fused
    if fused not in FUSED:
        return None
    hits, alone = predictions.hits(fused), [stream for stream in predictions.streams if stream != fused]
    return {stream: vars(scores.difference(hits, predictions.hits(stream), bootstrap)) for stream in alone}


def measure_split(recogniser, predictions: Predictions, data: dict, checks: list[str], failed: list) -> SplitResult:
    """Every number of one split's probabilities, with the calibration that `recogniser` has now."""
    fused, streams = predictions.fused, {}
    for stream in predictions.streams:
        # The temperature is that of the fused answers.
        learnt = recogniser.calibration if stream == fused else Calibration()
        measured = calibration.measure_calibration(learnt, predictions, stream)
        streams[stream] = {**scores.score_stream(predictions, stream), "calibration": measured}
    return SplitResult(
        data=data,
        checks=checks,
        failed=failed,
        clips=int(predictions.scored.sum()),
        classes=len(predictions.labels),
        unlabelled=int((~predictions.scored).sum()),
        rejection=calibration.count_false_alarms(recogniser.calibration, predictions, fused, recogniser.classes),
        streams=streams,
        gains=measure_gains(predictions, scores.draw_bootstrap(predictions.signers)),
        signs=measure_signs(predictions, idle_labels(recogniser.classes)),
    )


def measure_earlier(recogniser, data: Dataset, splits: list[str]) -> dict[str, SplitResult]:
    """{split: result} of earlier evaluations, for the splits that are not evaluated now.

    Their probabilities stay; what the calibration makes of them is computed anew. Results of other weights or other
    data are left out.
    """
    folder, kept = recogniser.bundle.folder, {}
    for split, result in read_splits(folder, recogniser.bundle.hashes).items():
        if split in splits:
            continue
        if result.data != identity(data):
            print(f"{split}: of other data ({result.data['name']}); its numbers are left out of the report")
            continue
        path = Predictions.path(folder, split)
        table = Predictions.read(path, split).with_fused(recogniser.calibration.weights)
        table.write(path)
        again = measure_split(recogniser, table, result.data, result.checks, result.failed)
        beside = published.beside(data, split, table)
        more = {"training": result.training, "robustness": result.robustness, "gallery": result.gallery}
        kept[split] = replace(again, published=beside, **more)
    return kept
