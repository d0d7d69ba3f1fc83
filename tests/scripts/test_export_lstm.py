"""Networks with an LSTM, and those of single frames, in every form; clips of any length; group by group.

Two bundles with random weights: of networks that take any number of frames, and go on step by step, and of networks of
fixed length that see several runs of a clip. A small image network stands in for those of keras.applications.
"""

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import modality, storage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import convert, exported, runtime
from signs.inference.bundle import Bundle, Stream, quiet_stderr, save_bundle
from signs.inference.exported import EXPORT_FILE
from signs.inference.recogniser import Recogniser
from signs.inference.streaming import SteppedNetwork
from signs.inference.timing import Timings
from signs.live.demo import build_modes
from signs.models import cnn_lstm, conv3d_lstm

import numpy as np
import pytest

import export
from conftest import untimed

SIDE = 16


def small_cnn(_network, input_shape, _weights=None, _momentum=None):
    from keras import Input, Model, layers

    picture = Input(input_shape)
    return Model(picture, layers.Conv2D(6, 3, 4, activation="relu")(picture), name=cnn_lstm.CNN)


def make(folder: Path, data: Dataset, seen: InputSpec, networks: dict, frames: int | None) -> Path:
    """A bundle; networks: {stream: (name, arguments)}."""
    import keras

    folder.mkdir()
    streams = []
    for name, (network, arguments) in networks.items():
        shape = [frames, SIDE, SIDE, modality.TABLE[name].channels]
        arguments = {"input_shape": shape, "classes": len(data.classes), **arguments}
        stream = Stream(name, name, network, arguments, {"weights": f"{name}.weights.h5"})
        keras.utils.set_random_seed(1)
        model, rng = runtime.build_network(stream), np.random.default_rng(0)
        for weight in model.weights:  # as after a training: no normalisation does nothing, and answers differ
            if "moving_variance" in weight.path:
                weight.assign(rng.uniform(0.02, 0.1, weight.shape))
            elif "Logits" in weight.path:
                weight.assign(rng.normal(0, 0.5, weight.shape))
        model.save_weights(folder / f"{name}.weights.h5")
        streams.append(stream)
    spec = ClipSpec(storage.find_stored(data, "flow"), seen)
    save_bundle(Bundle(folder, spec, data.classes, streams, "mean", {}))
    return folder


def write_forms(folder: Path, demo: Path, *forms: str) -> tuple[Path, str]:
    """(The bundle, what export.py said.)"""
    flags = ["--data", str(demo), "--model", str(folder), "--clips", "3", "--calibrate", "3", "--forms", *forms]
    with contextlib.redirect_stdout(io.StringIO()) as said:
        assert export.main(flags) in (command.DONE, command.PARTLY), "random weights: int8 may answer otherwise"
    return folder, said.getvalue()


@pytest.fixture(scope="module", autouse=True)
def _small_cnn():
    patch = pytest.MonkeyPatch()
    patch.setattr(cnn_lstm, "build_cnn", small_cnn)
    patch.setattr(conv3d_lstm, "CONV3D_WIDTHS", (8, 12, 16, 16))
    patch.setattr(conv3d_lstm, "HIDDEN", 24)
    yield
    patch.undo()


@pytest.fixture(scope="module")
def any_length(demo, tmp_path_factory):
    """Of a network that sees every stored frame, 40 here."""
    seen = InputSpec(40, 20, SIDE, sampling="whole")
    networks = {"grey": ("conv3d-lstm", {"size": "small"})}
    folder = make(tmp_path_factory.mktemp("model") / "any", load_dataset(demo), seen, networks, None)
    return write_forms(folder, demo, "openvino", "stream", "stream-int8", "onnx", "litert")


@pytest.fixture(scope="module")
def recogniser(any_length) -> Recogniser:
    """Of the same, in Keras."""
    return Recogniser.load(any_length[0], runtime.KERAS)


@pytest.fixture(scope="module")
def fixed(demo, tmp_path_factory):
    """Of networks of 6 frames, to which two runs of a clip are shown."""
    seen = InputSpec(6, 20, SIDE, views=2, sampling="run")
    networks = {
        "rgb": ("cnn-lstm", {"network": "any", "lstm": [12, 12], "dense": [8], "read": "linear"}),
        "flow": ("conv3d", {}),
    }
    folder = make(tmp_path_factory.mktemp("model") / "fixed", load_dataset(demo), seen, networks, 6)
    with untimed():
        return write_forms(folder, demo, *exported.WRITERS)


