"""The squares round what moves and round the person: where they are, at any size, and what is cut out of them."""

from signs.clips import person, preprocess, region, storage
from signs.clips.dataset import load_dataset
from signs.clips.spec import InputSpec
from signs.clips.video import read_video

import cv2
import numpy as np
import pytest

FINE = 4  # parts of a pixel in which a person is drawn


def square(frames, name="signer"):
    return region.find_squares(frames, [name])[name]


def head_of(frames) -> np.ndarray:
    """x, y of the crown, height, in pixels of the frames."""
    greys = region.small_greys(frames)
    return np.array(person.find_head(greys)) * (frames.shape[2] / greys.shape[2])


def moving(shape=(240, 320), middle=(90, 130), reach=30, half=6, noise=2.0, light=0.0, frames=20):
    """A bright disc that swings along x before a textured wall, (T, H, W, 3) uint8."""
    rng = np.random.default_rng(1)
    wall = cv2.GaussianBlur(rng.uniform(40, 160, (*shape, 3)).astype(np.float32), (0, 0), 3)
    result = []
    for t in range(frames):
        picture = wall * (1 + light * (t % 2)) + rng.normal(0, noise, wall.shape)
        x = middle[0] + reach * np.sin(2 * np.pi * t / 10)
        cv2.circle(picture, (round(x), middle[1]), half, (230, 220, 210), -1)
        result.append(np.clip(picture, 0, 255).astype(np.uint8))
    return np.stack(result)


@pytest.mark.parametrize("light", [0.0, 0.15])
def test_the_square_holds_what_moves_and_little_else(light):
    x, y, side = square(moving(light=light))
    assert abs(x - 90) < 5 and abs(y - 130) < 5
    assert 72 <= side <= 125, "the disc covers 72 pixels; the square is at most 1.4 times as large, and some"


@pytest.mark.parametrize("scale", [0.5, 2])
def test_a_nearer_camera_gives_a_square_as_much_larger(scale):
    frames = moving(noise=0.5)
    size = (round(320 * scale), round(240 * scale))
    other = np.stack([cv2.resize(frame, size, interpolation=cv2.INTER_AREA) for frame in frames])
    np.testing.assert_allclose(square(other), np.multiply(square(frames), scale), rtol=0.06)


def test_a_far_signer_s_square_is_never_tiny_and_a_near_one_s_never_larger_than_the_picture():
    assert square(moving(reach=3, half=3))[2] >= 44
    assert square(moving(middle=(160, 120), reach=150, half=60))[2] == 240


@pytest.mark.parametrize("frames", [1, 8])
def test_where_nothing_moves_there_is_no_square(frames):
    still = np.repeat(moving(frames=1), frames, axis=0)
    assert square(still) is None
    noisy = np.clip(still + np.random.default_rng(0).normal(0, 3, still.shape), 0, 255).astype(np.uint8)
    assert square(noisy) is None


