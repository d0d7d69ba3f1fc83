"""Videos that are sent: POST /upload, a file as the body with nothing around it; POST /upload/order, what it was.

Both answer with JSON: the three best, and what somebody said of them (sent_answers.py).
"""

import asyncio

from signs.command import Problem
from signs.web.bodies import pieces, read_json, site_of, visitor_of
from signs.web.uploads import MOST_BYTES

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def upload(request: Request) -> Response:
    site, visitor = site_of(request), visitor_of(request)
    keeper = visitor.visit and visitor.visit.corrections.keeper  # None where he does not allow it
    visitor.sending = True  # on a slow network he may be silent for long
    try:
        body = pieces(request, MOST_BYTES)
        return JSONResponse(await site.uploads.answer(visitor.name, body, visitor.sent, keeper))
    except Problem as problem:
        return JSONResponse({"problem": str(problem)}, 422)
    except ClientDisconnect:
        return Response(status_code=400)
    finally:
        visitor.sending = False
        visitor.hear()


async def order(request: Request) -> Response:
    given, visitor = await read_json(request), visitor_of(request)
    visitor.hear()
    return JSONResponse(await asyncio.to_thread(visitor.sent.obey, given))


ROUTES = [Route("/upload", upload, methods=["POST"]), Route("/upload/order", order, methods=["POST"])]
