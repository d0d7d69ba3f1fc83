"""Every script says what it does before it imports anything heavy: its help comes in about a second."""

import json

import pytest

import tiny

# One process asks them all, those that may import least first: what one has imported is there for the next.
ASK = """
import contextlib, io, json, runpy, sys
answers = {}
for path in list(sys.argv[1:]):
    sys.argv, printed, code = [path, "--help"], io.StringIO(), None
    with contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(path, run_name="__main__")
        except SystemExit as exit:
            code = exit.code
    answers[path] = [code, printed.getvalue(), sorted({name.split(".")[0] for name in sys.modules})]
print(json.dumps(answers))
"""
HEAVY = {"tensorflow", "keras", "jax", "torch", "matplotlib", "openvino"}
FIRST = [tiny.REPOSITORY / f"prepare_{name}.py" for name in ("ucf101", "chalearn", "videos")]
RUN = [path for path in sorted(tiny.REPOSITORY.glob("*.py")) if "__main__" in path.read_text(encoding="utf-8")]
SCRIPTS = [*FIRST, *(path for path in RUN if path not in FIRST)]


@pytest.fixture(scope="module")
def answers() -> dict:
    """{path: [exit code, what it printed, imported modules]}."""
    done = tiny.python("-c", ASK, *SCRIPTS, PYTHONPATH=str(tiny.REPOSITORY))
    assert done.returncode == 0 and done.stderr == "", done.stderr
    return json.loads(done.stdout)


def test_every_script_prints_what_it_does(answers):
    assert len(SCRIPTS) >= 20
    for path in SCRIPTS:
        code, printed, _ = answers[str(path)]
        doc = next(line for line in path.read_text(encoding="utf-8").splitlines() if line.strip())
        assert code == 0 and printed.startswith(f"usage: {path.name}") and doc.strip('"') in printed, path.name
    assert "--countdown" in answers[str(tiny.REPOSITORY / "livedemo.py")][1]


def test_nobody_waits_for_a_heavy_library(answers):
    assert not {path: HEAVY & set(modules) for path, (*_, modules) in answers.items() if HEAVY & set(modules)}


def test_what_reads_lists_needs_no_compiler(answers):
    for path in FIRST:
        assert not {"joblib", "numba"} & set(answers[str(path)][2]), path.name
