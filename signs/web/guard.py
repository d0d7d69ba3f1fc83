"""What every request and every WebSocket has to pass before a route sees it.

    app = Guard(app, place, access)

* `Host` is one of the page's own names: a name that was bent to this machine (DNS rebinding) gets nothing.
* `Origin` is the page's own on every WebSocket and on whatever may change something; where a browser says that another
  site asks (`Sec-Fetch-Site`), only the printed address is answered.
* A signed cookie, which the printed address gives, and behind it the password where one is asked.

Every answer gets headers that let it load nothing from elsewhere, stand in no frame and lie in no cache.
"""

from urllib.parse import parse_qs

from signs.web.access import Access, Ticket
from signs.web.addresses import Place

from starlette.requests import cookie_parser
from starlette.responses import PlainTextResponse

CONTENT_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)
HEADERS = {
    "content-security-policy": CONTENT_POLICY,
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "permissions-policy": "camera=(self), microphone=(), geolocation=(), display-capture=()",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
ADDED = [(name.encode(), value.encode()) for name, value in HEADERS.items()]
READING = ("GET", "HEAD")
OTHERS = ("cross-site", "same-site")  # same-site: another port of this machine
BEFORE_PASSWORD = ("/password", "/page/")  # what a visitor sees who still has to say it
WHERE = "Open the address that the terminal printed."


def header(scope: dict, name: str) -> list[str]:
    wanted = name.encode()
    return [value.decode("latin-1") for key, value in scope["headers"] if key == wanted]


def token_of(scope: dict) -> str | None:
    """The token in the printed address, of a request for it."""
    if scope["type"] != "http" or scope["method"] not in READING or scope["path"] != "/":
        return None
    return next(iter(parse_qs(scope["query_string"].decode("latin-1")).get("token", [])), None)


class Guard:
    """An ASGI application around another; `scope["visitor"]` says to it who asks, a Ticket."""

    def __init__(self, app, place: Place, access: Access):
        self.app, self.place, self.access = app, place, access

    @property
    def cookie(self) -> str:
        """Cookies do not tell ports apart, so the name does; `__Host-` binds it to this host and HTTPS."""
        return f"{'__Host-' if self.place.secure else ''}signs-{self.place.port}"

    async def __call__(self, scope, receive, send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        refusal = self.foreign(scope) or self.unknown(scope)
        if refusal is None:
            await self.app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
        else:
            await PlainTextResponse(refusal, 403)(scope, receive, _with_headers(send))

    def foreign(self, scope: dict) -> str | None:
        """Why a request does not come from the page itself; None where it does."""
        hosts = header(scope, "host")
        if len(hosts) != 1 or hosts[0].lower() not in self.place.hosts:
            return f"This page has another address. {WHERE}"
        origins, expected = header(scope, "origin"), f"{self.place.scheme}://{hosts[0].lower()}"
        asks = scope["type"] == "websocket" or scope["method"] not in READING
        if origins != [expected] and (asks or origins):
            return "Another site asks."
        sites = header(scope, "sec-fetch-site")
        return "Another site asks." if set(sites) & set(OTHERS) and token_of(scope) is None else None

    def unknown(self, scope: dict) -> str | None:
        """Why a visitor may not see this; None where he may."""
        token = token_of(scope)
        if token is not None:
            return None if self.access.is_token(token) else WHERE
        ticket = self.ticket(scope)
        if ticket is None:
            return WHERE
        if ticket.level != Access.INSIDE and not scope["path"].startswith(BEFORE_PASSWORD) and scope["path"] != "/":
            return "The password is asked first."
        scope["visitor"] = ticket
        return None

    def ticket(self, scope: dict) -> Ticket | None:
        for line in header(scope, "cookie"):
            if ticket := self.access.read(cookie_parser(line).get(self.cookie, "")):
                return ticket
        return None

    def set_cookie(self, response, ticket: str) -> None:
        response.set_cookie(self.cookie, ticket, path="/", httponly=True, samesite="strict", secure=self.place.secure)


def _with_headers(send):
    async def wrapped(message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message.get("headers", []), *ADDED]
        await send(message)

    return wrapped
