"""What a refused sign-in does not tell, and what is never written down."""

import logging
from collections.abc import AsyncIterator
from itertools import pairwise

import httpx2
import pytest
import pytest_asyncio
from steward.testing import FastHasher

from tests.support.http import Api, serving
from tests.support.statements import counted
from tests.support.steward_server import SECRET

from .signing_in import (
    FORM,
    PASSWORD,
    WRONG,
    bearer,
    given_account,
    hashing_with,
    me,
    oauth_error_of,
    refresh,
    sign_in,
    tokens_of,
)

REFUSED = [
    ("nobody", PASSWORD),
    ("nobody@example.org", PASSWORD),
    ("gone", PASSWORD),
    ("gone@example.org", "wrong password"),
    ("ada", "wrong password"),
    ("ADA@example.org", "wrong password"),
    ("ada", "x" * 200),
    ("\N{GRINNING FACE}", "\N{GRINNING FACE}"),
]


@pytest_asyncio.fixture(scope="module", autouse=True)
async def hasher(api: Api) -> AsyncIterator[FastHasher]:
    with hashing_with(api, FastHasher(cost=7)) as hasher:
        await given_account(api, "ada")
        await given_account(api, "gone", is_active=False)
        yield hasher


def without_its_own_id(answer: httpx2.Response) -> tuple[int, dict[str, str], dict[str, str]]:
    own = answer.headers["X-Request-ID"]
    headers = {name: value.replace(own, "…") for name, value in answer.headers.items()}
    return answer.status_code, headers, answer.json() | {"request_id": "…"}


async def test_why_a_sign_in_is_refused_shows_neither_in_the_answer_nor_in_its_cost(
    api: Api, hasher: FastHasher
) -> None:
    """One hash each, with the same parameters, and the same statements."""
    with counted(api.database) as cost:
        answers, costs, shapes = [], [], []
        for username, password in REFUSED:
            hasher.costs.clear()
            cost.sent.clear()
            answers.append(await sign_in(api.anonymous, username, password))
            costs.append(list(hasher.costs))
            shapes.append(list(cost.shape))
    assert oauth_error_of(answers[0]) == WRONG
    for one, other in pairwise(answers):
        assert without_its_own_id(one) == without_its_own_id(other)
    assert costs == [[7]] * len(REFUSED)
    assert shapes == [["SELECT"]] * len(REFUSED)


async def test_a_bad_refresh_token_is_answered_like_a_bad_password(api: Api) -> None:
    access, _ = tokens_of(await sign_in(api.anonymous, "ada"))
    wrong = await sign_in(api.anonymous, "ada", "wrong password")
    for token in ("x", access, "stwr_" + "A" * 49):
        assert without_its_own_id(await refresh(api.anonymous, token)) == without_its_own_id(wrong)


async def test_no_secret_reaches_a_log_an_error_or_a_representation(
    url_of_module: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        async with serving(url_of_module) as api:
            name, password, new = "grace", "a secret that was typed", "another that was typed"
            body = {"username": name, "email": "grace@example.org", "password": password}
            texts = [(await api.anonymous.post("/users", json=body)).text]
            access, first = tokens_of(await sign_in(api.anonymous, name, password))
            next_access, second = tokens_of(await refresh(api.anonymous, first))
            wrong = [
                await sign_in(api.anonymous, name, new),
                await sign_in(api.anonymous, password, password + "\0"),
                await refresh(api.anonymous, access),
                await me(api.anonymous, next_access[:-1]),
                await me(api.anonymous, second),
                await api.anonymous.post(
                    "/auth/token", content=f"grant_type=x&password={password}%", headers=FORM_TYPE
                ),
                await api.anonymous.put(
                    "/users/me/password",
                    json={"current_password": new, "new_password": password},
                    headers=bearer(access),
                ),
            ]
            change = {"current_password": password, "new_password": new}
            done = await api.anonymous.put("/users/me/password", json=change, headers=bearer(next_access))
            assert done.status_code == 204
            texts += [f"{answer.text} {answer.headers}" for answer in wrong]
            texts += [
                repr(each) for each in (api.container.settings(), api.container.accounts(), api.container.limits())
            ]
    texts += [record.getMessage() for record in caplog.records]
    for secret in (password, new, access, first, next_access, second, SECRET, "$argon2"):
        assert not [text for text in texts if secret in text]


FORM_TYPE = {"Content-Type": FORM}
