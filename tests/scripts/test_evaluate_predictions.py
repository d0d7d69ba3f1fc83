"""evaluate.py --predictions: scikit-learn's probabilities of tiny clips, and all that may be wrong in a file."""

import csv
import json
import re
import subprocess
import sys
import zipfile
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip, Dataset, Label, load_dataset
from signs.command import Problem
from signs.evaluation import foreign, foreign_table
from signs.evaluation.foreign import Clips
from signs.inference.predictions import Predictions, write_counts

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

import evaluate
import prepare_videos
from frame import read_video
from tiny import REPOSITORY, encode

WAYS = {"left": (0, -1), "right": (0, 1), "up": (-1, 0)}
PEOPLE = ("ana", "ben", "cem", "dia", "eva", "fay")


def film(way: str, seed: int) -> np.ndarray:
    """(8, 32, 32, 3) uint8: a bright square on noise that goes some way, as clearly as this person does it."""
    rng = np.random.default_rng(seed)
    frames = rng.integers(0, 60, (8, 32, 32, 3), np.uint8)
    y, x = rng.integers(9, 15, 2)
    for number, picture in enumerate(frames):
        dy, dx = (round(number * step * rng.uniform(0.2, 1.3)) for step in WAYS[way])
        picture[y + dy : y + dy + 9, x + dx : x + dx + 9] = 230
    return frames


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """72 clips of three movements by six people, of whom one validates and two test."""
    folder = tmp_path_factory.mktemp("foreign")
    with open(folder / "list.csv", "w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("video", "label", "signer"))
        for number, person in enumerate(PEOPLE):
            for way in WAYS:
                for take in range(4):
                    path = folder / person / f"{way}_{take}.mp4"
                    path.parent.mkdir(exist_ok=True)
                    encode(path, film(way, 100 * number + 10 * take + len(way)))
                    rows.writerow((path.relative_to(folder), way, person))
    splits = ["--valid-signers", "dia", "--test-signers", "eva,fay", "--train-signers", "ana,ben,cem"]
    assert prepare_videos.main(["--videos", f"{folder}/list.csv", "--output", f"{folder}/data", *splits]) == 0
    return load_dataset(folder / "data")


@pytest.fixture(scope="module")
def learnt(data):
    """{clip: (classes,) probabilities} of valid and test by another library, and its classes."""
    x, y = zip(*((features(item.video(data.folder)), item.label) for item in data.split("train")), strict=True)
    model = LogisticRegression(C=0.05).fit(x, y)
    items = data.split("valid", "test")
    shares = model.predict_proba([features(item.video(data.folder)) for item in items])
    return dict(zip((item.clip for item in items), shares, strict=True)), list(model.classes_)


def features(path: Path) -> np.ndarray:
    """How the brightest places move: their mean place in each frame."""
    grey = read_video(path)[0].mean(axis=-1)
    places = [np.argwhere(picture > 150).mean(axis=0) if (picture > 150).any() else (16, 16) for picture in grey]
    return np.diff(places, axis=0).ravel()


def write(path: Path, rows: list[tuple], heads: list[str]) -> Path:
    with open(path, "w", newline="") as file:
        csv.writer(file).writerows([heads, *rows])
    return path


def rows_of(learnt, key=str) -> list[tuple]:
    return [(key(clip), *shares) for clip, shares in learnt[0].items()]


@pytest.fixture(scope="module")
def judged(data, learnt, tmp_path_factory):
    """(report folder, what the script printed): the script itself, columns in another order, paths for names."""
    folder = tmp_path_factory.mktemp("report")
    path_of = {item.clip: f"C:\\clips\\{item.source.replace('/', chr(92))}" for item in data.clips}
    rows = [(path_of[clip], *shares[::-1]) for clip, shares in learnt[0].items()]
    table = write(folder / "theirs.csv", rows, ["file", *learnt[1][::-1]])
    code = "import sys, evaluate; code = evaluate.main(sys.argv[1:]); "
    code += "print('loaded', [name for name in ('keras', 'tensorflow') if name in sys.modules]); sys.exit(code)"
    flags = ["--data", data.folder, "--predictions", table, "--output", folder / "out", "--split", "valid", "test"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, flags)], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == command.DONE, done.stderr
    return folder / "out", done.stdout


