"""HTTPS with a certificate made on the spot: it is for this machine's addresses, and the printed fingerprint is its."""

import hashlib
import json
import socket
import ssl

from signs.web import certificate

import pytest
from cryptography import x509
from served import Guest, serving, unverified, wait_for


def test_it_names_this_machine_and_lasts_as_long_as_phones_take():
    made, _ = certificate.make_certificate(["192.0.2.7", "laptop", "laptop.local", "[::1]"])
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["laptop", "laptop.local"]
    assert [str(one) for one in names.get_values_for_type(x509.IPAddress)] == ["192.0.2.7", "::1"]
    assert (made.not_valid_after_utc - made.not_valid_before_utc).days <= 397


def test_a_page_over_https():
    with serving(password="correct horse", secure=True) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as plain:
            with unverified().wrap_socket(plain) as secure:
                shown, version = secure.getpeercert(binary_form=True), secure.version()
        assert hashlib.sha256(shown).hexdigest().upper() == served.certificate.replace(":", "")
        assert version in ("TLSv1.2", "TLSv1.3")
        guest = Guest(served)
        assert guest.cookie.startswith("__Host-")
        response, _ = guest.post("/password", {"password": "correct horse"})
        assert "secure" in response.getheader("set-cookie").lower()
        guest.cookie = response.getheader("set-cookie").partition(";")[0]
        with guest.link() as link:
            wait_for(link, lambda view: view["at"] == "live")
        assert guest.post("/order", {"do": "look"}, Origin=f"http://127.0.0.1:{served.port}")[0].status == 403
        assert json.loads(guest.post("/order", {"do": "look"})[1])["at"] == "live"


def test_a_page_that_was_signed_by_nobody_is_not_trusted_unseen():
    with serving(secure=True) as served:
        with socket.create_connection(("127.0.0.1", served.port)) as plain:
            with pytest.raises(ssl.SSLCertVerificationError):
                ssl.create_default_context().wrap_socket(plain, server_hostname="127.0.0.1")
