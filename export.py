"""Turn a model's networks into forms that run quickly without TensorFlow, and check each of them on real clips.

    python export.py --data data_set/chalearn --model model/chalearn

in:   a model bundle and the data set that it was trained on, with its frames and flow
out:  model/<run>/export/openvino, openvino-int8, stream, stream-int8, onnx and litert, and model/<run>/export.json,
      which says of each how far its logits are from Keras's, how many answers are equal, its accuracy on the
      validation clips, the time a clip takes, and whether predict.py and livedemo.py may use it

The stream forms work while a sign is recorded. docs/live.md says which network has which form, and when one may be
used. A form that cannot be made or opened, or that does not agree, is named, and the others stay: exit code 1, or 2
where none is left. Needs `pip install ".[cpu,export]"`, for ONNX and LiteRT `".[cpu,export,exchange]"`; the laptop
needs `".[live]"`.
"""

import argparse
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from signs import command, errors
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Problem
from signs.inference import exported, quickest, runtime
from signs.inference.bundle import load_keras
from signs.inference.exported import EXPORT_FILE, MADE_OF, WRITERS
from signs.inference.recogniser import Recogniser, check_store
from signs.inference.runtime import FORMS, Form


def possible(recogniser: Recogniser, wanted: list[str]) -> list[str]:
    """The forms that the networks can have; raises Problem where that is none."""
    from signs.inference import convert

    reasons = {name: convert.reason_against(recogniser.bundle, recogniser.models, name) for name in wanted}
    left_out = [f"{name} is left out: {reason}" for name, reason in reasons.items() if reason]
    if len(left_out) == len(reasons):
        raise Problem(f"{recogniser.bundle.folder}: none of these forms: {'; '.join(left_out)}")
    for line in left_out:
        print(line, flush=True)
    return [name for name, reason in reasons.items() if not reason]


def show(measured: dict, sample) -> None:
    """Print a line a form, Keras first, from {form: its row of export.json} and the agreement.Sample."""

    def share(value: float | None) -> str:
        return "" if value is None else f"{value:.1%}"

    rows = [(runtime.KERAS, f"{sample.ms:.0f}", f"{sample.ms:.0f}", "", "", "", share(sample.accuracy), "")]
    for name, row in measured.items():
        times = [f"{row[key]:.0f}" for key in ("ms", "after_ms")]
        off = [f"{row[key]:.2g}" for key in ("difference", "probability")]
        used = "yes" if row["use"] else "no"
        rows.append((name, *times, *off, share(row["equal"]), share(row["accuracy"]), used))
    heads = ("form", "ms", "after", "logits off", "answers off", "equal", "right", "used")
    title = f"forms of the networks, {command.counted(len(sample.inputs), 'clip')}: ms a clip, and after its last frame"
    command.print_table(heads, rows, title, left=("used",))


def attempt(form: str, work: Callable[[], dict | Path]) -> dict | Path | None:
    """What `work` returns; None where it fails, and then the form and the reason are named."""
    try:
        return work()
    except Exception as error:  # converters and libraries have many
        if errors.is_disc_full(error):
            raise  # the next form would meet the same full disc
        reason = errors.describe(error).removesuffix("; run export.py again")
        print(f"{errors.traceback_of(error)}{form} is left out: {reason[:250]}", flush=True)
        return None


def make_form(recogniser: Recogniser, data: Dataset, name: str, sample, calibrate: int) -> dict:
    """Write and check a form, and its bfloat16 where the processor has it: {form: its row of export.json}, without what
    fails."""
    from signs.inference import agreement, convert

    bundle, rows = recogniser.bundle, {}
    print(f"writing {bundle.folder / FORMS[name].folder}", flush=True)
    if not attempt(name, lambda: convert.write_form(recogniser, data, name, calibrate)):
        return {}
    for form in filter(runtime.runs_here, sharing(name)):
        row = attempt(form.name, lambda form=form: agreement.measure(bundle, form, sample, recogniser.calibration))
        if row and not row["use"]:
            print(f"{form.name} is left out: {row['why']}", flush=True)
        rows |= {form.name: row} if row else {}
    return rows


