"""From clips to a bundle without a network that learns: ridge regression, penalties, what is refused, every form."""

import csv
import json
import re
import shutil

from signs import command
from signs.clips.dataset import load_dataset
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import stored_clips
from signs.inference.bundle import load_bundle
from signs.inference.recogniser import Recogniser
from signs.models import i3d
from signs.models.weights import checkpoint_names
from signs.training import ridge
from signs.training.loop import Training

import cv2
import numpy as np
import pytest
from sklearn import linear_model

import evaluate
import export
import train_i3d
import train_linear
from checkpoints import NARROWED, randomised, smaller_i3d, write_checkpoint
from conftest import linked, untimed, without_graphs
from datagenerator import ClipGenerator
from paper_report import Run

pytestmark = pytest.mark.usefixtures("sketched", "eager")

SEES = ["--frames", "8", "--crop", "32/36", "--workers", "2"]
FEATURES = 1024 // NARROWED  # of I3D below its last layer


@pytest.fixture(scope="module", autouse=True)
def _smaller():
    with smaller_i3d():
        yield


def train(data, output, *flags):
    assert train_linear.main(["--data", str(data), "--output", str(output), *SEES, *flags]) == command.DONE
    return output


@pytest.fixture(scope="module")
def trained(demo, tmp_path_factory):
    return train(demo, tmp_path_factory.mktemp("model") / "histogram", "--copies", "2", "--penalty", "1", "10", "3")


def test_clips_without_an_archive_are_left_out_until_they_have_one(demo, tmp_path, capsys):
    data, store = linked(demo, tmp_path / "data"), "frame-40x64"
    (data / store).unlink()
    shutil.copytree(demo / store, data / store)
    item = load_dataset(data).split("train")[0]
    whole = item.archive(data, store).rename(tmp_path / "whole.zip")
    flags = ["--data", str(data), "--output", str(tmp_path / "model"), *SEES, "--copies", "0", "--penalty", "1"]
    for _ in range(2):
        assert train_linear.main(flags) == command.PARTLY
        said = capsys.readouterr()
        assert f"{data / store}: lacks 1 of 16 clips of train ({item.clip}): left out" in said.err
        assert re.search(
            r"rgb: epoch \d+ is kept, the lowest validation loss; validation accuracy is .*% there", said.out
        )
    made = load_bundle(tmp_path / "model")
    assert len(made.streams) == 2 and made.about["data"]["clips"]["train"] == 15
    whole.rename(item.archive(data, store))
    with pytest.raises(Problem, match="the clips of clips.csv: 16 train, 15 then"):
        train_linear.main(flags)


def test_the_best_penalty_is_kept_and_all_are_logged(trained, demo):
    with open(trained / "log.csv") as file:
        rows = [row for row in csv.DictReader(file) if row["stream"] == "flow"]
    assert [row["phase"] for row in rows] == ["penalty 10", "penalty 3", "penalty 1"], "the strongest first"
    assert float(rows[-1]["accuracy"]) >= 0.95, "16 clips by two people, seen three times each"
    best = min(rows, key=lambda row: float(row["val_loss"]))
    made = load_bundle(trained)
    assert made.about["training"]["flow"]["epoch"] == int(best["epoch"])
    assert [(stream.name, stream.network, stream.arguments["flow"]) for stream in made.streams] == [
        ("rgb", "histogram", False),
        ("flow", "histogram", True),
    ]
    assert Run(made, {}).start == trained.name, "histograms start from no weights"
    assert (made.spec.input.region, made.spec.input.scale, made.spec.input.still) == ("signer", "own", "subtract")
    data, recogniser = load_dataset(demo), Recogniser.load(trained, "keras")
    predicted, _ = stored_clips.predict(recogniser, data, data.split("valid", labelled=True), 4, 1)
    right = np.mean(predicted.streams["flow"].argmax(axis=1) == predicted.truth)
    assert right == pytest.approx(float(best["val_accuracy"])), "the weights that were kept are those of that row"


def test_archive_and_video_give_the_same_answer(trained, demo):
    data, recogniser = load_dataset(demo), Recogniser.load(trained, "keras")
    item = data.split("test", labelled=True)[0]
    _, stored, _ = stored_clips.logits(recogniser, data, [item], 1, 1, "test")
    answer = recogniser.answer(*read_video(item.video(demo)))
    for stream in ("rgb", "flow"):
        np.testing.assert_allclose(answer.logits[stream], stored[stream][0], atol=1e-3)


