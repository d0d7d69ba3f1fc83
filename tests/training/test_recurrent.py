"""train_lstm.py on real features: bundles that everything takes, transfer, the sweep, going on, bad input."""

import csv
import json
import shutil
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import Dataset, Label, load_dataset, save_dataset
from signs.command import Problem
from signs.inference import feature_file
from signs.inference.bundle import load_bundle
from signs.inference.confidence import load_calibration
from signs.models import cnn_lstm
from signs.training.log import Log
from signs.training.loop import Training

import numpy as np
import pytest

import conftest
import feature
import small_cnn
import starter
import tiny
import train_lstm

pytestmark = pytest.mark.usefixtures("small_network", "sketched", "eager")
FLAGS = ["--features", "small", "--lstm", "5", "4", "--epochs", "1", "--batch", "16"]
# What an LSTM is trained on, and what it sees when it predicts.
KINDS = {
    "even": ["--frames", "4", "--stream", "both"],
    "parts": ["--frames", "run:9x3", "--truncate", "3", "--batch-norm", "--dense", "6", "--read", "mean"],
    "whole": ["--frames", "run:5/whole", "--read", "linear"],
}


def train(data: Path, output: Path, *flags) -> int:
    return train_lstm.main(["--data", str(data), "--output", str(output), *FLAGS, *map(str, flags)])


@pytest.fixture(scope="module")
def models(features, tmp_path_factory) -> Path:
    """A model of each kind; only to be read."""
    folder = tmp_path_factory.mktemp("models")
    for name, flags in KINDS.items():
        assert train(features, folder / name, *flags) == command.DONE
    return folder


@pytest.fixture
def copied(features, tmp_path) -> Path:
    """The data set with features of its own."""
    data = conftest.linked(features, tmp_path / "demo")
    for store in ("feature-small-40x64", "feature-small-40x64-tvl1-fast"):
        shutil.copytree(features / store, data / store)
    return data


@pytest.fixture(scope="module")
def recognisers(models) -> dict:
    from signs.inference.recogniser import Recogniser

    return {name: Recogniser.load(models / name) for name in KINDS}


@pytest.fixture
def loaded(recognisers, monkeypatch) -> None:
    """Scripts get the networks that are there already, by the folder's name."""
    from signs.inference.recogniser import Recogniser

    def load(folder, *_, **__):
        shared = recognisers[Path(folder).name]
        return Recogniser(replace(shared.bundle, folder=Path(folder)), shared.networks)

    monkeypatch.setattr(Recogniser, "load", load)


def weights(model) -> dict[str, list[np.ndarray]]:
    """{layer: its weights} of the LSTM of a bundle's RGB stream."""
    made = load_bundle(model)
    arguments = next(stream.arguments for stream in made.streams if stream.name == "rgb")
    head = cnn_lstm.build_head(
        (4, small_cnn.DIMENSION),
        len(made.classes),
        arguments["lstm"],
        arguments["dense"],
        batch_norm=arguments["batch_norm"],
    )
    head.load_weights(made.folder / "rgb.weights.h5")
    return {layer.name: layer.get_weights() for layer in head.layers}


def same(first: list, second: list) -> bool:
    return len(first) == len(second) and all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize("kind", KINDS)
