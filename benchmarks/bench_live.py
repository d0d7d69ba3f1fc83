"""The live demo at full size: from the last frame to the answer, from the camera to the screen, answers a second.

    python benchmarks/bench_live.py --videos clips/*.mp4 --data data_set/gestures [--minutes 10]

Any model, of points of body and hands too. Without --model both I3D streams at 40 x 224 x 224: a bundle with random
weights is made (times do not depend on them) and exported with `--data`, which has frames and flow as frame.py and
opticalflow.py store them by default. Measured:

* the first video, forth and back at 30 frames/s, as the camera of a real window (on $DISPLAY, Xvfb will do): frames
  shown a second while a sign is recorded, and the age of what is shown;
* continuous mode with the same camera: answers a second, and with --minutes the memory of the process over time;
* the most memory that livedemo.py holds with that video, in each mode, without TensorFlow if an exported form is the
  quickest;
* each video plays at its own rate as the camera; seconds from its last frame to the answer, median and 95th percentile,
  for every form of the networks; beside it, where frames and flow are seen, the prototype's way on the same frames:
  OpenCV contrib's TV-L1 with the same parameters and all cores on the 224 pixel crop after the recording, then both
  networks in Keras in turn.

The last line is JSON. The reference is a Python with opencv-contrib (see reference_flow.py), made in benchmarks/.venv.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import cv2
import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.special import softmax

import bench_flow

sys.path[:0] = [str(Path(__file__).resolve().parents[1]), str(Path(__file__).resolve().parent)]

from signs import command
from signs.clips import storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.flow import tvl1
from signs.flow.stream import to_grey
from signs.inference import runtime
from signs.inference.bundle import BUNDLE_FILE, Bundle, Stream, load_bundle, load_keras, save_bundle
from signs.inference.exported import read_forms
from signs.inference.recogniser import Recogniser
from signs.live import window
from signs.live.demo import MODES, Demo, build_modes

import livedemo
import videocapture
from videocapture import Camera

HERE = Path(__file__).resolve().parent
FRAMES, SHORT_SIDE, CROP = 40, 240, 224
RATE, SIZE = 30, (480, 640)  # of the camera
REST = 6  # seconds before anything moves in it
STARTING = 10  # seconds until the demo's window is there
FORMS_MADE = ("openvino", "openvino-int8", "stream", "stream-int8")
GOALS = {
    "answer": "at most 250 ms, 10 times quicker",
    "screen": "25 frames/s, none older than 100 ms",
    "continuous": "4 answers/s",
}


def make_bundle(folder: Path, data: Dataset) -> None:
    """Both networks with random weights, as train_i3d.py would leave them with its defaults."""
    load_keras()
    from signs.models import i3d

    import keras

    keras.utils.set_random_seed(0)
    folder.mkdir(parents=True, exist_ok=True)
    streams = []
    for name, channels in (("rgb", 3), ("flow", 2)):
        arguments = {"input_shape": [FRAMES, CROP, CROP, channels], "classes": len(data.classes)}
        i3d.build_i3d(**arguments).save_weights(folder / f"{name}.weights.h5")
        streams.append(Stream(name, name, "i3d", arguments, {"weights": f"{name}.weights.h5"}))
    spec = ClipSpec(storage.find_stored(data, "flow"), InputSpec(FRAMES, SHORT_SIDE, CROP))
    save_bundle(Bundle(folder, spec, data.classes, streams, "mean", {"flags": {"weights": "random"}}))


def loaded(recogniser) -> Future:
    future = Future()
    future.set_result(recogniser)
    return future


def play(recogniser, video: Path) -> tuple[float, dict]:
    """Seconds from the last frame to the answer, the video played at its own rate through the demo's own path."""
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video, paced=True) as source:
        length = source.span(float("inf"))
        demo = Demo(source, loaded(recogniser), lambda loaded: build_modes(loaded, worker, 0.0, length, length))
        livedemo.record_once(demo)
        demo.close()
    return demo.mode.latency, demo.mode.answer.seconds


