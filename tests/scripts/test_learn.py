"""learn.py: from takes of somebody's own signs to a model, what it says of it, and back to the model before."""

import functools
import json
import shutil
from dataclasses import replace
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip, Dataset, Label, load_dataset, save_dataset
from signs.clips.no_sign import NO_SIGN, NOTHING
from signs.clips.points import read_points
from signs.command import Problem
from signs.evaluation import own_signs, whole_network
from signs.inference import model_exchange
from signs.inference.bundle import load_bundle
from signs.inference.recogniser import Recogniser
from signs.training import pauses, withdrawal

import numpy as np
import pytest

import evaluate
import learn
import posed
import tiny
import train_landmark
from conftest import without_graphs

STORE = "landmark-30fps"


@pytest.fixture(scope="module", autouse=True)
def _opened_once():
    """The network below the last layer, which nobody changes, is built and read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(own_signs, "open_start", functools.cache(own_signs.open_start))
        yield


@pytest.fixture(scope="module")
def takes(tmp_path_factory) -> Path:
    """Four people's takes of three signs, as learn.py prepares them: all are for training."""
    data = posed.data_set(tmp_path_factory.mktemp("takes") / "data")
    clips = [replace(item, split="train") for item in data.clips]
    for old, new in zip(data.clips, clips, strict=True):
        new.archive(data.folder, STORE).parent.mkdir(parents=True, exist_ok=True)
        old.archive(data.folder, STORE).replace(new.archive(data.folder, STORE))
    save_dataset(Dataset(data.folder, clips, data.classes))
    return data.folder


def run_here(script: str, *flags, shown: bool = False) -> int:
    """What learn.py starts, in this process: trainings are short, forms are none."""
    flags = [*map(str, flags)]
    if script == "train_landmark.py":
        return train_landmark.main(flags if "--refit" in flags else [*flags, "--epochs", "1"])
    return evaluate.main(flags) if script == "evaluate.py" else command.DONE


def learn_from(takes: Path, folder: Path, chosen, *more: str) -> int:
    """The exit code of learn.py on some of these takes, with `data` and `mine` below the folder."""
    data, whole = folder / "data", load_dataset(takes)

    def prepare(args) -> list[int]:
        shutil.copytree(takes, data, dirs_exist_ok=True)
        save_dataset(Dataset(data, [item for item in whole.clips if chosen(item)], whole.classes))
        return [command.DONE]

    with pytest.MonkeyPatch.context() as patch, without_graphs():
        patch.setattr(learn.models, "fetch", lambda: None)
        patch.setattr(learn, "run", run_here)
        patch.setattr(learn, "prepare", prepare)
        flags = ["--videos", "any", "--data", str(data), "--model", str(folder / "mine"), *more]
        return command.run(lambda: learn.main(flags))


@pytest.fixture(scope="module")
def learnt(takes, tmp_path_factory) -> Path:
    """Folders to begin with: `anna` has learnt from her, `both` from her and then from ben too, `three` from those that
    are not dana."""
    folder = tmp_path_factory.mktemp("learnt")
    for before, name, people in ((None, "anna", "a"), ("anna", "both", "ab"), (None, "three", "abc")):
        if before:
            shutil.copytree(folder / before, folder / name)
        assert learn_from(takes, folder / name, lambda item, people=people: item.signer[0] in people) == command.DONE
    return folder


@pytest.fixture
def run(takes, learnt, tmp_path, capsys):
    """learn.py on some of these takes: `run(lambda item: ..., "--back")`; its exit code and what it printed.
    `run.begin("anna")`: with one of the folders of `learnt`."""

    def run(chosen=lambda item: True, *more: str) -> tuple[int, str]:
        code = learn_from(takes, tmp_path, chosen, *more)
        captured = capsys.readouterr()
        return code, captured.out + captured.err

    run.model, run.data = tmp_path / "mine", tmp_path / "data"
    run.begin = lambda name: shutil.copytree(learnt / name, tmp_path, dirs_exist_ok=True)
    return run


def named_right(model: Path, data: Path, clips: list) -> float:
    """Share of clips that a model names right."""
    recogniser = Recogniser.load(model, "keras")
    stored = recogniser.bundle.spec.stored.landmark
    right = 0
    for item in clips:
        row = recogniser.bundle.streams[0]
        inputs = recogniser.input(row, read_points(item.archive(data, STORE), stored), {})
        right += recogniser.labels[int(recogniser.logits(row, inputs)[0].argmax())] == item.label
    return right / len(clips)


