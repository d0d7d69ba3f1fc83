"""prepare_chalearn.py on tiny archives built as ChaLearn packs its own, and on each way in which one may be broken."""

import csv
import errno
import io
import os
import re
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
import time
import zipfile
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Problem
from signs.prepare import archive, transfer

import pytest

import prepare_chalearn
import tiny
from encryption import encrypt
from tiny import avi

REPOSITORY = tiny.REPOSITORY
SCRIPT = REPOSITORY / "prepare_chalearn.py"


def write_zip(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)


def write_tar(path: Path, members: dict[str, bytes], mode: str) -> None:
    with tarfile.open(path, mode) as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))


def members(split: str, count: int, top: str = "") -> dict[str, bytes]:
    """Colour and depth videos of a split, `M_00001.avi` and on."""
    start = {"train": 0, "valid": 100, "test": 200}[split]
    found = {}
    for number in range(1, count + 1):
        found[f"{top}{split}/001/M_{number:05d}.avi"] = avi(start + number)
        found[f"{top}{split}/001/K_{number:05d}.avi"] = avi(start + number + 1000)
    return found


def rows(split: str, labels: list) -> str:
    """A list: a row per label, without the third column where the label is empty."""
    lines = (f"{split}/001/M_{n:05d}.avi {split}/001/K_{n:05d}.avi {label}" for n, label in enumerate(labels, 1))
    return "".join(line.rstrip() + "\n" for line in lines)


@pytest.fixture
def download(tmp_path: Path) -> Path:
    """Train (6 clips of labels 1, 1, 1, 2, 2, 3), valid (3) and test (2, no labels)."""
    folder = tmp_path / "_download"
    (folder / "lists").mkdir(parents=True)
    write_zip(folder / "IsoGD_phase_1.zip", members("train", 6, "IsoGD_phase_1/"))
    write_zip(folder / "IsoGD_phase_2.zip", members("valid", 3, "IsoGD_phase_2/"))
    write_tar(folder / "test.tar.gz", members("test", 2), "w:gz")
    (folder / "lists" / "train_list.txt").write_text(rows("train", [1, 1, 1, 2, 2, 3]))
    (folder / "lists" / "valid.txt").write_text(rows("valid", [1, 2, 249]))
    (folder / "lists" / "test_list.txt").write_text(rows("test", ["", ""]))
    return folder


def prepare(download: Path, *more: str) -> int:
    argv = ["--download", str(download), "--output", str(download.parent / "made"), "--workers", "1", *more]
    return command.run(lambda: prepare_chalearn.main(argv))


