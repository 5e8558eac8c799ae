"""Content-Digest (RFC 9530): what is told of a body has to be true of it."""

import base64
import hashlib

import pytest
from starlette.requests import Request
from steward.entrypoints.http.problems.problem_responses import HttpProblem
from steward.entrypoints.http.requests.content_digest import Digests

BODY = b'{"hello": "world"}\n'
# The example of RFC 9530 appendix A.
SHA_256 = "sha-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:"
SHA_512 = "sha-512=:YMAam51Jz/jOATT6/zvHrLVgOYTGFy1d6GJiOHTohq4yP+pgk4vf2aCsyRZOtw8MjkM7iw7yZ/WkppmM44T3qg==:"


def verified(*lines: str, body: bytes = BODY) -> bytes | None:
    headers = [(b"content-digest", line.encode()) for line in lines]
    digests = Digests(Request({"type": "http", "method": "POST", "headers": headers}))
    for piece in (body[:5], body[5:]):
        digests.add(piece)
    return digests.verified()


def fault_of(*lines: str, body: bytes = BODY) -> str:
    with pytest.raises(HttpProblem) as caught:
        verified(*lines, body=body)
    (fault,) = caught.value.faults
    assert (caught.value.code, fault.where, fault.name) == ("invalid_request", "header", "Content-Digest")
    return fault.code


@pytest.mark.parametrize(
    "lines",
    [
        (SHA_256,),
        (SHA_512,),
        (f"{SHA_256}, {SHA_512}",),
        (SHA_256, SHA_512),
        (f"md5=:AAAA:,{SHA_256}",),
        (f"{SHA_256};size=19",),
    ],
)
def test_of_a_body_that_is_as_told_the_sha_256_is_known_whichever_was_told(lines: tuple[str, ...]) -> None:
    assert verified(*lines) == hashlib.sha256(BODY).digest()


def test_of_which_nothing_is_told_nothing_is_known() -> None:
    assert verified() is None


@pytest.mark.parametrize("line", [SHA_256, SHA_512, f"{SHA_256}, {SHA_512}"])
def test_another_body_is_refused(line: str) -> None:
    assert fault_of(line, body=BODY + b" ") == "digest_mismatch"


def test_all_that_is_told_has_to_be_true() -> None:
    another = base64.b64encode(hashlib.sha512(b"").digest()).decode()
    assert fault_of(f"{SHA_256}, sha-512=:{another}:") == "digest_mismatch"


@pytest.mark.parametrize("line", ["md5=:AAAA:", "sha=:AAAA:, unixsum=:AAAA:"])
def test_a_digest_that_nobody_can_check_is_refused(line: str) -> None:
    assert fault_of(line) == "unknown_digest_algorithm"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "sha-256",
        "sha-256=RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=",
        "sha-256=:AAAA:",
        "sha-256=:A:",
        "sha-256=:====:",
        "SHA-256=:RK/0qy18MlBSVnWgjwz6lZEWjP/lF5HF9bvEF8FabDg=:",
        f"{SHA_256},",
        f"{SHA_256} {SHA_512}",
    ],
)
def test_what_is_no_digest_is_refused(line: str) -> None:
    assert fault_of(line) == "malformed_digest"
