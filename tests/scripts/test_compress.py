"""compress.py itself on tiny clips: every step a bundle that predicts what the books say, and as small as they say."""

import csv
import dataclasses
import shutil

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, save_dataset
from signs.clips.spec import ClipSpec, InputSpec
from signs.command import Problem
from signs.evaluation import compression_table
from signs.evaluation.compression_table import Measured
from signs.inference import runtime, stored_clips
from signs.inference.bundle import Bundle, Stream, load_bundle, save_bundle
from signs.inference.predictions import Predictions
from signs.inference.recogniser import Recogniser
from signs.inference.runtime import KerasNetwork
from signs.models import conv3d_lstm
from signs.training import averaging, compression, pruning
from signs.training.log import Log

import keras
import numpy as np
import pytest

import compress
import tiny
from conftest import once
from datagenerator import ClipGenerator

pytestmark = pytest.mark.usefixtures("narrow", "eager")
FRAMES, SIZE, TINY = 4, 32, 0.6  # share of the weights that lie below 2^-100
# What a training of long ago left; the rest is as it is today.
FLAGS = {"batch": 8, "learning_rate": 1e-2, "shift": 0.05, "ema": 0.5, "seed": 3, "epochs": 40, "network": "other"}


def write_student(data: Dataset, folder, streams=("rgb", "flow"), classes=None, seed: int = 0) -> None:
    """A bundle of small networks, of which many weights are as good as zero."""
    stored, rows, rng = storage.find_stored(data, "flow", None), [], np.random.default_rng(seed)
    classes = classes or data.classes
    for name in streams:
        shape = (FRAMES, SIZE, SIZE, 3 if name == "rgb" else 2)
        arguments = {"input_shape": shape, "classes": len(classes), "size": "small", "momentum": 0.9}
        rows.append(Stream(name, name, "conv3d-lstm", arguments, {"weights": f"{name}.weights.h5"}))
        keras.utils.set_random_seed(seed)
        model = runtime.build_network(rows[-1])
        for kernel in pruning.kernels(model).values():
            tiny_ones = rng.random(kernel.shape) < TINY
            kernel.assign(np.where(tiny_ones, 1e-32, 3 * np.asarray(kernel)))
        averaging.save_weights(model, folder / f"{name}.weights.h5")
    spec = ClipSpec(stored, InputSpec(FRAMES, 36, SIZE))
    save_bundle(Bundle(folder, spec, classes, rows, "mean", {"flags": FLAGS}))


@pytest.fixture(scope="module")
def student(demo, tmp_path_factory):
    return once(tmp_path_factory, "student", lambda folder: write_student(load_dataset(demo), folder / "both")) / "both"


@pytest.fixture(scope="module")
def flow(demo, tmp_path_factory):
    data = load_dataset(demo)
    return once(tmp_path_factory, "flow", lambda folder: write_student(data, folder / "flow", ["flow"])) / "flow"


@pytest.fixture
def stopwatch(monkeypatch):
    """What was timed, instead of a process that does."""
    timed = []

    class Stopwatch:
        def __enter__(self):
            return lambda folder: (timed.append(folder) or 1.25, "a clock")

        def __exit__(self, *_):
            return None

    monkeypatch.setattr(compression_table, "stopwatch", Stopwatch)
    return timed


def call(data, model, output, *flags) -> int:
    return compress.main(
        ["--data", str(data), "--model", str(model), "--output", str(output), "--batch", "16", *map(str, flags)]
    )


def books(output) -> dict[str, dict]:
    """{name: row}; the numbers are numbers."""
    with open(output / "ledger.csv", newline="") as file:
        rows = [
            {key: value if key in ("step", "precision") else float(value) for key, value in row.items()}
            for row in csv.DictReader(file)
        ]
    return {"-".join(filter(None, [row["step"], row["precision"]])): row for row in rows}


def bytes_of(folder) -> int:
    names = ["bundle.json", "calibration.json", *(path.name for path in folder.glob("*.sparse.h5"))]
    return sum((folder / name).stat().st_size for name in names)


def models(folder) -> dict[str, keras.Model]:
    bundle = load_bundle(folder)
    return {one.name: KerasNetwork.load(one, bundle.weights(one)).model for one in bundle.streams}


def zeros(folder) -> float:
    """Of the kernels' weights."""
    values = [
        np.asarray(kernel).ravel() for model in models(folder).values() for kernel in pruning.kernels(model).values()
    ]
    return float(np.mean(np.concatenate(values) == 0))