def test_logits_of_a_clip_are_those_of_the_lstm_on_its_features(features, models, recognisers, kind):
    model, data = recognisers[kind], load_dataset(features)
    frames, views = {"even": (4, 1), "parts": (9, 3), "whole": (5, 1)}[kind]
    assert (model.bundle.spec.input.frames, model.bundle.spec.input.views) == (frames, views)
    for stream in model.bundle.streams:
        store = "frame-40x64" if stream.name == "rgb" else "flow-40x64-tvl1-fast"
        head = cnn_lstm.build_head(
            (None, small_cnn.DIMENSION), 8, (5, 4), (6,) if kind == "parts" else (), batch_norm=kind == "parts"
        )
        head.load_weights(models / kind / f"{stream.name}.weights.h5")
        with feature_file.opened(
            features / store.replace("frame", "feature-small").replace("flow", "feature-small") / "test.h5"
        ) as file:
            rows = {entry.clip: file.rows(place) for place, entry in enumerate(file.entries)}
        for item in data.split("test")[:3]:
            archive = storage.read_archive(item.archive(features, store))
            found = model.logits(stream, model.input(stream, archive.images, archive.squares))[0]
            picked = model.bundle.spec.input.pick_views(40)
            assert [len(one) for one in picked] == {"even": [4], "parts": [9] * 3, "whole": [40]}[kind]
            steps = [head.predict_on_batch(rows[item.clip][one][None]) for one in picked]
            expected = np.mean([cnn_lstm.read_out(one, stream.arguments["read"])[0] for one in steps], axis=0)
            np.testing.assert_allclose(found, expected, atol=1e-4)
            assert np.ptp(expected) > 1e-3


def test_the_mean_and_deviation_are_those_of_the_training_split(features, models):
    with feature_file.opened(features / "feature-small-40x64" / "train.h5") as file:
        np.testing.assert_allclose(weights(models / "even")["standardise"], file.statistics, rtol=1e-5)


def test_evaluate_predict_the_report_and_the_live_demo_agree(features, models, loaded, tmp_path, capsys):
    import evaluate
    import livedemo
    import paper_report
    import predict

    model = shutil.copytree(models / "even", tmp_path / "even")
    some = load_dataset(features).split("test")[:2]
    assert (
        evaluate.main(["--data", str(features), "--model", str(model), "--split", "valid", "test", "--gallery", "1"])
        == command.DONE
    )
    capsys.readouterr()
    videos = [str(item.video(features)) for item in some]
    assert predict.main(["--model", str(model), "--json", "--top", "8", *videos]) == command.DONE
    calibration = load_calibration(model, load_bundle(model).hashes)
    with open(model / "predictions-test.csv", newline="") as file:
        rows = {(row["clip"], row["stream"]): row for row in csv.DictReader(file)}
    for item, line in zip(some, capsys.readouterr().out.splitlines(), strict=True):
        found = json.loads(line)
        for stream, top in found["streams"].items():
            for label, share in top:
                assert share == pytest.approx(float(rows[item.clip, stream][f"p_{label}"]), abs=2e-3)
        labels = [label for label, _ in found["top"]]
        both = np.array([float(rows[item.clip, "both"][f"p_{label}"]) for label in labels])
        assert [share for _, share in found["top"]] == pytest.approx(calibration.calibrated(both), abs=5e-3)
    assert (model / "report" / "index.html").stat().st_size > 10000
    with conftest.sketches(drawn=True):
        assert paper_report.main(["--data", str(features), "--model", str(model)]) == command.DONE
    assert (model / "report" / "figure3.png").stat().st_size > 1000
    capsys.readouterr()
    for kind in ("even", "whole"):
        assert livedemo.main(["--model", str(models / kind), "--video", videos[0], "--check"]) == command.DONE
        assert "camera and file agree" in capsys.readouterr().out


def test_a_transfer_begins_with_all_but_the_last_layer(features, models, tmp_path, monkeypatch):
    """To other classes, of other clips."""
    data = conftest.linked(features, tmp_path / "demo")
    whole, few = load_dataset(features), {"001", "002", "003"}
    save_dataset(
        Dataset(
            data,
            [item for item in whole.clips if item.label in few],
            [row for row in whole.classes if row.label in few],
        )
    )
    assert feature.main(["--data", str(data), *small_cnn.FLAGS]) == command.DONE
    started, fit = {}, Training.fit

    def note(training, phases):
        started.update({layer.name: layer.get_weights() for layer in training.model.layers})
        fit(training, phases)

    monkeypatch.setattr(Training, "fit", note)
    assert train(data, tmp_path / "new", "--frames", "4", "--weights", models / "even") == command.DONE
    source = weights(models / "even")
    assert started.pop(cnn_lstm.HEAD)[0].shape == (4, 3) and source.pop(cnn_lstm.HEAD)[0].shape == (4, 8)
    assert started.keys() == source.keys() and all(same(started[name], source[name]) for name in source)
    assert [row.label for row in load_bundle(tmp_path / "new").classes] == sorted(few)


