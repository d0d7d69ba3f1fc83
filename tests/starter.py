"""Scripts in processes of their own that need not wait for Keras: each is forked from one that has imported it.

    started = starter.start(path of a script, *flags, KERAS_BACKEND="jax", ...)

Keras and its backend are imported and no device is touched before the fork, so a script begins as in a fresh process;
importing takes more processor time than what most tests have a script do. Run as a script itself, this file is the
process that is forked from: a line of JSON for each request, one for each answer.
"""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path

SERVERS: dict[str, subprocess.Popen] = {}  # by backend
LOCK = threading.Lock()
# What one script has compiled the next one takes from CACHE.
CACHE = tempfile.TemporaryDirectory()
JAX = {
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    "JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES": "-1",
}


class Started:
    """A script that runs; `pid` is its process, the leader of a group of its own."""

    def __init__(self, line: list[str], environment: dict[str, str]):
        self._output = tempfile.TemporaryDirectory()
        self._server = server(environment.get("KERAS_BACKEND", "tensorflow"))
        request = {"line": line, "environment": environment, "output": self._output.name, "folder": str(Path.cwd())}
        self.pid, self.returncode = self._ask(request), None

    def _ask(self, request: dict):
        with LOCK:
            self._server.stdin.write(json.dumps(request) + "\n")
            self._server.stdin.flush()
            return json.loads(self._server.stdout.readline())

    def poll(self) -> int | None:
        """The exit code, minus the signal's number where one ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._ask({"poll": self.pid})
        return self.returncode

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def wait(self, seconds: float = 300) -> subprocess.CompletedProcess:
        """Its exit code and what it wrote; raises TimeoutError, and kills it, where it takes longer."""
        until = time.monotonic() + seconds
        while self.poll() is None:
            if time.monotonic() > until:
                self.kill()
                raise TimeoutError(f"process {self.pid} took more than {seconds} s")
            time.sleep(0.02)
        written = [Path(self._output.name, name).read_text() for name in ("stdout", "stderr")]
        return subprocess.CompletedProcess([], self.returncode, *written)


def start(script: str | Path, *flags: str | Path, **environment: str) -> Started:
    return Started([str(script), *map(str, flags)], environment)


def run(script: str | Path, *flags: str | Path, **environment: str) -> subprocess.CompletedProcess:
    return start(script, *flags, **environment).wait()


def server(backend: str) -> subprocess.Popen:
    """The process that scripts of a backend are forked from."""
    if backend not in SERVERS:
        environment = {**os.environ, "KERAS_BACKEND": backend, **JAX, "JAX_COMPILATION_CACHE_DIR": CACHE.name}
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        SERVERS[backend] = subprocess.Popen([sys.executable, __file__], env=environment, **pipes)
    return SERVERS[backend]


def stop() -> None:
    """End what scripts were forked from."""
    while SERVERS:
        SERVERS.popitem()[1].communicate()


def become(job: dict) -> None:
    """In the forked process: go on as that script."""
    os.setsid()
    output = Path(job["output"])
    for number, name in ((1, "stdout"), (2, "stderr")):
        os.dup2(os.open(output / name, os.O_WRONLY | os.O_CREAT), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.environ.update(job["environment"])
    os.chdir(job["folder"])
    sys.argv = job["line"]
    sys.path.insert(0, str(Path(sys.argv[0]).parent))
    runpy.run_path(sys.argv[0], run_name="__main__")


def exit_code(pid: int) -> int | None:
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def main() -> None:
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import signs  # noqa: F401  first: it sets what TensorFlow reads while it is imported

    sys.modules["sklearn"] = None  # two seconds of Keras's import, where it is there
    import keras  # noqa: F401

    warnings.filterwarnings("ignore", r".*fork\(\)")  # of threads that stand still until the first operation
    while line := sys.stdin.readline():
        job = json.loads(line)
        if "poll" in job:
            answer = exit_code(job["poll"])
        elif (answer := os.fork()) == 0:
            become(job)
            break
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
