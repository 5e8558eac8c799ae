"""Login sessions and their tokens in memory."""

from dataclasses import replace
from datetime import datetime

from ...domain.errors import Conflict, LoginSessionNotFound, UnknownOwner
from ...domain.login_sessions import (
    Client,
    LoginSession,
    LoginSessionId,
    PresentedToken,
    TokenHash,
    TokenKind,
    TokenPair,
)
from ...domain.users import UserId
from ..purge import PURGE_BATCH_SIZE, TOKENS_KEPT
from ..unit_of_work.guards import Guard, reads, writes
from .state import State, StoredToken
from .transaction import MemoryTransaction


class MemoryLoginSessions:
    def __init__(self, unit: Guard, transaction: MemoryTransaction) -> None:
        self.unit = unit
        self._transaction = transaction

    @writes
    async def add(self, user_id: UserId, client: Client, tokens: TokenPair, *, at: datetime) -> LoginSession:
        state = await self._transaction.write()
        session_id = self._transaction.storage.next_login_session_id()
        if user_id not in state.users:
            raise UnknownOwner(user_id)
        session = LoginSession(
            session_id, user_id, at, at, tokens.refresh_expires_at, client.user_agent, client.address
        )
        state.put_session(session, generation=1)
        _store(state, session_id, 1, tokens)
        return session

    @reads
    async def find(self, token: TokenHash) -> PresentedToken | None:
        state = await self._transaction.read()
        stored = state.tokens.get(token)
        if stored is None:
            return None
        session = state.sessions[stored.session_id]
        user = state.users[session.user_id]
        return PresentedToken(
            kind=stored.kind,
            expires_at=stored.expires_at,
            generation=stored.generation,
            session_id=session.id,
            session_generation=state.generations[session.id],
            refreshed_at=session.refreshed_at,
            user_id=user.id,
            role=user.role,
            is_active=user.is_active,
        )

    @reads
    async def get(self, session_id: LoginSessionId) -> LoginSession:
        state = await self._transaction.read()
        try:
            return state.sessions[session_id]
        except KeyError:
            raise LoginSessionNotFound(session_id) from None

    @reads
    async def list_of(self, user_id: UserId, *, at: datetime) -> list[LoginSession]:
        state = await self._transaction.read()
        found = [each for each in state.sessions.values() if each.user_id == user_id and each.expires_at > at]
        return sorted(found, key=lambda session: session.id, reverse=True)

    @writes
    async def rotate(self, presented: PresentedToken, tokens: TokenPair, *, at: datetime) -> None:
        state = await self._transaction.write()
        session_id = presented.session_id
        if state.generations.get(session_id) != presented.generation:
            raise Conflict
        refreshed = replace(state.sessions[session_id], refreshed_at=at, expires_at=tokens.refresh_expires_at)
        state.put_session(refreshed, generation=presented.generation + 1)
        _store(state, session_id, presented.generation + 1, tokens)
        state.tokens = {
            key: token
            for key, token in state.tokens.items()
            if token.session_id != session_id or token.expires_at > at - TOKENS_KEPT
        }

    @writes
    async def issue(self, presented: PresentedToken, tokens: TokenPair) -> None:
        state = await self._transaction.write()
        if presented.session_id not in state.sessions:
            raise Conflict
        _store(state, presented.session_id, presented.session_generation, tokens)

    @writes
    async def end(self, session_id: LoginSessionId) -> bool:
        state = await self._transaction.write()
        if session_id not in state.sessions:
            return False
        state.end_sessions({session_id})
        return True

    @writes
    async def end_all_of(self, user_id: UserId, *, but: LoginSessionId | None = None) -> int:
        state = await self._transaction.write()
        ended = {each.id for each in state.sessions.values() if each.user_id == user_id and each.id != but}
        state.end_sessions(ended)
        return len(ended)

    @writes
    async def make_room(self, user_id: UserId, *, keep: int, at: datetime) -> None:
        state = await self._transaction.write()
        own = [session for session in state.sessions.values() if session.user_id == user_id]
        own.sort(key=lambda session: (session.refreshed_at, session.id), reverse=True)
        state.end_sessions({session.id for session in own[keep:]})
        expired = sorted((s for s in state.sessions.values() if s.expires_at <= at), key=lambda s: s.expires_at)
        state.end_sessions({session.id for session in expired[:PURGE_BATCH_SIZE]})


def _store(state: State, session_id: LoginSessionId, generation: int, tokens: TokenPair) -> None:
    for key, kind, expires_at in (
        (tokens.access, TokenKind.ACCESS, tokens.access_expires_at),
        (tokens.refresh, TokenKind.REFRESH, tokens.refresh_expires_at),
    ):
        state.put_token(key, StoredToken(session_id, kind, generation, expires_at))
