"""What is stored of a clip and what a network sees of it; reading and writing clip archives.

In memory frames are `(T, H, W, 3) uint8 RGB` and flow is `(T, H, W, 2) float32`, pixels, x then y. On disc a clip is an
uncompressed zip of JPEG pictures, `img_00001.jpg ...` or `flow_x_00001.jpg, flow_y_00001.jpg ...`, with a `clip.json`
beside them; flow is coded in 8 bits as TSN, denseflow and MMAction2 do. A plain folder of such pictures is a clip too.

`ClipSpec` has two halves. `stored` says what the archives hold: it names the store and decides whether a clip is done.
`input` says what of it goes into a network: it lives in the model bundle alone.
"""

import errno
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from command import Problem, atomic

import cv2
import numpy as np

import dataset
import region

FORMAT = 2
EQUAL = 1e-6  # seconds; moments closer than this are one
ZIP_DATE = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can hold: equal input gives equal bytes
FLOW_INPUT_LIMIT = 20.0  # pixels; I3D's flow stream saw flow clipped at +-20 px and divided by 20 (Carreira 2017)
OWN_SCALE = 0.3  # root mean square that a clip is brought to; RGB without its average picture has about as much at most
STILLEST = 0.01  # a clip below this root mean square counts as still: its noise is not blown up to a movement
LARGEST = 3.0  # values beyond it are cut off after that
FLOW_SIDE = 240.0  # pixels that the square round a signer counts as wide when its flow is seen
# What zipfile raises, one or another, where a bit of a header is wrong.
DAMAGED = (zipfile.BadZipFile, EOFError, RuntimeError, ValueError, KeyError, zlib.error)
RULE = re.compile(r"all|[1-9]\d*(fps)?")


@dataclass(frozen=True)
class FlowSpec:
    """How flow was computed and coded; `bound` in pixels, the value that 0 and 255 stand for."""

    method: str
    parameters: dict = field(default_factory=dict)
    bound: float = 20.0
    flow_from: str = "frames"  # from kept frame to kept frame; or "video": from the video's frame before each kept one
    quality: int = 95

    @property
    def name(self) -> str:
        extra = f"-b{self.bound:g}" * (self.bound != 20) + "-video" * (self.flow_from == "video")
        return self.method + extra + f"-q{self.quality}" * (self.quality != 95)


