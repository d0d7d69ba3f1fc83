"""The report page: every number of metrics.json on it, nothing from outside, and a look at it in a browser."""

import json
import re
from dataclasses import replace
from pathlib import Path

from signs.clips.dataset import Clip, Label
from signs.clips.spec import ClipSpec, FlowSpec, InputSpec, StoredSpec
from signs.evaluation import calibration, plots, report_page
from signs.evaluation.metrics import Metrics, SplitResult, measure_split, read_splits
from signs.inference.bundle import Bundle, Stream
from signs.inference.confidence import Calibration
from signs.inference.predictions import BOTH, Predictions, fuse

import cv2
import numpy as np
import pytest
from sklearn import metrics

from browser import CHROMIUM, look, run_chromium


def predictions(split: str, classes: int, clips: int, seed: int = 0) -> Predictions:
    rng = np.random.default_rng(seed)
    labels, streams = [f"{number:03d}" for number in range(1, classes + 1)], {}
    truth = rng.integers(0, classes, clips)
    items = [Clip(f"c{i:04d}", split, labels[label], f"S{i % 5}") for i, label in enumerate(truth)]
    for stream in ("rgb", "flow"):
        logits = rng.normal(0, 1, (clips, classes))
        logits[np.arange(clips), truth] += 3
        streams[stream] = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    streams[BOTH] = fuse(streams)
    return Predictions(items, labels, streams)


class Model:
    """What of a recogniser the numbers need."""

    def __init__(self, folder: Path, classes: int):
        names = [Label(f"{number:03d}", f"<sign> & {number}") for number in range(1, classes + 1)]
        spec = ClipSpec(StoredSpec(flow=FlowSpec("tvl1-fast")), InputSpec())
        streams = [Stream(name, name, "i3d", {}, {}) for name in ("rgb", "flow")]
        self.bundle = Bundle(folder, spec, names, streams, "mean", {"flags": {"seed": 0}, "commit": "c0ffee"})
        self.classes, self.calibration = names, Calibration()


def measured(model: Model, table: Predictions, failed: tuple = ()) -> SplitResult:
    return measure_split(model, table, {"name": "drawn", "clips": ""}, [], list(failed))


def made(folder: Path, classes: int, clips: int) -> tuple[Metrics, dict[str, Predictions]]:
    """A page without loops, of drawn probabilities."""
    tables = {split: predictions(split, classes, clips, seed) for seed, split in enumerate(("valid", "test"))}
    model = Model(folder, classes)
    model.calibration = calibration.learn_calibration(tables["valid"], [], 0.1, {})
    results = {split: measured(model, table) for split, table in tables.items()}
    found = Metrics({}, json.loads(json.dumps(model.calibration.__dict__)), results)
    report_page.write_page(model.bundle, "drawn", "test", found, tables["test"])
    return found, tables


def test_numbers_are_those_of_scikit_learn_from_the_saved_probabilities(tmp_path):
    """From the CSV alone: what the page says, computed again."""
    made_of, tables = made(tmp_path, 12, 200)
    made_of.write(tmp_path)
    found = json.loads((tmp_path / "metrics.json").read_text())
    path = Predictions.path(tmp_path, "test")
    tables["test"].write(path)
    saved = Predictions.read(path, "test")
    text = (tmp_path / "report" / "index.html").read_text()
    truth, labels = saved.truth, range(12)
    for stream, rows in saved.streams.items():
        own = found["test"][stream]
        for k in (1, 5, 10):
            assert own[f"top{k}"] == pytest.approx(metrics.top_k_accuracy_score(truth, rows, k=k, labels=labels))
        assert own["mean_per_class"] == pytest.approx(metrics.balanced_accuracy_score(truth, rows.argmax(axis=1)))
        cooled = rows ** (1 / found["calibration"]["temperature"] if stream == BOTH else 1)
        cooled /= cooled.sum(axis=1, keepdims=True)
        assert own["calibration"]["log_loss"] == pytest.approx(metrics.log_loss(truth, cooled, labels=labels), rel=1e-6)
        assert f"<b>{100 * own['top1']:.1f}</b>" in text
    both = saved.streams[BOTH]
    assert f"<b>{int((both.argmax(axis=1) == truth).sum())} of 200</b>" in text
    for label, row in zip(saved.labels, metrics.confusion_matrix(truth, both.argmax(axis=1)), strict=True):
        index = saved.labels.index(label)
        assert f"<td>{row[index]} of {row.sum()}</td>" in text


