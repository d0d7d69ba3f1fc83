"""The folder of a training run: what it holds already, what feeds it, the bundle at its end.

model/<run>/checkpoint/run.json     the flags that a run must go on with
model/<run>/bundle.json             written last, see bundle.py
"""

import contextlib
import hashlib
import json
import random
import re
import sys
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import cached_copy, dataset, modality
from signs.clips.dataset import Clip, Dataset
from signs.clips.spec import ClipSpec, StoredSpec
from signs.command import Problem
from signs.inference.bundle import Bundle, Stream, is_bundle, load_bundle, save_bundle
from signs.training import distribute, refit
from signs.training.log import FOLDER, Log

# Flags that may change when a run goes on.
NOT_PART_OF_A_RUN = ("data", "output", "stream", "epochs", "recurrent_epochs", "workers", *distribute.FLAGS)
# Flags that a run of an earlier version may lack. Its `input` says what sampling and views did.
NEW_FLAGS = ("script", "recipe", "sampling", "views", "no_sign")
FEW = 0.1  # share of a split's clips that a training leaves out; of a small split two clips, but not half of it


def settle_flags(args, data: Dataset, spec: ClipSpec) -> dict:
    """The flags of the run, written beside its checkpoint; raises Problem where the folder holds another run, or
    another one, of another stream, has just begun there."""
    path = args.output / "checkpoint" / "run.json"
    flags = {name: value for name, value in vars(args).items() if name not in NOT_PART_OF_A_RUN}
    if getattr(args, "schedule", None) == "cosine":
        flags["epochs"] = args.epochs  # the rate depends on how many there will be
    # The same run may have begun with one stream, before there was flow.
    settings = {
        "flags": flags,
        "input": spec.to_json()["input"],
        "store": spec.stored.frame_store,
        "classes": [row.label for row in data.classes],
        "clips": clips_of(data),
    }
    settings = json.loads(json.dumps(settings, default=str))
    trained = any((*path.parent.glob("*.weights.h5"), *args.output.glob("*.weights.h5")))
    if path.exists() and (trained or is_training(args.output, modality.expand_streams(args.stream))):
        if changed := ", ".join(changed_settings(json.loads(path.read_text()), settings)):
            what = f"holds a run with other settings ({changed})"
            raise Problem(f"{args.output}: {what}; choose another --output, or delete it")
    else:
        command.write_text(path, json.dumps(settings, indent=1) + "\n")
    return settings["flags"]


def clips_of(data: Dataset) -> dict:
    """What a run learns from and is judged by: how many clips, and a hash of all that matters of them."""
    clips = [item for item in data.clips if item.split in refit.SPLITS and item.label]
    known = sorted((item.split, item.label, item.clip, item.content) for item in clips)
    counts = {split: sum(item.split == split for item in clips) for split in refit.SPLITS}
    return {**counts, "sha256": hashlib.sha256(json.dumps(known).encode()).hexdigest()}


def is_training(output: Path, streams: list[str]) -> bool:
    """Whether another process trains other streams than these in the folder at this moment; hold its lock `run`."""
    for path in output.glob(".lock-*"):
        stream = path.name.removeprefix(".lock-")
        if stream in modality.TABLE and stream not in streams and is_held(output, stream):
            return True
    return False


def is_held(output: Path, stream: str) -> bool:
    """Whether another process trains a stream in the folder at this moment; hold its lock `run`."""
    try:
        with command.lock(output, stream):
            return False
    except Problem:
        return True


def changed_settings(before: dict, settings: dict) -> list[str]:
    """What is not as it was when the run began, perhaps with an earlier version, in words for people."""
    flags = refit.in_todays_words(before["flags"])
    flags = {name: settings["flags"].get(name) for name in NEW_FLAGS} | flags
    changed = sorted(name for name, value in settings["flags"].items() if flags.get(name) != value)
    if before.get("classes") != settings["classes"]:
        changed.append("the classes of class.csv")
    if not changed and any(before[name] != settings[name] for name in ("input", "store")):
        changed.append("stored frames")
    clips = settings["clips"]
    if before.get("clips", clips) != clips:  # an earlier version did not keep them
        train, valid = (f"{clips[split]} {split}, {before['clips'][split]} then" for split in refit.SPLITS)
        changed.append(f"the clips of clips.csv: {train}; {valid}")
    return changed


