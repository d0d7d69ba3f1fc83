"""A shared model is opened as it was written; one that was changed is not: nothing parses it, nothing stays of it."""

import functools
import json
import shutil
import zipfile
from pathlib import Path

from signs.clips import cache
from signs.command import Problem
from signs.inference import manifest, shared, sign_loops
from signs.inference.recogniser import Recogniser
from signs.landmarks import models

import numpy as np
import pytest

import share
import shareable
import tiny
from shareable import contents, edited, rebuilt

FORM = "export/openvino/landmark.bin"
HAND = f"{manifest.NETWORKS}/hand_landmark_full.tflite"


@pytest.fixture
def path(tmp_path, monkeypatch) -> Path:
    """A shared model that sees points; this machine has no networks that find them, nor has opened one before."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shareable.small_networks(tmp_path / "mediapipe", monkeypatch)
    model = shareable.write_model(tmp_path / "model", points=True)
    assert share.main(["--model", str(model), "--output", str(tmp_path / "mine.zip")]) == 0
    shareable.use_networks(tmp_path / "none", monkeypatch)
    return tmp_path / "mine.zip"


def kept(path: Path) -> list[str]:
    """What opening it left in the user's cache, but for locks."""
    return [name for name in map(str, path.parent.glob("cache/signs/shared/*")) if ".lock" not in name]


def seen(recogniser: Recogniser) -> np.ndarray:
    (row,) = recogniser.bundle.streams
    clips = np.random.default_rng(1).standard_normal((2, *row.arguments["input_shape"])).astype(np.float32)
    return recogniser.logits(row, clips)


def test_it_answers_as_the_folder_does(path):
    folder, other = Recogniser.load(path.parent / "model", "openvino"), Recogniser.load(path)
    np.testing.assert_array_equal(seen(folder), seen(other))
    assert other.labels == folder.labels and other.name("left") == "Left" and other.runtime == "openvino"
    assert other.calibration.threshold == 0.4 and other.calibration.temperature == 1.5
    assert other.bundle.shared and not list(other.bundle.folder.rglob("*.h5"))


def test_the_networks_of_the_zip_are_opened_where_this_machine_has_none(path, monkeypatch):
    asked = []
    monkeypatch.setattr(models, "open_networks", lambda *folder: asked.append(folder))
    models.networks_here.__wrapped__()
    folder = shared.open_model(path).folder
    models.networks_here.__wrapped__()
    shareable.use_networks(path.parent / "mediapipe", monkeypatch)
    monkeypatch.setattr(models, "open_networks", lambda *folder: asked.append(folder))
    shared.open_model(path)
    models.networks_here.__wrapped__()
    assert asked == [(), (folder / manifest.NETWORKS,), ()]
    models.check_there(folder / manifest.NETWORKS)


def test_the_cache_is_taken_as_long_as_it_is_what_was_written(path, monkeypatch):
    folder = shared.open_model(path).folder
    assert folder.parent == cache.cache_folder() / "shared" and folder.stat().st_mode & 0o777 == 0o700
    unpack = shared.SharedZip.unpack
    monkeypatch.setattr(shared.SharedZip, "unpack", lambda *_: pytest.fail("it was unpacked before"))
    assert shared.open_model(path).folder == folder
    monkeypatch.setattr(shared.SharedZip, "unpack", unpack)
    before = tiny.contents(folder)
    for spoil in (
        lambda: (folder / FORM).write_bytes(bytes((folder / FORM).stat().st_size)),
        lambda: (folder / "net.weights.h5").write_bytes(b"planted"),
        lambda: (folder / HAND).unlink(),
        lambda: ((folder / FORM).unlink(), (folder / FORM).symlink_to(path.parent / "model" / FORM)),
        lambda: (shutil.move(folder / FORM, folder / "x"), folder.rename(folder.with_name(f".{folder.name}.part"))),
    ):
        spoil()
        assert shared.open_model(path).folder == folder and tiny.contents(folder) == before
        assert kept(path) == [str(folder)]


