"""Say how well a model recognises the clips of a split, how far that can be trusted, and who and what fails.

    python evaluate.py --data data_set/chalearn --model model/chalearn --split valid
    python evaluate.py --compare model/chalearn model/other --split test
    python evaluate.py --data data_set/chalearn --predictions theirs.csv --output model/theirs [--model model/chalearn]

in:   a model bundle and the data set's clip archives; with --compare only what earlier evaluations left; with
      --predictions a table of anybody's probabilities: a row a clip, a column a class (docs/evaluation.md)
out:  model/<run>/report/index.html         everything below to look at: tables, curves, loops of clips that fail
      model/<run>/metrics.json              every number of it, of all splits evaluated so far
      model/<run>/calibration.json          fusion weights, temperature, rejection threshold (with --split valid)
      model/<run>/predictions-<split>.csv   a row per clip and stream, a probability per class
      model/<run>/confusion-<split>-<stream>.csv and .png, report.png
      with --compare, in the last model's folder: gain-<split>.csv and .png, which classes gained and which lost

The splits are checked before any number: no person, group or clip in two of them, no class without training clips.
Choose nothing on the test split: evaluate it once, for a model that is reported. More in docs/evaluation.md.
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

from signs import command
from signs.clips import dataset, leakage
from signs.clips.dataset import Dataset, load_dataset
from signs.clips.modality import shown_store
from signs.command import Outcome, Problem
from signs.evaluation import baseline, calibration, findings, metrics, published
from signs.evaluation.metrics import Metrics
from signs.evaluation.printed import print_failures, print_published, print_scores, write_confusions
from signs.inference import confidence, runtime
from signs.inference.bundle import is_bundle, load_bundle, load_keras
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser, check_store
from signs.training import refit

SHOWN = 2  # faults of the splits named in a line
LEFT = "report/index.html, metrics.json, predictions"
Predicted = dict[str, tuple[Predictions, list]]  # {split: (its probabilities, [(clip, why it was not read), ...])}


def check_model(folder: Path, data: Dataset, splits: list[str], ignored: bool) -> list[str]:
    """`check_splits`; raises Problem where clips have a label that the model does not know, or it has learnt them."""
    model = load_bundle(folder)
    unknown = {item.label for item in data.split(*splits) if item.label} - {row.label for row in model.classes}
    if unknown:
        raise Problem(
            f"{data.folder}: label {min(unknown)} is not among the classes of {folder}; "
            "evaluate on data with the model's own class table"
        )
    if "valid" in splits and refit.learnt_from_valid(model):
        raise Problem(
            f"{folder}: has learnt from the validation clips (--refit), which say nothing of it any more; --split test"
        )
    return check_splits(data, splits, shown_store(data, model.spec.stored), ignored)


def check_splits(data: Dataset, splits: list[str], store: str | None, ignored: bool) -> list[str]:
    """What is wrong with the splits, a line each; raises Problem with it unless it is to be ignored."""
    leaks, notes = leakage.find_leaks(data, splits, store)
    if leaks and not ignored:
        raise Problem(
            f"{data.folder}: the splits give numbers that mean nothing: {'; '.join(leaks[:SHOWN])}"
            f"{f'; {len(leaks) - SHOWN} more' * (len(leaks) > SHOWN)}. Split the data again, or say --ignore-checks, "
            "which the report will show"
        )
    for line in (*(f"CHECK OVERRIDDEN: {leak}" for leak in leaks), *(f"note: {note}" for note in notes)):
        print(command.one_line(line))
    return leaks


def calibrate(recogniser, predictions: Predictions, rate: float) -> None:
    """Learn calibration.json from the validation clips, and have the recogniser use it."""
    bundle = recogniser.bundle
    learnt = calibration.learn_calibration(predictions, bundle.classes, rate, bundle.hashes)
    learnt.write(bundle.folder)
    recogniser.calibration = learnt
    limit = "no rejection" if learnt.threshold is None else f"rejection below {learnt.threshold:.1%}"
    used = "as learnt" if learnt.weights else "alike"
    print(f"calibrated on valid: temperature {learnt.temperature:.2f}, {limit}, streams weighted {used}")


def predict_splits(recogniser, data: Dataset, splits: list[str], args) -> Predicted:
    """Learns the calibration on the way, where validation clips are among them: the fused probabilities follow it."""
    from signs.inference import stored_clips

    tables, failed = {}, {}
    for split in splits:
        clips = data.split(split)
        tables[split], failed[split] = stored_clips.predict(recogniser, data, clips, stored_clips.BATCH, args.workers)
    if "valid" in tables and tables["valid"].scored.any():
        calibrate(recogniser, tables["valid"], args.false_alarms)
    weights = recogniser.calibration.weights
    return {split: (table.with_fused(weights), failed[split]) for split, table in tables.items()}


def score_splits(recogniser, data: Dataset, predicted: Predicted, checks: list[str]) -> Metrics:
    """Write the probabilities and confusions of every split; returns the scores, earlier splits included."""
    folder, learnt = recogniser.bundle.folder, recogniser.calibration
    results = metrics.measure_earlier(recogniser, data, list(predicted))
    for split, (table, failed) in predicted.items():
        table.write(Predictions.path(folder, split))
        if table.scored.any():
            measured = metrics.measure_split(recogniser, table, metrics.identity(data), checks, failed)
            beside = published.beside(data, split, table)
            results[split] = replace(measured, training=findings.count_training(data), published=beside)
            write_confusions(folder, split, table, [row.name for row in recogniser.classes])
        else:
            print(f"{command.counted(len(table.clips), 'clip')} predicted, none scored: {split} has no labels")
    return Metrics(recogniser.bundle.hashes, asdict(learnt) if learnt.about else None, results)


def evaluate(args) -> int:
    """Evaluate some splits, write every file and print the tables; returns the exit code."""
    data = load_dataset(args.data)
    splits = [split for split in dataset.SPLITS if split in args.split]
    if empty := [split for split in splits if not data.split(split)]:
        raise Problem(f"{data.folder}/clips.csv: no clip in the split {empty[0]}")
    if args.predictions:
        store = next(iter(data.stores("frame")), None)
        checks = check_splits(data, splits, store, args.ignore_checks)
        dataset.check_no_dataset(args.output)
        if is_bundle(args.output):
            raise Problem(
                f"--output {args.output}: is a model, whose own evaluation would be lost; name another folder"
            )
        check_compared(args.model, data, splits)
        with command.lock(args.output, "evaluation"):
            return evaluate_predictions(args, data, splits, checks)
    checks = check_model(args.model, data, splits, args.ignore_checks)
    with command.lock(args.model, "evaluation"):  # metrics.json is read, changed and written; the page shows its loops
        return evaluate_splits(args, data, splits, checks)


def check_compared(model: Path | None, data: Dataset, splits: list[str]) -> None:
    """Raise Problem where the model that is compared with has left no answers to the splits."""
    for split in splits if model else ():
        path = Predictions.path(model, split)
        if data.split(split, labelled=True) and not path.is_file():
            first = f"run evaluate.py --data {data.folder} --model {model} --split {split} first, or leave --model out"
            raise Problem(f"{path}: no such file; {first}")


def remove_leftovers(folder: Path) -> None:
    """What a killed evaluation left half-written."""
    command.remove_leftovers(folder / "report")
    command.remove_leftovers(folder, r"(?:metrics|report|(?:predictions|confusion)-[^.]*)", deep=False)


def evaluate_predictions(args, data: Dataset, splits: list[str], checks: list[str]) -> int:
    """The same for anybody's probabilities, and a comparison with --model; no network is run."""
    from signs.evaluation import foreign, report_page, shown_clips

    remove_leftovers(args.output)
    predicted, classes, account = foreign.read_predictions(args.predictions, data, splits)
    account.print(sum(len(table.clips) for table, _ in predicted.values()))
    subject = foreign.Foreign.of(args.output, classes, args.predictions, data, account)
    if "valid" in predicted and predicted["valid"][0].scored.any():
        calibrate(subject, predicted["valid"][0], args.false_alarms)
    scores = score_splits(subject, data, predicted, checks)
    outcome = Outcome(failed=list(account.failed))
    for table, missing in predicted.values():
        outcome.done += table.clips
        outcome.failed += missing
    if scored := [split for split in splits if split in scores.splits]:
        split, table = scored[-1], predicted[scored[-1]][0]
        print_scores(scores.splits, args.output)
        idle, score = shown_clips.idle_labels(classes), scores.splits[split].streams[table.fused]
        print_failures(table, score, report_page.readable_names(classes), idle)
        print_published(scores.splits[split].published)
        if args.gallery:
            chosen = shown_clips.pick_clips(table, table.fused, args.gallery, shown_clips.RIGHT, subject.calibration)
            rows = [shown_clips.describe_clip(table, index, subject.calibration, idle) for index in chosen]
            scores.splits[split].gallery = rows
        scores.write(args.output)
        report_page.write_page(subject.bundle, data.folder.resolve().name, split, scores, table)
    print(f"{LEFT if scored else 'predictions'} -> {args.output}")
    if args.model:
        with command.noting(outcome.failed, "comparison"):
            compare([args.model, args.output], scored, shared=True)
    return outcome.summary(args.output / "not_done.csv")


