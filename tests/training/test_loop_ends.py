"""How a training ends where its loss is no number, and what it leaves of other streams in the same folder."""

import errno
import os
from pathlib import Path

from signs import command
from signs.clips.dataset import Clip
from signs.command import Problem
from signs.training import callbacks, run_folder
from signs.training.checkpoint import Checkpoint
from signs.training.log import HEADER, Log, Validated
from signs.training.loop import Training
from signs.training.recipe import Phase, Recipe

import keras
import numpy as np
import pytest

import tiny

pytestmark = pytest.mark.usefixtures("eager")
PHASES = [Phase("top", 1, 1e-2, top_only=True), Phase("all", 4, 1e-3)]


@pytest.fixture(autouse=True)
def a_checkpoint_each_epoch(monkeypatch):
    monkeypatch.setattr(callbacks, "SPARED", 0.0)


class Data(keras.utils.PyDataset):
    """Two batches of four; those of the epoch `spoilt` (0 is the first) hold a number that is none."""

    at_hand = False

    def __init__(self, spoilt: int | None = None, wrong: float = np.nan):
        super().__init__()
        self.seed, self.epoch, self.spoilt, self.wrong = 0, 0, spoilt, wrong
        self.clock = self  # who is told of the epochs: the training batches
        self.clips = [Clip(f"clip_{number}", "valid") for number in range(8)]
        self.targets = np.arange(8) % 2

    def __len__(self):
        return 2

    def __getitem__(self, number):
        x = np.random.default_rng(number).normal(size=(4, 3)).astype(np.float32)
        if self.clock.epoch == self.spoilt:
            x[0, 0] = self.wrong
        return x, np.eye(2, dtype=np.float32)[self.targets[4 * number : 4 * number + 4]]


def train(folder: Path, train=None, valid=None, stream: str = "rgb", **more) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, keras.layers.Dense(2, name="Logits_dense")(keras.layers.Dense(4)(inputs)))
    generators = {"train": train or Data(), "valid": None if "until" in more else valid or Data()}
    if valid:
        valid.clock = generators["train"]
    Training(model, generators, folder, stream, Recipe(patience=9), **more).fit(PHASES)


@pytest.mark.parametrize(
    "spoilt",
    [{"train": Data(3)}, {"train": Data(3, np.inf)}, {"valid": Data(3)}],
    ids=["loss", "infinite", "validation"],
)
def test_it_ends_at_the_first_loss_that_is_no_number_with_the_best_epoch(spoilt, tmp_path, capsys):
    train(tmp_path, **spoilt)
    out, err = capsys.readouterr()
    (line,) = (line for line in err.splitlines() if line.startswith("rgb: "))
    assert line.startswith("rgb: the loss is no number (NaN or infinite) in epoch 4; the best")
    assert "--learning-rate" in line and "nan" not in out.lower()
    log, state = Log(tmp_path / "log.csv"), Checkpoint(tmp_path, "rgb").state
    assert [row["epoch"] for row in log.rows] == ["1", "2", "3"] and (state.epoch, state.finished) == (3, True)
    assert sorted(path.name for path in (tmp_path / "valid").iterdir()) == [f"rgb-000{n}.npz" for n in (1, 2, 3)]
    before = (tmp_path / "rgb.weights.h5").read_bytes()
    train(tmp_path)
    assert capsys.readouterr().err == f"{line}\n", "said again, nothing trained"
    assert (tmp_path / "rgb.weights.h5").read_bytes() == before and len(log.rows) == 3


@pytest.mark.parametrize("spoilt", [{"train": Data(0)}, {"valid": Data(0)}], ids=["loss", "validation"])
def test_where_no_epoch_was_kept_that_is_a_problem_and_the_folder_is_free(spoilt, tmp_path):
    with pytest.raises(Problem, match="^rgb: the loss is no number .* in epoch 1, .*lower --learning-rate"):
        train(tmp_path, **spoilt)
    assert not list(tmp_path.rglob("*.weights.h5"))
    train(tmp_path)
    assert len(Log(tmp_path / "log.csv").rows) == 5


