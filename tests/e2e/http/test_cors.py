"""Which web origins may read answers (CORS): none, unless a setting names them."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio
from starlette.requests import Request
from starlette.responses import Response

from tests.support.http import Api, serving
from tests.support.unchecked import is_problem, unchecked

OURS, FOREIGN = "https://app.example.org", "https://evil.example"
MEMORY = "sqlite+aiosqlite:///:memory:"


def of_cors(answer: httpx2.Response) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name.startswith("access-control-")}


def listed(text: str) -> set[str]:
    return {each.strip() for each in text.split(",")}


async def preflight(
    client: httpx2.AsyncClient, origin: str, method: str = "GET", *, path: str = "/items", **more: str
) -> httpx2.Response:
    asked = {f"Access-Control-Request-{name.replace('_', '-').title()}": value for name, value in more.items()}
    return await client.options(path, headers={"Origin": origin, "Access-Control-Request-Method": method, **asked})


async def broken(_: Request) -> Response:
    raise RuntimeError("broken on purpose")


@pytest_asyncio.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Of an application that two origins may use."""
    async with serving(MEMORY, cors_origins=(OURS, "http://localhost:5173")) as api, unchecked(api.app) as client:
        api.app.add_route("/broken", broken)
        yield client


async def test_by_default_no_answer_has_a_header_of_cors(edge: Api) -> None:
    async with unchecked(edge.app) as client:
        for answer in (await client.get("/livez", headers={"Origin": OURS}), await preflight(client, OURS)):
            assert of_cors(answer) == {}
            assert answer.headers["Vary"] == "Authorization"


@pytest.mark.parametrize(
    ("path", "status"), [("/livez", 200), ("/nope", 404), ("/livez?nonsense=1", 422), ("/broken", 500)]
)
async def test_an_origin_of_ours_may_read_every_answer(client: httpx2.AsyncClient, path: str, status: int) -> None:
    answer = await client.get(path, headers={"Origin": OURS, "X-Request-ID": "mine"})
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert listed(answer.headers["Vary"]) == {"Origin", "Authorization"}
    assert answer.headers["X-Request-ID"] == "mine"
    assert listed(answer.headers["Access-Control-Expose-Headers"]) == {
        *("ETag", "Location", "Link", "Retry-After", "RateLimit", "RateLimit-Policy", "X-Request-ID"),
        *("WWW-Authenticate", "Idempotent-Replayed", "Deprecation", "Sunset", "Cache-Control", "Content-Disposition"),
    }
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    "origin", [FOREIGN, "null", "", OURS.upper(), f"{OURS}/", f"{OURS}.evil.example", "http://app.example.org"]
)
async def test_no_other_origin_may(client: httpx2.AsyncClient, origin: str) -> None:
    answer = await client.get("/livez", headers={"Origin": origin})
    assert answer.status_code == 200
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert listed(answer.headers["Vary"]) == {"Origin", "Authorization"}


async def test_a_cache_is_told_that_answers_differ_also_when_no_origin_asks(client: httpx2.AsyncClient) -> None:
    answer = await client.get("/livez")
    assert of_cors(answer) == {}
    assert listed(answer.headers["Vary"]) == {"Origin", "Authorization"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("path", ["/items", "/nope"])
async def test_a_preflight_tells_what_may_be_sent(client: httpx2.AsyncClient, path: str, method: str) -> None:
    """On a path that is not there, too: else a script could not read the 404."""
    wanted = "authorization, content-type,if-match,if-none-match,idempotency-key,content-digest,x-request-id"
    answer = await preflight(client, OURS, method, path=path, headers=wanted)
    assert answer.status_code == 200
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert listed(answer.headers["Access-Control-Allow-Methods"]) == {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"}
    assert listed(answer.headers["Access-Control-Allow-Headers"].lower()) >= listed(wanted)
    assert answer.headers["X-Request-ID"]
    assert {"Origin", "Access-Control-Request-Method", "Access-Control-Request-Headers"} <= listed(
        answer.headers["Vary"]
    )


async def test_a_preflight_of_a_foreign_origin_is_refused_with_a_problem(client: httpx2.AsyncClient) -> None:
    answer = await preflight(client, FOREIGN)
    assert is_problem(answer, 403, "cors_refused")
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert FOREIGN not in answer.text


@pytest.mark.parametrize("asked", [{"method": "TRACE"}, {"headers": "X-Other"}, {"private_network": "true"}])
async def test_a_preflight_for_what_is_not_allowed_is_a_problem_that_the_script_may_read(
    client: httpx2.AsyncClient, asked: dict[str, str]
) -> None:
    answer = await preflight(client, OURS, **asked)
    assert is_problem(answer, 403, "cors_refused")
    assert answer.headers["Access-Control-Allow-Origin"] == OURS
    assert "Origin" in listed(answer.headers["Vary"])


async def test_options_that_is_no_preflight_is_answered_by_the_path(client: httpx2.AsyncClient) -> None:
    answer = await client.options("/livez", headers={"Origin": OURS})
    assert (answer.status_code, answer.headers["Allow"]) == (204, "GET, HEAD, OPTIONS")
    assert answer.headers["Access-Control-Allow-Origin"] == OURS


async def test_a_star_is_every_origin() -> None:
    async with serving(MEMORY, cors_origins=("*",)) as api, unchecked(api.app) as client:
        for answer in (await client.get("/nope", headers={"Origin": FOREIGN}), await preflight(client, FOREIGN)):
            assert answer.headers["Access-Control-Allow-Origin"] == "*"
            assert "Access-Control-Allow-Credentials" not in answer.headers
