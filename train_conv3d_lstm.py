"""Train the 3D-CNN, the CNN + LSTM or both joined, on grey, colour, depth, flow or crops, and write a model bundle.

    python train_conv3d_lstm.py --data data_set/chalearn2014 --output model/joined --stream upper hand
    python train_conv3d_lstm.py --data data_set/chalearn --output model/student --stream rgb --teacher model/chalearn

in:   data_set/<name>/frame-<store>; with depth or crops frame-<store>-<part>, with flow flow-<store>
out:  model/<run>/: bundle.json, <stream>.weights.h5 (best epoch), log.csv, events/, checkpoint/
      with --teacher model/<teacher>/logits-<data>.npz, see signs/training/distillation.py

After Mullick & Namboodiri, Learning deep and compact models for gesture recognition, ICIP 2017: a 3D-CNN codes groups
of four frames, an LSTM reads the codes; `--size medium` and `small` have a fourth and a sixteenth of the weights. Their
input, grey and depth of the upper body and of the higher hand, is `--stream upper hand` for data that has it
(prepare_chalearn2014.py --crops, then frame.py --part upper and the other three); the streams' answers are averaged.
What needs no more than colour (grey, rgb, flow) runs in predict.py and livedemo.py too. With `--frames whole` every
stored frame is seen, of clips as long as they are. The start is random unless `--weights model/<run>` names another
such model. Stopped at any moment, the same command goes on, a few seconds before. `--refit model/<run>` trains
once more as a finished run did, with the validation clips too.

`--teacher` names any trained model of the same classes, the two streams of I3D too; the network learns from its answers
(knowledge distillation, docs/compact.md). The loss is alpha times the cross-entropy of the teacher's and the student's
softened answers, plus 1 - alpha times that of the labels: `alpha=0` learns from these alone. `squared=yes` puts
Hinton's T^2 before the first. The teacher's logits are stored and serve every later student.
"""

import argparse
import sys
from pathlib import Path

from signs import command
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.modality import PICTURES, TABLE, expand_streams
from signs.clips.spec import ClipSpec
from signs.command import Problem
from signs.inference.bundle import Bundle, Stream, is_bundle, load_bundle, load_keras
from signs.training import distillation, flags, refit, run_folder

NETWORKS = ("conv3d-lstm", "conv2d-lstm", "conv3d")
SIZES = ("joined", "medium", "small")  # of conv3d_lstm, whose import waits for Keras
SIZE, STUDENT_SIZE = "joined", "small"  # where none is named: without a teacher, with one


def parse(argv=None) -> argparse.Namespace:
    parser, more = flags.begin(__doc__, "train_conv3d_lstm.py", "chalearn2014", "compact")
    seen = "what is seen, a network each; both: rgb and flow"
    parser.add_argument("--stream", nargs="+", choices=(*PICTURES, "both"), default=["grey"], help=seen)
    parser.add_argument("--network", choices=NETWORKS, default=NETWORKS[0], help="joined, CNN + LSTM, or 3D-CNN")
    default = f"(default: {SIZE}; with --teacher {STUDENT_SIZE})"
    size = f"medium, small: 4 and 16 times fewer weights than joined {default}"
    parser.add_argument("--size", choices=SIZES, help=size)
    start = "none: random start; or a model with the same network, of which a new top is trained first"
    more.add_argument("--weights", default="none", metavar="none|FOLDER", help=start)
    refit.add_flag(parser)
    flags.add_store(more)
    flags.add_input(parser, more, ("N", "NxV", "whole"), frames=None, crop="64", normalise=("mean",))
    flags.add_training(parser, more, (40, 8, 1e-3), top=True)
    flags.add_recipe(parser, "compact")
    flags.add_augmentation(parser, "compact")
    flags.add_flip(more)
    distillation.add_flag(parser)
    return complete(refit.parse(parser, argv))


def complete(args) -> argparse.Namespace:
    """What was not named; raises Problem where the flags contradict each other."""
    flags.complete_recipe(args)
    flags.check_epochs(args)
    distillation.fill(args)
    whole = args.sampling == "whole"
    if args.network == "conv3d" and (whole or args.size):
        raise Problem("--network conv3d has one size, and clips of one length: neither --size nor --frames whole")
    if whole and args.mixup:
        raise Problem("--frames whole: without --augment mixup, which wants clips of one length")
    if args.weights != "none" and not is_bundle(args.weights):
        raise Problem(f"--weights {args.weights}: none, or the folder of a model of train_conv3d_lstm.py")
    args.size = None if args.network == "conv3d" else args.size or (STUDENT_SIZE if args.teacher else SIZE)
    return args