def test_the_page_needs_nothing_from_outside_and_escapes_names(tmp_path):
    made(tmp_path, 12, 60)
    text = (tmp_path / "report" / "index.html").read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url[(]""", text)
    assert "&lt;sign&gt; &amp; 3" in text and "<sign>" not in text
    for name in re.findall(r'src="([^"]+)"', text):
        assert (tmp_path / "report" / name).is_file()


def test_overridden_checks_and_missing_parts_are_said(tmp_path):
    found, tables = made(tmp_path, 5, 40)
    found.splits["test"].checks = ["1 person is in train and in test (Ann)"]
    found.calibration = None
    report_page.write_page(Model(tmp_path, 5).bundle, "drawn", "test", found, tables["test"])
    text = (tmp_path / "report" / "index.html").read_text()
    assert "cannot be trusted" in text and "(Ann)" in text
    assert "--robustness" in text and "Not calibrated" in text and "no log.csv" in text
    one = tables["test"]
    one.clips = [replace(item, signer="Ann") for item in one.clips]
    found.splits["test"] = measured(Model(tmp_path, 5), one, [["c", "cut short"]])
    report_page.write_page(Model(tmp_path, 5).bundle, "drawn", "test", found, one)
    text = (tmp_path / "report" / "index.html").read_text()
    assert "All clips are of one person, Ann" in text and "1 clip could not be read" in text and "seed 0" in text


def test_confused_classes_stand_side_by_side():
    counts = np.diag([5] * 9)
    for one, other in ((0, 7), (2, 8), (4, 6)):
        counts[one, other] = counts[other, one] = 4
    found = plots.similar_order(counts).tolist()
    assert sorted(found) == list(range(9))
    for one, other in ((0, 7), (2, 8), (4, 6)):
        assert abs(found.index(one) - found.index(other)) == 1


def test_what_is_read_is_what_was_written(tmp_path, capsys):
    found, _ = made(tmp_path, 5, 40)
    found.splits["test"].gallery, found.splits["valid"].robustness = [], {"clips": 3}
    found.write(tmp_path)
    content = json.loads((tmp_path / "metrics.json").read_text())
    assert content["test"].keys() - content["valid"].keys() == {"gallery"} and "top1" in content["test"]["rgb"]
    assert list(content["test"]["flow"]["signers"][0]) == ["signer", "clips", "right", "top1", "low", "high"]
    assert read_splits(tmp_path) == read_splits(tmp_path, {}) == found.splits
    assert read_splits(tmp_path, {"rgb.weights.h5": "12"}) == {}, "of other weights"
    (tmp_path / "metrics.json").write_text(json.dumps({"model": {}, "test": {"clips": 3}}))
    assert read_splits(tmp_path) == {}, "not whole"
    (tmp_path / "metrics.json").write_text("[]")
    assert read_splits(tmp_path, {}) == {} and capsys.readouterr().err.count("its numbers are left out") == 2


def test_249_classes_can_be_read(tmp_path):
    made(tmp_path, 249, 2000)
    picture = cv2.imread(str(tmp_path / "report" / "confusion.png"))
    assert min(picture.shape[:2]) > 249 * 14, "14 pixels a class: a name of 5 points"
    text = (tmp_path / "report" / "index.html").read_text()
    assert text.count('<td class="name">&lt;sign&gt;') >= 249


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; the page is not looked at")
@pytest.mark.parametrize("width", [1200, 500])  # headless Chromium makes no window below 500 pixels
def test_a_browser_shows_every_picture_and_nothing_is_cut_off(tmp_path, width):
    made(tmp_path, 40, 300)
    pictures, missing, over, links = look(tmp_path / "report" / "index.html", width, tmp_path)
    assert pictures == 2 and missing == 0 and over <= 0 and links > 8


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; the page is not printed")
def test_it_prints(tmp_path):
    made(tmp_path, 12, 60)
    run_chromium(tmp_path / "report" / "index.html", tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    content = (tmp_path / "page.pdf").read_bytes()
    assert content.startswith(b"%PDF") and len(content) > 30000
