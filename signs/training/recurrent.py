"""LSTM over features on disc, to a bundle that sees whole clips: what train_lstm.py and train_frame.py share.

The image network's work is done once, by feature.py; what is trained here is small and quick. At the end both are put
together again, and the bundle is one like any other.
"""

import argparse
import contextlib
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import modality
from signs.clips.dataset import Dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.command import Problem
from signs.inference import feature_file
from signs.inference.bundle import load_bundle, load_keras
from signs.inference.feature_file import About
from signs.models import cnn_lstm
from signs.training import run_folder
from signs.training.flags import recipe_of

FREEZE = {"none": (), "1": ("lstm_1", "norm_1"), "2": ("lstm_2", "norm_2"), "both": ("lstm_", "norm_")}


def add_flags(
    flags: argparse.ArgumentParser, lstm: list[int], dense: list[int], frames: int | None, length: int | None, read: str
) -> None:
    """The recurrent network's, with a system's own defaults."""
    group = flags.add_argument_group("recurrent network")
    group.add_argument(
        "--lstm",
        type=int,
        nargs="*",
        default=lstm,
        metavar="UNITS",
        help="of each recurrent layer; without a number there is none, and each frame stands by itself",
    )
    group.add_argument(
        "--dense",
        type=int,
        nargs="*",
        default=dense,
        metavar="UNITS",
        help="of each fully connected layer before the last",
    )
    group.add_argument("--batch-norm", action="store_true", help="batch normalisation after each recurrent layer")
    group.add_argument(
        "--centre",
        action="store_true",
        help="see each feature less its mean over the clip: of few people, rooms and clothes go",
    )
    group = flags.add_argument_group("sequence")
    usual = f" (default: {frames or length})"
    group.add_argument("--frames", type=int, metavar="N", help="so many, evenly over the clip" + usual * bool(frames))
    group.add_argument(
        "--length",
        type=int,
        metavar="N",
        help="instead: so many one after the other; a shorter clip is played back and forth, a longer "
        "one cut at random" + usual * bool(length),
    )
    flags.set_defaults(sampling=(frames, length))
    group.add_argument(
        "--at-test",
        choices=("part", "parts", "whole"),
        default="part",
        help="of --length: the clip's middle, the mean of --parts of it, or all of it",
    )
    group.add_argument("--parts", type=int, default=3, metavar="N", help="of --at-test parts")
    group.add_argument(
        "--truncate",
        type=int,
        default=0,
        metavar="N",
        help="steps after which back-propagation ends; the state goes on; 0: it never ends",
    )
    group.add_argument(
        "--loss-weights",
        choices=cnn_lstm.READOUTS,
        default=read,
        help="which steps' answers are learnt from; linear: step t counts t",
    )
    group.add_argument("--output-weights", choices=cnn_lstm.READOUTS, default=read, help="which steps give the answer")


def complete(args) -> argparse.Namespace:
    """The system's own frames or length where neither was named; raises Problem where the flags contradict each
    other."""
    if args.frames is None and args.length is None:
        args.frames, args.length = args.sampling
    del args.sampling
    if args.frames is not None and args.length is not None:
        raise Problem(f"--frames {args.frames} evenly, or --length {args.length} one after the other; name one of them")
    if args.length is None and args.at_test != "part":
        raise Problem(f"--at-test {args.at_test}: of --length; with --frames all of the clip is seen")
    if min([*args.lstm, *args.dense], default=1) < 1:
        raise Problem("--lstm, --dense: at least 1 unit in each layer")
    return args


def input_spec(args, made: ClipSpec) -> InputSpec:
    """What the networks see when they predict; `made` is what the features were made of."""
    frames, sampling, views = args.frames, "even", 1
    if args.length is not None:
        sampling, views = {"part": ("run", 1), "parts": ("run", args.parts), "whole": ("whole", 1)}[args.at_test]
        frames = args.length
    seen = replace(made.input, frames=frames, sampling=sampling, views=views)
    if seen.still == "subtract" and not ClipSpec(made.stored, seen).sees_all:
        raise Problem(
            f"--still subtract: features are made of clips less the average of all {made.stored.frames} "
            "pictures, so all have to be seen: --frames N of a store of N, or --length with --at-test whole"
        )
    return seen


