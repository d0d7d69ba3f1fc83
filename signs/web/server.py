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
from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS = 600  # at a time; beyond, one is told to come later
HEAD = 10.0  # seconds in which a connection has to bring a request
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


class Connection(H11Protocol):
    """Closed where no request comes: else CONNECTIONS of them, of whoever knows no address, would shut all others
    out."""

    def connection_made(self, transport) -> None:
        super().connection_made(transport)
        self._expect_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._waiting.cancel()
        self._expect_request()

    def _expect_request(self) -> None:
        self._waiting = self.loop.call_later(HEAD, self._give_up)

    def _give_up(self) -> None:
        answering = self.cycle and not self.cycle.response_complete
        if not answering and self.transport.get_protocol() is self:  # else it is a WebSocket by now
            self.transport.close()


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
        http=Connection,
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
