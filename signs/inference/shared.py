"""A model as share.py passes it on, and the one function that opens a bundle from wherever it lies.

    bundle = open_model("mine.zip")             or a folder

    manifest.json        size and SHA-256 of every other file
    bundle.json, calibration.json, export.json, export/<form>/...     as in a folder, without names and paths
    networks/...         what finds body and hands, where the model sees points, with its licence
    loops/<n>.zip        what signs look like (sign_loops.py)
    LICENCE.txt          what it is and what it was made of

A zip comes from somebody else. Its table of contents is checked before anything is read (bounded_zip.py), each file
against manifest.json while it is unpacked into a folder of this user, and only then does anything parse it. No other
files than these are taken, and none of them is run. The networks that find hands are those of our own table.
"""

import contextlib
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips.bounded_zip import AGAIN, BoundedZip, Bounds
from signs.clips.names import safe_name
from signs.command import Problem
from signs.inference import sign_loops
from signs.inference.bundle import BUNDLE_FILE, Bundle, load_bundle
from signs.inference.cache import cache_folder
from signs.inference.confidence import CALIBRATION_FILE
from signs.inference.exported import EXPORT_FILE, read_forms
from signs.inference.runtime import FORMS
from signs.landmarks import models

FORMAT = 1
MANIFEST, NOTE, NETWORKS = "manifest.json", "LICENCE.txt", "networks"
LICENCES = ("LICENSE", "NOTICE")  # of the networks, beside them
NEEDED = (BUNDLE_FILE, EXPORT_FILE, NOTE)
WHOLE = Bounds(members=2000, total=2 << 30)
# Bytes that a file of each kind may have.
TEXT, NETWORK, FORM, LOOP = 8 << 20, 64 << 20, 1 << 30, 2 * sign_loops.BOUNDS.total
FORM_FOLDERS = {form.folder for form in FORMS.values()}
FORM_BYTES = {".json": TEXT, ".xml": NETWORK, ".bin": FORM, ".onnx": FORM, ".tflite": FORM}  # by suffix
_UNPACKED: list[tempfile.TemporaryDirectory] = []  # where the cache cannot be written; gone with the process


def open_model(path: Path) -> Bundle:
    """The bundle of a folder, or of a zip that share.py made; raises Problem where it is missing, changed, or holds
    what no shared model does."""
    path = Path(path)
    folder = unpacked(path) if path.is_file() else path
    if path.is_dir() and (path / MANIFEST).is_file():
        check_folder(path)
    with known_as(path, folder):
        bundle = load_bundle(folder)
        if bundle.shared:
            check_forms(bundle)
    if path.is_file() and not bundle.shared:
        raise Problem(f"{path}: no model that share.py wrote; {AGAIN}")
    if bundle.shared and (folder / NETWORKS).is_dir():
        models.offer(folder / NETWORKS)
    return bundle


def check_forms(bundle: Bundle) -> None:
    """Raise Problem where export.json lacks what chooses and opens a form."""
    for name, row in read_forms(bundle).items():
        try:
            times = [row["ms"], row["after_ms"], row["use"], row["together"]]
            whole = all(isinstance(value, int | float) for value in times) and isinstance(row["sha256"], dict)
        except (KeyError, TypeError):
            whole = False
        if not whole:
            raise Problem(f"{bundle.folder / EXPORT_FILE}: {name} is incomplete; {AGAIN}")


@contextlib.contextmanager
def known_as(path: Path, folder: Path) -> Iterator[None]:
    """Name the zip in what is raised, rather than the folder that it was unpacked into."""
    try:
        yield
    except Problem as problem:
        raise Problem(str(problem).replace(str(folder), str(path))) from None


def most_bytes(name: str) -> int | None:
    """How large a file of a shared model may be; None where none of that name belongs into it."""
    folder, _, file = name.rpartition("/")
    if folder == "":
        return TEXT if file in (MANIFEST, NOTE, BUNDLE_FILE, CALIBRATION_FILE, EXPORT_FILE) else None
    if folder == NETWORKS:
        return NETWORK if file in {*LICENCES, *(source.name for source in models.SOURCES.values())} else None
    if folder == sign_loops.FOLDER:
        return LOOP if re.fullmatch(r"[1-9]\d{0,3}\.zip", file, re.ASCII) else None
    if folder in FORM_FOLDERS and file == safe_name(file):
        return FORM_BYTES.get(PurePosixPath(file).suffix)
    return None


def write_manifest(files: dict[str, tuple[int, str]]) -> bytes:
    """manifest.json of {name: (bytes, SHA-256)}."""
    rows = {name: {"size": size, "sha256": digest} for name, (size, digest) in sorted(files.items())}
    return (json.dumps({"format": FORMAT, "files": rows}, indent=1) + "\n").encode()


def read_manifest(content: bytes, where: Path) -> dict[str, tuple[int, str]]:
    """{name: (bytes, SHA-256)} of a manifest.json; raises Problem where it is none, or names what does not belong."""
    try:
        table = json.loads(content)
        version, rows = table["format"], table["files"]
        files = {name: (row["size"], row["sha256"]) for name, row in rows.items()}
        whole = all(type(size) is int and re.fullmatch("[0-9a-f]{64}", digest) for size, digest in files.values())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        version, whole = FORMAT, False
    if version != FORMAT:
        raise Problem(f"{where}: {MANIFEST} of format {version!r:.20}; this version reads format {FORMAT}")
    if not whole:
        raise Problem(f"{where}: {MANIFEST} is damaged; {AGAIN}")
    for name, (size, _) in files.items():
        check_kind(name, size, where)
    networks = {f"{NETWORKS}/{source.name}": source.sha256 for source in models.SOURCES.values()}
    has_networks = any(name.startswith(f"{NETWORKS}/") for name in files)
    for name in (*NEEDED, *(networks if has_networks else ()), *([f"{NETWORKS}/{LICENCES[0]}"] * has_networks)):
        if name not in files:
            raise Problem(f"{where}: {MANIFEST} names no {name}; {AGAIN}")
        if name in networks and files[name][1] != networks[name]:
            raise Problem(f"{where}: {name} is not the known network that finds hands; {AGAIN}")
    return files