def test_the_same_seed_gives_the_same_weights(demo, tmp_path):
    flags = ("--stream", "flow", "--copies", "1", "--penalty", "3")
    one, again, other = (
        Recogniser.load(train(demo, tmp_path / name, *flags, "--seed", seed), "keras").models["flow"].get_weights()[0]
        for name, seed in (("one", "0"), ("again", "0"), ("other", "1"))
    )
    np.testing.assert_allclose(one, again, atol=1e-6)
    assert np.abs(one - other).max() > 1e-4


def test_it_is_evaluated_with_a_page_and_runs_in_every_form(trained, demo, capsys):
    # OpenCV's number of threads is the process's own; evaluate.py's pictures are made with one.
    threads = cv2.getNumThreads()
    assert evaluate.main(["--data", str(demo), "--model", str(trained), "--split", "valid", "--gallery", "1"]) == 0
    cv2.setNumThreads(threads)
    assert (trained / "report" / "index.html").exists()
    flags = ["--data", str(demo), "--model", str(trained), "--split", "valid", "--clips", "4", "--forms"]
    with untimed(), without_graphs(False):
        assert export.main([*flags, "openvino", "onnx", "litert", "stream"]) == command.DONE
    assert "stream is left out: " in capsys.readouterr().out
    forms = json.loads((trained / "export.json").read_text())["forms"]
    assert {"openvino", "onnx", "litert"} <= forms.keys()
    for name in ("openvino", "onnx", "litert"):
        assert forms[name]["difference"] < 1e-3 and forms[name]["equal"] == 1


@pytest.fixture(scope="module")
def inflated(demo, tmp_path_factory):
    """A classifier on an I3D whose weights come from a checkpoint with the published names: its folder and theirs."""
    folder = tmp_path_factory.mktemp("inflated")
    network = randomised(i3d.build_i3d((8, 32, 32, 3), 3))
    arrays = {name: variable.numpy() for name, variable in checkpoint_names(network).items()}
    write_checkpoint(folder, arrays)
    flags = ("--network", "i3d", "--weights", str(folder), "--stream", "rgb", "--penalty", "1")
    return train(demo, folder / "model", *flags), folder, network


@pytest.fixture(scope="module")
def fitted(inflated):
    """The network of that classifier."""
    return Recogniser.load(inflated[0], "keras").models["rgb"]


@pytest.fixture(scope="module")
def seen(inflated, demo):
    """{split: (clips as the network sees them, one-hot rows of their classes, what the published network makes of
    them)}."""
    model, _, published = inflated
    data, made, below, found = load_dataset(demo), load_bundle(model), i3d.below_top(published), {}
    for split in ("train", "valid"):
        clips = data.split(split, labelled=True)
        batches = ClipGenerator(data, clips, made.spec, "rgb", [row.label for row in data.classes], batch=len(clips))
        found[split] = (*batches[0], np.asarray(below(batches[0][0])))
    return found


def answers_of(network, learnt: tuple[str, ...], seen):
    """A model's logits of the validation clips, and those of scikit-learn's ridge on what the published network makes
    of the clips of the splits in `learnt`, each feature brought to the spread that it has in `train`."""
    inputs = seen["valid"][0]
    truth, features = ({split: row[place] for split, row in seen.items()} for place in (1, 2))
    spread = (features["train"].std(axis=0) + ridge.FLAT) * np.sqrt(FEATURES)
    rows, targets = (np.concatenate([part[split] for split in learnt]) for part in (features, truth))
    wanted = linear_model.Ridge(alpha=1).fit(rows / spread, targets).predict(features["valid"] / spread)
    return np.asarray(network(inputs)), wanted


def assert_one_factor_apart(found, wanted):
    """The classifier is the ridge's but for the temperature, one factor for all logits."""
    factor = np.sum(found * wanted) / np.sum(wanted**2)
    assert factor > 0
    np.testing.assert_allclose(found, factor * wanted, atol=0.01 * np.abs(found).max())


