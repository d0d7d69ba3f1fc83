"""The network of points that trainings start from: pre-trained on 30 signs of German Sign Language.

    python benchmarks/make_start.py --points dgs30.npz --output data_set/dgs
    python train_landmark.py --data data_set/dgs --output model/dgs --weights none --flip --epochs 40

The second command leaves what lies in signs/models/dgs. This one writes the data set: 1,755 clips of hands and a face
point, as MediaPipe found them in videos of volunteers, from the public repository Tachionstrahl/SignLanguageRecognition
(Apache License 2.0). Of a body nothing is known: shoulders stand below the face, as far apart as the palm is long for
most people. Rate, aspect of the picture and which hand is the left one are not told: rate and aspect are drawn for each
clip, and the hand further to the right in the picture is the left one. Every tenth clip is for validation.
"""

import argparse
import math
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, placed, save_dataset
from signs.clips.hands_alone import of_hands
from signs.clips.points import Points, write_points
from signs.landmarks.stream import landmark_spec
from signs.prepare.synthetic import HANDS, RATE
from signs.prepare.synthetic_movement import SHOULDER, elbow
from signs.prepare.synthetic_signs import Sign, draw_signs

SOURCE = "Tachionstrahl/SignLanguageRecognition"
HEIGHT = 480  # pixels that a picture counts as
ASPECTS = (4 / 3, 16 / 9, 3 / 4)
RATES = (12, 30)  # frames a second, least and most
SIGNERS, VALID = 24, 4  # drawn ones, and those of them for validation
# Of a drawn person, in the pixels of synthetic_movement.py: nose, eyes, ears, mouth and hips.
STILL = {0: (0, -43), 2: (7, -46), 5: (-7, -46), 7: (20, -43), 8: (-20, -43), 9: (5, -29), 10: (-5, -29)}
STILL |= {23: (27, 120), 24: (-27, 120)}


def clip_points(rows: np.ndarray, rng: np.random.Generator) -> Points:
    """(T, 128) of one clip: face x, y, then two hands of 21 points x, y, z in shares of the picture -> its points."""
    aspect, rate = rng.choice(ASPECTS), rng.uniform(*RATES)
    size = np.array([aspect, 1, aspect]) * HEIGHT
    face, hands = rows[:, :2] * size[:2], rows[:, 2:].reshape(-1, 2, 21, 3) * size
    return of_hands(face, hands, np.arange(len(rows)) / rate, (HEIGHT, round(aspect * HEIGHT)))


def drawn_points(sign: Sign, amplitude: float, tempo: float, rng: np.random.Generator) -> Points:
    """One clip of a drawn sign, as somebody makes it: how large, how fast."""
    wrists = sign.wrists(amplitude, tempo, rng)  # the right one, on the picture's left, first
    body = np.full((len(wrists[0]), 33, 4), np.nan, np.float32)
    hands = np.zeros((len(body), 2, 21, 4), np.float32)
    for point, place in STILL.items():
        body[:, point, :2] = place
    for left, side in ((0, 1), (1, -1)):
        shoulder = (side * SHOULDER[0], SHOULDER[1])
        elbows = np.array([elbow(shoulder, wrist, side) for wrist in wrists[1 - left]])
        for point, places in ((11, shoulder), (13, elbows), (15, wrists[1 - left])):
            body[:, point + left, :2] = places
        hands[:, left, :, :2] = drawn_hand(elbows, wrists[1 - left], side, HANDS[sign.hand])
    body[..., 2:], hands[..., 3] = (0, 1), 1
    scale = HEIGHT / 240
    body[..., :2], hands[..., :2] = body[..., :2] * scale + HEIGHT / 2, hands[..., :2] * scale + HEIGHT / 2
    return Points(body, hands, np.arange(len(body)) / RATE, (HEIGHT, round(HEIGHT * 4 / 3)))


def drawn_hand(elbows: np.ndarray, wrists: np.ndarray, side: int, fingers: tuple) -> np.ndarray:
    """(T, 2) elbows and wrists -> (T, 21, 2), as synthetic.py draws palm and fingers."""
    forward = np.arctan2(*(wrists - elbows).T[::-1])
    palm = wrists + 8 * along(forward)
    rows = [wrists]
    for number, (angle, length) in enumerate(fingers):
        root = palm + 7 * along(forward - side * math.radians(80 if number == 0 else 65 - 28 * number))
        rows += [root + share * length * along(forward - side * math.radians(angle)) for share in (0, 1 / 3, 2 / 3, 1)]
    return np.stack(rows, axis=1)


def along(angles: np.ndarray) -> np.ndarray:
    """(T,) radians -> (T, 2) of length 1."""
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def dgs_clips(path: Path) -> tuple[list[Clip], list[Points]]:
    """The clips of dgs30.npz, and their points."""
    with np.load(path, allow_pickle=False) as file:
        names, labels, lengths = (file[f"hands_{what}"] for what in ("clip", "label", "frames"))
        clips = np.split(file["hands"].astype(np.float32), np.cumsum(lengths)[:-1])
    rng = np.random.default_rng(0)
    rows = [
        Clip(str(name), "train" if number % 10 else "valid", str(label), "", "", SOURCE, "")
        for number, (name, label) in enumerate(zip(names, labels, strict=True))
    ]
    return rows, [clip_points(clip, rng) for clip in clips]


def drawn_clips(count: int) -> tuple[list[Clip], list[Points]]:
    """One clip of each of `count` drawn signs by each signer, and its points."""
    rng, rows, points = np.random.default_rng(0), [], []
    for signer in range(SIGNERS):
        amplitude, tempo = rng.uniform(0.85, 1.15), rng.uniform(0.84, 1.16)
        for number, sign in enumerate(draw_signs(count)):
            split = "valid" if signer < VALID else "train"
            rows.append(Clip(f"{number}-{signer}", split, sign.name, str(signer), "", "drawn", ""))
            points.append(drawn_points(sign, amplitude, tempo, rng))
    return rows, points


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    source = flags.add_mutually_exclusive_group(required=True)
    source.add_argument("--points", type=Path, help="dgs30.npz: hands, hands_frames, hands_clip, hands_label")
    source.add_argument("--drawn", type=int, metavar="N", help="so many drawn signs instead")
    flags.add_argument("--output", type=Path, required=True, help="the data set, data_set/dgs")
    args = flags.parse_args(argv)
    rows, clips = dgs_clips(args.points) if args.points else drawn_clips(args.drawn)
    stored, labels = landmark_spec(), sorted({row.label for row in rows})
    data = Dataset(args.output, placed(rows), [Label(label, label) for label in labels])
    save_dataset(data)
    for item, points in zip(data.clips, clips, strict=True):
        write_points(item.archive(data.folder, stored.store), points, storage.expected_info(item, stored))
    print(f"{len(clips)} clips -> {data.folder}")
    return command.DONE


if __name__ == "__main__":
    sys.exit(main())
