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
    assert "4 clips of the 3,742" in told["notes"][0]
    printed.print_published(json.loads(json.dumps(told)))
    said = capsys.readouterr().out
    assert "98.42" in said and "75.00" in said and "people are disjoint" in said


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


def test_prepare_videos_says_which_set_it_was(tmp_path):
    imitations.autsl(tmp_path / "in")
    flags = ["--videos", str(tmp_path / "in"), "--output", str(tmp_path / "out"), "--workers", "1"]
    assert prepare_videos.main(flags) == command.PARTLY
    assert read_origin(tmp_path / "out") == Origin("autsl", 226)
    assert prepare_videos.main([*flags, "--classes", "2"]) == command.DONE
    assert read_origin(tmp_path / "out") == Origin("autsl", None)
