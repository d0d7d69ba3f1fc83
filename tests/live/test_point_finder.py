"""Points of takes in the background: what is deleted meanwhile leaves none, what fails is named, a session goes on."""

import threading

from signs import command
from signs.clips import storage
from signs.command import Problem
from signs.landmarks import models
from signs.landmarks.stream import landmark_spec
from signs.live import point_finder
from signs.live.point_finder import PointFinder
from signs.prepare.recordings import read_recordings

import pytest

import tiny


@pytest.fixture
def work(monkeypatch):
    """Stands in for the networks: what is written is the video's name; `go` lets it go on."""

    class Work:
        go, begun, seen = threading.Event(), threading.Event(), []

    def write(video, archive, info, stored):
        Work.seen.append(video.name)
        Work.begun.set()
        assert Work.go.wait(30)
        if "bad" in video.name:
            raise Problem("no frame in it can be decoded")
        storage.write_members(archive, {}, info)

    Work.seen.clear()
    monkeypatch.setattr(point_finder, "write_video_points", write)
    monkeypatch.setattr(models, "check_there", lambda: None)
    monkeypatch.setattr(models, "import_openvino", lambda: None)
    return Work


def archives(folder) -> set[str]:
    return {path.stem for path in folder.folder.glob("landmark-30fps/*.zip")}


def test_what_is_taken_back_leaves_no_points(work, tmp_path):
    folder = read_recordings(tmp_path)
    finder = PointFinder(folder)
    rows = [folder.add(tiny.avi(number), "hello", "anna") for number in range(3)]
    for row in rows:
        finder.submit(row)
    assert work.begun.wait(30) and finder.waiting == 3
    for row in rows[:2]:  # of one the points are being found, the other waits
        folder.remove([row])
        finder.forget(row)
    work.go.set()
    assert finder.finish().summary() == command.DONE and finder.waiting == 0
    finder.close()
    assert archives(folder) == {rows[2].sha256} and len(work.seen) == 2


def test_the_next_session_finds_what_is_missing_or_of_another_version(work, tmp_path, monkeypatch):
    folder = read_recordings(tmp_path)
    work.go.set()
    rows = [folder.add(tiny.avi(number), label, "anna") for number, label in enumerate(("hello", "bad", "bye"))]
    for count in (3, 1):  # then all are there but the one that cannot be read
        work.seen.clear()
        finder = PointFinder(read_recordings(tmp_path))
        outcome = finder.finish()
        finder.close()
        assert len(work.seen) == count and archives(folder) == {rows[0].sha256, rows[2].sha256}
        assert outcome.failed == [(rows[1].video, "no frame in it can be decoded")]
        assert outcome.summary() == command.PARTLY
    other = landmark_spec(29).to_json() | {"rate": 30, "chain": -1}
    info = storage.read_info(tmp_path / "landmark-30fps" / f"{rows[0].sha256}.zip")
    storage.write_members(tmp_path / "landmark-30fps" / f"{rows[0].sha256}.zip", {}, {**info, "stored": other})
    work.seen.clear()
    finder = PointFinder(folder)
    finder.finish()
    finder.close()
    assert len(work.seen) == 2