FROZEN = {
    "random-start": (),
    "fine-tune-all": (),
    "freeze-lstm-1": ("lstm_1",),
    "freeze-lstm-2": ("lstm_2",),
    "freeze-both": ("lstm_1", "lstm_2"),
}


def test_the_sweep_leaves_every_choice_and_a_comparison(features, models, tmp_path, capsys, monkeypatch):
    from signs.evaluation import plots

    drawn = []
    monkeypatch.setattr(plots, "save", lambda made, path: (drawn.append(made), made.savefig(path, dpi=100)))
    flags = ["--frames", "4", "--weights", models / "even", "--seed", "7", "--sweep"]
    assert train(features, tmp_path / "sweep", *flags) == command.DONE
    names = list(FROZEN)
    assert sorted(path.name for path in (tmp_path / "sweep").iterdir()) == sorted(
        [*names, "comparison.csv", "comparison.png"]
    )
    with open(tmp_path / "sweep" / "comparison.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["start"].lower().replace(" ", "-") for row in rows] == names
    for row, name in zip(rows, names, strict=True):
        log = Log(tmp_path / "sweep" / name / "log.csv").rows_of("rgb")
        assert float(row["most_val_accuracy"]) == max(float(one["val_accuracy"]) for one in log)
        assert float(row["least_val_loss"]) == min(float(one["val_loss"]) for one in log)
        assert load_bundle(tmp_path / "sweep" / name).about["flags"]["sweep"] is False, "it may go on by itself"
    axes = drawn[0].axes
    assert [one.get_title() for one in axes[:5]] == [row["start"] for row in rows] and len(axes) == 10
    for one, row in zip(axes, [*rows, *rows], strict=True):
        number = (
            f"{float(row['least_val_loss']):.3f}"
            if "loss" in one.get_xlabel()
            else f"{100 * float(row['most_val_accuracy']):.1f} %"
        )
        assert number in one.get_xlabel()
    assert "lowest loss" in capsys.readouterr().out
    source = weights(models / "even")
    for name, frozen in FROZEN.items():
        found = weights(tmp_path / "sweep" / name)
        for layer in ("lstm_1", "lstm_2", cnn_lstm.HEAD):
            equal = [np.array_equal(a, b) for a, b in zip(found[layer], source[layer], strict=True)]
            assert all(equal) if layer in frozen else not any(equal), f"{layer} of {name}"


def test_killed_it_goes_on_to_the_weights_of_an_unbroken_run(features, tmp_path, capsys):
    flags = ["--frames", "4", "--epochs", "2", "--augment", "part=0.5", "mixup=0.2"]
    line = ["train_lstm", "--data", features, "--output", tmp_path / "stopped", *FLAGS, *flags]
    done = starter.run(tiny.REPOSITORY / "tests" / "small_cnn.py", *line, STOP_AT="1")
    assert done.returncode == 9, done.stderr
    assert len(Log(tmp_path / "stopped" / "log.csv").rows) == 1
    for name in ("stopped", "whole"):
        assert train(features, tmp_path / name, *flags) == command.DONE
    assert "rgb: going on after epoch 1" in capsys.readouterr().out
    assert load_bundle(tmp_path / "stopped").hashes == load_bundle(tmp_path / "whole").hashes
    for name in ("rgb.weights.h5", "checkpoint/rgb-0002.weights.h5"):
        assert (tmp_path / "stopped" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_feature_file_that_is_cut_short(copied, tmp_path):
    path = copied / "feature-small-40x64" / "valid.h5"
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(Problem, match="valid.h5: cut short or damaged.*delete it and run feature.py again"):
        train(copied, tmp_path / "new", "--frames", "4")
    path.unlink()
    with pytest.raises(Problem, match="valid.h5: no such file; run feature.py"):
        train(copied, tmp_path / "new", "--frames", "4")
    assert not (tmp_path / "new").exists()


def test_damaged_features_of_another_name_are_in_nobodys_way(copied, recognisers):
    from signs.inference.feature_answers import logits_of_clips

    path = copied / "feature-small-still-40x64" / "train.h5"
    path.parent.mkdir()
    path.write_bytes(b"no HDF5")
    assert feature_file.find_features(load_dataset(copied), "small", "rgb").name == "feature-small-40x64"
    data, known = load_dataset(copied), recognisers["even"]
    ask = [known.bundle.streams[0], known.models["rgb"], known.bundle.spec, data, data.split("test")]
    assert logits_of_clips(*ask).shape == (8, 8)


def test_features_that_are_not_all_there(copied, tmp_path, capsys):
    path = copied / "feature-small-40x64" / "train.h5"
    with feature_file.opened(path, write=True) as file:
        name = file.entries[3].clip
        file.file["done"][3] = 0
    assert train(copied, tmp_path / "few", "--frames", "4", "--epochs", "1") == command.PARTLY
    assert f"{path.parent}: lacks 1 of 16 clips of train ({name}): left out; feature.py" in capsys.readouterr().err
    assert load_bundle(tmp_path / "few").about["data"]["clips"]["train"] == 15
    with feature_file.opened(path, write=True) as file:
        file.file["done"][3:6] = 0
    with pytest.raises(Problem, match=f"lacks 3 of 16 clips of train, {name} among them; run feature.py"):
        train(copied, tmp_path / "new", "--frames", "4")
    with feature_file.opened(path, write=True) as file:
        file.file["done"][4:6] = 1
    with feature_file.opened(path, write=True) as file:
        file.write(3, file.rows(3))
    with pytest.raises(Problem, match="no mean of the training split in it; run feature.py again to its end"):
        train(copied, tmp_path / "new", "--frames", "4")


def test_a_clip_that_was_stored_anew(copied, recognisers, tmp_path):
    from signs.inference.feature_answers import logits_of_clips

    data, known = load_dataset(copied), recognisers["even"]
    ask = [known.bundle.streams[0], known.models["rgb"], known.bundle.spec, data, data.split("train")]
    assert logits_of_clips(*ask).shape == (16, 8)
    path = copied / "frame-40x64"
    whole = path.resolve()
    path.unlink()
    shutil.copytree(whole, path)
    item = data.split("train")[2]
    archive = storage.read_archive(item.archive(copied, "frame-40x64"))
    storage.write_archive(item.archive(copied, "frame-40x64"), archive.images, {**archive.info, "sha256": "another"})
    assert logits_of_clips(*ask) is None, "the network itself is asked"
    with pytest.raises(Problem, match=f"train.h5: {item.clip} was stored anew since; run feature.py again"):
        train(copied, tmp_path / "new", "--frames", "4")


def test_streams_one_after_the_other_both_say_where_their_weights_are_from(features, tmp_path):
    for stream in ("rgb", "flow"):
        assert train(features, tmp_path / "new", "--frames", "4", "--stream", stream) == command.DONE
    assert load_bundle(tmp_path / "new").about["flags"]["image_network"] == dict.fromkeys(
        ("rgb", "flow"), "small, weights none, seed 0"
    )


def test_a_label_that_changed(copied, tmp_path):
    data = load_dataset(copied)
    wrong = data.split("train")[0]
    other = next(row.label for row in data.classes if row.label != wrong.label)
    save_dataset(replace(data, clips=[replace(item, label=other) if item == wrong else item for item in data.clips]))
    with pytest.raises(Problem, match=f"{wrong.clip} has label {wrong.label} there and {other} in clips.csv"):
        train(copied, tmp_path / "new", "--frames", "4")


def test_a_class_table_that_changed(copied, models, tmp_path):
    output = shutil.copytree(models / "parts", tmp_path / "model")
    data = load_dataset(copied)
    save_dataset(replace(data, classes=[*data.classes, Label("999", "new")]))
    with pytest.raises(Problem, match=r"a run with other settings \(the classes of class.csv\)"):
        train(copied, output, *KINDS["parts"])


def test_features_of_another_network(copied, models, tmp_path):
    assert feature.main(["--data", str(copied), *small_cnn.FLAGS, "--seed", "3", "--name", "other"]) == command.DONE
    with pytest.raises(Problem, match="reads features of another network .small. than other; run feature.py --network"):
        train(copied, tmp_path / "new", "--frames", "4", "--features", "other", "--weights", models / "even")
    with pytest.raises(Problem, match="another network"):
        train(
            copied, tmp_path / "sweep", "--frames", "4", "--features", "other", "--weights", models / "even", "--sweep"
        )
    assert not list(tmp_path.glob("sweep/*/log.csv")), "told before the random start was trained"
    folder, other = copied / "feature-small-40x64", copied / "feature-other-40x64"
    shutil.copy(other / feature_file.WEIGHTS, folder)
    with pytest.raises(Problem, match="network.weights.h5: not the network that made the features; run feature"):
        train(copied, tmp_path / "new", "--frames", "4", "--epochs", "1")
    assert train(copied, tmp_path / "begun", "--frames", "4", "--features", "other") == command.DONE
    for path in other.iterdir():
        if path.suffix == ".h5":
            path.unlink()
    assert feature.main(["--data", str(copied), *small_cnn.FLAGS, "--seed", "4", "--name", "other"]) == command.DONE
    with pytest.raises(
        Problem,
        match="begun: its rgb LSTM learnt from features of another network than small, weights "
        "none, seed 4, as it is now; choose another --output",
    ):
        train(copied, tmp_path / "begun", "--frames", "4", "--features", "other")
    shutil.copy(other / "valid.h5", folder)
    with pytest.raises(Problem, match=r"train and valid are not of the same network .*weights.*run feature.py again"):
        train(copied, tmp_path / "third", "--frames", "4")


def test_the_bundles_own_network_makes_features_to_go_on_with(copied, models, tmp_path):
    argv = ["--data", str(copied), "--network", str(models / "even"), "--name", "even"]
    assert feature.main(argv) == command.DONE
    assert (
        train(
            copied,
            tmp_path / "new",
            "--frames",
            "4",
            "--features",
            "even",
            "--weights",
            models / "even",
            "--epochs",
            "1",
        )
        == command.DONE
    )
    paths = [copied / f"feature-{name}-40x64" / "test.h5" for name in ("small", "even")]
    with feature_file.opened(paths[0]) as file, feature_file.opened(paths[1]) as again:
        np.testing.assert_allclose(again.rows(2), file.rows(2), atol=1e-5)
        assert again.about.weights == file.about.weights


def test_streams_of_other_pictures(copied, tmp_path):
    shutil.rmtree(copied / "feature-small-40x64-tvl1-fast")
    assert feature.main(["--data", str(copied), *small_cnn.FLAGS, "--crop", "32/40", "--stream", "flow"]) == 0
    with pytest.raises(Problem, match="the flow features were made of other pictures than the others"):
        train(copied, tmp_path / "new", "--frames", "4", "--stream", "both")


def test_pictures_less_their_average_have_to_be_seen_whole(copied, tmp_path):
    argv = ["--data", str(copied), *small_cnn.FLAGS, "--normalise", "mean", "--name", "still"]
    assert feature.main(argv) == command.DONE
    with pytest.raises(Problem, match="--normalise mean: .*--frames N of a store of N, or --frames run:N/whole"):
        train(copied, tmp_path / "new", "--frames", "4", "--features", "still")
    flags = ["--frames", "run:4/whole", "--features", "still"]
    assert train(copied, tmp_path / "new", *flags) == command.DONE


def test_frames_one_by_one(features, tmp_path):
    assert train(features, tmp_path / "new", "--frames", "4", "--lstm", "--read", "mean") == command.DONE
    head = load_bundle(tmp_path / "new").streams[0].arguments
    assert head["lstm"] == head["dense"] == []


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--frames", "4x2"], "--frames 4x2: expected N or run:N or run:NxV or run:N/whole"),
        (["--frames", "whole"], "--frames whole: expected N or run:N"),
        (["--frames", "run:0"], "--frames run:0: expected .*N and V at least 1, at most 9999"),
        (["--frames", "run:9", "--augment", "part=0.5"], "--augment part=0.5: of --frames N"),
        (["--augment", "zoom=0.1"], "--augment zoom=0.1: expected part=VALUE, mixup=VALUE"),
        (["--recipe", "top-epochs=1"], "--recipe top-epochs=1: expected patience"),
        (["--freeze", "1"], "--freeze and --sweep need a model to start from"),
        (["--lstm", "0"], "--lstm 0: at least 1"),
        (["--sweep"], "need a model to start from"),
        (["--truncate", "-1"], "--truncate -1: at least 0"),
        (["--weights", "model/none"], "model/none: no such folder"),
        (["--features", "no"], "no features no of rgb"),
    ],
)
def test_flags_that_make_no_sense(features, tmp_path, flags, said):
    with pytest.raises(Problem, match=said) as caught:
        train(features, tmp_path / "new", *flags)
    assert "\n" not in str(caught.value) and not (tmp_path / "new" / "bundle.json").exists()


