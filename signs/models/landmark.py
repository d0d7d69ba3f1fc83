"""Convolutions over time with attention, for points of body and hands (signs/clips/posture.py).

    model = build_landmark((48, 323), classes=20)
    logits = model(clip)                              (B, 48, 323) -> (B, 20)

Blocks of a wide layer, a convolution of each channel over time and a narrow layer, added to what they got (Sandler et
al. 2018, MobileNetV2, in one dimension), as in the networks that won the Kaggle challenges on isolated signs; then
attention over time: each head weighs the moments anew (Bahdanau et al. 2015), and the answer is read from its means.
"""

import keras
import numpy as np
from keras import layers, ops

FEATURES = "Logits_Dropout"  # what is known of a clip before it gets a name
MAPS = ("Attention",)  # (B, T, C): where the report looks


def build_landmark(
    input_shape: tuple[int | None, int],
    classes: int,
    width: int = 96,
    blocks: int = 3,
    kernel: int = 7,
    heads: int = 4,
    drop: float = 0.1,
    dropout: float = 0.3,
    momentum: float = 0.95,
    mirror: dict[str, list[int]] | None = None,
) -> keras.Model:
    """(B, T, V) float32 -> (B, classes) logits.

    Args:
        input_shape: (T, V); with None for T any number of moments.
        width: channels between the blocks; kernel: moments that a convolution sees.
        heads: of the attention, of which `2 * width` is a multiple.
        drop: share of a block's channels, dropout: share of the last features, that a training step drops.
        momentum: of the moving averages of batch normalisation.
        mirror: {"classes": what each class is in a mirror, "values": what each value is there, counted from 1, negative
            where its sign changes}. Each clip is looked at there too, and the two answers are averaged; the weights are
            the same.
    Raises:
        ValueError: `heads` do not go into the features; a `mirror` of something else, or for any number of moments.
    """
    if 2 * width % heads:
        raise ValueError(f"{heads} heads of {2 * width} features; expected a number that divides them")
    if mirror is not None:
        _check_mirror(mirror, input_shape, classes)
    clip = keras.Input(input_shape, name="clip")
    x = clip if mirror is None else _with_mirrored(clip, mirror["values"])
    x = layers.SpatialDropout1D(drop / 2, name="Stem_drop")(x)
    x = layers.Dense(width, use_bias=False, name="Stem_dense")(x)
    x = layers.BatchNormalization(momentum=momentum, name="Stem_batch_norm")(x)
    for number in range(1, blocks + 1):
        x = _block(x, f"Block_{number}", width, kernel, drop, momentum)
    x = layers.Activation("swish", name="Attention")(x)
    x = layers.Concatenate(name="Heads")([_head(x, number, 2 * width // heads) for number in range(1, heads + 1)])
    x = layers.Activation("swish", name="Features")(x)
    x = layers.Dropout(dropout, name="Logits_Dropout")(x)
    # In float32 under a mixed precision too: a softmax needs it.
    logits = layers.Dense(classes, dtype="float32", name="Logits")(x)
    if mirror is not None:
        both = ops.reshape(logits, (-1, 2, classes))
        logits = (both[:, 0] + ops.take(both[:, 1], mirror["classes"], axis=-1)) / 2
    return keras.Model(clip, logits, name="landmark")


def below_top(model: keras.Model) -> keras.Model:
    """What the last layer is a linear function of: (B, T, V) -> (B, 2 * width); of a model without a mirror."""
    return keras.Model(model.input, model.get_layer("Features").output)


def set_top(model: keras.Model, weights: np.ndarray, bias: np.ndarray) -> None:
    """(2 * width, classes), (classes,): the last layer."""
    model.get_layer("Logits").set_weights([weights, bias])


def _check_mirror(mirror: dict, input_shape: tuple[int | None, int], classes: int) -> None:
    whole = {"classes": range(classes), "values": range(1, input_shape[1] + 1)}
    try:
        there = {"classes": sorted(mirror["classes"]), "values": sorted(abs(value) for value in mirror["values"])}
        whole_numbers = all(type(number) is int for name in whole for number in mirror[name])
    except (TypeError, KeyError):
        there, whole_numbers = {}, False
    if not whole_numbers or there != {name: list(numbers) for name, numbers in whole.items()}:
        raise ValueError(f"a damaged mirror; expected each of {classes} classes and {input_shape[1]} values once")
    if input_shape[0] is None:
        raise ValueError("a mirror for clips of any length; expected a number of moments")


def _with_mirrored(clip, values: list[int]):
    """(B, T, V) -> (2 B, T, V): behind each clip what it is in a mirror."""
    mirrored = ops.take(clip, np.abs(values) - 1, axis=-1) * np.sign(values).astype(np.float32)
    return ops.reshape(ops.stack([clip, mirrored], axis=1), (-1, *clip.shape[1:]))


def _block(x, name: str, width: int, kernel: int, drop: float, momentum: float):
    """(B, T, width) -> the same, with what a convolution over time found added to it."""
    steps = (
        (layers.Dense(2 * width, use_bias=False, name=f"{name}_wide"), True),
        (layers.DepthwiseConv1D(kernel, padding="same", use_bias=False, name=f"{name}_conv"), True),
        (layers.Dense(width, use_bias=False, name=f"{name}_narrow"), False),
    )
    y = x
    for layer, active in steps:
        y = layers.BatchNormalization(momentum=momentum, name=f"{layer.name}_batch_norm")(layer(y))
        if active:
            y = layers.Activation("swish", name=f"{layer.name}_swish")(y)
    return layers.Add(name=name)([x, layers.SpatialDropout1D(drop, name=f"{name}_drop")(y)])


def _head(x, number: int, features: int):
    """(B, T, width) -> (B, features): their mean over time, weighted by what the head looks for."""
    weights = layers.Softmax(axis=1, name=f"Head_{number}_weights")(layers.Dense(1, name=f"Head_{number}_looks")(x))
    values = layers.Dense(features, name=f"Head_{number}_values")(x)
    mean = layers.Dot(axes=1, name=f"Head_{number}_mean")([weights, values])
    return layers.Flatten(name=f"Head_{number}")(mean)
