"""What export.py left in a bundle, and which form of its networks is to be run.

model/<run>/export.json         of each form: hashes, agreement with Keras, accuracy, time, whether to use it
model/<run>/export/<form>/      its files, one or two a stream
"""

import json
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.spec import ClipSpec
from signs.command import Problem
from signs.inference import runtime
from signs.inference.bundle import Bundle, Stream
from signs.inference.runtime import Form, KerasNetwork

EXPORT_FILE = "export.json"
FORMAT = 1
AUTO = "auto"
AGAIN = "run export.py --data ... --model {} again"


def path_of(bundle: Bundle, form: Form, stream: Stream) -> Path:
    """The form's file of a stream that is opened; others may belong to it."""
    return bundle.folder / form.folder / f"{stream.name}{form.suffix}"


def read_export(bundle: Bundle) -> dict:
    """export.json; without forms where there is none, or it belongs to other weights than the bundle has now, or it is
    another version's."""
    path = bundle.folder / EXPORT_FILE
    try:
        found = json.loads(path.read_text())
        return found if found["format"] == FORMAT and found["model"] == bundle.hashes else {"forms": {}}
    except FileNotFoundError:
        return {"forms": {}}
    except (ValueError, KeyError, TypeError):
        raise Problem(f"{path}: damaged; delete it and {AGAIN.format(bundle.folder)}") from None


def streams(bundle: Bundle) -> bool:
    """Whether the networks can begin before the last frame."""
    return all(begins_early(bundle.spec_of(stream)) for stream in bundle.streams)


def begins_early(spec: ClipSpec) -> bool:
    """Whether a network sees all frames, and of each what depends on no other."""
    seen = spec.input
    every = seen.sampling == "whole" or spec.stored.frames == str(seen.frames)
    return every and seen.views == 1 and seen.still == "keep" and seen.region == "middle" and seen.scale == "fixed"


def choose_form(bundle: Bundle, wanted: str, live: bool = False) -> Form | None:
    """The form to run: the quickest that agrees and runs here, or the one that is wanted; None is Keras itself.

    Args:
        live: the quickest after the last frame of a recording, rather than in all.
    Raises:
        Problem: the wanted form is not there.
    """
    there = read_export(bundle)["forms"]
    if wanted == runtime.KERAS:
        return None
    if wanted != AUTO:
        if wanted not in there:
            have = f"it has {', '.join(there)}" if there else "it has none"
            raise Problem(
                f"{bundle.folder}: no form {wanted} of its networks ({have}); "
                f"{AGAIN.format(bundle.folder).removesuffix(' again')}"
            )
        return runtime.FORMS[wanted]
    usable = [
        runtime.FORMS[name]
        for name, row in there.items()
        if name in runtime.FORMS and row["use"] and runtime.runs_here(runtime.FORMS[name])
    ]
    if not streams(bundle):
        usable = [form for form in usable if not form.streamed]
    return min(usable, key=lambda form: there[form.name]["after_ms" if live else "ms"], default=None)


def check_form(bundle: Bundle, form: Form) -> None:
    """Raise Problem where a file of the form is missing or not the one that export.py checked."""
    folder = bundle.folder / form.folder
    for name, digest in read_export(bundle)["forms"][form.name]["sha256"].items():
        path = folder / dataset.check_name(name, f"{bundle.folder / EXPORT_FILE}: file")
        if not path.is_file() or command.sha256(path) != digest:
            what = "not the file that export.py checked" if path.is_file() else "missing"
            raise Problem(f"{path}: {what}; {AGAIN.format(bundle.folder)}")


def open_networks(bundle: Bundle, form: Form | None, threads: int | None = None) -> dict:
    """{stream: network} of a form, or of Keras."""
    if form is None:
        return {stream.name: KerasNetwork.load(stream, bundle.weights(stream)) for stream in bundle.streams}
    check_form(bundle, form)
    return open_files(bundle, form, threads)


def open_files(bundle: Bundle, form: Form, threads: int | None = None) -> dict:
    """{stream: network} of a form, whatever export.json says."""
    return {
        stream.name: runtime.open_form(form, path_of(bundle, form, stream), stream.arguments["input_shape"], threads)
        for stream in bundle.streams
    }
