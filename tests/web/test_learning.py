"""Learning from the page: the script runs once at a time, its lines are text, and the model is for who comes then."""

import json
import os
import tempfile
import textwrap
import time

from signs.clips.dataset import Label
from signs.web.own_folder import OwnFolder
from signs.web.teacher import Teacher

import pytest
import served as pages
from served import Guest, serving, wait_for

import tiny

# In learn.py's place: what the page needs of it. That learn.py learns is tests/scripts/test_learn.py's.
SCRIPT = textwrap.dedent(
    """
    import pathlib, sys, time
    flags = dict(zip(sys.argv[1:], sys.argv[2:]))
    model = pathlib.Path(flags["--model"])
    print("<b>looking</b>\\x1b[2J", flush=True)
    print("step 1 of 3: the videos", flush=True)
    while (model.parent / "wait").exists():
        time.sleep(0.02)
    if (model.parent / "crash").exists():
        raise ValueError("a fault of the program")
    if (model.parent / "above").exists():
        print((model.parent / "above").read_text(), file=sys.stderr)
        sys.exit(2)
    if (model.parent / "fail").exists():
        print("learn.py: %s/x: fewer than two signs; record a second one" % flags["--data"], file=sys.stderr)
        sys.exit(2)
    if (model.parent / "same").exists():
        print("ready after 1 s: x", flush=True)
        sys.exit()
    model.mkdir(exist_ok=True)
    (model / "bundle.json").write_text(" ".join(sys.argv[1:]))
    data = pathlib.Path(flags["--data"])
    said = f"about 5 of ten\\n`python learn.py --model {model} --back` helps\\nodd; record it again: {data}/a b.avi"
    (model / "report.txt").write_text(said)
    print("ready after 2 s: x", flush=True)
    while (model.parent / "wait longer").exists():
        time.sleep(0.02)
    """
)
SHARE = 'import sys; open(sys.argv[4], "w").write(" ".join(sys.argv[1:]))'


class Newer(pages.Recogniser):
    classes = [Label(row.label, f"new {row.name}", row.kind) for row in pages.CLASSES]


@pytest.fixture
def learning(tmp_path):
    """(a page that can learn, its teacher)."""
    (tmp_path / "learn.py").write_text(SCRIPT, encoding="utf-8")
    folder = tmp_path / "mine"
    teacher = Teacher(tmp_path, folder, tmp_path / "data", tmp_path / "model", Newer)
    with serving(seats=2, own=OwnFolder(folder), teacher=teacher) as served:
        yield served, teacher


def state_of(guest: Guest) -> dict:
    response, body = guest.get("/learn.json")
    assert response.status == 200
    return json.loads(body)


def ended(guest: Guest) -> dict:
    until = time.monotonic() + 60
    while (state := state_of(guest))["running"]:
        assert time.monotonic() < until
        time.sleep(0.05)
    return state


def test_the_new_model_is_for_whoever_comes_then(learning, tmp_path):
    served, teacher = learning
    guest = Guest(served)
    (tmp_path / "wait").touch()
    with guest.link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        assert not state_of(guest)["learnt"]
        assert guest.post("/learn", {"do": "learn"})[0].status == 200
        assert guest.post("/learn", {"do": "learn"})[0].status == 409, "one at a time"
        (tmp_path / "wait").unlink()
        state = ended(guest)
        assert state["ended"] == "done" and state["lines"] == [
            "<b>looking</b>\\x1b[2J",
            "step 1 of 3: the videos",
            "ready after 2 s: x",
        ]
        assert (tmp_path / "model" / "bundle.json").read_text().split() == [
            *("--videos", str(tmp_path / "mine"), "--data", str(tmp_path / "data"), "--model", str(tmp_path / "model"))
        ]
        assert state["older"], "who signs goes on with the model that he has"
        visit = served.site.lobby.visitors[guest.cookie.partition("=")[2].split(".")[0]].visit
        assert visit.seat.names["000"] == "dark"
    guest.get("/")
    about = json.loads(guest.get("/about.json")[1])
    assert about["signs"][0]["name"] == "new dark"
    with guest.link() as link:
        wait_for(link, lambda view: view["at"] == "live" and view["state"] == "idle")
        visit = served.site.lobby.visitors[guest.cookie.partition("=")[2].split(".")[0]].visit
        assert visit.seat.names["000"] == "new dark" and not state_of(guest)["older"]
    assert guest.post("/learn", {"do": "back"})[0].status == 200
    assert ended(guest)["ended"] == "done"
    assert (tmp_path / "model" / "bundle.json").read_text().split()[0] == "--back"


