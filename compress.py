"""Make a trained model small: prune it, train what is left, store it without zeros and in fewer bits; keep the books.

    python compress.py --data data_set/chalearn --model model/student --output model/small --teacher model/teacher \\
        --budget 1MB

in:   a model bundle of any kind, and the clips it was trained and validated on
out:  model/<run>/<step>/                 a bundle each, float32: dense, threshold, sparsity-0.8 ...
      model/<run>/<step>-<precision>/     the same in float16 and int8
      model/<run>/ledger.csv, ledger.md   weights, bytes, accuracy, time and agreement of each
      model/<run>/                        the bundle that was chosen of them

After Mullick & Namboodiri (ICIP 2017), Table 3; docs/compact.md says what each step does. `threshold` takes away the
weights below 2^-100, which changes no answer; `sparsity-0.8` the smallest 80 % of the step before it, and trains the
rest. With `--budget` that share is added which makes each precision just fit. Chosen is the most accurate on the
validation clips within the budget, of equal ones the smallest; evaluate.py --split test says what it is worth. Stopped
at any moment, the same command goes on.
"""

import argparse
import json
import re
import shutil
import sys
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.modality import PICTURES
from signs.command import Outcome, Problem
from signs.evaluation import compression_table, scores
from signs.evaluation.compression_table import Row, Source
from signs.inference.bundle import BUNDLE_FILE, Bundle, Stream, bundle_size, load_bundle, load_keras
from signs.inference.confidence import CALIBRATION_FILE
from signs.inference.predictions import Predictions
from signs.models import sparse_weights
from signs.training import refit, run_folder

TINY = 2.0**-100  # pruning.py's, which --help does not wait for
SETTINGS_FILE = "compress.json"
UNITS = {"": 1, "B": 1, "kB": 1_000, "MB": 1_000_000}
MARGIN = 0.98  # of the budget: fine-tuning changes how well the weights are compressed


