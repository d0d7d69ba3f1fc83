"""Names in any language: what is refused, and that what is made of the rest is one file of its own on every system."""

import unicodedata
from pathlib import Path

from signs.clips import dataset, names
from signs.clips.dataset import Clip
from signs.command import Problem

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

EVERYDAY = [
    "über",
    "Tschüß",
    "niño",
    "ağabey",
    "ありがとう",
    "don't want",
    "1CM1_3_R_#226",
    "مرحبا",
    "नमस्ते",
    "中文",
    "5 €",
]
PLAIN = ["001", "M_00001", "thumbs up", "a.b", "A-1+(2)", "x" * 100]
# What a file system, a shell or Windows reads into a name.
UNSAFE = ["", ".", "..", "a/b", "a\\b", "/a", ".hidden", "-rf", "_x", "a ", "a.", "nul", "CON.txt", "com¹", "a\n", "?"]
UNSAFE += [
    "_unlabelled",
    "a~1f0c5a3e",
    "x" * 121,
    "あ" * 41,
    "u\u0308ber",
    "a\u202eb",
    "\u200d",
    "\udc80",
    "thank you / thanks",
]


@pytest.mark.parametrize("name", EVERYDAY + PLAIN)
def test_names_that_every_system_takes_stay(name):
    assert names.safe_name(name) == name == names.check_name(name, "label")


@pytest.mark.parametrize("name", UNSAFE)
def test_names_that_some_system_refuses(name):
    assert names.safe_name(name) != name
    with pytest.raises(Problem, match="label .* is no plain name"):
        names.check_name(name, "label")


def test_what_is_made_of_them_can_be_read():
    assert names.safe_name("thank you / thanks").startswith("thank you _ thanks~")
    assert names.safe_name("con.txt").startswith("_con.txt~") and names.safe_name("あ" * 200).startswith(
        "あ" * 40 + "~"
    )


@given(st.lists(st.text(st.characters(), max_size=250), max_size=8))
@example(["Go", "go", "GO", "gO"])
@example(["é", "e\u0301", "É", "E\u0301"])
@example(["Straße", "STRASSE", "ſ", "s", "ﬁ", "fi", "İ", "i̇", "K", "k"])
@example(["a?", "a*", "a_", names.safe_name("a?"), names.safe_name("a*"), "A?"])
@example(["con", "_con", "..", ". .", "", " ", "あ" * 200, "あ" * 201])
def test_every_text_has_a_file_of_its_own(texts):
    made = names.safe_names(texts)
    assert list(made) == list(dict.fromkeys(texts)) and made == names.safe_names(dict.fromkeys(texts))
    alike = {unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold()) for name in made.values()}
    assert len(alike) == len(made)
    for text, name in made.items():
        longest = f".{name}-rgb-histogram-nearest.{2**22}.part.webp"
        assert len(longest.encode()) < 240 and len(longest.encode("utf-16-le")) < 2 * 240
        assert not set(name) & set('<>:"/\\|?*') and not name.startswith((".", "-", " ")) and name[-1] not in " ."
        assert not any(unicodedata.category(each) in ("Cc", "Cf", "Cs", "Zl", "Zp") for each in name)
        assert name.split(".")[0].strip().lower() not in names.WINDOWS_DEVICES | {dataset.UNLABELLED}
        assert unicodedata.normalize("NFC", name) == name and Path("/data", name).name == name
        assert name == text or name.rpartition("~")[0]


@given(st.text(max_size=230))
def test_a_name_that_is_kept_stays_what_it_is(text):
    name = names.safe_name(text)
    assert (name == text) == ("~" not in name) and names.safe_name(text) == name
    if name == text:
        assert names.safe_name(name) == name


@pytest.mark.parametrize(
    "text", [*EVERYDAY, *PLAIN, "thank you / thanks", "../up", "con", 'a,b;"c"', "x" * 200, "👋🏽"]
)
def test_any_line_of_text_is_a_label(text):
    assert names.check_text(text, "label") == text


def test_one_text_whatever_wrote_its_accents():
    assert names.check_text(" u\u0308ber\u3000", "label") == "über"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "label is empty"),
        (" \u3000", "label is empty"),
        ("two\nlines", r"label 'two\\nlines' holds a character that controls the screen, U\+000A"),
        ("bell\a", r"U\+0007"),
        ("\x1b[2J", r"'\\x1b\[2J' holds a character that controls the screen, U\+001B"),
        ("a\u2028b", r"U\+2028"),
        ("a\u202eb", r"'a\\u202eb' holds a character that controls the screen, U\+202E"),
        ("\udc80", r"a byte that is no UTF-8, U\+DC80"),
        ("\u200d\u200b", "shows nothing"),
        ("\u0301", "shows nothing"),
        ("x" * 201, "has 201 characters; expected one line of text, at most 200 characters"),
    ],
)
def test_texts_that_are_no_label(text, reason):
    with pytest.raises(Problem, match=reason) as caught:
        names.check_text(text, "label")
    assert str(caught.value).isprintable() and len(str(caught.value)) < 300


def test_clips_that_one_system_would_take_for_one():
    rows = [Clip("A", "train", "Go"), Clip("a", "train", "go"), Clip("b", "train", "über"), Clip("B", "test", "")]
    clips = dataset.placed(rows)
    assert clips == rows
    paths = [clip.archive(Path("set"), "frame") for clip in clips]
    assert paths[0] == Path("set/frame/train/Go/A.zip") and paths[2] == Path("set/frame/train/über/b.zip")
    assert paths[1].parent.name.startswith("go~") and paths[1].name.startswith("a~")
    assert paths[3].parent == Path("set/frame/test/_unlabelled") and paths[3].name.startswith("B~")
    assert [clip.video(Path("v")).name for clip in dataset.placed(clips[1:])] == [
        "a.avi",
        "b.avi",
        paths[3].stem + ".avi",
    ]
    assert Clip("c", "train", source="c.mp4?x=1").video(Path("v")).name == "c.avi"


def test_rows_that_are_deleted_or_come_before_move_no_other_clip(tmp_path):
    for store, suffix in (("video", "avi"), ("frame-6x32", "zip"), ("landmark-30fps", "zip")):
        data = tmp_path / store
        rows = [Clip("A", "train", "Go"), Clip("a", "train", "go"), Clip("c", "test", "stop")]
        data.mkdir()
        dataset.save_dataset(dataset.Dataset(data, rows, [dataset.Label(label, "") for label in ("Go", "go", "stop")]))
        paths = {}
        for clip in dataset.placed(rows):
            paths[clip.clip] = (data / store / clip.folder / clip.stem).with_suffix(f".{suffix}")
            paths[clip.clip].parent.mkdir(parents=True)
            paths[clip.clip].touch()
        (data / store / "train" / "go").mkdir()  # empty: left by an earlier move
        for kept in (rows, rows[1:], [Clip("C", "train", "Stop"), *rows[1:]]):
            classes = [dataset.Label(label, "") for label in sorted({clip.label for clip in kept})]
            dataset.save_dataset(dataset.Dataset(data, kept, classes))
            for clip in dataset.load_dataset(data).clips:
                path = clip.video(data) if store == "video" else clip.archive(data, store)
                assert path == paths.get(clip.clip, path)
