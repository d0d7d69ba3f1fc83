"""What is published on the public sets: each row has a source, ours is counted by the set's protocol."""

import json

from signs import command
from signs.clips.dataset import Clip, Dataset, Label
from signs.evaluation import printed, published
from signs.inference.predictions import GIVEN, Predictions
from signs.prepare.formats.table import FORMATS
from signs.prepare.origin import Origin, read_origin, write_origin

import numpy as np
import pytest

import imitations
import prepare_videos
from tiny import REPOSITORY


def test_every_row_has_a_source_and_is_of_a_subset_of_its_set():
    for row in published.rows():
        assert row.source and row.read and row.method and row.input
        assert row.classes in FORMATS[row.set].rows, row
        shares = [row.top1, row.top5, row.top1_class, row.top5_class]
        assert row.top1 and all(0 < float(share) <= 100 for share in shares if share)
    assert {row.set for row in published.rows()} == set(published.PROTOCOLS) == set(FORMATS)


def with_ours() -> list[published.Row]:
    """All published rows, and for each set and number of classes ours, which nobody has run."""
    table = published.rows()
    groups = dict.fromkeys((row.set, row.classes) for row in table)
    found = []
    for key, classes in groups:
        found += [row for row in table if (row.set, row.classes) == (key, classes)]
        found.append(published.Row(key, classes, "ours", published.NOT_RUN, ours=True))
    return found


def test_the_documentation_shows_all_rows_and_ours_as_not_run():
    table = published.markdown(with_ours())
    assert table.count(published.NOT_RUN) == len({(row.set, row.classes) for row in published.rows()})
    assert table in (REPOSITORY / "docs" / "evaluation.md").read_text(encoding="utf-8")


@pytest.fixture
def autsl(tmp_path):
    """(data set, its test predictions): 3 clips of class 0, of which 2 are right, and one of class 1, which is."""
    labels = [str(number) for number in range(226)]
    clips = [Clip(f"c{i}", "test", label, f"signer{i % 2}") for i, label in enumerate("0001")]
    rows = np.full((4, 226), 0.001)
    rows[[0, 1, 2, 3], [0, 0, 7, 1]] = 0.6
    rows[2, 0] = 0.3
    write_origin(tmp_path, Origin("autsl", 226))
    data = Dataset(tmp_path, clips, [Label(label, label) for label in labels])
    return data, Predictions(clips, labels, {GIVEN: rows})


def test_ours_stands_beside_by_instance_and_by_class(autsl, capsys):
    data, predictions = autsl
    told = published.beside(data, "test", predictions)
    assert [row["top1"] for row in told["rows"]] == ["98.53", "98.42", "62.02", "47.62", "75.00"]
    mine = told["rows"][-1]
    assert (mine["top5"], mine["top1_class"], mine["top5_class"]) == ("100.00", "83.33", "100.00")
    assert "4 clips of test (3,742 published), 2 of 226 classes" in told["notes"][0]
    assert mine["method"] == "this report, of a part"
    printed.print_published(json.loads(json.dumps(told)))
    said = capsys.readouterr().out
    assert "98.42" in said and "75.00" in said and "people are disjoint" in said


