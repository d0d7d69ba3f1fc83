"""bench_demo.py: which movements it asks about, and what it counts of the answers."""

import itertools
import json

from signs.prepare import synthetic, synthetic_pauses

import numpy as np

import bench_demo


def test_everything_is_asked_of_everybody():
    rows = {}
    for clip in bench_demo.asked(2):
        rows.setdefault(clip.row, []).append(clip)
    kinds = len(synthetic_pauses.LEARNT) + len(synthetic_pauses.UNSEEN_VALID) + len(synthetic_pauses.UNSEEN_TEST)
    assert len(rows) == 2 + kinds + 1 and "salute, never learnt" in rows and "rest" in rows
    assert all({clip.person for clip in clips} == {0, 1} for clips in rows.values())
    assert {clip.manner for clip in rows["by somebody hard to recognise"]} == {synthetic.HARD}
    named = [clip for clip in itertools.chain.from_iterable(rows.values()) if clip.name]
    assert len(named) == 2 * 8 * 2


def test_right_answers_to_signs_and_any_to_what_is_none(loaded, model, monkeypatch, capsys):
    """A model that takes everything for the first sign, and is sure."""
    chosen = [clip for clip in bench_demo.asked(1) if clip.row in ("the eight signs", "salute, never learnt")]
    monkeypatch.setattr(bench_demo, "asked", lambda people: [chosen[0], chosen[1], chosen[-1]])
    monkeypatch.setattr(type(loaded), "conclude", answer_first(type(loaded).conclude))
    assert bench_demo.main(["--model", str(model), "--people", "1"]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1])
    signs, salute = (row[str(model)] for row in told.values())
    assert (signs["of"], signs["value"], signs["clips"]) == ("right", 0.5, 2)
    assert (salute["of"], salute["value"]) == ("named", 1.0)


def answer_first(conclude):
    def first(self, logits, *rest):
        sure = {name: 50.0 * (np.arange(len(row)) == 0) for name, row in logits.items()}
        return conclude(self, sure, *rest)

    return first
