"""Jobs on the machines of a Dask cluster, or on processes of this one under Dask's scheduler: `--cluster`.

    with opened(args) as workers: ...           a Cluster, or the number that --workers has
    for number, result in workers.run_jobs(function, jobs): ...

Whoever reaches a Dask scheduler can run code on it, on its workers and on its clients. So `local:N` listens on
127.0.0.1 alone, with certificates that it makes for itself, and another machine's address has to be `tls://` with
certificates. A worker must have the same code as this machine: equal input has to give equal bytes.

joblib has a backend for Dask too. It is not used: a job whose worker died for good, or whose scheduler is gone, never
comes back from it (joblib 1.6: `_collect` calls back for results alone), so a run would wait for ever.
"""

import argparse
import asyncio
import concurrent.futures
import contextlib
import functools
import hashlib
import ipaddress
import itertools
import logging
import re
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from signs.errors import Problem
from signs.workers import Lost

PATIENCE = 10  # seconds in which a scheduler must answer
AHEAD = 2  # parcels of jobs that are sent for each one that is worked on
TOGETHER = 0.4  # seconds of jobs that are sent as one
RECOUNTED = 5.0  # seconds after which workers are counted anew: some come late
TRIES = 2  # workers of `local:N` that may die with a job before it is done alone

# Dask looks at what its workers do a hundred times a second, and at itself fifty times: of a job of a tenth of a second
# that is a part.
QUIET = {
    "distributed.worker.profile.enabled": False,
    "distributed.admin.tick.interval": "1s",
    "distributed.admin.system-monitor.interval": "5s",
    # Ctrl-C in a terminal reaches them too; this process ends them.
    "distributed.worker.preload": ["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
}


def add_flags(flags: argparse.ArgumentParser) -> None:
    """`--cluster` and what a remote one needs."""
    group = flags.add_argument_group("on a cluster (docs/scale.md)")
    where = "a Dask scheduler, tls://HOST:8786, all of whose workers see this folder; or N processes here, local:N"
    group.add_argument("--cluster", metavar="ADDRESS|local:N", help=where)
    files, three = "what tls:// needs: who is trusted, who this is, and its key", ("CA.pem", "CERT.pem", "KEY.pem")
    group.add_argument("--cluster-certificates", type=Path, nargs=3, metavar=three, help=files)
    danger = "a scheduler on another machine without tls://: whoever reaches it can run code here and there"
    group.add_argument("--insecure-cluster", action="store_true", help=danger)


@functools.cache
def code_version() -> str:
    """SHA-256 of all Python files and of the versions of what makes the bytes, 16 digits."""
    import av
    import cv2
    import numpy as np

    root = Path(__file__).resolve().parents[1]
    hashed = hashlib.sha256(repr((sys.version_info[:2], av.__version__, cv2.__version__, np.__version__)).encode())
    for path in sorted([*root.glob("*.py"), *(root / "signs").rglob("*.py")]):
        hashed.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return hashed.hexdigest()[:16]


class Refused(Exception):
    """A worker, by its address, has another code than this machine."""


class Cluster:
    """A scheduler that this process is connected to. here: its workers are processes of this machine, started by it."""

    def __init__(self, client, address: str, here: bool):
        self.client, self.address, self.here = client, address, here

    def processes(self) -> int:
        """How many jobs are worked on at once."""
        return max(1, sum(self.client.ncores().values()))

    def check_workers(self) -> None:
        """Raise Problem where there is no worker, or one has another code."""
        try:
            self.client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise Problem(f"{self.address}: no worker within {PATIENCE} s; start some with `dask worker`") from None

        def version() -> str:  # sent as it stands here: the other side may not have this file
            from signs import cluster

            return cluster.code_version()

        for worker, found in self.client.run(version, on_error="return").items():
            if found != code_version():
                has = f"version {found}" if isinstance(found, str) else f"none that answers ({type(found).__name__})"
                raise Problem(_refusal(worker, has))

    def run_jobs(self, function: Callable, jobs: Sequence) -> Iterator[tuple[int, object]]:
        """As workers.run_jobs. A job whose worker dies is done again by another one.

        Dask gives up a job when several workers died while they had it, as the one that they worked on or one that
        waited there. At the end those are done one by one, which finds the job that is to blame: that one is Lost.
        """
        from distributed.comm import CommClosedError

        suspects = []
        try:
            for number, result in self._spread(function, dict(enumerate(jobs))):
                if isinstance(result, Lost):
                    suspects.append(number)
                else:
                    yield number, result
            for number in suspects:
                yield from self._spread(function, {number: jobs[number]})
        except (CommClosedError, TimeoutError, asyncio.CancelledError, concurrent.futures.CancelledError):
            gone = "the scheduler is gone; what is done stays, the same command goes on"
            raise Problem(f"{self.address}: {gone}") from None

    def _spread(self, function: Callable, jobs: dict) -> Iterator[tuple[int, object]]:
        """(number, result) of each {number: job}: short jobs several at once, as sending one costs 10 ms of work."""
        from distributed import as_completed

        waiting, sent, done, most, asked, size = iter(jobs.items()), {}, as_completed(loop=self.client.loop), 0, None, 1
        while True:
            if asked is None or time.monotonic() - asked > RECOUNTED:
                most, asked = AHEAD * self.processes(), time.monotonic()
            while len(sent) < most and (some := list(itertools.islice(waiting, size))):
                future = self.client.submit(_checked, function, [job for _, job in some], code_version(), pure=False)
                sent[future] = [number for number, _ in some]
                done.add(future)
            if not sent:
                return
            future = next(done)
            numbers, answer = sent.pop(future), self._result(future)
            if isinstance(answer, Lost):
                yield from ((number, answer) for number in numbers)
            else:
                results, seconds = answer
                size = max(1, int(TOGETHER * len(numbers) / max(seconds, 1e-3)))
                size = min(size, 1 + len(jobs) // (4 * most))
                yield from zip(numbers, results, strict=True)

    def _result(self, future):
        from distributed.scheduler import KilledWorker

        try:
            return future.result(timeout=PATIENCE)
        except KilledWorker:
            return Lost("each worker that did it died")
        except Refused as refused:
            raise Problem(_refusal(str(refused), "another version")) from None


def _refusal(worker: str, has: str) -> str:
    return f"worker {worker} has {has} of this code, not {code_version()}; start it in a copy of this one, or stop it"


def _checked(function: Callable, jobs: list, code: str) -> tuple[list, float]:
    """What comes of these jobs, and the seconds that they took.

    A worker that came after the others were looked at says here whether it has the same code.
    """
    if code_version() != code:
        from distributed import get_worker

        raise Refused(get_worker().address)
    started = time.perf_counter()
    return [function(job) for job in jobs], time.perf_counter() - started


@contextlib.contextmanager
def opened(args: argparse.Namespace) -> Iterator[int | Cluster]:
    """The cluster that the flags name, until the block ends; the number of --workers where they name none."""
    if not args.cluster:
        yield args.workers
        return
    if missing := _not_installed():
        raise Problem(f"{missing} not installed here, which --cluster needs: pip install 'isolated-signs[cluster]'")
    _say_nothing()
    local = re.fullmatch(r"local:([1-9]\d{0,3})", args.cluster)
    with contextlib.ExitStack() as held:
        cluster = _start_here(int(local[1]), held) if local else _connect(args, held)
        print(f"{cluster.address}: {cluster.processes()} at once; dashboard {cluster.client.dashboard_link}")
        cluster.check_workers()
        yield cluster


def _not_installed() -> str:
    from importlib.util import find_spec

    return ", ".join(name for name in ("distributed", "bokeh", "cryptography") if find_spec(name) is None)


def _say_nothing() -> None:
    """One line of ours says what is wrong."""
    import distributed  # which sets its loggers up

    for name in (distributed.__name__, "distributed.client"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _start_here(number: int, held: contextlib.ExitStack) -> Cluster:
    """So many processes, which only this user's programs on this machine reach."""
    import dask
    from distributed import Client, LocalCluster
    from distributed.security import Security

    # A process that takes much memory is the system's to end, as without a cluster.
    held.enter_context(dask.config.set({**QUIET, "distributed.scheduler.allowed-failures": TRIES - 1}))
    inner = held.enter_context(
        LocalCluster(
            n_workers=number,
            threads_per_worker=1,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            security=Security.temporary(),
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
    )
    return Cluster(held.enter_context(Client(inner, set_as_default=False)), inner.scheduler_address, True)


def _connect(args: argparse.Namespace, held: contextlib.ExitStack) -> Cluster:
    """The scheduler at an address."""
    from distributed import Client

    address, security = args.cluster, _security(args)
    try:
        client = held.enter_context(Client(address, timeout=PATIENCE, security=security, set_as_default=False))
    except (OSError, ValueError, TypeError) as error:
        why = str(error).split("\n")[0][:100]
        raise Problem(f"{address}: no scheduler answers ({why}); start one with `dask scheduler`") from None
    return Cluster(client, address, False)


def _security(args: argparse.Namespace):
    """The certificates; None for a scheduler on this machine, or one that is said to be insecure."""
    where = urlsplit(args.cluster)
    if where.scheme not in ("tcp", "tls") or not where.hostname:
        raise Problem(f"--cluster {args.cluster}: expected tls://HOST:PORT, tcp://127.0.0.1:PORT or local:N")
    if where.scheme == "tls":
        from distributed.security import Security

        if not args.cluster_certificates:
            raise Problem(f"{args.cluster}: needs --cluster-certificates CA.pem CERT.pem KEY.pem")
        for path in args.cluster_certificates:
            path.stat()  # names the one that is missing
        authority, certificate, key = map(str, args.cluster_certificates)
        names = {"tls_ca_file": authority, "tls_client_cert": certificate, "tls_client_key": key}
        return Security(require_encryption=True, **names)
    if args.insecure_cluster:
        reach = "whoever reaches it can run code on its workers and on this machine"
        print(f"{args.cluster}: not encrypted, and open to all: {reach}", file=sys.stderr)
    elif not _is_here(where.hostname):
        raise Problem(
            f"{args.cluster}: whoever reaches a scheduler can run code on its workers and here; use tls:// with "
            "--cluster-certificates, or --insecure-cluster in a network that you trust"
        )
    return None


def _is_here(host: str) -> bool:
    """Whether a host is this machine, by name or number."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
