"""What all commands share: exit codes, one line a failure, locks, atomic files, work on all cores."""

import csv
import errno
import importlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from signs import command
from signs.command import Outcome, Problem

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


def raising(error: BaseException):
    def main():
        raise error

    return main


@pytest.mark.parametrize(
    ("main", "code", "said"),
    [
        (lambda: None, 0, ""),
        (lambda: 1, 1, ""),
        (raising(Problem("a folder is missing")), 2, "a folder is missing"),
        (raising(KeyboardInterrupt()), 130, "the same command goes on from here"),
        (raising(OSError(errno.ENOSPC, "No space left on device", "x")), 2, "the disc is full"),
        (raising(MemoryError()), 2, "the memory is full"),
        (raising(RuntimeError("RESOURCE_EXHAUSTED: Out of memory")), 2, "the memory is full"),
        (raising(RuntimeError("RESOURCE_EXHAUSTED: x; No space left on device")), 2, "the disc is full"),
        (raising(PermissionError(errno.EACCES, "Permission denied", "x.csv")), 2, "x.csv: Permission denied"),
    ],
)
def test_exit_codes(main, code, said, capsys):
    assert command.run(main) == code
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == bool(said)


def test_a_bug_is_not_hidden():
    with pytest.raises(ZeroDivisionError):
        command.run(lambda: 1 // 0)


CONSOLE = """
import sys
from signs import command
from signs.command import Problem
def main():
    print("Tschüß 你好 ━━ 80 %")
    command.print_table(["Gebärde", "n"], [["Tschüß", 3]], "Zürich")
    with command.progress() as bar:
        bar.update(bar.add_task("Küche", total=1), advance=1)
    raise Problem("kein Ordner für Tschüß")
sys.exit(command.run(main))
"""


@pytest.mark.parametrize("encoding", ["ascii", "cp437", "cp1252", "utf-8"])
def test_a_console_of_another_encoding_shows_what_it_can(encoding):
    """Windows' consoles have cp437 or cp1252, a container without a locale ASCII."""
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONIOENCODING": encoding, "LC_ALL": "C"}
    run = subprocess.run([sys.executable, "-c", CONSOLE], capture_output=True, env=environment)
    out, err = run.stdout.decode(encoding), run.stderr.decode(encoding)
    assert run.returncode == command.NOTHING and err.count("\n") == 1
    word = "Tsch??" if encoding == "ascii" else "Tschüß"
    assert f"für {word}".encode(encoding, "replace").decode(encoding) in err
    assert out.count(word) == 2 and "80 %" in out and ("你好" in out) == (encoding == "utf-8")


@pytest.mark.parametrize("closed", ["1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_a_closed_console_is_nobody_listening(closed, tmp_path):
    code = "import os, sys\nfrom signs import command\ndef main():\n    print('x')\n"
    code += "    print('y', file=sys.stderr)\n    os.fstat(1), os.fstat(2)\n    return 1\nsys.exit(command.run(main))"
    line = f'"{sys.executable}" -c "$CODE" {closed}'
    run = subprocess.run(["sh", "-c", line], env={**os.environ, "CODE": code, "PYTHONPATH": str(REPOSITORY)})
    assert run.returncode == command.PARTLY


def import_signs(folder: Path, opencv: str) -> subprocess.CompletedProcess:
    """Start a script whose OpenCV is this Python text."""
    (folder / "cv2.py").write_text(opencv)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(REPOSITORY)])}
    return subprocess.run([sys.executable, "-c", "import signs"], capture_output=True, text=True, env=environment)


@pytest.mark.parametrize("library", ["libGL.so.1", "libgthread-2.0.so.0"])
def test_missing_system_libraries_are_named_with_their_packages(library, tmp_path):
    run = import_signs(tmp_path, f"raise ImportError('{library}: cannot open shared object file: No such file')")
    assert run.returncode == command.NOTHING and run.stderr.count("\n") == 1
    assert library in run.stderr and "libgl1 libglib2.0-0" in run.stderr


