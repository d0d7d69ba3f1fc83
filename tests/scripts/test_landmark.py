"""Videos in, points out: a run that is stopped, repeated, or meets a bad clip; the same points as from a camera."""

import contextlib
import itertools
import shutil
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import load_dataset
from signs.clips.points import read_points
from signs.clips.video import iter_video
from signs.command import Problem
from signs.inference.recording import hand_thread
from signs.landmarks import models
from signs.landmarks.stream import LandmarkStream

import cv2
import numpy as np
import pytest

import landmark
import prepare_videos
import scene
import tiny

STORE = "landmark-30fps"


@pytest.fixture(scope="module")
def networks():
    return scene.real_networks()


def some_frames(shared, count: int) -> list[np.ndarray]:
    """(H, W, 3) uint8 RGB each: a man who raises his hand."""
    video = contextlib.closing(iter_video(shared("clips/webcam_hello.mp4")))
    with video as frames:
        return [frame for frame, _ in itertools.islice(frames, 20, 20 + count)]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory, networks, shared) -> Path:
    """Half a second of a man who greets, in three splits; one clip shows a room without anybody."""
    folder = tmp_path_factory.mktemp("prepared")
    shown = np.stack(some_frames(shared, 8))
    rows = ["video,label,signer"]
    for signer, label, images in (("a", "hello", shown), ("b", "bye", shown[::-1]), ("c", "hello", shown * 0)):
        tiny.write_video(folder / f"{signer}.avi", images, 15)
        rows.append(f"{signer}.avi,{label},{signer}")
    command.write_text(folder / "table.csv", "\n".join(rows))
    flags = ["--videos", str(folder / "table.csv"), "--output", str(folder / "data")]
    people = ["--train-signers", "a", "--valid-signers", "b", "--test-signers", "c"]
    assert prepare_videos.main([*flags, *people]) == command.DONE
    return folder / "data"


@pytest.fixture
def data(prepared, tmp_path) -> Path:
    return shutil.copytree(prepared, tmp_path / "data")


def run(data: Path, *more: str) -> int:
    return command.run(lambda: landmark.main(["--data", str(data), "--workers", "1", *more]))


def test_points_of_a_data_set(data, networks, capsys):
    assert run(data) == command.DONE
    out = capsys.readouterr().out
    assert "3 clips, 24 frames" in out and "nobody is found: test/hello/" in out
    for item in load_dataset(data).clips:
        points = read_points(item.archive(data, STORE))
        stream = LandmarkStream(networks, hand_thread())  # as live: both hands at once
        live = [stream.push(*frame) for frame in iter_video(item.video(data))]
        assert np.array_equal(points.body, [body for body, _ in live], equal_nan=True)
        assert np.array_equal(points.hands, [hands for _, hands in live], equal_nan=True)
        assert points.size == (720, 1280) and len(points.times) == 8
    before = tiny.contents(data / STORE)
    item = load_dataset(data).clips[0]
    item.archive(data, STORE).write_bytes(b"cut short")
    assert run(data) == command.DONE and "2 of 3 clips are there already" in capsys.readouterr().out
    assert tiny.contents(data / STORE) == before


def test_half_the_frames(data, networks, capsys):
    assert run(data, "--rate", "8", "--split", "train") == command.DONE
    assert "1 clip, 4 frames" in capsys.readouterr().out
    item, loaded = load_dataset(data).split("train")[0], load_dataset(data)
    assert len(read_points(item.archive(data, "landmark-8fps")).times) == 4
    assert storage.find_landmarks(loaded).rate == 8
    (data / STORE).mkdir()
    with pytest.raises(Problem, match="several landmark stores .landmark-30fps, landmark-8fps.; delete all but one"):
        storage.find_landmarks(loaded)


def test_what_is_found_of_a_man_who_greets(networks, shared):
    """In the picture, upright, his raised right hand on the left side of it."""
    stream = LandmarkStream(networks)
    for number, frame in enumerate(some_frames(shared, 6)):
        body, hands = stream.push(frame, number / 15)
    height, width = frame.shape[:2]
    nose, left, right = body[0], body[11], body[12]
    assert nose[1] < left[1] and right[0] < nose[0] < left[0] and body[[0, 11, 12], 3].min() > 0.9
    assert (body[[0, 11, 12], :2] > 0).all() and (body[[0, 11, 12], :2] < (width, height)).all()
    turned = LandmarkStream(networks).push(np.ascontiguousarray(frame[::-1, ::-1]), 0)[0]
    assert np.isnan(turned).all() or turned[0, 1] > turned[11, 1]  # upside down: nobody, or as they are


def test_a_camera_that_is_twice_as_fine_sees_the_same(networks, shared):
    frame = next(
        frame for number, (frame, _) in enumerate(iter_video(shared("clips/webcam_hello.mp4"))) if number == 20
    )
    small = cv2.resize(frame, (640, 360), interpolation=cv2.INTER_AREA)
    (one, _), (other, _) = (LandmarkStream(networks).push(picture, 0) for picture in (frame, small))
    shoulders = abs(one[11, 0] - one[12, 0])
    assert np.abs(one[:17, :2] - 2 * other[:17, :2]).max() < 0.1 * shoulders


def test_a_clip_that_is_no_video_is_named(data, capsys):
    item = load_dataset(data).clips[0]
    item.video(data).write_bytes(b"RIFF")
    assert run(data, "--split", "train") == command.NOTHING
    assert f"{item.folder}/{item.clip}" in capsys.readouterr().err


def test_without_networks_nothing_begins(tmp_path, monkeypatch, capsys):
    data = tiny.data_set(tmp_path / "data").folder
    monkeypatch.setattr(models, "fetch", lambda copy: None)
    monkeypatch.setattr(models.check_there, "__defaults__", (tmp_path / "none",))
    monkeypatch.setattr(models.missing, "__defaults__", (tmp_path / "none",))
    assert run(data) == command.NOTHING
    assert "pose_detection.tflite: no such file" in capsys.readouterr().err and not (data / STORE).exists()
