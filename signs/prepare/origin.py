"""Which public data set a data set was made of: `origin.json`, written by prepare_videos.py, read by evaluate.py.

{"format": "wlasl", "classes": 100, "listed": {"train": 1442, "valid": 338, "test": 258}}

classes: of the set's own subset, null where others were chosen; listed: what the set's lists name, there or not
"""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path

from signs import command

FILE = "origin.json"


@dataclass(frozen=True)
class Origin:
    """format: a key of FORMATS; classes: how many the subset has that the set itself defines, a key of Format.rows;
    None where the classes are another choice, of which nothing is published; listed: {split: rows that the set's lists
    have of these classes, with and without a video}, empty where an earlier version wrote it."""

    format: str
    classes: int | None
    listed: dict[str, int] = field(default_factory=dict)


def write_origin(folder: Path, origin: Origin | None) -> None:
    """Write it, or delete what an earlier run left where the data set is none of a public one."""
    if origin is None:
        (folder / FILE).unlink(missing_ok=True)
    else:
        command.write_text(folder / FILE, json.dumps(asdict(origin)) + "\n")


def read_origin(folder: Path) -> Origin | None:
    """None where the data set is none of a public one, or the file says something else."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        listed = {str(split): int(rows) for split, rows in content.get("listed", {}).items()}
        return Origin(str(content["format"]), content["classes"] and int(content["classes"]), listed)
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None
