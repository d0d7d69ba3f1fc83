"""A model as share.py passes it on, and the one function that opens a bundle from wherever it lies.

    bundle = open_model("mine.zip")             or a folder, hf://owner/name of a Hub, s3://bucket/mine.zip

A zip comes from somebody else. Its table of contents is checked before anything is read (bounded_zip.py), each file
against manifest.json while it is unpacked into a folder of this user, and only then does anything parse it. manifest.py
says what may be in it; hub_download.py brings the same files from a Hub.
"""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.bounded_zip import AGAIN, BoundedZip
from signs.clips.cache import private_folder, remove
from signs.command import Problem
from signs.inference import hub_download, stored_model
from signs.inference.address import address_of, known_as, shown
from signs.inference.bundle import Bundle, load_bundle
from signs.inference.exported import EXPORT_FILE, read_forms
from signs.inference.manifest import (
    MANIFEST,
    NETWORKS,
    WHOLE,
    check_folder,
    check_kind,
    holds,
    read_manifest,
    write_manifest,
)
from signs.landmarks import models

_UNPACKED: list[tempfile.TemporaryDirectory] = []  # where the cache cannot be written; gone with the process


def open_model(path: Path) -> Bundle:
    """The bundle of a folder, of a zip that share.py made, or of an address that it sent one to; raises Problem where
    it is missing, changed, or holds what no shared model does."""
    address = address_of(path)
    found = hub_download.fetched(address) if address else stored_model.on_this_disc(path)
    with known_as(path, found):
        folder = unpacked(found) if found.is_file() else found
        if folder == found and not address and (folder / MANIFEST).is_file():
            check_folder(folder)
    with known_as(path, folder):
        bundle = load_bundle(folder)
        if bundle.shared:
            check_forms(bundle)
    if (address or folder != found) and not bundle.shared:
        raise Problem(f"{shown(path)}: no model that share.py wrote; {AGAIN}")
    if folder != Path(path):
        bundle = replace(bundle, place=shown(path))
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
    root = private_folder("shared")
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
