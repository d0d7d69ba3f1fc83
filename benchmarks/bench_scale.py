"""Does the work grow with the clips, and no faster? Every script over data sets of tiny clips, at several sizes.

    python benchmarks/bench_scale.py --counts isogd_counts.tsv --clips 2000 50000 --folder /tmp/scale

`--counts` is a table with tabs, label, train, valid, test: how many clips each class has, scaled to the number
of `--clips`. Without it 249 classes are of one size. Each clip is a video of its own, four frames of 32x32: an
uncompressed AVI whose header is copied and whose pixels are drawn, 30 us each, so that hashes of videos and the stored
pictures are all different, as the checks of evaluate.py want it. prepare_videos.py hard-links them. For each size:
prepare_videos.py and frame.py, both twice; index, order and one epoch of the generator, without a network;
train_conv3d_lstm.py up to its first batch; train_linear.py on at most `--linear` of the training clips, as it takes no
more than 10,000; evaluate.py on all validation and test clips. Of more than `--extract` clips the archives are written
here, as frame.py would, which spends its time on looking for the person in each; it then finds nothing to do.

Printed of each: seconds, seconds of processors, megabytes of the largest process and of all processes together (at
most, looked at ten times a second; what they share counts for each), and what a clip adds to each between the smallest
and the largest size. The last line is JSON.
"""

import argparse
import csv
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from signs import command
from signs.clips import dataset, storage
from signs.clips.dataset import load_dataset, save_dataset
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec

import av
import numpy as np
import psutil

FRAMES, SIDE = 4, 32
SIGNERS = {"train": 17, "valid": 2, "test": 2}
SEEN = ["--frames", str(FRAMES), "--crop", str(SIDE)]
PARTS = ("seconds", "processors", "largest", "all")


def read_counts(path: Path | None) -> dict[str, dict[str, int]]:
    """{label: {split: clips}}."""
    if path is None:
        return {f"{number:03d}": {"train": 150, "valid": 23, "test": 25} for number in range(1, 250)}
    with open(path, newline="", encoding="utf-8") as file:
        return {
            row["label"]: {split: int(row[split]) for split in dataset.SPLITS}
            for row in csv.DictReader(file, delimiter="\t")
        }


def scaled(counts: dict[str, dict[str, int]], clips: int) -> list[tuple[str, str, int]]:
    """(label, split, clips) with so many clips altogether, shared out as in the counts, one at least."""
    rows = [(label, split, count) for label, splits in counts.items() for split, count in splits.items()]
    share = (clips - len(rows)) / sum(count for *_, count in rows)
    ends = np.rint(np.cumsum([0, *(count for *_, count in rows)]) * share).astype(int)
    return [(label, split, 1 + int(more)) for (label, split, _), more in zip(rows, np.diff(ends), strict=True)]


