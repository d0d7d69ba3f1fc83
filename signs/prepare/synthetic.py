"""Draw a synthetic signer: numbers that describe a person and a movement in, frames of a colour and a depth video out.

    signer = synthetic.draw_signer(np.random.default_rng(1))
    colour, depth = synthetic.draw_clip(signer, Movement((1, 0), "against"), np.random.default_rng(2))

What they are painted with is synthetic_drawing.py. Equal seeds give equal people and equal clips.
"""

import functools
from dataclasses import dataclass, replace

from signs.prepare.synthetic_drawing import (
    HANDS,
    HEIGHT,
    MARGIN,
    WIDTH,
    Head,
    Look,
    Place,
    draw_arm,
    draw_background,
    draw_fabric,
    draw_head,
    draw_torso,
    shade,
)
from signs.prepare.synthetic_movement import smooth

import cv2
import numpy as np

RATE = 10  # frames per second, as ChaLearn IsoGD
SKINS = ((250, 216, 190), (240, 198, 168), (228, 180, 145), (212, 158, 120), (190, 136, 100), (168, 116, 84))
HAIRS = ((38, 30, 28), (70, 46, 32), (112, 74, 44), (166, 128, 78), (150, 148, 146), (120, 52, 34))


@dataclass(frozen=True)
class Manner:
    """How somebody is seen and signs, as factors of what is usual; aside: pixels to the right of the middle."""

    size: float = 1.0
    aside: float = 0.0
    amplitude: float = 1.0
    tempo: float = 1.0
    light: float = 1.0
    noise: float = 1.0


USUAL = Manner()
# Somebody far away and nearly out of the picture, in a dim room, who signs small and slowly.
HARD = Manner(size=0.55, aside=135.0, amplitude=0.7, tempo=0.75, light=0.6, noise=2.0)


@dataclass(frozen=True)
class _Layer:
    """One of the two videos behind the arms, MARGIN larger on every side: the room, and the room with the person."""

    room: np.ndarray
    person: np.ndarray


@dataclass(frozen=True)
class Signer:
    """What stays the same from clip to clip of one person; cover: (H, W, 1) float32, how much of a layer's pixel is the
    person, 0 to 1."""

    colour: _Layer
    depth: _Layer
    cover: np.ndarray
    place: Place
    look: Look
    amplitude: float
    tempo: float
    light: float
    noise: float


@functools.lru_cache(maxsize=64)
def signer_of(seed: int, number: int, manner: Manner = USUAL) -> Signer:
    """Person `number` of a data set's seed; drawn once in a process."""
    return draw_signer(np.random.default_rng([seed, number]), manner)


def draw_signer(rng: np.random.Generator, manner: Manner = USUAL) -> Signer:
    """A person with a place to stand: looks, size and habits drawn at random."""
    skin = shade(SKINS[rng.integers(len(SKINS))], rng.uniform(0.94, 1.05))
    # As in the corpora of sign languages: plain clothes, darker than skin, before a plain wall.
    cloth = tuple(int(c) for c in rng.integers(15, 60, 3))
    stripe = shade(cloth, rng.uniform(1.2, 1.6))
    middle = (WIDTH / 2 + rng.uniform(-12, 12) + manner.aside, 102 + rng.uniform(-8, 8))
    place = Place(middle, rng.uniform(0.95, 1.2) * manner.size)
    room = draw_background(rng)
    deep = np.full(room.shape[:2], int(rng.integers(190, 230)), np.uint8)
    cv2.rectangle(deep, (0, 200), (deep.shape[1], deep.shape[0]), 180, -1)
    fabric, hair = draw_fabric(rng, room.shape, cloth, stripe), HAIRS[rng.integers(len(HAIRS))]
    head = Head(skin, hair, rng.choice([0.0, 0.0, 0.6, 1.0]), rng.uniform(5, 8), rng.uniform(-14, 14))

    def painted(canvas: np.ndarray) -> np.ndarray:
        canvas = canvas.copy()
        draw_torso(canvas, place, fabric)
        draw_head(canvas, place, head)
        return canvas

    colour, depth = _Layer(room, painted(room)), _Layer(deep, deep.copy())
    draw_torso(depth.person, place, np.full_like(deep, 110))
    cv2.ellipse(depth.person, place.box((0, -44), (21, 27)), 105, -1, cv2.LINE_AA)
    # What of a black canvas is as dark as of a white one is the person.
    through = painted(np.full_like(room, 255)).astype(np.float32) - painted(np.zeros_like(room))
    cover = 1 - through.mean(axis=-1, keepdims=True) / 255
    habits = ((0.85, 1.15), (0.84, 1.16), (0.88, 1.1), (1.5, 4.0))
    amplitude, tempo, light, noise = (
        rng.uniform(*habit) * factor
        for habit, factor in zip(habits, (manner.amplitude, manner.tempo, manner.light, manner.noise), strict=True)
    )
    look = Look(skin, cloth, stripe, float(rng.choice([0.0, 0.2, 0.45])), HANDS[rng.integers(len(HANDS))])
    return Signer(colour, depth, cover, place, look, amplitude, tempo, light, noise)


