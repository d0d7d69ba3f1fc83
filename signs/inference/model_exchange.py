"""A model that a new one takes the place of: the one before it is kept beside it, and the two can be exchanged.

    replace_model(made, Path("model/mine"))         model/mine.before is the one that was there
    go_back(Path("model/mine"))

All by renaming, one after the other: `settle` ends what was stopped half-way.
"""

import os
import shutil
from pathlib import Path

from signs.command import Problem
from signs.inference.bundle import Bundle, is_bundle, is_whole, load_bundle

KNOWN = "learnt_from"  # in bundle.json of a model of learn.py: a hash of all that it learnt from
THOROUGH = "thorough"  # in bundle.json of one whose whole network was trained, or was not better: how good that is


def before(model: Path) -> Path:
    """Where the model before the last one lies."""
    return model.with_name(model.name + ".before")


def aside(model: Path) -> Path:
    """Where it lies while the two are exchanged."""
    return model.with_name(model.name + ".aside")


def work_of(model: Path) -> Path:
    """Where `learn.py --thorough` trains; deleted when it is done."""
    return model.with_name(model.name + ".whole")


def owner_of(folder: Path) -> Path:
    """The model that a folder beside it belongs to, or the folder itself: learn.py holds the lock of that name."""
    return folder.with_suffix("") if folder.suffix in (".before", ".aside", ".whole", ".new") else folder


def go_back(model: Path) -> Bundle:
    """Exchange a model and the one before it; what is there now. Raises Problem where there is none before it."""
    settle(model)
    if not is_bundle(before(model)):
        raise Problem(f"{before(model)}: no model there; learn.py keeps one when it has replaced it")
    load_bundle(before(model))  # raises before anything is moved
    if model.exists():
        os.replace(model, aside(model))
    os.replace(before(model), model)
    settle(model)
    return load_bundle(model)


def settle(model: Path) -> None:
    """End an exchange that was stopped half-way."""
    if aside(model).exists():
        free = next((path for path in (model, before(model)) if not path.exists()), None)
        if free:
            os.replace(aside(model), free)
        else:
            shutil.rmtree(aside(model))


def replace_model(made: Path, model: Path) -> None:
    """Put a new model in the place of the one that is there, which is kept beside it."""
    if is_whole(model):
        shutil.rmtree(before(model), ignore_errors=True)
        os.replace(model, before(model))
    elif model.exists():
        shutil.rmtree(model)  # half-written, damaged or empty
    os.replace(made, model)


def replace_in_place(made: Path, model: Path) -> None:
    """Put a better model of the same takes in the place of the one that is there; the one before both stays."""
    os.replace(model, aside(model))
    os.replace(made, model)
    shutil.rmtree(aside(model))
