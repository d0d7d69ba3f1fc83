"""What a report says first, in sentences: which signs and people fail, and what to record more of.

    found = find(result, predictions, idle)       of a SplitResult; report_page.html makes sentences of it

A sign, or a person, fails when fewer than FAILS of the clips are right. Clips of what is no gesture are counted in none
of it, where there are others.

A person fails altogether when fewer than ALTOGETHER of FEW clips or more are right, while of everybody else's clips
FAILS or more are. That is how somebody stands, light or distance, and says nothing of a sign: signs, and what to record
more of, are then judged without the clips of such people.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from signs.clips.names import folded, one_spelling
from signs.evaluation import scores
from signs.inference.predictions import Predictions

import numpy as np

FAILS = 0.8  # share of right answers below which a sign, or a person, is said to fail
ALTOGETHER = 0.5  # share of right answers below which one person among others who do well fails altogether
NAMED = 4  # signs, people and pieces of advice that are named
FEW = 5  # clips below which one mistake more or less says little
SCARCE = 0.6  # of the median number of training clips, below which a sign has few
TWICE = 2  # mistakes of a sign, or between two, from which to record more of them


@dataclass(frozen=True)
class Advice:
    """Something to record more of.

    kind: `pair` of signs that are taken for each other, `one way` where only the first is taken for the second, a
    `sign` that fails, a sign that is `scarce` in training, `no sign` that is taken for one, or `people`; labels: of the
    signs; count: mistakes, training clips or people of the training; of: the clips tried, or the usual number of
    training clips.
    """

    kind: str
    labels: tuple[str, ...] = ()
    count: int = 0
    of: int = 0


@dataclass(frozen=True)
class Apart:
    """Somebody who fails altogether. wrong, clips: how many; taken_for, times: the label that most of the wrong ones
    are taken for, None where it is fewer than half of them."""

    signer: str
    wrong: int
    clips: int
    taken_for: str | None
    times: int


@dataclass(frozen=True)
class Findings:
    """apart: people who fail altogether, worst first; signs: rows of `scores.per_class` of the signs that fail, worst
    first, without the clips of those people; people: rows of `scores.per_signer` of all who fail, worst first; only_by:
    {label: the signer whose clips alone are mistaken}, of several who are right in some; right, clips: of the people
    who do not fail; gestures: `scores.Value` of the share of clips of signs that is right, right_signs and sign_clips
    the two counts, None and 0 without such clips; advice: most useful first."""

    apart: list[Apart]
    signs: list[dict]
    people: list[dict]
    only_by: dict[str, str]
    right: int
    clips: int
    gestures: scores.Value | None
    right_signs: int
    sign_clips: int
    advice: list[Advice]


def find(result, predictions: Predictions, idle: frozenset[str] = frozenset()) -> Findings:
    """What there is to say of a `metrics.SplitResult`, and of the probabilities that it was measured on; idle: labels
    of the classes that are no gesture."""
    apart, rows, judged, judged_score = judge(predictions, result.streams[predictions.fused], idle)
    people = [row for row in rows if row["top1"] < FAILS]
    fine = [row for row in rows if row["top1"] >= FAILS]
    classes = (row for row in judged_score["classes"] if row["clips"] and row["label"] not in idle)
    signs = [row for row in sorted(classes, key=lambda row: (row["recall"], -row["clips"])) if row["recall"] < FAILS]
    advice = _advice(signs, judged_score["confused"], result.training, idle)
    advice += [*_of_no_sign(result.rejection), *_of_people(result.training)]
    right, clips = (sum(row[name] for row in fine) for name in ("right", "clips"))
    return Findings(
        apart, signs, people, _mistaken_of_one(judged), right, clips, *_of_gestures(predictions, idle), advice
    )


def judge(
    predictions: Predictions, score: dict, idle: frozenset[str]
) -> tuple[list[Apart], list[dict], Predictions, dict]:
    """(people who fail altogether, rows of `scores.per_signer`, predictions of the others, their
    `scores.score_stream`); score: of everybody, idle: labels of what is no gesture, whose clips say nothing of
    people."""
    counted = scores.signs_alone(predictions, idle) or predictions
    people = scores.per_signer(counted.hits(counted.fused), counted.signers)
    apart = people_apart(counted, people)
    if not apart:
        return apart, people, predictions, score
    judged = _without(predictions, {person.signer for person in apart})
    return apart, people, judged, scores.score_stream(judged, judged.fused)


def _without(predictions: Predictions, people: set[str]) -> Predictions:
    """The scored clips of everybody else; people: as `one_spelling` has them."""
    signers = iter(one_spelling(predictions.signers))
    kept = np.array([known and next(signers) not in people for known in predictions.scored])
    return predictions.of_clips(kept)


def people_apart(predictions: Predictions, signers: list[dict]) -> list[Apart]:
    """Who fails altogether, worst first, of the rows of `scores.per_signer`."""
    low = [row for row in signers if row["top1"] < ALTOGETHER and row["clips"] >= FEW]
    names, hits = np.array(one_spelling(predictions.signers)), predictions.hits(predictions.fused)
    others = hits[~np.isin(names, [row["signer"] for row in low])]
    if not low or not len(others) or others.mean() < FAILS:
        return []
    answers = predictions.streams[predictions.fused][predictions.scored].argmax(axis=1)
    found = []
    for row in low:
        wrong = Counter(answers[(names == row["signer"]) & ~hits].tolist())
        (taken, times), count = wrong.most_common(1)[0], wrong.total()
        taken_for = predictions.labels[taken] if 2 * times >= count else None
        found.append(Apart(row["signer"], count, row["clips"], taken_for, times))
    return found


def _of_gestures(predictions: Predictions, idle: frozenset[str]) -> tuple[scores.Value | None, int, int]:
    """(share of the clips of signs that is right, how many are, how many there are)."""
    signs = np.array([predictions.labels[index] not in idle for index in predictions.truth], bool)
    if not signs.any():
        return None, 0, 0
    hits = predictions.hits(predictions.fused)[signs]
    signers = [name for name, chosen in zip(predictions.signers, signs, strict=True) if chosen]
    return scores.share(hits, scores.draw_bootstrap(signers)), int(hits.sum()), int(signs.sum())


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


def _advice(signs: list[dict], confused: list[dict], training: dict | None, idle: frozenset[str]) -> list[Advice]:
    """At most NAMED pieces: signs that fail, with what they are taken for, then signs with few training clips."""
    advice, named = [], set()
    failing = {row["label"] for row in signs}
    for pair in confused:
        both, count = (pair["true"], pair["taken"]), pair["count"] + pair["back"]
        if count >= TWICE and failing & {*both} and not (named | idle) & {*both}:
            named |= {*both}
            one_way = Advice("one way", both, count, pair["clips"])
            both_ways = Advice("pair", both, count, pair["clips"] + pair["back_clips"])
            advice.append(both_ways if pair["back"] else one_way)
    for row in signs:
        wrong = row["clips"] - row["right"]
        # One mistake among others that are right may be chance.
        if row["label"] not in named and (wrong >= TWICE or not row["right"]):
            named.add(row["label"])
            advice.append(Advice("sign", (row["label"],), wrong, row["clips"]))
    learnt = training["clips"] if training else {}
    scarce = list(_scarce({label: count for label, count in learnt.items() if label not in idle}))
    scarce.sort(key=lambda each: (not failing & {*each.labels}, each.count))
    return [*advice[: NAMED - len(scarce[:1])], *scarce[:1]]


def _scarce(clips: dict[str, int]) -> Iterator[Advice]:
    """Signs with far fewer training clips than most; {label: training clips}."""
    usual = int(median(clips.values())) if clips else 0
    yield from (Advice("scarce", (label,), count, usual) for label, count in clips.items() if count < SCARCE * usual)


def _of_no_sign(rejection: dict) -> list[Advice]:
    """Of `calibration.count_false_alarms`: clips of no sign, where too many of them are answered with one."""
    if rejection.get("of") != "no gesture" or rejection["found"] <= 1 - FAILS:
        return []
    wrong = round(rejection["found"] * rejection["clips"])
    return [Advice("no sign", count=wrong, of=rejection["clips"])] if wrong >= TWICE else []


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
