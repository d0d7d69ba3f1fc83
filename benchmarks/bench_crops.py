"""Where should a network of pictures look? The whole person, what moves, or the hands, alone and beside landmarks.

    python benchmarks/bench_crops.py --data data_set/gestures --output model/crops --landmark model/p-0 model/p-1

in:   a data set with frames, flow and landmarks of several people; what bench_people.py left of train_landmark.py
out:  top-1 of people left out, of each way to look, by itself and averaged with the landmarks' answers; the last line
      is JSON

A linear classifier (ridge.py) is fitted to what a fixed network makes of a crop: histograms of pictures or of flow, as
train_linear.py does, or the published I3D (`kinetics-hub`). Crops, all found without looking at a label:

    signer, body      the squares that frame.py stores (region.py)
    person            the square round the shoulders of landmark.py's points, four shoulders wide
    hands             both hands, each 1.3 times the square that hand landmarks are looked for in, cut from the video at
                      its own size; the left one in a mirror, so that both are right ones; `upright`: turned as well

Each person is left out once; penalty and temperature are chosen on the next one, on four people's clips. Then both are
kept and the validation person's clips learnt from too (`refit`), where the landmarks' refitted answers are beside them.
Features are kept in --output and computed once.
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.special import softmax

import bench_people
from crop_views import HISTOGRAM, I3D, WAYS, Looker, Way, views_of

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from signs import command
from signs.clips.dataset import Dataset, load_dataset
from signs.evaluation import calibration, scores
from signs.inference.predictions import Predictions, fuse
from signs.training.ridge import Ridge, scale_of

PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)
SPLITS = ("valid", "test", "refit")  # of the validation person, of the one left out, of the latter refitted


def build(way: Way):
    """The fixed network of a way to look."""
    from signs.inference.bundle import load_keras

    load_keras()
    from signs.models import histogram, i3d
    from signs.training.pretrained import load_pretrained

    channels = 2 if way.stream == "flow" else 3
    if way.network == "i3d":
        model = i3d.build_i3d((I3D.frames, I3D.crop, I3D.crop, channels), 2)
        load_pretrained(model, "kinetics-hub", "rgb")
        return i3d.below_top(model)
    shape = (HISTOGRAM.frames, HISTOGRAM.crop, HISTOGRAM.crop, channels)
    return histogram.below_top(histogram.build_histogram(shape, 2, way.stream == "flow"))


def features_of(data: Dataset, way: Way, folder: Path) -> np.ndarray:
    """(clips, views, crops, D) float32; zeros of a hand that is nowhere."""
    path = folder / f"{way.name.replace(' ', '-')}.npy"
    if path.is_file():
        return np.load(path)
    network, rows = build(way), []
    width = network.output_shape[-1]
    for number, item in enumerate(track(data.clips, way.name)):
        views = views_of(Looker(data, item), way, number)
        row = np.zeros((len(views), len(views[0]), width), np.float32)
        for view, crops in enumerate(views):
            for crop, seen in enumerate(crops):
                if seen is not None:
                    row[view, crop] = network.predict_on_batch(seen[None])[0]
        rows.append(row)
    features = np.stack(rows)
    folder.mkdir(parents=True, exist_ok=True)
    np.save(path, features)
    return features


class Fold:
    """A person left out: which clips are learnt from, chosen on and asked about."""

    def __init__(self, data: Dataset, test: str, valid: str):
        self.test_person, owner = test, np.array([item.signer for item in data.clips])
        self.test, self.valid = np.flatnonzero(owner == test), np.flatnonzero(owner == valid)
        self.train = np.flatnonzero((owner != test) & (owner != valid))


def learnt_rows(features: np.ndarray, targets: np.ndarray, swap: np.ndarray, clips: np.ndarray, way: Way):
    """The rows of some clips, all views of each, and their targets; in a mirror hands change places, labels `swap`."""
    rows, aims = [], []
    for view in range(features.shape[1]):
        seen = features[clips, view]
        if way.of_hands:
            rows += [seen.reshape(len(clips), -1), seen[:, ::-1].reshape(len(clips), -1)]
            aims += [targets[clips], targets[clips][:, swap]]
        else:
            rows.append(seen.reshape(len(clips), -1))
            aims.append(targets[clips][:, swap] if view % 2 else targets[clips])
    return np.concatenate(rows), np.concatenate(aims)


def answered(features: np.ndarray, targets: np.ndarray, swap: np.ndarray, way: Way, fold: Fold) -> dict:
    """(clips, classes) probabilities of each of SPLITS."""
    rows, aims = learnt_rows(features, targets, swap, fold.train, way)
    factors = scale_of(rows) if way.network == "i3d" else np.float32(1)
    plain = features[:, 0].reshape(len(features), -1) * factors
    ridge, truth, best = Ridge(rows * factors, aims), targets[fold.valid].argmax(axis=1), None
    for penalty in PENALTIES:
        weights, bias = ridge.solve(penalty)
        logits = np.float64(plain[fold.valid] @ weights + bias)
        temperature = calibration.fit_temperature(softmax(logits, axis=-1), truth)
        valid = softmax(logits / temperature, axis=-1)
        loss = calibration.log_loss(valid, truth)
        if best is None or loss < best[0]:
            test = softmax(np.float64(plain[fold.test] @ weights + bias) / temperature, axis=-1)
            best = loss, penalty, temperature, valid, test
    _, penalty, temperature, valid, test = best
    rows, aims = learnt_rows(features, targets, swap, np.concatenate([fold.train, fold.valid]), way)
    weights, bias = Ridge(rows * factors, aims).solve(penalty)
    refitted = softmax(np.float64(plain[fold.test] @ weights + bias) / temperature, axis=-1)
    return dict(zip(SPLITS, (valid, test, refitted), strict=True))


def of_landmarks(folder: Path, data: Dataset, fold: Fold, labels: list[str]) -> dict[str, np.ndarray]:
    """What train_landmark.py's models answer in a fold of bench_people.py, in this order of clips and classes."""
    answers = {}
    for name, run, split in (("valid", folder, "valid"), ("test", folder, "test"), ("refit", folder / "refit", "test")):
        path = Predictions.path(run / fold.test_person, split)
        table = Predictions.read(path, split)
        place = {item.clip: number for number, item in enumerate(table.clips)}
        clips = fold.valid if name == "valid" else fold.test
        chosen = [place[data.clips[clip].clip] for clip in clips]
        answers[name] = table.streams["landmark"][chosen][:, [table.labels.index(label) for label in labels]]
    return answers


