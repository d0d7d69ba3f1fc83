"""A person whose points are drawn alone has a head where the face is, and all of it is in the picture."""

from dataclasses import replace

from signs.clips.hands_alone import EYE, LEFT, NOSE, RIGHT, hands_alone
from signs.landmarks import skeleton
from signs.landmarks.figure import HEAD, MOUTH, figure_of, middle_of
from signs.web.model_card import SIDE, loop_of

import numpy as np
import pytest

import posed


@pytest.fixture
def whole():
    """Somebody with a face: eyes, 12 pixels apart, and a mouth."""
    points = posed.points("left", 2, 0)
    middle = points.body[:, [LEFT, RIGHT], :2].mean(axis=1)
    places = {1: (4, -45), 3: (8, -45), EYE: (-6, -45), 4: (-4, -45), 6: (-8, -45), 9: (4, -32), 10: (-4, -32)}
    for point, place in places.items():
        points.body[:, point, :2] = middle + place
    return points


def test_the_head_is_around_the_eyes_and_inside_the_square(whole):
    figure = figure_of(whole)
    assert figure.radii == pytest.approx(np.multiply(HEAD, 60), rel=0.1)
    middle = middle_of(figure.body)
    assert middle == pytest.approx(whole.body[:, [LEFT, RIGHT], :2].mean(axis=1) + (0, -45))
    for place in (middle - figure.radii, middle + figure.radii):
        assert ((place > figure.corner) & (place < figure.corner + figure.size)).all()
    assert np.array_equal(figure.body[:, MOUTH], whole.body[:, MOUTH]), "what was found is not guessed"


def test_of_hands_alone_the_face_is_guessed_from_the_right_eye(whole):
    alone = hands_alone(whole)
    figure, eye = figure_of(alone), alone.body[:, NOSE, :2]
    width = np.ptp(alone.body[0, [LEFT, RIGHT], 0])
    middle, mouth = middle_of(figure.body), figure.body[:, MOUTH, :2].mean(axis=1)
    assert figure.body[:, [4, 6], :2].mean(axis=1) == pytest.approx(eye, abs=1e-3)
    assert (middle[:, 0] > eye[:, 0]).all() and middle[:, 1] == pytest.approx(eye[:, 1], abs=1e-3)
    assert ((middle - eye)[:, 0] < 0.12 * width).all()
    assert (mouth[:, 1] > middle[:, 1]).all() and (mouth[:, 1] < middle[:, 1] + figure.radii[1]).all()
    shoulders = figure.body[:, [LEFT, RIGHT], :2].mean(axis=1)
    assert shoulders[:, 0] == pytest.approx(middle[:, 0], abs=1e-3) and (shoulders[:, 1] > mouth[:, 1]).all()


def test_the_page_gets_the_same_figure_as_the_window(whole):
    loop, figure = loop_of(whole), figure_of(whole)
    assert loop["head"] == pytest.approx(figure.radii / figure.size * SIDE, abs=1)
    eye = (figure.body[0, 1, :2] - figure.corner) / figure.size * SIDE
    assert loop["moments"][0][1] == pytest.approx(eye, abs=1)
    picture = skeleton.pictures(whole, [0], 200)[0]
    column, row = ((middle_of(figure.body[0]) - (0, figure.radii[1]) - figure.corner) / figure.size * 200).astype(int)
    assert (picture[row - 3 : row + 4, column - 3 : column + 4] < 200).any(), "the top of the head is drawn"


def test_nobody_is_nothing(whole):
    gone = replace(whole, body=np.full_like(whole.body, np.nan), hands=np.full_like(whole.hands, np.nan))
    assert figure_of(gone) is None and loop_of(gone)["moments"] == []
    assert all((picture == 255).all() for picture in skeleton.pictures(gone, [0, 1]))
