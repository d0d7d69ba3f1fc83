"""prepare_videos.py on tiny imitations of public data sets, with the traps that their own pages tell of."""

import csv
import json
import shutil
from collections import Counter
from pathlib import Path

from signs import command
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.storage import read_info
from signs.prepare.formats.table import FORMATS
from signs.prepare.formats.tree import Tree
from signs.prepare.reading import Found

import pytest

import frame
import imitations
import prepare_videos
import tiny


def prepare(folder: Path, *more) -> int:
    flags = ["--videos", folder / "in", "--output", folder / "out", "--workers", 1, *more]
    return command.run(lambda: prepare_videos.main(list(map(str, flags))))


def made(folder: Path) -> Dataset:
    return load_dataset(folder / "out")


def rows(data: Dataset) -> set[tuple]:
    return {(clip.split, clip.label, clip.signer, clip.start, clip.end) for clip in data.clips}


# Rows of the lists, in all and that become clips, what is said of the others, and what is noted.
EXPECTED = {
    "wlasl": (10, 6, ["07069 (on YouTube AAAAAAAAAAA): its video", "12306: its video"], ["WLASL_v0.2.json was not"]),
    "ms-asl": (10, 5, ["is empty", "no 'start_time'", "label 9 is not in", "begins behind"], ["1 row: frames counted"]),
    "autsl": (6, 5, ["line 4 (signer9_sample9): its video is not there"], ["--format autsl"]),
    "lsa64": (9, 8, ["065_001_001: expected SIGN_SIGNER"], ["those in lsa64_cut/all were taken"]),
    "slovo": (6, 4, ["begins behind the end of the video's 2.00 s"], ["differ in accents alone", "cut already"]),
    "asl-citizen": (6, 4, ["stands there twice"], ["differ in capitals alone are classes of their own: HELLO = Hello"]),
    "include": (6, 5, ["include_test.txt line 2 (Greetings/48. Hello/MVI_77.MOV): its"], ["train_include.csv was not"]),
    "jester": (6, 5, ["jester-v1-train.csv line 4 (77): its video is not there"], ["--format jester"]),
    "ipn-hand": (6, 5, ["frames 90 to 120 begins behind"], ["no validation split"]),
}


@pytest.mark.parametrize("key", imitations.SETS)
def test_a_set_as_it_is_shipped(tmp_path, capsys, key):
    imitations.SETS[key](tmp_path / "in")
    assert prepare(tmp_path) == command.PARTLY
    said, (listed, clips, failed, noted) = capsys.readouterr(), EXPECTED[key]
    data, out = made(tmp_path), " ".join(said.out.split())
    assert len(data.clips) == clips and f"{listed - clips} not done" in said.err, "no row is lost"
    assert not [text for text in failed if text not in said.err]
    assert not [text for text in noted if text not in out]
    official = FORMATS[key]
    assert official.page in out and official.licence in out and "never run on the real files" in out
    assert sum(official.rows[max(official.rows)].values()) or key == "include"
    assert prepare(tmp_path, "--format", key) == command.PARTLY
    assert f"nothing to do: all {clips}" in capsys.readouterr().out
    assert rows(made(tmp_path)) == rows(data)


# A video or folder that is there, as what it is looked for, and where else the lists say that it may be.
GONE = {
    "wlasl": ("raw_videos", ["book 07068 (on YouTube dQw4w9WgXcQ): its video is not there"]),
    "ms-asl": ("bbbbbbbbbbb.mp4", ["MSASL_train.json row 0 (bbbbbbbbbbb): ", "MSASL_val.json row 1 (gone0000000): "]),
    "autsl": ("val/signer2_sample1_color.mp4", ["(signer2_sample1): its video is not there, its depth is"]),
    "slovo": ("train/aa-2.mp4", ["annotations.csv line 3 (aa-2): its video is not there"]),
    "asl-citizen": ("ASL_Citizen/videos/3-hello.mp4", ["val.csv line 2 (3-hello.mp4): its video is not there"]),
    "include": ("Animals/4. Bird/MVI_2.MOV", ["include_val.txt line 1 (Animals/4. Bird/MVI_2.MOV): its"]),
    "jester": ("20bn-jester-v1/10", ["jester-v1-validation.csv line 1 (10): its video is not there"]),
    "ipn-hand": ("frames/1CV12_2_L_#9", ["Annot_TestList.txt line 3 (1CV12_2_L_#9): its video is not there"]),
}


