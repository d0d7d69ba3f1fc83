"""Writing a video whose frames keep their own times: H.264 in MP4, made in memory.

    writer = VideoWriter()
    writer.add(frame, seconds)       as frames come
    content = writer.finish()        the bytes of the file

Frames of a camera do not come evenly, and a network on points sees how quick a hand is: so each frame has the time at
which it came, to a sixty-thousandth of a second. Nothing is on disc until somebody writes the bytes there.
"""

import functools
import io
from fractions import Fraction

from signs.command import Problem

import av
import numpy as np

TIME_BASE = Fraction(1, 60000)  # seconds; 24, 25, 29.97, 30 and 60 frames/s are whole numbers of it, MPEG-4 takes it
# Encoders that PyAV may have, the best first, and what is asked of each: hardly a difference to be seen, and quick.
ENCODERS = {
    "libx264": {"preset": "veryfast", "crf": "18"},
    "libopenh264": {"b": "6000000"},
    "mpeg4": {"q:v": "3", "qmin": "2", "qmax": "4"},
}
BT601 = 6  # FFmpeg's number of the colour matrix that its scaler makes of RGB
LIMITED = 1  # and of the range


@functools.cache
def find_encoder() -> str:
    """The best of ENCODERS that is here; raises Problem where there is none."""
    for name in ENCODERS:
        try:
            av.codec.Codec(name, "w")
        except ValueError:  # what PyAV raises of an unknown codec is of this kind
            continue
        return name
    raise Problem(f"PyAV has no encoder for video here ({', '.join(ENCODERS)}); pip install --force-reinstall av")


class VideoWriter:
    """Frames in, the bytes of an MP4 out. Memory holds the coded film alone, a megabyte for some seconds."""

    def __init__(self):
        self._content = io.BytesIO()
        self._container = av.open(self._content, "w", format="mp4")
        self._stream = None
        self._first, self._last = 0.0, -1

    def add(self, frame: np.ndarray, seconds: float) -> None:
        """A frame, (H, W, 3) uint8 RGB, and its time on any clock; times rise. An odd row or column is left out: a
        colour is stored for two by two pixels."""
        frame = np.ascontiguousarray(frame[: frame.shape[0] // 2 * 2, : frame.shape[1] // 2 * 2])
        if self._stream is None:
            self._open(frame.shape[1], frame.shape[0])
            self._first = seconds
        self._last = max(self._last + 1, round((seconds - self._first) / TIME_BASE))
        picture = av.VideoFrame.from_ndarray(frame, format="rgb24").reformat(
            format="yuv420p", dst_colorspace="ITU601", interpolation="BICUBIC"
        )
        picture.pts, picture.time_base = self._last, TIME_BASE
        self._container.mux(self._stream.encode(picture))

    def _open(self, width: int, height: int) -> None:
        name = find_encoder()
        self._stream = self._container.add_stream(name, rate=30, options=ENCODERS[name])
        self._stream.width, self._stream.height, self._stream.pix_fmt = width, height, "yuv420p"
        context = self._stream.codec_context
        context.time_base = self._stream.time_base = TIME_BASE
        context.max_b_frames = 0  # then a frame is shown when it comes, and the first one at 0
        context.colorspace, context.color_range = BT601, LIMITED

    def finish(self) -> bytes:
        """The whole file; raises Problem where no frame was added."""
        if self._stream is None:
            raise Problem("no frame came; is the camera still connected?")
        self._container.mux(self._stream.encode(None))
        self._container.close()
        return self._content.getvalue()
