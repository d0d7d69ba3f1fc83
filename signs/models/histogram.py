"""Histograms of oriented flow and of gradients in space and time, and a linear classifier on them.

    model = build_histogram((20, 48, 48, 2), classes=20, flow=True)
    model(clips)                            (B, 20, 48, 48, 2) float32 -> (B, 20) logits

What recognised actions before networks learnt to, and what very few clips still are enough for: nothing below the last
layer is learnt. Each picture is cut into a grid of cells, and each cell says how much of what points which way.

    flow       histograms of oriented flow, HOF (Laptev et al. 2008); of its two components' gradients, the motion
               boundary histograms MBH (Dalal et al. 2006), which a camera that moves does not change; and how much each
               cell's mean flow swings at which frequency
    pictures   histograms of gradients in x, y and time, HOG3D (Klaser et al. 2008), where something changes; in 26
               directions, three rings of eight and both ways along time, where they had the faces of a polyhedron

They are added up over the whole clip, its thirds and its sixths; each of these blocks is brought to length 1 after a
square root (Perronnin et al. 2010), so that no strong movement drowns the others. Like every network here it reads what
`preprocess.network_input` gives, and it runs in all forms of export.py. `train_linear.py` finds the last layer.
"""

import keras
import numpy as np
from keras import ops

GRID = 8  # cells along the picture's width; as many along its height as make them square
BINS = 8  # directions in the plane
SEGMENTS = (1, 3, 6)  # into so many parts the clip is cut, one after the other
STILL_FLOW = 0.02  # of the network's input: shorter vectors are noise
STILL_EDGE = 0.005  # the same of a component's gradient, per pixel
CHANGE = 0.1  # of the network's input, per frame: from there on a picture's gradients count in full
SLANT = 0.6  # radians by which the directions of HOG3D lean into the past and the future
NARROW = 0.75  # cosine, at which the bins of HOG3D end
FREQUENCIES = 12  # cycles a clip, at most
TINY = 1e-6
RING_BINS = 3 * BINS + 2  # directions of HOG3D
FEATURES = "Blocks"  # what is known of a clip before it gets a name
MAPS = ("Cells",)  # where gradcam.py may look


def _directions() -> np.ndarray:
    """(2, BINS) unit vectors in the plane."""
    angle = 2 * np.pi * np.arange(BINS) / BINS
    return np.float32([np.cos(angle), np.sin(angle)])


def _space_time_directions() -> np.ndarray:
    """(3, 26) unit vectors (x, y, t): three rings, and both ways along time."""
    rings = [
        np.vstack([np.cos(slant) * _directions(), np.full((1, BINS), np.sin(slant))]) for slant in (-SLANT, 0, SLANT)
    ]
    return np.float32(np.hstack([*rings, [[0, 0], [0, 0], [-1, 1]]]))


def _shares(size: int, parts: int) -> np.ndarray:
    """(parts, size) how much each of `size` places counts for each of `parts`; between two middles it is shared."""
    places = (np.arange(size) + 0.5) / size * parts
    middles = np.arange(parts) + 0.5
    return np.maximum(0, 1 - np.abs(places - middles[:, None])).astype(np.float32)


def _segments(frames: int) -> np.ndarray:
    """(sum(SEGMENTS), frames) the mean over each part of the clip, in time."""
    rows = []
    for parts in SEGMENTS:
        times = np.linspace(0, parts, frames) if frames > 1 else np.array([parts / 2])
        weights = np.maximum(0, 1 - np.abs(times - (np.arange(parts)[:, None] + 0.5))) if parts > 1 else [times * 0 + 1]
        rows += [row / max(row.sum(), TINY) for row in weights]
    return np.float32(rows)


def _length(vectors):
    """(..., N) -> (..., 1)."""
    return ops.sqrt(ops.sum(vectors * vectors, axis=-1, keepdims=True) + 1e-8)


def _binned(vectors, directions: np.ndarray, narrow: float):
    """(..., N) vectors -> (..., directions): how far each points along each, 0 from the angle of cosine `narrow` on."""
    return ops.relu(ops.matmul(vectors, directions) - narrow * _length(vectors)) / (1 - narrow)


def _slope(values):
    """(B, T, H, W) -> (B, T, H, W, 2) central differences along x and y, zero at the edge."""
    x = (values[:, :, 1:-1, 2:] - values[:, :, 1:-1, :-2]) / 2
    y = (values[:, :, 2:, 1:-1] - values[:, :, :-2, 1:-1]) / 2
    return ops.pad(ops.stack([x, y], axis=-1), ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))


def _cells(values):
    """(B, T, H, W, N) -> (B, T, rows, GRID, N) mean of each cell, neighbours sharing what lies between them."""
    _, frames, height, width, bins = values.shape
    count = GRID * height // width
    across = _shares(width, GRID) * GRID / width
    down = _shares(height, count) * count / height
    rows = ops.matmul(across, values)  # (B, T, H, GRID, N)
    rows = ops.reshape(rows, (-1, frames, height, GRID * bins))
    return ops.reshape(ops.matmul(down, rows), (-1, frames, count, GRID, bins))


