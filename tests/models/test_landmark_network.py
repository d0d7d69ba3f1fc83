"""The network on points: its size, and clips of any length."""

from signs.clips.posture import VALUES
from signs.models.landmark import build_landmark

import numpy as np
import pytest


def test_a_small_network_for_clips_of_any_length():
    model = build_landmark((None, VALUES), 20)
    assert model.count_params() < 2_000_000
    for moments in (5, 48):
        assert model(np.zeros((2, moments, VALUES), np.float32), training=False).shape == (2, 20)


def test_heads_that_do_not_divide_the_features():
    with pytest.raises(ValueError, match="7 heads of 192 features"):
        build_landmark((48, VALUES), 20, heads=7)
