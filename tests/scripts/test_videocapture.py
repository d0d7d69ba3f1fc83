import itertools
import threading
import time
from pathlib import Path

from signs.clips.video import read_video
from signs.command import Problem

import cv2
import numpy as np
import pytest

import tiny
import videocapture
from videocapture import Camera


def picture(shade: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Red on the left, dark on the right: tells RGB from BGR and a mirrored picture from a straight one."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = shade
    return image


@pytest.fixture
def video(tmp_path) -> Path:
    """24 frames at 12 frames/s."""
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 12, (64, 48))
    for number in range(24):
        writer.write(picture(100 + 5 * number)[..., ::-1])
    writer.release()
    return path


class FakeDevice:
    """A camera: `frames` pictures, then silence; it may fail a few reads at first, as real ones do."""

    def __init__(self, frames: int = 1_000_000, opens: bool = True, failing: int = 0, rate: float = 200):
        self.frames, self.opens, self.failing, self.rate = frames, opens, failing, rate
        self.released, self.reads = threading.Event(), itertools.count()

    def isOpened(self):
        return self.opens

    def read(self):
        number = next(self.reads)
        time.sleep(1 / self.rate)
        if number < self.failing or number >= self.failing + self.frames:
            return False, None
        return True, picture(number % 200)[..., ::-1]

    def release(self):
        self.released.set()


def test_a_file_gives_its_frames_and_its_own_time_stamps(video):
    frames, times = read_video(video)
    with videocapture.open_source(video=video) as source:
        played = list(source)
    assert source.ended
    assert np.array_equal(np.stack([image for image, _ in played]), frames)
    assert [seconds for _, seconds in played] == pytest.approx(times)
    assert np.diff(times).min() > 0
    assert frames[5][24, 10, 0] > 80 and frames[5][24, 50].max() < 40, "RGB and not mirrored"


def test_a_file_without_window_is_faster_than_its_own_rate(video):
    began = time.monotonic()
    with videocapture.open_source(video=video) as source:
        assert len(list(source)) == 24
    assert time.monotonic() - began < 1


def test_of_a_file_that_nobody_takes_only_a_few_frames_are_held(video):
    with videocapture.open_source(video=video) as source:
        time.sleep(0.2)
        assert len(source._pass.waiting) == videocapture.AHEAD
        assert len(list(source)) == 24, "it waits, nothing is lost"


def test_a_paced_file_plays_in_real_time(video):
    began = time.monotonic()
    with videocapture.open_source(video=video, paced=True) as source:
        times = [seconds for _, seconds in source]
    assert time.monotonic() - began >= times[-1] - 0.01
    assert len(times) == 24


def test_a_file_starts_again(video):
    with videocapture.open_source(video=video) as source:
        first = list(source)
        source.restart()
        assert not source.ended
        again = list(source)
    assert [seconds for _, seconds in again] == [seconds for _, seconds in first]


def test_a_real_webcam_clip(shared):
    with videocapture.open_source(video=shared("clips/webcam_hello.mp4")) as source:
        times = [seconds for _, seconds in source]
    assert len(times) == 89 and times[-1] == pytest.approx(5.28, abs=0.05)


@pytest.mark.parametrize("content", [None, b"", b"#!/bin/sh\necho no video\n", bytes(range(256)) * 20])
def test_a_file_that_is_no_video_is_told_at_once(tmp_path, content):
    path = tmp_path / "clip.avi"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(Problem), videocapture.open_source(video=path):
        pass


def test_a_camera_stamps_frames_on_arrival():
    device = FakeDevice(failing=3)
    began = time.perf_counter()
    with Camera(0, lambda index: device) as camera:
        stamped = list(itertools.islice(camera, 20))
    times = [seconds for _, seconds in stamped]
    assert began < times[0] and times[-1] < time.perf_counter()
    assert np.diff(times).min() > 0
    assert stamped[19][0][24, 10, 0] > stamped[19][0][24, 10, 2], "RGB"
    assert device.released.wait(1)


