"""Archives of a store on an object storage in a few large files: shards, uncompressed tars as WebDataset has them.

    <store>/0017-3f9a1c2b4d5e6f70.tar     its members are <split>/<label>/<clip>.zip: `tar xf` gives the store
    <store>/shards.json                   where each archive lies

A shard's name has a digest of its archives, so another content is another file. An archive that lies in the store by
itself is newer than one of its name in a shard. shard_writer.py makes them.
"""

import json
import re
from typing import NamedTuple

from signs.clips.object_storage import Entry
from signs.command import Problem

INDEX, FORMAT = "shards.json", 1
SHARD = re.compile(r"\d{4,}-[0-9a-f]{16}\.tar")
AGAIN = "run the step again with --shards"


class Shard(NamedTuple):
    """size: bytes; archives: {name below the store: [where it begins, bytes, stamp]}."""

    size: int
    archives: dict[str, list[int]]


def read_index(storage, address: str) -> dict[str, Shard]:
    """{name of a shard: Shard} of the store at an address; raises Problem where that cannot be read."""
    try:
        index = json.loads(storage.cat_file(f"{address}/{INDEX}"))
        if index["format"] != FORMAT:
            raise Problem(f"{address}/{INDEX}: of another version (format {index['format']}, not {FORMAT}); {AGAIN}")
        return {name: checked(name, Shard(*row)) for name, row in index["shards"].items()}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Problem(f"{address}/{INDEX}: damaged; {AGAIN}") from None


def checked(name: str, shard: Shard) -> Shard:
    """The same; raises ValueError, TypeError or AttributeError where it is none that shard_writer.py wrote."""
    if not SHARD.fullmatch(name):
        raise ValueError(name)
    for archive, (start, size, stamp) in shard.archives.items():
        if len(parts := archive.split("/")) != 3 or {"", ".", ".."} & {*parts} or "\0" in archive:
            raise ValueError(archive)
        if not all(type(number) is int and number >= 0 for number in (start, size, stamp, shard.size)):
            raise TypeError(archive)
        if start + size > shard.size:
            raise ValueError(archive)
    return shard


def index_of(shards: dict[str, Shard]) -> str:
    return json.dumps({"format": FORMAT, "shards": shards})


def with_archives(storage, address: str, found: dict[str, Entry]) -> dict[str, Entry]:
    """The objects that a store's list has, those in its shards in place of these; raises Problem where a shard is not
    there or not whole."""
    if INDEX not in found:
        return found
    archives = {}
    for name, shard in read_index(storage, address).items():
        if name not in found or found[name].size != shard.size:
            raise Problem(f"{address}/{name}: not there, or cut short; {AGAIN}")
        archives |= {clip: Entry(size, stamp, name, start) for clip, (start, size, stamp) in shard.archives.items()}
    by_themselves = {name: each for name, each in found.items() if name != INDEX and not SHARD.fullmatch(name)}
    return archives | by_themselves
