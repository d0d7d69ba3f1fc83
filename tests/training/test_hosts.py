"""Hosts find each other on loopback before the coordinator starts, or say in one line what is wrong."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

from signs.command import Problem
from signs.training import hosts as hosts_module
from signs.training.hosts import call_hosts

import pytest


@pytest.fixture
def port(monkeypatch) -> int:
    monkeypatch.setattr(hosts_module, "WAIT", 1.0)
    monkeypatch.setattr(hosts_module, "CALL", 1.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def call(port, *hosts) -> list[str | None]:
    """Each (hosts, host, stamp) calls; what each of them was told: None is that all are there."""
    told = [None] * len(hosts)

    def one(number, arguments):
        try:
            call_hosts(f"127.0.0.1:{port}", *arguments)
        except Problem as problem:
            told[number] = str(problem)

    threads = [threading.Thread(target=one, args=item) for item in enumerate(hosts)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not any("\n" in text for text in told if text)
    return told


def test_all_there(port):
    assert call(port, (3, 2, "same"), (3, 1, "same"), (3, 0, "same")) == [None] * 3


@pytest.mark.parametrize(
    ("caller", "said"),
    [
        ((2, 1, "other"), "other flags, frames or clips than host 0's"),
        ((3, 1, "same"), "--hosts 3: host 0 was started with 2"),
    ],
)
def test_one_that_was_started_otherwise_is_told_and_the_rest_waits_for_the_right_one(port, caller, said):
    first, wrong = call(port, (2, 0, "same"), caller)
    assert said in wrong
    assert "--hosts 2: no call from host 1 in 1 s" in first


@pytest.mark.parametrize(
    "line",
    [
        b'{"host": [1], "hosts": 2, "stamp": "same"}\n',
        b"[" * 3999 + b"\n",
        b'{"host": true, "hosts": 2, "stamp": ""}\n',
    ],
)
def test_a_stranger_who_speaks_is_no_host(port, line):
    told = []
    waits = threading.Thread(target=lambda: told.extend(call(port, (2, 0, "same"))))
    waits.start()
    time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        stranger.sendall(line)
        assert b"this port is that of a training" in stranger.recv(1000)
    waits.join()
    assert "no call from host 1" in told[0]


def test_a_stranger_who_speaks_slowly_is_not_waited_for(port, monkeypatch):
    monkeypatch.setattr(hosts_module, "CALL", 0.3)
    told = []
    waits = threading.Thread(target=lambda: told.extend(call(port, (2, 0, "same"))))
    waits.start()
    time.sleep(0.2)
    with socket.create_connection(("127.0.0.1", port)) as stranger:
        for _ in range(3):
            stranger.sendall(b"{")
            time.sleep(0.2)
        stranger.settimeout(5)
        assert b"this port is that of a training" in stranger.recv(1000)
    waits.join()


def test_a_number_twice(port):
    told = call(port, (3, 0, "same"), (3, 1, "same"), (3, 1, "same"))
    assert "no call from host 2" in told[0]
    assert any("--host 1: another machine has that number already" in text for text in told[1:])


def test_nobody_there(port):
    assert "no answer for 1 s" in call(port, (2, 1, "same"))[0]
    with pytest.raises(Problem, match="no such address"):
        call_hosts("nowhere.invalid:7654", 2, 1, "same")


def test_a_port_that_another_program_has(port):
    with socket.create_server(("", port)) as server:
        assert "does not open on this machine" in call(port, (2, 0, "same"))[0]
        threading.Thread(target=lambda: server.accept()[0].sendall(b"220 mail.example ESMTP\r\n")).start()
        assert "no answer of a training's host 0" in call(port, (2, 1, "same"))[0]


def test_a_stranger_at_the_port_does_not_count(port):
    told = []
    first = threading.Thread(target=lambda: told.append(call(port, (2, 0, "same"))))
    first.start()
    until = time.monotonic() + 1
    while time.monotonic() < until:
        try:
            with socket.create_connection(("127.0.0.1", port)) as connection:
                connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
            break
        except ConnectionRefusedError:
            time.sleep(0.01)
    assert call(port, (2, 1, "same")) == [None]
    first.join()
    assert told == [[None]]


@pytest.fixture
def watches(port, monkeypatch):
    """Those of hosts 0, 1 and 2 of one training; a list of those that ended, and of what is to end this process."""
    ended, registered = [], []
    monkeypatch.setattr(hosts_module, "_leave", ended.append)
    monkeypatch.setattr(hosts_module.atexit, "register", lambda *what: registered.append(what))
    monkeypatch.setattr(hosts_module, "LAST", 0.0)
    monkeypatch.setattr(hosts_module, "GRACE", 0.05)
    with ThreadPoolExecutor() as pool:
        calls = [pool.submit(call_hosts, f"127.0.0.1:{port}", 3, number, "same") for number in range(3)]
        yield *(call.result() for call in calls), ended, registered


def wait_until(ended: list, count: int) -> None:
    limit = time.monotonic() + 10
    while len(ended) < count and time.monotonic() < limit:
        time.sleep(0.01)
    assert ended == [2] * count


def test_hosts_wait_for_each_other_at_the_end(watches):
    first, second, third, ended, registered = watches
    first.__enter__()
    second.__enter__()
    waits = threading.Thread(target=first.__exit__, args=(None, None, None))
    waits.start()
    with third:
        also_waits = threading.Thread(target=second.__exit__, args=(None, None, None))
        also_waits.start()
        waits.join(0.1)
        assert waits.is_alive(), "host 2 is not done"
    waits.join(10)
    also_waits.join(10)
    assert not waits.is_alive() and not ended and not registered


@pytest.mark.parametrize(
    ("error", "said"), [(Problem("clip 7: damaged"), "clip 7: damaged"), (ValueError("7\n8"), "ValueError: 7 8")]
)
def test_an_error_of_one_host_ends_the_others_which_name_it(watches, capsys, error, said):
    first, second, third, ended, registered = watches
    first.__enter__()  # and no end of the block, which a host that has ended never comes to
    third.__enter__()
    with pytest.raises(type(error)), second:
        raise error
    wait_until(ended, 2)
    assert capsys.readouterr().err.count(f"host 1 ended: {said}; start the same commands again") == 2
    assert registered == [(hosts_module._leave, 2)], "it ends by itself, with what is its own line"
