"""The one pair of tokens that a client keeps: renewed as it expires, once for all who wait, and never shown."""

import httpx2
import pytest
from steward.client import ConnectionFailed, InvalidCredentials, NotAuthenticated, OutcomeUnknown, Retries
from steward.client.auth import sign_in
from steward.client.conversation import Alone, Send
from steward.client.items import create_item, get_item

from tests.support.conversation import Script, item_answer, problem, tokens

LOST = httpx2.ReadError("connection reset")


def signed_in(*said: httpx2.Response | httpx2.RequestError, expires_in: int = 900) -> Script:
    script = Script(tokens(1, expires_in=expires_in), *said)
    script.play(script.conversation.sign_in("ada", "correct horse"))
    return script


def said(script: Script) -> list[tuple[str, str | None]]:
    """After the sign-in: what was called, and with which token."""
    return [(sent.call.operation.id, sent.token) for sent in script.sent[1:]]


def test_every_call_after_the_sign_in_carries_the_token() -> None:
    script = signed_in(item_answer())
    script.play(script.conversation.exchange(get_item(7)))
    assert script.sent[1].options()["headers"]["Authorization"] == "Bearer access-1"
    assert "Authorization" not in script.sent[0].options()["headers"]


def test_a_token_that_has_expired_is_renewed_before_the_call() -> None:
    script = signed_in(tokens(2), item_answer(), expires_in=60)
    script.now += 60
    script.play(script.conversation.exchange(get_item(7)))
    assert said(script) == [("issue_token", None), ("get_item", "access-2")]
    assert script.sent[1].call.body == b"grant_type=refresh_token&refresh_token=refresh-1"


def test_a_renewal_whose_answer_is_lost_is_repeated_while_the_server_still_takes_it() -> None:
    """An exchanged refresh token works for ten seconds more, by default."""
    script = signed_in(LOST, tokens(2), item_answer(), expires_in=60)
    script.now += 60
    script.play(script.conversation.exchange(get_item(7)))
    lost, repeated, asked = script.sent[1:]
    assert lost.timeout + sum(script.waits) < 10
    assert (lost.call, asked.token) == (repeated.call, "access-2")


def test_a_token_that_the_server_finds_expired_is_renewed_and_the_call_repeated() -> None:
    script = signed_in(problem(401, "token_expired"), tokens(2), item_answer(201))
    script.play(script.conversation.exchange(create_item(name="Box")))
    assert said(script) == [("create_item", "access-1"), ("issue_token", None), ("create_item", "access-2")]
    first, _, second = script.sent[1:]
    assert first.call is second.call  # with its key


def test_of_two_that_find_the_token_expired_one_renews_it_for_both() -> None:
    script = signed_in(expires_in=60)
    script.now += 60
    first, second = (script.conversation.exchange(get_item(7)) for _ in range(2))
    ask_first, ask_second = next(first), next(second)
    assert isinstance(ask_first, Alone)
    assert isinstance(ask_second, Alone)
    script.says(tokens(2))
    script.play(ask_first.steps)
    script.play(ask_second.steps)
    assert said(script) == [("issue_token", None)]
    for waiting in (first, second):
        send = waiting.send(None)
        assert isinstance(send, Send)
        assert send.token == "access-2"


def test_a_refresh_whose_answer_was_lost_is_tried_again() -> None:
    script = signed_in(LOST, tokens(2), item_answer(), expires_in=60)
    script.now += 60
    script.play(script.conversation.exchange(get_item(7)))
    assert said(script)[-1] == ("get_item", "access-2")


def test_a_session_that_has_ended_is_told_by_the_server_and_not_asked_for_again() -> None:
    script = signed_in(problem(400, "invalid_credentials"), problem(401, "token_expired"), expires_in=60)
    script.now += 60
    with pytest.raises(NotAuthenticated) as raised:
        script.play(script.conversation.exchange(get_item(7)))
    assert raised.value.code == "token_expired"
    script.says(problem(401, "token_expired"))
    with pytest.raises(NotAuthenticated):
        script.play(script.conversation.exchange(get_item(7)))
    assert [operation for operation, _ in said(script)] == ["issue_token", "get_item", "get_item"]


@pytest.mark.parametrize("trouble", [httpx2.ConnectError("refused"), LOST])
def test_a_call_that_cannot_renew_its_token_was_not_made(trouble: httpx2.RequestError) -> None:
    script = signed_in(*[trouble] * 5, expires_in=60)
    script.now += 60
    with pytest.raises(ConnectionFailed):
        script.play(script.conversation.exchange(create_item(name="Box")))


def test_a_call_that_was_lost_before_its_token_could_not_be_renewed_may_have_been_made() -> None:
    script = signed_in(LOST, problem(401, "token_expired"), *[httpx2.ConnectError("refused")] * 5)
    with pytest.raises(OutcomeUnknown):
        script.play(script.conversation.exchange(create_item(name="Box")))


def test_a_token_that_was_handed_in_is_never_renewed() -> None:
    script = Script(problem(401, "token_expired"), token="stwa_mine")
    with pytest.raises(NotAuthenticated):
        script.play(script.conversation.exchange(get_item(7)))
    assert [sent.token for sent in script.sent] == ["stwa_mine"]


def test_a_sign_in_whose_answer_was_lost_is_not_repeated() -> None:
    script = Script(LOST)
    with pytest.raises(OutcomeUnknown):
        script.play(script.conversation.sign_in("ada", "correct horse"))


def test_a_wrong_password_leaves_the_client_as_it_was() -> None:
    script = signed_in(problem(400, "invalid_credentials"), item_answer())
    with pytest.raises(InvalidCredentials):
        script.play(script.conversation.sign_in("ada", "wrong horse"))
    script.play(script.conversation.exchange(get_item(7)))
    assert said(script)[-1] == ("get_item", "access-1")


def test_signing_out_ends_the_session_and_forgets_the_tokens() -> None:
    script = signed_in(httpx2.Response(204), problem(401, "not_authenticated"))
    script.play(script.conversation.sign_out())
    with pytest.raises(NotAuthenticated):
        script.play(script.conversation.exchange(get_item(7)))
    assert said(script) == [("log_out", "access-1"), ("get_item", None)]


def test_signing_out_twice_is_no_error() -> None:
    script = signed_in(LOST, problem(401, "token_revoked"))
    script.play(script.conversation.sign_out())
    script.play(script.conversation.sign_out())
    assert [operation for operation, _ in said(script)] == ["log_out", "log_out"]


def test_a_client_that_cannot_reach_the_server_stays_signed_in() -> None:
    script = Script(tokens(1), httpx2.ConnectError("refused"), item_answer(), retries=Retries(attempts=1))
    script.play(script.conversation.sign_in("ada", "correct horse"))
    with pytest.raises(ConnectionFailed):
        script.play(script.conversation.sign_out())
    script.play(script.conversation.exchange(get_item(7)))
    assert said(script)[-1] == ("get_item", "access-1")


def test_neither_password_nor_token_is_shown() -> None:
    script = signed_in(item_answer())
    script.play(script.conversation.exchange(get_item(7)))
    shown = repr(script.sent) + repr(vars(script.conversation)) + repr(sign_in("ada", "correct horse", now=0.0))
    assert "access-1" not in shown
    assert "refresh-1" not in shown
    assert "correct horse" not in shown