def test_without_validation_nothing_is_kept_before_the_last_epoch(tmp_path):
    with pytest.raises(Problem, match="in epoch 3, and none before it was kept; .* another --output"):
        train(tmp_path, Data(2), until=4)
    assert not (tmp_path / "rgb.weights.h5").exists() and Checkpoint(tmp_path, "rgb").state.epoch == 2


def test_a_run_that_an_earlier_version_went_on_with_keeps_its_best_epoch(tmp_path):
    """Its log says `nan` of the first validation; nothing was smaller than that."""
    row = dict.fromkeys(HEADER, "1") | {"stream": "rgb", "phase": "top"}
    log = Log(tmp_path / "log.csv")
    for epoch, loss in enumerate(("nan", "0.3", "0.5"), 1):
        log.add({**row, "epoch": str(epoch), "val_loss": loss})
    assert log.best("rgb")["epoch"] == "2"


def test_a_disc_that_fills_tears_nothing(tmp_path, monkeypatch):
    """HDF5 would crash: it gets no file to write to."""
    train(tmp_path / "whole")
    write, written = Path.write_bytes, []

    def full(path, content):
        written.append(path)
        if len(written) == 4:  # best weights and checkpoint of two epochs
            write(path, bytes(content)[:100])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(path, content)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="No space left"):
        patch.setattr(Path, "write_bytes", full)
        train(tmp_path / "stopped")
    assert not list(tmp_path.rglob(".*.part*")) and Checkpoint(tmp_path / "stopped", "rgb").state.epoch == 1
    train(tmp_path / "stopped")
    whole, stopped = ((tmp_path / name / "rgb.weights.h5") for name in ("whole", "stopped"))
    one, other = tiny.arrays(whole), tiny.arrays(stopped)
    assert one and all(np.array_equal(one[name], other[name]) for name in one)


def written(folder: Path, stream: str) -> list[Path]:
    """What a stream's training leaves, and is writing at this moment."""
    (folder / "checkpoint").mkdir(parents=True, exist_ok=True)
    kept = [folder / "checkpoint" / f"{stream}-0009{name}.weights.h5" for name in ("", ".average")]
    for path in kept:
        path.touch()
    Validated(np.array(["a"]), np.zeros(1, int), np.ones((1, 2), np.float32)).write(folder, stream, 9)
    kept.append(Validated.path(folder, stream, 9))
    for path in (folder / f"{stream}.weights.h5", folder / f"{stream}-network.weights.h5", *list(kept)):
        with command.atomic(path) as temporary:
            temporary.touch()
            kept.append(temporary.with_name(temporary.name.replace(str(os.getpid()), "4194305")))
        kept[-1].touch()
    return kept


def test_a_stream_whose_name_begins_alike_is_another_one(tmp_path):
    """`grey-depth` is trained in the same folder by another process."""
    others = written(tmp_path, "grey-depth")
    mine = [path for path in written(tmp_path, "grey") if ".part" in path.name]
    run_folder.remove_leftovers(tmp_path, "grey")
    assert mine and not any(path.exists() for path in mine)
    train(tmp_path, stream="grey")
    assert [path for path in others if not path.exists()] == []
    assert sorted(path.name for path in tmp_path.glob("*/grey-0*")) == [
        "grey-0001.npz",
        "grey-0002.npz",
        "grey-0003.npz",
        "grey-0004.npz",
        "grey-0005.npz",
        "grey-0005.weights.h5",
    ]


def test_a_file_of_the_user_is_no_leftover(tmp_path):
    for name in (".my.parts.csv", ".party", ".a.partial.txt", ".x.part"):
        (tmp_path / name).touch()
    command.remove_leftovers(tmp_path)
    assert len(os.listdir(tmp_path)) == 4