@dataclass(frozen=True)
class StoredSpec:
    """Which frames of a video are kept and how.

    frames: "40" (that many, evenly spread in time), "all", or "10fps" (a fixed rate); short_side in pixels; part: which
    video of the clip, of dataset.PARTS.
    """

    frames: str = "40"
    short_side: int = 240
    quality: int = 95
    flow: FlowSpec | None = None
    part: str = "video"

    def __post_init__(self):
        if not RULE.fullmatch(self.frames):
            raise Problem(f"frames {self.frames!r}; expected a number (40), a rate (10fps) or all")
        if self.part not in dataset.PARTS:
            raise Problem(f"part {self.part!r}; expected {', '.join(dataset.PARTS)}")

    @property
    def frame_store(self) -> str:
        """Folder name of the frames: `frame-40x240`, `frame-40x240-depth`."""
        quality, part = f"-q{self.quality}" * (self.quality != 95), f"-{self.part}" * (self.part != "video")
        return f"frame-{self.frames}x{self.short_side}{quality}{part}"

    @property
    def flow_store(self) -> str:
        """Folder name of the flow: `flow-40x240-tvl1-fast`."""
        return f"{self.frame_store.replace('frame', 'flow', 1)}-{self.flow.name}"

    def without_flow(self) -> "StoredSpec":
        return replace(self, flow=None)

    def points(self, first: float, last: float) -> np.ndarray:
        """The even grid in time from `first` to `last` seconds at which frames are kept; not for `all`."""
        if self.frames.endswith("fps"):
            rate = int(self.frames.removesuffix("fps"))
            return first + np.arange(int((last - first) * rate + 1e-6) + 1) / rate
        return np.linspace(first, last, int(self.frames))

    @staticmethod
    def nearest(times: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(T,) seconds that rise, (P,) seconds -> (P,) indices of the nearest frames."""
        if len(times) == 1:
            return np.zeros(len(points), int)
        after = np.clip(np.searchsorted(times, points), 1, len(times) - 1)
        # A point half-way between two frames takes the earlier one, whatever the rounding of its time.
        return np.where(points - times[after - 1] <= times[after] - points + EQUAL, after - 1, after)

    def keep(self, times: np.ndarray, length: float | None = None) -> np.ndarray:
        """(T,) seconds -> indices of the kept frames, nearest in time to an even grid; a short clip repeats frames.

        Args:
            length: seconds that the grid spans, where that is not from the first frame to the last.
        """
        if self.frames == "all":
            return np.arange(len(times))
        return self.nearest(times, self.points(times[0], times[-1] if length is None else times[0] + length))

    def resize(self, frame: np.ndarray) -> np.ndarray:
        """(H, W, 3) -> the same with its short side at `short_side`, aspect kept."""
        return resize_short_side(frame, self.short_side)


@dataclass(frozen=True)
class InputSpec:
    """What a network sees of a stored clip: `frames` of it, evenly; resized so that the short side is `short_side`
    pixels; the square of `crop` pixels in the middle; 8 bits scaled to [-1, 1].

    still: "keep", or "subtract": the clip's average picture is taken away from RGB, so that only what moves is left.
    A network from a random start learns from few clips then, where rooms and clothes would drown the movement; the
    published weights want "keep".
    views: how many times a clip is looked at when it is predicted, at frames in between; the logits are averaged.
    region: "middle", or "signer": the square round what moves (region.signer_square) takes the crop's place, so that a
    far signer is seen as large as a near one; flow grows with it.
    scale: "fixed", or "own": each clip is divided by its own root mean square. How much moves, and how fast, differs
    tenfold between clips; a network from a random start learns little from those with small values then. The published
    weights want "fixed".
    sampling: "even"; or "run": so many stored frames one after the other, out of the clip's middle, a clip that has
    fewer being played back and forth until there are enough; each view is another run then. Or "whole": every stored
    frame, however many there are.
    """

    frames: int = 40
    short_side: int = 240
    crop: int = 224
    still: str = "keep"
    views: int = 1
    region: str = "middle"
    scale: str = "fixed"
    sampling: str = "even"

    def __post_init__(self):
        if self.sampling not in ("even", "run", "whole"):
            raise Problem(f"sampling {self.sampling!r}; expected even, run or whole")
        if self.frames < 1 or self.crop < 1:
            raise Problem(f"{self.frames} frames of {self.crop} px; at least 1 of each")
        if self.views < 1 or (self.views > 1 and self.sampling == "whole"):
            raise Problem(f"{self.views} views of a clip; at least 1, and of a whole clip not more")
        if self.still not in ("keep", "subtract"):
            raise Problem(f"still {self.still!r}; expected keep or subtract")
        if self.region not in ("middle", "signer"):
            raise Problem(f"region {self.region!r}; expected middle or signer")
        if self.scale not in ("fixed", "own"):
            raise Problem(f"scale {self.scale!r}; expected fixed or own")
        if self.crop > self.short_side:
            raise Problem(f"a crop of {self.crop} px out of a short side of {self.short_side} px; make it smaller")

    def pick(self, count: int, first: float = 0.0, last: float = 1.0) -> np.ndarray:
        """Indices of the frames that the network sees, out of `count` stored ones; evenly from `first` to `last`.

        Args:
            first, last: shares of the clip's length (augmentation: a part of the clip, at another speed).
        """
        if self.sampling == "whole":
            return np.arange(round(first * (count - 1)), round(last * (count - 1)) + 1)
        if self.sampling == "run":
            return self.run(count, max(count - self.frames, 0) // 2)
        return np.round(np.linspace(first * (count - 1), last * (count - 1), self.frames)).astype(int)

    def run(self, count: int, start: int) -> np.ndarray:
        """Indices of `frames` frames in order from `start` on; after the last of `count` it goes back, and on again."""
        if count == 1:
            return np.zeros(self.frames, int)
        steps = (start + np.arange(self.frames)) % (2 * count - 2)
        return np.minimum(steps, 2 * count - 2 - steps)

    def pick_views(self, count: int) -> list[np.ndarray]:
        """For each view the indices of its frames: together they are spread evenly over the clip.

        They repeat each other where the clip has not `frames * views` pictures.
        """
        if self.sampling == "whole":
            return [np.arange(count)]
        if self.sampling == "run":
            room = max(count - self.frames, 0)
            starts = np.linspace(0, room, self.views) if self.views > 1 else [room // 2]
            return [self.run(count, int(start)) for start in starts]
        every = replace(self, frames=self.frames * self.views).pick(count)
        return [every[view :: self.views] for view in range(self.views)]


@dataclass(frozen=True)
class ClipSpec:
    stored: StoredSpec
    input: InputSpec

    def to_json(self) -> dict:
        return asdict(self)

    @classmethod
    def from_json(cls, spec: dict) -> "ClipSpec":
        return cls(stored_from_json(spec["stored"]), InputSpec(**spec["input"]))

    @property
    def sees_all(self) -> bool:
        """Whether every stored picture of a clip is seen, and so its average picture is that of what is seen."""
        return self.input.sampling == "whole" or str(self.input.frames) == self.stored.frames


def stored_from_json(spec: dict) -> StoredSpec:
    """The spec of a clip.json or of a bundle; raises Problem where another version wrote it."""
    flow = spec.get("flow")
    try:
        return StoredSpec(**{**spec, "flow": FlowSpec(**flow) if flow else None})
    except TypeError as error:
        said = str(error).split(") ")[-1]
        raise Problem(f"written by another version ({said}); run frame.py and opticalflow.py again") from None


def resize_short_side(image: np.ndarray, short_side: int) -> np.ndarray:
    """(H, W, C) uint8 -> the same picture with min(H, W) == short_side."""
    height, width = image.shape[:2]
    scale = short_side / min(height, width)
    if scale == 1:
        return image
    size = (round(width * scale), short_side) if width >= height else (short_side, round(height * scale))
    resized = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    return resized.reshape(*size[::-1], *image.shape[2:])  # OpenCV leaves a single channel out


def resize_all(images: np.ndarray, short_side: int) -> np.ndarray:
    """(T, H, W, C) uint8 -> the same pictures with min(H, W) == short_side; they themselves where it is so already."""
    if min(images.shape[1:3]) == short_side:
        return images
    return np.stack([resize_short_side(image, short_side) for image in images])


def cut_out(images: np.ndarray, spec: InputSpec, square: list[float] | None) -> tuple[np.ndarray, float]:
    """Stored pictures -> those of which `network_input` sees the middle, and how much larger they show the signer.

    Args:
        images: (T, H, W, C) uint8.
        square: [x, y, side] of `region.signer_square`, pixels of the stored pictures; None where nothing moves.
    Returns:
        (T, h, w, C) uint8 with min(h, w) == spec.short_side, and the factor by which their flow is to be multiplied:
        as if the square had been FLOW_SIDE pixels wide, whatever the store's size and the signer's distance.
    """
    if spec.region == "middle" or square is None:
        return resize_all(images, spec.short_side), 1.0
    x, y, side = square
    side *= spec.short_side / spec.crop  # the square is what the network sees; round it is room for shifts
    return region.cut(images, [x, y, side], spec.short_side), FLOW_SIDE / side


def quantise_flow(flow: np.ndarray, bound: float) -> np.ndarray:
    """Pixels, float32 -> uint8, `round((u + bound) * 255 / (2 * bound))`, clipped: the coding of TSN and denseflow."""
    row = np.ascontiguousarray(flow, np.float32).reshape(1, -1)
    # OpenCV rounds and clips; eight times as quick as NumPy.
    return cv2.addWeighted(row, 255 / (2 * bound), row, 0, 127.5, dtype=cv2.CV_8U).reshape(flow.shape)


def restore_flow(coded: np.ndarray, bound: float) -> np.ndarray:
    """uint8 -> pixels, float32: the inverse of `quantise_flow` to half a step, bound / 255 pixels."""
    return coded.astype(np.float32) * np.float32(2 * bound / 255) - np.float32(bound)


def network_input(
    images: np.ndarray, spec: InputSpec, bound: float | None = None, shift=(0, 0), brightness=1.0, zoom: float = 1.0,
    magnified: float = 1.0, out: np.ndarray | None = None,
) -> np.ndarray:  # fmt: skip
    """Stored 8-bit pictures -> what a network sees: the one path of training, evaluation and prediction.

    Args:
        images: (T, H, W, C) uint8, of `cut_out`, the frames that `spec.pick` chose; RGB, grey, depth, or flow coded
            with `bound`.
        bound: pixels that the flow was coded with; None for what is no flow.
        shift: (x, y) pixels by which the crop moves; over the edge the border pixel is repeated (augmentation).
        brightness: factor on the values, one or one a channel; not of flow (augmentation).
        zoom: how much larger the picture is seen, to the nearest pixel; flow grows with it (augmentation).
        magnified: how much larger than stored the pictures show the signer; flow grows with it.
        out: where the result goes, a place in a batch; a new array without it.
    Returns:
        (T, crop, crop, C) float32 in [-1, 1]; within +-2 around 0 where the average picture is subtracted; within +-3
        where the scale is the clip's own.
    """
    images = resize_all(images, spec.short_side)
    height, width = images.shape[1:3]
    middle = (spec.crop - 1) / 2
    steps = np.rint((np.arange(spec.crop) - middle) / zoom + middle).astype(int)
    rows = np.clip(steps + (height - spec.crop) // 2 + shift[1], 0, height - 1)
    columns = np.clip(steps + (width - spec.crop) // 2 + shift[0], 0, width - 1)
    if bound is None:
        factor, offset = np.float32(np.multiply(brightness, 2 / 255)), np.float32(1)
    else:
        longer = zoom * magnified
        factor = np.float32(longer * 2 * bound / 255 / FLOW_INPUT_LIMIT)
        offset = np.float32(longer * bound / FLOW_INPUT_LIMIT)
        if spec.scale == "own":
            offset = 128 * factor  # the code of no movement is half a step from 0, and would not stay small
    scaled = _scale(images, rows, columns, factor, offset, out)
    if bound is None and spec.still == "subtract":
        scaled -= scaled.mean(axis=0)
    if spec.scale == "own":
        values = scaled.reshape(-1)
        scaled *= np.float32(OWN_SCALE / max(float(np.sqrt(np.dot(values, values) / len(values))), STILLEST))
        np.clip(scaled, -LARGEST, LARGEST, out=scaled)
    return scaled


def _scale(images: np.ndarray, rows: np.ndarray, columns: np.ndarray, factor, offset, out) -> np.ndarray:
    """(T, H, W, C) uint8 -> (T, rows, columns, C) float32: `factor * value - offset`, clipped to [-1, 1].

    Picture by picture, so that it stays in the processor's cache, and by a table of the 256 values: a third of the
    time of one index over both axes and arithmetic over the whole clip, and equal to it bit for bit.
    """
    channels = images.shape[-1]
    table = np.clip(np.arange(256, dtype=np.float32)[:, None] * factor - offset, -1, 1)
    table = np.ascontiguousarray(np.broadcast_to(table, (256, channels)))[None]
    straight = np.all(np.diff(columns) == 1)  # neither zoomed nor over the edge: a view does
    scaled = np.empty((len(images), len(rows), len(columns), channels), np.float32) if out is None else out
    for image, seen in zip(images, scaled, strict=True):
        image = image[rows]
        image = image[:, columns[0] : columns[-1] + 1] if straight else image.take(columns, axis=1)
        cv2.LUT(image, table, seen)
    return scaled


@dataclass(frozen=True)
class Archive:
    """A clip as stored: `images` (T, H, W, 3) uint8 RGB or (T, H, W, 2) uint8 coded flow, and its clip.json."""

    images: np.ndarray
    info: dict

    @property
    def flow(self) -> np.ndarray:
        """(T, H, W, 2) float32 pixels."""
        return restore_flow(self.images, self.info["stored"]["flow"]["bound"])

    @property
    def square(self) -> list[float] | None:
        """Where the signer moves, `region.signer_square`; None where nothing moves, and in a folder of pictures."""
        return self.info.get("square")


def encode(images: np.ndarray, quality: int) -> dict[str, bytes]:
    """(T, H, W, 3) RGB or (T, H, W, 2) coded flow, uint8 -> {name: JPEG bytes} in the archive's order."""
    members, options = {}, [cv2.IMWRITE_JPEG_QUALITY, quality]
    for number, image in enumerate(images, 1):
        if image.shape[-1] == 3:
            pictures = {f"img_{number:05d}.jpg": cv2.cvtColor(image, cv2.COLOR_RGB2BGR)}
        else:
            pictures = {f"flow_{axis}_{number:05d}.jpg": np.ascontiguousarray(image[..., i])
                        for i, axis in enumerate("xy")}
        for name, picture in pictures.items():
            members[name] = cv2.imencode(".jpg", picture, options)[1].tobytes()
    return members


def decode(members: list[bytes], planes: int) -> np.ndarray:
    """JPEG bytes in order -> (T, H, W, 3) RGB (planes 1) or (T, H, W, 2) coded flow (planes 2), uint8."""
    if planes == 2:
        grey = [_decode(member, cv2.IMREAD_GRAYSCALE) for member in members]
        return np.stack([np.stack(grey[0::2]), np.stack(grey[1::2])], axis=-1)
    return np.stack([_decode(member, cv2.IMREAD_COLOR_RGB) for member in members])


def _decode(member: bytes, mode: int) -> np.ndarray:
    image = cv2.imdecode(np.frombuffer(member, np.uint8), mode) if member else None
    if image is None:
        raise Problem("a picture in it cannot be decoded")
    return image


def as_stored(images: np.ndarray, quality: int) -> np.ndarray:
    """What `images` are after the archive: the same 8-bit values that training saw, loss of JPEG included."""
    return decode(list(encode(images, quality).values()), 2 if images.shape[-1] == 2 else 1)


def write_archive(path: Path, images: np.ndarray, info: dict) -> None:
    """Write a clip archive, whole or not at all; equal arguments give equal bytes.

    Args:
        images: (T, H, W, 3) uint8 RGB, or (T, H, W, 2) uint8 coded flow.
        info: goes into clip.json; info["stored"] is the StoredSpec as a dict.
    """
    stored = info["stored"]
    quality = stored["quality"] if images.shape[-1] == 3 else stored["flow"]["quality"]
    members = {"clip.json": (json.dumps(info, indent=1, sort_keys=True) + "\n").encode(), **encode(images, quality)}
    content = io.BytesIO()  # one write of a finished file; a clip is a megabyte or two
    with zipfile.ZipFile(content, "w", zipfile.ZIP_STORED) as archive:
        for name, member in members.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_DATE), member)
    with atomic(Path(path)) as temporary:
        temporary.write_bytes(content.getbuffer())


