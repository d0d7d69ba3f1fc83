"""Teach the recogniser signs of your own: from a folder of videos to a model for the live demo, in one go.

    python learn.py --videos recordings/mine

in:   a folder of videos for each sign, a table video,label,signer, or what record.py wrote
out:  data_set/mine: the videos and the points of body and hands in them; model/mine: the model, report.txt

Only what is missing is done: a ninth sign or one more person is the same command again and takes seconds. The last
layer alone is learnt (signs/training/last_layer.py), from all takes. How good it is, is asked of takes and people that
were left out, one after the other. The model is replaced when the new one is ready; the one before it is kept, and
`learn.py --model model/mine --back` exchanges the two. A label `nothing` is no sign: what somebody does who does not
sign. Each model knows it, from movements drawn with the bodies of the takes, and from other people's signs.
"""

import argparse
import json
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from signs import child_process, command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, load_dataset, read_clips, save_dataset
from signs.clips.no_sign import NOTHING, check_signs
from signs.clips.points import Points, read_points
from signs.command import Problem
from signs.evaluation import before_after, own_signs, whole_network
from signs.inference import model_exchange, sign_loops
from signs.inference.bundle import BUNDLE_FILE, load_bundle
from signs.landmarks import models
from signs.prepare import video_folder, video_table
from signs.prepare.keepers import answer_of, is_corrected
from signs.prepare.path_pattern import PathPattern
from signs.prepare.recordings import CONSENT, TABLE, TO_SHARE, Recordings, read_recordings
from signs.prepare.video_table import Video

import numpy as np

ROOT = Path(__file__).resolve().parent
REPORT = "report.txt"
FEWER = f"fewer than two signs; record a second one, or takes of `{NOTHING}`"


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.from_storage = set()
    given = "a folder for each sign with videos in it, a table video,label,signer, or a folder of record.py"
    flags.add_argument("--videos", type=Path, metavar="FOLDER|TABLE", help=given)
    pattern = "who signs, from the path below --videos, such as {label}/{signer}_{take}"
    flags.add_argument("--signer-from", metavar="PATTERN", help=pattern)
    flags.add_argument("--data", type=Path, default=Path("data_set/mine"), help="where the data set is kept")
    flags.add_argument("--model", type=Path, default=Path("model/mine"), help="where the model is kept")
    thorough = (
        "then train the whole network too: minutes, and more of a new person's signs are named; for 3 people or more"
    )
    flags.add_argument("--thorough", action="store_true", help=thorough)
    flags.add_argument("--back", action="store_true", help="exchange the model and the one before it, and end")
    command.add_workers(flags)
    args = flags.parse_args(argv)
    if not (args.back or args.videos):
        flags.error("needs --videos, or --back")
    args.model = args.model if args.model.name else args.model.resolve()
    return args


def go_back(model: Path) -> int:
    """Exchange a model and the one before it."""
    classes = model_exchange.go_back(model).classes
    report = model / REPORT
    what = report.read_text(encoding="utf-8").splitlines()[0] if report.is_file() else "an earlier model"
    signs = command.listed([row.name for row in classes if row.kind == "gesture"])
    print(command.one_line(f"{model} is the one of {what} now ({signs}); the same command goes back"))
    return command.DONE


def table_of(videos: Path) -> Path:
    """The table of a folder that has one, else the folder."""
    return videos / TABLE if (videos / TABLE).is_file() else videos


def read_videos(videos: Path, signer_from: str | None) -> list[Video]:
    """The videos of a folder or table."""
    if not videos.exists():
        raise Problem(f"{videos}: no such file or folder; give a folder with one folder of videos for each sign")
    read = video_folder.read_folder if videos.is_dir() else video_table.read_table
    return read(videos, signer_from and PathPattern(signer_from))[0]


def check_same(videos: list[Video], args) -> None:
    """Raise Problem where all that the data set holds would go, for other videos."""
    table = args.data / "clips.csv"
    earlier = {item.sha256 for item in read_clips(table)} if table.is_file() else set()
    if earlier and not any(video.path.is_file() and command.sha256(video.path) in earlier for video in videos):
        named = f"--data data_set/{args.videos.stem} --model model/{args.videos.stem}"
        raise Problem(f"{args.data}: made of other videos, none of which is in {args.videos}; to keep it add {named}")


def check_labels(videos: list[Video], where: Path) -> None:
    """Raise Problem where no model could come of these videos' labels, before body and hands are looked for."""
    labels = {video.label for video in videos} - {""}
    check_signs(labels - {NOTHING}, f"{where}: ", f", or `{NOTHING}`, in small letters, for takes of no sign")
    if len(labels) < 2:
        raise Problem(f"{where}: {FEWER}")


