"""Which frames of a video are kept and which of them a network sees; names and JSON of that."""

import json

from signs.clips import dataset
from signs.clips.names import check_name
from signs.clips.spec import ClipSpec, FlowSpec, InputSpec, StoredSpec, resize_short_side
from signs.command import Problem

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

FLOW = FlowSpec("tvl1-fast", {"tau": 0.25, "scales": 5})


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


@pytest.mark.parametrize(
    ("stored", "frame_store", "flow_store"),
    [
        (StoredSpec(flow=FLOW), "frame-40x240", "flow-40x240-tvl1-fast"),
        (StoredSpec("10fps", 120, 80, FlowSpec("dis")), "frame-10fpsx120-q80", "flow-10fpsx120-q80-dis"),
        (
            StoredSpec("all", flow=FlowSpec("farneback", {}, 32.5, "video", 90)),
            "frame-allx240",
            "flow-allx240-farneback-b32.5-video-q90",
        ),
        (StoredSpec("8", 64, 80, FLOW, "depth"), "frame-8x64-q80-depth", "flow-8x64-q80-depth-tvl1-fast"),
    ],
)
def test_store_names(stored, frame_store, flow_store):
    assert (stored.frame_store, stored.flow_store) == (frame_store, flow_store)
    assert check_name(flow_store, "store") and stored.without_flow().frame_store == frame_store
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
        st.none()
        | st.builds(
            FlowSpec,
            st.sampled_from(["tvl1-fast", "dis"]),
            st.dictionaries(st.text(max_size=5), st.floats(-9, 9) | st.integers(-9, 9), max_size=4),
            st.floats(1, 99),
            st.sampled_from(["kept", "video"]),
            st.integers(1, 100),
        ),
        st.sampled_from(dataset.PARTS),
    ),
    st.builds(InputSpec, st.integers(1, 64), st.just(240), st.integers(8, 240), st.sampled_from(["keep", "subtract"])),
)


@given(specs)
def test_a_spec_survives_json(spec):
    again = ClipSpec.from_json(json.loads(json.dumps(spec.to_json())))
    assert again == spec
    assert spec.stored.flow is None or again.stored.flow_store == spec.stored.flow_store


@pytest.mark.parametrize(
    ("before", "after"), [((480, 640), (240, 320)), ((640, 360), (427, 240)), ((90, 90), (240, 240))]
)
def test_short_side(before, after):
    assert resize_short_side(np.zeros((*before, 3), np.uint8), 240).shape[:2] == after


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
