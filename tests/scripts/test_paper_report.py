"""The report of a tiny model: what its figures and its table show, counted again from the files by hand."""

import csv
import json
import os
import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Clip, Label, load_dataset
from signs.command import Problem
from signs.evaluation import curves, paper_figures, paper_table, plots
from signs.inference.bundle import Bundle, load_bundle, save_bundle
from signs.inference.predictions import Pair, Predictions
from signs.training.log import HEADER, Log, Validated, mean_by_epoch

import numpy as np
import pytest

import evaluate
import paper_report
import tiny
from conftest import sketches
from paper_report import Run

STREAMS = ("rgb", "flow", "both")


@pytest.fixture(scope="module")
def evaluated(demo, model, recogniser, tmp_path_factory) -> Path:
    """The tiny bundle with the predictions of its validation clips; only to be read."""
    from signs.inference.recogniser import Recogniser

    folder = tmp_path_factory.mktemp("reported") / "tiny"
    left_out = shutil.ignore_patterns("checkpoint", "events", ".lock*")
    shutil.copytree(model, folder, copy_function=os.link, ignore=left_out)
    with sketches(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Recogniser,
            "load",
            lambda asked, runtime: Recogniser(replace(recogniser.bundle, folder=asked), recogniser.networks),
        )
        assert evaluate.main(["--data", str(demo), "--model", str(folder), "--gallery", "0"]) == command.DONE
    shutil.rmtree(folder / "report")  # evaluate.py's own page
    return folder


@pytest.fixture
def run(evaluated, tmp_path) -> Path:
    """A copy of one's own; its files are to be replaced, not written into."""
    return Path(shutil.copytree(evaluated, tmp_path / "run", copy_function=os.link))


