"""The header Content-Digest (RFC 9530): what a body is said to be, by which one that was damaged on its way is found.

A digest that is wrong, or of no algorithm that is known here, is refused: whoever sends one relies on it.
"""

import base64
import binascii
import hashlib
import hmac
import re

from starlette.requests import Request

from ..problems.problem_responses import Fault, HttpProblem

NAME = "Content-Digest"
# RFC 9530 section 5 lists others, all of them insecure.
_SIZES = {"sha-256": 32, "sha-512": 64}
# A dictionary of byte sequences (RFC 8941 sections 3.2 and 3.3.5), whose parameters mean nothing here.
_MEMBER = re.compile(r"([a-z*][a-z0-9_.*-]*)=:([A-Za-z0-9+/=]*):(?:;[^,]*)?")


class Digests:
    """Those of a body that comes in pieces, against those that its request has told."""

    def __init__(self, request: Request) -> None:
        """Raises `HttpProblem` for a header that is malformed, or of unknown algorithms alone."""
        self._told = _told(request)
        self._found = {name: hashlib.new(name.replace("-", "")) for name in {"sha-256", *self._told} if self._told}

    def add(self, piece: bytes) -> None:
        for found in self._found.values():
            found.update(piece)

    def verified(self) -> bytes | None:
        """The SHA-256 of all pieces, whichever algorithm was told; None if none was. Raises `HttpProblem`."""
        for name, told in self._told.items():
            if not hmac.compare_digest(told, self._found[name].digest()):
                raise _problem("digest_mismatch", f"The body that came has another {name} digest")
        return self._found["sha-256"].digest() if self._told else None


def _told(request: Request) -> dict[str, bytes]:
    lines = request.headers.getlist(NAME)
    if not lines:
        return {}
    members = [_MEMBER.fullmatch(member.strip(" \t")) for member in ",".join(lines).split(",")]
    told: dict[str, bytes] = {}
    try:
        for member in members:
            if member is None:
                raise ValueError
            value = base64.b64decode(member[2], validate=True)
            if len(value) != _SIZES.get(member[1], len(value)):
                raise ValueError
            told[member[1]] = value
    except (ValueError, binascii.Error):
        raise _problem("malformed_digest", "Send a digest as RFC 9530 writes it: `sha-256=:…:`") from None
    known = {name: value for name, value in told.items() if name in _SIZES}
    if not known:
        raise _problem("unknown_digest_algorithm", f"Send a digest of {' or '.join(_SIZES)}")
    return known


def digest_required() -> HttpProblem:
    """Where the digest stands for the body."""
    return _problem("missing", f"On an import an Idempotency-Key counts only with a {NAME}: send both, or neither")


def _problem(code: str, detail: str) -> HttpProblem:
    return HttpProblem("invalid_request", detail, faults=[Fault("header", NAME, code, detail)])
