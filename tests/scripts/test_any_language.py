"""Labels, signers and files in any language, from a table of videos to the page, the prediction and the window."""

import csv
import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import load_dataset
from signs.clips.video import read_video
from signs.evaluation import paper_figures
from signs.inference.bundle import load_bundle
from signs.live import lettering
from signs.live.layout import lay_out

import cv2
import pytest

import browser
import conftest
import evaluate
import fake_recogniser
import frame
import livedemo
import opticalflow
import paper_report
import predict
import prepare_videos
import tiny
import train_linear

LABELS = ["über", "Tschüß", "niño", "ağabey", "ありがとう", "don't want", "thank you / thanks", "مرحبا", "नमस्ते"]
LABELS += ["Go", "go", "con"]
SIGNERS = {"train": "Zoë", "valid": "علي"}
LONG = "長" * 82  # as long as a file's name may be: 250 bytes with its suffix
CLIPS = [("train", "A"), ("train", "a"), ("valid", "1CM1_3_R_#226")]


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> tuple[Path, Path]:
    """A data set and a model, by the scripts themselves."""
    top = tmp_path_factory.mktemp("sprachen, ñ ")
    data, model = top / "données", top / "مودل"
    rows = []
    for number, label in enumerate(LABELS):
        for take, (split, name) in enumerate(CLIPS):
            name = LONG if (label, split) == ("niño", "valid") else name
            video = f"vidéos/{number} {split}/{name}.avi"
            tiny.write_video(top / video, tiny.moving(8, 36, 48, seed=7 * number + take))
            rows.append({"video": video, "label": label, "signer": SIGNERS[split], "split": split})
    dataset.write_table(top / "table.csv", rows, list(rows[0]))
    one = ["--data", str(data), "--workers", "1"]
    assert prepare_videos.main(["--videos", str(top / "table.csv"), "--output", str(data), "--workers", "1"]) == 0
    assert frame.main([*one, "--frames", "8", "--short-side", "32"]) == 0
    assert opticalflow.main(one) == 0
    sees = ["--frames", "8", "--crop", "32", "--copies", "1", "--penalty", "10", "--region", "middle"]
    with conftest.without_graphs(), conftest.sketches(drawn=True):
        assert train_linear.main([*one, "--output", str(model), *sees]) == 0
        assert evaluate.main([*one, "--model", str(model), "--split", "valid", "--gallery", "1"]) == 0
    return data, model


