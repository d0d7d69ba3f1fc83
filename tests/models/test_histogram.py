"""Histograms of flow and of gradients: against plain NumPy, and on motion whose direction and frequency is known."""

from signs.evaluation import gradcam
from signs.models import histogram
from signs.models.histogram import Blocks, FlowCells

import keras
import numpy as np
import pytest

FRAMES, SIDE = 7, 20


def features(clips: np.ndarray, flow: bool) -> np.ndarray:
    model = histogram.build_histogram(clips.shape[1:], 3, flow)
    return np.asarray(keras.Model(model.input, model.get_layer(histogram.FEATURES).output)(clips))


def cells(clips: np.ndarray, flow: bool) -> np.ndarray:
    model = histogram.build_histogram(clips.shape[1:], 3, flow)
    return np.asarray(model.get_layer(histogram.MAPS[0])(clips))


def reference_cells(vectors: np.ndarray, directions: list, narrow: float, weight: np.ndarray) -> np.ndarray:
    """(T, H, W, N) vectors, place by place and direction by direction -> (T, 8, 8, directions)."""
    frames, height, width, _ = vectors.shape
    found = np.zeros((frames, 8, 8, len(directions)))
    for t, y, x in np.ndindex(frames, height, width):
        vector = np.float64(vectors[t, y, x])
        length = np.linalg.norm(vector)
        for number, direction in enumerate(directions):
            value = max(0, vector @ direction - narrow * length) / (1 - narrow) * weight[t, y, x]
            # Shared with the cells round about, as far as the place is from their middles.
            down, across = (y + 0.5) / height * 8 - 0.5, (x + 0.5) / width * 8 - 0.5
            for row in range(8):
                for column in range(8):
                    share = max(0, 1 - abs(row - down)) * max(0, 1 - abs(column - across))
                    found[t, row, column, number] += value * share * 64 / height / width
    return found


def slope(values: np.ndarray) -> np.ndarray:
    found = np.zeros((*values.shape, 2))
    found[:, 1:-1, 1:-1, 0] = (values[:, 1:-1, 2:] - values[:, 1:-1, :-2]) / 2
    found[:, 1:-1, 1:-1, 1] = (values[:, 2:, 1:-1] - values[:, :-2, 1:-1]) / 2
    return found


def ring(slant: float) -> list:
    return [
        np.array([np.cos(a) * np.cos(slant), np.sin(a) * np.cos(slant), np.sin(slant)])
        for a in np.arange(8) * np.pi / 4
    ]


def test_cells_of_flow_are_those_of_plain_loops():
    flow = np.random.default_rng(0).normal(0, 0.2, (2, SIDE, SIDE, 2)).astype(np.float32)
    plane = [direction[:2] for direction in ring(0)]
    wanted = []
    for vectors, still in ((flow, 0.02), (slope(flow[..., 0]), 0.005), (slope(flow[..., 1]), 0.005)):
        length = np.linalg.norm(vectors, axis=-1)
        wanted.append(
            reference_cells(vectors, plane, np.cos(np.pi / 4), np.maximum(length - still, 0) / np.maximum(length, 1e-9))
        )
    # `FlowCells` alone: two frames are too few for a model.
    found = np.asarray(FlowCells()(flow[None]))[0]
    np.testing.assert_allclose(found[..., :24], np.concatenate(wanted, axis=-1), atol=2e-4)
    np.testing.assert_allclose(found[..., 24:].mean(axis=(1, 2)), flow.mean(axis=(1, 2)), atol=0.02)


def test_cells_of_pictures_are_those_of_plain_loops():
    clip = np.random.default_rng(1).normal(0, 0.3, (3, SIDE, SIDE, 3)).astype(np.float32)
    grey = clip.mean(axis=-1)
    change = np.zeros_like(grey)
    change[1:-1] = (grey[2:] - grey[:-2]) / 2
    directions = [*ring(-0.6), *ring(0), *ring(0.6), np.array([0, 0, -1]), np.array([0, 0, 1])]
    vectors = np.concatenate([slope(grey), change[..., None]], axis=-1)
    wanted = reference_cells(vectors, directions, 0.75, np.minimum(np.abs(change) / 0.1, 1))
    np.testing.assert_allclose(cells(clip[None], False)[0], wanted, atol=2e-4)


