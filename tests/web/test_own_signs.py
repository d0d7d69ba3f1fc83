"""Signs that visitors record of themselves: a take as record.py stores it, whoever allowed it, and taken back."""

import csv
import json

from signs.clips.video import read_video
from signs.prepare.recordings import read_recordings
from signs.web import own_takes, visit
from signs.web.keeping import Keeping
from signs.web.own_folder import OwnFolder

import pytest
from served import Guest, frame_of, serving, sign, wait_for

import webdemo

SECONDS, RATE = 0.5, 12  # of a take, and its frames a second
ALL = ["training", "loops"]
PLACE = "../../<b>out</b>"  # a name that tries to be a path and markup


@pytest.fixture
def recording(tmp_path, monkeypatch):
    """(a page with a folder for recordings, that folder)."""
    monkeypatch.setattr(visit, "COUNTDOWN", 0.1)
    monkeypatch.setattr(own_takes, "SHORTEST", 0.2)
    monkeypatch.setattr(own_takes, "PATIENCE", 60.0)  # a busy machine
    folder = tmp_path / "recordings" / "mine"
    with serving(seats=2, own=OwnFolder(folder)) as served:
        yield served, folder


def ask(link, do: str, **value) -> None:
    link.send(json.dumps({"do": do, "value": value}))


def own(link, wanted) -> dict:
    return wait_for(link, lambda view: view["at"] == "live" and view.get("own") and wanted(view["own"]))["own"]


def begin(link, name: str = "anna") -> None:
    wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
    ask(link, "signer", name=name, scope=ALL, given_by="her mother")
    own(link, lambda view: view["signer"] == name)


def take(link, begun: float, do="take", levels=(60, 200), sizes=((120, 160),), **value) -> dict:
    """Record a take of frames at RATE; what the page says then."""
    ask(link, do, **{"sign": "hello", "seconds": SECONDS, **value})
    view = wait_for(link, lambda view: view["state"] == "recording")
    assert view["mode"] == "own"
    sent = view["taken"]
    for count in range(int(RATE * SECONDS) + 3):
        if view["mode"] == "own":  # no more than three are underway, as the page has it, so that none is lost
            link.send(frame_of(levels[count % len(levels)], begun + count / RATE, sizes[count % len(sizes)]))
            view = wait_for(link, lambda view, least=sent + count - 2: view["taken"] >= least or view["mode"] != "own")
    view = wait_for(link, lambda view: view["mode"] != "own")
    assert view["state"] == "idle", "the way to sign that was chosen before"
    return own(link, lambda view: view["said"] or view["fault"])


def test_a_take_is_stored_as_record_py_does(recording):
    served, folder = recording
    guest = Guest(served)
    with guest.link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        assert not folder.exists()
        ask(link, "signer", name="anna")
        assert own(link, lambda view: view["asked"])["asked"] == "anna", "she is asked what she allows"
        ask(link, "signer", name="anna", scope=["loops"])
        assert "without training" in own(link, lambda view: view["fault"])["fault"]
        assert not folder.exists() or not read_recordings(folder).consents
        begin(link)
        said = take(link, 5.0)
        assert said["said"] == {"word": "kept", "take": 1, "sign": "hello"} and said["undo"]
        assert take(link, 9.0, sign="HELLO")["said"]["sign"] == "hello", "capitals make no second sign"
        rows = json.loads(guest.get("/own.json")[1])["signs"]
        assert rows == [{"name": "hello", "takes": 2, "pause": False}]
    found = read_recordings(folder)
    assert [(row.label, row.signer, row.take) for row in found.rows] == [("hello", "anna", 1), ("hello", "anna", 2)]
    assert found.rows[0].video == "video/anna/anna_hello_1.mp4"
    assert found.consent_of("anna").given_by == "her mother" and found.consent_of("anna").scope == tuple(ALL)
    frames, times = read_video(found.path(found.rows[0]))
    assert len(frames) == 7 and times[-1] == pytest.approx(SECONDS, abs=0.001)
    assert times[1] - times[0] == pytest.approx(1 / RATE, abs=0.001), "the browser's own times"


def test_the_last_take_is_thrown_away(recording):
    served, folder = recording
    with Guest(served).link() as link:
        begin(link)
        take(link, 5.0)
        path = folder / "video/anna/anna_hello_1.mp4"
        assert path.is_file()
        ask(link, "undo")
        assert not own(link, lambda view: view["said"].get("word") == "undone")["undo"]
        assert not path.exists() and not read_recordings(folder).rows
        take(link, 9.0)
        with Guest(served).link() as other:
            begin(other)
            ask(other, "undo")
            ask(other, "signer", name="")
            own(other, lambda view: not view["signer"])
        assert path.is_file(), "nobody throws away what another visit recorded"


def test_a_pause_is_no_sign(recording):
    served, folder = recording
    with Guest(served).link() as link:
        begin(link)
        ask(link, "take", sign="Nothing")
        assert "what no sign is called" in own(link, lambda view: view["fault"])["fault"]
        assert take(link, 5.0, "pause", levels=(60,))["said"]["word"] == "pause"
        assert [(row.label, row.notes) for row in read_recordings(folder).rows] == [("nothing", "")]


