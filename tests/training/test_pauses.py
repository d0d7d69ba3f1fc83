"""Movements that are no sign, drawn with the body of a take."""

from dataclasses import replace

from signs.clips import posture
from signs.training import pauses

import numpy as np
import pytest

import posed

WRISTS = [15, 16]


def wrists_of(points) -> np.ndarray:
    """(T, 2, 2) of both wrists in shoulder widths from between the shoulders."""
    middle = points.body[:, posture.SHOULDERS, :2].mean(axis=1, keepdims=True)
    return (points.body[:, WRISTS, :2] - middle) / posture.shoulder_width(points.body)


@pytest.fixture(scope="module")
def drawn() -> list:
    return pauses.pauses_of(posed.points("up", 1, 0), np.random.default_rng(0))


def test_each_kind_by_the_same_person(drawn):
    take = posed.points("up", 1, 0)
    assert [kind for kind, _ in drawn] == list(pauses.KINDS)
    for _, clip in drawn:
        assert clip.body.shape[1:] == (33, 4) and clip.hands.shape == (len(clip.body), 2, 21, 4)
        assert np.isfinite(clip.body).all() and (np.diff(clip.times) > 0).all() and len(clip.times) == len(clip.body)
        widths = [posture.shoulder_width(points.body) for points in (clip, take)]
        assert widths[0] == pytest.approx(widths[1], rel=0.05)
        assert posture.seen(clip, posture.InputSpec(frames=12)).shape == (12, posture.VALUES)


def test_who_stands_still_keeps_her_hands_where_the_take_has_them(drawn):
    take = wrists_of(posed.points("up", 1, 0))
    moved = [(kind in pauses.STILL, np.ptp(wrists_of(clip), axis=0).max()) for kind, clip in drawn]
    assert max(far for still, far in moved if still) < 0.1
    assert np.mean([far for still, far in moved if not still]) > 0.4
    assert np.allclose(wrists_of(dict(drawn)["begins"])[0], take[0], atol=0.1)


def test_arms_are_as_long_as_the_take_shows_them():
    take = posed.points("left", 0, 3)
    person = pauses.Person.of(take)
    for _, clip in pauses.pauses_of(take, np.random.default_rng(1)):
        for side in (0, 1):
            far = np.linalg.norm(clip.body[:, 15 + side, :2] - clip.body[:, 11 + side, :2], axis=1)
            assert (far <= person.upper[side] + person.fore[side] + 1).all()


def test_a_sign_that_is_held_from_the_first_frame_on_is_no_rest():
    take = posed.points("up", 1, 0)
    body, hands = (np.repeat(rows[10][None], 20, axis=0) for rows in (take.body, take.hands))
    held = replace(take, body=body, hands=hands)
    assert {kind for kind, _ in pauses.pauses_of(held, np.random.default_rng(0))} == {*pauses.KINDS} - {*pauses.STILL}


def test_nothing_is_drawn_without_arms():
    take = posed.points("up", 1, 0)
    take.body[:, 15] = np.nan
    assert pauses.pauses_of(take, np.random.default_rng(0)) == []


def test_gaps_and_hands_that_are_never_seen():
    take = posed.points("up", 1, 0)
    take.body[5:8], take.hands[:] = np.nan, np.nan
    drawn = pauses.pauses_of(take, np.random.default_rng(0))
    assert len(drawn) == len(pauses.KINDS) and all(np.isnan(clip.hands).all() for _, clip in drawn)
