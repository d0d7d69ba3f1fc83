"""Draw the figures and the table of Sarhan & Frintrop (2020) for a trained and evaluated model.

    python paper_report.py --model model/chalearn --compare model/kinetics-alone model/random --split valid

in:   model/<run>: bundle.json, log.csv, valid/ (train_i3d.py), predictions-<split>.csv (evaluate.py); for figure 4 the
      data set's frames
out:  model/<run>/report/training.png  accuracy and loss by epoch, training and validation
      model/<run>/report/figure3.png   validation accuracy by epoch: RGB, flow and their mean
      model/<run>/report/figure4.png   frames: a sign by different people, like signs told apart, signs most often
                                       mistaken for each other
      model/<run>/report/figure5.png   with --compare: start weights side by side
      model/<run>/report/table1.md     top-1 beside published results, validation and test apart
      model/<run>/report/published.md  of a public set of prepare_videos.py: what others published on it, and ours

No network is run. A column of table 1 is filled where the predictions of that split are there. Figures 4 and 5 are of
--split, figure 3 is always of the validation clips. Published results stand in the table where the classes are
ChaLearn's 249.
"""

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

from signs import command
from signs.clips import storage
from signs.clips.dataset import Dataset, Label, load_dataset
from signs.command import Problem
from signs.evaluation import paper_table, published
from signs.evaluation.paper_examples import Examples, Shown
from signs.evaluation.paper_table import PAPER_SPLITS, Row
from signs.inference.bundle import BUNDLE_FILE, Bundle, load_bundle
from signs.inference.predictions import BOTH, TITLES, Predictions
from signs.training import refit
from signs.training.log import Log, mean_by_epoch

STREAMS = ["rgb", "flow"]
RIGHT, PAIRS = 2, 6  # rows of figure 4 with recognised clips, of each kind, and with mistaken ones
STARTS = {
    "kinetics": "ImageNet + Kinetics",
    "kinetics-scratch": "Kinetics alone",
    "kinetics-600": "Kinetics-600 alone",
    "kinetics-hub": "Kinetics, of TF-Hub",
    "none": "random start",
}


@dataclass(frozen=True)
class Run:
    """A model folder, and what evaluate.py left in it: {split: Predictions}."""

    bundle: Bundle
    predictions: dict[str, Predictions]

    @property
    def folder(self) -> Path:
        return self.bundle.folder

    @property
    def start(self) -> str:
        """Which weights it started from, readable."""
        weights = self.bundle.about.get("flags", {}).get("weights") or ""
        return STARTS.get(weights, Path(weights).name) or self.folder.name


def load_run(folder: Path, split: str) -> Run:
    """Raises Problem where a stream, the predictions of `split` or their classes are not those of the bundle."""
    bundle = load_bundle(folder)
    streams = [stream.name for stream in bundle.streams]
    if missing := [name for name in STREAMS if name not in streams]:
        raise Problem(
            f"{folder}: no stream {' and '.join(missing)} in it, and the report is of both; "
            f"run train_i3d.py --stream {missing[0]} --output {folder}"
        )
    if more := [name for name in streams if name not in STREAMS]:
        what = f"sees {' and '.join(more)} too, and the report is of RGB and flow"
        raise Problem(f"{folder}: {what}; report a model of these two, and this one with evaluate.py")
    tables, labels = {}, [row.label for row in bundle.classes]
    for name in PAPER_SPLITS:
        path = Predictions.path(folder, name)
        if name != split and not path.exists():
            continue
        table = Predictions.read(path, name)
        if table.labels != labels or table.streams.keys() != {*STREAMS, BOTH}:
            raise Problem(
                f"{path}: has other classes or streams than {BUNDLE_FILE}; "
                f"run evaluate.py --data ... --model {folder} --split {name} again"
            )
        if table.scored.any():
            tables[name] = table
    if split not in tables:
        raise Problem(f"{Predictions.path(folder, split)}: no clip in it has a label, so there is nothing to report")
    return Run(bundle, tables)


