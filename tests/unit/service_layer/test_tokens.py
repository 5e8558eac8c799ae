"""What tokens look like, and what is refused before a database is asked."""

import pickle
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from steward.domain.login_sessions import Lifetimes, TokenKind
from steward.service_layer.tokens import Tokens, hash_of

ACCESS, REFRESH = TokenKind.ACCESS, TokenKind.REFRESH


def test_a_token_is_its_kind_256_random_bits_and_a_checksum() -> None:
    tokens = Tokens.draw()
    assert tokens.access.startswith("stwa_")
    assert tokens.refresh.startswith("stwr_")
    assert len(tokens.access) == len(tokens.refresh) == 5 + 43 + 6
    assert len({text[5:48] for _ in range(1000) for text in [Tokens.draw().access, Tokens.draw().refresh]}) == 2000


def test_the_database_gets_hashes_alone() -> None:
    tokens, at = Tokens.draw(), datetime(2026, 1, 1, tzinfo=UTC)
    stored = tokens.stored(Lifetimes(access=timedelta(minutes=15), refresh=timedelta(days=30)), at=at)
    assert stored.access == sha256(tokens.access.encode()).digest() == hash_of(tokens.access, ACCESS)
    assert stored.refresh == sha256(tokens.refresh.encode()).digest() == hash_of(tokens.refresh, REFRESH)
    assert stored.access_expires_at - at == timedelta(minutes=15)
    assert stored.refresh_expires_at - at == timedelta(days=30)


def test_one_kind_is_never_taken_for_the_other() -> None:
    tokens = Tokens.draw()
    assert hash_of(tokens.access, REFRESH) is None
    assert hash_of(tokens.refresh, ACCESS) is None
    assert hash_of("stwr_" + tokens.access[5:], REFRESH) is None, "the checksum is of the prefix too"


def test_any_single_character_that_is_wrong_is_found_out() -> None:
    token = Tokens.draw().access
    for at, character in enumerate(token):
        other = "A" if character != "A" else "B"
        assert hash_of(token[:at] + other + token[at + 1 :], ACCESS) is None


@pytest.mark.parametrize(
    "rubbish",
    ["", " ", "stwa_", "x" * 54, "stwa_" + "A" * 49, "stwa_" + "é" * 49, "stwa_" + "\ud800" * 49, "stwa_" + "\0" * 49],
)
def test_rubbish_has_no_hash(rubbish: str) -> None:
    assert hash_of(rubbish, ACCESS) is None


def test_a_token_that_was_cut_off_or_has_grown_has_no_hash() -> None:
    token = Tokens.draw().access
    for wrong in (token[:-1], token[1:], token + "=", token + "\n", " " + token, token.upper(), token * 2):
        assert hash_of(wrong, ACCESS) is None


def test_tokens_do_not_show_what_they_are() -> None:
    tokens = Tokens.draw()
    assert repr(tokens) == str(tokens) == f"{tokens}" == "Tokens()"
    assert pickle.loads(pickle.dumps(tokens)) == tokens
