"""A student learns from a teacher's stored answers: the loss, what is stored, and what is refused."""

import dataclasses
import shutil
from argparse import Namespace
from pathlib import Path

from signs.clips.dataset import Label, load_dataset, save_dataset
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.inference import stored_clips
from signs.inference.bundle import load_bundle
from signs.inference.confidence import Calibration, load_calibration
from signs.inference.recogniser import Recogniser
from signs.training import distillation
from signs.training.augmentation import Augmentation
from signs.training.distillation import Lesson

import numpy as np
import pytest
from scipy.special import softmax

import tiny
import train_conv3d_lstm
from datagenerator import ClipGenerator

pytestmark = pytest.mark.usefixtures("narrow", "eager")
SMALL = ["--frames", "4", "--crop", "24", "--epochs", "2", "--batch", "3"]


def train(data: Path, output: Path, *flags: str) -> Path:
    assert train_conv3d_lstm.main(["--data", str(data), "--output", str(output), *SMALL, *flags]) == 0
    return output


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tiny.stored(tmp_path_factory.mktemp("data"), [6] * 6)


@pytest.fixture(scope="module")
def known(data, tmp_path_factory) -> Path:
    """A teacher of two streams, the second of which counts three times as much."""
    folder = train(
        data,
        tmp_path_factory.mktemp("teacher") / "known",
        "--size",
        "small",
        "--network",
        "conv2d-lstm",
        "--stream",
        "grey",
        "grey-depth",
    )
    hashes = load_bundle(folder).hashes
    Calibration(weights={"grey": 0.25, "grey-depth": 0.75}, model=hashes).write(folder)
    return folder


@pytest.fixture
def copied(known, tmp_path) -> Path:
    shutil.copytree(known, tmp_path / "teacher", ignore=shutil.ignore_patterns("logits-*"))
    return tmp_path / "teacher"


def weights(folder: Path) -> list[np.ndarray]:
    return Recogniser.load(folder, "keras").models["grey"].get_weights()


def test_the_loss_is_the_papers():
    rng = np.random.default_rng(0)
    logits, taught = (3 * rng.normal(size=(5, 4)).astype(np.float32) for _ in range(2))
    hard, temperature, alpha = np.eye(4, dtype=np.float32)[[0, 3, 1, 2, 2]], 2.5, 0.3

    def softened(z, t):
        return np.exp(z / t) / np.exp(z / t).sum(axis=1, keepdims=True)

    soft = softened(taught, temperature)
    l_soft = -(soft * np.log(softened(logits, temperature))).sum(axis=1)
    l_hard = -(hard * np.log(softened(logits, 1))).sum(axis=1)
    lesson, targets = Lesson(soft, temperature, alpha), np.stack([hard, soft], axis=1)
    expected = alpha * l_soft + (1 - alpha) * l_hard
    np.testing.assert_allclose(lesson.objective(None).loss(targets, logits), expected, rtol=1e-5)
    hinton = alpha * temperature**2 * l_soft + (1 - alpha) * l_hard
    squared = dataclasses.replace(lesson, squared=True)
    np.testing.assert_allclose(squared.objective(None).loss(targets, logits), hinton, rtol=1e-5)
    weighed = lesson.objective({0: 2.0, 2: 0.5})
    np.testing.assert_allclose(weighed.loss(targets, logits), expected * [2, 1, 1, 0.5, 0.5], rtol=1e-5)
    right = logits.argmax(axis=1) == hard.argmax(axis=1)
    np.testing.assert_array_equal(weighed.accuracy(targets, logits), right)


def settings(temperature: float) -> Namespace:
    return Namespace(temperature=temperature, alpha=0.5, squared=False, workers=1)


def test_two_streams_are_softened_and_then_weighed(known, data):
    someone, clips = load_bundle(known), load_dataset(data)
    train = clips.split("train")
    _, logits, _ = stored_clips.logits(Recogniser.load(known, "keras"), clips, train, 4, 1, "test")
    lesson = distillation.lesson(settings(3.0), someone, clips, train)
    expected = 0.25 * softmax(logits["grey"] / 3, axis=-1) + 0.75 * softmax(logits["grey-depth"] / 3, axis=-1)
    np.testing.assert_allclose(lesson.soft, expected, rtol=1e-5)
    turned = dataclasses.replace(clips, classes=clips.classes[::-1])
    turned_lesson = distillation.lesson(settings(3.0), someone, turned, train)
    np.testing.assert_array_equal(turned_lesson.soft, lesson.soft[:, ::-1])


def test_what_the_teacher_says_is_computed_once(copied, data, monkeypatch, capsys):
    someone, clips, calls = load_bundle(copied), load_dataset(data), []
    logits = stored_clips.logits
    monkeypatch.setattr(stored_clips, "logits", lambda *given: calls.append(given[2]) or logits(*given))

    def ask(count=3, temperature=2.0, by=someone):
        return distillation.lesson(settings(temperature), by, clips, clips.split("train")[:count]).soft

    first = ask()
    np.testing.assert_array_equal(ask(), first)
    assert not np.array_equal(ask(temperature=5.0), first) and len(calls) == 1
    ask(count=2)
    assert len(calls) == 2, "other clips"
    ask()
    ask(by=dataclasses.replace(someone, hashes={"other": "weights"}))
    assert len(calls) == 4, "other weights"
    stored = next(copied.glob("logits-*.npz"))
    stored.write_bytes(stored.read_bytes()[:-200])
    np.testing.assert_array_equal(ask(), first)
    assert len(calls) == 5, "cut short"
    assert "are there already" in capsys.readouterr().out


