"""The TV-L1 solver: known motions, the equations in plain NumPy, and pictures of every kind and size."""

from concurrent.futures import ThreadPoolExecutor

from signs.flow import tvl1
from signs.flow.pyramid import build_pyramid
from signs.flow.stream import FLOW_METHODS, FlowStream
from signs.flow.stream import tvl1 as flow_between

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tiny

HEIGHT, WIDTH, ROOM = 96, 128, 40
COLUMNS, ROWS = np.meshgrid(np.arange(WIDTH, dtype=np.float32), np.arange(HEIGHT, dtype=np.float32))
INTERIOR = np.s_[12:-12, 12:-12]


def constant(x: float, y: float) -> np.ndarray:
    return np.dstack([np.full_like(COLUMNS, x), np.full_like(ROWS, y)])


def about_the_middle(matrix: np.ndarray) -> np.ndarray:
    """The field of x -> matrix x, the middle of the picture staying where it is."""
    position = np.dstack([COLUMNS - (WIDTH - 1) / 2, ROWS - (HEIGHT - 1) / 2])
    return (position @ matrix.T - position).astype(np.float32)


def rotation(degrees: float) -> np.ndarray:
    angle = np.deg2rad(degrees)
    return about_the_middle(np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]))


def pair(flow: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two uint8 pictures whose motion is `flow`: previous(x) = current(x + flow(x)), true also at the border."""
    room = tiny.texture(HEIGHT + 2 * ROOM, WIDTH + 2 * ROOM)
    previous = cv2.remap(room, COLUMNS + ROOM + flow[..., 0], ROWS + ROOM + flow[..., 1], cv2.INTER_CUBIC)
    current = room[ROOM:-ROOM, ROOM:-ROOM]
    return tuple(np.clip(np.rint(image), 0, 255).astype(np.uint8) for image in (previous, current))


MOTIONS = {
    "half a pixel": constant(0.5, -0.3),
    "two pixels": constant(2.25, 1.5),
    "eight pixels": constant(8, -3),
    "turn by 2 degrees": rotation(2),
    "turn by -5 degrees": rotation(-5),
    "nearer": about_the_middle(1.03 * np.eye(2)),
    "farther": about_the_middle(0.95 * np.eye(2)),
}
# Mean end-point error in px: two to three times what was measured, so that a worse solver is noticed.
LIMIT = {"tvl1-fast": 0.05, "tvl1-quality": 0.06, "dis": 0.2, "farneback": 0.35}


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("method", LIMIT)
def test_known_motion(method, name):
    stream = FlowStream(method)
    previous, current = pair(MOTIONS[name])
    assert stream.push(previous) is None
    flow = stream.push(current)
    assert flow.shape == (HEIGHT, WIDTH, 2) and flow.dtype == np.float32
    error = np.linalg.norm(flow - MOTIONS[name], axis=2)[INTERIOR]
    # OpenCV's own settings leave a patch of a few pixels wrong in a corner of the longest motion: hence the 95 %.
    assert np.percentile(error, 95) < 2 * LIMIT[method]
    assert error.mean() < LIMIT[method] + 0.15 * (method == "tvl1-quality" and name == "eight pixels")


def test_something_that_moves_before_a_still_room():
    room, thing = tiny.texture(HEIGHT, WIDTH), tiny.texture(30, 40, seed=9)
    pictures = []
    for left, top in ((40, 30), (43, 28)):
        picture = room.copy()
        picture[top : top + 30, left : left + 40] = thing
        pictures.append(picture.astype(np.uint8))
    flow = flow_between(*pictures)
    assert np.abs(flow[34:54, 46:74] - (3, -2)).max() < 0.2
    away = np.ones((HEIGHT, WIDTH), bool)
    away[16:72, 28:96] = False
    assert np.quantile(np.abs(flow[away]), 0.9) < 0.1


@pytest.mark.parametrize("preset", ["fast", "quality"])
def test_nothing_moves(preset):
    picture = pair(constant(0, 0))[1]
    assert np.abs(flow_between(picture, picture, preset)).max() < 1e-3


@pytest.mark.parametrize(("one", "two"), [(0, 0), (255, 255), (0, 255), (None, 0), (255, None)])
def test_blank_and_saturated_pictures(one, two):
    texture = pair(constant(0, 0))[1]
    pictures = [texture if shade is None else np.full_like(texture, shade) for shade in (one, two)]
    flow = flow_between(*pictures)
    assert np.isfinite(flow).all() and np.abs(flow).max() < max(HEIGHT, WIDTH)
    if one is not None and two is not None:
        assert np.all(flow == 0), "nothing says that anything moved"


def test_black_and_white_edges():
    board = (np.indices((HEIGHT, WIDTH)).sum(axis=0) // 9 % 2 * 255).astype(np.uint8)
    flow = flow_between(board, np.roll(board, 1, axis=1), "quality")
    assert np.isfinite(flow).all() and np.abs(flow).max() < 20


@pytest.mark.parametrize(("height", "width"), [(16, 16), (17, 33), (33, 17), (8, 100), (3, 3), (1, 40), (61, 47)])
@pytest.mark.parametrize("preset", ["fast", "quality"])
def test_any_size(height, width, preset):
    room = tiny.texture(height + 2, width + 2).astype(np.uint8)
    flow = flow_between(room[1:-1, 1:-1], room[1:-1, :-2], preset)  # the content moves 1 px to the right
    assert flow.shape == (height, width, 2) and flow.dtype == np.float32 and np.isfinite(flow).all()
    if min(height, width) >= 16:
        assert np.median(np.abs(flow[2:-2, 2:-2] - (1, 0))) < 0.1


def total_variation(u: np.ndarray) -> float:
    right = np.diff(u, axis=1, append=u[:, -1:])
    down = np.diff(u, axis=0, append=u[-1:])
    return float(np.sqrt(right**2 + down**2).sum())


def energy(previous: np.ndarray, current: np.ndarray, flow: np.ndarray) -> float:
    """E(u) with the true brightness difference, not the linear one."""
    warped = cv2.remap(
        current.astype(np.float32),
        COLUMNS + flow[..., 0],
        ROWS + flow[..., 1],
        cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )
    data = np.abs(warped - previous).sum()
    return total_variation(flow[..., 0]) + total_variation(flow[..., 1]) + tvl1.QUALITY["lambda_"] * float(data)


@pytest.mark.parametrize("name", MOTIONS)
@pytest.mark.parametrize("preset", ["fast", "quality"])
def test_energy_falls(name, preset):
    previous, current = pair(MOTIONS[name])
    before = energy(previous, current, np.zeros((HEIGHT, WIDTH, 2), np.float32))
    after = energy(previous, current, flow_between(previous, current, preset))
    assert after < 0.35 * before


def in_numpy(previous: np.ndarray, current: np.ndarray, parameters: dict, u: np.ndarray) -> np.ndarray:
    """Equations (5), (8), (10), (11) on whole pictures in double precision: one scale, one warp, from zero flow."""
    first, second = previous.astype(float), current.astype(float)
    around = np.pad(second, 1, "edge")
    gx, gy = (around[1:-1, 2:] - around[1:-1, :-2]) / 2, (around[2:, 1:-1] - around[:-2, 1:-1]) / 2
    square = gx**2 + gy**2
    limit, ratio = parameters["lambda_"] * parameters["theta"], parameters["tau"] / parameters["theta"]
    p = np.zeros((2, 2, *first.shape))  # of component, along axis x or y
    for _ in range(parameters["inner"]):
        rho = second + gx * u[0] + gy * u[1] - first
        step = np.clip(-rho / np.where(square > tvl1.FLAT, square, np.inf), -limit, limit)
        v = u + step * np.stack([gx, gy])
        # The divergence is minus the adjoint of the forward difference: backward, zero outside.
        divergence = np.diff(p[:, 0], axis=2, prepend=0) + np.diff(p[:, 1], axis=1, prepend=0)
        u = v + parameters["theta"] * divergence
        grad = np.stack([np.diff(u, axis=2, append=u[:, :, -1:]), np.diff(u, axis=1, append=u[:, -1:])], axis=1)
        p = (p + ratio * grad) / (1 + ratio * np.sqrt((grad**2).sum(axis=1, keepdims=True)))
    return np.moveaxis(u, 0, -1)


@pytest.mark.parametrize(("height", "width"), [(24, 32), (19, 21)])
@pytest.mark.parametrize("iterations", [1, 2, 7, 40])
def test_the_equations_in_numpy(height, width, iterations):
    room = tiny.texture(height + 2, width + 2, seed=4)
    previous = room[1:-1, 1:-1].round().astype(np.uint8)
    current = cv2.GaussianBlur(room, (0, 0), 0.5)[2:, :-2].round().astype(np.uint8)
    previous[5:9, 5:9] = current[5:9, 5:9] = 77  # a flat place, without a data term
    parameters = {**tvl1.QUALITY, "scales": 1, "warps": 1, "median": 1, "outer": 1, "inner": iterations, "epsilon": 0}
    wanted = in_numpy(previous, current, parameters, np.zeros((2, height, width)))
    found = flow_between(previous, current, parameters)
    assert np.abs(found - wanted).max() < 1e-3 and np.abs(wanted).max() > 0.02


def step_by_step(previous: np.ndarray, current: np.ndarray, parameters: dict) -> np.ndarray:
    """The whole method as OpenCV does it, one NumPy or OpenCV call a step: pyramid, warps, filter, the rule to stop."""
    pyramid = [[level.image for level in build_pyramid(image, parameters)] for image in (previous, current)]
    limit, ratio = parameters["lambda_"] * parameters["theta"], parameters["tau"] / parameters["theta"]
    u = np.zeros((2, *pyramid[0][-1].shape), np.float32)
    for first, second in reversed(list(zip(*pyramid, strict=True))):
        grown = [cv2.resize(component, first.shape[::-1]) for component in u]
        u = np.stack(grown) * np.float32(1 if u.shape[1:] == first.shape else 1 / parameters["scale_step"])
        around = np.pad(second, 1, "edge")
        gradients = (around[1:-1, 2:] - around[1:-1, :-2]) / 2, (around[2:, 1:-1] - around[:-2, 1:-1]) / 2
        rows, columns = np.indices(first.shape).astype(np.float32)
        p = np.zeros((2, 2, *first.shape), np.float32)
        for _ in range(parameters["warps"]):
            place = columns + u[0], rows + u[1]
            warped, *g = (cv2.remap(image, *place, cv2.INTER_CUBIC) for image in (second, *gradients))
            constant, g = warped - g[0] * u[0] - g[1] * u[1] - first, np.stack(g)
            square = (g**2).sum(axis=0)
            error = np.inf
            for _ in range(parameters["outer"]):
                if error <= parameters["epsilon"] ** 2:
                    break
                u = np.stack([cv2.medianBlur(component, parameters["median"]) for component in u])
                for _ in range(parameters["inner"]):
                    rho = constant + (g * u).sum(axis=0)
                    step = np.clip(-rho / np.where(square > tvl1.FLAT, square, np.inf), -limit, limit)
                    divergence = np.diff(p[:, 0], axis=2, prepend=0) + np.diff(p[:, 1], axis=1, prepend=0)
                    change = step * g + parameters["theta"] * divergence
                    u = (u + change).astype(np.float32)
                    grad = np.stack([np.diff(u, axis=2, append=u[:, :, -1:]), np.diff(u, axis=1, append=u[:, -1:])], 1)
                    p = (p + ratio * grad) / (1 + ratio * np.sqrt((grad**2).sum(axis=1, keepdims=True)))
                    error = (change**2).sum(axis=0).mean()
                    if error <= parameters["epsilon"] ** 2:
                        break
    return np.moveaxis(u, 0, -1)


@pytest.mark.parametrize("median", [5, 3])
@pytest.mark.parametrize("preset", [tvl1.FAST, tvl1.QUALITY], ids=["fast", "quality"])
@pytest.mark.parametrize("name", ["half a pixel", "two pixels", "turn by 2 degrees", "farther"])
def test_the_whole_method_step_by_step(name, preset, median):
    """Iterations done in blocks stop where those done one by one do; places are not rounded to 1/32 px as OpenCV's."""
    previous, current = pair(MOTIONS[name])
    parameters = {**preset, "median": median}
    distance = np.linalg.norm(
        flow_between(previous, current, parameters) - step_by_step(previous, current, parameters), axis=2
    )
    # Where the change is at epsilon to the last bits, one of the two does an iteration more: hence not 0.
    assert distance.mean() < 0.012 and np.median(distance) < 0.006


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["noise", "black and white"]),
    st.sampled_from(["fast", "quality"]),
)
def test_no_nan_whatever_the_pictures(height, width, seed, kind, preset):
    rng = np.random.default_rng(seed)
    pictures = rng.integers(0, 256, (2, height, width), np.uint8)
    if kind == "black and white":
        pictures = np.where(pictures < rng.integers(0, 256), 0, 255).astype(np.uint8)
    flow = flow_between(*pictures, preset)
    assert flow.shape == (height, width, 2) and np.isfinite(flow).all()


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (1080, 1920), (1081, 1913)])
def test_large_pictures(height, width):
    room = tiny.texture(height + 2, width + 5).astype(np.uint8)
    flow = flow_between(room[1:-1, 5:], room[1:-1, :-5])
    assert np.median(np.abs(flow - (5, 0))) < 0.05 and np.isfinite(flow).all()


