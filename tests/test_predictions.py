"""Names of streams for people, those of a joined model too."""

import pytest

from predictions import BOTH, modality_of, titles


@pytest.mark.parametrize(("stream", "modality"), [
    ("rgb", "rgb"), ("rgb-histogram", "rgb"), ("flow-conv3d-lstm-2", "flow"), ("grey-depth", "grey-depth"),
    ("grey-depth-conv3d-lstm", "grey-depth"), ("grey-histogram", "grey"), ("clips", ""), ("greyish", ""),
])  # fmt: skip
def test_a_stream_is_of_the_modality_that_its_name_begins_with(stream, modality):
    assert modality_of(stream) == modality


def test_titles_name_the_streams_among_what_is_there_in_one_order():
    assert list(titles(["flow", "clips", BOTH, "rgb"]).items()) == [
        ("rgb", "RGB"), ("flow", "optical flow"), (BOTH, "RGB + flow")]  # fmt: skip
    assert list(titles(["grey-depth", "rgb-histogram", "rgb"]).values()) == ["RGB", "RGB histogram", "grey and depth"]
    assert titles(["rgb", "rgb-histogram", BOTH])[BOTH] == "RGB + RGB histogram"
    assert titles(["rgb", "flow", "rgb-histogram", "flow-histogram", BOTH])[BOTH] == "mean of all 4"
