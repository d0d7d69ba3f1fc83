"""Names of streams for people, those of a joined model too."""

from signs.inference import predictions

import pytest


@pytest.mark.parametrize(
    ("stream", "modality"),
    [
        ("rgb", "rgb"),
        ("rgb-histogram", "rgb"),
        ("flow-conv3d-lstm-2", "flow"),
        ("grey-depth", "grey-depth"),
        ("grey-depth-conv3d-lstm", "grey-depth"),
        ("grey-histogram", "grey"),
        ("clips", ""),
        ("greyish", ""),
    ],
)
def test_a_stream_is_of_the_modality_that_its_name_begins_with(stream, modality):
    assert predictions.modality_of(stream) == modality


def test_titles_name_the_streams_among_what_is_there_in_one_order():
    assert list(predictions.titles(["flow", "clips", predictions.BOTH, "rgb"]).items()) == [
        ("rgb", "RGB"),
        ("flow", "optical flow"),
        (predictions.BOTH, "RGB + flow"),
    ]
    assert list(predictions.titles(["grey-depth", "rgb-histogram", "rgb"]).values()) == [
        "RGB",
        "RGB histogram",
        "grey and depth",
    ]
    assert predictions.titles(["rgb", "rgb-histogram", predictions.BOTH])[predictions.BOTH] == "RGB + RGB histogram"
    assert (
        predictions.titles(["rgb", "flow", "rgb-histogram", "flow-histogram", predictions.BOTH])[predictions.BOTH]
        == "mean of all 4"
    )
