"""A network on points: trained, resumed, refitted, joined, exported, and what it refuses. No networks are needed."""

import contextlib
import functools
import json
import shutil
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import load_dataset, save_dataset
from signs.clips.no_sign import NOTHING
from signs.clips.points import read_points, write_points
from signs.evaluation import compression_table
from signs.inference import sign_loops
from signs.inference.bundle import load_bundle
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser
from signs.models import landmark
from signs.training import compression, no_sign_clips, pauses
from signs.training.checkpoint import Checkpoint

import numpy as np
import pytest

import compress
import ensemble
import evaluate
import export
import posed
import train_landmark
from conftest import untimed, without_graphs

pytestmark = pytest.mark.usefixtures("sketched", "eager")
RECIPE = ["ema=0", "dropout=0", "warm-up=0"]
FLAGS = ["--epochs", "16", "--batch", "6", "--frames", "12", "--learning-rate", "0.01", "--flip", "left=right"]
FLAGS += ["--weights", "none", "--recipe", *RECIPE]
SHORT = ["--epochs", "1", "--batch", "18"]  # one step


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """A network of one block, which learns in few steps."""
    small = functools.partial(landmark.build_landmark, width=32, blocks=1, heads=2, momentum=0.7)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(landmark, "build_landmark", small)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return posed.data_set(tmp_path_factory.mktemp("posed") / "data").folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory) -> Path:
    model = tmp_path_factory.mktemp("trained") / "model"
    assert run(data, model) == command.DONE
    return model


@pytest.fixture(scope="module")
def brief(data, tmp_path_factory) -> Path:
    """Another, after one step."""
    model = tmp_path_factory.mktemp("brief") / "model"
    assert run(data, model, "--seed", "1", *SHORT) == command.DONE
    return model


def run(data: Path, model: Path, *more: str) -> int:
    with without_graphs("--epochs" in more):  # 16 epochs are worth tracing
        return command.run(lambda: train_landmark.main(["--data", str(data), "--output", str(model), *FLAGS, *more]))


def score(data: Path, model: Path, *more: str) -> int:
    flags = ["--data", str(data), "--model", str(model), "--split", "valid", "test", "--gallery", "1", *more]
    return command.run(lambda: evaluate.main(flags))


def test_three_signs_of_somebody_new(data, trained, capsys):
    assert score(data, trained) == command.DONE
    assert "body and hands" in capsys.readouterr().out
    bundle = load_bundle(trained)
    assert [(row.name, row.modality, row.network) for row in bundle.streams] == [("landmark",) * 3]
    assert bundle.spec.stored.landmark == storage.find_landmarks(load_dataset(data))
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["valid"]["landmark"]["top1"] + metrics["test"]["landmark"]["top1"] > 1, "chance is 2/3"
    assert metrics["test"]["landmark"]["signers"][0]["clips"] == 9
    assert len(Predictions.read(Predictions.path(trained, "test"), "test").clips) == 9
    page = (trained / "report" / "index.html").read_text()
    for row in metrics["test"]["gallery"]:
        assert row["looked"]["landmark"] in page and (trained / "report" / row["loops"]["landmark"]).is_file()
    assert "points at 12 moments" in page and "Grad-CAM" not in page and "integrated gradients" in page


def test_going_on_gives_the_same_bytes(data, tmp_path):
    flags = ["--batch", "18", "--recipe", *RECIPE, "schedule=constant", "patience=1"]
    assert run(data, tmp_path / "model", "--epochs", "2", *flags) == command.DONE
    with pytest.MonkeyPatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(Checkpoint, "finish", interrupted)
        train_landmark.main(["--data", str(data), "--output", str(tmp_path / "again"), *FLAGS, *flags, "--epochs", "1"])
    assert run(data, tmp_path / "again", "--epochs", "2", *flags) == command.DONE
    weights = (folder / "landmark.weights.h5" for folder in (tmp_path / "model", tmp_path / "again"))
    assert len({path.read_bytes() for path in weights}) == 1


def interrupted(checkpoint):
    raise KeyboardInterrupt


def test_once_more_with_the_validation_people(data, brief, tmp_path, capsys):
    assert command.run(lambda: train_landmark.main(refit_flags(data, brief, tmp_path / "again"))) == command.DONE
    assert "learnt from the validation clips too" in capsys.readouterr().out
    assert load_bundle(tmp_path / "again").about["refit"]["of"] == str(brief)