def prototype(recogniser, reference, video: Path) -> float:
    """The same frames the prototype's way: everything after the recording."""
    images, times = read_video(video, SHORT_SIDE)
    kept = images[recogniser.bundle.spec.stored.keep(times)]
    top, left = (kept.shape[1] - CROP) // 2, (kept.shape[2] - CROP) // 2
    kept = kept[:, top : top + CROP, left : left + CROP]
    fields, flow_seconds = [np.zeros((CROP, CROP, 2), np.float32)], 0.0
    for earlier, later in zip(kept, kept[1:], strict=False):
        pair = np.stack([to_grey(earlier), to_grey(later)])
        field, seconds = reference("opencv", pair, tvl1.FAST)
        fields.append(field)
        flow_seconds += seconds
    started = time.perf_counter()
    rgb = kept.astype(np.float32) / 127.5 - 1
    flow = np.clip(np.stack(fields), -20, 20) / 20
    rows = [
        softmax(recogniser.networks[name].logits(one[None]), axis=-1) for name, one in (("rgb", rgb), ("flow", flow))
    ]
    np.mean(rows, axis=0).argmax()
    return flow_seconds + time.perf_counter() - started


class PlayedCamera:
    """cv2.VideoCapture's part: a video forth and back at an even rate, after a few seconds of its first frame."""

    def __init__(self, video: Path):
        frames, _ = read_video(video)
        self._pictures = [cv2.resize(frame[..., ::-1], SIZE[::-1]) for frame in frames]
        self._pictures += self._pictures[-2:0:-1]
        self._start, self._count = time.monotonic(), 0

    def isOpened(self) -> bool:  # noqa: N802
        return True

    def read(self):
        self._count += 1
        time.sleep(max(0.0, self._start + self._count / RATE - time.monotonic()))
        moved = max(0, self._count - REST * RATE)
        return True, self._pictures[moved % len(self._pictures)].copy()

    def release(self) -> None:
        pass


def in_window(recogniser, video: Path, mode: str, seconds: float, samples: list | None = None):
    """The demo in a real window for so long; the space bar starts a sign whenever it can. Returns the demo."""

    class Driven(window.Window):
        """Presses space by itself, and q at the end."""

        def code(self, wait: float) -> int | None:
            super().code(wait)
            if samples is not None and time.monotonic() - self.started > 10 * len(samples):
                samples.append(memory())
            if time.monotonic() - self.started > seconds:
                return ord("q")
            waits = mode == "countdown" and demo.mode and demo.mode.state in ("idle", "result")
            return ord(" ") if waits else None

        started = time.monotonic()

    plain, window.Window = window.Window, Driven
    try:
        with ThreadPoolExecutor(1) as worker, Camera(0, lambda _index: PlayedCamera(video)) as source:
            demo = Demo(source, loaded(recogniser), lambda loaded: build_modes(loaded, worker, 0.0, 5.0, 5.0), mode)
            window.run_window(demo)
            demo.close()
    finally:
        window.Window = plain
    return demo


def memory() -> float:
    """MB that this process holds."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def most_memory(model: Path, video: Path, mode: str, seconds: float) -> int:
    """MB that livedemo.py holds at most in so many seconds, its start not counted."""
    line = [sys.executable, HERE.parent / "livedemo.py", "--model", model, "--video", video, "--mode", mode]
    demo = subprocess.Popen([*map(str, line)], stdout=subprocess.DEVNULL)
    time.sleep(STARTING + seconds)
    status = Path(f"/proc/{demo.pid}/status").read_text()
    demo.kill()
    demo.wait()
    return round(int(re.search(r"VmHWM:\s*(\d+) kB", status)[1]) / 1000)


def percentiles(values: list[float]) -> dict:
    p50, p95 = np.percentile(values, [50, 95])
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4)}


def answers(model: Path, videos: list[Path], repeat: int, forms: list[str]) -> dict:
    """Seconds from the last frame to the answer, by form, and the prototype's way."""
    rows = {}
    for name in forms:
        recogniser = Recogniser.load(model, name)
        recogniser.warm_up()
        taken = [play(recogniser, video)[0] for video in videos for _ in range(repeat)]
        rows[name] = percentiles(taken)
        if name == runtime.KERAS and set(recogniser.networks) == {"rgb", "flow"}:
            python = bench_flow.make_reference()
            with tempfile.TemporaryDirectory() as folder:
                reference = bench_flow.Reference(python, Path(folder), runtime.cores())
                rows["prototype"] = percentiles([prototype(recogniser, reference, video) for video in videos])
                reference.process.stdin.close()
                reference.process.wait()
    return rows


