"""The table of probabilities is read as it was written; names of streams for people, those of a joined model too."""

import csv

from signs.clips.dataset import Clip
from signs.clips.modality import TABLE
from signs.command import Problem
from signs.inference import predictions
from signs.inference.bundle import NETWORKS
from signs.inference.predictions import ALL, BOTH, Predictions

import numpy as np
import pytest


def test_a_class_that_one_stream_does_not_know():
    knows = np.array([[0.2, 0.2, 0.6], [0.5, 0.4, 0.1]])
    others = predictions.probabilities_of(np.log([[0.9, 0.1], [0.25, 0.75]]), 3)
    assert others == pytest.approx(np.array([[0.9, 0.1, 0], [0.25, 0.75, 0]]))
    streams = {"landmark": knows, "rgb": others}
    fused = predictions.fuse(streams)
    assert fused.sum(axis=1) == pytest.approx(1) and fused[:, 2] == pytest.approx(knows[:, 2])
    assert fused[0, :2] == pytest.approx(0.4 * (np.array([0.5, 0.5]) + [0.9, 0.1]) / 2)
    assert predictions.fuse({name: rows[0] for name, rows in streams.items()}) == pytest.approx(fused[0]), "live"
    weighted = predictions.fuse(streams, {"landmark": 0.25, "rgb": 0.75})
    assert weighted[:, 2] == pytest.approx(knows[:, 2])
    assert weighted[1, :2] == pytest.approx(0.9 * (0.25 * np.array([5, 4]) / 9 + 0.75 * np.array([0.25, 0.75])))


def test_a_class_that_is_all_but_impossible_is_known_all_the_same(tmp_path):
    """Of one clip as of many: each clip's answer is its own."""
    sure = predictions.probabilities_of(np.array([[0.0, -2000.0], [0.0, 1.0]]), 2)
    unsure = np.full((2, 2), 0.5)
    fused = predictions.fuse({"rgb": sure, "flow": unsure})
    assert predictions.fuse({"rgb": sure[0], "flow": unsure[0]}) == pytest.approx(fused[0])
    assert fused[0] == pytest.approx([0.75, 0.25])
    clips = [Clip(str(number), "valid", "a", "", "", "", "") for number in range(2)]
    Predictions(clips, ["a", "b"], {"rgb": sure}).write(tmp_path / "table.csv")
    assert (Predictions.read(tmp_path / "table.csv", "valid").streams["rgb"] > 0).all(), "nor in the table"


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
    assert list(predictions.titles(["flow", "clips", BOTH, "rgb"]).items()) == [
        ("rgb", "colour pictures"),
        ("flow", "movement (optical flow)"),
        (BOTH, "colour pictures + movement"),
    ]
    assert list(predictions.titles(["grey-depth", "rgb-histogram", "rgb"]).values()) == [
        "colour pictures",
        "colour pictures, histograms",
        "grey and depth pictures",
    ]
    points = "points of body and hands"
    assert predictions.titles(["rgb", "rgb-histogram", ALL])[ALL] == "colour pictures + colour pictures, histograms"
    assert predictions.titles(["landmark", "rgb-histogram", ALL])[ALL] == f"colour pictures, histograms + {points}"
    assert predictions.titles(["rgb", "flow", "rgb-histogram", "flow-histogram", ALL])[ALL] == "all 4 together"
    assert predictions.titles(["rgb", "landmark", BOTH])[BOTH] == f"colour pictures + {points}", "before `all`"


def test_every_modality_and_network_has_words_for_people():
    assert predictions.WORDS.keys() == TABLE.keys() and predictions.NETWORK_WORDS.keys() == NETWORKS.keys()
    found = predictions.titles(["rgb-conv3d-lstm-body", "landmark-landmark-2", "grey-depth-i3d"])
    assert found == {
        "grey-depth-i3d": "grey and depth pictures, I3D network",
        "landmark-landmark-2": "points of body and hands, network on points, 2",
        "rgb-conv3d-lstm-body": "colour pictures, 3D convolutions and LSTM, body",
    }


def test_both_are_rgb_and_flow_and_anything_else_is_all():
    assert predictions.fused_name(["flow", "rgb"]) == BOTH
    for streams in (["rgb", "landmark"], ["rgb", "flow", "landmark"], ["upper", "hand"], ["rgb", "rgb-histogram"]):
        assert predictions.fused_name(streams) == ALL
    for name in (BOTH, ALL):
        assert Predictions([], [], {"rgb": np.empty((0, 2)), name: np.empty((0, 2))}).fused == name


