"""The report page of a model: `model/<run>/report/index.html`, with its pictures beside it; opens without a network.

Everything on it comes from metrics.json and bundle.json; report_page.html is its Jinja template, report_page.css and
report_page.js are written into it. A browser runs nothing else (Content-Security-Policy), and the page works without.
"""

import base64
import hashlib
from collections import Counter
from pathlib import Path

from signs import command
from signs.clips.modality import PICTURES, TABLE
from signs.clips.names import folded
from signs.evaluation import curves, findings, plain_words, plots, scores, shown_clips
from signs.evaluation.foreign import ForeignModel
from signs.evaluation.metrics import Metrics, SplitResult
from signs.inference.bundle import Bundle
from signs.inference.predictions import NETWORK_WORDS, WORDS, Predictions, titles
from signs.live import lettering
from signs.training.log import Log

import jinja2
import markupsafe

SPLIT_WORDS = {"train": "training", "valid": "validation", "test": "test"}
REGIONS = {
    "middle": "middle of the picture",
    "signer": "cut to whoever signs",
    "body": "cut to the body",
    "hands": "both hands",
}
POLICY = "default-src 'none'; img-src 'self' file:; style-src {style}; script-src {script}; base-uri 'none'"


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


def stream_titles(bundle: Bundle | ForeignModel, streams) -> dict[str, str]:
    """{stream: its name for people}, as `predictions.titles`; where several networks see the same, with the network,
    and what it sees of the picture."""
    called, alike = titles(streams), [stream.modality for stream in bundle.streams]
    plain = titles(alike)
    for stream in bundle.streams:
        if stream.name in called and alike.count(stream.modality) > 1:
            words = [plain[stream.modality], NETWORK_WORDS[stream.network]]
            if stream.modality in PICTURES:
                words.append(REGIONS[bundle.spec_of(stream).input.region])
            called[stream.name] = ", ".join(words)
    twice = Counter()
    for name, title in called.items():
        twice[title] += 1
        called[name] = f"{title}, number {twice[title]}" if twice[title] > 1 else title
    return called


def about_model(bundle: Bundle | ForeignModel, data: str) -> list[tuple[str, str]]:
    """What a reader needs to make the model again: (what, text) each."""
    if isinstance(bundle, ForeignModel):
        return bundle.about
    stored, about, inputs = bundle.spec.stored, bundle.about, {}
    called = stream_titles(bundle, [stream.name for stream in bundle.streams])
    for stream in bundle.streams:
        seen = bundle.spec_of(stream).input
        if stream.modality not in PICTURES:
            inputs.setdefault(f"points at {command.counted(seen.frames, 'moment')}", []).append(called[stream.name])
            continue
        frames, views = command.counted(seen.frames, "frame"), command.counted(seen.views, "view")
        size = f"{frames}, {seen.crop} pixels, {views}, region {seen.region}"
        inputs.setdefault(f"{size}, scale {seen.scale}, still {seen.still}", []).append(called[stream.name])
    flags = [
        f"{name.replace('_', ' ')} {', '.join(map(str, value)) if isinstance(value, list) else value}"
        for name, value in about.get("flags", {}).items()
        if value is not None
    ]
    alike = len(inputs) == 1
    stores = dict.fromkeys(store for stream in bundle.streams for store in TABLE[stream.modality].stores(stored))
    return [
        ("model", str(bundle.folder)),
        ("data set", data),
        ("stored", " and ".join(stores)),
        ("seen", "; ".join(text if alike else f"{' and '.join(names)}: {text}" for text, names in inputs.items())),
        ("networks", "; ".join(f"{called[stream.name]}: {stream.network}" for stream in bundle.streams)),
        ("training", "; ".join(flags)),
        ("commit", about.get("commit") or "unknown"),
        ("versions", ", ".join(f"{name} {version}" for name, version in about.get("versions", {}).items())),
    ]


