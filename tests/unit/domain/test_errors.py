"""The tree of errors: what is drawn is what there is."""

import copy
import inspect
import pickle
import re
from collections import Counter
from collections.abc import Iterator

import pytest
from steward.domain import errors
from steward.domain.errors import (
    Conflict,
    InsufficientQuantity,
    InvalidValue,
    ItemNotFound,
    StewardError,
    UnknownRecipient,
    UserNotFound,
    VersionMismatch,
)


def classes() -> list[type[StewardError]]:
    return [member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, StewardError)]


def drawn() -> Iterator[tuple[str, str]]:
    """The pairs (class, its parent) of the drawing at the top of the module."""
    assert errors.__doc__ is not None
    above = {-1: "StewardError"}
    for line in errors.__doc__.splitlines():
        branch = re.match(r"    ([│ ]*)[├└]── (\w+)", line)
        if branch:
            level = len(branch[1]) // 4
            above[level] = branch[2]
            yield branch[2], above[level - 1]


EXAMPLES = [
    InvalidValue(("attributes", "sizes", 0), "finite_number", "NaN is not a JSON number"),
    errors.UnknownOwner(7),
    UnknownRecipient("transfer_items_to"),
    errors.SameItem(),
    UserNotFound(7),
    ItemNotFound(7),
    errors.UsernameTaken(),
    errors.EmailTaken(),
    errors.UserOwnsItems(7),
    errors.LastAdmin(),
    errors.LoginSessionNotFound(7),
    errors.InvalidRows([errors.RowFault(2, ("name",), "too_short", "At least 1 characters, please")], 3),
    errors.OperationFailed(17, ItemNotFound(7)),
    errors.IdempotencyKeyReused(),
    errors.IdempotencyKeyInUse(),
    errors.VersionRequired(),
    errors.NotAuthenticated(),
    errors.TokenExpired(),
    errors.TokenRevoked(),
    errors.InvalidCredentials(),
    errors.RateLimited(limit="sign-in", quota=10, window=300, retry_after=7),
    errors.RegistrationClosed(),
    InsufficientQuantity(wanted=3, available=2),
    errors.QuantityOverflow(9),
    VersionMismatch(),
    Conflict(),
    errors.OutcomeUnknown(),
    errors.TransactionAborted("It had failed"),
    errors.Overloaded("No connection became free in time"),
]


def test_the_drawing_shows_every_class_below_its_parent_and_no_other() -> None:
    tree = {kind.__name__: kind.__bases__[0].__name__ for kind in classes() if kind is not StewardError}
    assert dict(drawn()) == tree


def test_nothing_is_drawn_twice() -> None:
    names = [name for name, _ in drawn()]
    assert len(names) == len(set(names))


def test_a_code_is_in_snake_case_and_its_own_or_that_of_its_parent() -> None:
    assert [kind for kind in classes() if not re.fullmatch(r"[a-z]+(_[a-z]+)*", kind.code)] == []
    own = Counter(kind.code for kind in classes() if "code" in vars(kind))
    assert [code for code, times in own.items() if times > 1] == []


def test_every_class_with_a_constructor_of_its_own_has_an_example() -> None:
    assert {kind for kind in classes() if "__init__" in vars(kind)} <= {type(error) for error in EXAMPLES}


def test_an_error_survives_pickle_and_copy() -> None:
    for error in EXAMPLES:
        for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
            assert type(other) is type(error)
            assert (str(other), other.args, repr(vars(other))) == (str(error), error.args, repr(vars(error)))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserNotFound(7), "User id 7 not found"),
        (UserNotFound("ada"), "User ada not found"),
        (ItemNotFound(7), "Item id 7 not found"),
        (InsufficientQuantity(wanted=3, available=2), "3 wanted, but there are 2"),
    ],
)
def test_a_message_is_a_sentence_for_people(error: StewardError, message: str) -> None:
    assert str(error) == message


@pytest.mark.parametrize("kind", [Conflict, VersionMismatch, UnknownRecipient, errors.OutcomeUnknown])
def test_an_error_that_needs_no_argument_can_be_raised_by_its_class(kind: type[StewardError]) -> None:
    with pytest.raises(kind, match=r".+"):
        raise kind


def test_an_invalid_value_names_the_field_the_path_and_the_rule() -> None:
    error = InvalidValue(("attributes", "sizes", 0), "finite_number", "NaN is not a JSON number")
    assert (error.path, error.field, error.rule) == (("attributes", "sizes", 0), "attributes.sizes.0", "finite_number")
    assert InvalidValue("name", "too_long", "…").path == ("name",)
