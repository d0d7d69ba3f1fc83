"""What somebody says of an answer: kept where learn.py reads it, taken back, written down; faults are named."""

import csv
import errno
import shutil
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

from signs.clips.dataset import Label
from signs.clips.video import read_video
from signs.command import Problem
from signs.live import keys
from signs.live.continuous import Continuous
from signs.live.corrections import NOWHERE, AnswerTable, Corrections, no_signs
from signs.live.film import WAITING, Film
from signs.live.hands_free import HandsFree
from signs.live.layout import lay_out
from signs.live.screen import Screen
from signs.live.spoken import spoken
from signs.live.text_field import BACKSPACES, ENTERS, ESCAPES
from signs.prepare.keepers import answer_of, open_keeper
from signs.prepare.recordings import read_recordings
from signs.prepare.video_folder import read_folder
from signs.web.snapshot import answer_words

import numpy as np
import pytest

import fake_recogniser
import videocapture

RANKED = [("stop", 0.6), ("yes", 0.3), ("no", 0.1)]
ARABIC = "مرحبا"


@pytest.fixture
def film():
    """Two seconds of a picture that gets brighter, 10 frames/s."""
    film = Film(5.0)
    for number in range(20):
        film.add(np.full((48, 64, 3), 10 * number, np.uint8), number / 10)
    yield film
    film.close()


@pytest.fixture
def sign_folders(tmp_path) -> Path:
    folder = tmp_path / "my_signs"
    for label in ("stop", "yes"):
        fake_recogniser.write_video(folder / label / "one.avi")
    return folder


@pytest.fixture
def recorded(tmp_path) -> Path:
    recordings = read_recordings(tmp_path / "recordings")
    recordings.add_consent("anna", ["training"], "anna")
    return recordings.folder


def corrections_of(folder: Path | None, film: Film, table: Path | None = None, signer=None) -> Corrections:
    corrections = Corrections(open_keeper(folder, signer) if folder else None, AnswerTable(table) if table else None)
    corrections.said(RANKED, True, "countdown", 0.1, film.between(0.45, 1.52))
    return corrections


def test_a_gesture_may_be_called_nothing():
    rows = [Label("a", "wave"), Label("rest", "rest", "none")]
    assert no_signs(rows) == {"rest", "nothing"}
    assert no_signs([*rows, Label("nothing", "nothing at all")]) == {"rest"}


@pytest.mark.parametrize(
    ("kind", "words"), (("none", "no sign I know; it was no sign"), ("gesture", "N, 90 percent; it was N"))
)
def test_the_window_and_the_page_tell_no_sign_alike(kind, words):
    classes = [Label("nothing", "N", kind), Label("a", "wave")]
    corrections = Corrections(listed=True)
    corrections.said([("nothing", 0.9), ("a", 0.1)], True, "countdown", 0.1, None)
    corrections.choose(0)
    demo = SimpleNamespace(corrections=corrections, recogniser=SimpleNamespace(classes=classes))
    assert spoken(demo) == words
    said = answer_words(corrections.meant, classes, {row.label: row.name for row in classes})
    assert (said["none"], said["nothing"]) == ((kind == "none",) * 2)


def test_a_strip_holds_what_came_between_two_times_and_the_film_forgets(film, tmp_path):
    strip = film.between(0.45, 1.52)
    film.add(np.zeros((48, 64, 3), np.uint8), 90.0)
    assert not film.between(0.0, 2.0).frames
    (tmp_path / "strip.mp4").write_bytes(strip.video())
    frames, times = read_video(tmp_path / "strip.mp4")
    assert len(frames) == 11 and times == pytest.approx(np.arange(11) / 10, abs=1e-4)
    assert [frame.mean() for frame in frames] == pytest.approx([10 * number for number in range(5, 16)], abs=4)


