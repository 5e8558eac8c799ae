"""Headers that tell browsers and caches what an answer may be used for: all answers have them."""

import httpx2
import pytest
from starlette.requests import Request
from starlette.responses import Response

from tests.support.http import Api, serving
from tests.support.unchecked import unchecked

SECURITY = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NOTHING = "default-src 'none'; frame-ancestors 'none'"
DATA = ["/livez", "/openapi.json", "/nope", "/livez?nonsense=1", "/items/0", "/docs/start.js"]
PAGES = ["/docs", "/problems/conflict"]
ASSETS = ["/docs/assets/swagger-ui.css", "/docs/assets/swagger-ui-bundle.js", "/docs/assets/favicon.png"]


def once(answer: httpx2.Response) -> dict[str, str]:
    """The headers, of which none comes twice."""
    names = [name for name, _ in answer.headers.multi_items()]
    assert len(names) == len(set(names))
    return dict(answer.headers)


@pytest.mark.parametrize("path", [*DATA, *PAGES, *ASSETS])
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "PUT", "TRACE"])
async def test_every_answer_has_the_security_headers(edge: Api, method: str, path: str) -> None:
    headers = once(await edge.client.request(method, path))
    for name, value in SECURITY.items():
        assert headers[name.lower()] == value
    assert "frame-ancestors 'none'" in headers["content-security-policy"]


@pytest.mark.parametrize("path", [*DATA, "/problems/conflict"])
async def test_what_needs_nothing_may_load_nothing(edge: Api, path: str) -> None:
    assert once(await edge.client.get(path))["content-security-policy"] == NOTHING


async def test_the_documentation_runs_no_script_but_ours_and_asks_nobody_else(edge: Api) -> None:
    policy = once(await edge.client.get("/docs"))["content-security-policy"]
    directives = dict(directive.strip().partition(" ")[::2] for directive in policy.split(";"))
    assert directives["default-src"] == directives["base-uri"] == directives["form-action"] == "'none'"
    assert directives["script-src"] == directives["connect-src"] == "'self'"


@pytest.mark.parametrize("path", [*DATA, *PAGES])
async def test_an_answer_is_kept_by_the_client_alone_and_for_its_credentials(edge: Api, path: str) -> None:
    headers = once(await edge.client.get(path))
    assert (headers["cache-control"], headers["vary"]) == ("private, no-cache", "Authorization")


@pytest.mark.parametrize("path", ASSETS)
async def test_the_assets_of_the_documentation_may_be_kept_by_anyone(edge: Api, path: str) -> None:
    headers = once(await edge.client.get(path))
    assert headers["cache-control"] == "max-age=3600"
    assert "vary" not in headers


@pytest.mark.parametrize(
    ("own", "cache_control", "vary"),
    [
        ({"Cache-Control": "no-store"}, "no-store", None),
        ({"Cache-Control": "max-age=60", "Vary": "Accept"}, "max-age=60", "Accept"),
        ({"Vary": "Accept"}, "private, no-cache", "Accept, Authorization"),
        ({"Vary": "accept, AUTHORIZATION"}, "private, no-cache", "accept, AUTHORIZATION"),
        ({"Vary": "*"}, "private, no-cache", "*"),
    ],
)
async def test_what_a_route_says_about_caching_stays(own: dict[str, str], cache_control: str, vary: str | None) -> None:
    async def route(_: Request) -> Response:
        return Response(headers={**own, "X-Frame-Options": "SAMEORIGIN"})

    async with serving("sqlite+aiosqlite:///:memory:") as api, unchecked(api.app) as client:
        api.app.add_route("/own", route)
        headers = once(await client.get("/own"))
    assert (headers["cache-control"], headers.get("vary")) == (cache_control, vary)
    assert headers["x-frame-options"] == "SAMEORIGIN"


async def test_an_answer_that_is_given_twice_does_not_gather_headers() -> None:
    kept = Response("kept")

    async def route(_: Request) -> Response:
        return kept

    async with serving("sqlite+aiosqlite:///:memory:") as api, unchecked(api.app) as client:
        api.app.add_route("/kept", route)
        first = await client.get("/kept", headers={"X-Request-ID": "first"})
        second = await client.get("/kept", headers={"X-Request-ID": "second"})
    assert once(first)["x-request-id"] == "first"
    assert once(second)["x-request-id"] == "second"


async def test_a_bug_is_answered_with_the_same_headers() -> None:
    async def broken(_: Request) -> Response:
        raise RuntimeError("broken on purpose")

    async with serving("sqlite+aiosqlite:///:memory:") as api, unchecked(api.app) as client:
        api.app.add_route("/broken", broken)
        answer = await client.get("/broken")
    headers = once(answer)
    assert answer.status_code == 500
    assert {name: headers[name.lower()] for name in SECURITY} == SECURITY
    assert (headers["content-security-policy"], headers["cache-control"]) == (NOTHING, "private, no-cache")
