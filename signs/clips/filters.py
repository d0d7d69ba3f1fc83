"""FFmpeg's own filters (PyAV): colours as RGB, and interlaced frames made whole."""

from collections.abc import Iterable, Iterator

import av
import numpy as np


def rgb(frame: av.VideoFrame) -> np.ndarray:
    """A frame -> (H, W, 3) uint8 RGB as FFmpeg's own filters make it, by the frame's matrix and range."""
    if frame.format.components[0].bits <= 8:
        # The same bytes, a little sooner; a view of FFmpeg's memory, which it keeps alive.
        plane = frame.reformat(format="rgb24", interpolation="BICUBIC", threads=1).planes[0]
        rows = np.frombuffer(plane, np.uint8).reshape(plane.height, plane.line_size)
        return rows[:, : 3 * plane.width].reshape(plane.height, plane.width, 3)
    return next(_through(_graph(frame, "format", "pix_fmts=rgb24"), frame)).to_ndarray()


def deinterlaced(frames: Iterable[av.VideoFrame], parity: str | None = None) -> Iterator[av.VideoFrame]:
    """The same frames, those that are interlaced through FFmpeg's yadif, which has the frames around each.

    parity: `tff` or `bff` where all of them are, whatever each says: the upper or the lower field is the first.
    """
    graph, kind = None, None
    which = f"deint=all:parity={parity}" if parity else "deint=interlaced"
    for frame in frames:
        before, kind = kind, (frame.width, frame.height, frame.format.name)
        if graph and kind != before:
            yield from _through(graph, None)
            graph = None
        # yadif refuses pictures of fewer than 3 rows or columns.
        if not graph and (parity or frame.interlaced_frame) and min(frame.width, frame.height) > 2:
            graph = _graph(frame, "yadif", which)
        if graph:
            yield from _through(graph, frame)
        else:
            yield frame
    if graph:
        yield from _through(graph, None)


def _graph(frame: av.VideoFrame, *filtering: str) -> av.filter.Graph:
    """One of FFmpeg's filters and its options, for frames like this one."""
    graph = av.filter.Graph()
    source = graph.add_buffer(width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base)
    graph.link_nodes(source, graph.add(*filtering), graph.add("buffersink")).configure()
    return graph


def _through(graph: av.filter.Graph, frame: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
    """What a graph has ready once it has the frame; all of the rest where that is None."""
    graph.push(frame)
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return
