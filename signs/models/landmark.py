"""Convolutions over time with attention, for points of body and hands (signs/clips/posture.py).

    model = build_landmark((48, 323), classes=20)
    logits = model(clip)                              (B, 48, 323) -> (B, 20)

Blocks of a wide layer, a convolution of each channel over time and a narrow layer, added to what they got (Sandler et
al. 2018, MobileNetV2, in one dimension), as in the networks that won the Kaggle challenges on isolated signs; then
attention over time: each head weighs the moments anew (Bahdanau et al. 2015), and the answer is read from its means.
"""

import keras
from keras import layers

FEATURES = "Logits_Dropout"  # what is known of a clip before it gets a name
MAPS = ("Attention",)  # (B, T, C): where the report looks


def build_landmark(
    input_shape: tuple[int | None, int],
    classes: int,
    width: int = 96,
    blocks: int = 3,
    kernel: int = 7,
    heads: int = 4,
    drop: float = 0.2,
    dropout: float = 0.5,
    momentum: float = 0.95,
) -> keras.Model:
    """(B, T, V) float32 -> (B, classes) logits.

    Args:
        input_shape: (T, V); with None for T any number of moments.
        width: channels between the blocks; kernel: moments that a convolution sees.
        heads: of the attention, of which `2 * width` is a multiple.
        drop: share of a block's channels, dropout: share of the last features, that a training step drops.
        momentum: of the moving averages of batch normalisation.
    Raises:
        ValueError: `heads` do not go into the features.
    """
    if 2 * width % heads:
        raise ValueError(f"{heads} heads of {2 * width} features; expected a number that divides them")
    clip = keras.Input(input_shape, name="clip")
    x = layers.SpatialDropout1D(drop / 2, name="Stem_drop")(clip)
    x = layers.Dense(width, use_bias=False, name="Stem_dense")(x)
    x = layers.BatchNormalization(momentum=momentum, name="Stem_batch_norm")(x)
    for number in range(1, blocks + 1):
        x = _block(x, f"Block_{number}", width, kernel, drop, momentum)
    x = layers.Activation("swish", name="Attention")(x)
    x = layers.Concatenate(name="Heads")([_head(x, number, 2 * width // heads) for number in range(1, heads + 1)])
    x = layers.Activation("swish", name="Features")(x)
    x = layers.Dropout(dropout, name="Logits_Dropout")(x)
    # In float32 under a mixed precision too: a softmax needs it.
    return keras.Model(clip, layers.Dense(classes, dtype="float32", name="Logits")(x), name="landmark")


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
