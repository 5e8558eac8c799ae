"""When the client tries again, with what, and what it says when it gives up: no socket, and no time passes."""

from typing import Any

import httpx2
import pytest
from steward.client import (
    ConnectionFailed,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    ProblemError,
    RateLimited,
    Refused,
    Retries,
    Unavailable,
    UnexpectedAnswer,
    UsernameTaken,
    streams,
)
from steward.client.auth import end_session
from steward.client.calls import Call
from steward.client.items import create_item, delete_item, get_item, transfer_item, update_item
from steward.client.users import change_password, register_user

from tests.support.conversation import Script, item_answer, problem

LOST = httpx2.ReadError("connection reset")
NOT_CONNECTED = httpx2.ConnectError("connection refused")

# The server says of these that nothing was stored.
PASSING = [
    problem(503, "overloaded", retry_after=1),
    problem(503, "database_unavailable", retry_after=1),
    problem(503, "deadline_exceeded", retry_after=1),
    problem(503, "shutting_down", retry_after=1),
    problem(409, "conflict"),
]
UNKNOWN = [
    LOST,
    httpx2.ReadTimeout("timed out"),
    httpx2.RemoteProtocolError("server disconnected"),
    problem(503, "outcome_unknown"),
    problem(500, "failed_after_commit"),
    httpx2.Response(502, text="<h1>Bad gateway</h1>"),
    httpx2.Response(504),
]
KEYED: list[Call[Any]] = [
    create_item(name="Box"),
    update_item(7, quantity=2),
    transfer_item(7, "bob"),
    register_user(username="ada", email="ada@example.org", password="correct horse"),
]
NOT_KEYED = [delete_item(7), end_session(7), change_password(current_password="old horse", new_password="correct")]


def operation_of(call: Call[object]) -> str:
    return call.operation.id


@pytest.mark.parametrize("trouble", [NOT_CONNECTED, *PASSING, *UNKNOWN])
def test_a_read_is_tried_again_whatever_went_wrong(trouble: httpx2.Response | httpx2.RequestError) -> None:
    script = Script(trouble, item_answer())
    assert script.play(script.conversation.exchange(get_item(7))).id == 7
    assert len(script.sent) == 2
    assert len(script.waits) == 1


@pytest.mark.parametrize("trouble", [NOT_CONNECTED, *PASSING, *UNKNOWN])
def test_a_change_with_a_key_is_tried_again_with_the_same_key(trouble: httpx2.Response | httpx2.RequestError) -> None:
    script = Script(trouble, trouble, item_answer(201))
    script.play(script.conversation.exchange(create_item(name="Box")))
    keys = [sent.options()["headers"]["Idempotency-Key"] for sent in script.sent]
    assert len(keys) == 3
    assert len(set(keys)) == 1


@pytest.mark.parametrize("call", KEYED, ids=operation_of)
def test_every_post_and_patch_of_users_and_items_carries_a_key_of_its_own(call: Call[Any]) -> None:
    assert call.headers["Idempotency-Key"] == f'"{call.idempotency_key}"'
    assert len({each.idempotency_key for each in KEYED}) == len(KEYED)


def test_the_callers_own_key_is_sent_as_an_rfc_8941_string() -> None:
    assert create_item(name="Box", idempotency_key='a"b\\c').headers["Idempotency-Key"] == r'"a\"b\\c"'


@pytest.mark.parametrize("trouble", [NOT_CONNECTED, *PASSING])
def test_a_change_without_a_key_is_tried_again_if_nothing_was_stored(
    trouble: httpx2.Response | httpx2.RequestError,
) -> None:
    for call in NOT_KEYED:
        script = Script(trouble, httpx2.Response(204))
        script.play(script.conversation.exchange(call))
        assert len(script.sent) == 2, call.operation.id


