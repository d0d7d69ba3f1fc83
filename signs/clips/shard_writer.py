"""A store's archives from a disc to an object storage, in shards (shards.py).

    shard_writer.pack(data, stored, "s3://bucket/data_set/x", workers)

A clip's shard follows from its name, so a clip that has changed or is new changes one shard; the others stay as they
are there. Equal archives give equal bytes.
"""

import contextlib
import csv
import functools
import io
import json
import math
import tarfile
from collections import defaultdict
from collections.abc import Container
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

SIZE = 100e6  # bytes of a shard, about; whoever sends one has it twice in memory
AGAIN = 3  # times that all is looked at, where other runs send to the same address


def check(data: Dataset, stored: StoredSpec | LandmarkSpec, address: str, dry_run: bool = False) -> None:
    """Raise Problem where a store cannot be packed to an address, or that one does not answer; a dry run writes nothing
    there."""
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
        such = f"{there.rstrip('/')}/{data.folder.resolve().name}"
        raise Problem(f"--shards {address}: a whole bucket; name a folder in it, such as {such}")
    _check_same(data, there)
    if not dry_run:
        done_list.check_writable(f"{there}/{stored.store}")


def _check_same(data: Dataset, address: str) -> None:
    """Raise Problem where another data set lies at an address: its clips would go."""
    table = f"{address}/{TABLES[0]}"
    with answers(address) as place:
        object_storage.objects_below(place, table)  # which says whether there is such a bucket
        content = place.cat_file(table) if place.exists(table) else b""
    rows = csv.DictReader(io.StringIO(content.decode(errors="replace")))
    there = {(row.get("clip"), row.get("sha256")) for row in rows}
    if there and there.isdisjoint((item.clip, item.sha256) for item in data.clips):
        raise Problem(f"--shards {address}: another data set is there, with none of these clips; name another place")


def pack(data: Dataset, stored: StoredSpec | LandmarkSpec, address: str, workers: int) -> list[tuple[str, str]]:
    """Send the tables and the archives of a store that are done; what is there already is not sent again, and clips
    there that are not done here stay. What cannot be sent: (name, one line).

    The index comes after all shards, and only then goes what it does not name any more: whoever reads meanwhile reads
    what was there before, or is told that it is not there. Where another run writes an index meanwhile, all is looked
    at again.
    """
    address = command.storage_address(address)
    there, done = f"{address}/{stored.store}", _done(data, stored)
    if not done:
        print(f"no clip is done, so nothing is sent to {there}")
        return []
    sent = set()
    for _ in range(AGAIN):
        found, old = _look(there)
        outcome = _send_all(data.folder / stored.store, there, done, found, old, workers)
        if outcome.failed:
            return outcome.failed
        made = {name: shard for name, shard, _ in outcome.done}
        sent |= {name for name, _, now in outcome.done if now}
        index = _kept(data, done, _whole(found, old)) | made
        for table in TABLES:
            object_storage.send((data.folder / table).read_bytes(), f"{address}/{table}")
        if _look(there)[1] == old:
            _finish(there, index, found, done)
            if index.items() <= _whole(*_look(there)).items():
                held = f"{command.counted(len(done), 'clip')} in {command.counted(len(made), 'shard')}"
                kept = sum(len(shard.archives) for shard in index.values()) - len(done)
                others = f"; {command.counted(kept, 'clip')} there, not done here, left as found" if kept else ""
                print(f"{held}, {len(sent):,} sent now -> {there}{others}")
                return []
    return [(there, "another run sends there at the same time; wait for it, then run the command again")]


def _done(data: Dataset, stored: StoredSpec | LandmarkSpec) -> dict[str, tuple[dict, list]]:
    """{name of an archive: (what is expected of it, what is odd about it)} of the clips that are done here, sorted."""
    done = {}
    for item, info in zip(data.clips, done_list.read_infos(data, data.clips, stored), strict=True):
        expected = storage.expected_info(item, stored)
        if info is not None and storage.is_current(info, expected):
            done[done_list.name_of(item)] = expected, info.get("notes", [])
    return dict(sorted(done.items()))