def size_in_bytes(text: str) -> int:
    """`1MB`, `635kB`, `80000` -> bytes."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(kB|MB|B|)", text)
    if not match or not (size := round(float(match[1]) * UNITS[match[2]])):
        raise argparse.ArgumentTypeError(f"{text!r}: a size such as 1MB (1,000,000 bytes), 635kB or 80000")
    return size


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--model", type=Path, required=True, help="model folder to make small")
    flags.add_argument("--output", type=Path, required=True, help="folder for the steps and the small model")
    flags.add_argument("--teacher", type=Path, metavar="MODEL", help="to compare with; without it the model itself")
    most = "of every file that prediction needs: 1MB is 1,000,000 bytes (default: any)"
    flags.add_argument("--budget", type=size_in_bytes, metavar="SIZE", help=most)
    group = flags.add_argument_group("steps")
    magnitude = {"nargs": "?", "metavar": "MAGNITUDE", "help": "weights below it are taken away; 0: none"}
    group.add_argument("--threshold", type=command.number(least=0), const=TINY, default=TINY, **magnitude)
    share = {"nargs": "*", "metavar": "SHARE", "help": "of all kernels' weights that is taken away, a step each"}
    group.add_argument("--sparsity", type=command.number(above=0, below=1), default=[0.5, 0.8, 0.9], **share)
    stored, precisions = "of each step; float32 always, which the next begins with", tuple(sparse_weights.PRECISIONS)
    group.add_argument("--precision", nargs="+", choices=precisions, default=precisions, help=stored)
    group = flags.add_argument_group("fine-tuning", "All else is as the model was trained: batch, augmentation ...")
    epochs, batch, rate = command.number(int, least=0), command.number(int, least=1), command.number(above=0)
    group.add_argument("--epochs", type=epochs, default=10, metavar="N", help="most epochs of each step; 0: none")
    group.add_argument("--learning-rate", type=rate, metavar="RATE", help="(default: a tenth of the model's own)")
    flags.add_argument("--batch", type=batch, default=4, metavar="N", help="clips at once in prediction")
    command.add_threads(flags)
    args = flags.parse_args(argv)
    if args.output.resolve() == args.model.resolve():
        raise Problem(f"--output {args.output}: is the model itself; choose another folder")
    dataset.check_no_dataset(args.output)
    return args


def check_models(args, data: Dataset, source: Bundle) -> None:
    """Raise Problem where model, teacher and data do not go together."""
    from signs.inference import recogniser

    if refit.learnt_from_valid(source):
        reason = "has learnt from the validation clips (--refit), by which the steps are chosen"
        raise Problem(f"{args.model}: {reason}; compress the model that it was made of")
    labels, models = {row.label for row in source.classes}, [source]
    if args.teacher:
        teacher = load_bundle(args.teacher)
        if other := labels ^ {row.label for row in teacher.classes}:
            reason = f"other classes than {args.model} ({len(other)} are in one of them alone, first {min(other)})"
            raise Problem(f"{args.teacher}: {reason}; compare models of the same class table")
        models.append(teacher)
    if unknown := {item.label for item in data.clips if item.label} - labels:
        reason = f"label {min(unknown)} is not among the classes of {args.model}"
        raise Problem(f"{data.folder}: {reason}; use data with the model's own class table")
    for model in models:
        recogniser.check_store(model, data)


def keep_settings(args, data: Dataset, source: Bundle) -> None:
    """Write what the steps depend on; raises Problem where the folder holds steps of other settings."""
    path = args.output / SETTINGS_FILE
    settings = {"model": source.hashes, "data": command.sha256(data.folder / "clips.csv")}
    settings |= {"epochs": args.epochs, "learning rate": args.learning_rate, "threshold": args.threshold}
    try:
        earlier = json.loads(path.read_text())
    except FileNotFoundError:
        earlier = settings
    except ValueError:
        raise Problem(f"{path}: damaged; delete {args.output}") from None
    if earlier != settings:
        changed = ", ".join(name for name in settings if earlier.get(name) != settings[name])
        raise Problem(f"{args.output}: holds steps with another {changed}; choose another --output, or delete it")
    command.write_text(path, json.dumps(settings, indent=1) + "\n")


def sparsities(args, steps, dense: Bundle) -> list[float]:
    """Every --sparsity, and those with which each precision fits the budget; raises Problem where none can."""
    if not args.budget:
        return sorted(set(args.sparsity))
    shares, sizes = {}, {}
    others = bundle_size(dense) - sum(dense.weights(stream).stat().st_size for stream in dense.streams)
    for precision in steps.precisions:
        shares[precision], size = steps.share_that_fits(precision, round(MARGIN * args.budget) - others)
        sizes[precision] = size + others
        if shares[precision]:
            print(f"{precision} fits into {args.budget:,} bytes without {shares[precision]:.0%} of the weights")
    if set(shares.values()) == {None}:
        smallest = min(sizes, key=sizes.get)
        reason = f"even without 99% of the weights {smallest} takes {sizes[smallest]:,}"
        raise Problem(f"--budget {args.budget:,} bytes: {reason}; allow more, or begin with a smaller network")
    return sorted({*args.sparsity, *filter(None, shares.values())})


class Books:
    """The ledger: its rows; what was measured of each model, by name, from the teacher on; clips that failed."""

    def __init__(self, args, source: Source):
        self.args, self.source = args, source
        self.rows, self.measured, self.failed = [], {}, {}
        if args.teacher:
            self.enter("teacher", "", args.teacher, args.output / "teacher")
        self.enter("model", "", args.model, args.output / "model")

    def enter(self, step: str, precision: str, model: Path, folder: Path) -> None:
        """Measure a bundle, or read what was measured, and write its row."""
        measured = compression_table.measure(model, folder, self.source, self.failed)
        self.first = next(iter(self.measured.values()), measured)  # the teacher, or the model
        self.rows.append(compression_table.row_of(step, precision, measured, self.first))
        self.measured[self.rows[-1].name] = measured
        compression_table.write_ledger(self.rows, self.args.output, self.about)

    @property
    def about(self) -> str:
        """What the table's numbers are."""
        clips = f"{self.first.over} of {compression_table.SPLIT}, 95 % intervals"
        milliseconds = f"ms a clip: {self.first.runtime}, one core, median"
        return f"{clips}; {milliseconds}; agrees: with {self.args.teacher or self.args.model}"

    def close(self, chosen: Row) -> None:
        """The table, and the chosen model beside those it was made from."""
        compression_table.write_ledger(self.rows, self.args.output, self.about, chosen)
        compression_table.print_ledger(self.rows, self.about, chosen)
        for name in compression_table.GIVEN:
            if name in self.measured:
                apart = compression_table.difference(self.measured[chosen.name], self.measured[name])
                points = scores.with_interval(apart.value, (apart.low, apart.high), "+")
                print(f"{chosen.name} against the {name}: {points} points")


