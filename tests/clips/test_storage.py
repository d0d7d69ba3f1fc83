"""Clip archives: what is written is read again, by others too, and what is damaged is named."""

import json
import zipfile
from dataclasses import asdict, replace

from signs import command
from signs.clips import preprocess, storage
from signs.clips.spec import FlowSpec, StoredSpec
from signs.command import Problem

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny

FLOW = FlowSpec("tvl1-fast", {"tau": 0.25, "scales": 5})
INFO = {"format": storage.FORMAT, "source": "in/a.avi", "sha256": "00ff", "stored": asdict(StoredSpec("6", 48))}
FLOW_INFO = {**INFO, "stored": asdict(StoredSpec("6", 48, flow=FLOW))}


@pytest.fixture
def frames() -> np.ndarray:
    return tiny.moving(6)


@pytest.fixture
def archive(tmp_path, frames):
    storage.write_archive(tmp_path / "a.zip", frames, INFO)
    return tmp_path / "a.zip"


def test_archive_as_others_read_it(archive, frames):
    with zipfile.ZipFile(archive) as members:
        assert members.testzip() is None
        assert {info.compress_type for info in members.infolist()} == {zipfile.ZIP_STORED}
        assert members.namelist() == ["clip.json", *(f"img_{number:05d}.jpg" for number in range(1, 7))]
        assert json.loads(members.read("clip.json")) == INFO
        first = cv2.imdecode(np.frombuffer(members.read("img_00001.jpg"), np.uint8), cv2.IMREAD_COLOR)
    assert np.abs(first[..., ::-1].astype(int) - frames[0]).mean() < 3, "pictures on disc are in JPEG's own order"


def test_frames_written_and_read(archive, frames):
    stored = storage.read_archive(archive)
    assert stored.info == INFO and stored.images.shape == frames.shape and stored.images.dtype == np.uint8
    assert np.abs(stored.images.astype(int) - frames).mean() < 3
    assert np.array_equal(stored.images, storage.as_stored(frames, 95)), "live prediction sees what training saw"


def test_flow_written_and_read(tmp_path):
    rows, columns = np.mgrid[:48, :64].astype(np.float32)
    flow = np.stack([np.dstack([columns / 8 + t, rows / 6 - 5 * t]) for t in range(4)])
    coded = preprocess.quantise_flow(flow, 20)
    storage.write_archive(tmp_path / "f.zip", coded, FLOW_INFO)
    with zipfile.ZipFile(tmp_path / "f.zip") as members:
        names = [f"flow_{axis}_{number:05d}.jpg" for number in range(1, 5) for axis in "xy"]
        assert members.namelist() == ["clip.json", *names]
    stored = storage.read_archive(tmp_path / "f.zip")
    assert stored.images.shape == coded.shape
    error = np.abs(stored.flow - flow)
    assert error.max() < 3 * 20 / 255 and error.mean() < 20 / 255, "x is x and y is y, to a JPEG's loss"
    assert np.array_equal(stored.images, storage.as_stored(coded, FLOW.quality))


@pytest.mark.parametrize("planes", [3, 2])
def test_equal_arguments_give_equal_bytes(tmp_path, frames, planes):
    info = INFO if planes == 3 else FLOW_INFO
    for name in ("one.zip", "two.zip"):
        storage.write_archive(tmp_path / name, frames[..., :planes], info)
        info = dict(reversed(info.items()))
    assert (tmp_path / "one.zip").read_bytes() == (tmp_path / "two.zip").read_bytes()


def test_quality_is_the_one_of_what_is_stored(tmp_path, frames):
    sizes = {}
    for name, quality, flow_quality in (("high", 95, 95), ("low", 30, 95), ("low flow", 95, 30)):
        info = {**INFO, "stored": asdict(StoredSpec("6", 48, quality, replace(FLOW, quality=flow_quality)))}
        for planes in (3, 2):
            storage.write_archive(tmp_path / "q.zip", frames[..., :planes], info)
            sizes[name, planes] = (tmp_path / "q.zip").stat().st_size
    assert sizes["low", 3] < 0.7 * sizes["high", 3] and sizes["low", 2] == sizes["high", 2]
    assert sizes["low flow", 2] < 0.7 * sizes["high", 2] and sizes["low flow", 3] == sizes["high", 3]


