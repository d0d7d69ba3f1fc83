"""What benchmarks/make_starter.py adds to a network: one more class, while the others stay."""

from signs.clips import posture
from signs.clips.hands_alone import hands_alone

import numpy as np

import make_starter
import posed
import starter_movements


def test_the_new_class_takes_what_is_no_sign_and_leaves_the_signs():
    rng = np.random.default_rng(0)
    signs = rng.normal(0, 0.3, (200, 8)) + np.repeat(np.eye(8)[:2] * 3, 100, axis=0)
    none = rng.normal(0, 0.3, (100, 8)) + np.eye(8)[2] * 3
    top = np.eye(8)[:, :2] * 4, np.zeros(2)
    column, bias = make_starter.fit_column(signs, none, np.full(100, 0.01), top)
    answers = [np.column_stack([rows @ top[0] + top[1], rows @ column + bias]).argmax(axis=1) for rows in (signs, none)]
    assert np.mean(answers[0] == np.repeat([0, 1], 100)) > 0.97 and np.mean(answers[1] == 2) > 0.97


def test_movements_have_the_hands_of_their_clip():
    clips = [hands_alone(posed.points(sign, 1, 0)) for sign in ("up", "left", "right")]
    moves = starter_movements.movements(clips)
    assert {move.owner for move in moves} == {-1, 0}, "every third clip"
    armed = starter_movements.with_arms(clips[0])
    assert np.allclose(armed.body[:, 16, :2], clips[0].hands[:, 1, 0, :2], atol=1e-3), (
        "an arm ends where its hand begins"
    )
    assert not np.isnan(armed.body[:, 15, 0]).any(), "the other one hangs"
    assert posture.shoulder_width(armed.body) == posture.shoulder_width(clips[0].body)
