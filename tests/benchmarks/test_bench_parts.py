"""bench_parts.py: each part trained on every fold with its flags behind the others, and its gain."""

import json
from pathlib import Path

from signs.clips.dataset import load_dataset
from signs.training.log import Log, Validated

import numpy as np
import pytest

import bench_parts


def test_gains_of_the_kept_epochs_and_no_look_at_who_was_left_out(demo, tmp_path, monkeypatch, capsys):
    """Training is played: as it is nothing is recognised, with the part every clip is, in the epoch that was kept."""
    calls = []

    def play(script, *arguments):
        words = [str(word) for word in arguments]
        calls.append((script, *words))
        model, fold = Path(words[3]), load_dataset(Path(words[1]))
        clips, labels = fold.split("valid"), [row.label for row in fold.classes]
        targets = np.array([labels.index(item.label) for item in clips])
        for epoch, (loss, right) in enumerate([(2.0, False), (1.0, "mixup=0.2" in words), (3.0, True)], 1):
            row = dict.fromkeys(("learning_rate", "loss", "accuracy", "val_accuracy", "seconds"), 0)
            Log(model / "log.csv").add({"stream": "flow", "phase": "all", "epoch": epoch, "val_loss": loss, **row})
            answers = np.float32(np.eye(len(labels))[(targets + (not right)) % len(labels)])
            Validated(np.array([item.clip for item in clips]), targets, answers).write(model, "flow", epoch)

    monkeypatch.setattr(bench_parts.bench_people, "call", play)
    argv = [
        "--data",
        demo,
        "--output",
        tmp_path,
        "--part",
        "--augment mixup=0.2",
        "--recipe balance=yes",
        "--",
        "--epochs",
        "3",
    ]
    assert bench_parts.main([str(value) for value in argv]) == 0
    people = sorted({item.signer for item in load_dataset(demo).clips})
    assert len(calls) == 3 * len(people) and {call[0] for call in calls} == {"train_i3d.py"}
    parts = ((), ("--augment", "mixup=0.2"), ("--recipe", "balance=yes"))
    ends = [call[5:] for call in calls[:: len(people)]]
    assert ends == [("--epochs", "3", *part, "--stream", "flow") for part in parts]
    assert (tmp_path / "augment-mixup-0.2" / people[0] / "log.csv").is_file()
    said = capsys.readouterr().out
    rows = json.loads(said.splitlines()[-1])["rows"]
    assert [row["top1"] for row in rows] == [0, 1, 0] and [row["gain"] for row in rows] == [0, 1, 0]
    assert rows[1]["low"] > 0.5 and rows[2]["low"] < 0 < rows[2]["high"]
    assert "+100.0" in said and "balance" in said


def test_folders_are_named_by_their_part():
    assert bench_parts.folder_of("--augment part=1 zoom=0.3") == "augment-part-1-zoom-0.3"
    with pytest.raises(SystemExit):
        bench_parts.main(["--data", "x", "--output", "y", "--part"])
