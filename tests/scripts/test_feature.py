"""feature.py: rows are what the network makes of each frame; killed, gone on with, more clips, bad clips."""

import re
import shutil
import signal
import zipfile
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import preprocess, storage
from signs.clips.dataset import load_dataset, save_dataset
from signs.clips.spec import InputSpec
from signs.command import Problem
from signs.inference import feature_file

import numpy as np
import pytest

import conftest
import feature
import small_cnn
import starter
import tiny

pytestmark = pytest.mark.usefixtures("small_network")
STORE, FLOW_STORE = "feature-small-40x64", "feature-small-40x64-tvl1-fast"


@pytest.fixture
def data(demo, tmp_path) -> Path:
    return conftest.linked(demo, tmp_path / "demo")


def run(data: Path, *flags) -> int:
    return feature.main(["--data", str(data), *small_cnn.FLAGS, *map(str, flags)])


def contents(folder: Path) -> dict[str, np.ndarray]:
    """{split/clip: rows}, only of what is done."""
    found = {}
    for path in feature_file.files_of(folder):
        with feature_file.opened(path) as file:
            found |= {
                f"{path.stem}/{entry.clip}": file.rows(place)
                for place, entry in enumerate(file.entries)
                if file.done[place]
            }
    return found


def assert_equal(found: dict, expected: dict, **tolerance) -> None:
    assert found.keys() == expected.keys()
    for name, rows in expected.items():
        np.testing.assert_allclose(found[name], rows, **(tolerance or {"atol": 1e-5}), err_msg=name)


@pytest.mark.parametrize(
    ("stream", "store", "archives"), [("rgb", STORE, "frame-40x64"), ("flow", FLOW_STORE, "flow-40x64-tvl1-fast")]
)
def test_each_row_is_what_the_network_makes_of_the_frame_that_prediction_sees(features, stream, store, archives):
    """Frame by frame, through a network that is rebuilt from its name and the weights beside the features."""
    from signs.models import cnn_lstm

    data, cnn = load_dataset(features), cnn_lstm.build_cnn("small", (32, 32, 3 if stream == "rgb" else 2))
    cnn.load_weights(features / store / feature_file.WEIGHTS)
    seen, found = InputSpec(40, 36, 32), contents(features / store)
    assert len(found) == len(data.clips) == 32
    for item in (data.split("train")[3], data.split("test")[-1]):
        archive = storage.read_archive(item.archive(features, archives))
        images, bound = preprocess.cut_out(archive.images, seen, {})[0], 20.0 if stream == "flow" else None
        inputs = preprocess.network_input(images, seen, bound)
        maps = np.concatenate([cnn.predict_on_batch(frame[None]) for frame in inputs])
        np.testing.assert_allclose(found[f"{item.split}/{item.clip}"], maps.mean(axis=(1, 2)), atol=1e-5)


