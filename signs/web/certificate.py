"""A certificate made on the spot, so that a phone in the same network may open the camera: browsers want HTTPS for it.

    context, fingerprint = make_context(place.names)

Nobody has signed it, so a browser warns once; whoever compares the fingerprint with the one on the terminal knows that
nobody stands between. Key and certificate live in memory, and for a moment in a folder that only this user reads.
"""

import datetime
import ipaddress
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path

from signs.web.addresses import is_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 365  # phones take none that lasts longer than 825


def make_certificate(names: Iterable[str]) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    """A certificate for addresses and names of this machine, and its key."""
    key, today = (
        ec.generate_private_key(ec.SECP256R1()),
        datetime.date.today(),
    )  # a certificate's days are the calendar's
    midnight, day = datetime.datetime.combine(today, datetime.time.min), datetime.timedelta(days=1)
    who = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sign recogniser")])
    named = [
        x509.IPAddress(ipaddress.ip_address(name.strip("[]"))) if is_address(name) else x509.DNSName(name)
        for name in names
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(who)
        .issuer_name(who)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(midnight - 2 * day)
        .not_valid_after(midnight + DAYS * day)
        .add_extension(x509.SubjectAlternativeName(named), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
    )
    return builder.sign(key, hashes.SHA256()), key


def make_context(names: Iterable[str]) -> tuple[ssl.SSLContext, str]:
    """(what a server needs for HTTPS, SHA-256 of its certificate as browsers show it)."""
    certificate, key = make_certificate(names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    with tempfile.TemporaryDirectory() as folder:  # Python's ssl reads files alone
        path = Path(folder, "both.pem")
        path.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
            + certificate.public_bytes(serialization.Encoding.PEM)
        )
        context.load_cert_chain(path)
    return context, certificate.fingerprint(hashes.SHA256()).hex(":").upper()