def test_threads_share_nothing():
    """Numba lets go of the interpreter; each thread has its own solver."""
    previous, current = pair(MOTIONS["turn by 2 degrees"])
    alone = flow_between(previous, current)
    with ThreadPoolExecutor(4) as pool:
        fields = list(pool.map(lambda _: flow_between(previous, current), range(16)))
    assert all(np.array_equal(field, alone) for field in fields)


def test_inner_and_outer_iterations_go_on_from_each_other():
    previous, current = pair(MOTIONS["two pixels"])
    once = {**tvl1.QUALITY, "scales": 1, "warps": 1, "median": 1, "epsilon": 0}
    in_one = flow_between(previous, current, {**once, "outer": 1, "inner": 60})
    in_three = flow_between(previous, current, {**once, "outer": 3, "inner": 20})
    assert np.array_equal(in_one, in_three)


def test_a_larger_epsilon_stops_earlier_and_a_larger_lambda_follows_the_data():
    previous, current = pair(MOTIONS["turn by -5 degrees"])
    flow = {epsilon: flow_between(previous, current, {**tvl1.FAST, "epsilon": epsilon}) for epsilon in (0.0, 0.02, 9.0)}
    error = {
        key: np.linalg.norm(value - MOTIONS["turn by -5 degrees"], axis=2)[INTERIOR].mean()
        for key, value in flow.items()
    }
    assert error[0.02] < 0.05 and error[9.0] > 3 * error[0.02]
    smooth = {
        weight: total_variation(flow_between(previous, current, {**tvl1.FAST, "lambda_": weight})[..., 0])
        for weight in (0.002, 0.15)
    }
    assert smooth[0.002] < 0.7 * smooth[0.15]


