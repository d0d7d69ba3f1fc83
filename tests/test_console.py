"""Tables on a screen of 80 columns: no name is cut, no number broken."""

from signs import command

import pytest
from rich.cells import cell_len

HEADS = ("model", "input", "top-1", "top-5", "mean per class", "worst signer")
NUMBERS = ["RGB + flow", "66.7 55-78", "100.0 80-100", "66.7 55-78", "50.0"]
LONG = "model/chalearn-i3d-kinetics-rgb-flow-fold"


@pytest.fixture(autouse=True)
def narrow(monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")


def table(capsys, *arguments, **more) -> list[str]:
    command.print_table(*arguments, **more)
    return capsys.readouterr().out.splitlines()


def test_names_that_do_not_fit_become_numbers_and_a_legend(capsys):
    rows = [[f"{LONG}{n}", *NUMBERS] for n in "121"]
    lines = table(capsys, HEADS, [*rows, ["model/x", *NUMBERS]], left=("input",))
    assert all(cell_len(line) <= 80 for line in lines)
    assert [line.split("  ")[0].split() for line in lines[2:6]] == [["(1)"], ["(2)"], ["(1)"], ["model/x"]]
    assert lines[-3:] == [f"(1) {LONG}1", f"(2) {LONG}2", ""]
    assert all(number in lines[2] for number in NUMBERS)


def test_names_that_fit_stay_and_heads_are_broken_at_blanks(capsys):
    heads = ("first", "second", "difference", "only first right", "only second right", "McNemar p")
    lines = table(
        capsys, heads, [["model/one", "model/two", "+13.3 (-5.0 to +30.1)", 1234, 5, "0.0078"]], left=("second",)
    )
    assert lines[-2].split("  ")[0] == "model/one" and "(1)" not in "".join(lines)
    assert "+13.3 (-5.0 to +30.1)" in lines[-2] and "1,234" in lines[-2] and all(cell_len(line) <= 80 for line in lines)
    words = " ".join(lines[:-3]).split()
    assert sorted(words) == sorted(" ".join(heads).split())


@pytest.mark.parametrize("name", ["x" * 200, "あ" * 100, "thank you / thanks " * 10, "[a] :smile: " * 10])
def test_labels_of_200_characters(capsys, name):
    lines = table(
        capsys,
        ("label", "name", "kind", "train"),
        [[name, name, "gesture", 3], ["b", "c", "none", 4]],
        left=("name", "kind"),
    )
    kept = "".join("".join(lines).split())
    assert "".join(name.split()) in kept or kept.count(name.split()[0]) == 2 * len(name.split())
    assert all(cell_len(line) <= 80 for line in lines if not line.startswith("(1)"))
    assert any("gesture" in line and line.endswith("3") for line in lines)


def test_a_wide_screen_shows_names_as_they_are(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")
    assert any(
        LONG in line and "100.0 80-100" in line for line in table(capsys, HEADS, [[LONG, *NUMBERS]], left=("input",))
    )


def test_one_is_no_plural():
    said = [command.counted(number, "clip") for number in (0, 1, 2, 1200)]
    assert said == ["0 clips", "1 clip", "2 clips", "1,200 clips"]
    assert command.counted(1, "class", "classes") == "1 class" and command.counted(3, "class", "classes") == "3 classes"
