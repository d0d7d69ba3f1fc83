"""Both hands as crops: where they are, how they are cut, what a mirror does, and the same from file and camera."""

from dataclasses import replace

from signs import command
from signs.clips import modality, preprocess, region, storage
from signs.clips.dataset import load_dataset
from signs.clips.hand_track import SIZE, hand_squares
from signs.clips.points import Points, read_points, write_points
from signs.clips.spec import InputSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference.bundle import load_bundle
from signs.inference.recogniser import Recogniser, check_store
from signs.landmarks.stream import landmark_spec
from signs.training.augmentation import Drawn

import numpy as np
import pytest

import ensemble
import evaluate
import posed
import tiny
import train_linear
from conftest import linked

pytestmark = pytest.mark.usefixtures("sketched", "eager")
HANDS = InputSpec(6, 36, 32, region="hands")


def points(frames: int = 10) -> Points:
    """A left hand that goes to the right, a palm of 8 pixels; the right one is nowhere. 96 x 128."""
    found = posed.points("left", 0, 0, frames)
    hands = np.full_like(found.hands, np.nan)
    shape = np.random.default_rng(1).uniform(0, 8, (21, 2))
    shape[0], shape[1] = 0, 8  # of the palm
    hands[:, 0, :, :2] = shape + np.column_stack([np.linspace(20, 56, frames), np.full(frames, 40)])[:, None]
    hands[:, 0, :, 2:] = 0.5
    return Points(found.body, hands, found.times, (96, 128))


def test_a_square_goes_with_the_hand_and_bridges_a_gap():
    seen = points()
    whole = hand_squares(seen, seen.times, 48)
    assert np.isnan(whole[1]).all() and whole.shape == (2, 10, 3)
    np.testing.assert_allclose(np.diff(whole[0, :, 0]), 2, atol=1e-9)  # 4 pixels of the video
    np.testing.assert_allclose(whole[0, :, 1:], [[22, SIZE * 4]] * 10, atol=1e-9)
    seen.hands[3:6] = np.nan
    np.testing.assert_allclose(hand_squares(seen, seen.times, 48), whole, atol=1e-9)
    seen.hands[:3] = np.nan
    np.testing.assert_array_equal(hand_squares(seen, seen.times, 48)[0, :6], whole[0, [6] * 6])


def test_the_left_hand_is_shown_as_a_right_one():
    images = tiny.moving(3)
    right = np.tile([30.0, 20, 16], (3, 1))
    tile = region.cut_hands(images, np.stack([right, right]), 32)
    assert tile.shape == (3, 64, 32, 3)
    np.testing.assert_array_equal(tile[:, 32:], region.cut_square(images, [30, 20, 16], 32))
    np.testing.assert_array_equal(tile[:, :32], tile[:, 32:, ::-1])
    nowhere = region.cut_hands(images, np.stack([right * np.nan, right]), 32)
    assert (nowhere[:, :32] == region.NO_HAND).all()
    np.testing.assert_array_equal(nowhere[:, 32:], tile[:, 32:])


@pytest.mark.parametrize("channels", [2, 3])
def test_a_clip_in_a_mirror_is_the_same_with_its_halves_exchanged(channels):
    images = tiny.moving(3)[..., :channels]
    squares = np.array([[[20, 20, 16]] * 3, [[41, 25, 16]] * 3], float)
    mirrored = images[:, :, ::-1].copy()
    if channels == 2:
        mirrored[..., 0] = 255 - mirrored[..., 0]
    other = squares[::-1].copy()
    other[..., 0] = 64 - other[..., 0]
    tile = region.cut_hands(images, squares, 32)
    assert np.abs(region.cut_hands(mirrored, other, 32) - np.float32(region.exchanged(tile))).max() <= 1
    drawn = Drawn(np.zeros(2), np.ones(3), 1.0, (0, 1), 0.0, True)
    np.testing.assert_array_equal(drawn.turn(tile, 20.0 if channels == 2 else None, hands=True), region.exchanged(tile))
    turned = replace(drawn, degrees=10.0, flipped=False)
    whole = turned.turn(tile, hands=True) if channels == 3 else turned.turn(tile, 20.0, hands=True)
    alone = turned.turn(tile[:, :32], 20.0 if channels == 2 else None)
    np.testing.assert_array_equal(whole[:, :32], alone)


