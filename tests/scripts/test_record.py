"""record.py itself, in a real window with real keys; a video file or a made-up camera stands before it."""

import math
import signal
import sys
import time
from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset
from signs.clips.video import read_video
from signs.command import Problem
from signs.prepare.recordings import Recordings, read_recordings

import numpy as np
import pytest

import landmark
import prepare_videos
import record
import scene
import tiny

ARABIC = "مرحبا"
CONSENT = ["--signer", "anna", "--consent", "training,loops", "--given-by", "her mother"]
QUICK = ["--countdown", "0.2", "--seconds", "0.5", "--takes", "3"]
# The script where the networks that find points are not there: a session begins some seconds sooner.
RUN = f"""import pathlib, sys
sys.path.insert(0, {str(tiny.REPOSITORY)!r})
sys.argv[0] = "record.py"
from signs import command
from signs.landmarks import models
models.check_there.__defaults__ = models.missing.__defaults__ = (pathlib.Path("none"),)
import record
{{}}
sys.exit(command.run(record.main))
"""
# A camera of 20 pictures a second that is unplugged after so many seconds, or when a file is there.
CAMERA = """
import time, videocapture, numpy
pictures = numpy.random.default_rng(0).integers(60, 255, (8, 48, 64, 3), numpy.uint8)
class Device:
    number = 0
    def isOpened(self): return True
    def read(self):
        time.sleep(0.05)
        self.number += 1
        gone = pathlib.Path({gone!r}).exists()
        return not gone, None if gone else pictures[self.number % 8]
    def release(self): pass
videocapture.open_camera = lambda index: Device()
videocapture.Camera.__init__.__defaults__ = (None, 1.0, 1.0)
"""


@pytest.fixture(scope="module")
def films(tmp_path_factory) -> list[Path]:
    """Four videos of a second each, two of uneven pace."""
    folder = tmp_path_factory.mktemp("films")
    images = np.repeat(np.repeat(tiny.moving(14, 48, 64), 4, axis=1), 4, axis=2)
    uneven = [0, 40, 200, 210, 300, 410, 480, 530, 600, 660, 700, 740, 790, 900]
    paces = [{"rate": 15}, {"times": uneven}] * 2
    seen = images, images[:, :, ::-1], images[:, ::-1], images[:, ::-1, ::-1]
    pairs = zip(seen, paces, strict=True)
    return [tiny.encode(folder / f"{number}.mp4", shown, **pace) for number, (shown, pace) in enumerate(pairs)]


def wait_for(reached, seconds: float = 30.0):
    """What `reached()` gives as soon as it is true."""
    until = time.monotonic() + seconds
    while not (value := reached()):
        assert time.monotonic() < until, "it did not come in time"
        time.sleep(0.05)
    return value


def rows_of(folder: Path) -> list:
    return read_recordings(folder).rows


def keep_takes(folder: Path, tell, count: int) -> None:
    """Press space and Enter until so many takes more are kept; Enter means nothing while one is recorded.

    A window that draws hears only the last of the keys that came meanwhile: what a slow machine lost is pressed again,
    when a take would have been over for long.
    """
    for number in range(len(rows_of(folder)) + 1, len(rows_of(folder)) + count + 1):
        start = -math.inf

        def kept(number=number):
            nonlocal start
            if time.monotonic() - start > 5:
                tell("key", "space")
                start = time.monotonic()
                time.sleep(0.6)
            tell("key", "k")
            time.sleep(0.15)
            return len(rows_of(folder)) >= number

        wait_for(kept)


def test_a_session_becomes_a_data_set_with_its_points(display, films, tmp_path, capsys):
    scene.real_networks()
    folder, data = tmp_path / "mine", tmp_path / "data"
    script = tiny.REPOSITORY / "record.py"
    flags = ["--output", folder, "--video", *films, *CONSENT, *QUICK, "--sign", "Hello"]
    with tiny.window(display, script, *flags) as (process, tell):
        time.sleep(1)
        keep_takes(folder, tell, 4)
        tell("key", "Escape")
        out, error = process.communicate(timeout=60)
        assert process.returncode == 0 and error == "", error
    assert f"4 takes kept (anna Hello 3, anna nothing 1) -> {folder / 'clips.csv'}" in out
    rows = rows_of(folder)
    assert [(row.label, row.take) for row in rows] == [("Hello", 1), ("Hello", 2), ("Hello", 3), ("nothing", 1)]
    for row, film in zip(rows, films, strict=True):
        there, given = read_video(folder / row.video)[1], read_video(film)[1]
        np.testing.assert_allclose(there, given[given <= 0.5 + 1e-6], atol=1e-4, err_msg="true times")
    assert out.splitlines()[1] == f"python learn.py --videos {folder}"
    words = ["--videos", f"{folder}/clips.csv", "--output", f"{data}", "--none-labels", "nothing", "--shares", "0", "0"]
    assert prepare_videos.main([*words, "--workers", "1"]) == command.DONE
    brought = tiny.contents(data / "landmark-30fps")
    assert len(brought) == 4 and "points of 4 clips were found already" in capsys.readouterr().out
    assert landmark.main(["--data", str(data), "--workers", "1"]) == command.DONE
    assert "4 of 4 clips are there already" in capsys.readouterr().out
    load_dataset(data).clips[0].archive(data, "landmark-30fps").unlink()
    assert landmark.main(["--data", str(data), "--workers", "1"]) == command.DONE
    assert tiny.contents(data / "landmark-30fps") == brought, "the same bytes"


