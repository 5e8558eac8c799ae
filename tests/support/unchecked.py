"""A client for answers that are not in the OpenAPI document: those of the layers around the routes."""

import httpx2
from fastapi import FastAPI


def unchecked(app: FastAPI) -> httpx2.AsyncClient:
    """Holds no answer against the contract."""
    transport = httpx2.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx2.AsyncClient(transport=transport, base_url="http://steward.test")


def is_problem(answer: httpx2.Response, status: int, code: str) -> bool:
    problem = answer.json()
    return (
        (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
        and answer.headers["Content-Type"] == "application/problem+json"
        and answer.headers["X-Request-ID"] == problem["request_id"]
    )
