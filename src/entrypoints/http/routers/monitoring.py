"""For those who run the server: is it alive, is it ready, and what do its problems mean."""

from html import escape

from fastapi import APIRouter, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response

from ..answers import JsonAnswer
from ..dependencies import container_of
from ..middleware.metrics import CONTENT_TYPE, Metrics
from ..openapi.documentation import answers, problems
from ..problems.problem_responses import HttpProblem
from ..problems.problem_types import PROBLEM_TYPES
from ..routing.strict_route import StrictRoute
from ..schemas import Health

router = APIRouter(tags=["operations"], route_class=StrictRoute)


@router.get(
    "/livez",
    operation_id="get_liveness",
    summary="Is the process alive?",
    responses=answers(Health, "It answers") | problems(database=False),
)
async def live() -> Response:
    """Never asks the database: a restart of this process would not mend it."""
    return JsonAnswer({"status": "ok"})


@router.get(
    "/readyz",
    operation_id="get_readiness",
    summary="Can requests be served?",
    responses=answers(Health, "They can") | problems("shutting_down"),
)
async def ready(request: Request) -> Response:
    """Asks the database, by a connection of its own, so that a full pool is not taken for a fault; and says no from the
    moment the server has been told to end."""
    if request.app.state.server_state.is_draining:
        raise HttpProblem("shutting_down", "This server is ending")
    container = container_of(request)
    await container.database().ping(timeout=container.settings().readiness_timeout)
    return JsonAnswer({"status": "ok"})


@router.get(
    "/metrics",
    operation_id="get_metrics",
    summary="What the server counts",
    response_class=PlainTextResponse,
    response_description="In the text format of Prometheus",
    responses=problems("route_not_found", database=False),
)
async def metrics(request: Request) -> Response:
    """Of all server processes on this machine: requests, problems, and what the pools hold and refuse. Asks neither the
    database nor for a place in its queue. With STEWARD_METRICS=false there is nothing here."""
    figures: Metrics | None = request.app.state.metrics
    if figures is None:
        raise HttpProblem("route_not_found", "There is nothing at this path")
    return Response(await figures.text_for_anybody(), headers={"Content-Type": CONTENT_TYPE})


@router.get(
    "/problems/{slug}",
    operation_id="explain_problem",
    summary="Explain a problem",
    response_class=HTMLResponse,
    response_description="A page for people",
    responses=problems("route_not_found", database=False),
)
async def explain(slug: str) -> Response:
    """What the `type` of a problem points to."""
    kind = PROBLEM_TYPES.get(slug.replace("-", "_"))
    if kind is None or kind.slug != slug:
        raise HttpProblem("route_not_found", "There is no such problem")
    page = f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{escape(kind.title)}</title>
<h1>{escape(kind.title)}</h1>
<p>Status {kind.status}, code <code>{escape(kind.code)}</code></p>
<p>{escape(kind.advice)}</p>
</html>
"""
    return HTMLResponse(page)