def rows_of(path: Path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def hits(path: Path) -> dict[str, float]:
    """{stream: share of right answers}, from the table alone."""
    right, clips = Counter(), Counter()
    for row in rows_of(path):
        best = max((name for name in row if name.startswith("p_")), key=lambda name: float(row[name]))
        right[row["stream"]] += best == f"p_{row['label']}"
        clips[row["stream"]] += 1
    return {stream: right[stream] / clips[stream] for stream in STREAMS}


def validated(folder: Path, stream: str, epoch: int) -> dict[str, np.ndarray]:
    with np.load(folder / "valid" / f"{stream}-{epoch:04d}.npz") as file:
        return dict(file)


def mean_accuracy(rgb: dict, flow: dict) -> float:
    pairs = zip(rgb["probabilities"].tolist(), flow["probabilities"].tolist(), rgb["targets"].tolist(), strict=True)
    sums = [([a + b for a, b in zip(one, other, strict=True)], target) for one, other, target in pairs]
    return sum(total.index(max(total)) == target for total, target in sums) / len(sums)


def best_epoch(folder: Path, stream: str) -> int:
    rows = [row for row in rows_of(folder / "log.csv") if row["stream"] == stream]
    return int(min(rows, key=lambda row: float(row["val_loss"]))["epoch"])


def test_the_kept_epochs_probabilities_are_those_that_evaluate_finds(evaluated):
    table = rows_of(evaluated / "predictions-valid.csv")
    for stream in ("rgb", "flow"):
        kept = validated(evaluated, stream, best_epoch(evaluated, stream))
        mine = [row for row in table if row["stream"] == stream]
        assert kept["clips"].tolist() == [row["clip"] for row in mine]
        written = [[float(value) for name, value in row.items() if name.startswith("p_")] for row in mine]
        np.testing.assert_allclose(kept["probabilities"], written, atol=1e-4)


def test_the_mean_by_epoch(evaluated):
    expected = [
        mean_accuracy(*(validated(evaluated, stream, epoch) for stream in ("rgb", "flow"))) for epoch in (1, 2, 3)
    ]
    assert mean_by_epoch(evaluated, ["rgb", "flow"]) == pytest.approx(expected)


def shorter(run: Path, stream: str, epochs: int) -> None:
    """As if the stream had ended after so many epochs."""
    path = run / "log.csv"
    rows = [row for row in rows_of(path) if row["stream"] != stream or int(row["epoch"]) <= epochs]
    dataset.write_table(path, rows, HEADER)


def drawn(monkeypatch) -> list:
    """Figures are kept instead of written."""
    figures = []
    monkeypatch.setattr(plots, "save", lambda one, path: figures.append(one))
    return figures


def test_a_stream_that_ended_earlier_goes_on_with_its_best(run, monkeypatch):
    shorter(run, "flow", 2)
    log, best = Log(run / "log.csv"), best_epoch(run, "flow")
    mean = mean_by_epoch(run, ["rgb", "flow"])
    assert len(mean) == 3
    assert mean[2] == pytest.approx(mean_accuracy(validated(run, "rgb", 3), validated(run, "flow", best)))
    figures = drawn(monkeypatch)
    paper_figures.write_figure3(log, ["rgb", "flow"], mean, run / "figure3.png")
    axes = figures[0].axes[0]
    lines = {line.get_label(): np.array(line.get_ydata(), float) for line in axes.lines}
    assert lines["RGB"] == pytest.approx([100 * float(row["val_accuracy"]) for row in log.rows_of("rgb")])
    assert lines["optical flow"] == pytest.approx([100 * float(row["val_accuracy"]) for row in log.rows_of("flow")])
    assert lines["RGB + flow, mean of both"] == pytest.approx(100 * np.array(mean[:2]))
    dashed = [line for line in axes.lines if line.get_linestyle() == "--"]
    assert [list(line.get_ydata()) for line in dashed] == [pytest.approx(100 * np.array(mean[1:]))]
    assert f"After its last epoch, 2, optical flow goes into the mean (then dashed) with epoch {best}" in (
        axes.get_xlabel()
    )


def test_a_dotted_line_where_fine_tuning_starts(run, monkeypatch):
    rows = [row | {"phase": "top" if row["epoch"] == "1" else "all"} for row in rows_of(run / "log.csv")]
    dataset.write_table(run / "log.csv", rows, HEADER)
    figures = drawn(monkeypatch)
    paper_figures.write_figure3(Log(run / "log.csv"), ["rgb", "flow"], [0.1, 0.2, 0.3], run / "figure3.png")
    dotted = [line.get_xdata()[0] for line in figures[0].axes[0].lines if line.get_linestyle() == ":"]
    assert dotted == [1.5] and [text.get_text() for text in figures[0].axes[0].texts] == ["fine-tuning starts"]


def test_the_script_writes_its_files_without_tensorflow(demo, run):
    code = (
        "import sys, paper_report\nassert paper_report.main(sys.argv[1:]) == 0\n"
        "assert not {'tensorflow', 'keras', 'jax'} & sys.modules.keys()"
    )
    done = tiny.python("-c", code, "--model", run, "--data", demo, PYTHONPATH=str(tiny.REPOSITORY))
    assert done.returncode == 0, done.stderr
    names = {path.name for path in (run / "report").iterdir()}
    assert names == {"training.png", "figure3.png", "figure4.png", "table1.md"}
    for path in (run / "report").glob("*.png"):
        content = path.read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) > 10000
    lines = (run / "report" / "table1.md").read_text().splitlines()
    for (stream, share), title in zip(
        hits(run / "predictions-valid.csv").items(), ("RGB", "optical flow", "RGB + flow"), strict=True
    ):
        line = next(line for line in lines if f"| **{title}** |" in line)
        assert line == f"| **ours: run, random start** | **{title}** | **{100 * share:.2f}** | - |", stream
    assert "I3D-SLR" not in "".join(lines) and "8 classes of this model are not ChaLearn's 249" in "".join(lines)
    assert "training.png, figure3.png, figure4.png, table1.md ->" in done.stdout and "not ChaLearn's 249" in done.stdout


