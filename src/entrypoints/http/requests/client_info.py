"""Where a request comes from, as far as it tells."""

from ipaddress import ip_address

from starlette.requests import Request

from ....domain.login_sessions import USER_AGENT_LENGTH, Client


def client_of(request: Request) -> Client:
    """The address is the proxy's, unless it is trusted. What a client calls itself is kept for people to recognise it
    by: what cannot be shown becomes a blank, and a long name is cut."""
    agent = request.headers.get("user-agent")
    if agent is not None:
        agent = "".join(character if character.isprintable() else " " for character in agent)[:USER_AGENT_LENGTH]
    return Client(address=_address(request), user_agent=agent or None)


def _address(request: Request) -> str | None:
    """None for what is no address: a trusted proxy may hand on what its own client has made up. Without the zone of a
    link-local one (RFC 4007), which is of any length and means something on one machine alone."""
    given = "" if request.client is None else request.client.host
    try:
        return str(ip_address(given.partition("%")[0]))
    except ValueError:
        return None
