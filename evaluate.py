"""Say how well a model recognises the clips of a split, how far that can be trusted, and who and what fails.

    python evaluate.py --data data_set/chalearn --model model/chalearn --split valid
    python evaluate.py --compare model/chalearn model/other --split test

in:   a model bundle, and the data set's clip archives; with --compare what earlier evaluations left, nothing else
out:  model/<run>/report/index.html         everything below to look at: tables, curves, loops of clips that fail
      model/<run>/metrics.json              every number of it, of all splits evaluated so far
      model/<run>/calibration.json          fusion weights, temperature, rejection threshold (with --split valid)
      model/<run>/predictions-<split>.csv   a row per clip and stream, a probability per class
      model/<run>/confusion-<split>-<stream>.csv and .png, report.png
      with --compare, in the last model's folder: gain-<split>.csv and .png, which classes gained and which lost

Before any number the splits are checked: no person, group or clip in two of them, no class without training clips.
Intervals are over signers where they are known. The table has the shape of Table 1 of Sarhan & Frintrop (2020).
Nothing is to be chosen on the test split: evaluate it once for a model that is reported. Clips without a label are
predicted and not scored.
"""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset, load_dataset
from signs.command import Outcome, Problem
from signs.inference import confidence
from signs.inference.predictions import BOTH, Predictions, titles, write_counts

TOP = (1, 5)  # of the printed table


def check_model(folder: Path, data: Dataset, splits: list[str], ignored: bool) -> list[str]:
    """What is wrong with the splits; raises Problem with it unless it is to be ignored, and where clips have a label
    that the model does not know."""
    from signs.clips import leakage
    from signs.inference.bundle import load_bundle
    from signs.training import refit

    model = load_bundle(folder)
    unknown = {item.label for item in data.split(*splits) if item.label} - {row.label for row in model.classes}
    if unknown:
        raise Problem(
            f"{data.folder}: label {min(unknown)} is not among the classes of {folder}; "
            "evaluate on data with the model's own class table"
        )
    store = model.spec.stored.frame_store
    found = leakage.find_leaks(data, splits, store if store in data.stores("frame") else None)
    if "valid" in splits and refit.learnt_from_valid(model):
        raise Problem(
            f"{folder}: has learnt from the validation clips (--refit), which say nothing of it any more; --split test"
        )
    if found and not ignored:
        raise Problem(
            f"{data.folder}: the splits give numbers that mean nothing: {'; '.join(found)}. Split the data "
            "again, or say --ignore-checks, which the report will show"
        )
    for line in found:
        print(f"CHECK OVERRIDDEN: {line}")
    return found


def no_gesture(recogniser) -> set[str]:
    """Labels of the classes that are none."""
    return {row.label for row in recogniser.classes if row.kind == "none"}


def calibrate(recogniser, predictions: Predictions, rate: float):
    """Learn calibration.json from the validation clips; returns the recogniser that uses it."""
    from signs.evaluation import calibration

    names = [stream.name for stream in recogniser.bundle.streams]
    found = calibration.fit(predictions, names, no_gesture(recogniser), rate, recogniser.bundle.hashes)
    found.write(recogniser.bundle.folder)
    limit = "none" if found.threshold is None else f"{found.threshold:.1%}"
    used = "as learnt" if found.weights else "alike"
    print(f"calibrated on valid: temperature {found.temperature:.2f}, rejection below {limit}, streams weighted {used}")
    return type(recogniser)(recogniser.bundle, recogniser.networks)


def numbers(recogniser, predictions: Predictions) -> dict:
    """What metrics.json holds of one split's probabilities."""
    from signs.evaluation import calibration, scores
    from signs.inference.confidence import Calibration

    fused, learnt = predictions.fused, recogniser.calibration
    found = {
        "clips": int(predictions.scored.sum()),
        "classes": len(predictions.labels),
        "unlabelled": int((~predictions.scored).sum()),
        "rejection": calibration.alarms(learnt, predictions, fused, no_gesture(recogniser)),
    }
    for stream in predictions.streams:
        # The temperature is that of the fused answers.
        own = learnt if stream == fused else Calibration()
        found[stream] = {
            **scores.score(predictions, stream),
            "calibration": calibration.measure(own, predictions, stream),
        }
    if fused == BOTH:
        drawn = scores.draw(predictions.signers)
        found["gains"] = {
            stream: scores.difference(predictions.hits(BOTH), predictions.hits(stream), drawn).to_json()
            for stream in predictions.streams
            if stream != BOTH
        }
    return found


def earlier(recogniser, data: Dataset, splits: list[str]) -> dict:
    """metrics.json of earlier evaluations, for the splits that are not evaluated now: their probabilities stay, what is
    made of them with the calibration is made anew. What belongs to other weights or other data is left out."""
    from signs.evaluation import report_page
    from signs.inference import stored_clips

    folder, kept = recogniser.bundle.folder, {}
    found = report_page.read_metrics(folder, recogniser.bundle.hashes)
    for split in set(dataset.SPLITS) & found.keys() - set(splits):
        if found[split]["data"] != identity(data):
            print(f"{split}: of other data ({found[split]['data']['name']}); its numbers are left out of the report")
            continue
        table = stored_clips.with_both(
            Predictions.read(Predictions.path(folder, split), split), recogniser.calibration.weights
        )
        table.write(Predictions.path(folder, split))
        kept[split] = {**found[split], **numbers(recogniser, table)}
    return kept


