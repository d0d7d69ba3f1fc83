"""The script as it is, with a stand-in for the networks: what it prints, what it refuses, how it ends."""

import re
import signal
import ssl
import subprocess
import sys
import urllib.request

from signs.command import Problem
from signs.web import addresses, capacity, server

import pytest

import tiny
import webdemo

RUN = f"""import sys
sys.path[:0] = [{str(tiny.REPOSITORY)!r} + part for part in ("", "/tests", "/tests/web")]
sys.argv[0] = "webdemo.py"
import served, webdemo
webdemo.load = lambda model, runtime: served.Recogniser()
from signs import command
sys.exit(command.run(webdemo.main))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for a single process")
@pytest.mark.parametrize("host", ["127.0.0.1", "0.0.0.0"])
def test_it_prints_where_the_page_is_and_stops_at_ctrl_c(tmp_path, host):
    if host != webdemo.LOOPBACK:
        try:
            addresses.find_place(host, 1)
        except Problem:
            pytest.skip("this machine is in no network")
    line = [sys.executable, "-c", RUN, "--model", str(tmp_path), "--port", "0", "--host", host, "--most", "2"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, **pipes) as process:
        said = [process.stdout.readline().strip() for _ in range(2 if host == webdemo.LOOPBACK else 5)]
        assert re.fullmatch(r"serves [12] visitors? at a time: a frame takes \d+ ms of a core", said[0])
        address = said[1].removeprefix("open ")
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        page = urllib.request.urlopen(address, context=trusting if address.startswith("https") else None).read()
        assert b"url=/" in page
        if host != webdemo.LOOPBACK:
            assert address.startswith("https://") and said[2].startswith("password ")
            assert re.fullmatch(r"certificate, SHA-256 ([0-9A-F]{2}:){31}[0-9A-F]{2}", said[3])
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60)[1] == "webdemo.py: stopped\n"
        assert process.returncode == 130


def test_what_it_cannot_do_is_one_line(tmp_path):
    with pytest.raises(Problem, match="no such folder"):
        webdemo.main(["--model", str(tmp_path / "none")])
    with pytest.raises(Problem, match="--keep keeps, which is missing"):
        webdemo.main(["--signer", "anna"])
    short = tmp_path / "password"
    short.write_text("short\n", encoding="utf-8")
    with pytest.raises(Problem, match="fewer than 8 characters"):
        webdemo.main(["--model", str(tmp_path), "--password-file", str(short)])
    with server.open_socket("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Problem, match=f"port {port} of 127.0.0.1 cannot be had"):
            webdemo.main(["--model", str(tmp_path), "--port", str(port)])


def test_a_password_is_asked_where_others_reach_the_page(tmp_path):
    path = tmp_path / "password"
    path.write_text("correct horse\nnot this\n", encoding="utf-8")
    assert webdemo.choose_password(None, False) is None
    assert webdemo.choose_password(path, True) == "correct horse"
    assert len(webdemo.choose_password(None, True)) == 19 and webdemo.choose_password(None, True).count("-") == 3


def test_as_many_are_served_as_the_machine_carries(monkeypatch):
    monkeypatch.setattr(capacity, "cores", lambda: 2)
    assert capacity.carries(0.045)[0] == 3 and capacity.carries(0.020)[0] == 8 and capacity.carries(5.0)[0] == 1
    assert capacity.carries(0.020, most=2)[0] == 2 and capacity.carries(0.045)[1] == pytest.approx(37.8, abs=0.1)