def test_another_import_error_is_not_hidden(tmp_path):
    run = import_signs(tmp_path, "import nothing_of_that_name")
    assert run.returncode == 1 and "ModuleNotFoundError" in run.stderr


def test_wrong_flags(capsys):
    flags = command.parser("What it does.")
    flags.add_argument("--data", required=True, help="a folder")
    assert command.run(lambda: flags.parse_args(["--dat", "x"])) == command.NOTHING
    assert capsys.readouterr().err.count("\n") == 1


def wrong(flags, *words) -> str:
    with pytest.raises(Problem) as caught:
        flags.parse_args(words)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_numbers_are_finite_and_within_their_bounds():
    flags = command.parser("What it does.")
    flags.add_argument("--rate", type=command.number(least=0))
    command.add_seed(flags, "of the draw")
    command.add_workers(flags)
    for text in ("inf", "1e400", "nan"):
        assert f"--rate {text}: no finite number" in wrong(flags, "--rate", text)
    for text in ("-1", str(2**32)):
        assert f"--seed {text}: at least 0, at most" in wrong(flags, "--seed", text)
    for text in ("0", "99999999999999999999", "x"):
        assert f"--workers {text}: at least 1" in wrong(flags, "--workers", text)
    assert flags.parse_args(["--workers", "-2", "--rate", "1e300"]).workers == -2


def test_an_empty_path_is_not_the_folder_where_one_stands():
    flags = command.parser("What it does.")
    flags.add_argument("--output", type=Path)
    assert "--output '': no path" in wrong(flags, "--output", "")
    assert flags.parse_args(["--output", "."]).output == Path()


def test_help_shows_defaults(capsys):
    flags = command.parser("What it does.\n\n    python it.py --workers 2\n")
    command.add_workers(flags)
    flags.add_argument("--name", default="", help="no default shown")
    with pytest.raises(SystemExit) as stopped:
        flags.parse_args(["--help"])
    shown = capsys.readouterr().out
    assert stopped.value.code == 0
    assert "    python it.py --workers 2\n" in shown and "(default: -1)" in shown and "(default: )" not in shown


def test_threads():
    flags = command.parser("What it does.")
    command.add_threads(flags)
    assert flags.parse_args(["--workers", "-1"]).workers == os.cpu_count()
    assert flags.parse_args(["--workers", "3"]).workers == 3
    for wrong in ("0", "-2", "many"):
        with pytest.raises(Problem, match="^--workers "):
            flags.parse_args(["--workers", wrong])


def test_atomic(tmp_path):
    path = tmp_path / "new" / "weights.h5"
    with command.atomic(path) as temporary:
        temporary.write_text("whole")
        assert temporary.suffix == ".h5" and not path.exists()
    assert path.read_text() == "whole"
    with pytest.raises(OSError), command.atomic(path) as temporary:
        temporary.write_text("half")
        raise OSError(errno.ENOSPC, "full")
    assert path.read_text() == "whole" and os.listdir(path.parent) == ["weights.h5"]


def test_leftovers_of_a_killed_run(tmp_path):
    code = "import os, pathlib; from signs import command\nwith command.atomic(pathlib.Path('deep/a.b.zip')) as path:\n"
    code += "    path.write_text('half')\n    os.kill(os.getpid(), 9)"
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(REPOSITORY)})
    assert run.returncode == -signal.SIGKILL
    assert len(os.listdir(tmp_path / "deep")) == 1
    command.remove_leftovers(tmp_path)
    assert os.listdir(tmp_path / "deep") == []


def test_lock(tmp_path):
    with command.lock(tmp_path / "out"), pytest.raises(Problem, match="another run"), command.lock(tmp_path / "out"):
        pass
    with command.lock(tmp_path / "out"):
        pass


def test_parts_of_a_folder_are_locked_apart(tmp_path):
    with command.lock(tmp_path, "rgb"), command.lock(tmp_path, "flow"), command.lock(tmp_path):
        with pytest.raises(Problem, match="another run"), command.lock(tmp_path, "rgb"):
            pass


