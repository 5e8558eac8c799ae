"""How the HTTP client of either driver is set up."""

from importlib.metadata import version
from typing import Any

import httpx2


def options(url: str) -> dict[str, Any]:
    return {
        "base_url": url,
        # Sessions are listed with it.
        "headers": {"User-Agent": f"steward.client/{version('steward')}"},
        # Shorter than the 5 seconds after which uvicorn closes an idle connection: a request that meets the closing
        # gets no answer, and not every one may be sent again.
        "limits": httpx2.Limits(keepalive_expiry=3.0),
    }
