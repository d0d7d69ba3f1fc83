"""What is kept while frames come is what frame.py and opticalflow.py store of the whole video."""

from signs.clips import preprocess, region, storage
from signs.clips.spec import FlowSpec, StoredSpec
from signs.command import Problem
from signs.flow.stream import FLOW_METHODS, clip_flow, to_grey, tvl1
from signs.inference.recording import Grid, Recording
from signs.live.sliding_window import SlidingWindow

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny

FRAMES, TIMES = tiny.moving(30), np.cumsum(np.r_[0.0, np.tile([0.05, 0.1, 0.02], 10)])[:30]
REGIONS = {"middle", "signer", "body"}
STEPS = st.lists(st.floats(0.001, 0.4), min_size=0, max_size=60)


def spec(frames: str, flow_from: str = "frames") -> StoredSpec:
    flow = FlowSpec("tvl1-fast", FLOW_METHODS["tvl1-fast"], 8.0, flow_from)
    return StoredSpec(frames, 48, flow=flow)


def expected(stored: StoredSpec, images, times, length=None) -> tuple:
    """(frames, flow, coded flow, kept) as the two scripts make them."""
    resized = np.stack([stored.resize(image) for image in images])
    kept = stored.keep(times, length)
    pictures = storage.as_stored(resized[kept], stored.quality)
    if stored.flow.flow_from == "video":
        fields, numbers = [], kept.tolist()
        for position, number in enumerate(numbers):
            if position and number == numbers[position - 1]:
                fields.append(fields[-1])
            elif number == 0:
                fields.append(np.zeros((*resized.shape[1:3], 2), np.float32))
            else:
                pair = (to_grey(resized[number - 1]), to_grey(resized[number]))
                fields.append(tvl1(*pair))
        flow = np.stack(fields)
    else:
        flow = clip_flow(pictures, times[kept], stored.flow)
    coded = storage.as_stored(preprocess.quantise_flow(flow, stored.flow.bound), stored.flow.quality)
    return pictures, flow, coded, resized[kept], kept.tolist()


@pytest.mark.parametrize("flow_from", ["frames", "video"])
@pytest.mark.parametrize(
    ("frames", "known"), [("12", True), ("12", False), ("50", True), ("10fps", False), ("all", False)]
)
def test_one_by_one_is_what_the_scripts_store(frames, known, flow_from):
    some = spec(frames, flow_from)
    recording = Recording(some, REGIONS, TIMES[-1] if known else None)
    for image, seconds in zip(FRAMES, TIMES, strict=True):
        recording.push(image, 1000 + seconds)  # any clock
        recording.push(255 - image, 1000 + seconds)  # the same moment again is no other frame
    found = recording.finish()
    pictures, flow, coded, small, kept = expected(some, FRAMES, TIMES)
    assert found.numbers == kept
    np.testing.assert_array_equal(found.images["rgb"], pictures)
    np.testing.assert_array_equal(found.flow, flow)
    np.testing.assert_array_equal(found.images["flow"], coded)
    assert found.squares == region.find_squares(small, ["signer", "body"])
    plain = Recording(some, {"middle"}, 2.0)
    plain.push(FRAMES[0], 0.0)
    assert plain.finish().squares == {}, "what nobody sees is not looked for"


def test_with_a_known_length_the_work_is_done_when_the_last_frame_comes():
    recording = Recording(spec("12"), REGIONS, TIMES[-1])
    for image, seconds in zip(FRAMES, TIMES, strict=True):
        recording.push(image, seconds)
        assert len(recording._frames) <= 2, "what is decided is not held"
    assert len(recording.kept) == 12
    before = recording.timings.sums()["flow"]
    recording.finish()
    assert recording.timings.sums()["flow"] == before


def test_what_waits_to_be_coded_is_what_is_kept_as_large_as_it_is_stored():
    """A file is read faster than its flow is computed: 150 pictures of 4K would wait, four gigabytes."""
    recording, together = Recording(spec("12"), (), TIMES[-1]), Recording(spec("12"), (), TIMES[-1])
    waiting = []
    for image, seconds in zip(FRAMES, TIMES, strict=True):
        large = image.repeat(2, axis=0).repeat(2, axis=1)
        waiting += recording.choose(large, seconds)
        together.push(large, seconds)
        assert len(recording._frames) <= 2
    assert len(waiting) == 12 and not recording.kept
    assert {min(chosen.frame.shape[:2]) for chosen in waiting} == {48}
    recording.code(waiting)
    found, expected = recording.finish(), together.finish()
    assert found.numbers == expected.numbers
    np.testing.assert_array_equal(found.images["flow"], expected.images["flow"])


def test_a_camera_that_ends_early_repeats_its_last_frame():
    some = spec("12")
    recording = Recording(some, REGIONS, 2.0)
    for image, seconds in zip(FRAMES, TIMES, strict=True):
        recording.push(image, seconds)
    found = recording.finish()
    pictures, flow, *_, kept = expected(some, FRAMES, TIMES, 2.0)
    assert found.numbers == kept and kept[-1] == kept[-2] == 29
    np.testing.assert_array_equal(found.images["rgb"], pictures)
    np.testing.assert_array_equal(found.flow, flow)