def check_kind(name: str, size: int, where: Path) -> None:
    """Raise Problem where a file does not belong into a shared model, or is larger than any there is."""
    most = most_bytes(name)
    if most is None:
        raise Problem(f"{where}: {name[:80]!r} does not belong into a shared model; {AGAIN}")
    if size > most:
        raise Problem(f"{where}: {name} has {size:,} bytes, at most {most:,} are read; {AGAIN}")


class SharedZip:
    """An open zip of a shared model, whose table of contents and manifest are checked; raises Problem otherwise."""

    def __init__(self, file, path: Path):
        self._archive, self._path = BoundedZip(file, path, WHOLE), path
        sizes = self._archive.sizes
        for name, size in sizes.items():
            check_kind(name, size, path)
        if MANIFEST not in sizes:
            raise Problem(f"{path}: no {MANIFEST} in it, so no model that share.py wrote; {AGAIN}")
        self.files = read_manifest(self._archive.read(MANIFEST), path)
        named, there = set(self.files), set(sizes) - {MANIFEST}
        for name in sorted(named ^ there):
            what = "is missing" if name in named else "was added"
            raise Problem(f"{path}: {name} {what}, as {MANIFEST} says; {AGAIN}")
        for name, (size, _) in self.files.items():
            if size != sizes[name]:
                raise Problem(f"{path}: {name} has {sizes[name]:,} bytes, {size:,} in {MANIFEST}; {AGAIN}")

    def check(self, take: Callable[[str, bytes], object] = lambda name, chunk: None) -> None:
        """Read every file and compare it with the manifest; `take` gets each part of it meanwhile."""
        for name, (size, digest) in self.files.items():
            found, count = hashlib.sha256(), 0
            for chunk in self._archive.chunks(name):
                found.update(chunk)
                count += len(chunk)
                take(name, chunk)
            if count != size or found.hexdigest() != digest:
                raise Problem(f"{self._path}: {name} is not the file that {MANIFEST} names; it was changed: {AGAIN}")

    def unpack(self, folder: Path) -> None:
        """Write every file, and manifest.json last, into an empty folder; raises Problem where one was changed."""
        for name in self.files:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch(exist_ok=False)

        def add(name: str, chunk: bytes) -> None:
            with open(folder / name, "ab") as file:
                file.write(chunk)

        self.check(add)
        (folder / MANIFEST).write_bytes(write_manifest(self.files))


def unpacked(path: Path) -> Path:
    """A folder with the files of a shared zip: the one of an earlier time if its hashes still hold, or a new one."""
    with open(path, "rb") as file:
        archive = SharedZip(file, path)
        file.seek(0)
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        with contextlib.suppress(OSError):  # the cache cannot be made, or written, or is full
            return in_cache(archive, digest)
        _UNPACKED.append(tempfile.TemporaryDirectory(prefix="signs-", ignore_cleanup_errors=True))
        archive.unpack(Path(_UNPACKED[-1].name))
        return Path(_UNPACKED[-1].name)


def in_cache(archive: SharedZip, digest: str) -> Path:
    """The folder of a zip of that SHA-256 in this user's cache; raises OSError where it cannot be written."""
    root = cache_folder() / "shared"
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_private(root)
    folder, part = root / digest, root / f".{digest}.part"
    with command.lock(root, digest[:16], wait=True):
        if not folder.is_symlink() and holds(folder, archive.files):
            return folder
        for old in (folder, part):
            remove(old)
        part.mkdir(mode=0o700)
        try:
            archive.unpack(part)
            os.replace(part, folder)
        finally:
            remove(part)
    return folder


def check_private(folder: Path) -> None:
    """Raise PermissionError where somebody else may write into a folder."""
    about = folder.stat()
    if hasattr(os, "getuid") and (about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        raise PermissionError(f"{folder}: others may write there")


def remove(folder: Path) -> None:
    if folder.is_symlink() or folder.is_file():
        folder.unlink()
    elif folder.exists():
        shutil.rmtree(folder)


def holds(folder: Path, files: dict[str, tuple[int, str]]) -> bool:
    """Whether a folder has just these files, with their hashes, and manifest.json."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    return there == {*files, MANIFEST} and not any(difference(folder / name, *row) for name, row in files.items())


def difference(path: Path, size: int, digest: str) -> str:
    """What is wrong with a file that should have that size and SHA-256; empty where nothing is."""
    if not path.is_file() or path.is_symlink():
        return "missing"
    if path.stat().st_size != size or command.sha256(path) != digest:
        return f"not the file that {MANIFEST} names"
    return ""


def check_folder(folder: Path) -> None:
    """Raise Problem where a shared model that somebody unpacked has other files than its manifest says."""
    path = folder / MANIFEST
    if path.stat().st_size > TEXT:
        raise Problem(f"{path}: {path.stat().st_size:,} bytes, at most {TEXT:,} are read; {AGAIN}")
    for name, row in read_manifest(path.read_bytes(), folder).items():
        if what := difference(folder / name, *row):
            raise Problem(f"{folder / name}: {what}; {AGAIN}")
