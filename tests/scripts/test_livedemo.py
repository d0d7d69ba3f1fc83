import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs import command
from signs.clips.video import iter_video, read_video
from signs.command import Problem
from signs.live import model_choice

import cv2
import numpy as np
import pytest

import fake_recogniser
import livedemo
import tiny
import videocapture
from videocapture import FoundCamera

# The script as it is, with the stand-in for the networks.
RUN = f"""import sys
sys.path[:0] = [{str(tiny.REPOSITORY)!r}, {str(tiny.REPOSITORY / "tests")!r}]
sys.argv[0] = "livedemo.py"
import fake_recogniser
fake_recogniser.Session.delay = 0.3
sys.modules["signs.inference.recogniser"] = fake_recogniser
import livedemo; from signs import command
sys.exit(command.run(livedemo.main))
"""


@pytest.fixture
def video(tmp_path) -> Path:
    return fake_recogniser.write_video(tmp_path / "clip.avi")


def test_the_session_gets_the_files_frames_as_they_are(video):
    frames, times = read_video(video)
    recogniser = fake_recogniser.Recogniser()
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video) as source:
        livedemo.record_once(fake_recogniser.demo_of(recogniser, source, worker, seconds=1.05))
    (session,) = recogniser.sessions
    assert session.length == 1.05
    np.testing.assert_allclose(np.array(session.times) - session.times[0], times[:11], atol=1e-9, err_msg="1.05 s")
    assert np.array_equal(np.stack(session.frames), frames[:11]), "neither mirrored nor altered"


def test_a_recording_ends_with_the_file_and_can_be_repeated(video):
    recogniser = fake_recogniser.Recogniser()
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video, paced=True) as source:
        demo = fake_recogniser.demo_of(recogniser, source, worker, countdown=0.1)
        demo.step()
        for _ in range(2):
            demo.mode.start()
            until = time.monotonic() + 60
            while demo.mode.state != "result" and time.monotonic() < until:
                demo.step(0.02)
            assert demo.mode.state == "result"
    first, second = (np.array(session.times) for session in recogniser.sessions)
    np.testing.assert_allclose(second - second[0], first - first[0], atol=1e-9)
    assert all(np.array_equal(one, other) for one, other in zip(*(s.frames for s in recogniser.sessions), strict=True))
    assert [len(session.times) for session in recogniser.sessions] == [20, 20]


def test_a_failed_translation_is_a_problem_without_window(video, monkeypatch):
    monkeypatch.setattr(fake_recogniser.Session, "failure", "the model has no streams")
    with ThreadPoolExecutor(1) as worker, videocapture.open_source(video=video) as source:
        with pytest.raises(Problem, match="no streams"):
            livedemo.record_once(fake_recogniser.demo_of(fake_recogniser.Recogniser(), source, worker))


