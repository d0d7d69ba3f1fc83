"""The report page of a model: `model/<run>/report/index.html`, with its pictures beside it; opens without a network.

Everything on it comes from metrics.json and bundle.json; report_page.html is its Jinja template.
"""

from pathlib import Path

from signs import command
from signs.clips.modality import PICTURES, TABLE
from signs.evaluation import curves, plots, scores
from signs.evaluation.metrics import Metrics
from signs.inference.bundle import Bundle
from signs.inference.predictions import Predictions, titles
from signs.live import lettering
from signs.training.log import Log

import jinja2
import markupsafe

WORDS = {"train": "training", "valid": "validation", "test": "test"}


def readable_names(classes) -> dict[str, str]:
    """{label: name}, with the label in front where two classes have one name."""
    names = [row.name.replace("_", " ").strip() or row.label for row in classes]
    return {
        row.label: name if names.count(name) == 1 else f"{row.label} {name}"
        for row, name in zip(classes, names, strict=True)
    }


def own(name: str) -> str:
    """A name, in <bdi> where its script runs from right to left: the words around it stay where they are."""
    return markupsafe.Markup("<bdi>{}</bdi>").format(name) if lettering.is_rightward(name) else name


def about_model(bundle: Bundle, data: str) -> list[tuple[str, str]]:
    """What a reader needs to make the model again: (what, text) each."""
    stored, about, inputs = bundle.spec.stored, bundle.about, {}
    for stream in bundle.streams:
        seen = bundle.spec_of(stream).input
        if stream.modality not in PICTURES:
            inputs.setdefault(f"points at {command.counted(seen.frames, 'moment')}", []).append(stream.name)
            continue
        frames, views = command.counted(seen.frames, "frame"), command.counted(seen.views, "view")
        size = f"{frames}, {seen.crop} pixels, {views}, region {seen.region}"
        inputs.setdefault(f"{size}, scale {seen.scale}, still {seen.still}", []).append(stream.name)
    flags = [f"{name.replace('_', ' ')} {value}" for name, value in about.get("flags", {}).items() if value is not None]
    alike = len(inputs) == 1
    stores = dict.fromkeys(store for stream in bundle.streams for store in TABLE[stream.modality].stores(stored))
    return [
        ("model", str(bundle.folder)),
        ("data set", data),
        ("stored", " and ".join(stores)),
        ("seen", "; ".join(text if alike else f"{', '.join(names)}: {text}" for text, names in inputs.items())),
        ("networks", ", ".join(f"{stream.name}: {stream.network}" for stream in bundle.streams)),
        ("training", ", ".join(flags)),
        ("commit", about.get("commit") or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())),
    ]


def write_page(bundle: Bundle, data: str, split: str, metrics: Metrics, predictions: Predictions) -> Path:
    """Draw the page's pictures and write it; returns its path. `data` is the data set's name; `predictions` are of
    `split`, the fused ones included."""
    result, stream, log = metrics.splits[split], predictions.fused, Log(bundle.folder / "log.csv")
    names, called = readable_names(bundle.classes), titles(result.streams)
    folder, title = bundle.folder / "report", f"{called[stream]}, {result.clips} {WORDS[split]} clips"
    signs = [names[label] for label in predictions.labels]
    plots.write_confusion(predictions.confusion(stream), signs, title, folder / "confusion.png")
    plots.write_calibration(result.streams[stream]["calibration"], result.rejection, folder / "calibration.png")
    logged = [each.name for each in bundle.streams if log.rows_of(each.name)]
    if logged:
        curves.write_training(log, logged, folder / "training.png")
    words = {
        "run": bundle.folder.resolve().name,
        "data": data,
        "split": split,
        "stream": stream,
        "metrics": metrics,
        "names": {label: own(name) for label, name in names.items()},
        "own": own,
        "titles": called,
        "words": WORDS,
        "columns": [f"top{k}" for k in scores.TOP if k < max(result.classes, 2)] + ["mean_per_class"],
        "logged": logged,
        "about": about_model(bundle, data),
    }
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        Path(__file__).with_name("report_page.html").read_text(encoding="utf-8")
    )
    path = folder / "index.html"
    command.write_text(path, template.render(words))
    return path
