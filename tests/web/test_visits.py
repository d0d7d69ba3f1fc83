"""Several visitors at once: each gets his own answers, the others see their place, whoever goes frees the seat."""

import csv
import io
import json
import threading
import time

from signs.web import lobby as lobbies
from signs.web import picture, visit

import numpy as np
import pytest
import websockets.exceptions
from served import NAMES, Guest, Recogniser, frame_of, serving, sign, wait_for

FAST = {"COUNTDOWN": 0.05, "RECORDING": 0.25}


@pytest.fixture(autouse=True)
def fast(monkeypatch):
    for name, seconds in FAST.items():
        monkeypatch.setattr(visit, name, seconds)
    monkeypatch.setattr(lobbies, "GONE", 1.0)
    monkeypatch.setattr(lobbies, "LOOK", 0.1)


def best(view: dict) -> str:
    return view["answer"]["ranked"][0]["name"]


def test_two_sessions_get_their_own_answers():
    with serving(seats=2) as served:
        with Guest(served).link() as one, Guest(served).link() as other:
            for level, another in ((20, 230), (230, 90)):
                assert best(sign(one, level)) == NAMES[level // 64]
                assert best(sign(other, another)) == NAMES[another // 64]
            view = wait_for(one, lambda view: view["answer"])
            assert view["answer"]["of"] == 2
            assert [line["name"] for line in view["history"]] == [NAMES[0], NAMES[3]]


def test_frames_reach_no_other_session():
    """Whoever sends is told by the cookie, so there is nothing that could name another's session."""
    with serving(seats=2) as served:
        victim, attacker = Guest(served), Guest(served)
        with victim.link() as link:
            wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
            link.send(json.dumps({"do": "start"}))
            name, value = victim.cookie.split("=")
            stolen = f"{name}={value.split('.')[0]}.inside.{attacker.cookie.rpartition('.')[2]}"
            for count in range(15):
                assert (
                    attacker.post(f"/frame?visitor={value.split('.')[0]}", frame_of(230, count / 20))[0].status == 200
                )
                assert attacker.post("/frame", frame_of(230, count / 20), Cookie=stolen)[0].status == 403
            view = wait_for(link, lambda view: view["state"] == "recording")
            assert view["taken"] == 0 and view["answer"] is None


def test_the_same_session_without_a_websocket():
    with serving(seats=1) as served:
        guest = Guest(served)
        until, count = time.monotonic() + 20, 0
        while guest.order("look").get("state") != "idle" and time.monotonic() < until:
            time.sleep(0.05)
        guest.order("start")
        while time.monotonic() < until:
            count += 1
            response, body = guest.post("/frame", frame_of(90, count / 20))
            view = json.loads(body)
            if view["answer"]:
                break
            time.sleep(0.03)
        assert best(view) == NAMES[1] and view["answer"]["known"]
        table = guest.get("/answers.csv")[1].decode("utf-8-sig").splitlines()
        assert len(table) == 2 and table[1].split(",")[2] == NAMES[1].replace('"', '""')


def test_labels_are_text_in_pages_and_tables():
    with serving(seats=1) as served:
        guest = Guest(served)
        assert b"<img" not in guest.get("/")[1], "the page names no sign in its HTML, or escapes it"
        with guest.link() as link:
            assert best(sign(link, 150)) == "=1+1"
            link.send(json.dumps({"do": "name", "value": "@SUM(1)"}))
            view = wait_for(link, lambda view: view["answer"]["truth"])
            assert view["answer"]["truth"] == "@SUM(1)"
            response, body = guest.get("/answers.csv")
            assert response.getheader("content-type").startswith("text/csv")
            assert body.decode("utf-8-sig").splitlines()[1].split(",")[2:] == ["'=1+1", "0.7000", "yes", "'@SUM(1)"]
            link.send(json.dumps({"do": "name", "value": "a\u202eb"}))
            assert "controls the screen" in wait_for(link, lambda view: view["refused"])["refused"]


def test_corrections_and_taking_them_back():
    with serving(seats=1) as served, Guest(served).link() as link:
        sign(link, 20)
        for order, truth in (({"do": "choose", "value": 1}, NAMES[1]), ({"do": "nothing"}, "no sign")):
            link.send(json.dumps(order))
            wait_for(link, lambda view, truth=truth: view["answer"]["truth"] == truth)
        link.send(json.dumps({"do": "take back"}))
        wait_for(link, lambda view: view["answer"]["truth"] is None)
        for order in (
            {"do": "choose", "value": 7},
            {"do": "choose"},
            {"do": "name", "value": 3},
            {"do": "mode", "value": "x"},
            {},
        ):
            link.send(json.dumps(order))
        link.send(json.dumps({"do": "mode", "value": "hands-free"}))
        assert wait_for(link, lambda view: view["mode"] == "hands-free")["state"] == "learning"


class Keeper:
    """Stands in for keepers.py."""

    def __init__(self, folder):
        self.folder, self.kept = folder, []

    def keep(self, content, label, answered):
        self.kept.append((len(content), label, answered))
        return self.folder / f"{len(self.kept)}.mp4"

    def forget(self, path):
        self.kept.append(("forgotten", path.name))


def test_a_sign_is_kept_only_by_whoever_allows_it(tmp_path):
    keeper = Keeper(tmp_path)
    with serving(seats=2, keeper=keeper) as served, Guest(served).link() as willing, Guest(served).link() as other:
        wait_for(willing, lambda view: view["at"] == "live" and view["state"] == "idle")
        willing.send(json.dumps({"do": "consent", "value": True}))
        wait_for(willing, lambda view: view.get("keeps"))
        for link in (willing, other):
            sign(link, 20)
            link.send(json.dumps({"do": "choose", "value": 0}))
            wait_for(link, lambda view: view["answer"]["truth"] == NAMES[0])
        assert wait_for(willing, lambda view: view["answer"]["kept"])
        (kept,) = keeper.kept
        assert kept[0] > 1000 and kept[1:] == ("000", "000")
        willing.send(json.dumps({"do": "consent", "value": False}))
        wait_for(willing, lambda view: not view["keeps"])
        sign(willing, 90)
        willing.send(json.dumps({"do": "choose", "value": 0}))
        wait_for(willing, lambda view: view["answer"]["truth"] == NAMES[1])
        assert len(keeper.kept) == 1


class SlowKeeper(Keeper):
    """One whose disc is slow."""

    def __init__(self, folder):
        super().__init__(folder)
        self.goes_on = threading.Event()

    def keep(self, content, label, answered):
        assert self.goes_on.wait(60)
        return super().keep(content, label, answered)


def test_the_table_has_every_answer_that_was_told(tmp_path):
    """Also while a clip is being kept: what was told stands there at once."""
    keeper = SlowKeeper(tmp_path)
    with serving(seats=1, keeper=keeper) as served:
        guest = Guest(served)
        with guest.link() as link:
            wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
            link.send(json.dumps({"do": "consent", "value": True}))
            told = [best(sign(link, 20))]
            link.send(json.dumps({"do": "choose", "value": 1}))
            wait_for(link, lambda view: view["answer"]["truth"] == NAMES[1])
            told.append(best(sign(link, 230)))
            rows = list(csv.DictReader(io.StringIO(guest.get("/answers.csv")[1].decode("utf-8-sig"))))
            keeper.goes_on.set()
    assert [row["answer"] for row in rows] == told and rows[0]["was"] == NAMES[1]


def test_what_was_kept_is_taken_back_by_whoever_allows_no_more(tmp_path):
    keeper = Keeper(tmp_path)
    with serving(seats=1, keeper=keeper) as served, Guest(served).link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        link.send(json.dumps({"do": "consent", "value": True}))
        sign(link, 20)
        link.send(json.dumps({"do": "choose", "value": 0}))
        wait_for(link, lambda view: view["answer"]["kept"])
        link.send(json.dumps({"do": "consent", "value": False}))
        link.send(json.dumps({"do": "take back"}))
        view = wait_for(link, lambda view: not view["answer"]["kept"])
        assert keeper.kept[1:] == [("forgotten", "1.mp4")] and not view["fault"] and not view["answer"]["pictures"]


def test_those_who_wait_see_their_place_and_move_up():
    with serving(seats=1) as served:
        with Guest(served).link() as first:
            wait_for(first, lambda view: view["at"] == "live")
            second, third = Guest(served), Guest(served).link()
            with third, second.link() as link:
                view = wait_for(third, lambda view: view["at"] == "waiting" and view["waiting"] == 2)
                assert (view["place"], view["served"]) == (1, 1)
                assert wait_for(link, lambda view: view["at"] == "waiting")["place"] == 2
                first.close()
                left = time.monotonic()
                wait_for(third, lambda view: view["at"] == "live")
                assert time.monotonic() - left < lobbies.GONE + 4, "the seat is free within seconds"
                assert wait_for(link, lambda view: view["place"] == 1)
                assert best(sign(third, 150)) == NAMES[2], "a seat's second visitor"


def test_whoever_shows_no_picture_loses_the_seat():
    now = [0.0]
    with (
        serving(seats=1, clock=lambda: now[0]) as served,
        Guest(served).link() as idle,
        Guest(served).link() as next_one,
    ):
        wait_for(idle, lambda view: view["at"] == "live")
        wait_for(next_one, lambda view: view["at"] == "waiting")
        now[0] = lobbies.IDLE + 1
        wait_for(idle, lambda view: view["at"] == "idle")
        wait_for(next_one, lambda view: view["at"] == "live")
        idle.send(json.dumps({"do": "again"}))
        assert wait_for(idle, lambda view: view["at"] == "waiting")["place"] == 1


def test_a_page_that_is_opened_twice_counts_once():
    with serving(seats=1) as served:
        guest = Guest(served)
        with guest.link() as first, guest.link() as second:
            wait_for(second, lambda view: view["at"] == "live")
            with pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                wait_for(first, lambda view: False, 5)
            assert closed.value.rcvd.code == 4001
            assert best(sign(second, 20)) == NAMES[0]


def huge_head(level: int) -> bytes:
    """A JPEG whose head says 65500 x 65500 pixels: 12 GB, were they decoded."""
    message = bytearray(frame_of(level, 0.0))
    at = message.index(b"\xff\xc0")
    message[at + 5 : at + 9] = (65500).to_bytes(2, "big") * 2
    return bytes(message)


def test_what_is_no_small_jpeg_is_not_decoded():
    whole = frame_of(20, 0.0)
    png = picture.STAMP.pack(0.0) + b"\x89PNG\r\n\x1a\n" + bytes(100)
    cases = [
        huge_head(20),
        whole[: len(whole) // 2],
        whole[:30],
        png,
        picture.STAMP.pack(0.0) + b"#EXTM3U\nhttp://x/y\n",
    ]
    for message in cases:
        with pytest.raises(picture.Problem):
            picture.decode(message)
    assert picture.decode(whole).shape == (120, 160, 3)
    for stamp in (np.nan, np.inf, -1.0):
        with pytest.raises(picture.Problem):
            picture.read_stamp(frame_of(20, stamp))


def test_bad_frames_harm_nobody():
    with serving(seats=1) as served:
        guest = Guest(served)
        with guest.link() as link:
            wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
            for message in (huge_head(20), frame_of(20, 1e300), frame_of(20, 0.0)[:40]):
                link.send(message)
            wait_for(link, lambda view: view["taken"] == 3)
            assert best(sign(link, 230, begun=5.0)) == NAMES[3], "the session goes on"
        for message in (b"", b"\x00" * 8, frame_of(20, np.nan), bytes(picture.MOST_BYTES + 1)):
            assert guest.post("/frame", message)[0].status == 400
        for message, code in ((bytes(picture.MOST_BYTES + 1), 1009), (b"short", 1008), ("no json", 1008)):
            with guest.link() as link, pytest.raises(websockets.exceptions.ConnectionClosed) as closed:
                link.send(message)
                wait_for(link, lambda view: False, 5)
            assert closed.value.rcvd.code == code


def test_a_broken_session_is_one_visitors(capsys, monkeypatch):
    def session(self, length=None, given=False):
        raise RuntimeError("a network broke\x1b[2J")

    with serving(seats=2) as served, Guest(served).link() as one, Guest(served).link() as other:
        wait_for(other, lambda view: view["at"] == "live" and view["state"] == "idle")
        with monkeypatch.context() as patch:
            patch.setattr(Recogniser, "session", session)
            wait_for(one, lambda view: view["at"] == "live" and view["state"] == "idle")
            one.send(json.dumps({"do": "start"}))
            wait_for(one, lambda view: view.get("state") == "failed")
        assert best(sign(other, 20)) == NAMES[0]
    said = capsys.readouterr().err
    assert "a visitor's session ended: RuntimeError" in said and "\x1b" not in said
