"""Image networks get what their own preprocessing makes; the LSTM with and without truncation; both joined."""

import sys

from signs.command import Problem
from signs.models import cnn_lstm
from signs.models.cnn_lstm import Standardise

import keras
import numpy as np
import pytest

import small_cnn

rng = np.random.default_rng(0)
PICTURES = rng.integers(0, 256, (2, 8, 8, 3)).astype(np.uint8)
# One of each module of keras.applications: how they want their pixels is the module's.
FAMILIES = {builder.__module__: name for name, builder in cnn_lstm.applications().items()}
STEPS = np.random.default_rng(0).normal(size=(3, 7, 4)).astype(np.float32)


def scaled(pictures: np.ndarray) -> np.ndarray:
    """uint8 -> what `preprocess.network_input` makes of it."""
    return np.float32(pictures) * np.float32(2 / 255) - 1


def seen_by(builder, monkeypatch, pictures: np.ndarray) -> np.ndarray:
    """What reaches a network that stands where `builder` does."""

    def bare(include_top, input_shape, weights):
        picture = keras.Input(input_shape)
        return keras.Model(picture, keras.layers.Identity()(picture))

    bare.__module__ = builder.__module__
    monkeypatch.setattr(cnn_lstm, "applications", lambda: {"bare": bare})
    return cnn_lstm.build_cnn("bare", pictures.shape[1:]).predict_on_batch(pictures)


def test_every_family_is_there():
    kinds = {name.rsplit(".", 1)[1] for name in FAMILIES}
    assert kinds >= {
        "mobilenet",
        "mobilenet_v2",
        "mobilenet_v3",
        "inception_v3",
        "resnet",
        "resnet_v2",
        "vgg16",
        "densenet",
        "xception",
        "efficientnet",
        "efficientnet_v2",
        "convnext",
        "nasnet",
    }


@pytest.mark.parametrize("module", FAMILIES)
def test_a_network_sees_what_its_own_preprocessing_makes_of_the_picture(module, monkeypatch):
    builder = cnn_lstm.applications()[FAMILIES[module]]
    found = seen_by(builder, monkeypatch, scaled(PICTURES))
    expected = sys.modules[module].preprocess_input(PICTURES.astype(np.float32))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_flow_is_seen_as_x_y_and_length(monkeypatch):
    flow = rng.uniform(-1, 1, (2, 8, 8, 2)).astype(np.float32)
    found = seen_by(cnn_lstm.applications()["mobilenet"], monkeypatch, flow)
    np.testing.assert_allclose(found[..., :2], flow)
    np.testing.assert_allclose(found[..., 2], np.hypot(flow[..., 0], flow[..., 1]), atol=1e-5)


@pytest.mark.parametrize("name", ["mobilenet", "efficientnetb0"])
def test_a_network_of_fetched_weights_is_the_same_when_it_is_rebuilt(name, tmp_path, monkeypatch):
    """As a bundle is: without the fetched file, from what it saved itself. Keras's own function is the reference."""
    builder = cnn_lstm.applications()[name]
    if name == "efficientnetb0":  # two of its seven stages: what is said here is how it begins
        module = sys.modules[builder.__module__]
        monkeypatch.setattr(module, "DEFAULT_BLOCKS_ARGS", module.DEFAULT_BLOCKS_ARGS[:2])
    file = tmp_path / "fetched_notop.h5"
    source = builder(include_top=False, input_shape=(32, 32, 3), weights=None)
    for layer in source.layers:
        if isinstance(layer, keras.layers.Normalization):
            layer.set_weights([np.float32([0.5, 0.4, 0.3]), np.float32([0.06, 0.05, 0.04]), np.int64(0)])
    source.save(file)
    monkeypatch.setattr(sys.modules["keras.src.utils.file_utils"], "get_file", lambda *_, **__: str(file))
    pictures = rng.integers(0, 256, (1, 32, 32, 3)).astype(np.uint8)
    original = builder(include_top=False, input_shape=(32, 32, 3), weights="imagenet")
    prepared = sys.modules[builder.__module__].preprocess_input(pictures.astype(np.float32))
    expected = keras.ops.convert_to_numpy(original(prepared, training=False))
    fetched = cnn_lstm.build_cnn(name, (32, 32, 3), "imagenet")
    fetched.save_weights(tmp_path / "network.weights.h5")
    again = cnn_lstm.build_cnn(name, (32, 32, 3))
    again.load_weights(tmp_path / "network.weights.h5")
    for cnn in (fetched, again, cnn_lstm.build_cnn(name, (32, 32, 3), str(file))):
        found = keras.ops.convert_to_numpy(cnn(scaled(pictures), training=False))
        np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_names_in_any_spelling_and_sizes():
    sizes = [cnn_lstm.size_of(name) for name in ("inception-v3", "InceptionV3", "MobileNet", "efficientnet_b4")]
    assert sizes == [299, 299, 224, 380]
    with pytest.raises(Problem, match="no network 'incption'; there are .*inceptionv3") as caught:
        cnn_lstm.size_of("incption")
    assert "\n" not in str(caught.value)


