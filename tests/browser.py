"""A page in headless Chromium: what is on it, what its script does, whether everybody can use it.

    with opened(page, tmp_path, width=390, dark=True) as tab:
        tab.run("document.title")

Chromium is spoken to over a pipe (Chrome DevTools Protocol), so a page is the very file that somebody opens.
"""

import base64
import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
ROOT = Path(__file__).resolve().parents[1]
AXE = Path(os.environ.get("AXE_CORE") or ROOT / "node_modules" / "axe-core")  # a folder with axe.min.js, or that file
# Opens what is folded and loads what a reader would scroll to; awaited by those who ask for pictures.
UNFOLD = """(async () => {
for (const part of document.querySelectorAll("details")) part.open = true;
for (const image of document.images) image.loading = "eager";
await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
const missing = [...document.images].filter(image => !image.naturalWidth).length;
const over = document.documentElement.scrollWidth - innerWidth;
return [document.images.length, missing, over, document.links.length]; })()"""


def run_chromium(page: Path, folder: Path, *flags: str) -> str:
    """What headless Chromium prints of a page; its profile lies in `folder`."""
    return subprocess.run(
        command_line(folder, *flags, page.as_uri()), capture_output=True, text=True, timeout=120, check=True
    ).stdout


def command_line(folder: Path, *flags: str) -> list[str]:
    return [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={folder / 'chromium'}", *flags]


class Tab:
    """A page that is open; requests and answers are JSON, each ended by a zero byte."""

    def __init__(self, to: int, back: int, url: str, width: int, dark: bool):
        self._to, self._back, self._number, self._session = to, os.fdopen(back, "rb", buffering=0), 0, None
        self._rest = b""
        targets = self.ask("Target.getTargets")["targetInfos"]
        target = next(row["targetId"] for row in targets if row["type"] == "page")
        self._session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")
        self.look(width, dark)
        self.ask("Page.navigate", url=url)
        self.run("new Promise(done => document.readyState == 'complete' ? done() : addEventListener('load', done))")

    def ask(self, method: str, **more) -> dict:
        """Ask Chromium for something; what it answers."""
        self._number += 1
        request = {"id": self._number, "method": method, "params": more}
        request |= {"sessionId": self._session} if self._session else {}
        self._send(request)
        while (answer := self._read()).get("id") != self._number:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def _send(self, request: dict) -> None:
        content = memoryview(json.dumps(request).encode() + b"\0")
        while content:
            content = content[os.write(self._to, content) :]

    def _read(self) -> dict:
        while b"\0" not in self._rest:
            part = self._back.read(1 << 16)
            assert part, "Chromium is gone"
            self._rest += part
        first, _, self._rest = self._rest.partition(b"\0")
        return json.loads(first)

    def look(self, width: int, dark: bool = False, height: int = 900) -> None:
        """Make the window so many pixels wide, the colours as somebody has set them."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])

    def run(self, script: str):
        """The value of an expression of JavaScript, awaited."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def key(self, key: str, text: str = "") -> None:
        """Press a key, such as Tab or Enter."""
        codes = {"Tab": 9, "Enter": 13, " ": 32}
        about = {"key": key, "code": {" ": "Space"}.get(key, key), "windowsVirtualKeyCode": codes.get(key, 0)}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def photograph(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))


@contextlib.contextmanager
def opened(page: Path, folder: Path, width: int = 1280, dark: bool = False) -> Iterator[Tab]:
    """A file in a window; the browser's profile lies in `folder`."""
    (read, to), (back, write) = os.pipe(), os.pipe()
    # Chromium reads requests from 3 and writes answers to 4; what is copied there must not lie there itself.
    ends = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in (read, write)]
    os.close(read)
    os.close(write)
    copies = [(os.POSIX_SPAWN_DUP2, end, number) for end, number in zip(ends, (3, 4), strict=True)]
    quiet = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_WRONLY, 0) for number in (1, 2)]
    line = command_line(folder, "--hide-scrollbars", "--remote-debugging-pipe", "about:blank")
    running = os.posix_spawn(CHROMIUM, line, os.environ, file_actions=[*quiet, *copies])
    for end in ends:
        os.close(end)
    try:
        yield Tab(to, back, page.as_uri(), width, dark)
    finally:
        os.kill(running, signal.SIGTERM)
        os.waitpid(running, 0)
        os.close(to)


def look(path: Path, width: int, tmp_path: Path) -> list[int]:
    """[pictures, of those missing, pixels wider than the window, links] of a page with all that is folded open."""
    with opened(path, tmp_path, width) as tab:
        return tab.run(UNFOLD)


def axe_script() -> str:
    """axe-core; a test that asks for it is skipped where it is not: `npm install axe-core`, or AXE_CORE=folder."""
    file = AXE / "axe.min.js" if AXE.is_dir() else AXE
    if not CHROMIUM or not file.is_file():
        pytest.skip("no axe-core here, or no Chromium; npm install axe-core, or AXE_CORE=its folder")
    return file.read_text(encoding="utf-8")


def axe_violations(tab: Tab) -> list[str]:
    """What axe-core finds on a page as it is now: `rule: element` each."""
    tab.run(axe_script() + ";0")
    found = tab.run("axe.run().then(found => found.violations.map(row => [row.id, row.nodes.map(one => one.html)]))")
    return [f"{rule}: {one[:200]}" for rule, nodes in found for one in nodes]
