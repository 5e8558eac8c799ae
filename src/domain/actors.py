"""On whose behalf a use case runs: an argument, never a global."""

from dataclasses import dataclass

from .users import Role, User, UserId


@dataclass(frozen=True, slots=True)
class Actor:
    """A user, or the system itself (scripts and the command line), which has no user id and may do all."""

    user_id: UserId | None
    role: Role

    @classmethod
    def of(cls, user: User) -> "Actor":
        return cls(user.id, user.role)

    @classmethod
    def system(cls) -> "Actor":
        return cls(None, Role.ADMIN)

    @property
    def is_admin(self) -> bool:
        return self.role is Role.ADMIN

    def may_act_for(self, user_id: UserId) -> bool:
        return self.is_admin or self.user_id == user_id
