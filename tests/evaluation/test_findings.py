"""Which signs and people fail, and what to record more of: drawn answers in, sentences out."""

from pathlib import Path

from signs.clips.dataset import Clip, Dataset, Label
from signs.evaluation import findings, printed
from signs.evaluation.findings import Advice, Apart
from signs.evaluation.metrics import SplitResult
from signs.evaluation.scores import score_stream
from signs.inference.predictions import Predictions

import numpy as np


def table_of(rows: list[tuple[str, str, str]]) -> Predictions:
    """Clips, (label, answer, signer) each, labels of one letter."""
    labels = sorted({label for label, _, _ in rows} | {answer for _, answer, _ in rows})
    clips = [Clip(f"c{number}", "test", label, signer) for number, (label, _, signer) in enumerate(rows)]
    return Predictions(clips, labels, {"rgb": np.eye(len(labels))[[labels.index(answer) for _, answer, _ in rows]]})


def find(
    rows: list[tuple[str, str, str]], training: dict | None = None, idle: str = "", rejection: dict | None = None
) -> findings.Findings:
    """What is said of such clips."""
    table = table_of(rows)
    streams = {"rgb": score_stream(table, "rgb")}
    result = SplitResult({}, [], [], len(rows), len(table.labels), 0, rejection or {}, streams, training=training)
    return findings.find(result, table, frozenset(idle))


def test_the_worst_signs_and_people_are_named_and_what_they_are_taken_for():
    right = [(label, label, signer) for label in "abc" for signer in ("Ann", "Ben") for _ in range(5)]
    wrong = [("c", "a", "Cem")] * 4 + [("b", "b", "Cem")] * 4
    found = find(right + wrong)
    assert found.apart == [] and find(right + wrong, idle="c").signs == []
    assert [(row["label"], row["right"], row["clips"], row["taken_for"]) for row in found.signs] == [("c", 10, 14, "a")]
    assert [(row["signer"], row["right"], row["clips"]) for row in found.people] == [("Cem", 4, 8)]
    assert (found.right, found.clips) == (30, 30), "those who do not fail"
    assert found.advice == [Advice("one way", ("c", "a"), 4, 14)], "no a is taken for c"
    assert found.only_by == {"c": "Cem"}


def test_one_person_who_fails_altogether_is_named_before_the_signs_and_blames_none():
    others = [(label, label, signer) for label in "abz" for signer in ("Ann", "Ben") for _ in range(5)]
    theirs = [("a", "z", "Cem"), ("b", "z", "Cem"), ("a", "z", "Cem"), ("b", "a", "cem"), ("b", "z", "Cem")]
    theirs += [("z", "z", "Cem")] * 9
    found = find(others + theirs, idle="z")
    assert found.apart == [Apart("Cem", 5, 5, "z", 4)], "of signs: what is no sign is right in all nine"
    assert [row["clips"] for row in found.people] == [5] and (found.right, found.clips) == (20, 20)
    assert (found.signs, found.only_by, found.advice) == ([], {}, []), "without the clips of that person"
    assert (found.right_signs, found.sign_clips, found.gestures.value) == (20, 25, 20 / 25), "no sign is none"
    mistake = find([*others, *theirs, ("a", "b", "Ann"), ("a", "b", "Ben"), ("a", "b", "Ben")], idle="z")
    assert [(row["label"], row["right"], row["clips"]) for row in mistake.signs] == [("a", 10, 13)]
    assert mistake.advice == [Advice("one way", ("a", "b"), 3, 13)]
    both = find([*others, *[("a", "b", "Ann")] * 3, ("b", "a", "Ann")])
    assert both.advice == [Advice("pair", ("a", "b"), 4, 24)]


def test_where_nothing_but_no_sign_was_tried_its_clips_are_counted():
    found = find([("z", "z", "Ann")] * 4 + [("z", "a", "Ben")] * 4, idle="z")
    assert [row["signer"] for row in found.people] == ["Ben"] and found.gestures is None


def test_the_screen_names_them_first_too(capsys):
    rows = [(label, label, signer) for label in "abz" for signer in ("Ann", "Ben") for _ in range(5)]
    table = table_of([*rows, ("b", "a", "Ann"), ("z", "a", "Ann"), *[("a", "z", "Cem")] * 5])
    printed.print_failures(table, score_stream(table, "rgb"), {"a": "A", "b": "B", "z": "none"}, frozenset("z"))
    look = "look at how this person stands in the picture, light and distance"
    assert capsys.readouterr().out.splitlines() == [
        f"Cem: 5 of 5 clips fail, 5 of them as none: {look}",
        "worst signs of the others: B 10/11",
        "worst people: Cem 0/5, Ann 10/11",
    ]


def test_where_everybody_fails_or_few_clips_do_nobody_stands_apart():
    assert find([("a", "b", signer) for signer in ("Ann", "Ben") for _ in range(9)]).apart == []
    fine = [("a", "a", "Ann"), ("b", "b", "Ann")] * 9
    assert find([*fine, *[("a", "b", "Ben")] * (findings.FEW - 1)]).apart == []
    scattered = [("a", answer, "Ben") for answer in "bcdef"]
    assert find(fine + scattered).apart == [Apart("Ben", 5, 5, None, 1)], "taken for this and that"


def test_one_mistake_is_nothing_to_record():
    found = find([("a", "a", "Ann")] * 3 + [("a", "b", "Ann")] + [("b", "b", "Ann")] * 9)
    assert [row["label"] for row in found.signs] == ["a"] and found.advice == []


def test_mistakes_of_several_people_or_of_the_only_one_who_signs_it_are_nobodys():
    rows = [("a", "b", "Ann"), ("a", "b", "Ben"), ("b", "a", "Ann"), ("b", "a", "Ann"), ("c", "a", "Ann")]
    assert find([*rows, ("c", "c", "Ben")]).only_by == {}, "once is no pattern"
    assert find([*rows, ("b", "b", "Ben")]).only_by == {"b": "Ann"}


def test_a_sign_that_is_taken_for_many_is_recorded_alone_and_few_clips_are_said():
    rows = [("d", answer, "Ann") for answer in "abc"] + [(label, label, "Ben") for label in "abc" for _ in range(5)]
    training = {"clips": {"a": 9, "b": 10, "c": 11, "d": 3}, "signers": 4}
    found = find(rows, training)
    assert found.advice == [Advice("sign", ("d",), 3, 3), Advice("scarce", ("d",), 3, 9), Advice("people", count=4)]


def test_too_many_false_alarms_are_something_to_record():
    rows = [("a", "a", "Ann")] * 5 + [("z", "a", "Ann")] * 6
    for found, advice in ((2 / 6, [Advice("no sign", count=2, of=6)]), (1 / 6, [])):
        alarms = {"of": "no gesture", "found": found, "clips": 6}
        assert find(rows, idle="z", rejection=alarms).advice == advice, "of those that get an answer, not of all six"
    assert find(rows, idle="z", rejection={"of": "all clips", "found": 0.5, "clips": 11}).advice == []


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
