"""Which names the server answers to. Any by default.

A page whose name was pointed at this address (DNS rebinding) has our answers for its own; its requests still bear its
name in `Host`.
"""

import re
from ipaddress import IPv6Address

from starlette.types import ASGIApp, Receive, Scope, Send

from ....bootstrap import Container
from ..problems.problem_responses import problem_response
from ..requests.headers import only_header

# RFC 9110 section 7.2: a name or an address, and perhaps a port. A name may end with the dot of the DNS's root.
_HOST = re.compile(
    r"(?:(?P<name>[a-z0-9_-]+(?:\.[a-z0-9_-]+)*)\.?|\[(?P<ipv6>[0-9a-f:.]+)\])(?::[0-9]*)?", re.IGNORECASE
)


def trusted_hosts(app: ASGIApp, container: Container) -> ASGIApp:
    """`app` itself where the settings list no hosts."""
    allowed = container.settings().allowed_hosts
    return TrustedHosts(app, allowed) if allowed else app


class TrustedHosts:
    """Refuses requests to a host that is not in `allowed`: names, `*.example.org` for all below one, and addresses
    (IPv6 in brackets)."""

    def __init__(self, app: ASGIApp, allowed: tuple[str, ...]) -> None:
        self._app = app
        self._hosts = {_canonical(each) for each in allowed if not each.startswith("*.")}
        self._parents = tuple(f".{_canonical(each[2:])}" for each in allowed if each.startswith("*."))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._trusts(only_header(scope, b"host")):
            await self._app(scope, receive, send)
            return
        response = problem_response(scope, "unknown_host", "This server does not answer to the name in Host")
        await response(scope, receive, send)

    def _trusts(self, given: bytes | None) -> bool:
        host = None if given is None else _canonical(given.decode("latin-1"))
        return host is not None and (host in self._hosts or host.endswith(self._parents))


def _canonical(host: str) -> str | None:
    """Without its port, in the one way to write it; None for what is no host."""
    parts = _HOST.fullmatch(host)
    if parts is None:
        return None
    if parts["ipv6"] is None:
        return parts["name"].lower()
    try:
        return IPv6Address(parts["ipv6"]).compressed
    except ValueError:
        return None
