"""Which clips are shown, that the loops move, and which training clip is nearest."""

from dataclasses import replace

from signs.clips.dataset import Clip, load_dataset
from signs.evaluation import gallery, shown_clips
from signs.inference import stored_clips
from signs.inference.bundle import Stream
from signs.inference.confidence import Calibration
from signs.inference.predictions import Predictions

import cv2
import numpy as np
import pytest


def predictions(*rows) -> Predictions:
    """(label, answer, probability) each, of four classes."""
    probabilities = np.zeros((len(rows), 4))
    for line, (_, answer, share) in zip(probabilities, rows, strict=True):
        line[:] = (1 - share) / 3
        line[answer] = share
    labels = ["" if label is None else "abcd"[label] for label, _, _ in rows]
    clips = [Clip(f"c{i}", "test", label) for i, label in enumerate(labels)]
    return Predictions(clips, list("abcd"), {"rgb": probabilities})


def test_the_surest_wrong_answers_first_then_right_ones_of_several_classes():
    some = predictions((0, 1, 0.5), (1, 1, 0.9), (1, 1, 0.95), (None, 3, 0.99), (2, 3, 0.8), (3, 3, 0.6), (0, 2, 0.7))
    assert shown_clips.pick_clips(some, "rgb", 2, 3, Calibration()) == [4, 6, 2, 5]
    assert shown_clips.pick_clips(some, "rgb", 9, 0, Calibration()) == [4, 6, 0]


def test_the_surest_is_who_is_said_to_be_and_people_who_fail_stand_together():
    """A low temperature makes 45 % of which the rest is spread surer than 50 % against 48 %."""
    some = predictions((0, 1, 0.45), (0, 1, 0.5), (2, 2, 0.9))
    some.streams["rgb"][1] = (0.48, 0.5, 0.01, 0.01)
    assert shown_clips.pick_clips(some, "rgb", 2, 0, Calibration()) == [1, 0]
    assert shown_clips.pick_clips(some, "rgb", 2, 0, Calibration(0.3)) == [0, 1]
    rows = [{"right": right, "signer": signer} for right, signer in ((0, "Ann"), (0, "Cem"), (0, "ann"), (1, "Ann"))]
    assert shown_clips.group_clips(rows, ["Ben", "Ann"]) == [(2, "Ann", rows[:3:2]), (0, "", rows[1::2])]


def test_an_answer_below_the_limit_is_not_sure_and_one_that_names_no_gesture_is_never_rejected():
    some, learnt = predictions((0, 1, 0.5), (2, 2, 0.9), (0, 3, 0.5)), Calibration(threshold=0.6)
    said = [shown_clips.describe_clip(some, index, learnt, frozenset("d"))["unsure"] for index in range(3)]
    assert said == ["not sure: 50%, an answer needs 60%", None, None]
    assert shown_clips.describe_clip(some, 0, Calibration(), frozenset())["unsure"] is None


@pytest.fixture(scope="module")
def made(demo, recogniser, tmp_path_factory):
    data, folder = load_dataset(demo), tmp_path_factory.mktemp("report")
    (folder / "gallery").mkdir()
    (folder / "gallery" / "of-an-earlier-run.webp").write_bytes(b"")
    gallery.remove_loops(folder)
    found, _ = stored_clips.predict(recogniser, data, data.split("test"), 4, 2)
    return folder, gallery.write_gallery(recogniser, data, found, folder, 3, 2), data, found


def test_loops_move_and_hold_both_halves(made):
    folder, rows, _, _ = made
    assert len(rows) > 3 and not (folder / "gallery" / "of-an-earlier-run.webp").exists()
    for row in rows:
        assert set(row["loops"]) == {"rgb", "flow"}
        for name in (*row["loops"].values(), row["nearest"]["loop"]):
            read, animation = cv2.imreadanimation(str(folder / name))
            assert read and 4 <= len(animation.frames) <= 16 and animation.frames[0].shape[0] == gallery.SIDE
            assert any(np.abs(animation.frames[0].astype(int) - frame).mean() > 0.5 for frame in animation.frames[1:])
            assert sum(animation.durations) == pytest.approx(gallery.DURATION, rel=0.1)
    wide = cv2.imreadanimation(str(folder / rows[0]["loops"]["rgb"]))[1].frames[0].shape[1]
    assert wide == round(85 * gallery.SIDE / 64) + gallery.SIDE, "the stored picture and the square beside it"


