"""A clip's points on disc, and which frames are looked at."""

import ast
import io
import json
import zipfile

from signs.clips.points import LATE, Pace, PointRecorder, Points, read_points, write_points
from signs.clips.spec import LandmarkSpec
from signs.command import Problem

import numpy as np
import pytest


@pytest.fixture
def points() -> Points:
    rng = np.random.default_rng(0)
    body, hands = rng.random((3, 33, 4), np.float32), rng.random((3, 2, 21, 4), np.float32)
    hands[1, 0] = np.nan
    return Points(body, hands, np.array([0, 0.1, 0.2]), (48, 64))


def test_there_and_back(points, tmp_path):
    write_points(tmp_path / "a.zip", points, {"format": 3})
    write_points(tmp_path / "b.zip", points, {"format": 3})
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    read = read_points(tmp_path / "a.zip")
    assert np.array_equal(read.body, points.body) and np.array_equal(read.hands, points.hands, equal_nan=True)
    assert read.times.tolist() == [0, 0.1, 0.2] and read.size == (48, 64)
    with np.load(tmp_path / "a.zip") as plain:  # NumPy alone reads it
        assert np.array_equal(plain["body"], points.body)


def damage_cut(path):
    path.write_bytes(path.read_bytes()[:300])


def damage_other_array(path):
    rewrite(path, {"body.npy": b"no array"})


def damage_other_length(path):
    with zipfile.ZipFile(path) as archive:
        info = json.loads(archive.read("clip.json"))
    rewrite(path, {"clip.json": json.dumps({**info, "times": [0.0]}).encode()})


def damage_pickle(path):
    content = io.BytesIO()
    np.save(content, np.array([print], object))
    rewrite(path, {"hands.npy": content.getvalue()})


def rewrite(path, changed: dict[str, bytes]):
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in {**members, **changed}.items():
            archive.writestr(name, content)


@pytest.mark.parametrize("damage", [damage_cut, damage_other_array, damage_other_length, damage_pickle])
def test_a_damaged_clip_is_named(points, tmp_path, damage):
    write_points(tmp_path / "a.zip", points, {"format": 3})
    damage(tmp_path / "a.zip")
    with pytest.raises(Problem, match=r"a\.zip: .*delete it and run"):
        read_points(tmp_path / "a.zip")


def test_an_archive_is_read_without_python_s_parser(points, tmp_path, monkeypatch):
    """Which fails now and then in a thread of Python 3.11, while TensorFlow parses in another."""
    path = tmp_path / "clip.zip"
    write_points(path, points, {})
    monkeypatch.setattr(ast, "parse", lambda *_, **__: 1 / 0)
    found = read_points(path)
    assert np.array_equal(found.body, points.body, equal_nan=True) and found.body.flags.writeable
    assert np.array_equal(found.hands, points.hands, equal_nan=True)


def test_a_clip_that_is_not_there(tmp_path):
    with pytest.raises(Problem, match=r"no such clip; run landmark\.py first"):
        read_points(tmp_path / "a.zip")


def nothing(frame, seconds):
    return np.zeros((33, 4), np.float32), np.zeros((2, 21, 4), np.float32)


@pytest.mark.parametrize("rate, taken", [(10, 10), (25, 25), (30, 30), (40, 30), (50, 30), (60, 30), (120, 30)])
def test_at_most_thirty_a_second(rate, taken):
    recorder = PointRecorder(nothing, 30)
    for number in range(10 * rate):
        recorder.push(np.zeros((4, 6, 3), np.uint8), 7 + number / rate)
    assert len(recorder.points().times) == pytest.approx(10 * taken, abs=1) and recorder.points().times[0] == 0


def test_frames_that_come_early_and_late_count():
    recorder, rng = PointRecorder(nothing, 30), np.random.default_rng(0)
    for number in range(300):
        recorder.push(np.zeros((4, 6, 3), np.uint8), number / 30 + rng.uniform(-0.007, 0.007) * (number > 0))
    assert len(recorder.points().times) == 300


def test_points_of_a_video():
    recorder = PointRecorder(lambda frame, _: (np.full((33, 4), frame[0, 0, 0]), np.zeros((2, 21, 4))), 30)
    for number in range(6):
        recorder.push(np.full((4, 6, 3), number, np.uint8), number / 60)
    assert recorder.points().body[:, 0, 0].tolist() == [0, 2, 4] and recorder.points().size == (4, 6)


def test_where_frames_wait_too_long_some_are_left_out():
    recorder = PointRecorder(nothing, 30)
    taken = [number for number in range(20) if recorder.takes(number / 30)]
    assert taken == list(range(LATE))
    for number in taken:
        recorder.look(np.zeros((4, 6, 3), np.uint8), number / 30)
    assert recorder.takes(1.0)


def rising_no_more(info):
    info["times"] = [0, 0.2, 0.1]


def no_number(info):
    info["times"] = [0, 0.1, float("nan")]


@pytest.mark.parametrize("spoil", [rising_no_more, no_number])
def test_times_that_no_clip_has(points, tmp_path, spoil):
    write_points(tmp_path / "a.zip", points, {"format": 3})
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        info = json.loads(archive.read("clip.json"))
    spoil(info)
    rewrite(tmp_path / "a.zip", {"clip.json": json.dumps(info).encode()})
    with pytest.raises(Problem, match=r"a\.zip: times that do not rise; delete it"):
        read_points(tmp_path / "a.zip")


@pytest.mark.parametrize(
    "value", [np.full((3, 33, 4), np.inf, np.float32), np.zeros((3, 33, 4)), np.full((3, 33, 4), "x")]
)
def test_numbers_that_no_point_has(points, tmp_path, value):
    write_points(tmp_path / "a.zip", points, {"format": 3})
    content = io.BytesIO()
    np.save(content, value)
    rewrite(tmp_path / "a.zip", {"body.npy": content.getvalue()})
    with pytest.raises(Problem, match=r"a\.zip: body of .*expected float32 numbers; delete it"):
        read_points(tmp_path / "a.zip")


def test_points_of_another_chain_among_the_others(points, tmp_path):
    here, before = LandmarkSpec(2, "new"), LandmarkSpec(1, "new")
    write_points(tmp_path / "a.zip", points, {"format": 3, "stored": before.to_json()})
    assert len(read_points(tmp_path / "a.zip", before).times) == 3
    with pytest.raises(Problem, match=r"a\.zip: .* found otherwise .*run landmark\.py again"):
        read_points(tmp_path / "a.zip", here)


@pytest.mark.parametrize("rate", [30, 40, 50, 60, 120, 240])
def test_the_same_frames_are_taken_on_any_clock(rate):
    frames = np.arange(2 * rate) / rate
    taken = [[pace.takes(seconds) for seconds in clock + frames] for clock in (0.0, 5703.123456) for pace in [Pace(30)]]
    assert taken[0] == taken[1] and 58 <= sum(taken[0]) <= 61
