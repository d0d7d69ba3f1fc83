"""From AVI to clip archives of frames and flow: frame.py and opticalflow.py beside the prototypes' way, and a profile.

    python benchmarks/bench_prepare.py --videos clips/ [--reference env/bin/python] [--width 320] [--clips 6]

The prototypes' way is reference_prepare.py: OpenCV contrib's TV-L1 with the same parameters, one process, a JPEG a
file; its Python is that of bench_flow.py. It does every clip once; ours does each `--copies` times, as a start of two
scripts would else be most of it. Rounds alternate: the prototype, two workers, one worker; the next one in the other
order. Printed: seconds a clip, and seconds of processors a clip, which other work on the machine changes less; medians,
and of ratios the median over the rounds. Then where ours spends its time, on one thread. The last line is JSON.
"""

import argparse
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.container import video_problem
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, save_dataset
from signs.clips.spec import FlowSpec, StoredSpec
from signs.flow.stream import FLOW_METHODS, compile_solver

import cv2
import numpy as np

import frame
import opticalflow
from bench_flow import make_reference

HERE = Path(__file__).resolve().parent
PARAMETERS = {"tvl1-fast": {"scaleStep": 0.5, "warps": 3, "epsilon": 0.02}, "tvl1-quality": {}}  # of OpenCV's
RATE = 10.0  # frames/s of a video that is made narrower; nothing here depends on it
STEPS = {  # what the profile counts apart; each without those that it calls
    "read and resize the video": (frame, "read_kept"),
    "where the signer is": (frame.region, "find_squares"),
    "JPEG": (storage, "encode"),
    "zip": (storage, "write_members"),
    "read the frames again": (storage, "read_archive"),
    "TV-L1": (opticalflow, "clip_flow"),
    "flow in 8 bits": (opticalflow.preprocess, "quantise_flow"),
    "statistics of the flow": (opticalflow, "statistics"),
    "hash of the video": (storage, "check_video"),
}


def narrower(video: Path, width: int, target: Path) -> Path:
    """The video as MPEG-4 in AVI, so many pixels wide, as ChaLearn's are."""
    frames, _ = frame.read_video(video)
    size = width, round(frames.shape[1] * width / frames.shape[2])
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter_fourcc(*"XVID"), RATE, size)
    for picture in frames:
        writer.write(cv2.cvtColor(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2BGR))
    writer.release()
    return target


def make_data(videos: list[Path], copies: int, folder: Path) -> Dataset:
    """A data set in which each video stands so many times, by hard links."""
    clips = []
    for video in videos:
        for copy in range(copies):
            source = f"{video.stem}_{copy}{video.suffix}"
            clips.append(Clip(Path(source).stem, "train", "a", source=source, sha256=command.sha256(video)))
            place = clips[-1].video(folder)
            place.parent.mkdir(parents=True, exist_ok=True)
            os.link(video, place)
    save_dataset(Dataset(folder, clips, [Label("a", "a")]))
    return load_dataset(folder)


