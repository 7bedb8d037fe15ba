"""The JSON files of the release before the database, read generously: every key that such files are known to use."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_args
from zoneinfo import ZoneInfo

from argon2 import extract_parameters
from argon2.exceptions import InvalidHashError
from pydantic import ValidationError

from endy.accounts.users_file import UserEntry
from endy.errors import StartupError
from endy.feedback.reasons import Reason
from endy.privacy.masking import mask
from endy.storage.rows import Row

SEOUL = ZoneInfo("Asia/Seoul")
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
"""For records that do not say when."""

_FAQ = {
    "id": ("id", "faq_id", "번호"),
    "category": ("category", "분류", "카테고리"),
    "question": ("question", "title", "질문"),
    "main_answer": ("main_answer", "answer", "content", "답변", "내용"),
    "keywords": ("keywords", "tags", "키워드", "태그"),
    "department": ("department", "dept", "부서", "담당부서"),
    "contact": ("contact", "연락처"),
    "link": ("link", "url", "링크"),
    "audience": ("audience", "공개대상"),
    "review_by": ("review_by", "검토일"),
}
_USER = {
    "employee_id": ("employee_id", "id", "user_id", "사번"),
    "name": ("name", "user_name", "이름"),
    "department": ("department", "dept", "부서"),
    "email": ("email", "이메일"),
    "role": ("role", "역할"),
}
_PASSWORDS = ("password", "password_hash", "비밀번호")
LONGEST_HASH = 300
_ASKED = ("question", "user_question", "query", "질문")
_ASKER = ("employee_id", "user_id", "asker", "사번")
_WHEN = ("timestamp", "created_at", "created", "date", "일시")
_OPINION = ("is_helpful", "helpful", "feedback_type", "feedback", "type", "도움", "평가")
_STARS = ("rating", "score", "stars", "별점")
_COMMENT = ("comment", "detail", "message", "feedback_text", "의견")
_REASONS = ("reasons", "reason", "issues", "issue_types", "사유")
_YES = {"true", "1", "yes", "y", "helpful", "positive", "like", "good", "up", "도움됨", "도움돼요"}
_NO = {"false", "0", "no", "n", "not_helpful", "unhelpful", "negative", "dislike", "bad", "down", "도움안됨"}


_KEYS = {
    "users": ("employee_id",),
    "conversations": ("id",),
    "questions": ("id",),
    "feedback": ("question_id", "asker"),
}
"""The tables that the files fill, and the columns of their keys."""


@dataclass(slots=True)
class Legacy:
    """What the files held; `wrong` lists what could not be read, as (file, position, reason)."""

    rows: dict[str, dict[tuple[str, ...], Row]] = field(default_factory=lambda: {name: {} for name in _KEYS})
    faqs: list[dict[str, Any]] = field(default_factory=list)
    sessions: int = 0
    files: list[str] = field(default_factory=list)
    wrong: list[tuple[str, int, str]] = field(default_factory=list)
    passwords: int = 0

    def put(self, table: str, row: Row) -> None:
        self.rows[table][tuple(row[name] for name in _KEYS[table])] = row


def read_legacy(folder: Path) -> Legacy:
    """Everything that the folder's files hold. Raises StartupError where there is no such file at all."""
    legacy = Legacy()
    _read_users(legacy, folder)
    _read_faqs(legacy, folder)
    _read_feedback(legacy, folder)
    found = _load(legacy, folder, "sessions.json")
    legacy.sessions = sum(1 for _ in _entries(found, "sessions"))
    if not legacy.files:
        raise StartupError(
            f"{folder}: users.json, faq_data.json, feedback.json, sessions.json 가운데 하나도 없어요. "
            "파일이 있는 폴더를 적어 주세요."
        )
    return legacy


def _read_users(legacy: Legacy, folder: Path) -> None:
    for position, entry in enumerate(_entries(_load(legacy, folder, "users.json"), "users"), 1):
        told = {name: _first(entry, keys) for name, keys in _USER.items()}
        told = {name: str(value) for name, value in told.items() if value is not None}
        told["role"] = "admin" if told.get("role", "").lower() in ("admin", "관리자") else "user"
        try:
            user = UserEntry.model_validate(told)
        except ValidationError as error:
            legacy.wrong.append(("users.json", position, f"{error.errors(include_input=False)[0]['loc'][0]} 값"))
            continue
        kept = _kept_hash(entry)
        legacy.passwords += kept is None and any(key in entry for key in _PASSWORDS)
        values = user.model_dump() | {"owns": [], "password_hash": kept, "updated_at": _moment(entry) or EPOCH}
        fixed = {"source": "admin", "file_entry": None, "sso_subject": None, "version": 1, "removed_at": None}
        legacy.put("users", values | fixed)


def _kept_hash(entry: Mapping[str, Any]) -> str | None:
    """The hash that we can check ourselves. A password in clear, or hashed in another way, is never taken along."""
    value = entry.get("password_hash")
    try:
        extract_parameters(value if isinstance(value, str) and len(value) <= LONGEST_HASH else "")
    except InvalidHashError:
        return None
    return str(value)


