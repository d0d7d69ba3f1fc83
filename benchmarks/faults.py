"""What is lost when a run is killed, and what bad inputs get: kills at random moments, and inputs that nobody wants.

    python benchmarks/faults.py                          200 kills, then the bad inputs; about an hour on two cores
    python benchmarks/faults.py --parts prepare frame --seed 1

Each kill: a copy of what was there before, the command, SIGKILL at a random moment to the command or to one of its
workers, then the same command once more. Its result is compared with that of a run that nobody disturbed: files that
are not there are lost, files that cannot be read are torn, and bytes that differ are different; of a training and an
evaluation all but the seconds in their tables. Bad inputs are in bad_inputs.py, those of the page in bad_visits.py. The
last line is JSON.
"""

import argparse
import hashlib
import json
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import h5py
import psutil

import bad_inputs
import bad_visits

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from signs import command

WORKER = ("popen_loky", "multiprocessing.spawn", "multiprocessing.forkserver")  # in a worker's command line
# What says when and how long: it differs from run to run.
CLOCK = re.compile(r'"(seconds|started|finished|date|created)": [^,\n}]*|,\d+\.\d(?=\r?$)', re.MULTILINE)


@dataclass(frozen=True)
class Part:
    """A command that is killed so often: `line` has {data}; `made` are patterns of what it leaves below the data."""

    kills: int
    line: str
    made: tuple[str, ...]


TRAIN = "--size small --frames 8 --crop 32/36 --epochs 3 --batch 16 --stream rgb"
PARTS = {
    "prepare": Part(
        40, "prepare_chalearn.py --download {data}/_download --output {data} --workers 2", ("video/**/*", "*.csv")
    ),
    "frame": Part(40, "frame.py --data {data} --frames 12 --short-side 64 --workers 2", ("frame-*/**/*.zip",)),
    "flow": Part(40, "opticalflow.py --data {data} --workers 2", ("flow-*/**/*.zip",)),
    "feature": Part(
        20,
        "feature.py --data {data} --network mobilenet --weights none --stream rgb --crop 32/36 --workers 2",
        ("feature-*/*.h5",),
    ),
    "train": Part(
        30,
        "train_conv3d_lstm.py --data {data} --output {data}/model " + TRAIN,
        ("model/*.h5", "model/log.csv", "model/valid/*.npz", "model/bundle.json"),
    ),
    "evaluate": Part(
        30,
        "evaluate.py --data {data} --model {data}/model --split valid test",
        ("model/predictions-*.csv", "model/metrics.json", "model/calibration.json"),
    ),
}


def start(line: str, data: Path) -> subprocess.Popen:
    """The command in a session of its own, without output."""
    words = line.format(data=data).split()
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, ROOT / words[0], *words[1:]], start_new_session=True, **pipes)


def digest(path: Path, data: Path) -> str | None:
    """SHA-256 of what a file holds, but for the clock and the place of the data; None where it cannot be read."""
    try:
        if path.suffix == ".zip":
            with zipfile.ZipFile(path) as archive:
                if archive.testzip():
                    return None
        if path.suffix == ".h5":
            with h5py.File(path):
                pass
    except (OSError, zipfile.BadZipFile):
        return None
    content = path.read_bytes()
    if path.suffix in (".csv", ".json"):
        content = CLOCK.sub("", content.decode().replace(str(data), "")).encode()
    return hashlib.sha256(content).hexdigest()


def result_files(data: Path, part: Part) -> list[Path]:
    files = sorted(path for pattern in part.made for path in data.glob(pattern) if path.is_file())
    return [path for path in files if not path.name.startswith(".")]


def result(data: Path, part: Part) -> dict[str, str | None]:
    """{file: digest} of what the command leaves."""
    return {path.relative_to(data).as_posix(): digest(path, data) for path in result_files(data, part)}


def kill(process: subprocess.Popen, data: Path, part: Part, files: int, delay: float, worker: bool, rng) -> str:
    """Kill the command, or one of its workers, `delay` seconds after so many files were made; what was killed, empty
    where it ended before."""
    while process.poll() is None and len(result_files(data, part)) < files:
        time.sleep(0.01)
    try:
        process.wait(delay)
        return ""
    except subprocess.TimeoutExpired:
        pass
    target, what = psutil.Process(process.pid), "parent"
    try:
        if worker:
            children = target.children(recursive=True)
            workers = [child for child in children if any(word in " ".join(child.cmdline()) for word in WORKER)]
            if workers:
                target, what = rng.choice(workers), "worker"
        target.send_signal(signal.SIGKILL)
    except psutil.NoSuchProcess:
        what = ""
    process.wait(1200)
    return what


