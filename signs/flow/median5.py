"""Median filter of 5x5 pixels for a flow field, on SIMD rows: what OpenCV's medianBlur gives, three times as fast.

The columns of the window are sorted first, once for the five windows that share them; then a network of comparators
takes the middle of the 25. By the 0-1 principle a network that is right for every picture of zeros and ones is right
for all, and with the columns sorted there are only 6^5 of these; the tests go through them.
"""

from signs.flow import simd
from signs.flow.simd import Vector

import numba

SORTED = ("sorted0", "sorted1", "sorted2", "sorted3", "sorted4")
# Planes 0 and 1 are filtered in place. Of the others a few rows are used: one of the sorted columns, and RING of the
# results that wait until their row is read no more.
NAMES = ("u1", "u2", *SORTED, "filtered1", "filtered2")
RING = 3
REACH = 2  # pixels on either side
# Comparators (low, high) put the smaller of two values first. Five values sorted:
SORT = ((0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (0, 2), (1, 4), (1, 3), (1, 2))
# Value 5 * rank + column of the window with sorted columns -> the median, in place MIDDLE.
# fmt: off
SELECT = (
    (0, 1), (3, 4), (2, 4), (2, 3), (0, 3), (1, 4), (1, 3), (5, 6), (8, 9), (7, 9), (7, 8), (5, 8), (6, 9), (6, 8),
    (6, 7), (10, 11), (13, 14), (12, 14), (12, 13), (10, 13), (10, 12), (11, 14), (11, 13), (11, 12), (15, 16),
    (17, 19), (17, 18), (15, 18), (15, 17), (16, 19), (16, 18), (16, 17), (20, 21), (23, 24), (22, 23), (20, 22),
    (21, 24), (21, 23), (21, 22), (7, 15), (16, 8), (4, 20), (15, 3), (8, 4), (20, 12), (13, 9), (3, 11), (4, 20),
    (21, 13), (11, 16), (8, 4), (17, 21), (16, 8), (12, 17), (8, 4), (20, 12), (4, 20), (8, 4),
)
# fmt: on
MIDDLE = 4


def compare(values: list[Vector], network) -> list[Vector]:
    for low, high in network:
        values[low], values[high] = simd.minimum(values[low], values[high]), simd.maximum(values[low], values[high])
    return values


def _kernels(plane: str, filtered: str):
    """The three steps for one plane of the flow."""

    @simd.row_kernel(NAMES)
    def sort_columns(at):
        """Rows: y; where the sorted columns go."""
        column = [at(plane, dy=dy) for dy in range(-REACH, REACH + 1)]
        for name, value in zip(SORTED, compare(column, SORT), strict=True):
            at.store(name, value, row=1)

    @simd.row_kernel(NAMES)
    def select(at):
        """Rows: where the sorted columns are; where the result waits."""
        values = compare([at(name, dx=dx) for name in SORTED for dx in range(-REACH, REACH + 1)], SELECT)
        at.store(filtered, values[MIDDLE], row=1)

    @simd.row_kernel(NAMES)
    def put_back(at):
        """Rows: where the result waits; y."""
        at.store(plane, at(filtered), row=1)

    return sort_columns, select, put_back


_sort1, _select1, _put_back1 = _kernels("u1", "filtered1")
_sort2, _select2, _put_back2 = _kernels("u2", "filtered2")


@numba.njit(**simd.COMPILE)
def _repeat_columns(planes, row, width):
    """The sorted columns at the border, REACH times beyond it on either side."""
    for name in range(2, 2 + 5):
        for step in range(REACH):
            planes[name, row, simd.PAD - 1 - step] = planes[name, row, simd.PAD]
            planes[name, row, simd.PAD + width + step] = planes[name, row, simd.PAD + width - 1]


@numba.njit(**simd.COMPILE)
def repeat_border(planes, height, top):
    """What `filter_row` reads above and below the picture: its first and last row."""
    for step in range(1, REACH + 1):
        planes[:2, top - step] = planes[:2, top]
        planes[:2, top + height - 1 + step] = planes[:2, top + height - 1]


@numba.njit(**simd.COMPILE)
def filter_row(planes, y, height, width, top):
    """The 5x5 median of row y of planes 0 and 1; call it for y = 0 .. height + REACH - 1, after `repeat_border`.

    The result of row y - REACH is put into its place, as that row is read no more. The border is repeated, as OpenCV
    does.

    Args:
        planes: see `simd`; the first of them are NAMES.
        top: rows above the picture, and below it; at least REACH.
    """
    if y < height:
        row, waiting = top + y, y % RING
        _sort1((planes,), (row, 0), width, ())
        _repeat_columns(planes, 0, width)
        _select1((planes,), (0, waiting), width, ())
        _sort2((planes,), (row, 0), width, ())
        _repeat_columns(planes, 0, width)
        _select2((planes,), (0, waiting), width, ())
    if y >= REACH:
        row, waiting = top + y - REACH, (y - REACH) % RING
        _put_back1((planes,), (waiting, row), width, ())
        _put_back2((planes,), (waiting, row), width, ())