def refit_flags(data: Path, trained: Path, output: Path) -> list[str]:
    return ["--data", str(data), "--output", str(output), "--refit", str(trained)]


def test_from_another_model_with_a_new_top(data, trained, tmp_path, capsys):
    flags = ["--weights", str(trained), "--epochs", "0", "--batch", "18", "--recipe", "top-epochs=2"]
    assert run(data, tmp_path / "model", *flags) == command.DONE
    assert "top epoch  2/2" in capsys.readouterr().out


def test_a_teacher_and_a_small_model_of_it(data, trained, tmp_path, monkeypatch, capsys):
    assert run(data, tmp_path / "student", *SHORT, "--teacher", str(trained), "temperature=3") == command.DONE
    assert (trained / "logits-data.npz").is_file() and "the teacher's answers, 18 clips" in capsys.readouterr().out
    assert load_bundle(tmp_path / "student").about["flags"]["temperature"] == 3
    monkeypatch.setattr(compression_table, "stopwatch", lambda: contextlib.nullcontext(lambda folder: (1.0, "Keras")))
    flags = ["--output", str(tmp_path / "small"), "--epochs", "1", "--sparsity", "0.5", "--precision", "int8"]
    assert compress.main(["--data", str(data), "--model", str(tmp_path / "student"), *flags]) == command.DONE
    assert (tmp_path / "small" / "sparsity-0.5-int8" / "landmark.sparse.h5").is_file()


def test_two_of_them_are_joined(data, trained, brief, tmp_path):
    shutil.copytree(brief, tmp_path / "other")
    content = json.loads((tmp_path / "other" / "bundle.json").read_text())
    content["spec"]["stored"]["short_side"] = 64  # of frames, which neither of them sees
    (tmp_path / "other" / "bundle.json").write_text(json.dumps(content))
    joined = str(tmp_path / "joined")
    assert ensemble.main(["--model", str(trained), str(tmp_path / "other"), "--output", joined]) == command.DONE
    assert score(data, tmp_path / "joined", "--gallery", "0") == command.DONE
    assert [row.name for row in load_bundle(tmp_path / "joined").streams] == ["landmark", "landmark-landmark"]


def test_forms_for_the_laptop(data, trained, tmp_path):
    model = shutil.copytree(trained, tmp_path / "model")
    flags = ["--data", str(data), "--model", str(model), "--clips", "4", "--forms", "openvino", "onnx", "litert"]
    with untimed(), without_graphs(False):
        assert export.main(flags) == command.DONE
    forms = json.loads((model / "export.json").read_text())["forms"]
    assert {name for name, row in forms.items() if row["use"]} >= {"openvino", "onnx", "litert"}


def test_points_of_another_chain_are_refused(data, trained, tmp_path, capsys):
    model = shutil.copytree(trained, tmp_path / "model")
    text = (model / "bundle.json").read_text()
    (model / "bundle.json").write_text(text.replace('"chain": 1', '"chain": 7'))
    assert score(data, model) == command.NOTHING
    err = capsys.readouterr().err
    assert "chain 7" in err and "chain 1" in err and "landmark.py" in err


def test_a_few_clips_without_points_are_left_out(data, tmp_path, capsys):
    copy = shutil.copytree(data, tmp_path / "data")
    item = load_dataset(copy).split("train")[0]
    item.archive(copy, "landmark-30fps").unlink()
    assert run(copy, tmp_path / "model", *SHORT) == command.PARTLY
    assert f"lacks 1 of 18 clips of train ({item.clip})" in capsys.readouterr().err


def test_without_points_the_step_is_named(tmp_path, capsys):
    copy = posed.data_set(tmp_path / "data").folder
    shutil.rmtree(copy / "landmark-30fps")
    assert run(copy, tmp_path / "model") == command.NOTHING
    assert "no landmark store; run landmark.py --data" in capsys.readouterr().err


def test_clips_in_which_nobody_is_seen(data, tmp_path):
    copy = shutil.copytree(data, tmp_path / "data")
    for item in load_dataset(copy).clips[::3]:
        path = item.archive(copy, "landmark-30fps")
        points, info = read_points(path), storage.read_info(path)
        points.body[:], points.hands[:] = np.nan, np.nan
        write_points(path, points, info)
    assert run(copy, tmp_path / "model", *SHORT) == command.DONE
    assert score(copy, tmp_path / "model") == command.DONE


