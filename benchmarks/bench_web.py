"""The page with several visitors at once: does each who is served get his own answer, and how soon?

    python benchmarks/bench_web.py --videos gestures/*/*/*.avi --visitors 20 --seconds 300 [--model M] [--most 3]

webdemo.py runs as it is, in a process of its own; each visitor is a WebSocket that does what the page does: it sends
pictures at the rate that the server asks for, with no more than three underway, and signs after the countdown, again
and again. Whoever has signed for --stay seconds goes, and comes back to the end of the row. Each visitor has a clip of
his own; what predict.py says of it is known beforehand. Measured:

* answers, and the seconds from when the last picture of a sign was sent to its answer, median, 95th percentile, most;
* answers that are not the visitor's own: his answers are counted up one by one, and in the end his table on the server
  has what he was told, no more and no less (one more where he left in the middle of a sign); who comes back before the
  server noticed that he went goes on with his session and its answers; beside it, how many are what predict.py says of
  his clip (the recording begins elsewhere than the file, so not all);
* how many waited, and how long until they were served;
* the server's memory after the first minute and at the end, MB, and errors.

The last line is JSON. The visitors run on the same cores, and decode nothing: their pictures are coded beforehand.
"""

import argparse
import asyncio
import csv
import http.client
import io
import json
import re
import struct
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

import cv2
import numpy as np
import websockets
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from signs import command
from signs.clips.video import iter_video
from signs.inference.recogniser import Recogniser
from signs.live.model_choice import STARTER

UNDERWAY, LONGEST = 3, 640  # frames underway; pixels of the longer side, as the page sends them
LAST = 20.0  # seconds for the last sign of whoever is signing when the time is over
AWAY = 6.0  # seconds for which whoever goes stays away: mostly long enough to lose the seat
GOAL = 1.0  # seconds to an answer


def parse_arguments(argv) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--videos", type=Path, nargs="+", required=True, help="clips of signs, one a visitor")
    flags.add_argument("--visitors", type=command.number(int, least=1), default=20, metavar="N", help="at once")
    flags.add_argument("--seconds", type=command.number(above=0), default=300.0, metavar="S", help="of all of it")
    flags.add_argument("--stay", type=command.number(above=0), default=90.0, metavar="S", help="with a seat")
    flags.add_argument("--model", type=Path, help="as of webdemo.py")
    flags.add_argument("--most", type=command.number(int, least=1), metavar="N", help="as of webdemo.py")
    return flags.parse_args(argv)


