"""prepare_videos.py on tables as people write them, and on who signs as paths tell it."""

import argparse
import json
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip, load_dataset
from signs.prepare.path_pattern import PathPattern

import pytest

import prepare_videos
import tiny

SIGNERS, LABELS, TAKES = ("anna", "ben", "cara"), ("hello", "stop"), (1, 2)
PATTERN = "{label}/{signer}_{take}"


@pytest.fixture
def videos(tmp_path) -> Path:
    """`in/<label>/<signer>_<take>.avi`, and a table to write beside it."""
    for seed, name in enumerate(paths()):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny.avi(seed, 100))
    return tmp_path / "videos.csv"


def paths() -> list[str]:
    return [f"in/{label}/{signer}_{take}.avi" for label in LABELS for signer in SIGNERS for take in TAKES]


def table_text(header: str = "video,label,signer", separator: str = ",") -> str:
    """A row for each path of its label and signer."""
    rows = [[path, path.split("/")[1], path.split("/")[2].split("_")[0]] for path in paths()]
    return "\n".join(separator.join(row) for row in [header.split(","), *rows])


def prepare(videos: Path, capsys, *more: str, code: int = command.DONE) -> str:
    """Run, expect this exit code, and return what was said: one line where nothing is done."""
    argv = ["--videos", str(videos), "--output", str(videos.parent / "made"), "--workers", "1", *more]
    assert command.run(lambda: prepare_videos.main(argv)) == code
    said = capsys.readouterr()
    assert code != command.NOTHING or said.err.count("\n") == 1 and not (videos.parent / "made").exists()
    assert all(len(line) <= 300 for line in (said.out + said.err).splitlines())
    return said.out + said.err


def clips(videos: Path) -> list[Clip]:
    return load_dataset(videos.parent / "made").clips


def check_all_read(videos: Path, folder: str = "in/") -> None:
    found = {(clip.source, clip.label, clip.signer) for clip in clips(videos)}
    assert found == {
        (p.removeprefix("in/") if not folder else p, *(p.split("/")[1], p.split("/")[2].split("_")[0])) for p in paths()
    }


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    "header", ["video,label,signer", "Video, LABEL ,Signer", "File,Gloss,person", "path,class,speaker"]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_separators_and_heads(videos, capsys, separator, header, encoding):
    videos.write_text(table_text(header, separator), encoding=encoding)
    prepare(videos, capsys, "--transfer", "link")
    check_all_read(videos)


def test_a_class_table_of_the_same_kinds(videos, capsys):
    videos.write_text(table_text())
    (videos.parent / "classes.csv").write_text("Label;Name;Kind\nhello;Hallo;gesture\nstop;Halt;none\n")
    prepare(videos, capsys, "--classes", str(videos.parent / "classes.csv"))
    data = load_dataset(videos.parent / "made")
    assert [(row.label, row.name, row.kind) for row in data.classes] == [
        ("hello", "Hallo", "gesture"),
        ("stop", "Halt", "none"),
    ]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (table_text().encode("utf-16"), "in UTF-16; save it as CSV in UTF-8"),
        (table_text().encode("utf-16-le"), "it holds zero bytes; save it as CSV in UTF-8"),
        ("video,label\nin/ä.avi,über".encode("latin-1"), "not a text file in UTF-8; save it as CSV in UTF-8"),
        (b"PK\x03\x04" + bytes(100), "an Excel workbook or a zip archive; save it as CSV in UTF-8"),
        (json.dumps([{"video": "x" * 50, "label": "y"}] * 80_000).encode(), "JSON, as it seems; expected a CSV table"),
        (b"one,two" * 200_000, "videos.csv: "),
        (b"path,file,label\na,b,c", "columns path and file may each be the video; name the right one video"),
        (b"video,Video,label\na,b,c", "2 columns are called video"),
        (b"signer,label\na,b", "no column video; found signer, label"),
    ],
)
def test_what_is_no_table(videos, capsys, content, reason):
    videos.write_bytes(content)
    assert reason in prepare(videos, capsys, code=command.NOTHING)


def test_a_comma_that_is_not_in_quotes(videos, capsys):
    videos.write_text(table_text() + f"\n{paths()[0]},thank you, thanks,anna\n")
    said = prepare(videos, capsys, code=command.PARTLY)
    assert f"videos.csv line 14, {paths()[0]}: 'anna' stands behind the last column" in said
    check_all_read(videos)


def test_lines_are_counted_as_an_editor_does(videos, capsys):
    videos.write_text(table_text().replace("\n", "\n\n", 1) + "\nin/none.avi,hello,anna\n")
    assert "videos.csv line 15, in/none.avi: no such file" in prepare(videos, capsys, code=command.PARTLY)


def test_thousands_of_repeats_are_a_few_lines(videos, capsys):
    videos.write_text(table_text() + f"\n{paths()[0]},hello,anna" * 2974)
    said = prepare(videos, capsys, code=command.PARTLY)
    assert len(said) < 5000 and "and 2,973 more like it: videos.csv line 15" in said
    assert "stands in videos.csv line 2 already; left out" in said and "2,974 not done (all named in" in said
    assert len((videos.parent / "made" / "not_done.csv").read_text().splitlines()) == 2975


