"""What does each part of a recipe bring? One part changed at a time, on people whom no training saw.

    python benchmarks/bench_parts.py --data data_set/gestures --output model/parts --jobs 2 --stream flow \\
        --script train_conv3d_lstm.py --part "--augment mixup=0.2" "--recipe ema=0" -- --size small --epochs 20

Each person is left out once and another validates (bench_people.py's folds); the script gets what stands behind `--`,
once as it is and once for each --part with these flags behind. Printed: top-1 of the epoch that each training kept, on
its own validation people, and the gain over the first row with its 95 % interval over people (scores.py). This is for
choosing: the people left out are not looked at. The last line is JSON. A run that was stopped goes on.
"""

import argparse
import json
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table

import bench_people

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parents[1] / "benchmarks")]

from signs import command
from signs.clips.dataset import load_dataset
from signs.evaluation import scores
from signs.training.log import Log, Validated

ROOT = Path(__file__).resolve().parent.parent
BASE = "as it is"


def folder_of(part: str) -> str:
    """`--augment mixup=0.2` -> `augment-mixup-0.2`"""
    return "-".join(part.replace("--", "").replace("=", "-").split()) if part != BASE else "base"


def right(model: Path, stream: str) -> dict[str, bool]:
    """{clip: whether it was recognised} of the validation clips, after the epoch whose weights were kept."""
    kept = Validated.read(model, stream, int(Log(model / "log.csv").best(stream)["epoch"]))
    return dict(zip(kept.clips.tolist(), kept.probabilities.argmax(axis=1) == kept.targets, strict=True))


def compare(output: Path, parts: list[str], people: list[str], stream: str, signers: dict[str, str]) -> list[dict]:
    """A row for each part: top-1, and its gain over the first part with a 95 % interval over people."""
    answers = [[right(output / folder_of(part) / person, stream) for person in people] for part in parts]
    # A person may validate several folds, so a clip is told from itself by its fold.
    names = [(fold, clip) for fold, found in enumerate(answers[0]) for clip in found]
    hits = [np.array([found[fold][clip] for fold, clip in names]) for found in answers]
    draws = scores.draw_bootstrap([signers[clip] for _, clip in names])
    rows = []
    for part, now in zip(parts, hits, strict=True):
        gain = scores.difference(now, hits[0], draws)
        rows.append({"part": part, "top1": float(now.mean()), "gain": gain.value, "low": gain.low, "high": gain.high})
    return rows


def show(rows: list[dict], stream: str) -> None:
    table = Table("part", "top-1", "gain", title=f"{stream}, validation people, percent")
    for row in rows:
        gain = "" if row["part"] == BASE else scores.with_interval(row["gain"], (row["low"], row["high"]), "+")
        table.add_row(row["part"], f"{100 * row['top1']:.1f}", gain)
    Console(width=110).print(table)


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, required=True, help="data set folder with its frame and flow archives")
    flags.add_argument("--output", type=Path, required=True, help="folder for the folds and their models")
    flags.add_argument(
        "--part",
        nargs="+",
        required=True,
        metavar="FLAGS",
        help="each a quoted string of flags; a single word with a space before it: ' --batch-norm'",
    )
    flags.add_argument("--stream", choices=bench_people.STREAMS[:2], default="flow")
    flags.add_argument("--script", default="train_i3d.py", help="that trains")
    flags.add_argument("--jobs", type=int, default=1, metavar="N", help="trainings at once")
    flags.add_argument("train", nargs="*", metavar="-- FLAGS", help="of the script, for all of them")
    args = flags.parse_args(argv)
    data = load_dataset(args.data)
    people = sorted({item.signer for item in data.clips})
    for test, valid in bench_people.folds_of(people):
        learners = bench_people.learners_of(people, (test, valid), None)
        bench_people.make_fold(data, args.output / "data" / test, test, valid, learners)
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(max(1, (os.cpu_count() or 1) // args.jobs)))
    parts = [BASE, *map(str.strip, args.part)]
    jobs = [
        (
            args.script,
            "--data",
            args.output / "data" / test,
            "--output",
            args.output / folder_of(part) / test,
            *args.train,
            *(part.split() if part != BASE else ()),
            "--stream",
            args.stream,
        )
        for part in parts
        for test in people
    ]
    with ThreadPoolExecutor(args.jobs) as pool:
        list(pool.map(lambda job: bench_people.call(*job), jobs))
    rows = compare(args.output, parts, people, args.stream, {item.clip: item.signer for item in data.clips})
    show(rows, args.stream)
    print(json.dumps({"train": args.train, "stream": args.stream, "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(command.run(main))