def tree(folder: Path) -> dict[str, bytes]:
    """Everything below a folder but its lock: {path: content}."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def made(download: Path) -> Dataset:
    return load_dataset(download.parent / "made")


def test_everything(download, capsys):
    assert prepare(download) == command.DONE
    data = made(download)
    assert [(clip.clip, clip.split, clip.label) for clip in data.clips][:1] == [("train_001_M_00001", "train", "001")]
    assert [len(data.split(split)) for split in dataset.SPLITS] == [6, 3, 2]
    assert {clip.label for clip in data.split("test")} == {""}
    assert len(data.classes) == 249
    for clip in data.clips:
        assert command.sha256(clip.video(data.folder)) == clip.sha256
    assert (data.folder / "video/test/_unlabelled/test_001_M_00001.avi").read_bytes() == avi(201)
    assert len(list((data.folder / "video").rglob("*.avi"))) == 11, "depth is not unpacked"
    assert data.clips[0].group == "train/001"
    output = capsys.readouterr().out
    assert "test: its list has no labels" in output and "11 videos written" in output


def test_depth_is_a_part_of_its_clip_where_it_is_asked_for(download, capsys):
    assert prepare(download) == command.DONE and not (made(download).folder / "depth").exists()
    assert prepare(download, "--depth") == command.DONE
    data = made(download)
    for clip in data.clips:
        colour, depth = clip.video(data.folder).read_bytes(), clip.video(data.folder, "depth").read_bytes()
        split, number = clip.split, int(clip.source[-9:-4])
        assert (colour, depth) == tuple(members(split, number)[f"{split}/001/{kind}_{number:05d}.avi"] for kind in "MK")
    capsys.readouterr()
    assert prepare(download, "--depth") == command.DONE
    assert "nothing to do: all" in capsys.readouterr().out


def test_second_run_does_nothing(download, capsys):
    prepare(download)
    before = {path: path.stat().st_mtime_ns for path in (download.parent / "made" / "video").rglob("*.avi")}
    capsys.readouterr()
    assert prepare(download) == command.DONE
    assert "nothing to do: all 11 videos were already there" in capsys.readouterr().out
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_second_run_mends(download):
    prepare(download)
    whole = tree(download.parent / "made")
    data = made(download)
    data.clips[0].video(data.folder).unlink()
    changed = data.clips[1].video(data.folder)
    changed.write_bytes(changed.read_bytes()[:-1] + b"?")  # same size: only the checksum tells
    lost = data.split("test")[0].video(data.folder)
    lost.write_bytes(lost.read_bytes()[:-1] + b"?")
    assert prepare(download) == command.DONE
    assert tree(download.parent / "made") == whole


def test_finished_without_archives(download):
    prepare(download)
    for path in [*download.glob("*.zip"), *download.glob("*.tar.gz")]:
        path.unlink()
    (download / "unrelated.avi").write_bytes(avi(1))
    assert prepare(download) == command.DONE


@pytest.mark.parametrize("kind", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar(download, kind, capsys):
    for path in download.glob("IsoGD*"):
        path.unlink()
    suffix = kind.replace("w", ".tar").replace(":", ".")
    write_tar(download / f"all{suffix}", members("train", 6, "top/") | members("valid", 3), kind)
    assert prepare(download) == command.DONE
    assert len(made(download).clips) == 11
    (download.parent / "made" / "clips.csv").unlink()  # as if stopped before the end
    capsys.readouterr()
    assert prepare(download) == command.DONE
    assert "nothing to do" in capsys.readouterr().out


def test_unpacked_folders(download):
    (download / "IsoGD_phase_2.zip").unlink()
    for name, content in members("valid", 3).items():
        path = download / "unpacked" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert prepare(download) == command.DONE
    assert len(made(download).split("valid")) == 3


def test_most_frequent_classes(download):
    assert prepare(download, "--classes", "2") == command.DONE
    data = made(download)
    assert [row.label for row in data.classes] == ["001", "002"]
    assert [len(data.split(split)) for split in dataset.SPLITS] == [5, 2, 2]


def test_what_is_no_gesture_stays_beside_the_most_frequent_ones(download):
    (download / "class.csv").write_text(
        "label,name,kind\n001,a,gesture\n002,b,gesture\n003,nothing,none\n249,d,gesture\n"
    )
    assert prepare(download, "--classes", "1") == command.DONE
    data = made(download)
    assert [(row.label, row.kind) for row in data.classes] == [("001", "gesture"), ("003", "none")]
    assert {clip.label for clip in data.split("train")} == {"001", "003"}


def test_classes_of_a_table(download, tmp_path):
    (tmp_path / "few.csv").write_text("label,name\n3,three\n")
    assert prepare(download, "--classes", str(tmp_path / "few.csv")) == command.DONE
    data = made(download)
    assert [(row.label, row.name) for row in data.classes] == [("003", "three")]
    assert [clip.label for clip in data.split("train", "valid")] == ["003"]


def test_labels_shipped_later(download, capsys):
    prepare(download)
    (download / "test_labels.txt").write_text(rows("test", [1, 2]))
    capsys.readouterr()
    assert prepare(download) == command.DONE
    assert "nothing to do" in capsys.readouterr().out, "the videos are moved, not unpacked again"
    data = made(download)
    assert [clip.label for clip in data.split("test")] == ["001", "002"]
    assert all(clip.video(data.folder).is_file() for clip in data.clips)
    assert not list((data.folder / "video/test/_unlabelled").iterdir())


def test_signers_and_own_class_table(download, tmp_path, capsys):
    (download / "signers.csv").write_text("video,signer\ntrain/001/M_00001.avi,P1\nvalid/001/M_00001.avi,P1\n")
    (download / "class.csv").write_text("label,name,kind\n001,a,gesture\n002,b,gesture\n003,c,gesture\n249,d,none\n")
    assert prepare(download) == command.DONE
    data = made(download)
    assert data.clips[0].signer == "P1" and [row.kind for row in data.classes][-1] == "none"
    assert "new people: P1 (train, valid)" in capsys.readouterr().out


def test_real_class_table():
    classes = dataset.read_classes(REPOSITORY / "data_set/chalearn/class.csv")
    assert {row.kind for row in classes} == {"gesture"} and classes[0].extra["vocabulary"] == "Mudra1"


def failing(download: Path, capsys, code: int, *more: str) -> str:
    """Run, expect this exit code, and return what was said on stderr: never a traceback, no temporary file left."""
    assert prepare(download, *more) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.strip()
    assert not list(download.parent.rglob(".*.part*"))
    return said


def test_no_such_folder(tmp_path, capsys):
    assert "no such folder" in failing(tmp_path / "nowhere", capsys, command.NOTHING)
    assert not (tmp_path / "made").exists()


def test_no_list_no_archive(tmp_path, capsys):
    (tmp_path / "_download").mkdir()
    assert "no list in it; expected train.txt" in failing(tmp_path / "_download", capsys, command.NOTHING)
    (tmp_path / "_download" / "train.txt").write_text(rows("train", [1]))
    assert "no archive and no video" in failing(tmp_path / "_download", capsys, command.NOTHING)


@pytest.mark.parametrize("damage", ["empty", "truncated", "text"])
def test_broken_zip(download, capsys, damage):
    path = download / "IsoGD_phase_2.zip"
    whole = path.read_bytes()
    path.write_bytes({"empty": b"", "truncated": whole[: len(whole) // 2], "text": b"<html>log in</html>"}[damage])
    said = failing(download, capsys, command.PARTLY)
    assert f"{path}: " in said and "download it again" in said
    assert "valid: none of its 3 videos" in said
    assert len(made(download).clips) == 8


def test_truncated_tar(download, capsys):
    path = download / "test.tar.gz"
    path.write_bytes(path.read_bytes()[:3000])
    assert "cut short or damaged" in failing(download, capsys, command.PARTLY)
    write_tar(download / "test.tar.gz", {}, "w:gz")
    write_tar(download / "more.tar", members("test", 2), "w")
    os.truncate(download / "more.tar", 9000)
    assert "more.tar: cut short" in failing(download, capsys, command.PARTLY)


def test_all_archives_broken(download, capsys):
    for path in [*download.glob("*.zip"), *download.glob("*.gz")]:
        path.write_bytes(b"")
    failing(download, capsys, command.NOTHING)
    assert not (download.parent / "made" / "clips.csv").exists()


def test_damaged_member(download, capsys):
    path = download / "IsoGD_phase_2.zip"
    with zipfile.ZipFile(path) as file:
        info = file.getinfo("IsoGD_phase_2/valid/001/M_00002.avi")
    content = bytearray(path.read_bytes())
    content[info.header_offset + 120] ^= 255
    path.write_bytes(content)
    said = failing(download, capsys, command.PARTLY)
    assert "M_00002.avi is damaged" in said and "1 not done" in said
    assert len(made(download).clips) == 10


def test_encrypted(download, capsys):
    encrypt(download / "IsoGD_phase_2.zip", b"secret")
    assert "encrypted; give --password" in failing(download, capsys, command.NOTHING)
    assert not (download.parent / "made" / "clips.csv").exists()
    for guess in range(300):  # one in 256 passes the check at the front
        with pytest.raises(Problem, match="password"):
            archive.check_password(archive.list_members(download / "IsoGD_phase_2.zip"), f"wrong{guess}")
    assert "wrong password" in failing(download, capsys, command.NOTHING, "--password", "wrong")
    assert prepare(download, "--password", "secret") == command.DONE
    data = made(download)
    assert data.split("valid")[0].video(data.folder).read_bytes() == avi(101)


@pytest.mark.skipif(not shutil.which("zip"), reason="the program zip is not here")
def test_encrypted_by_zip(download):
    (download / "IsoGD_phase_2.zip").unlink()
    for name, content in members("valid", 3).items():
        path = download.parent / "loose" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content + bytes(3_000_000))  # compresses, and takes several chunks
    subprocess.run(
        ["zip", "-qr", "-P", "two words", download / "v.zip", "."], cwd=download.parent / "loose", check=True
    )
    assert prepare(download, "--password", "two words") == command.DONE
    data = made(download)
    assert data.split("valid")[0].video(data.folder).read_bytes() == avi(101) + bytes(3_000_000)


@pytest.mark.parametrize("name", ["../../valid/001/M_00001.avi", "/valid/001/M_00001.avi"])
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_member_outside(download, capsys, name, kind):
    (download / "IsoGD_phase_2.zip").unlink()
    content = {name: avi(1), "valid/001/M_00002.avi": avi(2), "valid/001/M_00003.avi": avi(3)}
    if kind == "zip":
        write_zip(download / "evil.zip", content)
    else:
        write_tar(download / f"evil.{kind}", content, "w:gz" if kind == "tar.gz" else "w")
    before = set(download.parent.rglob("M_00001.avi"))
    said = failing(download, capsys, command.PARTLY)
    assert "would land outside the output folder" in said and "evil" in said
    assert set(download.parent.rglob("M_00001.avi")) == before
    assert len(made(download).split("valid")) == 2


def test_link_in_a_tar(download, capsys):
    (download / "IsoGD_phase_2.zip").unlink()
    with tarfile.open(download / "evil.tar", "w") as file:
        for number, kind in ((1, tarfile.SYMTYPE), (2, tarfile.LNKTYPE), (3, tarfile.FIFOTYPE)):
            info = tarfile.TarInfo(f"valid/001/M_{number:05d}.avi")
            info.type, info.linkname = kind, "/etc/passwd"
            file.addfile(info)
    assert failing(download, capsys, command.PARTLY).count("is a link or a device") == 3


def test_more_bytes_than_declared(download, capsys):
    path = download / "IsoGD_phase_2.zip"
    content = bytearray(path.read_bytes())
    at = content.find(b"PK\x01\x02")  # the first member's size in the table of contents
    content[at + 24 : at + 28] = struct.pack("<I", 500)
    path.write_bytes(content)
    said = failing(download, capsys, command.PARTLY)
    assert "M_00001.avi is damaged" in said and "unpacks to more than it says" in said


def test_bombs(download, capsys, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM", 100_000)
    (download / "IsoGD_phase_2.zip").unlink()
    (download / "test.tar.gz").unlink()
    bomb = {"valid/001/M_00001.avi": avi(1, 10) + bytes(3_000_000)}
    write_zip(download / "bomb.zip", bomb)
    write_tar(download / "bomb.tar.gz", {"test/001/M_00001.avi": bytes(3_000_000)}, "w:gz")
    said = failing(download, capsys, command.PARTLY)
    assert "bomb.zip" in said and "which no video does" in said
    assert "bomb.tar.gz: unpacks to over" in said


def test_too_little_room(download, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    assert "GB needed" in failing(download, capsys, command.NOTHING)
    assert not tree(download.parent / "made")
    monkeypatch.undo()
    assert prepare(download) == command.DONE
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 10, 0))
    assert prepare(download) == command.DONE, "nothing is needed for what is there"


def test_own_class_table_is_kept(download, monkeypatch):
    own = download.parent / "made"
    own.mkdir()
    shutil.copy(REPOSITORY / "data_set/chalearn/class.csv", own)
    monkeypatch.setattr(prepare_chalearn, "OWN_FOLDER", own)
    assert prepare(download, "--classes", "2") == command.DONE
    assert len(made(download).classes) == 2
    assert prepare(download) == command.DONE
    assert len(made(download).classes) == 249


def test_disc_fills(download, capsys, monkeypatch):
    real, calls = transfer.check_is_video, []

    def full(path):
        calls.append(path)
        if len(calls) == 4:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        real(path)

    monkeypatch.setattr(transfer, "check_is_video", full)
    assert "the disc is full" in failing(download, capsys, command.NOTHING)
    monkeypatch.undo()
    assert prepare(download) == command.DONE
    assert len(made(download).clips) == 11


def test_lists_that_count_from_0(download, capsys):
    (download / "lists/train_list.txt").write_text(rows("train", [0, 0, 0, 1, 1, 2]))
    (download / "lists/valid.txt").write_text(rows("valid", [0, 1, 248]))
    said = failing(download, capsys, command.NOTHING)
    assert said.count("\n") == 1 and "train_list.txt line 1: label 0: labels count from 0 (to 248)" in said
    (download / "lists/valid.txt").write_text(rows("valid", [0, 1, 249]))
    said = failing(download, capsys, command.PARTLY)
    assert "label 000 is not in" in said, "249 is there, so 0 is a slip"


def test_thousands_of_repeated_rows_are_a_few_lines(download, capsys):
    with open(download / "lists/train_list.txt", "a") as file:
        file.write("train/001/M_00001.avi train/001/K_00001.avi 1\n" * 2974)
    said = failing(download, capsys, command.PARTLY)
    assert "  train_list.txt line 7, train/001/M_00001.avi: stands in train_list.txt line 1 already; left out\n" in said
    assert "and 2,973 more like it: train_list.txt line 8, " in said and len(said) < 1000


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("train/001/M_00009.avi train/001/K_00009.avi 1", "M_00009.avi: video not found in any archive or folder"),
        ("train/001/M_00009.avi train/001/K_00009.avi 1 2 3", "is no row of a list; expected"),
        ("hello", "is no row of a list; expected"),
        ("train/001/K_00009.avi 1", "names depth alone; expected"),
        ("train/001/M_00009.avi train/001/K_00009.avi one", "label 'one' is no number"),
        ("train/001/M_00009.avi train/001/K_00009.avi 250", "line 7: label 250 is not in"),
        ("../../M_00009.avi ../../K_00009.avi 1", "leads elsewhere; expected a path without . and .."),
        ("/train/001/M_00009.avi /train/001/K_00009.avi 1", "part is empty"),
        ("train/\x1b/M_00009.avi train/\x1b/K_00009.avi 1", "holds a character that controls the screen"),
        ("train/001/M_00001.avi train/001/K_00001.avi 1", "stands in train_list.txt line 1 already"),
    ],
)
def test_bad_row(download, capsys, row, reason):
    with open(download / "lists/train_list.txt", "a") as file:
        file.write(row + "\n")
    said = failing(download, capsys, command.PARTLY)
    assert reason in said and "1 not done (named above), 11 done" in said
    assert len(made(download).clips) == 11


def test_row_without_label(download, capsys):
    (download / "lists/train_list.txt").write_text(rows("train", [1, 1, 1, 2, 2, ""]))
    assert prepare(download) == command.DONE
    assert "1 row without a label, kept as unlabelled: train_list.txt line 6" in capsys.readouterr().out
    data = made(download)
    assert data.clips[5].video(data.folder).parent.name == dataset.UNLABELLED


def test_pointer_instead_of_video(download, capsys):
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n"
    write_zip(download / "IsoGD_phase_2.zip", {**members("valid", 3), "valid/001/M_00002.avi": pointer})
    said = failing(download, capsys, command.PARTLY)
    assert "valid/001/M_00002.avi: a text file, not a video" in said


def test_lists_that_differ(download, capsys):
    (download / "train.txt").write_text(rows("train", [1, 1, 1, 2, 2, 4]))
    assert "differ; leave one of the two in the download folder" in failing(download, capsys, command.NOTHING)
    (download / "lists/train_list.txt").unlink()
    assert prepare(download) == command.DONE


def test_binary_list(download, capsys):
    (download / "lists/valid.txt").write_bytes(avi(1))
    assert "not a text file" in failing(download, capsys, command.NOTHING)


def test_two_runs_at_once(download, capsys):
    with command.lock(download.parent / "made"):
        assert "another run is writing there" in failing(download, capsys, command.NOTHING)


def test_folder_without_its_archive(download, capsys):
    with open(download / "lists/train_list.txt", "a") as file:
        file.write("".join(f"train/002/M_0000{n}.avi train/002/K_0000{n}.avi 1\n" for n in range(3)))
    said = failing(download, capsys, command.PARTLY)
    assert "train/002: none of its 3 videos is in an archive or folder" in said and "1 not done" in said


def test_killed_in_the_middle(download):
    write_zip(download / "IsoGD_phase_1.zip", {name: avi(int(name[-9:-4]), 300_000) for name in members("train", 6)})
    (download / "IsoGD_phase_1.zip").replace(download / "big.zip")
    argv = [sys.executable, SCRIPT, "--download", download, "--workers", "1", "--output"]
    subprocess.run([*argv, download.parent / "whole"], check=True, capture_output=True)
    slow = "import sys, time, prepare_chalearn\nfrom signs import command\nfrom signs.prepare import transfer\n"
    slow += "write = transfer.write_chunks\n"
    slow += "def slowly(target, chunks, size):\n    time.sleep(0.1)\n    return write(target, chunks, size)\n"
    slow += "transfer.write_chunks = slowly; sys.exit(command.run(prepare_chalearn.main))"
    run = subprocess.Popen([sys.executable, "-c", slow, *argv[2:], download.parent / "made"], cwd=REPOSITORY)
    while not list((download.parent / "made").rglob("*.avi")) and run.poll() is None:
        time.sleep(0.01)
    run.send_signal(signal.SIGKILL)
    run.wait()
    started = tree(download.parent / "made")
    assert 1 <= len(started) < 11 and "clips.csv" not in started
    left = download.parent / "made/video/train/001/.train_001_M_00002.1.part.avi"
    left.parent.mkdir(parents=True, exist_ok=True)
    left.write_bytes(b"RIFF")
    assert prepare(download) == command.DONE
    assert tree(download.parent / "made") == tree(download.parent / "whole")


def test_exit_codes_of_the_command(download):
    done = subprocess.run([sys.executable, SCRIPT, "--download", download, "--output", download / "out"])
    assert done.returncode == 0
    with open(download / "out/clips.csv", newline="") as file:
        assert len(list(csv.DictReader(file))) == 11
    wrong = subprocess.run([sys.executable, SCRIPT, "--download", download], capture_output=True, text=True)
    assert wrong.returncode == 2 and "--output" in wrong.stderr


def test_a_dry_run_says_what_it_takes_and_writes_nothing(download, capsys):
    before = tree(download.parent)
    assert prepare(download, "--dry-run") == command.DONE
    said = capsys.readouterr().out
    assert re.search(r"estimate from \d clips?: 9 clips, .* GB in 9 files, about ", said)
    assert "test.tar.gz: a compressed tar" in said and tree(download.parent) == before
    assert prepare(download) == command.DONE
    capsys.readouterr()
    assert prepare(download, "--dry-run") == command.DONE and "estimate from" not in capsys.readouterr().out
