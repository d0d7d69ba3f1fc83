"""README.md of a shared model on a Hub: its model card, from what is known, with the metadata that a Hub reads.

    text = write_card(bundle, Shared("hf://anna/greetings", "CC BY 4.0", ...))

People are counted and never named; the data set's folder is not named either, as it may have a person's name. Numbers
are those of evaluate.py, or of the takes that learn.py left out, with the interval that holds the true one in 95 % of
all cases.
"""

import html
import json
import re
from dataclasses import dataclass

from signs.clips.names import one_spelling
from signs.command import Problem, counted, listed
from signs.evaluation import before_after, metrics, scores
from signs.inference.bundle import Bundle
from signs.inference.confidence import load_calibration
from signs.inference.licence_note import NAMED, UNSTATED
from signs.inference.predictions import FUSED, Predictions

# What a Hub calls licences that people write otherwise.
LICENCES = re.compile(r"(?:cc-by(?:-nc)?(?:-sa|-nd)?-4\.0|cc0-1\.0|mit|apache-2\.0)")
TAGS = ("sign-language-recognition", "isolated-sign-recognition", "openvino")
LEFT_OUT = {
    "new": "each person left out in turn, so for somebody new",
    "known": "takes left out in turn, so for the people in it",
}
HOW = (
    'The programs are those of isolated-signs, with `pip install ".[live,hub]"`; no TensorFlow is needed. Nothing here '
    "is run as code: networks are tables of known operations and numbers. manifest.json has the SHA-256 of each file, "
    "and all are checked before they are read."
)
TAUGHT_NONE = "what is none of these signs gets the name of one all the same: it was not taught what no sign is"


@dataclass(frozen=True)
class Shared:
    """address: where it goes; licence, learnt_from: what its maker states, or nothing; starts: of licence_note.py;
    loops: how many signs have one; points: whether it sees points of body and hands."""

    address: str
    licence: str
    learnt_from: str
    starts: list[str]
    loops: int
    points: bool


def plain(text: str) -> str:
    """A text that people chose, which a page shows as it is: no markup, no link, no picture."""
    return html.escape(text).translate({ord(each): f"&#{ord(each)};" for each in "[]`"})


def write_card(bundle: Bundle, shared: Shared) -> str:
    """The text; bundle: the model as it lies in its folder, with all that is known of it."""
    signs = [row.name for row in bundle.classes if row.kind == "gesture"]
    parts = [
        metadata(shared.licence),
        f"# {counted(len(signs), 'sign')} in video",
        f"It names one sign a clip: {plain(listed(signs, NAMED))}.",
        "## Use",
        f"```\npython livedemo.py --model {shared.address}\npython predict.py --model {shared.address} clip.mp4\n```",
        HOW,
        "## What it learnt from",
        "\n".join(f"* {line}" for line in origins(bundle, shared)),
        "## How often it is right",
        "\n".join(f"* {line}" for line in accuracy(bundle)),
        "## Limits",
        "\n".join(f"* {line}" for line in limits(bundle, shared)),
        "## Licence",
        f"{plain(shared.licence) or UNSTATED.capitalize()}. LICENCE.txt says more.",
    ]
    return "\n\n".join(parts) + "\n"


def metadata(licence: str) -> str:
    """The YAML before the text. JSON's strings are YAML's."""
    known = re.sub(r"[\s_]+", "-", licence.lower().replace("license ", "").replace("licence ", ""))
    rows = {"license": known if LICENCES.fullmatch(known) else "other" if licence else "unknown"}
    if rows["license"] == "other":
        rows |= {"license_name": licence, "license_link": "LICENCE.txt"}
    rows |= {"pipeline_tag": "video-classification", "tags": list(TAGS)}
    return "\n".join(["---", *(f"{name}: {json.dumps(value)}" for name, value in rows.items()), "---"])


def origins(bundle: Bundle, shared: Shared) -> list[str]:
    """Clips, people, what its maker says of the data, and the weights that its training began with."""
    clips = bundle.about.get("data", {}).get("clips", {}).get("train")
    people = count_people(bundle)
    of_whom = f"of {counted(people, 'person', 'people')}" if people else "of people whose number is not known"
    lines = [f"{counted(clips, 'clip')} {of_whom}" if isinstance(clips, int) else f"clips {of_whom}"]
    lines.append(f"data and their licence: {plain(shared.learnt_from) or 'not stated'}")
    return lines + [f"its training began with {start}" for start in shared.starts]


def left_out(bundle: Bundle) -> Predictions | None:
    """Answers of learn.py to takes that were left out."""
    try:
        return Predictions.read(Predictions.path(bundle.folder, before_after.LEFT_OUT), before_after.LEFT_OUT)
    except Problem:
        return None


def count_people(bundle: Bundle) -> int:
    """How many people it learnt from; 0 where that is not known."""
    if table := left_out(bundle):
        people = set(one_spelling(table.signers))
        return 0 if "" in people else len(people)
    results = metrics.read_splits(bundle.folder, bundle.hashes).values()
    return next((result.training["signers"] for result in results if result.training), 0)


def accuracy(bundle: Bundle) -> list[str]:
    """A line for each way in which it was asked."""
    lines, table = [], left_out(bundle)
    for way in LEFT_OUT if table else ():
        if way in table.streams:
            owners = table.signers if way == "new" else [""] * len(table.signers)
            right = scores.share(table.hits(way), scores.draw_bootstrap(owners))
            value = scores.with_interval(right.value, (right.low, right.high))
            lines.append(f"{value} % of {counted(len(owners), 'take')} are named right ({LEFT_OUT[way]})")
    for split, result in metrics.read_splits(bundle.folder, bundle.hashes).items():
        name = next((name for name in FUSED if name in result.streams), next(iter(result.streams)))
        row = result.streams[name]
        value = scores.with_interval(row["top1"], row["intervals"]["top1"])
        people = f" of {counted(row['groups'], 'person', 'people')}" if row["over"] == "signers" else ""
        warned = "; the splits share people or clips, so that is too high" if result.checks or split == "train" else ""
        lines.append(f"{value} % of {counted(result.clips, 'clip')}{people} in the split `{split}`{warned}")
    if lines:
        return [*lines, "in brackets: the interval that holds the true share in 95 % of all cases"]
    return ["nobody has measured it"]


def limits(bundle: Bundle, shared: Shared) -> list[str]:
    """What it cannot do, as far as it is known."""
    people = count_people(bundle)
    threshold = load_calibration(bundle.folder, bundle.hashes).threshold
    lines = ["one isolated sign a clip: no sentences, no translation, and no other signs than these"]
    if not any(row.kind == "none" for row in bundle.classes):
        lines.append(TAUGHT_NONE)
    if threshold:
        lines.append(f"an answer below {threshold:.0%} is marked as not sure")
    if people == 1:
        lines.append("it has learnt from one person, and whether it knows anybody else's signing nobody has measured")
    if shared.points:
        lines.append("it sees points of body and hands: where these are not found, or are cut off, it cannot be right")
    lines.append("a wrong answer looks like a right one: use it nowhere where that harms somebody")
    return lines
