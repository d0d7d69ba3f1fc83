"""What export.py left in a bundle, and which form of its networks is to be run.

model/<run>/export.json         of each form: hashes, agreement with Keras, accuracy, time, whether to use it
model/<run>/export/<form>/      its files, one or several a stream
"""

import json
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.names import check_name
from signs.command import Problem
from signs.inference import runtime
from signs.inference.bundle import Bundle, Stream
from signs.inference.runtime import FORMS, Form, KerasNetwork

EXPORT_FILE = "export.json"
FORMAT = 1
AUTO = "auto"
# Form that export.py writes -> the library that it needs for it. The bf16 forms run the files of the float32 ones.
WRITERS = {
    "openvino": "openvino",
    "openvino-int8": "nncf",
    "stream": "openvino",
    "stream-int8": "nncf",
    "onnx": "tf2onnx",
    "litert": "ai_edge_litert",
}
HOW = 'pip install ".[live]" for those of OpenVINO, ".[exchange]" for onnx and litert'
MADE_OF = {"openvino-int8": "openvino", "stream-int8": "stream"}  # int8 form -> the float32 form before it


def path_of(bundle: Bundle, form: Form, stream: Stream) -> Path:
    """The form's file of a stream that is opened; others may belong to it."""
    return bundle.folder / form.folder / f"{stream.name}{form.suffix}"


def again(bundle: Bundle) -> str:
    """What to do where a form of a bundle is missing or damaged."""
    return "get a whole copy of it" if bundle.shared else f"run export.py --data ... --model {bundle.folder}"


def read_forms(bundle: Bundle) -> dict:
    """{form: its row of export.json}, of the forms that are known here.

    Empty where there is no such file, or it is of other weights than the bundle's or of another version.
    """
    path = bundle.folder / EXPORT_FILE
    try:
        content = json.loads(path.read_text())
        fits = content["format"] == FORMAT and content["model"] == bundle.hashes
        return {name: row for name, row in content["forms"].items() if fits and name in FORMS}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise Problem(f"{path}: damaged; delete it, and {again(bundle)}") from None


def write_forms(bundle: Bundle, rows: dict, about: dict) -> None:
    """Write export.json: {form: its row}, and what was found beside it."""
    content = {"format": FORMAT, "model": bundle.hashes, **about, "forms": rows}
    command.write_text(bundle.folder / EXPORT_FILE, json.dumps(content, indent=1) + "\n")


def works_while_recording(bundle: Bundle) -> bool:
    """Whether the networks can begin before the last frame: each sees all frames, and each frame by itself."""
    specs = [bundle.spec_of(stream) for stream in bundle.streams]
    alone = {"still": "keep", "region": "middle", "scale": "fixed", "views": 1}
    return all(spec.sees_all and spec.input == replace(spec.input, **alone) for spec in specs)


def usable_forms(bundle: Bundle, rows: dict) -> list[Form]:
    """Those of {form: its row of export.json} that agree, run here and suit what the networks see."""
    forms = [FORMS[name] for name, row in rows.items() if row["use"] and runtime.runs_here(FORMS[name])]
    return forms if works_while_recording(bundle) else [form for form in forms if not form.streamed]


def choose_form(bundle: Bundle, rows: dict, wanted: str, live: bool = False) -> Form | None:
    """The form to run: the quickest that agrees and runs here, or the one that is wanted; None is Keras itself.

    Args:
        rows: {form: its row of export.json}, with the times that count.
        live: the quickest after the last frame of a recording, rather than in all.
    Raises:
        Problem: the wanted form is not there.
    """
    if wanted == runtime.KERAS:
        return None
    if wanted in rows:
        return FORMS[wanted]
    if wanted != AUTO:
        have, how = ", ".join(rows) or "none", "choose another --runtime" if bundle.shared else again(bundle)
        raise Problem(f"{bundle.folder}: no form {wanted} of its networks (it has {have}); {how}")
    usable = usable_forms(bundle, rows)
    if bundle.shared and not usable:
        have = ", ".join(rows) or "none"
        raise Problem(f"{bundle.folder}: a shared model, and no form of it ({have}) runs here; {HOW}")
    return min(usable, key=lambda form: rows[form.name]["after_ms" if live else "ms"], default=None)


def open_networks(bundle: Bundle, form: Form | None, threads: int | None = None) -> dict:
    """{stream: network} of a form, or of Keras; raises Problem where a file is missing or not the one that export.py
    checked."""
    if form is None:
        return {stream.name: KerasNetwork.load(stream, bundle.weights(stream)) for stream in bundle.streams}
    folder = bundle.folder / form.folder
    for name, digest in read_forms(bundle)[form.name]["sha256"].items():
        path = folder / check_name(name, f"{bundle.folder / EXPORT_FILE}: file")
        if not path.is_file() or command.sha256(path) != digest:
            what = "not the file that export.py checked" if path.is_file() else "missing"
            raise Problem(f"{path}: {what}; {again(bundle)}")
    return open_files(bundle, form, threads)


def open_files(bundle: Bundle, form: Form, threads: int | None = None) -> dict:
    """{stream: network} of a form, whatever export.json says."""
    return {
        stream.name: runtime.open_form(form, path_of(bundle, form, stream), stream.arguments["input_shape"], threads)
        for stream in bundle.streams
    }
