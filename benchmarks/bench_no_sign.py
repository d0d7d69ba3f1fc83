"""Does a model of somebody's own signs say "no sign I know"? Before and after there was a background to learn from.

    python benchmarks/bench_no_sign.py --data data_set/gestures [--draws 3]
    python benchmarks/bench_no_sign.py --points dgs30.npz

The data set has points (landmark.py) of several people and takes, and classes of kind `none`. Some of its signs are
taught, never those classes: from two takes of somebody who is then asked, or by five other people. Asked are takes of
the taught signs that were left out, takes of other signs, and all takes of the classes that are none. `before` is a
model without a class for what is no sign; `after` is what learn.py makes (signs/training/background.py). Two more rows
have that class taught too, from two takes of each. Of answers that are given: those right and wrong, in percent of the
taught signs' takes, and those of all others, which are false. Intervals: 95 %, over people.

With --trained FOLDER whole networks too, which stay there: train_landmark.py learns all signs from four people (a fifth
chooses the epoch and how sure an answer has to be) without and with `--no-sign 0.6`, and is asked all of the sixth's.

With --points five of 30 signs that the background is made of are taught, from five takes each, ten times: does it
swallow them? The share of left-out takes that are answered rightly, by clips. The last line is JSON.

Looked at on the six people of docs/own_signs.md before their numbers were made: that who stood still was named,
so that standing still is drawn; that pauses of drawn people, besides, made false answers more, so that they are left
out; and 80 and 90 % of the right answers kept.
"""

import argparse
import itertools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, load_dataset
from signs.clips.no_sign import NOTHING, with_nothing
from signs.clips.points import Points, read_points
from signs.evaluation import own_signs, scores
from signs.inference import confidence, stored_clips
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser
from signs.training import last_layer

import bench_people
from make_start import dgs_clips

FEW, OTHERS = 5, 5  # signs that are taught; other people who teach
WAYS = ("before", "after")


@dataclass(frozen=True)
class Job:
    """One model: what it learns from and what it is asked, numbers of takes; its signs; who is asked."""

    row: str
    learnt: np.ndarray
    asked: np.ndarray
    signs: list[str]
    person: str


class Takes:
    """Takes with their points and what the network makes of them. none: labels that are no sign."""

    def __init__(self, clips: list[Clip], points: list[Points], none: set[str]):
        self.below, self.moments, self.start = own_signs.open_start()
        self.clips, self.points, self.none = clips, points, none
        self.views = last_layer.views_of(self.below, points, self.moments)
        self.labels = np.array([item.label for item in clips])
        self.signers = np.array([item.signer for item in clips])
        self.takes = own_signs.groups_of(clips)["known"]

    def answers(self, job: Job, way: str) -> np.ndarray:
        """(asked,) the label that each take is given, "" where the model is not sure or names none."""
        clips = [self.clips[number] for number in job.learnt]
        given = [NOTHING if item.label in self.none else item.label for item in clips]
        classes = [Label(sign, sign) for sign in job.signs]
        if way == "after" or NOTHING in given:
            classes = with_nothing(classes)
        labels = [row.label for row in classes]
        targets = np.eye(len(labels), dtype=np.float32)[[labels.index(label) for label in given]]
        views, background = self.views.of(job.learnt), None
        if way == "after":
            points = [self.points[number] for number in job.learnt]
            background = own_signs.no_sign(self.below, self.moments, self.start, views, points, targets, labels)
        learnt = own_signs.Learnt(views, targets, own_signs.groups_of(clips), background)
        known = [
            Clip(item.clip, "train", label, item.signer, "", "", "") for item, label in zip(clips, given, strict=True)
        ]
        first = next(iter(learnt.answers.values()))
        table = Predictions(known, labels, {own_signs.STREAM: first})
        calibration = learnt.calibrate(table, classes, {})
        logits = last_layer.answers(self.views.of(job.asked), learnt.layer, learnt.in_mirror)
        return np.array(
            [self.answer(row, classes, calibration) for row in own_signs.softmax(np.float64(logits), axis=1)]
        )

    @staticmethod
    def answer(probabilities: np.ndarray, classes: list[Label], calibration) -> str:
        """As the recogniser decides."""
        best = classes[int(probabilities.argmax())]
        sure = calibration.known(float(calibration.calibrated(probabilities).max()), best.kind == "gesture")
        return best.label if sure and best.kind == "gesture" else ""

    def jobs(self, draws: int) -> Iterator[Job]:
        """All models for somebody's own takes and for other people's."""
        rng, people = np.random.default_rng(0), sorted(set(self.signers))
        signs = sorted(set(self.labels) - self.none)
        few = [sorted(rng.choice(signs, FEW, replace=False)) for _ in range(draws)] if len(signs) > FEW else []
        for chosen, person in itertools.product([*few, signs], people):
            size, hers, none = f"{len(chosen)} signs", self.signers == person, np.isin(self.labels, [*self.none])
            for left in range(min(np.sum(hers & (self.labels == sign)) for sign in signs)):
                now = hers & (self.takes == left)
                learnt = np.flatnonzero(hers & ~now & np.isin(self.labels, chosen))
                yield Job(f"her own, {size}", learnt, np.flatnonzero(now | (hers & none)), chosen, person)
                taught = np.flatnonzero(hers & ~now & (np.isin(self.labels, chosen) | none))
                yield Job(f"her own, {size}, and no sign", taught, np.flatnonzero(now), chosen, person)
            after = people[people.index(person) + 1 :] + people[: people.index(person)]
            others = np.isin(self.signers, after[:OTHERS])
            learnt = np.flatnonzero(others & np.isin(self.labels, chosen))
            yield Job(f"{len(after[:OTHERS])} others, {size}", learnt, np.flatnonzero(hers), chosen, person)