def make_steps(args, steps, books: Books) -> None:

    def enter(step: str, trained: bool = True, **limit: float) -> None:
        for precision, bundle in steps.make(step, trained, **limit):
            books.enter(step, precision, bundle.folder, bundle.folder)

    enter("dense", trained=False)
    dense = steps.last
    if args.threshold:
        if steps.share_below(args.threshold) > steps.share_below(0):
            enter("threshold", trained=args.threshold > TINY, threshold=args.threshold)
        else:
            print(f"threshold: no weight below {args.threshold:.3g}; --recipe l2= may push some there")
    for share in sparsities(args, steps, dense):
        if (zeros := steps.share_below(0)) >= share:
            print(f"sparsity {share:g}: {zeros:.1%} of the weights are zero already")
        else:
            enter(f"sparsity-{share:g}", sparsity=share)


def copy_bundle(folder: Path, output: Path) -> None:
    """Make the output a bundle: a copy of a step's, with its calibration and predictions."""
    weights = load_bundle(folder).hashes
    (output / BUNDLE_FILE).unlink(missing_ok=True)  # while weights change, it fits none
    for name in (*weights, CALIBRATION_FILE, Predictions.path(folder, compression_table.SPLIT).name, BUNDLE_FILE):
        with command.atomic(output / name) as temporary:
            shutil.copyfile(folder / name, temporary)


def bundle_generators(flags, data: Dataset, bundle: Bundle, stream: Stream) -> dict:
    """Batches of what a stream of the bundle sees, with the classes that it tells apart in their order."""
    relabelled = replace(data, classes=bundle.classes[: stream.arguments["classes"]])
    if stream.modality not in PICTURES:
        from signs.training.point_batches import point_generators

        return point_generators(flags, relabelled, bundle.spec_of(stream))
    import datagenerator

    return datagenerator.generators(flags, relabelled, bundle.spec_of(stream), stream.modality)


def main(argv=None) -> int:
    args = parse(argv)
    data, source = load_dataset(args.data), load_bundle(args.model)
    check_models(args, data, source)
    data = run_folder.with_archives(data, [stream.modality for stream in source.streams], source.spec.stored)
    clips = run_folder.split_of(data, compression_table.SPLIT)
    load_keras()  # seconds; so after what can be wrong without it
    from signs.training import compression

    with command.lock(args.output), compression_table.stopwatch() as stopwatch:
        command.remove_leftovers(args.output)
        keep_settings(args, data, source)
        flags, streams = compression.flags_of(source, args), source.streams if args.epochs else []
        batches = {stream.name: bundle_generators(flags, data, source, stream) for stream in streams}
        books = Books(args, Source(data, clips, stopwatch, args.batch, args.workers))
        steps = compression.Steps(args.output, source, flags, batches, args.precision)
        make_steps(args, steps, books)
        chosen = compression_table.choose_row(books.rows, args.budget)
        copy_bundle(args.output / chosen.name, args.output)
        books.close(chosen)
    print(f"{chosen.name}, {chosen.bytes:,} bytes; model bundle, ledger.csv, ledger.md -> {args.output}")
    code = Outcome([args.output], [*books.failed.items(), *steps.failed]).summary()
    return max(code, command.PARTLY) if data.left_out else code


if __name__ == "__main__":
    sys.exit(command.run(main))
