"""A form that cannot be made, opened or that does not agree is named; the others stay, whatever ends an export.

A small network stands in I3D's place (small_network.py), beside a real one of histograms.
"""

import json
import shutil
import signal
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import load_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.inference import agreement, bundle, convert, runtime
from signs.inference.bundle import Bundle, Stream, load_bundle
from signs.inference.exported import EXPORT_FILE
from signs.inference.recogniser import Recogniser
from signs.models import i3d
from signs.models.histogram import build_histogram

import keras
import numpy as np
import pytest

import export
import small_network
import starter
import tiny
from conftest import untimed

KILLED = f"""
import os, signal, sys
sys.path[:0] = [{str(tiny.REPOSITORY)!r}, {str(tiny.REPOSITORY / "tests")!r}]
from signs.inference import convert
from signs.models import i3d
import export
import small_network
i3d.build_i3d = small_network.build
write = convert.write_network
def write_and_die(model, form, folder, stream):
    write(model, form, folder, stream)
    if form == "onnx":
        os.kill(os.getpid(), signal.SIGKILL)
convert.write_network = write_and_die
export.main(sys.argv[1:])
"""
SHAPES = {"rgb": (8, 32, 32, 3), "flow": (8, 32, 32, 2)}


@pytest.fixture(scope="module", autouse=True)
def _small_i3d():
    with pytest.MonkeyPatch.context() as patch, untimed():
        patch.setattr(i3d, "build_i3d", small_network.build)
        yield


@pytest.fixture(scope="module")
def joined(demo, tmp_path_factory) -> Path:
    """A bundle of I3D on pictures and histograms of flow, as ensemble.py joins them; only to be read."""
    folder, data = tmp_path_factory.mktemp("model") / "joined", load_dataset(demo)
    folder.mkdir()
    keras.utils.set_random_seed(0)
    classes = len(data.classes)
    networks = {
        "rgb": small_network.build(SHAPES["rgb"], classes),
        "flow": build_histogram(SHAPES["flow"], classes, flow=True),
    }
    streams = []
    for name, network in networks.items():
        network.save_weights(folder / f"{name}.weights.h5")
        about = {"input_shape": SHAPES[name], "classes": classes, **({"flow": True} if name == "flow" else {})}
        kind = "histogram" if name == "flow" else "i3d"
        streams.append(Stream(name, name, kind, about, {"weights": f"{name}.weights.h5"}))
    spec = ClipSpec(storage.find_stored(data, "flow"), InputSpec(8, 36, 32))
    bundle.save_bundle(Bundle(folder, spec, data.classes, streams, "mean", {}))
    return folder


@pytest.fixture
def own(joined, tmp_path) -> Path:
    return Path(shutil.copytree(joined, tmp_path / "own"))


def flags_of(demo: Path, model: Path, *forms: str) -> list[str]:
    return ["--data", str(demo), "--model", str(model), "--clips", "2", "--calibrate", "2", "--forms", *forms]


def run_export(demo: Path, model: Path, *forms: str) -> int:
    return export.main(flags_of(demo, model, *forms))


def forms(folder: Path) -> dict:
    return json.loads((folder / EXPORT_FILE).read_text())["forms"]


def hidden(folder: Path) -> list[Path]:
    return [*(folder / "export").glob(".*"), *folder.glob(".export*")]


def not_made(monkeypatch):
    def convert_nothing(*_, **__):
        raise RuntimeError("no such layer\nin the table")

    monkeypatch.setattr("nncf.quantize", convert_nothing)


def not_opened(monkeypatch):
    monkeypatch.setattr(convert, "quantise", lambda _source, _inputs, path: path.write_text("<net"))


def other_answers(monkeypatch):
    """What is written is of other weights."""
    write = convert.write_openvino

    def write_other(model, path):
        write(keras.models.clone_model(model) if "rgb" in path.name else model, path)

    monkeypatch.setattr(convert, "write_openvino", write_other)


