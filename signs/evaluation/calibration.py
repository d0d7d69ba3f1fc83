"""Learn how sure an answer is, and measure it: fusion weights, temperature and rejection threshold, from `valid` alone.

The temperature is that of Guo et al., On Calibration of Modern Neural Networks, 2017; docs/evaluation.md says how all
three are chosen, and confidence.py applies them.
"""

from signs.clips.dataset import Label
from signs.evaluation import scores
from signs.inference.confidence import Calibration, tempered
from signs.inference.predictions import FUSED, Predictions, fuse, in_top

import numpy as np
from scipy.special import softmax

BINS = 15  # of the reliability curve, as Guo et al. have it
POINTS = 100  # of the risk-coverage curve
FOLDS = 5  # over clips, where there are not several people
COLDEST, HOTTEST = 0.05, 20.0


def log_loss(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """Mean negative logarithm of the true class's probability: (N, classes), (N,) -> nats."""
    return float(-np.log(np.maximum(probabilities[np.arange(len(truth)), truth], 1e-30)).mean())


def fit_temperature(probabilities: np.ndarray, truth: np.ndarray) -> float:
    """The temperature of the lowest log loss: (N, classes), (N,).

    One of N + 2 clips counts as if it had another label (Platt, 1999). Otherwise a model that happens to be right in
    all of them would be taken for one that never fails.
    """
    from scipy import optimize

    doubt = 1 / (len(truth) + 2)

    def loss(logarithm: float) -> float:
        logs = np.log(np.maximum(tempered(probabilities, np.exp(logarithm)), 1e-30))
        true = logs[np.arange(len(truth)), truth].mean()
        others = (logs.sum(axis=1).mean() - true) / max(logs.shape[1] - 1, 1)
        return -(1 - doubt) * true - doubt * others

    best = optimize.minimize_scalar(loss, bounds=(np.log(COLDEST), np.log(HOTTEST)), method="bounded")
    return float(np.exp(best.x))


def reliability(confidence: np.ndarray, right: np.ndarray) -> tuple[list[dict], float]:
    """(N,) and (N,) bool -> ([{low, high, clips, confidence, accuracy}, ...] of the bins that hold clips, expected
    calibration error: the mean distance of the two, weighted by clips)."""
    bins, rows = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1), []
    for number in np.unique(bins):
        clips = bins == number
        row = {"low": number / BINS, "high": (number + 1) / BINS, "clips": int(clips.sum())}
        rows.append({**row, "confidence": float(confidence[clips].mean()), "accuracy": float(right[clips].mean())})
    error = sum(row["clips"] * abs(row["confidence"] - row["accuracy"]) for row in rows) / len(right)
    return rows, float(error)


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> tuple[list[dict], float]:
    """(N,) and (N,) bool -> ([{coverage, risk, threshold}, ...] with at most POINTS rows, the area under it).

    Answering only the surest share of clips, `coverage`, that share of the answers, `risk`, is wrong. Clips of equal
    confidence are answered together.
    """
    order = np.argsort(-confidence, kind="stable")
    sure, wrong = confidence[order], np.cumsum(~right[order])
    ends = np.flatnonzero(np.append(sure[1:] != sure[:-1], True))
    coverage, risk = (ends + 1) / len(right), wrong[ends] / (ends + 1)
    area = float(np.sum(risk * np.diff(coverage, prepend=0)))
    kept = np.unique(np.linspace(0, len(ends) - 1, POINTS).round().astype(int))
    rows = [{"coverage": float(coverage[i]), "risk": float(risk[i]), "threshold": float(sure[ends[i]])} for i in kept]
    return rows, area


def find_threshold(confidence: np.ndarray, false: np.ndarray, considered: np.ndarray, rate: float) -> float | None:
    """The lowest threshold with which at most `rate` of the `considered` clips are `false` and answered.

    Args:
        confidence: (N,); false: (N,) bool, answers that should not be given; considered: (N,) bool, out of which.
    Returns:
        None where all answers may be given.
    """
    allowed = int(np.floor(rate * considered.sum() + 1e-9))
    bad = np.sort(confidence[false & considered])[::-1]
    if len(bad) <= allowed:
        return None
    above = confidence[confidence > bad[allowed]]
    return float((above.min() + bad[allowed]) / 2) if len(above) else float(np.nextafter(bad[allowed], 2))


def fit_weights(streams: dict[str, np.ndarray], truth: np.ndarray) -> dict[str, float]:
    """Shares of the streams, summing to 1, with the lowest log loss of their weighted mean."""
    from scipy import optimize

    names = list(streams)

    def shares(free) -> dict[str, float]:
        return dict(zip(names, softmax(np.append(0.0, np.clip(free, -20, 20))).tolist(), strict=True))

    alike = np.zeros(len(names) - 1)
    best = optimize.minimize(lambda free: log_loss(fuse(streams, shares(free)), truth), alike, method="Nelder-Mead")
    return shares(best.x)