def test_every_number_is_that_of_scikit_learn_and_no_tensorflow_is_loaded(data, learnt, judged):
    folder, said = judged
    assert "36 rows: 36 used" in said and "loaded []" in said
    metrics = json.loads((folder / "metrics.json").read_text())
    for split, people in (("valid", 1), ("test", 2)):
        items, found = data.split(split), metrics[split]
        right = [learnt[1][learnt[0][item.clip].argmax()] == item.label for item in items]
        assert found["clips"] == len(items) == 12 * people
        assert found["given"]["top1"] == pytest.approx(np.mean(right)) and 0.4 < np.mean(right) < 1
        assert len(found["given"]["signers"]) == people
    assert metrics["calibration"]["temperature"] != 1 and metrics["test"]["given"]["over"] == "signers"
    table = Predictions.read(folder / "predictions-test.csv", "test")
    assert table.labels == [row.label for row in data.classes]
    for item, row in zip(table.clips, table.streams["given"], strict=True):
        shares = dict(zip(learnt[1], learnt[0][item.clip], strict=True))
        np.testing.assert_allclose(row, [shares[label] for label in table.labels], atol=1e-8)


def test_the_page_says_whose_numbers_these_are(judged):
    page = (judged[0] / "report" / "index.html").read_text()
    assert "probabilities as given" in page and "none was run: the probabilities are somebody else" in page
    assert "theirs.csv" in page and "no log.csv" not in page and "--robustness" not in page
    assert "taken for" in page, "the surest wrong answers are named"
    assert {path.name for path in (judged[0] / "report").iterdir()} == {
        "index.html",
        "confusion.png",
        "calibration.png",
    }


def test_npz_and_json_lines_give_the_same(data, learnt, judged, tmp_path):
    clips, labels = list(learnt[0]), learnt[1]
    shares = np.array([*learnt[0].values()])
    np.savez(tmp_path / "a.npz", clips=clips, labels=labels, logits=np.log(shares) + 3)
    lines = [
        {"clip": clip, "probabilities": dict(zip(labels, row.tolist(), strict=True))} for clip, row in learnt[0].items()
    ]
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, lines)))
    expected = Predictions.read(judged[0] / "predictions-test.csv", "test").streams["given"]
    for name in ("a.npz", "b.jsonl"):
        tables, _, account = foreign.read_predictions([tmp_path / name], data, ["test"])
        assert not tables["test"][1] and not account.failed
        np.testing.assert_allclose(tables["test"][0].streams["given"], expected, atol=1e-8)


def test_each_row_and_each_clip_ends_in_a_reason(data, learnt, tmp_path, capsys):
    rows = rows_of(learnt)
    test = {item.clip for item in data.split("test")}
    mine, others = [row for row in rows if row[0] in test], [row for row in rows if row[0] not in test]
    lost, bad, same, differs = (row[0] for row in mine[:4])
    written = [
        *mine[2:],
        (bad, 0.5, "nan", 0.5),
        (same, *mine[2][1:]),
        (differs, *mine[3][:0:-1]),
        ("stranger.mp4", 1, 0, 0),
        *others,
    ]
    table = write(tmp_path / "t.csv", written, ["clip", *learnt[1]])
    flags = ["--data", str(data.folder), "--predictions", str(table), "--output", str(tmp_path / "out")]
    assert evaluate.main([*flags, "--split", "test"]) == command.PARTLY
    said = capsys.readouterr()
    assert "38 rows: 21 used, 12 of other splits, 2 of clips whose rows differ, " in said.out
    for reason in ("1 without usable numbers", "1 twice with the same numbers", "1 names no clip of the data set"):
        assert reason in said.out
    for name, why in (
        (lost, "no row in the file"),
        (bad, "no finite number of 1 class"),
        (differs, "2 rows with other"),
    ):
        assert any(name in line and why in line for line in said.err.splitlines())
    assert "stranger.mp4" in said.err and "4 not done" in said.err
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())["test"]
    assert metrics["clips"] == 21 and {name for name, _ in metrics["failed"]} == {lost, bad, differs}
    assert "3 clips got no probabilities" in (tmp_path / "out" / "report" / "index.html").read_text()