@pytest.mark.parametrize(
    ("spoil", "name", "said"),
    [
        (not_made, "openvino-int8", "openvino-int8 is left out: RuntimeError: no such layer in the table\n"),
        (not_opened, "openvino-int8", "export/openvino-int8/rgb.xml: openvino does not take it ("),
        (other_answers, "openvino", "openvino is left out: logits are "),
    ],
)
def test_a_form_that_fails_is_named_and_the_others_stay(own, demo, monkeypatch, capsys, spoil, name, said):
    spoil(monkeypatch)
    wanted = {"onnx", "openvino", name}
    assert run_export(demo, own, *wanted) == command.PARTLY
    line = next(line for line in capsys.readouterr().out.splitlines(True) if line.startswith(f"{name} is left out: "))
    assert said in line and len(line) < 300 and "run export.py again" not in line
    rows = forms(own)
    assert not rows.get(name, {"use": False})["use"] and not hidden(own)
    for other in wanted - {name}:
        assert rows[other]["use"] and Recogniser.load(own, other).runtime == other
    assert Recogniser.load(own).runtime in ("onnx", "openvino", "openvino-bf16")


def test_where_no_form_is_left_nothing_was_done(own, demo, monkeypatch):
    other_answers(monkeypatch)
    assert run_export(demo, own, "openvino") == command.NOTHING
    assert not forms(own)["openvino"]["use"]


def test_what_int8_is_made_of_is_missing(own, demo, monkeypatch, capsys):
    write = convert.write_openvino

    def fail(model, path):
        raise ValueError("no room") if own.name in str(path) else write(model, path)

    monkeypatch.setattr(convert, "write_openvino", fail)
    assert run_export(demo, own, "openvino-int8", "onnx") == command.PARTLY
    said = capsys.readouterr().out
    assert "openvino is left out: ValueError: no room\n" in said
    assert "openvino-int8 is left out: openvino, which it is made of, is missing\n" in said
    assert set(forms(own)) == {"onnx"}


def test_histograms_stay_float32_in_an_int8_form(own, demo):
    """On processors with VNNI OpenVINO opens no other, and nothing would be won."""
    assert run_export(demo, own, "openvino-int8") in (command.DONE, command.PARTLY)
    assert "openvino-int8" in forms(own), "it is opened and compared"
    sizes = {}
    for form in ("openvino", "openvino-int8"):
        for stream in SHAPES:
            sizes[form, stream] = (own / "export" / form / f"{stream}.bin").stat().st_size
    assert sizes["openvino-int8", "rgb"] < sizes["openvino", "rgb"] / 2
    assert sizes["openvino-int8", "flow"] == sizes["openvino", "flow"]
    clip = np.random.default_rng(0).uniform(-1, 1, (1, *SHAPES["flow"])).astype(np.float32)
    stream = next(stream for stream in load_bundle(own).streams if stream.name == "flow")
    answers = [Recogniser.load(own, form).logits(stream, clip) for form in ("keras", "openvino-int8")]
    assert np.abs(answers[0] - answers[1]).max() < 0.02 * np.abs(answers[0]).max(), "bfloat16 at most"


def test_histograms_alone_have_no_int8(own, demo, capsys):
    only = load_bundle(own)
    streams = [stream for stream in only.streams if stream.network == "histogram"]
    bundle.save_bundle(Bundle(own, only.spec, only.classes, streams, "mean", {}))
    assert run_export(demo, own, "openvino-int8") == command.DONE, "what is of no use is no fault"
    assert "openvino-int8 is left out: histograms are no quicker in int8" in capsys.readouterr().out
    assert "openvino" in forms(own) and "openvino-int8" not in forms(own)


def test_an_export_that_is_killed_keeps_what_was_finished(own, demo, tmp_path):
    """At the worst moment: a form is half-written. The next export removes what is left over, and adds to the rest."""
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    done = starter.run(script, *flags_of(demo, own, "openvino", "onnx"))
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert len(hidden(own)) == 1 and forms(own)["openvino"]["use"] and "onnx" not in forms(own)
    assert Recogniser.load(own).runtime in ("openvino", "openvino-bf16")
    (own / ".export.12345.part.json").touch()  # of one that was killed at another moment
    assert run_export(demo, own, "onnx") == command.DONE
    assert {"openvino", "onnx"} <= set(forms(own)) and not hidden(own)


def test_the_table_fits_80_columns(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    row = {"ms": 12345.6, "after_ms": 12345.6, "difference": 1.23e-10, "probability": 1.23e-10, "equal": 1.0}
    measured = {name: {**row, "accuracy": 1.0, "use": False, "why": "logits are 0.1 off"} for name in runtime.FORMS}
    export.show(measured, agreement.Sample([{}] * 200, np.zeros(200), {}, 1.0, 12345.6))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert [line.split()[0] for line in lines if line.split()[-1:] == ["no"]] == list(runtime.FORMS)