def test_each_step_is_a_bundle_and_the_books_are_right(demo, student, stopwatch, tmp_path, monkeypatch, capsys):
    """Both streams, a step that is trained; a power cut after the first model that was made."""
    output, precision = tmp_path / "small", ["--precision", "int8"]
    flags = ["--teacher", student, "--epochs", 1, "--threshold", 0, "--sparsity", 0.8, *precision]
    real, calls = compression_table.measure, []

    def power_cut(*arguments):
        calls.append(arguments)
        if len(calls) == 4:
            raise RuntimeError("power cut")
        return real(*arguments)

    monkeypatch.setattr(compression_table, "measure", power_cut)
    with pytest.raises(RuntimeError, match="power cut"):
        call(demo, student, output, *flags)
    monkeypatch.setattr(compression_table, "measure", real)
    done = {path: path.stat().st_mtime_ns for path in output.glob("dense*/*.sparse.h5")}
    assert len(done) == 4 and len(stopwatch) == 3
    assert call(demo, student, output, *flags) == command.DONE
    assert {path: path.stat().st_mtime_ns for path in done} == done, "a step that was done was done again"
    assert len(stopwatch) == 2 + 4

    rows, data = books(output), load_dataset(demo)
    made = {name: row for name, row in rows.items() if name not in ("teacher", "model")}
    assert list(made) == ["dense-float32", "dense-int8", "sparsity-0.8-float32", "sparsity-0.8-int8"]
    for name, row in made.items():
        folder = output / name.removesuffix("-float32")
        weights = [np.asarray(one) for model in models(folder).values() for one in model.weights]
        assert row["parameters"] == sum(one.size for one in weights) and row["bytes"] == bytes_of(folder)
        assert row["nonzero"] == sum(np.count_nonzero(one) for one in weights)
        assert row["low"] <= row["accuracy"] <= row["high"] and row["ms"] == 1.25
    # Held while the rest was trained.
    assert zeros(output / "sparsity-0.8") == pytest.approx(0.8, abs=1e-3)
    log = Log(output / "sparsity-0.8" / "log.csv").rows_of("rgb")
    assert [row["epoch"] for row in log] == ["0", "1"] and log[1]["learning_rate"] == "0.001"
    # The output itself is the most accurate of them, of equal ones the smallest.
    best = max(made.values(), key=lambda row: (row["accuracy"], -row["bytes"]))
    recogniser = Recogniser.load(output)
    said = recogniser.bundle.about["compressed"]
    assert (said["step"], said["precision"]) == (best["step"], best["precision"])
    predictions, failed = stored_clips.predict(recogniser, data, data.split("valid"), 8, 2)
    assert best["accuracy"] == predictions.top("both", 1) and not failed and recogniser.calibration.about
    assert np.allclose(
        predictions.streams["both"], Predictions.read(output / "predictions-valid.csv", "valid").streams["both"]
    )
    assert bytes_of(output) == best["bytes"]
    assert f"**{best['step']}" in (output / "ledger.md").read_text()
    table = capsys.readouterr().out
    assert "against the teacher" in table and f"{best['bytes']:,.0f} bytes" in table


def test_what_lay_below_the_threshold_counted_for_nothing(demo, flow, stopwatch, tmp_path):
    output = tmp_path / "small"
    assert call(demo, flow, output, "--epochs", 3, "--sparsity") == command.DONE
    rows = books(output)
    assert list(rows) == [
        "model",
        *(f"{step}-{precision}" for step in ("dense", "threshold") for precision in ("float32", "float16", "int8")),
    ]
    with_all, without = (models(output / step)["flow"] for step in ("dense", "threshold"))
    clips = np.random.default_rng(0).normal(size=(2, FRAMES, SIZE, SIZE, 2)).astype(np.float32)
    np.testing.assert_allclose(with_all(clips), without(clips), atol=1e-6)
    assert zeros(output / "threshold") == pytest.approx(TINY, abs=0.01)
    assert rows["threshold-float32"]["agreement"] == 1 and not (output / "threshold" / "log.csv").exists()
    sizes = [rows[f"threshold-{precision}"]["bytes"] for precision in ("float32", "float16", "int8")]
    assert rows["dense-float32"]["bytes"] > 1.3 * sizes[0] and sizes == sorted(sizes, reverse=True)