def training_spec(args, made: ClipSpec) -> InputSpec:
    """What the LSTM is trained on: always as many steps."""
    return replace(input_spec(args, made), sampling="run" if args.length else "even", views=1)


def about_of(folder: Path) -> About:
    """What the features of a folder are; raises Problem where its files are of different networks."""
    abouts = []
    for split in ("train", "valid"):
        with feature_file.opened(feature_file.path_of(folder, split)) as file:
            abouts.append(file.about)
            if file.statistics is None:
                raise Problem(f"{file.path}: no mean of the training split in it; run feature.py again to its end")
    train, valid = abouts
    if difference := train.difference(valid):
        raise Problem(f"{folder}: train and valid are not of the same network ({difference}); run feature.py again")
    return train


def clip_spec(args, abouts: dict[str, About]) -> ClipSpec:
    """The bundle's: what the clips of all streams are; raises Problem where they are not the same pictures."""
    first = next(iter(abouts.values()))
    for stream, about in abouts.items():
        if about.spec.input != first.spec.input or about.spec.stored.without_flow() != first.spec.stored.without_flow():
            raise Problem(
                f"the {stream} features were made of other pictures than the others ({about.spec.input}, not "
                f"{first.spec.input}); run feature.py with the same settings for both"
            )
    stored = next((about.spec.stored for about in abouts.values() if about.spec.stored.flow), first.spec.stored)
    return ClipSpec(stored, input_spec(args, first.spec))


def head_arguments(args) -> dict:
    return {
        "lstm": list(args.lstm),
        "dense": list(args.dense),
        "dropout": args.dropout,
        "batch_norm": args.batch_norm,
        "centre": args.centre,
    }


def trained_lstm(folder: Path, about: About, args):
    """The LSTM of a bundle to start from; raises Problem where it read other features or is built otherwise."""
    from signs.inference import features
    from signs.inference.runtime import KerasNetwork
    from signs.models import cnn_lstm

    source = load_bundle(folder)
    stream = next((row for row in source.streams if row.network == "cnn-lstm" and row.modality == about.modality), None)
    if stream is None:
        raise Problem(f"{folder}: no LSTM on {about.modality} in it; name a model of train_lstm.py or train_frame.py")
    built = {name: stream.arguments[name] for name in ("lstm", "dense", "batch_norm", "centre")}
    wanted = {name: value for name, value in head_arguments(args).items() if name in built}
    if built != wanted:
        raise Problem(f"{folder}: its network is {built}, not {wanted}; name the same --lstm, --dense, ...")
    model = KerasNetwork.load(stream, source.weights(stream)).model
    if features.digest(model.get_layer(cnn_lstm.CNN)) != about.weights:
        raise Problem(
            f"{folder}: it reads features of another network ({stream.arguments['network']}) than "
            f"{args.features}; run feature.py --network {folder}, or choose its --features"
        )
    return model.get_layer("lstm")


def objective(loss_weights: str, output_weights: str):
    """loop.Objective of a network that answers at every step: each step's loss counts by its weight, and so does each
    step's answer."""
    from signs.training.loop import Objective

    import keras
    from keras import ops

    def loss(targets, steps):
        each = keras.losses.categorical_crossentropy(
            ops.broadcast_to(targets[:, None], ops.shape(steps)), steps, from_logits=True
        )
        return ops.sum(each * cnn_lstm.step_weights(loss_weights, steps.shape[1]), axis=1)

    def accuracy(targets, steps):
        return keras.metrics.categorical_accuracy(targets, cnn_lstm.read_out(steps, output_weights, ops))

    return Objective(loss, accuracy, lambda steps: cnn_lstm.read_out(steps, output_weights))