def sharing(name: str) -> list[Form]:
    """The form, and those that run the same files."""
    return sorted((form for form in FORMS.values() if form.folder == FORMS[name].folder), key=lambda form: form.reduced)


def write_forms(recogniser: Recogniser, data: Dataset, args: argparse.Namespace) -> int:
    """Write every form that the networks can have, check it, and say in export.json what was found; the exit code.

    export.json is written before the files of a form change and after it was checked: at any moment it names what is
    whole, also of earlier exports.
    """
    from signs.inference import agreement, convert

    bundle, measured = recogniser.bundle, {}
    forms = possible(recogniser, args.forms)
    sample = agreement.read_sample(recogniser, data, args.split, args.clips)
    about = {"data": data.folder.name, "split": args.split, "clips": len(sample.inputs), "threads": runtime.cores()}
    about[runtime.KERAS] = {"accuracy": sample.accuracy, "ms": round(sample.ms, 2)}
    convert.remove_leftovers(bundle)
    rows = exported.read_forms(bundle)
    for name in args.forms:
        rows = {form: row for form, row in rows.items() if FORMS[form] not in sharing(name)}
        exported.write_forms(bundle, rows, about)
        made = make_form(recogniser, data, name, sample, args.calibrate) if name in forms else {}
        measured, rows = measured | made, rows | made
        exported.write_forms(bundle, rows, about)
    show(measured, sample)
    here = quickest.rows_here(bundle)
    for script, live in (("predict.py", False), ("livedemo.py", True)):
        form = exported.choose_form(bundle, here, exported.AUTO, live)
        print(f"{script} runs {form.name if form else runtime.KERAS} here from now on")
    print(f"-> {bundle.folder / EXPORT_FILE}")
    used = [name for name in forms if name in measured and measured[name]["use"]]
    return command.DONE if used == forms else command.PARTLY if used else command.NOTHING


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """The flags; `forms` in the order in which they are written, int8 with the float32 form that it is made of."""
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--model", type=Path, required=True, help="model folder, e.g. model/chalearn")
    which = "which to write; all that can be written here without it"
    flags.add_argument("--forms", nargs="+", choices=WRITERS, help=which)
    flags.add_argument("--split", choices=("train", "valid"), default="valid", help="clips that forms are checked on")
    count = command.number(int, least=1)
    flags.add_argument("--clips", type=count, default=200, metavar="N", help="how many of them at most")
    flags.add_argument(
        "--calibrate", type=count, default=100, metavar="N", help="training clips that int8 is fitted to"
    )
    args = flags.parse_args(argv)
    args.forms = args.forms or [form for form in WRITERS if can_write(form)] or list(WRITERS)
    wanted = {*args.forms, *(MADE_OF[form] for form in args.forms if form in MADE_OF)}
    args.forms = [form for form in WRITERS if form in wanted]
    return args


def can_write(form: str) -> bool:
    """Whether what writes and what runs a form is installed."""
    return runtime.installed(FORMS[form]) and find_spec(WRITERS[form]) is not None


def main(argv: list[str] | None = None) -> int:
    args = parse(argv)
    data = load_dataset(args.data)
    if missing := [form for form in args.forms if not can_write(form)]:
        raise Problem(f'{", ".join(missing)}: what writes them is not installed; pip install ".[cpu,export,exchange]"')
    load_keras()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise Problem(f"export.py needs TensorFlow, and this is {keras.backend.backend()}; unset KERAS_BACKEND")
    recogniser = Recogniser.load(args.model, runtime.KERAS)
    check_store(recogniser.bundle, data)
    with command.lock(args.model):
        return write_forms(recogniser, data, args)


if __name__ == "__main__":
    sys.exit(command.run(main))
