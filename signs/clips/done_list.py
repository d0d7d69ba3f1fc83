"""Which clips of a store on an object storage hold what would be written now, without a look into each.

    infos = read_infos(data, clips, stored)     with the help of <store>/.done.json
    write(data, stored)                         {name: [bytes, stamp, digest of what is expected, notes]} into it

An entry counts only for the very object that it was written about. So two machines that fill one store lose nothing
by writing the list over each other's: what it lacks is looked into again.
"""

import contextlib
import hashlib
import json
from concurrent.futures import ThreadPoolExecutor

from signs.clips import cached_copy, object_storage, storage
from signs.clips.cached_copy import StandIn
from signs.clips.dataset import Clip, Dataset
from signs.clips.object_storage import answers
from signs.clips.spec import LandmarkSpec, StoredSpec
from signs.command import Problem

NAME = ".done.json"
AT_ONCE = 16  # archives that are looked into at the same time


def read_infos(data: Dataset, clips: list[Clip], stored: StoredSpec | LandmarkSpec) -> list[dict | None]:
    """What clip.json of each clip holds, as `storage.read_info`; on an object storage, of what the list knows as done,
    what is expected and the notes."""
    store = data.folder / stored.store
    if not isinstance(store, StandIn):
        return [storage.read_info(item.archive(data.folder, stored.store)) for item in clips]
    known, there = _read(store), cached_copy.listing(store)

    def look(item: Clip) -> dict | None:
        name, expected = name_of(item), storage.expected_info(item, stored)
        if (entry := there.get(name)) is None:
            return None
        if (said := known.get(name)) and said == row(entry.size, entry.stamp, expected, said[3]):
            return {**expected, "notes": said[3]}
        return storage.read_info(item.archive(data.folder, stored.store))

    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(look, clips))


def write(data: Dataset, stored: StoredSpec | LandmarkSpec) -> None:
    """Write the list of a store on an object storage, of the clips that are done; elsewhere nothing."""
    store = data.folder / stored.store
    if not isinstance(store, StandIn):
        return
    cached_copy.list_again(store)
    there, rows, before = cached_copy.listing(store), {}, _read(store)
    infos = read_infos(data, data.clips, stored)
    for item, info in zip(data.clips, infos, strict=True):
        expected = storage.expected_info(item, stored)
        if info is not None and storage.is_current(info, expected):
            entry = there[name_of(item)]
            rows[name_of(item)] = row(entry.size, entry.stamp, expected, info.get("notes", []))
    if rows != before:
        (store / NAME).write_text(json.dumps(rows), encoding="utf-8")
        cached_copy.send(store / NAME)


def _read(store: StandIn) -> dict:
    """What the list says; empty where there is none, or it is damaged."""
    path = store / NAME
    with contextlib.suppress(OSError), cached_copy.held(path):
        return parsed(path.read_bytes())
    return {}


def parsed(content: bytes) -> dict[str, list]:
    """The rows of a list; empty where it is damaged."""
    with contextlib.suppress(ValueError, TypeError, AttributeError, RecursionError):
        rows = json.loads(content)
        return rows if all(len(each) == 4 for each in rows.values()) else {}
    return {}


def check_writable(address: str) -> None:
    """Raise Problem where nothing can be written into the store at an address, before hours of work are lost on it: its
    list is written as it is there, or an empty one."""
    path = f"{address}/{NAME}"
    with answers(address) as place:
        content = place.cat_file(path) if place.exists(path) else b"{}"
    try:
        object_storage.send(content, path)
    except Problem as problem:
        raise Problem(f"nothing can be written there: {problem}") from None


def name_of(item: Clip) -> str:
    return f"{item.folder}/{item.stem}.zip"


def row(size: int, stamp: int, expected: dict, notes: list) -> list:
    """What the list says of a clip: its object, a digest of what was expected of it, what is odd about it."""
    return [size, stamp, hashlib.sha256(json.dumps(expected, sort_keys=True).encode()).hexdigest()[:16], notes]
