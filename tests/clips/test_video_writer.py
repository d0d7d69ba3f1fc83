"""What is written is read again: the same pictures, at the very times at which they came."""

from signs.clips import video_writer
from signs.clips.video import read_video
from signs.clips.video_writer import VideoWriter, find_encoder
from signs.command import Problem

import numpy as np
import pytest

import tiny

TIMES = np.array([100.0, 100.033, 100.1, 100.102, 100.5, 101.25])  # as a camera that stutters sends them


def written(tmp_path, images, times):
    writer = VideoWriter()
    for image, seconds in zip(images, times, strict=True):
        writer.add(image, seconds)
    path = tmp_path / "take.mp4"
    path.write_bytes(writer.finish())
    return path


@pytest.fixture(params=list(video_writer.ENCODERS))
def encoder(request, monkeypatch):
    """Each encoder by itself, as where the better ones are missing."""
    known = {request.param: video_writer.ENCODERS[request.param]}
    monkeypatch.setattr(video_writer, "ENCODERS", known)
    find_encoder.cache_clear()
    try:
        find_encoder()
    except Problem:
        pytest.skip(f"no {request.param} in this PyAV")
    yield request.param
    find_encoder.cache_clear()


def test_frames_come_back_at_their_own_times(tmp_path, encoder):
    images = tiny.moving(len(TIMES), 96, 128)
    path = written(tmp_path, images, TIMES)
    frames, times = read_video(path)
    np.testing.assert_allclose(times, TIMES - TIMES[0], atol=1 / 60000)
    assert frames.shape == images.shape
    assert np.abs(frames.astype(int) - images).mean() < 8


def test_colours_stay(tmp_path):
    colours = np.array([(220, 40, 40), (40, 200, 60), (50, 60, 210), (200, 180, 160)], np.uint8)
    image = np.repeat(np.repeat(colours[None], 64, axis=0), 16, axis=1)
    frames, _ = read_video(written(tmp_path, [image] * 3, TIMES[:3]))
    for number, colour in enumerate(colours):
        np.testing.assert_allclose(frames[0, 32, 16 * number + 8], colour, atol=6)


def test_an_odd_size_loses_a_row_and_a_column(tmp_path):
    frames, times = read_video(written(tmp_path, tiny.moving(3, 49, 65), TIMES[:3]))
    assert frames.shape == (3, 48, 64, 3) and len(times) == 3


def test_even_rates_are_exact(tmp_path):
    times = np.arange(20) * 1001 / 30000
    assert read_video(written(tmp_path, tiny.moving(20), times))[1] == pytest.approx(times, abs=1e-9)


def test_no_frame_and_no_encoder_are_said(monkeypatch):
    with pytest.raises(Problem, match="no frame came"):
        VideoWriter().finish()
    monkeypatch.setattr(video_writer, "ENCODERS", {"nonesuch": {}})
    find_encoder.cache_clear()
    with pytest.raises(Problem, match="no encoder"):
        VideoWriter().add(tiny.moving(1)[0], 0.0)
    find_encoder.cache_clear()
