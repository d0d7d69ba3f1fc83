"""Movements of drawn signers that are no sign: as long as signs, within reach, of the whole person where she walks."""

from signs.prepare import synthetic, synthetic_movement, synthetic_pauses
from signs.prepare.synthetic_pauses import Pause

import numpy as np
import pytest

KINDS = (*synthetic_pauses.LEARNT, *synthetic_pauses.UNSEEN_VALID, *synthetic_pauses.UNSEEN_TEST)
ONE_HAND = ("touch", "reach", "wave", "salute")


@pytest.mark.parametrize("kind", KINDS)
def test_hands_stay_within_reach_and_end_where_they_began(kind):
    for seed in range(5):
        paths = Pause(kind).wrists(1.0, 1.0, np.random.default_rng(seed))
        assert len(paths[0]) == len(paths[1]) and synthetic_pauses.FRAMES[0] <= len(paths[0]) < 50
        for side, path in zip((-1, 1), paths, strict=True):
            shoulder = (side * synthetic_movement.SHOULDER[0], synthetic_movement.SHOULDER[1])
            assert np.linalg.norm(path - shoulder, axis=1).max() < synthetic_movement.LONGEST + 1
            assert np.abs(path[-1] - (side * synthetic_movement.REST[0], synthetic_movement.REST[1])).max() < 20
        moved = [np.ptp(path, axis=0).max() > 15 for path in paths]
        wanted = {"rest": {0}, "walk": {0}, "clothes": {1, 2}, "wander": {1, 2}}
        assert sum(moved) in wanted.get(kind, {1} if kind in ONE_HAND else {2})


def test_equal_seeds_give_equal_movements_and_others_differ():
    one, same, other = (np.concatenate(Pause("wave").wrists(1.0, 1.0, np.random.default_rng(k))) for k in (3, 3, 4))
    assert np.array_equal(one, same) and (one.shape != other.shape or not np.allclose(one, other))


def test_a_salute_ends_at_the_temple_of_the_hand_that_makes_it():
    for seed in range(6):
        paths = Pause("salute").wrists(1.0, 1.0, np.random.default_rng(seed))
        side, path = max(zip((-1, 1), paths, strict=True), key=lambda pair: np.ptp(pair[1][:, 1]))
        x, y = path[np.argmin(path[:, 1])]
        assert 5 < side * x < 45 and -75 < y < -35  # the head is 20 pixels wide to each side, its middle at -43


def test_only_walking_leaves_the_picture():
    walked = Pause("walk").steps(40, np.random.default_rng(0))
    assert np.abs(walked[:, 0]).max() > 200 and np.abs(walked[[0, -1], 0]).min() < 1
    assert np.ptp(Pause("rest").steps(40, np.random.default_rng(0)), axis=0).max() < 40
    assert not Pause("touch").steps(40, np.random.default_rng(0)).any()


def test_a_room_stays_where_it_is_when_somebody_walks_out_of_it():
    signer = synthetic.signer_of(0, 1)
    colour, depth = synthetic.draw_clip(signer, Pause("walk"), np.random.default_rng(2))
    room = signer.colour.room[4:-4, 4:-4].astype(float)
    apart = np.abs(colour * 1.0 - room).mean(axis=(1, 2, 3))
    there, gone = (colour[0], colour[-1]) if apart[0] > apart[-1] else (colour[-1], colour[0])
    assert np.abs(gone - room).mean() < 0.3 * np.abs(there - room).mean()
    assert (depth[[0, -1]] < 120).mean(axis=(1, 2)).min() < 0.001  # nothing near the camera any more
