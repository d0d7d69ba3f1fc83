"""3D-CNN + LSTM from its flags to a bundle: grey, depth, clips of any length, padded, another model to start from."""

from pathlib import Path

from signs import command
from signs.clips import dataset, modality
from signs.clips.dataset import load_dataset
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import stored_clips
from signs.inference.bundle import load_bundle
from signs.inference.recogniser import Recogniser
from signs.training.augmentation import Augmentation

import numpy as np
import pytest

import evaluate
import predict
import tiny
from datagenerator import ClipGenerator
from train_conv3d_lstm import main

pytestmark = pytest.mark.usefixtures("sketched", "narrow", "eager")

LABELS = ["001", "002"]
SMALL = ["--crop", "24", "--size", "small", "--epochs", "1", "--batch", "3"]


def train(data: Path, output: Path, *flags: str) -> Path:
    assert main(["--data", str(data), "--output", str(output), *SMALL, *flags]) == 0
    return output


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    return tiny.stored(tmp_path_factory.mktemp("data"), range(6, 12))


@pytest.fixture(scope="module")
def grey(data, tmp_path_factory) -> Path:
    """Of clips as long as they are."""
    return train(data, tmp_path_factory.mktemp("model") / "grey", "--frames", "whole")


@pytest.fixture(scope="module")
def deep(data, tmp_path_factory) -> Path:
    """A network on grey and depth as two channels, and one on grey: CNN + LSTM, five frames a clip."""
    return train(
        data,
        tmp_path_factory.mktemp("model") / "deep",
        "--network",
        "conv2d-lstm",
        "--frames",
        "5",
        "--stream",
        "grey-depth",
        "grey",
    )


def generator(folder: Path, stream: str, seen: InputSpec, split="train", **settings) -> ClipGenerator:
    data = load_dataset(folder)
    spec = ClipSpec(StoredSpec("all", 32), seen)
    return ClipGenerator(data, data.split(split, labelled=True), spec, stream, LABELS, **settings)


def test_archive_file_and_camera_give_the_same_answer(grey, data):
    recogniser, clips = Recogniser.load(grey, "keras"), load_dataset(data)
    assert recogniser.bundle.streams[0].arguments["input_shape"] == [None, 24, 24, 1]
    for item in (clips.clips[0], clips.clips[5]):
        _, stored, failed = stored_clips.logits(recogniser, clips, [item], 4, 1, "test")
        frames, times = read_video(item.video(data))
        session = recogniser.session()
        for image, seconds in zip(frames, times, strict=True):
            session.push(image, seconds + 7)
        assert not failed and len(frames) == 6 + clips.clips.index(item)
        for answer in (recogniser.answer(frames, times), session.result()):
            np.testing.assert_allclose(answer.logits["grey"], stored["grey"][0], atol=1e-5)
    assert predict.main(["--model", str(grey), str(clips.clips[0].video(data))]) == 0


def test_the_camera_has_no_depth_and_the_archives_have(deep, data, capsys):
    assert evaluate.main(["--data", str(data), "--model", str(deep), "--split", "valid", "--workers", "1"]) == 0
    assert "grey and depth" in capsys.readouterr().out
    assert "grey pictures + grey and depth pictures" in (deep / "report" / "index.html").read_text()
    with pytest.raises(Problem, match="its network sees video and depth, .* no more than colour; .*evaluate.py"):
        predict.main(["--model", str(deep), str(next((data / "video").rglob("*.avi")))])


def test_depth_is_read_from_its_own_archives(data):
    seen = InputSpec(frames=4, short_side=28, crop=24)
    both, _ = generator(data, "grey-depth", seen, batch=3)[0]
    for channel, part in enumerate(("grey", "depth")):
        alone, _ = generator(data, part, seen, batch=3)[0]
        assert alone.shape == (3, 4, 24, 24, 1)
        np.testing.assert_array_equal(both[..., channel], alone[..., 0])
    assert np.abs(both[..., 0] - both[..., 1]).mean() > 0.05


