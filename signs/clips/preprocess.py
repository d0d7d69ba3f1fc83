"""From stored 8-bit pictures to what a network sees: the one path of training, evaluation and prediction.

Pictures are `(T, H, W, C) uint8`: RGB, grey, depth, or flow coded in 8 bits as TSN, denseflow and MMAction2 do.
"""

from signs.clips import region
from signs.clips.spec import HANDS, InputSpec, resize_short_side

import cv2
import numpy as np

FLOW_INPUT_LIMIT = 20.0  # pixels; I3D's flow stream saw flow clipped at +-20 px and divided by 20 (Carreira 2017)
OWN_SCALE = 0.3  # root mean square that a clip is brought to; RGB without its average picture has at most about as much
STILLEST = 0.01  # a clip below this root mean square counts as still: its noise is not blown up to a movement
LARGEST = 3.0  # values beyond it are cut off after that
FLOW_SIDE = 240.0  # pixels that the square round a signer counts as wide when its flow is seen
HAND_SIDE = 60.0  # and that round a hand, which is a quarter as wide


def resize_all(images: np.ndarray, short_side: int) -> np.ndarray:
    """(T, H, W, C) uint8 -> the same pictures with min(H, W) == short_side; they themselves where it is so already."""
    if min(images.shape[1:3]) == short_side:
        return images
    return np.stack([resize_short_side(image, short_side) for image in images])


def cut_out(images: np.ndarray, spec: InputSpec, squares: dict) -> tuple[np.ndarray, float]:
    """Stored pictures -> those of which `network_input` sees the middle, and how much larger they show the signer.

    Args:
        images: (T, H, W, C) uint8.
        squares: {region: [x, y, side] or None} of `region.find_squares`, pixels of the stored pictures; of the region
            `hands` as `hand_track.hand_squares` gives them.
    Returns:
        (T, h, w, C) uint8 with min(h, w) == spec.short_side, and the factor by which their flow is to be multiplied:
        as if the square had been FLOW_SIDE pixels wide, whatever the store's size and the signer's distance. Of hands
        (T, 2 * short_side, short_side, C), each of which counts as HAND_SIDE wide.
    """
    if spec.region == HANDS:
        found = squares[HANDS].copy()
        found[..., 2] *= spec.short_side / spec.crop
        sides = found[:, 0, 2]
        side = HAND_SIDE if np.isnan(sides).all() else float(np.nanmean(sides))
        return region.cut_hands(images, found, spec.short_side), HAND_SIDE / side
    square = squares.get(spec.region)
    if square is None:
        return resize_all(images, spec.short_side), 1.0
    x, y, side = square
    side *= spec.short_side / spec.crop  # the square is what the network sees; round it is room for shifts
    return region.cut_square(images, [x, y, side], spec.short_side), FLOW_SIDE / side


def quantise_flow(flow: np.ndarray, bound: float) -> np.ndarray:
    """Pixels, float32 -> uint8, `round((u + bound) * 255 / (2 * bound))`, clipped: the coding of TSN and denseflow."""
    row = np.ascontiguousarray(flow, np.float32).reshape(1, -1)
    # OpenCV rounds and clips; eight times as quick as NumPy.
    return cv2.addWeighted(row, 255 / (2 * bound), row, 0, 127.5, dtype=cv2.CV_8U).reshape(flow.shape)


def restore_flow(coded: np.ndarray, bound: float) -> np.ndarray:
    """uint8 -> pixels, float32: the inverse of `quantise_flow` to half a step, bound / 255 pixels."""
    return coded.astype(np.float32) * np.float32(2 * bound / 255) - np.float32(bound)


def network_input(
    images: np.ndarray,
    spec: InputSpec,
    bound: float | None = None,
    shift=(0, 0),
    brightness=1.0,
    zoom: float = 1.0,
    magnified: float = 1.0,
    out: np.ndarray | None = None,
) -> np.ndarray:
    """Stored 8-bit pictures -> what a network sees: the one path of training, evaluation and prediction.

    Args:
        images: (T, H, W, C) uint8, of `cut_out`, the frames that `spec.pick` chose; RGB, grey, depth, or flow coded
            with `bound`.
        bound: pixels that the flow was coded with; None for what is no flow.
        shift: (x, y) pixels by which the crop moves; over the edge the border pixel is repeated (augmentation).
        brightness: factor on the values, one or one a channel; not of flow (augmentation).
        zoom: how much larger the picture is seen, to the nearest pixel; flow grows with it (augmentation).
        magnified: how much larger than stored the pictures show the signer; flow grows with it.
        out: where the result goes, a place in a batch; a new array without it.
    Returns:
        (T, *spec.picture, C) float32 in [-1, 1]; within +-2 around 0 where the average picture is subtracted; within
        +-3 where the scale is the clip's own.
    """
    images = resize_all(images, spec.short_side)
    rows = _crop(images.shape[1] if spec.region != HANDS else spec.short_side, spec.crop, zoom, shift[1])
    if spec.region == HANDS:  # the same of each hand
        rows = np.concatenate([rows, spec.short_side + rows])
    columns = _crop(images.shape[2], spec.crop, zoom, shift[0])
    if bound is None:
        factor, offset = np.float32(np.multiply(brightness, 2 / 255)), np.float32(1)
    else:
        factor = np.float32(zoom * magnified * 2 * bound / 255 / FLOW_INPUT_LIMIT)
        offset = np.float32(zoom * magnified * bound / FLOW_INPUT_LIMIT)
        if spec.scale == "own":
            offset = 128 * factor  # the code of no movement is half a step from 0, and would not stay small
    scaled = _scale(images, rows, columns, factor, offset, out)
    if bound is None and spec.still == "subtract":
        scaled -= scaled.mean(axis=0)
    return _to_own_scale(scaled) if spec.scale == "own" else scaled


def _crop(side: int, crop: int, zoom: float, shift: int) -> np.ndarray:
    """The (crop,) indices along a picture's side that are seen: its middle, zoomed and shifted; the border repeats."""
    middle = (crop - 1) / 2
    steps = np.rint((np.arange(crop) - middle) / zoom + middle).astype(int)
    return np.clip(steps + (side - crop) // 2 + shift, 0, side - 1)


def _to_own_scale(values: np.ndarray) -> np.ndarray:
    """float32 -> the same array, in place, divided by its root mean square and brought to OWN_SCALE."""
    flat = values.reshape(-1)
    values *= np.float32(OWN_SCALE / max(float(np.sqrt(np.dot(flat, flat) / len(flat))), STILLEST))
    return np.clip(values, -LARGEST, LARGEST, out=values)


def _scale(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, factor, offset, out) -> np.ndarray:
    """(T, H, W, C) uint8 -> (T, rows, columns, C) float32: `factor * value - offset`, clipped to [-1, 1].

    Picture by picture, so that it stays in the processor's cache, and by a table of the 256 values: a third of the
    time of one index over both axes and arithmetic over the whole clip, and equal to it bit for bit.
    """
    channels = images.shape[-1]
    table = np.clip(np.arange(256, dtype=np.float32)[:, None] * factor - offset, -1, 1)
    table = np.ascontiguousarray(np.broadcast_to(table, (256, channels)))[None]
    straight = np.all(np.diff(columns) == 1)  # neither zoomed nor over the edge: a view does
    scaled = np.empty((len(images), len(rows), len(columns), channels), np.float32) if out is None else out
    for image, place in zip(images, scaled, strict=True):
        image = image[rows]
        image = image[:, columns[0] : columns[-1] + 1] if straight else image.take(columns, axis=1)
        cv2.LUT(image, table, place)
    return scaled
