"""bench_spotting.py: what is said counts for the clip in which it is said, once; clips are joined with rest between."""

from pathlib import Path

from signs.clips.dataset import Clip, Dataset, Label, placed, save_dataset
from signs.clips.points import Points, write_points
from signs.command import Problem
from signs.landmarks.stream import landmark_spec

import numpy as np
import pytest

import bench_spotting
import fake_recogniser
import tiny


def clip(name: str, label: str) -> Clip:
    return Clip(clip=name, split="test", label=label, signer="anna", group="", source=name, sha256="")


@pytest.fixture
def data(tmp_path) -> Dataset:
    """Anna rests, moves (not a sign) and waves twice: bright on the left."""
    rows = placed([clip("rest", "still"), clip("other", "003"), clip("one", "001"), clip("two", "001")])
    data = Dataset(tmp_path, rows, [*fake_recogniser.CLASSES, Label("still", "still", "none")])
    save_dataset(data)
    for item in data.clips:
        images = np.zeros((20, 120, 160, 3), np.uint8)
        for number, image in enumerate(images):
            if item.label != "still":
                image[40:80, 4 + 3 * number : 40 + 3 * number] = 250
            if item.label == "001":
                image[:, :80] = np.maximum(image[:, :80], 150)
        item.video(tmp_path).parent.mkdir(parents=True, exist_ok=True)
        tiny.write_video(item.video(tmp_path), images)
    return data


def test_clips_are_joined_with_rest_between(data):
    (string,) = bench_spotting.join(data, "test", "still", {}, 0)
    times = [seconds for _, seconds in string.frames()]
    assert np.all(np.diff(times) > 0) and np.diff(times).max() == pytest.approx(0.1, abs=0.01)
    assert sorted(item.clip for item, *_ in string.spans) == ["one", "other", "two"]
    begins = [begin for _, begin, _ in string.spans]
    assert begins[0] == pytest.approx(bench_spotting.FIRST, abs=0.1)
    assert np.diff(begins) == pytest.approx(2.0 + bench_spotting.REST, abs=0.1)
    with pytest.raises(Problem, match="nobody has a clip of asleep"):
        bench_spotting.join(data, "test", "asleep", {}, 0)


def test_stored_points_are_those_of_the_joined_frames(data):
    stored = landmark_spec()
    for item in data.clips:
        body = np.arange(20, dtype=np.float32)[:, None, None] + np.zeros((20, 33, 4), np.float32)
        points = Points(body, np.zeros((20, 2, 21, 4), np.float32), np.arange(20) / 10, (120, 160))
        write_points(item.archive(data.folder, stored.store), points, {})
    (string,) = bench_spotting.join(data, "test", "still", {}, 0, stored.store)
    rows = [string.points.push(frame, seconds)[0][0, 0] for frame, seconds in string.frames()]
    rest = round(bench_spotting.FIRST * 10)
    assert rows[:21] == [*range(20), 18] and rows[rest : rest + 20] == list(range(20))


def test_each_answer_counts_once():
    spans = [(clip("a", "001"), 5, 8), (clip("b", "002"), 10, 12), (clip("c", "003"), 14, 16)]
    said = [("001", 8.9), ("001", 9.2), ("001", 11.0), ("002", 15.0), ("002", 30.0)]
    counts = bench_spotting.score(said, spans, {"001", "002"})
    assert counts == {"said": 5, "belong": 2, "right": 1, "signs": 2, "false": 3}
    rates = bench_spotting.rates(counts, 2.0)
    assert rates["precision"] == 0.4 and rates["recall"] == 1.0 and rates["false_a_minute"] == 1.5


def test_both_modes_over_a_string(data, monkeypatch, capsys):
    monkeypatch.setattr(bench_spotting, "Recogniser", fake_recogniser.Recogniser)
    argv = ["--data", str(data.folder), "--model", str(Path(data.folder)), "--rest", "still", "--seconds", "2"]
    assert bench_spotting.main(argv) == 0
    out = capsys.readouterr().out
    assert "hands-free" in out and '"false_a_minute"' in out.splitlines()[-1]