def test_light_changes_grey_and_not_depth(data):
    seen = InputSpec(frames=4, short_side=28, crop=24)
    still, (lit, _) = (
        generator(data, "grey-depth", seen, batch=3)[0][0],
        generator(data, "grey-depth", seen, batch=3, augmentation=Augmentation(shift=0, brightness=0.5))[0],
    )
    lit = lit[np.argsort(np.random.default_rng([0, 0]).permutation(3))]
    np.testing.assert_array_equal(lit[..., 1], still[..., 1])
    assert np.abs(lit[..., 0] - still[..., 0]).mean() > 0.01


@pytest.mark.parametrize("stream", ["grey", "grey-depth"])
@pytest.mark.parametrize("region", ["middle", "signer"])
def test_every_augmentation_keeps_the_channels(data, stream, region):
    seen = InputSpec(frames=4, short_side=28, crop=24, still="subtract", region=region)
    drawn = Augmentation(zoom=0.2, rotation=20, part=0.5, mixup=0.2, flip=True)
    batch, _ = generator(data, stream, seen, batch=3, augmentation=drawn)[0]
    assert batch.shape == (3, 4, 24, 24, modality.TABLE[stream].channels) and np.isfinite(batch).all()
    np.testing.assert_allclose(batch.mean(axis=1), 0, atol=1e-5)


def test_clips_of_any_length_are_padded_to_the_longest_of_a_batch(data):
    seen = InputSpec(short_side=28, crop=24, sampling="whole")
    some = generator(data, "grey", seen, batch=2)
    shapes = []
    for number, lengths in enumerate(([6, 7], [8])):
        (inputs, frames), targets = some[number]
        shapes.append(inputs.shape)
        assert list(frames) == lengths and targets.shape == (len(lengths), 2)
        for row, length in zip(inputs, lengths, strict=True):
            assert np.abs(row[:length]).max() > 0 and not row[length:].any()
    assert shapes[0][1] in (7, 8) and shapes[1][1] in (8, 9)
    assert shapes[0][1] != shapes[1][1], "or Keras would take it for the size of every batch"
    parts = generator(data, "grey", seen, batch=3, augmentation=Augmentation(part=0.3))
    found = set()
    for parts.epoch in range(5):
        (inputs, frames), _ = parts[0]
        found |= set(frames.tolist())
        assert inputs.shape[1] == 8 and (frames >= 2).all() and (frames <= 8).all()
    assert len(found) > 2


def test_padding_changes_no_weight_of_a_training(tmp_path):
    """Clips of 8 frames: batches of them as they are, and with a second batch that is padded to 9."""
    data = tiny.stored(tmp_path / "data", [8] * 6, ["video"])
    plain = ["--augment", "part=1", "--recipe", "dropout=0", "--epochs", "2", "--batch", "2"]
    trained = [train(data, tmp_path / frames, "--frames", frames, *plain) for frames in ("8", "whole")]
    even, padded = (Recogniser.load(folder, "keras").models["grey"] for folder in trained)
    for mine, theirs in zip(padded.weights, even.weights, strict=True):
        assert mine.path == theirs.path
        np.testing.assert_allclose(mine, theirs, atol=3e-5, err_msg=mine.path)
    losses = [[float(row["loss"]) for row in dataset.read_table(folder / "log.csv", ["loss"])] for folder in trained]
    assert losses[0][1] < losses[0][0] and losses[1] == pytest.approx(losses[0], rel=1e-4)


