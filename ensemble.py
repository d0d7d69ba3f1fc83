"""Join the networks of several models into one, whose answers are averaged.

    python ensemble.py --model model/small model/histogram --output model/joined

in:   model/<run>/ of each: bundle.json and the weights
out:  model/<joined>/: bundle.json, a copy of every weight file

Networks that are unlike each other are wrong about unlike clips, so the mean of their answers is right more often than
the best of them. They have to be trained on the same store and know the same classes; what each sees of a clip
(--frames, --crop, --region ... of its training) stays as it was. What is no sign (`--no-sign` of train_landmark.py) may
be unknown to some of them: the others say whether a clip is none, all say which sign it is. The first stream of a name
(rgb, flow) keeps it; a later one gets the name of its network behind it, then its region. The result is an ordinary
model: evaluate.py, predict.py, export.py and livedemo.py take it. Models that have learnt from the validation clips too
(`--refit`) cannot be calibrated by them: `--calibration` takes over the calibration of the models that they repeat,
joined and evaluated.
"""

import argparse
import shutil
import sys
from dataclasses import asdict, replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.modality import PICTURES
from signs.clips.names import check_name
from signs.clips.spec import ClipSpec
from signs.command import Problem
from signs.inference.bundle import Bundle, Stream, load_bundle, save_bundle
from signs.inference.confidence import load_calibration
from signs.training import refit


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--model", type=Path, nargs="+", required=True, help="two model folders or more")
    flags.add_argument("--output", type=Path, required=True, help="model folder, e.g. model/joined")
    repeated = "of refitted models: the joined model of those that they were made of, evaluated on valid"
    flags.add_argument("--calibration", type=Path, metavar="MODEL", help=repeated)
    args = flags.parse_args(argv)
    if len(args.model) < 2:
        raise Problem(f"--model {args.model[0]}: at least two models are joined")
    return args


def sees_pictures(model: Bundle) -> bool:
    return any(stream.modality in PICTURES for stream in model.streams)


def widest_of(models: list[Bundle]) -> Bundle:
    """The first of the models that know most classes."""
    return max(models, key=lambda model: len(model.classes))


def common_spec(models: list[Bundle]) -> ClipSpec:
    """The first model's spec, with flow and landmarks where any of them has these; raises Problem where their clips
    were stored in different ways, or their classes differ. How frames are stored is nothing to a model of points alone.
    """
    first = next((model for model in models if sees_pictures(model)), models[0])
    spec, widest = first.spec, widest_of(models)
    for model in models:
        stored, common = asdict(model.spec.stored), asdict(spec.stored)
        if not (stored["landmark"] and common["landmark"]):
            stored["landmark"] = common["landmark"] = None
        if not (stored["flow"] and common["flow"]):  # colour alone: any flow will do
            stored["flow"] = common["flow"] = None
        if not sees_pictures(model):
            stored = {"landmark": stored["landmark"]}
        if changed := sorted(name for name, value in stored.items() if common[name] != value):
            what = f"of clips that were stored in another way than for {first.folder} ({', '.join(changed)})"
            raise Problem(f"{model.folder}: {what}; train both on one --store")
        if not widest.covers(model.classes):
            raise Problem(f"{model.folder}: has other classes than {widest.folder}, or in another order")
        stored = model.spec.stored
        flow, landmark = stored.flow or spec.stored.flow, stored.landmark or spec.stored.landmark
        spec = replace(spec, stored=replace(spec.stored, flow=flow, landmark=landmark))
    return spec


def new_name(taken: set[str], stream: Stream, region: str) -> str:
    """A stream's own name, else with its network behind it, else with the region that it sees too, or a number."""
    whole = f"{stream.modality}-{stream.network}"
    names = [stream.name, whole, f"{whole}-{region}", *(f"{whole}-{number}" for number in range(2, len(taken) + 2))]
    return next(name for name in names if name not in taken)


def named_streams(models: list[Bundle]) -> dict[str, tuple[Bundle, Stream]]:
    """The streams of all models under the names that they will have."""
    streams = {}
    for model in models:
        for stream in model.streams:
            streams[new_name(set(streams), stream, model.spec_of(stream).input.region)] = model, stream
    return streams


def check_calibration(folder: Path, names: set[str]) -> Bundle:
    """The model whose calibration is to be taken over; raises Problem where it has none for these streams."""
    reference = load_bundle(folder)
    calibrated = load_calibration(folder, reference.hashes).model
    if not calibrated or {stream.name for stream in reference.streams} != names:
        why = f"of {', '.join(stream.name for stream in reference.streams)}" if calibrated else "not calibrated"
        what = "join what the models were made of in the same order, and run evaluate.py --split valid on it"
        raise Problem(f"--calibration {folder}: {why}; {what}")
    return reference


def write_ensemble(models: list[Bundle], output: Path) -> Bundle:
    """Copy the weights of all models and write the bundle that averages their answers."""
    spec, streams, training, first = common_spec(models), [], {}, models[0]
    output.mkdir(parents=True, exist_ok=True)
    for name, (model, stream) in named_streams(models).items():
        weights = f"{name}{''.join(Path(stream.files['weights']).suffixes)}"
        with command.atomic(output / weights) as temporary:
            shutil.copyfile(model.weights(stream), temporary)
        sees = model.spec_of(stream).input
        differs = sees if sees != spec.input else None
        streams.append(replace(stream, name=name, files={"weights": weights}, input=differs))
        training[name] = model.about.get("training", {}).get(stream.name, {})
    folders = [str(model.folder) for model in models]
    drawn = max(model.about.get("flags", {}).get("no_sign", 0.0) for model in models)  # what compress.py trains with
    flags = {"model": folders, **({"no_sign": drawn} if drawn else {})}
    about = {"flags": flags, "data": first.about.get("data", {}), "training": training}
    if any(map(refit.learnt_from_valid, models)):
        about["refit"] = {"of": folders, "splits": refit.SPLITS}
    joined = Bundle(output, spec, widest_of(models).classes, streams, "mean", about)
    save_bundle(joined)
    return joined


def main(argv=None) -> int:
    args = parse(argv)
    models = [load_bundle(folder) for folder in args.model]
    if args.output.resolve() in (folder.resolve() for folder in args.model):
        raise Problem(f"{args.output}: is one of the models; choose another --output")
    dataset.check_no_dataset(args.output)
    if (args.output / "checkpoint").exists():
        raise Problem(f"{args.output}: holds a training; choose another --output")
    common_spec(models)
    reference = check_calibration(args.calibration, set(named_streams(models))) if args.calibration else None
    check_name(args.output.name, "--output")
    with command.lock(args.output):
        command.remove_leftovers(args.output)
        joined = write_ensemble(models, args.output)
        if reference:
            refit.carry_calibration(reference, load_bundle(args.output))
    for stream in joined.streams:
        print(f"{stream.name}: {stream.network} on {stream.modality}")
    print(f"model bundle -> {args.output}")
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
