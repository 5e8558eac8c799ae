"""Argon2id in threads of its own."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from pwdlib import PasswordHash as Algorithms
from pwdlib.hashers.argon2 import Argon2Hasher as Argon2

from ..domain.users import PasswordHash
from ..service_layer.hashing import check_password


class Argon2Hasher:
    """RFC 9106. `memory` is in KiB. Threads are made when the first password is hashed; `close` ends them."""

    def __init__(self, *, memory: int, iterations: int, parallelism: int, threads: int) -> None:
        self._algorithms = Algorithms((Argon2(time_cost=iterations, memory_cost=memory, parallelism=parallelism),))
        # Not the loop's default pool: a rush of sign-ups must not hold up everything else that uses threads.
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="steward-hashing")

    async def hash(self, password: str) -> PasswordHash:
        """Raises `InvalidValue` for a password that is too short or too long."""
        checked = check_password(password)
        hashed = await asyncio.get_running_loop().run_in_executor(self._threads, self._algorithms.hash, checked)
        return PasswordHash(hashed)

    def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
