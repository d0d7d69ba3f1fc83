"""The synthetic signs to pre-train on: the same in every data set, told apart by movement, within an arm's reach."""

from signs.prepare import synthetic_movement, synthetic_signs

import numpy as np
import pytest

SIGNS = synthetic_signs.draw_signs(120)


def wrists(sign, seed=0):
    return sign.wrists(1.0, 1.0, np.random.default_rng(seed))


def test_the_first_signs_are_the_same_however_many_there_are():
    assert synthetic_signs.draw_signs(20) == SIGNS[:20]
    assert len({sign.name for sign in SIGNS}) == 120


@pytest.mark.parametrize("sign", SIGNS[:60], ids=lambda sign: sign.name)
def test_hands_stay_within_reach_and_only_those_of_the_sign_move(sign):
    right, left = wrists(sign)
    assert len(right) == len(left) >= 13 and np.isfinite([right, left]).all()
    for side, path in ((-1, right), (1, left)):
        shoulder = np.array([side * synthetic_movement.SHOULDER[0], synthetic_movement.SHOULDER[1]])
        assert (
            np.linalg.norm(path - shoulder, axis=1).max()
            <= synthetic_movement.UPPER_ARM + synthetic_movement.FOREARM + 10
        )
    moves = [np.ptp(path, axis=0).max() > 15 for path in (right, left)]
    assert moves == [sign.hands != "left", sign.hands != "right"]


def test_people_make_a_sign_alike_and_two_signs_differently():
    """The way of both hands, told as 20 points, lies nearest to the same sign's by another person."""

    def way(sign, seed):
        paths = np.concatenate(wrists(sign, seed), axis=1)
        place = np.linspace(0, len(paths) - 1, 20)
        return np.stack([np.interp(place, np.arange(len(paths)), column) for column in paths.T])

    some = [sign for sign in SIGNS[:40] if sign.swings <= 1]
    people = [[way(sign, seed) for sign in some] for seed in range(12)]
    mean = np.mean(people[:8], axis=0)
    right = [
        np.argmin(np.square(mean - one).sum(axis=(1, 2))) == k for person in people[8:] for k, one in enumerate(person)
    ]
    assert np.mean(right) > 0.7


def test_a_circle_one_way_and_the_other():
    circles = [sign for sign in SIGNS if sign.path == "circle" and sign.hands == "right"]
    turns = {sign.turn > 0 for sign in circles}
    assert turns == {True, False}
    for sign in circles:
        x, y = sign.stroke(np.linspace(0, 1 / sign.swings, 50)[:-1], 0.0, 10.0).T
        area = 0.5 * np.sum(x * np.roll(y, -1) - y * np.roll(x, -1))
        assert abs(abs(area) - np.pi * 100) < 10 and (area > 0) == (sign.turn > 0)
