"""prepare_chalearn2014.py on tiny recordings packed as ChaLearn packs its own, and on each way to break one.

A drawn person stands in front of a texture: a grey ellipse for the body, a bright disc for each hand, and the skeleton
that goes with them. The right hand is lifted, the left one hangs.
"""

import io
import re
import shutil
import zipfile
from pathlib import Path

from signs import command
from signs.clips import dataset, storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.video import read_video
from signs.prepare import crops, montalbano, transfer

import cv2
import numpy as np
import pytest

import frame
import prepare_chalearn2014
import tiny
from encryption import encrypt

HEIGHT, WIDTH, FRAMES = 120, 160, 24
LABELS = "18,3,9\n10,12,20\n"
RIGHT, LEFT, SHIRT = (255, 40, 40), (40, 40, 255), (200, 200, 200)
PARTS = dataset.PARTS


def person(scale: float = 1.0) -> dict[str, np.ndarray]:
    """Joint -> (T, 2) pixels: hips 60 px below the head at scale 1; the right hand sways above the shoulder."""
    middle, times = np.array([80.0, 60.0]), np.arange(FRAMES)
    still = {"Head": (0, -30), "HipCenter": (0, 30), "HandLeft": (-24, 26)}
    joints = {name: np.tile(middle + scale * np.array(at), (FRAMES, 1)) for name, at in still.items()}
    sway = np.stack([28 + 4 * np.sin(times / 4), np.full(FRAMES, -24.0)], axis=1)
    return {**joints, "HandRight": middle + scale * sway}


def pictures(scale: float = 1.0) -> dict[str, np.ndarray]:
    """The colour (RGB), depth and user video of a recording, (T, H, W, 3) uint8."""
    joints = person(scale)
    colour, depth, user = tiny.moving(FRAMES, HEIGHT, WIDTH), np.full((FRAMES, HEIGHT, WIDTH, 3), 200, np.uint8), []
    for t in range(FRAMES):
        mask = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        body = (80, 60), (round(18 * scale), round(42 * scale)), 0, 0, 360
        for image, value in ((colour[t], SHIRT), (depth[t], (100,) * 3), (mask, (255,) * 3)):
            cv2.ellipse(image, *body, value, -1)
        for name, value in (("HandLeft", LEFT), ("HandRight", RIGHT)):
            at = joints[name][t].round().astype(int).tolist()
            for image, paint in ((colour[t], value), (depth[t], (60,) * 3), (mask, (255,) * 3)):
                cv2.circle(image, at, round(7 * scale), paint, -1)
        user.append(mask)
    return {"color": colour, "depth": depth, "user": np.stack(user)}


def skeleton(joints: dict[str, np.ndarray], rows: int = FRAMES) -> str:
    """The CSV of a skeleton: 9 numbers a joint, pixels last, whole ones as Kinect's."""
    table = np.full((rows, len(crops.JOINTS), 9), 0.5)
    table[..., 7:] = 50
    for name, way in joints.items():
        table[:, crops.JOINTS.index(name), 7:] = way[:rows].round()
    return "".join(",".join(f"{value:g}" for value in row.ravel()) + "\n" for row in table)


def mp4(images: np.ndarray, folder: Path) -> bytes:
    return tiny.write_video(folder / "made.mp4", images, 20, "mp4v").read_bytes()


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> dict[str, bytes]:
    """The files of a recording, by kind and suffix."""
    folder = tmp_path_factory.mktemp("plain")
    videos = {f"{kind}.mp4": mp4(images, folder) for kind, images in pictures().items()}
    texts = {"skeleton": skeleton(person()), "data": f"{FRAMES},20,2457\n", "labels": LABELS}
    return {**videos, **{f"{kind}.csv": text.encode() for kind, text in texts.items()}}


