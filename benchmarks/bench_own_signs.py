"""Signs of one's own from few takes: how many of ten new takes are named right, by how many takes there are.

    python benchmarks/bench_own_signs.py --data data_set/gestures

The data set has points (landmark.py) of several people and takes. Asked of takes that were left out: somebody's own
signs, learnt from one and two of her takes; and somebody's whom the model has never seen, learnt from 1, 2, 3 and 5
others. With all signs and with five of them, drawn several times. In the same run, what people take today: the nearest
neighbour among the points of all takes; and with --pictures, of a data set with frames and flow (frame.py,
opticalflow.py), what train_linear.py fits to histograms of colour and movement, both streams averaged, and to the
published I3D (`kinetics-hub`). With --trained FOLDER whole networks too, all signs, from most takes and most
people: two trainings of some 20 s each; the folder keeps them, and a second run goes on. Intervals: 95 %, over people.
The last line is JSON.
"""

import argparse
import functools
import itertools
import json
import re
import sys
import tempfile
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.spatial.distance import cdist

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import posture, storage
from signs.clips.dataset import SPLITS, Dataset, load_dataset
from signs.clips.points import read_points
from signs.clips.spec import InputSpec
from signs.evaluation import own_signs, scores
from signs.inference.predictions import Predictions
from signs.training import last_layer
from signs.training.flags import clip_spec
from signs.training.ridge import Ridge

import bench_people
import datagenerator
import train_linear

DRAWS = 10  # of five signs
FEW = 5
OTHERS = (1, 2, 3, 5)
PENALTY = 3.0  # of train_linear.py's, from the middle: with a take or two there is nothing to choose it on
# {method: (flags of train_linear.py, streams)}
FIXED = {
    "histograms": ((), ("rgb", "flow")),
    "I3D (Kinetics)": (("--network", "i3d", "--weights", "kinetics-hub", "--region", "signer"), ("rgb",)),
}
SMALL = "--size small --stream both --frames 20 --crop 48/54 --normalise mean scale --region signer --batch 8"
TRAINED = {
    "points, all of it trained": ("train_landmark.py", "--flip left=right"),
    "small 3D-CNN + LSTM": ("train_conv3d_lstm.py", f"{SMALL} --recipe patience=99 --epochs 20 --flip left=right"),
}


class Takes:
    """The views of all takes, beside the plain values for the nearest neighbour."""

    def __init__(self, folder: Path, people: list[str] | None, pictures: bool = False):
        data = load_dataset(folder)
        stored = storage.find_landmarks(data)
        clips = [item for item in data.clips if item.label and (not people or item.signer in people)]
        points = [read_points(item.archive(folder, stored.store), stored) for item in clips]
        network, moments, _ = own_signs.open_start()
        self.views = last_layer.views_of(network, points, moments)
        self.values = np.stack([posture.seen(each, InputSpec(frames=moments)).ravel() for each in points])
        self.names = [item.clip for item in clips]
        self.pictures = {
            method: features_of(folder, self.names, flags, streams)
            for method, (flags, streams) in FIXED.items()
            if pictures
        }
        self.signers = np.array([item.signer for item in clips])
        self.takes = own_signs.groups_of(clips)["known"]
        self.labels = sorted({item.label for item in clips})
        self.truth = np.array([self.labels.index(item.label) for item in clips])

    def right(self, learnt: np.ndarray, asked: np.ndarray, signs: np.ndarray) -> dict[str, np.ndarray]:
        """Whether each take that is asked, (N,) bool, is named right by what was learnt from others; {method: (n,)}."""
        among = np.isin(self.truth, signs)
        learnt, asked = learnt & among, asked & among
        targets = np.float32(self.truth[learnt][:, None] == signs)
        pairs = self.pairs(learnt, targets, signs)
        layer = last_layer.fit(self.views.of(learnt), targets, pairs)
        logits = last_layer.answers(self.views.of(asked), layer, pairs)
        nearest = self.truth[learnt][cdist(self.values[asked], self.values[learnt]).argmin(axis=1)]
        named = {"learn.py": signs[logits.argmax(axis=1)], "nearest neighbour": nearest}
        for method, streams in self.pictures.items():
            named[method] = signs[sum(scores_of(streams, learnt, asked, targets)).argmax(axis=1)]
        return {method: answers == self.truth[asked] for method, answers in named.items()}

    def pairs(self, learnt: np.ndarray, targets: np.ndarray, signs: np.ndarray) -> np.ndarray | None:
        """As learn.py finds out whether signs may be seen in a mirror, and which are pairs."""
        groups = self.signers[learnt] if len(set(self.signers[learnt])) > 1 else self.takes[learnt]
        if len(set(groups)) < 2:
            return None
        return own_signs.find_mirror(self.views.of(learnt), targets, groups)


