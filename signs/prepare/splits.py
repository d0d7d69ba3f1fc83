"""Share clips out to train, valid and test: by signer where signers are known, else evenly within each label.

    by_signer(counts, {"valid": 0.15, "test": 0.15}, seed)     -> {signer: split}
    by_label(units, {"valid": 0.15, "test": 0.15}, seed)       -> {unit: split}
    draw_groups(groups, 3, seed)                               -> 3 groups of each label

Nobody may be in two splits, or the test would ask whether a person is recognised, not a sign. Equal input and seed give
an equal answer, whatever the order of the input.
"""

import itertools
import random
from collections import Counter
from collections.abc import Iterable

from signs.command import Problem, counted

STARTS = 12  # random starts of the search; a handful finds the best answer for as many signers as data sets have
UNCOVERED = {"train": 4.0, "valid": 0.5, "test": 0.5}  # cost of a split without any of the labels


def split_shares(valid: float, test: float) -> dict[str, float]:
    """{split: fraction}, the splits that get nothing left out; raises Problem where the fractions make no sense."""
    if not (0 <= valid < 1 and 0 <= test < 1 and valid + test < 1):
        raise Problem(f"--shares {valid:g} {test:g}: expected fractions from 0 that leave something to train on")
    wanted = {"train": 1 - valid - test, "valid": valid, "test": test}
    return {split: share for split, share in wanted.items() if share > 0}


def by_signer(counts: dict[str, Counter], wanted: dict[str, float], seed: int) -> dict[str, str]:
    """{signer: split} so that split sizes come near `wanted` and each split has every label, as far as people allow.

    `counts` is {signer: Counter(label -> clips)}. Raises Problem where there are fewer signers than splits.
    """
    signers = sorted(counts)
    if len(signers) < len(wanted):
        raise Problem(
            f"{len(signers)} signers are too few for {', '.join(wanted)} with nobody in two of them; --shares 0.15 0 "
            "puts one into valid, none into test (then evaluate.py --split valid); --allow-shared-signers shares out "
            "clips, which tells nothing of new people"
        )
    draw, best, best_cost = random.Random(seed), {}, float("inf")
    for _ in range(STARTS):
        order = draw.sample(signers, len(signers))
        start = dict(itertools.zip_longest(order, wanted, fillvalue="train"))  # one in each split, the rest in train
        shared = _improved(start, counts, wanted, draw)
        cost = _cost(shared, counts, wanted)
        if cost < best_cost - 1e-9:
            best, best_cost = shared, cost
    return best


def _improved(split_of: dict[str, str], counts: dict[str, Counter], wanted: dict[str, float], draw) -> dict[str, str]:
    """Move one signer or swap two for as long as that lowers the cost."""
    signers, cost = sorted(split_of), _cost(split_of, counts, wanted)
    while True:
        moves = [{signer: split} for signer in signers for split in wanted if split_of[signer] != split]
        pairs = itertools.combinations(signers, 2)
        moves += [{a: split_of[b], b: split_of[a]} for a, b in pairs if split_of[a] != split_of[b]]
        draw.shuffle(moves)
        # Hundreds of signers have tens of thousands of swaps; a sample of them serves as well.
        for move in moves[:400]:
            tried = {**split_of, **move}
            tried_cost = _cost(tried, counts, wanted)
            if tried_cost < cost - 1e-9:
                split_of, cost = tried, tried_cost
                break
        else:
            return split_of


def _cost(split_of: dict[str, str], counts: dict[str, Counter], wanted: dict[str, float]) -> float:
    """How far sizes are from those wanted, as a share of all clips, and what part of the labels each split lacks."""
    total = sum(each.total() for each in counts.values())
    labels = set().union(*counts.values())
    cost = 0.0
    for split, share in wanted.items():
        inside = [counts[signer] for signer, where in split_of.items() if where == split]
        if not inside:
            return float("inf")
        cost += abs(sum(each.total() for each in inside) / total - share)
        cost += UNCOVERED[split] * (1 - len(set().union(*inside)) / len(labels))
    return cost


def by_label(units: Iterable[tuple[str, str]], wanted: dict[str, float], seed: int) -> dict[str, str]:
    """{unit: split} for (unit, label) pairs, evenly within each label; identical clips are one unit.

    A label with as many units as there are splits has one in each at least.
    """
    of_label: dict[str, list[str]] = {}
    split_of: dict[str, str] = {}
    for unit, label in sorted(set(units)):
        if unit not in split_of:
            split_of[unit] = "train"
            of_label.setdefault(label, []).append(unit)
    for label, members in of_label.items():
        random.Random(f"{seed}/{label}").shuffle(members)
        fewest, left = len(members) >= len(wanted), iter(members)
        for split in ("test", "valid"):
            if split in wanted:
                number = max(fewest, round(wanted[split] * len(members)))
                split_of |= dict.fromkeys(itertools.islice(left, number), split)
    return split_of


def draw_groups(groups: Iterable[tuple[str, str]], number: int, seed: int) -> set[str]:
    """`number` groups of each label, for (group, label) pairs; raises Problem where that leaves a label none."""
    of_label: dict[str, list[str]] = {}
    for group, label in sorted(set(groups)):
        of_label.setdefault(label, []).append(group)
    drawn = set()
    for label, members in of_label.items():
        if not 0 <= number < len(members):
            raise Problem(
                f"--valid-groups {number}: {label} has {counted(len(members), 'group')} to train on; leave it one"
            )
        drawn.update(random.Random(f"{seed}/{label}").sample(members, number))
    return drawn
