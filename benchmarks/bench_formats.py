"""How long does prepare_videos.py take for a whole public data set, how much memory, and does it go on after kill -9?

    python benchmarks/bench_formats.py --sets wlasl ms-asl jester --scale 0.25 1 --work /tmp/bench_formats

Lists are generated to the published counts (times --scale), with tiny videos that all differ; of WLASL and MS-ASL half
of the videos are missing, as they are on the internet. Each size is prepared whole, then once more, which has nothing
to do, then anew with kill -9 at half of the time and the same command again, whose clips.csv has to be the same.

Printed: rows, clips, what is neither clip nor named (lost, which has to be 0), seconds of each run, processor seconds
of the first one, which other work on the machine changes less, and the largest process in MB. The last line is JSON.
"""

import argparse
import csv
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from signs.prepare.formats.table import FORMATS

import av
import cv2
import numpy as np
from rich.console import Console
from rich.table import Table

LOST = 0.5  # share of the videos that the internet has lost
SIGNS_A_VIDEO = 6  # of MS-ASL, in one video


def tiny_film(seconds: float) -> bytes:
    """An MP4 of 16x16 pixels at 25 frames/s."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.mp4"
        with av.open(str(path), "w") as film:
            stream = film.add_stream("mpeg4", rate=25, width=16, height=16, pix_fmt="yuv420p")
            for number in range(round(25 * seconds)):
                picture = np.full((16, 16, 3), 5 * number % 256, np.uint8)
                film.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
            film.mux(stream.encode(None))
        return path.read_bytes()


def unlike(film: bytes, number: int) -> bytes:
    """The same film with a box that no player reads, so that each file has its own hash."""
    return film + struct.pack(">I4sQ", 16, b"free", number)


def splits_of(key: str, count: int) -> list[str]:
    """`count` splits in the published shares, shuffled."""
    published = FORMATS[key].rows[max(FORMATS[key].rows)]
    total = sum(published.values())
    splits = [split for split, rows in published.items() for _ in range(round(rows * count / total))]
    splits += ["train"] * (count - len(splits))
    random.Random(1).shuffle(splits)
    return splits[:count]


def make_wlasl(folder: Path, count: int) -> None:
    """2,000 glosses; half of the files called by video_id are there."""
    film, draw = tiny_film(0.2), random.Random(2)
    entries = [{"gloss": f"gloss{number}", "instances": []} for number in range(2000)]
    (folder / "videos").mkdir(parents=True)
    for number, split in enumerate(splits_of("wlasl", count)):
        row = {"video_id": f"{number:05d}", "signer_id": number % 119, "split": split.replace("valid", "val")}
        row |= {"url": "http://aslbricks.org/a.mp4", "frame_start": 1, "frame_end": -1, "fps": 25, "bbox": [0, 0, 9, 9]}
        entries[number % 2000]["instances"].append(row)
        if draw.random() > LOST:
            (folder / "videos" / f"{number:05d}.mp4").write_bytes(unlike(film, number))
    (folder / "WLASL_v0.3.json").write_text(json.dumps(entries))


def make_ms_asl(folder: Path, count: int) -> None:
    """1,000 words, six signs a video of YouTube; half of the videos are there."""
    film, draw = tiny_film(2 * SIGNS_A_VIDEO), random.Random(3)
    folder.mkdir(parents=True)
    (folder / "MSASL_classes.json").write_text(json.dumps([f"word{number}" for number in range(1000)]))
    lists = {"train": [], "valid": [], "test": []}
    for number, split in enumerate(splits_of("ms-asl", count)):
        video, place = divmod(number, SIGNS_A_VIDEO)
        name, start = f"v{video:010d}", 2.0 * place
        times = {"start_time": start, "end_time": start + 1.6, "start": 25 * start, "end": 25 * start + 40, "fps": 25.0}
        row = {"label": number % 1000, "signer_id": video % 222, "url": f"www.youtube.com/watch?v={name}"} | times
        lists[split].append(row)
        if place == 0 and draw.random() > LOST:
            (folder / f"{name}.mp4").write_bytes(unlike(film, video))
    for split, rows in lists.items():
        (folder / f"MSASL_{split.replace('valid', 'val')}.json").write_text(json.dumps(rows))


def make_jester(folder: Path, count: int) -> None:
    """27 gestures, a folder of two pictures each."""
    picture = cv2.imencode(".jpg", np.zeros((16, 16, 3), np.uint8))[1].tobytes()
    names = ["No gesture", "Doing other things", *(f"Gesture {number}" for number in range(25))]
    lists = {"train": [], "valid": [], "test": []}
    for number, split in enumerate(splits_of("jester", count), 1):
        lists[split].append(f"{number};{names[number % 27]}" if split != "test" else str(number))
        clip = folder / "20bn-jester-v1" / str(number)
        clip.mkdir(parents=True)
        for frame in (1, 2):
            (clip / f"{frame:05d}.jpg").write_bytes(picture + struct.pack(">QI", number, frame))
    (folder / "jester-v1-labels.csv").write_text("\n".join(names))
    for split, rows in lists.items():
        (folder / f"jester-v1-{split.replace('valid', 'validation')}.csv").write_text("\n".join(rows))


MAKERS = {"wlasl": make_wlasl, "ms-asl": make_ms_asl, "jester": make_jester}


def run(flags: list[str], output: Path, kill_after: float | None = None) -> tuple[float, float, float]:
    """Seconds that prepare_videos.py takes, those of processors, and MB of its largest process; raises SystemExit
    where it does nothing. What it says of faults lies in said.txt beside the output."""
    started = time.perf_counter()
    line = [sys.executable, str(ROOT / "prepare_videos.py"), *flags, "--output", str(output)]
    with open(output.parent / "said.txt", "w") as said:
        process = subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=said, start_new_session=True)
    if kill_after is not None:
        time.sleep(kill_after)
        os.killpg(process.pid, signal.SIGKILL)  # the group that was just started, no other
    _, status, usage = os.wait4(process.pid, 0)
    if kill_after is None and os.waitstatus_to_exitcode(status) not in (0, 1):
        raise SystemExit(f"{' '.join(line)}: ended with {os.waitstatus_to_exitcode(status)}")
    return time.perf_counter() - started, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def measure(key: str, scale: float, work: Path, transfer: str, workers: int) -> dict:
    """One set at one size."""
    rows = round(sum(FORMATS[key].rows[max(FORMATS[key].rows)].values()) * scale)
    folder = work / f"{key}-{rows}"
    shutil.rmtree(folder, ignore_errors=True)
    MAKERS[key](folder / "in", rows)
    flags = ["--videos", str(folder / "in"), "--transfer", transfer, "--workers", str(workers)]
    first, processor, peak = run(flags, folder / "whole")
    again = run(flags, folder / "whole")[0]
    run(flags, folder / "killed", kill_after=first / 2)
    resumed = run(flags, folder / "killed")[0]
    same = (folder / "whole" / "clips.csv").read_bytes() == (folder / "killed" / "clips.csv").read_bytes()
    with open(folder / "whole" / "clips.csv", newline="") as file:
        clips = sum(1 for _ in csv.DictReader(file))
    said = re.search(r"([\d,]+) not done", (folder / "said.txt").read_text())
    not_done = int(said[1].replace(",", "")) if said else 0
    row = {"set": key, "rows": rows, "clips": clips, "not_done": not_done, "lost": rows - clips - not_done}
    times = {"first_s": first, "processor_s": processor, "again_s": again, "resumed_s": resumed}
    times = {name: round(seconds, 1) for name, seconds in times.items()}
    shutil.rmtree(folder)
    return {**row, **times, "peak_mb": round(peak), "same_after_kill": same}


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--sets", nargs="+", choices=MAKERS, default=list(MAKERS))
    flags.add_argument("--scale", nargs="+", type=float, default=[0.25, 1.0], help="of the published counts")
    flags.add_argument("--work", type=Path, required=True, help="a folder for what is generated; it is emptied")
    flags.add_argument("--transfer", choices=("copy", "hardlink", "link"), default="hardlink")
    flags.add_argument("--workers", type=int, default=-1)
    args = flags.parse_args(argv)
    rows = []
    for key in args.sets:
        for scale in args.scale:
            rows.append(measure(key, scale, args.work, args.transfer, args.workers))
            print(json.dumps(rows[-1]), flush=True)
    table = Table(*rows[0], title=f"prepare_videos.py --transfer {args.transfer}, {os.cpu_count()} cores")
    for row in rows:
        table.add_row(*(f"{value:,}" if isinstance(value, int | float) else str(value) for value in row.values()))
    Console().print(table)
    print(json.dumps({"rows": rows}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
