"""The last layer of few takes: what it learns, what it is asked of what it has not seen, and signs in a mirror."""

from signs.clips import posture
from signs.training import last_layer
from signs.training.last_layer import Views

import numpy as np
import pytest

import posed

CLASSES, TAKES, FEATURES = 3, 4, 8


def views(noise: float = 0.05) -> tuple[Views, np.ndarray, np.ndarray]:
    """Three signs on axes of their own; in a mirror the first two become each other."""
    rng = np.random.default_rng(0)
    truth = np.repeat(np.arange(CLASSES), TAKES)
    axes = np.eye(CLASSES, FEATURES)

    def seen(numbers: np.ndarray) -> np.ndarray:
        return np.float32(axes[numbers] + rng.normal(0, noise, (2, len(numbers), FEATURES)))

    mirrored = np.array([1, 0, 2])[truth]
    return (
        Views(seen(truth), seen(mirrored)),
        np.eye(CLASSES, dtype=np.float32)[truth],
        np.tile(np.arange(TAKES), CLASSES),
    )


def test_takes_that_are_left_out_are_named():
    seen, targets, takes = views()
    logits = last_layer.answers_left_out(seen, targets, takes, None)
    assert (logits.argmax(axis=1) == targets.argmax(axis=1)).all()


def test_nothing_is_learnt_from_what_is_left_out():
    """A class of which one group has all takes is unknown to the layer that is asked about them."""
    seen, targets, takes = views()
    groups = np.where(targets[:, 2] == 1, 9, takes)
    logits = last_layer.answers_left_out(seen, targets, groups, None)
    assert (logits[groups == 9].argmax(axis=1) != 2).all() and np.abs(logits[groups == 9][:, 2]).max() < 1e-5


def test_signs_that_become_each_other_in_a_mirror():
    seen, targets, takes = views()
    pairs = last_layer.find_pairs(seen, targets, takes)
    assert pairs.tolist() == [1, 0, 2]
    with_mirror = last_layer.answers_left_out(seen, targets, takes, pairs)
    assert (with_mirror.argmax(axis=1) == targets.argmax(axis=1)).all()
    wrong = last_layer.answers(seen, last_layer.fit(seen, targets, pairs), np.arange(3))
    right = last_layer.answers(seen, last_layer.fit(seen, targets, pairs), pairs)
    assert np.abs(right - targets).mean() < np.abs(wrong - targets).mean()


def test_views_of_clips_as_they_are_and_augmented():
    clips = [posed.points("left", 0, 0), posed.points("up", 1, 1)]

    def network(rows: np.ndarray) -> np.ndarray:
        assert rows.shape[1:] == (12, posture.VALUES)
        return rows.mean(axis=1)

    found = last_layer.views_of(network, clips, 12)
    assert found.there.shape == found.mirrored.shape == (1 + last_layer.COPIES, 2, posture.VALUES)
    plain = posture.seen(clips[0], last_layer.InputSpec(frames=12)).mean(axis=0)
    assert np.allclose(found.there[0, 0], plain, atol=1e-6)
    assert np.allclose(found.mirrored[0, 0], posture.mirrored(plain), atol=1e-6)
    again = last_layer.views_of(network, clips, 12)
    assert np.array_equal(found.there, again.there) and not np.allclose(found.there[0], found.there[1])


@pytest.mark.parametrize("way", [None, np.array([1, 0, 2])])
def test_the_layer_gives_what_its_parts_say(way):
    """As the exported network computes it: the mean of a clip's logits and its mirror's, exchanged."""
    seen, targets, _ = views()
    weights, bias = last_layer.fit(seen, targets, way)
    logits = seen.there[0] @ weights + bias
    if way is not None:
        logits = (logits + (seen.mirrored[0] @ weights + bias)[:, way]) / 2
    assert np.allclose(last_layer.answers(seen, (weights, bias), way), logits)
    assert np.abs(logits - targets).max() < 0.5
