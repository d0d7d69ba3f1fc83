"""Jobs on a Dask cluster over the loopback: equal bytes, workers and schedulers that die, versions, certificates."""

import contextlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from pathlib import Path

from signs import cluster, command
from signs.command import Problem
from signs.workers import Lost

import pytest

import frame
import prepare_videos
import tiny

pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
pytest.importorskip("bokeh", reason="the extra `cluster` is not installed")
import psutil  # noqa: E402  comes with distributed

FLAGS = ["--frames", "6", "--short-side", "32"]


def flags(address: str, certificates=None, insecure: bool = False) -> Namespace:
    return Namespace(cluster=address, cluster_certificates=certificates, insecure_cluster=insecure, workers=1)


@pytest.fixture(scope="module")
def opened() -> Iterator[tuple[cluster.Cluster, str]]:
    """Two processes of this machine, and what was printed."""
    with contextlib.redirect_stdout(io.StringIO()) as printed, cluster.opened(flags("local:2")) as workers:
        yield workers, printed.getvalue()


def test_a_cluster_here_is_reached_from_here_alone(opened):
    workers, printed = opened
    assert printed.startswith(workers.address) and "tls://127.0.0.1:" in printed and "2 at once" in printed
    assert printed.rstrip().endswith("/status") and "http://127.0.0.1:" in printed
    own = psutil.Process()
    open_to = {
        each.laddr.ip
        for process in (own, *own.children(recursive=True))
        for each in process.net_connections("inet")
        if each.status == psutil.CONN_LISTEN
    }
    assert open_to == {"127.0.0.1"}


def test_a_cluster_gives_the_same_bytes(opened, tmp_path, monkeypatch):
    data = tiny.data_set(tmp_path / "data").folder
    alone = shutil.copytree(data, tmp_path / "alone")
    monkeypatch.setattr(cluster, "opened", lambda args: contextlib.nullcontext(opened[0]))
    assert frame.main(["--data", str(data), *FLAGS, "--cluster", "local:2"]) == command.DONE
    monkeypatch.undo()
    assert frame.main(["--data", str(alone), *FLAGS, "--workers", "1"]) == command.DONE
    assert tiny.contents(data / "frame-6x32") == tiny.contents(alone / "frame-6x32")


def test_videos_are_brought_by_a_cluster(opened, tmp_path, monkeypatch):
    source = tiny.data_set(tmp_path / "source")
    rows = [f"{item.video(source.folder)},{item.label},{item.split}" for item in source.clips if item.label]
    (tmp_path / "videos.csv").write_text("\n".join(["video,label,split", *rows]))
    line = ["--videos", str(tmp_path / "videos.csv"), "--output"]
    monkeypatch.setattr(cluster, "opened", lambda args: contextlib.nullcontext(opened[0]))
    assert prepare_videos.main([*line, str(tmp_path / "data"), "--cluster", "local:2"]) == command.DONE
    monkeypatch.undo()
    assert prepare_videos.main([*line, str(tmp_path / "alone"), "--workers", "1"]) == command.DONE
    assert tiny.contents(tmp_path / "data") == tiny.contents(tmp_path / "alone")


def test_features_of_a_cluster_are_the_same_bytes(opened, tmp_path, monkeypatch):
    """Batches of seven frames have parts of clips in them, and the last one is shorter."""
    import feature

    data = tiny.stored(tmp_path / "data", (5, 12, 3, 7, 9, 8), ["video"])
    alone = shutil.copytree(data, tmp_path / "alone")
    network = ["--network", "mobilenet", "--weights", "none", "--crop", "32", "--batch", "7", "--name", "some"]
    monkeypatch.setattr(cluster, "opened", lambda args: contextlib.nullcontext(opened[0]))
    assert feature.main(["--data", str(data), *network, "--cluster", "local:2"]) == command.DONE
    monkeypatch.undo()
    assert feature.main(["--data", str(alone), *network]) == command.DONE
    (store,) = data.glob("feature-*")
    found, expected = tiny.contents(store), tiny.contents(alone / store.name)
    assert found == expected and {"train.h5", "valid.h5", "test.h5"} < found.keys()


def test_a_clip_that_a_worker_cannot_read_is_named_and_the_others_are_done(opened, tmp_path, monkeypatch, capsys):
    import feature

    data = tiny.stored(tmp_path / "data", (5, 12, 3, 7, 9, 8), ["video"])
    damaged = next(data.glob("frame-*/train/*/a_2.zip"))
    content = bytearray(damaged.read_bytes())
    start = content.index(b"img_00003.jpg") + 200
    content[start : start + 100] = bytes(100)
    damaged.write_bytes(content)
    network = ["--network", "mobilenet", "--weights", "none", "--crop", "32", "--batch", "7"]
    monkeypatch.setattr(cluster, "opened", lambda args: contextlib.nullcontext(opened[0]))
    assert feature.main(["--data", str(data), *network, "--cluster", "local:2"]) == command.PARTLY
    shown = capsys.readouterr()
    assert "a_2" in shown.err and "1 not done" in shown.err and "5 clips" in shown.out


