"""Tiny pictures, videos and data sets: the one place where the tests of frames and flow make them."""

import contextlib
import functools
import io
import os
import random
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip, Dataset, Label, save_dataset
from signs.prepare import known_files

import av
import cv2
import h5py
import numpy as np

import frame

KILLED = """
import os, pathlib, runpy, signal, sys
owner, name = ({"os": os}.get(sys.argv[1]) or pathlib.Path), sys.argv[2]
real, calls = getattr(owner, name), []
def fatal(path, *more):
    calls.append(path)
    if len(calls) == 3:
        if name == "write_bytes":
            real(path, bytes(more[0])[: len(more[0]) // 2])
        os.kill(os.getpid(), signal.SIGKILL)
    return real(path, *more)
setattr(owner, name, fatal)
sys.argv = sys.argv[3:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
runpy.run_path(sys.argv[0], run_name="__main__")
"""

REPOSITORY = Path(__file__).resolve().parent.parent
FRAMES = 12  # of each video of `data_set`, at 10 frames/s
# Every kind of row: two labels, three splits, a clip without a label.
CLIPS = [
    ("a_1", "train", "001"),
    ("a_2", "train", "002"),
    ("a_3", "train", "001"),
    ("b_1", "valid", "002"),
    ("c_1", "test", "001"),
    ("c_2", "test", ""),
]


def encode(
    path: Path, images: np.ndarray, codec: str = "libx264", times=None, pixels="yuv420p", rate=10, **more
) -> Path:
    """(T, H, W, 3) uint8 RGB -> a video by FFmpeg's encoder; `times` in ms; `more`: of the codec's context."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream(codec, rate=rate, options=more.pop("options", {}))
        stream.width, stream.height, stream.pix_fmt = images.shape[2], images.shape[1], pixels
        if "turn" in more:
            stream.set_display_rotation(more.pop("turn"))
        if times is not None:
            more["time_base"] = Fraction(1, 1000)
        for name, value in more.items():
            setattr(stream.codec_context, name, value)
        for number, image in enumerate(images):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24").reformat(format=pixels)
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def sound(path: Path) -> Path:
    """A second of silence, without a picture."""
    with av.open(str(path), "w") as film:
        stream = film.add_stream("aac", rate=16000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 16000), np.float32), format="fltp", layout="mono")
        frame.rate = 16000
        film.mux(stream.encode(frame))
        film.mux(stream.encode(None))
    return path


def avi(seed: int, size: int = 3000) -> bytes:
    """An AVI of one picture, and `size` random bytes that no player reads and that differ from clip to clip."""
    junk = random.Random(seed).randbytes(size + size % 2)
    content = picture_avi()[8:] + b"JUNK" + struct.pack("<I", len(junk)) + junk
    return b"RIFF" + struct.pack("<I", len(content)) + content


@functools.cache
def picture_avi() -> bytes:
    """An AVI of one black picture."""
    file = io.BytesIO()
    with av.open(file, "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=10, width=16, height=16, pix_fmt="yuv420p")
        black = av.VideoFrame.from_ndarray(np.zeros((24, 16), np.uint8), format="yuv420p")
        for frame in (black, None):
            container.mux(stream.encode(frame))
    return file.getvalue()


def texture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """(H, W) float32 in 10..245: smooth noise of four sizes, so that every place can be told from its neighbours."""
    noise = np.random.default_rng(seed).standard_normal((height, width)).astype(np.float32)
    blurred = (cv2.GaussianBlur(noise, (0, 0), sigma) for sigma in (1.5, 3, 6, 12))
    return cv2.normalize(sum(image / np.abs(image).max() for image in blurred), None, 10, 245, cv2.NORM_MINMAX)


def moving(frames: int = FRAMES, height: int = 48, width: int = 64, seed: int = 0) -> np.ndarray:
    """(T, H, W, 3) uint8 RGB of a coloured texture that moves 2 px to the left and 1 px up in each frame."""
    room = np.stack([texture(height + frames, width + 2 * frames, 3 * seed + plane) for plane in range(3)], axis=-1)
    return np.stack([room[t : t + height, 2 * t : 2 * t + width] for t in range(frames)]).round().astype(np.uint8)


def write_video(path: Path, images: np.ndarray, rate: float = 10, codec: str = "MJPG") -> Path:
    """(T, H, W, 3) uint8 RGB -> a video file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), rate, images.shape[2:0:-1])
    assert writer.isOpened()
    for image in images:
        writer.write(np.ascontiguousarray(image[..., ::-1]))
    writer.release()
    return path


