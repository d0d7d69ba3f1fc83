"""A network's weights in one small file: without those that are zero, in float32, float16 or int8.

    sparse.save(model, "model/small/rgb.weights.sparse", precision="float16")
    sparse.load(model, "model/small/rgb.weights.sparse")       the same network, built by its builder

Mullick & Namboodiri (Learning deep and compact models for gesture recognition, ICIP 2017) store 245 thousand of 1.15
million weights in half precision with a bit for each that says whether it is there: 0.635 MB. Here both are deflated,
values byte by byte (all first bytes, all second ...), and where few weights are left the gaps between them, four bits
each, take the bits' place. What is stored is what is smallest; on a trained network of theirs, positions and values of
kernels in MB:

    zeros   bitmap, deflated   gaps, deflated      values in float16   deflated   byte by byte and deflated
     50 %    0.144   0.143      0.288   0.166       1.153               0.969      0.885
     78 %    0.144   0.113      0.132   0.110       0.507               0.411      0.375
     95 %    0.144   0.046      0.055   0.039       0.115               0.089      0.081

The file, little-endian: MAGIC; format and length of the header, 32 bits each; the header, JSON, with path, shape and
encoding of each variable; their bytes in that order; SHA-256 of all before. Vectors (biases, normalisation) are float32
in every precision: they are few, and a variance may leave float16's range. There is nothing in it that could be run.
"""

import hashlib
import json
import struct
import zlib
from pathlib import Path

from signs import command
from signs.command import Problem

import numpy as np

SUFFIX = ".weights.sparse"
MAGIC = b"\x89weights"
FORMAT = 1
PREFIX = struct.Struct(f"<{len(MAGIC)}sII")
DIGEST = 32  # bytes of SHA-256
PRECISIONS = {"float32": np.dtype("<f4"), "float16": np.dtype("<f2"), "int8": np.dtype("i1")}
LARGEST = 65504  # that float16 can hold
ESCAPE = 15  # a gap of 15 weights or more begins with this, and 15 of it are gone


def _deflate(data: bytes) -> bytes:
    return zlib.compress(data, 6)  # 9 saves 0.3 % more and takes nine times as long


def _inflate(data: bytes, most: int) -> bytes:
    """At most so many bytes; ValueError where there are more, or the data has no end."""
    reader = zlib.decompressobj()
    found = reader.decompress(data, most + 1)
    if len(found) > most or not reader.eof or reader.unused_data:
        raise ValueError("a part is not as long as it says")
    return found


def encode_gaps(places: np.ndarray) -> bytes:
    """Ascending indices (K,) -> the gaps between them, two to a byte."""
    gaps = np.diff(places, prepend=-1) - 1
    escapes = gaps // ESCAPE
    codes = np.full(len(gaps) + int(escapes.sum()), ESCAPE, np.uint8)
    codes[np.cumsum(escapes + 1) - 1] = gaps % ESCAPE
    if len(codes) % 2:
        codes = np.append(codes, np.uint8(ESCAPE))  # a gap without an end is none
    return (codes[::2] << 4 | codes[1::2]).tobytes()


def decode_gaps(data: bytes) -> np.ndarray:
    """What `encode_gaps` had: (K,) int64."""
    pairs = np.frombuffer(data, np.uint8)
    codes = np.stack([pairs >> 4, pairs & 15], axis=1).ravel()
    ends = codes < ESCAPE
    return np.cumsum(codes, dtype=np.int64)[ends] + np.arange(np.count_nonzero(ends))


def _planes(values: np.ndarray) -> bytes:
    """The first byte of every value, then the second ...: signs and exponents are alike, the last bits are noise."""
    return values.view(np.uint8).reshape(-1, values.itemsize).T.tobytes()


def encode(values: np.ndarray) -> tuple[str, bytes, bytes]:
    """(N,) of a precision -> how the places of its values are written, the places, the values: the smallest way."""
    places = np.flatnonzero(values)
    left = _deflate(_planes(values[places]))
    return min(
        ("all", b"", _deflate(_planes(values))),
        ("bitmap", _deflate(np.packbits(values != 0).tobytes()), left),
        ("gaps", _deflate(encode_gaps(places)), left),
        key=lambda way: len(way[1]) + len(way[2]),
    )


