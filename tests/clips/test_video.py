"""Videos in, frames out as a player shows them: times, colours, shape, fields, and memory."""

import subprocess
import sys
from fractions import Fraction
from pathlib import Path

from signs.clips.footage import read_kept
from signs.clips.spec import FlowSpec, StoredSpec
from signs.clips.video import first_frame_problem, iter_video, read_video, upright
from signs.command import Problem

import av
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from tiny import encode

VIDEOS = Path(__file__).parent / "video"


@pytest.mark.parametrize("codec", ["MJPG", "XVID"])
@pytest.mark.parametrize("rate", [10, 25, 29.97])
def test_frames_and_times(tmp_path, codec, rate):
    images = tiny.moving(20)
    frames, times = read_video(tiny.write_video(tmp_path / "a.avi", images, rate, codec))
    assert frames.shape == images.shape and frames.dtype == np.uint8
    assert np.allclose(times, np.arange(20) / rate, atol=1e-4)
    assert np.abs(frames.astype(int) - images).mean() < 12
    for t in (0, 7, 19):  # in order, none twice, none left out
        assert np.abs(images.astype(int) - frames[t]).mean(axis=(1, 2, 3)).argmin() == t


def test_red_is_red(tmp_path):
    images = np.zeros((5, 48, 64, 3), np.uint8)
    images[..., 0] = 220
    frames, _ = read_video(tiny.write_video(tmp_path / "red.avi", images))
    red, green, blue = frames.mean(axis=(0, 1, 2))
    assert red > 200 and green < 30 and blue < 30


def test_resized_as_it_comes(tmp_path):
    path = tiny.write_video(tmp_path / "a.avi", tiny.moving(3))
    small, whole = read_video(path, 24)[0], read_video(path)[0]
    assert small.shape == (3, 24, 32, 3)
    assert np.array_equal(small[1], cv2.resize(whole[1], (32, 24), interpolation=cv2.INTER_AREA))


@pytest.mark.parametrize(
    ("name", "count", "end"),
    [
        ("whole.mp4", 48, 4.7),
        ("trimmed.mp4", 28, 2.7),  # an edit list leaves out what comes before
        ("browser.webm", 144, 4.776),  # no frame rate, frames whenever they came
        ("vfr.avi", 88, 4.7),  # the head counts the gaps too
        ("av1.mp4", 48, 4.7),
        ("00001.MTS", 48, 4.7),  # its stamps begin at 1.6 s
        ("interlaced.mp4", 48, 4.7),
    ],
)
def test_real_recorders_are_read_with_their_own_times(name, count, end):
    frames, times = read_video(VIDEOS / name)
    assert frames.shape == (count, 144, 192, 3)
    assert times[0] == 0 and times[-1] == pytest.approx(end, abs=1e-3) and (np.diff(times) > 0.01).all()


def test_a_trimmed_film_is_the_end_of_the_whole_one():
    assert np.array_equal(read_video(VIDEOS / "trimmed.mp4")[0], read_video(VIDEOS / "whole.mp4")[0][20:])


def test_gaps_stay_in_the_times(tmp_path):
    stamps = [0, 40, 80, 5080, 5120, 5300]
    path = encode(tmp_path / "paused.webm", tiny.moving(6), "libvpx", stamps)
    assert np.allclose(read_video(path)[1], np.array(stamps) / 1000)


def test_a_header_that_counts_too_many_frames(tmp_path):
    path = tiny.write_video(tmp_path / "pipe.avi", tiny.moving(12))
    for count in (0, 5000):
        content = bytearray(path.read_bytes())
        main, stream = content.index(b"avih") + 8, content.index(b"strh") + 8
        content[main + 16 : main + 20] = content[stream + 32 : stream + 36] = count.to_bytes(4, "little")
        path.write_bytes(content)
        assert len(read_video(path)[0]) == 12


def by_ffmpeg(path: Path, *filters: tuple[str, str]) -> np.ndarray:
    """All frames through FFmpeg's own filters, (T, H, W, 3) uint8 RGB."""
    with av.open(str(path)) as film:
        graph = av.filter.Graph()
        nodes = [graph.add_buffer(template=film.streams.video[0]), *(graph.add(*each) for each in filters)]
        graph.link_nodes(*nodes, graph.add("format", "pix_fmts=rgb24"), graph.add("buffersink")).configure()
        images = []
        for frame in (*film.decode(video=0), None):
            graph.push(frame)
            while True:
                try:
                    images.append(graph.vpull().to_ndarray())
                except (av.BlockingIOError, av.EOFError):
                    break
    return np.stack(images)


