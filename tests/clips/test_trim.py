"""Idle time is cut from files as the live demo cuts it: drawn films whose movement is known, and the scripts."""

from pathlib import Path

from signs import command
from signs.clips import motion, trim
from signs.clips.dataset import load_dataset
from signs.clips.footage import Footage
from signs.clips.storage import read_info
from signs.command import Outcome

import numpy as np
import pytest

import frame
import predict
import prepare_videos
import tiny

RATE = 25
ROOM = np.repeat(tiny.texture(64, 80)[..., None], 3, axis=-1)


def film(path: Path, seconds: float, *moves: tuple[float, float]) -> Path:
    """A room with a hand that moves during `moves`, to and fro."""
    rng, frames = np.random.default_rng(0), []
    for number in range(round(seconds * RATE)):
        image, place, second = ROOM.copy(), 30, number / RATE
        for start, end in moves:
            if start <= second < end:
                place += round(15 * np.sin((second - start) * 9))
        image[30:44, place : place + 12] = 250
        frames.append(np.clip(image + rng.normal(0, 2, image.shape), 0, 255).astype(np.uint8))
    return tiny.encode(path, np.stack(frames), rate=RATE)


@pytest.mark.parametrize(
    "seconds, moves, expected",
    [
        (4, [(1.5, 2.5)], (1.0, 2.75)),
        (4, [(0.0, 1.5)], (0.0, 1.75)),
        (5, [(1.0, 1.8), (2.6, 3.4)], (0.5, 3.65)),
        (3, [(0.0, 3.0)], None),
        (3, [], None),
        (3, [(1.5, 1.6)], None),
    ],
)
def test_what_is_left_is_the_sign_and_what_belongs_to_it(tmp_path, seconds, moves, expected):
    found = trim.find_sign(Footage(film(tmp_path / "a.mp4", seconds, *moves)))
    assert found == (expected and pytest.approx(expected, abs=0.2))


def test_within_an_interval_seconds_are_of_the_file(tmp_path):
    path = film(tmp_path / "a.mp4", 8, (1, 2), (5.5, 6.5))
    assert trim.find_sign(Footage(path, 4.0, 8.0)) == pytest.approx((5.0, 6.75), abs=0.2)
    assert trim.trimmed(Footage(path, 3.0, 4.5)) == Footage(path, 3.0, 4.5), "nothing moves there: it stays"


@pytest.fixture
def listed(tmp_path):
    """A table of two videos, one with idle time, one without, and the flags that prepare them."""
    film(tmp_path / "idle.mp4", 4, (1.5, 2.5))
    film(tmp_path / "busy.mp4", 2, (0, 2))
    (tmp_path / "t.csv").write_text("video,label,split\nidle.mp4,go,train\nbusy.mp4,come,train\n")
    return ["--videos", f"{tmp_path}/t.csv", "--output", f"{tmp_path}/data", "--workers", "1"]


def test_clips_say_what_was_cut_and_frames_are_of_the_rest(tmp_path, listed, capsys):
    assert prepare_videos.main([*listed, "--trim"]) == command.DONE
    assert "--trim: 1 of 2 clips are intervals now, " in capsys.readouterr().out
    data = load_dataset(tmp_path / "data")
    idle, busy = sorted(data.clips, key=lambda clip: clip.label, reverse=True)
    assert (idle.start, idle.end) == pytest.approx((1.0, 2.75), abs=0.2) and busy.start is None
    assert idle.video(data.folder).read_bytes() == (tmp_path / "idle.mp4").read_bytes(), "nothing is encoded again"
    assert frame.main(["--data", str(data.folder), "--frames", "all", "--workers", "1"]) == command.DONE
    times = read_info(idle.archive(data.folder, "frame-allx240"))["times"]
    assert times[0] == 0 and times[-1] == pytest.approx(idle.end - idle.start, abs=0.1)
    assert prepare_videos.main(listed) == command.DONE
    assert all(clip.start is None for clip in load_dataset(tmp_path / "data").clips), "off again, all of it is back"


def test_a_file_is_predicted_without_what_is_idle(tmp_path):
    path, asked = film(tmp_path / "a.mp4", 4, (1.5, 2.5)), []

    class Recogniser:
        def answer_video(self, source):
            asked.append(source)
            raise command.Problem("seen")

    for trims in (True, False):
        assert isinstance(predict.predict(Recogniser(), [path], 1, True, trims), Outcome)
    assert asked[0].path == path and asked[0].start == pytest.approx(1.5 - motion.BEFORE, abs=0.2)
    assert asked[1] == path


@pytest.mark.parametrize("count", (0, 1, 2, 3, 4))
def test_a_clip_of_few_frames_stays_as_it_is(count):
    pictures = np.zeros((count, motion.SIDE, 80), np.uint8)
    pictures[1::2] = 200
    for times in (np.arange(count) / 25, np.zeros(count)):
        assert trim.moving_span(pictures, times) is None
