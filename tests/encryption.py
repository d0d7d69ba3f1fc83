"""Zips as the traditional encryption leaves them."""

import zipfile
from pathlib import Path


def encrypt(path: Path, password: bytes) -> None:
    """Turn a zip of stored members into one with the traditional zip encryption."""
    with zipfile.ZipFile(path) as source:
        contents = {info.filename: source.read(info) for info in source.infolist()}
    with zipfile.ZipFile(path, "w") as target:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name)
            crc = zipfile.crc32(content)
            target.writestr(info, _encrypted(bytes(11) + bytes([crc >> 24]) + content, password))
            info.CRC, info.file_size, info.flag_bits = crc, len(content), info.flag_bits | 1
            end = target.fp.tell()
            target.fp.seek(info.header_offset)
            target.fp.write(info.FileHeader(zip64=False))
            target.fp.seek(end)


def _encrypted(content: bytes, password: bytes) -> bytes:
    # The decrypter updates its keys with the plain byte; feeding it plain bytes gives the key stream.
    table = [zipfile._gen_crc(value) for value in range(256)]
    keys = [0x12345678, 0x23456789, 0x34567890]

    def update(byte: int) -> None:
        keys[0] = (keys[0] >> 8) ^ table[(keys[0] ^ byte) & 255]
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = (keys[2] >> 8) ^ table[(keys[2] ^ (keys[1] >> 24)) & 255]

    for byte in password:
        update(byte)
    result = bytearray()
    for byte in content:
        word = keys[2] | 2
        result.append(byte ^ ((word * (word ^ 1)) >> 8) & 255)
        update(byte)
    return bytes(result)
