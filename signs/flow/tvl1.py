"""TV-L1 optical flow on the CPU, in Numba: the solver behind `opticalflow.py`.

    Zach, Pock, Bischof: A duality based approach for realtime TV-L1 optical flow. DAGM 2007.
    Sanchez Perez, Meinhardt-Llopis, Facciolo: TV-L1 optical flow estimation. IPOL 2013 (equation numbers below).

The flow u minimises the total variation of u plus lambda times the brightness difference, in absolute value,

    E(u) = int |grad u1| + |grad u2| + lambda |rho(u)|,    rho(u) = I1(x + u0) + grad I1(x + u0) . (u - u0) - I0   (5)

where rho is linear around a known u0. A second field v splits the two terms, tied to u by |u - v|^2 / (2 theta):

    v = u + clamp(-rho(u) / |grad I1|^2, -lambda theta, lambda theta) grad I1      the data term, per pixel        (8)
    u = v + theta div p                                                            the smooth term, by its dual p  (10)
    p = (p + tau/theta grad u) / (1 + tau/theta |grad u|)                                                          (11)

These three run until u moves by less than epsilon a pixel; then the image is warped anew by u (a "warp"), on every
scale of a pyramid from coarse to fine. Parameters and choices are those of OpenCV's DualTVL1OpticalFlow: docs/flow.md.
"""

import math
import sys
from pathlib import Path

from signs.flow import median5, simd
from signs.flow.pyramid import BLACK, Level, build_pyramid
from signs.flow.simd import Vector

import cv2
import numba
import numpy as np

# OpenCV's defaults. lambda_ and median are its `lambda` and `medianFiltering`; epsilon is in pixels.
QUALITY = {
    "tau": 0.25,
    "lambda_": 0.15,
    "theta": 0.3,
    "scales": 5,
    "scale_step": 0.8,
    "warps": 5,
    "epsilon": 0.01,
    "inner": 30,
    "outer": 10,
    "median": 5,
}
FAST = {**QUALITY, "scale_step": 0.5, "warps": 3, "epsilon": 0.02}
FLAT = float(np.finfo(np.float32).eps)  # |grad I|^2 up to which a pixel has no data term
CUBIC = -0.75  # of the cubic kernel, as OpenCV's
# The planes of a scale, see `simd`. The first are u, the flow, and what its median filter needs; p is the dual of u, g
# the warped gradient; `constant` and `inverse` are those of `_linearise`.
NAMES = (*median5.NAMES, "p11", "p12", "p21", "p22", "gx", "gy", "constant", "inverse", "previous")
TOP = 2  # rows above and below the picture, of which the median filter needs two
BLOCK = 8  # most iterations in one pass over the rows
CAUTION = 0.5  # at 0.7 three warps in a hundred did an iteration too many, at 0.5 none of 486
NO_ITERATION = np.empty(0, np.float32)


@simd.row_kernel(NAMES)
def _linearise(at, flat):
    """rho(u) = constant + gx u1 + gy u2, and 1 / |grad I1|^2, 0 where the image is flat; `constant` was I1(x + u)."""
    gx, gy = at("gx"), at("gy")
    square = gx * gx + gy * gy
    at.store("inverse", simd.where(square > flat, 1 / square, 0.0))
    at.store("constant", at("constant") - gx * at("u1") - gy * at("u2") - at("previous"))


@simd.row_kernel(NAMES)
def _primal(at, limit, theta):
    """Equations (8) and (10) in place; sums the squared changes of u. div p is backward differences, zero outside."""
    gx, gy, u1, u2 = at("gx"), at("gy"), at("u1"), at("u2")
    div1 = at("p11") - at("p11", dx=-1) + at("p12") - at("p12", dy=-1)
    div2 = at("p21") - at("p21", dx=-1) + at("p22") - at("p22", dy=-1)
    step = simd.maximum(simd.minimum((at("constant") + gx * u1 + gy * u2) * at("inverse"), limit), 0 - limit)
    change1, change2 = theta * div1 - step * gx, theta * div2 - step * gy
    at.store("u1", u1 + change1)
    at.store("u2", u2 + change2)
    return at.inside(change1 * change1 + change2 * change2)


