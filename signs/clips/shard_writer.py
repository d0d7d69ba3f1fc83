"""A store's archives from a disc to an object storage, in shards (shards.py).

    shard_writer.pack(data, stored, "s3://bucket/data_set/x", workers)

A clip's shard follows from its name, so a clip that has changed or is new changes one shard; the others stay as they
are there. Equal archives give equal bytes.
"""

import functools
import io
import json
import math
import tarfile
import tempfile
from collections import defaultdict
from pathlib import Path

from signs import command
from signs.clips import done_list, object_storage, shards, storage
from signs.clips.cached_copy import StandIn
from signs.clips.copy_room import TABLES
from signs.clips.dataset import Dataset
from signs.clips.object_storage import Entry, answers
from signs.clips.shards import Shard
from signs.clips.spec import LandmarkSpec, StoredSpec
from signs.command import Outcome, Problem

SIZE = 200e6  # bytes of a shard, about


def check(data: Dataset, stored: StoredSpec | LandmarkSpec, address: str) -> None:
    """Raise Problem where a store cannot be packed to an address, or that one does not answer."""
    if isinstance(data.folder, StandIn):
        raise Problem(f"--shards: {data.folder} is on a storage already; pack a data set of this machine's disc")
    if not (there := command.storage_address(address)):
        raise Problem(f"--shards {address}: no address of a storage; expected s3://bucket/name, gs:// or file://")
    scheme, _, name = there.partition("://")
    if scheme == "memory":
        raise Problem(f"--shards {address}: gone when this command ends; expected s3://bucket/name, gs:// or file://")
    if scheme == "file" and Path(name).exists() and Path(name).samefile(data.folder):
        raise Problem(f"--shards {address}: the data set's own folder; name another place")
    if scheme != "file" and "/" not in name.strip("/"):
        raise Problem(f"--shards {address}: a whole bucket; name a folder in it, such as {address}/{data.folder.name}")
    with answers(there) as place:
        object_storage.objects_below(place, f"{there}/{stored.store}")


def pack(data: Dataset, stored: StoredSpec | LandmarkSpec, address: str, workers: int) -> Outcome:
    """Send the tables and the archives of a store that are done; what is there already is not sent again.

    The index comes after all shards, and only then goes what it does not name any more: whoever reads meanwhile reads
    what was there before, or is told that it is not there.
    """
    address = command.storage_address(address)
    there, parts, done = f"{address}/{stored.store}", defaultdict(dict), {}
    for item, info in zip(data.clips, done_list.read_infos(data, data.clips, stored), strict=True):
        expected = storage.expected_info(item, stored)
        if info is not None and storage.is_current(info, expected):
            done[done_list.name_of(item)] = expected, info.get("notes", [])
    with answers(there) as place:
        found = object_storage.objects_below(place, there)
        try:
            old = shards.read_index(place, there) if shards.INDEX in found else {}
        except Problem:  # it is written anew, as are its shards
            old = {}
    known = {name: shard for name, shard in old.items() if name in found and found[name].size == shard.size}
    paths = {name: data.folder / stored.store / name for name in sorted(done)}
    count = _count(sum(path.stat().st_size for path in paths.values()), len(old))
    for name, path in paths.items():
        parts[int(object_storage.sha256(name.encode())[:8], 16) % count][name] = path
    jobs = [(f"shard {number}", (number, part)) for number, part in sorted(parts.items())]
    outcome = command.parallel(functools.partial(_send, address=there, known=known), jobs, workers, "shards")
    if outcome.failed:
        return outcome
    made = dict(outcome.done)
    outcome.there = sum(known.get(name) == shard for name, shard in made.items())
    _finish(data, address, there, made, found, done)
    held = f"{command.counted(len(done), 'clip')} in {command.counted(len(made), 'shard')}"
    print(f"{held}, {len(made) - outcome.there:,} sent now -> {there}")
    return outcome


def _count(size: int, before: int) -> int:
    """How many shards hold so many bytes: as many as before while they are of about the right size, as with another
    number each clip lies in another one."""
    right = max(1, math.ceil(size / SIZE))
    return before if right / 2 <= before <= 2 * right else right


def _send(job: tuple[int, dict[str, Path]], address: str, known: dict[str, Shard]) -> tuple[str, Shard]:
    """Write a shard and send it, unless it is there; its name, and what it holds."""
    number, paths = job
    digest, archives = write_tar(paths, Sink())
    name = f"{number:04d}-{digest[:16]}.tar"
    if name in known and known[name].archives == archives:  # an index that was damaged is mended
        return name, known[name]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        with open(path, "wb") as file:
            _, archives = write_tar(paths, file)
        with answers(address) as place:
            entry = object_storage.send(place, path, f"{address}/{name}")
    return name, Shard(entry.size, archives)


class Sink:
    """A file that keeps nothing."""

    def write(self, content: bytes) -> int:
        return len(content)


def write_tar(paths: dict[str, Path], file) -> tuple[str, dict[str, list[int]]]:
    """Write archives into a tar; a digest of all of them, and {name: [where it begins, bytes, stamp]}."""
    hashes, archives = {}, {}
    with tarfile.open(fileobj=file, mode="w|") as tar:
        for name, source in paths.items():
            content = source.read_bytes()
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))
            hashes[name] = object_storage.sha256(content)
            padded = -(-about.size // tarfile.BLOCKSIZE) * tarfile.BLOCKSIZE
            archives[name] = [tar.offset - padded, about.size, object_storage.stamp_of(hashes[name])]
    return object_storage.sha256(json.dumps(hashes).encode()), archives


def _finish(data: Dataset, address: str, there: str, made: dict, found: dict[str, Entry], done: dict) -> None:
    """Send tables, index and the list of what is done; delete what lies there of these archives in another way."""
    stamps = {name: row[1:] for shard in made.values() for name, row in shard.archives.items()}
    rows = {name: done_list.row(*stamps[name], *about) for name, about in done.items()}
    texts = {shards.INDEX: shards.index_of(made), done_list.NAME: json.dumps(rows)}
    with tempfile.TemporaryDirectory() as folder, answers(address) as place:
        for table in TABLES:
            object_storage.send(place, data.folder / table, f"{address}/{table}")
        for name, text in texts.items():
            Path(folder, name).write_text(text, encoding="utf-8")
            object_storage.send(place, Path(folder, name), f"{there}/{name}")
        for name in found:
            if name in stamps or (shards.SHARD.fullmatch(name) and name not in made):
                place.rm_file(f"{there}/{name}")
