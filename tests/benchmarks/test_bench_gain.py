"""bench_gain.py: runs with and without a change, seed by seed, of models and of bench_people.py's folders."""

import json
from pathlib import Path

from signs.clips.dataset import Clip
from signs.command import Problem
from signs.inference.predictions import Predictions

import numpy as np
import pytest

import bench_gain

PEOPLE, CLIPS = ("ann", "bob", "cy"), 20


def answer(folder: Path, right: dict[str, int], clips: int = CLIPS) -> Path:
    """What evaluate.py would leave of people of whom so many clips were recognised."""
    some = [Clip(f"{name}_{number}", "test", "001", name) for name in right for number in range(clips)]
    rows = np.eye(2)[[int(number >= right[name]) for name in right for number in range(clips)]]
    path = Predictions.path(folder, "test")
    path.parent.mkdir(parents=True)
    Predictions(some, ["001", "002"], {"flow": rows}).write(path)
    return folder


def test_the_gain_of_all_and_of_each(tmp_path, capsys):
    """The first seed is a model of all people, the second a folder of a model a person."""
    before = [answer(tmp_path / "old", dict.fromkeys(PEOPLE, 10)), tmp_path / "folds"]
    after = [answer(tmp_path / "new", {"ann": 16, "bob": 14, "cy": 12}), tmp_path / "new folds"]
    for name in PEOPLE:
        answer(before[1] / name, {name: 8})
        answer(after[1] / name, {name: 10})
    argv = ["--before", *before, "--after", *after, "--stream", "flow"]
    assert bench_gain.main([str(value) for value in argv]) == 0
    said = capsys.readouterr().out
    found = json.loads(said.splitlines()[-1])
    assert [seed["before"] for seed in found["seeds"]] == [0.5, 0.4] and found["after"] == pytest.approx(0.6)
    assert found["gain"] == pytest.approx(0.15) and found["low"] < 0.1 and found["high"] > 0.2
    assert found["people"] == pytest.approx({"ann": 0.2, "bob": 0.15, "cy": 0.1})
    assert "+20.0" in said and "by person: ann +20.0, bob +15.0, cy +10.0" in said


def test_what_cannot_be_compared(tmp_path):
    old, new = answer(tmp_path / "old", {"ann": 3}), answer(tmp_path / "new", {"ann": 3}, CLIPS + 1)
    for before, after, said in (
        ([old], [new], "other clips .1 in one"),
        ([old], [old, new], "1 folders before and 2"),
        ([old], [tmp_path / "none"], "no answers of flow on test"),
    ):
        with pytest.raises(Problem, match=said):
            bench_gain.main(["--stream", "flow", "--before", *map(str, before), "--after", *map(str, after)])
