"""The one place that says what a role may do and see."""

from endy.accounts.models import User
from endy.errors import AuthenticationRequired, InsufficientPermissions

ADMIN = "admin"


def audiences_of(user: User | None) -> frozenset[str]:
    """Whose content somebody may see, besides everyone's: their department's, and an admin's."""
    if user is None:
        return frozenset()
    return frozenset({user.department, ADMIN} if user.role == ADMIN else {user.department})


def require_admin(user: User | None) -> User:
    """The user, if an admin. Raises AuthenticationRequired without one, else InsufficientPermissions."""
    if user is None:
        raise AuthenticationRequired
    if user.role != ADMIN:
        raise InsufficientPermissions
    return user
