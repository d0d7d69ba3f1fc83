"""The model that was learnt, as share.py's zip: GET /model.zip."""

import asyncio

from signs.command import Problem
from signs.inference.bundle import is_bundle
from signs.web.bodies import site_of

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route


async def model(request: Request) -> Response:
    teacher = site_of(request).teacher
    if teacher is None or not is_bundle(teacher.model):
        return Response(status_code=404)
    try:
        content = await asyncio.to_thread(teacher.share)
    except Problem as problem:
        return JSONResponse({"problem": str(problem)}, 409)
    named = {"content-disposition": 'attachment; filename="model.zip"'}
    return Response(content, media_type="application/zip", headers=named)


ROUTES = [Route("/model.zip", model)]