@pytest.fixture(scope="module")
def fixed_recogniser(fixed) -> Recogniser:
    return Recogniser.load(fixed[0], runtime.KERAS)


def batch(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1, 1, (*shape[:2], SIDE, SIDE, *shape[2:])).astype(np.float32)


def forms(folder: Path) -> dict:
    return json.loads((folder / EXPORT_FILE).read_text())["forms"]


def test_forms_of_networks_of_any_length_agree(any_length):
    folder, said = any_length
    found = forms(folder)
    for name in ("openvino", "stream", "onnx"):
        assert found[name]["use"] and found[name]["difference"] < 1e-4 and found[name]["equal"] == 1
    assert found["stream-int8"]["difference"] > 0 and found["stream-int8"]["probability"] < 0.3
    assert "litert" not in found and not (folder / "export" / "litert").exists()
    assert "litert is left out: an LSTM is unrolled in it, and a clip of any length cannot be\n" in said
    assert found["stream"]["after_ms"] < found["stream"]["ms"] / 2


def test_forms_of_networks_of_one_length_agree(fixed):
    folder, said = fixed
    found = forms(folder)
    assert found["openvino-int8"]["difference"] > 0 and found["openvino-int8"]["probability"] < 0.3
    for name in ("openvino", "onnx", "litert"):
        assert found[name]["use"] and found[name]["difference"] < 1e-4 and found[name]["equal"] == 1
    assert not [name for name in found if name.startswith("stream")], "these networks cannot begin before the end"
    for name in ("stream", "stream-int8"):
        assert f"{name} is left out: cnn-lstm does not work while frames still come\n" in said


@pytest.mark.parametrize("name", ["openvino", "stream", "onnx"])
def test_a_form_takes_clips_of_any_length(any_length, recogniser, name):
    form, answers = Recogniser.load(any_length[0], name), []
    (stream,) = form.bundle.streams
    for frames in (9, 40, 2, 9):
        clips = batch(2, frames, 1)
        answers.append(form.logits(stream, clips))
        np.testing.assert_allclose(answers[-1], recogniser.logits(stream, clips), atol=1e-4)
    assert np.abs(answers[0] - answers[1]).max() > 1e-3, "answers that never change would show nothing"


@pytest.mark.parametrize("name", ["openvino", "onnx", "litert"])
def test_runs_of_a_clip_are_averaged_in_every_form(fixed, fixed_recogniser, demo, name):
    video = load_dataset(demo).split("test")[0].video(demo)
    frames, times = read_video(video)
    expected, found = (form.answer(frames, times) for form in (fixed_recogniser, Recogniser.load(fixed[0], name)))
    for stream, logits in expected.logits.items():
        np.testing.assert_allclose(found.logits[stream], logits, atol=1e-4)


@pytest.mark.parametrize("form", ["openvino", "onnx", "litert"])
def test_a_network_of_frames_takes_any_length(tmp_path, form):
    stream = Stream("rgb", "rgb", "frames", {"input_shape": [None, SIDE, SIDE, 3], "classes": 4, "network": "any"}, {})
    model, lengths = runtime.build_network(stream), (5, 1, 7)
    expected = [np.asarray(model(batch(2, count, 3))) for count in lengths]
    with quiet_stderr():
        convert.write_network(model, form, tmp_path, stream)
    path = tmp_path / f"rgb{runtime.FORMS[form].suffix}"
    network = runtime.open_form(runtime.FORMS[form], path, stream.arguments["input_shape"])
    for count, logits in zip(lengths, expected, strict=True):
        np.testing.assert_allclose(network.logits(batch(2, count, 3)), logits, atol=1e-5)


def test_what_none_of_the_networks_can_have_is_one_line(fixed, demo):
    with pytest.raises(Problem, match=r"fixed: none of these forms: stream is left out: cnn-lstm does not work"):
        export.main(["--data", str(demo), "--model", str(fixed[0]), "--forms", "stream", "--clips", "1"])


