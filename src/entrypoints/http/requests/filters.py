"""What the lists over HTTP may be narrowed to and sorted by."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import Depends, Query
from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from ....domain.filters import ITEM_SORT_FIELDS, USER_SORT_FIELDS, check_search, check_time
from ....domain.items import MAX_QUANTITY, check_quantity
from ....domain.pages import Sort
from ....domain.users import Role
from .fields import AS_WRITTEN_IN_JSON, BOOLEAN_AS_WRITTEN_IN_JSON, Name, rule

# RFC 3339 section 5.6. The fraction is apart, because it may be finer than a microsecond.
_TIME = re.compile(r"(\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII)
_OFFSET_AFTER_A_BLANK = re.compile(r"[0-9.] \d\d:\d\d", re.ASCII)


def _parse_time(value: object) -> object:
    if not isinstance(value, str):
        return value
    if _OFFSET_AFTER_A_BLANK.fullmatch(value[-7:]):
        raise PydanticCustomError(
            "datetime_parsing", "There is a blank where a '+' has to be: in a URL a '+' is written %2B"
        )
    if (parts := _TIME.fullmatch(value)) is None:
        raise _no_time()
    to_the_second, fraction, offset = parts.groups()
    if offset is None:
        raise PydanticCustomError("timezone_aware", "A time needs its offset from UTC, such as Z")
    try:
        time = datetime.fromisoformat(f"{to_the_second}.{(fraction or '0')[:6]:0<6}{offset}".upper())
        # Up: what is at or after a finer time is at or after the next microsecond, and what is before, before it.
        return time + timedelta(microseconds=1) if (fraction or "")[6:].strip("0") else time
    except (ValueError, OverflowError):
        raise _no_time() from None


def _no_time() -> PydanticCustomError:
    return PydanticCustomError("datetime_parsing", "A time is written as in RFC 3339, such as 2026-11-22T01:18:00Z")


def _by(fields: Mapping[str, type]) -> tuple[Any, ...]:
    names = "|".join(fields)
    return (
        # As the domain writes it, so that a cursor is good for every way to say the same.
        rule(lambda text: str(Sort.of(text, fields=fields))),
        Field(json_schema_extra={"pattern": f"^-?({names})(,-?({names}))*$"}),
        Query(
            description=f"By {', '.join(fields)}: one or several, separated by commas, each once; `-` before one for "
            "descending. Ties are broken by the id"
        ),
    )


ItemSort = Annotated[str, *_by(ITEM_SORT_FIELDS)]
UserSort = Annotated[str, *_by(USER_SORT_FIELDS)]

_Search = Annotated[str, rule(check_search), Field(json_schema_extra={"maxLength": 200})]
_Time = Annotated[datetime, BeforeValidator(_parse_time), rule(lambda time: check_time("time", time))]
_Quantity = Annotated[
    int,
    AS_WRITTEN_IN_JSON,
    rule(check_quantity),
    Field(json_schema_extra={"minimum": 0, "maximum": MAX_QUANTITY}),
]


async def which_items(
    name: Annotated[Name | None, Query(description="Of exactly this name")] = None,
    q: Annotated[
        _Search | None,
        Query(description="With this in the name or the description, in any case; no character stands for others"),
    ] = None,
    min_quantity: Annotated[_Quantity | None, Query(description="Of at least this quantity")] = None,
    max_quantity: Annotated[_Quantity | None, Query(description="Of at most this quantity")] = None,
    created_after: Annotated[_Time | None, Query(description="Created at this time or later")] = None,
    created_before: Annotated[_Time | None, Query(description="Created before this time")] = None,
) -> dict[str, Any]:
    """The filters that were given."""
    return _given(
        name=name,
        q=q,
        min_quantity=min_quantity,
        max_quantity=max_quantity,
        created_after=created_after,
        created_before=created_before,
    )


async def which_users(
    q: Annotated[
        _Search | None,
        Query(description="With this in the username or the e-mail address, in any case"),
    ] = None,
    role: Annotated[Literal["member", "admin"] | None, Query(description="Of this role")] = None,
    is_active: Annotated[
        Annotated[bool, BOOLEAN_AS_WRITTEN_IN_JSON] | None, Query(description="Active, or not active")
    ] = None,
) -> dict[str, Any]:
    """The filters that were given."""
    return _given(q=q, role=None if role is None else Role(role), is_active=is_active)


WhichItems = Annotated[dict[str, Any], Depends(which_items)]
WhichUsers = Annotated[dict[str, Any], Depends(which_users)]


def _given(**filters: object) -> dict[str, Any]:
    return {name: value for name, value in filters.items() if value is not None}
