"""Which methods a path has, over all its routes (RFC 9110 section 15.5.6)."""

import re
from functools import lru_cache

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """In alphabetical order; HEAD wherever there is GET. Empty for a path that is not there."""
    methods = {method for pattern, names in _routes(app) if pattern.match(path) for method in names}
    return sorted(methods | {"HEAD"} if "GET" in methods else methods)


@lru_cache(maxsize=8)
def _routes(app: FastAPI) -> list[tuple[re.Pattern[str], frozenset[str]]]:
    found: list[tuple[re.Pattern[str], frozenset[str]]] = []
    for context in iter_route_contexts(app.routes):
        path, methods = getattr(context, "path", None), getattr(context, "methods", None)
        if path and methods:
            found.append((compile_path(path)[0], frozenset(methods)))
    return found
