"""Inputs that nobody wants, and what a user is told: faults.py tries them all.

Each is one line on the standard error and the right exit code: 2 where nothing was done, 1 where the rest was. A line
is no longer than 300 characters, and no traceback is among them.
"""

import csv
import io
import json
import re
import subprocess
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from signs import command

LONGEST = 300
CLIPS = "clip,split,label,signer,group,source,sha256"

# {d} is a data set with frames, {p} a folder where nothing is.
BAD_FLAGS = """frame.py --data {d} --frames 0
frame.py --data {d} --frames many
frame.py --data {d} --short-side 0
frame.py --data {d} --quality 0
frame.py --data {d} --quality 101
frame.py --data {d} --workers 0
frame.py --data {d} --split nowhere
frame.py --data {d}/nowhere
frame.py
frame.py --dat {d}
frame.py --data {d} --part depth
opticalflow.py --data {d} --bound 0
opticalflow.py --data {d} --bound nan
opticalflow.py --data {d} --method best
opticalflow.py --data {d} --store 9x9
feature.py --data {d} --network no-such-network --weights none
feature.py --data {d} --seed -1
train_i3d.py --data {d} --output {p}/m --epochs -1
train_i3d.py --data {d} --output {p}/m --batch 0
train_i3d.py --data {d} --output {p}/m --learning-rate inf
train_i3d.py --data {d} --output {p}/m --frames 0x0
train_i3d.py --data {d} --output {p}/m --recipe ema=2
train_i3d.py --data {d} --output {p}/m --augment zom=1
train_conv3d_lstm.py --data {d} --output {d}
train_conv3d_lstm.py --data {d} --output {p}/m --crop 60/54
train_linear.py --data {d} --output {p}/m --stream sound
evaluate.py --data {d} --model {p}/nowhere
evaluate.py --data {d} --model {d}
predict.py --model {p}/nowhere {d}/clips.csv
livedemo.py --model {p}/nowhere
livedemo.py --model {p}/nowhere --camera -1
livedemo.py --model {p}/nowhere --font-size 0
webdemo.py --model {p}/nowhere
webdemo.py --model {p}/nowhere --port 70000
webdemo.py --model {d} --host no.such.name.invalid
webdemo.py --model {d} --host 0.0.0.0 --password-file {p}/nowhere
webdemo.py --model {d} --keep {d}/clips.csv
webdemo.py --model {d} --signer anna
export.py --data {d} --model {p}/nowhere
ensemble.py --model {p}/a {p}/b --output {p}/c
compress.py --data {d} --model {p}/nowhere --output {p}/c
paper_report.py --data {d} --model {p}/nowhere
prepare_videos.py --videos {p}/nowhere --output {p}/o
prepare_chalearn.py --download {p}/nowhere --output {p}/o"""


@dataclass(frozen=True)
class Tried:
    """An input, what the command answered, and whether that is what it should be."""

    name: str
    code: int
    expected: int
    lines: list[str]

    @property
    def good(self) -> bool:
        short = all(len(line) <= LONGEST for line in self.lines)
        told = len(self.lines) == 1 if self.expected == command.NOTHING else bool(self.lines)
        return self.code == self.expected and short and told and "Traceback" not in "".join(self.lines)


