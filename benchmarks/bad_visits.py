"""Visitors and inputs that nobody wants, at the page: faults.py tries them all.

webdemo.py runs as it is, in processes of its own, with the starter. Each request that it has to refuse gets a status
from 400 to 499 and at most one short line, without a traceback, a path of the server or a cookie; behind each one the
page still answers its own visitor. What is stored is looked at in the end, and what a stopped server leaves behind.
"""

import contextlib
import csv
import http.client
import io
import json
import os
import re
import signal
import ssl
import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import websockets.exceptions
import websockets.sync.client

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from signs import command
from signs.clips.video_writer import VideoWriter
from signs.prepare.recordings import Recordings, read_recordings

PASSWORD = "correct horse battery"
LONGEST, PATIENCE = 300, 600  # characters of a line, seconds
COOKIE = re.compile("([^=]+)=([0-9a-f]{32})([.][a-z]+[.])([0-9a-f]{64})")
CONTROLS = ("a\x1b[2Jb", "a\u202eb", "a\nb", "x" * 400)  # names that control a screen, or fill it
FORMULA = "=cmd|' /C calc'!A0"
# Files of bad_inputs.py that a decoder can read something of; the page may answer them.
READABLE = ("its first half", "all but its end", "never closed")


@dataclass(frozen=True)
class Visit:
    """What was tried, and what came of it; `wrong` says what should not have, or is empty."""

    name: str
    wrong: str

    @property
    def good(self) -> bool:
        return not self.wrong


class Page:
    """A server, and a visitor of his own. folder: where it keeps signs and what is temporary; flags: of webdemo.py."""

    def __init__(self, folder: Path, *flags: str):
        self.folder, self.temporary = folder, folder / "temporary"
        self.temporary.mkdir(parents=True)
        line = [sys.executable, ROOT / "webdemo.py", "--port", "0", "--keep", folder / "mine", *flags]
        known = {**os.environ, "TMPDIR": str(self.temporary), "TEMP": str(self.temporary)}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(list(map(str, line)), env=known, **pipes)
        printed = next((line for line in self.process.stdout if line.startswith("open ")), "")
        if not printed:
            raise SystemExit(f"webdemo.py ended: {self.process.stderr.read()}")
        self.at = urlsplit(printed.split()[1])
        self.cookie, self.secure = "", self.at.scheme == "https"
        _, headers, _ = self.ask("GET", f"/?{self.at.query}")
        self.cookie = headers["set-cookie"].partition(";")[0]

    def headers(self) -> dict:
        return {"Host": self.at.netloc, "Origin": f"{self.at.scheme}://{self.at.netloc}", "Cookie": self.cookie}

    def ask(self, method: str, path: str, body: bytes | dict | None = None, **other) -> tuple[int, dict, bytes]:
        """(status, headers, body); headers that are given replace the browser's own, None leaves one out."""
        own = self.headers() if method == "POST" else {**self.headers(), "Origin": None}
        sent = {name.replace("_", "-"): value for name, value in {**own, **other}.items() if value is not None}
        body = json.dumps(body).encode() if isinstance(body, dict) else body
        kind = http.client.HTTPSConnection if self.secure else http.client.HTTPConnection
        more = {"context": ssl._create_unverified_context()} if self.secure else {}
        with contextlib.closing(kind("127.0.0.1", self.at.port, timeout=PATIENCE, **more)) as connection:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()

    def link(self, **other):
        """A WebSocket."""
        sent = {name: value for name, value in {**self.headers(), **other}.items() if value is not None}
        origin, host = sent.pop("Origin", None), sent.pop("Host")
        return websockets.sync.client.connect(
            f"ws://{host}/live",
            origin=origin,
            additional_headers=sent,
            compression=None,
            proxy=None,
            ping_interval=None,
        )

    def stop(self, how: signal.Signals = signal.SIGINT) -> tuple[int, str]:
        """(exit code, what it wrote on the standard error)."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=PATIENCE)
        return self.process.returncode, said


def fault_of(page: Page, answer: tuple[int, dict, bytes], expected: tuple[int, ...]) -> str:
    """What is wrong with how a request was refused."""
    status, headers, body = answer
    text = body.decode("utf-8", "replace")
    if status not in expected:
        return f"status {status}, expected {expected}: {text[:200]}"
    if len(text) > LONGEST or "\n" in text.strip() or "Traceback" in text:
        return f"not one short line: {text[:200]}"
    if str(ROOT) in text or str(page.folder) in text:
        return f"it names a place of the server: {text[:200]}"
    return "a cookie was given" if "set-cookie" in headers else ""


def refused(page: Page, name: str, expected: tuple[int, ...], *request, **headers) -> Visit:
    """A request that is refused, and the page's own visitor who is still answered."""
    wrong = fault_of(page, page.ask(*request, **headers), expected)
    well = page.ask("GET", "/about.json")[0] == 200
    return Visit(name, wrong or ("" if well else "the page answers nobody any more"))


