"""train_frame.py: single frames first, then in order; every part of it ordinary, resumed, and told what is wrong."""

import csv
import shutil
from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.inference import feature_answers, feature_file, features, stored_clips
from signs.inference.bundle import load_bundle
from signs.inference.feature_file import About, Entry
from signs.training.log import Log

import h5py
import numpy as np
import pytest

import conftest
import small_cnn
import starter
import tiny
import train_frame

pytestmark = pytest.mark.usefixtures("small_network", "sketched", "eager")
FLAGS = [
    *small_cnn.FLAGS,
    "--frames-a-clip",
    "2",
    "--epochs",
    "2",
    "1",
    "--batch",
    "16",
    "16",
    "--lstm",
    "4",
    "--frames",
    "run:6",
    "--truncate",
    "3",
]
AUGMENTED = ["--flip", "--augment", "rotation=10", "zoom=0.1"]
STORES = {"rgb": "feature-both-40x64", "flow": "feature-both-40x64-tvl1-fast"}


def train(data: Path, output: Path, *flags) -> int:
    return train_frame.main(["--data", str(data), "--output", str(output), *FLAGS, *map(str, flags)])


@pytest.fixture(scope="module")
def trained(demo, tmp_path_factory) -> tuple[Path, Path, str]:
    """(data, model, what was said): both streams, augmented, at test three parts of the clip."""
    import contextlib
    import io

    folder, said = tmp_path_factory.mktemp("frames"), io.StringIO()
    data = conftest.linked(demo, folder / "demo")
    with contextlib.redirect_stdout(said), conftest.sketches(drawn=True):
        assert train(data, folder / "both", "--stream", "both", "--frames", "run:6x3", *AUGMENTED) == command.DONE
    return data, folder / "both", said.getvalue()


@pytest.fixture
def data(demo, tmp_path) -> Path:
    return conftest.linked(demo, tmp_path / "demo")


def arrays(path: Path) -> dict[str, np.ndarray]:
    found = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: found.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return found


def test_two_bundles_of_both_streams(trained):
    _, model, _ = trained
    for folder, network, frames in ((model / "frame", "frames", 2), (model, "cnn-lstm", 6)):
        made = load_bundle(folder)
        assert [(stream.name, stream.network, stream.arguments["input_shape"]) for stream in made.streams] == [
            ("rgb", network, [frames, 32, 32, 3]),
            ("flow", network, [frames, 32, 32, 2]),
        ]
        assert made.fusion == "mean" and made.spec.stored.flow and len(made.classes) == 8
    assert (made.spec.input.sampling, made.spec.input.views) == ("run", 3)
    assert made.about["flags"]["image_network"]["rgb"] == "small, weights fine-tuned from none"
    assert [len(Log(model / "frame" / "log.csv").rows_of(stream)) for stream in ("rgb", "flow")] == [2, 2]


def test_the_image_network_inside_is_the_fine_tuned_one(trained):
    from signs.inference.recogniser import Recogniser

    _, model, _ = trained
    alone, joined = (Recogniser.load(folder).models["flow"].get_layer("cnn") for folder in (model / "frame", model))
    assert features.digest(alone) == features.digest(joined)


def test_features_and_predictions_of_every_frame(trained):
    """A clip's logits by the frame model are the mean of those of its frames in the feature file."""
    from signs.inference.recogniser import Recogniser

    data, model, said = trained
    frames, clips = Recogniser.load(model / "frame"), load_dataset(data).split("test")[:3]
    for stream in frames.bundle.streams:
        with feature_file.opened(data / STORES[stream.name] / "test.h5") as file:
            assert file.about.classes == tuple(frames.labels) and file.about.trained == "fine-tuned from none"
            picked = frames.bundle.spec.input.pick(40)
            for item in clips:
                inputs, _ = stored_clips.read_inputs(frames, load_dataset(data), item)
                rows = file.rows(file.position[item.clip], "logits")
                assert rows.shape == (40, 8) and file.rows(file.position[item.clip]).shape == (40, small_cnn.DIMENSION)
                np.testing.assert_allclose(
                    frames.logits(stream, inputs[stream.name])[0], rows[picked].mean(axis=0), atol=1e-4
                )


