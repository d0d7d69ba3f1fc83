"""Which classes prepare_videos.py keeps: `--classes` and `--min-clips` on a folder per sign, as LedaSila comes."""

from pathlib import Path

from signs import command
from signs.clips.dataset import load_dataset

import pytest

import prepare_videos
import tiny

COUNTS = {"Haus": 9, "Baum": 6, "Auto": 6, "Dach": 6, "Esel": 4, "rest": 3}


@pytest.fixture
def signs(tmp_path: Path) -> Path:
    """A folder per sign; the files are named after it, `Haus-3.avi`."""
    files = [f"{label}/{label}-{number}.avi" for label, count in COUNTS.items() for number in range(count)]
    for seed, name in enumerate(files):
        path = tmp_path / "signs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(tiny.avi(seed, 300))
    return tmp_path / "signs"


def prepare(signs: Path, capsys, *more: str, code: int = command.DONE) -> str:
    """Run, expect this exit code, and return what was said."""
    argv = ["--videos", str(signs), "--output", str(signs.parent / "made"), "--workers", "1", *more]
    assert command.run(lambda: prepare_videos.main(argv)) == code
    said = capsys.readouterr()
    return said.out + said.err


def kept(signs: Path) -> list[str]:
    """The labels of class.csv; the clips have no others, and none of them is without clips."""
    data = load_dataset(signs.parent / "made")
    assert {clip.label for clip in data.clips} == {row.label for row in data.classes}
    return [row.label for row in data.classes]


def test_the_signs_with_most_videos(signs, capsys):
    assert "left out: 3 of 6 classes, 13 of 34 videos: Dach (6), Esel (4), rest (3)" in prepare(
        signs, capsys, "--classes", "3"
    )
    assert kept(signs) == ["Auto", "Baum", "Haus"], "of three with 6 videos each the first two by name"


def test_ties_do_not_hang_on_the_order_of_a_table(signs, capsys):
    for order in (1, -1):
        rows = [f"signs/{path.parent.name}/{path.name},{path.parent.name}" for path in sorted(signs.rglob("*.avi"))]
        (signs.parent / "videos.csv").write_text("\n".join(["video,label", *rows[::order]]))
        prepare(signs.parent / "videos.csv", capsys, "--classes", "3")
        assert kept(signs) == ["Auto", "Baum", "Haus"]


def test_signs_with_few_videos(signs, capsys):
    assert "left out: 2 of 6 classes, 7 of 34 videos: Esel (4), rest (3)" in prepare(signs, capsys, "--min-clips", "6")
    assert kept(signs) == ["Auto", "Baum", "Dach", "Haus"]
    assert "left out" not in prepare(signs, capsys)
    assert len(kept(signs)) == 6


def test_both(signs, capsys):
    said = prepare(signs, capsys, "--classes", "2", "--min-clips", "6")
    assert kept(signs) == ["Auto", "Haus"] and "only" not in said
    said = prepare(signs, capsys, "--classes", "5", "--min-clips", "6")
    assert kept(signs) == ["Auto", "Baum", "Dach", "Haus"]
    assert "--classes 5: only 4 gestures with 6 videos or more" in said and "left out: 2 of 6 classes, 7 of 34" in said


def test_what_is_no_gesture_stays_and_is_not_counted(signs, capsys):
    said = prepare(signs, capsys, "--classes", "1", "--min-clips", "5", "--none-labels", "rest")
    assert kept(signs) == ["Haus", "rest"] and "left out: 4 of 6 classes, 22 of 34 videos" in said
    said = prepare(signs, capsys, "--min-clips", "10", "--none-labels", "rest", code=command.NOTHING)
    assert "no label with 10 videos" in said


def test_among_the_classes_of_a_table(signs, capsys):
    table = signs.parent / "classes.csv"
    table.write_text("label,name,kind\nrest,Rest,none\nFuchs,Fuchs,gesture\nEsel,Esel,gesture\nDach,Dach,gesture\n")
    flags = ("--classes", str(table), "1")
    said = prepare(signs, capsys, *flags, code=command.PARTLY)
    assert kept(signs) == ["rest", "Dach"] and "left out: 2 of 4 classes, 4 of 34 videos: Esel (4), Fuchs (0)" in said
    assert "Haus/Haus-0.avi: label Haus is not in" in said and "21 not done" in said
    said = prepare(signs, capsys, *flags[:2], "--min-clips", "0", code=command.PARTLY)
    data = load_dataset(signs.parent / "made")
    assert [row.label for row in data.classes] == ["rest", "Fuchs", "Esel", "Dach"], "with no video of a fox"
    assert "left out" not in said.replace("; left out", "")
    table.write_text("label,name\nDach,Dach\nBaum,Baum\nAuto,Auto\nEsel,Esel\n")
    prepare(signs, capsys, *flags[:2], "2", code=command.PARTLY)
    assert kept(signs) == ["Baum", "Auto"], "a tie is broken by name, not by the table's order"


def test_a_damaged_file_changes_no_class(signs, capsys):
    (signs / "Auto" / "Auto-1.avi").write_bytes(b"")
    assert "Auto/Auto-1.avi: an empty file" in prepare(signs, capsys, "--min-clips", "6", code=command.PARTLY)
    assert kept(signs) == ["Auto", "Baum", "Dach", "Haus"]


@pytest.mark.parametrize("number", ["0", "-2"])
def test_no_number_of_classes(signs, capsys, number):
    said = prepare(signs, capsys, "--classes", number, code=command.NOTHING)
    assert f"--classes {number}: ask for 1 or more" in said and not (signs.parent / "made").exists()


def test_two_numbers_of_classes(signs, capsys):
    said = prepare(signs, capsys, "--classes", "2", "3", code=command.NOTHING)
    assert "--classes 2 3: expected a number, a class table, or one of each" in said
