"""An image network for each frame, and an LSTM over what it finds: the two older systems.

docs/lstm.md describes both. The image network is any of keras.applications or an EfficientNet-Lite, without its top and
averaged over places; it may be trained on, and used alone: `build_frames` names a clip by the mean of its frames. The
LSTM alone is trained from features on disc (feature_file.py). The logits of the steps become those of the clip by one
of READOUTS, which also weights each step's loss: the `last` alone (Sprint 3), the `mean`, or `linear`, where step t of
T counts t, for what comes later has seen more of the clip (the UCF-101 course).
"""

import difflib
import inspect
import sys
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.models import efficientnet_lite

import keras
import numpy as np
from keras import layers, ops

CNN, HEAD = "cnn", "Logits"  # names of layers
FEATURES = "maps"  # what is known of a clip before it gets a name: (B, T, h, w, D)
MAPS = ("maps",)  # where gradcam.py may look
SIZES = {"inceptionv3": 299, "inceptionresnetv2": 299, "xception": 299, "nasnetlarge": 331}
SIZES |= {f"efficientnetb{number}": size for number, size in enumerate((240, 260, 300, 380, 456, 528, 600), 1)}
SIZES |= {"efficientnetv2b1": 240, "efficientnetv2b2": 260, "efficientnetv2b3": 300}
SIZES |= {"efficientnetlite1": 240, "efficientnetlite2": 260}
SIZES |= {"efficientnetv2s": 384, "efficientnetv2m": 480, "efficientnetv2l": 480}
USUAL_SIZE = 224  # of all others
DEVIATION = np.float32([0.229, 0.224, 0.225])  # of ImageNet's red, green and blue, 0..1
READOUTS = ("last", "mean", "linear")


def _plain(name: str) -> str:
    return "".join(letter for letter in name.lower() if letter.isalnum())


def applications() -> dict[str, object]:
    """{plain name: builder} of keras.applications and beside it: mobilenet, inceptionv3, efficientnetlite0, ..."""
    named = vars(keras.applications) | efficientnet_lite.NETWORKS
    return {_plain(name): builder for name, builder in named.items() if inspect.isfunction(builder)}


def size_of(network: str) -> int:
    """Pixels of the square that an image network was trained on; raises Problem where there is no such network."""
    if _plain(network) not in applications():
        names = sorted(applications())
        alike = difflib.get_close_matches(_plain(network), names)
        raise Problem(f"no network {network!r}; there are {command.listed(list(dict.fromkeys([*alike, *names])))}")
    return SIZES.get(_plain(network), USUAL_SIZE)


class Standardise(layers.Layer):
    """(..., D) -> the same less its mean, divided by its standard deviation: both of the training split."""

    def build(self, shape):
        self.mean = self.add_weight((shape[-1],), "zeros", trainable=False, name="mean")
        self.std = self.add_weight((shape[-1],), "ones", trainable=False, name="std")

    def call(self, features):
        return (features - self.mean) / self.std

    def learn(self, mean: np.ndarray, std: np.ndarray) -> None:
        """A feature that never changes stays what it is, less its mean."""
        self.mean.assign(mean)
        self.std.assign(np.where(std > 0, std, 1))


class FramesOf(layers.Layer):
    """(B, T, ...) clips -> (B * T, ...) frames."""

    def call(self, clips):
        return ops.reshape(clips, (-1, *clips.shape[2:]))


class ClipsOf(layers.Layer):
    """(B * T, ...) of frames, and the clips they are from -> (B, T, ...)."""

    def call(self, frames, clips):
        size = (-1, clips.shape[1]) if clips.shape[1] else (ops.shape(clips)[0], -1)
        return ops.reshape(frames, (*size, *frames.shape[1:]))

    def compute_output_shape(self, frames_shape, clips_shape):
        return (*clips_shape[:2], *frames_shape[1:])


def step_weights(kind: str, steps: int) -> np.ndarray:
    """(steps,) float32, their sum 1."""
    if kind == "last":
        return np.eye(1, steps, steps - 1, dtype=np.float32)[0]
    counts = np.arange(1, steps + 1) if kind == "linear" else np.ones(steps)
    return np.float32(counts / counts.sum())


def read_out(steps, kind: str, ops=np):
    """(B, T, classes) -> (B, classes); `ops` is what computes, NumPy or keras.ops, for which T may be unknown."""
    if kind == "last":
        return steps[:, -1]
    if kind == "mean":
        return ops.mean(steps, axis=1)
    counts = ops.cumsum(ops.ones_like(steps[:1, :, :1]), axis=1)
    return ops.sum(steps * counts, axis=1) / ops.sum(counts, axis=1)