@pytest.mark.parametrize("key", GONE)
def test_what_is_missing_is_called_as_it_is_looked_for(tmp_path, key):
    path, reasons = GONE[key]
    imitations.SETS[key](tmp_path)
    shutil.rmtree(tmp_path / path) if (tmp_path / path).is_dir() else (tmp_path / path).unlink()
    listing = FORMATS[key].read(Tree(tmp_path))
    found = Found([], listing.failed, [], official=FORMATS[key], listing=listing)
    missing = found.missing_of({video.label for video in listing.missing})
    said = "\n".join(map(": ".join, [*found.failed, *missing]))
    assert not [reason for reason in reasons if reason not in said], said


@pytest.mark.parametrize("key", imitations.SETS)
def test_videos_that_no_list_names_are_named(tmp_path, key):
    imitations.SETS[key](tmp_path)
    FORMATS[key].read(tree := Tree(tmp_path))
    known = {"wlasl": ["raw_videos/DQW4W9WGXCQ.mp4"]}.get(key, [])
    assert tree.strays() == known
    imitations.put(tmp_path / "more" / "signer1_sample999_color.mp4", b"")
    imitations.put(tmp_path / "more" / "888" / "00001.jpg", b"")
    FORMATS[key].read(tree := Tree(tmp_path))
    folders = ["more/888"] * (key in ("jester", "ipn-hand"))
    strays = [] if key == "lsa64" else ["more/signer1_sample999_color.mp4"]  # LSA64 has no lists: it is a failure there
    assert tree.strays() == [*folders, *strays, *known]


def test_strays_are_counted_and_all_are_in_not_done_csv(tmp_path, capsys):
    imitations.autsl(tmp_path / "in")
    for number in range(4):
        imitations.put(tmp_path / "in" / "train" / f"signer1_sample{990 + number}_color.mp4", tiny.avi(number))
    assert prepare(tmp_path) == command.PARTLY
    out = " ".join(capsys.readouterr().out.split())
    assert (
        "4 videos that no list names: train/signer1_sample990_color.mp4, " in out and "and 1 more; not_done.csv" in out
    )
    with open(tmp_path / "out" / "not_done.csv", newline="") as file:
        assert ["train/signer1_sample993_color.mp4", "no list names it"] in list(csv.reader(file))


# A folder of videos that its lists lie above, and one of these lists.
ONE_TOO_DEEP = {
    "wlasl": ("videos", "WLASL_v0.3.json"),
    "autsl": ("train", "train_labels.csv"),
    "slovo": ("train", "annotations.csv"),
    "asl-citizen": ("ASL_Citizen/videos", "ASL_Citizen/splits/val.csv"),
    "include": ("Animals", "lists/include_train.txt"),
    "jester": ("20bn-jester-v1", "jester-v1-validation.csv"),
    "ipn-hand": ("frames", "annotations/Annot_TrainList.txt"),
}


@pytest.mark.parametrize("key", ONE_TOO_DEEP)
def test_a_folder_beside_its_lists_or_a_list_alone_says_what_to_give(tmp_path, capsys, key):
    videos, path = (tmp_path / "in" / each for each in ONE_TOO_DEEP[key])
    imitations.SETS[key](tmp_path / "in")
    if key == "autsl":  # as in some releases
        for each in (tmp_path / "in" / "train").glob("*.csv"):
            each.rename(tmp_path / "in" / each.name)
    folder = videos.parent
    for given in (
        (videos,),
        (videos, "--signer-from", "{label}+{take}"),
        (videos, "--format", key),
        (videos, "--rate", 12),
        (path,),
    ):
        flags = ["--videos", *given, "--output", tmp_path / "out", "--workers", 1]
        assert command.run(lambda flags=flags: prepare_videos.main(list(map(str, flags)))) == command.NOTHING
        assert f"give --videos {folder}\n" in capsys.readouterr().err, given


def test_a_folder_beside_no_lists_keeps_its_own_reason(tmp_path, capsys):
    imitations.put(tmp_path / "in" / "a.mp4", tiny.avi(1))
    imitations.wlasl(tmp_path / "WLASL")  # another set beside it is no list of these videos
    assert prepare(tmp_path) == command.NOTHING
    assert "1 video lies in it directly" in capsys.readouterr().err


