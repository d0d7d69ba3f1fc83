"""Probabilities that lie in arrays or in lines of JSON, for foreign_table.py.

    names, heads, values, logits = read_npz(path)
    names, heads, values, logits = read_json(path)

names of clips (N,), heads of columns (classes,), values (N, classes) float64, NaN where there is no number; logits:
whether that is what they are called. What reading meets is a Problem: a damaged file may raise nearly anything.
"""

import json
import zipfile
from pathlib import Path

from signs.command import Problem, listed

import numpy as np

CLIP = "clip"  # the column that names the clip; the first column may have one of these names instead
CLIP_NAMES = ("file", "filename", "file_name", "path", "video", "video_id", "name", "id")
VALUES = ("probabilities", "logits")  # what npz and JSON call the numbers
LABELS = ("labels", "classes")


def as_float(value) -> float:
    """The number that something is, NaN where it is none, infinite where no float is so large."""
    try:
        return float(value)
    except OverflowError:
        return np.inf
    except ValueError:
        return np.nan


def read_npz(path: Path) -> tuple[list[str], list[str], np.ndarray, bool]:
    """Arrays of the names in VALUES, LABELS and CLIP_NAMES; raises Problem where they are not there, or no such."""
    if not zipfile.is_zipfile(path):
        raise Problem(f"{path}: no .npz file, or cut short")
    try:
        with np.load(path, allow_pickle=False) as content:
            arrays = {name.lower(): np.asarray(content[name]) for name in content.files}
    except MemoryError:
        raise Problem(f"{path}: larger than the memory, or damaged; give several files, a split each") from None
    except Exception as error:  # of zipfile, zlib, and of Python's parser, which NumPy has read the heads
        pickled = "it holds Python objects, which are never read; save texts as np.array(list_of_texts)"
        raise Problem(f"{path}: {pickled if 'pickle' in str(error) else 'damaged, or no .npz file'}") from None
    kind = next((name for name in VALUES if name in arrays), None)
    labels = next((name for name in LABELS if name in arrays), None)
    clips = next((name for name in ("clips", CLIP, "files", *CLIP_NAMES) if name in arrays), None)
    if not (kind and labels and clips):
        raise Problem(f"{path}: expected arrays clips, labels and probabilities (or logits); found {listed([*arrays])}")
    names, heads, values = (arrays[name] for name in (clips, labels, kind))
    for name, texts in ((clips, names), (labels, heads)):
        if texts.ndim != 1:
            raise Problem(f"{path}: {name} has the shape {texts.shape}; expected a list of texts")
    if values.shape != (*names.shape, *heads.shape) or values.dtype.kind not in "fiu":
        raise Problem(
            f"{path}: {kind} is {values.dtype} {values.shape}; expected numbers, {(*names.shape, *heads.shape)}"
        )
    with np.errstate(over="ignore"):  # what no float64 holds is infinite, and refused with its row
        return _texts(names), _texts(heads), values.astype(float), kind == "logits"


def _texts(array: np.ndarray) -> list[str]:
    """(N,) texts, bytes in UTF-8 or numbers -> texts."""
    return (np.char.decode(array, "utf-8", "replace") if array.dtype.kind == "S" else array.astype(str)).tolist()


def read_json(path: Path) -> tuple[list[str], list[str], np.ndarray, bool]:
    """An object a line: clip, and probabilities or logits as {class: number}."""
    expected = 'expected {"clip": "a", "probabilities": {"house": 0.9, ...}} a line'
    names, rows, kinds = [], [], set()
    try:
        # Of lines alone: `splitlines` would part a text at U+2028 too.
        for number, line in enumerate(path.read_text(encoding="utf-8-sig").split("\n"), 1):
            if not line.strip():
                continue
            row = json.loads(line)
            clip = next((row[name] for name in (CLIP, *CLIP_NAMES) if name in row), None)
            kind = next((name for name in VALUES if name in row), "")
            if not isinstance(clip, str) or not isinstance(row.get(kind), dict):
                raise Problem(f"{path}: line {number}: {expected}")
            names.append(clip)
            rows.append(row[kind])
            kinds.add(kind)
    except (ValueError, AttributeError, TypeError, RecursionError):
        raise Problem(f"{path}: line {len(names) + 1} is no JSON object; {expected}") from None
    if len(kinds) != 1:
        raise Problem(f"{path}: {'probabilities and logits in one file' if kinds else f'no line in it; {expected}'}")
    heads = list(dict.fromkeys(head for row in rows for head in row))
    numbers = [[row.get(head) for head in heads] for row in rows]
    values = np.array([[as_float(v) if type(v) in (int, float) else np.nan for v in row] for row in numbers], float)
    return names, heads, values.reshape(len(rows), len(heads)), kinds == {"logits"}
