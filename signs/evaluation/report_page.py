"""The report page of a model: `model/<run>/report/index.html`, with its pictures beside it; opens without a network.

Everything on it comes from metrics.json and bundle.json; page.html is its Jinja template.
"""

import json
from pathlib import Path

from signs import command
from signs.clips.spec import InputSpec
from signs.evaluation import plots, scores
from signs.inference.bundle import Bundle
from signs.inference.predictions import Predictions, titles
from signs.training.log import Log

import jinja2

WORDS = {"train": "training", "valid": "validation", "test": "test"}
WORST = 3  # signs named in the first paragraph


def readable(classes) -> dict[str, str]:
    """{label: name}, with the label in front where two classes have one name."""
    names = [row.name.replace("_", " ").strip() or row.label for row in classes]
    return {
        row.label: name if names.count(name) == 1 else f"{row.label} {name}"
        for row, name in zip(classes, names, strict=True)
    }


def flag(name: str, value) -> str:
    name = name.replace("_", "-")
    if isinstance(value, bool):
        return f"--{name}" if value else f"--no-{name}"
    return f"--{name} {value}"


def view(seen: InputSpec) -> str:
    """In words."""
    return (
        f"{seen.frames} frames, {seen.crop} pixels, {seen.views} view(s), region {seen.region}, "
        f"scale {seen.scale}, still {seen.still}"
    )


def about(bundle: Bundle, data: str) -> list[tuple[str, str]]:
    """What a reader needs to make it again."""
    stored, said, seen = bundle.spec.stored, bundle.about, {}
    for stream in bundle.streams:
        seen.setdefault(view(bundle.spec_of(stream).input), []).append(stream.name)
    flags = [flag(name, value) for name, value in said.get("flags", {}).items() if value is not None]
    return [
        ("model", str(bundle.folder)),
        ("data set", data),
        ("stored", " and ".join([stored.frame_store] + ([stored.flow_store] if stored.flow else []))),
        ("seen", "; ".join(f"{', '.join(names)}: {what}" if len(seen) > 1 else what for what, names in seen.items())),
        ("networks", ", ".join(f"{stream.name}: {stream.network}" for stream in bundle.streams)),
        ("training", " ".join(flags)),
        ("commit", said.get("commit") or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in said.get("versions", {}).items())),
    ]


def write(bundle: Bundle, data: str, split: str, metrics: dict, predictions: Predictions) -> Path:
    """Draw the page's pictures and write it; returns its path.

    Args:
        metrics: all of metrics.json; predictions: of `split`, the fused ones included.
    """
    folder, here = bundle.folder / "report", metrics[split]
    stream, called = predictions.fused, titles(here)
    names, log = readable(bundle.classes), Log(bundle.folder / "log.csv")
    streams = [one.name for one in bundle.streams if log.of(one.name)]
    plots.sorted_confusion(
        predictions.confusion(stream),
        [names[label] for label in predictions.labels],
        f"{called[stream]}, {here['clips']} {WORDS[split]} clips",
        folder / "confusion.png",
    )
    calibration = metrics.get("calibration")
    plots.calibrated(here[stream]["calibration"], here["rejection"], folder / "calibration.png")
    if streams:
        plots.training_curves(log, streams, folder / "training.png")
    signs = sorted(
        (row for row in here[stream]["classes"] if row["clips"]), key=lambda row: (row["recall"], -row["clips"])
    )
    best = {**here[stream], "right": sum(row["right"] for row in here[stream]["classes"])}
    words = {
        "run": bundle.folder.resolve().name,
        "data": data,
        "split": split,
        "words": WORDS,
        "titles": called,
        "metrics": metrics,
        "here": here,
        "stream": stream,
        "best": best,
        "names": names,
        "signs": signs,
        "worst_signs": [row for row in signs if row["recall"] < 1][:WORST],
        "silent": [names[row["label"]] for row in here[stream]["classes"] if not row["clips"]],
        "splits": [one for one in WORDS if one in metrics],
        "checks": list(dict.fromkeys(line for one in WORDS if one in metrics for line in metrics[one]["checks"])),
        "columns": [f"top{k}" for k in scores.TOP if k < max(here["classes"], 2)] + ["mean_per_class"],
        "gallery": here.get("gallery", []),
        "calibration": calibration,
        "curves": bool(streams),
        "about": about(bundle, data),
        "fusion": ((calibration or {}).get("about") or {}).get("fusion"),
    }
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        Path(__file__).with_name("report_page.html").read_text(encoding="utf-8")
    )
    path = folder / "index.html"
    with command.atomic(path) as temporary:
        temporary.write_text(template.render(words), encoding="utf-8")
    return path


def read_metrics(folder: Path, model: dict[str, str]) -> dict:
    """metrics.json of a model folder; empty where there is none, or it belongs to other weights."""
    try:
        found = json.loads((folder / "metrics.json").read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return found if found.get("model") == model else {}
