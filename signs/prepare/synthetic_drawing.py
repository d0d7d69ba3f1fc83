"""What synthetic signers and their rooms are painted with: a canvas and numbers in, pixels out.

    draw_torso(canvas, place, fabric); draw_head(canvas, place, head)        what of a person stays as it is
    draw_arm(canvas, place, -1, wrist, look)                                 what moves

All coordinates are sub-pixel, so that movement is smooth. A person's own are in the unit of synthetic_movement.py.
"""

import math
from dataclasses import dataclass

from signs.prepare.synthetic_movement import SHOULDER, elbow

import cv2
import numpy as np

WIDTH, HEIGHT = 320, 240  # pixels, as ChaLearn IsoGD
MARGIN = 4  # pixels drawn beyond each border, for the camera's shake
SHIFT = 5  # fractional bits of a coordinate that is handed to OpenCV
# Fingers of a hand shape: (angle from the forearm's direction in degrees, length in pixels); thumb first.
HANDS = (
    ((55, 8), (10, 12), (3, 13), (-4, 12), (-11, 10)),  # flat
    ((65, 9), (28, 12), (10, 13), (-8, 12), (-26, 11)),  # spread
    ((40, 6), (8, 13), (0, 5), (-8, 5), (-16, 4)),  # index
    ((40, 5), (18, 12), (-6, 13), (-10, 5), (-18, 4)),  # two fingers
    ((35, 6), (12, 6), (2, 6), (-8, 6), (-18, 5)),  # fist
)


@dataclass(frozen=True)
class Place:
    """From a person's own pixels to those of the canvas."""

    origin: tuple[float, float]
    scale: float

    def points(self, points) -> np.ndarray:
        """(N, 2) fixed-point canvas coordinates."""
        return np.array([self.point(point) for point in points], np.int32)

    def point(self, point) -> tuple[int, int]:
        """Of one point. Python's own numbers take a tenth of the time that NumPy takes for two."""
        (x, y), (left, top), one = point, self.origin, 1 << SHIFT
        return round((x * self.scale + left) * one), round((y * self.scale + top) * one)

    def length(self, pixels: float) -> int:
        return max(1, round(pixels * self.scale * (1 << SHIFT)))

    def box(self, middle, half):
        """OpenCV's rotated rectangle round an upright ellipse on a canvas that has its MARGIN."""
        x, y = (np.asarray(middle) * self.scale + self.origin + MARGIN).tolist()
        return (x, y), (2 * half[0] * self.scale, 2 * half[1] * self.scale), 0.0


@dataclass(frozen=True)
class Look:
    """How arms are painted; colours are RGB, or a single grey."""

    skin: tuple[int, ...]
    cloth: tuple[int, ...]
    stripe: tuple[int, ...] | None
    sleeve: float
    fingers: tuple


@dataclass(frozen=True)
class Head:
    """long: of the hair, 0 to 1; mouth: half its width; parting: where the fringe ends, from the middle."""

    skin: tuple[int, ...]
    hair: tuple[int, ...]
    long: float
    mouth: float
    parting: float


def shade(colour, factor: float) -> tuple[int, int, int]:
    return tuple(int(min(255, c * factor)) for c in colour)


