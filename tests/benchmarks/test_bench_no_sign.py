"""bench_no_sign.py: what is learnt from, what is asked, and the numbers of a data set of drawn people."""

import json
from dataclasses import replace

from signs.clips.dataset import load_dataset, save_dataset

import pytest

import bench_no_sign
import posed


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two signs, and a movement that is none."""
    data = posed.data_set(tmp_path_factory.mktemp("takes") / "data")
    classes = [replace(row, kind="none") if row.label == "up" else row for row in data.classes]
    save_dataset(replace(data, classes=classes))
    return data.folder


def test_before_and_after(folder, capsys):
    assert bench_no_sign.main(["--data", str(folder), "--draws", "1"]) == 0
    results = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert set(results) == {"her own, 2 signs", "her own, 2 signs, and no sign", "3 others, 2 signs"}
    for ways in results.values():
        assert set(ways) == {"before", "after"} and set(ways["after"]) == {"right", "wrong", "up"}
    hers = results["her own, 2 signs"]
    assert hers["after"]["right"]["value"] > 0.2 and hers["after"]["wrong"]["value"] < 0.2
    assert hers["after"]["up"]["value"] < hers["before"]["up"]["value"], "a third movement is no sign"


def test_nobody_is_asked_what_was_learnt_from(folder):
    data = load_dataset(folder)
    takes = bench_no_sign.Takes.__new__(bench_no_sign.Takes)
    takes.clips, takes.none = data.clips, {"up"}
    takes.labels = bench_no_sign.np.array([item.label for item in data.clips])
    takes.signers = bench_no_sign.np.array([item.signer for item in data.clips])
    takes.takes = bench_no_sign.own_signs.groups_of(data.clips)["known"]
    for job in takes.jobs(1):
        assert not {*job.learnt} & {*job.asked}, job.row
        learnt = {takes.labels[number] for number in job.learnt}
        assert ("up" in learnt) == ("no sign" in job.row) and {*job.signs} <= learnt
        assert {takes.signers[number] for number in job.asked} == {job.person}