def video(path: Path, frames: int = 12) -> bytes:
    """A small MJPEG AVI of coloured noise, written to `path`; its bytes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*"MJPG"), 10, (64, 48))
    for picture in np.random.default_rng(zlib.crc32(str(path).encode())).integers(
        0, 256, (frames, 48, 64, 3), np.uint8
    ):
        writer.write(picture)
    writer.release()
    return path.read_bytes()


def table(path: Path, text: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)


def bad_videos(avi: bytes) -> dict[str, bytes]:
    """Files named as videos that are none, or not all of one."""
    playlist = b"#EXTM3U\n#EXTINF:1,\n/etc/passwd\n"
    return {
        "empty": b"",
        "a text": b"this is no video\n",
        "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "a playlist": playlist,
        "a page of HTML": b"<!DOCTYPE html><html><body>404</body></html>",
        "noise": np.random.default_rng(0).bytes(5000),
        "a PNG": cv2.imencode(".png", np.zeros((9, 9, 3), np.uint8))[1].tobytes(),
        "a WAV": b"RIFF\x24\0\0\0WAVEfmt " + bytes(40),
        "a WebP": b"RIFF\x24\0\0\0WEBPVP8X" + bytes(40),
        "a ZIP": b"PK\x03\x04" + bytes(60),
        "its head alone": avi[:200],
        "its first half": avi[: len(avi) // 2],
        "all but its end": avi[:-500],
        "never closed": avi[:4] + bytes(4) + avi[8 : avi.index(b"idx1")],
        "no frame in it": avi[: avi.index(b"movi") + 4] + b"idx1" + bytes(4),
        "an unknown codec": avi.replace(b"MJPG", b"XQZ9"),
        "a Matroska head and nothing else": b"\x1aE\xdf\xa3\x9f" + bytes(31),
        "an MP4 without its index": b"\0\0\0\x18ftypmp42" + bytes(12) + b"\0\0\0\x10mdat" + bytes(8),
        "a transport stream of nothing": (b"G\x1f\xff\x10" + bytes(184)) * 20,
        "an FLV head": b"FLV\x01\x05\0\0\0\x09\0\0\0\0",
    }


def prepared(folder: Path) -> Path:
    """A data set of four clips with frames."""
    rows = [
        f"{name},{split},{label},{name},,{name}.avi,"
        for name, split, label in (("a", "train", "x"), ("b", "train", "y"), ("c", "valid", "x"), ("d", "test", "y"))
    ]
    for row in csv.reader(rows):
        video(folder / "video" / row[1] / row[2] / f"{row[0]}.avi")
    table(folder / "clips.csv", "\n".join([CLIPS, *rows]) + "\n")
    table(folder / "class.csv", "label,name,kind\nx,x,gesture\ny,y,gesture\n")
    subprocess.run(
        [sys.executable, ROOT / "frame.py", "--data", folder, "--frames", "6", "--short-side", "32"],
        check=True,
        capture_output=True,
    )
    return folder


Case = tuple[str, int, str]  # name, exit code, command line


def videos_cases(place: Path) -> Iterator[Case]:
    """A bad file among good ones, through prepare_videos.py; and as the only one."""
    good = video(place / "good.avi")
    for number, (name, content) in enumerate(bad_videos(good).items()):
        folder = place / f"v{number}"
        for label, files in {"x": ["a", "b", "c"], "y": ["d", "e", "f"]}.items():
            for file in files:
                video(folder / "in" / label / f"{file}_{number}.avi")
        table(folder / "in" / "x" / "bad.avi", content)
        yield f"among good videos: {name}", 1, f"prepare_videos.py --videos {folder}/in --output {folder}/out"


def tables_cases(place: Path) -> Iterator[Case]:
    """clips.csv and class.csv that contradict themselves, through frame.py."""
    classes, row = "label,name,kind\nx,x,gesture\n", "a,train,x,,,a.avi,\n"
    tables = {
        "no clips.csv": (None, classes),
        "clips.csv without a clip": (CLIPS + "\n", classes),
        "clips.csv is empty": ("", classes),
        "clips.csv without columns": ("clip,split\na,train\n", classes),
        "clips.csv is not text": (bytes(range(128, 256)), classes),
        "an unknown split": (f"{CLIPS}\na,training,x,,,a.avi,\n", classes),
        "a clip twice": (f"{CLIPS}\n{row}{row}", classes),
        "a label that no class has": (f"{CLIPS}\na,train,z,,,a.avi,\n", classes),
        "a clip that climbs out": (f'{CLIPS}\n"a\n/../../b",train,x,,,a.avi,\n', classes),
        "no class.csv": (f"{CLIPS}\n{row}", None),
        "class.csv without a class": (f"{CLIPS}\n{row}", "label,name,kind\n"),
        "a class twice": (f"{CLIPS}\n{row}", classes + "x,x,gesture\n"),
        "an unknown kind": (f"{CLIPS}\n{row}", "label,name,kind\nx,x,perhaps\n"),
        "a NUL in the table": (f"{CLIPS}\n{row}\0\n", classes),
        "a value of 200,000 characters": (f"{CLIPS}\n{'a' * 200000},train,x,,,a.avi,\n", classes),
    }
    for number, (name, (clips, labels)) in enumerate(tables.items()):
        folder = place / f"t{number}"
        folder.mkdir(parents=True)
        for file, text in (("clips.csv", clips), ("class.csv", labels)):
            if text is not None:
                table(folder / file, text)
        yield name, 2, f"frame.py --data {folder}"


def flags_cases(place: Path, data: Path) -> Iterator[Case]:
    """Values that no computation can use, folders that are none."""
    for words in BAD_FLAGS.split("\n"):
        yield words.format(d="DATA", p="."), 2, words.format(d=data, p=place)


def archives_cases(place: Path) -> Iterator[Case]:
    """A clip archive that is damaged, through opticalflow.py: it is named, the others are done."""
    data = prepared(place / "data")
    whole = next((data / "frame-6x32").rglob("a.zip")).read_bytes()
    empty = io.BytesIO()
    zipfile.ZipFile(empty, "w").close()
    damages: dict[str, Callable[[bytes], bytes]] = {
        "cut in half": lambda content: content[: len(content) // 2],
        "emptied": lambda content: b"",
        "a zip without members": lambda content: empty.getvalue(),
        "bytes changed in the middle": lambda content: content[:3000] + bytes(500) + content[3500:],
    }
    for number, (name, damage) in enumerate(damages.items()):
        copy = place / f"a{number}"
        subprocess.run(["cp", "-r", data, copy], check=True)
        next((copy / "frame-6x32").rglob("a.zip")).write_bytes(damage(whole))
        yield f"a clip archive {name}", 1, f"opticalflow.py --data {copy} --method dis"


def bundles_cases(place: Path) -> Iterator[Case]:
    """Folders that are said to be models, through predict.py."""
    video(place / "clip.avi")
    for number, text in enumerate(("", "{}", "[]", "{", '{"format": 99}', json.dumps({"format": 1, "streams": 3}))):
        table(place / f"m{number}" / "bundle.json", text)
        yield f"bundle.json: {text or 'empty'}", 2, f"predict.py --model {place}/m{number} {place}/clip.avi"


def attempt(case: Case) -> Tried:
    name, expected, line = case
    words = line.split()
    done = subprocess.run([sys.executable, ROOT / words[0], *words[1:]], capture_output=True, text=True, timeout=600)
    lines = [each for each in done.stderr.splitlines() if each.strip()]
    return Tried(name, done.returncode, expected, [re.sub(rf"{ROOT}/", "", each) for each in lines])


def try_all(place: Path, bar) -> list[Tried]:
    """Every case, two at a time."""
    data = prepared(place / "flags" / "data")
    cases = [
        *videos_cases(place / "videos"),
        *tables_cases(place / "tables"),
        *flags_cases(place / "flags", data),
        *archives_cases(place / "archives"),
        *bundles_cases(place / "bundles"),
    ]
    with ThreadPoolExecutor(2) as pool:
        return list(bar.track(pool.map(attempt, cases), total=len(cases), description="bad inputs"))


def print_all(tried: list[Tried]) -> None:
    """What was tried, and in full what was answered wrongly."""
    rows = [
        (kind, len(each), sum(one.good for one in each))
        for kind, each in (
            ("exit code 2, one line", [one for one in tried if one.expected == command.NOTHING]),
            ("exit code 1, the clip is named", [one for one in tried if one.expected == command.PARTLY]),
        )
    ]
    command.print_table(("bad inputs", "tried", "right"), rows)
    for one in tried:
        if not one.good:
            print(f"{one.name}: exit code {one.code}, expected {one.expected}; {' / '.join(one.lines)[:500]}")
