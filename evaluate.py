"""Say how well a model recognises the clips of a split, how far that can be trusted, and who and what fails.

    python evaluate.py --data data_set/chalearn --model model/chalearn --split valid
    python evaluate.py --compare model/chalearn model/other --split test

in:   a model bundle and the data set's clip archives; with --compare only what earlier evaluations left
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
from signs.evaluation import baseline, calibration, findings, metrics
from signs.evaluation.metrics import Metrics
from signs.inference import confidence, runtime
from signs.inference.bundle import is_bundle, load_bundle, load_keras
from signs.inference.predictions import Predictions, titles, write_counts
from signs.inference.recogniser import Recogniser, check_store
from signs.training import refit

SHOWN = 2  # faults of the splits named in a line
WORST = 5  # signs and people named below it
Predicted = dict[str, tuple[Predictions, list]]  # {split: (its probabilities, [(clip, why it was not read), ...])}


def check_model(folder: Path, data: Dataset, splits: list[str], ignored: bool) -> list[str]:
    """What is wrong with the splits, a line each; raises Problem with it unless it is to be ignored, and where clips
    have a label that the model does not know."""
    model = load_bundle(folder)
    unknown = {item.label for item in data.split(*splits) if item.label} - {row.label for row in model.classes}
    if unknown:
        raise Problem(
            f"{data.folder}: label {min(unknown)} is not among the classes of {folder}; "
            "evaluate on data with the model's own class table"
        )
    leaks, notes = leakage.find_leaks(data, splits, shown_store(data, model.spec.stored))
    if "valid" in splits and refit.learnt_from_valid(model):
        raise Problem(
            f"{folder}: has learnt from the validation clips (--refit), which say nothing of it any more; --split test"
        )
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
    limit = "none" if learnt.threshold is None else f"{learnt.threshold:.1%}"
    used = "as learnt" if learnt.weights else "alike"
    print(
        f"calibrated on valid: temperature {learnt.temperature:.2f}, rejection below {limit}, streams weighted {used}"
    )


def write_confusions(folder: Path, split: str, predictions: Predictions, names: list[str]) -> None:
    """A table and a picture of each stream."""
    from signs.evaluation import plots

    for stream, title in titles(predictions.streams).items():
        counts = predictions.confusion(stream)
        path = folder / f"confusion-{split}-{stream}.csv"
        write_counts(path, counts, predictions.labels)
        plots.write_confusion(counts, names, f"{title}, {split}", path.with_suffix(".png"))


def print_scores(results: dict, folder: Path) -> None:
    """Table 1's shape: inputs by row, splits by column; percent."""
    splits = [split for split in dataset.SPLITS if split in results]
    heads, rows = ["input"], []
    for split in splits:
        first = next(iter(results[split].streams.values()))
        heads += [f"{split} top-1\n{first['groups']} {first['over']}", f"{split} top-5"]
    for stream, title in titles(results[splits[0]].streams).items():
        rows.append([title])
        for split in splits:
            score = results[split].streams[stream]
            low, high = score["intervals"]["top1"]
            top1 = f"{100 * score['top1']:.2f} {100 * low:.0f}-{100 * high:.0f}"
            rows[-1] += [top1, f"{100 * score['top5']:.2f}"]
    command.print_table(heads, rows, f"{folder}: accuracy in percent, 95 % intervals")


def print_failures(score: dict, names: dict[str, str]) -> None:
    """Who and what is recognised worst, one line each."""
    classes = sorted((row for row in score["classes"] if row["clips"]), key=lambda row: row["recall"])
    signs = [(names[row["label"]], row) for row in classes]
    people = [(row["signer"], row) for row in score["signers"]] if len(score["signers"]) > 1 else []
    for title, rows in (("signs", signs), ("people", people)):
        worst = [f"{name} {row['right']}/{row['clips']}" for name, row in rows if row["right"] < row["clips"]]
        if worst:
            print(command.one_line(f"worst {title}: {', '.join(worst[:WORST])}"))


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
    return {split: (stored_clips.with_fused(table, weights), failed[split]) for split, table in tables.items()}


def score_splits(recogniser, data: Dataset, predicted: Predicted, checks: list[str]) -> Metrics:
    """Write the probabilities and confusions of every split; returns the scores, earlier splits included."""
    folder, learnt = recogniser.bundle.folder, recogniser.calibration
    results = metrics.measure_earlier(recogniser, data, list(predicted))
    for split, (table, failed) in predicted.items():
        table.write(Predictions.path(folder, split))
        if table.scored.any():
            measured = metrics.measure_split(recogniser, table, metrics.identity(data), checks, failed)
            results[split] = replace(measured, training=findings.count_training(data))
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
    checks = check_model(args.model, data, splits, args.ignore_checks)
    with command.lock(args.model, "evaluation"):  # metrics.json is read, changed and written; the page shows its loops
        return evaluate_splits(args, data, splits, checks)


def evaluate_splits(args, data: Dataset, splits: list[str], checks: list[str]) -> int:
    command.remove_leftovers(args.model / "report")
    command.remove_leftovers(args.model, r"(?:metrics|report|(?:predictions|confusion)-[^.]*)", deep=False)
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
    print(f"report/index.html, metrics.json, predictions -> {args.model}" if scored else f"predictions -> {args.model}")
    return outcome.summary()


def write_report(args, recogniser, data: Dataset, split: str, predictions: Predictions, scores, outcome) -> None:
    """metrics.json, then gallery, robustness and the page of one split; prints the tables."""
    from signs.evaluation import gallery, overview, report_page, robustness

    result = scores.splits[split]
    print_scores(scores.splits, args.model)
    print_failures(result.streams[predictions.fused], report_page.readable_names(recogniser.classes))
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


def compare(folders: list[Path], splits: list[str]) -> int:
    """Print evaluated models side by side, and draw what the last gained over the first."""
    from signs.evaluation import comparison

    last = folders[-1]  # a folder of predictions alone will do
    known = {row.label: row.name for row in load_bundle(last).classes} if is_bundle(last) else {}
    for split in splits:
        runs = comparison.load_runs(folders, split)
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
    if args.compare is None and not (args.data and args.model):
        flags.error("needs --data and --model, or --compare")
    if args.compare is not None and (args.model or args.data or len(args.compare) < 2):
        flags.error("--compare needs two models or more, and neither --model nor --data")
    return args


def main(argv=None) -> int:
    args = parse(argv)
    return evaluate(args) if args.compare is None else compare(args.compare, args.split)


if __name__ == "__main__":
    sys.exit(command.run(main))
