"""Whom a server process believes about the client's address: nobody, unless a setting names proxies."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from tests.support.server import die_with_parent
from tests.support.steward_server import environment

ROOT = Path(__file__).parents[3]


@contextmanager
def echoing(host: str, *proxies: str) -> Iterator[str]:
    """The address, on IPv4, of a server that answers with the client's address and scheme as it sees them."""
    command = [sys.executable, "-m", "tests.e2e.http.echoing_server", host, ",".join(proxies)]
    with subprocess.Popen(
        command,
        cwd=ROOT,
        # A variable of uvicorn's that would be believed, were it asked.
        env=environment() | {"FORWARDED_ALLOW_IPS": "*"},
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,  # noqa: PLW1509 - it calls nothing that takes a lock
    ) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{int(process.stdout.readline())}"
        finally:
            process.terminate()
    assert process.returncode == 0


def seen(url: str, *forwarded_for: str, proto: str | None = None) -> list[str]:
    headers = [("X-Forwarded-For", each) for each in forwarded_for]
    headers += [("X-Forwarded-Proto", proto)] if proto else []
    answer: list[str] = httpx2.get(url, headers=headers).json()
    return answer


@pytest.mark.parametrize("proxies", [(), ("127.0.0.2", "10.0.0.0/8", "::1")])
def test_whoever_is_no_trusted_proxy_speaks_for_itself(proxies: tuple[str, ...]) -> None:
    with echoing("127.0.0.1", *proxies) as url:
        assert seen(url) == ["127.0.0.1", "http"]
        assert seen(url, "192.0.2.7", proto="https") == ["127.0.0.1", "http"]
        assert seen(url, "10.0.0.1") == ["127.0.0.1", "http"]


@pytest.mark.parametrize("proxy", ["127.0.0.1", "127.0.0.0/8"])
def test_a_trusted_proxy_tells_who_the_client_is(proxy: str) -> None:
    with echoing("127.0.0.1", proxy, "10.0.0.0/8") as url:
        assert seen(url) == ["127.0.0.1", "http"]
        assert seen(url, "192.0.2.7", proto="https") == ["192.0.2.7", "https"]
        assert seen(url, "2001:db8::7") == ["2001:db8::7", "http"]
        assert seen(url, "192.0.2.7", proto="gopher") == ["192.0.2.7", "http"]


def test_what_a_client_told_the_proxy_about_itself_is_not_believed() -> None:
    """Each proxy appends whom it has seen: the last address that is no proxy's is the client's."""
    with echoing("127.0.0.1", "127.0.0.1", "10.0.0.0/8") as url:
        assert seen(url, "203.0.113.1, 192.0.2.7") == ["192.0.2.7", "http"]
        assert seen(url, "203.0.113.1", "192.0.2.7") == ["192.0.2.7", "http"]
        assert seen(url, "203.0.113.1, 192.0.2.7, 10.0.0.9") == ["192.0.2.7", "http"]
        assert seen(url, "127.0.0.1, 192.0.2.7") == ["192.0.2.7", "http"]


def test_a_client_by_ipv4_has_that_address_also_on_a_socket_for_both() -> None:
    with echoing("::") as url:
        assert seen(url, "192.0.2.7") == ["127.0.0.1", "http"]
    with echoing("::", "127.0.0.1") as url:
        assert seen(url, "192.0.2.7") == ["192.0.2.7", "http"]