@simd.row_kernel(NAMES)
def _dual(at, ratio):
    """Equation (11) in place; forward differences."""
    for u, px, py in (("u1", "p11", "p12"), ("u2", "p21", "p22")):
        here = at(u)
        dx, dy = at(u, dx=1) - here, at(u, dy=1) - here
        scale = 1 / (1 + ratio * simd.sqrt(dx * dx + dy * dy))
        at.store(px, (at(px) + ratio * dx) * scale)
        at.store(py, (at(py) + ratio * dy) * scale)


def _cubic(position: Vector) -> list[Vector]:
    """Weights of the four taps around a fraction in [0, 1): Keys' cubic convolution (1981)."""
    t, a = position, CUBIC
    before = ((a * t - 2 * a) * t + a) * t
    here = ((a + 2) * t - (a + 3)) * t * t + 1
    last = (a - a * t) * t * t
    return [before, here, 1 - before - here - last, last]


@simd.row_kernel(NAMES)
def _warp(at, height, width, y):
    """I1(x + u) into `constant` and its gradient into gx, gy: cubic interpolation of `Level.packed`, 0 outside."""
    x_at = simd.maximum(simd.minimum(at.columns() + at("u1"), width + 1), -3.0)
    y_at = simd.maximum(simd.minimum(y + at("u2"), height + 1), -3.0)
    column, row = simd.floor(x_at), simd.floor(y_at)
    weights = _cubic(x_at - column), _cubic(y_at - row)
    at.gather(column + (BLACK - 1), row + (BLACK - 1), *weights, ("constant", "gx", "gy"))


@numba.njit(**simd.COMPILE)
def _sweep(planes, packed, height, width, weights, errors, warp, median):
    """One pass over the rows: the warp if asked for, the median filter if asked for, and len(errors) iterations.

    A row is warped; two rows behind it the filter follows and four behind it, where u is filtered, the first iteration.
    The dual of row y - 1 needs the new u of rows y - 1 and y, the primal of row y the old dual of rows y - 1 and y: so
    the dual follows one row behind the primal, and the next iteration one row behind that. While a row is in the cache
    everything is done with it; the result is that of one pass for each.

    Args:
        weights: lambda theta, theta and tau / theta.
        errors: becomes the sum of squared changes of u, of each iteration.
    """
    limit, theta, ratio = weights
    errors[:] = 0
    behind = 2 * median5.REACH if median else 0
    if median:
        median5.repeat_border(planes, height, TOP)
    for front in range(height + behind + len(errors)):
        if warp and front < height:
            size = (np.float32(height), np.float32(width), np.float32(front))
            _warp((planes, packed), (TOP + front,), width, size)
            _linearise((planes,), (TOP + front,), width, (np.float32(FLAT),))
        if median and median5.REACH <= front < height + behind:
            median5.filter_row(planes, front - median5.REACH, height, width, TOP)
        for iteration in range(len(errors)):
            y = front - behind - iteration
            row = TOP + y
            if 0 <= y < height:
                errors[iteration] += _primal((planes,), (row,), width, (limit, theta))
                for u in range(2):  # what is beyond the border moves with it, so there is no gradient across it
                    planes[u, row, simd.PAD + width] = planes[u, row, simd.PAD + width - 1]
                    if y == height - 1:
                        planes[u, row + 1] = planes[u, row]
            if 1 <= y <= height:
                _dual((planes,), (row - 1,), width, (ratio,))


@numba.njit(**simd.COMPILE)
def _block_after(before, last, enough):
    """How many iterations to do at once: as many as will hardly reach `enough` before the last one of them.

    The change of u falls by a factor that nears 1, so CAUTION times the latest factor is a safe guess of those to come.
    """
    fall = CAUTION * last / before
    if fall >= 1 or enough <= 0 or last <= enough:
        return BLOCK
    return min(1 + int(math.log(enough / last) / math.log(fall)), BLOCK)


@numba.njit(**simd.COMPILE)
def _iterate(planes, packed, height, width, weights, iterations, enough, block, warp, median):
    """Iterate until the sum of squared changes of u is `enough`, at most `iterations` times, `block` at once at first.

    Before that, in the same pass, warp and filter u if asked for. Returns how many iterations were done, and that sum.
    """
    errors, done = np.empty(BLOCK, np.float32), 0
    before = last = np.float32(math.inf)
    while done < iterations and last > enough:
        block = min(block, iterations - done)
        _sweep(planes, packed, height, width, weights, errors[:block], warp and done == 0, median and done == 0)
        done += block
        before = errors[block - 2] if block > 1 else last
        last = errors[block - 1]
        block = _block_after(before, last, enough)
    return done, last