def _look(there: str) -> tuple[dict[str, Entry], dict[str, Shard]]:
    """({name: Entry} of a store's objects, its index; that is empty where it is damaged, as then all of it is written
    anew)."""
    with answers(there) as place:
        found = object_storage.objects_below(place, there)
        try:
            index = shards.read_index(place, there) if shards.INDEX in found else {}
        except Problem:
            index = {}
    return found, index


def _whole(found: dict[str, Entry], index: dict[str, Shard]) -> dict[str, Shard]:
    """What an index has of shards that are there."""
    return {name: shard for name, shard in index.items() if name in found and found[name].size == shard.size}


def _kept(data: Dataset, done: Container[str], old: dict[str, Shard]) -> dict[str, Shard]:
    """The shards there of this data set's clips that are not done here: another machine made them, or this one deleted
    its own."""
    names = {done_list.name_of(item) for item in data.clips}
    rest = {
        name: {clip: row for clip, row in shard.archives.items() if clip in names and clip not in done}
        for name, shard in old.items()
    }
    return {name: Shard(old[name].size, archives) for name, archives in rest.items() if archives}


def _send_all(store: Path, there: str, done: dict, found: dict[str, Entry], old: dict, workers: int) -> Outcome:
    """Send the shards of what is done; of each: name, Shard, whether it was sent now."""
    parts = defaultdict(dict)
    before = sum(not done.keys().isdisjoint(shard.archives) for shard in old.values())
    count = _count(sum((store / name).stat().st_size for name in done), before)
    for name in done:
        parts[int(object_storage.sha256(name.encode())[:8], 16) % count][name] = store / name
    jobs = [(f"shard {number}", (number, part)) for number, part in sorted(parts.items())]
    sizes = {name: entry.size for name, entry in found.items()}
    return command.parallel(functools.partial(_send, address=there, sizes=sizes), jobs, workers, "shards")


def _count(size: int, before: int) -> int:
    """How many shards hold so many bytes: as many as before while they are of about the right size, as with another
    number each clip lies in another one."""
    right = max(1, math.ceil(size / SIZE))
    return before if right / 2 <= before <= 2 * right else right


def _send(job: tuple[int, dict[str, Path]], address: str, sizes: dict[str, int]) -> tuple[str, Shard, bool]:
    """Make a shard and send it, unless it is there, as after a stop; its name, what it holds, whether it was sent."""
    number, paths = job
    digest, archives = write_tar(paths, sink := Sink())
    name = f"{number:04d}-{digest[:16]}.tar"
    if sizes.get(name) == sink.size:
        return name, Shard(sink.size, archives), False
    content = io.BytesIO()
    _, archives = write_tar(paths, content)
    entry = object_storage.send(content.getvalue(), f"{address}/{name}")
    return name, Shard(entry.size, archives), True


class Sink:
    """A file that keeps nothing but its size, bytes."""

    size = 0

    def write(self, content: bytes) -> int:
        self.size += len(content)
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


def _finish(there: str, index: dict[str, Shard], found: dict[str, Entry], done: dict) -> None:
    """Send the index, then the list of what is done; delete what lies there of these archives in another way."""
    stamps = {name: row[1:] for shard in index.values() for name, row in shard.archives.items()}
    object_storage.send(shards.index_of(index).encode(), f"{there}/{shards.INDEX}")
    with answers(there) as place:
        known = done_list.parsed(place.cat_file(f"{there}/{done_list.NAME}")) if done_list.NAME in found else {}
        rows = {name: row for name, row in known.items() if name in stamps}
        rows |= {name: done_list.row(*stamps[name], *about) for name, about in done.items()}
        object_storage.send(json.dumps(rows).encode(), f"{there}/{done_list.NAME}")
        for name in found:
            if name in done or (shards.SHARD.fullmatch(name) and name not in index):
                with contextlib.suppress(FileNotFoundError):  # another run deleted it
                    place.rm_file(f"{there}/{name}")
