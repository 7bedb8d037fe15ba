"""The one place that says what a role may do and see."""

from enum import StrEnum

from endy.accounts.models import User
from endy.errors import AuthenticationRequired, InsufficientPermissions

ADMIN = "admin"
OWNER = "owner"


class Permission(StrEnum):
    """What a route needs. OPEN needs nothing, ASK a session only where ANONYMOUS_ACCESS is off."""

    OPEN = "open"
    ASK = "ask"
    OWN_ACCOUNT = "own_account"
    READ_FEEDBACK = "read_feedback"
    READ_KNOWLEDGE = "read_knowledge"
    MANAGE_USERS = "manage_users"
    READ_AUDIT = "read_audit"
    READ_OPERATIONS = "read_operations"


_EVERYONE = frozenset({Permission.OPEN, Permission.ASK, Permission.OWN_ACCOUNT})
_GRANTED = {
    "user": _EVERYONE,
    OWNER: _EVERYONE | {Permission.READ_FEEDBACK, Permission.READ_KNOWLEDGE},
    ADMIN: frozenset(Permission),
}


def permit(user: User | None, permission: Permission, *, anonymous_access: bool) -> None:
    """Return if they may. Raises AuthenticationRequired for nobody, InsufficientPermissions for somebody else."""
    if user is None:
        if permission is Permission.OPEN or (permission is Permission.ASK and anonymous_access):
            return
        raise AuthenticationRequired
    if permission not in _GRANTED.get(user.role, frozenset()):
        raise InsufficientPermissions


def audiences_of(user: User | None) -> frozenset[str]:
    """Whose content somebody may see, besides everyone's: their department's, and an admin's."""
    if user is None:
        return frozenset()
    # A department cannot make its people admins by being called so.
    department = {user.department} - {ADMIN, ""}
    return frozenset(department | {ADMIN} if user.role == ADMIN else department)


def owned_by(user: User) -> frozenset[str] | None:
    """The categories and departments that somebody looks after; None stands for all of them."""
    return None if user.role == ADMIN else frozenset(user.owns)
