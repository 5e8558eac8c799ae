"""A hasher for tests: what takes long on purpose takes no time here."""

from hashlib import sha256

from ..domain.users import PasswordHash
from ..service_layer.hashing import Verified, can_match, check_password


class FastHasher:
    """A `Hasher` that accepts and refuses the same passwords as the real one.

    Equal passwords have equal hashes here, so that a test can say which one it expects. `cost` stands for the
    parameters of the real one: a hash made at another cost matches, and is updated. `costs` has what each call of
    `hash` and `verify` cost, in order, so that a test can say that two sign-ins cannot be told apart by their time.
    Never use it outside tests.
    """

    def __init__(self, *, cost: int = 1) -> None:
        self.cost = cost
        self.costs: list[int] = []

    @property
    def calls(self) -> int:
        """How often `hash` and `verify` had work to do: not for a password that `hash` refused."""
        return len(self.costs)

    async def hash(self, password: str) -> PasswordHash:
        """Raises `InvalidValue` for what `check_password` refuses."""
        check_password(password)
        self.costs.append(self.cost)
        return _hash(password, self.cost)

    async def verify(self, password: str, against: PasswordHash | None) -> Verified:
        """As the real one: what cannot match costs what a wrong password costs."""
        cost = _cost_of(against)
        if against is None or cost is None or not can_match(password):
            self.costs.append(self.cost)
            return Verified(matches=False)
        self.costs.append(cost)
        if _hash(password, cost) != against:
            return Verified(matches=False)
        return Verified(matches=True, updated=None if cost == self.cost else _hash(password, self.cost))


def _hash(password: str, cost: int) -> PasswordHash:
    return PasswordHash(f"fast${cost}${sha256(password.encode()).hexdigest()}")


def _cost_of(stored: PasswordHash | None) -> int | None:
    """None for a hash that is not ours."""
    kind, _, rest = ("" if stored is None else stored.value).partition("$")
    cost = rest.partition("$")[0]
    return int(cost) if kind == "fast" and cost.isdecimal() else None
