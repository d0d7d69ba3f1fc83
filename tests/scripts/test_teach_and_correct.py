"""From videos to an answer in a real window, with MediaPipe's networks: teach, recognise, correct, learn, go back."""

import importlib
import time
from pathlib import Path

from signs import command
from signs.clips.video import read_video
from signs.clips.video_writer import VideoWriter
from signs.evaluation.before_after import read_right
from signs.inference.bundle import load_bundle

import pytest

import learn
import predict
import scene
import tiny

SIGNS = ("back", "come", "no")


def write_take(shared, name: str, path: Path) -> None:
    """A real take at half its rate, which takes half as long to look at."""
    frames, times = read_video(shared("clips/gestures/S1/dynamic_videos") / name)
    writer = VideoWriter()
    for frame, seconds in zip(frames[::2], times[::2], strict=True):
        writer.add(frame, seconds)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(writer.finish())


@pytest.fixture
def my_signs(tmp_path, shared) -> Path:
    for sign in SIGNS:
        for take, name in enumerate((f"{sign}_1_1m_upper.avi", f"{sign}_2_4m_full.avi")):
            write_take(shared, name, tmp_path / "my_signs" / sign / f"{take}.mp4")
    write_take(shared, "come_3_6m_full.avi", tmp_path / "new.mp4")
    return tmp_path / "my_signs"


def run_here(script: str, *flags, shown: bool = False) -> int:
    """In this process, which has Keras already; test_whole_way.py has learn.py start them in their own."""
    return importlib.import_module(Path(script).stem).main([*map(str, flags)])


def test_teach_correct_learn_and_go_back(my_signs, tmp_path, display, monkeypatch, capfd):
    scene.real_networks()
    monkeypatch.setattr(learn, "run", run_here)
    data, model = tmp_path / "data", tmp_path / "mine"
    flags = ["--videos", str(my_signs), "--data", str(data), "--model", str(model), "--workers", "1"]
    assert command.run(lambda: learn.main(flags)) == command.DONE
    out = capfd.readouterr().out
    assert "6 takes of 3 signs" in out and f"livedemo.py --model {model} --keep {my_signs}" in out
    assert (model / "export.json").is_file() and len(list((model / "loops").glob("*.zip"))) == 3
    assert predict.main(["--model", str(model), str(tmp_path / "new.mp4")]) == command.DONE
    assert "come" in capfd.readouterr().out.splitlines()[1], "a take that it has not seen"

    shown = ["--model", str(model), "--video", str(tmp_path / "new.mp4"), "--keep", str(my_signs)]
    answers = tmp_path / "answers.csv"
    script = [tiny.REPOSITORY / "livedemo.py", *shown, "--countdown", "0.2", "--answers", str(answers)]
    with tiny.window(display, *map(str, script)) as (process, tell):
        until = time.monotonic() + 300
        while not answers.exists() and time.monotonic() < until:  # the networks come later than the picture
            tell("key", "space")
            time.sleep(1)
        while not (kept := kept_in(my_signs)) and time.monotonic() < until:
            for key in ("n", "w", "Return"):  # a busy window hears only the last of the keys that came meanwhile
                tell("key", key)
                time.sleep(1.2)
        tell("key", "q")
        out, error = process.communicate(timeout=60)
    assert process.returncode == 0 and f"1 sign kept in {my_signs}" in out, error
    name, (frames, _) = kept[0].parent.name, read_video(kept[0])
    assert len(frames) == len(read_video(tmp_path / "new.mp4")[0]), "all that was answered"

    monkeypatch.setattr(learn, "run", lambda script, *more, **_: script == "export.py" or run_here(script, *more))
    assert command.run(lambda: learn.main(flags)) in (command.DONE, command.PARTLY)
    out = capfd.readouterr().out
    assert "6 takes that the model before had too: " in out and "7 takes of 4 signs" in out
    assert "1 answer that you corrected: " in out
    assert any(kept[0].stem in clip for clip, _ in read_right(model)["known"]) and knows(model, name)
    assert command.run(lambda: learn.main(["--model", str(model), "--back"])) == command.DONE
    assert not knows(model, name) and knows(model.with_name("mine.before"), name)


def kept_in(my_signs: Path) -> list[Path]:
    """What was kept under a new name, of the letters that the window heard: `w`, if all goes quickly."""
    return [path for path in my_signs.rglob("live_corrected_*.mp4") if path.parent.name not in SIGNS]


def knows(model: Path, sign: str) -> bool:
    return sign in [row.name for row in load_bundle(model).classes]
