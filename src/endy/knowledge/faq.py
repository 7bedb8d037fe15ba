"""FAQ_FILE to sections: one wrong entry is left out and reported, the others are read."""

import json
import unicodedata
from collections.abc import Iterator
from typing import Any

from endy.knowledge import fields
from endy.knowledge.contact import find_contact
from endy.knowledge.fields import FieldError
from endy.knowledge.problems import Problem
from endy.knowledge.readers.parsed import ParsedDocument
from endy.knowledge.readers.text import decode
from endy.knowledge.sections import with_hash
from endy.retrieval.section import EVERYONE, Section

TITLE = "자주 묻는 질문"
MAX_QUESTION = 500
MAX_ANSWER = 20_000

_SHAPE = '`{"faqs": [...]}` 모양의 JSON으로 저장해 주세요.'
_REQUIRED = ("id", "category", "question", "main_answer")
_OPTIONAL = ("keywords", "department", "contact", "link", "audience", "review_by")


def read_faq(name: str, content: bytes) -> ParsedDocument:
    """The FAQ entries as sections; never raises."""
    text, problems = decode(name, content)
    if text is None:
        return _refused(problems)
    try:
        entries = json.loads(text)["faqs"]
    except json.JSONDecodeError as error:
        return _refused([Problem(name, f"JSON이 잘못됐어요({error.colno}번째 글자). {_SHAPE}", error.lineno, "error")])
    except (ValueError, LookupError, TypeError, RecursionError):
        entries = None
    if not isinstance(entries, list):
        return _refused([Problem(name, f"FAQ 목록이 없어요. {_SHAPE}", severity="error")])
    return _read_entries(name, entries, problems)


def _refused(problems: list[Problem]) -> ParsedDocument:
    return ParsedDocument(TITLE, problems=tuple(problems), refused=True)


def _read_entries(name: str, entries: list[Any], problems: list[Problem]) -> ParsedDocument:
    sections: dict[str, Section] = {}
    kept: set[str] = set()
    for position, entry in enumerate(entries, 1):
        section_id = _section_id(entry)
        place = f"{position}번째 항목" + (f"(id {section_id.removeprefix('faq:')})" if section_id else "")
        if section_id in sections:
            message = f"{place}: 같은 id가 앞에 있어서 읽지 않았어요. 다른 id를 적어 주세요."
            problems.append(Problem(name, message, severity="error"))
            continue
        try:
            section = _section(name, section_id, entry)
        except FieldError as error:
            problems.append(Problem(name, f"{place}: {error}. 이 항목만 빼고 읽었어요.", severity="error"))
            kept.update([section_id] if section_id else [])
            continue
        sections[section.id] = section
        problems += (Problem(name, f"{place}: {warning}") for warning in _warnings(entry))
    return ParsedDocument(
        TITLE, sections=tuple(sections.values()), problems=tuple(problems), kept_ids=frozenset(kept - sections.keys())
    )


def _section_id(entry: object) -> str:
    """`faq:<id>`, or nothing when the entry has no usable id."""
    try:
        written = fields.text(entry.get("id"), 100) if isinstance(entry, dict) else ""
    except FieldError:
        return ""
    return f"faq:{written}" if written else ""


def _section(name: str, section_id: str, entry: dict[str, Any]) -> Section:
    if not isinstance(entry, dict):
        raise FieldError("`{}`로 묶은 항목이 아니에요")
    missing = [key for key in _REQUIRED if entry.get(key) in (None, "")]
    if missing:
        raise FieldError(f"{', '.join(missing)} 값이 비어 있어요")
    if not section_id:
        raise FieldError("id는 숫자나 짧은 글자로 적어 주세요")
    answer = _read(entry, "main_answer", _answer)
    category = _read(entry, "category", fields.text)
    question = _read(entry, "question", lambda value: fields.text(value, MAX_QUESTION))
    found = find_contact(answer)
    section = Section(
        id=section_id,
        kind="faq",
        document=name,
        document_title=TITLE,
        heading_path=(category,),
        title=unicodedata.normalize("NFC", question),
        text=answer,
        category=category,
        department=_read(entry, "department", fields.text),
        contact=_read(entry, "contact", fields.text) or (found.contact if found else ""),
        link=_read(entry, "link", fields.link),
        keywords=_read(entry, "keywords", fields.words),
        audience=_read(entry, "audience", fields.audience) if "audience" in entry else frozenset({EVERYONE}),
        review_by=_read(entry, "review_by", fields.day),
    )
    return with_hash(section)


def _read(entry: dict[str, Any], key: str, read: Any) -> Any:
    try:
        return read(entry.get(key))
    except FieldError as error:
        raise FieldError(f"{key}: {error}") from None


def _answer(value: object) -> str:
    """The answer keeps its lines, since it is Markdown."""
    if not isinstance(value, str) or not value.strip():
        raise FieldError("글자로 적어 주세요")
    if not fields.storable(value):
        raise FieldError("쓸 수 없는 글자가 들어 있어요")
    if len(value) > MAX_ANSWER:
        raise FieldError(f"{MAX_ANSWER}자보다 길어요")
    return unicodedata.normalize("NFC", value.strip())


def _warnings(entry: dict[str, Any]) -> Iterator[str]:
    unknown = sorted(str(key)[:40] for key in entry.keys() - {*_REQUIRED, *_OPTIONAL})
    if unknown:
        yield f"{', '.join(unknown)}은(는) 모르는 이름이라 읽지 않았어요."