def spent(*commands: list) -> np.ndarray:
    """(2,) seconds and seconds of processors that the commands take, one after the other."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    for words in commands:
        subprocess.run(list(map(str, words)), check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return np.array([time.perf_counter() - started, cpu])


def ours(data: Dataset, method: str, workers: int, anew: bool = True) -> np.ndarray:
    """(2,) of both scripts; without `anew` they find nothing to do."""
    for store in data.folder.glob("f*-*") if anew else ():
        shutil.rmtree(store)
    root, flags = HERE.parent, ["--data", data.folder, "--workers", workers]
    return spent(
        [sys.executable, root / "frame.py", *flags],
        [sys.executable, root / "opticalflow.py", *flags, "--method", method],
    )


def profile(data: Dataset, copies: int, method: str) -> dict[str, float]:
    """Seconds of a clip, by step, in this process on one thread."""
    stored, flow = StoredSpec(), FlowSpec(method, FLOW_METHODS[method])
    of_flow = StoredSpec(flow=flow)
    seconds, inside = defaultdict(float), [0.0]

    def timed(function, step):
        def call(*arguments, **named):
            inside.append(0.0)
            started = time.process_time()
            try:
                return function(*arguments, **named)
            finally:
                took = time.process_time() - started
                seconds[step] += took - inside.pop()
                inside[-1] += took

        return call

    for step, (module, name) in STEPS.items():
        setattr(module, name, timed(getattr(module, name), step))
    clips, started = data.clips[::copies], time.process_time()
    for item in clips:
        frame.extract(item, data.folder, stored, item.archive(data.folder / "again", stored.frame_store))
        opticalflow.compute(item, data.folder, of_flow, item.archive(data.folder / "again", of_flow.flow_store))
    whole = time.process_time() - started
    seconds["the rest"] = whole - sum(seconds.values())
    return {step: value / len(clips) for step, value in seconds.items()}


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--videos", type=Path, required=True, help="a folder with videos, at any depth")
    flags.add_argument("--reference", type=Path, metavar="PYTHON", help="one with OpenCV contrib; made without it")
    flags.add_argument("--width", type=int, metavar="PX", help="make the videos so wide first (320: ChaLearn's)")
    flags.add_argument("--method", choices=PARAMETERS, default="tvl1-fast", help="of ours; OpenCV's has its parameters")
    flags.add_argument("--defaults", action="store_true", help="OpenCV's default parameters, whatever --method says")
    flags.add_argument("--threads", type=int, default=0, metavar="N", help="of the prototype's OpenCV; 0: its choice")
    flags.add_argument("--clips", type=int, default=6, metavar="N", help="of the videos, evenly")
    flags.add_argument("--copies", type=int, default=8, metavar="N", help="times that ours does each clip")
    flags.add_argument("--rounds", type=int, default=3, metavar="N", help="alternating")
    args = flags.parse_args(argv)
    python = args.reference or make_reference()
    videos = [path for path in sorted(args.videos.rglob("*.*")) if path.is_file() and not video_problem(path)]
    videos = [videos[i] for i in np.linspace(0, len(videos) - 1, min(args.clips, len(videos))).astype(int)]
    with tempfile.TemporaryDirectory() as held:
        folder = Path(held)
        (folder / "source").mkdir()
        sources = [folder / "source" / f"{number}{path.suffix}" for number, path in enumerate(videos)]
        for video, source in zip(videos, sources, strict=True):
            narrower(video, args.width, source) if args.width else shutil.copyfile(video, source)
        data = make_data(sources, args.copies, folder / "data")
        compile_solver()
        rows, start = measure(args, python, sources, data)
        steps = profile(data, args.copies, args.method)
    report(args, rows, start, steps)
    return 0


def measure(args, python: Path, sources: list[Path], data: Dataset) -> tuple[dict[str, list], np.ndarray]:
    """{way: its rounds, (2,) a clip each}, and (2,) of both scripts with nothing to do."""
    parameters = json.dumps({} if args.defaults else PARAMETERS[args.method])
    rows, start = defaultdict(list), []
    for number in range(args.rounds):
        for way in ("prototype", "2 workers", "1 worker")[:: -1 if number % 2 else 1]:
            if way == "prototype":
                output = data.folder / "prototype"
                shutil.rmtree(output, ignore_errors=True)
                script = [python, HERE / "reference_prepare.py", parameters, args.threads, output, *sources]
                rows[way].append(spent(script) / len(sources))
            else:
                rows[way].append(ours(data, args.method, int(way[0])) / len(data.clips))
            print(f"{way}: {rows[way][-1].round(3)}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
        start.append(ours(data, args.method, 2, anew=False))
    return rows, np.median(start, axis=0)


def report(args, rows: dict[str, list], start: np.ndarray, steps: dict[str, float]) -> None:
    def ratio(one: str, other: str, which: int) -> float:
        return statistics.median(a[which] / b[which] for a, b in zip(rows[one], rows[other], strict=True))

    medians = {way: np.median(values, axis=0).tolist() for way, values in rows.items()}
    cells = [
        [way, f"{seconds:.3f}", f"{cpu:.3f}", f"{ratio('prototype', way, 0):.1f}", f"{ratio('prototype', way, 1):.1f}"]
        for way, (seconds, cpu) in medians.items()
    ]
    columns = ["", "seconds a clip", "of processors", "prototype / this", "of processors"]
    load = os.getloadavg()[0]
    command.print_table(columns, cells, f"{args.clips} clips, {args.rounds} rounds, load {load:.1f}")
    whole = sum(steps.values())
    lines = [[step, f"{1e3 * value:.1f}", f"{value / whole:.1%}"] for step, value in steps.items()]
    command.print_table(["step", "ms a clip", "of all"], [*lines, ["together", f"{1e3 * whole:.1f}", ""]])
    print(f"both scripts with nothing to do: {start[0]:.2f} s, {start[1]:.2f} s of processors")
    ratios = {
        "prototype / 2 workers": [ratio("prototype", "2 workers", which) for which in (0, 1)],
        "1 worker / 2 workers": [ratio("1 worker", "2 workers", which) for which in (0, 1)],
    }
    print(f"two workers are {ratios['1 worker / 2 workers'][0]:.2f} times as quick as one")
    rounds = {way: [row.tolist() for row in values] for way, values in rows.items()}
    settings = {"width": args.width, "method": args.method, "defaults": args.defaults, "threads": args.threads}
    result = {**settings, "clips": args.clips, "load": load, "median": medians, "ratio": ratios}
    print(json.dumps({**result, "start": start.tolist(), "profile": steps, "rounds": rounds}))


if __name__ == "__main__":
    sys.exit(main())
