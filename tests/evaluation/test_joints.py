"""Which points a network goes by: whose values are whose, what is said of them in words, and what is drawn."""

from signs.clips import posture
from signs.clips.dataset import load_dataset
from signs.clips.points import read_points
from signs.clips.spec import InputSpec, StoredSpec
from signs.evaluation import joints
from signs.landmarks.stream import landmark_spec

import keras
import numpy as np
import pytest

import posed

MOMENTS = 12
TIP, ELBOW = 54 + 8, 14  # of the right first finger; the right one


@pytest.fixture(scope="module")
def points():
    return posed.points("up", 1, 0)


def seen(points) -> np.ndarray:
    return posture.seen(points, InputSpec(frames=MOMENTS))


@pytest.mark.parametrize("point", [TIP, 54, ELBOW, 0])
def test_what_a_point_changes_is_its_own(point):
    points = posed.points("up", 1, 0)
    owners, before = posture.owners(), seen(points)
    rows = points.body[:, point] if point < 33 else points.hands[:, 1, point - 54]
    rows[:, :2] += np.linspace(3, 9, len(rows))[:, None]
    changed = np.abs(seen(points) - before).max(axis=0) > 1e-4
    own = owners[:, point] > 0
    # A wrist's place is in all that is measured from it, and the nose is what hands are measured from.
    others = {54: slice(54, 75), 0: slice(33, 75)}.get(point, slice(point, point + 1))
    assert (changed & own).sum() >= 4 and not (changed & ~(own | (owners[:, others] > 0).any(axis=1))).any()
    np.testing.assert_allclose(owners.sum(axis=1), 1, atol=1e-6)


@pytest.fixture(scope="module")
def fingertip():
    """A network whose class 1 sees how far the tip of one finger is up, in the last third of the clip."""
    clip = keras.Input((MOMENTS, posture.VALUES))
    model = keras.Model(clip, keras.layers.Dense(2, use_bias=False)(keras.layers.Flatten()(clip)))
    kernel = np.zeros((MOMENTS, posture.VALUES, 2), np.float32)
    heights = np.flatnonzero(posture.owners()[: posture.PLACES, TIP])[1]
    kernel[8:, heights, 1] = 2
    model.set_weights([kernel.reshape(-1, 2)])
    return model, heights


def test_the_point_that_a_network_sees_is_found_with_its_time(fingertip, points):
    model, heights = fingertip
    values = np.abs(seen(points)) + 0.1
    said = joints.shares(model, values, 1)
    logit = float(model(values[None])[0, 1])
    assert said[8:].sum() == pytest.approx(2 * values[8:, heights].sum() - said[7].sum(), rel=0.2)
    assert said[:, TIP].sum() == pytest.approx(said.sum()) and 0.8 * logit < said.sum() <= 1.001 * logit
    warm = joints.warmth(said)
    assert warm[9:11, TIP].min() > 0.2 and np.delete(warm, TIP, axis=1).max() == 0
    moments = np.linspace(0, 1.1, MOMENTS)
    assert joints.in_words(said, moments) in ("right hand, from 0.8 to 1.0 s", "right hand, from 0.9 to 1.1 s")
    assert joints.in_words(-said, moments) == "no point speaks for it"


def test_words_name_a_second_part_that_says_as_much():
    said, moments = np.zeros((10, 75)), np.arange(10) / 10
    said[2:5, 40], said[6:9, 13] = 1, 0.8
    said[:, 3] = 0.05
    assert joints.in_words(said, moments) == "left hand, from 0.2 to 0.3 s; arms and body, from 0.6 to 0.7 s"
    said[6:9, 13] = 0.2
    assert joints.in_words(said, moments) == "left hand, from 0.2 to 0.3 s"


def test_the_shortest_stretch():
    assert joints.shortest(np.array([0, 1, 0, 4, 4, 0])) == (3, 4)
    assert joints.shortest(np.array([0, 0, 9.0])) == (2, 2)
    assert joints.shortest(np.ones(10)) == (0, 5)


def test_skeletons_alone_and_over_frames(points):
    shown = joints.at_moments(points, np.linspace(0, points.times[-1], 5))
    heat = np.zeros((5, 75))
    cold, heat[2] = joints.loop(shown, None, 96, heat), 1
    warm = joints.loop(shown, None, 96, heat)
    assert [picture.shape for picture in warm] == [(96, 96, 3)] * 5
    assert [np.array_equal(*pair) for pair in zip(cold, warm, strict=True)] == [True, True, False, True, True]
    frames = np.full((5, 60, 80, 3), 90, np.uint8)
    both = joints.loop(shown, frames, 96, heat)
    assert both[0].shape == (96, 128 + 96, 3) and np.array_equal(both[2][:, 128:], warm[2])
    assert (both[2][:, :128] != 90).any() and (frames == 90).all()


def test_a_data_set_without_frames_has_none_to_show(tmp_path):
    data = posed.data_set(tmp_path / "data", clips=1)
    item = load_dataset(data.folder).clips[0]
    points = read_points(item.archive(data.folder, landmark_spec().store))
    assert joints.stored_frames(data, StoredSpec(), item, points.times) is None
    (data.folder / "frame-40x64").mkdir()
    assert joints.stored_frames(data, StoredSpec(), item, points.times) is None, "there are some, of other clips"
