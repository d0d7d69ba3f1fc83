"""train_i3d.py on two devices, in two processes and on JAX: the weights of one process, stopped and gone on with too.

Another network stands in I3D's place (small_network.py), which compiles in a second; all else is the real thing.
"""

import argparse
import csv
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from signs.clips.dataset import Dataset, load_dataset, save_dataset
from signs.command import Problem
from signs.models import i3d
from signs.training import distribute
from signs.training.log import Log

import numpy as np
import pytest

import evaluate
import small_network
import starter
import tiny
import train_i3d
from tiny import arrays

pytestmark = pytest.mark.usefixtures("sketched")

FLAGS = [
    "--stream",
    "rgb",
    "--frames",
    "8",
    "--crop",
    "32/36",
    "--weights",
    "none",
    "--batch",
    "4",
    "--epochs",
    "2",
    "--recipe",
    "ema=0.9",
    "--workers",
    "1",
]
PLAIN = ["--recipe", "dropout=0", "--augment", "shift=0", "brightness=0"]
EVALUATED = ["--split", "valid", "--gallery", "0"]
# Of jax, one program whatever the devices: dropout, augmentation and added-up gradients are the same there too.
JAX = {"KERAS_BACKEND": "jax", "CPUS": "1"}


@pytest.fixture(scope="module")
def data(demo, tmp_path_factory) -> Path:
    """The demo with 7 clips in valid: two devices cannot share them evenly."""
    folder = tmp_path_factory.mktemp("data_set") / "demo"
    folder.mkdir()
    for path in demo.iterdir():
        (folder / path.name).symlink_to(path)
    whole = load_dataset(demo)
    left_out = whole.split("valid")[0]
    (folder / "clips.csv").unlink()
    (folder / "class.csv").unlink()
    save_dataset(Dataset(folder, [item for item in whole.clips if item != left_out], whole.classes))
    return folder


def run(name, *flags, **environment) -> subprocess.CompletedProcess:
    return starter.run(tiny.REPOSITORY / "tests" / "small_network.py", name, *flags, **environment)


def train(data, output, *flags, expected=0, **environment) -> Path:
    done = run("train_i3d", "--data", data, "--output", output, *FLAGS, *flags, **environment)
    assert done.returncode == expected, done.stderr
    return output


def train_on_two_hosts(data, output, *flags, ends=(0, 0), **environment) -> list[str]:
    """What each host wrote to stderr."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        coordinator = f"127.0.0.1:{server.getsockname()[1]}"
    nowhere = output.with_name("nowhere")
    hosts = ["--coordinator", coordinator, "--hosts", "2", *flags, "--host"]
    command = ["train_i3d", "--data", data, *FLAGS, *hosts]
    with ThreadPoolExecutor() as pool:
        jobs = [
            pool.submit(run, *command, str(number), "--output", folder, **environment)
            for number, folder in enumerate((output, nowhere))
        ]
        done = [job.result() for job in jobs]
    assert tuple(each.returncode for each in done) == ends, [each.stderr for each in done]
    assert not nowhere.exists(), "only the first host writes"
    return [each.stderr for each in done]


def read_by_hosts(file: Path, clips, epoch: int | None = None) -> list[set[str]]:
    """Which of the clips each host has decoded, in that epoch or ever; the file is small_network.py's."""
    lines = [line.split(" ", 2) for line in file.read_text(encoding="utf-8").splitlines()]
    lines = [(int(host), clip) for when, host, clip in lines if epoch in (None, int(when))]
    names = {item.clip for item in clips}
    return [{clip for host, clip in lines if host == number} & names for number in range(2)]


def assert_same(one: Path, other: Path, tolerance: float) -> None:
    """Weights of the best and of the last epoch, optimiser and average; the log, whose losses count each clip once."""
    names = [path.relative_to(one) for path in one.rglob("*.h5")]
    assert len(names) == 3 and names == [path.relative_to(other) for path in other.rglob("*.h5")]
    for name in names:
        expected, found = arrays(one / name), arrays(other / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            np.testing.assert_allclose(found[key], value, atol=tolerance, rtol=tolerance, err_msg=f"{name}: {key}")
    for row, again in zip(*(Log(folder / "log.csv").rows for folder in (one, other)), strict=True):
        for name in ("loss", "accuracy", "val_loss", "val_accuracy"):
            assert float(again[name]) == pytest.approx(float(row[name]), rel=1e-4), name


def test_tensorflow_on_two_devices(data, tmp_path, monkeypatch):
    monkeypatch.setattr(i3d, "build_i3d", small_network.build)
    flags = ["--data", str(data), "--output", str(tmp_path / "one"), *FLAGS, *PLAIN]
    assert train_i3d.main(flags) == 0
    assert_same(tmp_path / "one", train(data, tmp_path / "two", *PLAIN, "--devices", "2"), 1e-4)


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory) -> Path:
    """Trained with JAX on one device, and evaluated."""
    output = tmp_path_factory.mktemp("jax") / "one"
    then = ["then", "evaluate", "--data", data, "--model", output, *EVALUATED]
    return train(data, output, "--recipe", "accumulate=2", *then, **JAX)


