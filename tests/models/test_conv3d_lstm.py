"""3D-CNN, CNN + LSTM and both joined: the paper's numbers, clips of any length, padded and group by group."""

from signs.clips.dataset import Label
from signs.clips.spec import ClipSpec, FlowSpec, InputSpec, StoredSpec
from signs.evaluation import gradcam
from signs.flow.stream import FLOW_METHODS
from signs.inference import runtime, stored_clips
from signs.inference.bundle import Bundle, Stream, save_bundle
from signs.inference.recogniser import Recogniser
from signs.models import conv3d_lstm

import keras
import numpy as np
import pytest

MILLION = 1e6
FRAMES = 13  # of the longest clip here: three groups of 4 and one of 1
SIDE = 24


def randomised(model: keras.Model, seed: int = 0) -> keras.Model:
    """The same with random weights and moving averages, so that no normalisation does nothing."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        if variable.name in ("gamma", "moving_variance"):
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(rng.normal(0, (2 / max(8, np.prod(variable.shape[:-1]))) ** 0.5, variable.shape))
    return model


@pytest.fixture(scope="module")
def whole():
    """Clips of any length."""
    return randomised(conv3d_lstm.build_conv3d_lstm((None, SIDE, SIDE, 2), 5, "small"))


@pytest.fixture(scope="module")
def masked(whole):
    model = conv3d_lstm.build_conv3d_lstm((None, SIDE, SIDE, 2), 5, "small", masked=True)
    model.set_weights(whole.get_weights())
    return model


@pytest.fixture(scope="module")
def clips():
    """(3, FRAMES, SIDE, SIDE, 2) float32."""
    return np.random.default_rng(1).uniform(-1, 1, (3, FRAMES, SIDE, SIDE, 2)).astype(np.float32)


def logits(model, *inputs) -> np.ndarray:
    return np.asarray(model(list(inputs) if len(inputs) > 1 else inputs[0], training=False))


def start(step, batch: int = 3) -> list[np.ndarray]:
    """The states of a clip that has not begun."""
    return [np.zeros((batch, *part.shape[1:]), np.float32) for part in step.inputs[1:]]


def stepped(step, group: np.ndarray, states: list) -> tuple[np.ndarray, list[np.ndarray]]:
    """(logits of the clip so far, the states after it)."""
    found, *after = (np.asarray(part) for part in step([group, *states], training=False))
    return found, after


@pytest.mark.parametrize(
    ("build", "published"),
    [
        (lambda: conv3d_lstm.build_conv3d((32, 64, 64, 2), 20), 18.82),
        (lambda: conv3d_lstm.build_conv3d_lstm((None, 64, 64, 2), 20), 18.37),
        (lambda: conv3d_lstm.build_conv3d_lstm((None, 64, 64, 2), 20, "medium"), 4.59),
        (lambda: conv3d_lstm.build_conv3d_lstm((None, 64, 64, 2), 20, "small"), 1.15),
    ],
)
def test_as_many_parameters_as_published(build, published):
    assert build().count_params() == pytest.approx(published * MILLION, rel=0.02)


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", ["conv3d", "conv2d-lstm", "conv3d-lstm"])
def test_the_names_of_a_bundle_build_networks_for_every_input(name, channels):
    size = {} if name == "conv3d" else {"size": "small"}
    stream = Stream("rgb", "rgb", name, {"input_shape": (6, 20, 28, channels), "classes": 3, **size}, {})
    model = runtime.build_network(stream)
    assert logits(model, np.ones((2, 6, 20, 28, channels), np.float32)).shape == (2, 3)
    top = [variable for variable in model.trainable_variables if variable.path.startswith("Logits")]
    features = model.get_layer(runtime.network_module(stream).FEATURES).output.shape[-1]
    assert [tuple(variable.shape) for variable in top] == [(features, 3), (3,)], "what training.Phase calls the top"


def test_a_size_or_group_that_is_none():
    with pytest.raises(ValueError, match="size 'tiny', group 4; expected one of joined, medium, small"):
        conv3d_lstm.build_conv3d_lstm((8, 32, 32, 1), 3, "tiny")
    with pytest.raises(ValueError, match="group 3; expected .*1, 2, 4, 8, 16"):
        conv3d_lstm.build_conv3d_lstm((8, 32, 32, 1), 3, group=3)


@pytest.mark.parametrize("group", conv3d_lstm.GROUPS)
def test_a_group_is_coded_by_itself(group):
    model = conv3d_lstm.build_conv3d_lstm((None, 16, 16, 1), 3, "small", group)
    codes = keras.Model(model.input, model.get_layer("Code").output)
    clip_ = np.random.default_rng(0).normal(0, 1, (1, 3 * group, 16, 16, 1)).astype(np.float32)
    before = logits(codes, clip_)
    clip_[0, group] += 1
    changed = np.abs(logits(codes, clip_) - before).max(axis=-1)[0]
    assert before.shape[1] == 3 and list(changed > 0) == [False, True, False]


@pytest.mark.parametrize("length", range(1, FRAMES + 1))
def test_what_a_clip_is_padded_with_counts_for_nothing(whole, masked, clips, length):
    padded = clips.copy()
    padded[:, length:] = 1e3
    lengths = np.array([length, FRAMES, 1])
    padded[1] = clips[1]
    found = logits(masked, padded, lengths)
    for row, one, frames in zip(found, clips, lengths, strict=True):
        np.testing.assert_allclose(row, logits(whole, one[None, :frames])[0], atol=1e-5)


def test_training_takes_no_notice_of_padding_either(masked, clips):
    """The moving averages and the gradients of a step are those of the clips without their padding."""
    lengths, targets = np.array([8, 8, 8]), np.eye(5, dtype=np.float32)[[0, 3, 4]]
    after = []
    for filled in (clips[:, :8], np.concatenate([clips[:, :8], np.full_like(clips[:, 8:], 9)], axis=1)):
        model = conv3d_lstm.build_conv3d_lstm((None, SIDE, SIDE, 2), 5, "small", masked=True, dropout=0)
        model.set_weights(masked.get_weights())
        model.compile(
            keras.optimizers.SGD(0.1),
            keras.losses.CategoricalCrossentropy(from_logits=True),
            jit_compile=False,
            run_eagerly=True,
        )
        model.train_on_batch([filled, lengths], targets)
        after.append(model.get_weights())
    moved = [np.abs(new - old).max() for new, old in zip(after[0], masked.get_weights(), strict=True)]
    assert min(moved) > 0, "every weight and average moved"
    for short, long in zip(*after, strict=True):
        np.testing.assert_allclose(short, long, atol=1e-5)


def test_a_weight_file_serves_with_and_without_lengths(whole, masked, clips, tmp_path):
    whole.save_weights(tmp_path / "rgb.weights.h5")
    assert [variable.path for variable in whole.weights] == [variable.path for variable in masked.weights]
    model = conv3d_lstm.build_conv3d_lstm((FRAMES, SIDE, SIDE, 2), 5, "small", masked=True)
    model.load_weights(tmp_path / "rgb.weights.h5")
    lengths = np.full(3, FRAMES)
    np.testing.assert_allclose(logits(model, clips, lengths), logits(whole, clips), atol=1e-5)


@pytest.mark.parametrize("group", [1, 2, 4, 8])
def test_group_by_group_it_answers_as_the_whole_network_after_each_frame(clips, group):
    model = randomised(conv3d_lstm.build_conv3d_lstm((None, SIDE, SIDE, 2), 5, "small", group))
    step = conv3d_lstm.build_step(model)
    assert conv3d_lstm.group_of(model) == group
    assert {id(variable) for variable in step.weights} == {id(variable) for variable in model.weights}
    states, answers = start(step), []
    for first in range(0, FRAMES, group):
        for end in range(first + 1, min(first + group, FRAMES) + 1):
            found, after = stepped(step, clips[:, first:end], states)
            answers.append(found)
        states = after
    assert len(answers) == FRAMES
    for frames, found in enumerate(answers, 1):
        np.testing.assert_allclose(found, logits(model, clips[:, :frames]), atol=1e-5)
    assert np.ptp(answers, axis=0).max() > 0.05, "answers that never change would show nothing"


def test_a_step_refuses_more_than_a_group(whole, clips):
    step = conv3d_lstm.build_step(whole)
    with pytest.raises(Exception, match="[Rr]eshape"):
        stepped(step, clips[:, :5], start(step))


def test_the_difference_of_two_totals_is_the_answer_for_what_lies_between(whole, clips):
    step = conv3d_lstm.build_step(whole)
    states, totals = start(step), []
    for first in range(0, 12, 4):
        _, states = stepped(step, clips[:, first : first + 4], states)
        totals.append(states[2])
    each = logits(keras.Model(whole.input, whole.get_layer("Logits_dense").output), clips[:, :12])
    np.testing.assert_allclose((totals[2] - totals[0]) / 2, each[:, 1:].mean(axis=1), atol=1e-5)


def test_it_learns_which_way_something_moves():
    """Two classes that no single frame and no average picture tells apart."""
    rng, clips, targets = np.random.default_rng(0), [], []
    for number in range(32):
        places = np.arange(8) * 2 + rng.integers(3)
        picture = np.zeros((8, 20, 20, 1), np.float32)
        for moment, place in enumerate(places if number % 2 else places[::-1]):
            picture[moment, 6:12, place : place + 3] = 1
        clips.append(picture)
        targets.append(number % 2)
    clips, targets = np.stack(clips), np.array(targets)
    keras.utils.set_random_seed(0)
    model = conv3d_lstm.build_conv3d_lstm((8, 20, 20, 1), 2, "small", dropout=0, momentum=0.5)
    model.compile(
        keras.optimizers.Adam(1e-3), keras.losses.SparseCategoricalCrossentropy(from_logits=True), jit_compile=False
    )
    model.fit(clips[:24], targets[:24], batch_size=8, epochs=8, verbose=0)
    assert list(logits(model, clips[24:]).argmax(axis=1)) == list(targets[24:])


@pytest.fixture(scope="module")
def recogniser(tmp_path_factory):
    """Of a bundle with a joined network on RGB and a 3D-CNN on flow."""
    folder = tmp_path_factory.mktemp("model")
    flow = FlowSpec("dis", FLOW_METHODS["dis"])
    spec = ClipSpec(StoredSpec(frames="8", short_side=36, flow=flow), InputSpec(8, 36, 32))
    streams = []
    for name, network, channels in (("rgb", "conv3d-lstm", 3), ("flow", "conv3d", 2)):
        arguments = {"input_shape": (8, 32, 32, channels), "classes": 3}
        arguments |= {"size": "small"} if network == "conv3d-lstm" else {}
        stream = Stream(name, name, network, arguments, {"weights": f"{name}.weights.h5"})
        randomised(runtime.build_network(stream)).save_weights(folder / stream.files["weights"])
        streams.append(stream)
    save_bundle(Bundle(folder, spec, [Label(f"{n:03d}", f"sign {n}") for n in range(3)], streams, "mean", {}))
    return Recogniser.load(folder)


def test_a_bundle_of_them_predicts(recogniser):
    frames = np.random.default_rng(0).integers(0, 255, (10, 48, 64, 3), np.uint8)
    answer = recogniser.answer(frames, np.arange(10) / 10)
    assert answer.logits.keys() == {"rgb", "flow"} and sum(share for _, share in answer.ranked) == pytest.approx(1)


def test_features_and_places_of_both(recogniser, monkeypatch):
    """What the report asks a network for, of one whose last features have no place, or none in time either."""
    rng = np.random.default_rng(0)
    inputs = {"rgb": rng.normal(0, 1, (4, 8, 32, 32, 3)), "flow": rng.normal(0, 1, (4, 8, 32, 32, 2))}
    inputs = {name: batch.astype(np.float32) for name, batch in inputs.items()}
    monkeypatch.setattr(stored_clips, "batches", lambda *_: [(list("abcd"), inputs)])
    kept, rows = stored_clips.features(recogniser, None, [], 4, 1)
    assert kept == list("abcd") and rows.shape == (4, 256 + conv3d_lstm.HIDDEN)
    np.testing.assert_allclose(np.linalg.norm(rows[:, :256], axis=1), 1, rtol=1e-5)
    for name, batch in inputs.items():
        heat = gradcam.heat(gradcam.cut(recogniser.models[name], conv3d_lstm.MAPS), batch, np.array([0, 1, 2, 0]))
        assert heat.shape == (4, 8, 32, 32) and heat.max() == 1
