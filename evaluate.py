"""Say how well a model recognises the clips of a split: RGB, flow and both streams averaged.

    python evaluate.py --data data_set/chalearn --model model/chalearn --split valid

in:   a model bundle, and the data set's clip archives
out:  model/<run>/predictions-<split>.csv   a row per clip and stream, a probability per class
      model/<run>/metrics.json              top-1 and top-5 of every split evaluated so far
      model/<run>/confusion-<split>-<stream>.csv and .png
      model/<run>/report.png                frames, flow and probabilities of some clips, and the training curves

The table has the shape of Table 1 of Sarhan & Frintrop (2020). Nothing is to be chosen on the test split: evaluate it
once for a model that is reported. Clips without a label are predicted and not scored.
"""

import json
import sys
from pathlib import Path

import command
from command import Problem

import numpy as np

import dataset
from predictions import BOTH, TITLES, Predictions, fuse, softmax

TOP = (1, 5)


def _inputs(recogniser, data: dataset.Dataset, item: dataset.Clip):
    """({stream: (views, T, crop, crop, C) float32}, None), or (None, why not)."""
    import clip
    from datagenerator import store_of

    inputs, spec = {}, recogniser.bundle.spec
    try:
        for stream in recogniser.bundle.streams:
            path = item.archive(data.folder, store_of(spec.stored, stream.modality))
            archive = clip.read_archive(path)
            inputs[stream.name] = recogniser.input(stream, archive.images, archive.square)
    except Problem as problem:
        return None, str(problem)
    return inputs, None


def predict(recogniser, data: dataset.Dataset, clips: list[dataset.Clip], batch: int, workers: int):
    """Probabilities of stored clips: (Predictions, [(clip, why it was left out), ...])."""
    import joblib

    loaded = joblib.Parallel(n_jobs=workers, prefer="threads", return_as="generator")(
        joblib.delayed(_inputs)(recogniser, data, item) for item in clips
    )
    streams = {stream.name: stream for stream in recogniser.bundle.streams}
    logits, waiting, kept, failed = {name: [] for name in streams}, [], [], []
    with command.progress() as bar:
        task = bar.add_task("predict", total=len(clips))
        for item, (inputs, reason) in zip(clips, loaded, strict=True):
            if reason:
                failed.append((item.clip, reason))
            else:
                kept.append(item)
                waiting.append(inputs)
            if waiting and (len(waiting) == batch or item is clips[-1]):
                for name, stream in streams.items():
                    logits[name].append(recogniser.logits(stream, np.concatenate([row[name] for row in waiting])))
                waiting = []
            bar.advance(task)
    if not kept:
        raise Problem(f"no clip could be read; the first: {failed[0][1]}")
    probabilities = {name: softmax(np.concatenate(rows)) for name, rows in logits.items()}
    if len(probabilities) > 1:
        probabilities[BOTH] = fuse(probabilities)
    return Predictions(kept, recogniser.labels, probabilities), failed


def write_confusion(folder: Path, split: str, predictions: Predictions, names: list[str]) -> None:
    import plot

    for stream in predictions.streams:
        counts = predictions.confusion(stream)
        path = folder / f"confusion-{split}-{stream}.csv"
        rows = [{"true": label, **dict(zip(predictions.labels, row, strict=True))}
                for label, row in zip(predictions.labels, counts, strict=True)]
        dataset.write_table(path, rows, ["true", *predictions.labels])
        plot.confusion(counts, names, f"{TITLES.get(stream, stream)}, {split}", path.with_suffix(".png"))


def update_metrics(folder: Path, split: str, predictions: Predictions) -> dict:
    """Write this split's numbers into metrics.json; returns those of all splits."""
    path = folder / "metrics.json"
    metrics = json.loads(path.read_text()) if path.exists() else {}
    metrics[split] = {"clips": int(predictions.scored.sum()), "classes": len(predictions.labels)}
    for stream in predictions.streams:
        metrics[split][stream] = {f"top{k}": predictions.top(stream, k) for k in TOP}
    with command.atomic(path) as temporary:
        temporary.write_text(json.dumps(metrics, indent=1) + "\n")
    return metrics


