"""3D-CNN, CNN + LSTM and the joined 3D-CNN + LSTM for gestures, the last also four and sixteen times smaller.

    Mullick, Namboodiri: Learning deep and compact models for gesture recognition. ICIP 2017.

    model = build_conv3d_lstm((None, 64, 64, 2), classes=20, size="small")
    logits = model(clip)                                     (B, T, 64, 64, 2) -> (B, 20), any number of frames
    logits, *states = build_step(model)([group, *states])    the same while frames come, four at a time

The joined network codes groups of four consecutive frames, each by itself, and an LSTM reads the codes. In time the
kernels of the first two convolutions are as long as their strides, so that a group sees nothing of its neighbours: a
clip of any length needs no more than plain convolutions, and the next group costs one step. The answer is the mean of
the logits after each group, which is there after every group; continuously, the difference of two `total`s over that
of their `count`s is the answer for the groups in between. Normalisation is by moving averages and knows no length.

From the paper are the numbers of parameters (docs/compact.md has both) and that an LSTM reads codes of groups of a few
frames. The layers, the size of a group, batch normalisation, the zeros that fill a last group up, and the mean as
readout were chosen to fit.
"""

import math

import keras
from keras import layers, ops

WIDTHS = (64, 128, 256, 512)  # channels of the four convolutions
CODE = 1024  # of a group, and units of the LSTM
CONV3D_WIDTHS, HIDDEN = (64, 128, 256, 256), 1920  # of the 3D-CNN, and of its layer before the logits
SIZES = {"joined": 1, "medium": 2, "small": 4}  # every width is divided by it; the parameters go with its square
GROUPS = (1, 2, 4, 8, 16)  # frames that a group may have
FEATURES = "Logits_Dropout"  # what is known of a clip, or after each of its groups, before it gets a name
MAPS = ("Conv3d_4", "Conv3d_3", "Conv3d_2")  # where gradcam.py may look, late to early


class Real(layers.Layer):
    """Which steps of time lie within a clip: maps (B, N, ...), frames (B,) -> (B, N) bool. Step n begins with frame
    `stride` * n."""

    def __init__(self, stride: int):
        super().__init__()
        self.stride = stride

    def call(self, maps, frames):
        first = ops.arange(ops.shape(maps)[1], dtype="int32") * self.stride
        return first[None] < ops.cast(frames, "int32")[:, None]


def _layers(widths, kernels, strides, pool: int, code: int, momentum: float) -> dict:
    """{name: layer} of four convolutions, each with normalisation, ReLU and maximum, and of the code of the last maps.

    Args:
        widths, kernels, strides: of the convolutions; the last two in time. code: units.
    """
    parts = []
    for number, (filters, kernel, stride) in enumerate(zip(widths, kernels, strides, strict=True), 1):
        name, size, step = f"Conv3d_{number}", (kernel, 3, 3), (stride, 1, 1)
        parts += [
            layers.Conv3D(filters, size, step, padding="same", use_bias=False, name=f"{name}_conv_3d"),
            layers.BatchNormalization(momentum=momentum, name=f"{name}_batch_norm"),
            layers.Activation("relu", name=name),
            layers.MaxPooling3D((pool, 2, 2), padding="same", name=f"MaxPool3d_{number}"),
        ]
    parts += [
        layers.Dense(code, use_bias=False, name="Code_dense"),
        layers.BatchNormalization(momentum=momentum, name="Code_batch_norm"),
        layers.Activation("relu", name="Code"),
    ]
    return {layer.name: layer for layer in parts}


def _maps(get, x, frames=None):
    """The four convolutions: (B, T, H, W, C) -> (B, N, h, w, c), and which of the N are real, (B, N), or None for all.

    Args:
        get: name -> layer; frames: (B,) real frames of each clip, or None for all. What lies beyond is zero for every
            layer, as for a convolution at the end of a clip that is not padded.
    """
    stride, real = 1, None
    if frames is not None:
        x = ops.where(Real(1)(x, frames)[:, :, None, None, None], x, 0)
    for number in range(1, len(WIDTHS) + 1):
        convolution, normalise = (get(f"Conv3d_{number}_{kind}") for kind in ("conv_3d", "batch_norm"))
        x, stride = convolution(x), stride * convolution.strides[0]
        if frames is None:
            x = get(f"Conv3d_{number}")(normalise(x))
        else:
            real = Real(stride)(x, frames)
            x = get(f"Conv3d_{number}")(normalise(x, mask=real[:, :, None, None]))
            x = ops.where(real[:, :, None, None, None], x, 0)
        x = get(f"MaxPool3d_{number}")(x)
    return x, real


def _codes(get, x, frames=None):
    """(B, T, H, W, C) -> (B, N, D), a code a group, and which are real, as `_maps`."""
    x, real = _maps(get, x, frames)
    x = layers.Reshape((-1, math.prod(x.shape[2:])))(x)
    x = get("Code_batch_norm")(get("Code_dense")(x), mask=real)
    return get("Code")(x), real


