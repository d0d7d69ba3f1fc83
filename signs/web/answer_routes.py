"""A visitor's own answers, and those to files that he sent, as a table: GET /answers.csv."""

import csv
import io

from signs.console import shown_cell
from signs.web.bodies import visitor_of

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

COLUMNS = ("seconds", "mode", "answer", "probability", "sure", "was")


def write_table(answers, names: dict[str, str]) -> str:
    """CSV of corrections.py's answers; names are text that no spreadsheet takes for a formula."""
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for answer in answers:
        label, probability = answer.ranked[0]
        truth = names.get(answer.truth, answer.truth) if answer.truth else ""
        sure = "yes" if answer.known else "no"
        said = shown_cell(names.get(label, label))
        writer.writerow([f"{answer.when:.1f}", answer.mode, said, f"{probability:.4f}", sure, shown_cell(truth)])
    return lines.getvalue()


async def answers(request: Request) -> Response:
    visitor = visitor_of(request)
    rows = list(visitor.visit.corrections.answers) if visitor.visit else []
    sent = visitor.sent
    text = write_table([*rows, *sent.corrections.answers], {**sent.names, **(visitor.visit.seat.names if rows else {})})
    named = {"content-disposition": 'attachment; filename="answers.csv"'}
    return Response("\ufeff" + text, media_type="text/csv; charset=utf-8", headers=named)


ROUTES = [Route("/answers.csv", answers)]
