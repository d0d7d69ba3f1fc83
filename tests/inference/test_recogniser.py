"""One path from frames to ranked labels; sessions, short clips, fusion."""

import itertools
import warnings

from signs.clips.dataset import Dataset, load_dataset
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import predictions
from signs.inference.recogniser import Recogniser, check_store

import numpy as np
import pytest


@pytest.fixture(scope="module")
def video(demo):
    """Frames and times of one clip of the test split."""
    data = load_dataset(demo)
    return read_video(data.split("test")[0].video(demo))


def check(ranked, someone) -> None:
    assert sorted(label for label, _ in ranked) == sorted(someone.labels)
    probabilities = [probability for _, probability in ranked]
    assert probabilities == sorted(probabilities, reverse=True)
    assert sum(probabilities) == pytest.approx(1) and min(probabilities) >= 0


def test_all_classes_best_first_and_the_mean_of_both_streams(recogniser, video):
    answer = recogniser.answer(*video)
    assert set(answer.streams) == {"rgb", "flow"}
    for ranked in (answer.ranked, *answer.streams.values()):
        check(ranked, recogniser)
    rgb, flow = (dict(answer.streams[name]) for name in ("rgb", "flow"))
    assert rgb != flow
    assert dict(answer.ranked) == pytest.approx({label: (rgb[label] + flow[label]) / 2 for label in rgb})
    assert recogniser.predict(*video) == answer.ranked
    assert set(answer.seconds) == {"frames", "flow", "rgb net", "flow net"}
    assert answer.frames.shape == (40, 64, 85, 3) and answer.flow.shape == (40, 64, 85, 2)


def test_logits_become_probabilities_in_float64(recogniser):
    count = len(recogniser.labels)
    logits = {"rgb": np.arange(count, dtype=np.float32), "flow": np.float32([1000, *[-1000] * (count - 1)])}
    answer = recogniser.conclude(logits, {}, None, None)
    expected = np.exp(np.arange(count)) / np.exp(np.arange(count)).sum()
    found = [[dict(answer.streams[name])[label] for label in recogniser.labels] for name in ("rgb", "flow")]
    np.testing.assert_allclose(found, [expected, [1, *[0] * (count - 1)]], atol=1e-12)


def test_the_streams_probabilities_are_averaged():
    mixed = predictions.fuse({"rgb": np.array([0.75, 0.25]), "flow": np.array([0.25, 0.75])})
    np.testing.assert_array_equal(mixed, [0.5, 0.5])


def test_views_are_averaged_before_the_softmax(recogniser, video):
    import dataclasses

    spec = recogniser.bundle.spec
    twice = dataclasses.replace(spec, input=dataclasses.replace(spec.input, views=2))
    someone = Recogniser(dataclasses.replace(recogniser.bundle, spec=twice), recogniser.networks)
    stream = recogniser.bundle.streams[0]
    images = np.stack([spec.stored.resize(frame) for frame in video[0]])[spec.stored.keep(np.array(video[1]))]
    batch = someone.input(stream, images, {})
    assert batch.shape[0] == 2 and not np.array_equal(batch[0], batch[1])
    alone = [recogniser.logits(stream, view[None])[0] for view in batch]
    np.testing.assert_allclose(
        someone.logits(stream, np.concatenate([batch, batch])), [np.mean(alone, axis=0)] * 2, rtol=1e-4, atol=1e-5
    )
    check(someone.predict(*video), someone)


def test_a_session_gives_what_the_frames_give_at_once(recogniser, video):
    session = recogniser.session()
    for image, seconds in zip(*video, strict=True):
        session.push(image, seconds + 1000)  # another clock
        session.push(255 - image, seconds + 1000)  # the same stamp again: not another frame
        session.push(255 - image, seconds + 999)
    answer = session.result()
    assert answer.ranked == recogniser.predict(*video)
    with pytest.raises(Problem, match="no frame came"):
        recogniser.session().result()