def test_a_failure_is_its_last_line(learning, tmp_path):
    served, _ = learning
    guest = Guest(served)
    (tmp_path / "fail").touch()
    assert guest.post("/learn", {"do": "learn"})[0].status == 200
    assert not state_of(guest)["enough"], "the page says so before"
    state = ended(guest)
    assert state["ended"] == "failed" and state["last"].startswith("learn.py: data: fewer than two signs")
    assert not state["older"] and json.loads(guest.get("/about.json")[1])["signs"][0]["name"] == "dark"
    for order in ({"do": "--help"}, {"do": ["learn"]}, {}):
        assert guest.post("/learn", order)[0].status == 400


FULL = "landmark.py: the disc is full; make room and run the same command again, it goes on from here"

NO_ROOM = (
    "prepare_videos.py: data: about 0.10 GB needed, 0.02 GB free on its disc; make room or choose another --output"
)


@pytest.mark.parametrize(
    ("above", "why"),
    [
        (f"{NO_ROOM}\nlearn.py: prepare_videos.py ended with 2; it says why above", "full"),
        (f"{FULL}\nlearn.py: landmark.py ended with 2; it says why above", "full"),
        ("learn.py: landmark.py ended with -9; it says why above", "killed"),
        ("landmark.py: no such clip\nlearn.py: landmark.py ended with 2; it says why above", ""),
    ],
)
def test_why_a_script_of_learn_py_failed_is_said(learning, tmp_path, above, why):
    served, _ = learning
    guest = Guest(served)
    (tmp_path / "above").write_text(above)
    guest.post("/learn", {"do": "learn"})
    state = ended(guest)
    assert (state["ended"], state["why"]) == ("failed", why)
    assert why == "killed" or state["last"] == above.splitlines()[0], "not that it is said above"


def test_learning_that_is_killed_or_breaks_is_no_model(learning, tmp_path):
    served, teacher = learning
    guest = Guest(served)
    (tmp_path / "crash").touch()
    guest.post("/learn", {"do": "learn"})
    state = ended(guest)  # with 1, as what has left something out
    assert (state["ended"], state["why"], state["last"]) == ("failed", "", "ValueError: a fault of the program")
    (tmp_path / "crash").unlink()
    (tmp_path / "wait").touch()
    guest.post("/learn", {"do": "learn"})
    until = time.monotonic() + 60
    while not state_of(guest)["step"]:
        assert time.monotonic() < until
    teacher._process.kill()
    state = ended(guest)
    assert (state["ended"], state["why"]) == ("failed", "killed" if os.name == "posix" else "")
    assert not state["learnt"] and not state["older"]


def test_learn_py_itself_is_run(tmp_path):
    """On a folder without recordings: what it says comes to the page."""
    teacher = Teacher(tiny.REPOSITORY, tmp_path / "none", tmp_path / "data", tmp_path / "model", Newer)
    with serving(seats=1, own=OwnFolder(tmp_path / "none"), teacher=teacher) as served:
        guest = Guest(served)
        guest.post("/learn", {"do": "back"})
        state = ended(guest)
        assert state["ended"] == "failed" and "no model there" in state["last"]


