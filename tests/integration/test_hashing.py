"""Argon2id: which passwords match, what each verification costs, and how many may wait."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from argon2 import Parameters, PasswordHasher, extract_parameters
from argon2.exceptions import HashingError, VerifyMismatchError
from argon2.low_level import Type, hash_secret, verify_secret
from steward.adapters.password_hashing import Argon2Hasher
from steward.domain.errors import InvalidValue, Overloaded
from steward.domain.users import PasswordHash
from steward.service_layer.hashing import Hasher, Verified

RIGHT = "correct horse"
# As weak as it can be, so that hashing takes no time.
TODAY = Parameters(Type.ID, 19, salt_len=16, hash_len=32, time_cost=2, memory_cost=16, parallelism=1)

UNREADABLE = [
    "",
    "not a hash",
    "fast$1$0123",
    "$2b$12$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZ01234",
    "$argon2id$v=19$m=16,t=2,p=1",
    "$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHRzYWx0",
    "$argon2id$v=19$m=16,t=2,p=1$c2FsdHNhbHRzYWx0$!!!!",
    "$argon2id$v=19$m=16,t=2,p=1$sältsältsält$c2FsdHNhbHRzYWx0",
    "$argon2id$v=19$m=1,t=2,p=1$c2FsdHNhbHRzYWx0$c2FsdHNhbHRzYWx0",
]


def hasher_of(*, memory: int = 16, iterations: int = 2, threads: int = 2, queue: int = 8) -> Argon2Hasher:
    return Argon2Hasher(memory=memory, iterations=iterations, parallelism=1, threads=threads, queue=queue)


@pytest.fixture
def hasher() -> Iterator[Argon2Hasher]:
    hasher = hasher_of()
    yield hasher
    hasher.close()


class Work:
    """What the Argon2 library was really asked to compute, in order; `gate` holds it up until it is set."""

    def __init__(self) -> None:
        self.done: list[Parameters] = []
        self.longest_secret = 0
        self.begun = threading.Semaphore(0)
        self.gate = threading.Event()
        self.gate.set()

    def hash_secret(self, *, secret: bytes, **parameters: object) -> bytes:
        self._begin(secret)
        encoded = hash_secret(secret=secret, **parameters)  # type: ignore[arg-type]
        self.done.append(extract_parameters(encoded.decode()))
        return encoded

    def verify_secret(self, hash: bytes, secret: bytes, type: Type) -> bool:
        self._begin(secret)
        try:
            matches = verify_secret(hash, secret, type)
        except VerifyMismatchError:
            self.done.append(extract_parameters(hash.decode()))
            raise
        self.done.append(extract_parameters(hash.decode()))
        return matches

    def _begin(self, secret: bytes) -> None:
        self.longest_secret = max(self.longest_secret, len(secret))
        self.begun.release()
        assert self.gate.wait(20)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    work = Work()
    monkeypatch.setattr("argon2._password_hasher.hash_secret", work.hash_secret)
    monkeypatch.setattr("argon2._password_hasher.verify_secret", work.verify_secret)
    yield work
    work.gate.set()


# What matches


async def test_the_right_password_matches_and_a_wrong_one_does_not(hasher: Hasher) -> None:
    stored = await hasher.hash(RIGHT)
    assert await hasher.verify(RIGHT, stored) == Verified(matches=True)
    assert await hasher.verify("Correct horse", stored) == Verified(matches=False)


async def test_a_hash_names_its_parameters_and_not_its_password(hasher: Hasher) -> None:
    stored = await hasher.hash(RIGHT)
    assert extract_parameters(stored.value) == TODAY
    assert RIGHT not in stored.value
    assert stored != await hasher.hash(RIGHT)


async def test_a_password_matches_exactly_as_it_was_typed(hasher: Hasher) -> None:
    stored = await hasher.hash("caf\u00e9 au lait ")
    assert not (await hasher.verify("cafe\u0301 au lait ", stored)).matches
    assert not (await hasher.verify("caf\u00e9 au lait", stored)).matches
    assert (await hasher.verify("caf\u00e9 au lait ", stored)).matches


async def test_the_longest_password_matches_whole(hasher: Hasher) -> None:
    stored = await hasher.hash("🐘" * 128)
    assert (await hasher.verify("🐘" * 128, stored)).matches
    assert not (await hasher.verify("🐘" * 127, stored)).matches
    assert not (await hasher.verify("🐘" * 129, stored)).matches


@pytest.mark.parametrize("old", ["password", "short", "line\nbreak"])
async def test_a_password_that_would_be_refused_today_still_matches(hasher: Hasher, old: str) -> None:
    stored = PasswordHash(PasswordHasher(2, 16, 1).hash(old))
    assert await hasher.verify(old, stored) == Verified(matches=True)
    with pytest.raises(InvalidValue):
        await hasher.hash(old)


@pytest.mark.parametrize("stored", [None, *UNREADABLE])
async def test_nothing_matches_where_there_is_no_readable_hash(hasher: Hasher, stored: str | None) -> None:
    against = None if stored is None else PasswordHash(stored)
    for password in ("", RIGHT, "x" * 1_000_000, "correct \ud800 horse"):
        assert await hasher.verify(password, against) == Verified(matches=False)


# What it costs


async def test_whatever_fails_takes_exactly_one_hash_with_the_same_parameters(hasher: Hasher, work: Work) -> None:
    stored = await hasher.hash(RIGHT)
    work.done.clear()
    for password, against in [
        ("wrong horse", stored),
        ("", stored),
        (RIGHT, None),
        ("", None),
        ("x" * 129, stored),
        ("x" * 129, None),
        ("correct \ud800 horse", stored),
        *((RIGHT, PasswordHash(unreadable)) for unreadable in UNREADABLE),
    ]:
        await hasher.verify(password, against)
        assert work.done == [TODAY], (password, against and against.value)
        work.done.clear()


async def test_the_right_password_takes_one_hash_too(hasher: Hasher, work: Work) -> None:
    stored = await hasher.hash(RIGHT)
    assert work.done == [TODAY]
    await hasher.verify(RIGHT, stored)
    assert work.done == [TODAY, TODAY]


async def test_a_megabyte_is_never_hashed(hasher: Hasher, work: Work) -> None:
    stored = await hasher.hash(RIGHT)
    await hasher.verify("🐘" * 250_000, stored)
    await hasher.verify("🐘" * 250_000, None)
    assert work.longest_secret <= 4 * 128


async def test_making_a_hasher_hashes_nothing(work: Work) -> None:
    hasher_of().close()
    assert work.done == []


# When the parameters have changed


@pytest.mark.parametrize("changed", [{"memory": 32}, {"iterations": 3}])
async def test_a_hash_with_other_parameters_still_matches_and_is_updated(
    hasher: Hasher, work: Work, changed: dict[str, int]
) -> None:
    newer = hasher_of(**changed)
    stored = await hasher.hash(RIGHT)
    verified = await newer.verify(RIGHT, stored)
    assert verified.matches
    assert verified.updated is not None
    assert extract_parameters(verified.updated.value) == work.done[-1] != TODAY
    assert await newer.verify(RIGHT, verified.updated) == Verified(matches=True)
    newer.close()


async def test_a_wrong_password_updates_nothing(hasher: Hasher, work: Work) -> None:
    newer = hasher_of(iterations=3)
    stored = await hasher.hash(RIGHT)
    assert await newer.verify("wrong horse", stored) == Verified(matches=False)
    assert work.done == [TODAY, TODAY]
    newer.close()


async def test_a_hash_of_another_variant_of_argon2_matches_and_is_updated(hasher: Hasher) -> None:
    stored = PasswordHash(PasswordHasher(2, 16, 1, type=Type.I).hash(RIGHT))
    verified = await hasher.verify(RIGHT, stored)
    assert verified.updated is not None
    assert extract_parameters(verified.updated.value) == TODAY


# How many may wait


async def begin() -> None:
    """Let the tasks that were created come to where only a thread can help them on."""
    await asyncio.sleep(0)


async def is_overloaded(hasher: Hasher) -> bool:
    """Told at once, or not at all."""
    task = asyncio.create_task(hasher.verify(RIGHT, None))
    await begin()
    return task.done() and isinstance(task.exception(), Overloaded)


async def test_no_more_than_its_threads_and_its_queue_hold_are_taken(work: Work) -> None:
    hasher = hasher_of(threads=2, queue=1)
    work.gate.clear()
    taken = [asyncio.create_task(hasher.verify(RIGHT, None)) for _ in range(3)]
    await begin()
    assert await is_overloaded(hasher)
    with pytest.raises(Overloaded):
        await hasher.hash(RIGHT)
    work.gate.set()
    await asyncio.gather(*taken)
    assert len(work.done) == 3
    assert not (await hasher.verify(RIGHT, None)).matches
    hasher.close()


async def test_what_is_refused_by_a_rule_is_refused_by_it_however_many_wait(work: Work) -> None:
    hasher = hasher_of(threads=1, queue=0)
    work.gate.clear()
    taken = asyncio.create_task(hasher.verify(RIGHT, None))
    await begin()
    with pytest.raises(InvalidValue):
        await hasher.hash("short")
    work.gate.set()
    await taken
    hasher.close()


async def test_a_hash_that_fails_gives_its_place_back() -> None:
    impossible = hasher_of(memory=1, threads=1, queue=0)
    for _ in range(3):
        with pytest.raises(HashingError):
            await impossible.hash(RIGHT)
    impossible.close()


async def test_who_is_cancelled_while_waiting_gives_the_place_back(work: Work) -> None:
    hasher = hasher_of(threads=1, queue=1)
    work.gate.clear()
    running = asyncio.create_task(hasher.verify(RIGHT, None))
    await asyncio.to_thread(work.begun.acquire)
    waiting = asyncio.create_task(hasher.verify(RIGHT, None))
    await begin()
    waiting.cancel()
    await asyncio.wait([waiting])
    next_one = asyncio.create_task(hasher.verify(RIGHT, None))
    await begin()
    assert not next_one.done()
    work.gate.set()
    await asyncio.gather(running, next_one)
    assert len(work.done) == 2, "what was cancelled before it began was hashed"
    hasher.close()


async def test_who_is_cancelled_while_a_thread_hashes_keeps_the_place_until_it_is_done(work: Work) -> None:
    hasher = hasher_of(threads=1, queue=1)
    work.gate.clear()
    running = asyncio.create_task(hasher.verify(RIGHT, None))
    await asyncio.to_thread(work.begun.acquire)
    waiting = asyncio.create_task(hasher.verify(RIGHT, None))
    await begin()
    running.cancel()
    await asyncio.wait([running])
    assert running.cancelled()
    assert await is_overloaded(hasher)
    work.gate.set()
    await waiting  # in the only thread, so the one that was cancelled is done
    again = [asyncio.create_task(hasher.verify(RIGHT, None)) for _ in range(2)]
    await asyncio.gather(*again)
    assert len(work.done) == 4
    hasher.close()
