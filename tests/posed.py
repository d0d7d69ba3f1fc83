"""A data set of points alone: three signs by drawn bodies, as landmark.py would store them."""

from dataclasses import replace
from pathlib import Path

from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, placed, save_dataset
from signs.clips.points import Points, write_points
from signs.landmarks.stream import landmark_spec

import numpy as np

SIGNS = ("left", "right", "up")
PEOPLE = {"train": ("anna", "ben"), "valid": ("cem",), "test": ("dana",)}


def points(sign: str, person: int, seed: int, frames: int = 20) -> Points:
    """One hand goes to the left, to the right or up, and back; people differ in size, place and pace."""
    rng = np.random.default_rng([person, seed])
    width, x, y = 40 + 10 * person, 150 + 20 * person, 100.0
    body = np.zeros((frames, 33, 4), np.float32)
    body[..., :2], body[..., 3] = (x, y), 1
    body[:, 11, 0], body[:, 12, 0], body[:, 0, 1] = x + width / 2, x - width / 2, y - width
    body[:, [23, 24], 1] += 1.6 * width
    way = np.sin(np.linspace(0, np.pi, frames)) ** rng.uniform(0.7, 1.4) * width * rng.uniform(0.8, 1.2)
    move = {"left": (1, 0), "right": (-1, 0), "up": (0, -1.5)}[sign]
    hands = np.full((frames, 2, 21, 4), np.nan, np.float32)
    for side, there in ((15, (0.6, 1.2)), (16, (-0.6, 1.2))):
        body[:, side, :2] += np.array(there) * width
    body[:, 16, :2] += way[:, None] * np.array(move)
    hands[:, 1, :, :2] = body[:, 16, None, :2] + rng.normal(0, 0.1 * width, (21, 2))
    hands[:, 1, :, 2], hands[:, 1, :, 3] = 0, 0.9
    body[..., :2] += rng.normal(0, 0.01 * width, body[..., :2].shape)
    return Points(body, hands, np.arange(frames) / 20, (240, 320))


def data_set(folder: Path, clips: int = 3) -> Dataset:
    """So many clips of each sign by each person, in a landmark store; there are no videos."""
    stored, rows = landmark_spec(), []
    for split, people in PEOPLE.items():
        for person in people:
            for sign in SIGNS:
                for take in range(clips):
                    name = f"{person}_{sign}_{take}"
                    rows.append(Clip(clip=name, split=split, label=sign, signer=person, group="", source="", sha256=""))
    data = Dataset(folder, placed(rows), [Label(sign, sign) for sign in SIGNS])
    save_dataset(data)
    names = [person for people in PEOPLE.values() for person in people]
    for number, item in enumerate(data.clips):
        found = points(item.label, names.index(item.signer), number)
        write_points(item.archive(folder, stored.store), found, storage.expected_info(item, stored))
    return replace(data)
