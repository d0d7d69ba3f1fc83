"""The page itself: its HTML from parts, styles and scripts, the words, the password, what the model knows.

/?token=...     the printed address: gives the cookie, and leads to / so that the token stands in no history
/               the page, or the question for the password
/page/NAME      a style or script
"""

import asyncio
from pathlib import Path

from signs.web.access import Access
from signs.web.bodies import read_json, site_of
from signs.web.guard import token_of
from signs.web.words import language_of, words_for

import jinja2
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

PAGE = Path(__file__).with_name("page")
TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
FILES = {path.name: (path.read_bytes(), TYPES[path.suffix]) for path in PAGE.iterdir() if path.suffix in TYPES}
TEMPLATES = jinja2.Environment(
    loader=jinja2.FileSystemLoader(PAGE), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
)
SHORTEST = 0.3  # seconds that an answer to a password takes


def drawn(name: str, request: Request, **more) -> HTMLResponse:
    accepted = request.headers.get("accept-language", "")
    words = words_for(accepted)
    return HTMLResponse(TEMPLATES.get_template(name).render(words=words, language=language_of(accepted), **more))


async def home(request: Request) -> Response:
    site = site_of(request)
    if token_of(request.scope) is not None:  # the guard knows that it is the right one
        # A page that leads on, and no redirect: after a link in another site's page that would come without the cookie.
        response = drawn("enter.html", request)
        if site.guard.ticket(request.scope) is None:
            site.guard.set_cookie(response, site.access.new_ticket())
        return response
    if request.scope["visitor"].level != Access.INSIDE:
        return drawn("password.html", request)
    site.lobby.renew(request.scope["visitor"].visitor)
    return drawn("index.html", request, card=site.card)


async def password(request: Request) -> Response:
    """Five wrong ones wait; nothing is said of how wrong they were."""
    site, given = site_of(request), await read_json(request)
    attempts, address = site.access.attempts, request.client.host if request.client else ""
    if wait := attempts.wait(address):
        return JSONResponse({"wait": round(wait)}, 429, {"retry-after": str(round(wait))})
    if not (site.access.asks_password and isinstance(given.get("password"), str)):
        return JSONResponse({"wait": 0}, 400)
    if not site.access.is_password(given["password"]):
        attempts.fail(address)
        wait = round(attempts.wait(address))
        await asyncio.sleep(SHORTEST)
        return JSONResponse({"wait": wait}, 403)
    attempts.succeed(address)
    response = JSONResponse({})
    site.guard.set_cookie(response, site.access.sign(request.scope["visitor"].visitor, Access.INSIDE))
    return response


async def file(request: Request) -> Response:
    content = FILES.get(request.path_params["name"])
    return Response(content[0], media_type=content[1]) if content else Response(status_code=404)


async def words(request: Request) -> Response:
    return JSONResponse(words_for(request.headers.get("accept-language", "")))


async def about(request: Request) -> Response:
    return JSONResponse(site_of(request).card.about())


async def loop(request: Request) -> Response:
    loops, number = site_of(request).card.loops, request.path_params["number"]
    return JSONResponse(loops[number]) if number < len(loops) else Response(status_code=404)


ROUTES = [
    Route("/", home),
    Route("/password", password, methods=["POST"]),
    Route("/page/words.json", words),
    Route("/page/{name}", file),
    Route("/about.json", about),
    Route("/loops/{number:int}.json", loop),
]
