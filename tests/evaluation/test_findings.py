"""Which signs and people fail, and what to record more of: drawn answers in, sentences out."""

from pathlib import Path

from signs.clips.dataset import Clip, Dataset, Label
from signs.evaluation import findings
from signs.evaluation.findings import Advice
from signs.evaluation.metrics import SplitResult
from signs.evaluation.scores import score_stream
from signs.inference.predictions import Predictions

import numpy as np


def find(rows: list[tuple[str, str, str]], training: dict | None = None) -> findings.Findings:
    """What is said of clips, (label, answer, signer) each, labels of one letter."""
    labels = sorted({label for label, _, _ in rows} | {answer for _, answer, _ in rows})
    clips = [Clip(f"c{number}", "test", label, signer) for number, (label, _, signer) in enumerate(rows)]
    shares = np.eye(len(labels))[[labels.index(answer) for _, answer, _ in rows]]
    table = Predictions(clips, labels, {"rgb": shares})
    streams = {"rgb": score_stream(table, "rgb")}
    result = SplitResult({}, [], [], len(rows), len(labels), 0, {}, streams, training=training)
    return findings.find(result, table)


def test_the_worst_signs_and_people_are_named_and_what_they_are_taken_for():
    right = [(label, label, signer) for label in "abc" for signer in ("Ann", "Ben") for _ in range(5)]
    wrong = [("c", "a", "Cem")] * 4 + [("b", "b", "Cem")]
    found = find(right + wrong)
    assert [(row["label"], row["right"], row["clips"], row["taken_for"]) for row in found.signs] == [("c", 10, 14, "a")]
    assert [(row["signer"], row["right"], row["clips"]) for row in found.people] == [("Cem", 1, 5)]
    assert (found.right, found.clips) == (30, 30), "those who do not fail"
    assert found.advice == [Advice("pair", ("c", "a"), 4, 24)]
    assert found.only_by == {"c": "Cem"}


def test_mistakes_of_several_people_or_of_the_only_one_who_signs_it_are_nobodys():
    rows = [("a", "b", "Ann"), ("a", "b", "Ben"), ("b", "a", "Ann"), ("b", "a", "Ann"), ("c", "a", "Ann")]
    assert find([*rows, ("c", "c", "Ben")]).only_by == {}, "once is no pattern"
    assert find([*rows, ("b", "b", "Ben")]).only_by == {"b": "Ann"}


def test_a_sign_that_is_taken_for_many_is_recorded_alone_and_few_clips_are_said():
    rows = [("d", answer, "Ann") for answer in "abc"] + [(label, label, "Ben") for label in "abc" for _ in range(5)]
    training = {"clips": {"a": 9, "b": 10, "c": 11, "d": 3}, "signers": 4}
    found = find(rows, training)
    assert found.advice == [Advice("sign", ("d",), 3, 3), Advice("scarce", ("d",), 3, 9), Advice("people", count=4)]


def test_no_more_is_advised_than_somebody_reads():
    rows = [(label, "z", "Ann") for label in "abcdefgh"] + [("z", "z", "Ann")]
    found = find(rows)
    assert len(found.signs) == 8 and len(found.advice) == findings.NAMED


def test_nothing_fails():
    found = find([("a", "a", ""), ("b", "b", "")])
    assert (found.signs, found.people, found.clips, found.advice) == ([], [], 0, [])


def test_what_a_model_learnt_from_is_counted():
    clips = [Clip("1", "train", "a", "Ann"), Clip("2", "train", "a", "ann"), Clip("3", "train", "", "Cem")]
    data = Dataset(Path(), [*clips, Clip("4", "test", "b", "Ben")], [Label("a", ""), Label("b", "")])
    assert findings.count_training(data) == {"clips": {"a": 2, "b": 0}, "signers": 1}
    unknown = Dataset(Path(), [*clips, Clip("5", "train", "b")], data.classes)
    assert findings.count_training(unknown) == {"clips": {"a": 2, "b": 1}, "signers": 0}
