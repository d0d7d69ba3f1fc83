"""Make a trained model small: prune it, train what is left, store it without zeros and in fewer bits; keep the books.

    python compress.py --data data_set/chalearn --model model/student --output model/small --teacher model/teacher \\
        --budget 1MB

in:   a model bundle of any kind, and the clips it was trained and validated on
out:  model/<run>/<step>/                 a bundle each, float32: dense, threshold, sparsity-0.8 ...
      model/<run>/<step>-<precision>/     the same in float16 and int8
      model/<run>/ledger.csv, ledger.md   weights, bytes, accuracy, time and agreement of each
      model/<run>/                        the bundle that was chosen of them

After Mullick & Namboodiri (Learning deep and compact models for gesture recognition, ICIP 2017), Table 3. `threshold`
takes away the weights below 2^-100, where Adam pushes dead ones if the model was trained with `--recipe l2=`
(docs/compact.md); that changes no answer, so nothing is trained. `sparsity-0.8` takes away the smallest 80 % of the
step before it and trains the rest, as the model itself was trained but at a tenth of its learning rate. With `--budget`
that share is added which makes each precision just fit. Chosen is the most accurate on the validation clips within the
budget, of equal ones the smallest; so many models tried on them flatter the best, and evaluate.py --split test says
what it is worth. Stopped at any moment, the same command goes on; a step that is done is not done again.
"""

import argparse
import json
import re
import shutil
import sys
from pathlib import Path

from signs import command
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Outcome, Problem
from signs.evaluation import compression_table, scores
from signs.evaluation.compression_table import Row, Source
from signs.inference.bundle import BUNDLE_FILE, Bundle, Stream, bundle_size, load_bundle, load_keras
from signs.inference.confidence import CALIBRATION_FILE
from signs.inference.predictions import Predictions
from signs.models import sparse_weights
from signs.training import refit, run_folder

TINY = 2.0**-100  # pruning.py's, which --help does not wait for
DENSE, THRESHOLD, SPARSITY = "dense", "threshold", "sparsity"
SETTINGS = "compress.json"
UNITS = {"": 1, "B": 1, "kB": 1_000, "MB": 1_000_000}
MARGIN = 0.98  # of the budget: what is trained on is not as many bytes as what was pruned


def size_in_bytes(text: str) -> int:
    """`1MB`, `635kB`, `80000` -> bytes."""
    found = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(kB|MB|B|)", text)
    if not found or not (size := round(float(found[1]) * UNITS[found[2]])):
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
    group.add_argument(
        "--threshold",
        type=command.number(least=0),
        nargs="?",
        const=TINY,
        default=TINY,
        metavar="MAGNITUDE",
        help="weights below it are taken away; 0: none",
    )
    group.add_argument(
        "--sparsity",
        type=command.number(above=0, below=1),
        nargs="*",
        default=[0.5, 0.8, 0.9],
        metavar="SHARE",
        help="of all kernels' weights that is taken away, a step each",
    )
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
    return args


def check(args, data: Dataset, source: Bundle) -> None:
    """Raise Problem where model, teacher and data do not go together."""
    from signs.inference import recogniser

    if refit.learnt_from_valid(source):
        raise Problem(
            f"{args.model}: has learnt from the validation clips (--refit), by which the steps are chosen; "
            "compress the model that it was made of"
        )
    labels, compared = {row.label for row in source.classes}, [source]
    if args.teacher:
        teacher = load_bundle(args.teacher)
        if other := labels ^ {row.label for row in teacher.classes}:
            raise Problem(
                f"{args.teacher}: other classes than {args.model} ({len(other)} are in one of them alone, "
                f"first {min(other)}); compare models of the same class table"
            )
        compared.append(teacher)
    if unknown := {item.label for item in data.clips if item.label} - labels:
        raise Problem(
            f"{data.folder}: label {min(unknown)} is not among the classes of {args.model}; use data with "
            "the model's own class table"
        )
    for one in compared:
        recogniser.check_store(one, data)


def settle(args, data: Dataset, source: Bundle) -> None:
    """Write what the steps depend on; raises Problem where the folder holds steps of something else."""
    path = args.output / SETTINGS
    now = {
        "model": source.hashes,
        "data": command.sha256(data.folder / "clips.csv"),
        "epochs": args.epochs,
        "learning rate": args.learning_rate,
        "threshold": args.threshold,
    }
    try:
        before = json.loads(path.read_text())
    except FileNotFoundError:
        before = now
    except ValueError:
        raise Problem(f"{path}: damaged; delete {args.output}") from None
    if before != now:
        changed = [name for name in now if before.get(name) != now[name]]
        raise Problem(
            f"{args.output}: holds steps with another {', '.join(changed)}; choose another --output, or delete it"
        )
    with command.atomic(path) as temporary:
        temporary.write_text(json.dumps(now, indent=1) + "\n")


