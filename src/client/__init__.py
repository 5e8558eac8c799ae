"""Steward over HTTP, typed: `Client`, and `AsyncClient` with the same methods to be awaited.

    with Client("http://127.0.0.1:8000") as client:
        client.sign_in("ada", "correct horse")
        box = client.items.create(name="Box", quantity=3)

It needs httpx2 (`pip install 'steward[client]'`) and nothing of the server.
"""

from importlib.util import find_spec

if find_spec("httpx2") is None:
    raise ModuleNotFoundError("steward.client needs httpx2: pip install 'steward[client]'", name="httpx2")

from .aio import AsyncClient
from .batches import Batch
from .blocking import Client
from .conversation import Retries
from .errors import (
    ConnectionFailed,
    EmailTaken,
    Fault,
    Forbidden,
    InsufficientQuantity,
    InvalidCredentials,
    InvalidRequest,
    LastAdmin,
    NotAuthenticated,
    NotFound,
    OutcomeUnknown,
    PreconditionRequired,
    ProblemError,
    QuantityOverflow,
    RateLimited,
    Refused,
    StewardError,
    Unavailable,
    UnexpectedAnswer,
    UsernameTaken,
    UserOwnsItems,
    VersionMismatch,
)
from .lists import AsyncListing, Listing
from .values import UNSET, BatchResult, Item, NewItem, Owner, Page, Session, ToItem, ToUser, Transfer, Unset, User

__all__ = [
    "UNSET",
    "AsyncClient",
    "AsyncListing",
    "Batch",
    "BatchResult",
    "Client",
    "ConnectionFailed",
    "EmailTaken",
    "Fault",
    "Forbidden",
    "InsufficientQuantity",
    "InvalidCredentials",
    "InvalidRequest",
    "Item",
    "LastAdmin",
    "Listing",
    "NewItem",
    "NotAuthenticated",
    "NotFound",
    "OutcomeUnknown",
    "Owner",
    "Page",
    "PreconditionRequired",
    "ProblemError",
    "QuantityOverflow",
    "RateLimited",
    "Refused",
    "Retries",
    "Session",
    "StewardError",
    "ToItem",
    "ToUser",
    "Transfer",
    "Unavailable",
    "UnexpectedAnswer",
    "Unset",
    "User",
    "UserOwnsItems",
    "UsernameTaken",
    "VersionMismatch",
]