@pytest.mark.parametrize("trouble", UNKNOWN)
def test_a_change_without_a_key_is_not_tried_again_if_nobody_knows(
    trouble: httpx2.Response | httpx2.RequestError,
) -> None:
    for call in NOT_KEYED:
        script = Script(trouble)
        with pytest.raises(OutcomeUnknown) as raised:
            script.play(script.conversation.exchange(call))
        assert raised.value.idempotency_key is None, call.operation.id
        assert isinstance(raised.value.__cause__, ConnectionFailed | ProblemError)


@pytest.mark.parametrize("code", ["storage_full", "internal_error", "item_not_found", "version_mismatch"])
def test_what_would_be_the_same_the_next_time_is_not_tried_again(code: str) -> None:
    status = {"storage_full": 507, "internal_error": 500, "item_not_found": 404, "version_mismatch": 412}[code]
    script = Script(problem(status, code))
    with pytest.raises(ProblemError) as raised:
        script.play(script.conversation.exchange(update_item(7, quantity=2)))
    assert (raised.value.status, raised.value.code) == (status, code)


def test_a_key_that_is_in_use_is_waited_for() -> None:
    script = Script(LOST, problem(409, "idempotency_key_in_use", retry_after=1), item_answer(201))
    assert script.play(script.conversation.exchange(create_item(name="Box"))).id == 7


# Giving up


def test_a_change_that_no_attempt_got_an_answer_to_may_have_been_made() -> None:
    script = Script(*[LOST] * 5)
    with pytest.raises(OutcomeUnknown) as raised:
        script.play(script.conversation.exchange(create_item(name="Box", idempotency_key="k-1")))
    assert raised.value.idempotency_key == "k-1"
    assert len(script.sent) == 5


def test_a_change_that_was_never_sent_was_not_made() -> None:
    script = Script(*[NOT_CONNECTED] * 5)
    with pytest.raises(ConnectionFailed):
        script.play(script.conversation.exchange(create_item(name="Box")))


def test_a_read_without_an_answer_is_no_riddle() -> None:
    script = Script(*[LOST] * 5)
    with pytest.raises(ConnectionFailed):
        script.play(script.conversation.exchange(get_item(7)))


@pytest.mark.parametrize(
    "last",
    [
        problem(503, "overloaded", retry_after=1),
        problem(409, "conflict"),
        problem(409, "idempotency_key_in_use", retry_after=1),
        problem(401, "token_revoked"),
        problem(403, "registration_closed"),
        problem(429, "rate_limited", retry_after=3600),
        problem(500, "internal_error"),
        NOT_CONNECTED,
    ],
)
def test_what_is_said_before_the_key_is_looked_up_tells_nothing_of_an_attempt_that_was_lost(
    last: httpx2.Response | httpx2.RequestError,
) -> None:
    script = Script(LOST, *[last] * 4)
    with pytest.raises(OutcomeUnknown):
        script.play(script.conversation.exchange(create_item(name="Box")))


@pytest.mark.parametrize(
    ("last", "kind"),
    [
        (problem(409, "username_taken"), UsernameTaken),
        (problem(404, "item_not_found"), NotFound),
    ],
)
def test_an_error_of_the_change_itself_tells_that_the_lost_attempt_was_not_stored(
    last: httpx2.Response, kind: type[ProblemError]
) -> None:
    script = Script(LOST, last)
    with pytest.raises(kind):
        script.play(script.conversation.exchange(create_item(name="Box")))


@pytest.mark.parametrize("attempts", [1, 3])
def test_there_are_no_more_attempts_than_allowed(attempts: int) -> None:
    script = Script(*[problem(503, "overloaded")] * attempts, retries=Retries(attempts=attempts))
    with pytest.raises(Unavailable):
        script.play(script.conversation.exchange(get_item(7)))
    assert len(script.sent) == attempts


def test_no_attempt_begins_after_the_deadline() -> None:
    script = Script(*[problem(503, "overloaded", retry_after=4)] * 3, retries=Retries(deadline=10.0))
    with pytest.raises(Unavailable):
        script.play(script.conversation.exchange(get_item(7)))
    assert script.now < 1010.0


