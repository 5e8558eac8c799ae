"""What a repository promises. Ports: the adapters carry the tricks.

Every method may raise `NotInTransaction` (no block is open), `ConcurrentUse`, `TransactionAborted` (an earlier
statement failed) and a `StorageError`; every method that writes raises `ReadOnly` inside `reading()`. Entities that
come out are the caller's own: changing one changes nothing that is stored until it is saved.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Protocol

from .attempts import Counter, CounterKey
from .filters import EVERY_ITEM, EVERY_USER, ItemFilter, UserFilter
from .idempotency import Remembered, RequestKey
from .items import Item, ItemId, NewItem, OwnedItem
from .login_sessions import Client, LoginSession, LoginSessionId, PresentedToken, TokenHash, TokenPair
from .pages import NEWEST_FIRST, Position, Sort
from .users import NewUser, User, UserId


class UserRepository(Protocol):
    async def add(self, new: NewUser, *, at: datetime) -> User:
        """Store a new user, active, as version 1.

        Raises `UsernameTaken`, else `EmailTaken`: if both are taken the name is reported.
        """
        ...

    async def add_many(self, new: Sequence[NewUser], *, at: datetime) -> list[UserId]:
        """Store many, and return their ids in the same order. Raises as `add`."""
        ...

    async def get(self, user_id: UserId, *, for_update: bool = False, for_change: bool = False) -> User:
        """Raises `UserNotFound`. `for_update` holds off whoever would change or refer to the user until this unit
        has ended; `for_change` does not wait for those who refer to the user, an import for one, nor they for it."""
        ...

    async def find(self, username: str) -> User | None:
        """By username; case and Unicode variants are one and the same user."""
        ...

    async def find_by_email(self, email: str) -> User | None:
        """By e-mail address; case and Unicode variants are one and the same user."""
        ...

    async def lock_active_admins(self) -> list[UserId]:
        """In the order of their ids, in which they are locked too; none of them changes until this unit has ended."""
        ...

    async def page(
        self,
        where: UserFilter = EVERY_USER,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[User]:
        """At most `limit` of the users that meet `where`, sorted; those that stand after the position `after`, or the
        first. Texts sort by code point. A position is what `sort` says of an entity."""
        ...

    async def count(self, where: UserFilter = EVERY_USER) -> int:
        """How many users meet `where`."""
        ...

    async def is_empty(self) -> bool: ...

    async def save(self, user: User, *, expected_version: int | None = None) -> None:
        """Store a changed user if its version is still the stored one, and raise the version by one, here too.

        If that version is gone: `VersionMismatch` if the caller gave the `expected_version`, else `Conflict`.
        Raises `UsernameTaken`, else `EmailTaken`.
        """
        ...

    async def delete(self, user: User, *, expected_version: int | None = None) -> None:
        """Raises as `save` if the version is gone, and `UserOwnsItems`."""
        ...


class ItemRepository(Protocol):
    async def add(self, new: NewItem, *, at: datetime) -> Item:
        """Store a new item as version 1. Raises `UnknownOwner`."""
        ...

    async def add_many(self, new: Sequence[NewItem], *, at: datetime) -> list[ItemId]:
        """Store many, and return their ids in the same order. Raises `UnknownOwner`."""
        ...

    async def get(self, item_id: ItemId) -> Item:
        """Raises `ItemNotFound`."""
        ...

    async def get_with_owner(self, item_id: ItemId) -> OwnedItem:
        """Raises `ItemNotFound`. One statement."""
        ...

    async def page(
        self,
        where: ItemFilter = EVERY_ITEM,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[Item]:
        """At most `limit` of the items that meet `where`, sorted; those that stand after the position `after`, or the
        first. Texts sort by code point. A position is what `sort` says of an entity."""
        ...

    async def page_with_owner(
        self,
        where: ItemFilter = EVERY_ITEM,
        *,
        sort: Sort = NEWEST_FIRST,
        after: Position | None = None,
        limit: int,
    ) -> list[OwnedItem]:
        """As `page`, each with its owner. One statement, whatever the length."""
        ...

    async def count(self, where: ItemFilter = EVERY_ITEM) -> int:
        """How many items meet `where`."""
        ...

    async def lock(self, item_ids: Collection[ItemId], *, owner_id: UserId | None = None) -> None:
        """Hold off whoever would change these items until this unit has ended; those of one owner, or all.

        They are locked in the order of their ids, so that two who lock several wait for each other instead of
        dead-locking. What is not there is passed over.
        """
        ...

    async def save(self, item: Item, *, expected_version: int | None = None) -> None:
        """Store a changed item if its version is still the stored one, and raise the version by one, here too.

        If that version is gone: `VersionMismatch` if the caller gave the `expected_version`, else `Conflict`.
        Raises `UnknownRecipient` if the owner it was handed to is gone.
        """
        ...

    async def delete(self, item: Item, *, expected_version: int | None = None) -> None:
        """Raises as `save` if the version is gone."""
        ...

    async def delete_all_of(self, owner_id: UserId) -> int:
        """Delete every item of one owner, and return how many there were."""
        ...

    async def hand_over_all_of(self, owner_id: UserId, *, to: UserId, at: datetime) -> int:
        """Give every item of one owner to another, and return how many. Raises `UnknownRecipient`."""
        ...


class LoginSessionRepository(Protocol):
    async def add(self, user_id: UserId, client: Client, tokens: TokenPair, *, at: datetime) -> LoginSession:
        """Store a new session with the first generation of its tokens. Raises `UnknownOwner`."""
        ...

    async def find(self, token: TokenHash) -> PresentedToken | None:
        """By any of its tokens, with its user: one statement."""
        ...

    async def get(self, session_id: LoginSessionId) -> LoginSession:
        """Raises `LoginSessionNotFound`."""
        ...

    async def list_of(self, user_id: UserId, *, at: datetime) -> list[LoginSession]:
        """Those that have not expired `at` that time, the newest first."""
        ...

    async def rotate(self, presented: PresentedToken, tokens: TokenPair, *, at: datetime) -> None:
        """Begin the next generation, and forget the session's tokens that expired more than a day before.

        One UPDATE decides who of several does it: `Conflict` for the others, and if the session has ended.
        """
        ...

    async def issue(self, presented: PresentedToken, tokens: TokenPair) -> None:
        """Add to the generation that the session was at when `presented` was found.

        Raises `Conflict` if the session has ended.
        """
        ...

    async def end(self, session_id: LoginSessionId) -> bool:
        """With all its tokens. Say whether there was such a session."""
        ...

    async def end_all_of(self, user_id: UserId, *, but: LoginSessionId | None = None) -> int:
        """Return how many there were."""
        ...

    async def make_room(self, user_id: UserId, *, keep: int, at: datetime) -> None:
        """End those of the user that were not refreshed for longest, so that `keep` remain, and delete a few of
        anybody's that have expired."""
        ...


