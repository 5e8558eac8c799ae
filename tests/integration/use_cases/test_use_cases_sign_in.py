"""Signing in with a password, and its limits, in every backend."""

import asyncio
from contextvars import Context

import pytest
from steward.adapters.memory import MemoryDatabase
from steward.domain.errors import DeadlineExceeded, InvalidCredentials, Overloaded, RateLimited
from steward.service_layer import deadline, users
from steward.service_layer.accounts import Accounts
from steward.testing import Clock, FastHasher

from tests.support.given import SYSTEM, Store, given_user
from tests.support.signed_in import refreshed, who_is

from .accounts import (
    HERE,
    HOUR,
    PASSWORD,
    THERE,
    WRONG,
    FullHasher,
    SlowHasher,
    accounts_with,
    given_account,
    sign_in,
)


async def refused(store: Store, accounts: Accounts, username: str, *, address: str | None = HERE) -> None:
    """A wrong password, which is looked at."""
    with pytest.raises(InvalidCredentials):
        await sign_in(store, accounts, username, address=address)


async def limited(store: Store, accounts: Accounts, username: str, *, address: str | None = HERE) -> RateLimited:
    """The right password, which is not even looked at."""
    with pytest.raises(RateLimited) as caught:
        await sign_in(store, accounts, username, PASSWORD, address=address)
    return caught.value


async def test_the_name_or_the_address_and_the_password_begin_a_session(store: Store) -> None:
    ada = await given_account(store, "ada")
    for name in ["ada", "ADA", "ａｄａ", "ada@example.org", "ADA@Example.ORG"]:
        tokens = await sign_in(store, accounts_with(FastHasher()), name, PASSWORD)
        assert (await who_is(store, tokens)).user_id == ada.id


OTHER_PASSWORDS: list[str] = ["", PASSWORD + " ", PASSWORD.upper(), "\ud800", "x" * 10_000, "\0"]


async def test_another_password_begins_none(store: Store) -> None:
    await given_account(store, "ada")
    for password in OTHER_PASSWORDS:
        hasher = FastHasher()
        with pytest.raises(InvalidCredentials):
            await sign_in(store, accounts_with(hasher), "ada", password)
        assert hasher.costs == [1]


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("ada", WRONG),
        ("ada@example.org", WRONG),
        ("nobody", PASSWORD),
        ("nobody@example.org", PASSWORD),
        ("inactive", PASSWORD),
        ("inactive", WRONG),
        ("without", PASSWORD),
        ("", PASSWORD),
        ("' OR 1=1 --", PASSWORD),
        ("x" * 254, PASSWORD),
    ],
    ids=lambda text: ascii(text[:20]),
)
async def test_every_refusal_is_the_same_and_costs_one_hash(store: Store, name: str, password: str) -> None:
    """With the parameters of a sign-in that succeeds, so that its time tells nothing."""
    await given_account(store, "ada")
    await given_account(store, "inactive", is_active=False)
    await given_user(store, "without")
    hasher = FastHasher()
    with pytest.raises(InvalidCredentials) as caught:
        await sign_in(store, accounts_with(hasher), name, password)
    assert str(caught.value) == str(InvalidCredentials())
    assert hasher.costs == [1]
    await sign_in(store, accounts_with(hasher), "ada", PASSWORD)
    assert hasher.costs == [1, 1]


async def test_a_hash_made_with_other_parameters_is_made_anew(store: Store) -> None:
    ada = await given_account(store, "ada")
    dearer = FastHasher(cost=2)
    await refused(store, accounts_with(dearer), "ada")
    assert (await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)) == ada
    await sign_in(store, accounts_with(dearer), "ada", PASSWORD)
    now = await users.get_user(store.unit_of_work(), SYSTEM, user_id=ada.id)
    assert now.password_hash == await dearer.hash(PASSWORD)
    await sign_in(store, accounts_with(dearer), "ada", PASSWORD)


# Limits


async def test_of_parallel_guesses_no_more_than_the_quota_are_looked_at(store: Store) -> None:
    await given_account(store, "ada")
    hasher = FastHasher()
    accounts = accounts_with(hasher, sign_in=10)
    guesses = [
        asyncio.create_task(sign_in(store, accounts, "ada", f"guess {number}"), context=Context())
        for number in range(50)
    ]
    outcomes = await asyncio.gather(*guesses, return_exceptions=True)
    kinds = [type(outcome) for outcome in outcomes]
    assert (kinds.count(InvalidCredentials), kinds.count(RateLimited)) == (10, 40)
    assert hasher.calls == 10


async def test_beyond_the_limit_even_the_right_password_is_not_looked_at(store: Store, clock: Clock) -> None:
    await given_account(store, "ada")
    hasher = FastHasher()
    accounts = accounts_with(hasher, sign_in=2)
    for _ in range(2):
        await refused(store, accounts, "ada")
    clock.advance(seconds=60.5)
    error = await limited(store, accounts, "ada")
    assert (error.limit, error.quota, error.window, error.retry_after) == ("sign-in", 2, 3600, 3540)
    assert hasher.calls == 2
    clock.advance(HOUR)
    await sign_in(store, accounts, "ada", PASSWORD)


