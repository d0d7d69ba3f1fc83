"""A folder of takes: whole or not at all, whatever the names; prepare_videos.py reads it as it is."""

import csv
import errno
import os
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import load_dataset
from signs.command import Problem
from signs.prepare.recordings import Recordings, check_scope, read_recordings

import pytest

import prepare_videos
import tiny

ARABIC = "مرحبا"
ALL = ("training", "loops", "sharing")


def films(count: int) -> list[bytes]:
    return [tiny.avi(number) for number in range(count)]  # what is inside decides, not the name


@pytest.fixture
def folder(tmp_path) -> Recordings:
    return read_recordings(tmp_path / "mine")


def test_whose_takes_may_be_shown(folder):
    for signer, scope in (("anna", ALL), ("ben", ["training", "loops"]), ("cem", ALL)):
        folder.add_consent(signer, scope, signer)
    one, two, three, four = films(4)
    anna, ben = folder.add(one, "go", "Anna"), folder.add(two, "go", "ben")
    for signer in ("anna", "ben"):  # the same video, of both
        both = folder.add(three, "come", signer)
    folder.add(four, "go", "stranger")
    assert folder.allowing(["loops", "sharing"]) == {anna.sha256}
    assert folder.allowing(["loops"]) == {anna.sha256, ben.sha256, both.sha256}


def test_a_data_set_knows_what_people_allow_until_they_allow_something_else(folder, tmp_path):
    """Whoever reads the table or the folder of videos: `loops` decides whether reports show them."""
    for signer, scope in (("anna", ALL), ("ben", ["training"])):
        folder.add_consent(signer, scope, signer)
    for signer, film in zip(("anna", "ben", "cem"), films(3), strict=True):
        folder.add(film, "go" if signer == "anna" else "come", signer)
    asked = {"anna": "training loops sharing", "ben": "training", "cem": "none"}

    def prepare(videos, *more) -> dict[str, str]:
        flags = ["--videos", str(videos), "--output", str(tmp_path / "data"), "--shares", "0", "0", *more]
        assert prepare_videos.main([*flags, "--workers", "1"]) == 0
        clips = load_dataset(tmp_path / "data").clips
        assert [item.signer for item in clips if item.may_be_shown] == ["anna"]
        return {item.signer: item.consent for item in clips}

    assert prepare(folder.folder / "clips.csv") == asked
    assert prepare(folder.folder / "video", "--signer-from", "{signer}/{signer}_{label}_{take}") == asked
    table = folder.folder / "consent.csv"
    table.write_text(table.read_text().replace("ben,training,", "ben,training sharing,"))
    assert prepare(folder.folder / "clips.csv") == asked | {"ben": "training sharing"}
    data = load_dataset(tmp_path / "data")
    dataset.save_dataset(replace(data, clips=[replace(item, consent="") for item in data.clips]))
    assert "consent" not in (tmp_path / "data" / "clips.csv").read_text().partition("\n")[0]
    assert all(item.may_be_shown for item in load_dataset(tmp_path / "data").clips), "nobody was asked"


def test_takes_of_several_people_and_languages(folder, tmp_path, capsys):
    one, two, three, four, five, six = films(6)
    for signer in ("anna", "../x"):
        folder.add_consent(signer, ALL, signer)
    rows = [folder.add(film, "Go", "anna") for film in (one, two)]
    rows += [folder.add(three, "go", "anna"), folder.add(four, ARABIC, "../x"), folder.add(five, "Go", "../x")]
    rows.append(folder.add(six, "nothing", "anna", ["too dark", "nothing moved"]))
    assert [row.take for row in rows] == [1, 2, 1, 1, 1, 1]
    assert read_recordings(folder.folder) == folder
    assert all(folder.path(row).resolve().is_relative_to(folder.folder.resolve() / "video") for row in rows)
    names = [row.video.lower() for row in rows]
    assert len(set(names)) == 6 and f"_{ARABIC}_1" in names[3]
    table, data = folder.folder / "clips.csv", tmp_path / "data"
    flags = [
        "--videos",
        table,
        "--output",
        data,
        "--none-labels",
        "nothing",
        "--allow-shared-signers",
        "--workers",
        "1",
    ]
    assert prepare_videos.main([*map(str, flags), "--shares", "0", "0"]) == command.DONE
    prepared = load_dataset(data)
    assert {(clip.label, clip.signer) for clip in prepared.clips} == {(row.label, row.signer) for row in rows}
    assert {row.label: row.kind for row in prepared.classes} == {
        **dict.fromkeys(("Go", "go", ARABIC), "gesture"),
        "nothing": "none",
    }