def coded(path: Path) -> list[tuple[bytes, float]]:
    """(JPEG, seconds) of each frame, as the page would send it."""
    frames = []
    for frame, seconds in iter_video(path):
        scale = min(1.0, LONGEST / max(frame.shape[:2]))
        small = cv2.resize(frame, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        frames.append((cv2.imencode(".jpg", small[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes(), seconds))
    return frames


class Page:
    """The server, in a process of its own."""

    def __init__(self, model: Path | None, most: int | None):
        flags = [*(["--model", str(model)] if model else []), *(["--most", str(most)] if most else [])]
        line = [sys.executable, str(ROOT / "webdemo.py"), "--port", "0", *flags]
        self.process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = []
        while not self.said or not self.said[-1].startswith("open "):
            if not (told := self.process.stdout.readline()):
                raise command.Problem(f"webdemo.py ended: {self.process.stderr.read()}")
            self.said.append(told.strip())
        self.address = urlsplit(self.said[-1].removeprefix("open "))
        self.serves = int(re.search(r"serves (\d+)", " ".join(self.said))[1])

    @property
    def megabytes(self) -> float:
        """Resident memory (Linux)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024

    def get(self, path: str, cookie: str = "") -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=30)
        connection.request("GET", path, headers={"Cookie": cookie})
        response = connection.getresponse()
        return response, response.read().decode("utf-8-sig")

    def enter(self) -> str:
        """A new visitor's cookie."""
        return self.get(f"/?{self.address.query}")[0].getheader("set-cookie").partition(";")[0]

    def close(self) -> str:
        """End it; what it complained of."""
        self.process.terminate()
        return self.process.communicate(timeout=30)[1]


@dataclass
class Visitor:
    """One who signs; what he was told, and when."""

    page: Page
    clip: list
    expected: str
    cookie: str
    latencies: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)  # in the session that he has, or had
    agreed: int = 0
    foreign: int = 0
    places: set[int] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)

    async def run(self, until: float, stay: float) -> None:
        while time.monotonic() < until:
            try:
                await self.visit(until, stay)
            except (OSError, websockets.WebSocketException) as error:
                self.faults.append(f"{type(error).__name__}: {error}")
            await asyncio.sleep(min(AWAY, max(0.0, until - time.monotonic())))

    async def visit(self, until: float, stay: float) -> None:
        host = self.page.address.netloc
        headers = {"Cookie": self.cookie}
        async with websockets.connect(
            f"ws://{host}/live", origin=f"http://{host}", additional_headers=headers, compression=None, proxy=None
        ) as link:
            session = Session(self, link, until, stay)
            sending = asyncio.create_task(session.send())
            try:
                await session.receive()
            finally:
                sending.cancel()
            if session.view.get("at") == "live":
                table = await asyncio.to_thread(lambda: self.page.get("/answers.csv", self.cookie)[1])
                rows, count = [row["answer"] for row in csv.DictReader(io.StringIO(table))], len(self.told)
                self.foreign += rows[:count] != self.told or len(rows) > count + session.signs


class Session:
    """A visit from the first place in the row to the end of the stay."""

    def __init__(self, visitor: Visitor, link, until: float, stay: float):
        self.visitor, self.link, self.until, self.stay = visitor, link, until, stay
        self.view, self.sent_at = {}, []
        self.begun, self.live, self.playing = time.monotonic(), False, 0.0
        self.last = self.begun
        self.before: int | None = None  # pictures that the server had taken in this session before this connection

    @property
    def signs(self) -> bool:
        return self.live and self.view.get("state") not in ("idle", "result")

    def goes_on(self) -> bool:
        """Until the time is over; who signs then hears the answer, or it would stand in the table alone."""
        return time.monotonic() < self.until + (LAST * self.signs)

    async def receive(self) -> None:
        while self.goes_on():
            try:
                text = await asyncio.wait_for(self.link.recv(), 1.0)
            except TimeoutError:
                continue
            before, self.view = self.view, json.loads(text)
            if self.view["at"] == "waiting":
                self.visitor.places.add(self.view["place"])
            elif self.view["at"] == "live":
                await self.follow(before)
            if self.live and time.monotonic() > self.until_gone and self.view.get("state") in ("idle", "result"):
                return

    async def follow(self, before: dict) -> None:
        now, view = time.monotonic(), self.view
        if not self.live:
            self.live, self.until_gone = True, now + self.stay
            self.visitor.waits.append(now - self.begun)
        if self.before is None and "answer" in view:
            self.before = view["taken"]
            if view["answer"] is None:
                self.visitor.told = []  # a session that has just begun
        state, earlier = view["state"], before.get("state")
        if state == "recording" and earlier != "recording":
            self.playing = now
        if state in ("translating", "result") and earlier not in ("translating", "result") and self.taken:
            self.last = self.sent_at[self.taken - 1]
        answer = view.get("answer")
        if answer and answer["of"] > len(self.visitor.told):
            self.answered(answer, now)
        if state in ("idle", "result") and earlier != state and now < min(self.until_gone, self.until):
            await self.link.send('{"do":"start"}')

    def answered(self, answer: dict, now: float) -> None:
        self.visitor.foreign += answer["of"] != len(self.visitor.told) + 1
        name = answer["ranked"][0]["name"]
        self.visitor.told.append(name)
        self.visitor.latencies.append(now - self.last)
        self.visitor.agreed += name == self.visitor.expected

    @property
    def taken(self) -> int:
        """Pictures of this connection that the server has taken."""
        return max(0, min(len(self.sent_at), self.view.get("taken", 0) - (self.before or 0)))

    async def send(self) -> None:
        while True:
            view = self.view
            underway = len(self.sent_at) - self.taken
            if view.get("at") == "live" and self.before is not None and underway < UNDERWAY:
                now = time.monotonic()
                jpeg = self.picture(now - self.playing if view["state"] == "recording" else 0.0)
                self.sent_at.append(now)
                await self.link.send(struct.pack("<d", now) + jpeg)
            await asyncio.sleep(1 / view.get("rate", 15))

    def picture(self, seconds: float) -> bytes:
        clip = self.visitor.clip
        return next((jpeg for jpeg, moment in clip if moment >= seconds), clip[-1][0])


async def visit_all(visitors: list[Visitor], page: Page, seconds: float, stay: float) -> dict:
    """Let them all come; the server's memory after the first minute, or a fifth of a shorter time, and at the end."""
    until = time.monotonic() + seconds
    running = [asyncio.create_task(visitor.run(until, stay)) for visitor in visitors]
    await asyncio.sleep(min(60.0, seconds / 5))
    first = page.megabytes
    await asyncio.sleep(until - time.monotonic() - 1)
    last = page.megabytes
    await asyncio.gather(*running)
    return {"first": round(first, 1), "last": round(last, 1), "grown": round(last - first, 1)}


def main(argv=None) -> int:
    args = parse_arguments(argv)
    recogniser, visitors = Recogniser.load(args.model or STARTER), []
    page = Page(args.model, args.most)
    try:
        for number in range(args.visitors):
            path = args.videos[number * len(args.videos) // args.visitors]
            expected = recogniser.name(recogniser.answer_video(path)[0].ranked[0][0])
            visitors.append(Visitor(page, coded(path), expected, page.enter()))
        memory = asyncio.run(visit_all(visitors, page, args.seconds, args.stay))
    finally:
        complaints = page.close()
    report(page, visitors, memory, complaints)
    return command.DONE


def report(page: Page, visitors: list[Visitor], memory: dict, complaints: str) -> None:
    latencies = [each for visitor in visitors for each in visitor.latencies]
    p50, p95 = np.percentile(latencies, [50, 95]) if latencies else (np.nan, np.nan)
    waits = [each for visitor in visitors for each in visitor.waits]
    faults = [*(fault for visitor in visitors for fault in visitor.faults), *complaints.splitlines()]
    result = {
        "visitors": len(visitors),
        "served at a time": page.serves,
        "were served": sum(bool(visitor.waits) for visitor in visitors),
        "saw their place": sum(bool(visitor.places) for visitor in visitors),
        "longest wait s": round(max(waits, default=0.0), 1),
        "answers": len(latencies),
        "last frame to answer s": {"p50": round(float(p50), 3), "p95": round(float(p95), 3)},
        "slowest s": round(max(latencies, default=np.nan), 3),
        f"later than {GOAL:g} s": sum(each > GOAL for each in latencies),
        "of another session": sum(visitor.foreign for visitor in visitors),
        "as predict.py": sum(visitor.agreed for visitor in visitors),
        "server MB": memory,
        "errors": len(faults),
    }
    table = Table("what", "measured")
    for name, value in result.items():
        table.add_row(name, str(value))
    Console().print(table)
    for fault in faults[:5]:
        print(command.one_line(fault), file=sys.stderr)
    print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(command.run(main))
