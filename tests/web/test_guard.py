"""Nobody gets anything but who knows the address, and no other site through his browser: each attack is tried."""

import contextlib
import json
import socket
import time

from signs.web import access, addresses, guard, server
from signs.web.access import Access, Attempts

import pytest
import websockets.exceptions
from served import Guest, serving, views


@pytest.fixture(scope="module")
def served():
    with serving() as running:
        yield running


@pytest.fixture(scope="module")
def guest(served) -> Guest:
    return Guest(served)


EVERYTHING = ("/", "/page/main.js", "/page/words.json", "/about.json", "/answers.csv", "/loops/0.json", "/nowhere")


@pytest.mark.parametrize("path", EVERYTHING)
def test_without_the_token_there_is_nothing(served, path):
    stranger = Guest(served, enter=False)
    for where in (path, f"{path}?token=", f"{path}?token=wrong", f"{path}?token=%00%ff"):
        response, body = stranger.get(where)
        assert response.status == 403 and len(body) < 100 and response.getheader("set-cookie") is None


def test_a_cookie_that_was_not_signed_here_is_none(served, guest):
    name, _, value = guest.cookie.partition("=")
    visitor, level, mark = value.split(".")
    others = (f"{'0' * 32}.{level}.{mark}", f"{visitor}.{level}.{'0' * 64}", f"{visitor}.inside", "", "é", '"')
    elsewhere = Access().sign(visitor, level)
    for forged in (*others, elsewhere):
        forger = Guest(served, enter=False)
        assert forger.get("/about.json", Cookie=f"{name}={forged}".encode().decode("latin-1"))[0].status == 403
    assert guest.get("/about.json")[0].status == 200


def test_the_cookie_is_for_no_script_and_no_other_site(served):
    response, body = Guest(served, enter=False).get(f"/?token={served.site.access.token}")
    said = response.getheader("set-cookie").lower()
    assert "httponly" in said and "samesite=strict" in said and "path=/" in said and "domain" not in said
    assert b'content="0;url=/"' in body and served.site.access.token.encode() not in body


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", "localhost:{port}.evil.example", ""]
)
def test_dns_rebinding_gets_nothing(served, guest, host):
    host = host.format(port=served.port)
    assert guest.get("/about.json", Host=host)[0].status in (400, 403)
    assert guest.get(f"/?token={served.site.access.token}", Host=host)[0].status in (400, 403)
    # A page that was sent here under its own name has it as its origin too.
    assert guest.post("/order", {"do": "look"}, Host=host, Origin=f"http://{host}")[0].status in (400, 403)


def test_the_machines_own_names_are_taken(served, guest):
    for name in ("127.0.0.1", "localhost", "LOCALHOST", "[::1]"):
        host = f"{name}:{served.port}"
        assert guest.post("/order", {"do": "look"}, Host=host, Origin=f"http://{host.lower()}")[0].status == 200


ORIGINS = [
    "http://evil.example",
    "null",
    "https://127.0.0.1:{port}",
    "http://127.0.0.1:1",
    "http://localhost:{port}",
    None,
]