def test_what_is_odd_is_said(recording):
    served, folder = recording
    with Guest(served).link() as link:
        begin(link)
        assert "nothing moved" in take(link, 5.0, levels=(120,))["notes"]
        assert read_recordings(folder).rows[0].notes == "nothing moved"
        said = take(link, 9.0, sizes=((120, 160), (160, 120)))
        assert said["said"] == {"word": "turned"}
        ask(link, "take", sign="hello", seconds=5)
        wait_for(link, lambda view: view["state"] == "recording")
        link.send(frame_of(60, 20.0))
        wait_for(link, lambda view: view["left"] < 5.01 and view["taken"])
        ask(link, "start")  # a finger that slipped
        assert own(link, lambda view: view["said"])["said"]["word"] in ("short", "none")
        assert len(read_recordings(folder).rows) == 1


def test_names_are_text_and_no_paths(recording):
    served, folder = recording
    with Guest(served).link() as link:
        begin(link, PLACE)
        assert take(link, 5.0, sign="=1+1/..\\x")["said"]["word"] == "kept"
        for bad in ("a\x1b[2Jb", "x" * 400, "", 7, None):
            ask(link, "take", sign=bad)
            assert own(link, lambda view: view["fault"])["fault"].startswith("the sign")
            ask(link, "signer", name=PLACE)
            assert own(link, lambda view: not view["fault"])["signer"] == PLACE
    files = list(folder.parent.parent.rglob("*.mp4"))
    assert files and all(path.resolve().is_relative_to(folder / "video") for path in files)
    (row, *_) = csv.DictReader((folder / "clips.csv").open(encoding="utf-8"))
    assert row["signer"].endswith("<b>out</b>")


def confirm(link, begun: float) -> dict:
    """Sign and say that the answer was right; the view then."""
    sign(link, 20, begun)
    link.send(json.dumps({"do": "choose", "value": 0}))
    return wait_for(link, lambda view: view["answer"]["truth"])


def test_what_somebody_corrects_is_kept_as_soon_as_she_has_allowed_recordings(recording, monkeypatch):
    monkeypatch.setattr(visit, "RECORDING", 0.25)
    served, folder = recording
    with Guest(served).link() as link, Guest(served).link() as other:
        view = wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        assert view["keeper"] is None, "nobody has allowed anything yet"
        link.send(json.dumps({"do": "consent", "value": True}))
        begin(link)
        view = wait_for(link, lambda view: view["keeper"] == "anna")
        assert not view["keeps"]
        assert wait_for(other, lambda view: view.get("keeper") == "anna"), "as after a start with one person there"
        link.send(json.dumps({"do": "consent", "value": True}))
        wait_for(link, lambda view: view["keeps"])
        confirm(link, 5.0)
        wait_for(link, lambda view: view["answer"]["kept"])
        ask(link, "signer", name="ben", scope=ALL)  # what anna allowed is nothing to him
        view = wait_for(link, lambda view: view["keeper"] == "ben" and not view["keeps"])
        assert not view["answer"]["pictures"]
        confirm(link, 15.0)
        link.send(json.dumps({"do": "consent", "value": True}))
        wait_for(link, lambda view: view["keeps"])
        confirm(link, 25.0)
        wait_for(link, lambda view: view["answer"]["kept"])
        assert wait_for(other, lambda view: view["keeper"] is None), "two people, and nobody knows who signs there"
    rows = read_recordings(folder).rows
    assert [(row.label, row.signer, row.notes) for row in rows] == [
        ("000", "anna", "answered 000"),
        ("000", "ben", "answered 000"),
    ]


def test_nothing_is_recorded_without_keep_or_without_consent(recording, tmp_path):
    served, folder = recording
    with Guest(served).link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        ask(link, "take", sign="hello")
        assert own(link, lambda view: view["fault"])["fault"] == "say first who signs"
        begin(link)
        read_recordings(folder).remove_signer("anna")
        assert "allows no recordings any more" in take(link, 5.0)["fault"]
        assert not read_recordings(folder).rows
    with serving(seats=1) as other, Guest(other).link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        ask(link, "signer", name="anna", scope=ALL)
        ask(link, "take", sign="hello")
        assert wait_for(link, lambda view: view["state"] == "idle")["own"] is None
        assert b"own-person" not in Guest(other).get("/")[1]


def test_orders_of_any_shape_end_no_session(recording):
    with Guest(recording[0]).link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        for what in ([], {}, None):
            link.send(json.dumps({"do": what}))
        ask(link, "signer", name="anna", scope=[[], {}, *ALL])
        assert own(link, lambda view: view["signer"] or view["fault"])["signer"] == "anna"


def test_keep_makes_a_folder_of_recordings(tmp_path):
    assert webdemo.open_keeping(None, None) == (None, None)
    keeper, folder = webdemo.open_keeping(tmp_path / "new", None)
    assert keeper is None and folder.folder == tmp_path / "new"
    folder.allow("anna", ["training"], "anna")
    keeper, folder = webdemo.open_keeping(tmp_path / "new", None)
    assert Keeping(keeper, folder).keeper_of("").signer == "anna", "the only one who is there"
    folder.allow("ben", ["training"], "ben")
    assert webdemo.open_keeping(tmp_path / "new", None)[0] is None, "whose corrections would it be?"
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "text.txt").write_text("x", encoding="utf-8")
    with pytest.raises(webdemo.Problem, match="neither recordings"):
        webdemo.open_keeping(tmp_path / "other", None)