def write_page(
    bundle: Bundle | ForeignModel, data: str, split: str, metrics: Metrics, predictions: Predictions
) -> Path:
    """Draw the page's pictures and write it; returns its path. `data` is the data set's name; `predictions` are of
    `split`, the fused ones included."""
    result, log = metrics.splits[split], Log(bundle.folder / "log.csv")
    folder = bundle.folder / "report"
    logged = [each.name for each in bundle.streams if log.rows_of(each.name)]
    limited = metrics.calibration is not None and metrics.calibration["threshold"] is not None
    draw_plots(bundle, split, result, predictions, folder, limited)
    if logged:
        curves.write_training(log, logged, folder / "training.png")
    words = page_words(bundle, split, metrics, predictions)
    words |= {"data": data, "logged": logged, "about": about_model(bundle, data), **inlined()}
    template = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(
        beside("html")
    )
    path = folder / "index.html"
    # No line begins with a percent sign.
    command.write_text(path, template.render(words).replace(" %", "\N{NO-BREAK SPACE}%"))
    return path


def draw_plots(
    bundle: Bundle | ForeignModel, split: str, result, predictions: Predictions, folder: Path, limited: bool
) -> None:
    """confusion.png and calibration.png of a `metrics.SplitResult`; limited: there is a rejection threshold."""
    stream, names = predictions.fused, readable_names(bundle.classes)
    title = f"{titles(result.streams)[stream]}, {result.clips} {SPLIT_WORDS[split]} clips"
    signs = [names[label] for label in predictions.labels]
    plots.write_confusion(predictions.confusion(stream), signs, title, folder / "confusion.png")
    rejection = result.rejection if limited else None
    plots.write_calibration(result.streams[stream]["calibration"], rejection, folder / "calibration.png")


def page_words(bundle: Bundle | ForeignModel, split: str, metrics: Metrics, predictions: Predictions) -> dict:
    """What the template says of a split, whose predictions these are."""
    result, stream = metrics.splits[split], predictions.fused
    score = result.streams[stream]
    idle = shown_clips.idle_labels(bundle.classes)
    found = findings.find(result, predictions, idle)
    share = found.gestures
    return {
        "run": bundle.folder.resolve().name,
        "split": split,
        "stream": stream,
        "metrics": metrics,
        "names": {label: own(name) for label, name in readable_names(bundle.classes).items()},
        "own": own,
        "titles": stream_titles(bundle, result.streams),
        "foreign": isinstance(bundle, ForeignModel),
        "kinds": {each.name: WORDS[each.modality] for each in bundle.streams},
        "words": SPLIT_WORDS,
        "columns": [f"top{k}" for k in scores.TOP if k < max(result.classes, 2)] + ["mean_per_class"],
        "of_ten": plain_words.tenths(share.value, share.low, share.high) if share else "",
        "found": found,
        "people": people_of(result, stream),
        "idle": idle,
        "sureness": plain_words.sureness(score["calibration"]["reliability"]),
        "groups": shown_clips.group_clips(result.gallery or [], [person.signer for person in found.apart]),
        "fails": findings.FAILS,
        "named": findings.NAMED,
        "few": findings.FEW,
        "more": plain_words.MORE,
    }


def people_of(result: SplitResult, stream: str) -> list[dict]:
    """Rows of `scores.per_signer` over the clips of signs; idle, named: how many clips of no sign that person has, and
    how many of them are named so."""
    every = {folded(row["signer"]): row for row in result.streams[stream]["signers"]}
    counted = result.signs["streams"] if result.signs else result.streams
    rows = [(row, every[folded(row["signer"])]) for row in counted[stream]["signers"]]
    return [
        {**row, "idle": of_all["clips"] - row["clips"], "named": of_all["right"] - row["right"]} for row, of_all in rows
    ]


def beside(ending: str) -> str:
    """The text of report_page.<ending>."""
    return Path(__file__).with_name(f"report_page.{ending}").read_text(encoding="utf-8")


def inlined() -> dict[str, str]:
    """The page's style and script, and a policy that allows nothing else."""
    style, script = beside("css"), beside("js")
    hashes = {
        name: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for name, text in (("style", style), ("script", script))
    }
    policy = POLICY.format(**{name: f"'sha256-{text}'" for name, text in hashes.items()})
    return {"style": markupsafe.Markup(style), "script": markupsafe.Markup(script), "policy": policy}