def learn_weights(
    streams: dict[str, np.ndarray], truth: np.ndarray, people: list[str]
) -> tuple[dict[str, float], dict]:
    """The weights to use (none: alike) and how they were found.

    Learnt weights are tried on people (clips, where there is one person) that they were not learnt on.
    """
    if len(streams) < 2 or len(truth) < 2:
        return {}, {}
    drawn = scores.draw_bootstrap(people)
    fold = drawn.owner if drawn.over == "signers" else np.arange(len(truth)) % FOLDS
    weighted = fuse(streams)
    for number in np.unique(fold):
        out = fold == number
        learnt = fit_weights({name: rows[~out] for name, rows in streams.items()}, truth[~out])
        weighted[out] = fuse({name: rows[out] for name, rows in streams.items()}, learnt)
    gain = scores.difference(in_top(weighted, truth, 1), in_top(fuse(streams), truth, 1), drawn)
    weights = fit_weights(streams, truth)
    kept = bool(gain.low > 0 and gain.mcnemar < 0.05)
    return weights if kept else {}, {"weights": weights, "gain": vars(gain), "kept": kept, "over": drawn.over}


def count_false_alarms(learnt: Calibration, predictions: Predictions, stream: str, classes: list[Label]) -> dict:
    """What the rejection threshold does to the answers of a split.

    Returns:
        of: "no gesture", the clips of those classes, or "all clips" where there are none; clips: how many; found,
        interval: share of them that gets a gesture for an answer (a wrong one, of all clips); gestures_answered: share
        of the clips with a gesture that get an answer, None without such; coverage, risk: share of all clips that get
        one, and of these answers that is wrong.
    """
    scored, truth = predictions.streams[stream][predictions.scored], predictions.truth
    confidence, answer = learnt.calibrated(scored).max(axis=1), scored.argmax(axis=1)
    is_idle = _is_idle(predictions, classes)
    considered, false = _false_answers(truth, answer, is_idle)
    answered = confidence >= (learnt.threshold or 0)
    signers = [predictions.signers[index] for index in np.flatnonzero(considered)]
    share = scores.share((false & answered)[considered], scores.draw_bootstrap(signers))
    gesture = ~is_idle[truth]
    return {
        "of": "all clips" if gesture.all() else "no gesture",
        "clips": int(considered.sum()),
        "found": share.value,
        "interval": [share.low, share.high],
        "gestures_answered": float(np.mean((answered & ~is_idle[answer])[gesture])) if gesture.any() else None,
        "coverage": float(answered.mean()),
        "risk": float(np.mean((answer != truth)[answered])) if answered.any() else 0.0,
    }


def _is_idle(predictions: Predictions, classes: list[Label]) -> np.ndarray:
    """(labels,) bool: which of the predictions' labels are no gesture."""
    return np.isin(predictions.labels, [row.label for row in classes if row.kind == "none"])


def _false_answers(truth: np.ndarray, answer: np.ndarray, is_idle: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(scored,) bool each: the clips among which false alarms are counted, and the answers that are one."""
    if is_idle[truth].any():
        return is_idle[truth], ~is_idle[answer]
    return np.ones(len(truth), bool), ~is_idle[answer] & (answer != truth)


def learn_calibration(
    predictions: Predictions, classes: list[Label], rate: float, model: dict[str, str]
) -> Calibration:
    """Learn it all from the scored validation clips.

    Args:
        rate: false alarms that are allowed, a share of the clips of classes that are no gesture, or, where there are
            none, of all clips (then a wrong answer is a false alarm); model: hash of each weight file.
    """
    scored, truth = predictions.scored, predictions.truth
    streams = {name: rows[scored] for name, rows in predictions.streams.items() if name not in FUSED}
    weights, fusion = learn_weights(streams, truth, predictions.signers)
    fused = fuse(streams, weights)
    temperature = fit_temperature(fused, truth)
    considered, false = _false_answers(truth, fused.argmax(axis=1), _is_idle(predictions, classes))
    threshold = find_threshold(tempered(fused, temperature).max(axis=1), false, considered, rate)
    about = {"clips": len(truth), "fusion": fusion, "allowed": rate}
    return Calibration(temperature, weights, threshold, about, model)


def measure_calibration(learnt: Calibration, predictions: Predictions, stream: str) -> dict:
    """How well calibrated a stream's (or the fused) answers are on a split, as it stands in metrics.json."""
    probabilities, truth = predictions.streams[stream][predictions.scored], predictions.truth
    right = predictions.hits(stream)
    raw, after = probabilities.max(axis=1), learnt.calibrated(probabilities)
    curve, error = reliability(after.max(axis=1), right)
    raw_curve, raw_error = reliability(raw, right)
    risk, area = risk_coverage(after.max(axis=1), right)
    return {
        "log_loss": log_loss(after, truth),
        "log_loss_raw": log_loss(probabilities, truth),
        "ece": error,
        "ece_raw": raw_error,
        "reliability": curve,
        "reliability_raw": raw_curve,
        "risk_coverage": risk,
        "area_under_risk_coverage": area,
    }