def test_blocks_are_of_length_1_and_of_parts_of_the_clip():
    values = np.random.default_rng(2).uniform(0, 1, (1, FRAMES, 8, 8, 26)).astype(np.float32)
    found = np.asarray(Blocks((8, 8, 8))(values))[0]
    sizes = [64 * 8 * parts for _ in range(3) for parts in (1, 3, 6)] + [64 * 2 * (FRAMES // 2)]
    assert len(found) == sum(sizes)
    blocks = np.split(found, np.cumsum(sizes)[:-1])
    np.testing.assert_allclose([np.linalg.norm(block) for block in blocks], 1, atol=1e-3)
    whole = np.sqrt(values[0].mean(axis=0)[..., :8]).ravel()
    np.testing.assert_allclose(blocks[0], whole / np.linalg.norm(whole), atol=1e-4)
    thirds = blocks[1].reshape(3, -1)
    first = np.sqrt(np.average(values[0], axis=0, weights=np.maximum(0, 1 - np.abs(np.arange(7) / 2 - 0.5)))[..., :8])
    assert np.corrcoef(thirds[0], first.ravel())[0, 1] > 0.999


def test_flow_to_the_right_is_in_the_bin_to_the_right_and_a_moving_camera_changes_no_boundary():
    rng = np.random.default_rng(3)
    still = rng.normal(0, 0.1, (1, FRAMES, SIDE, SIDE, 2)).astype(np.float32)
    right = np.zeros_like(still)
    right[..., 0] = 0.5
    found = cells(right, True)[0]
    assert found[..., 0].min() > 0.3 and np.abs(found[..., 1:24]).max() < 1e-3
    np.testing.assert_allclose(cells(still + right, True)[..., 8:24], cells(still, True)[..., 8:24], atol=1e-5)


def test_the_spectrum_says_how_often_a_hand_swings():
    frames = 24
    clip = np.zeros((1, frames, SIDE, SIDE, 2), np.float32)
    clip[0, ..., 0] = 0.3 * np.sin(2 * np.pi * 4 * np.arange(frames) / frames)[:, None, None]
    spectrum = features(clip, True)[0, -12 * 128 :].reshape(12, -1).sum(axis=1)
    assert spectrum.argmax() == 3, "cycles a clip, from 1 on"


def test_a_clip_in_which_nothing_changes_has_no_gradient_that_counts():
    clip = np.repeat(np.random.default_rng(4).normal(0, 0.3, (1, 1, SIDE, SIDE, 1)), FRAMES, axis=1).astype(np.float32)
    assert np.abs(cells(clip, False)).max() == 0
    assert np.isfinite(features(clip, False)).all()


def test_channels_that_are_no_flow_are_pictures_each():
    clip = np.random.default_rng(5).normal(0, 0.3, (1, FRAMES, SIDE, SIDE, 2)).astype(np.float32)
    found = cells(clip, False)
    assert found.shape == (1, FRAMES, 8, 8, 52)
    np.testing.assert_allclose(found[..., 26:], cells(clip[..., 1:], False), atol=1e-6)


def test_only_the_last_layer_learns_and_grad_cam_finds_where_it_looks():
    model = histogram.build_histogram((FRAMES, SIDE, SIDE, 2), 3, True)
    assert [weight.path for weight in model.weights] == ["Logits/kernel", "Logits/bias"]
    clip = np.zeros((1, FRAMES, SIDE, SIDE, 2), np.float32)
    clip[:, :, 3:8, 12:17, 0] = 0.5
    column = np.zeros(model.weights[0].shape[0], np.float32)
    column[: 64 * 8 : 8] = 1  # what moves to the right, in the whole clip
    model.set_weights([np.repeat(column[:, None], 3, axis=1), np.zeros(3, np.float32)])
    heat = gradcam.heat(gradcam.cut(model, histogram.MAPS), clip, np.array([0]))[0].sum(axis=0)
    assert heat[3:8, 12:17].mean() > 5 * heat[:, :8].mean()


@pytest.mark.parametrize("shape", [(FRAMES, 7, 20, 2), (2, 20, 20, 1)])
def test_too_small_a_clip_is_refused(shape):
    with pytest.raises(ValueError, match="at least 3 frames of 8x8 pixels"):
        histogram.build_histogram(shape, 3)