def scores_of(streams: list[np.ndarray], learnt: np.ndarray, asked: np.ndarray, targets: np.ndarray) -> list:
    """(n, signs) of each stream's features, (1 + copies, N, D) each, by ridge regression."""
    found = []
    for views in streams:
        rows = views[:, learnt].reshape(-1, views.shape[-1])
        with last_layer.blas().limit(limits=1, user_api="blas"):
            weights, bias = Ridge(rows, np.tile(targets, (len(views), 1))).solve(PENALTY)
        found.append(views[0, asked] @ weights + bias)
    return found


def features_of(folder: Path, names: list[str], flags: tuple[str, ...], streams: tuple[str, ...]) -> list[np.ndarray]:
    """(1 + copies, N, D) features of these clips, as they are first, for each stream of train_linear.py."""
    data, found = load_dataset(folder), []
    with tempfile.TemporaryDirectory() as output:
        args = train_linear.parse(["--data", str(folder), "--output", output, *flags])
        spec = clip_spec(args, data)
        for stream in streams:
            make = functools.partial(datagenerator.generator, args, data, spec, stream, SPLITS)
            plain = make(False, memory=0)
            augmented = make(True)
            row = train_linear.Stream(args, data, stream, {"train": plain, "train, augmented": augmented})
            views = [train_linear.features_of(row.network, plain, args.workers)[0]]
            for augmented.epoch in range(1, args.copies + 1):  # clips come in another order each time
                drawn = train_linear.features_of(row.network, augmented, args.workers)[0]
                views.append(drawn[np.argsort(augmented._order())])
            order = [[item.clip for item in plain.clips].index(name) for name in names]
            whole = row.spread(np.concatenate(views)).reshape(len(views), len(plain.clips), -1)
            found.append(whole[:, order])
    return found


def answers_of_trained(data: Dataset, takes: Takes, learnt: np.ndarray, asked: np.ndarray, folder: Path, method: str):
    """(n,) bool: whether a network that was trained on some takes names the others; it stays in the folder.

    The best epoch is chosen on the last of the people, or of one person's takes, and a second training has all of them.
    """
    script, flags = TRAINED[method]
    names = np.array(takes.names)
    groups = takes.signers if len(set(takes.signers[learnt])) > 1 else takes.takes
    valid = learnt & (groups == sorted(set(groups[learnt]))[-1])
    splits = [
        dict.fromkeys(names[which], split) for which, split in ((learnt, "train"), (valid, "valid"), (asked, "test"))
    ]
    model = folder / "model"
    if not Predictions.path(model, "test").is_file():
        bench_people.link(data, folder / "data", splits[0] | splits[1] | splits[2])
        chosen = ("--data", folder / "data", "--output", folder / "chosen")
        bench_people.call(script, *chosen, *flags.split())
        bench_people.call(script, "--data", folder / "data", "--output", model, "--refit", folder / "chosen")
        evaluated = ("--split", "test", "--gallery", 0, "--ignore-checks")
        bench_people.call("evaluate.py", "--data", folder / "data", "--model", model, *evaluated)
    found = Predictions.read(Predictions.path(model, "test"), "test")
    right = dict(zip((item.clip for item in found.clips), found.hits(found.fused), strict=True))
    return np.array([right[name] for name in names[asked]])


