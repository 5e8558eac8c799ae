"""Users, sessions and signing in by the client, against a real server on SQLite and PostgreSQL."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from steward.client import (
    Client,
    EmailTaken,
    Forbidden,
    InvalidCredentials,
    InvalidRequest,
    LastAdmin,
    NotAuthenticated,
    NotFound,
    UsernameTaken,
    UserOwnsItems,
    VersionMismatch,
)

from tests.e2e.client.conftest import MakeClient, signed_up
from tests.support.http import PASSWORD
from tests.support.steward_server import StewardServer


def test_a_user_signs_up_in_and_out(make_client: MakeClient, server: StewardServer) -> None:
    client = make_client(server.url)
    name = signed_up(client)
    assert client.sign_in(f"{name}@example.org", PASSWORD) is client
    me = client.users.me()
    assert (me.username, me.email, me.role, me.is_active, me.version) == (
        name,
        f"{name}@example.org",
        "member",
        True,
        1,
    )
    client.sign_out()
    with pytest.raises(NotAuthenticated):
        client.users.me()


def test_a_wrong_password_is_refused(make_client: MakeClient, server: StewardServer) -> None:
    client = make_client(server.url)
    with pytest.raises(InvalidCredentials):
        client.sign_in(signed_up(client), "wrong horse")


def test_what_is_taken_is_told_apart(client: Client) -> None:
    me = client.users.me()
    with pytest.raises(UsernameTaken):
        client.users.register(username=me.username, email="other@example.org", password=PASSWORD)
    with pytest.raises(EmailTaken):
        client.users.register(username=f"{me.username}-2", email=me.email, password=PASSWORD)


def test_a_fault_says_where_it_is(client: Client) -> None:
    with pytest.raises(InvalidRequest) as raised:
        client.users.register(username="x", email="nowhere", password=PASSWORD)
    assert {fault.pointer for fault in raised.value.errors} == {"/username", "/email"}
    assert "/username: " in str(raised.value)


def test_a_user_who_has_not_changed_is_the_same_object(client: Client) -> None:
    me = client.users.me()
    assert client.users.get(me) is me
    assert client.users.get("me") == client.users.get(me.id) == me


def test_a_user_who_has_moved_on_is_not_changed_unseen(client: Client) -> None:
    seen = client.users.me()
    changed = client.users.update(seen, email=f"new-{seen.email}")
    assert (changed.email, changed.version) == (f"new-{seen.email}", 2)
    with pytest.raises(VersionMismatch):
        client.users.update(seen, username=f"{seen.username}-2")
    assert client.users.update("me", username=f"{seen.username}-2").version == 3
    with pytest.raises(VersionMismatch):
        client.users.delete(seen)


def test_an_admin_lists_promotes_and_deactivates(admin: Client, client: Client) -> None:
    user = client.users.me()
    assert [each.id for each in admin.users.list(q=user.username, role="member", is_active=True)] == [user.id]
    assert admin.users.list(sort="username", page_size=1).count() >= 2
    assert admin.users.update(user, role="admin").role == "admin"
    assert admin.users.update(user.id, is_active=False, role="member").is_active is False
    with pytest.raises(NotAuthenticated):
        client.users.me()


def test_a_member_sees_no_one_else(client: Client, admin: Client) -> None:
    with pytest.raises(Forbidden):
        client.users.list().first_page()
    with pytest.raises(NotFound):
        client.users.get(admin.users.me().id)
    with pytest.raises(Forbidden):
        client.users.update("me", role="admin")


def test_the_last_admin_stays(admin: Client) -> None:
    with pytest.raises(LastAdmin):
        admin.users.delete("me", items="delete")


def test_a_user_is_deleted_once_it_is_said_what_becomes_of_the_items(client: Client, admin: Client) -> None:
    box = client.items.create(name="Box")
    with pytest.raises(UserOwnsItems):
        client.users.delete("me")
    me, heir = client.users.me(), admin.users.me()
    with pytest.raises(ValueError, match="not both"):
        client.users.delete(me, items="delete", items_to=heir)
    client.users.delete(me, items_to=heir)
    assert admin.items.get(box.id).owner_id == heir.id
    with pytest.raises(NotFound):
        admin.users.get(me)


def test_a_new_password_ends_the_other_sessions(client: Client, make_client: MakeClient, server: StewardServer) -> None:
    name = client.users.me().username
    other = make_client(server.url).sign_in(name, PASSWORD)
    client.users.change_password(current_password=PASSWORD, new_password="swordfish 9")
    assert client.users.me().username == name
    with pytest.raises(NotAuthenticated):
        other.users.me()
    other.sign_in(name, "swordfish 9")


def test_sessions_are_listed_and_ended(client: Client, make_client: MakeClient, server: StewardServer) -> None:
    other = make_client(server.url).sign_in(client.users.me().username, PASSWORD)
    sessions = client.sessions.list()
    assert [session.current for session in sessions] == [False, True]
    assert all(session.user_agent and session.user_agent.startswith("steward.client/") for session in sessions)
    assert all(session.created_at <= session.refreshed_at < session.expires_at for session in sessions)
    client.sessions.end(sessions[0])
    with pytest.raises(NotFound):
        client.sessions.end(sessions[0].id)
    with pytest.raises(NotAuthenticated):
        other.users.me()


def test_a_token_from_elsewhere_is_used_as_it_is(make_client: MakeClient, server: StewardServer) -> None:
    token = server.sign_in()["access_token"]
    assert make_client(server.url, token=token).users.me().username == "admin"


def test_a_client_says_whether_the_server_is_there(make_client: MakeClient, server: StewardServer) -> None:
    client, nowhere = make_client(server.url), make_client("http://127.0.0.1:1")
    assert (client.is_alive(), client.is_ready()) == (True, True)
    assert (nowhere.is_alive(), nowhere.is_ready()) == (False, False)


def test_tokens_are_renewed_once_for_all_threads(make_client: MakeClient, url_of_module: str) -> None:
    """A second exchange of the same refresh token would end the session."""
    with StewardServer(url_of_module, refresh_token_grace=0) as server:
        client = make_client(server.url)
        client.sign_in(signed_up(client), PASSWORD)
        (session,) = client.sessions.list()
        set_clock_forward(client)
        together = Barrier(8)

        def ask(_: int) -> None:
            together.wait()
            assert [each.id for each in client.sessions.list()] == [session.id]

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(ask, range(8)))
        (renewed,) = client.sessions.list()
        assert renewed.refreshed_at > session.refreshed_at


def set_clock_forward(client: Any) -> None:
    """By an hour, so that its token seems to have expired: nobody has to wait for that."""
    conversation = getattr(client, "_inner", client)._conversation
    conversation._clock = lambda: time.monotonic() + 3600
