"""The model that livedemo.py starts without --model, of 30 signs of German Sign Language: makes signs/live/starter.

    python benchmarks/make_starter.py --points dgs30.npz --work model/starter [--asked data_set/gestures]

It is the network of signs/models/dgs with its own last layer, to which one class is added, for what is no sign: a
column that is fitted to drawn movements (starter_movements.py), while the columns of the signs stay. How good it is,
and how sure an answer has to be, is asked of eight more networks, which are trained below --work as make_start.py says
(two minutes each on two cores, once): five know nothing of one group of clips of like geometry (size of the palm, place
of the face; people are not named), three know nothing of ten signs each. --asked is a data set with points in which
nobody makes any of the signs: it is measured, and decides nothing. The last line is JSON.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import optimize
from scipy.cluster.vq import kmeans2, whiten
from scipy.special import expit, logsumexp, softmax

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import posture, storage
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, placed, save_dataset
from signs.clips.no_sign import NO_SIGN, NOTHING
from signs.clips.points import Points, read_points, write_points
from signs.clips.spec import HANDS, InputSpec
from signs.evaluation import own_signs
from signs.evaluation.calibration import fit_temperature
from signs.evaluation.unknown import find_threshold
from signs.inference.bundle import is_bundle
from signs.inference.confidence import tempered
from signs.landmarks.stream import landmark_spec
from signs.training import last_layer
from signs.training.point_augmentation import PointAugmentation

import starter_movements
from make_start import ASPECTS, dgs_clips
from starter_bundle import write_starter

ROOT = Path(__file__).resolve().parents[1]
STARTER = ROOT / "signs" / "live" / "starter"
GROUPS, PARTS = 5, 3  # of clips of like geometry; of signs
COPIES = 2  # augmented ones of each clip
WEIGHT, PENALTY = 0.5, 1e-3  # of all drawn movements, where all clips count 1; on the squares of the column
ANSWERED = 0.85  # of clips that a network has not learnt from, at least: 0.8 is wanted, and other people get fewer
MOMENTS = 48


@dataclass(frozen=True)
class Material:
    """clips: (1 + COPIES, N, moments, values) of the DGS clips, as they are first; truth, group: (N,) sign and group of
    each; moves: (M, moments, values) of drawn movements, counts: (M,) how much each counts, owner: (M,) the clip whose
    hands it has, -1 where none."""

    names: list[str]
    clips: np.ndarray
    truth: np.ndarray
    group: np.ndarray
    moves: np.ndarray
    counts: np.ndarray
    owner: np.ndarray


def groups_of(path: Path) -> np.ndarray:
    """(N,) the group of each clip, by the size of its palm and the place of its face."""
    with np.load(path, allow_pickle=False) as file:
        takes = np.split(file["hands"].astype(np.float32), np.cumsum(file["hands_frames"])[:-1])
    rows = []
    for take in takes:
        palms = (take[:, 2:].reshape(-1, 2, 21, 3)[:, :, 9] - take[:, 2:].reshape(-1, 2, 21, 3)[:, :, 0])[..., :2]
        size = np.nanpercentile(np.linalg.norm(palms * (ASPECTS[0], 1), axis=-1), 75)
        rows.append((np.log(size), *np.median(take[:, :2], axis=0)))
    return kmeans2(whiten(np.array(rows)), GROUPS, seed=0, minit="++", iter=100)[1]


def collect(rows: list[Clip], clips: list[Points], group: np.ndarray) -> Material:
    """All that networks are asked of."""
    names, augmentation, seen = sorted({row.label for row in rows}), PointAugmentation(), []
    for copy in range(1 + COPIES):
        for number, points in enumerate(clips):
            if copy:
                drawn = augmentation.draw(np.random.default_rng([0, copy, number]))
                seen.append(augmentation.see(points, drawn, MOMENTS))
            else:
                seen.append(posture.seen(points, InputSpec(frames=MOMENTS)))
    moves = starter_movements.movements(clips)
    return Material(
        names,
        np.stack(seen).reshape(1 + COPIES, len(clips), MOMENTS, -1),
        np.searchsorted(names, [row.label for row in rows]),
        group,
        np.stack([posture.seen(move.points, InputSpec(frames=MOMENTS, region=HANDS)) for move in moves]),
        np.array([move.counts for move in moves]),
        np.array([move.owner for move in moves]),
    )


def train(work: Path, name: str, rows: list[Clip], clips: list[Points], kept: np.ndarray) -> Path:
    """The bundle of a network that learnt from some clips, (N,) bool; it is trained unless it is there."""
    folder = work / name
    if not is_bundle(folder):
        some = [(row, points) for row, points, keep in zip(rows, clips, kept, strict=True) if keep]
        write_data(work / f"data-{name}", some)
        flags = ["--data", work / f"data-{name}", "--output", folder, "--weights", "none", "--flip", "--epochs", 40]
        subprocess.run([sys.executable, str(ROOT / "train_landmark.py"), *map(str, flags)], check=True)
    return folder


def write_data(folder: Path, clips: list[tuple[Clip, Points]], more: tuple[Label, ...] = ()) -> None:
    """A data set of these clips and their points; more: classes without clips."""
    stored, labels = landmark_spec(), sorted({row.label for row, _ in clips})
    data = Dataset(folder, placed([row for row, _ in clips]), [*(Label(label, label) for label in labels), *more])
    save_dataset(data)
    for item, (_, points) in zip(data.clips, clips, strict=True):
        write_points(item.archive(folder, stored.store), points, storage.expected_info(item, stored))


class Asked:
    """A network with a column for what is no sign: its signs, and its answers.

    folder: of its bundle; known: (N,) bool, the clips that it, or its column, may have learnt from.
    """

    def __init__(self, folder: Path, material: Material, known: np.ndarray):
        self.below, _, model = own_signs.open_start(folder)
        top, bias = model.get_layer("Logits").get_weights()
        self.signs = [name for number, name in enumerate(material.names) if known[material.truth == number].any()]
        learnt = np.concatenate(last_layer.features_of(self.below, np.concatenate(material.clips[:, known])))
        mine = (material.owner < 0) | known[material.owner]
        none = np.concatenate(last_layer.features_of(self.below, material.moves[mine]))
        column, last = fit_column(learnt, none, np.tile(material.counts[mine], 2), (top, bias))
        self.layer = np.column_stack([top, column]), np.append(bias, last)
        self.plain = top, bias

    def logits(self, seen: np.ndarray, plain: bool = False) -> np.ndarray:
        """(M, moments, values) -> (M, signs + 1) logits, of both sides of the mirror; plain: without the column."""
        weights, bias = self.plain if plain else self.layer
        there, mirrored = last_layer.features_of(self.below, seen)
        return (there + mirrored) @ weights / 2 + bias


def fit_column(learnt: np.ndarray, none: np.ndarray, counts: np.ndarray, top) -> tuple[np.ndarray, np.float32]:
    """(D,) weights and a bias of one more class, by cross-entropy.

    learnt: (M, D) features of clips of signs; none: (K, D) of what is no sign, counts: (K,) how much each counts; top:
    weights and biases of the signs, which stay.
    """
    features = np.concatenate([learnt, none]).astype(np.float64)
    others = logsumexp(features @ top[0] + top[1], axis=1)
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-3
    features = (features - middle) / spread
    side = np.repeat([1.0, -1.0], [len(learnt), len(none)])
    share = np.concatenate([np.full(len(learnt), 1 / len(learnt)), WEIGHT * counts / counts.sum()])

    def loss(column: np.ndarray) -> tuple[float, np.ndarray]:
        wrong = side * (features @ column[:-1] + column[-1] - others)
        slope = share * side * expit(wrong)
        value = share @ np.logaddexp(0, wrong) + PENALTY * (column[:-1] ** 2).sum()
        return value, np.append(slope @ features + 2 * PENALTY * column[:-1], slope.sum())

    found = optimize.minimize(loss, np.zeros(features.shape[1] + 1), jac=True, method="L-BFGS-B").x
    weights = np.float32(found[:-1] / spread)
    return weights, np.float32(found[-1] - middle @ weights)


def confidence(logits: np.ndarray, temperature: float) -> np.ndarray:
    """(M, signs + 1) logits -> (M,) how sure the answer is, 0 where it is that this is no sign."""
    probabilities = tempered(softmax(np.float64(logits), axis=1), temperature)
    return np.where(probabilities.argmax(axis=1) == logits.shape[1] - 1, 0, probabilities.max(axis=1))


def by_groups(work: Path, rows, clips, material: Material) -> tuple[list, np.ndarray, np.ndarray, np.ndarray]:
    """Networks that know nothing of a group, and of these: (N, signs + 1) logits of its clips, (N,) what they answer
    without the column, and (M, signs + 1) logits of movements drawn with its hands."""
    size = (len(rows), len(material.names) + 1)
    logits, plain = np.empty(size), np.empty(len(rows), int)
    drawn, owners = np.empty((len(material.moves), size[1])), material.group[material.owner]
    networks = []
    for group in range(GROUPS):
        out = material.group == group
        network = Asked(train(work, f"group-{group}", rows, clips, ~out), material, ~out)
        networks.append(network)
        logits[out] = network.logits(material.clips[0, out])
        plain[out] = network.logits(material.clips[0, out], plain=True).argmax(axis=1)
        hers = (material.owner >= 0) & (owners == group)
        drawn[hers] = network.logits(material.moves[hers])
    return networks, logits, plain, drawn[material.owner >= 0]


def by_signs(work: Path, rows, clips, material: Material) -> np.ndarray:
    """(N, fewer signs + 1) logits of all clips, each by a network that knows nothing of its sign."""
    found = []
    for part in range(PARTS):
        out = material.truth % PARTS == part
        network = Asked(train(work, f"signs-{part}", rows, clips, ~out), material, ~out)
        found.append(network.logits(material.clips[0, out]))
    return np.concatenate(found)


def measure_asked(network: Asked, folder: Path, temperature: float, threshold: float) -> dict:
    """False answers in a data set without any of the signs: {what: [answered, of]}."""
    data = load_dataset(folder)
    stored = storage.find_landmarks(data)
    points = [read_points(item.archive(folder, stored.store), stored) for item in data.clips]
    seen = np.stack([posture.seen(each, InputSpec(frames=MOMENTS, region=HANDS)) for each in points])
    given = confidence(network.logits(seen), temperature) >= threshold
    results = {"all": [int(given.sum()), len(given)]}
    for what in ("label", "signer"):
        of = np.array([getattr(item, what) for item in data.clips])
        results[what] = {str(one): [int(given[of == one].sum()), int((of == one).sum())] for one in np.unique(of)}
    return results


def measure(work: Path, rows, clips, material: Material, asked: Path | None) -> dict:
    """Temperature, threshold, and how good answers are that networks give of what they have not learnt."""
    networks, logits, plain, drawn = by_groups(work, rows, clips, material)
    others = by_signs(work, rows, clips, material)
    temperature = fit_temperature(softmax(logits, axis=1), material.truth)
    sure, unknown = confidence(logits, temperature), [confidence(each, temperature) for each in (others, drawn)]
    right, groups = logits.argmax(axis=1) == material.truth, []

    def shares(of: np.ndarray, level: float) -> dict:
        told = of & (sure >= level)
        answered, rightly = float(told.sum() / of.sum()), float(right[told].mean())
        return {"clips": int(of.sum()), "answered": answered, "right of answered": rightly}

    for group, network in enumerate(networks):
        hers = material.group == group
        level = find_threshold(sure[~hers], unknown, ANSWERED)  # which knows nothing of its clips
        groups.append(shares(hers, level))
        if asked:
            groups[-1]["asked"] = measure_asked(network, asked, temperature, level)["all"]
    threshold = find_threshold(sure, unknown, ANSWERED)
    results = {"temperature": temperature, "threshold": threshold, **shares(right >= 0, threshold), "groups": groups}
    answered = {what: float((each >= threshold).mean()) for what, each in zip(("signs", "drawn"), unknown, strict=True)}
    return results | {"unknown": answered, "without the class": float((plain == material.truth).mean())}


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--points", type=Path, required=True, help="dgs30.npz, as for make_start.py")
    flags.add_argument("--work", type=Path, required=True, help="where networks are trained, model/starter")
    flags.add_argument("--asked", type=Path, help="a data set with points, without any of the signs")
    flags.add_argument("--output", type=Path, default=STARTER, help="the starter")
    args = flags.parse_args(argv)
    rows, clips = dgs_clips(args.points)
    material = collect(rows, clips, groups_of(args.points))
    results = measure(args.work, rows, clips, material, args.asked)
    sure = results["temperature"], results["threshold"]
    network = Asked(own_signs.DGS, material, np.ones(len(rows), bool))
    if args.asked:
        results["asked"] = measure_asked(network, args.asked, *sure)
    write_data(args.work / "data", list(zip(rows, clips, strict=True)), (Label(NOTHING, NO_SIGN, "none"),))
    write_starter(args.output, args.work, network.layer, *sure)
    print(json.dumps(results))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