def test_jax_on_two_devices(data, unbroken, tmp_path):
    two = train(data, tmp_path / "two", "--recipe", "accumulate=2", "--devices", "all", **JAX | {"CPUS": "2"})
    assert_same(unbroken, two, 1e-4)


def test_jax_on_two_hosts_one_dies_and_they_go_on_each_with_its_part_of_the_data(data, unbroken, tmp_path):
    """Every clip is decoded by one host alone in each epoch, every validation clip by the same one."""
    two, flags = tmp_path / "two", ["--recipe", "accumulate=2"]
    broken, whole = tmp_path / "broken.txt", tmp_path / "whole.txt"
    said, _ = train_on_two_hosts(data, two, *flags, ends=(2, 9), STOP_AT="1", STOP_HOST="1", READ=str(broken), **JAX)
    assert "host 1 has gone; start the same commands again" in said and "Traceback" not in said
    train_on_two_hosts(data, two, *flags, READ=str(whole), **JAX)
    assert_same(unbroken, two, 1e-4)
    clips = load_dataset(data)
    for file, epoch in ((broken, 0), (whole, 1)):
        first, second = read_by_hosts(file, clips.split("train"), epoch)
        assert len(first) == len(second) == 8 and not first & second, "16 clips to learn from"
        first, second = read_by_hosts(file, clips.split("valid"))
        assert len(first) == 4 and len(second) == 3 and not first & second, "7 validation clips"


def test_jax_stopped_and_gone_on_with(data, unbroken, tmp_path):
    train(data, tmp_path / "stopped", "--recipe", "accumulate=2", expected=9, STOP_AT="1", **JAX)
    train(data, tmp_path / "stopped", "--recipe", "accumulate=2", **JAX)
    assert_same(unbroken, tmp_path / "stopped", 1e-5)


def test_both_backends_predict_the_same(data, unbroken, monkeypatch):
    on_jax = probabilities(unbroken)
    monkeypatch.setattr(i3d, "build_i3d", small_network.build)
    assert evaluate.main(["--data", str(data), "--model", str(unbroken), *EVALUATED]) == 0
    assert on_jax.shape == (7, 8)
    np.testing.assert_allclose(on_jax, probabilities(unbroken), atol=1e-5)


def probabilities(model: Path) -> np.ndarray:
    with open(model / "predictions-valid.csv") as file:
        return np.array([list(row.values())[4:] for row in csv.DictReader(file) if row["stream"] == "rgb"], float)


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--devices", "none"], "--devices none: a number from 1 on, or all"),
        (["--coordinator", "there", "--hosts", "2"], "--coordinator there: HOST:PORT"),
        (["--hosts", "2"], "--hosts 2: two or more, together with --coordinator"),
        (["--coordinator", "there:1"], "--hosts 1: two or more"),
        (["--coordinator", "there:1", "--hosts", "2", "--host", "2"], "--host 2: from 0 to 1"),
        (
            ["--coordinator", "there:1", "--hosts", "2"],
            "several machines need KERAS_BACKEND=jax, and this is tensorflow",
        ),
        (["--devices", "3"], "--devices 3: there is 1 CPU;"),
    ],
)
def test_flags_that_make_no_sense(data, tmp_path, flags, said):
    with pytest.raises(Problem, match=said):
        train_i3d.main(["--data", str(data), "--output", str(tmp_path / "model"), *FLAGS, *flags])


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--devices", "2", "--batch", "3"], "--batch 3: not a multiple of the 2 devices"),
        (
            ["--devices", "2", "--recipe", "accumulate=2"],
            "--recipe accumulate=2: TensorFlow adds no gradients up on 2 devices",
        ),
    ],
)
def test_what_two_devices_cannot_do(data, tmp_path, monkeypatch, flags, said):
    import tensorflow as tf

    two = [tf.config.LogicalDevice(f"CPU:{number}", "CPU") for number in range(2)]
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: two if kind == "CPU" else [])
    with pytest.raises(Problem, match=said):
        train_i3d.main(["--data", str(data), "--output", str(tmp_path / "model"), *FLAGS, *flags])


def test_all_gpus_that_can_share_a_batch_are_the_default(capsys):
    def number(batch, gpus, hosts=1):
        return distribute._number(argparse.Namespace(devices=None, batch=batch, hosts=hosts), gpus, gpus=True)

    assert [number(8, 8), number(8, 1), number(12, 2, hosts=2)] == [8, 1, 2] and not capsys.readouterr().out
    assert number(4, 8) == 4 and "4 of 8 GPUs: --batch 4" in capsys.readouterr().out
    assert distribute._number(argparse.Namespace(devices=None, batch=3, hosts=1), 64, gpus=False) == 1, "no GPU"


def test_without_jax_the_backend_of_several_machines_is_named(data, tmp_path):
    """JAX is an extra; whoever has not installed it and asks for it is told how."""
    blocked = tmp_path / "jax.py"
    blocked.write_text("raise ModuleNotFoundError(\"No module named 'jax'\", name='jax')")
    done = tiny.script(
        "train_i3d.py",
        "--data",
        data,
        "--output",
        tmp_path / "model",
        *FLAGS,
        KERAS_BACKEND="jax",
        PYTHONPATH=str(tmp_path),
    )
    assert done.returncode == 2 and 'pip install ".[jax]"' in done.stderr and "Traceback" not in done.stderr