def print_table(metrics: dict, folder: Path) -> None:
    """Table 1's shape: inputs by row, splits by column; percent."""
    from rich import console, table

    splits = [split for split in dataset.SPLITS if split in metrics]
    shown = table.Table(title=f"{folder}: accuracy in percent", title_justify="left")
    shown.add_column("input")
    for split in splits:
        clips = metrics[split]["clips"]
        for k in TOP:
            shown.add_column(f"{split} top-{k}" + (f"\n{clips} clips" if k == 1 else ""), justify="right")
    for stream, title in TITLES.items():
        cells = [f"{100 * metrics[split][stream][f'top{k}']:.2f}" if stream in metrics[split] else "-"
                 for split in splits for k in TOP]
        if set(cells) != {"-"}:
            shown.add_row(title, *cells)
    console.Console().print(shown)


def print_baselines(data: dataset.Dataset, store: str, split: str, workers: int) -> None:
    """What nearest class means reach without seeing any movement in order; near chance where the data gives nothing
    away, far above it where place, clothes or the amount of motion betray the sign."""
    import baseline

    train, clips = data.split("train", labelled=True), data.split(split, labelled=True)
    if not train or not clips:
        return
    found = baseline.nearest_class_mean(data, store, train, clips, workers)
    chance = 1 / len({item.label for item in clips})
    print(f"nearest class mean on {split}: average frame {found['frame']:.1%}, "
          f"average absolute frame difference {found['difference']:.1%} (chance {chance:.1%})")


def evaluate(folder: Path, data: dataset.Dataset, splits: list[str], batch: int, workers: int, baselines: bool) -> int:
    """Evaluate some splits, write every file and print the table; returns the exit code."""
    empty = [split for split in splits if not data.split(split)]
    if empty:
        raise Problem(f"{data.folder}/clips.csv: no clip in the split {empty[0]}")
    import bundle

    bundle.load_keras()
    from recogniser import Recogniser, check_store

    recogniser = Recogniser.load(folder)
    unknown = {item.label for item in data.split(*splits) if item.label} - set(recogniser.labels)
    if unknown:
        raise Problem(f"{data.folder}: label {min(unknown)} is not among the classes of {folder}; "
                      "evaluate on data with the model's own class table")
    check_store(recogniser.bundle, data)
    outcome, metrics = command.Outcome(), {}
    for split in splits:
        predictions, failed = predict(recogniser, data, data.split(split), batch, workers)
        outcome.done += predictions.clips
        outcome.failed += failed
        metrics = write_results(recogniser, data, split, predictions) or metrics
    if metrics:
        print_table(metrics, folder)
    if baselines:
        for split in splits:
            print_baselines(data, recogniser.bundle.spec.stored.frame_store, split, workers)
    print(f"{'predictions, confusion matrices and report.png' if metrics else 'predictions'} -> {folder}")
    return outcome.summary()


def write_results(recogniser, data: dataset.Dataset, split: str, predictions: Predictions) -> dict | None:
    """Write all files of one split; returns the metrics of every split so far, or None where nothing was scored."""
    folder = recogniser.bundle.folder
    predictions.write(predictions.path(folder, split))
    if not predictions.scored.any():
        print(f"{len(predictions.clips)} clips predicted, none scored: {split} has no labels")
        return None
    import plot

    write_confusion(folder, split, predictions, [row.name for row in recogniser.classes])
    plot.report(folder / "report.png", recogniser, data, predictions, split)
    return update_metrics(folder, split, predictions)


def main(argv=None) -> int:
    flags = command.parser(__doc__)
    flags.add_argument("--data", type=Path, required=True, help="data set folder, e.g. data_set/chalearn")
    flags.add_argument("--model", type=Path, required=True, help="model folder, e.g. model/chalearn")
    flags.add_argument("--split", nargs="+", choices=dataset.SPLITS, default=["valid"], help="which clips")
    flags.add_argument("--batch", type=int, default=4, metavar="N", help="clips a step; results do not depend on it")
    flags.add_argument("--baselines", action="store_true", help="also what nearest class means reach on this split")
    command.add_threads(flags)
    args = flags.parse_args(argv)
    return evaluate(args.model, dataset.load(args.data), args.split, args.batch, args.workers, args.baselines)


if __name__ == "__main__":
    sys.exit(command.run(main))
