"""What lies below a folder of a public data set: its videos, folders of pictures and lists, found once.

tree = Tree(folder)
tree.find("69241")                    a video of that name, with any suffix, in any folder; None where there is none
tree.find("Animals/4. Bird/MVI_3045.MOV")
tree.lists(r"MSASL_train\\.json")      the lists whose names fit
tree.strays()                         the videos for which nobody looked
"""

import contextlib
import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from signs.clips.container import VIDEO_SUFFIXES
from signs.clips.names import folded
from signs.clips.pictures import is_picture
from signs.command import Problem, counted, listed, sha256
from signs.prepare.formats.listing import split_of

LISTS = (".json", ".csv", ".txt", ".tsv")
NOTED = 3  # folders in a line


class Tree:
    """All of a folder. `prefer`: a word in the path of those that are taken where two have one name; lists: paths of
    lists below it that are taken for all there is, and nothing is looked for."""

    def __init__(self, folder: Path, prefer: str = "", lists: Iterable[Path] | None = None):
        self.folder, self.prefer = folder, prefer
        self._videos: dict[str, list[str]] = defaultdict(list)
        self._pictures: dict[str, list[str]] = defaultdict(list)
        self._lists: list[str] = []
        self._doubled: Counter[tuple[str, ...]] = Counter()
        self._asked: set[str] = set()
        self._reads_pictures = False
        if lists is None:
            self._look(folder, "", ())
        else:
            self._lists = [path.relative_to(folder).as_posix() for path in lists]
        for paths in (*self._videos.values(), *self._pictures.values(), self._lists):
            paths.sort()

    def _look(self, folder: Path | str, below: str, above: tuple[tuple[int, int], ...]) -> None:
        about = Path(folder).stat()
        if (about.st_dev, about.st_ino) in above:
            return  # a link that leads back up
        pictures = False
        with os.scandir(folder) as entries:
            for entry in entries:
                name = entry.name
                if name.startswith("."):
                    continue
                if entry.is_dir():
                    self._look(entry.path, f"{below}{name}/", (*above, (about.st_dev, about.st_ino)))
                elif is_picture(name):
                    pictures = True
                elif (suffix := f".{name.rpartition('.')[2].lower()}") in VIDEO_SUFFIXES:
                    self._videos[folded(name[: -len(suffix)])].append(below + name)
                elif suffix in LISTS:
                    self._lists.append(below + name)
        if pictures and below:
            self._pictures[folded(PurePosixPath(below).name)].append(below.rstrip("/"))

    def stems(self) -> list[str]:
        """The names of all videos, without folders and suffixes, in order."""
        return sorted({PurePosixPath(paths[0]).stem for paths in self._videos.values()})

    def find(self, name: str, pictures: bool = False) -> Path | None:
        """The video, or the folder of pictures, of a name, in front of which folders may stand."""
        asked = PurePosixPath(name.replace("\\", "/").strip())
        if not pictures and asked.suffix.lower() in VIDEO_SUFFIXES:
            asked = asked.with_suffix("")
        paths = (self._pictures if pictures else self._videos).get(folded(asked.name), [])
        if len(asked.parts) > 1:
            end = folded(f"/{asked}")
            paths = [path for path in paths if folded(f"/{path if pictures else _stem(path)}").endswith(end)]
        # Names on YouTube differ in capitals alone.
        paths = [path for path in paths if asked.name in (_name(path), PurePosixPath(path).stem)] or paths
        self._asked.update(paths)
        self._reads_pictures |= pictures
        preferred = [path for path in paths if self.prefer and self.prefer in path.lower()] or paths
        if len(paths) > 1:
            self._doubled[tuple(str(PurePosixPath(path).parent) for path in (*preferred, *paths[:NOTED]))] += 1
        return self.folder / preferred[0] if preferred else None

    def remarks(self) -> list[str]:
        """Where the same names lie in several folders, and which of them were taken."""
        return [
            f"{counted(count, 'name')} {'lies' if count == 1 else 'lie'} in several folders "
            f"({', '.join(sorted(set(folders)))}); those in {folders[0]} were taken"
            for folders, count in sorted(self._doubled.items())
        ]

    def strays(self) -> list[str]:
        """The videos, and the folders of pictures of a set that has such, that `find` was never asked for, in order."""
        named = [*self._videos.values(), *(self._pictures.values() if self._reads_pictures else ())]
        return sorted(path for paths in named for path in paths if path not in self._asked)

    def lists(self, pattern: str) -> list[Path]:
        """The lists whose names fit a regular expression, capitals aside; of equal files one."""
        fitting = [path for path in self._lists if re.fullmatch(pattern, _name(path), re.IGNORECASE)]
        once = {} if len(fitting) > 1 else {path: path for path in fitting}
        for path in fitting if len(fitting) > 1 else ():
            once.setdefault((_name(path), sha256(self.folder / path)), path)
        return [self.folder / path for path in once.values()]

    def versions(self, pattern: str) -> list[Path]:
        """`lists`; raises Problem where two of them have one name and are of one split: versions that differ."""
        lists, seen = self.lists(pattern), {}
        for path in lists:
            first = seen.setdefault((path.name.lower(), split_of(path, self.folder)), path)
            if first is not path:
                names = " and ".join(str(each.relative_to(self.folder)) for each in (first, path))
                raise Problem(f"{self.folder}: two versions of a list, {names}; keep the one that is meant")
        return lists

    def one(self, pattern: str) -> Path:
        """The list whose name fits; raises Problem where there is none, or two that differ."""
        lists = self.lists(pattern)
        if len(lists) > 1:
            names = listed([str(path.relative_to(self.folder)) for path in lists], NOTED)
            raise Problem(f"{self.folder}: two versions of a list, {names}; keep the one that is meant")
        if not lists:
            raise Problem(f"{self.folder}: no list {pattern.replace(chr(92), '')} in it")
        return lists[0]


def lists_in(folder: Path) -> list[Path]:
    """The lists in a folder, and in those of its folders that hold lists and nothing else (`annotations`)."""
    found = []
    for path in sorted(folder.iterdir()):
        inside = [path] if path.is_file() else []
        with contextlib.suppress(OSError):  # what may not be opened holds no list for us
            inside = inside or [each for each in path.iterdir() if not each.name.startswith(".")]
        if all(each.suffix.lower() in LISTS and each.is_file() for each in inside):
            found += inside
    return found


def _name(path: str) -> str:
    return path.rpartition("/")[2]


def _stem(path: str) -> str:
    return path.rpartition(".")[0]
