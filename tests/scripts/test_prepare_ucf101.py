"""prepare_ucf101.py on a small UCF-101: four actions, six groups of two clips each, the lists as they are shipped."""

import errno
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset, load_dataset
from signs.prepare import archive
from signs.prepare.archive import Foreign

import pytest

import prepare_ucf101
import tiny

# The third has another spelling in its file names, as in UCF-101 itself.
ACTIONS = {
    "ApplyEyeMakeup": "ApplyEyeMakeup",
    "Archery": "Archery",
    "HandstandPushups": "HandStandPushups",
    "YoYo": "YoYo",
}
TESTED = {1: ("g01", "g02"), 2: ("g03", "g04")}
RAR = b"Rar!\x1a\x07\x01\x00" + bytes(200)


def names(groups: set[str]) -> list[str]:
    return [
        f"{action}/v_{inside}_{group}_c{clip:02d}.avi"
        for action, inside in ACTIONS.items()
        for group in sorted(groups)
        for clip in (1, 2)
    ]


GROUPS = {f"g{number:02d}" for number in range(1, 7)}


def write_lists(folder: Path) -> None:
    """classInd.txt and the lists of two splits, their lines ended as on Windows."""
    numbers = {action: number for number, action in enumerate(ACTIONS, 1)}
    folder.mkdir(parents=True)
    lines = {"classInd.txt": [f"{number} {action}" for action, number in numbers.items()]}
    for official, tested in TESTED.items():
        lines[f"testlist{official:02d}.txt"] = names(set(tested))
        trained = names(GROUPS - set(tested))
        lines[f"trainlist{official:02d}.txt"] = [f"{name} {numbers[name.split('/')[0]]}" for name in trained]
    for name, rows in lines.items():
        (folder / name).write_bytes("".join(f"{row}\r\n" for row in rows).encode())


@pytest.fixture
def download(tmp_path: Path) -> Path:
    folder = tmp_path / "_download"
    write_lists(folder / "ucfTrainTestlist")
    for seed, name in enumerate(names(GROUPS)):
        path = folder / "UCF101" / "UCF-101" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny.avi(seed))
    return folder


def video(download: Path, number: int = 0) -> Path:
    return download / "UCF101" / "UCF-101" / names(GROUPS)[number]


def prepare(download: Path, *more: str) -> int:
    argv = ["--download", str(download), "--output", str(download.parent / "made"), "--workers", "1"]
    return command.run(lambda: prepare_ucf101.main([*argv, "--valid-groups", "1", *more]))


def made(download: Path) -> Dataset:
    return load_dataset(download.parent / "made")


def groups(data: Dataset, split: str) -> set[str]:
    return {clip.group for clip in data.split(split)}


def append(download: Path, name: str, row: str) -> None:
    with open(download / "ucfTrainTestlist" / name, "a") as file:
        file.write(row + "\n")


def failing(download: Path, capsys, code: int, *more: str) -> str:
    """Run, expect this exit code, and return what was said on stderr: never a traceback, no temporary file left."""
    capsys.readouterr()
    assert prepare(download, *more) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.strip()
    assert not list(download.parent.rglob(".*.part*"))
    return said


def test_everything(download, capsys):
    assert prepare(download) == command.DONE
    data = made(download)
    assert {split: len(data.split(split)) for split in dataset.SPLITS} == {"train": 24, "valid": 8, "test": 16}
    assert [(row.label, row.name, row.kind) for row in data.classes][2:] == [
        ("003", "HandstandPushups", "gesture"),
        ("004", "YoYo", "gesture"),
    ]
    first = data.split("test")[0]
    assert (first.clip, first.label, first.group) == ("v_ApplyEyeMakeup_g01_c01", "001", "ApplyEyeMakeup_g01")
    assert first.source == "ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi" and not first.signer
    assert "v_HandStandPushups_g01_c02" in {clip.clip for clip in data.split("test")}
    for clip in data.clips:
        assert command.sha256(clip.video(data.folder)) == clip.sha256
        assert clip.video(data.folder).read_bytes() == (download / "UCF101/UCF-101" / clip.source).read_bytes()
    assert "48 videos written" in capsys.readouterr().out


@pytest.mark.parametrize("official", TESTED)
def test_groups_are_whole_and_the_test_list_is_the_official_one(download, official):
    assert prepare(download, "--official-split", str(official)) == command.DONE
    data = made(download)
    assert {clip.source for clip in data.split("test")} == set(names(set(TESTED[official])))
    parts = [groups(data, split) for split in dataset.SPLITS]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 24
    assert set(Counter(clip.group for clip in data.clips).values()) == {2}
    for split, each in (("train", 6), ("valid", 2), ("test", 4)):
        assert data.count()[split] == dict.fromkeys(("001", "002", "003", "004"), each)


