"""How the logits of steps become a clip's: the same in NumPy and in Keras, and as the weights say."""

from signs.models import cnn_lstm

import keras
import numpy as np
import pytest

STEPS = np.random.default_rng(0).normal(size=(3, 7, 4)).astype(np.float32)


def test_weights():
    assert cnn_lstm.step_weights("last", 4).tolist() == [0, 0, 0, 1]
    assert cnn_lstm.step_weights("mean", 4).tolist() == [0.25] * 4
    np.testing.assert_allclose(cnn_lstm.step_weights("linear", 4), [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    for kind in cnn_lstm.READOUTS:
        assert cnn_lstm.step_weights(kind, 1).tolist() == [1] and cnn_lstm.step_weights(kind, 5).dtype == np.float32


@pytest.mark.parametrize("kind", cnn_lstm.READOUTS)
def test_the_answer_is_the_weighted_sum_of_the_steps(kind):
    expected = np.einsum("btc,t->bc", STEPS, cnn_lstm.step_weights(kind, 7))
    np.testing.assert_allclose(cnn_lstm.read_out(STEPS, kind), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        cnn_lstm.read_out(keras.ops.convert_to_tensor(STEPS), kind, keras.ops), expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("kind", cnn_lstm.READOUTS)
def test_clips_of_any_length(kind):
    from signs.models.cnn_lstm import Readout

    steps = keras.Input((None, 4))
    model = keras.Model(steps, Readout(kind)(steps))
    assert model.output.shape == (None, 4)
    for length in (1, 3, 7):
        found = model.predict_on_batch(STEPS[:, :length])
        np.testing.assert_allclose(found, cnn_lstm.read_out(STEPS[:, :length], kind), rtol=1e-5, atol=1e-6)
