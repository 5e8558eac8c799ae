"""Parameter and field types: the domain's rules, as pydantic and the OpenAPI document want them."""

import re
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from ....domain import attributes, items, users
from ....domain.errors import InvalidValue
from ....domain.text import check_text
from ....service_layer.hashing import check_password

_INTEGER = re.compile(r"0|-?[1-9][0-9]{0,18}")
_LEAST_INT64 = -users.MAX_ID - 1
_ID = re.compile(r"[1-9][0-9]{0,18}")
_ID_SCHEMA = {"type": "integer", "format": "int64", "minimum": 1, "maximum": users.MAX_ID}


def rule(check: Callable[[Any], Any]) -> AfterValidator:
    """A rule of the domain, so that a request's faults are all found before a use case is called."""

    def checked(value: Any) -> Any:
        try:
            return check(value)
        except InvalidValue as error:
            # pydantic knows the way to the field; what lies below it is told on the side.
            raise PydanticCustomError(
                error.rule,  # pyright: ignore[reportArgumentType] - literals all of them, as pydantic wants it
                "{detail}",
                {"detail": str(error), "below": error.path[1:]},
            ) from None

    return AfterValidator(checked)


def _check_attributes_patch(patch: dict[str, Any]) -> dict[str, Any]:
    # On nothing: what it adds has to fit, while what it takes away may be named at any length.
    attributes.patch_attributes({}, patch)
    return patch


def _parse_id(value: object) -> object:
    if isinstance(value, str):
        if not _ID.fullmatch(value) or int(value) > users.MAX_ID:
            raise PydanticCustomError("id", "An id is an integer from 1 to 9223372036854775807")
        return int(value)
    return value


def _parse_id_or_me(value: object) -> object:
    return None if value == "me" else _parse_id(value)


def _parse_integer(value: object) -> object:
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value) or not _LEAST_INT64 <= int(value) <= users.MAX_ID:
            raise PydanticCustomError("int_parsing", "This has to be an integer")
        return int(value)
    return value


def _parse_boolean(value: object) -> object:
    if isinstance(value, str):
        if value not in ("true", "false"):
            raise PydanticCustomError("bool_parsing", "This has to be true or false")
        return value == "true"
    return value


def line(most: int) -> AfterValidator:
    """For text that has no other rule, such as a name that is looked up: one line of at most `most` characters."""
    return rule(lambda text: check_text("text", text, least=0, most=most))


# In a path or a query all is text. One spelling for each number, while pydantic takes `+1`, `1_0` and ` 1.0` too.
AS_WRITTEN_IN_JSON = BeforeValidator(_parse_integer)
BOOLEAN_AS_WRITTEN_IN_JSON = BeforeValidator(_parse_boolean)
TextId = Annotated[int, BeforeValidator(_parse_id), WithJsonSchema(_ID_SCHEMA)]
UserIdOrMe = Annotated[
    int | None,
    BeforeValidator(_parse_id_or_me),
    WithJsonSchema({"anyOf": [_ID_SCHEMA, {"type": "string", "const": "me"}]}),
]
# Four times as long as a username, whose normal form may be shorter than what was typed (see `check_username`).
Line = Annotated[str, line(256), Field(json_schema_extra={"maxLength": 256})]
# In a JSON body.
JsonId = Annotated[int, Field(strict=True, ge=1, le=users.MAX_ID, json_schema_extra={"format": "int64"})]

Username = Annotated[str, rule(users.check_username), Field(json_schema_extra={"minLength": 3, "maxLength": 64})]
Email = Annotated[
    str,
    rule(users.check_email),
    Field(json_schema_extra={"minLength": 3, "maxLength": 254}),
]
Password = Annotated[
    str,
    rule(check_password),
    Field(json_schema_extra={"minLength": 8, "maxLength": 128, "format": "password"}, repr=False),
]
# Not by today's rules, which may be stricter than those of the day when it was chosen.
CurrentPassword = Annotated[
    str,
    rule(lambda given: check_text("current_password", given, least=1, most=128)),
    Field(json_schema_extra={"minLength": 1, "maxLength": 128, "format": "password"}, repr=False),
]
Name = Annotated[str, rule(items.check_name), Field(json_schema_extra={"minLength": 1, "maxLength": 200})]
Description = Annotated[str | None, rule(items.check_description), Field(json_schema_extra={"maxLength": 10_000})]
Quantity = Annotated[
    int,
    rule(items.check_quantity),
    Field(json_schema_extra={"minimum": 0, "maximum": items.MAX_QUANTITY}),
]
TransferQuantity = Annotated[
    int,
    rule(lambda quantity: items.check_quantity(quantity, least=1)),
    Field(json_schema_extra={"minimum": 1, "maximum": items.MAX_QUANTITY}),
]
Attributes = Annotated[dict[str, Any], rule(attributes.check_attributes)]
AttributesPatch = Annotated[dict[str, Any], rule(_check_attributes_patch)]
