"""A visitor's camera and keys: over a WebSocket or, where a phone refuses that, request by request.

    /live            binary messages are frames (picture.py), text messages orders as JSON; views come back
    POST /frame      a frame; the view comes back
    POST /order      an order; the view comes back

Both lead to the same session. A view is all that the page shows, so of those that a slow network has not sent yet the
newest alone counts.
"""

import asyncio
import contextlib
import json

from signs.command import Problem
from signs.web import picture
from signs.web.bodies import parse_order, read_body, read_json, visitor_of

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket, WebSocketDisconnect

REFUSED, ELSEWHERE, FULL = 1008, 4001, 4002  # codes of a close; from 4000 on they are ours
SECONDS = 10.0  # in which a view has to be sent, or nobody is there


async def live(socket: WebSocket) -> None:
    await socket.accept()
    try:
        visitor = visitor_of(socket)
    except Problem:
        await socket.close(FULL)
        return
    link = asyncio.Event()
    for older in visitor.links:  # the page is open a second time: that one counts
        older.set()
    visitor.links.append(link)
    link.set()
    sending = asyncio.create_task(send_views(socket, visitor, link))
    try:
        await receive(socket, visitor)
    except (WebSocketDisconnect, RuntimeError):  # gone, or closed from here
        pass
    except Problem:
        with contextlib.suppress(RuntimeError):
            await socket.close(REFUSED)
    finally:
        sending.cancel()
        visitor.links.remove(link)
        visitor.hear()


async def receive(socket: WebSocket, visitor) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            return
        if message.get("bytes") is not None:
            visitor.frame(message["bytes"])
        else:
            visitor.order(parse_order(message.get("text") or ""))


async def send_views(socket: WebSocket, visitor, link: asyncio.Event) -> None:
    with contextlib.suppress(WebSocketDisconnect, RuntimeError, OSError, TimeoutError):
        while True:
            await link.wait()
            link.clear()
            if visitor.links and visitor.links[-1] is not link:
                await socket.close(ELSEWHERE)
                return
            text = json.dumps(visitor.view(), separators=(",", ":"))
            await asyncio.wait_for(socket.send_text(text), SECONDS)


async def frame(request: Request) -> Response:
    message = await read_body(request, picture.MOST_BYTES)
    visitor = visitor_of(request)
    visitor.frame(message)
    return JSONResponse(visitor.view())


async def order(request: Request) -> Response:
    given, visitor = await read_json(request), visitor_of(request)
    visitor.order(given)
    return JSONResponse(visitor.view())


ROUTES = [
    WebSocketRoute("/live", live),
    Route("/frame", frame, methods=["POST"]),
    Route("/order", order, methods=["POST"]),
]
