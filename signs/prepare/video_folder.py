"""A folder of videos, one folder per label: every file below it is a video, or is counted and named.

    videos, failed, remarks, others = video_folder.read_folder(Path("videos"))        videos/<label>/**/<video>

`failed` holds (where, reason) of videos that cannot be used; `remarks` say what else lies there, and `others` holds
(reason, where) of it where they do not name all.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips.container import VIDEO_SUFFIXES, look_into
from signs.clips.pictures import is_picture
from signs.clips.video import ONLY_SOUND, first_frame_problem
from signs.command import Problem
from signs.prepare import folder_layout
from signs.prepare.annotations import SUFFIXES as ANNOTATIONS
from signs.prepare.path_pattern import PathPattern
from signs.prepare.video_table import Video, as_video

# What systems leave in folders; nobody wants to hear of it.
SYSTEM = {"thumbs.db", "desktop.ini", "__macosx", "$recycle.bin", "system volume information", "@eadir", "icon\r"}
# What is not looked into: it lies beside videos by the thousand, or begins as they do and is a picture.
NO_VIDEO = {".txt", ".csv", ".json", ".xml", ".eaf", ".srt", ".vtt", ".jpg", ".jpeg", ".png", ".thm", ".wav", ".mp3"}
NO_VIDEO |= {".heic", ".heif", ".avif", ".cr3", ".m4a", ".npy"}
EXAMPLES = 3  # of other files, named
MOST_SUFFIXES = 8


@dataclass
class Found:
    """What lies below a folder, in the order of names; `unread`: (folder, why) of those that may not be opened."""

    videos: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    loops: list[Path] = field(default_factory=list)
    unread: list[tuple[str, str]] = field(default_factory=list)
    pictures: bool = False


def is_hidden(path: Path) -> bool:
    """Whether a file or folder is the system's, not the user's."""
    return path.name.startswith(".") or path.name.lower() in SYSTEM


def find_files(folder: Path, pictures: bool = False) -> Found:
    """Everything below a folder but hidden files; links to folders are followed unless they lead back up.

    pictures: a folder with pictures in it is a video; else how many there are is counted.
    """
    found = Found(pictures=pictures)
    _look_into(folder, (), found)
    return found


def _look_into(folder: Path, above: tuple[tuple[int, int], ...], found: Found) -> None:
    about = folder.stat()
    inside = (*above, (about.st_dev, about.st_ino))
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:
        found.unread.append((str(folder), f"cannot be read ({error.strerror})"))
        return
    if found.pictures and above and any(is_picture(path.name) for path in paths):
        found.videos.append(folder)
        return
    for path in paths:
        if is_hidden(path):
            continue
        try:
            _look_at(path, inside, found)
        except OSError as error:  # the folder may be listed, but what lies in it may not be looked at
            found.unread.append((str(path), f"cannot be read ({error.strerror})"))


def _look_at(path: Path, inside: tuple[tuple[int, int], ...], found: Found) -> None:
    if path.is_dir():
        about = path.stat()
        if (about.st_dev, about.st_ino) in inside:
            found.loops.append(path)
        else:
            _look_into(path, inside, found)
    elif path.suffix.lower() in VIDEO_SUFFIXES and (path.is_file() or not path.exists()):
        found.videos.append(path)  # a link that leads nowhere too: it is a video that is missing
    else:
        (found.videos if is_video(path) else found.others).append(path)


def is_video(path: Path) -> bool:
    """Whether a file begins as a video does and has more than sound in it; its suffix may be any but NO_VIDEO."""
    if path.suffix.lower() in NO_VIDEO or not path.is_file() or not look_into(path)[0]:
        return False
    return not (first_frame_problem(path) or "").startswith(ONLY_SOUND)


def read_folder(
    folder: Path, pattern: PathPattern | None = None, rate: float | None = None
) -> tuple[list[Video], list[tuple[str, str]], list[str], list[tuple[str, str]]]:
    """The videos of a folder that holds a folder per label, at any depth below it, or is laid out as `pattern` says.

    rate: frames/s of folders of pictures, which are clips then.

    Raises Problem where there is no video, or the folders are no labels.
    """
    found = find_files(folder, rate is not None)
    remarks = list(what_else(folder, found))
    paths = [PurePosixPath(path.relative_to(folder).as_posix()) for path in found.videos]
    if not paths:
        also = f" ({remarks[0]})" if remarks else ""
        also += "; --rate N reads folders of pictures" * any(is_picture(path.name) for path in found.others)
        raise Problem(f"{folder}: no video in it{also}; expected a folder per label with videos, or give a table")
    others = [("no video", path.relative_to(folder).as_posix()) for path in found.others]
    if len(others) > EXAMPLES:
        remarks[0] += "; not_done.csv in the data set names all"
    videos, failed, by_folder = [], list(found.unread), not pattern or "label" not in pattern.words
    if by_folder:
        try:
            remarks += folder_layout.check_layout(folder, paths)
        except Problem as problem:
            raise Problem(f"{problem}{_annotated(found)}") from None
        failed += [(str(path), "no video in this folder") for path in _empty_labels(folder, paths)]
    for path, place in zip(found.videos, paths, strict=True):
        with command.noting(failed, str(place)):
            if by_folder and len(place.parts) == 1:
                raise Problem("lies in no label's folder; move it into one")
            known = {"label": place.parts[0]} if by_folder else {}
            video = as_video(path, str(place), known, pattern, str(place))
            videos.append(replace(video, rate=rate) if path.is_dir() else video)
    return videos, failed, remarks, others if len(others) > EXAMPLES else []


def _annotated(found: Found) -> str:
    """Where files of annotations lie among the videos, what to do with them."""
    there = [path for path in found.others if path.suffix.lower() in ANNOTATIONS]
    what = f"; {command.counted(len(there), 'file')} of annotations in it, such as {there[0].name if there else ''}"
    return f"{what}: --tier NAME cuts their signs out" if there else ""


def _empty_labels(folder: Path, paths: list[PurePosixPath]) -> Iterator[Path]:
    tops = {path.parts[0] for path in paths}
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in tops and not is_hidden(path):
            yield path


def what_else(folder: Path, found: Found) -> Iterator[str]:
    """`12 files are no videos: 8 .txt, 3 .jpg, 1 .docx (notes.txt, ...)`, and links that lead back."""
    if others := found.others:
        suffixes = Counter(path.suffix.lower() or "without suffix" for path in others).most_common()
        counts = command.listed([f"{count:,} {suffix}" for suffix, count in suffixes], MOST_SUFFIXES)
        names = [path.relative_to(folder).as_posix() for path in others[:EXAMPLES]]
        more = ", ..." if len(others) > EXAMPLES else ""
        are = "is no video" if len(others) == 1 else "are no videos"
        yield f"{command.counted(len(others), 'file')} {are}: {counts} ({', '.join(names)}{more}){_annotated(found)}"
    if loops := [path.relative_to(folder).as_posix() for path in found.loops]:
        yield f"links to a folder above them, not followed: {command.listed(loops)}"
