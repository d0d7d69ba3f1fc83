"""Several models joined into one: the mean of their answers, names, and what cannot be joined."""

import json
import shutil

from signs import command
from signs.clips.dataset import load_dataset
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import predictions, stored_clips
from signs.inference.recogniser import Recogniser

import cv2
import numpy as np
import pytest

import ensemble
import evaluate
import train_linear
from conftest import TRAINING

pytestmark = pytest.mark.usefixtures("sketched", "eager")

SEES = [*TRAINING[:4], "--normalise", "--region", "middle", "--workers", "2"]


@pytest.fixture(scope="module")
def histogram(demo, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model") / "histogram"
    flags = ["--data", str(demo), "--output", str(folder), "--copies", "0", "--penalty", "3", *SEES]
    assert train_linear.main(flags) == command.DONE
    return folder


def joined(output, *models):
    return ensemble.main(["--model", *map(str, models), "--output", str(output)])


def test_the_answers_are_averaged(model, histogram, demo, tmp_path, capsys):
    assert joined(tmp_path / "joined", model, histogram) == command.DONE
    assert "flow-histogram: histogram on flow" in capsys.readouterr().out
    data = load_dataset(demo)
    clips = data.split("test", labelled=True)[:3]
    found = {
        folder: stored_clips.predict(Recogniser.load(folder, "keras"), data, clips, 4, 1)[0].streams
        for folder in (model, histogram, tmp_path / "joined")
    }
    whole = found[tmp_path / "joined"]
    assert list(whole) == ["rgb", "flow", "rgb-histogram", "flow-histogram", predictions.ALL]
    for name in ("rgb", "flow"):
        np.testing.assert_allclose(whole[name], found[model][name], atol=1e-5)
        np.testing.assert_allclose(whole[f"{name}-histogram"], found[histogram][name], atol=1e-5)
    np.testing.assert_allclose(
        whole[predictions.ALL], (found[model][predictions.BOTH] + found[histogram][predictions.BOTH]) / 2, atol=1e-5
    )


def test_each_goes_on_seeing_what_it_saw(histogram, demo, tmp_path):
    """Another number of frames, size and region: stored clips and videos, before it and after."""
    flags = [
        "--frames",
        "6",
        "--crop",
        "24/30",
        "--region",
        "body",
        "--stream",
        "flow",
        "--copies",
        "0",
        "--penalty",
        "3",
        "--workers",
        "2",
    ]
    other = tmp_path / "other"
    assert train_linear.main(["--data", str(demo), "--output", str(other), *flags]) == command.DONE
    assert joined(tmp_path / "joined", histogram, other) == command.DONE
    both, alone = (Recogniser.load(folder, "keras") for folder in (tmp_path / "joined", other))
    assert both.bundle.regions == {"middle", "body"} and alone.bundle.regions == {"body"}
    data = load_dataset(demo)
    item = data.split("test", labelled=True)[0]
    wanted, found = (stored_clips.logits(one, data, [item], 1, 1, "test")[1] for one in (alone, both))
    np.testing.assert_allclose(found["flow-histogram"], wanted["flow"], atol=1e-5)
    answer = both.answer(*read_video(item.video(demo)))
    for stream, rows in found.items():
        np.testing.assert_allclose(answer.logits[stream], rows[0], atol=1e-3)
    both.warm_up()
    threads = cv2.getNumThreads()
    assert evaluate.main(["--data", str(demo), "--model", str(tmp_path / "joined"), "--gallery", "1"]) == command.DONE
    cv2.setNumThreads(threads)
    page = (tmp_path / "joined" / "report" / "index.html").read_text()
    assert "movement (optical flow), histograms, cut to the body: 6 frames, 24 pixels" in page


def test_it_is_evaluated_like_any_other(histogram, demo, tmp_path, capsys):
    assert joined(tmp_path / "joined", histogram, histogram) == command.DONE
    threads = cv2.getNumThreads()
    flags = ["--data", str(demo), "--model", str(tmp_path / "joined"), "--split", "valid", "--gallery", "0"]
    assert evaluate.main(flags) == command.DONE
    cv2.setNumThreads(threads)
    assert "movement (optical flow), histograms" in capsys.readouterr().out
    page = (tmp_path / "joined" / "report" / "index.html").read_text()
    assert "all 4 together" in page and (tmp_path / "joined" / "confusion-valid-rgb-histogram.png").exists()


def test_a_third_of_a_name_gets_its_region_and_a_fourth_a_number(histogram, tmp_path, capsys):
    assert joined(tmp_path / "joined", histogram, histogram, histogram) == command.DONE
    assert "rgb-histogram-middle: histogram on rgb" in capsys.readouterr().out
    assert len(Recogniser.load(tmp_path / "joined", "keras").bundle.streams) == 6
    assert joined(tmp_path / "again", tmp_path / "joined", histogram) == command.DONE
    assert "rgb-histogram-2: histogram on rgb" in capsys.readouterr().out


def changed(folder, histogram, **values):
    """A copy whose bundle.json has something else in it: {"spec.input.frames": 9}."""
    shutil.copytree(histogram, folder)
    content = json.loads((folder / "bundle.json").read_text())
    for path, value in values.items():
        *outer, last = path.split("__")
        place = content
        for key in outer:
            place = place[key]
        place[last] = value
    (folder / "bundle.json").write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"spec__stored__short_side": 65}, r"stored in another way .*\(short_side\)"),
        ({"spec__stored__frames": "10fps", "spec__stored__flow__method": "dis"}, r"another way .*\(flow, frames\)"),
        ({"classes": [{"label": f"{number}", "name": "x"} for number in range(8)]}, "has other classes than"),
    ],
)
def test_what_does_not_belong_together_is_refused(histogram, tmp_path, values, said):
    with pytest.raises(Problem, match=said):
        joined(tmp_path / "joined", histogram, changed(tmp_path / "other", histogram, **values))
    assert not (tmp_path / "joined").exists()


def test_one_model_is_not_joined_and_none_is_overwritten(histogram, tmp_path):
    with pytest.raises(Problem, match="at least two models"):
        joined(tmp_path / "joined", histogram)
    with pytest.raises(Problem, match="is one of the models"):
        joined(histogram, histogram, histogram)
    (tmp_path / "run" / "checkpoint").mkdir(parents=True)
    with pytest.raises(Problem, match="holds a training"):
        joined(tmp_path / "run", histogram, histogram)