def test_lock_of_another_process(tmp_path):
    code = "import pathlib, time; from signs import command\n"
    code += "with command.lock(pathlib.Path('out')):\n    print('held', flush=True)\n"
    code += "    time.sleep(60)"
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    run = subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, env=environment, stdout=subprocess.PIPE)
    try:
        assert run.stdout.readline() == b"held\n"
        with pytest.raises(Problem, match="another run"), command.lock(tmp_path / "out"):
            pass
    finally:
        run.kill()
        run.wait()
        run.stdout.close()
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with command.lock(tmp_path / "out"):
                return
        except Problem:
            time.sleep(0.05)
    pytest.fail("a killed run keeps its lock")


def test_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    assert command.sha256(tmp_path / "a").startswith("ba7816bf8f01cfea")


def reciprocal(number: int) -> float:
    if number == 7:
        raise Problem("seven is not liked")
    return 1 / number


@pytest.mark.parametrize("workers", [1, 2])
def test_parallel(workers, capsys):
    items = [(f"item {number}", number) for number in range(10)]
    outcome = command.parallel(reciprocal, items, workers, "working")
    assert outcome.done == [1 / number for number in range(1, 10) if number != 7]
    own = "ZeroDivisionError: division by zero; SIGNS_TRACEBACK=1 before the command shows where"
    assert outcome.failed == [("item 0", own), ("item 7", "seven is not liked")]
    assert outcome.summary() == command.PARTLY
    assert "2 not done (named above), 8 done" in capsys.readouterr().err


def fatal(number: int) -> int:
    if number in (3, 8):
        os.kill(os.getpid(), {3: signal.SIGKILL, 8: signal.SIGSEGV}[number])
    return number


def test_a_process_that_dies_takes_its_job_alone(capfd):
    """The system ends what takes too much memory, and a decoder may crash."""
    outcome = command.parallel(fatal, [(f"clip {number}", number) for number in range(10)], 2, "working")
    assert outcome.done == [0, 1, 2, 4, 5, 6, 7, 9]
    (first, killed), (second, crashed) = outcome.failed
    assert (first, second) == ("clip 3", "clip 8") and "killed" in killed and "crashed (SIGSEGV" in crashed
    assert outcome.summary() == command.PARTLY
    assert capfd.readouterr().err.count("\n") == 3, "a line each and the counts, no traceback"


def kill_once(job: tuple[Path, int]) -> int:
    folder, number = job
    if number == 4 and not (folder / "killed").exists():
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_job_whose_process_was_killed_is_done_again(tmp_path):
    outcome = command.parallel(kill_once, [(str(number), (tmp_path, number)) for number in range(6)], 2, "working")
    assert (outcome.done, outcome.failed) == (list(range(6)), []) and (tmp_path / "killed").exists()


@pytest.mark.parametrize("shown", ["", "1"])
def test_a_fault_of_our_own_keeps_its_traceback(shown, monkeypatch, capsys):
    monkeypatch.setenv("SIGNS_TRACEBACK", shown)
    ((_, reason),) = command.parallel(reciprocal, [("item 0", 0)], 1, "working").failed
    assert reason.startswith("ZeroDivisionError: division by zero")
    assert ("SIGNS_TRACEBACK=1" in reason, "in reciprocal" in reason) == (not shown, bool(shown))

    def damaged():
        try:
            reciprocal(0)
        except ZeroDivisionError:
            raise Problem("cut short") from None

    assert command.run(damaged) == command.NOTHING
    err = capsys.readouterr().err
    assert err.endswith(": cut short\n") and ("in reciprocal" in err) == bool(shown)


