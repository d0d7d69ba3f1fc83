"""Without make: docs/install.md has the commands of `make demo`. What is installed: two lists of pins that agree."""

import ast
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
    told = ["make", "-n", "demo", "POINTED=yes"]  # else it depends on what lies in data_set/demo
    run = subprocess.run(told, cwd=tiny.REPOSITORY, capture_output=True, text=True, check=True)
    scripts = r"\w+\.py --(?:data|download|output) (?:(?! [&|])[^;$\n])*[\w-]"
    wanted = {plain(command) for command in re.findall(rf"\.venv/bin/python ({scripts})", run.stdout)}
    page = (tiny.REPOSITORY / "docs" / "install.md").read_text(encoding="utf-8")
    assert len(wanted) >= 9
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


def is_json(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "json"


def depends_on_the_machine(tree: ast.Module) -> list[int]:
    """Lines that read or write text in the machine's encoding; JSON is ASCII, as json.dumps writes it."""
    inside_json = {
        id(part) for node in ast.walk(tree) if isinstance(node, ast.Call) and is_json(node.func) for part in node.args
    }
    lines = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or {word.arg for word in node.keywords} & {"encoding", "fileobj"}:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        # Of a path: `command.write_text` and `tables.read_text` name their encoding.
        method = isinstance(node.func, ast.Attribute) and getattr(node.func.value, "id", "") not in (
            "command",
            "tables",
        )
        writes_json = any(isinstance(part, ast.Call) and is_json(part.func) for part in ast.walk(node))
        modes = [part.value for mode in node.args[1:2] for part in ast.walk(mode) if isinstance(part, ast.Constant)]
        if (
            (method and name == "write_text" and not writes_json)
            or (method and name == "read_text" and id(node) not in inside_json)
            or (isinstance(node.func, ast.Name) and name == "open" and not any("b" in str(mode) for mode in modes))
        ):
            lines.append(node.lineno)
    return lines


def test_text_files_are_the_same_on_every_system():
    """Windows would write cp1252, and every `ß` or `━` would be another byte, or an error."""
    paths = [*tiny.REPOSITORY.glob("*.py"), *(tiny.REPOSITORY / "signs").rglob("*.py")]
    found = {path.name: depends_on_the_machine(ast.parse(path.read_text(encoding="utf-8"))) for path in paths}
    assert not {name: lines for name, lines in found.items() if lines}
