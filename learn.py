"""Teach the recogniser signs of your own: from a folder of videos to a model for the live demo, in one go.

    python learn.py --videos recordings/mine

in:   a folder of videos for each sign, a table video,label,signer, or what record.py wrote
out:  data_set/mine: the videos and the points of body and hands in them; model/mine: the model, report.txt

Only what is missing is done: a ninth sign or one more person is the same command again and takes seconds. The last
layer alone is learnt (signs/training/last_layer.py), from all takes. How good it is, is asked of takes and people that
were left out, one after the other. The model is replaced when the new one is ready; the one before it is kept, and
`learn.py --model model/mine --back` exchanges the two. A label `nothing` is no sign: what somebody does who does not
sign, which a model should know.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from signs import command
from signs.clips import posture, storage
from signs.clips.dataset import Clip, Dataset, load_dataset
from signs.clips.points import read_points
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.evaluation import calibration, plain_words
from signs.inference.bundle import Bundle, Stream, is_bundle, load_bundle, load_keras, save_bundle
from signs.inference.confidence import FALSE_ALARMS, tempered
from signs.inference.predictions import Predictions
from signs.landmarks import models
from signs.prepare import video_folder, video_table
from signs.training import last_layer

import numpy as np
from scipy.special import softmax

ROOT = Path(__file__).resolve().parent
DGS = ROOT / "signs" / "models" / "dgs"
NOTHING = "nothing"  # the label of what is no sign
STREAM = "landmark"
TABLE = "clips.csv"  # in a folder that record.py wrote
KNOWN, REPORT = "learnt_from", "report.txt"
SURE = 0.15  # temperature of answers where no take can be left out
TAKES = 5  # groups into which the takes of one person are left out, at most


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    given = "a folder for each sign with videos in it, a table video,label,signer, or a folder of record.py"
    flags.add_argument("--videos", type=Path, metavar="FOLDER|TABLE", help=given)
    flags.add_argument("--data", type=Path, default=Path("data_set/mine"), help="where the data set is kept")
    flags.add_argument("--model", type=Path, default=Path("model/mine"), help="where the model is kept")
    flags.add_argument("--back", action="store_true", help="exchange the model and the one before it, and end")
    command.add_workers(flags)
    args = flags.parse_args(argv)
    if not (args.back or args.videos):
        flags.error("needs --videos, or --back")
    return args


def before(model: Path) -> Path:
    """Where the model before the last one lies."""
    return model.with_name(model.name + ".before")


def go_back(model: Path) -> int:
    """Exchange a model and the one before it."""
    if not is_bundle(before(model)):
        raise Problem(f"{before(model)}: no model there; learn.py keeps one when it has replaced it")
    aside = model.with_name(model.name + ".aside")
    with command.lock(model.parent, model.name):
        if model.exists():
            os.replace(model, aside)
        os.replace(before(model), model)
        if aside.exists():
            os.replace(aside, before(model))
    print(f"{model} is the one before again; the same command exchanges them once more")
    return command.DONE


def table_of(videos: Path) -> Path:
    """The table of a folder that has one, else the folder."""
    return videos / TABLE if (videos / TABLE).is_file() else videos


def labels_of(videos: Path) -> set[str]:
    """The labels of a folder or table."""
    if not videos.exists():
        raise Problem(f"{videos}: no such file or folder; give a folder with one folder of videos for each sign")
    read = video_folder.read_folder if videos.is_dir() else video_table.read_table
    return {video.label for video in read(videos, None)[0]} - {""}


def prepare(args) -> list[int]:
    """The videos into the data set, and the points of body and hands in them; the exit codes."""
    videos = table_of(args.videos)
    nothing = ["--none-labels", NOTHING] if NOTHING in labels_of(videos) else []
    workers = ["--workers", args.workers]
    brought = run("prepare_videos.py", "--videos", videos, "--output", args.data, "--shares", 0, 0, *nothing, *workers)
    return [brought, run("landmark.py", "--data", args.data, *workers, shown=True)]


def run(script: str, *flags, shown: bool = False) -> int:
    """Run a script of the root; its exit code, 0 or 1. What it says is shown as it comes, or where not all went well.

    Raises:
        Problem: it did nothing; it said why.
    """
    line = [sys.executable, str(ROOT / script), *map(str, flags)]
    done = subprocess.run(line, stdout=None if shown else subprocess.PIPE, text=True, encoding="utf-8", check=False)
    if done.returncode and not shown:
        print(done.stdout, end="")
    if done.returncode not in (command.DONE, command.PARTLY):
        raise Problem(f"{script} ended with {done.returncode}; it says why above")
    return done.returncode


def learnable(data: Dataset) -> list[Clip]:
    """The labelled clips whose points are there; raises Problem where these are not two signs."""
    store = storage.find_landmarks(data).store
    clips = [item for item in data.clips if item.label and item.archive(data.folder, store).is_file()]
    if len({item.label for item in clips}) < 2:
        raise Problem(f"{data.folder}: fewer than two signs; record a second one, or takes of `{NOTHING}`")
    return clips


def groups_of(clips: list[Clip]) -> dict[str, np.ndarray]:
    """{"new": who makes each clip, where there are several people; "known": which of a person's takes it is}, (N,)."""
    signers = np.array([item.signer for item in clips])
    number, takes = {}, []
    for item in clips:
        one = number[item.signer, item.label] = number.get((item.signer, item.label), -1) + 1
        takes.append(one % TAKES)
    several = {"new": signers} if len(set(signers) - {""}) > 1 else {}
    return {**several, "known": np.array(takes)}


class Learnt:
    """The last layer of some clips' signs, and what clips get that were left out of learning it."""

    def __init__(self, views: last_layer.Views, targets: np.ndarray, groups: dict[str, np.ndarray]):
        """groups: of `groups_of`; the first that has two of them decides how signs look in a mirror, and how sure
        answers are."""
        self.truth = targets.argmax(axis=1)
        asked = {name: each for name, each in groups.items() if len(set(each)) > 1}
        first = next(iter(asked.values()), None)
        self.in_mirror, self.temperature = None, SURE
        if first is not None:
            ways = (None, last_layer.find_pairs(views, targets, first))
            logits = [last_layer.answers_left_out(views, targets, first, way) for way in ways]
            self.in_mirror = ways[int(np.argmin([self.loss(rows) for rows in logits]))]
        answers = {
            name: last_layer.answers_left_out(views, targets, each, self.in_mirror) for name, each in asked.items()
        }
        if answers:
            self.temperature = calibration.fit_temperature(
                softmax(np.float64(next(iter(answers.values()))), axis=1), self.truth
            )
        self.answers = {name: softmax(np.float64(rows) / self.temperature, axis=1) for name, rows in answers.items()}
        self.layer = tuple(part / self.temperature for part in last_layer.fit(views, targets, self.in_mirror))

    def loss(self, logits: np.ndarray) -> float:
        """Of answers at the temperature that fits them best."""
        probabilities = softmax(np.float64(logits), axis=1)
        fitted = tempered(probabilities, calibration.fit_temperature(probabilities, self.truth))
        return calibration.log_loss(fitted, self.truth)


def open_start() -> tuple[Callable, int, object]:
    """What the last layer stands on: (B, moments, values) -> (B, D), how many moments it sees, and its keras.Model."""
    load_keras()
    from signs.inference import runtime
    from signs.models import landmark as network

    start = load_bundle(DGS)
    arguments = {name: value for name, value in start.streams[0].arguments.items() if name != "mirror"}
    row = replace(start.streams[0], arguments=arguments)
    model = runtime.KerasNetwork.load(row, start.weights(row)).model
    below = runtime.KerasNetwork(network.below_top(model))
    return below.logits, start.spec.input.frames, model


def learn(data: Dataset, clips: list[Clip], folder: Path) -> list[str]:
    """Write a bundle into a folder; what there is to say of it, a line each."""
    below, moments, start = open_start()
    from signs.inference import runtime
    from signs.models import landmark as network
    from signs.models.weights import copy_weights
    from signs.training import averaging

    stored = storage.find_landmarks(data)
    points = [read_points(item.archive(data.folder, stored.store), stored) for item in clips]
    views = last_layer.views_of(below, points, moments)
    labels = [row.label for row in data.classes]
    targets = np.eye(len(labels), dtype=np.float32)[[labels.index(item.label) for item in clips]]
    learnt = Learnt(views, targets, groups_of(clips))
    arguments = {"input_shape": [moments, posture.VALUES], "classes": len(labels)}
    if learnt.in_mirror is not None:
        arguments["mirror"] = {"classes": learnt.in_mirror.tolist(), "values": posture.in_mirror()}
    row = Stream(STREAM, STREAM, STREAM, arguments, {"weights": f"{STREAM}.weights.h5"})
    model = runtime.build_network(row)
    copy_weights(start, model)
    network.set_top(model, *learnt.layer)
    averaging.save_weights(model, folder / row.files["weights"])
    spec = ClipSpec(replace(StoredSpec(), flow=None, landmark=stored), InputSpec(frames=moments))
    about = {"flags": {"script": "learn.py"}, "data": {"folder": data.folder.name, "clips": {"train": len(clips)}}}
    save_bundle(Bundle(folder, spec, data.classes, [row], "mean", {**about, KNOWN: identity(data, clips)}))
    tables = {name: Predictions(clips, labels, {STREAM: rows}) for name, rows in learnt.answers.items()}
    if tables:
        hashes = load_bundle(folder).hashes
        calibration.learn_calibration(next(iter(tables.values())), data.classes, FALSE_ALARMS, hashes).write(folder)
    return plain_words.describe(tables, clips, {row.label: row.name for row in data.classes}, data.folder)


def identity(data: Dataset, clips: list[Clip]) -> str:
    """Of all that a model is learnt from."""
    rows = [(item.clip, item.label, item.signer, item.sha256) for item in clips]
    stored = storage.find_landmarks(data).to_json()
    classes = [asdict(row) for row in data.classes]
    return hashlib.sha256(json.dumps([rows, classes, stored, command.sha256(DGS / "bundle.json")]).encode()).hexdigest()


def replace_model(made: Path, model: Path) -> None:
    """Put a new model in the place of the one that is there, which is kept beside it."""
    if is_bundle(model):
        shutil.rmtree(before(model), ignore_errors=True)
        os.replace(model, before(model))
    elif model.exists():
        shutil.rmtree(model)  # left half-written, or empty
    os.replace(made, model)


def is_known(model: Path, known: str) -> bool:
    """Whether a model has learnt from just these clips."""
    return is_bundle(model) and load_bundle(model).about.get(KNOWN) == known


def main(argv=None) -> int:
    args = parse(argv)
    if args.back:
        return go_back(args.model)
    started = time.perf_counter()
    check_output(args.model)
    models.fetch()
    threading.Thread(target=load_keras, daemon=True).start()  # some seconds, in which videos are looked at
    codes = prepare(args)
    data = load_dataset(args.data)
    clips = learnable(data)
    with command.lock(args.model.parent, args.model.name):
        if is_known(args.model, identity(data, clips)):
            print(f"nothing new: {args.model} has learnt from these {len(clips)} takes already")
        else:
            made = args.model.with_name(args.model.name + ".new")
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir(parents=True)
            lines = learn(data, clips, made)
            command.write_text(made / REPORT, "\n".join(lines) + "\n")
            replace_model(made, args.model)
    tell(args, time.perf_counter() - started)
    if not (args.model / "export.json").is_file():
        flags = ["--forms", "openvino", "--split", "train", "--clips", 20]
        codes.append(run("export.py", "--data", args.data, "--model", args.model, *flags))
        print("it needs no TensorFlow now, and starts sooner")
    return max(codes)


def tell(args, seconds: float) -> None:
    """How good it is, in words, and what to run next."""
    print((args.model / REPORT).read_text(encoding="utf-8"), end="")
    print(f"ready after {seconds:.0f} s: python livedemo.py --model {args.model}")


def check_output(model: Path) -> None:
    """Raise Problem where a model of something else than learn.py would be replaced."""
    if is_bundle(model) and KNOWN not in load_bundle(model).about:
        raise Problem(f"{model}: a model that another script made; choose another --model")
    if not is_bundle(model) and model.exists() and any(model.iterdir()):
        raise Problem(f"{model}: holds something else than a model; choose another --model")


if __name__ == "__main__":
    sys.exit(command.run(main))