def is_compiled() -> bool:
    """Whether an earlier run left the solver's machine code on the disc."""
    python = "py{}{}".format(*sys.version_info[:2])
    return any(Path(_iterate._cache.cache_path).glob(f"{Path(__file__).stem}.{_iterate.__name__}-*.{python}*.nbi"))


class Scale:
    """The room that the solver needs on one scale; u is its flow, two (H, W) float32 views, pixels."""

    def __init__(self, height: int, width: int):
        self.size = height, width
        self.planes = simd.allocate(len(NAMES), height + 2 * TOP, simd.stride_of(width))
        self.planes[:] = 0
        self.u = self.planes[:2, TOP : TOP + height, simd.PAD : simd.PAD + width]
        self._grown = np.empty((height, width), np.float32)

    def solve(self, previous: Level, current: Level, parameters: dict) -> None:
        """Improve u in place."""
        height, width = self.size
        tau, theta, inner, median = (parameters[name] for name in ("tau", "theta", "inner", "median"))
        weights = np.float32(parameters["lambda_"] * theta), np.float32(theta), np.float32(tau / theta)
        enough = np.float32(parameters["epsilon"] ** 2 * height * width)
        self.planes[NAMES.index("p11") : NAMES.index("p22") + 1] = 0
        self.planes[NAMES.index("previous"), TOP : TOP + height, simd.PAD : simd.PAD + width] = previous.image
        scale, block = (self.planes, current.packed, height, width, weights), 2
        for _ in range(parameters["warps"]):
            warp, error = True, math.inf
            for _ in range(parameters["outer"]):
                if error <= enough:
                    break
                if median not in (0, 1, 5):
                    if warp:  # with the flow as it is before the filter
                        _sweep(*scale, NO_ITERATION, True, False)
                        warp = False
                    self._filter(median)
                done, error = _iterate(*scale, inner, enough, block, warp, median == 5)
                warp = False
            block = 2 if done > 3 else 1  # the next warp has less left to do, perhaps one iteration

    def start(self, coarser: "Scale | None", growth: float) -> None:
        """Begin at zero flow, or at the flow of the next coarser scale."""
        for number, u in enumerate(self.u):
            if coarser is None:
                u[:] = 0
            else:
                cv2.resize(coarser.u[number], self.size[::-1], dst=self._grown, interpolation=cv2.INTER_LINEAR)
                np.multiply(self._grown, np.float32(growth), out=u)

    def _filter(self, size: int) -> None:
        """OpenCV's median filter, for the sizes that `median5` is not made for."""
        for u in self.u:
            u[:] = cv2.medianBlur(np.ascontiguousarray(u), size)


class Solver:
    """TV-L1 between pictures of one size, which come one after the other.

    A picture's pyramid is built once, and room is kept from pair to pair; so a solver belongs to one thread.
    """

    def __init__(self, parameters: dict):
        self.parameters = parameters
        self._scales: list[Scale] = []
        self._previous = self._spare = None  # pyramids: of the picture before, and one to write over

    def restart(self) -> None:
        """The next picture is a first one again; its size may be another."""
        self._previous, self._spare = None, self._previous

    def push(self, image: np.ndarray) -> np.ndarray | None:
        """(H, W) uint8 grey -> (H, W, 2) float32 pixels, x then y, since the picture before; None for the first one."""
        fits = self._spare is not None and self._spare[0].image.shape == image.shape
        current = build_pyramid(image, self.parameters, self._spare if fits else None)
        previous, self._previous, self._spare = self._previous, current, self._previous
        if previous is None:
            sizes = [level.image.shape for level in current]
            if [scale.size for scale in self._scales] != sizes:
                self._scales = [Scale(*size) for size in sizes]
            return None
        coarser = None
        for scale, first, second in reversed(list(zip(self._scales, previous, current, strict=True))):
            scale.start(coarser, 1 / self.parameters["scale_step"])
            scale.solve(first, second, self.parameters)
            coarser = scale
        return np.stack(list(scale.u), axis=-1)