def test_what_is_typed_in_the_window(display, films, tmp_path):
    folder = tmp_path / "mine"
    with tiny.window(display, "-c", RUN.format(""), "--output", folder, "--video", films[0], *QUICK) as (process, tell):
        time.sleep(2)

        def write(*keys):
            for key in (*keys, "Return"):
                # A slow machine would lose keys, and letters that no keyboard has are mapped for as long as that.
                tell("key", "--delay", "600", key)

        write("a", "n", "n", "a")
        tell("key", "1")
        time.sleep(0.2)
        write("3")
        write()
        wait_for(lambda: read_recordings(folder).consents)
        write("Arabic_meem", "Arabic_ra", "Arabic_hah", "Arabic_beh", "Arabic_alef")
        keep_takes(folder, tell, 1)
        tell("key", "space")
        time.sleep(0.5)
        process.send_signal(signal.SIGKILL)
        error = process.communicate(timeout=60)[1]
    assert "recording goes on without points" in error
    found = read_recordings(folder)
    (row,), (consent,) = found.rows, found.consents
    assert (row.label, row.signer) == (ARABIC, "anna") and ARABIC in row.video
    assert (consent.signer, consent.scope, consent.given_by) == ("anna", ("training", "sharing"), "anna")
    with command.lock(folder):
        assert found.add(tiny.avi(1), "bye", "anna").take == 1, "a killed session leaves a folder that goes on"
    assert not list(folder.rglob("*.part*"))


def test_a_camera_that_stops_keeps_what_was_kept(display, tmp_path):
    folder, gone = tmp_path / "mine", tmp_path / "unplugged"
    run = RUN.format(CAMERA.format(gone=str(gone)))
    with tiny.window(display, "-c", run, "--output", folder, *CONSENT, *QUICK, "--sign", "go") as (process, tell):
        time.sleep(1)
        keep_takes(folder, tell, 1)
        gone.touch()
        out, error = process.communicate(timeout=60)
    assert process.returncode == command.PARTLY
    assert error.splitlines()[-1].startswith("record.py: camera 0 has sent no picture for 1 s")
    assert out.startswith("1 take kept (anna go 1)") and len(rows_of(folder)) == 1
    times = read_video(folder / rows_of(folder)[0].video)[1]
    assert 5 <= len(times) <= 11 and np.diff(times).std() > 0, "the camera's own times"


@pytest.mark.skipif(sys.platform != "linux", reason="only X11 and Wayland can be missing")
def test_no_display_and_no_camera_are_one_line(display, tmp_path):
    said = tiny.script("record.py", "--output", tmp_path / "mine", DISPLAY="", WAYLAND_DISPLAY="")
    assert said.returncode == 2 and said.stderr == "record.py: no display to open a window on; run it at a desktop\n"
    said = tiny.script("record.py", "--output", tmp_path / "mine", "--camera", "99", DISPLAY=display)
    assert said.returncode == 2 and said.stderr.startswith("record.py: camera 99") and said.stderr.count("\n") == 1
    assert not (tmp_path / "mine").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--takes", "2"], "at least 3, at most 10"),
        (["--seconds", "0"], "above 0"),
        (["--sign", "hello", ""], "--sign is empty"),
        (["--sign", "x" * 201], "201 characters"),
        (["--sign", "hello", "Nothing"], "'Nothing' is what no sign is called"),
        (["--sign", "No sign I know"], "is what no sign is called"),
        (["--signer", "a\nb"], "controls the screen"),
        (["--signer", "anna", "--consent", "loops"], "consent without training"),
        (["--signer", "anna", "--consent", "training,fame"], "expected training, loops, sharing"),
        (["--consent", "training"], "name her with --signer"),
        (["--given-by", "her mother"], "--consent, which is missing"),
        (["--yes"], "belong to --delete-signer"),
        (["--camera", "1", "--video", "x.mp4"], "not allowed with"),
    ],
)
def test_flags_that_cannot_be(flags, said, tmp_path):
    with pytest.raises(Problem, match=said):
        record.main(["--output", str(tmp_path / "mine"), *flags])


def test_a_file_that_is_no_video_is_named_before_the_window(tmp_path, films):
    text = tmp_path / "text.mp4"
    text.write_text("no video")
    with pytest.raises(Problem, match="text.mp4"):
        record.main(["--output", str(tmp_path), "--video", str(films[0]), str(text)])


def test_nothing_kept_is_said(tmp_path, capsys):
    record.print_kept(Recordings(tmp_path), [])
    assert capsys.readouterr().out == "no take was kept\n"
