"""Every form of a network gives Keras's answers, or says that it does not; the laptop's path never sees TensorFlow.

Another network stands in I3D's place (small_network.py), whose forms are written in seconds; all else is real.
"""

import json
import shutil
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import bundle, convert, exported, runtime, stored_clips
from signs.inference.bundle import Bundle, Stream, load_bundle
from signs.inference.exported import EXPORT_FILE
from signs.inference.recogniser import Recogniser
from signs.models import i3d

import numpy as np
import pytest

import export
import small_network
import tiny

INPUT = InputSpec(40, 36, 32)
WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
from signs import command; import {script}
code = command.run(lambda: {script}.main(sys.argv[1:]))
assert code or not [name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras") and sys.modules[name]]
sys.exit(code)
"""
# The script as it is; it prints each state of the window once the tenth picture of it has been drawn.
WATCHED = f"""
import sys
sys.path.insert(0, {str(tiny.REPOSITORY)!r})
sys.argv[0] = "livedemo.py"
import livedemo
from signs import command
from signs.live.window import Screen
draw, drawn = Screen.draw, []
def draw_and_tell(screen, size):
    canvas = draw(screen, size)
    if drawn[-1:] != [screen.painted]:
        drawn.clear()
    drawn.append(screen.painted)
    if len(drawn) == 10:
        print(screen.painted, flush=True)
    return canvas
Screen.draw = draw_and_tell
sys.exit(command.run(livedemo.main))
"""


def save_bundle(folder: Path, data: Dataset, networks: dict) -> None:
    stored = replace(storage.find_stored(data, "flow"))
    shapes = {name: (40, 32, 32, 3 if name == "rgb" else 2) for name in networks}
    streams = [
        Stream(
            name,
            name,
            "i3d",
            {"input_shape": shapes[name], "classes": len(data.classes)},
            {"weights": f"{name}.weights.h5"},
        )
        for name in networks
    ]
    for name, network in networks.items():
        network.save_weights(folder / f"{name}.weights.h5")
    bundle.save_bundle(Bundle(folder, ClipSpec(stored, INPUT), data.classes, streams, "mean", {}))


@pytest.fixture(scope="module")
def small(demo, tmp_path_factory):
    """A bundle of small networks with random weights, exported into every form; only to be read."""
    import keras

    patch = pytest.MonkeyPatch()
    patch.setattr(i3d, "build_i3d", small_network.build)
    patch.setattr(convert, "STAGED", {"i3d": "small_network"})
    folder, data = tmp_path_factory.mktemp("model") / "small", load_dataset(demo)
    folder.mkdir()
    keras.utils.set_random_seed(0)
    networks = {"rgb": small_network.build((40, 32, 32, 3), 8), "flow": small_network.build((40, 32, 32, 2), 8)}
    save_bundle(folder, data, networks)
    flags = ["--data", str(demo), "--model", str(folder), "--clips", "6", "--calibrate", "8"]
    assert export.main(flags) in (command.DONE, command.PARTLY), "weights are random: an answer in int8 may be another"
    yield folder
    patch.undo()


@pytest.fixture(scope="module")
def keras_form(small) -> Recogniser:
    return Recogniser.load(small, runtime.KERAS)


@pytest.fixture
def own(small, tmp_path) -> Path:
    return Path(shutil.copytree(small, tmp_path / "own"))


def forms(folder: Path) -> dict:
    return json.loads((folder / EXPORT_FILE).read_text())["forms"]


def inputs(count: int, stream: str) -> np.ndarray:
    shape = (count, 40, 32, 32, 3 if stream == "rgb" else 2)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def test_every_form_is_there_with_what_was_found(small):
    found = forms(small)
    assert {"openvino", "openvino-int8", "stream", "stream-int8", "onnx", "litert"} <= set(found)
    for name in ("openvino", "stream", "onnx", "litert"):
        row = found[name]
        assert row["use"] and row["difference"] < 1e-4 and row["equal"] == 1 and row["changed"] == 0 and row["ms"] > 0
        assert set(row["sha256"]) >= {f"{stream}{runtime.FORMS[name].suffix}" for stream in ("rgb", "flow")}
    assert 0 < found["stream"]["after_ms"] < found["stream"]["ms"] and found["onnx"]["after_ms"] == found["onnx"]["ms"]
    assert 0 < found["openvino-int8"]["difference"] < 0.5 and 0 < found["stream-int8"]["difference"] < 0.5
    size = {
        name: sum(path.stat().st_size for path in (small / "export" / name).glob("*.bin"))
        for name in ("openvino", "openvino-int8")
    }
    assert size["openvino-int8"] < size["openvino"] / 2
    assert not list((small / "export").glob(".*")), "nothing half-written"


@pytest.mark.parametrize("name", ["openvino", "stream", "onnx", "litert"])
def test_a_form_gives_kerass_logits_clip_by_clip(small, keras_form, name):
    form = Recogniser.load(small, name)
    assert (keras_form.runtime, form.runtime) == ("keras", name)
    for stream in form.bundle.streams:
        batch = inputs(3, stream.name)
        np.testing.assert_allclose(form.logits(stream, batch), keras_form.logits(stream, batch), rtol=1e-4, atol=1e-4)


def test_int8_is_near_on_clips_like_those_it_was_fitted_to(small, keras_form, demo):
    form, data = Recogniser.load(small, "openvino-int8"), load_dataset(demo)
    for item in data.split("test"):
        found, _ = stored_clips.read_inputs(form, data, item)
        for stream in form.bundle.streams:
            expected = keras_form.logits(stream, found[stream.name])
            off = abs(form.logits(stream, found[stream.name]) - expected).max()
            assert 0 < off < 0.1 * np.ptp(expected) + 0.05


def test_a_sign_that_is_recorded_and_its_file_have_one_answer(small, keras_form, demo):
    """Frame by frame through networks that begin before the end, by any camera's rate, and at once from the file."""
    data = load_dataset(demo)
    recogniser = Recogniser.load(small, "stream")
    item = data.split("test")[0]
    frames, times = read_video(item.video(demo))
    expected = keras_form.answer(frames, times)
    assert recogniser.works_while_recording == (recogniser.bundle.spec.stored.frames == str(INPUT.frames))
    session = recogniser.session(times[-1] - times[0])
    for image, seconds in zip(frames, times, strict=True):
        session.push(image, seconds + 50)
    answer = session.result()
    for name, logits in expected.logits.items():
        np.testing.assert_allclose(answer.logits[name], logits, atol=1e-3)
    np.testing.assert_array_equal(answer.frames, expected.frames)
    again = recogniser.answer(frames, times)
    for name, logits in again.logits.items():
        np.testing.assert_allclose(logits, answer.logits[name], atol=1e-5)
    assert session.timings.percentiles()["rgb net"]["times"] > 1, "in steps, while it was recorded"


def test_a_webcams_clip_in_a_real_window(display, shared, small, tmp_path):
    """Key presses, two signs, the timings of every step, and the session as a video; with networks that really run."""
    flags = ["--model", small, "--video", shared("clips/webcam_hello.mp4"), "--countdown", "1.2", "--seconds", "1.5"]
    flags += ["--timings", "--record", tmp_path / "session.mp4"]
    with tiny.window(display, "-c", WATCHED, *flags) as (process, tell):

        def wait_for(state: str) -> None:
            assert any(line.strip() == state for line in process.stdout), f"it ended before {state}"

        wait_for("idle")  # the networks come while the picture is there already
        for _ in range(2):
            tell("key", "space")
            wait_for("result")
        tell("key", "q")
        said, error = process.stdout.read(), process.stderr.read()
    assert process.wait(60) == 0 and error == ""
    rows = {line.rsplit(None, 3)[0]: line.split()[-3:] for line in said.splitlines()[1:]}
    assert rows["last frame to answer"][0] == "2" and {"draw", "frames", "flow", "rgb net", "flow net"} <= set(rows)
    frames, _ = read_video(tmp_path / "session.mp4")
    height, width = frames.shape[1:3]
    assert len(frames) > 100 and abs(width / height - 1200 / 566) < 0.01 and width <= 1024, "the screen's width"
    panel = frames[:, int(0.23 * height) : int(0.5 * height), int(0.79 * width) :]
    bright = [(panel[number] > 200).any(axis=2).mean() for number in (2, -3)]
    assert bright[0] < 0.001 < 0.02 < bright[1], "the answers stand in the panel"


def test_both_streams_at_once_give_the_same(small, demo):
    found = load_bundle(small)
    form = runtime.FORMS["openvino"]
    path = load_dataset(demo).split("test")[0].video(demo)
    frames, times = read_video(path)
    alone = Recogniser(found, exported.open_files(found, form), form)
    together = Recogniser(found, exported.open_files(found, form, 1), form, together=True)
    one, other = alone.answer(frames, times), together.answer(frames, times)
    for name in one.logits:
        np.testing.assert_allclose(one.logits[name], other.logits[name], atol=1e-5)


@pytest.mark.parametrize("script", ["predict", "livedemo"])
def test_with_a_form_there_is_no_tensorflow(small, keras_form, demo, script):
    path = load_dataset(demo).split("test")[0].video(demo)
    code = WITHOUT_TENSORFLOW.format(script=script)
    flags = [path, "--json"] if script == "predict" else ["--video", path, "--check"]
    done = tiny.python("-c", code, "--model", small, *flags, PYTHONPATH=str(tiny.REPOSITORY))
    assert done.returncode == 0, done.stderr
    if script == "predict":
        answer = json.loads(done.stdout)
        ranked = dict(keras_form.answer(*read_video(path)).ranked)
        assert answer["probability"] == pytest.approx(ranked[answer["label"]], abs=0.05)
    else:
        assert "camera and file agree" in done.stdout
    done = tiny.python("-c", code, "--model", small, "--runtime", "keras", *flags, PYTHONPATH=str(tiny.REPOSITORY))
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and 'pip install ".[cpu]"' in done.stderr


def chosen(found: Bundle, wanted: str, live: bool = False) -> str | None:
    form = exported.choose_form(found, exported.read_forms(found), wanted, live)
    return form and form.name


def test_the_quickest_that_may_be_used_is_run(own):
    found = load_bundle(own)
    content = json.loads((own / EXPORT_FILE).read_text())
    content["forms"] = {  # without those in bfloat16, which this processor may have
        name: content["forms"][name] | {"ms": 10 + number, "after_ms": 10 - number, "use": True}
        for number, name in enumerate(("onnx", "openvino", "litert", "openvino-int8", "stream", "stream-int8"))
    }
    content["forms"]["onnx"]["use"] = content["forms"]["stream-int8"]["use"] = False
    (own / EXPORT_FILE).write_text(json.dumps(content))
    assert chosen(found, "auto") == "openvino"
    assert chosen(found, "auto", live=True) == "stream"
    whole = replace(found, spec=replace(found.spec, input=replace(found.spec.input, still="subtract")))
    assert chosen(whole, "auto", live=True) == "openvino-int8", "its frames depend on each other"
    assert chosen(found, "onnx") == "onnx", "whoever asks for it gets it"
    assert chosen(found, "keras") is None
    (own / EXPORT_FILE).write_text(json.dumps(content | {"model": {"rgb.weights.h5": "0"}}))
    assert chosen(found, "auto") is None, "made of other weights"
    with pytest.raises(Problem, match=r"no form onnx .*it has none.*run export.py"):
        chosen(found, "onnx")
    (own / EXPORT_FILE).unlink()
    assert chosen(found, "auto") is None


def test_a_form_that_is_not_known_any_more_is_left_alone(own):
    """`saved-model`, which earlier versions wrote for other programs."""
    content = json.loads((own / EXPORT_FILE).read_text())
    content["forms"]["saved-model"] = content["forms"]["onnx"] | {"use": False, "why": "for other programs"}
    (own / EXPORT_FILE).write_text(json.dumps(content))
    with_it = load_bundle(own)
    assert chosen(with_it, "auto") in exported.read_forms(with_it)
    with pytest.raises(Problem, match="no form saved-model"):
        chosen(with_it, "saved-model")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda folder: (folder / "export/openvino/rgb.bin").unlink(), "rgb.bin: missing; run export.py"),
        (
            lambda folder: (folder / "export/openvino/rgb.xml").write_text("<net"),
            "rgb.xml: not the file that export.py",
        ),
        (lambda folder: (folder / EXPORT_FILE).write_text("{"), "export.json: damaged; delete it"),
    ],
)
def test_a_damaged_form_is_one_line(own, spoil, said):
    spoil(own)
    with pytest.raises(Problem, match=said):
        Recogniser.load(own, "openvino")