def test_a_camera_that_nobody_looks_at_keeps_the_newest_frames():
    with Camera(0, lambda index: FakeDevice(rate=1000)) as camera:
        time.sleep(0.3)
        frames = camera.arrived()
    assert len(frames) == videocapture.WAITING
    assert time.perf_counter() - frames[-1][1] < 0.5


def test_a_camera_that_stops_is_a_problem_and_is_released():
    device = FakeDevice(frames=5)
    camera = Camera(0, lambda index: device, silence=0.2)
    with pytest.raises(Problem, match="no picture"), camera:
        list(camera)
    assert device.released.wait(1)


def test_a_camera_that_never_delivers_is_a_problem():
    device = FakeDevice(frames=0)
    with pytest.raises(Problem, match="no picture"), Camera(0, lambda index: device, first=0.2):
        pass
    assert device.released.wait(1)


def test_a_camera_is_opened_in_the_thread_that_asks_and_a_slow_one_is_waited_for(monkeypatch, capsys):
    """macOS asks for permission in the main thread alone; some drivers take seconds for the first picture."""
    threads = []

    def slow(_index):
        threads.append(threading.current_thread())
        time.sleep(0.3)
        return FakeDevice(failing=100)

    monkeypatch.setattr(videocapture, "TOLD", 0.1)
    with Camera(0, slow, silence=0.2) as camera:
        assert len(list(itertools.islice(camera, 5))) == 5
    assert threads == [threading.current_thread()]
    assert capsys.readouterr().err == "waiting for camera 0: some take 20 s\n"


def test_a_camera_that_does_not_open_is_released():
    device = FakeDevice(opens=False)
    with pytest.raises(Problem, match="camera 7"), Camera(7, lambda index: device):
        pass
    assert device.released.wait(1)


def test_the_reason_a_camera_does_not_open(tmp_path):
    def reason(index):
        return videocapture.camera_problem(index, tmp_path, "linux")

    assert "no camera found" in reason(0) and "--video" in reason(0)
    (tmp_path / "video2").touch()
    assert "no such camera" in reason(0) and "--camera 2" in reason(0)
    assert "another program" in reason(2)
    assert "\n" not in reason(2)
    assert "not allowed" in videocapture.camera_problem(0, tmp_path, "darwin")


@pytest.mark.skipif(Path("/dev/video97").exists(), reason="there really is a camera 97")
def test_a_missing_camera(capfd):
    with pytest.raises(Problem, match="camera 97"), videocapture.open_source(camera=97):
        pass
    assert capfd.readouterr().err == "", "OpenCV's own lines stay away"


def test_several_files_play_one_after_the_other(tmp_path):
    paths = [tiny.encode(tmp_path / f"{number}.mp4", tiny.moving(3, seed=number)) for number in range(2)]
    first = [read_video(path)[0][0] for path in paths]
    with videocapture.VideoFiles(paths) as source:
        for shown, following in ((0, None), (0, 1), (1, 1), (1, 2), (0, None)):
            assert np.array_equal(source.arrived(5)[0][0], first[shown])
            source.restart() if following is None else source.play(following)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (np.zeros((4, 6), np.uint8), ""),
        (np.zeros((4, 6, 4), np.uint8), ""),
        (np.zeros((4, 6, 2), np.uint8), "expected colour of 8 bits"),
        (np.zeros((0, 0, 3), np.uint8), "expected colour of 8 bits"),
        (np.zeros((4, 6, 3), np.uint16), "expected colour of 8 bits"),
    ],
)
def test_pictures_of_other_kinds(shown, said):
    if said:
        with pytest.raises(Problem, match=said):
            videocapture.as_rgb(shown, "camera 0")
    else:
        assert videocapture.as_rgb(shown, "camera 0").shape == (4, 6, 3)


def test_a_driver_that_fails_is_one_line():
    class Failing(FakeDevice):
        def read(self):
            raise RuntimeError("the bus\nis gone")

    with pytest.raises(Problem, match="camera 0: the bus is gone"), Camera(0, lambda index: Failing()):
        pass
