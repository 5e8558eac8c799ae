"""What a `MemoryDatabase` holds."""

from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from ...domain.attempts import Counter, CounterKey
from ...domain.errors import Conflict, InvalidValue, VersionMismatch
from ...domain.idempotency import KeyHash
from ...domain.items import MAX_QUANTITY, Item, ItemId
from ...domain.login_sessions import LoginSession, LoginSessionId, TokenHash, TokenKind
from ...domain.users import Role, User, UserId


@dataclass(frozen=True, slots=True)
class StoredToken:
    session_id: LoginSessionId
    kind: TokenKind
    generation: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class StoredKey:
    """`answer` is None while the unit that has claimed the key is under way."""

    user_id: UserId | None
    fingerprint: bytes
    answer: bytes | None
    expires_at: datetime


@dataclass(slots=True)
class State:
    """Entities in it are never changed in place, so a copy of the dictionaries is a copy of all."""

    users: dict[UserId, User] = field(default_factory=dict)
    items: dict[ItemId, Item] = field(default_factory=dict)
    sessions: dict[LoginSessionId, LoginSession] = field(default_factory=dict)
    generations: dict[LoginSessionId, int] = field(default_factory=dict)
    tokens: dict[TokenHash, StoredToken] = field(default_factory=dict)
    counters: dict[CounterKey, Counter] = field(default_factory=dict)
    idempotency_keys: dict[KeyHash, StoredKey] = field(default_factory=dict)

    def copy(self) -> "State":
        return State(
            dict(self.users),
            dict(self.items),
            dict(self.sessions),
            dict(self.generations),
            dict(self.tokens),
            dict(self.counters),
            dict(self.idempotency_keys),
        )

    def put_user(self, user: User) -> None:
        """Keep a copy. Raises `InvalidValue` for what the CHECK constraints of the databases refuse."""
        _check("username", "ck_users_username_length", 3 <= len(user.username) <= 64)
        _check("email", "ck_users_email_length", 3 <= len(user.email) <= 254)
        _check("role", "ck_users_role_known", user.role in tuple(Role))
        self.users[user.id] = replace(user, created_at=_utc(user.created_at), updated_at=_utc(user.updated_at))

    def put_item(self, item: Item) -> None:
        """Keep a copy. Raises as `check_item`."""
        check_item(item)
        self.items[item.id] = replace(
            item,
            attributes=deepcopy(item.attributes),
            created_at=_utc(item.created_at),
            updated_at=_utc(item.updated_at),
        )

    def put_session(self, session: LoginSession, *, generation: int) -> None:
        """Keep it, its tokens being of this generation."""
        self.sessions[session.id] = replace(
            session,
            created_at=_utc(session.created_at),
            refreshed_at=_utc(session.refreshed_at),
            expires_at=_utc(session.expires_at),
        )
        self.generations[session.id] = generation

    def put_token(self, token: TokenHash, stored: StoredToken) -> None:
        """Raises `InvalidValue` for what the CHECK constraints of the databases refuse."""
        _check("hash", "ck_tokens_hash_length", len(token) == 32)
        self.tokens[token] = replace(stored, expires_at=_utc(stored.expires_at))

    def put_counter(self, counter: Counter) -> None:
        """Raises `InvalidValue` for what the CHECK constraints of the databases refuse."""
        _check("key", "ck_attempt_counters_key_length", len(counter.key) == 32)
        self.counters[counter.key] = replace(counter, resets_at=_utc(counter.resets_at))

    def put_key(self, key: KeyHash, stored: StoredKey) -> None:
        """Raises `InvalidValue` for what the CHECK constraints of the databases refuse."""
        _check("key", "ck_idempotency_keys_key_length", len(key) == 32)
        _check("fingerprint", "ck_idempotency_keys_fingerprint_length", len(stored.fingerprint) == 32)
        self.idempotency_keys[key] = replace(stored, expires_at=_utc(stored.expires_at))

    def forget_keys_of(self, user_id: UserId) -> None:
        self.idempotency_keys = {key: each for key, each in self.idempotency_keys.items() if each.user_id != user_id}

    def end_sessions(self, ended: set[LoginSessionId]) -> None:
        """With all their tokens."""
        for session_id in ended:
            del self.sessions[session_id]
            del self.generations[session_id]
        self.tokens = {key: token for key, token in self.tokens.items() if token.session_id not in ended}


def check_item(item: Item) -> None:
    """Raises `InvalidValue` for what the CHECK constraints refuse, which databases ask before the foreign keys."""
    _check("name", "ck_items_name_length", 1 <= len(item.name) <= 200)
    _check("description", "ck_items_description_length", len(item.description or "") <= 10_000)
    _check("quantity", "ck_items_quantity_range", 0 <= item.quantity <= MAX_QUANTITY)


def check_made_from(made_from: int, stored: int | None, expected_version: int | None) -> None:
    """Raises `VersionMismatch` if the caller gave the `expected_version`, else `Conflict`."""
    if stored != made_from:
        raise Conflict if expected_version is None else VersionMismatch


def copy_user(user: User) -> User:
    return replace(user)


def copy_item(item: Item) -> Item:
    return replace(item, attributes=deepcopy(item.attributes))


def _check(field: str, constraint: str, holds: bool) -> None:
    if not holds:
        raise InvalidValue(field, "check", f"The database refuses this value: {constraint}")


def _utc(time: datetime) -> datetime:
    if time.tzinfo is None:
        raise ValueError("A datetime without a zone says nothing about when: give it one")
    return time.astimezone(UTC)