def test_people_and_what_is_said_of_the_model(run):
    code, said = run(lambda item: item.signer != "dana")
    assert code == command.DONE and "27 takes of 3 signs, by 3 people" in said
    assert "for the people in it about " in said and "for somebody new about " in said
    assert f"python livedemo.py --model {run.model}" in said
    assert (run.model / "report.txt").read_text() in said
    dana = [item for item in load_dataset(run.data).clips if item.signer == "dana"]
    assert not dana, "the data set has what was chosen"
    assert json.loads((run.model / "calibration.json").read_text())["about"]["clips"] == 27


def test_somebody_new_is_named(learnt, takes):
    dana = [item for item in load_dataset(takes).clips if item.signer == "dana"]
    assert named_right(learnt / "three" / "mine", takes, dana) >= 7 / 9


def test_what_is_no_sign_is_called_so(learnt, takes):
    """Nobody recorded a take of `nothing`; asked is somebody new who does not sign."""
    model, data = learnt / "three" / "mine", learnt / "three" / "data"
    recogniser = Recogniser.load(model, "keras")
    assert [row.label for row in recogniser.classes if row.kind == "none"] == [NOTHING]
    assert recogniser.name(NOTHING) == NO_SIGN
    assert json.loads((model / "calibration.json").read_text())["threshold"] is not None
    assert NOTHING not in {row.label for row in load_dataset(data).classes}
    bundle, given = recogniser.bundle, []
    for item in load_dataset(takes).clips:
        if item.signer == "dana":
            take = read_points(item.archive(takes, STORE), bundle.spec.stored.landmark)
            for _, points in pauses.pauses_of(take, np.random.default_rng(7)):
                row = bundle.streams[0]
                logits = recogniser.logits(row, recogniser.input(row, points, {}))[0]
                answer = recogniser.conclude({row.name: logits}, {}, None, None)
                given.append(answer.known and answer.ranked[0][0] != NOTHING)
    assert np.mean(given) < 0.35


def test_takes_of_nothing_are_learnt_with_what_is_drawn(run, monkeypatch):
    plain = learn.load_dataset

    def idle(folder):
        data = plain(folder)
        none = Label(NOTHING, NOTHING, "none")
        classes = [none if row.label == "up" else row for row in data.classes]
        clips = [replace(item, label=NOTHING) if item.label == "up" else item for item in data.clips]
        for old, new in zip(data.clips, clips, strict=True):
            if old.label != new.label:
                new.archive(folder, STORE).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(old.archive(folder, STORE), new.archive(folder, STORE))
        return replace(data, clips=clips, classes=classes)

    monkeypatch.setattr(learn, "load_dataset", idle)
    for signs, count in ((("left", "right"), 12), (("left",), 6)):
        code, said = run(lambda item, signs=signs: item.signer in ("anna", "ben") and item.label in (*signs, "up"))
        assert (
            code == command.DONE
            and said.count(f"{count} takes of {command.counted(len(signs), 'sign')} and 6 of no sign") == 1
        )
        assert [row.kind for row in load_bundle(run.model).classes].count("none") == 1


def test_the_same_again_does_nothing_and_one_more_person_replaces_the_model(run):
    run.begin("anna")
    first = load_bundle(run.model).hashes
    code, said = run(lambda item: item.signer == "anna")
    assert code == command.DONE and "nothing new" in said and "for somebody else nobody can tell" in said
    assert load_bundle(run.model).hashes == first and not model_exchange.before(run.model).exists()
    code, said = run(lambda item: item.signer in ("anna", "ben"))
    assert "9 takes that the model before had too: " in said
    assert load_bundle(run.model).hashes != first and load_bundle(model_exchange.before(run.model)).hashes == first
    code, said = run(lambda item: True, "--back")
    assert code == command.DONE and load_bundle(run.model).hashes == first
    run(lambda item: True, "--back")
    assert load_bundle(model_exchange.before(run.model)).hashes == first
    assert sorted(
        path.name for path in run.model.parent.iterdir() if "mine" in path.name and "lock" not in path.name
    ) == ["mine", "mine.before"]


def test_one_take_of_each_sign(run):
    code, said = run(lambda item: item.clip in ("anna_left_0", "anna_right_0", "anna_up_0"))
    assert code == command.DONE and "one take of each sign" in said and "nobody can tell" in said
    assert not (run.model / "calibration.json").exists()


