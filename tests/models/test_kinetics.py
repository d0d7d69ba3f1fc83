"""Fetching the published weights: from a server that breaks off, that is not there, that has something else."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from signs.command import Problem
from signs.models import i3d, kinetics
from signs.models.weights import checkpoint_names, load_kinetics_checkpoint

import numpy as np
import pytest

from checkpoints import random_arrays, write_checkpoint

CONTENT = np.random.default_rng(0).bytes(1 << 20)


def blob(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `files`; each of the first `breaks` answers ends half-way; `ranges`: it can go on in the middle."""

    def __init__(self, files: dict[str, bytes], breaks: int = 0, ranges: bool = True, code: int = 200):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.breaks, self.ranges, self.code, self.asked = files, breaks, ranges, code, []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        server, content = self.server, self.server.files.get(self.path.lstrip("/"))
        start = self.headers.get("Range", "")
        server.asked.append((self.path, start))
        code = server.code if content is not None else 404
        if code != 200:
            self.send_error(code)
            return
        first = int(start.removeprefix("bytes=").removesuffix("-")) if start and server.ranges else 0
        if first >= len(content) > 0:
            self.send_error(416)
            return
        rest = content[first:]
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(rest)))
        self.end_headers()
        if server.breaks > 0:
            server.breaks -= 1
            self.wfile.write(rest[: len(rest) // 2])
            self.close_connection = True
            return
        self.wfile.write(rest)

    def log_message(self, *_):
        pass


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(kinetics, "PAUSE", 0)


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize("breaks", [0, 1, 3])
def test_a_download_goes_on_where_it_broke_off(tmp_path, breaks, ranges):
    with Server({"file": CONTENT}, breaks, ranges) as server:
        kinetics.fetch(f"{server.address}/file", tmp_path / "file", len(CONTENT), blob(CONTENT))
        assert (tmp_path / "file").read_bytes() == CONTENT and len(list(tmp_path.iterdir())) == 1
        assert len(server.asked) == breaks + 1
        assert [start for _, start in server.asked[:2]] == ["", "bytes=524288-"][: breaks + 1]
        kinetics.fetch(f"{server.address}/file", tmp_path / "file", len(CONTENT), blob(CONTENT))
        assert len(server.asked) == breaks + 1, "it is there: nobody is asked"


def test_a_later_run_goes_on_too(tmp_path):
    (tmp_path / "file.incomplete").write_bytes(CONTENT[:1000])
    with Server({"file": CONTENT}) as server:
        kinetics.fetch(f"{server.address}/file", tmp_path / "file", None, blob(CONTENT))
        assert server.asked == [("/file", "bytes=1000-")]
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_damaged_copy_is_fetched_anew(tmp_path):
    (tmp_path / "file").write_bytes(CONTENT[:-1])
    with Server({"file": CONTENT}) as server:
        kinetics.fetch(f"{server.address}/file", tmp_path / "file", len(CONTENT), blob(CONTENT))
    assert (tmp_path / "file").read_bytes() == CONTENT


@pytest.mark.parametrize("content", [b"<html>please log in</html>", CONTENT + b"more", CONTENT[:-1] + b"x"])
@pytest.mark.parametrize("size", [None, len(CONTENT)])
def test_something_else_never_gets_the_name(tmp_path, content, size):
    with Server({"file": content}) as server, pytest.raises(Problem, match="not the published file|broke off|416"):
        kinetics.fetch(f"{server.address}/file", tmp_path / "file", size, blob(CONTENT))
    assert not (tmp_path / "file").exists()


@pytest.mark.parametrize(("code", "attempts"), [(404, 1), (403, 1), (503, kinetics.ATTEMPTS)])
def test_a_server_that_refuses(tmp_path, code, attempts):
    with Server({"file": CONTENT}, code=code) as server, pytest.raises(Problem, match=f"the server says {code}"):
        kinetics.fetch(f"{server.address}/file", tmp_path / "file", None, blob(CONTENT))
    assert len(server.asked) == attempts


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setattr(kinetics, "CACHE", tmp_path)
    with Server({}) as server:
        address = server.address
    with pytest.raises(Problem) as caught:  # nobody listens any more
        kinetics.checkpoint("kinetics", "flow", address)
    said = str(caught.value)
    assert "no connection" in said and str(tmp_path / "flow_imagenet") in said and "--weights none" in said
    assert kinetics.INDEX in said and kinetics.DATA in said and "\n" not in said


def test_weights_that_a_stream_does_not_have():
    with pytest.raises(Problem, match="--weights kinetics-600 has no weights for flow; use --stream rgb"):
        kinetics.check_weights("kinetics-600", "flow")


def test_every_start_is_a_known_checkpoint():
    names = {name for names in kinetics.STARTS.values() for name in names.values()}
    assert names - {"hub"} == kinetics.BLOBS.keys() == kinetics.DATA_BYTES.keys()
    assert all(len(data) == len(index) == 40 for data, index in kinetics.BLOBS.values())


@pytest.mark.parametrize("inside", ["", "rgb_imagenet", "rgb_scratch_kin600"])
def test_a_copy_on_disc(tmp_path, inside):
    for name in (kinetics.INDEX, kinetics.DATA):
        (tmp_path / inside).mkdir(exist_ok=True)
        (tmp_path / inside / name).touch()
    assert kinetics.checkpoint(str(tmp_path), "rgb") == tmp_path / inside / "model.ckpt"
    if inside:
        with pytest.raises(Problem, match="no model.ckpt.index and .* or in its flow_imagenet"):
            kinetics.checkpoint(str(tmp_path), "flow")


@pytest.mark.parametrize(
    ("weights", "classes", "prefix"), [("kinetics", 400, "RGB/inception_i3d/"), ("kinetics-600", 600, "")]
)
def test_the_whole_way_from_a_server_that_breaks_off_into_the_network(tmp_path, monkeypatch, weights, classes, prefix):
    """Files with the published names and shapes; every variable arrives, the head of another size stays new."""
    source = i3d.build_i3d((8, 32, 32, 3), classes)
    arrays = random_arrays(source)
    momentum = {f"{name}/Momentum": np.zeros(3, np.float32) for name in list(arrays)[:116]} if not prefix else {}
    made = write_checkpoint(tmp_path / "made", arrays | momentum, prefix)
    name = kinetics.STARTS[weights]["rgb"]
    files = {f"{name}/{file}": (made.parent / file).read_bytes() for file in (kinetics.INDEX, kinetics.DATA)}
    index, data = files.values()
    monkeypatch.setitem(kinetics.DATA_BYTES, name, len(data))
    monkeypatch.setitem(kinetics.BLOBS, name, (blob(data), blob(index)))
    monkeypatch.setattr(kinetics, "CACHE", tmp_path / "cache")
    with Server(files, breaks=2) as server:
        path = kinetics.checkpoint(weights, "rgb", server.address)
    assert path == tmp_path / "cache" / name / "model.ckpt"
    model = i3d.build_i3d((8, 32, 32, 3), 20)
    load_kinetics_checkpoint(model, path)
    found = checkpoint_names(model)
    assert len(found) == len(arrays)
    for variable, value in arrays.items():
        if not variable.startswith("Logits/"):
            assert np.array_equal(np.asarray(found[variable]).ravel(), value.ravel()), variable
