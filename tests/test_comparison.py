"""Runs side by side: the numbers are those of the tables, and what cannot be compared is refused."""

from dataclasses import replace

from command import Problem

import numpy as np
import pytest

import comparison
import dataset
import evaluate
import scores
from predictions import Predictions


def written(folder, right: list[bool], labels="abc", order=None) -> None:
    """predictions-test.csv of clips of three signs by four people, of which `right` are recognised."""
    rng = np.random.default_rng(len(folder.name))
    clips = [dataset.Clip(f"c{i:03d}", "test", labels[i % 3], f"S{i % 4}") for i in range(len(right))]
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
    found = comparison.compare(comparison.load(runs, "test"))
    one, two = found["runs"]
    assert one["top1"] == pytest.approx(40 / 60) and two["top1"] == pytest.approx(32 / 60) and one["over"] == "signers"
    (pair,) = found["pairs"]
    assert pair["value"] == pytest.approx(8 / 60) and (pair["only_a"], pair["only_b"]) == (8, 0)
    assert pair["mcnemar"] == pytest.approx(2 * 0.5**8) and pair["low"] < pair["value"] < pair["high"]
    assert evaluate.main(["--compare", *map(str, runs), "--split", "test"]) == 0
    said = capsys.readouterr().out
    assert "66.7" in said and "53.3" in said and "+13.3" in said and "0.0078" in said


def test_rows_of_another_order_are_the_same_clips(runs):
    one, two = comparison.load(runs, "test")
    assert [item.clip for item in one.predictions.clips] == [item.clip for item in two.predictions.clips]
    assert scores.difference(one.right, two.right, scores.draw([""] * 60)).only_b == 0


def test_other_clips_are_refused(runs, tmp_path):
    written(tmp_path / "short", [True] * 57)
    with pytest.raises(Problem, match="short: 0 labelled clips of test .* 3 the other way round"):
        comparison.load([runs[0], tmp_path / "short"], "test")
    with pytest.raises(Problem, match="run evaluate.py"):
        comparison.load([runs[0], tmp_path / "none"], "test")
    table = Predictions.read(Predictions.path(runs[0], "test"), "test")
    table.clips = [replace(item, label="") for item in table.clips]
    table.write(Predictions.path(runs[1], "test"))
    with pytest.raises(Problem, match="nothing to compare"):
        comparison.load(runs, "test")


@pytest.mark.parametrize("argv", [["--compare", "one"], ["--compare", "a", "b", "--model", "c"], ["--model", "a"], []])
def test_flags_that_do_not_go_together(argv, capsys):
    with pytest.raises(SystemExit) as caught:
        evaluate.main(argv)
    assert caught.value.code == 2 and "--compare" in capsys.readouterr().err
