"""share.py: one file that others open without TensorFlow; it holds nothing of people that they have not allowed."""

import json
import shutil
import sys
from pathlib import Path

from signs import command
from signs.clips.video import read_video
from signs.command import Problem
from signs.inference import manifest, shared, sign_loops
from signs.inference.bundle import WITHDRAWN_FILE
from signs.inference.recogniser import Recogniser
from signs.inference.sign_loops import Loop
from signs.prepare.recordings import SCOPES, Recordings, read_recordings

import pytest

import posed
import share
import shareable
import tiny
from shareable import contents

WITHOUT_TENSORFLOW = """
import sys
sys.modules["tensorflow"] = None  # as if it were not installed
from signs import command; import {script}
code = command.run(lambda: {script}.main(sys.argv[1:]))
assert code or not [name for name in sys.modules if name.split(".")[0] in ("tensorflow", "keras") and sys.modules[name]]
sys.exit(code)
"""


@pytest.fixture
def networks(tmp_path, monkeypatch) -> Path:
    return shareable.small_networks(tmp_path / "mediapipe", monkeypatch)


@pytest.fixture
def model(tmp_path, networks, monkeypatch) -> Path:
    """A model of points, with a loop of each sign: of anna, ben, and of a stranger."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder = shareable.write_model(tmp_path / "model" / "mine", points=True)
    (tmp_path / "videos").mkdir()
    rows = {}
    for number, (label, signer) in enumerate(zip(shareable.SIGNS, ("anna", "ben", "stranger"), strict=True)):
        (tmp_path / "videos" / signer).write_bytes(tiny.avi(number))
        rows[label] = Loop(posed.points(label, 1, 0), signer, command.sha256(tmp_path / "videos" / signer))
    sign_loops.write_loops(folder, rows)
    return folder


def recordings(tmp_path: Path, **scopes: str) -> Recordings:
    """What record.py wrote of people who allow that."""
    folder = read_recordings(tmp_path / "recordings")
    for signer, scope in scopes.items():
        folder.add_consent(signer, scope.split(), signer)
        folder.add((tmp_path / "videos" / signer).read_bytes(), "a sign", signer)
    return folder


def write(model: Path, *flags, name: str = "mine.zip") -> Path:
    assert share.main(["--model", str(model), "--output", str(model.parent / name), *map(str, flags)]) == 0
    return model.parent / name


def test_what_is_in_it_and_that_nobody_is_named(model, networks, capsys):
    files = contents(write(model, "--licence", "CC BY 4.0"))
    assert next(iter(files)) == manifest.MANIFEST
    assert set(files) - {manifest.MANIFEST} == {
        *("bundle.json", "calibration.json", "export.json", "LICENCE.txt"),
        *("export/openvino/landmark.bin", "export/openvino/landmark.xml"),
        *(f"networks/{path.name}" for path in networks.iterdir()),
    }
    assert not [name for name, content in files.items() if b"anna" in content or b"/home" in content]
    table = json.loads(files["bundle.json"])
    assert table["flags"] == {"script": "train_landmark.py"} and table["data"] == {"clips": {"train": 9}}
    assert list(json.loads(files["export.json"])["forms"]) == ["openvino"], "what is as exact as it was trained"
    text, said = " ".join(files["LICENCE.txt"].decode().split()), capsys.readouterr().out
    for words in (
        "3 signs in video: Left, Right, Up",
        "learnt from 9 clips",
        "Licence of this model: CC BY 4.0",
        "livedemo.py --model",
    ):
        assert words in text
    for words in ("Tachionstrahl/SignLanguageRecognition", "Apache License 2.0", "MediaPipe 0.10.21", "no video"):
        assert words in text
    assert command.sha256(model.parent / "mine.zip") in said and "3 loops left out (left, right, up): nobody's" in said


def test_equal_models_are_equal_bytes(model):
    one = write(model).read_bytes()
    assert write(model, name="again.ZIP").read_bytes() == one
    bundle = json.loads((model / "bundle.json").read_text())
    (model / "bundle.json").write_text(json.dumps(bundle | {"training": {"ben": 0.1}}))
    assert write(model).read_bytes() == one, "and say nothing of how they were trained"


@pytest.mark.parametrize(
    ("scopes", "there"),
    [
        ({"anna": "training loops sharing", "ben": "training"}, ["left"]),
        ({"anna": "training loops", "ben": "training sharing"}, []),
        ({"anna": " ".join(SCOPES), "ben": " ".join(SCOPES)}, ["left", "right"]),
    ],
)
def test_a_loop_goes_along_where_whoever_signs_allows_it(model, tmp_path, capsys, scopes, there):
    folder = recordings(tmp_path, **scopes).folder
    path = write(model, "--recordings", folder)
    opened = shared.open_model(path)
    loops = sign_loops.loops_of(opened)
    assert list(loops) == there
    for number, label in enumerate(there, 1):
        assert (loops[label].body == posed.points(label, 1, 0).body).all()
        assert not {b"anna", b"ben", b"signer", b"sha256"} & set(contents(path)[f"loops/{number}.zip"].split(b'"'))
    said, left = capsys.readouterr().out, [label for label in shareable.SIGNS if label not in there]
    assert f"{command.counted(len(left), 'loop')} left out ({', '.join(left)}): consent.csv does not say" in said
    assert ("the points of one take" in " ".join(said.split())) == bool(there)


def test_whoever_is_gone_from_the_recordings_is_not_shown(model, tmp_path):
    folder = recordings(tmp_path, anna=" ".join(SCOPES))
    old = shutil.copytree(folder.folder, tmp_path / "copy")
    (folder.folder / "consent.csv").write_text((old / "consent.csv").read_text().replace("sharing", ""))
    assert "loops/1.zip" in contents(write(model, "--recordings", old))
    assert "loops/1.zip" not in contents(write(model, "--recordings", old, folder.folder)), "she allows it no more"
    folder.remove(folder.rows)
    assert "loops/1.zip" not in contents(write(model, "--recordings", folder.folder))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda model: (model / WITHDRAWN_FILE).write_text("somebody withdrew\n"), "mine: withdrawn, .*somebody"),
        (lambda model: (model / "export.json").unlink(), "no form that runs without Keras .*; run export.py"),
        (lambda model: (model / "export/openvino/landmark.bin").write_bytes(b"x"), "landmark.bin: .*run export.py"),
        (lambda model: (model / "net.weights.h5").write_bytes(b"x"), "net.weights.h5: not the file"),
        (lambda model: (model / "loops" / "2.zip").write_bytes(b"x"), "2.zip: cut short"),
        (lambda model: (share.models.FOLDER / "LICENSE").unlink(), "LICENSE: missing, and without it"),
        (lambda model: (share.models.FOLDER / "hand_recrop.tflite").write_bytes(b"x"), "not the known network"),
        (lambda model: (share.models.FOLDER / "hand_recrop.tflite").unlink(), "no such file; landmark.py fetches"),
    ],
)
def test_what_is_not_shared_leaves_no_file(model, spoil, said):
    spoil(model)
    with pytest.raises(Problem, match=said):
        share.main(["--model", str(model), "--output", str(model.parent / "mine.zip")])
    assert [path.name for path in model.parent.iterdir()] == ["mine"]


def test_flags_that_cannot_be(model, tmp_path):
    for flags, said in (
        (["--output", str(tmp_path / "mine.tar")], "expected a file that ends in .zip"),
        (["--output", str(tmp_path / "a.zip"), "--recordings", str(tmp_path)], "no consent.csv in it; name a folder"),
        (["--output", str(tmp_path / "a.zip"), "--licence", "a\nb"], "--licence 'a"),
    ):
        with pytest.raises(Problem, match=said):
            share.main(["--model", str(model), *flags])
    path = write(model)
    with pytest.raises(Problem, match="was shared already"):
        share.main(["--model", str(path), "--output", str(tmp_path / "a.zip")])
    with pytest.raises(Problem, match="was shared already"):
        share.main(["--model", str(shared.open_model(path).folder), "--output", str(tmp_path / "a.zip")])


def test_what_has_reduced_forms_alone_shares_these(tmp_path):
    folder = shareable.write_model(tmp_path / "model" / "mine", forms=("openvino-int8",))
    files = contents(write(folder))
    assert "export/openvino-int8/rgb.xml" in files and not [name for name in files if name.startswith("networks")]


def test_what_a_model_began_with(tmp_path):
    folder = shareable.write_model(tmp_path / "model" / "mine")
    content = json.loads((folder / "bundle.json").read_text())

    def note(flags: dict, name: str = "mine") -> str:
        (folder / "bundle.json").write_text(json.dumps(content | {"flags": flags}))
        return " ".join(contents(write(tmp_path / "model" / name))["LICENCE.txt"].decode().split())

    assert "began with random numbers" in note({"weights": "none"})
    assert "Kinetics" in note({"weights": "kinetics-hub"}) and "ImageNet" in note({"weights": "imagenet"})
    lstm = {"image_network": {"rgb": "efficientnet-lite0, weights imagenet", "flow": "mobilenet, weights imagenet"}}
    assert "EfficientNet-Lite that Google published" in note(lstm) and "keras.applications" in note(lstm)
    assert "EfficientNet-Lite" in note({"weights": "imagenet", "network": "EfficientNetLite0"})
    assert "what this file cannot know" in note({"weights": "/home/anna/model.ckpt"})
    assert "what this file cannot know" in note({})
    assert "cannot know" not in note({"weights": "dgs", "refit": "model/gone"})
    assert "signs/models/dgs" in note({"script": "learn.py"})
    drawn = note({"script": "train_landmark.py", "weights": "none", "no_sign": 0.6})
    assert "which taught it what is no sign" in drawn and "Tachionstrahl" in drawn, "a licence asks to be named"
    shareable.write_model(tmp_path / "model" / "child")
    child = tmp_path / "model" / "child" / "bundle.json"
    child.write_text(json.dumps(json.loads(child.read_text()) | {"flags": {"model": ["elsewhere/mine", "model/x"]}}))
    text = note({"weights": "kinetics"}, "child")
    assert "Kinetics" in text and "cannot know" in text and "elsewhere" not in text


@pytest.mark.parametrize("script", ["predict", "livedemo"])
def test_it_is_opened_without_tensorflow(tmp_path, script):
    path = write(shareable.write_model(tmp_path / "model" / "mine"))
    video, cache = tiny.encode(tmp_path / "a.mp4", tiny.moving()), {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    flags = [video, "--json"] if script == "predict" else ["--video", video, "--check"]
    where = {"PYTHONPATH": str(tiny.REPOSITORY), **cache}
    done = tiny.python("-c", WITHOUT_TENSORFLOW.format(script=script), "--model", path, *flags, **where)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    if script == "livedemo":
        assert "camera and file agree" in done.stdout
        return
    here = Recogniser.load(tmp_path / "model" / "mine", "openvino")
    assert json.loads(done.stdout)["label"] == here.predict(*read_video(video)[:2])[0][0]
    path.write_bytes(path.read_bytes()[:-100])
    done = tiny.python("-c", WITHOUT_TENSORFLOW.format(script=script), "--model", path, *flags, **where)
    assert done.returncode == 2 and "mine.zip: cut short" in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.skipif(sys.platform == "win32", reason="no such rights there")
def test_a_folder_that_cannot_be_written_is_one_line(model, monkeypatch, capsys):
    monkeypatch.setattr(share.command, "atomic", lambda path: (_ for _ in ()).throw(PermissionError(13, "denied", "a")))
    flags = ["--model", str(model), "--output", str(model.parent / "mine.zip")]
    assert command.run(lambda: share.main(flags)) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_file_that_is_something_else_is_not_written_over(model, tmp_path):
    other = tmp_path / "thesis.zip"
    other.write_bytes(b"years of work")
    with pytest.raises(Problem, match="there already, and no model of share.py"):
        share.main(["--model", str(model), "--output", str(other)])
    assert other.read_bytes() == b"years of work"
    write(model)
    write(model)  # its own is replaced
    with pytest.raises(Problem, match="lies in the model's folder"):
        share.main(["--model", str(model), "--output", str(model / "loops" / "1.zip")])