def test_no_window_prints_the_ranked_answer(video, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(livedemo, "Recogniser", fake_recogniser.Recogniser)
    assert livedemo.main(["--model", str(tmp_path), "--video", str(video), "--no-window"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "recorded 20 frames, bright on the left"
    assert [" ".join(line.split()) for line in out[1:4]] == ["1 push down 70.0%", "2 wave 20.0%", "3 none 10.0%"]
    assert out[4] == "rgb: push down 70.0%   flow: wave 90.0%"
    assert "20 frames in 1.9 s; answer 0." in out[5]


def test_no_window_says_what_is_odd_about_its_video(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(livedemo, "Recogniser", fake_recogniser.Recogniser)
    still = tiny.encode(tmp_path / "still.mp4", tiny.moving(1, 240, 320).repeat(20, axis=0))
    assert livedemo.main(["--model", str(tmp_path), "--video", str(still), "--no-window"]) == 0
    assert capsys.readouterr().err == f"{still}: one picture from start to end\n"


def test_a_camera_without_window_counts_down_on_the_terminal(tmp_path, monkeypatch, capsys):
    class Device:
        released = threading.Event()

        def isOpened(self):
            return True

        def read(self):
            time.sleep(0.02)
            return True, np.zeros((48, 64, 3), np.uint8)

        def release(self):
            self.released.set()

    monkeypatch.setattr(livedemo, "Recogniser", fake_recogniser.Recogniser)
    monkeypatch.setattr(videocapture, "open_camera", lambda index: Device())
    flags = ["--model", str(tmp_path), "--no-window", "--countdown", "0.3", "--seconds", "0.3"]
    assert livedemo.main(flags) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == ["1", "recording", "translating"] and out[-1].endswith("rgb 0.10 s)")
    assert Device.released.wait(1)


def test_ctrl_c_is_one_line_and_releases_the_source(video, tmp_path, monkeypatch, capsys):
    def stop(demo):
        raise KeyboardInterrupt

    monkeypatch.setattr(livedemo, "Recogniser", fake_recogniser.Recogniser)
    monkeypatch.setattr(livedemo, "record_once", stop)
    assert livedemo.main(["--model", str(tmp_path), "--video", str(video), "--no-window"]) == command.STOPPED
    assert capsys.readouterr().err == "livedemo.py: stopped\n"
    assert not [thread for thread in threading.enumerate() if thread.name == str(video)]


def script(*flags, **environment) -> subprocess.CompletedProcess:
    environment = {**os.environ, **environment}
    for name in [name for name, value in environment.items() if value is None]:
        del environment[name]
    return subprocess.run([sys.executable, "-c", RUN, *flags], capture_output=True, text=True, env=environment)


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be missing")
@pytest.mark.parametrize("display", [None, ":4711"])
def test_no_display_is_one_line(video, tmp_path, display):
    done = script("--model", str(tmp_path), "--video", str(video), DISPLAY=display, WAYLAND_DISPLAY=None)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith("livedemo.py: no ") and done.stderr.count("\n") == 1 and "--no-window" in done.stderr


def test_a_missing_model_and_a_bad_flag_are_one_line(video, tmp_path):
    done = script("--model", str(tmp_path / "none"), "--video", str(video), "--no-window")
    assert done.returncode == 2 and "no such folder" in done.stderr and done.stderr.count("\n") == 1
    done = script("--model", str(tmp_path), "--seconds", "0")
    assert done.returncode == 2 and "--seconds" in done.stderr and "0: above 0" in done.stderr


def test_a_sign_in_a_real_window(display, video, tmp_path):
    flags = ["--model", str(tmp_path), "--video", str(video), "--countdown", "0.2", "--seconds", "1"]
    with tiny.window(display, "-c", RUN, *flags, "--font-size", "1.4") as (process, tell):
        time.sleep(1)  # the networks come while the picture is there already
        tell("key", "r")
        assert process.stdout.readline() == "no answer yet\n"
        tell("key", "space")
        assert process.stdout.readline() == "recorded 11 frames, bright on the left\n", "mirrored on screen only"
        line = ""
        while not line.startswith("push down, 70 percent"):  # the window needs a moment to have it
            time.sleep(0.2)
            tell("key", "r")
            line = process.stdout.readline()
            assert line in ("no answer yet\n", "push down, 70 percent\n")
        tell("key", "m")
        tell("key", "f")
        tell("key", "space")
        assert process.stdout.readline().startswith("recorded 11 frames")
        tell("key", "q")
        _, error = process.communicate(timeout=60)
        assert process.returncode == 0 and error == ""


def test_ctrl_c_in_a_real_window(display, video, tmp_path):
    with tiny.window(display, "-c", RUN, "--model", str(tmp_path), "--video", str(video)) as (process, _):
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == "livedemo.py: stopped\n"
        assert process.returncode == command.STOPPED


def test_no_model_is_the_starter_or_that_of_the_demo(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(model_choice, "DEMO", tmp_path / "demo")
    monkeypatch.setattr(model_choice.models, "fetch", lambda: None)
    assert model_choice.find_model(None) == model_choice.STARTER
    assert "30 signs of German Sign Language (`?` shows them)" in capsys.readouterr().out

    def offline():
        raise Problem("mediapipe cannot be fetched")

    monkeypatch.setattr(model_choice.models, "fetch", offline)
    with pytest.raises(Problem, match="cannot be fetched; or name a model of your own with --model"):
        livedemo.main(["--no-window"])
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "bundle.json").touch()
    assert model_choice.find_model(None) == tmp_path / "demo"
    assert "cannot see hands (mediapipe cannot be fetched)" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    assert model_choice.find_model(tmp_path / "mine") == tmp_path / "mine"
    with pytest.raises(Problem, match="none: no such folder"):
        model_choice.find_model(tmp_path / "none")


def test_the_cameras_are_listed_with_a_picture(tmp_path, monkeypatch, capsys):
    picture = np.full((48, 64, 3), (200, 10, 20), np.uint8)
    found = [FoundCamera(0, "Front", picture, 29.6), FoundCamera(2, "Infrared", problem="may not be read")]
    monkeypatch.setattr(videocapture, "find_cameras", lambda: found)
    monkeypatch.chdir(tmp_path)
    assert livedemo.main(["--camera", "list"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out == [
        "0  Front: 64x48, 30 frames/s -> camera-0.png",
        "2  Infrared: may not be read",
        "python livedemo.py --camera 0",
    ]
    assert cv2.imread("camera-0.png")[0, 0].tolist() == [20, 10, 200]
    monkeypatch.setattr(videocapture, "find_cameras", list)
    with pytest.raises(Problem, match="camera 0"):
        livedemo.main(["--camera", "list"])


def test_a_file_that_differs_from_the_cameras_path_is_said(video, tmp_path, monkeypatch, capsys):
    """--check in earnest is in test_export.py; here the two paths disagree."""

    class Wrong(fake_recogniser.Recogniser):
        def answer_video(self, path):
            session = self.session()
            session.frames = [frame for frame, _ in iter_video(path)]
            found = session.result()
            found.logits = {name: logits + 0.5 for name, logits in found.logits.items()}
            return found, []

    monkeypatch.setattr(fake_recogniser, "Recogniser", Wrong)
    monkeypatch.setattr(livedemo, "Recogniser", fake_recogniser.Recogniser)
    assert livedemo.main(["--model", str(tmp_path), "--video", str(video), "--check"]) == 2
    assert "camera and file differ (keras; 0.5, at most 0.001)" in capsys.readouterr().out
