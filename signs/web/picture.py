"""A frame as the page sends it: when it was taken, and the picture as JPEG.

    frame, seconds = read_message(message)

8 bytes float64 (little-endian) of seconds on the browser's clock, then the JPEG. What its head says of its size is read
before anything is decoded.
"""

import io
import math
import struct

from signs.command import Problem

import cv2
import numpy as np
from PIL import Image

MOST_BYTES = 1 << 20  # of a message
LARGEST = 1280  # pixels of a side
STAMP = struct.Struct("<d")


def read_stamp(message: bytes) -> float:
    """Seconds on the browser's clock; raises Problem where the message is no frame."""
    if not STAMP.size < len(message) <= MOST_BYTES:
        raise Problem(f"a frame of {len(message):,} bytes; expected a time and a JPEG of at most {MOST_BYTES:,}")
    (seconds,) = STAMP.unpack_from(message)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise Problem(f"a frame at {seconds} seconds; expected a time")
    return seconds


def decode(message: bytes) -> np.ndarray:
    """The picture of a message, (H, W, 3) uint8 RGB; raises Problem where it is none, or too large."""
    jpeg = memoryview(message)[STAMP.size :]
    try:
        with Image.open(io.BytesIO(jpeg), formats=["JPEG"]) as head:  # reads no further than the head
            width, height = head.size
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        raise Problem("a frame that is no JPEG") from None
    if max(width, height) > LARGEST:
        raise Problem(f"a frame of {width} x {height} pixels; expected at most {LARGEST} on a side")
    how = cv2.IMREAD_COLOR_RGB | cv2.IMREAD_IGNORE_ORIENTATION
    frame = cv2.imdecode(np.frombuffer(jpeg, np.uint8), how)
    if frame is None or frame.shape[:2] != (height, width):
        raise Problem("a frame that is no whole JPEG")
    return frame