def test_ours_beside_it_on_the_clips_that_both_have(data, learnt, judged, tmp_path, capsys):
    rows = [row for row in rows_of(learnt) if row[0] != data.split("test")[0].clip]
    table = write(tmp_path / "t.csv", rows, ["clip", *learnt[1]])
    flags = ["--data", data.folder, "--predictions", table, "--output", tmp_path / "out", "--model", judged[0]]
    assert evaluate.main([*map(str, flags), "--split", "test"]) == command.PARTLY
    said = capsys.readouterr().out
    assert "1 clip of test that" in said and "23 clips" in said and "McNemar" in said
    assert (tmp_path / "out" / "gain-test.png").exists()


def test_ours_that_is_not_there_is_said_before_anything_is_read(data, tmp_path):
    flags = ["--data", data.folder, "--predictions", tmp_path / "none.csv", "--output", tmp_path / "out"]
    with pytest.raises(Problem, match="nowhere/predictions-valid.csv: no such file; run evaluate.py"):
        evaluate.main([*map(str, flags), "--model", "nowhere"])
    assert not (tmp_path / "out").exists()


def test_our_own_table_is_read_though_a_clip_begins_as_a_formula(tmp_path):
    clips = [Clip("-a", "test", "=1", "+anna"), Clip("b", "test", "@2", "ben")]
    small = Dataset(tmp_path, clips, [Label("=1", "=one"), Label("@2", "two")])
    Predictions(clips, ["=1", "@2"], {"given": np.eye(2)}).write(tmp_path / "t.csv")
    tables, _, account = foreign.read_predictions([tmp_path / "t.csv"], small, ["test"])
    assert not account.failed and tables["test"][0].hits("given").all()


def test_missing_and_other_classes_are_named(data, learnt, tmp_path, capsys):
    rows = [(clip, left, 0.4, "x") for clip, left, *_ in rows_of(learnt)]
    table = write(tmp_path / "t.csv", rows, ["clip", "p_left", "p_wave", "prediction"])
    with pytest.raises(Problem, match="no clip of test"):
        write(tmp_path / "e.csv", [("nobody", 1, 0)], ["clip", "left", "up"])
        evaluate.main([*flags_of(data, tmp_path / "e.csv", tmp_path / "e")])
    assert evaluate.main(flags_of(data, table, tmp_path / "out")) == command.DONE
    said = capsys.readouterr().out
    assert "2 classes of the data set have no column, and can never be answered: right, up" in said
    assert "1 column is a class that the data set has not; such an answer is wrong: wave" in said
    assert "not used: prediction" in said and "do not sum to one" in said
    table = Predictions.read(tmp_path / "out" / "predictions-test.csv", "test")
    assert table.labels == ["left", "right", "up", "wave"]


def test_the_example_of_the_documentation_runs_as_it_stands(data, tmp_path, capsys):
    text = (REPOSITORY / "docs" / "evaluation.md").read_text(encoding="utf-8").partition("## Anyone's model")[2]
    line = re.search(r"python evaluate\.py (.+)", text)[1].split()
    (tmp_path / "data_set").mkdir()
    (tmp_path / "data_set" / "mine").symlink_to(data.folder)
    example = re.search(r"```python\n(.+?)```", text, re.DOTALL)[1]
    subprocess.run([sys.executable, "-c", example], cwd=tmp_path, check=True)
    assert (
        evaluate.main([word if "/" not in word and ".csv" not in word else str(tmp_path / word) for word in line]) == 0
    )
    assert "36 rows: 36 used" in capsys.readouterr().out
    assert (
        json.loads((tmp_path / "model" / "theirs" / "metrics.json").read_text())["calibration"]["about"]["clips"] == 12
    )


def flags_of(data, table, output) -> list[str]:
    return [*map(str, ("--data", data.folder, "--predictions", table, "--output", output)), "--split", "test"]


CLASSES = [Label("1", "house"), Label("2", "go"), Label("3", "Été")]


