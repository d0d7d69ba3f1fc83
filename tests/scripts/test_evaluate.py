"""The tables that evaluate.py leaves, counted again by hand; damaged, unlabelled and foreign clips."""

import csv
import json
import shutil
from collections import Counter
from dataclasses import replace

from signs import command
from signs.clips import storage
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, save_dataset
from signs.command import Problem
from signs.inference import stored_clips
from signs.inference.predictions import Predictions

import numpy as np
import pytest
from scipy.special import softmax

import evaluate
from conftest import sketches


def table(path) -> list[dict]:
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def altered(demo, tmp_path_factory):
    """The demo with one clip of valid unlabelled and the archive of another cut short; (folder, their names)."""
    folder = tmp_path_factory.mktemp("altered") / "demo"
    shutil.copytree(demo, folder, ignore=shutil.ignore_patterns("_download", "video"))
    data = load_dataset(folder)
    nameless, damaged = data.split("valid")[1:3]
    without = replace(nameless, label="")
    for store in ("frame-40x64", "flow-40x64-tvl1-fast"):
        target = without.archive(folder, store)
        target.parent.mkdir(parents=True)
        nameless.archive(folder, store).rename(target)
    path = damaged.archive(folder, "flow-40x64-tvl1-fast")
    path.write_bytes(path.read_bytes()[:5000])
    save_dataset(replace(data, clips=[without if item.clip == nameless.clip else item for item in data.clips]))
    return folder, nameless.clip, damaged.clip


@pytest.fixture(scope="module")
def evaluated(demo, altered, model, recogniser, tmp_path_factory):
    """(folder, exit code of test, exit code of valid, what valid said): the script over both splits."""
    import contextlib
    import io

    from signs.inference.recogniser import Recogniser

    folder = tmp_path_factory.mktemp("evaluated")
    for name in ("bundle.json", "log.csv", "rgb.weights.h5", "flow.weights.h5"):
        shutil.copy(model / name, folder)
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            Recogniser,
            "load",
            lambda asked, runtime: Recogniser(replace(recogniser.bundle, folder=asked), recogniser.networks),
        )
        flags = ["--model", str(folder), "--gallery"]
        test = evaluate.main(["--data", str(demo), *flags, "0", "--split", "test", "--baselines"])
        shutil.copy(folder / "metrics.json", folder / "metrics-test.json")
        with contextlib.redirect_stderr(said):
            valid = evaluate.main(["--data", str(altered[0]), *flags, "3"])
    return folder, test, valid, said.getvalue()


def test_probabilities_are_those_of_the_networks(demo, evaluated, recogniser):
    folder, code, _, _ = evaluated
    assert code == command.DONE
    data, rows = load_dataset(demo), table(folder / "predictions-test.csv")
    clips = data.split("test")
    assert [(row["clip"], row["stream"]) for row in rows] == [
        (item.clip, stream) for item in clips for stream in ("rgb", "flow", "both")
    ]
    for item, place in zip(clips, range(0, 24, 3), strict=True):
        expected = []
        for stream, store in zip(recogniser.bundle.streams, ("frame-40x64", "flow-40x64-tvl1-fast"), strict=True):
            archive = storage.read_archive(item.archive(demo, store))
            batch = recogniser.input(stream, archive.images, archive.squares)
            expected.append(softmax(recogniser.logits(stream, batch), axis=-1)[0])
        expected.append((expected[0] + expected[1]) / 2)
        for row, probabilities in zip(rows[place : place + 3], expected, strict=True):
            assert (row["label"], row["signer"]) == (item.label, item.signer) != ("", "")
            written = [float(row[f"p_{label}"]) for label in recogniser.labels]
            np.testing.assert_allclose(written, probabilities, atol=1e-5)


def test_metrics_are_those_of_the_table(evaluated):
    folder = evaluated[0]
    first, metrics = (json.loads((folder / name).read_text()) for name in ("metrics-test.json", "metrics.json"))
    assert set(first) == {"test", "model", "calibration"} and first["calibration"] is None
    assert set(metrics) == {"valid", "model", "calibration"}, "the test clips were those of another data set"
    metrics["test"] = first["test"]
    for split, clips in (("test", 8), ("valid", 6)):
        assert metrics[split]["clips"] == clips
        hits = Counter()
        for row in table(folder / f"predictions-{split}.csv"):
            if row["label"]:
                ranked = sorted((name for name in row if name.startswith("p_")), key=lambda name: -float(row[name]))
                for k in (1, 5):
                    hits[row["stream"], f"top{k}"] += f"p_{row['label']}" in ranked[:k]
        for stream in ("rgb", "flow", "both"):
            for k in (1, 5):
                assert metrics[split][stream][f"top{k}"] == pytest.approx(hits[stream, f"top{k}"] / clips)


