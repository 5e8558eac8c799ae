"""What the database refuses, whoever asks: constraints repeat what the domain refuses."""

from typing import Any

import pytest
from sqlalchemy import CheckConstraint, Insert, Table, UniqueConstraint, insert, null
from sqlalchemy.exc import IntegrityError
from steward.adapters.database.database import Database
from steward.adapters.database.error_translation import translate
from steward.adapters.database.tables import (
    attempt_counters,
    idempotency_keys,
    items,
    metadata,
    sessions,
    tokens,
    users,
)
from steward.domain.errors import EmailTaken, InvalidValue, StewardError, UnknownOwner, UsernameTaken

from tests.conftest import PATIENT
from tests.support.given import given_user
from tests.support.rows import A_COUNTER, A_KEY, A_SESSION, A_TOKEN, A_USER, AN_ITEM

CHECKED = [
    ("ck_users_username_length", insert(users).values(A_USER | {"username": "ad"}), "username"),
    ("ck_users_username_length", insert(users).values(A_USER | {"username": "a" * 65}), "username"),
    ("ck_users_email_length", insert(users).values(A_USER | {"email": "a@"}), "email"),
    ("ck_users_email_length", insert(users).values(A_USER | {"email": "a" * 255}), "email"),
    ("ck_users_role_known", insert(users).values(A_USER | {"role": "root"}), "role"),
    ("ck_users_version_positive", insert(users).values(A_USER | {"version": 0}), "version"),
    ("ck_items_name_length", insert(items).values(AN_ITEM | {"name": ""}), "name"),
    ("ck_items_name_length", insert(items).values(AN_ITEM | {"name": "ß" * 201}), "name"),
    ("ck_items_description_length", insert(items).values(AN_ITEM | {"description": "x" * 10_001}), "description"),
    ("ck_items_quantity_range", insert(items).values(AN_ITEM | {"quantity": -1}), "quantity"),
    ("ck_items_version_positive", insert(items).values(AN_ITEM | {"version": 0}), "version"),
    ("ck_tokens_hash_length", insert(tokens).values(A_TOKEN | {"hash": b"short"}), "hash"),
    ("ck_tokens_kind_known", insert(tokens).values(A_TOKEN | {"kind": "magic"}), "kind"),
    ("ck_attempt_counters_key_length", insert(attempt_counters).values(A_COUNTER | {"key": b""}), "key"),
    ("ck_attempt_counters_count_not_negative", insert(attempt_counters).values(A_COUNTER | {"count": -1}), "count"),
    ("ck_idempotency_keys_key_length", insert(idempotency_keys).values(A_KEY | {"key": b""}), "key"),
    (
        "ck_idempotency_keys_fingerprint_length",
        insert(idempotency_keys).values(A_KEY | {"fingerprint": b"short"}),
        "fingerprint",
    ),
]


async def refusal(database: Database, statement: Insert) -> StewardError:
    """The database's error for it, translated."""
    with pytest.raises(IntegrityError) as caught:
        async with database.session() as session:
            await session.execute(statement)
    translated = translate(caught.value, foreign_key=UnknownOwner(999))
    assert translated is not None, caught.value
    return translated


async def test_a_row_that_breaks_an_invariant_is_refused_by_the_constraint_for_it(database: Database) -> None:
    await given_user(database, "owner")
    for constraint, statement, field in CHECKED:
        error = await refusal(database, statement)
        assert isinstance(error, InvalidValue)
        assert (error.field, error.rule) == (field, "check")
        assert str(error) == f"The database refuses this value: {constraint}"


def test_every_check_and_every_unique_constraint_has_a_test() -> None:
    constraints = [constraint for table in metadata.tables.values() for constraint in table.constraints]
    checks = {str(each.name) for each in constraints if isinstance(each, CheckConstraint)}
    uniques = {str(each.name) for each in constraints if isinstance(each, UniqueConstraint)}
    assert checks == {name for name, _, _ in CHECKED}
    assert uniques == {"uq_users_username_key", "uq_users_email_key"}


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"email_key": "other"}, UsernameTaken),
        ({"username_key": "other"}, EmailTaken),
    ],
)
async def test_a_second_row_with_a_unique_key_is_refused(
    database: Database, changes: dict[str, Any], error: type[StewardError]
) -> None:
    await given_user(database, "ada")
    assert type(await refusal(database, insert(users).values(A_USER | changes))) is error


async def test_of_two_unique_keys_postgresql_reports_the_name(postgres_url: str) -> None:
    """Registrations that race for both are decided by it; on SQLite none ever gets so far (one unit writes)."""
    async with Database(postgres_url, pool=PATIENT) as database:
        await given_user(database, "ada")
        assert type(await refusal(database, insert(users).values(A_USER))) is UsernameTaken


def required_columns(table: Table) -> list[str]:
    return [column.name for column in table.c if not column.nullable and column.name != "id"]


async def test_no_column_of_a_user_that_must_be_there_can_be_null(database: Database) -> None:
    for column in required_columns(users):
        error = await refusal(database, insert(users).values(A_USER | {column: None}))
        assert isinstance(error, InvalidValue)
        assert (error.field, error.rule) == (column, "missing")


async def test_no_column_of_an_item_that_must_be_there_can_be_null(database: Database) -> None:
    for column in required_columns(items):
        error = await refusal(database, insert(items).values(AN_ITEM | {column: null()}))
        assert isinstance(error, InvalidValue)
        assert (error.field, error.rule) == (column, "missing")


@pytest.mark.parametrize(
    ("table", "row"),
    [(sessions, A_SESSION), (tokens, A_TOKEN), (attempt_counters, A_COUNTER), (idempotency_keys, A_KEY)],
    ids=lambda value: getattr(value, "name", ""),
)
async def test_no_column_of_other_rows_that_must_be_there_can_be_null(
    database: Database, table: Table, row: dict[str, Any]
) -> None:
    required = required_columns(table)
    assert set(required) == set(row)
    for column in required:
        error = await refusal(database, insert(table).values(row | {column: None}))
        assert isinstance(error, InvalidValue)
        assert (error.field, error.rule) == (column, "missing")


@pytest.mark.parametrize("row", [insert(sessions).values(A_SESSION), insert(tokens).values(A_TOKEN)])
async def test_a_session_of_nobody_and_a_token_of_no_session_are_refused(database: Database, row: Insert) -> None:
    assert type(await refusal(database, row)) is UnknownOwner


async def test_an_item_of_nobody_is_refused(database: Database) -> None:
    assert type(await refusal(database, insert(items).values(AN_ITEM | {"owner_id": 999}))) is UnknownOwner
