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

COMPILE = {
    "cache": True,
    "nogil": True,
    # A check for division by zero in a loop would keep it from being vectorised: four times as slow.
    "error_model": "numpy",
    # Rounding freedom that costs nothing in accuracy; NaN and infinity keep their meaning. The row functions are
    # inlined always: otherwise code just compiled and code from the disc's cache round differently, and a resumed run
    # would not write the bytes of an unbroken one.
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


@numba.njit(**COMPILE)
def _linearise(previous, warped, warped_x, warped_y, u1, u2, constant, inverse):
    """rho(u) = constant + warped_x u1 + warped_y u2, and 1 / |grad I1|^2 (0 where the image is flat)."""
    height, width = previous.shape
    for y in range(height):
        for x in range(width):
            gx, gy = warped_x[y, x], warped_y[y, x]
            square = gx * gx + gy * gy
            inverse[y, x] = np.float32(1.0) / square if square > FLAT else np.float32(0.0)
            constant[y, x] = warped[y, x] - gx * u1[y, x] - gy * u2[y, x] - previous[y, x]


@numba.njit(**COMPILE, inline="always")
def _divergence_row(px, py, above, out):
    """div p of one component on one row: backward differences, p itself at the first column (and row: above is 0)."""
    out[0] = px[0] + py[0] - above[0]
    for x in range(1, px.shape[0]):
        out[x] = px[x] - px[x - 1] + py[x] - above[x]


@numba.njit(**COMPILE, inline="always")
def _primal_row(u1, u2, div1, div2, gx, gy, constant, inverse, limit, theta):
    """Equations (8) and (10) on one row, in place; returns the sum of squared changes of u. All are (W,) float32."""
    error = np.float32(0.0)
    for x in range(u1.shape[0]):
        a, b = u1[x], u2[x]
        step = -(constant[x] + gx[x] * a + gy[x] * b) * inverse[x]
        step = limit if step > limit else step
        step = -limit if step < -limit else step
        da = step * gx[x] + theta * div1[x]
        db = step * gy[x] + theta * div2[x]
        error += da * da + db * db
        u1[x] = a + da
        u2[x] = b + db
    return error


@numba.njit(**COMPILE, inline="always")
def _dual_row(u, below, px, py, ratio):
    """Equation (11) on one row of one component, in place; forward differences, zero at the last column."""
    last = u.shape[0] - 1
    one = np.float32(1.0)
    for x in range(last):
        dx, dy = u[x + 1] - u[x], below[x] - u[x]
        scale = one / (one + ratio * np.sqrt(dx * dx + dy * dy))
        px[x] = (px[x] + ratio * dx) * scale
        py[x] = (py[x] + ratio * dy) * scale
    dy = below[last] - u[last]
    scale = one / (one + ratio * abs(dy))
    px[last] *= scale
    py[last] = (py[last] + ratio * dy) * scale


@numba.njit(**COMPILE)
def _iterate(u1, u2, p11, p12, p21, p22, gx, gy, constant, inverse, limit, theta, ratio, iterations, enough):
    """Up to `iterations` of (8), (10), (11) in one sweep over the rows each; returns the last sum of squared changes.

    The dual of row y - 1 needs the new u of rows y - 1 and y, and the primal of row y needs the old dual of row
    y - 1: so one pass suffices, with the dual one row behind, and what it touches stays in the cache.
    """
    height, width = u1.shape
    zero, div1, div2 = np.zeros(width, np.float32), np.empty(width, np.float32), np.empty(width, np.float32)
    error = np.float32(math.inf)
    for _ in range(iterations):
        error = np.float32(0.0)
        for y in range(height):
            _divergence_row(p11[y], p12[y], p12[y - 1] if y > 0 else zero, div1)
            _divergence_row(p21[y], p22[y], p22[y - 1] if y > 0 else zero, div2)
            error += _primal_row(u1[y], u2[y], div1, div2, gx[y], gy[y], constant[y], inverse[y], limit, theta)
            if y > 0:
                _dual_row(u1[y - 1], u1[y], p11[y - 1], p12[y - 1], ratio)
                _dual_row(u2[y - 1], u2[y], p21[y - 1], p22[y - 1], ratio)
        _dual_row(u1[height - 1], u1[height - 1], p11[height - 1], p12[height - 1], ratio)
        _dual_row(u2[height - 1], u2[height - 1], p21[height - 1], p22[height - 1], ratio)
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
    while len(levels) < parameters["scales"] and round(min(levels[-1].shape) * step) >= SMALLEST_SIDE:
        levels.append(cv2.resize(levels[-1], None, fx=step, fy=step, interpolation=cv2.INTER_LINEAR))
    return levels


def _solve_scale(previous: np.ndarray, current: np.ndarray, u: np.ndarray, parameters: dict) -> None:
    """Improve u, (2, H, W) float32 pixels, in place, on one scale."""
    height, width = previous.shape
    tau, theta = parameters["tau"], parameters["theta"]
    limit, ratio = np.float32(parameters["lambda_"] * theta), np.float32(tau / theta)
    enough = np.float32(parameters["epsilon"] ** 2 * previous.size)
    columns, rows = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    current_x, current_y = _gradient(current)
    dual = np.zeros((4, height, width), np.float32)
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
            error = _iterate(u[0], u[1], *dual, gx, gy, constant, inverse, limit, np.float32(theta), ratio,
                             parameters["inner"], enough)


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
