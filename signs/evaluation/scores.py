"""How well clips were recognised, and how far that number can be trusted: predictions in, values with intervals out.

Each draw takes people with all their clips (the cluster bootstrap; Davison & Hinkley, Bootstrap Methods and their
Application, 1997, 3.8), or clips, where signers are unknown: `Bootstrap.over` tells which. The spread of the draws is
used as Student's t, and no interval is narrower than Wilson's for independent clips: docs/evaluation.md says why.
"""

from dataclasses import dataclass

from signs.clips.names import one_spelling
from signs.inference.predictions import Predictions

import numpy as np
from scipy import special

DRAWS = 2000
LEVEL = 0.95
Z = special.ndtri((1 + LEVEL) / 2)  # standard deviations to each side that hold LEVEL of a normal distribution
TOP = (1, 5, 10)
PAIRS = 15  # of confused classes listed


@dataclass(frozen=True)
class Value:
    """A share, and the interval that holds the true one in LEVEL of all cases."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Bootstrap:
    """What the bootstrap draws.

    owner: (N,) group of each clip; over: what a group is, "signers" or "clips"; counts: (DRAWS, groups) float32, how
    often each group is in each draw.
    """

    owner: np.ndarray
    over: str
    counts: np.ndarray

    @property
    def groups(self) -> int:
        return self.counts.shape[1]

    def spread(self, draws: np.ndarray) -> float:
        """Half of the interval's width, from a number's values over the draws."""
        if self.groups < 2:
            return float("inf")
        quantile = special.stdtrit(self.groups - 1, (1 + LEVEL) / 2)
        return float(quantile * np.nanstd(draws) * np.sqrt(self.groups / (self.groups - 1)))


def draw_bootstrap(signers: list[str]) -> Bootstrap:
    """Draws with replacement over signers, or over clips where a signer is unknown or there is only one."""
    signers = one_spelling(signers)
    names = sorted(set(signers))
    by_signer = len(names) > 1 and "" not in names
    owner = np.array([names.index(name) for name in signers]) if by_signer else np.arange(len(signers))
    groups = len(names) if by_signer else len(signers)
    counts = np.random.default_rng(0).multinomial(groups, np.full(groups, 1 / groups), DRAWS).astype(np.float32)
    return Bootstrap(owner, "signers" if by_signer else "clips", counts)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a share of `count` independent clips (J. Am. Stat. Assoc. 22, 1927)."""
    middle, around = share + Z**2 / (2 * count), Z * np.sqrt(share * (1 - share) / count + (Z / (2 * count)) ** 2)
    low, high = (middle - around) / (1 + Z**2 / count), (middle + around) / (1 + Z**2 / count)
    return max(0.0, float(low)), min(1.0, float(high))


def _value(value: float, spread: float, count: float) -> Value:
    low, high = wilson(value, count)
    return Value(value, max(0.0, min(low, value - spread)), min(1.0, max(high, value + spread)))


def share(right: np.ndarray, drawn: Bootstrap) -> Value:
    """(N,) bool -> the share that is true."""
    hits, clips = (np.bincount(drawn.owner, weights, drawn.groups) for weights in (right, None))
    return _value(float(np.mean(right)), drawn.spread((drawn.counts @ hits) / (drawn.counts @ clips)), len(right))


def _by_group(drawn: Bootstrap, classes: np.ndarray, weights, count: int) -> np.ndarray:
    """(groups, count): `weights` (N,) summed by group and class."""
    sums = np.zeros((drawn.groups, count), np.float32)
    np.add.at(sums, (drawn.owner, classes), weights)
    return sums


def mean_per_class(right: np.ndarray, truth: np.ndarray, drawn: Bootstrap) -> Value:
    """(N,) bool and (N,) class index -> the mean over the classes there are of the share that is true in each."""
    classes, index = np.unique(truth, return_inverse=True)
    hits, clips = (_by_group(drawn, index, weights, len(classes)) for weights in (right, 1))
    with np.errstate(invalid="ignore"):
        draws = np.nanmean((drawn.counts @ hits) / (drawn.counts @ clips), axis=1)  # nan: a class that was not drawn
    counts = clips.sum(axis=0)
    # A class of two clips counts as much as one of two hundred: as many independent clips would say as much.
    worth = len(classes) ** 2 / np.sum(1 / counts)
    return _value(float(np.mean(hits.sum(axis=0) / counts)), drawn.spread(draws), float(worth))


def shares_by_class(right: np.ndarray, classes: np.ndarray, count: int, drawn: Bootstrap) -> list[Value | None]:
    """(N,) bool and (N,) class index -> of each of `count` classes the share that is true; None without a clip."""
    hits, clips = (_by_group(drawn, classes, weights, count) for weights in (right, 1))
    with np.errstate(invalid="ignore"):
        draws = (drawn.counts @ hits) / (drawn.counts @ clips)
    return [
        _value(float(hit / total), drawn.spread(column), float(total)) if total else None
        for hit, total, column in zip(hits.sum(axis=0), clips.sum(axis=0), draws.T, strict=True)
    ]


