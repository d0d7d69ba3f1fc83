"""A page in headless Chromium with a camera that plays a file, driven over the DevTools protocol.

with Chromium(folder, camera) as browser:
    browser.open(address); browser.evaluate("document.title"); browser.press("h"); browser.screenshot(path)
"""

import base64
import contextlib
import itertools
import json
import subprocess
import time
import urllib.request
from pathlib import Path

import cv2
import numpy as np
import websockets.sync.client

from browser import CHROMIUM

FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0", "--hide-scrollbars")
CAMERA = ("--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream")
PATIENCE = 60.0  # seconds


def write_mjpeg(path: Path, frames: np.ndarray) -> Path:
    """(T, H, W, 3) uint8 RGB as the file of a camera; Chromium plays it over and over."""
    path.write_bytes(b"".join(cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes() for frame in frames))
    return path


class Chromium:
    """camera: what the browser's camera shows; more: further flags."""

    def __init__(self, folder: Path, camera: Path | None = None, *more: str):
        shown = [*CAMERA, f"--use-file-for-fake-video-capture={camera}"] if camera else []
        self._line = [CHROMIUM, *FLAGS, *shown, *more, f"--user-data-dir={folder}", "about:blank"]
        self._folder, self._numbers = folder, itertools.count(1)
        self.events: list[dict] = []

    def __enter__(self) -> "Chromium":
        self._process = subprocess.Popen(self._line, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        port = self._wait(lambda: (self._folder / "DevToolsActivePort").read_text().split()[0])
        pages = self._wait(lambda: self._pages(port))
        address = pages[0]["webSocketDebuggerUrl"]
        # A browser on a busy machine may be silent for longer than a ping waits.
        about = {"max_size": None, "proxy": None, "close_timeout": 0.1, "ping_interval": None}
        self._link = websockets.sync.client.connect(address, **about).__enter__()
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)  # keys go to it, whatever window is in front
        return self

    def __exit__(self, *_error) -> None:
        self._process.kill()
        self._process.wait()
        self._link.__exit__(None, None, None)

    @staticmethod
    def _pages(port: str) -> list[dict]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/json/list") as answer:
            return [page for page in json.load(answer) if page["type"] == "page"]

    def _wait(self, look):
        until = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError, IndexError):
                if found := look():
                    return found
            assert time.monotonic() < until, "Chromium does not answer"
            time.sleep(0.05)

    def call(self, method: str, **given) -> dict:
        number = next(self._numbers)
        self._link.send(json.dumps({"id": number, "method": method, "params": given}))
        while True:
            message = json.loads(self._link.recv(timeout=PATIENCE))
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self.events.append(message)

    def open(self, address: str) -> None:
        self.call("Page.navigate", url=address)

    def evaluate(self, expression: str):
        found = self.call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait_for(self, expression: str, seconds: float = PATIENCE):
        """The first value of an expression that is true."""
        until = time.monotonic() + seconds
        while not (value := self.evaluate(f"(() => {{ try {{ return {expression} }} catch {{ return null }} }})()")):
            assert time.monotonic() < until, f"not within {seconds} s: {expression}"
            time.sleep(0.05)
        return value

    def press(self, key: str, code: str = "") -> None:
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", key=key, code=code, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", key=key, code=code)

    def resize(self, width: int, height: int, dark: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])

    def screenshot(self, path: Path, whole: bool = False) -> None:
        picture = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        path.write_bytes(base64.b64decode(picture["data"]))

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
