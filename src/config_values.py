"""The kinds of values that settings have beyond numbers and texts: how they are written, and what is refused."""

import re
from datetime import timedelta
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator
from pydantic_settings import NoDecode

_NAME = r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)*"
_HOST = re.compile(rf"(?:\*\.)?{_NAME}|\[[0-9a-f:.]+\]", re.IGNORECASE)
_ORIGIN = re.compile(rf"[a-z][a-z0-9+.-]*://(?:{_NAME}|\[[0-9a-f:.]+\])(?::[1-9][0-9]{{0,4}})?")
_DEFAULT_PORT = re.compile(r"http://.*:80|https://.*:443")
_QUOTA = re.compile(r"([1-9][0-9]{0,8})/([1-9][0-9]{0,3})?([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def _between_commas(given: object) -> object:
    if isinstance(given, str):
        return tuple(value.strip() for value in given.split(",") if value.strip())
    return given


def _check_hosts(given: tuple[str, ...]) -> tuple[str, ...]:
    for each in given:
        if not _HOST.fullmatch(each):
            raise ValueError(f"{each} is not a host: api.example.org, *.example.org or [::1], without a port")
        if each.startswith("["):
            IPv6Address(each[1:-1])
    return given


def _check_origins(given: tuple[str, ...]) -> tuple[str, ...]:
    """As browsers write them: in lower case, without a path, and without the port that goes without saying."""
    for each in given:
        if given != ("*",) and (not _ORIGIN.fullmatch(each) or _DEFAULT_PORT.fullmatch(each)):
            raise ValueError(f"{each} is not an origin: https://app.example.org or http://localhost:5173; or * alone")
    return given


def _check_networks(given: tuple[str, ...]) -> tuple[str, ...]:
    """What uvicorn cannot read as one of them it takes for a name that nobody has; and `*` would believe anybody."""
    for each in given:
        try:
            ip_network(each) if "/" in each else ip_address(each)
        except ValueError:
            raise ValueError(f"{each} is not an address or a network, such as 10.0.0.0/8") from None
    return given


def _parse_quota(given: object) -> object:
    if not isinstance(given, str):
        return given
    parts = _QUOTA.fullmatch(given.strip())
    if parts is None:
        raise ValueError("must be a number in a time, such as 10/5m or 100/h (s, m, h or d)")
    quota, times, unit = parts.groups()
    return int(quota), timedelta(seconds=int(times or 1) * _SECONDS[unit])


Hosts = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_between_commas), AfterValidator(_check_hosts)]
Origins = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_between_commas), AfterValidator(_check_origins)]
Networks = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_between_commas), AfterValidator(_check_networks)]
# `10/5m` is ten in five minutes.
Quota = Annotated[tuple[int, timedelta], NoDecode, BeforeValidator(_parse_quota)]
