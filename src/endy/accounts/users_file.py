"""USERS_FILE: read and checked as a whole, so that a broken file never takes anybody's access."""

import json
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from endy.accounts.models import Role, User


class UsersFileError(ValueError):
    """The file cannot be used; the message says which entry is wrong and how."""


class _Entry(BaseModel):
    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    employee_id: str = Field(min_length=1, max_length=32)
    name: str = Field(min_length=1, max_length=100)
    department: str = Field("", max_length=100)
    email: str = Field("", max_length=200)
    role: Role = "user"
    password_hash: str | None = Field(None, max_length=300)


@dataclass(frozen=True, slots=True)
class FileUser:
    user: User
    password_hash: str | None


def read_users(path: Path) -> list[FileUser]:
    """All users of the file. Raises UsersFileError for the first thing that is wrong."""
    try:
        entries = json.loads(path.read_text(encoding="utf-8-sig"))["users"]
    except (OSError, UnicodeDecodeError) as error:
        raise UsersFileError(f"{path.name}: 읽을 수 없어요 ({type(error).__name__})") from None
    except (ValueError, LookupError, TypeError, RecursionError):
        raise UsersFileError(f'{path.name}: {{"users": [...]}} 모양의 JSON이어야 해요') from None
    if not isinstance(entries, list):
        raise UsersFileError(f"{path.name}: users는 목록이어야 해요")
    users = [_user(path, position, entry) for position, entry in enumerate(entries, start=1)]
    _refuse_repeated(path, users)
    return users


def _refuse_repeated(path: Path, users: list[FileUser]) -> None:
    first: dict[str, int] = {}
    for position, entry in enumerate(users, start=1):
        earlier = first.setdefault(entry.user.employee_id, position)
        if earlier != position:
            raise UsersFileError(f"{path.name}: {earlier}번째와 {position}번째 사용자의 사번이 같아요")


def _user(path: Path, position: int, entry: object) -> FileUser:
    try:
        row = _Entry.model_validate(entry)
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]["loc"]
        name = where[0] if where else "형식"
        raise UsersFileError(f"{path.name}: {position}번째 사용자의 {name} 값이 잘못됐어요") from None
    return FileUser(User(row.employee_id, row.name, row.department, row.email, row.role), row.password_hash)
