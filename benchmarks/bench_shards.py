"""One archive a clip, or shards of many? Listing, first batch, whole epochs, resume and one changed clip, S3 and disc.

    python benchmarks/bench_shards.py --clips 2000 --folder /tmp/shards --latency 0 5 20 100

The clips are archives of pictures of noise, 0.9 MB with 40 frames, written by the product. They are kept one by one
(`archive`), and in shards of `--shard` MB: `tar` (uncompressed, one member a clip, offsets in index.json), `parquet`
(a binary column, uncompressed, a row group a clip) and `arrayrecord` (uncompressed, a group a clip), as far as pyarrow
and array_record are installed. The order is drawn anew over all clips; the CRCs of all bytes are compared. The ways:

    product         as a training does: list, copies brought to the cache by 16 threads, 256 clips ahead; of archives
                    and of what `frame.py --shards` makes
    ranged          a request a clip by `--threads` threads, kept in memory; of a shard its bytes alone
    copied          all of it to the disc by fsspec's `get`, 32 files at once, and read from there
    whole           four shards at a time to the disc, clips in an order drawn within each four: not the order asked for

With `--decode` three of them are also read as a training reads, with all pictures decoded on all cores (`decoded`).

S3 is moto's server in a process of its own, whose front waits `--latency` ms before each answer and sends contents of
objects itself, as moto would copy a whole object for each range of it. Epochs on a disc begin with a cold page cache
(/proc/sys/vm/drop_caches, root's). Printed: medians of `--repeat` rounds. The last line is JSON.
"""

import argparse
import functools
import importlib.util
import io
import json
import os
import random
import statistics
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from signs import command
from signs.clips import cached_copy, copy_room, done_list, object_storage, shard_writer, shards, storage
from signs.clips.dataset import Clip, load_dataset

from shard_epochs import Epoch
from shard_formats import FORMATS, STORED, make
from slow_storage import BUCKET, Server, slow_storage

BATCH = 16


def timed(epoch: Callable[[], Iterator[bytes]], server: Server | None = None) -> dict[str, float]:
    """Seconds until a batch and until all clips are there, seconds of this process, requests; the sum of all CRCs."""
    if server:
        server.asked.value = 0
    began, worked, first, crc, count = time.perf_counter(), time.process_time(), 0.0, 0, 0
    for content in epoch():
        crc, count = crc + zlib.crc32(content), count + 1
        if count == BATCH:
            first = time.perf_counter() - began
    taken = {"first": first, "seconds": time.perf_counter() - began, "worked": time.process_time() - worked}
    return {**taken, "clips": count, "crc": crc, "requests": server.asked.value if server else 0}


def decoded(way: Callable[[], Iterator[bytes]]) -> Iterator[bytes]:
    """The archives of a way once their pictures are decoded, on as many cores as there are."""

    def decode(content: bytes) -> bytes:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            storage.decode([archive.read(name) for name in archive.namelist() if name.endswith(".jpg")], 1)
        return content

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(decode, way())


def cold(folder: Path) -> str:
    """Have nothing of the folder in memory; how."""
    os.sync()
    try:
        Path("/proc/sys/vm/drop_caches").write_text("3\n", encoding="ascii")
        return "drop_caches"
    except OSError:
        for path in folder.rglob("*.*"):
            with open(path, "rb") as file:
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        return "fadvise"