def remove_leftovers(output: Path, stream: str) -> None:
    """Delete the temporary files of a stream's killed training, and no other's; hold its lock."""
    for folder in (output, output / "checkpoint", output / FOLDER):
        # Of `grey`, `grey-0007` and `grey-network`, but not of `grey-depth`.
        command.remove_leftovers(folder, rf"{re.escape(stream)}(?:-\d+|-network)?", deep=False)


@contextlib.contextmanager
def claimed(args, data: Dataset, spec: ClipSpec) -> Iterator[dict]:
    """Hold the output for the streams that are trained; the flags of the run, which fit what is there."""
    if getattr(args, "refit", None):
        refit.check_classes(args, data)
    dataset.check_no_dataset(args.output)
    with contextlib.ExitStack() as held:
        with command.lock(args.output, "run", wait=True):  # of two that begin at once, the second sees the first
            for stream in modality.expand_streams(args.stream):
                # One lock a stream: on a CPU two processes that train one each are quicker than one after the other.
                held.enter_context(command.lock(args.output, stream))
                remove_leftovers(args.output, stream)
            flags = settle_flags(args, data, spec)
        yield flags


def stamp(args, data: Dataset, spec: ClipSpec) -> str:
    """Equal for hosts that were started alike, whatever their folders are called."""
    flags = {name: value for name, value in vars(args).items() if name not in ("data", "output", "workers", "host")}
    clips = [(item.clip, item.split, item.label) for item in data.clips]
    return hashlib.sha256(json.dumps([flags, clips, spec.to_json()], default=str).encode()).hexdigest()


def seed(number: int) -> None:
    """Start Keras anew, with every random number from `number`."""
    import keras

    keras.backend.clear_session()
    if keras.backend.backend() == "jax":
        random.seed(number)  # all that Keras draws from there; its own function would import TensorFlow
    else:
        keras.utils.set_random_seed(number)


def begin(number: int, output: Path, stream: str, start: Path | None = None) -> int:
    """`seed` for a stream's training; returns the seed of its batches.

    A training that goes on from the weights in the file `start` draws other numbers, from `number` and that file: else
    it would begin with the very order, augmentation and dropout that these weights were learnt with. Raises Problem
    where it began with other weights.
    """
    if start:
        known, now = output / "checkpoint" / f"{stream}.start", command.sha256(start)
        begun = known.exists() and known.with_suffix(".json").exists()
        if begun and known.read_text(encoding="utf-8") != now:
            what = f"its {stream} training began with other weights than {start} has now"
            raise Problem(f"{output}: {what}; choose another --output, or delete it")
        command.write_text(known, now)
        number = int(hashlib.sha256(f"{number} {now}".encode()).hexdigest()[:8], 16)
    seed(number)
    return number


def split_of(data: Dataset, split: str) -> list[Clip]:
    """The labelled clips of a split that a training needs; raises Problem where there is none."""
    clips = data.split(split, labelled=True)
    if not clips:
        raise Problem(f"{data.folder}/clips.csv: no labelled clip in the split {split}; training needs both")
    return clips


def with_archives(data: Dataset, streams: list[str], stored: StoredSpec) -> Dataset:
    """The data set without the few clips to learn from whose archives are missing; raises Problem as `leave_out`.

    Where `stored` has landmarks they are needed too, whatever the streams.
    """
    points = [name for name in modality.TABLE if modality.TABLE[name].kind == "landmark" and stored.landmark]
    for stream in dict.fromkeys([*streams, *points]):
        kind = modality.TABLE[stream]
        step = f"{dataset.STEPS[kind.kind]} --data {data.folder}"
        for part, store in zip(kind.parts, kind.stores(stored), strict=True):
            paths = {item.clip: item.archive(data.folder, store) for item in data.clips}
            missing = {clip for clip, path in paths.items() if not cached_copy.exists(path)}
            run = step + f" --part {part}" * (part != "video")
            data = leave_out(data, missing, data.folder / store, run)
    return data


