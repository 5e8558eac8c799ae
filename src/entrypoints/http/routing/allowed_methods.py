"""Which methods a path has, over all its routes (RFC 9110 section 10.2.1)."""

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from starlette.routing import compile_path

from .exclusive_path import ExclusivePathRoute


def allowed_methods(app: FastAPI, path: str) -> list[str]:
    """In alphabetical order; HEAD wherever there is GET, and OPTIONS everywhere. Empty for a path that is not there."""
    methods: set[str] = set()
    for context in iter_route_contexts(app.routes):
        pattern, own = getattr(context, "path", None), getattr(context, "methods", None)
        if pattern and own and compile_path(pattern)[0].match(path):
            methods |= own
            if isinstance(context.original_route, ExclusivePathRoute):
                break  # whatever else matches never gets such a request
    if "GET" in methods:
        methods.add("HEAD")
    if methods:
        methods.add("OPTIONS")
    return sorted(methods)
