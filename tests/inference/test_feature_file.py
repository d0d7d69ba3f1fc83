"""Feature files: rows go where they belong, a kill leaves a file that opens, other clips and bad files are told."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

from signs.clips.dataset import Dataset
from signs.clips.spec import ClipSpec, FlowSpec, InputSpec, StoredSpec
from signs.command import Problem
from signs.inference import feature_file
from signs.inference.feature_file import About, Entry

import h5py
import numpy as np
import pytest

import tiny

FLOW = FlowSpec("tvl1-fast", {"tau": 0.25})
STORED = StoredSpec("6", 48, flow=FLOW)
ABOUT = About(ClipSpec(STORED, InputSpec(6, 36, 32)), "rgb", "small", "00ff", "none, seed 0", 5)
ENTRIES = [Entry("a", "001", 3, "aa"), Entry("b", "002", 5, "bb"), Entry("c c", "", 1, "cc")]


def rows(entry: Entry, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, *entry.clip.encode()]).normal(size=(entry.length, 5)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    """Three clips, the second of them not done."""
    path = tmp_path / "feature-small-6x48" / "train.h5"
    feature_file.create(path, ABOUT, ENTRIES)
    fill(path, 0, 2)
    return path


def fill(path, *positions) -> None:
    with feature_file.opened(path, write=True) as file:
        for position in positions:
            file.write(position, rows(file.entries[position]))


def test_what_was_written_is_read(path):
    with feature_file.opened(path) as file:
        assert file.about == ABOUT and file.entries == ENTRIES and file.labels == ["001", "002", ""]
        assert file.done.tolist() == [True, False, True] and file.statistics is None
        for position in (0, 2):
            np.testing.assert_array_equal(file.rows(position), rows(ENTRIES[position]))
    assert [found.name for found in path.parent.iterdir()] == ["train.h5"]


def test_a_new_file_has_nothing_done_and_its_arrays_in_one_piece(tmp_path):
    about = replace(ABOUT, classes=("001", "002"))
    feature_file.create(tmp_path / "valid.h5", about, ENTRIES)
    with h5py.File(tmp_path / "valid.h5") as file:
        assert not file["done"][:].any() and np.isnan(file["mean"][:]).all() and file["features"].chunks is None
        assert (file["features"].shape, file["logits"].shape) == ((9, 5), (9, 2))
        assert file["features"].id.get_offset() is not None, "its place is taken before anything is written"
    feature_file.create(tmp_path / "empty.h5", about, [])
    with feature_file.opened(tmp_path / "empty.h5") as file:
        assert file.entries == [] and file.position == {}


def test_equal_features_are_equal_bytes_whenever_they_are_made(tmp_path):
    for name in ("one.h5", "two.h5"):
        feature_file.create(tmp_path / name, ABOUT, ENTRIES)
        time.sleep(1.01)  # HDF5 keeps times to the second
    assert (tmp_path / "one.h5").read_bytes() == (tmp_path / "two.h5").read_bytes()


def test_names_of_any_length_and_language_are_kept_whole(tmp_path):
    entries = [Entry("長" * 200, "नमस्ते " * 28, 4, "0" * 64), Entry("b", "", 3, "1" * 64)]
    feature_file.create(tmp_path / "valid.h5", ABOUT, entries)
    with feature_file.opened(tmp_path / "valid.h5") as file:
        assert file.entries == entries and file.position == {"長" * 200: 0, "b": 1}


def test_mean_and_deviation_are_those_of_what_is_done(path):
    fill(path, 1)
    every = np.concatenate([rows(entry) for entry in ENTRIES])
    with feature_file.opened(path, write=True) as file:
        for found, expected in zip(file.measure(), (every.mean(axis=0), every.std(axis=0)), strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-6)
        file.set_statistics(*file.measure())
        np.testing.assert_allclose(file.statistics[1], every.std(axis=0), rtol=1e-6)
    fill(path, 0)
    with feature_file.opened(path) as file:
        assert file.statistics is None, "with new rows it is not the mean any more"


def test_features_that_never_change_have_a_mean(path):
    with feature_file.opened(path, write=True) as file:
        file.set_statistics(np.ones(5), np.zeros(5))
    with feature_file.opened(path) as file:
        assert file.statistics[0].tolist() == [1] * 5


def test_clips_that_came_left_or_were_stored_anew(path):
    fill(path, 1)
    new, anew = Entry("d", "001", 2, "dd"), replace(ENTRIES[1], archive="other")
    feature_file.prepare(path, ABOUT, [new, replace(ENTRIES[0], label="002"), anew])
    with feature_file.opened(path) as file:
        assert [entry.clip for entry in file.entries] == ["d", "a", "b"] and file.labels == ["001", "002", "002"]
        assert file.done.tolist() == [False, True, False]
        np.testing.assert_array_equal(file.rows(1), rows(ENTRIES[0]))
    before = path.read_bytes()
    with feature_file.opened(path) as file:
        feature_file.prepare(path, ABOUT, file.entries)
    assert path.read_bytes() == before and [found.name for found in path.parent.iterdir()] == ["train.h5"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"weights": "11ee" * 16}, r"\(weights\)"),
        ({"network": "other"}, "network small instead of other"),
        ({"spec": replace(ABOUT.spec, input=InputSpec(6, 36, 30))}, r"\(spec\)"),
        ({"dimension": 4}, "dimension 5"),
    ],
)
def test_features_of_another_network_are_refused(path, change, said):
    with pytest.raises(Problem, match=f"train.h5: features of other settings.*{said}.*--name of feature.py") as caught:
        feature_file.prepare(path, replace(ABOUT, **change), ENTRIES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("share", [0.0, 0.02, 0.3, 0.9, 0.999])
def test_a_file_that_is_cut_short(path, share):
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(Problem, match="train.h5: (cut short or damaged|no feature file).*delete it and run feature.py"):
        with feature_file.opened(path):
            pass


def test_damage_anywhere_is_a_problem_or_none(path):
    """Whatever byte is wrong, nothing else is raised."""
    content, rng, told = path.read_bytes(), np.random.default_rng(0), 0
    for place in rng.integers(0, len(content), 60):
        path.write_bytes(content[:place] + bytes([content[place] ^ 255]) + content[place + 1 :])
        try:
            with feature_file.opened(path):
                pass
        except Problem as problem:
            told += 1
            assert "\n" not in str(problem)
    assert told > 5


def test_files_that_are_none(tmp_path):
    with pytest.raises(Problem, match="train.h5: no such file; run feature.py first"):
        with feature_file.opened(tmp_path / "train.h5"):
            pass
    (tmp_path / "train.h5").write_text("clip,label\n")
    with pytest.raises(Problem, match="cut short or damaged"):
        with feature_file.opened(tmp_path / "train.h5"):
            pass
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file["features"] = np.zeros((3, 5))
    with pytest.raises(Problem, match="no feature file"):
        with feature_file.opened(tmp_path / "train.h5"):
            pass
    with h5py.File(tmp_path / "train.h5", "w") as file:
        file.attrs["about"] = ABOUT.to_json().replace('"format": 1', '"format": 9')
    with pytest.raises(Problem, match="written by another version"):
        with feature_file.opened(tmp_path / "train.h5"):
            pass


KILLED = """
import os, signal, sys
import numpy as np
from signs.inference import feature_file
from pathlib import Path
with feature_file.opened(Path(sys.argv[1]), write=True) as file:
    file.write(0, np.full((3, 5), 7, np.float32))
    file.file["features"][3:6] = 7
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_in_the_middle_of_a_clip_leaves_a_file_that_opens(path):
    feature_file.create(path, ABOUT, ENTRIES)
    environment = {**os.environ, "PYTHONPATH": str(tiny.REPOSITORY)}
    done = subprocess.run([sys.executable, "-c", KILLED, str(path)], env=environment, timeout=60)
    assert done.returncode == -signal.SIGKILL
    with feature_file.opened(path) as file:
        assert file.done.tolist() == [True, False, False] and np.all(file.rows(0) == 7)
    fill(path, 1, 2)
    with feature_file.opened(path) as file:
        assert file.done.all() and np.all(file.rows(0) == 7)
        np.testing.assert_array_equal(file.rows(1), rows(ENTRIES[1]))


