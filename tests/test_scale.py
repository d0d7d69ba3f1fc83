"""What must not grow faster than the clips: how often a folder is listed, what is kept of each clip, what is drawn."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

from signs import command
from signs.clips import leakage
from signs.clips.dataset import Clip, Dataset
from signs.training.batches import Batches

import numpy as np
import pytest

import tiny

# Python tells a hook of every folder that is listed, by whichever function. A script runs in this one process.
LISTED = """
import collections, contextlib, json, os, runpy, sys
listed, on = collections.Counter(), True
def note(event, values):
    if on and event in ("os.scandir", "os.listdir") and not isinstance(values[0], int):
        listed[os.path.abspath(os.fsdecode(values[0] or "."))] += 1
script, *sys.argv[1:] = sys.argv[1:]
sys.argv[0] = script
sys.path.insert(0, os.path.dirname(script))
sys.addaudithook(note)
code = 0
try:
    with contextlib.redirect_stdout(sys.stderr):
        runpy.run_path(script, run_name="__main__")
except SystemExit as end:
    code = end.code
on = False
print(json.dumps({"code": code, "listed": listed}))
"""


def listed(data: Path, name: str, *flags: str | Path) -> Counter:
    """How often a script listed each folder of a data set in which clips lie."""
    line = [sys.executable, "-c", LISTED, str(tiny.REPOSITORY / name), *map(str, flags)]
    done = subprocess.run(line, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["code"] in (0, None), done.stderr
    counts = Counter()
    for path, count in found["listed"].items():
        if data in Path(path).parents and len(Path(path).relative_to(data).parts) == 3:
            counts[Path(path).relative_to(data).as_posix()] = count
    return counts


@pytest.fixture
def table(tmp_path) -> Path:
    """Videos of six clips and the table that names them."""
    data = tiny.data_set(tmp_path / "source")
    rows = [f"{item.video(data.folder)},{item.label},{item.split}" for item in data.clips if item.label]
    (tmp_path / "videos.csv").write_text("\n".join(["video,label,split", *rows]) + "\n")
    return tmp_path / "videos.csv"


def test_no_folder_of_clips_is_listed_twice_by_one_command(table, tmp_path):
    data, alone = tmp_path / "data", ("--workers", "1")
    prepare = ("prepare_videos.py", "--videos", table, "--output", data, *alone)
    frames = ("frame.py", "--data", data, "--frames", "4", "--short-side", "32", *alone)
    most = {}
    for step in (prepare, prepare, frames, frames, ("opticalflow.py", "--data", data, "--method", "dis", *alone)):
        counts = listed(data, *step)
        most[f"{step[0]}, {len(most)}"] = max(counts.values(), default=0)
    assert counts["video/train/001"] == 1, "or this test would see nothing"
    assert set(most.values()) <= {0, 1}, most


def test_no_folder_of_clips_is_listed_twice_by_training_and_evaluation(table, tmp_path):
    data, model = tmp_path / "data", tmp_path / "model"
    tiny.script("prepare_videos.py", "--videos", table, "--output", data, "--workers", "1")
    tiny.script("frame.py", "--data", data, "--frames", "4", "--short-side", "32", "--workers", "1")
    small = ("--frames", "4", "--crop", "16/18", "--stream", "rgb", "--copies", "0")
    learnt = listed(data, "train_linear.py", "--data", data, "--output", model, *small)
    judged = listed(data, "evaluate.py", "--data", data, "--model", model, "--split", "valid")
    assert max(learnt.values()) == 1 and max(judged.values()) == 1, (learnt, judged)


class Empty(Batches):
    """Batches of clips that hold nothing."""

    def _fill(self, position: int, place: np.ndarray) -> None:
        place[:] = position


def test_the_order_of_an_epoch_is_drawn_once(monkeypatch):
    clips = [Clip(str(number), "train", "ab"[number % 2]) for number in range(40)]
    from signs.training.augmentation import Augmentation

    batches, drawn = Empty(clips, ["a", "b"], (1,), batch=4, augmentation=Augmentation(0, 0)), []
    real = np.random.default_rng
    monkeypatch.setattr(np.random, "default_rng", lambda seed: drawn.append(len(seed)) or real(seed))
    for batches.epoch in (0, 1):
        first = [batches[number] for number in range(len(batches))]
        assert sorted(int(row[0]) for inputs, _ in first for row in inputs) == list(range(40))
        assert np.concatenate([targets for _, targets in first]).sum() == 40
    assert drawn.count(2) == 2, "seed and epoch; three numbers draw a clip's augmentation"


def test_targets_take_no_room_for_each_clip():
    clips = [Clip(str(number), "train", "7") for number in range(2000)]
    batches = Empty(clips, [str(number) for number in range(250)], (1,))
    held = sum(value.nbytes for value in vars(batches).values() if isinstance(value, np.ndarray))
    assert held < 300_000, "a row a clip would be two megabytes"


def test_many_clips_that_are_alike_are_not_compared_with_each_other():
    count = 3000
    clips = [Clip(str(number), ("train", "test")[number % 2], "a", sha256="f0") for number in range(count)]
    assert len(list(leakage.pairs_of(range(count), clips))) < 2 * count
    leaks, notes = leakage.find_leaks(Dataset(Path(), clips, []), ["test"], None)
    assert leaks[0].startswith(f"{count // 2:,} clips are the same in train and in test (0 = 1, 0 = 3, 0 = 5")
    assert [note.split(" are twice in ")[0] for note in notes] == [f"{count // 2 - 1:,} clips"] * 2


def test_what_lies_below_a_folder_is_told_without_what_was_left_half_written(tmp_path):
    (tmp_path / "a" / ".x.7.part").mkdir(parents=True)
    for name in ("a/.x.7.part/1.jpg", "a/.y.8.part.zip", "a/y.zip", "z.zip"):
        (tmp_path / name).touch()
    assert command.remove_leftovers(tmp_path) == {
        str(tmp_path): (["a"], ["z.zip"]),
        str(tmp_path / "a"): ([], ["y.zip"]),
    }
    assert not (tmp_path / "a" / ".x.7.part").exists() and not (tmp_path / "a" / ".y.8.part.zip").exists()
