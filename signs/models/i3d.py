"""Inflated 3D ConvNet (I3D), as published, and the published Kinetics weights.

    Carreira, Zisserman: Quo vadis, action recognition? A new model and the Kinetics dataset. CVPR 2017.

Inception-v1 with every filter and pool grown by a dimension in time. Layers carry the names of the published endpoints
(`Conv3d_1a_7x7`, `Mixed_3b` ...). The network returns logits, averaged over time; the softmax is the recogniser's.
With 400 classes it has 12,704,544 parameters (RGB) or 12,682,592 (flow), moving averages included.
"""

import keras
import numpy as np
from keras import layers

SMALLEST_INPUT = (8, 32, 32)  # frames, pixels, pixels: below it the last stage has nothing left to average
EPSILON = 1e-3  # of batch normalisation, as published; it has no scale
# One line per Inception block: the published channels of
#   Branch_0 1x1 | Branch_1 1x1, 3x3 | Branch_2 1x1, 3x3 | Branch_3 pool, 1x1
# A pool stands before the block that it precedes. Shapes are for 64x224x224 pictures.
# fmt: off
MIXED = {                                             # 32, 28, 28, 192
    "Mixed_3b": (64, (96, 128), (16, 32), 32),        # 32, 28, 28, 256
    "Mixed_3c": (128, (128, 192), (32, 96), 64),      # 32, 28, 28, 480
    "MaxPool3d_4a_3x3": ((3, 3, 3), (2, 2, 2)),       # 16, 14, 14, 480
    "Mixed_4b": (192, (96, 208), (16, 48), 64),       # 16, 14, 14, 512
    "Mixed_4c": (160, (112, 224), (24, 64), 64),      # 16, 14, 14, 512
    "Mixed_4d": (128, (128, 256), (24, 64), 64),      # 16, 14, 14, 512
    "Mixed_4e": (112, (144, 288), (32, 64), 64),      # 16, 14, 14, 528
    "Mixed_4f": (256, (160, 320), (32, 128), 128),    # 16, 14, 14, 832
    "MaxPool3d_5a_2x2": ((2, 2, 2), (2, 2, 2)),       #  8,  7,  7, 832
    "Mixed_5b": (256, (160, 320), (32, 128), 128),    #  8,  7,  7, 832
    "Mixed_5c": (384, (192, 384), (48, 128), 128),    #  8,  7,  7, 1024
}
# fmt: on
# The published checkpoints name one layer unlike its fifty sisters.
ODD_NAMES = {"Mixed_5b_Branch_2_Conv3d_0b_3x3": "Mixed_5b_Branch_2_Conv3d_0a_3x3"}
HEAD = "Logits_Conv3d_0c_1x1"
FEATURES = "Mixed_5c"  # what is known of a clip before it gets a name
MAPS = ("Mixed_5c", "Mixed_4f", "Mixed_3c")  # where gradcam.py may look, late to early


def _unit(x, filters: int, size, name: str, momentum: float, strides=1):
    """Convolution without bias, batch normalisation without scale, ReLU: the published Unit3D."""
    name = ODD_NAMES.get(name, name)
    x = layers.Conv3D(filters, size, strides, padding="same", use_bias=False, name=f"{name}_conv_3d")(x)
    x = layers.BatchNormalization(scale=False, epsilon=EPSILON, momentum=momentum, name=f"{name}_batch_norm")(x)
    return layers.Activation("relu", name=name)(x)


def _mixed(x, name: str, channels, momentum: float):
    filters_0, filters_1, filters_2, filters_3 = channels
    branch_0 = _unit(x, filters_0, 1, f"{name}_Branch_0_Conv3d_0a_1x1", momentum)
    branch_1 = _unit(x, filters_1[0], 1, f"{name}_Branch_1_Conv3d_0a_1x1", momentum)
    branch_1 = _unit(branch_1, filters_1[1], 3, f"{name}_Branch_1_Conv3d_0b_3x3", momentum)
    branch_2 = _unit(x, filters_2[0], 1, f"{name}_Branch_2_Conv3d_0a_1x1", momentum)
    branch_2 = _unit(branch_2, filters_2[1], 3, f"{name}_Branch_2_Conv3d_0b_3x3", momentum)
    branch_3 = layers.MaxPooling3D(3, 1, padding="same", name=f"{name}_Branch_3_MaxPool3d_0a_3x3")(x)
    branch_3 = _unit(branch_3, filters_3, 1, f"{name}_Branch_3_Conv3d_0b_1x1", momentum)
    return layers.Concatenate(name=name)([branch_0, branch_1, branch_2, branch_3])


def build_i3d(
    input_shape: tuple[int, int, int, int], classes: int, dropout: float = 0.5, momentum: float = 0.99
) -> keras.Model:
    """I3D: (B, T, H, W, 3 or 2) float32 in [-1, 1] -> (B, classes) logits, averaged over time.

    Args:
        input_shape: (T, H, W, channels); at least 8 frames of 32x32.
        classes: size of the head.
        dropout: share of the pooled features that a training step drops (published: keep 0.5 of them).
        momentum: of the moving averages of batch normalisation; lower it for a short training from a random start.
    Raises:
        ValueError: the input is smaller than that.
    """
    if any(size < least for size, least in zip(input_shape, SMALLEST_INPUT, strict=False)):
        raise ValueError(f"input_shape {input_shape}; expected at least {SMALLEST_INPUT} frames and pixels")
    clip = keras.Input(input_shape, name="clip")
    x = _unit(clip, 64, 7, "Conv3d_1a_7x7", momentum, strides=2)  # 32, 112, 112, 64
    x = layers.MaxPooling3D((1, 3, 3), (1, 2, 2), "same", name="MaxPool3d_2a_3x3")(x)  # 32, 56, 56, 64
    x = _unit(x, 64, 1, "Conv3d_2b_1x1", momentum)
    x = _unit(x, 192, 3, "Conv3d_2c_3x3", momentum)  # 32, 56, 56, 192
    x = layers.MaxPooling3D((1, 3, 3), (1, 2, 2), "same", name="MaxPool3d_3a_3x3")(x)  # 32, 28, 28, 192
    for name, row in MIXED.items():
        if name.startswith("MaxPool3d"):
            x = layers.MaxPooling3D(*row, "same", name=name)(x)
        else:
            x = _mixed(x, name, row, momentum)
    # The published 2x7x7 average, or what is left where that is smaller.
    window = tuple(min(full, left) for full, left in zip((2, 7, 7), x.shape[1:4], strict=True))
    x = layers.AveragePooling3D(window, 1, "valid", name="Logits_AvgPool")(x)
    x = layers.Dropout(dropout, name="Logits_Dropout")(x)
    # In float32 under a mixed precision too: a softmax needs it.
    x = layers.Conv3D(classes, 1, dtype="float32", name=f"{HEAD}_conv_3d")(x)
    logits = layers.GlobalAveragePooling3D(dtype="float32", name="Logits")(x)
    return keras.Model(clip, logits, name="i3d")


def below_top(model: keras.Model) -> keras.Model:
    """What the top is a linear function of: (B, T, H, W, C) -> (B, 1024), averaged over time and place."""
    pooled = layers.GlobalAveragePooling3D(dtype="float32")(model.get_layer("Logits_AvgPool").output)
    return keras.Model(model.input, pooled)


def set_top(model: keras.Model, weights: np.ndarray, bias: np.ndarray) -> None:
    """(1024, classes), (classes,): a linear classifier on what `below_top` gives."""
    model.get_layer(f"{HEAD}_conv_3d").set_weights([weights[None, None, None], bias])
