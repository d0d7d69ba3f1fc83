"""One signer or two: what prepare_videos.py advises is followed word for word."""

import re
import shlex
from pathlib import Path

from signs import command
from signs.clips import dataset
from signs.clips.dataset import Dataset, load_dataset

import pytest

import evaluate
import frame
import prepare_videos
import tiny
import train_linear
from conftest import without_graphs

pytestmark = pytest.mark.usefixtures("sketched")

PATTERN = "{label}/{signer}_{take}"


def record(folder: Path, *signers: str, takes: int = 4) -> Path:
    """Videos of two signs, `<label>/<signer>_<take>.avi`: each sign moves another way."""
    for number, label in enumerate(("left", "right")):
        for signer in signers:
            for take in range(takes):
                images = tiny.moving(8, 40, 48, seed=10 * ord(signer[0]) + take)
                tiny.write_video(folder / label / f"{signer}_{take}.avi", images[:: 1 - 2 * number])
    return folder


def prepare(videos: Path, capsys, *more: str, code: int = command.DONE) -> str:
    argv = ["--videos", str(videos), "--output", str(videos.parent / "made"), "--workers", "1"]
    assert command.run(lambda: prepare_videos.main([*argv, "--signer-from", PATTERN, *more])) == code
    said = capsys.readouterr()
    assert all(len(line) <= 300 for line in (said.out + said.err).splitlines())
    return said.out + said.err


def made(videos: Path) -> Dataset:
    return load_dataset(videos.parent / "made")


def advised(said: str, script: str = "") -> list[str]:
    """The flags of the first `--flag value` in a message, behind the name of the script."""
    flag = re.search(rf"{script}.*?(--[a-z-]+(?: [0-9.]+| valid)*)", said)
    return shlex.split(flag[1])


def train_and_evaluate(data: Path, *more: str) -> int:
    model = data.parent / "model"
    flags = ["--data", str(data), "--workers", "1"]
    assert frame.main([*flags, "--frames", "8", "--short-side", "36"]) == command.DONE
    with without_graphs():
        sees = ["--stream", "rgb", "--frames", "8", "--crop", "32/36", "--copies", "1", "--penalty", "1"]
        assert train_linear.main([*flags, "--output", str(model), *sees]) == command.DONE
        return command.run(lambda: evaluate.main([*flags, "--model", str(model), "--gallery", "0", *more]))


def test_one_signer(tmp_path, capsys):
    """Clips are shared out within each label, and a model can be trained and evaluated; what it says is said."""
    videos = record(tmp_path / "in", "anna")
    said = prepare(videos, capsys)
    assert "note: clips were shared out within each label, as anna alone signs" in said
    assert "measures will say nothing about new people, and evaluate.py asks for --ignore-checks" in said
    assert all(
        counts == {"left": n, "right": n} for counts, n in zip(made(videos).count().values(), (2, 1, 1), strict=True)
    )
    assert (
        train_and_evaluate(tmp_path / "made", "--split", "valid", "test", *advised(said, "evaluate.py")) == command.DONE
    )
    said = capsys.readouterr().out
    assert "CHECK OVERRIDDEN: 1 person is in train and in valid (anna)" in said and "report/index.html" in said


def test_two_signers(tmp_path, capsys):
    videos = record(tmp_path / "in", "anna", "ben", takes=2)
    said = prepare(videos, capsys, code=command.NOTHING)
    assert "2 signers are too few for train, valid, test with nobody in two of them" in said
    shares = advised(said.splitlines()[-1])
    assert shares == ["--shares", "0.15", "0"]
    prepare(videos, capsys, *shares)
    people = [{clip.signer for clip in made(videos).split(part)} for part in dataset.SPLITS]
    assert sorted(map(len, people)) == [0, 1, 1] and not people[2] and people[0] != people[1]
    assert train_and_evaluate(tmp_path / "made", *advised(said, "evaluate.py")) == command.DONE


def test_two_signers_who_are_shared(tmp_path, capsys):
    videos = record(tmp_path / "in", "anna", "ben", takes=2)
    assert "--allow-shared-signers shares out clips" in prepare(videos, capsys, code=command.NOTHING)
    said = prepare(videos, capsys, "--allow-shared-signers")
    assert "evaluate.py asks for --ignore-checks" in said
    assert all(set(counts) == {"left", "right"} for counts in made(videos).count().values())


def test_one_signer_in_a_split_column(tmp_path, capsys):
    """There is nobody else to be kept apart from."""
    videos = record(tmp_path / "in", "anna")
    rows = [
        f"in/{label}/anna_{n}.avi,{label},anna,{part}"
        for label in ("left", "right")
        for n, part in enumerate(dataset.SPLITS)
    ]
    (tmp_path / "in.csv").write_text("\n".join(["video,label,signer,split", *rows]))
    argv = ["--videos", str(tmp_path / "in.csv"), "--output", str(tmp_path / "made")]
    assert command.run(lambda: prepare_videos.main(argv)) == command.DONE
    assert "measures there say little about new people: anna (train, valid, test)" in capsys.readouterr().out
    assert len(made(videos).clips) == 6


def test_names_that_differ_in_capitals_alone(tmp_path, capsys):
    """One person is in one split, whichever way the name is written; labels are two classes, and named."""
    videos = record(tmp_path / "in", "Anna", "anna", "ben", "cleo", takes=2)
    tiny.write_video(videos / "Left" / "ben_9.avi", tiny.moving(8, 40, 48, seed=99))
    said = prepare(videos, capsys)
    assert "note: signers who differ in capitals alone count as one person: Anna = anna" in said
    assert "note: labels that differ in capitals alone are classes of their own: Left = left" in said
    people = {clip.signer: clip.split for clip in made(videos).clips}
    assert people["Anna"] == people["anna"] and sorted(map(people.get, ("anna", "ben", "cleo"))) == sorted(
        dataset.SPLITS
    )
    prepare(videos, capsys, "--valid-signers", "ANNA", "--test-signers", "Ben")
    people = {clip.signer: clip.split for clip in made(videos).clips}
    assert people == {"Anna": "valid", "anna": "valid", "ben": "test", "cleo": "train"}
    rows = [
        f"{path},{path.parent.name},{path.name[:4]},{'valid' if path.name[0] == 'A' else 'train'}"
        for path in videos.rglob("*.avi")
    ]
    (tmp_path / "in.csv").write_text("\n".join(["video,label,signer,split", *rows]))
    argv = ["--videos", str(tmp_path / "in.csv"), "--output", str(tmp_path / "other")]
    assert command.run(lambda: prepare_videos.main(argv)) == command.NOTHING
    assert "signer Anna = anna is in train and valid" in capsys.readouterr().err
