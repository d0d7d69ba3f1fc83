"""Flow of clips: the stream, the clip, the video's rate, and the command over a data set."""

import shutil
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import preprocess, storage
from signs.clips.dataset import Dataset, load_dataset, save_dataset
from signs.clips.spec import FlowSpec, StoredSpec, stored_from_json
from signs.command import Problem
from signs.flow.stream import FLOW_METHODS, FlowStream, clip_flow, flow_to_colour, to_grey, tvl1, video_flow

import cv2
import numpy as np
import pytest

import frame
import opticalflow
import tiny

STORE = "flow-6x32-tvl1-fast"
SPEC = FlowSpec("tvl1-fast", FLOW_METHODS["tvl1-fast"])
MOTION = (-2, -1)  # px a frame, of `tiny.moving`


@pytest.fixture(scope="module")
def framed(tmp_path_factory) -> Path:
    """A tiny data set with its frames."""
    folder = tiny.data_set(tmp_path_factory.mktemp("framed") / "data").folder
    assert frame.main(["--data", str(folder), "--frames", "6", "--short-side", "32", "--workers", "1"]) == command.DONE
    return folder


@pytest.fixture(scope="module")
def unbroken(framed, tmp_path_factory) -> dict[str, bytes]:
    folder = shutil.copytree(framed, tmp_path_factory.mktemp("unbroken") / "data")
    assert opticalflow.main(["--data", str(folder), "--workers", "1"]) == command.DONE
    return tiny.contents(folder / STORE)


@pytest.fixture
def data(framed, tmp_path) -> Path:
    return shutil.copytree(framed, tmp_path / "data")


def run(data: Path, *more: str) -> int:
    return command.run(lambda: opticalflow.main(["--data", str(data), "--workers", "1", *more]))


def middle(flow: np.ndarray) -> np.ndarray:
    """(..., H, W, 2) -> the median motion of the interior."""
    return np.median(flow[..., 8:-8, 8:-8, :], axis=(-3, -2))


@pytest.mark.parametrize(("method", "preset"), [("tvl1-fast", "fast"), ("tvl1-quality", "quality")])
def test_a_stream_gives_what_each_pair_gives(method, preset):
    frames = tiny.moving(4)
    stream = FlowStream(method)
    assert stream.push(frames[0]) is None
    for one, two in zip(frames, frames[1:], strict=False):
        pair = tvl1(to_grey(one), to_grey(two), preset)
        assert np.array_equal(stream.push(two), pair)
        assert np.abs(middle(pair) - MOTION).max() < 0.1


@pytest.mark.parametrize("method", FLOW_METHODS)
def test_every_method_gives_x_then_y_in_pixels(method):
    stream, frames = FlowStream(method), tiny.moving(3, 96, 128)
    flow = [stream.push(image) for image in frames][1:]
    for field in flow:
        assert field.shape == (96, 128, 2) and field.dtype == np.float32
        assert np.abs(middle(field) - MOTION).max() < 0.3
    assert not np.shares_memory(*flow) and not np.array_equal(*flow)


def test_grey_and_colour_frames_are_the_same_to_a_stream():
    frames = tiny.moving(2)
    colour, grey = FlowStream(), FlowStream()
    for image in frames:
        fields = colour.push(image), grey.push(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY))
    assert np.array_equal(*fields)


@pytest.mark.parametrize("method", ["tvl1-fast", "dis", "farneback"])
def test_frames_that_do_not_fit(method):
    stream = FlowStream(method)
    stream.push(tiny.moving(1)[0])
    with pytest.raises(ValueError, match="different sizes"):
        stream.push(tiny.moving(1, 50, 64)[0])
    with pytest.raises(ValueError, match="uint8"):
        FlowStream(method).push(np.zeros((48, 64), np.float32))


def test_a_method_that_is_none():
    with pytest.raises(Problem, match="flow method 'tvl2'; expected one of tvl1-fast, tvl1-quality, dis, farneback"):
        FlowStream("tvl2")