class Judge:
    """Who was asked about, and what is right: top-1 of answers, fold after fold, and what changes it."""

    def __init__(self, data: Dataset, folds: list[Fold], truth: np.ndarray):
        clips = {"valid": np.concatenate([fold.valid for fold in folds])}
        clips["test"] = clips["refit"] = np.concatenate([fold.test for fold in folds])
        signers = np.array([item.signer for item in data.clips])
        self.truth = {split: truth[clips[split]] for split in SPLITS}
        self.people = {split: signers[clips[split]] for split in SPLITS}

    def right(self, seeds: list[list[dict]], split: str) -> np.ndarray:
        """(seeds * clips,) bool."""
        rows = [np.concatenate([fold[split] for fold in seed]).argmax(axis=1) == self.truth[split] for seed in seeds]
        return np.concatenate(rows)

    def row(self, name: str, after: list[list[dict]], before: list[list[dict]] | None = None) -> dict:
        """Top-1 of each of SPLITS, the worst person, and the gain over `before` with its interval over people."""
        row = {"name": name}
        for split in SPLITS:
            new, who = self.right(after, split), np.tile(self.people[split], len(after))
            row[split] = float(new.mean())
            row[f"{split} worst"] = min(float(new[who == person].mean()) for person in set(who))
            if before:
                gain = scores.difference(new, self.right(before, split), scores.draw_bootstrap(list(who)))
                row[f"{split} gain"] = [gain.value, gain.low, gain.high]
        return row


def joined(*models: list[dict]) -> list[dict]:
    """The mean of several models' answers, fold by fold."""
    return [
        {split: fuse({str(number): fold[split] for number, fold in enumerate(folds)}) for split in SPLITS}
        for folds in zip(*models, strict=True)
    ]


def show(rows: list[dict]) -> None:
    gain = "gain, 95 % over people"
    table = Table("", "valid", gain, "test", "worst", gain, "refitted", "worst", gain, title="top-1, percent")
    for row in rows:
        cells = [row["name"]]
        for split in SPLITS:
            cells += [f"{100 * row[split]:.1f}"] + [f"{100 * row[f'{split} worst']:.1f}"] * (split != "valid")
            found = row.get(f"{split} gain")
            cells.append(scores.with_interval(found[0], found[1:], "+") if found else "")
        table.add_row(*cells)
    Console(width=160).print(table)


def parse(argv=None) -> argparse.Namespace:
    names = [way.name for way in WAYS]
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, required=True, help="data set with frames, flow and landmarks")
    flags.add_argument("--output", type=Path, required=True, help="folder for features")
    flags.add_argument("--landmark", type=Path, nargs="+", default=[], help="folders of bench_people.py, one a seed")
    flags.add_argument("--ways", nargs="+", default=names, choices=names, help="only these")
    flags.add_argument("--also", nargs="+", default=[], choices=names, help="join all of these with the landmarks, too")
    flags.add_argument("--flip", default="left=right", help="labels that change places in a mirror")
    return flags.parse_args(argv)


def main(argv=None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    labels = [row.label for row in data.classes]
    truth, swap = np.array([labels.index(item.label) for item in data.clips]), np.arange(len(labels))
    targets = np.eye(len(labels), dtype=np.float32)[truth]
    one, other = map(labels.index, args.flip.split("="))
    swap[[one, other]] = other, one
    folds = [Fold(data, *fold) for fold in bench_people.folds_of(sorted({item.signer for item in data.clips}))]
    judge = Judge(data, folds, truth)
    base = [[of_landmarks(folder, data, fold, labels) for fold in folds] for folder in args.landmark]
    rows, answers = [judge.row("landmarks", base)] if base else [], {}
    for way in (way for way in WAYS if way.name in args.ways):
        features = features_of(data, way, args.output)
        answers[way.name] = [answered(features, targets, swap, way, fold) for fold in folds]
        rows.append(judge.row(way.name, [answers[way.name]]))
        if base:
            after = [joined(seed, answers[way.name]) for seed in base]
            rows.append(judge.row(f"  with landmarks: {way.name}", after, base))
    if args.also and base:
        after = [joined(seed, *(answers[name] for name in args.also)) for seed in base]
        rows.append(judge.row("landmarks and all of --also", after, base))
    show(rows)
    print(json.dumps(rows))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