@pytest.mark.parametrize("origin", ORIGINS)
def test_another_origin_may_change_nothing(served, guest, origin):
    origin = origin and origin.format(port=served.port)
    for path in ("/order", "/frame", "/upload", "/password"):
        assert guest.post(path, b"{}", Origin=origin)[0].status == 403
    with pytest.raises(websockets.exceptions.InvalidStatus) as refused, guest.link(Origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_websocket_wants_the_cookie_and_the_host(served, guest):
    for headers in (
        {"Cookie": None},
        {"Host": f"evil.example:{served.port}", "Origin": f"http://evil.example:{served.port}"},
    ):
        with pytest.raises(websockets.exceptions.InvalidStatus) as refused, guest.link(**headers):
            pass
        assert refused.value.response.status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_another_site_can_embed_nothing(served, guest, site):
    """Another port of this machine is the same site, and its pages get the cookie sent along."""
    for path in ("/", "/page/main.js", "/about.json", "/answers.csv"):
        assert guest.get(path, Sec_Fetch_Site=site)[0].status == 403
        assert guest.get(path, Origin="http://127.0.0.1:1")[0].status == 403
    assert guest.get(f"/?token={served.site.access.token}", Sec_Fetch_Site=site)[0].status == 200, (
        "a link may lead here"
    )


@pytest.mark.parametrize("path", ["/", "/page/main.js", "/about.json", "/nowhere", "/?token=wrong"])
def test_every_answer_forbids_frames_and_foreign_content(guest, path):
    headers = guest.get(path)[0].headers
    policy = dict(part.strip().split(" ", 1) for part in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["content-security-policy"] and "*" not in headers["content-security-policy"]
    assert headers["x-frame-options"] == "DENY" and headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer" and headers["cache-control"] == "no-store"
    assert "camera=(self)" in headers["permissions-policy"] and headers["server"] is None


def test_what_is_no_order_is_refused(guest):
    for body in (b"", b"[]", b"{", b'{"a":' * 1000, b" " * 5000, b"\xff", b"[" * 4000):
        assert guest.post("/order", body)[0].status == 400
    assert guest.request("PUT", "/order", b"{}", Origin=guest.own()["Origin"])[0].status == 405
    assert guest.get("/page/..%2faccess.py")[0].status == 404


def test_who_says_nothing_shuts_nobody_out(monkeypatch):
    """Neither connections without a request nor with half of one; a WebSocket stays."""
    monkeypatch.setattr(server, "CONNECTIONS", 6)
    monkeypatch.setattr(server, "HEAD", 1.0)
    with serving(seats=1) as served, contextlib.ExitStack() as stack:
        guest = Guest(served)
        link = stack.enter_context(guest.link())
        for half in [b"GET / HTTP/1.1\r\nHost:"] + 7 * [b""]:
            silent = stack.enter_context(socket.create_connection(("127.0.0.1", served.port), 10))
            silent.sendall(half)
        assert guest.get("/")[0].status == 503, "too many"
        until = time.monotonic() + 30
        while guest.get("/")[0].status != 200:
            assert time.monotonic() < until
            time.sleep(0.1)
        link.send("{}")
        assert next(views(link))["at"]


def test_five_wrong_passwords_wait():
    with serving(password="correct horse") as running:
        guest = Guest(running)
        page = guest.get("/")[1]
        assert guest.get("/about.json")[0].status == 403 and guest.post("/order", {"do": "look"})[0].status == 403
        with pytest.raises(websockets.exceptions.InvalidStatus), guest.link():
            pass
        for left in range(4, -1, -1):
            response, body = guest.post("/password", {"password": "wrong"})
            assert response.status == 403 and (json.loads(body)["wait"] > 0) == (left == 0)
        another = Guest(running)
        for who in (guest, another):  # the address waits, not the cookie
            response, body = who.post("/password", {"password": "correct horse"})
            assert response.status == 429 and 0 < json.loads(body)["wait"] <= access.FIRST_WAIT
        running.site.access.attempts.succeed("127.0.0.1")
        response, _ = guest.post("/password", {"password": "correct horse"})
        guest.cookie = response.getheader("set-cookie").partition(";")[0]
        assert response.status == 200 and guest.get("/about.json")[0].status == 200
        assert guest.get("/")[1] != page and another.get("/about.json")[0].status == 403


def test_waiting_grows_and_is_forgotten():
    now = [0.0]
    attempts = Attempts(lambda: now[0])
    waits = []
    for _ in range(9):
        attempts.fail("10.0.0.9")
        waits.append(attempts.wait("10.0.0.9"))
    assert waits == [0, 0, 0, 0, 30, 60, 120, 240, 480] and attempts.wait("10.0.0.8") == 0
    now[0] = 481
    assert attempts.wait("10.0.0.9") == 0
    now[0] += access.FORGOTTEN + 1
    attempts.fail("10.0.0.9")
    assert attempts.wait("10.0.0.9") == 0
    for _ in range(5):
        attempts.fail("2001:db8::1")
    assert attempts.wait("2001:db8::ffff") > 0 and attempts.wait("2001:db8:1::1") == 0, (
        "a household's addresses are one"
    )
    for number in range(access.REMEMBERED + 10):
        attempts.fail(f"10.1.{number // 256}.{number % 256}")
    assert len(attempts._wrong) == access.REMEMBERED


def test_places():
    own = addresses.find_place("localhost", 8080)
    assert own.scheme == "http" and "127.0.0.1:8080" in own.hosts and not any("192" in host for host in own.hosts)
    assert addresses.find_place("127.0.0.1", 80).hosts > {"127.0.0.1"}
    lent = addresses.find_place("192.0.2.7", 443)
    assert lent.secure and lent.address("t") == "https://192.0.2.7:443/?token=t" and "192.0.2.7" in lent.hosts
    with pytest.raises(addresses.Problem, match="no address or name of this machine"):
        addresses.find_place("no.such.name.invalid", 1)


def test_secrets_are_not_alike():
    one, other = Access(), Access()
    assert one.token != other.token and len(one.token) >= 32 and one.new_ticket() != one.new_ticket()
    assert one.is_token(one.token) and not one.is_token(other.token) and not one.is_token("é")
    assert guard.token_of({"type": "http", "method": "POST", "path": "/", "query_string": b"token=a"}) is None