def build_conv3d_lstm(
    input_shape: tuple[int | None, int, int, int],
    classes: int,
    size: str = "joined",
    group: int = 4,
    masked: bool = False,
    dropout: float = 0.5,
    momentum: float = 0.99,
) -> keras.Model:
    """3D-CNN + LSTM: (B, T, H, W, C) float32 in [-1, 1] -> (B, classes) logits.

    Args:
        input_shape: (T, H, W, channels); with None for T clips of any length.
        size: `joined`, or `medium` and `small` with a fourth and a sixteenth of its parameters.
        group: frames that are coded together: 1, 2, 4, 8 or 16.
        masked: the network has a second input, (B,) int32: how many frames of each clip are real, at least 1. Those
            beyond count for nothing, in training's normalisation too. Its weights are those of the network without.
        dropout: share of the LSTM's outputs that a training step drops.
        momentum: of the moving averages of batch normalisation; lower it for a short training from a random start.
    Raises:
        ValueError: no such size or group.
    """
    if size not in SIZES or group not in GROUPS:
        raise ValueError(f"size {size!r}, group {group}; expected one of {', '.join(SIZES)} and of {GROUPS}")
    divisor = SIZES[size]
    frames = [2 if 2**number <= group else 1 for number in range(1, len(WIDTHS) + 1)]
    parts = _layers([width // divisor for width in WIDTHS], frames, frames, 1, CODE // divisor, momentum)
    inputs = [keras.Input(input_shape, name="clip")]
    if masked:
        inputs.append(keras.Input((), dtype="int32", name="frames"))
    x, real = _codes(parts.get, *inputs)
    # What comes after a clip's end changes nothing before it, so that the mean alone has to know where that is.
    x = layers.LSTM(CODE // divisor, return_sequences=True, name="LSTM")(x)
    x = layers.Dropout(dropout, name="Logits_Dropout")(x)
    # In float32 under a mixed precision too: a softmax needs it.
    x = layers.Dense(classes, dtype="float32", name="Logits_dense")(x)
    logits = layers.GlobalAveragePooling1D(dtype="float32", name="Logits")(x, mask=real)
    return keras.Model(inputs if masked else inputs[0], logits, name="conv3d_lstm")


def build_conv2d_lstm(input_shape: tuple[int | None, int, int, int], classes: int, **arguments) -> keras.Model:
    """CNN + LSTM, which reads single frames: as `build_conv3d_lstm`, without `group`."""
    return build_conv3d_lstm(input_shape, classes, group=1, **arguments)


def build_conv3d(
    input_shape: tuple[int, int, int, int], classes: int, dropout: float = 0.5, momentum: float = 0.99
) -> keras.Model:
    """3D-CNN of a fixed length: (B, T, H, W, C) float32 in [-1, 1] -> (B, classes) logits.

    Args:
        input_shape: (T, H, W, channels).
        dropout, momentum: as of `build_conv3d_lstm`.
    """
    count = len(CONV3D_WIDTHS)
    parts = _layers(CONV3D_WIDTHS, [3] * count, [1] * count, 2, HIDDEN, momentum)
    clip = keras.Input(input_shape, name="clip")
    x, _ = _maps(parts.get, clip)
    x = layers.Flatten()(x)
    for name in ("Code_dense", "Code_batch_norm", "Code"):
        x = parts[name](x)
    x = layers.Dropout(dropout, name="Logits_Dropout")(x)
    return keras.Model(clip, layers.Dense(classes, dtype="float32", name="Logits")(x), name="conv3d")


def group_of(model: keras.Model) -> int:
    """Frames that a network of `build_conv3d_lstm` codes together."""
    return math.prod(model.get_layer(f"Conv3d_{number}_conv_3d").strides[0] for number in range(1, len(WIDTHS) + 1))


def state_sizes(model: keras.Model) -> dict[str, int]:
    """{state: its size} of what `build_step` hands on."""
    units, classes = model.get_layer("LSTM").units, model.get_layer("Logits_dense").units
    return {"hidden": units, "carry": units, "total": classes, "count": 1}


def build_step(model: keras.Model) -> keras.Model:
    """One group of a clip after the other, for a network of `build_conv3d_lstm`, whose weights it shares.

    In: group (B, t, H, W, C), as many frames as a group has, or the fewer that end a clip; then the states, all float32
    and zero at the start of a clip: hidden and carry (B, units), total (B, classes), count (B, 1). Out: the logits of
    the clip so far, (B, classes), as the whole network gives them, and the states for the next group.
    """
    lstm, dense = model.get_layer("LSTM"), model.get_layer("Logits_dense")
    group = keras.Input((None, *model.inputs[0].shape[2:]), name="group")
    states = [keras.Input((size,), name=name) for name, size in state_sizes(model).items()]
    hidden, carry, total, count = states
    code, _ = _codes(model.get_layer, group)
    x, (hidden, carry) = lstm.cell(layers.Reshape(code.shape[2:])(code), [hidden, carry])
    total, count = total + dense(x), count + 1
    return keras.Model([group, *states], [total / count, hidden, carry, total, count], name="conv3d_lstm_step")
