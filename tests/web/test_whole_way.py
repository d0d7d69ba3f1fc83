"""One person's whole way through the page, with real signs, networks and learning: teach three signs by the keyboard
alone, learn, have another person's named, correct one, pass the model on, and on a phone by fingers go back."""

import csv
import functools
import json
import shutil

from signs.clips.spec import resize_short_side
from signs.clips.video import read_video
from signs.inference.shared import open_model
from signs.live.model_choice import STARTER
from signs.prepare.recordings import read_recordings
from signs.web import visit
from signs.web.own_folder import OwnFolder
from signs.web.teacher import Teacher

import numpy as np
import pytest
from served import serving

import scene
import tiny
import webdemo
from browser import Tab, need_chromium, opened, write_camera

SIGNS = ("shrug", "stop", "left")
TAUGHT_BY, ANOTHER = "S1", "S2"
SECONDS = 1.5  # of a take, and of a recording
CAMERA_RATE, SLOW = 30, 7.0  # Chromium plays its camera's file at this rate; pictures a second that the page sends
BUSY = 900.0  # seconds that learning may take on a machine with other work
STATE = "document.getElementById('state').className"


def said(name: str) -> str:
    return f"document.getElementById('{name}').textContent"


@pytest.fixture(scope="module")
def clips(shared) -> dict:
    """{(sign, person): (T, H, W, 3) uint8 RGB}, a sign in SECONDS of the camera."""
    rows = csv.DictReader(shared("clips/gestures.csv").open(encoding="utf-8"))
    wanted = {(row["label"], row["signer"]): row["video"] for row in rows if row["distance"] == "1m"}
    chosen = {}
    for key in [(sign, signer) for sign in SIGNS for signer in (TAUGHT_BY, ANOTHER)]:
        frames, _ = read_video(shared("clips") / wanted[key])
        played = np.linspace(0, len(frames) - 1, round(SECONDS * CAMERA_RATE)).round().astype(int)
        chosen[key] = np.stack([resize_short_side(frame, 240) for frame in frames[played]])
    return chosen


@pytest.fixture
def page(clips, tmp_path, monkeypatch):
    """(a page in Chromium, the site, what puts a clip before its camera): webdemo.py --keep, with an earlier model."""
    need_chromium()
    scene.real_networks()
    monkeypatch.setattr(visit, "COUNTDOWN", 0.3)
    monkeypatch.setattr(visit, "RECORDING", SECONDS)
    model = tmp_path / "model"
    shutil.copytree(STARTER, model)  # which stands in for what was learnt before
    about = json.loads((model / "bundle.json").read_text(encoding="utf-8"))
    (model / "bundle.json").write_text(json.dumps({**about, webdemo.LEARNT: "earlier"}), encoding="utf-8")
    opener = functools.partial(webdemo.load, model, "auto")
    teacher = Teacher(tiny.REPOSITORY, tmp_path / "mine", tmp_path / "data", model, opener)

    def show(sign: str, signer: str):
        write_camera(tmp_path / "camera.mjpeg.new", clips[sign, signer]).replace(tmp_path / "camera.mjpeg")

    show(SIGNS[0], TAUGHT_BY)
    with serving(seats=1, own=OwnFolder(tmp_path / "mine"), teacher=teacher, opener=opener) as served:
        served.site.lobby._frames = SLOW
        with opened(served.address, tmp_path, camera=tmp_path / "camera.mjpeg") as tab:
            tab.wait_for("location.search === '' && document.getElementById('camera-start').dataset.does")
            yield tab, served, show


def reach(tab: Tab, name: str) -> None:
    """Tab until the focus is there, as somebody does who has no mouse."""
    for _ in range(80):
        if tab.run("document.activeElement.id") == name:
            return
        tab.key("Tab")
    raise AssertionError(f"Tab does not reach {name}")


def press(tab: Tab, name: str) -> None:
    """By the keyboard alone."""
    tab.wait_for(f"!document.getElementById('{name}').disabled && !document.getElementById('{name}').hidden")
    reach(tab, name)
    tab.key("Enter")


def restart_camera(tab: Tab, push) -> None:
    """The camera's file is opened anew."""
    if tab.run("!document.getElementById('camera-stop').hidden"):
        push("camera-stop")
    push("camera-start")
    tab.wait_for("document.getElementById('curtain').hidden")


