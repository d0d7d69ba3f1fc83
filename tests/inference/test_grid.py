"""Frames kept one by one are those kept of them all."""

from signs.clips.spec import StoredSpec
from signs.inference.recording import Grid

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

STEPS = st.lists(st.floats(0.001, 0.4), min_size=0, max_size=60)


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