def data_set(folder: Path) -> Dataset:
    """A prepared data set of six clips: videos, clips.csv with their hashes, class.csv."""
    clips = []
    for number, (name, split, label) in enumerate(CLIPS):
        clip = Clip(name, split, label, name[0], source=f"in/{name}.avi")
        video = write_video(clip.video(folder), moving(seed=number))
        clips.append(Clip(name, split, label, name[0], "", f"in/{name}.avi", command.sha256(video)))
    data = Dataset(folder, clips, [Label("001", "wave"), Label("002", "stop")])
    save_dataset(data)
    return data


def stored(folder: Path, lengths: Sequence[int], parts: Sequence[str] = ("video", "depth")) -> Path:
    """Six clips of these numbers of frames, stored as they are."""
    data, clips = data_set(folder), []
    for number, (item, length) in enumerate(zip(data.clips, lengths, strict=True)):
        for part in parts:
            write_video(item.video(folder, part), moving(length, seed=number + 50 * (part != "video")))
        clips.append(replace(item, sha256=command.sha256(item.video(folder))))
    save_dataset(replace(data, clips=clips))
    for part in parts:
        flags = ["--data", str(folder), "--frames", "all", "--short-side", "32", "--part", part, "--workers", "1"]
        assert frame.main(flags) == 0
    return folder


def contents(store: Path) -> dict[str, bytes]:
    """{path below the store: bytes} of every file, hidden ones too, but for the lock, which stays, and what is known of
    files by their place on this disc."""
    assert store.is_dir()
    return {
        path.relative_to(store).as_posix(): path.read_bytes()
        for path in store.rglob("*")
        if path.is_file() and path.name not in (".lock", known_files.FILE)
    }


def times(store: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in store.rglob("*.zip")}


def python(*argv: str | Path, **environment: str) -> subprocess.CompletedProcess:
    line = [sys.executable, *map(str, argv)]
    return subprocess.run(line, capture_output=True, text=True, env={**os.environ, **environment}, timeout=300)


def script(name: str, *argv: str | Path, **environment: str) -> subprocess.CompletedProcess:
    """A script of the repository as a user starts it."""
    return python(REPOSITORY / name, *argv, **environment)


@contextlib.contextmanager
def window(display: str, *flags):
    """Python opens the demo's window on `display`: the process, and a function that has xdotool do something."""
    environment = {**os.environ, "DISPLAY": display}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}

    def heed_ctrl_c():  # started in the background by a shell, the tests and all below them would ignore it
        signal.signal(signal.SIGINT, signal.SIG_DFL)

    line = [sys.executable, *map(str, flags)]
    with subprocess.Popen(line, env=environment, preexec_fn=heed_ctrl_c, **pipes) as process:
        try:
            search = ["xdotool", "search", "--sync", "--onlyvisible", "--name", "sign recogniser"]
            found = subprocess.run(search, env=environment, capture_output=True, text=True, timeout=60, check=True)

            def tell(*words):
                subprocess.run(["xdotool", *words], env=environment, check=True, timeout=30)

            tell("windowfocus", found.stdout.split()[-1])
            time.sleep(0.3)
            yield process, tell
        finally:
            process.kill()


# `kill -9` at a moment that no timing can miss: while the third archive is written, or before it gets its name.
KILL = {"half written": "pathlib.Path.write_bytes", "not yet named": "os.replace"}


def kill_script(moment: str, name: str, *argv: str | Path) -> None:
    """Start a script of the repository and kill it in the middle; it works in one process, as `--workers 1`."""
    owner, function = KILL[moment].rsplit(".", 1)
    line = [sys.executable, "-c", KILLED, owner, function, str(REPOSITORY / name), *map(str, argv), "--workers", "1"]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert done.returncode == -signal.SIGKILL, done.stderr


def arrays(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found
