"""Clips of what is no sign for a whole network: how many of which kind, by whose bodies, and what is left out."""

from dataclasses import replace

from signs.clips import posture
from signs.inference import sign_loops
from signs.training import no_sign_clips, pauses
from signs.training.background import MOVING, OTHER_SIGNS, STILL

import numpy as np
import pytest

import posed


def takes(count: int = 20) -> list:
    return [posed.points(posed.SIGNS[seed % 3], seed % 4, seed) for seed in range(count)]


@pytest.fixture(scope="module")
def loops() -> list:
    return list(sign_loops.read_loops(no_sign_clips.STARTER).values())


def test_so_many_of_each_kind_and_the_same_again(loops):
    drawn = no_sign_clips.draw_clips(takes(), loops)
    assert len(drawn) == sum(round(20 * part) for part in (OTHER_SIGNS, STILL, MOVING))
    again = no_sign_clips.draw_clips(takes(), loops)
    assert all(np.array_equal(one.body, other.body, equal_nan=True) for one, other in zip(drawn, again, strict=True))
    other = no_sign_clips.draw_clips(takes(), loops, seed=1)
    assert not np.array_equal(other[0].body, drawn[0].body)
    assert len(no_sign_clips.draw_clips(takes(), loops, 1.2)) == 2 * len(drawn)
    widths = {round(posture.shoulder_width(clip.body) / 10) for clip in drawn}
    assert widths <= {round(posture.shoulder_width(take.body) / 10) for take in takes()}, "bodies of the takes"


def test_who_shows_no_arms_draws_nothing(loops):
    armless = takes(4)
    for take in armless[:3]:
        take.body[:, 15] = np.nan
    assert no_sign_clips.draw_clips(armless[:3], loops) == []
    assert no_sign_clips.draw_clips(armless, loops), "one is enough"


def test_few_takes_and_a_small_share_draw_one_of_each_kind(loops):
    for count, share in ((1, 0.6), (2, 0.6), (20, 1e-9)):
        assert len(no_sign_clips.draw_clips(takes(count), loops, share)) == 3
    assert len(no_sign_clips.draw_clips(takes(2), [], 0.6)) == 2, "there are no other signs"


def test_anothers_sign_goes_where_the_other_hands_go(loops):
    take = posed.points("up", 1, 0)
    wide = replace(take, body=take.body * [3, 3, 3, 1], hands=take.hands * [3, 3, 3, 1])
    person = pauses.person_of(take)
    person = replace(person, upper=person.upper * 3, fore=person.fore * 3)  # arms that reach everywhere
    for loop in (posed.points("right", 3, 1), wide):
        drawn = person.sign(loop, np.random.default_rng(0))
        moments = np.linspace(loop.times[0], loop.times[-1], len(drawn.times))
        body, hands, _ = posture.sampled(loop, moments)
        went = hands[:, 1, 0, :2] - body[:, posture.SHOULDERS, :2].mean(axis=1)
        goes = drawn.body[:, 16, :2] - drawn.body[:, posture.SHOULDERS, :2].mean(axis=1)
        np.testing.assert_allclose(
            goes / posture.shoulder_width(drawn.body), went / posture.shoulder_width(loop.body), atol=0.1
        )
        np.testing.assert_allclose(drawn.hands[:, 1, 0, :2], drawn.body[:, 16, :2], atol=1e-3)
        assert np.isfinite(posture.seen(drawn, posture.InputSpec(frames=12))).all()


def test_signs_that_are_taught_are_left_out(loops):
    whole = sign_loops.read_loops(no_sign_clips.STARTER)
    taught = [whole["bier"]] * 3 + takes(3)
    rest = no_sign_clips.loops_not_taught(taught, ["beer"] * 3 + ["else"] * 3)
    assert len(rest) < len(loops)
    assert not any(np.array_equal(loop.hands, whole["bier"].hands, equal_nan=True) for loop in rest)