class Readout(layers.Layer):
    """(B, T, classes) logits of each step -> (B, classes), weighted as READOUTS say."""

    def __init__(self, kind: str, **others):
        super().__init__(**others)
        self.kind = kind

    def call(self, steps):
        return read_out(steps, self.kind, ops)

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}


def build_cnn(
    network: str, input_shape: tuple[int, int, int], weights: str | None = None, momentum: float | None = None
) -> keras.Model:
    """An image network without its top: (B, H, W, 3 or 2) float32 in [-1, 1] -> (B, h, w, D), its last maps.

    Each network wants its pixels in another way; that is part of it here. Of flow, x, y and its length are the three
    colours.

    Args:
        network: a name of `applications`, in any spelling: inception-v3, InceptionV3.
        weights: None for a random start, "imagenet" for the published ones, or a file of such weights without a top.
        momentum: of the moving averages of batch normalisation, where not the network's own: lower it for a short
            training from a random start.
    Raises:
        Problem: no such network, or the weights cannot be had or do not fit.
    """
    size_of(network)
    if weights not in (None, "imagenet") and not Path(weights).is_file():
        raise Problem(f"--weights {weights}: no such file; imagenet, none, or a file of weights without a top")
    builder = applications()[_plain(network)]
    x = picture = keras.Input(input_shape, name="picture")
    if input_shape[-1] == 2:
        length = ops.sqrt(ops.sum(ops.square(x), axis=-1, keepdims=True) + 1e-12)
        x = ops.concatenate([x, length], axis=-1)
    x = _prepared(x, builder)
    flags = {"include_top": False, "input_shape": (*input_shape[:2], 3), "weights": weights}
    try:
        base = builder(**flags)
        if weights and builder.__module__.endswith(".efficientnet"):
            base = _rebuilt(builder, flags, base)
    except Problem:
        raise
    except Exception as error:  # what Keras raises differs between a download, a file and a shape
        raise Problem(f"{network}: {_reason(error, weights)}") from None
    for layer in base.layers:
        if momentum is not None and isinstance(layer, layers.BatchNormalization):
            layer.momentum = momentum
    return keras.Model(picture, base(x), name=CNN)


def _prepared(x, builder):
    """(B, H, W, 3) in [-1, 1] -> the pixels that the network of that builder wants."""
    prepare = sys.modules[builder.__module__].preprocess_input
    unit = prepare(np.array([0.0, 255.0], np.float32).repeat(3).reshape(2, 1, 1, 3))
    if not np.array_equal(unit.reshape(2, 3)[:, 0], [-1, 1]):  # those that want [-1, 1] have it already
        x = prepare((x + 1) * 127.5)
    return x


def _rebuilt(builder, flags: dict, base: keras.Model) -> keras.Model:
    """An EfficientNet with ImageNet's weights as it is built without them, as a bundle's will be.

    With "imagenet" alone Keras adds a layer that divides by the root of DEVIATION; here the variance before it, which
    is a weight, takes that in.
    """
    bare = builder(**{**flags, "weights": None})
    bare.set_weights(base.get_weights())
    scale = next(layer for layer in bare.layers if isinstance(layer, layers.Normalization))
    mean, variance, count = scale.get_weights()
    scale.set_weights([mean, variance * DEVIATION, count])
    scale.finalize_state()
    return bare


def averaged(cnn: keras.Model, head: layers.Layer | None = None) -> keras.Model:
    """The extractor of features, `build_cnn`'s maps averaged over places: (B, H, W, C) -> (B, D); with `head`, a layer
    that names frames, its (B, classes) logits too."""
    features = layers.GlobalAveragePooling2D(name="features")(cnn.output)
    return keras.Model(cnn.input, [features, head(features)] if head else features, name="extractor")


def _reason(error: Exception, weights: str | None) -> str:
    message = " ".join(str(error).split())
    if weights == "imagenet":
        advice = "put that file into ~/.keras/models, name a copy with --weights FILE, or start from --weights none"
        return f"its ImageNet weights cannot be fetched ({message[:200]}); {advice}"
    return f"{weights}: not its weights without a top ({message[:200]})" if weights else message[:300]


