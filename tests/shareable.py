"""Small models with forms of OpenVINO, written in a moment, to be shared; and zips that are not as they were."""

import hashlib
import json
import zipfile
from pathlib import Path

from signs import command
from signs.clips import posture
from signs.clips.dataset import Label
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.inference import exported, manifest, runtime
from signs.inference.bundle import Bundle, Stream, load_bundle, save_bundle
from signs.inference.confidence import Calibration
from signs.landmarks import models
from signs.landmarks.stream import landmark_spec

import numpy as np
import openvino
from openvino import opset13 as op

PICTURES, MOMENTS = [8, 32, 32, 3], [24, posture.VALUES]
SIGNS = ("left", "right", "up")
# Flags and further columns of a class table as a person's own folders and people may stand in them.
PRIVATE = {"data": "/home/anna/data_set/mine", "weights": "dgs", "train_signers": ["anna"]}


def write_model(folder: Path, points: bool = False, forms: tuple[str, ...] = ("openvino", "openvino-int8")) -> Path:
    """A bundle that sees pictures, or points, with exported forms and calibration; its Keras weights are none."""
    folder.mkdir(parents=True)
    (folder / "net.weights.h5").write_bytes(b"never read")
    name, network, shape = ("landmark", "landmark", MOMENTS) if points else ("rgb", "i3d", PICTURES)
    stream = Stream(name, name, network, {"input_shape": shape, "classes": 3}, {"weights": "net.weights.h5"})
    stored = StoredSpec(landmark=landmark_spec()) if points else StoredSpec("8", 36)
    spec = ClipSpec(stored, InputSpec(shape[0], 36, 32))
    classes = [Label(label, label.title(), "gesture", {"asked": "anna"}) for label in SIGNS]
    about = {"flags": {"script": "train_landmark.py", **PRIVATE}, "data": {"folder": "anna", "clips": {"train": 9}}}
    save_bundle(Bundle(folder, spec, classes, [stream], "mean", {**about, "training": {"anna": 1.0}}))
    bundle, rows = load_bundle(folder), {}
    for number, form in enumerate(forms):
        path = exported.path_of(bundle, runtime.FORMS[form], stream)
        write_network(path, shape)
        files = {file.name: command.sha256(file) for file in path.parent.iterdir()}
        times = {"ms": 1 + number, "after_ms": 1 + number, "together": False, "processor": "anna's laptop"}
        rows[form] = {"use": True, "why": "", "sha256": files, **times}
    exported.write_forms(bundle, rows, {"data": "anna"})
    Calibration(1.5, {}, 0.4, {"by": "anna"}, bundle.hashes).write(folder)
    return folder


def write_network(path: Path, shape: list[int]) -> None:
    """Each class is told by the mean of what is seen."""
    path.parent.mkdir(parents=True)
    clip = op.parameter([1, *shape], np.float32, name="clip")
    means = op.reduce_mean(clip, np.arange(1, len(shape)), False)
    weights = np.random.default_rng(0).standard_normal((shape[-1], 3)).astype(np.float32)
    model = openvino.Model([op.matmul(means, weights, False, False)], [clip])
    openvino.save_model(model, path, compress_to_fp16=False)


def small_networks(folder: Path, monkeypatch) -> Path:
    """Files that stand in for the networks that find hands, as the table then has them, and their licence."""
    folder.mkdir(parents=True)
    known = {}
    for name, source in models.SOURCES.items():
        content = f"the network {name}".encode()
        (folder / source.name).write_bytes(content)
        known[name] = models.Source(source.path, hashlib.sha256(content).hexdigest(), source.outputs)
    for name in manifest.LICENCES:
        (folder / name).write_text(f"{name} of the networks")
    monkeypatch.setattr(models, "SOURCES", known)
    use_networks(folder, monkeypatch)
    return folder


def use_networks(folder: Path, monkeypatch) -> None:
    """The networks of this machine lie there, or do not."""
    monkeypatch.setattr(models, "FOLDER", folder)
    for function in (models.missing, models.check_there, models.open_networks):
        monkeypatch.setattr(function, "__defaults__", (folder,))
    monkeypatch.setattr(models, "_OFFERED", [])


def contents(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def rebuilt(path: Path, changes: dict[str, bytes | None], honest: bool = False, packed: int = 0) -> None:
    """Write a zip again with other files, None for one that is gone; honest: with a manifest that fits them."""
    files = {name: content for name, content in (contents(path) | changes).items() if content is not None}
    if honest:
        rows = {name: (len(each), hashlib.sha256(each).hexdigest()) for name, each in files.items()}
        rows.pop(manifest.MANIFEST, None)
        files[manifest.MANIFEST] = manifest.write_manifest(rows)
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, packed)


def with_member(path: Path, info: zipfile.ZipInfo, content: bytes = b"") -> None:
    """Add a member that is not as others."""
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, content)


def edited(path: Path, change) -> None:
    """Write a zip again with its manifest changed: `change` gets the table."""
    table = json.loads(contents(path)[manifest.MANIFEST])
    change(table)
    rebuilt(path, {manifest.MANIFEST: json.dumps(table).encode()})


def patch_row(path: Path, name: str, at: int, value: bytes) -> None:
    """Write over some bytes of a member's row in the table of contents, `at` from the row's begin."""
    content = bytearray(path.read_bytes())
    row = content.rindex(name.encode()) - 46
    assert content[row : row + 4] == b"PK\1\2"
    content[row + at : row + at + len(value)] = value
    path.write_bytes(content)


def patch_end(path: Path, at: int, value: bytes) -> None:
    """Write over some bytes of the end of the table of contents, `at` from its begin."""
    content = bytearray(path.read_bytes())
    place = len(content) - 22 + at
    content[place : place + len(value)] = value
    path.write_bytes(content)
