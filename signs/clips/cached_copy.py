"""Copies of a data set on an object storage, in this user's cache, which takes no more than SIGNS_CACHE_GB.

    folder = opened(Path("s3://bucket/data_set/x"))     a StandIn: its tables are here as they are there now
    exists(path), size(path), names(store)              by one list a store and start
    with held(path): ...                                a whole copy lies at the path, which nobody deletes meanwhile
    send(path)                                          what was written at a StandIn goes there as one object

    ~/.cache/signs/storage/s3/<bucket>/<name>/clips.csv, class.csv, frame-40x240/train/a/clip.zip ...

The time of a copy is the object's `stamp`, so that another object's copy is known by it; that of its last reading tells
which goes first where room is needed.
"""

import contextlib
import functools
import json
import shutil
import threading
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import astuple
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from signs import command
from signs.clips import copy_room, object_storage, shards
from signs.clips.cache import cache_folder
from signs.clips.copy_room import STORAGE, TABLES
from signs.clips.object_storage import Entry, answers, missing
from signs.command import Problem

MARK = ".storage"  # in the folder that stands for a data set
EDGE = 1 << 17  # bytes at each end of an archive that hold its table of contents and its clip.json
AHEAD = 16  # copies that come at the same time before they are asked for
AGAIN = 5  # times that a copy is brought, where another run needs its room each time
_roots: set[Path] = set()
_lists: dict[Path, tuple[int, dict[str, Entry]]] = {}
_coming: dict[Path, Future] = {}


class StandIn(type(Path())):
    """A path in the cache that stands for an object or a folder of a storage. People read its address: f"{path}"."""

    def __format__(self, how: str) -> str:
        return format(address_of(self), how)


def address_of(path: StandIn) -> str:
    """`s3://bucket/data_set/x/clips.csv`"""
    scheme, *names = path.relative_to(cache_folder() / STORAGE).parts
    return f"{scheme}://{'/' * (scheme == 'file')}{'/'.join(names)}"


def opened(folder: Path) -> Path:
    """The folder that stands for a data set at an address, with its tables as they are there now; any other folder is
    given back. Raises Problem where nothing is there, or it cannot be reached."""
    if isinstance(folder, StandIn):
        return folder
    if not (address := command.storage_address(folder)):
        return Path(folder)
    scheme, _, name = address.partition("://")
    here = StandIn(copy_room.root(), scheme, name.strip("/"))
    with answers(address) as storage:
        files, folders = object_storage.top_of(storage, address)
    here.mkdir(parents=True, exist_ok=True)
    with command.lock(here, "tables", wait=True):
        (here / MARK).touch()
        for table in TABLES:
            if table not in files:
                (here / table).unlink(missing_ok=True)
            elif not copy_room.is_copy(here / table, files[table]):
                copy_room.bring(f"{address}/{table}", here / table, files[table])
        for old in here.glob(".list-*.json"):
            old.unlink(missing_ok=True)
        _forget_stores({path for path in here.glob("[!.]*") if path.is_dir()} - {here / name for name in folders})
        for name in folders:
            if not name.startswith(".") and name not in files:
                (here / name).mkdir(exist_ok=True)
    return here


def _forget_stores(gone: set[Path]) -> None:
    """Delete copies of stores that are there no more, but of one that a run here begins to write; features are made
    here and lie here alone."""
    for store in gone:
        if not store.name.startswith("feature-"):
            with contextlib.suppress(Problem), command.lock(store):
                shutil.rmtree(store, ignore_errors=True)


def _root(path: StandIn) -> Path:
    """The folder that stands for the data set in which a path lies."""
    for folder in (path, *path.parents):
        if folder in _roots or (folder / MARK).exists():
            _roots.add(folder)
            return folder
    raise Problem(f"{path}: lies in no data set; delete {cache_folder() / STORAGE}, and run the command again")


def _list_file(store: Path) -> Path:
    return store.parent / f".list-{store.name}.json"


def listing(store: Path) -> dict[str, Entry]:
    """{name: Entry} of every object of a store, by one list for all processes of a start."""
    file = _list_file(store)
    with contextlib.suppress(FileNotFoundError):
        time, known = file.stat().st_mtime_ns, _lists.get(file)
        if not known or known[0] != time:
            rows = json.loads(file.read_text(encoding="utf-8"))
            known = _lists[file] = time, {name: Entry(*row) for name, row in rows.items()}
        return known[1]
    with command.lock(store.parent, f"list-{store.name}", wait=True):
        if not file.exists():
            with answers(address_of(store)) as storage:
                found = object_storage.objects_below(storage, address_of(store))
                found = shards.with_archives(storage, address_of(store), found)
            rows = {name: astuple(entry) for name, entry in found.items()}
            command.write_text(file, json.dumps(rows))
    return listing(store)


def list_again(store: StandIn) -> None:
    """Have the next question answered by a new list."""
    _list_file(store).unlink(missing_ok=True)