def check_same(run: Run, other: Run) -> None:
    """Raise Problem where two runs have other classes, or other clips of a split that both have."""
    if run.bundle.classes != other.bundle.classes:
        raise Problem(
            f"{other.folder}: has other classes than {run.folder} ({len(other.bundle.classes)} and "
            f"{len(run.bundle.classes)}); compare runs on the same data set"
        )
    for split in run.predictions.keys() & other.predictions.keys():
        ours, theirs = ({(item.clip, item.label) for item in one.predictions[split].clips} for one in (run, other))
        if ours != theirs:
            raise Problem(
                f"{Predictions.path(other.folder, split)}: {len(theirs - ours)} clips that {run.folder} does not "
                f"have, and {len(ours - theirs)} the other way round; evaluate both on the same data set"
            )


def load_runs(model: Path, compare: list[Path], split: str) -> list[Run]:
    """The run that is reported first, then those beside it, each once."""
    folders = list({folder.resolve(): folder for folder in (model, *compare)}.values())
    if compare and len(folders) == 1:
        raise Problem(f"--compare {compare[0]}: that is --model itself; name other runs")
    runs = [load_run(folder, split) for folder in folders]
    for other in runs[1:]:
        check_same(runs[0], other)
    return runs


def mean_accuracy_by_epoch(run: Run) -> list[float]:
    """Validation accuracy of both streams' averaged probabilities after each epoch; raises Problem where the log does
    not tell it."""
    log = Log(run.folder / "log.csv")
    if missing := [stream for stream in STREAMS if not log.rows_of(stream)]:
        raise Problem(
            f"{log.path}: no epoch of {' and '.join(missing)} in it; figure 3 needs the log that "
            "train_i3d.py writes there"
        )
    if refit.learnt_from_valid(run.bundle):
        raise Problem(
            f"{run.folder}: has learnt from the validation clips (--refit), of which figure 3 is; report on "
            "the model that it was made of"
        )
    return mean_by_epoch(run.folder, STREAMS)


def readable_name(row: Label) -> str:
    """`026 Madonna (ItalianGestures)`: label, readable name, and the vocabulary where the table has one."""
    name = row.name.replace("_", " ").strip()
    vocabulary = row.extra.get("vocabulary", "")
    return (row.label if name in ("", row.label) else f"{row.label} {name}") + f" ({vocabulary})" * bool(vocabulary)


def chosen_examples(run: Run, data: Dataset, split: str) -> dict[str, list[Shown]]:
    """What `paper_figures.write_figure4` draws: {heading: pairs of clips}, without headings of none."""
    from signs.evaluation import plots

    store, names = run.bundle.spec.stored.frame_store, [readable_name(row) for row in run.bundle.classes]
    lying = {item.clip: item for item in data.clips}  # a table of predictions does not say where a clip lies

    def read(item):
        item = lying.get(item.clip, item)
        return storage.read_archive(item.archive(data.folder, store)).images if item.may_be_shown else None

    examples = Examples(run.predictions[split], BOTH, plots.legible(names), read)
    parts = {
        "The same sign by different people, recognised": examples.people(RIGHT),
        "Like signs told apart: likely for each other, never mistaken": examples.apart(RIGHT),
        "Most often mistaken for each other": examples.confused(PAIRS, data.split(split, "train")),
    }
    return {heading: rows for heading, rows in parts.items() if rows}


def find_data(run: Run, folder: Path | None) -> Dataset:
    """The data set in `folder`, or where the model says; raises Problem where there is none."""
    folder = folder or Path("data_set") / run.bundle.about.get("data", {}).get("folder", "")
    if not (folder / "clips.csv").exists():
        raise Problem(f"{folder}: no data set there; figure 4 shows frames of it, so name it with --data")
    return load_dataset(folder)


