"""A network's weights in one small HDF5 file: without those that are zero, in float32, float16 or int8.

    sparse_weights.save(model, "model/small/rgb.sparse.h5", precision="float16")
    sparse_weights.load(model, "model/small/rgb.sparse.h5")       the same network, built by its builder

Like Mullick & Namboodiri (ICIP 2017) it stores a bit for each weight that says whether it is there, and those that are;
HDF5 compresses both. docs/compact.md has the sizes. In it are:

    format      attribute: FORMAT
    variables   JSON: {path: shape} of every variable of the network, `_renumbered`; the parts below are in this order
    places      of the kernels: a bit for each weight, 1 where it is not zero; eight to a byte, the highest first
    values      the kernels' weights that are not zero
    scales      int8 alone: what the values of each output channel are multiplied by
    vectors     biases and normalisation, float32 in every precision: few, and a variance may leave float16's range

Earlier bundles have `<stream>.weights.sparse`, a format of our own, which is read and no longer written: MAGIC;
format and length of the header, 32 bits each; the header, JSON, with a line for each variable; SHA-256 of all before at
the end. A variable is three parts: scales, places (as bits, or as gaps of four bits) and values byte by byte (all first
bytes, all second ...), the last two deflated.
"""

import hashlib
import io
import json
import math
import re
import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

from signs import command
from signs.command import Problem

import h5py
import numpy as np

SUFFIX, OLD_SUFFIX = ".sparse.h5", ".weights.sparse"
FORMAT, OLD_FORMAT = 2, 1
MAGIC = b"\x89weights"
HEADER = struct.Struct("<8sII")
ESCAPE = 15  # a gap of 15 weights or more begins with this, and 15 of it are gone
PRECISIONS = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "int8": np.dtype("i1")}
LARGEST = 65504  # that float16 can hold
# 9 saves 0.3 % more and takes nine times as long.
FILTERS = {"compression": "gzip", "compression_opts": 6, "shuffle": True, "fletcher32": True}
FILTER_CODES = [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_FLETCHER32]
# Raised by what is no such file, or only a part of one.
UNREADABLE = (OSError, RuntimeError, ValueError, LookupError, TypeError, AttributeError, MemoryError)
UNREADABLE += (struct.error, zlib.error)


def save(model, path: Path, precision: str = "float32") -> None:
    """Write `pack` of a Keras model, whole or not at all; `<stream>.sparse.h5` in a bundle."""
    content = pack(model, precision)
    with command.atomic(Path(path)) as temporary:
        temporary.write_bytes(content)


def pack(model, precision: str) -> bytes:
    """The file with the weights of a Keras model; equal weights give equal bytes.

    Args:
        precision: of all but vectors, "float32", "float16" or "int8", the last with a scale an output channel.
    Raises:
        Problem: a weight beyond float16's range, or no number; float32 holds it.
    """
    none = np.zeros(0, np.float32)
    kernels, scales, vectors = [none.astype(PRECISIONS[precision])], [none], [none]
    for variable in model.weights:
        array = np.asarray(variable, np.float32)
        if array.ndim < 2:
            vectors.append(array.ravel())
            continue
        if precision != "float32" and not np.abs(array).max(initial=0) <= LARGEST:
            reason = f"a weight beyond {LARGEST}, or none at all; {precision} cannot hold it, float32 can"
            raise Problem(f"{variable.path}: {reason}")
        if precision == "int8":
            scales.append(np.float32(np.abs(array).max(axis=tuple(range(array.ndim - 1))) / 127))
            array = np.rint(array / np.where(scales[-1] > 0, scales[-1], 1))
        kernels.append(array.astype(PRECISIONS[precision]).ravel())
    weights = np.concatenate(kernels)
    parts = {"variables": json.dumps(_shapes(model)), "places": np.packbits(weights != 0)}
    parts |= {"values": weights[weights != 0], "scales": np.concatenate(scales), "vectors": np.concatenate(vectors)}
    buffer = io.BytesIO()
    with _new_file(buffer) as file:
        file.attrs["format"] = FORMAT
        for name, part in parts.items():
            filters = {**FILTERS, "chunks": part.shape} if np.size(part) and np.ndim(part) else {}
            file.create_dataset(name, data=part, **filters)
    return buffer.getvalue()


