"""What a stream may see of a clip: from which stores, and how their pictures become a network's channels.

    modality.TABLE["grey-depth"].stores(stored)                ["frame-40x240", "frame-40x240-depth"]
    modality.read_stored("grey-depth", data, item, stored)     (T, H, W, 2) uint8, and where the signer moves

Training, evaluation, files and the live demo get their channels from `Modality.pictures`. `upper` and `hand` are the
input of Mullick & Namboodiri (ICIP 2017): grey and depth of the upper body and of the higher hand. Another modality is
another line of the table.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from signs.clips import posture, storage
from signs.clips.dataset import STEPS, Clip, Dataset
from signs.clips.hand_track import hand_squares
from signs.clips.points import Points, read_points
from signs.clips.spec import HANDS, StoredSpec
from signs.command import Problem

import cv2
import numpy as np


@dataclass(frozen=True)
class Modality:
    """channels: of a network's input; title, colour: for people, in tables and plots; parts: the videos of a clip that
    it sees (dataset.PARTS), each in grey but where there are three channels; kind: of store, `frame`, `flow` or
    `landmark`, whose channels are the values of a moment."""

    channels: int
    title: str
    colour: str
    parts: tuple[str, ...] = ("video",)
    kind: str = "frame"

    @property
    def of_camera(self) -> bool:
        """Whether a camera, or a video file, has all that it sees."""
        return self.parts == ("video",)

    def stores(self, stored: StoredSpec) -> list[str]:
        """Folder names of the stores that it reads, one a part; `stored` is of the colour video."""
        if self.kind == "flow":
            return [stored.flow_store]
        if self.kind == "landmark":
            return [stored.landmark.store]
        return [replace(stored, flow=None, part=part).frame_store for part in self.parts]

    def bound(self, stored: StoredSpec) -> float | None:
        """Pixels that the flow was coded with; None where it is no flow."""
        return stored.flow.bound if self.kind == "flow" else None

    def pictures(self, stored: list[np.ndarray]) -> np.ndarray:
        """What the archives of its parts hold, (T, H, W, 3 or 2) uint8 each -> (T, H, W, channels) uint8."""
        if self.kind == "flow" or self.channels == 3:
            return stored[0]
        grey = [np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images]) for images in stored]
        return np.stack(grey, axis=-1)

    def brightness(self, drawn: np.ndarray) -> np.ndarray:
        """(3,) factors on red, green and blue -> (channels,); depth is a length, and no light changes it."""
        if self.channels == 3:
            return drawn
        return np.array([1.0 if "depth" in part else drawn.mean() for part in self.parts])


TABLE = {
    "rgb": Modality(3, "RGB", "#c2571a"),
    "flow": Modality(2, "optical flow", "#1a6fc2", kind="flow"),
    "grey": Modality(1, "grey", "#777777"),
    "depth": Modality(1, "depth", "#7b4fa3", ("depth",)),
    "grey-depth": Modality(2, "grey and depth", "#4fa38c", ("video", "depth")),
    "upper": Modality(2, "upper body", "#b58900", ("upper", "upper_depth")),
    "hand": Modality(2, "hand", "#a33d6e", ("hand", "hand_depth")),
    "landmark": Modality(posture.VALUES, "body and hands", "#2e8b57", kind="landmark"),
}
PICTURES = tuple(name for name, modality in TABLE.items() if modality.kind != "landmark")
BOTH = ("rgb", "flow")  # what `--stream both` names


def expand_streams(streams: str | list[str]) -> list[str]:
    """The modalities that `--stream` names, each once."""
    streams = [streams] if isinstance(streams, str) else streams
    return list(dict.fromkeys(stream for name in streams for stream in (BOTH if name == "both" else (name,))))


def check_stores(data: Dataset, streams: list[str], stored: StoredSpec, region: str) -> None:
    """Raise Problem where the data set lacks a store that one of the modalities reads, or has no such region."""
    for stream in streams:
        modality = TABLE[stream]
        if region == HANDS and modality.kind != "landmark" and not modality.of_camera:
            raise Problem(f"--region hands --stream {stream}: hands are known in the colour video and its flow alone")
        for part, store in zip(modality.parts, modality.stores(stored), strict=True):
            if not (data.folder / store).is_dir():
                step = f"{STEPS[modality.kind]} --data {data.folder}" + f" --part {part}" * (part != "video")
                raise Problem(f"{data.folder}: no {store}, which {stream} is read from; run {step}")


def shown_store(data: Dataset, stored: StoredSpec) -> str | None:
    """The store of frames to show a clip by: that of the spec, or, of a model of points alone, which needs none, any
    that there is; None where there is none."""
    stores = data.stores("frame")
    return stored.frame_store if stored.frame_store in stores else next(iter(stores), None)


def archives_of(stream: str, data: Dataset, item: Clip, stored: StoredSpec) -> list[Path]:
    """Where a clip's archives lie that a modality is read from."""
    return [item.archive(data.folder, store) for store in TABLE[stream].stores(stored)]


def read_stored(
    stream: str,
    data: Dataset,
    item: Clip,
    stored: StoredSpec,
    region: str,
    pick: Callable[[int], np.ndarray] | None = None,
) -> tuple[np.ndarray | Points, dict]:
    """The stored pictures of a clip as a modality sees them, (T, H, W, channels) uint8, and the squares
    (`region.find_squares`; with the region `hands` `hand_squares` too) of its first part; `pick` as of
    `storage.read_archive`. Of landmarks the Points, whole.

    Raises Problem where an archive is missing or damaged, or its parts are not of the same frames.
    """
    if TABLE[stream].kind == "landmark":
        return read_points(item.archive(data.folder, stored.landmark.store), stored.landmark), {}
    paths = archives_of(stream, data, item, stored)
    archives = [storage.read_archive(path, pick) for path in paths]
    sizes = [archive.images.shape[:3] for archive in archives]
    if len(set(sizes)) > 1:
        both = " and ".join("{} pictures of {}x{}".format(*size) for size in sizes)
        raise Problem(f"{paths[-1]}: not of the frames of {paths[0].parts[-4]} ({both}); run frame.py again for both")
    squares = archives[0].squares
    if region == HANDS:
        points = read_points(item.archive(data.folder, stored.landmark.store), stored.landmark)
        times = np.array(archives[0].info["times"])
        times = times[pick(len(times))] if pick else times
        squares = squares | {HANDS: hand_squares(points, times - archives[0].info["times"][0], stored.short_side)}
    return TABLE[stream].pictures([archive.images for archive in archives]), squares