def test_what_fine_tuning_leaves(demo, flow, tmp_path):
    """Validated on what it learns from: an epoch that is better replaces what was pruned, one that is worse does not;
    the mask holds in both."""
    data, source = load_dataset(demo), load_bundle(flow)
    args = compress.parse(["--data", str(demo), "--model", str(flow), "--output", str(tmp_path), "--epochs", "4"])
    flags, (stream,) = compression.flags_of(source, args), source.streams
    assert (flags.batch, flags.learning_rate, flags.shift, flags.ema, flags.seed, flags.epochs) == (
        8,
        1e-3,
        0.05,
        0.5,
        3,
        4,
    )
    assert flags.mixup == 0 and flags.patience == 5 and not hasattr(flags, "network")
    batches = compress.bundle_generators(flags, data, source, stream)
    labels = [row.label for row in data.classes]
    batches["valid"] = ClipGenerator(data, data.split("train"), source.spec, "flow", labels, batch=8)
    kept = {}
    for name, rate, flags.epochs in (("better", 1e-3, 2), ("worse", 1e3, 1)):
        flags.learning_rate, flags.ema = rate, 0.0
        model = compression.prune_stream(flags, batches, stream, source.weights(stream), tmp_path / name, sparsity=0.9)
        kept[name] = np.concatenate([np.asarray(one).ravel() for one in pruning.kernels(model).values()])
        losses = [float(row["val_loss"]) for row in Log(tmp_path / name / "log.csv").rows_of("flow")]
        assert (min(losses[1:]) < losses[0]) == (name == "better"), losses
    pruned = compression.prune_stream(flags, None, stream, source.weights(stream), tmp_path / "none", sparsity=0.9)
    expected = np.concatenate([np.asarray(one).ravel() for one in pruning.kernels(pruned).values()])
    assert np.array_equal(kept["worse"], expected)
    assert not np.array_equal(kept["better"], expected)
    assert np.array_equal(kept["better"] == 0, expected == 0) and np.mean(expected == 0) == pytest.approx(0.9, abs=1e-4)


def test_a_budget_is_searched_for_and_kept(demo, flow, stopwatch, tmp_path, capsys):
    output, budget = tmp_path / "small", 45_000
    flags = ["--epochs", 0, "--sparsity", "--precision", "float16", "--threshold", 0, "--budget"]
    assert call(demo, flow, output, *flags, "45kB") == command.DONE
    rows, said = books(output), capsys.readouterr().out
    assert bytes_of(output) <= budget
    for precision in ("float32", "float16"):
        fitting = [row for row in rows.values() if row["precision"] == precision and row["bytes"] <= budget]
        assert max(row["bytes"] for row in fitting) > 0.9 * budget, f"{precision} could have kept more weights"
        assert f"{precision} fits into 45,000 bytes without" in said
    # One that cannot be met: it says so before anything is trained, and the model of before stays.
    before, words = (output / "bundle.json").read_bytes(), "even without 99% of the weights float16 takes"
    with pytest.raises(Problem, match=f"--budget 5,000 bytes: {words} ([0-9,]+);") as raised:
        call(demo, flow, output, *flags, "5kB")
    assert (output / "bundle.json").read_bytes() == before
    least = int(raised.value.args[0].split(words)[1].split(";")[0].replace(",", ""))
    assert call(demo, flow, output, *flags, f"{least / compress.MARGIN:.0f}B") == command.DONE
    assert bytes_of(output) == pytest.approx(least, rel=0.05)


def test_damaged_steps_are_made_again_and_others_refused(demo, flow, stopwatch, tmp_path):
    output, flags = tmp_path / "small", ["--epochs", 0, "--sparsity", "--threshold", 0]
    assert call(demo, flow, output, *flags) == command.DONE
    path = output / "dense-float16" / "flow.sparse.h5"
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (output / "dense-int8" / "measured.json").write_text("{")
    assert call(demo, flow, output, *flags) == command.DONE
    assert path.read_bytes() == whole and len(stopwatch) == 4 + 1, "the bytes are those that were measured"
    with pytest.raises(Problem, match="holds steps with another epochs, threshold"):
        call(demo, flow, output, "--epochs", 2)
    # A sparse file that was cut short, as the model to begin with.
    cut = tmp_path / "cut"
    shutil.copytree(output, cut)
    (cut / "flow.sparse.h5").write_bytes(whole[:1000])
    done = tiny.script("compress.py", "--data", demo, "--model", cut, "--output", tmp_path / "of_cut")
    assert done.returncode == command.NOTHING and len(done.stderr.splitlines()) == 1, done.stderr
    assert "flow.sparse.h5: not the file that bundle.json was written with" in done.stderr