def table_rows(runs: list[Run]) -> tuple[list[Row], list[str]]:
    """Table 1's rows, by input, and the notes below it; published rows only beside ChaLearn's 249 classes."""
    rows, notes = [], []
    comparable = [row.label for row in runs[0].bundle.classes] == paper_table.LABELS
    if comparable:
        rows += paper_table.PUBLISHED
        notes.append("Rows marked `later` were published after the paper; they see RGB alone.")
    else:
        notes.append(
            f"The {len(runs[0].bundle.classes)} classes of this model are not ChaLearn's 249: published rows "
            "are left out, as they would be no comparison."
        )
    for run in runs:
        for stream in (*STREAMS, BOTH):
            percent = {split: f"{100 * table.top(stream, 1):.2f}" for split, table in run.predictions.items()}
            rows.append(Row(f"ours: {run.folder.name}, {run.start}", stream, **percent, ours=True))
    for split, table in runs[0].predictions.items():
        clips, whole = int(table.scored.sum()), paper_table.CLIPS[split]
        other = f", the published numbers over {whole:,}" if comparable and clips != whole else ""
        notes.append(f"Ours, {PAPER_SPLITS[split]}: over {clips:,} clips{other}.")
    return sorted(rows, key=lambda row: list(TITLES).index(row.stream)), notes


def write_figures(runs: list[Run], mean: list[float], examples: dict, split: str, output: Path) -> list[str]:
    """Write the training's curves, figure 3 and, where there is something to show, 4 and 5; returns their names."""
    from signs.evaluation import curves, paper_figures

    run, written = runs[0], ["training.png", "figure3.png"]
    where = f"{PAPER_SPLITS[split]}, {int(run.predictions[split].scored.sum()):,} clips"
    log = Log(run.folder / "log.csv")
    curves.write_training(log, STREAMS, output / "training.png")
    paper_figures.write_figure3(log, STREAMS, mean, output / "figure3.png")
    if examples:
        paper_figures.write_figure4(examples, where, output / "figure4.png")
        written.append("figure4.png")
    else:
        (output / "figure4.png").unlink(missing_ok=True)
        print(f"no figure 4: of {where} none was mistaken, and no two can be set side by side")
    if len(runs) > 1:
        names = [f"{one.start}\n{one.folder.name}" for one in runs]
        shares = [{stream: one.predictions[split].top(stream, 1) for stream in (*STREAMS, BOTH)} for one in runs]
        paper_figures.write_figure5(names, shares, where, output / "figure5.png")
        written.append("figure5.png")
    return written


def parse(argv=None) -> argparse.Namespace:
    flags = command.parser(__doc__)
    flags.add_argument("--model", type=Path, required=True, help="model folder, e.g. model/chalearn")
    others = "other runs on the same data, e.g. from other start weights: figure 5 and rows of table 1"
    flags.add_argument("--compare", type=Path, nargs="+", default=[], metavar="MODEL", help=others)
    once = "of figures 4 and 5; test once, for a model that is published"
    flags.add_argument("--split", choices=tuple(PAPER_SPLITS), default="valid", help=once)
    flags.add_argument("--data", type=Path, help="data set folder, for figure 4 (data_set/<as the model says>)")
    return flags.parse_args(argv)


def main(argv=None) -> int:
    args = parse(argv)
    runs, output = load_runs(args.model, args.compare, args.split), args.model / "report"
    mean = mean_accuracy_by_epoch(runs[0])
    data = find_data(runs[0], args.data)
    examples = chosen_examples(runs[0], data, args.split)
    written = write_figures(runs, mean, examples, args.split, output)
    rows, notes = table_rows(runs)
    command.write_text(output / "table1.md", paper_table.markdown_table(rows, notes))
    paper_table.print_table(rows, notes)
    if others := published.of_splits(data, runs[0].predictions):
        command.write_text(output / "published.md", others)
        written.append("published.md")
    print(f"{', '.join([*written, 'table1.md'])} -> {output}")
    return command.DONE


if __name__ == "__main__":
    sys.exit(command.run(main))