def test_confusion_counts_every_scored_clip_once(evaluated):
    folder = evaluated[0]
    for split in ("test", "valid"):
        rows = [row for row in table(folder / f"predictions-{split}.csv") if row["label"]]
        for stream in ("rgb", "flow", "both"):
            found = table(folder / f"confusion-{split}-{stream}.csv")
            counts = {row.pop("true"): {label: int(count) for label, count in row.items()} for row in found}
            mine = [row for row in rows if row["stream"] == stream]
            assert {label: sum(row.values()) for label, row in counts.items() if any(row.values())} == Counter(
                row["label"] for row in mine
            )
            for row in mine:
                best = max((name for name in row if name.startswith("p_")), key=lambda name: float(row[name]))
                counts[row["label"]][best[2:]] -= 1
            assert not any(count for row in counts.values() for count in row.values())


def test_pictures_are_written(evaluated):
    folder = evaluated[0]
    pictures = {path.name for path in folder.glob("*.png")}
    wanted = {f"confusion-{split}-{stream}.png" for split in ("test", "valid") for stream in ("rgb", "flow", "both")}
    assert pictures == {"report.png", *wanted}
    for name in pictures:
        content = (folder / name).read_bytes()
        assert content.startswith(b"\x89PNG") and len(content) > 5000


def test_the_unlabelled_is_predicted_and_the_damaged_named(evaluated, altered):
    folder, _, code, said = evaluated
    _, nameless, damaged = altered
    rows = table(folder / "predictions-valid.csv")
    assert code == command.PARTLY and len(rows) == 21
    assert {row["label"] for row in rows if row["clip"] == nameless} == {""}
    assert damaged not in {row["clip"] for row in rows}
    assert damaged in said and "cut short or damaged" in said and "1 not done (named above), 7 done" in said


@pytest.mark.parametrize("batch", [1, 3, 8])
def test_the_batch_changes_nothing(demo, recogniser, evaluated, batch):
    data = load_dataset(demo)
    found, failed = stored_clips.predict(recogniser, data, data.split("test"), batch, workers=2)
    rows = table(evaluated[0] / "predictions-test.csv")
    assert not failed
    for stream, probabilities in found.streams.items():
        mine = [[float(row[f"p_{label}"]) for label in recogniser.labels] for row in rows if row["stream"] == stream]
        np.testing.assert_allclose(probabilities, mine, atol=1e-5)


def test_top_k_and_confusion_of_known_numbers():
    clips = [Clip(str(number), "test", label) for number, label in enumerate(("a", "b", "", "c"))]
    scores = np.array([[0.6, 0.3, 0.1], [0.5, 0.4, 0.1], [0.1, 0.1, 0.8], [0.5, 0.3, 0.2]])
    some = Predictions(clips, ["a", "b", "c"], {"rgb": scores})
    assert [some.top("rgb", k) for k in (1, 2, 3, 5)] == pytest.approx([1 / 3, 2 / 3, 1, 1])
    assert some.confusion("rgb").tolist() == [[1, 0, 0], [1, 0, 0], [1, 0, 0]]


def test_the_names_on_the_confusion_matrix_are_the_models(demo, copied, loaded, tmp_path, monkeypatch):
    """The data set may list its classes in another order."""
    from signs.evaluation import overview, plots

    shutil.copytree(demo, tmp_path / "data", ignore=shutil.ignore_patterns("_download", "video"))
    data = load_dataset(tmp_path / "data")
    save_dataset(replace(data, classes=data.classes[::-1]))
    drawn = []
    monkeypatch.setattr(plots, "write_confusion", lambda counts, names, title, path: drawn.append(names))
    monkeypatch.setattr(overview, "write_overview", lambda *_: None)
    assert (
        evaluate.main(["--data", str(tmp_path / "data"), "--model", str(copied), "--split", "test", "--gallery", "0"])
        == 0
    )
    assert drawn[:3] == [[row.name for row in loaded.classes]] * 3