def fill(_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("workers", [1, 2])
def test_full_disc_stops_parallel_work(workers):
    with pytest.raises(OSError) as stopped:
        command.parallel(fill, [(str(n), n) for n in range(5)], workers, "working")
    assert stopped.value.errno == errno.ENOSPC


def test_outcome():
    assert Outcome().summary() == command.DONE
    assert Outcome(failed=[("a", "bad")]).summary() == command.NOTHING


def test_a_table_keeps_every_cell_in_a_narrow_terminal(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "40")
    rows = [("[b]001", "no sign :x:", 1234), (), ("a" * 60, "gesture", 7)]
    command.print_table(("label", "kind", "clips"), rows, "data_set/[a]: clips", left=("kind",))
    title, heads, _, first, blank, *last = capsys.readouterr().out.splitlines()
    assert (title, heads.split()) == ("data_set/[a]: clips", ["label", "kind", "clips"])
    assert first.split() == ["[b]001", "no", "sign", ":x:", "1,234"] and not blank.strip()
    assert "".join(last).count("a") == 60, "a long cell is folded, not cut"


def test_nothing_is_reported_to_the_makers_of_a_library():
    with pytest.raises(ImportError):
        importlib.import_module("openvino_telemetry")


def lines_of(failed: list[tuple[str, str]], capsys, done: int = 1, full: Path | None = None) -> list[str]:
    assert Outcome([None] * done, failed).summary(full) == (command.PARTLY if done else command.NOTHING)
    lines = capsys.readouterr().err.splitlines()
    assert max(map(len, lines)) <= 300
    return lines


def test_equal_reasons_are_folded_with_a_count(tmp_path, capsys):
    """A table of 91,149 rows with 2,974 repeats printed megabytes."""
    full = tmp_path / "not_done.csv"
    rows = [(f"t.csv line {n}, in/{n}.avi", f"stands in t.csv line {n // 2} already; left out") for n in range(2, 2976)]
    lines = lines_of([("a.avi", "an empty file"), *rows], capsys, 88_175, full)
    assert lines[:2] == ["  a.avi: an empty file", "  t.csv line 2, in/2.avi: stands in t.csv line 1 already; left out"]
    assert lines[2].startswith("  and 2,973 more like it: t.csv line 3, in/3.avi, ") and "more" in lines[2][30:]
    assert lines[3:] == [f"2,975 not done (all named in {full}), 88,175 done"]
    with open(full, newline="") as file:
        assert list(csv.reader(file))[2:] == [list(row) for row in rows]
    lines_of([("=1+1", "@x"), *rows], capsys, 1, full)
    with open(full, newline="") as file:
        assert list(csv.reader(file))[1] == ["'=1+1", "'@x"], "no formula"
    lines_of(rows[:3], capsys, 1, full)
    assert not full.exists()


def test_few_of_a_kind_are_named_each(capsys):
    reasons = [("a", "no such file"), ("b", "an empty file"), ("c", "no such file"), ("d", "no such file")]
    assert lines_of(reasons, capsys, 0) == [
        *("  a: no such file", "  c: no such file", "  d: no such file", "  b: an empty file"),
        "4 not done (named above), 0 done",
    ]
    lines = lines_of([*reasons, ("e", "no such file")], capsys)
    assert "  and 3 more like it: c, d, e" in lines and "5 not done (named above), 1 done" in lines


def test_many_kinds_of_reasons_end_somewhere(capsys):
    words = [f"{a}{b}" for a in "abcdefgh" for b in "abcdefgh"]
    lines = lines_of([("x", f"reason {word}") for word in words], capsys)
    assert lines[-2:] == ["  and 34 more for 34 other reasons", "64 not done (some named above), 1 done"]


def test_no_line_is_longer_than_300_characters(capsys):
    lines = lines_of([("n" * 5000, "r" * 5000 + "; do this")], capsys)
    assert len(lines) == 2 and lines[0].startswith("  nnn") and lines[0].endswith("rrr; do this")
    command.run(raising(Problem(f"{'x' * 6_000_000}; expected a table; do this")))
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and len(said) <= 301 and said.endswith("xxx; expected a table; do this\n")
    command.run(raising(FileNotFoundError(errno.ENOENT, "No such file or directory", "y" * 4000)))
    assert len(capsys.readouterr().err) <= 301


def test_a_file_that_cannot_be_put_in_its_place_is_named_by_that_place(tmp_path):
    (tmp_path / "index.html").mkdir()
    with pytest.raises(OSError) as caught:
        command.write_text(tmp_path / "index.html", "x")
    assert command.describe(caught.value).startswith(f"{tmp_path / 'index.html'}: ")
