"""Limits on attempts: what is limited, for whom, and how an attempt is counted.

An attempt is counted, and the count committed, before it is made: of many parallel guesses no more than the quota get
through. Names and addresses are kept as HMACs alone.
"""

import hmac
import ipaddress
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from ..domain.actors import Actor
from ..domain.attempts import Counter, CounterKey, Limit
from ..domain.errors import RateLimited
from ..domain.users import UserId, email_key, username_key
from .tally import tallied
from .unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Attempt:
    """One count against one limit."""

    limit: Limit
    key: CounterKey


@dataclass(frozen=True, slots=True)
class Quotas:
    """None of them where nothing is limited."""

    sign_in: Limit
    sign_in_account: Limit
    sign_in_address: Limit
    sign_up: Limit
    password: Limit
    recipient: Limit


class Limits:
    """What counts against which limits. `secret` is the server's: all processes on one database have the same."""

    def __init__(self, secret: bytes, quotas: Quotas | None) -> None:
        self._secret = hmac.digest(secret, b"steward attempt counters", "sha256")
        self._quotas = quotas

    def sign_in(self, account: str, address: str | None) -> list[Attempt]:
        """`account` is the username, or, where there is none such, what was given for it."""
        if self._quotas is None:
            return []
        # By the key that it is looked up by: if other spellings shared a counter with an address that nobody has, and
        # not with one that somebody has, they would tell which is which.
        key = ("email", email_key(account)) if "@" in account else ("username", username_key(account))
        network = network_of(address)
        return [
            self._attempt(self._quotas.sign_in, *key, network),
            self._attempt(self._quotas.sign_in_account, *key),
            self._attempt(self._quotas.sign_in_address, network),
        ]

    def sign_up(self, address: str | None) -> list[Attempt]:
        return [] if self._quotas is None else [self._attempt(self._quotas.sign_up, network_of(address))]

    def password(self, user_id: UserId) -> list[Attempt]:
        return [] if self._quotas is None else [self._attempt(self._quotas.password, str(user_id))]

    def recipient(self, actor: Actor) -> list[Attempt]:
        """Admins, who see everybody, are not limited."""
        if self._quotas is None or actor.is_admin:
            return []
        return [self._attempt(self._quotas.recipient, str(actor.user_id))]

    def _attempt(self, limit: Limit, *subject: str) -> Attempt:
        # With its length before each part, so that no two subjects are written alike.
        text = "".join(f"{len(part)}:{part}" for part in (limit.name, *subject))
        return Attempt(limit, CounterKey(hmac.digest(self._secret, text.encode("utf-8", "surrogatepass"), "sha256")))


async def count_attempts(uow: UnitOfWork, actor: Actor, *, attempts: Sequence[Attempt]) -> list[Counter]:
    """Count them, committed when this returns. Raises `RateLimited`, and then none is counted: an attempt that one
    limit refuses is not made, so whoever is beyond the one of an address cannot use up that of an account."""
    if not attempts:
        return []
    async with uow:
        now = uow.now
        counters = await uow.attempts.count({each.key: now + each.limit.window for each in attempts}, at=now)
        for attempt, counter in zip(attempts, counters, strict=True):
            if counter.count > attempt.limit.quota:
                raise _limited(attempt.limit, counter, now)
        with tallied():  # apart: a count is nothing that the caller wants stored
            await uow.commit()
    return counters


async def take_back_attempts(uow: UnitOfWork, actor: Actor, *, counted: Sequence[Counter]) -> None:
    """What was counted did not come to an attempt, or to a right one."""
    if not counted:
        return
    async with uow:
        await uow.attempts.take_back(counted)
        with tallied():
            await uow.commit()


async def refuse_beyond_limit(uow: UnitOfWork, actor: Actor, *, attempts: Sequence[Attempt]) -> None:
    """Raises `RateLimited` if no further attempt may be made; counts nothing."""
    async with uow.reading():
        for attempt in attempts:
            counter = await uow.attempts.find(attempt.key, at=uow.now)
            if counter is not None and counter.count >= attempt.limit.quota:
                raise _limited(attempt.limit, counter, uow.now)


def network_of(address: str | None) -> str:
    """An IPv4 address, or the /64 of an IPv6 one: whoever has one address there has them all (RFC 6177 section 2)."""
    try:
        ip = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)


def _limited(limit: Limit, counter: Counter, now: datetime) -> RateLimited:
    return RateLimited(
        limit=limit.name,
        quota=limit.quota,
        window=int(limit.window.total_seconds()),
        retry_after=max(1, math.ceil((counter.resets_at - now).total_seconds())),
    )
