"""Clips for bench_shards.py, kept as one archive each and in shards of several formats.

clips = make(folder, kinds, count, frames, size)    folder/archive/..., folder/<kind>/00000.<kind> ..., index.json
with shard_reader(kind, path) as read: ...          read(place, bytes) -> one archive
"""

import contextlib
import json
import os
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, save_dataset
from signs.clips.spec import StoredSpec

import numpy as np

CLASSES, NOISE = 50, 4
FORMATS = {"tar": None, "parquet": "pyarrow", "arrayrecord": "array_record"}  # and what each needs
STORED = StoredSpec()


def draw(folder: Path, count: int, frames: int) -> Dataset:
    """A data set without videos, its archives and its list of what is done."""
    rng = np.random.default_rng(0)
    clips = [
        Clip(f"{number:07d}.avi", "train", f"{number % CLASSES:03d}", sha256=f"{number:064d}")
        for number in range(count)
    ]
    classes = [Label(f"{number:03d}", f"sign {number}") for number in range(CLASSES)]
    smooth = np.linspace(40, 200, 320)[None, :, None]
    pictures = np.clip(smooth + rng.normal(0, NOISE, (400, 240, 320, 3)), 0, 255).astype(np.uint8)
    coded = list(storage.encode(pictures, STORED.quality).values())
    folder.mkdir(parents=True)
    data = Dataset(folder, clips, classes)
    save_dataset(data)
    for item in clips:
        chosen = rng.integers(0, len(coded), frames)
        members = {f"img_{number:05d}.jpg": coded[which] for number, which in enumerate(chosen, 1)}
        info = {
            **storage.expected_info(item, STORED),
            "times": [number / 10 for number in range(frames)],
            "squares": {},
        }
        storage.write_members(item.archive(folder, STORED.store), members, info)
    return data


def shards_of(paths: list[Path], size: int) -> Iterator[list[Path]]:
    """Archives in parts of so many bytes."""
    part, total = [], 0
    for path in paths:
        part.append(path)
        total += path.stat().st_size
        if total >= size or path is paths[-1]:
            yield part
            part, total = [], 0


def make(folder: Path, kinds: list[str], count: int, frames: int, most: float) -> list[Clip]:
    """Draw the clips and keep them in each way."""
    clips = draw(folder / "archive", count, frames).clips
    paths = [item.archive(folder / "archive", STORED.store) for item in clips]
    for kind in kinds:
        index = {}
        for number, part in enumerate(shards_of(paths, int(most * 1e6))):
            index |= write_shard(kind, folder / kind / f"{number:05d}.{kind}", part)
        (folder / kind / "index.json").write_text(json.dumps(index), encoding="utf-8")
    size = sum(path.stat().st_size for path in paths)
    print(f"{len(paths):,} clips of {size / len(paths) / 1e6:.2f} MB, {number + 1} shards of {kinds}")
    return clips


def write_shard(kind: str, path: Path, archives: list[Path]) -> dict[str, list]:
    """{clip: [shard, place in it, bytes]}; of a tar the place is an offset, else a number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "tar":
        with tarfile.open(path, "w") as tar:
            for each in archives:
                tar.add(each, each.name)
        with tarfile.open(path) as tar:
            return {each.name: [path.name, each.offset_data, each.size] for each in tar}
    if kind == "parquet":
        import pyarrow
        from pyarrow import parquet

        schema = pyarrow.schema([("clip", pyarrow.string()), ("archive", pyarrow.binary())])
        with parquet.ParquetWriter(
            path, schema, compression="none", use_dictionary=False, write_statistics=False
        ) as file:
            for each in archives:
                file.write_table(pyarrow.table([[each.name], [each.read_bytes()]], schema=schema))
    else:
        from array_record.python.array_record_module import ArrayRecordWriter

        writer = ArrayRecordWriter(str(path), "group_size:1,uncompressed")
        for each in archives:
            writer.write(each.read_bytes())
        writer.close()
    return {each.name: [path.name, number, each.stat().st_size] for number, each in enumerate(archives)}


@contextlib.contextmanager
def shard_reader(kind: str, path: Path) -> Iterator[Callable[[int, int], bytes]]:
    """(place, bytes) -> an archive of a shard on the disc; any number of threads may ask."""
    with open(path, "rb") as file:
        if kind == "tar":
            yield lambda place, size: os.pread(file.fileno(), size, place)
        elif kind == "parquet":
            from pyarrow import parquet

            own, about = threading.local(), parquet.read_metadata(path)

            def read(place: int, size: int) -> bytes:
                if not hasattr(own, "file"):
                    own.file = parquet.ParquetFile(path, metadata=about)
                return own.file.read_row_group(place, columns=["archive"], use_threads=False)[0][0].as_py()

            yield read
        else:
            from array_record.python.array_record_module import ArrayRecordReader

            reader = ArrayRecordReader(str(path), "readahead_buffer_size:0,max_parallelism:0")
            yield lambda place, size: reader.read([place])[0]
            reader.close()