def _texture(rng: np.random.Generator, shape, cell: int, size: float) -> np.ndarray:
    """(H, W) float32 soft noise: blobs of about `cell` pixels, standard deviation about `size`."""
    coarse = rng.normal(0, size, (shape[0] // cell + 2, shape[1] // cell + 2)).astype(np.float32)
    return cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_CUBIC)


def draw_background(rng: np.random.Generator) -> np.ndarray:
    """A wall with furniture, (H, W, 3) uint8 RGB with MARGIN."""
    height, width = HEIGHT + 2 * MARGIN, WIDTH + 2 * MARGIN
    first = rng.uniform(60, 120) + rng.uniform(-18, 18, 3)
    second = first + rng.uniform(-20, 20)
    across = np.linspace(0, 1, width)[None, :, None] * rng.uniform(-1, 1)
    down = np.linspace(0, 1, height)[:, None, None] * rng.uniform(-1, 1)
    wall = (first + (second - first) * np.clip(0.5 + 0.5 * (across + down), 0, 1)).astype(np.float32)
    for _ in range(rng.integers(1, 4)):
        x, y = int(rng.integers(-20, width)), int(rng.integers(-20, height))
        corner = (x + int(rng.integers(25, 110)), y + int(rng.integers(20, 120)))
        colour = (first + rng.uniform(-35, 30) + rng.uniform(-15, 15, 3)).tolist()
        cv2.rectangle(wall, (x, y), corner, colour, -1)
        cv2.rectangle(wall, (x, y), corner, [c * 0.75 for c in colour], 2)
    wall += (_texture(rng, wall.shape, 7, 4) + _texture(rng, wall.shape, 3, 3))[..., None]
    return cv2.GaussianBlur(np.clip(wall, 0, 255).astype(np.uint8), (0, 0), 0.8)


def draw_fabric(rng: np.random.Generator, shape, cloth, stripe) -> np.ndarray:
    """Soft stripes, checks or a mottle in two colours, (H, W, 3) uint8 RGB."""
    kind, period, turn = rng.integers(3), rng.uniform(9, 18), rng.uniform(-0.4, 0.4)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(np.float32)
    u, v = x * math.cos(turn) + y * math.sin(turn), y * math.cos(turn) - x * math.sin(turn)
    waves = [np.sin(2 * math.pi * v / period), np.sin(2 * math.pi * u / period) * np.sin(2 * math.pi * v / period)]
    mix = 0.5 + 0.4 * (waves[kind] if kind < 2 else _texture(rng, shape, 6, 0.7))
    mix = np.clip(mix, 0, 1)[..., None]
    fabric = np.float32(cloth) * (1 - mix) + np.float32(stripe) * mix
    return np.clip(fabric + _texture(rng, shape, 4, 5)[..., None], 0, 255).astype(np.uint8)


def draw_torso(canvas: np.ndarray, place: Place, fabric: np.ndarray) -> None:
    """Paint the body from neck to the lower border onto a canvas that has its MARGIN."""
    half = [(9, -20), (12, -8), (34, 0), (46, 9), (48, 24), (42, 60), (39, 100), (41, 180), (41, 400)]
    outline = np.array(half + [(-x, y) for x, y in reversed(half)], float)
    mask = np.zeros(canvas.shape[:2], np.uint8)
    cv2.fillPoly(mask, [place.points(outline) + (MARGIN << SHIFT)], 255, cv2.LINE_AA, SHIFT)
    weight = mask.astype(np.float32) / 255
    weight = weight[..., None] if canvas.ndim == 3 else weight
    canvas[:] = np.round(canvas * (1 - weight) + fabric * weight).astype(np.uint8)


def draw_head(canvas: np.ndarray, place: Place, head: Head) -> None:
    """Paint hair, neck and face onto a canvas that has its MARGIN."""
    line, skin, hair, dark = cv2.LINE_AA, head.skin, head.hair, shade(head.skin, 0.72)
    cv2.ellipse(canvas, place.box((0, -54 + 13 * head.long), (22.5, 21 + 14 * head.long)), hair, -1, line)
    neck = place.points([(-11, -30), (11, -30), (10, -5), (0, 4), (-10, -5)]) + (MARGIN << SHIFT)
    cv2.fillPoly(canvas, [neck], shade(skin, 0.86), line, SHIFT)
    for side in (-1, 1):
        cv2.ellipse(canvas, place.box((side * 20, -43), (4, 6)), dark, -1, line)
    cv2.ellipse(canvas, place.box((0, -43), (19.5, 25)), skin, -1, line)
    for side in (-1, 1):
        cv2.ellipse(canvas, place.box((side * 10, -33), (6, 4)), shade(skin, 0.95), -1, line)
        cv2.ellipse(canvas, place.box((side * 7.5, -46), (4, 2.6)), (245, 245, 245), -1, line)
        cv2.ellipse(canvas, place.box((side * 7.5, -46), (2, 2.4)), (40, 30, 25), -1, line)
        cv2.ellipse(canvas, place.box((side * 7.5, -51.5), (5, 1.2)), hair, -1, line)
    cv2.ellipse(canvas, place.box((0, -39), (2.4, 5)), shade(skin, 0.87), -1, line)
    cv2.ellipse(canvas, place.box((0, -29), (head.mouth, 2)), (168, 80, 78), -1, line)
    fringe = [(-20, -50), (-17, -62), (0, -70), (17, -62), (20, -50), (head.parting, -59)]
    cv2.fillPoly(canvas, [place.points(fringe) + (MARGIN << SHIFT)], hair, line, SHIFT)


def draw_arm(canvas: np.ndarray, place: Place, side: int, wrist, look: Look) -> None:
    """Paint one arm and its hand; `side` is -1 for the signer's right arm, on the left of the picture."""
    shoulder = (side * SHOULDER[0], SHOULDER[1])
    joint = elbow(shoulder, wrist, side)
    bare = tuple(joint[i] + (wrist[i] - joint[i]) * look.sleeve for i in (0, 1))
    _draw_limb(canvas, place, (shoulder, 10.5), (joint, 8.5), look.cloth, look.stripe)
    _draw_limb(canvas, place, (joint, 7.5), (wrist, 5.5), look.skin, None)
    if look.sleeve:
        _draw_limb(canvas, place, (joint, 8.5), (bare, 7.8 - 1.4 * look.sleeve), look.cloth, look.stripe)
    _draw_hand(canvas, place, side, joint, wrist, look)


def _draw_limb(canvas: np.ndarray, place: Place, start, end, colour, stripe) -> None:
    """A tapered tube between two (point, half width), dark at its edge, with bands of `stripe` across."""
    (p, wide), (q, narrow) = start, end
    length = math.hypot(q[0] - p[0], q[1] - p[1]) or 1.0
    nx, ny = -(q[1] - p[1]) / length, (q[0] - p[0]) / length

    def across(t, extra):
        half = wide + (narrow - wide) * t + extra
        x, y = p[0] + (q[0] - p[0]) * t, p[1] + (q[1] - p[1]) * t
        return (x + nx * half, y + ny * half), (x - nx * half, y - ny * half)

    for extra, paint in ((1.2, shade(colour, 0.6)), (0.0, colour)):
        (a, b), (c, d) = across(0, extra), across(1, extra)
        for point, half in (start, end):
            cv2.circle(canvas, place.point(point), place.length(half + extra), paint, -1, cv2.LINE_AA, SHIFT)
        cv2.fillPoly(canvas, [place.points([a, b, d, c])], paint, cv2.LINE_AA, SHIFT)
    for band in range(int(length / 11) if stripe else 0):
        (a, b), (c, d) = across((band + 0.5) * 11 / length, -0.5), across((band + 0.95) * 11 / length, -0.5)
        cv2.fillPoly(canvas, [place.points([a, b, d, c])], stripe, cv2.LINE_AA, SHIFT)


def _draw_hand(canvas: np.ndarray, place: Place, side: int, joint, wrist, look: Look) -> None:
    """Palm and five fingers beyond the wrist, pointing on in the forearm's direction."""
    forward = math.atan2(wrist[1] - joint[1], wrist[0] - joint[0])
    palm = (wrist[0] + 8 * math.cos(forward), wrist[1] + 8 * math.sin(forward))
    dark = shade(look.skin, 0.62)
    lines = []
    for number, (angle, length) in enumerate(look.fingers):
        aim = forward - side * math.radians(angle)
        root = forward - side * math.radians(80 if number == 0 else 65 - 28 * number)
        x, y = palm[0] + 7 * math.cos(root), palm[1] + 7 * math.sin(root)
        lines.append([place.point((x, y)), place.point((x + length * math.cos(aim), y + length * math.sin(aim)))])
    thick = max(3, round(5 * place.scale))
    cv2.circle(canvas, place.point(palm), place.length(11.7), dark, -1, cv2.LINE_AA, SHIFT)
    for paint, more in ((dark, 2), (look.skin, 0)):
        for a, b in lines:
            cv2.line(canvas, a, b, paint, thick + more, cv2.LINE_AA, SHIFT)
    cv2.circle(canvas, place.point(palm), place.length(10.5), look.skin, -1, cv2.LINE_AA, SHIFT)