def test_the_tables_have_the_true_names_and_the_discs_are_safe(made):
    data, model = made
    found = load_dataset(data)
    assert sorted(row.label for row in found.classes) == sorted(LABELS)
    assert {item.signer for item in found.clips} == set(SIGNERS.values()) and len(found.clips) == 3 * len(LABELS)
    assert any(item.clip.endswith("1CM1_3_R_#226") for item in found.clips)
    assert [row.label for row in load_bundle(model).classes] == [row.label for row in found.classes]
    with open(model / "predictions-valid.csv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["label"] for row in rows} == set(LABELS) and {f"p_{label}" for label in LABELS} < rows[0].keys()
    assert {row["clip"] for row in rows} == {item.clip for item in found.split("valid")}
    paths = [path.relative_to(data).as_posix() for path in data.rglob("*")]
    assert len({path.casefold() for path in paths}) == len(paths), "no two are one where case is not told apart"
    for name in {name for path in paths for name in path.split("/")}:
        assert len(name.encode()) < 200 and not set(name) & set('<>:"\\|?*')
    assert (data / "video" / "train" / "Tschüß").is_dir() and not list(data.rglob("con"))


def test_a_second_run_finds_everything(made, capsys):
    data, _ = made
    table = data.parent / "table.csv"
    assert prepare_videos.main(["--videos", str(table), "--output", str(data), "--workers", "1"]) == 0
    assert f"nothing to do: all {3 * len(LABELS)} videos were already there" in capsys.readouterr().out
    assert frame.main(["--data", str(data), "--frames", "8", "--short-side", "32", "--workers", "1"]) == 0
    assert f"{3 * len(LABELS)} of {3 * len(LABELS)} clips are there already" in capsys.readouterr().out


def test_the_page_shows_them(made, tmp_path):
    page = made[1] / "report" / "index.html"
    text = page.read_text(encoding="utf-8")
    for name in ("Tschüß", "ありがとう", "don&#39;t want", "<bdi>مرحبا</bdi>", "<bdi>علي</bdi>", "1CM1_3_R_#226"):
        assert name in text
    if browser.CHROMIUM:
        pictures, missing, *_ = browser.look(page, 1000, tmp_path)
        assert pictures > 9 and not missing, "loops of clips called #226 too"


def test_the_papers_figures_find_the_clips(made, monkeypatch):
    """A table of predictions has names alone; `go` lies beside `Go`."""
    data, model = made
    shown = []
    monkeypatch.setattr(paper_report, "PAIRS", 99)
    monkeypatch.setattr(
        paper_figures, "write_figure4", lambda parts, title, path: shown.extend(sum(parts.values(), []))
    )
    with conftest.sketches():
        assert paper_report.main(["--model", str(model), "--data", str(data)]) == 0
    assert "go" in {name for row in shown for name in row.names}
    assert all(frames.shape[1:] == (32, 43, 3) for row in shown for frames in row.frames if frames is not None)


def test_a_prediction_and_a_demo_without_window_name_them(made, capsys):
    data, model = made
    video = str(next((data / "video" / "valid" / "ありがとう").iterdir()))
    assert predict.main(["--model", str(model), "--json", video]) == 0
    line = capsys.readouterr().out
    assert json.loads(line)["clip"] == video and json.loads(line)["label"] in LABELS and line.isascii()
    assert predict.main(["--model", str(model), "--top", "12", video]) == 0
    said = capsys.readouterr().out
    assert all(label in said for label in LABELS)
    assert livedemo.main(["--model", str(model), "--video", video, "--no-window"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split("  ")[1] in LABELS


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_terminal_that_has_not_their_letters_shows_question_marks(made, tmp_path, encoding):
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    table = made[0].parent / "table.csv"
    line = [sys.executable, tiny.REPOSITORY / "prepare_videos.py", "--videos", table, "--output", tmp_path / "d"]
    done = subprocess.run([*line, "--workers", "1"], env=environment, capture_output=True)
    assert done.returncode == 0 and b"Traceback" not in done.stderr and b"?" in done.stdout
    assert len(load_dataset(tmp_path / "d").clips) == 3 * len(LABELS)


def test_the_one_of_two_like_names_that_is_left_has_the_plain_one(tmp_path, capsys):
    """And its video is not made anew when the other comes back."""
    for number in range(2):
        tiny.write_video(tmp_path / "in" / f"{number}.avi", tiny.moving(8, 36, 48, seed=number))
    rows = [{"video": f"in/{number}.avi", "label": label} for number, label in enumerate(("Go", "go"))]
    dataset.write_table(tmp_path / "t.csv", rows, ["video", "label"])
    flags = [
        "--videos",
        str(tmp_path / "t.csv"),
        "--output",
        str(tmp_path / "d"),
        "--workers",
        "1",
        "--shares",
        "0",
        "0",
    ]
    shutil.move(tmp_path / "in" / "0.avi", tmp_path)
    assert prepare_videos.main(flags) == command.PARTLY
    assert (tmp_path / "d/video/train/go/1.avi").is_file()
    shutil.move(tmp_path / "0.avi", tmp_path / "in")
    capsys.readouterr()
    assert prepare_videos.main(flags) == command.DONE
    assert "1 video written, 1 was already there" in capsys.readouterr().out
    paths = [item.video(tmp_path / "d") for item in load_dataset(tmp_path / "d").clips]
    assert paths[0] == tmp_path / "d/video/train/Go/0.avi" and all(path.is_file() for path in paths)
    assert paths[1].parent.name.startswith("go~") and not (tmp_path / "d/video/train/go/1.avi").exists()


def test_the_real_window_shows_them(display, tmp_path):
    """The surest name, in Devanagari, stands in the window's record as Pillow sets it."""
    names = ["مرحبا", "नमस्ते", "ありがとう"]
    if not all(map(lettering.can_draw, names)):
        pytest.skip("no font here has Arabic and Devanagari: fonts-noto-core has them")
    video = fake_recogniser.write_video(tmp_path / "clip.avi")
    run = f"""import sys
sys.path[:0] = [{str(tiny.REPOSITORY)!r}, {str(tiny.REPOSITORY / "tests")!r}]
sys.argv[0] = "livedemo.py"
import fake_recogniser
from signs.clips.dataset import Label
fake_recogniser.Recogniser.classes = [Label(f"00{{n}}", name) for n, name in enumerate({names!r}, 1)]
sys.modules["signs.inference.recogniser"] = fake_recogniser
import livedemo; from signs import command
sys.exit(command.run(livedemo.main))
"""
    flags = ["--model", tmp_path, "--video", video, "--countdown", "0.2", "--seconds", "1"]
    with tiny.window(display, "-c", run, *flags, "--record", tmp_path / "session.avi") as (process, tell):
        time.sleep(1)
        tell("key", "space")
        assert process.stdout.readline().startswith("recorded 11 frames")
        time.sleep(1)
        tell("key", "q")
        assert process.communicate(timeout=60)[1] == "" and process.returncode == 0
    shown = cv2.cvtColor(read_video(tmp_path / "session.avi")[0][-1], cv2.COLOR_RGB2GRAY)
    ((font, part),) = lettering.lay_out(names[1])
    unit = lay_out(shown.shape[1::-1], (3, 4)).unit
    name, *_ = lettering.picture_of(font, part, round(23 * unit), True)
    assert cv2.matchTemplate(shown, name, cv2.TM_CCOEFF_NORMED).max() > 0.9