def test_a_two_stream_i3d_teaches(i3d, demo, monkeypatch):
    clips, recogniser, asked = load_dataset(demo), Recogniser.load(i3d, "keras"), []
    monkeypatch.setattr(Recogniser, "load", lambda folder, runtime: asked.append((folder, runtime)) or recogniser)
    some, someone = clips.split("train")[:3], load_bundle(i3d)
    distillation.check(someone, clips)
    found, _ = stored_clips.predict(recogniser, clips, some, 4, 1)
    logits = distillation._compute(someone, clips, some, 1)
    assert set(logits) == {"rgb", "flow"} and asked == [(i3d, "keras")]
    fused = load_calibration(i3d, someone.hashes).fuse({name: softmax(rows, axis=-1) for name, rows in logits.items()})
    np.testing.assert_allclose(fused, found.streams["both"], atol=1e-6)


def test_alpha_decides_what_is_learnt_from(known, data, tmp_path):
    """With alpha 0 the student is the one without a teacher; with more it is not, and T^2 before the teacher's part
    makes it another one again."""
    same = ["--size", "small", "--stream", "grey", "--network", "conv2d-lstm", "--recipe", "balance=yes"]
    alone = weights(train(data, tmp_path / "alone", *same))
    found = {
        how: weights(train(data, tmp_path / how, *same, "--teacher", str(known), *how.split()))
        for how in ("alpha=0", "alpha=0.5", "alpha=0.5 squared=yes")
    }
    for mine, theirs in zip(found["alpha=0"], alone, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)
    for one, other in ((found["alpha=0.5"], alone), (found["alpha=0.5 squared=yes"], found["alpha=0.5"])):
        assert max(float(np.abs(mine - theirs).max()) for mine, theirs in zip(one, other, strict=True)) > 1e-4


def test_a_stopped_run_goes_on_and_only_with_its_own_teacher(copied, data, tmp_path, monkeypatch):
    flags = ["--teacher", str(copied), "--network", "conv2d-lstm", "--augment", "mixup=0.2"]
    whole = train(data, tmp_path / "whole", *flags)
    batch = ClipGenerator.__getitem__

    def until_the_machine_goes_off(generator, number):
        if generator.epoch == 1 and generator.augmentation:
            raise RuntimeError("power cut")
        return batch(generator, number)

    with monkeypatch.context() as patch:
        patch.setattr(ClipGenerator, "__getitem__", until_the_machine_goes_off)
        with pytest.raises(Exception, match="power cut"):
            train(data, tmp_path / "broken", *flags)
    with pytest.raises(Problem, match=r"other settings \(temperature\)"):
        train(data, tmp_path / "broken", *flags, "--teacher", str(copied), "temperature=4")
    calibration = load_calibration(copied, load_bundle(copied).hashes)
    dataclasses.replace(calibration, weights={}).write(copied)
    with pytest.raises(Problem, match=r"other settings \(teacher_fusion\)"):
        train(data, tmp_path / "broken", *flags)
    calibration.write(copied)
    broken = train(data, tmp_path / "broken", *flags)
    for mine, theirs in zip(weights(broken), weights(whole), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-6)


def test_a_teacher_of_other_classes_and_a_split_without_clips(known, data, tmp_path):
    clips = load_dataset(data)
    other = dataclasses.replace(clips, folder=tmp_path / "other")
    other.folder.mkdir()
    for store in data.glob("frame-*"):
        (other.folder / store.name).symlink_to(store)
    save_dataset(dataclasses.replace(other, classes=[*clips.classes, Label("003", "go")]))
    flags = ["--teacher", str(known)]
    with pytest.raises(Problem, match=r"knows other classes than .*other \(2 and 3; only one has 003\)"):
        train(other.folder, tmp_path / "model", *flags)
    save_dataset(dataclasses.replace(other, clips=[item for item in clips.clips if item.split != "valid"]))
    with pytest.raises(Problem, match="no labelled clip in the split valid"):
        train(other.folder, tmp_path / "model", *flags)
    with pytest.raises(Problem, match="--teacher temperature=0: above 0"):
        train(data, tmp_path / "model", *flags, "temperature=0")
    with pytest.raises(Problem, match="--teacher alpha=2: at least 0, at most 1"):
        train(data, tmp_path / "model", *flags, "alpha=2")
    with pytest.raises(Problem, match="--recipe alpha=0.5: expected"):
        train(data, tmp_path / "model", "--recipe", "alpha=0.5")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize(("flags", "size"), [([], "joined"), (["--teacher", "model/x"], "small")])
def test_a_student_is_small_where_no_size_is_named(flags, size):
    args = train_conv3d_lstm.parse(["--data", "data", "--output", "model", *flags])
    assert args.size == size
    assert (args.temperature, args.alpha) == ((2.0, 0.5) if flags else (None, None))


def test_a_lesson_is_mixed_as_the_labels_are(data):
    clips = load_dataset(data)
    spec = ClipSpec(StoredSpec("all", 32), InputSpec(4, 32, 24))
    some = ClipGenerator(
        clips,
        clips.split("train"),
        spec,
        "grey",
        ["001", "002"],
        batch=3,
        augmentation=Augmentation(smoothing=0.1, mixup=0.5),
    )
    some.soft = np.float32([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    _, targets = some[0]
    order = np.random.default_rng([0, 0]).permutation(3)
    rng = np.random.default_rng([0, 0, 3])
    share, other = np.float32(rng.beta(0.5, 0.5)), rng.permutation(3)
    hard = np.float32([[0.95, 0.05], [0.05, 0.95], [0.95, 0.05]])
    for column, rows in enumerate((hard[order], some.soft[order])):
        np.testing.assert_allclose(targets[:, column], share * rows + (1 - share) * rows[other], atol=1e-6)
