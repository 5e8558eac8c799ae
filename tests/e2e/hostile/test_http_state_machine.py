"""Whatever is asked in whatever order, a plain model knows the answer: who sees what, and what is there afterwards."""

from typing import Any

import hypothesis.strategies as st
from hypothesis import HealthCheck, settings
from hypothesis.stateful import initialize, invariant, rule, run_state_machine_as_test
from steward.domain.actors import Actor
from steward.service_layer import lists

from .amount import EXAMPLES
from .asking import GONE, Asking, agree, ids, outcome_of
from .model import Item, Session, User

NUMBERS = st.integers(0, 5)
WHO = st.sampled_from([1, 2, 3, 4, 0])  # 0 is nobody
NAMES = st.sampled_from(["ada", "ADA", "bob", "Ωmega"])
ADDRESSES = st.sampled_from(["ada@example.org", "Bob@example.org", "omega@example.org"])
PASSWORDS = st.sampled_from(["sword fish 8", "battery staple"])
QUANTITIES = st.integers(0, 4)


class Machine(Asking):
    """What can be asked."""

    @initialize()
    def an_admin_and_a_member(self) -> None:
        me = self.do(self.api.client.get("/users/me")).json()
        self.model.users[me["id"]] = User(me["id"], me["username"], me["email"], None, "admin")
        self.user_ids.append(me["id"])
        self.sign_up(0, "cyd", "cyd@example.org", "sword fish 8")
        cyd = self.user_id(0)
        promoted = self.do(self.api.client.patch(f"/users/{cyd}", json={"role": "admin"}))
        self.model.users[cyd].role, self.model.users[cyd].version = "admin", 2
        assert promoted.status_code == 200
        self.sign_in("cyd", "sword fish 8")
        self.delete_user(1, 1, "", 0)  # the other admin, so that the last one is asked for often
        self.user_ids.remove(me["id"])
        self.sign_up(0, "dan", "dan@example.org", "sword fish 8")
        self.sign_in("dan", "sword fish 8")
        self.create_item(1, 0, 3)

    @rule(who=WHO, name=NAMES, address=ADDRESSES, password=PASSWORDS)
    def sign_up(self, who: int, name: str, address: str, password: str) -> None:
        caller = self.caller(who)
        body = {"username": name, "email": address, "password": password}
        answer = self.ask(caller, "POST", "/users", json=body)
        refused = (401, "token_revoked") if caller and caller.id not in self.model.sessions else None
        if agree(answer, refused or self.model.taken(name, address) or (201, None)):
            new = answer.json()
            self.model.users[new["id"]] = User(new["id"], name, address, password)
            self.user_ids.append(new["id"])
            assert new == self.model_of_user(new["id"], new)

    @rule(name=NAMES | ADDRESSES | st.sampled_from(["cyd", "DAN@example.org"]), password=PASSWORDS)
    def sign_in(self, name: str, password: str) -> None:
        form = {"grant_type": "password", "username": name, "password": password}
        answer = self.ask(None, "POST", "/auth/token", data=form)
        if agree(answer, self.model.sign_in(name, password)):
            user = self.model.called(name)
            assert user is not None
            self.begun(user.id, answer.json())

    @rule(who=st.integers(1, 5), which=st.integers(-2, -1), as_refresh=st.booleans())
    def refresh(self, who: int, which: int, as_refresh: bool) -> None:
        if (session := self.caller(who)) is None:
            return
        tokens = session.refresh if as_refresh else session.access
        token = tokens[max(which, -len(tokens))]
        answer = self.ask(None, "POST", "/auth/token", data={"grant_type": "refresh_token", "refresh_token": token})
        if agree(answer, self.model.refresh(session, token)):
            session.access.append(answer.json()["access_token"])
            session.refresh.append(answer.json()["refresh_token"])

    @rule(who=st.integers(1, 5))
    def a_refresh_token_lets_nobody_act(self, who: int) -> None:
        if (session := self.caller(who)) is not None:
            answer = self.ask(Session(0, 0, session.refresh, []), "GET", "/users/me")
            assert outcome_of(answer) == (401, "not_authenticated")

    @rule(who=WHO, which=NUMBERS)
    def end_session(self, who: int, which: int) -> None:
        caller, ended = self.caller(who), self.caller(which)
        id = ended.id if ended else GONE
        answer = self.ask(caller, "DELETE", f"/auth/sessions/{id}")
        agree(answer, self.model.answer(caller, self.model.end_session, id))

    @rule(who=WHO)
    def log_out(self, who: int) -> None:
        caller = self.caller(who)
        answer = self.ask(caller, "POST", "/auth/logout")
        agree(answer, self.model.answer(caller, lambda me: self.model.end_session(me, me.id)))

    @rule(
        who=WHO,
        number=NUMBERS,
        changes=st.fixed_dictionaries(
            {},
            optional={
                "role": st.sampled_from(["admin", "member"]),
                "is_active": st.booleans(),
                "username": NAMES,
                "email": ADDRESSES,
            },
        ),
    )
    def change_user(self, who: int, number: int, changes: dict[str, Any]) -> None:
        self.change(self.caller(who), self.user_id(number), changes)

    @rule(who=WHO, changes=st.sampled_from([{"role": "member"}, {"is_active": False}]))
    def step_down(self, who: int, changes: dict[str, Any]) -> None:
        caller = self.caller(who)
        self.change(caller, caller.user if caller else GONE, changes)

    def change(self, caller: Session | None, id: int, changes: dict[str, Any]) -> None:
        answer = self.ask(caller, "PATCH", f"/users/{id}", json=changes)
        if agree(answer, self.model.answer(caller, self.model.change_user, id, changes)):
            assert answer.json() == self.model_of_user(id, answer.json())

    @rule(who=WHO, current=PASSWORDS, new=PASSWORDS)
    def change_password(self, who: int, current: str, new: str) -> None:
        caller = self.caller(who)
        body = {"current_password": current, "new_password": new}
        answer = self.ask(caller, "PUT", "/users/me/password", json=body)
        agree(answer, self.model.answer(caller, self.model.change_password, current, new))

    @rule(who=WHO, number=NUMBERS, fate=st.sampled_from(["", "delete", "transfer"]), heir=NUMBERS)
    def delete_user(self, who: int, number: int, fate: str, heir: int) -> None:
        caller, id = self.caller(who), self.user_id(number)
        to = self.user_id(heir) if fate == "transfer" else None
        query = {"items": fate} if fate else {}
        answer = self.ask(caller, "DELETE", f"/users/{id}", params={**query, **({"to": to} if to else {})})
        agree(answer, self.model.answer(caller, self.model.delete_user, id, delete_items=fate == "delete", to=to))

    @rule(who=WHO, owner=NUMBERS, quantity=QUANTITIES)
    def create_item(self, who: int, owner: int, quantity: int) -> None:
        caller, id = self.caller(who), self.user_id(owner)
        answer = self.ask(caller, "POST", "/items", json={"name": "Box", "owner_id": id, "quantity": quantity})
        if agree(answer, self.model.answer(caller, self.model.create_item, id)):
            self.add_item(answer.json()["id"], id, quantity)

    def add_item(self, id: int, owner: int, quantity: int) -> None:
        self.model.items[id] = Item(id, owner, quantity)
        self.item_ids.append(id)

    @rule(who=WHO, number=NUMBERS, quantity=QUANTITIES)
    def change_item(self, who: int, number: int, quantity: int) -> None:
        caller, id = self.caller(who), self.item_id(number)
        answer = self.ask(caller, "PATCH", f"/items/{id}", json={"quantity": quantity})
        agree(answer, self.model.answer(caller, self.model.change_item, id, quantity))

    @rule(who=WHO, number=NUMBERS)
    def delete_item(self, who: int, number: int) -> None:
        caller, id = self.caller(who), self.item_id(number)
        answer = self.ask(caller, "DELETE", f"/items/{id}")
        agree(answer, self.model.answer(caller, self.model.delete_item, id))

    @rule(who=WHO, number=NUMBERS, to=NUMBERS, quantity=st.none() | st.integers(1, 4))
    def transfer_to_a_user(self, who: int, number: int, to: int, quantity: int | None) -> None:
        caller, id, recipient = self.caller(who), self.item_id(number), self.user_id(to)
        body = {"to": {"user_id": recipient}, **({"quantity": quantity} if quantity else {})}
        answer = self.ask(caller, "POST", f"/items/{id}/transfer", json=body)
        done = agree(answer, self.model.answer(caller, self.model.transfer_to_user, id, recipient, quantity))
        if done and quantity is not None and answer.json()["item"] is not None:
            self.add_item(answer.json()["received"]["id"], recipient, quantity)

    @rule(who=WHO, number=NUMBERS, to=NUMBERS, quantity=st.none() | st.integers(1, 4))
    def transfer_into_an_item(self, who: int, number: int, to: int, quantity: int | None) -> None:
        caller, id, target = self.caller(who), self.item_id(number), self.item_id(to)
        body = {"to": {"item_id": target}, **({"quantity": quantity} if quantity else {})}
        before = sum(item.quantity for item in self.model.items.values())
        answer = self.ask(caller, "POST", f"/items/{id}/transfer", json=body)
        agree(answer, self.model.answer(caller, self.model.transfer_into, id, target, quantity))
        assert sum(item.quantity for item in self.model.items.values()) == before

    @rule(who=WHO, user=NUMBERS, item=NUMBERS)
    def look_around(self, who: int, user: int, item: int) -> None:
        """Whoever is signed in sees what is theirs; an admin sees all."""
        caller, user_id, item_id = self.caller(who), self.user_id(user), self.item_id(item)
        paths = ("/users", "/items", f"/users/{user_id}", f"/users/{user_id}/items", f"/items/{item_id}")
        answers = [self.ask(caller, "GET", path) for path in (*paths, "/users/me", "/auth/sessions")]
        signed_in = self.model.answer(caller, lambda caller: (200, None))
        if caller is None or signed_in != (200, None):
            assert [outcome_of(answer) for answer in answers] == [signed_in] * len(answers)
            return
        all_users, own_items, one, of_one, item_seen, me, listed = answers
        model, admin = self.model, self.model.is_admin(caller)
        visible = model.may_act_for(caller, user_id) and user_id in model.users
        assert outcome_of(all_users) == ((200, None) if admin else (403, "forbidden"))
        assert outcome_of(one) == outcome_of(of_one) == ((200, None) if visible else (404, "user_not_found"))
        assert ids(own_items) == [i for i in sorted(model.items, reverse=True) if model.own_item(caller, i)]
        if visible:
            assert ids(of_one) == [i for i in sorted(model.items, reverse=True) if model.items[i].owner == user_id]
        expected = (200, None) if model.own_item(caller, item_id) else (404, "item_not_found")
        assert outcome_of(item_seen) == expected
        assert me.json() == self.model_of_user(caller.user, me.json())
        assert sorted(ids(listed)) == sorted(i for i, each in model.sessions.items() if each.user == caller.user)

    def model_of_user(self, id: int, answer: dict[str, Any]) -> dict[str, Any]:
        user = self.model.users[id]
        known = {name: getattr(user, name) for name in ("id", "username", "email", "role", "is_active", "version")}
        return {**answer, **known} if answer.keys() >= known.keys() else known

    @invariant()
    def what_is_stored_is_what_the_model_has(self) -> None:
        model = self.model
        found_users, found_items = self.do(self._stored())
        assert found_users == {
            (user.id, user.username, user.email, user.role, user.is_active, user.version)
            for user in model.users.values()
        }
        assert found_items == {(item.id, item.owner, item.quantity, item.version) for item in model.items.values()}
        assert not model.users or any(user.role == "admin" and user.is_active for user in model.users.values())

    async def _stored(self) -> tuple[set[Any], set[Any]]:
        uow, system = self.api.database.unit_of_work(), Actor.system()
        all_users = await lists.list_users(uow, system, limit=1000)
        all_items = await lists.list_items(uow, system, limit=1000)
        return (
            {(user.id, user.username, user.email, user.role.value, user.is_active, user.version) for user in all_users},
            {(item.id, item.owner_id, item.quantity, item.version) for item in all_items},
        )


def test_every_answer_is_the_one_that_the_model_gives(server_url: str) -> None:
    """`STEWARD_TEST_EXAMPLES=500` looks longer."""
    run_state_machine_as_test(
        lambda: Machine(server_url),  # type: ignore[arg-type]  # it is called, so a function will do
        settings=settings(
            max_examples=EXAMPLES or 20,
            stateful_step_count=40,
            deadline=None,
            database=None,
            derandomize=not EXAMPLES,
            suppress_health_check=list(HealthCheck),
        ),
    )
