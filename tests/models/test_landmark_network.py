"""The network on points: its size, and clips of any length."""

from signs.clips.posture import VALUES, in_mirror
from signs.inference import runtime
from signs.models.landmark import build_landmark
from signs.models.weights import copy_weights

import numpy as np
import pytest

import train_landmark


def test_a_small_network_for_clips_of_any_length():
    model = build_landmark((None, VALUES), 20)
    assert model.count_params() < 2_000_000
    for moments in (5, 48):
        assert model(np.zeros((2, moments, VALUES), np.float32), training=False).shape == (2, 20)


def test_heads_that_do_not_divide_the_features():
    with pytest.raises(ValueError, match="7 heads of 192 features"):
        build_landmark((48, VALUES), 20, heads=7)


def test_a_mirror_changes_the_classes_with_it():
    """And takes the weights of the network without one, clip by clip, wherever in a batch it stands."""
    clips = np.random.default_rng(0).normal(size=(3, 6, VALUES)).astype(np.float32)
    values = np.array(in_mirror())
    mirrored = clips[..., abs(values) - 1] * np.sign(values).astype(np.float32)
    plain = build_landmark((6, VALUES), 3)
    model = build_landmark((6, VALUES), 3, mirror={"classes": [0, 2, 1], "values": in_mirror()})
    model.set_weights(plain.get_weights())
    expected = (plain(clips) + np.asarray(plain(mirrored))[:, [0, 2, 1]]) / 2
    assert np.allclose(model(clips), expected, atol=1e-5)
    assert np.allclose(model(mirrored), np.asarray(model(clips))[:, [0, 2, 1]], atol=1e-5)


@pytest.mark.parametrize(
    ("shape", "mirror", "said"),
    [
        ((6, VALUES), {"classes": [0, 1], "values": in_mirror()}, "each of 3 classes"),
        ((6, VALUES), {"classes": [0, -2, -1], "values": in_mirror()}, "each of 3 classes"),
        ((6, VALUES), {"classes": [0, 2, 1], "values": in_mirror()[:-1]}, f"{VALUES} values"),
        ((6, VALUES), {"classes": [0, 2, 1], "values": [float(value) for value in in_mirror()]}, f"{VALUES} values"),
        ((6, VALUES), {"classes": [0, 2, 1]}, "a damaged mirror"),
        ((6, VALUES), "left", "a damaged mirror"),
        ((6, VALUES), [[0, 2, 1], in_mirror()], "a damaged mirror"),
        ((None, VALUES), {"classes": [0, 2, 1], "values": in_mirror()}, "any length"),
    ],
)
def test_a_mirror_of_something_else(shape, mirror, said):
    with pytest.raises(ValueError, match=said):
        build_landmark(shape, 3, mirror=mirror)


def test_what_trainings_start_from_fits_and_is_small():
    """Made by benchmarks/make_start.py; a network of another shape, or values in another order, want a new one."""
    row, path = train_landmark.find_start(train_landmark.parse(["--data", "data", "--output", "model"]))
    assert row.arguments["mirror"]["values"] == in_mirror() and path.stat().st_size < 1_000_000
    start = runtime.KerasNetwork.load(row, path).model
    model = build_landmark((48, VALUES), 5)
    copy_weights(start, model)
    names = [layer.name for layer in model.layers if layer.weights and not layer.name.startswith("Logits")]
    assert all(
        (model.get_layer(name).get_weights()[0] == start.get_layer(name).get_weights()[0]).all() for name in names
    )
