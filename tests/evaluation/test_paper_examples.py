"""Which clips figure 4 shows, of answers that are known."""

from dataclasses import replace

from signs.clips.dataset import Clip
from signs.evaluation.paper_examples import Examples, Shown
from signs.inference.predictions import Predictions

import numpy as np


def test_who_signs_alike_and_which_like_signs_are_told_apart():
    """a is recognised of three people, b of two, c of one, d never; b and d are taken for each other, a and c most
    alike of what is not."""
    answers = [
        *(("a", "x", [0.7, 0.0, 0.3, 0.0]), ("a", "y", [0.6, 0.1, 0.3, 0.0]), ("a", "y", [0.8, 0.0, 0.2, 0.0])),
        *(("a", "z", [0.5, 0.1, 0.4, 0.0]), ("b", "x", [0.1, 0.5, 0.0, 0.4]), ("b", "y", [0.2, 0.8, 0.0, 0.0])),
        *(("c", "x", [0.4, 0.0, 0.6, 0.0]), ("c", "", [0.0, 0.0, 0.9, 0.1]), ("d", "y", [0.0, 0.7, 0.0, 0.3])),
        ("", "x", [0.9, 0.1, 0.0, 0.0]),
    ]
    clips = [Clip(str(number), "valid", label, signer) for number, (label, signer, _) in enumerate(answers)]
    some = Predictions(clips, list("abcd"), {"both": np.array([row for _, _, row in answers])})
    examples = Examples(some, "both", ["A", "B", "C", "D"], lambda item: item.clip)
    assert examples.people(9) == [
        Shown(("A", "A"), ("by y, probability 80%", "by x, probability 70%"), ("2", "0")),
        Shown(("B", "B"), ("by y, probability 80%", "by x, probability 50%"), ("5", "4")),
    ]
    assert examples.people(1) == examples.people(9)[:1]
    assert examples.apart(9) == [Shown(("A", "C"), ("right: 4 of 4", "right: 2 of 2"), ("2", "7"))]
    (pair,) = examples.confused(9, [Clip("other", "train", "d")])
    assert pair == Shown(("D", "B"), ("taken for the right one: 1 of 1", "taken for the left one: 0 of 2"), ("8", "5"))
    nobody = replace(some, clips=[replace(item, signer="") for item in clips])
    assert Examples(nobody, "both", ["A", "B", "C", "D"], lambda item: item.clip).people(9) == []
