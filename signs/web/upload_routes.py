"""POST /upload: a video file as the body, nothing around it; the answer comes back as JSON."""

from signs.command import Problem
from signs.web.bodies import pieces, site_of, visitor_of
from signs.web.uploads import MOST_BYTES

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def upload(request: Request) -> Response:
    site, visitor = site_of(request), visitor_of(request)
    try:
        return JSONResponse(await site.uploads.answer(visitor.name, pieces(request, MOST_BYTES)))
    except Problem as problem:
        return JSONResponse({"problem": str(problem)}, 422)
    except ClientDisconnect:
        return Response(status_code=400)


ROUTES = [Route("/upload", upload, methods=["POST"])]
