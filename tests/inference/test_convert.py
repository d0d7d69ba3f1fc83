"""Networks for LiteRT give what they gave before."""

import dataclasses

from signs.clips import dataset
from signs.clips.dataset import load_dataset
from signs.command import Problem
from signs.inference import convert, stored_clips

import numpy as np
import pytest


@pytest.mark.parametrize(
    ("size", "stride", "padding"),
    [
        ((3, 3, 3), (2, 2, 2), "same"),
        ((1, 3, 3), (1, 2, 2), "same"),
        ((3, 3, 3), (1, 1, 1), "same"),
        ((2, 2, 2), (2, 2, 2), "valid"),
    ],
)
@pytest.mark.parametrize("frames", [7, 8])
def test_pooling_without_3d_is_the_same(size, stride, padding, frames):
    import keras

    clip_ = keras.Input((frames, 11, 12, 3))
    model = keras.Model(clip_, keras.layers.MaxPooling3D(size, stride, padding)(clip_))
    batch = np.random.default_rng(0).standard_normal((2, frames, 11, 12, 3)).astype(np.float32)
    np.testing.assert_array_equal(convert.for_litert(model)(batch), model(batch))
    mean = keras.Model(clip_, keras.layers.AveragePooling3D(size, stride, "valid")(clip_))
    np.testing.assert_allclose(convert.for_litert(mean)(batch), mean(batch), atol=1e-6)


def test_training_clips_that_cannot_be_read_are_left_out(recogniser, demo, monkeypatch):
    data, stream, read = load_dataset(demo), recogniser.bundle.streams[0], stored_clips.read_inputs
    gone = dataset.spread(data.split("train"), 4)[0]
    monkeypatch.setattr(stored_clips, "read_inputs", lambda *ask: (None, "gone") if ask[2] == gone else read(*ask))
    assert len(convert.training_clips(recogniser, data, stream, 4)) == 3
    with pytest.raises(Problem, match=f"{gone.clip}: gone"):
        convert.training_clips(recogniser, dataclasses.replace(data, clips=[gone]), stream, 4)