def test_wlasl(tmp_path):
    imitations.wlasl(tmp_path / "in")
    assert prepare(tmp_path) == command.PARTLY
    data = made(tmp_path)
    assert rows(data) == {
        ("train", "book", "118", None, None),
        ("valid", "book", "7", None, None),
        ("test", "book", "9", 0.4, 1.2),  # frames 11 to 30 at 25/s, both part of it
        ("train", "drink", "118", None, None),
        ("valid", "drink", "118", None, None),
        ("test", "drink", "9", 1.2, 1.96),
    }
    whole = {clip.video(data.folder) for clip in data.clips if clip.start is not None}
    assert len(whole) == 1 and whole.pop().read_bytes() == imitations.film(), "one copy, of the name in its capitals"


def test_a_subset_is_the_first_of_the_list(tmp_path, capsys, monkeypatch):
    imitations.wlasl(tmp_path / "in")
    monkeypatch.setitem(FORMATS["wlasl"].rows, 1, {"": 4})
    assert prepare(tmp_path, "--classes", 1) == command.NOTHING, "one gesture is no classifier"
    assert "one label only, book" in capsys.readouterr().err, "drink has more videos"
    monkeypatch.setitem(FORMATS["wlasl"].rows, 2, {"": 9})
    assert prepare(tmp_path, "--classes", 2) == command.PARTLY
    said = capsys.readouterr()
    assert "12306" not in said.err and " 9 " in said.out, "what another subset lacks is no matter"


def test_ms_asl_shares_one_video(tmp_path):
    imitations.ms_asl(tmp_path / "in")
    assert prepare(tmp_path, "--pad", 0.1) == command.PARTLY
    data = made(tmp_path)
    times = {clip.label: (clip.start, clip.end) for clip in data.split("train")}
    assert times == {"nice": (0, 0.9), "teacher": (0.7, 1.7), "eat": (0.9, 1.6)}
    assert len(list((tmp_path / "out" / "video").rglob("*.mp4"))) == 1


def test_autsl_keeps_depth_apart(tmp_path, capsys):
    imitations.autsl(tmp_path / "in")
    assert prepare(tmp_path) == command.PARTLY
    assert "4 of 5 videos have depth: frame.py --part depth" in capsys.readouterr().out
    data = made(tmp_path)
    assert Counter(clip.split for clip in data.clips) == {"train": 3, "valid": 1, "test": 1}
    depth = sorted(path.name for path in (tmp_path / "out" / "depth").rglob("*.mp4"))
    assert len(depth) == 4, "one has none"
    for clip in data.clips:
        source = tmp_path / "in" / clip.source
        assert "_color" in source.name and clip.video(data.folder).read_bytes() == source.read_bytes()
        there = clip.video(data.folder, "depth")
        other = source.with_name(source.name.replace("_color", "_depth"))
        assert there.exists() == other.exists() and (not there.exists() or there.read_bytes() == other.read_bytes())
    names = {row.label: (row.name, row.extra) for row in data.classes}
    assert names == {"1": ("hurry", {"tr": "acele"}), "2": ("hungry", {"tr": "aç"})}


def test_jester_is_read_from_its_pictures(tmp_path):
    imitations.jester(tmp_path / "in")
    assert prepare(tmp_path, "--transfer", "hardlink") == command.PARTLY
    data = made(tmp_path)
    assert {clip.clip: (clip.split, clip.label, clip.rate) for clip in data.clips}["20"] == ("test", "", 12)
    assert {row.label: row.kind for row in data.classes} == {"Swiping Left": "gesture", "No gesture": "none"}
    first = next(clip for clip in data.clips if clip.clip == "1").video(data.folder)
    assert [path.name for path in sorted(first.iterdir())] == ["00001.jpg", "00002.jpg", "00003.jpg"]
    assert (first / "00001.jpg").samefile(tmp_path / "in" / "20bn-jester-v1" / "1" / "00001.jpg")
    assert frame.main(["--data", str(data.folder), "--frames", "all", "--short-side", "32", "--workers", "1"]) == 0
    info = read_info(next(clip for clip in data.clips if clip.clip == "3").archive(data.folder, "frame-allx32"))
    assert info["times"] == [0, 0.083333, 0.166667] and info["rate"] == 12


