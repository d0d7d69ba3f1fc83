"""Hosts find each other on loopback before the coordinator starts, or say in one line what is wrong."""

import socket
import threading
import time

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
