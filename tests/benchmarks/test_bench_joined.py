"""bench_joined.py: stored answers of several models, averaged seed by seed."""

import json
from pathlib import Path

from signs.clips.dataset import Clip
from signs.command import Problem
from signs.inference.predictions import Predictions

import numpy as np
import pytest

import bench_joined


def answer(folder: Path, rows: list[tuple[str, str, float]], labels=("001", "002")) -> Path:
    """What evaluate.py would leave: of each clip its signer, its label and the probability of label 001."""
    clips = [Clip(f"c{number}", "test", label, signer) for number, (signer, label, _) in enumerate(rows)]
    shares = [[share, 1 - share] for _, _, share in rows]
    path = Predictions.path(folder, "test")
    path.parent.mkdir(parents=True)
    Predictions(clips, list(labels), {"rgb": np.array(shares)}).write(path)
    return folder


def run(capsys, *models: str, seeds=("0",)) -> dict:
    assert bench_joined.main(["--model", *models, "--seeds", *seeds]) == 0
    return json.loads(capsys.readouterr().out.splitlines()[-1])["models"]


def test_the_gain_of_each_model(tmp_path, capsys):
    """One is right of the first clip, the other of the second, surely enough to say so for both."""
    answer(tmp_path / "a-0", [("ann", "001", 0.9), ("bob", "002", 0.6)])
    answer(tmp_path / "a-1", [("ann", "001", 0.9), ("bob", "002", 0.7)])
    answer(tmp_path / "b", [("ann", "001", 0.4), ("bob", "002", 0.1)])
    found = run(capsys, f"a={tmp_path}/a-{{seed}}:rgb", f"b={tmp_path}/b:rgb", seeds=("0", "1"))
    assert found["a"]["mean"] == 0.5 and found["b"]["people"] == {"ann": 0.0, "bob": 1.0}
    assert found["all joined"]["mean"] == 1.0 and found["all joined"]["seeds"] == {"0": 1.0, "1": 1.0}
    assert found["a"]["gain"] == 0.5 and found["a"]["low"] <= 0.0 < 1.0 <= found["a"]["high"]
    weighted = run(capsys, f"a={tmp_path}/a-0:rgb", f"b={tmp_path}/b:rgb*0.1")
    assert weighted["all joined"]["mean"] == 0.5, "with a tenth of the weight b is not heard"


def test_three_models_and_what_each_brings(tmp_path, capsys):
    for name, share in (("a", 0.9), ("b", 0.9), ("c", 0.2)):
        answer(tmp_path / name, [("ann", "001", share), ("ann", "002", 1 - share)])
    found = run(capsys, *(f"{name}={tmp_path}/{name}:rgb" for name in "abc"))
    assert found["without c"]["mean"] == found["all joined"]["mean"] == 1.0 and found["c"]["gain"] == 1.0


def test_what_cannot_be_joined(tmp_path):
    a = answer(tmp_path / "a", [("ann", "001", 0.9)])
    b = answer(tmp_path / "b", [("ann", "001", 0.9), ("ann", "001", 0.9)])
    c = answer(tmp_path / "c", [("ann", "001", 0.9)], labels=("001", "003"))
    for models, said in (
        ([f"a={a}:rgb", f"b={b}:rgb"], "other clips .1 in one"),
        ([f"a={a}:rgb", f"c={c}:rgb"], "other labels"),
        ([f"a={a}:flow"], "no stream flow"),
        ([f"a={tmp_path}/none:rgb"], "no answers on test"),
        ([f"a={a}:rgb", f"a={b}:rgb"], "one name"),
    ):
        with pytest.raises(Problem, match=said):
            bench_joined.main(["--model", *models])
