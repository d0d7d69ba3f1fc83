"""The demo data set: IsoGD's form, disjoint signers, equal bytes from equal flags, signs that differ in movement."""

import csv
import hashlib
import json
import zipfile

from signs.command import Problem
from signs.prepare import synthetic, synthetic_movement, synthetic_pauses

import cv2
import numpy as np
import pytest

import prepare_demo


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo") / "_download"
    drawn = ["--signers", "1", "--clips", "1", "--pauses", "1", "--workers", "1"]
    assert prepare_demo.main(["--output", str(folder), *drawn]) == 0
    return folder


def hashes(folder):
    files = (path for path in folder.iterdir() if path.name != ".lock")
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def rows(folder, split):
    return [line.split(" ") for line in (folder / f"{split}_list.txt").read_text().splitlines()]


def test_equal_flags_give_equal_bytes_in_any_number_of_processes(drawn, tmp_path):
    prepare_demo.prepare_demo(tmp_path / "again", signers=1, clips=1, workers=2, pauses=1)
    assert hashes(tmp_path / "again") == hashes(drawn)
    assert set(hashes(drawn)) == {*prepare_demo.NAMES, "demo.json"}


def test_lists_and_archives_name_the_same_videos(drawn):
    for split, phase in prepare_demo.ARCHIVES.items():
        listed = rows(drawn, split)
        assert sorted(int(label) for _, _, label in listed) == list(range(1, 10))
        assert listed[0][:2] == [f"{split}/001/M_00001.avi", f"{split}/001/K_00001.avi"]
        members = zipfile.ZipFile(drawn / f"{phase}.zip").namelist()
        assert members == sorted(f"{phase}/{video}" for row in listed for video in row[:2])


def test_no_signer_is_in_two_splits_and_every_video_has_one(drawn):
    with open(drawn / "signers.csv", newline="") as file:
        signer = {row["video"]: row["signer"] for row in csv.DictReader(file)}
    people = [{signer[row[0]] for row in rows(drawn, split)} for split in prepare_demo.LISTS]
    assert len(signer) == 27 and [len(some) for some in people] == [1, 1, 1]
    assert len(set.union(*people)) == 3


def test_class_table(drawn):
    with open(drawn / "class.csv", newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["label"] for row in table] == [f"{number:03d}" for number in range(1, 10)]
    assert [row["kind"] for row in table] == ["gesture"] * 8 + ["none"] and len({row["name"] for row in table}) == 9


def test_signs_alone():
    assert [row.kind for row in prepare_demo.classes_of(None, 0)] == ["gesture"] * 8
    alone = prepare_demo.plan_clips(8, 1, 0, None)
    assert len(alone) == (8 + 1 + 2) * 8 and {job.manner for job in alone} == {synthetic.USUAL}


def test_what_is_no_sign_is_drawn_in_every_split_and_some_of_it_never_learnt():
    jobs = prepare_demo.plan_clips(8, 1, 0, None, pauses=2)
    kinds = {
        split: [job.movement.kind for job in jobs if job.split == split and job.label == 9]
        for split in prepare_demo.LISTS
    }
    assert sorted(kinds["train"]) == sorted(2 * synthetic_pauses.LEARNT)
    assert len(kinds["valid"]) == 2 and "stretch" in kinds["valid"]
    assert {"salute", "clap"} <= set(kinds["test"]) and len(kinds["test"]) == 4
    assert not set(kinds["train"]) & {"stretch", "salute", "clap"}
    again = prepare_demo.plan_clips(8, 1, 0, None)
    signs = {(job.signer, job.label, job.take, job.movement) for job in jobs if job.label < 9}
    assert signs == {(job.signer, job.label, job.take, job.movement) for job in again}


def test_one_test_signer_is_hard_to_recognise():
    jobs = prepare_demo.plan_clips(8, 1, 0, None, pauses=2)
    hard = {(job.split, job.signer) for job in jobs if job.manner != synthetic.USUAL}
    assert hard == {("test", 11)}
    assert all(job.manner == synthetic.HARD for job in jobs if job.signer == 11)
    usual, far = (synthetic.signer_of(0, 11, manner) for manner in (synthetic.USUAL, synthetic.HARD))
    assert far.place.scale < 0.7 * usual.place.scale and far.place.origin[0] > usual.place.origin[0] + 100
    assert far.look == usual.look  # the same person, elsewhere


def test_plan_of_the_default_size_fills_folders_as_isogd_does():
    jobs = prepare_demo.plan_clips(20, 2, 0, None)
    counts = {split: sum(job.split == split for job in jobs) for split in prepare_demo.LISTS}
    assert counts == {"train": 320, "valid": 64, "test": 80}
    assert jobs[199].colour == "train/001/M_00200.avi" and jobs[200].depth == "train/002/K_00201.avi"
    assert prepare_demo.plan_clips(20, 2, 1, None) != jobs


