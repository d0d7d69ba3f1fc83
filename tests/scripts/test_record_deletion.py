"""record.py --delete-signer: a person is taken out of recordings, data sets and what models show; they are marked."""

import csv
import io
import json
import shutil
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset, save_dataset
from signs.command import Problem
from signs.inference import sign_loops
from signs.inference.bundle import load_bundle
from signs.inference.sign_loops import Loop
from signs.prepare.recordings import read_recordings
from signs.training import withdrawal
from signs.training.run_folder import clips_of

import h5py
import numpy as np
import pytest

import frame
import posed
import record
import tiny


def write_model(folder: Path, data: Path, people: str = "abc", **flags) -> Path:
    """What this deletes and marks of a model: bundle.json, predictions of these people, report and metrics."""
    (folder / "report").mkdir(parents=True)
    (folder / "report" / "loop.webp").touch()
    about = {"folder": data.name, "clips": {}}
    content = {"format": 1, "data": about, "flags": {"script": "train_linear.py", **flags}}
    (folder / "bundle.json").write_text(json.dumps(content))
    rows = [[f"{signer}_1", signer, "001", "rgb", 0.5] for signer in people]
    with open(folder / "predictions-test.csv", "w", newline="") as file:
        csv.writer(file).writerows([["clip", "signer", "label", "stream", "p_001"], *rows])
    (folder / "valid").mkdir()
    for epoch, clips in enumerate((["a_1", "b_1"], ["b_1"]), 1):
        np.savez(folder / "valid" / f"rgb-{epoch:04d}.npz", clips=np.array(clips))
        about = json.dumps({"clips": [(clip, "") for clip in clips]})
        np.savez(folder / f"logits-{epoch}.npz", about=about)
    people = [{"signer": signer, "right": 1} for signer in people]
    (folder / "metrics.json").write_text(json.dumps({"splits": {"test": {"streams": {"rgb": {"signers": people}}}}}))
    return folder


@pytest.fixture
def studio(tmp_path) -> Path:
    """Recordings of `a` and `b`, a data set with clips of both, frames and features, and models."""
    folder, data = read_recordings(tmp_path / "mine"), tiny.data_set(tmp_path / "data")
    for number, signer in enumerate("aab"):
        if not folder.consent_of(signer):
            folder.add_consent(signer, ["training"], signer)
        folder.add(tiny.avi(number), "hello", signer)
    assert frame.main(["--data", str(data.folder), "--frames", "4", "--short-side", "32", "--workers", "1"]) == 0
    for names, file in ((["a_1", "a_2"], "train"), (["b_1"], "valid")):
        path = data.folder / "feature-small-frame-4x32" / f"{file}.h5"
        path.parent.mkdir(exist_ok=True)
        with h5py.File(path, "w") as content:
            content["clip"] = names
    models = tmp_path / "model"
    write_model(models / "hands", data.folder)
    write_model(models / "joined", data.folder, "bc", model=[str(models / "hands"), str(models / "other")])
    write_model(models / "taught", tmp_path / "elsewhere", "bc", teacher=f"{models / 'joined'}")
    write_model(models / "other", tmp_path / "elsewhere", "bc")
    write_model(models / "only-seen", tmp_path / "elsewhere", "ab")
    return tmp_path


def delete(studio: Path, *flags: str, signer: str = "A") -> int:
    places = ["--data", str(studio / "data"), "--model", str(studio / "model")]
    return command.run(
        lambda: record.main(["--output", f"{studio / 'mine'}", "--delete-signer", signer, *places, *flags])
    )


def test_nothing_of_a_person_is_left(studio, capsys):
    loops = {name: Loop(posed.points("up", 1, 0), name) for name in "aBc"}
    sign_loops.write_loops(studio / "model" / "other", loops | {"A": loops["a"]._replace(signer="A")})
    before = tiny.contents(studio)
    assert delete(studio, "--yes") == command.DONE
    assert set(sign_loops.read_loops(studio / "model" / "other")) == {"B", "c"}
    out = capsys.readouterr().out
    after = tiny.contents(studio)
    assert not [name for name in after if Path(name).name.startswith("a_")]
    assert {row.signer for row in read_recordings(studio / "mine").rows} == {"b"}
    assert [clip.clip for clip in load_dataset(studio / "data").clips] == ["b_1", "c_1", "c_2"]
    assert "data/feature-small-frame-4x32/train.h5" not in after and "data/feature-small-frame-4x32/valid.h5" in after
    kept = [name for name in before if Path(name).name.startswith(("b_", "c_"))]
    assert all(after[name] == before[name] for name in kept) and len(kept) > 6
    people = {path.parent.name: signers(path) for path in studio.glob("model/*/predictions-test.csv")}
    assert people == {**dict.fromkeys(("hands", "joined", "taught", "other"), ["b", "c"]), "only-seen": ["b"]}
    assert {path.name for path in studio.glob("model/**/*.npz")} == {"rgb-0002.npz", "logits-2.npz"}
    assert {path.parent.name for path in studio.glob("model/*/report")} == {"other"}
    assert {path.parent.name for path in studio.glob("model/*/WITHDRAWN.txt")} == {"hands", "joined", "taught"}
    assert f"python train_linear.py --data {studio / 'data'} --output {studio / 'model' / 'hands'}-anew" in out
    assert "Out of reach" in out and "feature.py makes them again" in out
    assert delete(studio, "--yes") == command.NOTHING
    assert "no signer A" in capsys.readouterr().err


