"""How well clips were recognised, and how far that number can be trusted: predictions in, values with intervals out.

People differ more than clips do, so the interval of a number comes from people: each is drawn or not, with all clips
of theirs (the cluster bootstrap; Davison & Hinkley, Bootstrap Methods and their Application, 1997, 3.8). Percentiles of
few draws of few people are far too narrow (between 2 people 95 % of them hold the truth half of the time), so the
spread of the draws is used as Student's t with people - 1 degrees of freedom. An interval is never narrower than
Wilson's for as many independent clips: people who happen to agree prove nothing. Where signers are unknown, or there
is but one, clips are drawn: then it says nothing about other people, and `Drawn.over` tells.
"""

from dataclasses import asdict, dataclass

from signs.inference.predictions import Predictions

import numpy as np
from scipy import stats

DRAWS = 2000
LEVEL = 0.95
TOP = (1, 5, 10)
PAIRS = 15  # of confused classes listed


@dataclass(frozen=True)
class Value:
    """A share, and the interval that holds what it stands for in LEVEL of all cases."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Drawn:
    """What the bootstrap draws: `owner` (N,) group of each clip, `over` signers or clips.

    counts: (DRAWS, groups) float32, how often each group is in each draw.
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
        quantile = stats.t.ppf((1 + LEVEL) / 2, self.groups - 1)
        return float(quantile * np.nanstd(draws) * np.sqrt(self.groups / (self.groups - 1)))


def draw(signers: list[str], seed: int = 0) -> Drawn:
    """Draws with replacement over signers, or over clips where a signer is unknown or there is only one."""
    names = sorted(set(signers))
    by_signer = len(names) > 1 and "" not in names
    owner = np.array([names.index(name) for name in signers]) if by_signer else np.arange(len(signers))
    groups = len(names) if by_signer else len(signers)
    counts = np.random.default_rng(seed).multinomial(groups, np.full(groups, 1 / groups), DRAWS).astype(np.float32)
    return Drawn(owner, "signers" if by_signer else "clips", counts)


def wilson(share: float, count: float) -> tuple[float, float]:
    """Wilson's interval of a share of `count` independent clips (J. Am. Stat. Assoc. 22, 1927)."""
    if not count:
        return 0.0, 1.0
    z = stats.norm.ppf((1 + LEVEL) / 2)
    middle, around = share + z**2 / (2 * count), z * np.sqrt(share * (1 - share) / count + (z / (2 * count)) ** 2)
    low, high = (middle - around) / (1 + z**2 / count), (middle + around) / (1 + z**2 / count)
    return max(0.0, float(low)), min(1.0, float(high))


def _value(value: float, spread: float, count: float) -> Value:
    low, high = wilson(value, count)
    return Value(value, max(0.0, min(low, value - spread)), min(1.0, max(high, value + spread)))


def share(right: np.ndarray, drawn: Drawn) -> Value:
    """(N,) bool -> the share that is true."""
    hits, clips = (np.bincount(drawn.owner, weights, drawn.groups) for weights in (right, None))
    return _value(float(np.mean(right)), drawn.spread((drawn.counts @ hits) / (drawn.counts @ clips)), len(right))


def _by_group(drawn: Drawn, classes: np.ndarray, weights, count: int) -> np.ndarray:
    """(groups, count): `weights` (N,) summed by group and class."""
    found = np.zeros((drawn.groups, count), np.float32)
    np.add.at(found, (drawn.owner, classes), weights)
    return found


def mean_per_class(right: np.ndarray, truth: np.ndarray, drawn: Drawn) -> Value:
    """(N,) bool and (N,) class index -> the mean over the classes there are of the share that is true in each."""
    classes, index = np.unique(truth, return_inverse=True)
    hits, clips = (_by_group(drawn, index, weights, len(classes)) for weights in (right, 1))
    with np.errstate(invalid="ignore"):
        draws = np.nanmean((drawn.counts @ hits) / (drawn.counts @ clips), axis=1)  # nan: a class that was not drawn
    counts = clips.sum(axis=0)
    # A class of two clips counts as much as one of two hundred: as many independent clips would say as much.
    worth = len(classes) ** 2 / np.sum(1 / counts)
    return _value(float(np.mean(hits.sum(axis=0) / counts)), drawn.spread(draws), float(worth))


def shares_by_class(right: np.ndarray, classes: np.ndarray, count: int, drawn: Drawn) -> list[Value | None]:
    """(N,) bool and (N,) class index -> of each of `count` classes the share that is true; None without a clip."""
    hits, clips = (_by_group(drawn, classes, weights, count) for weights in (right, 1))
    with np.errstate(invalid="ignore"):
        draws = (drawn.counts @ hits) / (drawn.counts @ clips)
    return [
        _value(float(hit / total), drawn.spread(own), float(total)) if total else None
        for hit, total, own in zip(hits.sum(axis=0), clips.sum(axis=0), draws.T, strict=True)
    ]