def test_several_people_teach_the_whole_network(run, takes, monkeypatch):
    """Stopped half-way, and gone on with: then its model takes the place of the last layer's."""

    def one(item: Clip) -> bool:
        return item.clip.endswith("_0")  # of three takes: it is quicker

    run.begin("anna")
    first, work, plain = load_bundle(run.model).hashes, model_exchange.work_of(run.model), run_here
    with monkeypatch.context() as patch:
        patch.setitem(globals(), "run_here", lambda *line, **how: 1 / 0 if line[0] == "evaluate.py" else plain(*line))
        with pytest.raises(ZeroDivisionError):
            run(one, "--thorough")
    begun = (work / "chosen" / "log.csv").stat().st_mtime_ns
    quick = load_bundle(run.model)
    assert quick.about["flags"]["script"] == "learn.py" and quick.hashes != first, "it can be used meanwhile"
    seen, compare = [], whole_network.compare
    marked = work / "chosen" / "log.csv"
    monkeypatch.setattr(
        whole_network, "compare", lambda *places: seen.append(marked.stat().st_mtime_ns) or compare(*places)
    )
    monkeypatch.setattr(whole_network.Found, "better", True)
    code, said = run(one, "--thorough")
    assert seen == [begun], "it was trained again"
    assert code == command.DONE and "of 3 takes by anna, learnt from the others alone, the whole network names " in said
    bundle = load_bundle(run.model)
    assert bundle.about["flags"]["script"] == "train_landmark.py" and bundle.about["refit"] and not work.exists()
    assert withdrawal.parents_of(run.model) == {"dgs"}, "it names a run that is deleted"
    assert bundle.about[model_exchange.THOROUGH]["takes"] == 3 and bundle.about["data"]["folder"] == run.data.name
    assert load_bundle(model_exchange.before(run.model)).hashes == first, "not the last layer's model of the same takes"
    assert (run.model / "report.txt").read_text().splitlines()[-1] in said
    assert 0 <= named_right(run.model, takes, load_dataset(takes).clips[:3]) <= 1
    assert (run.model / "calibration.json").exists() and (run.model / "predictions-left-out.csv").exists()
    code, said = run(one, "--thorough")
    assert code == command.DONE and "nothing new" in said and "trained for these takes already" in said
    code, said = run(lambda item: one(item) and item.signer != "dana")
    assert "9 takes that the model before had too" in said and "--thorough trains the whole network" in said


def test_a_whole_network_that_names_fewer_is_not_taken(run, monkeypatch):
    started = []
    monkeypatch.setitem(globals(), "run_here", lambda script, *flags, **how: started.append(script) or command.DONE)
    monkeypatch.setattr(whole_network, "compare", lambda trained, quick, asked: whole_network.Found(4, 5, 9, asked))
    run.begin("three")
    code, said = run(lambda item: item.signer != "dana", "--thorough")
    assert code == command.DONE and "names 4 rightly, the last layer 5; so the model stays as it was" in said
    assert load_bundle(run.model).about["flags"]["script"] == "learn.py" and started.count("train_landmark.py") == 1
    assert not model_exchange.work_of(run.model).exists()
    assert "trained for these takes already" in run(lambda item: item.signer != "dana", "--thorough")[1]


def test_what_was_begun_of_other_takes_goes(run):
    run.begin("three")
    work = whole_network.begin(run.model, load_dataset(run.data), load_dataset(run.data).clips, ["anna"])
    assert {item.signer for item in load_dataset(work / "data").split("valid")} == {"anna"}
    (work / "chosen").mkdir()
    run(lambda item: item.signer != "dana")
    assert whole_network.begin(run.model, load_dataset(run.data), [], []) == work and (work / "chosen").exists()
    run(lambda item: item.signer != "carla")
    assert not work.exists(), "what has learnt from other takes stays on the disc"


@pytest.mark.parametrize("state", ["of other takes", "not begun", "done"])
def test_what_was_trained_of_a_model_that_is_no_more_goes(run, state):
    """As after --back, or where the end was stopped: those takes may be of somebody who took them back."""
    run.begin("three")
    data = load_dataset(run.data)
    work = whole_network.begin(run.model, data, data.clips, ["anna"])
    if state == "of other takes":
        (work / "learnt_from").write_bytes(b"\xff")
    elif state == "not begun":
        (work / "learnt_from").unlink()
    else:
        whole_network.note(load_bundle(run.model), whole_network.Found(1, 2, 3, ["anna"]))
    _, said = run(lambda item: item.signer != "dana")
    assert "nothing new" in said and not work.exists()


