"""What a sign looks like: the most usual take is chosen, comes back as it was written, and may be from anybody."""

import io
import json
import zipfile
from dataclasses import replace
from pathlib import Path

from signs.clips.dataset import Clip, Dataset, Label
from signs.clips.points import Points, write_points
from signs.command import Problem
from signs.inference import sign_loops
from signs.inference.bundle import load_bundle
from signs.inference.sign_loops import Loop

import numpy as np
import pytest

import posed
import shareable
import tiny


def takes(labels: str = "left up nothing left left up") -> tuple[Dataset, list[Clip], list[Points]]:
    """Takes of a drawn person and their points."""
    clips = [
        Clip(f"{number}", "train", label, "anna", "", "", f"{number:064d}")
        for number, label in enumerate(labels.split())
    ]
    points = [
        posed.points("up" if row.label == "nothing" else row.label, 1, number) for number, row in enumerate(clips)
    ]
    classes = [Label("up", "Up"), Label("nothing", "nothing", "none"), Label("left", "Left"), Label("new", "New")]
    return Dataset(Path("none"), clips, classes), clips, points


def assert_same(one: Points, other: Points) -> None:
    for name in ("body", "hands"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    np.testing.assert_allclose(one.times, other.times, atol=1e-6)
    assert tuple(one.size) == tuple(other.size)


def test_the_most_usual_take_of_each_gesture_in_the_class_tables_order():
    data, clips, points = takes("left left left left up")
    points[0], points[2] = posed.points("up", 1, 3), posed.points("right", 1, 3)
    points[1] = points[3]
    loops = sign_loops.choose_loops(data, clips, points)
    assert list(loops) == ["up", "left"]
    assert loops["left"] == Loop(points[1], "anna", f"{1:064d}")
    allowed = sign_loops.choose_loops(data, clips, points, {f"{2:064d}"})
    assert allowed == loops | {"left": Loop(points[2], "anna", f"{2:064d}")}


def test_takes_without_anybody_and_long_ones_are_no_loops(monkeypatch):
    data, clips, points = takes("left left up")
    points[0] = replace(points[0], body=points[0].body * np.nan)
    points[2] = posed.points("up", 1, 3, frames=sign_loops.MOST_FRAMES + 1)
    assert sign_loops.choose_loops(data, clips, points) == {"left": Loop(points[1], "anna", f"{1:064d}")}


def test_what_is_written_is_read(tmp_path):
    loops = sign_loops.choose_loops(*takes())
    loops |= {f"sign {number}": loops["up"] for number in range(12)}
    assert sign_loops.read_loops(tmp_path) == {}
    sign_loops.write_loops(tmp_path, loops)
    before = tiny.contents(tmp_path)
    found = sign_loops.read_whole(tmp_path)
    assert list(found) == list(loops) and found["up"][1:] == ("anna", f"{1:064d}")
    for label, points in sign_loops.read_loops(tmp_path).items():
        assert_same(points, loops[label].points)
    sign_loops.write_loops(tmp_path, {"up": loops["up"]})
    assert list(sign_loops.read_loops(tmp_path)) == ["up"], "in the place of those that were there"
    sign_loops.write_loops(tmp_path, loops)
    assert tiny.contents(tmp_path) == before


def test_of_a_bundle_the_loops_of_its_signs(tmp_path):
    bundle = load_bundle(shareable.write_model(tmp_path / "model"))
    assert sign_loops.loops_of(bundle) == {}
    loop = Loop(posed.points("up", 1, 0))
    sign_loops.write_loops(bundle.folder, {"gone": loop, "up": loop, "left": loop})
    assert list(sign_loops.loops_of(bundle)) == ["left", "up"]


def test_a_persons_loops_are_deleted(tmp_path):
    loop = Loop(posed.points("up", 1, 0), "anna")
    sign_loops.write_loops(tmp_path, {"a": loop, "b": loop._replace(signer="ben"), "c": loop, "d": loop})
    (tmp_path / "loops" / "4.zip").write_bytes(b"whose was it?")
    assert sign_loops.remove_loops(tmp_path, lambda loop: loop.signer == "anna") == 3
    assert list(sign_loops.read_loops(tmp_path)) == ["b"]


def with_info(path: Path, **info) -> None:
    """The archive's clip.json says something else."""
    with zipfile.ZipFile(path) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    files["clip.json"] = json.dumps(json.loads(files["clip.json"]) | info).encode()
    rewrite(path, files)


def rewrite(path: Path, files: dict[str, bytes], packed: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", packed) as archive:
        for name, content in files.items():
            archive.writestr(name, content)


def with_points(path: Path, **values) -> None:
    write_points(path, replace(posed.points("up", 1, 0), **values), {"label": "up"})


def bomb(path: Path) -> None:
    rewrite(path, {"clip.json": b"{}", "body.npy": bytes(3 << 20), "hands.npy": b""}, zipfile.ZIP_DEFLATED)


def pickled(path: Path) -> None:
    content = io.BytesIO()
    np.save(content, np.array([{"a": 1}], object), allow_pickle=True)
    files = {"clip.json": b'{"label": "up", "times": [0], "size": [9, 9]}', "hands.npy": content.getvalue()}
    rewrite(path, {**files, "body.npy": content.getvalue()})


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda path: path.write_bytes(b"no zip"), "cut short, or no zip"),
        (bomb, "says that it unpacks to 3,145,728 bytes"),
        (pickled, "cut short or damaged"),
        (lambda path: rewrite(path, {str(number): b"" for number in range(4)}), "4 files listed"),
        (lambda path: rewrite(path, {"clip.json": b"[" * 100_000}), "damaged"),
        (lambda path: with_info(path, label=""), "label is empty.*damaged, or no loop"),
        (lambda path: with_info(path, label="a\x1b[2J"), "controls the screen"),
        (lambda path: with_info(path, label=["up"]), "no loop of a sign"),
        (lambda path: with_info(path, times={"0": 1}), "damaged"),
        (lambda path: with_info(path, times=[[number, number + 1] for number in range(20)]), "times .20, 2."),
        (lambda path: with_info(path, size=None), "damaged"),
        (lambda path: with_info(path, size=[1e999, 1]), "damaged"),
        (lambda path: with_info(path, size=[0, 1]), "a picture of"),
        (lambda path: with_info(path, size=[10**9, 1]), "a picture of"),
        (lambda path: with_points(path, body=posed.points("up", 1, 0).body * 1e30), "points or times beyond"),
        (lambda path: with_points(path, times=np.arange(20) * 1e6), "points or times beyond"),
        (lambda path: with_points(path, hands=np.zeros((20, 2, 21, 3))), "hands of"),
    ],
)
def test_what_is_no_loop_is_one_line(tmp_path, spoil, said):
    sign_loops.write_loops(tmp_path, {"up": Loop(posed.points("up", 1, 0))})
    spoil(tmp_path / "loops" / "1.zip")
    with pytest.raises(Problem, match=said) as caught:
        sign_loops.read_loops(tmp_path)
    assert str(caught.value).startswith(str(tmp_path / "loops" / "1.zip")) and "\n" not in str(caught.value)
