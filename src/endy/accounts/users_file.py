"""USERS_FILE: read and checked as a whole, so that a broken file never takes anybody's access."""

import json
import unicodedata
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator

from endy.accounts.models import Role, User


class UsersFileError(ValueError):
    """The file cannot be used; the message says which entry is wrong and how."""


def _composed(text: str) -> str:
    if any(unicodedata.category(char) in ("Cc", "Cs") for char in text):
        raise ValueError("쓸 수 없는 글자가 들어 있어요")
    # Names from a Mac come apart into jamo, and would be other departments.
    return unicodedata.normalize("NFC", text)


Text = Annotated[str, AfterValidator(_composed)]


class UserEntry(BaseModel):
    """One user as people write it, in the file and over the API."""

    model_config = ConfigDict(extra="ignore", str_strip_whitespace=True)

    employee_id: Text = Field(min_length=1, max_length=32, pattern=r"^[^\s/|\x00-\x1f]+$")
    name: Text = Field(min_length=1, max_length=100)
    department: Text = Field("", max_length=100)
    email: Text = Field("", max_length=200)
    role: Role = "user"
    owns: tuple[Annotated[Text, Field(min_length=1, max_length=200)], ...] = Field((), max_length=100)

    @property
    def user(self) -> User:
        return User(self.employee_id, self.name, self.department, self.email, self.role, self.owns)


class _FileEntry(UserEntry):
    password_hash: str | None = Field(None, max_length=300)

    @field_validator("password_hash")
    @classmethod
    def _check_hash(cls, value: str | None) -> str | None:
        if value:
            try:
                extract_parameters(value)
            except InvalidHashError:
                raise ValueError("argon2 해시가 아니에요") from None
        return value or None


@dataclass(frozen=True, slots=True)
class FileUser:
    """An entry of the file; `said` is what is remembered of it to see later what changed in the file."""

    user: User
    password_hash: str | None

    @property
    def said(self) -> dict[str, Any]:
        user = self.user
        return {
            "name": user.name,
            "department": user.department,
            "email": user.email,
            "role": user.role,
            "owns": list(user.owns),
            "password_hash": fingerprint(self.password_hash),
        }


def fingerprint(password_hash: str | None) -> str | None:
    """Tells hashes apart without keeping them."""
    return sha256(password_hash.encode()).hexdigest() if password_hash else None


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
        row = _FileEntry.model_validate(entry)
    except ValidationError as error:
        where = error.errors(include_url=False, include_input=False)[0]["loc"]
        name = where[0] if where else "형식"
        raise UsersFileError(f"{path.name}: {position}번째 사용자의 {name} 값이 잘못됐어요") from None
    return FileUser(row.user, row.password_hash)
