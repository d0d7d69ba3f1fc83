"""Of what learn.py says, the part that a page shows outside the log: no folder of the server, no command.

step_of(lines)                          "step 2 of 3: ...", the last one, or ""
report_of(model, data, "The model before")      how good the model is, a sentence each
failure_of(lines, code)                 ("full", "learn.py: the disc is full; ...")
without_folders(line, [Path("data_set/mine")])
"""

import os
import re
from collections.abc import Collection
from pathlib import Path

STEP, READY = re.compile(r"step \d+ of \d+: "), "ready after "  # how learn.py's lines begin
ABOVE = re.compile(r"learn\.py: \S+ ended with (-?\d+); it says why above")
ROOM = "make room"  # what every line asks for that is about a full disc
KILLED, FULL = "killed", "full"  # why it failed, where the page has words for it
BACK = re.compile(r"`python learn\.py [^`]*--back`")
REPORT = "report.txt"  # of a model


def step_of(lines: Collection[str]) -> str:
    return next((line for line in reversed(list(lines)) if STEP.match(line)), "")


def is_ready(lines: Collection[str]) -> bool:
    """Whether the model is there, though its form for OpenVINO may not be."""
    return any(line.startswith(READY) for line in lines)


def failure_of(lines: Collection[str], code: int) -> tuple[str, str]:
    """(KILLED, FULL or empty, the line that says why) of learn.py, which ended with that code; a script that it runs
    says why above the last line."""
    rows = list(lines)
    if rows and (script := ABOVE.fullmatch(rows[-1])):
        code = int(script[1])
        rows = rows[:-1] or rows
    last = rows[-1] if rows else f"learn.py ended with {code}"
    if code < 0:  # a signal
        return KILLED, last
    return FULL if ROOM in last else "", last


def report_of(model: Path, data: Path, back: str) -> list[str]:
    """The sentences of a model that learn.py made, none where there are none; back: the name of the page's button."""
    path = model / REPORT
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    return [BACK.sub(lambda _: f"“{back}”", line).partition(f": {data}{os.sep}")[0] for line in lines]


def without_folders(line: str, folders: Collection[Path]) -> str:
    """A line with the bare names of folders in the place of paths to them and below them."""
    known = {str(path): folder.name for folder in folders for path in (folder, folder.resolve())}
    for path in sorted(known, key=len, reverse=True):
        if os.sep in path:
            line = re.sub(re.escape(path) + r"[\w./\\-]*", lambda _, name=known[path]: name, line)
    return line
