"""Which model a live demo starts: the one that was named, else the starter, else that of `make demo`.

find_model(None)            a bundle's folder, the zip that share.py made of one, or its address on a Hub or storage
"""

import sys
from pathlib import Path

from signs import command
from signs.command import ADDRESSES, Problem, storage_address
from signs.inference.address import address_of
from signs.inference.bundle import load_bundle
from signs.landmarks import models

STARTER = Path(__file__).with_name("starter")  # 30 signs of German Sign Language
DEMO = Path(__file__).parents[2] / "model" / "demo"  # what `make demo` trains


def find_model(model: Path | None) -> Path:
    """The bundle that was asked for, or the starter; where that cannot see hands, that of `make demo`; raises Problem
    where there is none."""
    if model is not None:
        if not (model.exists() or address_of(model) or storage_address(model)):
            raise Problem(f"{model}: no such folder; give a model's, a zip of share.py, or {ADDRESSES}")
        return model
    try:
        models.import_openvino()
        models.fetch()
    except Problem as problem:
        if not (DEMO / "bundle.json").is_file():
            raise Problem(f"{problem}; or name a model of your own with --model") from None
        print(command.one_line(f"the starter cannot see hands ({problem}), so this is {DEMO}"), file=sys.stderr)
        return DEMO
    signs = sum(row.kind == "gesture" for row in load_bundle(STARTER).classes)
    knows = f"which knows {signs} signs of German Sign Language (`?` shows them); learn.py teaches your own"
    print(f"no --model: this is the starter, {knows}", flush=True)
    return STARTER
