"""How good a model of somebody's own signs is, in sentences that everybody understands.

    for line in describe(tables, clips, names, folder): print(line)

Every answer was asked for a take, or a person, that was left out while the rest was learnt.
"""

from collections import Counter
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip
from signs.clips.no_sign import NOTHING
from signs.evaluation import scores
from signs.inference.predictions import Predictions

import numpy as np

MORE = 5  # takes to record of signs that are mistaken
WORST = 3  # pairs of signs, and takes, that are named
CLOSE = 0.05  # between how sure answers are and how many are right, both on average, within which the two agree
SURE = 0.8  # of answers that look trustworthy; an edge of the reliability curve's bins
ODD = 0.5  # of another sign's probability, below which a take's own sign is said to be missed


def describe(tables: dict[str, Predictions], clips: list[Clip], names: dict[str, str], folder: Path) -> list[str]:
    """What there is to say of a model.

    Args:
        tables: {"new": answers to people who were left out, "known": to takes that were}, what could be asked;
        clips: all that it learnt from; names: {label: readable name}; folder: of the data set.
    """
    people = len({item.signer for item in clips} - {""})
    labels = [item.label for item in clips if item.label != NOTHING]
    takes, signs = command.counted(len(labels), "take"), command.counted(len(set(labels)), "sign")
    nothing = f" and {len(clips) - len(labels)} of no sign" * (len(labels) < len(clips))
    lines = [f"{takes} of {signs}{nothing}" + f", by {command.counted(people, 'person', 'people')}" * (people > 0)]
    if "known" in tables:
        lines.append(of_ten(tables["known"], "the people in it", [""] * len(clips)))
    if "new" in tables:
        lines.append(of_ten(tables["new"], "somebody new", tables["new"].signers))
    if not tables:
        lines.append("one take of each sign: how good it is, nobody can tell; record two more of each")
    elif "new" not in tables:
        lines.append("for somebody else nobody can tell: record a second person")
    table = tables.get("known") or tables.get("new")
    if table:
        lines += [*mistaken(table, names), *odd_takes(table, names, folder)]
    single = sorted(names[label] for label, count in Counter(item.label for item in clips).items() if count == 1)
    if single and tables:
        lines.append(f"a single take, always taken for something else when it is left out: {command.listed(single)}")
    return lines


def of_ten(table: Predictions, who: str, owners: list[str]) -> str:
    """`for somebody new about 7 of ten answers are right (5 to 8)`, with the 95 % interval over the owners of clips."""
    right = scores.share(table.hits(table.fused), scores.draw_bootstrap(owners))
    return f"for {who} {tenths(right.value, right.low, right.high)}"


def tenths(share: float, low: float, high: float) -> str:
    """`about 7 of ten answers are right (5 to 8)`, of a share and its interval, all to the nearest, as percents are; 10
    of ten are all."""
    count = "more than 9" if 9.5 <= 10 * share < 10 else f"about {round(10 * share)}"
    return f"{count} of ten answers are right ({round(10 * low)} to {round(10 * high)})"


def sureness(curve: list[dict]) -> tuple[str, str]:
    """(`surer than it should be`, the numbers behind it) of `calibration.reliability`'s bins: on average, because with
    few clips the distances of single bins, and so the calibration error, are mostly chance."""
    clips = sum(row["clips"] for row in curve)
    said, right = (sum(row["clips"] * row[name] for row in curve) / clips for name in ("confidence", "accuracy"))
    bad = [(row["low"], round(row["clips"] * (1 - row["accuracy"]))) for row in curve]
    wrong, trusted = sum(count for _, count in bad), sum(count for low, count in bad if low > SURE - 1e-6)
    verdict = "about as sure as it should be"
    if abs(said - right) > CLOSE:
        verdict = "surer than it should be" if said > right else "less sure than it should be"
    numbers = f"it says {said:.0%} on average, and {right:.0%} are right".replace("%", " %")
    if wrong:
        numbers += f"; of {command.counted(wrong, 'wrong answer')} {trusted or 'none'} {'is' if trusted < 2 else 'are'}"
        numbers += f" {100 * SURE:.0f} % sure or more"
    return verdict, numbers


def mistaken(table: Predictions, names: dict[str, str]) -> list[str]:
    """Pairs of signs that are taken for each other, worst first; and of what is taken for a class without takes."""
    lines = []
    for pair in table.confused(table.fused, WORST):
        true, taken = names[table.labels[pair.true]], names[table.labels[pair.taken]]
        if pair.count > 1:
            how = f"{true} is taken for {taken} in {pair.count} of {pair.clips} takes"
            lines.append(f"{how}: record {MORE} more of {'each' if pair.taken in table.truth else 'it'}")
    return lines


def odd_takes(table: Predictions, names: dict[str, str], folder: Path) -> list[str]:
    """Takes that look like another sign, and unlike the others of their own, worst first."""
    rows, truth = table.streams[table.fused], table.truth
    own, best = rows[np.arange(len(rows)), truth], rows.argmax(axis=1)
    # Of a sign that is mostly taken for others, each take would be named.
    good = np.bincount(truth, best == truth, len(table.labels)) * 2 >= np.bincount(truth, minlength=len(table.labels))
    missed = (own < ODD * rows.max(axis=1)) & good[truth]
    odd = [number for number in np.argsort(own, kind="stable") if missed[number]]
    return [
        f"one take of {names[table.clips[number].label]} looks like {names[table.labels[best[number]]]}; look at it, "
        f"and record it again: {table.clips[number].video(folder)}"
        for number in odd[:WORST]
    ]