def measure(takes: Takes, draws: int) -> dict[str, dict[str, dict]]:
    """{row: {way: {what: {value, low, high}}}}: of taught signs right and wrong; false of others and of each label."""
    found: dict[tuple, list[tuple[str, bool, str]]] = {}
    for job in takes.jobs(draws):
        labels = takes.labels[job.asked]
        kinds = [label if label in {*job.signs, *takes.none} else "not taught" for label in labels]
        for way in WAYS:
            given = [(*pair, job.person) for pair in zip(kinds, takes.answers(job, way), strict=True)]
            found.setdefault((job.row, way), []).extend(counted(given, set(job.signs)))
    results = {}
    for (row, way), rows in found.items():
        results.setdefault(row, {})[way] = shares_of(rows)
    return results


def counted(given: list[tuple[str, str, str]], signs: set[str]) -> list[tuple[str, bool, str]]:
    """(label, answer, person) of each take -> (what is counted, whether it is so, person)."""
    rows = []
    for label, answer, person in given:
        if label in signs:
            rows += [("right", answer == label, person), ("wrong", answer not in ("", label), person)]
        else:
            rows.append((label, answer != "", person))
    return rows


def shares_of(rows: list[tuple[str, bool, str]]) -> dict[str, dict]:
    """{what is counted: {value, low, high}}"""
    results = {}
    for what in dict.fromkeys(what for what, *_ in rows):
        values, owners = zip(*[(value, owner) for name, value, owner in rows if name == what], strict=True)
        share = scores.share(np.array(values), scores.draw_bootstrap(list(owners)))
        results[what] = {"value": share.value, "low": share.low, "high": share.high}
    return results


def measure_trained(folder: Path, output: Path) -> dict[str, dict[str, dict]]:
    """As `measure`, of whole networks; what none of them learnt are all classes of kind `none`."""
    data, found = load_dataset(folder), {way: [] for way in WAYS}
    signs = [row.label for row in data.classes if row.kind == "gesture"]
    people = sorted({item.signer for item in data.clips if item.label})
    taught = [item for item in data.clips if item.label in signs]
    for person, valid in bench_people.folds_of(people):
        splits = {item.clip: {person: "test", valid: "valid"}.get(item.signer, "train") for item in taught}
        fold = Dataset(data.folder, taught, [row for row in data.classes if row.label in signs])
        bench_people.link(fold, output / person / "data", splits)
        hers = [item for item in data.clips if item.label and item.signer == person]
        for way in WAYS:
            answers = answers_of_trained(output / person, way, data, hers)
            found[way] += [(item.label, answer, person) for item, answer in zip(hers, answers, strict=True)]
    results = {way: shares_of(counted(given, set(signs))) for way, given in found.items()}
    return {f"{len(people) - 2} others, {len(signs)} signs, whole network": results}