def test_data_of_another_flow_method_is_refused(demo, copied, loaded, tmp_path):
    shutil.copytree(demo, tmp_path / "data", ignore=shutil.ignore_patterns("_download", "video"))
    (tmp_path / "data" / "flow-40x64-tvl1-fast").rename(tmp_path / "data" / "flow-40x64-dis")
    with pytest.raises(Problem, match="trained on flow-40x64-tvl1-fast.*flow-40x64-dis") as caught:
        evaluate.main(["--data", str(tmp_path / "data"), "--model", str(copied)])
    assert "\n" not in str(caught.value) and not list(copied.glob("predictions*"))


def test_a_label_that_the_model_does_not_know(demo, copied, loaded, tmp_path):
    data = load_dataset(demo)
    clips = [replace(item, label="999") if item.split == "valid" else item for item in data.clips]
    save_dataset(Dataset(tmp_path, clips, [*data.classes, Label("999", "new")]))
    with pytest.raises(Problem, match="label 999 is not among the classes"):
        evaluate.main(["--data", str(tmp_path), "--model", str(copied)])


def test_the_page_names_what_could_not_be_read_and_shows_every_loop(evaluated, altered, tmp_path):
    from browser import CHROMIUM, look

    folder, _, _, _ = evaluated
    text = (folder / "report" / "index.html").read_text()
    found = json.loads((folder / "metrics.json").read_text())["valid"]
    assert found["failed"][0][0] == altered[2] and found["unlabelled"] == 1
    assert "1 clip could not be read" in text and altered[2] in text and "1 clip without a label" in text
    loops = [name for row in found["gallery"] for name in (*row["loops"].values(), row["nearest"]["loop"])]
    assert len(loops) == 3 * len(found["gallery"]) > 3
    assert all((folder / "report" / name).stat().st_size > 1000 and name in text for name in loops)
    if CHROMIUM:
        pictures, missing, over, _ = look(folder / "report" / "index.html", 900, tmp_path)
        assert pictures == len(loops) + 3 and missing == 0 and over <= 0


def test_other_splits_follow_a_new_calibration(demo, copied, loaded, capsys):
    """test first, then valid: what is said of test uses what was learnt on valid."""

    def metrics_of(*splits: str) -> dict:
        flags = ["--data", str(demo), "--model", str(copied), "--gallery", "0", "--split", *splits]
        with sketches():
            assert evaluate.main(flags) == 0
        return json.loads((copied / "metrics.json").read_text())

    before, after = metrics_of("test"), metrics_of("valid")
    assert before["calibration"] is None and after["calibration"]["temperature"] > 0
    assert after["test"]["both"]["calibration"]["log_loss"] != before["test"]["both"]["calibration"]["log_loss"]
    again = metrics_of("valid", "test")
    for stream in ("rgb", "flow", "both"):
        for name in ("log_loss", "ece"):
            assert again["test"][stream]["calibration"][name] == pytest.approx(
                after["test"][stream]["calibration"][name], abs=1e-6
            )


def test_a_missing_video_costs_the_robustness_table_only(demo, copied, loaded, tmp_path, capsys):
    shutil.copytree(demo, tmp_path / "data", ignore=shutil.ignore_patterns("_download", "video"))
    argv = ["--data", str(tmp_path / "data"), "--model", str(copied), "--split", "test", "--gallery", "0"]
    with sketches():
        assert evaluate.main([*argv, "--robustness", "2"]) == command.PARTLY
    assert "robustness needs them" in capsys.readouterr().err
    assert "Not measured" in (copied / "report" / "index.html").read_text()
    assert json.loads((copied / "metrics.json").read_text())["test"]["clips"] == 8


def test_two_evaluations_of_a_model_at_once(demo, copied):
    """Each would write the splits that it read, and clear the other's loops."""
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*") if path.name != ".lock-evaluation"}
    with command.lock(copied, "evaluation"), pytest.raises(Problem, match="another run is writing there; wait for it"):
        evaluate.main(["--data", str(demo), "--model", str(copied), "--split", "test"])
    assert {path: path.stat().st_mtime_ns for path in before} == before
