"""Grad-CAM on networks whose attention is known, and against a gradient by differences."""

from signs.evaluation import gradcam
from signs.models.i3d import MAPS, build_i3d

import keras
import numpy as np
import pytest


def bright_network() -> keras.Model:
    """Class 0 is told by light, class 1 by its absence: the mean of the picture, and its negative."""
    clip = keras.Input((8, 32, 32, 1))
    maps = keras.layers.AveragePooling3D((1, 4, 4), name="maps")(clip)
    late = keras.layers.AveragePooling3D((2, 2, 2), name="late")(maps)
    pooled = keras.layers.GlobalAveragePooling3D()(late)
    head = keras.layers.Dense(2, use_bias=False, name="head")
    model = keras.Model(clip, head(pooled))
    head.set_weights([np.array([[1.0, -1.0]])])
    return model


def test_the_heat_is_where_and_when_the_light_is():
    batch = np.zeros((2, 8, 32, 32, 1), np.float32)
    batch[0, 2:4, 4:12, 20:28] = 1
    batch[1, 6:8, 24:32, 0:8] = 1
    found = gradcam.heat(gradcam.cut(bright_network(), ("maps",)), batch, np.array([0, 0]))
    assert found.shape == (2, 8, 32, 32) and found.dtype == np.float32
    for one, light in zip(found, batch[..., 0], strict=True):
        assert one.max() == 1 and one[light > 0].mean() > 0.7 and one[light == 0].mean() < 0.02
        assert one.sum(axis=(1, 2)).argmax() in np.flatnonzero(light.any(axis=(1, 2)))
    against = gradcam.heat(gradcam.cut(bright_network(), ("maps",)), batch, np.array([1, 1]))
    assert np.all(against == 0), "what speaks against a class is cut off"


def test_the_latest_layer_that_is_fine_enough():
    model = bright_network()
    assert gradcam.cut(model, ("late", "maps"))[1].input.shape[2:4] == (8, 8), "late is 4 places wide"
    assert gradcam.cut(model, ("late",))[1].input.shape[2:4] == (4, 4)
    i3d = build_i3d((12, 48, 48, 2), 5)
    assert gradcam.cut(i3d, MAPS)[1].input.shape[1:] == i3d.get_layer("Mixed_3c").output.shape[1:]
    assert i3d.get_layer("Mixed_3c").output.shape[2] >= gradcam.FINE


def test_the_gradient_is_that_of_small_differences():
    """Of a network without pooling: where pooled values are equal, differences know no gradient."""
    keras.utils.set_random_seed(3)
    clip = keras.Input((8, 24, 24, 2))
    x = keras.layers.Conv3D(6, 3, strides=2, activation="gelu", name="maps")(clip)
    x = keras.layers.BatchNormalization()(keras.layers.Conv3D(8, 3, activation="gelu")(x))
    model = keras.Model(clip, keras.layers.Dense(4)(keras.layers.GlobalAveragePooling3D()(x)))
    trunk, head = gradcam.cut(model, ("maps",))
    batch = np.random.default_rng(0).normal(0, 1, (2, 8, 24, 24, 2)).astype(np.float32)
    maps = keras.ops.convert_to_tensor(trunk(batch, training=False))
    np.testing.assert_allclose(head(maps, training=False), model(batch, training=False), rtol=1e-4, atol=1e-5)
    found = gradcam.gradient(head, maps, np.array([2, 0]))
    step = np.random.default_rng(1).normal(0, 0.03, maps.shape).astype(np.float32)
    up, down = (np.asarray(head(np.asarray(maps) + sign * step, training=False)) for sign in (1, -1))
    expected = (up - down)[[0, 1], [2, 0]] / 2
    assert (found * step).sum(axis=(1, 2, 3, 4)) == pytest.approx(expected, rel=0.02)