def test_parameters_are_used():
    frames = tiny.moving(2)
    usual, coarse = FlowStream(), FlowStream("tvl1-fast", {**FLOW_METHODS["tvl1-fast"], "warps": 1, "scales": 1})
    fields = [[stream.push(image) for image in frames][1] for stream in (usual, coarse)]
    assert not np.array_equal(*fields)


def test_as_many_fields_as_frames_the_first_zero_a_repeated_frame_repeating():
    frames = tiny.moving(4)
    kept = [0, 0, 1, 1, 1, 3]
    flow = clip_flow(frames[kept], np.array(kept) / 10, SPEC)
    assert flow.shape == (6, 48, 64, 2) and flow.dtype == np.float32
    assert not flow[0].any() and not flow[1].any()
    grey = [to_grey(image) for image in frames]
    assert np.array_equal(flow[2], tvl1(grey[0], grey[1]))
    assert np.array_equal(flow[3], flow[2]) and np.array_equal(flow[4], flow[2])
    assert np.array_equal(flow[5], tvl1(grey[1], grey[3])), "between the kept frames, over the one left out"


def test_equal_pictures_at_different_times_have_no_motion():
    frames = tiny.moving(2)[[0, 1, 1]]
    flow = clip_flow(frames, [0, 0.1, 0.2], SPEC)
    assert np.abs(middle(flow[1])).max() > 0.9 and np.abs(flow[2]).max() < 1e-3


@pytest.mark.parametrize(("rule", "kept"), [("4", [0, 3, 5, 8]), ("12", None)])
def test_flow_at_the_rate_of_the_video(rule, kept):
    frames = tiny.moving(9)
    times = np.arange(9) / 10
    stored = StoredSpec(rule, 48, flow=replace(SPEC, flow_from="video"))
    indices = stored.keep(times).tolist()
    assert kept is None or indices == kept
    flow = video_flow(frames, times, stored)
    assert len(flow) == len(indices) and not flow[0].any()
    grey = [to_grey(image) for image in frames]
    for field, index in zip(flow, indices, strict=True):
        assert index == 0 or np.array_equal(field, tvl1(grey[index - 1], grey[index]))


def test_statistics_of_a_clip():
    flow = np.zeros((3, 100, 100, 2), np.float32)
    flow[1:, ..., 0], flow[1:, ..., 1] = 3, 4
    flow[2, 0, 0] = 30, -40
    figures = opticalflow.statistics(flow, preprocess.quantise_flow(flow, 20))
    assert figures == pytest.approx({"mean": 5 + 45 / 20_000, "p99": 5, "largest": 50, "cut_off": 2 / 60_000}, abs=1e-4)
    one = opticalflow.statistics(flow[:1], preprocess.quantise_flow(flow[:1], 20))
    assert one == {"mean": 0, "p99": 0, "largest": 0, "cut_off": 0}


def test_a_stream_that_starts_again_forgets_the_frame_before():
    frames = tiny.moving(3)
    for method in FLOW_METHODS:
        stream = FlowStream(method)
        stream.push(frames[0])
        first = stream.push(frames[1])
        stream.restart()
        assert stream.push(frames[0][:-8]) is None, "another size, too"
        stream.restart()
        assert stream.push(frames[0]) is None
        assert np.array_equal(stream.push(frames[1]), first)


def test_colours_of_directions():
    assert np.all(flow_to_colour(np.zeros((5, 7, 2), np.float32)) == 255)
    directions = np.float32([[3, 0], [0, 3], [-3, 0], [0, -3]]).reshape(2, 2, 2)
    colours = flow_to_colour(directions, longest=3)
    assert colours.shape == (2, 2, 3) and colours.dtype == np.uint8
    hue = cv2.cvtColor(colours, cv2.COLOR_RGB2HSV)[..., 0].reshape(-1).astype(int) * 2  # degrees
    assert np.allclose((hue[[2, 3]] - hue[[0, 1]]) % 360, 180, atol=4), "opposite directions, opposite hues"
    assert np.allclose((hue[1] - hue[0]) % 360, 90, atol=4)
    weak = flow_to_colour(directions / 3, longest=3)
    assert np.all(weak.min(axis=2) > colours.min(axis=2) + 100), "less motion is paler"