@pytest.mark.parametrize(
    "heads, expected",
    [
        ("clip,3,1,2", {1: "3", 2: "1", 3: "2"}),
        ("clip,p_1,p_2,2", {1: "1", 2: "2"}),
        ("clip,HOUSE,go,été", {1: "1", 2: "2", 3: "3"}),
        ("clip,house,1", "both class 1"),
        ("clip,0,1,2", "columns 0 are numbers that are no label"),
        ("clip,cat,dog", "no column is a class; found cat, dog"),
    ],
)
def test_what_a_column_is(heads, expected):
    heads = heads.split(",")
    if isinstance(expected, str):
        with pytest.raises(Problem, match=expected):
            foreign_table.name_columns(Path("t.csv"), heads, range(1, len(heads)), CLASSES)
    else:
        assert foreign_table.name_columns(Path("t.csv"), heads, range(1, len(heads)), CLASSES).labels == expected


@pytest.mark.parametrize(
    "rows, note, first",
    [
        ([[0.7, 0.3], [0.4, 0.6]], None, [0.7, 0.3]),
        ([[0.9, 0.9], [0.2, 0.1]], "taken for shares", [0.5, 0.5]),
        ([[70, 30], [10, 90]], "percent", [0.7, 0.3]),
        ([[2, -1], [0, 5]], "taken for logits", [0.9525741, 0.0474259]),
        ([[0.7, 0.3], [0.4, 0.6], [0.5, -0.5]], None, [0.7, 0.3]),
    ],
)
def test_what_the_numbers_are(rows, note, first):
    shares, reasons, notes = foreign_table.as_probabilities(np.array(rows, float))
    np.testing.assert_allclose(shares[0], first, atol=1e-6)
    assert note in notes[0] if note else not notes
    assert list(reasons) == ([2] if len(rows) == 3 else [])


