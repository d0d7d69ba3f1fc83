"""How sure an answer has to be, where signs are made that nobody taught."""

from signs.evaluation import unknown
from signs.training.last_layer import Background, Views

import numpy as np
import pytest


def test_of_ten_unknown_answers_one_is_given():
    right, none = np.linspace(0.8, 1, 20), np.linspace(0.05, 0.7, 20)
    threshold = unknown.find_threshold(right, [none])
    assert np.sum(none >= threshold) == 2 and (right >= threshold).all()


def test_kinds_count_alike_whatever_their_number():
    one, many = np.full(2, 0.9), np.full(200, 0.2)
    assert 0.2 < unknown.find_threshold(np.full(10, 0.95), [one, many]) <= 0.95
    assert unknown.find_threshold(np.full(10, 0.95), [one, many]) > 0.9, "half of all is too much"


def test_enough_of_the_right_answers_are_left():
    right = np.linspace(0.1, 1, 10)
    threshold = unknown.find_threshold(right, [np.full(50, 0.99)])
    assert np.mean(right >= threshold) >= unknown.KEPT and threshold > right[0]


@pytest.mark.parametrize("none", [[], [np.zeros(9)], [np.empty(0)]])
def test_no_threshold_where_nothing_unknown_is_answered(none):
    assert unknown.find_threshold(np.array([0.5, 0.6]), none) is None


def test_a_sign_left_out_is_asked_of_a_model_that_knows_neither_it_nor_its_pair():
    """Four signs, the first two of which become each other in a mirror; the fifth class is no sign."""
    truth, rng = np.repeat(np.arange(4), 3), np.random.default_rng(0)
    rows = np.float32(np.eye(8)[truth] + rng.normal(0, 0.1, (2, 12, 8)))
    mirrored = np.float32(np.eye(8)[np.array([1, 0, 2, 3])[truth]] + rng.normal(0, 0.1, (2, 12, 8)))
    none = np.float32(np.eye(8)[[6] * 4])
    background = Background(4, none, none, np.full(4, 0.1), np.full(4, -1), np.arange(4))
    pairs, targets = np.array([1, 0, 2, 3, 4]), np.eye(5, dtype=np.float32)[truth]
    takes = np.tile(np.arange(3), 4)
    signs, others = unknown.answers_left_out(Views(rows, mirrored), targets, takes, pairs, background)
    assert len(signs) == 12 and len(others) == 3, "each take once; the folds that were left out"
    assert np.isneginf(signs).sum(axis=1).tolist() == [2] * 6 + [1] * 6
    assert (others.argmax(axis=1) == 4).all()