def test_single_frame_accuracy_and_confusion_counted_again(trained):
    data, model, said = trained
    for stream, store in STORES.items():
        hits, counts = [], np.zeros((8, 8), int)
        with feature_file.opened(data / store / "valid.h5") as file:
            for position, entry in enumerate(file.entries):
                true = file.about.classes.index(entry.label)
                order = np.argsort(-file.rows(position, "logits"), axis=1, kind="stable")
                for row in order:
                    hits.append([true in row[:k] for k in (1, 5, 10)])
                    counts[true, row[0]] += 1
        found = feature_answers.frame_accuracy(data / store / "valid.h5")
        np.testing.assert_allclose([found[name] for name in ("top1", "top5", "top10")], np.mean(hits, axis=0))
        line = ", ".join(f"top-{k} {share:.1%}" for k, share in zip((1, 5, 10), np.mean(hits, axis=0), strict=True))
        assert f"valid: single frames, each counts once: {line}" in said
        with open(model / "frame" / f"single-valid-{stream}.csv", newline="") as file:
            table = list(csv.DictReader(file))
        assert [[int(row[label]) for label in file_labels(table)] for row in table] == counts.tolist()
        assert counts.sum() == 8 * 40 and counts.trace() / counts.sum() == pytest.approx(found["top1"])
        assert (model / "frame" / f"single-valid-{stream}.png").stat().st_size > 1000


def file_labels(table: list[dict]) -> list[str]:
    return [row["true"] for row in table]


def test_frames_count_alike_of_long_and_short_clips(tmp_path):
    spec = ClipSpec(StoredSpec("all", 64), InputSpec(2, 36, 32))
    about = About(spec, "rgb", "small", "00ff", "none", 1, ("a", "b", "c"))
    clips = (("one", "a", 1), ("two", "b", 9), ("other", "z", 2), ("no", "", 2))
    entries = [Entry(*row, "") for row in clips]
    feature_file.create(tmp_path / "test.h5", about, entries)
    assert feature_answers.frame_accuracy(tmp_path / "test.h5") is None
    with feature_file.opened(tmp_path / "test.h5", write=True) as file:
        for place, entry in enumerate(entries):
            file.write(place, np.zeros((entry.length, 1)), np.tile(np.float32([3, 1, 2]), (entry.length, 1)))
    assert feature_answers.frame_accuracy(tmp_path / "test.h5") == {"top1": 0.1, "top5": 1.0, "top10": 1.0}
    assert feature_answers.count_frames(tmp_path / "test.h5").tolist() == [[1, 0, 0], [9, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize("kind", ["frame", "."])
def test_both_bundles_are_ordinary(trained, tmp_path, capsys, kind):
    import evaluate
    import livedemo
    import predict

    data, model, _ = trained
    made = shutil.copytree(model / kind, tmp_path / "model")
    argv = ["--data", str(data), "--model", str(made), "--split", "test", "--gallery", "0"]
    with conftest.sketches():
        assert evaluate.main(argv) == command.DONE
    item = load_dataset(data).split("test")[0]
    with open(made / "predictions-test.csv", newline="") as file:
        rows = {row["stream"]: row for row in csv.DictReader(file) if row["clip"] == item.clip}
    names = [name for name in rows["both"] if name.startswith("p_")]
    both = {name: (float(rows["rgb"][name]) + float(rows["flow"][name])) / 2 for name in names}
    assert both == pytest.approx({name: float(rows["both"][name]) for name in both}, abs=1e-5)
    capsys.readouterr()
    assert predict.main(["--model", str(made), str(item.video(data))]) == command.DONE
    best = max(both, key=both.get)
    assert best.removeprefix("p_") in capsys.readouterr().out.splitlines()[1]
    assert livedemo.main(["--model", str(made), "--video", str(item.video(data)), "--check"]) == command.DONE


def test_again_nothing_is_done_anew(trained, capsys, monkeypatch):
    data, model, _ = trained
    kept = [*model.rglob("*.h5"), *(data / STORES["rgb"]).glob("t*.h5"), model / "log.csv"]
    before = {path: path.read_bytes() for path in kept if "network" not in path.name}
    assert train(data, model, "--stream", "both", "--frames", "run:6x3", *AUGMENTED) == command.DONE
    said = capsys.readouterr().out
    assert said.count("trained already, 2 epochs") == 2 and said.count("trained already, 1 epochs") == 2
    assert said.count("16 of 16 clips are there already") == 2
    assert {path: path.read_bytes() for path in before} == before


def test_killed_at_any_stage_it_goes_on_to_an_unbroken_run(data, tmp_path, capsys):
    """In the second epoch of single frames, with dropout inside the image network, then while features are written."""
    flags = ["--data", data, "--output", tmp_path / "stopped", *FLAGS, "--flip"]
    for moment, code in (({"STOP_AT": "1"}, 9), ({"STOP_AT": "9", "KILL_AT": "20"}, -9)):
        done = starter.run(tiny.REPOSITORY / "tests" / "small_cnn.py", "train_frame", *flags, **moment)
        assert done.returncode == code, done.stderr
    assert "rgb: going on after epoch 1" in done.stdout
    for name in ("stopped", "whole"):
        assert train(data, tmp_path / name, "--flip") == command.DONE
    said = capsys.readouterr().out
    assert "trained already, 2 epochs" in said and "valid: 3 of 8 clips are there already" in said
    for name in ("frame", "."):
        stopped, whole = (load_bundle(tmp_path / run / name) for run in ("stopped", "whole"))
        assert stopped.hashes == whole.hashes


def test_from_weights_first_the_new_top_and_then_everything(data, tmp_path, monkeypatch):
    from signs.training import loop

    small_cnn.small(False, (32, 32, 3), None).save_weights(tmp_path / "own.weights.h5")
    seen, compiled = [], loop.compile_model

    def look(model, phase, *rest):
        compiled(model, phase, *rest)
        if "cnn" in [layer.name for layer in model.layers]:
            seen.append((phase, model.get_layer("cnn").get_weights(), len(model.trainable_variables)))

    monkeypatch.setattr(loop, "compile_model", look)
    assert (
        train(
            data,
            tmp_path / "new",
            "--weights",
            tmp_path / "own.weights.h5",
            "--recipe",
            "top-epochs=1",
            "--epochs",
            "1",
        )
        == command.DONE
    )
    (top, first, few), (every, second, all_of_it) = seen
    assert (top.top_only, top.learning_rate, few) == (True, 1e-3, 2) and (every.learning_rate, all_of_it) == (1e-4, 5)
    original = arrays(tmp_path / "own.weights.h5")
    assert any(np.array_equal(first[0], value) for value in original.values())
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True)), "not even its moving averages"