def test_the_top_of_i3d_is_fitted_and_nothing_else(inflated, fitted, seen):
    model, _, published = inflated
    what = load_bundle(model).spec.input
    assert (what.still, what.scale, what.region) == ("keep", "fixed", "middle")
    assert_one_factor_apart(*answers_of(fitted, ("train",), seen))
    for layer in fitted.layers:
        if not layer.name.startswith("Logits"):
            for one, other in zip(layer.get_weights(), published.get_layer(layer.name).get_weights(), strict=True):
                np.testing.assert_array_equal(one, other)
    assert Run(load_bundle(model), {}).start, "Figure 5 names where it started"


def test_it_is_refitted(inflated, seen, demo, tmp_path, capsys):
    model, folder, _ = inflated
    again = train(demo, tmp_path / "again", "--refit", str(model))
    assert f"rgb: 24 clips, {FEATURES} features" in capsys.readouterr().out, "those of both splits"
    assert load_bundle(again).about["flags"]["weights"] == str(folder)
    network = Recogniser.load(again, "keras").models["rgb"]
    assert_one_factor_apart(*answers_of(network, ("train", "valid"), seen))
    with pytest.raises(Problem, match="it had another --network"):
        train(demo, tmp_path / "other", "--refit", str(model), "--network", "histogram")
    flags = ["--data", str(demo), "--stream", "rgb", "--workers", "1"]
    with pytest.raises(Problem, match=r"made by another script \(train_linear.py\)"):
        train_i3d.main([*flags, "--output", str(tmp_path / "refit"), "--refit", str(model)])


def test_it_is_what_an_i3d_is_trained_further_from(inflated, fitted, demo, tmp_path, monkeypatch):
    """Up to the first step, which is as any other's."""
    model, _, _ = inflated
    started = []

    def note(training, phases):
        started.append(([phase.name for phase in phases if phase.epochs], training.model.get_weights()))
        raise StopIteration

    monkeypatch.setattr(Training, "fit", note)
    flags = ["--stream", "rgb", *SEES, "--weights", str(model), "--recipe", "top-epochs=0", "--epochs", "1"]
    with pytest.raises(StopIteration):
        train_i3d.main(["--data", str(demo), "--output", str(tmp_path / "on"), *flags])
    (phases, weights), *_ = started
    wanted = fitted.get_weights()
    assert phases == ["all"] and all(np.array_equal(one, other) for one, other in zip(weights, wanted, strict=True))


def test_from_another_model_it_draws_other_numbers(inflated, demo, tmp_path, monkeypatch):
    """Else its augmented clips would be those that the I3D below has learnt by heart."""
    model, folder, _ = inflated
    seen = []

    def note(stream):
        augmented = stream.generators["train, augmented"]
        seen.append([augmented._draw(position).brightness.tolist() for position in range(4)])
        raise StopIteration

    monkeypatch.setattr(train_linear.Stream, "train", note)
    for number, weights in enumerate((folder, model, model)):
        with pytest.raises(StopIteration):
            flags = ("--network", "i3d", "--weights", str(weights), "--stream", "rgb", "--copies", "1")
            train(demo, tmp_path / str(number), *flags)
    published, first, again = seen
    assert first == again and not any(one == other for one, other in zip(first, published, strict=True))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--network", "i3d", "--weights", "none"), "nothing is learnt below the last layer"),
        (("--network", "i3d", "--weights", "elsewhere"), "elsewhere: no model.ckpt.index"),
        (("--network", "i3d", "--stream", "grey"), "no weights for grey"),
        (("--network", "i3d", "--frames", "7"), "--frames 7 --crop 32: at least 8 frames of 32 pixels"),
        (("--weights", "kinetics"), "--weights kinetics: histograms have none; add --network i3d"),
    ],
)
def test_weights_that_cannot_be(demo, tmp_path, flags, said):
    with pytest.raises(Problem, match=said):
        train(demo, tmp_path / "model", *flags)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--copies", "-1"), "--copies -1: at least 0"),
        (("--penalty", "0"), "--penalty 0: above 0"),
        (("--crop", "7"), "--frames 8 --crop 7: at least 3 frames of 8 pixels"),
        (("--copies", "9999"), "16 training clips, 10000 times each: more than 10,000 at once; use --copies 624"),
        (("--seed", "5"), "holds a run with other settings .*seed"),
    ],
)
def test_what_makes_no_sense_is_refused(trained, demo, flags, said):
    with pytest.raises(Problem, match=said):
        train(demo, trained, "--copies", "2", "--penalty", "1", "10", "3", *flags)
    assert load_bundle(trained)
