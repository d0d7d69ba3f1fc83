"""What is said of light, place and movement, of drawn pictures and of points that a test names."""

from signs.clips.points import Found
from signs.live import guidance
from signs.live.guidance import Watch, light_advice, place_advice

import numpy as np
import pytest

import scene
import tiny


def found(x=320.0, y=240.0, width=120.0, wrist=0.0) -> Found:
    body = scene.body_at(x, y, width, wrist)
    body[0, 1] -= 0.7 * width  # the nose
    return Found(body, np.full((2, 21, 4), np.nan, np.float32), (480, 640))


def test_light():
    bright = tiny.moving(1, 120, 160)[0]
    assert light_advice(bright) == "" and light_advice(bright // 6) == guidance.DARK_LINE


@pytest.mark.parametrize(
    ("where", "advice"),
    [
        ({}, ""),
        ({"x": 30.0}, guidance.SIDEWAYS),
        ({"x": 620.0}, guidance.SIDEWAYS),
        ({"y": 100.0}, guidance.CROWN),
        ({"width": 400.0, "y": 400.0}, guidance.TOO_NEAR),
        ({"width": 30.0}, guidance.TOO_FAR),
        ({"x": np.nan}, guidance.NOBODY),
    ],
)
def test_place(where, advice):
    assert place_advice(found(**where)) == advice


def test_a_good_take_has_no_notes():
    watch = Watch()
    for number, frame in enumerate(tiny.moving(20, 120, 160)):
        watch.frame(frame, number / 20)
        watch.points(found())
    assert watch.notes() == []


def test_what_was_wrong_in_much_of_a_take_is_noted():
    watch, still = Watch(), tiny.moving(1, 120, 160)[0]
    for number in range(20):
        watch.frame(still, number / 5)
        watch.points(found(y=100.0) if number > 10 else found())
    assert watch.notes() == [
        guidance.CROWN,
        guidance.NO_MOVE,
        "only 5.0 pictures a second came; more light helps most cameras, and so does a less busy machine",
    ]
    assert [note.split(";")[0] for note in watch.notes(rests=True)] == ["only 5.0 pictures a second came"]
    watch = Watch()
    for number, frame in enumerate(tiny.moving(20, 120, 160)):
        watch.frame(frame, number / 20)
        watch.points(found(wrist=500.0) if number < 5 else found())
    assert watch.notes() == [guidance.HAND]


def test_without_points_only_light_and_movement_count():
    watch = Watch()
    for number, frame in enumerate(tiny.moving(20, 120, 160) // 8):
        watch.frame(frame, number / 20)
    assert guidance.DARK_LINE in watch.notes() and guidance.NOBODY not in watch.notes()
