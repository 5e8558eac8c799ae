"""Users: e-mail addresses, roles, changes, and on whose behalf something is done."""

import copy
import pickle
import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from steward.domain.actors import Actor
from steward.domain.errors import InvalidValue
from steward.domain.users import (
    NewUser,
    Owner,
    PasswordHash,
    Role,
    User,
    UserId,
    check_email,
    check_is_active,
    check_role,
    email_key,
)

CREATED = datetime(2026, 11, 22, 1, 18, 0, 123456, tzinfo=UTC)
LATER = CREATED + timedelta(seconds=1)


def ada() -> User:
    return User(
        id=UserId(1),
        username="ada",
        email="ada@example.org",
        role=Role.MEMBER,
        is_active=True,
        created_at=CREATED,
        updated_at=CREATED,
        version=1,
        password_hash=PasswordHash("hash of a secret"),
    )


def refused_email(email: str) -> str:
    with pytest.raises(InvalidValue) as caught:
        check_email(email)
    assert caught.value.field == "email"
    return caught.value.rule


@pytest.mark.parametrize(
    "email",
    [
        "a@b",
        "ada@example.org",
        "ada+tag@sub.example.org",
        '"odd"@example.org',
        "δοκιμή@παράδειγμα.δοκιμή",
        "用户@例子.广告",
    ],
)
def test_a_plausible_address_passes(email: str) -> None:
    assert check_email(email) == email


@pytest.mark.parametrize(
    "email",
    [
        "ada",
        "@example.org",
        "ada@",
        "ada@@example.org",
        "a@b@example.org",
        "ada@example..org",
        "ada@.org",
        "ada@example.",
        "ada @example.org",
        "ada@exam ple.org",
        "ada@example\u00a0.org",
        "ada\u2028@example.org",
        "a\u200bda@example.org",
        "ada@exam\u00adple.org",
        "\u202eada@example.org",
        "a\u3164da@example.org",
        "@@@",
    ],
    ids=ascii,
)
def test_an_implausible_address_is_refused(email: str) -> None:
    assert refused_email(email) == "email_shape"


@pytest.mark.parametrize(
    ("email", "rule"),
    [
        ("ada\0@example.org", "control_character"),
        ("ada@example.org\r\nBcc: x@y.org", "control_character"),
        ("ada\x7f@example.org", "control_character"),
        ("ada\ud800@example.org", "unpaired_surrogate"),
    ],
    ids=ascii,
)
def test_an_address_holds_nothing_that_breaks_a_header(email: str, rule: str) -> None:
    assert refused_email(email) == rule


def test_an_address_has_at_most_254_characters() -> None:
    longest = "a" * (254 - len("@example.org")) + "@example.org"
    assert check_email(longest) == longest
    assert refused_email("a" + longest) == "too_long"


def test_the_length_is_that_of_the_normalised_address() -> None:
    # NFC takes U+0958 apart, and puts a letter and its accent together.
    assert refused_email("\u0958" * 200 + "@example.org") == "too_long"
    assert check_email("e\u0301" * 200 + "@example.org") == "é" * 200 + "@example.org"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Ada@Example.org", "ada@example.ORG"),
        ("e\u0301va@example.org", "Éva@example.org"),
        ("straße@example.org", "STRASSE@example.org"),
    ],
)
def test_case_and_composition_make_no_other_address(one: str, other: str) -> None:
    assert email_key(one) == email_key(other)


def test_compatibility_characters_make_another_address() -> None:
    assert email_key("ada²@example.org") != email_key("ada2@example.org")


@given(st.emails())
@settings(database=None)
def test_a_checked_address_passes_again_and_keeps_its_key(email: str) -> None:
    checked = check_email(email)
    assert check_email(checked) == checked
    assert unicodedata.is_normalized("NFC", checked)
    assert email_key(checked) == email_key(email) == email_key(email.upper()) == email_key(email_key(email))


