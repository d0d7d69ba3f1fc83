"""A process of its own that decodes one uploaded video, for limited_video.py: what a decoder may do is limited first.

    python -P video_process.py VIDEO SPEC         SPEC: StoredSpec as JSON

in:   a file that somebody sent
out:  records on the standard output: b"F", seconds, rows, columns and the pixels of each frame; b"K", how many, rows,
      columns, their times and pixels of the kept ones, and the notes; b"P" and a line where it cannot be read

Memory, processor time, open files and written bytes are limited, and on Linux it sees no network.
"""

import ctypes
import json
import os
import struct
import sys
from pathlib import Path

MEMORY, CPU, FILES = 3 << 30, 120, 128  # bytes, seconds, open at a time
LONGEST, MOST_FRAMES, MOST_PIXELS = 60.0, 7200, 4096 * 2304  # seconds of video, frames, pixels of a frame
FRAME, KEPT, TEXT = struct.Struct("<dII"), struct.Struct("<III"), struct.Struct("<I")
NEW_USER, NEW_NET = 0x10000000, 0x40000000  # of Linux's unshare


def limit() -> None:
    """Before a decoder is even loaded."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).unshare(NEW_USER | NEW_NET)  # a container may forbid it; the rest holds
    try:
        import resource
    except ImportError:  # Windows
        return
    bounds = {"AS": MEMORY, "CPU": CPU, "NOFILE": FILES, "FSIZE": 0, "CORE": 0}
    for name, most in bounds.items():
        resource.setrlimit(getattr(resource, f"RLIMIT_{name}"), (most, most))
    os.nice(5)


def send(path: Path, spec: dict) -> None:
    """Write the records of a video; raises Problem where it cannot be read, is too long or too large."""
    from signs.clips.footage import read_kept
    from signs.clips.spec import stored_from_json
    from signs.command import Problem

    output, count = sys.stdout.buffer, 0

    def write(frame, seconds: float) -> None:
        nonlocal count
        count += 1
        if seconds > LONGEST or count > MOST_FRAMES:
            raise Problem(f"longer than {LONGEST:g} s; cut it to the sign")
        rows, columns = frame.shape[:2]
        if rows * columns > MOST_PIXELS:
            raise Problem(f"pictures of {columns} x {rows} pixels; expected 4096 x 2304 at most")
        output.write(b"F" + FRAME.pack(seconds, rows, columns) + frame.tobytes())

    frames, times, notes = read_kept(path, stored_from_json(spec), each=write)
    output.write(b"K" + KEPT.pack(*frames.shape[:3]) + times.astype("<f8").tobytes() + frames.tobytes())
    text = json.dumps(notes).encode()
    output.write(TEXT.pack(len(text)) + text)


def main() -> None:
    limit()
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    path = Path(sys.argv[1])
    from signs.command import Problem

    try:
        send(path, json.loads(sys.argv[2]))
    except Problem as problem:
        text = str(problem).removeprefix(f"{path}: ").encode()
        sys.stdout.buffer.write(b"P" + TEXT.pack(len(text)) + text)
    except MemoryError:
        text = b"it needs more memory than an upload may have"
        sys.stdout.buffer.write(b"P" + TEXT.pack(len(text)) + text)
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