def test_nothing_recorded_is_one_line():
    with pytest.raises(Problem, match="no frame came"):
        Recording(spec("12"), REGIONS, 2.0).finish()


@pytest.mark.parametrize("flow_from", ["frames", "video"])
@pytest.mark.parametrize("frames", ["9", "10fps"])
def test_a_sliding_window_holds_what_a_recording_of_it_would(frames, flow_from):
    some = spec(frames, flow_from)
    times = np.arange(30) / 10
    window, full = SlidingWindow(some, REGIONS, 0.8 if frames == "9" else 0.9), 0
    for number, (image, seconds) in enumerate(zip(FRAMES, times, strict=True)):
        assert window.push(image, seconds) == 1
        assert window.push(image, seconds) == 0, "the same moment"
        found = window.clip()
        assert (found is None) == (number < 8)
        if found is None or flow_from == "video":
            continue
        full += 1
        part = slice(number - 8, number + 1)
        recording = Recording(some, REGIONS, 0.8)
        for one, moment in zip(FRAMES[part], times[part], strict=True):
            recording.push(one, moment)
        alone = recording.finish()
        assert found.squares == alone.squares and set(found.squares) == {"signer", "body"}
        for modality in ("rgb", "flow"):
            np.testing.assert_array_equal(found.images[modality], alone.images[modality])
        np.testing.assert_array_equal(found.flow, alone.flow)
    assert full == (22 if flow_from == "frames" else 0)


def test_what_is_new_in_a_window_adds_up_to_a_recording():
    """For networks that go on: the same pictures and fields, of which the first alone is zero."""
    some, times, parts = spec("10fps"), np.arange(30) / 10, []
    window, recording = SlidingWindow(some, REGIONS, 0.9), Recording(some, REGIONS)
    for number, (image, seconds) in enumerate(zip(FRAMES, times, strict=True)):
        window.push(image, seconds)
        if number == 20:
            parts.append(window.fresh(begin=True))
        elif number > 20 and number % 3 == 0:
            parts.append(window.fresh())
    parts.append(window.fresh())
    assert [len(part["rgb"]) for part in parts] == [7, 1, 3, 3, 2] and window.fresh() == {}
    for image, seconds in zip(FRAMES[14:], times[14:], strict=True):
        recording.push(image, seconds)
    alone = recording.finish()
    for modality in ("rgb", "flow"):
        np.testing.assert_array_equal(np.concatenate([part[modality] for part in parts]), alone.images[modality])


def test_a_slow_camera_repeats_frames_in_the_window_and_a_gap_empties_it():
    window = SlidingWindow(spec("9"), REGIONS, 0.8)
    for number in range(10):
        window.push(FRAMES[number], number / 5)
    found = window.clip()
    assert len({image.tobytes() for image in found.images["rgb"]}) == 5
    for number in range(1, 9):  # a repeated frame has the field of the one it repeats
        same = np.array_equal(found.images["rgb"][number], found.images["rgb"][number - 1])
        assert same == np.array_equal(found.flow[number], found.flow[number - 1])
    count = window.count
    window.push(FRAMES[20], 100.0)
    assert window.count == count + 1, "not a thousand frames of nothing"


def pushed(grid: Grid, times) -> list[int]:
    found = []
    for seconds in times:
        now = grid.push(seconds)
        assert all(number in (len(grid.times) - 1, len(grid.times) - 2) for number in now), "may be forgotten already"
        found += now
    return found


@given(rule=st.sampled_from(["1", "12", "40", "10fps", "25fps", "all"]), start=st.floats(-50, 1e5), steps=STEPS)
def test_one_by_one_as_all_at_once(rule, start, steps):
    times = np.cumsum([start, *steps])
    stored = StoredSpec(rule)
    grid = Grid(stored, None if rule == "all" else times[-1] - times[0])
    if rule.endswith("fps"):
        grid.length = None
    assert pushed(grid, times) + grid.finish() == stored.keep(times).tolist()


@given(steps=STEPS, length=st.floats(0.1, 8))
def test_a_length_that_the_frames_do_not_fill(steps, length):
    """A camera that starts late, stops early or goes on: the grid is the length's, the frames are the nearest."""
    times = np.cumsum([0.0, *steps])
    grid, stored = Grid(StoredSpec("40"), length), StoredSpec("40")
    found = pushed(grid, times)
    assert len(found) <= 40
    assert found + grid.finish() == stored.keep(times, length).tolist()


def test_without_a_length_a_number_of_frames_is_known_at_the_end_alone():
    grid = Grid(StoredSpec("4"))
    assert not grid.known and [grid.push(seconds) for seconds in (0, 1, 2, 3, 4)] == [[]] * 5
    assert grid.finish() == [0, 1, 3, 4]
    assert Grid(StoredSpec("10fps")).known and Grid(StoredSpec("4"), 2.0).known
    with pytest.raises(ValueError, match="no frame"):
        Grid(StoredSpec("4")).finish()
