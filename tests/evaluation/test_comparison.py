"""Runs side by side: the numbers are those of the tables, and what cannot be compared is refused."""

from dataclasses import replace

from signs.clips import dataset
from signs.clips.dataset import Clip
from signs.command import Problem
from signs.evaluation import comparison, scores
from signs.evaluation.comparison import Run
from signs.inference.predictions import Predictions

import cv2
import numpy as np
import pytest

import evaluate


def written(folder, right: list[bool], labels="abc", order=None) -> None:
    """predictions-test.csv of clips of three signs by four people, of which `right` are recognised."""
    rng = np.random.default_rng(len(folder.name))
    clips = [Clip(f"c{i:03d}", "test", labels[i % 3], f"S{i % 4}") for i in range(len(right))]
    rows = rng.dirichlet((1, 1, 1), len(right)) / 2
    rows[range(len(right)), [(i % 3 + (not hit)) % 3 for i, hit in enumerate(right)]] += 0.5
    order = order or range(len(right))
    folder.mkdir()
    table = Predictions([clips[i] for i in order], list(labels), {"rgb": rows[list(order)]})
    table.write(Predictions.path(folder, "test"))


@pytest.fixture
def runs(tmp_path):
    hits = [i % 3 > 0 for i in range(60)]
    written(tmp_path / "one", hits)
    written(tmp_path / "two", [hit and i % 5 > 0 for i, hit in enumerate(hits)], order=list(range(59, -1, -1)))
    return [tmp_path / "one", tmp_path / "two"]


def test_the_table_and_the_pairs(runs, capsys):
    found = comparison.compare_runs(comparison.load_runs(runs, "test"))
    one, two = found["runs"]
    assert one["top1"] == pytest.approx(40 / 60) and two["top1"] == pytest.approx(32 / 60) and one["over"] == "signers"
    (pair,) = found["pairs"]
    assert pair["value"] == pytest.approx(8 / 60) and (pair["only_a"], pair["only_b"]) == (8, 0)
    assert pair["mcnemar"] == pytest.approx(2 * 0.5**8) and pair["low"] < pair["value"] < pair["high"]
    assert evaluate.main(["--compare", *map(str, runs), "--split", "test"]) == 0
    said = capsys.readouterr().out
    assert "66.7" in said and "53.3" in said and "+13.3" in said and "0.0078" in said


def test_two_long_names_are_told_apart_on_80_columns(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    names = [f"i3d-kinetics-rgb-flow-{'x' * 60}-fold{n}" for n in (1, 2)]
    for name in names:
        written(tmp_path / name, [True] * 30)
    assert evaluate.main(["--compare", *(str(tmp_path / name) for name in names), "--split", "test"]) == 0
    tables = capsys.readouterr().out.split("McNemar's test")[0].splitlines()
    assert [line for line in tables if len(line) > 80] == [f"({n}) {tmp_path / names[n - 1]}" for n in (1, 2)] * 2
    assert sum("(1)" in line for line in tables) == 4 and not any("i3d" in line for line in tables if len(line) < 80)


def test_classes_that_gain_and_lose(tmp_path, capsys):
    """Of twenty clips a sign the second model gets four more of a, six fewer of b and as many of c."""
    before, after = ([i // 3 < limits[i % 3] for i in range(60)] for limits in ((10, 12, 5), (14, 6, 5)))
    for name, hits in (("frames", before), ("lstm", after)):
        written(tmp_path / name, hits)
    first, last = comparison.load_runs([tmp_path / "frames", tmp_path / "lstm"], "test")
    gains = comparison.class_gains(first, last, {"a": "NA", "b": "b", "c": "c"})
    comparison.write_gains(first, last, {"a": "=1+1", "b": "b", "c": "c"}, tmp_path / "gain.png")
    assert "a,'=1+1,20" in (tmp_path / "gain.csv").read_text()
    assert gains.values.tolist() == [["a", "NA", 20, 10, 14, 0.2], ["c", "c", 20, 5, 5, 0], ["b", "b", 20, 12, 6, -0.3]]
    gained, lost = comparison.extremes(gains)
    assert gained["gain"].tolist() == [0.2] and lost["gain"].tolist() == [-0.3]
    assert [len(rows) for rows in comparison.extremes(gains, 0)] == [0, 0]
    assert evaluate.main(["--compare", str(first.folder), str(last.folder), "--split", "test"]) == 0
    said = capsys.readouterr().out
    assert "gained most" in said and "a +20 (10 to 14 of 20)" in said and "b -30 (12 to 6 of 20)" in said
    rows = dataset.read_table(last.folder / "gain-test.csv", ("label", "first", "last", "gain"))
    assert [(row["label"], row["gain"]) for row in rows] == [("a", "0.2"), ("c", "0"), ("b", "-0.3")]
    assert cv2.imread(str(last.folder / "gain-test.png")).std() > 1


def test_classes_of_another_order_are_drawn_in_one(runs, capsys, monkeypatch):
    from signs.evaluation import plots

    table = Predictions.read(Predictions.path(runs[1], "test"), "test")
    turned = Predictions(table.clips, table.labels[::-1], {"rgb": table.streams["rgb"][:, ::-1]})
    turned.write(Predictions.path(runs[1], "test"))
    drawn = []
    monkeypatch.setattr(plots, "write_gains", lambda bars, matrices, names, path: drawn.append(matrices))
    first, last = comparison.load_runs(runs, "test")
    comparison.write_gains(first, last, dict(zip("abc", "abc", strict=True)), runs[1] / "gain-test.png")
    assert np.array_equal(drawn[0][1][1], table.confusion("rgb")), "as it was before the classes were turned round"
    comparison.write_gains(
        first, Run(runs[1], "test", Predictions(table.clips, [*"abz"], table.streams)), {}, runs[1] / "gain-test.png"
    )
    assert len(drawn) == 1 and "know other classes: no picture" in capsys.readouterr().out


def test_rows_of_another_order_are_the_same_clips(runs):
    one, two = comparison.load_runs(runs, "test")
    assert [item.clip for item in one.predictions.clips] == [item.clip for item in two.predictions.clips]
    assert scores.difference(one.right, two.right, scores.draw_bootstrap([""] * 60)).only_b == 0


def test_other_clips_are_refused(runs, tmp_path):
    written(tmp_path / "short", [True] * 57)
    with pytest.raises(Problem, match="short: 0 labelled clips of test .* 3 the other way round"):
        comparison.load_runs([runs[0], tmp_path / "short"], "test")
    with pytest.raises(Problem, match="run evaluate.py"):
        comparison.load_runs([runs[0], tmp_path / "none"], "test")
    table = Predictions.read(Predictions.path(runs[0], "test"), "test")
    table.clips = [replace(item, label="") for item in table.clips]
    table.write(Predictions.path(runs[1], "test"))
    with pytest.raises(Problem, match="nothing to compare"):
        comparison.load_runs(runs, "test")


@pytest.mark.parametrize("argv", [["--compare", "one"], ["--compare", "a", "b", "--model", "c"], ["--model", "a"], []])
def test_flags_that_do_not_go_together(argv):
    with pytest.raises(Problem, match="--compare"):
        evaluate.main(argv)