def test_the_table_is_read_at_80_columns(autsl, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    data, predictions = autsl
    for key, classes in (("autsl", 226), ("wlasl", 300), ("slovo", 1000)):
        write_origin(data.folder, Origin(key, classes))
        told = published.beside(data, "test", predictions)
        printed.print_published(told)
        lines = capsys.readouterr().out.splitlines()
        alike = [row for row in published.rows() if (row.set, row.classes) == (key, classes)]
        start = next(number for number, line in enumerate(lines) if set(line) == {"─"})
        end = lines.index("(1) " + alike[0].source)
        assert max(map(len, lines[1:end])) <= 80
        assert len(lines[start + 1 : end]) <= 2 * len(alike) + 3, "two lines a row at most, and an empty one"
        assert all(sum(row.source in line for line in lines) == 1 for row in alike)


def test_ours_is_not_run_where_another_split_or_other_classes_were_evaluated(autsl):
    data, predictions = autsl
    told = published.beside(data, "valid", predictions)
    assert told["rows"][-1]["input"] == published.NOT_RUN and "published numbers are of test" in told["notes"][0]
    assert published.NOT_RUN in published.of_splits(data, {"valid": predictions})
    assert "75.00" in published.of_splits(data, {"test": predictions})
    write_origin(data.folder, Origin("autsl", None))
    told = published.beside(data, "test", predictions)
    assert not told["rows"] and "no comparison" in told["notes"][0]
    write_origin(data.folder, None)
    assert published.beside(data, "test", predictions) is None and not published.of_splits(data, {})


# The set and its subset, what its lists name, and what the note says of 3 of 4 clips of the split, in 2 classes.
PARTS = [
    ("wlasl", 100, {"test": 32}, ["3 clips of test (32 in its lists)", "4 clips of all splits (2,038 published)"]),
    ("wlasl", 100, {}, ["3 clips of test (4 in the data set)", "(2,038 published), 2 of 100 classes"]),
    ("ipn-hand", 13, {}, ["4 clips of all splits (5,649 published), 1 of 13 classes"]),
    ("include", 50, {"test": 200}, ["3 clips of test (200 in its lists), 2 of 50 classes"]),
    ("include", 50, {"test": 3}, ["3 clips of test (3 in its lists), 2 of 50 classes"]),
    ("jester", 27, {"valid": 9}, ["3 clips of valid (14,787 published), 2 of 27 classes"]),
    ("lsa64", 64, {"": 9}, ["4 clips of all splits (3,200 published), 2 of 64 classes"]),
]


@pytest.mark.parametrize("key, classes, listed, told", PARTS)
def test_a_part_of_a_set_is_called_so_whatever_is_known_of_it(tmp_path, key, classes, listed, told):
    split, official = published.PROTOCOLS[key].split, FORMATS[key]
    labels = ["a", official.none[0] if official.none else "b"]
    clips = [Clip(f"c{i}", split, labels[i % 2], f"p{i}") for i in range(4)]
    data = Dataset(tmp_path, clips, [Label(label, label) for label in labels])
    write_origin(tmp_path, Origin(key, classes, listed))
    some = Predictions(clips[:3], labels, {GIVEN: np.full((3, 2), 0.5)})
    note = published.beside(data, split, some)["notes"][0]
    assert f"ours is of a part of {official.name}" in note and not [text for text in told if text not in note]


def test_of_a_whole_set_nothing_is_said_and_of_an_unknown_one_that(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS["include"].rows, 2, {})
    clips = [Clip(f"c{i}", "test", "ab"[i % 2], f"p{i}") for i in range(4)]
    data, rows = Dataset(tmp_path, clips, [Label(label, label) for label in "ab"]), np.full((4, 2), 0.5)
    for listed, notes in (({"test": 4}, 0), ({}, 1)):
        write_origin(tmp_path, Origin("include", 2, listed))
        told = published.beside(data, "test", Predictions(clips, ["a", "b"], {GIVEN: rows}))
        assert len(told["notes"]) == notes and told["rows"][-1]["method"] == "this report"
    assert "prepare it again" in told["notes"][0]


def test_an_origin_of_an_earlier_version_is_read(tmp_path):
    (tmp_path / "origin.json").write_text('{"format": "wlasl", "classes": 100}\n')
    assert read_origin(tmp_path) == Origin("wlasl", 100)


def test_prepare_videos_says_which_set_it_was(tmp_path):
    imitations.autsl(tmp_path / "in")
    flags = ["--videos", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--workers", "1"]
    assert prepare_videos.main(flags) == command.PARTLY
    assert read_origin(tmp_path / "out") == Origin("autsl", 226, {"train": 4, "valid": 1, "test": 1})
    assert prepare_videos.main([*flags, "--classes", "2"]) == command.DONE
    assert read_origin(tmp_path / "out") == Origin("autsl", None, {"train": 3, "valid": 1, "test": 1})
