"""What a request brings: read no further than expected.

order = await read_json(request)
visitor = visitor_of(request)
"""

import json
from collections.abc import AsyncIterator

from signs.command import Problem

from starlette.requests import HTTPConnection, Request

MOST_JSON = 4096  # bytes


def site_of(request: HTTPConnection):
    return request.app.state.site


def visitor_of(request: HTTPConnection):
    """Who asks, of lobby.py; raises Problem where there are too many."""
    return site_of(request).lobby.visitor(request.scope["visitor"].visitor)


async def pieces(request: Request, most: int) -> AsyncIterator[bytes]:
    """The body as it arrives; raises Problem where it is longer than `most` bytes, before it is read where it says
    so."""
    stated = request.headers.get("content-length", "")
    total = int(stated) if stated.isdecimal() else 0
    if total <= most:
        total = 0
        async for piece in request.stream():
            total += len(piece)
            if total > most:
                break
            yield piece
    if total > most:
        raise Problem(f"more than {most:,} bytes")


async def read_body(request: Request, most: int) -> bytes:
    return b"".join([piece async for piece in pieces(request, most)])


def parse_order(text: str | bytes) -> dict:
    """A JSON object; raises Problem where it is none."""
    try:
        order = json.loads(text) if len(text) <= MOST_JSON else None
    except (ValueError, RecursionError):
        order = None
    if not isinstance(order, dict):
        raise Problem("expected a small JSON object")
    return order


async def read_json(request: Request) -> dict:
    return parse_order(await read_body(request, MOST_JSON))