def evaluate_splits(args, data: Dataset, splits: list[str], checks: list[str]) -> int:
    remove_leftovers(args.model)
    load_keras()
    recogniser = Recogniser.load(args.model, runtime.KERAS)
    check_store(recogniser.bundle, data)
    predicted = predict_splits(recogniser, data, splits, args)
    scores = score_splits(recogniser, data, predicted, checks)
    outcome = Outcome()
    for table, failed in predicted.values():
        outcome.done += table.clips
        outcome.failed += failed
    scored = [split for split in splits if split in scores.splits]
    if scored:
        last = scored[-1]
        write_report(args, recogniser, data, last, predicted[last][0], scores, outcome)
    if args.baselines:
        for split in scored:
            with command.noting(outcome.failed, f"{split}: baselines"):
                baseline.print_baselines(data, shown_store(data, recogniser.bundle.spec.stored), split, args.workers)
    print(f"{LEFT if scored else 'predictions'} -> {args.model}")
    return outcome.summary()


def write_report(args, recogniser, data: Dataset, split: str, predictions: Predictions, scores, outcome) -> None:
    """metrics.json, then gallery, robustness and the page of one split; prints the tables."""
    from signs.evaluation import gallery, overview, report_page, robustness, shown_clips

    result = scores.splits[split]
    print_scores(scores.splits, args.model)
    idle, names = shown_clips.idle_labels(recogniser.classes), report_page.readable_names(recogniser.classes)
    print_failures(predictions, result.streams[predictions.fused], names, idle)
    print_published(result.published)
    scores.write(args.model)
    if args.robustness:
        with command.noting(outcome.failed, f"{split}: robustness"):
            clips = dataset.spread(data.split(split, labelled=True), args.robustness)
            result.robustness = robustness.measure_robustness(recogniser, data, clips)
            robustness.print_robustness(result.robustness, split)
    with command.noting(outcome.failed, f"{split}: part of the report"):
        output = args.model / "report"
        gallery.remove_loops(output)  # somebody may allow them no more
        if args.gallery:
            result.gallery = gallery.write_gallery(recogniser, data, predictions, output, args.gallery, args.workers)
        overview.write_overview(args.model / "report.png", recogniser, data, predictions, split)
    scores.write(args.model)
    report_page.write_page(recogniser.bundle, data.folder.resolve().name, split, scores, predictions)


