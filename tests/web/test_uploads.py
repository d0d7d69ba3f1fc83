"""Videos that visitors send: answered, and gone from the disc whatever they are; each attack is tried."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from signs.clips.footage import read_kept
from signs.clips.spec import StoredSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.prepare.keepers import open_keeper
from signs.prepare.recordings import read_recordings
from signs.web import lobby as lobbies
from signs.web import uploads, video_process
from signs.web.limited_video import Records, read_limited
from signs.web.own_folder import OwnFolder

import numpy as np
import pytest
from served import NAMES, Guest, serving

import tiny

STORED = StoredSpec("8", 64)
TRAP = "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{address}\n"


@pytest.fixture(scope="module")
def served():
    with serving(seats=1) as running:
        yield running


def left_over(served) -> list[str]:
    return os.listdir(served.site.uploads._folder.name)


def bright(path: Path, frames: int = 20, rate: int = 10) -> Path:
    """A video of 2 s, unless something else is asked for."""
    images = tiny.moving(10, 120, 160) // 8 + 200
    return tiny.encode(path, np.resize(images, (frames, 120, 160, 3)), rate=rate)


def sent(served, content: bytes) -> tuple[int, dict]:
    response, body = Guest(served).post("/upload", content)
    return response.status, json.loads(body)


def test_a_video_is_answered_and_deleted(served, tmp_path):
    status, answer = sent(served, bright(tmp_path / "a.mp4").read_bytes())
    assert status == 200 and answer["ranked"][0]["name"] == NAMES[3] and "8 frames" in answer["notes"]
    assert left_over(served) == []


def test_what_is_read_is_what_predict_reads(tmp_path):
    path, frames, also = bright(tmp_path / "a.mp4"), [], []
    kept = read_kept(path, STORED, each=lambda frame, seconds: frames.append((frame, seconds)))
    limited = read_limited(path, STORED, each=lambda frame, seconds: also.append((frame, seconds)))
    assert np.array_equal(kept[0], limited[0]) and np.array_equal(kept[1], limited[1]) and kept[2] == limited[2]
    assert len(also) == 20 and all(
        np.array_equal(a[0], b[0]) and a[1] == b[1] for a, b in zip(frames, also, strict=True)
    )


class Trap(threading.Thread):
    """Listens, and tells whether anybody called."""

    def __init__(self):
        super().__init__(daemon=True)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.called = False
        self.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}/secret.ts"

    def run(self):
        self.socket.accept()
        self.called = True


def test_a_playlist_named_avi_opens_nothing(served, tmp_path):
    trap, secret = Trap(), tmp_path / "secret.mp4"
    bright(secret)
    lists = [
        TRAP.format(address=trap.address),
        TRAP.format(address=secret.as_uri()),
        f"ffconcat version 1.0\nfile '{secret}'\n",
    ]
    for text in lists:
        status, answer = sent(served, text.encode())
        assert status == 422 and "a text file, not a video" in answer["problem"]
    # The same in a whole AVI by its head: the demuxer that this names reads it, and no other.
    text = "\n".join(lists).encode()
    status, answer = sent(served, b"RIFF" + (len(text) + 8).to_bytes(4, "little") + b"AVI LIST" + text)
    assert status == 422 and "no video in it" in answer["problem"], answer
    assert not trap.called and left_over(served) == []


def test_a_truncated_video_is_one_line(served, tmp_path):
    whole = bright(tmp_path / "a.mp4").read_bytes()
    status, answer = sent(served, whole[: len(whole) // 2])
    assert (
        status == 422
        and "\n" not in answer["problem"]
        and str(Path(served.site.uploads._folder.name)) not in answer["problem"]
    )
    assert left_over(served) == []


def test_one_second_too_long_is_not_answered(served, tmp_path):
    status, answer = sent(served, bright(tmp_path / "long.mp4", 62, 1).read_bytes())
    assert status == 422 and answer["problem"].startswith("longer than 60 s")


def test_too_many_bytes_are_not_even_read(served, monkeypatch):
    guest = Guest(served)
    response, body = guest.post("/upload", b"x", Content_Length=str(uploads.MOST_BYTES + 1))
    assert response.status == 422 and "more than 104,857,600 bytes" in json.loads(body)["problem"]
    monkeypatch.setattr("signs.web.upload_routes.MOST_BYTES", 100_000)
    response, body = guest.request("POST", "/upload", iter([bytes(60_000)] * 2), Origin=guest.own()["Origin"])
    assert response.status == 422, "whatever it says of its length"
    assert left_over(served) == []


def test_nothing_and_nonsense_are_refused(served):
    for content in (b"", b"\x89PNG\r\n\x1a\n" + bytes(100), bytes(1000), np.random.default_rng(0).bytes(5000)):
        assert sent(served, content)[0] == 422
    assert left_over(served) == []


def test_one_video_of_a_visitor_at_a_time(served, tmp_path, monkeypatch):
    content, begun, go_on = bright(tmp_path / "a.mp4").read_bytes(), threading.Event(), threading.Event()
    real = served.site.uploads._look

    def slow(*given):
        begun.set()
        go_on.wait(20)
        return real(*given)

    monkeypatch.setattr(served.site.uploads, "_look", slow)
    guest, answers = Guest(served), []
    first = threading.Thread(target=lambda: answers.append(guest.post("/upload", content)[0].status))
    first.start()
    assert begun.wait(20)
    assert guest.post("/upload", content)[0].status == 422
    go_on.set()
    first.join(30)
    assert answers == [200] and left_over(served) == []


LIMITED = """
import runpy, socket, sys
limits = runpy.run_path(sys.argv[1])
limits["limit"]()
"""


def limited(work: str) -> str:
    """What a process with the decoder's limits complains of."""
    line = [sys.executable, "-c", LIMITED + work, video_process.__file__]
    return subprocess.run(line, capture_output=True, text=True, timeout=60, check=False).stderr


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limits")
def test_the_decoders_process_can_do_little(tmp_path):
    written = tmp_path / "written"
    assert "File too large" in limited(f"f = open({str(written)!r}, 'wb'); f.write(b'x' * 100); f.flush()")
    assert "MemoryError" in limited(f"bytes({video_process.MEMORY})")
    allowed = shutil.which("unshare") and subprocess.run(["unshare", "--user", "--net", "true"], check=False)
    if allowed and allowed.returncode == 0:
        trap = Trap()
        port = trap.socket.getsockname()[1]
        assert "Network is unreachable" in limited(f"socket.create_connection(('127.0.0.1', {port}), 5)")
        assert not trap.called, "it reaches not even this machine"