def test_a_sign_is_kept_in_a_folder_of_signs_and_taken_back(film, sign_folders):
    corrections = corrections_of(sign_folders, film)
    corrections.choose(1)
    corrections.settle()
    kept = sign_folders / "yes" / "live_corrected_yes_1.mp4"
    assert corrections.message == "kept as yes" and corrections.kept == 1 and len(read_video(kept)[0]) == 11
    videos = read_folder(sign_folders, None)[0]
    assert sorted((video.label, video.path.name) for video in videos)[-1] == ("yes", "one.avi")
    assert ("yes", kept.name) in [(video.label, video.path.name) for video in videos]
    corrections.choose(0)  # no, it was the first
    corrections.settle()
    assert not kept.exists() and (sign_folders / "stop" / "live_right_stop_1.mp4").exists() and corrections.kept == 1
    corrections.be("hullo")
    corrections.settle()
    assert (sign_folders / "hullo").is_dir()
    corrections.take_back()
    corrections.settle()
    assert not (sign_folders / "hullo").exists(), "an empty folder would be a sign without videos"
    assert not list(sign_folders.glob("*/live*")) and corrections.kept == 0 and corrections.meant.truth is None
    corrections.be("  hello  ")
    corrections.settle()
    assert (sign_folders / "hello" / "live_corrected_hello_1.mp4").exists()


def test_a_sign_is_kept_in_recordings_of_who_allowed_it(film, recorded):
    corrections = corrections_of(recorded, film)
    corrections.be(ARABIC)
    corrections.settle()
    corrections.said(RANKED, False, "hands-free", 0.1, film.between(0, 1))
    corrections.be_nothing()
    corrections.settle()
    rows = read_recordings(recorded).rows
    assert [(row.signer, row.label, answer_of(row.notes)) for row in rows] == [
        ("anna", ARABIC, "stop"),
        ("anna", "nothing", "stop"),
    ]
    assert answer_of("too dark") is None
    corrections.take_back()
    corrections.settle()
    assert [row.label for row in read_recordings(recorded).rows] == [ARABIC]


def test_a_name_that_the_model_knows_is_that_sign_whatever_its_capitals(film, sign_folders):
    corrections = corrections_of(sign_folders, film)
    corrections.classes = fake_recogniser.CLASSES  # 001 is called wave, 003 none
    corrections.be("Wave")
    corrections.settle()
    assert corrections.meant.truth == "001"
    corrections.be_nothing()
    corrections.settle()
    assert corrections.meant.truth == "003" and [path.name for path in sign_folders.glob("*")].count("003") == 1
    for name in ("No Sign I Know", "NOTHING"):  # the words of the window, whatever the model knows
        corrections.choose(0)
        corrections.be(name)
        assert corrections.meant.truth == "003"
    for name in ("a/b", "..", "con"):
        corrections.be(name)
        corrections.settle()
        assert corrections.message.startswith("not kept: a sign's folder") and corrections.meant.truth == "003"
    corrections.be(" ")
    assert "a sign's name" in corrections.message


def test_the_answer_before_can_be_meant_too(film, sign_folders):
    corrections = corrections_of(sign_folders, film)
    for label in "abcdef":
        corrections.said([(label, 1.0)], True, "continuous", 0.1, film.between(0, 1))
    seen = []
    for _ in range(6):
        seen.append(corrections.meant.ranked[0][0])
        corrections.step_back()
    assert seen == ["f", "e", "d", "c", "b", "f"]
    corrections.choose(2)  # there is one answer
    assert corrections.meant.truth is None
    assert [answer.strip is None for answer in corrections.answers] == [True, True] + 5 * [False]


def test_without_a_folder_it_says_how(film):
    corrections = Corrections()
    corrections.choose(0)
    assert not corrections.message, "nothing was answered yet"
    corrections = corrections_of(None, film)
    corrections.choose(0)
    assert corrections.message == NOWHERE and corrections.meant.truth is None


def test_all_answers_stand_in_a_table(film, tmp_path, sign_folders):
    table = tmp_path / "answers.csv"
    corrections = corrections_of(sign_folders, film, table)
    corrections.said([("no", 0.8), ("=cmd()", 0.2)], False, "hands-free", 0.1, None)
    corrections.choose(1)
    corrections.step_back()
    corrections.choose(1)
    corrections.close()
    with open(table, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["answer"], row["sure"], row["second"], row["was"]) for row in rows] == [
        ("stop", "yes", "yes", "yes"),
        ("no", "no", "'=cmd()", "'=cmd()"),
    ], "no spreadsheet takes a name for a formula; without pictures it is noted, and not kept"
    assert rows[1]["kept"] == ""
    assert rows[0]["kept"].endswith("live_corrected_yes_1.mp4") and rows[0]["probability"] == "0.6000"
    again = Corrections(None, AnswerTable(table))
    again.said(RANKED, True, "countdown", 0.1, None)
    again.close()
    assert len(table.read_text().splitlines()) == 4, "a second session goes on below"
    (tmp_path / "other.csv").write_text("video,label\n")
    with pytest.raises(Problem, match="there already, and no table of answers"):
        AnswerTable(tmp_path / "other.csv")
    with pytest.raises(Problem, match="no such folder"):
        AnswerTable(tmp_path / "none" / "answers.csv")


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), PermissionError(13, "denied")])
def test_a_clip_that_cannot_be_kept_is_named_and_the_demo_goes_on(film, sign_folders, monkeypatch, error):
    corrections = corrections_of(sign_folders, film)

    def fail(*_arguments):
        raise error

    monkeypatch.setattr(corrections.keeper, "keep", fail)
    corrections.choose(1)
    corrections.settle()
    assert corrections.message.startswith("not kept: ") and corrections.meant.truth is None and corrections.kept == 0