def read_archive(path: Path, pick: Callable[[int], np.ndarray] | None = None) -> Archive:
    """Read a clip archive, or a plain folder of pictures; raises Problem where it is missing or damaged.

    Args:
        pick: number of stored pictures -> indices of those to read; all of them without it.
    """
    path = Path(path)
    if path.is_dir():
        names = {file.name: file for file in path.iterdir()}
        return _read(path, names, lambda name: names[name].read_bytes(), pick)
    try:
        with zipfile.ZipFile(path) as archive:
            return _read(path, set(archive.namelist()), archive.read, pick)
    except FileNotFoundError:
        raise Problem(f"{path}: no such clip; run frame.py (and opticalflow.py) first") from None
    except (*DAMAGED, OSError) as error:
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise
        raise Problem(f"{path}: cut short or damaged; delete it and run the step that wrote it again") from None


def _read(path: Path, names, read: Callable[[str], bytes], pick) -> Archive:
    pictures = sorted(name for name in names if name.lower().endswith((".jpg", ".jpeg", ".png")))
    flow_x = [name for name in pictures if name.startswith("flow_x_")]
    if not pictures:
        raise Problem(f"{path}: no picture in it; expected img_00001.jpg ... or flow_x_00001.jpg ...")
    frames = [(name, name.replace("flow_x_", "flow_y_")) for name in flow_x] or [(name,) for name in pictures]
    info = json.loads(read("clip.json")) if "clip.json" in names else {}
    if len(frames) != len(info.get("times", frames)):
        there = f"{len(frames)} of {len(info['times'])} pictures"
        raise Problem(f"{path}: {there}; delete it and run the step that wrote it again")
    chosen = frames if pick is None else [frames[index] for index in pick(len(frames))]
    missing = [name for frame in chosen for name in frame if name not in names]
    if missing:
        raise Problem(f"{path}: {missing[0]} is missing; delete it and run the step that wrote it again")
    cache = {name: read(name) for frame in dict.fromkeys(chosen) for name in frame}
    try:
        images = decode([cache[name] for frame in chosen for name in frame], len(chosen[0]))
    except Problem as problem:
        raise Problem(f"{path}: {problem}; delete it and run the step that wrote it again") from None
    return Archive(images, info)


