"""What a run will take: the sample, the line through it, and `--dry-run`."""

import itertools
import re
from pathlib import Path

from signs import command, estimate
from signs.clips import filling
from signs.clips.dataset import Clip, Dataset
from signs.clips.spec import StoredSpec
from signs.estimate import Estimator, Spent

import numpy as np
import pytest

import frame
import opticalflow
import tiny

LINE = r"estimate from \d clips?: (\d) clips, [\d.e-]+ core-hours, [\d.e-]+ GB in \d files, about [\d.]+ m?s with 1 pro"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.42, "0.4 s"),
        (59.6, "1 min"),
        (80, "1 min 20 s"),
        (3599.9, "1 h"),
        (4810, "1 h 20 min"),
        (86399, "1 d"),
        (187_000, "2 d 4 h"),
    ],
)
def test_durations(seconds, text):
    assert estimate.duration(seconds) == text


def test_any_first_few_of_a_sample_are_spread_over_the_sizes():
    sizes = np.random.default_rng(0).permutation(1000)
    for few in (3, 7, 15, 31):
        first = np.sort(sizes[estimate.spread(sizes, few)])
        assert len(first) == few and np.abs(first - np.arange(1, few + 1) * 1000 / (few + 1)).max() < 20
    assert sorted(estimate.spread([5, 5, 5], 48)) == [0, 1, 2]


@pytest.fixture
def told(monkeypatch):
    """Jobs whose seconds are told and do not pass: what this process works meanwhile says nothing."""
    monkeypatch.setattr(Estimator, "_beside", lambda self: 0.0)


def take(sizes: np.ndarray, workers: int, cost) -> Estimator:
    """An estimator that is told of its jobs in order, until it says what they take."""
    estimator = Estimator(sizes, workers)
    for place, number in enumerate(estimator.order):
        estimator.add(number, cost(place, sizes[number]))
        if estimator.forecast():
            break
    return estimator


def test_few_long_clips_among_many_short_ones_are_foreseen(told):
    """Lengths as heavy-tailed as of real collections, cost half of it per clip; the mean alone would be off by more."""
    rng = np.random.default_rng(3)
    sizes = 1e6 * np.exp(rng.normal(0, 1.2, 2000))
    noise = itertools.cycle(rng.uniform(0.8, 1.2, 97))
    estimator = take(sizes, 2, lambda place, size: Spent((1 + size / 1e6) * next(noise), 2, 500, start=place < 2))
    forecast, true = estimator.forecast(), (1 + sizes / 1e6).sum()
    assert 12 <= forecast.measured <= 52
    assert forecast.wall == pytest.approx(true / 2, rel=0.1) and forecast.wall >= true / 2 * 0.9
    assert forecast.written == 500 * 2000 and forecast.cpu == pytest.approx(2 * 2000, rel=0.01)


def test_the_first_job_of_a_process_is_its_start(told):
    estimator = take(
        np.ones(100), 4, lambda place, _: Spent(31 if place < 4 else 1, 11 if place < 4 else 1, 0, place < 4)
    )
    forecast = estimator.forecast()
    assert (forecast.measured, forecast.wall) == (12, pytest.approx(25 + 30, abs=0.1))
    assert forecast.cpu == pytest.approx(100 + 4 * 10)


def test_quick_jobs_that_overtake_slow_ones_do_not_count_before_them(told):
    estimator = Estimator(np.ones(100), 2)
    for number in estimator.order[1:40]:
        estimator.add(number, Spent(1, 1))
    assert estimator.forecast() is None
    estimator.add(estimator.order[0], Spent(1, 1))
    assert estimator.forecast().cpu == pytest.approx(100)


def test_an_interval_reads_its_share_of_the_video(tmp_path):
    clips = [
        Clip("a", "train", "x", start=0, end=2, source="v.avi"),
        Clip("b", "train", "x", start=2, end=8, source="v.avi"),
    ]
    path = clips[0].video(tmp_path)
    path.parent.mkdir(parents=True)
    path.write_bytes(bytes(800))
    size = filling.sizes(Dataset(tmp_path, clips, []), StoredSpec())
    assert [size(clip) for clip in clips] == [200, 600]


def files(folder: Path) -> set[Path]:
    return set(folder.rglob("*"))


def test_a_dry_run_says_what_it_takes_and_writes_nothing(tmp_path, capsys):
    data = tiny.data_set(tmp_path / "data").folder
    flags, before = ["--data", str(data), "--frames", "6", "--short-side", "32", "--workers", "1"], files(tmp_path)
    assert frame.main([*flags, "--dry-run"]) == command.DONE
    assert re.search(LINE, capsys.readouterr().out)[1] == "6" and files(tmp_path) == before
    assert frame.main(flags) == command.DONE
    (data / "frame-6x32/train/001/a_1.zip").unlink()
    before = files(tmp_path)
    assert opticalflow.main(["--data", str(data), "--workers", "1", "--dry-run"]) == command.DONE
    shown = capsys.readouterr()
    assert re.search(LINE, shown.out)[1] == "6" and "train/001/a_1: has no frames" in shown.err
    assert frame.main([*flags, "--dry-run"]) == command.DONE and "5 of 6 clips are there" in capsys.readouterr().out
    assert files(tmp_path) == before


def slow(number: int) -> int:
    return number


def test_a_long_run_says_at_its_start_what_it_takes(monkeypatch, capsys):
    cost = command.Cost(lambda number: 1000, lambda number: 10**6)
    items = [(str(number), number) for number in range(400)]
    assert command.parallel(slow, items, 1, "working", cost).done == list(range(400))
    assert "estimate" not in capsys.readouterr().out, "not of a second's work"
    monkeypatch.setattr(command, "LONG", 0)
    assert command.parallel(slow, items, 1, "working", cost).done == list(range(400))
    assert "400 clips" in (shown := capsys.readouterr().out) and "0.4 GB in 400 files" in shown