def compare(folders: list[Path], splits: list[str], shared: bool = False) -> int:
    """Print evaluated models side by side, and draw what the last gained over the first; shared: on the clips that all
    of them have."""
    from signs.evaluation import comparison

    last = folders[-1]  # a folder of predictions alone will do
    bundles = [folder for folder in folders if is_bundle(folder)]
    known = {row.label: row.name for row in load_bundle(bundles[-1]).classes} if bundles else {}
    for split in splits:
        runs = comparison.load_runs(folders, split, shared)
        names = {label: known.get(label, label) for label in runs[0].predictions.labels}
        comparison.print_comparison(comparison.compare_runs(runs), split)
        comparison.write_gains(runs[0], runs[-1], names, last / f"gain-{split}.png")
    return command.DONE


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--model", type=Path, help="model folder, e.g. model/chalearn")
    flags.add_argument("--split", nargs="+", choices=dataset.SPLITS, default=["valid"], help="which clips")
    several = "print several evaluated models side by side, and what their differences are worth"
    flags.add_argument("--compare", type=Path, nargs="+", metavar="MODEL", help=several)
    foreign = "probabilities of anybody's model, .csv, .npz or .jsonl: the same report; with --model, compared with it"
    flags.add_argument("--predictions", type=Path, nargs="+", metavar="FILE", help=foreign)
    flags.add_argument("--output", type=Path, metavar="FOLDER", help="where the report on --predictions goes")
    flags.add_argument("--ignore-checks", action="store_true", help="go on though the splits share people or clips")
    share, allowed = command.number(least=0, below=1), confidence.FALSE_ALARMS
    false = (
        "of the clips without a gesture, that may get an answer; where there are none: of all, that may get a wrong one"
    )
    flags.add_argument("--false-alarms", type=share, default=allowed, metavar="SHARE", help=false)
    count = command.number(int, least=0)
    flags.add_argument("--gallery", type=count, default=12, metavar="N", help="wrong clips shown in the report")
    worse = "also recognise N clips darker, blurred, shifted, slower, recompressed and mirrored"
    flags.add_argument("--robustness", type=count, default=0, metavar="N", help=worse)
    flags.add_argument("--baselines", action="store_true", help="also what nearest class means reach on this split")
    command.add_threads(flags)
    args = flags.parse_args(argv)
    if args.predictions:
        check_foreign(flags, args)
    elif args.output:
        flags.error("--output is where the report on --predictions goes; that of a model goes to its folder")
    elif args.compare is None and not (args.data and args.model):
        flags.error("needs --data and --model, --data and --predictions, or --compare")
    if args.compare is not None and (args.model or args.data or len(args.compare) < 2):
        flags.error("--compare needs two models or more, and neither --model nor --data")
    return args


def check_foreign(flags: argparse.ArgumentParser, args: argparse.Namespace) -> None:
    """Whether the flags beside --predictions make sense."""
    if not (args.data and args.output):
        flags.error("--predictions needs --data, which has labels and people, and --output, where the report goes")
    if args.compare is not None or args.robustness or args.baselines:
        flags.error(
            "--predictions goes with --model to compare with; --compare, --robustness, --baselines need a model"
        )


def main(argv=None) -> int:
    args = parse(argv)
    return evaluate(args) if args.compare is None else compare(args.compare, args.split)


if __name__ == "__main__":
    sys.exit(command.run(main))