def test_a_bundle_that_has_no_landmarks_is_damaged(trained, tmp_path, capsys):
    model = shutil.copytree(trained, tmp_path / "model")
    content = json.loads((model / "bundle.json").read_text())
    del content["spec"]["stored"]["landmark"]
    (model / "bundle.json").write_text(json.dumps(content))
    with pytest.raises(command.Problem, match="sees landmarks, and the spec has none"):
        load_bundle(model)


def test_the_start_has_no_top_that_could_be_trained_alone(data, tmp_path, capsys):
    flags = ["--data", str(data), "--output", str(tmp_path / "model"), "--epochs", "0"]
    assert command.run(lambda: train_landmark.main(flags)) == command.NOTHING
    assert "--epochs 0: at least 1" in capsys.readouterr().err


def test_a_class_for_what_is_no_sign(data, trained, tmp_path, monkeypatch):
    loops = list(sign_loops.read_loops(no_sign_clips.STARTER).values())
    monkeypatch.setattr(no_sign_clips, "loops_not_taught", lambda takes, labels: loops)  # its network is not narrow
    model = tmp_path / "model"
    assert run(data, model, "--no-sign", "0.6", "--seed", "1") == command.DONE
    bundle = load_bundle(model)
    assert [(row.label, row.kind) for row in bundle.classes][-1] == (NOTHING, "none")
    recogniser = Recogniser.load(model, "keras")
    people = [posed.points(sign, 3, seed) for seed, sign in enumerate(posed.SIGNS)]
    asked = [clip for take in people for _, clip in pauses.pauses_of(take, np.random.default_rng(5))]
    stream = recogniser.bundle.streams[0]
    logits = recogniser.logits(stream, np.concatenate([recogniser.input(stream, clip, {}) for clip in asked]))
    assert np.mean(logits.argmax(axis=-1) == len(bundle.classes) - 1) > 0.5
    joined = tmp_path / "joined"
    assert ensemble.main(["--model", str(trained), str(model), "--output", str(joined)]) == command.DONE
    flags = ["--data", str(data), "--model", str(joined), "--split", "test", "--gallery", "0"]
    assert evaluate.main(flags) == command.DONE, "one of them does not know that class"
    both = Predictions.read(Predictions.path(joined, "test"), "test")
    names = [row.name for row in load_bundle(joined).streams]
    first, second = (both.streams[name] for name in names)
    assert (first[:, -1] == 0).all() and (second[:, -1] > 0).all()
    assert both.streams[both.fused][:, -1] == pytest.approx(second[:, -1], rel=1e-6)
    assert both.hits(names[1]).mean() > 0.5, "signs are still named"
    whole, known = load_bundle(joined), load_dataset(data)
    flags = compression.flags_of(whole, Namespace(epochs=1, learning_rate=None, workers=1))
    batches = [compress.bundle_generators(flags, known, whole, row)["train"] for row in whole.streams]
    drawn = [[item.label for item in each.clips].count(NOTHING) for each in batches]
    assert drawn[0] == 0 and drawn[1] == 4 + 2 + 4, "what is pruned goes on learning it: other, still, moving"
    assert [each[0][1].shape[-1] for each in batches] == [len(bundle.classes) - 1, len(bundle.classes)]


def test_no_sign_that_cannot_be(data, trained, tmp_path, capsys):
    assert run(data, tmp_path / "a", "--no-sign", "0.6", "--teacher", str(trained)) == command.NOTHING
    assert "no teacher can be asked" in capsys.readouterr().err
    there = tmp_path / "data"
    shutil.copytree(data, there)
    known = load_dataset(there)
    save_dataset(replace(known, classes=[*known.classes[:-1], replace(known.classes[-1], kind="none")]))
    assert run(there, tmp_path / "b", "--no-sign", "0.6") == command.NOTHING
    assert "a class for what is no sign already" in capsys.readouterr().err
    for label, name in (("Nothing", "up"), ("down", "No sign I know")):
        save_dataset(replace(known, classes=[*known.classes, replace(known.classes[-1], label=label, name=name)]))
        assert run(there, tmp_path / "b", "--no-sign", "0.6") == command.NOTHING
        assert "is what no sign is called" in capsys.readouterr().err
    assert not (tmp_path / "a").exists() and not (tmp_path / "b").exists()