def _read_faqs(legacy: Legacy, folder: Path) -> None:
    name = next((name for name in ("faq_data.json", "faq.json", "faqs.json") if (folder / name).is_file()), "")
    for position, entry in enumerate(_entries(_load(legacy, folder, name), "faqs", "faq", "data"), 1):
        told = {key: value for key, keys in _FAQ.items() if (value := _first(entry, keys)) not in (None, "")}
        if isinstance(told.get("keywords"), str):
            told["keywords"] = [word.strip() for word in told["keywords"].split(",") if word.strip()]
        if not {"question", "main_answer"} <= told.keys():
            legacy.wrong.append((name, position, "질문이나 답이 없어요"))
            continue
        legacy.faqs.append({"id": position, "category": "기타"} | told)


def _read_feedback(legacy: Legacy, folder: Path) -> None:
    found = _load(legacy, folder, "feedback.json")
    for kind in ("feedbacks", "detailed_feedbacks"):
        for position, entry in enumerate(_entries(found, kind), 1):
            opinion = _opinion(entry)
            if opinion is None and kind == "detailed_feedbacks":
                opinion = False
            asked = _first(entry, _ASKED)
            if opinion is None or not isinstance(asked, str) or not asked.strip():
                legacy.wrong.append((f"feedback.json/{kind}", position, "질문이나 평가를 알 수 없어요"))
                continue
            _put_opinion(legacy, entry, asked, opinion)


def _put_opinion(legacy: Legacy, entry: Mapping[str, Any], asked: str, opinion: bool) -> None:
    number = str(_first(entry, _ASKER) or "").strip()
    asker = f"user:{number}" if number and number != "anonymous" else "anonymous"
    at = _moment(entry) or EPOCH
    named = str(entry.get("question_id") or entry.get("answer_id") or "") or f"{asked}|{at.isoformat()}"
    # The same record has the same id in every run, and its two kinds of feedback meet in one row.
    name = hashlib.sha256(f"{asker}|{named}".encode("utf-8", "backslashreplace")).hexdigest()[:32]
    legacy.put("conversations", {"id": name, "asker": asker, "created_at": at})
    legacy.put("questions", _question(name, asker, asked, at))
    given = _first(entry, _REASONS) or []
    reasons, others = _reasons(given if isinstance(given, list) else [given])
    comment = " ".join(part for part in (str(_first(entry, _COMMENT) or "").strip(), *others) if part)
    before = legacy.rows["feedback"].get((name, asker))
    row = {
        "question_id": name,
        "asker": asker,
        "is_helpful": opinion if before is None else before["is_helpful"] and opinion,
        "reasons": list(dict.fromkeys([*(before["reasons"] if before else []), *reasons])),
        "comment": mask(comment) or (before["comment"] if before else ""),
        "created_at": min(at, before["created_at"]) if before else at,
        "updated_at": at,
    }
    legacy.put("feedback", row)


def _question(name: str, asker: str, asked: str, at: datetime) -> Row:
    nothing = {"category": "", "department": "", "model": "", "confidence": 0.0, "response_seconds": 0.0,
               "knowledge_version": 0, "tokens_in": 0, "tokens_out": 0, "cost_krw": 0.0, "source_ids": []}  # fmt: skip
    told = {"id": name, "conversation_id": name, "asker": asker, "question": mask(asked.strip()), "asked_at": at}
    return {**told, **nothing, "status": "answered", "mode": "extractive"}


def _reasons(given: Sequence[Any]) -> tuple[list[str], list[str]]:
    """Our names for them, and what has none of ours."""
    known = [str(one) for one in given if one in get_args(Reason)]
    others = [str(one) for one in given if one and one not in get_args(Reason)]
    return known + (["other"] if others else []), others


def _load(legacy: Legacy, folder: Path, name: str) -> Any:
    path = folder / name
    if not name or not path.is_file():
        return None
    legacy.files.append(name)
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, OSError, RecursionError) as error:
        raise StartupError(f"{path}: 읽을 수 없어요 ({type(error).__name__}). UTF-8 JSON인지 확인해 주세요.") from None


def _entries(found: Any, *names: str) -> Iterator[dict[str, Any]]:
    """The records under the first of these names, of a bare list, or of an object by id."""
    if isinstance(found, dict):
        found = next((found[name] for name in names if name in found), found if names[0] == "sessions" else [])
    if isinstance(found, dict):
        found = [{"id": key} | value for key, value in found.items() if isinstance(value, dict)]
    yield from (entry for entry in found or [] if isinstance(entry, dict))


def _first(entry: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((entry[name] for name in names if entry.get(name) is not None), None)


def _opinion(entry: Mapping[str, Any]) -> bool | None:
    stars = _first(entry, _STARS)
    if str(stars) in ("1", "2", "3", "4", "5"):
        return None if str(stars) == "3" else str(stars) > "3"
    text = str(_first(entry, (*_OPINION, *_STARS))).strip().lower().replace(" ", "_")
    if text in _YES:
        return True
    return False if text in _NO else None


def _moment(entry: Mapping[str, Any]) -> datetime | None:
    value = _first(entry, _WHEN)
    try:
        if isinstance(value, (int, float)):
            return datetime.fromtimestamp(value, UTC)
        found = datetime.fromisoformat(str(value))
    except (ValueError, OverflowError, OSError):
        return None
    return (found.replace(tzinfo=SEOUL) if found.tzinfo is None else found).astimezone(UTC)