def test_another_split_moves_the_videos(download, capsys):
    prepare(download)
    before = {path.stat().st_ino for path in (download.parent / "made/video").rglob("*.avi")}
    assert prepare(download, "--official-split", "2") == command.DONE
    said = capsys.readouterr().out
    assert "nothing to do: all 48" in said and "in no row of clips.csv" not in said
    assert {path.stat().st_ino for path in (download.parent / "made/video").rglob("*.avi")} == before


def test_seed(download):
    drawn = set()
    for seed in range(5):
        for _ in range(2):
            prepare(download, "--seed", str(seed))
            drawn.add((seed, *sorted(groups(made(download), "valid"))))
    assert len(drawn) == 5 and len({chosen[1:] for chosen in drawn}) > 1
    prepare(download, "--seed", "3", "--classes", "2")
    few = groups(made(download), "valid")
    assert len(few) == 2 and any(few < set(chosen) for chosen in drawn if chosen[0] == 3), "as drawn with all classes"


def test_groups_for_valid(download, capsys):
    assert prepare(download, "--valid-groups", "0") == command.DONE
    assert not made(download).split("valid")
    assert prepare(download, "--valid-groups", "3") == command.DONE
    assert all(each == 2 for each in made(download).count()["train"].values())
    for number, wrong in (("4", "001 has 4 groups to train on"), ("-1", "at least 0")):
        said = failing(download, capsys, command.NOTHING, "--valid-groups", number)
        assert f"--valid-groups {number}: {wrong}" in said


def test_fewer_classes(download):
    append(download, "trainlist01.txt", "YoYo/v_YoYo_g09_c01.avi 4")
    (download / "UCF101/UCF-101/YoYo/v_YoYo_g09_c01.avi").write_bytes(tiny.avi(99))
    assert prepare(download, "--classes", "2") == command.DONE
    assert [row.name for row in made(download).classes] == ["ApplyEyeMakeup", "YoYo"]


def test_lists_in_their_zip_and_videos_in_another(download):
    lists, videos = download / "ucfTrainTestlist", download / "UCF101"
    with zipfile.ZipFile(download / prepare_ucf101.ZIP, "w") as file:
        for path in lists.iterdir():
            file.write(path, f"ucfTrainTestlist/{path.name}")
            file.writestr(f"__MACOSX/ucfTrainTestlist/._{path.name}", b"\0\5\x16\7")
    with zipfile.ZipFile(download / "UCF101.zip", "w") as file:
        for path in videos.rglob("*.avi"):
            file.write(path, path.relative_to(videos))
    shutil.rmtree(videos)
    assert prepare(download) == command.DONE, "lists that stand there twice and are equal"
    shutil.rmtree(lists)
    shutil.rmtree(download.parent / "made")
    assert prepare(download) == command.DONE
    assert len(made(download).clips) == 48


def test_second_run(download, capsys):
    prepare(download)
    tables = {name: (download.parent / "made" / name).read_bytes() for name in ("clips.csv", "class.csv")}
    made(download).clips[0].video(download.parent / "made").unlink()
    capsys.readouterr()
    assert prepare(download) == command.DONE
    assert "1 video written, 47 were already there" in capsys.readouterr().out
    assert prepare(download) == command.DONE
    assert "nothing to do: all 48" in capsys.readouterr().out
    assert {name: (download.parent / "made" / name).read_bytes() for name in tables} == tables


def test_only_the_rar(download, capsys):
    (download / "UCF101.rar").write_bytes(RAR)
    assert prepare(download) == command.DONE, "it lies unpacked beside itself"
    shutil.rmtree(download.parent / "made")
    shutil.move(download / "UCF101", download.parent / "elsewhere")
    for _ in range(2):
        said = failing(download, capsys, command.NOTHING)
        assert said.count("\n") == 1 and f"{download / 'UCF101.rar'}: a RAR archive, which is not read here" in said
        assert f"(cd {download}, then unar, unrar x, 7z x or bsdtar -xf UCF101.rar)" in said
        assert not (download.parent / "made" / "clips.csv").exists()
        shutil.rmtree(download / "ucfTrainTestlist", ignore_errors=True)


def test_a_rar_half_unpacked(download, capsys):
    (download / "UCF101.rar").write_bytes(RAR)
    shutil.rmtree(download / "UCF101/UCF-101/YoYo")
    said = failing(download, capsys, command.PARTLY)
    assert "UCF101.rar: a RAR archive" in said and "YoYo: none of its 4 videos is in an archive or folder" in said
    assert len(made(download).clips) == 36


