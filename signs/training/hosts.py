"""The hosts of one training: a roll call before it, and a line to each other until all of them are done.

Each host sends host 0 a line of JSON (host, hosts, stamp); once all have called, host 0 answers each of them. Only then
does JAX's own coordinator open the same port, because JAX 0.10 cannot say what is wrong. A host that is missing, or has
a number twice, or an address that does not exist ends every process with SIGABRT and a stack trace ("DEADLINE_EXCEEDED:
RegisterTask", no host named), which Python cannot catch. A port that is taken is a segmentation fault. A host with a
larger --hosts than host 0's, or with other flags or clips, is let in without a word. One that dies ends the others in
the same way, and 70 s later.
"""

import atexit
import contextlib
import json
import os
import shutil
import socket
import sys
import threading
import time
from pathlib import Path

from signs import command, errors
from signs.command import Problem

WAIT = 600.0  # seconds in which all hosts have to be there: one of them may be fetching the published weights
CALL = 10.0  # seconds for one line from somebody who is there
GRACE = 5.0  # seconds in which another host's end is known here, after an error that it may have led to
LAST = 1.0  # seconds by which host 0 outlives the others
LONGEST = 500  # characters of what is told of an end
AGAIN = "start the same commands again, and they go on after the last checkpoint"
# A machine without power says nothing: it is asked after that many silent seconds, so often, that many seconds apart.
ALIVE = {"TCP_KEEPIDLE": 15, "TCP_KEEPINTVL": 5, "TCP_KEEPCNT": 3}


class Line:
    """A connection to another host, on which each message is a line of JSON, an object."""

    def __init__(self, connection: socket.socket):
        self._connection, self._rest = connection, b""
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        for option, value in ALIVE.items():
            if hasattr(socket, option):  # not on every system
                connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)

    def send(self, message: dict) -> None:
        with contextlib.suppress(OSError):  # who has gone is missed by who listens
            self._connection.sendall(json.dumps(message).encode() + b"\n")

    def receive(self, seconds: float | None) -> dict | None:
        """The next message; None where something else comes, or it is not there in so many seconds."""
        until = None if seconds is None else time.monotonic() + seconds
        try:
            while b"\n" not in self._rest and len(self._rest) < 8 * LONGEST:
                self._connection.settimeout(until and max(until - time.monotonic(), 0.001))
                if not (part := self._connection.recv(8 * LONGEST)):
                    return None
                self._rest += part
            line, _, self._rest = self._rest.partition(b"\n")
            message = json.loads(line)
        except (OSError, ValueError, RecursionError):
            return None
        return message if isinstance(message, dict) else None

    def close(self) -> None:
        with contextlib.suppress(OSError):
            self._connection.shutdown(socket.SHUT_RDWR)  # ends a `receive` of another thread
        self._connection.close()


class Watch:
    """Hold it while the hosts train: where another host ends before its time, this process does too, with one line.

    The end of the block waits until all hosts are at theirs. An error in the block is told the others. Nobody could
    stop in another way: a host that waits for a sum of all hosts' gradients hears no exception.
    """

    def __init__(self, host: int, lines: dict[int, Line]):
        """lines: {host: its line}; host 0 has one to each, any other one has one to host 0."""
        self.temporary: Path | None = None  # a folder to delete at a sudden end
        self._host, self._lines, self._ending = host, lines, threading.Lock()
        self._listeners = [threading.Thread(target=self._listen, args=each, daemon=True) for each in lines.items()]

    def __enter__(self) -> "Watch":
        for listener in self._listeners:
            listener.start()
        return self

    def __exit__(self, kind, error: BaseException | None, trace) -> None:
        if error is None:
            self._tell(None)
            for listener in self._listeners:
                listener.join()
        else:
            if not errors.is_expected(error) and isinstance(error, Exception):
                time.sleep(GRACE)  # JAX's error about a host that has gone comes before its end is known here
            self._ending.acquire()  # from now on the others may go
            why = errors.describe(error) if isinstance(error, Exception) else "it was stopped"
            self._tell(f"host {self._host} ended: {why}")
            # JAX's own end would wait for the others, in vain.
            atexit.register(_leave, command.NOTHING if isinstance(error, Exception) else command.STOPPED)

    def _tell(self, ended: str | None) -> None:
        for line in self._lines.values():
            line.send({"ended": ended and ended[:LONGEST]})

    def _listen(self, host: int, line: Line) -> None:
        message = line.receive(None)
        if message is not None and message.get("ended") is None:
            return
        self._ending.acquire()  # never given back: only one thread ends the process
        what = f"host {host} has gone" if message is None else str(message["ended"])
        self._tell(what)
        print(errors.one_line(f"{Path(sys.argv[0]).name}: {what}; {AGAIN}"), file=sys.stderr)
        if self.temporary:
            shutil.rmtree(self.temporary, ignore_errors=True)
        if not self._host:
            time.sleep(LAST)  # without host 0 JAX ends the others, in its own words
        _leave(command.NOTHING)


