"""A zip of somebody else's: what is wrong with its table of contents is said before anything of it is read."""

import io
import struct
import zipfile
from pathlib import Path

from signs.clips import bounded_zip
from signs.clips.bounded_zip import BoundedZip, Bounds
from signs.command import Problem

import pytest

import shareable

SMALL = Bounds(members=3, total=1 << 22)
HUGE = struct.pack("<I", 3 << 30)
FAR = b"PK\6\7" + bytes(16)


@pytest.fixture
def path(tmp_path) -> Path:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("one.txt", b"1" * 1000)
        archive.writestr("two/three.bin", b"23" * 1000)
    return tmp_path / "a.zip"


def opened(path: Path, bounds: Bounds = SMALL) -> dict[str, bytes]:
    with open(path, "rb") as file:
        archive = BoundedZip(file, path, bounds)
        return {name: archive.read(name) for name in archive.sizes}


def test_a_plain_zip_is_read(path):
    assert opened(path) == {"one.txt": b"1" * 1000, "two/three.bin": b"23" * 1000}
    shareable.rebuilt(path, {"one.txt": bytes(range(256)) * 40}, packed=zipfile.ZIP_DEFLATED)
    assert opened(path)["one.txt"] == bytes(range(256)) * 40


def link() -> zipfile.ZipInfo:
    info = zipfile.ZipInfo("link")
    info.external_attr = 0o120777 << 16
    return info


def put_before_the_end(path: Path, more: bytes, grown: int = 0) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-22] + more + content[-22:])
    if grown:
        table = struct.unpack("<I", content[-10:-6])[0]
        shareable.patch_end(path, 12, struct.pack("<I", table + grown))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b""), "cut short, or no zip"),
        (lambda path: path.write_bytes(b"no zip at all " * 9), "cut short, or no zip"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "cut short, or no zip"),
        (lambda path: path.write_bytes(path.read_bytes()[100:]), "cut short, or something was put"),
        (lambda path: path.write_bytes(b"#!/bin/sh\n" + path.read_bytes()), "something was put before"),
        (lambda path: put_before_the_end(path, b"x"), "something was put before or into"),
        (lambda path: put_before_the_end(path, FAR, len(FAR)), "a zip of another kind"),
        (lambda path: shareable.patch_end(path, 20, b"\1\0"), "another kind"),
        (lambda path: shareable.patch_end(path, 8, b"\xff\xff\xff\xff"), "65,535 files listed"),
        (lambda path: shareable.patch_end(path, 12, HUGE), "files listed in 3,221,225,472 bytes"),
        (lambda path: shareable.rebuilt(path, {"3": b"", "4": b""}), "4 files listed"),
        (lambda path: shareable.with_member(path, zipfile.ZipInfo("../up.txt")), "'../up.txt' is no plain name"),
        (lambda path: shareable.with_member(path, zipfile.ZipInfo("/etc/x")), "'/etc/x' is no plain name"),
        (lambda path: shareable.with_member(path, zipfile.ZipInfo("C:\\x")), "is no plain name"),
        (lambda path: shareable.with_member(path, zipfile.ZipInfo("folder/")), "'folder/' is no plain name"),
        (lambda path: shareable.with_member(path, zipfile.ZipInfo("con")), "'con' is no plain name"),
        (lambda path: shareable.with_member(path, zipfile.ZipInfo("ONE.txt")), "'ONE.txt' is in it twice"),
        (lambda path: shareable.with_member(path, link(), b"/etc/passwd"), "'link' is a link"),
        (lambda path: shareable.patch_row(path, "one.txt", 8, b"\1\0"), "'one.txt' is encrypted"),
        (lambda path: shareable.patch_row(path, "one.txt", 10, b"\x0e\0"), "packed in another way"),
        (lambda path: shareable.patch_row(path, "one.txt", 24, HUGE), "'one.txt' says .* 3,221,225,472 bytes"),
        (lambda path: shareable.patch_row(path, "one.txt", 20, b"\1\0\0\0"), "two different sizes"),
        (lambda path: shareable.patch_row(path, "one.txt", 20, 2 * HUGE), "2 files of 3,221,227,472 bytes"),
        (lambda path: shareable.patch_row(path, "one.txt", 42, b"\3\0\0\0"), "one.txt is damaged"),
        (
            lambda path: shareable.rebuilt(path, {"0": bytes(3 << 20)}, packed=zipfile.ZIP_DEFLATED),
            "'0' says that it unpacks to 3,145,728 bytes from",
        ),
    ],
)
def test_what_is_wrong_is_one_line(path, spoil, said):
    spoil(path)
    with pytest.raises(Problem, match=said) as caught:
        opened(path)
    assert str(caught.value).startswith(f"{path}: ") and str(caught.value).endswith("get a whole copy of it")
    assert "\n" not in str(caught.value)


def test_two_of_one_name(path, recwarn):
    shareable.with_member(path, zipfile.ZipInfo("one.txt"), b"another")
    with pytest.raises(Problem, match="'one.txt' is in it twice"):
        opened(path)


def test_what_is_too_large_is_not_read_by_python(path, monkeypatch):
    monkeypatch.setattr(bounded_zip.zipfile, "ZipFile", lambda file: pytest.fail("its table of contents was read"))
    with pytest.raises(Problem, match="bytes, at most 610 are read"):
        opened(path, Bounds(members=1, total=10))
    with pytest.raises(Problem, match="2 files listed"):
        opened(path, Bounds(members=1, total=1 << 20))


def test_files_that_lie_one_over_the_other(tmp_path):
    """Many members that are one place of the file: each is within its size, all together are not."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("a", bytes(100_000))
        (info,) = archive.infolist()
        for name in "bc":
            other = zipfile.ZipInfo(name)
            other.file_size = other.compress_size = info.file_size
            other.header_offset, other.CRC = info.header_offset, info.CRC
            archive.filelist.append(other)
    (tmp_path / "a.zip").write_bytes(content.getvalue())
    with pytest.raises(Problem, match="one over the other"):
        opened(tmp_path / "a.zip")


def test_each_changed_byte_is_noticed_or_does_no_harm(path):
    whole, expected = path.read_bytes(), opened(path)
    for place in range(0, len(whole), 7):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :])
        try:
            found = opened(path)
        except Problem:
            continue
        assert list(found.values()) == list(expected.values()), place
