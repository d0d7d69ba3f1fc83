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
scale of a pyramid from coarse to fine. Parameters mean what they mean in OpenCV's DualTVL1OpticalFlow, whose choices
are followed where the paper leaves one open: cubic warping, a median filter of u, intensities 0..255.
"""

import math

import cv2
import numba
import numpy as np

# OpenCV's defaults. lambda_ and median are its `lambda` and `medianFiltering`; epsilon is in pixels.
QUALITY = {
    "tau": 0.25, "lambda_": 0.15, "theta": 0.3, "scales": 5, "scale_step": 0.8, "warps": 5,
    "epsilon": 0.01, "inner": 30, "outer": 10, "median": 5,
}  # fmt: skip
FAST = {**QUALITY, "scale_step": 0.5, "warps": 3, "epsilon": 0.02}
SMALLEST_SIDE = 16  # pixels; a pyramid stops above it, as OpenCV's does
FLAT = np.float32(np.finfo(np.float32).eps)  # |grad I|^2 up to which a pixel has no data term

# Rounding freedom that costs nothing in accuracy; NaN and infinity keep their meaning. The row functions are inlined
# always: otherwise code just compiled and code from the disc's cache round differently, and a resumed run would not
# write the bytes of an unbroken one.
FASTMATH = {"contract", "reassoc", "nsz", "arcp"}


@numba.njit(cache=True, fastmath=FASTMATH, nogil=True)
def _linearise(previous, warped, warped_x, warped_y, u1, u2, constant, inverse):
    """rho(u) = constant + warped_x u1 + warped_y u2, and 1 / |grad I1|^2 (0 where the image is flat)."""
    height, width = previous.shape
    for y in range(height):
        for x in range(width):
            gx, gy = warped_x[y, x], warped_y[y, x]
            square = gx * gx + gy * gy
            inverse[y, x] = np.float32(1.0) / square if square > FLAT else np.float32(0.0)
            constant[y, x] = warped[y, x] - gx * u1[y, x] - gy * u2[y, x] - previous[y, x]


@numba.njit(cache=True, fastmath=FASTMATH, nogil=True, inline="always")
def _primal_row(u1, u2, p11, p12, p21, p22, above12, above22, gx, gy, constant, inverse, limit, theta):
    """Equations (8) and (10) on one row, in place; returns the sum of squared changes of u. All are (W,) float32."""
    error = np.float32(0.0)
    left11 = left21 = np.float32(0.0)
    for x in range(u1.shape[0]):
        a, b = u1[x], u2[x]
        step = -(constant[x] + gx[x] * a + gy[x] * b) * inverse[x]
        step = min(max(step, -limit), limit)
        new_a = a + step * gx[x] + theta * (p11[x] - left11 + p12[x] - above12[x])
        new_b = b + step * gy[x] + theta * (p21[x] - left21 + p22[x] - above22[x])
        left11, left21 = p11[x], p21[x]
        error += (new_a - a) * (new_a - a) + (new_b - b) * (new_b - b)
        u1[x], u2[x] = new_a, new_b
    return error


@numba.njit(cache=True, fastmath=FASTMATH, nogil=True, inline="always")
def _dual_row(u, below, px, py, ratio):
    """Equation (11) on one row of one component, in place; forward differences, zero at the last column."""
    last = u.shape[0] - 1
    for x in range(last):
        dx, dy = u[x + 1] - u[x], below[x] - u[x]
        scale = np.float32(1.0) / (np.float32(1.0) + ratio * np.sqrt(dx * dx + dy * dy))
        px[x] = (px[x] + ratio * dx) * scale
        py[x] = (py[x] + ratio * dy) * scale
    dy = below[last] - u[last]
    scale = np.float32(1.0) / (np.float32(1.0) + ratio * abs(dy))
    px[last] *= scale
    py[last] = (py[last] + ratio * dy) * scale


@numba.njit(cache=True, fastmath=FASTMATH, nogil=True)
def _iterate(u, p, zero, gx, gy, constant, inverse, limit, theta, ratio, iterations, enough):
    """Up to `iterations` of (8), (10), (11) in one sweep over the rows each; returns the last sum of squared changes.

    The dual of row y - 1 needs the new u of rows y - 1 and y, and the primal of row y needs the old dual of row
    y - 1: so one pass suffices, with the dual one row behind, and what it touches stays in the cache.
    """
    height = u.shape[1]
    error = np.float32(math.inf)
    for _ in range(iterations):
        error = np.float32(0.0)
        for y in range(height):
            above12 = p[1, y - 1] if y > 0 else zero
            above22 = p[3, y - 1] if y > 0 else zero
            error += _primal_row(u[0, y], u[1, y], p[0, y], p[1, y], p[2, y], p[3, y], above12, above22,
                                 gx[y], gy[y], constant[y], inverse[y], limit, theta)  # fmt: skip
            if y > 0:
                _dual_row(u[0, y - 1], u[0, y], p[0, y - 1], p[1, y - 1], ratio)
                _dual_row(u[1, y - 1], u[1, y], p[2, y - 1], p[3, y - 1], ratio)
        _dual_row(u[0, height - 1], u[0, height - 1], p[0, height - 1], p[1, height - 1], ratio)
        _dual_row(u[1, height - 1], u[1, height - 1], p[2, height - 1], p[3, height - 1], ratio)
        if error <= enough:
            break
    return error


def _gradient(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Central differences along x and y, the border repeated."""
    padded = cv2.copyMakeBorder(image, 1, 1, 1, 1, cv2.BORDER_REPLICATE)
    x = (padded[1:-1, 2:] - padded[1:-1, :-2]) * np.float32(0.5)
    y = (padded[2:, 1:-1] - padded[:-2, 1:-1]) * np.float32(0.5)
    return x, y


