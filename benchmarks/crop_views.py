"""What bench_crops.py shows its networks of a clip: crops of the person or of both hands, placed by the points.

looker = Looker(data, item)
views_of(looker, Way("hands", "histogram", "rgb"), seed=0)      a list of views, each a list of (T, H, W, C) crops
"""

from dataclasses import dataclass

from signs.clips import preprocess
from signs.clips.dataset import Clip, Dataset
from signs.clips.hand_track import between
from signs.clips.points import Points, read_points
from signs.clips.spec import InputSpec
from signs.clips.storage import read_archive
from signs.clips.video import read_video
from signs.landmarks.hand import square_round
from signs.landmarks.square import Square

import numpy as np

HISTOGRAM = InputSpec(20, 54, 48, still="subtract", scale="own")
I3D = InputSpec(40, 224, 224)
VIEWS = 6  # of a training clip, for histograms: as it is, and jittered
LARGER = 1.3  # than the square of a hand's landmarks: fingers that move stay inside
HAND = 0.6  # shoulder widths, the square of a hand that was seen nowhere in the clip
NECK = 1.2  # shoulder widths for the way from between the shoulders to the nose
PERSON, LOWER = 4.0, 0.4  # shoulder widths: the person's square, and how far its middle is below the shoulders
LEFT, RIGHT = 11, 12  # shoulders among the body's points
WRIST, MIDDLE = (15, 16), (19, 20)  # and where hands are
STORE = "40x240"


@dataclass(frozen=True)
class Way:
    """A way to look: `crop` as above, `network` "histogram" or "i3d", of "rgb" or "flow"."""

    crop: str
    network: str
    stream: str

    @property
    def name(self) -> str:
        return f"{self.stream} {self.network} {self.crop}"

    @property
    def of_hands(self) -> bool:
        return self.crop in ("hands", "upright")


CROPS = ("signer", "body", "person", "hands", "upright")
WAYS = (
    *(Way(crop, "histogram", stream) for crop in CROPS for stream in ("rgb", "flow")),
    *(Way(crop, "i3d", "rgb") for crop in ("signer", "person", "hands", "upright")),
)


def shoulders(points: Points) -> tuple[np.ndarray, float] | None:
    """The middle between the shoulders, (2,) pixels, and how wide they are, medians over a clip."""
    both = points.body[:, [LEFT, RIGHT], :2]
    if np.isnan(both).all():
        return None
    widths = np.linalg.norm(both[:, 0] - both[:, 1], axis=1)
    return np.nanmedian(both.mean(axis=1), axis=0), float(np.nanmedian(widths))


def person_square(points: Points) -> Square | None:
    """The square round the person, still over a clip, in pixels of the video."""
    found = shoulders(points)
    if found is None:
        return None
    (x, y), width = found
    # Seen from the side shoulders are narrow; the way to the nose does not shrink.
    necks = points.body[:, 0, :2] - points.body[:, [LEFT, RIGHT], :2].mean(axis=1)
    width = max(width, NECK * float(np.nanmedian(np.linalg.norm(necks, axis=1))))
    return Square(float(x), float(y + LOWER * width), PERSON * width)


def hand_squares(points: Points, side: int, at: np.ndarray, upright: bool) -> list[Square] | None:
    """The square of a hand at each of `at` seconds; where it is not seen it goes on from the last to the next one."""
    rows = np.full((len(points.times), 5), np.nan)
    for row, hand in zip(rows, points.hands[:, side, :, :2], strict=True):
        if not np.isnan(hand).any():
            found = square_round(hand)
            row[:] = found.x, found.y, found.size, np.cos(found.angle), np.sin(found.angle)
    placed = between(points.times, rows, at)
    if placed is None:
        found = shoulders(points)
        wrists = points.body[:, [WRIST[side], MIDDLE[side]], :2].mean(axis=1)
        placed = between(points.times, wrists, at)
        if placed is None or found is None:
            return None
        return [Square(x, y, HAND * found[1]) for x, y in placed]
    size = LARGER * float(np.nanmedian(rows[:, 2]))
    angles = np.arctan2(placed[:, 4], placed[:, 3]) if upright else np.zeros(len(at))
    return [Square(x, y, size, angle) for (x, y), angle in zip(placed[:, :2], angles, strict=True)]


def jittered(square: Square, drawn: np.ndarray | None) -> Square:
    """A square moved, scaled and turned a little: (4,) numbers of a normal distribution."""
    if drawn is None:
        return square
    x, y = np.array([square.x, square.y]) + 0.05 * square.size * drawn[:2]
    return Square(float(x), float(y), square.size * float(np.exp(0.1 * drawn[2])), square.angle + 0.09 * drawn[3])