def test_what_the_files_say(features):
    data = load_dataset(features)
    files = feature_file.files_of(features / STORE)
    assert [path.name for path in files] == ["train.h5", "valid.h5", "test.h5"]
    known = []
    for path in files:
        with feature_file.opened(path) as file:
            clips = data.split(path.stem)
            assert [(entry.clip, entry.label, entry.length) for entry in file.entries] == [
                (item.clip, item.label, 40) for item in clips
            ]
            assert file.about.network == "small" and file.about.trained == "none, seed 0"
            assert (file.about.dimension, file.about.classes) == (small_cnn.DIMENSION, ())
            known.append(file.statistics)
    train = np.concatenate([rows for name, rows in contents(features / STORE).items() if name.startswith("train")])
    for mean, std in known:
        np.testing.assert_allclose(mean, train.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(std, train.std(axis=0), atol=1e-5)


def test_killed_in_the_middle_it_goes_on_to_the_same_features(features, data, capsys):
    line = [tiny.REPOSITORY / "tests" / "small_cnn.py", "feature", "--data", data, *small_cnn.FLAGS]
    done = starter.run(*line, KILL_AT="6")
    assert done.returncode == -signal.SIGKILL, done.stderr
    with feature_file.opened(data / STORE / "train.h5") as file:
        assert file.done.tolist() == [True] * 5 + [False] * 11 and file.statistics is None
    expected = contents(features / STORE)
    left = contents(data / STORE)
    assert_equal(left, {name: expected[name] for name in left})
    for path in (data / STORE / ".train.7.part.h5", data / STORE / ".network.7.part.weights.h5"):
        path.write_bytes(b"of a killed run")
    assert run(data) == command.DONE
    assert "train: 5 of 16 clips are there already" in capsys.readouterr().out
    assert_equal(contents(data / STORE), expected)
    paths = [folder / STORE / "test.h5" for folder in (data, features)]
    with feature_file.opened(paths[0]) as file, feature_file.opened(paths[1]) as whole:
        np.testing.assert_allclose(file.statistics, whole.statistics, atol=1e-6)
        assert file.about == whole.about
    assert not list((data / STORE).glob(".*part*"))


def test_the_size_of_a_batch_changes_nothing(features, data):
    """Batches hold parts of clips and several clips."""
    for size in (7, 100):
        shutil.rmtree(data / STORE, ignore_errors=True)
        assert run(data, "--batch", size, "--workers", 1) == command.DONE
        assert_equal(contents(data / STORE), contents(features / STORE))


def test_clips_that_were_added_later_and_nothing_else_is_done_again(features, data, capsys, monkeypatch):
    from signs.inference import features as features_module
    from signs.inference.features import read_clip

    whole = load_dataset(data)
    late = {whole.split("train")[4].clip, whole.split("valid")[0].clip}
    save_dataset(replace(whole, clips=[item for item in whole.clips if item.clip not in late]))
    assert run(data) == command.DONE
    with feature_file.opened(data / STORE / "valid.h5") as file:
        before = file.statistics
    save_dataset(whole)
    seen, real = [], read_clip
    monkeypatch.setattr(features_module, "read_clip", lambda *given: seen.append(given[2].clip) or real(*given))
    assert run(data) == command.DONE and set(seen) == late
    assert "train: 15 of 16 clips are there already" in capsys.readouterr().out
    assert_equal(contents(data / STORE), contents(features / STORE))
    with feature_file.opened(data / STORE / "valid.h5") as file:
        assert not np.array_equal(file.statistics, before), "the mean is that of all training clips"
    seen.clear()
    unchanged = {path: path.read_bytes() for path in feature_file.files_of(data / STORE)}
    with feature_file.opened(data / STORE / "train.h5"):  # as a training does
        assert run(data) == command.DONE and not seen
    assert {path: path.read_bytes() for path in unchanged} == unchanged


def own_store(data: Path) -> Path:
    """The frames as files that may be changed."""
    store = (data / "frame-40x64").resolve()
    (data / "frame-40x64").unlink()
    return Path(shutil.copytree(store, data / "frame-40x64"))


def test_a_clip_that_was_stored_anew_is_done_again(features, data):
    own_store(data)
    assert run(data) == command.DONE
    item = load_dataset(data).split("train")[2]
    path = item.archive(data, "frame-40x64")
    archive = storage.read_archive(path)
    storage.write_archive(path, 255 - archive.images, {**archive.info, "sha256": "of another video"})
    assert run(data) == command.DONE
    expected = contents(features / STORE)
    found, name = contents(data / STORE), f"train/{item.clip}"
    assert np.abs(found[name] - expected[name]).max() > 0.1
    assert_equal({**found, name: expected[name]}, expected)


def test_bad_clips_are_named_and_the_rest_is_done(features, data, capsys):
    own_store(data)
    missing, cut, empty, broken = load_dataset(data).split("train")[:4]
    paths = [item.archive(data, "frame-40x64") for item in (missing, cut, empty, broken)]
    paths[0].unlink()
    paths[1].write_bytes(paths[1].read_bytes()[:3000])
    with zipfile.ZipFile(paths[2], "w") as archive:
        archive.writestr("clip.json", '{"times": []}')
    content = bytearray(paths[3].read_bytes())
    content[len(content) // 2 : len(content) // 2 + 50] = bytes(50)
    paths[3].write_bytes(content)
    assert run(data) == command.PARTLY
    said = capsys.readouterr().err
    for item, why in (
        (missing, "not there: frame.py could not make it; run frame.py"),
        (cut, "no whole clip"),
        (empty, "no frame in it"),
        (broken, "cut short or damaged"),
    ):
        assert sum(line.strip().startswith(f"{item.clip}: ") and why in line for line in said.splitlines()) == 1
    assert "4 not done (named above), 28 done" in said
    bad = {f"train/{item.clip}" for item in (missing, cut, empty, broken)}
    expected = {name: rows for name, rows in contents(features / STORE).items() if name not in bad}
    assert_equal(contents(data / STORE), expected)


def test_another_network_needs_another_name(features, data):
    assert run(data) == command.DONE
    with pytest.raises(Problem, match="other settings .trained none, seed 0 instead of none, seed 1, weights.; delete"):
        run(data, "--seed", 1)
    with pytest.raises(Problem, match="other settings .spec"):
        run(data, "--crop", "32/40")
    assert_equal(contents(data / STORE), contents(features / STORE))
    assert run(data, "--seed", 1, "--name", "other") == command.DONE
    assert (data / "feature-other-40x64" / "test.h5").exists()


def test_weights_that_a_killed_run_of_another_seed_left_are_replaced(features, data):
    from signs.inference.features import digest
    from signs.models import cnn_lstm

    shutil.copytree(features / STORE, data / STORE)
    for path in feature_file.files_of(data / STORE):
        path.unlink()
    assert run(data, "--seed", 5) == command.DONE
    cnn = cnn_lstm.build_cnn("small", (32, 32, 3))
    cnn.load_weights(data / STORE / feature_file.WEIGHTS)
    with feature_file.opened(data / STORE / "train.h5") as file:
        assert digest(cnn) == file.about.weights


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--network", "mobilenot"], "no network 'mobilenot'; there are mobilenet"),
        (["--network", "model/none"], "model/none: no such folder"),
        (["--weights", "none.h5"], "--weights none.h5: no such file; imagenet, none, or"),
        (["--crop", "300/36"], "a crop of 300 px out of a short side of 36 px"),
        (["--store", "20x64"], "no frame store 20x64; run frame.py"),
        (["--name", "a/b"], "--name 'a/b' is no plain name"),
        (["--batch", "0"], "--batch 0: at least 1"),
    ],
)
def test_flags_that_make_no_sense(data, flags, said):
    with pytest.raises(Problem, match=said) as caught:
        run(data, *flags)
    assert "\n" not in str(caught.value) and not list(data.glob("feature-*"))