def prepare(args) -> list[int]:
    """The videos into the data set, and the points of body and hands in them; the exit codes."""
    print("step 1 of 3: the videos are brought in", flush=True)
    videos = table_of(args.videos)
    there = read_videos(videos, args.signer_from)
    check_labels(there, args.videos)
    check_same(there, args)
    models.fetch()
    more = ["--none-labels", NOTHING] if any(video.label == NOTHING for video in there) else []
    more += ["--signer-from", args.signer_from] if args.signer_from else []
    workers = ["--workers", args.workers]
    brought = run("prepare_videos.py", "--videos", videos, "--output", args.data, "--shares", 0, 0, *more, *workers)
    print("step 2 of 3: body and hands are looked for in each new video", flush=True)
    return [brought, run("landmark.py", "--data", args.data, *workers, shown=True)]


def run(script: str, *flags, shown: bool = False) -> int:
    """Run a script of the root; its exit code, 0 or 1. What it says of faults is shown, all else where it is `shown`.

    Raises:
        Problem: it did nothing; it said why.
    """
    line = [sys.executable, str(ROOT / script), *map(str, flags)]
    with child_process.ends_with_this() as how:
        done = subprocess.run(line, **how, stdout=None if shown else subprocess.DEVNULL, check=False)
    if done.returncode not in (command.DONE, command.PARTLY):
        raise Problem(f"{script} ended with {done.returncode}; it says why above")
    return done.returncode


def remove_gone(data: Dataset) -> None:
    """Delete what lies in the data set of takes that are there no more: whoever removes a take means all of it."""
    store = storage.find_landmarks(data).store
    known = {path for item in data.clips for path in (item.video(data.folder), item.archive(data.folder, store))}
    gone = [path for path in data.folder.glob("video/*/*/*") if path.is_file() and path not in known]
    for path in (*gone, *(path for path in data.folder.glob(f"{store}/*/*/*.zip") if path not in known)):
        path.unlink()
    if gone:
        takes = command.counted(len(gone), "take is", "takes are")
        print(f"{takes} no more in --videos, and gone from {data.folder} too")


def learnable(data: Dataset) -> tuple[list[Clip], list[Points]]:
    """The labelled clips in which somebody is found, and their points; raises Problem where these are not two signs."""
    stored, clips, found, empty = storage.find_landmarks(data), [], [], []
    for item in data.clips:
        if item.label and item.archive(data.folder, stored.store).is_file():
            points = read_points(item.archive(data.folder, stored.store), stored)
            if np.isnan(points.body).all():
                empty.append(f"{item.label}/{item.clip}")
            else:
                clips.append(item)
                found.append(points)
    if empty:
        print(command.one_line(f"left out, as nobody is found in them: {command.listed(empty)}"), file=sys.stderr)
    if len({item.label for item in clips}) < 2:
        raise Problem(f"{data.folder}: {FEWER}")
    return clips, found


def narrowed(data: Dataset, clips: list[Clip]) -> Dataset:
    """The data set with these clips and their signs alone, on disc too, where export.py reads it."""
    labels = {item.label for item in clips}
    data = replace(data, clips=clips, classes=[row for row in data.classes if row.label in labels])
    save_dataset(data)
    return data


def corrected(recordings: Recordings | None, clips: list[Clip]) -> set[str]:
    """Names of the clips that the live demo kept after a wrong answer; recordings: None of a folder of signs."""
    if recordings is None:
        return {item.clip for item in clips if is_corrected(item.source)}
    rows = {row.video: answer_of(row.notes) not in (None, row.label) for row in recordings.rows}
    return {item.clip for item in clips if rows.get(item.source)}


def is_known(model: Path, known: str) -> bool:
    """Whether a model is whole, and has learnt from just these clips."""
    try:
        return load_bundle(model).about.get(own_signs.KNOWN) == known
    except Problem:
        return False


def main(argv=None) -> int:
    args = parse(argv)
    args.model.parent.mkdir(parents=True, exist_ok=True)
    with command.lock(args.model.parent, args.model.name):
        return go_back(args.model) if args.back else make(args)


def make(args) -> int:
    """Prepare, learn, tell and export; the exit code."""
    started = time.perf_counter()
    check_places(args)
    model_exchange.settle(args.model)
    codes = prepare(args)
    data = load_dataset(args.data)
    remove_gone(data)
    clips, points = learnable(data)
    codes.append(command.PARTLY if len(clips) < len([item for item in data.clips if item.label]) else command.DONE)
    data = narrowed(data, clips)
    asked = whole_network.people_asked(clips) if args.thorough else []
    if is_known(args.model, own_signs.identity(data, clips)):
        print(f"nothing new: {args.model} has learnt from these {command.counted(len(clips), 'take')} already")
    else:
        learn(args, data, clips, points)
    whole_network.remove_done(args.model)
    print(*report_of(args.model), sep="\n")
    keep = f" --keep {args.videos}" if args.videos.is_dir() else ""
    seconds = time.perf_counter() - started
    print(f"ready after {seconds:.0f} s: python livedemo.py --model {args.model}{keep}", flush=True)
    if not (args.model / "export.json").is_file():
        print("start it now if you like; its form for OpenVINO, which starts sooner, takes some 20 s more", flush=True)
        codes.append(export(args.data, args.model))
        print("done")
    if asked:
        train_whole(args, data, clips, asked)
    elif model_exchange.THOROUGH not in load_bundle(args.model).about:
        for line in whole_network.advice(clips):
            print(line)
    return max(codes)


