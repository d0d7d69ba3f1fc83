"""What a file is by its bytes, and whether all of it is there, before a decoder sees it."""

import os
from pathlib import Path

from signs.clips.container import video_kind, video_problem

import cv2
import numpy as np
import pytest

import tiny
from tiny import encode

VIDEOS = Path(__file__).parent / "video"


@pytest.mark.parametrize(
    ("head", "kind"),
    [
        (b"RIFF\x24\x00\x00\x00AVI LIST", "AVI"),
        (b"\0\0\0\x18ftypmp42", "MP4 or MOV"),
        (b"\0\0\0\x08wide\0\0\0\0mdat", "MP4 or MOV"),
        (b"\x1a\x45\xdf\xa3\x01", "Matroska or WebM"),
        (b"\0\0\x01\xba\x44", "MPEG"),
        ((b"G" + bytes(187)) * 4, "MPEG transport stream"),
        ((b"abcdG" + bytes(187)) * 4, "MPEG transport stream"),
        (b"FLV\x01\x05", "FLV"),
        (b"\x1f\x07\0\x3f", "DV"),
        (b"GIF89a", "GIF"),
        (b"OggS\0", "Ogg"),
        (b"\x30\x26\xb2\x75\x8e\x66", "WMV"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt ", None),
        (b"\x89PNG\r\n\x1a\n", None),
        (b"PK\x03\x04", None),
        (b"", None),
    ],
)
def test_video_kind(tmp_path, head, kind):
    assert video_kind(head) == kind
    (tmp_path / "clip.avi").write_bytes(head)
    problem = video_problem(tmp_path / "clip.avi")
    assert problem is None or (kind is not None) == ("get a whole copy" in problem)


def test_no_video(tmp_path):
    assert video_problem(tmp_path / "none.avi") == "no such file"
    assert "directory" in video_problem(tmp_path).lower()
    (tmp_path / "pointer.avi").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:12\n")
    assert "a text file, not a video; it begins 'version https://git-lfs" in video_problem(tmp_path / "pointer.avi")
    assert video_problem(tmp_path / "pointer.avi").endswith("; fetch the video it points to")
    for content, what in (
        (b"Dear diary\n", "a text file, not a video; it begins 'Dear diary'"),
        (
            b"../.git/annex/objects/aa/x.mp4",
            "a text file, not a video; it begins '../.git/annex/objects/aa/x.mp4'; fetch the",
        ),
        (b"RIFF\0\0\0\0WAVEfmt ", "a sound file (WAV), not a video"),
        (b"\xff\xd8\xff\xe0", "a picture (JPEG), not a video"),
        (b"\x89PNG\r\n\x1a\n", "a picture (PNG), not a video"),
        (b"PK\x03\x04", "an archive (ZIP), not a video"),
    ):
        (tmp_path / "other.mp4").write_bytes(content)
        assert video_problem(tmp_path / "other.mp4").startswith(what)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "clip.avi")
    assert "a pipe, not a file" in video_problem(tmp_path / "clip.avi")


def test_a_picture_that_may_be_a_film_is_named(tmp_path):
    (tmp_path / "clip.webp").write_bytes(b"RIFF\x24\0\0\0WEBPVP8X")
    assert "a WebP picture" in video_problem(tmp_path / "clip.webp")


@pytest.mark.parametrize("name", [path.name for path in sorted(VIDEOS.iterdir())])
def test_a_whole_file_is_whole(name):
    assert video_problem(VIDEOS / name) is None


@pytest.mark.parametrize("name", ["whole.mp4", "trimmed.mp4", "av1.mp4", "browser.webm", "vfr.avi"])
def test_wherever_it_is_cut_it_is_told(tmp_path, name):
    content = (VIDEOS / name).read_bytes()
    for share in (0.02, 0.1, 0.3, 0.5, 0.77, 0.95, 0.999):
        (tmp_path / name).write_bytes(content[: int(share * len(content))])
        assert "get a whole copy" in video_problem(tmp_path / name), share


def test_an_mp4_whose_index_comes_last_and_is_missing(tmp_path):
    """Most cameras write it behind the pictures."""
    content = (VIDEOS / "whole.mp4").read_bytes()
    start = content.index(b"moov") - 4
    end = start + int.from_bytes(content[start : start + 4], "big")
    (tmp_path / "clip.mp4").write_bytes(content[:start] + content[end:])
    assert "its writer was cut off" in video_problem(tmp_path / "clip.mp4")


def test_bytes_behind_the_film_do_not_matter(tmp_path):
    for name in ("whole.mp4", "vfr.avi", "browser.webm"):
        (tmp_path / name).write_bytes((VIDEOS / name).read_bytes() + bytes(1000))
        assert video_problem(tmp_path / name) is None, name


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
def test_an_avi_that_its_writer_never_closed(tmp_path, codec):
    """A recorder that was killed: no length in the head, no index at the end, and every frame so far decodes."""
    path, noise = tmp_path / "open.avi", np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.CAP_FFMPEG, cv2.VideoWriter_fourcc(*codec), 10, (160, 120))
    while not path.exists() or path.stat().st_size < 100_000:
        writer.write(noise.integers(0, 256, (120, 160, 3), np.uint8))
    (tmp_path / "cut.avi").write_bytes(path.read_bytes())
    writer.release()
    assert "its writer was cut off" in video_problem(tmp_path / "cut.avi")
    assert video_problem(path) is None


def test_an_avi_of_a_recorder_that_writes_into_a_pipe_is_whole(tmp_path):
    """It cannot go back to fill in the length, but the index at the end is there."""
    content = bytearray(tiny.write_video(tmp_path / "pipe.avi", tiny.moving(12)).read_bytes())
    content[4:8] = b"\xff" * 4
    (tmp_path / "pipe.avi").write_bytes(content)
    assert video_problem(tmp_path / "pipe.avi") is None


@pytest.mark.parametrize(
    ("suffix", "codec", "rate"),
    [
        ("flv", "flv1", 25), ("wmv", "wmv2", 25), ("ogv", "libvpx", 25), ("gif", "gif", 25), ("mpg", "mpeg1video", 25),
        ("vob", "mpeg2video", 25), ("mxf", "mpeg2video", 25),
    ],
)  # fmt: skip
def test_every_container_that_tells_its_end(tmp_path, suffix, codec, rate):
    pixels = "rgb8" if codec == "gif" else "yuv420p"
    whole = encode(tmp_path / f"whole.{suffix}", tiny.moving(40, 96, 128), codec, pixels=pixels, rate=rate)
    assert video_problem(whole) is None
    content = whole.read_bytes()
    (tmp_path / f"more.{suffix}").write_bytes(content + bytes(100))  # what some cameras fill up with
    assert video_problem(tmp_path / f"more.{suffix}") is None
    for share in (0.43, 0.66, 0.91):
        (tmp_path / f"cut.{suffix}").write_bytes(content[: int(share * len(content))])
        assert "get a whole copy" in video_problem(tmp_path / f"cut.{suffix}")


@pytest.mark.parametrize(("suffix", "codec"), [("mkv", "libx264"), ("webm", "libvpx"), ("ogv", "libvpx")])
def test_damaged_inside(tmp_path, suffix, codec):
    """FFmpeg leaves out what comes behind the damaged place, or some of it, and says nothing."""
    path = encode(tmp_path / f"a.{suffix}", tiny.moving(60, 96, 128), codec)
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + half // 2] = bytes(half // 2)
    path.write_bytes(content)
    assert video_problem(path) == "damaged inside, the rest of it would be lost; get a whole copy"
