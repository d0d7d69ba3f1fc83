"""Clips to look at, most of them wrong: a loop of what the model saw, where it looked, the nearest training clip.

gallery/<clip>-landmark.webp    the skeleton over the stored pictures, where there are any, and alone; warm are the
                                points that speak for the answer
gallery/<clip>-rgb.webp         of a model that sees no points: stored pictures; beside them what the network saw, warm
                                where it speaks for the answer
gallery/<clip>-flow.webp        the stored pictures, and beside them the flow likewise, where a network sees flow
gallery/<clip>-nearest.webp     the training clip that the networks find most alike

However many networks a model has, a clip has one loop, and one of the flow. Clips of people who do not allow loops have
none.
"""

from pathlib import Path

from signs import command
from signs.clips import dataset, preprocess, storage
from signs.clips.dataset import Clip, Dataset
from signs.clips.modality import PICTURES, TABLE, read_stored, shown_store
from signs.clips.points import Points
from signs.clips.spec import HANDS, InputSpec
from signs.command import Problem
from signs.evaluation import gradcam, joints
from signs.evaluation.shown_clips import RIGHT, describe_clip, idle_labels, pick_clips
from signs.flow.stream import flow_to_colour
from signs.inference import runtime, stored_clips
from signs.inference.bundle import Stream
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser

import cv2
import numpy as np

SIDE = 192  # pixels, height of a loop
DURATION = 2400  # milliseconds a loop takes, whatever its number of pictures
NEIGHBOURS = 500  # training clips, at most, among which the nearest is looked for
NEAREST_PICTURES = 16  # of the nearest clip's loop
WARMTH = 0.55  # of the heat over a picture, at most
STILL = 0.15  # of the flow of the whole clip, below which a loop does not begin: such a field is white


def enlarged(picture: np.ndarray) -> np.ndarray:
    """The picture with SIDE rows, its shape kept; smaller where it has more."""
    width = round(picture.shape[1] * SIDE / picture.shape[0])
    return cv2.resize(picture, (width, SIDE), interpolation=cv2.INTER_AREA if len(picture) > SIDE else cv2.INTER_LINEAR)


