"""Inflated 3D ConvNet (I3D), as published, and the published Kinetics weights.

    Carreira, Zisserman: Quo vadis, action recognition? A new model and the Kinetics dataset. CVPR 2017.

Inception-v1 with every filter and pool grown by a dimension in time. Layers carry the names of the published endpoints
(`Conv3d_1a_7x7`, `Mixed_3b` ...). The network returns logits, averaged over time; the softmax is the recogniser's.
With 400 classes it has 12,704,544 parameters (RGB) or 12,682,592 (flow), moving averages included.
"""

from pathlib import Path

from command import Problem

import keras
import numpy as np
from keras import layers

import hub

SMALLEST_INPUT = (8, 32, 32)  # frames, pixels, pixels: below it the last stage has nothing left to average
EPSILON = 1e-3  # of batch normalisation, as published; it has no scale

# One line per Inception block: the published channels of
#   Branch_0 1x1 | Branch_1 1x1, 3x3 | Branch_2 1x1, 3x3 | Branch_3 pool, 1x1
# A pool stands before the block that it precedes. Shapes are for 64x224x224 pictures.
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
}  # fmt: skip
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
    """One Inception block."""
    first, second, third, pooled = channels
    zero = _unit(x, first, 1, f"{name}_Branch_0_Conv3d_0a_1x1", momentum)
    one = _unit(x, second[0], 1, f"{name}_Branch_1_Conv3d_0a_1x1", momentum)
    one = _unit(one, second[1], 3, f"{name}_Branch_1_Conv3d_0b_3x3", momentum)
    two = _unit(x, third[0], 1, f"{name}_Branch_2_Conv3d_0a_1x1", momentum)
    two = _unit(two, third[1], 3, f"{name}_Branch_2_Conv3d_0b_3x3", momentum)
    three = layers.MaxPooling3D(3, 1, padding="same", name=f"{name}_Branch_3_MaxPool3d_0a_3x3")(x)
    three = _unit(three, pooled, 1, f"{name}_Branch_3_Conv3d_0b_1x1", momentum)
    return layers.Concatenate(name=name)([zero, one, two, three])


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
    x = _unit(clip, 64, 7, "Conv3d_1a_7x7", momentum, strides=2)                                 # 32, 112, 112, 64
    x = layers.MaxPooling3D((1, 3, 3), (1, 2, 2), "same", name="MaxPool3d_2a_3x3")(x)            # 32, 56, 56, 64
    x = _unit(x, 64, 1, "Conv3d_2b_1x1", momentum)
    x = _unit(x, 192, 3, "Conv3d_2c_3x3", momentum)                                              # 32, 56, 56, 192
    x = layers.MaxPooling3D((1, 3, 3), (1, 2, 2), "same", name="MaxPool3d_3a_3x3")(x)            # 32, 28, 28, 192
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


def inflate(kernel: np.ndarray, frames: int) -> np.ndarray:
    """A 2D kernel (h, w, in, out) -> a 3D kernel (frames, h, w, in, out): repeated, divided by the number of frames.

    A still video gives what the picture gave (Carreira & Zisserman 2017, section 2.5).
    """
    return np.repeat(kernel[None] / frames, frames, axis=0)


def checkpoint_names(model: keras.Model) -> dict[str, keras.Variable]:
    """{published variable name, without the prefix: the model's variable}, e.g. `Mixed_3b/Branch_0/.../conv_3d/w`."""
    endings = {"kernel": "w", "bias": "b", "beta": "beta", "moving_mean": "moving_mean",
               "moving_variance": "moving_variance"}  # fmt: skip
    names = {}
    for layer in model.layers:
        for kind in ("conv_3d", "batch_norm"):
            if layer.name.endswith(f"_{kind}"):
                path = layer.name.removesuffix(f"_{kind}")
                for block in ("Logits", *(name for name in MIXED if name.startswith("Mixed"))):
                    path = path.replace(f"{block}_", f"{block}/", 1)
                for branch in "0123":
                    path = path.replace(f"Branch_{branch}_", f"Branch_{branch}/", 1)
                names.update({f"{path}/{kind}/{endings[variable.name]}": variable for variable in layer.weights})
    return names


def read_checkpoint(path: Path) -> dict[str, np.ndarray]:
    """Arrays of a published checkpoint by name, without `RGB/inception_i3d/`; the optimiser's `/Momentum` is left out.

    Args:
        path: as TensorFlow wants it, `.../model.ckpt`; or a file of hub.py.
    """
    if path.name == hub.FILE.name:
        return hub.read(path)
    import tensorflow as tf

    try:
        reader = tf.train.load_checkpoint(str(path))
        names = [name for name in reader.get_variable_to_shape_map() if not name.endswith("/Momentum")]
        return {name.split("inception_i3d/")[-1]: reader.get_tensor(name) for name in names}
    except (tf.errors.OpError, ValueError, RuntimeError, IndexError) as error:
        text = str(error).splitlines()[0]
        wanted = f"{path.name}.index and {path.name}.data-00000-of-00001"
        raise Problem(f"{path}: no readable checkpoint ({text}); expected {wanted} there") from None


def load_kinetics_checkpoint(model: keras.Model, path: Path) -> None:
    """Give a model of `build_i3d` the published weights, each variable by its name.

    The head is taken where it has as many classes and stays new where not.

    Args:
        path: as TensorFlow wants it, `.../rgb_imagenet/model.ckpt`.
    Raises:
        Problem: a variable is missing, left over, or of another shape.
    """
    arrays, wanted = read_checkpoint(path), checkpoint_names(model)
    head = [name for name in wanted if name.startswith("Logits/")]
    if any(name in arrays and arrays[name].shape != tuple(wanted[name].shape) for name in head):
        for name in head:
            arrays.pop(name, None)
            wanted.pop(name)
    missing, extra = sorted(wanted.keys() - arrays.keys()), sorted(arrays.keys() - wanted.keys() - {"global_step"})
    if missing or extra:
        raise Problem(
            f"{path}: not an I3D checkpoint; {len(missing)} variables missing, {len(extra)} unknown"
            f", first {(missing or extra)[0]}"
        )
    for name, variable in wanted.items():
        # Sonnet keeps batch normalisation's averages as (1, 1, 1, 1, C); the values are the same.
        value = arrays[name]
        if value.size != np.prod(variable.shape) or np.squeeze(value).shape != np.squeeze(variable).shape:
            shape = tuple(variable.shape)
            raise Problem(f"{path}: {name} is {value.shape}, expected {shape}; another stream's weights?")
        variable.assign(value.reshape(variable.shape))


def copy_weights(source: keras.Model, model: keras.Model) -> None:
    """Give a model the weights of another one of the same builder and channels; of I3D sizes of the input may differ.

    The head is taken where it has as many classes and stays new where not.
    """
    for layer in model.layers:
        if not layer.weights:
            continue
        theirs = source.get_layer(layer.name).get_weights()
        if [value.shape for value in theirs] == [tuple(variable.shape) for variable in layer.weights]:
            layer.set_weights(theirs)
        elif not layer.name.startswith("Logits"):
            raise ValueError(f"{layer.name}: another shape; networks of other channels?")