def test_another_model_is_a_start(deep, data, tmp_path, capsys):
    flags = ["--network", "conv2d-lstm", "--frames", "4", "--stream", "grey", "--weights", str(deep)]
    started = train(data, tmp_path / "next", *flags, "--recipe", "top-epochs=1", "ema=0", "--learning-rate", "1e-9")
    one, other = (Recogniser.load(folder, "keras").models["grey"].get_layer("LSTM") for folder in (deep, started))
    np.testing.assert_allclose(one.get_weights()[0], other.get_weights()[0], atol=1e-6)
    assert [row["phase"] for row in dataset.read_table(started / "log.csv", ["phase"])] == ["top", "all"]
    with pytest.raises(Problem, match=r"no conv3d-lstm small on grey of \[8, 24, 24, 1\] .*, only conv2d-lstm small"):
        train(data, tmp_path / "other", "--frames", "8", "--weights", str(deep))


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--frames", "wholex2"], "--frames wholex2: expected N or NxV or whole"),
        (["--frames", "whole", "--augment", "mixup=0.2"], "--frames whole: without --augment mixup"),
        (["--network", "conv3d"], "conv3d has one size"),
        (["--weights", "nowhere"], "--weights nowhere: none, or the folder"),
        (["--stream", "hand"], "no frame store of hand; run frame.py --part hand"),
        (["--stream", "flow"], "no flow store"),
        (["--augment", "zoom=1.5"], "--augment zoom=1.5: at least 0, below 1"),
    ],
)
def test_what_cannot_be_is_said_before_anything_is_read(data, tmp_path, flags, said):
    with pytest.raises(Problem, match=said):
        train(data, tmp_path / "model", *flags)
    assert not (tmp_path / "model").exists()


def test_depth_that_lacks_a_clip_or_has_other_frames(data, tmp_path):
    item, stored = load_dataset(data).clips[0], StoredSpec("all", 32)
    copy = tiny.stored(tmp_path / "data", [6] * 6)
    other = load_dataset(copy)
    archive = other.clips[0].archive(copy, "frame-allx32-depth")
    archive.write_bytes(item.archive(data, "frame-allx32-depth").read_bytes())
    modality.read_stored("grey-depth", other, other.clips[0], stored, "middle")
    archive.write_bytes(load_dataset(data).clips[3].archive(data, "frame-allx32-depth").read_bytes())
    with pytest.raises(Problem, match="6 pictures of .* and 9 pictures"):
        modality.read_stored("grey-depth", other, other.clips[0], stored, "middle")
    archive.unlink()
    other.clips[1].archive(copy, "frame-allx32-depth").unlink()
    with pytest.raises(
        Problem, match="frame-allx32-depth: lacks 2 of 3 clips of .* run frame.py .*--part depth to its end"
    ):
        train(copy, tmp_path / "model", "--stream", "grey-depth", "--frames", "4")


def test_the_3d_cnn_is_a_bundle_too(data, tmp_path):
    flags = ["--data", str(data), "--output", str(tmp_path), "--network", "conv3d", "--stream", "rgb"]
    assert main([*flags, "--frames", "4", "--crop", "16", "--epochs", "1"]) == 0
    row = load_bundle(tmp_path).streams[0]
    assert (row.network, row.modality, row.arguments["input_shape"]) == ("conv3d", "rgb", [4, 16, 16, 3])


def test_a_loss_that_is_no_number_ends_the_training_with_the_best_epoch(data, tmp_path, monkeypatch, capsys):
    batch = ClipGenerator.__getitem__

    def spoilt(self, number):
        inputs, targets = batch(self, number)
        return inputs * (np.nan if self.epoch == 1 else 1), targets

    monkeypatch.setattr(ClipGenerator, "__getitem__", spoilt)
    flags = ["--data", str(data), "--output", str(tmp_path), *SMALL, "--network", "conv3d", "--frames", "8"]
    flags = [*flags[: flags.index("--size")], *flags[flags.index("--size") + 2 :], "--epochs", "3"]
    assert main(flags) == command.PARTLY
    assert "in epoch 2; the best epoch before it is kept" in capsys.readouterr().err
    assert load_bundle(tmp_path).about["training"]["grey"]["epoch"] == 1
    assert main(flags) == command.PARTLY and "in epoch 2; the best" in capsys.readouterr().err