def pyramid(image: np.ndarray, parameters: dict) -> list[np.ndarray]:
    """(H, W) uint8 grey -> float32 images from fine to coarse, each `scale_step` of the one before."""
    levels = [image.astype(np.float32)]
    step = parameters["scale_step"]
    while len(levels) < parameters["scales"]:
        smaller = cv2.resize(levels[-1], None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR)
        if min(smaller.shape) < SMALLEST_SIDE:
            break
        levels.append(smaller)
    return levels


def _solve_scale(previous: np.ndarray, current: np.ndarray, u: np.ndarray, parameters: dict) -> None:
    """Improve u, (2, H, W) float32 pixels, in place, on one scale."""
    height, width = previous.shape
    tau, theta = parameters["tau"], parameters["theta"]
    limit, ratio = np.float32(parameters["lambda_"] * theta), np.float32(tau / theta)
    enough = np.float32(parameters["epsilon"] ** 2 * previous.size)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    current_x, current_y = _gradient(current)
    p, zero = np.zeros((4, height, width), np.float32), np.zeros(width, np.float32)
    constant, inverse = np.empty_like(previous), np.empty_like(previous)
    for _ in range(parameters["warps"]):
        at_x, at_y = columns + u[0], rows + u[1]
        warped, gx, gy = (cv2.remap(image, at_x, at_y, cv2.INTER_CUBIC) for image in (current, current_x, current_y))
        _linearise(previous, warped, gx, gy, u[0], u[1], constant, inverse)
        error = np.float32(math.inf)
        for _ in range(parameters["outer"]):
            if error <= enough:
                break
            if parameters["median"] > 1:
                u[0], u[1] = (cv2.medianBlur(component, parameters["median"]) for component in u)
            error = _iterate(u, p, zero, gx, gy, constant, inverse, limit, np.float32(theta), ratio,
                             parameters["inner"], enough)  # fmt: skip


def solve(previous: list[np.ndarray], current: list[np.ndarray], parameters: dict) -> np.ndarray:
    """Flow between two images given as their `pyramid`s: (H, W, 2) float32 pixels, x then y."""
    u = np.zeros((2, *previous[-1].shape), np.float32)
    for coarse, fine in zip(reversed(previous), reversed(current), strict=True):
        if u.shape[1:] != coarse.shape:
            size = coarse.shape[::-1]
            grown = (cv2.resize(component, size, interpolation=cv2.INTER_LINEAR) for component in u)
            u = np.stack(list(grown)) * np.float32(1 / parameters["scale_step"])
        _solve_scale(coarse, fine, u, parameters)
    return np.ascontiguousarray(np.moveaxis(u, 0, -1))
