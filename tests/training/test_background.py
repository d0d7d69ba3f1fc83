"""What is no sign, for the last layer: what it is made of, what is left out of it, and what it teaches."""

import shutil

from signs.command import Problem
from signs.evaluation import own_signs
from signs.training import background, last_layer
from signs.training.last_layer import Background, Views

import numpy as np
import pytest

import posed

FEATURES = 8


def made(column: int = 2) -> Background:
    """Four clips of others, and two drawn from each of three takes: on an axis of their own."""
    rows = np.float32(np.eye(FEATURES)[[5] * 10] + np.random.default_rng(0).normal(0, 0.1, (10, FEATURES)))
    share = np.array([0.1] * 4 + [0.05] * 6)
    owner = np.array([-1] * 4 + [0, 0, 1, 1, 2, 2])
    return Background(column, rows, rows, share, owner, np.array([0, 0, 1, 1] + [0] * 6))


def takes() -> tuple[Views, np.ndarray]:
    """Two signs, four takes each, with a third class that has none."""
    truth = np.repeat([0, 1], 4)
    rows = np.float32(np.eye(FEATURES)[truth] + np.random.default_rng(1).normal(0, 0.1, (2, 8, FEATURES)))
    return Views(rows, rows), np.eye(3, dtype=np.float32)[truth]


def test_what_is_left_out_with_takes():
    whole, chosen = made(), np.array([True, False, True])
    part, rest = whole.of(chosen, 1), whole.left_out(chosen, 1)
    assert part.owner.tolist() == [-1, -1, 0, 0, 2, 2] and rest.owner.tolist() == [-1, -1, 1, 1]
    assert part.share.sum() == pytest.approx(whole.share.sum()), "what is left counts for what is not"
    assert whole.of(np.ones(3, bool)).share == pytest.approx(whole.share)


def test_a_class_without_takes_is_learnt():
    views, targets = takes()
    layer = last_layer.fit(views, targets, None, made())
    assert (last_layer.answers(views, layer, None).argmax(axis=1) == targets.argmax(axis=1)).all()
    assert (made().answers(layer, None).argmax(axis=1) == 2).all()
    without = last_layer.fit(views, targets, None)
    assert (made().answers(without, None).argmax(axis=1) != 2).all()


def test_the_file_belongs_to_the_weights(tmp_path):
    signs = background.read_signs(own_signs.DGS)
    assert (own_signs.DGS / background.FILE).stat().st_size < 300_000
    assert len(signs.names) == 30 and np.bincount(signs.labels).min() >= 5
    assert signs.there.shape == signs.mirrored.shape == (len(signs.labels), 192)
    shutil.copytree(own_signs.DGS, tmp_path / "dgs")
    (tmp_path / "dgs" / "landmark.weights.h5").write_bytes(b"others")
    with pytest.raises(Problem, match="other weights"):
        background.read_signs(tmp_path / "dgs")


def test_a_sign_that_is_taught_is_no_background():
    """Half of the takes of a class are called by one name: that name is found, no other."""
    logits = np.eye(4)[[2, 2, 0, 1, 3, 0]]
    targets = np.eye(2)[[0, 0, 0, 1, 1, 1]]
    assert background.taught(logits, targets).tolist() == [2]


def test_signs_of_others_and_drawn_pauses_of_all_takes_but_those_of_no_sign():
    clips = [posed.points("left", 0, 0), posed.points("up", 1, 1), posed.points("right", 1, 2)]
    targets = np.eye(3, dtype=np.float32)[[0, 1, 2]]

    def network(rows: np.ndarray) -> np.ndarray:
        return rows.mean(axis=1)[:, :192]

    views = last_layer.views_of(network, clips, 12)
    top = (np.eye(192, 30, dtype=np.float32), np.zeros(30))
    found = background.background_of(network, 12, top, views, clips, targets, 2, own_signs.DGS)
    assert set(found.owner) == {-1, 0, 1} and found.column == 2
    parts = (background.OTHER_SIGNS, background.STILL + background.MOVING)
    assert [found.share[part].sum() for part in (found.owner < 0, found.owner >= 0)] == pytest.approx(parts)
    assert len(set(found.fold[found.owner < 0])) == background.FOLDS
    kept = np.sum(found.owner < 0)
    assert 0 < kept < len(background.read_signs(own_signs.DGS).labels), "what the network calls the takes is left out"
