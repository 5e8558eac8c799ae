"""Clients of two server processes on one database: what each does and tries again is done once, and not overwritten."""

from concurrent.futures import ThreadPoolExecutor

from steward.client import Client, VersionMismatch

from tests.support.steward_server import ADMIN_PASSWORD, StewardServer

from .conftest import MakeClient

CLIENTS, TURNS = 6, 6


def test_they_lose_no_update_make_nothing_twice_and_walk_over_all(make_client: MakeClient, url_of_module: str) -> None:
    with StewardServer(url_of_module) as one, StewardServer(url_of_module) as other:
        clients = [
            make_client((one, other)[number % 2].url).sign_in("admin", ADMIN_PASSWORD) for number in range(CLIENTS)
        ]
        counter = clients[0].items.create(name="Counter", quantity=0)

        def work(client: Client) -> list[int]:
            made = []
            for turn in range(TURNS):
                made.append(client.items.create(name="Once", idempotency_key=f"once-{turn}").id)
                seen = client.items.get(counter.id)
                while True:
                    try:
                        client.items.update(seen, quantity=seen.quantity + 1)
                        break
                    except VersionMismatch:
                        seen = client.items.get(seen)
            return made

        with ThreadPoolExecutor(CLIENTS) as pool:
            first, *others = pool.map(work, clients)
        assert all(made == first for made in others)
        assert clients[1].items.get(counter.id).quantity == CLIENTS * TURNS
        walked = [item.id for item in clients[1].items.list(sort="name,-id", page_size=2)]
        assert sorted(walked) == sorted([counter.id, *first])