def _block(values):
    """(B, ...) not negative -> (B, features) of length 1, after a square root."""
    roots = ops.sqrt(ops.reshape(values, (-1, int(np.prod(values.shape[1:])))) + TINY)
    return roots / ops.sqrt(ops.sum(roots * roots, axis=-1, keepdims=True) + TINY)


def _spectrum(cells):
    """(B, T, cells) mean flow -> (B, features): how much of it swings at 1 to FREQUENCIES cycles a clip."""
    frames = cells.shape[1]
    turns = 2 * np.pi * np.outer(np.arange(1, min(FREQUENCIES, frames // 2) + 1), np.arange(frames)) / frames
    even, odd = (ops.matmul(np.float32(wave * np.hanning(frames)), cells) for wave in (np.cos(turns), np.sin(turns)))
    return _block(ops.sqrt(even * even + odd * odd + 1e-10))


class FlowCells(keras.layers.Layer):
    """(B, T, H, W, 2) flow -> (B, T, rows, GRID, 26): HOF, MBH along x and y, BINS each, and the mean flow."""

    def call(self, flow):
        plane, narrow = _directions(), float(np.cos(2 * np.pi / BINS))
        histograms = []
        for vectors in (flow, _slope(flow[..., 0]), _slope(flow[..., 1])):
            length, still = _length(vectors), STILL_EDGE if histograms else STILL_FLOW
            histograms.append(_binned(vectors, plane, narrow) * ops.relu(length - still) / length)
        return _cells(ops.concatenate([*histograms, flow], axis=-1))


class GradientCells(keras.layers.Layer):
    """(B, T, H, W, C) pictures -> (B, T, rows, GRID, N): HOG3D, 26 of each channel, or of the mean of red, green and
    blue."""

    def call(self, pictures):
        channels = pictures.shape[-1]
        greys = [ops.mean(pictures, axis=-1)] if channels == 3 else [pictures[..., one] for one in range(channels)]
        return _cells(ops.concatenate([self._of(grey) for grey in greys], axis=-1))

    def _of(self, grey):
        change = ops.pad((grey[:, 2:] - grey[:, :-2]) / 2, ((0, 0), (1, 1), (0, 0), (0, 0)))[..., None]
        vectors = ops.concatenate([_slope(grey), change], axis=-1)
        return _binned(vectors, _space_time_directions(), NARROW) * ops.minimum(ops.abs(change) / CHANGE, 1.0)


class Blocks(keras.layers.Layer):
    """(B, T, rows, GRID, N) cells -> (B, features): normalised blocks of each histogram and part of the clip.

    Args:
        histograms: how many of the N belong to each histogram; what is left of them is flow, for its spectrum.
    """

    def __init__(self, histograms: tuple[int, ...], **arguments):
        super().__init__(**arguments)
        self.histograms = tuple(histograms)

    def get_config(self) -> dict:
        return {**super().get_config(), "histograms": self.histograms}

    def call(self, cells):
        _, frames, height, width, bins = cells.shape
        ends = np.cumsum((0, *self.histograms))
        parts = ops.matmul(_segments(frames), ops.reshape(cells, (-1, frames, height * width * bins)))
        parts = ops.reshape(parts, (-1, sum(SEGMENTS), height, width, bins))
        times = np.cumsum((0, *SEGMENTS))
        found = [
            _block(parts[:, begin:end, :, :, first:last])
            for first, last in zip(ends[:-1], ends[1:], strict=True)
            for begin, end in zip(times[:-1], times[1:], strict=True)
        ]
        if bins > ends[-1] and frames > 1:
            flow = cells[..., ends[-1] :]
            found.append(_spectrum(ops.reshape(flow, (-1, frames, height * width * (bins - ends[-1])))))
        return ops.concatenate(found, axis=-1)


def below_top(model: keras.Model) -> keras.Model:
    """What the classifier is fitted to: (B, T, H, W, C) -> (B, features)."""
    return keras.Model(model.input, model.get_layer(FEATURES).output)


def set_top(model: keras.Model, weights: np.ndarray, bias: np.ndarray) -> None:
    """(features, classes), (classes,): the classifier."""
    model.get_layer("Logits").set_weights([weights, bias])


def build_histogram(input_shape, classes: int, flow: bool = False) -> keras.Model:
    """Histograms and a linear classifier.

    Args:
        input_shape: (T, H, W, C), at least GRID pixels high and wide; of pictures at least three.
        classes: how many logits.
        flow: the two channels are x and y of the flow; else each channel is a picture, three of them red, green, blue.
    Returns:
        A model (B, T, H, W, C) float32 -> (B, classes) logits, of which only the layer `Logits` can learn.
    """
    frames, height, width, channels = input_shape
    if min(height, width) < GRID or frames < 3:
        raise ValueError(f"{tuple(input_shape)}: at least 3 frames of {GRID}x{GRID} pixels")
    clip = keras.Input(tuple(input_shape), name="clip")
    cells = (FlowCells if flow else GradientCells)(name=MAPS[0])(clip)
    histograms = (BINS, BINS, BINS) if flow else (RING_BINS,) * (cells.shape[-1] // RING_BINS)
    features = Blocks(histograms, name=FEATURES)(cells)
    return keras.Model(clip, keras.layers.Dense(classes, name="Logits")(features), name="histogram")