def test_a_model_to_start_from_that_does_not_fit(features, models, tmp_path):
    flags = ["--frames", "4", "--weights", models / "even", "--freeze", "2"]
    with pytest.raises(
        Problem, match=r"its network is .*'lstm': \[5, 4\].*not .*\[5\].*leave --lstm, --dense, ... out"
    ):
        train(features, tmp_path / "new", *flags[:4], "--lstm", "5")
    with pytest.raises(Problem, match=r"--freeze 2: --lstm has 1 layer"):
        train(features, tmp_path / "new", *flags, "--lstm", "5")
    with pytest.raises(Problem, match=r"--freeze 1: --lstm has 0 layer"):
        train(features, tmp_path / "new", *flags[:-1], "1", "--lstm")
    with pytest.raises(Problem, match="no LSTM on flow in it; name a model of train_lstm.py"):
        train(features, tmp_path / "new", "--frames", "4", "--stream", "flow", "--weights", models / "whole")


def test_what_each_step_counts():
    """The loss of an LSTM's steps, by hand."""
    from signs.training import recurrent

    import keras

    steps = np.random.default_rng(0).normal(size=(2, 4, 3)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[[0, 2]]
    each = np.logaddexp.reduce(steps, axis=2) - np.einsum("btc,bc->bt", steps, targets)
    for kind, counts in (("last", [0, 0, 0, 1]), ("mean", [1, 1, 1, 1]), ("linear", [1, 2, 3, 4])):
        share = np.array(counts) / sum(counts)
        made = recurrent.objective(kind)
        tensors = keras.ops.convert_to_tensor(targets), keras.ops.convert_to_tensor(steps)
        np.testing.assert_allclose(keras.ops.convert_to_numpy(made.loss(*tensors)), each @ share, rtol=1e-4)
        answer = np.einsum("btc,t->bc", steps, share)
        np.testing.assert_allclose(made.readout(steps), answer, rtol=1e-4, atol=1e-6)
        hits = keras.ops.convert_to_numpy(made.accuracy(*tensors))
        assert hits.tolist() == (answer.argmax(axis=1) == [0, 2]).tolist()