def measure_trained(takes: Takes, folder: Path, output: Path) -> dict[str, dict[str, dict]]:
    """As `measure`, of whole networks, which learn from most takes and from most people; of the choices of one person's
    takes the first."""
    data, found, owners = load_dataset(folder), {}, {}
    for name, learnt, asked in largest(takes, jobs_of(takes)):
        person = takes.signers[asked][0]
        owners.setdefault(name, []).extend(takes.signers[asked])
        for method in TRAINED:
            place = output / re.sub(r"\W+", "-", f"{method} {name} {person}")
            right = answers_of_trained(data, takes, learnt, asked, place, method)
            found.setdefault(name, {}).setdefault(method, []).extend(right)
    return with_intervals(found, owners)


def largest(takes: Takes, jobs: list[tuple]) -> list[tuple]:
    """For each person the first of the jobs that learn from most of her takes, and of those from most other people."""
    groups = {}
    for job in jobs:
        name, learnt, asked = job
        groups.setdefault((takes.signers[asked][0], name.startswith("her own")), []).append(job)
    return [max(group, key=lambda job: job[1].sum()) for group in groups.values()]


def jobs_of(takes: Takes) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """(row of the table, learnt from, asked)."""
    people, jobs = sorted(set(takes.signers)), []
    for person in people:
        hers = takes.signers == person
        fewest = min(np.bincount(takes.truth[hers], minlength=len(takes.labels)))
        numbers = range(fewest)  # the takes that there are of every sign
        for count in range(1, fewest):
            for chosen in itertools.combinations(numbers, count):
                known = np.isin(takes.takes, chosen)
                jobs.append((f"her own, {command.counted(count, 'take')}", hers & known, hers & ~known))
        after = people[people.index(person) + 1 :] + people[: people.index(person)]
        for count in (count for count in OTHERS if count <= len(after)):
            learnt = np.isin(takes.signers, after[:count])
            jobs.append((f"{command.counted(count, 'other person', 'other people')}", learnt, hers))
    return jobs


def measure(takes: Takes, signs: list[np.ndarray]) -> dict[str, dict[str, dict]]:
    """{row: {method: {right, low, high}}} over all draws of signs."""
    found, owners = {}, {}
    for name, learnt, asked in jobs_of(takes):
        for drawn in signs:
            for method, right in takes.right(learnt, asked, drawn).items():
                found.setdefault(name, {}).setdefault(method, []).extend(right)
            owners.setdefault(name, []).extend(takes.signers[asked & np.isin(takes.truth, drawn)])
    return with_intervals(found, owners)


def with_intervals(found: dict[str, dict[str, list]], owners: dict[str, list]) -> dict[str, dict[str, dict]]:
    rows = {}
    for name, methods in found.items():
        drawn = scores.draw_bootstrap(owners[name])
        for method, right in methods.items():
            value = scores.share(np.array(right), drawn)
            rows.setdefault(name, {})[method] = {"right": value.value, "low": value.low, "high": value.high}
    return rows


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, required=True, help="data set folder with points of several people")
    flags.add_argument("--people", nargs="+", help="only these")
    flags.add_argument("--pictures", action="store_true", help="histograms of frames and flow, and I3D, too")
    flags.add_argument("--trained", type=Path, metavar="FOLDER", help="whole networks too; they are kept there")
    args = flags.parse_args(argv)
    takes, rng = Takes(args.data, args.people, args.pictures), np.random.default_rng(0)
    whole = np.arange(len(takes.labels))
    few = [np.sort(rng.choice(whole, min(FEW, len(whole)), replace=False)) for _ in range(DRAWS)]
    results = {f"{len(whole)} signs": measure(takes, [whole]), f"{len(few[0])} signs": measure(takes, few)}
    if args.trained:
        results["all signs, trained"] = measure_trained(takes, args.data, args.trained)
    for title, rows in results.items():
        table = Table("learnt from", *next(iter(rows.values())), title=f"{title}: top-1 in percent, 95 % over people")
        for name, methods in rows.items():
            shown = [scores.with_interval(row["right"], (row["low"], row["high"])) for row in methods.values()]
            table.add_row(name, *shown)
        Console(width=110).print(table)
    print(json.dumps(results))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