def test_labels_counted_from_0(videos, capsys):
    videos.write_text(table_text().replace(",hello", ",0").replace(",stop", ",1"))
    (videos.parent / "classes.csv").write_text("label,name\n1,hello\n2,stop\n")
    said = prepare(videos, capsys, "--classes", str(videos.parent / "classes.csv"), code=command.NOTHING)
    assert (
        "in/hello/anna_1.avi: label 0: labels count from 0 (to 1), the classes of" in said
        and "add 1 to every label" in said
    )


def test_a_path_under_two_labels(videos, capsys):
    """As a file that is there twice: nobody knows which label is right."""
    path = paths()[0]
    videos.write_text(table_text() + f"\n./{path},stop,anna")
    said = prepare(videos, capsys, code=command.PARTLY)
    labels = "labelled 'hello' here, 'stop' there; both left out"
    assert f"line 2, {path}: the same file as videos.csv line 14, ./{path}, but {labels}" in said
    assert "2 not done (named above), 11 done" in said and len(clips(videos)) == 11


def test_signers_from_a_folder(videos, capsys):
    said = prepare(videos.parent / "in", capsys, "--signer-from", PATTERN)
    assert "--signer-from: 3 signers, such as anna of hello/anna_1.avi; forgotten: take" in said
    check_all_read(videos, folder="")
    split_of = {clip.signer: clip.split for clip in clips(videos)}
    assert all(clip.split == split_of[clip.signer] for clip in clips(videos)) and len(set(split_of.values())) == 3


@pytest.mark.parametrize("top", ["", "in/", "absolute"])
def test_signers_from_the_paths_of_a_table(videos, capsys, top):
    """The pattern is of the path's end: what stands in front may be any folders."""
    front = f"{videos.parent}/in/" if top == "absolute" else "in/"
    rows = [f"{path.replace('in/', front)},{path.split('/')[1]}" for path in paths()]
    videos.write_text("\n".join(["video,label", *rows]))
    prepare(videos, capsys, "--signer-from", f"{top}{PATTERN}" if top == "in/" else PATTERN)
    check_all_read(videos)


def test_labels_from_the_paths_of_a_table(videos, capsys):
    videos.write_text("\n".join(["file", *paths()]))
    prepare(videos, capsys, "--signer-from", PATTERN)
    check_all_read(videos)


def test_a_signer_in_the_table_goes_before_the_path(videos, capsys):
    videos.write_text(table_text().replace(",anna", ",dora"))
    prepare(videos, capsys, "--signer-from", PATTERN)
    assert {clip.signer for clip in clips(videos)} == {"dora", "ben", "cara"}


def test_a_path_that_does_not_fit(videos, capsys):
    (videos.parent / "in/hello/anna.avi").write_bytes(tiny.avi(99))
    said = prepare(videos.parent / "in", capsys, "--signer-from", PATTERN, code=command.PARTLY)
    assert f"hello/anna.avi: does not fit --signer-from '{PATTERN}', as hello/anna_1.mp4 does; left out" in said
    check_all_read(videos, folder="")


def test_no_path_that_fits(videos, capsys):
    said = prepare(videos.parent / "in", capsys, "--signer-from", "{signer}-{label}", code=command.NOTHING)
    assert "no video can be used; hello/anna_1.avi: does not fit --signer-from '{signer}-{label}'" in said


@pytest.mark.parametrize("text", ["{label", "label}", "abc", "{take}_{x}", "{label}{signer}", ""])
def test_patterns_that_say_nothing(text):
    with pytest.raises(argparse.ArgumentTypeError):
        PathPattern(text)


def test_patterns():
    read = PathPattern("{signer}_{take}").read
    assert read("1CM1_3_R_#226.avi") == {"signer": "1CM1"} and read("a/b_1.avi") is None and read("b.avi") is None
    assert PathPattern("{x}/{signer}/{x}_{n}").read("a/S1/a_3.avi") == {"signer": "S1"}
    assert PathPattern("{x}/{signer}/{x}_{n}").read("a/S1/b_3.avi") is None
    for person in ("person", "Subject", "signer_id"):
        pattern = PathPattern(f"{{gloss}}/{{{person}}}_{{take}}")
        assert pattern.read("hello/anna_1.mp4") == {"label": "hello", "signer": "anna"}
        assert pattern.forgotten == ["take"] and pattern.example() == "hello/anna_1.mp4"
    assert PathPattern("{label}/{word}_{signer}").read("a/b_c.mp4") == {"label": "a", "signer": "c"}
    with pytest.raises(argparse.ArgumentTypeError, match="person and subject may each be the signer"):
        PathPattern("{person}/{subject}_{label}")
    assert PathPattern("v.{signer}+{label}").read("v.ü b+don't.mp4") == {"label": "don't", "signer": "ü b"}
    assert PathPattern("{signer}_{n}").read("/far/b_1.v2.avi", anywhere=True) == {"signer": "b"}