@pytest.mark.parametrize("way", ["no folder", "of others"])
def test_without_a_cache_it_is_opened_all_the_same(path, monkeypatch, way):
    if way == "no folder":
        monkeypatch.setenv("XDG_CACHE_HOME", str(path))
    else:
        (cache.cache_folder() / "shared").mkdir(parents=True)
        (cache.cache_folder() / "shared").chmod(0o777)
    folder = shared.open_model(path).folder
    assert not kept(path) and not folder.is_relative_to(path.parent / "cache") and (folder / FORM).is_file()


def test_a_damaged_loop_is_named_as_it_lies_in_the_zip(path):
    rebuilt(path, {"loops/1.zip": b"x"}, honest=True)
    bundle = shared.open_model(path)
    with pytest.raises(Problem) as problem:
        sign_loops.loops_of(bundle)
    assert str(problem.value).startswith(f"{path}/loops/1.zip: ") and "cache" not in str(problem.value)


def test_an_unpacked_zip_is_checked_too(path, tmp_path):
    folder = tmp_path / "by hand"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(folder)
    assert shared.open_model(folder).folder == folder
    rows = json.loads((folder / "calibration.json").read_text()) | {"temperature": 9}
    (folder / "calibration.json").write_text(json.dumps(rows))
    with pytest.raises(Problem, match="calibration.json: not the file that manifest.json names; get a whole"):
        shared.open_model(folder)
    (folder / "calibration.json").unlink()
    with pytest.raises(Problem, match="calibration.json: missing"):
        shared.open_model(folder)


def other_row(table: dict, name: str = FORM, **values) -> None:
    table["files"][name].update(values)


