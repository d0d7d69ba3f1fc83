"""prepare_videos.py on tables and folders of tiny files, and on the real clips where they are at hand."""

import csv
import errno
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path, PurePath

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset, load_dataset
from signs.prepare import splits, summary
from signs.prepare.transfer import TRANSFERS
from signs.prepare.video_table import unique_names

import pytest

import prepare_videos
import tiny
from tiny import avi

REPOSITORY = tiny.REPOSITORY


def write_rows(table: Path, rows: list[dict[str, str]]) -> None:
    with open(table, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six people who make each of three signs twice, in files whose names are equal from person to person."""
    rows = []
    for person in range(1, 7):
        for label in ("wave", "stop", "none"):
            for take in (1, 2):
                path = tmp_path / "in" / f"P{person}" / f"{label}_{take}.avi"
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(avi(len(rows)))
                name = path.relative_to(tmp_path).as_posix()
                rows.append({"video": name, "label": label, "signer": f"P{person}", "light": "good"})
    write_rows(tmp_path / "videos.csv", rows)
    return tmp_path / "videos.csv"


def read_rows(table: Path) -> list[dict[str, str]]:
    with open(table, newline="") as file:
        return list(csv.DictReader(file))


def prepare(videos: Path, *more: str) -> int:
    argv = ["--videos", str(videos), "--output", str(videos.parent / "made"), "--workers", "1", *more]
    return command.run(lambda: prepare_videos.main(argv))


def failing(videos: Path, capsys, code: int, *more: str) -> str:
    """Run, expect this exit code, and return what was said on stderr: never a traceback, no temporary file left."""
    capsys.readouterr()
    assert prepare(videos, *more) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.strip()
    assert not list(videos.parent.rglob(".*.part*"))
    return said


def made(videos: Path) -> Dataset:
    return load_dataset(videos.parent / "made")


def signers(data: Dataset) -> dict[str, set[str]]:
    return {part: {clip.signer for clip in data.split(part)} for part in dataset.SPLITS}


def test_table(table, capsys):
    assert prepare(table, "--none-labels", "none") == command.DONE
    data = made(table)
    assert len(data.clips) == 36 and "36 videos written" in capsys.readouterr().out
    assert {row.label: row.kind for row in data.classes} == {"wave": "gesture", "stop": "gesture", "none": "none"}
    assert data.clips[0].clip == "P1_wave_1" and data.clips[0].source == "in/P1/wave_1.avi"
    for clip in data.clips:
        assert command.sha256(clip.video(data.folder)) == clip.sha256 == command.sha256(table.parent / clip.source)
    people = signers(data)
    assert {part: len(who) for part, who in people.items()} == {"train": 4, "valid": 1, "test": 1}
    assert len(set().union(*people.values())) == 6
    assert prepare(table, "--none-labels", "none") == command.DONE
    assert "nothing to do: all 36" in capsys.readouterr().out


def test_seed(table):
    found = set()
    for seed in range(6):
        prepare(table, "--seed", str(seed), "--transfer", "link")
        first = signers(made(table))
        prepare(table, "--seed", str(seed), "--transfer", "link")
        assert signers(made(table)) == first
        found.add(str(sorted(first["test"])))
    assert len(found) > 1
    data, below = made(table), command.remove_leftovers(table.parent / "made" / "video")
    assert summary.left_over(data, below) == [], "videos move with their split"


def test_files_that_no_row_names_are_named(table, capsys):
    prepare(table)
    (table.parent / "made" / "video" / "train" / "old.lrv").touch()
    capsys.readouterr()
    prepare(table)
    found = "made is in no row of clips.csv; delete what is not wanted: video/train/old.lrv"
    assert found in "".join(capsys.readouterr().out.splitlines())


def test_a_label_whose_only_video_is_missing_and_empty_rows(table, capsys):
    rows = [*read_rows(table), {"video": "in/none.avi", "label": "gone", "signer": "P1", "light": ""}]
    write_rows(table, rows)
    with open(table, "a") as file:
        file.write(",,,\n , ,,\n")
    assert prepare(table) == command.PARTLY
    said = capsys.readouterr()
    assert "1 not done" in said.err and "in/none.avi: no such file" in said.err
    assert "note: left out, as none of their videos can be read: gone" in said.out
    assert [row.label for row in made(table).classes] == ["none", "stop", "wave"]


def test_named_signers(table, capsys):
    assert prepare(table, "--valid-signers", "P2", "--test-signers", "P1,P6") == command.DONE
    assert signers(made(table)) == {"train": {"P3", "P4", "P5"}, "valid": {"P2"}, "test": {"P1", "P6"}}
    assert "signer P9 is not in the table; signers there: P1, P2" in failing(
        table, capsys, command.NOTHING, "--test-signers", "P9"
    )


def test_signer_in_two_flags(table, capsys):
    said = failing(table, capsys, command.NOTHING, "--valid-signers", "P2", "--test-signers", "P1,P2")
    assert "signer P2 is named for valid and test" in said


def test_split_column(table, capsys):
    rows = read_rows(table)
    for row in rows:
        row["split"] = {"P5": "val", "P6": "test"}.get(row["signer"], "train")
    write_rows(table, rows)
    assert prepare(table) == command.DONE
    assert signers(made(table))["valid"] == {"P5"}
    assert "split column, which wins" in failing(table, capsys, command.NOTHING, "--test-signers", "P1")
    rows[0]["split"] = "test"
    write_rows(table, rows)
    assert "signer P1 is in train and test" in failing(table, capsys, command.NOTHING)
    assert prepare(table, "--allow-shared-signers") == command.DONE
    assert "new people: P1 (train, test)" in capsys.readouterr().out


def test_no_signers(table, capsys):
    rows = [{"video": row["video"], "label": row["label"]} for row in read_rows(table)]
    write_rows(table, rows)
    assert prepare(table) == command.DONE
    assert all(set(counts.values()) <= {2, 8} for counts in made(table).count().values())
    assert "no signer is known" in capsys.readouterr().out


def test_some_signers(table, capsys):
    rows = read_rows(table)
    rows[0]["signer"] = ""
    write_rows(table, rows)
    assert prepare(table) == command.DONE
    assert made(table).clips[0].split == "train"
    assert "1 video of unknown signers went to train" in capsys.readouterr().out


def test_too_few_signers(table, capsys):
    write_rows(table, [row for row in read_rows(table) if row["signer"] in ("P1", "P2")])
    assert "2 signers are too few" in failing(table, capsys, command.NOTHING)
    assert prepare(table, "--shares", "0", "0.4") == command.DONE
    assert prepare(table, "--allow-shared-signers") == command.DONE
    assert "fractions" in failing(table, capsys, command.NOTHING, "--shares", "0.5", "0.5")


def test_folder_per_label(table, capsys):
    top = table.parent / "by_label"
    for row in read_rows(table):
        target = top / row["label"] / row["signer"] / PurePath(row["video"]).name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(table.parent / row["video"], target)
    assert prepare(top) == command.DONE
    assert Counter(clip.label for clip in made(top).clips) == {"wave": 12, "stop": 12, "none": 12}
    (top / "empty").mkdir()
    assert "no video in this folder" in failing(top, capsys, command.PARTLY)


@pytest.mark.parametrize("transfer", TRANSFERS)
def test_transfers(table, transfer, capsys):
    for _ in range(2):
        assert prepare(table, "--transfer", transfer) == command.DONE
    assert "nothing to do" in capsys.readouterr().out
    data = made(table)
    video, source = data.clips[0].video(data.folder), table.parent / data.clips[0].source
    assert (video.is_symlink(), video.samefile(source)) == (transfer == "link", transfer != "copy")
    assert prepare(table, "--transfer", "copy") == command.DONE
    assert not video.is_symlink() and not video.samefile(source) and source.read_bytes() == video.read_bytes()


def test_fewer_classes(table, capsys):
    write_rows(table, read_rows(table)[1:])  # one wave fewer
    assert prepare(table, "--classes", "1", "--none-labels", "none") == command.DONE
    assert [row.label for row in made(table).classes] == ["none", "stop"]
    assert prepare(table, "--min-clips", "12") == command.DONE
    assert [row.label for row in made(table).classes] == ["none", "stop"]
    assert "no label with 99 videos" in failing(table, capsys, command.NOTHING, "--min-clips", "99")
    assert "--none-labels what: no such label" in failing(table, capsys, command.NOTHING, "--none-labels", "what")


def test_class_table(table, capsys):
    (table.parent / "class.csv").write_text("label,name,kind\nwave,Wave,gesture\nstop,Stop,gesture\n")
    said = failing(table, capsys, command.PARTLY, "--classes", str(table.parent / "class.csv"))
    assert "label none is not in" in said and "12 not done" in said
    assert [row.name for row in made(table).classes] == ["Wave", "Stop"]


def test_unlabelled(table):
    rows = read_rows(table)
    rows[0]["label"] = ""
    write_rows(table, rows)
    assert prepare(table) == command.DONE
    data = made(table)
    assert data.clips[0].video(data.folder).parent.name == dataset.UNLABELLED


def test_identical_files(table, capsys):
    shutil.copy(table.parent / "in/P1/wave_1.avi", table.parent / "in/P2/wave_1.avi")
    assert prepare(table, "--valid-signers", "P2") == command.DONE
    said = capsys.readouterr().out
    assert "identical files in two splits: P1_wave_1 (train) = P2_wave_1 (valid)" in said


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "no such file"),
        (b"", "an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "a text file, not a video; it begins 'version https"),
        (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", "a picture (PNG), not a video"),
    ],
)
def test_no_video(table, capsys, content, reason):
    path = table.parent / "in/P1/wave_1.avi"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    said = failing(table, capsys, command.PARTLY)
    assert f"videos.csv line 2, in/P1/wave_1.avi: {reason}" in said and "1 not done (named above), 35 done" in said
    assert len(made(table).clips) == 35


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"video": ""}, "line 2: no video in this row"),
        ({"label": "up\x1b[2J"}, "label 'up\\x1b[2J' holds a character that controls the screen, U+001B"),
        ({"label": "w" * 201}, "has 201 characters; expected one line of text, at most 200 characters"),
        ({"signer": "\u200b"}, "signer '\\u200b' shows nothing"),
        ({"split": "exam"}, "split 'exam'; expected train, valid, test"),
        ({"video": "in/P1/wave_2.avi"}, "stands in videos.csv line 2 already"),
    ],
)
def test_bad_row(table, capsys, row, reason):
    rows = [{**each, "split": ""} for each in read_rows(table)]
    rows[0].update(row)
    write_rows(table, rows)
    assert reason in failing(table, capsys, command.PARTLY)
    assert len(made(table).clips) == 35


def test_bad_file_name(table, capsys):
    odd = table.parent / "in" / "P1" / "-wave\n.avi"
    (table.parent / "in/P1/wave_1.avi").rename(odd)
    rows = read_rows(table)
    rows[0]["video"] = "in/P1/-wave\n.avi"
    write_rows(table, rows)
    said = failing(table, capsys, command.PARTLY)
    assert "in/P1/-wave\\n.avi: clip name '" in said and "wave\\n' holds a character that controls the screen" in said


def test_no_table(table, capsys):
    assert "no such file or folder" in failing(table.parent / "nowhere.csv", capsys, command.NOTHING)
    assert "a video; expected a table" in failing(table.parent / "in/P1/wave_1.avi", capsys, command.NOTHING)
    table.write_text("where,label\n")
    assert "no column video; found where, label" in failing(table, capsys, command.NOTHING)
    table.write_text("video,label\n")
    assert "no row in it" in failing(table, capsys, command.NOTHING)
    table.write_bytes(avi(1) + b"\xff\xfe")
    failing(table, capsys, command.NOTHING)
    (table.parent / "empty").mkdir()
    assert "expected a folder per label" in failing(table.parent / "empty", capsys, command.NOTHING)
    assert not (table.parent / "made").exists()


def test_disc_full(table, capsys, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: shutil._ntuple_diskusage(10, 9, 1))
    assert "GB needed" in failing(table, capsys, command.NOTHING)
    monkeypatch.undo()
    real, calls = shutil.copyfile, []

    def full(source, target):
        calls.append(target)
        if len(calls) == 5:
            Path(target).write_bytes(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(target))
        return real(source, target)

    monkeypatch.setattr(shutil, "copyfile", full)
    assert "the disc is full" in failing(table, capsys, command.NOTHING)
    monkeypatch.undo()
    assert prepare(table) == command.DONE
    assert len(made(table).clips) == 36


def test_two_runs_at_once(table, capsys):
    with command.lock(table.parent / "made"):
        assert "another run is writing there" in failing(table, capsys, command.NOTHING)


def test_equal_names():
    names = ["a/x/1.avi", "b/x/1.avi", "b/y/1.avi", "b/y/2.avi", "c/3.avi", "c/3.mp4", "d/E.avi", "d2/e.avi"]
    expected = ["a_x_1", "b_x_1", "y_1", "2", "c_3_avi", "c_3_mp4", "d_E", "d2_e"]
    assert unique_names([PurePath(name) for name in names]) == expected


def test_signers_cover_classes():
    counts = {f"P{n}": Counter({f"L{k}": 3 for k in range(20) if (k + n) % 4}) for n in range(30)}
    wanted = splits.split_shares(0.2, 0.2)
    found = splits.by_signer(counts, wanted, 0)
    assert found == splits.by_signer(dict(reversed(counts.items())), wanted, 0)
    for part, share in wanted.items():
        inside = [counts[signer] for signer in found if found[signer] == part]
        assert abs(sum(each.total() for each in inside) / (30 * 45) - share) < 0.05
        assert len(set().union(*inside)) == 20


def test_identical_files_share_a_split():
    units = [("same", "a")] * 5 + [(f"u{n}", "a") for n in range(9)] + [("only", "b")]
    found = splits.by_label(units, splits.split_shares(0.2, 0.2), 3)
    assert Counter(found.values()) == {"train": 7, "valid": 2, "test": 2} and found["only"] == "train"


def test_real_clips(shared, tmp_path):
    table = shared("clips/gestures.csv")
    people = ["--train-signers", "S1,S2,S3,S4", "--valid-signers", "S5", "--test-signers", "S6"]
    argv = ["--videos", table, "--output", tmp_path / "real", "--transfer", "link", "--none-labels", "random,static"]
    done = subprocess.run([sys.executable, REPOSITORY / "prepare_videos.py", *argv, *people], capture_output=True)
    assert done.returncode == 0, done.stderr
    data = load_dataset(tmp_path / "real")
    assert [len(data.split(part)) for part in dataset.SPLITS] == [180, 45, 45]
    assert len({clip.clip for clip in data.clips}) == len({clip.video(data.folder) for clip in data.clips}) == 270
    assert signers(data) == {"train": {"S1", "S2", "S3", "S4"}, "valid": {"S5"}, "test": {"S6"}}
    assert [row.label for row in data.classes if row.kind == "none"] == ["random", "static"]
    assert all(clip.video(data.folder).samefile(table.parent / clip.source) for clip in data.clips)


def test_a_dry_run_says_what_it_takes_and_writes_nothing(table, capsys):
    assert prepare(table, "--dry-run") == command.DONE
    estimate = r"estimate from \d+ clips: 36 clips, [\d.e-]+ core-hours, [\d.e-]+ GB in 36 files, about "
    assert re.search(estimate, capsys.readouterr().out) and not (table.parent / "made").exists()
    assert prepare(table, "--dry-run", "--transfer", "hardlink") == command.DONE
    assert " core-hours, about " in capsys.readouterr().out, "a link takes no room"
    for path in (table.parent / "in").rglob("*.avi"):
        path.write_text("no video")
    assert "not a video" in failing(table, capsys, command.NOTHING, "--dry-run")