def identity(data: Dataset) -> dict:
    """What tells a data set, and its splits, from others."""
    return {"name": data.folder.resolve().name, "clips": command.sha256(data.folder / "clips.csv")}


def write_confusion(folder: Path, split: str, predictions: Predictions, names: list[str]) -> None:
    from signs.evaluation import plots

    for stream in predictions.streams:
        counts = predictions.confusion(stream)
        path = folder / f"confusion-{split}-{stream}.csv"
        write_counts(path, counts, predictions.labels)
        plots.confusion(counts, names, f"{titles(predictions.streams)[stream]}, {split}", path.with_suffix(".png"))


def print_table(metrics: dict, folder: Path) -> None:
    """Table 1's shape: inputs by row, splits by column; percent."""
    from rich import console, table

    splits = [split for split in dataset.SPLITS if split in metrics]
    shown = table.Table(title=f"{folder}: accuracy in percent, 95 % intervals", title_justify="left")
    shown.add_column("input", no_wrap=True)
    for split in splits:
        first = metrics[split][next(iter(titles(metrics[split])))]
        over = f"\n{first['groups']} {first['over']}"
        for k in TOP:
            shown.add_column(f"{split} top-{k}" + over * (k == 1), justify="right", no_wrap=True)
    for stream, title in titles({name for split in splits for name in metrics[split]}).items():
        cells = []
        for found in (metrics[split].get(stream) for split in splits):
            low, high = found["intervals"]["top1"] if found else (0, 0)
            cells += (
                [f"{100 * found['top1']:.2f} {100 * low:.0f}-{100 * high:.0f}", f"{100 * found['top5']:.2f}"]
                if found
                else ["-", "-"]
            )
        shown.add_row(title, *cells)
    console.Console().print(shown)


def print_failures(found: dict, stream: str, names: dict[str, str]) -> None:
    """Who and what is recognised worst, one line each."""
    rows = [row for row in found[stream]["classes"] if row["right"] < row["clips"]]
    signs = sorted(rows, key=lambda row: row["recall"])[:5]
    if signs:
        print("worst signs: " + ", ".join(f"{names[row['label']]} {row['right']}/{row['clips']}" for row in signs))
    people = [row for row in found[stream]["signers"] if row["right"] < row["clips"]][:5]
    if len(found[stream]["signers"]) > 1 and people:
        print("worst people: " + ", ".join(f"{row['signer']} {row['right']}/{row['clips']}" for row in people))


def print_baselines(data: Dataset, store: str, split: str, workers: int) -> None:
    """What nearest class means reach without seeing any movement in order; near chance where the data gives nothing
    away, far above it where place, clothes or the amount of motion betray the sign."""
    from signs.evaluation import baseline

    train, clips = data.split("train", labelled=True), data.split(split, labelled=True)
    if not train or not clips:
        return
    found = baseline.nearest_class_mean(data, store, train, clips, workers)
    chance = 1 / len({item.label for item in clips})
    print(
        f"nearest class mean on {split}: average frame {found['frame']:.1%}, "
        f"average absolute frame difference {found['difference']:.1%} (chance {chance:.1%})"
    )


def load(folder: Path, data: Dataset):
    """The recogniser of a model, checked to fit the data's archives."""
    from signs.inference.bundle import load_keras

    load_keras()
    from signs.inference import runtime
    from signs.inference.recogniser import Recogniser, check_store

    recogniser = Recogniser.load(folder, runtime.KERAS)
    check_store(recogniser.bundle, data)
    return recogniser


def evaluate(args) -> int:
    """Evaluate some splits, write every file and print the table; returns the exit code."""
    data = load_dataset(args.data)
    splits = [split for split in dataset.SPLITS if split in args.split]
    empty = [split for split in splits if not data.split(split)]
    if empty:
        raise Problem(f"{data.folder}/clips.csv: no clip in the split {empty[0]}")
    checked = check_model(args.model, data, splits, args.ignore_checks)
    recogniser = load(args.model, data)
    from signs.inference import stored_clips

    outcome, tables, failed = Outcome(), {}, {}
    for split in splits:
        tables[split], failed[split] = stored_clips.predict(
            recogniser, data, data.split(split), args.batch, args.workers
        )
        outcome.done += tables[split].clips
        outcome.failed += failed[split]
    if "valid" in tables and tables["valid"].scored.any():
        recogniser = calibrate(recogniser, tables["valid"], args.false_alarms)
    learnt = recogniser.calibration
    metrics = {
        "model": recogniser.bundle.hashes,
        "calibration": asdict(learnt) if learnt.about else None,
        **earlier(recogniser, data, splits),
    }
    for split in splits:
        tables[split] = stored_clips.with_both(tables[split], learnt.weights)
        tables[split].write(Predictions.path(args.model, split))
        if tables[split].scored.any():
            missing = [list(pair) for pair in failed[split]]
            metrics[split] = {
                "data": identity(data),
                "checks": checked,
                "failed": missing,
                **numbers(recogniser, tables[split]),
            }
            write_confusion(args.model, split, tables[split], [row.name for row in recogniser.classes])
        else:
            print(f"{len(tables[split].clips)} clips predicted, none scored: {split} has no labels")
    scored = [split for split in splits if split in metrics]
    if scored:
        report(args, recogniser, data, scored[-1], tables[scored[-1]], metrics, outcome)
    if args.baselines:
        for split in scored:
            print_baselines(data, recogniser.bundle.spec.stored.frame_store, split, args.workers)
    print(f"report/index.html, metrics.json, predictions -> {args.model}" if scored else f"predictions -> {args.model}")
    return outcome.summary()