def test_features_of_an_earlier_model_are_told_before_training(trained, tmp_path):
    data, model, _ = trained
    there = tiny.contents(data / STORES["rgb"])
    with pytest.raises(Problem, match="feature-both-40x64: features of an earlier model of that name; delete it, or"):
        train(data, tmp_path / model.name, "--epochs", "1")
    assert not (tmp_path / model.name / "frame" / "log.csv").exists()
    assert tiny.contents(data / STORES["rgb"]) == there


def test_a_bad_test_clip_is_named_and_the_model_is_made(data, tmp_path, capsys):
    store = (data / "frame-40x64").resolve()
    (data / "frame-40x64").unlink()
    shutil.copytree(store, data / "frame-40x64")
    bad = load_dataset(data).split("test")[0]
    bad.archive(data, "frame-40x64").write_bytes(b"PK")
    flags = ["--epochs", "1"]
    for _ in range(2):
        assert train(data, tmp_path / "new", *flags) == command.PARTLY
        said = capsys.readouterr().err
        assert f"  {bad.clip}: " in said and "no whole clip; run frame.py" in said
        assert load_bundle(tmp_path / "new").streams


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--frames", "4/whole"], "--frames 4/whole: expected N or run:N or run:NxV or run:N/whole"),
        (["--epochs", "2", "0"], "--epochs 0: at least 1"),
        (["--batch", "2", "2", "2"], "--batch 2 2 2: at most 2 numbers"),
        (["--frames-a-clip", "0"], "--frames-a-clip 0: at least 1"),
        (["--network", "no"], "no network 'no'"),
        (["--weights", "no.h5"], "--weights no.h5: no such file"),
        (["--augment", "rotation=-1"], "--augment rotation=-1: at least 0"),
        (["--normalise", "mean"], "--normalise mean: .*--frames N of a store of N"),
        (
            ["--normalise", "mean", "--frames", "run:6/whole"],
            "--normalise mean: .* has to see all 40: --frames-a-clip N",
        ),
        (["--learning-rate", "1e-3", "0"], "--learning-rate 0: above 0"),
        (["--store", "20x64"], "no flow store 20x64"),
        (["--output", "model/a:b"], "--output 'a:b' is no plain"),
    ],
)
def test_what_makes_no_sense_is_told_before_anything_is_trained(data, tmp_path, flags, said):
    with pytest.raises(Problem, match=said) as caught:
        train(data, tmp_path / "new", *flags)
    assert "\n" not in str(caught.value) and not (tmp_path / "new" / "frame" / "log.csv").exists()


def test_the_new_top_alone(data, tmp_path):
    """As the UCF-101 course trains it: the image network stays as it was."""
    small_cnn.small(False, (32, 32, 3), None).save_weights(tmp_path / "own.weights.h5")
    flags = ["--weights", tmp_path / "own.weights.h5", "--epochs", "0", "1", "--recipe"]
    assert train(data, tmp_path / "new", *flags, "top-epochs=2") == command.DONE
    with open(tmp_path / "new" / "frame" / "log.csv", newline="") as file:
        assert [row["phase"] for row in csv.DictReader(file)] == ["top", "top"]
    found = arrays(tmp_path / "new" / "frame" / "rgb.weights.h5")
    for value in arrays(tmp_path / "own.weights.h5").values():
        assert any(np.array_equal(value, other) for other in found.values())
    with pytest.raises(Problem, match="--epochs 0: at least 1, or a new top to train alone"):
        train(data, tmp_path / "other", *flags, "top-epochs=0")
    with pytest.raises(Problem, match="--epochs 0: at least 1, or a new top to train alone"):
        train(data, tmp_path / "other", "--epochs", "0", "1")
