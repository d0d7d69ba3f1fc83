"""How many visitors this machine serves at a time, measured when the server starts.

    seconds = measure(recogniser)           of one core, for one frame of one visitor
    count, frames = carries(seconds)

Measured is the processor time that a frame costs: decoding, and finding the points of body and hands or, for a model
that sees pictures, keeping frames, their flow and the networks. What else the machine does just now does not count.
"""

import time

from signs.inference.runtime import cores
from signs.landmarks import models
from signs.web import picture

import cv2
import numpy as np

LEAST = 10.0  # frames/s below which a sign's movement is lost
SHARE = 0.85  # of the cores; the rest is the server's and the system's
TIMES = 8  # that each step is timed
SIZE = (480, 640)  # of a page's picture, rows and columns
BODY_INPUT, HAND_INPUT = (1, 256, 256, 3), (1, 224, 224, 3)  # of MediaPipe's networks


def least_seconds(step) -> float:
    """Processor time of a step that works in this thread alone; the least of several, for others disturb the rest."""
    step()
    taken = []
    for _ in range(TIMES):
        began = time.thread_time()
        step()
        taken.append(time.thread_time() - began)
    return min(taken)


def message_of(frame: np.ndarray) -> bytes:
    """(H, W, 3) uint8 RGB -> a frame as the page sends it."""
    return picture.STAMP.pack(0.0) + cv2.imencode(".jpg", frame[..., ::-1])[1].tobytes()


def measure(recogniser) -> float:
    """Seconds of one core for a frame of one visitor, of a loaded recogniser."""
    rng = np.random.default_rng(0)
    frames = [rng.integers(0, 255, (*SIZE, 3), np.uint8) for _ in range(3)]
    message = message_of(cv2.blur(frames[0], (9, 9)))
    seconds = least_seconds(lambda: picture.decode(message))
    stored = recogniser.bundle.spec.stored
    if stored.landmark:
        return seconds + points_seconds(models.networks_here())
    return seconds + sign_seconds(recogniser, [cv2.blur(frame, (9, 9)) for frame in frames])


def points_seconds(networks: models.Networks) -> float:
    """Of a person who is followed: one look at the body, one at each hand."""
    body, hand = np.zeros(BODY_INPUT, np.float32), np.zeros(HAND_INPUT, np.float32)
    steps = ((networks.body, body, 1), (networks.recrop, body, 2), (networks.hand, hand, 2))
    return sum(times * least_seconds(lambda run=run, given=given: run(given)) for run, given, times in steps)


def sign_seconds(recogniser, frames: list[np.ndarray], length: float = 2.0) -> float:
    """Of each frame of a sign that is recorded and answered, by all threads."""
    count, session = int(length * LEAST), recogniser.session(length)
    began = time.process_time()
    for number in range(count):
        session.push(frames[number % len(frames)], number / LEAST)
    session.result()
    return (time.process_time() - began) / count


def carries(seconds: float, most: int | None = None) -> tuple[int, float]:
    """(visitors at a time, at least one; frames a second in all) of a machine that takes so long for a frame."""
    frames = SHARE * cores() / seconds
    return max(1, min(int(frames / LEAST), most or int(frames / LEAST))), frames