@pytest.mark.parametrize("name", ["openvino", "onnx", "litert"])
def test_what_is_no_network_is_one_line(tmp_path, name):
    path = tmp_path / f"rgb{runtime.FORMS[name].suffix}"
    path.write_bytes(b"no network")
    with pytest.raises(Problem, match="does not take it.*run export.py again") as caught:
        runtime.open_form(runtime.FORMS[name], path, (8, 32, 32, 3))
    assert "\n" not in str(caught.value)


def test_the_flags_know_every_form():
    assert (exported.AUTO, runtime.KERAS, *runtime.FORMS) == command.RUNTIMES


def test_jax_and_missing_converters_are_one_line(small, demo, monkeypatch):
    import keras

    with monkeypatch.context() as patch:
        patch.setattr(keras.backend, "backend", lambda: "jax")
        with pytest.raises(Problem, match=r"^export.py needs TensorFlow, and this is jax; unset KERAS_BACKEND$"):
            export.main(["--data", str(demo), "--model", str(small)])
    monkeypatch.setattr(export, "find_spec", lambda name: None)
    with pytest.raises(Problem, match=r"onnx: what writes them is not installed; pip install .*export"):
        export.main(["--data", str(demo), "--model", str(small), "--forms", "onnx"])


def test_without_forms_those_that_can_be_written_here_are(monkeypatch):
    """`make install` brings OpenVINO and NNCF; ONNX and LiteRT are an extra."""
    monkeypatch.setattr(export, "find_spec", lambda name: None if name in ("tf2onnx", "ai_edge_litert") else name)
    forms = export.parse(["--data", "d", "--model", "m"]).forms
    assert forms == ["openvino", "openvino-int8", "stream", "stream-int8"]