def template() -> tuple[np.ndarray, list[int]]:
    """The bytes of an uncompressed AVI, and where the pixels of each frame begin."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "clip.avi"
        with av.open(str(path), "w") as film:
            stream = film.add_stream("rawvideo", rate=10)
            stream.width, stream.height, stream.pix_fmt = SIDE, SIDE, "bgr24"
            for _ in range(FRAMES):
                film.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((SIDE, SIDE, 3), np.uint8), format="bgr24")))
            film.mux(stream.encode(None))
        content = path.read_bytes()
    places, size = [], (3 * SIDE**2).to_bytes(4, "little")
    while (place := content.find(size, places[-1] + 3 * SIDE**2 if places else content.find(b"movi"))) >= 0:
        places.append(place + 4)
    return np.frombuffer(content, np.uint8), places[:FRAMES]


def draw(folder: Path, counts: dict[str, dict[str, int]], clips: int) -> None:
    """`videos.csv` and the videos: of each class a pattern that moves its own way, and of each clip its own stains."""
    content, places = template()
    rng, number, labels = np.random.default_rng(0), 0, list(counts)
    patterns = rng.integers(60, 150, (len(labels), 8, 8, 3), np.uint8).repeat(4, 1).repeat(4, 2)
    ways = rng.integers(-4, 5, (len(labels), 2))
    folder.mkdir(parents=True)
    with open(folder / "videos.csv", "w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow(("video", "label", "split", "signer"))
        for label, split, count in scaled(counts, clips):
            place, index = folder / split / label, labels.index(label)
            place.mkdir(parents=True)
            moved = [np.roll(patterns[index], moment * ways[index], (0, 1)) for moment in range(FRAMES)]
            stains = rng.integers(0, 100, (count, 8, 8, 3), np.uint8)
            for stain in stains:
                number += 1
                film, large = content.copy(), stain.repeat(4, 0).repeat(4, 1)
                for picture, start in zip(moved, places, strict=True):
                    film[start : start + picture.size] = (picture + large).ravel()
                name = f"{split}/{label}/{number:07d}.avi"
                (folder / name).write_bytes(film.data)
                table.writerow((name, label, split, f"{split}-{number % SIGNERS[split]}"))


class Watch(threading.Thread):
    """Looks at a process and all below it until it ends: the largest sum of their resident bytes."""

    def __init__(self, process: subprocess.Popen):
        super().__init__(daemon=True)
        self.process, self.most = psutil.Process(process.pid), 0
        self.start()

    def run(self) -> None:
        try:
            while self.process.is_running() and self.process.status() != psutil.STATUS_ZOMBIE:
                family = [self.process, *self.process.children(recursive=True)]
                self.most = max(self.most, sum(each.memory_info().rss for each in family if each.is_running()))
                time.sleep(0.1)
        except psutil.Error:
            pass


def run(*line: str | Path) -> tuple[dict[str, float], str]:
    """What a script takes, and what it printed."""
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen([sys.executable, *map(str, line)], stdout=printed, cwd=ROOT)
        watch = Watch(process)
        _, status, used = os.wait4(process.pid, 0)
        taken = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        text = printed.read()
    if process.returncode not in (command.DONE, command.PARTLY):
        raise SystemExit(f"{line[0]}: exit code {process.returncode}\n{text}")
    largest = used.ru_maxrss / 1024
    spent = {"seconds": taken, "processors": used.ru_utime + used.ru_stime, "largest": largest}
    return {**spent, "all": max(largest, watch.most / 1e6)}, text


def one_epoch(folder: Path) -> None:
    """Index, order and one epoch of the generator; prints seconds of each, and megabytes on the way."""
    begun = time.perf_counter()
    from signs.inference.bundle import load_keras

    load_keras()
    from signs.inference.features import in_flight
    from signs.training.augmentation import Augmentation

    import datagenerator

    marks = {"libraries": time.perf_counter() - begun}
    began, resident = time.perf_counter(), psutil.Process().memory_info
    data = load_dataset(folder)
    spec = ClipSpec(storage.find_stored(data, "frame"), InputSpec(FRAMES, SIDE, SIDE))
    marks["index"], began = time.perf_counter() - began, time.perf_counter()
    clips, labels = data.split("train", labelled=True), [row.label for row in data.classes]
    augmentation = Augmentation(0.1, 0.2)
    batches = datagenerator.ClipGenerator(
        data, clips, spec, "rgb", labels, memory=0, batch=8, augmentation=augmentation
    )
    count = len(batches)
    marks |= {"order": time.perf_counter() - began, "indexed_mb": resident().rss / 1e6}
    began = time.perf_counter()
    with ThreadPoolExecutor(2) as pool:
        for number, _ in enumerate(in_flight(pool, batches.__getitem__, range(count), 8)):
            if number == count // 10:
                marks["early_mb"] = resident().rss / 1e6
    print(json.dumps({**marks, "epoch": time.perf_counter() - began, "end_mb": resident().rss / 1e6}))


def to_first_batch(flags: list[str]) -> None:
    """train_conv3d_lstm.py, until it has its first batch."""
    from signs.inference.bundle import load_keras

    load_keras()
    from signs.training.batches import Batches

    import train_conv3d_lstm

    ready = Batches.__getitem__

    def first(self, number):
        ready(self, number)
        os._exit(0)

    Batches.__getitem__ = first
    train_conv3d_lstm.main(flags)


def write_archives(folder: Path) -> None:
    """The archives that frame.py would make of the drawn videos, but for where the person is."""
    data, stored, (_, places) = load_dataset(folder), StoredSpec(str(FRAMES), SIDE), template()
    for item in data.clips:
        content = np.fromfile(item.video(folder), np.uint8)
        frames = np.stack([content[place : place + 3 * SIDE**2].reshape(SIDE, SIDE, 3) for place in places])
        info = {**storage.expected_info(item, stored), "times": [0.0, 0.1, 0.2, 0.3], "squares": {}, "notes": []}
        storage.write_archive(item.archive(folder, stored.frame_store), frames, info)


def part_of(data: Path, folder: Path, most: int) -> Path:
    """A data set over another's stores, with so many training clips and all others."""
    whole = load_dataset(data)
    kept = {item.clip for item in dataset.spread(whole.split("train"), most)}
    folder.mkdir()
    for path in data.glob("*-*"):
        (folder / path.name).symlink_to(path)
    clips = [item for item in whole.clips if item.split == "valid" or item.clip in kept]
    save_dataset(replace(whole, folder=folder, clips=clips))
    return folder