def test_the_confused_pairs_and_their_frames(demo, run, monkeypatch):
    from signs.clips import storage

    shown = []
    monkeypatch.setattr(paper_figures, "write_figure4", lambda parts, title, path: shown.append((parts, title)))
    monkeypatch.setattr(paper_report, "PAIRS", 3)
    assert paper_report.main(["--model", str(run), "--data", str(demo)]) == command.DONE
    table = [row for row in rows_of(run / "predictions-valid.csv") if row["stream"] == "both"]
    taken = {
        row["clip"]: max(
            (name[2:] for name in row if name.startswith("p_")), key=lambda name, row=row: float(row[f"p_{name}"])
        )
        for row in table
    }
    both = [(row["label"], taken[row["clip"]]) for row in table]
    wrong = Counter(frozenset(pair) for pair in both if pair[0] != pair[1])
    (parts, title), names = shown[0], {row.name: row.label for row in load_dataset(demo).classes}
    rows = parts["Most often mistaken for each other"]
    assert title == "validation, 8 clips"
    assert len(rows) == min(3, len(wrong)) > 0
    data = load_dataset(demo)
    for row, (_, count) in zip(rows, wrong.most_common(), strict=False):
        left, right = (names[name.split(" ", 1)[1]] for name in row.names)
        there, back = (int(text.split(": ")[1].split(" of ")[0]) for text in row.notes)
        assert there + back == wrong[frozenset((left, right))] == count and there >= back
        frames = [
            next(
                storage.read_archive(item.archive(demo, "frame-40x64")).images
                for item in data.split("valid")
                if item.label == left and taken[item.clip] == right
            )
        ]
        assert np.array_equal(row.frames[0], frames[0])
        assert row.frames[1].shape == frames[0].shape


def test_figure_4_shows_nobody_who_does_not_allow_it(demo, run, tmp_path):
    data = load_dataset(demo)
    asked = replace(data, clips=[replace(item, consent="training") for item in data.clips])
    examples = paper_report.chosen_examples(paper_report.load_run(run, "valid"), asked, "valid")
    assert {frames is None for rows in examples.values() for row in rows for frames in row.frames} == {True}
    paper_figures.write_figure4(examples, "nobody", tmp_path / "figure4.png")
    assert (tmp_path / "figure4.png").stat().st_size > 1000


def test_pairs_and_examples_of_known_numbers():
    labels = ["a", "b", "c"]
    answers = [("a", 1, 0.6), ("a", 1, 0.9), ("a", 0, 0.8), ("b", 0, 0.5), ("b", 1, 0.7), ("c", 0, 0.9), ("", 2, 0.9)]
    scores = np.full((len(answers), 3), 0.01)
    for row, (_, best, value) in enumerate(answers):
        scores[row, best] = value
    clips = [Clip(str(number), "valid", label) for number, (label, _, _) in enumerate(answers)]
    some = Predictions(clips, labels, {"both": scores})
    assert some.confused("both", 9) == [Pair(0, 1, 2, 3, 1, 2), Pair(2, 0, 1, 1, 0, 3)]
    assert some.confused("both", 1) == [Pair(0, 1, 2, 3, 1, 2)]
    assert some.example("both", 0, 1).clip == "1" and some.example("both", 1, 1).clip == "4"
    assert some.example("both", 2, 2) is None


def test_a_training_is_drawn_with_its_loss(run, monkeypatch):
    figures, log = drawn(monkeypatch), Log(run / "log.csv")
    curves.write_training(log, ["rgb", "flow"], run / "training.png")
    for axes, kind, factor in zip(figures[0].axes, ("accuracy", "loss"), (100, 1), strict=True):
        lines = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
        for stream, name in (("rgb", "colour pictures"), ("flow", "movement (optical flow)")):
            rows = log.rows_of(stream)
            for column, title in ((f"val_{kind}", "validation"), (kind, "training")):
                assert lines[f"{name}, {title}"] == pytest.approx([factor * float(row[column]) for row in rows])
        assert kind in axes.get_ylabel()


