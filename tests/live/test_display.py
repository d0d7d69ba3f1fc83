"""The screen that a window is opened on: its size and its density, asked of a real display."""

import os
import shutil
import subprocess
import sys

from signs.live.display import Screen, find_screen

import pytest

import tiny

ASK = "from signs.live.display import find_screen; print(find_screen())"
# As a desktop says it; a connection stays open, as the server forgets it all with the last one.
DENSE = r"""import ctypes, subprocess
ctypes.CDLL("libX11.so.6").XOpenDisplay(None)
subprocess.run(["xrdb", "-nocpp", "-override", "-"], input=b"Xft.dpi: 192\nother: 1\n", check=True)
"""


def asked(display: str | None, before: str = "") -> str:
    known = {name: value for name, value in os.environ.items() if name != "DISPLAY"}
    known |= {"DISPLAY": display} if display else {}
    done = subprocess.run(
        [sys.executable, "-c", before + ASK], env=known, cwd=tiny.REPOSITORY, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="its screen is no test's")
def test_x11_tells_size_and_density(display):
    assert asked(display) == str(Screen(1024, 800, 1.0))
    if not shutil.which("xrdb"):
        pytest.skip("xrdb is not installed")
    assert asked(display, DENSE) == str(Screen(1024, 800, 2.0))


def test_nobody_says(monkeypatch):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.setattr(sys, "platform", "linux")
    assert find_screen() is None
    assert asked(":4711") == "None"
