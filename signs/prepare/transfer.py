"""Videos into the folder contract: what every prepare_*.py does once it knows its clips.

A video goes to `video/<split>/<label>/<clip>` under a temporary name, is checked and then renamed, so it is there whole
or not at all; so does a folder of pictures. A video that is there with equal content is left alone: so a run goes on
where the last one stopped, and a second run does nothing.
"""

import errno
import hashlib
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from signs import command, errors
from signs.clips import dataset
from signs.clips.container import video_problem
from signs.clips.dataset import Clip
from signs.clips.pictures import picture_files, pictures_sha256
from signs.clips.video import first_frame_problem
from signs.command import Problem

import cv2
import numpy as np

TRANSFERS = ("copy", "hardlink", "link")


class NoHardLink(Problem):
    """No hard link can be made, as where the source is on another disc; a copy may be made instead."""


def write_chunks(target: Path, chunks: Iterable[bytes], size: int) -> str:
    """Write a video of exactly `size` bytes whole or not at all; its SHA-256. Raises Problem where it is no video."""
    digest, written = hashlib.sha256(), 0
    with command.atomic(target) as temporary:
        with open(temporary, "wb") as file:
            for chunk in chunks:
                written += len(chunk)
                if written > size:
                    raise Problem(f"unpacks to more than the {size:,} bytes its header declares; not taken")
                digest.update(chunk)
                file.write(chunk)
        if written != size:
            raise Problem(f"{written:,} bytes came, its header declares {size:,}; the archive is cut short")
        check_is_video(temporary)
    return digest.hexdigest()


def write_video(path: Path, pictures: np.ndarray, rate: float, codec: str) -> None:
    """(T, H, W, 3) uint8 RGB or (T, H, W) uint8 -> an AVI, whole or not at all."""
    colour = pictures.ndim == 4
    with command.atomic(path) as temporary:
        size = (pictures.shape[2], pictures.shape[1])
        fourcc = cv2.VideoWriter_fourcc(*codec)
        writer = cv2.VideoWriter(str(temporary), cv2.CAP_FFMPEG, fourcc, rate, size, colour)
        if not writer.isOpened():
            raise Problem(f"OpenCV writes no {codec} here; install opencv-python from its wheel, which does")
        for picture in pictures:
            writer.write(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR) if colour else picture)
        writer.release()
        # On a full disc the writer reports nothing, but the index, which it writes last, is missing.
        if video_problem(temporary):
            raise OSError(errno.ENOSPC, "could not be written whole", str(path))


def check_is_video(path: Path) -> None:
    """Raise Problem where the file is no video, or its first frame cannot be decoded."""
    if problem := first_frame_problem(path):
        raise Problem(problem)


def bring_video(source: Path, target: Path, transfer: str, digest: str = "") -> tuple[str, bool]:
    """Bring a video file to its place by `transfer`; (its SHA-256, whether anything had to be done).

    `digest`: the SHA-256 of a source that was opened already. Raises Problem where the source is no video.
    """
    if not digest:
        check_is_video(source)
        digest = command.sha256(source)
    if video_is_there(source, target, transfer, digest):
        return digest, False
    with command.atomic(target) as temporary:
        if transfer == "link":
            temporary.symlink_to(source.resolve())
        elif transfer == "hardlink":
            _hardlink(source, temporary)
        else:
            shutil.copyfile(source, temporary)
            if command.sha256(temporary) != digest:
                raise Problem("the copy differs from the source; check the disc, then run the same command again")
    return digest, True


