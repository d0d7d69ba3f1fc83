"""The published Kinetics weights of I3D: which there are, where they lie, and fetching them once.

    kinetics.checkpoint("kinetics", "rgb")     -> model/kinetics/rgb_imagenet/model.ckpt

Carreira & Zisserman's checkpoints come from the public git repository google-deepmind/kinetics-i3d (Apache 2.0). A
download that breaks off goes on where it stopped, now or in the next run; what has arrived is checked against the size
and the id that git gives a file (SHA-1 over `blob <size>`, a zero byte and the content) before it gets its name.
"""

import errno
import functools
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from pathlib import Path

from signs import command
from signs.command import Problem
from signs.models import hub

REPOSITORY = "google-deepmind/kinetics-i3d"
ADDRESS = f"https://raw.githubusercontent.com/{REPOSITORY}/master/data/checkpoints"
INDEX, DATA = "model.ckpt.index", "model.ckpt.data-00000-of-00001"
CACHE = Path(__file__).resolve().parents[2] / "model" / "kinetics"
# Where a training may start: the checkpoint of each stream.
STARTS = {
    "kinetics": {"rgb": "rgb_imagenet", "flow": "flow_imagenet"},  # ImageNet, inflated, then Kinetics-400
    "kinetics-scratch": {"rgb": "rgb_scratch", "flow": "flow_scratch"},  # Kinetics-400 alone
    "kinetics-600": {"rgb": "rgb_scratch_kin600"},  # Kinetics-600 alone
    "kinetics-hub": {"rgb": "hub"},  # Kinetics-400, as TensorFlow Hub has it; from a Python package (hub.py)
}
# Bytes of the data file of each checkpoint, and what git calls this file and the index.
DATA_BYTES = {"rgb_imagenet": 50_818_176, "rgb_scratch": 50_818_176, "rgb_scratch_kin600": 103_218_112}
DATA_BYTES |= {"flow_imagenet": 50_730_368, "flow_scratch": 50_730_368}
BLOBS = {
    "rgb_imagenet": ("2958652e0c9c48a65010c0ebda5c9cfd4edc7c18", "5ab1058b8f4f89a896c01f67c0a4c96a31548af7"),
    "flow_imagenet": ("bf56831f663abc3de0d35f193030b73a3df7fb61", "8217f9450d851d24782aaf1af01c5c3b35b81a35"),
    "rgb_scratch": ("fa7df95674dbf3579e7fccd954e51e706b4734c1", "84dd4518e982d9ca6ce1ff02e95fca2e8cbb1f73"),
    "flow_scratch": ("1d6a0b68f32544af11111342857e47e30d13afa9", "193bc425100f3978c793da66bd9eb54baea8dc6a"),
    "rgb_scratch_kin600": ("6392a74c3180e706cabada39d8f40a50a48642e5", "d378d8f01215fe92a29cd170f040c284070e9cd5"),
}
CHUNK = 1 << 18  # bytes
ATTEMPTS = 5  # of a connection that breaks off without bringing anything
PAUSE = 1.0  # seconds before the second attempt; twice as long before each further one
SILENCE = 30  # seconds after which a connection counts as broken


def checkpoint(weights: str, stream: str, address: str = ADDRESS) -> Path:
    """The checkpoint that a stream starts from, fetched if need be: a path as TensorFlow wants it, `.../model.ckpt`, or
    hub.py's file.

    Args:
        weights: a name of STARTS; or a folder with both files, or one that holds such folders, rgb_... and flow_....
        stream: `rgb` or `flow`.
    Raises:
        Problem: there is none, or it cannot be fetched.
    """
    check_weights(weights, stream)
    if weights not in STARTS:
        return _on_disc(Path(weights), stream)
    name = STARTS[weights][stream]
    if name not in BLOBS:
        return hub.find()
    folder, (data, index) = CACHE / name, BLOBS[name]
    with command.lock(folder, wait=True):
        try:
            fetch(f"{address}/{name}/{INDEX}", folder / INDEX, None, index)
            fetch(f"{address}/{name}/{DATA}", folder / DATA, DATA_BYTES[name], data)
        except Problem as problem:
            raise Problem(
                f"{problem}; without a network, copy {INDEX} and {DATA} from data/checkpoints/{name} of the git "
                f"repository {REPOSITORY} to {folder}, or take another start: --weights kinetics-hub (RGB), or "
                "--weights none for a random one where the network itself is trained"
            ) from None
    return folder / "model.ckpt"


