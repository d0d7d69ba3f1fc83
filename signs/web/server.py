"""Running the page: uvicorn with what it may not do switched off, and what is printed.

    serve(site, ready)          until Ctrl-C

The socket is opened before, so that a port that is taken is one line.
"""

import asyncio
import socket
from collections.abc import Callable

from signs.command import Problem
from signs.web import picture
from signs.web.application import Site, build_app
from signs.web.certificate import make_context

import uvicorn

CONNECTIONS = 600  # at a time; beyond, one is told to come later
PING = 4.0  # seconds between two questions whether a WebSocket is still there, and for the answer


def open_socket(host: str, port: int) -> socket.socket:
    """Bound to the port, or to any for 0; raises Problem where it is taken or may not be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        opened.bind((host, port))
    except OSError as error:
        opened.close()
        raise Problem(f"port {port} of {host} cannot be had ({error.strerror}); name another with --port") from None
    return opened


class Server(uvicorn.Server):
    """ready: called when requests are answered."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]):
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets=None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()


def make_server(site: Site, ready: Callable[[], None]) -> tuple[Server, str]:
    """(the server of a site, the fingerprint of its certificate or an empty text)."""
    secure, fingerprint = {}, ""
    if site.place.secure:
        context, fingerprint = make_context(site.place.names)
        secure = {"ssl_context_factory": lambda _config, _default: context}
    config = uvicorn.Config(
        build_app(site),
        loop="asyncio",
        http="h11",
        ws="websockets-sansio",
        ws_max_size=picture.MOST_BYTES,
        ws_max_queue=8,
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,  # addresses hold the token
        proxy_headers=False,
        server_header=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=1,
        **secure,
    )
    return Server(config, ready), fingerprint


def serve(site: Site, opened: socket.socket, ready: Callable[[str], None]) -> None:
    """Answer until Ctrl-C; `ready` is called with the certificate's fingerprint when the page can be opened."""
    server, fingerprint = make_server(site, lambda: ready(fingerprint))
    asyncio.run(server.serve(sockets=[opened]))
