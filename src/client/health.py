"""Whether the server is there."""

from .calls import Call, Operation, call, nothing

_LIVENESS = Operation("get_liveness", "GET", "/livez", harmless=True)
_READINESS = Operation("get_readiness", "GET", "/readyz", harmless=True)


def get_liveness() -> Call[None]:
    return call(_LIVENESS, nothing, signed=False)


def get_readiness() -> Call[None]:
    return call(_READINESS, nothing, signed=False)