def test_a_write_that_fails_leaves_what_was_there(archive, frames, monkeypatch):
    before = archive.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(command.os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        storage.write_archive(archive, frames[::-1], INFO)
    with pytest.raises(OSError, match="No space"):
        storage.write_archive(archive.with_name("new.zip"), frames, INFO)
    assert [path.name for path in archive.parent.iterdir()] == ["a.zip"] and archive.read_bytes() == before


def test_only_the_picked_pictures_are_decoded(archive, monkeypatch):
    whole, decoded = storage.read_archive(archive).images, []
    real = storage.decode
    monkeypatch.setattr(
        storage, "decode", lambda members, planes: decoded.append(len(members)) or real(members, planes)
    )
    asked = []
    some = storage.read_archive(archive, lambda count: asked.append(count) or np.array([5, 0, 0])).images
    assert asked == [6] and decoded == [3]
    assert np.array_equal(some, whole[[5, 0, 0]])


def test_a_folder_of_pictures_is_a_clip(tmp_path, frames):
    folder = tmp_path / "clip"
    folder.mkdir()
    for name, member in storage.encode(frames, 95).items():
        (folder / name).write_bytes(member)
    (folder / "notes.txt").write_text("not a picture")
    read = storage.read_archive(folder)
    assert read.info == {} and np.array_equal(read.images, storage.as_stored(frames, 95))
    (folder / "clip.json").write_text(json.dumps(INFO))
    assert storage.read_archive(folder, lambda _: np.array([2])).info == INFO


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.6, 0.95, 0.9999])
def test_an_archive_cut_short(archive, share):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(share * len(content))])
    with pytest.raises(Problem, match="a.zip: cut short or damaged"):
        storage.read_archive(archive)
    assert storage.read_info(archive) is None


