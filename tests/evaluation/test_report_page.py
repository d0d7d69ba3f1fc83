"""The report page: every number of metrics.json on it, nothing from outside, and a look at it in a browser."""

import html
import json
import re
from dataclasses import replace
from pathlib import Path

from signs.clips.dataset import Clip, Label
from signs.clips.spec import ClipSpec, FlowSpec, InputSpec, StoredSpec
from signs.evaluation import calibration, plots, report_page, shown_clips
from signs.evaluation.metrics import Metrics, SplitResult, measure_split, read_splits
from signs.inference.bundle import Bundle, Stream
from signs.inference.confidence import Calibration
from signs.inference.predictions import BOTH, Predictions, fuse

import cv2
import numpy as np
import pytest
from sklearn import metrics

from browser import CHROMIUM, UNFOLD, axe_script, axe_violations, look, opened, run_chromium


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
        self.bundle = Bundle(
            folder, spec, names, streams, "mean", {"flags": {"seed": 0, "model": ["a", "b"]}, "commit": "c0ffee"}
        )
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


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("page")
    made(folder, 12, 60)
    return folder / "report" / "index.html"


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
    assert f'<p class="number">{int((both.argmax(axis=1) == truth).sum())} of 200 ' in text
    for label, row in zip(saved.labels, metrics.confusion_matrix(truth, both.argmax(axis=1)), strict=True):
        index = saved.labels.index(label)
        assert f'data-value="{row[index]}">{row[index]} of {row.sum()}</td>' in text


def test_the_page_needs_nothing_from_outside_and_escapes_names(page):
    text = page.read_text()
    assert not re.search(r"""(src|href)=["']?(https?:)?//|@import|url[(]""", text)
    assert "&lt;sign&gt; &amp; 3" in text and "<sign>" not in text
    for name in re.findall(r'src="([^"]+)"', text):
        assert (page.parent / name).is_file()


def test_overridden_checks_and_missing_parts_are_said(tmp_path):
    found, tables = made(tmp_path, 5, 40)
    found.splits["test"].checks = ["1 person is in train and in test (Ann)"]
    found.calibration = None
    report_page.write_page(Model(tmp_path, 5).bundle, "drawn", "test", found, tables["test"])
    text = (tmp_path / "report" / "index.html").read_text()
    assert "cannot be trusted" in text and "(Ann)" in text
    assert "--robustness" in text and "Not calibrated" in text and "How it learnt" not in text
    one = tables["test"]
    one.clips = [replace(item, signer="Ann") for item in one.clips]
    found.splits["test"] = measured(Model(tmp_path, 5), one, [["c", "cut short"]])
    report_page.write_page(Model(tmp_path, 5).bundle, "drawn", "test", found, one)
    text = (tmp_path / "report" / "index.html").read_text()
    assert (
        "All clips are of one person, Ann" in text
        and "1 clip could not be read" in text
        and "<td>seed 0; model a, b</td>" in text
    )


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
    assert text.count('<th scope="row" class="name">&lt;sign&gt;') >= 249


def first_screen(folder: Path) -> str:
    """The text of a page before what is folded."""
    text = (folder / "report" / "index.html").read_text().partition("<main>")[2].partition("<details")[0]
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)))


def test_the_first_screen_says_who_and_what_fails_and_what_to_record(tmp_path):
    """Sign 2 is always taken for sign 3, and S4's clips of sign 1 too."""
    model, table = Model(tmp_path, 4), predictions("test", 4, 100)
    truth = table.truth.copy()
    asked = np.where((truth == 1) | ((truth == 0) & (np.arange(100) % 5 == 4)), 2, truth)
    table.streams = dict.fromkeys(("rgb", "flow", BOTH), np.eye(4)[asked] * 0.6 + 0.1)
    training = {"clips": {"001": 20, "002": 5, "003": 20, "004": 20}, "signers": 3}
    result = replace(measured(model, table), training=training)
    report_page.write_page(model.bundle, "drawn", "test", Metrics({}, None, {"test": result}), table)
    said, clips = first_screen(tmp_path), np.bincount(truth)
    right, fails = int((asked == truth).sum()), result.streams[BOTH]["signers"][0]
    assert f"{right} of 100 clips are right: {right} %" in said
    assert f"For new people about {round(right / 10)} of ten answers are right" in said
    assert f"<sign> & 2 : 0 of {clips[1]} right, most often taken for <sign> & 3 ({clips[1]} times)" in said
    assert f"{fails['signer']} : {fails['right']} of {fails['clips']} right" in said and fails["right"] < fails["clips"]
    assert "<sign> & 2 and <sign> & 3 : 5 more takes of each, by several people" in said
    assert "<sign> & 2 : it learnt from 5 clips of it, of most signs from 20" in said
    assert f"more people, some who sign like {fails['signer']} : it learnt from 3 people" in said