def test_one_wild_pixel_does_not_pale_the_rest():
    flow = np.full((40, 40, 2), 2, np.float32)
    flow[0, 0] = 500
    assert flow_to_colour(flow)[20, 20].min() < 10


def test_archives_of_a_data_set(framed, unbroken):
    data = load_dataset(framed)
    assert set(unbroken) == {f"{item.folder}/{item.clip}.zip" for item in data.clips}


def test_what_an_archive_holds(data, unbroken, capsys):
    assert run(data) == command.DONE
    assert "6 clips, 36 fields" in capsys.readouterr().out
    assert tiny.contents(data / STORE) == unbroken
    item = load_dataset(data).clips[0]
    frames = storage.read_archive(item.archive(data, "frame-6x32"))
    flow = storage.read_archive(item.archive(data, STORE))
    assert flow.images.shape == (6, 32, 43, 2) and flow.info["times"] == frames.info["times"]
    assert flow.info["sha256"] == item.sha256 and flow.info["stored"]["flow"]["method"] == "tvl1-fast"
    assert flow.info["stored"]["flow"]["parameters"] == FLOW_METHODS["tvl1-fast"]
    assert 0 < flow.info["statistics"]["mean"] < flow.info["statistics"]["largest"] < 20
    wanted = clip_flow(frames.images, frames.info["times"], SPEC)
    assert np.array_equal(flow.images, storage.as_stored(preprocess.quantise_flow(wanted, 20), 95))
    # Frames 0, 2, 4, 7, 9, 11 of 48 x 64, at two thirds of the size.
    for field, steps in zip(flow.flow[1:], (2, 2, 3, 2, 2), strict=True):
        assert np.abs(middle(field) - np.array(MOTION) * steps * 32 / 48).max() < 0.25
    assert np.abs(flow.flow[0]).max() < 0.1


def test_any_number_of_processes_gives_the_same_bytes(data, unbroken):
    assert run(data, "--workers", "2") == command.DONE
    assert tiny.contents(data / STORE) == unbroken


def test_a_second_run_writes_nothing(data, capsys):
    assert run(data) == command.DONE
    before = tiny.times(data / STORE)
    capsys.readouterr()
    assert run(data) == command.DONE
    assert tiny.times(data / STORE) == before
    said = capsys.readouterr().out
    assert "6 of 6 clips are there already" in said and "0 clips, 0 fields" in said


def test_bad_clips_are_named_and_the_rest_is_done(data, unbroken, capsys):
    clips = {item.clip: item for item in load_dataset(data).clips}
    cut = clips["a_2"].archive(data, "frame-6x32")
    whole = cut.read_bytes()
    cut.write_bytes(whole[: len(whole) // 2])
    gone = clips["c_1"].archive(data, "frame-6x32")
    content = gone.read_bytes()
    gone.unlink()
    assert run(data) == command.PARTLY
    err = capsys.readouterr().err
    assert "train/002/a_2: " in err and "a_2.zip: cut short or damaged" in err
    assert "  test/001/c_1: has no frames: frame.py could not read its video" in err
    assert "2 not done (named above), 4 done" in err
    assert run(data) == command.PARTLY, "the others are there already"
    assert "2 not done (named above), 0 done" in capsys.readouterr().err
    assert tiny.contents(data / STORE).keys() == unbroken.keys() - {"train/002/a_2.zip", "test/001/c_1.zip"}
    cut.write_bytes(whole)
    gone.write_bytes(content)
    before = tiny.times(data / STORE)
    assert run(data) == command.DONE and tiny.contents(data / STORE) == unbroken
    assert before.items() <= tiny.times(data / STORE).items()


def test_frames_of_an_older_video_are_not_used(data, capsys):
    loaded = load_dataset(data)
    first = replace(loaded.clips[0], sha256="00ff")
    save_dataset(Dataset(data, [first, *loaded.clips[1:]], loaded.classes))
    assert run(data) == command.PARTLY
    assert "a_1.zip: not what frame.py makes of the video in clips.csv; run frame.py again" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "store"),
    [
        (["--method", "dis"], "flow-6x32-dis"),
        (["--method", "farneback", "--bound", "10"], "flow-6x32-farneback-b10"),
        (["--method", "tvl1-quality"], "flow-6x32-tvl1-quality"),
        (["--flow-from", "video", "--quality", "80"], "flow-6x32-tvl1-fast-video-q80"),
    ],
)
def test_other_flow_goes_into_another_store(data, flags, store):
    assert run(data, *flags, "--split", "valid") == command.DONE
    assert load_dataset(data).stores("flow") == [store]
    assert list(tiny.contents(data / store)) == ["valid/002/b_1.zip"]
    flow = storage.read_archive(data / store / "valid/002/b_1.zip")
    assert stored_from_json(flow.info["stored"]).flow_store == store
    steps = np.array([1] * 5 if "video" in store else [2, 2, 3, 2, 2])[:, None]
    assert np.abs(middle(flow.flow)[1:] - np.array(MOTION) * steps * 32 / 48).max() < 0.6