def _new_file(buffer: io.BytesIO) -> h5py.File:
    """An empty HDF5 file of the newest form, the smallest, without times."""
    created, access = h5py.h5p.create(h5py.h5p.FILE_CREATE), h5py.h5p.create(h5py.h5p.FILE_ACCESS)
    created.set_obj_track_times(False)
    access.set_libver_bounds(h5py.h5f.LIBVER_LATEST, h5py.h5f.LIBVER_LATEST)
    access.set_fileobj_driver(h5py.h5fd.fileobj_driver, buffer)
    return h5py.File(h5py.h5f.create(b"in memory", h5py.h5f.ACC_TRUNC, created, access))


def load(model, path: Path) -> None:
    """Give a Keras model the weights of a file; where that fails the model keeps its own.

    Raises:
        Problem: the file is cut short, changed, of another format or another network's.
    """
    content, shapes = Path(path).read_bytes(), _shapes(model)
    try:
        arrays = (_read_old if content.startswith(MAGIC) else _read)(content, shapes)
    except UNREADABLE as error:
        text = f"{type(error).__name__}: {error}".splitlines()[0]
        raise Problem(f"{path}: cut short, changed, or no weights of compress.py ({text}); get a whole copy") from None
    except Problem as problem:
        raise Problem(f"{path}: {problem}") from None
    for variable, name in zip(model.weights, shapes, strict=True):
        variable.assign(arrays[name])


def _shapes(model) -> dict[str, tuple[int, ...]]:
    """{path of a variable: its shape}; each has to have a path of its own."""
    shapes = {variable.path: tuple(variable.shape) for variable in model.weights}
    if len(shapes) < len(model.weights):
        raise ValueError("layers of the same name; expected a name for each")
    return _renumbered(shapes)


def _renumbered(shapes: dict) -> dict:
    """The same with the numbers at the ends of names counted from 0 in their order: Keras numbers layers without a name
    as a process makes them, so the same network has `conv2d_3` in one and `conv2d_97` in another."""
    numbers, renamed = {}, {}
    for path, shape in shapes.items():
        parts = []
        for part in path.split("/"):
            name = re.sub(r"(_\d+)+$", "", part)
            known = numbers.setdefault(name, {})
            number = known.setdefault(part, len(known))
            parts.append(f"{name}_{number}" if number else name)
        renamed["/".join(parts)] = shape
    return renamed


def _check_format(version: int, known: int) -> None:
    if version != known:
        raise Problem(f"weight format {version}; this version reads format {known}")


def _check_shapes(shapes: dict, expected: dict) -> None:
    """Raise Problem where a file's variables are not the network's."""
    wrong = [name for name in shapes | expected if shapes.get(name) != expected.get(name)]
    if wrong:
        there, wanted = (part.get(wrong[0], "none") for part in (shapes, expected))
        differ = f"{len(wrong)} variables differ, first {wrong[0]}: {there}, not {wanted}"
        raise Problem(f"another network's weights; {differ}")