def test_one_person_who_fails_altogether_comes_first_with_a_link_to_the_clips(tmp_path):
    """S4's clips, all but those of no sign, are taken for none, which is sign 4."""
    model, table = Model(tmp_path, 4), predictions("test", 4, 100)
    model.bundle.classes[3] = model.classes[3] = replace(model.classes[3], kind="none")
    truth, theirs = table.truth, np.arange(100) % 5 == 4
    asked = np.where(theirs, 3, truth)
    table.streams = dict.fromkeys(("rgb", "flow", BOTH), np.eye(4)[asked] * 0.6 + 0.1)
    result = measured(model, table)
    chosen = shown_clips.pick_clips(table, BOTH, 12, 1, model.calibration)
    result.gallery = [
        shown_clips.describe_clip(table, index, model.calibration, frozenset({"004"})) for index in chosen
    ]
    report_page.write_page(model.bundle, "drawn", "test", Metrics({}, None, {"test": result}), table)
    said, wrong, signs = first_screen(tmp_path), int((asked != truth).sum()), truth != 3
    assert f"{int((signs & ~theirs).sum())} of {signs.sum()} clips of signs are right" in said
    assert f"{(~signs).sum()} of {(~signs).sum()} clips without a sign are left alone" in said
    assert f"S4 : {wrong} of {wrong} clips fail, {wrong} of them as “<sign> & 4”" in said
    assert "0 of 3 signs fail" in said and "more takes, by" not in said
    assert said.index("Which people fail?") < said.index("Which signs fail?")
    text = (tmp_path / "report" / "index.html").read_text()
    assert 'href="#clips-of-1"' in text and 'id="clips-of-1"' in text
    assert f"{'all ' if wrong <= 12 else '12 of '}{wrong} that are wrong, 1 that are right" in text


def test_people_and_inputs_are_counted_by_clips_of_signs(tmp_path):
    """All clips of no sign, which is sign 4, are taken for sign 1, and all signs are right."""
    model, table = Model(tmp_path, 4), predictions("test", 4, 100)
    model.bundle.classes[3] = model.classes[3] = replace(model.classes[3], kind="none")
    idle = table.truth == 3
    table.streams = dict.fromkeys(("rgb", "flow", BOTH), np.eye(4)[np.where(idle, 0, table.truth)] * 0.6 + 0.1)
    result = measured(model, table)
    metrics_of = Metrics({}, None, {"test": result})
    report_page.write_page(model.bundle, "drawn", "test", metrics_of, table)
    text = re.sub(r"\s+", " ", (tmp_path / "report" / "index.html").read_text())
    assert "0 of 5 <span>people fail" in text and text.count("<b>100.0</b>") >= 3
    for person in range(5):
        theirs = np.arange(100) % 5 == person
        signs, others = int((theirs & ~idle).sum()), int((theirs & idle).sum())
        row = text.partition(f'<th scope="row">S{person}</th>')[2].partition("</tr>")[0]
        assert f">{signs} of {signs}</td>" in row and f">0 of {others}</td>" in row
    assert f"Test, {int((~idle).sum())} clips of signs</caption>" in text
    assert "clips without a sign have a column of their own" in text
    metrics_of.write(tmp_path)
    found = json.loads((tmp_path / "metrics.json").read_text())["test"]
    assert found["both"]["top1"] == 1 - idle.mean(), "what others read counts all clips"
    assert read_splits(tmp_path)["test"].signs == json.loads(json.dumps(result.signs))
    assert f" 0 of {idle.sum()} clips without a sign are left alone" in first_screen(tmp_path)
    assert f"more takes, by several people; {idle.sum()} of {idle.sum()} are taken for a sign" in first_screen(tmp_path)
    model.calibration = Calibration(threshold=0.99)
    unsure = Metrics({}, None, {"test": measured(model, table)})
    report_page.write_page(model.bundle, "drawn", "test", unsure, table)
    assert f" {idle.sum()} of {idle.sum()} clips without a sign are left alone" in first_screen(tmp_path)


