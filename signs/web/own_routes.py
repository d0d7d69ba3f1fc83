"""A visitor's own signs so far: GET /own.json. What is recorded comes by orders, as live_routes.py has them."""

from signs.clips.no_sign import NOTHING
from signs.web.bodies import visitor_of

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def own(request: Request) -> Response:
    visit = visitor_of(request).visit
    signs = visit.own.signs if visit and visit.own else []
    rows = [{"name": name, "takes": takes, "pause": name == NOTHING} for name, takes in signs]
    return JSONResponse({"signs": rows})


ROUTES = [Route("/own.json", own)]
