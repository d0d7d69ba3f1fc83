"""Without make: docs/install.md has the commands of `make demo`. What is installed: two lists of pins that agree."""

import re
import shutil
import subprocess

import pytest

import tiny


def plain(command: str) -> str:
    """One process trains both streams unless make starts one for each; the rest is as it stands."""
    return re.sub(r" --stream (rgb|flow)\b", "", command)


@pytest.mark.skipif(not shutil.which("make"), reason="needs make")
def test_the_commands_without_make_are_those_of_make_demo():
    run = subprocess.run(["make", "-n", "demo"], cwd=tiny.REPOSITORY, capture_output=True, text=True, check=True)
    scripts = r"\w+\.py --(?:data|download|output) (?:(?! &)[^;$\n])*[\w-]"
    wanted = {plain(command) for command in re.findall(rf"\.venv/bin/python ({scripts})", run.stdout)}
    page = (tiny.REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
    assert len(wanted) >= 7
    assert not wanted - set(re.findall(rf"^python ({scripts})$", page, re.MULTILINE))


def pins(name: str) -> list[str]:
    return (tiny.REPOSITORY / name).read_text(encoding="utf-8").splitlines()


def test_the_tests_need_what_the_demo_needs_and_more():
    demo, tests = pins("requirements.txt"), pins("requirements-test.txt")
    assert not set(demo) & set(tests)
    for line in demo + tests:
        assert re.fullmatch(r"[\w.-]+==[\w.]+( ; .*)?", line), f"{line}: no pin"
    names = {line.split("==")[0] for line in demo}
    assert {"tensorflow", "openvino", "nncf", "pandas"} <= names
    assert not names & {"pytest", "ruff", "jax", "onnx"}
