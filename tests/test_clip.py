"""What is stored of a clip and what a network sees of it."""

import json
import zipfile
from dataclasses import asdict, replace

import command
from command import Problem

import cv2
import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

import clip
import dataset
from clip import ClipSpec, FlowSpec, InputSpec, StoredSpec

FLOW = FlowSpec("tvl1-fast", {"tau": 0.25, "scales": 5})
INFO = {"format": 1, "source": "in/a.avi", "sha256": "00ff", "stored": asdict(StoredSpec("6", 48))}
FLOW_INFO = {**INFO, "stored": asdict(StoredSpec("6", 48, flow=FLOW))}


@pytest.fixture
def frames() -> np.ndarray:
    return tiny.moving(6)


@pytest.fixture
def archive(tmp_path, frames):
    clip.write_archive(tmp_path / "a.zip", frames, INFO)
    return tmp_path / "a.zip"


# The coding of flow


@given(
    arrays.arrays(np.float32, 30, elements=st.floats(-60, 60, width=32)),
    st.sampled_from([1.0, 10.0, 20.0, 32.5]),
)
def test_flow_is_coded_by_the_formula_to_half_a_step(flow, bound):
    coded = clip.quantise_flow(flow, bound)
    assert coded.dtype == np.uint8
    exact = (flow.astype(np.float64) + bound) * 255 / (2 * bound)
    assert np.abs(coded - np.clip(exact, 0, 255)).max() <= 0.5 + 1e-3
    restored = clip.restore_flow(coded, bound)
    assert restored.dtype == np.float32
    assert np.abs(restored - np.clip(flow, -bound, bound)).max() <= bound / 255 + 1e-4


def test_flow_codes_that_others_use():
    # denseflow and TSN: -20 -> 0, 20 -> 255, no motion -> 128 (127.5, rounded to even).
    assert clip.quantise_flow(np.float32([-20, -99, 0, 20, 99, 1]), 20).tolist() == [0, 0, 128, 255, 255, 134]


# Archives


