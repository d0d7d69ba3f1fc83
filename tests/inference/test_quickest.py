"""The quickest form is found where it runs: timed once, a bit at each start, and remembered beside no bundle."""

import json
import os
import re
import time
from pathlib import Path

from signs.clips.dataset import Label
from signs.clips.spec import ClipSpec, InputSpec, StoredSpec
from signs.inference import exported, quickest, runtime
from signs.inference.bundle import Bundle, Stream, load_bundle, save_bundle
from signs.inference.recogniser import Recogniser

import numpy as np
import openvino
import pytest
from openvino import opset13 as op

SHAPE = (8, 32, 32, 3)
SLOW = {"openvino-int8": 0.03, "openvino": 0.01}  # seconds that a clip takes more here


@pytest.fixture
def model(tmp_path, monkeypatch) -> Path:
    """A bundle that was exported on another processor, where `openvino-int8` was the quickest form; it is slow here."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "rgb.weights.h5").write_bytes(b"never read")
    stream = Stream("rgb", "rgb", "i3d", {"input_shape": SHAPE, "classes": 4}, {"weights": "rgb.weights.h5"})
    classes = [Label(str(number), str(number), "gesture") for number in range(4)]
    save_bundle(Bundle(folder, ClipSpec(StoredSpec(), InputSpec(8, 36, 32)), classes, [stream], "mean", {}))
    rows, bundle = {}, load_bundle(folder)
    for number, name in enumerate(("openvino-int8", "openvino", "onnx")):
        path = exported.path_of(bundle, runtime.FORMS[name], stream)
        path.parent.mkdir(parents=True)
        write_network(path)
        files = {file.name: quickest.command.sha256(file) for file in path.parent.iterdir()}
        times = {"ms": 1 + number, "after_ms": 1 + number, "together": False, "processor": "another, 64 cores"}
        rows[name] = {"use": True, "sha256": files, **times}
    exported.write_forms(bundle, rows, {})
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    open_form = runtime.OPENERS["openvino"]

    def open_slowly(path, shape, form, threads):
        network = open_form(path.with_suffix(".xml"), shape, form, threads)
        run = network._run
        network._run = lambda clip: time.sleep(SLOW.get(form.name, 0)) or run(clip)
        return network

    monkeypatch.setattr(runtime, "OPENERS", dict.fromkeys(runtime.OPENERS, open_slowly))
    return folder


def write_network(path: Path) -> None:
    clip = op.parameter((1, *SHAPE), np.float32, name="clip")
    means = op.reduce_mean(clip, np.array([1, 2, 3]), False)
    logits = op.matmul(means, np.ones((3, 4), np.float32), False, False)
    openvino.save_model(openvino.Model([logits], [clip]), path.with_suffix(".xml"))
    if path.suffix != ".xml":
        path.touch()  # a form of another library, which OpenVINO stands in for


def known(folder: Path) -> dict:
    """What is remembered, by form."""
    (file,) = (folder.parent / "cache").rglob("*.json")
    return json.loads(file.read_text())


def no_timing(monkeypatch) -> None:
    monkeypatch.setattr(quickest, "time_form", lambda *_: pytest.fail("it was timed before"))


def test_the_quickest_here_is_run_and_timed_only_once(model, monkeypatch, capsys):
    monkeypatch.setattr(quickest, "SPARE", 60)
    before = sorted(path for path in model.rglob("*"))
    monkeypatch.setattr(quickest, "TOLD", 0)
    assert Recogniser.load(model).runtime == "onnx", "export.json has it last"
    said = " ".join(capsys.readouterr().err.split())
    assert re.search(r"first use on this processor: \d+ s .* how fast the model runs here .*; it is remembered", said)
    times = known(model)
    assert times["openvino-int8"]["ms"] > 30 > times["openvino"]["ms"] > 10 > times["onnx"]["ms"] > 0
    assert sorted(path for path in model.rglob("*")) == before, "the bundle may be read-only"
    no_timing(monkeypatch)
    assert Recogniser.load(model, live=True).runtime == "onnx"
    assert Recogniser.load(model, "openvino").runtime == "openvino", "whoever asks for it gets it"


def test_each_start_learns_of_one_more_form_where_they_take_long(model, monkeypatch):
    monkeypatch.setattr(quickest, "SPARE", 0)
    assert [Recogniser.load(model).runtime for _ in range(4)] == ["openvino-int8", "openvino", "onnx", "onnx"]
    assert len(known(model)) == 3


def test_times_of_this_processor_stand(model, monkeypatch):
    no_timing(monkeypatch)
    content = json.loads((model / "export.json").read_text())
    for row in content["forms"].values():
        row["processor"] = quickest.processor()
    (model / "export.json").write_text(json.dumps(content))
    assert Recogniser.load(model).runtime == "openvino-int8"


def test_other_files_are_timed_anew(model, monkeypatch):
    monkeypatch.setattr(quickest, "SPARE", 60)
    Recogniser.load(model)
    content = json.loads((model / "export.json").read_text())
    (model / "export/onnx/rgb.onnx").write_text("exported again")
    content["forms"]["onnx"]["sha256"]["rgb.onnx"] = quickest.command.sha256(model / "export/onnx/rgb.onnx")
    (model / "export.json").write_text(json.dumps(content))
    Recogniser.load(model)
    assert len(list((model.parent / "cache").rglob("*.json"))) == 2


@pytest.mark.parametrize("spoil", ["no folder", "damaged"])
def test_without_a_memory_each_start_times_anew(model, monkeypatch, spoil):
    monkeypatch.setattr(quickest, "SPARE", 60)
    if spoil == "no folder":
        (model.parent / "file").touch()
        monkeypatch.setenv("XDG_CACHE_HOME", os.fspath(model.parent / "file"))
    else:
        Recogniser.load(model)
        (file,) = (model.parent / "cache").rglob("*.json")
        file.write_text('{"onnx": {"ms": "soon"}}')
    assert Recogniser.load(model).runtime == "onnx"


def test_what_does_not_run_here_is_named_and_left_out(model, monkeypatch, capsys):
    """int8 of some layers is opened by OpenVINO on some processors only."""
    monkeypatch.setattr(quickest, "SPARE", 60)
    openers = dict(runtime.OPENERS)

    def refuse(path, shape, form, threads):
        if form.name == "onnx":
            raise RuntimeError("no such instruction")
        return openers["openvino"](path, shape, form, threads)

    monkeypatch.setattr(runtime, "OPENERS", dict.fromkeys(openers, refuse))
    assert Recogniser.load(model).runtime == "openvino"
    said = capsys.readouterr().err
    assert said.startswith("onnx is left out: ") and "no such instruction" in said and said.count("\n") == 1


def test_the_shortest_run_counts_and_patience_ends():
    taken = iter([0.2, *[0.001] * 9])
    assert quickest.shortest_seconds(lambda: time.sleep(next(taken)), 60) < 0.1
    assert len(list(taken)) == 10 - quickest.RUNS
    taken = iter([0.02] * 9)
    assert quickest.shortest_seconds(lambda: time.sleep(next(taken)), 0.01) >= 0.02
    assert len(list(taken)) == 8