def per_class(predictions: Predictions, stream: str, drawn: Bootstrap) -> list[dict]:
    """A row per class of the table: clips, recall and precision with intervals, the class it is most often taken for
    and how often, others that it is taken for as often; None where there is nothing to say."""
    counts, labels = predictions.confusion(stream), predictions.labels
    truth, answers = predictions.truth, predictions.streams[stream][predictions.scored].argmax(axis=1)
    recalls, precisions = (shares_by_class(truth == answers, by, len(labels), drawn) for by in (truth, answers))
    mistakes, rows = counts - np.diag(np.diag(counts)), []
    for index, label in enumerate(labels):
        clips, right, taken = counts[index].sum(), counts[index, index], counts[:, index].sum()
        row = {"label": label, "clips": int(clips), "right": int(right), "taken": int(taken)}
        for name, value in (("recall", recalls[index]), ("precision", precisions[index])):
            row[name], row[f"{name}_interval"] = (value.value, [value.low, value.high]) if value else (None, None)
        row["mistaken"] = int(mistakes[index].max())
        row["taken_for"] = labels[mistakes[index].argmax()] if row["mistaken"] else None
        row["as_often"] = [labels[i] for i in np.flatnonzero(mistakes[index] == row["mistaken"])[1:] if row["mistaken"]]
        rows.append(row)
    return rows


def per_signer(right: np.ndarray, signers: list[str]) -> list[dict]:
    """A row per signer, worst first: clips, top-1 with Wilson's interval."""
    rows, signers = [], one_spelling(signers)
    for name in sorted(set(signers) - {""}):
        hits = right[np.array(signers) == name]
        top1 = float(hits.mean())
        low, high = wilson(top1, len(hits))
        about = {"signer": name, "clips": len(hits), "right": int(hits.sum())}
        rows.append({**about, "top1": top1, "low": low, "high": high})
    return sorted(rows, key=lambda row: row["top1"])


def signs_alone(predictions: Predictions, idle: frozenset[str]) -> Predictions | None:
    """The labelled clips without those of `idle`, labels of what is no gesture; None where that leaves all or none."""
    kept = predictions.scored & np.array([item.label not in idle for item in predictions.clips], bool)
    return predictions.of_clips(kept) if kept.any() and (kept != predictions.scored).any() else None


def score_clips(predictions: Predictions, stream: str, drawn: Bootstrap) -> dict:
    """How many clips one stream recognises, in all and of each signer."""
    first = predictions.hits(stream)
    shares = {f"top{k}": share(predictions.hits(stream, k), drawn) for k in TOP}
    shares["mean_per_class"] = mean_per_class(first, predictions.truth, drawn)
    people = per_signer(first, predictions.signers)
    return {
        **{name: value.value for name, value in shares.items()},
        "intervals": {name: [value.low, value.high] for name, value in shares.items()},
        "over": drawn.over,
        "groups": drawn.groups,
        "worst_signer": people[0]["top1"] if people else None,
        "signers": people,
        "unknown_signers": predictions.signers.count(""),
    }


def score_stream(predictions: Predictions, stream: str) -> dict:
    """Every number of one stream, as it stands in metrics.json."""
    drawn, labels = draw_bootstrap(predictions.signers), predictions.labels
    confused = predictions.confused(stream, PAIRS)
    return {
        **score_clips(predictions, stream, drawn),
        "classes": per_class(predictions, stream, drawn),
        "confused": [{**vars(pair), "true": labels[pair.true], "taken": labels[pair.taken]} for pair in confused],
    }


@dataclass(frozen=True)
class Difference(Value):
    """How much more often `a` is right than `b` on the same clips, a share of them, by a paired bootstrap.

    only_a, only_b: clips that only one of them gets right; mcnemar: two-sided exact p of these two counts (McNemar,
    Psychometrika 12, 1947). It takes clips for independent: where several are of one person it is too small.
    """

    only_a: int
    only_b: int
    mcnemar: float


def difference(a: np.ndarray, b: np.ndarray, drawn: Bootstrap) -> Difference:
    """(N,) bool each, whether the same clips were recognised."""
    from scipy import stats  # half a second, and --help needs none of it

    change = a.astype(float) - b
    moved, clips = (np.bincount(drawn.owner, weights, drawn.groups) for weights in (change, None))
    value, spread = float(change.mean()), drawn.spread((drawn.counts @ moved) / (drawn.counts @ clips))
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    # Never narrower than for independent clips: the adjusted interval of Bonett & Price (2012) holds for few clips too.
    up, down, count = only_a + 1, only_b + 1, len(a) + 2
    around = Z * np.sqrt(up + down - (up - down) ** 2 / count) / count
    low, high = min(value - spread, (up - down) / count - around), max(value + spread, (up - down) / count + around)
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return Difference(value, max(-1.0, float(low)), min(1.0, float(high)), only_a, only_b, p)


def with_interval(value: float, interval, sign: str = "") -> str:
    """`71.2 (64.0 to 77.9)`, percent or points."""
    return f"{100 * value:{sign}.1f} ({100 * interval[0]:{sign}.1f} to {100 * interval[1]:{sign}.1f})"


def in_short(value: float, interval) -> str:
    """`71.2 64-78`, percent."""
    return f"{100 * value:.1f} {100 * interval[0]:.0f}-{100 * interval[1]:.0f}"