def strike(before: Path, part: Part, length: float, worker: bool, rng: random.Random, expected: dict) -> Counter:
    """One kill and the same command after it, in a copy of `before`; what was killed and what came of it."""
    with tempfile.TemporaryDirectory(prefix="faults-", dir=before.parent) as place:
        data, killed = Path(place) / "data", ""
        while not killed:
            shutil.rmtree(data, ignore_errors=True)
            shutil.copytree(before, data)
            files, delay = rng.randrange(len(expected)), rng.uniform(0, 0.2 * length)
            killed = kill(start(part.line, data), data, part, files, delay, worker, rng)
        code = start(part.line, data).wait(1200)
        there = result(data, part)
    counts = Counter({killed: 1, "exit code": code != 0, "lost": len(expected.keys() - there.keys())})
    counts["torn"] = sum(there[name] is None for name in there)
    counts["different"] = sum(there[name] not in (None, expected.get(name)) for name in there)
    return counts


def run_part(name: str, before: Path, kills: int, rng: random.Random, progress: Callable) -> tuple[Counter, Path]:
    """All kills of a part; the counts and the folder as its unbroken run leaves it, which the next part begins with."""
    part = PARTS[name]
    whole = before.parent.parent / f"after-{name}" / "data"  # the folder's name stands in a bundle
    shutil.copytree(before, whole)
    began = time.perf_counter()
    if start(part.line, whole).wait(1200):
        raise command.Problem(f"{part.line}: does not end well by itself")
    length, expected, counts = time.perf_counter() - began, result(whole, part), Counter()
    for number in range(kills):
        counts += strike(before, part, length, worker=number % 2 == 1, rng=rng, expected=expected)
        progress()
    counts["files"] = len(expected)
    return counts, whole


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    parts = [*PARTS, "inputs", "page"]
    flags.add_argument("--parts", nargs="+", choices=parts, default=parts, help="which; others are run once, unharmed")
    flags.add_argument("--kills", type=float, default=1.0, metavar="SHARE", help="of the kills of each part")
    command.add_seed(flags, "of the moments")
    return flags.parse_args(argv)


def kill_all(parts: list[str], share: float, rng: random.Random, place: Path, bar) -> dict[str, Counter]:
    """{part: its counts}; earlier parts are run once, unharmed, for what the later ones begin with."""
    wanted, table, before = [name for name in PARTS if name in parts], {}, place / "start" / "data"
    if not wanted:
        return table
    drawing = f"prepare_demo.py --output {before}/_download --signers 2 --clips 1 --workers 2"
    if start(drawing, before).wait(600):
        raise command.Problem("prepare_demo.py does not end well by itself")
    for name in list(PARTS)[: list(PARTS).index(wanted[-1]) + 1]:
        kills = round(PARTS[name].kills * share) if name in wanted else 0
        task = bar.add_task(name, total=kills)
        counts, before = run_part(name, before, kills, rng, lambda task=task: bar.advance(task))
        if name in wanted:
            table[name] = counts
    return table


def main(argv=None) -> int:
    args = parse(argv)
    inputs, visits = [], []
    with tempfile.TemporaryDirectory(prefix="faults-") as place, command.progress() as bar:
        table = kill_all(args.parts, args.kills, random.Random(args.seed), Path(place), bar)
        if "inputs" in args.parts:
            inputs = bad_inputs.try_all(Path(place) / "inputs", bar)
        if "page" in args.parts:
            videos = bad_inputs.bad_videos(bad_inputs.video(Path(place) / "good.avi"))
            visits = bad_visits.visit_all(Path(place) / "visits", videos, bar)
    columns = ("part", "kills", "parent", "worker", "files", "lost", "torn", "different", "exit code")
    rows = [
        (name, row["parent"] + row["worker"], *(row[column] for column in columns[2:])) for name, row in table.items()
    ]
    if rows:
        command.print_table(columns, rows, "killed, then the same command once more")
    if inputs:
        bad_inputs.print_all(inputs)
    if visits:
        bad_visits.print_all(visits)
    wrong = [each.name for each in (*inputs, *visits) if not each.good]
    bad = sum(sum(row[-4:]) for row in rows) + len(wrong)
    kinds = {"inputs": len(inputs), "visits": len(visits), "wrong": wrong}
    print(json.dumps({"parts": [dict(zip(columns, row, strict=True)) for row in rows], **kinds}))
    return command.PARTLY if bad else command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
