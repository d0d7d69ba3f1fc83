"""Videos in, frame archives out: what a video may be, and a run that is stopped, repeated, or meets a bad clip."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, load_dataset, save_dataset
from signs.clips.video import read_video
from signs.command import Problem

import numpy as np
import pytest

import frame
import tiny

FLAGS = ["--frames", "6", "--short-side", "32", "--workers", "1"]
STORE = "frame-6x32"


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    return tiny.data_set(tmp_path_factory.mktemp("prepared")).folder


@pytest.fixture(scope="module")
def unbroken(prepared, tmp_path_factory) -> dict[str, bytes]:
    """The store of a run that nothing disturbed."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("unbroken") / "data")
    assert frame.main(["--data", str(folder), *FLAGS]) == command.DONE
    return tiny.contents(folder / STORE)


@pytest.fixture
def data(prepared, tmp_path) -> Path:
    return shutil.copytree(prepared, tmp_path / "data")


def run(data: Path, *more: str) -> int:
    return command.run(lambda: frame.main(["--data", str(data), *FLAGS, *more]))


def test_archives_of_a_data_set(data, unbroken, capsys):
    assert run(data) == command.DONE
    assert "6 clips, 36 frames" in capsys.readouterr().out
    clips = load_dataset(data).clips
    assert set(unbroken) == {f"{item.folder}/{item.clip}.zip" for item in clips} and len(unbroken) == 6
    assert "test/_unlabelled/c_2.zip" in unbroken
    for item in clips:
        video, times = read_video(item.video(data), 32)
        read = storage.read_archive(item.archive(data, STORE))
        kept = [0, 2, 4, 7, 9, 11]
        assert np.array_equal(read.images, storage.as_stored(video[kept], 95))
        assert read.info["times"] == [round(float(times[index]), 6) for index in kept]
        assert (read.info["source"], read.info["sha256"]) == (item.source, item.sha256)
        assert read.info["stored"]["frames"] == "6" and read.info["stored"]["flow"] is None


@pytest.mark.parametrize("reader", [None, {"signs": 0, "ffmpeg": "1.0"}])
def test_what_another_reader_made_is_made_again(data, unbroken, reader, capsys):
    """OpenCV read the videos once, and said nothing of itself in clip.json."""
    assert run(data) == command.DONE
    path = data / STORE / "train" / "001" / "a_1.zip"
    archive = storage.read_archive(path)
    older = {key: value for key, value in archive.info.items() if key != "reader"} | (
        {"reader": reader} if reader else {}
    )
    storage.write_archive(path, archive.images[::-1], older)
    capsys.readouterr()
    assert run(data) == command.DONE
    assert "1 of 6 clips was read by another version than FFmpeg" in capsys.readouterr().out
    assert tiny.contents(data / STORE) == unbroken


def test_what_is_odd_about_a_video_is_said_by_every_run_and_kept(data, capsys):
    item = load_dataset(data).clips[0]
    video = tiny.write_video(item.video(data), tiny.moving(1)[[0] * 12])
    rows = [replace(each, sha256=command.sha256(video)) if each == item else each for each in load_dataset(data).clips]
    save_dataset(Dataset(data, rows, load_dataset(data).classes))
    for _ in range(2):
        assert run(data) == command.DONE
        assert capsys.readouterr().out.count("  one picture from start to end: train/001/a_1\n") == 1
    assert storage.read_archive(item.archive(data, STORE)).info["notes"] == ["one picture from start to end"]


def test_any_number_of_processes_gives_the_same_bytes(data, unbroken):
    assert run(data, "--workers", "2") == command.DONE
    assert tiny.contents(data / STORE) == unbroken


