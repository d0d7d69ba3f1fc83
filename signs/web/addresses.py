"""Where the page is: what the server listens on, the address that is printed, and the names a browser may ask for.

    place = find_place("127.0.0.1", 8080)       of this machine alone
    place = find_place("0.0.0.0", 8080)         of the network, by HTTPS

A browser that was sent here under another name (DNS rebinding) is refused, so the names are a list.
"""

import contextlib
import ipaddress
import socket
from dataclasses import dataclass

from signs.command import Problem

LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
ELSEWHERE = {socket.AF_INET: "192.0.2.1", socket.AF_INET6: "2001:db8::1"}  # of documentation; nothing is sent there


@dataclass(frozen=True)
class Place:
    """host: what is listened on; port; shown: the name in the printed address; names: those a browser may ask for,
    without port; secure: whether others can reach it, so that it speaks HTTPS and asks for a password."""

    host: str
    port: int
    shown: str
    names: tuple[str, ...]
    secure: bool

    @property
    def scheme(self) -> str:
        return "https" if self.secure else "http"

    @property
    def hosts(self) -> frozenset[str]:
        """Values of the header Host that are this page's."""
        usual = 443 if self.secure else 80
        return frozenset(f"{name}:{self.port}" for name in self.names) | (
            frozenset(self.names) if self.port == usual else frozenset()
        )

    def address(self, token: str) -> str:
        return f"{self.scheme}://{self.shown}:{self.port}/?token={token}"


def find_place(host: str, port: int) -> Place:
    """The place of a server on `host`, an address or a name of this machine; raises Problem where it is none."""
    found = resolve(host)
    if found.is_loopback:
        return Place(str(found), port, bracketed(found), LOOPBACK, False)
    own = outward(found.version) if found.is_unspecified else bracketed(found)
    names = dict.fromkeys([own, *([] if is_address(host) else [host.lower()]), *machine_names(), *LOOPBACK])
    shown = own if is_address(host) else host.lower()
    return Place(str(found), port, shown, tuple(names), True)


def is_address(text: str) -> bool:
    with contextlib.suppress(ValueError):
        return bool(ipaddress.ip_address(text.strip("[]")))
    return False


def resolve(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(host.strip("[]"))
    try:
        return ipaddress.ip_address(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])
    except (OSError, UnicodeError):
        raise Problem(f"--host {host}: no address or name of this machine; 0.0.0.0 is all its addresses") from None


def outward(version: int) -> str:
    """The address by which others in the network reach this machine; raises Problem where it has none."""
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    with socket.socket(family, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect((ELSEWHERE[family], 9))  # of a datagram socket: chooses the way, sends nothing
            return bracketed(ipaddress.ip_address(asked.getsockname()[0]))
        except OSError:
            raise Problem("this machine is in no network; without --host the page is for itself alone") from None


def machine_names() -> list[str]:
    name = socket.gethostname().lower().partition(".")[0]
    return [name, f"{name}.local"] if name else []


def bracketed(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    return f"[{address}]" if address.version == 6 else str(address)
