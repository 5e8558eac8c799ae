"""Routes in a module whose annotations are strings, as many people's are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from sqlalchemy.ext.asyncio import AsyncSession

from tests.support.notes import add_note


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    async with request.app.state.container.database().session() as session:
        yield session


Session = Annotated[AsyncSession, Depends(get_session, scope="function")]
router = APIRouter()


@router.post("/future/{text}", status_code=201)
async def create(text: str, session: Session) -> int:
    return (await add_note(session, text)).id
