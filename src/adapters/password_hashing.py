"""Argon2id in threads of its own."""

import asyncio
import secrets
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any, TypeVar

from argon2 import DEFAULT_HASH_LENGTH, DEFAULT_RANDOM_SALT_LENGTH, PasswordHasher
from argon2.exceptions import VerificationError, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION
from pwdlib import PasswordHash as Algorithms
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher as Argon2

from ..domain.errors import Overloaded
from ..domain.users import PasswordHash
from ..service_layer.hashing import Verified, can_match, check_password

Result = TypeVar("Result")


class Argon2Hasher:
    """RFC 9106. `memory` is in KiB. Threads are made when the first password is hashed; `close` ends them.

    At most `threads` passwords are being hashed and `queue` are waiting: the next one is `Overloaded` at once, because
    whoever waits behind them would rather be told. `size`, `in_use`, `waiting` and `refused` tell how it stands.
    """

    def __init__(self, *, memory: int, iterations: int, parallelism: int, threads: int, queue: int = 64) -> None:
        self._algorithms = Algorithms((_Argon2(time_cost=iterations, memory_cost=memory, parallelism=parallelism),))
        self._parameters = f"m={memory},t={iterations},p={parallelism}"
        # Not the loop's default pool: a rush of sign-ups must not hold up everything else that uses threads.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="steward-hashing")
        self._slots = BoundedSemaphore(threads + queue)
        self._under_way: set[Future[Any]] = set()
        self.size = threads
        self.refused = 0

    @property
    def in_use(self) -> int:
        """How many passwords are being hashed."""
        return min(len(self._under_way), self.size)

    @property
    def waiting(self) -> int:
        """How many wait for a thread."""
        return max(len(self._under_way) - self.size, 0)

    async def hash(self, password: str) -> PasswordHash:
        """See the port."""
        checked = check_password(password)
        return PasswordHash(await self._in_a_thread(lambda: self._algorithms.hash(checked)))

    async def verify(self, password: str, against: PasswordHash | None) -> Verified:
        """See the port."""
        if against is None or not can_match(password):
            return await self._in_a_thread(self._verify_in_vain)
        stored = against.value
        return await self._in_a_thread(lambda: self._verify(password, stored))

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)

    async def _in_a_thread(self, job: Callable[[], Result]) -> Result:
        if not self._slots.acquire(blocking=False):
            self.refused += 1
            raise Overloaded("Too many passwords are being checked: try again in a moment")
        try:
            future = self._threads.submit(job)
        except BaseException:
            self._slots.release()
            raise
        self._under_way.add(future)
        # When the job is done, or was cancelled before it began: a thread that hashes for nobody is busy all the same.
        future.add_done_callback(self._free)
        return await asyncio.wrap_future(future)

    def _free(self, future: Future[Any]) -> None:
        self._under_way.discard(future)
        self._slots.release()

    def _verify(self, password: str, stored: str) -> Verified:
        try:
            matches, updated = self._algorithms.verify_and_update(password, stored)
        except UnknownHashError:
            return self._verify_in_vain()
        return Verified(matches, None if updated is None else PasswordHash(updated))

    def _verify_in_vain(self) -> Verified:
        """Costs what a wrong password costs: the parameters make the time. So the password itself, which may be a
        megabyte, is left out, and salt and digest are random: nothing was ever hashed to them.
        """
        salt, digest = _at_random(DEFAULT_RANDOM_SALT_LENGTH), _at_random(DEFAULT_HASH_LENGTH)
        self._algorithms.verify("", f"$argon2id$v={ARGON2_VERSION}${self._parameters}${salt}${digest}")
        return Verified(matches=False)


class _Argon2(Argon2):
    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        """As pwdlib's, but what cannot be read as a hash is an `UnknownHashError`, not a mismatch: it took no time."""
        try:
            return PasswordHasher().verify(hash, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, ValueError):  # a ValueError is a wrong beginning, or text that is not ASCII
            raise UnknownHashError(hash) from None


def _at_random(size: int) -> str:
    """`size` bytes in base64 without padding, as the encoded form of Argon2 has them."""
    return b64encode(secrets.token_bytes(size)).decode().rstrip("=")