def shares(args, steps, dense: Bundle) -> list[float]:
    """Every --sparsity, and those with which each precision fits the budget; raises Problem where none can."""
    if not args.budget:
        return sorted(set(args.sparsity))
    found, least = {}, {}
    others = bundle_size(dense) - sum(dense.weights(stream).stat().st_size for stream in dense.streams)
    for precision in steps.precisions:
        found[precision], left = steps.fitting(precision, round(MARGIN * args.budget) - others)
        least[precision] = left + others
        if found[precision]:
            print(f"{precision} fits into {args.budget:,} bytes without {found[precision]:.0%} of the weights")
    if set(found.values()) == {None}:
        smallest = min(least, key=least.get)
        raise Problem(
            f"--budget {args.budget:,} bytes: even without 99% of the weights {smallest} takes "
            f"{least[smallest]:,}; allow more, or begin with a smaller network"
        )
    return sorted({*args.sparsity, *filter(None, found.values())})


class Books:
    """The ledger: what is measured of each model, from the teacher on."""

    def __init__(self, args, source: Source):
        self.args, self.source, self.failed = args, source, {}
        self.rows, self.found = [], {}
        if args.teacher:
            self.enter("teacher", "", args.teacher, args.output / "teacher")
        self.enter("model", "", args.model, args.output / "model")

    def enter(self, step: str, precision: str, model: Path, folder: Path) -> None:
        """Measure a bundle, or read what was measured, and write its row."""
        found = compression_table.measure(model, folder, self.source, self.failed)
        self.first = next(iter(self.found.values()), found)  # the teacher, or the model
        self.rows.append(compression_table.row(step, precision, found, self.first))
        self.found[self.rows[-1].name] = found
        compression_table.write(self.rows, self.args.output, self.about)

    @property
    def about(self) -> str:
        """What the table's numbers are."""
        return (
            f"{self.first.over} of {compression_table.SPLIT}, 95 % intervals; "
            f"ms a clip: {self.first.runtime}, one core, median; agrees: with {self.args.teacher or self.args.model}"
        )

    def close(self, chosen: Row) -> None:
        """The table, and the chosen model beside those it was made from."""
        compression_table.write(self.rows, self.args.output, self.about, chosen)
        compression_table.show(self.rows, self.about, chosen)
        for name in (one for one in compression_table.GIVEN if one in self.found):
            apart = compression_table.difference(self.found[chosen.name], self.found[name])
            points = scores.with_interval(apart.value, (apart.low, apart.high), "+")
            print(f"{chosen.name} against the {name}: {points} points")


def make_all(args, steps, books: Books) -> None:
    """Every step, measured."""

    def enter(step: str, trained: bool = True, **how: float) -> None:
        for precision, made in steps.make(step, trained, **how):
            books.enter(step, precision, made.folder, made.folder)

    enter(DENSE, trained=False)
    dense = steps.last
    if args.threshold:
        if steps.share_below(args.threshold) > steps.share_below(0):
            enter(THRESHOLD, trained=args.threshold > TINY, threshold=args.threshold)
        else:
            print(f"threshold: no weight below {args.threshold:.3g}; --recipe l2= may push some there")
    for share in shares(args, steps, dense):
        if (zeros := steps.share_below(0)) >= share:
            print(f"sparsity {share:g}: {zeros:.1%} of the weights are zero already")
        else:
            enter(f"{SPARSITY}-{share:g}", sparsity=share)


def adopt(folder: Path, output: Path) -> None:
    """Make a copy of a step's bundle the output's own."""
    made = load_bundle(folder)
    (output / BUNDLE_FILE).unlink(missing_ok=True)  # while weights change, it fits none
    for name in (*made.hashes, CALIBRATION_FILE, Predictions.path(folder, compression_table.SPLIT).name, BUNDLE_FILE):
        with command.atomic(output / name) as temporary:
            shutil.copyfile(folder / name, temporary)


def bundle_generators(flags, data: Dataset, bundle: Bundle, stream: Stream) -> dict:
    """Batches of what a stream of the bundle sees, with the bundle's classes in their order."""
    import datagenerator

    own = Dataset(data.folder, data.clips, bundle.classes)
    return datagenerator.generators(flags, own, bundle.spec_of(stream), stream.modality)


def compress(args) -> int:
    """Make, measure and choose; returns the exit code."""
    data, source = load_dataset(args.data), load_bundle(args.model)
    check(args, data, source)
    clips = run_folder.split_of(data, compression_table.SPLIT)
    load_keras()  # seconds; so after what can be wrong without it
    from signs.training import compression
    from signs.training.compression import Steps

    with command.lock(args.output), compression_table.stopwatch() as stopwatch:
        command.remove_leftovers(args.output)
        settle(args, data, source)
        flags = compression.flags_of(source, args)
        batches = (
            {stream.name: bundle_generators(flags, data, source, stream) for stream in source.streams}
            if args.epochs
            else {}
        )
        books = Books(args, Source(data, clips, stopwatch, args.batch, args.workers))
        make_all(args, Steps(args.output, source, flags, batches, args.precision), books)
        chosen = compression_table.choose(books.rows, args.budget)
        adopt(args.output / chosen.name, args.output)
        books.close(chosen)
    print(f"{chosen.name}, {chosen.bytes:,} bytes; model bundle, ledger.csv, ledger.md -> {args.output}")
    return Outcome([args.output], list(books.failed.items())).summary()


def main(argv=None) -> int:
    return compress(parse(argv))


if __name__ == "__main__":
    sys.exit(command.run(main))