def report(args, recogniser, data, split: str, predictions: Predictions, metrics: dict, outcome) -> None:
    """metrics.json, then the gallery and the robustness table, and the page of one split; prints the tables."""
    from signs.evaluation import gallery, plots, report_page, robustness

    print_table(metrics, args.model)
    print_failures(metrics[split], predictions.fused, report_page.readable(recogniser.classes))
    write_metrics(args.model, metrics)
    try:
        if args.robustness:
            clips = dataset.spread(data.split(split, labelled=True), args.robustness)
            metrics[split]["robustness"] = robustness.measure(recogniser, data, clips)
            robustness.show(metrics[split]["robustness"], split)
        if args.gallery:
            metrics[split]["gallery"] = gallery.make(
                recogniser,
                data,
                predictions,
                args.model / "report",
                args.gallery,
                args.neighbours,
                args.batch,
                args.workers,
            )
        plots.draw_report(args.model / "report.png", recogniser, data, predictions, split)
    except Problem as problem:
        outcome.failed.append((f"{split}: part of the report", str(problem)))
    write_metrics(args.model, metrics)
    report_page.write(recogniser.bundle, data.folder.resolve().name, split, metrics, predictions)


def write_metrics(folder: Path, metrics: dict) -> None:
    with command.atomic(folder / "metrics.json") as temporary:
        temporary.write_text(json.dumps(metrics, indent=1, allow_nan=False) + "\n")


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--model", type=Path, help="model folder, e.g. model/chalearn")
    flags.add_argument("--split", nargs="+", choices=dataset.SPLITS, default=["valid"], help="which clips")
    flags.add_argument(
        "--compare",
        type=Path,
        nargs="+",
        metavar="MODEL",
        help="print several evaluated models side by side, and what their differences are worth",
    )
    flags.add_argument("--ignore-checks", action="store_true", help="go on though the splits share people or clips")
    flags.add_argument(
        "--false-alarms",
        type=float,
        default=confidence.FALSE_ALARMS,
        metavar="SHARE",
        help="of the clips without a gesture, that may get an answer; where there are none: of all, "
        "that may get a wrong one",
    )
    flags.add_argument("--gallery", type=int, default=12, metavar="N", help="wrong clips shown in the report")
    flags.add_argument(
        "--neighbours",
        type=int,
        default=500,
        metavar="N",
        help="training clips among which the nearest of each shown clip is looked for",
    )
    flags.add_argument(
        "--robustness",
        type=int,
        default=0,
        metavar="N",
        help="also recognise N clips darker, blurred, shifted, slower, recompressed and mirrored",
    )
    flags.add_argument("--batch", type=int, default=4, metavar="N", help="clips a step; results do not depend on it")
    flags.add_argument("--baselines", action="store_true", help="also what nearest class means reach on this split")
    command.add_threads(flags)
    args = flags.parse_args(argv)
    if args.compare is None and not (args.data and args.model):
        flags.error("needs --data and --model, or --compare")
    if args.compare is not None and (args.model or args.data or len(args.compare) < 2):
        flags.error("--compare needs two models or more, and neither --model nor --data")
    if not 0 <= args.false_alarms < 1:
        raise Problem(f"--false-alarms {args.false_alarms:g}: a share, at least 0 and below 1")
    for name in ("gallery", "neighbours", "robustness"):
        if getattr(args, name) < 0:
            raise Problem(f"--{name} {getattr(args, name)}: at least 0")
    return args


def main(argv=None) -> int:
    args = parse(argv)
    if args.compare is None:
        return evaluate(args)
    from signs.evaluation import comparison
    from signs.inference.bundle import is_bundle, load_bundle

    last = args.compare[-1]  # a folder of predictions alone will do
    known = {row.label: row.name for row in load_bundle(last).classes} if is_bundle(last) else {}
    for split in args.split:
        runs = comparison.load_runs(args.compare, split)
        names = {label: known.get(label, label) for label in runs[0].predictions.labels}
        comparison.show(comparison.compare(runs), split)
        comparison.draw(runs[0], runs[-1], names, last / f"gain-{split}.png")
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