async def test_the_open_sessions_of_a_locked_account_go_on(store: Store) -> None:
    await given_account(store, "ada")
    accounts = accounts_with(FastHasher(), sign_in=1)
    tokens = await sign_in(store, accounts, "ada", PASSWORD)
    await refused(store, accounts, "ada")
    await limited(store, accounts, "ada")
    await who_is(store, tokens)
    await refreshed(store, tokens)


async def test_a_success_takes_its_own_count_back_and_no_others(store: Store) -> None:
    await given_account(store, "ada")
    accounts = accounts_with(FastHasher(), sign_in=2, of_account=2, of_address=2)
    await refused(store, accounts, "ada")
    for _ in range(4):
        await sign_in(store, accounts, "ada", PASSWORD)
    await refused(store, accounts, "ada")
    await limited(store, accounts, "ada")


async def test_an_attempt_that_could_not_be_made_counts_for_nothing(store: Store) -> None:
    await given_account(store, "ada")
    for _ in range(3):
        with pytest.raises(Overloaded):
            await sign_in(store, accounts_with(FullHasher(), sign_in=1), "ada", PASSWORD)
    accounts = accounts_with(FastHasher(), sign_in=1)
    await refused(store, accounts, "ada")
    await limited(store, accounts, "ada")


async def test_an_attempt_that_was_late_counts_for_nothing(store: Store) -> None:
    await given_account(store, "ada")
    hasher = SlowHasher()
    late = asyncio.create_task(sign_in(store, accounts_with(hasher, sign_in=1), "ada", PASSWORD))
    await hasher.began.wait()
    late.cancel()  # as a deadline does
    with pytest.raises(asyncio.CancelledError):
        await late
    accounts = accounts_with(FastHasher(), sign_in=1)
    await refused(store, accounts, "ada")
    await limited(store, accounts, "ada")


async def test_after_the_deadline_there_is_time_to_take_an_attempt_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deadline, "LONGEST_RESERVE", 30.0)  # seconds, of which a busy machine may need some
    monkeypatch.setattr(deadline, "RESERVE", 1.0)
    store = MemoryDatabase()
    await given_account(store, "ada")
    with pytest.raises(DeadlineExceeded):
        async with deadline.within(61.0):
            await sign_in(store, accounts_with(SlowHasher(), sign_in=1), "ada", PASSWORD)
    await refused(store, accounts_with(FastHasher(), sign_in=1), "ada")


@pytest.mark.parametrize("there", ["ada", "nobody"])
async def test_one_address_and_one_account_have_a_limit_together(store: Store, there: str) -> None:
    await given_account(store, "ada")
    await given_account(store, "bob")
    accounts = accounts_with(FastHasher(), sign_in=1)
    await refused(store, accounts, there)
    assert (await limited(store, accounts, there)).limit == "sign-in"
    await refused(store, accounts, there, address=THERE)
    await sign_in(store, accounts, "bob", PASSWORD)


async def test_an_account_has_a_limit_wherever_the_guesses_come_from(store: Store) -> None:
    await given_account(store, "ada")
    await given_account(store, "bob")
    accounts = accounts_with(FastHasher(), of_account=3)
    for number in range(3):
        await refused(store, accounts, "ada", address=f"192.0.2.{number}")
    assert (await limited(store, accounts, "ada", address=THERE)).limit == "sign-in-account"
    await sign_in(store, accounts, "bob", PASSWORD, address=THERE)


async def test_an_address_has_a_limit_whomever_its_guesses_are_about(store: Store) -> None:
    await given_account(store, "ada")
    accounts = accounts_with(FastHasher(), of_address=3)
    for name in ("bob", "eve", "mallory"):
        await refused(store, accounts, name)
    assert (await limited(store, accounts, "ada")).limit == "sign-in-address"
    await sign_in(store, accounts, "ada", PASSWORD, address=THERE)


async def test_what_one_limit_has_refused_uses_up_no_other(store: Store) -> None:
    """Else one address alone could lock an account for everybody, by going on after its own 429."""
    await given_account(store, "ada")
    accounts = accounts_with(FastHasher(), sign_in=1, of_account=3, of_address=3)
    await refused(store, accounts, "ada")
    for _ in range(5):
        assert (await limited(store, accounts, "ada")).limit == "sign-in"
    await sign_in(store, accounts, "ada", PASSWORD, address=THERE)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada", "ada@example.org"),
        ("ADA@example.org", "ａｄａ"),
        ("nobody", "NOBODY"),
        ("ghost@example.org", "GHOST@example.org"),
        ("straße", "STRASSE"),
    ],
)
async def test_names_of_one_account_share_its_counters_whether_it_exists_or_not(
    store: Store, one: str, other: str
) -> None:
    await given_account(store, "ada")
    accounts = accounts_with(FastHasher(), sign_in=1)
    await refused(store, accounts, one)
    await limited(store, accounts, other)


@pytest.mark.parametrize(
    ("one", "other", "is_the_same"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        (None, None, True),
        (None, "192.0.2.1", False),
    ],
)
async def test_addresses_count_as_one_if_one_subscriber_has_them(
    store: Store, one: str | None, other: str | None, is_the_same: bool
) -> None:
    await given_account(store, "ada")
    accounts = accounts_with(FastHasher(), of_address=1)
    await refused(store, accounts, "bob", address=one)
    if is_the_same:
        await limited(store, accounts, "ada", address=other)
    else:
        await sign_in(store, accounts, "ada", PASSWORD, address=other)