def packed(files: dict[str, bytes | str], name: str = "") -> bytes:
    """A zip of files, each with `<name>_` in front."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as made:
        for kind, value in files.items():
            made.writestr(f"{name}_{kind}" if name else kind, value)
    return content.getvalue()


@pytest.fixture
def download(tmp_path, plain) -> Path:
    """Two recordings for training, zips in a zip; one of valid; an unpacked one of test, without labels."""
    folder = tmp_path / "_download"
    folder.mkdir()
    names = ("Sample0001", "Sample0002")
    (folder / "train1.zip").write_bytes(packed({f"{name}.zip": packed(plain, name) for name in names}))
    (folder / "validation1.zip").write_bytes(packed({"Sample0471.zip": packed(plain, "Sample0471")}))
    unpacked = folder / "test" / "Sample0701"
    unpacked.mkdir(parents=True)
    for kind, content in plain.items():
        if kind != "labels.csv":
            (unpacked / f"Sample0701_{kind}").write_bytes(content)
    return folder


def replace_recording(download: Path, files: dict[str, bytes | str]) -> None:
    """Only one recording is left, and it is this one."""
    shutil.rmtree(download)
    download.mkdir()
    (download / "Sample0001.zip").write_bytes(packed(files, "Sample0001"))


def prepare(download: Path, *more: str) -> int:
    argv = ["--download", str(download), "--output", str(download.parent / "made"), "--workers", "1", *more]
    return command.run(lambda: prepare_chalearn2014.main(argv))


def made(download: Path) -> Dataset:
    return load_dataset(download.parent / "made")


def there(download: Path) -> dict[str, set[str]]:
    """{part: names of its clips on disc}"""
    return {part: {path.stem for path in (download.parent / "made" / part).rglob("*.avi")} for part in PARTS}


def times(download: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in (download.parent / "made").rglob("*.avi")}


def failing(download: Path, capsys, code: int, *more: str) -> str:
    """Run, expect this exit code; what was said on stderr: never a traceback, nothing half-written left."""
    assert prepare(download, *more) == code
    said = capsys.readouterr().err
    assert "Traceback" not in said and said.strip()
    assert not list(download.parent.rglob(".*.part*")) and not list(download.parent.rglob(".work"))
    return said


def test_everything(download, plain, tmp_path, capsys):
    assert prepare(download) == command.DONE
    data = made(download)
    assert [(one.clip, one.split, one.label, one.group) for one in data.clips] == [
        ("Sample0001_00003_00009", "train", "018", "Sample0001"),
        ("Sample0001_00012_00020", "train", "010", "Sample0001"),
        ("Sample0002_00003_00009", "train", "018", "Sample0002"),
        ("Sample0002_00012_00020", "train", "010", "Sample0002"),
        ("Sample0471_00003_00009", "valid", "018", "Sample0471"),
        ("Sample0471_00012_00020", "valid", "010", "Sample0471"),
    ]
    assert [row.name for row in data.classes][17::-8] == ["buonissimo", "freganiente", "vieniqui"]
    said = capsys.readouterr().out
    assert "test: 1 recordings have no labels file" in said and "6 videos written" in said
    first, last = data.clips[0], data.clips[1]
    assert first.video(data.folder) == data.folder / "video/train/018/Sample0001_00003_00009.avi"
    for kind, part in (("color", "video"), ("depth", "depth")):
        (tmp_path / "whole.mp4").write_bytes(plain[f"{kind}.mp4"])
        whole, _ = read_video(tmp_path / "whole.mp4")
        for one, frames in ((first, slice(2, 9)), (last, slice(11, 20))):
            images, times = read_video(one.video(data.folder, part))
            expected = whole[frames]
            if kind == "depth":
                grey = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in expected])
                expected = np.repeat(np.round(grey[..., None] * (2457 / 4095)), 3, axis=-1)
            assert np.array_equal(images, expected), "not a frame more or less, and without loss"
            assert np.allclose(np.diff(times), 1 / 20)
    assert command.sha256(first.video(data.folder)) == first.sha256
    assert not there(download)["upper"]


def test_crops(download):
    assert prepare(download, "--crops") == command.DONE
    data = made(download)
    names = {one.clip for one in data.clips}
    assert there(download) == dict.fromkeys(PARTS, names)
    views = {part: read_video(data.clips[1].video(data.folder, part))[0].astype(int) for part in PARTS}
    assert {views[part].shape for part in PARTS[2:]} == {(9, 128, 128, 3)}
    assert np.abs(views["hand"][:, 64, 64] - RIGHT).max() < 40, "the hand, the higher one, is in the middle throughout"
    depth = views["hand_depth"][:, 64, 64]
    assert np.abs(depth - 60 * 2457 / 4095).max() < 6
    for part in PARTS[2:]:
        assert views[part][:, 0, :].max() < 10, "what is not the signer is black"
    body = np.abs(views["upper"] - SHIRT).max(axis=-1) < 30
    assert 0.15 < body.mean() < 0.4 and body[:, 100, 64].all()


def test_one_hand_is_followed_though_both_are_lifted():
    joints = crops.read_skeleton(skeleton(person()), "skeleton.csv")
    right, left = (joints[:, crops.JOINTS.index(name)] for name in ("HandRight", "HandLeft"))
    left[::3, 1] = right[::3, 1] - 20  # higher for single frames, not on average
    upper, hand = crops.person_squares(joints)
    assert np.abs(hand[:, :2] - right).max() < 2
    assert len(np.unique(upper, axis=0)) == len(np.unique(hand[:, 2])) == 1
    right[:] = np.nan
    assert np.abs(crops.person_squares(joints)[1][:, 0] - left[:, 0]).max() < 2, "the only one that is tracked"


def test_a_skeleton_with_more_columns():
    lines = skeleton(person()).splitlines()
    same = crops.read_skeleton("\n".join(f"{line},7," for line in lines) + "\n\n", "skeleton.csv")
    assert np.array_equal(same, crops.read_skeleton("\n".join(lines), "skeleton.csv"))


def test_distance_does_not_matter(download, plain):
    seen = []
    for scale in (1.0, 0.6):
        videos = {f"{kind}.mp4": mp4(images, download.parent) for kind, images in pictures(scale).items()}
        replace_recording(download, {**plain, **videos, "skeleton.csv": skeleton(person(scale))})
        assert prepare(download, "--crops") == command.DONE
        data = made(download)
        seen.append([read_video(data.clips[0].video(data.folder, part))[0].astype(int) for part in PARTS[2:]])
        shutil.rmtree(data.folder)
    for near, far in zip(*seen, strict=True):
        assert np.abs(near - far).mean() < 8


def test_frames_of_each_part(download):
    prepare(download, "--crops")
    data = made(download)
    for part in PARTS:
        flags = ["--data", str(data.folder), "--frames", "5", "--short-side", "32", "--workers", "1", "--part", part]
        assert frame.main(flags) == command.DONE
        stored = storage.find_stored(data, "frame", part=part)
        assert (stored.part, stored.short_side) == (part, 32)
        one = data.clips[0]
        read = storage.read_archive(one.archive(data.folder, stored.frame_store))
        images, _ = read_video(one.video(data.folder, part), 32)
        assert np.array_equal(read.images, storage.as_stored(images[stored.keep(np.arange(7.0))], 95))
    stores = {path.name for path in data.folder.glob("frame-*")}
    assert stores == {"frame-5x32", *(f"frame-5x32-{part}" for part in PARTS[1:])}
    assert data.stores("frame") == ["frame-5x32"], "who asks for frames alone gets the colour video's"


def test_a_second_run_does_nothing_and_a_third_adds(download, capsys):
    prepare(download)
    before = times(download)
    capsys.readouterr()
    assert prepare(download) == command.DONE and times(download) == before
    assert "nothing to do: all 6 videos were already there" in capsys.readouterr().out
    assert prepare(download, "--crops") == command.DONE
    assert before.items() < times(download).items() and len(there(download)["hand"]) == 6


def test_a_killed_run_goes_on(download):
    prepare(download, "--crops")
    whole = tiny.contents(download.parent / "made")
    shutil.rmtree(download.parent / "made")
    flags = ["--download", download, "--output", download.parent / "made", "--crops"]
    tiny.kill_script("not yet named", "prepare_chalearn2014.py", *flags)
    assert len(tiny.contents(download.parent / "made")) < len(whole)
    assert (download.parent / "made" / ".work").exists(), "killed in the middle of a recording"
    assert prepare(download, "--crops") == command.DONE
    assert tiny.contents(download.parent / "made") == whole


def test_a_damaged_video_is_cut_again(download):
    prepare(download)
    whole = tiny.contents(download.parent / "made")
    data = made(download)
    data.clips[0].video(data.folder).write_bytes(b"RIFF")
    data.clips[1].video(data.folder, "depth").unlink()
    assert prepare(download) == command.DONE
    assert tiny.contents(download.parent / "made") == whole


def test_archives_put_away_keep_their_clips(download, capsys):
    prepare(download)
    whole = tiny.contents(download.parent / "made")
    (download / "train1.zip").unlink()
    (download / "validation1.zip").write_bytes(b"PK\x03\x04 cut")
    shutil.move(download / "test" / "Sample0701", download / "Sample0702")
    capsys.readouterr()
    assert prepare(download) == command.PARTLY
    said = capsys.readouterr()
    assert "6 clips of 3 recordings that could not be read this time are kept" in said.out
    assert "validation1.zip: cut short or damaged" in said.err
    assert tiny.contents(download.parent / "made") == whole


def test_splits():
    split = montalbano.split_of
    assert split("Sample0001", ("Validation", "Sample0001")) == "valid"
    assert split("Sample0701", ("new", "LAP_test1.zip", "Sample0701")) == "test"
    assert split("Sample0500", ("train2.zip", "valid1")) == "valid", "the nearest"
    assert [split(f"Sample{n:04d}", ("latest",)) for n in (1, 470, 471, 700, 701, 940)] == [
        "train",
        "train",
        "valid",
        "valid",
        "test",
        "test",
    ]


def test_a_recording_in_two_splits(download, plain, capsys):
    (download / "test2.zip").write_bytes(packed({"Sample0001.zip": packed(plain, "Sample0001")}))
    assert "Sample0001: lies in test and in train; keep one of them" in failing(download, capsys, command.PARTLY)
    assert {one.group for one in made(download).clips} == {"Sample0002", "Sample0471"}


def test_labels_that_come_apart(download, capsys):
    (download / "labels.zip").write_bytes(packed({"Sample0701_labels.csv": "1,1,4\n"}))
    assert prepare(download) == command.DONE
    assert [(one.clip, one.label) for one in made(download).split("test")] == [("Sample0701_00001_00004", "001")]


def test_signers(download, capsys):
    (download / "signers.csv").write_text("sample,signer\nSample0001,P3\nSample0471,P4\n")
    assert prepare(download) == command.DONE
    assert [one.signer for one in made(download).clips] == ["P3", "P3", "", "", "P4", "P4"]
    (download / "signers.csv").write_text("sample,signer\n1,P3\n")
    assert prepare(download) == command.DONE
    assert "names no recording that was cut" in capsys.readouterr().out


def test_encrypted(download, capsys):
    encrypt(download / "validation1.zip", b"secret")
    assert "encrypted; give --password" in failing(download, capsys, command.NOTHING)
    assert prepare(download, "--password", "secret") == command.DONE
    assert len(made(download).split("valid")) == 2


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("0,1,2", "line 3: label 0; expected 1 to 20"),
        ("21,1,2", "line 3: label 21; expected 1 to 20"),
        ("1,0,2", "frames 0 to 2; expected 1 to 24"),
        ("1,22,25", "frames 22 to 25; expected 1 to 24"),
        ("1,9,8", "frames 9 to 8"),
        ("1,2", "'1,2' is no row label,first,last; expected '18,4,45'"),
        ("a,1,2", "'a,1,2' is no row"),
        ("5,3,9", "the same frames stand there already"),
    ],
)
def test_bad_rows(download, plain, capsys, row, reason):
    replace_recording(download, {**plain, "labels.csv": LABELS + row + "\n"})
    said = failing(download, capsys, command.PARTLY)
    assert f"Sample0001_labels.csv line 3: {reason.removeprefix('line 3: ')}" in said and "1 not done" in said
    assert [one.label for one in made(download).clips] == ["018", "010"]


def without_user(plain, empty: slice, folder: Path) -> bytes:
    masks = pictures()["user"]
    masks[empty] = 0
    return mp4(masks, folder)


def untracked(*names: str, rows: slice = slice(None)) -> str:
    joints = person()
    for name in names:
        joints[name][rows] = 0
    return skeleton(joints)


CROPPED = "without upper, hand, upper_depth, hand_depth: "


@pytest.mark.parametrize(
    ("kind", "content", "reason", "lost"),
    [
        ("depth.mp4", None, "2 clips without depth, upper_depth, hand_depth: no Sample0001_depth.mp4", "depth"),
        ("user.mp4", None, f"2 clips {CROPPED}no Sample0001_user.mp4", "hand"),
        ("skeleton.csv", None, f"2 clips {CROPPED}no Sample0001_skeleton.csv", "hand"),
        ("skeleton.csv", skeleton(person(), 15), f"Sample0001_00012_00020 {CROPPED}the skeleton ends at frame 15", ""),
        ("skeleton.csv", "1,2,3\n", f"2 clips {CROPPED}Sample0001_skeleton.csv line 1: 3 numbers", "hand"),
        ("skeleton.csv", "a\n", f"2 clips {CROPPED}Sample0001_skeleton.csv line 1: not all numbers", "hand"),
        ("skeleton.csv", untracked(*person()), f"2 clips {CROPPED}head or hips are tracked in less than 50%", "hand"),
        (
            "skeleton.csv",
            untracked("HandLeft", "HandRight", rows=slice(9)),
            f"Sample0001_00003_00009 {CROPPED}neither hand is tracked in 50%",
            "",
        ),
        ("depth.mp4", b"<html>log in</html>", "Sample0001_depth.mp4: a text file, not a video", "depth"),
    ],
)
def test_a_part_that_cannot_be_made(download, plain, capsys, kind, content, reason, lost):
    files = {name: value for name, value in plain.items() if name != kind} | ({kind: content} if content else {})
    replace_recording(download, files)
    said = failing(download, capsys, command.PARTLY, "--crops")
    assert reason.split(": ")[-1] in said and reason.split(": ")[0] in said
    found = there(download)
    assert len(found["video"]) == len(made(download).clips) == 2, "the colour video is there all the same"
    assert len(found[lost or "hand"]) == (0 if lost else 1)
    assert (len(found["upper"]) == 2) == (kind == "depth.mp4")


@pytest.mark.parametrize(("empty", "left"), [(slice(None), 0), (slice(0, 9), 1)])
def test_an_empty_user_mask(download, plain, capsys, empty, left):
    replace_recording(download, {**plain, "user.mp4": without_user(plain, empty, download.parent)})
    assert "the user mask is empty in 7 of 7 frames" in failing(download, capsys, command.PARTLY, "--crops")
    assert [len(there(download)[part]) for part in ("depth", "hand")] == [2, left]


def test_gaps_are_bridged(download, plain):
    files = {
        "user.mp4": without_user(plain, slice(3, 5), download.parent),
        "skeleton.csv": untracked(*person(), rows=slice(4, 6)),
    }
    replace_recording(download, {**plain, **files})
    assert prepare(download, "--crops") == command.DONE
    data = made(download)
    hand, _ = read_video(data.clips[0].video(data.folder, "hand"))
    assert np.abs(hand[:, 64, 64].astype(int) - RIGHT).max() < 40


def test_a_video_that_stops(download, plain, capsys):
    short = mp4(pictures()["depth"][:15], download.parent)
    replace_recording(download, {**plain, "depth.mp4": short})
    said = failing(download, capsys, command.PARTLY, "--crops")
    assert "Sample0001_00012_00020 without depth, upper_depth, hand_depth: the depth video ends before frame 20" in said
    assert there(download)["depth"] == {"Sample0001_00003_00009"} and len(there(download)["hand"]) == 2
    replace_recording(download, {**plain, "color.mp4": plain["color.mp4"][:2000]})
    shutil.rmtree(download.parent / "made")
    assert "Sample0001_color.mp4: stops after 2,000 of" in failing(download, capsys, command.NOTHING)


def test_pictures_of_two_sizes(download, plain, capsys):
    small = np.stack([cv2.resize(image, (80, 60)) for image in pictures()["depth"]])
    replace_recording(download, {**plain, "depth.mp4": mp4(small, download.parent)})
    said = failing(download, capsys, command.PARTLY, "--crops")
    assert "2 clips without upper_depth, hand_depth: depth and user mask are 80x60 and 160x120" in said


@pytest.mark.parametrize("content", [b"", b"24,20\n", b"many,20,1\n", b"24,0,2000\n"])
def test_a_bad_data_file(download, plain, capsys, content):
    replace_recording(download, {**plain, "data.csv": content})
    assert "expected frames,fps,maximum depth" in failing(download, capsys, command.NOTHING)


def test_broken_archives(download, plain, capsys):
    inner = packed(plain, "Sample0003")
    (download / "train2.zip").write_bytes(packed({"Sample0003.zip": inner[: len(inner) // 2]}))
    whole = (download / "validation1.zip").read_bytes()
    (download / "validation1.zip").write_bytes(whole[: len(whole) // 2])
    (download / "more.tar.gz").write_bytes(b"\x1f\x8b")
    said = failing(download, capsys, command.PARTLY)
    assert "  Sample0003: " in said and "Sample0003.zip: cut short or damaged" in said
    assert "validation1.zip: cut short or damaged" in said
    assert "more.tar.gz: a compressed tar is not read here" in said
    assert len(made(download).clips) == 4


def test_nothing_to_cut(download, capsys):
    assert "no such folder" in failing(download / "nowhere", capsys, command.NOTHING)
    for path in download.glob("*.zip"):
        path.unlink()
    assert "no labels file" in failing(download, capsys, command.NOTHING)
    shutil.rmtree(download / "test")
    assert "no recording in it; expected Sample0001.zip" in failing(download, capsys, command.NOTHING)


def test_a_full_disc_is_noticed(download, monkeypatch, capsys):
    monkeypatch.setattr(transfer, "video_problem", lambda _: "its writer was cut off")
    assert "the disc is full" in failing(download, capsys, command.NOTHING)
    assert not there(download)["video"]


def test_a_dry_run_says_what_it_takes_and_writes_nothing(download, capsys):
    before = sorted(download.parent.rglob("*"))
    assert prepare(download, "--dry-run") == command.DONE
    said = capsys.readouterr().out
    assert re.search(r"estimate from \d clips?: 4 clips, .* core-hours, [\d.e-]+ GB in 4 files, about ", said)
    assert sorted(download.parent.rglob("*")) == before
