"""Who somebody is."""

from dataclasses import dataclass
from typing import Literal

Role = Literal["admin", "user"]


@dataclass(frozen=True, slots=True)
class User:
    """One row of `users`, without the password hash."""

    employee_id: str
    name: str
    department: str
    email: str
    role: Role