def print_tables(results: dict) -> None:
    console = Console(width=110)
    table = Table(
        "networks", "last frame to answer, p50", "p95", "prototype / this", title=f"seconds; goal: {GOALS['answer']}"
    )
    before = results["answer"].get("prototype")
    for name, row in results["answer"].items():
        ratio = f"{before['p50'] / row['p50']:.1f}" if before else ""
        table.add_row(name, f"{row['p50']:.3f}", f"{row['p95']:.3f}", ratio)
    console.print(table)
    table = Table("", "p50", "p95", title=f"window, {results['form']}; goals: {GOALS['screen']}; {GOALS['continuous']}")
    table.add_row("frames shown a second", f"{results['screen']['shown']:.1f}", "")
    table.add_row("camera to screen, ms", *(f"{1000 * results['screen']['age'][key]:.0f}" for key in ("p50", "p95")))
    table.add_row("oldest frame shown, ms", f"{1000 * results['screen']['oldest']:.0f}", "")
    table.add_row("answers a second, continuous", f"{results['continuous']['rate']:.2f}", "")
    table.add_row(
        "last frame to answer, continuous, s", *(f"{results['continuous'][key]:.3f}" for key in ("p50", "p95"))
    )
    for mode, most in results["most memory"].items():
        table.add_row(f"most memory, {mode}, MB", str(most), "")
    console.print(table)


def export_model(model: Path, data: Path) -> list[str]:
    """Make and export the bundle where it is not there; the forms of it that run here."""
    if not (model / BUNDLE_FILE).is_file():
        make_bundle(model, load_dataset(data))
    bundle = load_bundle(model)
    if not read_forms(bundle):
        flags = ["--data", data, "--model", model, "--clips", "8", "--calibrate", "16", "--forms", *FORMS_MADE]
        done = subprocess.run([sys.executable, HERE.parent / "export.py", *flags], check=False)
        if done.returncode not in (command.DONE, command.PARTLY):
            raise Problem(f"{model}: export.py made none of its forms; it says why above")
    there = read_forms(bundle)
    return [runtime.KERAS, *(name for name, form in runtime.FORMS.items() if name in there and runtime.runs_here(form))]


def measure(args: argparse.Namespace, forms: list[str]) -> dict:
    """Everything that the docstring lists, in its order."""
    results, video = {"threads": runtime.cores()}, args.videos[0]
    live = Recogniser.load(args.model, live=True)
    live.warm_up()
    results["form"] = live.runtime
    demo = in_window(live, video, "countdown", args.seconds)
    ages = demo.timings.seconds["camera to screen"]
    results["screen"] = {
        "shown": len(ages) / args.seconds,
        "age": percentiles(ages),
        "oldest": max(ages),
        "steps": demo.mode.timings.percentiles(),
    }
    demo = in_window(live, video, "continuous", args.seconds + REST)
    taken = demo.mode.timings.seconds["last frame to answer"]
    results["continuous"] = {"form": live.whole.runtime, "rate": len(taken) / args.seconds, **percentiles(taken)}
    if args.minutes:
        samples = []
        in_window(live, video, "continuous", 60 * args.minutes, samples)
        results["memory"] = {"MB": [round(sample) for sample in samples], "threads": threading.active_count()}
    results["most memory"] = {mode: most_memory(args.model, video, mode, args.seconds) for mode in MODES}
    return {**results, "answer": answers(args.model, args.videos, args.repeat, forms)}


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--videos", type=Path, nargs="+", required=True, help="real clips, one sign each")
    flags.add_argument(
        "--model",
        type=Path,
        default=HERE.parent / "model" / "bench-live",
        help="exported bundle; one with random weights is made there if there is none",
    )
    flags.add_argument("--data", type=Path, help="data set for that: short side 240, 40 frames, tvl1-fast")
    flags.add_argument("--repeat", type=int, default=3, help="times that each video is played")
    flags.add_argument("--seconds", type=float, default=30.0, help="of each part in the window")
    flags.add_argument("--minutes", type=float, default=0.0, help="of continuous mode with its memory watched")
    flags.add_argument("--forms", nargs="+", help="which forms to play; all that run here without it")
    args = flags.parse_args(argv)
    forms = export_model(args.model, args.data)
    results = measure(args, args.forms or forms)
    print_tables(results)
    print(json.dumps(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
