"""The model that livedemo.py starts without --model: it names signs, and not what is none."""

import subprocess
import sys

from signs.clips.hands_alone import hands_alone
from signs.clips.no_sign import NOTHING
from signs.clips.points import Points
from signs.inference.recogniser import Recogniser
from signs.inference.recording import Recorded
from signs.inference.sign_loops import loops_of
from signs.inference.timing import Timings
from signs.live import model_choice
from signs.training import pauses

import numpy as np
import pytest

import fake_recogniser
import livedemo
import scene
import starter_movements
import tiny


@pytest.fixture(scope="module")
def recogniser() -> Recogniser:
    return Recogniser.load(model_choice.STARTER)


def answer(recogniser: Recogniser, points: Points):
    return recogniser.recognise(
        Recorded({"rgb": np.zeros((1, 8, 8, 3), np.uint8), "landmark": points}, None, {}, []), Timings()
    )


def test_it_is_small_and_has_its_card():
    size = sum(path.stat().st_size for path in model_choice.STARTER.rglob("*") if path.is_file())
    assert size < 2_000_000
    card = (model_choice.STARTER / "README.md").read_text(encoding="utf-8")
    assert "Apache License 2.0" in card and "Tachionstrahl/SignLanguageRecognition" in card and "not known" in card


def test_each_signs_own_loop_is_named(recogniser):
    loops = loops_of(recogniser.bundle)
    assert len(loops) == 30 and {*loops} == {row.label for row in recogniser.classes if row.kind == "gesture"}
    answers = {label: answer(recogniser, points) for label, points in loops.items()}
    assert sum(label == given.ranked[0][0] and given.known for label, given in answers.items()) >= 25


def test_pauses_are_no_sign(recogniser):
    given = []
    for number, points in enumerate(loops_of(recogniser.bundle).values()):
        for _, pause in pauses.pauses_of(starter_movements.with_arms(points), np.random.default_rng([9, number])):
            found = answer(recogniser, pause)
            given.append(found.known and found.ranked[0][0] != NOTHING)
    assert len(given) > 100 and np.mean(given) < 0.15


def test_nobody_is_no_sign(recogniser):
    points = next(iter(loops_of(recogniser.bundle).values()))
    points.hands[:] = np.nan
    assert len(hands_alone(points).times) == 1
    assert answer(recogniser, points).ranked[0][0] == NOTHING


def test_it_loads_without_tensorflow():
    code = "import sys; sys.modules.update(tensorflow=None, keras=None); from pathlib import Path\n"
    code += "from signs.inference.recogniser import Recogniser; print(Recogniser.load(Path(sys.argv[1])).runtime)"
    run = [sys.executable, "-c", code, str(model_choice.STARTER)]
    done = subprocess.run(run, capture_output=True, text=True, cwd=tiny.REPOSITORY, check=False)
    assert (done.returncode, done.stdout) == (0, "openvino\n"), done.stderr


def test_the_live_demo_starts_it_without_a_model(tmp_path, capsys):
    scene.real_networks()
    video = fake_recogniser.write_video(tmp_path / "clip.avi")
    assert livedemo.main(["--no-window", "--video", str(video)]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[0].startswith("no --model: this is the starter, which knows 30 signs of German Sign Language")
    assert out[1].split("  ")[:2] == ["1", "no sign I know"]