def begin_thorough(model: Path) -> Path:
    """What `learn.py --thorough` leaves that was stopped: takes, and a network that began to learn from them."""
    work = model.with_name(f"{model.name}.whole")
    for name in ("data/landmark/a_1.zip", "chosen/checkpoint/run.json"):
        (work / name).parent.mkdir(parents=True)
        (work / name).write_text("{}")
    return work


def test_a_training_that_is_not_done_is_deleted_with_its_takes(studio, capsys):
    """Also where the model is gone for which it was."""
    works = [begin_thorough(studio / "model" / name) for name in ("hands", "no-more")]
    assert delete(studio, "--yes") == command.DONE
    out = capsys.readouterr().out
    assert not any(work.exists() for work in works) and all(f"{work}: a training of learn.py" in out for work in works)


@pytest.mark.parametrize("model", ["hands", "no-more"])
def test_nothing_is_deleted_while_learn_is_at_work(studio, capsys, model):
    """Its model would have learnt from her, and take the place of one that is marked."""
    begin_thorough(studio / "model" / model)
    with command.lock(studio / "model", model):
        before = tiny.contents(studio)
        assert delete(studio, "--yes") == command.NOTHING
        assert tiny.contents(studio) == before
    assert "learn.py is at work on it, and nothing is deleted yet" in capsys.readouterr().err
    assert delete(studio, "--yes") == command.DONE


def test_a_model_of_a_whole_network_is_made_anew_by_learn(tmp_path):
    model = write_model(tmp_path / "mine", tmp_path / "data")
    content = json.loads((model / "bundle.json").read_text())
    content |= {"learnt_from": "", "thorough": {}, "flags": {"script": "train_landmark.py"}}
    (model / "bundle.json").write_text(json.dumps(content))
    anew = withdrawal.command_anew(model, Path("data_set/mine"), Path("recordings/mine"))
    assert anew == f"python learn.py --videos recordings/mine --data data_set/mine --model {model} --thorough"


@pytest.mark.parametrize("flag", ["weights", "start", "teacher", "refit"])
def test_a_model_that_began_with_another_is_made_of_it(tmp_path, flag):
    write_model(tmp_path / "made", tmp_path / "data", **{flag: "model/first"})
    assert withdrawal.parents_of(tmp_path / "made") == {"first"}


def signers(path: Path) -> list[str]:
    return [row["signer"] for row in csv.DictReader(io.StringIO(path.read_text()))]


def test_it_asks_first(studio, monkeypatch, capsys):
    before = tiny.contents(studio)
    for answer in ("no", ""):
        monkeypatch.setattr("sys.stdin", io.StringIO(answer))
        assert delete(studio) == command.NOTHING
    assert tiny.contents(studio) == before
    printed = capsys.readouterr()
    assert "2 takes and consent" in printed.out and "3 clips, with archives" in printed.out
    assert "nothing is deleted; answer yes" in printed.err
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    assert delete(studio) == command.DONE


def test_who_is_called_otherwise_in_a_data_set_is_known_by_her_files(studio):
    data, row = load_dataset(studio / "data"), read_recordings(studio / "mine").of_signer("b")[0]
    clips = [replace(clip, sha256=row.sha256) if clip.clip == "c_1" else clip for clip in data.clips]
    save_dataset(replace(data, clips=clips))
    assert delete(studio, "--yes", signer="b") == command.DONE
    assert [clip.clip for clip in load_dataset(studio / "data").clips] == ["a_1", "a_2", "a_3", "c_2"]


def test_a_model_that_learnt_without_her_is_not_marked(studio):
    data = load_dataset(studio / "data")
    without = replace(data, clips=[clip for clip in data.clips if clip.signer != "a"])
    run = studio / "model" / "hands" / "checkpoint" / "run.json"
    command.write_text(run, json.dumps({"clips": clips_of(without)}))
    command.write_text(studio / "model" / "begun" / "checkpoint" / "run.json", json.dumps({"clips": clips_of(data)}))
    assert delete(studio, "--yes") == command.DONE
    marked = {path.parent.name for path in studio.glob("model/*/WITHDRAWN.txt")}
    assert marked == {"joined", "begun", "taught"}, "joined names the data set itself"


def test_a_data_set_that_cannot_be_read_is_named(studio, capsys):
    (studio / "broken").mkdir()
    (studio / "broken" / "clips.csv").write_text("clip\n")
    assert delete(studio, "--yes", "--data", str(studio / "data"), str(studio / "broken")) == command.PARTLY
    assert "broken: " in capsys.readouterr().err
    with pytest.raises(Problem, match="no clips.csv in it"):
        record.main(["--output", str(studio / "mine"), "--delete-signer", "a", "--data", str(studio)])
    with pytest.raises(Problem, match="no such folder"):
        record.main(["--output", str(studio / "none"), "--delete-signer", "a"])


def test_whatever_loads_a_withdrawn_model_says_so_once(tmp_path, capsys):
    model = shutil.copytree(tiny.REPOSITORY / "signs" / "models" / "dgs", tmp_path / "mine")
    (model / "WITHDRAWN.txt").write_text("it learnt from somebody who withdrew\n")
    for _ in range(2):
        load_bundle(model)
    assert capsys.readouterr().err == "mine is withdrawn: it learnt from somebody who withdrew\n"