def test_start_weights_side_by_side(demo, evaluated, run, monkeypatch):
    """Two runs on the same clips: the second from other weights, and with its answers turned by a class."""
    content = json.loads((run / "bundle.json").read_text())
    content["flags"]["weights"] = "kinetics-scratch"
    (run / "bundle.json").unlink()
    (run / "bundle.json").write_text(json.dumps(content))
    other = Predictions.read(run / "predictions-valid.csv", "valid")
    other.streams = {stream: np.roll(values, 1, axis=1) for stream, values in other.streams.items()}
    other.write(run / "predictions-valid.csv")
    bars = []
    monkeypatch.setattr(paper_figures, "write_figure5", lambda *seen: bars.append(seen))
    monkeypatch.setattr(paper_figures, "write_figure4", lambda *_: None)
    flags = ["--data", str(demo), "--compare", str(evaluated), str(run)]
    assert paper_report.main(["--model", str(run), *flags]) == command.DONE
    names, scores, where, path = bars[0]
    assert names == ["Kinetics alone\nrun", "random start\ntiny"] and where == "validation, 8 clips"
    assert scores == [hits(folder / "predictions-valid.csv") for folder in (run, evaluated)]
    assert path == run / "report" / "figure5.png"
    assert "ours: tiny, random start" in (run / "report" / "table1.md").read_text()


def test_the_bars_are_the_numbers(monkeypatch):
    figures = drawn(monkeypatch)
    scores = [dict(zip(STREAMS, values, strict=True)) for values in ((0.5, 0.25, 0.75), (0.1, 0.2, 0.3))]
    paper_figures.write_figure5(["one", "two"], scores, "validation", Path("unused"))
    axes = figures[0].axes[0]
    assert [round(bar.get_height(), 6) for bar in axes.patches] == [50, 10, 25, 20, 75, 30]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["one", "two"]


def chalearn(valid: int, test: int | None) -> Run:
    """A made-up run over 249 classes."""
    tables = {}
    for split, count in (("valid", valid), ("test", test)):
        if count:
            clips = [Clip(f"{split}_{number}", split, "001") for number in range(count)]
            wrong = np.eye(249)[np.arange(count) % 2]
            tables[split] = Predictions(clips, paper_table.LABELS, dict.fromkeys(STREAMS, wrong))
    classes = [Label(label, f"sign_{label}") for label in paper_table.LABELS]
    made = Bundle(Path("model/made"), None, classes, [], "mean", {"flags": {"weights": "kinetics"}})
    return Run(made, tables)


def test_on_chalearns_classes_the_published_rows_stand_beside_ours():
    rows, notes = paper_report.table_rows([chalearn(5784, 10)])
    said = paper_table.markdown_table(rows, notes)
    assert "| I3D-SLR (Sarhan & Frintrop 2020) | RGB + flow | 62.09 | 64.44 |" in said
    assert "| later: UMDR (TPAMI 2023), 64 frames | RGB | 64.4 | - |" in said
    assert "| **ours: made, ImageNet + Kinetics** | **RGB + flow** | **50.00** | **50.00** |" in said
    assert "validation: over 5,784 clips." in said
    assert "test: over 10 clips, the published numbers over 6,271." in said
    assert said.count("\n| ") == 1 + len(paper_table.PUBLISHED) + 3
    only = paper_table.markdown_table(*paper_report.table_rows([chalearn(20, None)]))
    assert "| **ours: made, ImageNet + Kinetics** | **RGB** | **50.00** | - |" in only and "test:" not in only


def test_no_published_rows_beside_another_data_set(evaluated):
    rows, notes = paper_report.table_rows([paper_report.load_run(evaluated, "valid")])
    assert {row.ours for row in rows} == {True} and "published rows are left out" in " ".join(notes)