def _read(content: bytes, expected: dict) -> dict[str, np.ndarray]:
    """{path of a variable: float32 array}; nothing is unpacked before the shapes are those of the network."""
    with h5py.File(io.BytesIO(content)) as file:
        _check_format(file.attrs["format"], FORMAT)
        shapes = {
            name: tuple(shape) for name, shape in json.loads(_dataset(file, "variables", (), [object])[()]).items()
        }
        shapes = _renumbered(shapes)
        _check_shapes(shapes, expected)
        kernels = {name: shape for name, shape in shapes.items() if len(shape) > 1}
        vectors = {name: shape for name, shape in shapes.items() if len(shape) < 2}
        size = sum(map(math.prod, kernels.values()))
        there = np.unpackbits(_part(file, "places", -(-size // 8), [np.dtype("u1")]), count=size).astype(bool)
        values = _part(file, "values", np.count_nonzero(there), PRECISIONS.values())
        weights = np.zeros(size, np.float32)
        weights[there] = values
        arrays = _split(weights, kernels)
        if values.dtype == PRECISIONS["int8"]:
            channels = {name: shape[-1:] for name, shape in kernels.items()}
            scales = _split(_part(file, "scales", sum(map(math.prod, channels.values()))), channels)
            arrays = {name: array * scales[name] for name, array in arrays.items()}
        return arrays | _split(_part(file, "vectors", sum(map(math.prod, vectors.values()))), vectors)


def _dataset(file: h5py.File, name: str, shape: tuple[int, ...], kinds: Iterable) -> h5py.Dataset:
    """A dataset of that shape and of one of these kinds; ValueError where it is another or lies outside the file."""
    linked = not isinstance(file.get(name, getlink=True), h5py.HardLink)
    if linked or file[name].external or file[name].is_virtual:
        raise ValueError(f"{name} lies elsewhere")
    part = file[name]
    if part.shape != shape or part.dtype not in kinds:
        raise ValueError(f"{name} is {part.dtype} of {part.shape}, expected {shape}")
    return part


def _part(file: h5py.File, name: str, size: int, kinds=(PRECISIONS["float32"],)) -> np.ndarray:
    """(size,) numbers; ValueError, before they are unpacked, where `pack` would not have made them so.

    HDF5 unpacks as much as a filter gives, gigabytes too, so the length is counted before.
    """
    part = _dataset(file, name, (size,), kinds)
    if not size:
        return np.zeros(0, part.dtype)
    made = part.id.get_create_plist()
    filters = [made.get_filter(number)[0] for number in range(made.get_nfilters())]
    if part.chunks != (size,) or filters != FILTER_CODES:
        raise ValueError(f"{name} is packed in another way")
    skipped, packed = part.id.read_direct_chunk((0,))
    if skipped or len(_inflated(packed[:-4], part.nbytes)) < part.nbytes:
        raise ValueError(f"{name} is shorter than it says")
    return part[()]


def _split(numbers: np.ndarray, shapes: dict) -> dict[str, np.ndarray]:
    """One array after the other -> {name: array}."""
    ends = np.cumsum([math.prod(shape) for shape in shapes.values()], dtype=int)
    return {name: part.reshape(shapes[name]) for name, part in zip(shapes, np.split(numbers, ends[:-1]), strict=False)}


def _read_old(content: bytes, expected: dict) -> dict[str, np.ndarray]:
    body, checksum = content[:-32], content[-32:]
    file = io.BytesIO(body)
    _, version, length = HEADER.unpack(file.read(HEADER.size))
    _check_format(version, OLD_FORMAT)
    if hashlib.sha256(body).digest() != checksum:
        raise ValueError("another checksum")
    lines, arrays = json.loads(file.read(length))["variables"], {}
    shapes = {line["path"]: tuple(line["shape"]) for line in lines}
    if len(shapes) < len(lines):
        raise ValueError("a variable stands there twice")
    shapes = _renumbered(shapes)
    _check_shapes(shapes, expected)
    for line, name in zip(lines, shapes, strict=True):
        parts = [file.read(size) for size in line["bytes"]]
        arrays[name] = _old_array(line, *parts, expected[name])
    if file.read(1):
        raise ValueError("more bytes than it says")
    return arrays


def _old_array(line: dict, scales: bytes, places: bytes, values: bytes, shape: tuple[int, ...]) -> np.ndarray:
    size, dtype, there = math.prod(shape), PRECISIONS[line["precision"]], slice(None)
    if line["places"] == "bitmap":
        there = np.flatnonzero(np.unpackbits(_inflated(places, -(-size // 8)), count=size))
    elif line["places"] == "gaps":
        pairs = _inflated(places, size + 1)
        codes = np.stack([pairs >> 4, pairs & 15], axis=1).ravel()
        there = np.cumsum(codes, dtype=int)[codes < ESCAPE] + np.arange(np.count_nonzero(codes < ESCAPE))
    elif line["places"] != "all":
        raise ValueError(f"places as {line['places']!r}")
    array = np.zeros(size, dtype)
    planes = _inflated(values, array[there].nbytes).reshape(dtype.itemsize, -1)
    array[there] = np.ascontiguousarray(planes.T).view(dtype)[:, 0]
    array = array.reshape(shape).astype(np.float32)
    return array * np.frombuffer(scales, "<f4").reshape(shape[-1]) if line["precision"] == "int8" else array


def _inflated(data: bytes, most: int) -> np.ndarray:
    """(N,) uint8, at most so many; ValueError where there are more, or the data has no end."""
    reader = zlib.decompressobj()
    content = reader.decompress(data, most + 1)
    if len(content) > most or not reader.eof or reader.unused_data:
        raise ValueError("a part is not as long as it says")
    return np.frombuffer(content, np.uint8)
