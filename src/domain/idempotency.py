"""Idempotency keys: what was answered to a request is kept for its repetitions."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NewType

from .users import UserId

# 32 bytes, made of the caller and the key by whoever asks (an HMAC): neither is kept.
KeyHash = NewType("KeyHash", bytes)


@dataclass(frozen=True, slots=True)
class RequestKey:
    """A key as it came with a request. `fingerprint`, 32 bytes, is one and the same for one and the same request;
    `user_id` is the caller's, None for nobody in particular."""

    hash: KeyHash
    fingerprint: bytes = field(repr=False)
    user_id: UserId | None


@dataclass(frozen=True, slots=True)
class Remembered:
    """`answer` is as the caller wrote it down; what it means is not looked at."""

    fingerprint: bytes = field(repr=False)
    answer: bytes = field(repr=False)
    expires_at: datetime