def turned(flow: np.ndarray, angle: float) -> np.ndarray:
    """(H, W, 2) flow of a square that is turned by `angle` -> the same along the square's own axes."""
    if not angle:
        return flow
    cosine, sine = np.float32(np.cos(angle)), np.float32(np.sin(angle))
    return np.stack([cosine * flow[..., 0] + sine * flow[..., 1], cosine * flow[..., 1] - sine * flow[..., 0]], axis=-1)


class Looker:
    """What the networks see of a clip."""

    def __init__(self, data: Dataset, item: Clip):
        self.item = item
        archive = read_archive(item.archive(data.folder, f"frame-{STORE}"))
        self.squares, self.images, self.folder = archive.squares, archive.images, data.folder
        self.times = np.array(archive.info["times"], float)
        self.points = read_points(item.archive(data.folder, "landmark-30fps"))
        self.scale = min(self.images.shape[1:3]) / min(self.points.size)  # from the video's pixels to the store's
        self.flow = self.full = None

    def pictures(self, way: Way) -> tuple[np.ndarray, float, float | None]:
        """What is cut from, its pixels for one of the video's, and the bound of coded flow."""
        if way.stream == "flow":
            if self.flow is None:
                archive = read_archive(self.item.archive(self.folder, f"flow-{STORE}-tvl1-fast"))
                self.flow = archive.images, archive.info["stored"]["flow"]["bound"]
            return self.flow[0], self.scale, self.flow[1]
        if not way.of_hands:
            return self.images, self.scale, None
        if self.full is None:
            frames, times = read_video(self.item.video(self.folder))
            self.full = frames[[int(np.abs(times - second).argmin()) for second in self.times]]
        return self.full, 1.0, None

    def tracks(self, way: Way) -> list[list[Square] | None]:
        """The squares of each crop, one a frame, in the video's pixels."""
        if way.of_hands:
            return [hand_squares(self.points, side, self.times, way.crop == "upright") for side in (0, 1)]
        if way.crop == "person":
            square = person_square(self.points)
        else:
            stored = self.squares.get(way.crop)
            square = stored and Square(*(value / self.scale for value in stored))
        if square is None:  # nobody was found: the middle of the picture
            height, width = self.points.size
            square = Square(width / 2, height / 2, float(min(height, width)))
        return [[square] * len(self.times)]

    def see(
        self, way: Way, spec: InputSpec, drawn: np.ndarray | None = None, part=(0.0, 1.0), mirror: bool = False
    ) -> list[np.ndarray | None]:
        """(T, crop, crop, C) float32 of each crop of a view; None where there is none."""
        images, scale, bound = self.pictures(way)
        kept, seen = spec.pick(len(images), *part), []
        for number, squares in enumerate(self.tracks(way)):
            if squares is None:
                seen.append(None)
                continue
            # From the video's pixels to those that are cut from.
            placed = [jittered(squares[place], drawn) for place in kept]
            placed = [Square(one.x * scale, one.y * scale, one.size * scale, one.angle) for one in placed]
            mirrored = mirror != (way.of_hands and number == 0)
            seen.append(cut_along(images[kept], placed, spec, bound, mirrored))
        return seen


def cut_along(images: np.ndarray, squares: list[Square], spec: InputSpec, bound, mirrored: bool) -> np.ndarray:
    """(T, H, W, C) uint8 and a square for each -> (T, crop, crop, C) float32, scaled by `preprocess.network_input`."""
    cuts = []
    for square, image in zip(squares, images, strict=True):
        if bound is None:
            cut = square.cut(image, spec.crop)
        else:
            flow = turned(square.cut(np.float32(image) - 128, spec.crop), square.angle)
            cut = np.uint8(np.clip(np.rint(flow + 128), 0, 255))
        if mirrored:
            cut = cut[:, ::-1]
            cut = cut if bound is None else np.stack([255 - cut[..., 0], cut[..., 1]], axis=-1)
        cuts.append(cut)
    magnified = preprocess.FLOW_SIDE / float(np.median([square.size for square in squares]))
    straight = InputSpec(len(cuts), spec.crop, spec.crop, still=spec.still, scale=spec.scale)
    return preprocess.network_input(np.stack(cuts), straight, bound, magnified=magnified)


def views_of(looker: Looker, way: Way, seed: int) -> list[list[np.ndarray | None]]:
    """The views of a clip: as it is, then jittered in place, size, turn and time; of the whole person every other one
    in a mirror."""
    if way.network == "i3d":
        return [looker.see(way, I3D)]
    rng = np.random.default_rng(seed)
    views = [looker.see(way, HISTOGRAM)]
    for number in range(1, VIEWS):
        first = rng.uniform(0, 0.2)
        mirror = number % 2 == 1 and not way.of_hands
        views.append(looker.see(way, HISTOGRAM, rng.standard_normal(4), (first, first + 0.8), mirror))
    return views
