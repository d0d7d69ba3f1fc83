"""How much of an image network's own speed feature.py keeps, and what training from its files costs.

    python benchmarks/bench_feature.py --data data_set/gestures --network mobilenet --clips 40

Frames a second, medians of --repeat rounds that take turns: the network alone on batches that are in memory already,
one after the other, and several at once as feature.py has them; feature.py's way from clip archives to the HDF5 file;
and the prototypes' way, `model.predict` once a video after its frames were read. Then an LSTM on a made-up file of
--rows clips: what the generator brings and what a training step takes, both in clips/s, and the largest resident
memory of train_lstm.py on that file and on one of a tenth of it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from rich import console, table

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, save_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.command import Outcome, Problem
from signs.inference import feature_file
from signs.inference.bundle import load_keras
from signs.inference.feature_file import Entry

HERE = Path(__file__).resolve().parent
CLASSES = 20


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set with frames")
    flags.add_argument("--network", default="mobilenet", help="of keras.applications, from a random start")
    flags.add_argument("--store", help="which store, where there are several")
    flags.add_argument("--clips", type=int, default=40, metavar="N", help="that each way is measured on")
    flags.add_argument("--batch", type=int, default=40, metavar="N", help="frames at once")
    flags.add_argument("--repeat", type=int, default=5, metavar="N", help="rounds")
    flags.add_argument("--rows", type=int, default=1000, metavar="N", help="clips of the made-up file")
    flags.add_argument("--lstm", type=int, nargs="+", default=[1024, 1024], metavar="UNITS", help="of the LSTM")
    command.add_threads(flags)
    return flags.parse_args(argv)


def extraction(args, extractor, data: Dataset, clips: list) -> dict[str, float]:
    """{way: frames/s}, medians."""
    from signs.inference import features

    about = extractor.about
    names = {item.clip for item in clips}
    entries = [entry for entry in features.list_entries(data, about, "train", []) if entry.clip in names]
    frames = sum(entry.length for entry in entries)
    batch = np.resize(features.read_clip(data, about, clips[0]), (args.batch, *extractor.cnn.input.shape[1:]))
    extractor(batch)

    def alone() -> None:
        for _ in range(frames // len(batch)):
            extractor(batch)

    def at_once() -> None:
        with ThreadPoolExecutor(features.AT_ONCE) as pool:
            list(pool.map(extractor, [batch] * (frames // len(batch))))

    def ours() -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "train.h5"
            feature_file.create(path, about, entries)
            outcome = Outcome()
            pace = features.pace_of(about, entries, 1)
            features.extract_features(extractor, data, path, args.batch, args.workers, outcome, pace)
            assert not outcome.failed, outcome.failed

    def video_by_video() -> None:
        for item in clips:
            extractor.network.predict(features.read_clip(data, about, item), verbose=0)

    whole = frames // len(batch) * len(batch)
    ways = {
        "the network alone": (alone, whole),
        "several batches at once": (at_once, whole),
        "feature.py": (ours, frames),
        "model.predict a video": (video_by_video, frames),
    }
    found = {name: [] for name in ways}
    for way, _ in ways.values():
        way()  # what a first time costs, a graph a batch size, is no part of it
    for _ in range(args.repeat):
        for name, (way, count) in ways.items():
            started = time.perf_counter()
            way()
            found[name].append(count / (time.perf_counter() - started))
    return {name: float(np.median(rates)) for name, rates in found.items()}


def make(folder: Path, extractor, count: int) -> None:
    """A data set of `count` clips in train and a few in valid that has features alone, all of them noise."""

    classes = [Label(f"{number:03d}", f"{number:03d}") for number in range(CLASSES)]
    clips = [
        Clip(f"clip{number}", "train" if number < count else "valid", classes[number % CLASSES].label)
        for number in range(count + CLASSES)
    ]
    data = Dataset(folder, clips, classes)
    folder.mkdir()
    save_dataset(data)
    about = extractor.about
    store = folder / feature_file.store_name("made", about.spec.stored, about.modality)
    rng = np.random.default_rng(0)
    for split in ("train", "valid"):
        path = feature_file.path_of(store, split)
        entries = [Entry(item.clip, item.label, about.spec.input.frames, "") for item in data.split(split)]
        feature_file.create(path, about, entries)
        with feature_file.opened(path, write=True) as file:
            for position in range(len(entries)):
                file.write(position, rng.random((about.spec.input.frames, about.dimension), np.float32))
    extractor.cnn.save_weights(store / feature_file.WEIGHTS)
    feature_file.share_statistics(store)


def training(args, extractor, folder: Path) -> dict[str, float]:
    """Clips a second of the generator and of the training step, and megabytes of a whole training."""
    from signs.models import cnn_lstm
    from signs.training import loop, recurrent
    from signs.training.augmentation import Augmentation
    from signs.training.feature_batches import FeatureGenerator
    from signs.training.recipe import Phase, Recipe

    import train_lstm

    made = {}
    for count in (args.rows // 10, args.rows):
        make(folder / f"{count}", extractor, count)
        flags = [
            "--data",
            str(folder / f"{count}"),
            "--output",
            str(folder / f"model-{count}"),
            "--features",
            "made",
            "--epochs",
            "1",
            "--lstm",
            *map(str, args.lstm),
        ]
        before = time.perf_counter()
        done = subprocess.run(
            [sys.executable, HERE / "peak.py", HERE.parent / "train_lstm.py", *flags],
            check=True,
            capture_output=True,
            text=True,
        )
        made[f"MB resident, {count} clips"] = float(done.stdout.splitlines()[-1])
        made[f"seconds, {count} clips"] = time.perf_counter() - before
    data = load_dataset(folder / f"{args.rows}")
    flags = train_lstm.parse(["--data", str(data.folder), "--output", "none"])
    about, store = extractor.about, feature_file.find_features(data, "made", extractor.about.modality)
    with feature_file.opened(feature_file.path_of(store, "train")) as file:
        seen = InputSpec(
            frames=about.spec.input.frames, short_side=about.spec.input.short_side, crop=about.spec.input.crop
        )
        augmentation = Augmentation(part=flags.part, mixup=flags.mixup, smoothing=flags.smoothing)
        labels = [row.label for row in data.classes]
        batches = FeatureGenerator(file, data.split("train"), seen, labels, batch=32, augmentation=augmentation)
        started = time.perf_counter()
        for number in range(len(batches)):
            inputs, targets = batches[number]
        made["generator, clips/s"] = len(batches.clips) / (time.perf_counter() - started)
        head = cnn_lstm.build_head((seen.frames, about.dimension), CLASSES, tuple(args.lstm))
        phase = Phase("all", 1, 1e-3)
        loop.compile_model(head, phase, Recipe(), 10, recurrent.objective("last"))
        head.train_on_batch(inputs, targets)
        times = []
        for _ in range(max(args.repeat, 3)):
            started = time.perf_counter()
            head.train_on_batch(inputs, targets)
            times.append(time.perf_counter() - started)
        made["training step, clips/s"] = len(inputs) / float(np.median(times))
    return made


def main(argv=None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    load_keras()
    from signs.inference import features
    from signs.models import cnn_lstm

    stored = storage.find_stored(data, "frame", args.store).without_flow()
    if not stored.frames.isdigit():
        raise Problem(f"{args.data}: clips of any length; name a --store of so many frames a clip")
    size = cnn_lstm.size_of(args.network)
    spec = ClipSpec(stored, InputSpec(int(stored.frames), size, size))
    cnn = cnn_lstm.build_cnn(args.network, (size, size, 3))
    extractor = features.extractor_of_network(cnn, args.network, spec, "rgb", "none")
    speeds = extraction(args, extractor, data, data.split("train")[: args.clips])
    with tempfile.TemporaryDirectory() as folder:
        found = training(args, extractor, Path(folder))
    shown = table.Table(title=f"{args.network}, {size} px, batches of {args.batch}", title_justify="left")
    for head in ("", "frames/s", "of the network alone"):
        shown.add_column(head, justify="left" if not head else "right")
    for name, rate in speeds.items():
        shown.add_row(name, f"{rate:.1f}", f"{100 * rate / speeds['the network alone']:.1f} %")
    console.Console().print(shown)
    for name, value in found.items():
        print(f"{name}: {value:,.0f}")
    print(json.dumps({"network": args.network, "frames_per_second": speeds, "training": found}))
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
