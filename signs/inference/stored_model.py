"""A model on an object storage, brought into this user's cache: the zip that share.py sent there, or a model's folder.

    place = fetched("s3://bucket/model/mine.zip")     a zip or folder on this disc, which is checked as any other
    send(path, "s3://bucket/model/mine.zip")          one object, there whole or not at all

    ~/.cache/signs/stored/<hash of the address>/mine.zip, or the folder's files

The list with its sizes comes first: nothing is brought that is no part of a model, or that is larger than it may be.
What is here and unchanged there is not brought again.
"""

import hashlib
from pathlib import Path

from signs.clips import copy_room, object_storage
from signs.clips.bounded_zip import AGAIN
from signs.clips.cache import private_folder, remove
from signs.clips.names import safe_name
from signs.clips.object_storage import Entry, answers
from signs.command import Problem, counted, lock, storage_address
from signs.inference.bundle import BUNDLE_FILE
from signs.inference.manifest import FORM, WHOLE, most_bytes

WEIGHTS = ".weights.h5"


def fetched(address: str) -> Path:
    """A model's zip or folder on this disc, as it is at an address now; raises Problem where there is none."""
    with answers(address) as storage:
        found = object_storage.objects_below(storage, address)
    name = address.rpartition("/")[2]
    root = private_folder("stored", hashlib.sha256(address.encode()).hexdigest()[:16])
    here = root / safe_name(name)
    with lock(root, wait=True):
        if set(found) == {""}:
            check_size(address, found[""].size, WHOLE.total)
            bring(address, here, found[""])
            return here
        files = files_of_model(address, found)
        if here.is_symlink() or here.is_file():
            remove(here)
        if here.is_dir():
            for path in here.rglob("*"):
                if path.is_symlink() or path.is_file() and path.relative_to(here).as_posix() not in files:
                    path.unlink()
        for file, entry in files.items():
            bring(f"{address}/{file}", here / file, entry)
    return here


def files_of_model(address: str, found: dict[str, Entry]) -> dict[str, Entry]:
    """Of the objects below an address those that a model may have; raises Problem where it has none, or too much."""
    files = {}
    for name, entry in found.items():
        most = FORM if name.endswith(WEIGHTS) and safe_name(name) == name else most_bytes(name)
        if most is not None:
            check_size(f"{address}/{name}", entry.size, most)
            files[name] = entry
    if BUNDLE_FILE not in files:
        what = f"{counted(len(found), 'object')} below it, no {BUNDLE_FILE} among them" if found else "nothing there"
        raise Problem(f"{address}: {what}; expected a model's folder, or the zip that share.py makes")
    check_size(address, sum(entry.size for entry in files.values()), WHOLE.total)
    if len(files) > WHOLE.members:
        raise Problem(f"{address}: {len(files):,} files, at most {WHOLE.members:,} are read; {AGAIN}")
    return files


def check_size(address: str, size: int, most: int) -> None:
    if size > most:
        raise Problem(f"{address}: {size:,} bytes, at most {most:,} are read; {AGAIN}")


def bring(address: str, path: Path, entry: Entry) -> None:
    """Download an object, unless its copy is here."""
    if path.is_symlink() or path.is_dir():
        remove(path)
    if not copy_room.is_copy(path, entry):
        copy_room.bring(address, path, entry)


def send(path: Path, address: str) -> None:
    """Upload a zip."""
    object_storage.send(path.read_bytes(), address)


def earlier(address: str) -> Path | None:
    """What lies at an address, brought here; None where nothing does."""
    with answers(address) as storage:
        there = storage.exists(address)
    return fetched(address) if there else None


def on_this_disc(path: Path) -> Path:
    """A model's folder or zip: what is brought of one on an object storage, any other as it is."""
    address = storage_address(path)
    return fetched(address) if address else Path(path)