@pytest.mark.parametrize(
    ("takes", "asked"),
    [
        ({"a": "up left no", "b": "up left no", "c": "no"}, None),
        ({"a": "up left no", "b": "up left", "c": "up left no", "d": "no"}, ["a"]),
        ({"a": "up left", "b": "up left", "c": "down", "": "up left"}, None),
        ({"a": "no", "b": "=up", "c": "=up", "d": "=up -x"}, ["b"]),
    ],
)
def test_who_is_asked_makes_signs_that_two_others_make(takes, asked):
    """Takes of no sign are none, and a take of nobody's name may be her own."""
    signs = [(who, {"no": NOTHING}.get(sign, sign)) for who, all_signs in takes.items() for sign in all_signs.split()]
    clips = [Clip(f"{number}", "train", sign, who, "", "", "") for number, (who, sign) in enumerate(signs)]
    if asked is None:
        with pytest.raises(Problem, match="--thorough: "):
            whole_network.people_asked(clips)
    else:
        assert whole_network.people_asked(clips) == asked


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        (lambda item: item.signer in ("anna", "ben"), "2 people are named; it learns from 3 people or more"),
        (
            lambda item: item.signer[0] + item.label[0] in ("al", "ar", "bl", "br", "cl", "cu", "dl", "du"),
            "all made by two others too",
        ),
    ],
)
def test_too_few_people_for_the_whole_network(run, chosen, expected):
    code, said = run(chosen, "--thorough")
    assert code == command.NOTHING and expected in said and not run.model.exists()


def test_too_little_to_learn_from(run):
    code, said = run(lambda item: item.label == "up")
    assert code == command.NOTHING and "fewer than two signs" in said and not run.model.exists()


def test_takes_that_are_gone_leave_nothing(run):
    run.begin("both")
    assert list(run.data.glob(f"{STORE}/*/*/ben_*"))
    run(lambda item: item.signer == "anna")
    assert not list(run.data.glob("*/*/*/ben_*")) and list(run.data.glob(f"{STORE}/*/*/anna_*"))


@pytest.mark.parametrize(("empty", "learnt"), [("anna_up_1", "8 takes of 3 signs"), ("anna_up", "6 takes of 2 signs")])
def test_takes_in_which_nobody_is_found_are_left_out(run, monkeypatch, empty, learnt):
    plain = learn.read_points

    def read(path, stored):
        points = plain(path, stored)
        return replace(points, body=points.body * np.nan) if empty in path.name else points

    monkeypatch.setattr(learn, "read_points", read)
    code, said = run(lambda item: item.signer == "anna")
    assert code == command.PARTLY and learnt in said and "nobody is found" in said and "anna_up_1" in said
    known = {row.label for row in load_bundle(run.model).classes}
    assert known - {NOTHING} == {row.label for row in load_dataset(run.data).classes}
    assert ("up" in known) == ("3 signs" in learnt)


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (["--data", "{model}/data"], "one lies in the other"),
        (["--data", "{model}"], "one lies in the other"),
        (["--data", "{other}"], "something else than a data set"),
        (["--model", "{other}"], "something else than a model"),
        (["--data", "{split}"], "split for training and test"),
        (["--data", "{file}"], "a file; name a folder"),
    ],
)
def test_places_that_are_something_else(run, tmp_path, flags, expected):
    other, file = tmp_path / "other", tmp_path / "file"
    other.mkdir()
    for path in (other / "notes.txt", file):
        path.write_text("mine")
    split = posed.data_set(tmp_path / "split").folder
    places = {"model": run.model, "other": other, "file": file, "split": split}
    code, said = run(lambda item: True, *(flag.format(**places) for flag in flags))
    assert code == command.NOTHING and expected in said
    assert (other / "notes.txt").read_text() == "mine" and not run.model.exists()


def test_a_damaged_model_is_replaced_or_named(run):
    run.begin("anna")
    (run.model / "landmark.weights.h5").unlink()
    code, said = run(lambda item: item.signer == "anna")
    assert code == command.DONE and "nothing new" not in said and load_bundle(run.model)
    (run.model / "bundle.json").write_text("{")
    code, said = run(lambda item: item.signer == "anna")
    assert code == command.NOTHING and "damaged; delete" in said


