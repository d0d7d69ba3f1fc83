"""The square round the person: found where a drawn one stands, at any size, whatever the hand does."""

from signs.clips import region, storage
from signs.clips.video import read_video

import cv2
import numpy as np
import pytest

import tiny

FINE = 4  # parts of a pixel in which a person is drawn
CLIPS = tiny.REPOSITORY.parent / "shared" / "clips"


def person(head=24, x=150.0, crown=60.0, hand=(2.0, 1.5), frames=20, light=0.0, shape=(240, 320)):
    """Someone before a textured wall who sways by a third of a pixel and waves, (T, H, W, 3) uint8. `head`: pixels,
    crown to chin; `hand`: where it waves, in heads from the middle of the crown."""
    rng = np.random.default_rng(1)
    wall = cv2.GaussianBlur(rng.uniform(60, 200, (*shape, 3)).astype(np.float32), (0, 0), 4)
    result = []
    for t in range(frames):
        sway, mask = 0.35 * np.sin(2 * np.pi * t / 9), np.zeros((shape[0] * FINE, shape[1] * FINE), np.uint8)

        def at(right: float, down: float, sway=sway) -> tuple[int, int]:
            return round((x + sway + right * head) * FINE), round((crown + down * head) * FINE)

        cv2.ellipse(mask, at(0, 0.5), (int(0.37 * head * FINE), int(0.5 * head * FINE)), 0, 0, 360, 255, -1)
        half_trunk = [(0.28, 0.9), (0.95, 1.45), (1.05, 2.9), (0.8, 4.5)]
        trunk = half_trunk + [(-right, down) for right, down in half_trunk[::-1]]
        cv2.fillPoly(mask, [np.array([at(*corner) for corner in trunk])], 255)
        waving = hand[0] + 0.6 * np.sin(2 * np.pi * t / 10)
        cv2.circle(mask, at(waving, hand[1]), int(0.3 * head * FINE), 255, -1)
        share = cv2.resize(mask, shape[::-1], interpolation=cv2.INTER_AREA)[..., None] / 255
        picture = (wall * (1 - share) + np.array([40, 50, 90]) * share) * (1 + light * np.sin(t))
        result.append(np.clip(picture + rng.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8))
    return np.stack(result)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"head": 14, "x": 250.0, "crown": 110.0},
        {"head": 48, "crown": 20.0},
        {"hand": (-1.6, -0.5)},
        {"hand": (0.6, 3.0)},
        {"light": 0.08},
        {"x": 290.0},
        {"shape": (320, 240), "x": 120.0},
    ],
    ids=str,
)
def test_head_and_shoulders_are_found_at_any_size_and_place(changes):
    wanted = {"head": 24, "x": 150.0, "crown": 60.0, **changes}
    x, crown, head = region.find_head(person(**changes))
    assert head == pytest.approx(wanted["head"], rel=0.25)
    assert (x, crown) == (
        pytest.approx(wanted["x"], abs=0.4 * wanted["head"]),
        pytest.approx(wanted["crown"], abs=0.5 * wanted["head"]),
    )


def test_the_square_does_not_follow_the_hand_as_that_of_the_movement_does():
    near, far = person(hand=(0.8, 1.6)), person(hand=(2.8, 1.6))
    squares = [region.find_squares(frames) for frames in (near, far)]
    moved = abs(squares[0]["signer"][0] - squares[1]["signer"][0])
    assert moved > 15 and abs(squares[0]["body"][0] - squares[1]["body"][0]) < 6
    x, y, side = squares[0]["body"]
    assert side == pytest.approx(6 * 24, rel=0.25) and y == pytest.approx(60 + 1.6 * 24, abs=14)


def test_where_nothing_moves_there_is_none():
    still = np.repeat(person(frames=1), 8, axis=0)
    assert region.body_square(still) is None and region.body_square(still[:1]) is None
    assert region.body_square(np.zeros((5, 30, 40, 3), np.uint8)) is None


def test_it_stands_in_the_archives_of_frames_and_flow(demo):
    from signs.clips.dataset import load_dataset

    data = load_dataset(demo)
    item = data.clips[0]
    stores = data.stores("frame") + data.stores("flow")
    frames, flow = (storage.read_archive(item.archive(demo, store)) for store in stores)
    assert set(frames.squares) == {"signer", "body"} and frames.squares == flow.squares


@pytest.mark.skipif(not CLIPS.is_dir(), reason="needs ../shared/clips")
def test_real_people_have_one_size_at_one_distance():
    """Clips of one person from one place: heads of one height, within a quarter, in nine of ten."""
    heads = {}
    for person_ in (1, 3, 5, 6):
        for path in sorted((CLIPS / "gestures" / f"S{person_}").rglob("*4m*.avi"))[:4]:
            frames, _ = read_video(path, 240)
            found = region.find_head(frames[:: max(1, len(frames) // 40)])
            heads.setdefault(person_, []).append(found[2])
    close = [abs(np.log(head / np.median(row))) < 0.25 for row in heads.values() for head in row]
    assert len(close) >= 12 and np.mean(close) >= 0.85