def flip(path, at: int, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1 << bit
    path.write_bytes(content)


@settings(max_examples=60)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_wrong_bit_in_a_picture_never_passes(tmp_path_factory, share, bit):
    path = tmp_path_factory.getbasetemp() / "flipped.zip"
    storage.write_archive(path, tiny.moving(2), INFO)
    with zipfile.ZipFile(path) as members:
        picture = members.getinfo("img_00001.jpg")
    flip(path, picture.header_offset + 30 + len(picture.filename) + int(share * picture.file_size), bit)
    with pytest.raises(Problem, match="flipped.zip: cut short or damaged"):
        storage.read_archive(path)


@settings(max_examples=300)
@given(share=st.floats(0, 1, exclude_max=True), bit=st.integers(0, 7))
def test_a_wrong_bit_anywhere_is_named_or_changes_no_picture(tmp_path_factory, share, bit):
    """zipfile raises seven kinds of exception for a wrong header, and leaves out a member whose name has changed."""
    path, info = tmp_path_factory.getbasetemp() / "flipped.zip", {**INFO, "times": [0.0, 0.1]}
    frames = tiny.moving(2, 16, 16)
    storage.write_archive(path, frames, info)
    flip(path, int(share * path.stat().st_size), bit)
    assert storage.read_info(path) in (None, info)
    try:
        read = storage.read_archive(path)
    except Problem as problem:
        assert "flipped.zip: " in str(problem)
    else:
        assert np.array_equal(read.images, storage.as_stored(frames, 95)) and read.info in ({}, info)


def test_a_lost_picture(tmp_path, frames):
    storage.write_archive(tmp_path / "a.zip", frames, {**INFO, "times": [t / 10 for t in range(6)]})
    rewrite(tmp_path / "a.zip", lambda content: content.pop("img_00004.jpg"))
    with pytest.raises(Problem, match="a.zip: 5 of 6 pictures"):
        storage.read_archive(tmp_path / "a.zip")


def rewrite(path, change) -> None:
    """Write the archive anew with {name: bytes} changed."""
    with zipfile.ZipFile(path) as members:
        content = {name: members.read(name) for name in members.namelist()}
    change(content)
    with zipfile.ZipFile(path, "w") as members:
        for name, member in content.items():
            members.writestr(name, member)


def test_a_missing_y_picture(tmp_path, frames):
    storage.write_archive(tmp_path / "f.zip", frames[..., :2], FLOW_INFO)
    rewrite(tmp_path / "f.zip", lambda content: content.pop("flow_y_00004.jpg"))
    with pytest.raises(Problem, match="f.zip: flow_y_00004.jpg is missing"):
        storage.read_archive(tmp_path / "f.zip")


@pytest.mark.parametrize("bad", [b"", b"not a picture"])
def test_a_picture_that_is_none(archive, bad):
    rewrite(archive, lambda content: content.update({"img_00003.jpg": bad}))
    with pytest.raises(Problem, match="a.zip: a picture in it cannot be decoded"):
        storage.read_archive(archive)


def test_no_picture_and_no_clip(archive, tmp_path):
    rewrite(archive, lambda content: [content.pop(name) for name in list(content) if name != "clip.json"])
    with pytest.raises(Problem, match="a.zip: no picture in it"):
        storage.read_archive(archive)
    with pytest.raises(Problem, match=r"none.zip: no such clip; run frame.py"):
        storage.read_archive(tmp_path / "none.zip")
    assert storage.read_info(tmp_path / "none.zip") is None


def test_find_stored(tmp_path):
    data = tiny.data_set(tmp_path)
    with pytest.raises(Problem, match=r"no frame store; run frame.py --data"):
        storage.find_stored(data, "frame")
    first, second = StoredSpec("6", 48), StoredSpec("3", 48)
    (tmp_path / "frame-6x48").mkdir()
    with pytest.raises(Problem, match="no whole clip in it"):
        storage.find_stored(data, "frame")
    for stored in (first, second):
        path = data.clips[0].archive(tmp_path, stored.frame_store)
        storage.write_archive(path, tiny.moving(2), {**INFO, "stored": asdict(stored)})
    with pytest.raises(Problem, match="several stores, frame-3x48, frame-6x48; choose one with --store"):
        storage.find_stored(data, "frame")
    assert storage.find_stored(data, "frame", "3x48") == storage.find_stored(data, "frame", "frame-3x48") == second
    with pytest.raises(Problem, match="no frame store 9x48"):
        storage.find_stored(data, "frame", "9x48")


def test_find_stored_of_a_part(tmp_path):
    data = tiny.data_set(tmp_path)
    video, depth = StoredSpec("6", 48), StoredSpec("6", 48, part="depth")
    storage.write_archive(data.clips[0].archive(tmp_path, video.frame_store), tiny.moving(2), INFO)
    with pytest.raises(Problem, match=r"no frame store of depth; run frame.py --part depth --data"):
        storage.find_stored(data, "frame", part="depth")
    info = {**INFO, "stored": asdict(depth)}
    storage.write_archive(data.clips[0].archive(tmp_path, depth.frame_store), tiny.moving(2), info)
    assert storage.find_stored(data, "frame") == video, "the other part's store is not taken for a second one"
    for name, part in ((None, "depth"), ("6x48-depth", "video"), ("6x48", "depth"), ("frame-6x48-depth", "depth")):
        assert storage.find_stored(data, "frame", name, part) == depth


def test_an_archive_of_another_version_is_said(tmp_path):
    info = {"format": storage.FORMAT - 1, "times": [0.0], "stored": {"quality": 95}}
    storage.write_archive(tmp_path / "a.zip", np.zeros((1, 8, 8, 3), np.uint8), info)
    with pytest.raises(Problem, match=r"another version \(format 2, not 3\); run frame.py"):
        storage.read_archive(tmp_path / "a.zip")


def test_a_fault_of_our_own_is_no_damage(archive):
    """Whoever is told that a clip is damaged deletes it."""

    def pick(count: int) -> np.ndarray:
        raise ValueError("a fault of ours")

    with pytest.raises(ValueError, match="of ours"):
        storage.read_archive(archive, pick)
    with pytest.raises(IndexError):
        storage.read_archive(archive, lambda count: np.array([count]))


@pytest.mark.parametrize("bad", [b"{", b"[]", b"\xff", b"{" * 5000])
def test_a_table_of_a_clip_that_is_none(archive, bad):
    rewrite(archive, lambda content: content.update({"clip.json": bad}))
    with pytest.raises(Problem, match="a.zip: cut short or damaged"):
        storage.read_archive(archive)
    assert storage.read_info(archive) is None
