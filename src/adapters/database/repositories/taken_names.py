"""Which usernames and e-mail addresses are taken, asked before a user is written.

If both are taken, the databases would report different ones. The unique constraints still decide races.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import bindparam, select

from ....domain.errors import EmailTaken, UsernameTaken
from ....domain.users import UserId
from ..session_transaction import SessionTransaction
from ..tables import users

_taken = select(users.c.username_key).where(
    users.c.id != bindparam("but"),
    (users.c.username_key == bindparam("username_key")) | (users.c.email_key == bindparam("email_key")),
)
_any_taken = select(users.c.username_key, users.c.email_key).where(
    users.c.username_key.in_(bindparam("username_keys", expanding=True))
    | users.c.email_key.in_(bindparam("email_keys", expanding=True))
)
_LOOK_UP = 400  # users in one statement, two parameters each: SQLite before 3.32 takes 999


async def refuse_taken(transaction: SessionTransaction, row: Mapping[str, Any], *, but: UserId | None = None) -> None:
    """Raises `UsernameTaken`, else `EmailTaken`, if someone `but` this user has one of the keys in `row`."""
    keys = {key: row[key] for key in ("username_key", "email_key")}
    taken = list((await transaction.execute(_taken, {**keys, "but": but or 0})).scalars())
    if row["username_key"] in taken:
        raise UsernameTaken
    if taken:
        raise EmailTaken


async def refuse_any_taken(transaction: SessionTransaction, rows: Sequence[Mapping[str, Any]]) -> None:
    """As `refuse_taken`, for new users who are added one after the other."""
    usernames: set[str] = set()
    emails: set[str] = set()
    for start in range(0, len(rows), _LOOK_UP):
        some = rows[start : start + _LOOK_UP]
        keys = {f"{key}s": [row[key] for row in some] for key in ("username_key", "email_key")}
        for taken in await transaction.execute(_any_taken, keys):
            usernames.add(taken.username_key)
            emails.add(taken.email_key)
    for row in rows:
        if row["username_key"] in usernames:
            raise UsernameTaken
        if row["email_key"] in emails:
            raise EmailTaken
        usernames.add(row["username_key"])
        emails.add(row["email_key"])
