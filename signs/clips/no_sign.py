"""The class of what is no sign, for models whose data set has none."""

from collections.abc import Iterable
from dataclasses import replace

from signs.clips.dataset import Label
from signs.clips.names import folded
from signs.command import Problem

NOTHING = "nothing"  # the label of what is no sign
NO_SIGN = "no sign I know"  # the name of the class NOTHING


def is_taken(name: str) -> bool:
    """Whether what is no sign is called so, in any capitals: then no sign can be."""
    return folded(name) in (folded(NOTHING), folded(NO_SIGN))


def check_signs(names: Iterable[str], where: str = "", more: str = "") -> None:
    """Raise Problem where one of these names of signs is what no sign is called; where, more: before and behind it."""
    if taken := next((name for name in names if is_taken(name)), None):
        raise Problem(f"{where}{taken!r} is what no sign is called; choose another name{more}")


def with_nothing(classes: list[Label]) -> list[Label]:
    """Classes with one for what is no sign, by a name that a person understands."""
    there = any(row.label == NOTHING for row in classes)
    whole = classes if there else [*classes, Label(NOTHING, NOTHING, "none")]
    return [replace(row, name=NO_SIGN) if (row.label, row.name) == (NOTHING, NOTHING) else row for row in whole]