def test_retry_after_is_the_least_that_is_waited() -> None:
    script = Script(problem(503, "overloaded", retry_after=3), item_answer())
    script.play(script.conversation.exchange(get_item(7)))
    assert 3.0 <= script.waits[0] <= 3.1


def test_the_pauses_are_random_and_their_limit_doubles_up_to_the_longest() -> None:
    script = Script(*[LOST] * 19, item_answer(), retries=Retries(attempts=20, first_pause=0.1, longest_pause=1.0))
    script.play(script.conversation.exchange(get_item(7)))
    assert all(pause <= min(1.0, 0.1 * 2**n) for n, pause in enumerate(script.waits))
    assert len(set(script.waits)) == 19


def test_a_limit_that_resets_soon_is_waited_for() -> None:
    script = Script(problem(429, "rate_limited", retry_after=2), item_answer(201))
    assert script.play(script.conversation.exchange(create_item(name="Box"))).id == 7


def test_a_limit_that_resets_late_is_told_at_once() -> None:
    script = Script(problem(429, "rate_limited", retry_after=6))
    with pytest.raises(RateLimited) as raised:
        script.play(script.conversation.exchange(transfer_item(7, "bob")))
    assert raised.value.retry_after == 6
    assert script.waits == []


def test_no_repetition_mends_an_address_that_is_none() -> None:
    script = Script(httpx2.UnsupportedProtocol("ftp://"))
    with pytest.raises(ConnectionFailed):
        script.play(script.conversation.exchange(create_item(name="Box")))


# Answers


def test_a_code_that_has_no_class_is_an_error_of_its_status() -> None:
    script = Script(problem(409, "brand_new"))
    with pytest.raises(Refused) as raised:
        script.play(script.conversation.exchange(get_item(7)))
    assert raised.value.code == "brand_new"


def test_an_error_that_is_no_problem_document_stays_usable() -> None:
    script = Script(httpx2.Response(418, text="short and stout"))
    with pytest.raises(ProblemError) as raised:
        script.play(script.conversation.exchange(get_item(7)))
    assert (raised.value.status, raised.value.code, raised.value.detail) == (418, "http_418", "I'm a teapot")


@pytest.mark.parametrize("answer", [httpx2.Response(200, text="<html>"), httpx2.Response(200, json={"id": 7})])
def test_a_success_that_cannot_be_read_is_told_as_such(answer: httpx2.Response) -> None:
    script = Script(answer)
    with pytest.raises(UnexpectedAnswer):
        script.play(script.conversation.exchange(get_item(7)))


def test_a_problem_says_what_where_and_in_which_request() -> None:
    fault = {"pointer": "/quantity", "code": "greater_than_equal", "detail": "At least 0"}
    script = Script(problem(422, "invalid_request", errors=[fault]))
    with pytest.raises(ProblemError) as raised:
        script.play(script.conversation.exchange(create_item(name="Box", quantity=-1)))
    assert str(raised.value) == ("It is invalid_request (422 invalid_request, request r-1)\n  /quantity: At least 0")


def test_whoever_is_not_signed_in_is_told_by_the_server() -> None:
    script = Script(problem(401, "not_authenticated"))
    with pytest.raises(NotAuthenticated):
        script.play(script.conversation.exchange(get_item(7)))
    assert "Authorization" not in script.sent[0].options()["headers"]


def test_of_a_read_nothing_is_unknown_even_if_an_answer_was_lost_and_the_next_is_not_ours() -> None:
    script = Script(LOST, httpx2.Response(200, text="<h1>Sign in to the hotel</h1>"))
    with pytest.raises(UnexpectedAnswer):
        script.play(script.conversation.exchange(get_item(7)))


@pytest.mark.parametrize("version", [b"HTTP/1.0", b"HTTP/1.1"])
def test_an_export_that_ends_where_the_connection_does_is_refused(version: bytes) -> None:
    answer = httpx2.Response(200, content=iter([b""]), extensions={"http_version": version})
    del answer.headers["Transfer-Encoding"]
    with pytest.raises(UnexpectedAnswer):
        list(streams.chunks(answer))