def check_begun(output: Path, stream: str, about: About) -> None:
    """Raise Problem where the stream's training began on features of another network."""
    known = output / "checkpoint" / f"{stream}.features"
    if (output / "checkpoint" / f"{stream}.json").exists() and known.read_text() != about.weights:
        raise Problem(
            f"{output}: its {stream} LSTM learnt from features of another network than {about.network}, "
            f"weights {about.trained}, as it is now; choose another --output, or delete it"
        )
    with command.atomic(known) as temporary:
        temporary.write_text(about.weights)


def train_stream(args, data: Dataset, spec: ClipSpec, about: About, folder: Path) -> dict:
    """Train one stream's LSTM to its end, join it with the image network, and return the stream's row of the bundle."""
    from signs.models import cnn_lstm
    from signs.training.feature_batches import feature_generators
    from signs.training.loop import Phase, Training

    stream, seen = about.modality, training_spec(args, about.spec)
    check_begun(args.output, stream, about)
    with contextlib.ExitStack() as held:
        files = {
            split: held.enter_context(feature_file.opened(feature_file.path_of(folder, split)))
            for split in ("train", "valid")
        }
        generators = feature_generators(args, data, files, seen)
        run_folder.seed(args.seed)
        head = cnn_lstm.build_head(
            (seen.frames, about.dimension), len(data.classes), truncate=args.truncate, **head_arguments(args)
        )
        head.get_layer("standardise").learn(*files["train"].statistics)
        if args.start:
            cnn_lstm.copy_head(trained_lstm(args.start, about, args), head)
        phase = Phase("all", args.epochs, args.learning_rate, frozen=FREEZE[args.freeze] if args.start else ())
        recipe = recipe_of(args, generators["train"].targets)
        steps = objective(args.loss_weights, args.output_weights)
        Training(head, generators, args.output, stream, recipe, steps).fit([phase])
    weights = run_folder.trained(args.output, stream)["weights"]
    return write_whole_network(args, len(data.classes), spec, about, folder, args.output / weights)


def write_whole_network(args, classes: int, spec: ClipSpec, about: About, folder: Path, lstm_weights: Path) -> dict:
    """Write the image network and the trained LSTM as one; its row of the bundle."""
    from signs.inference import features
    from signs.models import cnn_lstm

    stream, seen = about.modality, spec.input
    frames = None if seen.sampling == "whole" else seen.frames
    arguments = {
        "input_shape": [frames, seen.crop, seen.crop, modality.TABLE[stream].channels],
        "classes": classes,
        "network": about.network,
        "read": args.output_weights,
        **head_arguments(args),
    }
    model = cnn_lstm.build_cnn_lstm(**arguments)
    cnn, lstm = model.get_layer(cnn_lstm.CNN), model.get_layer("lstm")
    cnn.load_weights(folder / feature_file.WEIGHTS)
    if features.digest(cnn) != about.weights:
        raise Problem(f"{folder / feature_file.WEIGHTS}: not the network that made the features; run feature.py again")
    lstm.load_weights(lstm_weights)
    name = f"{stream}-network.weights.h5"
    with command.atomic(args.output / name) as temporary:
        model.save_weights(temporary)
    return {
        "name": stream,
        "modality": stream,
        "network": "cnn-lstm",
        "arguments": arguments,
        "files": {"weights": name},
    }


def train(args, data: Dataset, folders: dict[str, Path]) -> None:
    """Train every stream on the features in its folder and write the bundle."""
    abouts = {stream: about_of(folder) for stream, folder in folders.items()}
    spec = clip_spec(args, abouts)
    load_keras()  # seconds; so after what can be wrong without it
    with contextlib.ExitStack() as held:
        flags = run_folder.claim(args, data, spec, held)
        flags["image_network"] = {name: f"{about.network}, weights {about.trained}" for name, about in abouts.items()}
        for stream, network in flags["image_network"].items():
            print(f"{stream}: features of {network}")
        trained = [
            train_stream(args, data, spec, abouts[stream], folders[stream]) for stream in run_folder.streams_of(args)
        ]
        run_folder.write_bundle(args, data, spec, flags, trained)
