"""Ways to read all clips of a storage or a folder, for bench_shards.py: one archive a clip, and shards."""

import contextlib
import functools
import json
import random
import shutil
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs.clips import cached_copy, object_storage
from signs.clips.dataset import Clip, load_dataset

from shard_formats import STORED, shard_reader

AHEAD = 256  # clips that the product brings ahead: 16 batches of 16
AT_ONCE = 4  # shards that are brought, and mixed, at the same time


def ahead(threads: int, read: Callable, items: list) -> Iterator:
    with ThreadPoolExecutor(threads) as pool:
        yield from pool.map(read, items)


class Epoch:
    """Ways to read all clips of `order` from nothing: each yields the bytes of one archive after the other.

    there: the address or folder that has a folder a format.
    """

    def __init__(self, there: str, order: list[Clip], threads: int, scratch: Path):
        self.there, self.order, self.threads, self.scratch = there, order, threads, scratch

    def open(self):
        return object_storage.connect(self.there)

    def product(self, kind: str) -> Iterator[bytes]:
        data = load_dataset(cached_copy.opened(Path(f"{self.there}/{kind}")))
        paths = [item.archive(data.folder, STORED.store) for item in self.order]
        for number, path in enumerate(paths):
            cached_copy.read_ahead(paths[number + AHEAD if number else 1 : number + AHEAD + 1])
            with cached_copy.held(path):
                yield path.read_bytes()

    def ranged_archive(self) -> Iterator[bytes]:
        files, store = self.open(), f"{self.there}/archive/{STORED.store}"
        object_storage.objects_below(files, store)
        yield from ahead(
            self.threads, lambda item: files.cat_file(f"{store}/{item.folder}/{item.stem}.zip"), self.order
        )

    def index(self, kind: str) -> dict[str, list]:
        return json.loads(self.open().cat_file(f"{self.there}/{kind}/index.json"))

    def ranged_tar(self) -> Iterator[bytes]:
        files, index = self.open(), self.index("tar")

        def read(item: Clip) -> bytes:
            shard, place, size = index[f"{item.stem}.zip"]
            return files.cat_file(f"{self.there}/tar/{shard}", start=place, end=place + size)

        yield from ahead(self.threads, read, self.order)

    def ranged_parquet(self) -> Iterator[bytes]:
        from pyarrow import parquet

        files, index, own = self.open(), self.index("parquet"), threading.local()

        @functools.cache
        def about(shard: str):
            address = f"{self.there}/parquet/{shard}"
            with files.open(address, cache_type="none") as file:
                return parquet.read_metadata(file)

        def read(item: Clip) -> bytes:
            shard, place, _ = index[f"{item.stem}.zip"]
            mine = own.__dict__
            if shard not in mine:
                file = files.open(f"{self.there}/parquet/{shard}", cache_type="none")
                mine[shard] = parquet.ParquetFile(file, metadata=about(shard))
            return mine[shard].read_row_group(place, columns=["archive"], use_threads=False)[0][0].as_py()

        yield from ahead(self.threads, read, self.order)

    def whole(self, kind: str) -> Iterator[bytes]:
        files, index, rng = self.open(), self.index(kind), random.Random(0)
        rows = defaultdict(list)
        for shard, place, size in index.values():
            rows[shard].append((place, size))
        names = rng.sample(sorted(rows), len(rows))
        parts = [names[start : start + AT_ONCE] for start in range(0, len(names), AT_ONCE)]

        def bring(name: str) -> None:
            files.get_file(f"{self.there}/{kind}/{name}", str(self.scratch / name))

        with ThreadPoolExecutor(AT_ONCE) as pool:
            coming = [pool.submit(bring, name) for name in names]
            for part in parts:
                with contextlib.ExitStack() as opened:
                    readers = {}
                    for name in part:
                        coming.pop(0).result()
                        readers[name] = opened.enter_context(shard_reader(kind, self.scratch / name))
                    mixed = [(name, *row) for name in part for row in rows[name]]
                    for name, place, size in rng.sample(mixed, len(mixed)):
                        yield readers[name](place, size)
                for name in part:
                    (self.scratch / name).unlink()

    def copied(self, kind: str) -> Iterator[bytes]:
        """All of a folder copied to this machine by fsspec, 32 files at once, and then read."""
        files = self.open()
        files.get(f"{self.there}/{kind}", str(self.scratch / kind), recursive=True, batch_size=32)
        yield from Epoch(str(self.scratch), self.order, self.threads, self.scratch).disc(kind)
        shutil.rmtree(self.scratch / kind)

    def disc(self, kind: str) -> Iterator[bytes]:
        """The order asked for, from a folder on this machine."""
        folder = Path(self.there)
        with contextlib.ExitStack() as opened:
            if kind == "archive":
                paths = [item.archive(folder / kind, STORED.store) for item in self.order]
                yield from ahead(self.threads, Path.read_bytes, paths)
                return
            index = json.loads((folder / kind / "index.json").read_bytes())
            names = {shard for shard, *_ in index.values()}
            readers = {name: opened.enter_context(shard_reader(kind, folder / kind / name)) for name in names}

            def read(item: Clip) -> bytes:
                shard, place, size = index[f"{item.stem}.zip"]
                return readers[shard](place, size)

            yield from ahead(self.threads, read, self.order)