def test_no_frames_and_several(tmp_path, data, capsys):
    folder = tiny.data_set(tmp_path / "bare").folder
    assert run(folder) == command.NOTHING
    err = capsys.readouterr().err
    assert f"no frame store; run frame.py --data {folder}" in err and err.count("\n") == 1
    assert not list(folder.glob("flow-*"))

    assert frame.main(["--data", str(data), "--frames", "3", "--short-side", "32", "--workers", "1"]) == command.DONE
    assert run(data) == command.NOTHING
    assert "several stores, frame-3x32, frame-6x32; choose one with --store" in capsys.readouterr().err
    assert run(data, "--store", "3x32", "--method", "dis") == command.DONE
    assert load_dataset(data).stores("flow") == ["flow-3x32-dis"]


def test_flow_of_another_part(data):
    """The depth of these clips stands still, their colour does not."""
    for item in load_dataset(data).clips:
        still = np.repeat(tiny.moving(1), tiny.FRAMES, axis=0)
        tiny.write_video(item.video(data, "depth"), still)
    flags = ["--data", str(data), "--frames", "6", "--short-side", "32", "--workers", "1", "--part", "depth"]
    assert frame.main(flags) == command.DONE
    for source in ("frames", "video"):
        assert run(data, "--store", "6x32-depth", "--method", "dis", "--flow-from", source) == command.DONE
    stores = load_dataset(data).stores("flow", "depth")
    assert stores == ["flow-6x32-depth-dis", "flow-6x32-depth-dis-video"]
    for store in stores:
        assert np.abs(storage.read_archive(data / store / "valid/002/b_1.zip").flow).max() < 0.2
    assert run(data, "--method", "dis") == command.DONE, "the colour video's store is the only one of its part"
    assert np.abs(storage.read_archive(data / "flow-6x32-dis/valid/002/b_1.zip").flow).max() > 1


@pytest.mark.parametrize("moment", tiny.KILL)
def test_killed_and_started_again(data, unbroken, moment):
    tiny.kill_script(moment, "opticalflow.py", "--data", data)
    left = tiny.contents(data / STORE)
    done = {name: content for name, content in left.items() if ".part" not in name}
    assert len(done) == 2 and len(left) == 3 and done.items() <= unbroken.items(), "killed in the third clip"
    before = tiny.times(data / STORE)
    assert run(data) == command.DONE
    assert tiny.contents(data / STORE) == unbroken
    assert {name for name, time in before.items() if tiny.times(data / STORE).get(name) == time} >= {
        Path(name).name for name in done
    }


def test_two_runs_at_once(data):
    with command.lock(data / STORE):
        done = tiny.script("opticalflow.py", "--data", data, "--workers", "1")
    assert done.returncode == command.NOTHING
    assert "another run is writing there" in done.stderr and done.stderr.count("\n") == 1
    assert tiny.contents(data / STORE) == {}
