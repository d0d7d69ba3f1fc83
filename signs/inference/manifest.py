"""What belongs into a shared model, and whether it is as manifest.json says.

    manifest.json        size and SHA-256 of every other file
    bundle.json, calibration.json, export.json, export/<form>/...     as in a folder, without names and paths
    networks/...         what finds body and hands, where the model sees points, with its licence
    loops/<n>.zip        what signs look like (sign_loops.py)
    LICENCE.txt          what it is and what it was made of

No other files than these are taken from anybody, whether they come in a zip or from a Hub, and none of them is run. The
networks that find hands are those of our own table.
"""

import json
import re
from pathlib import Path, PurePosixPath

from signs import command
from signs.clips.bounded_zip import AGAIN, Bounds
from signs.clips.names import safe_name
from signs.command import Problem
from signs.inference import sign_loops
from signs.inference.bundle import BUNDLE_FILE
from signs.inference.confidence import CALIBRATION_FILE
from signs.inference.exported import EXPORT_FILE
from signs.inference.runtime import FORMS
from signs.landmarks import models

FORMAT = 1
MANIFEST, NOTE, NETWORKS = "manifest.json", "LICENCE.txt", "networks"
LICENCES = ("LICENSE", "NOTICE")  # of the networks, beside them
NEEDED = (BUNDLE_FILE, EXPORT_FILE, NOTE)
WHOLE = Bounds(members=2000, total=2 << 30)
# Bytes that a file of each kind may have.
TEXT, NETWORK, FORM, LOOP = 8 << 20, 64 << 20, 1 << 30, 2 * sign_loops.BOUNDS.total
FORM_FOLDERS = {form.folder for form in FORMS.values()}
FORM_BYTES = {".json": TEXT, ".xml": NETWORK, ".bin": FORM, ".onnx": FORM, ".tflite": FORM}  # by suffix


def most_bytes(name: str) -> int | None:
    """How large a file of a shared model may be; None where none of that name belongs into it."""
    folder, _, file = name.rpartition("/")
    if folder == "":
        return TEXT if file in (MANIFEST, NOTE, BUNDLE_FILE, CALIBRATION_FILE, EXPORT_FILE) else None
    if folder == NETWORKS:
        return NETWORK if file in {*LICENCES, *(source.name for source in models.SOURCES.values())} else None
    if folder == sign_loops.FOLDER:
        return LOOP if re.fullmatch(r"[1-9]\d{0,3}\.zip", file, re.ASCII) else None
    if folder in FORM_FOLDERS and file == safe_name(file):
        return FORM_BYTES.get(PurePosixPath(file).suffix)
    return None


def write_manifest(files: dict[str, tuple[int, str]]) -> bytes:
    """manifest.json of {name: (bytes, SHA-256)}."""
    rows = {name: {"size": size, "sha256": digest} for name, (size, digest) in sorted(files.items())}
    return (json.dumps({"format": FORMAT, "files": rows}, indent=1) + "\n").encode()


def read_manifest(content: bytes, where: Path) -> dict[str, tuple[int, str]]:
    """{name: (bytes, SHA-256)} of a manifest.json; raises Problem where it is none, or names what does not belong."""
    try:
        table = json.loads(content)
        version, rows = table["format"], table["files"]
        files = {name: (row["size"], row["sha256"]) for name, row in rows.items()}
        whole = all(type(size) is int and re.fullmatch("[0-9a-f]{64}", digest) for size, digest in files.values())
    except (ValueError, RecursionError, KeyError, TypeError, AttributeError):
        version, whole = FORMAT, False
    if version != FORMAT:
        raise Problem(f"{where}: {MANIFEST} of format {version!r:.20}; this version reads format {FORMAT}")
    if not whole:
        raise Problem(f"{where}: {MANIFEST} is damaged; {AGAIN}")
    for name, (size, _) in files.items():
        check_kind(name, size, where)
    networks = {f"{NETWORKS}/{source.name}": source.sha256 for source in models.SOURCES.values()}
    has_networks = any(name.startswith(f"{NETWORKS}/") for name in files)
    for name in (*NEEDED, *(networks if has_networks else ()), *([f"{NETWORKS}/{LICENCES[0]}"] * has_networks)):
        if name not in files:
            raise Problem(f"{where}: {MANIFEST} names no {name}; {AGAIN}")
        if name in networks and files[name][1] != networks[name]:
            raise Problem(f"{where}: {name} is not the known network that finds hands; {AGAIN}")
    return files


def check_kind(name: str, size: int, where: Path) -> None:
    """Raise Problem where a file does not belong into a shared model, or is larger than any there is."""
    most = most_bytes(name)
    if most is None:
        raise Problem(f"{where}: {name[:80]!r} does not belong into a shared model; {AGAIN}")
    if size > most:
        raise Problem(f"{where}: {name} has {size:,} bytes, at most {most:,} are read; {AGAIN}")


def holds(folder: Path, files: dict[str, tuple[int, str]]) -> bool:
    """Whether a folder has just these files, with their hashes, and manifest.json."""
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_symlink() or path.is_file()}
    return there == {*files, MANIFEST} and not any(difference(folder / name, *row) for name, row in files.items())


def difference(path: Path, size: int, digest: str) -> str:
    """What is wrong with a file that should have that size and SHA-256; empty where nothing is."""
    if not path.is_file() or path.is_symlink():
        return "missing"
    if path.stat().st_size != size or command.sha256(path) != digest:
        return f"not the file that {MANIFEST} names"
    return ""


def check_folder(folder: Path) -> None:
    """Raise Problem where a shared model that somebody unpacked has other files than its manifest says."""
    path = folder / MANIFEST
    if path.stat().st_size > TEXT:
        raise Problem(f"{path}: {path.stat().st_size:,} bytes, at most {TEXT:,} are read; {AGAIN}")
    for name, row in read_manifest(path.read_bytes(), folder).items():
        if what := difference(folder / name, *row):
            raise Problem(f"{folder / name}: {what}; {AGAIN}")