def bring_pictures(source: Path, target: Path, transfer: str, digest: str) -> bool:
    """Bring a folder of pictures to its place, whole or not at all; whether anything had to be done.

    `digest`: their SHA-256 (pictures.pictures_sha256).
    """
    if pictures_are_there(source, target, transfer, digest):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name.split('.')[0]}.{os.getpid()}.part")
    try:
        if transfer == "link":
            temporary.symlink_to(source.resolve(), target_is_directory=True)
        else:
            temporary.mkdir()
            for path in picture_files(source):
                (_hardlink if transfer == "hardlink" else shutil.copyfile)(path, temporary / path.name)
            if pictures_sha256(temporary) != digest:
                raise Problem("the copy differs from the source; check the disc, then run the same command again")
        remove(target)
        os.replace(temporary, target)
    finally:
        remove(temporary)
    return True


def remove(path: Path) -> None:
    """Delete a file, a link or a folder with all in it, if it is there."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def pictures_are_there(
    source: Path, target: Path, transfer: str, digest: str, hash_of: Callable[[Path], str] = pictures_sha256
) -> bool:
    """Whether a folder of pictures of that hash is in its place already, as that transfer leaves it."""
    if transfer == "link":
        return target.is_symlink() and target.resolve() == source.resolve()
    if target.is_symlink() or not target.is_dir() or source.resolve() == target.resolve():
        return False
    try:
        ours, there = picture_files(source), picture_files(target)
        if transfer == "copy":
            return not ours[0].samefile(there[0]) and hash_of(target) == digest
        same = [path.name for path in ours] == [path.name for path in there]
        return same and all(map(os.path.samefile, ours, there))
    except Problem:  # no picture is left in it
        return False


def _hardlink(source: Path, target: Path) -> None:
    try:
        os.link(source.resolve(), target)
    except OSError as error:
        if errors.is_disc_full(error):
            raise
        raise NoHardLink("no hard link can be made there (another disc?); use --transfer copy or link") from None


def video_is_there(
    source: Path, target: Path, transfer: str, digest: str, hash_of: Callable[[Path], str] = command.sha256
) -> bool:
    """Whether a video of that hash is in its place already, as that transfer leaves it."""
    if transfer == "link":
        return target.is_symlink() and target.resolve() == source.resolve()
    if target.is_symlink() or not target.is_file():
        return False
    if target.samefile(source):
        return transfer == "hardlink"
    return transfer == "copy" and target.stat().st_size == source.stat().st_size and hash_of(target) == digest


def existing_parent(path: Path) -> Path:
    """`path` itself, or the nearest folder above it that exists."""
    return next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())


def check_room(folder: Path, need: int) -> None:
    """Raise Problem where the disc of `folder`, which need not exist yet, has less than `need` bytes free."""
    free = shutil.disk_usage(existing_parent(folder)).free
    if need > free:
        raise Problem(
            f"{folder}: about {need / 1e9:.2f} GB needed, {free / 1e9:.2f} GB free on its disc; make room or choose "
            "another --output"
        )


@dataclass(frozen=True)
class Earlier:
    """What earlier runs left of a data set: {clip name: Clip} of the last whole one, and what lies below `video`."""

    clips: dict[str, Clip]
    below: command.Below


def look_back(folder: Path, parts: Sequence[str] = ("video",)) -> Earlier:
    """What earlier runs left in `folder`, but what they left half-written, which is deleted; hold its lock.

    `parts`: where that may be, `video` first.
    """
    below, *_ = (command.remove_leftovers(folder / part) for part in parts)
    table = folder / "clips.csv"
    return Earlier({clip.clip: clip for clip in dataset.read_clips(table, below)} if table.exists() else {}, below)


def move_changed(folder: Path, earlier: dict[str, Clip], clips: Iterable[Clip]) -> None:
    """Rename videos whose place is another than in the last run, so that they are not made again."""
    for clip in clips:
        before = earlier.get(clip.clip)
        if not before or (before, before.label_folder, before.file) == (clip, clip.label_folder, clip.file):
            continue
        old, new = before.video(folder), clip.video(folder)
        # A video of many intervals stays for those of them that are not in the list.
        if old != new and before.start is None and old.exists() and not new.exists():
            new.parent.mkdir(parents=True, exist_ok=True)
            old.rename(new)