@pytest.mark.parametrize("camera", ["slow", "fast", "stuttering"])
def test_any_camera_gives_the_same_answer(recogniser, video, camera):
    """Frames are taken by their stamps: half of them, each twice, or some lost and the rest late."""
    frames, times = video
    rng = np.random.default_rng(0)
    if camera == "slow":
        shown = [(frames[i], times[i]) for i in range(0, len(frames), 2)]
    elif camera == "fast":
        shown = [(frames[i // 2], times[i // 2] + (i % 2) * 0.04) for i in range(2 * len(frames))]
    else:
        kept = [i for i in range(len(frames)) if i in (0, len(frames) - 1) or rng.random() > 0.25]
        shown = [(frames[i], times[i] + rng.uniform(0, 0.03) * (i > 0)) for i in kept]
    session = recogniser.session(times[-1] - times[0])
    for image, seconds in shown:
        session.push(image, seconds)
    found, expected = session.result(), recogniser.answer(frames, times)
    assert found.ranked[0][0] == expected.ranked[0][0]
    mine, theirs = dict(found.ranked), dict(expected.ranked)
    assert max(abs(mine[label] - theirs[label]) for label in theirs) < 0.1


def test_a_clip_of_fewer_frames_than_are_kept(recogniser, video):
    frames, times = video
    answer = recogniser.answer(frames[:5], times[:5])
    check(answer.ranked, recogniser)
    assert len(answer.frames) == 40
    assert len({image.tobytes() for image in answer.frames}) == 5
    # The first field is zero by definition; after it a repeated frame repeats the field before it.
    pairs = list(zip(itertools.pairwise(answer.frames), itertools.pairwise(answer.flow), strict=True))
    moved = [position for position, (frames_of, _) in enumerate(pairs) if not np.array_equal(*frames_of)]
    assert len(moved) == 4
    assert [position for position, (_, fields) in enumerate(pairs) if not np.array_equal(*fields)] == moved


def test_one_frame_is_still_and_answered(recogniser, video):
    answer = recogniser.answer(video[0][:1], video[1][:1])
    check(answer.ranked, recogniser)
    assert len(answer.frames) == 40 and not answer.flow.any()


def test_the_order_of_the_frames_matters(recogniser, video):
    """The network sees the clip, not a bag of pictures."""
    frames, times = video
    assert recogniser.predict(frames, times) != recogniser.predict(frames[::-1], times)


def test_loading_is_silent_and_gives_the_trained_weights(copied, recogniser):
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        again = Recogniser.load(copied)
    for name, model in again.models.items():
        pairs = zip(model.get_weights(), recogniser.models[name].get_weights(), strict=True)
        assert all(np.array_equal(one, other) for one, other in pairs)


def test_weights_of_another_network_are_one_line(copied):
    """Both files are whole and hashed, but the flow stream was given RGB's."""
    from signs.inference.bundle import Bundle, Stream, load_bundle, save_bundle

    found = load_bundle(copied)
    streams = [Stream(**{**vars(stream), "files": {"weights": "rgb.weights.h5"}}) for stream in found.streams]
    save_bundle(Bundle(copied, found.spec, found.classes, streams, "mean", found.about))
    with pytest.raises(Problem, match="not the weights of this network") as caught:
        Recogniser.load(copied)
    assert "\n" not in str(caught.value)


def test_data_with_another_flow_is_refused(recogniser, demo, tmp_path):
    data = load_dataset(demo)
    check_store(recogniser.bundle, data)
    for store in ("frame-40x64", "flow-40x64-dis"):
        (tmp_path / store).mkdir()
    other = Dataset(tmp_path, data.clips, data.classes)
    with pytest.raises(Problem, match="trained on flow-40x64-tvl1-fast; .* has frame-40x64, flow-40x64-dis"):
        check_store(recogniser.bundle, other)


class Other:
    """A network that is not what its bundle says."""

    def __init__(self, logits):
        self.found = logits

    def logits(self, batch):
        if self.found is None:
            raise RuntimeError("of another shape\nthan its inputs")
        return np.full((len(batch), self.found[0]), self.found[1], np.float32)


@pytest.mark.parametrize(
    ("found", "said"),
    [((3, 0.0), "tells 3 classes apart"), ((None, 0.0), "does not take"), ((8, np.nan), "gives no numbers")],
)
def test_a_network_that_is_another_than_the_bundle_says(recogniser, video, found, said):
    networks = dict(recogniser.networks, rgb=Other(None if found[0] is None else found))
    other = Recogniser(recogniser.bundle, networks, form="a form")
    with pytest.raises(Problem, match=f"its network rgb {said}"):
        other.answer(*video)
