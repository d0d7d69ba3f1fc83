"""Where on a Hub a shared model lies, as it stands behind `--model` and `--output`.

    address_of(Path("hf://anna/greetings@v2"))      Address("anna/greetings", "v2"); None of a folder or a file

A path folds the two slashes into one; here they come back.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from signs.command import HUB, Problem, storage_address

# Names as the Hub takes them: 96 characters, no `--`, no `..`, no .git at the end.
NAME = re.compile(r"(?=.{1,96}\Z)(?!.*(?:--|\.\.|\.git\Z))\w(?:[\w.-]*\w)?/\w(?:[\w.-]*\w)?", re.ASCII)
REVISION = re.compile(r"(?!.*(?:\.\.|//|@\{))\w[\w./-]{0,198}(?<![./])", re.ASCII)
COMMIT = re.compile("[0-9a-f]{40}")


@dataclass(frozen=True)
class Address:
    """name: `owner/name` of a repository; revision: a branch, a tag, a commit, or empty."""

    name: str
    revision: str = ""

    def __str__(self) -> str:
        return f"hf://{self.name}" + f"@{self.revision}" * bool(self.revision)


def is_address(path: Path | str) -> bool:
    return bool(HUB.match(Path(path).as_posix()))


def address_of(path: Path | str) -> Address | None:
    """The address that a path is; None of a folder or a file; raises Problem where it is one that cannot be."""
    if not is_address(path):
        return None
    name, at, revision = HUB.sub("", Path(path).as_posix()).partition("@")
    if not NAME.fullmatch(name) or at and not REVISION.fullmatch(revision):
        shown = f"hf://{name}{at}{revision}"
        raise Problem(f"{shown[:120]}: no address; expected hf://owner/name, or hf://owner/name@revision")
    return Address(name, revision)


@contextlib.contextmanager
def known_as(path: Path | str, folder: Path) -> Iterator[None]:
    """Name the zip or the address in what is raised, rather than the folder that its files lie in."""
    try:
        yield
    except Problem as problem:
        raise Problem(str(problem).replace(str(folder), shown(path))) from None


def shown(path: Path | str) -> str:
    """A path as people gave it, the slashes of an address too."""
    return str(address_of(path) or storage_address(path) or path)