def strangers(page: Page) -> Iterator[Visit]:
    """Who does not know the address, and who comes from elsewhere."""
    name, visitor, level, mark = COOKIE.fullmatch(page.cookie).groups()
    forged = f"{name}={'0' * 32}{level}{mark}", f"{name}={visitor}{level}{'0' * 64}", f"{name}=x"
    for path in ("/", "/?token=", "/?token=wrong", "/about.json", "/answers.csv", "/model.zip"):
        yield refused(page, f"without a cookie: {path}", (403,), "GET", path, Cookie=None)
    for number, cookie in enumerate(forged):
        yield refused(page, f"a forged cookie, {number}", (403,), "GET", "/about.json", Cookie=cookie)
    for host in ("evil.example", f"evil.example:{page.at.port}", "127.0.0.1:1"):
        yield refused(page, f"Host {host}", (403,), "GET", "/about.json", Host=host)
        yield refused(page, f"Host {host}, the token", (403,), "GET", f"/?{page.at.query}", Host=host)
    for origin in ("http://evil.example", "null", f"https://{page.at.netloc}", None):
        for path in ("/order", "/frame", "/upload", "/upload/order", "/learn", "/password"):
            yield refused(page, f"Origin {origin}: {path}", (403,), "POST", path, b"{}", Origin=origin)
        yield no_link(page, f"a WebSocket, Origin {origin}", Origin=origin)
    yield no_link(page, "a WebSocket without a cookie", Cookie=None)
    for site in ("cross-site", "same-site"):
        yield refused(page, f"embedded, {site}", (403,), "GET", "/", Sec_Fetch_Site=site)


def no_link(page: Page, name: str, **headers) -> Visit:
    try:
        with page.link(**headers):
            return Visit(name, "it was opened")
    except websockets.exceptions.InvalidStatus as error:
        status = error.response.status_code
        return Visit(name, "" if status == 403 else f"status {status}")


def messages(page: Page) -> Iterator[Visit]:
    """Orders and frames that are none."""
    bodies = {
        "nothing": b"",
        "a list": b"[]",
        "half": b"{",
        "deep": b'{"a":' * 900,
        "long": b" " * 9000,
        "bytes": b"\xff",
    }
    for name, body in bodies.items():
        for path in ("/order", "/upload/order", "/learn"):
            yield refused(page, f"{path}: {name}", (400,), "POST", path, body)
    stamp = struct.pack("<d", 1.0)
    frames = {"nothing": b"", "a time alone": stamp, "no time": struct.pack("<d", float("nan")) + b"x" * 99}
    for name, body in {**frames, "too large": stamp + bytes(2 << 20)}.items():
        yield refused(page, f"/frame: {name}", (400,), "POST", "/frame", body)
    for path in ("/page/..%2faccess.py", "/page/%2e%2e/access.py", "/loops/99999.json", "/nowhere"):
        yield refused(page, path, (404,), "GET", path)


def uploads(page: Page, videos: dict[str, bytes]) -> Iterator[Visit]:
    """Files that are no video, or too much of one; nothing of them stays."""
    for name, content in videos.items():
        expected = (200, 422) if name in READABLE else (422,)
        yield refused(page, f"upload: {name}", expected, "POST", "/upload", content)
    yield refused(page, "upload: a second too long", (422,), "POST", "/upload", noise([0, 30, 61]))
    size = {"Content_Length": str(101 << 20)}
    yield refused(page, "upload: 101 MB", (422,), "POST", "/upload", b"x", **size)
    left = [path.name for path in page.temporary.glob("signs-uploads-*/*")]
    yield Visit("upload: nothing is left", f"there is {left}" if left else "")


def noise(times: list[float]) -> bytes:
    """An MP4 of coloured noise, a picture at each of these seconds."""
    writer = VideoWriter()
    frames = np.random.default_rng(0).integers(0, 256, (len(times), 48, 64, 3), np.uint8)
    for frame, seconds in zip(frames, times, strict=True):
        writer.add(frame, seconds)
    return writer.finish()


