"""bench_people.py: folds that share nobody, and the tables of what training and evaluation would leave."""

import csv
import json

from signs.clips import leakage
from signs.clips.dataset import load_dataset
from signs.clips.video import read_video
from signs.inference.predictions import Predictions

import numpy as np
import pytest

import bench_people


def test_a_fold_leaves_one_person_out_and_links_everything(demo, tmp_path):
    data = load_dataset(demo)
    people = sorted({item.signer for item in data.clips})
    bench_people.make_fold(data, tmp_path, people[0], people[1], people[2:])
    fold = load_dataset(tmp_path)
    assert {item.signer for item in fold.split("test")} == {people[0]}
    assert {item.signer for item in fold.split("valid")} == {people[1]}
    assert {item.signer for item in fold.split("train")} == set(people[2:]) and len(fold.clips) == len(data.clips)
    assert leakage.find_leaks(fold, ["valid", "test"], fold.stores("frame")[0])[0] == []
    for item in fold.clips:
        assert all(item.archive(tmp_path, store).is_file() for store in fold.stores("frame") + fold.stores("flow"))
    assert len(read_video(fold.clips[0].video(tmp_path))[0]) > 10


def test_fewer_people_to_learn_from():
    people, fold = list("abcdef"), ("e", "f")
    assert bench_people.learners_of(people, fold, None) == list("abcd")
    counts = [
        learner for fold in bench_people.folds_of(people) for learner in bench_people.learners_of(people, fold, 2)
    ]
    assert sorted(counts) == sorted(2 * people), "each is learnt from twice"


def test_a_fold_has_no_clips_of_people_nobody_learns_from(demo, tmp_path):
    data = load_dataset(demo)
    people = sorted({item.signer for item in data.clips})
    bench_people.make_fold(data, tmp_path, people[0], people[1], [people[3]])
    assert {item.signer for item in load_dataset(tmp_path).clips} == {people[0], people[1], people[3]}


def test_tables_and_json(demo, tmp_path, monkeypatch, capsys):
    """Training and evaluation are played: the first person left out is recognised always, the others never."""
    data, calls = load_dataset(demo), []
    people = sorted({item.signer for item in data.clips})
    labels = [row.label for row in data.classes]

    def play(script, *arguments):
        calls.append((script, *map(str, arguments)))
        if script != "evaluate.py":
            return
        fold = load_dataset(arguments[1])
        for split in arguments[5 : arguments.index("--gallery")]:
            clips = fold.split(split)
            right = clips[0].signer == people[0]
            answers = [(labels.index(item.label) + (not right)) % len(labels) for item in clips]
            rows = np.eye(len(labels))[answers]
            path = Predictions.path(arguments[3], split)
            path.parent.mkdir(parents=True, exist_ok=True)
            Predictions(clips, labels, {"rgb": rows}).write(path)

    monkeypatch.setattr(bench_people, "call", play)
    with open(tmp_path / "table.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["video", "distance"])
        table.writerows([item.source, "near" if item.signer == people[0] else "far"] for item in data.clips)
    argv = [
        "--data",
        demo,
        "--output",
        tmp_path / "out",
        "--table",
        tmp_path / "table.csv",
        "--streams",
        "rgb",
        "--refit",
        "--",
        "--epochs",
        "3",
        "--weights",
        "model/{test}",
    ]
    assert bench_people.main([str(value) for value in argv]) == 0
    trained = [call for call in calls if call[0] == "train_i3d.py" and "--refit" not in call]
    assert len(trained) == len(people)
    again = [call[call.index("--output") + 1 :] for call in calls if "--refit" in call]
    assert again == [
        (str(tmp_path / "out" / "refit" / person), "--refit", str(tmp_path / "out" / person), "--stream", "rgb")
        for person in people
    ]
    for call, person in zip(trained, people, strict=True):
        assert call[-6:] == ("--epochs", "3", "--weights", f"model/{person}", "--stream", "rgb")
    found = json.loads(capsys.readouterr().out.splitlines()[-1])
    rgb = found["test"]["rgb"]
    assert rgb["people"] == {person: float(person == people[0]) for person in people} and rgb["worst"] == 0
    assert rgb["mean"] == pytest.approx(1 / len(people)) and rgb["groups"] == {"near": 1, "far": 0}
    assert found["valid"]["rgb"]["people"] == rgb["people"]
    assert found["test, refitted"] == found["test"]
    assert not (tmp_path / "out" / "refit" / people[0] / "predictions-valid.csv").exists()
