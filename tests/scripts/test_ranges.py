"""Every number that a script takes has a range, and the error says it."""

import argparse
import importlib
import subprocess
import sys

from signs.command import Problem

import pytest

import tiny

SCRIPTS = [path.stem for path in tiny.REPOSITORY.glob("*.py") if "parser(" in path.read_text(encoding="utf-8")]
SCRIPTS += [path.stem for path in tiny.REPOSITORY.glob("train_*.py")]
# Where nothing is an answer, or the first of many.
ZERO = {
    "--seed",
    "--host",
    "--camera",
    "--countdown",
    "--threshold",
    "--gallery",
    "--robustness",
    "--copies",
    "--truncate",
    "--pauses",
    "--pad",
    "--port",
}
ZERO |= {"--min-clips", "--valid-groups", "--false-alarms", "--shares", "compress --epochs"}
ZERO |= {f"train_{name} --epochs" for name in ("conv3d_lstm", "frame", "i3d", "landmark")}  # a new top is trained alone
ZERO |= {"train_landmark --no-sign"}  # no such class


class Caught(Exception):
    """The parser of a script, before it has read anything."""


def parser_of(script: str, monkeypatch) -> argparse.ArgumentParser:
    def parse_args(parser, *_):
        raise Caught(parser)

    monkeypatch.setattr(argparse.ArgumentParser, "parse_args", parse_args)
    with pytest.raises(Caught) as caught:
        importlib.import_module(script).main([])
    return caught.value.args[0]


def is_taken(action: argparse.Action, text: str) -> bool:
    try:
        action.type(text)
    except (argparse.ArgumentTypeError, ValueError):
        return False
    return True


@pytest.mark.parametrize("script", sorted(set(SCRIPTS)))
def test_no_number_is_taken_that_means_nothing(script, monkeypatch):
    for action in parser_of(script, monkeypatch)._actions:
        flag = next(iter(action.option_strings), "")
        numeric = action.type and not action.choices and any(is_taken(action, text) for text in ("7", "0.25"))
        if numeric and not isinstance(action.type("7") if is_taken(action, "7") else 0.25, int | float):
            continue  # a path, a name
        if numeric:
            assert action.type not in (int, float), f"{flag} has no range"
            wrong = {"-3", "nan", "inf", "1e400", "", "x"} | (
                {"0"} - ({"0"} if {flag, f"{script} {flag}"} & ZERO else set())
            )
            wrong -= {"-3"} if flag == "--workers" else set()  # joblib: all cores but two
            assert [text for text in sorted(wrong) if is_taken(action, text)] == [], flag


@pytest.mark.parametrize(
    ("script", "words", "said"),
    [
        ("livedemo", ["--camera", "-1"], "--camera -1: a number from 0 to 9999, or list"),
        ("frame", ["--data", "x", "--workers", "0"], "--workers 0: at least 1, at most 9999, or -1"),
        ("frame", ["--data", "x", "--short-side", "0"], "--short-side 0: at least 1"),
        ("frame", ["--data", "x", "--quality", "0"], "--quality 0: at least 1, at most 100"),
        ("opticalflow", ["--data", "x", "--bound", "0"], "--bound 0: above 0"),
        ("train_i3d", ["--data", "x", "--output", "y", "--seed", "-1"], "--seed -1: at least 0, at most 4294967295"),
        ("predict", ["--model", "x", "--top", "0", "y.avi"], "--top 0: at least 1"),
    ],
)
def test_the_range_is_named(script, words, said):
    with pytest.raises(Problem, match=f"^{said}; see "):
        importlib.import_module(script).main(words)


@pytest.mark.skipif(sys.platform != "linux", reason="threads have a niceness of their own on Linux alone")
def test_who_began_nice_is_nicer_still():
    code = (
        "import os; from signs.inference import timing; timing.step_back(); print(os.getpriority(os.PRIO_PROCESS, 0))"
    )
    line = ["nice", "-n", "{}", sys.executable, "-c", code]
    for begun, expected in (("0", 5), ("10", 15), ("19", 19)):
        done = subprocess.run(
            [word.format(begun) for word in line], capture_output=True, text=True, cwd=tiny.REPOSITORY
        )
        assert (done.stdout, done.stderr) == (f"{expected}\n", "")
