"""Who somebody is, and where they call from."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Role = Literal["admin", "owner", "user"]
Method = Literal["password", "name", "link", "sso"]
Origin = Literal["file", "admin", "sso"]


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may sign in; `owns` names the categories and departments that a knowledge owner looks after."""

    employee_id: str
    name: str
    department: str
    email: str
    role: Role
    owns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A user as admins see it. `version` rises with every change; `source` says where the row came from."""

    user: User
    source: Origin
    has_password: bool
    version: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Client:
    """Where a call comes from; `device` is readable, such as `Chrome · Windows`, and `known` a signed device cookie."""

    address: str = ""
    device: str = ""
    request_id: str = ""
    known: str = ""


@dataclass(frozen=True, slots=True)
class SignIn:
    """A new session; the token is told once and stored only as a hash."""

    user: User
    token: str


@dataclass(frozen=True, slots=True)
class Session:
    """One of somebody's open sessions; `id` names it without opening it."""

    id: str
    method: str
    device: str
    address: str
    created_at: datetime
    last_seen_at: datetime
    current: bool = False