def draw_clip(signer: Signer, movement, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """One clip of one movement -> (T, H, W, 3) uint8 RGB and (T, H, W) uint8 depth, where nearer is darker; `movement`
    is a synthetic_movement.Movement, a synthetic_signs.Sign or a synthetic_pauses.Pause."""
    right, left = movement.wrists(signer.amplitude, signer.tempo, rng)
    if movement.hand is not None:
        fingers = HANDS[movement.hand]
    else:
        fingers = signer.look.fingers if rng.random() < 0.5 else HANDS[rng.integers(len(HANDS))]
    light = signer.light * rng.uniform(0.95, 1.05)
    shake = smooth(rng, len(right), 0.35)
    grain = np.clip(rng.normal(128, signer.noise, (HEIGHT + 64, WIDTH + 64, 3)), 0, 255).astype(np.uint8)
    corners = rng.integers(0, 64, (len(right), 2))
    steps = movement.steps(len(right), rng) * signer.place.scale
    colour = np.empty((len(right), HEIGHT, WIDTH, 3), np.uint8)
    depth = np.empty((len(right), HEIGHT, WIDTH), np.uint8)
    look = replace(signer.look, fingers=fingers)
    flat = replace(look, skin=(60,), cloth=(85,), stripe=None)
    for t, (x, y) in enumerate(corners):
        place = replace(signer.place, origin=tuple((signer.place.origin + shake[t] + steps[t]).tolist()))
        for canvas, layer, paint in ((colour[t], signer.colour, look), (depth[t], signer.depth, flat)):
            _draw_layer(canvas, layer, signer.cover, shake[t], steps[t])
            draw_arm(canvas, place, -1, right[t].tolist(), paint)
            draw_arm(canvas, place, 1, left[t].tolist(), paint)
        cv2.addWeighted(colour[t], light, grain[y : y + HEIGHT, x : x + WIDTH], 1.0, -128, dst=colour[t])
    return colour, depth


def _draw_layer(canvas: np.ndarray, layer: _Layer, cover: np.ndarray, shake: np.ndarray, step: np.ndarray) -> None:
    """Paint the room and the person, who is `step` pixels away from her place, as a camera sees it that shakes."""

    def seen(image: np.ndarray, by: np.ndarray, beyond: int) -> np.ndarray:
        move = np.float32([[1, 0, by[0] - MARGIN], [0, 1, by[1] - MARGIN]])
        return cv2.warpAffine(image, move, (WIDTH, HEIGHT), flags=cv2.INTER_LINEAR, borderMode=beyond)

    if not step.any():
        canvas[:] = seen(layer.person, shake, cv2.BORDER_CONSTANT)
        return
    person = seen(layer.person, shake + step, cv2.BORDER_REPLICATE)
    share = seen(cover, shake + step, cv2.BORDER_CONSTANT)
    share = share[..., None] if canvas.ndim == 3 else share
    room = seen(layer.room, shake, cv2.BORDER_CONSTANT)
    canvas[:] = np.round(room * (1 - share) + person * share).astype(np.uint8)
