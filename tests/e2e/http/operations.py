"""A request for each operation that would succeed, so that a test can make just one thing wrong with it."""

from dataclasses import dataclass
from typing import Any

import httpx2

from tests.support.http import Api


@dataclass(frozen=True, slots=True)
class Scene:
    """Two users; the first has an item."""

    api: Api
    ada: dict[str, Any]
    bob: dict[str, Any]
    box: dict[str, Any]

    def requests(self) -> dict[str, tuple[str, str, dict[str, Any] | None]]:
        """Method, path and body, by operation id."""
        user, item = f"/users/{self.ada['id']}", f"/items/{self.box['id']}"
        new_user = {"username": f"new-{self.ada['id']}", "email": "new@example.org", "password": "swordfish 8"}
        return {
            "register_user": ("POST", "/users", new_user),
            "list_users": ("GET", "/users", None),
            "get_user": ("GET", user, None),
            "update_user": ("PATCH", user, {"email": f"other-{self.ada['id']}@example.org"}),
            "delete_user": ("DELETE", f"{user}?items=delete", None),
            "list_items_of_user": ("GET", f"{user}/items", None),
            "create_item": ("POST", "/items", {"owner_id": self.ada["id"], "name": "Lid"}),
            "list_items": ("GET", "/items", None),
            "get_item": ("GET", item, None),
            "update_item": ("PATCH", item, {"name": "Case"}),
            "delete_item": ("DELETE", item, None),
            "transfer_item": ("POST", f"{item}/transfer", {"to": self.bob["username"]}),
            "get_liveness": ("GET", "/livez", None),
            "get_readiness": ("GET", "/readyz", None),
            "explain_problem": ("GET", "/problems/conflict", None),
        }

    async def send(self, operation: str) -> httpx2.Response:
        method, path, body = self.requests()[operation]
        return await self.api.client.request(method, path, json=body)


async def scene_on(api: Api) -> Scene:
    ada = await api.user()
    return Scene(api, ada, await api.user(), await api.item(ada["id"], quantity=3))