def _leave(code: int) -> None:
    """End this process, whatever its other threads do."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def call_hosts(coordinator: str, hosts: int, host: int, stamp: str) -> Watch:
    """Return when all hosts are there; raises Problem where one is missing, called twice, or has another stamp.

    Args:
        coordinator: HOST:PORT of host 0.
        stamp: equal on all hosts that were started alike.
    """
    address, port = coordinator.rsplit(":", 1)
    here = {"host": host, "hosts": hosts, "stamp": stamp}
    call = _report if host else _gather
    return Watch(host, call(address.strip("[]"), int(port), here))


def _gather(address: str, port: int, here: dict) -> dict[int, Line]:
    """Host 0: wait, at that address alone, until every other host has called. A host that is wrong is told why."""
    until, present = time.monotonic() + WAIT, {}
    with contextlib.ExitStack() as strangers:
        try:
            family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
            server = strangers.enter_context(socket.create_server((address, port), family=family))
        except (OSError, OverflowError) as error:
            why = f"does not open on this machine ({error})"
            what = "it has to be an address of host 0's own, with a port that is free"
            raise Problem(f"--coordinator {address}:{port}: {why}; {what}") from None
        while len(present) < here["hosts"] - 1:
            server.settimeout(max(until - time.monotonic(), 0.01))
            try:
                line = Line(server.accept()[0])
            except TimeoutError:
                for line in present.values():
                    line.close()
                missing = sorted(set(range(1, here["hosts"])) - present.keys())
                why = f"no call from host {', '.join(map(str, missing))} in {WAIT:.0f} s"
                what = "start it with the same command but for --host"
                raise Problem(f"--hosts {here['hosts']}: {why}; {what}") from None
            caller = line.receive(CALL)
            if problem := _what_is_wrong(here, caller, present):
                line.send({"problem": problem})
                strangers.callback(line.close)
            else:
                present[caller["host"]] = line
    for line in present.values():
        line.send({"problem": None})
    return present


def _what_is_wrong(here: dict, caller: dict | None, present: dict) -> str | None:
    if caller is None or any(type(caller.get(name)) is not type(value) for name, value in here.items()):
        return "this port is that of a training on several hosts"
    if caller["hosts"] != here["hosts"]:
        return f"--hosts {caller['hosts']}: host 0 was started with {here['hosts']}"
    if caller["host"] in present:
        return f"--host {caller['host']}: another machine has that number already"
    if caller["stamp"] != here["stamp"]:
        return "other flags, frames or clips than host 0's; start each host with the same command but for --host"
    return None


def _report(address: str, port: int, here: dict) -> dict[int, Line]:
    """Another host: call host 0 until it is there, then wait for its answer."""
    until, where = time.monotonic() + WAIT, f"--coordinator {address}:{port}"
    while True:
        try:
            line = Line(socket.create_connection((address, port), timeout=CALL))
            break
        except (socket.gaierror, OverflowError) as error:
            raise Problem(f"{where}: no such address ({error}); that of host 0 is needed") from None
        except OSError as error:
            if time.monotonic() > until:
                why = f"no answer for {WAIT:.0f} s ({error})"
                raise Problem(f"{where}: {why}; is host 0 running there, and is the port open?") from None
            time.sleep(0.2)
    line.send(here)
    answer = line.receive(max(until - time.monotonic(), CALL))
    if answer == {"problem": None}:
        return {0: line}
    line.close()
    if answer is None or "problem" not in answer:
        raise Problem(f"{where}: no answer of a training's host 0; it was stopped, or the port is another program's")
    raise Problem(answer["problem"])
