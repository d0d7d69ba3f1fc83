"""What a script starts ends with it, however it ends: other scripts and their pools of processes."""

import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PATIENCE = 30.0  # seconds
# What learn.py runs here: two processes that say who they are, and work for a minute.
SLOW = """
import os, sys, time
from signs import command

def work(job):
    print(os.getpid(), flush=True)
    time.sleep(60)

def main():
    print(os.getpid(), flush=True)
    return list(command.run_jobs(work, range(2), 2))

sys.exit(command.run(main))
"""
LEARN = "import learn, pathlib, sys; learn.ROOT = pathlib.Path(sys.argv[1]); learn.run('slow.py', shown=True)"


@pytest.mark.parametrize("killed", ["learn.py", "what it runs"])
def test_whatever_is_killed_what_it_started_ends_too(killed, tmp_path):
    (tmp_path / "slow.py").write_text(SLOW, encoding="utf-8")
    known = {**os.environ, "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", LEARN, str(tmp_path)]
    with subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=known) as starter:
        started = [int(starter.stdout.readline()) for _ in range(3)]
        try:
            os.kill(starter.pid if killed == "learn.py" else started[0], getattr(signal, "SIGKILL", signal.SIGTERM))
            # All that was started writes into this pipe: its end comes with that of the last.
            starter.communicate(timeout=PATIENCE)
        finally:
            for process in started:
                with contextlib.suppress(OSError):
                    os.kill(process, signal.SIGTERM)
