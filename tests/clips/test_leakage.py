"""Every way a split can lie is found, and a clean one passes."""

import shutil
from dataclasses import replace

from signs.clips import leakage
from signs.clips.dataset import Clip, Dataset, load_dataset, save_dataset
from signs.command import Problem

import pytest

import evaluate

pytestmark = pytest.mark.usefixtures("sketched")


def clip(name, split, label="a", signer="", group="", sha256=""):
    return Clip(name, split, label, signer, group, f"{name}.avi", sha256)


def check(*clips, store=None, folder=""):
    return leakage.find_leaks(Dataset(folder, list(clips), []), ["valid", "test"], store)[0]


def test_a_clean_split_passes(demo):
    data = load_dataset(demo)
    assert leakage.find_leaks(data, ["valid", "test"], data.stores("frame")[0]) == ([], [])
    assert all(item.sha256 and item.signer for item in data.clips), "or this test would see nothing"


def test_a_person_in_two_splits_is_named():
    found = check(clip("1", "train", signer="Ann"), clip("2", "test", signer="Ann"), clip("3", "test", signer="Bo"))
    assert found == ["1 person is in train and in test (Ann): 1 of 2 clips of test"]
    found = check(
        *(clip(f"{split}{number}", split, signer=f"S{number}") for split in ("valid", "test") for number in range(5)),
        clip("0", "train"),
    )
    assert found == ["5 people are in valid and in test (S0, S1, S2 and 2 more): 5 of 5 clips of test"]
    assert check(clip("1", "train"), clip("2", "test")) == [], "nobody is not a person"
    found = check(clip("1", "train", signer="Zoë"), clip("2", "test", signer="ZOË"), clip("3", "test", signer="Bo"))
    assert found == ["1 person is in train and in test (ZOË = Zoë): 1 of 2 clips of test"]


def test_a_group_in_two_splits_is_named():
    assert (
        "1 group is in train and in valid (g01)"
        in check(clip("1", "train", group="g01"), clip("2", "valid", group="g01"))[0]
    )


def test_the_same_video_under_another_name():
    assert check(clip("1", "train", sha256="f0"), clip("2", "test", sha256="f0")) == [
        "1 clip is the same in train and in test (1 = 2)"
    ]


def test_a_clip_that_is_twice_in_a_split_is_a_note():
    twice = clip("2", "test", sha256="f0"), clip("3", "test", "b", sha256="f0")
    data = Dataset("", [clip("1", "train"), *twice, clip("4", "train", "b")], [])
    leaks, notes = leakage.find_leaks(data, ["test"], None)
    assert leaks == []
    assert notes == ["1 clip is twice in test (2 = 3, labelled a and b); delete one row of each from clips.csv"]


def test_the_same_pictures_in_another_container(demo, tmp_path):
    """The video's bytes differ, the stored frames do not."""
    data = load_dataset(demo)
    store, copied = data.stores("frame")[0], data.split("train")[0]
    shutil.copytree(demo / store, tmp_path / store)
    twin = replace(data.split("test")[0], clip="twin", label=copied.label, sha256="", signer="")
    twin.archive(tmp_path, store).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(copied.archive(demo, store), twin.archive(tmp_path, store))
    found = leakage.find_leaks(Dataset(tmp_path, [*data.clips, twin], data.classes), ["test"], store)[0]
    assert found == [f"1 clip is the same in train and in test ({copied.clip} = twin)"]


def test_a_class_that_was_never_trained():
    found = check(clip("1", "train"), clip("2", "test", "b"), clip("3", "test", "b"))
    assert found == ["1 class of test has no training clip (b): 2 clips"]
    assert check(clip("2", "test", "b")) == [], "a data set without training clips says nothing about training"


@pytest.mark.parametrize("ignored", [False, True])
def test_the_run_stops_unless_told_and_the_report_says_so(demo, copied, loaded, tmp_path, capsys, ignored):
    import json

    shutil.copytree(demo, tmp_path / "data", ignore=shutil.ignore_patterns("_download", "video"))
    data = load_dataset(tmp_path / "data")
    someone = data.split("train")[0].signer
    clips = [replace(item, signer=someone) if item.split == "test" else item for item in data.clips]
    first, second, *_ = (number for number, item in enumerate(clips) if item.split == "train")
    clips[second] = replace(clips[second], sha256=clips[first].sha256)
    save_dataset(replace(data, clips=clips))
    argv = ["--data", str(tmp_path / "data"), "--model", str(copied), "--split", "test", "--gallery", "0"]
    if not ignored:
        with pytest.raises(Problem, match="person is in train and in test.*--ignore-checks"):
            evaluate.main(argv)
        assert not list(copied.glob("predictions*")), "before any number"
        return
    assert evaluate.main([*argv, "--ignore-checks"]) == 0
    said = capsys.readouterr().out
    assert "CHECK OVERRIDDEN" in said and "note: 1 clip is twice in train" in said
    assert someone in json.loads((copied / "metrics.json").read_text())["test"]["checks"][0]
    assert "cannot be trusted" in (copied / "report" / "index.html").read_text()
