"""predict.py: its lines of JSON and text, bad files among good ones, and the same answer as from the archives."""

import json
import shutil
import sys

from signs import command
from signs.clips.dataset import load_dataset
from signs.clips.video import read_video
from signs.inference import stored_clips

import pytest

import livedemo
import predict
import tiny


@pytest.fixture
def clips(demo) -> list:
    data = load_dataset(demo)
    return [item.video(demo) for item in data.split("test")[:2]]


def run(model, *argv) -> int:
    return predict.main(["--model", str(model), *map(str, argv)])


def test_a_line_of_json_a_clip(clips, copied, loaded, capsys):
    assert run(copied, "--json", "--top", 3, *clips) == command.DONE
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["clip"] for line in lines] == [str(path) for path in clips]
    for line in lines:
        found = json.loads(line)
        answer = ["clip", "label", "probability", "top", "streams", "seconds", "known", "notes"]
        assert list(found) == answer and found["notes"] == []
        assert found["top"][0] == [found["label"], found["probability"]] and len(found["top"]) == 3
        assert set(found["streams"]) == {"rgb", "flow"} and all(len(top) == 3 for top in found["streams"].values())
        assert all(label in loaded.labels and 0 <= part <= 1 for label, part in found["top"])
        assert set(found["seconds"]) == {"frames", "flow", "rgb net", "flow net"}


def test_text_for_people_names_the_signs(clips, copied, loaded, capsys):
    assert run(copied, clips[0]) == command.DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == str(clips[0]) and len(lines) == 7
    assert any(loaded.name(label) in lines[1] and label in lines[1] for label in loaded.labels)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_a_name_that_would_move_the_cursor(clips, copied, loaded, tmp_path, capsys):
    shutil.copy(clips[0], tmp_path / "a\nb\x1b[2J.avi")
    assert run(copied, tmp_path / "a\nb\x1b[2J.avi") == command.DONE
    assert capsys.readouterr().out.splitlines()[0] == f"{tmp_path}/a\\nb\\x1b[2J.avi"


def test_a_bad_file_among_good_ones(clips, copied, loaded, tmp_path, capsys):
    text, cut = tmp_path / "text.avi", tmp_path / "cut.avi"
    text.write_text("version https://git-lfs.github.com/spec/v1\n")
    cut.write_bytes(clips[0].read_bytes()[:3000])
    bad = [text, cut, tmp_path / "none.avi"]
    assert run(copied, "--json", bad[0], clips[0], *bad[1:], clips[1]) == command.PARTLY
    said = capsys.readouterr()
    assert [json.loads(line)["clip"] for line in said.out.splitlines()] == [str(path) for path in clips]
    assert all(sum(line.strip().startswith(str(path)) for line in said.err.splitlines()) == 1 for path in bad)
    assert "a text file, not a video" in said.err and "no such file" in said.err and "3 not done" in said.err
    assert run(copied, "--json", *bad) == command.NOTHING
    assert capsys.readouterr().out == ""


def test_the_archive_and_the_file_give_the_same_probabilities(demo, copied, loaded, capsys):
    data = load_dataset(demo)
    some = data.split("test")[:3]
    assert run(copied, "--json", "--top", 8, *(item.video(demo) for item in some)) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    expected, _ = stored_clips.predict(loaded, data, some, batch=3, workers=1)
    for position, answer in enumerate(answers):
        for stream, top in {"both": answer["top"], **answer["streams"]}.items():
            row = dict(zip(loaded.labels, expected.streams[stream][position], strict=True))
            assert dict(top) == pytest.approx(row, abs=1e-5)


def test_the_live_demo_gives_the_same_answer(clips, copied, loaded, capsys):
    answer = loaded.answer(*read_video(clips[0]))
    assert livedemo.main(["--model", str(copied), "--no-window", "--video", str(clips[0]), "--seconds", "30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    for place, (label, part) in enumerate(answer.ranked[:3], 1):
        (line,) = [line for line in lines if line.startswith(f"{place}  ")]
        assert loaded.name(label) in line and line.endswith(f"{part:.1%}")


def test_the_script_itself(clips, model, tmp_path):
    """Nothing but the answer on the standard output, nothing at all beside it."""
    shutil.copy(clips[0], tmp_path / "some clip.avi")
    done = tiny.script("predict.py", "--model", model, "--json", tmp_path / "some clip.avi")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["clip"] == str(tmp_path / "some clip.avi")
    gone = tiny.script("predict.py", "--model", tmp_path / "none", clips[0])
    assert gone.returncode == 2 and gone.stderr.count("\n") == 1 and "no such folder; train a model" in gone.stderr