@pytest.mark.parametrize(
    ("row", "shown"),
    [
        (Label("026", "Madonna", extra={"vocabulary": "ItalianGestures"}), "026 Madonna (ItalianGestures)"),
        (Label("039", "654_colour_couleur"), "039 654 colour couleur"),
        (Label("yes", "yes"), "yes"),
    ],
)
def test_readable_names(row, shown):
    assert paper_report.readable_name(row) == shown


def without_log(run):
    (run / "log.csv").unlink()


def without_predictions(run):
    (run / "predictions-valid.csv").unlink()


def cut_predictions(run):
    path = run / "predictions-valid.csv"
    content = path.read_text()
    path.unlink()
    path.write_text(content[: len(content) // 2])


def without_an_epoch(run):
    (run / "valid" / "flow-0002.npz").unlink()


def cut_epoch(run):
    path = run / "valid" / "flow-0002.npz"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:300])


def other_validation_clips(run):
    found = Validated.read(run, "flow", 2)
    Validated(found.clips[::-1], found.targets, found.probabilities).write(run, "flow", 2)


def without_flow(run):
    found = load_bundle(run)
    save_bundle(replace(found, streams=found.streams[:1]))


def other_columns(run):
    table = Predictions.read(run / "predictions-valid.csv", "valid")
    table.labels = table.labels[::-1]
    table.write(run / "predictions-valid.csv")


def joined_with_another(run):
    found = load_bundle(run)
    save_bundle(replace(found, streams=[*found.streams, replace(found.streams[0], name="rgb-i3d")]))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (joined_with_another, "sees rgb-i3d too, and the report is of RGB and flow"),
        (without_log, "no epoch of rgb and flow in it; figure 3 needs the log"),
        (
            without_predictions,
            r"predictions-valid.csv: no such file; run evaluate.py --data ... --model \S+ --split valid",
        ),
        (cut_predictions, "damaged|rows or columns are missing"),
        (without_an_epoch, "flow-0002.npz: missing, though log.csv has that epoch"),
        (cut_epoch, "flow-0002.npz: damaged"),
        (other_validation_clips, "rgb and flow were validated on different clips"),
        (without_flow, "no stream flow in it.*run train_i3d.py --stream flow"),
        (other_columns, "has other classes or streams than bundle.json; run evaluate.py"),
    ],
)
def test_what_is_missing_is_one_line(demo, run, spoil, said):
    spoil(run)
    with pytest.raises(Problem, match=said) as caught:
        paper_report.main(["--model", str(run), "--data", str(demo)])
    assert "\n" not in str(caught.value) and not (run / "report").exists()


def test_runs_that_cannot_be_compared(demo, evaluated, run):
    flags = ["--model", str(evaluated), "--data", str(demo), "--compare", str(run)]
    table = Predictions.read(run / "predictions-valid.csv", "valid")
    Predictions(table.clips[:-1], table.labels, {name: rows[:-1] for name, rows in table.streams.items()}).write(
        run / "predictions-valid.csv"
    )
    with pytest.raises(Problem, match="0 clips that .* does not have, and 1 the other way round"):
        paper_report.main(flags)
    found = load_bundle(run)
    save_bundle(replace(found, classes=[replace(row, name=f"new {row.name}") for row in found.classes]))
    with pytest.raises(Problem, match=r"other classes than .* \(8 and 8\)"):
        paper_report.main(flags)
    with pytest.raises(Problem, match="no such file; run evaluate.py .* --split test"):
        paper_report.main([*flags, "--split", "test"])
    with pytest.raises(Problem, match="that is --model itself"):
        paper_report.main([*flags[:-1], str(evaluated)])
    assert not (evaluated / "report").exists()


def test_without_the_data_set_it_is_asked_for(evaluated, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Problem, match="data_set/demo: no data set there; .* name it with --data"):
        paper_report.main(["--model", str(evaluated)])