@pytest.mark.parametrize("part", [0, 1])
def test_videos_open_with_isogd_properties(drawn, tmp_path, part):
    sign = next(row[part] for row in rows(drawn, "train") if row[2] != "9")
    path = zipfile.ZipFile(drawn / "IsoGD_phase_1.zip").extract(f"IsoGD_phase_1/{sign}", tmp_path)
    video = cv2.VideoCapture(path)
    assert video.get(cv2.CAP_PROP_FPS) == 10
    frames = []
    while (read := video.read())[0]:
        frames.append(read[1])
    assert 25 <= len(frames) <= 52 and len(frames) == video.get(cv2.CAP_PROP_FRAME_COUNT)
    assert {frame.shape for frame in frames} == {(240, 320, 3)}
    assert np.abs(np.diff(np.float32(frames), axis=0)).mean() > 0.5


def test_second_run_does_nothing_and_another_data_set_is_refused(drawn, capsys):
    before = hashes(drawn)
    assert prepare_demo.prepare_demo(drawn, signers=1, clips=1, pauses=1) == 0
    assert "already there" in capsys.readouterr().out
    with pytest.raises(Problem, match="another data set"):
        prepare_demo.prepare_demo(drawn, signers=1, clips=1)
    assert hashes(drawn) == before


def test_archives_from_elsewhere_are_left_alone(tmp_path):
    (tmp_path / "IsoGD_phase_1.zip").write_bytes(b"the real one")
    with pytest.raises(Problem, match="not from here"):
        prepare_demo.prepare_demo(tmp_path, signers=1, clips=1)
    assert (tmp_path / "IsoGD_phase_1.zip").read_bytes() == b"the real one"


def test_failure_leaves_nothing_half_written(tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_demo, "CODEC", "????")
    with pytest.raises(Problem, match="writes no"):
        prepare_demo.prepare_demo(tmp_path / "out", signers=1, clips=1, workers=1)
    assert not hashes(tmp_path / "out")


@pytest.mark.parametrize("flag", ["--signers", "--clips"])
def test_refuses_numbers_that_make_no_data_set(tmp_path, flag):
    with pytest.raises(Problem, match=f"{flag} 0: at least 1"):
        prepare_demo.main(["--output", str(tmp_path / "out"), flag, "0"])
    assert not (tmp_path / "out").exists()


def test_refuses_an_output_that_is_a_file(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Problem, match="wants a folder"):
        prepare_demo.prepare_demo(tmp_path / "file")


def test_as_many_signs_as_wanted(tmp_path):
    prepare_demo.prepare_demo(tmp_path / "many", signers=1, workers=2, signs=10)
    with open(tmp_path / "many/class.csv", newline="") as file:
        names = [row["name"] for row in csv.DictReader(file)]
    assert len(names) == 10 and not set(names) & {sign[0] for sign in prepare_demo.SIGNS}
    assert sorted(row[2] for row in rows(tmp_path / "many", "train")) == sorted(str(n) for n in range(1, 11))
    with pytest.raises(Problem, match="another data set"):
        prepare_demo.prepare_demo(tmp_path / "many", signers=1, workers=2, signs=11)


def test_mark_says_what_was_drawn(drawn):
    assert json.loads((drawn / "demo.json").read_text())["signers"] == 1


def test_signs_of_a_line_move_each_hand_over_it_by_the_same_amount():
    drawn = {}
    for movement in prepare_demo.SIGNS.values():
        paths = movement.wrists(1.0, 1.0, np.random.default_rng(5))
        assert np.ptp(paths[0], axis=0).max() > 50
        drawn.setdefault(movement.axis, []).append([(path.mean(0), np.ptp(path, axis=0)) for path in paths])
    for group in drawn.values():
        assert len(group) == 4
        # pixels; a quarter of a swing more or less at the ends moves the average by a few
        np.testing.assert_allclose(group[1:], np.broadcast_to(group[0], np.shape(group[1:])), atol=8)


def test_relations_of_the_hands():
    phase = np.linspace(0, 4 * np.pi, 401)
    relations = {movement.relation for movement in prepare_demo.SIGNS.values()}
    swings = {relation: synthetic_movement.swings_at(phase, relation) for relation in relations}
    agree = {relation: np.corrcoef(right, left)[0, 1] for relation, (right, left) in swings.items()}
    assert agree["together"] > 0.99
    assert agree["against"] < -0.99
    assert abs(agree["following"]) < 0.1
    assert abs(agree["changing"]) < 0.1
    right, left = swings["changing"]
    assert np.corrcoef(right[:200], left[:200])[0, 1] > 0.99
    assert np.corrcoef(right[201:], left[201:])[0, 1] < -0.99
    assert np.abs(np.diff(left)).max() < 0.05  # no jump where it changes


def test_bones_keep_the_elbow_between_shoulder_and_wrist_and_outside():
    for side in (-1, 1):
        shoulder, wrist = (side * 41.0, 8.0), (side * 45.0, 52.0)
        joint = synthetic_movement.elbow(shoulder, wrist, side)
        assert joint[0] * side > 45 and 8 < joint[1] < 52
