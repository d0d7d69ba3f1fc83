"""Two models on the takes that both knew, and what became of corrected answers."""

from signs.clips.dataset import Clip
from signs.evaluation.before_after import LEFT_OUT, compare
from signs.inference.predictions import Predictions
from signs.prepare.recordings import read_recordings

import numpy as np
import pytest

import learn


def write(model, answers: dict[str, str], way: str = "known") -> None:
    """A model whose left-out answer to each clip, called `<label>_<number>`, is the label of `answers`."""
    model.mkdir()
    labels = sorted({name[:1] for name in answers} | set(answers.values()))
    rows = np.array([[float(label == answer) for label in labels] for answer in answers.values()])
    clips = [Clip(name, "train", name[:1], "anna") for name in answers]
    Predictions(clips, labels, {way: rows}).write(Predictions.path(model, LEFT_OUT))


@pytest.fixture
def models(tmp_path):
    return tmp_path / "mine", tmp_path / "mine.new"


def test_only_takes_that_both_had_are_compared(models):
    write(models[0], {"a_0": "b", "a_1": "a", "b_0": "b", "b_gone": "b"})
    write(models[1], {"a_0": "a", "a_1": "a", "b_0": "b", "c_new": "a", "b_new": "b"})
    lines = compare(*models, {"c_new", "b_new"})
    assert lines == [
        "3 takes that the model before had too: 2 right then, 3 now, each left out of learning",
        "2 answers that you corrected: 1 right now, when left out",
    ]


def test_a_worse_model_is_called_that_and_how_to_go_back(models):
    write(models[0], {"a_0": "a", "b_0": "b"})
    write(models[1], {"a_0": "b", "b_0": "b"})
    first, second = compare(*models, set())
    assert "2 right then, 1 now" in first and f"learn.py --model {models[0]} --back" in second


def test_nothing_is_said_where_nothing_can_be(models):
    write(models[1], {"a_0": "a", "b_0": "b"})
    assert compare(*models, set()) == [], "the first model"
    write(models[0], {"a_0": "a"}, way="new")
    assert compare(*models, set()) == [], "left out in another way"


def test_corrected_are_clips_whose_answer_was_another(tmp_path):
    recordings = read_recordings(tmp_path / "recordings")
    recordings.add_consent("anna", ["training"], "anna")
    notes = ([], ["answered yes"], ["answered stop"], ["too dark"])
    rows = [recordings.add(bytes([number]), "stop", "anna", note) for number, note in enumerate(notes)]
    clips = [Clip(f"clip_{number}", "train", "stop", "anna", "", row.video) for number, row in enumerate(rows)]
    assert learn.corrected(recordings, clips) == {"clip_1"}
    assert learn.corrected(None, clips) == set()
    kept = Clip("kept", "train", "stop", "", "", "stop/live_corrected_stop_1.mp4")
    assert learn.corrected(None, [*clips, kept]) == {"kept"}
