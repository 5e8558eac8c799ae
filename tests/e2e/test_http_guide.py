"""The guide to the HTTP API: its commands are run, and print what it says."""

import re
from pathlib import Path

import pytest

from ..support.steward_server import StewardServer
from ..support.transcripts import check_transcript

DOCS = Path(__file__).parents[2] / "docs"
GUIDE = (DOCS / "http-api.md").read_text(encoding="utf-8")


def test_the_commands_print_what_is_shown(sqlite_url: str) -> None:
    with StewardServer(sqlite_url) as server:
        assert check_transcript(GUIDE, server.url.removeprefix("http://")) == 17


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#]+)\)", GUIDE))))
def test_its_links_lead_somewhere(link: str) -> None:
    assert link.startswith("https://") or (DOCS / link).exists()
