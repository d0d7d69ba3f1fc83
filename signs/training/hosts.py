"""Roll call of the hosts of one training: all are there, each number once, all started alike; else one clear line.

Each host sends host 0 a line of JSON (host, hosts, stamp); once all have called, host 0 answers each of them. Only then
does JAX's own coordinator open the same port, because JAX 0.10 cannot say what is wrong. A host that is missing, or has
a number twice, or an address that does not exist ends every process with SIGABRT and a stack trace ("DEADLINE_EXCEEDED:
RegisterTask", no host named), which Python cannot catch. A port that is taken is a segmentation fault. A host with a
larger --hosts than host 0's, or with other flags or clips, is let in without a word.
"""

import contextlib
import json
import socket
import time

from signs.command import Problem

WAIT = 600.0  # seconds in which all hosts have to be there: one of them may be fetching the published weights
CALL = 10.0  # seconds for one line from somebody who is there


def call_hosts(coordinator: str, hosts: int, host: int, stamp: str) -> None:
    """Return when all hosts are there; raises Problem where one is missing, called twice, or has another stamp.

    Args:
        coordinator: HOST:PORT of host 0.
        stamp: equal on all hosts that were started alike.
    """
    address, port = coordinator.rsplit(":", 1)
    here = {"host": host, "hosts": hosts, "stamp": stamp}
    if host:
        _report(address.strip("[]"), int(port), here)
    else:
        _gather(address.strip("[]"), int(port), here)


def _gather(address: str, port: int, here: dict) -> None:
    """Host 0: wait, at that address alone, until every other host has called. A host that is wrong is told why."""
    until, present = time.monotonic() + WAIT, {}
    with contextlib.ExitStack() as connections:
        try:
            family = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)[0][0]
            server = socket.create_server((address, port), family=family)
        except (OSError, OverflowError) as error:
            why = f"does not open on this machine ({error})"
            what = "it has to be an address of host 0's own, with a port that is free"
            raise Problem(f"--coordinator {address}:{port}: {why}; {what}") from None
        connections.enter_context(server)
        while len(present) < here["hosts"] - 1:
            server.settimeout(max(until - time.monotonic(), 0.01))
            try:
                connection = connections.enter_context(server.accept()[0])
            except TimeoutError:
                missing = sorted(set(range(1, here["hosts"])) - present.keys())
                why = f"no call from host {', '.join(map(str, missing))} in {WAIT:.0f} s"
                what = "start it with the same command but for --host"
                raise Problem(f"--hosts {here['hosts']}: {why}; {what}") from None
            caller = _receive(connection, CALL)
            problem = _what_is_wrong(here, caller, present)
            if problem:
                _send(connection, {"problem": problem})
            elif caller:
                present[caller["host"]] = connection
        for connection in present.values():
            _send(connection, {"problem": None})


def _what_is_wrong(here: dict, caller: dict | None, present: dict) -> str | None:
    if caller is None or not here.keys() <= caller.keys():
        return "this port is that of a training on several hosts"
    if caller["hosts"] != here["hosts"]:
        return f"--hosts {caller['hosts']}: host 0 was started with {here['hosts']}"
    if caller["host"] in present:
        return f"--host {caller['host']}: another machine has that number already"
    if caller["stamp"] != here["stamp"]:
        return "other flags, frames or clips than host 0's; start each host with the same command but for --host"
    return None


def _report(address: str, port: int, here: dict) -> None:
    """Another host: call host 0 until it is there, then wait for its answer."""
    until, where = time.monotonic() + WAIT, f"--coordinator {address}:{port}"
    while True:
        try:
            connection = socket.create_connection((address, port), timeout=CALL)
            break
        except (socket.gaierror, OverflowError) as error:
            raise Problem(f"{where}: no such address ({error}); that of host 0 is needed") from None
        except OSError as error:
            if time.monotonic() > until:
                why = f"no answer for {WAIT:.0f} s ({error})"
                raise Problem(f"{where}: {why}; is host 0 running there, and is the port open?") from None
            time.sleep(0.2)
    with connection:
        _send(connection, here)
        answer = _receive(connection, max(until - time.monotonic(), CALL))
    if answer is None or "problem" not in answer:
        raise Problem(f"{where}: no answer of a training's host 0; it was stopped, or the port is another program's")
    if answer["problem"]:
        raise Problem(answer["problem"])


def _send(connection: socket.socket, message: dict) -> None:
    with contextlib.suppress(OSError):  # who has gone is missed by JAX
        connection.sendall(json.dumps(message).encode() + b"\n")


def _receive(connection: socket.socket, seconds: float) -> dict | None:
    """One line of JSON, an object; None where something else or nothing comes."""
    connection.settimeout(seconds)
    try:
        message = json.loads(connection.makefile("rb").readline(1000))
    except (OSError, ValueError):
        return None
    return message if isinstance(message, dict) else None