def read_info(path: Path) -> dict | None:
    """clip.json of an archive that is whole by its directory, or None where there is none such."""
    try:
        with zipfile.ZipFile(path) as archive:
            return json.loads(archive.read("clip.json"))
    except (*DAMAGED, OSError):
        return None


def find_stored(data: dataset.Dataset, kind: str, name: str | None = None, part: str = "video") -> StoredSpec:
    """The StoredSpec of a store of `kind` (`frame` or `flow`) in a data set, read from one of its clips.

    Args:
        name: `40x240`, with or without `frame-` in front and the part behind; may be left out where there is only one
            store of the part.
        part: of dataset.PARTS; one that stands in the name (`40x240-depth`) wins.
    """
    named = dataset.part_of(name or "")
    part = part if named == "video" else named
    step = "frame.py" if kind == "frame" else "opticalflow.py"
    stores = data.stores(kind, part)
    if name:
        whole = f"{kind}-{name.removeprefix(f'{kind}-')}"
        stores = [store for store in stores if store in (whole, f"{whole}-{part}")]
    if not stores:
        wanted = f" {name}" if name else f" of {part}" * (part != "video")
        step += f" --part {part}" * (part != "video" and kind == "frame")
        raise Problem(f"{data.folder}: no {kind} store{wanted}; run {step} --data {data.folder}")
    if len(stores) > 1:
        raise Problem(f"{data.folder}: several stores, {', '.join(stores)}; choose one with --store")
    for archive in (data.folder / stores[0]).rglob("[!.]*.zip"):
        info = read_info(archive)
        if info:
            return stored_from_json(info["stored"])
    raise Problem(f"{data.folder / stores[0]}: no whole clip in it; run {step} --data {data.folder} again")
