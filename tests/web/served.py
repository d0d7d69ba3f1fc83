"""A page that answers on a free port, with a stand-in for the networks; and a browser's part without a browser."""

import asyncio
import contextlib
import http.client
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from signs.clips.dataset import Label
from signs.inference.timing import Timings
from signs.web import addresses, picture, server
from signs.web.access import Access
from signs.web.application import Site
from signs.web.capacity import message_of
from signs.web.keeping import Keeping
from signs.web.lobby import Lobby
from signs.web.model_card import make_card
from signs.web.seats import Seats
from signs.web.uploads import Uploads

import numpy as np
import websockets.sync.client

import fake_recogniser

NAMES = ("dark", "<img src=x onerror=alert(1)>", "=1+1", "bright")  # by how bright the pictures are, 64 levels each
CLASSES = [Label(f"{number:03d}", name) for number, name in enumerate(NAMES)] + [Label("nothing", "no sign", "none")]


class Session(fake_recogniser.Session):
    """Answers by how bright its pictures are."""

    def result(self):
        return answer_of(np.stack(self.frames))


def answer_of(frames: np.ndarray) -> fake_recogniser.Answer:
    best = min(int(frames.mean() // 64), len(NAMES) - 1)
    order = [best, *(number for number in range(len(NAMES)) if number != best)]
    ranked = [(CLASSES[number].label, part) for number, part in zip(order, (0.7, 0.2, 0.07, 0.03), strict=True)]
    return fake_recogniser.Answer(ranked, {}, {}, frames[:1], None, {})


class Recogniser(fake_recogniser.Recogniser):
    classes, labels = CLASSES, [row.label for row in CLASSES]

    def session(self, length=None, given=False) -> Session:
        return Session(length, given)

    def answer_video(self, path, read):
        frames, times, notes = read(path, self.bundle.spec.stored, each=lambda frame, seconds: None)
        return answer_of(frames), [*notes, f"{len(times)} frames"]

    def recognise(self, recorded, timings: Timings):
        return answer_of(recorded.images["rgb"])


@dataclass
class Served:
    """A page that runs."""

    site: Site
    certificate: str

    @property
    def port(self) -> int:
        return self.site.place.port

    @property
    def address(self) -> str:
        """As the terminal prints it."""
        return self.site.place.address(self.site.access.token)


@contextlib.contextmanager
def serving(
    seats: int = 2,
    password: str | None = None,
    secure: bool = False,
    keeper=None,
    clock=time.monotonic,
    own=None,
    teacher=None,
    opener=Recogniser,
):
    """opener: of a recogniser, the stand-in or a real one; the first that it opens is the first visitor's."""
    loaded = [opener()]
    opened = server.open_socket("127.0.0.1", 0)
    place = replace(addresses.find_place("127.0.0.1", opened.getsockname()[1]), secure=secure)
    card, seated = make_card(loaded[0], keeper, own), Seats(lambda: loaded.pop() if loaded else opener(), seats)
    lobby = Lobby(seated, 60.0, Keeping(keeper, own), clock, own)
    site = Site(place, Access(password), lobby, card, Uploads(opener), teacher)
    ready = threading.Event()
    running, certificate = server.make_server(site, ready.set)
    thread = threading.Thread(target=lambda: asyncio.run(running.serve(sockets=[opened])))
    thread.start()
    assert ready.wait(30)
    try:
        yield Served(site, certificate)
    finally:
        running.should_exit = True
        thread.join(30)
        opened.close()


class Guest:
    """A visitor with a browser's cookie; headers that are given replace the browser's own, None leaves one out."""

    def __init__(self, served: Served, enter: bool = True):
        self.served, self.cookie = served, None
        self.scheme = served.site.place.scheme
        if enter:
            response, _ = self.get(f"/?token={served.site.access.token}")
            assert response.status == 200
            self.cookie = response.getheader("set-cookie").partition(";")[0]

    def own(self) -> dict:
        host = f"127.0.0.1:{self.served.port}"
        return {"Host": host, "Origin": f"{self.scheme}://{host}", "Cookie": self.cookie}

    def request(self, method: str, path: str, body: bytes | None = None, **headers) -> tuple:
        own = self.own() if method == "POST" else {**self.own(), "Origin": None}
        sent = {name: value for name, value in {**own, **headers}.items() if value is not None}
        sent = {name.replace("_", "-"): value for name, value in sent.items()}
        where = ("127.0.0.1", self.served.port)
        if self.scheme == "https":
            connection = http.client.HTTPSConnection(*where, timeout=60, context=unverified())
        else:
            connection = http.client.HTTPConnection(*where, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body, sent)
            response = connection.getresponse()
            return response, response.read()

    def get(self, path: str, **headers) -> tuple:
        return self.request("GET", path, **headers)

    def post(self, path: str, body: bytes | dict, **headers) -> tuple:
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        return self.request("POST", path, content, **headers)

    def order(self, do: str, value=None) -> dict:
        """Without a WebSocket; the view that comes back."""
        response, body = self.post("/order", {"do": do, "value": value})
        assert response.status == 200, body
        return json.loads(body)

    def link(self, **headers):
        """A WebSocket."""
        sent = {name: value for name, value in {**self.own(), **headers}.items() if value is not None}
        origin = sent.pop("Origin", None)
        host = sent.pop("Host")
        address = f"{self.scheme.replace('http', 'ws')}://{host}/live"
        more = {"ssl": unverified()} if self.scheme == "https" else {}
        opened = socket.create_connection(("127.0.0.1", self.served.port), 60)
        return websockets.sync.client.connect(
            address, origin=origin, additional_headers=sent, max_size=None, compression=None, sock=opened, **more
        )


def unverified() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def frame_of(level: int, seconds: float, size=(120, 160)) -> bytes:
    """A frame as the page sends it, of one brightness."""
    message = message_of(np.full((*size, 3), level, np.uint8))
    return picture.STAMP.pack(seconds) + message[picture.STAMP.size :]


def views(link, seconds: float = 10.0) -> Iterator[dict]:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        with contextlib.suppress(TimeoutError):
            yield json.loads(link.recv(timeout=left))


def wait_for(link, wanted, seconds: float = 10.0) -> dict:
    """The first view that is as wanted."""
    last = None
    for last in views(link, seconds):
        if wanted(last):
            return last
    raise AssertionError(f"not within {seconds} s; the last view was {last}")


def sign(link, level: int, begun: float = 0.0, rate: float = 20.0) -> dict:
    """Sign after the countdown: pictures of one brightness until the answer comes; the view with it."""
    before = wait_for(link, lambda view: view["at"] == "live" and view["state"] in ("idle", "result"))
    number = before["answer"]["number"] if before["answer"] else 0
    link.send(json.dumps({"do": "start"}))
    for count in range(400):
        link.send(frame_of(level, begun + count / rate))
        time.sleep(1 / rate)
        with contextlib.suppress(TimeoutError):
            while True:
                view = json.loads(link.recv(timeout=0))
                if view["at"] == "live" and view.get("answer") and view["answer"]["number"] > number:
                    return view
    raise AssertionError("no answer came")
