"""What goes over the wire: request bodies, and the shapes of the answers for the OpenAPI document."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag

from ...domain.items import MAX_QUANTITY, ItemId, Recipient, ToItem
from ...domain.partial import UNSET
from ...domain.users import UserId
from .requests.fields import (
    Attributes,
    AttributesPatch,
    CurrentPassword,
    Description,
    Email,
    JsonId,
    Line,
    Name,
    Password,
    Quantity,
    TransferQuantity,
    Username,
)

# In front of the names that pydantic puts into the path of an error for the members of a union: a noncharacter, so
# that no client's own member is taken for one.
UNION_TAG = "\ufdd0"


class Body(BaseModel):
    """Unknown members are refused: a misspelt field must not be dropped in silence."""

    model_config = ConfigDict(extra="forbid", strict=True, hide_input_in_errors=True)

    def given(self) -> dict[str, Any]:
        """What the client sent, and nothing else: absent is not null."""
        return {name: getattr(self, name) for name in self.model_fields_set}


def absent() -> Any:
    # A factory, because a default would stand in the schema as if a client could send it.
    return Field(default_factory=lambda: UNSET)


class UserCreate(Body):
    username: Username
    email: Email
    password: Password


class UserPatch(Body):
    """Absent members stay as they are."""

    username: Username = absent()
    email: Email = absent()
    role: Literal["member", "admin"] = absent()
    is_active: bool = absent()


class PasswordChange(Body):
    current_password: CurrentPassword
    new_password: Password


class ItemCreate(Body):
    """`owner_id` is for admins; everybody else owns what they create."""

    name: Name
    description: Description = None
    quantity: Quantity = 1
    attributes: Attributes = Field(default_factory=dict)
    owner_id: JsonId = absent()


class ItemPatch(Body):
    """Absent members stay as they are. `attributes` merge likewise: null takes a member away."""

    name: Name = absent()
    description: Description = absent()
    quantity: Quantity = absent()
    attributes: AttributesPatch = absent()


class ToUserId(Body):
    user_id: JsonId


class ToItemId(Body):
    item_id: JsonId


def _kind_of_recipient(value: object) -> str:
    if isinstance(value, dict):
        return UNION_TAG + ("item" if "item_id" in value else "user")
    return UNION_TAG + "username"


class TransferRequest(Body):
    """`to` is a username, a user's id, or another item, which takes the quantity up. Without `quantity`: all of it."""

    to: Annotated[
        Annotated[Line, Tag(UNION_TAG + "username")]
        | Annotated[ToUserId, Tag(UNION_TAG + "user")]
        | Annotated[ToItemId, Tag(UNION_TAG + "item")],
        Discriminator(_kind_of_recipient),
    ]
    quantity: TransferQuantity = absent()

    def recipient(self) -> Recipient:
        if isinstance(self.to, ToItemId):
            return ToItem(ItemId(self.to.item_id))
        if isinstance(self.to, ToUserId):
            return UserId(self.to.user_id)
        return self.to


class UserOut(BaseModel):
    model_config = ConfigDict(title="User")

    id: JsonId
    username: str
    email: str
    role: Literal["member", "admin"]
    is_active: bool
    created_at: datetime
    updated_at: datetime
    version: int


class OwnerOut(BaseModel):
    """What others may see of a user."""

    model_config = ConfigDict(title="Owner")

    id: JsonId
    username: str


class ItemOut(BaseModel):
    """`owner` is there with `?expand=owner` alone."""

    model_config = ConfigDict(title="Item")

    id: JsonId
    owner_id: JsonId
    name: str
    description: str | None
    quantity: Annotated[int, Field(ge=0, le=MAX_QUANTITY)]
    attributes: dict[str, Any]
    created_at: datetime
    updated_at: datetime
    version: int
    owner: OwnerOut = absent()


class UserPage(BaseModel):
    """`count` is there with `?count=true` alone."""

    data: list[UserOut]
    next_cursor: str | None
    count: Annotated[int, Field(ge=0)] = absent()


class ItemPage(BaseModel):
    """`count` is there with `?count=true` alone."""

    data: list[ItemOut]
    next_cursor: str | None
    count: Annotated[int, Field(ge=0)] = absent()


class TransferOut(BaseModel):
    """`item` is the giver's item afterwards, null if it went over whole; `received` is the recipient's."""

    item: ItemOut | None
    received: ItemOut


class ImportOut(BaseModel):
    """`created` is how many items there are more than before."""

    created: Annotated[int, Field(ge=0)]


class TokenOut(BaseModel):
    """RFC 6749 section 5.1. `expires_in` is the access token's time, in seconds."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str


class SessionOut(BaseModel):
    """`refreshed_at` is when its tokens were last exchanged; `current` is the one that asks."""

    model_config = ConfigDict(title="Session")

    id: JsonId
    created_at: datetime
    refreshed_at: datetime
    expires_at: datetime
    user_agent: str | None
    address: str | None
    current: bool


class SessionList(BaseModel):
    data: list[SessionOut]


class Health(BaseModel):
    status: Literal["ok"]


class FaultOut(BaseModel):
    """One of `pointer` (RFC 6901, into the body), `parameter` and `header` says where; with `line`, the pointer is into
    that line of the body."""

    code: str
    detail: str
    pointer: str = absent()
    line: Annotated[int, Field(ge=1)] = absent()
    parameter: str = absent()
    header: str = absent()


class ProblemOut(BaseModel):
    """RFC 9457. `code` is stable and meant for programs, `detail` is a sentence meant for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    instance: str
    request_id: str
    errors: list[FaultOut] = absent()
    # At /auth/token alone (RFC 6749 section 5.2).
    error: str = absent()
    error_description: str = absent()