def test_ipn_hand_mixes_videos_and_pictures(tmp_path):
    imitations.ipn_hand(tmp_path / "in")
    assert prepare(tmp_path) == command.PARTLY
    data = made(tmp_path)
    assert frame.main(["--data", str(data.folder), "--frames", "all", "--short-side", "32", "--workers", "1"]) == 0
    lengths = {clip.clip: len(read_info(clip.archive(data.folder, "frame-allx32"))["times"]) for clip in data.clips}
    assert lengths == {
        "1CV12_2_L_#9_f00001_f00004": 4,
        "1CV12_2_L_#9_f00005_f00008": 4,
        "1CM1_1_R_#217_f00001_f00010": 10,
        "1CM1_1_R_#217_f00011_f00030": 20,
        "1CM1_1_R_#217_f00031_f00052": 20,  # the list says 22, of which the video has 20
    }
    assert {row.label for row in data.classes if row.kind == "none"} == {"D0X"}
    assert {clip.signer for clip in data.clips} == {"1CM1_1", "1CV12_2"}


def test_a_validation_split_is_drawn_by_people(tmp_path, capsys):
    imitations.slovo(tmp_path / "in")
    assert prepare(tmp_path) == command.PARTLY
    data = made(tmp_path)
    assert {clip.signer for clip in data.split("test")} == {"u3"} and len(data.split("valid")) == 1
    assert "1 of 3 clips of train went to valid, by person" in " ".join(capsys.readouterr().out.split())
    assert prepare(tmp_path, "--shares", 0, 0) == command.PARTLY
    assert not made(tmp_path).split("valid")


def test_a_signer_in_two_official_splits_is_said(tmp_path, capsys):
    imitations.wlasl(tmp_path / "in")
    assert prepare(tmp_path) == command.PARTLY
    assert "signers in two splits" in capsys.readouterr().out


@pytest.mark.parametrize("key", imitations.SETS)
def test_a_set_given_as_another(tmp_path, capsys, key):
    imitations.SETS[key](tmp_path / "in")
    for other in FORMATS.keys() - {key}:
        assert prepare(tmp_path, "--format", other) == command.NOTHING
        said = capsys.readouterr().err
        assert f"no {FORMATS[other].name} in it: expected" in said and f"looks like {FORMATS[key].name}" in said
    assert not (tmp_path / "out").exists()


def test_lists_of_two_sets(tmp_path, capsys):
    imitations.wlasl(tmp_path / "in")
    imitations.ms_asl(tmp_path / "in")
    assert prepare(tmp_path) == command.NOTHING
    assert "say which one: --format wlasl, --format ms-asl" in capsys.readouterr().err
    assert prepare(tmp_path, "--format", "ms-asl") == command.PARTLY


def test_another_list_under_the_name(tmp_path, capsys):
    imitations.wlasl(tmp_path / "in")
    path = tmp_path / "in" / "WLASL_v0.3.json"
    path.write_text('{"69241": {"subset": "train", "action": [0, 1, 9]}}')
    assert prepare(tmp_path) == command.NOTHING
    assert "JSON, but of another set: expected a list" in capsys.readouterr().err
    path.write_text('["69241", {"gloss": "x"}]')
    assert prepare(tmp_path) == command.NOTHING
    assert "no row of WLASL can be used" in capsys.readouterr().err
    path.write_text(json.dumps([{"gloss": "x"}])[:-3])
    assert prepare(tmp_path) == command.NOTHING
    assert "no whole JSON file" in capsys.readouterr().err


def test_a_row_that_makes_no_sense_costs_no_other(tmp_path, capsys):
    imitations.wlasl(tmp_path / "in")
    path = tmp_path / "in" / "WLASL_v0.3.json"
    entries = json.loads(path.read_text())
    entries[0]["instances"][:0] = [{"split": "train"}, 7]
    entries[:0] = [{"gloss": "nothing"}, "x"]
    path.write_text(json.dumps(entries))
    assert prepare(tmp_path) == command.PARTLY
    said = capsys.readouterr().err
    assert len(made(tmp_path).clips) == 6 and "8 not done" in said, "four more than as it was"
    assert "WLASL_v0.3.json book ?: no row of this set (no 'video_id')" in said and "book 7: no row" in said