def test_folders_that_cannot_take_a_sign_are_refused(tmp_path, recorded, sign_folders):
    (tmp_path / "file").write_text("x")
    (tmp_path / "empty").mkdir()
    people = read_recordings(tmp_path / "people")
    for signer in ("anna", "ben"):
        people.add_consent(signer, ["training"], signer)
    for folder, signer, said in (
        (tmp_path / "none", None, "no such folder"),
        (tmp_path / "file", None, "a file"),
        (tmp_path / "empty", None, "neither recordings"),
        (people.folder, None, "say with --signer who signs"),
        (people.folder, "carl", "carl allowed no recordings there"),
        (sign_folders, "a/b", "--signer"),
        (recorded, "", "--signer"),
    ):
        with pytest.raises(Problem, match=said):
            open_keeper(folder, signer)
    assert open_keeper(people.folder, "BEN").signer == "ben" and open_keeper(recorded, None).signer == "anna"


class Windowed:
    """A demo that has answered, its screen, and keys."""

    def __init__(self, demo):
        self.demo, self.screen, self.full = demo, Screen(demo), 0

    def press(self, *codes) -> list[bool]:
        return [
            keys.press(ord(code) if isinstance(code, str) else code, self.demo, self.screen, self) for code in codes
        ]

    def toggle_full_screen(self):
        self.full += 1


def test_keys_and_clicks_correct_while_the_demo_runs(tmp_path, sign_folders):
    """A whole sign of a video file: answered, corrected by click, by name, taken back."""
    video = fake_recogniser.write_video(tmp_path / "clip.avi")
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video, paced=False) as source:
        demo = fake_recogniser.demo_of(fake_recogniser.Recogniser(), source, worker, seconds=1.5)
        demo.film = Film(10)
        demo.corrections.keeper = open_keeper(sign_folders, None)
        demo.step(wait=1.0)
        window = Windowed(demo)
        assert window.press("1", "b", "n", "0", "u", "x", None) == [False] * 7 and window.screen.typed is None
        demo.mode.start()
        until = time.monotonic() + 10
        while demo.mode.state != "result" and time.monotonic() < until:
            demo.step(wait=0.02)
        window.screen.draw((900, 560))
        left, top, wide, high = lay_out(window.screen._size, window.screen._shape).panel.rows[1]
        keys.click((round(left + wide / 2), round(top + high / 2)), demo, window.screen)
        keys.click((5, 5), demo, window.screen)
        keys.click(None, demo, window.screen)
        demo.corrections.settle()
        kept = sign_folders / "001" / "live_corrected_001_1.mp4"
        assert len(read_video(kept)[0]) == 16, "all frames of 1.5 s at 10 a second"
        window.press("n", *"hi", BACKSPACES[0], *"ello", ENTERS[0])
        demo.corrections.settle()
        assert (sign_folders / "hello" / "live_corrected_hello_1.mp4").exists() and not kept.exists()
        window.press("n", *"qqq", ESCAPES[0], "u")
        demo.corrections.settle()
        assert not list(sign_folders.glob("*/live*"))
        window.press("i", "f", "m", "?")
        assert window.screen.details and window.full == 1 and not window.screen.mirror and window.screen.page == 0
        assert window.screen.draw((900, 560)).shape == (560, 900, 3)
        assert window.press("q") == [False] and window.screen.page is None and window.press("q") == [True]
        demo.close()