INTERLACED = {
    "h264.mp4": ("libx264", {"options": {"x264opts": "interlaced=1:tff=1"}}),
    "mpeg2.mpg": ("mpeg2video", {"options": {"flags": "+ilme+ildct"}, "rate": 25}),
    "mpeg4.avi": ("mpeg4", {"options": {"flags": "+ilme+ildct"}}),
    "dv.avi": ("dvvideo", {"rate": 25}),
}


@pytest.mark.parametrize("name", INTERLACED)
def test_interlaced_video_is_deinterlaced(tmp_path, name):
    codec, options = INTERLACED[name]
    size = (576, 720) if codec == "dvvideo" else (96, 128)
    path = encode(tmp_path / name, tiny.moving(8, *size), codec, **options)
    with av.open(str(path)) as film:
        assert all(frame.interlaced_frame for frame in film.decode(video=0))
    frames, _ = read_video(path)
    expected = by_ffmpeg(path, ("yadif", ""))
    assert len(frames) == 8 and np.array_equal(read_video(path)[0], frames)
    if codec != "dvvideo":  # whose pixels are not square
        assert np.array_equal(frames, expected)


def test_fields_that_lie_apart_in_time_make_no_comb():
    """Every other line of an interlaced frame is from another moment; a frame that was not deinterlaced has combs."""
    frames = read_video(VIDEOS / "interlaced.mp4")[0].astype(int)
    truth = read_video(VIDEOS / "whole.mp4")[0].astype(int)
    assert np.abs(frames - truth).mean() < 3
    assert np.array_equal(frames, by_ffmpeg(VIDEOS / "interlaced.mp4", ("yadif", "")))


@pytest.mark.parametrize(
    ("codec", "pixels", "space", "full"),
    [("libx264", "yuv420p", 1, 1), ("mjpeg", "yuvj420p", 5, 2), ("libx264", "yuv420p10le", 5, 1)],
)
def test_colours_follow_matrix_and_range(tmp_path, codec, pixels, space, full):
    path = encode(tmp_path / "a.mkv", tiny.moving(5), codec, pixels=pixels, colorspace=space, color_range=full)
    assert np.array_equal(read_video(path)[0], by_ffmpeg(path))


@pytest.mark.parametrize(("aspect", "width"), [((16, 11), 93), ((10, 11), 58), ((1, 1), 64)])
def test_pixels_are_square(tmp_path, aspect, width):
    path = encode(tmp_path / "a.mp4", tiny.moving(3), sample_aspect_ratio=Fraction(*aspect))
    assert read_video(path)[0].shape == (3, 48, width, 3)