def test_missing_video(download, capsys):
    video(download, 3).unlink()
    said = failing(download, capsys, command.PARTLY)
    assert "ApplyEyeMakeup/v_ApplyEyeMakeup_g02_c02.avi: video not found" in said and "testlist01.txt line 4" in said
    assert "1 not done (named above), 47 done" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "an empty file"), (b"<html>not here</html>", "a text file, not a video"), (bytes(99), "no video; it")],
)
def test_no_video(download, capsys, content, reason):
    video(download).write_bytes(content)
    said = failing(download, capsys, command.PARTLY)
    assert f"ApplyEyeMakeup/v_ApplyEyeMakeup_g01_c01.avi: {reason}" in said and len(made(download).clips) == 47


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("Knitting/v_Knitting_g08_c01.avi 5", "line 33: label 'Knitting' is not in"),
        ("Archery/v_Archery_g09_c01.avi 3", "number 3 for Archery, which is number 2 of the classes"),
        ("Archery/v_Archery_g05_c01.avi 2", "stands in trainlist01.txt line 13 already"),
        ("Archery/v_YoYo_g09_c01.avi 2", "is no row of a list; expected"),
        ("Archery/v_Archery_g09_c01.avi 2 2", "is no row of a list; expected"),
        ("../v_.._g09_c01.avi", "leads elsewhere"),
        ("hello", "is no row of a list; expected"),
    ],
)
def test_bad_row(download, capsys, row, reason):
    append(download, "trainlist01.txt", row)
    said = failing(download, capsys, command.PARTLY)
    assert reason in said and "1 not done (named above), 48 done" in said


def test_many_rows_of_one_unknown_action_are_one_line(download, capsys):
    for clip in range(1, 6):
        append(download, "trainlist01.txt", f"001/v_001_g08_c{clip:02d}.avi 1")
    said = failing(download, capsys, command.PARTLY)
    assert "label '001' is not in" in said and "5 rows left out, the first 001/v_001_g08_c01.avi" in said


@pytest.mark.parametrize("clip", ["c01", "c03"])
def test_a_group_in_both_lists(download, capsys, clip):
    append(download, "testlist01.txt", f"Archery/v_Archery_g05_{clip}.avi")
    said = failing(download, capsys, command.NOTHING)
    assert "1 group stands in trainlist01.txt and in testlist01.txt (Archery_g05)" in said
    assert not (download.parent / "made").exists()


def test_no_lists(download, capsys):
    said = failing(download, capsys, command.NOTHING, "--official-split", "3")
    assert f"no trainlist03.txt in it; put {prepare_ucf101.ZIP} beside the videos" in said
    shutil.rmtree(download / "ucfTrainTestlist")
    (download / prepare_ucf101.ZIP).write_bytes(b"PK\x03\x04 cut short")
    assert f"{prepare_ucf101.ZIP}: cut short or damaged" in failing(download, capsys, command.NOTHING)


def test_nothing_there(tmp_path, capsys):
    assert "no such folder" in failing(tmp_path / "nowhere", capsys, command.NOTHING)
    write_lists(tmp_path / "_download/ucfTrainTestlist")
    said = failing(tmp_path / "_download", capsys, command.NOTHING)
    assert "no video in it; expected UCF-101/<Action>/v_<Action>_g08_c01.avi" in said
    assert not (tmp_path / "made").exists()


def test_lists_that_differ(download, capsys):
    shutil.copytree(download / "ucfTrainTestlist", download / "again")
    assert prepare(download) == command.DONE
    (download / "again" / "testlist01.txt").write_text("YoYo/v_YoYo_g01_c01.avi\n")
    assert "differ; leave one of the two" in failing(download, capsys, command.NOTHING)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"ApplyEyeMakeup\n", "line 1: 'ApplyEyeMakeup'; expected '1 ApplyEyeMakeup'"),
        (b"1 Archery\n1 YoYo\n", "label '001' stands 2 times"),
        (b"1 Archery\n2 Archery\n", "name 'Archery' stands 2 times"),
        (b"", "no class in it"),
        (tiny.avi(1), "not a text file"),
    ],
)
def test_bad_class_list(download, capsys, content, reason):
    (download / "ucfTrainTestlist/classInd.txt").write_bytes(content)
    assert reason in failing(download, capsys, command.NOTHING)


def test_without_a_class_list_the_own_table_is_taken(download):
    (download / "ucfTrainTestlist/classInd.txt").unlink()
    for name in ("trainlist01.txt", "testlist01.txt"):
        path = download / "ucfTrainTestlist" / name
        path.write_text("".join(f"{row.split()[0]}\n" for row in path.read_text().splitlines()))
    assert prepare(download) == command.DONE
    assert len(made(download).classes) == 101
    assert {clip.label for clip in made(download).clips} == {"001", "003", "037", "101"}