def answers_of_trained(folder: Path, way: str, data: Dataset, clips: list[Clip]) -> list[str]:
    """The label that each clip is given by a network that is trained in a folder, where it is not there."""
    model, fold = folder / way, folder / "data"
    if not (model / confidence.CALIBRATION_FILE).is_file():
        more = ("--no-sign", "0.6") if way == "after" else ()
        bench_people.call("train_landmark.py", "--data", fold, "--output", model, "--flip", "left=right", *more)
        bench_people.call("evaluate.py", "--data", fold, "--model", model, "--split", "valid", "--gallery", 0)
    recogniser = Recogniser.load(model, "keras")
    table, _ = stored_clips.predict(recogniser, data, clips, 16, 1)
    assert [item.clip for item in table.clips] == [item.clip for item in clips]
    return [Takes.answer(row, recogniser.classes, recogniser.calibration) for row in table.streams[table.fused]]


def show(results: dict[str, dict[str, dict]]) -> None:
    columns = list(dict.fromkeys(what for ways in results.values() for row in ways.values() for what in row))
    table = Table("taught", "", *columns, title="answers given, in percent, 95 % over people")
    for row, ways in results.items():
        for way, shares in ways.items():
            cells = [
                scores.with_interval(shares[what]["value"], (shares[what]["low"], shares[what]["high"]))
                if what in shares
                else ""
                for what in columns
            ]
            table.add_row(row if way == WAYS[0] else "", way, *cells)
    Console(width=130).print(table)


def swallowed(path: Path, draws: int) -> dict[str, float]:
    """{way: share of left-out takes answered rightly} where signs of the background are taught."""
    rows, clips = dgs_clips(path)
    rng, labels, right = np.random.default_rng(0), np.array([row.label for row in rows]), {way: [] for way in WAYS}
    chosen = np.concatenate([rng.permutation(np.flatnonzero(labels == label))[:15] for label in np.unique(labels)])
    takes = Takes([rows[number] for number in chosen], [clips[number] for number in chosen], set())
    for _ in range(draws):
        signs = sorted(rng.choice(np.unique(labels), FEW, replace=False))
        learnt = np.concatenate([np.flatnonzero(takes.labels == sign)[:5] for sign in signs])
        asked = np.concatenate([np.flatnonzero(takes.labels == sign)[5:] for sign in signs])
        for way in WAYS:
            right[way].extend(takes.answers(Job("", learnt, asked, signs, ""), way) == takes.labels[asked])
    return {way: float(np.mean(values)) for way, values in right.items()}


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = flags.add_mutually_exclusive_group(required=True)
    source.add_argument("--data", type=Path, help="data set folder with points of several people")
    source.add_argument("--points", type=Path, help="dgs30.npz, as for make_start.py")
    flags.add_argument("--trained", type=Path, metavar="FOLDER", help="whole networks too; they are kept there")
    flags.add_argument("--draws", type=int, default=3, help="of five signs (10 with --points)")
    args = flags.parse_args(argv)
    if args.points:
        results = swallowed(args.points, 10)
        print("\n".join(f"{way:8} {value:.1%} of left-out takes answered rightly" for way, value in results.items()))
    else:
        data = load_dataset(args.data)
        stored, clips = storage.find_landmarks(data), [item for item in data.clips if item.label]
        points = [read_points(item.archive(args.data, stored.store), stored) for item in clips]
        results = measure(Takes(clips, points, {row.label for row in data.classes if row.kind == "none"}), args.draws)
        results |= measure_trained(args.data, args.trained) if args.trained else {}
        show(results)
    print(json.dumps(results))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