def test_weights_from_a_file(data, tmp_path):
    model = small_cnn.small(False, (32, 32, 3), None)
    model.save_weights(tmp_path / "own.weights.h5")
    assert run(data, "--weights", tmp_path / "own.weights.h5") == command.DONE
    with feature_file.opened(data / STORE / "train.h5") as file:
        assert file.about.trained == "own.weights.h5"
    (tmp_path / "not.weights.h5").write_bytes(b"none")
    with pytest.raises(Problem, match="not.weights.h5: not its weights without a top"):
        run(data, "--weights", tmp_path / "not.weights.h5", "--name", "second")


def test_the_script_itself_with_a_real_network(data):
    done = tiny.script(
        "feature.py", "--data", data, "--network", "MobileNet", "--weights", "none", "--crop", "32", "--name", "real"
    )
    assert (done.returncode, done.stderr) == (0, "") and "32 clips, 1024 features a frame" in done.stdout
    found = contents(data / "feature-real-40x64")
    assert len(found) == 32 and all(rows.shape == (40, 1024) for rows in found.values())


def test_a_dry_run_says_what_it_takes_and_writes_nothing(data, capsys):
    before = sorted(data.iterdir())
    assert run(data, "--dry-run") == command.DONE
    clips = sum(bool(item.split) for item in load_dataset(data).clips)
    said = re.search(
        r"from (\d+) clips: (\d+) clips, ([\d.e-]+) core-hours, ([\d.e-]+) GB in 3 files, about", shown(capsys)
    )
    assert int(said[2]) == clips and float(said[3]) > 0 and sorted(data.iterdir()) == before
    assert run(data) == command.DONE
    rows = sum(each.nbytes for each in contents(data / STORE).values())
    assert float(said[4]) * 1e9 == pytest.approx(rows, rel=0.01)
    capsys.readouterr()
    assert run(data, "--dry-run") == command.DONE and "nothing to do" in shown(capsys)


def shown(capsys) -> str:
    return capsys.readouterr().out
