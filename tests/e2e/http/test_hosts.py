"""Which names the server answers to: any, unless a setting lists them."""

from collections.abc import AsyncIterator

import httpx2
import pytest
import pytest_asyncio

from tests.support.http import Api, serving
from tests.support.unchecked import is_problem, unchecked

LISTED = ("api.example.org", "*.Steward.test", "127.0.0.1", "[::1]")
MEMORY = "sqlite+aiosqlite:///:memory:"


@pytest_asyncio.fixture(scope="module")
async def client() -> AsyncIterator[httpx2.AsyncClient]:
    """Of an application that answers to what is listed."""
    async with serving(MEMORY, allowed_hosts=LISTED) as api, unchecked(api.app) as client:
        yield client


async def ask(client: httpx2.AsyncClient, *hosts: str, path: str = "/livez") -> httpx2.Response:
    """With a `Host` for each of `hosts`, whatever they are."""
    request = client.build_request("GET", path)
    request.headers = httpx2.Headers([(b"Host", host.encode("latin-1")) for host in hosts])
    return await client.send(request)


@pytest.mark.parametrize(
    "host",
    [
        *("api.example.org", "API.Example.ORG", "api.example.org:8000", "api.example.org:", "api.example.org."),
        *("api.example.org.:443", "a.steward.test", "b.A.STEWARD.test:1"),
        *("127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000", "[0:0:0:0:0:0:0:1]"),
    ],
)
async def test_a_listed_host_is_answered_however_it_is_written(client: httpx2.AsyncClient, host: str) -> None:
    assert (await ask(client, host)).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "example.org", "api.example.org.evil.example", "evilapi.example.org", "x.api.example.org"),
        *("steward.test", ".steward.test", "evilsteward.test", "a..steward.test", "*.steward.test", "a.steward.test.x"),
        *("api.example.org..", "api.example.org:80:80", "api.example.org:x", "evil.example:@api.example.org"),
        *("api.example.org@evil.example", "evil.example#.steward.test", "evil.example/.steward.test"),
        *("api.example.org, evil.example", "evil.example\\.steward.test", "é.steward.test", "api.example.org\t"),
        *(
            "127.0.0.2",
            "::1",
            "[::2]",
            "[::1",
            "::1]",
            "[api.example.org]",
            "[::1::1]",
            "[1]",
            "[::1%25lo]",
            "0x7f.1",
            "2130706433",
        ),
        *("", " ", ".", ":", ":80", "[]"),
    ],
)
async def test_any_other_host_is_refused_with_a_problem(client: httpx2.AsyncClient, host: str) -> None:
    for path in ("/livez", "/nope", "/docs"):
        answer = await ask(client, host, path=path)
        assert is_problem(answer, 400, "unknown_host")
        assert not answer.is_redirect
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_host_is_given_and_given_once(client: httpx2.AsyncClient) -> None:
    assert is_problem(await ask(client), 400, "unknown_host")
    assert is_problem(await ask(client, "api.example.org", "api.example.org"), 400, "unknown_host")


async def test_the_refusal_does_not_repeat_the_host(client: httpx2.AsyncClient) -> None:
    assert "evil" not in (await ask(client, "evil.example")).text


async def test_no_other_header_names_the_host(client: httpx2.AsyncClient) -> None:
    for name in ("X-Forwarded-Host", "X-Host", "Forwarded"):
        answer = await client.get("/livez", headers={"Host": "evil.example", name: "api.example.org"})
        assert is_problem(answer, 400, "unknown_host")


async def test_by_default_any_host_is_answered(edge: Api) -> None:
    async with unchecked(edge.app) as client:
        for host in ("evil.example", "", "a b"):
            assert (await ask(client, host)).status_code == 200


async def test_a_script_of_an_allowed_origin_can_read_the_refusal() -> None:
    origin = "https://app.example.org"
    async with (
        serving(MEMORY, allowed_hosts=("api.example.org",), cors_origins=(origin,)) as api,
        unchecked(api.app) as client,
    ):
        answer = await client.get("/livez", headers={"Origin": origin})
    assert is_problem(answer, 400, "unknown_host")
    assert answer.headers["Access-Control-Allow-Origin"] == origin