@pytest.mark.parametrize("there", [("aside",), ("aside", "before"), ("aside", "mine"), ("aside", "mine", "before")])
def test_an_exchange_that_was_stopped_goes_on(run, there):
    run.begin("both")
    names = {"mine": run.model, "before": model_exchange.before(run.model), "aside": model_exchange.aside(run.model)}
    shutil.copytree(run.model, names["aside"])
    for name in names.keys() - {*there}:
        shutil.rmtree(names[name])
    code, _ = run(lambda item: item.signer in ("anna", "ben"))
    assert code == command.DONE and load_bundle(run.model) and not names["aside"].exists()


def test_one_run_at_a_time(run):
    with command.lock(run.model.parent, run.model.name):
        code, said = run()
    assert code == command.NOTHING and "another run" in said


def test_a_model_of_another_script_is_not_replaced(run, takes):
    shutil.copytree(own_signs.DGS, run.model)
    code, said = run()
    assert code == command.NOTHING and "another script made" in said and "choose another --model" in said


def test_back_without_a_model_before(run):
    code, said = run(lambda item: True, "--back")
    assert code == command.NOTHING and "no model there" in said


def test_a_stop_half_way_leaves_the_old_model(run, monkeypatch):
    run.begin("anna")
    first = load_bundle(run.model).hashes
    with monkeypatch.context() as patch:
        patch.setattr(own_signs, "save_bundle", lambda bundle: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            run(lambda item: item.signer == "ben")
    assert load_bundle(run.model).hashes == first
    assert not run.model.with_name(run.model.name + ".new").exists()
    code, _ = run(lambda item: item.signer == "ben")
    assert code == command.DONE and load_bundle(run.model).hashes != first


def test_takes_that_disagree_and_signs_that_are_mistaken(run, monkeypatch):
    """A take under the wrong name is unlike the others of it."""
    plain = learn.load_dataset

    def wrong(folder):
        data = plain(folder)
        clips = [replace(item, label="up") if item.clip == "anna_left_1" else item for item in data.clips]
        for old, new in zip(data.clips, clips, strict=True):
            if old.label != new.label:
                new.archive(folder, STORE).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(old.archive(folder, STORE), new.archive(folder, STORE))
        return replace(data, clips=clips)

    monkeypatch.setattr(learn, "load_dataset", wrong)
    _, said = run(lambda item: item.signer in ("anna", "ben"))
    assert "one take of up looks like" in said and "anna_left_1" in said


def test_other_videos_do_not_take_the_place_of_a_data_set(tmp_path):
    """Nor does one that is empty, as a person was deleted from it, stop everything."""
    for name, start in (("mine", 0), ("others", 4)):
        for label in ("a", "b"):
            path = tmp_path / name / label / "one.avi"
            path.parent.mkdir(parents=True)
            path.write_bytes(tiny.avi(start + (label == "b")))
    videos = learn.read_videos(tmp_path / "mine", None)
    item = Clip("one", "train", "a", "", "", "a/one.avi", command.sha256(tmp_path / "mine" / "a" / "one.avi"))
    save_dataset(Dataset(tmp_path / "data", [item], [Label("a", "a"), Label("b", "b")]))
    args = learn.parse(["--videos", str(tmp_path / "others"), "--data", str(tmp_path / "data")])
    learn.check_same(videos, args)
    with pytest.raises(Problem, match="made of other videos.*--data data_set/others --model model/others"):
        learn.check_same(learn.read_videos(tmp_path / "others", None), args)
    save_dataset(Dataset(tmp_path / "data", [], [Label("a", "a")]))
    learn.check_same(videos, args)
    learn.check_places(args)


@pytest.mark.parametrize(
    ("signs", "said"),
    [
        (("hello", "Nothing"), "'Nothing' is what no sign is called; choose another name, or `nothing`"),
        (("hello", "No sign I know"), "'No sign I know' is what no sign is called"),
        (("hello",), "one label only, hello"),
    ],
)
def test_names_are_looked_at_before_any_hand(tmp_path, capsys, monkeypatch, signs, said):
    for sign in signs:
        (tmp_path / "signs" / sign).mkdir(parents=True)
        (tmp_path / "signs" / sign / "one.mp4").write_bytes(b"not looked at")
    monkeypatch.setattr(learn.models, "fetch", lambda: pytest.fail("36 MB are fetched"))
    monkeypatch.setattr(learn, "run", lambda script, *flags, **how: pytest.fail(f"{script} takes minutes"))
    flags = ["--videos", str(tmp_path / "signs"), "--data", str(tmp_path / "data"), "--model", str(tmp_path / "mine")]
    assert command.run(lambda: learn.main(flags)) == command.NOTHING
    assert said in capsys.readouterr().err and not (tmp_path / "data").exists()