def flipped(path: Path) -> None:
    """One bit of the weights is another."""
    content, weights = bytearray(path.read_bytes()), contents(path)[FORM]
    content[content.index(weights) + len(weights) // 2] ^= 1
    path.write_bytes(content)


def with_json(path: Path, name: str, change) -> None:
    """Somebody who changes a file, and the manifest with it."""
    table = json.loads(contents(path)[name])
    change(table)
    rebuilt(path, {name: json.dumps(table).encode()}, honest=True)


ROW = {"size": 1, "sha256": "0" * 64}
# fmt: off
CHANGED = {
    "a bit": (flipped, f"{FORM} is damaged .Bad CRC"),
    "a file": (lambda path: rebuilt(path, {FORM: bytes(len(contents(path)[FORM]))}), f"{FORM} is not the file that"),
    "a longer file": (lambda path: rebuilt(path, {"bundle.json": b"{}"}), "bundle.json has 2 bytes, .* in manifest"),
    "a hash": (lambda path: edited(path, functools.partial(other_row, sha256="0" * 64)), f"{FORM} is not the file"),
    "a size": (lambda path: edited(path, functools.partial(other_row, size=5)), r"bytes, 5 in manifest.json"),
    "no hash": (lambda path: edited(path, functools.partial(other_row, sha256="x")), "manifest.json is damaged"),
    "no size": (lambda path: edited(path, functools.partial(other_row, size=True)), "manifest.json is damaged"),
    "no table": (lambda path: rebuilt(path, {manifest.MANIFEST: b"[]"}), "manifest.json is damaged"),
    "a deep one": (lambda path: rebuilt(path, {manifest.MANIFEST: b"[" * 100_000}), "manifest.json is damaged"),
    "another format": (lambda path: edited(path, lambda table: table.update(format=2)), "of format 2; this version"),
    "no manifest": (lambda path: rebuilt(path, {manifest.MANIFEST: None}), "no manifest.json in it"),
    "a file less": (lambda path: rebuilt(path, {FORM: None}), f"{FORM} is missing"),
    "a file more": (lambda path: rebuilt(path, {"export/openvino/x.bin": b"x"}), "export/openvino/x.bin was added"),
    "a script": (lambda path: rebuilt(path, {"run.py": b"x"}, honest=True), "'run.py' does not belong into a shared"),
    "weights": (lambda path: rebuilt(path, {"net.weights.h5": b"x"}, honest=True), "'net.weights.h5' does not belong"),
    "a library": (lambda path: rebuilt(path, {"export/openvino/x.so": b"x"}, honest=True), "x.so' does not belong"),
    "a video": (lambda path: rebuilt(path, {"loops/1.mp4": b"x"}, honest=True), "loops/1.mp4' does not belong"),
    "a name in it": (lambda path: edited(path, lambda table: table["files"].update({"../x": ROW})), "'../x' does"),
    "a long text": (lambda path: rebuilt(path, {manifest.NOTE: bytes(9 << 20)}, honest=True), "at most 8,388,608 are"),
    "a network": (lambda path: rebuilt(path, {HAND: b"another"}, honest=True), f"{HAND} is not the known network"),
    "no network": (lambda path: rebuilt(path, {HAND: None}, honest=True), f"names no {HAND}"),
    "no licence": (lambda path: rebuilt(path, {"networks/LICENSE": None}, honest=True), "names no networks/LICENSE"),
    "no note": (lambda path: rebuilt(path, {manifest.NOTE: None}, honest=True), "names no LICENCE.txt"),
    "cut short": (lambda path: path.write_bytes(path.read_bytes()[:-2000]), "cut short"),
    "empty": (lambda path: path.write_bytes(b""), "cut short, or no zip"),
    "a bomb": (
        lambda path: rebuilt(path, {FORM: bytes(8 << 20)}, honest=True, packed=zipfile.ZIP_DEFLATED),
        "says that it unpacks to 8,388,608 bytes",
    ),
    "up": (lambda path: shareable.with_member(path, zipfile.ZipInfo("../x"), b"x"), "'../x' is no plain name"),
    "huge": (lambda path: shareable.patch_row(path, FORM, 20, b"\0\0\0\xc0" * 2), "at most 2,000 and 2,147,483,648"),
}
# fmt: on


@pytest.mark.parametrize("what", CHANGED)
def test_what_was_changed_is_one_line_and_is_not_parsed(path, monkeypatch, what):
    spoil, said = CHANGED[what]
    spoil(path)
    monkeypatch.setattr(shared, "load_bundle", lambda folder: pytest.fail("it was parsed"))
    with pytest.raises(Problem, match=said) as caught:
        Recogniser.load(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)
    assert not kept(path)


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("bundle.json", lambda table: table.update(format=2), "mine.zip.bundle.json: bundle format 2"),
        ("bundle.json", lambda table: table.pop("shared"), "net.weights.h5: missing, though bundle.json names it"),
        ("bundle.json", lambda table: table["streams"][0].update(network="os.system"), "network 'os.system'; known"),
        ("export.json", lambda table: table["forms"]["openvino"].pop("ms"), "export.json: openvino is incomplete"),
        ("export.json", lambda table: table["forms"]["openvino"].update(sha256=["x"]), "openvino is incomplete"),
        ("export.json", lambda table: table["forms"].clear(), "no form of it .none. runs here; pip install"),
        (
            "export.json",
            lambda table: table["forms"]["openvino"]["sha256"].update({"landmark.bin": ""}),
            "not the file",
        ),
        ("calibration.json", lambda table: table.update(temperature=-1), "mine.zip.calibration.json: damaged"),
    ],
)
def test_whoever_changes_the_manifest_too_gets_no_further(path, name, change, said):
    with_json(path, name, change)
    with pytest.raises(Problem, match=said) as caught:
        Recogniser.load(path)
    assert "\n" not in str(caught.value) and "cache" not in str(caught.value)


def test_what_needs_weights_says_so(path):
    with pytest.raises(Problem, match="mine.zip: a shared model, without Keras.s weights: livedemo.py"):
        Recogniser.load(path, "keras")
    with pytest.raises(Problem, match="mine.zip: no form onnx of its networks .it has openvino.; choose another"):
        Recogniser.load(path, "onnx")
    bundle = shared.open_model(path)
    with pytest.raises(Problem, match="a shared model, without Keras"):
        bundle.weights(bundle.streams[0])
    with pytest.raises(Problem, match=r"a\.txt: a file; expected a model's folder"):
        (path.parent / "a.txt").touch()
        shared.load_bundle(path.parent / "a.txt")
