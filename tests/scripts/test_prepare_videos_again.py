"""prepare_videos.py a second time: what nobody has written to is not opened, and what somebody has written to is."""

import os
import re
import shutil
import time
from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset
from signs.clips.pictures import pictures_sha256
from signs.prepare import known_files, sources, transfer
from signs.prepare.known_files import KnownFiles
from signs.training import withdrawal

import pytest

import prepare_videos
from tiny import avi

HOUR = 3600


def age(path: Path, seconds: float = HOUR) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """Two signs by two people, videos and folders of pictures, written an hour ago."""
    import cv2
    import numpy as np

    rows = ["video,label,signer,rate"]
    for number in range(4):
        path = tmp_path / f"{number}.avi"
        path.write_bytes(avi(number))
        rows.append(f"{path.name},{'ab'[number % 2]},S{number // 2},")
        folder = tmp_path / f"pictures{number}"
        folder.mkdir()
        for picture in range(1, 4):
            drawn = np.full((16, 16, 3), 40 * picture + 10 * number, np.uint8)
            cv2.imwrite(str(folder / f"{picture:05d}.png"), drawn)
        rows.append(f"{folder.name},{'ab'[number % 2]},S{number // 2},10")
        for each in (path, *folder.iterdir()):
            age(each)
    (tmp_path / "videos.csv").write_text("\n".join(rows) + "\n")
    return tmp_path / "videos.csv"


def prepare(videos: Path, *more: str) -> int:
    argv = [
        "--videos",
        str(videos),
        "--output",
        str(videos.parent / "made"),
        "--workers",
        "1",
        "--shares",
        "0",
        "0",
        *more,
    ]
    return command.run(lambda: prepare_videos.main(argv))


@pytest.fixture
def opened(monkeypatch) -> list[str]:
    """The names of the videos that are opened, or brought, from now on."""
    names, look, bring = [], sources.look, prepare_videos.bring
    monkeypatch.setattr(sources, "look", lambda job: (names.append(job.path.name), look(job))[1])
    monkeypatch.setattr(
        prepare_videos, "bring", lambda job, transfer: (names.append(job[2].name), bring(job, transfer))[1]
    )
    return names


@pytest.mark.parametrize("way", transfer.TRANSFERS)
def test_nothing_is_opened_twice(videos, opened, way, capsys):
    assert prepare(videos, "--transfer", way) == 0 and len(opened) == 16
    opened.clear()
    before = (videos.parent / "made" / "clips.csv").read_bytes()
    assert prepare(videos, "--transfer", way) == 0
    assert "nothing to do: all 8 videos were already there" in capsys.readouterr().out and not opened
    assert (videos.parent / "made" / "clips.csv").read_bytes() == before


def test_intervals_are_known_too(videos, opened):
    with open(videos, "w") as table:
        table.write("video,label,start,end\n0.avi,a,0,0.04\n1.avi,b,,\n")
    assert prepare(videos) == 0
    first = load_dataset(videos.parent / "made").clips
    opened.clear()
    assert prepare(videos) == 0 and not opened
    assert load_dataset(videos.parent / "made").clips == first
    assert prepare(videos, "--pad", "0.01") == 0 and "0.avi" in opened and "1.avi" not in opened


def test_a_video_that_was_written_to_is_read_again(videos, opened, capsys):
    assert prepare(videos) == 0
    hashes = {clip.clip: clip.sha256 for clip in load_dataset(videos.parent / "made").clips}
    (videos.parent / "1.avi").write_bytes(avi(77))
    (videos.parent / "pictures2" / "00002.png").write_bytes((videos.parent / "pictures2" / "00001.png").read_bytes())
    opened.clear()
    assert prepare(videos) == 0
    assert len(opened) == 4 and {re.sub("[.].*", "", name) for name in opened} == {"1", "pictures2"}
    after = {clip.clip: clip.sha256 for clip in load_dataset(videos.parent / "made").clips}
    assert {clip for clip in after if after[clip] != hashes[clip]} == {"1", "pictures2"}