def test_features_of_the_usual_networks():
    """The widths that the systems were described with."""
    for name, size, width in (("inception-v3", 75, 2048), ("mobilenet", 32, 1024)):
        assert cnn_lstm.averaged(cnn_lstm.build_cnn(name, (size, size, 3))).output.shape == (None, width)


def test_weights_that_cannot_be_had(tmp_path, monkeypatch):
    def offline(*_, **__):
        raise OSError("URL fetch failure on\nhttps://...")

    monkeypatch.setattr(sys.modules["keras.src.utils.file_utils"], "get_file", offline)
    with pytest.raises(Problem, match="mobilenet: its ImageNet weights cannot be fetched.*--weights none") as caught:
        cnn_lstm.build_cnn("mobilenet", (32, 32, 3), "imagenet")
    assert "\n" not in str(caught.value)
    with pytest.raises(Problem, match="inception-v3: .*at least 75x75"):
        cnn_lstm.build_cnn("inception-v3", (32, 32, 3))
    with pytest.raises(Problem, match="none.h5: no such file"):
        cnn_lstm.build_cnn("mobilenet", (32, 32, 3), "none.h5")


def two_heads(**flags) -> tuple[keras.Model, keras.Model]:
    """The same network without truncation and with it, every 4 of 12 steps."""
    keras.utils.set_random_seed(1)
    whole = cnn_lstm.build_head((12, 5), 3, **flags)
    cut = cnn_lstm.build_head((12, 5), 3, truncate=4, **flags)
    cut.set_weights(whole.get_weights())
    return whole, cut


CLIPS = rng.normal(size=(2, 12, 5)).astype(np.float32)


@pytest.mark.parametrize(
    "flags", [{"lstm": (4,)}, {"lstm": (4, 3), "dense": (6,)}, {"lstm": (3, 3, 3), "batch_norm": True}]
)
def test_truncation_changes_no_answer(flags):
    whole, cut = two_heads(**flags)
    for part in cut.layers:
        if isinstance(part, keras.layers.BatchNormalization):
            part.moving_mean.assign(rng.normal(size=part.moving_mean.shape))
    cut_weights = cut.get_weights()
    whole.set_weights(cut_weights)
    expected = whole.predict_on_batch(CLIPS)
    assert expected.shape == (2, 12, 3)
    np.testing.assert_allclose(cut.predict_on_batch(CLIPS), expected, atol=1e-5)


def gradients(model: keras.Model, step: int) -> np.ndarray:
    """(12,) how much the logits of a step change with the features of each step."""
    import tensorflow as tf

    clips = tf.constant(CLIPS)
    with tf.GradientTape() as tape:
        tape.watch(clips)
        loss = tf.reduce_sum(model(clips, training=False)[:, step] ** 2)
    return np.abs(tape.gradient(loss, clips).numpy()).sum(axis=(0, 2))


def test_gradients_end_where_a_part_begins():
    whole, cut = two_heads(lstm=(4, 3))
    for step in (0, 3, 4, 6, 11):
        expected, found = gradients(whole, step), gradients(cut, step)
        first = step // 4 * 4
        assert np.all(expected[: step + 1] > 0) and not expected[step + 1 :].any()
        np.testing.assert_allclose(found[first : step + 1], expected[first : step + 1], rtol=1e-4)
        assert not found[:first].any() and not found[step + 1 :].any()


def test_what_is_learnt_of_a_step_is_that_of_its_part_alone():
    """The gradient of the weights, with the state at the part's beginning taken for given."""
    import tensorflow as tf

    _, cut = two_heads(lstm=(4,))
    lstm, last = cut.get_layer("lstm_1"), cut.get_layer(cnn_lstm.HEAD)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(cut(CLIPS, training=False)[:, 6] ** 2)
    found = tape.gradient(loss, lstm.cell.kernel.value)
    _, *state = lstm(CLIPS[:, :4])
    with tf.GradientTape() as tape:
        steps, *_ = lstm(CLIPS[:, 4:8], initial_state=[tf.constant(np.asarray(value)) for value in state])
        loss = tf.reduce_sum(last(steps)[:, 2] ** 2)
    np.testing.assert_allclose(found, tape.gradient(loss, lstm.cell.kernel.value), rtol=1e-3, atol=1e-6)


