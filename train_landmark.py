"""Train a network on points of body and hands, and write a model bundle.

    python train_landmark.py --data data_set/gestures --output model/landmark

in:   data_set/<name>/landmark-30fps, which landmark.py makes; frames and flow are not needed
out:  model/<run>/: bundle.json, landmark.weights.h5 (best epoch), log.csv, events/, checkpoint/

The network (signs/models/landmark.py) sees 48 moments, evenly over the clip, of where body and hands are and how fast
they move, in shoulder widths and palm lengths: room, clothes and distance do not matter. Each epoch shows every clip
turned, stretched, at another speed, with hands that are lost for a while (`--augment`); `--flip left=right` shows half
of them in a mirror, and the trained network looks at each clip there too. It takes minutes without a GPU. Stopped at
any moment, the same command goes on a few seconds before that. It starts from what 30 signs of German Sign Language
taught (`--weights dgs`), or from another model of this script, with a new top (`--weights model/<run>`).
`--refit model/<run>` trains once more as a finished run did, with the validation clips too. `--teacher model/<run>`
learns from the answers of any trained model of the same classes too (knowledge distillation, docs/compact.md).
Where class.csv has no class of kind `none`, `--no-sign 0.6` gives the model one, `nothing`, from what is drawn with the
bodies of the training clips: other people's signs, and what people do between signs (docs/landmarks.md).
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import posture, storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.no_sign import check_signs, with_nothing
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.inference.bundle import DGS, Stream, is_bundle, load_bundle, load_keras
from signs.training import distillation, flags, options, refit, run_folder
from signs.training.point_augmentation import PointAugmentation

STREAM = "landmark"
STARTS = ("dgs", "none")


def parse(argv=None) -> argparse.Namespace:
    parser, more = flags.begin(__doc__, "train_landmark.py", "gestures", STREAM)
    start = "dgs: 30 signs of German Sign Language (signs/models/dgs); none: random; or a model of this script, "
    start += "whose new top is trained first, then all at a tenth of the rate"
    parser.add_argument("--weights", default="dgs", metavar="dgs|none|FOLDER", help=start)
    refit.add_flag(parser)
    flags.add_frames(more, ("N",), "48")
    flags.add_training(parser, more, (120, 32, 2e-3), top=True)
    flags.add_recipe(parser, STREAM, named=False)
    augmented = [field for field in options.options(PointAugmentation) if field.name != "smoothing"]
    what = "what is drawn at random for each clip and epoch"
    options.add_settings(parser, "--augment", augmented, {STREAM: {}}, what)
    flags.add_flip(parser)
    what = "drawn clips of no sign for each training clip, such as 0.6: class.csv has none; 0: no such class is added"
    parser.add_argument("--no-sign", type=command.number(least=0, most=10), default=0.0, metavar="N", help=what)
    distillation.add_flag(parser)
    parser.set_defaults(stream=[STREAM])
    args = flags.complete_recipe(refit.parse(parser, argv), PointAugmentation)
    flags.check_epochs(args, STARTS)
    distillation.fill(args)
    if args.weights not in STARTS and not is_bundle(args.weights):
        raise Problem(f"--weights {args.weights}: {', '.join(STARTS)}, or the folder of a model of train_landmark.py")
    if args.no_sign and args.teacher:
        raise Problem("--no-sign: no teacher can be asked of clips that are drawn; leave --teacher or --no-sign out")
    return args


def with_no_sign(args, data: Dataset) -> Dataset:
    """The data set as a model with `--no-sign` knows it; raises Problem where it has such a class already, or a sign
    of that name."""
    if not args.no_sign:
        return data
    if none := [row.label for row in data.classes if row.kind == "none"]:
        what = f"class.csv has a class for what is no sign already ({none[0]})"
        raise Problem(f"--no-sign {args.no_sign:g}: {what}; leave it out")
    check_signs([name for row in data.classes for name in (row.label, row.name)], f"{data.folder}/class.csv: a sign ")
    return replace(data, classes=with_nothing(data.classes))


def clip_spec(args, data: Dataset) -> ClipSpec:
    """What is stored, frames too where there are any to be shown, and what the network sees of it."""
    kinds = [kind for kind in ("flow", "frame") if len(data.stores(kind)) == 1]
    stored = storage.find_stored(data, kinds[0]) if kinds else StoredSpec()
    return ClipSpec(replace(stored, flow=None, landmark=storage.find_landmarks(data)), InputSpec(frames=args.frames))


def find_start(args) -> tuple[Stream, Path]:
    """The trained network to start from and its weight file; raises Problem where there is none that fits."""
    source = load_bundle(DGS if args.weights == "dgs" else Path(args.weights))
    for row in source.streams:
        if row.network == STREAM and row.arguments["input_shape"][1] == posture.VALUES:
            return row, source.weights(row)
    raise Problem(f"{args.weights}: no network on points in it; name a model of train_landmark.py")


def train(args, data: Dataset, generators: dict, lesson) -> Stream:
    """Train to the end and return the bundle's row."""
    from signs.inference import runtime
    from signs.models.weights import copy_weights
    from signs.training.batches import mirrored_classes
    from signs.training.loop import Training

    arguments = {"input_shape": [args.frames, posture.VALUES], "classes": len(data.classes), "dropout": args.dropout}
    row, start = (None, None) if args.weights == "none" else find_start(args)
    generators["train"].seed = run_folder.begin(args.seed, args.output, STREAM, start)
    model = runtime.build_network(Stream(STREAM, STREAM, STREAM, arguments, {}))
    if start:
        copy_weights(runtime.KerasNetwork.load(row, start).model, model)
    until = int(refit.chosen(args, STREAM)["epoch"]) if args.refit else None
    recipe, objective = distillation.begin(lesson, flags.recipe_of(args), generators["train"])
    training = Training(model, generators, args.output, STREAM, recipe, objective, until)
    training.fit(flags.phases_of(args, args.weights not in STARTS))
    if args.flip is not None:  # only now, for steps on both sides of the mirror would take twice as long
        classes = mirrored_classes([row.label for row in data.classes], flags.swaps_of(args)).tolist()
        arguments["mirror"] = {"classes": classes, "values": posture.in_mirror()}
    return run_folder.trained_stream(args.output, STREAM, STREAM, arguments)


def main(argv=None) -> int:
    args = parse(argv)
    data = with_no_sign(args, load_dataset(args.data))
    spec, teacher = clip_spec(args, data), distillation.load_teacher(args, data)
    data = run_folder.with_archives(data, [STREAM], spec.stored)
    if teacher:
        data = run_folder.with_archives(data, [row.modality for row in teacher.streams], teacher.spec.stored)
    if args.weights != "none":
        find_start(args)
    load_keras()  # seconds; so after what can be wrong without it
    from signs.training.point_batches import point_generators

    generators = point_generators(args, data, spec)
    with run_folder.claimed(args, data, spec) as settings:
        lesson = distillation.lesson(args, teacher, data, generators["train"].clips) if teacher else None
        return run_folder.write_bundle(args, data, spec, settings, [train(args, data, generators, lesson)])


if __name__ == "__main__":
    sys.exit(command.run(main))
