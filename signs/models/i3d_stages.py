"""I3D cut into stages that can be run while frames still come.

A stage makes one frame of its own from `kernel` frames that it is given, the next from those `stride` later. It pads
in space as the whole network does, but not in time: streaming.py holds what the next frames need, and gives frames of
zeros before the first and after the last. In an Inception block the convolutions over time see the zeros only behind
a 1x1 convolution, which does not leave them zero; there a mask does (1 for a frame, 0 for what stands beyond the ends).
The stages one after the other, over all frames, are the network to the last operation.
"""

from dataclasses import dataclass

from signs.models import i3d

import keras
from keras import layers

LAST = "Mixed_3c"  # nearly all of what comes after waits for the last frames anyway; it is a fifth of the work


@dataclass(frozen=True)
class Stage:
    """model: (B, t, H, W, C), and for an Inception block also a mask (B, t, 1, 1, 1) -> (B, t', h, w, c)."""

    name: str
    model: keras.Model
    kernel: int
    stride: int


def stages(model: keras.Model) -> tuple[list[Stage], keras.Model]:
    """An I3D of `build_i3d` -> its stages with its weights, and the rest of it, which wants all of their frames."""
    found = [_first(model), _second(model), _block(model, "Mixed_3b"), _block(model, LAST)]
    for stage in found:
        for layer in stage.model.layers:
            if layer.weights:
                layer.set_weights(model.get_layer(layer.name).get_weights())
    return found, keras.Model(model.get_layer(LAST).output, model.output)


def _input(model: keras.Model, layer: str):
    """What goes into a layer of the whole network, with any number of frames."""
    return keras.Input((None, *model.get_layer(layer).input.shape[2:]), name="frames")


def _unit(x, model: keras.Model, name: str):
    """The unit of `build_i3d`, not padded in time."""
    name = i3d.ODD_NAMES.get(name, name)
    own = model.get_layer(f"{name}_conv_3d")
    pads = [(0, 0)]
    for size, kernel, stride in zip(own.input.shape[2:4], own.kernel_size[1:], own.strides[1:], strict=True):
        total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
        pads.append((total // 2, total - total // 2))
    if any(pads[1] + pads[2]):
        x = layers.ZeroPadding3D(pads)(x)
    x = layers.Conv3D(own.filters, own.kernel_size, own.strides, "valid", use_bias=False, name=own.name)(x)
    x = layers.BatchNormalization(scale=False, epsilon=i3d.EPSILON, name=f"{name}_batch_norm")(x)
    return layers.Activation("relu", name=name)(x)


def _max_pool(x, size, strides):
    """A maximum over time and one over space are that over both; padded in space alone."""
    if size[0] > 1:
        x = layers.MaxPooling3D((size[0], 1, 1), (strides[0], 1, 1), "valid")(x)
    return layers.MaxPooling3D((1, *size[1:]), (1, *strides[1:]), "same")(x)


def _first(model: keras.Model) -> Stage:
    clip = _input(model, "Conv3d_1a_7x7_conv_3d")
    x = _max_pool(_unit(clip, model, "Conv3d_1a_7x7"), (1, 3, 3), (1, 2, 2))
    return Stage("Conv3d_1a_7x7", keras.Model(clip, _unit(x, model, "Conv3d_2b_1x1")), 7, 2)


def _second(model: keras.Model) -> Stage:
    frames = _input(model, "Conv3d_2c_3x3_conv_3d")
    x = _max_pool(_unit(frames, model, "Conv3d_2c_3x3"), (1, 3, 3), (1, 2, 2))
    return Stage("Conv3d_2c_3x3", keras.Model(frames, x), 3, 1)


def _block(model: keras.Model, name: str) -> Stage:
    frames = _input(model, f"{name}_Branch_0_Conv3d_0a_1x1_conv_3d")
    mask = keras.Input((None, 1, 1, 1), name="mask")
    branch_0 = _unit(layers.Cropping3D(((1, 1), (0, 0), (0, 0)))(frames), model, f"{name}_Branch_0_Conv3d_0a_1x1")
    branch_1 = layers.Multiply()([_unit(frames, model, f"{name}_Branch_1_Conv3d_0a_1x1"), mask])
    branch_1 = _unit(branch_1, model, f"{name}_Branch_1_Conv3d_0b_3x3")
    branch_2 = layers.Multiply()([_unit(frames, model, f"{name}_Branch_2_Conv3d_0a_1x1"), mask])
    branch_2 = _unit(branch_2, model, f"{name}_Branch_2_Conv3d_0b_3x3")
    branch_3 = _unit(_max_pool(frames, (3, 3, 3), (1, 1, 1)), model, f"{name}_Branch_3_Conv3d_0b_1x1")
    mixed = layers.Concatenate()([branch_0, branch_1, branch_2, branch_3])
    return Stage(name, keras.Model([frames, mask], mixed), 3, 1)