def test_no_weight_below_the_threshold_and_zeros_enough(demo, flow, stopwatch, tmp_path, capsys):
    once_, again = tmp_path / "once", tmp_path / "again"
    assert call(demo, flow, once_, "--epochs", 0, "--sparsity", 0.7, "--precision", "float32") == command.DONE
    assert (
        call(
            demo,
            once_ / "sparsity-0.7",
            again,
            "--epochs",
            0,
            "--sparsity",
            0.5,
            "--threshold",
            1e-36,
            "--precision",
            "float32",
        )
        == command.DONE
    )
    assert "sparsity 0.5: 70.0% of the weights are zero already" in capsys.readouterr().out
    plain = tmp_path / "plain"
    shutil.copytree(flow, plain)
    source = load_bundle(plain)
    (stream,) = source.streams
    averaging.save_weights(runtime.build_network(stream), source.weights(stream))
    save_bundle(source)
    assert compress.TINY == pruning.TINY
    assert call(demo, plain, tmp_path / "out", "--epochs", 0, "--sparsity", "--precision", "float32") == command.DONE
    assert "threshold: no weight below 7.89e-31" in capsys.readouterr().out
    assert list(books(tmp_path / "out")) == ["model", "dense-float32"]


def test_bad_input_is_one_line(demo, flow, tmp_path):
    data, output = load_dataset(demo), tmp_path / "small"
    empty, other = tmp_path / "empty", tmp_path / "other"
    save_dataset(dataclasses.replace(data, folder=empty, clips=data.split("train", "test")))
    for store in data.stores("frame") + data.stores("flow"):
        (empty / store).symlink_to(data.folder / store)
    classes = [Label("wink", "wink") if row.label == data.classes[0].label else row for row in data.classes]
    write_student(data, other, ["flow"], classes)
    for argv, reason in (
        ([empty, flow, output], "no labelled clip in the split valid"),
        ([demo, flow, output, "--teacher", other], "other classes than .*2 are in one of them alone"),
        ([demo, other, output], f"label {data.classes[0].label} is not among the classes"),
        ([demo, flow, flow], "is the model itself"),
        ([demo, flow, output, "--sparsity", 1.5], "--sparsity 1.5: above 0, below 1"),
        ([demo, tmp_path / "nowhere", output], "no such folder"),
    ):
        with pytest.raises(Problem, match=reason):
            call(*argv)
    for text in ("1TB", "small", "0MB"):
        with pytest.raises(Problem, match=f"^--budget '{text}': a size such as 1MB"):
            call(demo, flow, output, "--budget", text)
    assert not output.exists() or not list(output.glob("*")), "nothing half-written is left"


@pytest.mark.parametrize(
    ("text", "size"), [("1MB", 1_000_000), ("635kB", 635_000), ("0.635 MB", 635_000), ("80000", 80_000), ("7B", 7)]
)
def test_sizes(text, size):
    assert compress.size_in_bytes(text) == size


def test_agreement_and_difference_are_of_the_clips_that_both_have():
    clips = [Clip(f"c{number}", "valid", "ab"[number % 2], f"s{number % 3}") for number in range(6)]

    def measured(answers: str, chosen) -> Measured:
        rows = np.array([[one == "a", one == "b"] for one in answers], float)
        return Measured(Predictions(chosen, ["a", "b"], {"rgb": rows}), 1, 1, 1, 1.0, "")

    one, other = measured("ababab", clips), measured("aabba", clips[:5])
    assert compression_table.agreement(one, other) == compression_table.agreement(other, one) == 3 / 5
    found = compression_table.difference(one, other)
    assert (found.only_a, found.only_b, found.value) == (2, 0, pytest.approx(2 / 5))
    assert one.over == "6 clips by 3 signers"


def test_one_core_is_measured_in_a_process_of_its_own(demo, tmp_path, monkeypatch):
    monkeypatch.setitem(conv3d_lstm.SIZES, "small", 4)  # as the process has it
    flow = tmp_path / "flow"
    write_student(load_dataset(demo), flow, ["flow"])
    with compression_table.stopwatch() as measure:
        milliseconds, runtime_name = measure(flow)
        with pytest.raises(Problem, match="no such folder"):
            measure(flow / "nowhere")
    assert 0.1 < milliseconds < 10_000 and runtime_name == f"Keras {keras.__version__} on {keras.backend.backend()}"
