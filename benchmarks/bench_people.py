"""How well are people recognised whom no training saw? Each person is left out once, with everything chosen on another.

    python benchmarks/bench_people.py --data data_set/gestures --output model/people -- --weights none --epochs 40

For each person a data set of links is made in which that person is `test`, the next one `valid` and the others
`train`; `train_i3d.py` gets what stands behind `--`, `evaluate.py` scores both splits. Printed: top-1 of each stream
and of both on the validation and on the test people, the mean over people, the worst person and, with --table and --by,
each group of clips (the distance from the camera, say). The last line is JSON. A run that was stopped goes on.
With --refit each model is made once more, of the validation person's clips too, under <output>/refit, and the test of
those is printed beside. With --learners fewer people are learnt from.
"""

import argparse
import csv
import json
import os
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import dataset
from signs.clips.dataset import STEPS, Dataset, load_dataset, save_dataset
from signs.inference import feature_file, predictions
from signs.inference.predictions import Predictions

ROOT = Path(__file__).resolve().parent.parent
STREAMS = ("rgb", "flow", "landmark", *predictions.FUSED)


def folds_of(people: list[str]) -> list[tuple[str, str]]:
    """Each person left out once, with the one who validates then."""
    return [(person, people[(number + 1) % len(people)]) for number, person in enumerate(people)]


def learners_of(people: list[str], fold: tuple[str, str], count: int | None) -> list[str]:
    """Who is learnt from in a fold: the next ones, so that each is learnt from equally often."""
    after = people.index(fold[1]) + 1
    others = [person for person in people[after:] + people[:after] if person not in fold]
    return others[:count]


def make_fold(data: Dataset, folder: Path, test: str, valid: str, learners: list[str]) -> None:
    """A data set of links to the archives and videos of `data`, split by person."""
    splits = {test: "test", valid: "valid"} | dict.fromkeys(learners, "train")
    link(data, folder, {item.clip: splits[item.signer] for item in data.clips if item.signer in splits})


def link(data: Dataset, folder: Path, splits: dict[str, str]) -> None:
    """A data set of links to those clips of `data` that have a split, {clip: split}."""
    moved = []
    for item in (item for item in data.clips if item.clip in splits):
        # People are kept whole here, so groups of clips need not be.
        now = replace(item, split=splits[item.clip], group="")
        moved.append(now)
        links = {
            now.archive(folder, store): item.archive(data.folder, store)
            for store in (store for kind in STEPS for store in data.stores(kind))
        }
        for path, target in {**links, now.video(folder): item.video(data.folder)}.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.is_symlink():
                path.symlink_to(target.resolve())
    save_dataset(Dataset(folder, moved, data.classes))
    for store in sorted(path for path in data.folder.glob("feature-*") if path.is_dir()):
        share_features(store, load_dataset(folder))


def share_features(store: Path, fold: Dataset) -> None:
    """The rows of a data set's features, by the splits of a fold; their mean is that of its training people."""
    with ExitStack() as held:
        files = [held.enter_context(feature_file.opened(path)) for path in feature_file.files_of(store)]
        if not files or files[0].about.trained.startswith(("fine-tuned", "of ")):
            return  # an image network that was trained on these people, the one left out among them
        where = {name: (file, place) for file in files for name, place in file.position.items() if file.done[place]}
        for split in dataset.SPLITS:
            clips = [item for item in fold.split(split) if item.clip in where]
            path = feature_file.path_of(fold.folder / store.name, split)
            places = [where[item.clip] for item in clips]
            feature_file.prepare(path, files[0].about, [file.entries[place] for file, place in places])
            with feature_file.opened(path, write=True) as made:
                for position, (file, place) in enumerate(places):
                    if not made.done[position]:
                        made.write(position, file.rows(place))
    link = fold.folder / store.name / feature_file.WEIGHTS
    if not link.is_symlink():
        link.symlink_to((store / feature_file.WEIGHTS).resolve())
    feature_file.share_statistics(fold.folder / store.name)


def stream_flags(stream: str) -> tuple[str, ...]:
    """train_landmark.py has one stream, and no flag for it."""
    return () if stream == "landmark" else ("--stream", stream)


