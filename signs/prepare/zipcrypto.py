"""Members of an encrypted zip archive, in the traditional encryption (PKWARE's APPNOTE, section 6.1).

Python's own reader decrypts a byte at a time in the interpreter, 1 MB/s: hours for a data set. This is the same loop
compiled by Numba, some 40 times faster; what is decrypted goes through Python's reader. AES is not read.
"""

import copy
import struct
import zipfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numba
import numpy as np

CHUNK = 1 << 20  # bytes
HEADER = 12  # encrypted bytes in front of each member; the last one tells a wrong password, mostly
KEYS = (0x12345678, 0x23456789, 0x34567890)


# zlib inverts all bits before a byte and after it: without that, a byte's CRC-32 is its entry in the table.
CRC_TABLE = np.array([zlib.crc32(bytes([byte ^ 0xFF])) ^ 0xFF000000 for byte in range(256)], np.int64)


@numba.njit(cache=True)
def _run(keys, table, data, decrypt):
    """Advance `keys` (3,) int64 by `data` (N,) uint8, decrypting it in place or taking it as plain (a password)."""
    key0, key1, key2 = keys
    for index in range(data.size):
        byte = np.int64(data[index])
        if decrypt:
            word = (key2 | 2) & 0xFFFF
            byte ^= ((word * (word ^ 1)) >> 8) & 255
            data[index] = byte
        key0 = (key0 >> 8) ^ table[(key0 ^ byte) & 255]
        key1 = ((key1 + (key0 & 255)) * 134775813 + 1) & 0xFFFFFFFF
        key2 = (key2 >> 8) ^ table[(key2 ^ (key1 >> 24)) & 255]
    keys[0], keys[1], keys[2] = key0, key1, key2


class _Decrypted:
    """An encrypted member's bytes in the clear, read as from a file."""

    def __init__(self, file: BinaryIO, password: bytes):
        self.file, self.keys = file, np.array(KEYS, np.int64)
        _run(self.keys, CRC_TABLE, np.frombuffer(password, np.uint8).copy(), False)

    def read(self, size: int) -> bytes:
        data = np.frombuffer(self.file.read(size), np.uint8).copy()
        _run(self.keys, CRC_TABLE, data, True)
        return data.tobytes()


def decrypt_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, password: bytes) -> Iterator[bytes]:
    """The content of an encrypted member, in chunks; raises as `ZipFile.open` does, and never yields over its size."""
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise NotImplementedError(f"method {info.compress_type}")
    with open(archive.filename, "rb") as file:
        file.seek(info.header_offset)
        time, name_size, extra_size = struct.unpack_from("<10xH14xHH", file.read(30))
        file.seek(name_size + extra_size, 1)
        packed, rest = _Decrypted(file, password), copy.copy(info)
        front = packed.read(HEADER)
        if front[-1:] != bytes([(time >> 8) if info.flag_bits & 8 else (info.CRC >> 24)]):
            raise RuntimeError(f"Bad password for file {info.filename!r}")
        rest.compress_size -= HEADER
        with zipfile.ZipExtFile(packed, "r", rest) as member:
            while chunk := member.read(CHUNK):
                yield chunk