@pytest.mark.parametrize("way", transfer.TRANSFERS)
@pytest.mark.parametrize("name", ["1.avi", "pictures1/00002.png"])
def test_a_video_whose_time_was_set_back_is_read_again(videos, way, name):
    """As unpacking or mending in place does; a new file may get the number on the disc of the one that was deleted."""
    path, other = videos.parent / name, videos.parent / name.replace("1", "3", 1)
    assert prepare(videos, "--transfer", way) == 0
    before, about = path.read_bytes(), path.stat()
    content = bytearray(other.read_bytes().ljust(len(before), b"\0")[: len(before)])
    if way == "link":
        path.unlink()
    path.write_bytes(content if name == "1.avi" else bytes(before[:-1]) + b"!")
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert prepare(videos, "--transfer", way) == 0
    clip = next(each for each in load_dataset(videos.parent / "made").clips if each.clip == name[: name.index("1") + 1])
    source = videos.parent / clip.source
    assert clip.sha256 == (pictures_sha256(source) if source.is_dir() else command.sha256(source))


def test_two_videos_that_changed_their_names_are_read_again(videos):
    """Their sizes and times may be the same: each is known by its number on the disc."""
    assert prepare(videos) == 0
    hashes = {clip.clip: clip.sha256 for clip in load_dataset(videos.parent / "made").clips}
    folder = videos.parent
    times = (folder / "2.avi").stat().st_mtime_ns
    os.utime(folder / "0.avi", ns=(times, times))
    assert prepare(videos) == 0
    for old, new in (("0", "x"), ("2", "0"), ("x", "2")):
        (folder / f"{old}.avi").rename(folder / f"{new}.avi")
    assert prepare(videos) == 0
    after = {clip.clip: clip.sha256 for clip in load_dataset(folder / "made").clips}
    assert (after["0"], after["2"]) == (hashes["2"], hashes["0"])


def test_a_copy_that_was_written_to_is_made_again(videos, opened):
    assert prepare(videos) == 0
    data = load_dataset(videos.parent / "made")
    place = next(clip for clip in data.clips if clip.clip == "3").video(data.folder)
    whole = place.read_bytes()
    place.write_bytes(bytes(len(whole)))
    opened.clear()
    assert prepare(videos) == 0 and opened == ["3.avi"]
    assert place.read_bytes() == whole


def test_a_video_that_may_still_be_written_to_is_not_known(videos, opened):
    """Within two seconds a file system may give two contents one time."""
    assert prepare(videos) == 0
    now = time.time() + 60
    os.utime(videos.parent / "1.avi", (now, now))
    assert prepare(videos) == 0
    opened.clear()
    assert prepare(videos) == 0 and opened == ["1.avi"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"[0, 0]\nx\n", "whole but for its rows"])
def test_a_damaged_table_is_none(videos, opened, content, capsys):
    assert prepare(videos) == 0
    table = videos.parent / "made" / known_files.FILE
    head, *rows = table.read_bytes().splitlines()
    table.write_bytes(content if isinstance(content, bytes) else b"\n".join([head, *(row[:40] for row in rows)]))
    opened.clear()
    assert prepare(videos) == 0 and len(opened) == 16
    assert "Traceback" not in capsys.readouterr().err


def test_a_dry_run_counts_what_is_new(videos, capsys):
    assert prepare(videos) == 0
    assert prepare(videos, "--dry-run") == 0
    assert "nothing to read: all videos are known from before" in capsys.readouterr().out


def test_who_withdraws_is_not_known(videos):
    assert prepare(videos) == 0
    data = load_dataset(videos.parent / "made")
    assert KnownFiles(data.folder).read(videos.parent / "0.avi")
    withdrawal.remove_from_data(data.folder, [clip for clip in data.clips if clip.signer == "S0"])
    assert not KnownFiles(data.folder).read(videos.parent / "0.avi")
    shutil.rmtree(data.folder)
