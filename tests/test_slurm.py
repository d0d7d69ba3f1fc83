"""Slurm as docs/scale.md describes it: dask-jobqueue writes job scripts, a stand-in for `sbatch` runs them here.

Nobody has run it on a real cluster. What is tested is that the script of the page makes such a job, that the job's
workers come to its scheduler, and that frame.py does its work with them.
"""

import os
import re
import shlex
import sys
from pathlib import Path

from signs import command

import pytest

import frame
import tiny

pytest.importorskip("dask_jobqueue", reason="dask-jobqueue is not installed")
pytest.importorskip("bokeh", reason="the extra `cluster` is not installed")
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the stand-in for sbatch uses setsid")

# As Slurm does: the script is copied, as it is deleted after this; its job runs on, and is ended by its number.
SBATCH = """#!/bin/sh
cp "$1" {folder}/job.sh
setsid sh {folder}/job.sh > {folder}/job.log 2>&1 &
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
kill -- -"$1"
touch {folder}/cancelled
"""


def page() -> str:
    """What docs/scale.md says of Slurm."""
    text = (tiny.REPOSITORY / "docs" / "scale.md").read_text(encoding="utf-8")
    return text[text.index("**Slurm") :]


def block(kind: str) -> str:
    return re.search(rf"```{kind}\n(.*?)```", page(), re.DOTALL)[1]


@pytest.fixture
def slurm(tmp_path, monkeypatch) -> Path:
    """A folder with the stand-ins, which come first on PATH."""
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (tmp_path / name).write_text(text.format(folder=shlex.quote(str(tmp_path))))
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


@pytest.fixture
def certificates(tmp_path) -> Path:
    from distributed.security import Security

    made, folder = Security.temporary(), tmp_path / "certificates"
    folder.mkdir()
    for name, text in (("ca", made.tls_ca_file), ("cert", made.tls_client_cert), ("key", made.tls_client_key)):
        (folder / f"{name}.pem").write_text(text)
    return folder


def test_frames_on_slurm(slurm, certificates, tmp_path):
    """The page's own script, for one job of one process, on the loopback, and in the folders that there are here."""
    script, alone = block("python"), {"cores=16": "cores=1", "processes=16": "processes=1", "jobs=8": "jobs=1"}
    here = {"/shared/isolated-signs": str(tiny.REPOSITORY), "/shared/keys": str(certificates)}
    bounded = {"wait_for_workers(1)": "wait_for_workers(1, timeout=240)"}
    closed = {'scheduler_options={"dashboard': 'scheduler_options={"host": "127.0.0.1", "dashboard'}
    for old, new in (alone | here | bounded | closed).items():
        assert old in script
        script = script.replace(old, new)
    data, names = tiny.data_set(tmp_path / "data").folder, {}
    try:
        exec(script, names)
        address = names["cluster"].scheduler_address
        files = [str(certificates / f"{name}.pem") for name in ("ca", "cert", "key")]
        flags = ["--data", str(data), "--frames", "6", "--short-side", "32"]
        code = frame.main([*flags, "--cluster", address, "--cluster-certificates", *files])
        assert code == command.DONE, (slurm / "job.log").read_text()
        assert len(list((data / "frame-6x32").rglob("*.zip"))) == len(tiny.CLIPS)
        job = (slurm / "job.sh").read_text()
    finally:
        if "cluster" in names:
            names["cluster"].close()
    assert (slurm / "cancelled").exists()
    # Python may lie in the copy of the code, so its path goes first.
    for old, new in ((sys.executable, "python"), (address, "ADDRESS"), *((new, old) for old, new in here.items())):
        job = job.replace(old, new)
    job = re.sub(r"--name \S+", "--name NAME", job)
    told = block("bash").replace("--cpus-per-task=16", "--cpus-per-task=1").replace(" --nworkers 16", "")
    told = told.replace("--memory-limit 1.86GiB", "--memory-limit 29.80GiB")
    assert job.split() == told.split()