def names(store: StandIn) -> list[str]:
    """Of every object of a store, below it; without those that begin with a dot."""
    return [name for name in listing(store) if not name.rpartition("/")[2].startswith(".")]


def _objects(path: StandIn) -> dict[StandIn, Entry]:
    """{path: Entry} of the object at a path, or of those in the folder there; empty where neither is."""
    root = _root(path)
    store, *rest = path.relative_to(root).parts
    found, name = listing(root / store), "/".join(rest)
    if name in found:
        return {path: found[name]}
    time, _ = _lists[_list_file(root / store)]
    ordered, start = _ordered(root / store, time, len(found)), f"{name}/"
    inside = ordered[bisect_left(ordered, start) : bisect_left(ordered, name + chr(ord("/") + 1))]
    return {root / store / each: found[each] for each in inside}


@functools.lru_cache(maxsize=8)
def _ordered(store: Path, time: int, count: int) -> list[str]:
    """Names of a list of that time, to which `send` adds."""
    return sorted(listing(store))


def exists(path: Path) -> bool:
    """Whether a file or folder is there, on a storage by the store's list."""
    return bool(_objects(path)) if isinstance(path, StandIn) else path.exists()


def size(path: StandIn) -> int:
    """Bytes of an object, or of all in a folder, by the store's list; raises FileNotFoundError where there is none."""
    if not (found := _objects(path)):
        raise missing(path)
    return sum(entry.size for entry in found.values())


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Have a whole copy of an object, or of all in a folder, at a StandIn until the block ends; without one where there
    is no such object. Any other path is as it is."""
    with contextlib.ExitStack() as stack:
        if isinstance(path, StandIn):
            for each, entry in _objects(path).items():
                stack.enter_context(_copy(each, entry))
        yield


def _source(path: StandIn, entry: Entry) -> str:
    """The address of the object that holds an archive: its own, or its shard's."""
    if not entry.shard:
        return address_of(path)
    root = _root(path)
    return f"{address_of(root / path.relative_to(root).parts[0])}/{entry.shard}"


def _copy(path: StandIn, entry: Entry) -> BinaryIO:
    """The open copy of an object, which is not deleted while it is open."""
    for _ in range(AGAIN):
        if file := copy_room.open_copy(path, entry):
            return file
        coming = _coming.get(path)
        if coming and not coming.cancel():
            coming.exception()  # waits; what went wrong comes again below
        else:
            copy_room.bring(_source(path, entry), path, entry, copy_room.root())
    raise Problem(f"{path}: its copy is deleted as soon as it is here; {copy_room.LARGER}")


def read_ahead(paths: Iterable[Path]) -> None:
    """Begin to bring copies that will be asked for soon. What goes wrong is said when they are."""
    for path in paths:
        if isinstance(path, StandIn) and path not in _coming:
            future = _coming[path] = _pool().submit(_bring_quietly, path)
            future.add_done_callback(lambda done, path=path: _coming.pop(path, None))


def _bring_quietly(path: StandIn) -> None:
    with contextlib.suppress(Problem, OSError):
        for each, entry in _objects(path).items():
            if file := copy_room.open_copy(each, entry):
                file.close()
            elif not _ending():
                copy_room.bring(_source(each, entry), each, entry, copy_room.root())


@functools.cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AHEAD, thread_name_prefix="read-ahead")


def _ending() -> bool:
    """Whether the script is over and waits for these threads alone."""
    return not threading.main_thread().is_alive()


def edges(path: StandIn) -> BinaryIO:
    """An archive's copy, or without one its first and last EDGE bytes with zeros between: enough for zipfile to read a
    clip.json. Raises FileNotFoundError where there is no such object."""
    if not (entry := _objects(path).get(path)):
        raise missing(path)
    if file := copy_room.open_copy(path, entry):
        return file
    content, address = bytearray(entry.size), _source(path, entry)
    with answers(address) as storage:
        if entry.size <= 2 * EDGE:
            return BytesIO(object_storage.part(storage, address, entry, 0, entry.size))
        content[:EDGE] = object_storage.part(storage, address, entry, 0, EDGE)
        content[-EDGE:] = object_storage.part(storage, address, entry, entry.size - EDGE, entry.size)
    return BytesIO(content)


def forget(path: Path) -> None:
    """Delete a damaged copy, so that the next reading brings the object again."""
    if isinstance(path, StandIn):
        path.unlink(missing_ok=True)


def send(path: Path) -> None:
    """Upload what was written at a StandIn, as one object; it stays as a copy. Raises Problem where that fails, and
    leaves nothing."""
    if not isinstance(path, StandIn):
        return
    root, address = _root(path), address_of(path)
    store, *rest = path.relative_to(root).parts
    try:
        copy_room.make_room(path.stat().st_size, copy_room.root())
        entry = object_storage.send(path.read_bytes(), address)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    copy_room.mark(path, entry)
    if known := _lists.get(_list_file(root / store)):
        known[1]["/".join(rest)] = entry
