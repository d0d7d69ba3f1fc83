"""What a report says first, in sentences: which signs and people fail, and what to record more of.

    found = find(result, predictions)       of a SplitResult; report_page.html makes sentences of it

A sign, or a person, fails when fewer than FAILS of the clips are right.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from signs.clips.names import folded, one_spelling
from signs.inference.predictions import Predictions

FAILS = 0.8  # share of right answers below which a sign, or a person, is said to fail
NAMED = 4  # signs, people and pieces of advice that are named
FEW = 5  # clips below which one mistake more or less says little
SCARCE = 0.6  # of the median number of training clips, below which a sign has few
TWICE = 2  # mistakes between two signs from which they are a pair to record more of


@dataclass(frozen=True)
class Advice:
    """Something to record more of.

    kind: `pair` of signs that are taken for each other, a `sign` that fails, a sign that is `scarce` in training, or
    `people`; labels: of the signs; count: mistakes, training clips or people of the training; of: the clips tried, or
    the usual number of training clips.
    """

    kind: str
    labels: tuple[str, ...] = ()
    count: int = 0
    of: int = 0


@dataclass(frozen=True)
class Findings:
    """signs: rows of `scores.per_class` of the signs that fail, worst first; people: rows of `scores.per_signer`
    likewise; only_by: {label: the signer whose clips alone are mistaken}, of several who are right in some; right,
    clips: of the people who do not fail; advice: most useful first."""

    signs: list[dict]
    people: list[dict]
    only_by: dict[str, str]
    right: int
    clips: int
    advice: list[Advice]


def find(result, predictions: Predictions) -> Findings:
    """What there is to say of a `metrics.SplitResult`, and of the probabilities that it was measured on."""
    score = result.streams[predictions.fused]
    rows = sorted((row for row in score["classes"] if row["clips"]), key=lambda row: (row["recall"], -row["clips"]))
    signs = [row for row in rows if row["recall"] < FAILS]
    people = [row for row in score["signers"] if row["top1"] < FAILS]
    fine = [row for row in score["signers"] if row["top1"] >= FAILS]
    advice = [*_advice(signs, score["confused"], result.training), *_of_people(result.training)]
    right, clips = (sum(row[name] for row in fine) for name in ("right", "clips"))
    return Findings(signs, people, _mistaken_of_one(predictions), right, clips, advice)


def _mistaken_of_one(predictions: Predictions) -> dict[str, str]:
    """{label: signer} of signs that several people make, and that are mistaken, twice or more, of one alone."""
    makers, mistaken, signers = defaultdict(set), defaultdict(list), one_spelling(predictions.signers)
    for true, signer, right in zip(predictions.truth, signers, predictions.hits(predictions.fused), strict=True):
        makers[true].add(signer)
        if not right:
            mistaken[true].append(signer)
    return {
        predictions.labels[true]: names[0]
        for true, names in mistaken.items()
        if len(names) > 1 and len({*names}) == 1 and names[0] and len(makers[true]) > 1
    }


def _advice(signs: list[dict], confused: list[dict], training: dict | None) -> list[Advice]:
    """At most NAMED pieces: signs that fail, with what they are taken for, then signs with few training clips."""
    advice, named = [], set()
    failing = {row["label"] for row in signs}
    for pair in confused:
        both, count = (pair["true"], pair["taken"]), pair["count"] + pair["back"]
        if count >= TWICE and failing & {*both} and not named & {*both}:
            named |= {*both}
            advice.append(Advice("pair", both, count, pair["clips"] + pair["back_clips"]))
    for row in signs:
        if row["label"] not in named:
            named.add(row["label"])
            advice.append(Advice("sign", (row["label"],), row["clips"] - row["right"], row["clips"]))
    scarce = list(_scarce(training["clips"] if training else {}))
    scarce.sort(key=lambda each: (not failing & {*each.labels}, each.count))
    return [*advice[: NAMED - len(scarce[:1])], *scarce[:1]]


def _scarce(clips: dict[str, int]) -> Iterator[Advice]:
    """Signs with far fewer training clips than most; {label: training clips}."""
    usual = int(median(clips.values())) if clips else 0
    yield from (Advice("scarce", (label,), count, usual) for label, count in clips.items() if count < SCARCE * usual)


def _of_people(training: dict | None) -> list[Advice]:
    return [Advice("people", count=training["signers"])] if training and training["signers"] else []


def count_training(data) -> dict:
    """{"clips": {label: training clips}, "signers": people who made them, 0 where one is not known} of a Dataset."""
    clips = data.split("train", labelled=True)
    counts, people = Counter(item.label for item in clips), {folded(item.signer) for item in clips}
    return {
        "clips": {row.label: counts[row.label] for row in data.classes},
        "signers": 0 if "" in people else len(people),
    }
