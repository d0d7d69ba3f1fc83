"""LSTM over features on disc, to a bundle that sees whole clips: what train_lstm.py and train_frame.py share.

The image network's work is done once, by feature.py; what is trained here is small and quick. At the end both are put
together again, and the bundle is one like any other.
"""

import contextlib
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import modality
from signs.clips.dataset import Dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.command import Problem
from signs.inference import feature_file
from signs.inference.bundle import Stream, load_bundle, load_keras
from signs.inference.feature_file import About
from signs.training import refit, run_folder
from signs.training.flags import add_frames, recipe_of
from signs.training.recipe import Phase

READ = ("last", "mean", "linear")  # cnn_lstm.READOUTS, whose import waits for Keras
BUILT = ("lstm", "dense", "batch_norm", "centre")  # arguments of the LSTM that its weights depend on
FREEZE = {"none": (), "1": ("lstm_1", "norm_1"), "2": ("lstm_2", "norm_2"), "both": ("lstm_", "norm_")}


def add_flags(flags, more, lstm: list[int], frames: str, read: str) -> None:
    """The recurrent network's, with a system's own defaults."""
    units = {"type": command.number(int, least=1), "nargs": "*", "metavar": "UNITS"}
    add_frames(flags, ("N", "run:N", "run:NxV", "run:N/whole"), frames)
    flags.add_argument("--lstm", default=lstm, help="of each recurrent layer; none: each frame stands alone", **units)
    more.add_argument("--dense", default=[], help="of each fully connected layer before the last", **units)
    more.add_argument("--batch-norm", action="store_true", help="batch normalisation after each recurrent layer")
    steps = "steps after which back-propagation ends; the state goes on; 0: it never ends"
    more.add_argument("--truncate", type=command.number(int, least=0), default=0, metavar="N", help=steps)
    answers = "which steps are learnt from and answer: the last, all alike, or step t counting t (linear)"
    more.add_argument("--read", choices=READ, default=read, help=answers)


def input_spec(args, made: ClipSpec) -> InputSpec:
    """What the networks see when they predict; `made` is what the features were made of."""
    sampling = args.sampling.split("/")[-1]
    spec = replace(made.input, frames=args.frames, sampling=sampling, views=args.views)
    if spec.still == "subtract" and not ClipSpec(made.stored, spec).sees_all:
        why = f"features are made of clips less the average of all {made.stored.frames} pictures"
        what = "all have to be seen: --frames N of a store of N, or --frames run:N/whole"
        raise Problem(f"--normalise mean: {why}, so {what}")
    return spec


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
            differ = f"other pictures than the others ({about.spec.input}, not {first.spec.input})"
            step = "run feature.py with the same settings for both"
            raise Problem(f"the {stream} features were made of {differ}; {step}")
    stored = next((about.spec.stored for about in abouts.values() if about.spec.stored.flow), first.spec.stored)
    return ClipSpec(stored, input_spec(args, first.spec))


def head_arguments(args) -> dict:
    return {name: getattr(args, name) for name in ("lstm", "dense", "dropout", "batch_norm", "centre")}


def find_lstm(folder: Path, stream: str) -> tuple[Stream, Path]:
    """The row of a bundle whose LSTM reads a stream, and its weight file; raises Problem where there is none."""
    source = load_bundle(folder)
    for row in source.streams:
        if row.network == "cnn-lstm" and row.modality == stream:
            return row, source.weights(row)
    raise Problem(f"{folder}: no LSTM on {stream} in it; name a model of train_lstm.py or train_frame.py")


def trained_lstm(folder: Path, about: About, args):
    """The LSTM of a bundle to start from; raises Problem where it read other features or is built otherwise."""
    from signs.inference import features
    from signs.inference.runtime import KerasNetwork
    from signs.models import cnn_lstm

    stream, weights = find_lstm(folder, about.modality)
    built = {name: stream.arguments[name] for name in BUILT}
    wanted = {name: value for name, value in head_arguments(args).items() if name in built}
    if built != wanted:
        raise Problem(f"{folder}: its network is {built}, not {wanted}; leave --lstm, --dense, ... out")
    model = KerasNetwork.load(stream, weights).model
    if features.digest(model.get_layer(cnn_lstm.CNN)) != about.weights:
        what = f"it reads features of another network ({stream.arguments['network']}) than {args.features}"
        raise Problem(f"{folder}: {what}; run feature.py --network {folder}, or choose its --features")
    return model.get_layer("lstm")


def objective(read: str):
    """loop.Objective of a network that answers at every step: each step's loss counts by its weight, and so does each
    step's answer.

    Args:
        read: of cnn_lstm.READOUTS.
    """
    from signs.models import cnn_lstm
    from signs.training.loop import Objective

    import keras
    from keras import ops

    def loss(targets, steps):
        truth = ops.broadcast_to(targets[:, None], ops.shape(steps))
        each = keras.losses.categorical_crossentropy(truth, steps, from_logits=True)
        return ops.sum(each * cnn_lstm.step_weights(read, steps.shape[1]), axis=1)

    def accuracy(targets, steps):
        return keras.metrics.categorical_accuracy(targets, cnn_lstm.read_out(steps, read, ops))

    return Objective(loss, accuracy, lambda steps: cnn_lstm.read_out(steps, read))


