"""Turn a model's networks into forms that run quickly without TensorFlow, and check each of them on real clips.

    python export.py --data data_set/chalearn --model model/chalearn

in:   a model bundle and the data set that it was trained on, with its frames and flow
out:  model/<run>/export/openvino, openvino-int8, stream, stream-int8, onnx, litert and saved-model, and
      model/<run>/export.json, which says of each how far its logits are from Keras's, how many answers are equal, its
      accuracy on the validation clips, the time a clip takes, and whether predict.py and livedemo.py may use it

The stream forms work while a sign is recorded: I3D is cut into stages over time, a network that codes groups of frames
for an LSTM goes on group by group, and after the last frame only a part of the work is left; others have no such form.
A form in float32 is used where its logits are Keras's to 1e-3. A reduced one (bfloat16, where the processor has
it, and int8, calibrated on training clips by NNCF) is used where validation accuracy falls by at most one point and no
answer changes that float32 gave by a margin above 0.2. Needs `pip install ".[cpu,export]"`; the laptop `".[live]"`.
"""

import json
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path

from signs import command
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Problem
from signs.inference import convert, exported, runtime
from signs.inference.bundle import Bundle, load_keras, quiet_stderr
from signs.inference.exported import EXPORT_FILE
from signs.inference.runtime import Form

import numpy as np
from scipy.special import softmax

CLOSE = 1e-3  # logits of float32 forms, of the largest logit where that is above 1
LOST = 0.01  # accuracy that a reduced form may lose
SURE = 0.2  # margin between the two best above which no answer may change
TIMED = 5  # runs of which the median is taken


@dataclass(frozen=True)
class Measured:
    """What export.json says of a form: the largest differences of a logit and of a fused probability, the share of
    equal answers, accuracy (None without labels), sure answers that changed, ms of a clip through all streams, and
    after_ms, the part of it that is left after the clip's last frame."""

    difference: float
    probability: float
    equal: float
    accuracy: float | None
    changed: int
    ms: float
    after_ms: float
    together: bool
    use: bool
    why: str
    sha256: dict[str, str]


def logits_of(networks: dict, inputs: list[dict]) -> dict[str, np.ndarray]:
    """{stream: (N, classes)} of the clips, views averaged."""
    return {
        name: np.stack([network.logits(clip[name]).mean(axis=0) for clip in inputs])
        for name, network in networks.items()
    }


def seconds_of(networks: dict, clip: dict, together: bool) -> float:
    """Median time of one clip through all streams, one after the other or at once."""
    taken = []
    with ThreadPoolExecutor(len(networks)) as pool:
        for _ in range(TIMED):
            started = time.perf_counter()
            if together:
                list(pool.map(lambda name: networks[name].logits(clip[name]), networks))
            else:
                for name, network in networks.items():
                    network.logits(clip[name])
            taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def seconds_after(networks: dict, clip: dict) -> float:
    """Median time from a clip's last frame to the logits of all streams, which have had the other frames before."""
    taken = []
    for _ in range(TIMED):
        for name, network in networks.items():
            network.reset()
            for frame in clip[name][0][:-1]:
                network.push(frame[None])
        started = time.perf_counter()
        for name, network in networks.items():
            network.push(clip[name][0][-1:])
            network.answer()
        taken.append(time.perf_counter() - started)
    return statistics.median(taken)


def decide(form: Form | None, found: dict, keras: dict, calibration, truth: np.ndarray) -> dict:
    """Difference, equal answers, accuracy and whether the form may be used, from {stream: logits} of both."""
    difference = max(float(np.abs(found[name] - keras[name]).max()) for name in keras)
    largest = max(1.0, *(float(np.abs(rows).max()) for rows in keras.values()))
    mine, theirs = (
        calibration.fuse({name: softmax(np.float64(rows), axis=-1) for name, rows in one.items()})
        for one in (found, keras)
    )
    equal = mine.argmax(axis=1) == theirs.argmax(axis=1)
    best = np.sort(theirs, axis=1)
    changed = int(np.sum(~equal & (best[:, -1] - best[:, -2] > SURE)))
    known = truth >= 0
    accuracy, before = (
        float(np.mean(one.argmax(axis=1)[known] == truth[known])) if known.any() else None for one in (mine, theirs)
    )
    why = ""
    if not (form and form.reduced):
        if difference > CLOSE * largest:
            why = f"logits are {difference:.2g} off"
    elif accuracy is None:
        why = "no labelled validation clip to judge it by"
    elif before - accuracy > LOST:
        why = f"accuracy falls from {before:.1%} to {accuracy:.1%}"
    elif changed:
        why = f"{changed} sure answer{'s change' if changed > 1 else ' changes'}"
    if form is None:
        why = "for other programs"
    return {
        "difference": difference,
        "probability": float(np.abs(mine - theirs).max()),
        "equal": float(equal.mean()),
        "accuracy": accuracy,
        "changed": changed,
        "use": not why,
        "why": why,
    }


