"""Every layer is pure ASGI: Starlette's `BaseHTTPMiddleware` runs a request in another task, which has leaked sessions
on cancellation, lets work be committed after a timeout has been answered, and costs a small request 30 %."""

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.middleware.base import BaseHTTPMiddleware
from steward.bootstrap import container_for
from steward.config import load_settings
from steward.entrypoints.http.app import create_app
from steward.entrypoints.http.middleware.cors import Cors
from steward.entrypoints.http.middleware.envelope import Envelope
from steward.entrypoints.http.middleware.hosts import TrustedHosts

SOURCES = sorted((Path(__file__).parents[2] / "src").rglob("*.py"))


def layers(app: FastAPI) -> Iterator[Any]:
    """From the outside in, without the router; each keeps the next one under one of two names."""
    layer: Any = app.build_middleware_stack()
    while layer is not app.router:
        yield layer
        layer = layer._app if hasattr(layer, "_app") else layer.app


def test_no_layer_of_the_application_is_one() -> None:
    settings = load_settings(
        database_url="sqlite+aiosqlite:///:memory:",
        allowed_hosts=("steward.test",),
        cors_origins=("https://app.example.org",),
        _env_file=None,
    )
    app = create_app(container_for(settings))
    found = list(layers(app))
    assert {Envelope, Cors, TrustedHosts} <= {type(layer) for layer in found}
    assert not [layer for layer in found if isinstance(layer, BaseHTTPMiddleware)]


def test_no_source_makes_one() -> None:
    """Neither by its name, nor by the decorator `app.middleware("http")`, which does."""
    wrong = [
        f"{path.name}:{node.lineno}"
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Name) and node.id == "BaseHTTPMiddleware")
        or (isinstance(node, ast.alias) and node.name in ("BaseHTTPMiddleware", "starlette.middleware.base"))
        or (isinstance(node, ast.ImportFrom) and node.module == "starlette.middleware.base")
        or (isinstance(node, ast.Attribute) and node.attr in ("BaseHTTPMiddleware", "middleware"))
    ]
    assert wrong == []
