"""Learning from the page: learn.py runs as it is, one at a time, and what it prints can be read meanwhile.

    teacher = Teacher(root, Path("recordings/mine"), Path("data_set/mine"), Path("model/mine"), open_model)
    teacher.start("learn", lambda recogniser: ...)      or "back": the model that was in use before
    teacher.view()
    teacher.share()                                     the bytes of share.py's zip of that model

No path and no flag comes from the page. When it ended well the model is opened, and handed on.
"""

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from signs import child_process, command, errors
from signs.clips.no_sign import NOTHING
from signs.command import Problem
from signs.inference.bundle import BUNDLE_FILE, is_bundle
from signs.prepare.recordings import CONSENT, read_recordings
from signs.web import plain_lines
from signs.web.words import words_for

LINES, SHOWN = 300, 40  # of its output that are kept, and sent to a page
PATIENCE = 300.0  # seconds for a zip
FEWEST = 2  # signs
NICE = 10  # that it steps back behind visitors who sign


class Teacher:
    """root: where learn.py and share.py lie; videos, data, model: its flags; taught: opens the model that it made;
    first: (name, what opens it) of the model that the page began with, where that is another one."""

    def __init__(self, root: Path, videos: Path, data: Path, model: Path, taught: Callable, first=None):
        self.root, self.videos, self.data, self.model = root, videos, data, model
        self._taught, self._first = taught, first
        self._in_first = self._from_first = first is not None  # the model in use, and the one that "back" exchanges
        self._process: subprocess.Popen | None = None
        self._what, self._ended, self._began, self._code = "", "", 0.0, 0
        self._lines: deque[str] = deque(maxlen=LINES)
        self._lock, self._sharing = threading.Lock(), threading.Lock()

    @property
    def opener(self) -> Callable:
        """Opens the model in use."""
        return self._first[1] if self._in_first else self._taught

    @property
    def running(self) -> bool:
        return bool(self._what) and not self._ended

    def view(self) -> dict:
        """What the page shows. ended: "" while it runs, then "done" or "failed"; why: of plain_lines.py; step, report,
        last: text without folders of the server; lines: text."""
        lines = list(self._lines)
        why, last = plain_lines.failure_of(lines, self._code) if self._ended == "failed" else ("", "")
        state = {
            "what": self._what,
            "running": self.running,
            "ended": self._ended,
            "why": why,
            "last": self._plain(last),
        }
        state |= {"step": plain_lines.step_of(lines), "ready": plain_lines.is_ready(lines), "report": []}
        state["seconds"] = round(time.monotonic() - self._began) if self.running else 0
        if state["ready"] or not (self.running or self._in_first):
            state["report"] = plain_lines.report_of(self.model, self.data, words_for("")["learn.back"])
        labels, learnt = self.labels, is_bundle(self.model)
        about = {"model": self._first[0] if self._in_first else self.model.name, "learnt": learnt}
        about["before"] = learnt and (self._from_first or is_bundle(self.model.with_name(f"{self.model.name}.before")))
        about |= {"signs": [label for label in labels if label != NOTHING], "enough": len(labels) >= FEWEST}
        return {**state, "lines": lines[-SHOWN:], **about}

    @property
    def labels(self) -> list[str]:
        """What takes are there of, which is all that the next model knows; learn.py takes no fewer than two."""
        with contextlib.suppress(Problem):
            return list(dict.fromkeys(row.label for row in read_recordings(self.videos).rows))
        return []

    def start(self, what: str, renew: Callable) -> None:
        """Begin to "learn", or to go "back"; `renew` gets the opened model, in a thread. Raises Problem where it runs
        already."""
        flags = {"learn": ["--videos", self.videos], "back": ["--back"]}[what]
        with self._lock:
            if self.running:
                raise Problem("it is learning already; wait until it is done")
            self._what, self._ended, self._began, self._code = what, "", time.monotonic(), 0
        self._lines.clear()
        line = [sys.executable, self.root / "learn.py", *flags, "--data", self.data, "--model", self.model]
        threading.Thread(target=self._run, args=(what, [str(each) for each in line], renew), daemon=True).start()

    def _run(self, what: str, line: list[str], renew: Callable) -> None:
        ended = "failed"
        aside = what == "back" and self._from_first  # both models lie where they are, and learn.py knows one of them
        there = self._stamp()
        try:
            if aside or self._succeeds(what, line):
                to_first = aside and not self._in_first
                recogniser = (self._first[1] if to_first else self._taught)()
                same = what == "learn" and self._stamp() == there  # with nothing new learn.py replaces no model
                self._from_first = aside or (what == "learn" and self._in_first) or (same and self._from_first)
                self._in_first = to_first
                renew(recogniser)
                ended = "done"
        except Exception as error:  # the page says it; visitors go on
            self._lines.append(command.one_line(errors.describe(error)))
        finally:
            self._ended = ended

    def _plain(self, line: str) -> str:
        return plain_lines.without_folders(line, (self.videos, self.data, self.model, self.root))

    def _stamp(self) -> int:
        """Another one when the model is another one."""
        path = self.model / BUNDLE_FILE
        return path.stat().st_mtime_ns if path.is_file() else 0

    def _succeeds(self, what: str, line: list[str]) -> bool:
        """Run learn.py; whether the model is there. Python ends with 1 on a fault of its own, as learn.py does where it
        has left something out; and the model may be there though its form for OpenVINO is not."""
        self._code = self._follow(line)
        return plain_lines.is_ready(self._lines) if what == "learn" else self._code == command.DONE

    def _follow(self, line: list[str]) -> int:
        """Run a command to its end; its exit code."""
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        # A session of its own: learn.py starts scripts itself, which have to end with it.
        text = {"text": True, "encoding": "utf-8", "errors": "replace", "start_new_session": True}
        with child_process.ends_with_this() as how:
            how["env"] |= {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}
            return self._read(subprocess.Popen(line, **pipes, **text, **how))

    def _read(self, started: subprocess.Popen) -> int:
        """Keep what a process prints until its end; its exit code."""
        with started as process:
            self._process = process
            if hasattr(os, "setpriority"):
                with contextlib.suppress(OSError):  # it has ended already
                    os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
            for text in process.stdout:
                if text.strip():
                    self._lines.append(command.one_line(text.rstrip()))
        self._process = None
        return process.returncode

    def share(self) -> bytes:
        """The model as one zip, which is on the disc only meanwhile; loops in it are of takes that may be shared.
        Raises Problem where share.py has none, with its last line, or makes one already."""
        if self.running or not self._sharing.acquire(blocking=False):
            raise Problem("it is at work already; wait until it is done")
        try:
            with tempfile.TemporaryDirectory(prefix="signs-share-") as folder:
                path = Path(folder) / "model.zip"
                line = [sys.executable, self.root / "share.py", "--model", self.model, "--output", path]
                line += ["--recordings", self.videos] if (self.videos / CONSENT).is_file() else []
                pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
                with child_process.ends_with_this() as how:
                    done = subprocess.run(list(map(str, line)), **pipes, **how, timeout=PATIENCE, check=False)
                if done.returncode != command.DONE:
                    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
                    raise Problem(
                        self._plain(command.one_line(said[-1] if said else f"share.py ended with {done.returncode}"))
                    )
                return path.read_bytes()
        except subprocess.TimeoutExpired:
            raise Problem(f"share.py took more than {PATIENCE:g} s") from None
        finally:
            self._sharing.release()

    def close(self) -> None:
        """Stop what runs; learn.py goes on from there the next time."""
        if process := self._process:
            with contextlib.suppress(OSError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGTERM)
                else:
                    process.terminate()