def test_a_network_sees_each_hand_as_it_would_alone():
    images = tiny.moving(6)
    squares = np.array([[[20, 20, 16]] * 6, [[41, 25, 16]] * 6], float)
    cut, _ = preprocess.cut_out(images, HANDS, {"hands": squares})
    seen = preprocess.network_input(cut, HANDS, shift=(2, -3), zoom=1.2)
    assert list(seen.shape[1:3]) == HANDS.picture == [64, 32]
    alone = preprocess.network_input(cut[:, 36:], replace(HANDS, region="middle"), shift=(2, -3), zoom=1.2)
    np.testing.assert_array_equal(seen[:, 32:], alone)
    still = np.array([[[20, 20, 30]] * 6] * 2, float)
    flow = np.full((6, 48, 64, 2), 128, np.uint8)
    assert preprocess.cut_out(flow, HANDS, {"hands": still})[1] == pytest.approx(
        2 * preprocess.HAND_SIDE / 60 * 32 / 36
    )


@pytest.fixture(scope="module")
def data(demo, tmp_path_factory):
    """The drawn signers' clips with drawn points beside them."""
    folder = linked(demo, tmp_path_factory.mktemp("hands") / "data")
    spec = landmark_spec()
    for number, item in enumerate(load_dataset(folder).clips):
        info = storage.read_info(item.archive(folder, "frame-40x64"))
        times = np.unique(info["times"]) - info["times"][0]
        found = posed.points(posed.SIGNS[number % 3], number % 4, number, len(times))
        write_points(item.archive(folder, spec.store), replace(found, times=times), storage.expected_info(item, spec))
    return folder


@pytest.fixture(scope="module")
def trained(data, tmp_path_factory):
    model = tmp_path_factory.mktemp("model") / "hands"
    flags = ["--frames", "8", "--crop", "32/36", "--copies", "1", "--penalty", "1", "--flip", "--region", "hands"]
    code = train_linear.main(["--data", str(data), "--output", str(model), "--stream", "flow", *flags])
    assert code == command.DONE
    return model


def test_stored_clip_file_and_camera_give_the_same_answer(data, trained):
    recogniser, item = Recogniser.load(trained), load_dataset(data).split("test")[0]
    stored = recogniser.bundle.spec.stored
    assert stored.landmark == landmark_spec() and recogniser.bundle.streams[0].arguments["input_shape"] == [
        8,
        64,
        32,
        2,
    ]
    found = read_points(item.archive(data, stored.landmark.store), stored.landmark)

    frames, times = read_video(item.video(data))
    answer = recogniser.answer(frames, times, found)
    for row in recogniser.bundle.streams:
        seen = modality.read_stored(row.modality, load_dataset(data), item, stored, "hands")
        expected = recogniser.logits(row, recogniser.input(row, *seen))[0]
        np.testing.assert_allclose(answer.logits[row.name], expected, atol=1e-4)


def test_it_is_evaluated_and_joined(data, trained, tmp_path, capsys):
    assert evaluate.main(["--data", str(data), "--model", str(trained), "--split", "test", "--gallery", "1"]) == 0
    whole = tmp_path / "whole"
    flags = ["--frames", "8", "--crop", "32/36", "--copies", "0", "--penalty", "1", "--stream", "flow"]
    assert train_linear.main(["--data", str(data), "--output", str(whole), *flags]) == command.DONE
    joined = tmp_path / "joined"
    assert ensemble.main(["--model", str(whole), str(trained), "--output", str(joined)]) == command.DONE
    bundle = load_bundle(joined)
    assert [stream.name for stream in bundle.streams] == ["flow", "flow-histogram"]
    assert bundle.spec.stored.landmark and bundle.regions == {"signer", "hands"}
    assert evaluate.main(["--data", str(data), "--model", str(joined), "--split", "test", "--gallery", "0"]) == 0


def test_without_points_it_is_refused_by_name(demo, data, trained, tmp_path):
    flags = ["--data", str(demo), "--output", str(tmp_path / "none"), "--region", "hands"]
    with pytest.raises(Problem, match="no landmark store; run landmark.py"):
        train_linear.main(flags)
    with pytest.raises(Problem, match="landmark-30fps"):
        check_store(load_bundle(trained), load_dataset(demo))
    with pytest.raises(Problem, match="colour video and its flow alone"):
        modality.check_stores(load_dataset(data), ["depth"], load_bundle(trained).spec.stored, "hands")