def test_archive_as_others_read_it(archive, frames):
    with zipfile.ZipFile(archive) as members:
        assert members.testzip() is None
        assert {info.compress_type for info in members.infolist()} == {zipfile.ZIP_STORED}
        assert members.namelist() == ["clip.json", *(f"img_{number:05d}.jpg" for number in range(1, 7))]
        assert json.loads(members.read("clip.json")) == INFO
        first = cv2.imdecode(np.frombuffer(members.read("img_00001.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(first[..., ::-1].astype(int) - frames[0]).mean() < 3, "pictures on disc are in JPEG's own order"


def test_frames_written_and_read(archive, frames):
    stored = clip.read_archive(archive)
    assert stored.info == INFO and stored.images.shape == frames.shape and stored.images.dtype == np.uint8
    assert np.abs(stored.images.astype(int) - frames).mean() < 3
    assert np.array_equal(stored.images, clip.as_stored(frames, 95)), "live prediction sees what training saw"


def test_flow_written_and_read(tmp_path):
    rows, columns = np.mgrid[:48, :64].astype(np.float32)
    flow = np.stack([np.dstack([columns / 8 + t, rows / 6 - 5 * t]) for t in range(4)])
    coded = clip.quantise_flow(flow, 20)
    clip.write_archive(tmp_path / "f.zip", coded, FLOW_INFO)
    with zipfile.ZipFile(tmp_path / "f.zip") as members:
        names = [f"flow_{axis}_{number:05d}.jpg" for number in range(1, 5) for axis in "xy"]
        assert members.namelist() == ["clip.json", *names]
    stored = clip.read_archive(tmp_path / "f.zip")
    assert stored.images.shape == coded.shape
    error = np.abs(stored.flow - flow)
    assert error.max() < 3 * 20 / 255 and error.mean() < 20 / 255, "x is x and y is y, to a JPEG's loss"
    assert np.array_equal(stored.images, clip.as_stored(coded, FLOW.quality))


@pytest.mark.parametrize("planes", [3, 2])
def test_equal_arguments_give_equal_bytes(tmp_path, frames, planes):
    info = INFO if planes == 3 else FLOW_INFO
    for name in ("one.zip", "two.zip"):
        clip.write_archive(tmp_path / name, frames[..., :planes], info)
        info = dict(reversed(info.items()))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_quality_is_the_one_of_what_is_stored(tmp_path, frames):
    sizes = {}
    for name, quality, flow_quality in (("high", 95, 95), ("low", 30, 95), ("low flow", 95, 30)):
        info = {**INFO, "stored": asdict(StoredSpec("6", 48, quality, replace(FLOW, quality=flow_quality)))}
        for planes in (3, 2):
            clip.write_archive(tmp_path / "q.zip", frames[..., :planes], info)
            sizes[name, planes] = (tmp_path / "q.zip").stat().st_size
    assert sizes["low", 3] < 0.7 * sizes["high", 3] and sizes["low", 2] == sizes["high", 2]
    assert sizes["low flow", 2] < 0.7 * sizes["high", 2] and sizes["low flow", 3] == sizes["high", 3]


def test_a_write_that_fails_leaves_what_was_there(archive, frames, monkeypatch):
    before = archive.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        clip.write_archive(archive, frames[::-1], INFO)
    with pytest.raises(OSError, match="No space"):
        clip.write_archive(archive.with_name("new.zip"), frames, INFO)
    assert [path.name for path in archive.parent.iterdir()] == ["a.zip"] and archive.read_bytes() == before


def test_only_the_picked_pictures_are_decoded(archive, monkeypatch):
    whole, decoded = clip.read_archive(archive).images, []
    real = clip.decode
    monkeypatch.setattr(clip, "decode", lambda members, planes: decoded.append(len(members)) or real(members, planes))
    asked = []
    some = clip.read_archive(archive, lambda count: asked.append(count) or np.array([5, 0, 0])).images
    assert asked == [6] and decoded == [3]
    assert np.array_equal(some, whole[[5, 0, 0]])


def test_a_folder_of_pictures_is_a_clip(tmp_path, frames):
    folder = tmp_path / "clip"
    folder.mkdir()
    for name, member in clip.encode(frames, 95).items():
        (folder / name).write_bytes(member)
    (folder / "notes.txt").write_text("not a picture")
    read = clip.read_archive(folder)
    assert read.info == {} and np.array_equal(read.images, clip.as_stored(frames, 95))
    (folder / "clip.json").write_text(json.dumps(INFO))
    assert clip.read_archive(folder, lambda _: np.array([2])).info == INFO


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_an_archive_cut_short(archive, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(Problem, match="a.zip: cut short or damaged"):
        clip.read_archive(archive)
    assert clip.read_info(archive) is None


def flip(path, at: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


@settings(max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_wrong_bit_in_a_picture_never_passes(tmp_path_factory, share, bit):
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    clip.write_archive(path, tiny.moving(2), INFO)
    with zipfile.ZipFile(path) as members:
        picture = members.getinfo("img_00001.jpg")
    flip(path, picture.header_offset + 30 + len(picture.filename) + int(share * picture.file_size), bit)
    with pytest.raises(Problem, match="flipped.zip: cut short or damaged"):
        clip.read_archive(path)


@settings(max_examples=300)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_wrong_bit_anywhere_is_named_or_changes_no_picture(tmp_path_factory, share, bit):
    """zipfile raises seven kinds of exception for a wrong header, and leaves out a member whose name has changed."""
    path, info = tmp_path_factory.getbasetemp() / "flipped.zip", {**INFO, "times": [0.0, 0.1]}
    frames = tiny.moving(2, 16, 16)
    clip.write_archive(path, frames, info)
    flip(path, int(share * path.stat().st_size), bit)
    assert clip.read_info(path) in (None, info)
    try:
        read = clip.read_archive(path)
    except Problem as problem:
        assert "flipped.zip: " in str(problem)
    else:
        assert np.array_equal(read.images, clip.as_stored(frames, 95)) and read.info in ({}, info)


def test_a_lost_picture(tmp_path, frames):
    clip.write_archive(tmp_path / "a.zip", frames, {**INFO, "times": [t / 10 for t in range(6)]})
    rewrite(tmp_path / "a.zip", lambda content: content.pop("img_00004.jpg"))
    with pytest.raises(Problem, match="a.zip: 5 of 6 pictures"):
        clip.read_archive(tmp_path / "a.zip")


def rewrite(path, change) -> None:
    """Write the archive anew with {name: bytes} changed."""
    with zipfile.ZipFile(path) as members:
        content = {name: members.read(name) for name in members.namelist()}
    change(content)
    with zipfile.ZipFile(path, "w") as members:
        for name, member in content.items():
            members.writestr(name, member)


def test_a_missing_y_picture(tmp_path, frames):
    clip.write_archive(tmp_path / "f.zip", frames[..., :2], FLOW_INFO)
    rewrite(tmp_path / "f.zip", lambda content: content.pop("flow_y_00004.jpg"))
    with pytest.raises(Problem, match="f.zip: flow_y_00004.jpg is missing"):
        clip.read_archive(tmp_path / "f.zip")


@pytest.mark.parametrize("bad", [b"", b"not a picture"])
def test_a_picture_that_is_none(archive, bad):
    rewrite(archive, lambda content: content.update({"img_00003.jpg": bad}))
    with pytest.raises(Problem, match="a.zip: a picture in it cannot be decoded"):
        clip.read_archive(archive)


def test_no_picture_and_no_clip(archive, tmp_path):
    rewrite(archive, lambda content: [content.pop(name) for name in list(content) if name != "clip.json"])
    with pytest.raises(Problem, match="a.zip: no picture in it"):
        clip.read_archive(archive)
    with pytest.raises(Problem, match=r"none.zip: no such clip; run frame.py"):
        clip.read_archive(tmp_path / "none.zip")
    assert clip.read_info(tmp_path / "none.zip") is None


# Which frames are kept


def even(times: np.ndarray, kept: np.ndarray, count: int) -> None:
    """Each kept frame is the nearest one to its point of an even grid: no other frame is nearer."""
    grid = np.linspace(times[0], times[-1], count)
    nearest = np.abs(times[:, None] - grid).min(axis=0)
    assert np.all(np.abs(times[kept] - grid) <= nearest + 2e-6)


@pytest.mark.parametrize("count", [100, 41, 40, 15, 2, 1])
def test_forty_of_any_number(count):
    times = np.arange(count) / 10
    kept = StoredSpec("40").keep(times)
    assert len(kept) == 40 and kept[0] == 0 and kept[-1] == count - 1 and np.all(np.diff(kept) >= 0)
    assert set(kept) == set(range(count)) if count <= 40 else len(set(kept)) == 40
    even(times, kept, 40)


@given(st.lists(st.floats(1e-3, 0.5), min_size=1, max_size=80), st.integers(1, 60), st.floats(0, 3))
def test_even_in_time_where_time_stamps_are_irregular(steps, wanted, start):
    times = start + np.cumsum([0, *steps])
    kept = StoredSpec(str(wanted)).keep(times)
    assert len(kept) == wanted and np.all(np.diff(kept) >= 0)
    even(times, kept, wanted)


def test_a_pause_in_the_stream_gives_fewer_frames_there():
    times = np.array([0.0, 0.1, 0.2, 0.3, 1.0])  # a camera that stopped for 0.7 s
    assert StoredSpec("6").keep(times).tolist() == [0, 2, 3, 3, 4, 4]


@pytest.mark.parametrize("rate", [30, 25, 12.5, 10, 5])
def test_ten_frames_a_second(rate):
    times = np.arange(round(2 * rate) + 1) / rate  # 2 s
    kept = StoredSpec("10fps").keep(times)
    assert len(kept) == 21
    assert np.abs(times[kept] - np.arange(21) / 10).max() <= 0.5 / rate + 1e-6


def test_all_frames_and_one():
    assert StoredSpec("all").keep(np.arange(7) / 3).tolist() == list(range(7))
    for rule, count in (("all", 1), ("10fps", 1), ("3", 3)):
        assert StoredSpec(rule).keep(np.zeros(1)).tolist() == [0] * count


@pytest.mark.parametrize("rule", ["0", "-1", "10 fps", "fps", "1.5", "some", "", "40\n"])
def test_rules_that_are_none(rule):
    with pytest.raises(Problem, match="expected a number"):
        StoredSpec(rule)


# Names and JSON


@pytest.mark.parametrize(
    ("stored", "frame_store", "flow_store"),
    [
        (StoredSpec(flow=FLOW), "frame-40x240", "flow-40x240-tvl1-fast"),
        (StoredSpec("10fps", 120, 80, FlowSpec("dis")), "frame-10fpsx120-q80", "flow-10fpsx120-q80-dis"),
        (StoredSpec("all", flow=FlowSpec("farneback", {}, 32.5, "video", 90)), "frame-allx240",
         "flow-allx240-farneback-b32.5-video-q90"),
        (StoredSpec("8", 64, 80, FLOW, "depth"), "frame-8x64-q80-depth", "flow-8x64-q80-depth-tvl1-fast"),
    ],
)  # fmt: skip
def test_store_names(stored, frame_store, flow_store):
    assert (stored.frame_store, stored.flow_store) == (frame_store, flow_store)
    assert dataset.check_name(flow_store, "store") and stored.without_flow().frame_store == frame_store
    assert dataset.part_of(frame_store) == dataset.part_of(flow_store) == stored.part


def test_an_unknown_part():
    with pytest.raises(Problem, match="part 'side'; expected video, depth, upper"):
        StoredSpec(part="side")


specs = st.builds(
    ClipSpec,
    st.builds(
        StoredSpec,
        st.sampled_from(["40", "all", "10fps", "7"]),
        st.integers(16, 512),
        st.integers(1, 100),
        st.none() | st.builds(FlowSpec, st.sampled_from(["tvl1-fast", "dis"]),
                              st.dictionaries(st.text(max_size=5), st.floats(-9, 9) | st.integers(-9, 9), max_size=4),
                              st.floats(1, 99), st.sampled_from(["kept", "video"]), st.integers(1, 100)),
        st.sampled_from(dataset.PARTS),
    ),
    st.builds(InputSpec, st.integers(1, 64), st.just(240), st.integers(8, 240), st.sampled_from(["keep", "subtract"])),
)  # fmt: skip


@given(specs)
def test_a_spec_survives_json(spec):
    again = ClipSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert spec.stored.flow is None or again.stored.flow_store == spec.stored.flow_store


def test_find_stored(tmp_path):
    data = tiny.data_set(tmp_path)
    with pytest.raises(Problem, match=r"no frame store; run frame.py --data"):
        clip.find_stored(data, "frame")
    first, second = StoredSpec("6", 48), StoredSpec("3", 48)
    (tmp_path / "frame-6x48").mkdir()
    with pytest.raises(Problem, match="no whole clip in it"):
        clip.find_stored(data, "frame")
    for stored in (first, second):
        path = data.clips[0].archive(tmp_path, stored.frame_store)
        clip.write_archive(path, tiny.moving(2), {**INFO, "stored": asdict(stored)})
    with pytest.raises(Problem, match="several stores, frame-3x48, frame-6x48; choose one with --store"):
        clip.find_stored(data, "frame")
    assert clip.find_stored(data, "frame", "3x48") == clip.find_stored(data, "frame", "frame-3x48") == second
    with pytest.raises(Problem, match="no frame store 9x48"):
        clip.find_stored(data, "frame", "9x48")


def test_find_stored_of_a_part(tmp_path):
    data = tiny.data_set(tmp_path)
    video, depth = StoredSpec("6", 48), StoredSpec("6", 48, part="depth")
    clip.write_archive(data.clips[0].archive(tmp_path, video.frame_store), tiny.moving(2), INFO)
    with pytest.raises(Problem, match=r"no frame store of depth; run frame.py --part depth --data"):
        clip.find_stored(data, "frame", part="depth")
    info = {**INFO, "stored": asdict(depth)}
    clip.write_archive(data.clips[0].archive(tmp_path, depth.frame_store), tiny.moving(2), info)
    assert clip.find_stored(data, "frame") == video, "the other part's store is not taken for a second one"
    for name, part in ((None, "depth"), ("6x48-depth", "video"), ("6x48", "depth"), ("frame-6x48-depth", "depth")):
        assert clip.find_stored(data, "frame", name, part) == depth


# What a network sees


def gradient(height: int, width: int) -> np.ndarray:
    """(1, H, W, 3): red is the column, green is the row, blue is 200."""
    rows, columns = np.mgrid[:height, :width]
    return np.dstack([columns, rows, np.full_like(rows, 200)]).astype(np.uint8)[None]


def pixels(scaled: np.ndarray) -> np.ndarray:
    return np.rint((scaled + 1) * 127.5).astype(int)


def test_the_middle_of_the_picture():
    seen = clip.network_input(gradient(48, 64), InputSpec(1, 48, 32))
    assert seen.shape == (1, 32, 32, 3) and seen.dtype == np.float32
    assert np.array_equal(pixels(seen), gradient(48, 64)[:, 8:40, 16:48])


def test_scaled_to_minus_one_to_one():
    images = np.uint8([0, 51, 255]).reshape(3, 1, 1, 1) * np.ones((3, 16, 16, 3), np.uint8)
    seen = clip.network_input(images, InputSpec(3, 16, 16))
    assert np.allclose(seen[:, 0, 0, 0], [-1, -0.6, 1], atol=1e-6)


@pytest.mark.parametrize("shift", [(5, 0), (0, -4), (-30, 20), (999, -999)])
def test_a_shift_repeats_the_border(shift):
    images = gradient(48, 64)
    seen = pixels(clip.network_input(images, InputSpec(1, 48, 32), shift=shift))
    wide = np.pad(images, ((0, 0), (1000, 1000), (1000, 1000), (0, 0)), "edge")
    assert np.array_equal(seen, wide[:, 1008 + shift[1] :, 1016 + shift[0] :][:, :32, :32])


def test_brightness_is_clipped():
    images = np.full((1, 16, 16, 3), 200, np.uint8)
    spec = InputSpec(1, 16, 16)
    assert np.all(clip.network_input(images, spec, brightness=1.5) == 1)
    assert np.all(pixels(clip.network_input(images, spec, brightness=0.5)) == 100)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("still", ["keep", "subtract"])
def test_the_network_sees_the_plain_formula_bit_for_bit(channels, still):
    """By place and by value at once, what `network_input` does by views and tables; inside and over the edge."""
    images = np.random.default_rng(channels).integers(0, 256, (3, 20, 30, channels), dtype=np.uint8)
    spec, brightness = InputSpec(3, 20, 16, still), np.linspace(0.7, 1.4, channels)
    for shift, zoom in (((0, 0), 1.0), ((5, -2), 1.0), ((9, 3), 1.0), ((-2, 1), 0.8), ((1, 0), 1.3)):
        steps = np.rint((np.arange(16) - 7.5) / zoom + 7.5).astype(int)
        rows, columns = np.clip(steps + 2 + shift[1], 0, 19), np.clip(steps + 7 + shift[0], 0, 29)
        wanted = images[:, rows[:, None], columns].astype(np.float32)
        wanted = np.clip(wanted * np.float32(brightness * (2 / 255)) - 1, -1, 1)
        wanted -= wanted.mean(axis=0) if still == "subtract" else np.float32(0)
        place = np.full((2, *wanted.shape), 9, np.float32)
        seen = clip.network_input(images, spec, None, shift, brightness, zoom, out=place[1])
        assert seen.dtype == np.float32 and np.array_equal(seen, wanted)
        assert np.array_equal(place[1], wanted) and np.all(place[0] == 9)


@pytest.mark.parametrize("bound", [20.0, 10.0, 40.0])
def test_flow_is_scaled_by_pixels_whatever_its_bound(bound):
    """20 px is 1 to the network, as I3D's flow stream was trained, also where 8 bits stand for more or less."""
    pixel = np.float32([0, 5, -5, 20, -20, 99])
    images = np.ones((6, 16, 16, 2), np.uint8) * clip.quantise_flow(pixel, bound).reshape(6, 1, 1, 1)
    seen = clip.network_input(images, InputSpec(6, 16, 16), bound)[:, 8, 8, 0]
    wanted = np.clip(np.clip(pixel, -bound, bound) / 20, -1, 1)
    assert np.abs(seen - wanted).max() <= bound / 255 / 20 + 1e-6


def test_subtract_leaves_what_moves():
    images = np.full((4, 16, 16, 3), 90, np.uint8)
    images[2, 3:6, 3:6] = 250
    spec = InputSpec(4, 16, 16, "subtract")
    seen, kept = clip.network_input(images, spec), clip.network_input(images, replace(spec, still="keep"))
    assert np.allclose(seen.mean(axis=0), 0, atol=1e-6)
    assert np.allclose(seen, kept - kept.mean(axis=0), atol=1e-6)
    assert np.all(seen[:, 10, 10] == 0) and np.all(seen[2, 4, 4] > 0.9)
    coded = images[..., :2]
    flow = clip.network_input(coded, spec, 20.0)
    assert np.array_equal(flow, clip.network_input(coded, replace(spec, still="keep"), 20.0)), "flow stays as it is"


@pytest.mark.parametrize("modality", ["rgb", "flow"])
def test_own_scale_shows_a_small_movement_as_large_as_a_great_one(modality):
    rng = np.random.default_rng(0)
    moved = rng.normal(0, 1, (4, 16, 16, 2 if modality == "flow" else 3))
    bound = 20.0 if modality == "flow" else None
    spec = InputSpec(4, 16, 16, "subtract", scale="own")

    def seen(size):
        if modality == "flow":
            return clip.network_input(clip.quantise_flow(np.float32(size * moved), 20.0), spec, bound)
        return clip.network_input(np.clip(128 + 10 * size * moved, 0, 255).astype(np.uint8), spec, bound)

    small, great = seen(1), seen(4)
    for one in (small, great):
        assert np.sqrt(np.mean(one**2)) == pytest.approx(clip.OWN_SCALE, rel=1e-3) and one.dtype == np.float32
    assert np.corrcoef(small.ravel(), great.ravel())[0, 1] > 0.99
    assert np.abs(small - great).mean() < 0.05
    fixed = replace(spec, scale="fixed")
    assert np.abs(clip.network_input(clip.quantise_flow(np.float32(moved), 20.0)[..., :2], fixed, 20.0)).mean() < 0.05


def test_own_scale_does_not_blow_up_what_is_still():
    spec = InputSpec(4, 16, 16, "subtract", scale="own")
    flow = np.full((4, 16, 16, 2), 128, np.uint8)
    assert np.all(clip.network_input(flow, spec, 20.0) == 0), "the code of no movement is 0 to the network"
    flow[1, 3, 3] = 129
    assert np.abs(clip.network_input(flow, spec, 20.0)).max() <= 1 / 127 * clip.OWN_SCALE / clip.STILLEST
    flow[2, 5:7, 5:7] = 255
    assert clip.network_input(flow, spec, 20.0).max() == clip.LARGEST
    still = np.full((4, 16, 16, 3), 77, np.uint8)
    assert np.abs(clip.network_input(still, spec)).max() < 1e-5


def test_another_store_is_resized_first():
    images = np.stack([tiny.moving(2, 96, 128)])[0]
    seen = clip.network_input(images, InputSpec(2, 48, 48))
    small = np.stack([cv2.resize(image, (64, 48), interpolation=cv2.INTER_AREA) for image in images])
    assert np.array_equal(pixels(seen), small[:, :, 8:56])


@pytest.mark.parametrize(
    ("before", "after"), [((480, 640), (240, 320)), ((640, 360), (427, 240)), ((90, 90), (240, 240))]
)
def test_short_side(before, after):
    assert clip.resize_short_side(np.zeros((*before, 3), np.uint8), 240).shape[:2] == after


def test_pick():
    assert InputSpec(4, 16, 16).pick(10).tolist() == [0, 3, 6, 9]
    assert InputSpec(4, 16, 16).pick(2).tolist() == [0, 0, 1, 1]
    assert InputSpec(4, 16, 16).pick(1).tolist() == [0] * 4
    assert InputSpec(4, 16, 16).pick(11, 0.2, 0.8).tolist() == [2, 4, 6, 8]


def test_views_share_the_frames_out():
    assert [view.tolist() for view in InputSpec(4, 16, 16, views=2).pick_views(8)] == [[0, 2, 4, 6], [1, 3, 5, 7]]
    assert InputSpec(4, 16, 16).pick_views(10)[0].tolist() == InputSpec(4, 16, 16).pick(10).tolist()
    with pytest.raises(Problem, match="0 views of a clip"):
        InputSpec(views=0)


@given(st.integers(1, 60), st.integers(1, 90), st.integers(0, 120))
def test_a_run_goes_back_and_forth_without_a_jump(count, frames, start):
    picked = InputSpec(frames, 16, 16, sampling="run").run(count, start % count)
    assert len(picked) == frames and picked[0] == start % count and 0 <= picked.min() <= picked.max() < count
    steps = np.diff(picked)
    assert np.all(np.abs(steps) == 1) if count > 1 else not steps.any()
    turns = picked[:-1][np.diff(steps, prepend=steps[:1]) != 0]
    assert set(turns) <= {0, count - 1}, "it turns at the clip's ends alone"


@given(st.integers(1, 60), st.integers(1, 90), st.integers(1, 5))
def test_runs_cover_a_clip(count, frames, views):
    spec = InputSpec(frames, 16, 16, views=views, sampling="run")
    found = spec.pick_views(count)
    assert len(found) == views and all(len(one) == frames for one in found)
    if frames >= count:  # played from its beginning, so that each frame comes
        assert all(set(one) == set(range(count)) for one in found)
        assert found[0].tolist()[:count] == list(range(count))
    else:
        assert all(one.tolist() == list(range(one[0], one[0] + frames)) for one in found)
        if views > 1:
            assert found[0][0] == 0 and found[-1][-1] == count - 1, "from the first frame to the last"
        else:
            assert abs(int(found[0][0]) - (count - 1 - int(found[0][-1]))) <= 1, "the middle"
    if views == 1:
        assert found[0].tolist() == spec.pick(count).tolist()


@given(st.integers(1, 200))
def test_the_whole_clip(count):
    spec = InputSpec(7, 16, 16, sampling="whole")
    assert spec.pick(count).tolist() == spec.pick_views(count)[0].tolist() == list(range(count))
    assert len(spec.pick_views(count)) == 1


def test_inputs_that_are_none():
    with pytest.raises(Problem, match="a crop of 64 px out of a short side of 48 px"):
        InputSpec(1, 48, 64)
    with pytest.raises(Problem, match="expected keep or subtract"):
        InputSpec(still="remove")
    with pytest.raises(Problem, match="scale"):
        InputSpec(scale="mine")
    with pytest.raises(Problem, match="sampling 'odd'; expected even, run or whole"):
        InputSpec(sampling="odd")
    with pytest.raises(Problem, match="3 views of a clip; at least 1, and of a whole clip not more"):
        InputSpec(views=3, sampling="whole")