def arguments_of(args, data: Dataset, spec: ClipSpec, stream: str) -> dict:
    """Of the network's builder, as the bundle has them."""
    frames = None if spec.input.sampling == "whole" else spec.input.frames
    shape = [frames, *spec.input.picture, TABLE[stream].channels]
    arguments = {"input_shape": shape, "classes": len(data.classes)}
    arguments |= {"dropout": args.dropout, "momentum": flags.SCRATCH_MOMENTUM}
    return arguments | ({"size": args.size} if args.size else {})


def find_start(args, stream: str, arguments: dict) -> tuple[Stream, Path]:
    """The trained network to start from and its weight file; raises Problem where there is none that fits."""
    source, first = load_bundle(Path(args.weights)), 0 if args.network == "conv3d" else 1  # an LSTM takes any length
    for row in source.streams:
        same = (row.modality, row.network, row.arguments.get("size")) == (stream, args.network, args.size)
        if same and row.arguments["input_shape"][first:] == arguments["input_shape"][first:]:
            return row, source.weights(row)
    wanted = network_name(args.network, stream, arguments)
    there = ", ".join(network_name(row.network, row.modality, row.arguments) for row in source.streams)
    raise Problem(f"{args.weights}: no {wanted} in it, only {there}")


def network_name(network: str, modality: str, arguments: dict) -> str:
    """E.g. `conv3d-lstm small on grey of [8, 64, 64, 1]`."""
    return " ".join(filter(None, (network, arguments.get("size"), "on", modality, "of", str(arguments["input_shape"]))))


def train_stream(args, data: Dataset, spec: ClipSpec, stream: str, generators: dict, lesson) -> Stream:
    """Train one stream to its end and return its row for the bundle."""
    from signs.inference import runtime
    from signs.inference.runtime import KerasNetwork
    from signs.models.weights import copy_weights
    from signs.training.loop import Training

    arguments = arguments_of(args, data, spec, stream)
    started = args.weights != "none"
    row, start = find_start(args, stream, arguments) if started else (None, None)
    generators["train"].seed = run_folder.begin(args.seed, args.output, stream, start)
    masked = {"masked": True} if spec.input.sampling == "whole" else {}
    model = runtime.build_network(Stream(stream, stream, args.network, {**arguments, **masked}, {}))
    if started:
        copy_weights(KerasNetwork.load(row, start).model, model)
    recipe, objective = distillation.begin(lesson, flags.recipe_of(args), generators["train"])
    until = int(refit.chosen(args, stream)["epoch"]) if args.refit else None
    training = Training(model, generators, args.output, stream, recipe, objective, until)
    training.fit(flags.phases_of(args, started))
    return run_folder.trained_stream(args.output, stream, args.network, arguments)


def train_all(args, data: Dataset, teacher: Bundle | None) -> int:
    """Train every stream and write the bundle; returns the exit code."""
    streams, spec = expand_streams(args.stream), flags.clip_spec(args, data)
    data = run_folder.with_archives(data, streams, spec.stored)
    if teacher:
        data = run_folder.with_archives(data, [row.modality for row in teacher.streams], teacher.spec.stored)
    clips = {split: run_folder.split_of(data, split) for split in refit.SPLITS}
    if args.sampling == "whole" and spec.stored.frames.isdigit():
        print(f"every clip is stored as {spec.stored.frames} frames; frame.py --frames 10fps keeps their lengths")
    if args.weights != "none":
        for stream in streams:
            find_start(args, stream, arguments_of(args, data, spec, stream))
    load_keras()  # seconds; so after what can be wrong without it
    import datagenerator

    generators = {stream: datagenerator.generators(args, data, spec, stream) for stream in streams}
    with run_folder.claimed(args, data, spec) as settings:
        shown = clips["train"] + clips["valid"] * bool(args.refit)
        lesson = distillation.lesson(args, teacher, data, shown) if teacher else None
        trained = [train_stream(args, data, spec, stream, generators[stream], lesson) for stream in streams]
        return run_folder.write_bundle(args, data, spec, settings, trained)


def main(argv=None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    return train_all(args, data, distillation.load_teacher(args, data))


if __name__ == "__main__":
    sys.exit(command.run(main))