def test_long_and_empty_names(folder):
    film = films(1)[0]
    row = folder.add(film, "x" * 200, "y" * 200)
    assert all(len(part.encode()) < 160 for part in Path(row.video).parts) and folder.path(row).is_file()
    for label, signer in (("", "anna"), (" ", "anna"), ("hello", ""), ("x" * 201, "anna"), ("a\nb", "anna")):
        with pytest.raises(Problem, match="expected one line of text"):
            folder.add(film, label, signer)
    assert len(folder.rows) == 1


def test_numbers_go_on_after_undo_and_beside_what_a_killed_run_left(folder):
    one, two, three = films(3)
    first, second = folder.add(one, "hello", "anna"), folder.add(two, "hello", "anna")
    folder.remove([second])
    assert not folder.path(second).exists() and folder.takes("anna", "hello") == 1
    folder.path(second).write_bytes(two)  # its row was never written
    third = read_recordings(folder.folder).add(three, "hello", "Anna")
    assert third.take == 2 and third.video not in (first.video, second.video)


@pytest.mark.parametrize("table", ["clips.csv", "video"])
def test_a_full_disc_leaves_neither_row_nor_video(folder, monkeypatch, table):
    kept = folder.add(films(1)[0], "hello", "anna")
    before, real = tiny.contents(folder.folder), os.replace

    def full(source, target):
        if table in str(target.relative_to(folder.folder)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        folder.add(films(2)[1], "hello", "anna")
    assert tiny.contents(folder.folder) == before and folder.rows == [kept]


def test_a_person_is_deleted_altogether(folder):
    films_of = films(3)
    for signer in ("anna", "ben"):
        folder.add_consent(signer, ["training"], "her mother")
    kept = folder.add(films_of[0], "hello", "ben")
    for film in films_of[1:]:
        row = folder.add(film, "hello", "anna")
        archive = folder.folder / "landmark-30fps" / f"{row.sha256}.zip"
        archive.parent.mkdir(exist_ok=True)
        archive.touch()
    assert folder.remove_signer("ANNA") == 2
    left = tiny.contents(folder.folder)
    assert sorted(left) == ["clips.csv", "consent.csv", kept.video]
    assert b"anna" not in left["clips.csv"] + left["consent.csv"]
    assert read_recordings(folder.folder).consent_of("ben").given_by == "her mother"


def test_one_person_whatever_the_capitals(folder):
    folder.add_consent("Anna", ALL, "Anna")
    assert folder.spelling("anna") == "Anna" and folder.spelling("ben") == "ben"
    assert folder.consent_of("ANNA").scope == ALL


def test_consent_in_words():
    assert check_scope(["sharing", "training"]) == ("training", "sharing")
    with pytest.raises(Problem, match="without training"):
        check_scope(["loops"])
    with pytest.raises(Problem, match="expected training, loops, sharing"):
        check_scope(["training", "everything"])


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("video", "../../x.mp4", "leads elsewhere"),
        ("video", "x.mp4", "expected video/"),
        ("take", "two", "invalid literal"),
        ("signer", "", "signer is empty"),
    ],
)
def test_a_table_that_somebody_changed_is_named(folder, name, value, said):
    folder.add(films(1)[0], "hello", "anna")
    table = folder.folder / "clips.csv"
    rows = list(csv.DictReader(table.read_text().splitlines()))
    dataset.write_table(table, [rows[0] | {name: value}], rows[0].keys())
    with pytest.raises(Problem, match=said):
        read_recordings(folder.folder)


def test_a_data_set_is_no_folder_of_recordings(tmp_path):
    with pytest.raises(Problem, match="a data set"):
        read_recordings(tiny.data_set(tmp_path / "data").folder)


def test_points_beside_the_table_come_along_once(folder, tmp_path, capsys):
    rows = [folder.add(film, label, "anna") for film, label in zip(films(3), ("hello", "bye", "bye"), strict=True)]
    store = folder.folder / "landmark-30fps"
    store.mkdir()
    for row in rows[:2]:
        (store / f"{row.sha256}.zip").write_text(row.label)
    (store / f"{'0' * 64}.zip").write_text("of another folder")
    flags = ["--videos", f"{folder.folder / 'clips.csv'}", "--output", f"{tmp_path / 'data'}", "--shares", "0", "0"]
    for brought in (2, 0):
        assert prepare_videos.main([*flags, "--workers", "1"]) == command.DONE
        assert (f"points of {brought} clips were found already" in capsys.readouterr().out) == bool(brought)
    prepared = tiny.contents(tmp_path / "data" / "landmark-30fps")
    assert prepared == {"train/hello/anna_hello_1.zip": b"hello", "train/bye/anna_bye_1.zip": b"bye"}
