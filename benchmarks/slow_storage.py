"""An S3 server for benchmarks: moto's, in a process of its own, whose front waits before each answer.

    with slow_storage(folder, names) as server:
        server.latency.value = 20           ms before each answer
        server.asked.value, server.own.value    requests so far, and seconds in which moto worked on them

The files of the folder are the objects of BUCKET. The front sends their contents itself: moto would copy a whole
object for each range of it. Connections stay open, as those to Amazon do.
"""

import contextlib
import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

BUCKET = "signs"


class Front:
    """A WSGI application before moto's: it waits, counts, and sends objects' contents from the disc."""

    def __init__(self, inner, folder: Path, latency, asked, own):
        self.inner, self.folder, self.latency, self.asked, self.own = inner, folder, latency, asked, own

    def __call__(self, environ, start_response):
        time.sleep(self.latency.value / 1e3)
        with self.asked.get_lock():
            self.asked.value += 1
        path = self.folder / environ["PATH_INFO"].removeprefix(f"/{BUCKET}").strip("/")
        if environ["REQUEST_METHOD"] != "GET" or not path.is_file():
            began = time.perf_counter()
            answer = self.inner(environ, start_response)
            self.own.value += time.perf_counter() - began
            return answer
        size, asked = path.stat().st_size, environ.get("HTTP_RANGE", "").removeprefix("bytes=")
        start, _, end = asked.partition("-")
        start, end = int(start or 0), min(int(end or size - 1), size - 1)
        heads = {"Content-Length": str(end - start + 1), "Content-Type": "application/zip", "ETag": '"0"'}
        if asked:
            heads["Content-Range"] = f"bytes {start}-{end}/{size}"
        heads["Last-Modified"] = "Thu, 01 Jan 2026 00:00:00 GMT"
        start_response("206 Partial Content" if asked else "200 OK", list(heads.items()))
        return self.blocks(path, start, end + 1)

    @staticmethod
    def blocks(path: Path, place: int, end: int) -> Iterator[bytes]:
        with open(path, "rb") as file:
            while place < end and (block := os.pread(file.fileno(), min(1 << 20, end - place), place)):
                place += len(block)
                yield block


def serve(folder: Path, names: int, latency, asked, own, answer) -> None:
    """moto's server with the files of a folder and, below `many/`, so many empty objects, for good."""
    from moto.s3.models import s3_backends
    from moto.server import ThreadedMotoServer
    from werkzeug.serving import WSGIRequestHandler

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    WSGIRequestHandler.protocol_version, WSGIRequestHandler.disable_nagle_algorithm = "HTTP/1.1", True
    store = s3_backends["123456789012"]["aws"]
    store.create_bucket(BUCKET, "us-east-1")
    for number in range(names):
        store.put_object(BUCKET, f"many/frame-40x240/train/{number % 249:03d}/{number:07d}.zip", b"")
    for path in folder.rglob("*"):
        if path.is_file():
            store.put_object(BUCKET, path.relative_to(folder).as_posix(), path.read_bytes())
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    server._server.app = Front(server._server.app, folder, latency, asked, own)
    answer.send("http://{}:{}".format(*server.get_host_and_port()))
    threading.Event().wait()


@dataclass(frozen=True)
class Server:
    latency: Any
    asked: Any
    own: Any


@contextlib.contextmanager
def slow_storage(folder: Path, names: int) -> Iterator[Server]:
    """The server, and an environment in which s3fs finds it."""
    start = multiprocessing.get_context("spawn")
    latency, asked, own = start.Value("d", 0.0), start.Value("q", 0), start.Value("d", 0.0)
    here, there = start.Pipe(False)
    process = start.Process(target=serve, args=(folder, names, latency, asked, own, there), daemon=True)
    process.start()
    try:
        os.environ |= {
            "AWS_ENDPOINT_URL": here.recv(),
            "AWS_ACCESS_KEY_ID": "anna",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        yield Server(latency, asked, own)
    finally:
        process.kill()
