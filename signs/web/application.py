"""The page as a web application: its routes behind the guard, its visitors, its uploads.

    app = build_app(site)                   to be run by server.py

Each kind of request has a file of its own with its routes, each part of the page a file in page/sections/.
"""

import asyncio
import contextlib
from dataclasses import dataclass, replace

from signs.command import Problem
from signs.web import answer_routes, learn_routes, live_routes, own_routes, page_routes, share_routes, upload_routes
from signs.web.access import Access
from signs.web.addresses import Place
from signs.web.guard import Guard
from signs.web.lobby import Lobby
from signs.web.model_card import ModelCard, make_card
from signs.web.teacher import Teacher
from signs.web.uploads import Uploads

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response


@dataclass
class Site:
    """What the routes share. teacher: learns from what visitors record, None where they cannot."""

    place: Place
    access: Access
    lobby: Lobby
    card: ModelCard
    uploads: Uploads
    teacher: Teacher | None = None
    guard: Guard | None = None

    def renew(self, recogniser) -> None:
        """The teacher's model is another one, opened here: new visits get it, and uploads."""
        kept = {name: getattr(self.card, name) for name in ("folder", "records")}
        self.card = replace(make_card(recogniser), **kept)
        self.lobby.seats.renew(recogniser, self.teacher.opener)
        self.uploads.renew(self.teacher.opener)


def build_app(site: Site) -> Guard:
    """The application; `app.app` is the one behind the guard."""

    @contextlib.asynccontextmanager
    async def running(_app):
        watching = asyncio.create_task(site.lobby.watch())
        yield
        watching.cancel()
        site.lobby.close()
        site.uploads.close()
        if site.teacher:
            site.teacher.close()

    rooms = (page_routes, live_routes, answer_routes, upload_routes, own_routes, learn_routes, share_routes)
    routes, handlers = [route for room in rooms for route in room.ROUTES], {Problem: refuse, Exception: fail}
    app = Starlette(routes=routes, lifespan=running, exception_handlers=handlers)
    app.state.site = site
    site.guard = Guard(app, site.place, site.access)
    return site.guard


def refuse(_request: Request, problem: Problem) -> Response:
    """A request that the page itself would not send."""
    return JSONResponse({"problem": str(problem)}, 400)


def fail(_request: Request, _error: Exception) -> Response:
    """A fault of ours; uvicorn says it on the terminal."""
    return JSONResponse({"problem": "the server failed; the terminal says how"}, 500)
