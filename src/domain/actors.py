"""On whose behalf a use case runs: an argument, never a global."""

from dataclasses import dataclass

from .errors import NotAuthenticated
from .login_sessions import LoginSessionId
from .users import Role, User, UserId


@dataclass(frozen=True, slots=True)
class Actor:
    """A user; nobody in particular, who has neither id nor role; or the system itself (scripts and the command
    line), which has no user id and may do all.

    `session_id` is the session in which a user asks over HTTP.
    """

    user_id: UserId | None
    role: Role | None
    session_id: LoginSessionId | None = None

    @classmethod
    def of(cls, user: User) -> "Actor":
        return cls(user.id, user.role)

    @classmethod
    def system(cls) -> "Actor":
        return cls(None, Role.ADMIN)

    @classmethod
    def anonymous(cls) -> "Actor":
        return cls(None, None)

    @property
    def is_admin(self) -> bool:
        """An admin, or the system."""
        return self.role is Role.ADMIN

    @property
    def is_system(self) -> bool:
        return self.is_admin and self.user_id is None

    def may_act_for(self, user_id: UserId) -> bool:
        return self.is_admin or self.user_id == user_id

    def require_signed_in(self) -> None:
        """Raises `NotAuthenticated` for nobody in particular."""
        if self.role is None:
            raise NotAuthenticated
