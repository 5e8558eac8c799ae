"""What a stranger's review found."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from steward.testing import FastHasher

from tests.support.http import Api, serving

from .signing_in import LIMITED, WRONG, given_account, hashing_with, oauth_error_of, sign_in


@pytest_asyncio.fixture(scope="module")
async def api(url_of_module: str) -> AsyncIterator[Api]:
    async with serving(url_of_module, rate_limits=True) as api:
        with hashing_with(api, FastHasher()):
            yield api


@pytest.mark.parametrize(
    "first", ["\N{FULLWIDTH LATIN SMALL LETTER B}{}@example.org", "b{}\N{FULLWIDTH COMMERCIAL AT}example.org"]
)
async def test_other_spellings_do_not_tell_whether_an_e_mail_address_has_an_account(api: Api, first: str) -> None:
    there, nowhere = f"ob{ord(first[0])}", f"ix{ord(first[0])}"
    await given_account(api, f"b{there}")
    answers = []
    for rest in (there, nowhere):
        for _ in range(10):  # the quota of one account from one address
            assert oauth_error_of(await sign_in(api.anonymous, first.format(rest), "wrong password")) == WRONG
        assert oauth_error_of(await sign_in(api.anonymous, first.format(rest), "wrong password")) == LIMITED
        answers.append(oauth_error_of(await sign_in(api.anonymous, f"b{rest}@example.org", "wrong password")))
    assert answers == [WRONG, WRONG]