def test_a_key_ends_a_movement_that_led_to_it():
    mode = HandsFree(fake_recogniser.Recogniser(), None)
    mode.enter("recording")
    mode.set_aside()
    assert mode.state == "ready"
    mode.enter("translating")
    mode.set_aside()
    assert mode.state == "translating"


def test_in_continuous_mode_too(monkeypatch):
    with ThreadPoolExecutor(1) as worker:
        mode = Continuous(fake_recogniser.Recogniser(), worker, 2.0)
        said = []
        monkeypatch.setattr(mode, "remember", lambda label, known: said.append(label))
        for aside in (False, True):
            mode.take(np.zeros((48, 64, 3), np.uint8), 1.0 + aside, None)
            mode._aside = False  # as when a movement begins
            if aside:
                mode.set_aside()
            mode.reporter.push(np.array([0.9, 0.05, 0.05]), 1.0, waits=True)
            mode.reporter.push(np.array([0.9, 0.05, 0.05]), 3.0, waits=True)
            mode._finish(1.0)
        mode.close()
    assert said == ["001"]


def test_what_was_taken_for_no_sign_can_be_corrected_too(sign_folders):
    """It does not stand among the signs so far, but it is an answer."""
    with ThreadPoolExecutor(1) as worker:
        demo = fake_recogniser.demo_of(fake_recogniser.Recogniser(), None, worker)
        demo.modes = demo.build(demo.recogniser)
        mode = demo.mode = demo.modes["countdown"]
        mode.session = demo.recogniser.session()
        mode.enter("translating")
        nothing = fake_recogniser.Answer([("003", 0.9), ("001", 0.1)], {}, {}, np.zeros((1, 4, 4, 3)), None, {})
        mode.answered(nothing)
        demo._note_answer()
        demo._note_answer()
        assert mode.state == "result" and not mode.history
        assert [answer.ranked[0] for answer in demo.corrections.answers] == [("003", 0.9)]
        demo.close()


def test_who_is_deleted_meanwhile_is_not_kept_again(film, recorded, sign_folders):
    corrections = corrections_of(recorded, film)
    read_recordings(recorded).remove_signer("anna")
    corrections.choose(1)
    corrections.settle()
    assert "anna allows no recordings" in corrections.message and not read_recordings(recorded).rows
    assert corrections.faults and corrections.kept == 0
    corrections = corrections_of(sign_folders, film)
    shutil.rmtree(sign_folders)
    corrections.choose(1)
    corrections.settle()
    assert "is there no more" in corrections.message and not sign_folders.exists()


def test_a_correction_that_fails_leaves_what_was_kept(film, sign_folders, monkeypatch):
    corrections = corrections_of(sign_folders, film)
    corrections.choose(1)
    corrections.settle()
    for name in ("a/b", ".."):
        corrections.be(name)
        corrections.settle()
        assert corrections.meant.truth == "yes" and corrections.kept == 1 and corrections.meant.path.exists()

    def locked(_path):
        raise Problem("another run is writing there")

    with monkeypatch.context() as patched:
        patched.setattr(corrections.keeper, "forget", locked)
        corrections.take_back()
        corrections.settle()
        assert corrections.meant.truth == "yes" and corrections.meant.path.exists()
    corrections.take_back()
    corrections.settle()
    assert corrections.kept == 0 and corrections.meant.path is None


def test_other_folders_are_not_taken_for_signs(tmp_path):
    (tmp_path / "model" / "export").mkdir(parents=True)
    (tmp_path / "model" / "export" / "form.bin").write_bytes(b"x")
    with pytest.raises(Problem, match="neither recordings"):
        open_keeper(tmp_path / "model", None)


def test_keys_that_are_no_letters_are_none():
    """Cursor keys and the like have numbers whose low byte is a letter's."""
    assert [keys.key_of(code) for code in (0xFF51, 0xFF55, 0xFF63, 0x250000, 0xFFE1, None)] == [""] * 6
    assert keys.key_of(ord("Q")) == "q" and keys.key_of(0x100000 | ord("c")) == "c" and keys.key_of(27) == "q"


def test_a_film_that_cannot_follow_holds_few_frames(monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr("signs.live.film.coded", lambda frame: stop.wait(5))
    film = Film(60.0)
    for number in range(200):
        film.add(np.zeros((4, 4, 3), np.uint8), number / 30)
    assert len(film._frames) <= WAITING + 1
    stop.set()
    film.close()
