"""Intervals of videos and folders of pictures: frames of the whole, times from 0 on, no more read than needed."""

from pathlib import Path

from signs.clips.footage import Footage, read_kept
from signs.clips.pictures import PictureReader, picture_files, pictures_sha256
from signs.clips.spec import StoredSpec
from signs.clips.video import VideoReader, read_video
from signs.command import Problem

import cv2
import numpy as np
import pytest

import tiny
from tiny import encode

VIDEOS = Path(__file__).parent / "video"


def interval(footage: Footage) -> tuple[np.ndarray, np.ndarray]:
    with footage.opened() as film:
        expected = film.packet_times()
    with footage.opened() as film:
        frames, times = zip(*film, strict=True)
    assert np.allclose(expected, times, atol=1e-3)
    return np.stack(frames), np.array(times)


@pytest.mark.parametrize("name", ["whole.mp4", "trimmed.mp4", "browser.webm", "vfr.avi", "av1.mp4", "00001.MTS"])
@pytest.mark.parametrize(("first", "last"), [(0, 3), (5, 6), (13, 25)])
def test_an_interval_has_the_frames_of_the_whole(name, first, last):
    whole, times = read_video(VIDEOS / name)
    for start in (times[first], (times[first - 1] + times[first]) / 2 if first else 0.0):
        frames, seconds = interval(Footage(VIDEOS / name, start, times[last]))
        assert np.array_equal(frames, whole[first:last])
        assert np.allclose(seconds, times[first:last] - times[first], atol=1e-6)
    frames, _ = interval(Footage(VIDEOS / name, times[-3], times[-1] + 9))
    assert np.array_equal(frames, whole[-3:])


@pytest.mark.parametrize(
    ("codec", "suffix", "more"),
    [
        ("libx264", "mp4", {"max_b_frames": 3, "gop_size": 12}),
        ("libx264", "mkv", {"max_b_frames": 3, "gop_size": 12}),
        ("libx265", "mp4", {"gop_size": 12}),
        ("mpeg4", "avi", {"max_b_frames": 2, "gop_size": 12}),
        ("libx264", "avi", {"max_b_frames": 2, "gop_size": 12}),
        ("mpeg2video", "mpg", {"gop_size": 12}),
        ("libvpx", "webm", {"gop_size": 12}),
    ],
)
def test_key_frames_and_reordered_frames(tmp_path, codec, suffix, more):
    path = encode(tmp_path / f"a.{suffix}", tiny.moving(60), codec, rate=25, **more)
    whole, times = read_video(path)
    for first in (0, 1, 11, 12, 13, 30, 47, 59):
        frames, _ = interval(Footage(path, times[first], times[first] + 0.1))
        assert np.array_equal(frames, whole[first : first + len(frames)]) and len(frames) in (1, 2, 3)


def test_only_the_interval_is_decoded(tmp_path, monkeypatch):
    path = encode(tmp_path / "long.mp4", tiny.moving(400), rate=25, gop_size=25)
    decoded, real = [], VideoReader._decoded

    def counting(self):
        for frame in real(self):
            decoded.append(frame.time)
            yield frame

    monkeypatch.setattr(VideoReader, "_decoded", counting)
    frames, times, _ = read_kept(Footage(path, 12.0, 12.4), StoredSpec("all", 48), threads=1)
    assert len(frames) == 10 and times[0] == 0 and len(decoded) < 60


def test_an_interval_without_a_frame():
    with pytest.raises(Problem, match="no frame of it from 60 to 61 s; run the prepare step again"):
        interval(Footage(VIDEOS / "whole.mp4", 60, 61))
    with pytest.raises(Problem, match=r"no frame of it from 1.01 to 1.02 s"):
        with Footage(VIDEOS / "whole.mp4", 1.01, 1.02).opened() as film:
            list(film)


@pytest.fixture
def pictures(tmp_path) -> Path:
    """Twelve pictures whose names are not in the order of the alphabet."""
    folder = tmp_path / "clip #1"
    folder.mkdir()
    for number, image in enumerate(tiny.moving(12), 1):
        (folder / f"a_{number}.png").write_bytes(cv2.imencode(".png", image[..., ::-1])[1].tobytes())
    (folder / "._a_1.png").write_bytes(b"what macOS leaves")
    (folder / "Thumbs.db").touch()
    return folder


def test_pictures_come_in_the_order_of_their_numbers(pictures):
    frames, times = interval(Footage(pictures, rate=12))
    assert np.array_equal(frames, tiny.moving(12)) and np.allclose(times, np.arange(12) / 12)
    frames, times = interval(Footage(pictures, 3 / 12, 7 / 12, rate=12))
    assert np.array_equal(frames, tiny.moving(12)[3:7]) and times[0] == 0
    kept, times, _ = read_kept(Footage(pictures, rate=12), StoredSpec("4", 48))
    assert np.allclose(times, [0, 4 / 12, 7 / 12, 11 / 12])


def test_a_missing_picture_leaves_a_gap_in_time(pictures):
    (pictures / "a_5.png").unlink()
    _, times = interval(Footage(pictures, rate=10))
    assert np.allclose(times, [0, 0.1, 0.2, 0.3, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1])
    for path in picture_files(pictures):  # names that are no numbers of frames
        path.rename(pictures / f"{path.stem.replace('_', 'b')}_2024.png")
    _, times = interval(Footage(pictures, rate=10))
    assert np.allclose(times, np.arange(11) / 10)


def test_damaged_pictures(pictures):
    (pictures / "a_3.png").write_bytes(b"\x89PNG")
    frames, times, notes = read_kept(Footage(pictures, rate=10), StoredSpec("all", 48))
    assert len(frames) == 11 and notes == ["1 picture damaged, 11 came"] and 0.2 not in times
    for number in range(3, 9):
        (pictures / f"a_{number}.png").write_bytes(b"")
    with pytest.raises(Problem, match="6 pictures cannot be decoded, 6 can"):
        read_kept(Footage(pictures, rate=10), StoredSpec())


def test_pictures_of_several_sizes(pictures):
    (pictures / "a_4.png").write_bytes(cv2.imencode(".png", np.zeros((96, 128, 3), np.uint8))[1].tobytes())
    with PictureReader(pictures, 12) as film:
        assert {frame.shape for frame, _ in film} == {(48, 64, 3)}
    assert film.notes == ["the size of its pictures changes"]


def test_the_hash_of_pictures(pictures):
    first = pictures_sha256(pictures)
    (pictures / "notes.txt").touch()
    assert pictures_sha256(pictures) == first
    (pictures / "a_12.png").rename(pictures / "a_13.png")
    assert pictures_sha256(pictures) != first


def test_an_empty_folder(tmp_path):
    with pytest.raises(Problem, match="no picture in it"):
        PictureReader(tmp_path, 12)
