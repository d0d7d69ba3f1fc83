"""bundle.json is checked before anything of it is used; nothing in it is run."""

import builtins
import functools
import json
import operator
import sys

from signs.command import Problem
from signs.inference.bundle import BUNDLE_FILE, load_bundle, load_keras, save_bundle

import numpy as np
import pytest


def change(folder, how) -> None:
    content = json.loads((folder / BUNDLE_FILE).read_text())
    how(content)
    (folder / BUNDLE_FILE).unlink()
    (folder / BUNDLE_FILE).write_text(json.dumps(content))


def told(folder) -> str:
    with pytest.raises(Problem) as caught:
        load_bundle(folder)
    assert "\n" not in str(caught.value) and str(folder) in str(caught.value)
    return str(caught.value)


def test_what_was_saved_is_loaded(copied):
    found = load_bundle(copied)
    assert [stream.name for stream in found.streams] == ["rgb", "flow"]
    assert [row.label for row in found.classes] == [f"{number:03d}" for number in range(1, 9)]
    assert found.spec.input.frames == 8 and found.spec.stored.flow.method == "tvl1-fast"
    assert found.about["data"]["clips"] == {"train": 16, "valid": 8, "test": 8}
    assert found.about["flags"]["seed"] == 0 and found.about["versions"]["keras"]
    before = (copied / BUNDLE_FILE).read_bytes()
    save_bundle(found)
    assert (copied / BUNDLE_FILE).read_bytes() == before


def test_no_folder_and_no_bundle(tmp_path):
    assert "no such folder; train a model" in told(tmp_path / "none")
    assert "no bundle.json" in told(tmp_path)


@pytest.mark.parametrize("text", ["{'format': 1}", "", "\xff\xfe", '{"format": 1'])
def test_what_is_not_json(copied, text):
    (copied / BUNDLE_FILE).unlink()
    (copied / BUNDLE_FILE).write_bytes(text.encode("latin-1"))
    assert "not JSON" in told(copied)


@pytest.mark.parametrize("content", [{}, {"format": 99}, {"format": "1"}, [1], None])
def test_another_format(copied, content):
    (copied / BUNDLE_FILE).unlink()
    (copied / BUNDLE_FILE).write_text(json.dumps(content))
    assert "this version reads format 1" in told(copied)


@pytest.mark.parametrize("key", ["spec", "classes", "streams", "fusion", "sha256"])
def test_each_part_has_to_be_there_and_of_its_kind(copied, key):
    whole = (copied / BUNDLE_FILE).read_text()
    change(copied, lambda content: content.pop(key))
    assert "incomplete or of another version" in told(copied)
    if key != "fusion":
        (copied / BUNDLE_FILE).write_text(whole)
        change(copied, lambda content: content.update({key: 3}))
        assert "incomplete or of another version" in told(copied)


def test_a_weight_file_missing_or_changed_by_one_byte(copied):
    path = copied / "flow.weights.h5"
    content = bytearray(path.read_bytes())
    path.unlink()
    assert "flow.weights.h5: missing" in told(copied)
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert "flow.weights.h5: not the file that bundle.json was written with" in told(copied)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("network", "i3d_v2", "network 'i3d_v2'; known are i3d"),
        ("network", "os:system", "known are i3d"),
        ("modality", "sound", "modality 'sound'; known are rgb, flow"),
        ("files", {"weights": "../rgb.weights.h5"}, "no plain name"),
        ("files", {"weights": "/etc/passwd"}, "no plain name"),
        ("files", {"weights": 3}, "incomplete"),
        ("files", {}, "incomplete"),
        ("extra", 1, "incomplete"),
        ("name", "../rgb", "stream '../rgb' is no plain name"),
        ("name", 3, "streams[0].name is '3', expected str"),
        ("name", "flow", "no stream in it, or one twice"),
        ("arguments", {"classes": 7, "input_shape": [8, 32, 32, 3]}, "tells 7 classes apart, and the table has 8"),
    ],
)
def test_a_stream_that_is_not_ours(copied, key, value, said):
    change(copied, lambda content: content["streams"][0].update({key: value}))
    assert said in told(copied)


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("stored/short_side", "x", "another version"),
        ("stored/short_side", 1e300, "expected 1 to 9999 px"),
        ("stored/short_side", True, "short_side is 'True', expected int"),
        ("stored/quality", 0, "1 to 100"),
        ("stored/flow", None, "stream flow sees flow, and the spec has none"),
        ("stored/flow/bound", 0, "a bound of 0 px"),
        ("stored/flow/bound", float("nan"), "a bound of nan px"),
        ("stored/flow/parameters", [], "parameters is '[]', expected dict"),
        ("stored/flow/parameters/scales", "many", "expected numbers up to 100 for tau"),
        ("stored/flow/parameters/scale_step", 0, "expected numbers up to 100 for tau"),
        ("input/frames", 10**30, "expected 1 to 9999 of each"),
        ("stored/flow/bound", 1e300, "a bound of 1e+300 px"),
        ("input/frames", 9, "stream rgb takes [8, 32, 32, 3], and a clip is seen as [9, 32, 32, 3]"),
        ("input/frames", 8.0, "frames is '8.0', expected int"),
        ("input/views", 10**30, "views of a clip"),
        ("input/short_side", 10**9, "expected 1 to 9999 of each"),
    ],
)
def test_a_spec_that_no_clip_can_have(copied, place, value, said):
    from signs.inference.recogniser import Recogniser

    def put(content):
        *parts, last = place.split("/")
        functools.reduce(operator.getitem, parts, content["spec"])[last] = value

    change(copied, put)
    with pytest.raises(Problem) as caught:
        recogniser = Recogniser.load(copied)
        recogniser.predict(np.zeros((4, 64, 64, 3), np.uint8), np.arange(4) / 10)
    assert said in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(("part", "value"), [("classes", []), ("streams", []), ("flags", 3), ("training", [])])
def test_a_part_that_is_empty_or_another_kind(copied, part, value):
    change(copied, lambda content: content.update({part: value}))
    told(copied)


def test_nothing_in_it_is_run(copied, tmp_path):
    """What Keras, pickle and eval would run if they were given the file's strings, in every place that has one."""
    mark = tmp_path / "run"
    code = f"__import__('pathlib').Path({str(mark)!r}).touch()"
    whole = (copied / BUNDLE_FILE).read_text()
    places = ["network", "modality", "name", "arguments", "files"]
    attacks = [code, {"class_name": "Lambda", "config": {"function": code}}]
    for place in places:
        for attack in attacks:
            (copied / BUNDLE_FILE).unlink()
            (copied / BUNDLE_FILE).write_text(whole)
            change(copied, lambda content, place=place, attack=attack: content["streams"][0].update({place: attack}))
            from signs.inference.recogniser import Recogniser

            with pytest.raises(Problem):
                Recogniser.load(copied)
    assert not mark.exists()


def test_keras_starts_without_what_it_imports_for_nobody(monkeypatch):
    """What is there already stays, what is not is not looked for meanwhile, and can be imported after it."""
    import matplotlib

    monkeypatch.delitem(sys.modules, "pandas", raising=False)
    plain, seen = builtins.__import__, {}

    def look(name, *more, **named):
        if name == "keras":
            seen.update({each: sys.modules.get(each, "is looked for") for each in ("matplotlib", "pandas")})
        return plain(name, *more, **named)

    monkeypatch.setattr(builtins, "__import__", look)
    load_keras()
    assert seen == {"matplotlib": matplotlib, "pandas": None} and "pandas" not in sys.modules