def leave_out(data: Dataset, missing: Collection[str], where: Path, step: str) -> Dataset:
    """The data set without the labelled clips of `train` and `valid` that are missing in `where`, which are named.

    They are few where `step` could not read them. Raises Problem where they are many: it was not run to its end.
    """
    lacking = []
    for split in refit.SPLITS:
        clips = split_of(data, split)
        names = [item.clip for item in clips if item.clip in missing]
        if len(names) > max(2, FEW * len(clips)) or 2 * len(names) >= len(clips):
            what = f"lacks {len(names)} of {command.counted(len(clips), 'clip')} of {split}, {names[0]} among them"
            raise Problem(f"{where}: {what}; run {step} to its end, or delete their rows from clips.csv")
        if names:
            what = f"lacks {len(names)} of {len(clips)} clips of {split} ({command.listed(names, 3)})"
            how = f"left out; {step} says why. Mend their videos or delete their rows"
            print(command.one_line(f"{where}: {what}: {how}"), file=sys.stderr)
        lacking += names
    left = {*lacking}
    kept = [item for item in data.clips if item.clip not in left] if left else data.clips
    return replace(data, clips=kept, left_out=(*data.left_out, *lacking))


def trained_stream(output: Path, name: str, network: str, arguments: dict) -> Stream:
    """A stream that was trained, for the bundle; raises Problem where nothing was worth keeping."""
    stream = Stream(name, name, network, arguments, {"weights": f"{name}.weights.h5"})
    if not (output / stream.files["weights"]).exists():
        raise Problem(f"{output / 'log.csv'}: the validation loss was never a number; train with other settings")
    return stream


def write_bundle(args, data: Dataset, spec: ClipSpec, flags: dict, trained: list[Stream]) -> int:
    """Join the streams trained now with those of an earlier `--stream` in the same folder; the script's exit code."""
    from signs.training.checkpoint import Checkpoint

    with command.lock(args.output, wait=True):  # the other stream's process may be doing the same
        command.remove_leftovers(args.output, "bundle", deep=False)
        bundle = bundle_of_run(args, data, spec, flags, trained)
        save_bundle(bundle)
        if refit.learnt_from_valid(bundle):
            refit.carry_calibration(load_bundle(args.refit), load_bundle(args.output))
    for name, row in bundle.about["training"].items():
        if refit.learnt_from_valid(bundle):
            print(f"{name}: epoch {row['epoch']:.0f}, as {args.refit} chose; learnt from the validation clips too")
        else:
            there = f"validation accuracy is {row['val_accuracy']:.1%} there"
            print(f"{name}: epoch {row['epoch']:.0f} is kept, the lowest validation loss; {there}")
    print(f"model bundle -> {args.output}")
    faulty = any(Checkpoint(args.output, stream.name).state.fault for stream in trained)
    return command.PARTLY if faulty or data.left_out else command.DONE


def trained_anew(output: Path, stream: str) -> bool:
    """Whether another process trains a stream of an earlier bundle from its beginning at this moment, and will join it
    to the others when it ends; raises Problem where the log has nothing of it and nobody does."""
    log = Log(output / "log.csv")
    if log.rows_of(stream):
        return False
    with command.lock(output, "run", wait=True):
        held = is_held(output, stream)
    if not held and not log.rows_of(stream):
        raise Problem(
            f"{log.path}: nothing of {stream}, which is in bundle.json; train it once more, --stream {stream}"
        )
    return held


def bundle_of_run(args, data: Dataset, spec: ClipSpec, flags: dict, trained: list[Stream]) -> Bundle:
    """The bundle of the streams trained now and those that are there already, which is not written yet."""
    if is_bundle(args.output):
        earlier, names = load_bundle(args.output), {stream.name for stream in trained}
        if earlier.spec.stored.flow and not spec.stored.flow:
            spec = replace(spec, stored=earlier.spec.stored)
        others = [stream for stream in earlier.streams if stream.name not in names]
        trained = [stream for stream in others if not trained_anew(args.output, stream.name)] + trained
        if "image_network" in flags:
            flags["image_network"] = earlier.about["flags"].get("image_network", {}) | flags["image_network"]
    streams = sorted(trained, key=lambda stream: stream.name, reverse=True)
    if not any(stream.modality == "flow" for stream in streams):
        spec = replace(spec, stored=spec.stored.without_flow())
    reference, log, metrics = getattr(args, "refit", None), Log(args.output / "log.csv"), {}
    for stream in streams:
        best = refit.chosen(args, stream.name) if reference else log.best(stream.name)
        metrics[stream.name] = {key: float(best[key]) for key in ("epoch", "val_loss", "val_accuracy")}
    counts = {split: sum(labels.values()) for split, labels in data.count().items()}
    about = {"flags": flags, "data": {"folder": data.folder.name, "clips": counts}, "training": metrics}
    if reference:
        about["refit"] = {"of": reference, "splits": refit.SPLITS}
    return Bundle(args.output, spec, data.classes, streams, "mean", about)