def on_storage(
    there: str, order: list[Clip], kinds: list[str], threads: list[int], decode: bool, server: Server
) -> dict[str, dict]:
    """{way: what it takes} of each way to read an epoch."""
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        epochs = {count: Epoch(there, order, count, Path(scratch)) for count in threads}
        product = epochs[threads[0]].product
        ways = {
            "product": functools.partial(product, "archive"),
            "product, shards": functools.partial(product, "packed"),
        }
        for count, epoch in epochs.items():
            ways |= {f"archive ranged {count}": epoch.ranged_archive, f"tar ranged {count}": epoch.ranged_tar}
        if "parquet" in kinds:
            ways[f"parquet ranged {threads[0]}"] = epochs[threads[0]].ranged_parquet
        for kind in kinds:
            ways[f"{kind} whole"] = functools.partial(epochs[threads[0]].whole, kind)
        ways |= {f"{kind} copied": functools.partial(epochs[threads[0]].copied, kind) for kind in ("archive", "tar")}
        some = ("product", "product, shards", "tar whole") if decode else ()
        ways |= {f"{name}, decoded": functools.partial(decoded, ways[name]) for name in some}
        for name, way in ways.items():
            os.sync()
            with tempfile.TemporaryDirectory() as os.environ["XDG_CACHE_HOME"]:
                rows[name] = timed(way, server)
            print(f"{name}: {rows[name]}", file=sys.stderr, flush=True)
    return rows


def on_disc(folder: Path, order: list[Clip], kinds: list[str]) -> dict[str, dict]:
    rows, epoch = {}, Epoch(str(folder), order, 4, folder)
    for kind in ("archive", *kinds):
        cold(folder)
        rows[f"{kind} disc"] = timed(functools.partial(epoch.disc, kind))
        cold(folder)
        with tempfile.TemporaryDirectory(dir=folder.parent) as copy:
            began = time.perf_counter()
            subprocess.run(["cp", "-r", folder / kind, copy], check=True)
            os.sync()
            rows[f"{kind} disc"]["copied"] = time.perf_counter() - began
    return rows


def asked(server: Server | None, work: Callable) -> dict[str, float]:
    """What one piece of work takes."""
    if server:
        server.asked.value, server.own.value = 0, 0.0
    began = time.perf_counter()
    work()
    taken = {"seconds": time.perf_counter() - began}
    return taken | ({"requests": server.asked.value, "own": server.own.value} if server else {})


def write_done(there: str) -> None:
    """The storage's list of what is done, as frame.py leaves it."""
    with tempfile.TemporaryDirectory() as os.environ["XDG_CACHE_HOME"]:
        done_list.write(load_dataset(cached_copy.opened(Path(f"{there}/archive"))), STORED)


def listing_and_resume(there: str, folder: Path, order: list[Clip], names: int, server: Server) -> dict[str, dict]:
    """What it takes to know what is there, and that all is done, in archives and in shards."""
    files, local = object_storage.connect(there), load_dataset(folder / "archive")

    def listed(address: str) -> None:
        shards.with_archives(files, address, object_storage.objects_below(files, address))

    def done(kind: str) -> None:
        with tempfile.TemporaryDirectory() as os.environ["XDG_CACHE_HOME"]:
            data = load_dataset(cached_copy.opened(Path(f"{there}/{kind}")))
            assert None not in done_list.read_infos(data, data.clips, STORED)

    def done_on_disc() -> None:
        assert None not in done_list.read_infos(local, order, STORED)

    rows = {f"list, {names:,} archives": asked(server, lambda: listed(f"{there}/many"))}
    rows["list, archives"] = asked(server, lambda: listed(f"{there}/archive/{STORED.store}"))
    rows["list, shards"] = asked(server, lambda: listed(f"{there}/packed/{STORED.store}"))
    rows |= {"resume, archives": asked(server, lambda: done("archive"))}
    rows |= {"resume, shards": asked(server, lambda: done("packed"))}
    cold(folder)
    rows["resume, archives, disc"] = asked(None, done_on_disc)
    return rows


def one_changed(there: str, folder: Path, item: Clip, server: Server) -> dict[str, dict]:
    """A clip's archive is written again: what goes to the storage. A shard is made anew of its members."""
    path, files = item.archive(folder / "archive", STORED.store), object_storage.connect(there)
    shard = folder / "tar" / json.loads((folder / "tar" / "index.json").read_bytes())[path.name][0]

    def shard_again() -> None:
        with tempfile.TemporaryDirectory() as scratch:
            new = Path(scratch) / shard.name
            with tarfile.open(shard) as old, tarfile.open(new, "w") as tar:
                for member in old:
                    tar.addfile(member, old.extractfile(member))
            files.put_file(str(new), f"{there}/changed/{shard.name}")
            files.put_file(str(folder / "tar" / "index.json"), f"{there}/changed/index.json")

    rows = {
        "one clip changed, archive": asked(server, lambda: files.put_file(str(path), f"{there}/changed/{path.name}"))
    }
    rows["one clip changed, tar shard"] = asked(server, shard_again)
    for row, file in zip(rows.values(), (path, shard), strict=True):
        row["megabytes"] = file.stat().st_size / 1e6
    return rows


