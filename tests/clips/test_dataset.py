"""The folder contract: what is written is read back, and what contradicts it is named."""

from pathlib import Path

from signs.clips import dataset
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, save_dataset
from signs.command import Problem

import pytest

CLASSES = [Label("001", "wave, both hands", "gesture", {"vocabulary": "Mudra1"}), Label("rest", "rest", "none")]
CLIPS = [
    Clip("a", "train", "001", "P1", "train/001", "train/001/a.AVI", "00ff"),
    Clip("b", "valid", "rest"),
    Clip("c", "test", source="c.mp4"),
]


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    data = Dataset(tmp_path, CLIPS, CLASSES)
    save_dataset(data)
    return data


def test_saved_and_loaded(data):
    loaded = load_dataset(data.folder)
    assert loaded.clips == CLIPS
    assert [(row.label, row.name, row.kind) for row in loaded.classes] == [
        ("001", "wave, both hands", "gesture"),
        ("rest", "rest", "none"),
    ]
    assert loaded.classes[0].extra == {"vocabulary": "Mudra1"}
    before = (data.folder / "clips.csv").read_bytes()
    save_dataset(loaded)
    assert (data.folder / "clips.csv").read_bytes() == before


def test_places():
    data = Path("set")
    assert CLIPS[0].video(data) == Path("set/video/train/001/a.avi")
    assert CLIPS[2].video(data) == Path("set/video/test/_unlabelled/c.mp4")
    assert CLIPS[0].video(data, "depth") == Path("set/depth/train/001/a.avi")
    assert Clip("d", "test", source="long.mp4/3-9").video(data) == Path("set/video/test/_unlabelled/d.avi")
    assert CLIPS[1].archive(data, "frame-40x240") == Path("set/frame-40x240/valid/rest/b.zip")


def test_splits_counts_stores(data):
    assert data.split("train", "test") == [CLIPS[0], CLIPS[2]]
    assert data.split(labelled=True) == CLIPS[:2]
    assert data.count()["test"] == {"": 1}
    parts = ("frame-40x240-depth", "frame-8x32-q80-upper_depth", "flow-40x240-depth-dis")
    for name in ("frame-40x240", "flow-40x240-tvl1-fast-video", "frame-all", *parts):
        (data.folder / name).mkdir()
    assert data.stores("frame") == ["frame-40x240", "frame-all"]
    assert data.stores("flow") == ["flow-40x240-tvl1-fast-video"]
    asked = (("frame", "depth"), ("frame", "upper_depth"), ("flow", "depth"))
    assert [data.stores(kind, part) for kind, part in asked] == [[name] for name in parts]


@pytest.mark.parametrize(
    ("table", "text", "reason"),
    [
        ("clips.csv", None, "no clips.csv in it"),
        ("class.csv", None, "class.csv: no such file"),
        ("clips.csv", "", "no column clip, split"),
        ("clips.csv", "clip,split,label,signer,group,source,sha256\n", "no clip in it"),
        (
            "clips.csv",
            "clip,split,label,signer,group,source,sha256\n\x1b[1m,train,001,,,,\n",
            r"clip '\\x1b\[1m' holds",
        ),
        ("clips.csv", "clip,split,label,signer,group,source,sha256\na,train,../up,,,,\n", "label ../up is not in"),
        ("clips.csv", "clip,split,label,signer,group,source,sha256\na,exam,001,,,,\n", "split 'exam' of a; expected"),
        ("clips.csv", "clip,split,label,signer,group,source,sha256\na,test,9,,,,\n", "label 9 is not in class.csv"),
        ("clips.csv", "clip,split,label,signer,group,source,sha256\na,test,,,,,\na,test,,,,,\n", "clip a stands twice"),
        ("clips.csv", "clip,split,label,signer,group,source,sha256\na,test,,\u202eP1,,,\n", r"signer of a .* U\+202E"),
        ("class.csv", "label,name\n", "no class in it"),
        ("class.csv", "label,name\n  ,a\n", "label is empty; expected one line of text"),
        ("class.csv", "label,name,kind\n001,a,gesture\n001,b,gesture\n", "label 001 stands twice"),
        ("class.csv", "label,name,kind\n001,a,thing\n", "kind 'thing' of label 001; expected gesture or none"),
        ("class.csv", b"\xff\xfe\x00", "not a text file in UTF-8"),
    ],
)
def test_contradictions(data, table, text, reason):
    path = data.folder / table
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(Problem, match=reason):
        load_dataset(data.folder)


def test_no_such_folder(tmp_path):
    with pytest.raises(Problem, match="no such folder; make a data set with"):
        load_dataset(tmp_path / "nowhere")


def test_table_of_a_spreadsheet(tmp_path):
    (tmp_path / "class.csv").write_bytes(b"\xef\xbb\xbflabel,name\r\n001,a\r\n002\r\n")
    assert [(row.label, row.name) for row in dataset.read_classes(tmp_path / "class.csv")] == [
        ("001", "a"),
        ("002", ""),
    ]


def test_a_spread_takes_every_class_alike():
    clips = [Clip(f"clip{i}", "train", label) for i, label in enumerate("a" * 50 + "bbbcc")]
    chosen = dataset.spread(clips, 8)
    counts = {label: sum(item.label == label for item in chosen) for label in "abc"}
    assert counts == {"a": 3, "b": 3, "c": 2} and chosen == dataset.spread(clips, 8)
    assert dataset.spread(clips, 100) == clips
