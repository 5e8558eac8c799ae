"""The OpenAPI document as a file: `openapi.json` is today's, and `docs/openapi/` keeps that of each release.

python -m tests.support.openapi_file              # writes openapi.json
python -m tests.support.openapi_file --release    # and keeps it as that of the version of pyproject.toml
"""

import json
import re
import sys
import tomllib
from pathlib import Path

from steward.bootstrap import container_for
from steward.config import load_settings
from steward.entrypoints.http.app import create_app

from .openapi import Json
from .steward_server import SECRET

ROOT = Path(__file__).parents[2]
TODAY = ROOT / "openapi.json"
RELEASES = ROOT / "docs" / "openapi"


def document_of_the_code() -> Json:
    settings = load_settings(database_url="sqlite+aiosqlite:///:memory:", secret_key=SECRET)
    document: Json = create_app(container_for(settings)).openapi()
    return document


def text_of(document: Json) -> str:
    """In the order that it was made in, which is the routes'. One value on each line, so that a change shows."""
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def version_of_the_code() -> str:
    project: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return project


def released_versions() -> list[str]:
    """What CHANGELOG.md calls released, the latest first."""
    return re.findall(r"^## \[(\d+\.\d+\.\d+)\]", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def may_break(released: str, version: str) -> bool:
    """By https://semver.org: another major version, or, before 1.0, another minor one."""
    old, new = ([int(part) for part in each.split(".")] for each in (released, version))
    return new[0] > old[0] or (old[0] == 0 and new[:2] > old[:2])


def main() -> None:
    text = text_of(document_of_the_code())
    TODAY.write_text(text)
    if sys.argv[1:] == ["--release"]:
        RELEASES.mkdir(exist_ok=True)
        (RELEASES / f"{version_of_the_code()}.json").write_text(text)


if __name__ == "__main__":
    main()