def test_rows_say_what_the_predictions_say(made, recogniser):
    _, rows, _, found = made
    places = {item.clip: index for index, item in enumerate(found.clips)}
    for row in rows:
        both = found.streams["both"][places[row["clip"]]]
        assert row["answer"] == recogniser.labels[both.argmax()] and row["confidence"] == pytest.approx(both.max())
        assert row["right"] == (row["answer"] == row["label"])
        assert [share for _, share in row["top"]] == pytest.approx(np.sort(both)[::-1][:5])
        alone = {name: found.streams[name][places[row["clip"]]].argmax() for name in ("rgb", "flow")}
        assert row["alone"] == {name: recogniser.labels[index] for name, index in alone.items()}


def test_the_nearest_training_clip_is_the_one_of_the_largest_cosine(demo, recogniser, monkeypatch):
    """The clip itself does not count."""
    data = load_dataset(demo)
    train = data.split("train")
    kept, rows = stored_clips.features(recogniser, data, train, 4, 2)
    assert [item.clip for item in kept] == [item.clip for item in train]
    np.testing.assert_allclose(np.square(rows).sum(axis=1), 2, rtol=1e-5)
    monkeypatch.setattr(
        stored_clips,
        "features",
        lambda recogniser, data, clips, batch, workers: (
            clips,
            np.stack([rows[[one.clip for one in train].index(item.clip)] for item in clips]),
        ),
    )
    found = gallery.find_nearest(recogniser, data, train[:2], 100, 2)
    alike = rows[:2] @ rows[2:].T / 2
    for item, row in zip(train[:2], alike, strict=True):
        other, share = found[item.clip]
        place = [one.clip for one in train].index(other.clip)
        assert place > 1 and row[place - 2] == pytest.approx(row.max(), abs=1e-6) and share == pytest.approx(row.max())
    assert gallery.find_nearest(recogniser, data, train[:2], 0, 2) == {}


def test_a_flow_loop_does_not_begin_white(made):
    """The first field of a clip is zero, and nobody moves at once."""
    folder, rows, _, _ = made
    for row in rows:
        first = cv2.imreadanimation(str(folder / row["loops"]["flow"]))[1].frames[0]
        seen = first[:, -gallery.SIDE :]
        assert (seen.min(axis=2) < 200).mean() > 0.01, row["clip"]


@pytest.mark.parametrize(
    ("strengths", "begin"), [([0, 0, 3, 5], 2), ([0, 5, 5, 5], 1), ([0, 0, 0, 0], 0), ([0, 0, 0, 5], 2), ([0], 0)]
)
def test_where_a_flow_loop_begins(strengths, begin):
    flow = np.zeros((len(strengths), 8, 8, 2), np.float32)
    flow[..., 0] = np.array(strengths)[:, None, None]
    assert gallery.from_movement(flow) == begin


def test_six_networks_make_no_six_loops():
    kinds = ("rgb", "rgb", "flow", "flow", "landmark", "landmark")
    streams = [Stream(f"{kind}-{number}", kind, "i3d", {}, {}) for number, kind in enumerate(kinds)]
    assert [stream.name for stream in gallery.shown_streams(streams)] == ["landmark-4", "flow-2"]
    assert [stream.name for stream in gallery.shown_streams(streams[:4])] == ["rgb-0", "flow-2"]
    assert [stream.name for stream in gallery.shown_streams(streams[2:4])] == ["flow-2"]


def test_who_does_not_allow_loops_is_named_without_one(made, recogniser, tmp_path, monkeypatch):
    _, _, data, found = made
    monkeypatch.setattr(gallery, "RIGHT", 1)
    for word, loops in (("training loops", 3), ("training", 0), ("none", 0)):
        of = {item.clip: replace(item, consent=word) for item in data.clips}
        train = [of[item.clip] for item in data.split("train")]
        monkeypatch.setattr(
            gallery, "find_nearest", lambda *args, train=train: {i.clip: (train[0], 1) for i in args[2]}
        )
        asked, folder = replace(found, clips=[of[item.clip] for item in found.clips]), tmp_path / word
        rows = gallery.write_gallery(recogniser, data, asked, folder, 0, 2)
        assert len(list((folder / "gallery").glob("*.webp"))) == loops * len(rows) and len(rows) == 1
        assert rows[0]["shown"] == bool(loops) and (rows[0]["nearest"]["loop"] is not None) == bool(loops)
        assert rows[0]["clip"] and rows[0]["nearest"]["clip"] == train[0].clip