def test_pyramid():
    picture = np.zeros((100, 160), np.uint8)
    shapes = [level.image.shape for level in build_pyramid(picture, tvl1.FAST)]
    assert shapes == [(100, 160), (50, 80), (25, 40)], "the next one would be under 16 px"
    assert len(build_pyramid(picture, tvl1.QUALITY)) == 5
    sides = {
        size: [len(level.image) for level in build_pyramid(picture[:size], tvl1.QUALITY)] for size in (15, 16, 20, 31)
    }
    assert sides == {15: [15], 16: [16], 20: [20, 16], 31: [31, 25, 20, 16]}
    assert all(level.image.dtype == np.float32 for level in build_pyramid(picture, tvl1.FAST))


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        (np.zeros((20, 20), np.float32), np.zeros((20, 20), np.float32), "uint8"),
        (np.zeros((20, 20, 3), np.uint8), np.zeros((20, 20, 3), np.uint8), r"\(H, W\)"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 21), np.uint8), r"different sizes: \(20, 20\) and \(20, 21\)"),
        (np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.int16), "int16"),
    ],
)
def test_what_is_no_pair_of_pictures(one, two, said):
    with pytest.raises(ValueError, match=said):
        flow_between(one, two)


TWICE = """
import hashlib, sys, numpy as np, tiny
from signs.flow import tvl1
from signs.flow.stream import compile_solver, tvl1 as flow_between
compile_solver(), compile_solver()
room = tiny.texture(120, 160)
one, two = (room[y : y + 90, x : x + 130].round().astype(np.uint8) for x, y in ((0, 0), (5, 3)))
digest = hashlib.sha256(flow_between(one, two).tobytes())
digest.update(flow_between(one, two, "quality").tobytes())
print(digest.hexdigest(), sum(tvl1._iterate.stats.cache_misses.values()), sum(tvl1._iterate.stats.cache_hits.values()))
"""


def test_code_just_compiled_and_code_from_the_cache_round_alike(tmp_path):
    """A run that was stopped and resumed loads from the cache what the unbroken run compiled: bytes must be equal. The
    first says what it waits for."""
    path = f"{tiny.REPOSITORY}:{tiny.REPOSITORY / 'tests'}"
    first, second = (tiny.python("-c", TWICE, PYTHONPATH=path, NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert first.returncode == second.returncode == 0, first.stderr + second.stderr
    (one, *compiled), (two, *loaded) = first.stdout.split(), second.stdout.split()
    assert compiled == ["1", "0"] and loaded == ["0", "1"], "the first compiled, the second loaded"
    assert one == two
    said = [run.stderr.count("compiling the TV-L1 solver for this machine") for run in (first, second)]
    assert said == [1, 0], first.stderr + second.stderr


def test_presets():
    assert FLOW_METHODS["tvl1-fast"] == tvl1.FAST and FLOW_METHODS["tvl1-quality"] == tvl1.QUALITY
    # OpenCV's DualTVL1OpticalFlow::create().
    assert tvl1.QUALITY == {
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
