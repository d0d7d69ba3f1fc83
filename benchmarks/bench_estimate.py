"""Does a run take what its estimate says? `--dry-run` of each step, then the step itself, on several data sets.

    python benchmarks/bench_estimate.py --data data_set/demo data_set/gestures --mixed 60 --steps frame flow

`--mixed N` draws a data set more, of clips of 1 to 12 seconds between 160x120 and 1280x720. The data sets are only
read: stores go to a temporary folder. The estimate is of the work and its processes; the script's own start, as a run
with nothing left to do has it, is taken off what was measured. Printed: seconds of processors (of the whole run, all
processes), gigabytes and seconds, estimated and measured, and the error of the estimate. Other work on the machine
changes seconds; those of processors it changes less. The last line is JSON.
"""

import argparse
import json
import os
import re
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from signs import command
from signs.clips.dataset import Clip, Dataset, Label, save_dataset

import cv2
import numpy as np

STEPS = {"frame": "frame.py", "flow": "opticalflow.py", "landmark": "landmark.py"}
LINE = re.compile(r"estimate from .*: ([\d,]+) clips?, ([\d.e-]+) core-hours, ([\d.e+-]+) GB in .*, about (.*) with")
UNITS = {"d": 86400, "h": 3600, "min": 60, "s": 1}
SIZES = ((160, 120), (320, 240), (640, 480), (1280, 720))
RATE = 25  # frames/s of the drawn clips


def draw(folder: Path, clips: int) -> Path:
    """A data set of clips of very different lengths and sizes: a texture that moves, as MPEG-4."""
    rng, rows = np.random.default_rng(0), []
    for number in range(clips):
        width, height = SIZES[number % len(SIZES)]
        frames = int(RATE * np.exp(rng.uniform(0, np.log(12))))
        clip = Clip(f"clip_{number}", "train", "a", source=f"clip_{number}.avi")
        path = clip.video(folder)
        path.parent.mkdir(parents=True, exist_ok=True)
        noise = rng.integers(0, 256, (height // 8 + 20, width // 8 + 20, 3), np.uint8)
        wall = cv2.resize(noise, None, fx=8, fy=8, interpolation=cv2.INTER_CUBIC)
        writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"XVID"), RATE, (width, height))
        for moment in range(frames):
            x, y = (int(60 + 60 * function(moment / 9)) for function in (np.sin, np.cos))
            writer.write(np.ascontiguousarray(wall[y : y + height, x : x + width]))
        writer.release()
        rows.append(Clip(clip.clip, "train", "a", source=clip.source, sha256=command.sha256(path)))
    save_dataset(Dataset(folder, rows, [Label("a", "a")]))
    return folder


def linked(data: Path, folder: Path) -> Path:
    """A data set over another's videos, without its stores."""
    folder.mkdir()
    for path in data.iterdir():
        if path.suffix == ".csv":
            (folder / path.name).write_bytes(path.read_bytes())
        elif path.is_dir() and path.name in ("video", "depth"):
            (folder / path.name).symlink_to(path.resolve())
    return folder


def run(script: str, *flags: str) -> tuple[str, float, float]:
    """(what it printed, seconds, seconds of processors) of a script."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    line = [sys.executable, str(ROOT / script), *flags]
    done = subprocess.run(line, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "200"})
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return done.stdout, wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def seconds_of(text: str) -> float:
    """`1 min 20 s` -> 80."""
    words = text.split()
    return sum(float(number) * UNITS[unit] for number, unit in zip(words[::2], words[1::2], strict=True))


def measure(data: Path, step: str, workers: str) -> dict:
    """Estimate, then do: a row."""
    flags = ["--data", str(data), "--workers", workers]
    stores = set(data.iterdir())
    estimate, *_ = run(STEPS[step], *flags, "--dry-run")
    assert set(data.iterdir()) == stores, "--dry-run wrote something"
    clips, hours, gigabytes, wall = LINE.search(estimate).groups()
    printed, took, cpu = run(STEPS[step], *flags)
    _, start, start_cpu = run(STEPS[step], *flags)
    (store,) = set(data.iterdir()) - stores
    written = sum(path.stat().st_size for path in store.rglob("*.zip")) / 1e9
    pairs = {
        "cpu_s": (3600 * float(hours), cpu - start_cpu),
        "gb": (float(gigabytes), written),
        "wall_s": (seconds_of(wall), took - start),
    }
    if again := LINE.search(printed):  # what the run itself said, after its first clips: nearer in time
        pairs["wall_s_in_the_run"] = (seconds_of(again[4]), took - start)
    row = {"step": step, "clips": int(clips.replace(",", ""))}
    for name, (said, true) in pairs.items():
        row |= {
            f"{name}_said": round(said, 3),
            f"{name}_true": round(true, 3),
            f"{name}_off": round(said / true - 1, 3),
        }
    return row


def shown(row: dict, part: str) -> str:
    """`10.4, 10.6, -1 %`; `-` where the run was too short to say it."""
    if f"{part}_said" not in row:
        return "-"
    return f"{row[f'{part}_said']:.3g}, {row[f'{part}_true']:.3g}, {row[f'{part}_off']:+.0%}"


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--data", type=Path, nargs="*", default=[], help="prepared data sets, with their videos")
    flags.add_argument("--mixed", type=int, default=0, metavar="N", help="draw a data set more, of N clips")
    flags.add_argument("--steps", nargs="+", choices=STEPS, default=["frame", "flow"], help="frame before flow")
    flags.add_argument("--workers", default="2", metavar="N", help="processes")
    args = flags.parse_args(argv)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        sets = {path.name: linked(path, Path(temporary) / path.name) for path in args.data}
        if args.mixed:
            sets["mixed"] = draw(Path(temporary) / "mixed", args.mixed)
        for name, data in sets.items():
            for step in args.steps:
                rows.append({"data": name, **measure(data, step, args.workers)})
                print(rows[-1], file=sys.stderr, flush=True)
    parts = ("cpu_s", "gb", "wall_s", "wall_s_in_the_run")
    cells = [[row["data"], row["step"], row["clips"], *(shown(row, part) for part in parts)] for row in rows]
    heads = ("data", "step", "clips", "processors, s", "GB", "seconds", "seconds, said in the run")
    command.print_table(heads, cells, "said, measured, off", left={"step"})
    print(json.dumps({"load": os.getloadavg()[0], "workers": int(args.workers), "rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