def test_the_roles_are_member_and_admin() -> None:
    assert [check_role("member"), check_role("admin")] == [Role.MEMBER, Role.ADMIN]


@pytest.mark.parametrize("role", ["Admin", "root", "", None, 1, []])
def test_any_other_role_is_refused(role: Any) -> None:
    with pytest.raises(InvalidValue) as caught:
        check_role(role)
    assert (caught.value.field, caught.value.rule) == ("role", "role")


@pytest.mark.parametrize("value", [None, 0, 1, "true"])
def test_active_is_true_or_false_and_nothing_else(value: Any) -> None:
    assert check_is_active(True) is True
    assert check_is_active(False) is False
    with pytest.raises(InvalidValue) as caught:
        check_is_active(value)
    assert (caught.value.field, caught.value.rule) == ("is_active", "bool_type")


def test_a_new_user_is_normalised_and_a_member() -> None:
    new = NewUser.of(username="ａｄａ", email="e\u0301va@example.org")
    assert new == NewUser("ada", "éva@example.org", Role.MEMBER, None)


@pytest.mark.parametrize("changes", [{"username": "a"}, {"email": "a"}, {"role": "root"}])
def test_a_new_user_that_breaks_a_rule_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidValue):
        NewUser.of(**{"username": "ada", "email": "ada@example.org", **changes})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("username", "lovelace"),
        ("username", "Ada"),
        ("email", "lovelace@example.org"),
        ("email", "Ada@example.org"),
        ("role", Role.ADMIN),
        ("is_active", False),
        ("password_hash", PasswordHash("another")),
    ],
)
def test_a_change_changes_its_field_and_the_time_alone(field: str, value: Any) -> None:
    user = ada()
    assert user.change(at=LATER, **{field: value}) is True
    expected = ada()
    setattr(expected, field, value)
    expected.updated_at = LATER
    assert user == expected


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"username": "ada"},
        {"username": "ａｄａ"},
        {"email": "ada@example.org", "role": "member", "is_active": True},
        {"password_hash": PasswordHash("hash of a secret")},
    ],
)
def test_a_change_of_nothing_says_so_and_keeps_the_time(changes: dict[str, Any]) -> None:
    user = ada()
    assert user.change(at=LATER, **changes) is False
    assert user == ada()


@pytest.mark.parametrize(
    "wrong", [{"email": "no"}, {"email": None}, {"role": None}, {"role": "root"}, {"is_active": None}]
)
def test_a_refused_change_changes_nothing_at_all(wrong: dict[str, Any]) -> None:
    user = ada()
    with pytest.raises(InvalidValue):
        user.change(at=LATER, username="lovelace", **wrong)
    assert user == ada()


def test_null_does_not_clear_a_username() -> None:
    with pytest.raises(InvalidValue):
        ada().change(at=LATER, username=None)  # type: ignore[arg-type]


def test_users_survive_pickle_and_copy() -> None:
    assert pickle.loads(pickle.dumps(ada())) == copy.deepcopy(ada()) == copy.copy(ada()) == ada()


def test_no_password_hash_stands_in_a_representation() -> None:
    assert "secret" not in repr(ada()) + repr(PasswordHash("secret")) + str(PasswordHash("secret"))
    new = NewUser.of(username="ada", email="ada@example.org", password_hash=PasswordHash("secret"))
    assert "secret" not in repr(new)


def test_others_see_id_and_username_alone() -> None:
    assert repr(Owner(UserId(1), "ada")) == "Owner(id=1, username='ada')"


def test_a_member_acts_for_nobody_else() -> None:
    actor = Actor.of(ada())
    assert actor.may_act_for(UserId(1))
    assert not actor.may_act_for(UserId(2))
    assert not actor.is_admin


def test_an_admin_and_the_system_act_for_all() -> None:
    admin = ada()
    admin.role = Role.ADMIN
    for actor in (Actor.of(admin), Actor.system()):
        assert actor.is_admin
        assert actor.may_act_for(UserId(2))
    assert Actor.system().user_id is None