@pytest.mark.parametrize("form", ["stream", runtime.KERAS])
def test_a_sign_that_is_recorded_goes_step_by_step(any_length, recogniser, demo, form):
    """While it is recorded, and with one step left after the last frame; its logits are those of the whole clip."""
    recogniser = recogniser if form == runtime.KERAS else Recogniser.load(any_length[0], form)
    assert recogniser.works_while_recording and recogniser.endless
    recogniser.warm_up()
    item = load_dataset(demo).split("test")[1]
    frames, times = read_video(item.video(demo))
    expected = Recogniser.load(any_length[0], "onnx").answer(frames, times)
    session = recogniser.session(times[-1] - times[0])
    for image, seconds in zip(frames, times, strict=True):
        session.push(image, seconds)
    answer = session.result()
    np.testing.assert_allclose(answer.logits["grey"], expected.logits["grey"], atol=1e-4)
    assert session.timings.percentiles()["grey net"]["times"] > 5, "in steps, while it was recorded"
    unknown = recogniser.session()  # which of the frames are kept is known at the end
    for image, seconds in zip(frames, times, strict=True):
        unknown.push(image, seconds)
    np.testing.assert_allclose(unknown.result().logits["grey"], answer.logits["grey"], atol=1e-4)


def at_a_rate(recogniser: Recogniser) -> Recogniser:
    """The same as if its clips had been stored at 10 frames a second."""
    spec = recogniser.bundle.spec
    stored = replace(spec, stored=replace(spec.stored, frames="10fps"))
    return Recogniser(replace(recogniser.bundle, spec=stored), recogniser.networks, recogniser.form)


def test_at_a_rate_no_length_has_to_be_known(any_length, demo):
    recogniser = at_a_rate(Recogniser.load(any_length[0], "stream"))
    whole = at_a_rate(Recogniser.load(any_length[0], "openvino"))
    frames, times = read_video(load_dataset(demo).split("test")[2].video(demo))
    session, steps = recogniser.session(), []
    step = recogniser.networks["grey"].run
    recogniser.networks["grey"].run = lambda *given: steps.append(len(session.recording.kept)) or step(*given)
    for image, seconds in zip(frames, times, strict=True):
        session.push(image, seconds)
    answer = session.result()
    np.testing.assert_allclose(answer.logits["grey"], whole.answer(frames, times).logits["grey"], atol=1e-4)
    kept = len(answer.frames)
    assert len(steps) == -(-kept // 4) and steps[0] == 4, "the first group as soon as it was there"


@pytest.mark.parametrize("form", ["stream", runtime.KERAS])
def test_an_endless_picture_is_named_by_its_last_frames(any_length, recogniser, form):
    """After each frame, by the last three groups alone; the state before them is that of all frames."""
    import keras

    model, (stream,) = recogniser.models["grey"], recogniser.bundle.streams
    each = keras.Model(model.input, model.get_layer("Logits_dense").output)
    images = np.random.default_rng(0).integers(0, 255, (20, 20, 20, 3), np.uint8)
    seen = recogniser.input_frames(stream, {"rgb": images})
    following = (recogniser if form == runtime.KERAS else Recogniser.load(any_length[0], form)).following(12)
    for end in range(1, 21):
        answer = following.push({"rgb": images[end - 1 : end]}, Timings())
        if end in (1, 4, 6, 12, 13, 20):
            expected = np.asarray(each(seen[None, :end]))[0, -3:].mean(axis=0)
            np.testing.assert_allclose(answer.logits["grey"], expected, atol=1e-4)


def test_each_frame_costs_one_step_and_memory_does_not_grow():
    taken = []

    def run(frames, states):
        taken.append(frames.shape[1])
        return frames.mean(axis=(1, 2, 3)), [state + 1 for state in states]

    network = SteppedNetwork(run, [3, 2, 1], 4)
    network.reset(span=8)
    for number in range(400):
        network.push(np.full((1, 2, 2, 5), number, np.float32))
        answer = network.answer()
        assert len(taken) == number + 1 and taken[-1] == number % 4 + 1
    np.testing.assert_allclose(answer, (393.5 + 397.5) / 2)
    assert len(network._answers) == 2 and network._states[0].max() == 100


def test_the_live_demo_takes_the_form_that_goes_on_where_no_length_is_known(any_length, fixed):
    for folder, goes_on in ((any_length[0], True), (fixed[0], False)):
        recogniser = Recogniser.load(folder, "stream" if goes_on else "onnx")
        recogniser.whole = Recogniser.load(folder, "onnx")
        modes = build_modes(recogniser, None, 0.0, 5.0, 5.0)
        for name in ("hands-free", "continuous"):
            assert (modes[name].recogniser is recogniser) == goes_on
        assert modes["countdown"].recogniser is recogniser


def test_other_networks_are_not_endless(fixed_recogniser):
    assert not fixed_recogniser.works_while_recording and not fixed_recogniser.endless
    with pytest.raises(AttributeError):
        fixed_recogniser.networks["rgb"].push(batch(1, 1, 3))
