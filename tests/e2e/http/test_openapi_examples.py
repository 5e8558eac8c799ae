"""The examples of the OpenAPI document are sent for real, and its links followed, on SQLite and on PostgreSQL."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.http import Api
from tests.support.openapi import PROBLEM, Document, example_of
from tests.support.steward_server import StewardServer

from .example_scene import Scene, story
from .following_links import links_of, next_request
from .operations import EVERY


@pytest_asyncio.fixture(scope="module")
async def scene(url_of_module: str, server: StewardServer) -> AsyncIterator[Scene]:
    async with story(url_of_module, server) as scene:
        yield scene


@pytest.mark.parametrize("operation", EVERY)
async def test_every_example_of_a_request_succeeds(scene: Scene, operation: str) -> None:
    for example in scene.examples_of(operation):
        answer = await scene.send(example)
        assert answer.is_success, (example, answer.text)


async def test_every_link_can_be_followed(scene: Scene) -> None:
    links = [(operation, *each) for operation in EVERY for each in links_of(scene.document, operation)]
    assert links
    for operation, name, link in links:
        first = scene.examples_of(operation)[0]
        if "limit" in (each["name"] for each in first.operation["parameters"]):
            first.query["limit"] = "1"
        answer = await scene.send(first)
        following = next_request(scene, link, first, answer)
        followed = await scene.ask(following)
        assert followed.is_success, (operation, name, following, followed.text)


async def test_every_parameter_has_an_example_that_its_schema_allows(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for parameter in operation["parameters"]:
            place = parameter if parameter.get("required") else parameter["schema"]
            assert {"example", "examples"} & place.keys(), f"{parameter['name']}: see http/openapi/examples.py"
            assert edge.document.faults(example_of(parameter), parameter["schema"]) == []


async def test_every_body_has_examples_that_its_schema_allows(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for kind, media_type in operation.get("requestBody", {}).get("content", {}).items():
            assert media_type.get("examples"), f"{operation['operationId']}: {kind}: see http/openapi/examples.py"
            for words, example in media_type["examples"].items():
                assert edge.document.faults(example["value"], media_type["schema"]) == [], words


async def test_every_answer_has_an_example_that_its_schema_allows(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for response in operation["responses"].values():
            for kind, media_type in response.get("content", {}).items():
                if kind != PROBLEM:
                    assert "example" in media_type, f"{operation['operationId']}: {kind}: see http/openapi/examples.py"
                    assert edge.document.faults(media_type["example"], media_type["schema"]) == []


async def test_every_problem_is_shown_in_full(edge: Api) -> None:
    for _, _, operation in edge.document.operations():
        for status, response in operation["responses"].items():
            for code in edge.document.codes_of(response):
                problem = _shown(edge.document, response, code)
                assert (problem["code"], str(problem["status"])) == (code, status)
                assert edge.document.faults(problem, response["content"][PROBLEM]["schema"]) == []


def _shown(document: Document, response: dict[str, Any], code: str) -> dict[str, Any]:
    shown: dict[str, Any] = document.resolved(response["content"][PROBLEM]["examples"][code])["value"]
    return shown


async def test_a_problem_at_sign_in_is_shown_with_the_members_of_oauth(edge: Api) -> None:
    operation = edge.document.operation("POST", "/auth/token")
    assert operation is not None
    shown = _shown(edge.document, operation["responses"]["400"], "invalid_credentials")
    assert (shown["error"], shown["error_description"]) == ("invalid_grant", shown["detail"])