def check_begun(output: Path, stream: str, about: About) -> None:
    """Raise Problem where the stream's training began on features of another network."""
    known = output / "checkpoint" / f"{stream}.features"
    if (output / "checkpoint" / f"{stream}.json").exists() and known.read_text(encoding="utf-8") != about.weights:
        now = f"{about.network}, weights {about.trained}, as it is now"
        what = f"its {stream} LSTM learnt from features of another network than {now}"
        raise Problem(f"{output}: {what}; choose another --output, or delete it")
    command.write_text(known, about.weights)


def train_stream(args, data: Dataset, spec: ClipSpec, about: About, folder: Path) -> Stream:
    """Train one stream's LSTM to its end and join it with the image network; the stream, for the bundle."""
    from signs.models import cnn_lstm
    from signs.training.feature_batches import feature_generators
    from signs.training.loop import Training

    stream = about.modality
    # In training a clip always has as many steps.
    sequence = replace(input_spec(args, about.spec), sampling=args.sampling.split("/")[0], views=1)
    check_begun(args.output, stream, about)
    with contextlib.ExitStack() as held:
        paths = {split: feature_file.path_of(folder, split) for split in ("train", "valid")}
        files = {split: held.enter_context(feature_file.opened(path)) for split, path in paths.items()}
        generators = feature_generators(args, data, files, sequence)
        start = find_lstm(args.start, stream)[1] if args.start else None
        generators["train"].seed = run_folder.begin(args.seed, args.output, stream, start)
        size, classes = (sequence.frames, about.dimension), len(data.classes)
        head = cnn_lstm.build_head(size, classes, truncate=args.truncate, **head_arguments(args))
        head.get_layer("standardise").learn(*files["train"].statistics)
        if args.start:
            cnn_lstm.copy_head(trained_lstm(args.start, about, args), head)
        phase = Phase("all", args.epochs, args.learning_rate, frozen=FREEZE[args.freeze] if args.start else ())
        Training(head, generators, args.output, stream, recipe_of(args), objective(args.read)).fit([phase])
    return write_whole_network(args, len(data.classes), spec.input, about, folder)


def write_whole_network(args, classes: int, sees: InputSpec, about: About, folder: Path) -> Stream:
    """Write the image network and the trained LSTM as one; the stream, for the bundle."""
    from signs.inference import features
    from signs.models import cnn_lstm
    from signs.models.weights import write_weights

    frames, name = None if sees.sampling == "whole" else sees.frames, f"{about.modality}-network.weights.h5"
    arguments = {
        "input_shape": [frames, sees.crop, sees.crop, modality.TABLE[about.modality].channels],
        "classes": classes,
        "network": about.network,
        "read": args.read,
        **head_arguments(args),
    }
    lstm = run_folder.trained_stream(args.output, about.modality, "cnn-lstm", arguments)
    model = cnn_lstm.build_cnn_lstm(**arguments)
    cnn = model.get_layer(cnn_lstm.CNN)
    cnn.load_weights(folder / feature_file.WEIGHTS)
    if features.digest(cnn) != about.weights:
        raise Problem(f"{folder / feature_file.WEIGHTS}: not the network that made the features; run feature.py again")
    model.get_layer("lstm").load_weights(args.output / lstm.files["weights"])
    write_weights(model, args.output / name)
    return replace(lstm, files={"weights": name})


def with_features(data: Dataset, folder: Path) -> Dataset:
    """The data set without the few clips to learn from that have no features; raises Problem as `leave_out`."""
    done = set()
    for split in refit.SPLITS:
        with feature_file.opened(feature_file.path_of(folder, split)) as file:
            done |= {name for name, place in file.position.items() if file.done[place]}
    missing = {item.clip for item in data.clips} - done
    return run_folder.leave_out(data, missing, folder, f"feature.py --data {data.folder}")


def train(args, data: Dataset, folders: dict[str, Path]) -> int:
    """Train every stream on the features in its folder and write the bundle; returns the exit code."""
    for folder in folders.values():
        data = with_features(data, folder)
    abouts = {stream: about_of(folder) for stream, folder in folders.items()}
    spec = clip_spec(args, abouts)
    load_keras()  # seconds; so after what can be wrong without it
    with run_folder.claimed(args, data, spec) as flags:
        flags["image_network"] = {name: f"{about.network}, weights {about.trained}" for name, about in abouts.items()}
        for stream, network in flags["image_network"].items():
            print(f"{stream}: features of {network}")
        trained = [train_stream(args, data, spec, about, folders[stream]) for stream, about in abouts.items()]
        return run_folder.write_bundle(args, data, spec, flags, trained)