class AttemptRepository(Protocol):
    async def count(self, windows: Mapping[CounterKey, datetime], *, at: datetime) -> list[Counter]:
        """Add one attempt to each counter, in one statement, and delete a few that have run out.

        A counter that is not there, or has run out, begins anew and resets at the given time. In the order given.
        """
        ...

    async def take_back(self, counted: Sequence[Counter]) -> None:
        """Take one from each counter that is still in the same window."""
        ...

    async def find(self, key: CounterKey, *, at: datetime) -> Counter | None:
        """None if it has run out."""
        ...


class IdempotencyKeyRepository(Protocol):
    async def claim(self, key: RequestKey, *, at: datetime, until: datetime) -> Remembered | None:
        """What is remembered for the key, unless it has expired `at` that time. Else None, and the key belongs to this
        unit: `remember` it until then, or it is as free as before when this unit has been rolled back.

        Never waits: raises `IdempotencyKeyInUse` if the key belongs to another unit. Raises `TokenRevoked` if the user
        is gone.
        """
        ...

    async def remember(self, key: RequestKey, answer: bytes, *, at: datetime) -> None:
        """The answer to the request whose key this unit has claimed. Deletes a few of anybody's that have expired.

        Raises `TokenRevoked` if the user is gone.
        """
        ...

    async def find(self, key: RequestKey, *, at: datetime) -> Remembered | None:
        """What is remembered, unless it has expired."""
        ...