def per_class(predictions: Predictions, stream: str, drawn: Drawn) -> list[dict]:
    """A row per class of the table: clips, recall and precision with intervals, the class it is most often taken for
    and how often; None where there is nothing to say."""
    counts, rows, labels = predictions.confusion(stream), [], predictions.labels
    truth, answers = predictions.truth, predictions.streams[stream][predictions.scored].argmax(axis=1)
    recalls, precisions = (shares_by_class(truth == answers, by, len(labels), drawn) for by in (truth, answers))
    for index, label in enumerate(labels):
        row = {
            "label": label,
            "clips": int(counts[index].sum()),
            "right": int(counts[index, index]),
            "taken": int(counts[:, index].sum()),
        }
        for name, found in (("recall", recalls[index]), ("precision", precisions[index])):
            row[name], row[f"{name}_interval"] = (found.value, [found.low, found.high]) if found else (None, None)
        others = np.where(np.arange(len(labels)) == index, 0, counts[index])
        mistaken = int(others.max())
        rows.append({**row, "taken_for": labels[others.argmax()] if mistaken else None, "mistaken": mistaken})
    return rows


def confused(predictions: Predictions, stream: str) -> list[dict]:
    """The PAIRS pairs of classes mistaken for each other most often, by label."""
    return [
        {**asdict(pair), "true": predictions.labels[pair.true], "taken": predictions.labels[pair.taken]}
        for pair in predictions.confused(stream, PAIRS)
    ]


def per_signer(right: np.ndarray, signers: list[str]) -> list[dict]:
    """A row per signer, worst first: clips, top-1 with Wilson's interval."""
    rows = []
    for name in sorted(set(signers) - {""}):
        own = right[[signer == name for signer in signers]]
        low, high = wilson(float(own.mean()), len(own))
        rows.append(
            {
                "signer": name,
                "clips": len(own),
                "right": int(own.sum()),
                "top1": float(own.mean()),
                "low": low,
                "high": high,
            }
        )
    return sorted(rows, key=lambda row: row["top1"])


def score(predictions: Predictions, stream: str) -> dict:
    """Every number of one stream, as it stands in metrics.json."""
    drawn, first = draw(predictions.signers), predictions.hits(stream)
    found, intervals = {}, {}
    for k in TOP:
        value = share(predictions.hits(stream, k), drawn)
        found[f"top{k}"], intervals[f"top{k}"] = value.value, [value.low, value.high]
    mean = mean_per_class(first, predictions.truth, drawn)
    found["mean_per_class"], intervals["mean_per_class"] = mean.value, [mean.low, mean.high]
    people = per_signer(first, predictions.signers)
    return {
        **found,
        "intervals": intervals,
        "over": drawn.over,
        "groups": drawn.groups,
        "worst_signer": people[0]["top1"] if people else None,
        "signers": people,
        "unknown_signers": predictions.signers.count(""),
        "classes": per_class(predictions, stream, drawn),
        "confused": confused(predictions, stream),
    }


@dataclass(frozen=True)
class Difference:
    """How much more often `a` is right than `b` on the same clips.

    value, low, high: share of clips, paired bootstrap; only_a, only_b: clips that only one gets right;
    mcnemar: two-sided exact p of these two counts (McNemar, Psychometrika 12, 1947), which takes clips for independent:
    where several are of one person it is too small.
    """

    value: float
    low: float
    high: float
    only_a: int
    only_b: int
    mcnemar: float

    def to_json(self) -> dict:
        return asdict(self)


def difference(a: np.ndarray, b: np.ndarray, drawn: Drawn) -> Difference:
    """(N,) bool each, whether the same clips were recognised."""
    change = a.astype(float) - b
    moved, clips = (np.bincount(drawn.owner, weights, drawn.groups) for weights in (change, None))
    value, spread = float(change.mean()), drawn.spread((drawn.counts @ moved) / (drawn.counts @ clips))
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    # Never narrower than for independent clips: the adjusted interval of Bonett & Price (2012), true for few clips too.
    up, down, count = only_a + 1, only_b + 1, len(a) + 2
    around = stats.norm.ppf((1 + LEVEL) / 2) * np.sqrt(up + down - (up - down) ** 2 / count) / count
    low, high = min(value - spread, (up - down) / count - around), max(value + spread, (up - down) / count + around)
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return Difference(value, max(-1.0, float(low)), min(1.0, float(high)), only_a, only_b, p)


def with_interval(value: float, interval, sign: str = "") -> str:
    """`71.2 (64.0 to 77.9)`, percent or points."""
    return f"{100 * value:{sign}.1f} ({100 * interval[0]:{sign}.1f} to {100 * interval[1]:{sign}.1f})"
