"""`openapi.json` is what the code says, and keeps what the last release promised."""

import json
from copy import deepcopy

from tests.support.breaking_changes import breaking_changes
from tests.support.openapi_file import (
    RELEASES,
    TODAY,
    document_of_the_code,
    may_break,
    released_versions,
    text_of,
    version_of_the_code,
)


def test_the_committed_document_is_current() -> None:
    assert TODAY.read_text() == text_of(document_of_the_code()), "openapi.json is out of date: `make openapi`"


def test_the_document_of_every_release_is_kept() -> None:
    kept = {path.stem for path in RELEASES.glob("*.json")}
    assert kept == set(released_versions()), "CHANGELOG.md and docs/openapi/ disagree: see docs/releasing.md"


def test_nothing_breaks_what_the_last_release_promised() -> None:
    """Before there is one there is nothing to break, and nothing is compared."""
    for released in released_versions()[:1]:
        promised = json.loads((RELEASES / f"{released}.json").read_text())
        if not may_break(released, version_of_the_code()):
            changes = breaking_changes(promised, document_of_the_code())
            assert not changes, f"these break clients of {released}: see docs/releasing.md\n" + "\n".join(changes)


def test_of_our_own_document_the_comparison_sees_what_goes_and_what_is_demanded() -> None:
    """As it will when there is a release: on a document as large as ours, and as circular."""
    document = document_of_the_code()
    assert breaking_changes(document, document) == []
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            at = f"{method.upper()} {path}"
            lesser = deepcopy(document)
            del lesser["paths"][path][method]
            assert breaking_changes(document, lesser) == [f"{at}: is gone"]
            assert breaking_changes(lesser, document) == []
            stricter = deepcopy(document)
            new = {"name": "reason", "in": "query", "required": True, "schema": {"type": "string"}}
            stricter["paths"][path][method]["parameters"] = [*operation["parameters"], new]
            assert breaking_changes(document, stricter) == [f"{at}: query parameter reason: is new and required"]


def test_only_a_version_that_says_so_may_break() -> None:
    assert [may_break("0.1.0", version) for version in ("0.1.0", "0.1.1", "0.2.0", "1.0.0")] == [0, 0, 1, 1]
    assert [may_break("1.2.3", version) for version in ("1.2.3", "1.2.4", "1.3.0", "2.0.0")] == [0, 0, 0, 1]