def test_own_class_table_is_kept(download, monkeypatch):
    own = download.parent / "made"
    own.mkdir()
    table = (prepare_ucf101.OWN_FOLDER / "class.csv").read_bytes()
    (own / "class.csv").write_bytes(table)
    monkeypatch.setattr(prepare_ucf101, "OWN_FOLDER", own)
    assert prepare(download, "--classes", "2") == command.DONE
    assert len(made(download).classes) == 2 and (own / "class-full.csv").read_bytes() == table


def test_a_list_too_large_for_one(download, capsys, monkeypatch):
    monkeypatch.setattr(prepare_ucf101, "LARGEST_LIST", 50)
    with zipfile.ZipFile(download / "lists.zip", "w") as file:
        file.write(download / "ucfTrainTestlist/trainlist01.txt", "trainlist01.txt")
    (download / "ucfTrainTestlist/trainlist01.txt").unlink()
    assert "which no list of UCF-101 has" in failing(download, capsys, command.NOTHING)


def test_two_runs_at_once(download, capsys):
    with command.lock(download.parent / "made"):
        assert "another run is writing there" in failing(download, capsys, command.NOTHING)


def test_disc_fills(download, capsys, monkeypatch):
    real, calls = os.link, []

    def full(source, target):
        calls.append(target)
        if len(calls) == 5:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        real(source, target)

    monkeypatch.setattr(os, "link", full)
    assert "the disc is full" in failing(download, capsys, command.NOTHING)
    monkeypatch.undo()
    assert prepare(download) == command.DONE


def test_a_disc_without_hard_links(download, capsys, monkeypatch):
    def refused(source, target):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(target))

    monkeypatch.setattr(os, "link", refused)
    for said in ("48 videos written", "nothing to do: all 48"):
        assert prepare(download) == command.DONE
        assert said in capsys.readouterr().out
    assert not made(download).clips[0].video(download.parent / "made").samefile(video(download))


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no other disc to write to")
def test_room_for_copies_on_another_disc(download, capsys, monkeypatch):
    with tempfile.TemporaryDirectory(dir="/dev/shm") as other:
        if Path(other).stat().st_dev == download.stat().st_dev:
            pytest.skip("the same disc")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
        assert "GB needed" in failing(download, capsys, command.NOTHING, "--output", other)
        monkeypatch.undo()
        for said in ("48 videos written", "nothing to do: all 48"):
            assert prepare(download, "--output", other) == command.DONE
            assert said in capsys.readouterr().out


def test_killed_in_the_middle(download):
    argv = ["--workers", "1", "--download", download, "--output"]
    done = tiny.script("prepare_ucf101.py", *argv, download.parent / "whole")
    assert done.returncode == command.DONE, done.stderr
    tiny.kill_script("not yet named", "prepare_ucf101.py", *argv, download.parent / "made")
    started = tiny.contents(download.parent / "made")
    assert 2 <= len(started) < 48 and "clips.csv" not in started
    again = tiny.script("prepare_ucf101.py", *argv, download.parent / "made")
    assert again.returncode == command.DONE and "46 videos written, 2 were already there" in again.stdout
    assert tiny.contents(download.parent / "made") == tiny.contents(download.parent / "whole")


def test_interrupted_by_the_user(download):
    code = (
        "import os, signal, sys, prepare_ucf101 as p\nfrom signs import command\nfrom signs.prepare import transfer\n"
    )
    code += "transfer.bring_video = lambda *_: os.kill(os.getpid(), signal.SIGINT)\n"
    code += "signal.signal(signal.SIGINT, signal.default_int_handler)\nsys.exit(command.run(p.main))"
    argv = ["--download", download, "--output", download.parent / "made", "--workers", "1"]
    done = subprocess.run([sys.executable, "-c", code, *argv], cwd=tiny.REPOSITORY, capture_output=True, text=True)
    assert done.returncode == command.STOPPED and "the same command goes on from here" in done.stderr
    assert prepare(download) == command.DONE


def test_real_class_table():
    classes = dataset.read_classes(tiny.REPOSITORY / "data_set/ucf101/class.csv")
    assert [row.label for row in classes] == [f"{number:03d}" for number in range(1, 102)]
    assert [row.name for row in classes] == sorted((row.name for row in classes), key=str.casefold)
    assert classes[36].name == "HandstandPushups"


def test_other_archives_not_read_here(tmp_path):
    (tmp_path / "two words.7z").write_bytes(b"7z\xbc\xaf\x27\x1c" + bytes(99))
    with pytest.raises(Foreign, match="then 7z x, unar or bsdtar -xf 'two words.7z'"):
        archive.list_members(tmp_path / "two words.7z")
