"""Tokens: opaque, random, and known to the database by their hashes alone.

    stwa_8q3…(43 characters)…Zk_1x9cQ2A
    └──┘ └─────────────────┘    └─────┘
    kind 256 random bits        CRC-32 of what stands before it

The checksum keeps rubbish, a token that was cut off when it was copied, from the database; it keeps no secret. The
prefix lets scanners find tokens where they should not be, and tells an access token from a refresh token at once.
"""

import base64
import hashlib
import secrets
import zlib
from dataclasses import dataclass, field
from datetime import datetime

from ..domain.login_sessions import Lifetimes, TokenHash, TokenKind, TokenPair

_PREFIXES = {TokenKind.ACCESS: "stwa_", TokenKind.REFRESH: "stwr_"}
_RANDOM_BYTES = 32
_LENGTH = len("stwa_") + 43 + 6


@dataclass(frozen=True, slots=True)
class Tokens:
    """The two that are given out together: their texts, which nobody keeps but the client."""

    access: str = field(repr=False)
    refresh: str = field(repr=False)

    @classmethod
    def draw(cls) -> "Tokens":
        return cls(_draw(TokenKind.ACCESS), _draw(TokenKind.REFRESH))

    def stored(self, lifetimes: Lifetimes, *, at: datetime) -> TokenPair:
        """What the database keeps of them, if they are given out `at` that time."""
        return TokenPair(
            access=_hash(self.access),
            access_expires_at=at + lifetimes.access,
            refresh=_hash(self.refresh),
            refresh_expires_at=at + lifetimes.refresh,
        )


def hash_of(text: str, kind: TokenKind) -> TokenHash | None:
    """None for what cannot be a token of this kind."""
    if len(text) != _LENGTH or not text.isascii() or not text.startswith(_PREFIXES[kind]):
        return None
    if _checksum(text[:-6]) != text[-6:]:
        return None
    return _hash(text)


def _draw(kind: TokenKind) -> str:
    body = _PREFIXES[kind] + _text(secrets.token_bytes(_RANDOM_BYTES))
    return body + _checksum(body)


def _checksum(body: str) -> str:
    return _text(zlib.crc32(body.encode()).to_bytes(4))


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _hash(text: str) -> TokenHash:
    return TokenHash(hashlib.sha256(text.encode()).digest())
