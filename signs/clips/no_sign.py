"""The class of what is no sign, for models whose data set has none."""

from dataclasses import replace

from signs.clips.dataset import Label

NOTHING = "nothing"  # the label of what is no sign
NO_SIGN = "no sign I know"  # the name of the class NOTHING


def with_nothing(classes: list[Label]) -> list[Label]:
    """Classes with one for what is no sign, by a name that a person understands."""
    there = any(row.label == NOTHING for row in classes)
    whole = classes if there else [*classes, Label(NOTHING, NOTHING, "none")]
    return [replace(row, name=NO_SIGN) if (row.label, row.name) == (NOTHING, NOTHING) else row for row in whole]
