"""An S3 server on this machine, moto's, with a front that counts requests and fails on request.

with s3_server() as front:
    front.client                        boto3's, past the front's faults
    front.refuse_after = 3              the credentials run out after three more requests
    front.cut = "a_1.zip"               this object's content ends half-way
    front.no_writing = True             the credentials may read alone
    front.wait = 0.5                    seconds before each answer to a sending
"""

import contextlib
import logging
import threading
import time
from collections.abc import Iterator

import pytest

BUCKET = "signs"
EXPIRED = b"<Error><Code>%s</Code><Message>The provided token is not valid any more.</Message></Error>"


class Front:
    """A WSGI application before moto's. requests: (method, path, query) of each; code: of the refusal."""

    def __init__(self, inner):
        self.inner, self.lock = inner, threading.Lock()
        self.reset()

    def reset(self) -> None:
        self.requests, self.refuse_after, self.code, self.cut = [], None, "ExpiredToken", ""
        self.wait, self.no_writing = 0, False

    def __call__(self, environ, start_response):
        with self.lock:
            self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["QUERY_STRING"]))
            refused = self.refuse_after is not None and self.refuse_after <= 0
            refused |= self.no_writing and environ["REQUEST_METHOD"] not in ("GET", "HEAD")
            if self.refuse_after is not None:
                self.refuse_after -= 1
        if refused:
            environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
            body = EXPIRED % self.code.encode()
            length = str(len(body))
            start_response("403 Forbidden", [("Content-Type", "application/xml"), ("Content-Length", length)])
            return [] if environ["REQUEST_METHOD"] == "HEAD" else [body]
        if environ["REQUEST_METHOD"] in ("PUT", "POST"):
            time.sleep(self.wait)
        body = self.inner(environ, start_response)
        if self.cut and environ["REQUEST_METHOD"] == "GET" and environ["PATH_INFO"].endswith(self.cut):
            content = b"".join(body)
            return [content[: len(content) // 2]]
        return body

    def count(self, method: str, ending: str = "") -> int:
        return sum(each == method and path.endswith(ending) for each, path, _ in self.requests)

    def lists(self, prefix: str) -> int:
        """Of how many lists of objects with that begin of a name it was asked."""
        return sum(f"prefix={prefix}" in query and method == "GET" for method, _, query in self.requests)


@contextlib.contextmanager
def s3_server() -> Iterator[Front]:
    """A server with an empty bucket, BUCKET, to which this process speaks by what stands in its environment."""
    boto3 = pytest.importorskip("boto3", reason="no boto3; pip install -r requirements-test.txt")
    moto = pytest.importorskip("moto.server", reason="no moto[server]; pip install -r requirements-test.txt")
    pytest.importorskip("s3fs", reason="no s3fs; pip install -r requirements-test.txt")
    server = moto.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server.start()
    front = server._server.app = Front(server._server.app)
    front.address = "http://{}:{}".format(*server.get_host_and_port())
    known = {"aws_access_key_id": "anna", "aws_secret_access_key": "secret", "region_name": "us-east-1"}
    front.client = boto3.client("s3", endpoint_url=front.address, **known)
    front.client.create_bucket(Bucket=BUCKET)
    try:
        yield front
    finally:
        server.stop()
