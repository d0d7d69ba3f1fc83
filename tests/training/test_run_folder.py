"""Going on with a run that an earlier version began: earlier_runs.json has its run.json, and the flags of today."""

import importlib
import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.training import run_folder
from signs.training.log import Log

import pytest

RUNS = {row["script"]: row for row in json.loads((Path(__file__).parent / "earlier_runs.json").read_text())}
CLASSES = Dataset(Path(), [Clip("a", "train", "001"), Clip("b", "valid", "001")], [Label("001", ""), Label("002", "")])


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


def flags_of(output: Path, stream: str = "rgb", seed: int = 0) -> Namespace:
    return Namespace(output=output, stream=stream, seed=seed, batch=4)


def test_of_two_trainings_that_begin_at_once_the_second_fits_the_first(tmp_path):
    """Neither has weights yet: only the other's lock tells that it is there."""
    spec = ClipSpec(StoredSpec("40", 96), InputSpec(8))
    known = tmp_path / "checkpoint" / "run.json"
    with run_folder.claimed(flags_of(tmp_path), CLASSES, spec):
        begun = known.read_text()
        with pytest.raises(Problem, match=r"holds a run with other settings \(seed\); choose another --output"):
            with run_folder.claimed(flags_of(tmp_path, "flow", seed=1), CLASSES, spec):
                pass
        with pytest.raises(Problem, match="another run is writing there"):
            with run_folder.claimed(flags_of(tmp_path, seed=1), CLASSES, spec):
                pass
        with run_folder.claimed(flags_of(tmp_path, "flow"), CLASSES, spec):
            pass
        assert known.read_text() == begun
    with run_folder.claimed(flags_of(tmp_path, "flow", seed=1), CLASSES, spec):  # the first left nothing
        assert json.loads(known.read_text())["flags"]["seed"] == 1


def test_a_new_clip_of_an_old_class_is_named_when_a_run_goes_on(tmp_path):
    spec = ClipSpec(StoredSpec("40", 96), InputSpec(8))
    with run_folder.claimed(flags_of(tmp_path), CLASSES, spec):
        (tmp_path / "checkpoint" / "rgb-0001.weights.h5").touch()
    unscored = [Clip("c", "test", "001"), Clip("d", "train", "")]
    with run_folder.claimed(flags_of(tmp_path), replace(CLASSES, clips=CLASSES.clips[::-1] + unscored), spec):
        pass
    more = replace(CLASSES, clips=[*CLASSES.clips, Clip("c", "train", "001")])
    with pytest.raises(Problem, match=r"\(the clips of clips.csv: 2 train, 1 then; 1 valid, 1 then\)"):
        with run_folder.claimed(flags_of(tmp_path), more, spec):
            pass
    changed = [replace(CLASSES.clips[0], sha256="another"), CLASSES.clips[1]]
    with (
        pytest.raises(Problem, match="1 train, 1 then"),
        run_folder.claimed(flags_of(tmp_path), replace(CLASSES, clips=changed), spec),
    ):
        pass


def test_of_two_streams_that_are_trained_again_at_once_the_first_to_end_waits_for_none(tmp_path):
    """The other one has begun anew: its weights are there, and the log has nothing of it yet."""
    log = Log(tmp_path / "log.csv")
    log.add({"stream": "flow", "epoch": 1, "val_loss": 1.0})
    with command.lock(tmp_path, "rgb"):
        assert run_folder.trained_anew(tmp_path, "rgb")
        log.add({"stream": "rgb", "epoch": 1, "val_loss": 1.0})
        assert not run_folder.trained_anew(tmp_path, "rgb"), "what it has so far is joined"
    log.cut("rgb", 0)
    with pytest.raises(Problem, match="nothing of rgb, which is in bundle.json; train it once more, --stream rgb"):
        run_folder.trained_anew(tmp_path, "rgb")
