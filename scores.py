"""How well clips were recognised, and how far that number can be trusted: predictions in, values with intervals out.

People differ more than clips do, so the interval of a number comes from people: each is drawn or not, with all clips
of theirs (the cluster bootstrap; Davison & Hinkley, Bootstrap Methods and their Application, 1997, 3.8). Percentiles of
few draws of few people are far too narrow (between 2 people 95 % of them hold the truth half of the time), so the
spread of the draws is used as Student's t with people - 1 degrees of freedom. An interval is never narrower than
Wilson's for as many independent clips: people who happen to agree prove nothing. Where signers are unknown, or there
is but one, clips are drawn: then it says nothing about other people, and `Drawn.over` tells.
"""

from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from predictions import Predictions

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
    """What the bootstrap draws: `owner` (N,) group of each clip, `over` signers or clips, `names` of the signers.

    counts: (DRAWS, groups) float32, how often each group is in each draw.
    """

    owner: np.ndarray
    over: str
    names: list[str]
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
    return Drawn(owner, "signers" if by_signer else "clips", names if by_signer else [], counts)


def wilson(share: float, count: int) -> tuple[float, float]:
    """Wilson's interval of a share of `count` independent clips (J. Am. Stat. Assoc. 22, 1927)."""
    if not count:
        return 0.0, 1.0
    found = stats.binomtest(round(share * count), count).proportion_ci(LEVEL, "wilson")
    return float(found.low), float(found.high)


def _value(value: float, spread: float, count: int) -> Value:
    low, high = wilson(value, count)
    return Value(value, max(0.0, min(low, value - spread)), min(1.0, max(high, value + spread)))


def share(right: np.ndarray, drawn: Drawn) -> Value:
    """(N,) bool -> the share that is true."""
    hits, clips = (np.bincount(drawn.owner, weights, drawn.groups) for weights in (right, None))
    return _value(float(np.mean(right)), drawn.spread((drawn.counts @ hits) / (drawn.counts @ clips)), len(right))


def mean_per_class(right: np.ndarray, truth: np.ndarray, drawn: Drawn) -> Value:
    """(N,) bool and (N,) class index -> the mean over the classes there are of the share that is true in each."""
    classes, index = np.unique(truth, return_inverse=True)
    hits, clips = np.zeros((2, drawn.groups, len(classes)), np.float32)
    np.add.at(hits, (drawn.owner, index), right)
    np.add.at(clips, (drawn.owner, index), 1)
    with np.errstate(invalid="ignore"):
        draws = np.nanmean((drawn.counts @ hits) / (drawn.counts @ clips), axis=1)  # nan: a class that was not drawn
    value = float(np.mean(hits.sum(axis=0) / clips.sum(axis=0)))
    return _value(value, drawn.spread(draws), len(right))


def in_top(probabilities: np.ndarray, truth: np.ndarray, k: int) -> np.ndarray:
    """(N, classes), (N,) -> (N,) bool: the true class is among the k most probable; of equal ones the first count."""
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :k]
    return np.any(best == truth[:, None], axis=1)


def per_class(predictions: Predictions, stream: str) -> list[dict]:
    """A row per class of the table: clips, recall with Wilson's interval, precision, the class it is most often taken
    for and how often; None where there is nothing to say."""
    counts, rows, labels = predictions.confusion(stream), [], predictions.labels
    for index, label in enumerate(labels):
        clips, taken, right = int(counts[index].sum()), int(counts[:, index].sum()), int(counts[index, index])
        low, high = wilson(right / clips, clips) if clips else (None, None)
        others = np.where(np.arange(len(labels)) == index, 0, counts[index])
        mistaken = int(others.max())
        rows.append({"label": label, "clips": clips, "right": right, "recall": right / clips if clips else None,
                     "low": low, "high": high, "taken": taken, "precision": right / taken if taken else None,
                     "taken_for": labels[others.argmax()] if mistaken else None, "mistaken": mistaken})  # fmt: skip
    return rows


def confused(predictions: Predictions, stream: str) -> list[dict]:
    """The PAIRS pairs of classes mistaken for each other most often, by label."""
    return [{**asdict(pair), "true": predictions.labels[pair.true], "taken": predictions.labels[pair.taken]}
            for pair in predictions.confused(stream, PAIRS)]  # fmt: skip


def per_signer(right: np.ndarray, signers: list[str]) -> list[dict]:
    """A row per signer, worst first: clips, top-1 with Wilson's interval."""
    rows = []
    for name in sorted(set(signers) - {""}):
        own = right[[signer == name for signer in signers]]
        low, high = wilson(float(own.mean()), len(own))
        rows.append({"signer": name, "clips": len(own), "right": int(own.sum()), "top1": float(own.mean()),
                     "low": low, "high": high})  # fmt: skip
    return sorted(rows, key=lambda row: row["top1"])


def score(predictions: Predictions, stream: str) -> dict:
    """Every number of one stream, as it stands in metrics.json."""
    probabilities, truth = predictions.streams[stream][predictions.scored], predictions.truth
    signers = [item.signer for item in predictions.clips if item.label]
    drawn, first = draw(signers), in_top(probabilities, truth, 1)
    found, intervals = {}, {}
    for k in TOP:
        value = share(in_top(probabilities, truth, k), drawn)
        found[f"top{k}"], intervals[f"top{k}"] = value.value, [value.low, value.high]
    mean = mean_per_class(first, truth, drawn)
    found["mean_per_class"], intervals["mean_per_class"] = mean.value, [mean.low, mean.high]
    people = per_signer(first, signers)
    return {**found, "intervals": intervals, "over": drawn.over, "groups": drawn.groups,
            "worst_signer": people[0]["top1"] if people else None,
            "signers": people, "classes": per_class(predictions, stream),
            "confused": confused(predictions, stream)}  # fmt: skip


@dataclass(frozen=True)
class Difference:
    """How much more often `a` is right than `b` on the same clips.

    value, low, high: share of clips, paired bootstrap; only_a, only_b: clips that only one gets right;
    mcnemar: two-sided exact p of these two counts (McNemar, Psychometrika 12, 1947).
    """

    value: float
    low: float
    high: float
    only_a: int
    only_b: int
    mcnemar: float

    @property
    def certain(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0

    def to_json(self) -> dict:
        return asdict(self)


def difference(a: np.ndarray, b: np.ndarray, drawn: Drawn) -> Difference:
    """(N,) bool each, whether the same clips were recognised."""
    change = a.astype(float) - b
    moved, clips = (np.bincount(drawn.owner, weights, drawn.groups) for weights in (change, None))
    value, spread = float(change.mean()), drawn.spread((drawn.counts @ moved) / (drawn.counts @ clips))
    # As for a single number: never narrower than for independent clips, of which one at least may differ.
    alone = stats.norm.ppf((1 + LEVEL) / 2) * max(float(np.std(change)), len(change) ** -0.5) / len(change) ** 0.5
    spread = float(max(spread, alone))
    only_a, only_b = int(np.sum(a & ~b)), int(np.sum(b & ~a))
    p = float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0
    return Difference(value, max(-1.0, value - spread), min(1.0, value + spread), only_a, only_b, p)
