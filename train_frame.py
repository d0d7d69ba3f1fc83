"""Name single frames, then let an LSTM read what the frames gave: the system of the UCF-101 course.

    python train_frame.py --data data_set/ucf101 --output model/ucf101 --network mobilenet

in:   data_set/<name>/frame-<store>, or flow-<store> with --stream flow; with --stream both one network each
out:  model/<run>/frame/                a model that names a clip by the mean of its frames
      data_set/<name>/feature-<run>-<store>/     features and predictions of every stored frame, see feature_file.py
      model/<run>/frame/single-<split>-<stream>.csv and .png    confusion matrix of single frames
      model/<run>/                      the model that reads them in order

An image network trained on ImageNet gets a new top, which is trained first, then everything at a tenth of the rate;
`--epochs 0` trains the top alone, for the `top-epochs` of --recipe. The recurrent network then takes 120 frames one
after the other, names the clip at every step, and later steps count more (docs/lstm.md). `train_lstm.py --features
<run>` tries other recurrent networks on the same features, and `evaluate.py --compare model/<run>/frame model/<run>
--split test` says which classes gained and which lost.
"""

import argparse
import sys
from pathlib import Path

from signs import command
from signs.clips import modality
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.names import check_name
from signs.clips.spec import ClipSpec
from signs.command import Outcome, Problem
from signs.inference import feature_file, predictions
from signs.inference.bundle import Stream, load_bundle, load_keras
from signs.training import flags, recurrent, run_folder

LATER = ("lstm", "dense", "batch_norm", "centre", "truncate", "read")  # the LSTM's flags, and all of `recurrent_...`


def parse(argv=None) -> argparse.Namespace:
    parser, more = flags.begin(__doc__, "train_frame.py", "ucf101", "ucf101")
    parser.add_argument("--stream", choices=("both", "rgb", "flow"), default="rgb", help="both: one network each")
    network = "of keras.applications, e.g. mobilenet, or efficientnet-lite0 to -lite2"
    parser.add_argument("--network", default="inception-v3", help=network)
    start = "to start from; none: a random start"
    parser.add_argument("--weights", default="imagenet", metavar="imagenet|none|FILE", help=start)
    flags.add_store(more)
    flags.add_crop(parser, None, " (default: the network's own size, 8/7 of it)")
    flags.add_region(more, hands=False)
    flags.add_normalise(more, ("mean", "features"))
    sees = {"type": command.number(int, least=1), "help": "that the image network sees in each epoch, evenly"}
    more.add_argument("--frames-a-clip", default=8, metavar="N", **sees)
    recurrent.add_flags(parser, more, lstm=[512], frames="run:120", read="linear")
    flags.add_training(parser, more, (20, 8, 1e-3), (60, 32, 1e-3), of=": of the image network, of the LSTM", top=True)
    flags.add_recipe(parser, "paper", named=False)
    flags.add_augmentation(parser, "paper", named=False)
    flags.add_flip(parser)
    args = flags.complete_recipe(parser.parse_args(argv))
    if not args.recurrent_epochs:
        raise Problem("--epochs 0: at least 1 for the LSTM, which has no top of its own")
    flags.check_epochs(args)
    return args


def frame_flags(args, size: int) -> argparse.Namespace:
    """The flags of the image network's training. The LSTM's may change while this one goes on."""
    later = {name for name in vars(args) if name in LATER or name.startswith("recurrent_")}
    images = argparse.Namespace(**{name: value for name, value in vars(args).items() if name not in later})
    images.output, images.frames, images.sampling, images.views = args.output / "frame", args.frames_a_clip, "even", 1
    images.scale, images.crop = "fixed", args.crop or size
    images.short_side = args.short_side or round(images.crop * 8 / 7)  # 256 to 224, as is usual
    return images


def recurrent_flags(args) -> argparse.Namespace:
    """The flags of the recurrent network's training."""
    changed = {"start": None, "freeze": "none", "top_epochs": 0}
    for name in ("epochs", "batch", "learning_rate"):
        changed[name] = getattr(args, f"recurrent_{name}")
    return argparse.Namespace(**{**vars(args), **changed})