def export(data: Path, model: Path) -> int:
    """The form of a model for the laptop; the exit code."""
    flags = ["--forms", "openvino", "--split", "train", "--clips", 20]
    return run("export.py", "--data", data, "--model", model, *flags)


def train_whole(args, data: Dataset, clips: list[Clip], asked: list[str]) -> None:
    """Train the whole network of the signs, twice: without the people who are asked, and, where it names at least as
    many of their takes as the last layer, with them. That takes the model's place."""
    quick = load_bundle(args.model)
    if model_exchange.THOROUGH in quick.about:
        print("the whole network was trained for these takes already")
        return
    work = whole_network.begin(args.model, data, clips, asked)
    print(
        command.one_line(
            f"the whole network is trained now, some minutes, and asked of takes by {command.listed(asked)}"
        )
    )
    print("Ctrl-C keeps the model that is ready, and the same command goes on later", flush=True)
    train = ("train_landmark.py", "--data", work / "data", "--output")
    flags = [*whole_network.mirror_flags(quick), *whole_network.no_sign_flags(data)]
    run(*train, work / "chosen", *flags, shown=True)
    run("evaluate.py", "--data", work / "data", "--model", work / "chosen", "--split", "valid", "--gallery", 0)
    found = whole_network.compare(work / "chosen", quick.folder, asked)
    if found.better:
        run(*train, work / "refit", "--refit", work / "chosen", shown=True)
        whole_network.assemble(work / "refit", quick, found, made := work / "made")
        write_report(made, [*report_of(args.model), found.line()])
        export(args.data, made)
        model_exchange.replace_in_place(made, args.model)
    else:
        whole_network.note(quick, found)
        write_report(args.model, [*report_of(args.model), found.line()])
    print(found.line())
    whole_network.remove_done(args.model)


def report_of(model: Path) -> list[str]:
    """The lines that are said of a model."""
    return (model / REPORT).read_text(encoding="utf-8").splitlines()


def write_report(model: Path, lines: list[str]) -> None:
    command.write_text(model / REPORT, "\n".join(lines) + "\n")


def learn(args, data: Dataset, clips: list[Clip], points: list[Points]) -> None:
    """Make the model beside the one that is there, and put it in its place when it is whole."""
    print("step 3 of 3: the signs are learnt, and asked of takes that were left out", flush=True)
    made = args.model.with_name(args.model.name + ".new")
    shutil.rmtree(made, ignore_errors=True)
    made.mkdir()
    try:
        lines = own_signs.learn(data, clips, points, made)
        recordings = read_recordings(args.videos) if (args.videos / CONSENT).is_file() else None
        allowed = recordings.allowing(TO_SHARE) if recordings else ()  # these takes first: share.py may pass them on
        sign_loops.write_loops(made, sign_loops.choose_loops(data, clips, points, allowed))
        lines += before_after.compare(args.model, made, corrected(recordings, clips))
        write_report(made, lines)
        model_exchange.replace_model(made, args.model)
    finally:
        shutil.rmtree(made, ignore_errors=True)  # half of a model, where something failed


def check_places(args) -> None:
    """Raise Problem where --data or --model would harm something else."""
    data, model = args.data.resolve(), args.model.resolve()
    if data.is_relative_to(model) or model.is_relative_to(data):
        raise Problem(f"--data {args.data} --model {args.model}: one lies in the other; choose two folders")
    for folder, file, kind in ((args.data, "clips.csv", "data set"), (args.model, BUNDLE_FILE, "model")):
        if folder.exists() and not folder.is_dir():
            raise Problem(f"{folder}: a file; name a folder for the {kind}")
        if folder.exists() and any(folder.iterdir()) and not (folder / file).is_file():
            raise Problem(f"{folder}: holds something else than a {kind}; choose another folder")
    table = args.data / "clips.csv"
    if table.is_file() and any(item.split != "train" for item in read_clips(table)):
        raise Problem(
            f"{args.data}: its clips are split for training and test, by another script; choose another --data"
        )
    try:
        about = json.loads((args.model / BUNDLE_FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    except ValueError:
        raise Problem(f"{args.model / BUNDLE_FILE}: damaged; delete {args.model}, and run this again") from None
    if own_signs.KNOWN not in about:
        raise Problem(f"{args.model}: a model that another script made; choose another --model")


if __name__ == "__main__":
    sys.exit(command.run(main))