def test_ctrl_c_leaves_it_to_this_process_to_end_the_workers(opened):
    workers = [psutil.Process(number) for number in opened[0].client.run(os.getpid).values()]
    before = opened[0].processes()
    for worker in workers:
        worker.send_signal(signal.SIGINT)
    assert sorted(opened[0].run_jobs(abs, [-1, -2, -3, -4])) == [(0, 1), (1, 2), (2, 3), (3, 4)]
    assert all(worker.is_running() for worker in workers) and opened[0].processes() == before == 2


def die(job: tuple[Path, int]) -> int:
    """Of job 2 the first worker is killed, of job 4 every one."""
    folder, number = job
    if number == 4 or (number == 2 and not (folder / "killed").exists()):
        (folder / "killed").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def test_a_worker_that_dies_costs_the_job_in_hand(opened, tmp_path):
    outcome = command.parallel(die, [(f"clip {n}", (tmp_path, n)) for n in range(8)], opened[0], "working")
    assert outcome.done == [0, 1, 2, 3, 5, 6, 7] and (tmp_path / "killed").exists()
    assert outcome.failed == [("clip 4", str(Lost("each worker that did it died")))]


@contextlib.contextmanager
def dask(*arguments: str, code: Path = tiny.REPOSITORY) -> Iterator[subprocess.Popen]:
    """`dask scheduler ...` or `dask worker ...` in a copy of the code."""
    line = [sys.executable, "-m", "dask", *arguments]
    with subprocess.Popen(
        line, cwd=code, env={**os.environ, "PYTHONPATH": str(code)}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture(scope="module")
def certificates(tmp_path_factory) -> list[Path]:
    """An authority, a certificate and its key, as one would make them for a cluster."""
    from distributed.security import Security

    made, folder = Security.temporary(), tmp_path_factory.mktemp("certificates")
    paths = [folder / name for name in ("ca.pem", "cert.pem", "key.pem")]
    for path, text in zip(paths, (made.tls_ca_file, made.tls_client_cert, made.tls_client_key), strict=True):
        path.write_text(text)
    return paths


def free_port() -> int:
    import socket

    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def test_another_version_is_refused_and_a_dead_scheduler_ends_the_run(certificates, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(tiny.REPOSITORY / "signs", other / "signs", ignore=shutil.ignore_patterns("__pycache__"))
    with open(other / "signs" / "errors.py", "a") as file:
        file.write("# another version\n")
    named = ("--tls-ca-file", "--tls-cert", "--tls-key")
    secure = [word for pair in zip(named, map(str, certificates), strict=True) for word in pair]
    address = f"tls://127.0.0.1:{free_port()}"
    with contextlib.ExitStack() as held:
        here = ["--host", "127.0.0.1", "--no-dashboard", *secure]
        place = ["--port", address.rpartition(":")[2], "--protocol", "tls"]
        scheduler = held.enter_context(dask("scheduler", *here, *place))
        with dask("worker", address, *here, "--no-nanny", "--nthreads", "1", code=other):
            with pytest.raises(
                Problem, match=r"worker tls://127.0.0.1:\d+ has version \w{16} of this code, not \w{16}"
            ):
                held.enter_context(cluster.opened(flags(address, certificates)))
            late = cluster._connect(flags(address, certificates), held)
            with pytest.raises(Problem, match=r"worker tls://127.0.0.1:\d+ has another version"):
                list(late.run_jobs(abs, [-1]))
        held.enter_context(dask("worker", address, *here, "--no-nanny", "--nthreads", "1"))
        workers = held.enter_context(cluster.opened(flags(address, certificates)))
        results = workers.run_jobs(time.sleep, [0.05] * 100)
        assert [next(results)[1] for _ in range(3)] == [None] * 3
        scheduler.kill()
        with pytest.raises(Problem, match="the scheduler is gone; what is done stays"):
            list(results)


def test_nobody_listens(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    data = tiny.data_set(tmp_path / "data").folder
    address = f"tcp://127.0.0.1:{free_port()}"
    assert command.run(lambda: frame.main(["--data", str(data), *FLAGS, "--cluster", address])) == command.NOTHING
    shown = capsys.readouterr().err
    assert f"{address}: no scheduler answers" in shown and shown.count("\n") == 1 and not (data / "frame-6x32").exists()


@pytest.mark.parametrize(
    ("address", "certificates", "reason"),
    [
        ("tcp://10.0.0.1:8786", None, "can run code on its workers and here; use tls://"),
        ("tls://10.0.0.1:8786", None, "needs --cluster-certificates CA.pem CERT.pem KEY.pem"),
        ("10.0.0.1:8786", None, "expected tls://HOST:PORT"),
        ("local:0", None, "expected tls://HOST:PORT"),
        ("http://127.0.0.1:1", None, "expected tls://HOST:PORT"),
    ],
)
def test_what_is_no_safe_address_is_refused(address, certificates, reason):
    with pytest.raises(Problem, match=reason), cluster.opened(flags(address, certificates)):
        pass


def test_a_certificate_that_is_missing_is_named(tmp_path):
    paths = [tmp_path / name for name in ("ca.pem", "cert.pem", "key.pem")]
    with pytest.raises(OSError) as stopped, cluster.opened(flags("tls://127.0.0.1:1", paths)):
        pass
    assert Path(stopped.value.filename) == paths[0]


def test_an_insecure_cluster_says_what_it_means(capsys):
    assert cluster._security(flags("tcp://10.0.0.1:8786", insecure=True)) is None
    assert "whoever reaches it can run code on its workers and on this machine" in capsys.readouterr().err
