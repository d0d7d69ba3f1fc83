"""Going on with a run that an earlier version began: earlier_runs.json has its run.json, and the flags of today."""

import importlib
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.training import run_folder

import pytest

RUNS = {row["script"]: row for row in json.loads((Path(__file__).parent / "earlier_runs.json").read_text())}
CLASSES = Namespace(classes=[Namespace(label="001"), Namespace(label="002")])


def begin(name: str, folder: Path) -> ClipSpec:
    """The folder of a run as the earlier version left it after its first epoch."""
    run = RUNS[name]["run"]
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "run.json").write_text(json.dumps(run))
    (folder / "checkpoint" / "rgb-0001.weights.h5").touch()
    return ClipSpec(StoredSpec("40", 96), InputSpec(**run["input"]))


def parse(name: str, folder: Path, *words: str) -> Namespace:
    script = importlib.import_module(name)
    args = script.parse(["--data", "data", "--output", str(folder), *RUNS[name]["words"], *words])
    if name != "train_frame":
        return args
    return Namespace(**{**vars(script.frame_flags(args, 224)), "output": folder})


@pytest.mark.parametrize("name", RUNS)
def test_a_run_of_an_earlier_version_goes_on(name, tmp_path):
    spec = begin(name, tmp_path)
    args = parse(name, tmp_path)
    assert run_folder.settle_flags(args, CLASSES, spec)["script"] == f"{name}.py"
    assert json.loads((tmp_path / "checkpoint" / "run.json").read_text()) == RUNS[name]["run"], "as it was"


@pytest.mark.parametrize("name", RUNS)
def test_what_was_changed_is_named(name, tmp_path):
    spec = begin(name, tmp_path)
    args = parse(name, tmp_path, "--recipe", "dropout=0.25")
    with pytest.raises(Problem, match=r"holds a run with other settings \(dropout\)"):
        run_folder.settle_flags(args, CLASSES, spec)
    args = parse(name, tmp_path)
    with pytest.raises(Problem, match=r"holds a run with other settings \(stored frames\)"):
        run_folder.settle_flags(args, CLASSES, replace(spec, input=replace(spec.input, region="body")))


def test_what_an_earlier_flag_said_in_other_words(tmp_path):
    spec = begin("train_lstm", tmp_path)
    args = parse("train_lstm", tmp_path, "--read", "mean", "--frames", "run:16x3")
    with pytest.raises(Problem, match=r"holds a run with other settings \(frames, read\)"):
        run_folder.settle_flags(args, CLASSES, spec)


def test_a_teacher_is_new(tmp_path):
    spec = begin("train_conv3d_lstm", tmp_path)
    args = parse("train_conv3d_lstm", tmp_path, "--teacher", "model/chalearn")
    with pytest.raises(Problem, match=r"holds a run with other settings \(alpha, squared, teacher, temperature\)"):
        run_folder.settle_flags(args, CLASSES, spec)