def names(page: Page) -> Iterator[Visit]:
    """Names of signs and people that control a screen, a spreadsheet or a path."""
    with page.link() as link:
        wait_view(link, lambda view: view["state"] == "idle")  # orders before are lost
        for name in CONTROLS:
            link.send(json.dumps({"do": "signer", "value": {"name": name, "scope": ["training"]}}))
            own = wait_view(link, lambda view: view["own"]["fault"] or view["own"]["signer"])["own"]
            yield Visit(f"a person called {name[:9]!r}", "" if own["fault"] else "she was let in")
            link.send(json.dumps({"do": "signer", "value": {"name": ""}}))
            wait_view(link, lambda view: not view["own"]["fault"])
        link.send(json.dumps({"do": "signer", "value": {"name": "../../out", "scope": ["training"]}}))
        wait_view(link, lambda view: view["own"]["signer"])
        out = [path for path in page.folder.parent.rglob("*out*") if path.is_file()]
        yield Visit("a person called ../../out", f"there is {out}" if out else "")
        page.ask("POST", "/upload", noise([0, 0.1, 0.2, 0.3]))
        for name in CONTROLS:
            said = json.loads(page.ask("POST", "/upload/order", {"do": "name", "value": name})[2])
            yield Visit(f"a sign called {name[:9]!r}", "" if said["refused"] and not said["truth"] else f"{said}")
        page.ask("POST", "/upload/order", {"do": "name", "value": FORMULA})
        table = page.ask("GET", "/answers.csv")[2].decode("utf-8-sig")
        cell = list(csv.reader(io.StringIO(table)))[-1][-1]
        yield Visit("a sign called =cmd...", "" if cell == f"'{FORMULA}" else f"the table has {cell}")


def wait_view(link, wanted) -> dict:
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        view = json.loads(link.recv(timeout=PATIENCE))
        if view["at"] == "idle":  # on a busy machine a minute passes without a picture
            link.send(json.dumps({"do": "again"}))
        elif view.get("own") and wanted(view):
            return view
    raise TimeoutError


def passwords(folder: Path) -> Iterator[Visit]:
    """Five wrong ones wait, the right one too."""
    file = folder / "password.txt"
    folder.mkdir(parents=True)
    file.write_text(PASSWORD + "\n", encoding="utf-8")
    page = Page(folder / "page", "--host", "0.0.0.0", "--password-file", str(file))
    try:
        yield Visit("before the password", fault_of(page, page.ask("GET", "/about.json"), (403,)))
        for number in range(5):
            answer = page.ask("POST", "/password", {"password": f"wrong {number}"})
            yield Visit(f"wrong password {number + 1}", fault_of(page, answer, (403,)))
        for password in ("wrong again", PASSWORD):
            answer = page.ask("POST", "/password", {"password": password})
            yield Visit(f"then {password!r}", fault_of(page, answer, (429,)))
    finally:
        page.stop()


def stopped(folder: Path) -> Iterator[Visit]:
    """The server stopped while somebody records and sends: by Ctrl-C, and by force."""
    for how in (signal.SIGINT, signal.SIGKILL):
        page = Page(folder / how.name)
        with contextlib.suppress(websockets.exceptions.ConnectionClosed), page.link() as link:
            wait_view(link, lambda view: view["state"] == "idle")  # orders before are lost
            link.send(json.dumps({"do": "signer", "value": {"name": "anna", "scope": ["training"]}}))
            wait_view(link, lambda view: view["own"]["signer"] and view["state"] == "idle")
            link.send(json.dumps({"do": "take", "value": {"sign": "hello", "seconds": 3}}))
            wait_view(link, lambda view: view["state"] == "recording")
            code, said = page.stop(how)
        if how == signal.SIGINT:
            fine = code == 130 and len(said.strip().splitlines()) == 1
            yield Visit("Ctrl-C in a take: one line, exit code 130", "" if fine else f"{code}: {said[:300]}")
            left = [path.name for path in page.temporary.iterdir()]
            yield Visit("Ctrl-C in a take: nothing temporary is left", f"there is {left}" if left else "")
        yield Visit(
            f"{how.name} in a take: the folder is whole", fault_of_folder(read_recordings(page.folder / "mine"))
        )


def fault_of_folder(recordings: Recordings) -> str:
    """What is half in a folder of takes, where one person had allowed them and no take was over."""
    videos = [path.name for path in recordings.folder.rglob("*.mp4")]
    if not recordings.consent_of("anna"):
        return "the consent is lost"
    return f"rows {recordings.rows}, videos {videos}" if recordings.rows or videos else ""


def visit_all(place: Path, videos: dict[str, bytes], bar) -> list[Visit]:
    """Every case; videos: {name: bytes} of files that are none."""
    page = Page(place / "page")
    try:
        parts = strangers(page), messages(page), uploads(page, videos), names(page)
        tried = [each for part in parts for each in bar.track(part, description="bad visits")]
    finally:
        _, said = page.stop()
    tried.append(Visit("what the terminal said", "" if "Traceback" not in said and "\x1b" not in said else said[:300]))
    tried += passwords(place / "password")
    return [*tried, *stopped(place / "stopped")]


def print_all(visits: list[Visit]) -> None:
    """How many were tried, and in full what went wrong."""
    command.print_table(
        ("bad visits", "tried", "right"), [("the page", len(visits), sum(each.good for each in visits))]
    )
    for each in visits:
        if not each.good:
            print(command.one_line(f"{each.name}: {each.wrong}"))