def check_weights(weights: str, stream: str) -> None:
    """Raise Problem where there is no such start, without fetching anything."""
    if weights not in STARTS:
        _on_disc(Path(weights), stream)
    elif stream not in STARTS[weights]:
        raise Problem(f"--weights {weights} has no weights for {stream}; use --stream {' or '.join(STARTS[weights])}")
    elif STARTS[weights][stream] not in BLOBS:
        hub.find()


def _on_disc(folder: Path, stream: str) -> Path:
    """A copy that the user has; its content is checked when it is loaded, name by name."""
    inside = [folder / name for names in STARTS.values() for name in names.values() if name.startswith(stream)]
    for place in (folder, *inside):
        if (place / INDEX).is_file() and (place / DATA).is_file():
            return place / "model.ckpt"
    raise Problem(
        f"{folder}: no {INDEX} and {DATA} there or in its {stream}_imagenet; copy them from data/checkpoints of the "
        f"git repository {REPOSITORY}, or name one of {', '.join(STARTS)}; --weights none is a random start, where the "
        "network itself is trained"
    )


def blob_id(path: Path) -> str:
    """What git calls the content of a file."""
    header = b"blob %d\0" % path.stat().st_size
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(header, usedforsecurity=False)).hexdigest()


def fetch(url: str, path: Path, size: int | None, blob: str) -> None:
    """Bring a file to `path`, going on with what an earlier attempt brought; nothing where it is there already.

    Args:
        size: bytes it must have, where known.
        blob: what git calls its content.
    Raises:
        Problem: it cannot be had, or is another file.
    """
    if path.is_file() and blob_id(path) == blob:
        return
    part, failures = path.with_name(f"{path.name}.incomplete"), 0
    part.parent.mkdir(parents=True, exist_ok=True)
    with command.progress(unit="bytes") as bar:
        report = functools.partial(bar.update, bar.add_task(path.parent.name, total=size))
        before = _length(part)
        while reason := _transfer(url, part, size, report):
            failures, before = (0 if _length(part) > before else failures + 1), _length(part)
            if failures >= ATTEMPTS:
                raise Problem(f"{url}: {reason}")
            time.sleep(PAUSE * 2**failures)
    if blob_id(part) != blob:
        bytes_, wanted = part.stat().st_size, f"{size} bytes" if size else "another content"
        part.unlink()
        raise Problem(f"{url}: not the published file ({bytes_} bytes; expected {wanted}, git blob {blob})")
    part.replace(path)


def _length(path: Path) -> int:
    """Bytes of a file; 0 where it is not there."""
    return path.stat().st_size if path.exists() else 0


def _transfer(url: str, part: Path, size: int | None, report) -> str | None:
    """One connection; why it broke off before the end, or None. Raises Problem where another attempt would not help."""
    offset = _length(part)
    if size is not None and offset >= size:
        return None
    request = urllib.request.Request(url, headers={"Range": f"bytes={offset}-"} if offset else {})
    try:
        with urllib.request.urlopen(request, timeout=SILENCE) as answer:
            if answer.status != 206:
                offset = 0  # a server that always sends the whole
            total = offset + int(answer.headers.get("Content-Length") or 0)
            with open(part, "ab" if offset else "wb") as file:
                while chunk := answer.read(CHUNK):
                    file.write(chunk)
                    offset += len(chunk)
                    report(completed=offset, total=size or total)
        return None if offset >= total else f"broke off after {offset} of {total} bytes"
    except urllib.error.HTTPError as error:
        if error.code == 416:  # what is there is as long as the file, or longer: let the check decide
            return None
        if error.code < 500 and error.code != 429:
            raise Problem(f"{url}: the server says {error.code} {error.reason}") from None
        return f"the server says {error.code} {error.reason}"
    except (OSError, http.client.HTTPException) as error:
        if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EACCES):
            raise  # the disc's fault
        return f"no connection ({getattr(error, 'reason', error)})"