def _recur(x, units, batch_norm: bool, truncate: int):
    """LSTM layers one on the other, (B, T, D) -> (B, T, units); every `truncate` steps the gradient ends.

    Truncated back-propagation: the state goes on from part to part, what is learnt of it does not.
    """
    parts = [x[:, start : start + truncate] for start in range(0, x.shape[1], truncate)] if truncate else [x]
    for number, size in enumerate(units, 1):
        lstm = layers.LSTM(size, return_sequences=True, return_state=True, name=f"lstm_{number}")
        norm = layers.BatchNormalization(name=f"norm_{number}") if batch_norm else None
        state, outputs = None, []
        for part in parts:
            part, *state = lstm(part, initial_state=state)
            state = [ops.stop_gradient(value) for value in state]
            outputs.append(norm(part) if norm else part)
        parts = outputs
    return ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]


def build_head(
    input_shape: tuple[int | None, int],
    classes: int,
    lstm: tuple[int, ...] = (1024, 1024),
    dense: tuple[int, ...] = (),
    dropout: float = 0.5,
    batch_norm: bool = False,
    centre: bool = False,
    truncate: int = 0,
) -> keras.Model:
    """LSTM over features: (B, T, D) float32 -> (B, T, classes), logits of each step.

    Args:
        input_shape: (T, D); T may be None.
        lstm, dense: units of each recurrent and of each fully connected layer before the last; may be none.
        dropout: share of the features, of a whole clip, and of the dense layers' outputs that a training step drops.
        batch_norm: after each recurrent layer.
        centre: each feature is seen less its mean over the clip, so that what stays the same in it is not.
        truncate: steps after which the gradient ends; 0 for none; T has to be known then.
    """
    features = keras.Input(input_shape, name="features")
    x = Standardise(name="standardise")(features)
    if centre:
        x = x - ops.mean(x, axis=1, keepdims=True)
    x = layers.SpatialDropout1D(dropout, name="dropout")(x)
    if lstm:
        x = _recur(x, lstm, batch_norm, truncate)
    for number, size in enumerate(dense, 1):
        x = layers.Dense(size, activation="relu", name=f"dense_{number}")(x)
        x = layers.Dropout(dropout, name=f"dense_dropout_{number}")(x)
    steps = layers.Dense(classes, dtype="float32", name=HEAD)(x)
    return keras.Model(features, steps, name="lstm")


def copy_head(source: keras.Model, head: keras.Model) -> None:
    """Give a network of `build_head` the layers of another one, but for the last, which names the classes."""
    for layer in head.layers:
        if layer.name != HEAD and layer.weights:
            layer.set_weights(source.get_layer(layer.name).get_weights())


def build_cnn_lstm(
    input_shape: tuple[int | None, int, int, int], classes: int, network: str, read: str = "last", **head
) -> keras.Model:
    """The whole system: (B, T, H, W, 3 or 2) float32 in [-1, 1] -> (B, classes) logits.

    Args:
        network: as for `build_cnn`; read: how the steps are weighted, READOUTS; head: as for `build_head`.
    """
    clips = keras.Input(input_shape, name="clip")
    x = _frame_features(clips, build_cnn(network, tuple(input_shape[1:])))
    lstm = build_head((input_shape[0], x.shape[-1]), classes, **head)
    return keras.Model(clips, Readout(read, name="readout")(lstm(x)), name="cnn_lstm")


def _frame_features(clips, cnn: keras.Model):
    maps = ClipsOf(name=FEATURES)(cnn(FramesOf(name="fold")(clips)), clips)
    return ops.mean(maps, axis=(2, 3))


def build_frames(
    input_shape: tuple[int, int, int, int],
    classes: int,
    network: str,
    dropout: float = 0.5,
    weights: str | None = None,
    momentum: float | None = None,
    steps: bool = False,
) -> keras.Model:
    """Single frames: (B, T, H, W, 3 or 2) float32 in [-1, 1] -> (B, classes), the mean of the frames' logits.

    Args:
        weights, momentum: as for `build_cnn`; steps: (B, T, classes) instead, the logits of each frame, to be trained.
    """
    clips = keras.Input(input_shape, name="clip")
    x = _frame_features(clips, build_cnn(network, tuple(input_shape[1:]), weights, momentum))
    x = layers.Dropout(dropout, name="dropout")(x)
    logits = layers.Dense(classes, dtype="float32", name=HEAD)(x)
    return keras.Model(clips, logits if steps else Readout("mean", name="readout")(logits), name="frames")
