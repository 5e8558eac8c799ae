"""What signing in and being signed in cost, in statements and round trips, and how a token is looked up."""

import asyncpg
import pytest
from sqlalchemy import text
from steward.adapters.database.database import Database
from steward.domain.actors import Actor
from steward.domain.errors import InvalidCredentials, NotAuthenticated
from steward.domain.login_sessions import TokenKind
from steward.domain.users import Role, User
from steward.service_layer import items, login_sessions, users
from steward.service_layer.login_sessions import authenticate
from steward.service_layer.tokens import Tokens, hash_of
from steward.service_layer.unit_of_work import UnitOfWork
from steward.testing import FastHasher, given_session

from tests.conftest import PATIENT
from tests.support.given import given_user
from tests.support.signed_in import refreshed, who_is
from tests.support.statements import cost_of, counted

from ..use_cases.accounts import PASSWORD, WRONG, accounts_with, given_account, sign_in


async def test_the_check_of_a_token_costs_a_read_one_more_statement_on_its_connection(database: Database) -> None:
    ada = await given_user(database, "ada")
    _, tokens = await given_session(database, user=ada)
    checked_out: list[int] = []

    async def look(uow: UnitOfWork) -> User:
        async with uow.reading():
            actor = await authenticate(uow, access_token=tokens.access)
            checked_out.append(database.checked_out())
            user = await users.get_user(uow, actor, user_id=ada.id)
            checked_out.append(database.checked_out())
            return user

    assert (await cost_of(database, look)).shape == ["SELECT", "SELECT"]
    # On a SQLite file such reads need no connection of the pool at all.
    assert checked_out in ([1, 1], [0, 0])


async def test_the_check_of_a_token_comes_before_the_transaction_of_a_write(database: Database) -> None:
    ada = await given_user(database, "ada")
    _, tokens = await given_session(database, user=ada)

    async def write(uow: UnitOfWork) -> None:
        actor = await authenticate(uow, access_token=tokens.access)
        await items.create_item(uow, actor, name="Box")

    assert (await cost_of(database, write)).shape == ["SELECT", "BEGIN", "INSERT", "COMMIT"]


@pytest.mark.parametrize(
    "rubbish",
    ["", "rubbish", Tokens.draw().refresh, Tokens.draw().access[:-1] + "?"],
    ids=["nothing", "rubbish", "refresh token", "forged"],
)
async def test_rubbish_costs_no_statement(database: Database, rubbish: str) -> None:
    async def look(uow: UnitOfWork) -> None:
        with pytest.raises(NotAuthenticated):
            await authenticate(uow, access_token=rubbish)

    assert (await cost_of(database, look)).sent == []


async def test_a_sign_in_costs_three_transactions_worth_of_statements(database: Database) -> None:
    """The user; the count, committed before the password is looked at; the session."""
    await given_account(database, "ada")
    accounts = accounts_with(FastHasher())
    count = ["BEGIN", "INSERT", "DELETE", "COMMIT"]
    begin = ["BEGIN", "SELECT", "DELETE", "DELETE", "INSERT", "INSERT", "UPDATE", "COMMIT"]
    costs = await cost_of(database, lambda _: sign_in(database, accounts, "ada", PASSWORD))
    assert costs.shape == ["SELECT", *count, *begin]
    for name in ("ada", "nobody", "nobody@example.org"):

        async def fail(_: UnitOfWork, name: str = name) -> None:
            with pytest.raises(InvalidCredentials):
                await sign_in(database, accounts, name, WRONG)

        assert (await cost_of(database, fail)).shape == ["SELECT", *count], "no refusal costs more than another"


async def test_a_refresh_costs_so_much(database: Database) -> None:
    session, tokens = await given_session(database)
    refresh = await cost_of(database, lambda _: refreshed(database, tokens))
    assert refresh.shape == ["BEGIN", "SELECT", "UPDATE", "INSERT", "DELETE", "COMMIT"]
    again = await cost_of(database, lambda _: refreshed(database, tokens))
    assert again.shape == ["BEGIN", "SELECT", "INSERT", "COMMIT"]
    own = Actor(session.user_id, Role.MEMBER, session.id)
    ended = await cost_of(database, lambda uow: login_sessions.end_login_session(uow, own, session_id=session.id))
    assert ended.shape == ["BEGIN", "SELECT", "DELETE", "COMMIT"]


MANY_ROWS = (
    "INSERT INTO users (username, username_key, email, email_key, role, is_active, created_at, updated_at, version)"
    " SELECT 'u' || n, 'u' || n, 'u' || n || '@x', 'u' || n || '@x', 'member', true, now(), now(), 1"
    " FROM generate_series(1000, 3000) n",
    "INSERT INTO sessions (user_id, created_at, refreshed_at, expires_at, generation)"
    " SELECT id, now(), now(), now() + interval '1 day', 1 FROM users",
    "INSERT INTO tokens (hash, session_id, kind, generation, expires_at)"
    " SELECT sha256(('t' || id)::bytea), id, 'access', 1, now() FROM sessions",
    "ANALYZE users",
    "ANALYZE sessions",
    "ANALYZE tokens",
)


async def test_a_token_is_looked_up_by_primary_keys_alone(postgres_url: str) -> None:
    async with Database(postgres_url, pool=PATIENT) as database:
        _, tokens = await given_session(database)
        async with database.session() as session:
            for statement in MANY_ROWS:
                await session.execute(text(statement))
        with counted(database) as cost:
            await who_is(database, tokens)
        (lookup,) = cost.sent
        connection = await asyncpg.connect(postgres_url.replace("+asyncpg", ""))
        rows = await connection.fetch(f"EXPLAIN {lookup}", hash_of(tokens.access, TokenKind.ACCESS))
        await connection.close()
    plan = "\n".join(row[0] for row in rows)
    assert "Seq Scan" not in plan, plan
    assert [key for key in ("pk_tokens", "pk_sessions", "pk_users") if f"using {key} on" not in plan] == [], plan