def some(names=("007", "NA", "clip"), labels=("001", "NA", "1e5"), signers=("NaN", "", "null")) -> Predictions:
    rng = np.random.default_rng(0)
    clips = [Clip(name, "test", label, signer) for name, label, signer in zip(names, labels, signers, strict=True)]
    streams = {"rgb": rng.dirichlet((1, 1, 1), 3), "flow": np.float64(np.eye(3))}
    return Predictions(clips, list(labels), streams | {BOTH: predictions.fuse(streams)})


def test_names_that_look_like_numbers_or_nothing_stay_text(tmp_path):
    path = tmp_path / "predictions-test.csv"
    written = some()
    written.write(path)
    found = Predictions.read(path, "test")
    assert found.clips == written.clips and found.labels == ["001", "NA", "1e5"]
    assert list(found.streams) == ["rgb", "flow", BOTH]
    for stream, rows in written.streams.items():
        np.testing.assert_allclose(found.streams[stream], rows, rtol=1e-8)
    before = path.read_bytes()
    found.write(path)
    assert path.read_bytes() == before, "nine digits are read and written again as they were"


def test_no_cell_is_a_formula_and_each_comes_back(tmp_path):
    path = tmp_path / "predictions-test.csv"
    texts = ("=1+1", "'+x", " @sum")
    clips = [Clip(f"-{number}", "test", text, text) for number, text in enumerate(texts)]
    Predictions(clips, list(texts), {"rgb": np.eye(3)}).write(path)
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    assert all(cell[0].isalnum() or cell[0] == "'" for row in rows for cell in row)
    found = Predictions.read(path, "test")
    assert found.clips == clips and found.labels == list(texts) and found.hits("rgb").all()


def test_the_table_is_the_one_that_csv_would_write(tmp_path):
    written = some(names=("a,b", 'c"d', "e"), labels=("Tschüß", "001", "two words"))
    written.streams["rgb"] = np.array([[1 / 3, 1e-12, np.nan], [1, 0, 2e-5], [0.1, 123456.789, 0.25]])
    written.write(tmp_path / "found.csv")
    with open(tmp_path / "expected.csv", "w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(["clip", "signer", "label", "stream", *(f"p_{label}" for label in written.labels)])
        for position, item in enumerate(written.clips):
            for stream, rows in written.streams.items():
                shares = [f"{value:.9g}" for value in rows[position]]
                lines.writerow([item.clip, item.signer, item.label, stream, *shares])
    assert (tmp_path / "found.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()
    found = Predictions.read(tmp_path / "found.csv", "test")
    np.testing.assert_allclose(found.streams["rgb"], written.streams["rgb"], rtol=1e-8)


def test_counts_are_a_table_with_text_for_labels(tmp_path):
    counts = predictions.count_answers(np.array([0, 0, 2]), np.array([0, 1, 2]), 3)
    predictions.write_counts(tmp_path / "counts.csv", counts, ["001", "NA", "true"])
    assert (tmp_path / "counts.csv").read_text() == "true,001,NA,true\n001,1,1,0\nNA,0,0,0\ntrue,0,0,1\n"


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda text: "", "damaged"),
        (lambda text: text.splitlines()[0], "rows or columns are missing"),
        (lambda text: text[: len(text) // 2], "damaged|rows or columns are missing"),
        (lambda text: text.rsplit("\n", 2)[0], "rows or columns are missing"),
        (lambda text: text.replace("signer,", "person,"), "rows or columns are missing"),
        (lambda text: text.replace(",1,", ",one,"), "damaged"),
        (lambda text: text.replace(",1,", ",1,1,"), "damaged"),
    ],
)
def test_a_table_that_is_not_whole_is_one_line(tmp_path, spoil, said):
    path = tmp_path / "predictions-test.csv"
    some().write(path)
    path.write_text(spoil(path.read_text()))
    with pytest.raises(
        Problem, match=f"predictions-test.csv: ({said}).*run evaluate.py .*--split test again"
    ) as caught:
        Predictions.read(path, "test")
    assert "\n" not in str(caught.value)