@pytest.mark.parametrize("turn", [0, 90, 180, 270])
def test_a_phone_on_its_side(tmp_path, turn):
    images = tiny.moving(3)
    frames, _ = read_video(encode(tmp_path / "a.mp4", images, turn=turn))
    expected = np.rot90(images, turn // 90, axes=(1, 2))
    assert frames.shape == expected.shape and np.abs(frames.astype(int) - expected).mean() < 8


@given(st.permutations([0, 1]), st.sampled_from([1, -1]), st.sampled_from([1, -1]))
def test_every_display_matrix(order, x_sign, y_sign):
    """x' = x m00 + y m10, y' = x m01 + y m11: each place is where the matrix puts it, but for the shift."""
    matrix = np.zeros((2, 2), np.int32)
    matrix[order[0], 0], matrix[order[1], 1] = x_sign << 16, y_sign << 16
    image = np.arange(24).reshape(4, 6, 1)
    places = np.array([[x, y] for y in range(4) for x in range(6)]) @ (matrix >> 16)
    places -= places.min(axis=0)
    expected = np.zeros((places[:, 1].max() + 1, places[:, 0].max() + 1, 1), int)
    expected[places[:, 1], places[:, 0], 0] = np.arange(24)
    assert np.array_equal(upright(image, matrix), expected)


@pytest.mark.parametrize(("order", "parity"), [("tt", "tff"), ("bb", "bff"), ("tb", "tff"), ("bt", "bff")])
def test_fields_that_the_container_alone_tells_of(tmp_path, order, parity):
    """Motion JPEG, HuffYUV, PNG, ...: no frame says that it is interlaced, the head of the file does."""
    path = encode(tmp_path / "a.mkv", tiny.moving(8), "mjpeg", pixels="yuvj420p", options={"field_order": order})
    with av.open(str(path)) as film:
        assert not any(frame.interlaced_frame for frame in film.decode(video=0))
    assert np.array_equal(read_video(path)[0], by_ffmpeg(path, ("yadif", f"deint=all:parity={parity}")))


def test_fields_of_a_picture_too_small_for_them(tmp_path):
    options = {"flags": "+ilme+ildct"}
    path = encode(tmp_path / "a.mkv", tiny.moving(3)[:, :2, :2], "mpeg2video", rate=25, options=options)
    with av.open(str(path)) as film:
        assert all(frame.interlaced_frame for frame in film.decode(video=0))
    assert read_video(path)[0].shape == (3, 2, 2, 3)


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_an_avi_with_frames_in_another_order(tmp_path, codec):
    """AVI has no time of showing for each frame; FFmpeg's own are out of order where B frames are."""
    frames, times = read_video(encode(tmp_path / "a.avi", tiny.moving(20), codec, max_b_frames=3))
    assert len(frames) == 20 and np.allclose(times, np.arange(20) / 10)


def test_joined_recordings(tmp_path):
    """Transport streams one behind the other: each has times of its own, the intervals of all of them are true."""
    quick = encode(tmp_path / "quick.ts", tiny.moving(40), rate=25)
    slow = encode(tmp_path / "slow.ts", tiny.moving(20), rate=5)
    (tmp_path / "joined.ts").write_bytes(slow.read_bytes() + quick.read_bytes() + slow.read_bytes())
    steps = np.diff(read_video(tmp_path / "joined.ts")[1])
    assert np.allclose(steps[:19], 0.2) and np.allclose(steps[20:59], 0.04) and np.allclose(steps[60:], 0.2)
    assert (steps > 0).all() and steps.max() < 0.21


def test_colours_that_ffmpeg_cannot_convert(tmp_path):
    path = encode(tmp_path / "a.mp4", tiny.moving(3), pixels="yuv444p", colorspace=8)  # YCgCo
    with pytest.raises(Problem, match="a.mp4: FFmpeg cannot make RGB of its colours .yuv444p, colour matrix 8"):
        read_video(path)
    assert "cannot make RGB" in first_frame_problem(path)


@pytest.mark.parametrize(("pixels", "size"), [("yuv420p", (47, 63)), ("yuv410p", (48, 64)), ("yuv440p", (48, 64))])
def test_colours_of_odd_pictures(tmp_path, pixels, size):
    path = encode(tmp_path / "a.mkv", tiny.moving(3, *size), "ffv1", pixels=pixels)
    assert np.array_equal(read_video(path)[0], by_ffmpeg(path))


def test_frames_that_change_their_size(tmp_path):
    """What a call over a weak network leaves: the sender makes its pictures smaller half-way."""
    parts = [encode(tmp_path / f"{size}.ts", tiny.moving(4, *size)) for size in ((96, 128), (48, 64))]
    (tmp_path / "call.ts").write_bytes(b"".join(part.read_bytes() for part in parts))
    frames, times, notes = read_kept(tmp_path / "call.ts", StoredSpec("all", 96))
    assert frames.shape == (8, 96, 128, 3) and (np.diff(times) > 0).all()
    assert notes == ["the size of its frames changes"]


def test_hdr_black_and_still_are_noted(tmp_path):
    images = tiny.moving(6)
    hdr = encode(
        tmp_path / "hdr.mp4",
        images,
        "libx265",
        pixels="yuv420p10le",
        color_trc=18,
        options={"x265-params": "log-level=none"},
    )
    films = {hdr: "HDR video (HLG)", encode(tmp_path / "black.mp4", images * 0): "all of it is black"}
    still = cv2.resize(tiny.moving(1, 240, 320)[0], (640, 480))[None].repeat(50, axis=0)
    for number, (codec, crf) in enumerate((("libx264", 18), ("libx264", 28), ("libx264", 36), ("mjpeg", 0))):
        pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        options = {"crf": str(crf)} if crf else {}
        path = encode(tmp_path / f"still{number}.mkv", still, codec, pixels=pixels, options=options)
        films[path] = "one picture from start to end"
    films[encode(tmp_path / "one.mp4", images[:1])] = "one frame only"
    for path, note in films.items():
        assert [each.startswith(note) for each in read_kept(path, StoredSpec())[2]] == [True]
    assert read_kept(encode(tmp_path / "fine.mp4", images), StoredSpec())[2] == []


def test_people_who_hardly_move_are_no_still_picture(shared):
    for path in sorted(shared("clips/gestures").glob("S[26]/videos/static_*")):
        assert read_kept(path, StoredSpec())[2] == []


def test_a_sound_file(tmp_path):
    with pytest.raises(Problem, match="no video in it, only sound"):
        read_video(tiny.sound(tmp_path / "a.mp4"))


def test_an_unknown_codec(tmp_path):
    content = (VIDEOS / "vfr.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(content.replace(b"xvid", b"xqz9").replace(b"XVID", b"XQZ9"))
    with pytest.raises(Problem, match="FFmpeg does not know its codec; convert it"):
        read_video(tmp_path / "a.avi")


def test_a_file_that_is_damaged_inside(tmp_path):
    content = bytearray((VIDEOS / "whole.mp4").read_bytes())
    content[6000:12000:7] = bytes(len(content[6000:12000:7]))
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(Problem, match=r"frames are damaged, \d+ came; get a whole copy"):
        read_video(tmp_path / "a.mp4")


@pytest.mark.parametrize(("codec", "suffix"), [("mpeg4", "avi"), ("libx264", "mkv"), ("libvpx", "webm")])
def test_zeros_inside_lose_no_frames_in_silence(tmp_path, codec, suffix):
    """What a stick that was pulled out, or a download in parts, leaves."""
    path = encode(tmp_path / f"a.{suffix}", tiny.moving(60, 96, 128), codec)
    content = bytearray(path.read_bytes())
    half = len(content) // 2
    content[half : half + half // 2] = bytes(half // 2)
    path.write_bytes(content)
    with pytest.raises(Problem, match="damaged inside|frames are damaged"):
        read_video(path)


@pytest.mark.parametrize("name", ["whole.mp4", "interlaced.mp4", "vfr.avi", "browser.webm", "00001.MTS"])
@pytest.mark.parametrize("frames", ["40", "7", "3fps", "all"])
@pytest.mark.parametrize("pairs", ["frames", "video"])
def test_what_is_kept_is_what_is_kept_of_all(name, frames, pairs):
    stored = StoredSpec(frames, 72, flow=FlowSpec("dis", flow_from=pairs))
    whole, all_times = read_video(VIDEOS / name, 72)
    some, times, _ = read_kept(VIDEOS / name, stored)
    expected, kept = stored.keep(all_times), stored.keep(times)
    assert np.array_equal(some[kept], whole[expected]) and np.array_equal(times[kept], all_times[expected])
    if pairs == "video":
        assert np.array_equal(some[kept[kept > 0] - 1], whole[expected[expected > 0] - 1])


MEMORY = """
import resource, sys
from signs.clips.footage import read_kept
from signs.clips.spec import StoredSpec
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
frames, times, notes = read_kept(sys.argv[1], StoredSpec("40", 240))
print(len(frames), (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)
"""


def test_a_long_video_fits_into_memory(tmp_path):
    """600 frames of 640x360, 83 MB at the stored size and 415 MB as they are; 40 are 7 MB."""
    image = tiny.moving(1, 360, 640)[0]
    path = encode(tmp_path / "long.mp4", np.broadcast_to(image, (600, *image.shape)), options={"preset": "ultrafast"})
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, str(path)], cwd=tiny.REPOSITORY, capture_output=True, text=True
    )
    count, megabytes = map(int, done.stdout.split())
    assert count == 40 and megabytes < 120


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
@pytest.mark.parametrize("name", ["10:30:05.mp4", "http:a.mp4", "concat:a|b.mp4", "file:a.mp4", "-a.mp4", "a%03d.mp4"])
def test_names_that_ffmpeg_takes_for_something_else(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    Path(name).write_bytes((VIDEOS / "whole.mp4").read_bytes())
    assert len(read_video(Path(name))[0]) == 48


def test_streaming_gives_what_reading_gives():
    streamed = list(iter_video(VIDEOS / "browser.webm"))
    frames, times = read_video(VIDEOS / "browser.webm")
    assert np.array_equal(np.stack([image for image, _ in streamed]), frames)
    assert [seconds for _, seconds in streamed] == times.tolist()


def content(kind: str, video: Path) -> bytes | None:
    whole = video.read_bytes()
    return {
        "missing": None,
        "empty": b"",
        "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:00ff\nsize 12345\n",
        "random": np.random.default_rng(0).bytes(5000),
        "head only": whole[:300],
        "half": whole[: len(whole) // 2],
        "three quarters": whole[: 3 * len(whole) // 4],
    }[kind]


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("missing", "no such file"),
        ("empty", "an empty file"),
        ("pointer", "a text file, not a video; it begins 'version https://git-lfs"),
        ("random", "no video; it begins with bytes"),
        ("head only", "stops after 300 of [0-9,]+ bytes; get a whole copy"),
        ("half", "stops after [0-9,]+ of [0-9,]+ bytes; get a whole copy"),
        ("three quarters", "stops after [0-9,]+ of [0-9,]+ bytes; get a whole copy"),
    ],
)
def test_no_whole_video(tmp_path, capfd, kind, said):
    path = tiny.write_video(tmp_path / "bad.avi", tiny.moving(40))
    bad = content(kind, path)
    path.unlink() if bad is None else path.write_bytes(bad)
    with pytest.raises(Problem, match=f"bad.avi: {said}"):
        read_video(path)
    assert capfd.readouterr().err == "", "the decoder's own lines are not shown"