class SavedNetwork:
    """TensorFlow's own reader for what was written a moment ago, to check it."""

    def __init__(self, path: Path):
        import tensorflow as tf

        with quiet_stderr():
            self._model = tf.saved_model.load(str(path))

    def logits(self, batch: np.ndarray) -> np.ndarray:
        return self._model.serve(batch).numpy()


def measure(bundle: Bundle, name: str, keras: dict, inputs: list[dict], truth, calibration) -> Measured:
    """Open a form that was written and compare it with Keras."""
    form, folder = (
        runtime.FORMS.get(name),
        bundle.folder / (runtime.FORMS[name].folder if name in runtime.FORMS else f"export/{name}"),
    )
    hashes = {
        path.relative_to(folder).as_posix(): command.sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if form:
        networks = exported.open_files(bundle, form)
    else:
        networks = {stream.name: SavedNetwork(folder / stream.name) for stream in bundle.streams}
    found = decide(form, logits_of(networks, inputs), keras, calibration, truth)
    seconds, together = seconds_of(networks, inputs[0], False), False
    if form and not form.streamed and len(networks) > 1 and runtime.cores() > 1:
        beside = exported.open_files(bundle, form, max(1, runtime.cores() // len(networks)))
        at_once = seconds_of(beside, inputs[0], True)
        if at_once < 0.95 * seconds:
            seconds, together = at_once, True
    after = seconds_after(networks, inputs[0]) if form and form.streamed else seconds
    return Measured(
        **found, ms=round(1000 * seconds, 2), after_ms=round(1000 * after, 2), together=together, sha256=hashes
    )


def read_clips(recogniser, data: Dataset, split: str, count: int):
    """([{stream: (views, T, crop, crop, C)}, ...], (N,) index of the true class, -1 without a label)."""
    from signs.inference import stored_clips

    labels, inputs, truth = {label: i for i, label in enumerate(recogniser.labels)}, [], []
    for item in convert.spread(data.split(split), count):
        found, reason = stored_clips.read_inputs(recogniser, data, item)
        if reason:
            print(f"{item.clip}: {reason}", file=sys.stderr)
            continue
        inputs.append(found)
        truth.append(labels.get(item.label, -1))
    if not inputs:
        raise Problem(f"{data.folder}: no readable clip in the split {split} to check the forms on")
    return inputs, np.array(truth)


def show(found: dict[str, Measured], keras_ms: float, accuracy: float | None, clips: int) -> None:
    from rich.console import Console
    from rich.table import Table

    heads = ("form", "ms a clip", "after its end", "logits off by", "probabilities", "equal", "accuracy", "used")
    table = Table(*heads, title=f"forms of the networks, on {clips} clips")

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    table.add_row(runtime.KERAS, f"{keras_ms:.0f}", f"{keras_ms:.0f}", "", "", "", share(accuracy), "")
    for name, row in found.items():
        used = "yes" if row.use else f"no: {row.why}"
        table.add_row(
            name,
            f"{row.ms:.0f}",
            f"{row.after_ms:.0f}",
            f"{row.difference:.2g}",
            f"{row.probability:.2g}",
            share(row.equal),
            share(row.accuracy),
            used,
        )
    Console().print(table)


def export(args) -> int:
    """Write and check every form; returns the exit code."""
    data = load_dataset(args.data)
    missing = [
        form
        for form in args.forms
        if form in convert.CONVERTERS
        and not (runtime.installed(runtime.FORMS[form]) and find_spec(convert.CONVERTERS[form]))
    ]
    if missing:
        raise Problem(f'{", ".join(missing)}: what writes them is not installed; pip install ".[cpu,export]"')
    load_keras()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise Problem(f"export.py needs TensorFlow, and this is {keras.backend.backend()}; unset KERAS_BACKEND")
    from signs.inference.recogniser import Recogniser, check_store

    recogniser = Recogniser.load(args.model, runtime.KERAS)
    check_store(recogniser.bundle, data)
    with command.lock(args.model):
        return write_all(recogniser, data, args)


def possible(recogniser, wanted: set[str]) -> list[str]:
    """Those of the forms that the networks can have, in the order in which they are written; raises Problem where that
    is none."""
    reasons = {
        name: convert.lacking(recogniser.bundle, recogniser.models, name)
        for name in (*convert.CONVERTERS, convert.SAVED_MODEL)
        if name in wanted
    }
    said = [f"{name} is left out: {reason}" for name, reason in reasons.items() if reason]
    if len(said) == len(reasons):
        raise Problem(f"{recogniser.bundle.folder}: none of these forms: {'; '.join(said)}")
    for line in said:
        print(line, flush=True)
    return [name for name, reason in reasons.items() if not reason]


def write_all(recogniser, data: Dataset, args) -> int:
    bundle, found = recogniser.bundle, {}
    forms = possible(recogniser, args.forms)
    inputs, truth = read_clips(recogniser, data, args.split, args.clips)
    expected = logits_of(recogniser.networks, inputs)
    keras_ms = 1000 * seconds_of(recogniser.networks, inputs[0], False)
    fused = recogniser.calibration.fuse({name: softmax(np.float64(rows), axis=-1) for name, rows in expected.items()})
    accuracy = float(np.mean(fused.argmax(axis=1)[truth >= 0] == truth[truth >= 0])) if (truth >= 0).any() else None
    for name in forms:
        print(f"writing {bundle.folder / 'export' / name}", flush=True)
        convert.write_form(recogniser, data, name, args.calibrate)
        for form in (name, *(other for other in runtime.FORMS if other == f"{name}-bf16")):
            if form == convert.SAVED_MODEL or runtime.runs_here(runtime.FORMS[form]):
                found[form] = measure(bundle, form, expected, inputs, truth, recogniser.calibration)
    about = {
        "data": data.folder.name,
        "split": args.split,
        "clips": len(inputs),
        "threads": runtime.cores(),
        runtime.KERAS: {"accuracy": accuracy, "ms": round(keras_ms, 2)},
    }
    content = {
        "format": exported.FORMAT,
        "model": bundle.hashes,
        **about,
        "forms": {name: asdict(row) for name, row in found.items()},
    }
    with command.atomic(bundle.folder / EXPORT_FILE) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n")
    show(found, keras_ms, accuracy, len(inputs))
    for script, live in (("predict.py", False), ("livedemo.py", True)):
        form = exported.choose_form(bundle, exported.AUTO, live)
        print(f"{script} runs {form.name if form else runtime.KERAS} from now on")
    print(f"-> {bundle.folder / EXPORT_FILE}")
    return command.DONE


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--model", type=Path, required=True, help="model folder, e.g. model/chalearn")
    flags.add_argument(
        "--forms",
        nargs="+",
        choices=(*convert.CONVERTERS, convert.SAVED_MODEL),
        default=(*convert.CONVERTERS, convert.SAVED_MODEL),
        help="which to write",
    )
    flags.add_argument("--split", choices=("train", "valid"), default="valid", help="clips that forms are checked on")
    flags.add_argument("--clips", type=int, default=200, metavar="N", help="how many of them at most")
    flags.add_argument("--calibrate", type=int, default=100, metavar="N", help="training clips that int8 is fitted to")
    args = flags.parse_args(argv)
    if args.clips < 1 or args.calibrate < 1:
        flags.error(f"--clips {args.clips} --calibrate {args.calibrate}; expected 1 or more")
    args.forms = {*args.forms, *(convert.MADE_OF[form] for form in args.forms if form in convert.MADE_OF)}
    return export(args)


if __name__ == "__main__":
    sys.exit(command.run(main))
