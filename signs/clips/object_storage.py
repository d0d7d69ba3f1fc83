"""What an object storage is asked through fsspec, and each way in which that fails as one line.

    with answers(address) as storage:           s3://bucket/data_set/x, gs://, file://, memory://
        entries = objects_below(storage, address)

Credentials are those that s3fs and gcsfs find (environment, ~/.aws, ...); nothing of them is kept. AWS_ENDPOINT_URL
names another S3 server than Amazon's. An object is there whole or not at all: a writing is one request, so that one
which is stopped leaves nothing; below file:// it is written to a temporary name and renamed.
"""

import contextlib
import errno
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.errors import is_disc_full

# Seconds in which a server must take a connection, and must go on answering; a request is tried so often.
CONNECT, READ, TRIES = 4, 6, 3
LARGE, STORING = 10_000_000, 60  # bytes; in which many seconds so many, all of them sent, must be stored
ONE = 5 * 2**30  # bytes that S3 takes in one request
TIMES = {"connect_timeout": CONNECT, "read_timeout": READ, "retries": {"max_attempts": 0}, "max_pool_connections": 64}
NEEDED = {"s3": "s3fs", "gs": "gcsfs"}
# What an object's entry in a list says of its content, by storage.
CONTENT = ("ETag", "etag", "md5Hash", "mtime", "created", "LastModified")


@dataclass(frozen=True)
class Entry:
    """An object: its bytes, and a number made of what the storage says of its content: another one, another content.
    Of an archive in a shard: that one's name in the store, and where it begins there."""

    size: int
    stamp: int
    shard: str = ""
    start: int = 0


def entry_of(about: dict) -> Entry:
    """The Entry of an object, from how fsspec describes it."""
    content = next((str(about[name]) for name in CONTENT if about.get(name)), "")
    return Entry(int(about["size"]), stamp_of(sha256(f"{about['size']} {content}".encode())))


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stamp_of(digest: str) -> int:
    """The stamp that a SHA-256 gives: of what is said of an object, or of the bytes of an archive in a shard."""
    return int(digest[:7], 16)


def connect(address: str, read: float | None = None):
    """fsspec's file system of an address, which may be silent for READ or so many seconds; raises Problem where it is
    not installed."""
    scheme = address.partition(":")[0]
    try:
        import fsspec

        settings = {"use_listings_cache": False} if scheme in NEEDED else {}
        if scheme == "s3":
            known = fsspec.config.conf.get("s3", {}).get("config_kwargs", {})
            settings["config_kwargs"] = TIMES | ({"read_timeout": read} if read else {}) | known
        storage = fsspec.filesystem(scheme, **settings)
    except ImportError:
        missing = NEEDED.get(scheme, "fsspec")
        raise Problem(
            f'{address}: no {missing} is installed, which {scheme}:// needs; pip install ".[storage]"'
        ) from None
    if scheme == "s3":
        storage.retries = TRIES
        storage.max_concurrency = 1  # an object is read at once, without a question for its size before
    return storage


@contextlib.contextmanager
def answers(address: str, read: float | None = None) -> Iterator:
    """The storage of an address, as `connect`; what it raises within the block is raised as Problem."""
    storage = connect(address, read)
    try:
        yield storage
    except Problem:
        raise
    except Exception as error:
        if is_disc_full(error) or getattr(error, "filename", None):  # of this machine's disc
            raise
        raise Problem(f"{address}: {refusal(error)}") from None


def refusal(error: Exception) -> str:
    """Why a storage did not do what it was asked, in words, and what to do."""
    names = " ".join(kind.__name__ for kind in type(error).__mro__)
    said = " ".join(str(error).split())[:160] or type(error).__name__
    if isinstance(error, PermissionError) or "Credential" in names or "Token" in names or "RefreshError" in names:
        return f"the storage does not let these credentials do that ({said}); renew them, then run the command again"
    if isinstance(error, FileNotFoundError):
        return "not there, or there is no such bucket; look at the address"
    if isinstance(error, ValueError) and "endpoint" in said.lower():
        return f"no address of a server ({said}); set AWS_ENDPOINT_URL anew, or unset it"
    unheard = ("Timeout", "ConnectionError", "ConnectionClosed", "HTTPClientError", "ClientConnect")
    if isinstance(error, TimeoutError | ConnectionError) or any(name in names for name in unheard):
        return f"the storage does not answer ({said}); look at the address and the network, and try again"
    return f"the storage cannot do that ({type(error).__name__}: {said}); try again later"


def name_of(address: str, path: str) -> str:
    """An object's name below an address, from the path that fsspec gives of it."""
    below = address.partition("://")[2].strip("/")
    return (path.partition("://")[2] or path).strip("/").removeprefix(below).strip("/")


def objects_below(storage, address: str) -> dict[str, Entry]:
    """{name below the address: Entry} of every object, by one list however many folders there are; an object at the
    address itself has the empty name."""
    found = storage.find(address, detail=True)
    return {name_of(address, path): entry_of(about) for path, about in found.items() if not path.endswith("/")}


def top_of(storage, address: str) -> tuple[dict[str, Entry], list[str]]:
    """({name: Entry} of the objects, names of the folders) right below an address."""
    files, folders = {}, []
    for about in storage.ls(address, detail=True):
        name = name_of(address, about["name"])
        if about["type"] == "directory":
            folders.append(name)
        elif name:
            files[name] = entry_of(about)
    return files, folders


def part(storage, address: str, entry: Entry, start: int, end: int) -> bytes:
    """Bytes from start to end of an object, or of an archive in the shard at the address."""
    if (start, end) == (0, entry.size) and not entry.shard:
        return storage.cat_file(address)
    return storage.cat_file(address, start=entry.start + start, end=entry.start + end)


def bring(storage, address: str, path: Path, entry: Entry) -> None:
    """Download an object, or its part of a shard, to a path; raises Problem where it has another size than was said,
    or a shard has other bytes."""
    if entry.shard:
        content = part(storage, address, entry, 0, entry.size)
        if stamp_of(sha256(content)) != entry.stamp:
            raise Problem(
                f"{address}: other bytes than its index says; delete it, and run the step again with --shards"
            )
        path.write_bytes(content)
    else:
        storage.get_file(address, str(path))
    if (found := path.stat().st_size) != entry.size:
        raise Problem(
            f"{address}: {found:,} of {entry.size:,} bytes came; it was changed meanwhile, or is cut short: try again"
        )


def send(content: bytes, address: str) -> Entry:
    """Upload an object, whole or not at all; its Entry.

    s3fs would send a large one in parts, which stay at the storage, invisible and paid for, where the sending is
    stopped. And where the last request of it is tried twice, it says that the object is not there.
    """
    with answers(address, STORING if len(content) > LARGE else None) as storage:
        if address.startswith("file://"):
            with command.atomic(Path(storage._strip_protocol(address))) as temporary:
                temporary.write_bytes(content)
        else:
            storage.pipe_file(address, content, **({"chunksize": ONE} if address.startswith("s3://") else {}))
        entry = entry_of(storage.info(address))
    if entry.size != len(content):
        raise Problem(f"{address}: {entry.size:,} of {len(content):,} bytes are there; run the command again")
    return entry


def missing(path: Path) -> FileNotFoundError:
    return FileNotFoundError(errno.ENOENT, "no such object", str(path))
