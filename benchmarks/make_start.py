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
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, placed, save_dataset
from signs.clips.points import Points, write_points
from signs.landmarks.stream import landmark_spec

SOURCE = "Tachionstrahl/SignLanguageRecognition"
HEIGHT = 480  # pixels that a picture counts as
ASPECTS = (4 / 3, 16 / 9, 3 / 4)
RATES = (12, 30)  # frames a second, least and most
PALM = 0.27  # shoulder widths from the wrist to the knuckle of the middle finger
NECK = 0.65  # shoulder widths from the face to between the shoulders
NOSE, LEFT, RIGHT = 0, 11, 12  # of the body's points


def clip_points(rows: np.ndarray, rng: np.random.Generator) -> Points:
    """(T, 128) of one clip: face x, y, then two hands of 21 points x, y, z in shares of the picture -> its points."""
    aspect, rate = rng.choice(ASPECTS), rng.uniform(*RATES)
    size = np.array([aspect, 1, aspect]) * HEIGHT
    face, hands = rows[:, :2] * size[:2], rows[:, 2:].reshape(-1, 2, 21, 3) * size
    if is_crossed(hands[:, :, 0, 0], face[:, 0].mean()):
        hands = hands[:, ::-1]
    width = np.nanmedian(np.linalg.norm(hands[:, :, 9] - hands[:, :, 0], axis=-1)) / PALM
    body = np.full((len(rows), 33, 4), np.nan, np.float32)
    for point, place in ((NOSE, (0, 0)), (LEFT, (width / 2, NECK * width)), (RIGHT, (-width / 2, NECK * width))):
        body[:, point] = np.column_stack([face + place, np.zeros(len(rows)), np.ones(len(rows))])
    seen = np.where(np.isnan(hands[..., :1]), np.nan, 1)
    hands = np.concatenate([hands, seen], axis=-1).astype(np.float32)
    return Points(body, hands, np.arange(len(rows)) / rate, (HEIGHT, round(aspect * HEIGHT)))


def is_crossed(wrists: np.ndarray, middle: float) -> bool:
    """(T, 2) x of both wrists, NaN where not seen: whether the first one is the right hand's, on the picture's left."""
    seen = ~np.isnan(wrists)
    places = [wrists[seen[:, side], side].mean() if seen[:, side].any() else middle for side in (0, 1)]
    return places[0] < places[1]


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument(
        "--points", type=Path, required=True, help="dgs30.npz: hands, hands_frames, hands_clip, hands_label"
    )
    flags.add_argument("--output", type=Path, required=True, help="the data set, data_set/dgs")
    args = flags.parse_args(argv)
    with np.load(args.points, allow_pickle=False) as file:
        names, labels, lengths = (file[f"hands_{what}"] for what in ("clip", "label", "frames"))
        clips = np.split(file["hands"].astype(np.float32), np.cumsum(lengths)[:-1])
    rng, stored = np.random.default_rng(0), landmark_spec()
    rows = [
        Clip(str(name), "train" if number % 10 else "valid", str(label), "", "", SOURCE, "")
        for number, (name, label) in enumerate(zip(names, labels, strict=True))
    ]
    data = Dataset(args.output, placed(rows), [Label(str(label), str(label)) for label in sorted(set(labels))])
    save_dataset(data)
    for item, clip in zip(data.clips, clips, strict=True):
        points = clip_points(clip, rng)
        write_points(item.archive(data.folder, stored.store), points, storage.expected_info(item, stored))
    print(f"{len(clips)} clips -> {data.folder}")
    return command.DONE


if __name__ == "__main__":
    sys.exit(main())