def test_with_and_without_a_limit_the_words_and_the_picture_fit(tmp_path, monkeypatch):
    drawn, write = [], plots.write_calibration
    monkeypatch.setattr(plots, "write_calibration", lambda *given: (drawn.append(given[1]), write(*given)))
    found, tables = made(tmp_path, 5, 40)
    model = Model(tmp_path, 5)
    for threshold, said in ((None, "There is no limit of how sure"), (0.5938, "less than <b>59.4\xa0%</b> sure")):
        found.calibration["threshold"] = threshold
        report_page.write_page(model.bundle, "drawn", "test", found, tables["test"])
        text = (tmp_path / "report" / "index.html").read_text()
        assert said in text and ". Of the 40 test clips <b>" in re.sub(r"\s+", " ", text)
        assert (drawn[-1] is None) == (threshold is None), "a dot only where there is a limit"


def test_of_few_clips_nothing_is_called_better_by_one(tmp_path):
    found, tables = made(tmp_path, 5, 40)
    spans = {"darker": (1 / 9, 0.01, 0.4), "mirrored": (-0.44, -0.87, 0.02), "slow": (-0.5, -0.9, -0.1)}
    rows = {
        name: {"top1": 0.5, "difference": dict(zip(("value", "low", "high"), span, strict=True))}
        for name, span in spans.items()
    }
    found.splits["test"].robustness = {"clips": 9, "over": "signers", "top1": 0.78, "changes": rows, "failed": []}
    report_page.write_page(Model(tmp_path, 5).bundle, "drawn", "test", found, tables["test"])
    text = (tmp_path / "report" / "index.html").read_text()
    assert "One clip is 11 points" in text
    assert re.findall(r'"What that says">([^<]+)</td>', text) == [
        "no difference beyond one clip",
        "fewer are right, but so few clips may do so by chance",
        "worse",
    ]


def test_clips_have_one_number_and_nobody_is_shown_who_does_not_allow_it(tmp_path):
    found, tables = made(tmp_path, 5, 40)
    about = {
        "signer": "S1",
        "label": "001",
        "answer": "002",
        "right": False,
        "confidence": 0.62,
        "unsure": None,
        "shown": True,
    }
    nearest = {"clip": "t1", "signer": "S9", "label": "002", "alike": 0.9, "loop": None}
    row = {"clip": "c1", **about, "top": [("002", 0.62), ("001", 0.3)], "nearest": nearest, "looked": {}}
    row |= {"alone": {"rgb": "001", "flow": "002"}, "loops": {"rgb": "gallery/c1-rgb.webp", "flow": "gallery/f.webp"}}
    many = {"rgb": "001", "rgb-histogram": "002", "flow": "002", "flow-histogram": "002"}
    hidden = row | {"clip": "c2", "shown": False, "loops": {}, "alone": many}
    found.splits["test"].gallery = [row, hidden]
    report_page.write_page(Model(tmp_path, 5).bundle, "drawn", "test", found, tables["test"])
    text = (tmp_path / "report" / "index.html").read_text()
    parts = [re.sub(r"<[^>]+>|\s+", " ", part) for part in text.split('<section class="clip">')[1:]]
    parts = [re.sub(" +", " ", html.unescape(part)).partition("Which signs are")[0] for part in parts]
    one, other = parts
    assert "taken for <sign> & 2 , 62 % sure" in one and "Its answers: <sign> & 2 62 % , <sign> & 1 30 %" in one
    assert "Each input alone: <sign> & 1 by colour pictures; <sign> & 2 by movement (optical flow)." in one
    assert set(re.findall(r"(\d+) %", one)) == {"62", "30"} and "(not shown: not allowed)" in one
    assert text.count('class="loop"') == 2 and "No loop: whoever signs does not allow" in other and "c2" in other
    assert "<sign> & 1 by 1 of 4; <sign> & 2 by 3 of 4." in other