def test_a_file_that_is_read_is_not_written_to(path):
    with feature_file.opened(path), feature_file.opened(path) as second:
        assert second.entries == ENTRIES
        other = tiny.python(
            "-c",
            "import sys; from pathlib import Path; from signs.inference import feature_file\n"
            "with feature_file.opened(Path(sys.argv[1]), write=True): pass",
            path,
            PYTHONPATH=str(tiny.REPOSITORY),
        )
    assert "another run has it open; wait for it" in other.stderr


@pytest.fixture
def data(tmp_path):
    return Dataset(tmp_path, [], [])


def store(data, name: str, stored: StoredSpec = STORED, modality: str = "rgb") -> str:
    kept = stored if modality == "flow" else stored.without_flow()
    about = replace(ABOUT, spec=ClipSpec(kept, ABOUT.spec.input), modality=modality)
    folder = data.folder / feature_file.store_name(name, stored, modality)
    feature_file.create(folder / "train.h5", about, ENTRIES)
    return folder.name


def test_features_are_found_by_name_and_modality(data):
    rgb, flow = store(data, "small"), store(data, "small", modality="flow")
    other, longer = store(data, "small-2"), store(data, "smaller")
    assert (rgb, flow, other) == ("feature-small-6x48", "feature-small-6x48-tvl1-fast", "feature-small-2-6x48")
    for name, modality, expected in (
        ("small", "rgb", rgb),
        ("small", "flow", flow),
        ("small-2", "rgb", other),
        ("smaller", "rgb", longer),
        ("small-6x48", "flow", flow),
    ):
        assert feature_file.find_features(data, name, modality).name == expected
    with pytest.raises(Problem, match="no features smal of rgb .there are: feature-small-2-6x48, .*run feature.py"):
        feature_file.find_features(data, "smal", "rgb")


def test_features_of_several_stores_have_to_be_told_apart(data):
    store(data, "small"), store(data, "small", StoredSpec("10fps", 48))
    with pytest.raises(Problem, match="from several stores, feature-small-10fpsx48, feature-small-6x48; name one"):
        feature_file.find_features(data, "small", "rgb")
    assert feature_file.find_features(data, "small-10fpsx48", "rgb").name == "feature-small-10fpsx48"


FULL = """
import pathlib, resource, sys, test_feature_file
from signs import command
from signs.inference import feature_file
path = pathlib.Path(sys.argv[1])
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
sys.exit(command.run(lambda: feature_file.create(path, test_feature_file.ABOUT, test_feature_file.ENTRIES)))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no room is taken beforehand")
@pytest.mark.parametrize("room", [100, 10_000])
def test_where_there_is_no_room_that_is_said_before_hdf5_crashes(tmp_path, room):
    path = os.pathsep.join([str(tiny.REPOSITORY), str(Path(__file__).parent), str(tiny.REPOSITORY / "tests")])
    done = tiny.python("-c", FULL, tmp_path / "train.h5", str(room), PYTHONPATH=path)
    assert done.returncode == 2 and done.stderr.count("\n") == 1 and "File too large" in done.stderr, done.stderr
    assert not os.listdir(tmp_path)
