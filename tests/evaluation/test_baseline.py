"""Nearest class mean: near 1 where the place of the hand gives the sign away, by chance where only its path does."""

from dataclasses import asdict

from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.spec import StoredSpec
from signs.evaluation import baseline

import numpy as np
import pytest

FRAMES, HEIGHT, WIDTH = 16, 60, 80
LABELS = ("1", "2", "3")
CENTRES = {"1": (20, 30), "2": (40, 30), "3": (60, 30)}


def blob(x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return 150 * np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 50)


def in_its_place(label: str, rng) -> np.ndarray:
    """A hand that trembles where its sign has it."""
    x, y = CENTRES[label]
    return np.stack([blob(x + rng.normal(), y + rng.normal()) for _ in range(FRAMES)])


def in_its_order(label: str, rng) -> np.ndarray:
    """The same circle for every sign: to the left, to the right, and to the left from its far side."""
    angles = np.arange(FRAMES) / FRAMES * 2 * np.pi * (-1 if label == "1" else 1) + (np.pi if label == "3" else 0)
    x, y = 40 + rng.normal(0, 3), 30 + rng.normal(0, 3)
    return np.stack([blob(x + 15 * np.cos(angle), y + 15 * np.sin(angle)) for angle in angles])


def made(folder, draw, clips: int = 12) -> Dataset:
    rng, stored = np.random.default_rng(0), StoredSpec(str(FRAMES), HEIGHT)
    rows = [
        Clip(f"{split}_{label}_{number}", split, label)
        for split in ("train", "test")
        for label in LABELS
        for number in range(clips)
    ]
    for row in rows:
        pictures = 40 + draw(row.label, rng) + rng.normal(0, 5, (FRAMES, HEIGHT, WIDTH))
        images = np.clip(pictures, 0, 255).astype(np.uint8)[..., None].repeat(3, axis=3)
        storage.write_archive(row.archive(folder, stored.frame_store), images, {"stored": asdict(stored)})
    return Dataset(folder, rows, [Label(label, label) for label in LABELS])


def shares(data: Dataset) -> dict[str, float]:
    return baseline.nearest_class_mean(data, f"frame-{FRAMES}x{HEIGHT}", data.split("train"), data.split("test"))


def test_place_gives_it_away(tmp_path):
    found = shares(made(tmp_path, in_its_place))
    assert found.keys() == {"frame", "difference"} and min(found.values()) >= 0.95


def test_order_does_not(tmp_path):
    found = shares(made(tmp_path, in_its_order))
    assert max(found.values()) < 0.6, "one in three by chance, over 36 clips"


def test_a_sign_that_was_not_trained_is_never_right(tmp_path):
    data = made(tmp_path, in_its_place, clips=2)
    train = [row for row in data.split("train") if row.label != "3"]
    found = baseline.nearest_class_mean(data, f"frame-{FRAMES}x{HEIGHT}", train, data.split("test"))
    assert found["frame"] == pytest.approx(4 / 6)


def test_clips_that_cannot_be_read_are_left_out(tmp_path):
    data, store = made(tmp_path, in_its_place, clips=3), f"frame-{FRAMES}x{HEIGHT}"
    data.split("train")[0].archive(tmp_path, store).unlink()
    data.split("test")[-1].archive(tmp_path, store).write_bytes(b"PK")
    assert shares(data) == pytest.approx({"frame": 1, "difference": 1})


def test_features(tmp_path):
    data = made(tmp_path, in_its_place, clips=1)
    still, moved = baseline.still_features(data.clips[0].archive(tmp_path, f"frame-{FRAMES}x{HEIGHT}"))
    assert still.shape == moved.shape == (60, 80) and still.dtype == np.float32
    assert np.unravel_index(still.argmax(), still.shape) == pytest.approx((30, 20), abs=3)
    assert np.all(moved >= 0) and moved[10:50, :40].mean() > moved[:, 60:].mean()