def seen_of(picture: np.ndarray, spec: InputSpec) -> np.ndarray:
    """What a network sees of a picture of `preprocess.cut_out`: its middle, and of hands that of each."""
    halves = np.split(picture, 2) if spec.region == HANDS else [picture]
    corners = ((size - spec.crop) // 2 for size in halves[0].shape[:2])
    rows, columns = (slice(first, first + spec.crop) for first in corners)
    return np.vstack([half[rows, columns] for half in halves])


def warmed(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """(H, W, 3) uint8 RGB and (H, W) in [0, 1] -> the picture with a warm veil where the heat is."""
    colour = cv2.cvtColor(cv2.applyColorMap(np.uint8(255 * heat), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB)
    share = WARMTH * heat[..., None]
    return np.uint8(picture * (1 - share) + colour * share)


def colours(images: np.ndarray, modality: str, bound: float) -> list[np.ndarray]:
    """Stored pictures (T, H, W, C) uint8 -> (H, W, 3) uint8 RGB each: of grey and depth the first channel, flow as hue
    and saturation with one scale for the whole clip."""
    if modality == "rgb":
        return list(images)
    if modality != "flow":
        return list(np.repeat(images[..., :1], 3, axis=-1))
    flow = preprocess.restore_flow(images, bound)
    longest = max(1.0, float(np.percentile(np.hypot(flow[..., 0], flow[..., 1]), 99.5)))
    return [flow_to_colour(field, longest) for field in flow]


def from_movement(flow: np.ndarray) -> int:
    """(T, H, W, 2) pixels -> the index from which a loop of it goes, in the first half: the first field is zero, and
    white, as are those in which nobody moves yet."""
    lengths = np.array([np.percentile(np.hypot(field[..., 0], field[..., 1]), 99.5) for field in flow])
    moving = np.flatnonzero(lengths > STILL * lengths.max())
    return min(int(moving[0]) if len(moving) else 0, len(flow) // 2)


def shown_streams(streams: list[Stream]) -> list[Stream]:
    """One stream to show a clip by, on points if there is one, else on pictures; then one on flow, if there is one."""
    pictures = [stream for stream in streams if TABLE[stream.modality].kind == "frame"]
    points = [stream for stream in streams if stream.modality not in PICTURES]
    flow = [stream for stream in streams if TABLE[stream.modality].kind == "flow"]
    return [*(points or pictures)[:1], *flow[:1]]


class Gallery:
    """Writes the loops of one model to `folder`."""

    def __init__(self, recogniser: Recogniser, data: Dataset, folder: Path):
        self.recogniser, self.data, self.folder = recogniser, data, folder
        self.streams = shown_streams(recogniser.bundle.streams)
        self.parts = {
            stream.name: gradcam.cut(recogniser.models[stream.name], runtime.network_module(stream).MAPS)
            for stream in self.streams
            if stream.modality in PICTURES
        }

    def write_points_loop(self, stream: Stream, item: Clip, answer: int) -> tuple[str, str]:
        """Skeletons, warm where they speak for the answer; returns the file's name, and which points these are."""
        spec = self.recogniser.bundle.spec_of(stream)
        points, _ = read_stored(stream.modality, self.data, item, spec.stored, spec.input.region)
        values = self.recogniser.input(stream, points, {})[0]
        said = joints.shares(self.recogniser.models[stream.name], values, answer)
        moments = np.linspace(points.times[0], points.times[-1], len(values))
        shown = np.linspace(0, len(values) - 1, min(len(values), joints.PICTURES)).round().astype(int)
        loop = self._skeletons(item, points, moments[shown], joints.warmth(said)[shown])
        return self._write(f"{item.stem}-{stream.name}.webp", loop), joints.in_words(said, moments)

    def _skeletons(self, item: Clip, points: Points, moments: np.ndarray, heat=None) -> list[np.ndarray]:
        """Pictures of a clip's points at (T,) seconds, as `joints.loop` draws them."""
        frames = joints.stored_frames(self.data, self.recogniser.bundle.spec.stored, item, moments)
        return joints.loop(joints.at_moments(points, moments), frames, SIDE, heat)

    def write_stream_loop(self, stream: Stream, item: Clip, answer: int) -> str:
        """Stored pictures beside what the network saw, with the heat of its answer; returns the file's name."""
        spec = self.recogniser.bundle.spec_of(stream)
        images, squares = read_stored(stream.modality, self.data, item, spec.stored, spec.input.region)
        cut, _ = preprocess.cut_out(images, spec.input, squares)
        view = spec.input.pick_views(len(cut))[0]
        batch = self.recogniser.input(stream, images, squares)[:1]
        heat = gradcam.heat(self.parts[stream.name], batch, np.array([answer]))[0]
        bound, begin, frames = 0.0, 0, None
        if TABLE[stream.modality].kind == "flow":
            bound, frames = spec.stored.flow.bound, self._frames(item, len(images))
            begin = from_movement(preprocess.restore_flow(images[view], bound))
        whole = colours(images[view], stream.modality, bound) if frames is None else frames[view]
        pictures, loop = zip(whole, colours(cut[view], stream.modality, bound), heat, strict=True), []
        for full, square, warmth in list(pictures)[begin:]:
            square = enlarged(seen_of(square, spec.input))
            loop.append(np.hstack([enlarged(full), warmed(square, cv2.resize(warmth, square.shape[1::-1]))]))
        return self._write(f"{item.stem}-{stream.name}.webp", loop)

    def write_clip_loop(self, item: Clip, name: str) -> str:
        """A training clip as the first stream that is shown has it; returns the file's name."""
        stored, modality = self.recogniser.bundle.spec.stored, self.streams[0].modality
        images, _ = read_stored(modality, self.data, item, stored, "middle")
        if isinstance(images, Points):
            moments = np.linspace(images.times[0], images.times[-1], NEAREST_PICTURES)
            return self._write(name, self._skeletons(item, images, moments))
        if TABLE[modality].kind == "flow" and (frames := self._frames(item, len(images))) is not None:
            images, modality = frames, "rgb"
        elif TABLE[modality].kind == "flow":
            images = images[from_movement(preprocess.restore_flow(images, stored.flow.bound)) :]
        images = colours(images, modality, stored.flow.bound if stored.flow else 0.0)
        shown = np.linspace(0, len(images) - 1, min(len(images), NEAREST_PICTURES)).round().astype(int)
        return self._write(name, [enlarged(images[index]) for index in shown])

    def _frames(self, item: Clip, count: int) -> np.ndarray | None:
        """The stored frames of the flow's moments, (count, H, W, 3) uint8 RGB; None where they are not there."""
        store = shown_store(self.data, self.recogniser.bundle.spec.stored)
        try:
            images = storage.read_archive(item.archive(self.data.folder, store)).images if store else ()
        except Problem:
            return None
        return images if len(images) == count else None

    def _write(self, name: str, pictures: list[np.ndarray]) -> str:
        """(H, W, 3) uint8 RGB each -> an animated WebP that goes round."""
        path, animation = self.folder / name, cv2.Animation()
        animation.frames = [cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) for picture in pictures]
        animation.durations = np.full(len(pictures), max(20, DURATION // len(pictures)), np.int32)
        done, coded = cv2.imencodeanimation(".webp", animation, [cv2.IMWRITE_WEBP_QUALITY, 70])
        if not done:
            raise Problem(f"{path}: this OpenCV writes no animated WebP; install what requirements.txt says")
        with command.atomic(path) as temporary:
            temporary.write_bytes(coded.tobytes())
        return f"{self.folder.name}/{name}"

    def write_clip(self, predictions: Predictions, index: int, nearest: dict[str, tuple]) -> dict:
        """Everything that the page says of one clip, its loops written where they may be shown."""
        item = predictions.clips[index]
        # As sure as predict.py says: the page has no other number for it.
        row = describe_clip(predictions, index, self.recogniser.calibration, idle_labels(self.recogniser.classes))
        answer = predictions.labels.index(row["answer"])
        for stream in self.streams if item.may_be_shown else ():
            if stream.modality in PICTURES:
                row["loops"][stream.name] = self.write_stream_loop(stream, item, answer)
            else:
                row["loops"][stream.name], row["looked"][stream.name] = self.write_points_loop(stream, item, answer)
        if item.clip in nearest:
            other, alike = nearest[item.clip]
            loop = self.write_clip_loop(other, f"{item.stem}-nearest.webp") if other.may_be_shown else None
            about = {"clip": other.clip, "signer": other.signer, "label": other.label}
            row["nearest"] = {**about, "alike": alike, "loop": loop}
        return row


def find_nearest(recogniser: Recogniser, data: Dataset, items: list[Clip], most: int, workers: int) -> dict[str, tuple]:
    """{clip: (the training clip most alike, mean cosine of the streams' features)}; out of at most `most`."""
    train = [item for item in data.split("train", labelled=True) if item.label in recogniser.labels]
    known = dataset.spread(train, most)
    if not known or not items:
        return {}
    kept, rows = stored_clips.features(recogniser, data, [*items, *known], stored_clips.BATCH, workers)
    shown = [index for index, item in enumerate(kept) if item in items]
    training = [index for index, item in enumerate(kept) if item not in items]
    if not training:
        return {}
    alike = rows[shown] @ rows[training].T / len(recogniser.bundle.streams)
    best = zip(shown, alike.argmax(axis=1), alike.max(axis=1), strict=True)
    return {kept[index].clip: (kept[training[nearest]], float(cosine)) for index, nearest, cosine in best}


def remove_loops(output: Path) -> None:
    """Delete the loops of an earlier evaluation."""
    for path in (output / "gallery").glob("*.webp"):
        path.unlink()


def write_gallery(
    recogniser: Recogniser, data: Dataset, predictions: Predictions, output: Path, most: int, workers: int
) -> list[dict]:
    """Write the loops of the `most` surest wrong answers, and of a few right ones, to `output`/gallery; returns for
    each of them what the page says."""
    chosen = pick_clips(predictions, predictions.fused, most, RIGHT, recogniser.calibration)
    gallery, items = Gallery(recogniser, data, output / "gallery"), [predictions.clips[index] for index in chosen]
    nearest = find_nearest(recogniser, data, items, NEIGHBOURS, workers)
    with command.progress() as bar:
        return [gallery.write_clip(predictions, index, nearest) for index in bar.track(chosen, description="gallery")]