def test_bad_clips_are_named_and_the_rest_is_done(data, unbroken, capsys):
    clips = {item.clip: item for item in load_dataset(data).clips}
    half = clips["a_2"].video(data)
    whole = half.read_bytes()
    half.write_bytes(whole[: len(whole) // 2])
    clips["b_1"].video(data).unlink()
    assert run(data) == command.PARTLY
    err = capsys.readouterr().err
    assert "train/002/a_2: " in err and "its content is not the one in clips.csv" in err
    assert "valid/002/b_1: " in err and "b_1.avi: no such file" in err
    assert "2 not done (named above), 4 done" in err and "Traceback" not in err
    bad = {"train/002/a_2.zip", "valid/002/b_1.zip"}
    assert tiny.contents(data / STORE) == {name: value for name, value in unbroken.items() if name not in bad}

    tiny.write_video(clips["b_1"].video(data), tiny.moving(seed=3))  # the same video again
    half.write_bytes(whole)
    before = tiny.times(data / STORE)
    assert run(data) == command.DONE and tiny.contents(data / STORE) == unbroken
    assert "4 of 6 clips are there already" in capsys.readouterr().out
    assert before.items() <= tiny.times(data / STORE).items()


def test_a_part_that_the_data_has_not(data, capsys):
    assert run(data, "--part", "depth") == command.NOTHING
    assert "no folder depth in it; prepare_chalearn2014.py" in capsys.readouterr().err


def test_a_part_of_some_clips(data, unbroken, capsys):
    one = load_dataset(data).clips[0]
    tiny.write_video(one.video(data, "depth"), tiny.moving(seed=9))
    assert run(data, "--part", "depth") == command.DONE, "a clip without depth is no failure"
    said = capsys.readouterr()
    assert "5 of 6 clips have no depth" in said.out and "not done" not in said.err
    assert run(data, "--part", "depth", "--split", "valid") == command.NOTHING
    assert "none of 1 clip has depth" in capsys.readouterr().err
    assert list(tiny.contents(data / f"{STORE}-depth")) == ["train/001/a_1.zip"]
    assert tiny.contents(data / f"{STORE}-depth")["train/001/a_1.zip"] != unbroken["train/001/a_1.zip"]
    assert not (data / STORE).exists()


def test_depth_that_is_lost_is_a_failure(data, capsys):
    one, two = load_dataset(data).clips[:2]
    tiny.write_video(one.video(data, "depth"), tiny.moving(seed=9))
    path = two.video(data, "depth")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(data / "nowhere.avi")
    assert run(data, "--part", "depth") == command.PARTLY
    said = capsys.readouterr()
    assert "4 of 6 clips have no depth" in said.out and "1 not done" in said.err and two.clip in said.err


def test_no_clip_is_done(data, capsys):
    shutil.rmtree(data / "video")
    assert run(data) == command.NOTHING
    assert "6 not done (named above), 0 done" in capsys.readouterr().err
    assert tiny.contents(data / STORE) == {}


def test_a_truncated_video_is_named_without_a_hash_too(data, capsys):
    loaded = load_dataset(data)
    rows = [Clip(item.clip, item.split, item.label, source=item.source) for item in loaded.clips]
    save_dataset(Dataset(data, rows, loaded.classes))
    video = rows[0].video(data)
    video.write_bytes(video.read_bytes()[: video.stat().st_size // 2])
    assert run(data) == command.PARTLY
    assert "a_1.avi: stops after" in capsys.readouterr().err


def test_a_second_run_writes_nothing(data, capsys):
    assert run(data) == command.DONE
    before, bytes_before = tiny.times(data / STORE), tiny.contents(data / STORE)
    capsys.readouterr()
    assert run(data) == command.DONE
    assert tiny.times(data / STORE) == before and tiny.contents(data / STORE) == bytes_before
    said = capsys.readouterr().out
    assert "6 of 6 clips are there already" in said and "0 clips, 0 frames" in said


def test_other_parameters_go_to_another_store(data, unbroken):
    assert run(data) == command.DONE
    for more, store, count in (
        (["--frames", "10fps"], "frame-10fpsx32", 12),
        (["--quality", "60"], "frame-6x32-q60", 6),
        (["--short-side", "24"], "frame-6x24", 6),
    ):
        assert run(data, *more, "--split", "valid") == command.DONE
        assert list(tiny.contents(data / store)) == ["valid/002/b_1.zip"]
        assert len(storage.read_archive(data / store / "valid/002/b_1.zip").images) == count
    assert tiny.contents(data / STORE) == unbroken


@pytest.mark.parametrize("damage", ["cut", "other video", "other format", "no clip.json", "wrong header"])
def test_an_archive_that_is_not_what_it_should_be_is_redone(data, unbroken, damage):
    assert run(data) == command.DONE
    path = data / STORE / "train/001/a_1.zip"
    whole = bytearray(path.read_bytes())
    if damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "wrong header":
        whole[whole.index(b"PK\x01\x02") + 10] ^= 0x40  # a compression that nobody knows
        path.write_bytes(whole)
    else:
        info = json.loads(unbroken_json(path))
        info.update({"other video": {"sha256": "00"}, "other format": {"format": 0}}.get(damage, {}))
        with zipfile.ZipFile(path, "w") as archive:
            if damage != "no clip.json":
                archive.writestr("clip.json", json.dumps(info))
    before = tiny.times(data / STORE)
    assert run(data) == command.DONE
    assert tiny.contents(data / STORE) == unbroken
    assert {name for name, time in tiny.times(data / STORE).items() if time != before[name]} == {"a_1.zip"}


def unbroken_json(path: Path) -> bytes:
    with zipfile.ZipFile(path) as archive:
        return archive.read("clip.json")


@pytest.mark.parametrize("moment", tiny.KILL)
def test_killed_and_started_again(data, unbroken, moment):
    tiny.kill_script(moment, "frame.py", "--data", data, *FLAGS[:4])
    left = tiny.contents(data / STORE)
    assert len([name for name in left if ".part" not in name]) == 2 and len(left) == 3, "killed in the third clip"
    assert left.items() & unbroken.items() == {(name, left[name]) for name in left if ".part" not in name}
    before = tiny.times(data / STORE)
    assert run(data) == command.DONE
    assert tiny.contents(data / STORE) == unbroken
    kept = {name for name in before if ".part" not in name}
    assert all(tiny.times(data / STORE)[name] == before[name] for name in kept)


def test_two_runs_at_once(data, capsys):
    with command.lock(data / STORE):
        done = tiny.script("frame.py", "--data", data, *FLAGS)
        assert done.returncode == command.NOTHING
        assert "frame.py: " in done.stderr and "another run is writing there" in done.stderr
        assert done.stderr.count("\n") == 1 and tiny.contents(data / STORE) == {}
        assert run(data, "--quality", "60") == command.DONE, "another store is free"
    assert run(data) == command.DONE


@pytest.mark.parametrize(
    ("flags", "said"),
    [(["--data", "nowhere"], "nowhere: no such folder"), (["--frames", "many"], "frames 'many'; expected a number")],
)
def test_what_is_wrong_is_one_line(data, capsys, flags, said):
    assert run(data, *flags) == command.NOTHING
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert sorted(path.name for path in data.iterdir()) == ["class.csv", "clips.csv", "video"]


def test_importing_video_modules_brings_no_network():
    code = "import frame, opticalflow, sys; sys.exit(bool({'tensorflow', 'keras'} & set(sys.modules)))"
    assert tiny.python("-c", code, PYTHONPATH=str(tiny.REPOSITORY)).returncode == 0


@pytest.mark.parametrize("flag, number", [("--short-side", "0"), ("--quality", "101"), ("--quality", "good")])
def test_refuses_numbers_that_make_no_store(tmp_path, flag, number):
    with pytest.raises(Problem, match=f"^{flag} .*{number}"):
        frame.main(["--data", str(tmp_path), flag, number])