LIES = [
    b"F" + video_process.FRAME.pack(0.0, 1 << 31, 1 << 31),
    b"K" + video_process.KEPT.pack(1 << 30, 1 << 30, 1 << 30),
    b"K" + video_process.KEPT.pack(1, 2, 2),
    b"P" + b"\xff\xff\xff\xff",
    b"F",
    b"pickle",
    b"",
]


@pytest.mark.parametrize("lie", LIES)
def test_a_process_that_lies_is_not_believed(lie):
    """Whoever breaks the decoder writes what he likes to the pipe."""
    with pytest.raises(Problem, match="could not be decoded"):
        Records(io.BytesIO(lie)).read(None)


def told(guest: Guest, do: str, value=None) -> dict:
    """A correction of the last video; what the page gets."""
    response, body = guest.post("/upload/order", {"do": do, "value": value})
    assert response.status == 200
    return json.loads(body)


def test_an_answer_to_a_video_is_corrected_and_stands_in_the_table(served, tmp_path):
    guest = Guest(served)
    assert told(guest, "choose", 0) == {}, "nothing was sent yet"
    assert guest.post("/upload", bright(tmp_path / "a.mp4").read_bytes())[0].status == 200
    assert told(guest, "choose", 0)["truth"] == NAMES[3], "it was right"
    assert told(guest, "choose", 1)["truth"] == NAMES[0]
    assert told(guest, "nothing")["nothing"]
    assert "controls the screen" in told(guest, "name", "a\u202eb")["refused"]
    assert told(guest, "name", "=wave")["truth"] == "=wave"
    for what, value in (("choose", 7), ("choose", "1"), ("name", 3), ("__class__", None), ("mode", "hands-free")):
        assert told(guest, what, value)["truth"] == "=wave"
    assert guest.get("/answers.csv")[1].decode("utf-8-sig").splitlines()[1].split(",")[1:] == [
        *("file", NAMES[3], "0.7000", "yes", "'=wave")
    ]
    assert told(guest, "take back")["truth"] is None
    assert told(Guest(served), "choose", 0) == {}, "nobody corrects another's"
    assert guest.post("/upload/order", b"[]")[0].status == 400
    assert guest.post("/upload/order", {"do": "nothing"}, Origin="http://evil.example")[0].status == 403


def looked(guest: Guest, wanted) -> None:
    """Wait for a view, asked for without a WebSocket, which would have to be read from all the time."""
    until = time.monotonic() + 60
    while not wanted(view := guest.order("look")):
        assert time.monotonic() < until, view
        time.sleep(0.05)


def test_who_sends_a_video_stays_until_it_is_answered(served, tmp_path, monkeypatch):
    """On a slow network, or where the WebSocket was lost meanwhile."""
    monkeypatch.setattr(lobbies, "GONE", 0.2)
    monkeypatch.setattr(lobbies, "LOOK", 0.05)
    guest, real = Guest(served), served.site.uploads._look

    def slow(*given):
        time.sleep(1)
        monkeypatch.setattr(lobbies, "GONE", 20)
        return real(*given)

    monkeypatch.setattr(served.site.uploads, "_look", slow)
    guest.post("/upload", bright(tmp_path / "a.mp4").read_bytes())
    assert told(guest, "choose", 0)["truth"] == NAMES[3]


def test_a_video_is_kept_only_by_whoever_allows_it(tmp_path):
    own = OwnFolder(tmp_path / "mine")
    own.allow("anna", ["training"], "anna")
    keeper, content = open_keeper(tmp_path / "mine", None), bright(tmp_path / "a.mp4").read_bytes()
    with serving(seats=1, keeper=keeper, own=own) as running:
        guest = Guest(running)
        looked(guest, lambda view: view["at"] == "live" and view["state"] == "idle")
        guest.post("/upload", content)
        assert not told(guest, "choose", 0)["kept"], "before he ticked it no picture was held"
        guest.order("consent", True)
        looked(guest, lambda view: view.get("keeps"))
        guest.post("/upload", content)
        assert not read_recordings(tmp_path / "mine").rows, "nor is it kept before he says what it was"
        kept = told(guest, "name", "wave")
        assert (kept["truth"], kept["kept"], kept["fault"]) == ("wave", True, "")
        (row,) = (found := read_recordings(tmp_path / "mine")).rows
        assert (row.label, row.signer, row.notes) == ("wave", "anna", "answered 003")
        frames, times = read_video(found.path(row))
        assert frames.shape == (20, 120, 160, 3) and times[-1] == pytest.approx(1.9, abs=0.01)
        assert not told(guest, "take back")["kept"] and not read_recordings(tmp_path / "mine").rows
        assert left_over(running) == []
