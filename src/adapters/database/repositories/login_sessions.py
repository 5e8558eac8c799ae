"""Sessions and their tokens in a database."""

from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, update

from ....domain.errors import Conflict, LoginSessionNotFound, UnknownOwner
from ....domain.login_sessions import (
    Client,
    LoginSession,
    LoginSessionId,
    PresentedToken,
    TokenHash,
    TokenKind,
    TokenPair,
)
from ....domain.users import MAX_ID, Role, UserId
from ...purge import PURGE_BATCH_SIZE, TOKENS_KEPT
from ...unit_of_work.guards import Guard, reads, writes
from ..session_transaction import SessionTransaction
from ..tables import sessions, tokens, users

_columns = (
    sessions.c.id,
    sessions.c.user_id,
    sessions.c.created_at,
    sessions.c.refreshed_at,
    sessions.c.expires_at,
    sessions.c.user_agent,
    sessions.c.address,
)
_add = insert(sessions).returning(sessions.c.id)
_add_tokens = insert(tokens)
_find = (
    select(
        tokens.c.kind,
        tokens.c.expires_at,
        tokens.c.generation,
        sessions.c.id,
        sessions.c.generation,
        sessions.c.refreshed_at,
        users.c.id,
        users.c.role,
        users.c.is_active,
    )
    .join_from(tokens, sessions, tokens.c.session_id == sessions.c.id)
    .join(users, sessions.c.user_id == users.c.id)
    .where(tokens.c.hash == bindparam("token"))
)
_get = select(*_columns).where(sessions.c.id == bindparam("session"))
_list_of = (
    select(*_columns)
    .where(sessions.c.user_id == bindparam("user"), sessions.c.expires_at > bindparam("at"))
    .order_by(sessions.c.id.desc())
)
_rotate = (
    update(sessions)
    .where(sessions.c.id == bindparam("session"), sessions.c.generation == bindparam("exchanged"))
    .values(generation=sessions.c.generation + 1, refreshed_at=bindparam("at"), expires_at=bindparam("until"))
    .returning(sessions.c.id)
)
_forget_tokens = delete(tokens).where(
    tokens.c.session_id == bindparam("session"), tokens.c.expires_at <= bindparam("before")
)
_end = delete(sessions).where(sessions.c.id == bindparam("session")).returning(sessions.c.id)
_end_all_of = delete(sessions).where(sessions.c.user_id == bindparam("user"), sessions.c.id != bindparam("but"))
_oldest_of = (
    select(sessions.c.id)
    .where(sessions.c.user_id == bindparam("user"))
    .order_by(sessions.c.refreshed_at.desc(), sessions.c.id.desc())
    .offset(bindparam("keep"))
)
# Whoever is deleting the same ones just now does it: waiting for each other would cost, and could dead-lock. Locked
# are those that go alone: an OFFSET would lock the ones that it passes over, and not count those that others hold.
_end_oldest_of = delete(sessions).where(
    sessions.c.id.in_(select(sessions.c.id).where(sessions.c.id.in_(_oldest_of)).with_for_update(skip_locked=True))
)
_end_expired = delete(sessions).where(
    sessions.c.id.in_(
        select(sessions.c.id)
        .where(sessions.c.expires_at <= bindparam("at"))
        .order_by(sessions.c.expires_at)
        .limit(PURGE_BATCH_SIZE)
        .with_for_update(skip_locked=True)
    )
)


class DatabaseLoginSessions:
    def __init__(self, unit: Guard, transaction: SessionTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def add(self, user_id: UserId, client: Client, tokens: TokenPair, *, at: datetime) -> LoginSession:
        if not 1 <= user_id <= MAX_ID:
            raise UnknownOwner(user_id)
        row = {
            "user_id": user_id,
            "created_at": at,
            "refreshed_at": at,
            "expires_at": tokens.refresh_expires_at,
            "generation": 1,
            "user_agent": client.user_agent,
            "address": client.address,
        }
        result = await self._transaction.execute(_add, row, foreign_key=UnknownOwner(user_id))
        session_id = result.scalar_one()
        await self._store(session_id, 1, tokens)
        return LoginSession(session_id, user_id, at, at, tokens.refresh_expires_at, client.user_agent, client.address)

    @reads
    async def find(self, token: TokenHash) -> PresentedToken | None:
        row: Any = (await self._transaction.execute(_find, {"token": token})).one_or_none()
        if row is None:
            return None
        kind, expires_at, generation, session_id, session_generation, refreshed_at, user_id, role, is_active = row
        return PresentedToken(
            TokenKind(kind),
            expires_at,
            generation,
            session_id,
            session_generation,
            refreshed_at,
            user_id,
            Role(role),
            is_active,
        )

    @reads
    async def get(self, session_id: LoginSessionId) -> LoginSession:
        if not 1 <= session_id <= MAX_ID:
            raise LoginSessionNotFound(session_id)
        row: Any = (await self._transaction.execute(_get, {"session": session_id})).one_or_none()
        if row is None:
            raise LoginSessionNotFound(session_id)
        return LoginSession(*row)

    @reads
    async def list_of(self, user_id: UserId, *, at: datetime) -> list[LoginSession]:
        if not 1 <= user_id <= MAX_ID:
            return []
        rows: Any = await self._transaction.execute(_list_of, {"user": user_id, "at": at})
        return [LoginSession(*row) for row in rows]

    @writes
    async def rotate(self, presented: PresentedToken, tokens: TokenPair, *, at: datetime) -> None:
        session_id = presented.session_id
        exchange = {
            "session": session_id,
            "exchanged": presented.generation,
            "at": at,
            "until": tokens.refresh_expires_at,
        }
        if (await self._transaction.execute(_rotate, exchange)).scalar_one_or_none() is None:
            raise Conflict
        await self._store(session_id, presented.generation + 1, tokens)
        await self._transaction.execute(_forget_tokens, {"session": session_id, "before": at - TOKENS_KEPT})

    @writes
    async def issue(self, presented: PresentedToken, tokens: TokenPair) -> None:
        await self._store(presented.session_id, presented.session_generation, tokens)

    @writes
    async def end(self, session_id: LoginSessionId) -> bool:
        if not 1 <= session_id <= MAX_ID:
            return False
        return (await self._transaction.execute(_end, {"session": session_id})).scalar_one_or_none() is not None

    @writes
    async def end_all_of(self, user_id: UserId, *, but: LoginSessionId | None = None) -> int:
        if not 1 <= user_id <= MAX_ID:
            return 0
        ended: Any = await self._transaction.execute(_end_all_of, {"user": user_id, "but": but or 0})
        return int(ended.rowcount)

    @writes
    async def make_room(self, user_id: UserId, *, keep: int, at: datetime) -> None:
        if 1 <= user_id <= MAX_ID:
            await self._transaction.execute(_end_oldest_of, {"user": user_id, "keep": keep})
        await self._transaction.execute(_end_expired, {"at": at})

    async def _store(self, session_id: LoginSessionId, generation: int, tokens: TokenPair) -> None:
        of_both = {"session_id": session_id, "generation": generation}
        rows = [
            {"hash": tokens.access, "kind": "access", "expires_at": tokens.access_expires_at, **of_both},
            {"hash": tokens.refresh, "kind": "refresh", "expires_at": tokens.refresh_expires_at, **of_both},
        ]
        await self._transaction.execute(_add_tokens, rows, foreign_key=Conflict())
