"""Who is followed from frame to frame: one, two, nobody, somebody else after a cut."""

from signs.landmarks.stream import FAR_AGAIN

import numpy as np
import pytest

from scene import Scene, body_at

GREY = np.full((240, 320, 3), 90, np.uint8)


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_one_person_is_searched_for_once(scene):
    stream = scene.stream()
    for number in range(5):
        scene.people = [body_at(100 + 3 * number, 80)]
        body, hands = stream.push(GREY, number / 25)
        assert np.array_equal(body, scene.people[0]) and body.dtype == hands.dtype == np.float32
        assert np.allclose(hands[:, :, 3], 0.9) and np.array_equal(hands[0, 0, :2], body[15, :2])
    assert scene.searched == ["picture"] and stream.notes == []


def test_nobody(scene):
    stream = scene.stream()
    for number in range(5):
        body, hands = stream.push(GREY, number / 25)
        assert body.shape == (33, 4) and hands.shape == (2, 21, 4) and np.isnan(body).all() and np.isnan(hands).all()
    assert scene.searched.count("far") == 1 and scene.searched.count("picture") == 5
    stream.push(GREY, FAR_AGAIN + 0.01)
    assert scene.searched.count("far") == 2  # the dear search is made now and then


def test_a_hand_that_is_none(scene):
    stream, scene.people, scene.hands = scene.stream(), [body_at(100, 80)], 0.49
    body, hands = stream.push(GREY, 0)
    assert not np.isnan(body).any() and np.isnan(hands).all()


def test_of_two_the_one_nearer_the_middle(scene):
    stream, scene.people = scene.stream(), [body_at(40, 80), body_at(180, 80)]
    for number in range(5):
        scene.people[0] = body_at(40, 80, wrist=10 * number)  # who moves, but at the side
        body, _ = stream.push(GREY, number / 25)
        assert np.array_equal(body, scene.people[1])
    assert len(stream.notes) == 1 and "several people" in stream.notes[0]


@pytest.mark.parametrize("mover", [0, 1])
def test_of_equals_the_one_who_moves(scene, mover):
    stream = scene.stream()
    for number in range(10):
        scene.people = [body_at(115, 80), body_at(205, 80)]
        scene.people[mover] = body_at((115, 205)[mover], 80, wrist=6 * number)
        body, _ = stream.push(GREY, number / 25)
    assert np.array_equal(body, scene.people[mover])


def test_who_walks_past_is_not_followed(scene):
    stream = scene.stream()
    for number in range(20):
        scene.people = [body_at(160, 80), body_at(10 + 15 * number, 80, wrist=5 * number)][: 1 if number == 0 else 2]
        body, _ = stream.push(GREY, number / 25)
        assert np.array_equal(body, scene.people[0])


def test_a_cut_is_noticed(scene):
    stream, scene.people = scene.stream(), [body_at(160, 80)]
    stream.push(GREY, 0)
    scene.people = [body_at(150, 90), body_at(40, 80)]
    body, _ = stream.push(np.full_like(GREY, 220), 0.04)
    assert np.array_equal(body, scene.people[0]) and any("cut" in note for note in stream.notes)
    assert scene.searched == ["picture", "picture"]


def test_a_jump_to_a_bystander_is_noticed(scene):
    stream, scene.people = scene.stream(), [body_at(100, 80)]
    stream.push(GREY, 0)
    scene.people = [body_at(158, 80)]  # so near that the square still shows a body
    body, _ = stream.push(GREY, 0.04)
    assert np.array_equal(body, scene.people[0]) and any("jumps" in note for note in stream.notes)


def test_who_is_lost_and_found_elsewhere(scene):
    stream, scene.people = scene.stream(), [body_at(100, 80)]
    stream.push(GREY, 0)
    scene.people = []
    body, hands = stream.push(GREY, 0.04)
    assert np.isnan(body).all() and np.isnan(hands).all()
    scene.people = [body_at(250, 80)]
    body, _ = stream.push(GREY, 0.08)
    assert np.array_equal(body, scene.people[0]) and any("another person" in note for note in stream.notes)


@pytest.mark.parametrize("stays", [0, 1])
def test_of_equals_one_walks_away(scene, stays):
    stream, both = scene.stream(), [body_at(115, 80), body_at(205, 80)]
    scene.people = both
    stream.push(GREY, 0)
    scene.people = [both[stays]]
    body, _ = stream.push(GREY, 0.04)
    assert np.array_equal(body, both[stays])