@pytest.mark.parametrize("size", [32, 60, 200])
def test_a_cut_shows_the_square_and_repeats_the_border_beyond_the_picture(size):
    ramp = np.tile(np.arange(160, dtype=np.uint8), (120, 1))[None, ..., None].repeat(2, axis=-1)
    inside = region.cut_square(ramp, [80, 60, 60], size)
    assert inside.shape == (1, size, size, 2)
    wanted = 50 + (np.arange(size) + 0.5) * 60 / size - 0.5
    keep = slice(2, -2)
    np.testing.assert_allclose(inside[0, size // 2, keep, 0], wanted[keep], atol=1)
    outside = region.cut_square(ramp, [0, 60, 60], size)
    assert np.all(outside[0, :, : size // 2 - 2] <= 1), "left of the picture its first column goes on"


def test_flow_grows_with_the_signer_whatever_the_store_s_size():
    """Half the picture's side is seen at twice the length, in a store of 240 pixels and in one of 120."""
    spec = InputSpec(2, 48, 48, region="signer")
    for side in (240, 120):
        coded = preprocess.quantise_flow(np.full((2, side, side, 2), side / 60, np.float32), 20.0)
        images, magnified = preprocess.cut_out(coded, spec, {"signer": [side / 2, side / 2, side / 2]})
        seen = preprocess.network_input(images, spec, 20.0, magnified=magnified)
        np.testing.assert_allclose(seen, 4.0 * 2 / preprocess.FLOW_INPUT_LIMIT, atol=0.02)


def test_without_a_square_and_by_default_the_middle_is_seen():
    images = moving(frames=2)
    for spec, squares in (
        (InputSpec(2, 60, 48), {"signer": [90, 130, 80]}),
        (InputSpec(2, 60, 48, region="signer"), {"signer": None, "body": [90, 130, 80]}),
        (InputSpec(2, 60, 48, region="body"), {}),
    ):
        seen, magnified = preprocess.cut_out(images, spec, squares)
        assert magnified == 1 and np.array_equal(seen, preprocess.resize_all(images, 60))


def signing(head=24, x=150.0, crown=60.0, hand=(2.0, 1.5), frames=20, light=0.0, shape=(240, 320)):
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
    x, crown, head = head_of(signing(**changes))
    assert head == pytest.approx(wanted["head"], rel=0.25)
    assert (x, crown) == (
        pytest.approx(wanted["x"], abs=0.4 * wanted["head"]),
        pytest.approx(wanted["crown"], abs=0.5 * wanted["head"]),
    )


def test_the_square_does_not_follow_the_hand_as_that_of_the_movement_does():
    near, far = signing(hand=(0.8, 1.6)), signing(hand=(2.8, 1.6))
    squares = [region.find_squares(frames) for frames in (near, far)]
    moved = abs(squares[0]["signer"][0] - squares[1]["signer"][0])
    assert moved > 15 and abs(squares[0]["body"][0] - squares[1]["body"][0]) < 6
    x, y, side = squares[0]["body"]
    assert side == pytest.approx(6 * 24, rel=0.25) and y == pytest.approx(60 + 1.6 * 24, abs=14)


def searched(frames) -> tuple[person.Search, np.ndarray]:
    """The search in a clip, and the heads to try."""
    deviation, slope = person.flicker(region.small_greys(frames)[:: max(1, len(frames) // person.FRAMES)])
    moved = np.clip(deviation - person.STILL, 0, person.STRONG_FLICKER)
    return person.Search(person.pattern_of(deviation, slope), moved), person.HEADS * min(deviation.shape)


def same_as_everywhere(frames) -> bool:
    search, heads = searched(frames)
    fits = [search.fits(head, person.FINE) for head in heads]
    head, best = max(zip(heads, fits, strict=True), key=lambda found: found[1].max())
    crown, x = person.FINE.place(*np.unravel_index(best.argmax(), best.shape), head)
    return search.best(heads) == pytest.approx((x, crown, head))


def test_half_the_size_first_finds_what_a_search_everywhere_finds(shared):
    videos = sorted(shared("clips/gestures").rglob("*.avi"))[::45]
    drawn = [signing(head=head, x=x, crown=30, frames=12) for head, x in ((13, 60.0), (22, 200.0), (40, 150.0))]
    assert all(same_as_everywhere(frames) for frames in [*drawn, *(read_video(path, 240)[0] for path in videos)])


def test_the_flicker_is_that_of_the_pictures_without_their_light():
    greys = region.small_greys(signing(light=0.1)).astype(np.float64)
    deviation, _ = person.flicker(np.uint8(greys))
    mean = greys.mean(axis=0)
    centred = mean - mean.mean()
    gains = (greys * centred).mean(axis=(1, 2)) / np.square(centred).mean()
    rest = greys - gains[:, None, None] * centred
    rest -= np.median(rest, axis=(1, 2), keepdims=True)
    np.testing.assert_allclose(deviation, np.sqrt(np.square(rest).mean(axis=0)) * (mean < 235), atol=0.01)


def test_where_nothing_moves_there_is_nobody():
    still = np.repeat(signing(frames=1), 8, axis=0)
    assert square(still, "body") is None and square(still[:1], "body") is None
    assert square(np.zeros((5, 30, 40, 3), np.uint8), "body") is None


def test_it_stands_in_the_archives_of_frames_and_flow(demo):
    data = load_dataset(demo)
    item = data.clips[0]
    stores = data.stores("frame") + data.stores("flow")
    frames, flow = (storage.read_archive(item.archive(demo, store)) for store in stores)
    assert set(frames.squares) == {"signer", "body"} and frames.squares == flow.squares


def test_real_people_have_one_size_at_one_distance(shared):
    """Clips of one person from one place: heads of one height, within a quarter, in nine of ten."""
    heads = {}
    for number in (1, 3, 5, 6):
        for path in sorted(shared(f"clips/gestures/S{number}").rglob("*4m*.avi"))[:4]:
            frames, _ = read_video(path, 240)
            found = head_of(frames[:: max(1, len(frames) // 40)])
            heads.setdefault(number, []).append(found[2])
    close = [abs(np.log(head / np.median(row))) < 0.25 for row in heads.values() for head in row]
    assert len(close) >= 12 and np.mean(close) >= 0.85