def teach(tab: Tab, show) -> None:
    """Three signs by the keyboard alone."""
    reach(tab, "own-name")
    tab.type("anna\r")
    tab.wait_for("document.activeElement.id === 'own-asked'")
    for _ in range(3):  # for training, for loops, to be passed on
        tab.key("Tab")
        tab.key(" ")
    press(tab, "own-given")
    tab.wait_for("document.activeElement.id === 'own-sign'")
    for number, sign in enumerate(SIGNS):
        show(sign, TAUGHT_BY)
        restart_camera(tab, functools.partial(press, tab))
        if not number:
            reach(tab, "own-seconds")
            tab.key("Backspace")
            tab.type(f"{SECONDS:g}")
        reach(tab, "own-sign")
        tab.run("document.activeElement.select()")
        tab.type(f"{sign}\r")
        tab.wait_for(f"{said('own-said')}.startsWith('Take 1 of {sign} is kept.') || {said('own-fault')}")
        assert not tab.run(said("own-fault"))


def named(tab: Tab, show, sign: str) -> str:
    """What the page says of another person's sign, by clicks or taps."""
    show(sign, ANOTHER)
    restart_camera(tab, lambda name: tab.click(f"#{name}"))
    tab.click("#start")
    tab.wait_for(f"{STATE} === 'recording'")
    tab.wait_for(f"{STATE} === 'result' && !{said('best')}.startsWith('No answer')")
    return tab.run("document.querySelector('#three bdi').textContent")


def wait_learnt(tab: Tab) -> None:
    tab.wait_for(f"{said('learn-said')}.startsWith('Done.') || {said('learn-fault')}", BUSY)
    assert not tab.run(said("learn-fault")), tab.run(said("learn-lines"))


def signs_of(tab: Tab) -> list[str]:
    about = json.loads(tab.run("fetch('/about.json').then(answer => answer.text())"))
    return [sign["name"] for sign in about["signs"]]


def wait_anew(tab: Tab, signs: int) -> None:
    """The page is loaded with a model of so many signs."""
    count = "document.querySelector('#signs-title span').textContent"
    tab.wait_for(f"document.readyState === 'complete' && {count} === '{signs}'")


def test_teach_learn_recognise_correct_share_and_go_back(page, tmp_path):
    tab, served, show = page
    assert len(signs_of(tab)) == 30
    teach(tab, show)
    rows = read_recordings(tmp_path / "mine").rows
    assert [(row.label, row.signer) for row in rows] == [(sign, "anna") for sign in SIGNS]
    press(tab, "learn-go")
    wait_learnt(tab)
    press(tab, "learn-anew")
    wait_anew(tab, 3)
    assert set(signs_of(tab)) == set(SIGNS)

    right = [named(tab, show, sign) == sign for sign in SIGNS]
    assert sum(right) >= 2, "another person's signs, of one take each"
    tab.click("#three li:nth-child(2) button")
    second = tab.run("document.querySelector('#three li:nth-child(2) bdi').textContent")
    tab.wait_for(f"{said('truth')}.startsWith('It was') && {said('history')}.length")
    tab.click("[data-do=name]")
    tab.type("goodbye\r")
    tab.wait_for(f"{said('truth')} === 'It was: goodbye'")
    table = tab.run("fetch('/answers.csv').then(answer => answer.text())").splitlines()
    assert len(table) == 4 and table[-1].endswith(",goodbye") and second

    tab.ask("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "downloads"))
    tab.click("#learn-share")
    tab.wait_for(f"{said('learn-said')}.startsWith('The file model.zip') || {said('learn-fault')}")
    assert not tab.run(said("learn-fault"))
    bundle = open_model(wait_whole(tab, tmp_path / "downloads" / "model.zip"))
    assert sorted(row.name for row in bundle.classes if row.kind == "gesture") == sorted(SIGNS)

    tab.look(390, dark=True, height=844, phone=True)
    assert tab.wait_for("innerWidth") == 390 and tab.run("document.documentElement.scrollWidth") == 390
    assert named(tab, show, SIGNS[0]) in {row.name for row in bundle.classes}
    tab.click("[data-do=nothing]")
    tab.wait_for(f"{said('truth')} === 'It was no sign'")
    tab.click("#learn-back")
    wait_learnt(tab)
    tab.click("#learn-anew")
    wait_anew(tab, 30)
    assert len(signs_of(tab)) == 30, "the model before"
    assert tab.faults == []


def wait_whole(tab: Tab, path):
    """A download that has ended: until then it has another name."""
    for _ in range(200):
        if path.is_file():
            return path
        tab.run("new Promise(done => setTimeout(done, 50))")
    raise AssertionError(f"no {path.name}, but {[each.name for each in path.parent.iterdir()]}")