def train_frames(args, data: Dataset, spec: ClipSpec, stream: str) -> Stream:
    """Train one stream's image network to its end and return its row for the bundle."""
    from signs.models import cnn_lstm
    from signs.training.loop import Training

    import datagenerator

    generators = datagenerator.generators(args, data, spec, stream)
    weights = None if args.weights == "none" else args.weights
    start = Path(weights) if weights not in (None, "imagenet") and Path(weights).is_file() else None
    generators["train"].seed = run_folder.begin(args.seed, args.output, stream, start)
    arguments = {"input_shape": generators["train"].shape, "classes": len(data.classes)}
    arguments |= {"network": args.network, "dropout": args.dropout}
    momentum = None if weights else flags.SCRATCH_MOMENTUM
    model = cnn_lstm.build_frames(**arguments, weights=weights, momentum=momentum, steps=True)
    training = Training(model, generators, args.output, stream, flags.recipe_of(args), recurrent.objective("mean"))
    training.fit(flags.phases_of(args, weights is not None))
    return run_folder.trained_stream(args.output, stream, "frames", arguments)


def check_features(args, data: Dataset, spec: ClipSpec) -> None:
    """Raise Problem where another run left features of that name: better now than after hours."""
    name = check_name(args.output.resolve().name, "--output")
    for stream in modality.expand_streams(args.stream):
        folder = data.folder / feature_file.store_name(name, spec.stored, stream)
        begun = (args.output / "frame" / "checkpoint" / f"{stream}.json").exists()
        if not begun and feature_file.files_of(folder):
            raise Problem(f"{folder}: features of an earlier model of that name; delete it, or choose another --output")


def extract_frames(args, data: Dataset, spec: ClipSpec, outcome: Outcome) -> dict[str, Path]:
    """Write features and predictions of every stored frame, and how good the predictions of single frames are.

    Returns:
        {stream: folder of its features}.
    """
    from signs.evaluation import plots
    from signs.inference import feature_answers, features

    folders = {}
    frames, names = load_bundle(args.output / "frame"), {row.label: row.name for row in data.classes}
    for stream in modality.expand_streams(args.stream):
        stored = spec.stored if stream == "flow" else spec.stored.without_flow()
        extractor = features.extractor_of_bundle(frames, stream, stored)
        name = args.output.resolve().name
        folders[stream] = features.extract_splits(extractor, data, name, 32, args.workers, outcome)
        feature_answers.print_frame_accuracy(folders[stream])
        for path in feature_file.files_of(folders[stream]):
            counts, classes = feature_answers.count_frames(path), extractor.about.classes
            table = frames.folder / f"single-{path.stem}-{stream}.csv"
            predictions.write_counts(table, counts, classes)
            signs, title = [names[label] for label in classes], f"frames, each counts once: {stream}, {path.stem}"
            plots.write_confusion(counts, signs, title, table.with_suffix(".png"))
    return folders


def main(argv=None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    load_keras()
    from signs.models import cnn_lstm

    frames = frame_flags(args, cnn_lstm.size_of(args.network))
    spec = flags.clip_spec(frames, data)
    data = run_folder.with_archives(data, modality.expand_streams(args.stream), spec.stored)
    recurrent.input_spec(args, spec)
    if spec.input.still == "subtract" and not spec.sees_all:
        why = "features are made of clips less the average of all their pictures"
        what = f"the image network has to see all {spec.stored.frames}: --frames-a-clip N of a store of N"
        raise Problem(f"--normalise mean: {why}, so {what}")
    check_features(args, data, spec)
    outcome = Outcome()
    with run_folder.claimed(frames, data, spec) as settings:
        trained = [train_frames(frames, data, spec, stream) for stream in modality.expand_streams(args.stream)]
        code = run_folder.write_bundle(frames, data, spec, settings, trained)
    folders = extract_frames(args, data, spec, outcome)
    try:
        code = max(code, recurrent.train(recurrent_flags(args), data, folders))
        outcome.done.append(args.output)
    finally:
        code = max(code, outcome.summary())
    return code


if __name__ == "__main__":
    sys.exit(command.run(main))
