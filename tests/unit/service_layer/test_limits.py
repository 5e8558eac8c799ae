"""How attempts are counted: in memory, which the contract suite holds to the same as the databases."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest
from steward.adapters.memory import MemoryDatabase
from steward.domain.actors import Actor
from steward.domain.attempts import Counter, Limit
from steward.domain.errors import RateLimited
from steward.domain.users import Role, UserId
from steward.service_layer import limits as module
from steward.service_layer.limits import Attempt, Limits, Quotas, network_of
from steward.service_layer.retry import run
from steward.testing import Clock

HOUR = timedelta(hours=1)
NOBODY = Actor.anonymous()


def limits_of(quota: int = 3, *, account: int = 100, address: int = 100, secret: bytes = b"secret") -> Limits:
    def limit(name: str, quota: int) -> Limit:
        return Limit(name, quota, HOUR)

    quotas = Quotas(
        sign_in=limit("sign-in", quota),
        sign_in_account=limit("sign-in-account", account),
        sign_in_address=limit("sign-in-address", address),
        sign_up=limit("sign-up", quota),
        password=limit("password", quota),
        recipient=limit("recipient", quota),
    )
    return Limits(secret, quotas)


async def count(store: MemoryDatabase, attempts: Sequence[Attempt]) -> list[Counter]:
    return await run(store.unit_of_work(), module.count_attempts, NOBODY, attempts=attempts)


async def test_as_many_as_the_quota_pass_and_then_none_until_the_window_ends() -> None:
    clock = Clock()
    store, attempts = MemoryDatabase(clock=clock), limits_of(3).sign_up("192.0.2.1")
    for _ in range(3):
        await count(store, attempts)
        clock.advance(seconds=60)
    with pytest.raises(RateLimited) as refused:
        await count(store, attempts)
    assert (refused.value.limit, refused.value.quota, refused.value.window) == ("sign-up", 3, 3600)
    assert refused.value.retry_after == 3600 - 180
    clock.advance(seconds=3600 - 180 - 0.5)
    with pytest.raises(RateLimited) as refused:
        await count(store, attempts)
    assert refused.value.retry_after == 1, "never 0: that would be at once"
    clock.advance(seconds=0.5)
    assert [counter.count for counter in await count(store, attempts)] == [1]


async def test_of_many_at_once_no_more_than_the_quota_pass() -> None:
    store, attempts = MemoryDatabase(), limits_of(3).sign_in("ada", "192.0.2.1")
    outcomes = await asyncio.gather(*(count(store, attempts) for _ in range(20)), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes].count(list) == 3
    assert [type(outcome) for outcome in outcomes].count(RateLimited) == 17


async def test_who_is_refused_at_one_address_does_not_lock_the_account_for_all_others() -> None:
    store, limits = MemoryDatabase(), limits_of(3, account=5)
    for _ in range(20):
        await asyncio.gather(count(store, limits.sign_in("ada", "192.0.2.1")), return_exceptions=True)
    counters = await count(store, limits.sign_in("ada", "192.0.2.2"))
    assert [counter.count for counter in counters] == [1, 4, 1]


async def test_an_account_is_locked_everywhere_when_many_addresses_try() -> None:
    store, limits = MemoryDatabase(), limits_of(3, account=5)
    for host in range(5):
        await count(store, limits.sign_in("ada", f"192.0.2.{host}"))
    with pytest.raises(RateLimited) as refused:
        await count(store, limits.sign_in("ada", "192.0.2.99"))
    assert refused.value.limit == "sign-in-account"
    await count(store, limits.sign_in("bob", "192.0.2.99"))


async def test_an_address_that_tries_many_accounts_is_locked_for_all_of_them() -> None:
    store, limits = MemoryDatabase(), limits_of(3, address=5)
    for number in range(5):
        await count(store, limits.sign_in(f"user{number}", "192.0.2.1"))
    with pytest.raises(RateLimited) as refused:
        await count(store, limits.sign_in("ada", "192.0.2.1"))
    assert refused.value.limit == "sign-in-address"
    await count(store, limits.sign_in("ada", "192.0.2.2"))


async def test_what_is_taken_back_may_be_tried_again_and_no_more() -> None:
    store, attempts = MemoryDatabase(), limits_of(3).sign_in("ada", None)
    for _ in range(2):
        await count(store, attempts)
    counted = await count(store, attempts)
    await run(store.unit_of_work(), module.take_back_attempts, NOBODY, counted=counted)
    await count(store, attempts)
    with pytest.raises(RateLimited):
        await count(store, attempts)


async def test_what_was_counted_in_a_window_that_has_ended_is_not_taken_back_from_the_next() -> None:
    clock = Clock()
    store, attempts = MemoryDatabase(clock=clock), limits_of(3).sign_up(None)
    counted = await count(store, attempts)
    clock.advance(HOUR)
    await count(store, attempts)
    await run(store.unit_of_work(), module.take_back_attempts, NOBODY, counted=counted)
    assert [counter.count for counter in await count(store, attempts)] == [2]


async def test_a_look_whether_one_more_may_be_made_counts_nothing() -> None:
    store, attempts = MemoryDatabase(), limits_of(2).recipient(Actor(UserId(1), Role.MEMBER))
    uow = store.unit_of_work()
    for _ in range(5):
        await module.refuse_beyond_limit(uow, NOBODY, attempts=attempts)
    for _ in range(2):
        await count(store, attempts)
    with pytest.raises(RateLimited):
        await module.refuse_beyond_limit(uow, NOBODY, attempts=attempts)


async def test_where_nothing_is_limited_nothing_is_written() -> None:
    off = Limits(b"secret", None)
    assert off.sign_in("ada", "192.0.2.1") == off.sign_up("192.0.2.1") == off.password(UserId(1)) == []
    assert off.recipient(Actor(UserId(1), Role.MEMBER)) == limits_of().recipient(Actor.system()) == []


def test_a_name_in_another_case_or_composition_has_the_same_key() -> None:
    limits = limits_of()
    assert limits.sign_in("ADÀ", None) == limits.sign_in("adà", None) == limits.sign_in("ada\u0300", None)
    assert limits.sign_in("ada", None) != limits.sign_in("bob", None)


def test_a_key_tells_nothing_without_the_secret_and_no_two_subjects_share_one() -> None:
    attempts = limits_of().sign_in("ada", "192.0.2.1")
    keys = {attempt.key for attempt in attempts}
    assert len(keys) == 3
    assert all(len(key) == 32 for key in keys)
    assert keys.isdisjoint(attempt.key for attempt in limits_of(secret=b"other").sign_in("ada", "192.0.2.1"))
    assert limits_of().sign_in("ada1", "92.0.2.1")[0] != limits_of().sign_in("ada", "192.0.2.1")[0]
    assert limits_of().password(UserId(1))[0].key != limits_of().recipient(Actor(UserId(1), Role.MEMBER))[0].key


def test_names_that_no_database_could_store_have_keys_too() -> None:
    assert len({attempt.key for name in ("\0", "\ud800", "") for attempt in limits_of().sign_in(name, None)[:1]}) == 3


@pytest.mark.parametrize(
    ("address", "network"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:0DB8:0001:0002::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("a socket", "a socket"),
        ("", ""),
        (None, ""),
    ],
)
def test_an_ipv6_address_counts_as_its_64_network(address: str | None, network: str) -> None:
    assert network_of(address) == network