def measure(folder: Path, counts: dict[str, dict[str, int]], clips: int, args: argparse.Namespace) -> dict[str, dict]:
    """{step: what it takes} for a data set of so many clips; the folder is made and deleted."""
    data, model, started, steps = folder / "data", folder / "model", time.perf_counter(), {}
    draw(folder / "source", counts, clips)
    print(f"{clips:,} clips drawn in {time.perf_counter() - started:.0f} s", file=sys.stderr)

    def step(name: str, *line: str | Path) -> str:
        steps[name], text = run(*line)
        print(f"{clips:,} {name}: {steps[name]}", file=sys.stderr, flush=True)
        return text

    prepare = (
        "prepare_videos.py",
        "--videos",
        folder / "source" / "videos.csv",
        "--output",
        data,
        "--transfer",
        "hardlink",
    )
    frames = ("frame.py", "--data", data, "--frames", str(FRAMES), "--short-side", str(SIDE))
    for again in ("", ", again"):
        step(f"prepare_videos.py{again}", *prepare)
    if clips > args.extract:
        write_archives(data)
    else:
        step("frame.py", *frames)
    step("frame.py, again", *frames)
    steps["generator"] = {}
    text = step("generator", __file__, "--epoch-of", data)
    steps["generator"] |= json.loads(text.splitlines()[-1])
    trained = ("--data", data, "--stream", "rgb", *SEEN)
    step("to the first batch", __file__, "--first-batch", *trained, "--output", folder / "begun", "--size", "small")
    part = part_of(data, folder / "part", args.linear)
    step("train_linear.py", "train_linear.py", "--data", part, *trained[2:], "--output", model, "--copies", "0")
    step("evaluate.py", "evaluate.py", "--data", data, "--model", model, "--split", "valid", "test")
    steps["bytes"] = sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file())
    shutil.rmtree(folder)
    return steps


def print_steps(found: dict[int, dict]) -> dict[str, dict[str, float]]:
    """A table of all sizes; {step: what a clip adds to each part}."""
    few, many, rows, slopes = min(found), max(found), [], {}
    for name, parts in found[few].items():
        if name == "bytes":
            continue
        for clips, steps in found.items():
            if name not in steps:
                continue
            rows.append((name, f"{clips:,}", *(f"{steps[name][part]:,.1f}" for part in PARTS)))
        if many > few and name in found[many]:
            added = {part: (found[many][name][part] - parts[part]) / (many - few) for part in PARTS}
            slopes[name] = added
            shown = [f"{1e3 * added[part]:.3f} ms" for part in PARTS[:2]] + [
                f"{1e3 * added[part]:.2f} kB" for part in PARTS[2:]
            ]
            rows.append((name, "a clip adds", *shown))
    heads = ("step", "clips", "seconds", "of processors", "MB, largest process", "MB, all")
    command.print_table(heads, rows, left={"step"})
    return slopes


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--counts", type=Path, help="a table label, train, valid, test, with tabs")
    flags.add_argument("--clips", type=int, nargs="+", default=[2000], help="sizes of the data sets, 747 at least")
    flags.add_argument("--folder", type=Path, help="where they are made and deleted, 25 kB a clip (default: temporary)")
    flags.add_argument("--linear", type=int, default=4000, help="training clips of train_linear.py, at most")
    flags.add_argument(
        "--extract", type=int, default=5000, help="clips that frame.py itself makes the archives of, at most"
    )
    flags.add_argument("--epoch-of", type=Path, help=argparse.SUPPRESS)
    args = flags.parse_args(argv)
    if args.epoch_of:
        one_epoch(args.epoch_of)
        return 0
    counts, found = read_counts(args.counts), {}
    if args.folder:
        args.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for clips in sorted(args.clips):
            found[clips] = measure(Path(folder) / str(clips), counts, clips, args)
    slopes = print_steps(found)
    print(json.dumps({"load": os.getloadavg()[0], "found": found, "slopes": slopes}))
    return 0


if __name__ == "__main__":
    if sys.argv[1:2] == ["--first-batch"]:
        to_first_batch(sys.argv[2:])
    sys.exit(main())
