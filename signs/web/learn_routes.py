"""Learning from what visitors recorded: GET /learn.json says how far it is, POST /learn begins it.

{"do": "learn"} or {"do": "back"}; both need --keep. The new model is for whoever loads the page anew.
"""

import asyncio

from signs.command import Problem
from signs.web.bodies import read_json, site_of

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def state(request: Request) -> Response:
    site = site_of(request)
    if site.teacher is None:
        return Response(status_code=404)
    visitor = site.lobby.visitors.get(request.scope["visitor"].visitor)
    older = bool(visitor and visitor.visit and visitor.visit.seat.older)
    return JSONResponse({**site.teacher.view(), "older": older})


async def learn(request: Request) -> Response:
    site, given, loop = site_of(request), await read_json(request), asyncio.get_running_loop()
    if site.teacher is None:
        return Response(status_code=404)
    if given.get("do") not in ("learn", "back"):
        raise Problem("expected learn or back")
    try:
        site.teacher.start(given["do"], lambda recogniser: loop.call_soon_threadsafe(site.renew, recogniser))
    except Problem as problem:
        return JSONResponse({"problem": str(problem)}, 409)
    return JSONResponse(site.teacher.view())


ROUTES = [Route("/learn.json", state), Route("/learn", learn, methods=["POST"])]