def test_features_are_standardised_and_what_never_changes_survives():
    layer = Standardise()
    layer.build((None, 3))
    layer.learn(np.array([1.0, 2.0, 3.0]), np.array([2.0, 0.5, 0.0]))
    found = layer(np.float32([[5, 2, 4], [1, 3, 3]]))
    np.testing.assert_allclose(found, [[2, 0, 1], [0, 2, 0]])
    layer.trainable = True
    assert layer.trainable_variables == []


@pytest.mark.parametrize("read", cnn_lstm.READOUTS)
def test_the_joined_network_is_both_one_after_the_other(read):
    with small_cnn.installed():
        model = cnn_lstm.build_cnn_lstm((None, 32, 32, 3), 4, "small", read, lstm=(5,), dense=(3,))
        alone = cnn_lstm.averaged(model.get_layer(cnn_lstm.CNN))
    for frames in (3, 6):
        clips = rng.uniform(-1, 1, (2, frames, 32, 32, 3)).astype(np.float32)
        found = np.stack([alone.predict_on_batch(clip) for clip in clips])
        steps = model.get_layer("lstm").predict_on_batch(found)
        np.testing.assert_allclose(model.predict_on_batch(clips), cnn_lstm.read_out(steps, read), atol=1e-5)


def test_single_frames_are_averaged():
    with small_cnn.installed():
        model = cnn_lstm.build_frames((3, 32, 32, 2), 4, "small")
        steps = cnn_lstm.build_frames((3, 32, 32, 2), 4, "small", steps=True)
    steps.set_weights(model.get_weights())
    clips = rng.uniform(-1, 1, (2, 3, 32, 32, 2)).astype(np.float32)
    each = steps.predict_on_batch(clips)
    assert each.shape == (2, 3, 4)
    np.testing.assert_allclose(model.predict_on_batch(clips), each.mean(axis=1), atol=1e-6)
    turned = clips[:, ::-1]
    np.testing.assert_allclose(steps.predict_on_batch(turned), each[:, ::-1], atol=1e-6)


def test_momentum_is_that_of_every_normalisation():
    with small_cnn.installed():
        cnn = cnn_lstm.build_cnn("small", (32, 32, 3), momentum=0.8)
    assert cnn.get_layer("small").get_layer("norm").momentum == 0.8


def test_all_but_the_last_layer_is_taken_over():
    source, head = (cnn_lstm.build_head((6, 5), classes, (4, 3), (2,), batch_norm=True) for classes in (3, 7))
    source.get_layer("standardise").learn(np.arange(5.0), np.full(5, 2.0))
    before = head.get_layer(cnn_lstm.HEAD).get_weights()
    cnn_lstm.copy_head(source, head)
    for layer in head.layers:
        wanted = before if layer.name == cnn_lstm.HEAD else source.get_layer(layer.name).get_weights()
        assert len(wanted) == len(layer.get_weights())
        for one, other in zip(layer.get_weights(), wanted, strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_weights_of_steps():
    assert cnn_lstm.step_weights("last", 4).tolist() == [0, 0, 0, 1]
    assert cnn_lstm.step_weights("mean", 4).tolist() == [0.25] * 4
    np.testing.assert_allclose(cnn_lstm.step_weights("linear", 4), [0.1, 0.2, 0.3, 0.4], rtol=1e-6)
    for kind in cnn_lstm.READOUTS:
        assert cnn_lstm.step_weights(kind, 1).tolist() == [1] and cnn_lstm.step_weights(kind, 5).dtype == np.float32


@pytest.mark.parametrize("kind", cnn_lstm.READOUTS)
def test_a_clip_s_answer_is_the_weighted_sum_of_the_steps(kind):
    expected = np.einsum("btc,t->bc", STEPS, cnn_lstm.step_weights(kind, 7))
    np.testing.assert_allclose(cnn_lstm.read_out(STEPS, kind), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(
        cnn_lstm.read_out(keras.ops.convert_to_tensor(STEPS), kind, keras.ops), expected, rtol=1e-4, atol=1e-6
    )


@pytest.mark.parametrize("kind", cnn_lstm.READOUTS)
def test_the_steps_of_clips_of_any_length(kind):
    steps = keras.Input((None, 4))
    model = keras.Model(steps, cnn_lstm.Readout(kind)(steps))
    assert model.output.shape == (None, 4)
    for length in (1, 3, 7):
        found = model.predict_on_batch(STEPS[:, :length])
        np.testing.assert_allclose(found, cnn_lstm.read_out(STEPS[:, :length], kind), rtol=1e-5, atol=1e-6)