def test_two_versions_of_a_list(tmp_path, capsys):
    imitations.slovo(tmp_path / "in")
    content = (tmp_path / "in" / "annotations.csv").read_text()
    imitations.put(tmp_path / "in" / "copy" / "annotations.csv", content)
    assert prepare(tmp_path) == command.PARTLY, "equal ones are one"
    imitations.put(tmp_path / "in" / "copy" / "annotations.csv", content + "\n")
    assert prepare(tmp_path) == command.NOTHING
    assert "two versions of a list, annotations.csv, copy/annotations.csv" in capsys.readouterr().err


def test_half_of_the_videos_are_missing(tmp_path, capsys):
    folder = tmp_path / "in"
    words = [(f"w{number % 4}", number) for number in range(40)]
    lines = ["Participant ID,Video file,Gloss,ASL-LEX Code", *(f"P{n % 3},{n}.mp4,{word},x" for word, n in words)]
    imitations.put(folder / "splits" / "train.csv", "\n".join(lines))
    for _, number in words:
        if number % 2:
            imitations.put(folder / "videos" / f"{number}.mp4", imitations.tiny.avi(number))
    assert prepare(tmp_path) == command.PARTLY
    said = capsys.readouterr()
    assert "2 of 4 classes have a video, 2 have lost more than half" in said.out
    assert "20 not done" in said.err and len(made(tmp_path).clips) == 20
    with open(tmp_path / "out" / "not_done.csv", newline="") as file:
        assert [row["reason"] for row in csv.DictReader(file)].count("its video is not there") == 20


def test_depth_in_a_folder_per_label_is_no_clip(tmp_path, capsys):
    for number, (label, name) in enumerate((label, name) for label in "ab" for name in ("1", "2", "3")):
        imitations.put(tmp_path / "in" / label / f"{name}_color.avi", imitations.tiny.avi(number))
        imitations.put(tmp_path / "in" / label / f"{name}_depth.avi", imitations.tiny.avi(number + 50))
        imitations.put(tmp_path / "in" / label / f"M_{name}.avi", imitations.tiny.avi(number + 100))
        imitations.put(tmp_path / "in" / label / f"K_{name}.avi", imitations.tiny.avi(number + 150))
    assert prepare(tmp_path, "--signer-from", "{label}/{take}") == command.DONE
    data = made(tmp_path)
    assert len(data.clips) == 12 and "12 videos of depth: parts of their colour clips" in capsys.readouterr().out
    assert len(list((tmp_path / "out" / "depth").rglob("*.avi"))) == 12
    assert not [clip for clip in data.clips if "depth" in clip.source or "K_" in clip.source]


@pytest.mark.parametrize("key, name", [("ms-asl", "MSASL_train.json"), ("asl-citizen", "train.csv")])
def test_two_versions_of_one_splits_list_are_not_mixed(tmp_path, capsys, key, name):
    imitations.SETS[key](tmp_path / "in")
    path = next((tmp_path / "in").rglob(name))
    imitations.put(tmp_path / "in" / "new" / name, path.read_text() + "\n")
    assert prepare(tmp_path) == command.NOTHING
    assert f"two versions of a list, {path.relative_to(tmp_path / 'in')} and new/{name}" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_depth_in_folders_and_depth_alone_are_no_clips(tmp_path, capsys):
    number = iter(range(99))
    for label in "ab":
        for take in "123":
            for kind in ("color", "depth"):
                imitations.put(tmp_path / "in" / label / kind / f"{take}.avi", imitations.tiny.avi(next(number)))
    (tmp_path / "in" / "a" / "color" / "1.avi").unlink()
    assert prepare(tmp_path) == command.PARTLY
    said, data = capsys.readouterr(), made(tmp_path)
    assert sorted(clip.source for clip in data.clips) == sorted(
        f"{label}/color/{take}.avi" for label in "ab" for take in "123" if label + take != "a1"
    )
    assert "5 videos of depth" in said.out and "a/depth/1.avi: depth without its colour video" in said.err
    assert len(list((tmp_path / "out" / "depth").rglob("*.avi"))) == 5


def test_two_signs_called_color_and_depth_are_two_signs(tmp_path):
    for number, (label, take) in enumerate((label, take) for label in ("color", "depth") for take in "123"):
        imitations.put(tmp_path / "in" / label / f"{take}.avi", imitations.tiny.avi(number))
    assert prepare(tmp_path) == command.DONE
    assert sorted(clip.label for clip in made(tmp_path).clips) == ["color"] * 3 + ["depth"] * 3