def test_files_that_are_no_tables(tmp_path):
    class Trap:
        def __reduce__(self):
            return (print, ("run!",))

    np.savez(tmp_path / "p.npz", clips=np.array([Trap()], object), labels=["1"], probabilities=[[1.0]])
    np.savez(tmp_path / "q.npz", clips=["a"], labels=["1", "2"], probabilities=[[1.0]])
    texts = {
        "e.csv": "",
        "n.csv": "1,2\n1,0\n",
        "z.npz": "PK",
        "j.jsonl": "[1]",
        "x.csv": "PK\x03\x04",
        "r.csv": "clip,1\na,1,2,3\n",
        "s.csv": "clip,1\na,1\nb,1,2,3\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(text)
    for name, why in {
        "p.npz": "never read",
        "q.npz": r"expected numbers, \(1, 2\)",
        "z.npz": "no .npz file",
        "e.csv": "no column clip; found nothing",
        "n.csv": "no column clip; found 1, 2",
        "j.jsonl": "expected",
        "x.csv": "Excel",
        "r.csv": "rows have more values",
        "s.csv": "not a CSV table",
        "none.csv": "no such file",
    }.items():
        with pytest.raises(Problem, match=why):
            foreign_table.read_probabilities(tmp_path / name, CLASSES)


def test_one_name_that_fits_two_clips_is_refused(data):
    clips = Clips(data)
    assert clips.find("x/eva/up_1.mp4").source.endswith("eva/up_1.mp4")
    with pytest.raises(Problem, match="may be 6 clips"):
        clips.find("up_1.mp4")


HUGE = "9" * 400  # more than a float holds
LINE = '{"clip": "a", "probabilities": {"house": 1, "tree": %s}}\n'


@pytest.mark.parametrize(
    "name, content, reason",
    [
        ("digits.csv", f"clip,house,tree\nb,1,0\na,1,{HUGE}\n".encode(), "such as tree"),
        ("digits.jsonl", (LINE % 0 + LINE % HUGE).encode(), "such as tree"),
        ("tabs.tsv", b"clip\thouse\ttree\na\t0,75\t0,25\n", None),
        ("comment.csv", b"clip,house,tree,remark\na,0.75,0.25,blurred\n", None),
        ("frames.csv", b"clip,frames,house,tree\na,40,0.75,0.25\n", None),
        ("line.jsonl", (LINE % 0).replace('"a"', '"a\u2028b"').encode(), None),
    ],
)
def test_odd_numbers_and_texts_are_read_or_refused_with_their_row(name, content, reason, tmp_path):
    (tmp_path / name).write_bytes(content)
    classes = [Label("house", "house"), Label("tree", "tree")]
    table = foreign_table.read_probabilities(tmp_path / name, classes)
    last = len(table.names) - 1
    assert reason in table.reasons[last] if reason else table.values[last].sum() == 1 and not table.others


def test_damaged_arrays_are_no_traceback(tmp_path):
    path, classes = tmp_path / "x.npz", [Label("house", "house")]
    head = b"{'descr': '<f8', 'shape': " + b"(" * 50 + b"\n"
    for clips in (b"a text", b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head):
        with zipfile.ZipFile(path, "w") as archive:
            for name in ("clips.npy", "labels.npy", "probabilities.npy"):
                archive.writestr(name, clips)
        with pytest.raises(Problem, match="x.npz: "):
            foreign_table.read_probabilities(path, classes)
    np.savez(path, clips=np.array([[b"\xff"]]), labels=np.array(["house"]), probabilities=np.ones((1, 1, 1)))
    with pytest.raises(Problem, match="clips has the shape"):
        foreign_table.read_probabilities(path, classes)


def test_a_class_of_another_model_is_one_line_of_text(tmp_path):
    path = tmp_path / "x.jsonl"
    for head in ("a\\nb", "\\ud800", "x" * 201):
        path.write_text(f'{{"clip": "a", "probabilities": {{"house": 1, "{head}": 0}}}}\n')
        with pytest.raises(Problem, match="expected one line of text"):
            foreign_table.read_probabilities(path, [Label("house", "house")])


def test_the_ids_of_a_sets_own_lists_are_its_clips():
    names = ["signer3_sample1_color", "signer3_sample10_color", "signer3_sample1_depth", "b_color", "b", "00543"]
    items = [Clip(name, "test", "x", "ana", source=f"test/{name}.mp4") for name in names]
    clips = Clips(Dataset(Path("set"), items, [Label("x", "x")]))
    for asked in ("signer3_sample1", "test/signer3_sample1.mp4", "signer3_sample1_color.mp4"):
        assert clips.find(asked).clip == "signer3_sample1_color"
    assert clips.find("b").clip == clips.find("test/b.mp4").clip == "b", "a name itself comes first"
    assert clips.find("00543").clip == "00543"


def test_numbers_that_lost_their_zeros_are_told_what_to_do(tmp_path, capsys):
    items = [Clip(name, "test", "x", "ana") for name in ("00543", "00544", "0054", "054", "700")]
    data = Dataset(tmp_path, items, [Label("x", "x"), Label("y", "y")])
    clips = Clips(data)
    for asked in ("543", "543.0"):
        with pytest.raises(Problem, match="names no clip of the data set; 00543 is one: .*zfill"):
            clips.find(asked)
    for asked in ("54", "0700", "9"):  # two clips, other zeros than it has, none
        with pytest.raises(Problem, match="names no clip of the data set$"):
            clips.find(asked)
    table = write(tmp_path / "theirs.csv", [("543", 0.5, 0.5), ("544", 0.5, 0.5)], ["clip", "x", "y"])
    with pytest.raises(Problem, match="such as 00543; 543: names no clip .*; 00543 is one"):
        foreign.read_predictions([table], data, ["test"])


def test_names_of_clips_as_macos_spells_them():
    assert foreign.parts_of("videos/e\u0301t\u00e9.mp4") == ("videos", "\u00e9t\u00e9")


def test_the_folder_of_a_model_is_no_place_for_other_numbers(data, learnt, tmp_path):
    table, model = write(tmp_path / "theirs.csv", rows_of(learnt), ["clip", *learnt[1]]), tmp_path / "model"
    model.mkdir()
    (model / "bundle.json").write_text("{}")
    with pytest.raises(Problem, match="is a model, whose own evaluation would be lost"):
        evaluate.main(["--data", f"{data.folder}", "--predictions", f"{table}", "--output", f"{model}"])
    assert [path.name for path in model.iterdir()] == ["bundle.json"]


def test_a_class_that_begins_a_formula_is_a_text_in_the_confusion_matrix(tmp_path):
    write_counts(tmp_path / "confusion.csv", np.eye(2, dtype=int), ["=cmd", "house"])
    assert (tmp_path / "confusion.csv").read_text() == "true,'=cmd,house\n'=cmd,1,0\nhouse,0,1\n"
