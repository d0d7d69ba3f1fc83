"""A page in headless Chromium: what is on it, what its script does, whether everybody can use it.

    with opened(page, tmp_path, width=390, dark=True) as tab:
        tab.run("document.title"); tab.click("#start"); tab.key("Tab"); tab.type("hello")
        tab.wait_for("document.querySelector('#best').textContent"); tab.photograph(path)

page: a file, or an address; camera: a file that Chromium plays as the camera, of write_camera. Chromium is spoken to
over the DevTools protocol and a WebSocket, so clicks, taps and keys are those of a person, not of a script.
"""

import base64
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
import websockets.sync.client

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ROOT = Path(__file__).resolve().parents[1]
AXE = Path(os.environ.get("AXE_CORE") or ROOT / "node_modules" / "axe-core")  # a folder with axe.min.js, or that file
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu")
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream", "--use-file-for-fake-video-capture=")
PATIENCE = 60.0  # seconds
SOON = 0.05  # seconds between two looks
# What the system calls keys that are no letters.
CODES = {"Backspace": 8, "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "ArrowLeft": 37, "ArrowRight": 39}
TEXTS = {"Enter": "\r"}
# Opens what is folded and loads what a reader would scroll to; awaited by those who ask for pictures.
UNFOLD = """(async () => {
for (const part of document.querySelectorAll("details")) part.open = true;
for (const image of document.images) image.loading = "eager";
await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
const missing = [...document.images].filter(image => !image.naturalWidth).length;
const over = document.documentElement.scrollWidth - innerWidth;
return [document.images.length, missing, over, document.links.length]; })()"""
LOADED = "new Promise(done => document.readyState === 'complete' ? done() : addEventListener('load', () => done()))"
MIDDLE = """(() => { const element = document.querySelector(%s);
element.scrollIntoView({ block: "center", behavior: "instant" });
const box = element.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
return element.disabled || !element.contains(document.elementFromPoint(x, y)) ? null : [x, y]; })()"""


def need_chromium() -> str:
    """Where it is; a test that asks is skipped where it is not."""
    return CHROMIUM or pytest.skip("no Chromium is installed, or not in PATH")


def run_chromium(page: Path, folder: Path, *flags: str) -> str:
    """What headless Chromium prints of a page; its profile lies in `folder`."""
    line = [need_chromium(), *FLAGS, f"--user-data-dir={folder / 'chromium'}", *flags, page.as_uri()]
    return subprocess.run(line, capture_output=True, text=True, timeout=120, check=True).stdout


class Navigated(Exception):
    """The page went elsewhere while it was asked for something."""


class Tab:
    """A page that is open. events: what Chromium told of it meanwhile; phone: whether fingers touch it."""

    def __init__(self, link):
        self._link, self._numbers = link, itertools.count(1)
        self.events: list[dict] = []
        self.phone = False
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")
        self.ask("Emulation.setFocusEmulationEnabled", enabled=True)  # keys go to it, whatever window is in front

    def ask(self, method: str, **given) -> dict:
        """Ask Chromium for something; what it answers."""
        number = next(self._numbers)
        self._link.send(json.dumps({"id": number, "method": method, "params": given}))
        while (message := json.loads(self._link.recv(timeout=PATIENCE))).get("id") != number:
            self.events.append(message)
        if "navigated" in message.get("error", {}).get("message", ""):
            raise Navigated
        assert "error" not in message, message
        return message["result"]

    def open(self, address: str) -> None:
        self.ask("Page.navigate", url=address)
        self.run(LOADED)

    def look(self, width: int, dark: bool = False, height: int = 900, phone: bool = False) -> None:
        """Make the window so many pixels wide, the colours as somebody has set them."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Emulation.setTouchEmulationEnabled", enabled=phone)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", features=[scheme])
        self.phone = phone

    def run(self, script: str):
        """The value of an expression of JavaScript, awaited."""
        found = self.ask("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, script: str, seconds: float = PATIENCE):
        """The first value of an expression that is true."""
        until = time.monotonic() + seconds
        while True:
            with contextlib.suppress(Navigated):
                if value := self.run(f"(() => {{ try {{ return {script} }} catch {{ return null }} }})()"):
                    return value
            assert time.monotonic() < until, f"not within {seconds} s: {script}"
            time.sleep(SOON)

    def key(self, key: str, shift: bool = False) -> None:
        """Press a key: a letter, or what it is called, such as Tab or Enter."""
        text = TEXTS.get(key, key if len(key) == 1 else "")
        code = {" ": "Space"}.get(key, f"Key{key.upper()}" if key.isalpha() and len(key) == 1 else key)
        about = {"key": key, "code": code, "windowsVirtualKeyCode": CODES.get(key, 0), "modifiers": 8 * shift}
        self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **about)
        self.ask("Input.dispatchKeyEvent", type="keyUp", **about)

    def type(self, text: str) -> None:
        for letter in text:
            self.key(letter)

    def click(self, selector: str) -> None:
        """Click on an element, or touch it on a phone, when it is there and nothing lies over it."""
        x, y = self.wait_for(MIDDLE % json.dumps(selector))
        if self.phone:
            self.ask("Input.dispatchTouchEvent", type="touchStart", touchPoints=[{"x": x, "y": y}])
            self.ask("Input.dispatchTouchEvent", type="touchEnd", touchPoints=[])
            return
        for what in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=what, x=x, y=y, button="left", clickCount=1)

    def choose_file(self, selector: str, path: Path) -> None:
        """What the system's dialog does when a file is chosen there."""
        root = self.ask("DOM.getDocument")["root"]["nodeId"]
        node = self.ask("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.ask("DOM.setFileInputFiles", files=[str(path)], nodeId=node)

    def photograph(self, path: Path) -> None:
        """Write the whole page as a PNG."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    @property
    def faults(self) -> list[str]:
        """What the page complained of: errors of scripts, and what its policy forbade."""
        told = [event["params"] for event in self.events if event["method"] == "Runtime.exceptionThrown"]
        entries = [event["params"]["entry"] for event in self.events if event["method"] == "Log.entryAdded"]
        return [str(one) for one in told] + [entry["text"] for entry in entries if entry["level"] == "error"]

    @property
    def addresses(self) -> set[str]:
        """Of everything that was asked for."""
        asked = [event for event in self.events if event["method"] == "Network.requestWillBeSent"]
        linked = [event for event in self.events if event["method"] == "Network.webSocketCreated"]
        return {event["params"]["request"]["url"] for event in asked} | {event["params"]["url"] for event in linked}


@contextlib.contextmanager
def opened(
    page: Path | str, folder: Path, width: int = 1280, dark: bool = False, camera: Path | None = None, flags=()
) -> Iterator[Tab]:
    """A file or an address in a window; the browser's profile lies in `folder`."""
    profile, shown = folder / "chromium", [*CAMERA[:2], f"{CAMERA[2]}{camera}"] if camera else []
    (profile / "DevToolsActivePort").unlink(missing_ok=True)
    more = [*shown, *flags, "--hide-scrollbars", "--remote-debugging-port=0", f"--user-data-dir={profile}"]
    line, quiet = [need_chromium(), *FLAGS, *more, "about:blank"], subprocess.DEVNULL
    with subprocess.Popen(line, stdout=quiet, stderr=quiet) as running:
        try:
            port = _wait(lambda: (profile / "DevToolsActivePort").read_text().split()[0])
            # A browser on a busy machine may be silent for longer than a ping waits.
            about = {"max_size": None, "proxy": None, "close_timeout": 0.1, "ping_interval": None}
            with websockets.sync.client.connect(_wait(lambda: _first_page(port)), **about) as link:
                tab = Tab(link)
                tab.look(width, dark)
                tab.open(page.as_uri() if isinstance(page, Path) else page)
                yield tab
        finally:
            running.kill()


def _first_page(port: str) -> str:
    """The address at which a browser's first page is spoken to."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
        return next(page["webSocketDebuggerUrl"] for page in json.load(answer) if page["type"] == "page")


def _wait(look: Callable[[], str]) -> str:
    until = time.monotonic() + PATIENCE
    while True:
        with contextlib.suppress(OSError, IndexError, StopIteration):
            return look()
        assert time.monotonic() < until, "Chromium does not answer"
        time.sleep(SOON)


def write_camera(path: Path, frames: np.ndarray) -> Path:
    """(T, H, W, 3) uint8 RGB as the MJPEG file of a camera; Chromium plays it over and over."""
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames))
    return path


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
    """What axe-core finds on a page as it is now: `rule: element why` each."""
    tab.run(axe_script() + ";0")
    told = "found.violations.flatMap(row => row.nodes.map(one => [row.id, one.html, one.failureSummary]))"
    return [f"{rule}: {element[:200]} {why}" for rule, element, why in tab.run(f"axe.run().then(found => {told})")]