def test_the_model_is_downloaded_and_nothing_stays(learning, tmp_path, monkeypatch):
    served, _ = learning
    guest = Guest(served)
    assert guest.get("/model.zip")[0].status == 404, "nothing was learnt yet"
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    guest.post("/learn", {"do": "learn"})
    ended(guest)
    (tmp_path / "share.py").write_text(SHARE, encoding="utf-8")
    response, body = guest.get("/model.zip")
    assert response.status == 200 and response.getheader("content-type") == "application/zip"
    assert body.decode().split()[:2] == ["--model", str(tmp_path / "model")] and "--recordings" not in body.decode()
    (tmp_path / "mine").mkdir(exist_ok=True)
    (tmp_path / "mine" / "consent.csv").touch()
    assert guest.get("/model.zip")[1].decode().split()[-2:] == ["--recordings", str(tmp_path / "mine")]
    (tmp_path / "share.py").write_text("import sys; sys.exit('share.py: withdrawn')", encoding="utf-8")
    response, body = guest.get("/model.zip")
    assert response.status == 409 and json.loads(body) == {"problem": "share.py: withdrawn"}
    assert not list((tmp_path / "temporary").iterdir())


def test_without_keep_nothing_learns():
    with serving(seats=1) as served:
        guest = Guest(served)
        assert guest.get("/model.zip")[0].status == 404 and guest.get("/learn.json")[0].status == 404
        assert guest.post("/learn", {"do": "learn"})[0].status == 404
        assert b"learn-go" not in guest.get("/")[1]
        assert Guest(served, enter=False).post("/learn", {"do": "learn"}, Cookie=None)[0].status == 403


def test_the_model_that_the_page_began_with_comes_back(tmp_path):
    """Without learn.py, which knows of its own models alone."""
    (tmp_path / "learn.py").write_text(SCRIPT, encoding="utf-8")
    first = ("dgs", pages.Recogniser)
    teacher = Teacher(tmp_path, tmp_path / "mine", tmp_path / "data", tmp_path / "model", Newer, first)
    with serving(seats=1, own=OwnFolder(tmp_path / "mine"), teacher=teacher) as served:
        guest = Guest(served)

        def after(what: str) -> str:
            assert guest.post("/learn", {"do": what})[0].status == 200
            state = ended(guest)
            assert state["ended"] == "done" and state["before"], state
            until = time.monotonic() + 30
            wanted = "dark" if state["model"] == "dgs" else "new dark"
            while (name := json.loads(guest.get("/about.json")[1])["signs"][0]["name"]) != wanted:
                assert time.monotonic() < until, name
            return name

        assert not state_of(guest)["before"]
        assert [after(what) for what in ("learn", "back", "back", "back")] == ["new dark", "dark", "new dark", "dark"]
        assert after("learn") == "new dark"
        (tmp_path / "same").touch()
        assert after("learn") == "new dark", "nothing new: the model before is the same one still"
        assert after("back") == "dark"
        assert "--back" not in (tmp_path / "model" / "bundle.json").read_text()


def test_what_matters_is_said_without_folders_and_before_the_end(learning, tmp_path):
    served, _ = learning
    guest = Guest(served)
    (tmp_path / "wait").touch()
    (tmp_path / "wait longer").touch()
    guest.post("/learn", {"do": "learn"})
    until = time.monotonic() + 60
    while not (state := state_of(guest))["step"]:
        assert time.monotonic() < until
    assert state["step"] == "step 1 of 3: the videos" and not state["ready"] and not state["report"]
    (tmp_path / "wait").unlink()
    while not (state := state_of(guest))["ready"]:
        assert time.monotonic() < until
    assert state["running"], "the model is ready, and something more is made"
    assert state["report"] == ["about 5 of ten", "“The model before” helps", "odd; record it again"]
    (tmp_path / "wait longer").unlink()
    assert ended(guest)["report"] == state["report"]


def test_two_signs_are_enough_to_learn(learning):
    served, teacher = learning
    folder = served.site.lobby.own
    folder.allow("anna", ["training"], "anna")
    for sign, enough in (("hello", False), ("hello", False), ("goodbye", True)):
        folder.add(b"no video", sign, "anna", [])
        assert teacher.view()["enough"] == enough
    folder.add(b"no video", "nothing", "anna", [])
    assert teacher.view()["signs"] == ["hello", "goodbye"], "the page says before that these are all"