def test_networks_that_see_the_same_have_names_of_their_own(tmp_path):
    model = Model(tmp_path, 3)
    body = replace(model.bundle.spec.input, region="body")
    model.bundle.streams[:] = [
        Stream("rgb", "rgb", "i3d", {}, {}),
        Stream("rgb-histogram", "rgb", "histogram", {}, {}),
        Stream("rgb-histogram-body", "rgb", "histogram", {}, {}, body),
        Stream("rgb-histogram-2", "rgb", "histogram", {}, {}),
        Stream("flow", "flow", "i3d", {}, {}),
    ]
    names = [stream.name for stream in model.bundle.streams]
    middle = "middle of the picture"
    assert report_page.stream_titles(model.bundle, [*names, "all"]) == {
        "rgb": f"colour pictures, I3D network, {middle}",
        "rgb-histogram": f"colour pictures, histograms, {middle}",
        "rgb-histogram-body": "colour pictures, histograms, cut to the body",
        "rgb-histogram-2": f"colour pictures, histograms, {middle}, number 2",
        "flow": "movement (optical flow)",
        "all": "all 5 together",
    }


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; the page is not looked at")
@pytest.mark.parametrize("width", [1200, 390])
def test_a_browser_shows_every_picture_and_nothing_is_cut_off(tmp_path, width):
    made(tmp_path, 40, 300)
    pictures, missing, over, links = look(tmp_path / "report" / "index.html", width, tmp_path)
    assert pictures == 2 and missing == 0 and over <= 0 and links > 5


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; the page is not looked at")
def test_signs_are_sorted_and_found_by_keys_alone(page, tmp_path):
    """The page's own script runs under its policy; without a script nothing is offered that does nothing."""
    shown = "[...document.querySelectorAll('#signs-table tbody tr:not([hidden]) th')].map(row => row.textContent)"
    names = sorted((f"<sign> & {number}" for number in range(1, 13)), key=lambda name: int(name[9:]))
    with opened(page, tmp_path) as tab:
        tab.run(UNFOLD)
        worst_first = tab.run(shown)
        assert sorted(worst_first) == sorted(names) != worst_first
        tab.run("document.querySelector('#signs-table button').focus()")
        order = "document.querySelector('#signs-table th').getAttribute('aria-sort')"
        tab.key("Enter")
        assert tab.run(shown) == names and tab.run(order) == "ascending"
        tab.key(" ")
        assert tab.run(shown) == names[::-1] and tab.run(order) == "descending"
        tab.run("document.querySelector('.search input').focus()")
        for letter in "& 12":
            tab.key(letter)
        assert "<sign> & 12" in tab.run(shown) and len(tab.run(shown)) < 12
        assert tab.run("document.querySelector('[role=status]').textContent").endswith("of 12 signs")
    text = page.read_text()
    assert "<button" not in text.partition("<script>")[0] and 'class="search" data-table="signs-table" hidden' in text


def test_a_policy_lets_nothing_in(page):
    text = html.unescape(page.read_text())
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)[1]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "http" not in policy
    assert not re.search(r"<[^>]+ (style|on[a-z]+)=", text), "nothing that the policy would stop"


def test_axe_finds_nothing(page, tmp_path):
    axe_script()
    with opened(page, tmp_path) as tab:
        for width, dark in ((1280, False), (390, True)):
            tab.look(width, dark)
            assert axe_violations(tab) == [], "as it opens"
        tab.run(UNFOLD)
        for width, dark in ((390, True), (390, False), (1280, True), (1280, False)):
            tab.look(width, dark)
            assert axe_violations(tab) == [], "with all that is folded"


@pytest.mark.skipif(not CHROMIUM, reason="no Chromium here; the page is not printed")
def test_it_prints(page, tmp_path):
    run_chromium(page, tmp_path, f"--print-to-pdf={tmp_path / 'page.pdf'}")
    content = (tmp_path / "page.pdf").read_bytes()
    assert content.startswith(b"%PDF") and len(content) > 30000