def print_rows(rows: dict[str, dict[str, float]]) -> None:
    columns = {
        "seconds": "seconds",
        "first": f"first {BATCH} clips, s",
        "pace": "clips/s",
        "each": "ms of a processor a clip",
        "copied": "copied, s",
        "requests": "requests",
        "own": "of moto, s",
        "megabytes": "MB",
    }
    for row in rows.values():
        if "clips" in row:
            row |= {"pace": row["clips"] / row["seconds"], "each": 1e3 * row["worked"] / row["clips"]}
    shown = {name: head for name, head in columns.items() if any(name in row for row in rows.values())}
    cells = [[way, *(f"{row[name]:,.2f}" if name in row else "" for name in shown)] for way, row in rows.items()]
    command.print_table(["", *shown.values()], cells)


def middle(rounds: list[dict[str, dict]]) -> dict[str, dict]:
    """{row: {number: its median over the rounds}}."""
    return {
        name: {part: statistics.median(each[name][part] for each in rounds) for part in row}
        for name, row in rounds[0].items()
    }


def main(argv=None) -> int:
    flags = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    flags.add_argument("--clips", type=int, default=2000)
    flags.add_argument("--frames", type=int, default=40, help="pictures a clip, of 23 kB each (default: %(default)s)")
    flags.add_argument("--shard", type=float, default=200, help="MB (default: %(default)s)")
    flags.add_argument("--names", type=int, default=8000, help="objects of a long list (default: %(default)s)")
    flags.add_argument(
        "--latency", type=float, nargs="+", default=[0, 5, 20], help="ms before each answer of the storage"
    )
    flags.add_argument("--threads", type=int, nargs="+", default=[16, 64])
    flags.add_argument("--decode", action="store_true", help="also with all pictures decoded")
    flags.add_argument("--repeat", type=int, default=3)
    flags.add_argument("--folder", type=Path, help="where they are made and deleted (default: temporary)")
    args = flags.parse_args(argv)
    kinds = [kind for kind, module in FORMATS.items() if not module or importlib.util.find_spec(module)]
    print(f"formats: archive, {', '.join(kinds)}")
    with tempfile.TemporaryDirectory(dir=args.folder) as place:
        folder, there = Path(place) / "data", f"s3://{BUCKET}"
        clips = make(folder, kinds, args.clips, args.frames, args.shard)
        shard_writer.SIZE = args.shard * 1e6
        shard_writer.pack(load_dataset(folder / "archive"), STORED, f"file://{folder}/packed", 1)
        order = random.Random(1).sample(clips, len(clips))
        os.environ[copy_room.LIMIT] = "100"
        found = {"disc": middle([on_disc(folder, order, kinds) for _ in range(args.repeat)])}
        print_rows(found["disc"])
        with slow_storage(folder, args.names) as server:
            write_done(there)
            for latency in args.latency:
                server.latency.value = latency
                rounds = [
                    on_storage(there, order, kinds, args.threads, args.decode, server) for _ in range(args.repeat)
                ]
                assert len({row["crc"] for each in rounds for row in each.values()}) == 1, "other bytes came"
                rows = middle(rounds) | listing_and_resume(there, folder, order, args.names, server)
                found[f"{latency:g} ms"] = rows | one_changed(there, folder, order[0], server)
                print(f"{latency:g} ms before each answer, load {os.getloadavg()[0]:.1f}")
                print_rows(found[f"{latency:g} ms"])
    print(json.dumps({"clips": args.clips, "load": os.getloadavg()[0], **found}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
