"""The request body of `/items/batch`, and its answer."""

from typing import Annotated, Any, ClassVar, Literal, LiteralString

from pydantic import BaseModel, ConfigDict, Field, PlainValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from ...domain.batch_operations import CreateItem, DeleteItem, Operation, TransferItem, UpdateItem
from ...domain.errors import InvalidValue, OperationFailed
from ...domain.items import ItemId
from ...domain.users import MAX_ID
from ...service_layer.batch import MOST_OPERATIONS
from .problems.problem_responses import MOST_FAULTS, Fault, HttpProblem, pointer
from .requests.fields import JsonId
from .schemas import Body, ItemCreate, ItemPatch, TransferRequest, absent

Version = Annotated[int, Field(ge=1, le=MAX_ID, json_schema_extra={"format": "int64"})]


class CreateOperation(Body):
    fields_in: ClassVar = ("item",)

    op: Literal["create"]
    item: ItemCreate

    def as_operation(self) -> Operation:
        return CreateItem(**self.item.given())


class UpdateOperation(Body):
    """`version` is the one that the changes are made from: if the item has another one, they are refused."""

    fields_in: ClassVar = ("changes",)

    op: Literal["update"]
    id: JsonId
    version: Version = absent()
    changes: ItemPatch

    def as_operation(self) -> Operation:
        return UpdateItem(item_id=ItemId(self.id), version=self.given().get("version"), **self.changes.given())


class DeleteOperation(Body):
    """As to `version` see an update."""

    fields_in: ClassVar = ()

    op: Literal["delete"]
    id: JsonId
    version: Version = absent()

    def as_operation(self) -> Operation:
        return DeleteItem(item_id=ItemId(self.id), version=self.given().get("version"))


class TransferOperation(TransferRequest):
    """`to` is a username, a user's id, or another item, which takes the quantity up. Without `quantity`: all of it. As
    to `version` see an update."""

    fields_in: ClassVar = ()

    op: Literal["transfer"]
    id: JsonId
    version: Version = absent()

    def as_operation(self) -> Operation:
        return TransferItem(
            item_id=ItemId(self.id),
            version=self.given().get("version"),
            to=self.recipient(),
            quantity=self.given().get("quantity"),
        )


_Operation = CreateOperation | UpdateOperation | DeleteOperation | TransferOperation
_KINDS: dict[object, type[_Operation]] = {
    "create": CreateOperation,
    "update": UpdateOperation,
    "delete": DeleteOperation,
    "transfer": TransferOperation,
}
# The document says how they look; each is validated by itself, so that it can be told after how many faults to stop.
_Described = Annotated[
    list[Annotated[_Operation, Field(discriminator="op")]], Field(min_length=1, max_length=MOST_OPERATIONS)
]


def _validated(values: object) -> list[_Operation]:
    if not isinstance(values, list):
        raise PydanticCustomError("list_type", "This has to be a JSON array")
    if not values:
        raise PydanticCustomError("too_short", "At least 1 operation")
    if len(values) > MOST_OPERATIONS:
        raise PydanticCustomError("too_long", "At most {most} operations", {"most": MOST_OPERATIONS})
    found: list[_Operation] = []
    faults: list[InitErrorDetails] = []
    for index, value in enumerate(values):
        try:
            found.append(_validated_operation(value))
        except ValidationError as error:
            own = error.errors(include_url=False, include_input=False)
            faults += [_at(index, each) for each in own[: MOST_FAULTS + 1]]
            # A thousand operations can hold tens of thousands of faults, and to describe them would keep the server
            # busy: of more than are told, one is enough.
            if len(faults) > MOST_FAULTS:
                break
    if faults:
        raise ValidationError.from_exception_data("operations", faults, hide_input=True)
    return found


def _validated_operation(value: object) -> _Operation:
    if not isinstance(value, dict):
        raise _single_fault((), "dict_type", "This has to be a JSON object")
    if "op" not in value:
        raise _single_fault(("op",), "missing", "This is required")
    op = value["op"]
    if not isinstance(op, str) or op not in _KINDS:
        raise _single_fault(("op",), "unknown_operation", f"This has to be one of {', '.join(map(str, _KINDS))}")
    return _KINDS[op].model_validate(value)


def _single_fault(path: tuple[str, ...], code: LiteralString, detail: str) -> ValidationError:
    return ValidationError.from_exception_data("operation", [_fault(path, code, detail)], hide_input=True)


def _at(index: int, error: Any) -> InitErrorDetails:
    below = error.get("ctx", {}).get("below", ())  # see fields.rule
    return _fault((index, *error["loc"]), error["type"], error["msg"], below)


def _fault(path: tuple[str | int, ...], code: LiteralString, detail: str, below: Any = ()) -> InitErrorDetails:
    return {
        "type": PydanticCustomError(code, "{detail}", {"detail": detail, "below": below}),
        "loc": path,
        "input": None,
    }


class BatchRequest(Body):
    operations: Annotated[list[_Operation], PlainValidator(_validated, json_schema_input_type=_Described)]

    def as_operations(self) -> list[Operation]:
        return [each.as_operation() for each in self.operations]

    def problem(self, failed: OperationFailed) -> HttpProblem:
        """That of the operation, pointing at it, or at the field of it that is at fault."""
        error, path = failed.error, ("operations", failed.index)
        code, at_fault = error.code, pointer(path)
        if isinstance(error, InvalidValue):
            code, at_fault = error.rule, pointer((*path, *self.operations[failed.index].fields_in, *error.path))
        return HttpProblem(error.code, str(failed), faults=[Fault("pointer", at_fault, code, str(error))])


class ResultOut(BaseModel):
    """The item that the operation was about, and its version afterwards, which is null if it has been deleted.

    `received_id` is there where a transfer has split an item: it is the new one, which is the recipient's.
    """

    model_config = ConfigDict(title="Result")

    op: Literal["create", "update", "delete", "transfer"]
    id: JsonId
    version: int | None
    received_id: JsonId = absent()


class BatchOut(BaseModel):
    """In the order of the operations."""

    model_config = ConfigDict(title="Batch")

    results: list[ResultOut]