def decode(way: str, places: bytes, values: bytes, size: int, dtype: np.dtype) -> np.ndarray:
    """What `encode` had, (size,); ValueError where these are not such bytes."""
    if way == "all":
        found = slice(None)
        count = size
    elif way == "bitmap":
        bits = np.frombuffer(_inflate(places, -(-size // 8)), np.uint8)
        found = np.flatnonzero(np.unpackbits(bits, count=size))
        count = len(found)
    elif way == "gaps":
        found = decode_gaps(_inflate(places, size + 1))
        count = len(found)
        if count and found[-1] >= size:
            raise ValueError("a weight beyond the last")
    else:
        raise ValueError(f"places as {way!r}")
    planes = np.frombuffer(_inflate(values, count * dtype.itemsize), np.uint8)
    whole = np.zeros(size, dtype)
    whole[found] = np.ascontiguousarray(planes.reshape(dtype.itemsize, count).T).view(dtype)[:, 0]
    return whole


def _pack(array: np.ndarray, precision: str) -> tuple[dict, list[bytes]]:
    """A variable -> its line of the header, its parts: scales, places, values."""
    precision, scales = precision if array.ndim > 1 else "float32", b""
    if precision != "float32" and not np.abs(array).max(initial=0) <= LARGEST:
        raise ValueError
    if precision == "int8":  # a scale for each output channel, the last axis
        scale = (np.abs(array).max(axis=tuple(range(array.ndim - 1))) / 127).astype("<f4")
        array, scales = np.rint(array / np.where(scale > 0, scale, 1)), scale.tobytes()
    way, *parts = encode(array.astype(PRECISIONS[precision]).ravel())
    line = {"shape": list(array.shape), "precision": precision, "places": way}
    return line, [scales, *parts]


def _unpack(line: dict, parts: list[bytes], shape: tuple[int, ...]) -> np.ndarray:
    """What `_pack` had, float32; ValueError where these are not such parts."""
    scales, places, values = parts
    size = int(np.prod(shape))
    array = decode(line["places"], places, values, size, PRECISIONS[line["precision"]]).reshape(shape)
    array = array.astype(np.float32)
    return array * np.frombuffer(scales, "<f4").reshape(shape[-1]) if line["precision"] == "int8" else array


def _variables(model) -> dict:
    """{path: variable}; each has to have a path of its own."""
    found = {variable.path: variable for variable in model.weights}
    if len(found) < len(model.weights):
        raise ValueError("layers of the same name; expected a name for each")
    return found


def save(model, path: Path, precision: str = "float32") -> None:
    """Write `pack` of a Keras model, whole or not at all.

    Args:
        path: `<stream>.weights.sparse` in a bundle; runtime.py knows it by this suffix.
    """
    content = pack(model, precision)
    with command.atomic(Path(path)) as temporary:
        temporary.write_bytes(content)


def pack(model, precision: str) -> bytes:
    """The file with the weights of a Keras model.

    Args:
        precision: of all but vectors, "float32", "float16" or "int8", the last with a scale an output channel.
    Raises:
        Problem: a weight beyond float16's range, or no number; float32 holds it.
    """
    lines, parts = [], []
    for name, variable in _variables(model).items():
        try:
            line, own = _pack(np.asarray(variable, np.float32), precision)
        except ValueError:
            raise Problem(
                f"{name}: a weight beyond {LARGEST}, or none at all; {precision} cannot hold it, float32 can"
            ) from None
        lines.append({"path": name, **line, "bytes": [len(part) for part in own]})
        parts += own
    header = json.dumps({"variables": lines}).encode()
    content = b"".join([PREFIX.pack(MAGIC, FORMAT, len(header)), header, *parts])
    return content + hashlib.sha256(content).digest()


def _read(path: Path) -> tuple[list[dict], bytes]:
    """The header's lines and what comes after it, of a file that is whole."""
    content = Path(path).read_bytes()
    if len(content) < PREFIX.size + DIGEST or not content.startswith(MAGIC):
        raise Problem(f"{path}: no weight file of sparse_weights.py, or only its beginning; get a whole copy")
    _, version, length = PREFIX.unpack_from(content)
    if version != FORMAT:
        raise Problem(f"{path}: weight format {version}; this version reads format {FORMAT}")
    if hashlib.sha256(content[:-DIGEST]).digest() != content[-DIGEST:]:
        raise Problem(f"{path}: cut short or changed since it was written; get a whole copy")
    header = json.loads(content[PREFIX.size : PREFIX.size + length])
    return header["variables"], content[PREFIX.size + length : -DIGEST]


def _arrays(path: Path, variables: dict) -> dict[str, np.ndarray]:
    """{path of a variable: its array}; nothing is unpacked before its shape is that of the network."""
    lines, content = _read(path)
    names = [line["path"] for line in lines]
    if sorted(names) != sorted(variables):
        missing, extra = sorted(variables.keys() - set(names)), sorted(set(names) - variables.keys())
        raise Problem(
            f"{path}: another network's weights; {len(missing)} variables missing, {len(extra)} unknown"
            f", first {(missing or extra or names)[0]}"
        )
    found, start = {}, 0
    for line in lines:
        shape = tuple(variables[line["path"]].shape)
        if tuple(line["shape"]) != shape:
            raise Problem(
                f"{path}: another network's weights; {line['path']} is {tuple(line['shape'])}, expected {shape}"
            )
        parts = []
        for size in line["bytes"]:
            parts.append(content[start : start + size])
            start += size
        found[line["path"]] = _unpack(line, parts, shape)
    if start != len(content):
        raise ValueError("more bytes than it says")
    return found


def load(model, path: Path) -> None:
    """Give a Keras model the weights of a file; where that fails the model keeps its own.

    Raises:
        Problem: the file is cut short, changed, of another format or another network's.
    """
    variables = _variables(model)
    try:
        found = _arrays(path, variables)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, zlib.error) as error:
        raise Problem(f"{path}: not as sparse_weights.py writes it ({type(error).__name__}: {error})") from None
    for name, variable in variables.items():
        variable.assign(found[name])