def call(script: str, *arguments) -> None:
    """Run a script of the repository; its output goes to a log beside what it writes."""
    trains = "--output" in arguments
    model = Path(arguments[arguments.index("--output" if trains else "--model") + 1])
    model.mkdir(parents=True, exist_ok=True)
    name = f"{Path(script).stem}-{Path(arguments[-1]).name}.txt" if trains else f"{Path(script).stem}.txt"
    line = [sys.executable, ROOT / script, *map(str, arguments)]
    with open(model / name, "a") as log:
        done = subprocess.run(line, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise SystemExit(f"{script} ended with {done.returncode}; see {model / name}")


def evaluate(args, folds: list, models: Path, splits: tuple[str, ...], pool: ThreadPoolExecutor) -> None:
    """Score the model of each fold, models/<person>, on some splits."""
    jobs = [
        (
            "evaluate.py",
            "--data",
            args.output / "data" / test,
            "--model",
            models / test,
            "--split",
            *splits,
            "--gallery",
            0,
        )
        for test, _ in folds
    ]
    list(pool.map(lambda job: call(*job), jobs))


def scores(model: Path, split: str) -> list[dict]:
    """A row per clip and stream: clip, signer, stream, right (0 or 1)."""
    table = Predictions.read(Predictions.path(model, split), split)
    known = [item for item, scored in zip(table.clips, table.scored, strict=True) if scored]
    return [
        {"clip": item.clip, "signer": item.signer, "stream": stream, "right": int(right)}
        for stream, probabilities in table.streams.items()
        for item, right in zip(known, probabilities[table.scored].argmax(axis=1) == table.truth, strict=True)
    ]


def summary(rows: list[dict], groups: dict[str, str]) -> dict:
    """Top-1 by stream: mean over people, worst person, each person, each group."""
    result = {}
    for stream in STREAMS:
        people, parts = defaultdict(list), defaultdict(list)
        for row in rows:
            if row["stream"] == stream:
                people[row["signer"]].append(row["right"])
                if row["clip"] in groups:
                    parts[groups[row["clip"]]].append(row["right"])
        if people:
            means = {person: float(np.mean(right)) for person, right in sorted(people.items())}
            result[stream] = {
                "mean": float(np.mean(list(means.values()))),
                "worst": min(means.values()),
                "people": means,
                "groups": {name: float(np.mean(r)) for name, r in sorted(parts.items())},
            }
    return result


def show(found: dict) -> None:
    console = Console(width=120)
    for split, streams in found.items():
        some = next(iter(streams.values()))
        heads = ("stream", "mean", "worst", *some["people"], *some["groups"])
        table = Table(*heads, title=f"top-1, people left out of the training ({split})")
        for stream, row in streams.items():
            values = (row["mean"], row["worst"], *row["people"].values(), *row["groups"].values())
            table.add_row(stream, *(f"{100 * value:.1f}" for value in values))
        console.print(table)


def add_groups(flags: argparse.ArgumentParser) -> None:
    flags.add_argument("--table", type=Path, help="CSV with a column video, as in clips.csv's source, and --by's")
    flags.add_argument("--by", default="distance", help="column of --table by which clips are grouped")


def read_groups(args, data: Dataset) -> dict[str, str]:
    """{clip: its group} of --table and --by; empty without a table."""
    if not args.table:
        return {}
    with open(args.table, newline="", encoding="utf-8") as file:
        by_source = {row["video"]: row[args.by] for row in csv.DictReader(file)}
    return {item.clip: by_source[item.source] for item in data.clips if item.source in by_source}


def prepare_jobs(args, data: Dataset, people: list[str], folds: list) -> list[tuple]:
    """Make the data set of each fold; the command line of each training, person after person."""
    jobs = []
    for test, valid in folds:
        make_fold(data, args.output / "data" / test, test, valid, learners_of(people, (test, valid), args.learners))
        own = [flag.format(test=test) for flag in args.train]
        paths = ("--data", args.output / "data" / test, "--output", args.output / test)
        jobs += [(args.script, *paths, *own, *stream_flags(stream)) for stream in args.streams]
    return jobs


def refit(args, folds: list, pool: ThreadPoolExecutor) -> None:
    """Train each model once more, from the validation person's clips too, and score it on the test person."""
    jobs = []
    for test, _ in folds:
        paths = ("--data", args.output / "data" / test, "--output", args.output / "refit" / test)
        once_more = ("--refit", args.output / test)
        jobs += [(args.script, *paths, *once_more, *stream_flags(stream)) for stream in args.streams]
    list(pool.map(lambda job: call(*job), jobs))
    evaluate(args, folds, args.output / "refit", ("test",), pool)


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, required=True, help="data set folder with its frame and flow archives")
    flags.add_argument("--output", type=Path, required=True, help="folder for the folds and their models")
    add_groups(flags)
    flags.add_argument("--streams", nargs="+", choices=STREAMS[:3], default=STREAMS[:2])
    flags.add_argument("--people", nargs="+", help="leave out only these")
    flags.add_argument("--learners", type=int, metavar="N", help="learn from so many people; all but two")
    flags.add_argument("--script", default="train_i3d.py", help="that trains; features are shared out")
    flags.add_argument("--refit", action="store_true", help="then learn from the validation person too")
    flags.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings at once")
    flags.add_argument("train", nargs="*", metavar="-- FLAGS", help="of the script; {test} stands for the person")
    args = flags.parse_args(argv)
    data = load_dataset(args.data)
    people = sorted({item.signer for item in data.clips})
    folds = [fold for fold in folds_of(people) if not args.people or fold[0] in args.people]
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // args.jobs)))
    jobs = prepare_jobs(args, data, people, folds)
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda job: call(*job), jobs))
        evaluate(args, folds, args.output, ("valid", "test"), pool)
        if args.refit:
            refit(args, folds, pool)
    groups = read_groups(args, data)
    found = {
        split: summary([row for test, _ in folds for row in scores(args.output / test, split)], groups)
        for split in ("valid", "test")
    }
    if args.refit:
        rows = [row for test, _ in folds for row in scores(args.output / "refit" / test, "test")]
        found["test, refitted"] = summary(rows, groups)
    show(found)
    print(json.dumps({"train": args.train, **found}))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
